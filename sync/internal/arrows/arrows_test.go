package arrows

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"go/parser"
	"go/token"
	"io"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestImportsPointOneWay(t *testing.T) {
	t.Parallel()
	packages, err := listPackages("../../..")
	if err != nil {
		t.Fatal(err)
	}
	if !slices.ContainsFunc(packages, func(p pkg) bool { return p.name == "sync/directory" }) {
		t.Fatalf("sync/directory is not among the %d packages found", len(packages))
	}
	for _, fault := range faults(packages) {
		t.Error(fault)
	}
}

// listPackages asks the go command for all packages of the module, files for other systems included.
func listPackages(root string) ([]pkg, error) {
	command := exec.Command("go", "list", "-e", "-json=ImportPath,Dir,GoFiles,CgoFiles,IgnoredGoFiles,Imports,TestImports,XTestImports", "./...")
	command.Dir = root
	out, err := command.Output()
	if err != nil {
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			err = fmt.Errorf("%w: %s", err, exit.Stderr)
		}
		return nil, fmt.Errorf("go list: %w", err)
	}
	var packages []pkg
	for decoder := json.NewDecoder(bytes.NewReader(out)); ; {
		var listed struct {
			ImportPath, Dir                    string
			GoFiles, CgoFiles, IgnoredGoFiles  []string
			Imports, TestImports, XTestImports []string
		}
		if err := decoder.Decode(&listed); errors.Is(err, io.EOF) {
			return packages, nil
		} else if err != nil {
			return nil, err
		}
		files := slices.Concat(listed.GoFiles, listed.CgoFiles, listed.IgnoredGoFiles)
		files = slices.DeleteFunc(files, func(name string) bool { return strings.HasSuffix(name, "_test.go") })
		comments, err := packageComments(listed.Dir, files)
		if err != nil {
			return nil, err
		}
		packages = append(packages, pkg{
			name: strings.TrimPrefix(strings.TrimPrefix(listed.ImportPath, module), "/"), imports: listed.Imports,
			testImports: slices.Concat(listed.TestImports, listed.XTestImports), comments: comments, goFiles: len(files),
		})
	}
}

func packageComments(folder string, files []string) (int, error) {
	comments := 0
	for _, name := range files {
		file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(folder, name), nil, parser.ParseComments|parser.PackageClauseOnly)
		if err != nil {
			return 0, err
		}
		if file.Doc.Text() != "" {
			comments++
		}
	}
	return comments, nil
}

