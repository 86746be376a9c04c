package directory_test

import (
	"encoding/json"
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/rollcall-sync/rollcall/sync/directory"
)

var noon = time.Date(2026, 11, 22, 12, 0, 0, 5, time.FixedZone("CET", 3600))

func TestValuesAsPeopleReadThem(t *testing.T) {
	t.Parallel()
	for want, value := range map[string]directory.Value{
		"":                               {},
		"Anna":                           directory.Text("Anna"),
		"true":                           directory.Bool(true),
		"false":                          directory.Bool(false),
		"0":                              directory.Number(math.Copysign(0, -1)),
		"-1.5":                           directory.Number(-1.5),
		"9007199254740992":               directory.Number(1 << 53),
		"2026-11-22T11:00:00.000000005Z": directory.Time(noon),
		"a, b":                           directory.List("a", "b"),
	} {
		if got := value.String(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestEmptyIsOneValue(t *testing.T) {
	t.Parallel()
	for name, value := range map[string]directory.Value{
		"zero value": {}, "empty text": directory.Text(""), "empty list": directory.List(), "zero time": directory.Time(time.Time{}),
	} {
		if !value.IsEmpty() || value.Kind() != directory.KindEmpty || !value.Equal(directory.Value{}) || value.Items() != nil {
			t.Errorf("%s is not the empty value", name)
		}
	}
	for name, value := range map[string]directory.Value{
		"false": directory.Bool(false), "zero": directory.Number(0), "list of an empty text": directory.List(""), "1970": directory.Time(time.Unix(0, 0)),
	} {
		if value.IsEmpty() || value.Equal(directory.Value{}) {
			t.Errorf("%s is empty", name)
		}
	}
}

func TestValuesGiveBackWhatWasPutIn(t *testing.T) {
	t.Parallel()
	if b, ok := directory.Bool(true).AsBool(); !b || !ok {
		t.Error("bool")
	}
	if b, ok := directory.Text("true").AsBool(); b || ok {
		t.Error("a text is no bool")
	}
	if f, ok := directory.Number(-2.5).AsNumber(); f != -2.5 || !ok {
		t.Error("number")
	}
	if _, ok := directory.Bool(true).AsNumber(); ok {
		t.Error("a bool is no number")
	}
	if at, ok := directory.Time(noon).AsTime(); !at.Equal(noon) || at.Location() != time.UTC || !ok {
		t.Errorf("time: %v", at)
	}
	if _, ok := directory.Text("2026-11-22T11:00:00Z").AsTime(); ok {
		t.Error("a text is no time")
	}
	if diff := cmp.Diff([]string{"x"}, directory.Text("x").Items()); diff != "" {
		t.Error(diff)
	}
	given := []string{"a", "b"}
	list := directory.List(given...)
	given[0] = "changed"
	if diff := cmp.Diff([]string{"a", "b"}, list.Items()); diff != "" {
		t.Error("a list shares its items with the caller: " + diff)
	}
}

// Vendors write "never" as the year 9999 and "from the beginning" as 1601; neither may turn into a day of our time.
func TestTimesBeyondTheRangeStayBeyondOurs(t *testing.T) {
	t.Parallel()
	for _, year := range []int{1601, 1677, 2263, 9999} {
		at, ok := directory.Time(time.Date(year, 1, 1, 0, 0, 0, 0, time.UTC)).AsTime()
		if !ok || year < 2000 && at.Year() > 1700 || year > 2000 && at.Year() < 2262 {
			t.Errorf("the year %d became %v", year, at)
		}
	}
}

func TestEqual(t *testing.T) {
	t.Parallel()
	all := []directory.Value{
		{},
		directory.Text("1"), directory.Text("true"), directory.Bool(true), directory.Bool(false), directory.Number(1), directory.Number(0),
		directory.Time(time.Unix(0, 1)), directory.List("1"), directory.List("1", "2"), directory.List("2", "1"),
	}
	for i, a := range all {
		for j, b := range all {
			if a.Equal(b) != (i == j) {
				t.Errorf("%v (kind %d) equal to %v (kind %d): %t", a, a.Kind(), b, b.Kind(), a.Equal(b))
			}
		}
	}
	a, b := directory.Attributes{"x": {}}, directory.Attributes{"y": {}}
	if a.Equal(b) || a.Equal(nil) || !a.Equal(directory.Attributes{"x": {}}) || !directory.Attributes(nil).Equal(directory.Attributes{}) {
		t.Error("attributes: an empty value and an absent one are not the same")
	}
}

func TestJSON(t *testing.T) {
	t.Parallel()
	for want, value := range map[string]directory.Value{
		`null`: {}, `"a\"b"`: directory.Text(`a"b`), `true`: directory.Bool(true), `-1.5`: directory.Number(-1.5), `["a","b"]`: directory.List("a", "b"),
		`"2026-11-22T11:00:00.000000005Z"`: directory.Time(noon), `"NaN"`: directory.Number(math.NaN()), `"+Inf"`: directory.Number(math.Inf(1)),
	} {
		got, err := json.Marshal(value)
		if err != nil || string(got) != want {
			t.Errorf("got %s, %v; want %s", got, err, want)
		}
	}
	for _, bad := range []string{`{}`, `[[]]`, `[{}]`, `[["a"]]`, `x`} {
		var value directory.Value
		if err := json.Unmarshal([]byte(bad), &value); err == nil {
			t.Errorf("%s is taken as %v", bad, value)
		}
	}
}

func TestJSONRoundTrip(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		value := values().Filter(func(v directory.Value) bool { return v.Kind() != directory.KindTime }).Draw(t, "value")
		data, err := json.Marshal(value)
		if err != nil {
			t.Fatal(err)
		}
		var got directory.Value
		if err := json.Unmarshal(data, &got); err != nil {
			t.Fatal(err)
		}
		if !got.Equal(value) {
			t.Fatalf("%v became %v by %s", value, got, data)
		}
	})
}

func TestFromJSON(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		raw  any
		want directory.Value
	}{
		{nil, directory.Value{}},
		{"", directory.Value{}},
		{[]any{}, directory.Value{}},
		{1e21, directory.Number(1e21)},
		{[]string{"a"}, directory.List("a")},
		{[]any{"a", 1.5, true}, directory.List("a", "1.5", "true")},
	} {
		got, err := directory.FromJSON(c.raw)
		if err != nil || !got.Equal(c.want) {
			t.Errorf("%v: got %v, %v; want %v", c.raw, got, err, c.want)
		}
	}
	for _, bad := range []any{1, map[string]any{}, []any{[]any{"a"}}, []any{[]string{"a"}}, struct{}{}} {
		if got, err := directory.FromJSON(bad); err == nil {
			t.Errorf("%T is taken as %v", bad, got)
		}
	}
}
