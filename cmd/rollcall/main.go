// Command rollcall keeps the users of a website in step with an identity provider.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

// version is set by the linker.
var version = "development"

func main() { os.Exit(realMain()) }

func realMain() int {
	ctx, stop := interruptible(context.Background())
	defer stop()
	return execute(ctx, &app{args: os.Args[1:], in: os.Stdin, out: os.Stdout, err: os.Stderr})
}

// interruptible returns a context that the first interruption ends, so that the operation in hand is finished. The second
// one ends the process at once, as if nothing had been caught.
func interruptible(parent context.Context) (context.Context, context.CancelFunc) {
	return signal.NotifyContext(parent, os.Interrupt, syscall.SIGTERM)
}
