package apply_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-sync/rollcall/sync/apply"
	"github.com/rollcall-sync/rollcall/sync/directory"
	"github.com/rollcall-sync/rollcall/sync/plan"
	"github.com/rollcall-sync/rollcall/sync/state"
)

// TestTheLinkFollowsEachOperation says what is saved with the outcome of each kind of write.
func TestTheLinkFollowsEachOperation(t *testing.T) {
	t.Parallel()
	old := func(l *state.Link) {
		l.CreatedRun, l.Claim, l.DeactivatedAt, l.DeactivatedBy, l.RememberedGroups = "run0", state.Released, now.AddDate(0, 0, -1), "run0", []string{"g-old"}
	}
	join := withGroup(on(plan.GroupAdd, "anna"), "g-new")
	leave := withGroup(on(plan.GroupRemove, "anna"), "g-all")
	deactivation := on(plan.Deactivate, "anna")
	deactivation.Groups = []string{"g-all"}
	matched := on(plan.Link, "anna")
	matched.Origin = "matched"
	rehired := matched
	rehired.Replaces = "anna the first"
	creation := on(plan.Create, "anna")
	creation.Groups = []string{"g-new"}
	back := of(plan.Create, "anna")
	back.SourceID, back.TargetID, back.Origin = "", "t-anna", "writeback"
	for _, c := range []struct {
		name   string
		o      plan.Operation
		before func(*state.Link)
		drop   bool
		want   func(*state.Link)
	}{
		{"link", matched, nil, false, func(l *state.Link) { l.Origin, l.CreatedRun = "matched", "run1" }},
		{"link of a rehire", rehired, nil, true, func(l *state.Link) { l.Origin, l.CreatedRun = "matched", "run1" }},
		{"update", on(plan.Update, "anna"), old, false, old},
		{"creation", creation, nil, false, func(l *state.Link) {
			l.TargetID, l.TargetLabel, l.Origin, l.CreatedRun, l.Base.Groups = "new1", "anna", "created", "run1", []string{"g-new"}
		}},
		{"creation anew", creation, old, true, func(l *state.Link) {
			l.TargetID, l.TargetLabel, l.Origin, l.CreatedRun, l.Base.Groups = "new1", "anna", "created", "run1", []string{"g-new"}
		}},
		{"creation in the source", back, nil, false, func(l *state.Link) { l.SourceID, l.Origin, l.CreatedRun = "new1", "writeback", "run1" }},
		{"activation", on(plan.Activate, "anna"), old, false, func(l *state.Link) { l.CreatedRun = "run0" }},
		{"activation in the source", of(plan.Activate, "anna"), old, false, old},
		{"deactivation", deactivation, nil, false, func(l *state.Link) {
			l.Claim, l.DeactivatedAt, l.DeactivatedBy, l.RememberedGroups, l.Base.TargetStatus = state.Released, now, "run1", []string{"g-all"}, directory.StatusInactive
		}},
		{"deactivation in the source", of(plan.Deactivate, "anna"), nil, false, func(l *state.Link) { l.Base.SourceStatus = directory.StatusInactive }},
		{"joining", join, nil, false, func(l *state.Link) { l.Base.Groups = []string{"g-all", "g-new"} }},
		{"leaving", leave, nil, false, func(l *state.Link) { l.Base.Groups = []string{} }},
		{"joining in the source", withGroup(of(plan.GroupAdd, "anna"), "g-new"), nil, false, func(*state.Link) {}},
		{"leaving in the source", withGroup(of(plan.GroupRemove, "anna"), "g-all"), nil, false, func(*state.Link) {}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			d := w.draft(c.o)
			d.Link.SourceHash, d.Link.TargetHash = 1, 2
			if c.before != nil {
				c.before(&d.Link)
			}
			if d.Saved() {
				t.Error("saved before anything was done")
			}
			w.run(c.o)
			want := state.Link{Sync: "staff-to-website", LinkHead: state.LinkHead{SourceID: c.o.SourceID, TargetID: c.o.TargetID}, SourceLabel: "anna", TargetLabel: "anna"}
			want.Base = state.Base{Groups: []string{"g-all"}, SourceStatus: directory.StatusActive, TargetStatus: directory.StatusActive}
			c.want(&want)
			got := w.outcomes[1]
			if got.DropLink != c.drop || !d.Saved() {
				t.Errorf("drops the old link: %t, saved %t", got.DropLink, d.Saved())
			}
			if difference := cmp.Diff(&want, got.Link); difference != "" {
				t.Errorf("link (want, got):\n%s", difference)
			}
		})
	}
}

