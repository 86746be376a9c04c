package engine

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/rollcall-sync/rollcall/sync/directory"
	"github.com/rollcall-sync/rollcall/sync/directory/memory"
	"github.com/rollcall-sync/rollcall/sync/plan"
	"github.com/rollcall-sync/rollcall/sync/rules"
)

// uncounted is a source whose listing can be cut without a count that would tell.
func uncounted(d *memory.Directory) directory.Directory {
	return struct {
		directory.Directory
		directory.Getter
		directory.Finder
		directory.GroupLister
		directory.MemberLister
	}{d.Core(), d, d, d, d}
}

// hide leaves accounts out of every listing; asked for by id, they are there.
func (r *rig) hide(ids ...string) {
	r.source.SetTamper(func(_ directory.ListRequest, page *directory.AccountPage) {
		page.Total = -1
		page.Accounts = slices.DeleteFunc(page.Accounts, func(a directory.Account) bool { return slices.Contains(ids, a.ID) })
	})
}

// Many suspects, most of whom have nothing to lose: the budget does not refuse the plan, so each has to be asked for.
func TestHiddenPeopleKeepAccessAlsoAmongManySuspects(t *testing.T) {
	r := newRig(t)
	r.job.Source = uncounted(r.source)
	r.hide()
	ids := r.people(30)
	r.run()
	for _, id := range ids[:8] {
		link, err := r.db.LinkBySource(t.Context(), r.job.Sync.Name, id)
		if err != nil {
			t.Fatal(err)
		}
		r.target.Edit(link.TargetID, func(a *directory.Account) { a.Status = directory.StatusInactive })
	}
	r.run()
	r.hide(ids[:10]...) // two of them active on both sides
	report := r.expect(StatusWithheld)
	if clauses := fmt.Sprint(report.Certificate.Source.Clauses); !strings.Contains(clauses, "exist when asked for") && !strings.Contains(clauses, "exists when asked for") {
		t.Errorf("clauses %s", clauses)
	}
	r.hide()
	r.expect(StatusNothing)
}

// A listing that lacks many is not followed by a look-up for each of them.
func TestOneHiddenPersonFoundIsEnough(t *testing.T) {
	r := newRig(t)
	r.source = memory.New(memory.Options{Name: "staff", PageSize: 1000, ReadConcurrency: 1})
	r.source.PutGroup(directory.Group{ID: "g-web", Name: "Web editors"})
	r.job.Source = uncounted(r.source)
	r.hide()
	ids := r.people(400)
	r.run()
	r.hide(ids[:150]...)
	r.expect(StatusWithheld)
	if calls := r.source.Calls(memory.OpGetAccount); calls > 5 {
		t.Errorf("%d look-ups, want a handful", calls)
	}
}

// Rules are accepted with the first whole plan that is let through, not with a plan that withheld what they take away.
func TestChangedRulesNeedApprovalAlsoAfterAWithheldRun(t *testing.T) {
	r := newRig(t, func(s *rules.Sync) { s.Limits.Removals = rules.Amount{Unlimited: true} })
	ids := r.people(30)
	for _, id := range ids {
		r.source.Join(id, "g-web")
	}
	r.run()
	r.job.Sync.Groups = []rules.Group{{Target: "editor", When: "false"}, {Target: "subscriber", When: "true"}}
	r.source.SetTamper(func(_ directory.ListRequest, page *directory.AccountPage) { page.Doubt = "bare records" })
	r.expect(StatusWithheld)
	r.source.SetTamper(nil)
	report := r.expect(StatusRefused)
	if report.Verdict == nil || len(report.Verdict.Reasons) != 1 || report.Verdict.Reasons[0].Rule != "rules" {
		t.Fatalf("verdict %+v", report.Verdict)
	}
	r.job.Approve = report.Verdict.Token
	r.expect(StatusOK, "group_removed 30")
	r.job.Approve = ""
	r.expect(StatusNothing)
}

