package engine

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-sync/rollcall/sync/directory"
	"github.com/rollcall-sync/rollcall/sync/rules"
	"github.com/rollcall-sync/rollcall/sync/state"
)

// backup copies the state; what it returns puts the copy in the place of the state.
func (r *rig) backup() (restore func()) {
	r.t.Helper()
	folder := r.t.TempDir()
	files, err := filepath.Glob(filepath.Join(filepath.Dir(r.engine.options.Snapshots), "state.db*"))
	if err != nil || len(files) == 0 {
		r.t.Fatal(files, err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err == nil {
			err = os.WriteFile(filepath.Join(folder, filepath.Base(file)), data, 0o600)
		}
		if err != nil {
			r.t.Fatal(err)
		}
	}
	return func() {
		db, err := state.Open(r.t.Context(), filepath.Join(folder, "state.db"), state.Options{Now: func() time.Time { return r.now }})
		if err != nil {
			r.t.Fatal(err)
		}
		r.t.Cleanup(func() {
			if err := db.Close(); err != nil {
				r.t.Error(err)
			}
		})
		r.db, r.engine.options.State = db, db
	}
}

// In the backup we had deactivated two people. Since then they came back, the site's administrator locked one of them, and
// the other one left again yesterday.
func TestAStateFromABackupActsOnlyWithAnApproval(t *testing.T) {
	r := newRig(t, func(s *rules.Sync) { s.Actions.Delete = "7d" })
	ids := r.people(30)
	r.run()
	r.setStatus(directory.StatusInactive, ids[:2]...)
	r.expect(StatusOK, "deactivated 2")
	restore := r.backup()
	r.setStatus(directory.StatusActive, ids[:2]...)
	r.expect(StatusOK, "activated 2")
	locked := r.account("person001").ID
	r.target.Edit(locked, func(a *directory.Account) { a.Status = directory.StatusInactive })
	r.expect(StatusNothing)
	r.now = r.now.Add(30 * 24 * time.Hour)
	r.source.Remove(ids[1])
	r.expect(StatusOK, "deactivated 1")

	restore()
	for range 2 { // a refused run changes nothing of that
		report := r.expect(StatusRefused)
		if reasons := strings.Join(report.Reasons, "\n"); !strings.Contains(reasons, "the state is older than the last run") {
			t.Errorf("reasons %v", report.Reasons)
		}
	}
	if p := r.plan(); !p.Verdict.Refused || p.Verdict.Reasons[0].Rule != "state" {
		t.Errorf("the plan says %+v", p.Verdict)
	}
	r.target.Edit(locked, func(a *directory.Account) { a.Status = directory.StatusActive }) // the administrator has looked
	r.source.Set(ids[5], directory.Attributes{"last_name": directory.Text("Married")})
	r.job.Approve = r.expect(StatusRefused).Verdict.Token
	r.expect(StatusOK, "updated 1")
	r.job.Approve = ""
	r.expect(StatusNothing)
	r.now = r.now.Add(7 * 24 * time.Hour)
	r.expect(StatusOK, "deleted 1") // the time until a deletion began with the restored state
}

// Neither a run that was killed before it left its mark beside the state, nor a state that is begun anew, is a backup.
func TestWhatIsNoBackup(t *testing.T) {
	r := newRig(t)
	ids := r.people(5)
	r.run()
	path := filepath.Join(r.engine.options.Snapshots, r.job.Sync.Name+".run")
	old, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	r.expect(StatusNothing)
	if err := os.WriteFile(path, old, 0o600); err != nil {
		t.Fatal(err)
	}
	r.source.Set(ids[0], directory.Attributes{"last_name": directory.Text("Married")})
	r.expect(StatusOK, "updated 1")
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	r.source.Set(ids[0], directory.Attributes{"last_name": directory.Text("Again")})
	r.expect(StatusOK, "updated 1")

	db, err := state.Open(t.Context(), filepath.Join(t.TempDir(), "state.db"), state.Options{Now: func() time.Time { return r.now }})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	r.db, r.engine.options.State = db, db
	r.expect(StatusOK, "linked 5")
}
