package endtoend

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/go-sql-driver/mysql"

	"github.com/rollcall-sync/rollcall/sync/directory/directorytest/real"
	"github.com/rollcall-sync/rollcall/sync/engine"
)

// killedPeople is how many people a killed import into the database is about.
const killedPeople = 400

// intoTables is an import of a file into the tables of a WordPress site.
func intoTables(t *testing.T) (*program, *real.WordPressSite, *wire) {
	t.Helper()
	site := real.WordPress(t, real.WithMeta("department"))
	dsn, err := mysql.ParseDSN(site.DSN)
	if err != nil {
		t.Fatal(err)
	}
	w := newWire(t, dsn.Addr)
	dsn.Addr = w.listener.Addr().String()
	text := func(dsn string) string {
		return fmt.Sprintf(`state: rollcall.db
directories:
  staff: {type: file, path: people.csv}
  website: {type: wordpress, mode: database, url: %q, dsn: %q, prefix: %q, meta: [department], batch_size: 50}
syncs:
  web:
    source: staff
    target: website
%s`, site.URL, dsn, site.Prefix, killRules)
	}
	p := newProgram(t, text(site.DSN))
	p.write("wired.yaml", text(dsn.FormatDSN()))
	var people strings.Builder
	// Nobody is ever linked by matching: what a killed run has made, the journal alone knows.
	people.WriteString("id,username,email,email_verified,first_name,last_name,department,groups\n")
	for i := range killedPeople {
		group := ""
		if i%10 == 0 {
			group = "Editors"
		}
		fmt.Fprintf(&people, "p%d,person%d,person%d@example.com,false,Given%d,Family,Press,%s\n", i, i, i, i, group)
	}
	p.write("people.csv", people.String())
	return p, site, w
}

// TestAnImportIntoTablesIsKilledAtTwentyMoments kills a bulk import in the middle of what it sends to the database: twenty
// bytes chosen by chance, half of them before the server sees the rest, half of them when it has answered.
func TestAnImportIntoTablesIsKilledAtTwentyMoments(t *testing.T) {
	t.Parallel()
	clean, site, w := intoTables(t)
	wired := clean.prepared("import", "web")
	wired.Args[len(wired.Args)-1] = clean.path("wired.yaml")
	if out, err := wired.CombinedOutput(); err != nil {
		t.Fatalf("a clean import: %v\n%s", err, out)
	}
	want, sent := site.State(), w.sent
	seed := rand.Uint64()
	t.Logf("seed %d, %d bytes", seed, sent)
	random := rand.New(rand.NewPCG(seed, 1))
	for i := range 20 {
		at, done := 1+random.Int64N(sent-1), i%2 == 1
		t.Run(fmt.Sprintf("byte %d, answered %t", at, done), func(t *testing.T) {
			p, site, w := intoTables(t)
			cmd := p.prepared("import", "web")
			cmd.Args[len(cmd.Args)-1] = p.path("wired.yaml")
			w.killAt(cmd, at, done)
			report := p.report("import", "web")
			if report.Status != engine.StatusOK && report.Status != engine.StatusNothing || report.Counts.Failed > 0 {
				t.Errorf("the run after the kill is %s: %s\n%v\n%v", report.Status, doneIn(report), report.Reasons, some(report.Failures))
			}
			if got := site.State(); !slices.Equal(got, want) {
				t.Errorf("the tables differ from those of a clean import: %s", differences(got, want))
			}
			if got := rows(t, p.path("rollcall.db"), "SELECT count(*) FROM links"); got[0] != fmt.Sprint(killedPeople) {
				t.Errorf("%s links, want %d", got[0], killedPeople)
			}
			before := site.State()
			p.sync(engine.StatusNothing, "")
			if after := site.State(); !slices.Equal(before, after) {
				t.Errorf("the night after that wrote: %s", differences(after, before))
			}
		})
	}
}
