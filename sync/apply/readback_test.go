package apply_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/rollcall-sync/rollcall/sync/apply"
	"github.com/rollcall-sync/rollcall/sync/diff"
	"github.com/rollcall-sync/rollcall/sync/directory"
	"github.com/rollcall-sync/rollcall/sync/plan"
	"github.com/rollcall-sync/rollcall/sync/state"
)

// TestALostAnswerIsReadBack says for each kind of write what is seen afterwards and what follows from it.
func TestALostAnswerIsReadBack(t *testing.T) {
	t.Parallel()
	notDone := "read back, and it was not done; the next run tries again: website: write: unknown_outcome"
	lost := func(call string) func(*world) { // done, and the answer lost
		return func(w *world) { w.target.fail = failing(errLost, call) }
	}
	ignored := func(call string) func(*world) { // not done, and nobody knows
		return func(w *world) { w.target.fail = failing(kind(directory.UnknownOutcome), call) }
	}
	and := func(steps ...func(*world)) func(*world) {
		return func(w *world) {
			for _, step := range steps {
				step(w)
			}
		}
	}
	blind := func(w *world) { w.options.Target = powers(w.target) }
	broken := func(write, read string) func(*world) {
		return func(w *world) {
			w.target.fail = func(call string) error {
				switch {
				case strings.HasPrefix(call, write):
					return kind(directory.UnknownOutcome)
				case strings.HasPrefix(call, read):
					return kind(directory.Retryable)
				}
				return nil
			}
		}
	}
	for _, c := range []struct {
		name   string
		o      plan.Operation
		change func(*world)
		result state.Result
		// message is what the failure says; empty for none.
		message string
	}{
		{"update done", on(plan.Update, "anna"), lost("update"), state.ResultDone, ""},
		{"update not done", on(plan.Update, "anna"), ignored("update"), state.ResultFailed, notDone},
		{"update, and reading back fails", on(plan.Update, "anna"), broken("update", "get"), state.ResultUnknown, "website: write: unknown_outcome"},
		{"update where nothing can be read back", on(plan.Update, "anna"), and(lost("update"), blind), state.ResultUnknown, "website: update t-anna: unknown_outcome"},
		{"activation done", on(plan.Activate, "anna"), and(func(w *world) { w.target.accounts["t-anna"].Status = directory.StatusInactive }, lost("active")), state.ResultDone, ""},
		{"activation not done", on(plan.Activate, "anna"), and(func(w *world) { w.target.accounts["t-anna"].Status = directory.StatusInactive }, ignored("active")), state.ResultFailed, notDone},
		{"deactivation done", on(plan.Deactivate, "anna"), lost("inactive"), state.ResultDone, ""},
		{"deactivation not done", on(plan.Deactivate, "anna"), ignored("inactive"), state.ResultFailed, notDone},
		{"deactivation, and the account is gone", on(plan.Deactivate, "anna"), and(func(w *world) { delete(w.target.accounts, "t-anna") }, ignored("inactive")), state.ResultDone, ""},
		{"update, and the account is gone", on(plan.Update, "anna"), and(func(w *world) { delete(w.target.accounts, "t-anna") }, ignored("update")), state.ResultUnknown, "website: write: unknown_outcome"},
		{"deletion done", on(plan.Delete, "anna"), lost("delete"), state.ResultDone, ""},
		{"deletion not done", on(plan.Delete, "anna"), ignored("delete"), state.ResultFailed, "the account is still there after the answer was lost; the next run tries again: website: write: unknown_outcome"},
		{"creation done", on(plan.Create, "hans"), lost("create"), state.ResultDone, ""},
		{"creation not done, or not yet", on(plan.Create, "hans"), ignored("create"), state.ResultUnknown, "whether the account was created is not known; the next run looks before it creates: website: write: unknown_outcome"},
		{"creation, and looking for it fails", on(plan.Create, "hans"), broken("create", "find"), state.ResultUnknown, "website: write: unknown_outcome"},
		{"creation where nobody can be looked for", on(plan.Create, "hans"), and(lost("create"), blind), state.ResultUnknown, "website: create hans: unknown_outcome"},
		{"creation, and two have the value", on(plan.Create, "anna"), and(func(w *world) { w.target.accounts["x"] = w.person("x", "anna") }, ignored("create")), state.ResultUnknown, "website: write: unknown_outcome"},
		{"creation, and somebody else has the username", on(plan.Create, "anna"), ignored("create"), state.ResultUnknown, "whether the account was created"},
		{"creation, and a privileged account has all of it", on(plan.Create, "hans"), and(func(w *world) {
			boss := w.person("x", "hans")
			boss.Privileged, boss.Attributes["email"] = "role administrator", directory.Text("hans@example.org")
			w.target.accounts["x"] = boss
		}, ignored("create")), state.ResultUnknown, "whether the account was created"},
		{"group made", on(plan.CreateGroup, "new"), and(func(w *world) { w.target.groups = []directory.Group{{ID: "1", Name: "a"}, {ID: "2", Name: "b"}} }, lost("create group")), state.ResultDone, ""},
		{"group not made", on(plan.CreateGroup, "new"), and(func(w *world) { w.target.groups = []directory.Group{{ID: "1", Name: "a"}, {ID: "2", Name: "b"}} }, ignored("create group")), state.ResultFailed, "website: write: unknown_outcome"},
		{"group, and the groups cannot be listed", on(plan.CreateGroup, "new"), broken("create group", "list groups"), state.ResultUnknown, "website: write: unknown_outcome"},
		{"joined", on(plan.GroupAdd, "anna"), lost("groups"), state.ResultDone, ""},
		{"not joined", on(plan.GroupAdd, "anna"), ignored("groups"), state.ResultFailed, notDone},
		{"left", withGroup(on(plan.GroupRemove, "anna"), "g-all"), lost("groups"), state.ResultDone, ""},
		{"not left", withGroup(on(plan.GroupRemove, "anna"), "g-all"), ignored("groups"), state.ResultFailed, notDone},
		{"joined, as the memberships tell", on(plan.GroupAdd, "anna"), and(lost("groups"), memberships), state.ResultDone, ""},
		{"not joined, as the memberships tell", on(plan.GroupAdd, "anna"), and(ignored("groups"), memberships), state.ResultFailed, notDone},
		{"joined, and the memberships cannot be read", on(plan.GroupAdd, "anna"), and(memberships, broken("groups", "memberships")), state.ResultUnknown, "website: write: unknown_outcome"},
		{"joined, where the account does not tell its groups", on(plan.GroupAdd, "anna"), and(func(w *world) { w.target.accounts["t-anna"].GroupsKnown = false }, lost("groups")), state.ResultUnknown, "unknown_outcome"},
		{"joined, where nothing can be read back", on(plan.GroupAdd, "anna"), and(lost("groups"), blind), state.ResultUnknown, "unknown_outcome"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			c.change(w)
			result := w.run(c.o)
			if got := w.outcomes[1].Result; got != c.result {
				t.Errorf("%s, want %s; log %v", got, c.result, w.log)
			}
			if (len(result.Failures) == 0) != (c.message == "") {
				t.Fatalf("failures %v, want %q", failures(result), c.message)
			}
			writes := 0
			for _, line := range w.log {
				if strings.HasPrefix(line, "website") && !strings.HasPrefix(line, "website get") && !strings.HasPrefix(line, "website find") && !strings.HasPrefix(line, "website list") && !strings.HasPrefix(line, "website memberships") {
					writes++
				}
			}
			if writes != 1 {
				t.Errorf("%d writes; an outcome that is not known is never repeated blindly: %v", writes, w.log)
			}
			if c.message == "" {
				if result.Done[plan.Target][c.o.Action] != 1 {
					t.Errorf("done %v", result.Done)
				}
				return
			}
			if f := result.Failures[0]; !strings.Contains(f.Message, c.message) || f.Kind != directory.UnknownOutcome || w.outcomes[1].Message != f.Message || w.outcomes[1].Link != nil {
				t.Errorf("failure %+v, want %q; outcome %+v", f, c.message, w.outcomes[1])
			}
			if w.events[0].Result != c.result {
				t.Errorf("event %+v", w.events[0])
			}
		})
	}
}

