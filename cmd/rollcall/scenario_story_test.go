package main

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/rollcall-sync/rollcall/sync/directory"
)

// story is testdata/scenarios/NAME/story.txt: a sentence, then sections in the order in which things happen.
type story struct {
	about    string
	sections []section
}

// section is one part of a day, under the heading "-- day 2, staff --".
type section struct {
	day  int
	what string
	body string
}

func (s section) title() string { return fmt.Sprintf("day %d, %s", s.day, s.what) }

var heading = regexp.MustCompile(`^day ([0-9]+), (.+)$`)

func parseStory(t *testing.T, data []byte) story {
	t.Helper()
	archive := txtar.Parse(data)
	parsed := story{about: strings.TrimSpace(string(archive.Comment))}
	for _, file := range archive.Files {
		match := heading.FindStringSubmatch(file.Name)
		if match == nil {
			t.Fatalf("%q is no heading; write -- day 2, staff --", file.Name)
		}
		day, err := strconv.Atoi(match[1])
		if err != nil || len(parsed.sections) > 0 && day < parsed.sections[len(parsed.sections)-1].day {
			t.Fatalf("%q: days go forward", file.Name)
		}
		parsed.sections = append(parsed.sections, section{day, match[2], strings.TrimSpace(string(file.Data))})
	}
	return parsed
}

func (s story) format() string {
	var text strings.Builder
	text.WriteString(s.about + "\n")
	for _, section := range s.sections {
		fmt.Fprintf(&text, "\n-- %s --\n%s\n", section.title(), section.body)
	}
	return text.String()
}

// headline is the first sentence of the story, for the list of scenarios.
func (s story) headline() string {
	text, _, _ := strings.Cut(s.about, "\n\n")
	return strings.ReplaceAll(text, "\n", " ")
}

// table is what one directory holds: a line of names, then one line for each account, cells between bars.
type table struct {
	names []string
	rows  [][]string
}

const nobody = "(nobody)"

func parseTable(t *testing.T, text string) table {
	t.Helper()
	var parsed table
	if text == nobody {
		return parsed
	}
	for line := range strings.Lines(text) {
		var cells []string
		for _, cell := range strings.Split(line, "|") {
			cells = append(cells, strings.TrimSpace(cell))
		}
		if parsed.names == nil {
			parsed.names = cells
			continue
		}
		if len(cells) != len(parsed.names) {
			t.Fatalf("%q has %d cells, not %d", line, len(cells), len(parsed.names))
		}
		parsed.rows = append(parsed.rows, cells)
	}
	for _, name := range parsed.names {
		if slices.Index(columns(), name) < 0 && !directory.IsAttributeName(name) {
			t.Fatalf("%q is neither an attribute nor id, status, groups, problem or read-only", name)
		}
	}
	return parsed
}

func (x table) cell(row []string, name string) string {
	i := slices.Index(x.names, name)
	if i < 0 {
		return ""
	}
	return row[i]
}

// account reads one row; groups are the ids by name.
func (x table) account(t *testing.T, row []string, groups map[string]string) directory.Account {
	t.Helper()
	account := directory.Account{ID: x.cell(row, "id"), Problem: x.cell(row, "problem"), ReadOnly: x.cell(row, "read-only"), Attributes: directory.Attributes{}}
	switch status := cmp.Or(x.cell(row, "status"), "active"); status {
	case "active":
		account.Status = directory.StatusActive
	case "inactive":
		account.Status = directory.StatusInactive
	case "unknown":
		account.Status = directory.StatusUnknown
	default:
		t.Fatalf("%v: no such status: %q", row, status)
	}
	if account.ID == "" {
		t.Fatalf("%v has no id", row)
	}
	for _, name := range strings.Split(x.cell(row, "groups"), ", ") {
		if id, ok := groups[name]; ok {
			account.Groups = append(account.Groups, id)
		} else if name != "" {
			t.Fatalf("%v: there is no group %q; rollcall.yaml names them", row, name)
		}
	}
	for i, name := range x.names {
		if slices.Contains([]string{"id", "status", "groups", "problem", "read-only"}, name) || row[i] == "" {
			continue
		}
		account.Attributes[name] = directory.Text(row[i])
		var err error
		switch directory.VocabularyKind(name) {
		case directory.KindBool:
			var truth bool
			truth, err = strconv.ParseBool(row[i])
			account.Attributes[name] = directory.Bool(truth)
		case directory.KindTime:
			var at time.Time
			at, err = time.Parse(time.RFC3339, row[i])
			account.Attributes[name] = directory.Time(at)
		}
		if err != nil {
			t.Fatalf("%v: %s: %v", row, name, err)
		}
	}
	return account
}

// columns is the order in which a table shows what accounts have; custom attributes stand before the groups.
func columns() []string {
	names := []string{"id", "username", "status"}
	for _, name := range directory.Vocabulary() {
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return append(names, "groups", "read-only", "problem")
}

// formatTable lays out rows: only columns that somebody has, as wide as they need to be.
func formatTable(rows []map[string]string) string {
	if len(rows) == 0 {
		return nobody
	}
	used := make(map[string]int)
	for _, row := range rows {
		for name, cell := range row {
			used[name] = max(used[name], utf8.RuneCountInString(name), utf8.RuneCountInString(cell))
		}
	}
	place := func(name string) int {
		if i := slices.Index(columns(), name); i >= 0 {
			return i
		}
		return slices.Index(columns(), "groups") - 1
	}
	names := sortedKeys(used)
	slices.SortStableFunc(names, func(a, b string) int { return place(a) - place(b) })
	var text strings.Builder
	line := func(cell func(name string) string) {
		var cells []string
		for _, name := range names {
			cells = append(cells, fmt.Sprintf("%-*s", used[name], cell(name)))
		}
		text.WriteString(strings.TrimRight(strings.Join(cells, " | "), " ") + "\n")
	}
	line(func(name string) string { return name })
	for _, row := range rows {
		line(func(name string) string { return row[name] })
	}
	return strings.TrimRight(text.String(), "\n")
}

// splitRemarks parts the remarks above a table ("! nobody can be looked up") from the table.
func splitRemarks(body string) (remarks []string, rest string) {
	for strings.HasPrefix(body, "! ") {
		line, after, _ := strings.Cut(body, "\n")
		remarks, body = append(remarks, strings.TrimPrefix(line, "! ")), after
	}
	return remarks, body
}
