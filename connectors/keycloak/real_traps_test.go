package keycloak

import (
	"net/http"
	"strings"
	"testing"

	"github.com/rollcall-sync/rollcall/sync/directory"
	"github.com/rollcall-sync/rollcall/sync/directory/directorytest"
	"github.com/rollcall-sync/rollcall/sync/directory/directorytest/real"
)

// The tests of this file show on a real server what the fake claims.

func TestRealListing(t *testing.T) {
	realm := real.Keycloak(t).Realm(t)
	realm.AddPeople(real.People(0, 25)...)
	d := openReal(t, realm, map[string]any{"page_size": 10})
	all, pages := directorytest.Accounts(t, d, directory.ListRequest{})
	count, err := d.CountAccounts(t.Context())
	if err != nil || len(all) != 25 || count != 25 || pages != 4 {
		t.Errorf("listed %d in %d pages, counted %d (%v); want 25 in 4, the service account left out", len(all), pages, count, err)
	}
	for _, a := range all {
		if a.Problem != "" || a.Attributes.Text(directory.Department) == "" {
			t.Errorf("%s is not whole: %+v", a.Label(), a)
		}
	}
	self, err := d.Self(t.Context())
	if err != nil || self == "" {
		t.Fatalf("Self is %q (%v)", self, err)
	}
	if account, err := d.GetAccount(t.Context(), self); err != nil || account.Privileged == "" {
		t.Errorf("the service account is %+v (%v)", account, err)
	}
	found, err := d.FindAccounts(t.Context(), directory.Username, "service-account-"+realm.ClientID)
	if err != nil || len(found) != 0 {
		t.Errorf("the service account is found: %v (%v)", found, err)
	}
}

func TestRealFindingOfAdministratorsIsCheap(t *testing.T) {
	realm := real.Keycloak(t).Realm(t)
	realm.AddPeople(real.People(0, 3)...)
	d := openReal(t, realm, nil)
	directorytest.Accounts(t, d, directory.ListRequest{})
	// Sign-in, two pages of users, and what the README states.
	if got := d.Requests(); got != 1+2+14 {
		t.Errorf("%d requests, want 17", got)
	}
	id := realm.User("person000001").ID
	var clients, roles []map[string]any
	realm.Call(http.MethodGet, "/clients?clientId=realm-management", nil, &clients)
	management := clients[0]["id"].(string)
	realm.Call(http.MethodGet, "/clients/"+management+"/roles?search=manage-events", nil, &roles)
	realm.Call(http.MethodPost, "/users/"+id+"/role-mappings/clients/"+management, roles, nil)
	group := realm.AddGroup("Operators")
	below := realm.AddChildGroup(group, "Night")
	realm.Call(http.MethodPost, "/groups/"+group+"/role-mappings/clients/"+management, roles, nil)
	inGroup := realm.User("person000002").ID
	realm.Call(http.MethodPut, "/users/"+inGroup+"/groups/"+below, nil, nil)
	all, _ := directorytest.Accounts(t, d, directory.ListRequest{})
	for username, want := range map[string]bool{"person000000": false, "person000001": true, "person000002": true} {
		if got := byName(t, all, username).Privileged; (got != "") != want {
			t.Errorf("%s is privileged because %q, want privileged: %t", username, got, want)
		}
	}
}

