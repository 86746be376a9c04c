package diff

import (
	"fmt"
	"slices"

	"github.com/rollcall-sync/rollcall/sync/directory"
	"github.com/rollcall-sync/rollcall/sync/mapping"
	"github.com/rollcall-sync/rollcall/sync/plan"
	"github.com/rollcall-sync/rollcall/sync/rules"
)

// attributes compares a linked (or about to be linked) pair. It returns the changes for each side and fills in the base.
//
// Per attribute, with S = what the source says now against what was sent last, T = what the target has now against what it
// stored last:
//
//	leads        S same, T same   S changed       T changed           both changed
//	to_target    -                write target    write target        write target
//	to_source    -                write source    write source        write source
//	both         -                write target    write source        by the conflict policy
//
// An empty value is written over a set one only where somebody emptied it: not at the first contact, and not on the way back as
// long as the target never had a value.
//
// "Same" survives a target that stores something else than it was sent (case, escapes, cut-off spaces): the pair in the base
// remembers both forms.
func (d *Decider) attributes(c *Case, out *Decision) (target, source []plan.Change) {
	out.Attributes = make(map[string]Pair)
	back := make(map[string]mapping.Mapped, len(c.Target.In))
	for _, m := range c.Target.In {
		back[m.Rule.Target] = m
	}
	for _, m := range c.Source.Out.Attributes {
		if leader, ok := c.LedElsewhere[m.Rule.Target]; ok && m.Rule.Direction != rules.ToSource {
			_ = leader // the other sync's own run writes it
			continue
		}
		a := d.pairOf(c, m, back[m.Rule.Target])
		toTarget, toSource := d.attribute(c, a, out)
		target, source = append(target, toTarget...), append(source, toSource...)
		delete(back, m.Rule.Target)
	}
	for _, m := range c.Target.In { // to_source rules have no outbound half
		if _, open := back[m.Rule.Target]; open && m.Rule.Direction == rules.ToSource {
			source = append(source, d.toSource(c, d.pairOf(c, mapping.Mapped{Rule: m.Rule}, m), out)...)
		}
	}
	return target, source
}

// pairState is one attribute of one pair, normalised.
type pairState struct {
	rule              rules.Attribute
	spec, sourceSpec  directory.AttributeSpec
	out, in           mapping.Mapped // source → target and target → source
	desired, current  directory.Value
	sourceNow         directory.Value
	base              Pair
	hasBase           bool
	sourceChanged     bool
	targetChanged     bool
	sourceHas, inHas  bool
	targetUnsupported bool
}

func (d *Decider) pairOf(c *Case, out, in mapping.Mapped) pairState {
	a := pairState{rule: out.Rule, out: out, in: in}
	var ok bool
	if a.spec, ok = d.Target.Attribute(a.rule.Target); !ok {
		a.spec, a.targetUnsupported = directory.AttributeSpec{Name: a.rule.Target}, true
	}
	if a.sourceSpec, ok = d.Source.Attribute(a.rule.To); !ok {
		a.sourceSpec = directory.AttributeSpec{Name: a.rule.To}
	}
	a.sourceHas, a.inHas = out.Known && out.Present, in.Known && in.Present
	a.desired = mapping.Normalise(out.Value, a.spec)
	a.current = c.Target.Account.Attributes[a.rule.Target]
	a.sourceNow = c.Source.Account.Attributes[a.rule.To]
	if c.Link != nil {
		a.base, a.hasBase = c.Link.Attributes[a.rule.Target]
	}
	a.sourceChanged = !a.hasBase || !mapping.Equal(a.desired, a.base.Source, a.spec)
	a.targetChanged = !a.hasBase || !mapping.Equal(a.current, a.base.Target, a.spec)
	return a
}

// inStep reports that nothing needs to be written: the values are equal, or each is what it was when both agreed.
func (a pairState) inStep() bool {
	return mapping.Equal(a.desired, a.current, a.spec) || (!a.sourceChanged && !a.targetChanged)
}

// attribute decides one rule that leads to the target or both ways.
func (d *Decider) attribute(c *Case, a pairState, out *Decision) (target, source []plan.Change) {
	if !a.out.Known {
		out.InStep = false
		d.keepBase(a, out)
		return nil, nil
	}
	if !a.out.Present { // the source does not say: leave the target's value alone
		if a.rule.Direction == rules.Both && a.inHas && a.hasBase && a.targetChanged && !plan.IsTemporary(a.current) {
			return nil, d.toSource(c, a, out)
		}
		d.keepBase(a, out)
		return nil, nil
	}
	if a.inStep() {
		out.Attributes[a.rule.Target] = Pair{Source: a.desired, Target: a.current}
		return nil, nil
	}
	if a.rule.Direction != rules.Both {
		return d.toTarget(c, a, out), nil
	}
	switch d.winner(c, a) {
	case rules.ConflictSource:
		return d.toTarget(c, a, out), nil
	case rules.ConflictTarget:
		return nil, d.toSource(c, a, out)
	default:
		what := "was changed on both sides"
		if !a.hasBase {
			what = "differs, and nothing tells which is right"
		}
		out.note(plan.NoteConflict, c, fmt.Sprintf("%s %s: %q in %s, %q in %s; set it to the same value, or choose a conflict policy",
			a.rule.Target, what, a.desired, d.Source.Name, a.current, d.Target.Name))
		d.keepBase(a, out)
		return nil, nil
	}
}

