package state

import (
	"context"
	"errors"
	"path/filepath"
	"testing"
	"time"

	"github.com/rollcall-sync/rollcall/sync/directory"
)

var start = time.Date(2026, 3, 1, 2, 30, 0, 0, time.UTC)

// open opens a state in a new folder with a clock that stands still.
func open(t *testing.T) *DB {
	t.Helper()
	return openAt(t, filepath.Join(t.TempDir(), "rollcall.db"), Options{})
}

func openAt(t *testing.T, path string, options Options) *DB {
	t.Helper()
	if options.Now == nil {
		options.Now = func() time.Time { return start }
	}
	db, err := Open(context.Background(), path, options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return db
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func wantIs(t *testing.T, err, kind error) {
	t.Helper()
	if !errors.Is(err, kind) {
		t.Fatalf("error %v, want %v", err, kind)
	}
}

func newLink(source, target string) Link {
	return Link{
		Sync: "staff-to-website", SourceDirectory: "staff", TargetDirectory: "website",
		LinkHead: LinkHead{
			SourceID: source, TargetID: target, SourceHash: 1 << 63, TargetHash: 7, Rules: "r1", Claim: Released,
			DeactivatedAt: start.Add(time.Nanosecond), MissingRuns: 2, SuspectedSince: start.Add(time.Hour),
		},
		SourceLabel: "label of " + source, TargetLabel: "label of " + target, Origin: OriginMatched, CreatedAt: start, CreatedRun: "run1",
		DeactivatedBy: "run2", RememberedGroups: []string{"editor", "author"}, Protected: `department == "Board"`,
		Base: Base{
			Attributes: map[string]Pair{
				"email":    {directory.Text("Anna@example.com"), directory.Text("anna@example.com")},
				"username": {directory.Text("anna"), directory.Text("anna")},
				"phone":    {directory.Text("123"), directory.Value{}},
				"nickname": {directory.Value{}, directory.Text("annie")},
				"title":    {},
				"custom.x": {directory.List("a", "b"), directory.List("b", "a")},
			},
			Groups: []string{"a", "b"}, SourceStatus: directory.StatusActive, TargetStatus: directory.StatusInactive,
		},
	}
}
