package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/rollcall-sync/rollcall/sync/directory"
	"github.com/rollcall-sync/rollcall/sync/mapping"
	"github.com/rollcall-sync/rollcall/sync/plan"
	"github.com/rollcall-sync/rollcall/sync/rules"
	"github.com/rollcall-sync/rollcall/sync/snapshot"
	"github.com/rollcall-sync/rollcall/sync/state"
)

// recover settles what an interrupted run left behind: intents without outcome. Both sides have just been read, so what
// became of them can be seen:
//
//	create       an account with all its unique values, and no link: it is ours, and linked
//	             none, and none is found when it is asked for either: it was not created; it will be, in this run
//	deactivate   inactive now: we did it, and remember the groups it had
//	activate     active now: we did it
//	delete       gone now: the link goes too
//	the rest     done where the account shows it, for the journal alone: the comparison finds out by itself what is left
//
// In a plan nothing is saved; the plan is made as if it were.
func (w *world) recover(ctx context.Context, persist bool) error {
	pending, err := w.engine.pendingOf(ctx, w.sync.Name)
	if err != nil || len(pending) == 0 {
		return err
	}
	keys := map[plan.Side]*snapshot.Keys{}
	for _, entry := range pending {
		var o plan.Operation
		if err := json.Unmarshal(entry.Operation, &o); err != nil {
			return fmt.Errorf("state: the journal entry %d of run %s cannot be read: %w", entry.Seq, entry.Run, err)
		}
		out := state.Outcome{Run: entry.Run, Seq: entry.Seq, Result: state.ResultFailed, Message: "the run was cut off; read back, and it was not done"}
		done, clear, err := w.settle(ctx, o, &out, keys)
		if err != nil {
			return err
		}
		if !clear {
			continue
		}
		if done {
			out.Result, out.Message = state.ResultDone, "the run was cut off; read back, and it was done"
		}
		if out.Link != nil {
			w.recovered[out.Link.SourceID] = *out.Link
		}
		w.settled = append(w.settled, out)
	}
	if persist && len(w.settled) > 0 {
		w.engine.options.Log.Info("settled what an interrupted run left behind", "sync", w.sync.Name, "operations", len(w.settled))
		if err := w.engine.options.State.Resolve(ctx, w.settled...); err != nil {
			return err
		}
		w.recovered = make(map[string]state.Link) // they are in the state now
	}
	return nil
}

// settle finds out about one intent. clear is false where it cannot be told yet.
func (w *world) settle(ctx context.Context, o plan.Operation, out *state.Outcome, keys map[plan.Side]*snapshot.Keys) (done, clear bool, err error) {
	if o.Action == plan.Create {
		return w.settleCreate(ctx, o, out, keys)
	}
	if o.Side == plan.Target && o.Action == plan.Update && !o.Temporary {
		return w.settleUpdate(ctx, o, out)
	}
	if o.Side != plan.Target || (o.Action != plan.Deactivate && o.Action != plan.Activate && o.Action != plan.Delete) {
		return w.shows(o)
	}
	link, err := w.engine.options.State.LinkBySource(ctx, w.sync.Name, o.SourceID)
	if errors.Is(err, state.ErrNotFound) {
		return w.shows(o)
	}
	if err != nil {
		return false, false, err
	}
	account, present, err := w.target.Get(o.TargetID)
	if err != nil {
		return false, false, err
	}
	switch {
	case !present && (w.direct || !w.target.Certificate.Complete || !w.goneFromTarget(ctx, o.TargetID)):
		return false, false, nil
	case o.Action == plan.Delete:
		out.DropLink = !present
		return !present, true, nil
	case !present:
		return o.Action.Loss(), true, nil
	case o.Action == plan.Deactivate && present && account.Status == directory.StatusInactive:
		link.Claim, link.DeactivatedAt, link.DeactivatedBy, link.RememberedGroups = state.Released, w.engine.options.Now(), out.Run, o.Groups
	case o.Action == plan.Activate && present && account.Status == directory.StatusActive:
		link.Claim, link.DeactivatedAt, link.DeactivatedBy, link.RememberedGroups = state.Held, time.Time{}, "", nil
	default:
		return false, true, nil
	}
	link.SourceHash, link.TargetHash = 0, 0
	out.Link = &link
	return true, true, nil
}

