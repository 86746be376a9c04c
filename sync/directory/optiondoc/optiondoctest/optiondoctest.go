// Package optiondoctest keeps the options table of a README equal to the declared options.
//
// The README holds the table between two lines:
//
//	<!-- options -->
//	<!-- /options -->
//
// `go test ./connectors/NAME -run Options -update` writes it anew. The package owns the flag -update, so a test package that
// uses it asks Updating instead of declaring one of its own.
package optiondoctest

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/rollcall-sync/rollcall/sync/directory"
	"github.com/rollcall-sync/rollcall/sync/directory/optiondoc"
)

const (
	begin = "<!-- options -->\n"
	end   = "<!-- /options -->"
)

var update = flag.Bool("update", false, "write generated documentation and golden files anew")

// Updating reports whether the test was called with -update.
func Updating() bool { return *update }

// Check fails the test where the table in the README at path differs from the options of typ; with -update it writes the
// table instead.
func Check(t testing.TB, typ directory.Type, path string) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	want, err := replace(string(data), optiondoc.Table(typ))
	switch {
	case err != nil:
		t.Fatalf("%s: %v", path, err)
	case want == string(data):
	case !*update:
		t.Errorf("%s: the options table is not what type %s declares; run this test with -update", path, typ.Name)
	default:
		if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// replace puts the table between the marks.
func replace(text, table string) (string, error) {
	before, rest, found := strings.Cut(text, begin)
	if !found {
		return "", fmt.Errorf("holds no line %q", strings.TrimSpace(begin))
	}
	_, after, found := strings.Cut(rest, end)
	if !found {
		return "", fmt.Errorf("holds no line %q after %q", end, strings.TrimSpace(begin))
	}
	return before + begin + table + end + after, nil
}
