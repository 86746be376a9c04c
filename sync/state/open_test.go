package state

import (
	"context"
	"database/sql"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

func foreign(t *testing.T, path string, statements ...string) {
	t.Helper()
	pool, err := sql.Open("sqlite", path)
	must(t, err)
	defer pool.Close()
	for _, statement := range statements {
		_, err := pool.Exec(statement)
		must(t, err)
	}
}

// refused opens a file that must not open and returns the error's text.
func refused(t *testing.T, path string, options Options, kind error, says ...string) {
	t.Helper()
	db, err := Open(context.Background(), path, options)
	if err == nil {
		db.Close()
		t.Fatal("opened")
	}
	wantIs(t, err, kind)
	for _, text := range append(says, filepath.Base(path)) {
		if !strings.Contains(err.Error(), text) {
			t.Errorf("error %q does not say %q", err, text)
		}
	}
}

func TestOnlyTheOwnerCanReadANewState(t *testing.T) {
	db := open(t)
	must(t, db.SetMeta(context.Background(), "a", "b"))
	for _, suffix := range []string{"", "-wal", "-shm"} {
		info, err := os.Stat(db.Path() + suffix)
		must(t, err)
		if info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %v", info.Name(), info.Mode())
		}
	}
}

func TestWritesAreSyncedToDisk(t *testing.T) {
	db := open(t)
	must(t, db.write(context.Background(), 1, func(tx *tx) error {
		for pragma, want := range map[string]string{"journal_mode": "wal", "synchronous": "2", "foreign_keys": "1"} {
			var got string
			if err := tx.get("PRAGMA "+pragma, nil, &got); err != nil || got != want {
				t.Errorf("%s is %q (%v), want %q", pragma, got, err, want)
			}
		}
		return nil
	}))
}

func TestAStateIsOpenedAgain(t *testing.T) {
	ctx, path := context.Background(), filepath.Join(t.TempDir(), "odd name?#%41 ö.db")
	db := openAt(t, path, Options{})
	must(t, db.SaveLinks(ctx, newLink("s1", "t1")))
	must(t, db.Close())
	must(t, db.Close())
	wantIs(t, db.SetMeta(ctx, "a", "b"), ErrClosed)
	if _, err := db.Meta(ctx, "a"); !errors.Is(err, ErrClosed) {
		t.Errorf("reading after Close: %v", err)
	}
	if _, err := os.Stat(path); err != nil {
		t.Error(err)
	}
	again := openAt(t, path, Options{})
	if _, err := again.LinkBySource(ctx, "staff-to-website", "s1"); err != nil {
		t.Error(err)
	}
}

func TestManyProcessesMayCreateTheStateAtOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "rollcall.db")
	var children []*child
	for range 4 {
		children = append(children, startChild(t, "open", path))
	}
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			db, err := Open(context.Background(), path, Options{})
			if err != nil {
				t.Error(err)
				return
			}
			if err := db.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	for _, c := range children {
		if line := c.line(); line != "opened" {
			t.Error(line)
		}
		c.end()
	}
	var versions int
	must(t, openAt(t, path, Options{}).reader.QueryRow("SELECT count(*) FROM "+versionTable).Scan(&versions))
	if want := int(wantedVersion()) + 1; versions != want {
		t.Errorf("%d versions recorded, want %d", versions, want)
	}
}

func TestForeignFilesAreRefusedAndLeftAlone(t *testing.T) {
	cases := map[string]struct {
		make func(t *testing.T, path string)
		says string
	}{
		"a text": {func(t *testing.T, path string) {
			must(t, os.WriteFile(path, []byte(strings.Repeat("not a database\n", 500)), 0o600))
		}, "name another file"},
		"a short text": {func(t *testing.T, path string) { must(t, os.WriteFile(path, []byte("hello"), 0o600)) }, "name another file"},
		"another program's database with an id": {func(t *testing.T, path string) {
			foreign(t, path, "PRAGMA application_id = 7", "CREATE TABLE x (y)")
		}, "another program"},
		"another program's database without an id": {func(t *testing.T, path string) {
			foreign(t, path, "CREATE TABLE x (y)")
		}, "another program"},
		"a folder": {func(t *testing.T, path string) { must(t, os.Mkdir(path, 0o700)) }, "folder"},
	}
	for name, c := range cases {
		for _, readOnly := range []bool{false, true} {
			t.Run(name+", read-only "+strconv.FormatBool(readOnly), func(t *testing.T) {
				path := filepath.Join(t.TempDir(), "file.db")
				c.make(t, path)
				before, _ := os.ReadFile(path)
				refused(t, path, Options{ReadOnly: readOnly}, ErrNotState, c.says)
				if after, _ := os.ReadFile(path); string(after) != string(before) {
					t.Error("the file was changed")
				}
			})
		}
	}
}

