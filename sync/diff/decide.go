package diff

import (
	"fmt"
	"slices"
	"strings"

	"github.com/rollcall-sync/rollcall/sync/directory"
	"github.com/rollcall-sync/rollcall/sync/mapping"
	"github.com/rollcall-sync/rollcall/sync/plan"
	"github.com/rollcall-sync/rollcall/sync/rules"
)

// Decide decides one case. See the package comment for the table.
func (d *Decider) Decide(c Case) Decision {
	out := Decision{InStep: true}
	switch {
	case c.Source == nil && c.Link == nil:
		d.unlinkedTarget(&c, &out)
	case c.Source == nil:
		d.missing(&c, &out)
	case c.Source.Account.Problem != "":
		out.note(plan.NoteInvalid, &c, "the record cannot be used and its account is left alone: "+c.Source.Account.Problem)
		out.Class = Failed
	case c.Link == nil:
		d.unlinked(&c, &out)
	default:
		d.linked(&c, &out)
	}
	d.distrust(&c, &out)
	d.protect(&c, &out)
	d.keepNews(&c, &out)
	out.settle()
	return out
}

// settle gives the decision its class and its sentence.
func (out *Decision) settle() {
	invalid := slices.ContainsFunc(out.Notes, func(n plan.Note) bool { return n.Kind.Failure() })
	if len(out.Operations) > 0 {
		if out.Class = Changed; invalid {
			out.Class = Failed
		}
		out.InStep = false
		if out.Reason == "" {
			out.Reason = out.Operations[0].Reason
		}
		return
	}
	if len(out.Notes) > 0 {
		out.InStep = false
		if out.Reason == "" {
			out.Reason = out.Notes[0].Message
		}
		if out.Class == Unchanged {
			out.Class = Skipped
		}
		if invalid {
			out.Class = Failed
		}
		return
	}
	if out.Reason == "" {
		out.Reason = "both sides agree"
	}
}

// linked is an account of the source that has a link.
func (d *Decider) linked(c *Case, out *Decision) {
	source := c.Source
	switch {
	case c.Target == nil:
		d.targetMissing(c, out)
	case c.Target.Account.Problem != "":
		out.note(plan.NoteInvalid, c, "its record in "+d.Target.Name+" cannot be used and is left alone: "+c.Target.Account.Problem)
	case source.Account.Status == directory.StatusInactive:
		d.release(c, out, rules.Deactivate, "inactive in "+d.Source.Name)
	case source.Out.Scope == mapping.Unknown:
		out.note(plan.NoteUnknown, c, "whether it is in scope cannot be told: "+source.Out.ScopeReason)
	case source.Out.Scope == mapping.No:
		d.release(c, out, d.Rules.Actions.OutOfScope, d.outOfScope(source))
	default:
		d.pair(c, out)
	}
}

// outOfScope says why somebody does not take part.
func (d *Decider) outOfScope(source *Record) string {
	if source.Out.ScopeReason != "" {
		return "out of scope: " + source.Out.ScopeReason
	}
	return fmt.Sprintf("out of scope (%s)", d.Rules.Scope)
}

// pair is a linked account that both sides have and that takes part.
func (d *Decider) pair(c *Case, out *Decision) {
	for _, p := range c.Source.Out.Problems {
		out.note(plan.NoteInvalid, c, p.Attribute+": "+p.Message)
	}
	out.Hold = !c.Link.Held || out.Hold
	active := d.status(c, out)
	target, source := d.attributes(c, out)
	if len(c.Source.Out.Problems) > 0 { // never half an account
		target, source = nil, nil
	}
	if len(target) > 0 {
		o := d.operation(c, plan.Target, plan.Update, differs(target, d.Source.Name))
		o.Changes, o.Revision = target, c.Target.Account.Revision
		out.add(o)
	}
	if len(source) > 0 {
		o := d.operation(c, plan.Source, plan.Update, differs(source, d.Target.Name))
		o.Changes, o.Revision = source, c.Source.Account.Revision
		out.add(o)
	}
	if active {
		d.groups(c, out)
	} else {
		out.Groups, out.GroupsBefore = c.Link.Groups, c.Link.Groups
	}
}

