package state

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
	"strings"
	"time"

	sqlite3 "modernc.org/sqlite/lib"
)

//go:embed migrations/*.sql
var migrations embed.FS

const (
	// applicationID marks the file as ours in SQLite's own header: "Roll".
	applicationID = 0x526f6c6c
	versionTable  = "schema_version"
	busyTimeout   = 10 * time.Second
	// After a large run the write-ahead log is cut back to this size.
	logSizeLimit = 64 << 20
	readerConns  = 4
)

// Open opens the state file, creating it where it does not exist (readable by this user alone, as are the two files that
// SQLite keeps beside it) and upgrading it where it is of an older version. Errors are [ErrNotState], [ErrNewer],
// [ErrOlder], [ErrLocked], [ErrDiskFull], [ErrReadOnly] or [ErrDamaged] where the cause is known. An existing file keeps
// its rights. It sits on a local disk: SQLite's locks do not work on most network file systems.
func Open(ctx context.Context, path string, options Options) (*DB, error) {
	if strings.Contains(path, "://") {
		return nil, faultf(ErrNotState, "state must be the path of a file, not an address: %s", redactAddress(path))
	}
	absolute, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("state file %s: %w", path, err)
	}
	if options.busy == 0 {
		options.busy = busyTimeout
	}
	if err := ensureFile(absolute, options.ReadOnly); err != nil {
		return nil, err
	}
	db := newDB(absolute, options)
	if options.ReadOnly {
		err = db.openReadOnly(ctx, options)
	} else {
		err = db.openWritable(ctx, options)
	}
	if err == nil {
		err = db.loadNames(ctx)
	}
	if err != nil {
		if db.reader != nil {
			db.Close()
		}
		return nil, translate(absolute, err)
	}
	return db, nil
}

func newDB(path string, options Options) *DB {
	db := &DB{path: path, readOnly: options.ReadOnly, now: options.Now}
	if db.now == nil {
		db.now = time.Now
	}
	if options.self != nil {
		db.self = *options.self
	} else {
		db.self = thisProcess()
	}
	return db
}

// redactAddress keeps the scheme only: the rest may hold a password.
func redactAddress(address string) string {
	scheme, _, _ := strings.Cut(address, "://")
	return scheme + "://..."
}

// ensureFile creates the file with its rights before SQLite would do so with others. It never opens an existing one:
// closing it would drop the locks that SQLite holds on it elsewhere in this process.
func ensureFile(path string, readOnly bool) error {
	info, err := os.Stat(path)
	switch {
	case err == nil && info.IsDir():
		return fileFault(path, ErrNotState, nil, "is a folder - name a file in it")
	case err == nil:
		return nil
	case errors.Is(err, fs.ErrPermission):
		return deniedFault(path, err)
	case !errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("state file cannot be opened: %w", err)
	case readOnly:
		return fileFault(path, ErrNotState, nil, "does not exist - run a sync first, or check the path of the state")
	}
	file, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
	switch {
	case err == nil:
		return file.Close()
	case errors.Is(err, fs.ErrExist): // another process was faster
		return nil
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("state file cannot be created - make the folder %s first: %w", filepath.Dir(path), err)
	case errors.Is(err, fs.ErrPermission):
		return deniedFault(path, err)
	default:
		return fmt.Errorf("state file cannot be created: %w", err)
	}
}

func (db *DB) openWritable(ctx context.Context, options Options) error {
	if err := db.prepareFile(ctx, options); err != nil {
		return err
	}
	var err error
	if db.reader, err = connect(db.path, options, "query_only(1)"); err != nil {
		return err
	}
	db.reader.SetMaxIdleConns(readerConns)
	connection, err := connect(db.path, options, writerPragmas(options)...)
	if err != nil {
		return err
	}
	db.writer = newWriter(db.path, connection)
	return nil
}

func writerPragmas(options Options) []string {
	pragmas := []string{
		"synchronous(full)", "foreign_keys(1)", "cache_size(-16384)",
		"journal_size_limit(" + strconv.Itoa(logSizeLimit) + ")",
	}
	if options.maxPages > 0 {
		pragmas = append(pragmas, "max_page_count("+strconv.Itoa(options.maxPages)+")")
	}
	return pragmas
}

// openReadOnly needs a version that is exactly ours. A file that was closed cleanly and lies in a folder where SQLite may
// not put its two companions can only be read as one that nobody changes.
func (db *DB) openReadOnly(ctx context.Context, options Options) error {
	options.ReadOnly = true
	version, err := db.openReader(ctx, options, "mode=ro")
	if c := code(err); c == sqlite3.SQLITE_CANTOPEN || c == sqlite3.SQLITE_READONLY {
		if _, missing := os.Stat(db.path + "-wal"); errors.Is(missing, fs.ErrNotExist) {
			version, err = db.openReader(ctx, options, "immutable=1")
		}
	}
	if err != nil {
		return err
	}
	if version < wantedVersion() {
		return db.fault(ErrOlder, nil, "has version %d and must be upgraded to %d before it can be read - run `rollcall check` once", version, wantedVersion())
	}
	return nil
}

func (db *DB) openReader(ctx context.Context, options Options, mode string) (int64, error) {
	if db.reader != nil {
		db.reader.Close()
	}
	var err error
	if db.reader, err = sql.Open("sqlite", dsn(db.path, options, "query_only(1)")+"&"+mode); err != nil {
		return 0, err
	}
	db.reader.SetMaxIdleConns(readerConns)
	fresh, err := db.identify(ctx, db.reader)
	if err != nil {
		return 0, err
	}
	if fresh {
		return 0, db.fault(ErrNotState, nil, "is empty - run a sync first")
	}
	return db.version(ctx, db.reader)
}

func connect(path string, options Options, pragmas ...string) (*sql.DB, error) {
	return sql.Open("sqlite", dsn(path, options, pragmas...))
}

func dsn(path string, options Options, pragmas ...string) string {
	slashed := filepath.ToSlash(path)
	if !strings.HasPrefix(slashed, "/") {
		slashed = "/" + slashed // C:/...
	}
	query := url.Values{"_txlock": {"immediate"}}
	query.Add("_pragma", "busy_timeout("+strconv.FormatInt(options.busy.Milliseconds(), 10)+")")
	for _, pragma := range pragmas {
		query.Add("_pragma", pragma)
	}
	return (&url.URL{Scheme: "file", Path: slashed, RawQuery: query.Encode()}).String()
}