func withGroup(o plan.Operation, id string) plan.Operation {
	o.GroupID = id
	return o
}

// powers is a site that writes and cannot be read.
func powers(s *site) directory.Directory {
	return struct {
		directory.Directory
		directory.Creator
		directory.Updater
		directory.GroupChanger
	}{s, s, s, s}
}

func memberships(w *world) { w.options.Target = member{w.target} }

func TestAGroupThatIsFoundWhenReadBackIsJoined(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.target.fail = failing(errLost, "create group")
	join := on(plan.GroupAdd, "anna", 1)
	join.GroupID, join.GroupName = "", "new"
	w.run(on(plan.CreateGroup, "new"), join)
	same(t, "groups", []string{"g-all", "id-new"}, w.target.accounts["t-anna"].Groups)
}

// TestAnAccountThatWasMadeInPart is about sites that make an account and then refuse a part of it. It is linked, so that
// nobody makes it twice, and what the directory said reaches the report.
func TestAnAccountThatWasMadeInPart(t *testing.T) {
	t.Parallel()
	refused := &directory.Error{
		Kind: directory.UnknownOutcome, Op: "create account", Directory: "website", Record: "hans", Attribute: "title",
		Remedy: "check how the meta key is registered on the site", Err: errors.New("made the account and then refused its meta"),
	}
	for _, c := range []struct {
		name    string
		spoil   func(*directory.Account)
		without string
	}{
		{"the attribute is empty", func(a *directory.Account) { a.Attributes["title"] = directory.Value{} }, "title"},
		{"the attribute that the directory named is not told", func(a *directory.Account) { delete(a.Attributes, "title") }, "title"},
		{"a group is missing", func(a *directory.Account) { a.Groups = nil }, "groups"},
		{"both", func(a *directory.Account) { delete(a.Attributes, "title"); a.Groups = nil }, "title, groups"},
		{"nothing is missing", func(*directory.Account) {}, ""},
		{"a value has a form of its own", func(a *directory.Account) { a.Attributes["title"] = directory.Text("CHIEF") }, ""},
		{"groups are not told", func(a *directory.Account) { a.Groups, a.GroupsKnown = nil, false }, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.target.fail = func(call string) error {
				if call != "create hans" {
					return nil
				}
				made := w.person("made", "hans")
				made.Attributes["email"], made.Attributes["title"] = directory.Text("Hans@example.org"), directory.Text("Chief")
				c.spoil(made)
				w.target.accounts["made"] = made
				return refused
			}
			creation := on(plan.Create, "hans")
			creation.Groups = []string{"g-all"}
			result := w.run(creation, on(plan.Update, "anna"))
			link := w.outcomes[1].Link
			if w.outcomes[1].Result != state.ResultDone || link == nil || link.TargetID != "made" || link.SourceID != "s-hans" {
				t.Fatalf("outcome %+v", w.outcomes[1])
			}
			if result.Done[plan.Target][plan.Create] != 1 || result.Done[plan.Target][plan.Update] != 1 || len(result.Stopped) > 0 {
				t.Errorf("%+v", result)
			}
			if c.without == "" {
				if len(result.Failures) > 0 {
					t.Errorf("failures %v", failures(result))
				}
				return
			}
			same(t, "failures", []string{
				"create hans unknown_outcome: the account was created without " + c.without + "; the next run completes it: " +
					"website: create account hans: made the account and then refused its meta - check how the meta key is registered on the site",
			}, failures(result))
			var typed *directory.Error
			if !errors.As(w.events[0].Err, &typed) || typed.Attribute != "title" || typed.Remedy != refused.Remedy {
				t.Errorf("the event has %v", w.events[0].Err)
			}
			if failed := w.failed(); len(failed) != 1 || failed[0] != "hans" {
				t.Errorf("failed accounts %v", failed)
			}
		})
	}
}

