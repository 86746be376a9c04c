package config

import (
	"regexp"
	"slices"

	"github.com/invopop/jsonschema"

	"github.com/rollcall-sync/rollcall/sync/directory"
	"github.com/rollcall-sync/rollcall/sync/rules"
)

// attributeName takes a name of the vocabulary or a custom one.
func attributeName(into *string) one[string] {
	return one[string]{
		into: into, wants: "an attribute", form: "attribute",
		parse:  func(text string) (string, bool) { return text, true },
		format: func(s string) string { return s },
		check:  func(l *loader, at *node, name string) { l.isAttribute(at, name) },
		json:   *attributeNameSchema(),
	}
}

// isAttribute reports whether a name is one of an attribute, and complains where it is not.
func (l *loader) isAttribute(at *node, name string) bool {
	if directory.IsAttributeName(name) {
		return true
	}
	l.noAttribute(at, name)
	return false
}

func (l *loader) noAttribute(at *node, name string) {
	hint := "write the name of an attribute"
	if !at.referenced {
		hint = attributeHint(name, directory.Vocabulary())
	}
	l.fault(at, hint, "%s is no attribute", at.quote(name))
}

// attributeHint returns the known name that is meant, or says that vendors' own attributes have a prefix.
func attributeHint(name string, known []string) string {
	if meant, ok := nearest(name, known); ok {
		return didYouMean(meant)
	}
	return "write " + directory.CustomPrefix + name + " for an attribute of the vendor's own"
}

func attributeNameSchema() *jsonschema.Schema {
	var words []any
	for _, name := range directory.Vocabulary() {
		words = append(words, name)
	}
	return &jsonschema.Schema{AnyOf: []*jsonschema.Schema{{Enum: words}, {Type: "string", Pattern: `^custom\..+$`}}}
}

// attributeRules is the ordered mapping of target attributes to rules.
type attributeRules struct{ into *[]rules.Attribute }

func (v attributeRules) load(l *loader, at *node) {
	if !l.isMapping(at) {
		return
	}
	loaded := make([]rules.Attribute, 0, len(at.pairs))
	for _, p := range at.pairs {
		l.isAttribute(p.key, p.name)
		rule := newRule(p.name)
		ruleValue{&rule}.load(l, p.value)
		loaded = append(loaded, rule)
	}
	*v.into = loaded
}

func newRule(target string) rules.Attribute {
	return rules.Attribute{Target: target, Direction: rules.ToTarget, Conflict: rules.ConflictReport}
}

func (v attributeRules) shape() shape {
	rule := newRule("")
	return shape{form: "mapping of attributes to expressions or mappings", entry: "<attribute>", keys: ruleKeys(&rule)}
}

func (v attributeRules) schema() *jsonschema.Schema {
	s := &jsonschema.Schema{
		Type: "object", Properties: jsonschema.NewProperties(), AdditionalProperties: jsonschema.FalseSchema,
		PatternProperties: map[string]*jsonschema.Schema{`^custom\..+$`: {Ref: "#/$defs/attribute_rule"}},
	}
	for _, name := range directory.Vocabulary() {
		if name != directory.ID && name != directory.Active {
			s.Properties.Set(name, &jsonschema.Schema{Ref: "#/$defs/attribute_rule"})
		}
	}
	return s
}

func ruleKeys(r *rules.Attribute) []key {
	return []key{
		{"from", "Expression over the source account that gives the value; without it, the attribute of the same name.", false, expression(&r.From)},
		{"to", "The attribute of the source that the way back writes; without it, the one that from names.", false, attributeName(&r.To)},
		{"back", "Expression over the target account that gives the value of the way back; without it, the rule's own attribute.", false, expression(&r.Back)},
		{"direction", "Which way values flow.", false, choice(&r.Direction, rules.ToTarget, rules.ToSource, rules.Both)},
		{"conflict", "Who wins where both sides changed the value, with direction both.", false, choice(&r.Conflict, rules.ConflictReport, rules.ConflictSource, rules.ConflictTarget, rules.ConflictNewest)},
		{"required", "Whether an account without a value is left out and reported.", false, truth(&r.Required)},
		{"only_if_empty", "Whether the value is written only while the target has none.", false, truth(&r.OnlyIfEmpty)},
	}
}

// ruleValue is one rule: an expression alone, or a mapping.
type ruleValue struct{ into *rules.Attribute }

