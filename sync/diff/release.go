package diff

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/rollcall-sync/rollcall/sync/directory"
	"github.com/rollcall-sync/rollcall/sync/mapping"
	"github.com/rollcall-sync/rollcall/sync/plan"
	"github.com/rollcall-sync/rollcall/sync/rules"
)

// release lets go of an account that no longer takes part.
func (d *Decider) release(c *Case, out *Decision, policy rules.Decision, why string) {
	target := c.Target.Account
	switch {
	case policy == rules.Ignore:
		out.Reason = why + "; left as it is"
	case len(c.OtherClaims) > 0:
		out.Release = c.Link.Held
		out.Reason = fmt.Sprintf("%s; %s still %s the account", why, strings.Join(c.OtherClaims, ", "), choose(len(c.OtherClaims), "holds", "hold"))
		d.dropGroups(c, out, out.Reason)
	case policy == rules.DropGroups:
		out.Release = c.Link.Held
		d.dropGroups(c, out, why)
	case target.Status == directory.StatusInactive, target.Status == directory.StatusUnknown && c.Link.Ours:
		out.Release = c.Link.Held
		out.Reason = why + ", and inactive in " + d.Target.Name
	case target.Status == directory.StatusUnknown && !d.TargetPowers.Status:
		out.note(plan.NoteUnsupported, c, d.Target.Name+" neither tells nor sets who may sign in")
	case !d.Rules.Actions.Deactivate:
		out.note(plan.NoteRespected, c, why+", and actions.deactivate is off")
	case !d.TargetPowers.Status:
		out.note(plan.NoteUnsupported, c, why+", but "+d.Target.Name+" cannot deactivate accounts")
	case !d.Removals:
		d.withheld(c, out, "would be deactivated")
	default:
		o := d.operation(c, plan.Target, plan.Deactivate, why)
		o.Groups = target.Groups
		out.add(o)
	}
	if out.Attributes == nil {
		out.Attributes, out.Groups, out.GroupsBefore = c.Link.Attributes, c.Link.Groups, c.Link.Groups
	}
}

// dropGroups takes away the managed groups that this sync gave and no other sync gives.
func (d *Decider) dropGroups(c *Case, out *Decision, why string) {
	out.Attributes, out.Groups, out.GroupsBefore = c.Link.Attributes, c.Link.Groups, c.Link.Groups
	if !c.Target.Account.GroupsKnown {
		if len(c.Link.Groups) > 0 {
			out.note(plan.NoteUnknown, c, "its groups in "+d.Target.Name+" are not known, so none is taken away")
			out.Release = false
		}
		return
	}
	left := make(map[string]bool)
	for _, id := range c.Link.Groups {
		if !slices.Contains(c.Target.Account.Groups, id) || slices.Contains(c.OtherGroups, id) {
			continue
		}
		if !d.groupOperation(c, plan.GroupRemove, id, "", why, out) {
			left[id] = true
		}
	}
	if len(left) > 0 {
		out.Release = false
	}
	out.Groups = sorted(left)
}

// missing is a link whose source account is not in the listing.
func (d *Decider) missing(c *Case, out *Decision) {
	why := "no longer in " + d.Source.Name
	if c.Target == nil {
		switch {
		case c.SourceMissing == Gone && c.TargetMissing == Gone:
			out.Release = c.Link.Held
			out.Reason = "gone from both sides"
		default:
			out.Reason = "in neither listing"
		}
		return
	}
	switch {
	case d.succeeded(c):
		d.goesOver(c, out, why)
	case d.overdue(c):
		d.remove(c, out, why)
	case !c.Link.Held && (c.Target.Account.Status == directory.StatusInactive || c.SourceMissing != Gone || len(c.OtherClaims) > 0):
		out.Reason = why + ", and already let go"
	case c.SourceMissing == Withheld:
		d.withheld(c, out, "would be deactivated if it is really gone from "+d.Source.Name)
	case c.SourceMissing == Suspected && c.ListingsNeeded > 0:
		out.note(plan.NoteSuspected, c, fmt.Sprintf("missing from %d of %d complete listings of %s in a row, which cannot be asked for one account; nothing is taken away yet",
			c.ListingsMissed, c.ListingsNeeded, d.Source.Name))
	case c.SourceMissing == Suspected:
		out.note(plan.NoteSuspected, c, "missing from the listing of "+d.Source.Name+", not yet confirmed by a look-up; nothing is taken away")
	case c.Target.Account.Problem != "":
		out.note(plan.NoteInvalid, c, "its record in "+d.Target.Name+" cannot be used and is left alone: "+c.Target.Account.Problem)
	default:
		d.release(c, out, rules.Deactivate, why)
	}
}

