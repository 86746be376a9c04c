package state

import (
	"context"
	"database/sql"
	"fmt"
	"io/fs"
	"strconv"
	"strings"
	"time"

	"github.com/pressly/goose/v3"
	sqlite3 "modernc.org/sqlite/lib"
)

// Several processes may open a new or an old file at the same moment. Each step below is one transaction that either
// finds the work done or does it:
//
//  1. identify: whose file is it? Nothing is written into a file that is not ours.
//  2. claim: an empty file gets our application id and goose's table of versions, with each version allowed once.
//  3. write-ahead log: kept in the file, so it is switched on once.
//  4. migrate: each migration writes its version in its own transaction. Who comes second with the same one is
//     refused by the table, rolled back as a whole, and looks again.

// querier is a pool or a connection.
type querier interface {
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// wantedVersion is the version of the newest migration: the number that its file name begins with.
func wantedVersion() int64 {
	files, err := fs.Glob(migrations, "migrations/*.sql")
	if err != nil || len(files) == 0 {
		panic("state: no migrations embedded")
	}
	var newest int64
	for _, file := range files {
		number, _, _ := strings.Cut(strings.TrimPrefix(file, "migrations/"), "_")
		version, err := strconv.ParseInt(number, 10, 64)
		if err != nil {
			panic("state: migration without a number: " + file)
		}
		newest = max(newest, version)
	}
	return newest
}

func (db *DB) prepareFile(ctx context.Context, options Options) error {
	pool, err := connect(db.path, options, writerPragmas(options)...)
	if err != nil {
		return err
	}
	defer pool.Close()
	fresh, err := db.identify(ctx, pool)
	if err != nil {
		return err
	}
	if fresh {
		if err := db.claim(ctx, pool); err != nil {
			return err
		}
	}
	if err := writeAhead(ctx, pool, options.busy); err != nil {
		return err
	}
	version, err := db.version(ctx, pool)
	if err != nil {
		return err
	}
	if version < wantedVersion() {
		return db.migrate(ctx, pool)
	}
	return probe(ctx, pool)
}

// probe finds out now, and not at the first write, that the file cannot be written: SQLite opens such a file without a
// word, and even begins.
func probe(ctx context.Context, pool *sql.DB) error {
	tx, err := pool.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	_, err = tx.ExecContext(ctx, "DELETE FROM "+versionTable+" WHERE false")
	return err
}

// identify tells whether the file is ours; fresh where it is still empty.
func (db *DB) identify(ctx context.Context, q querier) (fresh bool, err error) {
	var id, objects int64
	row := q.QueryRowContext(ctx, "SELECT (SELECT application_id FROM pragma_application_id), (SELECT count(*) FROM sqlite_master)")
	if err := row.Scan(&id, &objects); err != nil {
		return false, err
	}
	switch {
	case id == applicationID:
		return false, nil
	case id == 0 && objects == 0:
		return true, nil
	default:
		return false, db.fault(ErrNotState, nil, "is a database of another program - name another file")
	}
}

func (db *DB) claim(ctx context.Context, pool *sql.DB) error {
	tx, err := pool.BeginTx(ctx, nil) // immediate, see dsn
	if err != nil {
		return err
	}
	defer tx.Rollback()
	fresh, err := db.identify(ctx, tx)
	if err != nil || !fresh {
		return err
	}
	for _, statement := range []string{
		"PRAGMA application_id = " + strconv.Itoa(applicationID),
		"CREATE TABLE " + versionTable + ` (
			id         INTEGER PRIMARY KEY AUTOINCREMENT,
			version_id INTEGER NOT NULL UNIQUE,
			is_applied INTEGER NOT NULL,
			tstamp     TIMESTAMP DEFAULT (datetime('now'))
		)`,
		"INSERT INTO " + versionTable + " (version_id, is_applied) VALUES (0, 1)",
	} {
		if _, err := tx.ExecContext(ctx, statement); err != nil {
			return err
		}
	}
	return tx.Commit()
}

// writeAhead switches the write-ahead log on. SQLite does not wait for other processes here, so we do.
func writeAhead(ctx context.Context, pool *sql.DB, patience time.Duration) error {
	const pause = 20 * time.Millisecond
	for waited := time.Duration(0); ; waited += pause {
		var mode string
		err := pool.QueryRowContext(ctx, "PRAGMA journal_mode = wal").Scan(&mode)
		if err == nil && mode != "wal" {
			return fmt.Errorf("this file system does not carry SQLite's write-ahead log (mode %s) - put the state on a local disk", mode)
		}
		if code(err) != sqlite3.SQLITE_BUSY || waited >= patience {
			return err
		}
		timer := time.NewTimer(pause)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		}
	}
}

// version returns the version of the file, which is not above ours.
func (db *DB) version(ctx context.Context, q querier) (int64, error) {
	var version int64
	if err := q.QueryRowContext(ctx, "SELECT coalesce(max(version_id), 0) FROM "+versionTable).Scan(&version); err != nil {
		return 0, err
	}
	if wanted := wantedVersion(); version > wanted {
		return 0, db.fault(ErrNewer, nil, "has version %d, and this rollcall knows versions up to %d - upgrade rollcall", version, wanted)
	}
	return version, nil
}

func (db *DB) migrate(ctx context.Context, pool *sql.DB) error {
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return err
	}
	provider, err := goose.NewProvider(goose.DialectSQLite3, pool, files,
		goose.WithTableName(versionTable), goose.WithDisableGlobalRegistry(true))
	if err != nil {
		return fmt.Errorf("read migrations: %w", err)
	}
	var version int64
	for {
		_, failure := provider.Up(ctx)
		before := version
		if version, err = db.version(ctx, pool); err != nil {
			return err
		}
		if version == wantedVersion() {
			return nil
		}
		// No progress, neither by us nor by another process: the failure is real.
		if version == before {
			return fmt.Errorf("upgrade from version %d to %d: %w", version, wantedVersion(), failure)
		}
	}
}
