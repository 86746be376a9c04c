package database_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-sync/rollcall/sync/directory"
	"github.com/rollcall-sync/rollcall/sync/directory/directorytest/real"
)

const somewhere = "rollcall:secret-password@tcp(127.0.0.1:1)/wordpress"

func TestOptionsThatDoNotFitTheMode(t *testing.T) {
	t.Parallel()
	rest := []any{"url", "https://www.example.com", "username", "a", "password", "b"}
	base := []any{"mode", "database", "dsn", somewhere}
	for _, c := range []struct {
		base         []any
		option, says string
		more         []any
	}{
		{nil, "url", "missing: url, username, password", nil},
		{rest[:2], "username", "missing: username, password", nil},
		{rest, "dsn", "belongs to mode database", []any{"dsn", somewhere}},
		{rest, "prefix", "belongs to mode database", []any{"prefix", "wp_"}},
		{nil, "dsn", "missing", []any{"mode", "database"}},
		{base, "username", "belongs to mode rest", []any{"username", "a"}},
		{base, "password", "belongs to mode rest", []any{"password", "a"}},
		{base, "roles", "belongs to mode rest", []any{"roles", []string{"member"}}},
		{base, "reassign_to", "belongs to mode rest", []any{"reassign_to", "a"}},
		{base, "rate", "belongs to mode rest", []any{"rate", 5}},
		{base, "url", "no address", []any{"url", "www"}},
		{base, "prefix", "letter", []any{"prefix", "wp_`; DROP TABLE x; --"}},
		{base, "page_size", "10000", []any{"page_size", 10_001}},
		{base, "page_size", "10000", []any{"page_size", 0}},
		{base, "batch_size", "1000", []any{"batch_size", 1001}},
		{base, "write_concurrency", "32", []any{"write_concurrency", 33}},
		{base, "default_role", "privileged", []any{"default_role", "administrator"}},
		{base, "meta", "WordPress itself", []any{"meta", []string{"department", "wp_capabilities"}}},
		{base, "meta", "WordPress itself", []any{"meta", []string{"Session_Tokens"}}},
		{base, "meta", "WordPress itself", []any{"meta", []string{"nickname"}}},
		{base, "meta", "WordPress itself", []any{"meta", []string{"wp_user_level "}}},
		{base, "deactivated_meta", "WordPress itself", []any{"deactivated_meta", "_application_passwords"}},
		{base, "activated_value", "the same", []any{"deactivated_meta", "lock", "activated_value", "1"}},
	} {
		_, err := tryOpen(append(slices.Clone(c.base), c.more...)...)
		var fault *directory.OptionError
		if !errors.As(err, &fault) || fault.Option != c.option || !strings.Contains(fault.Message, c.says) || strings.Contains(fault.Message, "secret-password") {
			t.Errorf("%v: %v", c.more, err)
		}
	}
}

func TestOpeningSendsNothingAndTellsTheSite(t *testing.T) {
	t.Parallel()
	// Nobody listens there.
	d := open(t, "mode", "database", "dsn", somewhere)
	other := open(t, "mode", "database", "dsn", somewhere, "prefix", "other_")
	rest := open(t, "url", "https://www.example.com/blog", "username", "a", "password", "b")
	same := open(t, "mode", "database", "dsn", somewhere, "url", "https://WWW.example.com/blog/", "batch_size", 7, "page_size", 50)
	if d.Describe().Identity == other.Describe().Identity || strings.Contains(d.Describe().Identity, "secret") {
		t.Errorf("identities %q, %q", d.Describe().Identity, other.Describe().Identity)
	}
	if same.Describe().Identity != rest.Describe().Identity {
		t.Errorf("the same site is %q and %q", same.Describe().Identity, rest.Describe().Identity)
	}
	if b := d.Describe(); b.Type != "wordpress" || b.BulkSize != 500 || b.PageSize != 1000 || len(b.Notices) != 0 || d.Requests() != 0 {
		t.Errorf("%+v, %d statements", b, d.Requests())
	}
	if b := same.Describe(); b.BulkSize != 7 || b.PageSize != 50 {
		t.Errorf("%+v", b)
	}
}

