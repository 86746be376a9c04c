package memory

import (
	"context"
	"errors"
	"slices"

	"github.com/rollcall-sync/rollcall/sync/directory"
)

// ErrLostAnswer, returned by Fault, lets a write happen and loses its answer: the caller gets UnknownOutcome. A read with a
// lost answer is Retryable.
var ErrLostAnswer = errors.New("the answer was lost")

// OnCall returns a Fault that gives the error at the nth call of one operation, and at no other.
func OnCall(op string, n int, err error) func(string, int) error {
	return func(gotOp string, gotN int) error {
		if gotOp == op && gotN == n {
			return err
		}
		return nil
	}
}

// Call is one call as Around sees it.
type Call struct {
	Op string
	// Record is the account or group that is meant: its id, or the label of one that is yet to be made; empty for listings.
	Record string
	// Request is what a listing or a write was asked for; nil for the other calls.
	Request any
	// Answer points to what the caller will get (a page, an account, a number, a slice of results), filled when do has
	// returned nil; nil where a call has no answer but its error.
	Answer any
}

// begin is the start of every call: the context, the counters, the ordered fault.
func (d *Directory) begin(ctx context.Context, op, record string) (lost bool, err error) {
	if err := ctx.Err(); err != nil {
		return false, d.fail(directory.Retryable, op, record, "", "%w", err)
	}
	d.mu.Lock()
	d.calls[op]++
	d.requests++
	n, fault, closed := d.calls[op], d.options.Fault, d.closed
	d.mu.Unlock()
	if closed {
		return false, d.fail(directory.Retryable, op, record, "", "the directory is closed")
	}
	if fault == nil {
		return false, nil
	}
	err = fault(op, n)
	if errors.Is(err, ErrLostAnswer) {
		return true, nil
	}
	return false, d.wrap(err, op, record)
}

// around runs the work of a call, through Around where there is one.
func (d *Directory) around(ctx context.Context, call Call, work func() error) (lost bool, err error) {
	called := false
	do := func() error {
		if called {
			panic("memory: Around did the work of one call twice")
		}
		called = true
		d.mu.Lock()
		defer d.mu.Unlock()
		return work()
	}
	if d.options.Around == nil {
		return false, do()
	}
	err = d.options.Around(ctx, call, do)
	if err == nil && !called {
		panic("memory: Around did not do the work of a call and returned nil")
	}
	if errors.Is(err, ErrLostAnswer) {
		return true, nil
	}
	return false, d.wrap(err, call.Op, call.Record)
}

// wrap makes an ordered fault look like the directory's own.
func (d *Directory) wrap(err error, op, record string) error {
	if err == nil {
		return nil
	}
	var own *directory.Error
	if !errors.As(err, &own) {
		return &directory.Error{Kind: directory.KindOf(err), Op: op, Directory: d.desc.Name, Record: record, Err: err}
	}
	filled := *own
	if filled.Op == "" {
		filled.Op = op
	}
	if filled.Directory == "" {
		filled.Directory = d.desc.Name
	}
	if filled.Record == "" {
		filled.Record = record
	}
	return &filled
}

// read runs a reading call.
func (d *Directory) read(ctx context.Context, call Call, do func() error) error {
	lost, err := d.begin(ctx, call.Op, call.Record)
	if err != nil {
		return err
	}
	lostLater, err := d.around(ctx, call, do)
	if lost || lostLater {
		return d.fail(directory.Retryable, call.Op, call.Record, "", "%w", ErrLostAnswer)
	}
	return err
}

// write runs a writing call.
func (d *Directory) write(ctx context.Context, call Call, do func() error) error {
	lost, err := d.begin(ctx, call.Op, call.Record)
	if err != nil {
		return err
	}
	lostLater, err := d.around(ctx, call, do)
	if lost || lostLater {
		return d.fail(directory.UnknownOutcome, call.Op, call.Record, "", "%w", ErrLostAnswer)
	}
	return err
}

// Core returns the directory without any power.
func (d *Directory) Core() directory.Directory {
	return struct{ directory.Directory }{noBulk{d}}
}

// ReadOnly returns the directory with the powers of reading alone.
func (d *Directory) ReadOnly() directory.Directory {
	return struct {
		directory.Directory
		directory.Counter
		directory.Getter
		directory.Finder
		directory.GroupLister
		directory.MemberLister
		directory.MembershipLister
		directory.Checker
		directory.RequestCounter
	}{readOnly{d}, d, d, d, d, d, d, d, d}
}

// OneByOne returns the directory as a reader that also creates, updates, activates, deactivates and changes groups, one
// account a call: no bulk, no delete, no new groups, no pages side by side.
func (d *Directory) OneByOne() directory.Directory {
	return struct {
		directory.Directory
		directory.Counter
		directory.Getter
		directory.Finder
		directory.GroupLister
		directory.MemberLister
		directory.MembershipLister
		directory.Creator
		directory.Updater
		directory.StatusSetter
		directory.GroupChanger
		directory.SelfIdentifier
		directory.Checker
		directory.RequestCounter
	}{noBulk{d}, d, d, d, d, d, d, d, d, d, d, d, d, d}
}

// readOnly describes a directory in which nothing can be written.
type readOnly struct{ directory.Directory }

func (r readOnly) Describe() directory.Description {
	desc := r.Directory.Describe()
	desc.BulkSize, desc.Changes = 0, directory.ChangeScope{}
	desc.Attributes = slices.Clone(desc.Attributes)
	for i := range desc.Attributes {
		desc.Attributes[i].Writable, desc.Attributes[i].CreateOnly = false, false
	}
	return desc
}

// noBulk describes a directory without bulk calls and changes.
type noBulk struct{ directory.Directory }

func (n noBulk) Describe() directory.Description {
	desc := n.Directory.Describe()
	desc.BulkSize, desc.Changes = 0, directory.ChangeScope{}
	return desc
}
