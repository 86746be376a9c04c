package okta

import (
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
)

func (f *fake) group(id string) *fakeGroup {
	for _, g := range f.groups {
		if g.id == id {
			return g
		}
	}
	return nil
}

func shownGroup(g *fakeGroup) map[string]any {
	return map[string]any{
		"id": g.id, "type": g.kind, "objectClass": []string{"okta:user_group"}, "lastMembershipUpdated": "2026-11-01T00:00:00.000Z",
		"profile": map[string]any{"name": g.name, "description": nil},
	}
}

func (f *fake) replyGroups(w http.ResponseWriter, r *http.Request, all []*fakeGroup, standard int) {
	rows := []*row{}
	for _, g := range all {
		rows = append(rows, &row{g.id, shownGroup(g)})
	}
	slices.SortFunc(rows, func(a, b *row) int { return strings.Compare(a.id, b.id) })
	cut(f, w, r, rows, func(item *row) string { return item.id }, standard)
}

func (f *fake) groupsCall(w http.ResponseWriter, r *http.Request, path []string) {
	if len(path) == 0 {
		if r.Method == http.MethodPost {
			f.createGroup(w, r)
			return
		}
		f.replyGroups(w, r, f.groups, maxPage)
		return
	}
	g := f.group(path[0])
	if g == nil {
		unknown(w, path[0], "UserGroup")
		return
	}
	switch rest := r.Method + " " + strings.Join(path[1:min(2, len(path))], "/"); {
	case rest == "GET " && len(path) == 1:
		reply(w, 200, shownGroup(g))
	case rest == "GET roles":
		f.rolesOf(w, g.id, nil)
	case rest == "GET users" && len(path) == 2:
		var members []*fakeUser
		for _, u := range f.users {
			if g.id == everyone || slices.Contains(u.groups, g.id) {
				members = append(members, u)
			}
		}
		f.replyUsers(w, r, members)
	case (rest == "PUT users" || rest == "DELETE users") && len(path) == 3:
		f.changeMember(w, r, g, path[2])
	default:
		http.NotFound(w, r)
	}
}

func (f *fake) changeMember(w http.ResponseWriter, r *http.Request, g *fakeGroup, id string) {
	u := f.user(id)
	switch {
	case u == nil:
		unknown(w, id, "User")
		return
	case g.kind != typeOkta:
		forbidden(w)
		return
	}
	u.groups = slices.DeleteFunc(u.groups, func(id string) bool { return id == g.id })
	if r.Method == http.MethodPut {
		u.groups = append(u.groups, g.id)
	}
	w.WriteHeader(204)
}

func (f *fake) createGroup(w http.ResponseWriter, r *http.Request) {
	var in struct {
		Profile struct{ Name, Description string }
	}
	body(r, f, &in)
	switch {
	case in.Profile.Name == "":
		invalid(w, "name", "name: The field cannot be left blank")
	case slices.ContainsFunc(f.groups, func(g *fakeGroup) bool { return g.name == in.Profile.Name }):
		invalid(w, "name", "name: An object with this field already exists in the current organization")
	default:
		reply(w, 200, shownGroup(f.addGroup(in.Profile.Name)))
	}
}

// rolesOf tells a user's roles, those held through groups included.
func (f *fake) rolesOf(w http.ResponseWriter, id string, groups []string) {
	list := []map[string]string{}
	for _, holder := range append([]string{id}, groups...) {
		if kind := f.admins[holder]; kind != "" {
			list = append(list, map[string]string{"id": "ra1" + holder, "type": kind, "label": strings.ToLower(kind), "status": "ACTIVE"})
		}
	}
	reply(w, 200, list)
}

// assignees lists users with a role of their own; it pages by a link in the body.
func (f *fake) assignees(w http.ResponseWriter, r *http.Request) {
	var ids []string
	for id := range f.admins {
		if strings.HasPrefix(id, "00u") && id > r.URL.Query().Get("after") {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	value := []map[string]string{}
	links := map[string]any{}
	for i, id := range ids {
		if i == 2 { // small pages, so that paging is met
			links["next"] = map[string]string{"href": f.URL + "/api/v1/iam/assignees/users?limit=200&after=" + ids[i-1]}
			break
		}
		value = append(value, map[string]string{"id": id, "orn": "orn:okta:directory:00o1:users:" + id})
	}
	reply(w, 200, map[string]any{"value": value, "_links": links})
}

func (f *fake) schemaCall(w http.ResponseWriter) {
	base, custom := map[string]any{}, map[string]any{}
	for key, kind := range f.schema {
		property := map[string]any{"title": key, "type": kind}
		if inner, ok := strings.CutPrefix(kind, "array of "); ok {
			property["type"], property["items"] = "array", map[string]string{"type": inner}
		}
		if slices.ContainsFunc(fields, func(f field) bool { return f.key == key }) {
			base[key] = property
		} else {
			custom[key] = property
		}
	}
	reply(w, 200, map[string]any{"id": "https://acme.okta.com/meta/schemas/user/default", "definitions": map[string]any{
		"base": map[string]any{"id": "#base", "properties": base}, "custom": map[string]any{"id": "#custom", "properties": custom},
	}})
}

type assertionClaims struct {
	Issuer   string `json:"iss"`
	Subject  string `json:"sub"`
	Audience string `json:"aud"`
}

// readAssertion checks the signature of a client assertion, as Okta does with the app's public key.
func readAssertion(text string) (claims assertionClaims, err error) {
	parts := strings.Split(text, ".")
	if len(parts) != 3 {
		return claims, errors.New("no assertion")
	}
	signature, err := base64.RawURLEncoding.DecodeString(parts[2])
	if err != nil {
		return claims, err
	}
	sum := sha256.Sum256([]byte(parts[0] + "." + parts[1]))
	if err := rsa.VerifyPKCS1v15(&testKey().PublicKey, crypto.SHA256, sum[:], signature); err != nil {
		return claims, fmt.Errorf("signature: %w", err)
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err == nil {
		err = json.Unmarshal(payload, &claims)
	}
	return claims, err
}
