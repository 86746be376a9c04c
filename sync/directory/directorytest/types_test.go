package directorytest

import (
	"strings"
	"testing"

	"github.com/rollcall-sync/rollcall/sync/directory"
)

func TestBadDeclarationsAreNamed(t *testing.T) {
	t.Parallel()
	open := func(directory.Settings) (directory.Directory, error) { return nil, nil }
	good := directory.Type{
		Name: "good", Title: "Good", Summary: "A good one.", Open: open, Attributes: []directory.AttributeSpec{{Name: directory.Email}},
		Options: []directory.Option{{Name: "size", Type: directory.OptionInt, Default: "5", Doc: "How many."}},
	}
	bad := directory.Type{
		Name: "Bad", Title: "Bad", Summary: "no sentence", Attributes: []directory.AttributeSpec{{Name: directory.Active}, {Name: "mail"}},
		Options: []directory.Option{
			{Name: "type", Type: directory.OptionText, Doc: "Taken."},
			{Name: "size", Type: directory.OptionInt, Default: "five", Required: true, Doc: "How many."},
			{Name: "way", Type: directory.OptionChoice, Choices: []string{"up"}, Doc: "where to"},
		},
	}
	r := &recorder{TB: t}
	Types(r, []directory.Type{good})
	if len(r.failures) > 0 {
		t.Errorf("a good type is faulted: %q", r.failures)
	}
	Types(r, []directory.Type{good, good, bad})
	all := strings.Join(r.failures, "\n")
	for _, part := range []string{
		`the name "good" is odd or taken`, `the name "Bad" is odd`, "Bad lacks", `option "type" is odd or taken`, "Bad.size has a default and is required",
		`the default "five" is no int`, "Bad.way is a choice", "is no sentence", `attribute "active" is odd`, `attribute "mail" is odd`,
	} {
		if !strings.Contains(all, part) {
			t.Errorf("nobody says %q in:\n%s", part, all)
		}
	}
	r = &recorder{TB: t}
	if Types(r, nil); len(r.failures) != 1 {
		t.Errorf("no types at all: %q", r.failures)
	}
}
