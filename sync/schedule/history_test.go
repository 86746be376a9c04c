package schedule_test

import (
	"context"
	"path/filepath"
	"testing"
	"time"

	"github.com/rollcall-sync/rollcall/sync/schedule"
	"github.com/rollcall-sync/rollcall/sync/state"
)

func TestHistory(t *testing.T) {
	t.Parallel()
	db, err := state.Open(t.Context(), filepath.Join(t.TempDir(), "state.db"), state.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	history := schedule.NewHistory(db)
	hour := 0
	expect := func(whole, good int) {
		t.Helper()
		for range 2 { // the second answer comes from memory
			for _, c := range []struct {
				what string
				ask  func(context.Context, string) (time.Time, error)
				want int
			}{{"last run", history.LastRun, whole}, {"last good run", history.LastGood, good}} {
				got, err := c.ask(t.Context(), "a")
				if want := at(c.want); err != nil || !got.Equal(want) {
					t.Errorf("%s: got %v, %v; want %v", c.what, got, err, want)
				}
			}
		}
	}
	run := func(status, report string) {
		t.Helper()
		hour++
		r := state.Run{ID: time.Duration(hour).String(), Sync: "a", StartedAt: at(hour), FinishedAt: at(hour).Add(time.Minute), Status: status, Complete: true, Report: []byte(report)}
		if err := db.BeginRun(t.Context(), r); err != nil {
			t.Fatal(err)
		}
		// Asked while the run is under way, which must not be remembered as its end.
		if _, err := history.LastRun(t.Context(), "a"); err != nil {
			t.Error(err)
		}
		if status == "" {
			return
		}
		if err := db.FinishRun(t.Context(), r); err != nil {
			t.Fatal(err)
		}
	}
	expect(0, 0)
	run("failed", `{}`)
	expect(1, 0)
	run("ok", `{}`)
	expect(2, 2)
	run("refused", `{}`) // its listings were complete, and still nothing was done
	expect(3, 2)
	run("nothing", `{"account":"anna"}`) // one person only
	expect(3, 2)
	run("interrupted", `{}`)
	expect(3, 2)
	run("", `{}`) // died
	expect(3, 2)
	run("partial", `{}`)
	expect(7, 7)
	for range 30 {
		run("withheld", `{}`)
	}
	expect(37, 7)
}

// at is an hour of a day long ago; the zero time for 0.
func at(hour int) time.Time {
	if hour == 0 {
		return time.Time{}
	}
	return time.Date(2026, 11, 1, hour, 0, 0, 0, time.UTC)
}
