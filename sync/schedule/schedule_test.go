package schedule_test

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rollcall-sync/rollcall/sync/engine"
	"github.com/rollcall-sync/rollcall/sync/guard"
	"github.com/rollcall-sync/rollcall/sync/schedule"
	"github.com/rollcall-sync/rollcall/sync/state"
)

const morning = "2026-11-22T06:00:00Z"

func TestRunsAtItsTimes(t *testing.T) {
	t.Parallel()
	inWorld(t, morning, func(w *world) {
		w.begin(true, w.sync("a", "30 7 * * *", "site"))
		w.until("07:29")
		w.happened()
		w.until("07:30")
		w.happened("+a schedule", "-a")
		w.advance(23 * time.Hour)
		w.happened()
		w.advance(time.Hour)
		w.happened("+a schedule", "-a")
	})
}

func TestNoOverlap(t *testing.T) {
	t.Parallel()
	inWorld(t, morning, func(w *world) {
		w.holdUp("a")
		w.begin(true, w.sync("a", "@every 15m", "site"))
		w.until("06:15")
		w.happened("+a schedule")
		w.until("06:50")
		w.happened()
		w.logged("level=WARN", "still running", "sync=a")
		w.release("a")
		w.happened("-a")
		w.until("06:59")
		w.happened()
		w.until("07:00")
		w.happened("+a schedule", "-a")
	})
}

func TestOneAtATimeOnATarget(t *testing.T) {
	t.Parallel()
	inWorld(t, morning, func(w *world) {
		w.holdUp("a")
		w.begin(true, w.sync("a", "0 7 * * *", "site"), w.sync("b", "0 7 * * *", "site", "hr"), w.sync("c", "1 7 * * *", "hr"), w.sync("d", "1 7 * * *", "other"))
		w.until("07:00")
		w.happened("+a schedule")
		if s := w.scheduler.Status()[1]; !s.Waiting || s.Running {
			t.Errorf("b is %+v", s)
		}
		// c could start, but would pass b, which waits longer.
		w.until("07:05")
		w.happened("+d schedule", "-d")
		w.holdUp("b")
		w.release("a")
		w.happened("-a", "+b schedule")
		w.release("b")
		w.happened("-b", "+c schedule", "-c")
	})
}

func TestRequestsAreGathered(t *testing.T) {
	t.Parallel()
	inWorld(t, morning, func(w *world) {
		w.holdUp("a")
		w.begin(true, w.sync("a", "0 7 * * *", "site"))
		ask := func() {
			t.Helper()
			if err := w.scheduler.RunNow("a"); err != nil {
				t.Error(err)
			}
			synctest.Wait()
		}
		ask()
		w.happened("+a request")
		ask()
		ask()
		ask()
		w.happened()
		w.release("a")
		w.happened("-a", "+a request", "-a")
		if err := w.scheduler.RunNow("b"); !errors.Is(err, schedule.ErrUnknown) {
			t.Errorf("got %v", err)
		}
		w.until("07:00")
		w.happened("+a schedule", "-a")
	})
}

func TestAMissedTimeIsCaughtUpOrReported(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, line, last string
		catchUp          bool
		want             []string
		next, log        string
	}{
		{"missed last night", "30 2 * * *", "2026-11-21T02:30:00Z", true, []string{"+a schedule", "-a"}, "2026-11-23 02:30", "running now"},
		{"missed for weeks: once", "30 2 * * *", "2026-10-01T02:30:00Z", true, []string{"+a schedule", "-a"}, "2026-11-23 02:30", "running now"},
		{"missed, and only to be reported", "30 2 * * *", "2026-11-21T02:30:00Z", false, nil, "2026-11-23 02:30", "waiting for the next one"},
		{"nothing missed", "30 2 * * *", "2026-11-22T02:30:00Z", true, nil, "2026-11-23 02:30", ""},
		{"never run", "30 2 * * *", "", true, nil, "2026-11-23 02:30", ""},
		{"an interval goes on from the last run", "@every 4h", "2026-11-22T03:00:00Z", true, nil, "2026-11-22 07:00", ""},
		{"an interval that has passed", "@every 2h", "2026-11-22T03:00:00Z", true, []string{"+a schedule", "-a"}, "2026-11-22 08:00", "running now"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			inWorld(t, morning, func(w *world) {
				if c.last != "" {
					w.last["a"] = moment(t, c.last)
				}
				w.begin(c.catchUp, w.sync("a", c.line, "site"))
				w.happened(c.want...)
				if got := w.next("a"); got != c.next {
					t.Errorf("next at %s, want %s", got, c.next)
				}
				if c.log != "" {
					w.logged("level=WARN", c.log, "sync=a")
				} else if w.log.Len() > 0 {
					t.Errorf("logged: %s", w.log.String())
				}
			})
		})
	}
}

