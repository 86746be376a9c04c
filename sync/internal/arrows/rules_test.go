// Package arrows holds no code, only the tests that keep the layers apart:
//
//	cmd -> engine, server, schedule -> stages -> rules, directory
//	cmd -> config                             -> rules, directory
//	cmd -> connectors/all, targets/all -> connectors/x, targets/y -> directory
package arrows

import (
	"fmt"
	"slices"
	"strings"
)

const module = "github.com/rollcall-sync/rollcall"

// pkg is one package of the module. Names of packages of the module are relative to it: "sync/plan".
type pkg struct {
	name string
	// imports are those of the package itself, testImports those of its tests only.
	imports, testImports []string
	// comments is how many files carry a package comment; goFiles how many files there are besides tests.
	comments, goFiles int
}

// pure are the stages that only compute: same input, same output.
var pure = []string{"sync/mapping", "sync/diff", "sync/plan", "sync/guard"}

// impure are packages of the standard library that a pure stage has no use for.
var impure = []string{"net", "net/http", "os", "os/exec", "log", "log/slog", "database/sql", "math/rand", "math/rand/v2", "crypto/rand"}

// drivers are the packages that run the stages; they may know of each other, and no stage knows of them.
var drivers = []string{"sync/engine", "sync/schedule", "sync/server", "sync/simulation"}

// shared are the third-party modules that more than one connector or target may use: they belong to no vendor.
var shared = []string{
	"golang.org/x/", "go.yaml.in/", "modernc.org/sqlite", "github.com/pressly/goose/", "github.com/go-sql-driver/mysql",
	"github.com/hashicorp/go-retryablehttp", "github.com/google/go-cmp", "pgregory.net/rapid",
}

// faults returns a sentence for each arrow that points the wrong way and each missing package comment.
func faults(packages []pkg) []string {
	var found []string
	for _, p := range packages {
		if p.name == "sync" {
			found = append(found, "sync holds Go files; a package of that name fights the standard one")
		}
		if p.goFiles > 0 && p.comments != 1 {
			found = append(found, fmt.Sprintf("%s has %d package comments, not one", p.name, p.comments))
		}
		for _, imported := range p.imports {
			if reason := wrong(p.name, imported, false); reason != "" {
				found = append(found, fmt.Sprintf("%s imports %s: %s", p.name, imported, reason))
			}
		}
		for _, imported := range p.testImports {
			if reason := wrong(p.name, imported, true); reason != "" {
				found = append(found, fmt.Sprintf("a test of %s imports %s: %s", p.name, imported, reason))
			}
		}
	}
	return append(found, strayVendors(packages)...)
}

// wrong says why a package, or a test of it, must not import another one; "" where it may.
func wrong(from, to string, test bool) string {
	local, ours := strings.CutPrefix(to, module+"/")
	switch {
	case !ours:
		if !test && slices.Contains(pure, from) && slices.Contains(impure, to) {
			return "this stage is pure: no network, no files, no clock, no log, no chance"
		}
		return ""
	case under(local, from) || under(from, "cmd"):
		return ""
	case under(local, "cmd"):
		return "nothing imports cmd"
	}
	switch {
	case under(from, "sync/rules"):
		return "the rules stand on their own"
	case under(from, "sync/directory"):
		return unless(under(local, "sync/directory"), "the contract knows nothing above it")
	case shelf(from) != "":
		return wrongForShelf(from, local)
	case under(from, "config"):
		return unless(base(local), "the configuration knows the rules and the directory contract only")
	case test:
		return "" // whole scenarios put together what the product keeps apart
	case under(local, "config"):
		return "only cmd reads the configuration"
	case shelf(local) != "":
		return "only cmd knows the vendors"
	case driver(from):
		return ""
	case driver(local):
		return "a stage does not know who runs it"
	case slices.Contains(pure, from):
		return unless(base(local) || slices.Contains(pure, local), "a pure stage knows pure stages, the rules and the directory contract only")
	default:
		return ""
	}
}

// wrongForShelf judges connectors and targets: what all of them share is the contract and the internal folder of their shelf.
func wrongForShelf(from, to string) string {
	list := shelf(from) + "/all"
	switch {
	case from == list:
		return unless(shelf(to) == shelf(from) || to == "sync/directory" || to == "sync/directory/directorytest", "a list names its own shelf only")
	case under(to, "sync/directory"), under(to, shelf(from)+"/internal"):
		return ""
	case shelf(to) != "" && strings.HasPrefix(from, folder(to)+"/"):
		return "" // a part of a connector may know the whole
	default:
		return "connectors and targets know the directory contract only, never each other or a stage"
	}
}

// strayVendors finds third-party modules that a connector or target uses and another package uses, too.
func strayVendors(packages []pkg) []string {
	owner := map[string]string{}
	for _, p := range packages {
		for _, imported := range p.imports {
			if shelf(p.name) != "" && thirdParty(imported) {
				if _, taken := owner[repository(imported)]; !taken {
					owner[repository(imported)] = folder(p.name)
				}
			}
		}
	}
	var found []string
	for _, p := range packages {
		for _, imported := range slices.Concat(p.imports, p.testImports) {
			if home, owned := owner[repository(imported)]; owned && !under(p.name, home) {
				found = append(found, fmt.Sprintf("%s imports %s, which belongs to %s alone", p.name, imported, home))
			}
		}
	}
	return found
}

func thirdParty(imported string) bool {
	first, _, _ := strings.Cut(imported, "/")
	return strings.Contains(first, ".") && !under(imported, module) &&
		!slices.ContainsFunc(shared, func(prefix string) bool { return strings.HasPrefix(imported, prefix) })
}

// repository returns the part of an import path that names a module well enough: host, owner, name.
func repository(imported string) string {
	parts := strings.SplitN(imported, "/", 4)
	return strings.Join(parts[:min(3, len(parts))], "/")
}

// shelf returns "connectors" or "targets" for what stands there, else "".
func shelf(name string) string {
	first, _, found := strings.Cut(name, "/")
	if found && (first == "connectors" || first == "targets") {
		return first
	}
	return ""
}

// folder returns the first two parts of a name: the folder of one connector.
func folder(name string) string {
	parts := strings.SplitN(name, "/", 3)
	return strings.Join(parts[:min(2, len(parts))], "/")
}

func base(name string) bool { return under(name, "sync/rules") || under(name, "sync/directory") }

func driver(name string) bool {
	return slices.ContainsFunc(drivers, func(d string) bool { return under(name, d) })
}

func under(name, folder string) bool { return name == folder || strings.HasPrefix(name, folder+"/") }

func unless(allowed bool, reason string) string {
	if allowed {
		return ""
	}
	return reason
}