// TestAnAccountWhoseFateIsNotKnownKeepsTheDirectorysWords is the same where the account is not found.
func TestAnAccountWhoseFateIsNotKnownKeepsTheDirectorysWords(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.target.fail = failing(&directory.Error{Kind: directory.UnknownOutcome, Directory: "website", Attribute: "title", Remedy: "look at the site's log"}, "create")
	result := w.run(on(plan.Create, "hans"))
	var typed *directory.Error
	if !errors.As(w.events[0].Err, &typed) || typed.Attribute != "title" || typed.Remedy != "look at the site's log" {
		t.Errorf("the event has %v", w.events[0].Err)
	}
	if f := result.Failures[0]; !strings.HasSuffix(f.Message, " - look at the site's log") || f.KindName != "unknown_outcome" {
		t.Errorf("%+v", f)
	}
}

// TestWhatWasNotFoundIsCompletedByTheNextRun looks at the names that Rebase is given: false for what was sent and not found.
func TestWhatWasNotFoundIsCompletedByTheNextRun(t *testing.T) {
	t.Parallel()
	for _, lost := range []bool{false, true} {
		w := newWorld(t)
		w.target.fail = func(call string) error {
			if call == "create hans" && lost {
				made := w.person("made", "hans")
				made.Attributes["email"] = directory.Text("hans@example.org")
				w.target.accounts["made"] = made // its title is Editor, and Chief was sent
				return kind(directory.UnknownOutcome)
			}
			return nil
		}
		var wrote map[string]bool
		draft := &apply.Draft{Source: w.source.accounts["s-anna"]}
		draft.Rebase = func(_, _ *directory.Account, target, _ map[string]bool, created bool) map[string]state.Pair {
			if !created {
				t.Error("a creation is not told as one")
			}
			wrote = target
			return map[string]state.Pair{"title": state.Pair(diff.Pair{Source: directory.Text("agreed")})}
		}
		w.drafts["hans"] = draft
		w.run(on(plan.Create, "hans"))
		same(t, "sent", map[string]bool{"username": true, "email": true, "title": !lost}, wrote)
		if got := w.outcomes[1].Link.Base.Attributes["title"].Source.String(); got != "agreed" {
			t.Errorf("the base is %q", got)
		}
	}
}

// TestASiteThatRefusesAPartOfEachAccountIsNotGivenUp because it answers, and each account is made.
func TestASiteThatRefusesAPartOfEachAccountIsNotGivenUp(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.target.fail = func(call string) error {
		who, creation := strings.CutPrefix(call, "create ")
		if !creation {
			return nil
		}
		made := w.person("made-"+who, who)
		made.Attributes["email"], made.Attributes["title"] = directory.Text(who+"@example.org"), directory.Value{}
		w.target.accounts[made.ID] = made
		return kind(directory.UnknownOutcome)
	}
	var creations []plan.Operation
	for _, who := range []string{"a", "b", "c", "d", "e", "f", "g"} {
		creations = append(creations, on(plan.Create, who))
	}
	result := w.run(creations...)
	if len(result.Failures) != 7 || result.Done[plan.Target][plan.Create] != 7 || len(result.Stopped) > 0 {
		t.Errorf("%d failures, done %v, stopped %v", len(result.Failures), result.Done, result.Stopped)
	}
}