func differs(changes []plan.Change, leader string) string {
	names := make([]string, 0, len(changes))
	for _, change := range changes {
		names = append(names, change.Attribute)
	}
	slices.Sort(names)
	verb := "differ"
	if len(names) == 1 {
		verb = "differs"
	}
	return fmt.Sprintf("%s %s, %s leads", strings.Join(names, ", "), verb, leader)
}

// status compares who may sign in, for an active source account, and reports whether groups are to be compared: an account
// that stays deactivated may have lost them for that reason alone.
func (d *Decider) status(c *Case, out *Decision) (active bool) {
	if c.Target.Account.Status != directory.StatusInactive || c.Source.Account.Status != directory.StatusActive {
		return c.Target.Account.Status != directory.StatusInactive
	}
	actions := d.Rules.Actions
	who := c.Target.Account.Label()
	switch {
	case d.deactivatedThere(c):
		d.deactivateSource(c, out)
		return false
	case !c.Link.Ours && actions.DeactivatedElsewhere != rules.Override:
		out.note(plan.NoteRespected, c, fmt.Sprintf("%s was deactivated in %s by somebody else; activate it there, or set actions.deactivated_elsewhere: override", who, d.Target.Name))
		return false
	case !actions.Activate:
		out.note(plan.NoteRespected, c, fmt.Sprintf("%s is deactivated in %s, and actions.activate is off", who, d.Target.Name))
		return false
	case !d.TargetPowers.Status:
		out.note(plan.NoteUnsupported, c, d.Target.Name+" cannot activate accounts")
		return false
	}
	o := d.operation(c, plan.Target, plan.Activate, "active in "+d.Source.Name+" again")
	if !c.Link.Ours {
		o.Reason = "active in " + d.Source.Name + ", deactivated in " + d.Target.Name + " by somebody else, and deactivated_elsewhere is override"
	}
	o.Groups = c.Link.RememberedGroups
	out.add(o)
	if d.Target.GroupsLostOnDeactivation {
		// The activation restores what was remembered; the comparison starts from there.
		account := c.Target.Account.Clone()
		account.Groups, account.GroupsKnown = slices.Clone(c.Link.RememberedGroups), true
		record := *c.Target
		record.Account = account
		c.Target = &record
	}
	return true
}

// deactivatedThere reports that somebody deactivated the account in the target since the last run, and that this counts for
// the source too.
func (d *Decider) deactivatedThere(c *Case) bool {
	return d.Rules.Writeback.Deactivate && !c.Link.Ours && c.Link.TargetStatus == directory.StatusActive &&
		c.Target.Account.Status == directory.StatusInactive && c.Source.Account.Status == directory.StatusActive
}

// keepNews keeps the base as it was while a deactivation is not carried back to the source (withheld, or the source cannot): once
// the base has the new status, nobody could tell any more that it is news. Until then the pair gets no other write, which would
// renew the base.
func (d *Decider) keepNews(c *Case, out *Decision) {
	if c.Link == nil || c.Source == nil || c.Target == nil || !d.deactivatedThere(c) || slices.ContainsFunc(out.Operations, func(o plan.Operation) bool {
		return o.Side == plan.Source && o.Action == plan.Deactivate
	}) {
		return
	}
	out.Attributes, out.Operations = nil, nil
}

// deactivateSource carries a deactivation in the target back to the source.
func (d *Decider) deactivateSource(c *Case, out *Decision) {
	switch {
	case !d.SourcePowers.Status:
		out.note(plan.NoteUnsupported, c, d.Source.Name+" cannot deactivate accounts")
	case !d.Removals:
		d.withheld(c, out, "would be deactivated in "+d.Source.Name)
	default:
		o := d.operation(c, plan.Source, plan.Deactivate, "deactivated in "+d.Target.Name+", and writeback.deactivate is on")
		o.Groups = c.Source.Account.Groups
		out.add(o)
	}
}

