package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/rollcall-sync/rollcall/sync/diff"
	"github.com/rollcall-sync/rollcall/sync/state"
)

// An orphan is a sync that is not configured any more, under this name at least, and still holds accounts of the target.
// It was renamed, or left out by mistake: until somebody says that it is not to come back, what it gave is not taken away.

// findOrphans looks for them in the state, and says so.
func (w *world) findOrphans(ctx context.Context) error {
	if w.job.Configured == nil {
		return nil
	}
	linked, err := w.engine.options.State.LinkedSyncs(ctx)
	if err != nil {
		return err
	}
	for _, sync := range linked {
		if sync.Name == w.sync.Name || slices.Contains(w.job.Configured, sync.Name) {
			continue
		}
		here, err := w.sameTarget(ctx, sync)
		if err != nil {
			return err
		}
		_, held, err := w.engine.options.State.LinkCount(ctx, sync.Name)
		if err != nil {
			return err
		}
		if !here || held == 0 {
			continue
		}
		w.orphans = append(w.orphans, sync.Name)
		w.warnings = append(w.warnings, fmt.Sprintf("sync %s is not configured any more and holds %d %s of %s; nobody whom it holds loses access. If it is not to come back under that name: rollcall unlink --all %s",
			sync.Name, held, several(held, "account"), w.targetSide.Name, sync.Name))
	}
	return nil
}

// sameTarget reports that a sync wrote to the target of this one: by the place where that is known, otherwise by its name.
func (w *world) sameTarget(ctx context.Context, sync state.LinkedSync) (bool, error) {
	text, err := w.engine.options.State.Meta(ctx, rulesKey(sync.Name))
	if err != nil {
		return false, err
	}
	var last acceptedRules
	if text != "" && json.Unmarshal([]byte(text), &last) == nil && last.Target != "" {
		return last.Target == w.targetSide.Identity, nil
	}
	return sync.TargetDirectory == w.targetSide.Name, nil
}

// orphanClaims takes the claims of orphans on one account into a case.
func (w *world) orphanClaims(ctx context.Context, c *diff.Case, id string) error {
	if id == "" {
		return nil
	}
	for _, sync := range w.orphans {
		link, err := w.engine.options.State.LinkByTarget(ctx, sync, id)
		if errors.Is(err, state.ErrNotFound) {
			continue
		}
		if err != nil {
			return err
		}
		claim(c, link, false)
	}
	return nil
}

// UnlinkAll forgets all links of a sync that is not configured, and what else is remembered of it. No directory is
// written; the accounts that it held lose access in the next run of a sync that has let them go already.
func (e *Engine) UnlinkAll(ctx context.Context, sync string) (all, held int, err error) {
	lease, err := e.options.State.Acquire(ctx, sync, "unlink")
	if err != nil {
		return 0, 0, err
	}
	defer lease.Release() //nolint:errcheck // see Link
	if _, held, err = e.options.State.LinkCount(ctx, sync); err != nil {
		return 0, 0, err
	}
	if all, err = e.options.State.DeleteLinks(ctx, sync); err != nil {
		return 0, 0, err
	}
	if all == 0 {
		return 0, 0, fmt.Errorf("%w: the state has no links of a sync %q", ErrNobody, sync)
	}
	for _, key := range []string{rulesKey(sync), lossesKey(sync)} {
		if err := e.options.State.SetMeta(ctx, key, ""); err != nil {
			return all, held, err
		}
	}
	return all, held, nil
}
