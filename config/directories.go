package config

import (
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/invopop/jsonschema"
	"go.yaml.in/yaml/v3"

	"github.com/rollcall-sync/rollcall/sync/directory"
)

// typeDoc describes the one key that every directory has.
const typeDoc = "What kind of place this is; `rollcall directories` lists them."

// directories is the mapping of names to directories. Which keys one may have is told by its type.
type directories struct{ l *loader }

func (v directories) load(l *loader, at *node) {
	if l.first["directories"] == nil {
		l.first["directories"] = at
	}
	if !l.isMapping(at) {
		return
	}
	for _, p := range at.pairs {
		if !l.isProperName(p) {
			continue
		}
		if first := l.directory(p.name); first != nil {
			l.fault(p.key, "rename one of the two", "is given twice, first in %s:%d", first.File, first.Line)
			continue
		}
		l.directories = append(l.directories, l.loadDirectory(p))
	}
}

// loadDirectory returns a directory even where it is faulty, so that the syncs that use it are checked all the same.
func (l *loader) loadDirectory(p pair) *loadedDirectory {
	at := p.value
	d := &loadedDirectory{at: at, Directory: Directory{
		Name: p.name, File: p.key.file.name, Line: p.key.line, hidden: make(map[string]bool), places: make(map[string]Fault),
	}}
	if !l.isMapping(at) {
		return d
	}
	kind := at.get("type")
	switch {
	case kind == nil:
		l.fault(at, "add one of: "+strings.Join(l.typeNames(), ", "), "%q is missing", "type")
		return d
	case !l.isScalar(kind, "the name of a type") || kind.missing:
		return d
	}
	t, ok := l.typeOf(kind.text)
	if !ok {
		l.fault(kind, suggest(kind.written, l.typeNames()), "there is no type %s", kind.shown())
		return d
	}
	d.Type = t
	settings := directory.Settings{Name: p.name, Values: make(map[string]any)}
	object{d.keys(t, settings.Values)}.load(l, at)
	l.complete(d, settings)
	return d
}

// keys declares what a directory of a type may be told.
func (d *loadedDirectory) keys(t directory.Type, into map[string]any) []key {
	keys := []key{{"type", typeDoc, true, typeName{t.Name}}}
	for _, o := range t.Options {
		// Whether a required one is missing is told by Type.Complete, the one place for it.
		keys = append(keys, key{o.Name, o.Doc, false, option{Option: o, directory: d, into: into}})
	}
	return keys
}

// complete fills in defaults and reports required options that are missing or empty.
func (l *loader) complete(d *loadedDirectory, settings directory.Settings) {
	completed, faults := d.Type.Complete(settings)
	for _, f := range faults {
		i := slices.IndexFunc(d.Type.Options, func(o directory.Option) bool { return o.Name == f.Option })
		if o := d.Type.Options[i]; o.Default == "" {
			l.fault(d.at, "add it: "+o.Doc, "%q is missing", o.Name)
		} else {
			l.fault(d.at, "give it a value", "%q has no usable default: %s", o.Name, f.Message)
		}
	}
	for _, o := range d.Type.Options {
		if at := d.at.get(o.Name); at != nil && o.Required && isEmpty(settings.Values[o.Name]) && !l.faulty(at) {
			l.fault(at, "give it a value: "+o.Doc, "is empty")
		}
		if path, ok := completed.Values[o.Name].(string); ok && o.Type == directory.OptionPath && d.at.get(o.Name) == nil {
			// A default is as relative to the file as a path that stands in it.
			completed.Values[o.Name] = d.at.file.relative(path)
		}
	}
	d.Settings = completed
}

func isEmpty(value any) bool {
	switch x := value.(type) {
	case string:
		return x == ""
	case []string:
		return len(x) == 0
	case map[string]string:
		return len(x) == 0
	}
	return false
}

// typeName is the type: key of a directory whose type is known by now.
type typeName struct{ name string }

func (v typeName) load(*loader, *node) {}

func (v typeName) schema() *jsonschema.Schema { return &jsonschema.Schema{Const: v.name} }

