package mapping

import (
	"fmt"

	"github.com/rollcall-sync/rollcall/sync/directory"
)

// Outbound evaluates source to target for one source record. It never fails as a whole; each part says what is wrong.
func (m *Mapping) Outbound(r Record) Outcome {
	e := m.begin(&r)
	defer m.end(e)

	var outcome Outcome
	var err error
	if outcome.Scope, err = e.condition(m.scope); err != nil {
		outcome.ScopeReason = err.Error()
	}
	if len(m.out) > 0 {
		outcome.Attributes = make([]Mapped, len(m.out))
	}
	for i := range m.out {
		var message string
		outcome.Attributes[i], message = e.mapped(&m.out[i])
		if message != "" {
			outcome.Problems = append(outcome.Problems, Problem{Attribute: m.out[i].writes, Message: message})
		}
	}
	outcome.Groups, outcome.GroupsKnown = e.groups(&m.groups, func(target string, err error) {
		outcome.Problems = append(outcome.Problems, Problem{Attribute: "groups." + target, Message: err.Error()})
	})
	return outcome
}

// Inbound evaluates target to source for the rules with direction to_source or both, in the order of the rules.
func (m *Mapping) Inbound(r Record) []Mapped {
	if len(m.in) == 0 {
		return nil
	}
	e := m.begin(&r)
	defer m.end(e)

	all := make([]Mapped, len(m.in))
	for i := range m.in {
		all[i], _ = e.mapped(&m.in[i])
	}
	return all
}

// mapped evaluates one attribute rule; the message says what is wrong with the account, "" where nothing is.
func (e *evaluator) mapped(a *attribute) (Mapped, string) {
	mapped := Mapped{Rule: a.rule}
	value, present, err := e.value(a.code)
	if err == nil && present {
		value, err = forAttribute(value, a.writes)
	}
	if err != nil {
		if isOpen(err) && !a.rule.Required {
			return mapped, ""
		}
		return mapped, err.Error()
	}
	mapped.Known, mapped.Present, mapped.Value = true, present, value
	if a.rule.Required && (!present || value.IsEmpty()) {
		return mapped, fmt.Sprintf("is required and has no value (rule: %s)", a.code.source)
	}
	return mapped, ""
}

// forAttribute turns a value into the kind that an attribute of the vocabulary has; custom ones take every kind.
func forAttribute(value directory.Value, name string) (directory.Value, error) {
	if value.IsEmpty() || isCustomName(name) {
		return value, nil
	}
	kind := directory.VocabularyKind(name)
	if value.Kind() == kind {
		return value, nil
	}
	converted := asKind(value, kind)
	if converted.Kind() == kind {
		return converted, nil
	}
	switch kind {
	case directory.KindBool:
		return directory.Value{}, fmt.Errorf("takes true or false, not %q", shorten(value.String()))
	case directory.KindTime:
		return directory.Value{}, fmt.Errorf("takes a time, not %q", shorten(value.String()))
	default:
		return directory.Value{}, fmt.Errorf("takes one text, not a list of %d; use first(list) or join(list, \", \")", len(value.Items()))
	}
}

// WritebackScope says whether the creation of this target account may flow back, and why that is not known.
func (m *Mapping) WritebackScope(r Record) (Tri, string) {
	e := m.begin(&r)
	defer m.end(e)
	answer, err := e.condition(m.writeback)
	if err != nil {
		return answer, err.Error()
	}
	return answer, ""
}

// Protected reports whether a protect expression holds for an account of either side, and which. An expression that
// cannot be decided protects.
func (m *Mapping) Protected(r Record) (expression string, protected bool) {
	if len(m.protect) == 0 {
		return "", false
	}
	e := m.begin(&r)
	defer m.end(e)
	for _, code := range m.protect {
		if answer, _ := e.condition(code); answer != No {
			return code.source, true
		}
	}
	return "", false
}
