package engine

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/rollcall-sync/rollcall/sync/apply"
	"github.com/rollcall-sync/rollcall/sync/diff"
	"github.com/rollcall-sync/rollcall/sync/directory"
	"github.com/rollcall-sync/rollcall/sync/plan"
	"github.com/rollcall-sync/rollcall/sync/state"
)

// drafts are the pairs whose operations are under way. A plan may be about a million people; what a draft needs is made from
// the listings and the state when its first operation comes, by deciding the pair once more, and forgotten after its last.
type drafts struct {
	world *world
	many  map[uint64]int // operations of pairs that have several

	mu      sync.Mutex
	live    map[string]*livePair
	classes classes // of the source accounts whose pairs are finished
	others  int     // failed pairs of accounts that the source does not list
}

type livePair struct {
	draft      *apply.Draft
	left       int
	fromSource bool
	counted    bool // as failed, for its record
}

func (w *world) newDrafts() *drafts {
	return &drafts{world: w, many: w.plan.Operations.Pairs(), live: make(map[string]*livePair)}
}

// of returns the draft of an operation's pair. It is safe for concurrent use.
func (d *drafts) of(ctx context.Context, o plan.Operation) *apply.Draft {
	d.mu.Lock()
	defer d.mu.Unlock()
	key := o.Pair()
	if pair, ok := d.live[key]; ok {
		return pair.draft
	}
	draft, err := d.world.draft(ctx, o)
	if err != nil {
		draft = &apply.Draft{Err: fmt.Errorf("%s cannot be looked at again: %w", o.Account, err)}
	}
	pair := &livePair{draft: draft, left: max(1, d.many[o.PairHash()]), counted: d.world.faulty[o.PairHash()]}
	pair.fromSource = o.Action != plan.CreateGroup && o.SourceID != "" && d.world.source.Position(o.SourceID) >= 0
	d.live[key] = pair
	return draft
}

// finished forgets the pair of an operation after its last one.
func (d *drafts) finished(o plan.Operation) {
	d.mu.Lock()
	defer d.mu.Unlock()
	key := o.Pair()
	pair, ok := d.live[key]
	if !ok {
		return
	}
	if pair.left--; pair.left == 0 {
		d.classify(pair)
		delete(d.live, key)
	}
}

// classify counts what became of a pair.
func (d *drafts) classify(pair *livePair) {
	switch failed := pair.draft.Failed(); {
	case pair.counted:
	case failed && !pair.fromSource:
		d.others++
	case !pair.fromSource:
	case failed:
		d.classes.add(diff.Failed)
	case pair.draft.Saved():
		d.classes.add(diff.Changed)
	default:
		d.classes.add(diff.Skipped) // interrupted before it was its turn
	}
}

// sum returns what became of all pairs with operations. Those that were never begun were skipped.
func (d *drafts) sum(changed int) (classes, int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, pair := range d.live {
		d.classify(pair)
	}
	d.live = make(map[string]*livePair)
	c := d.classes
	c[diff.Skipped] += changed - c[diff.Failed] - c[diff.Changed] - c[diff.Skipped]
	return c, d.others
}

// draft prepares the link that the operations of a pair will change.
func (w *world) draft(ctx context.Context, o plan.Operation) (*apply.Draft, error) {
	if o.Action == plan.CreateGroup {
		return &apply.Draft{}, nil
	}
	c, link, err := w.caseOf(ctx, o)
	if err != nil {
		return nil, err
	}
	decision := w.decider.Decide(c)
	d := &apply.Draft{Groups: decision.GroupsBefore}
	if link != nil {
		d.Link = *link
	} else {
		d.Link = state.Link{Sync: w.sync.Name, SourceDirectory: w.sourceSide.Name, TargetDirectory: w.targetSide.Name}
	}
	d.Link.Rules = w.rules
	switch { // saved with the first operation that succeeds
	case decision.Release:
		d.Link.Claim = state.Released
	case decision.Hold:
		d.Link.Claim = state.Held
	}
	settleDeactivation(c, &d.Link)
	settleProtection(c, &d.Link)
	if c.Source != nil {
		d.Link.SourceID, d.Link.SourceLabel = c.Source.Account.ID, c.Source.Account.Label()
		d.Source = &c.Source.Account
		d.Link.MissingRuns, d.Link.SuspectedSince = 0, time.Time{}
	}
	switch {
	case c.Target != nil:
		d.Link.TargetID, d.Link.TargetLabel = c.Target.Account.ID, c.Target.Account.Label()
		d.Target = &c.Target.Account
	case o.TargetID != "":
		d.Link.TargetID = o.TargetID
		account, ok, err := w.target.Get(o.TargetID)
		if err != nil {
			return nil, err
		}
		if ok {
			d.Target, d.Link.TargetLabel = &account, account.Label()
		}
	}
	if decision.Attributes != nil {
		d.Link.Base.Attributes = pairs(decision.Attributes)
	}
	d.Rebase = func(source, target *directory.Account, wroteTarget, wroteSource map[string]bool, created bool) map[string]state.Pair {
		after := diff.Case{Source: w.sourceRecord(*source), Target: w.targetRecord(*target), Link: linkView(d.Link), LedElsewhere: c.LedElsewhere}
		return pairs(w.decider.Rebase(after, wroteTarget, wroteSource, created))
	}
	return d, nil
}

// caseOf gathers again what is known of the pair of an operation.
func (w *world) caseOf(ctx context.Context, o plan.Operation) (diff.Case, *state.Link, error) {
	if o.SourceID == "" {
		account, ok, err := w.target.Get(o.TargetID)
		if err == nil && !ok {
			err = fmt.Errorf("account %q is not in the listing of %s", o.TargetID, w.targetSide.Name)
		}
		if err != nil {
			return diff.Case{}, nil, err
		}
		return diff.Case{Target: w.targetRecord(account)}, nil, nil
	}
	position := w.source.Position(o.SourceID)
	if position < 0 || w.inSource[position] {
		link, err := w.engine.options.State.LinkBySource(ctx, w.sync.Name, o.SourceID)
		if errors.Is(err, state.ErrNotFound) {
			recovered, ok := w.recovered[o.SourceID]
			if !ok {
				return diff.Case{}, nil, err
			}
			link = recovered
		} else if err != nil {
			return diff.Case{}, nil, err
		}
		c, err := w.linkedCase(ctx, link)
		return c, &link, err
	}
	account, err := w.source.At(position)
	if err != nil {
		return diff.Case{}, nil, err
	}
	c, err := w.unlinkedCase(ctx, account)
	return c, nil, err
}
