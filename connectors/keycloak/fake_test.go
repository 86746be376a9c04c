package keycloak

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// fake is a Keycloak in the test's own process. It pages, counts, filters, wipes, drops and lower-cases as version 26.0.7
// was seen to; what it does not know it answers with 404, as a proxy would.
type fake struct {
	*httptest.Server
	mu sync.Mutex

	secret, password string
	roles            []string // of realm-management, in the token
	lightweight      bool     // the token tells nothing
	life             int      // of a token, in seconds
	tokens           map[string]bool
	signIns          int

	users        []*fakeUser
	groups       []*fakeGroup
	realmRoles   []fakeRole
	composites   map[string][]fakeRole
	clients      map[string]string // internal id to client id
	clientRoles  map[string][]string
	stores       []userStore
	policy       string
	profile      []string
	editUsername bool
	i18n         bool
	noProfile    bool // a version before 24
	nested       bool // version 22: groups come as a tree

	log       []string // "GET /users"
	intercept func(w http.ResponseWriter, r *http.Request, path string) bool
	next      int
}

type fakeUser struct {
	ID            string              `json:"id"`
	Username      string              `json:"username"`
	FirstName     string              `json:"firstName,omitempty"`
	LastName      string              `json:"lastName,omitempty"`
	Email         string              `json:"email,omitempty"`
	EmailVerified bool                `json:"emailVerified"`
	Attributes    map[string][]string `json:"attributes,omitempty"`
	Created       int64               `json:"createdTimestamp"`
	Enabled       bool                `json:"enabled"`
	Federation    string              `json:"federationLink,omitempty"`
	Totp          bool                `json:"totp"`
	Actions       []string            `json:"requiredActions"`

	groups      []string
	realmRoles  []string
	clientRoles map[string][]string // by client id
	loggedOut   int
}

// fakeBrief is what briefRepresentation=true leaves.
type fakeBrief struct {
	ID       string `json:"id"`
	Username string `json:"username"`
	Email    string `json:"email,omitempty"`
	Verified bool   `json:"emailVerified"`
	Created  int64  `json:"createdTimestamp"`
	Enabled  bool   `json:"enabled"`
}

type fakeGroup struct {
	id, name, parent string
	realmRoles       []string
	clientRoles      map[string][]string
}

type fakeRole struct {
	ID        string `json:"id"`
	Name      string `json:"name"`
	Composite bool   `json:"composite"`
	Client    bool   `json:"clientRole"`
	Container string `json:"containerId"`
}

const (
	management = "c-management"
	website    = "c-website"
)

// everything is the roles for reading and writing, administrators included.
var everything = []string{viewUsers, manageUsers, viewRealm, viewClients, "query-users", "query-groups", "query-clients"}

func newFake(t testing.TB) *fake {
	t.Helper()
	f := &fake{
		secret: "s+cr%t & more", password: "correct horse", roles: everything, life: 300, tokens: map[string]bool{}, policy: "ENABLED",
		profile: []string{"username", "email", "firstName", "lastName"}, i18n: true, composites: map[string][]fakeRole{},
		clients: map[string]string{management: "realm-management", website: "website"},
		clientRoles: map[string][]string{
			management: {"manage-realm", "manage-users", "query-users", "realm-admin", "view-users"}, website: {"author", "editor"},
		},
		realmRoles: []fakeRole{
			{ID: "r-default", Name: "default-roles-acme", Composite: true},
			{ID: "r-offline", Name: "offline_access"},
			{ID: "r-admin", Name: "admin"},
			{ID: "r-staff", Name: "staff"},
		},
	}
	f.add(fakeUser{ID: "service", Username: "service-account-rollcall", Enabled: true, clientRoles: map[string][]string{"realm-management": {"manage-users"}}})
	f.Server = httptest.NewServer(http.HandlerFunc(f.serve))
	t.Cleanup(f.Close)
	return f
}