// protect takes out every operation that would write to an account which is never written, and says so instead. A protect
// expression that holds for one half of a pair guards both.
func (d *Decider) protect(c *Case, out *Decision) {
	kept := out.Operations[:0:0]
	for _, o := range out.Operations {
		record := c.Target
		if o.Side == plan.Source {
			record = c.Source
		}
		why := ""
		if record != nil && o.Action != plan.Link {
			if why = Guarded(*record); why == "" && o.Action != plan.Create {
				why = record.Account.ReadOnly
			}
			if by := d.protectedBy(c); why == "" && by != "" {
				why = "protected by " + by
			}
		}
		if why == "" {
			kept = append(kept, o)
			continue
		}
		out.note(plan.NoteProtected, c, fmt.Sprintf("%s left out (%s): %s", strings.ReplaceAll(string(o.Action), "_", " "), o.Reason, why))
		out.Release = false
		switch { // what stays as it is stays so in the base, too
		case o.Action == plan.Create:
			out.Hold, out.Attributes = false, nil
		case o.Side == plan.Target && o.Action == plan.GroupRemove:
			out.Groups = unique(append(slices.Clone(out.Groups), o.GroupID))
		case o.Side == plan.Target && o.Action == plan.GroupAdd:
			out.Groups = slices.DeleteFunc(slices.Clone(out.Groups), func(id string) bool { return id == o.GroupID })
		}
	}
	out.Operations = kept
}

// protectedBy returns the protect expression that holds for one half of a pair. A source account that is not listed cannot be
// asked; what held for it when it was last read counts as long as the rules have it.
func (d *Decider) protectedBy(c *Case) string {
	switch {
	case c.Source != nil && c.Source.Protected != "":
		return c.Source.Protected
	case c.Target != nil && c.Target.Protected != "":
		return c.Target.Protected
	case c.Source == nil && c.Link != nil && slices.Contains(d.Rules.Protect, c.Link.Protected):
		return c.Link.Protected
	default:
		return ""
	}
}

// operation starts an operation on the account of a case.
func (d *Decider) operation(c *Case, side plan.Side, action plan.Action, reason string) plan.Operation {
	o := plan.Operation{Side: side, Action: action, Account: c.label(), Reason: reason}
	if c.Source != nil {
		o.SourceID = c.Source.Account.ID
	}
	if c.Target != nil {
		o.TargetID = c.Target.Account.ID
	}
	if c.Link != nil {
		o.SourceID = c.Link.SourceID
		if action != plan.Create || side != plan.Target {
			o.TargetID = c.Link.TargetID
		}
	}
	return o
}

// label is the name people know the account by.
func (c *Case) label() string {
	switch {
	case c.Source != nil:
		return c.Source.Account.Label()
	case c.Target != nil:
		return c.Target.Account.Label()
	case c.Link != nil && c.Link.SourceLabel != "":
		return c.Link.SourceLabel
	case c.Link != nil:
		return c.Link.SourceID
	default:
		return ""
	}
}

func (c *Case) id() string {
	switch {
	case c.Source != nil:
		return c.Source.Account.ID
	case c.Link != nil:
		return c.Link.SourceID
	case c.Target != nil:
		return c.Target.Account.ID
	default:
		return ""
	}
}

func (out *Decision) add(o plan.Operation) { out.Operations = append(out.Operations, o) }

// note records something that is left alone.
func (out *Decision) note(kind plan.NoteKind, c *Case, message string) {
	out.Notes = append(out.Notes, plan.Note{Kind: kind, Account: c.label(), ID: c.id(), Message: message})
}

// withheld records what was held back for want of a proof: one note for each account, and the proof that is wanting is told
// once, with the certificate.
func (d *Decider) withheld(c *Case, out *Decision, what string) {
	if out.Reason == "" {
		out.Reason = "withheld: " + what + "; " + d.WithheldBecause
	}
	for i := range out.Notes {
		if note := &out.Notes[i]; note.Kind == plan.NoteWithheld {
			note.Message += ", " + what
			return
		}
	}
	out.note(plan.NoteWithheld, c, what)
}

// skip says why an account does not take part; that is no news, so it is no note.
func (out *Decision) skip(reason string) {
	out.Class, out.Reason = Skipped, reason
}
