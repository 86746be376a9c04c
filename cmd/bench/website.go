package main

import (
	"context"
	"database/sql"
	"fmt"
	"strings"

	"github.com/go-sql-driver/mysql"

	"github.com/rollcall-sync/rollcall/sync/directory/directorytest/real"
)

// websitePeople is the number of people of rows 1 and 3.
const websitePeople = 10_000

// website is rows 1 and 3: both need the same realm, and the night follows the import.
func (b *bench) website(g *rig) {
	people := b.atMost(websitePeople)
	realm := real.Keycloak(g).Realm(g)
	b.say("putting %s people into a realm", thousands(people))
	realm.AddPeople(real.People(1, people)...)
	idp := newBareKeycloak(realm)
	for range 2 { // the server reads everybody into its cache the first time
		if got := idp.list(g); got != people {
			g.Fatalf("the bare listing of the realm has %d people, not %d", got, people)
		}
	}
	site, p := b.imports(g, realm, idp, people)
	if b.wants(3) {
		b.night(g, site, p, idp, people)
	}
}

// imports is row 1. It returns the last site that was filled, with the program that did it. Where row 1 is not wanted, it
// imports once and measures nothing.
func (b *bench) imports(g *rig, realm *real.Realm, idp *bareKeycloak, people int) (site *real.WordPressSite, p *program) {
	ours := func() cost {
		site = real.WordPress(g)
		p = b.newProgram(g, g.TempDir(), websiteConfig(realm, site))
		report, taken := p.sync(g, "import", syncName)
		if report.Counts.Created != people {
			g.Fatalf("the import made %d accounts of %d", report.Counts.Created, people)
		}
		return taken
	}
	if !b.wants(1) {
		ours()
		return site, p
	}
	var listing, inserting []cost
	bare := func() cost {
		to := real.WordPress(g)
		calls := copyOf(g, site)
		db := openMySQL(g, to.DSN)
		defer db.Close()
		list := timed(func() { idp.list(g) })
		insert := timed(func() {
			for _, call := range calls {
				g.must(call.run(g.ctx, db))
			}
		})
		if got, want := countUsers(g, db, to.Prefix), people+1; got != want {
			g.Fatalf("the bare client made %d users, not %d", got, want)
		}
		listing, inserting = append(listing, list), append(inserting, insert)
		return cost{Seconds: list.Seconds + insert.Seconds}
	}
	b.say("importing, taking turns with the bare client")
	mine, theirs := g.takeTurns(roundsFor(people), ours, bare)
	b.add(line{
		Row: 1, What: fmt.Sprintf("import of %s, Keycloak to WordPress in database mode", thousands(people)),
		Ours: mine.Seconds, Bare: theirs.Seconds, Unit: "s", Most: 2, CPU: mine.CPU, Peak: mine.Peak,
		Remarks: []string{fmt.Sprintf("bare: listing %s s, INSERTs %s s", figure(median(listing).Seconds), figure(median(inserting).Seconds))},
	})
	return site, p
}

func websiteConfig(realm *real.Realm, site *real.WordPressSite) string {
	return fmt.Sprintf(`state: rollcall.db
directories:
  staff: {type: keycloak, url: %q, realm: %q, client_id: %q, client_secret: %q}
  website: {type: wordpress, mode: database, dsn: %q, url: %q}
syncs:
  web: {source: staff, target: website}
`, realm.URL, realm.Name, realm.ClientID, realm.ClientSecret, site.DSN, site.URL)
}

// keycloakOthers is how many requests the README of the connector states for a quiet night besides the pages of people, in a
// sync that looks at no groups: sign-in 1, counts 2, the empty page that ends the list 1, who administers the realm 14.
const keycloakOthers = 18

// night is row 3.
func (b *bench) night(g *rig, site *real.WordPressSite, p *program, idp *bareKeycloak, people int) {
	p.quiet(g) // marks everybody as in step
	before := checksums(g, site)
	db := openMySQL(g, site.DSN)
	defer db.Close()
	var requests, statements int64
	var idpTimes, siteTimes []cost
	b.say("quiet nights, taking turns with the bare listings")
	ours, _ := g.takeTurns(roundsFor(people), func() cost {
		report, taken := p.quiet(g)
		requests, statements = report.Requests.Source, report.Requests.Target
		return taken
	}, func() cost {
		idpTimes = append(idpTimes, timed(func() { idp.list(g) }))
		siteTimes = append(siteTimes, timed(func() { listSite(g, db, site.Prefix) }))
		return cost{}
	})
	slower, which := median(idpTimes), "Keycloak"
	if other := median(siteTimes); other.Seconds > slower.Seconds {
		slower, which = other, "WordPress"
	}
	l := line{
		Row: 3, What: fmt.Sprintf("quiet night of %s, Keycloak to WordPress in database mode", thousands(people)),
		Ours: ours.Seconds, Bare: slower.Seconds, Unit: "s", Most: 1.2, CPU: ours.CPU, Peak: ours.Peak,
		Remarks: []string{fmt.Sprintf("bare: %s is slower", which)},
	}
	pages := int64((people + keycloakPage - 1) / keycloakPage)
	l.Remarks = append(l.Remarks, fmt.Sprintf("%d requests to Keycloak for %d pages, %d statements, nothing written", requests, pages, statements))
	if requests > pages+keycloakOthers {
		l.Missed = append(l.Missed, fmt.Sprintf("at most %d requests to Keycloak", pages+keycloakOthers))
	}
	if checksums(g, site) != before {
		l.Missed = append(l.Missed, "the site's tables were written to")
	}
	b.add(l)
}

