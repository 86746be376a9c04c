package wordpress

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/rollcall-sync/rollcall/sync/directory"
	"github.com/rollcall-sync/rollcall/sync/directory/directorytest"
	"github.com/rollcall-sync/rollcall/sync/directory/directorytest/real"
)

// openReal opens a real site as its administrator.
func openReal(t testing.TB, s *real.WordPressSite, options ...any) *site {
	t.Helper()
	return openAt(t, s.URL, append([]any{"username", s.Username, "password", s.AppPassword}, options...)...)
}

// usersInBatches is what a site of WordPress 6.6 does by itself: the users route takes part in batch/v1.
const usersInBatches = `add_filter('rest_endpoints', function ($endpoints) {
	foreach ($endpoints['/wp/v2/users'] as $key => $handler) {
		if (is_int($key)) { $endpoints['/wp/v2/users'][$key]['allow_batch'] = ['v1' => true]; }
	}
	return $endpoints;
});`

func TestConformanceOfARealSite(t *testing.T) {
	for name, code := range map[string]string{"one by one": "", "in batches": usersInBatches} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := real.WordPress(t, real.WithMeta("department"), real.WithPHP(code))
			open := func(t testing.TB) directory.Directory { return openReal(t, s, "meta", []string{"department"}) }
			directorytest.Run(t, directorytest.Suite{
				New:    func(t testing.TB) directorytest.Place { return directorytest.Place{Directory: open(t), Again: open} },
				Quirks: quirks, Values: values,
			})
		})
	}
}

func TestARealLeaverCannotSignIn(t *testing.T) {
	t.Parallel()
	s := real.WordPress(t, real.WithMeta("ja_disable_user"))
	d := openReal(t, s, "deactivated_meta", "ja_disable_user")
	user := s.AddUser("editor")
	id := strconv.Itoa(user.ID)
	leaver := openAt(t, s.URL, "username", user.Username, "password", user.AppPassword)
	if me, err := leaver.Self(t.Context()); err != nil || me != id || !s.Login(user.Username, user.Password) {
		t.Fatalf("the test's own user cannot sign in: %q, %v", me, err)
	}
	mails := len(s.Mails())
	a, err := d.SetStatus(t.Context(), directory.StatusRequest{ID: id, Status: directory.StatusInactive})
	if err != nil || a.Status != directory.StatusInactive || len(a.Groups) != 0 {
		t.Fatalf("%+v, %v", a, err)
	}
	if s.Login(user.Username, user.Password) {
		t.Error("the old password still works")
	}
	again := openAt(t, s.URL, "username", user.Username, "password", user.AppPassword)
	if _, err := again.Self(t.Context()); !errors.Is(err, directory.Auth) {
		t.Errorf("the application password still works: %v", err)
	}
	if flag := s.Query("SELECT meta_value FROM wp_usermeta WHERE meta_key = 'ja_disable_user' AND user_id = ?", id); len(flag) != 1 || flag[0][0] != "1" {
		t.Errorf("the plugin's flag is %q", flag)
	}
	sent := s.Mails()[mails:]
	if len(sent) != 1 || sent[0].To != user.Username+"@example.com" {
		t.Errorf("the description promises one mail to the user, and these were sent: %+v", sent)
	}
	a, err = d.SetStatus(t.Context(), directory.StatusRequest{ID: id, Status: directory.StatusActive, Groups: []string{"editor"}})
	if err != nil || a.Status != directory.StatusActive || !slices.Equal(a.Groups, []string{"editor"}) {
		t.Errorf("%+v, %v", a, err)
	}
	if n := len(s.Mails()) - mails; n != 1 {
		t.Errorf("activation sent %d mails", n-1)
	}
}

func TestWhomARealSiteMails(t *testing.T) {
	t.Parallel()
	s := real.WordPress(t)
	d := openReal(t, s)
	a := create(t, d, "anna")
	if _, err := d.UpdateAccount(t.Context(), directory.UpdateRequest{ID: a.ID, Set: directory.Attributes{directory.FirstName: directory.Text("A")}}); err != nil {
		t.Fatal(err)
	}
	if mails := s.Mails(); len(mails) != 0 {
		t.Errorf("creating and naming an account mailed %+v", mails)
	}
	if _, err := d.UpdateAccount(t.Context(), directory.UpdateRequest{ID: a.ID, Set: directory.Attributes{directory.Email: directory.Text("new@example.com")}}); err != nil {
		t.Fatal(err)
	}
	if mails := s.Mails(); len(mails) != 1 || mails[0].To != "anna@example.com" {
		t.Errorf("a new address mailed %+v", mails)
	}
}

