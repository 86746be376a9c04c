package directory_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-sync/rollcall/sync/directory"
)

func TestErrorsAreFoundByKind(t *testing.T) {
	t.Parallel()
	kinds := []directory.ErrorKind{
		directory.Retryable, directory.Throttled, directory.UnknownOutcome, directory.NotFound, directory.Conflict, directory.Invalid,
		directory.Auth, directory.Unsupported, directory.Expired,
	}
	for _, kind := range kinds {
		err := fmt.Errorf("run: %w", &directory.Error{Kind: kind, Op: "get account", Err: io.ErrUnexpectedEOF})
		for _, other := range kinds {
			if errors.Is(err, other) != (kind == other) {
				t.Errorf("an error of kind %s is %s: %t", kind, other, errors.Is(err, other))
			}
		}
		if got := directory.KindOf(err); got != kind {
			t.Errorf("the kind of %s is %s", kind, got)
		}
		if !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("%s hides its cause", kind)
		}
	}
}

func TestKindOf(t *testing.T) {
	t.Parallel()
	inner := &directory.Error{Kind: directory.NotFound}
	for _, c := range []struct {
		name string
		err  error
		want directory.ErrorKind
	}{
		{"doubt is never proof", errors.New("boom"), directory.Retryable},
		{"a cancelled context is no proof either", context.Canceled, directory.Retryable},
		{"a bare kind", fmt.Errorf("x: %w", directory.Conflict), directory.Conflict},
		{"the outermost counts", &directory.Error{Kind: directory.Auth, Err: inner}, directory.Auth},
		{"the zero error", &directory.Error{}, directory.Retryable},
	} {
		if got := directory.KindOf(c.err); got != c.want {
			t.Errorf("%s: got %s, want %s", c.name, got, c.want)
		}
	}
}