// winner decides a two-way attribute that differs.
func (d *Decider) winner(c *Case, a pairState) rules.Conflict {
	switch {
	case plan.IsTemporary(a.current), a.hasBase && !a.targetChanged:
		return rules.ConflictSource
	case a.hasBase && !a.sourceChanged:
		return rules.ConflictTarget
	case !a.hasBase && a.current.IsEmpty():
		return rules.ConflictSource
	case !a.hasBase && a.desired.IsEmpty():
		return rules.ConflictTarget
	}
	if a.rule.Conflict != rules.ConflictNewest {
		return a.rule.Conflict
	}
	sourceTime, ok1 := c.Source.Account.Attributes[directory.UpdatedAt].AsTime()
	targetTime, ok2 := c.Target.Account.Attributes[directory.UpdatedAt].AsTime()
	switch {
	case !ok1 || !ok2 || sourceTime.Equal(targetTime):
		return rules.ConflictReport
	case sourceTime.After(targetTime):
		return rules.ConflictSource
	default:
		return rules.ConflictTarget
	}
}

// toTarget plans one change of the target.
func (d *Decider) toTarget(c *Case, a pairState, out *Decision) []plan.Change {
	d.keepBase(a, out)
	say := func(kind plan.NoteKind, format string, arguments ...any) []plan.Change {
		out.note(kind, c, a.rule.Target+" "+fmt.Sprintf(format, arguments...))
		return nil
	}
	switch {
	case a.desired.IsEmpty() && a.neverHad() && !plan.IsTemporary(a.current):
		return nil
	case a.rule.OnlyIfEmpty && !a.current.IsEmpty():
		return nil
	case !d.Rules.Actions.Update:
		return nil
	case a.spec.CreateOnly:
		return say(plan.NoteUnsupported, "is %q and should be %q, but %s fixes it when an account is created", a.current, a.desired, d.Target.Name)
	case a.targetUnsupported || !a.spec.Writable || !d.TargetPowers.Update:
		return say(plan.NoteUnsupported, "differs (%q, should be %q) and cannot be written in %s", a.current, a.desired, d.Target.Name)
	case a.desired.IsEmpty() && faulty(c, a.rule.Target): // said already
		return nil
	case a.desired.IsEmpty() && (a.spec.Required || a.rule.Required):
		return say(plan.NoteInvalid, "is empty in %s but required; %q stays", d.Source.Name, a.current)
	case tooLong(a.desired, a.spec):
		return say(plan.NoteInvalid, "has more than the %d characters that %s takes; %q stays", a.spec.MaxLength, d.Target.Name, a.current)
	}
	return []plan.Change{{Attribute: a.rule.Target, Before: a.current, After: a.desired, Rule: a.rule.From}}
}

// faulty reports that the rules have said what is wrong with an attribute.
func faulty(c *Case, attribute string) bool {
	return slices.ContainsFunc(c.Source.Out.Problems, func(p mapping.Problem) bool { return p.Attribute == attribute })
}

// neverHad reports that the target's value is older than all that the source has said of the attribute: at the first contact, or
// where it was filled in before the rule. That nobody has entered it in the source is no wish to have it emptied. What both have
// agreed to be empty is another matter, and what was set and is empty now was emptied by somebody.
func (a pairState) neverHad() bool {
	return !a.hasBase || (a.base.Source.IsEmpty() && !a.base.Target.IsEmpty())
}

// toSource plans one change of the source.
func (d *Decider) toSource(c *Case, a pairState, out *Decision) []plan.Change {
	d.keepBase(a, out)
	if !a.inHas || plan.IsTemporary(a.current) {
		return nil
	}
	value := mapping.Normalise(a.in.Value, a.sourceSpec)
	if mapping.Equal(value, a.sourceNow, a.sourceSpec) {
		out.Attributes[a.rule.Target] = a.backPair(value)
		return nil
	}
	if a.rule.Direction == rules.ToSource && a.hasBase && mapping.Equal(value, a.base.Source, a.sourceSpec) && mapping.Equal(a.sourceNow, a.base.Target, a.sourceSpec) {
		return nil // the source stores it in a form of its own
	}
	if a.rule.Direction == rules.ToSource && value.IsEmpty() && (!a.hasBase || a.base.Source.IsEmpty()) {
		return nil // the target never had a value: nobody has emptied it
	}
	if !d.Rules.Writeback.Update {
		out.note(plan.NoteUnsupported, c, fmt.Sprintf("%s was changed to %q in %s, and writeback.update is off", a.rule.Target, a.current, d.Target.Name))
		return nil
	}
	spec, known := d.Source.Attribute(a.rule.To)
	switch {
	case !d.SourcePowers.Update, !known, !spec.Writable, spec.CreateOnly:
		out.note(plan.NoteUnsupported, c, fmt.Sprintf("%s was changed to %q in %s, and %s cannot take it back", a.rule.Target, a.current, d.Target.Name, d.Source.Name))
		return nil
	case value.IsEmpty() && spec.Required:
		out.note(plan.NoteInvalid, c, fmt.Sprintf("%s was emptied in %s, but %s requires it", a.rule.Target, d.Target.Name, d.Source.Name))
		return nil
	case tooLong(value, spec):
		out.note(plan.NoteInvalid, c, fmt.Sprintf("%s has more than the %d characters that %s takes", a.rule.To, spec.MaxLength, d.Source.Name))
		return nil
	}
	rule := a.rule.Back
	return []plan.Change{{Attribute: a.rule.To, Before: a.sourceNow, After: value, Rule: rule}}
}

