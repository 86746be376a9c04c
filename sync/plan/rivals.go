package plan

import (
	"fmt"

	"github.com/cespare/xxhash/v2"
)

// Who is linked to whom is settled before unique values are: what is left out claims nothing.

// settleLinks leaves out the operations of all who match the same account, and those of a link whose place another takes.
func (a *arranger) settleLinks() error {
	list := &a.plan.Operations
	var links []claim
	takers := make(map[string]string) // target account → source account that takes the place of another
	err := list.Each(func(op int, o Operation) error {
		if o.Action == Link {
			links = append(links, claim{hash: xxhash.Sum64String(o.TargetID), op: uint32(op)})
			if o.Replaces != "" {
				takers[o.TargetID] = o.SourceID
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	rivals, err := a.rivalLinks(links)
	if err != nil || len(rivals)+len(takers) == 0 {
		return err
	}
	return list.Each(func(op int, o Operation) error {
		taker, taken := takers[o.TargetID]
		if rivals[o.SourceID] || (taken && o.TargetID != "" && taker != o.SourceID) {
			list.items[op].dropped = true
		}
		return nil
	})
}

// rivalLinks returns the source accounts of links to an account that somebody else is to be linked to as well.
func (a *arranger) rivalLinks(links []claim) (map[string]bool, error) {
	byTarget := make(map[string][]Operation)
	for _, c := range agreeing(links) {
		o, err := a.load(int(c.op))
		if err != nil {
			return nil, err
		}
		byTarget[o.TargetID] = append(byTarget[o.TargetID], o)
	}
	rivals := make(map[string]bool) // source accounts
	for _, found := range byTarget {
		if len(found) < 2 {
			continue
		}
		for _, o := range found {
			rivals[o.SourceID] = true
			other := found[0]
			if other.SourceID == o.SourceID {
				other = found[1]
			}
			a.notes = append(a.notes, Note{Kind: NoteAmbiguous, Account: o.Account, ID: o.SourceID, Message: fmt.Sprintf(
				"matches the account with id %s, and so does %s (id %s); if it is this one: `rollcall link %s %s %s`", o.TargetID, other.Account, other.SourceID, a.plan.Sync, o.SourceID, o.TargetID)})
		}
	}
	return rivals, nil
}
