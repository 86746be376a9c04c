package wordpress

import (
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/rollcall-sync/rollcall/targets/wordpress/users"
)

func (f *fake) collection(r *fakeRequest) *fakeAnswer {
	switch r.method {
	case http.MethodOptions:
		return f.schema(r)
	case http.MethodPost:
		return f.create(r)
	default:
		return f.list(r)
	}
}

func (f *fake) schema(r *fakeRequest) *fakeAnswer {
	properties := map[string]any{preferences: map[string]any{"type": "object"}}
	for key, kind := range f.meta {
		properties[key] = map[string]any{"type": kind}
	}
	items := map[string]any{"type": "string"}
	if f.schemaRoles {
		var names []string
		for role := range f.roles {
			names = append(names, role)
		}
		items["enum"] = names
	}
	post := map[string]any{"methods": []any{"POST"}}
	if f.batch {
		post["allow_batch"] = map[string]any{"v1": true}
	}
	r.headers.Set("Allow", "GET")
	if f.caps(r.who)["create_users"] {
		r.headers.Set("Allow", "GET, POST")
	}
	return &fakeAnswer{200, map[string]any{
		"endpoints": []any{map[string]any{"methods": []any{"GET"}}, post},
		"schema": map[string]any{"properties": map[string]any{
			"meta":   map[string]any{"type": "object", "properties": properties},
			"locale": map[string]any{"type": "string", "enum": []any{"", "en_US"}},
			"roles":  map[string]any{"type": "array", "items": items},
		}},
	}}
}

func (f *fake) list(r *fakeRequest) *fakeAnswer {
	number := func(name string, otherwise, least, most int) (int, *fakeAnswer) {
		text := r.query.Get(name)
		if text == "" {
			return otherwise, nil
		}
		n, err := strconv.Atoi(text)
		if err != nil || n < least || n > most {
			return 0, invalid(name, "rest_out_of_bounds", fmt.Sprintf("%s must be between %d (inclusive) and %d (inclusive)", name, least, most))
		}
		return n, nil
	}
	size, bad := number("per_page", 10, 1, 100)
	page, bad2 := number("page", 1, 1, 1<<30)
	if bad != nil || bad2 != nil {
		return slices.DeleteFunc([]*fakeAnswer{bad, bad2}, func(a *fakeAnswer) bool { return a == nil })[0]
	}
	caps, edit := f.caps(r.who), r.query.Get("context") == "edit"
	if edit && !caps["list_users"] {
		return refuse(forbidden(r), "rest_forbidden_context", "Sorry, you are not allowed to edit users.")
	}
	var hits []*fakeUser
	for _, u := range f.users {
		if f.matches(r, u) && (caps["list_users"] || u.posts > 0) {
			hits = append(hits, u)
		}
	}
	if r.query.Get("orderby") != "id" {
		slices.SortStableFunc(hits, func(a, b *fakeUser) int { return strings.Compare(a.name, b.name) })
	}
	r.headers.Set("X-WP-Total", strconv.Itoa(len(hits)))
	r.headers.Set("X-WP-TotalPages", strconv.Itoa((len(hits)+size-1)/size))
	rows := []any{}
	for i, u := range hits {
		// Users that may not be edited are left out without a word, and the totals stay.
		if i/size+1 == page && (!edit || u == r.who || caps["edit_users"]) {
			rows = append(rows, f.show(r, u, edit))
		}
	}
	return &fakeAnswer{200, rows}
}

func (f *fake) matches(r *fakeRequest, u *fakeUser) bool {
	if roles := r.query.Get("roles"); roles != "" && !slices.ContainsFunc(strings.Split(roles, ","), func(role string) bool { return slices.Contains(u.roles, role) }) {
		return false
	}
	term := strings.Trim(strings.TrimSpace(r.query.Get("search")), "*")
	if term == "" {
		return true
	}
	within := func(values ...string) bool {
		return slices.ContainsFunc(values, func(v string) bool { return strings.Contains(users.Fold(v), users.Fold(term)) })
	}
	if f.columns {
		switch r.query.Get("search_columns") {
		case "email":
			return within(u.email)
		case "username":
			return within(u.login)
		}
	}
	if strings.Contains(term, "@") {
		return within(u.email)
	}
	if _, err := strconv.Atoi(term); err == nil {
		return within(u.login) || strconv.Itoa(u.id) == term
	}
	return within(u.login, u.email, u.url, u.slug, u.name)
}

var (
	strictLogin = regexp.MustCompile(`^[A-Za-z0-9_.@-]+( [A-Za-z0-9_.@-]+)*$`)
	addressForm = regexp.MustCompile("^[a-zA-Z0-9!#$%&'*+/=?^_`{|}~.-]+@[a-zA-Z0-9]([a-zA-Z0-9-]*[a-zA-Z0-9])?(\\.[a-zA-Z0-9]([a-zA-Z0-9-]*[a-zA-Z0-9])?)+$")
	tag         = regexp.MustCompile(`<[A-Za-z/!][^<>]*>`)
	octet       = regexp.MustCompile(`%[a-fA-F0-9]{2}`)
	entity      = regexp.MustCompile(`^&(#\d+|#x[0-9a-fA-F]+|[A-Za-z][A-Za-z0-9]{1,9});`)
)