// A page begins after the last id of the one before, so nothing that comes or goes meanwhile shifts it.
func TestAListingWhileAccountsComeAndGo(t *testing.T) {
	t.Parallel()
	s := real.WordPress(t)
	var l lines
	d := inDatabase(t, s, "", whenever(l.add))
	results, err := d.CreateAccounts(t.Context(), many("p", 30))
	if err != nil || results[29].Err != nil {
		t.Fatal(err, results[29].Err)
	}
	s.Exec("DELETE FROM wp_users WHERE ID IN (?, ?)", results[4].Account.ID, results[5].Account.ID)
	var seen []string
	page := 0
	for request := (directory.ListRequest{Size: 7, Attributes: []string{directory.Email}}); ; page++ {
		answer, err := d.ListAccounts(t.Context(), request)
		if err != nil {
			t.Fatal(err)
		}
		for _, a := range answer.Accounts {
			seen = append(seen, a.Label())
			if len(a.Attributes) != 2 {
				t.Errorf("%s has %q", a.Label(), a.Attributes.Names())
			}
		}
		switch page {
		case 0: // one that was listed, one that is to come
			s.Exec("DELETE FROM wp_users WHERE ID IN (?, ?)", results[0].Account.ID, results[20].Account.ID)
		case 1:
			create(t, d, "latecomer")
		}
		if request.Cursor = answer.Next; answer.Next == "" {
			break
		}
	}
	var want []string
	for i := range 30 {
		if i != 4 && i != 5 && i != 20 {
			want = append(want, fmt.Sprintf("p%03d", i))
		}
	}
	if want = append(append([]string{"admin"}, want...), "latecomer"); !slices.Equal(seen, want) {
		t.Errorf("listed %q", seen)
	}
	if l.with("AND meta_key IN (?) ORDER") == 0 || l.with("FROM wp_usermeta") != l.with("AND meta_key IN (?) ORDER") {
		t.Errorf("for the address alone, more than the roles was read from the meta: %q", l.all)
	}
	if n, err := d.CountAccounts(t.Context()); err != nil || n != 28 {
		t.Errorf("%d accounts, %v", n, err)
	}
}

// Pages that are read side by side hold everybody once, whoever comes or goes between the cut and the reading.
func TestPagesSideBySide(t *testing.T) {
	t.Parallel()
	s := real.WordPress(t)
	d := inDatabase(t, s)
	if cursors, err := d.Partition(t.Context(), directory.ListRequest{}); err != nil || len(cursors) > 1 {
		t.Errorf("one page is cut into %q, %v", cursors, err)
	}
	results, err := d.CreateAccounts(t.Context(), many("p", 29))
	if err != nil || results[28].Err != nil {
		t.Fatal(err, results[28].Err)
	}
	request := directory.ListRequest{Size: 10}
	cursors, err := d.Partition(t.Context(), request)
	if err != nil || len(cursors) != 4 {
		t.Fatalf("%q, %v", cursors, err)
	}
	s.Exec("DELETE FROM wp_users WHERE user_login IN ('p003', 'p015')")
	create(t, d, "latecomer")
	seen := map[string]int{}
	for i, cursor := range slices.Backward(cursors) {
		request.Cursor = cursor
		page, err := d.ListAccounts(t.Context(), request)
		if err != nil || len(page.Accounts) > 10 || (page.Next == "") != (i == len(cursors)-1) {
			t.Errorf("%s: %d accounts, next %q, %v", cursor, len(page.Accounts), page.Next, err)
		}
		for _, a := range page.Accounts {
			seen[a.Label()]++
		}
	}
	if len(seen) != 29 || seen["latecomer"] != 1 || seen["admin"] != 1 || seen["p003"]+seen["p015"] != 0 {
		t.Errorf("listed %v", seen)
	}
	for name, n := range seen {
		if n != 1 {
			t.Errorf("%s came %d times", name, n)
		}
	}
	for _, cursor := range []string{"x", "-1", "0", "5-", "5-3", "5-5", "-5", "05", "5-06", "1-2-3", " 5", "99999999999999999999"} {
		if _, err := d.ListAccounts(t.Context(), directory.ListRequest{Cursor: cursor}); !errors.Is(err, directory.Invalid) {
			t.Errorf("the cursor %q: %v", cursor, err)
		}
	}
}

