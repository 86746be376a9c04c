package real

import (
	"net/http"
	"slices"
	"strings"
	"testing"
)

func TestAFreshRealmTakesPeopleGroupsAndAttributes(t *testing.T) {
	t.Parallel()
	realm := Keycloak(t).Realm(t)
	staff := realm.AddGroup("Staff")
	realm.AddChildGroup(staff, "Editors")
	people := People(1, 3)
	people[1].Groups = []string{"/Staff/Editors"}
	people[2].Disabled, people[2].Unverified = true, true
	realm.AddPeople(people...)

	users := realm.Users()
	if len(users) != 3 {
		t.Fatalf("%d users are listed, want 3", len(users))
	}
	second := realm.User(people[1].Username)
	if second.FirstName != people[1].FirstName || !second.Enabled || !second.EmailVerified {
		t.Errorf("the second person came back as %+v", second)
	}
	if got := second.Attributes["department"]; !slices.Equal(got, people[1].Attributes["department"]) {
		t.Errorf("department came back as %q", got)
	}
	if got := realm.GroupsOf(second.ID); !slices.Equal(got, []string{"/Staff/Editors"}) {
		t.Errorf("groups came back as %q", got)
	}
	if third := realm.User(people[2].Username); third.Enabled || third.EmailVerified {
		t.Errorf("the third person came back as %+v", third)
	}
	if _, found := realm.FindUser("nobody"); found {
		t.Error("a user was found that was never made")
	}
}

func TestARealmsClientHasTheRolesItWasGiven(t *testing.T) {
	t.Parallel()
	server := Keycloak(t)
	for name, want := range map[string]int{"all": http.StatusOK, "none": http.StatusForbidden} {
		var options []RealmOption
		if name == "none" {
			options = append(options, WithRoles())
		}
		realm := server.Realm(t, options...)
		if got := countUsersAsClient(t, realm); got != want {
			t.Errorf("with %s roles, the number of users is answered with %d, want %d", name, got, want)
		}
	}
}

func TestARealmCanKeepKeycloaksOwnUserProfile(t *testing.T) {
	t.Parallel()
	realm := Keycloak(t).Realm(t, WithoutUnmanagedAttributes())
	status, answer := realm.Do(http.MethodPost, "/users", map[string]any{
		"username": "anna", "enabled": true, "attributes": map[string][]string{"department": {"Press"}},
	})
	if status != http.StatusCreated {
		t.Fatalf("status %d: %s", status, answer)
	}
	if got := realm.User("anna").Attributes; len(got) != 0 {
		t.Errorf("attributes %q were kept", got)
	}
}

func TestARealmIsGoneAfterItsTest(t *testing.T) {
	t.Parallel()
	server := Keycloak(t)
	var name string
	t.Run("its test", func(t *testing.T) { name = server.Realm(t).Name })
	if status, _ := server.do(t, http.MethodGet, "/admin/realms/"+name, nil); status != http.StatusNotFound {
		t.Errorf("the realm is answered with %d after its test", status)
	}
}

func TestAFreshSiteHasOneAdministrator(t *testing.T) {
	t.Parallel()
	site := WordPress(t)
	if got := site.Query("SELECT user_login FROM wp_users"); len(got) != 1 || got[0][0] != "admin" {
		t.Errorf("users: %q", got)
	}
	if !site.Login("admin", site.Password) || site.Login("admin", "wrong") {
		t.Error("the login form does not tell the right password from a wrong one")
	}
	if mails := site.Mails(); len(mails) != 0 {
		t.Errorf("%d mails before anything was done", len(mails))
	}
}

func TestASiteRecordsMailsAndStoresRegisteredMeta(t *testing.T) {
	t.Parallel()
	site := WordPress(t, WithMeta("department", "employee_id"), WithPHP(`add_role('press', 'Press', ['read' => true]);`))
	editor := site.AddUser("editor")
	press := site.AddUser("press")
	status, answer := site.REST(http.MethodPost, "/wp/v2/users/"+itoa(editor.ID), map[string]any{
		"email": "new@example.com", "meta": map[string]any{"department": "Press"},
	})
	if status != http.StatusOK {
		t.Fatalf("status %d: %s", status, answer)
	}
	if got := site.Query("SELECT meta_value FROM wp_usermeta WHERE meta_key = 'department' AND user_id = ?", editor.ID); len(got) != 1 || got[0][0] != "Press" {
		t.Errorf("department was stored as %q", got)
	}
	mails := site.Mails()
	if len(mails) != 1 || mails[0].To != editor.Username+"@example.com" {
		t.Errorf("mails: %+v", mails)
	}
	if !site.Login(press.Username, press.Password) {
		t.Error("the new account cannot sign in")
	}
	site.Username, site.AppPassword = editor.Username, editor.AppPassword
	if status, _ := site.REST(http.MethodGet, "/wp/v2/users/me?context=edit", nil); status != http.StatusOK {
		t.Errorf("the editor's application password is answered with %d", status)
	}
}

func TestASiteWithAnotherPrefixTakesManyPeople(t *testing.T) {
	t.Parallel()
	site := WordPress(t, WithPrefix("site7_"))
	ids := site.AddPeople("subscriber", People(1, 1203)...)
	if len(ids) != 1203 || ids[0] != 2 {
		t.Fatalf("%d ids from %d on", len(ids), ids[0])
	}
	status, answer := site.REST(http.MethodGet, "/wp/v2/users/"+itoa(ids[1202])+"?context=edit", nil)
	if status != http.StatusOK || !strings.Contains(string(answer), `"roles":["subscriber"]`) || !strings.Contains(string(answer), "person001203@example.com") {
		t.Errorf("the last person is answered with %d: %s", status, answer)
	}
}

func TestEqualHistoriesHaveEqualStates(t *testing.T) {
	t.Parallel()
	one, two := WordPress(t), WordPress(t)
	two.AddPeople("editor", People(50, 1)...)
	two.Exec("DELETE u, m FROM wp_users u JOIN wp_usermeta m ON m.user_id = u.ID WHERE u.ID > 1")
	for _, site := range []*WordPressSite{one, two} {
		site.AddPeople("subscriber", People(1, 3)...)
	}
	if !slices.Equal(one.State(), two.State()) {
		t.Errorf("states differ:\n%s\n\n%s", strings.Join(one.State(), "\n"), strings.Join(two.State(), "\n"))
	}
	one.Exec("UPDATE wp_usermeta SET meta_value = 'Other' WHERE meta_key = 'first_name' AND user_id = 3")
	if slices.Equal(one.State(), two.State()) {
		t.Error("a changed name does not show in the state")
	}
}

func TestAFreshUserPoolTakesPeopleGroupsAndAttributes(t *testing.T) {
	t.Parallel()
	pool := Cognito(t).Pool(t, WithCustomAttributes("department", "employee_id", "phoneNumber", "title", "locale"))
	pool.AddGroup("Editors")
	people := People(1, 2)
	people[0].Groups, people[0].Disabled = []string{"/Editors"}, true
	pool.AddPeople(people...)
	var listed struct{ Users []struct{ Username string } }
	pool.Call("ListUsers", nil, &listed)
	if len(listed.Users) != 2 {
		t.Errorf("%d users are listed", len(listed.Users))
	}
	var members struct {
		Users []struct {
			Username string
			Enabled  bool
		}
	}
	pool.Call("ListUsersInGroup", map[string]any{"GroupName": "Editors"}, &members)
	if len(members.Users) != 1 || members.Users[0].Username != people[0].Username || members.Users[0].Enabled {
		t.Errorf("the group has the members %+v", members.Users)
	}
}
