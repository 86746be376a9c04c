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
	d.protect(&c, &out)
	out.settle()
	return out
}

// settle gives the decision its class and its sentence.
func (out *Decision) settle() {
	if len(out.Operations) > 0 {
		if out.Class != Failed {
			out.Class = Changed
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
		for _, note := range out.Notes {
			if note.Kind == plan.NoteInvalid {
				out.Class = Failed
			} else if out.Class == Unchanged {
				out.Class = Skipped
			}
		}
		return
	}
	if out.Reason == "" {
		out.Reason = "both sides agree"
	}
}

// unlinked is an account of the source without a link.
func (d *Decider) unlinked(c *Case, out *Decision) {
	source := c.Source
	switch {
	case source.Out.Scope == mapping.Unknown:
		out.note(plan.NoteUnknown, c, "whether it is in scope cannot be told: "+source.Out.ScopeReason)
	case source.Out.Scope == mapping.No:
		out.skip("not in scope: " + source.Out.ScopeReason)
	case source.Account.Status == directory.StatusInactive:
		out.skip("inactive in " + d.Source.Name + ", and it has no account in " + d.Target.Name)
	case source.Account.Status == directory.StatusUnknown:
		out.note(plan.NoteUnknown, c, d.Source.Name+" does not tell whether it is active")
	case len(c.Candidates) == 0:
		d.create(c, out)
	case len(c.Candidates) > 1:
		names := make([]string, 0, len(c.Candidates))
		for _, candidate := range c.Candidates {
			names = append(names, fmt.Sprintf("%s (id %s, by %s)", candidate.Record.Account.Label(), candidate.Record.Account.ID, candidate.By))
		}
		out.note(plan.NoteAmbiguous, c, fmt.Sprintf("%d accounts match: %s; decide with `rollcall link`", len(names), strings.Join(names, ", ")))
	default:
		d.match(c, out)
	}
}

// match is the one candidate of an account without a link.
func (d *Decider) match(c *Case, out *Decision) {
	candidate := c.Candidates[0]
	account := candidate.Record.Account
	verified, told := c.Source.Account.Attributes[directory.EmailVerified].AsBool()
	who := fmt.Sprintf("%s (id %s, by %s)", account.Label(), account.ID, candidate.By)
	command := fmt.Sprintf("`rollcall link %s %s %s`", d.Rules.Name, c.Source.Account.ID, account.ID)
	actions := d.Rules.Actions
	switch {
	case candidate.LinkedTo != "" && !candidate.Gone:
		out.note(plan.NoteAmbiguous, c, fmt.Sprintf("matches %s, which is linked to %s", who, candidate.LinkedTo))
	case candidate.LinkedTo != "" && actions.Rehire != rules.LinkIt:
		out.note(plan.NoteAmbiguous, c, fmt.Sprintf("matches %s, which belonged to %s, who is gone from %s; if this is the same person: %s",
			who, candidate.LinkedTo, d.Source.Name, command))
	case account.Problem != "":
		out.note(plan.NoteInvalid, c, fmt.Sprintf("matches %s, whose record cannot be used: %s", who, account.Problem))
	case Guarded(candidate.Record) != "":
		out.note(plan.NoteProtected, c, fmt.Sprintf("matches %s, which is never linked automatically (%s); to link it all the same: %s", who, Guarded(candidate.Record), command))
	case actions.Link == rules.Report:
		out.note(plan.NoteAmbiguous, c, fmt.Sprintf("matches %s; link it with %s", who, command))
	case actions.Link == rules.LinkTrusted && candidate.By == directory.Email && told && !verified:
		out.note(plan.NoteAmbiguous, c, fmt.Sprintf("matches %s, but %s says that the e-mail is not verified; link it with %s", who, d.Source.Name, command))
	default:
		c.Target = &candidate.Record
		c.Link = &Link{SourceID: c.Source.Account.ID, TargetID: account.ID, Held: true}
		o := d.operation(c, plan.Target, plan.Link, fmt.Sprintf("same %s", candidate.By))
		o.Origin = "matched"
		out.add(o)
		out.Hold = true
		d.pair(c, out)
	}
}

// Guarded says why a record is never written; empty for everyone else.
func Guarded(r Record) string {
	switch {
	case r.Self:
		return "Rollcall signs in with it"
	case r.Account.Privileged != "":
		return "privileged: " + r.Account.Privileged
	case r.Protected != "":
		return "protected by " + r.Protected
	default:
		return ""
	}
}

// create is an account of the source that the target does not have.
func (d *Decider) create(c *Case, out *Decision) {
	changes, ok := d.newAccount(c, out)
	switch {
	case !d.Rules.Actions.Create:
		out.Notes = nil
		out.skip("has no account in " + d.Target.Name + ", and actions.create is off")
	case !d.TargetPowers.Create:
		out.note(plan.NoteUnsupported, c, d.Target.Name+" cannot create accounts")
	case !ok:
		out.Class = Failed
	case !c.Source.Out.GroupsKnown && len(d.Managed) > 0:
		out.note(plan.NoteUnknown, c, "its groups cannot be told, so it is not created yet")
	case !d.Creations:
		out.withheld(c, d.WithheldBecause+"; creating might double an account")
	default:
		c.Target = &Record{Account: directory.Account{GroupsKnown: true}}
		o := d.operation(c, plan.Target, plan.Create, "in scope and not in "+d.Target.Name+" yet")
		o.Changes, o.Origin = changes, "created"
		ids, toCreate := d.wanted(c, out)
		o.Groups, o.NewGroups = ids, toCreate
		out.add(o)
		out.Hold, out.Groups = true, ids
		out.Attributes = make(map[string]Pair, len(changes))
		for _, change := range changes {
			out.Attributes[change.Attribute] = Pair{Source: change.After}
		}
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
		d.release(c, out, d.Rules.Actions.OutOfScope, "out of scope: "+source.Out.ScopeReason)
	default:
		d.pair(c, out)
	}
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
		out.Groups = c.Link.Groups
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
	case d.Rules.Writeback.Deactivate && !c.Link.Ours && c.Link.TargetStatus == directory.StatusActive:
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

// deactivateSource carries a deactivation in the target back to the source.
func (d *Decider) deactivateSource(c *Case, out *Decision) {
	switch {
	case !d.SourcePowers.Status:
		out.note(plan.NoteUnsupported, c, d.Source.Name+" cannot deactivate accounts")
	case !d.Removals:
		out.withheld(c, d.WithheldBecause)
	default:
		o := d.operation(c, plan.Source, plan.Deactivate, "deactivated in "+d.Target.Name+", and writeback.deactivate is on")
		o.Groups = c.Source.Account.Groups
		out.add(o)
	}
}

// release lets go of an account that no longer takes part.
func (d *Decider) release(c *Case, out *Decision, policy rules.Decision, why string) {
	target := c.Target.Account
	switch {
	case policy == rules.Ignore:
		out.Reason = why + "; left as it is"
	case len(c.OtherClaims) > 0:
		out.Release = c.Link.Held
		out.Reason = fmt.Sprintf("%s; %s still holds the account", why, strings.Join(c.OtherClaims, ", "))
		d.dropGroups(c, out, why)
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
		out.withheld(c, d.WithheldBecause)
	default:
		o := d.operation(c, plan.Target, plan.Deactivate, why)
		o.Groups = target.Groups
		out.add(o)
	}
	if out.Attributes == nil {
		out.Attributes, out.Groups = c.Link.Attributes, c.Link.Groups
	}
}

// dropGroups takes away the managed groups that this sync gave and no other sync gives.
func (d *Decider) dropGroups(c *Case, out *Decision, why string) {
	out.Attributes, out.Groups = c.Link.Attributes, c.Link.Groups
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
	case d.overdue(c):
		d.remove(c, out, why)
	case !c.Link.Held && (c.Target.Account.Status == directory.StatusInactive || c.SourceMissing != Gone || len(c.OtherClaims) > 0):
		out.Reason = why + ", and already let go"
	case c.SourceMissing == Withheld:
		out.withheld(c, d.WithheldBecause)
	case c.SourceMissing == Suspected:
		out.note(plan.NoteSuspected, c, "missing from the listing of "+d.Source.Name+", not yet confirmed by a look-up; nothing is taken away")
	case c.Target.Account.Problem != "":
		out.note(plan.NoteInvalid, c, "its record in "+d.Target.Name+" cannot be used and is left alone: "+c.Target.Account.Problem)
	default:
		d.release(c, out, rules.Deactivate, why)
	}
}

// overdue reports that the grace period between deactivation and deletion is over.
func (d *Decider) overdue(c *Case) bool {
	grace, configured, err := d.Rules.Actions.DeleteGrace()
	return err == nil && configured && c.SourceMissing == Gone && c.Link.Ours && !c.Link.Since.IsZero() &&
		c.Target.Account.Status == directory.StatusInactive && d.Now.Sub(c.Link.Since) >= grace && len(c.OtherClaims) == 0
}

func (d *Decider) remove(c *Case, out *Decision, why string) {
	switch {
	case !d.TargetPowers.Delete:
		out.note(plan.NoteUnsupported, c, d.Target.Name+" cannot delete accounts")
	case !d.Removals:
		out.withheld(c, d.WithheldBecause)
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
		d.create(c, out)
	default:
		out.note(plan.NoteRespected, c, fmt.Sprintf("somebody deleted its account in %s; `rollcall unlink %s %s` lets it be created again, or set actions.missing_in_target: recreate",
			where, d.Rules.Name, c.Source.Account.ID))
	}
}

// unlinkedTarget is an account of the target without a link: unmanaged, unless its creation may flow back.
func (d *Decider) unlinkedTarget(c *Case, out *Decision) {
	target := c.Target
	out.Reason = "unmanaged"
	if !d.Rules.Writeback.Create || target.WritebackScope != mapping.Yes || Guarded(*target) != "" || target.Account.Problem != "" || target.Account.Status != directory.StatusActive {
		return
	}
	if !d.Creations {
		out.withheld(c, d.WithheldBecause+"; creating might double an account")
		return
	}
	if !d.SourcePowers.Create {
		out.note(plan.NoteUnsupported, c, d.Source.Name+" cannot create accounts")
		return
	}
	changes, missing := d.newSourceAccount(target)
	if len(missing) > 0 {
		out.note(plan.NoteInvalid, c, fmt.Sprintf("%s requires %s, and no two-way rule gives it", d.Source.Name, strings.Join(missing, ", ")))
		return
	}
	o := d.operation(c, plan.Source, plan.Create, "new in "+d.Target.Name+", and writeback.create is on")
	o.Changes, o.Origin = changes, "writeback"
	out.add(o)
	out.Hold = true
}

// newSourceAccount maps a target record to the attributes of a new source account. Rules that lead to the target only are
// read backwards when they are plain names, so that a new account has its username and e-mail.
func (d *Decider) newSourceAccount(target *Record) (changes []plan.Change, missing []string) {
	given := make(map[string]bool)
	give := func(attribute string, value directory.Value, rule string) {
		spec, known := d.Source.Attribute(attribute)
		if value = mapping.Normalise(value, spec); !known || !spec.Creatable() || value.IsEmpty() || given[attribute] || tooLong(value, spec) {
			return
		}
		given[attribute] = true
		changes = append(changes, plan.Change{Attribute: attribute, After: value, Rule: rule})
	}
	for _, m := range target.In {
		if m.Known && m.Present {
			give(m.Rule.To, m.Value, m.Rule.Back)
		}
	}
	for _, rule := range d.Rules.Attributes {
		if directory.IsAttributeName(rule.From) {
			if value, ok := target.Account.Attributes[rule.Target]; ok {
				give(rule.From, value, rule.Target)
			}
		}
	}
	for _, name := range []string{directory.Username, directory.Email} {
		if value, ok := target.Account.Attributes[name]; ok {
			give(name, value, name)
		}
	}
	for _, spec := range d.Source.Attributes {
		if spec.Required && !given[spec.Name] {
			missing = append(missing, spec.Name)
		}
	}
	return changes, missing
}

// protect takes out every operation that would write to an account which is never written, and says so instead.
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
		}
		if why == "" {
			kept = append(kept, o)
			continue
		}
		out.note(plan.NoteProtected, c, fmt.Sprintf("%s left out (%s): %s", strings.ReplaceAll(string(o.Action), "_", " "), o.Reason, why))
		out.Release = false
	}
	out.Operations = kept
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

// withheld records that something was held back for want of a proof.
func (out *Decision) withheld(c *Case, because string) {
	out.note(plan.NoteWithheld, c, "withheld: "+because)
}

// skip says why an account does not take part; that is no news, so it is no note.
func (out *Decision) skip(reason string) {
	out.Class, out.Reason = Skipped, reason
}