func TestAMachineThatSleptRunsOnceWhenItWakes(t *testing.T) {
	t.Parallel()
	inWorld(t, morning, func(w *world) {
		w.begin(true, w.sync("a", "30 7 * * *", "site"))
		w.jump(72 * time.Hour)
		w.happened()
		w.advance(2 * time.Minute)
		w.happened("+a schedule", "-a")
		if got := w.next("a"); got != "2026-11-25 07:30" {
			t.Errorf("next at %s", got)
		}
	})
}

func TestBusyIsTriedAgain(t *testing.T) {
	t.Parallel()
	inWorld(t, morning, func(w *world) {
		w.err["a"] = &state.BusyError{Sync: "a", Purpose: "import", Host: "h", PID: 1, Since: moment(t, morning)}
		w.begin(true, w.sync("a", "0 7 * * *", "site"))
		w.until("07:00")
		w.happened("+a schedule", "-a")
		w.logged("level=WARN", "running elsewhere", "retry=1m0s", "sync=a")
		if got := w.next("a"); got != "2026-11-22 07:01" {
			t.Errorf("next at %s", got)
		}
		delete(w.err, "a")
		w.until("07:01")
		w.happened("+a schedule", "-a")
		w.until("12:00")
		w.happened()
		if got := w.next("a"); got != "2026-11-23 07:00" {
			t.Errorf("next at %s", got)
		}
		if got := []string{w.ends[0].Status(), w.ends[1].Status()}; got[0] != "busy" || got[1] != "nothing" {
			t.Errorf("told of %s", got)
		}
	})
}

func TestAStopEndsTheRunsAndStartsNoMore(t *testing.T) {
	t.Parallel()
	for _, how := range []string{"context", "stop"} {
		t.Run(how, func(t *testing.T) {
			t.Parallel()
			inWorld(t, morning, func(w *world) {
				w.holdUp("a")
				w.begin(true, w.sync("a", "0 7 * * *", "site"), w.sync("b", "0 7 * * *", "site"))
				w.until("07:00")
				w.happened("+a schedule")
				stopped := make(chan struct{}, 3)
				if how == "context" {
					w.cancel()
				}
				for range 3 {
					go func() { w.scheduler.Stop(); stopped <- struct{}{} }()
				}
				synctest.Wait()
				if len(stopped) != 0 {
					t.Error("stopped before the run had ended")
				}
				w.advance(20 * time.Second)
				w.release("a")
				w.happened("-a cancelled")
				if err := <-w.result; err != nil {
					t.Error(err)
				}
				synctest.Wait()
				if len(stopped) != 3 {
					t.Errorf("%d of 3 calls of Stop returned", len(stopped))
				}
				w.scheduler.Stop()
			})
		})
	}
}

func TestTheGracePeriodEndsAStop(t *testing.T) {
	t.Parallel()
	inWorld(t, morning, func(w *world) {
		w.holdUp("a")
		w.begin(true, w.sync("a", "0 7 * * *", "site"))
		w.until("07:00")
		w.cancel()
		synctest.Wait()
		w.advance(29 * time.Second)
		if len(w.result) != 0 {
			t.Fatal("ended before the grace period was over")
		}
		w.advance(time.Second)
		if err := <-w.result; !errors.Is(err, schedule.ErrGrace) {
			t.Errorf("got %v", err)
		}
	})
}

func TestAStopBeforeTheStart(t *testing.T) {
	t.Parallel()
	inWorld(t, morning, func(w *world) {
		w.last["a"] = moment(t, "2026-11-01T00:00:00Z")
		w.prepare(true, w.sync("a", "0 7 * * *", "site"))
		w.scheduler.Stop()
		w.run()
		if err := <-w.result; err != nil {
			t.Error(err)
		}
		w.happened()
	})
}

func TestAnUnknownLastRunIsAnError(t *testing.T) {
	t.Parallel()
	inWorld(t, morning, func(w *world) {
		w.lastErr = errors.New("disk is gone")
		w.begin(true, w.sync("a", "0 7 * * *", "site"))
		if err := <-w.result; !errors.Is(err, w.lastErr) {
			t.Errorf("got %v", err)
		}
		w.scheduler.Stop()
	})
}