// checksums tells one content of the site's tables of users from another.
func checksums(g *rig, site *real.WordPressSite) string {
	return fmt.Sprint(site.Query("CHECKSUM TABLE " + site.Prefix + "users, " + site.Prefix + "usermeta"))
}

func openMySQL(g *rig, dsn string) *sql.DB {
	c, err := mysql.ParseDSN(dsn)
	g.must(err)
	c.InterpolateParams = true
	db, err := sql.Open("mysql", c.FormatDSN())
	g.must(err)
	db.SetMaxOpenConns(1)
	g.must(db.PingContext(g.ctx))
	return db
}

func countUsers(g *rig, db *sql.DB, prefix string) (n int) {
	g.must(db.QueryRowContext(g.ctx, "SELECT COUNT(*) FROM "+prefix+"users").Scan(&n))
	return n
}

// listSite reads all users with all their meta, which is what a bare client would do.
func listSite(g *rig, db *sql.DB, prefix string) {
	for _, query := range []string{
		"SELECT ID, user_login, user_email, user_url, user_registered, display_name FROM " + prefix + "users ORDER BY ID",
		"SELECT user_id, meta_key, meta_value FROM " + prefix + "usermeta ORDER BY user_id",
	} {
		rows, err := db.QueryContext(g.ctx, query)
		g.must(err)
		columns, err := rows.Columns()
		g.must(err)
		cells, into := make([]sql.NullString, len(columns)), make([]any, len(columns))
		for i := range cells {
			into[i] = &cells[i]
		}
		for rows.Next() {
			g.must(rows.Scan(into...))
		}
		g.must(rows.Err())
	}
}

// call is one transaction of the bare client: up to 500 users and their meta.
type call struct {
	statements []string
	arguments  [][]any
}

func (c call) run(ctx context.Context, db *sql.DB) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	for i, statement := range c.statements {
		if _, err := tx.ExecContext(ctx, statement, c.arguments[i]...); err != nil {
			return err
		}
	}
	return tx.Commit()
}

// copyOf reads the rows of all users but the administrator, and makes the calls that insert the same rows elsewhere.
func copyOf(g *rig, site *real.WordPressSite) (calls []call) {
	const userColumns, metaColumns = "ID, user_login, user_pass, user_nicename, user_email, user_url, user_registered, user_activation_key, user_status, display_name", "user_id, meta_key, meta_value"
	users := site.Query("SELECT " + userColumns + " FROM " + site.Prefix + "users WHERE ID > 1 ORDER BY ID")
	meta := site.Query("SELECT " + metaColumns + " FROM " + site.Prefix + "usermeta WHERE user_id > 1 ORDER BY user_id, umeta_id")
	for len(users) > 0 {
		n := min(batch, len(users))
		last, rows := users[n-1][0], 0
		for i, row := range meta {
			if row[0] == last {
				rows = i + 1
			}
		}
		if rows == 0 {
			g.Fatalf("user %s has no meta", last)
		}
		c := call{}
		c.insert(site.Prefix+"users", userColumns, users[:n])
		c.insert(site.Prefix+"usermeta", metaColumns, meta[:rows])
		calls = append(calls, c)
		users, meta = users[n:], meta[rows:]
	}
	return calls
}

func (c *call) insert(table, columns string, rows [][]string) {
	row := "(" + strings.TrimSuffix(strings.Repeat("?,", len(rows[0])), ",") + "),"
	c.statements = append(c.statements, "INSERT INTO "+table+" ("+columns+") VALUES "+strings.TrimSuffix(strings.Repeat(row, len(rows)), ","))
	arguments := make([]any, 0, len(rows)*len(rows[0]))
	for _, row := range rows {
		for _, value := range row {
			arguments = append(arguments, value)
		}
	}
	c.arguments = append(c.arguments, arguments)
}
