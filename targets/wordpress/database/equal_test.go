package database_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-sync/rollcall/sync/directory"
	"github.com/rollcall-sync/rollcall/sync/directory/directorytest/real"
)

// oddTexts are values of which WordPress makes something of its own, or that it must not take for something else.
var oddTexts = []string{
	"Plain", "R&D <b>bold</b> a < b &amp; c", "  two   spaces\tand\nlines  ", "100%41 % 5%", "0", `O'Neill "x"`, `back\slash \0`, "漢字かな 😀 Zoë",
	`O:8:"stdClass":0:{}`, `a:1:{i:0;s:1:"x";}`, `s:5:"hello";`, "i:5;", "b:1;", "N;", "a:0:{} and more", "bell\x07", "&eacute;&#38; &#x0041; &#2; &#xD800; &#00065; &#1114112;",
}

// step is one thing done to a site, the same by either mode.
type step struct {
	name string
	do   func(t *testing.T, d powers)
}

func history() []step {
	id := map[string]string{}
	var steps []step
	add := func(name string, do func(t *testing.T, d powers) error) {
		steps = append(steps, step{name, func(t *testing.T, d powers) {
			t.Helper()
			if err := do(t, d); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}})
	}
	make1 := func(name string, request directory.CreateRequest) {
		add("create "+name, func(t *testing.T, d powers) error {
			base := person(name)
			for attribute, value := range request.Attributes {
				base[attribute] = value
			}
			request := request
			request.Attributes = base
			if request.Status == directory.StatusUnknown {
				request.Status = directory.StatusActive
			}
			a, err := d.CreateAccount(t.Context(), request)
			id[name] = a.ID
			return err
		})
	}
	update := func(name string, set directory.Attributes) {
		add("update "+name, func(t *testing.T, d powers) error {
			_, err := d.UpdateAccount(t.Context(), directory.UpdateRequest{ID: id[name], Set: set})
			return err
		})
	}
	status := func(name string, status directory.Status, groups ...string) {
		add(status.String()+" "+name, func(t *testing.T, d powers) error {
			_, err := d.SetStatus(t.Context(), directory.StatusRequest{ID: id[name], Status: status, Groups: groups})
			return err
		})
	}
	groups := func(name string, plus, minus []string) {
		add("groups of "+name, func(t *testing.T, d powers) error {
			return d.ChangeGroups(t.Context(), directory.GroupsRequest{Account: id[name], Add: plus, Remove: minus})
		})
	}
	make1("plain", directory.CreateRequest{})
	make1("roles", directory.CreateRequest{Groups: []string{"editor", "author"}})
	make1("inactive", directory.CreateRequest{Status: directory.StatusInactive, Groups: []string{"editor"}})
	for _, name := range []string{"Anna.B", "anna-b", "a b", "a_b@c.d", "UPPER", "x.y.z", strings.Repeat("long", 15), strings.Repeat("long", 14) + "more", "@", "..", "123"} {
		make1(name, directory.CreateRequest{Attributes: directory.Attributes{directory.Email: directory.Text(fmt.Sprintf("mail%d@example.com", len(steps)))}})
	}
	make1("mail", directory.CreateRequest{Attributes: directory.Attributes{directory.Email: directory.Text("O'Neill&sons+x@Mail.Example.com")}})
	for i, text := range oddTexts {
		value, name := directory.Text(text), fmt.Sprintf("odd%d", i)
		make1(name, directory.CreateRequest{Attributes: directory.Attributes{
			directory.FirstName: value, directory.LastName: directory.Text("L"), "custom.department": value, "custom.description": value,
		}})
		update(name, directory.Attributes{directory.DisplayName: value, directory.Nickname: value, directory.LastName: value})
		update(name, directory.Attributes{directory.FirstName: {}, directory.DisplayName: {}, "custom.department": {}, "custom.description": {}, directory.Nickname: {}})
	}
	for i, url := range []string{"https://www.example.com/~anna?x=1&y=2#z", "www.example.com/a b", "/relative", "http://münchen.example/ü", "mailto:a@example.com", "HTTPS://example.com"} {
		make1(fmt.Sprintf("url%d", i), directory.CreateRequest{Attributes: directory.Attributes{directory.URL: directory.Text(url)}})
	}
	make1("locale", directory.CreateRequest{Attributes: directory.Attributes{directory.Locale: directory.Text("en_US")}})
	make1("first", directory.CreateRequest{Attributes: directory.Attributes{directory.FirstName: directory.Text("Only")}})
	make1("last", directory.CreateRequest{Attributes: directory.Attributes{directory.LastName: directory.Text("Only & Co")}})
	make1("shown", directory.CreateRequest{Attributes: directory.Attributes{directory.DisplayName: {}, directory.FirstName: directory.Text("A"), directory.LastName: directory.Text("B")}})
	update("plain", directory.Attributes{directory.Email: directory.Text("New@example.com")})
	update("plain", directory.Attributes{directory.Locale: {}, directory.URL: {}})
	groups("plain", []string{"editor", "author"}, nil)
	groups("plain", []string{"contributor"}, []string{"editor"})
	groups("plain", nil, []string{"author", "contributor", "subscriber"})
	groups("roles", nil, []string{"editor", "author"})
	status("roles", directory.StatusInactive)
	status("roles", directory.StatusActive, "editor", "author")
	status("inactive", directory.StatusActive)
	status("url1", directory.StatusInactive)
	return steps
}

