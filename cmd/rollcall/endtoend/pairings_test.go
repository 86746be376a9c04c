package endtoend

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/rollcall-sync/rollcall/sync/directory"
	"github.com/rollcall-sync/rollcall/sync/directory/directorytest/real"
	"github.com/rollcall-sync/rollcall/sync/engine"
	"github.com/rollcall-sync/rollcall/targets/all"
)

// TestWordPressLeadsKeycloak turns the usual pairing round: the site's people and roles become users and groups of a realm.
func TestWordPressLeadsKeycloak(t *testing.T) {
	t.Parallel()
	realm := real.Keycloak(t).Realm(t)
	site := real.WordPress(t, real.WithMeta("department"))
	people := real.People(1, 60)
	ids := append(site.AddPeople("editor", people[:20]...), site.AddPeople("author", people[20:]...)...)
	realm.AddPeople(real.Person{Username: "bystander", Email: "bystander@example.com", FirstName: "By", LastName: "Stander"})
	p := newProgram(t, fmt.Sprintf(`state: rollcall.db
directories:
  website: %s
  staff: %s
syncs:
  website-to-staff:
    source: website
    target: staff
    scope: not ("administrator" in groups)
    attributes:
      username: username
      email: email
      first_name: first_name
      last_name: last_name
      department: custom.department
    groups:
      Web editors: {from: [editor]}
      Authors: '"author" in groups'
    group_options: {create: true}
`, wordPressLine(site.URL, site), keycloakLine(realm)))

	p.run(engine.StatusOK, "created 60", "import", "website-to-staff")
	p.sync(engine.StatusNothing, "")
	if got := len(realm.Users()); got != 61 {
		t.Errorf("the realm has %d users, want the 60 and the one who was there", got)
	}
	for i, want := range map[int]string{0: "/Web editors", 19: "/Web editors", 20: "/Authors", 59: "/Authors"} {
		user := realm.User(people[i].Username)
		if groups := realm.GroupsOf(user.ID); !slices.Equal(groups, []string{want}) {
			t.Errorf("%s is in %q, want %q", user.Username, groups, want)
		}
		if user.Email != people[i].Email || user.FirstName != people[i].FirstName || user.LastName != people[i].LastName || !user.Enabled ||
			!slices.Equal(user.Attributes["department"], people[i].Attributes["department"]) {
			t.Errorf("the realm has %+v of %+v", user, people[i])
		}
	}

	edit := func(id int, body map[string]any) {
		t.Helper()
		if status, answer := site.REST(http.MethodPost, fmt.Sprintf("/wp/v2/users/%d", id), body); status != http.StatusOK {
			t.Fatalf("edit in WordPress: %d %s", status, answer)
		}
	}
	edit(ids[0], map[string]any{"last_name": "Married"})
	edit(ids[1], map[string]any{"roles": []string{"author"}})
	edit(ids[2], map[string]any{"roles": []string{}})
	if status, answer := site.REST(http.MethodDelete, fmt.Sprintf("/wp/v2/users/%d?force=true&reassign=1", ids[3]), nil); status != http.StatusOK {
		t.Fatalf("deletion in WordPress: %d %s", status, answer)
	}
	p.sync(engine.StatusOK, "updated 1 deactivated 2 added 1 removed 1")
	p.sync(engine.StatusNothing, "")
	if user := realm.User(people[0].Username); user.LastName != "Married" || user.Email != people[0].Email || len(user.Attributes["department"]) != 1 {
		t.Errorf("after a marriage the realm has %+v", user)
	}
	if groups := realm.GroupsOf(realm.User(people[1].Username).ID); !slices.Equal(groups, []string{"/Authors"}) {
		t.Errorf("the mover is in %q", groups)
	}
	for _, leaver := range people[2:4] {
		if user := realm.User(leaver.Username); user.Enabled || user.Email != leaver.Email {
			t.Errorf("of the leaver the realm has %+v", user)
		}
	}
	if user := realm.User("bystander"); !user.Enabled || user.LastName != "Stander" {
		t.Errorf("somebody who has nothing to do with the site became %+v", user)
	}

	// The one without roles returns.
	edit(ids[2], map[string]any{"roles": []string{"editor"}})
	p.sync(engine.StatusOK, "activated 1")
	if user := realm.User(people[2].Username); !user.Enabled || !slices.Equal(realm.GroupsOf(user.ID), []string{"/Web editors"}) {
		t.Errorf("who returned is %+v in %q", user, realm.GroupsOf(user.ID))
	}
}

