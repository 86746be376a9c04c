package okta

import (
	"context"
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

	"github.com/rollcall-sync/rollcall/sync/directory"
)

// fake is an Okta org in the test's own process. Pages, links, limits, statuses and refusals are as Okta documents them;
// what it does not know it answers with 404, as a proxy would.
type fake struct {
	*httptest.Server
	mu sync.Mutex

	token      string          // the API token that is taken
	bearers    map[string]bool // access tokens that are taken
	assertions []string
	signIns    int
	scopes     []string // granted to the app
	role       string   // of whoever signed in: "super", "read", or "" for none
	owner      string   // whose the API token is

	users   []*fakeUser
	groups  []*fakeGroup
	admins  map[string]string // role type by user or group
	schema  map[string]string // type by attribute
	links   map[string]string // what a page token stands for
	slow    int               // how many reads a deactivation takes
	limits  map[string]int    // per minute, by kind of call; "" for all others
	used    map[string]int
	minute  time.Time
	maxSeen int // most rows of one page

	now       time.Time
	slept     []time.Duration
	log       []string // "GET users"
	bodies    []string
	intercept func(w http.ResponseWriter, r *http.Request, path string) bool
	next      int
}

type fakeUser struct {
	ID, Status, Becoming string
	Created, Updated     time.Time
	Profile              map[string]any
	Provider             string
	groups               []string
	password             string
	mails, sessions      int
	left                 int // reads until Becoming is true
}

type fakeGroup struct{ id, kind, name string }

const (
	everyone = "00geveryone"
	mirrored = "00gmirrored"
)

func newFake(t testing.TB) *fake {
	t.Helper()
	f := &fake{
		token: "00secretTokenOfRollcall", bearers: map[string]bool{}, role: "super", admins: map[string]string{},
		scopes: []string{usersManage, groupsManage, rolesRead, schemasRead}, links: map[string]string{}, limits: map[string]int{"": 600}, used: map[string]int{},
		now: time.Date(2026, 11, 22, 2, 30, 0, 0, time.UTC),
		schema: map[string]string{
			"secondEmail": "string", "middleName": "string", "division": "string", "costCenter": "string", "userType": "string", "manager": "string",
			"rcFavouriteColour": "string", "badgeNo": "integer", "remote": "boolean", "sites": "array of string",
		},
		groups: []*fakeGroup{{everyone, typeBuiltIn, "Everyone"}, {mirrored, typeApp, "From the directory"}},
	}
	for _, field := range fields {
		f.schema[field.key] = "string"
	}
	f.minute = f.now
	owner := f.add(fakeUser{Status: statusActive, Profile: map[string]any{"login": "rollcall@example.com", "email": "rollcall@example.com", "firstName": "Roll", "lastName": "Call"}})
	f.owner = owner.ID
	f.admins[owner.ID] = "SUPER_ADMIN"
	f.Server = httptest.NewServer(http.HandlerFunc(f.serve))
	t.Cleanup(f.Close)
	return f
}

// settings are options with the fake's clock: sleeping moves it on.
func (f *fake) settings(t testing.TB, extra map[string]any) directory.Settings {
	t.Helper()
	values := map[string]any{"url": f.URL, "token": f.token}
	maps.Copy(values, extra)
	for name, value := range values {
		if value == nil {
			delete(values, name)
		}
	}
	s, faults := Type.Complete(directory.Settings{
		Name: "staff", Values: values,
		Now: func() time.Time { f.mu.Lock(); defer f.mu.Unlock(); return f.now },
		Sleep: func(ctx context.Context, d time.Duration) error {
			f.mu.Lock()
			defer f.mu.Unlock()
			f.now, f.slept = f.now.Add(d), append(f.slept, d)
			return ctx.Err()
		},
	})
	for _, fault := range faults {
		t.Fatal(fault)
	}
	return s
}

// open opens the fake as a directory; extra overrides options, nil takes one away.
func (f *fake) open(t testing.TB, extra map[string]any) *Directory {
	t.Helper()
	d, err := open(f.settings(t, extra))
	if err != nil {
		t.Fatal(err)
	}
	return d.(*Directory)
}