// Rights decide what a real site shows; no thin answer may pass as a short list.
func TestARealListingWithoutTheRights(t *testing.T) {
	t.Parallel()
	s := real.WordPress(t, real.WithPHP(`add_action('init', function () {
		if (!get_role('lister')) { add_role('lister', 'Lister', ['read' => true, 'list_users' => true]); }
	});`))
	lister, nobody := s.AddUser("lister"), s.AddUser("subscriber")
	s.AddPeople("subscriber", real.People(1, 12)...)
	for _, c := range []struct{ user, password string }{
		{lister.Username, lister.AppPassword},
		{nobody.Username, nobody.AppPassword},
		{s.Username, "wrong"},
		{s.Username, s.Password}, // the password for signing in by hand
	} {
		thin := openAt(t, s.URL, "username", c.user, "password", c.password)
		page, err := thin.ListAccounts(t.Context(), directory.ListRequest{})
		if !errors.Is(err, directory.Auth) && page.Doubt == "" {
			t.Errorf("as %s: %d accounts of %d, no doubt, %v", c.user, len(page.Accounts), page.Total, err)
		}
		if found, err := thin.FindAccounts(t.Context(), directory.Email, "person000003@example.com"); !errors.Is(err, directory.Auth) {
			t.Errorf("as %s: found %d, %v", c.user, len(found), err)
		}
		findings, err := thin.Check(t.Context(), directory.CheckRequest{})
		if err != nil || !slices.ContainsFunc(findings, func(f directory.Finding) bool { return f.Level == directory.LevelError && f.Remedy != "" }) {
			t.Errorf("the check as %s: %+v, %v", c.user, findings, err)
		}
	}
}

// Six equal creations at once leave two accounts on a real site.
func TestEqualCreationsAtOnceOnARealSiteLeaveOneAccount(t *testing.T) {
	t.Parallel()
	s := real.WordPress(t)
	d := openReal(t, s, "write_concurrency", 6)
	for round := range 5 {
		name := fmt.Sprintf("race%d", round)
		var group sync.WaitGroup
		made := make([]error, 6)
		for i := range made {
			group.Go(func() {
				_, made[i] = d.CreateAccount(t.Context(), directory.CreateRequest{Status: directory.StatusActive, Attributes: person(name)})
			})
		}
		group.Wait()
		good := 0
		for _, err := range made {
			if err == nil {
				good++
			} else if !errors.Is(err, directory.Conflict) {
				t.Errorf("%v", err)
			}
		}
		if found, err := d.FindAccounts(t.Context(), directory.Username, name); err != nil || good != 1 || len(found) != 1 {
			t.Errorf("%d succeeded and %d accounts exist, %v", good, len(found), err)
		}
	}
}

