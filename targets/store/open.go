package store

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strconv"

	"github.com/pressly/goose/v3"
	_ "modernc.org/sqlite" // the driver "sqlite"

	"github.com/rollcall-sync/rollcall/sync/directory"
)

//go:embed migrations/*.sql
var migrations embed.FS

const (
	// applicationID marks the file's header; the first migration writes it.
	applicationID = 1383034988
	versionTable  = "store_version"
)

var (
	errClosed  = errors.New("the store is closed")
	errForeign = errors.New("the file is an SQLite database of another program")
)

// newerError says that the file was written by a later release.
type newerError struct{ file, known int64 }

func (e *newerError) Error() string {
	return fmt.Sprintf("the file has schema version %d, this release knows %d", e.file, e.known)
}

// ready opens the file at the first call that finds it, or makes it. A failure is not remembered: the next call tries again.
func (d *Directory) ready(ctx context.Context) (writer, reader *sql.DB, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return nil, nil, errClosed
	}
	if d.writer != nil {
		return d.writer, d.reader, nil
	}
	if err := makeFile(d.path); err != nil {
		return nil, nil, err
	}
	writer, err = sql.Open("sqlite", d.dsn("_txlock=immediate"))
	if err != nil {
		return nil, nil, err
	}
	writer.SetMaxOpenConns(1)
	if err := migrate(ctx, writer); err != nil {
		return nil, nil, errors.Join(err, writer.Close())
	}
	reader, err = sql.Open("sqlite", d.dsn("_pragma=query_only(1)"))
	if err != nil {
		return nil, nil, errors.Join(err, writer.Close())
	}
	reader.SetMaxOpenConns(readers)
	reader.SetMaxIdleConns(readers)
	d.writer, d.reader = writer, reader
	return writer, reader, nil
}

// readable returns what readers use: the file, or an empty store in memory as long as there is none, so that looking does
// not make it.
func (d *Directory) readable(ctx context.Context) (*sql.DB, error) {
	if exists, err := d.exists(); err != nil || exists {
		if err != nil {
			return nil, err
		}
		_, reader, err := d.ready(ctx)
		return reader, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return nil, errClosed
	}
	if d.empty != nil {
		return d.empty, nil
	}
	empty, err := sql.Open("sqlite", ":memory:")
	if err != nil {
		return nil, err
	}
	empty.SetMaxOpenConns(1) // each connection would have a database of its own
	if err := migrate(ctx, empty); err != nil {
		return nil, errors.Join(err, empty.Close())
	}
	d.empty = empty
	return empty, nil
}

// exists reports whether the file is there. Its folder has to be.
func (d *Directory) exists() (bool, error) {
	_, err := os.Stat(d.path)
	if errors.Is(err, fs.ErrNotExist) {
		_, err = os.Stat(filepath.Dir(d.path))
		return false, err
	}
	return err == nil, err
}

// dsn names the file so that no character of its path is taken for a parameter.
func (d *Directory) dsn(more string) string {
	path := (&url.URL{Path: d.path}).EscapedPath()
	return "file:" + path + "?_pragma=busy_timeout(" + strconv.FormatInt(d.busy.Milliseconds(), 10) +
		")&_pragma=foreign_keys(1)&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&" + more
}

// makeFile creates the file where it is missing, readable for its owner alone; SQLite gives its side files the same mode.
func makeFile(path string) error {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return file.Close()
}

// migrate brings the schema up to date. Two processes may do so at the same time: the one that comes second finds its step
// done, which is what counts.
func migrate(ctx context.Context, db *sql.DB) error {
	steps, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return err
	}
	provider, err := goose.NewProvider(goose.DialectSQLite3, db, steps, goose.WithTableName(versionTable), goose.WithLogger(goose.NopLogger()))
	if err != nil {
		return err
	}
	sources := provider.ListSources()
	known := sources[len(sources)-1].Version
	have, err := version(ctx, db)
	if err != nil || have == known {
		return err
	}
	if have > known {
		return &newerError{have, known}
	}
	if _, err := provider.Up(ctx); err != nil {
		if now, check := version(ctx, db); check == nil && now == known {
			return nil
		}
		return err
	}
	return nil
}

