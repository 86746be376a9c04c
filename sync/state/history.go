package state

import (
	"context"
	"strings"
	"time"
)

// EntryFilter chooses entries of the journal; zero fields choose all.
type EntryFilter struct {
	// Run is a whole run id.
	Run, Sync string
	// Account is an id on either side, or a label, compared without case.
	Account string
	// Since chooses entries whose intent is of then or later.
	Since time.Time
}

// Entries calls each for every chosen entry, oldest run first and in the order of their numbers. The first error of each
// ends the walk and is returned.
func (db *DB) Entries(ctx context.Context, filter EntryFilter, each func(Entry) error) error {
	where, args := []string{"e.intent_at >= ?"}, []any{nanos(filter.Since)}
	if filter.Run != "" {
		where, args = append(where, "e.run = (SELECT id FROM runs WHERE run = ?)"), append(args, filter.Run)
	}
	if filter.Sync != "" {
		where, args = append(where, "n.name = ?"), append(args, filter.Sync)
	}
	if filter.Account != "" {
		chosen := each
		each = func(e Entry) error {
			if e.SourceID != filter.Account && e.TargetID != filter.Account && !strings.EqualFold(e.Account, filter.Account) {
				return nil
			}
			return chosen(e)
		}
	}
	return db.selectEntries(ctx, each, "WHERE "+strings.Join(where, " AND ")+" ORDER BY e.run, e.seq", args...)
}

// Pruned counts what Prune removed.
type Pruned struct {
	Entries, Runs int
}

// pruneRows is the most rows that one transaction of Prune removes, so that a run beside it does not wait for long.
const pruneRows = 2000

// Prune removes the entries and the runs that are older than a time. Three things stay whatever their age: entries whose
// outcome is not known, with their runs; the last run of each sync; its last run with complete listings.
func (db *DB) Prune(ctx context.Context, before time.Time) (Pruned, error) {
	var pruned Pruned
	var err error
	pruned.Entries, err = db.pruneTable(ctx, `DELETE FROM entries WHERE (run, seq) IN (
		SELECT run, seq FROM entries WHERE intent_at < ? AND result NOT IN ('', 'unknown') LIMIT ?)`, nanos(before), pruneRows)
	if err != nil {
		return pruned, err
	}
	pruned.Runs, err = db.pruneTable(ctx, `DELETE FROM runs WHERE id IN (
		SELECT r.id FROM runs r WHERE r.started_at < ?
		AND NOT EXISTS (SELECT 1 FROM entries e WHERE e.run = r.id)
		AND EXISTS (SELECT 1 FROM runs later WHERE later.sync = r.sync AND later.id > r.id)
		AND NOT (r.complete = 1 AND NOT EXISTS (
			SELECT 1 FROM runs later WHERE later.sync = r.sync AND later.complete = 1 AND later.id > r.id))
		LIMIT ?)`, nanos(before), pruneRows)
	return pruned, err
}

// pruneTable repeats a deletion of at most pruneRows rows until it finds less.
func (db *DB) pruneTable(ctx context.Context, query string, args ...any) (int, error) {
	for total := 0; ; {
		var removed int64
		err := db.write(ctx, pruneRows, func(t *tx) error {
			result, err := t.exec(query, args...)
			if err != nil {
				return err
			}
			removed, err = result.RowsAffected()
			return err
		})
		total += int(removed)
		if err != nil || removed < pruneRows {
			return total, err
		}
	}
}
