//go:build unix

package main

import (
	"archive/zip"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-sync/rollcall/sync/directory/directorytest/real/rig"
)

func testPlace(t *testing.T) *place {
	t.Helper()
	t.Setenv("ROLLCALL_CACHE", t.TempDir())
	place, err := openPlace()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(place.close)
	return place
}

func TestTheCommandsExitCodeIsPassedOn(t *testing.T) {
	place := testPlace(t)
	for script, want := range map[string]int{
		"exit 0": 0, "exit 7": 7, "kill -9 $$": 1, `test "$GREETING" = hello || exit 9`: 0,
	} {
		if got := runCommand(context.Background(), place, []string{"sh", "-c", script}, []string{"GREETING=hello"}); got != want {
			t.Errorf("%s: exit code %d, want %d", script, got, want)
		}
	}
	if got := runCommand(context.Background(), place, []string{"/nowhere/nothing"}, nil); got != 127 {
		t.Errorf("a command that is not there: exit code %d", got)
	}
}

func TestAnInterruptEndsTheCommand(t *testing.T) {
	place := testPlace(t)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if got := runCommand(ctx, place, []string{"sleep", "600"}, nil); got != exitInterrupted {
		t.Errorf("exit code %d", got)
	}
}

func TestARunThatWasKilledIsClearedByTheNext(t *testing.T) {
	old := testPlace(t)
	process, err := rig.Start(old.run, "sleeper", filepath.Join(old.run, "log"), exec.Command("sleep", "600"))
	if err != nil {
		t.Fatal(err)
	}
	defer process.Stop(0)
	other, err := openPlace()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(old.run); err != nil {
		t.Fatalf("a run under way was cleared: %v", err)
	}
	other.close()
	if _, err := os.Stat(other.run); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a run that is over left its folder: %v", err)
	}
	old.lock.Close() // as the system does for a process that was killed
	next, err := openPlace()
	if err != nil {
		t.Fatal(err)
	}
	defer next.close()
	if _, err := os.Stat(old.run); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the folder of the killed run is still there: %v", err)
	}
	err = process.Await(time.Minute, func(string) bool { return false })
	if err == nil || !strings.Contains(err.Error(), "ended by itself (signal: killed)") {
		t.Errorf("the server of the killed run: %v", err)
	}
}

func TestPartsAreChosenByName(t *testing.T) {
	t.Parallel()
	if parts, err := choose("wordpress,keycloak"); err != nil || len(parts) != 2 || parts[0].name != "wordpress" {
		t.Errorf("got %d parts, %v", len(parts), err)
	}
	if _, err := choose("wordpres"); err == nil || !strings.Contains(err.Error(), `no part "wordpres"`) {
		t.Errorf("a misspelt part: %v", err)
	}
}

func TestOnlyWhatLacksIsInstalled(t *testing.T) {
	t.Parallel()
	here := part{name: "here", programs: map[string]string{"sh": "dash"}, files: map[string]string{"/et?": "base-files"}}
	lacks := part{
		name: "lacks", programs: map[string]string{"no-such-program": "b-package", "sh": "dash"},
		files: map[string]string{"/no/such/*.ini": "a-package", "/no/such/file": "b-package"},
	}
	if got := wanted(here); len(got) != 0 {
		t.Errorf("nothing is missing, but %q is wanted", got)
	}
	if got := wanted(here, lacks); !slices.Equal(got, []string{"a-package", "b-package"}) {
		t.Errorf("wanted: %q", got)
	}
}

func TestAMissingPartIsToldInOneLineForEachVariable(t *testing.T) {
	t.Parallel()
	got := missing(part{variables: []string{"A", "B"}}, errors.New("no room:\n  the disk\tis full"))
	if !slices.Equal(got, []string{"A_MISSING=no room: the disk is full", "B_MISSING=no room: the disk is full"}) {
		t.Errorf("got %q", got)
	}
	long := missing(part{variables: []string{"A"}}, errors.New(strings.Repeat("ä", 1000)))[0]
	if len(long) > 620 || !strings.HasSuffix(long, "ä…") {
		t.Errorf("a long reason becomes %d bytes: %s", len(long), long)
	}
}

func TestTheEnvironmentCanBeReadByAShell(t *testing.T) {
	t.Parallel()
	lines := shellLines([]string{"ONE=it's $HOME `x` \"y\"", "TWO=a=b"})
	out, err := exec.Command("sh", "-c", lines+`printf '%s|%s' "$ONE" "$TWO"`).Output()
	if want := "it's $HOME `x` \"y\"|a=b"; err != nil || string(out) != want {
		t.Errorf("got %s, %v; want %s", out, err, want)
	}
}

func TestUnzipKeepsModesAndStaysInItsFolder(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	archive := writeZip(t, map[string]string{"a/run.sh": "#!/bin/sh\n"})
	if err := unzip(archive, folder); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(filepath.Join(folder, "a", "run.sh")); err != nil || info.Mode().Perm()&0o100 == 0 {
		t.Errorf("the script is not executable: %v, %v", info, err)
	}
	if err := unzip(writeZip(t, map[string]string{"../out": "x"}), folder); err == nil || !strings.Contains(err.Error(), "../out") {
		t.Errorf("an entry outside the folder: %v", err)
	}
}

func writeZip(t *testing.T, files map[string]string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "a.zip")
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	writer := zip.NewWriter(file)
	for name, content := range files {
		header := &zip.FileHeader{Name: name}
		header.SetMode(0o755)
		entry, err := writer.CreateHeader(header)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := entry.Write([]byte(content)); err != nil {
			t.Fatal(err)
		}
	}
	if err := writer.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}
