package engine

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-sync/rollcall/sync/directory"
	"github.com/rollcall-sync/rollcall/sync/directory/memory"
	"github.com/rollcall-sync/rollcall/sync/plan"
	"github.com/rollcall-sync/rollcall/sync/rules"
	"github.com/rollcall-sync/rollcall/sync/state"
)

func (r *rig) account(username string) directory.Account {
	r.t.Helper()
	found, err := r.target.FindAccounts(r.t.Context(), "username", username)
	if err != nil || len(found) != 1 {
		r.t.Fatalf("target account %s: %d found, %v", username, len(found), err)
	}
	return found[0]
}

func (r *rig) noted(report *Report, kind plan.NoteKind, part string) {
	r.t.Helper()
	for _, note := range report.Notes {
		if note.Kind == kind && strings.Contains(note.Message, part) {
			return
		}
	}
	r.t.Errorf("no note %s with %q in %+v", kind, part, report.Notes)
}

func TestExistingAccountIsLinkedThenUpdated(t *testing.T) {
	r := newRig(t)
	r.people(1)
	r.target.Put(directory.Account{Attributes: directory.Attributes{"username": directory.Text("Person001"), "email": directory.Text("PERSON001@example.com")}})
	r.expect(StatusOK, "linked 1", "updated 1", "group_added 1")
	r.expect(StatusNothing)
}

func TestUnverifiedAddressIsNotLinked(t *testing.T) {
	r := newRig(t)
	ids := r.people(1)
	r.source.Set(ids[0], directory.Attributes{"email_verified": directory.Bool(false)})
	r.target.Put(directory.Account{Attributes: directory.Attributes{"username": directory.Text("other"), "email": directory.Text("person001@example.com")}})
	r.noted(r.expect(StatusNothing), plan.NoteMatch, "not verified")
	if _, err := r.engine.Link(t.Context(), r.job, "person001", "other"); err != nil {
		t.Fatal(err)
	}
	r.expect(StatusOK, "updated 1", "group_added 1")
}

func TestPrivilegedMatchIsNeverLinkedOrWritten(t *testing.T) {
	r := newRig(t)
	r.target = memory.New(memory.Options{Name: "website", GroupsInline: true, PrivilegedGroups: []string{"administrator"}})
	for _, name := range []string{"editor", "subscriber", "administrator"} {
		r.target.PutGroup(directory.Group{ID: name, Name: name})
	}
	r.job.Target = r.target
	r.people(1)
	r.target.Put(directory.Account{
		Groups: []string{"administrator"}, GroupsKnown: true,
		Attributes: directory.Attributes{"username": directory.Text("boss"), "email": directory.Text("person001@example.com")},
	})
	r.noted(r.expect(StatusNothing), plan.NoteProtected, "privileged")
	if _, err := r.engine.Link(t.Context(), r.job, "person001", "boss"); err != nil {
		t.Fatal(err)
	}
	r.noted(r.expect(StatusNothing), plan.NoteProtected, "left out")
	if r.target.Writes() != 0 {
		t.Errorf("%d writes", r.target.Writes())
	}
}

func TestSeveralMatchesAreReported(t *testing.T) {
	r := newRig(t, func(s *rules.Sync) { s.Match = []string{"display_name"} })
	r.people(1)
	for _, name := range []string{"one", "two"} {
		r.target.Put(directory.Account{Attributes: directory.Attributes{"username": directory.Text(name), "display_name": directory.Text("Givenperson001 Family")}})
	}
	r.noted(r.expect(StatusNothing), plan.NoteAmbiguous, "2 accounts match")
}

func TestDeactivatedByHandIsRespected(t *testing.T) {
	r := newRig(t)
	r.people(5)
	r.run()
	id := r.account("person002").ID
	r.target.Edit(id, func(a *directory.Account) { a.Status = directory.StatusInactive })
	r.noted(r.expect(StatusNothing), plan.NoteRespected, "somebody else")
	r.job.Sync.Actions.DeactivatedElsewhere = rules.Override
	report := r.expect(StatusRefused) // the rules were changed
	r.job.Approve = report.Verdict.Token
	r.expect(StatusOK, "activated 1")
}

