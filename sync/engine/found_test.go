package engine

import (
	"context"
	"errors"
	"testing"

	"github.com/rollcall-sync/rollcall/sync/directory"
	"github.com/rollcall-sync/rollcall/sync/directory/memory"
	"github.com/rollcall-sync/rollcall/sync/plan"
	"github.com/rollcall-sync/rollcall/sync/rules"
	"github.com/rollcall-sync/rollcall/sync/state"
)

// What the simulation found, each as small as it gets.

// intend leaves an intent without an outcome behind, as a run does that dies in the middle of a write.
func (r *rig) intend(o plan.Operation) {
	r.t.Helper()
	if err := r.db.BeginRun(r.t.Context(), state.Run{ID: "crashed", Sync: r.job.Sync.Name, StartedAt: r.now}); err != nil {
		r.t.Fatal(err)
	}
	if err := r.db.Intend(r.t.Context(), state.Entry{
		Run: "crashed", Seq: 1, Sync: r.job.Sync.Name, Side: string(o.Side), Action: string(o.Action),
		SourceID: o.SourceID, TargetID: o.TargetID, Account: o.Account, Operation: mustJSON(r.t, o),
	}); err != nil {
		r.t.Fatal(err)
	}
}

// settled is what the journal says of that intent.
func (r *rig) settled() (result state.Result) {
	r.t.Helper()
	err := r.db.Entries(r.t.Context(), state.EntryFilter{Run: "crashed"}, func(e state.Entry) error {
		result = e.Result
		return nil
	})
	if err != nil {
		r.t.Fatal(err)
	}
	return result
}

func TestAnEditBeforeTheRecoveryIsNotTakenForWhatWasStored(t *testing.T) {
	r := newRig(t)
	ids := r.people(1)
	r.intend(creation(ids[0]))
	r.target.Put(directory.Account{Groups: []string{"subscriber"}, GroupsKnown: true, Attributes: directory.Attributes{
		"username": directory.Text("person001"), "email": directory.Text("person001@example.com"), "display_name": directory.Text("Somebody's edit"),
	}})
	r.run()
	r.run()
	if name := r.account("person001").Attributes.Text("display_name"); name != "Givenperson001 Family" {
		t.Errorf("the display name is %q for ever", name)
	}
}

// creation is the intent of creating person001.
func creation(source string) plan.Operation {
	return plan.Operation{
		Seq: 1, Side: plan.Target, Action: plan.Create, Account: "person001", SourceID: source, Origin: "created", Groups: []string{"subscriber"},
		Changes: []plan.Change{
			{Attribute: "username", After: directory.Text("person001")},
			{Attribute: "email", After: directory.Text("person001@example.com")},
			{Attribute: "display_name", After: directory.Text("Givenperson001 Family")},
		},
	}
}

