package database_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/rollcall-sync/rollcall/sync/directory"
	"github.com/rollcall-sync/rollcall/sync/directory/directorytest/real"
)

// conflict checks a refusal for a value that somebody else has.
func conflict(t testing.TB, err error, attribute string) {
	t.Helper()
	var e *directory.Error
	if !errors.As(err, &e) || e.Kind != directory.Conflict || e.Attribute != attribute {
		t.Errorf("want a conflict over the %s: %v", attribute, err)
	}
}

// alone checks that one account has the username and the address, and that no meta is left of others.
func alone(t testing.TB, s *real.WordPressSite, name string) {
	t.Helper()
	for _, column := range []string{"user_login", "user_email"} {
		value := name
		if column == "user_email" {
			value += "@example.com"
		}
		if rows := s.Query("SELECT ID, user_login FROM wp_users WHERE "+column+" = ?", value); len(rows) != 1 {
			t.Errorf("%d accounts have the %s %s: %q", len(rows), column, value, rows)
		}
	}
	if orphans := s.Query("SELECT user_id, meta_key FROM wp_usermeta WHERE user_id NOT IN (SELECT ID FROM wp_users)"); len(orphans) != 0 {
		t.Errorf("meta without an account: %q", orphans)
	}
}

// The collation takes some values for equal that are not.
func TestWhatTheDatabaseTakesForEqualIsTaken(t *testing.T) {
	t.Parallel()
	s := real.WordPress(t)
	d := inDatabase(t, s)
	s.Exec("INSERT INTO wp_users (user_login, user_email, user_nicename) VALUES ('josé', 'josé@example.com', 'jose')")
	create(t, d, "Anna")
	for name, c := range map[string]struct{ username, email, attribute string }{
		"case":                     {"ANNA", "x1@example.com", directory.Username},
		"case of the address":      {"x2", "ANNA@Example.com", directory.Email},
		"accents":                  {"jose", "x3@example.com", directory.Username},
		"accents in the address":   {"x4", "Jose@example.com", directory.Email},
		"both: the username first": {"anna", "anna@example.com", directory.Username},
	} {
		_, err := d.CreateAccount(t.Context(), directory.CreateRequest{Status: directory.StatusActive, Attributes: directory.Attributes{
			directory.Username: directory.Text(c.username), directory.Email: directory.Text(c.email),
		}})
		if err == nil {
			t.Errorf("%s: made", name)
			continue
		}
		conflict(t, err, c.attribute)
	}
	alone(t, s, "Anna")
	if n := len(s.Query("SELECT 1 FROM wp_users")); n != 3 {
		t.Errorf("%d accounts", n)
	}
	// Unlike accounts, names in addresses of pages give way.
	if a := create(t, d, "jose.b"); s.Query("SELECT user_nicename FROM wp_users WHERE ID = ?", a.ID)[0][0] != "jose-b" {
		t.Error("a free nicename was not taken")
	}
	if a := create(t, d, "jose-b"); s.Query("SELECT user_nicename FROM wp_users WHERE ID = ?", a.ID)[0][0] != "jose-b-2" {
		t.Error("a nicename that is taken got no suffix")
	}
}

func TestOfEqualOnesInOneCallTheFirstIsMade(t *testing.T) {
	t.Parallel()
	s := real.WordPress(t)
	d := inDatabase(t, s)
	mail := func(name, address string) directory.CreateRequest {
		return directory.CreateRequest{Status: directory.StatusActive, Attributes: directory.Attributes{
			directory.Username: directory.Text(name), directory.Email: directory.Text(address + "@example.com"),
		}}
	}
	results, err := d.CreateAccounts(t.Context(), []directory.CreateRequest{
		mail("anna", "anna"), mail("Anna", "second"), mail("third", "SECOND"), mail("fourth", "ANNA"), mail("admin", "fifth"), mail("x.y", "x"), mail("x-y", "y"), mail("X y", "z"),
	})
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []string{"", directory.Username, "", directory.Email, directory.Username, "", "", ""} {
		switch err := results[i].Err; {
		case want == "" && (err != nil || results[i].Account.ID == ""):
			t.Errorf("%d: %+v, %v", i, results[i].Account, err)
		case want != "":
			conflict(t, err, want) // the second one is not made, so its address is free for the third
		}
	}
	var names []string
	for _, row := range s.Query("SELECT user_nicename FROM wp_users ORDER BY ID") {
		names = append(names, row[0])
	}
	if want := []string{"admin", "anna", "third", "x-y", "x-y-2", "x-y-3"}; !slices.Equal(names, want) {
		t.Errorf("nicenames %q, want %q", names, want)
	}
	alone(t, s, "anna")
}