func TestDeletedInTargetIsReportedOrRecreated(t *testing.T) {
	r := newRig(t)
	r.people(5)
	r.run()
	r.target.Remove(r.account("person002").ID)
	r.noted(r.expect(StatusNothing), plan.NoteRespected, "somebody deleted")
	if _, err := r.engine.Unlink(t.Context(), r.job.Sync.Name, "person002"); err != nil {
		t.Fatal(err)
	}
	r.expect(StatusOK, "created 1")
	r.expect(StatusNothing)
}

func TestOutOfScopeIsDeactivatedAndComesBack(t *testing.T) {
	r := newRig(t, func(s *rules.Sync) { s.Scope = `department != "Away"` })
	ids := r.people(5)
	r.run()
	r.source.Set(ids[0], directory.Attributes{"department": directory.Text("Away")})
	r.expect(StatusOK, "deactivated 1")
	r.source.Set(ids[0], directory.Attributes{"department": directory.Text("Press")})
	r.expect(StatusOK, "activated 1")
}

func TestDeleteOnlyAfterGrace(t *testing.T) {
	r := newRig(t, func(s *rules.Sync) { s.Actions.Delete = "2d" })
	ids := r.people(5)
	r.run()
	r.source.Remove(ids[0])
	r.expect(StatusOK, "deactivated 1")
	r.expect(StatusNothing)
	r.expect(StatusOK, "deleted 1")
	r.expect(StatusNothing)
}

func TestUnconfirmedAbsenceTakesNothingAway(t *testing.T) {
	r := newRig(t)
	ids := r.people(5)
	r.run()
	r.source.Remove(ids[0])
	r.source.SetFault(func(op string, _ int) error {
		if op == memory.OpGetAccount {
			return &directory.Error{Kind: directory.Retryable, Op: op, Directory: "staff", Err: errors.New("bad gateway")}
		}
		return nil
	})
	report := r.expect(StatusNothing)
	r.noted(report, plan.NoteSuspected, "not yet confirmed")
	if report.Counts.Suspected != 1 {
		t.Errorf("suspected %d", report.Counts.Suspected)
	}
	r.source.SetFault(nil)
	r.expect(StatusOK, "deactivated 1")
}

func TestListingThatHidesAnAccountIsContradicted(t *testing.T) {
	r := newRig(t)
	ids := r.people(20)
	r.run()
	hidden, _ := r.source.Account(ids[3])
	r.source.Remove(ids[3], ids[4])
	r.source.SetFault(func(op string, _ int) error {
		if op == memory.OpGetAccount { // it exists after all
			r.source.Put(hidden)
		}
		return nil
	})
	r.expect(StatusWithheld)
}

func TestEmptySourceWithholdsUnlessTrusted(t *testing.T) {
	r := newRig(t)
	ids := r.people(3)
	r.run()
	r.source.Remove(ids...)
	r.expect(StatusWithheld)
	r.job.TrustSize = []string{"staff"}
	r.expect(StatusOK, "deactivated 3")
}

func TestSharedTargetKeepsAccessUntilTheLastLetsGo(t *testing.T) {
	r := newRig(t)
	ids := r.people(5)
	r.run()
	other := memory.New(memory.Options{Name: "hr"})
	hr := other.Put(person("person001", "Givenperson001", "Family"))
	second := rules.NewSync("hr-to-website", "hr", "website")
	second.Attributes = []rules.Attribute{{Target: "username", From: "username"}, {Target: "email", From: "email"}}
	secondJob := Job{Sync: second, Source: other, Target: r.target, Others: []rules.Sync{r.job.Sync}, Earlier: 1}
	r.job.Others = []rules.Sync{second}
	if report, err := r.engine.Run(t.Context(), secondJob); err != nil || report.Counts.Linked != 1 {
		t.Fatalf("%+v, %v", report, err)
	}
	r.source.Remove(ids[0])
	r.expect(StatusOK, "group_removed 1")
	if r.account("person001").Status != directory.StatusActive {
		t.Error("lost access while another sync holds the account")
	}
	other.Edit(hr[0], func(a *directory.Account) { a.Status = directory.StatusInactive })
	if report, err := r.engine.Run(t.Context(), secondJob); err != nil || report.Counts.Deactivated != 1 {
		t.Errorf("%+v, %v", report, err)
	}
}

