package endtoend

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rollcall-sync/rollcall/sync/engine"
)

// onSmallDisk runs a shell script in which the folder "disk" below the program's is a file system of its own of a size. Its
// content goes to the folder "kept" at the end.
func (p *program) onSmallDisk(size, script string) (out string) {
	p.t.Helper()
	for _, name := range []string{"disk", "kept"} {
		if err := os.MkdirAll(p.path(name), 0o700); err != nil {
			p.t.Fatal(err)
		}
	}
	cmd := exec.Command("unshare", "--map-root-user", "--mount", "sh", "-c",
		"mount -t tmpfs -o size="+size+" none disk && echo mounted && "+script+"\ncp disk/* kept/ 2>/dev/null; true")
	cmd.Dir, cmd.Env = p.folder, append(os.Environ(), "ROLLCALL="+binary)
	data, err := cmd.CombinedOutput()
	if !strings.HasPrefix(string(data), "mounted") {
		p.t.Skipf("a small disk cannot be made here (unshare: %v): %s", err, data)
	}
	if err != nil {
		p.t.Fatalf("%v: %s", err, data)
	}
	return string(data)
}

// TestAFullDisk lets the disk with the state, or with the target, run full at different moments of an import. Each time one
// message says so with the remedy, and once there is room, one run ends as a clean import does.
func TestAFullDisk(t *testing.T) {
	t.Parallel()
	const people = 1500
	clean := newProgram(t, storeConfig)
	clean.write("people.csv", peopleFile(people))
	clean.run(engine.StatusOK, fmt.Sprintf("created %d", 1+people), "import", "web")
	want := clean.dump()

	for _, test := range []struct {
		name, state, website, size string
		code                       string
	}{
		{"no room for the first table of the state", "disk/rollcall.db", "website.db", "40k", "10"},
		{"no room for the beginning of a run", "disk/rollcall.db", "website.db", "200k", "10"},
		{"no room for the listings", "disk/rollcall.db", "website.db", "340k", "10"},
		{"no room for the first intents", "disk/rollcall.db", "website.db", "600k", "10"},
		{"no room for later intents", "disk/rollcall.db", "website.db", "2000k", "10"},
		{"no room for the target", "rollcall.db", "disk/website.db", "500k", "3"},
	} {
		t.Run(test.name, func(t *testing.T) {
			config := strings.NewReplacer("rollcall.db", test.state, "website.db", test.website, "busy_timeout: 1h", "busy_timeout: 1s").Replace(storeConfig)
			p := newProgram(t, config)
			p.write("people.csv", peopleFile(people))
			out := p.onSmallDisk(test.size, `"$ROLLCALL" import web 2>&1; echo "code $?"
				mount -o remount,size=64m disk; "$ROLLCALL" import web 2>&1; echo "code $?"; "$ROLLCALL" sync 2>&1; echo "code $?"`)
			var codes []string
			for line := range strings.Lines(out) {
				if code, ok := strings.CutPrefix(strings.TrimSpace(line), "code "); ok {
					codes = append(codes, code)
				}
			}
			first, rest, _ := strings.Cut(out, "code ")
			if !slices.Equal(codes, []string{test.code, "0", "0"}) || !strings.Contains(first, "free some space") && !strings.Contains(first, "the disk has room") ||
				!strings.Contains(rest, "web: nothing") {
				t.Errorf("exit codes %q, want %s, 0, 0:\n%s", codes, test.code, out)
			}
			if test.website != "website.db" {
				if err := os.Rename(p.path(filepath.Join("kept", "website.db")), p.path("website.db")); err != nil {
					t.Fatal(err)
				}
			}
			if got := p.dump(); !slices.Equal(got, want) {
				t.Errorf("the store differs from one with a clean import: %s", differences(got, want))
			}
		})
	}
}
