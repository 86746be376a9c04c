package plan

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"github.com/rollcall-sync/rollcall/sync/directory"
)

// Values that must be unique (e-mail, username) make operations depend on each other:
//
//	Anna wants x, Bert holds x and leaves it      Bert goes first
//	Anna wants x, Bert holds x and keeps it       Anna's change is left out and reported
//	Anna and Bert both want x                     both are left out and reported
//	Anna wants Bert's x, Bert wants Anna's y      a ring: one of them steps aside to a value of our own first
//	Anna and Bert both match one free account     neither is linked, both are reported
//	Anna takes the account of Bert, who is gone   what was planned for Bert's link is left out
//
// Arrange turns that into After, temporary steps and notes.

// Claim is a unique value that an operation wants.
type Claim struct {
	// Op is the index of the operation in Plan.Operations, Change the index of the change in it.
	Op, Change int
	// Attribute and Key are the attribute and the folded value (mapping.Key).
	Attribute, Key string
}

// Holder tells which account of the written side holds a key now; ok is false where nobody does.
type Holder func(side Side, attribute, key string) (id, label string, ok bool)

// Arrange settles who gets which unique value. Operations that lose a change are left out when nothing remains of them; a
// creation cannot do without a change and is left out as a whole. Seq must be set and distinct.
func (p *Plan) Arrange(claims []Claim, holder Holder) {
	a := arranger{plan: p, left: make(map[int]bool), dropped: make(map[int]map[int]bool), byOp: make(map[opKey]int)}
	a.settleLinks()
	for i, o := range p.Operations {
		if o.Action == Update && !a.left[i] {
			a.byOp[opKey{o.Side, o.WrittenID()}] = i
		}
	}
	a.claims = slices.DeleteFunc(slices.Clone(claims), func(c Claim) bool { return a.left[c.Op] })
	a.dropDoubles()
	for _, c := range a.claims {
		o := p.Operations[c.Op]
		id, label, ok := holder(o.Side, c.Attribute, c.Key)
		if ok && id != o.WrittenID() {
			a.held = append(a.held, heldClaim{Claim: c, holder: id, label: label})
		}
	}
	a.dropHeld()
	a.connect()
	a.breakRings()
	a.apply()
}

type opKey struct {
	side Side
	id   string
}

type heldClaim struct {
	Claim
	holder, label string
}

type arranger struct {
	plan    *Plan
	claims  []Claim
	held    []heldClaim
	byOp    map[opKey]int
	left    map[int]bool         // operations left out as a whole
	dropped map[int]map[int]bool // operation → changes left out
	notes   []Note
	extra   []Operation
}

// settleLinks leaves out the operations of all who match the same account, and those of a link whose place another takes.
func (a *arranger) settleLinks() {
	links := make(map[string][]int) // by target account
	for i, o := range a.plan.Operations {
		if o.Action == Link {
			links[o.TargetID] = append(links[o.TargetID], i)
		}
	}
	rivals := make(map[string]bool) // source accounts
	for _, o := range a.plan.Operations {
		if found := links[o.TargetID]; o.Action == Link && len(found) > 1 {
			rivals[o.SourceID] = true
			other := a.plan.Operations[found[0]]
			if other.SourceID == o.SourceID {
				other = a.plan.Operations[found[1]]
			}
			a.notes = append(a.notes, Note{Kind: NoteAmbiguous, Account: o.Account, ID: o.SourceID, Message: fmt.Sprintf(
				"matches the account with id %s, and so does %s (id %s); decide with `rollcall link`", o.TargetID, other.Account, other.SourceID)})
		}
	}
	for i, o := range a.plan.Operations {
		found := links[o.TargetID]
		replaced := o.TargetID != "" && len(found) == 1 && a.plan.Operations[found[0]].SourceID != o.SourceID && o.Action != Link
		if rivals[o.SourceID] || replaced {
			a.left[i] = true
		}
	}
}

func (a *arranger) drop(c Claim, message string) {
	if a.isDropped(c) {
		return
	}
	if a.dropped[c.Op] == nil {
		a.dropped[c.Op] = make(map[int]bool)
	}
	a.dropped[c.Op][c.Change] = true
	o := a.plan.Operations[c.Op]
	id := o.SourceID
	if o.Side == Source {
		id = o.TargetID
	}
	a.notes = append(a.notes, Note{Kind: NoteConflict, Account: o.Account, ID: id, Message: message})
}

func (a *arranger) isDropped(c Claim) bool {
	if a.plan.Operations[c.Op].Action == Create {
		return len(a.dropped[c.Op]) > 0 // a creation stands or falls as a whole
	}
	return a.dropped[c.Op][c.Change]
}

// dropDoubles leaves out all claims to a value that more than one operation wants.
func (a *arranger) dropDoubles() {
	type want struct {
		side           Side
		attribute, key string
	}
	wanted := make(map[want][]Claim)
	for _, c := range a.claims {
		w := want{a.plan.Operations[c.Op].Side, c.Attribute, c.Key}
		wanted[w] = append(wanted[w], c)
	}
	for _, c := range a.claims {
		rivals := wanted[want{a.plan.Operations[c.Op].Side, c.Attribute, c.Key}]
		for _, rival := range rivals {
			if rival.Op != c.Op {
				other := a.plan.Operations[rival.Op].Account
				a.drop(c, fmt.Sprintf("%s %q is wanted by %s too; nobody gets it until one of them changes",
					c.Attribute, a.plan.Operations[c.Op].Changes[c.Change].After, other))
				break
			}
		}
	}
}

