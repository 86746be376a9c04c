package state

import (
	"context"
	"path/filepath"
	"strconv"
	"testing"
)

// A process that writes is killed at arbitrary moments, several times over the same file. Whatever it was told is on
// disk is there; an outcome is never there without its link, nor a link without its outcome.
func TestNothingAcknowledgedIsLostWhenTheProcessIsKilled(t *testing.T) {
	path := filepath.Join(t.TempDir(), "rollcall.db")
	type key struct {
		run string
		seq int64
	}
	intents, outcomes := make(map[key]bool), make(map[key]bool)
	for round := range 6 {
		c := startChild(t, "journal", path)
		note := func(line string) {
			word, run, text := fieldsOf(line)
			seq, err := strconv.ParseInt(text, 10, 64)
			switch {
			case err == nil && word == "intent":
				intents[key{run, seq}] = true
			case err == nil && word == "outcome":
				outcomes[key{run, seq}] = true
			default:
				t.Fatalf("child says %q", line)
			}
		}
		for range 50 + 37*round {
			note(c.line())
		}
		must(t, c.cmd.Process.Kill())
		// What it had said before it died counts too; the last line may be cut off.
		for c.lines.Scan() {
			if _, _, seq := fieldsOf(c.lines.Text()); seq != "" {
				note(c.lines.Text())
			}
		}
		c.kill()
	}

	ctx, db := context.Background(), openAt(t, path, Options{})
	var integrity string
	must(t, db.reader.QueryRow("PRAGMA integrity_check").Scan(&integrity))
	if integrity != "ok" {
		t.Fatalf("integrity: %s", integrity)
	}
	resolved, found := 0, make(map[key]bool)
	must(t, db.Entries(ctx, EntryFilter{}, func(e Entry) error {
		found[key{e.Run, e.Seq}] = true
		if e.Result == ResultDone {
			resolved++
		} else if outcomes[key{e.Run, e.Seq}] {
			t.Errorf("the outcome of %s %d was acknowledged and is lost", e.Run, e.Seq)
		}
		_, err := db.LinkBySource(ctx, "s", e.SourceID)
		if linked := err == nil; linked != (e.Result == ResultDone) {
			t.Errorf("entry %s %d has result %q, link there: %v", e.Run, e.Seq, e.Result, linked)
		}
		return nil
	}))
	for k := range intents {
		if !found[k] {
			t.Errorf("intent %v was acknowledged and is lost", k)
		}
	}
	pending, err := db.Pending(ctx, "s")
	must(t, err)
	if len(pending)+resolved != len(found) {
		t.Errorf("%d pending and %d resolved of %d entries", len(pending), resolved, len(found))
	}
	t.Logf("%d intents and %d outcomes acknowledged, %d entries found, %d pending", len(intents), len(outcomes), len(found), len(pending))
}
