package keycloak

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-sync/rollcall/sync/directory"
	"github.com/rollcall-sync/rollcall/sync/directory/directorytest"
)

func TestAnUpdateWipesNothing(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	u := f.add(fakeUser{
		Username: "anna", Email: "anna@example.com", EmailVerified: true, FirstName: "Anna", LastName: "Example", Enabled: true,
		Attributes: map[string][]string{"department": {"Press"}, "costCenter": {"7", "8"}},
	})
	account, err := f.open(t, nil).UpdateAccount(t.Context(), directory.UpdateRequest{ID: u.ID, Set: directory.Attributes{"custom.room": directory.Text("12")}})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string][]string{"department": {"Press"}, "costCenter": {"7", "8"}, "room": {"12"}}
	if diff := cmp.Diff(want, u.Attributes); diff != "" {
		t.Errorf("attributes (-want +got):\n%s", diff)
	}
	if u.FirstName != "Anna" || u.LastName != "Example" || u.Email != "anna@example.com" || !u.EmailVerified || !u.Enabled {
		t.Errorf("the record lost something: %+v", u)
	}
	if account.Attributes.Text("custom.room") != "12" {
		t.Errorf("the answer is not what was stored: %v", account.Attributes)
	}
}

func TestAttributesHiddenByTheProfileSurviveAnUpdate(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	u := f.add(fakeUser{Username: "anna", Enabled: true, Attributes: map[string][]string{"secretive": {"x"}}})
	f.policy = ""
	if _, err := f.open(t, nil).UpdateAccount(t.Context(), directory.UpdateRequest{ID: u.ID, Set: directory.Attributes{"last_name": directory.Text("X")}}); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string][]string{"secretive": {"x"}}, u.Attributes); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestAnAttributeThatWouldBeDroppedIsRefusedBeforehand(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	f.policy = ""
	u := f.add(fakeUser{Username: "anna", Enabled: true})
	d := f.open(t, nil)
	set := directory.Attributes{"last_name": directory.Text("X"), "custom.costCenter": directory.Text("7")}
	_, err := d.UpdateAccount(t.Context(), directory.UpdateRequest{ID: u.ID, Set: set})
	if e := wantError(t, err, directory.Invalid, "add the attribute costCenter to the user profile"); e.Attribute != "custom.costCenter" {
		t.Errorf("the attribute is %q, want custom.costCenter", e.Attribute)
	}
	_, err = d.CreateAccount(t.Context(), directory.CreateRequest{Attributes: directory.Attributes{"username": directory.Text("bert"), "department": directory.Text("Web")}, Status: directory.StatusActive})
	if e := wantError(t, err, directory.Invalid, "add the attribute department"); e.Attribute != "department" {
		t.Errorf("the attribute is %q, want department", e.Attribute)
	}
	if got := f.requests(); got["PUT /users/*"]+got["POST /users"] != 0 {
		t.Errorf("something was written: %v", got)
	}
	// The administrator follows the remedy while the program runs.
	f.mu.Lock()
	f.profile = append(f.profile, "costCenter")
	f.mu.Unlock()
	if _, err := d.UpdateAccount(t.Context(), directory.UpdateRequest{ID: u.ID, Set: set}); err != nil {
		t.Errorf("after the remedy: %v", err)
	}
}

func TestAnAttributeThatIsDroppedAllTheSameIsNoticed(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	f.i18n = false
	u := f.add(fakeUser{Username: "anna", Enabled: true})
	account, err := f.open(t, nil).UpdateAccount(t.Context(), directory.UpdateRequest{ID: u.ID, Set: directory.Attributes{"locale": directory.Text("de")}})
	if e := wantError(t, err, directory.Invalid, "switch on internationalisation"); e.Attribute != "locale" {
		t.Errorf("the attribute is %q, want locale", e.Attribute)
	}
	if account.ID != u.ID {
		t.Errorf("the account as stored is missing: %+v", account)
	}
}

