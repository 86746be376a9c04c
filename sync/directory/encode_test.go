package directory_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math"
	"runtime"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/rollcall-sync/rollcall/sync/directory"
)

// values draws any value that the constructors can make.
func values() *rapid.Generator[directory.Value] {
	return rapid.OneOf(
		rapid.Just(directory.Value{}),
		rapid.Map(rapid.String(), directory.Text),
		rapid.Map(rapid.Bool(), directory.Bool),
		rapid.Map(rapid.Float64(), directory.Number),
		rapid.Map(rapid.Int64(), func(n int64) directory.Value { return directory.Time(time.Unix(0, n)) }),
		rapid.Map(rapid.SliceOf(rapid.String()), func(items []string) directory.Value { return directory.List(items...) }),
	)
}

func attributes() *rapid.Generator[directory.Attributes] {
	return rapid.Map(rapid.MapOf(rapid.String(), values()), func(m map[string]directory.Value) directory.Attributes { return m })
}

func accounts() *rapid.Generator[directory.Account] {
	return rapid.Custom(func(t *rapid.T) directory.Account {
		return directory.Account{
			ID: rapid.String().Draw(t, "id"), Status: directory.Status(rapid.IntRange(0, 2).Draw(t, "status")),
			Attributes: attributes().Draw(t, "attributes"), Groups: rapid.SliceOf(rapid.String()).Draw(t, "groups"),
			GroupsKnown: rapid.Bool().Draw(t, "groups known"), Revision: rapid.String().Draw(t, "revision"),
			Privileged: rapid.String().Draw(t, "privileged"), ReadOnly: rapid.String().Draw(t, "read only"),
			Problem: rapid.String().Draw(t, "problem"),
		}
	})
}

// alike compares as the encoding keeps things: groups in sorted order, nothing and empty the same.
var alike = []cmp.Option{cmpopts.EquateEmpty(), cmpopts.SortSlices(func(a, b string) bool { return a < b })}

func TestAccountsSurviveTheEncoding(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		account := accounts().Draw(t, "account")
		rest := rapid.SliceOf(rapid.Byte()).Draw(t, "what follows")
		encoded := account.AppendBinary(nil)
		got, left, err := directory.DecodeAccount(append(bytes.Clone(encoded), rest...))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(account, got, alike...); diff != "" {
			t.Fatalf("the account changed:\n%s", diff)
		}
		if !bytes.Equal(left, rest) {
			t.Fatalf("%d bytes follow, %d are left", len(rest), len(left))
		}
		if again := got.AppendBinary(nil); !bytes.Equal(again, encoded) {
			t.Fatal("the same account has two encodings")
		}
	})
}

func TestAttributesSurviveTheEncoding(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		want := attributes().Draw(t, "attributes")
		got, left, err := directory.DecodeAttributes(want.AppendBinary([]byte{}))
		if err != nil || len(left) != 0 || !got.Equal(want) {
			t.Fatalf("got %v, %d bytes left, %v; want %v", got, len(left), err, want)
		}
	})
}

func TestEncodingDoesNotChangeTheAccount(t *testing.T) {
	t.Parallel()
	account := directory.Account{Groups: []string{"b", "a"}}
	account.AppendBinary(nil)
	if account.Groups[0] != "b" {
		t.Error("encoding sorted the caller's groups")
	}
}

func TestATruncatedAccountIsDamaged(t *testing.T) {
	t.Parallel()
	account := directory.Account{
		ID: "1", Status: directory.StatusActive, Groups: []string{"g"}, GroupsKnown: true, Revision: "7",
		Attributes: directory.Attributes{
			"a": directory.Text("x"), "b": directory.Bool(true), "c": directory.Number(1), "d": directory.List("y", "z"), "e": {},
		},
	}
	encoded := account.AppendBinary(nil)
	for n := range encoded {
		got, rest, err := directory.DecodeAccount(encoded[:n])
		if !errors.Is(err, directory.ErrCorrupt) {
			t.Fatalf("the first %d of %d bytes: %v", n, len(encoded), err)
		}
		if got.ID != "" || got.Attributes != nil || rest != nil {
			t.Fatalf("the first %d bytes: an error and half an account: %+v, %q", n, got, rest)
		}
	}
}

