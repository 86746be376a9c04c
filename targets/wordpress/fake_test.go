package wordpress

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rollcall-sync/rollcall/sync/directory"
)

// fake is a WordPress 6.1 in this process. It answers as the real one was seen to answer: real paging, totals and
// permissions, errors of the lower layer as 500, escaping, dropped meta, silent failures, mails.
type fake struct {
	mu       sync.Mutex
	users    []*fakeUser
	last     int
	roles    map[string][]string // role to capabilities
	meta     map[string]string   // registered meta key to type
	mails    []string
	requests []string

	// What differs from site to site.
	path          string // of a site in a subfolder
	plain         bool   // plain permalinks
	batch         bool   // 6.6: users take part in batch/v1
	batchRefused  bool   // they do not, whatever the site says
	columns       bool   // 6.8: search_columns is obeyed
	multisite     bool
	early         bool   // a plugin asks for the current user early: other codes for a wrong password
	noPasswords   bool   // application passwords cannot be managed
	schemaRoles   bool   // a plugin makes the schema tell the roles
	dropMeta      bool   // a registered key is not stored all the same
	stubbornRoles bool   // a plugin gives a role back at once
	heldAddress   bool   // a plugin holds new addresses back until they are confirmed
	noDelete      bool   // the web server refuses DELETE
	before        string // printed before each answer, by a careless PHP file

	// meddle may answer in WordPress's place; stored is called between the look for duplicates and the storing.
	meddle func(w http.ResponseWriter, r *http.Request) bool
	stored func(login string)
}

type fakeUser struct {
	id                                                            int
	login, email, name, first, last, nick, url, bio, locale, slug string
	password                                                      string
	apps                                                          []string
	roles                                                         []string
	extra                                                         map[string]bool
	meta                                                          map[string]any
	registered                                                    time.Time
	posts                                                         int
}

const fakePassword = "abcd EFGH ijkl MNOP qrst UVWX"

func newFake() *fake {
	reader := []string{"read", "level_0"}
	author := append(slices.Clone(reader), "edit_posts", "publish_posts")
	f := &fake{
		roles: map[string][]string{
			"subscriber": reader, "contributor": append(slices.Clone(reader), "edit_posts"), "author": author,
			"editor":        append(slices.Clone(author), "edit_others_posts", "list_posts"),
			"administrator": append(slices.Clone(author), "list_users", "edit_users", "create_users", "promote_users", "delete_users", "remove_users", "manage_options"),
			"lister":        append(slices.Clone(reader), "list_users"),
			"helpdesk":      append(slices.Clone(reader), "list_users", "edit_users", "create_users"),
			"member":        reader,
		},
		meta: map[string]string{},
	}
	f.add(&fakeUser{login: "admin", email: "admin@example.com", roles: []string{"administrator"}, apps: []string{fakePassword}})
	return f
}

// add puts a user there behind the API's back.
func (f *fake) add(u *fakeUser) *fakeUser {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.last++
	u.id = f.last
	if u.name == "" {
		u.name = u.login
	}
	if u.nick == "" {
		u.nick = u.login
	}
	if u.meta == nil {
		u.meta = map[string]any{}
	}
	u.slug, u.registered = strings.ToLower(u.login), time.Date(2026, 11, 22, 1, 34, 37, 0, time.UTC)
	f.users = append(f.users, u)
	return u
}

func (f *fake) addMany(n int, role string) {
	for i := range n {
		f.add(&fakeUser{login: fmt.Sprintf("person%04d", i+1), email: fmt.Sprintf("person%04d@example.com", i+1), roles: []string{role}})
	}
}

func (f *fake) user(id string) *fakeUser {
	for _, u := range f.users {
		if strconv.Itoa(u.id) == id {
			return u
		}
	}
	return nil
}

func (f *fake) byLogin(login string) *fakeUser {
	for _, u := range f.users {
		if strings.EqualFold(u.login, login) {
			return u
		}
	}
	return nil
}

// start serves the fake and returns its address.
func (f *fake) start(t testing.TB) string {
	server := httptest.NewServer(f)
	t.Cleanup(server.Close)
	return server.URL + f.path
}

// open opens the fake as a directory; options are pairs of names and values.
func (f *fake) open(t testing.TB, options ...any) *site {
	t.Helper()
	return openAt(t, f.start(t), options...)
}

