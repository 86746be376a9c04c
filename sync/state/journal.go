package state

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// Result says how a write ended.
type Result string

// The results. An entry has none between its intent and its outcome.
const (
	ResultDone    Result = "done"
	ResultFailed  Result = "failed"  // nothing was changed
	ResultSkipped Result = "skipped" // not tried
	ResultUnknown Result = "unknown" // sent, and the answer was lost: stays pending until somebody has read it back
)

// Entry is one line of the journal: a write to a directory, before and after. Times are UTC.
type Entry struct {
	Run string
	// Seq numbers the entries of a run.
	Seq  int64
	Sync string
	// Side is "source" or "target", Action the operation's verb.
	Side, Action string
	// SourceID and TargetID are the two accounts; the one that is yet to be created is empty.
	SourceID, TargetID string
	// Account is the label for people.
	Account string
	// Operation is the planned operation as JSON: before and after, reason. The caller blanks secrets.
	Operation json.RawMessage

	// What follows is filled in by Intend and Resolve. IntentAt is when Intend was called.
	IntentAt, OutcomeAt time.Time
	Result              Result
	Message             string
	// Stored is the account as the directory stored it, as JSON.
	Stored json.RawMessage
}

// Outcome is what became of an intent.
type Outcome struct {
	Run     string
	Seq     int64
	Result  Result
	Message string
	// Stored is the account as the directory stored it, as JSON.
	Stored json.RawMessage
	// DropLink removes the links of the entry's sync that join the entry's source or its target account.
	DropLink bool
	// Link is saved, after DropLink; nil changes no link. Together they replace a link by one with another account.
	Link *Link
}

// Intend records what is about to be done, all or none. When it returns nil the intents are on disk, and the writes may be
// sent. A run that was not begun is [ErrNotFound], a number that was used before [ErrExists]. While this DB holds the lease of the
// sync, Intend makes sure that nobody has taken it over, or returns [ErrLost].
func (db *DB) Intend(ctx context.Context, entries ...Entry) error {
	type row struct {
		Entry
		run, sync int64
	}
	rows, fences := make([]row, len(entries)), make(map[string]*Lease)
	for i, entry := range entries {
		run, err := db.runID(ctx, entry.Run)
		if err != nil {
			return err
		}
		if err := db.intern(ctx, entry.Sync); err != nil {
			return err
		}
		rows[i] = row{Entry: entry, run: run, sync: db.known(entry.Sync)}
		if lease := db.lease(entry.Sync); lease != nil {
			fences[entry.Sync] = lease
		}
	}
	if len(rows) == 0 {
		return nil
	}
	now := nanos(db.now())
	return db.write(ctx, len(rows), func(t *tx) error {
		for _, lease := range fences {
			if err := lease.verify(t); err != nil {
				return err
			}
		}
		for _, r := range rows {
			result, err := t.exec(`INSERT INTO entries (run, seq, sync, side, action, source_id, target_id, account, operation, intent_at,
				outcome_at, result, message, stored) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0, '', '', '') ON CONFLICT DO NOTHING`,
				r.run, r.Seq, r.sync, r.Side, r.Action, r.SourceID, r.TargetID, r.Account, string(r.Operation), now)
			if err != nil {
				return err
			}
			if n, err := result.RowsAffected(); err != nil || n == 0 {
				return errors.Join(err, faultf(ErrExists, "entry %d of run %s is in the journal already", r.Seq, r.Run))
			}
		}
		return nil
	})
}

