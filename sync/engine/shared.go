package engine

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/rollcall-sync/rollcall/sync/diff"
	"github.com/rollcall-sync/rollcall/sync/directory"
	"github.com/rollcall-sync/rollcall/sync/rules"
	"github.com/rollcall-sync/rollcall/sync/state"
)

// elsewhere stands in DeactivatedBy of a link, without a time, while its account is inactive and none of our syncs did that.
const elsewhere = "somebody else"

// shared fills in what the links of all syncs say about the target account of a case: who else holds it, which groups they
// gave it, what they lead, and whether it was one of them that deactivated it. own is the link of this sync; nil where it has none.
func (w *world) shared(ctx context.Context, c *diff.Case, own *state.Link) error {
	others, err := w.othersOn(ctx, targetOf(c, own))
	if err != nil {
		return err
	}
	for _, other := range others {
		claim(c, other, w.place(other) < w.job.Earlier)
	}
	if err := w.orphanClaims(ctx, c, targetOf(c, own)); err != nil {
		return err
	}
	by := deactivatedBy(own, others)
	inactive := func(r *diff.Record) bool { return r == nil || r.Account.Status != directory.StatusActive }
	if c.Link != nil {
		mine := c.Source != nil || (own != nil && by.Sync == own.Sync) // nobody is deleted for what another sync did
		c.Link.Ours, c.Link.Since, c.Link.RememberedGroups = false, time.Time{}, nil
		if mine && inactive(c.Target) && !by.DeactivatedAt.IsZero() {
			c.Link.Ours, c.Link.Since, c.Link.RememberedGroups = true, by.DeactivatedAt, by.RememberedGroups
			for _, other := range others { // the time until a deletion begins with the last of us who let go
				if other.DeactivatedAt.After(c.Link.Since) {
					c.Link.Since = other.DeactivatedAt
				}
			}
			if w.restoredAt.After(c.Link.Since) { // a state from a backup may remember a deactivation that was undone and repeated
				c.Link.Since = w.restoredAt
			}
		}
	}
	if len(c.Candidates) == 1 && inactive(&c.Candidates[0].Record) && !by.DeactivatedAt.IsZero() {
		candidate := &c.Candidates[0]
		candidate.Ours, candidate.Since, candidate.RememberedGroups = true, by.DeactivatedAt, by.RememberedGroups
	}
	return nil
}

// othersOn returns the links of the other configured syncs to one account of the target.
func (w *world) othersOn(ctx context.Context, id string) ([]state.Link, error) {
	if id == "" {
		return nil, nil
	}
	var links []state.Link
	for _, other := range w.job.Others { // by their names and not by that of the target, which may have another one now
		link, err := w.engine.options.State.LinkByTarget(ctx, other.Name, id)
		if errors.Is(err, state.ErrNotFound) {
			continue
		}
		if err != nil {
			return nil, err
		}
		links = append(links, link)
	}
	slices.SortFunc(links, func(a, b state.Link) int { return strings.Compare(a.Sync, b.Sync) })
	return links, nil
}

// place returns where the sync of a link stands among the others.
func (w *world) place(link state.Link) int {
	return slices.IndexFunc(w.job.Others, func(s rules.Sync) bool { return s.Name == link.Sync })
}

func targetOf(c *diff.Case, own *state.Link) string {
	if own != nil {
		return own.TargetID
	}
	if len(c.Candidates) == 1 {
		return c.Candidates[0].Record.Account.ID
	}
	return ""
}

// claim takes the claim of another sync into a case.
func claim(c *diff.Case, other state.Link, earlier bool) {
	if other.Claim != state.Held {
		return
	}
	c.OtherClaims = append(c.OtherClaims, other.Sync)
	c.OtherGroups = append(c.OtherGroups, other.Base.Groups...)
	if !earlier {
		return
	}
	if c.LedElsewhere == nil {
		c.LedElsewhere = make(map[string]string)
	}
	for name := range other.Base.Attributes {
		c.LedElsewhere[name] = other.Sync
	}
}

// deactivatedBy returns the link under which one of our syncs deactivated an account; the zero link where none did, or where the
// account has been active since. A sync that takes an inactive account takes over who deactivated it (see settleDeactivation),
// and forgets that when it activates it. So a sync that holds the account and knows of no deactivation of ours has seen it
// active, or inactive by somebody else, after whatever the links of the others remember; so has one that let it go in that state.
func deactivatedBy(own *state.Link, others []state.Link) state.Link {
	unaware := func(l state.Link) bool {
		return l.DeactivatedAt.IsZero() && (l.Claim == state.Held || l.DeactivatedBy == elsewhere)
	}
	switch {
	case slices.ContainsFunc(others, unaware):
		return state.Link{}
	case own != nil && (!own.DeactivatedAt.IsZero() || unaware(*own)):
		return *own
	}
	var last state.Link
	for _, other := range others {
		if other.DeactivatedAt.After(last.DeactivatedAt) {
			last = other
		}
	}
	return last
}

// settleDeactivation brings a link, with the claim that it will have, up to what a case says of who deactivated the account. A
// deactivation by another sync is taken over with the account, so that an activation that fails is tried again; one that somebody
// has undone is forgotten, so that it does not hide a later one by somebody else.
func settleDeactivation(c diff.Case, link *state.Link) (changed bool) {
	by := link.DeactivatedBy
	switch {
	case c.Link == nil:
		if len(c.Candidates) == 1 && c.Candidates[0].Ours {
			link.DeactivatedAt, link.RememberedGroups = c.Candidates[0].Since, c.Candidates[0].RememberedGroups
		}
	case c.Target == nil:
	case c.Link.Ours:
		if link.DeactivatedAt.IsZero() && link.Claim == state.Held {
			link.DeactivatedAt, link.DeactivatedBy, link.RememberedGroups = c.Link.Since, "", c.Link.RememberedGroups
		}
	case c.Target.Account.Status == directory.StatusActive:
		link.DeactivatedAt, link.DeactivatedBy, link.RememberedGroups = time.Time{}, "", nil
	case c.Target.Account.Status == directory.StatusInactive && (c.Source != nil || c.Link.Held || !link.DeactivatedAt.IsZero()):
		link.DeactivatedAt, link.DeactivatedBy, link.RememberedGroups = time.Time{}, elsewhere, nil
	}
	return by != link.DeactivatedBy
}
