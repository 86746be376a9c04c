package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-sync/rollcall/config"
)

var update = flag.Bool("update", false, "rewrite what testdata/scenarios expects; read every difference before it is committed")

const scenarios = "../../testdata/scenarios"

// TestScenarios tells the stories of testdata/scenarios: whole days between two directories, with the rules in the real
// form of the configuration and the plan in the words that `rollcall plan` prints. README.md there explains the format.
func TestScenarios(t *testing.T) {
	t.Parallel()
	folders, err := filepath.Glob(scenarios + "/*/story.txt")
	if err != nil || len(folders) == 0 {
		t.Fatalf("no scenarios: %v", err)
	}
	for _, path := range folders {
		t.Run(filepath.Base(filepath.Dir(path)), func(t *testing.T) {
			t.Parallel()
			tellStory(t, filepath.Dir(path))
		})
	}
}

// TestScenariosAreListed keeps the list in README.md in step with the folders.
func TestScenariosAreListed(t *testing.T) {
	t.Parallel()
	folders, err := os.ReadDir(scenarios)
	if err != nil {
		t.Fatal(err)
	}
	var list strings.Builder
	list.WriteString("| Story | Tells |\n|---|---|\n")
	for _, folder := range folders {
		if !folder.IsDir() {
			continue
		}
		data, err := os.ReadFile(filepath.Join(scenarios, folder.Name(), "story.txt"))
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&list, "| [%s](%[1]s/story.txt) | %s |\n", folder.Name(), parseStory(t, data).headline())
	}
	const begin, end = "<!-- list: made from the stories; go test ./cmd/rollcall -run Scenario -update -->\n", "<!-- end of list -->"
	path := filepath.Join(scenarios, "README.md")
	old, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(old), begin)
	_, after, closed := strings.Cut(rest, end)
	if !ok || !closed {
		t.Fatalf("%s has no place for the list", path)
	}
	compareOrUpdate(t, path, string(old), before+begin+list.String()+end+after)
}

// compareOrUpdate fails where a golden file differs from what came out, or writes it anew with -update.
func compareOrUpdate(t *testing.T, path, old, now string) {
	t.Helper()
	switch {
	case old == now:
	case *update:
		if err := os.WriteFile(path, []byte(now), 0o644); err != nil {
			t.Fatal(err)
		}
	default:
		t.Errorf("%s tells another story (-told, +came out):\n%s", path, cmp.Diff(old, now))
	}
}

// scenario is one story being told.
type scenario struct {
	t      *testing.T
	folder string
	today  time.Time
	told   story // as it comes out this time
	places map[string]*place
	order  []string                // the names of the directories as the configuration has them
	named  string                  // the last command that a plan or a note named
	plans  map[string]planDocument // those of today, by sync
	tokens []string                // those of refused plans, in the order in which they came up
}

func (s *scenario) clock() time.Time { return s.today }

const (
	rulesFile = "rollcall.yaml"
	planAgain = "rollcall plan, once more"
	planLeft  = "rollcall plan, for the next run"
	theNamed  = "the command that was named"
	after     = " afterwards"
	unchanged = "(unchanged)"
)

func tellStory(t *testing.T, folder string) {
	path := filepath.Join(folder, "story.txt")
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	definition, err := os.ReadFile(filepath.Join(folder, rulesFile))
	if err != nil {
		t.Fatal(err)
	}
	script := parseStory(t, data)
	s := &scenario{t: t, folder: t.TempDir(), places: map[string]*place{}, told: story{about: script.about}}
	s.configure(string(definition))
	for from := 0; from < len(script.sections); {
		to := from
		for to < len(script.sections) && script.sections[to].day == script.sections[from].day {
			to++
		}
		left := ""
		if from > 0 {
			left = fmt.Sprintf("(as day %d left it)", script.sections[from-1].day)
		}
		s.day(script.sections[from:to], left, to == len(script.sections))
		from = to
	}
	compareOrUpdate(t, path, string(data), s.told.format())
}

// configure writes the configuration and makes the directories that are new in it.
func (s *scenario) configure(definition string) {
	s.t.Helper()
	path := filepath.Join(s.folder, rulesFile)
	if err := os.WriteFile(path, []byte(definition), 0o600); err != nil {
		s.t.Fatal(err)
	}
	loaded, err := config.Load(config.Options{Paths: []string{path}, Types: s.scenarioTypes(), CheckExpressions: checkExpressions})
	if err != nil {
		s.t.Fatal(err)
	}
	s.order = directoryNames(loaded)
	for _, d := range loaded.Directories {
		if _, err := d.Type.Open(d.Settings); err != nil {
			s.t.Fatal(err)
		}
	}
}

// day plays one day: what both sides are in the morning, the commands, what both sides are in the evening. A day without
// commands is a plain run that nobody looks at, to make the links for the days that follow.
func (s *scenario) day(sections []section, left string, last bool) {
	s.t.Helper()
	number := sections[0].day
	s.plans = make(map[string]planDocument)
	s.today = time.Date(2026, 3, 1, 2, 30, 0, 0, time.UTC).AddDate(0, 0, number-1)
	given, commands, again := make(map[string]string), []string(nil), planAgain
	for _, part := range sections {
		_, isPlace := s.places[strings.TrimSuffix(part.what, after)]
		switch {
		case part.what == rulesFile:
			s.configure(part.body + "\n")
			s.tell(number, part.what, part.body)
		case part.what == planLeft:
			again = planLeft
		case part.what == planAgain, isPlace && strings.HasSuffix(part.what, after):
		case isPlace:
			given[part.what] = part.body
		case part.what == theNamed, strings.HasPrefix(part.what, "rollcall "):
			commands = append(commands, part.what)
		default:
			s.t.Fatalf("%q is no directory and no command", part.title())
		}
	}
	if len(commands) == 0 {
		s.morning(number, given, left, false)
		s.silentRun()
		return
	}
	morning := s.morning(number, given, left, true)
	for _, command := range commands {
		s.tell(number, command, s.command(command))
	}
	for _, name := range s.order {
		evening := s.places[name].table()
		if evening == morning[name] {
			evening = unchanged
		}
		s.tell(number, name+after, evening)
	}
	if text := s.again(last, again == planLeft); text != "" {
		s.tell(number, again, text)
	}
}

func (s *scenario) tell(day int, what, body string) {
	s.told.sections = append(s.told.sections, section{day, what, strings.TrimRight(body, "\n")})
}

var asLeft = regexp.MustCompile(`^\(as day \d+ left it\)`)

// morning fills the directories and returns what each of them holds.
func (s *scenario) morning(day int, given map[string]string, left string, whole bool) map[string]string {
	s.t.Helper()
	held := make(map[string]string)
	for _, name := range s.order {
		body, told := given[name]
		remarks, rows := splitRemarks(body)
		k := s.places[name]
		k.shown(s.today)
		note := ""
		if !told || rows == "" || asLeft.MatchString(rows) {
			if left == "" {
				s.t.Fatalf("the first day does not tell what %s holds", name)
			}
			note = left + "\n"
		} else {
			k.fill(s.t, parseTable(s.t, rows), s.today)
		}
		k.behave(s.t, remarks)
		held[name] = k.table()
		if !told && !whole {
			continue
		}
		for _, remark := range remarks {
			note = "! " + remark + "\n" + note
		}
		s.tell(day, name, note+held[name])
	}
	return held
}
