package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/rollcall-sync/rollcall/sync/diff"
	"github.com/rollcall-sync/rollcall/sync/directory"
	"github.com/rollcall-sync/rollcall/sync/mapping"
	"github.com/rollcall-sync/rollcall/sync/plan"
	"github.com/rollcall-sync/rollcall/sync/snapshot"
	"github.com/rollcall-sync/rollcall/sync/state"
)

// readOne looks one person up on both sides instead of listing them: by the links, by id, by username and by e-mail. What
// comes of it are two small snapshots, and the line goes on as always.
func (w *world) readOne(ctx context.Context) error {
	w.direct = true
	who := strings.TrimSpace(w.job.Account)
	links, err := w.engine.options.State.FindLinks(ctx, w.sync.Name, who)
	if err != nil {
		return err
	}
	sources, err := w.findSource(ctx, who, links)
	if err != nil {
		return err
	}
	groups, err := w.directGroups(ctx, w.job.Source, sources, w.sourceGroupNeed())
	if err != nil {
		return err
	}
	folder, now := w.engine.options.Snapshots, w.engine.options.Now()
	if w.source, err = snapshot.Direct(folder, w.sourceSide, groups, sources, now); err != nil {
		return err
	}
	if err := w.judgeDirect(ctx, w.job.Source, plan.Source, links); err != nil {
		return err
	}
	targets, err := w.findTarget(ctx, sources, links, groups)
	if err != nil {
		return err
	}
	if groups, err = w.directGroups(ctx, w.job.Target, targets, w.targetGroupNeed()); err != nil {
		return err
	}
	if w.target, err = snapshot.Direct(folder, w.targetSide, groups, targets, now); err != nil {
		return err
	}
	return w.judgeDirect(ctx, w.job.Target, plan.Target, nil)
}

// judgeDirect takes into a certificate what speaks against a directory that was asked for one person: a count outside the
// usual band, and what failed in a listing that stood in for look-ups. A directory that lost most of its people says
// "no such account" for each of them with a good conscience; a whole run would not believe it, so one person's does not.
func (w *world) judgeDirect(ctx context.Context, d directory.Directory, side plan.Side, links []state.Link) error {
	s := w.source
	if side == plan.Target {
		s = w.target
	}
	listed, wasListed := w.listed[side]
	for _, clause := range listed.Clauses {
		if !clause.Passed {
			s.Certificate.Doubt(clause.Name, clause.Detail, clause.Remedy)
		}
	}
	if counter, ok := d.(directory.Counter); ok && !wasListed {
		expect, err := w.expectation(ctx, d, side)
		if err != nil {
			return err
		}
		n, err := counter.CountAccounts(ctx)
		switch {
		case err == nil:
			s.Certificate.JudgeCount(s.Description.Name, n, expect)
		case ctx.Err() != nil:
			return ctx.Err()
		case !errors.Is(err, directory.Unsupported):
			s.Certificate.Doubt(snapshot.ClauseCount, "the count could not be read: "+err.Error(), "run again when "+s.Description.Name+" answers")
		}
	}
	if side == plan.Source {
		w.settleMissing(links)
	}
	return nil
}

// expectation is what the last complete run tells about the size of a directory.
func (w *world) expectation(ctx context.Context, d directory.Directory, side plan.Side) (snapshot.Expectation, error) {
	expect := snapshot.Expectation{LastCount: -1, Linked: w.linkedCount, Trust: slices.Contains(w.job.TrustSize, d.Describe().Name)}
	last, err := w.engine.options.State.LastGood(ctx, w.sync.Name)
	switch {
	case errors.Is(err, state.ErrNotFound):
		return expect, nil
	case err != nil:
		return expect, err
	case side == plan.Source:
		expect.LastCount = last.SourceRead
	default:
		expect.LastCount = last.TargetRead
	}
	return expect, nil
}

// settleMissing decides who of those that the source does not have is gone. Where it cannot be asked, a listing is all
// there is, and the whole runs before this one must have missed the account too.
func (w *world) settleMissing(links []state.Link) {
	_, canAsk := w.job.Source.(directory.Getter)
	for _, link := range links {
		if w.missing[link.SourceID] && !canAsk && link.MissingRuns+1 < enoughRuns {
			w.source.Certificate.Doubt(snapshot.ClauseWitness,
				fmt.Sprintf("%s cannot be asked for one account, and one listing alone proves nobody gone", w.sourceSide.Name),
				fmt.Sprintf("run the whole sync: who is missing from %d complete listings in a row is gone", enoughRuns))
		}
	}
	if w.source.Certificate.Complete {
		w.gone = w.missing
	}
}

