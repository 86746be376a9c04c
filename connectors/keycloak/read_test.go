package keycloak

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-sync/rollcall/sync/directory"
	"github.com/rollcall-sync/rollcall/sync/directory/directorytest"
)

// wantError checks kind, remedy and form of an error.
func wantError(t *testing.T, err error, kind directory.ErrorKind, remedy string) *directory.Error {
	t.Helper()
	var e *directory.Error
	if !errors.As(err, &e) {
		t.Fatalf("got %v (%T), want a *directory.Error of kind %v", err, err, kind)
	}
	if e.Kind != kind || !strings.Contains(e.Remedy, remedy) || e.Directory != "staff" || e.Op == "" {
		t.Errorf("got kind %v, op %q, remedy %q (%v), want %v with %q", e.Kind, e.Op, e.Remedy, err, kind, remedy)
	}
	if strings.Contains(err.Error(), "s+cr") {
		t.Errorf("the error tells the secret: %v", err)
	}
	return e
}

func byName(t *testing.T, accounts []directory.Account, username string) directory.Account {
	t.Helper()
	i := slices.IndexFunc(accounts, func(a directory.Account) bool { return a.Attributes.Text(directory.Username) == username })
	if i < 0 {
		t.Fatalf("no account %q", username)
	}
	return accounts[i]
}

func TestAnEmptyListForWantOfPermissionIsDoubted(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name        string
		roles       []string
		lightweight bool
		people      int
		doubt       string
	}{
		{"with query-users alone the list is empty", []string{"query-users"}, false, 3, "neither view-users nor manage-users"},
		{"without any role too, if a page comes at all", nil, false, 3, "neither view-users nor manage-users"},
		{"with view-users an empty realm is empty", []string{viewUsers}, false, 0, ""},
		{"with manage-users too", []string{manageUsers}, false, 0, ""},
		{"people with view-users", []string{viewUsers}, false, 3, ""},
		{"a token that tells nothing leaves an empty list in doubt", []string{viewUsers}, true, 0, "does not tell"},
		{"and people in none", []string{viewUsers}, true, 3, ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			f := newFake(t)
			f.roles, f.lightweight = test.roles, test.lightweight
			f.people(test.people)
			page, err := f.open(t, nil).ListAccounts(t.Context(), directory.ListRequest{})
			if err != nil {
				t.Fatal(err)
			}
			if test.doubt == "" && page.Doubt != "" || !strings.Contains(page.Doubt, test.doubt) {
				t.Errorf("the doubt is %q, want %q", page.Doubt, test.doubt)
			}
			if test.doubt != "" && !strings.Contains(page.Doubt, "grant the role view-users") {
				t.Errorf("the doubt %q names no remedy", page.Doubt)
			}
		})
	}
}

func TestAShortPageIsNotTheEnd(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	f.people(30)
	// The second page loses all rows but one, as users that their LDAP no longer has do.
	f.intercept = func(w http.ResponseWriter, r *http.Request, path string) bool {
		if path != "/users" || r.URL.Query().Get("first") != "10" {
			return false
		}
		reply(w, 200, f.shown(r, f.find(r)[10:11]))
		return true
	}
	all, pages := directorytest.Accounts(t, f.open(t, map[string]any{"page_size": 10}), directory.ListRequest{})
	if len(all) != 21 || pages != 4 {
		t.Errorf("listed %d accounts in %d pages, want 21 in 4", len(all), pages)
	}
}

func TestPartitionsTogetherAreTheListing(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	f.people(25)
	d := f.open(t, nil)
	request := directory.ListRequest{Size: 10}
	cursors, err := d.Partition(t.Context(), request)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"0", "10", "20"}, cursors); diff != "" {
		t.Fatalf("cursors (-want +got):\n%s", diff)
	}
	seen := map[string]bool{}
	for _, cursor := range cursors {
		request.Cursor = cursor
		page, err := d.ListAccounts(t.Context(), request)
		if err != nil {
			t.Fatal(err)
		}
		for _, a := range page.Accounts {
			seen[a.ID] = true
		}
		if cursor == "20" && page.Next != "30" {
			t.Errorf("the last page's Next is %q, want 30", page.Next)
		}
	}
	if len(seen) != 25 {
		t.Errorf("the pages hold %d accounts, want 25", len(seen))
	}
}

