package keycloak

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-sync/rollcall/sync/directory"
	"github.com/rollcall-sync/rollcall/sync/directory/directorytest"
	"github.com/rollcall-sync/rollcall/sync/directory/optiondoc/optiondoctest"
)

func listMembers(t *testing.T, d *Directory, group string, size int) (all []string) {
	t.Helper()
	request := directory.MemberListRequest{Group: group, Size: size}
	for {
		page, err := d.ListMembers(t.Context(), request)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, page.Accounts...)
		if page.Next == "" {
			return all
		}
		request.Cursor = page.Next
	}
}

// tree is a fake with a group of fifteen children, one of which has a child.
func tree(t *testing.T) (f *fake, want []directory.Group) {
	t.Helper()
	f = newFake(t)
	add := func(name string, parent *fakeGroup) *fakeGroup {
		id, parents := "", []string(nil)
		if parent != nil {
			id, parents = parent.id, []string{parent.id}
		}
		g := f.addGroup(name, id)
		want = append(want, directory.Group{ID: g.id, Name: name, Path: f.path(g), Parents: parents})
		return g
	}
	staff := add("Staff", nil)
	for i := range 15 {
		add(fmt.Sprintf("Team %02d", i), staff)
	}
	add("Inner", f.groups[len(f.groups)-1])
	add("a/b", nil)
	return f, want
}

func TestGroupsOfAnyDepthAreListedFlat(t *testing.T) {
	t.Parallel()
	for _, nested := range []bool{false, true} {
		for _, size := range []int{0, 4} {
			t.Run(fmt.Sprintf("nested %t, pages of %d", nested, size), func(t *testing.T) {
				t.Parallel()
				f, want := tree(t)
				f.nested = nested
				got := directorytest.Groups(t, f.open(t, nil), directory.GroupListRequest{Size: size})
				byID := func(a, b directory.Group) int { return strings.Compare(a.ID, b.ID) }
				slices.SortFunc(got, byID)
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
				if n := f.requests()["GET /groups/*/children"]; n != 0 {
					t.Errorf("children were asked for %d times", n)
				}
			})
		}
	}
}

func TestMembersAreDirectAndPeople(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	top := f.addGroup("Staff", "")
	below := f.addGroup("Press", top.id)
	f.add(fakeUser{ID: "a", Username: "anna", groups: []string{top.id}})
	f.add(fakeUser{ID: "b", Username: "bert", groups: []string{below.id}})
	f.user("service").groups = []string{top.id}
	d := f.open(t, nil)
	if diff := cmp.Diff([]string{"a"}, listMembers(t, d, top.id, 0)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	got, err := d.ListMemberships(t.Context(), "b")
	if diff := cmp.Diff([]string{below.id}, got); diff != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	_, err = d.ListMembers(t.Context(), directory.MemberListRequest{Group: "nowhere"})
	wantError(t, err, directory.NotFound, "")
	_, err = d.ListMembers(t.Context(), directory.MemberListRequest{Group: top.id, Cursor: "x"})
	wantError(t, err, directory.Invalid, "")
	_, err = d.ListGroups(t.Context(), directory.GroupListRequest{Cursor: "9:0"})
	wantError(t, err, directory.Invalid, "")
}

func TestAShortPageOfMembersEndsOnlyWhereThatIsProven(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name     string
		prepare  func(f *fake)
		members  int
		requests int
	}{
		{"nothing can thin it out", func(*fake) {}, 20, 1},
		{"no members", func(*fake) {}, 0, 1},
		{"a page that a server may have cut", func(*fake) {}, 150, 2},
		{"users of a federation", func(f *fake) { f.stores = []userStore{{ID: "ldap"}} }, 20, 2},
		{"a federation that cannot be seen", func(f *fake) { f.roles = []string{viewUsers} }, 20, 2},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			f := newFake(t)
			test.prepare(f)
			g := f.addGroup("Staff", "")
			f.people(test.members)
			for _, u := range f.users {
				if u.ID != "service" {
					u.groups = []string{g.id}
				}
			}
			d := f.open(t, nil)
			if got := listMembers(t, d, g.id, 0); len(got) != test.members {
				t.Errorf("%d members, want %d", len(got), test.members)
			}
			if got := f.requests()["GET /groups/*/members"]; got != test.requests {
				t.Errorf("%d requests, want %d", got, test.requests)
			}
		})
	}
}