func TestANewAddressIsNotVerified(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		set  directory.Attributes
		want bool
	}{
		{"a new address resets the mark", directory.Attributes{"email": directory.Text("new@example.com")}, false},
		{"unless the sync says otherwise", directory.Attributes{"email": directory.Text("new@example.com"), "email_verified": directory.Bool(true)}, true},
		{"the same address in other case keeps it", directory.Attributes{"email": directory.Text("Anna@Example.com"), "last_name": directory.Text("X")}, true},
		{"no address resets it", directory.Attributes{"email": {}}, false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			f := newFake(t)
			u := f.add(fakeUser{Username: "anna", Email: "anna@example.com", EmailVerified: true, Enabled: true})
			if _, err := f.open(t, nil).UpdateAccount(t.Context(), directory.UpdateRequest{ID: u.ID, Set: test.set}); err != nil {
				t.Fatal(err)
			}
			if u.EmailVerified != test.want {
				t.Errorf("emailVerified is %t for %q, want %t", u.EmailVerified, u.Email, test.want)
			}
		})
	}
}

func TestUsernamesAreChangedOnlyWhereAskedFor(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	u := f.add(fakeUser{Username: "anna", Enabled: true})
	request := directory.UpdateRequest{ID: u.ID, Set: directory.Attributes{"username": directory.Text("Anna2")}}
	_, err := f.open(t, nil).UpdateAccount(t.Context(), request)
	wantError(t, err, directory.Unsupported, "edit_usernames")
	d := f.open(t, map[string]any{"edit_usernames": true})
	_, err = d.UpdateAccount(t.Context(), request)
	if e := wantError(t, err, directory.Invalid, "Edit username"); e.Attribute != "username" {
		t.Errorf("the attribute is %q, want username", e.Attribute)
	}
	f.mu.Lock()
	f.editUsername = true
	f.mu.Unlock()
	account, err := d.UpdateAccount(t.Context(), request)
	if err != nil || account.Attributes.Text("username") != "anna2" {
		t.Errorf("got %q (%v), want anna2", account.Attributes.Text("username"), err)
	}
	if spec, _ := d.Describe().Attribute("username"); spec.CreateOnly {
		t.Error("the description says that usernames are set at creation only")
	}
}

func TestAnUpdateThatChangesNothingSendsNothing(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	u := f.add(fakeUser{Username: "anna", FirstName: "Anna", Enabled: true})
	if _, err := f.open(t, nil).UpdateAccount(t.Context(), directory.UpdateRequest{ID: u.ID, Set: directory.Attributes{"first_name": directory.Text("Anna"), "title": {}}}); err != nil {
		t.Fatal(err)
	}
	if n := f.requests()["PUT /users/*"]; n != 0 {
		t.Errorf("%d writes, want none", n)
	}
}

func TestDisablingSignsOut(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	u := f.add(fakeUser{Username: "anna", Email: "anna@example.com", FirstName: "Anna", Enabled: true, Attributes: map[string][]string{"department": {"Press"}}})
	d := f.open(t, nil)
	for turn := 1; turn <= 2; turn++ {
		account, err := d.SetStatus(t.Context(), directory.StatusRequest{ID: u.ID, Status: directory.StatusInactive})
		if err != nil || account.Status != directory.StatusInactive || u.Enabled || u.loggedOut != turn {
			t.Errorf("turn %d: %s (%v), enabled %t, signed out %d times", turn, account.Status, err, u.Enabled, u.loggedOut)
		}
	}
	account, err := d.SetStatus(t.Context(), directory.StatusRequest{ID: u.ID, Status: directory.StatusActive})
	if err != nil || account.Status != directory.StatusActive || !u.Enabled || u.loggedOut != 2 {
		t.Errorf("activation: %s (%v), enabled %t, signed out %d times", account.Status, err, u.Enabled, u.loggedOut)
	}
	if u.Email == "" || u.FirstName == "" || len(u.Attributes) != 1 {
		t.Errorf("the record lost something: %+v", u)
	}
	_, err = d.SetStatus(t.Context(), directory.StatusRequest{ID: u.ID})
	wantError(t, err, directory.Invalid, "")
}

