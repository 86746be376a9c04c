package real

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
)

// Person is one account to be put into a server.
type Person struct {
	Username, Email, FirstName, LastName string
	// Disabled and Unverified are the exceptions: the account is enabled and its e-mail verified otherwise.
	Disabled, Unverified bool
	// Attributes are further ones; a realm keeps them only if its user profile lets it.
	Attributes map[string][]string
	// Groups are paths of groups ("/Staff/Editors") that exist.
	Groups []string
}

// People returns n people that are the same every time, numbered from first. Names and e-mails differ from person to person;
// every third has accents, and departments take turns.
func People(first, n int) []Person {
	departments := []string{"Press", "Web", "Sales", "Finance", "Legal"}
	given := []string{"Anna", "Bjørn", "Çelik", "Dana", "Émile", "Fritz", "Grażyna"}
	family := []string{"Abel", "Müller", "Ōe", "Smith", "Nuñez"}
	people := make([]Person, 0, n)
	for i := first; i < first+n; i++ {
		username := fmt.Sprintf("person%06d", i)
		people = append(people, Person{
			Username: username, Email: username + "@example.com",
			FirstName: given[i%len(given)], LastName: family[i%len(family)] + " " + strconv.Itoa(i),
			Attributes: map[string][]string{
				"department": {departments[i%len(departments)]}, "employeeNumber": {strconv.Itoa(100000 + i)},
			},
		})
	}
	return people
}

// importSize is the most accounts of one request: each is one transaction, and a large one is slower by the account.
const importSize = 500

// AddPeople creates accounts by partial import, hundreds in a request. They have no password.
func (r *Realm) AddPeople(people ...Person) {
	r.t.Helper()
	for start := 0; start < len(people); start += importSize {
		var users []any
		for _, p := range people[start:min(start+importSize, len(people))] {
			users = append(users, p.representation())
		}
		r.Call(http.MethodPost, "/partialImport", map[string]any{"ifResourceExists": "FAIL", "users": users}, nil)
	}
}

func (p Person) representation() map[string]any {
	user := map[string]any{"username": p.Username, "enabled": !p.Disabled, "emailVerified": !p.Unverified}
	for name, value := range map[string]string{"email": p.Email, "firstName": p.FirstName, "lastName": p.LastName} {
		if value != "" {
			user[name] = value
		}
	}
	if len(p.Attributes) > 0 {
		user["attributes"] = p.Attributes
	}
	if len(p.Groups) > 0 {
		user["groups"] = p.Groups
	}
	return user
}

// AddGroup creates a top-level group and returns its id.
func (r *Realm) AddGroup(name string) string { return r.addGroup("/groups", name) }

// AddChildGroup creates a group below another one and returns its id.
func (r *Realm) AddChildGroup(parent, name string) string {
	return r.addGroup("/groups/"+parent+"/children", name)
}

func (r *Realm) addGroup(path, name string) string {
	r.t.Helper()
	r.Call(http.MethodPost, path, map[string]any{"name": name}, nil)
	// The answer to a top-level group has no body, so both kinds are looked up.
	if path == "/groups" {
		path = "/groups?briefRepresentation=true&populateHierarchy=false&max=-1"
	} else {
		path += "?briefRepresentation=true&max=-1"
	}
	var groups []struct{ ID, Name string }
	r.Call(http.MethodGet, path, nil, &groups)
	for _, group := range groups {
		if group.Name == name {
			return group.ID
		}
	}
	r.t.Fatalf("the new group %q is not listed", name)
	return ""
}

// User is an account as the realm has it now.
type User struct {
	ID, Username, Email, FirstName, LastName string
	Enabled, EmailVerified                   bool
	Attributes                               map[string][]string
}

// User returns the account with this username; the test ends if there is none.
func (r *Realm) User(username string) User {
	r.t.Helper()
	user, found := r.FindUser(username)
	if !found {
		r.t.Fatalf("realm %s has no user %q", r.Name, username)
	}
	return user
}

// FindUser returns the account with this username, if there is one.
func (r *Realm) FindUser(username string) (User, bool) {
	r.t.Helper()
	var users []User
	r.Call(http.MethodGet, "/users?exact=true&briefRepresentation=false&username="+url.QueryEscape(username), nil, &users)
	if len(users) == 0 {
		return User{}, false
	}
	return users[0], true
}

// Users returns all accounts in the order of their usernames. The first listing of a large realm is slow: the server reads
// the attributes of every account one by one into its cache.
func (r *Realm) Users() []User {
	r.t.Helper()
	var users []User
	for {
		var page []User
		r.Call(http.MethodGet, fmt.Sprintf("/users?briefRepresentation=false&first=%d&max=%d", len(users), importSize), nil, &page)
		if len(page) == 0 {
			return users
		}
		users = append(users, page...)
	}
}

// GroupsOf returns the paths of the groups that the account is a direct member of, sorted.
func (r *Realm) GroupsOf(id string) []string {
	r.t.Helper()
	var groups []struct{ Path string }
	r.Call(http.MethodGet, "/users/"+id+"/groups?max=-1", nil, &groups)
	var paths []string
	for _, group := range groups {
		paths = append(paths, group.Path)
	}
	slices.Sort(paths)
	return paths
}
