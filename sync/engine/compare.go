package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/rollcall-sync/rollcall/sync/diff"
	"github.com/rollcall-sync/rollcall/sync/directory"
	"github.com/rollcall-sync/rollcall/sync/mapping"
	"github.com/rollcall-sync/rollcall/sync/plan"
	"github.com/rollcall-sync/rollcall/sync/rules"
	"github.com/rollcall-sync/rollcall/sync/snapshot"
	"github.com/rollcall-sync/rollcall/sync/state"
)

// compare goes through all accounts of both sides once. Most of them are in step, which two equal hashes tell without
// loading anything; only the others are loaded and decided.
func (w *world) compare(ctx context.Context) error {
	w.counts.SourceRead, w.counts.TargetRead = w.source.Len(), w.target.Len()
	w.inSource = make([]bool, w.source.Len())
	look, err := w.walkLinks(ctx)
	if err != nil {
		return err
	}
	if err := w.witnesses(ctx, look); err != nil {
		return err
	}
	if err := w.newDecider(); err != nil {
		return err
	}
	if err := w.indexKeys(); err != nil {
		return err
	}
	for _, head := range look {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := w.decideLinked(ctx, head); err != nil {
			return err
		}
	}
	if err := w.decideUnlinked(ctx); err != nil {
		return err
	}
	if err := w.decideTargets(ctx); err != nil {
		return err
	}
	return w.arrange()
}

// walkLinks looks at all links, counts those in step, and returns those to look at.
func (w *world) walkLinks(ctx context.Context) (look []state.LinkHead, err error) {
	visit := func(head state.LinkHead) {
		source, target := w.source.Position(head.SourceID), w.target.Position(head.TargetID)
		if source >= 0 {
			w.inSource[source] = true
		}
		if target >= 0 {
			w.linkedTo[target] = head.SourceID
		}
		if w.direct && source < 0 && !w.gone[head.SourceID] {
			return // the account of somebody else, which only holds a value that is wanted
		}
		if source >= 0 && target >= 0 && w.inStep(head) {
			w.classes.add(diff.Unchanged)
			return
		}
		look = append(look, head)
	}
	err = w.engine.options.State.Links(ctx, w.sync.Name, func(head state.LinkHead) error {
		if _, again := w.recovered[head.SourceID]; !again {
			visit(head)
		}
		return ctx.Err()
	})
	for _, id := range sortedKeys(w.recovered) {
		visit(w.recovered[id].LinkHead)
	}
	return look, err
}

// inStep reports that neither side nor the rules have changed since the pair was last found equal.
func (w *world) inStep(head state.LinkHead) bool {
	if head.SourceHash == 0 || head.TargetHash == 0 || head.Rules != w.rules || w.direct || head.MissingRuns > 0 {
		return false
	}
	source, _ := w.source.Hash(head.SourceID)
	target, _ := w.target.Hash(head.TargetID)
	return source == head.SourceHash && target == head.TargetHash
}

// witnesses asks the source directly about every linked account that its listing lacks: only "there is no such account"
// confirms that it is gone. One that is found proves that the listing was not complete after all.
func (w *world) witnesses(ctx context.Context, look []state.LinkHead) error {
	if !w.source.Certificate.Complete || w.direct {
		return nil
	}
	getter, ok := w.job.Source.(directory.Getter)
	if !ok {
		return nil
	}
	var suspects []string
	for _, head := range look {
		if w.source.Position(head.SourceID) < 0 && w.needsWitness(head) {
			suspects = append(suspects, head.SourceID)
		}
	}
	confirmed, alive, err := lookUpSuspects(ctx, getter, suspects, max(1, w.sourceSide.ReadConcurrency))
	if err != nil {
		return err
	}
	for _, id := range confirmed {
		w.gone[id] = true
	}
	if len(alive) > 0 {
		slices.Sort(alive)
		w.source.Certificate.Contradict(fmt.Sprintf("%d accounts that the listing lacks exist when they are asked for (%s)", len(alive), first(alive, 3)))
	}
	return nil
}

// lookUpSuspects asks for each of the ids. It stops early once one of them is found: then nobody loses access in this run,
// and a listing that lacks half of the people is not followed by thousands of look-ups. No answer is no witness.
func lookUpSuspects(ctx context.Context, getter directory.Getter, ids []string, concurrency int) (gone, alive []string, err error) {
	var mu sync.Mutex
	found := false
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(concurrency)
	for _, id := range ids {
		group.Go(func() error {
			mu.Lock()
			enough := found
			mu.Unlock()
			if enough {
				return nil
			}
			_, err := getter.GetAccount(ctx, id)
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err == nil:
				alive, found = append(alive, id), true
			case errors.Is(err, directory.NotFound):
				gone = append(gone, id)
			case ctx.Err() != nil:
				return ctx.Err()
			}
			return nil
		})
	}
	err = group.Wait()
	return gone, alive, err
}

