package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// awaitSignals is a program that is interrupted: it says so and goes on, as an operation in hand would.
func awaitSignals() {
	ctx, stop := interruptible(context.Background(), os.Stderr)
	defer stop()
	fmt.Println("ready")
	<-ctx.Done()
	fmt.Println("interrupted")
	os.Stdin.Read(make([]byte, 1)) //nolint:errcheck // for ever, unless a signal ends the process
	fmt.Println("finished")
}

// child is a helper process under the name of one of the programs of TestMain.
type child struct {
	*exec.Cmd
	in    io.WriteCloser
	lines *bufio.Scanner
	talk  bytes.Buffer
}

func start(t *testing.T, program string, args ...string) *child {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c := &child{Cmd: exec.Command(self, args...)}
	c.Args[0] = program
	c.Stderr = &c.talk
	out, err := c.StdoutPipe()
	if err == nil {
		c.in, err = c.StdinPipe()
	}
	if err == nil {
		err = c.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	c.lines = bufio.NewScanner(out)
	t.Cleanup(func() { c.in.Close(); c.Wait() }) //nolint:errcheck // ended already where the test says so
	return c
}

func (c *child) expect(t *testing.T, line string) {
	t.Helper()
	if !c.lines.Scan() || c.lines.Text() != line {
		t.Fatalf("the program says %q, want %q", c.lines.Text(), line)
	}
}

func TestTheSecondInterruptionEndsTheProcess(t *testing.T) {
	t.Parallel()
	for _, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM} {
		c := start(t, "await-signals")
		c.expect(t, "ready")
		if err := c.Process.Signal(sig); err != nil {
			t.Fatal(err)
		}
		c.expect(t, "interrupted")
		if err := c.Process.Signal(sig); err != nil {
			t.Fatal(err)
		}
		var ended *exec.ExitError
		if err := c.Wait(); !errors.As(err, &ended) || ended.Sys().(syscall.WaitStatus).Signal() != sig {
			t.Errorf("after the second %s the program ended with %v", sig, err)
		}
		if want := "a second interruption ends at once\n"; !strings.HasSuffix(c.talk.String(), want) {
			t.Errorf("it said %q", c.talk.String())
		}
	}
}

func TestOneInterruptionLetsTheProcessFinish(t *testing.T) {
	t.Parallel()
	c := start(t, "await-signals")
	c.expect(t, "ready")
	if err := c.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	c.expect(t, "interrupted")
	c.in.Close()
	c.expect(t, "finished")
}

// desk is a folder with a configuration in which commands are run in this process.
type desk struct {
	t      *testing.T
	folder string
	// prepare may change the app before each command.
	prepare func(*app)
}

const deskConfig = `state: rollcall.db
directories:
  staff: {type: file, path: people.csv}
  website: {type: store, path: website.db}
syncs:
  web: {source: staff, target: website}
`

func newDesk(t *testing.T, config string, people int) *desk {
	d := &desk{t: t, folder: t.TempDir()}
	d.write("rollcall.yaml", config)
	var list strings.Builder
	list.WriteString("id,username,email\n")
	for i := range people {
		fmt.Fprintf(&list, "%d,person%03d,person%03d@example.com\n", i+1, i+1, i+1)
	}
	d.write("people.csv", list.String())
	return d
}

func (d *desk) path(name string) string { return filepath.Join(d.folder, name) }

func (d *desk) write(name, text string) {
	d.t.Helper()
	if err := os.WriteFile(d.path(name), []byte(text), 0o600); err != nil {
		d.t.Fatal(err)
	}
}

// run runs one command and insists on its exit code.
func (d *desk) run(ctx context.Context, code int, args ...string) (out, talk string) {
	d.t.Helper()
	var stdout, stderr bytes.Buffer
	a := &app{args: append(args, "--config", d.path("rollcall.yaml")), in: strings.NewReader(""), out: &stdout, err: &stderr}
	if d.prepare != nil {
		d.prepare(a)
	}
	if got := execute(ctx, a); got != code {
		d.t.Errorf("rollcall %s ended with %d, want %d\n%s\n%s", strings.Join(args, " "), got, code, stdout.String(), stderr.String())
	}
	return stdout.String(), stderr.String()
}