func TestRolesAsGroups(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	g := f.addGroup("Staff", "")
	g.realmRoles, g.clientRoles = []string{"staff"}, map[string][]string{"website": {"author"}}
	f.realmRoles = append(f.realmRoles, fakeRole{ID: "r-odd", Name: "a/b:c"})
	u := f.add(fakeUser{ID: "u1", Username: "anna", Enabled: true, realmRoles: []string{"staff"}})
	d := f.open(t, map[string]any{"realm_roles": true, "client_roles": []string{"website"}})
	want := []directory.Group{
		{ID: g.id, Name: "Staff", Path: "/Staff", Parents: []string{"role:staff", "client:website:author"}},
		{ID: "role:offline_access", Name: "offline_access"},
		{ID: "role:admin", Name: "admin", ReadOnly: noMakingAdministrators},
		{ID: "role:staff", Name: "staff"},
		{ID: "role:a/b:c", Name: "a/b:c"},
		{ID: "client:website:author", Name: "author", Path: "website/author"},
		{ID: "client:website:editor", Name: "editor", Path: "website/editor"},
	}
	for _, size := range []int{0, 2} {
		if diff := cmp.Diff(want, directorytest.Groups(t, d, directory.GroupListRequest{Size: size})); diff != "" {
			t.Errorf("pages of %d (-want +got):\n%s", size, diff)
		}
	}
	change := directory.GroupsRequest{Account: "u1", Add: []string{"role:a/b:c", "client:website:editor", g.id}, Remove: []string{"role:staff"}}
	for range 2 { // being in or out already is fine
		if err := d.ChangeGroups(t.Context(), change); err != nil {
			t.Fatal(err)
		}
	}
	got, err := d.ListMemberships(t.Context(), "u1")
	if diff := cmp.Diff([]string{g.id, "role:a/b:c", "client:website:editor"}, got); diff != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	for _, role := range []string{"role:a/b:c", "client:website:editor"} {
		if diff := cmp.Diff([]string{"u1"}, listMembers(t, d, role, 0)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", role, diff)
		}
	}
	for _, role := range []string{"role:admin", "role:nowhere", "client:website:nowhere"} {
		wantError(t, d.ChangeGroups(t.Context(), directory.GroupsRequest{Account: "u1", Add: []string{role}}), directory.Invalid, "")
	}
	_, err = d.ListMembers(t.Context(), directory.MemberListRequest{Group: "role:nowhere"})
	wantError(t, err, directory.NotFound, "")
	if len(u.realmRoles) != 1 {
		t.Errorf("refused changes were made: %v", u.realmRoles)
	}
}

func TestTheLongestClientNameWins(t *testing.T) {
	t.Parallel()
	d := &Directory{clientRoles: []string{"app", "app:8080"}}
	client, name, ok := d.parseRole("client:app:8080:editor")
	if client != "app:8080" || name != "editor" || !ok {
		t.Errorf("got %q, %q, %t", client, name, ok)
	}
}

func TestGroupsCanBeLeftOut(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	f.addGroup("Staff", "")
	d := f.open(t, map[string]any{"groups": false})
	if got := directorytest.Groups(t, d, directory.GroupListRequest{}); len(got) != 0 {
		t.Errorf("listed %v", got)
	}
}

func TestAnUnknownGroupChangesNothing(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	g := f.addGroup("Staff", "")
	u := f.add(fakeUser{Username: "anna", Enabled: true})
	err := f.open(t, nil).ChangeGroups(t.Context(), directory.GroupsRequest{Account: u.ID, Add: []string{g.id, "nowhere"}})
	wantError(t, err, directory.Invalid, "")
	if len(u.groups) != 0 {
		t.Errorf("the user is in %v", u.groups)
	}
}

func TestATakenGroupNameIsAConflict(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	d := f.open(t, nil)
	g, err := d.CreateGroup(t.Context(), "Editors")
	if diff := cmp.Diff([]directory.Group{g}, directorytest.Groups(t, d, directory.GroupListRequest{})); diff != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	_, err = d.CreateGroup(t.Context(), "Editors")
	wantError(t, err, directory.Conflict, "")
	_, err = d.CreateGroup(t.Context(), "")
	wantError(t, err, directory.Invalid, "")
}

