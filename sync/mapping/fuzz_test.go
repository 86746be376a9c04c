package mapping_test

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-sync/rollcall/sync/directory"
	"github.com/rollcall-sync/rollcall/sync/mapping"
	"github.com/rollcall-sync/rollcall/sync/rules"
)

// FuzzExpressions holds that no text makes the compiler panic, and that no expression that compiles panics, runs for long or
// gives two results for one record.
func FuzzExpressions(f *testing.F) {
	for _, seed := range []string{
		`username`, `lower(username) + "x"`, `custom.a`, `custom["a b"]`, `"a" in groups`, `any(groups, any(custom.roles, # == "a"))`,
		`map(map(groups, len(#)), # * 9999999999)`, `active ? 1 : "a"`, `created_at.AddDate(99999, 9, 9).Format("2006")`, `9 ** 9 ** 9`,
		`replace(replace(email, "a", email), "b", email)`, `split(email, "@")[1]`, `username matches "(a+)+$"`, `-1 % (len(title))`,
		`date(email, email)`, `duration("9999999h") * 99999999`, `sort([1, "a", true])`, `email[2:-9]`, `list(custom.a)[0:9]`, `int("9999999999999999999")`,
		`find(groups, # == 1)`, `first(groups) == last(group_ids)`, `not (email in custom.a)`, `has(custom.a?.b) and has(id)`, `len(groups) == 1.5`,
		`first_of("", join(custom.a, "/"))`, `slug(ascii(title_case(email)))`, `[nil, 1][0] + "a"`, `(active ? groups : [1])[0]`, `nil`, `count(groups)`,
		`string(float("NaN"))`, `round(1e308 * 10)`, `created_at - updated_at > duration("1h")`, `groups | map(upper(#)) | join("")`, `#`, `((((`, "\x00", `$env`,
	} {
		f.Add(seed)
	}
	record := anna()
	record.Account.Attributes["custom.a"] = directory.List(strings.Split(strings.Repeat("a,bc,", 50), ",")...)
	record.Account.Attributes["created_at"] = directory.Time(time.Date(2025, 3, 4, 5, 6, 7, 0, time.UTC))
	f.Fuzz(func(t *testing.T, text string) {
		m, faults := mapping.Compile(rules.Sync{Scope: text, Attributes: from(text), Groups: []rules.Group{{Target: "g", When: text}}, Protect: []string{text}})
		if (m == nil) != (len(faults) > 0) {
			t.Fatalf("mapping %v, faults %v", m, faults)
		}
		for _, s := range []rules.Sync{{Scope: text}, {Attributes: from(text)}} {
			m, faults := mapping.Compile(s)
			for _, fault := range faults {
				if fault.Message == "" || strings.Contains(fault.Message, "\n") || strings.Contains(fault.Message, "goroutine") {
					t.Fatalf("message %q", fault.Message)
				}
			}
			if m == nil {
				continue
			}
			start := time.Now()
			once := m.Explain(record)
			if took := time.Since(start); took > 5*time.Second {
				t.Fatalf("took %v", took)
			}
			if len(once.Problems) == 0 && !same(once, m.Explain(record)) {
				t.Fatalf("two results for one record: %+v", once)
			}
		}
	})
}

func same(a, b mapping.Explanation) bool {
	for i := range a.Attributes {
		if !a.Attributes[i].Value.Equal(b.Attributes[i].Value) {
			return false
		}
	}
	return a.Scope == b.Scope && a.Reason == b.Reason
}

// FuzzNormalise holds the laws of values for every text, in every kind and with every folding.
func FuzzNormalise(f *testing.F) {
	for _, seed := range []string{"", " a ", "é", "e\u0301", "\xff", "a\x00b", "042", "-0.0", "1e9", "true", "2026-01-31", "İ", "ß", "\u0345", "\u1fb3", "a\r\n", "\u212a"} {
		f.Add(seed, "a", uint8(1))
	}
	f.Fuzz(func(t *testing.T, a, b string, flags uint8) {
		spec := directory.AttributeSpec{Kind: directory.Kind(flags & 7 % 6), FoldCase: flags&8 != 0, FoldAccents: flags&16 != 0}
		values := []directory.Value{directory.Text(a), directory.Text(b), directory.List(a, b), directory.List(b, a, b), directory.Number(float64(len(a)))}
		for _, value := range values {
			checkNormal(t, value, spec)
		}
		checkPair(t, values[0], values[1], spec)
		checkPair(t, values[0], values[2], spec)
		if !mapping.Equal(values[2], values[3], spec) {
			t.Errorf("%q and %q differ in order only", values[2], values[3])
		}
	})
}

// failer is what both testing.T and rapid.T are.
type failer interface {
	Helper()
	Errorf(format string, arguments ...any)
}

func checkNormal(t failer, value directory.Value, spec directory.AttributeSpec) {
	t.Helper()
	once := mapping.Normalise(value, spec)
	if twice := mapping.Normalise(once, spec); !twice.Equal(once) {
		t.Errorf("normalised %q is %q, and again %q", value, once, twice)
	}
	if !mapping.Equal(value, once, spec) {
		t.Errorf("%q is not equal to its normal form %q", value, once)
	}
	if number, ok := value.AsNumber(); ok && math.IsNaN(number) {
		return
	}
	if once.IsEmpty() && mapping.Key(value, spec) != "" {
		t.Errorf("%q is empty and has the key %q", value, mapping.Key(value, spec))
	}
}

func checkPair(t failer, a, b directory.Value, spec directory.AttributeSpec) {
	t.Helper()
	equal := mapping.Equal(a, b, spec)
	if equal != mapping.Equal(b, a, spec) {
		t.Errorf("%q and %q are equal in one order only", a, b)
	}
	if equal != (mapping.Key(a, spec) == mapping.Key(b, spec)) {
		t.Errorf("%q and %q: equal is %v, keys %q and %q", a, b, equal, mapping.Key(a, spec), mapping.Key(b, spec))
	}
	na, nb := mapping.Normalise(a, spec), mapping.Normalise(b, spec)
	if na.Equal(nb) && !equal {
		t.Errorf("%q and %q have one normal form and are not equal", a, b)
	}
}
