package config

import (
	"slices"
	"strings"

	"github.com/rollcall-sync/rollcall/sync/directory"
	"github.com/rollcall-sync/rollcall/sync/rules"
)

// checkSync looks at what one sync says about the directories, once all files are read.
func (l *loader) checkSync(s *loadedSync) {
	if s.at.kind != mapping {
		return
	}
	source, target := l.side(s, "source", s.Source), l.side(s, "target", s.Target)
	if source != nil && source == target {
		l.fault(s.at.get("target"), "name another directory", "source and target are the same directory")
	}
	c := check{l: l, s: s, source: sideOf(source), target: sideOf(target)}
	c.match()
	c.attributes()
	c.examples()
	c.choices()
	l.checkExpressions(s)
}

// side returns the directory that a sync names; nil where there is none, which is reported.
func (l *loader) side(s *loadedSync, key, name string) *loadedDirectory {
	at := s.at.get(key)
	if at == nil || l.faulty(at) || at.missing {
		return nil
	}
	if d := l.directory(name); d != nil {
		d.used = true
		return d
	}
	if l.incomplete() {
		return nil
	}
	names := make([]string, len(l.directories))
	for i, d := range l.directories {
		names[i] = d.Name
	}
	l.fault(at, suggest(at.written, names), "there is no directory %s", at.shown())
	return nil
}

// side is what is known of a directory before it is opened. An empty attributes list means: nothing, so nothing is checked.
type side struct {
	name, kind string
	attributes []directory.AttributeSpec
	// placed are the names in the options that are maps: there an administrator says where the vendor keeps an attribute that
	// the type does not know by itself.
	placed map[string]bool
}

func sideOf(d *loadedDirectory) side {
	if d == nil {
		return side{}
	}
	s := side{name: d.Name, kind: d.Type.Name, attributes: d.Type.Attributes, placed: make(map[string]bool)}
	for _, value := range d.Settings.Values {
		if names, ok := value.(map[string]string); ok {
			for name := range names {
				s.placed[name] = true
			}
		}
	}
	return s
}

// attribute returns the spec, and whether the directory may have the attribute at all. Own attributes of the vendor are
// found at the directory only; id and active every account has.
func (s side) attribute(name string) (spec directory.AttributeSpec, declared, possible bool) {
	for _, spec := range s.attributes {
		if spec.Name == name {
			return spec, !s.placed[name], true
		}
	}
	free := len(s.attributes) == 0 || s.placed[name] || strings.HasPrefix(name, directory.CustomPrefix) || name == directory.ID || name == directory.Active
	return directory.AttributeSpec{}, false, free
}

func (s side) names() []string {
	names := make([]string, len(s.attributes))
	for i, spec := range s.attributes {
		names[i] = spec.Name
	}
	return names
}

type check struct {
	l              *loader
	s              *loadedSync
	source, target side
}

// has reports whether a side may have an attribute, and complains where it may not. Names that are no attributes at all
// have been reported while loading.
func (c check) has(s side, at *node, name string) bool {
	if !directory.IsAttributeName(name) {
		return false
	}
	if _, _, possible := s.attribute(name); !possible {
		c.l.fault(at, attributeHint(name, s.names())+"; it has "+strings.Join(s.names(), ", "), "%s (%s) has no attribute %q", s.name, s.kind, name)
		return false
	}
	return true
}

func (c check) match() {
	at := c.s.at.get("match")
	if at == nil {
		// The default is cut to what both sides have, so that it fits every pair.
		c.s.Match = slices.DeleteFunc(rules.DefaultMatch(), func(name string) bool {
			_, _, source := c.source.attribute(name)
			_, _, target := c.target.attribute(name)
			return !source || !target
		})
	}
	if len(c.s.Match) == 0 && (at == nil || !c.l.faulty(at)) {
		if at == nil {
			at = c.s.at
		}
		c.l.fault(at, "name attributes under match that both sides have", "nothing says how accounts without a link are matched")
		return
	}
	if at == nil || at.null() || (at.kind != list && at.kind != scalar) {
		return
	}
	seen := make(map[string]bool)
	for i, name := range c.s.Match {
		item := at
		if at.kind == list {
			item = at.items[i]
		}
		switch {
		case name == directory.Active || name == directory.EmailVerified:
			c.l.fault(item, "name an attribute that tells people apart", "%q is the same for many accounts", name)
		case seen[name]:
			c.l.fault(item, "remove it", "%q is given twice", name)
		default:
			_ = c.has(c.source, item, name) && c.has(c.target, item, name)
		}
		seen[name] = true
	}
}

