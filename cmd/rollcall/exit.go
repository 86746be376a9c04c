package main

import (
	"context"
	"errors"

	"github.com/rollcall-sync/rollcall/config"
	"github.com/rollcall-sync/rollcall/sync/directory"
	"github.com/rollcall-sync/rollcall/sync/engine"
	"github.com/rollcall-sync/rollcall/sync/state"
)

// The exit codes. They are stable; README.md has the same table.
const (
	exitOK            = 0  // done, or nothing to do
	exitFailed        = 1  // failed for a reason that has no code of its own
	exitConfiguration = 2  // configuration or command line; `plan --detailed-exitcode`: there are changes
	exitPartial       = 3  // some accounts failed, the others are done
	exitRefused       = 4  // the guard refused the plan; nothing was written
	exitWithheld      = 5  // a listing was not proven complete; nobody lost access
	exitInterrupted   = 6  // ended from outside between two operations
	exitBusy          = 7  // the sync is running elsewhere
	exitAuth          = 8  // a directory refused the credentials or a right
	exitUnreachable   = 9  // a directory does not answer, or broke off
	exitState         = 10 // the state file cannot be used
	exitNotFound      = 11 // nobody, or more than one, answers to the name
)

// usageError is a mistake on the command line.
type usageError struct{ error }

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
	case errors.Is(err, engine.ErrNobody), errors.Is(err, engine.ErrAmbiguous), errors.Is(err, engine.ErrApproval):
		return exitNotFound
	case isStateError(err):
		return exitState
	case errors.As(err, &typed) && typed.Kind == directory.Auth:
		return exitAuth
	case errors.As(err, &typed) && (typed.Kind == directory.Retryable || typed.Kind == directory.Throttled):
		return exitUnreachable
	default:
		return exitFailed
	}
}

func isStateError(err error) bool {
	for _, kind := range []error{
		state.ErrNotState, state.ErrNewer, state.ErrOlder, state.ErrLocked, state.ErrDiskFull, state.ErrReadOnly, state.ErrDamaged, state.ErrLost,
	} {
		if errors.Is(err, kind) {
			return true
		}
	}
	return false
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

// badness orders exit codes, so that of several syncs the worst is told.
func badness(code int) int {
	order := []int{exitOK, exitPartial, exitWithheld, exitRefused, exitInterrupted, exitBusy, exitNotFound, exitUnreachable, exitAuth, exitState, exitConfiguration, exitFailed}
	for i, c := range order {
		if c == code {
			return i
		}
	}
	return len(order)
}

func worse(a, b int) int {
	if badness(b) > badness(a) {
		return b
	}
	return a
}
