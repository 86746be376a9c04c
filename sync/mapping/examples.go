package mapping

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/rollcall-sync/rollcall/sync/directory"
	"github.com/rollcall-sync/rollcall/sync/rules"
)

// inScopeName is the name under which an example expects a scope.
const inScopeName = "in_scope"

// example is one example of the configuration, checked and decoded.
type example struct {
	index, line int
	given       Record
	attributes  []expectation // sorted by name
	groups      []string      // sorted
	hasGroups   bool
	scope       Tri // Unknown: not asked
}

type expectation struct {
	name  string
	value directory.Value
}

// ExampleFailure says what an example expected and what it got.
type ExampleFailure struct {
	// Index counts from 0; Line is where the example stands in the configuration.
	Index, Line int
	Message     string
}

// RunExamples evaluates the examples of the sync and returns what does not hold.
func (m *Mapping) RunExamples() []ExampleFailure {
	var failures []ExampleFailure
	for _, ex := range m.examples {
		fail := func(format string, arguments ...any) {
			failures = append(failures, ExampleFailure{Index: ex.index, Line: ex.line, Message: fmt.Sprintf(format, arguments...)})
		}
		outcome := m.Outbound(ex.given)
		if ex.scope != Unknown && outcome.Scope != ex.scope {
			fail("in_scope: expected %s, got %s", ex.scope, reasoned(outcome.Scope.String(), outcome.ScopeReason))
		}
		for _, want := range ex.attributes {
			if message := outcome.compare(want); message != "" {
				fail("%s: expected %s, got %s", want.name, shown(want.value), message)
			}
		}
		if !ex.hasGroups {
			continue
		}
		if got := outcome.groupNames(); !outcome.GroupsKnown || !slices.Equal(got, ex.groups) {
			fail("groups: expected %s, got %s", shownNames(ex.groups), reasoned(shownNames(got), outcome.groupProblem()))
		}
	}
	return failures
}

// compare returns what the outcome has in place of the expected value; "" where it agrees.
func (o Outcome) compare(want expectation) string {
	i := slices.IndexFunc(o.Attributes, func(m Mapped) bool { return m.Rule.Target == want.name })
	got := o.Attributes[i]
	if got.Known && Equal(got.Value, want.value, exampleSpec(want.name)) {
		return ""
	}
	text := shown(got.Value)
	if !got.Known || !got.Present {
		text = "no value"
	}
	for _, problem := range o.Problems {
		if problem.Attribute == want.name {
			return reasoned(text, problem.Message)
		}
	}
	return text
}

func exampleSpec(name string) directory.AttributeSpec {
	if isCustomName(name) {
		return directory.AttributeSpec{Name: name}
	}
	return directory.AttributeSpec{Name: name, Kind: directory.VocabularyKind(name)}
}

func (o Outcome) groupNames() []string {
	names := make([]string, 0, len(o.Groups))
	for _, group := range o.Groups {
		names = append(names, group.Target)
	}
	slices.Sort(names)
	return names
}

func (o Outcome) groupProblem() string {
	for _, problem := range o.Problems {
		if name, ok := strings.CutPrefix(problem.Attribute, "groups."); ok {
			return name + ": " + problem.Message
		}
	}
	return ""
}

func reasoned(text, reason string) string {
	if reason == "" {
		return text
	}
	return text + " (" + reason + ")"
}

func shown(v directory.Value) string {
	if v.IsEmpty() {
		return "no value"
	}
	return fmt.Sprintf("%q", v.String())
}

func shownNames(names []string) string {
	if len(names) == 0 {
		return "none"
	}
	return quoted(names)
}

// examples checks and decodes the examples of a sync.
func (c *compiler) examples(m *Mapping, list []rules.Example) {
	for i, given := range list {
		ex := example{index: i, line: given.Line}
		path := fmt.Sprintf("examples[%d]", i)
		ex.given = c.given(path+".given", given.Given)
		c.expect(path+".expect", given.Expect, m, &ex)
		if len(given.Expect) == 0 {
			c.fault(path+".expect", "expects nothing; name target attributes, groups or in_scope")
		}
		m.examples = append(m.examples, ex)
	}
}