func (v ruleValue) load(l *loader, at *node) {
	r := v.into
	if at.kind != mapping {
		expression(&r.From).load(l, at)
		return
	}
	object{ruleKeys(r)}.load(l, at)
	if r.From == "" {
		r.From = r.Target
	}
	if r.Direction == rules.ToTarget {
		l.uselessKeys(at, "set direction: both or to_source", "to", "back")
	} else {
		v.wayBack(l, at)
	}
	if r.Direction != rules.Both {
		l.uselessKeys(at, "set direction: both", "conflict")
	}
	if r.Direction == rules.ToSource {
		l.uselessKeys(at, "remove it, or set direction: both", "required", "only_if_empty")
	}
}

// wayBack completes a rule that writes the source. An expression cannot be turned round, so it needs to be told.
func (v ruleValue) wayBack(l *loader, at *node) {
	r := v.into
	if isPlainName(r.From) {
		if r.To == "" {
			r.To = r.From
		}
		if r.Back == "" {
			r.Back = r.Target
		}
		return
	}
	for _, name := range []string{"to", "back"} {
		if at.get(name) == nil {
			l.fault(at, "add it, because from is an expression that cannot be turned round", "direction %s needs %q", r.Direction, name)
		}
	}
}

func (l *loader) uselessKeys(at *node, remedy string, names ...string) {
	for _, name := range names {
		if given := at.get(name); given != nil && !l.faulty(given) {
			l.fault(given, remedy, "has no effect")
		}
	}
}

func ruleSchema() *jsonschema.Schema {
	rule := newRule("")
	short := scalarSchema()
	return &jsonschema.Schema{
		Title: "attribute rule", Description: "An expression over the source account, or a mapping that says more.",
		AnyOf: []*jsonschema.Schema{&short, object{ruleKeys(&rule)}.schema()},
	}
}

var (
	word = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)
	// customName takes what vendors put into names, also signs that are operators elsewhere.
	customName = regexp.MustCompile(`^custom\.[\pL\pN_.:-]+$`)
)

// isPlainName reports whether an expression is nothing but the name of an attribute.
func isPlainName(expression string) bool {
	return customName.MatchString(expression) || word.MatchString(expression) && directory.IsAttributeName(expression)
}

// misspelt reports whether an expression is a single word that means nothing: neither an attribute nor a constant.
func misspelt(expression string) bool {
	return word.MatchString(expression) && !directory.IsAttributeName(expression) &&
		!slices.Contains([]string{"true", "false", "nil", "groups", "group_ids"}, expression)
}

// groupRules is the ordered mapping of target groups to rules.
type groupRules struct{ into *[]rules.Group }

func (v groupRules) load(l *loader, at *node) {
	if !l.isMapping(at) {
		return
	}
	loaded := make([]rules.Group, 0, len(at.pairs))
	for _, p := range at.pairs {
		group := rules.Group{Target: p.name}
		if p.value.kind != mapping {
			expression(&group.When).load(l, p.value)
		} else {
			object{groupKeys(&group)}.load(l, p.value)
			when, from := p.value.get("when"), p.value.get("from")
			switch {
			case when == nil && from == nil:
				l.fault(p.value, "add when with an expression, or from with source groups", "nothing says who is a member")
			case when != nil && from != nil:
				l.fault(p.value, "keep one of the two", "both when and from say who is a member")
			case from != nil && len(group.From) == 0 && !l.faulty(from):
				l.fault(from, "name at least one source group", "the list is empty")
			}
		}
		loaded = append(loaded, group)
	}
	*v.into = loaded
}

func groupKeys(g *rules.Group) []key {
	return []key{
		{"when", "Expression over the source account that says who is a member.", false, expression(&g.When)},
		{"from", "Source groups (names, paths or ids) whose members are members.", false, texts{&g.From, groupName}},
	}
}

func groupName(into *string) one[string] {
	v := text(into, nil)
	v.wants, v.form = "the name of a group", "group"
	v.parse = func(text string) (string, bool) { return text, text != "" }
	return v
}

func (v groupRules) shape() shape {
	return shape{form: "mapping of groups to expressions or mappings", entry: "<group>", keys: groupKeys(&rules.Group{})}
}

func (v groupRules) schema() *jsonschema.Schema {
	short := scalarSchema()
	return &jsonschema.Schema{Type: "object", AdditionalProperties: &jsonschema.Schema{
		AnyOf: []*jsonschema.Schema{&short, object{groupKeys(&rules.Group{})}.schema()},
	}}
}
