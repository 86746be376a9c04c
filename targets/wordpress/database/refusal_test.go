package database_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/go-sql-driver/mysql"

	"github.com/rollcall-sync/rollcall/sync/directory"
	"github.com/rollcall-sync/rollcall/sync/directory/directorytest/real"
)

// changed returns a data source name with something else in it.
func changed(t testing.TB, dsn string, change func(*mysql.Config)) string {
	t.Helper()
	c, err := mysql.ParseDSN(dsn)
	if err != nil {
		t.Fatal(err)
	}
	change(c)
	return c.FormatDSN()
}

// What is wrong with a place is said with its remedy, by the check and by the first call, and nothing is written.
func TestPlacesThatCannotBeUsed(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		prepare func(s *real.WordPressSite) // the site
		dsn     func(*mysql.Config)
		prefix  string
		// reads is the kind of error that listing gives, -1 for none; writes that of creating.
		reads, writes error
		// says is in the error and in a finding of the check.
		says []string
	}{
		"no such server":   {dsn: func(c *mysql.Config) { c.Addr = "127.0.0.1:1" }, reads: directory.Retryable, writes: directory.Retryable, says: []string{"does not answer", "dsn"}},
		"a wrong password": {dsn: func(c *mysql.Config) { c.Passwd = "hidden-secret" }, reads: directory.Auth, writes: directory.Auth, says: []string{"Access denied", "user and password in the dsn"}},
		"no such database": {dsn: func(c *mysql.Config) { c.DBName = "nosuch" }, reads: directory.Auth, writes: directory.Auth, says: []string{"database's name in the dsn"}},
		"a wrong prefix":   {prefix: "other_", reads: directory.Invalid, writes: directory.Invalid, says: []string{"no table other_users", "prefix"}},
		"a network of sites": {
			prepare: func(s *real.WordPressSite) {
				s.Exec("ALTER TABLE wp_users ADD spam tinyint(2) NOT NULL DEFAULT 0, ADD deleted tinyint(2) NOT NULL DEFAULT 0")
			},
			reads: directory.Unsupported, writes: directory.Unsupported, says: []string{"multisite", "mode: rest"},
		},
		"text of another character set": {
			prepare: func(s *real.WordPressSite) {
				s.Exec("ALTER TABLE wp_usermeta CONVERT TO CHARACTER SET latin1")
			},
			reads: directory.Unsupported, writes: directory.Unsupported, says: []string{"wp_usermeta is kept in latin1", "utf8mb4"},
		},
		"tables without transactions": {
			prepare: func(s *real.WordPressSite) { s.Exec("ALTER TABLE wp_usermeta ENGINE = MyISAM") },
			writes:  directory.Unsupported, says: []string{"wp_usermeta is of the kind MyISAM", "ALTER TABLE wp_usermeta ENGINE = InnoDB"},
		},
		"no roles": {
			prepare: func(s *real.WordPressSite) { s.Exec("DELETE FROM wp_options WHERE option_name = 'wp_user_roles'") },
			reads:   directory.Invalid, writes: directory.Invalid, says: []string{"wp_user_roles", "prefix"},
		},
		"roles that are no array": {
			prepare: func(s *real.WordPressSite) {
				s.Exec("UPDATE wp_options SET option_value = 'O:8:\"stdClass\":0:{}' WHERE option_name = 'wp_user_roles'")
			},
			reads: directory.Invalid, writes: directory.Invalid, says: []string{"wp_user_roles", "PHP"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := real.WordPress(t)
			dsn := leastDSN(t, s)
			if c.prepare != nil {
				c.prepare(s)
			}
			if c.dsn != nil {
				dsn = changed(t, dsn, c.dsn)
			}
			prefix := c.prefix
			if prefix == "" {
				prefix = "wp_"
			}
			d := open(t, "mode", "database", "dsn", dsn, "prefix", prefix)
			before := s.State()
			_, err := d.ListAccounts(t.Context(), directory.ListRequest{})
			saysAll(t, "listing", err, c.reads, c.says)
			_, err = d.CreateAccounts(t.Context(), many("p", 3))
			saysAll(t, "creating", err, c.writes, c.says)
			findings, err := d.Check(t.Context(), directory.CheckRequest{Write: true})
			if err != nil {
				t.Fatal(err)
			}
			told := ""
			for _, f := range findings {
				if f.Level == directory.LevelError {
					told += f.Message + " - " + f.Remedy + "\n"
				}
			}
			for _, say := range c.says {
				if !strings.Contains(told, say) {
					t.Errorf("the check does not say %q: %s", say, told)
				}
			}
			if after := s.State(); strings.Join(before, "\n") != strings.Join(after, "\n") {
				t.Error("something was written")
			}
		})
	}
}