func TestTheNumberOfStatementsOfEachCall(t *testing.T) {
	t.Parallel()
	s := real.WordPress(t)
	now := time.Now()
	still := func(settings *directory.Settings) { settings.Now = func() time.Time { return now } }
	d := inDatabase(t, s, "meta", []string{"department"}, "", still)
	id := create(t, d, "anna").ID
	s.AddPeople("subscriber", real.People(1, 1998)...)
	for _, step := range []struct {
		name string
		want int64
		call func() error
	}{
		{"2,000 users in two pages, and the roles", 2*3 + 1, func() error {
			if n := len(listAll(t, d)); n != 2000 {
				return fmt.Errorf("%d accounts", n)
			}
			return nil
		}},
		{"cutting them into pages, and the roles", 1 + 1, func() error { return second(d.Partition(t.Context(), directory.ListRequest{})) }},
		{"count", 1, func() error { return second(d.CountAccounts(t.Context())) }},
		{"roles", 1, func() error { return second(d.ListGroups(t.Context(), directory.GroupListRequest{})) }},
		{"one account", 3, func() error { return second(d.GetAccount(t.Context(), id)) }},
		{"find", 3, func() error { return second(d.FindAccounts(t.Context(), directory.Email, "anna@example.com")) }},
		{"find nobody", 2, func() error { return second(d.FindAccounts(t.Context(), directory.Email, "nobody@example.com")) }},
		{"create 500", 10, func() error { return second(d.CreateAccounts(t.Context(), many("p", 500))) }},
		{"create 1", 10, func() error { return second(d.CreateAccounts(t.Context(), many("q", 1))) }},
		{"a new name", 7, func() error {
			return second(d.UpdateAccount(t.Context(), directory.UpdateRequest{ID: id, Set: directory.Attributes{directory.FirstName: directory.Text("A")}}))
		}},
		{"the same name", 6, func() error {
			return second(d.UpdateAccount(t.Context(), directory.UpdateRequest{ID: id, Set: directory.Attributes{directory.FirstName: directory.Text("A")}}))
		}},
		{"a new address", 9, func() error {
			return second(d.UpdateAccount(t.Context(), directory.UpdateRequest{ID: id, Set: directory.Attributes{directory.Email: directory.Text("n@example.com")}}))
		}},
		{"change roles", 8, func() error {
			return d.ChangeGroups(t.Context(), directory.GroupsRequest{Account: id, Add: []string{"author"}})
		}},
		{"deactivate", 10, func() error {
			return second(d.SetStatus(t.Context(), directory.StatusRequest{ID: id, Status: directory.StatusInactive}))
		}},
		{"activate", 7, func() error {
			return second(d.SetStatus(t.Context(), directory.StatusRequest{ID: id, Status: directory.StatusActive}))
		}},
	} {
		before := d.Requests()
		if err := step.call(); err != nil {
			t.Errorf("%s: %v", step.name, err)
		}
		if n := d.Requests() - before; n != step.want {
			t.Errorf("%s: %d statements, want %d", step.name, n, step.want)
		}
	}
}

// A service runs for months: what somebody changes on the site meanwhile is noticed.
func TestWhatWasLearntIsNotReliedOnForLong(t *testing.T) {
	t.Parallel()
	s := real.WordPress(t)
	now := time.Now()
	d := inDatabase(t, s, "", func(settings *directory.Settings) { settings.Now = func() time.Time { return now } })
	id := create(t, d, "anna").ID
	s.Exec(`UPDATE wp_options SET option_value = REPLACE(option_value, 's:10:"subscriber"', 's:8:"customer"') WHERE option_name = 'wp_user_roles'`)
	s.Exec(`UPDATE wp_usermeta SET meta_value = 'a:1:{s:8:"customer";b:1;}' WHERE user_id = ? AND meta_key = 'wp_capabilities'`, id)
	if accounts := listAll(t, d); accounts[1].Status != directory.StatusActive || !slices.Equal(accounts[1].Groups, []string{"customer"}) {
		t.Errorf("a listing still goes by the old roles: %+v", accounts[1])
	}
	s.Exec(`UPDATE wp_options SET option_value = REPLACE(option_value, 's:8:"customer"', 's:10:"subscriber"') WHERE option_name = 'wp_user_roles'`)
	now = now.Add(2 * time.Minute)
	if a, err := d.GetAccount(t.Context(), id); err != nil || a.Status != directory.StatusInactive {
		t.Errorf("after two minutes the old roles still count: %+v, %v", a, err)
	}
	s.Exec("UPDATE wp_options SET option_value = '61833' WHERE option_name = 'db_version'")
	now = now.Add(2 * time.Minute)
	b := create(t, d, "berta")
	if color := s.Query("SELECT meta_value FROM wp_usermeta WHERE meta_key = 'admin_color' AND user_id = ?", b.ID); color[0][0] != "modern" {
		t.Errorf("a new user of WordPress 7 gets the look %q", color)
	}
}
