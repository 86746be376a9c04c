package schedule_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rollcall-sync/rollcall/sync/engine"
	"github.com/rollcall-sync/rollcall/sync/schedule"
)

// world is a scheduler with a clock that stands still until it is moved. Everything happens in a synctest bubble, so that
// synctest.Wait tells when all has been done that this moment brings.
type world struct {
	t         *testing.T
	scheduler *schedule.Scheduler
	result    chan error
	cancel    context.CancelFunc
	last      map[string]time.Time
	lastErr   error

	mu     sync.Mutex
	now    time.Time
	timers []*timer
	// events are what the runs did, in order: "+name trigger" and "-name".
	events []string
	// hold has a channel for each run that must not end before it is closed.
	hold   map[string]chan struct{}
	report map[string]*engine.Report
	err    map[string]error
	ends   []schedule.End
	log    bytes.Buffer
}

type timer struct {
	at   time.Time
	fire chan time.Time
}

func inWorld(t *testing.T, now string, test func(w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := &world{
			t: t, now: moment(t, now), last: make(map[string]time.Time), hold: make(map[string]chan struct{}), report: make(map[string]*engine.Report),
			err: make(map[string]error),
		}
		test(w)
		if w.cancel != nil {
			w.cancel()
			w.releaseAll()
			synctest.Wait()
		}
	})
}

// begin starts the scheduler.
func (w *world) begin(catchUp bool, syncs ...schedule.Sync) {
	w.t.Helper()
	w.prepare(catchUp, syncs...)
	w.run()
}

func (w *world) prepare(catchUp bool, syncs ...schedule.Sync) {
	w.scheduler = schedule.New(schedule.Options{
		Syncs: syncs, CatchUp: catchUp, Grace: 30 * time.Second, Log: slog.New(slog.NewTextHandler(w, nil)),
		LastRun: func(_ context.Context, sync string) (time.Time, error) { return w.last[sync], w.lastErr },
		Ended: func(over schedule.End) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.ends = append(w.ends, over)
		},
		Now: w.clock, After: w.after,
	})
}

func (w *world) run() {
	ctx, cancel := context.WithCancel(w.t.Context())
	w.cancel, w.result = cancel, make(chan error, 1)
	go func() { w.result <- w.scheduler.Run(ctx) }()
	synctest.Wait()
}

// sync defines one whose runs are written down.
func (w *world) sync(name, line string, writes ...string) schedule.Sync {
	return schedule.Sync{Name: name, Cadence: parse(w.t, line, "UTC"), Writes: writes, Run: func(ctx context.Context, trigger string) (*engine.Report, error) {
		w.mu.Lock()
		w.events = append(w.events, "+"+name+" "+trigger)
		hold, report, err := w.hold[name], w.report[name], w.err[name]
		w.mu.Unlock()
		if hold != nil {
			<-hold
		}
		event := "-" + name
		if ctx.Err() != nil {
			event += " cancelled"
		}
		w.mu.Lock()
		defer w.mu.Unlock()
		w.events = append(w.events, event)
		if report == nil && err == nil {
			report = &engine.Report{Run: "r", Sync: name, Status: engine.StatusNothing}
		}
		return report, err
	}}
}

// holdUp makes the next runs of a sync last until release.
func (w *world) holdUp(name string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.hold[name] = make(chan struct{})
}

func (w *world) release(name string) {
	w.mu.Lock()
	hold := w.hold[name]
	delete(w.hold, name)
	w.mu.Unlock()
	close(hold)
	synctest.Wait()
}

func (w *world) releaseAll() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for name, hold := range w.hold {
		close(hold)
		delete(w.hold, name)
	}
}

// advance moves the clock, stopping at each timer on the way.
func (w *world) advance(d time.Duration) {
	w.mu.Lock()
	end := w.now.Add(d)
	w.mu.Unlock()
	for {
		w.mu.Lock()
		var next *timer
		for _, t := range w.timers {
			if !t.at.After(end) && (next == nil || t.at.Before(next.at)) {
				next = t
			}
		}
		if next == nil {
			w.now = end
			w.mu.Unlock()
			return
		}
		w.now = later(w.now, next.at)
		w.drop(next)
		next.fire <- w.now
		w.mu.Unlock()
		synctest.Wait()
	}
}

// until moves the clock to a time of the same day.
func (w *world) until(clock string) {
	w.t.Helper()
	w.advance(moment(w.t, w.clock().Format(time.DateOnly)+"T"+clock+":00Z").Sub(w.clock()))
}

// jump sets the clock without firing what lies between, as when the machine slept; then the timers go on.
func (w *world) jump(d time.Duration) {
	w.mu.Lock()
	w.now = w.now.Add(d)
	for _, t := range w.timers {
		t.at = t.at.Add(d)
	}
	w.mu.Unlock()
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func (w *world) clock() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now
}

func (w *world) after(d time.Duration) (<-chan time.Time, func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	t := &timer{w.now.Add(d), make(chan time.Time, 1)}
	w.timers = append(w.timers, t)
	return t.fire, func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.drop(t)
	}
}

func (w *world) drop(gone *timer) {
	for i, t := range w.timers {
		if t == gone {
			w.timers = append(w.timers[:i], w.timers[i+1:]...)
			return
		}
	}
}

// Write takes the log in.
func (w *world) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.log.Write(p)
}

// happened compares and forgets what the runs did.
func (w *world) happened(want ...string) {
	w.t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	if got := strings.Join(w.events, ", "); got != strings.Join(want, ", ") {
		w.t.Errorf("at %s: got [%s], want [%s]", w.now.Format(time.RFC3339), got, strings.Join(want, ", "))
	}
	w.events = nil
}

// logged wants one line that holds all of the texts.
func (w *world) logged(texts ...string) {
	w.t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
lines:
	for line := range strings.Lines(w.log.String()) {
		for _, text := range texts {
			if !strings.Contains(line, text) {
				continue lines
			}
		}
		return
	}
	w.t.Errorf("no line has %q in\n%s", texts, w.log.String())
}

func (w *world) next(name string) string {
	w.t.Helper()
	for _, s := range w.scheduler.Status() {
		if s.Sync == name {
			return s.Next.Format("2006-01-02 15:04")
		}
	}
	return fmt.Sprintf("%s is not scheduled", name)
}