// settleUpdate takes an update that shows into the base: what was written is what both sides agreed on.
func (w *world) settleUpdate(ctx context.Context, o plan.Operation, out *state.Outcome) (done, clear bool, err error) {
	done, clear, err = w.shows(o)
	if err != nil || !done {
		return done, clear, err
	}
	account, _, err := w.target.Get(o.TargetID)
	if err != nil {
		return false, false, err
	}
	link, err := w.engine.options.State.LinkBySource(ctx, w.sync.Name, o.SourceID)
	if errors.Is(err, state.ErrNotFound) || (err == nil && link.TargetID != o.TargetID) {
		return true, true, nil // unlinked meanwhile
	}
	if err != nil {
		return false, false, err
	}
	for _, change := range o.Changes {
		link.Base.Attributes[change.Attribute] = state.Pair{Source: change.After, Target: account.Attributes[change.Attribute]}
	}
	link.SourceHash, link.TargetHash = 0, 0
	out.Link = &link
	return true, true, nil
}

func (w *world) settleCreate(ctx context.Context, o plan.Operation, out *state.Outcome, keys map[plan.Side]*snapshot.Keys) (done, clear bool, err error) {
	s, description := w.target, w.targetSide
	if o.Side == plan.Source {
		s, description = w.source, w.sourceSide
	}
	account, found, err := w.findCreated(s, description, o, keys)
	if err != nil {
		return false, false, err
	}
	if !found {
		var known bool
		account, found, known = w.askForCreated(ctx, s, description, o)
		if !found && (w.direct || !s.Certificate.Complete || !known) {
			w.unclear[o.SourceID] = true
			return false, false, nil
		}
		if !found {
			return false, true, nil
		}
	}
	link := state.Link{
		Sync: w.sync.Name, SourceDirectory: w.sourceSide.Name, TargetDirectory: w.targetSide.Name, Origin: state.OriginRecovered, CreatedRun: out.Run,
		SourceLabel: o.Account, TargetLabel: o.Account,
	}
	link.SourceID, link.TargetID, link.Claim, link.Rules = o.SourceID, o.TargetID, state.Held, w.rules
	written := make(map[string]state.Pair)
	if o.Side == plan.Target {
		link.TargetID = account.ID
		link.Base.Groups = o.Groups
		for _, change := range o.Changes {
			if stored, ok := account.Attributes[change.Attribute]; ok && w.storedAsSent(change, stored) {
				written[change.Attribute] = state.Pair{Source: change.After, Target: stored}
			}
		}
	} else {
		link.SourceID = account.ID
	}
	w.agreeOnTheRest(account, o, written)
	link.Base.Attributes = written
	for _, taken := range []func() (state.Link, error){
		func() (state.Link, error) {
			return w.engine.options.State.LinkBySource(ctx, w.sync.Name, link.SourceID)
		},
		func() (state.Link, error) {
			return w.engine.options.State.LinkByTarget(ctx, w.sync.Name, link.TargetID)
		},
	} {
		switch old, err := taken(); {
		case errors.Is(err, state.ErrNotFound):
		case err != nil:
			return false, false, err
		case o.Side == plan.Target && old.SourceID == o.SourceID && w.target.Position(old.TargetID) < 0:
			out.DropLink = true // it was being made anew
		default:
			return false, true, nil // linked meanwhile
		}
	}
	out.Link = &link
	return true, true, nil
}

// shows reports whether an account shows what an operation wanted. clear is false where its record says nothing about it.
func (w *world) shows(o plan.Operation) (done, clear bool, err error) {
	s, description := w.target, w.targetSide
	if o.Side == plan.Source {
		s, description = w.source, w.sourceSide
	}
	whole := !w.direct && s.Certificate.Complete
	group := o.GroupID
	if group == "" && o.GroupName != "" {
		for _, g := range s.Groups {
			if g.Name == o.GroupName {
				group = g.ID
			}
		}
	}
	if o.Action == plan.CreateGroup {
		return group != "", group != "" || whole, nil
	}
	account, present, err := s.Get(o.WrittenID())
	switch {
	case err != nil:
		return false, false, err
	case !present:
		return o.Action.Loss(), whole, nil
	case account.Problem != "":
		return false, false, nil
	}
	switch o.Action {
	case plan.Update:
		for _, change := range o.Changes {
			spec, _ := description.Attribute(change.Attribute)
			if stored, read := account.Attributes[change.Attribute]; !read || !mapping.Equal(stored, change.After, spec) {
				return false, true, nil
			}
		}
		return true, true, nil
	case plan.Activate:
		return account.Status == directory.StatusActive, true, nil
	case plan.Deactivate:
		return account.Status == directory.StatusInactive, true, nil
	case plan.GroupAdd, plan.GroupRemove:
		return slices.Contains(account.Groups, group) == (o.Action == plan.GroupAdd), account.GroupsKnown, nil
	default:
		return false, true, nil
	}
}

