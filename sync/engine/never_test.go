package engine

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/rollcall-sync/rollcall/sync/directory"
	"github.com/rollcall-sync/rollcall/sync/directory/memory"
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

// deaf answers updates with the record as it was.
type deaf struct{ *memory.Directory }

func (d deaf) UpdateAccount(ctx context.Context, request directory.UpdateRequest) (directory.Account, error) {
	return d.GetAccount(ctx, request.ID)
}

func TestAnUpdateThatIsAnsweredAndNotDoneFailsUntilItIsDone(t *testing.T) {
	r := newRig(t)
	ids := r.people(5)
	r.run()
	r.job.Target = deaf{r.target}
	r.source.Set(ids[0], directory.Attributes{"email": directory.Text("married@example.com")})
	for range 2 {
		report := r.expect(StatusPartial)
		if len(report.Failures) != 1 || report.Failures[0].KindName != "invalid" || !strings.Contains(report.Failures[0].Message, "kept the old value") {
			t.Errorf("failures %+v", report.Failures)
		}
	}
	r.job.Target = r.target
	r.expect(StatusOK, "updated 1")
	r.expect(StatusNothing)
}

// wrong answers creations with an account that exists.
type wrong struct {
	*memory.Directory
	account directory.Account
}

func (d wrong) CreateAccount(context.Context, directory.CreateRequest) (directory.Account, error) {
	return d.account, nil
}

func (d wrong) CreateAccounts(context.Context, []directory.CreateRequest) ([]directory.CreateResult, error) {
	return []directory.CreateResult{{Account: d.account}}, nil
}

func TestACreationThatIsAnsweredWithAnotherAccountHarmsNobody(t *testing.T) {
	for _, c := range []struct {
		name            string
		managed, silent bool
	}{{"managed", true, false}, {"unmanaged", false, false}, {"managed, and its names not told", true, true}} {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t)
			ids := r.people(5)
			r.run()
			victim := r.account("person001")
			if !c.managed {
				r.target.Put(person("handmade", "Hand", "Made"))
				victim = r.account("handmade")
			}
			answer := victim.Clone()
			if c.silent {
				answer.Attributes = nil
			}
			r.job.Target = wrong{r.target, answer}
			r.source.Put(person("newcomer", "New", "Comer"))
			for range 2 {
				r.source.Set(ids[2], directory.Attributes{"last_name": directory.Text("Married" + r.now.String())})
				if report := r.expect(StatusPartial, "updated 1"); len(report.Failures) != 1 {
					t.Errorf("failures %+v", report.Failures)
				}
			}
			now, _ := r.target.Account(victim.ID)
			if !now.Attributes.Equal(victim.Attributes) {
				t.Errorf("the other account is now %v", now.Attributes)
			}
			r.job.Target = r.target
			r.expect(StatusOK, "created 1")
			r.expect(StatusNothing)
		})
	}
}

// comeBack gives people a new id in the source, with some changes.
func (r *rig) comeBack(id string, changes directory.Attributes) (newID string) {
	account, _ := r.source.Account(id)
	r.source.Remove(id)
	account.ID = "NEW" + id
	for name, value := range changes {
		account.Attributes[name] = value
	}
	r.source.Put(account)
	return account.ID
}

func TestWhoseIDChangedKeepsAccess(t *testing.T) {
	r := newRig(t)
	ids := r.people(30)
	r.run()
	moved := r.comeBack(ids[0], nil)
	r.comeBack(ids[1], directory.Attributes{"username": directory.Text("somebody")}) // the address was given to somebody else
	r.comeBack(ids[2], directory.Attributes{"email": directory.Text("new@example.com")})
	report := r.expect(StatusPartial, "deactivated 2")
	r.noted(report, plan.NoteIdentity, "`rollcall link staff-to-website "+moved+" "+r.account("person001").ID+"`")
	if report.Counts.FailedOthers != 1 || len(report.Failures) != 1 {
		t.Errorf("failed %d, failures %+v", report.Counts.FailedOthers, report.Failures)
	}
	r.expect(StatusPartial)
	for _, who := range []string{ids[0], "person001"} { // the old id and the name lead to the same answer
		x, err := r.engine.Explain(t.Context(), r.job, who, false)
		if err != nil {
			t.Fatal(err)
		}
		if len(x.Operations) != 0 || !slices.ContainsFunc(x.Notes, func(n plan.Note) bool { return n.Kind == plan.NoteIdentity }) {
			t.Errorf("explain %s: %s %+v", who, x.Sentence(), x.Notes)
		}
	}
	r.job.Account = ids[0]
	r.expect(StatusPartial)
	r.job.Account = ""
	if _, err := r.engine.Link(t.Context(), r.job, moved, r.account("person001").ID); err != nil {
		t.Fatal(err)
	}
	r.expect(StatusNothing)
}