// entities escapes each ampersand that begins no entity.
func entities(text string) string {
	var b strings.Builder
	for i := range len(text) {
		if text[i] == '&' && !entity.MatchString(text[i:]) {
			b.WriteString("&amp;")
			continue
		}
		b.WriteByte(text[i])
	}
	return b.String()
}

func brackets(text string) string { return strings.NewReplacer("<", "&lt;", ">", "&gt;").Replace(text) }

// oneLine is what WordPress makes of a name: no tags, no octets, no spaces too many, escaped.
func oneLine(text string) string {
	text = octet.ReplaceAllString(tag.ReplaceAllString(text, ""), "")
	return brackets(entities(strings.Join(strings.Fields(text), " ")))
}

// validate is the check of the parameters, before rights are looked at.
func (f *fake) validate(r *fakeRequest, create bool) *fakeAnswer {
	var missing []any
	for _, name := range []string{"username", "email", "password"} {
		if _, ok := r.body[name]; create && !ok {
			missing = append(missing, name)
		}
	}
	if len(missing) > 0 {
		return &fakeAnswer{400, map[string]any{
			"code": "rest_missing_callback_param", "message": "Missing parameter(s)", "data": map[string]any{"status": 400, "params": missing},
		}}
	}
	if email, ok := r.body["email"]; ok && !addressForm.MatchString(fmt.Sprint(email)) {
		return invalid("email", "rest_invalid_email", "Invalid email address.")
	}
	if login, ok := r.body["username"].(string); ok && !strictLogin.MatchString(login) {
		return invalid("username", "rest_user_invalid_username", "This username is invalid because it uses illegal characters. Please enter a valid username.")
	}
	if password, ok := r.body["password"].(string); ok && (password == "" || strings.Contains(password, `\`)) {
		return invalid("password", "rest_user_invalid_password", "Passwords cannot be empty.")
	}
	if locale, ok := r.body["locale"].(string); ok && locale != "" && locale != "en_US" {
		return invalid("locale", "rest_not_in_enum", "locale is not one of  and en_US.")
	}
	return nil
}

// rolesOf reads roles as WordPress does: a text is split at its commas.
func rolesOf(body map[string]any) (roles []string, given bool) {
	switch x := body["roles"].(type) {
	case string:
		return strings.Split(x, ","), true
	case []any:
		for _, item := range x {
			roles = append(roles, item.(string))
		}
		return roles, true
	}
	return nil, false
}

func (f *fake) checkRoles(r *fakeRequest, u *fakeUser, roles []string) *fakeAnswer {
	for _, role := range roles {
		if _, ok := f.roles[role]; !ok {
			return refuse(400, "rest_user_invalid_role", "The role "+role+" does not exist.")
		}
		if u != nil && u == r.who && !slices.Contains(f.roles[role], "edit_users") {
			return refuse(403, "rest_user_invalid_role", "Sorry, you are not allowed to give users that role.")
		}
	}
	return nil
}

func (f *fake) create(r *fakeRequest) *fakeAnswer {
	if bad := f.validate(r, true); bad != nil {
		return bad
	}
	if !f.caps(r.who)["create_users"] {
		return refuse(forbidden(r), "rest_cannot_create_user", "Sorry, you are not allowed to create new users.")
	}
	roles, given := rolesOf(r.body)
	if bad := f.checkRoles(r, nil, roles); bad != nil {
		return bad
	}
	if !given {
		roles = []string{"subscriber"}
	}
	text := func(name string) string { s, _ := r.body[name].(string); return s }
	login, email := text("username"), entities(text("email"))
	if f.multisite && f.byLogin(login) != nil {
		bad := refuse(400, "rest_invalid_param", "Invalid user parameter(s).")
		bad.body.(map[string]any)["additional_errors"] = []any{map[string]any{"code": "user_name", "message": "Sorry, that username already exists!", "data": nil}}
		return bad
	}
	if bad := f.taken(login, email); bad != nil {
		return bad
	}
	switch {
	case utf8.RuneCountInString(login) > 60:
		return lower("user_login_too_long", "Username may not be longer than 60 characters.")
	case utf8.RuneCountInString(entities(text("url"))) > 100:
		return lower("user_url_too_long", "User URL may not be longer than 100 characters.")
	case utf8.RuneCountInString(email) > 100 || utf8.RuneCountInString(oneLine(text("name"))) > 250:
		return crash()
	}
	if f.stored != nil {
		// Other requests get in between: there is no unique index.
		f.mu.Unlock()
		f.stored(login)
		f.mu.Lock()
	}
	f.last++
	u := &fakeUser{
		id: f.last, login: login, email: email, nick: login, name: login, slug: strings.ToLower(login), password: text("password"),
		roles: slices.Compact(slices.Sorted(slices.Values(roles))), meta: map[string]any{}, registered: time.Now().UTC().Truncate(time.Second),
	}
	if first, last := oneLine(text("first_name")), oneLine(text("last_name")); first != "" && last != "" {
		u.name = first + " " + last
	}
	f.users = append(f.users, u)
	f.assign(u, r.body)
	if bad := f.assignMeta(u, r.body); bad != nil {
		return bad // the user is there all the same
	}
	return &fakeAnswer{201, f.show(r, u, true)}
}

func (f *fake) taken(login, email string) *fakeAnswer {
	for _, u := range f.users {
		if users.Fold(u.login) == users.Fold(login) {
			return lower("existing_user_login", "Sorry, that username already exists!")
		}
	}
	for _, u := range f.users {
		if users.Fold(u.email) == users.Fold(email) {
			return lower("existing_user_email", "Sorry, that email address is already used!")
		}
	}
	return nil
}

// assign sets the fields that are given; null counts as not given.
func (f *fake) assign(u *fakeUser, body map[string]any) {
	for name, set := range map[string]func(string){
		"first_name": func(s string) { u.first = oneLine(s) }, "last_name": func(s string) { u.last = oneLine(s) },
		"name":        func(s string) { u.name = oneLine(s) },
		"nickname":    func(s string) { u.nick = oneLine(s) },
		"description": func(s string) { u.bio = entities(tag.ReplaceAllString(s, "")) },
		"locale":      func(s string) { u.locale = s },
		"url": func(s string) {
			if s != "" && !strings.Contains(s, "://") {
				s = "http://" + s
			}
			u.url = entities(s)
		},
	} {
		if text, ok := body[name].(string); ok {
			set(text)
		}
	}
	if u.name == "" {
		u.name = u.login
	}
	if u.nick == "" {
		u.nick = u.login
	}
}

// assignMeta sets registered meta; the rest is dropped without a word.
func (f *fake) assignMeta(u *fakeUser, body map[string]any) *fakeAnswer {
	meta, _ := body["meta"].(map[string]any)
	for key, value := range meta {
		kind, ok := f.meta[key]
		if !ok {
			continue
		}
		if value == nil {
			delete(u.meta, key)
			continue
		}
		fits := false
		switch value.(type) {
		case string:
			fits = kind == "string"
		case bool:
			fits = kind == "boolean"
		case float64:
			fits = kind == "integer" || kind == "number"
		case []any:
			fits = kind == "array"
		}
		if !fits {
			bad := refuse(400, "rest_invalid_type", fmt.Sprintf("meta.%s is not of type %s.", key, kind))
			bad.body.(map[string]any)["additional_data"] = []any{map[string]any{"param": "meta." + key}}
			return bad
		}
		u.meta[key] = value
	}
	return nil
}

func (f *fake) update(r *fakeRequest, u *fakeUser) *fakeAnswer {
	if bad := f.validate(r, false); bad != nil {
		return bad
	}
	roles, given := rolesOf(r.body)
	caps := f.caps(r.who)
	switch {
	case len(roles) > 0 && !caps["promote_users"]:
		return refuse(forbidden(r), "rest_cannot_edit_roles", "Sorry, you are not allowed to edit roles of this user.")
	case u != r.who && !caps["edit_users"]:
		return refuse(forbidden(r), "rest_cannot_edit", "Sorry, you are not allowed to edit this user.")
	}
	email, moves := r.body["email"].(string)
	email = entities(email)
	for _, other := range f.users {
		if moves && other != u && users.Fold(other.email) == users.Fold(email) {
			return refuse(400, "rest_user_invalid_email", "Invalid email address.")
		}
	}
	if login, ok := r.body["username"].(string); ok && login != u.login {
		return refuse(400, "rest_user_invalid_argument", "Username is not editable.")
	}
	if bad := f.checkRoles(r, u, roles); bad != nil {
		return bad
	}
	if link, _ := r.body["url"].(string); utf8.RuneCountInString(entities(link)) > 100 {
		return lower("user_url_too_long", "User URL may not be longer than 100 characters.")
	}
	before := *u
	f.assign(u, r.body)
	if moves && !f.heldAddress {
		u.email = email
	}
	// A row that the database refuses stays as it was, and the answer is 200 all the same.
	if utf8.RuneCountInString(u.name) > 250 || utf8.RuneCountInString(u.email) > 100 {
		u.name, u.email, u.url = before.name, before.email, before.url
	}
	if u.email != before.email {
		f.mails = append(f.mails, "to "+before.email+": your address was changed")
	}
	if password, ok := r.body["password"].(string); ok {
		u.password = password
		f.mails = append(f.mails, "to "+u.email+": your password was changed")
	}
	if given {
		u.roles = slices.Clone(roles)
		if f.stubbornRoles {
			u.roles = []string{"subscriber"}
		}
	}
	if bad := f.assignMeta(u, r.body); bad != nil {
		return bad
	}
	return &fakeAnswer{200, f.show(r, u, true)}
}