func TestWhatHasNoLinkSavesNone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.run(on(plan.CreateGroup, "new"), on(plan.Delete, "anna"))
	if got := w.outcomes[1]; got.Link != nil || got.DropLink || w.drafts["new"].Saved() {
		t.Errorf("a group: %+v", got)
	}
	if got := w.outcomes[2]; got.Link != nil || !got.DropLink || !w.drafts["anna"].Saved() {
		t.Errorf("a deletion: %+v", got)
	}
}

// TestOperationsOfOnePairBuildOnEachOther activates, updates and moves one account in one run.
func TestOperationsOfOnePairBuildOnEachOther(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	d := w.draft(on(plan.Update, "anna"))
	type call struct {
		Target, Source map[string]bool
		Title          string
		Created        bool
	}
	var calls []call
	d.Rebase = func(_, target *directory.Account, wroteTarget, wroteSource map[string]bool, created bool) map[string]state.Pair {
		calls = append(calls, call{wroteTarget, wroteSource, target.Attributes.Text("title"), created})
		return nil
	}
	aside := on(plan.Update, "anna")
	aside.Temporary = true
	aside.Changes = []plan.Change{{Attribute: "email", After: directory.Text("rollcall-moving-1@rollcall.invalid")}}
	back := of(plan.Update, "anna")
	back.Changes = []plan.Change{{Attribute: "email", After: directory.Text("x@example.com")}}
	w.run(aside, on(plan.Update, "anna"), on(plan.Activate, "anna"), withGroup(on(plan.GroupAdd, "anna"), "g-new"))
	w.run(back)
	title := map[string]bool{"title": true}
	same(t, "calls", []call{
		{Title: "Editor"}, {Target: title, Title: "Chief"}, {Target: title, Title: "Chief"}, {Target: title, Title: "Chief"}, {Target: title, Source: map[string]bool{"email": true}, Title: "Chief"},
	}, calls)
	same(t, "groups", []string{"g-all", "g-new"}, d.Link.Base.Groups)
}

// TestAWriteThatReturnsLessThanAListing keeps what was read before.
func TestAWriteThatReturnsLessThanAListing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	d := &apply.Draft{Target: w.person("t-anna", "anna")}
	d.Target.Attributes["nickname"] = directory.Text("Anni")
	d.Link.TargetID = "t-anna"
	w.drafts["anna"] = d
	w.run(on(plan.Update, "anna"))
	if d.Target.Attributes.Text("nickname") != "Anni" || d.Target.Attributes.Text("title") != "Chief" {
		t.Errorf("%v", d.Target.Attributes)
	}
	if _, ok := w.target.accounts["t-anna"].Attributes["nickname"]; ok {
		t.Error("what was kept reached the directory's own record")
	}
}

func TestTheJournalGetsTheAccountAsItWasStored(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.run(on(plan.Update, "anna"), on(plan.GroupAdd, "anna"))
	var stored struct {
		ID, Status string
		Attributes directory.Attributes
		Groups     []string
	}
	if err := json.Unmarshal(w.outcomes[1].Stored, &stored); err != nil {
		t.Fatal(err)
	}
	if stored.ID != "t-anna" || stored.Status != "active" || stored.Attributes.Text("title") != "Chief" || len(stored.Groups) != 1 {
		t.Errorf("%s", w.outcomes[1].Stored)
	}
	if w.outcomes[2].Stored != nil {
		t.Errorf("a call that returns no account: %s", w.outcomes[2].Stored)
	}
}

// TestAGroupThatTheNewAccountDoesNotHaveIsNotRemembered guards the way back: a membership that is remembered and not there
// would look like one that somebody ended.
func TestAGroupThatTheNewAccountDoesNotHaveIsNotRemembered(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.target.fail = func(call string) error {
		if call == "create hans" {
			made := w.person("made", "hans")
			made.Attributes["email"] = directory.Text("hans@example.org")
			w.target.accounts["made"] = made
			return kind(directory.UnknownOutcome)
		}
		return nil
	}
	creation := on(plan.Create, "hans")
	creation.Groups = []string{"g-all", "g-new"}
	w.run(creation)
	same(t, "groups", []string{"g-all"}, w.outcomes[1].Link.Base.Groups)
}

func TestTheClockOfADeactivationIsTheRuns(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	later := now.Add(3 * time.Hour)
	w.options.Now = func() time.Time { return later }
	w.run(on(plan.Deactivate, "anna"))
	if got := w.outcomes[1].Link.DeactivatedAt; !got.Equal(later) {
		t.Errorf("%v", got)
	}
}
