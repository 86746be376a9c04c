package engine

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-sync/rollcall/sync/directory"
)

// one runs the sync for one person after the other, a minute apart, and returns what came of it.
func (r *rig) one(ids ...string) (reports []*Report) {
	r.t.Helper()
	defer func() { r.job.Account = "" }()
	for _, id := range ids {
		r.job.Account = id
		report, err := r.engine.Run(r.t.Context(), r.job)
		if err != nil {
			r.t.Fatalf("%s: %v", id, err)
		}
		reports = append(reports, report)
		r.now = r.now.Add(time.Minute)
	}
	return reports
}

func lost(reports []*Report) (n int) {
	for _, report := range reports {
		n += report.Counts.Deactivated + report.Counts.Deleted + report.Counts.GroupRemoved
	}
	return n
}

// A source that lost most of its people says of each that there is no such account. One person at a time is no way
// around what a whole run would withhold.
func TestOnePersonIsNotGoneFromASourceThatShrank(t *testing.T) {
	for _, left := range []int{0, 3} {
		t.Run(fmt.Sprintf("%d left", left), func(t *testing.T) {
			r := newRig(t)
			ids := r.people(30)
			r.run()
			r.source.Remove(ids[left:]...)
			r.expect(StatusWithheld)
			for _, report := range r.one(ids[left:]...) {
				if report.Status != StatusWithheld || report.Counts.changes() != "" {
					t.Fatalf("%s: %s %s", report.Account, report.Status, report.Counts.changes())
				}
				if reasons := strings.Join(report.Reasons, "\n"); !strings.Contains(reasons, "staff counts ") || !strings.Contains(reasons, "--trust-size staff") {
					t.Fatalf("reasons %v", report.Reasons)
				}
			}
			r.job.TrustSize = []string{"staff"}
			if n := lost(r.one(ids[left])); n != 1 {
				t.Errorf("%d lost access where the size is trusted, want 1", n)
			}
		})
	}
}

// Where no count tells, the budget of a whole run holds over all runs of one person together, until the next whole run.
func TestRunsOfOnePersonShareABudget(t *testing.T) {
	for _, leaves := range []string{"the source", "a group"} {
		t.Run(leaves, func(t *testing.T) {
			r := newRig(t)
			r.job.Source = uncounted(r.source)
			ids := r.people(30)
			for _, id := range ids {
				r.source.Join(id, "g-web")
			}
			r.run()
			if leaves == "a group" {
				for _, id := range ids {
					r.source.Leave(id, "g-web")
				}
			} else {
				r.source.Remove(ids[:20]...)
			}
			reports := r.one(ids[:20]...)
			const allowed = 3 // limits.removals, and limits.removals_floor
			if n := lost(reports); n != allowed {
				t.Errorf("%d lost access one by one, want %d", n, allowed)
			}
			last := reports[len(reports)-1]
			if last.Status != StatusRefused || !strings.Contains(strings.Join(last.Reasons, "\n"), fmt.Sprintf("after %d in runs of one person", allowed)) {
				t.Fatalf("%s %v", last.Status, last.Reasons)
			}
			r.job.Approve = last.Verdict.Token
			if n := lost(r.one(ids[19])); n != 1 {
				t.Errorf("%d lost access with an approval, want 1", n)
			}
			r.job.Approve = ""
			if n := lost(r.one(ids[18])); n != 0 {
				t.Errorf("%d lost access after an approved run, want none", n)
			}
		})
	}
}

func TestAWholeRunBeginsTheBudgetOfSingleRunsAnew(t *testing.T) {
	r := newRig(t)
	r.job.Source = uncounted(r.source)
	ids := r.people(60)
	r.run()
	r.source.Remove(ids[:7]...)
	if n := lost(r.one(ids[:7]...)); n != 5 {
		t.Fatalf("%d lost access, want 5", n)
	}
	r.expect(StatusOK, "deactivated 2")
	r.source.Remove(ids[7])
	if n := lost(r.one(ids[7])); n != 1 {
		t.Errorf("%d lost access after a whole run, want 1", n)
	}
}

// A source that cannot be asked for one account is listed instead; then a listing is judged as in a whole run.
func TestOnePersonInAListingThatShrank(t *testing.T) {
	r := newRig(t)
	ids := r.people(40)
	r.job.Source = struct {
		directory.Directory
		directory.GroupLister
		directory.MemberLister
	}{r.source.Core(), r.source, r.source}
	r.run()
	r.source.SetTamper(func(_ directory.ListRequest, page *directory.AccountPage) {
		page.Total = -1
		page.Accounts = slices.DeleteFunc(page.Accounts, func(a directory.Account) bool { return slices.Contains(ids[:30], a.ID) })
	})
	for _, report := range r.one(ids[:5]...) {
		if report.Status != StatusWithheld || !strings.Contains(strings.Join(report.Reasons, "\n"), "after 40 in the last complete listing") {
			t.Errorf("%s %s %v", report.Status, report.Counts.changes(), report.Reasons)
		}
	}
}

// A run under a clock that is years ahead is not the last one for ever.
func TestARunUnderAWrongClockIsNotTheMeasureForEver(t *testing.T) {
	r := newRig(t)
	r.job.Source = uncounted(r.source)
	r.hide()
	r.people(10)
	r.run()
	now := r.now
	r.now = time.Date(2036, 1, 1, 0, 0, 0, 0, time.UTC)
	r.expect(StatusNothing)
	r.now = now
	var later []string
	for i := range 190 {
		later = append(later, r.source.Put(person(fmt.Sprintf("later%03d", i), "La", "Ter"))...)
	}
	r.expect(StatusOK, "created 190")
	r.hide(later[5:]...)
	report := r.expect(StatusWithheld)
	if reasons := strings.Join(report.Reasons, "\n"); !strings.Contains(reasons, "15 accounts, after 200 in the last complete listing") {
		t.Errorf("reasons %v", report.Reasons)
	}
}