func TestACreationIsAskedForBeforeItIsRepeated(t *testing.T) {
	hide := func(request directory.ListRequest, page *directory.AccountPage) { page.Accounts, page.Total = nil, 0 }
	for _, c := range []struct {
		name   string
		bend   func(directory.ListRequest, *directory.AccountPage)
		hidden int // accounts that the count leaves out, too
		fault  error
		want   state.Result
	}{
		{"where its record cannot be read", func(_ directory.ListRequest, page *directory.AccountPage) {
			page.Accounts[0].Problem, page.Accounts[0].Attributes = "cut off", nil
		}, 0, nil, state.ResultDone},
		{"where a listing leaves it out, and the count agrees", hide, 1, nil, state.ResultDone},
		{"where somebody has promoted it", func(_ directory.ListRequest, page *directory.AccountPage) {
			page.Accounts[0].Privileged = "administrator"
		}, 0, nil, ""},
		{"where nobody answers", hide, 1, &directory.Error{Kind: directory.Retryable, Err: errors.New("no answer")}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t)
			ids := r.people(1)
			r.intend(creation(ids[0]))
			r.target.Put(directory.Account{Groups: []string{"subscriber"}, GroupsKnown: true, Attributes: directory.Attributes{
				"username": directory.Text("person001"), "email": directory.Text("person001@example.com"), "display_name": directory.Text("Givenperson001 Family"),
			}})
			// The names that tell who it is are other ones by now.
			r.source.Set(ids[0], directory.Attributes{"username": directory.Text("other"), "email": directory.Text("other@example.com")})
			r.job.Target = r.target.Session(func(o *memory.Options) {
				o.Tamper = c.bend
				o.Around = func(_ context.Context, call memory.Call, do func() error) error {
					if c.fault != nil && call.Op == memory.OpFindAccounts {
						return c.fault
					}
					err := do()
					switch answer := call.Answer.(type) {
					case *int:
						*answer -= c.hidden
					case *[]directory.Account:
						for i := range *answer {
							if c.want == "" && c.fault == nil {
								(*answer)[i].Privileged = "administrator"
							}
						}
					}
					return err
				}
			})
			r.run()
			if n := len(r.target.Accounts()); n != 1 {
				t.Errorf("%d accounts of one person", n)
			}
			if got := r.settled(); got != c.want {
				t.Errorf("the journal says %q, want %q", got, c.want)
			}
		})
	}
}

func TestGroupsThatWereNotReadAreNotMadeAgain(t *testing.T) {
	r := newRig(t, func(s *rules.Sync) {
		s.Groups, s.GroupOptions = nil, rules.GroupOptions{Mirror: []string{"Web*"}, Create: true}
	})
	ids := r.people(2)
	r.run()
	r.source.Join(ids[0], "g-web")
	r.target.SetFault(func(op string, _ int) error {
		if op == memory.OpListGroups {
			return &directory.Error{Kind: directory.Retryable, Err: errors.New("no answer")}
		}
		return nil
	})
	r.expect(StatusWithheld)
	if n := r.target.Calls(memory.OpCreateGroup); n != 0 {
		t.Errorf("%d groups made without knowing those that exist", n)
	}
	r.target.SetFault(nil)
	r.expect(StatusOK, "group_added 1, group_created 1")
}

func TestAWriteThatACrashCutOffIsDoneInTheJournalWhereItShows(t *testing.T) {
	name := func(value string) []plan.Change {
		return []plan.Change{{Attribute: "display_name", After: directory.Text(value)}}
	}
	for _, c := range []struct {
		name   string
		action plan.Action
		group  string
		change []plan.Change
		want   state.Result
	}{
		{"an update that was done", plan.Update, "", name("Givenperson001 Family"), state.ResultDone},
		{"an update that was not", plan.Update, "", name("Another"), state.ResultFailed},
		{"a membership that was added", plan.GroupAdd, "subscriber", nil, state.ResultDone},
		{"a membership that was not", plan.GroupAdd, "editor", nil, state.ResultFailed},
		{"a membership that was taken away", plan.GroupRemove, "editor", nil, state.ResultDone},
		{"a membership that was not taken away", plan.GroupRemove, "subscriber", nil, state.ResultFailed},
		{"a group that was made", plan.CreateGroup, "editor", nil, state.ResultDone},
		{"a group that was not made", plan.CreateGroup, "nowhere", nil, state.ResultFailed},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t)
			ids := r.people(2)
			r.run()
			o := plan.Operation{Seq: 1, Side: plan.Target, Action: c.action, Account: "person001", GroupName: c.group, Changes: c.change}
			if c.action != plan.CreateGroup {
				o.SourceID, o.TargetID, o.GroupID = ids[0], r.account("person001").ID, c.group
			}
			r.intend(o)
			r.run()
			if got := r.settled(); got != c.want {
				t.Errorf("the journal says %q, want %q", got, c.want)
			}
		})
	}
}