// version returns the schema version of the file, 0 for an empty one, and refuses what is no store.
func version(ctx context.Context, db *sql.DB) (int64, error) {
	var mark, others int64
	var has bool
	err := db.QueryRowContext(ctx, `SELECT (SELECT application_id FROM pragma_application_id),
		(SELECT count(*) FROM sqlite_schema WHERE name NOT LIKE 'sqlite\_%' ESCAPE '\' AND name <> ?1),
		EXISTS (SELECT 1 FROM sqlite_schema WHERE name = ?1)`, versionTable).Scan(&mark, &others, &has)
	switch {
	case err != nil:
		return 0, err
	case mark != applicationID && (mark != 0 || others > 0):
		return 0, errForeign
	case !has:
		return 0, nil
	}
	var version int64
	err = db.QueryRowContext(ctx, "SELECT coalesce(max(version_id), 0) FROM "+versionTable).Scan(&version)
	return version, err
}

// Close closes the file.
func (d *Directory) Close() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.closed = true
	var failures []error
	// The writer goes last: it folds the write-ahead log into the file.
	for _, pool := range []*sql.DB{d.empty, d.reader, d.writer} {
		if pool != nil {
			failures = append(failures, pool.Close())
		}
	}
	d.empty, d.reader, d.writer = nil, nil, nil
	if err := errors.Join(failures...); err != nil {
		return d.explain("close", "", err)
	}
	return nil
}

// queryer is a connection pool or a transaction.
type queryer interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
}

var _ queryer = (*sql.Tx)(nil)

// read runs a reading call in one transaction, so that all it tells is of one moment.
func (d *Directory) read(ctx context.Context, op, record string, do func(ctx context.Context, q queryer) error) error {
	if err := ctx.Err(); err != nil {
		return d.explain(op, record, err)
	}
	d.requests.Add(1)
	reader, err := d.readable(ctx)
	if err != nil {
		return d.explain(op, record, err)
	}
	tx, err := reader.BeginTx(ctx, nil)
	if err != nil {
		return d.explain(op, record, err)
	}
	return d.explain(op, record, errors.Join(do(ctx, tx), tx.Rollback()))
}

// write runs a writing call in one transaction. Once that has begun, a cancelled context no longer stops it: a write is
// short, and so its outcome is always known.
func (d *Directory) write(ctx context.Context, op, record string, do func(ctx context.Context, tx *sql.Tx) error) error {
	if err := ctx.Err(); err != nil {
		return d.explain(op, record, err)
	}
	d.requests.Add(1)
	writer, _, err := d.ready(ctx)
	if err != nil {
		return d.explain(op, record, err)
	}
	conn, err := writer.Conn(ctx)
	if err != nil {
		return d.explain(op, record, err)
	}
	defer conn.Close()
	ctx = context.WithoutCancel(ctx)
	tx, err := conn.BeginTx(ctx, nil)
	if err != nil {
		return d.explain(op, record, err)
	}
	if err := do(ctx, tx); err != nil {
		// A rollback after a full disk or a lost file fails because SQLite has rolled back already.
		if rollback := tx.Rollback(); rollback != nil {
			d.log.Debug("rollback", "directory", d.desc.Name, "op", op, "error", rollback)
		}
		return d.explain(op, record, err)
	}
	if err := tx.Commit(); err != nil {
		return d.unsure(op, record, err)
	}
	return nil
}

// fault is an error of ours rather than SQLite's.
func fault(kind directory.ErrorKind, attribute, format string, args ...any) error {
	return &directory.Error{Kind: kind, Attribute: attribute, Err: fmt.Errorf(format, args...)}
}
