package wordpress

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/rollcall-sync/rollcall/sync/directory"
	"github.com/rollcall-sync/rollcall/targets/wordpress/users"
)

// follow lists all accounts by following Next.
func follow(t *testing.T, s *site, request directory.ListRequest) (accounts []directory.Account, doubts []string) {
	t.Helper()
	for {
		page, err := s.ListAccounts(t.Context(), request)
		if err != nil {
			t.Fatal(err)
		}
		accounts = append(accounts, page.Accounts...)
		if page.Doubt != "" {
			doubts = append(doubts, page.Doubt)
		}
		if page.Next == "" {
			return accounts, doubts
		}
		request.Cursor = page.Next
	}
}

func TestTheNumberOfRequestsOfEachCall(t *testing.T) {
	t.Parallel()
	f := newFake()
	f.addMany(1049, "subscriber")
	s := f.open(t, "roles", []string{"member"})
	id := "17"
	for _, step := range []struct {
		name string
		want int
		call func() error
	}{
		{"1,050 users in pages of 100", 11, func() error {
			accounts, doubts := follow(t, s, directory.ListRequest{})
			if len(accounts) != 1050 || len(doubts) != 0 {
				return fmt.Errorf("%d accounts, doubts %q", len(accounts), doubts)
			}
			return nil
		}},
		{"count", 1, func() error { _, err := s.CountAccounts(t.Context()); return err }},
		{"partition", 1, func() error {
			cursors, err := s.Partition(t.Context(), directory.ListRequest{})
			if len(cursors) != 11 {
				return fmt.Errorf("%d cursors: %w", len(cursors), err)
			}
			return err
		}},
		{"roles, with the option", 0, func() error { _, err := s.ListGroups(t.Context(), directory.GroupListRequest{}); return err }},
		{"one account", 1, func() error { _, err := s.GetAccount(t.Context(), id); return err }},
		{"find by e-mail", 1, func() error {
			_, err := s.FindAccounts(t.Context(), directory.Email, "person0042@example.com")
			return err
		}},
		{"find by an e-mail that is none", 0, func() error { _, err := s.FindAccounts(t.Context(), directory.Email, "anna"); return err }},
		{"create", 1, func() error {
			_, err := s.CreateAccount(t.Context(), directory.CreateRequest{Status: directory.StatusActive, Attributes: person("anna")})
			return err
		}},
		{"update", 1, func() error {
			_, err := s.UpdateAccount(t.Context(), directory.UpdateRequest{ID: id, Set: directory.Attributes{directory.Nickname: directory.Text("x")}})
			return err
		}},
		{"update an address", 2, func() error {
			_, err := s.UpdateAccount(t.Context(), directory.UpdateRequest{ID: id, Set: directory.Attributes{directory.Email: directory.Text("moved@example.com")}})
			return err
		}},
		{"change roles", 2, func() error {
			return s.ChangeGroups(t.Context(), directory.GroupsRequest{Account: id, Add: []string{"member"}})
		}},
		{"change roles to what they are", 1, func() error {
			return s.ChangeGroups(t.Context(), directory.GroupsRequest{Account: id, Add: []string{"member"}})
		}},
		{"the first deactivation asks who we are", 5, func() error {
			_, err := s.SetStatus(t.Context(), directory.StatusRequest{ID: id, Status: directory.StatusInactive})
			return err
		}},
		{"deactivate", 4, func() error {
			_, err := s.SetStatus(t.Context(), directory.StatusRequest{ID: "18", Status: directory.StatusInactive})
			return err
		}},
		{"activate", 2, func() error {
			_, err := s.SetStatus(t.Context(), directory.StatusRequest{ID: id, Status: directory.StatusActive})
			return err
		}},
		{"delete", 2, func() error { return s.DeleteAccount(t.Context(), id) }},
	} {
		before := s.Requests()
		f.sent()
		if err := step.call(); err != nil {
			t.Errorf("%s: %v", step.name, err)
		}
		if sent := f.sent(); len(sent) != step.want || s.Requests()-before != int64(step.want) {
			t.Errorf("%s: %d requests (%d counted), want %d: %q", step.name, len(sent), s.Requests()-before, step.want, sent)
		}
	}
}

