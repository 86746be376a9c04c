// Command mutants breaks the safety rules of the engine one by one and shows that the simulation notices each. Every mutant
// is a few replacements in named files; the tree itself is not touched, the compiler is given the changed files instead.
//
//	go run ./sync/simulation/mutants             all of them
//	go run ./sync/simulation/mutants -only lease those whose name holds the word
//
// It ends with 1 where a mutant survives its worlds, and with 2 where one no longer fits the code.
package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"text/tabwriter"
	"time"
)

// mutant is one broken rule.
type mutant struct {
	name string
	// rule is what holds no longer.
	rule    string
	patches []patch
}

// patch replaces a piece of one file, which must be there exactly once.
type patch struct{ file, old, new string }

var (
	only  = flag.String("only", "", "try only mutants whose name holds this")
	seeds = flag.Int("seeds", 1000, "how many worlds a mutant may survive")
)

func main() {
	flag.Parse()
	code, err := run()
	if err != nil {
		fmt.Fprintln(os.Stderr, "mutants:", err)
		code = 2
	}
	os.Exit(code)
}

func run() (code int, err error) {
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}").Output()
	if err != nil {
		return 0, fmt.Errorf("run it inside the module: %w", err)
	}
	root := strings.TrimSpace(string(out))
	table := tabwriter.NewWriter(os.Stdout, 0, 4, 2, ' ', 0)
	defer table.Flush()
	fmt.Fprintln(table, "MUTANT\tWITHOUT\tCAUGHT IN WORLD\tBY\tSECONDS")
	for _, m := range mutants {
		if !strings.Contains(m.name, *only) {
			continue
		}
		start := time.Now()
		world, law, err := m.try(root)
		switch {
		case err != nil:
			fmt.Fprintf(os.Stderr, "mutants: %s: %v\n", m.name, err)
			world, code = "DOES NOT FIT", 2
		case world == "":
			world, law, code = "SURVIVES", fmt.Sprintf("%d worlds", *seeds), max(code, 1)
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%.0f\n", m.name, m.rule, world, law, time.Since(start).Seconds())
		if err := table.Flush(); err != nil {
			return 0, err
		}
	}
	return code, nil
}

var (
	broken = regexp.MustCompile(`world (\d+) breaks:\n\s*(.*)`)
	hangs  = regexp.MustCompile(`world (\d+) hangs`)
)

// try builds the simulation with the mutant and plays worlds until one is broken.
func (m mutant) try(root string) (world, law string, err error) {
	folder, err := os.MkdirTemp("", "mutant-")
	if err != nil {
		return "", "", err
	}
	defer os.RemoveAll(folder)
	overlay, err := m.overlay(root, folder)
	if err != nil {
		return "", "", err
	}
	command := exec.Command("go", "test", "-count=1", "-timeout=20m", "-overlay", overlay, "-run", "^TestSimulation$", "./sync/simulation",
		fmt.Sprintf("-seeds=%d", *seeds), "-first")
	command.Dir = root
	answer, err := command.CombinedOutput()
	var failed *exec.ExitError
	switch {
	case err == nil:
		return "", "", nil
	case !errors.As(err, &failed):
		return "", "", err
	}
	if found := broken.FindSubmatch(answer); found != nil {
		law, _, _ := strings.Cut(string(found[2]), ": ")
		return string(found[1]), law, nil
	}
	if found := hangs.FindSubmatch(answer); found != nil {
		return string(found[1]), "hangs", nil
	}
	return "", "", fmt.Errorf("the simulation does not run: %s", answer[max(0, len(answer)-2000):])
}

// overlay writes the changed files, and the list of them for the compiler.
func (m mutant) overlay(root, folder string) (path string, err error) {
	changed := map[string]string{}
	for _, p := range m.patches {
		file := filepath.Join(root, filepath.FromSlash(p.file))
		text, again := changed[file]
		if !again {
			data, err := os.ReadFile(file)
			if err != nil {
				return "", err
			}
			text = string(data)
		}
		if n := strings.Count(text, p.old); n != 1 {
			return "", fmt.Errorf("%s holds %q %d times, not once; bring the mutant up to date", p.file, p.old, n)
		}
		changed[file] = strings.Replace(text, p.old, p.new, 1)
	}
	replace := map[string]string{}
	for file, text := range changed {
		replace[file] = filepath.Join(folder, fmt.Sprintf("%d.go", len(replace)))
		if err := os.WriteFile(replace[file], []byte(text), 0o600); err != nil {
			return "", err
		}
	}
	data, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		return "", err
	}
	path = filepath.Join(folder, "overlay.json")
	return path, os.WriteFile(path, data, 0o600)
}
