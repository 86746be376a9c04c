package schedule

import (
	"context"
	"encoding/json"
	"errors"
	"sync"
	"time"

	"github.com/rollcall-sync/rollcall/sync/engine"
	"github.com/rollcall-sync/rollcall/sync/state"
)

// How many runs History looks at: few first, because a run carries its whole report, then as far back as it ever goes.
const (
	fewRuns  = 10
	mostRuns = 500
)

// Runs is the part of the state that History reads.
type Runs interface {
	LastRun(ctx context.Context, sync string) (state.Run, error)
	Runs(ctx context.Context, filter state.RunFilter) ([]state.Run, error)
}

// History answers when a sync last ran, by whatever command or process. It is safe for concurrent use.
type History struct {
	runs Runs

	mu sync.Mutex
	// known keeps the answers of each sync until it has run again.
	known map[string]known
}

type known struct {
	// run is the last run that the answers take in, ended whether it was over by then.
	run         string
	ended       bool
	whole, good time.Time
}

// NewHistory returns a History of a state.
func NewHistory(runs Runs) *History { return &History{runs: runs, known: make(map[string]known)} }

// LastRun returns the start of the last run that took everybody and came to its end, however that was; zero where there
// is none. An interrupted run is one that still has to be made up for.
func (h *History) LastRun(ctx context.Context, sync string) (time.Time, error) {
	k, err := h.look(ctx, sync)
	return k.whole, err
}

// LastGood returns the start of the last run of everybody that did what it should: ok, nothing to do, or all but some
// accounts. Zero where there is none.
func (h *History) LastGood(ctx context.Context, sync string) (time.Time, error) {
	k, err := h.look(ctx, sync)
	return k.good, err
}

func (h *History) look(ctx context.Context, sync string) (known, error) {
	last, err := h.runs.LastRun(ctx, sync)
	if errors.Is(err, state.ErrNotFound) {
		return known{}, nil
	}
	if err != nil {
		return known{}, err
	}
	h.mu.Lock()
	k, ok := h.known[sync]
	h.mu.Unlock()
	if ok && k.run == last.ID && k.ended == !last.FinishedAt.IsZero() {
		return k, nil
	}
	k = known{run: last.ID, ended: !last.FinishedAt.IsZero()}
	for _, limit := range []int{fewRuns, mostRuns} {
		runs, err := h.runs.Runs(ctx, state.RunFilter{Sync: sync, Limit: limit})
		if err != nil {
			return known{}, err
		}
		k.take(runs)
		if !k.good.IsZero() || len(runs) < limit {
			break
		}
	}
	h.mu.Lock()
	h.known[sync] = k
	h.mu.Unlock()
	return k, nil
}

// take finds the answers in runs, the newest first.
func (k *known) take(runs []state.Run) {
	for _, run := range runs {
		if run.FinishedAt.IsZero() || run.Status == string(engine.StatusInterrupted) || ofOnePerson(run) {
			continue
		}
		if k.whole.IsZero() {
			k.whole = run.StartedAt
		}
		if isGood(run.Status) {
			k.good = run.StartedAt
			return
		}
	}
}

func isGood(status string) bool {
	switch engine.Status(status) {
	case engine.StatusOK, engine.StatusNothing, engine.StatusPartial:
		return true
	default:
		return false
	}
}

// ofOnePerson reports whether a run was for one account only.
func ofOnePerson(run state.Run) bool {
	var report struct {
		Account string `json:"account"`
	}
	return json.Unmarshal(run.Report, &report) == nil && report.Account != ""
}