func TestRealAdministratorsAreSafeWithoutTheRightToListThem(t *testing.T) {
	realm := real.Keycloak(t).Realm(t, real.WithRoles("view-users", "manage-users"))
	realm.AddPeople(real.People(0, 2)...)
	id := realm.User("person000001").ID
	var clients, roles []map[string]any
	realm.Call(http.MethodGet, "/clients?clientId=realm-management", nil, &clients)
	management := clients[0]["id"].(string)
	realm.Call(http.MethodGet, "/clients/"+management+"/roles?search=manage-events", nil, &roles)
	realm.Call(http.MethodPost, "/users/"+id+"/role-mappings/clients/"+management, roles, nil)
	d := openReal(t, realm, nil)
	_, err := d.UpdateAccount(t.Context(), directory.UpdateRequest{ID: id, Set: directory.Attributes{"last_name": directory.Text("X")}})
	wantError(t, err, directory.Invalid, "")
	other := realm.User("person000000").ID
	if _, err := d.UpdateAccount(t.Context(), directory.UpdateRequest{ID: other, Set: directory.Attributes{"last_name": directory.Text("X")}}); err != nil {
		t.Errorf("anybody else: %v", err)
	}
}

func TestRealQueryUsersAloneIsDoubted(t *testing.T) {
	realm := real.Keycloak(t).Realm(t, real.WithRoles("query-users"))
	realm.AddPeople(real.People(0, 3)...)
	d := openReal(t, realm, nil)
	page, err := d.ListAccounts(t.Context(), directory.ListRequest{})
	if err != nil || len(page.Accounts) != 0 || page.Doubt == "" {
		t.Errorf("listed %d with doubt %q (%v); want none, doubted", len(page.Accounts), page.Doubt, err)
	}
	list, err := d.Check(t.Context(), directory.CheckRequest{})
	if text := findingsText(list, directory.LevelError); err != nil || !strings.Contains(text, "grant the role view-users") {
		t.Errorf("the check says %v (%v)", list, err)
	}
}

