package wordpress

import (
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/rollcall-sync/rollcall/sync/directory"
)

func TestChangingRolesLosesNone(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		have, add, remove, want []string
		kind                    directory.ErrorKind
		fails                   bool
	}{
		"an unmanaged role stays":                      {have: []string{"member", "author"}, add: []string{"editor"}, remove: []string{"author"}, want: []string{"member", "editor"}},
		"nothing to do":                                {have: []string{"member"}, add: []string{"member"}, remove: []string{"author"}, want: []string{"member"}},
		"the last one gives way to the default":        {have: []string{"author"}, remove: []string{"author"}, want: []string{"subscriber"}},
		"the default itself can be taken":              {have: []string{"subscriber"}, remove: []string{"subscriber"}, want: nil},
		"an unknown role changes nothing":              {have: []string{"author"}, add: []string{"editor", "nosuch"}, want: []string{"author"}, kind: directory.Invalid, fails: true},
		"a comma in a role is no second role":          {have: []string{"author"}, add: []string{"editor,administrator"}, want: []string{"author"}, kind: directory.Invalid, fails: true},
		"an inactive account is not let in by a role":  {have: nil, add: []string{"author"}, want: nil, kind: directory.Conflict, fails: true},
		"taking a role from an inactive one: was done": {have: nil, remove: []string{"author"}, want: nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFake()
			u := f.add(&fakeUser{login: "anna", email: "anna@example.com", roles: c.have})
			err := f.open(t).ChangeGroups(t.Context(), directory.GroupsRequest{Account: "2", Add: c.add, Remove: c.remove})
			if (err != nil) != c.fails || c.fails && !errors.Is(err, c.kind) {
				t.Errorf("%v", err)
			}
			if !slices.Equal(u.roles, c.want) {
				t.Errorf("the roles are %q, want %q", u.roles, c.want)
			}
		})
	}
	f := newFake()
	f.stubbornRoles = true
	f.add(&fakeUser{login: "anna", roles: []string{"author"}})
	s := f.open(t)
	if err := s.ChangeGroups(t.Context(), directory.GroupsRequest{Account: "2", Add: []string{"editor"}}); !errors.Is(err, directory.Invalid) {
		t.Errorf("a plugin changed the roles back and the answer is %v", err)
	}
	if _, err := s.SetStatus(t.Context(), directory.StatusRequest{ID: "2", Status: directory.StatusInactive}); !errors.Is(err, directory.Invalid) {
		t.Errorf("a plugin gave a role back and the deactivation is %v", err)
	}
}

