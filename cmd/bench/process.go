package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"time"

	"github.com/rollcall-sync/rollcall/sync/engine"
)

// commandMeasure runs a command and writes its cost to file descriptor 3. The system counts to a child's memory what its
// parent had when it started it, so the parent is a process that has next to nothing.
const commandMeasure = "measure"

// cost is what a process took.
type cost struct {
	Seconds float64 `json:"seconds"`
	// CPU is the time of all processors.
	CPU float64 `json:"cpu"`
	// Peak is the most memory that it had, in MiB; 0 where the system does not tell.
	Peak float64 `json:"peak"`
	Code int     `json:"code"`
}

func measureCommand(ctx context.Context, arguments []string, talk io.Writer) int {
	command := exec.CommandContext(ctx, arguments[0], arguments[1:]...)
	command.Cancel = func() error { return command.Process.Signal(os.Interrupt) }
	command.Stdout, command.Stderr = os.Stdout, os.Stderr
	began := time.Now()
	err := command.Run()
	taken := cost{Seconds: time.Since(began).Seconds()}
	if command.ProcessState == nil {
		fmt.Fprintln(talk, err)
		return exitFailed
	}
	taken.CPU = (command.ProcessState.UserTime() + command.ProcessState.SystemTime()).Seconds()
	taken.Peak, taken.Code = peakOf(command.ProcessState), command.ProcessState.ExitCode()
	if err := json.NewEncoder(os.NewFile(3, "cost")).Encode(taken); err != nil {
		fmt.Fprintln(talk, err)
		return exitFailed
	}
	return 0
}

// spend runs a command in a folder and returns its cost and what it printed; it gives up unless the exit code is 0 or one of
// those allowed.
func (g *rig) spend(folder string, words []string, allowed ...int) (cost, []byte) {
	self, err := os.Executable()
	g.must(err)
	read, write, err := os.Pipe()
	g.must(err)
	defer read.Close()
	command := exec.CommandContext(g.ctx, self, append([]string{commandMeasure}, words...)...)
	command.Cancel = func() error { return command.Process.Signal(os.Interrupt) }
	var out, talk bytes.Buffer
	command.Dir, command.Stdout, command.Stderr, command.ExtraFiles = folder, &out, &talk, []*os.File{write}
	command.Env = append(os.Environ(), selfVariable+"=1")
	err = command.Run()
	write.Close()
	if err != nil {
		g.must(fmt.Errorf("%v: %w: %s%s", words, err, tail(talk.Bytes()), tail(out.Bytes())))
	}
	var taken cost
	if err := json.NewDecoder(read).Decode(&taken); err != nil {
		g.must(fmt.Errorf("%v left no cost: %w", words, err))
	}
	if taken.Code != 0 && !slices.Contains(allowed, taken.Code) {
		g.must(fmt.Errorf("%v ended with %d: %s%s", words, taken.Code, tail(talk.Bytes()), tail(out.Bytes())))
	}
	return taken, out.Bytes()
}

// selfVariable is set in the environment of processes that run this program for its own sake.
const selfVariable = "ROLLCALL_BENCH_SELF"

// tail is the end of what a process said.
func tail(said []byte) []byte { return said[max(0, len(said)-2000):] }

// program is the program under measurement with a folder and a configuration of its own.
type program struct {
	binary, folder string
}

const configFile = "rollcall.yaml"

// newProgram writes the configuration, whose relative paths are below the folder.
func (b *bench) newProgram(g *rig, folder, config string) *program {
	g.must(os.WriteFile(filepath.Join(folder, configFile), []byte(config), 0o600))
	return &program{binary: b.binary, folder: folder}
}

func (p *program) path(name string) string { return filepath.Join(p.folder, name) }

// sync runs a command that ends with a report, and gives up unless nobody failed.
func (p *program) sync(g *rig, words ...string) (engine.Report, cost) {
	taken, out := g.spend(p.folder, p.words(words...))
	var report engine.Report
	g.must(json.Unmarshal(out, &report))
	if report.Status != engine.StatusOK && report.Status != engine.StatusNothing || len(report.Failures) > 0 {
		g.Fatalf("%v is %s: %v, %d failures", words, report.Status, report.Reasons, len(report.Failures))
	}
	return report, taken
}

func (p *program) words(words ...string) []string {
	return append(append([]string{p.binary}, words...), "--json", "--config", p.path(configFile))
}

// quiet runs a night and gives up if anything was changed in it.
func (p *program) quiet(g *rig) (engine.Report, cost) {
	report, taken := p.sync(g, "sync", syncName)
	if report.Status != engine.StatusNothing {
		g.Fatalf("the night was not quiet: %s, %+v", report.Status, report.Counts)
	}
	return report, taken
}

// size is the number of bytes of a file, or of all files in a folder.
func (g *rig) size(path string) int64 {
	var sum int64
	g.must(filepath.WalkDir(path, func(_ string, entry os.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		info, err := entry.Info()
		if err == nil {
			sum += info.Size()
		}
		return err
	}))
	return sum
}

// takeTurns measures both sides so many times, one after the other, and returns the medians.
func (g *rig) takeTurns(rounds int, ours, bare func() cost) (cost, cost) {
	var first, second []cost
	for range rounds {
		first = append(first, ours())
		second = append(second, bare())
		g.must(g.ctx.Err())
	}
	return median(first), median(second)
}

// median is the one in the middle by time, with the highest peak of all.
func median(all []cost) cost {
	sorted := slices.SortedFunc(slices.Values(all), func(x, y cost) int {
		switch {
		case x.Seconds < y.Seconds:
			return -1
		case x.Seconds > y.Seconds:
			return 1
		default:
			return 0
		}
	})
	middle := sorted[len(sorted)/2]
	for _, c := range all {
		middle.Peak = max(middle.Peak, c.Peak)
	}
	return middle
}

// timed is the cost of something done in this process; its memory is not measured.
func timed(do func()) cost {
	began := time.Now()
	do()
	return cost{Seconds: time.Since(began).Seconds()}
}

// exists reports whether there is such a file.
func exists(path string) bool {
	_, err := os.Stat(path)
	return !errors.Is(err, os.ErrNotExist)
}
