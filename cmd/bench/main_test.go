package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	servers "github.com/rollcall-sync/rollcall/sync/directory/directorytest/real/rig"
)

// TestMain lets the tests stand for the program where that starts itself.
func TestMain(m *testing.M) {
	if os.Getenv(selfVariable) != "" {
		os.Exit(run(context.Background(), os.Args[1:], os.Stdout, os.Stderr))
	}
	os.Exit(m.Run())
}

// start runs the program and returns its exit code and what it printed.
func start(t *testing.T, arguments ...string) (code int, out, talk string) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	code = run(t.Context(), arguments, &stdout, &stderr)
	return code, stdout.String(), stderr.String()
}

func TestRowsWithoutServers(t *testing.T) {
	t.Parallel()
	binary := os.Getenv("ROLLCALL_TEST_BINARY")
	if binary == "" {
		binary = filepath.Join(t.TempDir(), "rollcall")
		if out, err := exec.Command("go", "build", "-o", binary, "../rollcall").CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}
	folder := t.TempDir()
	measure := func(rows string) (out string) {
		code, out, talk := start(t, "-binary", binary, "-folder", folder, "-rows", rows, "-sizes", "100,250")
		if code != 0 {
			t.Fatalf("exit code %d\n%s%s", code, out, talk)
		}
		return out
	}
	out := measure("4,5,6")
	for _, want := range []string{
		"plan of 100, nothing changed", "plan of 250, nothing changed", "plan of 100, 1 % changed", "plan of 250, 1 % changed", "time of one person in a plan of 250",
		"import of 250 from a file", "state of one person of 250", "plan of 10 groups, 2,500 memberships", "mapping and diff of one membership",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("no line says %q in\n%s", want, out)
		}
	}
	first, err := readResults(folder)
	if err != nil || len(first) != strings.Count(out, "\n")-1 {
		t.Fatalf("%d lines were kept of\n%s%v", len(first), out, err)
	}
	for _, l := range first {
		if l.Failure != "" || l.Ours <= 0 || l.Bare <= 0 || l.Ratio != l.Ours/l.Bare {
			t.Errorf("%+v", l)
		}
		if strings.HasPrefix(l.What, "plan of") && l.Peak == 0 {
			t.Errorf("no memory was measured: %+v", l)
		}
	}

	made := modified(t, folder)
	out = measure("4,6")
	for _, l := range first {
		if l.Row == 5 {
			continue
		}
		// The same line of the second run shows the ratio of the first.
		_, found, _ := strings.Cut(out, l.What)
		found, _, _ = strings.Cut(found, "\n")
		if !strings.Contains(found, fmt.Sprintf("  %.2f", l.Ratio)) {
			t.Errorf("the second table does not compare %q with %.2f:\n%s", l.What, l.Ratio, out)
		}
	}
	if again := modified(t, folder); again != made {
		t.Errorf("the worlds were made anew: %s, then %s", made, again)
	}

	// A world of other tables is of no use.
	manifests, err := filepath.Glob(filepath.Join(folder, "world-*", worldFile))
	if err != nil || len(manifests) != 3 {
		t.Fatal(manifests, err)
	}
	for _, path := range manifests {
		if err := os.WriteFile(path, []byte(`{"recipe":1,"schema":"CREATE TABLE old"}`), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	measure("6")
	if again := modified(t, folder); again == made {
		t.Error("worlds with the tables of another release were used")
	}
}

// modified tells when the worlds were made.
func modified(t *testing.T, folder string) string {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(folder, "world-*", worldFile))
	if err != nil {
		t.Fatal(err)
	}
	var times []string
	for _, path := range paths {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		times = append(times, fmt.Sprint(info.ModTime().UnixNano()))
	}
	return strings.Join(times, " ")
}

func TestARowWithoutItsServersIsAFailure(t *testing.T) {
	for _, variable := range []string{servers.KeycloakVariable, servers.WordPressVariable} {
		t.Setenv(variable, "")
		t.Setenv(variable+servers.MissingSuffix, "there is no Java")
	}
	folder := t.TempDir()
	code, out, _ := start(t, "-binary", os.Args[0], "-folder", folder, "-rows", "1,2")
	if code != exitFailed || strings.Count(out, "not measured") != 2 || strings.Count(out, "there is no Java") != 2 {
		t.Errorf("exit code %d\n%s", code, out)
	}
	kept, err := readResults(folder)
	if err != nil || len(kept) != 2 || kept[0].Failure == "" {
		t.Errorf("%+v, %v", kept, err)
	}
}

func TestWrongFlags(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		arguments []string
		want      string
	}{
		{[]string{"-rows", "7"}, `-rows: "7" is no number from 1 to 6`},
		{[]string{"-rows", ""}, `-rows: "" names none`},
		{[]string{"-sizes", "10k"}, `-sizes: "10k" is no number from 100 to 10000000`},
		{[]string{"-binary", "/nowhere/rollcall"}, "run make build"},
		{[]string{"4"}, `"4" is no flag`},
	} {
		code, out, talk := start(t, append([]string{"-folder", t.TempDir()}, c.arguments...)...)
		if code != exitUsage || out != "" || !strings.Contains(talk, c.want) {
			t.Errorf("%q: exit code %d, %q", c.arguments, code, talk)
		}
	}
}