// open opens the fake as a directory; extra overrides options.
func (f *fake) open(t testing.TB, extra map[string]any) *Directory {
	t.Helper()
	values := map[string]any{"url": f.URL, "realm": "acme", "client_id": "rollcall", "client_secret": f.secret}
	maps.Copy(values, extra)
	d, err := open(settings(t, values))
	if err != nil {
		t.Fatal(err)
	}
	return d.(*Directory)
}

func (f *fake) add(u fakeUser) *fakeUser {
	f.next++
	if u.ID == "" {
		u.ID = fmt.Sprintf("user-%04d", f.next)
	}
	if u.Actions == nil {
		u.Actions = []string{}
	}
	u.Created = time.Date(2026, 1, 1, 0, 0, f.next, 0, time.UTC).UnixMilli()
	f.users = append(f.users, &u)
	slices.SortFunc(f.users, func(a, b *fakeUser) int { return strings.Compare(a.Username, b.Username) })
	return &u
}

// people adds n enabled users.
func (f *fake) people(n int) {
	for i := range n {
		name := fmt.Sprintf("person-%05d", i)
		f.add(fakeUser{Username: name, Email: name + "@example.com", FirstName: "Anna", LastName: "Example", Enabled: true})
	}
}

func (f *fake) addGroup(name, parent string) *fakeGroup {
	f.next++
	g := &fakeGroup{id: fmt.Sprintf("group-%04d", f.next), name: name, parent: parent}
	f.groups = append(f.groups, g)
	return g
}

// requests returns how often each kind of request came, sign-ins left out.
func (f *fake) requests() map[string]int {
	f.mu.Lock()
	defer f.mu.Unlock()
	counts := map[string]int{}
	for _, line := range f.log {
		counts[line]++
	}
	return counts
}

func (f *fake) forget() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.log = nil
}

func (f *fake) has(role ...string) bool {
	return slices.ContainsFunc(role, func(r string) bool { return slices.Contains(f.roles, r) })
}

func reply(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	if body != nil {
		_ = json.NewEncoder(w).Encode(body)
	}
}

func fail(w http.ResponseWriter, status int, words string) {
	reply(w, status, map[string]string{"error": words})
}

