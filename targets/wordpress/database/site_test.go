package database_test

import (
	"crypto/rand"
	"os"
	"strings"
	"testing"

	"github.com/go-sql-driver/mysql"

	"github.com/rollcall-sync/rollcall/sync/directory"
	"github.com/rollcall-sync/rollcall/sync/directory/directorytest/real"
	"github.com/rollcall-sync/rollcall/targets/wordpress"
)

// powers is what a site in its database can do, and by the REST API too.
type powers interface {
	directory.Directory
	directory.Counter
	directory.Partitioner
	directory.Getter
	directory.Finder
	directory.GroupLister
	directory.GroupChanger
	directory.Creator
	directory.BulkCreator
	directory.Updater
	directory.StatusSetter
	directory.Checker
	directory.RequestCounter
}

// tryOpen opens a directory as the configuration does; options are pairs of names and values.
func tryOpen(options ...any) (directory.Directory, error) {
	settings := directory.Settings{Name: "website", Values: map[string]any{}}
	for i := 0; i < len(options); i += 2 {
		if change, ok := options[i+1].(func(*directory.Settings)); ok {
			change(&settings)
			continue
		}
		settings.Values[options[i].(string)] = options[i+1]
	}
	settings, faults := wordpress.Type.Complete(settings)
	if len(faults) > 0 {
		return nil, faults[0]
	}
	return wordpress.Type.Open(settings)
}

func open(t testing.TB, options ...any) powers {
	t.Helper()
	d, err := tryOpen(options...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Close() })
	return d.(powers)
}

// inDatabase opens a site in its database, as a user with the rights of the guide.
func inDatabase(t testing.TB, s *real.WordPressSite, options ...any) powers {
	t.Helper()
	return open(t, append([]any{"mode", "database", "dsn", leastDSN(t, s), "prefix", s.Prefix}, options...)...)
}

// overREST opens the same site through its API.
func overREST(t testing.TB, s *real.WordPressSite, options ...any) powers {
	t.Helper()
	return open(t, append([]any{"url", s.URL, "username", s.Username, "password", s.AppPassword}, options...)...)
}

// leastDSN makes a database user with exactly the grants of the guide and returns the name by which Rollcall reaches the
// database with it.
func leastDSN(t testing.TB, s *real.WordPressSite) string {
	t.Helper()
	name, password := "r"+strings.ToLower(rand.Text()[:12]), rand.Text()
	for _, statement := range guideGrants(t) {
		// Backticks keep the names apart from what only looks like them.
		statement = strings.ReplaceAll(statement, "'rollcall'@'localhost'", "'"+name+"'@'127.0.0.1'")
		statement = strings.ReplaceAll(statement, "A LONG RANDOM PASSWORD", password)
		statement = strings.ReplaceAll(statement, "`wordpress`.`wp_", "`"+s.Database.Name+"`.`"+s.Prefix)
		s.Exec(statement)
	}
	t.Cleanup(func() { s.Exec("DROP USER '" + name + "'@'127.0.0.1'") })
	c := mysql.NewConfig()
	c.User, c.Passwd, c.Net, c.Addr, c.DBName = name, password, "tcp", s.Database.Address, s.Database.Name
	return c.FormatDSN()
}

// guideGrants returns the statements in the block of SQL of the guide.
func guideGrants(t testing.TB) []string {
	t.Helper()
	data, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, block, found := strings.Cut(string(data), "```sql\n")
	block, _, closed := strings.Cut(block, "```")
	if !found || !closed {
		t.Fatal("the guide has no block of SQL with the grants")
	}
	var statements []string
	for statement := range strings.SplitSeq(block, ";\n") {
		if statement = strings.TrimSpace(statement); statement != "" {
			statements = append(statements, statement)
		}
	}
	return statements
}

// person returns the attributes of an ordinary account.
func person(name string) directory.Attributes {
	return directory.Attributes{directory.Username: directory.Text(name), directory.Email: directory.Text(name + "@example.com")}
}

func create(t testing.TB, d directory.Creator, name string, groups ...string) directory.Account {
	t.Helper()
	a, err := d.CreateAccount(t.Context(), directory.CreateRequest{Status: directory.StatusActive, Attributes: person(name), Groups: groups})
	if err != nil {
		t.Fatal(err)
	}
	return a
}
