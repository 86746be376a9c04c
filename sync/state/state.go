// Package state is what Rollcall remembers between runs, in one SQLite file that never leaves the machine: links with
// their base, runs, the journal of intents and outcomes, leases, and small notes.
//
//	links    which two accounts belong together, and what both sides agreed on last
//	runs     when each sync ran, how it ended, how many accounts its listings had
//	journal  an intent before each write, its outcome after it, together with the change of the link
//	leases   one run of a sync at a time, across processes
//	meta     notes under a key
//
// State and journal share a package because an outcome and the link that it changes are committed in one transaction.
//
// All writes of a process go through one goroutine, which gathers the calls that are waiting into one transaction: many
// workers share one fsync. A call returns after its transaction is on disk. Reads run beside it on connections of their
// own. Several processes may have the same file open.
package state

import (
	"context"
	"database/sql"
	"errors"
	"sync"
	"time"
)

// Options are the surroundings of a DB. The zero value opens for reading and writing with the real clock.
type Options struct {
	// ReadOnly opens an existing file without ever changing it; every writing method returns [ErrReadOnly]. A process that
	// writes may have the file open at the same time.
	ReadOnly bool
	// Now is the clock; nil means time.Now.
	Now func() time.Time

	// For tests of this package: the size at which the disk is full, how long a lock is waited for, and the process that
	// this one pretends to be.
	maxPages int
	busy     time.Duration
	self     *process
}

// DB is an open state file. All methods are safe for concurrent use.
type DB struct {
	path     string
	readOnly bool
	now      func() time.Time
	self     process

	reader *sql.DB
	writer *writer // nil when read-only
	names  names
	runs   runIDs

	mu     sync.Mutex
	leases []*Lease // from Acquire to Release, lost ones included
	closed bool
}

// Close releases the leases that are still held, lets calls that are under way finish, and closes the file. It may be
// called twice. Calls that come later return [ErrClosed].
func (db *DB) Close() error {
	var errs []error
	for _, lease := range db.retire() {
		errs = append(errs, lease.Release())
	}
	if db.writer != nil {
		errs = append(errs, db.writer.close())
	}
	errs = append(errs, db.reader.Close())
	return errors.Join(errs...)
}

// Path returns the absolute path of the file.
func (db *DB) Path() string { return db.path }

// write runs do inside a transaction and returns when that is on disk. weight is about how many rows it writes. A context
// that ends before the transaction has begun means that nothing is written; later it no longer matters.
func (db *DB) write(ctx context.Context, weight int, do func(*tx) error) error {
	if db.readOnly {
		return db.fault(ErrReadOnly, nil, "was opened for reading only")
	}
	return db.writer.submit(ctx, weight, do)
}

// nanos is how times are stored: Unix nanoseconds, 0 for the zero time.
func nanos(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixNano()
}

// fromNanos returns a time in UTC.
func fromNanos(n int64) time.Time {
	if n == 0 {
		return time.Time{}
	}
	return time.Unix(0, n).UTC()
}
