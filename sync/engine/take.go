package engine

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/rollcall-sync/rollcall/sync/diff"
	"github.com/rollcall-sync/rollcall/sync/mapping"
	"github.com/rollcall-sync/rollcall/sync/plan"
	"github.com/rollcall-sync/rollcall/sync/state"
)

// linkView is the part of a link that decisions need.
func linkView(link state.Link) *diff.Link {
	view := &diff.Link{
		SourceID: link.SourceID, TargetID: link.TargetID, SourceLabel: link.SourceLabel, TargetLabel: link.TargetLabel,
		Held: link.Claim == state.Held, Ours: !link.DeactivatedAt.IsZero(), Since: link.DeactivatedAt, RememberedGroups: link.RememberedGroups,
		Attributes: make(map[string]diff.Pair, len(link.Base.Attributes)), Groups: link.Base.Groups,
		SourceStatus: link.Base.SourceStatus, TargetStatus: link.Base.TargetStatus, Protected: link.Protected,
	}
	for name, pair := range link.Base.Attributes {
		view.Attributes[name] = diff.Pair(pair)
	}
	return view
}

func pairs(base map[string]diff.Pair) map[string]state.Pair {
	out := make(map[string]state.Pair, len(base))
	for name, pair := range base {
		out[name] = state.Pair(pair)
	}
	return out
}

// take files a decision: its operations into the plan, its base into the link.
func (w *world) take(c diff.Case, link *state.Link, decision diff.Decision) error {
	w.plan.Notes = append(w.plan.Notes, decision.Notes...)
	if len(decision.Operations) == 0 {
		w.tally(c, decision.Class)
		if c.Source == nil && decision.Class == diff.Failed {
			w.counts.FailedOthers++
		}
		if link != nil {
			w.remind(c, *link, decision)
		}
		return nil
	}
	switch {
	case c.Source == nil:
	case decision.Class == diff.Failed: // whatever becomes of the operations
		w.classes.add(diff.Failed)
		w.faulty[decision.Operations[0].PairHash()] = true
	default:
		w.changed++
	}
	for _, o := range decision.Operations {
		if err := w.needGroups(&o); err != nil {
			return err
		}
		if err := w.plan.Operations.Add(o); err != nil {
			return err
		}
	}
	return nil
}

// needGroups adds one operation for each group that does not exist yet, before those that need it.
func (w *world) needGroups(o *plan.Operation) error {
	names := o.NewGroups
	if o.Action == plan.GroupAdd && o.GroupID == "" {
		names = []string{o.GroupName}
	}
	for _, name := range names {
		if _, ok := w.newGroups[name]; !ok {
			create := plan.Operation{Side: plan.Target, Action: plan.CreateGroup, Account: name, GroupName: name, Reason: "the rules name it and it does not exist"}
			if err := w.plan.Operations.Add(create); err != nil {
				return err
			}
			w.newGroups[name] = w.plan.Operations.Len()
		}
		o.After = append(o.After, w.newGroups[name])
	}
	return nil
}

// remind notes what has to be saved of a pair without operations, if the run goes on.
func (w *world) remind(c diff.Case, link state.Link, decision diff.Decision) {
	if kept, changed := w.kept(c, link, decision); changed {
		w.resave = append(w.resave, link.SourceID)
	} else if kept.LinkHead != link.LinkHead {
		w.marks = append(w.marks, state.InStep{SourceID: link.SourceID, SourceHash: kept.SourceHash, TargetHash: kept.TargetHash})
	}
}

// saveLinks saves what was noted of pairs without operations.
func (w *world) saveLinks(ctx context.Context, run string) error {
	for chunk := range slices.Chunk(w.marks, linkBatch) {
		if err := w.engine.options.State.MarkInStep(ctx, w.sync.Name, w.rules, chunk...); err != nil {
			return err
		}
	}
	var batch []state.Link
	save := func() error {
		defer func() { batch = batch[:0] }()
		return w.engine.options.State.SaveLinks(ctx, batch...)
	}
	err := w.eachLink(ctx, w.resave, func(link state.Link) error {
		c, err := w.linkedCase(ctx, link)
		if err != nil {
			return err
		}
		kept, _ := w.kept(c, link, w.decider.Decide(c))
		if kept.CreatedRun == "" {
			kept.CreatedRun = run
		}
		if batch = append(batch, kept); len(batch) == linkBatch {
			return save()
		}
		return nil
	})
	if err != nil {
		return err
	}
	w.marks, w.resave = nil, nil
	return save()
}