func openAt(t testing.TB, address string, options ...any) *site {
	t.Helper()
	d, err := tryOpen(append([]any{"url", address, "username", "admin", "password", fakePassword}, options...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Close() })
	return d.(*site)
}

func tryOpen(options ...any) (directory.Directory, error) {
	settings := directory.Settings{Name: "website", Values: map[string]any{}}
	for i := 0; i < len(options); i += 2 {
		settings.Values[options[i].(string)] = options[i+1]
	}
	settings, faults := Type.Complete(settings)
	if len(faults) > 0 {
		return nil, faults[0]
	}
	return Type.Open(settings)
}

// fakeRequest is one request inside, from outside or from a batch.
type fakeRequest struct {
	method, route string
	query         url.Values
	body          map[string]any
	who           *fakeUser
	headers       http.Header
}

type fakeAnswer struct {
	status int
	body   any
}

// sent returns the requests since the last call of it.
func (f *fake) sent() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	sent := f.requests
	f.requests = nil
	return sent
}

func (f *fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	f.requests = append(f.requests, r.Method+" "+r.URL.RequestURI())
	meddle := f.meddle
	f.mu.Unlock()
	if meddle != nil && meddle(w, r) {
		return
	}
	if f.noDelete && r.Method == http.MethodDelete {
		http.Error(w, "<html><head><title>405 Not Allowed</title></head></html>", http.StatusMethodNotAllowed)
		return
	}
	route, ok := strings.CutPrefix(r.URL.Path, f.path+"/wp-json")
	query := r.URL.Query()
	if rest := query.Get("rest_route"); rest != "" {
		route, ok = rest, true
	} else if f.plain && strings.HasPrefix(r.URL.Path, f.path+"/") {
		w.Header().Set("Content-Type", "text/html; charset=UTF-8")
		fmt.Fprint(w, "<!DOCTYPE html><html><head><title>Example site</title></head><body>Welcome</body></html>")
		return
	}
	if !ok {
		w.Header().Set("Content-Type", "text/html; charset=UTF-8")
		w.WriteHeader(http.StatusNotFound)
		fmt.Fprint(w, "<!DOCTYPE html><html><head><title>Page not found</title></head><body></body></html>")
		return
	}
	req := fakeRequest{method: r.Method, route: route, query: query, headers: http.Header{}}
	data, _ := io.ReadAll(r.Body)
	answer := f.signIn(r, &req)
	if answer == nil && len(data) > 0 && r.Header.Get("Content-Type") == "application/json" {
		if json.Unmarshal(data, &req.body) != nil {
			answer = refuse(400, "rest_invalid_json", "Invalid JSON body passed.")
		}
	}
	if answer == nil {
		answer = f.dispatch(&req)
	}
	maps.Copy(w.Header(), req.headers)
	w.Header().Set("Content-Type", "application/json; charset=UTF-8")
	w.WriteHeader(answer.status)
	_, _ = io.WriteString(w, f.before)
	if r.Method != http.MethodHead {
		_ = json.NewEncoder(w).Encode(answer.body)
	}
}

