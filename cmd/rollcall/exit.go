package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/rollcall-sync/rollcall/config"
	"github.com/rollcall-sync/rollcall/sync/directory"
	"github.com/rollcall-sync/rollcall/sync/engine"
	"github.com/rollcall-sync/rollcall/sync/snapshot"
	"github.com/rollcall-sync/rollcall/sync/state"
)

// The exit codes. They are stable.
const (
	exitOK            = 0
	exitFailed        = 1
	exitConfiguration = 2
	exitPartial       = 3
	exitRefused       = 4
	exitWithheld      = 5
	exitInterrupted   = 6
	exitBusy          = 7
	exitAuth          = 8
	exitUnreachable   = 9
	exitState         = 10
	exitNotFound      = 11
)

// exitCodes says what each code means, from best to worst: of several syncs the worst is told. `rollcall help exit-codes` and
// the table of README.md are made from it.
var exitCodes = []struct {
	code    int
	meaning string
}{
	{exitOK, "done, or nothing to do"},
	{exitPartial, "some accounts failed, the others are done; with `plan`: some would fail"},
	{exitWithheld, "a listing was not proven complete; nobody lost access"},
	{exitRefused, "the guard refused the plan; nothing was written"},
	{exitInterrupted, "ended from outside between two operations; run it again to go on"},
	{exitBusy, "the sync is running elsewhere"},
	{exitNotFound, "no account, run or approval has that name, or more than one has"},
	{exitUnreachable, "a directory does not answer, or broke off"},
	{exitAuth, "a directory refused the credentials or a right"},
	{exitState, "the state file cannot be used"},
	{exitConfiguration, "the configuration or the command line is wrong; with `plan --detailed-exitcode`: there are changes"},
	{exitFailed, "failed for a reason that has no code of its own"},
}

// newExitCodesTopic is a page of `rollcall help`.
func newExitCodesTopic() *cobra.Command {
	var text strings.Builder
	text.WriteString("Exit codes\n\n")
	for code := range exitCodes {
		fmt.Fprintf(&text, "%3d  %s\n", code, meaningOf(code))
	}
	text.WriteString("\nOf several syncs the worst is told; best to worst: ")
	for i, e := range exitCodes {
		if i > 0 {
			text.WriteString(", ")
		}
		fmt.Fprint(&text, e.code)
	}
	text.WriteString(".\nA second interruption ends the process at once, with the code of the signal (130 or 143 in a shell).")
	return &cobra.Command{Use: "exit-codes", Short: "What the exit codes mean", Long: text.String()}
}

// meaningOf says what a code means; empty for one that is never given.
func meaningOf(code int) string {
	for _, e := range exitCodes {
		if e.code == code {
			return e.meaning
		}
	}
	return ""
}

// usageError is a mistake on the command line.
type usageError struct{ error }

// Unwrap makes the cause findable.
func (e usageError) Unwrap() error { return e.error }

// codeOf returns the exit code of an error.
func codeOf(err error) int {
	var faults *config.Faults
	var usage usageError
	var typed *directory.Error
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &faults), errors.As(err, &usage), errors.Is(err, engine.ErrExamples):
		return exitConfiguration
	case errors.Is(err, context.Canceled):
		return exitInterrupted
	case errors.Is(err, state.ErrBusy):
		return exitBusy
	case isAny(err, engine.ErrNobody, engine.ErrAmbiguous, engine.ErrApproval, state.ErrNotFound, state.ErrAmbiguous):
		return exitNotFound
	case isAny(err, state.ErrNotState, state.ErrNewer, state.ErrOlder, state.ErrLocked, state.ErrDiskFull, state.ErrReadOnly, state.ErrDamaged, state.ErrLost, snapshot.ErrSpool):
		return exitState
	case !errors.As(err, &typed):
		return exitFailed
	case typed.Kind == directory.Auth:
		return exitAuth
	case typed.Kind == directory.Retryable, typed.Kind == directory.Throttled:
		return exitUnreachable
	default:
		return exitFailed
	}
}

func isAny(err error, kinds ...error) bool {
	return slices.ContainsFunc(kinds, func(kind error) bool { return errors.Is(err, kind) })
}

// codeOfStatus returns the exit code of a run.
func codeOfStatus(status engine.Status) int {
	switch status {
	case engine.StatusOK, engine.StatusNothing:
		return exitOK
	case engine.StatusPartial:
		return exitPartial
	case engine.StatusRefused:
		return exitRefused
	case engine.StatusWithheld:
		return exitWithheld
	case engine.StatusInterrupted:
		return exitInterrupted
	default:
		return exitFailed
	}
}

// worse returns the worse of two codes.
func worse(a, b int) int {
	badness := func(code int) int {
		for i, e := range exitCodes {
			if e.code == code {
				return i
			}
		}
		return len(exitCodes)
	}
	if badness(b) > badness(a) {
		return b
	}
	return a
}
