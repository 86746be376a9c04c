package main

import (
	"bytes"
	"testing"
	"time"

	"github.com/rollcall-sync/rollcall/sync/engine"
)

func TestProgressInALogIsALineEveryFewSeconds(t *testing.T) {
	t.Parallel()
	var talk bytes.Buffer
	now := time.Date(2026, 11, 22, 2, 30, 0, 0, time.UTC)
	a := &app{err: newConsole(&talk), now: func() time.Time { return now }}
	shown := a.newProgress(true)
	for second := range 12 {
		// Both sides are read at the same time.
		shown.show(engine.Progress{Stage: engine.StageReadSource, Done: 100 * second, Total: 1500})
		shown.show(engine.Progress{Stage: engine.StageReadTarget, Done: 10 * second, Total: -1})
		now = now.Add(time.Second)
	}
	shown.end(false)
	want := "reading source: 500 of 1500, 100/s, 10s left\nreading target: 50, 10/s\n" +
		"reading source: 1000 of 1500, 100/s, 5s left\nreading target: 100, 10/s\n"
	if talk.String() != want {
		t.Errorf("got\n%swant\n%s", talk.String(), want)
	}
}

func TestSyncIsSilentInALog(t *testing.T) {
	t.Parallel()
	var talk bytes.Buffer
	now := time.Date(2026, 11, 22, 2, 30, 0, 0, time.UTC)
	a := &app{err: newConsole(&talk), now: func() time.Time { return now }}
	shown := a.newProgress(false)
	for i := range 10 {
		shown.show(engine.Progress{Stage: engine.StageApply, Done: i, Total: 10})
		now = now.Add(time.Minute)
	}
	shown.end(false)
	if talk.Len() > 0 {
		t.Errorf("got %q", talk.String())
	}
}