func (f *fake) serve(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if realm, ok := strings.CutPrefix(r.URL.Path, "/realms/"); ok {
		f.signIn(w, r, strings.TrimSuffix(realm, "/protocol/openid-connect/token"))
		return
	}
	rest, ok := strings.CutPrefix(r.URL.EscapedPath(), "/admin/realms/")
	if !ok {
		http.NotFound(w, r)
		return
	}
	realm, path, _ := strings.Cut(rest, "/")
	f.log = append(f.log, r.Method+" /"+pattern(path))
	switch {
	case f.intercept != nil && f.intercept(w, r, "/"+path):
	case !f.tokens[strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")]:
		fail(w, 401, "HTTP 401 Unauthorized")
	case realm != "acme":
		fail(w, 404, "Realm not found.")
	default:
		f.admin(w, r, strings.Split(path, "/"))
	}
}

// pattern takes ids out of a path.
func pattern(path string) string {
	parts := strings.Split(path, "/")
	for i := 1; i < len(parts); i += 2 {
		if !slices.Contains([]string{"count", "profile"}, parts[i]) {
			parts[i] = "*"
		}
	}
	return strings.Join(parts, "/")
}

func (f *fake) signIn(w http.ResponseWriter, r *http.Request, realm string) {
	f.signIns++
	oauth := func(status int, code, words string) {
		reply(w, status, map[string]string{"error": code, "error_description": words})
	}
	switch {
	case realm != "acme":
		fail(w, 404, "Realm does not exist")
	case r.Header.Get("Authorization") != "":
		// HTTP Basic: Keycloak undoes an encoding that gocloak does not do.
		oauth(401, "unauthorized_client", "Invalid client or Invalid client credentials")
	case r.PostFormValue("client_id") != "rollcall":
		oauth(401, "invalid_client", "Invalid client or Invalid client credentials")
	case r.PostFormValue("client_secret") != f.secret:
		oauth(401, "unauthorized_client", "Invalid client or Invalid client credentials")
	case r.PostFormValue("grant_type") == "password" && (r.PostFormValue("username") != "robot" || r.PostFormValue("password") != f.password):
		oauth(401, "invalid_grant", "Invalid user credentials")
	default:
		claims := map[string]any{"jti": f.signIns}
		if !f.lightweight {
			claims["sub"] = "service"
			claims["resource_access"] = map[string]any{"realm-management": map[string]any{"roles": f.roles}}
		}
		payload, _ := json.Marshal(claims)
		token := "e30." + base64.RawURLEncoding.EncodeToString(payload) + ".c2ln"
		f.tokens[token] = true
		reply(w, 200, map[string]any{"access_token": token, "expires_in": f.life, "refresh_expires_in": 0, "token_type": "Bearer"})
	}
}

// expire makes all tokens stale.
func (f *fake) expire() { f.tokens = map[string]bool{} }

func (f *fake) admin(w http.ResponseWriter, r *http.Request, path []string) {
	sees, writes := f.has(viewUsers, manageUsers), f.has(manageUsers)
	switch path[0] {
	case "":
		f.realm(w)
	case "users":
		f.usersCall(w, r, path[1:], sees, writes)
	case "groups":
		f.groupsCall(w, r, path[1:], sees, writes)
	case "roles", "clients", "components":
		f.rolesCall(w, r, path)
	default:
		http.NotFound(w, r)
	}
}

func (f *fake) realm(w http.ResponseWriter) {
	body := map[string]any{"realm": "acme", "registrationEmailAsUsername": false}
	if f.has(viewRealm) {
		body["editUsernameAllowed"], body["internationalizationEnabled"], body["duplicateEmailsAllowed"] = f.editUsername, f.i18n, false
	}
	reply(w, 200, body)
}

// cut pages a list as first and max say; max 0 is the call's default, -1 everything.
func cut[T any](r *http.Request, all []T, standard int) []T {
	first, _ := strconv.Atoi(r.URL.Query().Get("first"))
	size, err := strconv.Atoi(r.URL.Query().Get("max"))
	if err != nil {
		size = standard
	}
	first = min(first, len(all))
	if size < 0 {
		size = len(all)
	}
	return append([]T{}, all[first:min(first+size, len(all))]...)
}

// known hides attributes that the profile does not manage where the policy is unset.
func (f *fake) known(u *fakeUser) fakeUser {
	shown := *u
	shown.Attributes = map[string][]string{}
	for name, values := range u.Attributes {
		if f.policy != "" || slices.Contains(f.profile, name) || name == "locale" {
			shown.Attributes[name] = values
		}
	}
	return shown
}

func (f *fake) shown(r *http.Request, list []*fakeUser) any {
	if r.URL.Query().Get("briefRepresentation") == "true" {
		out := make([]fakeBrief, 0, len(list))
		for _, u := range list {
			out = append(out, fakeBrief{u.ID, u.Username, u.Email, u.EmailVerified, u.Created, u.Enabled})
		}
		return out
	}
	out := make([]fakeUser, 0, len(list))
	for _, u := range list {
		out = append(out, f.known(u))
	}
	return out
}

func (f *fake) user(id string) *fakeUser {
	for _, u := range f.users {
		if u.ID == id {
			return u
		}
	}
	return nil
}

func (f *fake) find(r *http.Request) []*fakeUser {
	q := r.URL.Query()
	filtered := q.Get("username") != "" || q.Get("email") != "" || q.Get("enabled") != ""
	exact := q.Get("exact") == "true"
	fits := func(have, want string) bool {
		return want == "" || exact && have == strings.ToLower(want) || !exact && strings.Contains(have, strings.ToLower(want))
	}
	var list []*fakeUser
	for _, u := range f.users {
		// Service accounts are left out of the bare list only.
		if (filtered || !strings.HasPrefix(u.Username, serviceAccountPrefix)) && fits(u.Username, q.Get("username")) && fits(u.Email, q.Get("email")) {
			list = append(list, u)
		}
	}
	return list
}
