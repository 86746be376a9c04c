package engine

import (
	"context"

	"github.com/rollcall-sync/rollcall/sync/diff"
	"github.com/rollcall-sync/rollcall/sync/directory"
	"github.com/rollcall-sync/rollcall/sync/mapping"
	"github.com/rollcall-sync/rollcall/sync/plan"
	"github.com/rollcall-sync/rollcall/sync/snapshot"
	"github.com/rollcall-sync/rollcall/sync/state"
)

// decideUnlinked decides the source accounts without a link.
func (w *world) decideUnlinked(ctx context.Context) error {
	return eachUnlinked(w.source, w.inSource, func(account directory.Account) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		c, err := w.unlinkedCase(ctx, account)
		if err != nil {
			return err
		}
		if w.unclear[account.ID] {
			w.note(plan.NoteUnknown, c, "an earlier run was cut off while it created this account, and whether it exists cannot be told yet")
			w.tally(c, diff.Skipped)
			return nil
		}
		return w.take(c, nil, w.decider.Decide(c))
	})
}

// fewUnlinked is the share of accounts below which they are loaded one by one: reading a listing through is quicker than
// jumping about in it, unless nearly all of it is passed over.
const fewUnlinked = 4

// eachUnlinked calls fn for the accounts of a listing that have no link.
func eachUnlinked(s *snapshot.Snapshot, linked []bool, fn func(directory.Account) error) error {
	var positions []int
	for i, has := range linked {
		if !has {
			positions = append(positions, i)
		}
		if len(positions) > s.Len()/fewUnlinked {
			return s.Each(func(account directory.Account) error {
				if linked[s.Position(account.ID)] {
					return nil
				}
				return fn(account)
			})
		}
	}
	for _, i := range positions {
		account, err := s.At(i)
		if err != nil {
			return err
		}
		if err := fn(account); err != nil {
			return err
		}
	}
	return nil
}

// unlinkedCase gathers what is known of a source account without a link.
func (w *world) unlinkedCase(ctx context.Context, account directory.Account) (diff.Case, error) {
	c := diff.Case{Source: w.sourceRecord(account)}
	if c.Source.Out.Scope != mapping.Yes {
		return c, nil
	}
	var err error
	if c.Candidates, err = w.candidates(ctx, c.Source); err != nil || len(c.Candidates) != 1 {
		return c, err
	}
	own, err := w.ownLink(ctx, c.Candidates[0])
	if err != nil {
		return c, err
	}
	return c, w.shared(ctx, &c, own)
}

// candidates looks for the other half of an account, by each match attribute in order; the first that finds somebody decides.
func (w *world) candidates(ctx context.Context, source *diff.Record) ([]diff.Candidate, error) {
	if err := w.indexTarget(); err != nil {
		return nil, err
	}
	for _, name := range w.matchNames {
		spec := specOf(w.targetSide, name)
		key := mapping.Key(w.wanted(source, name, spec), spec)
		if key == "" {
			continue
		}
		var found []diff.Candidate
		for _, position := range w.targetKeys.Positions(name + "\x00" + key) {
			account, err := w.target.At(position)
			if err != nil {
				return nil, err
			}
			if mapping.Key(account.Attributes[name], spec) != key {
				continue
			}
			candidate := diff.Candidate{Record: *w.targetRecord(account), By: name}
			if w.inTarget[position] {
				if err := w.describeTaken(ctx, &candidate); err != nil {
					return nil, err
				}
			}
			found = append(found, candidate)
		}
		if len(found) > 0 {
			return found, nil
		}
	}
	return nil, nil
}

// wanted is the value of a match attribute as the rules would write it; without a rule, the source's own.
func (w *world) wanted(source *diff.Record, name string, spec directory.AttributeSpec) directory.Value {
	for _, m := range source.Out.Attributes {
		if m.Rule.Target == name && m.Known && m.Present {
			return mapping.Normalise(m.Value, spec)
		}
	}
	return source.Account.Attributes[name]
}

// ownLink returns the link that a candidate has in this sync; nil where it has none.
func (w *world) ownLink(ctx context.Context, candidate diff.Candidate) (*state.Link, error) {
	if candidate.LinkedTo == "" {
		return nil, nil
	}
	link, err := w.linkOfTarget(ctx, candidate.Record.Account.ID)
	return &link, err
}

// describeTaken says whose link the candidate has.
func (w *world) describeTaken(ctx context.Context, candidate *diff.Candidate) error {
	link, err := w.linkOfTarget(ctx, candidate.Record.Account.ID)
	if err != nil {
		return err
	}
	sourceID := link.SourceID
	candidate.LinkedTo = orID(link.SourceLabel, sourceID)
	candidate.Gone = w.gone[sourceID]
	if !candidate.Gone && w.source.Position(sourceID) < 0 && w.source.Certificate.Complete {
		if getter, ok := w.job.Source.(directory.Getter); ok {
			candidate.Gone = w.provenGone(ctx, plan.Source, getter, sourceID)
		}
	}
	return nil
}

func (w *world) linkOfTarget(ctx context.Context, id string) (state.Link, error) {
	for _, link := range w.recovered {
		if link.TargetID == id {
			return link, nil
		}
	}
	return w.engine.options.State.LinkByTarget(ctx, w.sync.Name, id)
}

// decideTargets counts the unmanaged accounts and plans the creations that flow back.
func (w *world) decideTargets(ctx context.Context) error {
	if w.direct {
		return nil
	}
	if !w.sync.Writeback.Create {
		w.counts.Unmanaged += w.target.Len() - w.linkedTargets
		return nil
	}
	if err := w.indexSource(); err != nil {
		return err
	}
	return eachUnlinked(w.target, w.inTarget, func(account directory.Account) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		w.counts.Unmanaged++
		c := diff.Case{Target: w.targetRecord(account)}
		if w.knownInSource(account) || !w.source.Certificate.Complete {
			return nil
		}
		return w.take(c, nil, w.decider.Decide(c))
	})
}

// knownInSource reports that a source account has the same e-mail or username: then it is a match to be decided, no new
// account.
func (w *world) knownInSource(account directory.Account) bool {
	for _, key := range keysOf(w.sourceSide, w.matchNames)(account) {
		if len(w.sourceKeys.Positions(key)) > 0 {
			return true
		}
	}
	return false
}