func TestWhatIsNeverWrittenIsDamaged(t *testing.T) {
	t.Parallel()
	attribute := func(value ...byte) []byte { return append([]byte{1, 1, 'a'}, value...) }
	for name, b := range map[string][]byte{
		"a kind of its own": attribute(99), "a bool of two": attribute(2, 2), "an empty text": attribute(1, 0), "an empty list": attribute(5, 0),
		"an endless length": bytes.Repeat([]byte{0xff}, 12), "a count beyond the end": {200, 1, 0}, "nothing": nil,
	} {
		if got, _, err := directory.DecodeAttributes(b); !errors.Is(err, directory.ErrCorrupt) {
			t.Errorf("%s: got %v, %v", name, got, err)
		}
	}
	account := directory.Account{}.AppendBinary(nil)
	account[1] = 3 // the status
	if _, _, err := directory.DecodeAccount(account); !errors.Is(err, directory.ErrCorrupt) {
		t.Errorf("a status of three: %v", err)
	}
}

// TestADamagedCountCostsNoMemory: a count is bounded by the bytes that are left, but each of them would still cost a map
// entry if room were made for all at once.
func TestADamagedCountCostsNoMemory(t *testing.T) {
	const size = 1 << 20
	count := binary.AppendUvarint(nil, size)
	damaged := append(count, bytes.Repeat([]byte{0x80}, size)...)
	list := append([]byte{1, 1, 'a', byte(directory.KindList)}, damaged...)
	for name, b := range map[string][]byte{"attributes": damaged, "list": list} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, _, err := directory.DecodeAttributes(b)
		runtime.ReadMemStats(&after)
		if !errors.Is(err, directory.ErrCorrupt) {
			t.Errorf("%s: %v", name, err)
		}
		if used := after.TotalAlloc - before.TotalAlloc; used > 256<<10 {
			t.Errorf("%s: a count of %d took %d bytes of memory", name, size, used)
		}
	}
}

func FuzzDecodeAccount(f *testing.F) {
	f.Add([]byte{})
	f.Add(directory.Account{ID: "1", Attributes: directory.Attributes{"email": directory.Text("a@example.com"), "n": directory.Number(math.Pi)}}.AppendBinary(nil))
	f.Add(directory.Account{Groups: []string{"a", "b"}, Attributes: directory.Attributes{"l": directory.List("x"), "t": directory.Time(time.Unix(1, 2))}}.AppendBinary(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		account, rest, err := directory.DecodeAccount(b)
		if err != nil {
			if !errors.Is(err, directory.ErrCorrupt) {
				t.Fatalf("the error is not ErrCorrupt: %v", err)
			}
			return
		}
		if len(rest) > len(b) {
			t.Fatal("more is left than was given")
		}
		again, left, err := directory.DecodeAccount(account.AppendBinary(nil))
		if err != nil || len(left) != 0 {
			t.Fatalf("what was read cannot be written and read again: %v", err)
		}
		if !bytes.Equal(account.AppendBinary(nil), again.AppendBinary(nil)) {
			t.Fatalf("%+v became %+v", account, again)
		}
	})
}

func FuzzDecodeAttributes(f *testing.F) {
	f.Add(directory.Attributes{"a": directory.Bool(true), "b": {}}.AppendBinary(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		attributes, _, err := directory.DecodeAttributes(b)
		if (err == nil) != (attributes != nil) || err != nil && !errors.Is(err, directory.ErrCorrupt) {
			t.Fatalf("got %v, %v", attributes, err)
		}
		for name, value := range attributes {
			if value.IsEmpty() != (value.Kind() == directory.KindEmpty) || value.IsEmpty() && value.String() != "" {
				t.Fatalf("%s: a value of kind %d that no constructor makes", name, value.Kind())
			}
		}
	})
}
