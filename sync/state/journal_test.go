package state

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func newEntry(run string, seq int64, source, target string) Entry {
	return Entry{
		Run: run, Seq: seq, Sync: staff, Side: "target", Action: "update", SourceID: source, TargetID: target,
		Account: "Anna " + source, Operation: json.RawMessage(`{"before":1}`),
	}
}

func entries(t *testing.T, db *DB, filter EntryFilter) []Entry {
	t.Helper()
	var found []Entry
	must(t, db.Entries(context.Background(), filter, func(e Entry) error {
		found = append(found, e)
		return nil
	}))
	return found
}

func numbers(found []Entry) string {
	var all []string
	for _, e := range found {
		all = append(all, fmt.Sprintf("%s/%d", e.Run, e.Seq))
	}
	return strings.Join(all, " ")
}

// openClock opens a state whose clock reads what the pointer holds.
func openClock(t *testing.T) (*DB, *time.Time) {
	t.Helper()
	now := start
	return openAt(t, filepath.Join(t.TempDir(), "rollcall.db"), Options{Now: func() time.Time { return now }}), &now
}

func TestAnEntryFromIntentToOutcome(t *testing.T) {
	ctx := context.Background()
	db, now := openClock(t)
	begun(t, db, "run1", staff, 0)
	want := newEntry("run1", 1, "s1", "t1")
	must(t, db.Intend(ctx, want))
	want.IntentAt = start
	if diff := cmp.Diff([]Entry{want}, entries(t, db, EntryFilter{})); diff != "" {
		t.Error(diff)
	}
	pending, err := db.Pending(ctx, staff)
	must(t, err)
	if diff := cmp.Diff([]Entry{want}, pending); diff != "" {
		t.Error(diff)
	}
	*now = start.Add(time.Second)
	must(t, db.Resolve(ctx, Outcome{Run: "run1", Seq: 1, Result: ResultFailed, Message: "taken", Stored: json.RawMessage(`{"id":"t1"}`)}))
	want.OutcomeAt, want.Result, want.Message, want.Stored = *now, ResultFailed, "taken", json.RawMessage(`{"id":"t1"}`)
	if diff := cmp.Diff([]Entry{want}, entries(t, db, EntryFilter{})); diff != "" {
		t.Error(diff)
	}
	if pending, err := db.Pending(ctx, staff); len(pending) != 0 || err != nil {
		t.Errorf("pending %v, %v", pending, err)
	}
}

func TestAnOutcomeAndItsLinkAreStoredTogetherOrNotAtAll(t *testing.T) {
	ctx, db := context.Background(), open(t)
	begun(t, db, "run1", staff, 0)
	must(t, db.Intend(ctx, newEntry("run1", 1, "s1", ""), newEntry("run1", 2, "s2", "")))
	one, two := newLink("s1", "t1"), newLink("s2", "t1")
	err := db.Resolve(ctx, Outcome{Run: "run1", Seq: 1, Result: ResultDone, Link: &one}, Outcome{Run: "run1", Seq: 2, Result: ResultDone, Link: &two})
	wantIs(t, err, ErrLinked)
	if n, _, err := db.LinkCount(ctx, staff); n != 0 || err != nil {
		t.Errorf("%d links, %v", n, err)
	}
	if pending, err := db.Pending(ctx, staff); numbers(pending) != "run1/1 run1/2" || err != nil {
		t.Errorf("pending %q, %v", numbers(pending), err)
	}
	two.TargetID = "t2"
	must(t, db.Resolve(ctx, Outcome{Run: "run1", Seq: 1, Result: ResultDone, Link: &one}, Outcome{Run: "run1", Seq: 2, Result: ResultDone, Link: &two}))
	if link, err := db.LinkByTarget(ctx, staff, "t2"); err != nil || link.SourceID != "s2" {
		t.Errorf("%q, %v", link.SourceID, err)
	}
}

