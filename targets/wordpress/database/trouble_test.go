package database_test

import (
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/rollcall-sync/rollcall/sync/directory"
	"github.com/rollcall-sync/rollcall/sync/directory/directorytest/real"
)

func many(prefix string, n int) (requests []directory.CreateRequest) {
	for i := range n {
		requests = append(requests, directory.CreateRequest{Status: directory.StatusActive, Attributes: person(fmt.Sprintf("%s%03d", prefix, i))})
	}
	return requests
}

// count returns how many accounts have names with this beginning, and checks that each has all its meta.
func count(t testing.TB, s *real.WordPressSite, prefix string) int {
	t.Helper()
	const metaOfOne = 13
	rows := s.Query("SELECT u.user_login, COUNT(m.umeta_id) FROM wp_users u LEFT JOIN wp_usermeta m ON m.user_id = u.ID WHERE u.user_login LIKE ? GROUP BY u.ID", prefix+"%")
	for _, row := range rows {
		if row[1] != fmt.Sprint(metaOfOne) {
			t.Errorf("%s has %s rows of meta", row[0], row[1])
		}
	}
	return len(rows)
}

// One row that the server refuses costs itself and nobody else.
func TestARefusedRowAmongMany(t *testing.T) {
	t.Parallel()
	s := real.WordPress(t)
	d := inDatabase(t, s)
	s.Exec("ALTER TABLE wp_users ADD CONSTRAINT no_poison CHECK (display_name <> 'poison')")
	s.Exec("ALTER TABLE wp_usermeta ADD CONSTRAINT no_poison_either CHECK (meta_value <> 'poison')")
	requests := many("p", 500)
	bad := map[int]string{0: directory.DisplayName, 137: directory.FirstName, 138: directory.DisplayName, 499: directory.LastName}
	for i, attribute := range bad {
		requests[i].Attributes[attribute] = directory.Text("poison")
	}
	results, err := d.CreateAccounts(t.Context(), requests)
	if err != nil {
		t.Fatal(err)
	}
	for i, result := range results {
		if _, is := bad[i]; is != (result.Err != nil) || is && (!errors.Is(result.Err, directory.Invalid) || !strings.Contains(result.Err.Error(), fmt.Sprintf("p%03d", i))) {
			t.Errorf("%d: %v", i, result.Err)
		}
	}
	if n := count(t, s, "p"); n != 496 {
		t.Errorf("%d accounts were made", n)
	}
}

// Some add the unique index that WordPress does not have.
func TestAUniqueIndexThatSomebodyAdded(t *testing.T) {
	t.Parallel()
	s := real.WordPress(t)
	d := inDatabase(t, s)
	s.Exec("ALTER TABLE wp_users ADD UNIQUE user_email_unique (user_email)")
	requests := many("u", 50)
	requests[20].Attributes[directory.Email] = directory.Text("U003@example.com")
	results, err := d.CreateAccounts(t.Context(), requests)
	if err != nil {
		t.Fatal(err)
	}
	for i, result := range results {
		if i == 20 {
			conflict(t, result.Err, directory.Email)
		} else if result.Err != nil {
			t.Errorf("%d: %v", i, result.Err)
		}
	}
	if n := count(t, s, "u"); n != 49 {
		t.Errorf("%d accounts were made", n)
	}
}

