package directory

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// ErrorKind says what the engine does about an error. Each kind is itself an error, so that errors.Is(err,
// directory.NotFound) works on whatever a directory returns.
type ErrorKind uint8

// The kinds of errors.
const (
	// Retryable: trouble of network or server that may pass, after the transport's own retries. The zero kind, because
	// doubt must never look like proof.
	Retryable ErrorKind = iota
	// Throttled: asked to slow down for longer than the transport may wait. Error.Wait says how long, where known.
	Throttled
	// UnknownOutcome: a write was sent and its answer lost. Never repeated blindly: read back, then decided.
	UnknownOutcome
	// NotFound: proof that the account or group does not exist.
	NotFound
	// Conflict: a unique value is taken, or the account changed since it was read.
	Conflict
	// Invalid: the value was refused. That record is reported, the rest goes on.
	Invalid
	// Auth: credential or permission. Stops that directory and every write that leaned on it.
	Auth
	// Unsupported: a power or an attribute that this directory lacks.
	Unsupported
	// Expired: what changed since that token can no longer be told. It says nothing about any account: list in full.
	Expired
)

var kindNames = [...]string{
	Retryable: "retryable", Throttled: "throttled", UnknownOutcome: "unknown_outcome", NotFound: "not_found",
	Conflict: "conflict", Invalid: "invalid", Auth: "auth", Unsupported: "unsupported", Expired: "expired",
}

// String returns the name that reports carry.
func (k ErrorKind) String() string {
	if int(k) < len(kindNames) {
		return kindNames[k]
	}
	return fmt.Sprintf("kind(%d)", uint8(k))
}

// Error makes a kind usable as the target of errors.Is.
func (k ErrorKind) Error() string { return k.String() }

// Error is what directories return.
type Error struct {
	Kind ErrorKind
	// Op is what was being done, in words: "create account", "list groups".
	Op string
	// Directory is the configured name; Record the account or group.
	Directory, Record string
	// Attribute is the one at fault, where known.
	Attribute string
	// Wait is how long to wait, with Throttled.
	Wait time.Duration
	// Remedy tells an administrator what to do, as one sentence.
	Remedy string
	Err    error
}

// Error returns "directory: op record: cause - remedy".
func (e *Error) Error() string {
	var parts []string
	if e.Directory != "" {
		parts = append(parts, e.Directory)
	}
	if what := strings.TrimSpace(e.Op + " " + e.Record); what != "" {
		parts = append(parts, what)
	}
	cause := e.Kind.String()
	if e.Err != nil {
		cause = e.Err.Error()
	}
	parts = append(parts, cause)
	message := strings.Join(parts, ": ")
	if e.Remedy != "" {
		message += " - " + e.Remedy
	}
	return message
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Is makes errors.Is(err, directory.Conflict) true for an Error of that kind.
func (e *Error) Is(target error) bool {
	kind, ok := target.(ErrorKind)
	return ok && kind == e.Kind
}

// KindOf returns the kind of the outermost Error in the chain; Retryable for any other error.
func KindOf(err error) ErrorKind {
	var e *Error
	if errors.As(err, &e) {
		return e.Kind
	}
	var kind ErrorKind
	if errors.As(err, &kind) {
		return kind
	}
	return Retryable
}

// Located gives an error the operation, record and directory in which it came up. One that is not typed is Retryable; one of
// signing in on behalf of another operation says so.
func Located(err error, op, record, name string) error {
	var inner *Error
	if !errors.As(err, &inner) {
		return &Error{Kind: Retryable, Op: op, Record: record, Directory: name, Err: err}
	}
	outer := *inner
	outer.Op, outer.Record, outer.Directory = op, record, name
	if inner.Op == signIn && op != signIn {
		outer.Err = fmt.Errorf("cannot sign in: %w", inner.Err)
	}
	return &outer
}

// signIn is the operation of getting a token or a session.
const signIn = "sign in"
