package state

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"
)

// Run is one execution of a sync. Times are UTC.
type Run struct {
	ID, Sync string
	// Trigger says why it ran: "schedule", "command".
	Trigger string
	// StartedAt defaults to now in BeginRun, FinishedAt in FinishRun. FinishedAt is zero while the run lasts, and for ever
	// where its process died.
	StartedAt, FinishedAt time.Time
	// Status is the status of the report; empty until the run is finished.
	Status string
	// Rules is the fingerprint of the rules.
	Rules string
	// Complete is set where both listings were certified as complete: only then do the two counts say how large the
	// directories are.
	Complete               bool
	SourceRead, TargetRead int
	// Report is the whole report as JSON; empty until the run is finished.
	Report json.RawMessage
}

// RunFilter chooses runs; zero fields choose all.
type RunFilter struct {
	Sync string
	// Since chooses runs that started then or later.
	Since time.Time
	// Unfinished chooses the runs without an end: under way, or interrupted by the death of their process. Who holds the
	// lease of a sync knows that they are dead.
	Unfinished bool
	// Limit is the most runs to return, the newest; 0 means all.
	Limit int
}

const selectRuns = `SELECT r.run, n.name, r.trigger, r.started_at, r.finished_at, r.status, r.rules, r.complete, r.source_read,
	r.target_read, r.report FROM runs r JOIN names n ON n.id = r.sync `

// BeginRun records that a run has started. It comes before the run's first intent. An id that was used before is
// [ErrExists].
func (db *DB) BeginRun(ctx context.Context, run Run) error {
	if run.ID == "" || run.Sync == "" {
		return fmt.Errorf("a run needs an id and a sync, not %q and %q", run.ID, run.Sync)
	}
	if err := db.intern(ctx, run.Sync, run.Rules); err != nil {
		return err
	}
	if run.StartedAt.IsZero() {
		run.StartedAt = db.now()
	}
	return db.write(ctx, 1, func(t *tx) error {
		result, err := t.exec(`INSERT INTO runs (run, sync, trigger, started_at, finished_at, status, rules, complete, source_read,
			target_read, report) VALUES (?, ?, ?, ?, 0, '', ?, 0, 0, 0, '') ON CONFLICT DO NOTHING`,
			run.ID, db.known(run.Sync), run.Trigger, nanos(run.StartedAt), db.known(run.Rules))
		if err != nil {
			return err
		}
		if n, err := result.RowsAffected(); err != nil || n == 0 {
			return errors.Join(err, faultf(ErrExists, "run %s was begun before - give each run an id of its own", run.ID))
		}
		return nil
	})
}

// FinishRun records how a run ended: end, status, rules, completeness, counts and report. Sync, trigger and start stay as
// BeginRun stored them. A run that was not begun is [ErrNotFound].
func (db *DB) FinishRun(ctx context.Context, run Run) error {
	if err := db.intern(ctx, run.Rules); err != nil {
		return err
	}
	if run.FinishedAt.IsZero() {
		run.FinishedAt = db.now()
	}
	err := db.write(ctx, 1, func(t *tx) error {
		result, err := t.exec(`UPDATE runs SET finished_at = ?, status = ?, rules = ?, complete = ?, source_read = ?, target_read = ?,
			report = ? WHERE run = ?`, nanos(run.FinishedAt), run.Status, db.known(run.Rules), run.Complete, run.SourceRead,
			run.TargetRead, string(run.Report), run.ID)
		if err != nil {
			return err
		}
		if n, err := result.RowsAffected(); err != nil || n == 0 {
			return errors.Join(err, faultf(ErrNotFound, "run %s was not begun", run.ID))
		}
		return nil
	})
	if err == nil {
		db.runs.forget(run.ID)
	}
	return err
}

// Runs returns runs, the newest first: in the order in which they were begun, which no clock can spoil.
func (db *DB) Runs(ctx context.Context, filter RunFilter) ([]Run, error) {
	where, args := []string{"r.started_at >= ?"}, []any{nanos(filter.Since)}
	if filter.Sync != "" {
		where, args = append(where, "n.name = ?"), append(args, filter.Sync)
	}
	if filter.Unfinished {
		where = append(where, "r.finished_at = 0")
	}
	limit := -1
	if filter.Limit > 0 {
		limit = filter.Limit
	}
	return db.selectRuns(ctx, "WHERE "+strings.Join(where, " AND ")+" ORDER BY r.id DESC LIMIT ?", append(args, limit)...)
}