// leaves reports whether the holder gives the claimed value up in this plan.
func (a *arranger) leaves(h heldClaim) (op int, ok bool) {
	op, found := a.byOp[opKey{a.plan.Operations[h.Op].Side, h.holder}]
	if !found {
		return 0, false
	}
	for i, change := range a.plan.Operations[op].Changes {
		if change.Attribute == h.Attribute && !a.dropped[op][i] {
			return op, true
		}
	}
	return 0, false
}

// dropHeld leaves out claims to values whose holder keeps them, until nothing more changes: a holder who loses its own
// claim keeps its value after all.
func (a *arranger) dropHeld() {
	for changed := true; changed; {
		changed = false
		for _, h := range a.held {
			if a.isDropped(h.Claim) {
				continue
			}
			if _, ok := a.leaves(h); !ok {
				a.drop(h.Claim, fmt.Sprintf("%s %q belongs to %s already", h.Attribute, a.plan.Operations[h.Op].Changes[h.Change].After, h.label))
				changed = true
			}
		}
	}
}

// connect makes each operation wait for the one that frees its value.
func (a *arranger) connect() {
	for _, h := range a.held {
		if a.isDropped(h.Claim) {
			continue
		}
		op, _ := a.leaves(h)
		after := &a.plan.Operations[h.Op].After
		if seq := a.plan.Operations[op].Seq; !slices.Contains(*after, seq) {
			*after = append(*after, seq)
		}
	}
}

// breakRings finds operations that wait for each other in a ring and lets one of each ring step aside first.
func (a *arranger) breakRings() {
	index := make(map[int]int, len(a.plan.Operations))
	next := 0
	for i, o := range a.plan.Operations {
		index[o.Seq] = i
		next = max(next, o.Seq)
	}
	const white, grey, black = 0, 1, 2
	colour := make(map[int]int)
	var visit func(op int)
	visit = func(op int) {
		colour[op] = grey
		for _, seq := range slices.Clone(a.plan.Operations[op].After) {
			target := index[seq]
			switch colour[target] {
			case white:
				visit(target)
			case grey:
				// op waits for target, which (by a chain) waits for op: target steps aside, and op
				// waits for that step alone.
				next++
				a.stepAside(target, op, next)
			}
		}
		colour[op] = black
	}
	for _, h := range a.held {
		if !a.isDropped(h.Claim) && colour[h.Op] == white {
			visit(h.Op)
		}
	}
}

// stepAside gives the holder a value of our own in a first step, so that waiter can have the old one.
func (a *arranger) stepAside(holder, waiter, seq int) {
	o := &a.plan.Operations[holder]
	step := *o
	step.Seq, step.After, step.Temporary, step.Changes = seq, nil, true, nil
	for _, h := range a.held {
		if h.Op != waiter || h.holder != o.WrittenID() || a.isDropped(h.Claim) {
			continue
		}
		for i, change := range o.Changes {
			if change.Attribute == h.Attribute {
				aside := temporaryValue(h.Attribute, o.WrittenID())
				step.Changes = append(step.Changes, Change{Attribute: h.Attribute, Before: change.Before, After: aside, Rule: change.Rule})
				o.Changes[i].Before = aside
			}
		}
	}
	step.Reason = fmt.Sprintf("makes room: %s takes over the old value in this run", a.plan.Operations[waiter].Account)
	o.After = append(o.After, seq)
	o.Revision = "" // the first step changes it
	w := &a.plan.Operations[waiter]
	w.After[slices.Index(w.After, o.Seq)] = seq
	a.extra = append(a.extra, step)
}

const temporaryPrefix = "rollcall-moving-"

// IsTemporary reports whether a value is the first step of an exchange that was cut short: it is nobody's wish, and the other
// side must never take it over.
func IsTemporary(v directory.Value) bool { return strings.HasPrefix(v.String(), temporaryPrefix) }

// temporaryValue is unique per account and cannot reach anybody: the top-level domain .invalid is reserved (RFC 2606).
func temporaryValue(attribute, id string) directory.Value {
	sum := sha256.Sum256([]byte(id))
	name := temporaryPrefix + hex.EncodeToString(sum[:6])
	if attribute == directory.Email {
		return directory.Text(name + "@rollcall.invalid")
	}
	return directory.Text(name)
}

// apply removes what was dropped and adds the temporary steps and notes. What waited for an operation that is left out
// was dropped itself, so no After dangles.
func (a *arranger) apply() {
	kept := a.plan.Operations[:0:0]
	spare := make(map[int]bool) // groups that were to be made for what is left out
	for i, o := range a.plan.Operations {
		if a.left[i] || (o.Action == Create && len(a.dropped[i]) > 0) {
			for _, seq := range o.After {
				spare[seq] = true
			}
			continue
		}
		if len(a.dropped[i]) > 0 {
			changes := o.Changes[:0:0]
			for j, change := range o.Changes {
				if !a.dropped[i][j] {
					changes = append(changes, change)
				}
			}
			if o.Changes = changes; len(changes) == 0 && o.Action == Update {
				continue
			}
		}
		kept = append(kept, o)
	}
	for _, o := range kept {
		for _, seq := range o.After {
			delete(spare, seq)
		}
	}
	kept = slices.DeleteFunc(kept, func(o Operation) bool { return o.Action == CreateGroup && spare[o.Seq] })
	a.plan.Operations = append(kept, a.extra...)
	a.plan.Notes = append(a.plan.Notes, a.notes...)
}
