package engine

import (
	"errors"
	"strings"
	"testing"

	"github.com/rollcall-sync/rollcall/sync/directory"
	"github.com/rollcall-sync/rollcall/sync/directory/memory"
	"github.com/rollcall-sync/rollcall/sync/rules"
)

// both starts with person001 held by two syncs.
func both(t *testing.T) (s second, id string) {
	t.Helper()
	r := newRig(t)
	id = r.people(5)[0]
	sync := rules.NewSync("hr-to-website", "hr", "website")
	sync.Attributes = []rules.Attribute{{Target: "username", From: "username"}, {Target: "email", From: "email"}}
	s = second{rig: r, hr: memory.New(memory.Options{Name: "hr"})}
	s.job = Job{Sync: sync, Source: s.hr, Target: r.target, Others: []rules.Sync{r.job.Sync}, Earlier: 1}
	r.job.Others = []rules.Sync{sync}
	s.joins()
	r.run()
	if report := s.run(); report.Counts.Linked != 1 {
		t.Fatalf("%s", report.Counts.changes())
	}
	return s, id
}

// renamed is a directory under another name.
type renamed struct {
	*memory.Directory
	name string
}

func (r renamed) Describe() directory.Description {
	description := r.Directory.Describe()
	description.Name = r.name
	return description
}

// The claims of other syncs are those on the place, whatever the configuration calls it.
func TestARenamedTargetDoesNotDropTheClaimsOfOtherSyncs(t *testing.T) {
	s, id := both(t)
	s.rig.job.Target = renamed{s.target, "site"}
	s.rig.job.Sync.Target = "site"
	s.source.Remove(id)
	s.rig.job.Approve = s.expect(StatusRefused).Verdict.Token
	s.expect(StatusOK, "group_removed 1") // the group that only this sync gave
	if a := s.account("person001"); a.Status != directory.StatusActive {
		t.Errorf("%s, though hr still holds the account", a.Status)
	}
}

func TestWhatASyncHeldThatIsNotConfiguredAnyMoreIsNotTakenAway(t *testing.T) {
	s, id := both(t)
	s.rig.job.Others, s.rig.job.Configured = nil, []string{s.rig.job.Sync.Name}
	s.source.Remove(id)
	report := s.expect(StatusOK, "group_removed 1") // the group that only this sync gave
	want := "sync hr-to-website is not configured any more and holds 1 account of website; nobody whom it holds loses access. If it is not to come back under that name: rollcall unlink --all hr-to-website"
	if got := strings.Join(report.Reasons, "\n"); got != want {
		t.Errorf("reasons %q, want %q", got, want)
	}
	if plan := s.plan(); strings.Join(plan.Warnings, "\n") != want {
		t.Errorf("warnings %q", plan.Warnings)
	}
	all, held, err := s.engine.UnlinkAll(t.Context(), "hr-to-website")
	if all != 1 || held != 1 || err != nil {
		t.Fatalf("%d links, %d held, error %v", all, held, err)
	}
	if _, _, err := s.engine.UnlinkAll(t.Context(), "hr-to-website"); !errors.Is(err, ErrNobody) {
		t.Errorf("a second time: %v", err)
	}
	report = s.expect(StatusOK, "deactivated 1")
	if len(report.Reasons) > 0 {
		t.Errorf("reasons %v", report.Reasons)
	}
}

// A sync to another place that was called the same has no claim here, and one of the same place under another name has.
func TestAnOrphanIsOneOfTheSamePlace(t *testing.T) {
	s, _ := both(t)
	elsewhere := memory.New(memory.Options{Name: "website", Identity: "memory:elsewhere"})
	s.rig.job.Others, s.rig.job.Configured = nil, []string{s.rig.job.Sync.Name}
	for _, c := range []struct {
		target directory.Directory
		want   int
	}{{s.target, 1}, {renamed{s.target, "site"}, 1}, {elsewhere, 0}} {
		job := s.rig.job
		job.Target = c.target
		w, err := s.engine.open(t.Context(), job)
		if err != nil {
			t.Fatal(err)
		}
		if len(w.orphans) != c.want {
			t.Errorf("%s: orphans %v, want %d", c.target.Describe().Identity, w.orphans, c.want)
		}
		w.discard()
	}
}

// Whom we let go because another sync holds the account is looked at again when that claim ends, though neither side changed.
func TestAClaimThatEndsWithoutAChangeIsNoticed(t *testing.T) {
	s, id := both(t)
	s.setStatus(directory.StatusInactive, id)
	s.expect(StatusOK, "group_removed 1")
	s.expect(StatusNothing)
	s.rig.job.Others, s.rig.job.Configured = nil, []string{s.rig.job.Sync.Name}
	s.expect(StatusNothing)
	if _, _, err := s.engine.UnlinkAll(t.Context(), "hr-to-website"); err != nil {
		t.Fatal(err)
	}
	s.expect(StatusOK, "deactivated 1")
}
