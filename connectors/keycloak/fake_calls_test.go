package keycloak

import (
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// usersCall answers below /users.
func (f *fake) usersCall(w http.ResponseWriter, r *http.Request, path []string, sees, writes bool) {
	switch {
	case len(path) == 0 && r.Method == "GET":
		list := f.find(r)
		if !sees { // with query-users alone: no refusal, just nobody
			list = nil
		}
		reply(w, 200, f.shown(r, cut(r, list, 100)))
	case len(path) == 0 && writes:
		f.create(w, r)
	case len(path) == 1 && path[0] == "count":
		count := len(f.find(r))
		if !sees {
			count = 0
		}
		reply(w, 200, count)
	case len(path) == 1 && path[0] == "profile":
		f.profileCall(w)
	case !sees:
		fail(w, 403, "HTTP 403 Forbidden")
	default:
		id, _ := url.PathUnescape(path[0])
		u := f.user(id)
		if u == nil {
			fail(w, 404, "User not found")
			return
		}
		f.userCall(w, r, u, path[1:], writes)
	}
}

func (f *fake) profileCall(w http.ResponseWriter) {
	if f.noProfile {
		fail(w, 404, "HTTP 404 Not Found")
		return
	}
	var list []map[string]any
	for _, name := range f.profile {
		list = append(list, map[string]any{"name": name})
	}
	body := map[string]any{"attributes": list}
	if f.policy != "" {
		body["unmanagedAttributePolicy"] = f.policy
	}
	reply(w, 200, body)
}

func (f *fake) userCall(w http.ResponseWriter, r *http.Request, u *fakeUser, path []string, writes bool) {
	if len(path) == 0 && r.Method == "GET" {
		reply(w, 200, f.known(u))
		return
	}
	if r.Method != "GET" && !writes {
		fail(w, 403, "HTTP 403 Forbidden")
		return
	}
	switch {
	case len(path) == 0 && r.Method == "PUT":
		f.update(w, r, u)
	case len(path) == 0:
		f.users = slices.DeleteFunc(f.users, func(other *fakeUser) bool { return other == u })
		w.WriteHeader(204)
	case path[0] == "logout":
		u.loggedOut++
		w.WriteHeader(204)
	case path[0] == "groups" && len(path) == 1:
		var list []map[string]any
		for _, id := range u.groups {
			list = append(list, f.groupRecord(f.group(id), true))
		}
		reply(w, 200, cut(r, list, len(list)))
	case path[0] == "groups":
		f.join(w, r, u, path[1])
	default:
		f.mappings(w, r, u, path[1:])
	}
}

func (f *fake) join(w http.ResponseWriter, r *http.Request, u *fakeUser, id string) {
	if f.group(id) == nil {
		fail(w, 404, "Group not found")
		return
	}
	u.groups = slices.DeleteFunc(u.groups, func(have string) bool { return have == id })
	if r.Method == "PUT" {
		u.groups = append(u.groups, id)
	}
	w.WriteHeader(204)
}

// mappings answers below /users/{id}/role-mappings.
func (f *fake) mappings(w http.ResponseWriter, r *http.Request, u *fakeUser, path []string) {
	held := func(client string) (names []string) {
		names = append(names, u.clientRoles[client]...)
		for id := range u.ancestry(f) {
			names = append(names, f.group(id).clientRoles[client]...)
		}
		for _, name := range f.effective(u) {
			for _, part := range f.composites[name] {
				if part.Client && f.clients[part.Container] == client {
					names = append(names, part.Name)
				}
			}
		}
		return names
	}
	switch {
	case len(path) == 0:
		clients := map[string]any{}
		for id, name := range f.clients {
			if len(u.clientRoles[name]) > 0 {
				clients[name] = map[string]any{"id": id, "client": name, "mappings": asRoles(u.clientRoles[name])}
			}
		}
		reply(w, 200, map[string]any{"realmMappings": asRoles(append([]string{"default-roles-acme"}, u.realmRoles...)), "clientMappings": clients})
	case path[0] == "realm" && len(path) == 2:
		reply(w, 200, asRoles(f.effective(u)))
	case path[0] == "clients" && len(path) == 3:
		reply(w, 200, asRoles(held(f.clients[path[1]])))
	case path[0] == "realm":
		u.realmRoles = f.grant(r, u.realmRoles)
		w.WriteHeader(204)
	default:
		if u.clientRoles == nil {
			u.clientRoles = map[string][]string{}
		}
		name := f.clients[path[1]]
		u.clientRoles[name] = f.grant(r, u.clientRoles[name])
		w.WriteHeader(204)
	}
}

// effective is the realm roles of a user, those of groups and those that roles are composed of among them.
func (f *fake) effective(u *fakeUser) []string {
	names := append([]string{"default-roles-acme"}, u.realmRoles...)
	for id := range u.ancestry(f) {
		names = append(names, f.group(id).realmRoles...)
	}
	for i := 0; i < len(names); i++ {
		for _, part := range f.composites[names[i]] {
			if !part.Client && !slices.Contains(names, part.Name) {
				names = append(names, part.Name)
			}
		}
	}
	return names
}

// ancestry is the groups of a user and those above them.
func (u *fakeUser) ancestry(f *fake) map[string]bool {
	all := map[string]bool{}
	for _, id := range u.groups {
		for ; id != ""; id = f.group(id).parent {
			all[id] = true
		}
	}
	return all
}

func (f *fake) grant(r *http.Request, held []string) []string {
	var roles []fakeRole
	_ = json.NewDecoder(r.Body).Decode(&roles)
	for _, role := range roles {
		held = slices.DeleteFunc(held, func(name string) bool { return name == role.Name })
		if r.Method == "POST" {
			held = append(held, role.Name)
		}
	}
	return held
}

func asRoles(names []string) []fakeRole {
	list := []fakeRole{}
	for _, name := range names {
		list = append(list, fakeRole{ID: "id-of-" + name, Name: name})
	}
	return list
}

// written is what POST and PUT take; nil is not given.
type written struct {
	Username, FirstName, LastName, Email *string
	Enabled, EmailVerified               *bool
	Attributes                           *map[string][]string
}

func (f *fake) create(w http.ResponseWriter, r *http.Request) {
	var in written
	_ = json.NewDecoder(r.Body).Decode(&in)
	if in.Username == nil || *in.Username == "" {
		reply(w, 400, map[string]any{"errorMessage": "User name is missing"})
		return
	}
	if f.refused(w, in, nil) {
		return
	}
	u := f.add(fakeUser{Username: strings.ToLower(*in.Username)}) // enabled only where told
	f.store(u, in)
	w.Header().Set("Location", f.URL+"/admin/realms/acme/users/"+u.ID)
	w.WriteHeader(201)
}

// refused answers what the user profile and uniqueness forbid.
func (f *fake) refused(w http.ResponseWriter, in written, self *fakeUser) bool {
	length := func(field string, value *string, least int) bool {
		if value == nil || *value == "" || len([]rune(*value)) >= least && len([]rune(*value)) <= 255 {
			return false
		}
		reply(w, 400, map[string]any{"field": field, "errorMessage": "error-invalid-length", "params": []any{field, least, 255}})
		return true
	}
	if length("username", in.Username, 3) || length("email", in.Email, 0) || length("firstName", in.FirstName, 0) || length("lastName", in.LastName, 0) {
		return true
	}
	for _, name := range []*string{in.FirstName, in.LastName} {
		if name != nil && strings.ContainsAny(*name, `<>&"$%!#?§;*~/\|^=[]{}()`) {
			reply(w, 400, map[string]any{"field": "firstName", "errorMessage": "error-person-name-invalid-character"})
			return true
		}
	}
	if in.Attributes != nil {
		for name, values := range *in.Attributes {
			for _, value := range values {
				if len([]rune(value)) > maxAttribute {
					reply(w, 400, map[string]any{"field": name, "errorMessage": "error-invalid-length", "params": []any{name, 0, maxAttribute}})
					return true
				}
			}
		}
	}
	if self != nil && in.Username != nil && !f.editUsername && strings.ToLower(*in.Username) != self.Username {
		reply(w, 400, map[string]any{"field": "username", "errorMessage": "error-user-attribute-read-only"})
		return true
	}
	for _, other := range f.users {
		if other == self {
			continue
		}
		if in.Username != nil && other.Username == strings.ToLower(*in.Username) {
			reply(w, 409, map[string]any{"errorMessage": "User exists with same username"})
			return true
		}
		if in.Email != nil && *in.Email != "" && other.Email == strings.ToLower(*in.Email) {
			reply(w, 409, map[string]any{"errorMessage": "User exists with same email"})
			return true
		}
	}
	return false
}

func (f *fake) update(w http.ResponseWriter, r *http.Request, u *fakeUser) {
	var in written
	_ = json.NewDecoder(r.Body).Decode(&in)
	if f.refused(w, in, u) {
		return
	}
	if in.Attributes != nil { // what is not repeated is wiped
		for _, field := range []struct {
			to   *string
			from *string
		}{{&u.FirstName, in.FirstName}, {&u.LastName, in.LastName}, {&u.Email, in.Email}} {
			if field.from == nil {
				*field.to = ""
			}
		}
		hidden := maps.Clone(u.Attributes)
		maps.DeleteFunc(hidden, func(name string, _ []string) bool { return f.keeps(name) })
		u.Attributes = hidden
	}
	f.store(u, in)
	slices.SortFunc(f.users, func(a, b *fakeUser) int { return strings.Compare(a.Username, b.Username) })
	w.WriteHeader(204)
}

// keeps says whether an attribute is stored: others are dropped without a word.
func (f *fake) keeps(name string) bool {
	if name == "locale" {
		return f.i18n
	}
	return f.policy != "" || slices.Contains(f.profile, name)
}

func (f *fake) store(u *fakeUser, in written) {
	set := func(to *string, from *string, lower bool) {
		if from != nil {
			*to = *from
			if lower {
				*to = strings.ToLower(*to)
			}
		}
	}
	set(&u.Username, in.Username, true)
	set(&u.Email, in.Email, true)
	set(&u.FirstName, in.FirstName, false)
	set(&u.LastName, in.LastName, false)
	if in.Enabled != nil {
		u.Enabled = *in.Enabled
	}
	if in.EmailVerified != nil { // a new address alone does not change it
		u.EmailVerified = *in.EmailVerified
	}
	if in.Attributes == nil {
		return
	}
	if u.Attributes == nil {
		u.Attributes = map[string][]string{}
	}
	for name, values := range *in.Attributes {
		if f.keeps(name) {
			u.Attributes[name] = values
		}
	}
}

func (f *fake) group(id string) *fakeGroup {
	for _, g := range f.groups {
		if g.id == id {
			return g
		}
	}
	return nil
}

func (f *fake) path(g *fakeGroup) string {
	if g.parent == "" {
		return "/" + g.name
	}
	return f.path(f.group(g.parent)) + "/" + g.name
}

func (f *fake) children(id string) (list []*fakeGroup) {
	for _, g := range f.groups {
		if g.parent == id {
			list = append(list, g)
		}
	}
	return list
}

func (f *fake) groupRecord(g *fakeGroup, isBrief bool) map[string]any {
	record := map[string]any{"id": g.id, "name": g.name, "path": f.path(g), "subGroups": []any{}, "subGroupCount": len(f.children(g.id))}
	if g.parent != "" && !f.nested {
		record["parentId"] = g.parent
	}
	if !isBrief {
		record["realmRoles"], record["clientRoles"] = g.realmRoles, g.clientRoles
	}
	return record
}

// groupsCall answers below /groups.
func (f *fake) groupsCall(w http.ResponseWriter, r *http.Request, path []string, sees, writes bool) {
	isBrief := r.URL.Query().Get("briefRepresentation") != "false"
	if !sees || r.Method != "GET" && !writes {
		fail(w, 403, "HTTP 403 Forbidden")
		return
	}
	if len(path) == 0 && r.Method == "GET" {
		f.listGroups(w, r, isBrief)
		return
	}
	if len(path) == 0 {
		f.createGroup(w, r)
		return
	}
	g := f.group(path[0])
	switch {
	case g == nil:
		fail(w, 404, "Could not find group by id")
	case len(path) == 1:
		reply(w, 200, f.groupRecord(g, false))
	case path[1] == "children":
		var list []map[string]any
		for _, child := range f.children(g.id) {
			list = append(list, f.groupRecord(child, isBrief))
		}
		reply(w, 200, cut(r, list, 10)) // ten, unless asked for more
	default:
		var list []*fakeUser
		for _, u := range f.users {
			if slices.Contains(u.groups, g.id) {
				list = append(list, u)
			}
		}
		reply(w, 200, f.shown(r, cut(r, list, 100)))
	}
}

func (f *fake) listGroups(w http.ResponseWriter, r *http.Request, isBrief bool) {
	q := r.URL.Query()
	_, searched := q["search"]
	isFlat := searched && q.Get("populateHierarchy") == "false" && !f.nested
	var list []map[string]any
	for _, g := range f.groups {
		switch {
		case isFlat:
			list = append(list, f.groupRecord(g, isBrief))
		case g.parent == "":
			record := f.groupRecord(g, isBrief)
			if f.nested {
				f.nest(record, g, isBrief)
			}
			list = append(list, record)
		}
	}
	reply(w, 200, cut(r, list, len(list)))
}

func (f *fake) nest(record map[string]any, g *fakeGroup, isBrief bool) {
	var below []map[string]any
	for _, child := range f.children(g.id) {
		inner := f.groupRecord(child, isBrief)
		f.nest(inner, child, isBrief)
		below = append(below, inner)
	}
	record["subGroups"] = below
}

func (f *fake) createGroup(w http.ResponseWriter, r *http.Request) {
	var in struct{ Name string }
	_ = json.NewDecoder(r.Body).Decode(&in)
	for _, g := range f.children("") {
		if g.name == in.Name {
			reply(w, 409, map[string]any{"errorMessage": "Top level group named '" + in.Name + "' already exists."})
			return
		}
	}
	g := f.addGroup(in.Name, "")
	w.Header().Set("Location", f.URL+"/admin/realms/acme/groups/"+g.id)
	w.WriteHeader(201)
}

// rolesCall answers /roles, /clients and /components.
func (f *fake) rolesCall(w http.ResponseWriter, r *http.Request, path []string) {
	holders := func(holds func(u *fakeUser) bool) {
		var list []*fakeUser
		for _, u := range f.users {
			if holds(u) {
				list = append(list, u)
			}
		}
		reply(w, 200, f.shown(r, cut(r, list, 100)))
	}
	switch {
	case path[0] == "clients" && len(path) == 1:
		var list []map[string]string
		for id, name := range f.clients {
			if f.has(viewClients) && name == r.URL.Query().Get("clientId") {
				list = append(list, map[string]string{"id": id, "clientId": name})
			}
		}
		reply(w, 200, cut(r, list, len(list)))
	case path[0] == "clients" && !f.has(viewClients), path[0] != "clients" && !f.has(viewRealm) && len(path) != 1, path[0] == "components" && !f.has(viewRealm):
		fail(w, 403, "HTTP 403 Forbidden")
	case path[0] == "components":
		reply(w, 200, append([]userStore{}, f.stores...))
	case path[0] == "roles" && len(path) == 1:
		reply(w, 200, cut(r, f.realmRoles, len(f.realmRoles)))
	case path[0] == "roles":
		name, _ := url.PathUnescape(path[1])
		i := slices.IndexFunc(f.realmRoles, func(role fakeRole) bool { return role.Name == name })
		switch {
		case i < 0:
			fail(w, 404, "Could not find role")
		case len(path) == 2:
			reply(w, 200, f.realmRoles[i])
		case path[2] == "composites":
			reply(w, 200, append([]fakeRole{}, f.composites[name]...))
		default:
			holders(func(u *fakeUser) bool { return slices.Contains(u.realmRoles, name) })
		}
	case len(path) == 3:
		list := asRoles(f.clientRoles[path[1]])
		reply(w, 200, cut(r, list, len(list)))
	default:
		name, _ := url.PathUnescape(path[3])
		switch {
		case !slices.Contains(f.clientRoles[path[1]], name):
			fail(w, 404, "Could not find role")
		case len(path) == 4:
			reply(w, 200, asRoles([]string{name})[0])
		default:
			holders(func(u *fakeUser) bool { return slices.Contains(u.clientRoles[f.clients[path[1]]], name) })
		}
	}
}
