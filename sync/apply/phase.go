package apply

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/rollcall-sync/rollcall/sync/plan"
)

// windowSize is how many operations are loaded at a time.
const windowSize = 4096

// phase runs the operations of one phase, a window of them at a time. Those that are tied to each other by a unique value come
// first, in one window, so that each finds the one it waits for.
func (e *executor) phase(ctx context.Context, list *plan.List, from, to int) error {
	var tied []plan.Operation
	for position := from; position < to; position++ {
		if list.Tied(position) {
			o, err := list.At(position)
			if err != nil {
				return err
			}
			tied = append(tied, o)
		}
	}
	if len(tied) > 0 {
		e.window(ctx, tied)
	}
	var window []plan.Operation
	for position := from; position < to; position++ {
		if list.Tied(position) {
			continue
		}
		o, err := list.At(position)
		if err != nil {
			return err
		}
		// The group changes of one account are sent in one call.
		if len(window) >= windowSize && o.Account != window[len(window)-1].Account {
			e.window(ctx, window)
			window = window[:0]
		}
		window = append(window, o)
	}
	if len(window) > 0 {
		e.window(ctx, window)
	}
	return nil
}

// window runs operations of one phase: units side by side, the operations of a unit one after the other.
func (e *executor) window(ctx context.Context, operations []plan.Operation) {
	bySide := map[plan.Side][]unit{}
	for _, u := range e.units(operations) {
		bySide[u.side()] = append(bySide[u.side()], u)
	}
	var sides sync.WaitGroup
	for side, units := range bySide {
		sides.Go(func() { e.side(ctx, side, units) })
	}
	sides.Wait()
	if e.options.Finished != nil {
		for _, o := range operations {
			e.options.Finished(o)
		}
	}
}

func (e *executor) side(ctx context.Context, side plan.Side, units []unit) {
	queue := make(chan unit)
	var workers sync.WaitGroup
	for range max(1, e.directory(side).Describe().WriteConcurrency) {
		workers.Go(func() {
			for u := range queue {
				e.unit(ctx, u)
			}
		})
	}
	for _, u := range units {
		queue <- u
	}
	close(queue)
	workers.Wait()
}

// halted says why nothing more may be written to a side.
func (e *executor) halted(ctx context.Context, side plan.Side) (err error, interrupted bool) {
	select {
	case <-e.options.Stop:
		return errors.New("the run lost its lease"), true
	default:
	}
	if ctx.Err() != nil {
		return errors.New("the run was interrupted"), true
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.broken != nil {
		return e.broken, true
	}
	if stopped := e.result.Stopped[side]; stopped != nil {
		return fmt.Errorf("left out, because %w", stopped), false
	}
	return nil, false
}

// unit runs one unit.
func (e *executor) unit(ctx context.Context, u unit) {
	for _, step := range u.steps {
		side := step[0].Side
		err, interrupted := e.halted(ctx, side)
		switch {
		case interrupted:
			e.leave(step)
			continue
		case err != nil:
			e.settle(step, err)
			continue
		}
		step = e.withoutOrphans(e.withoutStrays(step))
		if len(step) > 0 {
			e.step(ctx, step)
		}
	}
}

func (e *executor) leave(step []plan.Operation) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.result.Interrupted = true
	e.result.Left += len(step)
	for _, o := range step {
		e.failed[o.Seq] = true
	}
}

// withoutStrays leaves out operations whose pair cannot be worked on.
func (e *executor) withoutStrays(step []plan.Operation) []plan.Operation {
	kept := step[:0:0]
	for _, o := range step {
		if err := e.options.Draft(o).Err; err != nil {
			e.settle([]plan.Operation{o}, err)
		} else {
			kept = append(kept, o)
		}
	}
	return kept
}

// withoutOrphans leaves out operations that wait for one that was not done.
func (e *executor) withoutOrphans(step []plan.Operation) []plan.Operation {
	var kept, orphans []plan.Operation
	e.mu.Lock()
	for _, o := range step {
		if slices.ContainsFunc(o.After, func(seq int) bool { return e.failed[seq] }) {
			orphans = append(orphans, o)
		} else {
			kept = append(kept, o)
		}
	}
	e.mu.Unlock()
	if len(orphans) > 0 {
		e.settle(orphans, errors.New("left out, because an operation that it depends on was not done"))
	}
	return kept
}