// What the engine asks for when nothing changes, and for one person who is linked.
func TestAQuietNightCostsThePagesAndAHandful(t *testing.T) {
	t.Parallel()
	f := newFake()
	f.addMany(999, "subscriber")
	address := f.start(t)
	for _, c := range []struct {
		name    string
		want    int
		options []any
		call    func(t *testing.T, s *site)
	}{
		{"a night of 1,000 people", 10 + 4, nil, func(t *testing.T, s *site) {
			request := directory.ListRequest{Attributes: []string{directory.Email}}
			_, e1 := s.Self(t.Context())
			_, e2 := s.CountAccounts(t.Context())
			cursors, e3 := s.Partition(t.Context(), request)
			for _, request.Cursor = range cursors {
				if _, err := s.ListAccounts(t.Context(), request); err != nil {
					t.Error(err)
				}
			}
			_, e4 := s.CountAccounts(t.Context())
			_, e5 := s.ListGroups(t.Context(), directory.GroupListRequest{})
			if err := errors.Join(e1, e2, e3, e4, e5); err != nil || len(cursors) != 10 {
				t.Errorf("%d pages, %v", len(cursors), err)
			}
		}},
		{"one person, with the option roles", 5, []any{"roles", []string{"member"}}, func(t *testing.T, s *site) {
			_, e1 := s.Self(t.Context())
			_, e2 := s.GetAccount(t.Context(), "17")
			_, e3 := s.FindAccounts(t.Context(), directory.Username, "person0016")
			_, e4 := s.FindAccounts(t.Context(), directory.Email, "person0016@example.com")
			_, e5 := s.ListGroups(t.Context(), directory.GroupListRequest{})
			_, e6 := s.UpdateAccount(t.Context(), directory.UpdateRequest{ID: "17", Set: directory.Attributes{directory.Nickname: directory.Text("x")}})
			if err := errors.Join(e1, e2, e3, e4, e5, e6); err != nil {
				t.Error(err)
			}
		}},
	} {
		f.sent()
		c.call(t, openAt(t, address, c.options...))
		if sent := f.sent(); len(sent) != c.want {
			t.Errorf("%s: %d requests, want %d: %q", c.name, len(sent), c.want, sent)
		}
	}
}

func TestOnlyWhatIsNeededIsAskedFor(t *testing.T) {
	t.Parallel()
	f := newFake()
	s := f.open(t, "meta", []string{"department"})
	for _, c := range []struct {
		names []string
		want  string
	}{
		{[]string{directory.Email, directory.DisplayName}, "id,username,roles,capabilities,email,name"},
		{[]string{}, "id,username,roles,capabilities"},
		{[]string{directory.CustomPrefix + "department"}, "id,username,roles,capabilities,meta"},
		{[]string{users.Description}, "id,username,roles,capabilities,description"},
		{nil, "id,username,roles,capabilities,email,first_name,last_name,name,nickname,url,locale,description,registered_date,meta"},
	} {
		if got := s.fieldNames(c.names); got != c.want {
			t.Errorf("for %q: %s, want %s", c.names, got, c.want)
		}
	}
	locked := f.open(t, "deactivated_meta", "lock")
	if got := locked.fieldNames([]string{}); !strings.HasSuffix(got, ",meta") {
		t.Errorf("with a flag: %s", got)
	}
}