// findSource returns the source account that is meant: one, or none when nobody has that name any more. Those whom the
// source does not have are missing; whether they are gone is decided by judgeDirect.
func (w *world) findSource(ctx context.Context, who string, links []state.Link) ([]directory.Account, error) {
	ids := []string{who}
	for _, link := range links {
		ids = append(ids, link.SourceID)
	}
	found, missing, err := w.lookUp(ctx, w.job.Source, plan.Source, ids, []string{directory.Username, directory.Email}, who)
	if err != nil {
		return nil, err
	}
	for _, link := range links {
		if missing[link.SourceID] {
			w.missing[link.SourceID] = true
		}
	}
	// The same id may stand for one person in the source and for another in the target; here the source's own is meant.
	if i := slices.IndexFunc(found, func(a directory.Account) bool { return a.ID == who }); i >= 0 {
		for _, link := range links {
			if link.SourceID != who {
				delete(w.missing, link.SourceID)
			}
		}
		return found[i : i+1], nil
	}
	switch {
	case len(found) > 1:
		names := make([]string, 0, len(found))
		for _, account := range found {
			names = append(names, fmt.Sprintf("%s (id %s)", account.Label(), account.ID))
		}
		return nil, fmt.Errorf("%w for %q in %s: %s; name the one that is meant by its id", ErrAmbiguous, who, w.sourceSide.Name, strings.Join(names, ", "))
	case len(found) == 0 && len(w.missing) == 0:
		return nil, fmt.Errorf("%w: %q is no id, username or e-mail in %s, and nobody linked has that name", ErrNobody, who, w.sourceSide.Name)
	case len(links) > 1 && len(found) == 0:
		return nil, fmt.Errorf("%w for %q: %d links have that name; name the one that is meant by its source id", ErrAmbiguous, who, len(links))
	}
	return found, nil
}

// lookUp gets accounts by id and finds them by attributes. missing holds the ids that the directory says it does not have:
// as true as the directory is whole, and as the listing that stood in for a look-up.
func (w *world) lookUp(ctx context.Context, d directory.Directory, side plan.Side, ids, attributes []string, value string) (found []directory.Account, missing map[string]bool, err error) {
	missing = make(map[string]bool)
	add := func(account directory.Account) {
		if !slices.ContainsFunc(found, func(a directory.Account) bool { return a.ID == account.ID }) {
			found = append(found, account)
		}
	}
	getter, canGet := d.(directory.Getter)
	finder, canFind := d.(directory.Finder)
	if !canGet || !canFind {
		return w.lookUpInListing(ctx, d, side, ids, attributes, value)
	}
	slices.Sort(ids)
	var unsure error
	for _, id := range slices.Compact(ids) {
		account, err := getter.GetAccount(ctx, id)
		switch {
		case err == nil:
			add(account)
		case errors.Is(err, directory.NotFound):
			missing[id] = true
		case errors.Is(err, directory.Invalid):
			// A name in the place of an id; finding by attributes comes next.
		case errors.Is(err, directory.Retryable) && len(attributes) > 0 && ctx.Err() == nil:
			unsure = err // whoever has that name may be there under another id
		default:
			return nil, nil, err
		}
	}
	for _, name := range attributes {
		if value == "" {
			break
		}
		accounts, err := finder.FindAccounts(ctx, name, value)
		if err != nil && !errors.Is(err, directory.Unsupported) && !errors.Is(err, directory.Invalid) {
			return nil, nil, err
		}
		for _, account := range accounts {
			add(account)
		}
	}
	if len(found) == 0 && unsure != nil {
		return nil, nil, unsure
	}
	return found, missing, nil
}