// signIn finds the user of an application password. A wrong one is nobody, not an error, unless a plugin asks early.
func (f *fake) signIn(r *http.Request, req *fakeRequest) *fakeAnswer {
	name, password, given := r.BasicAuth()
	if !given {
		return nil
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	u := f.byLogin(name)
	if u == nil {
		if f.early {
			return refuse(401, "invalid_username", "<strong>Error:</strong> Unknown username. Check again or try your email address.")
		}
		return nil
	}
	bare := func(p string) string { return strings.ReplaceAll(p, " ", "") }
	if slices.ContainsFunc(u.apps, func(p string) bool { return bare(p) == bare(password) }) {
		req.who = u
		return nil
	}
	if f.early {
		return refuse(401, "incorrect_password", "The provided password is an invalid application password.")
	}
	return nil
}

// carryOut does what the request asks for; its answer is lost.
func (f *fake) carryOut(r *http.Request) {
	req := fakeRequest{method: r.Method, route: strings.TrimPrefix(r.URL.Path, f.path+"/wp-json"), query: r.URL.Query(), headers: http.Header{}}
	if data, _ := io.ReadAll(r.Body); len(data) > 0 {
		if err := json.Unmarshal(data, &req.body); err != nil {
			panic(err)
		}
	}
	f.signIn(r, &req)
	f.dispatch(&req)
}

func refuse(status int, code, message string) *fakeAnswer {
	return &fakeAnswer{status, map[string]any{"code": code, "message": message, "data": map[string]any{"status": status}}}
}

// lower is an error of the insert layer: it has no status, so it becomes a 500.
func lower(code, message string) *fakeAnswer {
	return &fakeAnswer{500, map[string]any{"code": code, "message": message, "data": nil}}
}

func crash() *fakeAnswer {
	return &fakeAnswer{500, map[string]any{
		"code": "internal_server_error", "additional_errors": []any{}, "data": map[string]any{"status": 500},
		"message": "<p>There has been a critical error on this website.</p><p><a href=\"https://wordpress.org/support/\">Learn more about troubleshooting WordPress.</a></p>",
	}}
}

func invalid(param, code, message string) *fakeAnswer {
	return &fakeAnswer{400, map[string]any{
		"code": "rest_invalid_param", "message": "Invalid parameter(s): " + param,
		"data": map[string]any{
			"status": 400, "params": map[string]any{param: message},
			"details": map[string]any{param: map[string]any{"code": code, "message": message, "data": nil}},
		},
	}}
}

// caps returns what a user may do.
func (f *fake) caps(u *fakeUser) map[string]bool {
	all := map[string]bool{}
	if u == nil {
		return all
	}
	for _, role := range u.roles {
		all[role] = true
		for _, capability := range f.roles[role] {
			all[capability] = true
		}
	}
	maps.Copy(all, u.extra)
	return all
}

// forbidden is the status of a missing right.
func forbidden(r *fakeRequest) int {
	if r.who == nil {
		return 401
	}
	return 403
}

var userPath = regexp.MustCompile(`^/wp/v2/users/(\d+|me)(/application-passwords)?$`)

func (f *fake) dispatch(r *fakeRequest) *fakeAnswer {
	if r.route == "/batch/v1" && r.method == http.MethodPost {
		return f.serveBatch(r)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case r.route == "/" || r.route == "":
		return &fakeAnswer{200, map[string]any{"namespaces": []any{"wp/v2"}, "authentication": map[string]any{"application-passwords": map[string]any{}}}}
	case r.route == "/wp/v2/settings" && r.method == http.MethodOptions:
		return f.settings()
	case r.route == "/wp/v2/users":
		return f.collection(r)
	}
	match := userPath.FindStringSubmatch(r.route)
	if match == nil {
		return refuse(404, "rest_no_route", "No route was found matching the URL and request method.")
	}
	u := f.user(match[1])
	if match[1] == "me" {
		if u = r.who; u == nil {
			return refuse(401, "rest_not_logged_in", "You are not currently logged in.")
		}
	}
	if match[2] != "" {
		return f.appPasswords(r, u)
	}
	return f.item(r, u)
}

func (f *fake) settings() *fakeAnswer {
	properties := map[string]any{"title": map[string]any{"type": "string"}}
	if !f.multisite {
		properties["url"], properties["email"] = map[string]any{"type": "string"}, map[string]any{"type": "string"}
	}
	return &fakeAnswer{200, map[string]any{"schema": map[string]any{"properties": properties}}}
}

func (f *fake) appPasswords(r *fakeRequest, u *fakeUser) *fakeAnswer {
	switch {
	case f.noPasswords:
		return refuse(404, "rest_no_route", "No route was found matching the URL and request method.")
	case u == nil:
		return refuse(404, "rest_user_invalid_id", "Invalid user ID.")
	case u != r.who && !f.caps(r.who)["edit_users"]:
		return refuse(forbidden(r), "rest_cannot_manage_application_passwords", "Sorry, you are not allowed to manage application passwords for this user.")
	case r.method == http.MethodDelete:
		n := len(u.apps)
		u.apps = nil
		return &fakeAnswer{200, map[string]any{"deleted": true, "count": n}}
	default:
		list := []any{}
		for i := range u.apps {
			list = append(list, map[string]any{"uuid": strconv.Itoa(i)})
		}
		return &fakeAnswer{200, list}
	}
}

func (f *fake) item(r *fakeRequest, u *fakeUser) *fakeAnswer {
	if r.method == http.MethodDelete {
		return f.remove(r, u)
	}
	if u == nil {
		return refuse(404, "rest_user_invalid_id", "Invalid user ID.")
	}
	if r.method == http.MethodGet {
		if r.query.Get("context") == "edit" && u != r.who && !f.caps(r.who)["list_users"] {
			return refuse(forbidden(r), "rest_user_cannot_view", "Sorry, you are not allowed to list users.")
		}
		return &fakeAnswer{200, f.show(r, u, r.query.Get("context") == "edit")}
	}
	return f.update(r, u)
}

func (f *fake) remove(r *fakeRequest, u *fakeUser) *fakeAnswer {
	reassign := r.query.Get("reassign")
	switch {
	case reassign == "":
		return &fakeAnswer{400, map[string]any{
			"code": "rest_missing_callback_param", "message": "Missing parameter(s): reassign",
			"data": map[string]any{"status": 400, "params": []any{"reassign"}},
		}}
	case u == nil:
		return refuse(404, "rest_user_invalid_id", "Invalid user ID.")
	case !f.caps(r.who)["delete_users"]:
		return refuse(forbidden(r), "rest_user_cannot_delete", "Sorry, you are not allowed to delete this user.")
	case f.multisite:
		return refuse(501, "rest_cannot_delete", "The user cannot be deleted.")
	case r.query.Get("force") != "true":
		return refuse(501, "rest_trash_not_supported", "Users do not support trashing. Set 'force=true' to delete.")
	}
	if reassign != "false" && reassign != "0" {
		heir := f.user(reassign)
		if heir == nil || heir == u {
			return refuse(400, "rest_user_invalid_reassign", "Invalid user ID for reassignment.")
		}
		heir.posts += u.posts
	}
	f.users = slices.DeleteFunc(f.users, func(other *fakeUser) bool { return other == u })
	return &fakeAnswer{200, map[string]any{"deleted": true, "previous": f.show(r, u, true)}}
}

// show renders a user.
func (f *fake) show(r *fakeRequest, u *fakeUser, edit bool) map[string]any {
	all := map[string]any{
		"id": u.id, "name": u.name, "url": u.url, "description": u.bio, "slug": u.slug,
		"link": "http://cms.example/author/" + u.slug + "/", "avatar_urls": map[string]any{"24": "http://0.gravatar.com/avatar/x?s=24"},
	}
	meta := map[string]any{}
	for key, kind := range f.meta {
		meta[key] = map[string]any{"string": "", "integer": 0, "boolean": false, "array": []any{}}[kind]
		if value, ok := u.meta[key]; ok && !f.dropMeta {
			meta[key] = value
		}
		if f.dropMeta {
			delete(meta, key)
		}
	}
	all["meta"] = meta
	if len(meta) == 0 {
		all["meta"] = []any{}
	}
	if edit {
		meta["persisted_preferences"] = []any{}
		all["meta"] = meta
		locale := u.locale
		if locale == "" {
			locale = "en_US"
		}
		maps.Copy(all, map[string]any{
			"username": u.login, "email": u.email, "first_name": u.first, "last_name": u.last, "nickname": u.nick, "locale": locale,
			"roles": append([]string{}, u.roles...), "capabilities": f.caps(u), "extra_capabilities": map[string]any{},
			"registered_date": u.registered.Format("2006-01-02T15:04:05+00:00"),
		})
	}
	if names := r.query.Get("_fields"); names != "" {
		wanted := strings.Split(names, ",")
		maps.DeleteFunc(all, func(name string, _ any) bool { return !slices.Contains(wanted, name) })
	}
	return all
}

// serveBatch answers batch/v1. The parts run one after the other.
func (f *fake) serveBatch(r *fakeRequest) *fakeAnswer {
	parts, _ := r.body["requests"].([]any)
	if len(parts) > 25 {
		return invalid("requests", "rest_too_many_items", "requests must contain at most 25 items.")
	}
	responses := []any{}
	for _, item := range parts {
		part := item.(map[string]any)
		u, err := url.Parse(part["path"].(string))
		if err != nil {
			panic(err)
		}
		method, _ := part["method"].(string)
		body, _ := part["body"].(map[string]any)
		inner := fakeRequest{method: method, route: u.Path, query: u.Query(), body: body, who: r.who, headers: http.Header{}}
		answer := refuse(400, "rest_batch_not_allowed", "The requested route does not support batch requests.")
		if f.batch && !f.batchRefused {
			answer = f.dispatch(&inner)
		}
		responses = append(responses, map[string]any{"body": answer.body, "status": answer.status, "headers": []any{}})
	}
	return &fakeAnswer{207, map[string]any{"responses": responses}}
}
