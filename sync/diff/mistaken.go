package diff

import (
	"fmt"

	"github.com/rollcall-sync/rollcall/sync/directory"
	"github.com/rollcall-sync/rollcall/sync/mapping"
	"github.com/rollcall-sync/rollcall/sync/plan"
	"github.com/rollcall-sync/rollcall/sync/rules"
)

// An id can come to mean somebody else: a site that was restored from an older backup gives the ids of accounts that it forgot to
// strangers. Where the username and the e-mail that we lead are both other ones than those that both sides agreed on, and not those
// that the source asks for now, nothing is written: neither a name, nor a group, nor a deactivation.

// distrust takes out all operations of a pair whose target account is no longer the one that was linked, and says so instead.
// Where nothing would be done there is nothing to be said.
func (d *Decider) distrust(c *Case, out *Decision) {
	if len(out.Operations) == 0 || !d.mistaken(c) {
		return
	}
	account := c.Target.Account
	now := func(name string) string {
		return fmt.Sprintf("%s is %q and was %q", name, account.Attributes[name], c.Link.Attributes[name].Target)
	}
	unlink := fmt.Sprintf("`rollcall unlink %s %s`", d.Rules.Name, c.Link.SourceID)
	remedy := fmt.Sprintf("if it is the account of somebody else: %s; if somebody renamed it: the same, and then `rollcall link %s %s %s`",
		unlink, d.Rules.Name, c.Link.SourceID, account.ID)
	if c.Source == nil {
		remedy = fmt.Sprintf("if it is the account of somebody else: %s; if somebody renamed it: deactivate it in %s, and then the same", unlink, d.Target.Name)
	}
	*out = Decision{}
	out.note(plan.NoteIdentity, c, fmt.Sprintf("its account in %s (id %s) is no longer the one that was linked (%s, %s), so nothing is written to it; %s",
		d.Target.Name, account.ID, now(directory.Username), now(directory.Email), remedy))
}

// mistaken reports that the target account has another username and another e-mail than the link remembers. What another sync or the
// target itself leads, and what was never agreed on, proves nothing.
func (d *Decider) mistaken(c *Case) bool {
	if c.Link == nil || c.Target == nil || !d.Rules.Actions.Update || (!c.Link.Held && len(c.OtherClaims) > 0) {
		return false
	}
	for _, name := range []string{directory.Username, directory.Email} {
		base, agreed := c.Link.Attributes[name]
		current := c.Target.Account.Attributes[name]
		if !agreed || base.Target.IsEmpty() || current.IsEmpty() || plan.IsTemporary(current) || !d.leads(c, name) {
			return false
		}
		spec, _ := d.Target.Attribute(name)
		spec.FoldCase = true
		known := []directory.Value{base.Source, base.Target}
		if c.Source != nil {
			for _, m := range c.Source.Out.Attributes {
				if m.Rule.Target == name && m.Known && m.Present {
					known = append(known, m.Value)
				}
			}
		}
		for _, value := range known {
			if mapping.Equal(current, value, spec) {
				return false
			}
		}
	}
	return true
}

// leads reports that this sync writes a target attribute.
func (d *Decider) leads(c *Case, name string) bool {
	if _, elsewhere := c.LedElsewhere[name]; elsewhere {
		return false
	}
	for _, rule := range d.Rules.Attributes {
		if rule.Target == name {
			return rule.Direction != rules.ToSource && !rule.OnlyIfEmpty
		}
	}
	return false
}
