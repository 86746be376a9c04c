package server

import (
	"context"
	"time"

	"github.com/rollcall-sync/rollcall/sync/schedule"
)

// readiness is the answer of /readyz.
type readiness struct {
	Ready bool `json:"ready"`
	// State is ok or unreachable.
	State string      `json:"state"`
	Syncs []syncReady `json:"syncs"`
}

type syncReady struct {
	Sync     string `json:"sync"`
	Ready    bool   `json:"ready"`
	Schedule string `json:"schedule"`
	Running  bool   `json:"running"`
	// LastGood is missing where there was none, Age with it.
	LastGood *time.Time `json:"last_good,omitempty"`
	Age      *float64   `json:"age_seconds,omitempty"`
	// Overdue is when the sync counts as overdue without another good run, Next when it runs next.
	Overdue *time.Time `json:"overdue_at,omitempty"`
	Next    *time.Time `json:"next,omitempty"`
	Reason  string     `json:"reason,omitempty"`
}

// readiness looks at the state and at each sync. A sync is overdue when two of its times have passed since its last good
// run: twice the interval of a regular schedule, and fair to one that rests at the weekend. Before the first good run it
// goes by when this process began.
func (s *Server) readiness(ctx context.Context) readiness {
	ctx, cancel := context.WithTimeout(ctx, stateTimeout)
	defer cancel()
	answer := readiness{Ready: true, State: "ok", Syncs: []syncReady{}}
	now := s.options.Now()
	for _, status := range s.options.Status() {
		good, err := s.options.History.LastGood(ctx, status.Sync)
		one := judge(status, good, now)
		if err != nil {
			s.options.Log.Error("the state cannot be read", "sync", status.Sync, "error", err)
			answer.State, one.Ready, one.Reason = "unreachable", false, "the state cannot be read; the log says why"
		}
		answer.Ready = answer.Ready && one.Ready
		answer.Syncs = append(answer.Syncs, one)
	}
	return answer
}

func judge(status schedule.Status, good, now time.Time) syncReady {
	one := syncReady{Sync: status.Sync, Ready: true, Schedule: status.Cadence.String(), Running: status.Running, Next: pointer(status.Next)}
	since := status.Since
	if !good.IsZero() {
		age := now.Sub(good).Seconds()
		since, one.LastGood, one.Age = good, pointer(good), &age
	}
	overdue := status.Cadence.Next(status.Cadence.Next(since))
	one.Overdue = pointer(overdue)
	if !overdue.IsZero() && overdue.Before(now) {
		one.Ready, one.Reason = false, "no good run for more than two of its times; the log and `rollcall history` say why"
	}
	return one
}

func pointer(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}
