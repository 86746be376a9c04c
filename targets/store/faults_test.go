package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	lib "modernc.org/sqlite/lib"

	"github.com/rollcall-sync/rollcall/sync/directory"
)

// explained checks an error for its kind, and for what an administrator needs to read in it.
func explained(t *testing.T, err error, kind directory.ErrorKind, texts ...string) {
	t.Helper()
	var e *directory.Error
	if !errors.As(err, &e) {
		t.Fatalf("got %v, want a *directory.Error", err)
	}
	if e.Kind != kind || e.Directory != "people" || e.Op == "" {
		t.Errorf("got kind %s, directory %q, op %q: %v; want kind %s", e.Kind, e.Directory, e.Op, err, kind)
	}
	for _, text := range texts {
		if !strings.Contains(err.Error(), text) {
			t.Errorf("%q does not say %q", err, text)
		}
	}
}

// raw opens the file without the store.
func raw(t *testing.T, path string) *sql.DB {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

func exec(t *testing.T, db interface {
	ExecContext(context.Context, string, ...any) (sql.Result, error)
}, query string, args ...any,
) {
	t.Helper()
	if _, err := db.ExecContext(t.Context(), query, args...); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
}

func TestFileOfANewerReleaseIsRefused(t *testing.T) {
	t.Parallel()
	s := settings(t, nil)
	path := s.Text(optionPath)
	d := openStore(t, s)
	create(t, d, 0, 1)
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	exec(t, raw(t, path), "INSERT INTO "+versionTable+" (version_id, is_applied) VALUES (99, 1)")
	d = newStore(t, s.Values)
	_, err := d.ListAccounts(t.Context(), directory.ListRequest{})
	explained(t, err, directory.Unsupported, "version 99", "update Rollcall", path)
	_, err = d.CreateAccount(t.Context(), person(2))
	explained(t, err, directory.Unsupported, "version 99")
}

func TestFileThatIsNoDatabaseIsRefused(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "people.db")
	garbage := strings.Repeat("name;mail\n", 1000)
	if err := os.WriteFile(path, []byte(garbage), 0o600); err != nil {
		t.Fatal(err)
	}
	d := newStore(t, map[string]any{optionPath: path})
	_, err := d.CreateAccount(t.Context(), person(1))
	explained(t, err, directory.Unsupported, "not a database", "restore "+path)
	if now, err := os.ReadFile(path); err != nil || string(now) != garbage {
		t.Errorf("the file was changed: %v", err)
	}
}

func TestDatabaseOfAnotherProgramIsRefused(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "rollcall.db")
	db := raw(t, path)
	exec(t, db, "CREATE TABLE links (id TEXT)")
	d := newStore(t, map[string]any{optionPath: path})
	_, err := d.ListAccounts(t.Context(), directory.ListRequest{})
	explained(t, err, directory.Unsupported, "another program", "file of its own")
	var tables int
	if err := db.QueryRowContext(t.Context(), "SELECT count(*) FROM sqlite_schema").Scan(&tables); err != nil || tables != 1 {
		t.Errorf("the other program's file has %d tables now: %v", tables, err)
	}
}

func TestFullDiskWritesNothingAndIsOver(t *testing.T) {
	t.Parallel()
	d := newStore(t, nil)
	create(t, d, 0, 10)
	var pages int
	if err := d.writer.QueryRowContext(t.Context(), "PRAGMA page_count").Scan(&pages); err != nil {
		t.Fatal(err)
	}
	exec(t, d.writer, fmt.Sprintf("PRAGMA max_page_count = %d", pages))
	_, err := d.CreateAccounts(t.Context(), people(10, bulkSize))
	explained(t, err, directory.Retryable, "full", "free some space", d.path)
	big := directory.Attributes{"custom.note": directory.Text(strings.Repeat("x", 100_000))}
	found, err := d.FindAccounts(t.Context(), directory.Username, "user000000")
	if err != nil || len(found) != 1 {
		t.Fatalf("reading on a full disk: %v, %v", found, err)
	}
	_, err = d.UpdateAccount(t.Context(), directory.UpdateRequest{ID: found[0].ID, Set: big})
	explained(t, err, directory.Retryable, "full")
	if n, err := d.CountAccounts(t.Context()); err != nil || n != 10 {
		t.Errorf("%d accounts after a failed bulk call, want 10: %v", n, err)
	}
	exec(t, d.writer, "PRAGMA max_page_count = 1000000")
	create(t, d, 10, bulkSize)
}

func TestFileLockedByAnotherProgram(t *testing.T) {
	t.Parallel()
	d := newStore(t, map[string]any{optionBusy: time.Millisecond})
	create(t, d, 0, 1)
	other, err := raw(t, d.path).Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	exec(t, other, "BEGIN EXCLUSIVE")
	_, err = d.CreateAccount(t.Context(), person(1))
	explained(t, err, directory.Retryable, "locked", "close the program", optionBusy)
	findings, err := d.Check(t.Context(), directory.CheckRequest{Write: true})
	if err != nil || !has(findings, directory.LevelError, "writing") {
		t.Errorf("the check says %+v, %v", findings, err)
	}
	if n, err := d.CountAccounts(t.Context()); err != nil || n != 1 {
		t.Errorf("a reader must not wait for a writer: %d, %v", n, err)
	}
	exec(t, other, "ROLLBACK")
	create(t, d, 1, 1)
}