// Another site has other people under the same ids.
func TestAnotherPlaceNeedsApproval(t *testing.T) {
	r := newRig(t)
	ids := r.people(5)
	r.run()
	r.run()
	moved := memory.New(memory.Options{Name: "website", Identity: "memory:staging", PageSize: 10, GroupsInline: true})
	moved.PutGroup(directory.Group{ID: "editor", Name: "editor"}, directory.Group{ID: "subscriber", Name: "subscriber"})
	for i := range 5 {
		stranger := person(fmt.Sprintf("stranger%d", i), "Some", "Body")
		stranger.Groups = []string{"subscriber"}
		moved.Put(stranger)
	}
	r.job.Target = moved
	r.source.Set(ids[0], directory.Attributes{"last_name": directory.Text("Married")})
	r.expect(StatusPartial) // none of them is who was linked; that does not make it the same place
	r.source.Put(person("newcomer", "New", "Comer"))
	report := r.expect(StatusRefused)
	if want := "website is memory:staging now and was memory:website"; !strings.Contains(strings.Join(report.Reasons, "\n"), want) {
		t.Errorf("reasons %v", report.Reasons)
	}
	if moved.Writes() != 0 {
		t.Errorf("%d writes", moved.Writes())
	}
}

// A source that cannot be asked about one person is listed; a listing without anybody proves nothing about anyone.
func TestOnePersonIsNotGoneFromAnEmptyListing(t *testing.T) {
	r := newRig(t)
	ids := r.people(5)
	r.job.Source = struct {
		directory.Directory
		directory.GroupLister
		directory.MemberLister
	}{r.source.Core(), r.source, r.source}
	r.expect(StatusOK, "created 5")
	r.source.Remove(ids...)
	r.job.Account = "person001"
	r.expect(StatusWithheld)
	r.source.Put(person("somebody", "Some", "Body"))
	r.expect(StatusWithheld) // one listing alone proves nobody gone
	r.job.Account = ""
	r.expect(StatusOK, "created 1")
	r.job.Account = "person001"
	r.expect(StatusOK, "deactivated 1")
}

// A group that was renamed, or a column that is gone, looks to the rules as if everybody had lost it.
func TestWhatTheRulesUseAndTheSourceLostNeedsApproval(t *testing.T) {
	r := newRig(t)
	ids := r.people(40)
	for _, id := range ids[:3] { // within the budget
		r.source.Join(id, "g-web")
	}
	r.run()
	r.run()
	r.source.PutGroup(directory.Group{ID: "g-web", Name: "Web Editors"})
	report := r.expect(StatusRefused)
	if want := "staff no longer has what the rules use: group Web editors"; !strings.Contains(strings.Join(report.Reasons, "\n"), want) {
		t.Errorf("reasons %v", report.Reasons)
	}
	r.job.Account = "person001"
	r.expect(StatusRefused)
	r.job.Account = ""
	r.source.PutGroup(directory.Group{ID: "g-web", Name: "Web editors"})
	r.expect(StatusNothing)
}

func TestALostStatusNeedsApproval(t *testing.T) {
	r := newRig(t)
	ids := r.people(40)
	r.source.Edit(ids[0], func(a *directory.Account) { a.Status = directory.StatusInactive })
	r.run()
	r.source.Edit(ids[1], func(a *directory.Account) { a.Status = directory.StatusInactive })
	r.run()
	everybody := described{r.source}
	for _, id := range ids[:2] {
		r.source.Edit(id, func(a *directory.Account) { a.Status = directory.StatusActive })
	}
	r.job.Source = struct {
		directory.Directory
		directory.Getter
		directory.GroupLister
		directory.MemberLister
	}{everybody, r.source, r.source, r.source}
	report := r.expect(StatusRefused)
	if want := "no longer has what the rules use: status of accounts"; !strings.Contains(strings.Join(report.Reasons, "\n"), want) {
		t.Errorf("reasons %v", report.Reasons)
	}
}

// described is a source that tells no status any more.
type described struct{ *memory.Directory }

func (d described) Describe() directory.Description {
	desc := d.Directory.Describe()
	desc.NoStatus = true
	return desc
}

// Both directories may give the same id to different people: by its id in the source somebody is found, with no one else's past.
func TestAnIDIsOneOfTheSource(t *testing.T) {
	r := newRig(t)
	r.target.Put(person("resident", "Re", "Sident"))
	ids := r.people(3)
	r.run()
	link, err := r.db.LinkBySource(t.Context(), r.job.Sync.Name, ids[0])
	if err != nil || link.TargetID != ids[1] {
		t.Fatalf("the id %s is not given twice: %+v, %v", ids[1], link, err)
	}
	r.source.Remove(ids[0])
	r.expect(StatusOK, "deactivated 1")
	x, err := r.engine.Explain(t.Context(), r.job, ids[1], false)
	if err != nil || x.Source == nil || x.Source.ID != ids[1] {
		t.Fatalf("%+v, %v", x, err)
	}
	if len(x.History) != 1 || x.History[0].Action != string(plan.Create) {
		t.Errorf("history %+v", x.History)
	}
}
