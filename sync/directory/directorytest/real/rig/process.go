package rig

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Process is a server process with its children. Its output goes to a file.
type Process struct {
	name    string
	command *exec.Cmd
	log     string
	record  string
	ended   chan struct{}
	failure error
	stop    sync.Once
}

// Start starts the command in a process group of its own, its output going to the file log. A record of it is left below
// the run folder, so that StopLeftovers finds it even if the caller dies. run may be empty: no record then.
func Start(run, name, log string, command *exec.Cmd) (*Process, error) {
	out, err := os.Create(log)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	defer out.Close()
	command.Stdin, command.Stdout, command.Stderr = nil, out, out
	ownGroup(command)
	if err := startUnbusied(command); err != nil {
		return nil, fmt.Errorf("%s did not start: %w", name, err)
	}
	p := &Process{name: name, command: command, log: log, ended: make(chan struct{})}
	go func() {
		p.failure = command.Wait()
		close(p.ended)
	}()
	if run != "" {
		p.record = recordOf(run, command.Process.Pid)
		if err := Record(run, command.Process.Pid); err != nil {
			p.Stop(0)
			return nil, fmt.Errorf("%s: %w", name, err)
		}
	}
	return p, nil
}

// Await waits until ready says yes to the output so far. It fails, with the end of the output, when the process ends
// first or the time is over.
func (p *Process) Await(patience time.Duration, ready func(output string) bool) error {
	deadline := time.After(patience)
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		if ready(p.Output()) {
			return nil
		}
		select {
		case <-p.ended:
			return fmt.Errorf("%s ended by itself (%v); its last words:\n%s", p.name, p.failure, p.Tail(12))
		case <-deadline:
			return fmt.Errorf("%s was not ready within %s; its last words:\n%s", p.name, patience, p.Tail(12))
		case <-tick.C:
		}
	}
}

// Output returns what the process wrote so far.
func (p *Process) Output() string {
	data, err := os.ReadFile(p.log)
	if err != nil {
		return ""
	}
	return string(data)
}

// Tail returns the last lines of the output.
func (p *Process) Tail(lines int) string { return Tail(p.Output(), lines) }

// Tail returns the last lines of a text.
func Tail(text string, lines int) string {
	all := strings.Split(strings.TrimRight(text, "\n"), "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}

// Stop asks the whole group to end, waits as long as grace for the process, and then ends what is left. It may be called
// more than once.
func (p *Process) Stop(grace time.Duration) {
	p.stop.Do(func() {
		pid := p.command.Process.Pid
		if grace > 0 {
			terminateGroup(pid)
			select {
			case <-p.ended:
			case <-time.After(grace):
			}
		}
		killGroup(pid)
		<-p.ended
		if p.record != "" {
			os.Remove(p.record)
		}
	})
}

// StopLeftovers ends every process group that was recorded for the run and whose leader is still there, and returns how many
// there were.
func StopLeftovers(run string) (int, error) {
	records, err := filepath.Glob(filepath.Join(run, "processes", "*"))
	if err != nil {
		return 0, err
	}
	stopped := 0
	var failures []error
	for _, record := range records {
		pid, err := strconv.Atoi(filepath.Base(record))
		if err != nil {
			continue
		}
		born, err := os.ReadFile(record)
		if err != nil {
			failures = append(failures, err)
			continue
		}
		// A process id is used again sooner or later: only the one that was born at the recorded moment is ours.
		if now := birth(pid); now != "" && bytes.Equal(born, []byte(now)) {
			killGroup(pid)
			stopped++
		}
		if err := os.Remove(record); err != nil && !errors.Is(err, os.ErrNotExist) {
			failures = append(failures, err)
		}
	}
	return stopped, errors.Join(failures...)
}

// Record notes below the run folder that the process, which leads a group of its own, belongs to the run.
func Record(run string, pid int) error {
	record := recordOf(run, pid)
	if err := os.MkdirAll(filepath.Dir(record), 0o755); err != nil {
		return err
	}
	return os.WriteFile(record, []byte(birth(pid)), 0o644)
}

func recordOf(run string, pid int) string {
	return filepath.Join(run, "processes", strconv.Itoa(pid))
}

// birth returns the moment at which the system says that the process started; "" where it is gone or the system does not
// tell.
func birth(pid int) string {
	stat, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "stat"))
	if err != nil {
		return ""
	}
	// The second field is the name in parentheses and may hold anything; the 22nd field counts from the start.
	_, rest, found := strings.Cut(string(stat[max(0, bytes.LastIndexByte(stat, ')')):]), ") ")
	fields := strings.Fields(rest)
	if !found || len(fields) < 20 {
		return ""
	}
	return fields[19]
}

// startUnbusied starts a command, again a few times where its file is "busy": a script that was just written may still be
// open in another child of ours that has not come to its exec yet.
func startUnbusied(command *exec.Cmd) error {
	for wait := 10 * time.Millisecond; ; wait *= 2 {
		err := command.Start()
		if !errors.Is(err, syscall.ETXTBSY) || wait > 2*time.Second {
			return err
		}
		time.Sleep(wait)
		again := exec.Command(command.Path, command.Args[1:]...)
		again.Env, again.Dir, again.SysProcAttr = command.Env, command.Dir, command.SysProcAttr
		again.Stdin, again.Stdout, again.Stderr = command.Stdin, command.Stdout, command.Stderr
		*command = *again
	}
}
