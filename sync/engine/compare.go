package engine

import (
	"context"
	"fmt"
	"slices"

	"github.com/rollcall-sync/rollcall/sync/diff"
	"github.com/rollcall-sync/rollcall/sync/directory"
	"github.com/rollcall-sync/rollcall/sync/mapping"
	"github.com/rollcall-sync/rollcall/sync/plan"
	"github.com/rollcall-sync/rollcall/sync/snapshot"
	"github.com/rollcall-sync/rollcall/sync/state"
)

// compare goes through all accounts of both sides once. Most of them are in step, which two equal hashes tell without
// loading anything; only the others are loaded and decided.
func (w *world) compare(ctx context.Context) error {
	w.counts.SourceRead, w.counts.TargetRead = w.source.Len(), w.target.Len()
	w.inSource, w.inTarget = make([]bool, w.source.Len()), make([]bool, w.target.Len())
	look, suspects, err := w.walkLinks(ctx)
	if err != nil {
		return err
	}
	if err := w.witnesses(ctx, suspects); err != nil {
		return err
	}
	if err := w.newDecider(); err != nil {
		return err
	}
	if err := w.decideLinked(ctx, look); err != nil {
		return err
	}
	if err := w.decideUnlinked(ctx); err != nil {
		return err
	}
	if err := w.decideTargets(ctx); err != nil {
		return err
	}
	return w.arrange()
}

// walkLinks looks at all links, counts those in step, and returns the source ids of those to look at, and of those whose
// absence from the source's listing would have consequences.
func (w *world) walkLinks(ctx context.Context) (look, suspects []string, err error) {
	visit := func(head state.LinkHead) {
		source, target := w.source.Position(head.SourceID), w.target.Position(head.TargetID)
		if source >= 0 {
			w.inSource[source] = true
		}
		if target >= 0 && !w.inTarget[target] {
			w.inTarget[target] = true
			w.linkedTargets++
		}
		if w.direct && source < 0 && !w.missing[head.SourceID] {
			return // the account of somebody else, which only holds a value that is wanted
		}
		if source >= 0 && target >= 0 && w.inStep(head, source, target) {
			w.classes.add(diff.Unchanged)
			return
		}
		if source < 0 && w.needsWitness(head) {
			suspects = append(suspects, head.SourceID)
		}
		look = append(look, head.SourceID)
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
	return look, suspects, err
}

// inStep reports that neither side nor the rules have changed since the pair was last found equal.
func (w *world) inStep(head state.LinkHead, source, target int) bool {
	if head.SourceHash == 0 || head.TargetHash == 0 || head.Rules != w.rules || w.direct || head.MissingRuns > 0 {
		return false
	}
	return w.source.HashAt(source) == head.SourceHash && w.target.HashAt(target) == head.TargetHash
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

// indexTarget makes the target's accounts findable by their values, when it is first needed: a night without change is not.
func (w *world) indexTarget() (err error) {
	if w.targetKeys == nil {
		w.targetKeys, err = snapshot.NewKeys(w.target, keysOf(w.targetSide, keyNames(w.targetSide, w.matchNames)))
	}
	return err
}

// indexSource is indexTarget for the source.
func (w *world) indexSource() (err error) {
	if w.sourceKeys == nil {
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

// linkBatch is how many links are loaded, and saved, at a time.
const linkBatch = 500

// eachLink loads the links of source accounts in batches, in their order; those that an interrupted run was about to make
// are known already.
func (w *world) eachLink(ctx context.Context, ids []string, each func(state.Link) error) error {
	for chunk := range slices.Chunk(ids, linkBatch) {
		if err := ctx.Err(); err != nil {
			return err
		}
		links, err := w.engine.options.State.LinksBySource(ctx, w.sync.Name, chunk...)
		if err != nil {
			return err
		}
		for _, id := range chunk {
			link, ok := w.recovered[id]
			if !ok {
				link, ok = links[id]
			}
			if !ok {
				if link, err = w.engine.options.State.LinkBySource(ctx, w.sync.Name, id); err != nil {
					return err
				}
			}
			if err := each(link); err != nil {
				return err
			}
		}
	}
	return nil
}

// decideLinked decides the pairs that are not known to be in step.
func (w *world) decideLinked(ctx context.Context, look []string) error {
	return w.eachLink(ctx, look, func(link state.Link) error {
		c, err := w.linkedCase(ctx, link)
		if err != nil {
			return err
		}
		if w.unclear[link.SourceID] && c.Target == nil {
			w.note(plan.NoteUnknown, c, "an earlier run was cut off while it created this account, and whether it exists cannot be told yet")
			w.tally(c, diff.Skipped)
			return nil
		}
		return w.take(c, &link, w.decider.Decide(c))
	})
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
		if _, canAsk := w.job.Source.(directory.Getter); !canAsk {
			c.ListingsMissed, c.ListingsNeeded = link.MissingRuns+1, enoughRuns
		}
	}
	account, ok, err = w.target.Get(link.TargetID)
	if err != nil {
		return c, err
	}
	if ok {
		c.Target = w.targetRecord(account)
	} else {
		c.TargetMissing = w.targetEvidence(ctx, c.Source, link.TargetID)
	}
	if err := w.successor(ctx, &c); err != nil {
		return c, err
	}
	return c, w.shared(ctx, &c, &link)
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
