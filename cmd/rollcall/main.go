// Command rollcall keeps the users of a website in step with an identity provider.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"
)

// version is set by the linker.
var version = "development"

func main() { os.Exit(realMain()) }

// Where the environment (GOGC, GOMEMLIMIT) does not say otherwise, memory is cleaned up seldom while little is in use, and often
// from memoryLimit on: the indexes of a million people live through the whole run.
const (
	garbage     = 300 // percent of what is in use
	memoryLimit = 400 << 20
)

func realMain() int {
	if os.Getenv("GOGC") == "" && os.Getenv("GOMEMLIMIT") == "" {
		debug.SetGCPercent(garbage)
		debug.SetMemoryLimit(memoryLimit)
	}
	talk := newConsole(os.Stderr)
	ctx, stop := interruptible(context.Background(), talk)
	defer stop()
	return execute(ctx, &app{args: os.Args[1:], in: os.Stdin, out: os.Stdout, err: talk})
}

// interruptible returns a context that the first interruption ends, so that the operation in hand is finished. The second
// one ends the process at once, as if nothing had been caught.
func interruptible(parent context.Context, talk io.Writer) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(parent)
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		select {
		case <-signals:
			// From here on the system's own handling is back.
			signal.Stop(signals)
			fmt.Fprintln(talk, "rollcall: ending after the operation in hand; a second interruption ends at once")
			cancel()
		case <-ctx.Done():
			signal.Stop(signals)
		}
	}()
	return ctx, cancel
}