// stateOf is what the site holds, without the passwords and moments that differ in each history, and with the meta rows in
// the order in which they were written.
func stateOf(s *real.WordPressSite) []string {
	var order []string
	for _, row := range s.Query("SELECT u.user_login, GROUP_CONCAT(m.meta_key ORDER BY m.umeta_id) FROM " + s.Prefix + "users u JOIN " + s.Prefix +
		"usermeta m ON m.user_id = u.ID WHERE m.meta_key NOT IN ('session_tokens', '_application_passwords') AND u.user_login <> 'admin' GROUP BY u.ID ORDER BY u.ID") {
		order = append(order, fmt.Sprintf("%q in the order %s", row[0], row[1]))
	}
	keys := s.Query("SELECT user_login FROM " + s.Prefix + "users WHERE user_activation_key <> ''")
	return append(append(s.State(), order...), fmt.Sprintf("with a link for a new password: %q", keys))
}

// The same people and the same changes, by the one mode into one site and by the other into another, leave the same rows.
func TestBothModesLeaveTheSameRows(t *testing.T) {
	t.Parallel()
	options := []any{"meta", []string{"department"}, "deactivated_meta", "lock", "activated_value", "open"}
	var sites [2]*real.WordPressSite
	var modes [2]powers
	for i, open := range []func(testing.TB, *real.WordPressSite, ...any) powers{overREST, inDatabase} {
		sites[i] = real.WordPress(t, real.WithMeta("department", "lock"))
		modes[i] = open(t, sites[i], options...)
	}
	var states [2][]string
	for i := range modes {
		for _, step := range history() {
			step.do(t, modes[i])
		}
		states[i] = stateOf(sites[i])
	}
	if diff := cmp.Diff(states[0], states[1]); diff != "" {
		t.Errorf("over REST -, in the database +:\n%s", diff)
	}
	// What each mode reads of each site is the same too, whoever wrote it.
	for i, s := range sites {
		rest, base := overREST(t, s, options...), inDatabase(t, s, options...)
		if diff := cmp.Diff(listAll(t, rest), listAll(t, base), cmp.Comparer(directory.Value.Equal)); diff != "" {
			t.Errorf("site %d, read over REST -, in the database +:\n%s", i, diff)
		}
	}
}

func listAll(t testing.TB, d directory.Directory) (all []directory.Account) {
	t.Helper()
	for request := (directory.ListRequest{}); ; {
		page, err := d.ListAccounts(t.Context(), request)
		if err != nil || page.Doubt != "" {
			t.Fatalf("%q, %v", page.Doubt, err)
		}
		for _, a := range page.Accounts {
			slices.Sort(a.Groups)
			all = append(all, a)
		}
		if request.Cursor = page.Next; page.Next == "" {
			return all
		}
	}
}