func twoWay(s *rules.Sync) {
	s.Attributes = append(s.Attributes, rules.Attribute{Target: "nickname", From: "nickname", Direction: rules.Both, Conflict: rules.ConflictReport},
		rules.Attribute{Target: "phone", From: "phone", Direction: rules.ToSource})
	s.Groups = []rules.Group{{Target: "editor", From: []string{"Web editors"}}}
	s.Writeback = rules.Writeback{Create: true, Update: true, Deactivate: true, Groups: true}
}

func TestEditsFlowBack(t *testing.T) {
	r := newRig(t, twoWay)
	ids := r.people(10)
	r.run()
	id := r.account("person003").ID
	r.target.Set(id, directory.Attributes{"nickname": directory.Text("Trey"), "phone": directory.Text("+49 1")})
	r.target.Join(id, "editor")
	r.expect(StatusOK, "written_back 2")
	back, _ := r.source.Account(ids[2])
	if back.Attributes.Text("nickname") != "Trey" || back.Attributes.Text("phone") != "+49 1" || len(back.Groups) != 1 {
		t.Errorf("source has %+v", back)
	}
	r.expect(StatusNothing)
	r.target.Leave(id, "editor")
	r.source.Set(ids[2], directory.Attributes{"nickname": directory.Text("Three")})
	r.expect(StatusOK, "updated 1", "written_back 1")
	r.expect(StatusNothing)
}

func TestBothChangedIsAConflict(t *testing.T) {
	r := newRig(t, twoWay)
	ids := r.people(2)
	r.source.Set(ids[0], directory.Attributes{"nickname": directory.Text("A")})
	r.run()
	id := r.account("person001").ID
	r.target.Set(id, directory.Attributes{"nickname": directory.Text("B")})
	r.source.Set(ids[0], directory.Attributes{"nickname": directory.Text("C")})
	report := r.expect(StatusNothing)
	r.noted(report, plan.NoteConflict, "both sides")
	if report.Counts.Conflicts != 1 {
		t.Errorf("conflicts %d", report.Counts.Conflicts)
	}
}

func TestNewAccountAndDeactivationFlowBack(t *testing.T) {
	r := newRig(t, twoWay)
	ids := r.people(5)
	r.run()
	r.target.Put(directory.Account{Attributes: directory.Attributes{"username": directory.Text("made.here"), "email": directory.Text("made.here@example.com")}})
	r.target.Edit(r.account("person001").ID, func(a *directory.Account) { a.Status = directory.StatusInactive })
	r.expect(StatusOK, "written_back 2")
	if a, _ := r.source.Account(ids[0]); a.Status != directory.StatusInactive {
		t.Error("not deactivated in the source")
	}
	if found, _ := r.source.FindAccounts(t.Context(), "username", "made.here"); len(found) != 1 {
		t.Errorf("made.here: %d in the source", len(found))
	}
	r.run()
	r.expect(StatusNothing)
}

func TestBadRecordProtectsItsAccountAndTheOthersGoOn(t *testing.T) {
	r := newRig(t)
	ids := r.people(5)
	r.run()
	r.source.Edit(ids[0], func(a *directory.Account) { a.Problem = "line 7 cannot be read"; a.Status = directory.StatusUnknown })
	r.source.Set(ids[1], directory.Attributes{"last_name": directory.Text("New")})
	report := r.expect(StatusPartial, "updated 1")
	if report.Counts.Failed != 1 || len(report.Failures) != 1 || report.Failures[0].Account != "person001" {
		t.Errorf("failures %+v", report.Failures)
	}
}

func TestOneFailureDoesNotStopTheOthers(t *testing.T) {
	r := newRig(t)
	r.job.Target = r.target.OneByOne()
	r.people(10)
	r.target.SetFault(memory.OnCall(memory.OpCreateAccount, 4, &directory.Error{Kind: directory.Invalid, Op: "create account", Directory: "website", Err: errors.New("refused")}))
	report := r.expect(StatusPartial, "created 9")
	if report.Counts.Failed != 1 {
		t.Errorf("failed %d", report.Counts.Failed)
	}
	r.target.SetFault(nil)
	r.expect(StatusOK, "created 1")
}

