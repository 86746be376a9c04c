package apply_test

import (
	"context"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-sync/rollcall/sync/directory"
	"github.com/rollcall-sync/rollcall/sync/plan"
	"github.com/rollcall-sync/rollcall/sync/state"
)

// liar answers writes with something else than what it did, or did not do.
type liar struct {
	*site
	tell func(*directory.Account)
}

func (l liar) CreateAccount(ctx context.Context, request directory.CreateRequest) (directory.Account, error) {
	account, err := l.site.CreateAccount(ctx, request)
	l.tell(&account)
	return account, err
}

func (l liar) UpdateAccount(ctx context.Context, request directory.UpdateRequest) (directory.Account, error) {
	account, err := l.site.UpdateAccount(ctx, request)
	l.tell(&account)
	return account, err
}

func (l liar) SetStatus(ctx context.Context, request directory.StatusRequest) (directory.Account, error) {
	account, err := l.site.SetStatus(ctx, request)
	l.tell(&account)
	return account, err
}

func says(attribute, value string) func(*directory.Account) {
	return func(a *directory.Account) { a.Attributes[attribute] = directory.Text(value) }
}

func silent(attribute string) func(*directory.Account) {
	return func(a *directory.Account) { delete(a.Attributes, attribute) }
}

func update(attribute, before, after string) plan.Operation {
	o := on(plan.Update, "anna")
	o.Changes = []plan.Change{{Attribute: attribute, Before: directory.Text(before), After: directory.Text(after)}}
	return o
}

// TestAnAnswerIsBelievedWhereItTellsWhatWasAskedFor says what becomes of a write whose answer tells something else.
func TestAnAnswerIsBelievedWhereItTellsWhatWasAskedFor(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name    string
		o       plan.Operation
		tell    func(*directory.Account)
		result  state.Result
		message string
	}{
		{"an update that was done", update("title", "Editor", "Chief"), func(*directory.Account) {}, state.ResultDone, ""},
		{"an update that kept the old value", update("title", "Editor", "Chief"), says("title", "Editor"), state.ResultFailed, `kept the old value "Editor" of title instead of "Chief"`},
		{"an update that kept what was last seen", update("title", "older", "Chief"), says("title", "Editor"), state.ResultFailed, `kept the old value "Editor"`},
		{"an update that did not empty a value", update("title", "Editor", ""), says("title", "Editor"), state.ResultFailed, `kept the old value "Editor" of title instead of ""`},
		{"an update that is stored in another form", update("title", "Editor", "Chief"), says("title", "CHIEF!"), state.ResultDone, ""},
		{"an update whose form was there before", update("title", "Tom &amp; Jerry", "<b>Tom</b> & Jérry"), says("title", "Tom &amp; Jerry"), state.ResultDone, ""},
		{"an update of an address that lacks a dot", update("email", "ab@example.com", "a.b@example.com"), says("email", "ab@example.com"), state.ResultFailed, "kept the old value"},
		{"an update whose answer does not tell", update("title", "Editor", "Chief"), silent("title"), state.ResultDone, ""},
		{"an update that is answered with somebody else", update("title", "Editor", "Chief"), func(a *directory.Account) { a.ID = "t-bert" }, state.ResultDone, ""},
		{"an update that is answered with nobody", update("title", "Editor", "Chief"), func(a *directory.Account) { a.ID = "" }, state.ResultDone, ""},
		{"a deactivation that was not done", on(plan.Deactivate, "anna"), func(a *directory.Account) { a.Status = directory.StatusActive }, state.ResultFailed, "the account is still active"},
		{"an activation that was not done", on(plan.Activate, "anna"), func(a *directory.Account) { a.Status = directory.StatusInactive }, state.ResultFailed, "the account is still inactive"},
		{"a deactivation whose answer does not tell", on(plan.Deactivate, "anna"), func(a *directory.Account) { a.Status = directory.StatusUnknown }, state.ResultDone, ""},
		{"a creation whose username is stored in another form", on(plan.Create, "håns b"), says("username", "Hans-B"), state.ResultDone, ""},
		{"a creation whose address was escaped", on(plan.Create, "r&d"), says("email", "r&amp;d@example.org"), state.ResultDone, ""},
		{"a creation whose answer does not tell", on(plan.Create, "hans"), func(a *directory.Account) { a.Attributes = nil }, state.ResultDone, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.options.Target = liar{w.target, c.tell}
			failed := failures(w.run(c.o))
			if got := w.outcomes[1].Result; got != c.result {
				t.Errorf("%s, want %s; log %v", got, c.result, w.log)
			}
			if (c.message == "") != (len(failed) == 0) || !strings.Contains(strings.Join(failed, "\n"), c.message) {
				t.Errorf("failures %q, want %q", failed, c.message)
			}
			if (w.outcomes[1].Link != nil) != (c.result == state.ResultDone) {
				t.Errorf("link %+v", w.outcomes[1].Link)
			}
		})
	}
}

