package engine

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/rollcall-sync/rollcall/sync/apply"
	"github.com/rollcall-sync/rollcall/sync/directory"
	"github.com/rollcall-sync/rollcall/sync/plan"
)

// Price is what carrying out a plan costs, as far as it can be told beforehand.
type Price struct {
	// Source and Target are the calls to each side: bulk calls count once, all group changes of an account once.
	Source int `json:"source_calls"`
	Target int `json:"target_calls"`
	// Seconds is how long it takes at the pace of the last run with enough to do; 0 where there was none.
	Seconds float64 `json:"seconds,omitempty"`
}

// price counts without loading the operations.
func (w *world) price(ctx context.Context) (Price, error) {
	type account struct {
		side plan.Side
		pair uint64
	}
	creations, others := make(map[plan.Side]int), make(map[plan.Side]int)
	var last account // group changes of one account stand beside each other
	list := &w.plan.Operations
	for position := range list.Len() {
		side, action, pair := list.Head(position)
		switch action {
		case plan.Link:
		case plan.Create:
			creations[side]++
		case plan.GroupAdd, plan.GroupRemove:
			if now := (account{side, pair}); now != last {
				others[side]++
				last = now
			}
		default:
			others[side]++
		}
	}
	calls := func(side plan.Side, d directory.Directory) int {
		size := 1
		if _, ok := d.(directory.BulkCreator); ok {
			size = max(1, d.Describe().BulkSize)
		}
		return others[side] + (creations[side]+size-1)/size
	}
	p := Price{Source: calls(plan.Source, w.job.Source), Target: calls(plan.Target, w.job.Target)}
	perSecond, err := w.lastPace(ctx)
	if err == nil && perSecond > 0 {
		p.Seconds = float64(list.Len()) / perSecond
	}
	return p, err
}

// leastForPace is how many operations a run must have done to tell how fast the next will be.
const leastForPace = 50

func paceKey(sync string) string { return "pace/" + sync }

// lastPace returns the operations per second of the last run that had enough to do.
func (w *world) lastPace(ctx context.Context) (perSecond float64, err error) {
	text, err := w.engine.options.State.Meta(ctx, paceKey(w.sync.Name))
	if err != nil || text == "" {
		return 0, err
	}
	if err := json.Unmarshal([]byte(text), &perSecond); err != nil {
		return 0, fmt.Errorf("state: what is kept of the pace of %s cannot be read: %w", w.sync.Name, err)
	}
	return perSecond, nil
}

// rememberPace keeps how fast the operations of a run were.
func (w *world) rememberPace(ctx context.Context, result *apply.Result, took time.Duration) error {
	done := 0
	for _, actions := range result.Done {
		for action, n := range actions {
			if action != plan.Link {
				done += n
			}
		}
	}
	if done < leastForPace || took <= 0 {
		return nil
	}
	data, err := json.Marshal(float64(done) / took.Seconds())
	if err != nil {
		return err
	}
	return w.engine.options.State.SetMeta(context.WithoutCancel(ctx), paceKey(w.sync.Name), string(data))
}

// leastForWords is how many calls are worth a word.
const leastForWords = 50

// words says what the plan costs: "about 1,200 writes to website, 3m0s at the pace of the last run"; empty for little.
func (p Price) words(source, target string) string {
	if p.Source+p.Target < leastForWords {
		return ""
	}
	var parts []string
	if p.Target > 0 {
		parts = append(parts, fmt.Sprintf("%d %s to %s", p.Target, several(p.Target, "write"), target))
	}
	if p.Source > 0 {
		parts = append(parts, fmt.Sprintf("%d %s to %s", p.Source, several(p.Source, "write"), source))
	}
	text := "about " + strings.Join(parts, " and ")
	if p.Seconds > 0 {
		text += fmt.Sprintf(", %s at the pace of the last run", time.Duration(p.Seconds*float64(time.Second)).Round(time.Second))
	}
	return text
}