// The service account's rights decide what a listing shows. None of the thin answers may pass as a short list.
func TestAListingWithoutTheRightsIsNeverAShortList(t *testing.T) {
	t.Parallel()
	f := newFake()
	f.addMany(30, "subscriber")
	for _, u := range []*fakeUser{
		{login: "lister", email: "lister@example.com", roles: []string{"lister"}},
		{login: "helpdesk", email: "helpdesk@example.com", roles: []string{"helpdesk"}},
		{login: "nobody", email: "nobody@example.com", roles: []string{"subscriber"}},
	} {
		u.apps = []string{fakePassword}
		f.add(u)
	}
	address := f.start(t)
	for _, c := range []struct {
		user, password string
		remedy         string
	}{
		{"lister", fakePassword, "edit_users"},
		{"nobody", fakePassword, "list_users"},
		{"admin", "wrong", "application password"},
		{"nosuch", fakePassword, "application password"},
	} {
		s := openAt(t, address, "username", c.user, "password", c.password)
		calls := map[string]func() error{
			"list":      func() error { _, err := s.ListAccounts(t.Context(), directory.ListRequest{Size: 10}); return err },
			"count":     func() error { _, err := s.CountAccounts(t.Context()); return err },
			"partition": func() error { _, err := s.Partition(t.Context(), directory.ListRequest{}); return err },
			"groups":    func() error { _, err := s.ListGroups(t.Context(), directory.GroupListRequest{}); return err },
			"find": func() error {
				_, err := s.FindAccounts(t.Context(), directory.Email, "person0001@example.com")
				return err
			},
		}
		for name, call := range calls {
			if err := call(); !errors.Is(err, directory.Auth) || !strings.Contains(err.Error(), c.remedy) {
				t.Errorf("%s as %s: %v", name, c.user, err)
			}
		}
	}
	if accounts, doubts := follow(t, openAt(t, address, "username", "helpdesk"), directory.ListRequest{Size: 10}); len(accounts) != 34 || len(doubts) != 0 {
		t.Errorf("helpdesk reads %d accounts with doubts %q", len(accounts), doubts)
	}
}

// rowsOf lets the fake's list answers pass through change.
func rowsOf(f *fake, change func(header http.Header, body []byte) []byte) {
	f.meddle = func(w http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path != "/wp-json"+usersRoute || r.Method != http.MethodGet {
			return false
		}
		req := fakeRequest{method: r.Method, route: usersRoute, query: r.URL.Query(), headers: http.Header{}}
		if bad := f.signIn(r, &req); bad != nil {
			panic("the test signs in well")
		}
		answer := f.dispatch(&req)
		body := change(req.headers, mustJSON(answer.body))
		for name := range req.headers {
			w.Header().Set(name, req.headers.Get(name))
		}
		_, _ = w.Write(body)
		return true
	}
}

