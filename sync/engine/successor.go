package engine

import (
	"context"
	"errors"
	"slices"

	"github.com/rollcall-sync/rollcall/sync/diff"
	"github.com/rollcall-sync/rollcall/sync/directory"
	"github.com/rollcall-sync/rollcall/sync/mapping"
	"github.com/rollcall-sync/rollcall/sync/snapshot"
	"github.com/rollcall-sync/rollcall/sync/state"
)

// successor looks for the account that a person has now whose old one is gone from the source: without a link, active, in scope,
// and with the target account's own names. An identity provider that was rebuilt, or a person who was moved to another
// organisation, comes back under a new id; who only got the address has another username.
func (w *world) successor(ctx context.Context, c *diff.Case) error {
	if c.Source != nil || c.Target == nil || c.SourceMissing != diff.Gone {
		return nil
	}
	found, err := w.newcomersLike(ctx, c.Target.Account)
	if err != nil {
		return err
	}
	for _, account := range found {
		record := w.sourceRecord(account)
		same, agrees := w.sameNames(record, c.Target.Account)
		if !agrees || !comesIn(record) {
			continue
		}
		c.Successor = &diff.Successor{ID: account.ID, Label: account.Label(), Same: same}
		own, err := w.unlinkedCase(ctx, account)
		if err != nil {
			return err
		}
		for _, o := range w.decider.Decide(own).Operations {
			c.Successor.Takes = c.Successor.Takes || o.TargetID == c.Target.Account.ID
		}
		return nil
	}
	return nil
}

// comesIn reports that a source account would have an account in the target.
func comesIn(record *diff.Record) bool {
	return record.Account.Problem == "" && record.Account.Status == directory.StatusActive && record.Out.Scope == mapping.Yes
}

// tellingNames are the attributes that tell people apart: those that accounts are matched by, and their names.
func (w *world) tellingNames() []string {
	names := slices.Clone(w.matchNames)
	for _, name := range []string{directory.Username, directory.Email} {
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

// sameNames reports whether a source account and one of the target agree in every telling attribute that both have.
func (w *world) sameNames(source *diff.Record, target directory.Account) (same []string, agrees bool) {
	for _, name := range w.tellingNames() {
		spec := specOf(w.targetSide, name)
		wanted, has := mapping.Key(w.wanted(source, name, spec), spec), mapping.Key(target.Attributes[name], spec)
		switch {
		case wanted == "" || has == "":
		case wanted != has:
			return nil, false
		default:
			same = append(same, name)
		}
	}
	return same, len(same) > 0
}

// newcomersLike returns the source accounts without a link that share a telling value with an account of the target.
func (w *world) newcomersLike(ctx context.Context, target directory.Account) ([]directory.Account, error) {
	if w.newcomers == nil {
		var err error
		if w.newcomers, err = snapshot.NewKeys(w.source, w.newcomerKeys); err != nil {
			return nil, err
		}
	}
	var found []directory.Account
	for _, name := range w.tellingNames() {
		spec := specOf(w.targetSide, name)
		key := mapping.Key(target.Attributes[name], spec)
		if key == "" {
			continue
		}
		for _, position := range w.newcomers.Positions(name + "\x00" + key) {
			account, err := w.source.At(position)
			if err != nil {
				return nil, err
			}
			found = append(found, account)
		}
		if w.direct && !w.offline {
			asked, err := w.askForNewcomers(ctx, name, target.Attributes[name])
			if err != nil {
				return nil, err
			}
			found = append(found, asked...)
		}
	}
	return found, nil
}

func (w *world) newcomerKeys(account directory.Account) []string {
	if w.inSource[w.source.Position(account.ID)] {
		return nil
	}
	record := w.sourceRecord(account)
	if !comesIn(record) {
		return nil
	}
	var keys []string
	for _, name := range w.tellingNames() {
		spec := specOf(w.targetSide, name)
		if key := mapping.Key(w.wanted(record, name, spec), spec); key != "" {
			keys = append(keys, name+"\x00"+key)
		}
	}
	return keys
}

// askForNewcomers asks the source for accounts with a value, in a run of one person, which has no listing. What the source cannot
// be asked, the next night sees.
func (w *world) askForNewcomers(ctx context.Context, name string, value directory.Value) ([]directory.Account, error) {
	finder, ok := w.job.Source.(directory.Finder)
	if spec, known := w.sourceSide.Attribute(name); !ok || !known || !spec.Searchable {
		return nil, nil
	}
	accounts, err := finder.FindAccounts(ctx, name, value.String())
	if errors.Is(err, directory.Unsupported) || errors.Is(err, directory.Invalid) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var found []directory.Account
	for _, account := range accounts {
		_, err := w.engine.options.State.LinkBySource(ctx, w.sync.Name, account.ID)
		if errors.Is(err, state.ErrNotFound) {
			found = append(found, account)
		} else if err != nil {
			return nil, err
		}
	}
	return found, nil
}