// needsWitness reports that something would follow from the account's absence.
func (w *world) needsWitness(head state.LinkHead) bool {
	if w.target.Position(head.TargetID) < 0 {
		return false
	}
	if head.Claim == state.Held {
		return true
	}
	if _, configured, _ := w.sync.Actions.DeleteGrace(); configured && !head.DeactivatedAt.IsZero() {
		return true
	}
	account, ok, err := w.target.Get(head.TargetID)
	return err == nil && ok && account.Status != directory.StatusInactive
}

// newDecider sets up the pure part with what is known now.
func (w *world) newDecider() error {
	because := ""
	for _, c := range []struct {
		name        string
		certificate snapshot.Certificate
	}{{w.sourceSide.Name, w.source.Certificate}, {w.targetSide.Name, w.target.Certificate}} {
		if !c.certificate.Complete && because == "" {
			because = fmt.Sprintf("the listing of %s is not proven complete (%s)", c.name, c.certificate.Failed())
		}
	}
	w.decider = &diff.Decider{
		Rules: w.sync, Source: w.sourceSide, Target: w.targetSide,
		SourceGroups: diff.NewGroups(w.source.Groups), TargetGroups: diff.NewGroups(w.target.Groups),
		Managed: w.mapping.ManagedGroups(w.source.Groups), GroupSource: w.mapping.GroupSource,
		Removals: because == "", Creations: w.target.Certificate.Complete, WithheldBecause: because,
		SourcePowers: diff.PowersOf(w.job.Source), TargetPowers: diff.PowersOf(w.job.Target), Now: w.engine.options.Now(),
	}
	return nil
}