func TestAWriteToAnAccountThatTheListingLacksStaysOpen(t *testing.T) {
	r := newRig(t)
	ids := r.people(3)
	r.run()
	id := r.account("person001").ID
	r.intend(plan.Operation{
		Seq: 1, Side: plan.Target, Action: plan.Update, Account: "person001", SourceID: ids[0], TargetID: id,
		Changes: []plan.Change{{Attribute: "display_name", After: directory.Text("Givenperson001 Family")}},
	})
	r.target.SetTamper(func(_ directory.ListRequest, page *directory.AccountPage) { page.Accounts = page.Accounts[1:] })
	r.run()
	if got := r.settled(); got != "" {
		t.Errorf("the journal says %q of an account that was not listed", got)
	}
	r.target.SetTamper(nil)
	r.run()
	if got := r.settled(); got != state.ResultDone {
		t.Errorf("the journal says %q in the end", got)
	}
}

func TestADeactivationOfAnAccountThatTheTargetHidesStaysOpen(t *testing.T) {
	r := newRig(t)
	ids := r.people(3)
	r.run()
	id := r.account("person001").ID
	r.source.Edit(ids[0], func(a *directory.Account) { a.Status = directory.StatusInactive })
	r.target.Edit(id, func(a *directory.Account) { a.Status = directory.StatusInactive })
	r.intend(plan.Operation{Seq: 1, Side: plan.Target, Action: plan.Deactivate, Account: "person001", SourceID: ids[0], TargetID: id})
	whole := r.job.Target
	r.job.Target = r.target.Session(func(o *memory.Options) {
		o.Around = func(_ context.Context, call memory.Call, do func() error) error {
			err := do()
			switch answer := call.Answer.(type) {
			case *int:
				*answer--
			case *directory.AccountPage:
				answer.Accounts, answer.Total = answer.Accounts[1:], answer.Total-1
			}
			return err
		}
	})
	r.run()
	if got := r.settled(); got != "" {
		t.Errorf("the journal says %q of an account that is hidden", got)
	}
	r.job.Target = whole
	r.run()
	if got := r.settled(); got != state.ResultDone {
		t.Errorf("the journal says %q in the end", got)
	}
	r.source.Edit(ids[0], func(a *directory.Account) { a.Status = directory.StatusActive })
	r.expect(StatusOK, "activated 1") // it was ours
}

func TestAnAccountThatTheTargetHidesIsNotMadeAnew(t *testing.T) {
	r := newRig(t, func(s *rules.Sync) { s.Actions.MissingInTarget = rules.Recreate })
	ids := r.people(4)
	r.run()
	r.source.Set(ids[0], directory.Attributes{"username": directory.Text("other"), "email": directory.Text("other@example.com")})
	hidden := r.account("person001").ID
	answers := true
	r.job.Target = r.target.Session(func(o *memory.Options) {
		o.Around = func(_ context.Context, call memory.Call, do func() error) error {
			if call.Op == memory.OpGetAccount && !answers {
				return &directory.Error{Kind: directory.Retryable, Err: errors.New("no answer")}
			}
			err := do()
			switch answer := call.Answer.(type) {
			case *int:
				*answer--
			case *directory.AccountPage:
				answer.Total--
				kept := answer.Accounts[:0]
				for _, account := range answer.Accounts {
					if account.ID != hidden {
						kept = append(kept, account)
					}
				}
				answer.Accounts = kept
			}
			return err
		}
	})
	r.noted(r.expect(StatusNothing), plan.NoteSuspected, "nothing is created")
	answers = false
	r.noted(r.expect(StatusNothing), plan.NoteSuspected, "nothing is created")
	if n := len(r.target.Accounts()); n != 4 {
		t.Errorf("%d accounts of 4 people", n)
	}
	r.target.Remove(hidden)
	r.job.Target = r.target
	asked := r.target.Calls(memory.OpGetAccount)
	r.expect(StatusOK, "created 1")
	if n := r.target.Calls(memory.OpGetAccount) - asked; n != 1 {
		t.Errorf("asked for it %d times", n)
	}
}