// What was written into the database is, to WordPress, an account like any other.
func TestWordPressWorksWithWhatWasWrittenIntoItsDatabase(t *testing.T) {
	t.Parallel()
	s := real.WordPress(t, real.WithMeta("department"))
	d := inDatabase(t, s, "meta", []string{"department"})
	attributes := person("anna")
	attributes[directory.FirstName], attributes["custom.department"] = directory.Text("Anna & <Co>"), directory.Text(`O:8:"stdClass":0:{}`)
	a, err := d.CreateAccount(t.Context(), directory.CreateRequest{Status: directory.StatusActive, Attributes: attributes, Groups: []string{"author", "editor"}})
	if err != nil {
		t.Fatal(err)
	}
	var got struct {
		Username, Email, Slug, Name string
		FirstName                   string `json:"first_name"`
		Roles                       []string
		Capabilities                map[string]bool
		Meta                        map[string]any
	}
	status, answer := s.REST(http.MethodGet, "/wp/v2/users/"+a.ID+"?context=edit", nil)
	if err := json.Unmarshal(answer, &got); err != nil || status != http.StatusOK {
		t.Fatalf("%d, %v: %s", status, err, answer)
	}
	if got.Username != "anna" || got.Email != "anna@example.com" || got.Slug != "anna" || got.FirstName != "Anna &amp; &lt;Co&gt;" ||
		!slices.Equal(got.Roles, []string{"author", "editor"}) || !got.Capabilities["edit_others_posts"] || got.Meta["department"] != `O:8:"stdClass":0:{}` {
		t.Errorf("WordPress shows %+v", got)
	}
	if level := s.Query("SELECT meta_value FROM wp_usermeta WHERE meta_key = 'wp_user_level' AND user_id = ?", a.ID)[0][0]; level != "7" {
		t.Errorf("the level is %s", level)
	}
	// Nobody can sign in: not without a password, nor with what stands in its place.
	for _, password := range []string{"", " ", "!", "*", s.Query("SELECT user_pass FROM wp_users WHERE ID = ?", a.ID)[0][0]} {
		if s.Login("anna", password) {
			t.Errorf("the password %q lets anna in", password)
		}
	}
	// An edit in WordPress works, and a password that is set there too.
	if status, answer := s.REST(http.MethodPost, "/wp/v2/users/"+a.ID, map[string]any{"nickname": "Annie", "password": "secret-1", "roles": []string{"author"}}); status != http.StatusOK {
		t.Fatalf("%d: %s", status, answer)
	}
	if !s.Login("anna", "secret-1") {
		t.Error("a password set in WordPress does not work")
	}
	if now, err := d.GetAccount(t.Context(), a.ID); err != nil || now.Attributes.Text(directory.Nickname) != "Annie" || !slices.Equal(now.Groups, []string{"author"}) {
		t.Errorf("%+v, %v", now, err)
	}
}

// A leaver loses everything at once, whichever mode does it, and the other mode undoes it.
func TestEitherModeUndoesTheOthersDeactivation(t *testing.T) {
	t.Parallel()
	s := real.WordPress(t, real.WithMeta("lock"))
	options := []any{"deactivated_meta", "lock", "deactivated_value", "yes"}
	rest, base := overREST(t, s, options...), inDatabase(t, s, options...)
	for name, c := range map[string]struct{ down, up powers }{
		"database, then REST": {base, rest}, "REST, then database": {rest, base}, "database twice": {base, base},
	} {
		user := s.AddUser("editor")
		id := fmt.Sprint(user.ID)
		if !s.Login(user.Username, user.Password) {
			t.Fatal("the test's own user cannot sign in")
		}
		if s.Exec("UPDATE wp_users SET user_activation_key = 'a link for a new password' WHERE ID = ?", id) != 1 {
			t.Fatal("no such row")
		}
		sessions := func(key string) int {
			return len(s.Query("SELECT 1 FROM wp_usermeta WHERE meta_key = ? AND user_id = ? AND meta_value <> 'a:0:{}'", key, id))
		}
		if sessions("session_tokens") == 0 || sessions("_application_passwords") == 0 {
			t.Fatal("the test's own user has no session")
		}
		mails := len(s.Mails())
		for range 2 {
			a, err := c.down.SetStatus(t.Context(), directory.StatusRequest{ID: id, Status: directory.StatusInactive})
			if err != nil || a.Status != directory.StatusInactive || len(a.Groups) != 0 {
				t.Fatalf("%s: %+v, %v", name, a, err)
			}
		}
		if s.Login(user.Username, user.Password) || sessions("_application_passwords") != 0 {
			t.Errorf("%s: the leaver can still sign in", name)
		}
		if c.down == base && (sessions("session_tokens") != 0 || len(s.Mails()) != mails) {
			t.Errorf("%s: sessions or mails are left", name)
		}
		if link := s.Query("SELECT user_activation_key FROM wp_users WHERE ID = ?", id)[0][0]; link != "" {
			t.Errorf("%s: the link %q still leads to a new password", name, link)
		}
		for _, reader := range []powers{rest, base} {
			if a, err := reader.GetAccount(t.Context(), id); err != nil || a.Status != directory.StatusInactive {
				t.Errorf("%s: %+v, %v", name, a, err)
			}
		}
		a, err := c.up.SetStatus(t.Context(), directory.StatusRequest{ID: id, Status: directory.StatusActive, Groups: []string{"editor", "author"}})
		if err != nil || a.Status != directory.StatusActive || !slices.Equal(a.Groups, []string{"editor", "author"}) {
			t.Errorf("%s: %+v, %v", name, a, err)
		}
		for _, reader := range []powers{rest, base} {
			if a, err := reader.GetAccount(t.Context(), id); err != nil || a.Status != directory.StatusActive || len(a.Groups) != 2 {
				t.Errorf("%s: %+v, %v", name, a, err)
			}
		}
		if s.Login(user.Username, user.Password) {
			t.Errorf("%s: the old password came back", name)
		}
	}
}