func (f *fake) add(u fakeUser) *fakeUser {
	f.next++
	if u.ID == "" {
		u.ID = fmt.Sprintf("00u%017d", f.next)
	}
	if u.Provider == "" {
		u.Provider = "OKTA"
	}
	u.Created = f.now.Add(time.Duration(f.next) * time.Millisecond)
	u.Updated = u.Created
	f.users = append(f.users, &u)
	return &u
}

// people adds n users of one status.
func (f *fake) people(n int, status string) []*fakeUser {
	var all []*fakeUser
	for range n {
		login := fmt.Sprintf("person-%05d@example.com", f.next)
		all = append(all, f.add(fakeUser{Status: status, Profile: map[string]any{"login": login, "email": login, "firstName": "Anna", "lastName": "Example"}}))
	}
	return all
}

func (f *fake) addGroup(name string) *fakeGroup {
	f.next++
	g := &fakeGroup{fmt.Sprintf("00g%017d", f.next), typeOkta, name}
	f.groups = append(f.groups, g)
	return g
}

// requests returns how often each kind of request came.
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
	f.log, f.bodies, f.slept = nil, nil, nil
}

func reply(w http.ResponseWriter, status int, body any) {
	if body == nil {
		w.WriteHeader(status)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body)
}

// fail answers as Okta refuses.
func fail(w http.ResponseWriter, status int, code, summary string, causes ...string) {
	list := []map[string]string{}
	for _, cause := range causes {
		list = append(list, map[string]string{"errorSummary": cause})
	}
	reply(w, status, map[string]any{"errorCode": code, "errorSummary": summary, "errorLink": code, "errorId": "oae1", "errorCauses": list})
}

func invalid(w http.ResponseWriter, what string, causes ...string) {
	fail(w, 400, codeInvalid, "Api validation failed: "+what, causes...)
}

func forbidden(w http.ResponseWriter) {
	fail(w, 403, codeForbidden, "You do not have permission to perform the requested action")
}

func unknown(w http.ResponseWriter, id, kind string) {
	fail(w, 404, codeNotFound, "Not found: Resource not found: "+id+" ("+kind+")")
}

func (f *fake) serve(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	w.Header().Set("Date", f.now.UTC().Format(http.TimeFormat))
	path, ok := strings.CutPrefix(r.URL.Path, "/api/v1/")
	if !ok {
		if r.URL.Path == "/oauth2/v1/token" {
			f.signIn(w, r)
			return
		}
		http.NotFound(w, r)
		return
	}
	f.log = append(f.log, kindOf(r))
	switch {
	case f.intercept != nil && f.intercept(w, r, path):
	case !f.spend(w, kindOf(r)):
	case !f.known(r):
		fail(w, 401, codeBadToken, "Invalid token provided")
	case !f.scoped(r, path):
		w.Header().Set("Www-Authenticate", `Bearer authorization_uri="http://`+r.Host+`/oauth2/v1/authorize", realm="http://`+r.Host+`", error="insufficient_scope", error_description="The access token provided does not contain the required scopes."`)
		fail(w, 403, codeForbidden, "The access token provided does not contain the required scopes.")
	default:
		f.route(w, r, strings.Split(path, "/"))
	}
}

// turn begins a new minute, where the last is over.
func (f *fake) turn() {
	for f.now.Sub(f.minute) >= time.Minute {
		f.minute, f.used = f.minute.Add(time.Minute), map[string]int{}
	}
}

// spend takes one request off a limit and tells what is left, as every answer does.
func (f *fake) spend(w http.ResponseWriter, kind string) bool {
	f.turn()
	bucket := kind
	size, ok := f.limits[kind]
	if !ok {
		bucket, size = "", f.limits[""]
	}
	f.used[bucket]++
	left := size - f.used[bucket]
	w.Header().Set(limitHeader, strconv.Itoa(size))
	w.Header().Set(remainingHeader, strconv.Itoa(max(0, left)))
	w.Header().Set(resetHeader, strconv.FormatInt(f.minute.Add(time.Minute).Unix(), 10))
	if left < 0 {
		fail(w, 429, "E0000047", "API call exceeded rate limit due to too many requests.")
		return false
	}
	return true
}

func (f *fake) known(r *http.Request) bool {
	kind, secret, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	return kind == "SSWS" && secret == f.token || kind == "Bearer" && f.bearers[secret]
}