func TestRecordsThatAreNotWholeAreMarked(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, record, id, problem string }{
		{"attributes of another form", `{"id":"u1","username":"anna","enabled":true,"totp":false,"attributes":{"department":"Press"}}`, "u1", "cannot be understood"},
		{"an id that is a number", `{"id":7,"username":"anna","enabled":true,"totp":false}`, "", "cannot be understood"},
		{"no id", `{"username":"anna","enabled":true,"totp":false}`, "", "no id"},
		{"no username", `{"id":"u1","enabled":true,"totp":false}`, "u1", "no username"},
		{"no status", `{"id":"u1","username":"anna","totp":false}`, "u1", "enabled"},
		{"a brief record", `{"id":"u1","username":"anna","enabled":true}`, "u1", "brief"},
		{"a whole record without attributes", `{"id":"u1","username":"anna","enabled":true,"totp":false,"requiredActions":[]}`, "u1", ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			f := newFake(t)
			f.intercept = func(w http.ResponseWriter, r *http.Request, path string) bool {
				if path != "/users" {
					return false
				}
				w.Header().Set("Content-Type", "application/json")
				_, _ = fmt.Fprintf(w, `[{"id":"u0","username":"good","enabled":false,"totp":false}, %s]`, test.record)
				return true
			}
			page, err := f.open(t, nil).ListAccounts(t.Context(), directory.ListRequest{})
			if err != nil {
				t.Fatal(err)
			}
			if len(page.Accounts) != 2 || page.Accounts[0].Problem != "" || page.Accounts[0].Status != directory.StatusInactive {
				t.Fatalf("the good record suffered: %+v", page.Accounts)
			}
			bad := page.Accounts[1]
			if bad.ID != test.id || test.problem == "" && bad.Problem != "" || !strings.Contains(bad.Problem, test.problem) {
				t.Errorf("got id %q, problem %q; want %q, %q", bad.ID, bad.Problem, test.id, test.problem)
			}
		})
	}
}

func TestWhatARecordBecomes(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	f.add(fakeUser{
		ID: "u1", Username: "søren.åberg", Email: "soren@example.com", EmailVerified: true, FirstName: "Søren", Enabled: true,
		Attributes: map[string][]string{"phoneNumber": {"+45 1"}, "costCenter": {"7", "8"}, "staffNumber": {"0042"}, "locale": {"da"}},
	})
	d := f.open(t, map[string]any{"attributes": map[string]string{"employee_id": "staffNumber"}})
	wanted := []string{"first_name", "last_name", "email_verified", "phone", "locale", "employee_id", "custom.costCenter", "custom.other", "created_at"}
	page, err := d.ListAccounts(t.Context(), directory.ListRequest{Attributes: wanted})
	if err != nil {
		t.Fatal(err)
	}
	want := directory.Account{ID: "u1", Status: directory.StatusActive, Attributes: directory.Attributes{
		"username": directory.Text("søren.åberg"), "email": directory.Text("soren@example.com"), "email_verified": directory.Bool(true),
		"first_name": directory.Text("Søren"), "last_name": {}, "phone": directory.Text("+45 1"), "locale": directory.Text("da"),
		"employee_id": directory.Text("0042"), "custom.costCenter": directory.List("7", "8"), "custom.other": {},
		"created_at": directory.Time(time.Date(2026, 1, 1, 0, 0, 2, 0, time.UTC)),
	}}
	if diff := cmp.Diff([]directory.Account{want}, page.Accounts); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	everything, _ := directorytest.Accounts(t, d, directory.ListRequest{})
	if v, ok := everything[0].Attributes["title"]; !ok || !v.IsEmpty() {
		t.Errorf("title is %v (%t), want known to be empty", v, ok)
	}
	if v := everything[0].Attributes["custom.costCenter"]; !v.Equal(directory.List("7", "8")) {
		t.Errorf("custom.costCenter is %v when everything is asked for", v)
	}
}