// TestRequestCounts holds the numbers that the README states.
func TestRequestCounts(t *testing.T) {
	t.Parallel()
	const people, groups = 2500, 30
	f := newFake(t)
	f.people(people)
	for i := range groups {
		g := f.addGroup(fmt.Sprintf("Group %02d", i), "")
		for _, u := range f.users[i : i+60] {
			u.groups = append(u.groups, g.id)
		}
	}
	d := f.open(t, nil)
	count := func(what string, want int64, call func()) {
		t.Helper()
		before := d.Requests()
		call()
		if got := d.Requests() - before; got != want {
			t.Errorf("%s took %d requests, want %d: %v", what, got, want, f.requests())
		}
		f.forget()
	}
	count("sign-in and count", 2, func() { _, _ = d.CountAccounts(t.Context()) })
	// Administrators: client, its roles, holders of three of them, realm roles, holders of admin, groups; and the user
	// stores, once. Users: three pages and the empty one.
	count("the listing", 8+1+4, func() { directorytest.Accounts(t, d, directory.ListRequest{}) })
	count("the groups", 1, func() { directorytest.Groups(t, d, directory.GroupListRequest{}) })
	count("the memberships", groups, func() {
		for _, g := range f.groups {
			listMembers(t, d, g.id, 0)
		}
	})
	id := f.users[0].ID
	// A server that has given pages of a thousand does not cut one at a hundred and fifty.
	for _, u := range f.users[:150] {
		u.groups = append(u.groups, f.groups[29].id)
	}
	count("the members of a large group", 1, func() { listMembers(t, d, f.groups[29].id, 0) })
	other := f.open(t, nil)
	listMembers(t, other, f.groups[29].id, 0)
	if got := other.Requests(); got != 1+2 {
		t.Errorf("without having seen larger pages, they took %d requests, want the sign-in and 2", got)
	}
	f.forget()
	count("memberships of one", 1, func() { _, _ = d.ListMemberships(t.Context(), id) })
	count("one by id", 1, func() { _, _ = d.GetAccount(t.Context(), id) })
	count("one by name", 1, func() { _, _ = d.FindAccounts(t.Context(), "username", f.users[0].Username) })
	count("an update", 3, func() {
		_, _ = d.UpdateAccount(t.Context(), directory.UpdateRequest{ID: id, Set: directory.Attributes{"last_name": directory.Text("X")}})
	})
	count("the first update of an attribute", 4, func() {
		_, _ = d.UpdateAccount(t.Context(), directory.UpdateRequest{ID: id, Set: directory.Attributes{"title": directory.Text("X")}})
	})
	count("a deactivation", 4, func() {
		_, _ = d.SetStatus(t.Context(), directory.StatusRequest{ID: id, Status: directory.StatusInactive})
	})
	count("an activation", 3, func() {
		_, _ = d.SetStatus(t.Context(), directory.StatusRequest{ID: id, Status: directory.StatusActive})
	})
	count("two groups", 2, func() {
		_ = d.ChangeGroups(t.Context(), directory.GroupsRequest{Account: id, Add: []string{f.groups[0].id}, Remove: []string{f.groups[1].id}})
	})
	count("a creation with two groups", 4, func() {
		_, _ = d.CreateAccount(t.Context(), directory.CreateRequest{
			Attributes: directory.Attributes{"username": directory.Text("zoe")}, Status: directory.StatusActive, Groups: []string{f.groups[0].id, f.groups[1].id},
		})
	})
	count("a deletion", 2, func() { _ = d.DeleteAccount(t.Context(), id) })
}

// TestRequestsForOnePerson holds what the README states of one person on demand, without a listing before.
func TestRequestsForOnePerson(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	f.people(30)
	staff := f.addGroup("Staff", "")
	anna, ben := f.users[1], f.users[2]
	anna.groups = []string{staff.id}
	d := f.open(t, nil)
	for _, step := range []struct {
		what string
		want int64
		call func() error
	}{
		// Sign-in, the user, its effective roles of the realm and of realm-management, and that client's id.
		{"by id", 5, func() error { _, err := d.GetAccount(t.Context(), anna.ID); return err }},
		// And the user stores, which say whether a short page is the end.
		{"by username", 2, func() error { _, err := d.FindAccounts(t.Context(), "username", anna.Username); return err }},
		{"by e-mail", 1, func() error { _, err := d.FindAccounts(t.Context(), "email", anna.Email); return err }},
		// The groups whole, for those that make administrators, and the groups.
		{"groups", 2, func() error { _, err := d.ListGroups(t.Context(), directory.GroupListRequest{}); return err }},
		{"memberships", 1, func() error { _, err := d.ListMemberships(t.Context(), anna.ID); return err }},
		{"an update", 3, func() error {
			_, err := d.UpdateAccount(t.Context(), directory.UpdateRequest{ID: anna.ID, Set: directory.Attributes{"last_name": directory.Text("X")}})
			return err
		}},
		{"out of a group", 1, func() error {
			return d.ChangeGroups(t.Context(), directory.GroupsRequest{Account: anna.ID, Remove: []string{staff.id}})
		}},
		{"somebody else", 3, func() error { _, err := d.GetAccount(t.Context(), ben.ID); return err }},
	} {
		before := d.Requests()
		if err := step.call(); err != nil {
			t.Errorf("%s: %v", step.what, err)
		}
		if got := d.Requests() - before; got != step.want {
			t.Errorf("%s took %d requests, want %d: %v", step.what, got, step.want, f.requests())
		}
		f.forget()
	}
	// After a few more, finding all administrators at once is cheaper.
	for _, u := range f.users[3 : 3+mostLooks-2] {
		if _, err := d.GetAccount(t.Context(), u.ID); err != nil {
			t.Error(err)
		}
	}
	before := d.Requests()
	for _, u := range f.users[11:31] {
		if _, err := d.GetAccount(t.Context(), u.ID); err != nil {
			t.Error(err)
		}
	}
	if got := d.Requests() - before; got != 20+8 {
		t.Errorf("20 people more took %d requests, want 28: %v", got, f.requests())
	}
}

func TestOptionsAreInTheReadme(t *testing.T) {
	t.Parallel()
	optiondoctest.Check(t, Type, "README.md")
}