func TestWrongArrowsAreFound(t *testing.T) {
	t.Parallel()
	const m = module + "/"
	for _, c := range []struct {
		name, from, to string
		test           bool
		want           string
	}{
		{name: "the contract does not know the rules", from: "sync/directory", to: m + "sync/rules", want: "knows nothing above"},
		{name: "nor do its tests", from: "sync/directory/memory", to: m + "sync/plan", test: true, want: "knows nothing above"},
		{name: "the contract's own parts know each other", from: "sync/directory/memory", to: m + "sync/directory"},
		{name: "the rules know nobody", from: "sync/rules", to: m + "sync/directory", want: "stand on their own"},
		{name: "a connector does not know another one", from: "connectors/okta", to: m + "connectors/file", want: "never each other"},
		{name: "a target does not know a connector", from: "targets/wordpress", to: m + "connectors/file", want: "never each other"},
		{name: "not even in a test", from: "targets/wordpress", to: m + "connectors/file", test: true, want: "never each other"},
		{name: "a connector does not know a stage", from: "connectors/okta", to: m + "sync/plan", want: "never each other or a stage"},
		{name: "a connector knows the transport", from: "connectors/okta", to: m + "sync/directory/transport"},
		{name: "targets share an internal folder", from: "targets/wordpress", to: m + "targets/internal/phpserial"},
		{name: "connectors do not share that of the targets", from: "connectors/okta", to: m + "targets/internal/phpserial", want: "never each other"},
		{name: "a part of a connector knows the whole", from: "connectors/okta/fake", to: m + "connectors/okta"},
		{name: "the whole knows its part", from: "connectors/okta", to: m + "connectors/okta/fake"},
		{name: "a list names its shelf", from: "targets/all", to: m + "targets/wordpress"},
		{name: "a list knows what a type of directory is", from: "targets/all", to: m + "sync/directory"},
		{name: "a list knows no stage", from: "targets/all", to: m + "sync/plan", want: "its own shelf"},
		{name: "a list does not name the other shelf", from: "targets/all", to: m + "connectors/file", want: "its own shelf"},
		{name: "the engine does not know the vendors", from: "sync/engine", to: m + "connectors/all", want: "only cmd knows"},
		{name: "its tests may", from: "sync/engine", to: m + "connectors/all", test: true},
		{name: "the engine does not read the configuration", from: "sync/engine", to: m + "config", want: "only cmd reads"},
		{name: "a stage does not either", from: "sync/mapping", to: m + "config", want: "only cmd reads"},
		{name: "cmd knows everything", from: "cmd/rollcall", to: m + "targets/all"},
		{name: "nobody knows cmd", from: "sync/engine", to: m + "cmd/rollcall", want: "nothing imports cmd"},
		{name: "a test does not know cmd either", from: "sync/engine", to: m + "cmd/rollcall", test: true, want: "nothing imports cmd"},
		{name: "the configuration knows no vendor", from: "config", to: m + "connectors/file", want: "the configuration knows"},
		{name: "the configuration knows no stage", from: "config", to: m + "sync/mapping", want: "the configuration knows"},
		{name: "the configuration knows the rules", from: "config", to: m + "sync/rules"},
		{name: "the engine knows the stages", from: "sync/engine", to: m + "sync/apply"},
		{name: "the schedule knows the engine", from: "sync/schedule", to: m + "sync/engine"},
		{name: "a stage does not know the engine", from: "sync/apply", to: m + "sync/engine", want: "who runs it"},
		{name: "a stage that writes knows a pure one", from: "sync/apply", to: m + "sync/plan"},
		{name: "a pure stage knows no stage that writes", from: "sync/guard", to: m + "sync/state", want: "a pure stage knows"},
		{name: "a pure stage knows a pure one", from: "sync/guard", to: m + "sync/plan"},
		{name: "a pure stage has no network", from: "sync/diff", to: "net/http", want: "this stage is pure"},
		{name: "its tests may read files", from: "sync/diff", to: "os", test: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got := wrong(c.from, c.to, c.test)
			if (got == "") != (c.want == "") || !strings.Contains(got, c.want) {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func TestPackagesThatAreWrongInThemselvesAreFound(t *testing.T) {
	t.Parallel()
	got := faults([]pkg{
		{name: "sync", goFiles: 1, comments: 1},
		{name: "sync/one", goFiles: 2, comments: 1},
		{name: "sync/none", goFiles: 2},
		{name: "sync/two", goFiles: 2, comments: 2},
		{name: "sync/onlytests"},
		{name: "connectors/okta", goFiles: 1, comments: 1, imports: []string{"github.com/okta/sdk/v2/okta", "golang.org/x/oauth2", "strings"}},
		{name: "connectors/okta/fake", goFiles: 1, comments: 1, imports: []string{"github.com/okta/sdk/v2"}},
		{name: "sync/engine", goFiles: 1, comments: 1, testImports: []string{"github.com/okta/sdk/v2/okta", "golang.org/x/oauth2", "strings"}},
	})
	want := []string{
		"sync holds Go files; a package of that name fights the standard one",
		"sync/none has 0 package comments, not one",
		"sync/two has 2 package comments, not one",
		"sync/engine imports github.com/okta/sdk/v2/okta, which belongs to connectors/okta alone",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}
