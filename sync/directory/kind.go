package directory

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"time"
)

// Type is one kind of directory that a configuration can name. The lists of them are in connectors/all and targets/all.
type Type struct {
	// Name is what "type:" takes; Title is the product's own name.
	Name, Title string
	// Summary is one sentence for `rollcall directories`.
	Summary string
	// Options are all keys that the configuration may have besides "type", declared here and nowhere else: loading,
	// the JSON Schema and the README's table are made from them.
	Options []Option
	// Attributes are those known before Open; Open may find more.
	Attributes []AttributeSpec
	// Open checks the options and prepares; it sends nothing, so that a configuration can be looked at offline.
	// Values of the wrong form are [*OptionError].
	Open func(settings Settings) (Directory, error)
}

// OptionType is what an option's value looks like.
type OptionType string

// The option types.
const (
	OptionText     OptionType = "text"
	OptionSecret   OptionType = "secret"
	OptionURL      OptionType = "url"
	OptionPath     OptionType = "path" // relative to the configuration file
	OptionBool     OptionType = "bool"
	OptionInt      OptionType = "int"
	OptionDuration OptionType = "duration"
	OptionChoice   OptionType = "choice"
	OptionList     OptionType = "list" // of texts
	OptionMap      OptionType = "map"  // text to text
)

// Option is one key of a directory's configuration.
type Option struct {
	Name string
	Type OptionType
	// Doc is one sentence, shown by `rollcall directories`, in the README and in the editor.
	Doc      string
	Required bool
	// Default is the value in text form when the key is missing.
	Default string
	// Choices are the values that OptionChoice takes.
	Choices []string
	Example string
	// Ask is set for the options that `rollcall init` asks for.
	Ask bool
}

// OptionError says which option has a bad value.
type OptionError struct {
	Option, Message string
}

func (e *OptionError) Error() string { return e.Option + ": " + e.Message }

// Settings is what Open gets: the options, checked against their declared types with defaults filled in, and the surroundings.
type Settings struct {
	Name string
	// Values holds string (text, secret's plain text, url, path, choice), bool, int, time.Duration, []string or
	// map[string]string. An option without value and default is missing.
	Values map[string]any
	Log    *slog.Logger
	// Base is the RoundTripper below the transport; nil means one of the transport package's own.
	Base http.RoundTripper
	// Trace is called with each request and answer, secrets blanked; nil means no trace.
	Trace func(line string)
	// Sleep waits, or returns the context's error; nil means real time.
	Sleep func(ctx context.Context, d time.Duration) error
	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

// Format prints the names of the options only, for every verb, so that no %+v of settings shows a secret.
func (s Settings) Format(f fmt.State, _ rune) {
	fmt.Fprintf(f, "%s%v", s.Name, slices.Sorted(maps.Keys(s.Values)))
}

// Logger returns Log, or one that discards.
func (s Settings) Logger() *slog.Logger {
	if s.Log == nil {
		return slog.New(slog.DiscardHandler)
	}
	return s.Log
}

// Text returns a text, secret, url, path or choice; "" where missing.
func (s Settings) Text(name string) string { v, _ := s.Values[name].(string); return v }

// Bool returns a bool; false where missing.
func (s Settings) Bool(name string) bool { v, _ := s.Values[name].(bool); return v }

// Int returns an int; 0 where missing.
func (s Settings) Int(name string) int { v, _ := s.Values[name].(int); return v }

// Duration returns a duration; 0 where missing.
func (s Settings) Duration(name string) time.Duration {
	v, _ := s.Values[name].(time.Duration)
	return v
}

// List returns a list; nil where missing.
func (s Settings) List(name string) []string { v, _ := s.Values[name].([]string); return v }

// Map returns a map; nil where missing.
func (s Settings) Map(name string) map[string]string {
	v, _ := s.Values[name].(map[string]string)
	return v
}

// Complete fills in the defaults of missing options and reports required ones that are missing. Tests and the loader of
// configurations share it.
func (t Type) Complete(settings Settings) (Settings, []*OptionError) {
	values := make(map[string]any, len(t.Options))
	for name, value := range settings.Values {
		values[name] = value
	}
	var faults []*OptionError
	for _, option := range t.Options {
		if _, ok := values[option.Name]; ok {
			continue
		}
		switch {
		case option.Default != "":
			value, err := option.Parse(option.Default)
			if err != nil {
				faults = append(faults, &OptionError{option.Name, err.Error()})
				continue
			}
			values[option.Name] = value
		case option.Required:
			faults = append(faults, &OptionError{option.Name, "is missing; " + option.Doc})
		}
	}
	settings.Values = values
	return settings, faults
}

// Parse turns the text form of an option into its value. The text form of a list is its only item; a map has none.
func (o Option) Parse(text string) (any, error) {
	switch o.Type {
	case OptionBool:
		return strconv.ParseBool(text)
	case OptionInt:
		return strconv.Atoi(text)
	case OptionDuration:
		return time.ParseDuration(text)
	case OptionList:
		return []string{text}, nil
	case OptionMap:
		return nil, errors.New("a map has no text form")
	default:
		return text, nil
	}
}
