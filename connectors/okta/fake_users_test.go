package okta

import (
	"encoding/json"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// shown is a user as Okta tells it, thinner where the request says so.
func (f *fake) shown(u *fakeUser, r *http.Request) map[string]any {
	record := map[string]any{
		"id": u.ID, "status": u.Status, "created": u.Created.Format(stamp), "activated": nil, "statusChanged": nil, "lastLogin": nil,
		"lastUpdated": u.Updated.Format(stamp), "passwordChanged": nil, "type": map[string]string{"id": "oty1"}, "profile": u.Profile,
	}
	if !strings.Contains(r.Header.Get("Content-Type"), "okta-response") {
		record["credentials"] = map[string]any{"provider": map[string]string{"type": u.Provider, "name": u.Provider}}
		record["_links"] = map[string]any{"self": map[string]string{"href": f.URL + "/api/v1/users/" + u.ID}}
		if u.Becoming != "" {
			record["transitioningToStatus"] = u.Becoming
		}
	}
	return record
}

const stamp = "2006-01-02T15:04:05.000Z"

func (f *fake) user(id string) *fakeUser {
	for _, u := range f.users {
		if u.ID == id || id == "me" && u.ID == f.owner || strings.EqualFold(u.Profile["login"].(string), id) {
			return u
		}
	}
	return nil
}

func (f *fake) usersCall(w http.ResponseWriter, r *http.Request, path []string) {
	if len(path) == 0 {
		switch r.Method {
		case http.MethodGet:
			f.listUsers(w, r)
		case http.MethodPost:
			f.createUser(w, r)
		default:
			fail(w, 405, "E0000022", "The endpoint does not support the provided HTTP method")
		}
		return
	}
	u := f.user(path[0])
	if u == nil {
		unknown(w, path[0], "User")
		return
	}
	if u.left > 0 && r.Method == http.MethodGet {
		if u.left--; u.left == 0 {
			u.Status, u.Becoming = u.Becoming, ""
		}
	}
	switch rest := r.Method + " " + strings.Join(path[1:], "/"); rest {
	case "GET ":
		reply(w, 200, f.shown(u, r))
	case "POST ", "PUT ":
		f.updateUser(w, r, u)
	case "DELETE ":
		f.deleteUser(w, u)
	case "GET roles":
		f.rolesOf(w, u.ID, u.groups)
	case "GET groups":
		groups := []*fakeGroup{}
		for _, g := range f.groups {
			if g.id == everyone || slices.Contains(u.groups, g.id) {
				groups = append(groups, g)
			}
		}
		f.replyGroups(w, r, groups, 20)
	case "DELETE sessions":
		u.sessions++
		w.WriteHeader(204)
	default:
		step, ok := strings.CutPrefix(rest, "POST lifecycle/")
		if !ok {
			http.NotFound(w, r)
			return
		}
		f.lifecycle(w, r, u, step)
	}
}

var condition = regexp.MustCompile(`^(status|profile\.[A-Za-z]+) eq "((?:[^"\\]|\\.)*)"$`)

// listUsers leaves out deactivated users, unless a filter names their status or a search is made.
func (f *fake) listUsers(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	filter, search := query.Get("filter"), query.Get("search")
	var wanted [][2]string
	for _, part := range strings.Split(filter+search, " and ") {
		if part == "" {
			continue
		}
		found := condition.FindStringSubmatch(part)
		if found == nil || filter != "" && !slices.Contains([]string{"status", "profile.login", "profile.email", "profile.firstName", "profile.lastName"}, found[1]) {
			fail(w, 400, codeBadSearch, "Invalid search criteria.")
			return
		}
		wanted = append(wanted, [2]string{found[1], strings.NewReplacer(`\\`, `\`, `\"`, `"`).Replace(found[2])})
	}
	all := []*fakeUser{}
	for _, u := range f.users {
		fits := u.Status != statusDeprovisioned || search != "" || strings.Contains(filter, "status eq")
		for _, pair := range wanted {
			have := u.Status
			if key, ok := strings.CutPrefix(pair[0], "profile."); ok {
				have, _ = u.Profile[key].(string)
			}
			fits = fits && strings.EqualFold(have, pair[1])
		}
		if fits {
			all = append(all, u)
		}
	}
	f.replyUsers(w, r, all)
}

func (f *fake) replyUsers(w http.ResponseWriter, r *http.Request, all []*fakeUser) {
	rows := []*row{}
	for _, u := range all {
		rows = append(rows, &row{u.ID, f.shown(u, r)})
	}
	cut(f, w, r, rows, func(item *row) string { return item.id }, maxPage)
}

// row is a record with its id beside it.
type row struct {
	id     string
	record map[string]any
}

func (r *row) MarshalJSON() ([]byte, error) { return json.Marshal(r.record) }

func body(r *http.Request, f *fake, out any) {
	data, _ := io.ReadAll(r.Body)
	f.bodies = append(f.bodies, string(data))
	_ = json.Unmarshal(data, out)
}

type writeBody struct {
	Profile     map[string]any
	GroupIds    []string
	Credentials struct {
		Password struct{ Value string }
	}
}

func (f *fake) createUser(w http.ResponseWriter, r *http.Request) {
	var in writeBody
	body(r, f, &in)
	whole := map[string]any{}
	for key, value := range in.Profile {
		if value != nil {
			whole[key] = value
		}
	}
	if !f.valid(w, whole, "") {
		return
	}
	for _, id := range in.GroupIds {
		if g := f.group(id); g == nil {
			unknown(w, id, "UserGroup")
			return
		} else if g.kind != typeOkta {
			forbidden(w)
			return
		}
	}
	if password := in.Credentials.Password.Value; password != "" && !strongPassword(password) {
		invalid(w, "password", "password: Password requirements were not met.")
		return
	}
	u := f.add(fakeUser{Status: statusStaged, Profile: whole, groups: in.GroupIds, password: in.Credentials.Password.Value})
	if r.URL.Query().Get("activate") != "false" {
		f.activate(u, true)
	}
	reply(w, 200, f.shown(u, r))
}

func strongPassword(password string) bool {
	return len(password) <= 72 && strings.ContainsAny(password, "abcdefghijklmnopqrstuvwxyz") && strings.ContainsAny(password, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") &&
		strings.ContainsAny(password, "0123456789") && strings.ContainsAny(password, ".-!#")
}

// activate mails a link to whoever has no password, unless told not to.
func (f *fake) activate(u *fakeUser, mail bool) {
	u.Status = statusActive
	if u.password == "" {
		u.Status = "PROVISIONED"
		if mail {
			u.mails++
		}
	}
}

var address = regexp.MustCompile(`^[^@\s]+@[^@\s]+\.[^@\s]+$`)

// valid checks a whole profile as the default schema does.
func (f *fake) valid(w http.ResponseWriter, whole map[string]any, self string) bool {
	for key, value := range whole {
		kind, ok := f.schema[key]
		if !ok {
			invalid(w, key, key+": Property name '"+key+"' is not defined in the user schema")
			return false
		}
		if !typed(kind, value) {
			invalid(w, key, key+": Does not match the type "+kind)
			return false
		}
	}
	for _, f := range fields {
		text, _ := whole[f.key].(string)
		if f.longest > 0 && utf8.RuneCountInString(text) > f.longest {
			invalid(w, f.key, f.key+": String is too long")
			return false
		}
	}
	for _, key := range []string{"login", "email", "firstName", "lastName"} {
		if text, _ := whole[key].(string); text == "" {
			invalid(w, key, key+": The field cannot be left blank")
			return false
		}
	}
	if !address.MatchString(whole["login"].(string)) {
		invalid(w, "login", "login: Username must be in the form of an email address")
		return false
	}
	if !address.MatchString(whole["email"].(string)) {
		invalid(w, "email", "email: Does not match required pattern")
		return false
	}
	for _, u := range f.users {
		if u.ID != self && strings.EqualFold(u.Profile["login"].(string), whole["login"].(string)) {
			invalid(w, "login", "login: An object with this field already exists in the current organization")
			return false
		}
	}
	return true
}

func typed(kind string, value any) bool {
	switch x := value.(type) {
	case string:
		return kind == "string"
	case float64:
		return kind == "integer" && x == float64(int64(x)) || kind == "number"
	case bool:
		return kind == "boolean"
	case []any:
		return strings.HasPrefix(kind, "array of ")
	default:
		return false
	}
}

// updateUser merges with POST, and with PUT empties what is not named.
func (f *fake) updateUser(w http.ResponseWriter, r *http.Request, u *fakeUser) {
	var in writeBody
	body(r, f, &in)
	if u.Provider != "OKTA" {
		fail(w, 403, codeMastered, "Operation failed because user profile is mastered under another system")
		return
	}
	whole := map[string]any{}
	if r.Method == http.MethodPost {
		for key, value := range u.Profile {
			whole[key] = value
		}
	}
	for key, value := range in.Profile {
		if whole[key] = value; value == nil {
			if _, ok := f.schema[key]; !ok {
				invalid(w, key, key+": Property name '"+key+"' is not defined in the user schema")
				return
			}
			delete(whole, key)
		}
	}
	if !f.valid(w, whole, u.ID) {
		return
	}
	u.Profile = whole
	f.touch(u)
	reply(w, 200, f.shown(u, r))
}

func (f *fake) touch(u *fakeUser) {
	f.now = f.now.Add(time.Millisecond)
	u.Updated = f.now
}

func (f *fake) lifecycle(w http.ResponseWriter, r *http.Request, u *fakeUser, step string) {
	allowed := map[string][]string{
		"suspend": {statusActive}, "unsuspend": {statusSuspended}, "activate": {statusStaged, statusDeprovisioned},
		"deactivate": {statusStaged, "PROVISIONED", statusActive, "RECOVERY", "PASSWORD_EXPIRED", "LOCKED_OUT", statusSuspended},
	}
	from, ok := allowed[step]
	switch {
	case !ok:
		http.NotFound(w, r)
		return
	case step == "activate" && !slices.Contains(from, u.Status):
		fail(w, 403, codeAlreadyActive, "Activation failed because the user is already active")
		return
	case !slices.Contains(from, u.Status):
		fail(w, 403, codeWrongStatus, "This operation is not allowed in the user's current status.")
		return
	}
	f.touch(u)
	switch step {
	case "suspend":
		u.Status = statusSuspended
	case "unsuspend":
		u.Status = statusActive
	case "deactivate":
		f.deactivate(u)
	case "activate":
		mail := r.URL.Query().Get("sendEmail") != "false"
		f.activate(u, mail)
		if !mail {
			reply(w, 200, map[string]string{"activationUrl": f.URL + "/welcome/secret", "activationToken": "secret"})
			return
		}
	}
	reply(w, 200, map[string]any{})
}

// deactivate takes the password away, ends sessions, and may take its time.
func (f *fake) deactivate(u *fakeUser) {
	u.password, u.sessions = "", u.sessions+1
	if f.slow > 0 {
		u.Becoming, u.left = statusDeprovisioned, f.slow
		return
	}
	u.Status = statusDeprovisioned
}

// deleteUser deactivates at first, and erases whoever is deactivated.
func (f *fake) deleteUser(w http.ResponseWriter, u *fakeUser) {
	if u.Status != statusDeprovisioned {
		f.touch(u)
		f.deactivate(u)
	} else {
		f.users = slices.DeleteFunc(f.users, func(other *fakeUser) bool { return other == u })
	}
	w.WriteHeader(204)
}