// scoped says whether an app was granted what a call needs; an API token has no scopes.
func (f *fake) scoped(r *http.Request, path string) bool {
	if strings.HasPrefix(r.Header.Get("Authorization"), "SSWS ") {
		return true
	}
	area := "users"
	switch {
	case strings.HasSuffix(path, "/roles"), strings.HasPrefix(path, "iam/"):
		area = "roles"
	case strings.HasPrefix(path, "groups"), strings.HasSuffix(path, "/groups"):
		area = "groups"
	case strings.HasPrefix(path, "meta/"):
		area = "schemas"
	}
	return slices.Contains(f.scopes, "okta."+area+".manage") || r.Method == http.MethodGet && slices.Contains(f.scopes, "okta."+area+".read")
}

func (f *fake) signIn(w http.ResponseWriter, r *http.Request) {
	f.signIns++
	refuse := func(status int, code, words string) {
		reply(w, status, map[string]string{"error": code, "error_description": words})
	}
	asked := strings.Fields(r.PostFormValue("scope"))
	assertion := r.PostFormValue("client_assertion")
	claims, err := readAssertion(assertion)
	switch {
	case r.URL.RawQuery != "" || r.PostFormValue("grant_type") != "client_credentials":
		refuse(400, "invalid_request", "The request is missing a required parameter.")
	case err != nil || claims.Issuer != "0oarollcall" || claims.Subject != claims.Issuer || claims.Audience != f.URL+"/oauth2/v1/token":
		refuse(401, "invalid_client", "The client_assertion signature is invalid.")
	case slices.ContainsFunc(asked, func(scope string) bool { return !slices.Contains(f.scopes, scope) }):
		refuse(400, "invalid_scope", "One or more scopes are not configured for the authorization server resource.")
	default:
		f.assertions = append(f.assertions, assertion)
		bearer := fmt.Sprintf("eyJ.bearer.%d", f.signIns)
		f.bearers[bearer] = true
		reply(w, 200, map[string]any{"token_type": "Bearer", "expires_in": 3600, "access_token": bearer, "scope": strings.Join(asked, " ")})
	}
}

func (f *fake) route(w http.ResponseWriter, r *http.Request, path []string) {
	writes := r.Method != http.MethodGet
	plainList := len(path) == 1 && path[0] == "users" && !writes
	switch {
	case f.role == "" && plainList: // scopes and no role: an empty list, where it should be a refusal
		reply(w, 200, []any{})
	case f.role == "", writes && f.role == "read":
		forbidden(w)
	case (path[len(path)-1] == "roles" || path[0] == "iam") && f.role != "super":
		forbidden(w)
	case path[0] == "users":
		f.usersCall(w, r, path[1:])
	case path[0] == "groups":
		f.groupsCall(w, r, path[1:])
	case strings.Join(path, "/") == "iam/assignees/users":
		f.assignees(w, r)
	case strings.Join(path, "/") == "meta/schemas/user/default":
		f.schemaCall(w)
	default:
		http.NotFound(w, r)
	}
}

// cut answers with one page of a list and the links to this page and the next, each in a header line of its own.
func cut[T any](f *fake, w http.ResponseWriter, r *http.Request, all []T, id func(T) string, standard int) {
	query := r.URL.Query()
	size := standard
	if text := query.Get("limit"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 {
			invalid(w, "limit", "limit: must be a positive number")
			return
		}
		size = min(n, maxPage)
	}
	start := 0
	if after := query.Get("after"); after != "" {
		last, ok := f.links[after]
		if !ok {
			invalid(w, "after", "after: the cursor is invalid or has expired")
			return
		}
		start = slices.IndexFunc(all, func(item T) bool { return id(item) > last })
		if start < 0 {
			start = len(all)
		}
	}
	end := min(start+size, len(all))
	w.Header().Add("Link", "<"+f.URL+r.URL.RequestURI()+`>; rel="self"`)
	if end < len(all) {
		token := fmt.Sprintf("c%dx%s", len(f.links), r.Header.Get("X-None"))
		f.links[token] = id(all[end-1])
		query.Set("after", token)
		query.Set("limit", strconv.Itoa(size))
		w.Header().Add("Link", "<"+f.URL+r.URL.Path+"?"+query.Encode()+`>; rel="next"`)
	}
	f.maxSeen = max(f.maxSeen, end-start)
	reply(w, 200, append([]T{}, all[start:end]...))
}
