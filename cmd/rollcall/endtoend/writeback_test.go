package endtoend

import (
	"fmt"
	"net/http"
	"slices"
	"testing"

	"github.com/rollcall-sync/rollcall/sync/directory/directorytest/real"
	"github.com/rollcall-sync/rollcall/sync/engine"
)

// TestWordPressFlowsBackToKeycloak does on the site everything that may flow back: an edit, roles given and taken, a
// deactivation, a new account.
func TestWordPressFlowsBackToKeycloak(t *testing.T) {
	t.Parallel()
	realm := real.Keycloak(t).Realm(t)
	realm.AddGroup("Editors")
	realm.AddGroup("Authors")
	site := real.WordPress(t, real.WithMeta("department"))
	people := real.People(1, 30)
	for i := range people[:10] {
		people[i].Groups = []string{"/Editors"}
	}
	realm.AddPeople(people...)
	n := newNight(t, realm, site, site.URL, `    attributes:
      username: username
      email: {from: email, direction: both, conflict: source}
      first_name: {from: first_name, direction: both, conflict: source}
      last_name: {from: last_name, direction: both, conflict: target}
      custom.department: {from: department, direction: both, conflict: source}
    groups:
      editor: {from: [Editors]}
      author: {from: [Authors]}
      subscriber: "true"
    writeback: {create: true, update: true, deactivate: true, groups: true, scope: '"author" in groups'}
`)
	n.run(engine.StatusOK, "created 30", "import", "staff-to-website")
	n.sync(engine.StatusNothing, "")

	ids := map[string]string{}
	for _, row := range site.Query("SELECT user_login, ID FROM " + site.Prefix + "users") {
		ids[row[0]] = row[1]
	}
	edit := func(person real.Person, body map[string]any) {
		t.Helper()
		if status, answer := site.REST(http.MethodPost, "/wp/v2/users/"+ids[person.Username], body); status != http.StatusOK {
			t.Fatalf("edit in WordPress: %d %s", status, answer)
		}
	}
	edited, mover, leaver, torn := people[1], people[2], people[3], people[4]
	edit(edited, map[string]any{"email": "new.address@example.com", "meta": map[string]any{"department": "Night desk"}})
	edit(mover, map[string]any{"roles": []string{"subscriber", "author"}})
	edit(leaver, map[string]any{"roles": []string{}})
	edit(torn, map[string]any{"first_name": "FromTheSite", "last_name": "FromTheSite"})
	n.edit(realm.User(torn.Username).ID, func(u map[string]any) { u["firstName"], u["lastName"] = "FromTheRealm", "FromTheRealm" })
	newcomer, visitor := site.AddUser("author"), site.AddUser("contributor")

	report := n.report("sync")
	if report.Status != engine.StatusOK || report.Counts.Failed > 0 || report.Counts.Created > 0 || report.Counts.Deactivated > 0 {
		t.Errorf("the sync is %s: %s\n%v\n%v\n%v", report.Status, doneIn(report), report.Reasons, report.Failures, report.Notes)
	}
	n.sync(engine.StatusOK, "added 1 back 1") // the memberships of the new pair, both ways
	n.sync(engine.StatusNothing, "")

	if user := realm.User(edited.Username); user.Email != "new.address@example.com" || user.FirstName != edited.FirstName ||
		!slices.Equal(user.Attributes["department"], []string{"Night desk"}) || !slices.Equal(user.Attributes["employeeNumber"], edited.Attributes["employeeNumber"]) {
		t.Errorf("of the edited account Keycloak has %+v", user)
	}
	if groups := realm.GroupsOf(realm.User(mover.Username).ID); !slices.Equal(groups, []string{"/Authors"}) {
		t.Errorf("Keycloak has the mover in %q", groups)
	}
	if user := realm.User(leaver.Username); user.Enabled || user.LastName != leaver.LastName {
		t.Errorf("of the leaver Keycloak has %+v", user)
	}
	if user := realm.User(torn.Username); user.FirstName != "FromTheRealm" || user.LastName != "FromTheSite" {
		t.Errorf("where both sides changed, Keycloak has %+v", user)
	}
	names := site.Query("SELECT m.meta_value FROM "+site.Prefix+"usermeta m WHERE m.user_id = ? AND m.meta_key IN ('first_name', 'last_name') ORDER BY m.meta_key", ids[torn.Username])
	if fmt.Sprint(names) != "[[FromTheRealm] [FromTheSite]]" {
		t.Errorf("where both sides changed, the site has %v", names)
	}
	user, found := realm.FindUser(newcomer.Username)
	if !found || !user.Enabled || user.Email != newcomer.Username+"@example.com" || !slices.Equal(realm.GroupsOf(user.ID), []string{"/Authors"}) {
		t.Errorf("of the site's new author Keycloak has %+v (%t) in %v", user, found, realm.GroupsOf(user.ID))
	}
	if user, found := realm.FindUser(visitor.Username); found {
		t.Errorf("somebody out of the way back's scope came into Keycloak: %+v", user)
	}
	if got := len(realm.Users()); got != len(people)+1 {
		t.Errorf("Keycloak has %d users, want %d", got, len(people)+1)
	}
}
