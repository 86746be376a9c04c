// Package plan holds what a run is going to do, as plain data: operations in the order in which they are carried out, each
// with its changes and the sentence why. A plan is made before anything is written, prints for people and as JSON, and is
// the same, byte for byte, for the same input.
package plan

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"

	"github.com/rollcall-sync/rollcall/sync/directory"
)

// Side is where an operation writes.
type Side string

// The sides of a sync.
const (
	Source Side = "source"
	Target Side = "target"
)

// Other returns the opposite side.
func (s Side) Other() Side {
	if s == Source {
		return Target
	}
	return Source
}

// Action is what an operation does.
type Action string

// The actions. Link writes to the state alone.
const (
	Link        Action = "link"
	CreateGroup Action = "create_group"
	Update      Action = "update"
	Create      Action = "create"
	Activate    Action = "activate"
	GroupAdd    Action = "group_add"
	GroupRemove Action = "group_remove"
	Deactivate  Action = "deactivate"
	Delete      Action = "delete"
)

// phases is the order in which actions are carried out. Updates come before creations because they may free a unique value
// that a new account wants; what takes access away comes last, when everything else is known to have worked.
var phases = []Action{Link, CreateGroup, Update, Create, Activate, GroupAdd, GroupRemove, Deactivate, Delete}

// Phase returns the place of an action in the order of a run. Group changes share one, because they are sent together.
func (a Action) Phase() int {
	if a == GroupRemove {
		a = GroupAdd
	}
	return slices.Index(phases, a)
}

// Loss reports whether the action takes access away.
func (a Action) Loss() bool { return a == Deactivate || a == Delete || a == GroupRemove }

// Change is one attribute that gets another value.
type Change struct {
	Attribute string          `json:"attribute"`
	Before    directory.Value `json:"before"`
	After     directory.Value `json:"after"`
	// Rule is the expression that gave the value.
	Rule string `json:"rule,omitempty"`
}

// Operation is one write, or one link.
type Operation struct {
	// Seq numbers the operations of a plan from 1.
	Seq    int    `json:"seq"`
	Side   Side   `json:"side"`
	Action Action `json:"action"`
	// Account is the name people know the account by.
	Account string `json:"account"`
	// SourceID and TargetID are the ids of the pair; the one of an account that is yet to be created is empty.
	SourceID string   `json:"source_id,omitempty"`
	TargetID string   `json:"target_id,omitempty"`
	Changes  []Change `json:"changes,omitempty"`
	// Group is the group that is created, joined or left. Its ID is empty when it is yet to be created.
	GroupID   string `json:"group_id,omitempty"`
	GroupName string `json:"group,omitempty"`
	// Groups are the ids that a creation puts the account into, or that an activation restores.
	Groups []string `json:"groups,omitempty"`
	// GroupNames are the names of Groups, for people; only a creation has them.
	GroupNames []string `json:"group_names,omitempty"`
	// NewGroups are names of groups that a creation puts the account into and that this plan creates first.
	NewGroups []string `json:"new_groups,omitempty"`
	Reason    string   `json:"reason"`
	// Revision is the account's revision when it was read.
	Revision string `json:"revision,omitempty"`
	// After lists the operations (by Seq) that must have succeeded before this one.
	After []int `json:"after,omitempty"`
	// Origin says how a link or a creation came about; see state.Origin.
	Origin string `json:"origin,omitempty"`
	// Replaces names whose link a link takes the place of: the person is proven gone from the source.
	Replaces string `json:"replaces,omitempty"`
	// Temporary is set on the first of two steps of an exchange of unique values.
	Temporary bool `json:"temporary,omitempty"`
}

// WrittenID returns the id of the account that the operation writes, empty for one that is yet to be created.
func (o Operation) WrittenID() string {
	if o.Side == Source {
		return o.SourceID
	}
	return o.TargetID
}

