package engine

import (
	"context"
	"errors"
	"fmt"

	"github.com/rollcall-sync/rollcall/sync/directory"
	"github.com/rollcall-sync/rollcall/sync/plan"
	"github.com/rollcall-sync/rollcall/sync/state"
)

// Link joins two accounts by an administrator's word: source and target are ids, usernames or e-mails. Nothing is written to
// a directory; the next run compares the pair. A privileged account can be linked this way, but it is still never written.
func (e *Engine) Link(ctx context.Context, job Job, source, target string) (state.Link, error) {
	lease, err := e.options.State.Acquire(ctx, job.Sync.Name, "link")
	if err != nil {
		return state.Link{}, err
	}
	defer lease.Release() //nolint:errcheck // an unreleased lease of a process that ends is taken over at once
	w, err := e.open(ctx, job)
	if err != nil {
		return state.Link{}, err
	}
	defer w.discard()
	from, err := w.pick(ctx, job.Source, plan.Source, source)
	if err != nil {
		return state.Link{}, err
	}
	to, err := w.pick(ctx, job.Target, plan.Target, target)
	if err != nil {
		return state.Link{}, err
	}
	link := state.Link{
		Sync: job.Sync.Name, SourceDirectory: w.sourceSide.Name, TargetDirectory: w.targetSide.Name, SourceLabel: from.Label(), TargetLabel: to.Label(),
		Origin: state.OriginCommand, CreatedRun: "command", CreatedAt: e.options.Now(),
	}
	link.SourceID, link.TargetID, link.Claim = from.ID, to.ID, state.Held
	others, err := w.othersOn(ctx, to.ID)
	if err != nil {
		return state.Link{}, err
	}
	old, err := e.options.State.LinkByTarget(ctx, job.Sync.Name, to.ID)
	switch {
	case err == nil && old.SourceID == from.ID:
		return old, nil
	case err == nil:
		if err := w.stillThere(ctx, old); err != nil {
			return state.Link{}, err
		}
		// A rehire: the account goes over from somebody who is proven gone.
		takeOver(&link, to, deactivatedBy(&old, others))
		if err := e.options.State.DeleteLink(ctx, job.Sync.Name, old.SourceID); err != nil {
			return state.Link{}, err
		}
	case !errors.Is(err, state.ErrNotFound):
		return state.Link{}, err
	default:
		takeOver(&link, to, deactivatedBy(nil, others))
	}
	return link, e.options.State.SaveLinks(ctx, link)
}

// takeOver gives a new link what another one knows of the account's deactivation, if that is still true.
func takeOver(link *state.Link, account directory.Account, from state.Link) {
	if account.Status != directory.StatusActive {
		link.DeactivatedAt, link.DeactivatedBy, link.RememberedGroups = from.DeactivatedAt, from.DeactivatedBy, from.RememberedGroups
	}
}

// stillThere refuses to take an account away from a source account that exists.
func (w *world) stillThere(ctx context.Context, old state.Link) error {
	_, missing, err := w.lookUp(ctx, w.job.Source, plan.Source, []string{old.SourceID}, nil, "")
	if err != nil {
		return err
	}
	if doubt := w.listed[plan.Source].Failed(); doubt != "" {
		return fmt.Errorf("%s is linked to %s (id %s), and whether they still exist in %s cannot be told: %s; `rollcall unlink %s %s` first", orID(old.TargetLabel, old.TargetID),
			orID(old.SourceLabel, old.SourceID), old.SourceID, w.sourceSide.Name, doubt, w.sync.Name, old.SourceID)
	}
	if !missing[old.SourceID] {
		return fmt.Errorf("%s is linked to %s (id %s), who still exists in %s; `rollcall unlink %s %s` first", orID(old.TargetLabel, old.TargetID),
			orID(old.SourceLabel, old.SourceID), old.SourceID, w.sourceSide.Name, w.sync.Name, old.SourceID)
	}
	return nil
}

// pick returns the one account of a directory that answers to a name.
func (w *world) pick(ctx context.Context, d directory.Directory, side plan.Side, who string) (directory.Account, error) {
	name := d.Describe().Name
	found, _, err := w.lookUp(ctx, d, side, []string{who}, []string{directory.Username, directory.Email}, who)
	switch {
	case err != nil:
		return directory.Account{}, err
	case len(found) == 0:
		return directory.Account{}, fmt.Errorf("%w: %q is no id, username or e-mail in %s", ErrNobody, who, name)
	case len(found) > 1:
		return directory.Account{}, fmt.Errorf("%w for %q in %s: ids %s and %s; name the one that is meant by its id", ErrAmbiguous, who, name, found[0].ID, found[1].ID)
	}
	return found[0], nil
}

// Unlink forgets the link of one person, found by id or name on either side. Nothing is written to a directory; the account
// of the target is unmanaged from then on, until it is matched again.
func (e *Engine) Unlink(ctx context.Context, sync, who string) (state.Link, error) {
	lease, err := e.options.State.Acquire(ctx, sync, "unlink")
	if err != nil {
		return state.Link{}, err
	}
	defer lease.Release() //nolint:errcheck // see Link
	links, err := e.options.State.FindLinks(ctx, sync, who)
	switch {
	case err != nil:
		return state.Link{}, err
	case len(links) == 0:
		return state.Link{}, fmt.Errorf("%w: no link of sync %s has the id or name %q", ErrNobody, sync, who)
	case len(links) > 1:
		return state.Link{}, fmt.Errorf("%w: %d links of sync %s have the name %q; use the source id (%s, %s)", ErrAmbiguous, len(links), sync, who,
			links[0].SourceID, links[1].SourceID)
	}
	return links[0], e.options.State.DeleteLink(ctx, sync, links[0].SourceID)
}
