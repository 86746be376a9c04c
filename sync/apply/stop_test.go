package apply_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-sync/rollcall/sync/apply"
	"github.com/rollcall-sync/rollcall/sync/directory"
	"github.com/rollcall-sync/rollcall/sync/plan"
)

func TestARefusedCredentialStopsThatSideAlone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.target.fail = failing(kind(directory.Auth), "update t-anna")
	result := w.run(on(plan.Update, "anna"), on(plan.Update, "bert"), of(plan.Update, "carl"), on(plan.Deactivate, "dora"), of(plan.Deactivate, "emil"))
	const because = "left out, because website refused access: website: write: auth"
	same(t, "failures", []string{"update anna auth: website: write: auth", "update bert auth: " + because, "deactivate dora auth: " + because}, failures(result))
	if result.Stopped[plan.Target] == nil || result.Stopped[plan.Source] != nil || result.Done[plan.Source][plan.Update] != 1 || result.Done[plan.Source][plan.Deactivate] != 1 {
		t.Errorf("stopped %v, done %v", result.Stopped, result.Done)
	}
}

func TestARefusalForOneAccountSaysNothingAboutTheOthers(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.target.fail = failing(&directory.Error{Kind: directory.Auth, Directory: "website", Record: "t-anna"}, "update t-anna")
	if result := w.run(on(plan.Update, "anna"), on(plan.Update, "bert")); len(result.Stopped) > 0 || len(result.Failures) != 1 {
		t.Errorf("%+v", result)
	}
}

func TestAServerThatKeepsFailingIsGivenUp(t *testing.T) {
	t.Parallel()
	names := []string{"anna", "bert", "carl", "dora", "emil", "fred", "gerd"}
	var updates []plan.Operation
	for _, name := range names {
		updates = append(updates, on(plan.Update, name))
	}
	for _, c := range []struct {
		name   string
		fault  error
		except string // one that works, or is refused
		calls  int
		stops  bool
	}{
		{"five in a row", kind(directory.Retryable), "", 5, true},
		{"four, one that works, two", kind(directory.Retryable), "t-emil", 7, false},
		{"refused values are no broken server", kind(directory.Invalid), "", 7, false},
		{"a credential that is refused for each account", &directory.Error{Kind: directory.Auth, Directory: "website", Record: "x"}, "", 5, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.target.fail = func(call string) error {
				if strings.HasSuffix(call, c.except) && c.except != "" {
					return nil
				}
				return c.fault
			}
			result := w.run(append([]plan.Operation(nil), updates...)...)
			calls := 0
			for _, line := range w.log {
				if strings.HasPrefix(line, "website") {
					calls++
				}
			}
			if calls != c.calls || (result.Stopped[plan.Target] != nil) != c.stops {
				t.Errorf("%d calls, stopped by %v", calls, result.Stopped[plan.Target])
			}
			if c.stops && !strings.HasPrefix(result.Failures[6].Message, "left out, because website failed 5 times in a row, the last time with: ") {
				t.Errorf("the last failure: %s", result.Failures[6].Message)
			}
		})
	}
}

func TestAThrottledDirectoryIsWaitedFor(t *testing.T) {
	t.Parallel()
	throttled := func(wait time.Duration) error {
		return &directory.Error{Kind: directory.Throttled, Directory: "website", Wait: wait}
	}
	for _, c := range []struct {
		name   string
		wait   time.Duration
		times  int
		slept  []time.Duration
		failed bool
	}{
		{"as long as it says", time.Minute, 1, []time.Duration{time.Minute}, false},
		{"a little where it does not say", 0, 2, []time.Duration{2 * time.Second, 4 * time.Second}, false},
		{"not for ever", 24 * time.Hour, 1, []time.Duration{5 * time.Minute}, false},
		{"twice, and then it is reported", 0, 3, []time.Duration{2 * time.Second, 4 * time.Second}, true},
	} {
		for _, o := range []plan.Operation{on(plan.Update, "anna"), on(plan.GroupAdd, "anna"), on(plan.Create, "hans")} {
			w := newWorld(t)
			left := c.times
			w.target.fail = func(string) error {
				if left--; left >= 0 {
					return throttled(c.wait)
				}
				return nil
			}
			result := w.run(o)
			same(t, c.name+": slept", c.slept, w.slept)
			if (len(result.Failures) == 1) != c.failed || c.failed && result.Failures[0].Kind != directory.Throttled {
				t.Errorf("%s, %s: %v", c.name, o.Action, failures(result))
			}
		}
	}
	w := newWorld(t)
	w.target.fail = failing(throttled(time.Minute), "update")
	w.options.Sleep = func(context.Context, time.Duration) error { return context.DeadlineExceeded }
	if result := w.run(on(plan.Update, "anna")); len(result.Failures) != 1 || result.Failures[0].Kind != directory.Throttled || len(w.log) != 3 {
		t.Errorf("a wait that is cut off: %v, %v", failures(result), w.log)
	}
}

