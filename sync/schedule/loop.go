package schedule

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/rollcall-sync/rollcall/sync/state"
)

// Run runs the syncs at their times until the context ends or Stop is called, and returns when all runs have ended.
// ErrGrace names those that had not ended when the grace period was over; they are left behind. An error of LastRun ends
// it before anything is started. It must be called once only.
func (s *Scheduler) Run(ctx context.Context) error {
	s.mu.Lock()
	if s.begun {
		s.mu.Unlock()
		panic("schedule: Run was called twice")
	}
	s.begun = true
	s.mu.Unlock()
	defer close(s.gone)
	// Runs left behind after the grace period must not wait for a loop that is gone.
	abandoned := make(chan struct{})
	defer close(abandoned)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	if err := s.begin(ctx); err != nil {
		if s.stopped(ctx) {
			return nil
		}
		return err
	}
	for !s.stopped(ctx) {
		timer, end := s.options.After(s.step(ctx, abandoned))
		select {
		case <-ctx.Done():
		case <-s.stop:
		case over := <-s.ended:
			s.finish(over)
		case <-s.wake:
		case <-timer:
		}
		end()
	}
	cancel()
	return s.drain()
}

// stopped reports whether nothing more may be started.
func (s *Scheduler) stopped(ctx context.Context) bool {
	select {
	case <-s.stop:
		return true
	default:
		return ctx.Err() != nil
	}
}

// begin looks for times that passed while nothing ran.
func (s *Scheduler) begin(ctx context.Context) error {
	s.mu.Lock()
	jobs := slices.Clone(s.jobs)
	s.mu.Unlock()
	for _, j := range jobs {
		last, err := s.options.LastRun(ctx, j.Name)
		if err != nil {
			return fmt.Errorf("sync %s: when it last ran is not known: %w", j.Name, err)
		}
		if !last.IsZero() {
			s.catchUp(j, last)
		}
	}
	return nil
}

// catchUp sets the first time of a sync that has run before.
func (s *Scheduler) catchUp(j *job, last time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.options.Now()
	missed := j.Cadence.Next(last)
	switch {
	case missed.IsZero():
	case missed.After(now):
		// The same as before, but for @every, which goes by the last run.
		j.next = missed
	case s.options.CatchUp:
		s.options.Log.Warn("a scheduled time passed while nothing ran; running now", "sync", j.Name, "missed", missed, "last_run", last)
		j.next = now
	default:
		s.options.Log.Warn("a scheduled time passed while nothing ran; waiting for the next one, as serve.catch_up says",
			"sync", j.Name, "missed", missed, "last_run", last, "next", j.next)
	}
}

// step queues what is due, starts what can be started, and returns how long nothing will happen by itself.
func (s *Scheduler) step(ctx context.Context, abandoned <-chan struct{}) time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.options.Now().Round(0) // the wall clock decides, also after a sleep
	wait := longestWait
	for _, j := range s.jobs {
		if due := earliest(j.next, j.retry); !j.removed && !due.IsZero() && !due.After(now) {
			s.due(j, now)
		}
		if next := earliest(j.next, j.retry); !j.removed && !next.IsZero() {
			wait = min(wait, next.Sub(now))
		}
	}
	s.startQueued(ctx, abandoned)
	return wait
}

// due handles a time that has come, and sets the next one.
func (s *Scheduler) due(j *job, now time.Time) {
	regular := !j.next.IsZero() && !j.next.After(now)
	if regular {
		for !j.next.IsZero() && !j.next.After(now) {
			j.next = j.Cadence.after(j.next, now)
		}
	}
	j.retry = time.Time{}
	switch {
	case j.running:
		s.options.Log.Warn("still running when its next time came; that time is left out", "sync", j.Name, "next", j.next)
	case j.waiting != "":
		s.options.Log.Warn("still waiting for another sync of the same directory when its next time came; one run for both", "sync", j.Name, "next", j.next)
	default:
		s.enqueue(j, TriggerSchedule)
	}
}

// after returns the first time of the row that goes through one of its times, and that is still to come.
func (c Cadence) after(one, now time.Time) time.Time {
	if c.every > 0 {
		missed := now.Sub(one) / c.every
		return one.Add((missed + 1) * c.every)
	}
	return c.Next(now)
}

// startQueued starts the queued runs in their order. One that has to wait also holds back those behind it that write to
// the same directory, so that none waits for ever.
func (s *Scheduler) startQueued(ctx context.Context, abandoned <-chan struct{}) {
	taken := make(map[string]bool)
	take := func(names []string) {
		for _, name := range names {
			taken[name] = true
		}
	}
	for _, j := range s.jobs {
		if j.running {
			take(j.writes)
		}
	}
	var left []*job
	for _, j := range s.queue {
		free := !j.running && !slices.ContainsFunc(j.Writes, func(name string) bool { return taken[name] })
		take(j.Writes)
		if !free {
			left = append(left, j)
			continue
		}
		s.start(ctx, j, abandoned)
	}
	s.queue = left
}

// start runs one sync in a goroutine, which ends by telling the loop.
func (s *Scheduler) start(ctx context.Context, j *job, abandoned <-chan struct{}) {
	trigger, run, begun := j.waiting, j.Sync.Run, s.options.Now()
	j.running, j.writes, j.waiting = true, slices.Clone(j.Writes), ""
	s.options.Log.Info("run started", "sync", j.Name, "trigger", trigger)
	go func() {
		report, err := run(ctx, trigger)
		over := end{End{Sync: j.Name, Report: report, Err: err, Elapsed: s.options.Now().Sub(begun)}, j}
		select {
		case s.ended <- over:
		case <-abandoned:
		}
	}()
}

// finish takes the end of a run in.
func (s *Scheduler) finish(over end) {
	s.mu.Lock()
	j := over.job
	j.running, j.writes = false, nil
	if j.removed {
		s.jobs = slices.DeleteFunc(s.jobs, func(other *job) bool { return other == j })
	}
	busy := errors.Is(over.Err, state.ErrBusy)
	if busy && !j.removed {
		j.retry = s.options.Now().Add(BusyRetry)
	}
	next := earliest(j.next, j.retry)
	s.mu.Unlock()
	s.log(over.End, next)
	if s.options.Ended != nil {
		s.options.Ended(over.End)
	}
}

// drain waits for the runs under way, whose context has ended.
func (s *Scheduler) drain() error {
	under := s.running()
	if len(under) == 0 {
		return nil
	}
	s.options.Log.Info("stopping: the operation in hand is finished", "syncs", strings.Join(under, ","), "grace", s.options.Grace)
	timer, end := s.options.After(s.options.Grace)
	defer end()
	for len(under) > 0 {
		select {
		case over := <-s.ended:
			s.finish(over)
			under = s.running()
		case <-timer:
			return fmt.Errorf("%w of %s: %s; the next run reads back what was under way", ErrGrace, s.options.Grace, strings.Join(under, ", "))
		}
	}
	return nil
}

// running names the syncs that run now.
func (s *Scheduler) running() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var names []string
	for _, j := range s.jobs {
		if j.running {
			names = append(names, j.Name)
		}
	}
	return names
}
