package state

import (
	"context"
	"database/sql"
	"errors"
)

// LinkedSync is a sync that has links.
type LinkedSync struct {
	Name string
	// TargetDirectory is the name that the target had when the first of the links was made.
	TargetDirectory string
}

// LinkedSyncs returns the syncs that have links, whether they are configured or not.
func (db *DB) LinkedSyncs(ctx context.Context) ([]LinkedSync, error) {
	var found []LinkedSync
	for last := int64(0); ; {
		var target int64
		err := db.reader.QueryRowContext(ctx, `SELECT l.sync, d.target_directory FROM links l JOIN link_details d ON d.id = l.detail
			WHERE l.sync > ? ORDER BY l.sync LIMIT 1`, last).Scan(&last, &target)
		if errors.Is(err, sql.ErrNoRows) {
			return found, nil
		}
		if err != nil {
			return nil, translate(db.path, err)
		}
		var s LinkedSync
		if s.Name, err = db.name(ctx, last); err == nil {
			s.TargetDirectory, err = db.name(ctx, target)
		}
		if err != nil {
			return nil, err
		}
		found = append(found, s)
	}
}

// DeleteLinks forgets all links of a sync and returns how many there were.
func (db *DB) DeleteLinks(ctx context.Context, sync string) (int, error) {
	id, ok, err := db.nameID(ctx, sync)
	if err != nil || !ok {
		return 0, err
	}
	var n int64
	err = db.write(ctx, 1, func(t *tx) (err error) {
		n, err = dropLinks(t, "sync = ?", id)
		return err
	})
	return int(n), err
}
