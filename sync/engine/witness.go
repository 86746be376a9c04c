package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/rollcall-sync/rollcall/sync/diff"
	"github.com/rollcall-sync/rollcall/sync/directory"
	"github.com/rollcall-sync/rollcall/sync/mapping"
	"github.com/rollcall-sync/rollcall/sync/plan"
	"github.com/rollcall-sync/rollcall/sync/rules"
	"github.com/rollcall-sync/rollcall/sync/state"
)

// witnesses asks the source directly about every linked account that its listing lacks: only "there is no such account"
// confirms that it is gone. One that is found proves that the listing was not complete after all.
func (w *world) witnesses(ctx context.Context, suspects []string) error {
	if !w.source.Certificate.Complete || w.direct {
		return nil
	}
	getter, ok := w.job.Source.(directory.Getter)
	if !ok {
		return nil
	}
	confirmed, alive, err := lookUpSuspects(ctx, getter, suspects, max(1, w.sourceSide.ReadConcurrency))
	if err != nil {
		return err
	}
	for _, id := range confirmed {
		w.gone[id] = true
	}
	if len(alive) > 0 {
		slices.Sort(alive)
		w.source.Certificate.Contradict(fmt.Sprintf("%d %s that the listing lacks %s when asked for (%s)", len(alive), several(len(alive), "account"), exists(len(alive)), first(alive, 3)))
	}
	return nil
}

// lookUpSuspects asks for each of the ids. It stops early once one of them is found: then nobody loses access in this run,
// and a listing that lacks half of the people is not followed by thousands of look-ups. No answer is no witness.
func lookUpSuspects(ctx context.Context, getter directory.Getter, ids []string, concurrency int) (gone, alive []string, err error) {
	var mu sync.Mutex
	found := false
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(concurrency)
	for _, id := range ids {
		group.Go(func() error {
			mu.Lock()
			enough := found
			mu.Unlock()
			if enough {
				return nil
			}
			_, err := getter.GetAccount(ctx, id)
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err == nil:
				alive, found = append(alive, id), true
			case errors.Is(err, directory.NotFound):
				gone = append(gone, id)
			case ctx.Err() != nil:
				return ctx.Err()
			}
			return nil
		})
	}
	err = group.Wait()
	return gone, alive, err
}

func exists(n int) string {
	if n == 1 {
		return "exists"
	}
	return "exist"
}

// targetEvidence says what the absence of a linked account from the listing of the target proves. Where it would be made anew, the
// target is asked for it by its id first: a listing that leaves it out, with a count that agrees, must not double it.
func (w *world) targetEvidence(ctx context.Context, source *diff.Record, id string) diff.Evidence {
	if !w.target.Certificate.Complete || (w.direct && !w.targetGone[id]) {
		return diff.Withheld
	}
	inPlay := source != nil && source.Account.Status == directory.StatusActive && source.Out.Scope == mapping.Yes
	if !w.direct && inPlay && w.sync.Actions.MissingInTarget == rules.Recreate && !w.goneFromTarget(ctx, id) {
		return diff.Suspected
	}
	return diff.Gone
}

// goneFromTarget asks the target for an account that its listing lacks. Where it cannot be asked, the listing is all there is.
func (w *world) goneFromTarget(ctx context.Context, id string) bool {
	getter, ok := w.job.Target.(directory.Getter)
	return !ok || w.provenGone(ctx, plan.Target, getter, id)
}

// provenGone asks a directory for an account by its id. The answer is remembered, because a pair is decided once more when its
// operations are carried out: it must be decided the same then, and nobody may wait for a directory meanwhile.
func (w *world) provenGone(ctx context.Context, side plan.Side, getter directory.Getter, id string) bool {
	key := string(side) + "\x00" + id
	gone, asked := w.asked[key]
	if !asked {
		_, err := getter.GetAccount(ctx, id)
		gone = errors.Is(err, directory.NotFound)
		w.asked[key] = gone
	}
	return gone
}

// needsWitness reports that something would follow from the account's absence.
func (w *world) needsWitness(head state.LinkHead) bool {
	if w.target.Position(head.TargetID) < 0 {
		return false
	}
	if head.Claim == state.Held {
		return true
	}
	if _, configured, _ := w.sync.Actions.DeleteGrace(); configured && !head.DeactivatedAt.IsZero() {
		return true
	}
	account, ok, err := w.target.Get(head.TargetID)
	return err == nil && ok && account.Status != directory.StatusInactive
}
