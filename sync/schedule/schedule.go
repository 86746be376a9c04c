// Package schedule runs syncs at their times.
//
// One loop owns all times; runs are goroutines that it starts and waits for. What it promises:
//
//   - A sync never runs twice at once. A time that comes while it is still running is left out and logged.
//   - Two syncs that may write to the same directory run one after the other, in the order in which their times came;
//     others run side by side.
//   - Requests to run now are gathered: however many come before the run begins, it is one run.
//   - A time that passed while nothing ran is caught up once at start, or reported.
//   - Where the sync is running in another process, it is tried again every minute until its next time.
//   - A stop starts nothing more, ends the context of what is running, and waits for it up to a grace period.
package schedule

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/rollcall-sync/rollcall/sync/engine"
)

// BusyRetry is the time after which a sync that runs elsewhere is tried again.
const BusyRetry = time.Minute

// longestWait bounds one wait of the loop: a machine that slept, or whose clock was set, is noticed after that time.
const longestWait = time.Minute

// The triggers that runs are given.
const (
	TriggerSchedule = "schedule"
	TriggerRequest  = "request"
)

// ErrUnknown says that no sync of that name is scheduled.
var ErrUnknown = errors.New("no such sync is scheduled")

// ErrGrace says that runs had not ended when the grace period was over.
var ErrGrace = errors.New("not ended within the grace period")

// Sync is one sync with its times.
type Sync struct {
	Name    string
	Cadence Cadence
	// Writes names the directories that a run may write to.
	Writes []string
	// Run executes the sync once. It opens what it needs and closes it before it returns, and returns soon after its
	// context has ended.
	Run func(ctx context.Context, trigger string) (*engine.Report, error)
}

// Options are the surroundings of a scheduler.
type Options struct {
	Syncs []Sync
	// LastRun returns when a sync was last run from end to end; the zero time means never. It is asked at start.
	LastRun func(ctx context.Context, sync string) (time.Time, error)
	// CatchUp is set where a time that passed while nothing ran is made up for at start; otherwise it is only reported.
	CatchUp bool
	// Grace is how long a stop waits for the runs under way.
	Grace time.Duration
	Log   *slog.Logger
	// Ended is called after each run, from the loop; nil is allowed.
	Ended func(End)
	// Now and After are the clock; nil means the real one. After returns a channel that gets the time after d, and a
	// function that ends the wait.
	Now   func() time.Time
	After func(d time.Duration) (<-chan time.Time, func())
}

// End is how a run ended. Report is nil where nothing was begun.
type End struct {
	Sync    string
	Report  *engine.Report
	Err     error
	Elapsed time.Duration
}

// Status is what is known of one sync.
type Status struct {
	Sync    string
	Cadence Cadence
	// Since is when this scheduler first knew the sync.
	Since time.Time
	// Next is when it runs next; the zero time means never.
	Next time.Time
	// Running and Waiting tell whether it runs now, or waits for another one to end.
	Running, Waiting bool
}

// Scheduler runs syncs at their times. All methods are safe for concurrent use.
type Scheduler struct {
	options Options
	// wake makes the loop look again.
	wake  chan struct{}
	ended chan end
	// stop is closed by Stop, gone when Run has returned.
	stop, gone chan struct{}
	stopping   sync.Once

	mu    sync.Mutex
	begun bool
	jobs  []*job
	// queue holds the jobs that wait for their run, the first one first.
	queue []*job
}

// job is one sync in the loop. All fields but the name are guarded by the scheduler's mutex.
type job struct {
	Sync
	since, next time.Time
	// retry is when a sync that runs elsewhere is tried again; zero where it is not.
	retry   time.Time
	running bool
	// writes are those of the run under way, which a new configuration does not change.
	writes []string
	// waiting is the trigger of the run that is queued; "" where none is.
	waiting string
	// removed is set where the configuration no longer has the sync.
	removed bool
}

type end struct {
	End
	job *job
}

