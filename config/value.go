package config

import (
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/invopop/jsonschema"

	"github.com/rollcall-sync/rollcall/sync/rules"
)

// key declares one key of the configuration.
type key struct {
	name string
	// doc is one sentence for editors, README and messages.
	doc      string
	required bool
	value    value
}

// value loads one node into the place it was made for, and tells the schema and the README what it takes.
type value interface {
	load(l *loader, at *node)
	schema() *jsonschema.Schema
	// shape is what the README shows: the form in words, the default, and the keys below.
	shape() shape
}

type shape struct {
	form, initial string
	keys          []key
	// entry stands for the free names of a mapping ("<sync>"); the keys are then those of each entry.
	entry string
}

// one is a scalar.
type one[T any] struct {
	into *T
	// parse reads the text; false means that the text is not what wants says.
	parse func(text string) (T, bool)
	wants string
	// form is for the README; format writes a default as the file would have it.
	form   string
	format func(T) string
	// check looks at the value once it is parsed; nil means that there is nothing to look at.
	check func(l *loader, at *node, parsed T)
	json  jsonschema.Schema
}

func (v one[T]) load(l *loader, at *node) {
	if !l.isScalar(at, v.wants) || at.missing {
		return
	}
	parsed, ok := v.parse(at.text)
	if !ok {
		l.fault(at, "write "+v.wants, "%s is not understood", at.shown())
		return
	}
	*v.into = parsed
	if v.check != nil {
		v.check(l, at, parsed)
	}
}

// isScalar reports whether the node is one value, and complains where it is not.
func (l *loader) isScalar(at *node, wants string) bool {
	switch {
	case at.kind == broken:
		return false
	case at.kind == list:
		l.fault(at, "write "+wants, "a list does not belong here")
	case at.kind == mapping:
		l.fault(at, "write "+wants, "a mapping does not belong here")
	case at.null():
		l.fault(at, "write "+wants+", or remove the key", "the key has no value")
	default:
		return true
	}
	return false
}

func (v one[T]) shape() shape {
	initial := v.format(*v.into)
	return shape{form: v.form, initial: initial}
}

func (v one[T]) schema() *jsonschema.Schema {
	s := v.json
	if initial := v.format(*v.into); initial != "" {
		switch any(*v.into).(type) {
		case bool, int:
			s.Default = *v.into
		default:
			s.Default = initial
		}
	}
	return &s
}

// reference is the schema of a scalar that comes from elsewhere; numbers, bools and choices allow it beside their own form.
func reference() *jsonschema.Schema {
	return &jsonschema.Schema{Type: "string", Pattern: `\$\{[^}]+\}`}
}

func orReference(s *jsonschema.Schema) jsonschema.Schema {
	return jsonschema.Schema{AnyOf: []*jsonschema.Schema{s, reference()}}
}

// scalarSchema takes every scalar but null: 1234 is a fine text without its quotes.
func scalarSchema() jsonschema.Schema {
	return jsonschema.Schema{Extras: map[string]any{"type": []string{"string", "number", "boolean"}}}
}

func text(into *string, check func(l *loader, at *node, parsed string)) one[string] {
	return one[string]{
		into: into, wants: "a text", form: "text", check: check, json: scalarSchema(),
		parse:  func(text string) (string, bool) { return text, true },
		format: func(s string) string { return s },
	}
}

// expression is a text in the rules' language; the spaces around it do not count.
func expression(into *string) one[string] {
	v := text(into, nil)
	v.wants, v.form = "an expression", "expression"
	v.parse = func(text string) (string, bool) {
		text = strings.TrimSpace(text)
		return text, text != ""
	}
	return v
}

func truth(into *bool) one[bool] {
	return one[bool]{
		into: into, wants: "true or false", form: "true or false", json: orReference(&jsonschema.Schema{Type: "boolean"}),
		parse:  parseBool,
		format: strconv.FormatBool,
	}
}

// parseBool takes what YAML takes for a bool, in each of its three spellings.
func parseBool(text string) (parsed, ok bool) {
	switch text {
	case "true", "True", "TRUE":
		return true, true
	case "false", "False", "FALSE":
		return false, true
	}
	return false, false
}

func count(into *int) one[int] {
	return one[int]{
		into: into, wants: "a whole number from 0", form: "number", json: orReference(&jsonschema.Schema{Type: "integer", Minimum: "0"}),
		parse: func(text string) (int, bool) {
			n, err := strconv.Atoi(text)
			return n, err == nil && n >= 0
		},
		format: strconv.Itoa,
	}
}

func amount(into *rules.Amount) one[rules.Amount] {
	return one[rules.Amount]{
		into: into, wants: "a count (25), a share (10%) or none", form: "count, share or none",
		json: orReference(&jsonschema.Schema{AnyOf: []*jsonschema.Schema{
			{Type: "integer", Minimum: "0"},
			{Type: "string", Pattern: `^(none|[0-9]+|[0-9]+(\.[0-9]+)? ?%)$`},
		}}),
		parse: func(text string) (rules.Amount, bool) {
			a, err := rules.ParseAmount(text)
			return a, err == nil
		},
		format: rules.Amount.String,
	}
}

func duration(into *time.Duration) one[time.Duration] {
	return one[time.Duration]{
		into: into, wants: "a time with its unit such as 30s, 5m or 1h", form: "duration", json: durationSchema(),
		parse:  parseDuration,
		format: formatDuration,
	}
}

