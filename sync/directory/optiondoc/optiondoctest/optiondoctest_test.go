package optiondoctest

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rollcall-sync/rollcall/sync/directory"
)

// recorder stands in for a test and keeps whether it failed.
type recorder struct {
	testing.TB
	failed bool
}

func (r *recorder) Helper()               {}
func (r *recorder) Errorf(string, ...any) { r.failed = true }

func TestCheckComparesAndUpdateWrites(t *testing.T) {
	path := filepath.Join(t.TempDir(), "README.md")
	before := "# Title\n\n<!-- options -->\nold\n<!-- /options -->\n\nmore\n"
	if err := os.WriteFile(path, []byte(before), 0o600); err != nil {
		t.Fatal(err)
	}
	typ := directory.Type{Name: "x", Options: []directory.Option{{Name: "url", Type: directory.OptionURL, Doc: "Address."}}}
	was := *update
	defer func() { *update = was }()

	*update = false
	stale := &recorder{TB: t}
	Check(stale, typ, path)
	if !stale.failed {
		t.Error("a stale table was not noticed")
	}
	*update = true
	Check(t, typ, path)
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if text := string(data); !strings.HasPrefix(text, "# Title\n\n<!-- options -->\n| Option |") ||
		!strings.HasSuffix(text, "Address. |\n<!-- /options -->\n\nmore\n") || strings.Contains(text, "old") {
		t.Errorf("wrote\n%s", text)
	}
	*update = false
	Check(t, typ, path)
}

func TestMissingMarksAreNamed(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"nothing", "<!-- options -->\nno end"} {
		if _, err := replace(text, "table"); err == nil {
			t.Errorf("%q was taken", text)
		}
	}
}
