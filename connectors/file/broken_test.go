package file_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-sync/rollcall/sync/directory"
	"github.com/rollcall-sync/rollcall/sync/directory/optiondoc/optiondoctest"
)

// TestBrokenFilesAreRefused lists every file of testdata/broken and compares what the administrator is told with the
// messages beside them. A broken file must never look like a shorter list.
func TestBrokenFilesAreRefused(t *testing.T) {
	const folder, golden = "testdata/broken", "testdata/broken/messages.txt"
	entries, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	var got strings.Builder
	for _, entry := range entries {
		if entry.Name() == filepath.Base(golden) || strings.HasPrefix(entry.Name(), ".") {
			continue
		}
		path := filepath.ToSlash(filepath.Join(folder, entry.Name()))
		page, err := open(t, path, nil).ListAccounts(t.Context(), directory.ListRequest{})
		if err == nil {
			t.Errorf("%s lists %d accounts, doubted for %q", path, len(page.Accounts), page.Doubt)
			continue
		}
		var e *directory.Error
		if !errors.As(err, &e) || e.Remedy == "" || e.Kind == directory.NotFound {
			t.Errorf("%s: the error must have a remedy and prove nothing: %v", path, err)
			continue
		}
		fmt.Fprintf(&got, "%s\n  %s, %s\n  %s\n\n", entry.Name(), e.Kind, e.Err, e.Remedy)
	}
	if optiondoctest.Updating() {
		if err := os.WriteFile(golden, []byte(got.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(read(t, golden), got.String()); diff != "" {
		t.Errorf("the messages changed (-golden +now):\n%s", diff)
	}
}