// Two programs that make the same people at once, in opposite orders, leave each person once.
func TestTwoThatImportTheSamePeopleAtOnce(t *testing.T) {
	t.Parallel()
	s := real.WordPress(t)
	const people, each = 40, 3
	var mu sync.Mutex
	made := map[string]int{}
	var group sync.WaitGroup
	for side := range 2 {
		d := inDatabase(t, s)
		for worker := range each {
			group.Go(func() {
				var requests []directory.CreateRequest
				for i := range people {
					if (side+worker)%2 == 1 {
						i = people - 1 - i
					}
					requests = append(requests, directory.CreateRequest{Status: directory.StatusActive, Attributes: person(fmt.Sprintf("twin%d", i))})
				}
				results, err := d.CreateAccounts(t.Context(), requests)
				if err != nil {
					t.Error(err)
				}
				mu.Lock()
				defer mu.Unlock()
				for i, result := range results {
					if result.Err == nil {
						made[requests[i].Attributes.Text(directory.Username)]++
					} else if !errors.Is(result.Err, directory.Conflict) && !errors.Is(result.Err, directory.Retryable) {
						t.Error(result.Err)
					}
				}
			})
		}
	}
	group.Wait()
	for i := range people {
		name := fmt.Sprintf("twin%d", i)
		if made[name] != 1 {
			t.Errorf("%s: %d calls say that they made it", name, made[name])
		}
		alone(t, s, name)
	}
}

// Both have inserted before either looks, and both have committed before either looks again.
func TestTwoThatInsertBeforeEitherLooks(t *testing.T) {
	t.Parallel()
	s := real.WordPress(t)
	var inserted, committed sync.WaitGroup
	inserted.Add(2)
	committed.Add(2)
	var group sync.WaitGroup
	outcomes := make([]error, 2)
	for i := range outcomes {
		hooks := []func(*directory.Settings){
			after("INSERT INTO wp_users", func() { inserted.Done(); inserted.Wait() }),
			after("COMMIT", func() { committed.Done(); committed.Wait() }),
		}
		d := inDatabase(t, s, "", func(settings *directory.Settings) {
			var each [2]directory.Settings
			for n, hook := range hooks {
				hook(&each[n])
			}
			settings.Trace = func(line string) { each[0].Trace(line); each[1].Trace(line) }
		})
		group.Go(func() {
			_, outcomes[i] = d.CreateAccount(t.Context(), directory.CreateRequest{Status: directory.StatusActive, Attributes: person("twin")})
		})
	}
	group.Wait()
	if (outcomes[0] == nil) == (outcomes[1] == nil) {
		t.Errorf("one makes the account and the other is told: %v, %v", outcomes[0], outcomes[1])
	}
	for _, err := range outcomes {
		if err != nil {
			conflict(t, err, directory.Username)
		}
	}
	alone(t, s, "twin")
}

func TestAnAddressThatSomebodyTakesAtTheSameMoment(t *testing.T) {
	t.Parallel()
	for name, moment := range map[string]string{"before our commit": "UPDATE wp_users", "after it": "COMMIT"} {
		s := real.WordPress(t)
		id := create(t, inDatabase(t, s), "anna").ID
		d := inDatabase(t, s, "", after(moment, func() {
			s.Exec("INSERT INTO wp_users (user_login, user_email) VALUES ('rival', 'Wanted@example.com')")
		}))
		_, err := d.UpdateAccount(t.Context(), directory.UpdateRequest{ID: id, Set: directory.Attributes{directory.Email: directory.Text("wanted@example.com")}})
		if err == nil || !strings.Contains(err.Error(), "account") {
			t.Errorf("%s: %v", name, err)
		}
		conflict(t, err, directory.Email)
		if rows := s.Query("SELECT user_email FROM wp_users WHERE ID = ?", id); rows[0][0] != "anna@example.com" {
			t.Errorf("%s: the address is %q", name, rows)
		}
	}
}