func TestAnswersThatAreNotKeycloaksAreNoAnswers(t *testing.T) {
	t.Parallel()
	page := func(status int, kind, body string) func(http.ResponseWriter, *http.Request, string) bool {
		return func(w http.ResponseWriter, _ *http.Request, path string) bool {
			if !strings.HasPrefix(path, "/users") {
				return false
			}
			w.Header().Set("Content-Type", kind)
			w.WriteHeader(status)
			_, _ = w.Write([]byte(body))
			return true
		}
	}
	tests := []struct {
		name   string
		answer func(http.ResponseWriter, *http.Request, string) bool
		remedy string
	}{
		{"a sign-in page", page(200, "text/html", "<html>Sign in</html>"), "proxy"},
		{"no content type", page(200, "", "[]"), "proxy"},
		{"null", page(200, "application/json", "null"), ""},
		{"an object", page(200, "application/json", `{"users": []}`), ""},
		{"half a list", page(200, "application/json", `[{"id": "u1"`), ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			f := newFake(t)
			f.intercept = test.answer
			_, err := f.open(t, nil).ListAccounts(t.Context(), directory.ListRequest{})
			wantError(t, err, directory.Retryable, test.remedy)
		})
	}
}

func TestOnlyKeycloaksOwnWordsProveThatAUserIsGone(t *testing.T) {
	t.Parallel()
	answer := func(status int, kind, body string) func(http.ResponseWriter, *http.Request, string) bool {
		return func(w http.ResponseWriter, _ *http.Request, path string) bool {
			if path != "/users/u1" {
				return false
			}
			w.Header().Set("Content-Type", kind)
			w.WriteHeader(status)
			_, _ = w.Write([]byte(body))
			return true
		}
	}
	tests := []struct {
		name   string
		answer func(http.ResponseWriter, *http.Request, string) bool
		kind   directory.ErrorKind
	}{
		{"Keycloak's 404", answer(404, "application/json", `{"error":"User not found"}`), directory.NotFound},
		{"a proxy's 404", answer(404, "text/html", "<h1>404 Not Found</h1>"), directory.Retryable},
		{"a missing realm", answer(404, "application/json", `{"error":"Realm not found."}`), directory.Auth},
		{"an unknown path", answer(404, "application/json", `{"error":"HTTP 404 Not Found"}`), directory.Retryable},
		{"a refusal", answer(403, "application/json", `{"error":"HTTP 403 Forbidden"}`), directory.Auth},
		{"a server error", answer(500, "application/json", `{"error":"unknown_error"}`), directory.Retryable},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			f := newFake(t)
			f.intercept = test.answer
			_, err := f.open(t, nil).GetAccount(t.Context(), "u1")
			wantError(t, err, test.kind, "")
		})
	}
}

func TestServiceAccountsAreNotFoundAndNotListed(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	f.people(2)
	d := f.open(t, nil)
	all, _ := directorytest.Accounts(t, d, directory.ListRequest{})
	count, err := d.CountAccounts(t.Context())
	if err != nil || len(all) != 2 || count != 2 {
		t.Errorf("listed %d, counted %d (%v), want 2 each", len(all), count, err)
	}
	found, err := d.FindAccounts(t.Context(), directory.Username, "service-account-rollcall")
	if err != nil || len(found) != 0 {
		t.Errorf("found %v (%v), want nobody", found, err)
	}
	self, err := d.Self(t.Context())
	if err != nil || self != "service" {
		t.Errorf("Self is %q (%v), want the service account though no list holds it", self, err)
	}
	account, err := d.GetAccount(t.Context(), "service")
	if err != nil || account.Privileged == "" {
		t.Errorf("the service account is %+v (%v), want it marked", account, err)
	}
}

func TestSelfWithALightweightTokenIsFoundByName(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	f.lightweight = true
	robot := f.add(fakeUser{Username: "robot", Enabled: true})
	f.people(1)
	d := f.open(t, nil)
	if self, err := d.Self(t.Context()); err != nil || self != "service" {
		t.Errorf("the client's own account is %q (%v)", self, err)
	}
	d = f.open(t, map[string]any{"username": "robot", "password": f.password})
	if self, err := d.Self(t.Context()); err != nil || self != robot.ID {
		t.Errorf("the user's own account is %q (%v), want %q", self, err, robot.ID)
	}
}

