package endtoend

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/rollcall-sync/rollcall/sync/directory/directorytest/real"
	"github.com/rollcall-sync/rollcall/sync/engine"
)

// night is one configuration between a real Keycloak and a real WordPress.
type night struct {
	*program
	realm *real.Realm
	site  *real.WordPressSite
}

// newNight writes a configuration with the sync staff-to-website; rules are the lines below it, indented by four spaces.
// address is where the site is reached, which may be a proxy's.
func newNight(t *testing.T, realm *real.Realm, site *real.WordPressSite, address, rules string) *night {
	t.Helper()
	return &night{realm: realm, site: site, program: newProgram(t, fmt.Sprintf(`state: rollcall.db
directories:
  staff: %s
  website: %s
syncs:
  staff-to-website:
    source: staff
    target: website
%s`, keycloakLine(realm), wordPressLine(address, site), rules))}
}

const storyRules = `    attributes:
      username: username
      email: email
      first_name: first_name
      last_name: last_name
      display_name: first_name + " " + last_name
      nickname: {from: nickname, direction: both, conflict: source}
      custom.department: {from: department, direction: both, conflict: source}
    groups:
      editor: {from: [Editors]}
      subscriber: "true"
`

func TestKeycloakToWordPressStory(t *testing.T) {
	t.Parallel()
	server := real.Keycloak(t)
	realm := server.Realm(t)
	site := real.WordPress(t, real.WithMeta("department"))
	editors := realm.AddGroup("Editors")
	people := real.People(1, 1000)
	for i := range people {
		if i%20 == 0 {
			people[i].Groups = []string{"/Editors"}
		}
	}
	realm.AddPeople(people...)
	handMade := site.AddUser("author")
	before := site.Query("SELECT user_login, user_email, user_pass, display_name FROM " + site.Prefix + "users WHERE ID IN (1, " + fmt.Sprint(handMade.ID) + ") ORDER BY ID")
	n := newNight(t, realm, site, site.URL, storyRules)

	if out, talk, code := n.command("check"); code != 0 {
		t.Fatalf("check exits with %d\n%s\n%s", code, out, talk)
	}
	n.sync(engine.StatusOK, "created 1000")
	if got := site.Query("SELECT COUNT(*) FROM " + site.Prefix + "usermeta WHERE meta_key = '" + site.Prefix + "capabilities' AND meta_value LIKE '%editor%'"); got[0][0] != "50" {
		t.Errorf("%s editors, want 50", got[0][0])
	}

	n.sync(engine.StatusNothing, "")
	quiet := n.sync(engine.StatusNothing, "")
	t.Logf("a quiet night with 1,000 people: %d requests to Keycloak, %d to WordPress", quiet.Requests.Source, quiet.Requests.Target)
	if want := nightRequests(1000, 1, 1000, 50); quiet.Requests.Source != want {
		t.Errorf("a quiet night took %d requests to Keycloak, want %d", quiet.Requests.Source, want)
	}
	if quiet.Requests.Target > 15 {
		t.Errorf("a quiet night took %d requests to WordPress", quiet.Requests.Target)
	}

	// Joiners, movers, leavers.
	realm.AddPeople(real.People(1001, 3)...)
	mover, leaver, disabled := realm.User(people[10].Username), realm.User(people[11].Username), realm.User(people[12].Username)
	n.edit(mover.ID, func(u map[string]any) { u["lastName"] = "Moved" })
	realm.Call("PUT", "/users/"+mover.ID+"/groups/"+editors, nil, nil)
	realm.Call("DELETE", "/users/"+leaver.ID, nil, nil)
	n.edit(disabled.ID, func(u map[string]any) { u["enabled"] = false })
	n.sync(engine.StatusOK, "created 3 updated 1 deactivated 2 added 1")
	n.sync(engine.StatusNothing, "")
	if role := n.roles(disabled.Username); role != "a:0:{}" {
		t.Errorf("a leaver still has %s", role)
	}

	// The one who was disabled returns, with the old role.
	n.edit(disabled.ID, func(u map[string]any) { u["enabled"] = true })
	n.sync(engine.StatusOK, "activated 1")
	if role := n.roles(disabled.Username); !strings.Contains(role, "subscriber") {
		t.Errorf("who returned has %s", role)
	}

	// One person on demand.
	other := realm.User(people[20].Username)
	n.edit(other.ID, func(u map[string]any) { u["firstName"] = "Demanded" })
	n.edit(mover.ID, func(u map[string]any) { u["firstName"] = "Later" })
	one := n.sync(engine.StatusOK, "updated 1", "--account", other.Username)
	t.Logf("one person: %d requests to Keycloak, %d to WordPress", one.Requests.Source, one.Requests.Target)
	if one.Requests.Source != onePersonRequests || one.Requests.Target > 6 {
		t.Errorf("one person took %+v requests", one.Requests)
	}
	n.sync(engine.StatusOK, "updated 1")

	// Edits in WordPress flow back.
	id := site.Query("SELECT ID FROM "+site.Prefix+"users WHERE user_login = ?", other.Username)[0][0]
	if status, answer := site.REST("POST", "/wp/v2/users/"+id, map[string]any{"nickname": "Nick", "meta": map[string]any{"department": "Night desk"}}); status != 200 {
		t.Fatalf("edit in WordPress: %d %s", status, answer)
	}
	n.sync(engine.StatusOK, "back 1")
	back := realm.User(other.Username)
	if !slices.Equal(back.Attributes["nickname"], []string{"Nick"}) || !slices.Equal(back.Attributes["department"], []string{"Night desk"}) || back.Email != other.Email || back.FirstName != "Demanded" {
		t.Errorf("Keycloak has %+v", back)
	}
	n.sync(engine.StatusNothing, "")

	after := site.Query("SELECT user_login, user_email, user_pass, display_name FROM " + site.Prefix + "users WHERE ID IN (1, " + fmt.Sprint(handMade.ID) + ") ORDER BY ID")
	if fmt.Sprint(before) != fmt.Sprint(after) {
		t.Errorf("the administrator or the hand-made account was touched:\n%v\n%v", before, after)
	}
}

func (n *night) edit(id string, change func(map[string]any)) {
	n.t.Helper()
	var user map[string]any
	n.realm.Call("GET", "/users/"+id, nil, &user)
	change(user)
	n.realm.Call("PUT", "/users/"+id, user, nil)
}

func (n *night) roles(username string) string {
	n.t.Helper()
	rows := n.site.Query("SELECT m.meta_value FROM "+n.site.Prefix+"usermeta m JOIN "+n.site.Prefix+"users u ON u.ID = m.user_id WHERE u.user_login = ? AND m.meta_key = ?",
		username, n.site.Prefix+"capabilities")
	if len(rows) != 1 {
		n.t.Fatalf("%d capability rows of %s", len(rows), username)
	}
	return rows[0][0]
}
