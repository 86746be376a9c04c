package file_test

import (
	"os"
	"strings"
	"testing"

	"github.com/rollcall-sync/rollcall/connectors/file"
	"github.com/rollcall-sync/rollcall/sync/directory"
	"github.com/rollcall-sync/rollcall/sync/directory/optiondoc/optiondoctest"
)

func TestOptionsTable(t *testing.T) {
	optiondoctest.Check(t, file.Type, "README.md")
}

// TestReadmeTablesAreTheCode keeps the tables of spellings equal to what is recognised.
func TestReadmeTablesAreTheCode(t *testing.T) {
	var headers strings.Builder
	headers.WriteString("| Attribute | Also recognised |\n|---|---|\n")
	for _, name := range directory.Vocabulary() {
		headers.WriteString("| `" + name + "` | " + strings.Join(file.Spellings[name], ", ") + " |\n")
	}
	headers.WriteString("| `active`, the other way round | " + strings.Join(file.InvertedSpellings, ", ") + " |\n")
	statuses := "| Status | Values |\n|---|---|\n| active | " + strings.Join(file.ActiveSpellings, ", ") +
		" |\n| inactive | " + strings.Join(file.InactiveSpellings, ", ") + " |\n"

	readme := read(t, "README.md")
	for section, want := range map[string]string{"spellings": headers.String(), "statuses": statuses} {
		begin, end := "<!-- "+section+" -->\n", "<!-- /"+section+" -->"
		before, rest, ok := strings.Cut(readme, begin)
		have, after, closed := strings.Cut(rest, end)
		if !ok || !closed {
			t.Fatalf("README.md has no section %s", section)
		}
		if have == want {
			continue
		}
		if !optiondoctest.Updating() {
			t.Errorf("the section %s of README.md is not what the code says: go test -run Readme -update", section)
		}
		readme = before + begin + want + end + after
	}
	if optiondoctest.Updating() {
		if err := os.WriteFile("README.md", []byte(readme), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}