// keyNames are the attributes under which target accounts are found: for matching, and because they must be unique.
func keyNames(description directory.Description, match []string) []string {
	names := slices.Clone(match)
	for _, spec := range description.Attributes {
		if spec.Unique {
			names = append(names, spec.Name)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

func keysOf(description directory.Description, names []string) func(directory.Account) []string {
	specs := make([]directory.AttributeSpec, len(names))
	for i, name := range names {
		specs[i] = specOf(description, name)
	}
	return func(account directory.Account) []string {
		var keys []string
		for i, name := range names {
			if value, ok := account.Attributes[name]; ok {
				if key := mapping.Key(value, specs[i]); key != "" {
					keys = append(keys, name+"\x00"+key)
				}
			}
		}
		return keys
	}
}

// specOf returns the spec of an attribute; for matching, e-mail and username never tell case apart.
func specOf(description directory.Description, name string) directory.AttributeSpec {
	spec, ok := description.Attribute(name)
	if !ok {
		spec = directory.AttributeSpec{Name: name, Kind: directory.KindText}
	}
	if name == directory.Email || name == directory.Username {
		spec.FoldCase = true
	}
	return spec
}

func (w *world) indexKeys() (err error) {
	names := keyNames(w.targetSide, w.matchNames)
	if w.targetKeys, err = snapshot.NewKeys(w.target, keysOf(w.targetSide, names)); err != nil {
		return err
	}
	if w.sync.Writeback.Create || w.sync.Writeback.Update {
		w.sourceKeys, err = snapshot.NewKeys(w.source, keysOf(w.sourceSide, keyNames(w.sourceSide, w.matchNames)))
	}
	return err
}

// sourceRecord applies the rules to a source account.
func (w *world) sourceRecord(account directory.Account) *diff.Record {
	record := mapping.Record{Account: account, Groups: w.decider.SourceGroups.Resolve(account.Groups, w.sync.GroupOptions.Nested)}
	protected, _ := w.mapping.Protected(record)
	return &diff.Record{Account: account, Self: account.ID == w.sourceSelf && w.sourceSelf != "", Protected: protected, Out: w.mapping.Outbound(record)}
}

// targetRecord applies the way back to a target account.
func (w *world) targetRecord(account directory.Account) *diff.Record {
	record := mapping.Record{Account: account, Groups: w.decider.TargetGroups.Resolve(account.Groups, false)}
	protected, _ := w.mapping.Protected(record)
	scope, _ := w.mapping.WritebackScope(record)
	return &diff.Record{
		Account: account, Self: account.ID == w.targetSelf && w.targetSelf != "", Protected: protected, In: w.mapping.Inbound(record), WritebackScope: scope,
	}
}

// decideLinked decides one pair that is not known to be in step.
func (w *world) decideLinked(ctx context.Context, head state.LinkHead) error {
	link, ok := w.recovered[head.SourceID]
	if !ok {
		var err error
		if link, err = w.engine.options.State.LinkBySource(ctx, w.sync.Name, head.SourceID); err != nil {
			return err
		}
	}
	c, err := w.linkedCase(ctx, link)
	if err != nil {
		return err
	}
	if w.unclear[link.SourceID] && c.Target == nil {
		w.note(plan.NoteUnknown, c, "an earlier run was cut off while it created this account, and whether it exists cannot be told yet")
		w.tally(c, diff.Skipped)
		return nil
	}
	w.take(c, &link, w.decider.Decide(c))
	return nil
}

// linkedCase gathers what is known of a linked pair.
func (w *world) linkedCase(ctx context.Context, link state.Link) (diff.Case, error) {
	c := diff.Case{Link: linkView(link)}
	account, ok, err := w.source.Get(link.SourceID)
	if err != nil {
		return c, err
	}
	if ok {
		c.Source = w.sourceRecord(account)
	} else {
		c.SourceMissing = w.sourceEvidence(link)
	}
	account, ok, err = w.target.Get(link.TargetID)
	if err != nil {
		return c, err
	}
	if ok {
		c.Target = w.targetRecord(account)
	} else if w.target.Certificate.Complete && (!w.direct || w.targetGone[link.TargetID]) {
		c.TargetMissing = diff.Gone
	}
	return c, w.shared(ctx, &c, link)
}

// enoughRuns is how many complete listings in a row prove an absence where the source cannot be asked directly.
const enoughRuns = 2

func (w *world) sourceEvidence(link state.Link) diff.Evidence {
	_, canAsk := w.job.Source.(directory.Getter)
	switch {
	case w.gone[link.SourceID]:
		return diff.Gone
	case !w.source.Certificate.Complete || w.direct:
		return diff.Withheld
	case !canAsk && link.MissingRuns+1 >= enoughRuns:
		return diff.Gone
	default:
		return diff.Suspected
	}
}

// shared fills in what other syncs to the same target say about the account.
func (w *world) shared(ctx context.Context, c *diff.Case, link state.Link) error {
	if len(w.job.Others) == 0 || link.TargetID == "" {
		return nil
	}
	links, err := w.engine.options.State.LinksOnTarget(ctx, w.targetSide.Name, link.TargetID)
	if err != nil {
		return err
	}
	for _, other := range links {
		i := slices.IndexFunc(w.job.Others, func(s rules.Sync) bool { return s.Name == other.Sync })
		if i < 0 || other.Claim != state.Held {
			continue
		}
		c.OtherClaims = append(c.OtherClaims, other.Sync)
		c.OtherGroups = append(c.OtherGroups, other.Base.Groups...)
		if i >= w.job.Earlier {
			continue
		}
		if c.LedElsewhere == nil {
			c.LedElsewhere = make(map[string]string)
		}
		for name := range other.Base.Attributes {
			c.LedElsewhere[name] = other.Sync
		}
	}
	return nil
}

// decideUnlinked decides the source accounts without a link.
func (w *world) decideUnlinked(ctx context.Context) error {
	return w.source.Each(func(account directory.Account) error {
		if w.inSource[w.source.Position(account.ID)] {
			return nil
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		c := diff.Case{Source: w.sourceRecord(account)}
		if w.unclear[account.ID] {
			w.note(plan.NoteUnknown, c, "an earlier run was cut off while it created this account, and whether it exists cannot be told yet")
			w.tally(c, diff.Skipped)
			return nil
		}
		if c.Source.Out.Scope == mapping.Yes {
			candidates, err := w.candidates(ctx, c.Source)
			if err != nil {
				return err
			}
			c.Candidates = candidates
			if len(candidates) == 1 {
				if err := w.shared(ctx, &c, state.Link{LinkHead: state.LinkHead{TargetID: candidates[0].Record.Account.ID}}); err != nil {
					return err
				}
			}
		}
		w.take(c, nil, w.decider.Decide(c))
		return nil
	})
}

// candidates looks for the other half of an account, by each match attribute in order; the first that finds somebody decides.
func (w *world) candidates(ctx context.Context, source *diff.Record) ([]diff.Candidate, error) {
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
			if linked, ok := w.linkedTo[position]; ok {
				if err := w.describeTaken(ctx, &candidate, linked); err != nil {
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

func (w *world) describeTaken(ctx context.Context, candidate *diff.Candidate, sourceID string) error {
	link, err := w.engine.options.State.LinkBySource(ctx, w.sync.Name, sourceID)
	if errors.Is(err, state.ErrNotFound) {
		link, err = w.recovered[sourceID], nil
	}
	if err != nil {
		return err
	}
	candidate.LinkedTo = orID(link.SourceLabel, sourceID)
	candidate.Gone = w.gone[sourceID]
	if !candidate.Gone && w.source.Position(sourceID) < 0 && w.source.Certificate.Complete {
		if getter, ok := w.job.Source.(directory.Getter); ok {
			_, err := getter.GetAccount(ctx, sourceID)
			candidate.Gone = errors.Is(err, directory.NotFound)
		}
	}
	return nil
}

// decideTargets counts the unmanaged accounts and plans the creations that flow back.
func (w *world) decideTargets(ctx context.Context) error {
	if w.direct {
		return nil
	}
	if !w.sync.Writeback.Create {
		w.counts.Unmanaged += w.target.Len() - len(w.linkedTo)
		return nil
	}
	return w.target.Each(func(account directory.Account) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		if _, linked := w.linkedTo[w.target.Position(account.ID)]; linked {
			return nil
		}
		w.counts.Unmanaged++
		c := diff.Case{Target: w.targetRecord(account)}
		if w.knownInSource(account) || !w.source.Certificate.Complete {
			return nil
		}
		w.take(c, nil, w.decider.Decide(c))
		return nil
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