func TestErrorMessages(t *testing.T) {
	t.Parallel()
	for want, err := range map[string]*directory.Error{
		"website: create account anna: the name is taken - choose another": {
			Kind: directory.Conflict, Op: "create account", Directory: "website", Record: "anna", Err: errors.New("the name is taken"), Remedy: "choose another",
		},
		"website: list groups: not_found": {Kind: directory.NotFound, Op: "list groups", Directory: "website"},
		"retryable":                       {},
	} {
		if got := err.Error(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	if got := directory.ErrorKind(99).String(); got != "kind(99)" {
		t.Errorf("got %q", got)
	}
}

func TestComplete(t *testing.T) {
	t.Parallel()
	kind := directory.Type{Options: []directory.Option{
		{Name: "url", Type: directory.OptionURL, Required: true, Doc: "the address"},
		{Name: "size", Type: directory.OptionInt, Default: "100"},
		{Name: "deep", Type: directory.OptionBool, Default: "true"},
		{Name: "wait", Type: directory.OptionDuration, Default: "90s"},
		{Name: "roles", Type: directory.OptionList, Default: "editor"},
		{Name: "note", Type: directory.OptionText},
	}}
	given := directory.Settings{Name: "x", Values: map[string]any{"size": 5}}
	got, faults := kind.Complete(given)
	if len(faults) != 1 || faults[0].Option != "url" || faults[0].Error() != "url: is missing; the address" {
		t.Errorf("faults %v", faults)
	}
	want := map[string]any{"size": 5, "deep": true, "wait": 90 * time.Second, "roles": []string{"editor"}}
	if diff := cmp.Diff(want, got.Values); diff != "" {
		t.Error(diff)
	}
	if len(given.Values) != 1 {
		t.Errorf("the given settings were changed: %v", given.Values)
	}
	broken := directory.Type{Options: []directory.Option{{Name: "size", Type: directory.OptionInt, Default: "many"}, {Name: "map", Type: directory.OptionMap, Default: "a"}}}
	if _, faults := broken.Complete(directory.Settings{}); len(faults) != 2 {
		t.Errorf("defaults of the wrong form: %v", faults)
	}
}

func TestSettings(t *testing.T) {
	t.Parallel()
	s := directory.Settings{Values: map[string]any{
		"text": "a", "bool": true, "int": 3, "duration": time.Minute, "list": []string{"x"}, "map": map[string]string{"k": "v"},
	}}
	if s.Text("text") != "a" || !s.Bool("bool") || s.Int("int") != 3 || s.Duration("duration") != time.Minute || s.List("list")[0] != "x" || s.Map("map")["k"] != "v" {
		t.Error("a value that is there is not given back")
	}
	if s.Text("int") != "" || s.Bool("none") || s.Int("none") != 0 || s.Duration("none") != 0 || s.List("none") != nil || s.Map("none") != nil {
		t.Error("a missing value is not the zero value")
	}
	if s.Logger() == nil {
		t.Error("no logger")
	}
}

func TestLabel(t *testing.T) {
	t.Parallel()
	for want, attributes := range map[string]directory.Attributes{
		"anna":             {directory.Username: directory.Text("anna"), directory.Email: directory.Text("anna@example.com")},
		"anna@example.com": {directory.Username: {}, directory.Email: directory.Text("anna@example.com")},
		"7":                {directory.Email: {}},
	} {
		if got := (directory.Account{ID: "7", Attributes: attributes}).Label(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestCloneSharesNothing(t *testing.T) {
	t.Parallel()
	account := directory.Account{Attributes: directory.Attributes{"x": directory.Text("1")}, Groups: []string{"a"}}
	clone := account.Clone()
	clone.Attributes["x"] = directory.Text("2")
	clone.Groups[0] = "b"
	if account.Attributes.Text("x") != "1" || account.Groups[0] != "a" {
		t.Errorf("the original changed along: %+v", account)
	}
}

func TestVocabulary(t *testing.T) {
	t.Parallel()
	names := directory.Vocabulary()
	if len(slices.Compact(slices.Sorted(slices.Values(names)))) != len(names) {
		t.Error("a name is there twice")
	}
	for _, name := range append(names, "custom.costCenter", "custom.a.b") {
		if !directory.IsAttributeName(name) {
			t.Errorf("%q is no attribute name", name)
		}
	}
	for _, name := range []string{"", "custom.", "custom", "costCenter", "Email"} {
		if directory.IsAttributeName(name) {
			t.Errorf("%q is an attribute name", name)
		}
	}
	kinds := map[string]directory.Kind{
		directory.Active: directory.KindBool, directory.EmailVerified: directory.KindBool, directory.LastSignInAt: directory.KindTime,
		directory.Email: directory.KindText, "custom.x": directory.KindText,
	}
	for name, want := range kinds {
		if got := directory.VocabularyKind(name); got != want {
			t.Errorf("%s has kind %d, want %d", name, got, want)
		}
	}
}

func TestAttributeSpecs(t *testing.T) {
	t.Parallel()
	d := directory.Description{Attributes: []directory.AttributeSpec{{Name: directory.Email, Unique: true}}}
	if spec, ok := d.Attribute(directory.Email); !ok || !spec.Unique {
		t.Errorf("email: %+v, %t", spec, ok)
	}
	if _, ok := d.Attribute("custom.x"); ok {
		t.Error("a closed directory has a custom attribute")
	}
	d.OpenAttributes = true
	if spec, ok := d.Attribute("custom.x"); !ok || !spec.Writable || spec.Name != "custom.x" || spec.Kind != directory.KindText {
		t.Errorf("custom.x: %+v, %t", spec, ok)
	}
	for _, name := range []string{directory.Title, "custom.", "x"} {
		if _, ok := d.Attribute(name); ok {
			t.Errorf("an open directory has %q", name)
		}
	}
}

func TestStatusNames(t *testing.T) {
	t.Parallel()
	want := map[directory.Status]string{directory.StatusUnknown: "unknown", directory.StatusActive: "active", directory.StatusInactive: "inactive", 9: "unknown"}
	for status, name := range want {
		if status.String() != name {
			t.Errorf("%d is %s, want %s", status, status, name)
		}
	}
}