// New returns a scheduler that does nothing before Run.
func New(options Options) *Scheduler {
	if options.Log == nil {
		options.Log = slog.New(slog.DiscardHandler)
	}
	if options.Now == nil {
		options.Now = time.Now
	}
	if options.After == nil {
		options.After = func(d time.Duration) (<-chan time.Time, func()) {
			timer := time.NewTimer(d)
			return timer.C, func() { timer.Stop() }
		}
	}
	s := &Scheduler{
		options: options, wake: make(chan struct{}, 1), ended: make(chan end), stop: make(chan struct{}), gone: make(chan struct{}),
	}
	now := options.Now()
	for _, defined := range options.Syncs {
		s.jobs = append(s.jobs, &job{Sync: defined, since: now, next: defined.Cadence.Next(now)})
	}
	return s
}

// RunNow asks for a run as soon as nothing stands in its way; ErrUnknown where there is no such sync. It does not wait. A
// request that comes while the sync is running leads to one more run after it.
func (s *Scheduler) RunNow(name string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, j := range s.jobs {
		if j.Name == name && !j.removed {
			s.enqueue(j, TriggerRequest)
			s.poke()
			return nil
		}
	}
	return fmt.Errorf("%w: %s", ErrUnknown, name)
}

// Replace changes to another list of syncs. Runs under way go on as they began. A sync whose times did not change keeps
// its next one.
func (s *Scheduler) Replace(syncs []Sync) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.options.Now()
	old := s.jobs
	s.jobs = nil
	for _, defined := range syncs {
		i := slices.IndexFunc(old, func(j *job) bool { return j.Name == defined.Name })
		if i < 0 {
			s.jobs = append(s.jobs, &job{Sync: defined, since: now, next: defined.Cadence.Next(now)})
			continue
		}
		j := old[i]
		old = slices.Delete(old, i, i+1)
		if j.removed || j.Cadence.String() != defined.Cadence.String() {
			j.since, j.next, j.retry = now, defined.Cadence.Next(now), time.Time{}
		}
		j.Sync, j.removed = defined, false
		s.jobs = append(s.jobs, j)
	}
	for _, j := range old {
		j.removed, j.waiting = true, ""
		// It stays until its run has ended, so that a new sync does not write to the same directory beside it.
		if j.running {
			s.jobs = append(s.jobs, j)
		}
	}
	s.queue = slices.DeleteFunc(s.queue, func(j *job) bool { return j.removed })
	s.poke()
}

// Status returns what is known of each sync, by name.
func (s *Scheduler) Status() []Status {
	s.mu.Lock()
	defer s.mu.Unlock()
	var list []Status
	for _, j := range s.jobs {
		if !j.removed {
			list = append(list, Status{
				Sync: j.Name, Cadence: j.Cadence, Since: j.since, Next: earliest(j.next, j.retry), Running: j.running, Waiting: j.waiting != "",
			})
		}
	}
	slices.SortFunc(list, func(a, b Status) int { return cmp.Compare(a.Sync, b.Sync) })
	return list
}

// Stop ends Run and waits until it has returned. It may be called any number of times, also before Run, which then
// returns at once.
func (s *Scheduler) Stop() {
	s.stopping.Do(func() { close(s.stop) })
	s.mu.Lock()
	begun := s.begun
	s.mu.Unlock()
	if begun {
		<-s.gone
	}
}

func (s *Scheduler) poke() {
	select {
	case s.wake <- struct{}{}:
	default: // it will look anyway
	}
}

// enqueue puts a job in line, once.
func (s *Scheduler) enqueue(j *job, trigger string) {
	if j.removed || j.waiting != "" {
		return
	}
	j.waiting = trigger
	s.queue = append(s.queue, j)
}

// earliest returns the first of two times, either of which may be zero for never.
func earliest(a, b time.Time) time.Time {
	if a.IsZero() || (!b.IsZero() && b.Before(a)) {
		return b
	}
	return a
}
