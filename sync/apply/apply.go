// Package apply carries out a plan. It works through the phases in order (updates, creations, activations, groups,
// deactivations, deletions), side by side within a phase as far as the directory allows, and writes the intent of each
// operation to the journal before the call and the outcome, together with the link, after it.
//
// What an error does:
//
//	unknown outcome   read back; what is seen there decides; so for an answer that is about another account
//	not found         a deactivation or deletion counts as done; anything else waits for the next run
//	throttled         waited for once more than the transport did, then reported
//	auth              all further operations on that side are left out
//	retryable         reported; several in a row stop that side
//	the rest          reported; the others go on
package apply

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/rollcall-sync/rollcall/sync/directory"
	"github.com/rollcall-sync/rollcall/sync/plan"
	"github.com/rollcall-sync/rollcall/sync/state"
)

// Journal is where intents and outcomes go; state.DB is one.
type Journal interface {
	Intend(ctx context.Context, entries ...state.Entry) error
	Resolve(ctx context.Context, outcomes ...state.Outcome) error
}

// Options are the surroundings of one application.
type Options struct {
	Run, Sync      string
	Source, Target directory.Directory
	Journal        Journal
	// Draft returns the pair that an operation belongs to. Operations of one pair never run at the same time.
	Draft func(plan.Operation) *Draft
	// Finished, where set, is called once for each operation that has come to its end or was not begun, when no unit is under
	// way: the pair may be forgotten when all of its operations are finished.
	Finished func(plan.Operation)
	// Stop ends the work between two operations when it is closed; nil never does.
	Stop <-chan struct{}
	// Now and Sleep are the clock; Sleep is used after a directory asked for more patience than the transport has.
	Now   func() time.Time
	Sleep func(context.Context, time.Duration) error
	// Progress is called after each operation, never twice at the same time.
	Progress func(Event)
}

// Event is one operation that has come to its end.
type Event struct {
	Operation plan.Operation
	Result    state.Result
	Err       error
}

// Failure is one operation that was not done.
type Failure struct {
	Account   string              `json:"account"`
	ID        string              `json:"id,omitempty"`
	Operation plan.Action         `json:"operation"`
	Side      plan.Side           `json:"side"`
	Kind      directory.ErrorKind `json:"-"`
	KindName  string              `json:"kind"`
	Message   string              `json:"message"`
}

// Result is what became of a plan.
type Result struct {
	// Done counts the operations that were carried out, per side and action.
	Done map[plan.Side]map[plan.Action]int
	// Failures are those that were not, in the order of the plan.
	Failures []Failure
	// Stopped says why a side was given up.
	Stopped map[plan.Side]error
	// Interrupted is set when the work was ended from outside; Left counts the operations that were not begun.
	Interrupted bool
	Left        int
}

const (
	// patienceInRow is how many operations in a row may fail for want of a working server before a side is given up.
	patienceInRow = 5
	// operationTime bounds one write with all its waiting, so that an interrupted run ends.
	operationTime = 10 * time.Minute
	// longestWait bounds the extra wait after Throttled.
	longestWait = 5 * time.Minute
)

// Run carries out the plan. The error is not nil only when the journal could not be written: then nothing more is written
// to any directory.
func Run(ctx context.Context, p *plan.Plan, options Options) (Result, error) {
	e := &executor{
		options: options, groups: make(map[string]string), failed: make(map[int]bool),
		result: Result{
			Done:    map[plan.Side]map[plan.Action]int{plan.Source: {}, plan.Target: {}},
			Stopped: make(map[plan.Side]error),
		},
		inRow: make(map[plan.Side]int), paces: make(map[plan.Side]*pace),
	}
	for _, side := range []plan.Side{plan.Source, plan.Target} {
		if d := e.directory(side); d != nil {
			e.paces[side] = newPace(d.Describe().WriteConcurrency)
		}
	}
	for from := 0; from < p.Operations.Len(); {
		to := from
		for to < p.Operations.Len() && p.Operations.Action(to).Phase() == p.Operations.Action(from).Phase() {
			to++
		}
		if err := e.phase(ctx, &p.Operations, from, to); err != nil {
			e.fail(err)
			e.result.Interrupted, e.result.Left = true, e.result.Left+p.Operations.Len()-from
			break
		}
		from = to
	}
	slices.SortStableFunc(e.failures, func(a, b numbered) int { return a.seq - b.seq })
	for _, f := range e.failures {
		e.result.Failures = append(e.result.Failures, f.Failure)
	}
	return e.result, e.broken
}

