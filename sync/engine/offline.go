package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/rollcall-sync/rollcall/sync/directory"
	"github.com/rollcall-sync/rollcall/sync/mapping"
	"github.com/rollcall-sync/rollcall/sync/plan"
	"github.com/rollcall-sync/rollcall/sync/snapshot"
	"github.com/rollcall-sync/rollcall/sync/state"
)

// readKept takes one person out of the last listings. A run keeps them as they were before it wrote anything, so what the
// journal says was done since is done to them first.
func (w *world) readKept(ctx context.Context, who string) (from string, err error) {
	folder := w.engine.options.Snapshots
	source, err := snapshot.Load(folder, w.sourceSide.Name)
	if err != nil {
		return "", err
	}
	defer source.Close()
	target, err := snapshot.Load(folder, w.targetSide.Name)
	if err != nil {
		return "", err
	}
	defer target.Close()
	w.sourceSide, w.targetSide = source.Description, target.Description
	writers := []string{w.sync.Name}
	keptSource, err := w.replay(ctx, source, plan.Source, writers)
	if err != nil {
		return "", err
	}
	for _, other := range w.job.Others {
		writers = append(writers, other.Name)
	}
	keptTarget, err := w.replay(ctx, target, plan.Target, writers)
	if err != nil {
		return "", err
	}
	kept := *w
	kept.job.Source, kept.job.Target = keptSource, keptTarget
	if err := kept.readOne(ctx); err != nil {
		return "", err
	}
	w.source, w.target, w.direct, w.gone, w.targetGone, w.missing = kept.source, kept.target, true, kept.gone, kept.targetGone, kept.missing
	return fmt.Sprintf("the listings of %s (%s) and %s (%s), with what was written since", w.sourceSide.Name,
		source.TakenAt.Local().Format(time.DateTime), w.targetSide.Name, target.TakenAt.Local().Format(time.DateTime)), nil
}

// keptDirectory answers look-ups from a listing and from what was written after it was taken.
type keptDirectory struct {
	*snapshot.Snapshot
	groups []directory.Group
	// written holds the accounts that were written since, by id; nil for one that was deleted.
	written map[string]*directory.Account
}

// replay brings a listing up to the last write of some syncs.
func (w *world) replay(ctx context.Context, s *snapshot.Snapshot, side plan.Side, writers []string) (keptDirectory, error) {
	k := keptDirectory{Snapshot: s, groups: slices.Clone(s.Groups), written: make(map[string]*directory.Account)}
	err := w.engine.options.State.Entries(ctx, state.EntryFilter{Since: s.TakenAt}, func(e state.Entry) error {
		if e.Side != string(side) || e.Result != state.ResultDone || !slices.Contains(writers, e.Sync) {
			return nil
		}
		var o plan.Operation
		if err := json.Unmarshal(e.Operation, &o); err != nil {
			return fmt.Errorf("state: the journal entry %d of run %s cannot be read: %w", e.Seq, e.Run, err)
		}
		return k.take(o, e.Stored)
	})
	return k, err
}

// storedAccount is an account as the journal keeps it.
type storedAccount struct {
	ID         string               `json:"id"`
	Status     string               `json:"status"`
	Attributes directory.Attributes `json:"attributes"`
	Groups     []string             `json:"groups"`
}

// take does one operation to the listing.
func (k *keptDirectory) take(o plan.Operation, stored json.RawMessage) error {
	if o.Action == plan.CreateGroup {
		// The journal does not know the id of a new group; its name stands in for it.
		k.groups = append(k.groups, directory.Group{ID: o.GroupName, Name: o.GroupName})
		return nil
	}
	var now storedAccount
	if len(stored) > 0 {
		if err := json.Unmarshal(stored, &now); err != nil {
			return fmt.Errorf("state: what the journal keeps of %s cannot be read: %w", o.Account, err)
		}
	}
	id := orID(now.ID, o.WrittenID())
	if id == "" {
		return nil
	}
	if o.Action == plan.Delete {
		k.written[id] = nil
		return nil
	}
	account, err := k.GetAccount(context.Background(), id)
	if errors.Is(err, directory.NotFound) {
		account, err = directory.Account{ID: id, GroupsKnown: true}, nil
	}
	if err != nil {
		return err
	}
	account = account.Clone()
	if account.Attributes == nil {
		account.Attributes = make(directory.Attributes)
	}
	maps.Copy(account.Attributes, now.Attributes)
	switch now.Status {
	case directory.StatusActive.String():
		account.Status = directory.StatusActive
	case directory.StatusInactive.String():
		account.Status = directory.StatusInactive
	}
	k.takeGroups(o, &account, now.Groups)
	k.written[id] = &account
	return nil
}

func (k *keptDirectory) takeGroups(o plan.Operation, account *directory.Account, stored []string) {
	in := make(map[string]bool)
	for _, id := range slices.Concat(account.Groups, stored) {
		in[id] = true
	}
	switch o.Action {
	case plan.Create:
		for _, id := range slices.Concat(o.Groups, o.NewGroups) {
			in[id] = true
		}
	case plan.GroupAdd, plan.GroupRemove:
		in[o.GroupID], in[o.GroupName] = o.Action == plan.GroupAdd, o.Action == plan.GroupAdd
	}
	account.Groups = nil
	for _, group := range k.groups {
		if in[group.ID] {
			account.Groups = append(account.Groups, group.ID)
		}
	}
}

func (k keptDirectory) Describe() directory.Description {
	d := k.Description
	d.GroupsInline = true
	return d
}

func (k keptDirectory) Close() error { return nil }

// each calls fn for all accounts as they are now.
func (k keptDirectory) each(fn func(directory.Account) error) error {
	err := k.Each(func(account directory.Account) error {
		if _, again := k.written[account.ID]; again {
			return nil
		}
		return fn(account)
	})
	for _, id := range sortedKeys(k.written) {
		if account := k.written[id]; err == nil && account != nil {
			err = fn(*account)
		}
	}
	return err
}

func (k keptDirectory) ListAccounts(context.Context, directory.ListRequest) (directory.AccountPage, error) {
	page := directory.AccountPage{}
	err := k.each(func(account directory.Account) error {
		page.Accounts = append(page.Accounts, account)
		return nil
	})
	page.Total = len(page.Accounts)
	return page, err
}

func (k keptDirectory) ListGroups(context.Context, directory.GroupListRequest) (directory.GroupPage, error) {
	return directory.GroupPage{Groups: k.groups, Total: len(k.groups)}, nil
}

func (k keptDirectory) GetAccount(_ context.Context, id string) (directory.Account, error) {
	account, ok, err := directory.Account{}, false, error(nil)
	if written, again := k.written[id]; !again {
		account, ok, err = k.Get(id)
	} else if written != nil {
		account, ok = *written, true
	}
	if err == nil && !ok {
		err = &directory.Error{Kind: directory.NotFound, Op: "get account", Directory: k.Description.Name, Record: id}
	}
	return account, err
}

func (k keptDirectory) FindAccounts(_ context.Context, attribute, value string) (found []directory.Account, err error) {
	spec := specOf(k.Description, attribute)
	key := mapping.Key(directory.Text(value), spec)
	err = k.each(func(account directory.Account) error {
		if key != "" && mapping.Key(account.Attributes[attribute], spec) == key {
			found = append(found, account)
		}
		return nil
	})
	return found, err
}
