package apply_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-sync/rollcall/sync/directory"
	"github.com/rollcall-sync/rollcall/sync/plan"
	"github.com/rollcall-sync/rollcall/sync/state"
)

func same(t *testing.T, what string, want, got any) {
	t.Helper()
	if difference := cmp.Diff(want, got); difference != "" {
		t.Errorf("%s (want, got):\n%s", what, difference)
	}
}

func TestTheIntentComesBeforeTheCallAndTheOutcomeAfterIt(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.target.fail = failing(kind(directory.Invalid), "active")
	result := w.run(on(plan.Link, "anna"), on(plan.CreateGroup, "new"), on(plan.Update, "anna"), on(plan.Create, "hans"), on(plan.Activate, "bert"),
		on(plan.GroupAdd, "carl"), on(plan.GroupRemove, "carl"), on(plan.Deactivate, "dora"), on(plan.Delete, "emil"))
	same(t, "log", []string{
		"intend 1", "done 1", "intend 2", "website create group new", "done 2", "intend 3", "website update t-anna", "done 3", "intend 4", "website create hans", "done 4",
		"intend 5", "website active t-bert", "failed 5", "intend 6", "intend 7", "website groups t-carl +g-carl -g-carl", "done 6", "done 7",
		"intend 8", "website inactive t-dora", "done 8", "intend 9", "website delete t-emil", "done 9",
	}, w.log)
	same(t, "done", map[plan.Action]int{
		plan.Link: 1, plan.CreateGroup: 1, plan.Update: 1, plan.Create: 1, plan.GroupAdd: 1, plan.GroupRemove: 1, plan.Deactivate: 1, plan.Delete: 1,
	}, result.Done[plan.Target])
	if len(w.events) != 9 || w.events[4].Result != state.ResultFailed || w.events[4].Err == nil || w.events[3].Result != state.ResultDone {
		t.Errorf("events %+v", w.events)
	}
}

func TestOneFailureDoesNotStopTheOthers(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.target.fail = failing(kind(directory.Invalid), "update t-bert", "groups t-bert")
	result := w.run(on(plan.Update, "anna"), on(plan.Update, "bert"), on(plan.Update, "carl"), on(plan.GroupAdd, "bert"), on(plan.GroupAdd, "carl"), of(plan.Update, "dora"))
	same(t, "failures", []string{"update bert invalid: website: write: invalid", "group_add bert invalid: website: write: invalid"}, failures(result))
	if f := result.Failures[0]; f.ID != "t-bert" || f.Side != plan.Target || f.Kind != directory.Invalid {
		t.Errorf("%+v", f)
	}
	if result.Done[plan.Target][plan.Update] != 2 || result.Done[plan.Target][plan.GroupAdd] != 1 || result.Done[plan.Source][plan.Update] != 1 {
		t.Errorf("done %v", result.Done)
	}
	if failed := w.failed(); len(failed) != 1 || failed[0] != "bert" {
		t.Errorf("two failures of one account make failed accounts %v", failed)
	}
	if len(result.Stopped) > 0 || result.Interrupted || result.Left != 0 {
		t.Errorf("%+v", result)
	}
}

func TestFailuresComeInTheOrderOfThePlan(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.source.desc.WriteConcurrency, w.target.desc.WriteConcurrency = 4, 4
	w.target.fail = failing(kind(directory.Invalid), "update")
	w.source.fail = failing(kind(directory.Conflict), "update")
	result := w.run(on(plan.Update, "anna"), of(plan.Update, "bert"), on(plan.Update, "carl"), of(plan.Update, "dora"), on(plan.Update, "emil"))
	var order []string
	for _, f := range result.Failures {
		order = append(order, f.Account)
	}
	same(t, "order", []string{"anna", "bert", "carl", "dora", "emil"}, order)
}