func (v typeName) shape() shape { return shape{form: "name of a type"} }

// option is one declared option of a directory.
type option struct {
	directory.Option
	directory *loadedDirectory
	into      map[string]any
}

func (v option) load(l *loader, at *node) {
	d := v.directory
	d.places[v.Name] = at.fault("", "")
	// Present even where it is faulty, so that nobody calls it missing.
	v.into[v.Name] = v.zero()
	if at.anyReferenced() || v.Type == directory.OptionSecret {
		d.hidden[v.Name] = true
	}
	if at.anyMissing() {
		d.MissingSecrets = append(d.MissingSecrets, v.Name)
	}
	switch v.Type {
	case directory.OptionList:
		var items []string
		texts{into: &items, item: func(into *string) one[string] { return text(into, nil) }}.load(l, at)
		v.into[v.Name] = items
	case directory.OptionMap:
		v.loadMap(l, at)
	default:
		v.loadScalar(l, at)
	}
}

func (n *node) anyReferenced() bool {
	return n.referenced || n.anyBelow(func(m *node) bool { return m.referenced })
}

func (n *node) anyMissing() bool {
	return n.missing || n.anyBelow(func(m *node) bool { return m.missing })
}

func (n *node) anyBelow(is func(*node) bool) bool {
	for _, item := range n.items {
		if is(item) || item.anyBelow(is) {
			return true
		}
	}
	for _, p := range n.pairs {
		if is(p.value) || p.value.anyBelow(is) {
			return true
		}
	}
	return false
}

func (v option) zero() any {
	switch v.Type {
	case directory.OptionBool:
		return false
	case directory.OptionInt:
		return 0
	case directory.OptionDuration:
		return time.Duration(0)
	case directory.OptionList:
		return []string(nil)
	case directory.OptionMap:
		return map[string]string(nil)
	default:
		return ""
	}
}

func (v option) loadMap(l *loader, at *node) {
	if !l.isMapping(at) {
		return
	}
	texts := make(map[string]string, len(at.pairs))
	for _, p := range at.pairs {
		if l.isScalar(p.value, "a text") {
			texts[p.name] = p.value.text
		}
	}
	v.into[v.Name] = texts
}

func (v option) loadScalar(l *loader, at *node) {
	if !l.isScalar(at, v.wants()) {
		return
	}
	if at.missing {
		if _, isText := v.zero().(string); isText {
			v.into[v.Name] = at.text
		}
		return
	}
	parsed, ok := v.parse(at.text)
	if !ok {
		// A text that was meant to be a secret must not be shown, wherever it stands.
		what := "the value"
		if v.Type != directory.OptionSecret {
			what = at.shown()
		}
		l.fault(at, "write "+v.wants(), "%s is not understood", what)
		return
	}
	v.into[v.Name] = parsed
	switch v.Type {
	case directory.OptionURL:
		if problem, remedy := urlFault(at.text); problem != "" && at.text != "" {
			l.fault(at, remedy, "%s", urlMessage(at, problem))
		}
	case directory.OptionPath:
		v.into[v.Name] = at.file.relative(at.text)
	case directory.OptionSecret:
		if !at.referenced && at.text != "" {
			l.warn(at, "write ${NAME}, ${file:path} or ${keyring:service/user} and keep the value there", "a secret stands in the file in clear")
		}
	}
}

// urlMessage shows a bad address only where it holds no password.
func urlMessage(at *node, problem string) string {
	if u, err := url.Parse(at.written); strings.Contains(at.written, "@") || (err == nil && u.User != nil) {
		return "the value " + problem
	}
	return at.shown() + " " + problem
}

func (v option) parse(text string) (any, bool) {
	switch v.Type {
	case directory.OptionBool:
		return parseBool(text)
	case directory.OptionInt:
		n, err := strconv.Atoi(text)
		return n, err == nil
	case directory.OptionDuration:
		return parseDuration(text)
	case directory.OptionChoice:
		for _, c := range v.Choices {
			if c == text {
				return text, true
			}
		}
		return nil, false
	default:
		return text, true
	}
}

