package directorytest

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/rollcall-sync/rollcall/sync/directory"
)

var keyName = regexp.MustCompile(`^[a-z][a-z0-9_]*$`)

// Types looks at the declarations from which the configuration, its schema and the tables of options are made.
func Types(t testing.TB, types []directory.Type) {
	t.Helper()
	if len(types) == 0 {
		t.Error("there are no types")
	}
	var names []string
	for _, kind := range types {
		if !keyName.MatchString(kind.Name) || slices.Contains(names, kind.Name) {
			t.Errorf("the name %q is odd or taken", kind.Name)
		}
		names = append(names, kind.Name)
		if kind.Title == "" || !strings.HasSuffix(kind.Summary, ".") || kind.Open == nil {
			t.Errorf("%s lacks a title, a summary that is a sentence, or Open", kind.Name)
		}
		if len(kind.Options) == 0 || len(kind.Attributes) == 0 {
			t.Errorf("%s declares no options or no attributes", kind.Name)
		}
		options := []string{"type"}
		for _, option := range kind.Options {
			if !keyName.MatchString(option.Name) || slices.Contains(options, option.Name) {
				t.Errorf("%s: the option %q is odd or taken", kind.Name, option.Name)
			}
			options = append(options, option.Name)
			checkOption(t, kind.Name, option)
		}
		var attributes []string
		for _, spec := range kind.Attributes {
			if !directory.IsAttributeName(spec.Name) || spec.Name == directory.ID || spec.Name == directory.Active || slices.Contains(attributes, spec.Name) {
				t.Errorf("%s: the attribute %q is odd or taken", kind.Name, spec.Name)
			}
			attributes = append(attributes, spec.Name)
		}
	}
}

func checkOption(t testing.TB, kind string, option directory.Option) {
	t.Helper()
	if !strings.HasSuffix(option.Doc, ".") {
		t.Errorf("%s.%s: the doc %q is no sentence", kind, option.Name, option.Doc)
	}
	if option.Required && option.Default != "" {
		t.Errorf("%s.%s has a default and is required all the same", kind, option.Name)
	}
	if isChoice := option.Type == directory.OptionChoice; isChoice != (len(option.Choices) > 1) {
		t.Errorf("%s.%s is a %s with the choices %q", kind, option.Name, option.Type, option.Choices)
	}
	if option.Default == "" {
		return
	}
	if _, err := option.Parse(option.Default); err != nil || option.Type == directory.OptionMap || option.Type == directory.OptionSecret {
		t.Errorf("%s.%s: the default %q is no %s: %v", kind, option.Name, option.Default, option.Type, err)
	}
	if len(option.Choices) > 0 && !slices.Contains(option.Choices, option.Default) {
		t.Errorf("%s.%s: the default %q is none of %q", kind, option.Name, option.Default, option.Choices)
	}
}
