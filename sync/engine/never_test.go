package engine

import (
	"testing"

	"github.com/rollcall-sync/rollcall/sync/directory"
	"github.com/rollcall-sync/rollcall/sync/plan"
	"github.com/rollcall-sync/rollcall/sync/rules"
)

// What must not be written, and what must not be believed.

func TestProtectedInTheSourceKeepsTheAccountInTheTarget(t *testing.T) {
	r := newRig(t, func(s *rules.Sync) { s.Protect = []string{`department == "Board"`} })
	ids := r.people(30)
	r.run()
	r.run() // all pairs are in step now
	board := directory.Attributes{"department": directory.Text("Board")}
	r.source.Set(ids[0], board)
	r.source.Set(ids[1], board)
	r.expect(StatusNothing)
	r.source.Edit(ids[0], func(a *directory.Account) { a.Status = directory.StatusInactive })
	r.source.Remove(ids[1])
	report := r.expect(StatusNothing)
	r.noted(report, plan.NoteProtected, "deactivate left out (inactive in staff)")
	r.noted(report, plan.NoteProtected, "deactivate left out (no longer in staff)")
	for _, who := range []string{"person001", "person002"} {
		x, err := r.engine.Explain(t.Context(), r.job, who, false)
		if err != nil {
			t.Fatal(err)
		}
		if len(x.Operations) != 0 {
			t.Errorf("explain would %s", x.Sentence())
		}
	}
	// Who is back and no longer on the board is protected no longer.
	r.source.Edit(ids[0], func(a *directory.Account) { a.Attributes["department"] = directory.Text("Web") })
	r.expect(StatusOK, "deactivated 1")
}
