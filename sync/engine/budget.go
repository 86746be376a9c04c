package engine

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/rollcall-sync/rollcall/sync/guard"
	"github.com/rollcall-sync/rollcall/sync/plan"
)

// Runs of one person share one budget: each takes access from one account, and a hundred of them from a hundred. What they
// took is counted until the next whole run, which sees both sides and is judged on its own.

func lossesKey(sync string) string { return "losses/" + sync }

// lostBefore returns the accounts that lost access in runs of one person since the last whole run; nothing in a whole run.
func (w *world) lostBefore(ctx context.Context) ([]string, error) {
	if !w.direct {
		return nil, nil
	}
	text, err := w.engine.options.State.Meta(ctx, lossesKey(w.sync.Name))
	if err != nil || text == "" {
		return nil, err
	}
	var lost []string
	if err := json.Unmarshal([]byte(text), &lost); err != nil {
		return nil, fmt.Errorf("state: what is kept of the losses of %s cannot be read: %w", w.sync.Name, err)
	}
	return lost, nil
}

// countLosses adds what a run of one person is about to take. It comes before the first write, so that a run that is
// killed has counted.
func (w *world) countLosses(ctx context.Context) error {
	if !w.direct {
		return nil
	}
	lost, err := w.lostBefore(ctx)
	if err != nil {
		return err
	}
	before := len(lost)
	err = w.plan.Operations.Each(func(_ int, o plan.Operation) error {
		if key := guard.LossKey(o); o.Action.Loss() && !slices.Contains(lost, key) {
			lost = append(lost, key)
		}
		return nil
	})
	if err != nil || len(lost) == before {
		return err
	}
	data, err := json.Marshal(lost)
	if err != nil {
		return err
	}
	return w.engine.options.State.SetMeta(ctx, lossesKey(w.sync.Name), string(data))
}

// forgetLosses begins the count anew after a whole run.
func (w *world) forgetLosses(ctx context.Context) error {
	return w.engine.options.State.SetMeta(ctx, lossesKey(w.sync.Name), "")
}