type numbered struct {
	seq int
	Failure
}

type executor struct {
	options Options

	mu       sync.Mutex
	result   Result
	failures []numbered
	failed   map[int]bool // by Seq
	groups   map[string]string
	inRow    map[plan.Side]int
	paces    map[plan.Side]*pace
	broken   error
}

func (e *executor) directory(side plan.Side) directory.Directory {
	if side == plan.Source {
		return e.options.Source
	}
	return e.options.Target
}

// step writes the intents, sends one call, and writes the outcomes. A step is one operation, the group changes of one
// account, or the creations of one bulk call.
func (e *executor) step(ctx context.Context, step []plan.Operation) {
	entries := make([]state.Entry, 0, len(step))
	for _, o := range step {
		data, err := json.Marshal(o)
		if err != nil {
			e.fail(fmt.Errorf("operation %d: %w", o.Seq, err))
			return
		}
		entries = append(entries, state.Entry{
			Run: e.options.Run, Seq: int64(o.Seq), Sync: e.options.Sync, Side: string(o.Side), Action: string(o.Action),
			SourceID: o.SourceID, TargetID: o.TargetID, Account: o.Account, Operation: data,
		})
	}
	if err := e.options.Journal.Intend(ctx, entries...); err != nil {
		if ctx.Err() != nil {
			e.leave(step)
			return
		}
		e.fail(err)
		e.leave(step)
		return
	}
	// Begun is finished: the write is not cut off by an interruption, only bounded.
	bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), operationTime)
	defer cancel()
	e.record(step, e.paced(bounded, step))
}

// paced sends one step when the directory has room for it.
func (e *executor) paced(ctx context.Context, step []plan.Operation) []outcome {
	if step[0].Action == plan.Link {
		return e.call(ctx, step)
	}
	pace := e.paces[step[0].Side]
	pace.begin()
	began := e.options.Now()
	outcomes := e.call(ctx, step)
	pressed := slices.ContainsFunc(outcomes, func(o outcome) bool {
		return errors.Is(o.err, directory.Throttled) || errors.Is(o.err, directory.Retryable)
	})
	pace.end(e.options.Now().Sub(began), pressed)
	return outcomes
}

// fail gives up everything: without a journal nothing may be written.
func (e *executor) fail(err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.broken == nil {
		e.broken = err
	}
}

// outcome is what became of one operation. A pending one may or may not have been done; the next run reads it back. One with
// an error and an account was done in part: the link is saved, and the error reported.
type outcome struct {
	err     error
	pending bool
	stored  *directory.Account
	// readBack is set where stored was looked up after a lost answer.
	readBack bool
	// unwritten are attributes of an update that the directory kept as they were, or does not tell.
	unwritten map[string]bool
}

// done reports that the directory did something that has to be remembered.
func (o outcome) done() bool { return o.err == nil || (o.stored != nil && !o.pending) }

// record writes outcomes and links, and counts.
func (e *executor) record(step []plan.Operation, outcomes []outcome) {
	var resolved []state.Outcome
	for i, o := range step {
		out := state.Outcome{Run: e.options.Run, Seq: int64(o.Seq), Result: state.ResultDone}
		if outcomes[i].err != nil {
			out.Message = outcomes[i].err.Error()
		}
		switch {
		case outcomes[i].pending:
			out.Result = state.ResultUnknown
		case !outcomes[i].done():
			out.Result = state.ResultFailed
		default:
			draft := e.options.Draft(o)
			o.Groups = e.allGroups(o)
			out.Link, out.DropLink = draft.done(o, outcomes[i], e.options.Run, e.options.Now())
			if outcomes[i].stored != nil {
				out.Stored = storedJSON(*outcomes[i].stored)
			}
		}
		resolved = append(resolved, out)
	}
	if err := e.options.Journal.Resolve(context.Background(), resolved...); errors.Is(err, state.ErrLinked) {
		e.resolveEach(step, resolved, outcomes)
	} else if err != nil {
		e.fail(err)
	}
	for i, o := range step {
		e.count(o, outcomes[i])
	}
}