func durationSchema() jsonschema.Schema {
	return orReference(&jsonschema.Schema{Type: "string", Pattern: `^(0|([0-9]+(\.[0-9]*)?(ns|us|µs|ms|s|m|h))+)$`})
}

// formatDuration writes 5m where time.Duration has 5m0s.
func formatDuration(d time.Duration) string {
	text := d.String()
	if cut, ok := strings.CutSuffix(text, "m0s"); ok {
		text = cut + "m"
	}
	if cut, ok := strings.CutSuffix(text, "h0m"); ok {
		text = cut + "h"
	}
	return text
}

func parseDuration(text string) (time.Duration, bool) {
	d, err := time.ParseDuration(text)
	return d, err == nil && d >= 0
}

// choice takes one of a few words.
func choice[T ~string](into *T, choices ...T) one[T] {
	names := make([]string, len(choices))
	words := make([]any, len(choices))
	for i, c := range choices {
		names[i], words[i] = string(c), string(c)
	}
	return one[T]{
		into: into, wants: oneOf(names), form: oneOf(names), json: orReference(&jsonschema.Schema{Enum: words}),
		parse: func(text string) (T, bool) {
			for _, c := range choices {
				if text == string(c) {
					return c, true
				}
			}
			return "", false
		},
		format: func(c T) string { return string(c) },
	}
}

func oneOf(names []string) string {
	if len(names) < 2 {
		return strings.Join(names, "")
	}
	return strings.Join(names[:len(names)-1], ", ") + " or " + names[len(names)-1]
}

// texts is a list; a single value stands for a list of one.
type texts struct {
	into *[]string
	item func(into *string) one[string]
}

func (v texts) load(l *loader, at *node) {
	items := at.items
	switch {
	case at.kind == broken:
		return
	case at.null():
		l.fault(at, "write a list such as [a, b], or remove the key", "the key has no value")
		return
	case at.kind == scalar:
		items = []*node{at}
	case at.kind != list:
		l.fault(at, "write a list such as [a, b]", "a list is expected here")
		return
	}
	loaded := make([]string, 0, len(items))
	for _, item := range items {
		var s string
		v.item(&s).load(l, item)
		loaded = append(loaded, s)
	}
	*v.into = loaded
}

func (v texts) schema() *jsonschema.Schema {
	item := v.item(new(string)).schema()
	s := &jsonschema.Schema{AnyOf: []*jsonschema.Schema{{Type: "array", Items: item}, item}}
	if len(*v.into) > 0 {
		s.Default = *v.into
	}
	return s
}

func (v texts) shape() shape {
	s := shape{form: "list of " + v.item(new(string)).form + "s"}
	if len(*v.into) > 0 {
		s.initial = "[" + strings.Join(*v.into, ", ") + "]"
	}
	return s
}

// object is a mapping with the declared keys and no other.
type object struct {
	keys []key
}

func (v object) load(l *loader, at *node) {
	if !l.isMapping(at) {
		return
	}
	names := make([]string, len(v.keys))
	for i, k := range v.keys {
		names[i] = k.name
	}
	given := make(map[string]*node, len(at.pairs))
	for _, p := range at.pairs {
		if i := indexOf(names, p.name); i >= 0 {
			given[p.name] = p.value
			continue
		}
		l.fault(p.key, suggest(p.name, names), "unknown key")
	}
	// In the order of the declaration, because a later key may lean on an earlier one.
	for _, k := range v.keys {
		if value, ok := given[k.name]; ok {
			k.value.load(l, value)
		} else if k.required {
			l.fault(at, "add it: "+k.doc, "%q is missing", k.name)
		}
	}
}

func indexOf(names []string, name string) int {
	for i, n := range names {
		if n == name {
			return i
		}
	}
	return -1
}

// isMapping reports whether the node is a mapping, and complains where it is not.
func (l *loader) isMapping(at *node) bool {
	switch {
	case at.kind == broken || at.kind == mapping:
		return at.kind == mapping
	case at.null():
		l.fault(at, "write its keys below it, indented, or remove it", "the key has no value")
	default:
		l.fault(at, "write its keys below it, indented", "a mapping is expected here")
	}
	return false
}

func (v object) shape() shape { return shape{form: "mapping", keys: v.keys} }

func (v object) schema() *jsonschema.Schema {
	s := &jsonschema.Schema{Type: "object", Properties: jsonschema.NewProperties(), AdditionalProperties: jsonschema.FalseSchema}
	for _, k := range v.keys {
		s.Properties.Set(k.name, k.described())
		if k.required {
			s.Required = append(s.Required, k.name)
		}
	}
	return s
}

func (k key) described() *jsonschema.Schema {
	s := *k.value.schema()
	s.Title, s.Description = k.name, k.doc
	return &s
}

// properName is what directories and syncs may be called: the names appear in commands, file names and reports.
var properName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`)

func (l *loader) isProperName(p pair) bool {
	if properName.MatchString(p.name) {
		return true
	}
	l.fault(p.key, "use up to 64 letters, digits, dots, hyphens and underscores", "%q cannot be a name", p.name)
	return false
}

// urlFault says what is wrong with an address.
func urlFault(text string) (problem, remedy string) {
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Scheme == "" || u.Host == "":
		return "is no address", "write it in full, as in https://www.example.com"
	case u.User != nil:
		return "holds a user name or a password", "move them to keys of their own"
	}
	return "", ""
}
