package diff

import (
	"fmt"
	"strings"

	"github.com/rollcall-sync/rollcall/sync/directory"
	"github.com/rollcall-sync/rollcall/sync/mapping"
	"github.com/rollcall-sync/rollcall/sync/plan"
	"github.com/rollcall-sync/rollcall/sync/rules"
)

// unlinked is an account of the source without a link.
func (d *Decider) unlinked(c *Case, out *Decision) {
	source := c.Source
	switch {
	case source.Out.Scope == mapping.Unknown:
		out.note(plan.NoteUnknown, c, "whether it is in scope cannot be told: "+source.Out.ScopeReason)
	case source.Out.Scope == mapping.No:
		out.skip(d.outOfScope(source))
	case source.Self || (source.Protected != "" && len(c.Candidates) == 0):
		out.note(plan.NoteProtected, c, fmt.Sprintf("has no link to %s and is given none (%s)", d.Target.Name, Guarded(Record{Self: source.Self, Protected: source.Protected})))
	case source.Account.Status == directory.StatusInactive:
		out.skip("inactive in " + d.Source.Name + ", and it has no account in " + d.Target.Name)
	case source.Account.Status == directory.StatusUnknown:
		out.note(plan.NoteUnknown, c, d.Source.Name+" does not tell whether it is active")
	case len(c.Candidates) == 0:
		d.create(c, out, "in scope and not in "+d.Target.Name+" yet")
	case len(c.Candidates) > 1:
		choices := make([]string, 0, len(c.Candidates))
		for _, candidate := range c.Candidates {
			account := candidate.Record.Account
			choices = append(choices, fmt.Sprintf("%s (id %s, by %s): %s", account.Label(), account.ID, candidate.By, d.linkCommand(c, account.ID)))
		}
		out.note(plan.NoteAmbiguous, c, fmt.Sprintf("%d accounts match, link the right one: %s", len(choices), someOf(choices)))
	default:
		d.match(c, out)
	}
}

// mostChoices is how many matches are named, each with its command.
const mostChoices = 10

func someOf(choices []string) string {
	if more := len(choices) - mostChoices; more > 0 {
		return strings.Join(choices[:mostChoices], "; ") + fmt.Sprintf("; and %d more", more)
	}
	return strings.Join(choices, "; ")
}

func (d *Decider) linkCommand(c *Case, target string) string {
	return fmt.Sprintf("`rollcall link %s %s %s`", d.Rules.Name, c.Source.Account.ID, target)
}

// match is the one candidate of an account without a link.
func (d *Decider) match(c *Case, out *Decision) {
	candidate := c.Candidates[0]
	account := candidate.Record.Account
	verified, told := c.Source.Account.Attributes[directory.EmailVerified].AsBool()
	who := fmt.Sprintf("%s (id %s, by %s)", account.Label(), account.ID, candidate.By)
	command := d.linkCommand(c, account.ID)
	actions := d.Rules.Actions
	switch {
	case candidate.LinkedTo != "" && !candidate.Gone:
		out.note(plan.NoteAmbiguous, c, fmt.Sprintf("matches %s, which is linked to %s; if the link is wrong: `rollcall unlink %s %s`, otherwise one of the two needs another %s",
			who, candidate.LinkedTo, d.Rules.Name, account.ID, candidate.By))
	case candidate.LinkedTo != "" && actions.Rehire != rules.LinkIt:
		out.note(plan.NoteAmbiguous, c, fmt.Sprintf("matches %s, which belonged to %s, who is gone from %s; if this is the same person: %s; if it is somebody else: give that account another %s in %s, and a new one is created",
			who, candidate.LinkedTo, d.Source.Name, command, candidate.By, d.Target.Name))
	case account.Problem != "":
		out.note(plan.NoteInvalid, c, fmt.Sprintf("matches %s, whose record cannot be used: %s", who, account.Problem))
	case Guarded(candidate.Record) != "":
		out.note(plan.NoteProtected, c, fmt.Sprintf("matches %s, which is never linked automatically (%s); to link it all the same: %s", who, Guarded(candidate.Record), command))
	case c.Source.Protected != "":
		out.note(plan.NoteProtected, c, fmt.Sprintf("matches %s, and is never linked automatically (protected by %s); to link it all the same: %s", who, c.Source.Protected, command))
	case actions.Link == rules.Report:
		out.note(plan.NoteMatch, c, fmt.Sprintf("matches %s; link it with %s", who, command))
	case actions.Link == rules.LinkTrusted && told && !verified:
		out.note(plan.NoteMatch, c, fmt.Sprintf("matches %s, but %s says that the e-mail is not verified; link it with %s", who, d.Source.Name, command))
	default:
		c.Target = &candidate.Record
		c.Link = &Link{SourceID: c.Source.Account.ID, TargetID: account.ID, Held: true, Ours: candidate.Ours, Since: candidate.Since, RememberedGroups: candidate.RememberedGroups}
		o := d.operation(c, plan.Target, plan.Link, fmt.Sprintf("same %s", candidate.By))
		o.Origin, o.Replaces = "matched", candidate.LinkedTo
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

// create is an account of the source that the target does not have, for the given reason.
func (d *Decider) create(c *Case, out *Decision, why string) {
	switch {
	case !d.Rules.Actions.Create:
		out.skip("has no account in " + d.Target.Name + ", and actions.create is off")
		return
	case !d.TargetPowers.Create:
		out.note(plan.NoteUnsupported, c, d.Target.Name+" cannot create accounts")
		return
	}
	changes, ok := d.newAccount(c, out)
	switch {
	case !ok:
		out.Class = Failed
	case !c.Source.Out.GroupsKnown && len(d.Managed) > 0:
		out.note(plan.NoteUnknown, c, "its groups cannot be told, so it is not created yet")
	case !d.Creations:
		d.withheld(c, out, "would be created, but might be there already")
	default:
		c.Target = &Record{Account: directory.Account{GroupsKnown: true}}
		o := d.operation(c, plan.Target, plan.Create, why)
		o.Changes, o.Origin = changes, "created"
		ids, toCreate := d.wanted(c, out)
		o.Groups, o.NewGroups = ids, toCreate
		for _, id := range ids {
			group, _ := d.TargetGroups.ByID(id)
			o.GroupNames = append(o.GroupNames, group.Name)
		}
		out.add(o)
		out.Hold, out.Groups = true, ids
		out.Attributes = make(map[string]Pair, len(changes))
		for _, change := range changes {
			out.Attributes[change.Attribute] = Pair{Source: change.After}
		}
	}
}

// unlinkedTarget is an account of the target without a link: unmanaged, unless its creation may flow back.
func (d *Decider) unlinkedTarget(c *Case, out *Decision) {
	target := c.Target
	if !d.Rules.Writeback.Create || target.WritebackScope != mapping.Yes || Guarded(*target) != "" || target.Account.Problem != "" || target.Account.Status != directory.StatusActive {
		out.Reason = "unmanaged"
		return
	}
	if !d.Creations {
		d.withheld(c, out, "would be created in "+d.Source.Name+", but might be there already")
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