func TestLostAnswerIsReadBackAndNeverDoubled(t *testing.T) {
	r := newRig(t)
	r.job.Target = r.target.OneByOne()
	r.people(10)
	r.target.SetFault(func(op string, n int) error {
		if op == memory.OpCreateAccount && n%2 == 0 {
			return memory.ErrLostAnswer
		}
		return nil
	})
	r.expect(StatusOK, "created 10")
	r.target.SetFault(nil)
	r.expect(StatusNothing)
	if n := len(r.target.Accounts()); n != 10 {
		t.Errorf("%d accounts", n)
	}
}

func TestWrongPasswordStopsAllWritesToThatSide(t *testing.T) {
	r := newRig(t)
	r.job.Target = r.target.OneByOne()
	r.people(30)
	r.target.SetFault(func(op string, n int) error {
		if op == memory.OpCreateAccount && n > 3 {
			return &directory.Error{Kind: directory.Auth, Op: op, Directory: "website", Err: errors.New("401")}
		}
		return nil
	})
	report := r.run()
	if report.Status != StatusPartial || r.target.Calls(memory.OpCreateAccount) > 20 || len(report.Reasons) == 0 {
		t.Errorf("%s after %d calls: %v", report.Status, r.target.Calls(memory.OpCreateAccount), report.Reasons)
	}
}

func TestInterruptedRunGoesOnWhereItStopped(t *testing.T) {
	r := newRig(t)
	r.job.Target = r.target.OneByOne()
	r.people(30)
	ctx, cancel := context.WithCancel(t.Context())
	r.target.SetFault(func(op string, n int) error {
		if op == memory.OpCreateAccount && n == 7 {
			cancel()
		}
		return nil
	})
	report, err := r.engine.Run(ctx, r.job)
	if err != nil || report.Status != StatusInterrupted || report.Counts.Created < 7 || report.Counts.Created == 30 {
		t.Fatalf("%+v, %v", report, err)
	}
	r.target.SetFault(nil)
	r.run()
	r.expect(StatusNothing)
	if n := len(r.target.Accounts()); n != 30 {
		t.Errorf("%d accounts", n)
	}
}

func TestCrashBetweenWriteAndOutcomeIsRecovered(t *testing.T) {
	r := newRig(t)
	r.people(1)
	begun := state.Run{ID: "crashed", Sync: r.job.Sync.Name, StartedAt: r.now}
	if err := r.db.BeginRun(t.Context(), begun); err != nil {
		t.Fatal(err)
	}
	prepared, err := r.engine.Plan(t.Context(), r.job)
	if err != nil {
		t.Fatal(err)
	}
	o, err := prepared.Plan.Operations.At(0)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.db.Intend(t.Context(), state.Entry{
		Run: "crashed", Seq: 1, Sync: r.job.Sync.Name, Side: "target", Action: "create",
		SourceID: o.SourceID, Account: o.Account, Operation: mustJSON(t, o),
	}); err != nil {
		t.Fatal(err)
	}
	r.target.Put(directory.Account{Groups: []string{"subscriber"}, GroupsKnown: true, Attributes: directory.Attributes{
		"username": directory.Text("person001"), "email": directory.Text("person001@example.com"), "display_name": directory.Text("Givenperson001 Family"),
	}})
	r.expect(StatusNothing)
	links, err := r.db.FindLinks(t.Context(), r.job.Sync.Name, "person001")
	if err != nil || len(links) != 1 || links[0].Origin != state.OriginRecovered {
		t.Errorf("links %+v, %v", links, err)
	}
}

func TestOnePersonOnDemand(t *testing.T) {
	r := newRig(t)
	ids := r.people(20)
	r.run()
	r.source.Set(ids[0], directory.Attributes{"last_name": directory.Text("One")})
	r.source.Set(ids[1], directory.Attributes{"last_name": directory.Text("Two")})
	r.source.Put(person("late.comer", "Late", "Comer"))
	lists := r.source.Calls(memory.OpListAccounts)
	r.job.Account = "person001@example.com"
	r.expect(StatusOK, "updated 1")
	r.job.Account = "late.comer"
	r.expect(StatusOK, "created 1")
	r.job.Account = "person003"
	r.source.Remove(ids[2])
	r.expect(StatusOK, "deactivated 1")
	if n := r.source.Calls(memory.OpListAccounts) - lists; n != 0 {
		t.Errorf("%d listings for one person", n)
	}
	r.job.Account = "nobody"
	if _, err := r.engine.Run(t.Context(), r.job); !errors.Is(err, ErrNobody) {
		t.Errorf("error %v", err)
	}
	r.job.Account = ""
	r.expect(StatusOK, "updated 1")
}