func TestMetaOnARealSite(t *testing.T) {
	t.Parallel()
	s := real.WordPress(t, real.WithMeta("department"), real.WithPHP(`add_action('init', function () {
		register_meta('user', 'size', ['type' => 'integer', 'single' => true, 'show_in_rest' => true]);
		register_meta('user', 'member', ['type' => 'boolean', 'single' => true, 'show_in_rest' => true]);
		register_meta('user', 'teams', ['type' => 'array', 'single' => true, 'show_in_rest' => ['schema' => ['items' => ['type' => 'string']]]]);
		register_meta('user', 'shielded', ['type' => 'string', 'single' => true, 'show_in_rest' => true, 'auth_callback' => '__return_false']);
	});`))
	d := openReal(t, s, "meta", []string{"department", "size", "member", "teams", "shielded", "forgotten"})
	attributes := person("anna")
	set := directory.Attributes{
		"custom.department": directory.Text("R&D <press>"), "custom.size": directory.Text("42"), "custom.member": directory.Text("true"),
		"custom.teams": directory.List("red, blue", "green"),
	}
	for name, value := range set {
		attributes[name] = value
	}
	a, err := d.CreateAccount(t.Context(), directory.CreateRequest{Status: directory.StatusActive, Attributes: attributes})
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range set {
		if !a.Attributes[name].Equal(value) {
			t.Errorf("%s is %q, want %q", name, a.Attributes[name], value)
		}
		cleared, err := d.UpdateAccount(t.Context(), directory.UpdateRequest{ID: a.ID, Set: directory.Attributes{name: {}}})
		if got := cleared.Attributes.Text(name); err != nil || got != "" && got != "0" && got != "false" {
			t.Errorf("%s was emptied and is %q, %v", name, got, err)
		}
	}
	for name, want := range map[string]directory.ErrorKind{"custom.size": directory.Invalid, "custom.forgotten": directory.Invalid} {
		attributes := person("refused")
		attributes[name] = directory.Text("large")
		_, err := d.CreateAccount(t.Context(), directory.CreateRequest{Status: directory.StatusActive, Attributes: attributes})
		if !errors.Is(err, want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if found, err := d.FindAccounts(t.Context(), directory.Username, "refused"); err != nil || len(found) != 0 {
		t.Errorf("a refused account was made: %+v, %v", found, err)
	}
	// WordPress refuses a shielded key after it has made the account.
	attributes = person("shielded")
	attributes["custom.shielded"] = directory.Text("x")
	_, err = d.CreateAccount(t.Context(), directory.CreateRequest{Status: directory.StatusActive, Attributes: attributes})
	if !errors.Is(err, directory.UnknownOutcome) {
		t.Errorf("a creation that was refused half-way: %v", err)
	}
	found, err := d.FindAccounts(t.Context(), directory.Username, "shielded")
	if err != nil || len(found) != 1 {
		t.Fatalf("%+v, %v", found, err)
	}
	_, err = d.UpdateAccount(t.Context(), directory.UpdateRequest{ID: found[0].ID, Set: directory.Attributes{"custom.shielded": directory.Text("x")}})
	if !errors.Is(err, directory.Invalid) {
		t.Errorf("%v", err)
	}
}

func TestPlainPermalinksOnARealSite(t *testing.T) {
	t.Parallel()
	s := real.WordPress(t)
	s.Exec("UPDATE wp_options SET option_value = '' WHERE option_name IN ('permalink_structure', 'rewrite_rules')")
	d := openReal(t, s)
	a := create(t, d, "anna", "author")
	if d.client.form.Load() != formPlain {
		t.Errorf("the form of addresses is taken for %d", d.client.form.Load())
	}
	if page, err := d.ListAccounts(t.Context(), directory.ListRequest{}); err != nil || len(page.Accounts) != 2 || page.Doubt != "" {
		t.Errorf("%+v, %v", page, err)
	}
	if err := d.DeleteAccount(t.Context(), a.ID); err != nil {
		t.Error(err)
	}
}

func TestPHPMessagesBeforeTheJSONOfARealSite(t *testing.T) {
	t.Parallel()
	s := real.WordPress(t, real.WithPHP(`if (isset($_SERVER['HTTP_USER_AGENT']) && $_SERVER['HTTP_USER_AGENT'] === 'rollcall') {
		echo "<br />\n<b>Warning</b>:  Undefined variable \$x in <b>/site/plugin.php</b> on line <b>3</b><br />\n";
	}`))
	_, err := openReal(t, s).ListAccounts(t.Context(), directory.ListRequest{})
	if !errors.Is(err, directory.Retryable) || !strings.Contains(err.Error(), "Undefined variable $x") || !strings.Contains(err.Error(), "WP_DEBUG_DISPLAY") {
		t.Errorf("%v", err)
	}
}

func TestAddressesWithAnAmpersandOnARealSite(t *testing.T) {
	t.Parallel()
	s := real.WordPress(t)
	d := openReal(t, s)
	attributes := person("rd")
	attributes[directory.Email] = directory.Text("r&d@example.com")
	a, err := d.CreateAccount(t.Context(), directory.CreateRequest{Status: directory.StatusActive, Attributes: attributes})
	if err != nil || a.Attributes.Text(directory.Email) != "r&d@example.com" {
		t.Fatalf("%+v, %v", a, err)
	}
	if found, err := d.FindAccounts(t.Context(), directory.Email, "R&D@example.com"); err != nil || len(found) != 1 || found[0].ID != a.ID {
		t.Errorf("%+v, %v", found, err)
	}
	// The same address again must not pass, whoever looks at it.
	other := person("rd2")
	other[directory.Email] = directory.Text("r&d@example.com")
	if _, err := d.CreateAccount(t.Context(), directory.CreateRequest{Status: directory.StatusActive, Attributes: other}); !errors.Is(err, directory.Conflict) {
		t.Errorf("the address a second time: %v", err)
	}
}

func TestPostsOfADeletedAccountOnARealSite(t *testing.T) {
	t.Parallel()
	s := real.WordPress(t)
	id, webmaster := strconv.Itoa(s.AddUser("author").ID), s.AddUser("editor")
	heir := strconv.Itoa(webmaster.ID)
	status, answer := s.REST(http.MethodPost, "/wp/v2/posts", map[string]any{"title": "A post", "status": "publish", "author": json.Number(id)})
	if status != http.StatusCreated {
		t.Fatalf("%d: %s", status, answer)
	}
	d := openReal(t, s, "reassign_to", webmaster.Username)
	if err := d.DeleteAccount(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	if author := s.Query("SELECT post_author FROM wp_posts WHERE post_title = 'A post' AND post_status = 'publish'"); len(author) != 1 || author[0][0] != heir {
		t.Errorf("the post belongs to %q, want %q", author, heir)
	}
	if err := d.DeleteAccount(t.Context(), id); !errors.Is(err, directory.NotFound) {
		t.Errorf("once more: %v", err)
	}
}

// The guide promises that a role with five capabilities is enough, and six lines of PHP to keep the mails back.
func TestTheGuideOnARealSite(t *testing.T) {
	t.Parallel()
	s := real.WordPress(t, real.WithMeta("department"), real.WithPHP(`add_action('init', function () {
		$least = array_fill_keys(['read', 'list_users', 'edit_users', 'create_users', 'promote_users'], true);
		if (!get_role('rollcall')) { add_role('rollcall', 'Rollcall', $least); }
	});
	foreach (['send_email_change_email', 'send_password_change_email'] as $mail) {
		add_filter($mail, fn($send) => in_array('rollcall', wp_get_current_user()->roles) ? false : $send);
	}`))
	least := s.AddUser("rollcall")
	d := openReal(t, s, "username", least.Username, "password", least.AppPassword, "meta", []string{"department"})
	findings, err := d.Check(t.Context(), directory.CheckRequest{Write: true, Attributes: []string{"custom.department"}})
	if err != nil {
		t.Fatal(err)
	}
	for _, finding := range findings {
		if finding.Level == directory.LevelError || finding.Level == directory.LevelWarning && !strings.Contains(finding.Message, "delete_users") {
			t.Errorf("found %+v", finding)
		}
	}
	if accounts, doubts := follow(t, d, directory.ListRequest{}); len(accounts) != 2 || len(doubts) != 0 || accounts[1].Privileged == "" {
		t.Errorf("%+v, doubts %q", accounts, doubts)
	}
	a := create(t, d, "anna", "author", "editor")
	set := directory.Attributes{directory.Email: directory.Text("new@example.com"), "custom.department": directory.Text("Press")}
	if _, err := d.UpdateAccount(t.Context(), directory.UpdateRequest{ID: a.ID, Set: set}); err != nil {
		t.Error(err)
	}
	if err := d.ChangeGroups(t.Context(), directory.GroupsRequest{Account: a.ID, Add: []string{"contributor"}, Remove: []string{"editor"}}); err != nil {
		t.Error(err)
	}
	for _, status := range []directory.Status{directory.StatusInactive, directory.StatusActive} {
		if _, err := d.SetStatus(t.Context(), directory.StatusRequest{ID: a.ID, Status: status, Groups: []string{"author"}}); err != nil {
			t.Error(err)
		}
	}
	if mails := s.Mails(); len(mails) != 0 {
		t.Errorf("mails %+v", mails)
	}
	if err := d.DeleteAccount(t.Context(), a.ID); !errors.Is(err, directory.Auth) || !strings.Contains(err.Error(), "delete_users") {
		t.Errorf("deleting without the right: %v", err)
	}
}
