package endtoend

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rollcall-sync/rollcall/sync/directory/directorytest/real"
	"github.com/rollcall-sync/rollcall/sync/engine"
)

// program is the built program with a folder and a configuration of its own.
type program struct {
	t      testing.TB
	folder string
	// ended is the last process.
	ended *os.ProcessState
}

// newProgram writes the configuration, whose relative paths are below the folder.
func newProgram(t testing.TB, config string) *program {
	t.Helper()
	p := &program{t: t, folder: t.TempDir()}
	p.write("rollcall.yaml", config)
	return p
}

func (p *program) path(name string) string { return filepath.Join(p.folder, name) }

func (p *program) write(name, text string) {
	p.t.Helper()
	if err := os.WriteFile(p.path(name), []byte(text), 0o600); err != nil {
		p.t.Fatal(err)
	}
}

func (p *program) read(name string) string {
	p.t.Helper()
	data, err := os.ReadFile(p.path(name))
	if err != nil {
		p.t.Fatal(err)
	}
	return string(data)
}

// prepared is the command, not started yet.
func (p *program) prepared(args ...string) *exec.Cmd {
	return exec.Command(binary, append(args, "--config", p.path("rollcall.yaml"))...)
}

// command runs the program and returns its output and exit code.
func (p *program) command(args ...string) (out, talk string, code int) {
	p.t.Helper()
	var stdout, stderr bytes.Buffer
	cmd := p.prepared(args...)
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	var exit *exec.ExitError
	if err := cmd.Run(); err != nil && !errors.As(err, &exit) {
		p.t.Fatal(err)
	}
	p.ended = cmd.ProcessState
	return stdout.String(), stderr.String(), cmd.ProcessState.ExitCode()
}

// sync runs the sync and compares its end and what was done with "created 3 updated 1"; what is not named must be zero.
func (p *program) sync(status engine.Status, want string, args ...string) engine.Report {
	p.t.Helper()
	return p.run(status, want, append([]string{"sync"}, args...)...)
}

// run is sync for a whole command line.
func (p *program) run(status engine.Status, want string, args ...string) engine.Report {
	p.t.Helper()
	report := p.report(args...)
	if got := doneIn(report); report.Status != status || got != want {
		p.t.Errorf("%v is %s: %q; want %s: %q\nreasons %v\nfailures %v\nnotes %v", args, report.Status, got, status, want, report.Reasons, some(report.Failures), some(report.Notes))
	}
	return report
}

// some returns the first few of a list.
func some[T any](list []T) []T { return list[:min(len(list), 5)] }

// report runs a command that ends with the report of one run.
func (p *program) report(args ...string) engine.Report {
	p.t.Helper()
	out, talk, _ := p.command(append(args, "--json")...)
	var report engine.Report
	if err := json.Unmarshal([]byte(out), &report); err != nil {
		p.t.Fatalf("%v: %v\n%s\n%s", args, err, out, talk)
	}
	return report
}

// doneIn names what a run has done.
func doneIn(report engine.Report) string {
	c := report.Counts
	var done []string
	for _, count := range []struct {
		word string
		n    int
	}{
		{"linked", c.Linked},
		{"created", c.Created},
		{"updated", c.Updated},
		{"activated", c.Activated},
		{"deactivated", c.Deactivated},
		{"deleted", c.Deleted},
		{"added", c.GroupAdded},
		{"removed", c.GroupRemoved},
		{"back", c.WrittenBack},
		{"failed", c.Failed},
	} {
		if count.n != 0 {
			done = append(done, fmt.Sprintf("%s %d", count.word, count.n))
		}
	}
	return strings.Join(done, " ")
}

// keycloakLine and wordPressLine are directories of a configuration.
func keycloakLine(realm *real.Realm) string {
	return fmt.Sprintf("{type: keycloak, url: %q, realm: %q, client_id: %q, client_secret: %q}", realm.URL, realm.Name, realm.ClientID, realm.ClientSecret)
}

func wordPressLine(address string, site *real.WordPressSite) string {
	return fmt.Sprintf("{type: wordpress, url: %q, username: %q, password: %q, meta: [department]}", address, site.Username, site.AppPassword)
}

// differences names the lines that only one of two sorted lists has, the first few of each.
func differences(got, want []string) string {
	only := func(in, notIn []string) (lines []string) {
		for _, line := range in {
			if _, found := slices.BinarySearch(notIn, line); !found && len(lines) < 5 {
				lines = append(lines, line)
			}
		}
		return lines
	}
	return fmt.Sprintf("%d lines, want %d\ntoo much: %q\nlacking: %q", len(got), len(want), only(got, want), only(want, got))
}