// lookUpInListing finds accounts in a full listing, where a directory cannot be asked for one.
func (w *world) lookUpInListing(ctx context.Context, d directory.Directory, side plan.Side, ids, attributes []string, value string) (found []directory.Account, missing map[string]bool, err error) {
	expect, err := w.expectation(ctx, d, side)
	if err != nil {
		return nil, nil, err
	}
	all, err := snapshot.Read(ctx, d, snapshot.Options{Folder: w.engine.options.Snapshots, Now: w.engine.options.Now, Expect: expect})
	if err != nil {
		return nil, nil, err
	}
	defer all.Close()
	if before, ok := w.listed[side]; !ok || before.Complete {
		w.listed[side] = all.Certificate
	}
	description := d.Describe()
	missing = make(map[string]bool)
	for _, id := range ids {
		missing[id] = true
	}
	err = all.Each(func(account directory.Account) error {
		hit := slices.Contains(ids, account.ID)
		for _, name := range attributes {
			spec := specOf(description, name)
			key := mapping.Key(directory.Text(value), spec)
			hit = hit || (key != "" && mapping.Key(account.Attributes[name], spec) == key)
		}
		if hit {
			delete(missing, account.ID)
			found = append(found, account)
		}
		return nil
	})
	return found, missing, err
}

// findTarget returns every target account that has to do with the person: the linked one, those that match, and those that
// hold a unique value that the rules want.
func (w *world) findTarget(ctx context.Context, sources []directory.Account, links []state.Link, sourceGroups []directory.Group) ([]directory.Account, error) {
	var found []directory.Account
	add := func(accounts []directory.Account) {
		for _, account := range accounts {
			if !slices.ContainsFunc(found, func(a directory.Account) bool { return a.ID == account.ID }) {
				found = append(found, account)
			}
		}
	}
	for _, account := range sources {
		link, err := w.engine.options.State.LinkBySource(ctx, w.sync.Name, account.ID)
		if err == nil && !slices.ContainsFunc(links, func(l state.Link) bool { return l.SourceID == account.ID }) {
			links = append(links, link)
		} else if err != nil && !errors.Is(err, state.ErrNotFound) {
			return nil, err
		}
	}
	for _, link := range links {
		accounts, missing, err := w.lookUp(ctx, w.job.Target, plan.Target, []string{link.TargetID}, nil, "")
		if err != nil {
			return nil, err
		}
		add(accounts)
		w.targetGone[link.TargetID] = missing[link.TargetID]
	}
	groups := diff.NewGroups(sourceGroups)
	for _, account := range sources {
		record := mapping.Record{Account: account, Groups: groups.Resolve(account.Groups, w.sync.GroupOptions.Nested)}
		out := w.mapping.Outbound(record)
		for _, name := range keyNames(w.targetSide, w.matchNames) {
			value := w.wanted(&diff.Record{Account: account, Out: out}, name, specOf(w.targetSide, name))
			if value.IsEmpty() {
				continue
			}
			accounts, _, err := w.lookUp(ctx, w.job.Target, plan.Target, nil, []string{name}, value.String())
			if err != nil {
				return nil, err
			}
			add(accounts)
		}
	}
	return found, nil
}

// directGroups reads the groups of a directory and fills in the memberships of a few accounts.
func (w *world) directGroups(ctx context.Context, d directory.Directory, accounts []directory.Account, need snapshot.GroupNeed) ([]directory.Group, error) {
	if !need.All && !need.List && need.Choose == nil {
		return nil, nil
	}
	lister, ok := d.(directory.GroupLister)
	if !ok {
		unknownGroups(accounts)
		return nil, nil
	}
	groups, err := snapshot.ListGroups(ctx, lister, need.Names)
	if err != nil || d.Describe().GroupsInline {
		return groups, err
	}
	for i := range accounts {
		if byAccount, ok := d.(directory.MembershipLister); ok {
			accounts[i].Groups, err = byAccount.ListMemberships(ctx, accounts[i].ID)
		} else if byGroup, ok := d.(directory.MemberLister); ok {
			accounts[i].Groups, err = snapshot.GroupsOf(ctx, byGroup, groups, accounts[i].ID)
		} else {
			unknownGroups(accounts)
			break
		}
		if err != nil {
			return nil, err
		}
		accounts[i].GroupsKnown = true
	}
	return groups, nil
}

// unknownGroups marks the memberships of accounts as not read: nothing is decided by them then.
func unknownGroups(accounts []directory.Account) {
	for i := range accounts {
		accounts[i].Groups, accounts[i].GroupsKnown = nil, false
	}
}