func TestRealRefusals(t *testing.T) {
	realm := real.Keycloak(t).Realm(t, real.WithRoles())
	for name, test := range map[string]struct {
		values map[string]any
		remedy string
	}{
		"wrong secret": {map[string]any{"client_secret": "wrong"}, "check client_id and client_secret"},
		"wrong client": {map[string]any{"client_id": "wrong"}, "check client_id and client_secret"},
		"wrong realm":  {map[string]any{"realm": "wrong"}, "the server knows no realm wrong"},
		"wrong path":   {map[string]any{"url": realm.URL + "/auth"}, "check url"},
		"no roles":     {nil, "grant the role view-users"},
	} {
		_, err := openReal(t, realm, test.values).CountAccounts(t.Context())
		if e := wantError(t, err, directory.Auth, test.remedy); e == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestRealSecretWithOddLetters(t *testing.T) {
	realm := real.Keycloak(t).Realm(t)
	const secret = "a+b%2Fc:d&e f=ü"
	var clients []map[string]any
	realm.Call(http.MethodGet, "/clients?clientId="+realm.ClientID, nil, &clients)
	clients[0]["secret"] = secret
	realm.Call(http.MethodPut, "/clients/"+clients[0]["id"].(string), clients[0], nil)
	if _, err := openReal(t, realm, map[string]any{"client_secret": secret}).CountAccounts(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestRealAttributesAreNotDroppedInSilence(t *testing.T) {
	realm := real.Keycloak(t).Realm(t, real.WithoutUnmanagedAttributes())
	realm.AddPeople(real.People(0, 1)...)
	id := realm.User("person000000").ID
	d := openReal(t, realm, nil)
	_, err := d.UpdateAccount(t.Context(), directory.UpdateRequest{ID: id, Set: directory.Attributes{"custom.costCenter": directory.Text("7")}})
	if e := wantError(t, err, directory.Invalid, "add the attribute costCenter"); e.Attribute != "custom.costCenter" {
		t.Errorf("the attribute is %q", e.Attribute)
	}
	_, err = d.UpdateAccount(t.Context(), directory.UpdateRequest{ID: id, Set: directory.Attributes{"locale": directory.Text("de")}})
	if e := wantError(t, err, directory.Invalid, "internationalisation"); e.Attribute != "locale" {
		t.Errorf("the attribute is %q", e.Attribute)
	}
}

func TestRealGroupsAreListedFlat(t *testing.T) {
	realm := real.Keycloak(t).Realm(t)
	top := realm.AddGroup("Staff")
	for _, name := range strings.Fields("a b c d e f g h i j k l") { // more than the ten children of a page
		realm.AddChildGroup(top, "Team "+name)
	}
	inner := realm.AddChildGroup(realm.AddChildGroup(top, "Outer"), "Inner")
	realm.AddPeople(real.Person{Username: "anna", Groups: []string{"/Staff/Outer/Inner"}})
	d := openReal(t, realm, nil)
	groups := directorytest.Groups(t, d, directory.GroupListRequest{Size: 4})
	if len(groups) != 15 {
		t.Errorf("%d groups, want 15", len(groups))
	}
	for _, g := range groups {
		if g.ID == inner && (g.Path != "/Staff/Outer/Inner" || len(g.Parents) != 1) {
			t.Errorf("the innermost group is %+v", g)
		}
	}
	if got := listMembers(t, d, top, 0); len(got) != 0 {
		t.Errorf("the top group has the members %v, want direct ones only", got)
	}
	if got := listMembers(t, d, inner, 0); len(got) != 1 {
		t.Errorf("the innermost group has the members %v", got)
	}
}

func TestRealRolesAsGroups(t *testing.T) {
	realm := real.Keycloak(t).Realm(t)
	realm.Call(http.MethodPost, "/roles", map[string]any{"name": "a/b c"}, nil)
	realm.Call(http.MethodPost, "/clients", map[string]any{"clientId": "web:site"}, nil)
	var clients []map[string]any
	realm.Call(http.MethodGet, "/clients?clientId=web:site", nil, &clients)
	realm.Call(http.MethodPost, "/clients/"+clients[0]["id"].(string)+"/roles", map[string]any{"name": "editor"}, nil)
	realm.AddPeople(real.People(0, 1)...)
	id := realm.User("person000000").ID
	d := openReal(t, realm, map[string]any{"realm_roles": true, "client_roles": []string{"web:site"}})
	roles := []string{"role:a/b c", "client:web:site:editor"}
	if err := d.ChangeGroups(t.Context(), directory.GroupsRequest{Account: id, Add: roles}); err != nil {
		t.Fatal(err)
	}
	held, err := d.ListMemberships(t.Context(), id)
	if err != nil || strings.Join(held, " ") != strings.Join(roles, " ") {
		t.Errorf("holds %q (%v), want %q", held, err, roles)
	}
	for _, role := range roles {
		if got := listMembers(t, d, role, 0); len(got) != 1 || got[0] != id {
			t.Errorf("%s is held by %v", role, got)
		}
	}
	if err := d.ChangeGroups(t.Context(), directory.GroupsRequest{Account: id, Remove: roles}); err != nil {
		t.Fatal(err)
	}
	if held, err := d.ListMemberships(t.Context(), id); err != nil || len(held) != 0 {
		t.Errorf("still holds %q (%v)", held, err)
	}
}

func TestRealPasswordOfTheServersAdministrator(t *testing.T) {
	server := real.Keycloak(t)
	realm := server.Realm(t)
	realm.AddPeople(real.People(0, 2)...)
	d := openReal(t, realm, map[string]any{
		"auth_realm": "master", "client_id": "admin-cli", "client_secret": "", "username": server.AdminUser, "password": server.AdminPassword,
	})
	all, _ := directorytest.Accounts(t, d, directory.ListRequest{})
	if len(all) != 2 {
		t.Errorf("listed %d, want 2", len(all))
	}
	if self, err := d.Self(t.Context()); err != nil || self != "" {
		t.Errorf("Self is %q (%v), want none: it is in another realm", self, err)
	}
	if _, err := d.UpdateAccount(t.Context(), directory.UpdateRequest{ID: all[0].ID, Set: directory.Attributes{"last_name": directory.Text("X")}}); err != nil {
		t.Error(err)
	}
}
