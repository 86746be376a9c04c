// Command tally reads the output of go test -json and prints what people want to see of it: a line for each package as it
// ends, the whole output of what failed, the reason of each skipped test, and at the end the sums. Its exit code is 1 where
// anything failed or nothing ran.
//
//	go test -json ./... | go run ./sync/internal/tally
package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
)

func main() {
	sums, err := read(os.Stdin, os.Stdout)
	if err != nil {
		fmt.Fprintf(os.Stderr, "tally: %v\n", err)
		os.Exit(1)
	}
	fmt.Println(sums)
	if sums.failed > 0 || sums.passed+sums.skipped == 0 {
		os.Exit(1)
	}
}

// sums counts tests; a subtest is a test. A package that failed without a failing test (it did not build, or it ended
// early) counts as one failure.
type sums struct{ passed, failed, skipped int }

func (s sums) String() string {
	return fmt.Sprintf("%d passed, %d failed, %d skipped", s.passed, s.failed, s.skipped)
}

// event is one line of go test -json, see "go doc test2json".
type event struct {
	Action, Package, ImportPath, Test, Output string
}

// counter holds what is not decided yet: the output of running tests, and whether a test of a package failed.
type counter struct {
	sums    sums
	out     io.Writer
	pending map[string]*strings.Builder
	order   []string
	failed  map[string]bool
}

func read(from io.Reader, to io.Writer) (sums, error) {
	c := counter{out: to, pending: map[string]*strings.Builder{}, failed: map[string]bool{}}
	lines := bufio.NewReader(from)
	for {
		line, err := lines.ReadString('\n')
		if line != "" {
			c.line(line)
		}
		if errors.Is(err, io.EOF) {
			return c.sums, nil
		}
		if err != nil {
			return c.sums, err
		}
	}
}

func (c *counter) line(line string) {
	var e event
	if json.Unmarshal([]byte(line), &e) != nil || e.Action == "" {
		fmt.Fprint(c.out, line) // the go command's own words
		return
	}
	key := e.Package + "\x00" + e.Test
	switch {
	case e.Action == "build-output":
		fmt.Fprint(c.out, e.Output)
	case e.Action == "output" && e.Test == "":
		if e.Output != "PASS\n" && e.Output != "FAIL\n" {
			fmt.Fprint(c.out, e.Output)
		}
	case e.Action == "output":
		if c.pending[key] == nil {
			c.pending[key] = &strings.Builder{}
			c.order = append(c.order, key)
		}
		c.pending[key].WriteString(e.Output)
	case e.Test == "":
		c.packageEnded(e)
	default:
		c.testEnded(e, key)
	}
}

func (c *counter) testEnded(e event, key string) {
	switch e.Action {
	case "pass":
		c.sums.passed++
	case "fail":
		c.sums.failed++
		c.failed[e.Package] = true
		c.flush(key)
	case "skip":
		c.sums.skipped++
		if output := c.pending[key]; output != nil {
			fmt.Fprintf(c.out, "skipped: %s\n", reason(output.String(), e.Test))
		}
	default:
		return
	}
	delete(c.pending, key)
}

func (c *counter) packageEnded(e event) {
	if e.Action != "pass" && e.Action != "fail" && e.Action != "skip" {
		return
	}
	if e.Action == "fail" && !c.failed[e.Package] {
		c.sums.failed++
		fmt.Fprintf(c.out, "FAIL\t%s ended without a verdict on its tests\n", e.Package)
	}
	var rest []string
	for _, key := range c.order {
		if name, _, _ := strings.Cut(key, "\x00"); name != e.Package {
			rest = append(rest, key)
			continue
		}
		if e.Action == "fail" {
			c.flush(key) // it was running when the package ended
		}
		delete(c.pending, key)
	}
	c.order = rest
}

func (c *counter) flush(key string) {
	if output := c.pending[key]; output != nil {
		fmt.Fprint(c.out, output)
	}
}

// reason makes one line of a skipped test's output.
func reason(output, test string) string {
	words := []string{test + ":"}
	for line := range strings.Lines(output) {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "=== ") || strings.HasPrefix(line, "--- ") || line == "" {
			continue
		}
		words = append(words, line)
	}
	return strings.Join(words, " ")
}