// storedAsSent reports whether the value that a recovered account has now is what the directory made of the one that was sent. A value
// that is another one may be somebody's edit since: where only the source leads, it is written again, and then it is known
// how it is stored. One that can be given at creation alone nobody has edited.
func (w *world) storedAsSent(change plan.Change, stored directory.Value) bool {
	spec, _ := w.targetSide.Attribute(change.Attribute)
	if !spec.Writable || mapping.Equal(stored, change.After, spec) {
		return true
	}
	for _, rule := range w.mapping.Rules().Attributes {
		if rule.Target == change.Attribute {
			return rule.Direction == rules.Both
		}
	}
	return false
}

// agreeOnTheRest adds what the directory filled in by itself when it created the account; see diff.Decider.Rebase.
func (w *world) agreeOnTheRest(account directory.Account, o plan.Operation, base map[string]state.Pair) {
	if o.Side != plan.Target {
		return
	}
	for _, rule := range w.mapping.Rules().Attributes {
		if _, ok := base[rule.Target]; !ok && rule.Direction == rules.Both {
			base[rule.Target] = state.Pair{Target: account.Attributes[rule.Target]}
		}
	}
}

// findCreated looks for the account that a creation was about to make: unprivileged, with every unique value of it.
func (w *world) findCreated(s *snapshot.Snapshot, description directory.Description, o plan.Operation, keys map[plan.Side]*snapshot.Keys) (directory.Account, bool, error) {
	names := keyNames(description, nil)
	if keys[o.Side] == nil {
		index, err := snapshot.NewKeys(s, keysOf(description, names))
		if err != nil {
			return directory.Account{}, false, err
		}
		keys[o.Side] = index
	}
	wanted := uniqueOf(o, description)
	for _, name := range sortedKeys(wanted) {
		for _, position := range keys[o.Side].Positions(name + "\x00" + wanted[name]) {
			account, err := s.At(position)
			if err != nil {
				return directory.Account{}, false, err
			}
			if account.Privileged == "" && holdsAll(account, wanted, description) {
				return account, true, nil
			}
		}
	}
	return directory.Account{}, false, nil
}

// askForCreated asks the directory for the account that a listing lacks, before it is made a second time: a record that could not
// be read hides its values, and a listing may leave an account out although the count agrees. known is false where the
// directory could not answer.
func (w *world) askForCreated(ctx context.Context, s *snapshot.Snapshot, description directory.Description, o plan.Operation) (account directory.Account, found, known bool) {
	d := w.job.Target
	if o.Side == plan.Source {
		d = w.job.Source
	}
	wanted := uniqueOf(o, description)
	finder, canFind := d.(directory.Finder)
	for _, change := range o.Changes {
		spec, _ := description.Attribute(change.Attribute)
		if wanted[change.Attribute] == "" || !canFind || !spec.Searchable {
			continue
		}
		accounts, err := finder.FindAccounts(ctx, change.Attribute, change.After.String())
		if err != nil {
			return directory.Account{}, false, false
		}
		for _, account := range accounts {
			switch ours := holdsAll(account, wanted, description); {
			case account.Problem != "", ours && account.Privileged != "": // made, and promoted since: not to be written, nor made again
				return directory.Account{}, false, false
			case ours:
				return account, true, true
			}
		}
		known = true
	}
	if known {
		return directory.Account{}, false, true
	}
	err := s.Each(func(account directory.Account) error { // nobody can be asked: then every record must have been read
		if account.Problem != "" || holdsAll(account, wanted, description) {
			return errUnread
		}
		return nil
	})
	return directory.Account{}, false, err == nil
}

var errUnread = errors.New("a record could not be read")

// uniqueOf returns the keys of the unique values that a creation gives, by attribute.
func uniqueOf(o plan.Operation, description directory.Description) map[string]string {
	wanted := make(map[string]string)
	for _, change := range o.Changes {
		if spec := specOf(description, change.Attribute); spec.Unique {
			if key := mapping.Key(change.After, spec); key != "" {
				wanted[change.Attribute] = key
			}
		}
	}
	return wanted
}

func holdsAll(account directory.Account, wanted map[string]string, description directory.Description) bool {
	for name, key := range wanted {
		if mapping.Key(account.Attributes[name], specOf(description, name)) != key {
			return false
		}
	}
	return len(wanted) > 0
}