func TestAPrivilegedRoleIsNotGiven(t *testing.T) {
	t.Parallel()
	f := newFake()
	u := f.add(&fakeUser{login: "anna", email: "anna@example.com", roles: []string{"author"}})
	off := f.add(&fakeUser{login: "bea", email: "bea@example.com"})
	address := f.start(t)
	s := openAt(t, address)
	for name, call := range map[string]func() error{
		"create": func() error {
			_, err := s.CreateAccount(t.Context(), directory.CreateRequest{Status: directory.StatusActive, Attributes: person("new"), Groups: []string{"author", "administrator"}})
			return err
		},
		"create many": func() error {
			results, err := s.CreateAccounts(t.Context(), []directory.CreateRequest{{Status: directory.StatusActive, Attributes: person("new"), Groups: []string{"administrator"}}})
			return errors.Join(err, results[0].Err)
		},
		"add": func() error {
			return s.ChangeGroups(t.Context(), directory.GroupsRequest{Account: "2", Add: []string{"administrator"}})
		},
		"activate": func() error {
			_, err := s.SetStatus(t.Context(), directory.StatusRequest{ID: "3", Status: directory.StatusActive, Groups: []string{"administrator"}})
			return err
		},
	} {
		if err := call(); !errors.Is(err, directory.Unsupported) || !strings.Contains(err.Error(), "administrator") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if len(f.users) != 3 || !slices.Equal(u.roles, []string{"author"}) || len(off.roles) != 0 {
		t.Errorf("%d users, %q, %q", len(f.users), u.roles, off.roles)
	}
	free := openAt(t, address, "privileged_roles", []string{}, "privileged_capabilities", []string{})
	if err := free.ChangeGroups(t.Context(), directory.GroupsRequest{Account: "2", Add: []string{"administrator"}}); err != nil || len(u.roles) != 2 {
		t.Errorf("a role that is not called privileged: %v, %q", err, u.roles)
	}
}

func TestRolesAreGatheredFromTheUsersOrTakenFromTheOption(t *testing.T) {
	t.Parallel()
	f := newFake()
	f.addMany(250, "subscriber")
	f.add(&fakeUser{login: "m", email: "m@example.com", roles: []string{"member"}})
	names := func(s *site) (all []string) {
		page, err := s.ListGroups(t.Context(), directory.GroupListRequest{})
		if err != nil {
			t.Fatal(err)
		}
		for _, g := range page.Groups {
			all = append(all, g.ID)
			if (g.ReadOnly != "") != (g.ID == "administrator") {
				t.Errorf("the role %s is read-only: %q", g.ID, g.ReadOnly)
			}
		}
		return all
	}
	core := []string{"administrator", "author", "contributor", "editor"}
	s := f.open(t)
	if got := names(s); !slices.Equal(got, append(slices.Clone(core), "member", "subscriber")) {
		t.Errorf("gathered: %q", got)
	}
	f.sent()
	if names(s); len(f.sent()) != 0 {
		t.Error("the users are read twice for their roles")
	}
	if got := names(f.open(t, "roles", []string{"customer"}, "default_role", "guest")); !slices.Equal(got, append(slices.Clone(core[:2]), "contributor", "customer", "editor", "guest", "subscriber")) {
		t.Errorf("with the option: %q", got)
	}
	fresh := f.open(t)
	f.sent()
	if page, err := fresh.ListGroups(t.Context(), directory.GroupListRequest{Names: []string{"editor", "subscriber"}}); err != nil || page.Total != 5 || len(f.sent()) != 0 {
		t.Errorf("where none but WordPress's own matter: %+v, %v, and requests", page, err)
	}
	if page, err := fresh.ListGroups(t.Context(), directory.GroupListRequest{Names: []string{"editor", "member"}}); err != nil || page.Total != 6 {
		t.Errorf("where another matters: %+v, %v", page, err)
	}
	f.schemaRoles = true
	if got := names(f.open(t)); !slices.Contains(got, "helpdesk") {
		t.Errorf("from the schema: %q", got)
	}
}

// A sync lists the accounts before it asks for the groups, so the roles cost it nothing.
func TestRolesAreLearntFromAWholeListing(t *testing.T) {
	t.Parallel()
	f := newFake()
	f.addMany(250, "subscriber")
	last := f.add(&fakeUser{login: "m", email: "m@example.com", roles: []string{"member"}})
	s := f.open(t)
	known := func(role string) (found bool, requests int) {
		f.sent()
		page, err := s.ListGroups(t.Context(), directory.GroupListRequest{})
		if err != nil {
			t.Fatal(err)
		}
		return slices.ContainsFunc(page.Groups, func(g directory.Group) bool { return g.ID == role }), len(f.sent())
	}
	for _, cursor := range []string{"3", "1", "2"} { // as pages that are read side by side come in
		if _, err := s.ListAccounts(t.Context(), directory.ListRequest{Cursor: cursor, Attributes: []string{directory.Email}}); err != nil {
			t.Fatal(err)
		}
	}
	if found, requests := known("member"); !found || requests != 0 {
		t.Errorf("after a listing the role is found: %t, with %d requests", found, requests)
	}
	last.roles = []string{"helpdesk"}
	if accounts, _ := follow(t, s, directory.ListRequest{}); len(accounts) != 252 {
		t.Fatalf("%d accounts", len(accounts))
	}
	if gone, _ := known("member"); gone {
		t.Error("a role that nobody has any more is remembered from an older listing")
	}
	if found, _ := known("helpdesk"); !found {
		t.Error("the role of the second listing is not known")
	}
	// Page 2 of 100 is another part of the users than page 2 of 50.
	if _, err := s.ListAccounts(t.Context(), directory.ListRequest{Size: 50}); err != nil {
		t.Fatal(err)
	}
	if found, requests := known("helpdesk"); !found || requests == 0 {
		t.Errorf("after one page of another listing the role is found: %t, with %d requests", found, requests)
	}
}

func TestAThinListingTeachesNoRoles(t *testing.T) {
	t.Parallel()
	f := newFake()
	f.add(&fakeUser{login: "m", email: "m@example.com", roles: []string{"member"}})
	s := f.open(t)
	rowsOf(f, func(_ http.Header, body []byte) []byte {
		var rows []json.RawMessage
		if err := json.Unmarshal(body, &rows); err != nil {
			t.Error(err)
		}
		thin, err := json.Marshal(rows[:1])
		if err != nil {
			t.Error(err)
		}
		return thin
	})
	if page, err := s.ListAccounts(t.Context(), directory.ListRequest{}); err != nil || page.Doubt == "" {
		t.Fatalf("%+v, %v", page, err)
	}
	if page, err := s.ListGroups(t.Context(), directory.GroupListRequest{}); !errors.Is(err, directory.Auth) {
		t.Errorf("from a page that lacks rows these groups are told: %+v, %v", page.Groups, err)
	}
}

// A site has roles that the option does not name. Whoever has one must not make the list of roles look cut short: then nobody
// would ever lose access again.
func TestTheOptionRolesLeavesNoRoleOutThatSomebodyHas(t *testing.T) {
	t.Parallel()
	f := newFake()
	f.addMany(150, "subscriber")
	f.add(&fakeUser{login: "m", email: "m@example.com", roles: []string{"shop_manager"}})
	s := f.open(t, "roles", []string{"customer"})
	for request := (directory.ListRequest{}); ; {
		page, err := s.ListAccounts(t.Context(), request)
		if err != nil {
			t.Fatal(err)
		}
		if request.Cursor = page.Next; request.Cursor == "" {
			break
		}
	}
	page, err := s.ListGroups(t.Context(), directory.GroupListRequest{})
	if err != nil || !slices.ContainsFunc(page.Groups, func(g directory.Group) bool { return g.ID == "shop_manager" }) {
		t.Errorf("%+v, %v", page.Groups, err)
	}
}