// Key identifies an operation across plans, whatever its number: who, where, what, to which values, and into which groups.
// An approval is given for keys.
func (o Operation) Key() string {
	parts := []string{string(o.Side), string(o.Action), o.SourceID, o.TargetID, o.GroupID, o.GroupName}
	if o.SourceID == "" && o.TargetID == "" {
		parts = append(parts, o.Account)
	}
	for _, change := range o.Changes {
		parts = append(parts, change.Attribute, change.After.String())
	}
	if o.Action == Create || o.Action == Activate { // which groups an account gets is part of what is approved
		parts = append(parts, slices.Sorted(slices.Values(o.Groups))...)
		parts = append(append(parts, "new"), slices.Sorted(slices.Values(o.NewGroups))...)
	}
	sum := sha256.Sum256([]byte(strings.Join(parts, "\x00")))
	return hex.EncodeToString(sum[:12])
}

// Plan is the ordered list of operations of one sync.
type Plan struct {
	Sync       string `json:"sync"`
	Operations List   `json:"operations"`
	Notes      []Note `json:"notes"`
}

// Note is something that the plan leaves alone and says so: an ambiguous match, a privileged account, an operation that the
// side cannot do.
type Note struct {
	Kind    NoteKind `json:"kind"`
	Account string   `json:"account"`
	ID      string   `json:"id,omitempty"`
	Message string   `json:"message"`
}

// NoteKind groups notes for counting and for choosing what to show.
type NoteKind string

// The kinds of notes.
const (
	NoteMatch       NoteKind = "match"       // one match, to be linked by a command
	NoteAmbiguous   NoteKind = "ambiguous"   // several matches, or one that is taken
	NoteConflict    NoteKind = "conflict"    // both sides changed, or a unique value is taken
	NoteProtected   NoteKind = "protected"   // privileged, protected, read-only, or the own account
	NoteInvalid     NoteKind = "invalid"     // the record lacks something, or cannot be used
	NoteIdentity    NoteKind = "identity"    // a link may join the wrong accounts; a command settles it
	NoteRespected   NoteKind = "respected"   // somebody else deactivated it, or a policy says report
	NoteUnsupported NoteKind = "unsupported" // the side cannot do it
	NoteWithheld    NoteKind = "withheld"    // held back because a listing was not proven complete
	NoteSuspected   NoteKind = "suspected"   // missing from a listing, not yet proven gone
	NoteUnknown     NoteKind = "unknown"     // status, scope or groups could not be told
)

// Failure reports whether a note counts as a failure of its account, so that the run does not end as if all was well.
func (k NoteKind) Failure() bool { return k == NoteInvalid || k == NoteIdentity }

// Sort puts operations into the order of a run and numbers them. Numbers in After are translated.
func (p *Plan) Sort() error {
	slices.SortFunc(p.Notes, func(a, b Note) int {
		return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Account, b.Account), cmp.Compare(a.ID, b.ID), cmp.Compare(a.Message, b.Message))
	})
	return p.Operations.sort()
}

func compareBool(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return 1
	default:
		return -1
	}
}

// Keys returns the identities of all operations, sorted: what an approval covers.
func (p *Plan) Keys() ([]string, error) {
	keys := make([]string, 0, p.Operations.Len())
	err := p.Operations.Each(func(_ int, o Operation) error {
		keys = append(keys, o.Key())
		return nil
	})
	slices.Sort(keys)
	return keys, err
}

// Token is a short name for a set of operations, given by their sorted keys, for the command that approves it.
func Token(sync string, keys []string) string {
	sum := sha256.New()
	sum.Write([]byte(sync))
	for _, key := range keys {
		sum.Write([]byte("\n" + key))
	}
	return hex.EncodeToString(sum.Sum(nil)[:5])
}

// Counts returns how many operations of each action the plan has, per side. The first half of an exchange of values is not
// counted: nobody asked for it.
func (p *Plan) Counts() map[Side]map[Action]int {
	counts := map[Side]map[Action]int{Source: {}, Target: {}}
	for position := range p.Operations.Len() {
		i := p.Operations.itemAt(position)
		if !i.first {
			counts[i.sideOf()][phases[i.action]]++
		}
	}
	return counts
}