func TestAnAddressIsNotAFileAndKeepsItsPassword(t *testing.T) {
	_, err := Open(context.Background(), "postgres://rollcall:hunter2@db.example.com/rollcall", Options{})
	wantIs(t, err, ErrNotState)
	if strings.Contains(err.Error(), "hunter2") {
		t.Errorf("the error shows the password: %v", err)
	}
}

func TestANewerStateIsRefused(t *testing.T) {
	db := open(t)
	must(t, db.Close())
	foreign(t, db.Path(), "INSERT INTO "+versionTable+" (version_id, is_applied) VALUES (99, 1)")
	for _, readOnly := range []bool{false, true} {
		refused(t, db.Path(), Options{ReadOnly: readOnly}, ErrNewer, "version 99", "upgrade rollcall")
	}
}

func TestAFailedUpgradeSaysWhyAndIsFinishedLater(t *testing.T) {
	path := filepath.Join(t.TempDir(), "rollcall.db")
	foreign(t, path, "PRAGMA application_id = "+strconv.Itoa(applicationID),
		"CREATE TABLE "+versionTable+" (id INTEGER PRIMARY KEY AUTOINCREMENT, version_id INTEGER NOT NULL UNIQUE, is_applied INTEGER NOT NULL, tstamp TIMESTAMP DEFAULT (datetime('now')))",
		"INSERT INTO "+versionTable+" (version_id, is_applied) VALUES (0, 1)",
		"CREATE TABLE meta (x)")
	refused(t, path, Options{ReadOnly: true}, ErrOlder, "upgraded")
	if _, err := Open(context.Background(), path, Options{}); err == nil || !strings.Contains(err.Error(), "meta already exists") {
		t.Fatalf("error %v", err)
	}
	foreign(t, path, "DROP TABLE meta")
	must(t, openAt(t, path, Options{}).SetMeta(context.Background(), "a", "b"))
}

func TestADamagedStateIsCalledDamaged(t *testing.T) {
	db := open(t)
	must(t, db.SaveLinks(context.Background(), newLink("s1", "t1")))
	must(t, db.Close())
	file, err := os.OpenFile(db.Path(), os.O_RDWR, 0)
	must(t, err)
	size, err := file.Seek(0, io.SeekEnd)
	must(t, err)
	_, err = file.WriteAt([]byte(strings.Repeat("x", int(size)-4096)), 4096)
	must(t, err)
	must(t, file.Close())
	refused(t, db.Path(), Options{}, ErrDamaged, "backup")
}

func TestReadingOnly(t *testing.T) {
	ctx, db := context.Background(), open(t)
	refused(t, filepath.Join(t.TempDir(), "missing.db"), Options{ReadOnly: true}, ErrNotState, "does not exist")
	empty := filepath.Join(t.TempDir(), "empty.db")
	must(t, os.WriteFile(empty, nil, 0o600))
	refused(t, empty, Options{ReadOnly: true}, ErrNotState, "empty")

	must(t, db.SaveLinks(ctx, newLink("s1", "t1")))
	reader := openAt(t, db.Path(), Options{ReadOnly: true})
	must(t, db.SaveLinks(ctx, newLink("s2", "t2")))
	if n, _, err := reader.LinkCount(ctx, "staff-to-website"); err != nil || n != 2 {
		t.Errorf("%d links, %v", n, err)
	}
	wantIs(t, reader.SetMeta(ctx, "a", "b"), ErrReadOnly)
	wantIs(t, reader.BeginRun(ctx, Run{ID: "r", Sync: "new name"}), ErrReadOnly)
	_, err := reader.Acquire(ctx, "staff-to-website", "test")
	wantIs(t, err, ErrReadOnly)
	if _, err := reader.reader.Exec("DELETE FROM links"); err == nil {
		t.Error("the file can be written through a connection for reading")
	}
}

func TestALockedStateNamesWhoLocksIt(t *testing.T) {
	db := open(t)
	must(t, db.Close())
	c := startChild(t, "exclusive", db.Path())
	if line := c.line(); line != "locked" {
		t.Fatal(line)
	}
	pid := "process " + strconv.Itoa(c.cmd.Process.Pid)
	refused(t, db.Path(), Options{busy: 10 * time.Millisecond}, ErrLocked, pid)
	refused(t, db.Path(), Options{ReadOnly: true, busy: 10 * time.Millisecond}, ErrLocked, pid)
	c.end()
	openAt(t, db.Path(), Options{})
}

