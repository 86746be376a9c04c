package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"testing"
)

// rig is one measurement under way. It stands where the real servers want a test: they end it when they cannot go on, and
// leave with it what has to be cleaned up. Of testing.TB it has what they use.
type rig struct {
	testing.TB
	ctx      context.Context
	name     string
	cleanups []func()
}

// ended is the panic by which a measurement is given up.
type ended struct{ reason string }

// measured runs a measurement, cleans up after it, and says why it could not be made, or "".
func measured(ctx context.Context, name string, do func(g *rig)) (reason string) {
	g := &rig{ctx: ctx, name: name}
	reason = until(func() { do(g) })
	for len(g.cleanups) > 0 {
		last := g.cleanups[len(g.cleanups)-1]
		g.cleanups = g.cleanups[:len(g.cleanups)-1]
		if failure := until(last); reason == "" {
			reason = failure
		}
	}
	return reason
}

// until runs something that may give up, and returns why it did.
func until(do func()) (reason string) {
	defer func() {
		switch end := recover().(type) {
		case nil:
		case ended:
			reason = end.reason
		default:
			panic(end)
		}
	}()
	do()
	return ""
}

// must gives up where there is an error.
func (g *rig) must(err error) {
	if err == nil {
		return
	}
	if g.ctx.Err() != nil {
		err = errors.New("ended from outside")
	}
	panic(ended{err.Error()})
}

func (g *rig) Fatal(arguments ...any) { panic(ended{fmt.Sprint(arguments...)}) }
func (g *rig) Fatalf(format string, arguments ...any) {
	panic(ended{fmt.Sprintf(format, arguments...)})
}
func (g *rig) Skip(arguments ...any)    { g.Fatal(arguments...) }
func (g *rig) Helper()                  {}
func (g *rig) Name() string             { return g.name }
func (g *rig) Context() context.Context { return g.ctx }
func (g *rig) Cleanup(do func())        { g.cleanups = append(g.cleanups, do) }

func (g *rig) TempDir() string {
	folder, err := os.MkdirTemp("", "rollcall-bench-")
	g.must(err)
	g.Cleanup(func() { g.must(os.RemoveAll(folder)) })
	return folder
}
