package keycloak

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rollcall-sync/rollcall/sync/directory"
	"github.com/rollcall-sync/rollcall/sync/directory/directorytest"
)

func TestATokenThatEndsInTheMiddleIsRenewedOnce(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	f.people(25)
	f.intercept = func(w http.ResponseWriter, r *http.Request, path string) bool {
		if path == "/users" && r.URL.Query().Get("first") == "10" && f.signIns == 1 {
			f.expire()
		}
		return false
	}
	all, _ := directorytest.Accounts(t, f.open(t, map[string]any{"page_size": 10}), directory.ListRequest{})
	if len(all) != 25 || f.signIns != 2 {
		t.Errorf("listed %d accounts with %d sign-ins, want 25 with 2", len(all), f.signIns)
	}
}

func TestATokenThatIsNeverTakenIsAnError(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	f.intercept = func(http.ResponseWriter, *http.Request, string) bool { f.expire(); return false }
	_, err := f.open(t, nil).CountAccounts(t.Context())
	wantError(t, err, directory.Auth, "hostname")
	if f.signIns != 2 {
		t.Errorf("signed in %d times, want twice", f.signIns)
	}
}

func TestATokenIsRenewedHalfAMinuteBeforeItsEnd(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	f.people(1)
	var mu sync.Mutex
	now := time.Date(2026, 11, 22, 3, 0, 0, 0, time.UTC)
	s := settings(t, map[string]any{"url": f.URL, "realm": "acme", "client_id": "rollcall", "client_secret": f.secret})
	s.Now = func() time.Time { mu.Lock(); defer mu.Unlock(); return now }
	d, err := open(s)
	if err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct {
		later   time.Duration
		signIns int
	}{{0, 1}, {269 * time.Second, 1}, {2 * time.Second, 2}, {time.Second, 2}} {
		mu.Lock()
		now = now.Add(step.later)
		mu.Unlock()
		if _, err := d.(*Directory).CountAccounts(t.Context()); err != nil {
			t.Fatal(err)
		}
		if f.signIns != step.signIns {
			t.Errorf("%v later: %d sign-ins, want %d", step.later, f.signIns, step.signIns)
		}
	}
}

func TestSideBySideOneTokenIsEnough(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	f.people(1)
	d := f.open(t, nil)
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			if _, err := d.CountAccounts(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	if f.signIns != 1 {
		t.Errorf("signed in %d times, want once", f.signIns)
	}
}

func TestASignInThatFailsSaysWhatToDo(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	other := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(other.Close)
	moved := httptest.NewServer(http.RedirectHandler("https://id.example.com/", http.StatusMovedPermanently))
	t.Cleanup(moved.Close)
	tests := []struct {
		name   string
		values map[string]any
		kind   directory.ErrorKind
		remedy string
	}{
		{"wrong secret", map[string]any{"client_secret": "wrong"}, directory.Auth, "check client_id and client_secret"},
		{"wrong client", map[string]any{"client_id": "wrong"}, directory.Auth, "check client_id and client_secret"},
		{"wrong realm", map[string]any{"realm": "wrong"}, directory.Auth, "the server knows no realm wrong"},
		{"wrong target realm", map[string]any{"realm": "wrong", "auth_realm": "acme"}, directory.Auth, "the server knows no realm wrong"},
		{"wrong password", map[string]any{"username": "robot", "password": "wrong"}, directory.Auth, "check username and password"},
		{"unreachable", map[string]any{"url": gone.URL}, directory.Retryable, "check the address"},
		{"not Keycloak", map[string]any{"url": other.URL}, directory.Auth, "/auth"},
		{"redirected", map[string]any{"url": moved.URL}, directory.Auth, "https://id.example.com"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			d := f.open(t, test.values)
			_, err := d.CountAccounts(t.Context())
			e := wantError(t, err, test.kind, test.remedy)
			if e.Op != "count accounts" {
				t.Errorf("the error names %q, not what was being done", e.Op)
			}
			list, err := d.Check(t.Context(), directory.CheckRequest{})
			if err != nil || !strings.Contains(findingsText(list, directory.LevelError), test.remedy) {
				t.Errorf("the check says %v (%v), want a fault with %q", list, err, test.remedy)
			}
		})
	}
}

func TestAPasswordSignsInToo(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	f.people(3)
	count, err := f.open(t, map[string]any{"username": "robot", "password": f.password}).CountAccounts(t.Context())
	if err != nil || count != 3 {
		t.Errorf("counted %d (%v), want 3", count, err)
	}
}

// findingsText joins the findings of one level, remedies included.
func findingsText(list []directory.Finding, level directory.Level) string {
	var b strings.Builder
	for _, finding := range list {
		if finding.Level == level {
			b.WriteString(finding.Subject + ": " + finding.Message + " - " + finding.Remedy + "\n")
		}
	}
	return b.String()
}