// RunByID returns a run by its id or by a beginning of it that no other run shares. Errors are [ErrNotFound] and
// [ErrAmbiguous].
func (db *DB) RunByID(ctx context.Context, id string) (Run, error) {
	if id == "" {
		return Run{}, errors.New("which run? name its id or the first letters of it")
	}
	found, err := db.selectRuns(ctx, "WHERE substr(r.run, 1, length(?1)) = ?1 ORDER BY r.run = ?1 DESC, r.started_at DESC LIMIT 3", id)
	switch {
	case err != nil:
		return Run{}, err
	case len(found) == 0:
		return Run{}, faultf(ErrNotFound, "no run has an id that begins with %q - `rollcall history` lists the runs", id)
	case len(found) == 1 || found[0].ID == id:
		return found[0], nil
	default:
		return Run{}, faultf(ErrAmbiguous, "several runs begin with %q, among them %s and %s - give more of the id", id, found[0].ID, found[1].ID)
	}
}

// LastRun returns the run of a sync that was begun last; [ErrNotFound] before the first.
func (db *DB) LastRun(ctx context.Context, sync string) (Run, error) {
	return db.lastRun(ctx, sync, "has never run", "")
}

// LastGood returns the last finished run of a sync whose listings were both complete; [ErrNotFound] before the first.
func (db *DB) LastGood(ctx context.Context, sync string) (Run, error) {
	return db.lastRun(ctx, sync, "has had no run with complete listings", " AND r.complete = 1")
}

func (db *DB) lastRun(ctx context.Context, sync, missing, condition string) (Run, error) {
	found, err := db.selectRuns(ctx, "WHERE n.name = ?"+condition+" ORDER BY r.id DESC LIMIT 1", sync)
	if err != nil {
		return Run{}, err
	}
	if len(found) == 0 {
		return Run{}, faultf(ErrNotFound, "sync %s %s", sync, missing)
	}
	return found[0], nil
}

func (db *DB) selectRuns(ctx context.Context, where string, args ...any) ([]Run, error) {
	rows, err := db.reader.QueryContext(ctx, selectRuns+where, args...)
	if err != nil {
		return nil, translate(db.path, err)
	}
	defer rows.Close()
	var found []Run
	for rows.Next() {
		var run Run
		var started, finished, rules int64
		var report string
		if err := rows.Scan(&run.ID, &run.Sync, &run.Trigger, &started, &finished, &run.Status, &rules, &run.Complete, &run.SourceRead,
			&run.TargetRead, &report); err != nil {
			return nil, translate(db.path, err)
		}
		run.StartedAt, run.FinishedAt, run.Report = fromNanos(started), fromNanos(finished), rawJSON(report)
		if run.Rules, err = db.name(ctx, rules); err != nil {
			return nil, err
		}
		found = append(found, run)
	}
	return found, translate(db.path, rows.Err())
}

// rawJSON returns nil for the empty text, which is no JSON.
func rawJSON(text string) json.RawMessage {
	if text == "" {
		return nil
	}
	return json.RawMessage(text)
}

// runIDs remembers the row numbers of the runs that are being journalled.
type runIDs struct {
	mu  sync.Mutex
	ids map[string]int64
}

func (r *runIDs) forget(run string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.ids, run)
}

func (r *runIDs) get(run string) (int64, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	id, ok := r.ids[run]
	return id, ok
}

func (r *runIDs) put(run string, id int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.ids == nil {
		r.ids = make(map[string]int64)
	}
	r.ids[run] = id
}

// runID returns the row number of a run that was begun.
func (db *DB) runID(ctx context.Context, run string) (int64, error) {
	if id, ok := db.runs.get(run); ok {
		return id, nil
	}
	var id int64
	err := db.reader.QueryRowContext(ctx, "SELECT id FROM runs WHERE run = ?", run).Scan(&id)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, faultf(ErrNotFound, "run %s was not begun", run)
	}
	if err != nil {
		return 0, translate(db.path, err)
	}
	db.runs.put(run, id)
	return id, nil
}