func TestCreatingSaysWhetherEnabled(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	d := f.open(t, nil)
	for status, enabled := range map[directory.Status]bool{directory.StatusActive: true, directory.StatusInactive: false} {
		account, err := d.CreateAccount(t.Context(), directory.CreateRequest{Attributes: directory.Attributes{"username": directory.Text("User-" + status.String())}, Status: status})
		if err != nil || account.Status != status || f.user(account.ID).Enabled != enabled {
			t.Errorf("created %s as %s (%v)", status, account.Status, err)
		}
		if account.Attributes.Text("username") != "user-"+status.String() {
			t.Errorf("the answer %q is not as stored", account.Attributes.Text("username"))
		}
	}
}

func TestRefusalsNameTheAttribute(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	f.add(fakeUser{Username: "anna", Email: "anna@example.com", Enabled: true})
	d := f.open(t, nil)
	tests := []struct {
		name      string
		set       directory.Attributes
		kind      directory.ErrorKind
		attribute string
	}{
		{"a short username", directory.Attributes{"username": directory.Text("ab")}, directory.Invalid, "username"},
		{"no username", directory.Attributes{"email": directory.Text("x@example.com")}, directory.Invalid, "username"},
		{"a taken username", directory.Attributes{"username": directory.Text("ANNA")}, directory.Conflict, "username"},
		{"a taken address", directory.Attributes{"username": directory.Text("bert"), "email": directory.Text("Anna@example.com")}, directory.Conflict, "email"},
		{"a long attribute", directory.Attributes{"username": directory.Text("bert"), "department": directory.Text(strings.Repeat("x", 2049))}, directory.Invalid, "department"},
		{"a mark that is no bool", directory.Attributes{"username": directory.Text("bert"), "email_verified": directory.Text("yes")}, directory.Invalid, "email_verified"},
		{"an attribute that has a name of its own", directory.Attributes{"username": directory.Text("bert"), "custom.department": directory.Text("x")}, directory.Unsupported, "custom.department"},
		{"a time of Keycloak's own", directory.Attributes{"username": directory.Text("bert"), "created_at": directory.Text("x")}, directory.Unsupported, "created_at"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := d.CreateAccount(t.Context(), directory.CreateRequest{Attributes: test.set, Status: directory.StatusActive})
			if e := wantError(t, err, test.kind, ""); e.Attribute != test.attribute {
				t.Errorf("the attribute is %q, want %q (%v)", e.Attribute, test.attribute, err)
			} else if test.attribute == "custom.department" && !strings.Contains(e.Remedy, "write department") {
				t.Errorf("the remedy %q does not name the attribute to write", e.Remedy)
			}
		})
	}
}