func TestWhatWaitsForAFailureIsLeftOut(t *testing.T) {
	t.Parallel()
	const because = "left out, because an operation that it depends on was not done"
	w := newWorld(t)
	w.target.fail = failing(kind(directory.Conflict), "update t-carl", "create group")
	creation := on(plan.Create, "hans", 1)
	creation.NewGroups = []string{"new"}
	result := w.run(on(plan.CreateGroup, "new"), on(plan.Update, "anna", 3), on(plan.Update, "bert", 4), on(plan.Update, "carl"), on(plan.Update, "dora"), creation, on(plan.GroupAdd, "dora"))
	same(t, "failures", []string{
		"create_group new conflict: website: write: conflict", "update anna retryable: " + because, "update bert retryable: " + because,
		"update carl conflict: website: write: conflict", "create hans retryable: " + because,
	}, failures(result))
	same(t, "log", []string{
		"intend 1", "website create group new", "failed 1", "intend 4", "website update t-carl", "failed 4", "intend 5", "website update t-dora", "done 5",
		"intend 7", "website groups t-dora +g-dora -", "done 7",
	}, w.log)
	if len(result.Stopped) > 0 {
		t.Errorf("what was never sent says nothing about the directory: %v", result.Stopped)
	}
}

func TestAnExchangeIsDoneInItsOrder(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.target.desc.WriteConcurrency = 8
	aside := on(plan.Update, "anna")
	aside.Temporary = true
	result := w.run(on(plan.Update, "carl", 2), on(plan.Update, "bert", 3), aside, on(plan.Update, "anna", 3, 2))
	same(t, "log", []string{
		"intend 3", "website update t-anna", "done 3", "intend 2", "website update t-bert", "done 2", "intend 1", "website update t-carl", "done 1", "intend 4", "website update t-anna", "done 4",
	}, w.log)
	if got := result.Done[plan.Target][plan.Update]; got != 3 {
		t.Errorf("%d updates counted; nobody asked for the step aside", got)
	}
}

func TestGroupsThatWereJustMadeAreJoined(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	creation, join := on(plan.Create, "hans", 1), on(plan.GroupAdd, "anna", 1)
	creation.Groups, creation.NewGroups = []string{"g-all"}, []string{"new"}
	join.GroupID, join.GroupName = "", "new"
	w.run(on(plan.CreateGroup, "new"), creation, join)
	same(t, "groups of hans", []string{"g-all", "id-new"}, w.target.accounts["new1"].Groups)
	same(t, "groups of anna", []string{"g-all", "id-new"}, w.target.accounts["t-anna"].Groups)
	same(t, "remembered for hans", []string{"g-all", "id-new"}, w.outcomes[2].Link.Base.Groups)
	same(t, "remembered for anna", []string{"g-all", "id-new"}, w.outcomes[3].Link.Base.Groups)
}

func TestGoneIsAsGoodAsDoneForALoss(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, id := range []string{"t-anna", "t-bert", "t-carl", "t-dora"} {
		delete(w.target.accounts, id)
	}
	result := w.run(on(plan.Update, "anna"), on(plan.Activate, "bert"), on(plan.Deactivate, "carl"), on(plan.Delete, "dora"))
	same(t, "failures", []string{"update anna not_found: website: update t-anna: not_found", "activate bert not_found: website: set status t-bert: not_found"}, failures(result))
}

func TestWhatASideCannotDoIsReported(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.options.Target = struct{ directory.Directory }{w.target}
	result := w.run(on(plan.CreateGroup, "new"), on(plan.Update, "anna"), on(plan.Create, "hans"), on(plan.Activate, "bert"), on(plan.GroupAdd, "carl"), on(plan.Deactivate, "dora"), on(plan.Delete, "emil"))
	if len(result.Failures) != 7 {
		t.Fatalf("%v", failures(result))
	}
	for _, f := range result.Failures {
		if f.Kind != directory.Unsupported {
			t.Errorf("%s: %s", f.Operation, f.Message)
		}
	}
}