func TestAConnectionThatBreaksInTheMiddleOfABatch(t *testing.T) {
	t.Parallel()
	s := real.WordPress(t)
	dsn := leastDSN(t, s)
	for i, c := range []struct {
		name    string
		decide  func(string) action
		made    int
		outcome error
	}{
		{"before the users", once("INSERT INTO wp_users", lose), 30, nil},
		{"after the users", once("INSERT INTO wp_users", answer), 30, nil},
		{"in the middle", once("INSERT INTO wp_usermeta", lose), 30, nil},
		{"after the meta", once("INSERT INTO wp_usermeta", answer), 30, nil},
		{"in the first look", once("SELECT VERSION()", lose), 30, nil},
		// Whether the commit came through cannot be seen by its absence.
		{"before the commit", once("COMMIT", lose), 0, directory.UnknownOutcome},
		{"after the commit", once("COMMIT", answer), 30, nil},
		{"in the first look, with its answer", once("SELECT TABLE_NAME", answer), 30, nil},
		{"in the look for names", once("SELECT user_nicename", lose), 30, nil},
		{"for good", func(statement string) action {
			if strings.HasPrefix(statement, "INSERT") {
				return lose
			}
			return pass
		}, 0, directory.Retryable},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := open(t, "mode", "database", "dsn", through(t, dsn, c.decide))
			prefix := fmt.Sprintf("c%d-", i)
			results, err := d.CreateAccounts(t.Context(), many(prefix, 30))
			if err != nil {
				t.Fatal(err)
			}
			for _, result := range results {
				if c.outcome == nil && (result.Err != nil || result.Account.ID == "") || c.outcome != nil && !errors.Is(result.Err, c.outcome) {
					t.Fatalf("%+v, %v", result.Account, result.Err)
				}
			}
			if n := count(t, s, prefix); n != c.made {
				t.Errorf("%d accounts were made, want %d", n, c.made)
			}
		})
	}
}

// A listing that breaks off is begun anew, and no account comes twice.
func TestAConnectionThatBreaksWhileReading(t *testing.T) {
	t.Parallel()
	s := real.WordPress(t)
	dsn := leastDSN(t, s)
	s.AddPeople("subscriber", real.People(1, 30)...)
	for name, decide := range map[string]func(string) action{
		"users lost": once("SELECT ID, user_login", lose), "users answered": once("SELECT ID, user_login", answer), "meta lost": once("SELECT user_id", lose),
		"meta answered": once("SELECT user_id", answer), "count": once("SELECT COUNT", answer), "roles": once("SELECT option_value", lose),
	} {
		d := open(t, "mode", "database", "dsn", through(t, dsn, decide), "page_size", 10)
		n, err := d.CountAccounts(t.Context())
		if all := listAll(t, d); err != nil || n != 31 || len(all) != 31 || all[30].Status != directory.StatusActive {
			t.Errorf("%s: %d accounts counted, %d listed, %v", name, n, len(all), err)
		}
		if found, err := d.FindAccounts(t.Context(), directory.Username, "admin"); err != nil || len(found) != 1 {
			t.Errorf("%s: %d found, %v", name, len(found), err)
		}
	}
}

// A value that the server would close the connection at costs itself only.
func TestAValueThatIsTooLargeForTheServer(t *testing.T) {
	t.Parallel()
	s := real.WordPress(t)
	d := inDatabase(t, s)
	requests := many("p", 20)
	large := directory.Text(strings.Repeat("x", 17<<20))
	requests[7].Attributes["custom.description"] = large
	requests[8].Attributes["custom.description"] = directory.Text(strings.Repeat("'", 1<<20))
	results, err := d.CreateAccounts(t.Context(), requests)
	if err != nil {
		t.Fatal(err)
	}
	for i, result := range results {
		if i == 7 {
			saysAll(t, "a large one", result.Err, directory.Invalid, []string{"max_allowed_packet", "description"})
		} else if result.Err != nil {
			t.Errorf("%d: %v", i, result.Err)
		}
	}
	_, err = d.UpdateAccount(t.Context(), directory.UpdateRequest{ID: results[0].Account.ID, Set: directory.Attributes{"custom.description": large}})
	saysAll(t, "a large update", err, directory.Invalid, []string{"max_allowed_packet"})
	if n := count(t, s, "p"); n != 19 {
		t.Errorf("%d accounts", n)
	}
}

// lines collects what is traced.
type lines struct {
	mu  sync.Mutex
	all []string
}

func (l *lines) add(line string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all = append(l.all, line)
}

func (l *lines) with(part string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := 0
	for _, line := range l.all {
		if strings.Contains(line, part) {
			n++
		}
	}
	return n
}