// Resolve records outcomes, each together with the change of its link in one transaction, all or none. It does not heed the
// end of the context, because what was done must be known. An entry without intent is [ErrNotFound]; one that has an
// outcome other than unknown is [ErrExists]; a link that cannot be saved is [ErrLinked].
func (db *DB) Resolve(ctx context.Context, outcomes ...Outcome) error {
	ctx = context.WithoutCancel(ctx)
	type row struct {
		Outcome
		run  int64
		link *linkRow
	}
	rows, weight := make([]row, len(outcomes)), 0
	for i, outcome := range outcomes {
		switch outcome.Result {
		case ResultDone, ResultFailed, ResultSkipped, ResultUnknown:
		default:
			return fmt.Errorf("entry %d of run %s: %q is no result", outcome.Seq, outcome.Run, outcome.Result)
		}
		run, err := db.runID(ctx, outcome.Run)
		if err != nil {
			return err
		}
		rows[i] = row{Outcome: outcome, run: run}
		weight++
		if outcome.Link != nil {
			encoded, err := db.encodeLinks(ctx, []Link{*outcome.Link})
			if err != nil {
				return err
			}
			rows[i].link = &encoded[0]
			weight++
		}
	}
	if len(rows) == 0 {
		return nil
	}
	now := nanos(db.now())
	return db.write(ctx, weight, func(t *tx) error {
		for _, r := range rows {
			if err := resolve(t, r.run, r.Outcome, now); err != nil {
				return err
			}
			if r.link != nil {
				if err := r.link.save(t); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

func resolve(t *tx, run int64, o Outcome, now int64) error {
	result, err := t.exec(`UPDATE entries SET outcome_at = ?, result = ?, message = ?, stored = ?
		WHERE run = ? AND seq = ? AND result IN ('', 'unknown')`, now, string(o.Result), o.Message, string(o.Stored), run, o.Seq)
	if err != nil {
		return err
	}
	changed, err := result.RowsAffected()
	if err != nil {
		return err
	}
	if changed == 0 {
		var before string
		err := t.get("SELECT result FROM entries WHERE run = ? AND seq = ?", []any{run, o.Seq}, &before)
		if errors.Is(err, sql.ErrNoRows) {
			return faultf(ErrNotFound, "entry %d of run %s has no intent in the journal", o.Seq, o.Run)
		}
		if err != nil {
			return err
		}
		return faultf(ErrExists, "entry %d of run %s has the outcome %s already", o.Seq, o.Run, before)
	}
	if !o.DropLink {
		return nil
	}
	var sync int64
	var source, target string
	if err := t.get("SELECT sync, source_id, target_id FROM entries WHERE run = ? AND seq = ?", []any{run, o.Seq}, &sync, &source, &target); err != nil {
		return err
	}
	if _, err := dropLinks(t, "sync = ? AND source_id = ?", sync, source); err != nil {
		return err
	}
	_, err = dropLinks(t, "target_id = ? AND sync = ?", target, sync)
	return err
}

const selectEntries = `SELECT r.run, e.seq, n.name, e.side, e.action, e.source_id, e.target_id, e.account, e.operation, e.intent_at,
	e.outcome_at, e.result, e.message, e.stored FROM entries e JOIN runs r ON r.id = e.run JOIN names n ON n.id = e.sync `

// Pending returns the entries of a sync whose outcome is not known, in the order of their intents: left by a crash (no result),
// or by an answer that was lost ([ResultUnknown]). Each is to be read back in its directory and then resolved.
func (db *DB) Pending(ctx context.Context, sync string) ([]Entry, error) {
	id, ok, err := db.nameID(ctx, sync)
	if err != nil || !ok {
		return nil, err
	}
	var pending []Entry
	err = db.selectEntries(ctx, func(entry Entry) error {
		pending = append(pending, entry)
		return nil
	}, "WHERE e.sync = ? AND e.result IN ('', 'unknown') ORDER BY e.run, e.seq", id)
	return pending, err
}

func (db *DB) selectEntries(ctx context.Context, each func(Entry) error, where string, args ...any) error {
	rows, err := db.reader.QueryContext(ctx, selectEntries+where, args...)
	if err != nil {
		return translate(db.path, err)
	}
	defer rows.Close()
	for rows.Next() {
		var e Entry
		var intent, outcome int64
		var operation, stored string
		if err := rows.Scan(&e.Run, &e.Seq, &e.Sync, &e.Side, &e.Action, &e.SourceID, &e.TargetID, &e.Account, &operation, &intent, &outcome,
			&e.Result, &e.Message, &stored); err != nil {
			return translate(db.path, err)
		}
		e.IntentAt, e.OutcomeAt = fromNanos(intent), fromNanos(outcome)
		e.Operation, e.Stored = rawJSON(operation), rawJSON(stored)
		if err := each(e); err != nil {
			return err
		}
	}
	return translate(db.path, rows.Err())
}