func TestDroppingAndReplacingALink(t *testing.T) {
	for name, c := range map[string]struct {
		source, target string // of the entry
		link           *Link
		want           string
	}{
		"drop by source":                       {"s1", "", nil, "s2-t2"},
		"drop by target":                       {"", "t2", nil, "s1-t1"},
		"drop none":                            {"s9", "t9", nil, "s1-t1 s2-t2"},
		"made anew: another target account":    {"s1", "t1", new(newLink("s1", "t9")), "s1-t9 s2-t2"},
		"rehire: another source account":       {"s9", "t1", new(newLink("s9", "t1")), "s2-t2 s9-t1"},
		"both accounts had another other half": {"s1", "t2", new(newLink("s1", "t2")), "s1-t2"},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, db := context.Background(), open(t)
			other := newLink("s1", "t1")
			other.Sync = "other"
			must(t, db.SaveLinks(ctx, newLink("s1", "t1"), newLink("s2", "t2"), other))
			begun(t, db, "run1", staff, 0)
			must(t, db.Intend(ctx, newEntry("run1", 1, c.source, c.target)))
			must(t, db.Resolve(ctx, Outcome{Run: "run1", Seq: 1, Result: ResultDone, DropLink: true, Link: c.link}))
			var got []string
			must(t, db.Links(ctx, staff, func(head LinkHead) error {
				got = append(got, head.SourceID+"-"+head.TargetID)
				return nil
			}))
			if diff := cmp.Diff(c.want, strings.Join(got, " ")); diff != "" {
				t.Error(diff)
			}
			if n, _, err := db.LinkCount(ctx, "other"); n != 1 || err != nil {
				t.Errorf("%d links of the other sync, %v", n, err)
			}
		})
	}
}

func TestAnUnknownOutcomeStaysPendingUntilItIsKnown(t *testing.T) {
	ctx, db := context.Background(), open(t)
	begun(t, db, "run1", staff, 0)
	must(t, db.Intend(ctx, newEntry("run1", 1, "s1", "t1")))
	must(t, db.Resolve(ctx, Outcome{Run: "run1", Seq: 1, Result: ResultUnknown, Message: "answer lost"}))
	pending, err := db.Pending(ctx, staff)
	must(t, err)
	if len(pending) != 1 || pending[0].Result != ResultUnknown || pending[0].Message != "answer lost" {
		t.Errorf("pending %+v", pending)
	}
	must(t, db.Resolve(ctx, Outcome{Run: "run1", Seq: 1, Result: ResultDone}))
	if pending, err := db.Pending(ctx, staff); len(pending) != 0 || err != nil {
		t.Errorf("pending %v, %v", pending, err)
	}
	for _, result := range []Result{ResultDone, ResultFailed, ResultUnknown} {
		err := db.Resolve(ctx, Outcome{Run: "run1", Seq: 1, Result: result})
		wantIs(t, err, ErrExists)
	}
}

func TestWhatTheJournalRefuses(t *testing.T) {
	ctx, db := context.Background(), open(t)
	begun(t, db, "run1", staff, 0)
	must(t, db.Intend(ctx, newEntry("run1", 1, "s1", "t1")))
	must(t, db.Intend(ctx))
	must(t, db.Resolve(ctx))
	wantIs(t, db.Intend(ctx, newEntry("run1", 2, "s2", "t2"), newEntry("run1", 1, "s3", "t3")), ErrExists)
	wantIs(t, db.Intend(ctx, newEntry("run2", 1, "s1", "t1")), ErrNotFound)
	wantIs(t, db.Resolve(ctx, Outcome{Run: "run2", Seq: 1, Result: ResultDone}), ErrNotFound)
	wantIs(t, db.Resolve(ctx, Outcome{Run: "run1", Seq: 7, Result: ResultDone}), ErrNotFound)
	for _, result := range []Result{"", "Done"} {
		if db.Resolve(ctx, Outcome{Run: "run1", Seq: 1, Result: result}) == nil {
			t.Errorf("result %q was taken", result)
		}
	}
	if got := numbers(entries(t, db, EntryFilter{})); got != "run1/1" {
		t.Errorf("entries %q", got)
	}
}

func TestACancelledRunStillRecordsWhatItDid(t *testing.T) {
	db := open(t)
	begun(t, db, "run1", staff, 0)
	ctx, cancel := context.WithCancel(context.Background())
	must(t, db.Intend(ctx, newEntry("run1", 1, "s1", "t1")))
	cancel()
	wantIs(t, db.Intend(ctx, newEntry("run1", 2, "s1", "t1")), context.Canceled)
	must(t, db.Resolve(ctx, Outcome{Run: "run1", Seq: 1, Result: ResultDone}))
	if got := entries(t, db, EntryFilter{}); len(got) != 1 || got[0].Result != ResultDone {
		t.Errorf("entries %+v", got)
	}
}