func (c check) attributes() {
	all := c.s.at.get("attributes")
	if all == nil || all.kind != mapping {
		return
	}
	written := make(map[string]string)
	for i, rule := range c.s.Attributes {
		at := all.pairs[i]
		c.targetOf(rule, at)
		c.from(rule, at)
		if rule.Direction == rules.ToTarget || !directory.IsAttributeName(rule.To) {
			continue
		}
		place := at.value.locate("to")
		if first, ok := written[rule.To]; ok {
			c.l.fault(place, "let one of the two flow back", "%s and %s both write %s of the source", first, rule.Target, rule.To)
		}
		written[rule.To] = rule.Target
		c.writable(c.source, place, rule.To, false)
		if misspelt(rule.Back) {
			c.l.noAttribute(at.value.locate("back"), rule.Back)
		} else if isPlainName(rule.Back) {
			c.has(c.target, at.value.locate("back"), rule.Back)
		}
	}
}

// targetOf checks the attribute that a rule is for.
func (c check) targetOf(rule rules.Attribute, at pair) {
	if rule.Direction == rules.ToSource {
		c.has(c.target, at.key, rule.Target)
		return
	}
	c.writable(c.target, at.key, rule.Target, true)
}

// writable complains about an attribute that the directory does not take.
func (c check) writable(s side, at *node, name string, creation bool) {
	switch {
	case name == directory.Active:
		c.l.fault(at, "remove the rule; see actions, and deactivate of writeback", "who may sign in is no matter of a rule: it follows the scope and the account's status")
		return
	case name == directory.ID:
		c.l.fault(at, "remove the rule; links remember which accounts belong together", "id cannot be written")
		return
	case !c.has(s, at, name):
		return
	}
	spec, declared, _ := s.attribute(name)
	switch {
	case !declared || spec.Writable || (spec.CreateOnly && creation):
	case spec.CreateOnly:
		c.l.fault(at, "set direction: to_target", "%s (%s) takes the attribute %q for new accounts only", s.name, s.kind, name)
	default:
		c.l.fault(at, "remove the rule, or turn its direction", "%s (%s) does not take the attribute %q", s.name, s.kind, name)
	}
}

// from checks an expression that is nothing but a name.
func (c check) from(rule rules.Attribute, at pair) {
	given := at.value
	if given.kind == mapping {
		given = given.get("from")
	}
	place := at.value.locate("from")
	switch {
	case c.l.faulty(place), rule.Direction == rules.ToSource && given == nil:
	case misspelt(rule.From):
		c.l.noAttribute(place, rule.From)
	case isPlainName(rule.From):
		c.has(c.source, place, rule.From)
	}
}

func (c check) examples() {
	for i := range c.s.Examples {
		at := c.s.at.get("examples").items[i]
		for _, part := range []struct {
			name string
			side side
		}{{"given", c.source}, {"expect", c.target}} {
			values := at.get(part.name)
			if values == nil {
				continue
			}
			for _, p := range values.pairs {
				if directory.IsAttributeName(p.name) {
					c.has(part.side, p.key, p.name)
				}
			}
			if part.name == "expect" && values.kind == mapping && len(values.pairs) == 0 {
				c.l.fault(values, "name at least one attribute and its value", "the example expects nothing")
			}
		}
	}
}

// choices looks at options that are good by themselves and not together.
func (c check) choices() {
	s, at := c.s, c.s.at
	if exact := at.locate("group_options.exact"); s.GroupOptions.Exact && len(s.Groups) == 0 && len(s.GroupOptions.Mirror) == 0 {
		c.l.fault(exact, "add groups or group_options.mirror, or remove exact", "without a rule for groups every managed account would lose all of them")
	}
	if s.Actions.Delete != rules.Never && !s.Actions.Deactivate {
		c.l.fault(at.locate("actions.delete"), "set deactivate: true, or delete: never", "accounts are deleted some time after they are deactivated, which is switched off")
	}
	if s.GroupOptions.Prefix != "" && len(s.GroupOptions.Mirror) == 0 {
		c.l.warn(at.locate("group_options.prefix"), "add mirror, or remove it", "has no effect without mirror")
	}
	if s.Timezone != "" && s.Schedule == "" {
		c.l.warn(at.locate("timezone"), "add schedule, or remove it", "has no effect without schedule")
	}
	if s.Writeback.Scope != "" && !s.Writeback.Create {
		c.l.warn(at.locate("writeback.scope"), "set create: true, or remove it", "has no effect without writeback.create")
	}
}
