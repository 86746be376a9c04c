//go:build unix

package main

import (
	"bufio"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
)

// TestServeHeedsSignals runs the program as a service manager would.
func TestServeHeedsSignals(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	path := writeSite(t, folder, "30 2 * * *")
	writePeople(t, folder, "anna")
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	service := exec.CommandContext(t.Context(), self, "serve", "--config", path)
	service.Args[0] = "rollcall"
	talk, err := service.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := service.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(talk)
	await := func(text string) {
		t.Helper()
		var seen []string
		for lines.Scan() {
			if seen = append(seen, lines.Text()); strings.Contains(lines.Text(), text) {
				return
			}
		}
		t.Fatalf("no line with %q:\n%s", text, strings.Join(seen, "\n"))
	}
	send := func(signal syscall.Signal) {
		t.Helper()
		if err := service.Process.Signal(signal); err != nil {
			t.Fatal(err)
		}
	}
	await(`schedule="30 2 * * * UTC"`)
	writeSite(t, folder, "15 4 * * *")
	send(syscall.SIGHUP)
	await("configuration taken")
	await(`schedule="15 4 * * * UTC"`)
	send(syscall.SIGTERM)
	for lines.Scan() { // to the end, which Wait must not cut off
		if strings.Contains(lines.Text(), "level=ERROR") {
			t.Error(lines.Text())
		}
	}
	if err := service.Wait(); err != nil {
		t.Error(err)
	}
}
