package mapping

import (
	"fmt"
	"slices"
	"strings"

	"github.com/rollcall-sync/rollcall/sync/directory"
	"github.com/rollcall-sync/rollcall/sync/rules"
)

// groupRules finds the target groups of an account. Rules that name source groups are looked up by the groups that the
// account has, so that a thousand of them cost no more than one; only other expressions are evaluated one by one.
type groupRules struct {
	list    []groupRule
	options rules.GroupOptions
	// byName and byID give the numbers of the rules that a source group satisfies.
	byName, byID map[string][]int
	// tests are the numbers of the rules that must be evaluated.
	tests []int
	// lookups is set where a rule or a mirror pattern depends on the groups of the account alone.
	lookups bool
}

type groupRule struct {
	rule  rules.Group
	label string
	code  *program // nil for a rule with source groups
}

func (g *groupRules) add(rule rules.Group, label string, code *program) int {
	g.list = append(g.list, groupRule{rule: rule, label: label, code: code})
	return len(g.list) - 1
}

func (g *groupRules) addWhen(rule rules.Group, code *program) {
	n := g.add(rule, code.source, code)
	if len(code.anyOf) == 0 {
		g.tests = append(g.tests, n)
		return
	}
	for _, name := range code.anyOf {
		g.index(&g.byName, name, n)
	}
}

func (g *groupRules) addFrom(rule rules.Group) {
	n := g.add(rule, "from "+quoted(rule.From), nil)
	for _, name := range rule.From {
		g.index(&g.byName, name, n)
		g.index(&g.byID, name, n)
	}
}

func (g *groupRules) index(table *map[string][]int, key string, n int) {
	if *table == nil {
		*table = map[string][]int{}
	}
	g.lookups = true
	if !slices.Contains((*table)[key], n) {
		(*table)[key] = append((*table)[key], n)
	}
}

func quoted(names []string) string {
	parts := make([]string, len(names))
	for i, name := range names {
		parts[i] = fmt.Sprintf("%q", name)
	}
	return strings.Join(parts, ", ")
}

// needsGroups reports whether any rule looks at groups.
func (g *groupRules) needsGroups() bool {
	return g.lookups || len(g.options.Mirror) > 0 || slices.ContainsFunc(g.list, func(rule groupRule) bool {
		return rule.code != nil && rule.code.usesGroups
	})
}

// groups gives the target groups of the record; known is false where a rule could not be decided. Failures of expressions
// are handed to problem; groups or a status that nobody read are none.
func (e *evaluator) groups(g *groupRules, problem func(target string, err error)) (wanted []WantedGroup, known bool) {
	byGroups := g.lookups || len(g.options.Mirror) > 0
	if byGroups && !e.record.Account.GroupsKnown {
		return nil, false
	}
	known = true
	var hits []int
	for _, n := range g.tests {
		answer, err := e.condition(g.list[n].code)
		switch {
		case answer == Yes:
			hits = append(hits, n)
		case answer == Unknown:
			known = false
			if !isOpen(err) {
				problem(g.list[n].rule.Target, err)
			}
		}
	}
	if !known {
		return nil, false
	}
	if g.lookups {
		for i := range e.record.Groups {
			hits = g.find(&e.record.Groups[i], hits)
		}
	}
	slices.Sort(hits)
	for i, n := range hits {
		if i > 0 && hits[i-1] == n {
			continue
		}
		wanted = appendGroup(wanted, WantedGroup{Target: g.list[n].rule.Target, Rule: g.list[n].label})
	}
	if len(g.options.Mirror) > 0 {
		wanted = g.mirrored(e.record.Groups, wanted)
	}
	return wanted, true
}

// find appends the numbers of the rules that one source group satisfies.
func (g *groupRules) find(group *directory.Group, hits []int) []int {
	if group.Name != "" {
		hits = append(hits, g.byName[group.Name]...)
	}
	if group.Path != "" && group.Path != group.Name {
		hits = append(hits, g.byName[group.Path]...)
	}
	if group.ID != "" {
		hits = append(hits, g.byID[group.ID]...)
	}
	return hits
}

// appendGroup adds a group unless an earlier rule gave it. Accounts have few groups: a scan beats a map.
func appendGroup(wanted []WantedGroup, group WantedGroup) []WantedGroup {
	for i := range wanted {
		if wanted[i].Target == group.Target {
			return wanted
		}
	}
	return append(wanted, group)
}

func (g *groupRules) mirrored(groups []directory.Group, wanted []WantedGroup) []WantedGroup {
	var names []string
	for i := range groups {
		if g.mirrorOf(groups[i].Name) != "" {
			names = append(names, groups[i].Name)
		}
	}
	slices.Sort(names)
	for _, name := range names {
		wanted = appendGroup(wanted, WantedGroup{Target: g.options.Prefix + name, Rule: fmt.Sprintf("mirror %q", g.mirrorOf(name))})
	}
	return wanted
}

// mirrorOf returns the first pattern that the name fits, or "".
func (g *groupRules) mirrorOf(name string) string {
	if name == "" {
		return ""
	}
	for _, pattern := range g.options.Mirror {
		if fits(pattern, name) {
			return pattern
		}
	}
	return ""
}

// fits reports whether a name fits a pattern in which * stands for any letters, none included. Everything else stands for
// itself, case included.
func fits(pattern, name string) bool {
	parts := strings.Split(pattern, "*")
	if len(parts) == 1 {
		return pattern == name
	}
	rest, ok := strings.CutPrefix(name, parts[0])
	if !ok {
		return false
	}
	last := len(parts) - 1
	for _, part := range parts[1:last] {
		i := strings.Index(rest, part)
		if i < 0 {
			return false
		}
		rest = rest[i+len(part):]
	}
	return strings.HasSuffix(rest, parts[last])
}

// ManagedGroups returns the names of the target groups that the rules give and take, sorted: those of the rules, and one for
// each source group that is mirrored.
func (m *Mapping) ManagedGroups(sourceGroups []directory.Group) []string {
	var names []string
	for _, rule := range m.groups.list {
		names = append(names, rule.rule.Target)
	}
	for _, group := range sourceGroups {
		if m.groups.mirrorOf(group.Name) != "" {
			names = append(names, m.groups.options.Prefix+group.Name)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// GroupSource returns the source group that a target group stands for, so that membership can be written back: the one
// of a rule with exactly one source group, or the mirrored one. A target group with several rules stands for none.
func (m *Mapping) GroupSource(target string) (sourceGroup string, ok bool) {
	var found []string
	for _, rule := range m.groups.list {
		if rule.rule.Target != target {
			continue
		}
		if len(rule.rule.From) != 1 {
			return "", false
		}
		found = append(found, rule.rule.From[0])
	}
	if name, isPrefixed := strings.CutPrefix(target, m.groups.options.Prefix); isPrefixed && m.groups.mirrorOf(name) != "" {
		found = append(found, name)
	}
	slices.Sort(found)
	found = slices.Compact(found)
	if len(found) != 1 {
		return "", false
	}
	return found[0], true
}