func TestADeadlockIsTriedAgain(t *testing.T) {
	t.Parallel()
	s := real.WordPress(t)
	setUp := inDatabase(t, s)
	for _, request := range many("filler", 30) {
		if _, err := setUp.CreateAccount(t.Context(), request); err != nil {
			t.Fatal(err)
		}
	}
	id := create(t, setUp, "anna").ID
	other, err := s.Database.Admin.BeginTx(t.Context(), &sql.TxOptions{Isolation: sql.LevelReadCommitted})
	if err != nil {
		t.Fatal(err)
	}
	defer other.Rollback()
	run := func(statement string, arguments ...any) {
		if _, err := other.ExecContext(t.Context(), statement, arguments...); err != nil {
			t.Errorf("%s: %v", statement, err)
		}
	}
	// Who has changed more is not the one that the server gives up.
	run("UPDATE wp_users SET user_url = 'http://changed.example' WHERE user_login LIKE 'filler%'")
	run("UPDATE wp_usermeta SET meta_value = meta_value + 1 WHERE user_id = ? AND meta_key = 'wp_user_level'", id)
	var l lines
	var met sync.WaitGroup
	first := true
	d := inDatabase(t, s, "", whenever(func(line string) {
		l.add(line)
		if first && strings.Contains(line, ": SELECT ID, user_login") {
			first = false
			met.Go(func() {
				run("UPDATE wp_users SET user_url = 'http://other.example' WHERE ID = ?", id) // waits for ours, as ours for this
				if err := other.Commit(); err != nil {
					t.Error(err)
				}
			})
		}
	}))
	a, err := d.SetStatus(t.Context(), directory.StatusRequest{ID: id, Status: directory.StatusInactive})
	met.Wait()
	if err != nil || a.Status != directory.StatusInactive || a.Attributes.Text(directory.URL) != "http://other.example" {
		t.Errorf("%+v, %v", a, err)
	}
	if n := l.with("error 1213"); n != 1 {
		t.Errorf("the server found %d deadlocks: %q", n, l.all)
	}
}

func TestALockThatIsHeldForLongIsWaitedForAgain(t *testing.T) {
	t.Parallel()
	s := real.WordPress(t)
	id := create(t, inDatabase(t, s), "anna").ID
	other, err := s.Database.Admin.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Rollback()
	if _, err := other.ExecContext(t.Context(), "UPDATE wp_users SET user_url = 'http://held.example' WHERE ID = ?", id); err != nil {
		t.Fatal(err)
	}
	var l lines
	d := open(t, "mode", "database", "dsn", leastDSN(t, s)+"?innodb_lock_wait_timeout=1", "", whenever(func(line string) {
		l.add(line)
		if strings.Contains(line, "error 1205") {
			_ = other.Rollback() // the second time there is nothing left to roll back
		}
	}))
	a, err := d.UpdateAccount(t.Context(), directory.UpdateRequest{ID: id, Set: directory.Attributes{directory.Nickname: directory.Text("Annie")}})
	if err != nil || a.Attributes.Text(directory.Nickname) != "Annie" || l.with("error 1205") == 0 {
		t.Errorf("%+v, %v; %q", a, err, l.all)
	}
}

// Traces show which statements were sent, and nobody's data.
func TestTracesShowNoValues(t *testing.T) {
	t.Parallel()
	s := real.WordPress(t)
	var l lines
	d := inDatabase(t, s, "", whenever(l.add))
	a := create(t, d, "anna")
	if _, err := d.UpdateAccount(t.Context(), directory.UpdateRequest{ID: a.ID, Set: directory.Attributes{directory.FirstName: directory.Text("Annabel")}}); err != nil {
		t.Fatal(err)
	}
	if l.with("anna") != 0 || l.with("Annabel") != 0 || l.with("INSERT INTO wp_users") == 0 || d.Requests() != int64(len(l.all)) {
		t.Errorf("%d statements are counted and these traced: %q", d.Requests(), l.all)
	}
}