func TestFindingIsExact(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	f.people(12)
	// A server that does not know "exact" returns everybody whose name begins so.
	f.intercept = func(w http.ResponseWriter, r *http.Request, path string) bool {
		if path != "/users" || r.URL.Query().Get("username") == "" {
			return false
		}
		reply(w, 200, f.shown(r, cut(r, f.users, 100)))
		return true
	}
	d := f.open(t, nil)
	found, err := d.FindAccounts(t.Context(), directory.Username, "PERSON-00001")
	if err != nil || len(found) != 1 || found[0].Attributes.Text(directory.Username) != "person-00001" {
		t.Errorf("found %v (%v), want person-00001 alone", found, err)
	}
	if found, err := d.FindAccounts(t.Context(), directory.Email, ""); err != nil || len(found) != 0 {
		t.Errorf("an empty value finds %d (%v), want nobody: Keycloak would return everybody", len(found), err)
	}
	if found, err := d.FindAccounts(t.Context(), directory.ID, f.users[0].ID); err != nil || len(found) != 1 {
		t.Errorf("by id found %v (%v)", found, err)
	}
	if found, err := d.FindAccounts(t.Context(), directory.ID, "nobody"); err != nil || len(found) != 0 {
		t.Errorf("by an unknown id found %v (%v)", found, err)
	}
	_, err = d.FindAccounts(t.Context(), directory.Department, "Press")
	wantError(t, err, directory.Unsupported, "")
}

func TestUsersOfAFederation(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	f.stores = []userStore{
		{ID: "ldap-1", Name: "staff LDAP", Config: map[string][]string{"editMode": {"READ_ONLY"}}},
		{ID: "ldap-2", Name: "guests", Config: map[string][]string{"editMode": {"WRITABLE"}}},
	}
	f.add(fakeUser{ID: "u1", Username: "anna", Enabled: true, Federation: "ldap-1"})
	f.add(fakeUser{ID: "u2", Username: "bert", Enabled: true, Federation: "ldap-2"})
	f.add(fakeUser{ID: "u3", Username: "cleo", Enabled: true})
	d := f.open(t, nil)
	all, _ := directorytest.Accounts(t, d, directory.ListRequest{})
	for username, want := range map[string]string{"anna": "kept in the read-only user federation staff LDAP", "bert": "", "cleo": ""} {
		if got := byName(t, all, username).ReadOnly; got != want {
			t.Errorf("%s is read-only because %q, want %q", username, got, want)
		}
	}
	_, err := d.UpdateAccount(t.Context(), directory.UpdateRequest{ID: "u1", Set: directory.Attributes{"last_name": directory.Text("X")}})
	if e := wantError(t, err, directory.Invalid, ""); !strings.Contains(e.Error(), "staff LDAP") {
		t.Errorf("the refusal %v does not say why", e)
	}
	// Without view-realm nobody can tell, and the remedy says so.
	f.roles = []string{viewUsers, manageUsers}
	all, _ = directorytest.Accounts(t, f.open(t, nil), directory.ListRequest{})
	if got := byName(t, all, "bert").ReadOnly; !strings.Contains(got, "grant view-realm") {
		t.Errorf("without view-realm bert is read-only because %q", got)
	}
}

// TestAnotherUsersRecordIsNoWordAboutThisOne: what the server says of the account that came instead must not prove that this
// one is gone.
func TestAnotherUsersRecordIsNoWordAboutThisOne(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	anna := f.add(fakeUser{Username: "anna", Email: "anna@example.com", Enabled: true})
	inner, err := url.Parse(f.URL)
	if err != nil {
		t.Fatal(err)
	}
	proxy := httputil.NewSingleHostReverseProxy(inner)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/users/"+anna.ID) {
			w.Header().Set("Content-Type", "application/json")
			io.WriteString(w, `{"id":"somebody-else","username":"x","enabled":true}`) //nolint:errcheck // a test
			return
		}
		proxy.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	account, err := f.open(t, map[string]any{"url": server.URL}).GetAccount(t.Context(), anna.ID)
	if err != nil || account.Problem == "" || account.ID != anna.ID {
		t.Errorf("%+v, %v", account, err)
	}
}
