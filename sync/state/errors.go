package state

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// What can go wrong, for errors.Is. The errors themselves say more, and what to do.
var (
	// ErrNotState: there is no such file, or it is something else.
	ErrNotState = errors.New("not a state file")
	// ErrNewer: a newer Rollcall has upgraded the file.
	ErrNewer = errors.New("state file of a newer version")
	// ErrOlder: opened for reading only, but the file has to be upgraded first.
	ErrOlder = errors.New("state file of an older version")
	// ErrLocked: another process keeps the file locked for longer than we wait.
	ErrLocked = errors.New("state file is locked")
	// ErrDiskFull: nothing of the refused call was written.
	ErrDiskFull = errors.New("disk is full")
	// ErrReadOnly: this user may not write the file, or may not open it at all; or it was opened for reading only.
	ErrReadOnly = errors.New("state file is read-only")
	// ErrDamaged: the file has bytes that Rollcall did not write.
	ErrDamaged = errors.New("state file is damaged")
	// ErrClosed: the DB was closed.
	ErrClosed = errors.New("state file is closed")

	// ErrNotFound: no such link, run or entry.
	ErrNotFound = errors.New("not found")
	// ErrAmbiguous: the beginning of a run id fits several runs.
	ErrAmbiguous = errors.New("ambiguous")
	// ErrLinked: one of the two accounts already has another link in this sync.
	ErrLinked = errors.New("already linked")
	// ErrExists: a run or an entry of that id was recorded before.
	ErrExists = errors.New("already recorded")
	// ErrBusy: the sync is running elsewhere. Always a [*BusyError].
	ErrBusy = errors.New("sync is running")
	// ErrLost: the lease was taken over by another process.
	ErrLost = errors.New("lease is lost")
)

// fault is an error of a kind with a message that stands on its own.
type fault struct {
	kind    error
	message string
	cause   error
}

func (f *fault) Error() string {
	if f.cause != nil {
		return f.message + " (" + f.cause.Error() + ")"
	}
	return f.message
}

func (f *fault) Unwrap() []error {
	if f.cause == nil {
		return []error{f.kind}
	}
	return []error{f.kind, f.cause}
}

func faultf(kind error, format string, args ...any) error {
	return &fault{kind: kind, message: fmt.Sprintf(format, args...)}
}

// fault returns an error about the file itself.
func (db *DB) fault(kind, cause error, format string, args ...any) error {
	return fileFault(db.path, kind, cause, format, args...)
}

func fileFault(path string, kind, cause error, format string, args ...any) error {
	return &fault{kind: kind, message: "state file " + path + " " + fmt.Sprintf(format, args...), cause: cause}
}

// code returns SQLite's primary result code, 0 where the error is not SQLite's. That there is no room for the index of the
// log beside the file has a code of its own, under that of broken disks.
func code(err error) int {
	var e *sqlite.Error
	if errors.As(err, &e) {
		if e.Code() == sqlite3.SQLITE_IOERR_SHMSIZE {
			return sqlite3.SQLITE_FULL
		}
		return e.Code() & 0xff
	}
	return 0
}

// translate gives SQLite's errors a kind and a remedy; others pass through.
func translate(path string, err error) error {
	if err == nil || isFault(err) {
		return err
	}
	switch code(err) {
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED:
		holder := "another process"
		if pid := lockHolder(path); pid != 0 {
			holder = fmt.Sprintf("process %d", pid)
		}
		return fileFault(path, ErrLocked, err, "is locked by %s - wait for it to end, or stop it", holder)
	case sqlite3.SQLITE_FULL:
		return fileFault(path, ErrDiskFull, err, "cannot grow because the disk is full - free some space, then run again")
	case sqlite3.SQLITE_READONLY:
		return deniedFault(path, err)
	case sqlite3.SQLITE_NOTADB:
		return fileFault(path, ErrNotState, err, "is not a state file of Rollcall - name another file, or move this one away")
	case sqlite3.SQLITE_CORRUPT:
		return fileFault(path, ErrDamaged, err, "is damaged - stop every rollcall process and restore the file from a backup")
	case sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM:
		return deniedFault(path, err)
	case 0:
		if errors.Is(err, sql.ErrConnDone) || err.Error() == "sql: database is closed" {
			return fileFault(path, ErrClosed, nil, "is closed")
		}
		if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
			return err
		}
	}
	return fmt.Errorf("state file %s: %w", path, err)
}

func deniedFault(path string, cause error) error {
	return fileFault(path, ErrReadOnly, cause, "may not be opened or written by this user - give it the right to read and write the file and its folder")
}

func isFault(err error) bool {
	var f *fault
	var b *BusyError
	return errors.As(err, &f) || errors.As(err, &b)
}
