package store

import (
	"context"
	"errors"
	"io/fs"
	"strings"

	lib "modernc.org/sqlite/lib"

	"github.com/rollcall-sync/rollcall/sync/directory"
)

// explain turns whatever went wrong into the contract's error; nil stays nil.
func (d *Directory) explain(op, record string, err error) error {
	if err == nil {
		return nil
	}
	var own *directory.Error
	if errors.As(err, &own) {
		filled := *own
		filled.Op, filled.Directory, filled.Record = op, d.desc.Name, record
		return &filled
	}
	e := &directory.Error{Op: op, Directory: d.desc.Name, Record: record, Err: err}
	e.Kind, e.Attribute, e.Remedy = d.judge(err)
	return e
}

// unsure explains a failed commit: where the disk itself failed, nobody knows what it kept.
func (d *Directory) unsure(op, record string, err error) error {
	explained := d.explain(op, record, err)
	var e *directory.Error
	if errors.As(explained, &e) && code(err) == lib.SQLITE_IOERR {
		e.Kind = directory.UnknownOutcome
	}
	return explained
}

// code returns SQLite's primary result code, 0 for any other error.
func code(err error) int {
	var e interface{ Code() int } // *sqlite.Error
	if !errors.As(err, &e) {
		return 0
	}
	return e.Code() & 0xff
}

// judge gives the kind, the attribute at fault and the remedy.
func (d *Directory) judge(err error) (kind directory.ErrorKind, attribute, remedy string) {
	var newer *newerError
	switch {
	case errors.As(err, &newer):
		return directory.Unsupported, "", "update Rollcall, or restore " + d.path + " as it was before the newer release opened it"
	case errors.Is(err, errForeign):
		return directory.Unsupported, "", "let " + optionPath + " name a file of its own, not " + d.path
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded), errors.Is(err, errClosed):
		return directory.Retryable, "", ""
	case errors.Is(err, fs.ErrNotExist):
		return directory.Auth, "", "make the folder of " + d.path + ", or correct " + optionPath
	case errors.Is(err, fs.ErrPermission):
		return directory.Auth, "", d.allow()
	}
	switch code(err) {
	case lib.SQLITE_CONSTRAINT:
		return directory.Conflict, constrained(err), ""
	case lib.SQLITE_BUSY, lib.SQLITE_LOCKED:
		return directory.Retryable, "", "close the program that keeps " + d.path + " locked, or raise " + optionBusy
	case lib.SQLITE_FULL:
		return directory.Retryable, "", "free some space on the disk that holds " + d.path
	case lib.SQLITE_IOERR:
		return directory.Retryable, "", "look after the disk that holds " + d.path
	case lib.SQLITE_READONLY, lib.SQLITE_PERM, lib.SQLITE_CANTOPEN, lib.SQLITE_AUTH:
		return directory.Auth, "", d.allow()
	case lib.SQLITE_NOTADB, lib.SQLITE_CORRUPT, lib.SQLITE_ERROR:
		return directory.Unsupported, "", "restore " + d.path + " from a backup, or let " + optionPath + " name another file"
	}
	return directory.Retryable, "", ""
}

func (d *Directory) allow() string {
	return "let the user that runs Rollcall read and write " + d.path + " and its folder"
}

// constrained returns the attribute whose uniqueness a constraint guards.
func constrained(err error) string {
	for column, attribute := range map[string]string{"accounts.username_key": directory.Username, "accounts.email_key": directory.Email} {
		if strings.Contains(err.Error(), column) {
			return attribute
		}
	}
	return ""
}
