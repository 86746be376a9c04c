package main

import (
	"bufio"
	"database/sql"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	_ "modernc.org/sqlite" // the driver "sqlite"

	"github.com/rollcall-sync/rollcall/sync/engine"
)

// shape is how large a world from a file to the store is. Each person is in so many of the groups.
type shape struct{ people, groups, each int }

// The files of a world.
const (
	syncName    = "web"
	stateFile   = "rollcall.db"
	storeFile   = "website.db"
	peopleFile  = "people.csv"
	sameFile    = "same.csv"
	changedFile = "changed.csv"
	worldFile   = "world.json"
)

// oneIn is the share of people whose record is different in the changed file.
const oneIn = 100

// world is a file, a store and a state that agree: an import was made, and a night that found everybody in step.
type world struct {
	*program
	shape
}

// manifest says what a world was made with; written last, its presence says that the world is whole.
type manifest struct {
	Recipe int    `json:"recipe"`
	Schema string `json:"schema"`
}

// recipe is raised with every change of what a world holds.
const recipe = 1

func (b *bench) worldFolder(s shape) string {
	return filepath.Join(b.folder, fmt.Sprintf("world-%d-%d-%d", s.people, s.groups, s.each))
}

// world returns a world of this shape, made now or earlier. One whose tables are not those of today is made anew.
func (b *bench) world(g *rig, s shape) *world {
	folder := b.worldFolder(s)
	want := manifest{recipe, b.schema(g)}
	if data, err := os.ReadFile(filepath.Join(folder, worldFile)); err == nil {
		var have manifest
		if json.Unmarshal(data, &have) == nil && have == want {
			w := &world{b.newProgram(g, folder, storeConfig(s)), s}
			w.use(g, sameFile)
			if report, _ := w.sync(g, "sync", syncName); report.Status == engine.StatusNothing {
				return w
			}
		}
	}
	b.say("making a world of %s people in %s groups", thousands(s.people), thousands(s.groups))
	w := b.newWorld(g, folder, s)
	data, err := json.Marshal(want)
	g.must(err)
	g.must(os.WriteFile(w.path(worldFile), data, 0o644))
	return w
}

// newWorld makes a world in a folder that it empties first.
func (b *bench) newWorld(g *rig, folder string, s shape) *world {
	g.must(os.RemoveAll(folder))
	g.must(os.MkdirAll(folder, 0o755))
	w := &world{b.newProgram(g, folder, storeConfig(s)), s}
	g.must(writePeople(w.path(sameFile), s, false))
	g.must(writePeople(w.path(changedFile), s, true))
	w.use(g, sameFile)
	if report, _ := w.sync(g, "import", syncName); report.Counts.Created != s.people {
		g.Fatalf("the import made %d accounts of %d", report.Counts.Created, s.people)
	}
	w.quiet(g) // marks everybody as in step
	return w
}

// use makes one of the two files the one that the program reads.
func (w *world) use(g *rig, name string) {
	if err := os.Remove(w.path(peopleFile)); err != nil && !os.IsNotExist(err) {
		g.must(err)
	}
	g.must(os.Link(w.path(name), w.path(peopleFile)))
}

// schema is the text of all tables that the program makes today, in the state and in the store.
func (b *bench) schema(g *rig) string {
	w := b.newWorld(g, g.TempDir(), shape{people: 1})
	return strings.Join(append(tables(g, w.path(stateFile)), tables(g, w.path(storeFile))...), "\n")
}

// tables returns the statements that make the tables and indexes of an SQLite file.
func tables(g *rig, path string) (statements []string) {
	db := openSQLite(g, path, "mode=ro")
	defer db.Close()
	rows, err := db.QueryContext(g.ctx, "SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY rowid")
	g.must(err)
	defer rows.Close()
	for rows.Next() {
		var statement string
		g.must(rows.Scan(&statement))
		statements = append(statements, statement)
	}
	g.must(rows.Err())
	return statements
}

func openSQLite(g *rig, path, parameters string) *sql.DB {
	db, err := sql.Open("sqlite", "file:"+path+"?"+parameters)
	g.must(err)
	return db
}

// storeConfig is a sync from a file to the store, with one rule for each group.
func storeConfig(s shape) string {
	var text strings.Builder
	text.WriteString(`state: rollcall.db
directories:
  staff: {type: file, path: people.csv}
  website: {type: store, path: website.db}
syncs:
  web:
    source: staff
    target: website
    attributes:
      username: username
      email: email
      first_name: first_name
      last_name: last_name
      display_name: first_name + " " + last_name
      department: department
      title: title
      phone: phone
`)
	if s.groups > 0 {
		text.WriteString("    group_options: {create: true}\n    groups:\n")
	}
	for i := range s.groups {
		fmt.Fprintf(&text, "      Role %04d: {from: [%q]}\n", i, groupName(i))
	}
	return text.String()
}

func groupName(i int) string { return fmt.Sprintf("Group %04d", i) }

// groupsOf are the groups of one person, spread over all of them.
func (s shape) groupsOf(person int) []string {
	var names []string
	for i := range min(s.each, s.groups) {
		names = append(names, groupName((person+i*max(1, s.groups/s.each))%s.groups))
	}
	return names
}

// writePeople writes the file; in the changed one, one person in a hundred has another title.
func writePeople(path string, s shape, changed bool) error {
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	given := []string{"Anna", "Bjørn", "Çelik", "Dana", "Émile", "Fritz", "Grażyna"}
	family := []string{"Abel", "Müller", "Ōe", "Smith", "Nuñez"}
	out := bufio.NewWriter(file)
	fmt.Fprintln(out, "id,username,email,first_name,last_name,department,title,phone,active,groups")
	for i := range s.people {
		title := "Editor"
		if changed && i%oneIn == 0 {
			title = "Chief editor"
		}
		fmt.Fprintf(out, "%d,person%07d,person%07d@example.com,%s,%s %d,Department %d,%s,+00 555 %07d,yes,%s\n",
			i+1, i, i, given[i%len(given)], family[i%len(family)], i, i%40, title, i, strings.Join(s.groupsOf(i), "|"))
	}
	if err := out.Flush(); err != nil {
		file.Close()
		return err
	}
	return file.Close()
}