func TestLostAnswersOfWrites(t *testing.T) {
	t.Parallel()
	hangUp := func(w http.ResponseWriter) {
		if conn, _, err := http.NewResponseController(w).Hijack(); err == nil {
			_ = conn.Close()
		}
	}
	tests := []struct {
		name   string
		method string
		path   string
		answer func(w http.ResponseWriter)
		call   func(d *Directory, user, group string) error
		want   error // nil: asked again, and done
	}{
		{"a creation", "POST", "/users", hangUp, func(d *Directory, _, _ string) error {
			_, err := d.CreateAccount(t.Context(), directory.CreateRequest{Attributes: directory.Attributes{"username": directory.Text("bert")}, Status: directory.StatusActive})
			return err
		}, directory.UnknownOutcome},
		{"an update", "PUT", "/users/", hangUp, func(d *Directory, user, _ string) error {
			_, err := d.UpdateAccount(t.Context(), directory.UpdateRequest{ID: user, Set: directory.Attributes{"last_name": directory.Text("X")}})
			return err
		}, directory.UnknownOutcome},
		{"an update that ends in a server error", "PUT", "/users/", func(w http.ResponseWriter) { fail(w, 500, "unknown_error") }, func(d *Directory, user, _ string) error {
			_, err := d.UpdateAccount(t.Context(), directory.UpdateRequest{ID: user, Set: directory.Attributes{"last_name": directory.Text("X")}})
			return err
		}, directory.UnknownOutcome},
		{"a deletion", "DELETE", "/users/", hangUp, func(d *Directory, user, _ string) error { return d.DeleteAccount(t.Context(), user) }, directory.UnknownOutcome},
		{"a status is set again", "PUT", "/users/", hangUp, func(d *Directory, user, _ string) error {
			_, err := d.SetStatus(t.Context(), directory.StatusRequest{ID: user, Status: directory.StatusInactive})
			return err
		}, nil},
		{"a membership is written again", "PUT", "/groups/", hangUp, func(d *Directory, user, group string) error {
			return d.ChangeGroups(t.Context(), directory.GroupsRequest{Account: user, Add: []string{group}})
		}, nil},
		{"a group", "POST", "/groups", hangUp, func(d *Directory, _, _ string) error {
			_, err := d.CreateGroup(t.Context(), "new")
			return err
		}, directory.UnknownOutcome},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			f := newFake(t)
			u, g := f.add(fakeUser{Username: "anna", Enabled: true}), f.addGroup("Editors", "")
			var answered atomic.Bool
			f.intercept = func(w http.ResponseWriter, r *http.Request, path string) bool {
				if r.Method != test.method || !strings.Contains(path, test.path) || !answered.CompareAndSwap(false, true) {
					return false
				}
				test.answer(w)
				return true
			}
			err := test.call(f.open(t, nil), u.ID, g.id)
			if test.want == nil && err != nil || test.want != nil && !errors.Is(err, test.want) {
				t.Errorf("got %v, want %v", err, test.want)
			}
			if !answered.Load() {
				t.Error("the write was never sent")
			}
		})
	}
}

func TestACreationThatLosesItsGroupsIsAnUnknownOutcome(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	g := f.addGroup("Editors", "")
	f.intercept = func(w http.ResponseWriter, r *http.Request, path string) bool {
		if r.Method == "PUT" && strings.Contains(path, "/groups/") {
			fail(w, 403, "HTTP 403 Forbidden")
			return true
		}
		return false
	}
	_, err := f.open(t, nil).CreateAccount(t.Context(), directory.CreateRequest{
		Attributes: directory.Attributes{"username": directory.Text("bert")}, Status: directory.StatusActive, Groups: []string{g.id},
	})
	if e := wantError(t, err, directory.UnknownOutcome, ""); !strings.Contains(e.Error(), "was created") {
		t.Errorf("%v does not say that the user is there", e)
	}
}