func TestStoppingBetweenTwoOperationsLeavesNothingHalfDone(t *testing.T) {
	t.Parallel()
	for _, how := range []string{"lease lost", "cancelled"} {
		t.Run(how, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			stop := make(chan struct{})
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			w.options.Stop = stop
			w.target.fail = func(call string) error {
				if call != "update t-bert" {
					return nil
				}
				if how == "cancelled" { // in the middle of the write
					cancel()
				} else {
					close(stop)
				}
				return nil
			}
			result, err := apply.Run(ctx, planOf(on(plan.Update, "anna"), on(plan.Update, "bert"), on(plan.Update, "carl"), on(plan.GroupAdd, "carl"), on(plan.Deactivate, "dora")), w.options)
			if err != nil {
				t.Fatal(err)
			}
			same(t, "log", []string{"intend 1", "website update t-anna", "done 1", "intend 2", "website update t-bert", "done 2"}, w.log)
			if !result.Interrupted || result.Left != 3 || len(result.Failures) > 0 || len(w.failed()) > 0 || result.Done[plan.Target][plan.Update] != 2 {
				t.Errorf("%+v", result)
			}
		})
	}
}

func TestACancelledRunBeginsNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	result, err := apply.Run(ctx, planOf(on(plan.Update, "anna"), on(plan.Deactivate, "bert")), w.options)
	if err != nil || !result.Interrupted || result.Left != 2 || len(w.log) > 0 {
		t.Errorf("%v, %+v, %v", err, result, w.log)
	}
}

func TestACancellationWhileTheIntentIsWrittenIsNoFault(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx, cancel := context.WithCancel(t.Context())
	w.intend = func(int64) error { cancel(); return ctx.Err() }
	result, err := apply.Run(ctx, planOf(on(plan.Update, "anna")), w.options)
	if err != nil || !result.Interrupted || result.Left != 1 || len(w.log) > 0 {
		t.Errorf("%v, %+v, %v", err, result, w.log)
	}
}

func TestAWriteThatWasBegunIsFinished(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx, cancel := context.WithCancel(t.Context())
	w.resolve = func(int64) error { return nil }
	w.intend = func(int64) error { cancel(); return nil } // after the intent is on disk
	result, err := apply.Run(ctx, planOf(on(plan.Update, "anna"), on(plan.Update, "bert")), w.options)
	same(t, "log", []string{"intend 1", "website update t-anna", "done 1"}, w.log)
	if err != nil || result.Left != 1 || result.Done[plan.Target][plan.Update] != 1 {
		t.Errorf("%v, %+v", err, result)
	}
}

func TestWithoutAJournalNothingIsWritten(t *testing.T) {
	t.Parallel()
	full := errors.New("disk is full")
	w := newWorld(t)
	w.intend = func(seq int64) error {
		if seq == 2 {
			return full
		}
		return nil
	}
	result, err := apply.Run(t.Context(), planOf(on(plan.Update, "anna"), on(plan.Update, "bert"), of(plan.Deactivate, "carl")), w.options)
	same(t, "log", []string{"intend 1", "website update t-anna", "done 1"}, w.log)
	if !errors.Is(err, full) || result.Left != 2 || !result.Interrupted {
		t.Errorf("%v, %+v", err, result)
	}

	w = newWorld(t)
	w.resolve = func(int64) error { return full }
	_, err = apply.Run(t.Context(), planOf(on(plan.Update, "anna"), on(plan.Update, "bert")), w.options)
	same(t, "log", []string{"intend 1", "website update t-anna"}, w.log)
	if !errors.Is(err, full) {
		t.Errorf("%v", err)
	}
}

// broken is where a plan was set aside and cannot be read any more.
type broken struct{}

func (broken) Append([]byte) (int64, error) { return 0, nil }

func (broken) ReadAt([]byte, int64) (int, error) { return 0, errors.New("input/output error") }

func TestAPlanThatCannotBeReadEndsTheRun(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := &plan.Plan{Operations: plan.NewList(broken{})}
	for i := range 4100 { // more than a list keeps in memory
		o := on(plan.Update, "anna")
		if i > 4090 {
			o = on(plan.Deactivate, "bert")
		}
		if err := p.Operations.Add(o); err != nil {
			t.Fatal(err)
		}
	}
	result, err := apply.Run(t.Context(), p, w.options)
	if err == nil || !strings.Contains(err.Error(), "input/output error") || !result.Interrupted || result.Left != 9 {
		t.Errorf("%v, %d left", err, result.Left)
	}
	for _, line := range w.log {
		if strings.Contains(line, "inactive") {
			t.Fatalf("%s", line)
		}
	}
}