func TestAnotherConfiguration(t *testing.T) {
	t.Parallel()
	inWorld(t, morning, func(w *world) {
		w.holdUp("a")
		w.begin(true, w.sync("a", "0 7 * * *", "site"), w.sync("b", "@every 4h", "other"), w.sync("c", "0 8 * * *", "hr"))
		w.until("07:00")
		w.happened("+a schedule")
		// a goes away while it runs, d comes for the same site, c comes earlier, b stays.
		w.scheduler.Replace([]schedule.Sync{w.sync("b", "@every 4h", "other"), w.sync("c", "30 7 * * *", "hr"), w.sync("d", "10 7 * * *", "site")})
		synctest.Wait()
		w.until("07:20")
		w.happened()
		for name, want := range map[string]string{"a": "a is not scheduled", "b": "2026-11-22 10:00", "c": "2026-11-22 07:30"} {
			if got := w.next(name); got != want {
				t.Errorf("%s: %s, want %s", name, got, want)
			}
		}
		if err := w.scheduler.RunNow("a"); !errors.Is(err, schedule.ErrUnknown) {
			t.Errorf("a sync that was removed can be asked for: %v", err)
		}
		w.release("a")
		w.happened("-a", "+d schedule", "-d")
		w.until("07:30")
		w.happened("+c schedule", "-c")
		w.scheduler.Replace([]schedule.Sync{w.sync("a", "0 9 * * *", "site")})
		synctest.Wait()
		w.until("12:00")
		w.happened("+a schedule", "-a")
	})
}

func TestASyncThatLeavesAndReturnsWhileItRuns(t *testing.T) {
	t.Parallel()
	inWorld(t, morning, func(w *world) {
		w.holdUp("a")
		w.begin(true, w.sync("a", "0 7 * * *", "site"))
		w.until("07:00")
		w.happened("+a schedule")
		w.scheduler.Replace(nil)
		w.scheduler.Replace([]schedule.Sync{w.sync("a", "0 7 * * *", "site")})
		if err := w.scheduler.RunNow("a"); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		w.happened()
		w.release("a")
		w.happened("-a", "+a request", "-a")
	})
}

func TestASyncThatGetsAnotherTargetWhileItRuns(t *testing.T) {
	t.Parallel()
	inWorld(t, morning, func(w *world) {
		w.holdUp("a")
		w.begin(true, w.sync("a", "0 7 * * *", "old"))
		w.until("07:00")
		w.happened("+a schedule")
		w.scheduler.Replace([]schedule.Sync{w.sync("a", "0 7 * * *", "new")})
		if err := w.scheduler.RunNow("a"); err != nil {
			t.Fatal(err)
		}
		w.until("07:02")
		w.happened()
		w.release("a")
		w.happened("-a", "+a request", "-a")
	})
}

func TestEndsAreLogged(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		report *engine.Report
		err    error
		want   []string
	}{
		{"ok", &engine.Report{Run: "r1", Status: engine.StatusOK}, nil, []string{"level=INFO", "run=r1", "status=ok", "next="}},
		{"partial", &engine.Report{Run: "r1", Status: engine.StatusPartial}, nil, []string{"level=WARN", "rollcall history r1"}},
		{"withheld", &engine.Report{Run: "r1", Status: engine.StatusWithheld, Reasons: []string{"short list", "give the right"}}, nil, []string{"level=ERROR", "short list; give the right"}},
		{"failed", &engine.Report{Run: "r1", Status: engine.StatusFailed, Reasons: []string{"no answer"}}, errors.New("boom"), []string{"level=ERROR", "no answer", "error=boom"}},
		{"not begun", nil, errors.New("bad example"), []string{"level=ERROR", "not begun", "bad example"}},
		{
			"refused", &engine.Report{Run: "r1", Status: engine.StatusRefused, Reasons: []string{"Anna would lose access"}, Verdict: &guard.Verdict{
				Reasons: []guard.Reason{{Rule: "removals", Message: "Anna would lose access"}}, Command: "rollcall sync a --approve x",
			}},
			nil,
			[]string{"level=ERROR", "rules=removals", `approve="rollcall sync a --approve x"`, "rollcall history r1"},
		},
		{"interrupted", &engine.Report{Run: "r1", Status: engine.StatusInterrupted}, errors.New("cancelled"), []string{"level=WARN", "interrupted"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			inWorld(t, morning, func(w *world) {
				if w.err["a"] = c.err; c.report != nil {
					w.report["a"] = c.report
				}
				w.begin(true, w.sync("a", "0 7 * * *", "site"))
				w.until("07:00")
				w.logged(append(c.want, "sync=a")...)
				if got := w.log.String(); strings.Contains(got, "Anna") {
					t.Errorf("a person is named: %s", got)
				}
			})
		})
	}
}
