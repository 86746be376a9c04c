package database_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/rollcall-sync/rollcall/sync/directory"
	"github.com/rollcall-sync/rollcall/sync/directory/directorytest/real"
)

// Each right that is taken away is named by the check as the database names it, and by the write that misses it.
func TestTheCheckNamesTheMissingPrivilege(t *testing.T) {
	t.Parallel()
	s := real.WordPress(t)
	for _, table := range []string{"wp_users", "wp_usermeta"} {
		for _, privilege := range []string{"SELECT", "INSERT", "UPDATE", "DELETE"} {
			t.Run(privilege+" "+table, func(t *testing.T) {
				dsn := leastDSN(t, s)
				user, _, _ := strings.Cut(dsn, ":")
				s.Exec(fmt.Sprintf("REVOKE %s ON `%s`.`%s` FROM '%s'@'127.0.0.1'", privilege, s.Database.Name, table, user))
				d := open(t, "mode", "database", "dsn", dsn)
				findings, err := d.Check(t.Context(), directory.CheckRequest{Write: true})
				if err != nil {
					t.Fatal(err)
				}
				grant := fmt.Sprintf("lacks %s on %s - GRANT %[1]s ON `%[3]s`.`%[2]s` TO '%[4]s'@", privilege, table, s.Database.Name, user)
				if !found(findings, directory.LevelError, grant) {
					t.Errorf("want %q: %+v", grant, findings)
				}
				if read, err := d.Check(t.Context(), directory.CheckRequest{}); err != nil || (privilege == "SELECT") != found(read, directory.LevelError, "") {
					t.Errorf("for reading alone: %+v, %v", read, err)
				}
			})
		}
	}
	if n := len(s.Query("SELECT 1 FROM wp_users")); n != 1 {
		t.Errorf("the checks left %d accounts", n)
	}
}

func TestAMissingPrivilegeStopsTheWriteWithTheGrant(t *testing.T) {
	t.Parallel()
	s := real.WordPress(t)
	dsn := leastDSN(t, s)
	user, _, _ := strings.Cut(dsn, ":")
	s.Exec(fmt.Sprintf("REVOKE INSERT ON `%s`.wp_usermeta FROM '%s'@'127.0.0.1'", s.Database.Name, user))
	d := open(t, "mode", "database", "dsn", dsn)
	results, err := d.CreateAccounts(t.Context(), many("p", 10))
	if err != nil {
		t.Fatal(err)
	}
	for _, result := range results {
		saysAll(t, "creating", result.Err, directory.Auth, []string{"GRANT INSERT ON", "wp_usermeta"})
	}
	if n := count(t, s, "p"); n != 0 {
		t.Errorf("%d accounts were made in part", n)
	}
}

func TestWhatTheCheckSays(t *testing.T) {
	t.Parallel()
	s := real.WordPress(t)
	s.Exec("DELETE FROM wp_options WHERE option_name LIKE '%transient%'")
	d := inDatabase(t, s, "meta", []string{"department"}, "default_role", "customer")
	findings := func(request directory.CheckRequest) []directory.Finding {
		findings, err := d.Check(t.Context(), request)
		if err != nil {
			t.Fatal(err)
		}
		return findings
	}
	all := findings(directory.CheckRequest{Write: true, Attributes: []string{directory.Email, "custom.description", "custom.department", "custom.other"}})
	for _, want := range []struct {
		level directory.Level
		part  string
	}{
		{directory.LevelOK, "signed in"},
		{directory.LevelOK, "administrator, editor, author, contributor, subscriber"},
		{directory.LevelOK, "1 users"},
		{directory.LevelOK, "the database user may do what the sync needs"},
		{directory.LevelError, "no role customer"},
		{directory.LevelError, "meta key other is used by a rule"},
		{directory.LevelWarning, "no code of the site"},
		{directory.LevelWarning, "persistent object cache"},
	} {
		if !found(all, want.level, want.part) {
			t.Errorf("no %s with %q in %+v", want.level, want.part, all)
		}
	}
	if found(all, directory.LevelError, "department") {
		t.Errorf("%+v", all)
	}
	for _, read := range findings(directory.CheckRequest{}) {
		if read.Level == directory.LevelWarning {
			t.Errorf("for reading alone: %+v", read)
		}
	}
	// A site that puts passing data into its database has no other place for it.
	s.Exec("INSERT INTO wp_options (option_name, option_value) VALUES ('_transient_timeout_old', '1000000000')")
	if !found(findings(directory.CheckRequest{Write: true}), directory.LevelWarning, "persistent object cache") {
		t.Error("passing data of long ago counts as fresh")
	}
	s.Exec("INSERT INTO wp_options (option_name, option_value) VALUES ('_site_transient_timeout_new', UNIX_TIMESTAMP() + 3600)")
	if !found(findings(directory.CheckRequest{Write: true}), directory.LevelOK, "no persistent object cache") {
		t.Error("fresh passing data is not seen")
	}
}
