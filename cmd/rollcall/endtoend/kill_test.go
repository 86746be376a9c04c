package endtoend

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/rollcall-sync/rollcall/sync/directory/directorytest/real"
	"github.com/rollcall-sync/rollcall/sync/engine"
)

const killRules = `    attributes:
      username: username
      email: email
      first_name: first_name
      last_name: last_name
      display_name: first_name + " " + last_name
      custom.department: department
    groups:
      editor: {from: [Editors]}
      subscriber: "true"
`

// TestAKilledImportIntoWordPressIsFinishedByOneRun kills an import of 150 people, 15 of whom the site knows already, at its
// first, a middle and its last write, before the site has seen the write and after it has done it.
func TestAKilledImportIntoWordPressIsFinishedByOneRun(t *testing.T) {
	t.Parallel()
	realm := real.Keycloak(t).Realm(t)
	realm.AddGroup("Editors")
	people := real.People(1, 150)
	for i := range people {
		if i%10 == 0 {
			people[i].Groups = []string{"/Editors"}
		}
		// Those whom the site does not know yet are never linked by matching: what an earlier run made, the journal knows.
		people[i].Unverified = i >= 15
	}
	realm.AddPeople(people...)
	names := map[string]string{}
	for _, user := range realm.Users() {
		names[user.ID] = user.Username
	}
	known := real.People(1, 15)
	for i := range known {
		known[i].FirstName, known[i].LastName = "", ""
	}
	open := func(t *testing.T) (*night, *gate) {
		site := real.WordPress(t, real.WithMeta("department"))
		site.AddPeople("subscriber", known...)
		g := newGate(t, site.URL)
		return newNight(t, realm, site, g.URL, killRules), g
	}

	clean, g := open(t)
	_, writes := g.count(func() {
		clean.run(engine.StatusOK, "linked 15 created 135 updated 15 added 2", "import", "staff-to-website")
	})
	want, mails := clean.site.State(), len(clean.site.Mails())
	clean.linksAre(t, names)
	if writes < 20 {
		t.Fatalf("a clean import took %d writes, too few to kill it in the middle", writes)
	}

	for _, moment := range []struct {
		at   int
		done bool
	}{{1, false}, {writes / 2, true}, {writes - 2, false}, {writes, true}} {
		t.Run(when(moment.at, moment.done), func(t *testing.T) {
			n, g := open(t)
			g.killAt(n.prepared("import", "staff-to-website"), moment.at, moment.done)
			report := n.report("import", "staff-to-website")
			if report.Status != engine.StatusOK && report.Status != engine.StatusNothing || report.Counts.Failed > 0 {
				t.Errorf("the run after the kill is %s: %s\n%v\n%v", report.Status, doneIn(report), report.Reasons, report.Failures)
			}
			if got := n.site.State(); !slices.Equal(got, want) {
				t.Errorf("the site differs from one with a clean import: %s", differences(got, want))
			}
			if got := len(n.site.Mails()); got != mails {
				t.Errorf("%d mails, a clean import sends %d", got, mails)
			}
			n.linksAre(t, names)
			if requests, writes := g.count(func() { n.sync(engine.StatusNothing, "") }); writes != 0 {
				t.Errorf("the night after that wrote %d times: %q", writes, requests)
			}
		})
	}
}

// linksAre compares the links with the usernames of the source's accounts.
func (n *night) linksAre(t *testing.T, want map[string]string) {
	t.Helper()
	logins := map[string]string{}
	for _, row := range n.site.Query("SELECT ID, user_login FROM " + n.site.Prefix + "users") {
		logins[row[0]] = row[1]
	}
	n.linksMean(t, logins, want)
}

// linksMean compares the links of the state with names: target ids have some, source ids must be linked to others.
func (p *program) linksMean(t *testing.T, targets, want map[string]string) {
	t.Helper()
	got := map[string]string{}
	for _, row := range rows(t, p.path("rollcall.db"), "SELECT source_id, target_id FROM links") {
		source, target, _ := strings.Cut(row, "\t")
		got[source] = targets[target]
	}
	if !maps.Equal(got, want) {
		wrong := slices.DeleteFunc(slices.Sorted(maps.Keys(want)), func(id string) bool { return got[id] == want[id] })
		t.Errorf("%d links, want %d; wrong or missing: %.10q", len(got), len(want), wrong)
	}
}
