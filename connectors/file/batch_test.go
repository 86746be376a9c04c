package file

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-sync/rollcall/sync/directory"
)

// TestWaitingWritesShareARewrite: what waits is written by one rewrite, each change with its own outcome, and the one
// whose caller has gone is not made.
func TestWaitingWritesShareARewrite(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.csv")
	if err := os.WriteFile(path, []byte("id,title\n1,old\n2,old\n3,old\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s := storeOf(openAt(t, path, nil))
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	applied := 0
	update := func(ctx context.Context, id string) *edit {
		return &edit{ctx: ctx, apply: func(b *batch) error {
			applied++
			place, raw, line, err := b.record(s, id)
			if err != nil {
				return err
			}
			changes, err := b.attributes(raw, line, directory.Attributes{directory.Title: directory.Text("new")}, false)
			if err != nil {
				return err
			}
			raw, _, err = b.change(raw, line, changes, wanted{})
			b.put(place, raw)
			if now, readErr := os.ReadFile(path); readErr != nil || string(now) != "id,title\n1,old\n2,old\n3,old\n" {
				t.Errorf("the file was written before all had been heard:\n%s", now)
			}
			return err
		}}
	}
	edits := []*edit{update(gone, "1"), update(t.Context(), "2"), update(t.Context(), "4"), update(t.Context(), "3")}
	s.commit(edits)
	for i, want := range []error{context.Canceled, nil, directory.NotFound, nil} {
		if err := s.fail("update account", "", edits[i].err); !edits[i].done || want == nil && err != nil || want != nil && !errors.Is(err, want) {
			t.Errorf("the outcome of change %d is %v, want %v", i, err, want)
		}
	}
	if applied != 3 {
		t.Errorf("%d changes were tried, want 3", applied)
	}
	now, err := os.ReadFile(path)
	if diff := cmp.Diff("id,title\n1,old\n2,new\n3,new\n", string(now)); err != nil || diff != "" {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
}

// TestFailedRewriteTellsEverybody: where the file cannot be replaced, nobody is told that it was.
func TestFailedRewriteTellsEverybody(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.csv")
	if err := os.WriteFile(path, []byte("id,title\n1,old\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	d := openAt(t, path, nil)
	s := storeOf(d)
	changed := &edit{ctx: t.Context(), apply: func(b *batch) error {
		b.rows[0] = []byte("1,ours")
		return os.WriteFile(path, []byte("id,title\n1,somebody else's\n"), 0o600) // in the last moment before the rename
	}}
	idle := &edit{ctx: t.Context(), apply: func(*batch) error { return nil }}
	s.commit([]*edit{changed, idle})
	for _, e := range []*edit{changed, idle} {
		if err := s.fail("update account", "1", e.err); !errors.Is(err, directory.Conflict) {
			t.Errorf("the outcome is %v", err)
		}
	}
	if now, err := os.ReadFile(path); err != nil || string(now) != "id,title\n1,somebody else's\n" {
		t.Errorf("the file became %s, %v", now, err)
	}
}