// succeeded reports that somebody would lose an account who seems to be in the source under a new id.
func (d *Decider) succeeded(c *Case) bool {
	return c.Successor != nil && (d.overdue(c) || (c.Target.Account.Status != directory.StatusInactive && (c.Link.Held || len(c.OtherClaims) == 0)))
}

// goesOver keeps an account for the person who seems to have a new id. Whether it is the same person an administrator says: two
// people may have had the same names one after the other.
func (d *Decider) goesOver(c *Case, out *Decision, why string) {
	now := fmt.Sprintf("%s (id %s)", c.Successor.Label, c.Successor.ID)
	if c.Successor.Takes {
		out.Reason = why + ", and the account goes over to " + now
		return
	}
	same := strings.Join(c.Successor.Same, " and ")
	out.note(plan.NoteIdentity, c, fmt.Sprintf("%s under the id %s, but %s has the same %s, so nothing is taken away; if this is the same person: `rollcall link %s %s %s`; if it is somebody else: give the old account another %s in %s, and it is deactivated",
		why, c.Link.SourceID, now, same, d.Rules.Name, c.Successor.ID, c.Target.Account.ID, c.Successor.Same[0], d.Target.Name))
}

// choose returns the word for one or for several.
func choose(n int, one, several string) string {
	if n == 1 {
		return one
	}
	return several
}

// overdue reports that the grace period between deactivation and deletion is over.
func (d *Decider) overdue(c *Case) bool {
	grace, configured, err := d.Rules.Actions.DeleteGrace()
	return err == nil && configured && c.SourceMissing == Gone && c.Link.Ours && !c.Link.Since.IsZero() &&
		c.Target.Account.Status == directory.StatusInactive && c.Target.Account.Problem == "" && d.Now.Sub(c.Link.Since) >= grace && len(c.OtherClaims) == 0
}

func (d *Decider) remove(c *Case, out *Decision, why string) {
	switch {
	case !d.TargetPowers.Delete:
		out.note(plan.NoteUnsupported, c, d.Target.Name+" cannot delete accounts")
	case !d.Removals:
		d.withheld(c, out, "would be deleted")
	default:
		out.add(d.operation(c, plan.Target, plan.Delete,
			fmt.Sprintf("%s, deactivated on %s, and actions.delete is %s", why, c.Link.Since.UTC().Format(time.DateOnly), d.Rules.Actions.Delete)))
	}
}

// targetMissing is a link whose target account is not in the listing.
func (d *Decider) targetMissing(c *Case, out *Decision) {
	where := d.Target.Name
	inPlay := c.Source.Out.Scope == mapping.Yes && c.Source.Account.Status == directory.StatusActive
	switch {
	case !inPlay:
		out.Reason = "does not take part, and is not in " + where
	case c.TargetMissing != Gone:
		out.note(plan.NoteSuspected, c, "its account is missing from the listing of "+where+", which is not proven; nothing is created")
	case d.Rules.Actions.MissingInTarget == rules.Recreate:
		c.Candidates = nil
		d.create(c, out, "somebody deleted its account in "+where+", and actions.missing_in_target is recreate")
	default:
		out.note(plan.NoteRespected, c, fmt.Sprintf("somebody deleted its account in %s; `rollcall unlink %s %s` lets it be created again, or set actions.missing_in_target: recreate",
			where, d.Rules.Name, c.Source.Account.ID))
	}
}
