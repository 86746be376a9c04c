package state

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
)

func put(key string) func(*tx) error {
	return func(t *tx) error {
		_, err := t.exec("INSERT INTO meta (key, value) VALUES (?, 'x')", key)
		return err
	}
}

// batch runs calls as one batch on a writer of its own and returns their answers.
func batch(t *testing.T, db *DB, options Options, calls ...func(*tx) error) []error {
	t.Helper()
	pool, err := connect(db.path, options, writerPragmas(options)...)
	must(t, err)
	w := &writer{path: db.path, db: pool}
	defer func() {
		w.drop()
		must(t, pool.Close())
	}()
	var waiting []call
	for _, do := range calls {
		waiting = append(waiting, call{weight: 1, do: do, answer: make(chan error, 1)})
	}
	w.serve(waiting)
	var answers []error
	for _, c := range waiting {
		answers = append(answers, <-c.answer)
	}
	return answers
}

func TestARefusedCallDoesNotUndoItsNeighbours(t *testing.T) {
	ctx, db := context.Background(), open(t)
	refusal := errors.New("no")
	answers := batch(t, db, Options{}, put("a"), func(t *tx) error {
		return errors.Join(put("b")(t), refusal)
	}, put("a"), put("c"))
	if answers[0] != nil || answers[1] == nil || answers[2] == nil || answers[3] != nil {
		t.Errorf("answers %v", answers)
	}
	wantIs(t, answers[1], refusal)
	notes, err := db.Metas(ctx, "")
	must(t, err)
	if len(notes) != 2 || notes["a"] != "x" || notes["c"] != "x" {
		t.Errorf("notes %v", notes)
	}
}

func TestAFullDiskIsTheAnswerToEveryCallOfTheBatch(t *testing.T) {
	ctx, db := context.Background(), open(t)
	answers := batch(t, db, Options{maxPages: 60}, put("a"), func(t *tx) error {
		return put(strings.Repeat("long", 100_000))(t)
	}, put("b"))
	for i, err := range answers {
		wantIs(t, translate(db.path, err), ErrDiskFull)
		if i > 0 && err.Error() != answers[0].Error() {
			t.Errorf("%v and %v differ", err, answers[0])
		}
	}
	if notes, err := db.Metas(ctx, ""); err != nil || len(notes) != 0 {
		t.Errorf("notes %v, %v", notes, err)
	}
	must(t, db.SetMeta(ctx, "a", "after"))
}

func TestWaitingCallsShareOneTransactionUpToABound(t *testing.T) {
	for _, c := range []struct{ calls, weight, want int }{
		{1, 1, 1},
		{50, 1, 50},
		{batchCalls + 10, 1, batchCalls},
		{50, batchRows / 10, 10},
		{3, 10 * batchRows, 1},
	} {
		t.Run(fmt.Sprintf("%d calls of %d rows", c.calls, c.weight), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := &writer{queue: make(chan call), quit: make(chan struct{})}
				var answered atomic.Int64
				for range c.calls {
					go func() {
						if w.submit(t.Context(), c.weight, nil) == nil {
							answered.Add(1)
						}
					}()
				}
				synctest.Wait()
				gathered := w.gather(<-w.queue)
				if len(gathered) != c.want {
					t.Errorf("gathered %d calls, want %d", len(gathered), c.want)
				}
				for _, one := range gathered {
					one.answer <- nil
				}
				synctest.Wait()
				if int(answered.Load()) != c.want {
					t.Errorf("%d calls came back", answered.Load())
				}
				close(w.quit) // the others are refused
			})
		})
	}
}

func TestACallThatIsCancelledBeforeItsTransactionWritesNothing(t *testing.T) {
	db := open(t)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	wantIs(t, db.SetMeta(ctx, "a", "b"), context.Canceled)

	// One that is waiting while another is being written gives up at once.
	ctx, cancel = context.WithCancel(context.Background())
	running, gate := make(chan struct{}), make(chan struct{})
	first := make(chan error)
	go func() {
		first <- db.write(context.Background(), 1, func(*tx) error {
			close(running)
			<-gate
			return nil
		})
	}()
	<-running
	waiting := make(chan error)
	go func() { waiting <- db.SetMeta(ctx, "a", "b") }()
	cancel()
	wantIs(t, <-waiting, context.Canceled)
	close(gate)
	must(t, <-first)
	if value, err := db.Meta(context.Background(), "a"); value != "" || err != nil {
		t.Errorf("%q, %v", value, err)
	}
}

func TestACallerThatGivesUpLateDoesNotUndoItsWrite(t *testing.T) {
	db := open(t)
	ctx, cancel := context.WithCancel(context.Background())
	must(t, db.write(ctx, 1, func(t *tx) error {
		cancel()
		return put("a")(t)
	}))
	if value, err := db.Meta(context.Background(), "a"); value != "x" || err != nil {
		t.Errorf("%q, %v", value, err)
	}
}

func TestTwoOpenStatesSeeEachOthersNames(t *testing.T) {
	ctx, path := context.Background(), filepath.Join(t.TempDir(), "rollcall.db")
	one, two := openAt(t, path, Options{}), openAt(t, path, Options{})
	must(t, one.SaveLinks(ctx, newLink("s1", "t1")))
	other := newLink("s2", "t2")
	other.Sync, other.Rules = "other", "r2"
	must(t, two.SaveLinks(ctx, other))
	if link, err := one.LinkByTarget(ctx, "other", "t2"); err != nil || link.Sync != "other" || link.Rules != "r2" {
		t.Errorf("%+v, %v", link, err)
	}
	must(t, one.SaveLinks(ctx, Link{Sync: "third", LinkHead: LinkHead{SourceID: "s", TargetID: "t"}}))
	for _, db := range []*DB{one, two} {
		for sync, source := range map[string]string{"staff-to-website": "s1", "other": "s2", "third": "s"} {
			if link, err := db.LinkBySource(ctx, sync, source); err != nil || link.Sync != sync {
				t.Errorf("%q, %v", link.Sync, err)
			}
		}
	}
}

func TestNotes(t *testing.T) {
	ctx, db := context.Background(), open(t)
	if value, err := db.Meta(ctx, "hold/%"); value != "" || err != nil {
		t.Errorf("%q, %v", value, err)
	}
	for key, value := range map[string]string{"hold/a": "1", "hold/b": "2", "holding": "3", "HOLD/c": "4", "gone": "5"} {
		must(t, db.SetMeta(ctx, key, value))
	}
	must(t, db.SetMeta(ctx, "hold/a", "new"))
	must(t, db.SetMeta(ctx, "gone", ""))
	notes, err := db.Metas(ctx, "hold/")
	must(t, err)
	if len(notes) != 2 || notes["hold/a"] != "new" || notes["hold/b"] != "2" {
		t.Errorf("notes %v", notes)
	}
	if all, err := db.Metas(ctx, ""); err != nil || len(all) != 4 {
		t.Errorf("%v, %v", all, err)
	}
}