func TestWhatWasNotKeptIsNoBase(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.options.Target = liar{w.target, func(a *directory.Account) { says("title", "Editor")(a); silent("email")(a) }}
	o := update("title", "Editor", "Chief")
	o.Changes = append(o.Changes, plan.Change{Attribute: "username", Before: directory.Text("anna"), After: directory.Text("ann")}, plan.Change{Attribute: "email", After: directory.Text("ann@example.com")})
	var wrote map[string]bool
	w.draft(o).Rebase = func(_, _ *directory.Account, target, _ map[string]bool, _ bool) map[string]state.Pair {
		wrote = maps.Clone(target)
		return nil
	}
	result := w.run(o)
	if difference := cmp.Diff(map[string]bool{"title": false, "username": true, "email": false}, wrote); difference != "" {
		t.Errorf("agreed (want, got):\n%s", difference)
	}
	if got := failures(result); len(got) != 1 || !strings.HasPrefix(got[0], "update anna invalid: website: update anna: the directory answered yes and kept the old value") {
		t.Errorf("failures %q", got)
	}
	if w.outcomes[1].Result != state.ResultDone || w.outcomes[1].Message == "" {
		t.Errorf("what was done in part is in the journal as %+v", w.outcomes[1])
	}
}

func TestACreationThatIsAnsweredWithAnotherAccountIsLookedFor(t *testing.T) {
	t.Parallel()
	other := func(a *directory.Account) {
		a.ID, a.Attributes = "t-bert", directory.Attributes{"username": directory.Text("bert"), "email": directory.Text("bert@example.com")}
	}
	t.Run("alone", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		w.options.Target = liar{w.target, other}
		w.run(on(plan.Create, "hans"))
		if got := w.outcomes[1]; got.Result != state.ResultDone || got.Link.TargetID != "new1" {
			t.Errorf("%+v", got)
		}
	})
	t.Run("in bulk", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		w.target.desc.BulkSize = 2
		w.options.Target = bulk{w.target, func(results []directory.CreateResult) []directory.CreateResult {
			other(&results[1].Account)
			return results
		}}
		w.run(on(plan.Create, "hans"), on(plan.Create, "inge"))
		if got := w.outcomes[2]; got.Result != state.ResultDone || got.Link.TargetID != "new2" {
			t.Errorf("%+v", got)
		}
	})
	t.Run("and was not made", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		w.options.Target = liar{w.target, func(a *directory.Account) {
			delete(w.target.accounts, a.ID)
			other(a)
		}}
		got := failures(w.run(on(plan.Create, "hans")))
		if len(got) != 1 || !strings.Contains(got[0], `another account (id t-bert), whose username is "bert"`) || w.outcomes[1].Result != state.ResultUnknown || w.outcomes[1].Link != nil {
			t.Errorf("failures %q, outcome %+v", got, w.outcomes[1])
		}
	})
}

// TestALinkThatCannotBeSavedIsAFailureOfItsOwnOperation: the account has another link already, which only the state knows.
func TestALinkThatCannotBeSavedIsAFailureOfItsOwnOperation(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.target.desc.BulkSize = 3
	w.options.Target = bulk{site: w.target}
	w.options.Journal = taken{w, "new2"}
	result := w.run(on(plan.Create, "hans"), on(plan.Create, "inge"), on(plan.Create, "jens"), withGroup(on(plan.GroupAdd, "inge"), "g-new"), on(plan.Update, "anna"))
	var results []state.Result
	for seq := range int64(5) {
		results = append(results, w.outcomes[seq+1].Result)
	}
	if want := []state.Result{state.ResultDone, state.ResultFailed, state.ResultDone, "", state.ResultDone}; !slices.Equal(results, want) {
		t.Errorf("results %q, want %q; log %v", results, want, w.log)
	}
	for _, f := range failures(result) {
		if !strings.Contains(f, "inge conflict: website: create inge: linked already") {
			t.Errorf("failure %q", f)
		}
	}
	if len(result.Failures) != 2 || result.Interrupted || w.drafts["inge"].Saved() || w.outcomes[2].Link != nil {
		t.Errorf("failures %q, interrupted %t, saved %t", failures(result), result.Interrupted, w.drafts["inge"].Saved())
	}
}

// taken is a journal in whose state one target account has a link.
type taken struct {
	*world
	id string
}

func (j taken) Resolve(ctx context.Context, outcomes ...state.Outcome) error {
	if slices.ContainsFunc(outcomes, func(o state.Outcome) bool { return o.Link != nil && o.Link.TargetID == j.id }) {
		return linkedError{}
	}
	return j.world.Resolve(ctx, outcomes...)
}

type linkedError struct{}

func (linkedError) Error() string        { return "linked already" }
func (linkedError) Is(target error) bool { return target == state.ErrLinked }
