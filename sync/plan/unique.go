package plan

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"github.com/cespare/xxhash/v2"

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

// KeyOf returns the folded value (mapping.Key) under which a change of an operation claims a unique value; empty where the
// attribute need not be unique.
type KeyOf func(side Side, change Change) string

// Holder tells which account of the written side holds a key now; ok is false where nobody does.
type Holder func(side Side, attribute, key string) (id, label string, ok bool)

// Arrange settles who gets which unique value. Operations that lose a change are left out when nothing remains of them; a
// creation cannot do without a change and is left out as a whole. It is called before Sort.
func (p *Plan) Arrange(keyOf KeyOf, holder Holder) error {
	a := arranger{plan: p, keyOf: keyOf, dropped: make(map[int]map[int]bool), byOp: make(map[opKey]int), after: make(map[int][]int)}
	for _, step := range []func() error{a.settleLinks, func() error { return a.collect(holder) }, a.dropDoubles, a.findHolders, a.dropHeld, a.connect, a.breakRings, a.apply} {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

// claim is a unique value that an operation wants. There may be millions, so it is small: hashes may agree by chance, and
// what has the same one is compared.
type claim struct {
	hash   uint64
	op     uint32 // index of the operation
	change uint32 // index of the change in it
}

type opKey struct {
	side Side
	id   string
}

// heldClaim is a claim to a value that somebody else has now.
type heldClaim struct {
	claim
	side                              Side
	account, attribute, holder, label string
}

type arranger struct {
	plan    *Plan
	keyOf   KeyOf
	claims  []claim
	held    []heldClaim
	byOp    map[opKey]int        // updates of holders
	dropped map[int]map[int]bool // operation → changes left out
	after   map[int][]int        // operation → indexes of those it waits for
	notes   []Note
	extra   []Operation
}

// load returns an operation by its index. Those that matter here are few.
func (a *arranger) load(op int) (Operation, error) {
	return a.plan.Operations.load(&a.plan.Operations.items[op])
}

// want names what a change claims.
func want(side Side, attribute, key string) string {
	return string(side) + "\x00" + attribute + "\x00" + key
}

// agreeing returns the claims whose hash is not the only one of its kind, in the order of the operations.
func agreeing(claims []claim) []claim {
	slices.SortFunc(claims, func(x, y claim) int { return cmp.Compare(x.hash, y.hash) })
	var found []claim
	for from := 0; from < len(claims); {
		to := from + 1
		for to < len(claims) && claims[to].hash == claims[from].hash {
			to++
		}
		if to-from > 1 {
			found = append(found, claims[from:to]...)
		}
		from = to
	}
	slices.SortFunc(found, func(x, y claim) int { return cmp.Or(cmp.Compare(x.op, y.op), cmp.Compare(x.change, y.change)) })
	return found
}

// collect goes through the plan once and notes every claim, and whose value it is now.
func (a *arranger) collect(holder Holder) error {
	return a.plan.Operations.Each(func(op int, o Operation) error {
		if a.plan.Operations.items[op].dropped || (o.Action != Create && o.Action != Update) {
			return nil
		}
		for i, change := range o.Changes {
			key := a.keyOf(o.Side, change)
			if key == "" {
				continue
			}
			c := claim{xxhash.Sum64String(want(o.Side, change.Attribute, key)), uint32(op), uint32(i)}
			a.claims = append(a.claims, c)
			if id, label, ok := holder(o.Side, change.Attribute, key); ok && id != o.WrittenID() {
				a.held = append(a.held, heldClaim{claim: c, side: o.Side, account: o.Account, attribute: change.Attribute, holder: id, label: label})
			}
		}
		return nil
	})
}

func (a *arranger) drop(c claim, message string) error {
	o, err := a.load(int(c.op))
	if err != nil || a.isDropped(c) {
		return err
	}
	if a.dropped[int(c.op)] == nil {
		a.dropped[int(c.op)] = make(map[int]bool)
	}
	a.dropped[int(c.op)][int(c.change)] = true
	id := o.SourceID
	if o.Side == Source {
		id = o.TargetID
	}
	a.notes = append(a.notes, Note{Kind: NoteConflict, Account: o.Account, ID: id, Message: message})
	return nil
}

func (a *arranger) isDropped(c claim) bool {
	if a.plan.Operations.Action(int(c.op)) == Create {
		return len(a.dropped[int(c.op)]) > 0 // a creation stands or falls as a whole
	}
	return a.dropped[int(c.op)][int(c.change)]
}

// dropDoubles leaves out all claims to a value that more than one operation wants.
func (a *arranger) dropDoubles() error {
	doubles := agreeing(a.claims)
	a.claims = nil
	rivals := make(map[string][]claim)
	wants := make([]string, len(doubles))
	for i, c := range doubles {
		o, err := a.load(int(c.op))
		if err != nil {
			return err
		}
		change := o.Changes[c.change]
		wants[i] = want(o.Side, change.Attribute, a.keyOf(o.Side, change))
		rivals[wants[i]] = append(rivals[wants[i]], c)
	}
	for i, c := range doubles {
		other := slices.IndexFunc(rivals[wants[i]], func(rival claim) bool { return rival.op != c.op })
		if other < 0 {
			continue
		}
		o, err := a.load(int(c.op))
		if err != nil {
			return err
		}
		rival, err := a.load(int(rivals[wants[i]][other].op))
		if err != nil {
			return err
		}
		change := o.Changes[c.change]
		if err := a.drop(c, fmt.Sprintf("%s %q is wanted by %s too; nobody gets it until one of them changes", change.Attribute, change.After, rival.Account)); err != nil {
			return err
		}
	}
	return nil
}

// findHolders notes the updates of those who hold a claimed value.
func (a *arranger) findHolders() error {
	if len(a.held) == 0 {
		return nil
	}
	// The order of the listing is no order; who steps aside must not depend on it.
	slices.SortFunc(a.held, func(x, y heldClaim) int {
		return cmp.Or(cmp.Compare(x.side, y.side), cmp.Compare(x.account, y.account), cmp.Compare(x.attribute, y.attribute), cmp.Compare(x.holder, y.holder))
	})
	holders := make(map[opKey]bool, len(a.held))
	for _, h := range a.held {
		holders[opKey{h.side, h.holder}] = true
	}
	return a.plan.Operations.Each(func(op int, o Operation) error {
		if key := (opKey{o.Side, o.WrittenID()}); o.Action == Update && holders[key] && !a.plan.Operations.items[op].dropped {
			a.byOp[key] = op
		}
		return nil
	})
}

// leaves reports whether the holder gives the claimed value up in this plan.
func (a *arranger) leaves(h heldClaim) (op int, ok bool, err error) {
	op, found := a.byOp[opKey{h.side, h.holder}]
	if !found {
		return 0, false, nil
	}
	o, err := a.load(op)
	if err != nil {
		return 0, false, err
	}
	for i, change := range o.Changes {
		if change.Attribute == h.attribute && !a.dropped[op][i] {
			return op, true, nil
		}
	}
	return 0, false, nil
}

// dropHeld leaves out claims to values whose holder keeps them, until nothing more changes: a holder who loses its own
// claim keeps its value after all.
func (a *arranger) dropHeld() error {
	for changed := true; changed; {
		changed = false
		for _, h := range a.held {
			if a.isDropped(h.claim) {
				continue
			}
			_, ok, err := a.leaves(h)
			if err != nil {
				return err
			}
			if ok {
				continue
			}
			o, err := a.load(int(h.op))
			if err != nil {
				return err
			}
			if err := a.drop(h.claim, fmt.Sprintf("%s %q belongs to %s already", h.attribute, o.Changes[h.change].After, h.label)); err != nil {
				return err
			}
			changed = true
		}
	}
	return nil
}

// connect makes each operation wait for the one that frees its value.
func (a *arranger) connect() error {
	for _, h := range a.held {
		if a.isDropped(h.claim) {
			continue
		}
		op, _, err := a.leaves(h)
		if err != nil {
			return err
		}
		if waiter := int(h.op); !slices.Contains(a.after[waiter], op) {
			a.after[waiter] = append(a.after[waiter], op)
		}
	}
	return nil
}

// breakRings finds operations that wait for each other in a ring and lets one of each ring step aside first.
func (a *arranger) breakRings() error {
	const white, grey, black = 0, 1, 2
	colour := make(map[int]int)
	var visit func(op int) error
	visit = func(op int) error {
		colour[op] = grey
		for _, target := range slices.Clone(a.after[op]) {
			if target >= len(a.plan.Operations.items) {
				continue // a step aside waits for nobody
			}
			switch colour[target] {
			case white:
				if err := visit(target); err != nil {
					return err
				}
			case grey:
				// op waits for target, which (by a chain) waits for op: target steps aside, and op
				// waits for that step alone.
				if err := a.stepAside(target, op); err != nil {
					return err
				}
			}
		}
		colour[op] = black
		return nil
	}
	for _, h := range a.held {
		if !a.isDropped(h.claim) && colour[int(h.op)] == white {
			if err := visit(int(h.op)); err != nil {
				return err
			}
		}
	}
	return nil
}

// stepAside gives the holder a value of our own in a first step, so that waiter can have the old one.
func (a *arranger) stepAside(holder, waiter int) error {
	o, err := a.load(holder)
	if err != nil {
		return err
	}
	other, err := a.load(waiter)
	if err != nil {
		return err
	}
	step := o
	step.After, step.Temporary, step.Changes = nil, true, nil
	aside := make(map[int]directory.Value)
	for _, h := range a.held {
		if int(h.op) != waiter || h.holder != o.WrittenID() || a.isDropped(h.claim) {
			continue
		}
		for i, change := range o.Changes {
			if change.Attribute == h.attribute {
				aside[i] = temporaryValue(h.attribute, o.WrittenID())
				step.Changes = append(step.Changes, Change{Attribute: h.attribute, Before: change.Before, After: aside[i], Rule: change.Rule})
			}
		}
	}
	step.Reason = fmt.Sprintf("makes room: %s takes over the old value in this run", other.Account)
	seq := len(a.plan.Operations.items) + len(a.extra)
	a.extra = append(a.extra, step)
	a.after[holder] = append(a.after[holder], seq)
	a.after[waiter][slices.Index(a.after[waiter], holder)] = seq
	return a.plan.Operations.edit(holder, func(o *Operation) {
		o.Changes = slices.Clone(o.Changes)
		for i, value := range aside {
			o.Changes[i].Before = value
		}
		o.Revision = "" // the first step changes it
	})
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
func (a *arranger) apply() error {
	list := &a.plan.Operations
	for _, step := range a.extra {
		if err := list.Add(step); err != nil {
			return err
		}
	}
	for op, changes := range a.dropped {
		if list.Action(op) == Create {
			list.items[op].dropped = true
			continue
		}
		empty := false
		err := list.edit(op, func(o *Operation) {
			kept := o.Changes[:0:0]
			var left []string
			for j, change := range o.Changes {
				if !changes[j] {
					kept = append(kept, change)
				} else {
					left = append(left, change.Attribute)
				}
			}
			o.Reason += "; " + strings.Join(left, ", ") + " left out"
			o.Changes, empty = kept, len(kept) == 0
		})
		if err != nil {
			return err
		}
		list.items[op].dropped = empty
	}
	for op, others := range a.after {
		err := list.edit(op, func(o *Operation) {
			o.After = slices.Clone(o.After)
			for _, other := range others {
				o.After = append(o.After, other+1)
			}
		})
		if err != nil {
			return err
		}
		for _, index := range append(others, op) {
			list.items[index].tied = true
		}
	}
	a.plan.Notes = append(a.plan.Notes, a.notes...)
	return a.dropSpareGroups()
}

// dropSpareGroups leaves out the groups that were to be made only for what is left out.
func (a *arranger) dropSpareGroups() error {
	list := &a.plan.Operations
	spare := make(map[int]bool)
	for i := range list.items {
		if !list.items[i].dropped {
			continue
		}
		o, err := list.load(&list.items[i])
		if err != nil {
			return err
		}
		for _, seq := range o.After {
			spare[seq] = phases[list.items[seq-1].action] == CreateGroup
		}
	}
	if len(spare) == 0 {
		return nil
	}
	err := list.Each(func(i int, o Operation) error {
		if !list.items[i].dropped {
			for _, seq := range o.After {
				delete(spare, seq)
			}
		}
		return nil
	})
	for seq, group := range spare {
		list.items[seq-1].dropped = list.items[seq-1].dropped || group
	}
	return err
}