func TestAdministratorsAreNeverWritten(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		roles  []string
		listed bool // otherwise nobody has been listed before
	}{{everything, true}, {everything, false}, {[]string{viewUsers, manageUsers}, true}, {[]string{viewUsers, manageUsers}, false}} {
		roles := test.roles
		t.Run(fmt.Sprintf("%q, listed %t", roles, test.listed), func(t *testing.T) {
			t.Parallel()
			f := newFake(t)
			complete := slices.Contains(roles, viewClients)
			f.roles = roles
			f.realmRoles = append(f.realmRoles, fakeRole{ID: "r-super", Name: "super", Composite: true}, fakeRole{ID: "r-outer", Name: "outer", Composite: true})
			f.composites["super"] = []fakeRole{{Name: "manage-realm", Client: true, Container: management}}
			f.composites["outer"] = []fakeRole{{Name: "super"}}
			top := f.addGroup("Operators", "")
			top.clientRoles = map[string][]string{"realm-management": {"manage-users"}}
			below := f.addGroup("Night shift", top.id)
			harmless := f.addGroup("Readers", "")
			harmless.clientRoles = map[string][]string{"realm-management": {"view-users"}}
			people := map[string]*fakeUser{
				"direct":   {Username: "direct", clientRoles: map[string][]string{"realm-management": {"realm-admin"}}},
				"role":     {Username: "role", realmRoles: []string{"admin"}},
				"in-group": {Username: "in-group", groups: []string{below.id}},
				"composed": {Username: "composed", realmRoles: []string{"outer"}},
				"auditor":  {Username: "auditor", clientRoles: map[string][]string{"realm-management": {"view-users"}}, groups: []string{harmless.id}},
				"nobody":   {Username: "nobody"},
			}
			for name, u := range people {
				u.Enabled = true
				people[name] = f.add(*u)
			}
			d := f.open(t, nil)
			var all []directory.Account
			if test.listed {
				all, _ = directorytest.Accounts(t, d, directory.ListRequest{})
			}
			for name, want := range map[string]bool{"direct": complete, "role": true, "in-group": true, "composed": true, "auditor": false, "nobody": false} {
				if !complete && (name == "role" || name == "composed") {
					want = false // seen when looked at by themselves only
				}
				if !test.listed {
					continue
				}
				if got := byName(t, all, name).Privileged; (got != "") != want {
					t.Errorf("%s is listed as privileged because %q, want privileged: %t", name, got, want)
				}
			}
			for _, name := range []string{"direct", "role", "in-group", "composed"} {
				id := people[name].ID
				if account, err := d.GetAccount(t.Context(), id); err != nil || account.Privileged == "" {
					t.Errorf("%s read alone is privileged because %q (%v)", name, account.Privileged, err)
				}
				_, err := d.UpdateAccount(t.Context(), directory.UpdateRequest{ID: id, Set: directory.Attributes{"last_name": directory.Text("X")}})
				wantError(t, err, directory.Invalid, "")
				_, err = d.SetStatus(t.Context(), directory.StatusRequest{ID: id, Status: directory.StatusInactive})
				wantError(t, err, directory.Invalid, "")
				wantError(t, d.ChangeGroups(t.Context(), directory.GroupsRequest{Account: id, Add: []string{harmless.id}}), directory.Invalid, "")
				wantError(t, d.DeleteAccount(t.Context(), id), directory.Invalid, "")
			}
			// Nobody is made an administrator either.
			for _, group := range []string{top.id, below.id} {
				wantError(t, d.ChangeGroups(t.Context(), directory.GroupsRequest{Account: people["nobody"].ID, Add: []string{group}}), directory.Invalid, "")
			}
			for _, method := range []string{"PUT /users/*", "DELETE /users/*", "PUT /users/*/groups/*", "POST /users/*/logout"} {
				if n := f.requests()[method]; n != 0 {
					t.Errorf("%s was sent %d times", method, n)
				}
			}
			if _, err := d.UpdateAccount(t.Context(), directory.UpdateRequest{ID: people["auditor"].ID, Set: directory.Attributes{"last_name": directory.Text("X")}}); err != nil {
				t.Errorf("who may only look is written like anybody: %v", err)
			}
		})
	}
}

func TestANewAdministratorIsNoticedWithoutAListing(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	u := f.add(fakeUser{Username: "anna", Enabled: true})
	now := time.Date(2026, 11, 22, 3, 0, 0, 0, time.UTC)
	s := settings(t, map[string]any{"url": f.URL, "realm": "acme", "client_id": "rollcall", "client_secret": f.secret})
	s.Now = func() time.Time { return now }
	d, err := open(s)
	if err != nil {
		t.Fatal(err)
	}
	if account, err := d.(*Directory).GetAccount(t.Context(), u.ID); err != nil || account.Privileged != "" {
		t.Fatalf("at first: %q (%v)", account.Privileged, err)
	}
	f.mu.Lock()
	u.realmRoles = []string{"admin"}
	f.mu.Unlock()
	now = now.Add(keepAdministrators)
	if account, err := d.(*Directory).GetAccount(t.Context(), u.ID); err != nil || account.Privileged == "" {
		t.Errorf("a quarter of an hour later: %q (%v), want an administrator", account.Privileged, err)
	}
}

func TestTheAccountThatRollcallSignsInWithIsNotWritten(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	robot := f.add(fakeUser{Username: "robot", Enabled: true})
	f.lightweight = true
	d := f.open(t, map[string]any{"username": "robot", "password": f.password})
	wantError(t, d.DeleteAccount(t.Context(), robot.ID), directory.Invalid, "")
	if f.user(robot.ID) == nil {
		t.Error("it is gone")
	}
}
