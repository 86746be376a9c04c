package apply

import (
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/rollcall-sync/rollcall/sync/directory"
	"github.com/rollcall-sync/rollcall/sync/plan"
	"github.com/rollcall-sync/rollcall/sync/state"
)

// Draft is the link of one pair while operations change it. The engine fills in the exported fields before Run; afterwards
// Link is the link as it was last saved.
type Draft struct {
	Link state.Link
	// Source and Target are the two accounts as last seen; nil where there is none (yet).
	Source, Target *directory.Account
	// Groups are the managed groups that the target account has now.
	Groups []string
	// Err says why the pair cannot be worked on; nothing of it is written then.
	Err error
	// Rebase returns the base of the attributes after writes; see diff.Decider.Rebase.
	Rebase func(source, target *directory.Account, wroteTarget, wroteSource map[string]bool, created bool) map[string]state.Pair

	mu                       sync.Mutex
	wroteTarget, wroteSource map[string]bool
	isNew                    bool
	saved, failed            bool
}

// Saved reports whether any operation has saved the link.
func (d *Draft) Saved() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.saved
}

// Failed reports whether any operation of the pair has failed.
func (d *Draft) Failed() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.failed
}

func (d *Draft) fail() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.failed = true
}

// refuse ends the work on a pair whose link cannot be saved.
func (d *Draft) refuse(err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.Err, d.saved = err, false
}

// id returns the id of the account on one side, which a creation fills in.
func (d *Draft) id(side plan.Side) string {
	d.mu.Lock()
	defer d.mu.Unlock()
	if side == plan.Source {
		return d.Link.SourceID
	}
	return d.Link.TargetID
}

// value returns an attribute of the account on one side as it was last seen.
func (d *Draft) value(side plan.Side, attribute string) directory.Value {
	d.mu.Lock()
	defer d.mu.Unlock()
	account := d.Target
	if side == plan.Source {
		account = d.Source
	}
	if account == nil {
		return directory.Value{}
	}
	return account.Attributes[attribute]
}

// done takes the effect of one operation into the link and returns what the journal saves. The outcome holds the written account
// as the directory stored it, nil where the call returns none; where it was looked up after a lost answer, it tells what was done
// of what was sent.
func (d *Draft) done(o plan.Operation, out outcome, run string, now time.Time) (link *state.Link, drop bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if o.Action == plan.CreateGroup {
		return nil, false
	}
	d.take(o, out)
	switch o.Action {
	case plan.Link:
		d.Link.Origin, d.Link.CreatedRun, d.Link.Claim = state.Origin(o.Origin), run, state.Held
		drop = o.Replaces != ""
	case plan.Create:
		drop = d.created(o, run)
	case plan.Activate:
		if o.Side == plan.Target {
			d.Link.Claim, d.Link.DeactivatedAt, d.Link.DeactivatedBy, d.Link.RememberedGroups = state.Held, time.Time{}, "", nil
		}
	case plan.Deactivate:
		if o.Side == plan.Target {
			d.Link.Claim, d.Link.DeactivatedAt, d.Link.DeactivatedBy = state.Released, now, run
			d.Link.RememberedGroups = slices.Clone(o.Groups)
		}
	case plan.GroupAdd:
		if o.Side == plan.Target {
			d.Groups = append(slices.DeleteFunc(slices.Clone(d.Groups), func(id string) bool { return id == o.GroupID }), o.GroupID)
		}
	case plan.GroupRemove:
		if o.Side == plan.Target {
			d.Groups = slices.DeleteFunc(slices.Clone(d.Groups), func(id string) bool { return id == o.GroupID })
		}
	case plan.Delete:
		d.saved = true
		return nil, true
	}
	d.base()
	d.saved = true
	saved := d.Link
	saved.RememberedGroups = slices.Clone(d.Link.RememberedGroups)
	return &saved, drop
}

// take remembers what was written and how it was stored.
func (d *Draft) take(o plan.Operation, out outcome) {
	wrote, account := &d.wroteTarget, &d.Target
	if o.Side == plan.Source {
		wrote, account = &d.wroteSource, &d.Source
	}
	if out.stored != nil {
		seen := out.stored.Clone()
		if *account != nil { // a write may return less than a listing
			for name, value := range (*account).Attributes {
				if _, ok := seen.Attributes[name]; !ok {
					if seen.Attributes == nil {
						seen.Attributes = make(directory.Attributes)
					}
					seen.Attributes[name] = value
				}
			}
		}
		*account = &seen
	}
	if o.Temporary || (o.Action != plan.Update && o.Action != plan.Create) {
		return
	}
	if *wrote == nil {
		*wrote = make(map[string]bool)
	}
	for _, change := range o.Changes {
		shown := !out.readBack || (*account).Attributes.Text(change.Attribute) == change.After.String()
		(*wrote)[change.Attribute] = shown && !out.unwritten[change.Attribute]
	}
}

// created completes the link of a new account. A link to an account that is gone is replaced.
func (d *Draft) created(o plan.Operation, run string) (drop bool) {
	old := d.Link.CreatedRun != ""
	d.isNew = true
	if o.Side == plan.Target {
		d.Link.TargetID, d.Link.TargetLabel = d.Target.ID, d.Target.Label()
		d.Groups = slices.Clone(o.Groups)
		if d.Target.GroupsKnown {
			d.Groups = slices.DeleteFunc(d.Groups, func(id string) bool { return !slices.Contains(d.Target.Groups, id) })
		}
	} else {
		d.Link.SourceID, d.Link.SourceLabel = d.Source.ID, d.Source.Label()
	}
	d.Link.Origin, d.Link.CreatedRun, d.Link.Claim = state.Origin(o.Origin), run, state.Held
	d.Link.DeactivatedAt, d.Link.DeactivatedBy, d.Link.RememberedGroups = time.Time{}, "", nil
	return old
}

// base brings the base up to what both sides have now. The hashes say "look again": the next run compares once more with
// what the directory really lists.
func (d *Draft) base() {
	d.Link.SourceHash, d.Link.TargetHash = 0, 0
	if d.Source != nil && d.Target != nil && d.Rebase != nil {
		d.Link.Base.Attributes = d.Rebase(d.Source, d.Target, maps.Clone(d.wroteTarget), maps.Clone(d.wroteSource), d.isNew)
	}
	d.Link.Base.Groups = slices.Clone(d.Groups)
	if d.Source != nil {
		d.Link.Base.SourceStatus, d.Link.SourceLabel = d.Source.Status, d.Source.Label()
	}
	if d.Target != nil {
		d.Link.Base.TargetStatus, d.Link.TargetLabel = d.Target.Status, d.Target.Label()
	}
}
