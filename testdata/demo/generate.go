// Command demo writes the staff of Example Press, a publishing house that does not exist: people.csv as it was on Friday,
// and people-monday.csv with those who joined, moved and left over the weekend. The names are put together from word lists
// by a fixed rule, so that every run writes the same bytes.
//
//	go run ./testdata/demo            writes both files beside this one
//	go run ./testdata/demo -dir DIR   writes them elsewhere
package main

import (
	"encoding/csv"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

const staff = 1200

// seed decides who gets which name, department and groups.
const seed = 20260104

var header = []string{
	"id", "username", "email", "first_name", "last_name", "display_name", "department", "title", "phone", "city", "active", "groups", "Cost centre",
}

// person is one row.
type person struct {
	id                             int
	username, email, first, last   string
	department, title, phone, city string
	active                         bool
	groups                         []string
	costCentre                     string
}

func main() {
	dir := flag.String("dir", filepath.Join("testdata", "demo"), "where to write the files")
	flag.Parse()
	people := friday()
	for name, rows := range map[string][]person{"people.csv": people, "people-monday.csv": monday(people)} {
		if err := write(filepath.Join(*dir, name), rows); err != nil {
			fmt.Fprintln(os.Stderr, "demo:", err)
			os.Exit(1)
		}
	}
}

func write(path string, people []person) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer f.Close()
	w := csv.NewWriter(f)
	rows := [][]string{header}
	for _, p := range people {
		active := "yes"
		if !p.active {
			active = "no"
		}
		rows = append(rows, []string{
			fmt.Sprintf("EP-%04d", p.id), p.username, p.email, p.first, p.last, p.first + " " + p.last, p.department, p.title, p.phone, p.city,
			active, strings.Join(p.groups, "|"), p.costCentre,
		})
	}
	if err := w.WriteAll(rows); err != nil {
		return err
	}
	return f.Close()
}

// The word lists. First names are common ones, last names are plants, tools and landscapes: nobody is meant.
var (
	firstNames = []string{
		"Anna", "Bert", "Cleo", "Dora", "Emil", "Frida", "Gustav", "Hanna", "Ivo", "Jana", "Karl", "Lena", "Milo", "Nora", "Otto", "Paula",
		"Quinn", "Rosa", "Sven", "Thea", "Ugo", "Vera", "Willem", "Xenia", "Yara", "Zoë", "Åsa", "Björn", "Chloé", "Dağhan", "Éloïse", "François",
		"Günther", "Håkon", "İpek", "José", "Łucja", "Māra", "Núria", "Ödön", "Siân", "Þóra", "Ümit", "Žofia", "Anne-Marie", "Jean-Luc", "D'Arcy", "Mary Jane",
	}
	lastNames = []string{
		"Appletree", "Birchwood", "Cloverfield", "Dandelion", "Elderflower", "Foxglove", "Greenbriar", "Hazelnut", "Ivyleaf", "Juniper", "Kingcup", "Larkspur",
		"Marigold", "Nettleton", "Oakapple", "Primrose", "Quickthorn", "Rosehip", "Snowdrop", "Thistlewood", "Umbrella", "Verbena", "Willowherb", "Yellowwort",
		"O'Bramble", "D'Orchard", "Mac Heather", "van der Tulp", "von Birnbaum", "de la Rosée", "Königskerze", "Müllerstein", "Blåbærskog", "Čárka-Jasan",
		"Gänseblümchen", "Świerkowy", "Señal-Roble", "Çınarlı", "Eikenhout-Jansdochter", "Weiß-Apfelbaum",
	}
	cities      = []string{"Northport", "Eastmere", "Southwick Vale", "Weststrand", "Mühlenfurt", "Port-aux-Pommes"}
	departments = []department{
		{"Editorial", []string{"Editor", "Senior Editor", "Copy Editor", "Proofreader"}, 22, []string{"Editors"}},
		{"Press", []string{"Press Officer", "Spokesperson"}, 6, []string{"Press office"}},
		{"Web", []string{"Web Editor", "Web Developer", "UX Designer"}, 8, []string{"Web editors"}},
		{"Production", []string{"Typesetter", "Printer", "Production Planner"}, 20, []string{"Production"}},
		{"Sales", []string{"Sales Representative", "Key Account Manager"}, 16, []string{"Sales team"}},
		{"Rights & Licences", []string{"Rights Manager", "Contracts Assistant"}, 5, []string{"Rights desk"}},
		{"Finance", []string{"Accountant", "Controller"}, 7, []string{"Finance"}},
		{"Human Resources", []string{"HR Partner", "Recruiter"}, 5, []string{"HR"}},
		{"IT", []string{"Systems Engineer", "Service Desk Agent"}, 8, []string{"IT service"}},
		{"Legal", []string{"Counsel"}, 3, []string{"Legal"}},
	}
)

