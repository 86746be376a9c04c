//go:build unix

// Command start makes real servers ready for tests, runs a command with their addresses in its environment, and stops them:
//
//	go run ./sync/directory/directorytest/real/start -- go test ./targets/wordpress
//
// Without a command it prints the environment and keeps the servers until it is interrupted. What is missing on the
// machine is installed (Debian packages, as root) or downloaded once into the cache folder, $ROLLCALL_CACHE or .cache. All
// servers listen on the loopback interface only, on free ports, with data of their own, so that two runs do not meet.
// A part that cannot be started is named on standard error, and the tests that need it are told why; the command runs all
// the same. The exit code is the command's own.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/rollcall-sync/rollcall/sync/directory/directorytest/real/rig"
)

const exitUsage = 2

func main() { os.Exit(run(os.Args[1:])) }

func run(arguments []string) int {
	flags := flag.NewFlagSet("start", flag.ContinueOnError)
	only := flags.String("only", "keycloak,wordpress,cognito", "the parts to start, separated by commas")
	if err := flags.Parse(arguments); err != nil {
		return exitUsage
	}
	parts, err := choose(*only)
	if err != nil {
		say("%v", err)
		return exitUsage
	}
	// From here on a signal ends the waiting and the command, but never skips the clean-up below.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()

	place, err := openPlace()
	if err != nil {
		say("%v", err)
		return 1
	}
	defer place.close()
	environment := startAll(ctx, place, parts)
	if ctx.Err() != nil {
		return exitInterrupted
	}
	if flags.NArg() == 0 {
		fmt.Print(shellLines(environment))
		say("ready; interrupt to stop")
		<-ctx.Done()
		return 0
	}
	return runCommand(ctx, place, flags.Args(), environment)
}

// part is one kind of server with what it needs.
type part struct {
	name string
	// programs maps a program that must be there to the Debian package that brings it.
	programs map[string]string
	// files maps a file that must be there to the Debian package that brings it.
	files map[string]string
	// variables are those that are marked as missing when the part cannot be started.
	variables []string
	start     func(ctx context.Context, place *place) ([]string, error)
}

func allParts() []part {
	return []part{keycloakPart(), wordPressPart(), cognitoPart()}
}

func choose(only string) ([]part, error) {
	var chosen []part
	for _, name := range strings.Split(only, ",") {
		at := slices.IndexFunc(allParts(), func(p part) bool { return p.name == name })
		if at < 0 {
			return nil, fmt.Errorf("there is no part %q; choose among keycloak, wordpress and cognito", name)
		}
		chosen = append(chosen, allParts()[at])
	}
	return chosen, nil
}

// startAll starts the parts side by side and returns the variables of all of them.
func startAll(ctx context.Context, place *place, parts []part) []string {
	environment := []string{rig.RunVariable + "=" + place.run}
	installation := install(ctx, parts)
	answers := make([][]string, len(parts))
	var group sync.WaitGroup
	for i, p := range parts {
		group.Go(func() {
			began := time.Now()
			err := installation[p.name]
			if err == nil {
				answers[i], err = p.start(ctx, place)
			}
			if err != nil && ctx.Err() == nil {
				say("%s could not be started, tests that need it will say so: %v", p.name, err)
			}
			if err != nil {
				answers[i] = missing(p, err)
				return
			}
			say("%s is ready after %.1f s", p.name, time.Since(began).Seconds())
		})
	}
	group.Wait()
	return append(environment, slices.Concat(answers...)...)
}

func missing(p part, err error) []string {
	reason := strings.Join(strings.Fields(err.Error()), " ")
	if len(reason) > 600 {
		reason = strings.ToValidUTF8(reason[:600], "") + "…"
	}
	var lines []string
	for _, variable := range p.variables {
		lines = append(lines, variable+rig.MissingSuffix+"="+reason)
	}
	return lines
}

const exitInterrupted = 130

// runCommand runs the command in a group of its own, so that an interrupt reaches it once and everything it started ends
// with it.
func runCommand(ctx context.Context, place *place, words, environment []string) int {
	command := exec.Command(words[0], words[1:]...)
	command.Env = append(os.Environ(), environment...)
	command.Stdout, command.Stderr = os.Stdout, os.Stderr
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := command.Start(); err != nil {
		say("the command did not start: %v", err)
		return 127
	}
	if err := rig.Record(place.run, command.Process.Pid); err != nil {
		say("the command would outlive this run if it were killed: %v", err)
	}
	ended := make(chan error, 1)
	go func() { ended <- command.Wait() }()
	group := -command.Process.Pid
	defer syscall.Kill(group, syscall.SIGKILL) // what the command left running
	select {
	case err := <-ended:
		return exitCode(err)
	case <-ctx.Done():
	}
	syscall.Kill(group, syscall.SIGINT)
	select {
	case <-ended:
	case <-time.After(10 * time.Second):
	}
	return exitInterrupted
}

func exitCode(err error) int {
	var exit *exec.ExitError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &exit) && exit.ExitCode() >= 0:
		return exit.ExitCode()
	default:
		say("the command ended: %v", err)
		return 1
	}
}

// shellLines writes the variables so that a shell can read them with eval.
func shellLines(environment []string) string {
	var b strings.Builder
	for _, line := range environment {
		name, value, _ := strings.Cut(line, "=")
		fmt.Fprintf(&b, "export %s='%s'\n", name, strings.ReplaceAll(value, "'", `'\''`))
	}
	return b.String()
}

func say(format string, arguments ...any) {
	fmt.Fprintf(os.Stderr, "rig: "+format+"\n", arguments...)
}