func saysAll(t *testing.T, what string, err, kind error, says []string) {
	t.Helper()
	if kind == nil {
		if err != nil {
			t.Errorf("%s: %v", what, err)
		}
		return
	}
	if !errors.Is(err, kind) {
		t.Errorf("%s: want %s: %v", what, kind, err)
		return
	}
	for _, say := range says {
		if !strings.Contains(err.Error(), say) {
			t.Errorf("%s: the error does not say %q: %v", what, say, err)
		}
	}
	if strings.Contains(err.Error(), "hidden-secret") {
		t.Errorf("%s: the error shows the password: %v", what, err)
	}
}

// A session that may only read stands for a replica: the server refuses each write.
func TestAServerThatTakesNoWrites(t *testing.T) {
	t.Parallel()
	s := real.WordPress(t)
	id := create(t, inDatabase(t, s), "anna").ID
	d := open(t, "mode", "database", "dsn", leastDSN(t, s)+"?tx_read_only=1")
	if page, err := d.ListAccounts(t.Context(), directory.ListRequest{}); err != nil || len(page.Accounts) != 2 {
		t.Errorf("listing: %+v, %v", page, err)
	}
	results, err := d.CreateAccounts(t.Context(), many("p", 20))
	if err != nil {
		t.Fatal(err)
	}
	for _, result := range results {
		saysAll(t, "creating", result.Err, directory.Auth, []string{"primary server"})
	}
	_, err = d.SetStatus(t.Context(), directory.StatusRequest{ID: id, Status: directory.StatusInactive})
	saysAll(t, "deactivating", err, directory.Auth, []string{"primary server"})
	if n := d.Requests(); n > 40 {
		t.Errorf("%d statements: a batch was divided although the rows were not at fault", n)
	}
}

// In the older utf8 there is no place for emoji; WordPress then has none either.
func TestTheOlderUTF8(t *testing.T) {
	t.Parallel()
	s := real.WordPress(t)
	for _, table := range []string{"wp_users", "wp_usermeta"} {
		s.Exec("ALTER TABLE " + table + " CONVERT TO CHARACTER SET utf8mb3 COLLATE utf8mb3_unicode_520_ci")
	}
	d := inDatabase(t, s)
	requests := many("p", 9)
	requests[3].Attributes[directory.FirstName] = directory.Text("Zoë 😀")
	requests[4].Attributes[directory.FirstName] = directory.Text("Zoë")
	requests[5].Attributes[directory.DisplayName] = directory.Text("😀")
	results, err := d.CreateAccounts(t.Context(), requests)
	if err != nil {
		t.Fatal(err)
	}
	for i, result := range results {
		if i == 3 || i == 5 {
			saysAll(t, fmt.Sprint(i), result.Err, directory.Invalid, []string{"utf8mb4"})
		} else if result.Err != nil {
			t.Errorf("%d: %v", i, result.Err)
		}
	}
	var e *directory.Error
	if errors.As(results[5].Err, &e); e.Attribute != directory.DisplayName {
		t.Errorf("the attribute at fault is %q: %v", e.Attribute, e)
	}
	if got := results[4].Account.Attributes.Text(directory.FirstName); got != "Zoë" || count(t, s, "p") != 7 {
		t.Errorf("%q is stored, %d accounts", got, count(t, s, "p"))
	}
	findings, err := d.Check(t.Context(), directory.CheckRequest{Write: true})
	if err != nil || !found(findings, directory.LevelWarning, "utf8mb3") {
		t.Errorf("%+v, %v", findings, err)
	}
}