func TestMissingGroupsAreCreatedWithPrefix(t *testing.T) {
	r := newRig(t, func(s *rules.Sync) {
		s.GroupOptions = rules.GroupOptions{Mirror: []string{"Web*"}, Prefix: "idp ", Create: true}
	})
	ids := r.people(3)
	r.source.Join(ids[0], "g-web")
	r.expect(StatusOK, "created 3", "group_created 1")
	r.expect(StatusNothing)
	r.source.Leave(ids[0], "g-web")
	r.expect(StatusOK, "group_removed 2")
}

func TestUniqueValueOfAnUnmanagedAccountIsReported(t *testing.T) {
	r := newRig(t, func(s *rules.Sync) { s.Match = []string{"email"} })
	r.people(2)
	r.target.Put(directory.Account{Attributes: directory.Attributes{"username": directory.Text("person001"), "email": directory.Text("else@example.com")}})
	r.noted(r.expect(StatusOK, "created 1"), plan.NoteConflict, "belongs to")
}

func TestFailingExampleReadsNothing(t *testing.T) {
	r := newRig(t, func(s *rules.Sync) {
		s.Examples = []rules.Example{{Given: map[string]any{"username": "Anna"}, Expect: map[string]any{"username": "anna"}, Line: 12}}
	})
	r.people(1)
	if _, err := r.engine.Run(t.Context(), r.job); !errors.Is(err, ErrExamples) || r.source.Requests() != 0 {
		t.Errorf("error %v after %d requests", err, r.source.Requests())
	}
}

func TestExplainWritesNothingAndWorksOffline(t *testing.T) {
	r := newRig(t)
	ids := r.people(5)
	r.run()
	r.source.Set(ids[0], directory.Attributes{"last_name": directory.Text("Other")})
	x, err := r.engine.Explain(t.Context(), r.job, "person001", false)
	if err != nil || len(x.Operations) != 1 || x.Rules == nil || x.Link == nil || len(x.History) == 0 {
		t.Fatalf("%+v, %v", x, err)
	}
	x, err = r.engine.Explain(t.Context(), r.job, "person001", true)
	if err != nil || len(x.Operations) != 0 || x.Target == nil || !strings.Contains(x.From, "the listings of") {
		t.Fatalf("offline: %+v, %v", x, err)
	}
	r.expect(StatusOK, "updated 1")
}

func TestSecondRunAtTheSameTimeIsRefused(t *testing.T) {
	r := newRig(t)
	lease, err := r.db.Acquire(t.Context(), r.job.Sync.Name, "test")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.engine.Run(t.Context(), r.job); !errors.Is(err, state.ErrBusy) {
		t.Errorf("error %v", err)
	}
	if err := lease.Release(); err != nil {
		t.Error(err)
	}
}

func TestListingThatBreaksOffOnAnyPage(t *testing.T) {
	for _, side := range []string{"source", "target"} {
		for page := 1; page <= 4; page++ {
			r := newRig(t)
			ids := r.people(35)
			r.run()
			r.source.Remove(ids[0])
			broken := r.source
			if side == "target" {
				broken = r.target
			}
			broken.SetFault(memory.OnCall(memory.OpListAccounts, broken.Calls(memory.OpListAccounts)+page,
				&directory.Error{Kind: directory.Retryable, Op: "list accounts", Directory: side, Err: errors.New("connection reset")}))
			writes := r.target.Writes()
			report, err := r.engine.Run(t.Context(), r.job)
			if report.Status != StatusWithheld && report.Status != StatusFailed {
				t.Errorf("%s page %d: %s", side, page, report.Status)
			}
			if (report.Status == StatusFailed) != (err != nil) || r.target.Writes() != writes {
				t.Errorf("%s page %d: %v, %d writes", side, page, err, r.target.Writes()-writes)
			}
			r.now = r.now.Add(24 * time.Hour)
			r.expect(StatusOK, "deactivated 1")
		}
	}
}
