package state

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// begun records a run that started so many hours after the start of time.
func begun(t *testing.T, db *DB, id, sync string, hours int) Run {
	t.Helper()
	run := Run{ID: id, Sync: sync, Trigger: "schedule", StartedAt: start.Add(time.Duration(hours) * time.Hour), Rules: "r1"}
	must(t, db.BeginRun(context.Background(), run))
	return run
}

func ids(runs []Run) string {
	var all []string
	for _, run := range runs {
		all = append(all, run.ID)
	}
	return strings.Join(all, " ")
}

func TestARunFromBeginningToEnd(t *testing.T) {
	ctx, db := context.Background(), open(t)
	run := begun(t, db, "run1", staff, 1)
	got, err := db.RunByID(ctx, "run1")
	must(t, err)
	if diff := cmp.Diff(run, got); diff != "" {
		t.Error(diff)
	}
	run.FinishedAt, run.Status, run.Rules, run.Complete = start.Add(2*time.Hour), "ok", "r2", true
	run.SourceRead, run.TargetRead, run.Report = 100, 200, json.RawMessage(`{"status":"ok"}`)
	finished := run
	finished.Sync, finished.Trigger, finished.StartedAt = "ignored", "ignored", time.Time{}
	must(t, db.FinishRun(ctx, finished))
	got, err = db.RunByID(ctx, "run1")
	must(t, err)
	if diff := cmp.Diff(run, got); diff != "" {
		t.Error(diff)
	}
}

func TestRunsHaveTimesAndIDsOfTheirOwn(t *testing.T) {
	ctx, db := context.Background(), open(t)
	must(t, db.BeginRun(ctx, Run{ID: "run1", Sync: staff}))
	must(t, db.FinishRun(ctx, Run{ID: "run1"}))
	if run, err := db.RunByID(ctx, "run1"); err != nil || !run.StartedAt.Equal(start) || !run.FinishedAt.Equal(start) {
		t.Errorf("%+v, %v", run, err)
	}
	wantIs(t, db.BeginRun(ctx, Run{ID: "run1", Sync: "other"}), ErrExists)
	wantIs(t, db.FinishRun(ctx, Run{ID: "run2"}), ErrNotFound)
	for _, run := range []Run{{ID: "run3"}, {Sync: staff}} {
		if db.BeginRun(ctx, run) == nil {
			t.Errorf("%+v was begun", run)
		}
	}
}

func TestChoosingRuns(t *testing.T) {
	ctx, db := context.Background(), open(t)
	begun(t, db, "b", staff, 2)
	begun(t, db, "a", staff, 1)
	begun(t, db, "c", "other", 3)
	begun(t, db, "d", staff, 4)
	must(t, db.FinishRun(ctx, Run{ID: "a"}))
	must(t, db.FinishRun(ctx, Run{ID: "d"}))
	for _, c := range []struct {
		filter RunFilter
		want   string
	}{
		{RunFilter{}, "d c a b"}, // a was begun under another clock
		{RunFilter{Limit: 2}, "d c"},
		{RunFilter{Sync: staff}, "d a b"},
		{RunFilter{Sync: staff, Limit: 1}, "d"},
		{RunFilter{Since: start.Add(2 * time.Hour)}, "d c b"},
		{RunFilter{Unfinished: true}, "c b"},
		{RunFilter{Unfinished: true, Sync: staff}, "b"},
		{RunFilter{Sync: "unheard of"}, ""},
	} {
		runs, err := db.Runs(ctx, c.filter)
		must(t, err)
		if got := ids(runs); got != c.want {
			t.Errorf("%+v: %q, want %q", c.filter, got, c.want)
		}
	}
}

func TestARunIsFoundByTheBeginningOfItsID(t *testing.T) {
	ctx, db := context.Background(), open(t)
	for i, id := range []string{"2026abc", "2026abd", "2026", "x%y"} {
		begun(t, db, id, staff, i)
	}
	for prefix, want := range map[string]string{"2026abc": "2026abc", "2026abd": "2026abd", "2026": "2026", "x": "x%y", "x%": "x%y"} {
		if run, err := db.RunByID(ctx, prefix); err != nil || run.ID != want {
			t.Errorf("%q: %q, %v", prefix, run.ID, err)
		}
	}
	_, err := db.RunByID(ctx, "2026a")
	wantIs(t, err, ErrAmbiguous)
	if !strings.Contains(err.Error(), "2026abc") || !strings.Contains(err.Error(), "2026abd") {
		t.Error(err)
	}
	for _, prefix := range []string{"%", "X", "2026abcd"} {
		_, err := db.RunByID(ctx, prefix)
		wantIs(t, err, ErrNotFound)
	}
	if _, err := db.RunByID(ctx, ""); err == nil {
		t.Error("the empty id found a run")
	}
}

func TestTheLastRunAndTheLastGoodOne(t *testing.T) {
	ctx, db := context.Background(), open(t)
	_, err := db.LastRun(ctx, staff)
	wantIs(t, err, ErrNotFound)
	begun(t, db, "a", staff, 1)
	begun(t, db, "b", staff, 2)
	begun(t, db, "c", staff, 3)
	begun(t, db, "z", "other", 9)
	_, err = db.LastGood(ctx, staff)
	wantIs(t, err, ErrNotFound)
	must(t, db.FinishRun(ctx, Run{ID: "a", Complete: true, SourceRead: 10}))
	must(t, db.FinishRun(ctx, Run{ID: "b", Complete: true, SourceRead: 20}))
	must(t, db.FinishRun(ctx, Run{ID: "c", SourceRead: 3}))
	must(t, db.FinishRun(ctx, Run{ID: "z", Complete: true, SourceRead: 99}))
	if run, err := db.LastRun(ctx, staff); err != nil || run.ID != "c" {
		t.Errorf("last %q, %v", run.ID, err)
	}
	if run, err := db.LastGood(ctx, staff); err != nil || run.ID != "b" || run.SourceRead != 20 {
		t.Errorf("last good %q, %v", run.ID, err)
	}
}
