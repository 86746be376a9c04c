package state

import (
	"context"
	"encoding/hex"
	"io/fs"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// A file of the first version, with a journal of two runs and one intent that was cut off, is upgraded whole.
func TestAnOlderStateIsUpgradedWithItsJournal(t *testing.T) {
	ctx, path := context.Background(), filepath.Join(t.TempDir(), "rollcall.db")
	first, err := fs.ReadFile(migrations, "migrations/00001_state.sql")
	must(t, err)
	foreign(t, path, "PRAGMA application_id = "+strconv.Itoa(applicationID),
		"CREATE TABLE "+versionTable+" (id INTEGER PRIMARY KEY AUTOINCREMENT, version_id INTEGER NOT NULL UNIQUE, is_applied INTEGER NOT NULL, tstamp TIMESTAMP DEFAULT (datetime('now')))",
		"INSERT INTO "+versionTable+" (version_id, is_applied) VALUES (0, 1), (1, 1)",
		string(first),
		"INSERT INTO names (id, name) VALUES (1, '"+staff+"'), (2, 'rules')",
		`INSERT INTO link_details VALUES (1, 1, 1, 'created', 1, 'run1', '', '', x'`+hex.EncodeToString(Base{}.appendBinary(nil))+`')`,
		`INSERT INTO links VALUES (1, 's1', 't1', 1, 7, 8, 2, 0, 0, 0, 0, 'Anna', 'anna')`,
		`INSERT INTO runs VALUES (1, 'run1', 1, 'command', 1, 2, 'ok', 2, 1, 3, 3, '{}'), (2, 'run2', 1, 'command', 3, 0, '', 2, 0, 0, 0, '')`,
		`INSERT INTO entries VALUES (1, 1, 1, 'target', 'create', 's1', '', 'Anna', '{"before":1}', 1, 2, 'done', '', '{"id":"t1"}'),
			(1, 2, 1, 'target', 'update', 's2', 't2', 'Bert', '{"before":2}', 1, 2, 'failed', 'refused', ''),
			(2, 1, 1, 'target', 'update', 's1', 't1', 'Anna', '{"before":3}', 3, 0, '', '', '')`)
	refused(t, path, Options{ReadOnly: true}, ErrOlder, "upgraded")
	db := openAt(t, path, Options{})
	found := entries(t, db, EntryFilter{})
	if got := numbers(found); len(strings.Fields(got)) != 3 {
		t.Fatalf("entries %s", got)
	}
	for _, e := range found {
		if e.Run == "run1" && e.Seq == 1 && (string(e.Stored) != `{"id":"t1"}` || e.Result != ResultDone || string(e.Operation) != `{"before":1}`) {
			t.Errorf("entry %+v", e)
		}
	}
	// Each pair is looked at once more: until then nothing says who is protected.
	link, err := db.LinkBySource(ctx, staff, "s1")
	must(t, err)
	if link.TargetID != "t1" || link.Protected != "" || link.SourceHash != 0 || link.TargetHash != 0 {
		t.Errorf("link %+v", link)
	}
	pending, err := db.Pending(ctx, staff)
	must(t, err)
	if got := numbers(pending); got != "run2/1" {
		t.Errorf("pending %s", got)
	}
	wantIs(t, db.Intend(ctx, newEntry("run2", 1, "s1", "t1")), ErrExists)
	must(t, db.Resolve(ctx, Outcome{Run: "run2", Seq: 1, Result: ResultDone}))
}
