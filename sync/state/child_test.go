package state

import (
	"bufio"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
)

// Some tests need a second process: this same binary, started anew with a task in its environment. It answers line by
// line and ends when its input is closed.
const childTask, childPath = "ROLLCALL_STATE_TEST_TASK", "ROLLCALL_STATE_TEST_PATH"

func TestMain(m *testing.M) {
	task := os.Getenv(childTask)
	if task == "" {
		os.Exit(m.Run())
	}
	run := map[string]func(string) error{
		"lease": childLease, "exclusive": childExclusive, "writing": childWriting, "journal": childJournal, "open": childOpen, "read": childRead,
	}[task]
	if err := run(os.Getenv(childPath)); err != nil {
		fmt.Println("error:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

// child is a started process.
type child struct {
	t     *testing.T
	cmd   *exec.Cmd
	lines *bufio.Scanner
	input io.WriteCloser
	ended bool
}

func startChild(t *testing.T, task, path string, prepare ...func(*exec.Cmd)) *child {
	t.Helper()
	executable, err := os.Executable()
	must(t, err)
	cmd := exec.Command(executable)
	cmd.Env = append(os.Environ(), childTask+"="+task, childPath+"="+path)
	cmd.Stderr = os.Stderr
	for _, f := range prepare {
		f(cmd)
	}
	output, err := cmd.StdoutPipe()
	must(t, err)
	input, err := cmd.StdinPipe()
	must(t, err)
	must(t, cmd.Start())
	c := &child{t: t, cmd: cmd, lines: bufio.NewScanner(output), input: input}
	t.Cleanup(c.kill)
	return c
}

// line waits for the next line; "" at the end.
func (c *child) line() string {
	c.lines.Scan()
	return c.lines.Text()
}

func (c *child) kill() {
	if !c.ended {
		c.ended = true
		_ = c.cmd.Process.Kill()
		_ = c.cmd.Wait()
	}
}

// end lets the process finish by itself.
func (c *child) end() {
	c.t.Helper()
	c.ended = true
	c.input.Close()
	if err := c.cmd.Wait(); err != nil {
		c.t.Errorf("child: %v", err)
	}
}

func waitForEndOfInput() { _, _ = io.Copy(io.Discard, os.Stdin) }

func childOpen(path string) error { return childTry(path, Options{}) }

func childRead(path string) error { return childTry(path, Options{ReadOnly: true}) }

func childTry(path string, options Options) error {
	db, err := Open(context.Background(), path, options)
	if err != nil {
		for _, kind := range []error{ErrReadOnly, ErrNotState, ErrLocked} {
			if errors.Is(err, kind) {
				fmt.Printf("%v: %v\n", kind, err)
				return nil
			}
		}
		return err
	}
	fmt.Println("opened")
	return db.Close()
}

func childLease(path string) error {
	db, err := Open(context.Background(), path, Options{})
	if err != nil {
		return err
	}
	defer db.Close()
	var busy *BusyError
	lease, err := db.Acquire(context.Background(), "staff-to-website", "test")
	switch {
	case errors.As(err, &busy):
		fmt.Println("busy", busy.PID)
		return nil
	case err != nil:
		return err
	}
	fmt.Println("got")
	waitForEndOfInput()
	return lease.Release()
}

// childExclusive locks the whole file, as a foreign tool may.
func childExclusive(path string) error { return childLock(path, "PRAGMA locking_mode = exclusive") }

// childWriting holds the right to write.
func childWriting(path string) error { return childLock(path, "PRAGMA locking_mode = normal") }

func childLock(path, mode string) error {
	pool, err := sql.Open("sqlite", path)
	if err != nil {
		return err
	}
	defer pool.Close()
	conn, err := pool.Conn(context.Background())
	if err != nil {
		return err
	}
	for _, statement := range []string{mode, "BEGIN IMMEDIATE"} {
		if _, err := conn.ExecContext(context.Background(), statement); err != nil {
			return err
		}
	}
	fmt.Println("locked")
	waitForEndOfInput()
	return nil
}

// childJournal writes intents and outcomes with several workers and says so after each was acknowledged, until it is
// killed.
func childJournal(path string) error {
	ctx := context.Background()
	db, err := Open(ctx, path, Options{})
	if err != nil {
		return err
	}
	run := fmt.Sprintf("run%d", os.Getpid())
	if err := db.BeginRun(ctx, Run{ID: run, Sync: "s"}); err != nil {
		return err
	}
	const workers = 4
	var group sync.WaitGroup
	for worker := range int64(workers) {
		group.Go(func() {
			for seq := worker; ; seq += workers {
				id := fmt.Sprintf("%s-%d", run, seq)
				if err := db.Intend(ctx, Entry{Run: run, Seq: seq, Sync: "s", SourceID: id}); err != nil {
					fmt.Println("error:", err)
					return
				}
				fmt.Println("intent", run, seq)
				link := Link{Sync: "s", LinkHead: LinkHead{SourceID: id, TargetID: "t-" + id}}
				if err := db.Resolve(ctx, Outcome{Run: run, Seq: seq, Result: ResultDone, Link: &link}); err != nil {
					fmt.Println("error:", err)
					return
				}
				fmt.Println("outcome", run, seq)
			}
		})
	}
	group.Wait()
	return nil
}

func fieldsOf(line string) (word, run, seq string) {
	fields := strings.Fields(line)
	if len(fields) != 3 {
		return line, "", ""
	}
	return fields[0], fields[1], fields[2]
}