// TestKeycloakToStore mirrors groups, nested ones included, into the embedded store.
func TestKeycloakToStore(t *testing.T) {
	t.Parallel()
	realm := real.Keycloak(t).Realm(t)
	staff := realm.AddGroup("Staff")
	press := realm.AddChildGroup(staff, "Press")
	people := real.People(1, 300)
	for i := range people {
		if i%3 == 0 {
			people[i].Groups = []string{"/Staff/Press"}
		}
	}
	people[7].Disabled = true
	realm.AddPeople(people...)
	p := newProgram(t, fmt.Sprintf(`state: rollcall.db
directories:
  staff: %s
  website: {type: store, path: website.db}
syncs:
  web:
    source: staff
    target: website
    attributes: {username: username, email: email, display_name: first_name + " " + last_name, custom.badge: custom.employeeNumber}
    group_options: {mirror: ["*"], prefix: idp-, create: true, nested: true}
`, keycloakLine(realm)))
	p.run(engine.StatusOK, "created 299", "import", "web")
	p.sync(engine.StatusNothing, "")
	var want []string
	for i, person := range people {
		if i == 7 {
			continue
		}
		want = append(want, fmt.Sprintf("1\t%s\t%s\t{%q:%q,%q:%q,%q:%q,%q:%q}", person.Username, person.Email, "custom.badge", person.Attributes["employeeNumber"][0],
			"display_name", person.FirstName+" "+person.LastName, "email", person.Email, "username", person.Username))
		if i%3 == 0 {
			want = append(want, "idp-Press\t"+person.Username, "idp-Staff\t"+person.Username)
		}
	}
	slices.Sort(want)
	if got := p.dump(); !slices.Equal(got, want) {
		t.Errorf("the store holds something else: %s", differences(got, want))
	}

	realm.AddPeople(real.People(301, 2)...)
	mover, leaver := realm.User(people[0].Username), realm.User(people[1].Username)
	realm.Call(http.MethodDelete, "/users/"+mover.ID+"/groups/"+press, nil, nil)
	realm.Call(http.MethodDelete, "/users/"+leaver.ID, nil, nil)
	p.sync(engine.StatusOK, "created 2 deactivated 1 removed 2")
	p.sync(engine.StatusNothing, "")
	for name, want := range map[string]string{mover.Username: "1", leaver.Username: "0"} {
		if got := rows(t, p.path("website.db"), "SELECT active FROM accounts WHERE username_key = '"+name+"'"); !slices.Equal(got, []string{want}) {
			t.Errorf("%s has the status %q, want %s", name, got, want)
		}
	}
}

// TestFileAndStoreBothWays lets everything flow back into the file: edits, new accounts, memberships, deactivations.
func TestFileAndStoreBothWays(t *testing.T) {
	t.Parallel()
	p := newProgram(t, `state: rollcall.db
directories:
  staff: {type: file, path: people.csv, writable: true}
  website: {type: store, path: website.db}
syncs:
  web:
    source: staff
    target: website
    attributes:
      username: username
      email: email
      nickname: {from: nickname, direction: both, conflict: source}
      department: department
    groups: {Editors: {from: [Web editors]}}
    group_options: {create: true}
    writeback: {create: true, update: true, deactivate: true, groups: true}
`)
	const header = "id;username;email;nickname;department;Room;active;groups\r\n"
	p.write("people.csv", header+
		"1;anna;anna@example.com;;Press; 4.01 ;yes;Web editors\r\n"+
		"2;ben;ben@example.com;Benny;Web;\"4;02\";yes;Chess|Web editors\r\n"+
		"3;cleo;cleo@example.com;;Press;;yes;\r\n"+
		"4;dan;dan@example.com;;Press;;yes;Chess\r\n")
	p.run(engine.StatusOK, "created 4", "import", "web")
	before := p.read("people.csv")
	p.sync(engine.StatusNothing, "")
	if after := p.read("people.csv"); after != before {
		t.Errorf("a quiet night changed the file:\n%s", after)
	}

	website := openStore(t, p.path("website.db"))
	ids := map[string]string{}
	for _, row := range rows(t, p.path("website.db"), "SELECT username_key, id FROM accounts UNION ALL SELECT name, id FROM groups") {
		name, id, _ := strings.Cut(row, "\t")
		ids[name] = id
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	_, err := website.(directory.Updater).UpdateAccount(t.Context(), directory.UpdateRequest{ID: ids["anna"], Set: directory.Attributes{
		directory.Nickname: directory.Text("Änni; the first"), directory.Department: directory.Text("overwritten"),
	}})
	must(err)
	must(website.(directory.GroupChanger).ChangeGroups(t.Context(), directory.GroupsRequest{Account: ids["ben"], Remove: []string{ids["Editors"]}}))
	must(website.(directory.GroupChanger).ChangeGroups(t.Context(), directory.GroupsRequest{Account: ids["cleo"], Add: []string{ids["Editors"]}}))
	_, err = website.(directory.StatusSetter).SetStatus(t.Context(), directory.StatusRequest{ID: ids["dan"], Status: directory.StatusInactive})
	must(err)
	_, err = website.(directory.Creator).CreateAccount(t.Context(), directory.CreateRequest{
		Attributes: directory.Attributes{directory.Username: directory.Text("eve"), directory.Email: directory.Text("eve@example.com")}, Status: directory.StatusActive,
	})
	must(err)
	must(website.Close())

	p.sync(engine.StatusOK, "updated 1 back 5")
	got := strings.Split(p.read("people.csv"), "\r\n")
	want := []string{
		strings.TrimSuffix(header, "\r\n"),
		"1;anna;anna@example.com;\"Änni; the first\";Press; 4.01 ;yes;Web editors",
		"2;ben;ben@example.com;Benny;Web;\"4;02\";yes;Chess",
		"3;cleo;cleo@example.com;;Press;;yes;Web editors",
		"4;dan;dan@example.com;;Press;;no;Chess",
	}
	if len(got) != len(want)+2 || !slices.Equal(got[:len(want)], want) || !strings.Contains(got[len(want)], ";eve;eve@example.com;;;;yes;") {
		t.Errorf("the file is now\n%s", strings.Join(got, "\n"))
	}
	p.sync(engine.StatusNothing, "")
}

// openStore opens a store as the program does.
func openStore(t *testing.T, path string) directory.Directory {
	t.Helper()
	types := all.Types()
	kind := types[slices.IndexFunc(types, func(kind directory.Type) bool { return kind.Name == "store" })]
	settings, faults := kind.Complete(directory.Settings{Name: "website", Values: map[string]any{"path": path}})
	if len(faults) > 0 {
		t.Fatal(faults[0])
	}
	d, err := kind.Open(settings)
	if err != nil {
		t.Fatal(err)
	}
	return d
}
