package engine

import (
	"errors"
	"testing"

	"github.com/rollcall-sync/rollcall/sync/directory"
	"github.com/rollcall-sync/rollcall/sync/directory/memory"
	"github.com/rollcall-sync/rollcall/sync/plan"
	"github.com/rollcall-sync/rollcall/sync/rules"
)

// second is another sync to the target of a rig, which stands after its own.
type second struct {
	*rig
	hr  *memory.Directory
	job Job
}

// letGo starts with person001 deactivated by the first sync, and nobody in the second.
func letGo(t *testing.T) second {
	t.Helper()
	r := newRig(t)
	ids := r.people(5)
	sync := rules.NewSync("hr-to-website", "hr", "website")
	sync.Attributes = []rules.Attribute{{Target: "username", From: "username"}, {Target: "email", From: "email"}}
	s := second{rig: r, hr: memory.New(memory.Options{Name: "hr"})}
	s.job = Job{Sync: sync, Source: s.hr, Target: r.target, Others: []rules.Sync{r.job.Sync}, Earlier: 1}
	r.job.Others = []rules.Sync{sync}
	r.job.Sync.Actions.Delete = "3d"
	r.run()
	r.source.Remove(ids[0])
	r.expect(StatusOK, "deactivated 1")
	return s
}

func (s second) run() *Report {
	s.t.Helper()
	report, err := s.engine.Run(s.t.Context(), s.job)
	if err != nil {
		s.t.Fatal(err)
	}
	return report
}

func (s second) joins() string { return s.hr.Put(person("person001", "Givenperson001", "Family"))[0] }

func TestAnActivationOfASharedAccountThatFailsIsTriedAgain(t *testing.T) {
	s := letGo(t)
	s.joins()
	refused := &directory.Error{Kind: directory.Invalid, Op: "set status", Directory: "website", Err: errors.New("not now")}
	s.target.SetFault(memory.OnCall(memory.OpSetStatus, s.target.Calls(memory.OpSetStatus)+1, refused))
	if report := s.run(); report.Counts.Linked != 1 || report.Counts.Activated != 0 || report.Counts.Failed != 1 {
		t.Fatalf("%s", mustJSON(t, report.Counts))
	}
	s.target.SetFault(nil)
	if report := s.run(); report.Counts.Activated != 1 {
		t.Errorf("%s %v", mustJSON(t, report.Counts), report.Notes)
	}
}

func TestASharedAccountLinkedByACommandIsStillOurs(t *testing.T) {
	s := letGo(t)
	s.job.Sync.Actions.Link = rules.Report
	s.joins()
	if _, err := s.engine.Link(t.Context(), s.job, "person001", "person001"); err != nil {
		t.Fatal(err)
	}
	if report := s.run(); report.Counts.Activated != 1 {
		t.Errorf("%s %v", mustJSON(t, report.Counts), report.Notes)
	}
}

// The first sync never runs between the two, so it cannot see by itself that its deactivation was undone.
func TestADeactivationBySomebodyElseIsNotHiddenByAnOlderOneOfAnotherSync(t *testing.T) {
	s := letGo(t)
	id := s.joins()
	if report := s.run(); report.Counts.Activated != 1 {
		t.Fatalf("%s", mustJSON(t, report.Counts))
	}
	s.target.Edit(s.account("person001").ID, func(a *directory.Account) { a.Status = directory.StatusInactive })
	s.noted(s.run(), plan.NoteRespected, "by somebody else")
	s.noted(s.run(), plan.NoteRespected, "by somebody else")
	s.hr.Remove(id)
	s.run()
	s.source.Put(person("person001", "Givenperson001", "Family")) // under a new id; see the scenario for the old one
	s.rig.job.Sync.Actions.Rehire = rules.LinkIt
	s.noted(s.rig.run(), plan.NoteRespected, "by somebody else")
	if s.account("person001").Status != directory.StatusInactive {
		t.Error("activated over the head of whoever deactivated it")
	}
}

func TestTheTimeUntilADeletionBeginsWithTheLastWhoLetsGo(t *testing.T) {
	s := letGo(t)
	id := s.joins()
	s.hr.Put(person("person002", "Givenperson002", "Family")) // an empty listing would not be believed
	s.run()
	s.hr.Remove(id)
	s.now = s.now.AddDate(0, 0, 2)
	if report := s.run(); report.Counts.Deactivated != 1 {
		t.Fatalf("%s", mustJSON(t, report.Counts))
	}
	s.now = s.now.AddDate(0, 0, 2)
	if report := s.rig.run(); report.Counts.Deleted != 0 || report.Status != StatusNothing {
		t.Errorf("too early: %s %s", report.Status, mustJSON(t, report.Counts))
	}
	s.now = s.now.AddDate(0, 0, 2)
	if report := s.rig.run(); report.Counts.Deleted != 1 {
		t.Errorf("four days after: %s %v %s", report.Status, report.Reasons, mustJSON(t, report.Counts))
	}
}

func TestNobodyIsDeletedForADeactivationByAnotherSync(t *testing.T) {
	s := letGo(t)
	s.hr.Put(person("person003", "Givenperson003", "Family"))
	id := s.hr.Put(person("person002", "Givenperson002", "Family"))[0]
	s.run()
	target := s.account("person002")
	link, err := s.db.LinkByTarget(t.Context(), s.rig.job.Sync.Name, target.ID)
	if err != nil {
		t.Fatal(err)
	}
	s.source.Remove(link.SourceID)
	s.rig.run() // lets go while the other sync holds it
	s.hr.Remove(id)
	if report := s.run(); report.Counts.Deactivated != 1 {
		t.Fatalf("%s", mustJSON(t, report.Counts))
	}
	for range 3 {
		s.now = s.now.AddDate(0, 0, 4)
		s.rig.run()
	}
	if s.account("person002").ID == "" {
		t.Error("the first sync deleted what the second deactivated")
	}
}