func TestWhoComesBackInactiveOrOutOfScopeUnderANewIDLosesAccess(t *testing.T) {
	r := newRig(t, func(s *rules.Sync) { s.Scope = `last_name != "Guest"` })
	ids := r.people(30)
	r.run()
	r.comeBack(ids[0], directory.Attributes{"last_name": directory.Text("Guest")})
	r.source.Edit(r.comeBack(ids[1], nil), func(a *directory.Account) { a.Status = directory.StatusInactive })
	r.expect(StatusOK, "deactivated 2")
}

func TestANewIDIsLinkedAtOnceWhereTheRulesSaySo(t *testing.T) {
	r := newRig(t, func(s *rules.Sync) { s.Actions.Rehire = rules.LinkIt })
	ids := r.people(30)
	r.run()
	r.comeBack(ids[0], nil)
	r.expect(StatusOK, "linked 1")
	r.expect(StatusNothing)
}

func TestAnIDThatWasGivenToAStrangerIsNotWritten(t *testing.T) {
	r := newRig(t)
	ids := r.people(30)
	r.source.Join(ids[0], "g-web")
	r.run()
	stranger := func(username, name string) directory.Account {
		id := r.account(username).ID
		r.target.Remove(id)
		account := person(name, "Some", "Body")
		account.ID, account.Groups = id, []string{"subscriber"}
		r.target.Put(account)
		account, _ = r.target.Account(id)
		return account
	}
	active, left := stranger("person001", "mallory"), stranger("person002", "trudy")
	r.source.Remove(ids[1])
	report := r.expect(StatusPartial)
	r.noted(report, plan.NoteIdentity, "`rollcall unlink staff-to-website "+ids[0]+"`")
	for _, before := range []directory.Account{active, left} {
		if now, _ := r.target.Account(before.ID); now.Status != before.Status || !now.Attributes.Equal(before.Attributes) || !slices.Equal(now.Groups, before.Groups) {
			t.Errorf("the stranger is now %+v", now)
		}
	}
	x, err := r.engine.Explain(t.Context(), r.job, "person001", false)
	if err != nil || len(x.Operations) != 0 || !strings.Contains(x.Reason, "no longer the one") {
		t.Errorf("explain: %+v, %v", x, err)
	}
	r.expect(StatusPartial)
	for _, id := range ids[:2] {
		if _, err := r.engine.Unlink(t.Context(), r.job.Sync.Name, id); err != nil {
			t.Fatal(err)
		}
	}
	r.expect(StatusOK, "created 1")
	r.expect(StatusNothing)
}

// The answer to an update of both names is lost together with the process, and the source changes them once more: it is the same
// account all the same.
func TestAnUpdateThatACrashCutOffMovesTheBase(t *testing.T) {
	r := newRig(t)
	ids := r.people(2)
	r.run()
	names := func(name string) directory.Attributes {
		return directory.Attributes{"username": directory.Text(name), "email": directory.Text(name + "@example.com")}
	}
	id := r.account("person001").ID
	r.target.Set(id, names("second"))
	r.intend(plan.Operation{
		Seq: 1, Side: plan.Target, Action: plan.Update, Account: "person001", SourceID: ids[0], TargetID: id,
		Changes: []plan.Change{{Attribute: "username", After: names("second")["username"]}, {Attribute: "email", After: names("second")["email"]}},
	})
	r.source.Set(ids[0], names("third"))
	r.expect(StatusOK, "updated 1")
	r.expect(StatusNothing)
}