func has(findings []directory.Finding, level directory.Level, subject string) bool {
	for _, finding := range findings {
		if finding.Level == level && finding.Subject == subject && finding.Message != "" && (level == directory.LevelOK || finding.Remedy != "") {
			return true
		}
	}
	return false
}

func TestFileThatCannotBeWritten(t *testing.T) {
	t.Parallel()
	d := newStore(t, nil)
	create(t, d, 0, 1)
	// What a read-only file does to SQLite, also for a user whom file modes do not stop.
	exec(t, d.writer, "PRAGMA query_only = 1")
	_, err := d.CreateAccount(t.Context(), person(1))
	explained(t, err, directory.Auth, "readonly", "read and write", d.path)
}

func TestReadOnlyFolder(t *testing.T) {
	t.Parallel()
	if os.Geteuid() == 0 {
		t.Skip("file modes do not stop this user (root)")
	}
	folder := t.TempDir()
	if err := os.Chmod(folder, 0o500); err != nil {
		t.Fatal(err)
	}
	d := newStore(t, map[string]any{optionPath: filepath.Join(folder, "people.db")})
	_, err := d.CreateAccount(t.Context(), person(1))
	explained(t, err, directory.Auth, "read and write")
}

func TestPathThatNamesAFolder(t *testing.T) {
	t.Parallel()
	d := newStore(t, map[string]any{optionPath: t.TempDir()})
	_, err := d.ListAccounts(t.Context(), directory.ListRequest{})
	explained(t, err, directory.Auth, "read and write")
}

func TestMissingFolder(t *testing.T) {
	t.Parallel()
	d := newStore(t, map[string]any{optionPath: filepath.Join(t.TempDir(), "none", "people.db")})
	_, err := d.ListAccounts(t.Context(), directory.ListRequest{})
	explained(t, err, directory.Auth, "make the folder")
	findings, err := d.Check(t.Context(), directory.CheckRequest{})
	if err != nil || len(findings) != 1 || !has(findings, directory.LevelError, "file") {
		t.Errorf("the check says %+v, %v", findings, err)
	}
}

// sqliteError looks like the driver's own, which cannot be made outside of it.
type sqliteError int

func (e sqliteError) Error() string { return fmt.Sprintf("code %d", int(e)) }
func (e sqliteError) Code() int     { return int(e) }

func TestDiskErrorAtCommitIsAnUnknownOutcome(t *testing.T) {
	t.Parallel()
	d := newStore(t, nil)
	const syncFailed = lib.SQLITE_IOERR | 4<<8
	explained(t, d.unsure("create account", "anna", sqliteError(syncFailed)), directory.UnknownOutcome, "disk")
	explained(t, d.unsure("create account", "anna", sqliteError(lib.SQLITE_FULL)), directory.Retryable, "space")
	explained(t, d.explain("list accounts", "", sqliteError(syncFailed)), directory.Retryable, "disk")
}

func TestDamagedRowProtectsItself(t *testing.T) {
	t.Parallel()
	d := newStore(t, nil)
	made := create(t, d, 0, 2)
	exec(t, d.writer, "UPDATE accounts SET attributes = '{broken' WHERE id = ?", made[0].ID)
	page, err := d.ListAccounts(t.Context(), directory.ListRequest{})
	if err != nil || len(page.Accounts) != 2 {
		t.Fatalf("%+v, %v", page, err)
	}
	if page.Accounts[0].ID != made[0].ID || page.Accounts[0].Problem == "" || page.Accounts[1].Problem != "" {
		t.Errorf("got %+v", page.Accounts)
	}
	_, err = d.UpdateAccount(t.Context(), directory.UpdateRequest{ID: made[0].ID, Set: directory.Attributes{directory.Title: directory.Text("x")}})
	explained(t, err, directory.Invalid, "damaged")
}

func TestClosedStoreAnswersWithAnError(t *testing.T) {
	t.Parallel()
	d := newStore(t, nil)
	create(t, d, 0, 1)
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	_, err := d.ListAccounts(t.Context(), directory.ListRequest{})
	explained(t, err, directory.Retryable, "closed")
}

func TestSeveralProcessesMakeTheFileAtOnce(t *testing.T) {
	t.Parallel()
	s := settings(t, nil)
	var all sync.WaitGroup
	problems := make([]error, 8)
	for i := range problems {
		d := newStore(t, s.Values)
		all.Go(func() { _, problems[i] = d.CreateAccount(context.WithoutCancel(t.Context()), person(i)) })
	}
	all.Wait()
	if err := errors.Join(problems...); err != nil {
		t.Fatal(err)
	}
	if n, err := newStore(t, s.Values).CountAccounts(t.Context()); err != nil || n != len(problems) {
		t.Errorf("%d accounts, want %d: %v", n, len(problems), err)
	}
}

func TestCheckTellsOfDamage(t *testing.T) {
	t.Parallel()
	d := newStore(t, nil)
	create(t, d, 0, 2)
	exec(t, d.writer, "PRAGMA ignore_check_constraints = 1")
	exec(t, d.writer, "UPDATE accounts SET active = 7")
	findings, err := d.Check(t.Context(), directory.CheckRequest{})
	if err != nil || !has(findings, directory.LevelError, "health") {
		t.Errorf("the check says %+v, %v", findings, err)
	}
}
