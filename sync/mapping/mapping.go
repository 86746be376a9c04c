// Package mapping turns a record of one directory into the words of the other. It compiles the expressions of a sync once
// and then evaluates them for any number of records: who takes part, which attributes and groups an account shall have on
// the other side, which accounts are protected. It is pure: no network, no clock, no log, no globals that change; the same
// record gives the same outcome. Normalising values and comparing them happens here too, and nowhere else.
//
// A rule never fails a whole record. What cannot be decided (groups that were not read, an expression that fails) is
// marked as not known, with the reason, and the caller leaves the other side as it is.
//
// The language is taught in README.md; its functions are the table in functions.go.
package mapping

import (
	"sync"

	"github.com/rollcall-sync/rollcall/sync/directory"
	"github.com/rollcall-sync/rollcall/sync/rules"
)

// Mapping holds the compiled expressions of one sync. It is safe for concurrent use.
type Mapping struct {
	rules     rules.Sync
	scope     *program // nil: everybody
	writeback *program // nil: everybody
	out       []attribute
	in        []attribute
	groups    groupRules
	protect   []*program
	examples  []example

	slots      *slots
	evaluators sync.Pool
}

// attribute is one compiled attribute rule, in one direction. The rule has its defaults filled in.
type attribute struct {
	rule rules.Attribute
	// writes is the attribute that gets the value.
	writes string
	code   *program
}

// Fault is one mistake in the rules of a sync.
type Fault struct {
	// Path names the rule as the configuration does: "scope", "attributes.username.from", "groups.editor", "protect[0]",
	// "writeback.scope", "examples[1].given.x".
	Path    string
	Message string
}

// String returns "path: message".
func (f Fault) String() string { return f.Path + ": " + f.Message }

// Record is an account as rules see it.
type Record struct {
	Account directory.Account
	// Groups are the groups of the account, already resolved through nesting where the sync asks for it. They mean
	// something only where Account.GroupsKnown is set.
	Groups []directory.Group
}

// Tri is the answer to a question that may be open.
type Tri uint8

// The answers. Unknown is the zero value: doubt must never look like a decision.
const (
	Unknown Tri = iota
	No
	Yes
)

// String returns yes, no or unknown.
func (t Tri) String() string {
	switch t {
	case Yes:
		return "yes"
	case No:
		return "no"
	default:
		return "unknown"
	}
}

// MarshalText makes a Tri a text in JSON.
func (t Tri) MarshalText() ([]byte, error) { return []byte(t.String()), nil }

func triOf(b bool) Tri {
	if b {
		return Yes
	}
	return No
}

// Outcome is what the rules make of one source record.
type Outcome struct {
	// Scope says whether the account takes part. It is Unknown where that needs groups or a status that are not known, or
	// where the evaluation failed; ScopeReason says which.
	Scope       Tri
	ScopeReason string
	// Attributes has one entry for each rule with direction to_target or both, in the order of the rules.
	Attributes []Mapped
	// Groups are the target groups that the rules give the account, each once, in the order of the rules and then the
	// mirrored ones by name.
	Groups []WantedGroup
	// GroupsKnown is false where a group rule could not be decided. Then Groups is empty and nobody's groups change.
	GroupsKnown bool
	// Problems are required attributes without a value, expressions that failed and values of the wrong kind.
	Problems []Problem
}

// Mapped is the value that one rule gives.
type Mapped struct {
	// Rule has Direction, To and Back filled in where the configuration left them to the defaults.
	Rule rules.Attribute
	// Known is false where the rule could not be decided: the other side's value is left alone.
	Known bool
	// Present is false where there is no value, as opposed to an empty one: the other side's value is left alone.
	Present bool
	// Value is the value to write; empty means that the other side's value is cleared.
	Value directory.Value
}

// WantedGroup is one target group and the rule that gives it.
type WantedGroup struct{ Target, Rule string }

// Problem is something wrong with one account. Attribute is the name that the rule writes, or "groups.<name>".
type Problem struct {
	Attribute string `json:"attribute"`
	Message   string `json:"message"`
}

// Rules returns the definition that was compiled.
func (m *Mapping) Rules() rules.Sync { return m.rules }
