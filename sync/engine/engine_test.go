package engine

import (
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-sync/rollcall/sync/directory"
	"github.com/rollcall-sync/rollcall/sync/directory/memory"
	"github.com/rollcall-sync/rollcall/sync/rules"
	"github.com/rollcall-sync/rollcall/sync/state"
)

// rig is a source, a target and an engine between them, with a clock that moves only when a test says so.
type rig struct {
	t              *testing.T
	source, target *memory.Directory
	engine         *Engine
	db             *state.DB
	now            time.Time
	job            Job
}

func newRig(t *testing.T, change ...func(*rules.Sync)) *rig {
	t.Helper()
	r := &rig{t: t, now: time.Date(2026, 3, 2, 2, 30, 0, 0, time.UTC)}
	r.source = memory.New(memory.Options{Name: "staff", PageSize: 10})
	r.target = memory.New(memory.Options{Name: "website", PageSize: 10, GroupsInline: true})
	for _, name := range []string{"editor", "subscriber"} {
		r.target.PutGroup(directory.Group{ID: name, Name: name})
	}
	r.source.PutGroup(directory.Group{ID: "g-web", Name: "Web editors"})
	folder := t.TempDir()
	db, err := state.Open(t.Context(), filepath.Join(folder, "state.db"), state.Options{Now: func() time.Time { return r.now }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	r.db = db
	r.engine = New(Options{
		State: db, Snapshots: filepath.Join(folder, "snapshots"), Now: func() time.Time { return r.now },
		Sleep: func(context.Context, time.Duration) error { return nil },
	})
	sync := rules.NewSync("staff-to-website", "staff", "website")
	sync.Attributes = []rules.Attribute{
		{Target: "username", From: "username"}, {Target: "email", From: "email"}, {Target: "display_name", From: `first_name + " " + last_name`},
	}
	sync.Groups = []rules.Group{{Target: "editor", When: `"Web editors" in groups`}, {Target: "subscriber", When: "true"}}
	for _, c := range change {
		c(&sync)
	}
	r.job = Job{Sync: sync, Source: r.source, Target: r.target}
	return r
}

// people puts n active people into the source.
func (r *rig) people(n int) (ids []string) {
	for i := range n {
		name := fmt.Sprintf("person%03d", i+1)
		ids = append(ids, r.source.Put(person(name, "Given"+name, "Family"))...)
	}
	return ids
}

func person(name, given, family string) directory.Account {
	return directory.Account{Status: directory.StatusActive, GroupsKnown: true, Attributes: directory.Attributes{
		"username": directory.Text(name), "email": directory.Text(name + "@example.com"),
		"first_name": directory.Text(given), "last_name": directory.Text(family),
	}}
}

// run runs one night and fails the test on an error.
func (r *rig) run() *Report {
	r.t.Helper()
	report, err := r.engine.Run(r.t.Context(), r.job)
	if err != nil {
		r.t.Fatalf("run: %v", err)
	}
	r.now = r.now.Add(24 * time.Hour)
	return report
}

// expect runs one night and compares status and the counts that are given as "created 3".
func (r *rig) expect(status Status, counts ...string) *Report {
	r.t.Helper()
	report := r.run()
	if report.Status != status {
		r.t.Errorf("status %s, want %s; reasons %v, failures %v, notes %v", report.Status, status, report.Reasons, report.Failures, report.Notes)
	}
	got := report.Counts.changes()
	if want := strings.Join(counts, ", "); got != want {
		r.t.Errorf("done: %s; want %s; notes %v", got, want, report.Notes)
	}
	return report
}

// changes names what was done, in a fixed order.
func (c Counts) changes() string {
	var parts []string
	for _, p := range []struct {
		name string
		n    int
	}{
		{"linked", c.Linked},
		{"created", c.Created},
		{"updated", c.Updated},
		{"activated", c.Activated},
		{"deactivated", c.Deactivated},
		{"deleted", c.Deleted},
		{"group_added", c.GroupAdded},
		{"group_removed", c.GroupRemoved},
		{"group_created", c.GroupCreated},
		{"written_back", c.WrittenBack},
	} {
		if p.n > 0 {
			parts = append(parts, fmt.Sprintf("%s %d", p.name, p.n))
		}
	}
	return strings.Join(parts, ", ")
}

func TestFirstImportThenNothing(t *testing.T) {
	r := newRig(t)
	ids := r.people(25)
	r.source.Join(ids[0], "g-web")
	r.expect(StatusOK, "created 25")
	if got, want := r.target.Calls(memory.OpCreateAccounts)+r.target.Calls(memory.OpCreateAccount), 1; got != want {
		t.Errorf("%d create calls, want %d", got, want)
	}
	writes := r.target.Writes()
	report := r.expect(StatusNothing)
	if report.Counts.Unchanged != 25 {
		t.Errorf("unchanged %d, want 25", report.Counts.Unchanged)
	}
	r.expect(StatusNothing)
	if r.target.Writes() != writes {
		t.Errorf("%d writes in two quiet nights", r.target.Writes()-writes)
	}
	if dump := r.target.Dump(); !strings.Contains(dump, "person001") || strings.Count(dump, "editor") < 1 {
		t.Errorf("end state:\n%s", dump)
	}
}

func TestJoinersMoversLeaversReturners(t *testing.T) {
	r := newRig(t)
	ids := r.people(40)
	r.run()
	r.source.Put(person("newcomer", "New", "Comer"))
	r.source.Set(ids[1], directory.Attributes{"last_name": directory.Text("Married")})
	r.source.Join(ids[2], "g-web")
	r.source.Remove(ids[3])
	r.source.Edit(ids[4], func(a *directory.Account) { a.Status = directory.StatusInactive })
	r.expect(StatusOK, "created 1", "updated 1", "deactivated 2", "group_added 1")
	r.expect(StatusNothing)
	r.source.Edit(ids[4], func(a *directory.Account) { a.Status = directory.StatusActive })
	r.source.Leave(ids[2], "g-web")
	r.expect(StatusOK, "activated 1", "group_removed 1")
	r.expect(StatusNothing)
}

func TestTwoPeopleExchangeAddresses(t *testing.T) {
	r := newRig(t)
	ids := r.people(3)
	r.run()
	a, _ := r.source.Account(ids[0])
	b, _ := r.source.Account(ids[1])
	r.source.Edit(ids[0], func(x *directory.Account) { x.Attributes["email"] = directory.Text("aside@example.com") })
	r.source.Set(ids[1], directory.Attributes{"email": a.Attributes["email"]})
	r.source.Set(ids[0], directory.Attributes{"email": b.Attributes["email"]})
	r.expect(StatusOK, "updated 2")
	r.expect(StatusNothing)
	found, err := r.target.FindAccounts(t.Context(), "username", "person001")
	if err != nil || len(found) != 1 || found[0].Attributes.Text("email") != "person002@example.com" {
		t.Errorf("person001 is %v, %v", found, err)
	}
}

func TestIncompleteListingTakesNothingAway(t *testing.T) {
	r := newRig(t)
	ids := r.people(40)
	r.run()
	r.source.Remove(ids[5])
	r.source.SetTamper(func(_ directory.ListRequest, page *directory.AccountPage) {
		if len(page.Accounts) > 3 {
			page.Accounts = page.Accounts[1:]
		}
	})
	report := r.expect(StatusWithheld)
	if report.Certificate.Source.Complete || len(report.Reasons) == 0 {
		t.Errorf("certificate %+v, reasons %v", report.Certificate.Source, report.Reasons)
	}
	r.source.SetTamper(nil)
	r.expect(StatusOK, "deactivated 1")
}

func TestGuardRefusesAndApproves(t *testing.T) {
	r := newRig(t)
	ids := r.people(30)
	r.run()
	r.source.Remove(ids[:8]...)
	report := r.expect(StatusRefused)
	if report.Verdict == nil || report.Verdict.Token == "" {
		t.Fatalf("verdict %+v", report.Verdict)
	}
	r.job.Approve = report.Verdict.Token
	r.source.Remove(ids[8])
	r.expect(StatusRefused) // one more than approved
	r.source.Put(directory.Account{ID: ids[8], Status: directory.StatusActive, GroupsKnown: true, Attributes: person("person009", "Givenperson009", "Family").Attributes})
	r.expect(StatusOK, "deactivated 8")
	r.job.Approve = ""
	r.expect(StatusNothing)
}

func mustJSON(t *testing.T, v any) []byte {
	t.Helper()
	data, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return data
}
