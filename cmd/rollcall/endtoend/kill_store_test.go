package endtoend

import (
	"database/sql"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-sync/rollcall/sync/engine"
)

const storeConfig = `state: rollcall.db
directories:
  staff: {type: file, path: people.csv}
  website: {type: store, path: website.db, busy_timeout: 1h}
syncs:
  web:
    source: staff
    target: website
    attributes:
      username: username
      email: email
      display_name: first_name + " " + last_name
      department: department
      custom.badge: id
    groups: {Editors: {from: [Web editors]}}
    group_options: {create: true}
    actions: {link: report} # what an earlier run made is known by the journal, not by matching
`

// peopleFile makes a file of one person and n others, every tenth of whom is an editor.
func peopleFile(n int) string {
	var list strings.Builder
	list.WriteString("id,username,email,first_name,last_name,department,groups\n")
	for i := range n + 1 {
		groups := ""
		if i > 0 && i%10 == 0 {
			groups = "Web editors"
		}
		fmt.Fprintf(&list, "B%05d,person%05d,person%05d@example.com,Åsa,Number %d,Press,%s\n", i, i, i, i, groups)
	}
	return list.String()
}

// storeBulk is how many accounts the store takes in one call.
const storeBulk = 500

// TestAKilledImportIntoTheStoreIsFinishedByOneRun kills an import of 1,500 people around each of its three bulk calls: with
// the intents in the journal and nothing in the store, and with the accounts in the store and nothing in the journal.
// The test holds the program at these places by the locks of the two files.
func TestAKilledImportIntoTheStoreIsFinishedByOneRun(t *testing.T) {
	t.Parallel()
	const people = 3 * storeBulk
	open := func(t *testing.T) *program {
		p := newProgram(t, storeConfig)
		p.write("people.csv", peopleFile(people))
		return p
	}
	clean := open(t)
	clean.run(engine.StatusOK, fmt.Sprintf("created %d", 1+people), "import", "web")
	want := clean.dump()
	clean.storeLinksAre(t, people)
	if len(want) != 1+people+people/10 {
		t.Fatalf("a clean import leaves %d lines", len(want))
	}

	for call := range people / storeBulk {
		for _, done := range []bool{false, true} {
			t.Run(when(call+1, done), func(t *testing.T) {
				p := open(t)
				p.write("people.csv", peopleFile(0))
				p.run(engine.StatusOK, "created 1", "import", "web") // makes both files
				p.write("people.csv", peopleFile(people))

				written := p.killInStore(t, call, done)
				if got := len(rows(t, p.path("website.db"), "SELECT id FROM accounts")); got != 1+written {
					t.Fatalf("%d accounts after the kill, want %d", got, 1+written)
				}
				report := p.report("import", "web")
				if report.Status != engine.StatusOK && report.Status != engine.StatusNothing || report.Counts.Created != people-written {
					t.Errorf("the run after the kill is %s: %s\n%v\n%v", report.Status, doneIn(report), report.Reasons, report.Failures)
				}
				if got := p.dump(); !slices.Equal(got, want) {
					t.Errorf("the store differs from one with a clean import: %s", differences(got, want))
				}
				p.storeLinksAre(t, people)
				before := p.revisions()
				p.sync(engine.StatusNothing, "")
				if after := p.revisions(); !slices.Equal(before, after) {
					t.Error("the night after that wrote to the store")
				}
			})
		}
	}
}

// killInStore lets so many bulk calls pass and kills the program in the next one. It returns the number of new
// accounts that must be in the store.
func (p *program) killInStore(t *testing.T, calls int, done bool) int {
	t.Helper()
	state, website := newLatch(t, p.path("rollcall.db")), newLatch(t, p.path("website.db"))
	website.hold()
	cmd := p.prepared("import", "web")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer cmd.Process.Kill() //nolint:errcheck // ended already unless the test failed
	// The group is made first, with an intent of its own.
	for call := 0; ; call++ {
		if call == 0 {
			state.await("SELECT count(*) FROM entries", 2) // with that of the first import
			website.release()
			website.await("SELECT count(*) FROM groups", 1)
			website.hold()
		}
		state.await("SELECT count(*) FROM entries WHERE action = 'create'", 1+(call+1)*storeBulk)
		if call == calls && !done {
			break
		}
		state.hold()
		website.release()
		website.await("SELECT count(*) FROM accounts", 1+(call+1)*storeBulk)
		if call == calls {
			break
		}
		website.hold()
		state.release()
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	wasKilled(t, cmd)
	state.release()
	website.release()
	if done {
		calls++
	}
	return calls * storeBulk
}

// latch keeps writers out of an SQLite file; readers are let in.
type latch struct {
	t    *testing.T
	db   *sql.DB
	held *sql.Tx
}

func newLatch(t *testing.T, path string) *latch {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+path+"?_txlock=immediate&_pragma=busy_timeout(60000)")
	if err != nil {
		t.Fatal(err)
	}
	l := &latch{t: t, db: db}
	t.Cleanup(func() { l.release(); db.Close() })
	return l
}

func (l *latch) hold() {
	l.t.Helper()
	tx, err := l.db.Begin()
	if err != nil {
		l.t.Fatal(err)
	}
	l.held = tx
}

func (l *latch) release() {
	if l.held != nil {
		l.held.Rollback() //nolint:errcheck // nothing was written
		l.held = nil
	}
}

// await looks until a query gives a number. Whoever is waited for is another process, so there is nothing else to wait on.
func (l *latch) await(query string, want int) {
	l.t.Helper()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(time.Minute); time.Now().Before(end); <-tick.C {
		var got int
		if err := l.db.QueryRow(query).Scan(&got); err != nil {
			l.t.Fatal(err)
		}
		if got == want {
			return
		}
	}
	l.t.Fatalf("%s is not %d after a minute", query, want)
}

// dump writes down the store, sorted, without ids and moments.
func (p *program) dump() []string {
	p.t.Helper()
	lines := rows(p.t, p.path("website.db"), "SELECT active, username_key, email_key, attributes FROM accounts")
	lines = append(lines, rows(p.t, p.path("website.db"), `SELECT g.name, a.username_key FROM memberships m
		JOIN groups g ON g.id = m.group_id JOIN accounts a ON a.id = m.account_id`)...)
	slices.Sort(lines)
	return lines
}

func (p *program) revisions() []string {
	return rows(p.t, p.path("website.db"), "SELECT id, revision, updated_at FROM accounts ORDER BY id")
}

func (p *program) storeLinksAre(t *testing.T, people int) {
	t.Helper()
	usernames, want := map[string]string{}, map[string]string{}
	for _, row := range rows(t, p.path("website.db"), "SELECT id, username_key FROM accounts") {
		id, name, _ := strings.Cut(row, "\t")
		usernames[id] = name
	}
	for i := range people + 1 {
		want[fmt.Sprintf("B%05d", i)] = fmt.Sprintf("person%05d", i)
	}
	p.linksMean(t, usernames, want)
	if len(usernames) != len(slices.Compact(slices.Sorted(maps.Values(usernames)))) {
		t.Error("two accounts of the store have one name")
	}
}
