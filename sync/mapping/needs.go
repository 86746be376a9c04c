package mapping

import (
	"slices"

	"github.com/rollcall-sync/rollcall/sync/directory"
	"github.com/rollcall-sync/rollcall/sync/rules"
)

// SourceAttributes returns the names that source accounts must be read with, sorted: those that the rules, the scope, the
// protect expressions and matching use, and those that people know accounts by. id and active come with every account and
// are not among them.
func (m *Mapping) SourceAttributes() []string {
	names := m.commonAttributes()
	names = append(names, attributesOf(m.scope)...)
	for _, a := range m.out {
		names = append(names, attributesOf(a.code)...)
	}
	for _, a := range m.in {
		names = append(names, a.writes)
	}
	for _, rule := range m.groups.list {
		names = append(names, attributesOf(rule.code)...)
	}
	return tidyNames(names)
}

// TargetAttributes returns the names that target accounts must be read with, sorted.
func (m *Mapping) TargetAttributes() []string {
	names := m.commonAttributes()
	names = append(names, attributesOf(m.writeback)...)
	for _, a := range m.out {
		names = append(names, a.writes)
	}
	for _, a := range m.in {
		names = append(names, attributesOf(a.code)...)
	}
	return tidyNames(names)
}

// commonAttributes are those that both sides are read with.
func (m *Mapping) commonAttributes() []string {
	names := append([]string{directory.Username, directory.Email, directory.EmailVerified}, m.rules.Match...)
	for _, code := range m.protect {
		names = append(names, attributesOf(code)...)
	}
	for _, a := range m.in {
		if a.rule.Conflict == rules.ConflictNewest {
			names = append(names, directory.UpdatedAt)
		}
	}
	return names
}

func attributesOf(p *program) []string {
	if p == nil {
		return nil
	}
	return p.attributes
}

func tidyNames(names []string) []string {
	names = slices.DeleteFunc(names, func(name string) bool { return name == directory.ID || name == directory.Active })
	slices.Sort(names)
	return slices.Compact(names)
}

// sourcePrograms are the expressions over source accounts.
func (m *Mapping) sourcePrograms() []*program {
	programs := slices.Clone(m.protect)
	if m.scope != nil {
		programs = append(programs, m.scope)
	}
	for _, a := range m.out {
		programs = append(programs, a.code)
	}
	for _, rule := range m.groups.list {
		if rule.code != nil {
			programs = append(programs, rule.code)
		}
	}
	return programs
}

// NeedsSourceGroups reports whether the scope or any rule looks at the groups of source accounts.
func (m *Mapping) NeedsSourceGroups() bool {
	return m.groups.needsGroups() || slices.ContainsFunc(m.sourcePrograms(), func(p *program) bool { return p.usesGroups })
}

// NeedsTargetGroups reports whether a protect expression, the scope of write-back or a rule towards the source looks at the
// groups of target accounts. Group rules are not counted: the caller knows that they write groups.
func (m *Mapping) NeedsTargetGroups() bool {
	programs := slices.Clone(m.protect)
	if m.writeback != nil {
		programs = append(programs, m.writeback)
	}
	for _, a := range m.in {
		programs = append(programs, a.code)
	}
	return slices.ContainsFunc(programs, func(p *program) bool { return p.usesGroups })
}

// SourceGroups returns the source groups that the rules name (names, paths or ids), sorted. all is set where that is not
// enough, because an expression uses groups in another way or groups are mirrored.
func (m *Mapping) SourceGroups() (names []string, all bool) {
	all = len(m.groups.options.Mirror) > 0
	for _, p := range m.sourcePrograms() {
		all = all || p.allGroups
		names = append(names, p.groupNames...)
	}
	for _, rule := range m.groups.list {
		names = append(names, rule.rule.From...)
	}
	slices.Sort(names)
	return slices.Compact(names), all
}