func TestManyWorkersJournalAtOnce(t *testing.T) {
	ctx, db := context.Background(), open(t)
	begun(t, db, "run1", staff, 0)
	const workers, each = 16, 25
	var group sync.WaitGroup
	for worker := range int64(workers) {
		group.Go(func() {
			for i := range int64(each) {
				seq := worker*each + i
				id := fmt.Sprint(seq)
				link := newLink("s"+id, "t"+id)
				if err := errors.Join(
					db.Intend(ctx, newEntry("run1", seq, "s"+id, "")),
					db.Resolve(ctx, Outcome{Run: "run1", Seq: seq, Result: ResultDone, Link: &link}),
				); err != nil {
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
	if n, _, err := db.LinkCount(ctx, staff); n != workers*each || err != nil {
		t.Errorf("%d links, %v", n, err)
	}
	if pending, err := db.Pending(ctx, staff); len(pending) != 0 || err != nil {
		t.Errorf("%d pending, %v", len(pending), err)
	}
}

func TestChoosingEntries(t *testing.T) {
	ctx := context.Background()
	db, now := openClock(t)
	begun(t, db, "later", staff, 0)
	begun(t, db, "a", "other", 0)
	must(t, db.Intend(ctx, newEntry("later", 2, "s2", "t2"), newEntry("later", 1, "s1", "t1")))
	*now = start.Add(time.Hour)
	third := newEntry("a", 1, "t2", "s3")
	third.Sync = "other"
	must(t, db.Intend(ctx, third))
	for _, c := range []struct {
		filter EntryFilter
		want   string
	}{
		{EntryFilter{}, "later/1 later/2 a/1"},
		{EntryFilter{Run: "later"}, "later/1 later/2"},
		{EntryFilter{Run: "late"}, ""},
		{EntryFilter{Sync: "other"}, "a/1"},
		{EntryFilter{Since: start.Add(time.Hour)}, "a/1"},
		{EntryFilter{Account: "t2"}, "later/2 a/1"},
		{EntryFilter{Account: "s1"}, "later/1"},
		{EntryFilter{Account: "ANNA S1"}, "later/1"},
		{EntryFilter{Account: "S1"}, ""},
		{EntryFilter{Account: "t2", Run: "later"}, "later/2"},
	} {
		if got := numbers(entries(t, db, c.filter)); got != c.want {
			t.Errorf("%+v: %q, want %q", c.filter, got, c.want)
		}
	}
	stop := errors.New("enough")
	calls := 0
	wantIs(t, db.Entries(ctx, EntryFilter{}, func(Entry) error { calls++; return stop }), stop)
	if calls != 1 {
		t.Errorf("%d calls", calls)
	}
}

func TestPruningKeepsWhatIsStillNeeded(t *testing.T) {
	ctx := context.Background()
	db, now := openClock(t)
	intend := func(run string, hours int, result Result) {
		*now = start.Add(time.Duration(hours) * time.Hour)
		must(t, db.Intend(ctx, newEntry(run, 1, "s", "t")))
		if result != "" {
			must(t, db.Resolve(ctx, Outcome{Run: run, Seq: 1, Result: result}))
		}
	}
	for hour, run := range []string{"good", "crashed", "unknown", "old", "last", "new"} {
		begun(t, db, run, staff, hour)
		must(t, db.FinishRun(ctx, Run{ID: run, Complete: run == "good"}))
	}
	begun(t, db, "other", "other", 1)
	intend("good", 0, ResultDone)
	intend("crashed", 1, "")
	intend("unknown", 2, ResultUnknown)
	intend("old", 3, ResultFailed)
	intend("last", 4, ResultDone)
	intend("new", 5, ResultDone)

	pruned, err := db.Prune(ctx, start.Add(4*time.Hour))
	must(t, err)
	if pruned != (Pruned{Entries: 2, Runs: 1}) {
		t.Errorf("pruned %+v", pruned)
	}
	runs, err := db.Runs(ctx, RunFilter{})
	must(t, err)
	if got := ids(runs); got != "other new last unknown crashed good" {
		t.Errorf("runs %q", got)
	}
	if got := numbers(entries(t, db, EntryFilter{})); got != "crashed/1 unknown/1 last/1 new/1" {
		t.Errorf("entries %q", got)
	}

	// Far in the future only what is pending, the last run and the last good run remain.
	_, err = db.Prune(ctx, start.AddDate(10, 0, 0))
	must(t, err)
	runs, err = db.Runs(ctx, RunFilter{})
	must(t, err)
	if got := ids(runs); got != "other new unknown crashed good" {
		t.Errorf("runs %q", got)
	}
}

func TestPruningGoesOnUntilNothingIsLeft(t *testing.T) {
	ctx, db := context.Background(), open(t)
	begun(t, db, "run1", staff, 0)
	const count = pruneRows + 5
	var intents []Entry
	var outcomes []Outcome
	for seq := range int64(count) {
		intents = append(intents, newEntry("run1", seq, "s", "t"))
		outcomes = append(outcomes, Outcome{Run: "run1", Seq: seq, Result: ResultDone})
	}
	must(t, db.Intend(ctx, intents...))
	must(t, db.Resolve(ctx, outcomes...))
	if pruned, err := db.Prune(ctx, start.Add(1)); err != nil || pruned.Entries != count {
		t.Errorf("%+v, %v", pruned, err)
	}
}