// A link for a new password that was mailed to the old address does not outlive it; other changes leave it alone.
func TestALinkForANewPasswordGoesWithTheOldAddress(t *testing.T) {
	t.Parallel()
	s := real.WordPress(t)
	for name, d := range map[string]powers{"rest": overREST(t, s), "base": inDatabase(t, s)} {
		id := create(t, d, name).ID
		s.Exec("UPDATE wp_users SET user_activation_key = 'link' WHERE ID = ?", id)
		for _, change := range []struct{ attribute, value, want string }{
			{directory.FirstName, "Anna", "link"}, {directory.Email, name + "@example.com", "link"}, {directory.Email, "new-" + name + "@example.com", ""},
		} {
			if _, err := d.UpdateAccount(t.Context(), directory.UpdateRequest{ID: id, Set: directory.Attributes{change.attribute: directory.Text(change.value)}}); err != nil {
				t.Fatal(err)
			}
			if link := s.Query("SELECT user_activation_key FROM wp_users WHERE ID = ?", id)[0][0]; link != change.want {
				t.Errorf("%s: after a change of %s the link is %q", name, change.attribute, link)
			}
		}
	}
}

// Lists that a plugin has registered are the same by either mode.
func TestListsInMetaAreTheSameByEitherMode(t *testing.T) {
	t.Parallel()
	s := real.WordPress(t, real.WithPHP(`add_action('init', function () {
		register_meta('user', 'teams', ['type' => 'array', 'single' => true, 'show_in_rest' => ['schema' => ['items' => ['type' => 'string']]]]);
	});`))
	rest, base := overREST(t, s, "meta", []string{"teams"}), inDatabase(t, s, "meta", []string{"teams"})
	list := directory.List("red, blue", "größe", `a:0:{}`)
	var stored []string
	for name, d := range map[string]powers{"rest": rest, "base": base} {
		attributes := person(name)
		attributes["custom.teams"] = list
		a, err := d.CreateAccount(t.Context(), directory.CreateRequest{Status: directory.StatusActive, Attributes: attributes})
		if err != nil {
			t.Fatal(err)
		}
		for _, reader := range []powers{rest, base} {
			if got, err := reader.GetAccount(t.Context(), a.ID); err != nil || !got.Attributes["custom.teams"].Equal(list) {
				t.Errorf("%s: %q, %v", name, got.Attributes["custom.teams"], err)
			}
		}
		stored = append(stored, s.Query("SELECT meta_value FROM wp_usermeta WHERE meta_key = 'teams' AND user_id = ?", a.ID)[0][0])
		if cleared, err := d.UpdateAccount(t.Context(), directory.UpdateRequest{ID: a.ID, Set: directory.Attributes{"custom.teams": {}}}); err != nil || !cleared.Attributes["custom.teams"].IsEmpty() {
			t.Errorf("%s: emptied, it is %q, %v", name, cleared.Attributes["custom.teams"], err)
		}
	}
	if stored[0] != stored[1] {
		t.Errorf("stored are %q", stored)
	}
	// What no attribute can hold is neither shown nor written over.
	id := create(t, base, "object").ID
	s.Exec(`INSERT INTO wp_usermeta (user_id, meta_key, meta_value) VALUES (?, 'teams', 'a:1:{s:4:"lead";i:5;}')`, id)
	a, err := base.GetAccount(t.Context(), id)
	if _, shown := a.Attributes["custom.teams"]; err != nil || shown || a.Problem != "" {
		t.Errorf("%+v, %v", a, err)
	}
	if _, err := base.UpdateAccount(t.Context(), directory.UpdateRequest{ID: id, Set: directory.Attributes{"custom.teams": list}}); !errors.Is(err, directory.Invalid) {
		t.Errorf("written over: %v", err)
	}
	if _, err := base.UpdateAccount(t.Context(), directory.UpdateRequest{ID: id, Set: directory.Attributes{"custom.teams": {}}}); !errors.Is(err, directory.Invalid) {
		t.Errorf("emptied: %v", err)
	}
}