func TestAnotherWriterIsWaitedForAndThenNamed(t *testing.T) {
	ctx, db := context.Background(), openAt(t, filepath.Join(t.TempDir(), "rollcall.db"), Options{busy: 10 * time.Millisecond})
	c := startChild(t, "writing", db.Path())
	if line := c.line(); line != "locked" {
		t.Fatal(line)
	}
	err := db.SetMeta(ctx, "a", "b")
	wantIs(t, err, ErrLocked)
	if pid := "process " + strconv.Itoa(c.cmd.Process.Pid); !strings.Contains(err.Error(), pid) {
		t.Errorf("error %q does not say %q", err, pid)
	}
	if value, err := db.Meta(ctx, "a"); value != "" || err != nil {
		t.Errorf("reading beside a writer: %q, %v", value, err)
	}
	c.end()
	must(t, db.SetMeta(ctx, "a", "b"))
}

func TestAStateThatMayNotBeWrittenIsRefusedAtOnce(t *testing.T) {
	folder, err := os.MkdirTemp("", "rollcall-state")
	must(t, err)
	t.Cleanup(func() { os.RemoveAll(folder) })
	must(t, os.Chmod(folder, 0o755))
	made := 0
	fresh := func(t *testing.T) string {
		made++
		path := filepath.Join(folder, "rollcall"+strconv.Itoa(made)+".db")
		must(t, openAt(t, path, Options{}).Close())
		return path
	}
	for name, rights := range map[string]struct{ file, folder os.FileMode }{
		"file of others":     {0o600, 0o755},
		"file for reading":   {0o444, 0o777},
		"folder for reading": {0o444, 0o755},
	} {
		t.Run(name, func(t *testing.T) {
			path := fresh(t)
			must(t, os.Chmod(path, rights.file))
			must(t, os.Chmod(folder, rights.folder))
			c := startChild(t, "open", path, asSomebodyElse(t, folder))
			if line := c.line(); !strings.HasPrefix(line, ErrReadOnly.Error()) || !strings.Contains(line, "right to read and write") {
				t.Errorf("child says %q", line)
			}
			c.end()
		})
	}
	t.Run("rights to read are enough for reading", func(t *testing.T) {
		path := fresh(t)
		must(t, os.Chmod(path, 0o444))
		must(t, os.Chmod(folder, 0o755))
		c := startChild(t, "read", path, asSomebodyElse(t, folder))
		if line := c.line(); line != "opened" {
			t.Errorf("child says %q", line)
		}
		c.end()
	})
}

// asSomebodyElse makes a process run as a user without rights. The test's own binary lies where that user cannot reach it.
func asSomebodyElse(t *testing.T, folder string) func(*exec.Cmd) {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("only root can start a process of another user")
	}
	executable, err := os.Executable()
	must(t, err)
	bytes, err := os.ReadFile(executable)
	must(t, err)
	program := filepath.Join(folder, "program")
	must(t, os.WriteFile(program, bytes, 0o755))
	t.Cleanup(func() { os.Remove(program) })
	return func(cmd *exec.Cmd) {
		cmd.Path, cmd.Dir = program, "/"
		runAs(cmd, 65534)
	}
}

func TestAFullDiskRefusesTheWholeCallAndNothingElse(t *testing.T) {
	ctx, path := context.Background(), filepath.Join(t.TempDir(), "rollcall.db")
	db := openAt(t, path, Options{maxPages: 60})
	must(t, db.BeginRun(ctx, Run{ID: "run1", Sync: "s"}))
	text := []byte(`"` + strings.Repeat("x", 3000) + `"`)
	var err error
	var kept int64
	for err == nil {
		if err = db.Intend(ctx, Entry{Run: "run1", Seq: kept, Sync: "s", Operation: text}, Entry{Run: "run1", Seq: kept + 1, Sync: "s", Operation: text}); err == nil {
			kept += 2
		}
	}
	wantIs(t, err, ErrDiskFull)
	if !strings.Contains(err.Error(), "free some space") {
		t.Errorf("no remedy: %v", err)
	}
	pending, err := db.Pending(ctx, "s")
	must(t, err)
	if int64(len(pending)) != kept || kept == 0 {
		t.Errorf("%d entries, %d acknowledged", len(pending), kept)
	}
	// What needs no more room still works on the same connection, and so does everything once there is room.
	must(t, db.Resolve(ctx, Outcome{Run: "run1", Seq: 0, Result: ResultDone}))
	must(t, db.Close())
	again := openAt(t, path, Options{})
	must(t, again.Intend(ctx, Entry{Run: "run1", Seq: 9999, Sync: "s", Operation: text}))
}

func TestAStateThatCannotEvenBeMadeSaysThatTheDiskIsFull(t *testing.T) {
	refused(t, filepath.Join(t.TempDir(), "rollcall.db"), Options{maxPages: 3}, ErrDiskFull, "free some space")
}