func TestSignsOfAListingThatIsNotWhole(t *testing.T) {
	t.Parallel()
	drop := func(field string) func(http.Header, []byte) []byte {
		return func(_ http.Header, body []byte) []byte {
			rows := decodeRows(body)
			if len(rows) > 1 {
				delete(rows[1], field)
			}
			return mustJSON(rows)
		}
	}
	for name, c := range map[string]struct {
		change                  func(http.Header, []byte) []byte
		doubt, problem, failure string
	}{
		"a row is left out": {change: func(_ http.Header, body []byte) []byte {
			return mustJSON(slices.DeleteFunc(decodeRows(body), func(row map[string]any) bool { return row["id"] == 2.0 }))
		}, doubt: "should hold 4 of 4 users and holds 3"},
		"the order is changed": {change: func(_ http.Header, body []byte) []byte {
			rows := decodeRows(body)
			slices.Reverse(rows)
			return mustJSON(rows)
		}, doubt: "order of their ids"},
		"a row twice": {change: func(_ http.Header, body []byte) []byte {
			rows := decodeRows(body)
			rows[1] = rows[0]
			return mustJSON(rows)
		}, doubt: "order of their ids"},
		"a record without username": {change: drop("username"), problem: "without username"},
		"without roles":             {change: drop("roles"), problem: "without username, roles"},
		"without capabilities":      {change: drop("capabilities"), problem: "capabilities"},
		"a field of another type": {change: func(_ http.Header, body []byte) []byte {
			rows := decodeRows(body)
			rows[1]["email"] = []any{1}
			return mustJSON(rows)
		}, problem: "email is no text"},
		"a row without id":   {change: drop("id"), failure: "row 2 of the answer: a record has no id"},
		"the totals are cut": {change: func(h http.Header, body []byte) []byte { h.Del("X-WP-Total"); return body }, failure: "X-WP-Total"},
		"the totals are odd": {change: func(h http.Header, body []byte) []byte { h.Set("X-WP-TotalPages", "many"); return body }, failure: "X-WP-Total"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFake()
			f.addMany(3, "subscriber")
			s := f.open(t)
			rowsOf(f, c.change)
			page, err := s.ListAccounts(t.Context(), directory.ListRequest{})
			if c.failure != "" {
				if err == nil || !strings.Contains(err.Error(), c.failure) {
					t.Errorf("want an error with %q: %v", c.failure, err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(page.Doubt, c.doubt) || c.doubt == "" && page.Doubt != "" {
				t.Errorf("doubt %q, want %q", page.Doubt, c.doubt)
			}
			if c.problem == "" {
				return
			}
			a := page.Accounts[1]
			if !strings.Contains(a.Problem, c.problem) || a.ID != "2" || a.Status != directory.StatusUnknown && a.GroupsKnown {
				t.Errorf("the bad record is %+v, want the problem %q", a, c.problem)
			}
			if page.Accounts[0].Problem != "" || page.Accounts[2].Problem != "" {
				t.Errorf("a good record has a problem: %+v", page.Accounts)
			}
		})
	}
}

func TestWhoIsPrivileged(t *testing.T) {
	t.Parallel()
	f := newFake()
	f.add(&fakeUser{login: "helpdesk", roles: []string{"helpdesk"}})
	f.add(&fakeUser{login: "granted", roles: []string{"subscriber"}, extra: map[string]bool{"manage_options": true}})
	f.add(&fakeUser{login: "denied", roles: []string{"subscriber"}, extra: map[string]bool{"manage_options": false}})
	f.add(&fakeUser{login: "editor", roles: []string{"editor"}})
	address := f.start(t)
	for name, c := range map[string]struct {
		options []any
		want    map[string]string
	}{
		"as it comes":  {nil, map[string]string{"admin": "role administrator", "helpdesk": "capability create_users", "granted": "capability manage_options"}},
		"editors too":  {[]any{"privileged_roles", []string{"editor"}, "privileged_capabilities", []string{}}, map[string]string{"editor": "role editor"}},
		"one of right": {[]any{"privileged_capabilities", []string{"list_users"}}, map[string]string{"admin": "role administrator", "helpdesk": "capability list_users"}},
	} {
		accounts, _ := follow(t, openAt(t, address, c.options...), directory.ListRequest{Attributes: []string{}})
		for _, a := range accounts {
			if a.Privileged != c.want[a.Label()] {
				t.Errorf("%s: %s is privileged for %q, want %q", name, a.Label(), a.Privileged, c.want[a.Label()])
			}
		}
	}
}

func TestStatusComesFromRolesAndFlag(t *testing.T) {
	t.Parallel()
	f := newFake()
	f.meta["lock"] = "string"
	f.add(&fakeUser{login: "locked", roles: []string{"author"}, meta: map[string]any{"lock": "yes"}})
	f.add(&fakeUser{login: "open", roles: []string{"author"}, meta: map[string]any{"lock": "no"}})
	f.add(&fakeUser{login: "unset", roles: []string{"author"}})
	f.add(&fakeUser{login: "roleless", roles: nil})
	address := f.start(t)
	read := func(options ...any) (map[string]directory.Status, []string) {
		accounts, doubts := follow(t, openAt(t, address, options...), directory.ListRequest{})
		all := map[string]directory.Status{}
		for _, a := range accounts {
			all[a.Label()] = a.Status
			if _, shown := a.Attributes["custom.lock"]; shown && slices.Contains(options, any("lock")) {
				t.Errorf("the flag is an attribute of %s as well", a.Label())
			}
		}
		return all, doubts
	}
	plain, _ := read()
	flagged, doubts := read("deactivated_meta", "lock", "deactivated_value", "yes")
	for name, want := range map[string][2]directory.Status{
		"locked":   {directory.StatusActive, directory.StatusInactive},
		"open":     {directory.StatusActive, directory.StatusActive},
		"unset":    {directory.StatusActive, directory.StatusActive},
		"roleless": {directory.StatusInactive, directory.StatusInactive},
	} {
		if got := [2]directory.Status{plain[name], flagged[name]}; got != want {
			t.Errorf("%s is %v, want %v", name, got, want)
		}
	}
	if len(doubts) != 0 {
		t.Errorf("doubts %q", doubts)
	}
	// A flag that cannot be read must not let a locked account pass as active, nor lock anybody out.
	unknown, doubts := read("deactivated_meta", "no_such_lock")
	if unknown["locked"] != directory.StatusUnknown || unknown["roleless"] != directory.StatusInactive || len(doubts) == 0 {
		t.Errorf("with an unregistered flag: %v, doubts %q", unknown, doubts)
	}
}
