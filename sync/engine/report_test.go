package engine

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/rollcall-sync/rollcall/sync/apply"
	"github.com/rollcall-sync/rollcall/sync/directory"
	"github.com/rollcall-sync/rollcall/sync/plan"
	"github.com/rollcall-sync/rollcall/sync/rules"
)

func TestTheStateKeepsAReportWithinBounds(t *testing.T) {
	t.Parallel()
	var r Report
	for i := range mostFailures + 2 {
		r.Failures = append(r.Failures, apply.Failure{Account: fmt.Sprint(i)})
	}
	for kind, n := range map[plan.NoteKind]int{plan.NoteConflict: mostNotesOfAKind + 7, plan.NoteProtected: mostNotesOfAKind, plan.NoteMatch: 1} {
		for range n {
			r.Notes = append(r.Notes, plan.Note{Kind: kind})
		}
	}
	kept := r.kept()
	if len(kept.Failures) != mostFailures || kept.FailuresLeftOut != 2 || kept.Failures[mostFailures-1].Account != fmt.Sprint(mostFailures-1) {
		t.Errorf("%d failures, %d left out", len(kept.Failures), kept.FailuresLeftOut)
	}
	if len(kept.Notes) != 2*mostNotesOfAKind+1 || len(kept.NotesLeftOut) != 1 || kept.NotesLeftOut[plan.NoteConflict] != 7 {
		t.Errorf("%d notes, left out %v", len(kept.Notes), kept.NotesLeftOut)
	}
	if len(r.Failures) != mostFailures+2 || len(r.Notes) != 2*mostNotesOfAKind+8 || r.NotesLeftOut != nil {
		t.Error("the report of the run itself was cut")
	}
}

func TestAnEmptyReportIsKeptWithEmptyLists(t *testing.T) {
	t.Parallel()
	r := Report{Failures: []apply.Failure{}, Notes: []plan.Note{}}
	if a, b := string(mustJSON(t, &r)), string(mustJSON(t, r.kept())); a != b {
		t.Errorf("%s\n%s", a, b)
	}
}

// The failures list one line for each reason; the count is of people.
func TestWhoFailsForSeveralReasonsIsCountedOnce(t *testing.T) {
	r := newRig(t, func(s *rules.Sync) {
		s.Groups = append(s.Groups, rules.Group{Target: "gone-a", When: "true"}, rules.Group{Target: "gone-b", When: "true"})
	})
	r.people(3)
	for _, report := range []*Report{r.expect(StatusPartial, "created 3"), r.expect(StatusPartial)} {
		if len(report.Failures) != 6 || report.Counts.Failed != 3 || report.Counts.Changed != 0 {
			t.Errorf("%d failures, %+v", len(report.Failures), report.Counts)
		}
	}
}

func TestAFaultyRecordOfTheTargetIsCounted(t *testing.T) {
	r := newRig(t)
	ids := r.people(2)
	r.run()
	r.source.Remove(ids[0])
	r.target.Edit(r.account("person001").ID, func(a *directory.Account) { a.Problem = "its e-mail is no text" })
	report := r.run()
	if report.Status != StatusPartial || report.Counts.FailedOthers != 1 || report.Counts.Failed != 0 {
		t.Errorf("%s %s", report.Status, mustJSON(t, report.Counts))
	}
	var kept Report
	stored, err := r.db.RunByID(t.Context(), report.Run)
	if err != nil || json.Unmarshal(stored.Report, &kept) != nil || kept.Counts != report.Counts {
		t.Errorf("stored: %v, %+v", err, kept.Counts)
	}
}