func (v option) wants() string {
	switch v.Type {
	case directory.OptionBool:
		return "true or false"
	case directory.OptionInt:
		return "a whole number"
	case directory.OptionDuration:
		return "a time with its unit such as 30s, 5m or 1h"
	case directory.OptionChoice:
		return oneOf(v.Choices)
	case directory.OptionURL:
		return "an address"
	case directory.OptionPath:
		return "a path"
	default:
		return "a text"
	}
}

func (v option) shape() shape {
	return shape{form: string(v.Type), initial: v.Default}
}

func (v option) schema() *jsonschema.Schema {
	s := scalarSchema()
	switch v.Type {
	case directory.OptionBool:
		s = orReference(&jsonschema.Schema{Type: "boolean"})
	case directory.OptionInt:
		s = orReference(&jsonschema.Schema{Type: "integer"})
	case directory.OptionDuration:
		s = durationSchema()
	case directory.OptionChoice:
		words := make([]any, len(v.Choices))
		for i, c := range v.Choices {
			words[i] = c
		}
		s = orReference(&jsonschema.Schema{Enum: words})
	case directory.OptionURL:
		s = orReference(&jsonschema.Schema{Type: "string", Pattern: `^[A-Za-z][A-Za-z0-9+.-]*://.+$`})
	case directory.OptionList:
		item := scalarSchema()
		s = jsonschema.Schema{AnyOf: []*jsonschema.Schema{{Type: "array", Items: &item}, &item}}
	case directory.OptionMap:
		item := scalarSchema()
		s = jsonschema.Schema{Type: "object", AdditionalProperties: &item}
	}
	if v.Default != "" {
		if value, err := v.Option.Parse(v.Default); err == nil {
			s.Default = value
		}
		if v.Type == directory.OptionDuration {
			s.Default = v.Default
		}
	}
	if v.Example != "" {
		s.Examples = []any{v.example()}
	}
	return &s
}

// example is the example as an editor would insert it: a list as a list, not as a text with brackets.
func (v option) example() any {
	var parsed any
	switch v.Type {
	case directory.OptionList, directory.OptionMap, directory.OptionBool, directory.OptionInt:
		if err := yaml.Unmarshal([]byte(v.Example), &parsed); err == nil {
			return parsed
		}
	}
	return v.Example
}

func (v directories) shape() shape {
	return shape{form: "mapping", entry: "<directory>", keys: []key{{"type", typeDoc, true, typeName{}}}}
}

// schema leaves the choice of the options to the type: an editor then offers those of that type only.
func (v directories) schema() *jsonschema.Schema {
	var words []any
	entry := &jsonschema.Schema{Type: "object", Properties: jsonschema.NewProperties(), Required: []string{"type"}}
	for _, t := range v.l.options.Types {
		words = append(words, t.Name)
		when := &jsonschema.Schema{Properties: jsonschema.NewProperties(), Required: []string{"type"}}
		when.Properties.Set("type", &jsonschema.Schema{Const: t.Name})
		entry.AllOf = append(entry.AllOf, &jsonschema.Schema{
			If: when, Then: &jsonschema.Schema{Ref: "#/$defs/" + definitionName(t)},
		})
	}
	entry.Properties.Set("type", &jsonschema.Schema{Title: "type", Description: typeDoc, Enum: words})
	return &jsonschema.Schema{
		Type: "object", MinProperties: &oneLetter, AdditionalProperties: entry,
		PropertyNames: &jsonschema.Schema{Pattern: properName.String()},
	}
}

func definitionName(t directory.Type) string { return fmt.Sprintf("directory_%s", t.Name) }

// typeSchema is the schema of a directory of one type.
func typeSchema(t directory.Type) *jsonschema.Schema {
	s := object{(&loadedDirectory{}).keys(t, nil)}.schema()
	for _, o := range t.Options {
		if o.Required && o.Default == "" {
			s.Required = append(s.Required, o.Name)
		}
	}
	s.Title, s.Description = t.Title, t.Summary
	return s
}
