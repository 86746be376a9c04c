package state

import (
	"context"
	"database/sql"
	"errors"
)

// Meta returns the note kept under a key; "" where there is none.
func (db *DB) Meta(ctx context.Context, key string) (string, error) {
	var value string
	err := db.reader.QueryRowContext(ctx, "SELECT value FROM meta WHERE key = ?", key).Scan(&value)
	if errors.Is(err, sql.ErrNoRows) {
		return "", nil
	}
	return value, translate(db.path, err)
}

// Metas returns all notes whose keys begin with the prefix.
func (db *DB) Metas(ctx context.Context, prefix string) (map[string]string, error) {
	rows, err := db.reader.QueryContext(ctx, "SELECT key, value FROM meta WHERE substr(key, 1, length(?1)) = ?1", prefix)
	if err != nil {
		return nil, translate(db.path, err)
	}
	defer rows.Close()
	notes := make(map[string]string)
	for rows.Next() {
		var key, value string
		if err := rows.Scan(&key, &value); err != nil {
			return nil, translate(db.path, err)
		}
		notes[key] = value
	}
	return notes, translate(db.path, rows.Err())
}

// SetMeta keeps a note under a key; "" removes it.
func (db *DB) SetMeta(ctx context.Context, key, value string) error {
	return db.write(ctx, 1, func(t *tx) error {
		if value == "" {
			_, err := t.exec("DELETE FROM meta WHERE key = ?", key)
			return err
		}
		_, err := t.exec("INSERT INTO meta (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value", key, value)
		return err
	})
}
