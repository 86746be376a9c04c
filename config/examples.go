package config

import (
	"strconv"
	"strings"

	"github.com/invopop/jsonschema"

	"github.com/rollcall-sync/rollcall/sync/directory"
	"github.com/rollcall-sync/rollcall/sync/rules"
)

// What an example may hold besides attributes.
const (
	exampleGroups  = "groups"
	exampleInScope = "in_scope"
)

// examples is a list of "given this, expect that".
type examples struct{ into *[]rules.Example }

func (v examples) load(l *loader, at *node) {
	switch {
	case at.kind == broken:
		return
	case at.null():
		l.fault(at, "write a list of - {given: {...}, expect: {...}}, or remove the key", "the key has no value")
		return
	case at.kind != list:
		l.fault(at, "write a list of - {given: {...}, expect: {...}}", "a list is expected here")
		return
	}
	for _, item := range at.items {
		example := rules.Example{Line: item.line}
		object{exampleKeys(&example)}.load(l, item)
		*v.into = append(*v.into, example)
	}
}

func exampleKeys(e *rules.Example) []key {
	return []key{
		{"given", "Attributes of a source account; groups is a list of names.", true, sample{&e.Given, []string{exampleGroups}}},
		{"expect", "Attributes that the target must get; groups and in_scope (true or false) may be expected too.", true, sample{&e.Expect, []string{exampleGroups, exampleInScope}}},
	}
}

func (v examples) shape() shape {
	return shape{form: "list of mappings", entry: "<n>", keys: exampleKeys(&rules.Example{})}
}

func (v examples) schema() *jsonschema.Schema {
	return &jsonschema.Schema{Type: "array", Items: object{exampleKeys(&rules.Example{})}.schema()}
}

// sample is one side of an example: attributes, and the names in also.
type sample struct {
	into *map[string]any
	also []string
}

func (v sample) load(l *loader, at *node) {
	if !l.isMapping(at) {
		return
	}
	loaded := make(map[string]any, len(at.pairs))
	for _, p := range at.pairs {
		switch {
		case p.name+"." == directory.CustomPrefix && p.value.kind == mapping:
			for _, custom := range p.value.pairs {
				name := directory.CustomPrefix + custom.name
				loaded[name] = l.sampleValue(name, custom.value)
			}
		case p.name == exampleGroups:
			var groups []string
			texts{&groups, groupName}.load(l, p.value)
			loaded[p.name] = groups
		case p.name == exampleInScope && indexOf(v.also, exampleInScope) >= 0:
			var in bool
			truth(&in).load(l, p.value)
			loaded[p.name] = in
		case p.name == exampleInScope:
			l.fault(p.key, "move it to expect", "whether an account is in scope cannot be given")
		case !l.isAttribute(p.key, p.name):
		default:
			loaded[p.name] = l.sampleValue(p.name, p.value)
		}
	}
	*v.into = loaded
}

// sampleValue reads one attribute of an example as rules see it. A text keeps its letters: postal_code: 01234 is no number,
// whatever YAML makes of it. No value means empty.
func (l *loader) sampleValue(name string, at *node) any {
	switch {
	case at.null() || at.kind == broken || at.missing:
		return nil
	case at.kind == mapping:
		l.fault(at, "write a text, a number, true, false or a list of texts", "a mapping does not belong here")
		return nil
	case at.kind == list:
		var items []string
		texts{&items, func(into *string) one[string] { return text(into, nil) }}.load(l, at)
		return items
	case directory.VocabularyKind(name) == directory.KindBool:
		var b bool
		truth(&b).load(l, at)
		return b
	case strings.HasPrefix(name, directory.CustomPrefix):
		return customValue(at)
	default:
		return at.text
	}
}

// customValue takes bools and numbers of a vendor's own attribute as such, as far as nothing is lost.
func customValue(at *node) any {
	if b, ok := parseBool(at.text); ok && at.tag == "!!bool" {
		return b
	}
	if at.tag == "!!int" || at.tag == "!!float" {
		f, err := strconv.ParseFloat(at.text, 64)
		if err == nil && strconv.FormatFloat(f, 'f', -1, 64) == at.text {
			return f
		}
	}
	return at.text
}

func (v sample) shape() shape { return shape{form: "mapping of attributes to values"} }

func (v sample) schema() *jsonschema.Schema {
	item := scalarSchema()
	value := &jsonschema.Schema{AnyOf: []*jsonschema.Schema{
		{Extras: map[string]any{"type": []string{"string", "number", "boolean", "null"}}},
		{Type: "array", Items: &item},
	}}
	s := &jsonschema.Schema{
		Type: "object", Properties: jsonschema.NewProperties(), AdditionalProperties: jsonschema.FalseSchema,
		PatternProperties: map[string]*jsonschema.Schema{`^custom\..+$`: value},
	}
	for _, name := range append(directory.Vocabulary(), v.also...) {
		s.Properties.Set(name, value)
	}
	s.Properties.Set(strings.TrimSuffix(directory.CustomPrefix, "."), &jsonschema.Schema{Type: "object", AdditionalProperties: value})
	return s
}