func TestCheckNamesWhatIsMissing(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		prepare func(f *fake)
		values  map[string]any
		request directory.CheckRequest
		level   directory.Level
		want    string
	}{
		{"all is well", func(*fake) {}, nil, directory.CheckRequest{Write: true, Attributes: []string{"department"}}, directory.LevelOK, "the token holds manage-users"},
		{"no roles", func(f *fake) { f.roles = nil }, nil, directory.CheckRequest{}, directory.LevelError, "grant the role view-users"},
		{"query-users alone", func(f *fake) { f.roles = []string{"query-users"} }, nil, directory.CheckRequest{}, directory.LevelError, "the realm shows no users"},
		{"reading alone", func(f *fake) { f.roles = []string{viewUsers} }, nil, directory.CheckRequest{Write: true}, directory.LevelError, "grant the role manage-users"},
		{"administrators hidden", func(f *fake) { f.roles = []string{viewUsers, manageUsers} }, nil, directory.CheckRequest{Write: true}, directory.LevelWarning, "grant the role view-clients"},
		{"an attribute that is dropped", func(f *fake) { f.policy = "" }, nil, directory.CheckRequest{Write: true, Attributes: []string{"department", "email"}}, directory.LevelError, "add the attribute department to the user profile"},
		{"an attribute that is hidden", func(f *fake) { f.policy = "" }, nil, directory.CheckRequest{Attributes: []string{"custom.costCenter"}}, directory.LevelWarning, "costCenter"},
		{"an old server without profile", func(f *fake) { f.noProfile = true; f.policy = "" }, nil, directory.CheckRequest{Write: true, Attributes: []string{"department"}}, directory.LevelOK, "attributes: "},
		{"no locale", func(f *fake) { f.i18n = false }, nil, directory.CheckRequest{Write: true, Attributes: []string{"locale"}}, directory.LevelError, "switch on internationalisation"},
		{"usernames that cannot be edited", func(*fake) {}, map[string]any{"edit_usernames": true}, directory.CheckRequest{}, directory.LevelError, "switch on Edit username"},
		{"an unknown client", func(*fake) {}, map[string]any{"client_roles": []string{"nowhere"}}, directory.CheckRequest{}, directory.LevelError, "the realm shows no client nowhere"},
		{"an empty realm", func(f *fake) { f.users = []*fakeUser{f.user("service")} }, nil, directory.CheckRequest{}, directory.LevelWarning, "no users yet"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			f := newFake(t)
			f.people(2)
			test.prepare(f)
			list, err := f.open(t, test.values).Check(t.Context(), test.request)
			if err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(findingsText(list, test.level), test.want) {
				t.Errorf("no finding of level %s holds %q:\n%v", test.level, test.want, list)
			}
			if test.level == directory.LevelOK && findingsText(list, directory.LevelError)+findingsText(list, directory.LevelWarning) != "" {
				t.Errorf("something is found wrong: %v", list)
			}
		})
	}
}

func TestOptionsAreChecked(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		values map[string]any
		fault  string
	}{
		{"an address without scheme", map[string]any{"url": "id.example.com"}, "url: must be an address"},
		{"an address with credentials", map[string]any{"url": "https://a:b@id.example.com"}, "url: must hold no user"},
		{"an address of the admin console", map[string]any{"url": "https://id.example.com/admin/master/console"}, "url: must be the server's address without /admin: https://id.example.com"},
		{"an address of a realm", map[string]any{"url": "https://id.example.com/realms/acme"}, "url: must be the server's address without /realms"},
		{"an address with a query", map[string]any{"url": "https://id.example.com/?x=1"}, "url: must hold nothing after the path"},
		{"no credentials", map[string]any{"client_secret": ""}, "client_secret: is missing"},
		{"a username alone", map[string]any{"username": "robot"}, "password: is missing"},
		{"a password alone", map[string]any{"password": "x", "client_secret": ""}, "username: is missing"},
		{"a page of none", map[string]any{"page_size": 0}, "page_size: must be"},
		{"no time", map[string]any{"timeout": time.Duration(0)}, "timeout: must be"},
		{"a field placed elsewhere", map[string]any{"attributes": map[string]string{"email": "mail"}}, "attributes: email is no attribute"},
		{"an unknown name", map[string]any{"attributes": map[string]string{"shoe_size": "shoe"}}, "attributes: shoe_size is no attribute"},
		{"an attribute for two names", map[string]any{"attributes": map[string]string{"title": "x", "department": "x"}}, "attributes: x is named for both"},
		{"an attribute without a name", map[string]any{"attributes": map[string]string{"title": ""}}, "attributes: title needs the name"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			values := map[string]any{"url": "https://id.example.com", "realm": "acme", "client_id": "rollcall", "client_secret": "x"}
			for name, value := range test.values {
				values[name] = value
			}
			_, err := open(settings(t, values))
			if err == nil || !strings.Contains(err.Error(), test.fault) {
				t.Errorf("got %v, want %q", err, test.fault)
			}
		})
	}
}

func TestAnOptionTakesAnAttributeFromTheBuiltInList(t *testing.T) {
	t.Parallel()
	n, err := newNames(map[string]string{"employee_id": "department"})
	if err != nil {
		t.Fatal(err)
	}
	if n.toVocabulary("department") != "employee_id" {
		t.Errorf("department is %s, want employee_id", n.toVocabulary("department"))
	}
	if _, ok := n.toKeycloak("department"); ok {
		t.Error("department still has a place")
	}
	if _, ok := n.toKeycloak("custom.department"); ok {
		t.Error("the same attribute can be written under two names")
	}
}