func (c *compiler) given(path string, values map[string]any) Record {
	record := Record{Account: directory.Account{
		ID: "example", Status: directory.StatusActive, GroupsKnown: true, Attributes: directory.Attributes{},
	}}
	values = flat(values)
	for _, name := range sortedKeys(values) {
		at, raw := path+"."+name, values[name]
		switch name {
		case groupsName:
			record.Groups = exampleGroups(c.names(at, raw))
			for _, group := range record.Groups {
				record.Account.Groups = append(record.Account.Groups, group.ID)
			}
		case directory.Active:
			active, ok := raw.(bool)
			if !ok {
				c.fault(at, "must be true or false")
			}
			record.Account.Status = directory.StatusInactive
			if active {
				record.Account.Status = directory.StatusActive
			}
		case directory.ID:
			record.Account.ID = fmt.Sprint(raw)
		default:
			if c.name(at, name) {
				record.Account.Attributes[name] = c.decode(at, raw)
			}
		}
	}
	return record
}

func (c *compiler) expect(path string, values map[string]any, m *Mapping, ex *example) {
	values = flat(values)
	for _, name := range sortedKeys(values) {
		at, raw := path+"."+name, values[name]
		switch name {
		case groupsName:
			ex.hasGroups = true
			ex.groups = c.names(at, raw)
			slices.Sort(ex.groups)
		case inScopeName:
			inScope, ok := raw.(bool)
			if !ok {
				c.fault(at, "must be true or false")
			}
			ex.scope = triOf(inScope)
		default:
			if !slices.ContainsFunc(m.rules.Attributes, func(rule rules.Attribute) bool { return rule.Target == name && rule.Direction != rules.ToSource }) {
				c.fault(at, "no rule writes this attribute of the target")
				continue
			}
			ex.attributes = append(ex.attributes, expectation{name: name, value: c.decode(at, raw)})
		}
	}
	slices.SortFunc(ex.attributes, func(a, b expectation) int { return cmp.Compare(a.name, b.name) })
}

// flat writes custom: {a: 1} as custom.a: 1; both are taken.
func flat(values map[string]any) map[string]any {
	nested, ok := values[customName].(map[string]any)
	if !ok {
		return values
	}
	all := make(map[string]any, len(values)+len(nested))
	for name, value := range values {
		if name != customName {
			all[name] = value
		}
	}
	for name, value := range nested {
		all[directory.CustomPrefix+name] = value
	}
	return all
}

// names decodes a list of names.
func (c *compiler) names(path string, raw any) []string {
	value := c.decode(path, raw)
	return slices.Clone(value.Items())
}

// decode turns a value of the configuration into a Value; numbers and times come in more types than in JSON.
func (c *compiler) decode(path string, raw any) directory.Value {
	switch x := raw.(type) {
	case int:
		return directory.Number(float64(x))
	case int64:
		return directory.Number(float64(x))
	case uint64:
		return directory.Number(float64(x))
	case time.Time:
		return directory.Time(x)
	case []any:
		items := make([]string, 0, len(x))
		for i, item := range x {
			value := c.decode(fmt.Sprintf("%s[%d]", path, i), item)
			if value.Kind() == directory.KindList {
				c.fault(path, "a list may hold texts, numbers and true or false only")
			}
			items = append(items, value.String())
		}
		return directory.List(items...)
	}
	value, err := directory.FromJSON(raw)
	if err != nil {
		c.fault(path, err.Error())
	}
	return value
}

// exampleGroups makes groups of names; a name that begins with a slash is a path.
func exampleGroups(names []string) []directory.Group {
	groups := make([]directory.Group, 0, len(names))
	for _, name := range names {
		group := directory.Group{ID: name, Name: name}
		if strings.HasPrefix(name, "/") {
			group.Path, group.Name = name, name[strings.LastIndexByte(name, '/')+1:]
		}
		groups = append(groups, group)
	}
	return groups
}

func isCustomName(name string) bool { return strings.HasPrefix(name, directory.CustomPrefix) }