// kept returns the link of a pair without operations as it is to be remembered, and whether anything beside the marks of
// being in step is different.
func (w *world) kept(c diff.Case, link state.Link, decision diff.Decision) (_ state.Link, changed bool) {
	before := link.LinkHead
	changed = link.CreatedRun == ""
	switch {
	case c.Source == nil && c.SourceMissing != diff.Withheld:
		link.MissingRuns++
		if link.SuspectedSince.IsZero() {
			link.SuspectedSince = w.decider.Now
		}
	case c.Source != nil:
		link.MissingRuns, link.SuspectedSince = 0, time.Time{}
	}
	if decision.Release {
		link.Claim = state.Released
	} else if decision.Hold {
		link.Claim = state.Held
	}
	changed = settleDeactivation(c, &link) || changed
	changed = settleProtection(c, &link) || changed
	link.SourceHash, link.TargetHash, link.Rules = 0, 0, w.rules
	// Whom we let go and another sync still holds is looked at each time: that claim may end without a change on either side.
	heldElsewhere := link.Claim == state.Released && len(c.OtherClaims) > 0
	if decision.InStep && c.Source != nil && c.Target != nil && !w.direct && len(c.LedElsewhere) == 0 && !heldElsewhere {
		link.SourceHash = w.source.HashAt(w.source.Position(link.SourceID))
		link.TargetHash = w.target.HashAt(w.target.Position(link.TargetID))
	}
	if decision.Attributes != nil {
		base := state.Base{Attributes: pairs(decision.Attributes), Groups: decision.Groups, SourceStatus: link.Base.SourceStatus, TargetStatus: link.Base.TargetStatus}
		if c.Source != nil && c.Target != nil {
			base.SourceStatus, base.TargetStatus = c.Source.Account.Status, c.Target.Account.Status
		}
		changed = changed || !sameBase(base, link.Base)
		link.Base = base
	}
	if c.Source != nil && c.Source.Account.Label() != link.SourceLabel {
		link.SourceLabel, changed = c.Source.Account.Label(), true
	}
	if c.Target != nil && c.Target.Account.Label() != link.TargetLabel {
		link.TargetLabel, changed = c.Target.Account.Label(), true
	}
	before.SourceHash, before.TargetHash, before.Rules = link.SourceHash, link.TargetHash, link.Rules
	return link, changed || link.LinkHead != before
}

// settleProtection remembers what protects the source account, for the day when it is not there to be asked.
func settleProtection(c diff.Case, link *state.Link) (changed bool) {
	if c.Source == nil || c.Source.Account.Problem != "" || c.Source.Protected == link.Protected {
		return false
	}
	link.Protected = c.Source.Protected
	return true
}

// tally gives a source account its class.
func (w *world) tally(c diff.Case, class diff.Class) {
	if c.Source != nil {
		w.classes.add(class)
	}
}

func (w *world) note(kind plan.NoteKind, c diff.Case, message string) {
	w.plan.Notes = append(w.plan.Notes, plan.Note{Kind: kind, Account: c.Source.Account.Label(), ID: c.Source.Account.ID, Message: message})
}

func sameBase(a, b state.Base) bool {
	return a.SourceStatus == b.SourceStatus && a.TargetStatus == b.TargetStatus && slices.Equal(a.Groups, b.Groups) &&
		maps.EqualFunc(a.Attributes, b.Attributes, func(p, q state.Pair) bool { return p.Source.Equal(q.Source) && p.Target.Equal(q.Target) })
}

// arrange settles who gets which unique value, and puts the plan into order.
func (w *world) arrange() error {
	var fault error
	if err := w.plan.Arrange(w.uniqueKey, w.holder(&fault)); err != nil || fault != nil {
		return cmp.Or(err, fault)
	}
	err := w.plan.Operations.Dropped(func(o plan.Operation) { // nothing is left of it but a note
		if o.SourceID != "" && w.source.Position(o.SourceID) >= 0 && !w.faulty[o.PairHash()] {
			w.classes.add(diff.Skipped)
			w.changed--
		}
	})
	if err != nil {
		return err
	}
	return w.plan.Sort()
}

// uniqueKey is the folded value that a change wants for itself; empty where others may have the same.
func (w *world) uniqueKey(side plan.Side, change plan.Change) string {
	description := w.targetSide
	if side == plan.Source {
		description = w.sourceSide
	}
	spec := specOf(description, change.Attribute)
	if !spec.Unique {
		return ""
	}
	return mapping.Key(change.After, spec)
}

// holder tells which account holds a unique value now. The accounts are indexed when the first such value is asked for; what
// goes wrong with that is left in fault.
func (w *world) holder(fault *error) plan.Holder {
	return func(side plan.Side, attribute, key string) (id, label string, ok bool) {
		index, keys, s, description := w.indexTarget, &w.targetKeys, w.target, w.targetSide
		if side == plan.Source {
			index, keys, s, description = w.indexSource, &w.sourceKeys, w.source, w.sourceSide
		}
		if err := index(); err != nil {
			*fault = err
			return "", "", false
		}
		spec := specOf(description, attribute)
		for _, position := range (*keys).Positions(attribute + "\x00" + key) {
			account, err := s.At(position)
			if err != nil {
				*fault = err
				return "", "", false
			}
			if mapping.Key(account.Attributes[attribute], spec) == key {
				return account.ID, account.Label() + " (id " + account.ID + ")", true
			}
		}
		return "", "", false
	}
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

func orID(label, id string) string {
	if label == "" {
		return id
	}
	return label
}

func first(items []string, n int) string {
	if len(items) > n {
		return strings.Join(items[:n], ", ") + ", …"
	}
	return strings.Join(items, ", ")
}
