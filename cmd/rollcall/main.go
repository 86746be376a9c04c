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

// garbage is how much of the memory in use may be garbage, in percent, where the environment (GOGC) does not say otherwise.
// The indexes of a million people are large and live through the whole run; with Go's usual 100 they would be paid twice.
const garbage = 50

func realMain() int {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(garbage)
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