// department is one part of the house; weight is its share of a hundred people.
type department struct {
	name   string
	titles []string
	weight int
	groups []string
}

// friday is the staff before the weekend.
func friday() []person {
	source := rand.New(rand.NewPCG(seed, 1))
	taken := map[string]bool{}
	people := make([]person, 0, staff)
	for id := 1; id <= staff; id++ {
		people = append(people, hire(source, taken, id))
	}
	return people
}

// hire makes one person.
func hire(source *rand.Rand, taken map[string]bool, id int) person {
	d := pick(source)
	p := person{
		id: id, first: firstNames[source.IntN(len(firstNames))], last: lastNames[source.IntN(len(lastNames))], department: d.name,
		title: d.titles[source.IntN(len(d.titles))], phone: fmt.Sprintf("+00 555 %04d", id), city: cities[source.IntN(len(cities))],
		active: source.IntN(100) >= 4, groups: append([]string{"All staff"}, d.groups...),
		costCentre: fmt.Sprintf("%d", 1000+10*slices.IndexFunc(departments, func(other department) bool { return other.name == d.name })),
	}
	if d.name != "Web" && source.IntN(100) < 3 {
		p.groups = append(p.groups, "Web editors")
	}
	if source.IntN(100) < 5 {
		p.groups = append(p.groups, "Fire wardens")
	}
	base := ascii(p.first) + "." + ascii(p.last)
	p.username = base
	for n := 2; taken[p.username]; n++ {
		p.username = fmt.Sprintf("%s%d", base, n)
	}
	taken[p.username] = true
	p.email = p.username + "@example.com"
	return p
}

func pick(source *rand.Rand) department {
	n := source.IntN(100)
	for _, d := range departments {
		if n -= d.weight; n < 0 {
			return d
		}
	}
	return departments[0]
}

// ascii is a name as it stands in an address.
func ascii(name string) string {
	name = strings.NewReplacer(
		"å", "a", "ø", "o", "æ", "ae", "ä", "ae", "ö", "oe", "ü", "ue", "ß", "ss", "é", "e", "ë", "e", "ï", "i", "ñ", "n", "ç", "c", "č", "c", "á", "a",
		"ğ", "g", "ı", "i", "i̇", "i", "ś", "s", "ł", "l", "ā", "a", "ú", "u", "â", "a", "þ", "th", "ó", "o", "ž", "z", "à", "a",
	).Replace(strings.ToLower(name))
	return strings.Map(func(char rune) rune {
		if char >= 'a' && char <= 'z' || char == '-' {
			return char
		}
		return -1
	}, name)
}

// monday is the staff after the weekend: four joined, six changed, five left.
func monday(friday []person) []person {
	source := rand.New(rand.NewPCG(seed, 2))
	taken := map[string]bool{}
	people := make([]person, 0, len(friday))
	for _, p := range friday {
		taken[p.username] = true
		p.groups = slices.Clone(p.groups)
		people = append(people, p)
	}
	working := func(n int) int { // the nth row or the next one of somebody who works
		for ; !people[n].active; n++ {
		}
		return n
	}

	// Six people changed. Two went to other departments, one of them to the web team and so into its group.
	move(&people[working(40)], departments[2])
	move(&people[working(300)], departments[4])
	// Two have a new last name; one of them keeps her address, the other gets a new one.
	married, renamed := &people[working(500)], &people[working(650)]
	married.last = "Appletree-" + married.last
	renamed.last = "Silverbirch"
	renamed.email = ascii(renamed.first) + ".silverbirch@example.com"
	// Two exchanged their addresses, which had been handed out the wrong way round.
	one, other := &people[working(800)], &people[working(801+1)]
	one.email, other.email = other.email, one.email

	// Five left: they are no longer in the export.
	leavers := map[int]bool{}
	for _, n := range []int{100, 250, 420, 777, 1100} {
		leavers[people[working(n)].id] = true
	}
	people = slices.DeleteFunc(people, func(p person) bool { return leavers[p.id] })

	// Four joined.
	for n := range 4 {
		p := hire(source, taken, staff+1+n)
		p.active = true
		people = append(people, p)
	}
	return people
}

// move puts a person into another department, with its title and groups.
func move(p *person, to department) {
	for _, d := range departments {
		if d.name == p.department {
			p.groups = slices.DeleteFunc(p.groups, func(group string) bool { return slices.Contains(d.groups, group) })
		}
	}
	p.department, p.title = to.name, to.titles[0]
	p.costCentre = fmt.Sprintf("%d", 1000+10*slices.IndexFunc(departments, func(d department) bool { return d.name == to.name }))
	for _, group := range to.groups {
		if !slices.Contains(p.groups, group) {
			p.groups = append(p.groups, group)
		}
	}
}