func TestCreationsGoInBulk(t *testing.T) {
	t.Parallel()
	hans := func(n int) plan.Operation { return on(plan.Create, fmt.Sprintf("hans%d", n)) }
	five := func() []plan.Operation { return []plan.Operation{hans(1), hans(2), hans(3), hans(4), hans(5)} }
	target := func(w *world) *bulk {
		w.target.desc.BulkSize = 2
		b := &bulk{site: w.target}
		w.options.Target = b
		return b
	}
	w := newWorld(t)
	target(w)
	result := w.run(append(five(), of(plan.Create, "ida"))...)
	if result.Done[plan.Target][plan.Create] != 5 || result.Done[plan.Source][plan.Create] != 1 {
		t.Errorf("done %v, failures %v", result.Done, failures(result))
	}
	var calls []string
	for _, line := range w.log {
		if strings.HasPrefix(line, "website") {
			calls = append(calls, line)
		}
	}
	same(t, "calls", []string{"website create hans1+hans2", "website create hans3+hans4", "website create hans5"}, calls)
	if w.outcomes[4].Link.TargetID != "new4" || w.outcomes[4].Link.SourceID != "s-hans4" {
		t.Errorf("the fourth is %+v", w.outcomes[4].Link)
	}

	w = newWorld(t)
	target(w).results = func(results []directory.CreateResult) []directory.CreateResult {
		results[0].Err = kind(directory.Conflict)
		return results
	}
	same(t, "one refused", []string{"create hans1 conflict: website: write: conflict"}, failures(w.run(hans(1), hans(2))))

	w = newWorld(t)
	target(w)
	w.target.fail = failing(kind(directory.Invalid), "create")
	same(t, "all refused", []string{"create hans1 invalid: website: write: invalid", "create hans2 invalid: website: write: invalid"}, failures(w.run(hans(1), hans(2))))

	w = newWorld(t)
	target(w).results = func(results []directory.CreateResult) []directory.CreateResult { return results[:1] }
	if result := w.run(hans(1), hans(2)); len(result.Failures) > 0 || w.outcomes[2].Link.TargetID != "new2" {
		t.Errorf("too few answers, and both were made: %v", failures(result))
	}

	w = newWorld(t)
	b := target(w)
	b.results = func(results []directory.CreateResult) []directory.CreateResult {
		delete(w.target.accounts, "new1")
		results[0].Err, results[1].Err = kind(directory.UnknownOutcome), kind(directory.UnknownOutcome)
		return results
	}
	result = w.run(hans(1), hans(2))
	if len(result.Failures) != 1 || w.outcomes[1].Result != state.ResultUnknown || w.outcomes[2].Result != state.ResultDone {
		t.Errorf("%v, %+v", failures(result), w.outcomes)
	}
}

// TestAPairThatCannotBeWorkedOnIsLeftOut is about a link that could not be made ready.
func TestAPairThatCannotBeWorkedOnIsLeftOut(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.draft(on(plan.Update, "anna")).Err = errors.New("its link is gone")
	result := w.run(on(plan.Update, "anna"), on(plan.Update, "bert"), on(plan.GroupAdd, "anna"), on(plan.Update, "carl", 1))
	same(t, "failures", []string{
		"update anna retryable: its link is gone", "group_add anna retryable: its link is gone",
		"update carl retryable: left out, because an operation that it depends on was not done",
	}, failures(result))
	same(t, "log", []string{"intend 2", "website update t-bert", "done 2"}, w.log)
}

// TestEachOperationIsFinishedOnce also where it failed or was never begun, so that its pair can be forgotten.
func TestEachOperationIsFinishedOnce(t *testing.T) {
	t.Parallel()
	for _, stopped := range []bool{false, true} {
		w := newWorld(t)
		stop := make(chan struct{})
		w.options.Stop = stop
		w.target.fail = func(call string) error {
			if call == "update t-bert" {
				if stopped {
					close(stop)
				}
				return kind(directory.Invalid)
			}
			return nil
		}
		var finished []int
		w.options.Finished = func(o plan.Operation) { finished = append(finished, o.Seq) }
		w.run(on(plan.Update, "anna"), on(plan.Update, "bert"), on(plan.Update, "carl", 2), on(plan.GroupAdd, "bert"), on(plan.GroupRemove, "bert"), on(plan.Deactivate, "dora"))
		same(t, "finished", []int{1, 2, 3, 4, 5, 6}, finished)
	}
}

// TestALongPhaseIsDoneInParts carries out more operations than are loaded at a time; the two group changes of the account at
// the seam still go in one call.
func TestALongPhaseIsDoneInParts(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var operations []plan.Operation
	for i := range 5000 {
		o := on(plan.GroupAdd, "anna")
		o.Account, o.GroupID = fmt.Sprintf("p%04d", (i+1)/2), fmt.Sprintf("g%d", i%2) // two each, and one of them on both sides of the seam
		operations = append(operations, o)
	}
	result := w.run(operations...)
	calls := 0
	for _, line := range w.log {
		if strings.HasPrefix(line, "website") {
			calls++
		}
	}
	if calls != 2501 || result.Done[plan.Target][plan.GroupAdd] != 5000 || len(result.Failures) > 0 {
		t.Errorf("%d calls, done %v, %d failures", calls, result.Done, len(result.Failures))
	}
}