// resolveEach writes the outcomes of a step one by one. Where an account has another link already, nothing of that operation is
// saved: it is the account of somebody else, and no more is written to it.
func (e *executor) resolveEach(step []plan.Operation, resolved []state.Outcome, outcomes []outcome) {
	for i, out := range resolved {
		err := e.options.Journal.Resolve(context.Background(), out)
		if errors.Is(err, state.ErrLinked) {
			o := step[i]
			refused := &directory.Error{Kind: directory.Conflict, Op: string(o.Action), Directory: e.directory(o.Side).Describe().Name, Record: o.Account, Err: err}
			outcomes[i] = outcome{err: refused}
			e.options.Draft(o).refuse(refused)
			err = e.options.Journal.Resolve(context.Background(), state.Outcome{Run: out.Run, Seq: out.Seq, Result: state.ResultFailed, Message: refused.Error()})
		}
		if err != nil {
			e.fail(err)
		}
	}
}

// settle counts operations that were never sent.
func (e *executor) settle(step []plan.Operation, err error) {
	for _, o := range step {
		e.count(o, outcome{err: err})
	}
}

func (e *executor) count(o plan.Operation, out outcome) {
	e.mu.Lock()
	defer e.mu.Unlock()
	result := state.ResultFailed
	switch {
	case out.pending:
		result = state.ResultUnknown
	case out.done():
		result = state.ResultDone
		if !o.Temporary { // the first half of an exchange is no change that anybody asked for
			e.result.Done[o.Side][o.Action]++
		}
		e.inRow[o.Side] = 0
	}
	if out.err != nil {
		kind := directory.KindOf(out.err)
		e.failed[o.Seq] = true
		e.options.Draft(o).fail()
		e.failures = append(e.failures, numbered{o.Seq, Failure{
			Account: o.Account, ID: o.WrittenID(), Operation: o.Action, Side: o.Side, Kind: kind, KindName: kind.String(), Message: out.err.Error(),
		}})
		if result != state.ResultDone { // a directory that can be read back is not broken
			e.giveUp(o.Side, kind, out.err)
		}
	}
	if e.options.Progress != nil {
		e.options.Progress(Event{Operation: o, Result: result, Err: out.err})
	}
}

// giveUp stops a side that cannot work: bad credentials at once, a broken server after several operations in a row.
func (e *executor) giveUp(side plan.Side, kind directory.ErrorKind, err error) {
	var typed *directory.Error
	if e.result.Stopped[side] != nil || !errors.As(err, &typed) {
		return // only what a directory said counts
	}
	switch kind {
	case directory.Auth:
		if typed.Record == "" { // refused for one account, it says nothing about the others
			e.result.Stopped[side] = fmt.Errorf("%s refused access: %w", e.directory(side).Describe().Name, err)
		} else {
			e.inRow[side]++
		}
	case directory.Retryable, directory.Throttled, directory.UnknownOutcome:
		e.inRow[side]++
	default:
		e.inRow[side] = 0
	}
	if e.inRow[side] >= patienceInRow && e.result.Stopped[side] == nil {
		e.result.Stopped[side] = fmt.Errorf("%s failed %d times in a row, the last time with: %w", e.directory(side).Describe().Name, patienceInRow, err)
	}
}

// storedJSON is the account as the directory stored it, for the journal.
func storedJSON(account directory.Account) json.RawMessage {
	data, err := json.Marshal(struct {
		ID         string               `json:"id"`
		Status     string               `json:"status"`
		Attributes directory.Attributes `json:"attributes"`
		Groups     []string             `json:"groups,omitempty"`
	}{account.ID, account.Status.String(), account.Attributes, account.Groups})
	if err != nil {
		return nil // values that JSON cannot hold do not exist
	}
	return data
}