// backPair is the base of an attribute that is in step after a write to the source. For to_source it holds what was sent to
// the source and what the source stored; for both, what the rules give and what the target has, as always.
func (a pairState) backPair(value directory.Value) Pair {
	if a.rule.Direction == rules.ToSource {
		return Pair{Source: value, Target: a.sourceNow}
	}
	return Pair{Source: a.desired, Target: a.current}
}

// Rebase returns the base of a pair after writes: both records are as they are now, and wrote names the attributes of each
// side that were just written; false stands for one that was sent and was not found when the account was read back, which is
// agreed by nobody. What was neither written nor is equal keeps its place in the base. Where one account was just
// created from the other, whatever the directory filled in by itself (a nickname, say) is agreed too: it is nobody's edit,
// and must not flow back.
func (d *Decider) Rebase(c Case, wroteTarget, wroteSource map[string]bool, created bool) map[string]Pair {
	base := make(map[string]Pair)
	back := make(map[string]mapping.Mapped, len(c.Target.In))
	for _, m := range c.Target.In {
		back[m.Rule.Target] = m
	}
	keep := func(a pairState) {
		if a.hasBase {
			base[a.rule.Target] = a.base
		}
	}
	for _, m := range c.Source.Out.Attributes {
		a := d.pairOf(&c, m, back[m.Rule.Target])
		kept, sent := wroteTarget[m.Rule.Target]
		written := kept || (m.Rule.Direction == rules.Both && wroteSource[m.Rule.To])
		if (created && m.Known && kept == sent) || a.sourceHas && (written || mapping.Equal(a.desired, a.current, a.spec)) {
			base[m.Rule.Target] = Pair{Source: a.desired, Target: a.current}
			continue
		}
		keep(a)
	}
	for _, m := range c.Target.In {
		if m.Rule.Direction != rules.ToSource {
			continue
		}
		a := d.pairOf(&c, mapping.Mapped{Rule: m.Rule}, m)
		value := mapping.Normalise(m.Value, a.sourceSpec)
		if a.inHas && (created || wroteSource[m.Rule.To] || mapping.Equal(value, a.sourceNow, a.sourceSpec)) {
			base[m.Rule.Target] = a.backPair(value)
			continue
		}
		keep(a)
	}
	return base
}

func (d *Decider) keepBase(a pairState, out *Decision) {
	if a.hasBase {
		out.Attributes[a.rule.Target] = a.base
	}
}

func tooLong(v directory.Value, spec directory.AttributeSpec) bool {
	return spec.MaxLength > 0 && len([]rune(v.String())) > spec.MaxLength
}

// newAccount maps a source record to the attributes of a new target account; ok is false when it must not be sent.
func (d *Decider) newAccount(c *Case, out *Decision) (changes []plan.Change, ok bool) {
	ok = true
	fail := func(format string, arguments ...any) {
		out.note(plan.NoteInvalid, c, fmt.Sprintf(format, arguments...))
		ok = false
	}
	for _, p := range c.Source.Out.Problems {
		fail("%s: %s", p.Attribute, p.Message)
	}
	given := make(map[string]bool)
	for _, m := range c.Source.Out.Attributes {
		spec, known := d.Target.Attribute(m.Rule.Target)
		value := mapping.Normalise(m.Value, spec)
		switch {
		case !m.Known:
			fail("%s cannot be told: it depends on groups that were not read", m.Rule.Target)
		case !m.Present || value.IsEmpty():
		case !known || !spec.Creatable():
			out.note(plan.NoteUnsupported, c, fmt.Sprintf("%s cannot be written in %s", m.Rule.Target, d.Target.Name))
		case tooLong(value, spec):
			fail("%s %q has more than the %d characters that %s takes", m.Rule.Target, value, spec.MaxLength, d.Target.Name)
		default:
			given[m.Rule.Target] = true
			changes = append(changes, plan.Change{Attribute: m.Rule.Target, After: value, Rule: m.Rule.From})
		}
	}
	for _, spec := range d.Target.Attributes {
		if spec.Required && !given[spec.Name] && !faulty(c, spec.Name) {
			fail("%s is required by %s and the rules give none; to leave out who has none: scope: has(%s)", spec.Name, d.Target.Name, spec.Name)
		}
	}
	return changes, ok
}