func (d *desk) contains(text string, parts ...string) {
	d.t.Helper()
	for _, part := range parts {
		if !strings.Contains(text, part) {
			d.t.Errorf("%q is missing in:\n%s", part, text)
		}
	}
}

func TestAnInterruptedImportGoesOnWhereItStopped(t *testing.T) {
	t.Parallel()
	const people = 300
	d := newDesk(t, deskConfig, people)
	d.run(context.Background(), exitOK, "import", "web")
	list, err := os.ReadFile(d.path("people.csv"))
	if err != nil {
		t.Fatal(err)
	}
	d.write("people.csv", strings.ReplaceAll(string(list), "@example.com", "@new.example.com"))
	ctx, interrupt := context.WithCancel(context.Background())
	var looks atomic.Int64
	d.prepare = func(a *app) {
		a.now = func() time.Time { // the clock is looked at with each write
			if looks.Add(1) == people/2 {
				interrupt()
			}
			return time.Now()
		}
	}
	out, talk := d.run(ctx, exitInterrupted, "import", "web")
	d.contains(out, "web: interrupted ", " updated, ", "ended from outside with ", "run it again to go on")
	d.contains(talk, "run the same command again to go on where it stopped")
	d.prepare = nil
	out, _ = d.run(context.Background(), exitOK, "import", "web")
	d.contains(out, " updated, ", " unchanged")
	out, _ = d.run(context.Background(), exitOK, "sync", "web")
	d.contains(out, "web: nothing", "300 unchanged")
}

func TestInterruptedBeforeAnythingWasRead(t *testing.T) {
	t.Parallel()
	d := newDesk(t, deskConfig, 3)
	d.run(context.Background(), exitOK, "import", "web")
	ctx, interrupt := context.WithCancel(context.Background())
	interrupt()
	for _, command := range []string{"sync", "plan", "check"} {
		out, talk := d.run(ctx, exitInterrupted, command)
		if !strings.Contains(out+talk, "ended from outside") || strings.Contains(out+talk, "context canceled") {
			t.Errorf("%s says %q, %q", command, out, talk)
		}
	}
}

func TestALockedStateFileIsToldClearly(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("waits as long as the state waits for a lock, ten seconds")
	}
	d := newDesk(t, deskConfig, 3)
	d.run(context.Background(), exitOK, "import", "web")
	lock := start(t, "lock-file", d.path("rollcall.db"))
	lock.expect(t, "locked")
	t.Run("commands", func(t *testing.T) {
		for _, args := range [][]string{{"plan"}, {"history"}} {
			t.Run(args[0], func(t *testing.T) {
				t.Parallel()
				_, talk := d.run(context.Background(), exitState, args...)
				d.contains(talk, "rollcall.db is locked by ", "wait for it to end, or stop it")
			})
		}
	})
	lock.in.Close()
	if err := lock.Wait(); err != nil {
		t.Error(err)
	}
	d.run(context.Background(), exitOK, "plan")
}

func TestWhileARunIsUnderWay(t *testing.T) {
	t.Parallel()
	d := newDesk(t, deskConfig, 3)
	d.run(context.Background(), exitOK, "import", "web")
	holder := &app{configPaths: []string{d.path("rollcall.yaml")}, err: io.Discard}
	if err := holder.open(context.Background(), false); err != nil {
		t.Fatal(err)
	}
	defer holder.close() //nolint:errcheck // a test
	lease, err := holder.db.Acquire(context.Background(), "web", "a test")
	if err != nil {
		t.Fatal(err)
	}
	defer lease.Release() //nolint:errcheck // a test
	for _, command := range []string{"sync", "import web", "unlink web person001", "link web person001 person001"} {
		_, talk := d.run(context.Background(), exitBusy, strings.Fields(command)...)
		d.contains(talk, "rollcall: sync web is being run by process ", "(a test)", "wait for it to end")
	}
	for _, command := range []string{"plan", "history", "explain person001", "explain --offline person001", "check"} {
		d.run(context.Background(), exitOK, strings.Fields(command)...)
	}
}