func found(findings []directory.Finding, level directory.Level, part string) bool {
	for _, f := range findings {
		if f.Level == level && strings.Contains(f.Message+" - "+f.Remedy, part) {
			return true
		}
	}
	return false
}

// What cannot be read is not written over, and the account is left alone.
func TestCapabilitiesThatCannotBeRead(t *testing.T) {
	t.Parallel()
	s := real.WordPress(t)
	d := inDatabase(t, s)
	for _, broken := range []string{"subscriber", `a:1:{s:9:"subscriber";b:1;}`, `O:8:"stdClass":0:{}`, `a:1:{s:10:"subscriber";O:8:"stdClass":0:{}}`, `a:2:{s:10:"subscriber";b:1;}`} {
		id := create(t, d, fmt.Sprintf("b%d", len(s.Query("SELECT 1 FROM wp_users")))).ID
		s.Exec("UPDATE wp_usermeta SET meta_value = ? WHERE user_id = ? AND meta_key = 'wp_capabilities'", broken, id)
		if a, err := d.GetAccount(t.Context(), id); err != nil || !strings.Contains(a.Problem, "wp_capabilities") || a.GroupsKnown || a.Status != directory.StatusUnknown {
			t.Errorf("%s: %+v, %v", broken, a, err)
		}
		for what, err := range map[string]error{
			"deactivate": second(d.SetStatus(t.Context(), directory.StatusRequest{ID: id, Status: directory.StatusInactive})),
			"activate":   second(d.SetStatus(t.Context(), directory.StatusRequest{ID: id, Status: directory.StatusActive})),
			"roles":      d.ChangeGroups(t.Context(), directory.GroupsRequest{Account: id, Add: []string{"author"}}),
		} {
			if !errors.Is(err, directory.Invalid) {
				t.Errorf("%s of %s: %v", what, broken, err)
			}
		}
		if rows := s.Query("SELECT meta_value FROM wp_usermeta WHERE user_id = ? AND meta_key = 'wp_capabilities'", id); rows[0][0] != broken {
			t.Errorf("%s was written over with %s", broken, rows[0][0])
		}
	}
}

func second[T any](_ T, err error) error { return err }

// Rights of a person beside the roles, and those of a plugin that is switched off, stay where they are.
func TestOtherCapabilitiesStay(t *testing.T) {
	t.Parallel()
	s := real.WordPress(t)
	d := inDatabase(t, s)
	a := create(t, d, "anna")
	s.Exec("UPDATE wp_usermeta SET meta_value = ? WHERE user_id = ? AND meta_key = 'wp_capabilities'",
		`a:4:{s:15:"bbp_participant";b:1;s:10:"subscriber";b:1;s:13:"edit_própria";i:1;s:11:"gone_plugin";b:0;}`, a.ID)
	if err := d.ChangeGroups(t.Context(), directory.GroupsRequest{Account: a.ID, Add: []string{"author"}, Remove: []string{"subscriber"}}); err != nil {
		t.Fatal(err)
	}
	want := `a:4:{s:15:"bbp_participant";b:1;s:13:"edit_própria";i:1;s:11:"gone_plugin";b:0;s:6:"author";b:1;}`
	rows := s.Query("SELECT meta_value FROM wp_usermeta WHERE user_id = ? AND meta_key = 'wp_capabilities'", a.ID)
	if len(rows) != 1 || rows[0][0] != want {
		t.Errorf("%q", rows)
	}
}
