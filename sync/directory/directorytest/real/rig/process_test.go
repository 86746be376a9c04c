//go:build unix

package rig

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// start starts a shell that itself starts a child, says so, and waits.
func start(t *testing.T, run, script string) *Process {
	t.Helper()
	p, err := Start(run, "shell", filepath.Join(t.TempDir(), "log"), exec.Command("sh", "-c", script))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Stop(0) })
	return p
}

const withChild = `sleep 600 & echo child $!; wait`

// childOf waits until the shell has told the id of its child.
func childOf(t *testing.T, p *Process) int {
	t.Helper()
	var pid int
	err := p.Await(time.Minute, func(output string) bool {
		word, found := strings.CutPrefix(strings.TrimSpace(output), "child ")
		pid, _ = strconv.Atoi(word)
		return found && pid > 0
	})
	if err != nil {
		t.Fatal(err)
	}
	return pid
}

// awaitGone waits until the process is no more than an entry that nobody has fetched yet.
func awaitGone(t *testing.T, pid int) {
	t.Helper()
	deadline := time.Now().Add(time.Minute)
	for time.Now().Before(deadline) {
		stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
		if err != nil || strings.Contains(string(stat), ") Z ") {
			return
		}
	}
	t.Errorf("process %d is still there", pid)
}

func needProc(t *testing.T) {
	t.Helper()
	if birth(os.Getpid()) == "" {
		t.Skip("this system does not tell under /proc when a process was started")
	}
}

func TestStopEndsTheChildrenToo(t *testing.T) {
	t.Parallel()
	needProc(t)
	for name, grace := range map[string]time.Duration{"at once": 0, "with grace": time.Minute} {
		run := t.TempDir()
		p := start(t, run, withChild)
		child := childOf(t, p)
		p.Stop(grace)
		p.Stop(grace) // twice is once
		awaitGone(t, child)
		if records, err := filepath.Glob(filepath.Join(run, "processes", "*")); err != nil || len(records) != 0 {
			t.Errorf("%s: records are left: %q, %v", name, records, err)
		}
	}
}

func TestStopDoesNotWaitLongerThanItsGrace(t *testing.T) {
	t.Parallel()
	p := start(t, "", `trap '' TERM; echo child $$; while :; do sleep 600; done`)
	childOf(t, p)
	began := time.Now()
	p.Stop(100 * time.Millisecond)
	if took := time.Since(began); took > 30*time.Second {
		t.Errorf("a process that ignores the polite request took %s", took)
	}
}

func TestAwaitTellsTheLastWords(t *testing.T) {
	t.Parallel()
	p := start(t, "", `echo first; echo the disk is full >&2; exit 3`)
	err := p.Await(time.Minute, func(string) bool { return false })
	if err == nil || !strings.Contains(err.Error(), "exit status 3") || !strings.Contains(err.Error(), "first\nthe disk is full") {
		t.Errorf("a process that ended by itself: %v", err)
	}
	p = start(t, "", withChild)
	err = p.Await(time.Millisecond, func(string) bool { return false })
	if err == nil || !strings.Contains(err.Error(), "was not ready within 1ms") {
		t.Errorf("a process that is never ready: %v", err)
	}
}

func TestLeftoversAreStoppedAndStrangersAreNot(t *testing.T) {
	t.Parallel()
	needProc(t)
	run := t.TempDir()
	child := childOf(t, start(t, run, withChild))
	// A record of a process id that meanwhile belongs to somebody else.
	stranger := start(t, "", withChild)
	strangersChild := childOf(t, stranger)
	record := recordOf(run, stranger.command.Process.Pid)
	if err := os.WriteFile(record, []byte("1"), 0o644); err != nil {
		t.Fatal(err)
	}
	stopped, err := StopLeftovers(run)
	if err != nil || stopped != 1 {
		t.Errorf("%d groups were stopped, want 1: %v", stopped, err)
	}
	awaitGone(t, child)
	if err := syscall.Kill(strangersChild, 0); err != nil {
		t.Errorf("a stranger was stopped: %v", err)
	}
	if stopped, err := StopLeftovers(run); err != nil || stopped != 0 {
		t.Errorf("the second time: %d, %v", stopped, err)
	}
}

func TestBirthReadsAnyName(t *testing.T) {
	t.Parallel()
	needProc(t)
	odd := filepath.Join(t.TempDir(), "a) b (c")
	sleep, err := exec.LookPath("sleep")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(sleep, odd); err != nil {
		t.Fatal(err)
	}
	p, err := Start("", "odd", filepath.Join(t.TempDir(), "log"), exec.Command(odd, "600"))
	if err != nil {
		t.Fatal(err)
	}
	defer p.Stop(0)
	if moment, err := strconv.Atoi(birth(p.command.Process.Pid)); err != nil || moment <= 0 {
		t.Errorf("birth is %q", birth(p.command.Process.Pid))
	}
}

func TestTail(t *testing.T) {
	t.Parallel()
	if got := Tail("a\nb\nc\n\n", 2); got != "b\nc" {
		t.Errorf("got %q", got)
	}
	if got := Tail("a", 5); got != "a" {
		t.Errorf("got %q", got)
	}
}
