package diff

import (
	"fmt"
	"slices"

	"github.com/rollcall-sync/rollcall/sync/directory"
	"github.com/rollcall-sync/rollcall/sync/plan"
)

// Groups finds groups of one directory by id, path or name.
type Groups struct {
	all    []directory.Group
	byID   map[string]int
	byPath map[string][]int
	byName map[string][]int
}

// NewGroups indexes the groups of one directory.
func NewGroups(all []directory.Group) *Groups {
	g := &Groups{all: all, byID: make(map[string]int, len(all)), byPath: make(map[string][]int), byName: make(map[string][]int)}
	for i, group := range all {
		g.byID[group.ID] = i
		g.byName[group.Name] = append(g.byName[group.Name], i)
		if group.Path != "" {
			g.byPath[group.Path] = append(g.byPath[group.Path], i)
		}
	}
	return g
}

// All returns the groups in the order of the listing.
func (g *Groups) All() []directory.Group { return g.all }

// ByID returns the group with this id.
func (g *Groups) ByID(id string) (directory.Group, bool) {
	i, ok := g.byID[id]
	if !ok {
		return directory.Group{}, false
	}
	return g.all[i], true
}

// Find returns the group that a rule names: by id, else by path, else by name. A name or path that several groups share is
// refused, because groups "a/b" and "b" below "a" can look alike.
func (g *Groups) Find(name string) (group directory.Group, found bool, err error) {
	if group, ok := g.ByID(name); ok {
		return group, true, nil
	}
	for _, index := range []map[string][]int{g.byPath, g.byName} {
		switch hits := index[name]; len(hits) {
		case 0:
		case 1:
			return g.all[hits[0]], true, nil
		default:
			return directory.Group{}, false, fmt.Errorf("%d groups are called %q; name the one that is meant by its id (%s, %s)",
				len(hits), name, g.all[hits[0]].ID, g.all[hits[1]].ID)
		}
	}
	return directory.Group{}, false, nil
}

// Resolve returns the groups with these ids and, where nested is set, all groups that those are members of, each once.
// Cycles end.
func (g *Groups) Resolve(ids []string, nested bool) []directory.Group {
	var resolved []directory.Group
	seen := make(map[string]bool)
	queue := slices.Clone(ids)
	for len(queue) > 0 {
		id := queue[0]
		queue = queue[1:]
		group, ok := g.ByID(id)
		if !ok || seen[id] {
			continue
		}
		seen[id] = true
		resolved = append(resolved, group)
		if nested {
			queue = append(queue, group.Parents...)
		}
	}
	return resolved
}

// wanted resolves the rules' target groups to ids. Missing ones come back by name when they are to be created.
func (d *Decider) wanted(c *Case, out *Decision) (ids, toCreate []string) {
	for _, want := range c.Source.Out.Groups {
		group, found, err := d.TargetGroups.Find(want.Target)
		switch {
		case err != nil:
			out.note(plan.NoteInvalid, c, err.Error())
		case found && group.ReadOnly != "":
			out.note(plan.NoteUnsupported, c, fmt.Sprintf("members of group %q cannot be written: %s", group.Name, group.ReadOnly))
		case found:
			ids = append(ids, group.ID)
		case d.Rules.GroupOptions.Create && !d.Creations:
			d.withheld(c, out, fmt.Sprintf("group %q would be created, but might exist already", want.Target))
		case d.Rules.GroupOptions.Create && d.TargetPowers.CreateGroup:
			toCreate = append(toCreate, want.Target)
		case d.Rules.GroupOptions.Create:
			out.note(plan.NoteUnsupported, c, fmt.Sprintf("group %q does not exist in %s, which cannot create groups", want.Target, d.Target.Name))
		default:
			out.note(plan.NoteInvalid, c, fmt.Sprintf("group %q does not exist in %s; create it there, or set group_options.create", want.Target, d.Target.Name))
		}
	}
	return unique(ids), unique(toCreate)
}

// managedIDs are the ids of the existing target groups that this sync may take away.
func (d *Decider) managedIDs() map[string]bool {
	managed := make(map[string]bool, len(d.Managed))
	for _, name := range d.Managed {
		if group, found, err := d.TargetGroups.Find(name); err == nil && found {
			managed[group.ID] = true
		}
	}
	return managed
}

// groups compares the groups of a linked pair and adds the operations of both sides.
func (d *Decider) groups(c *Case, out *Decision) {
	out.Groups, out.GroupsBefore = c.Link.Groups, c.Link.Groups // kept when nothing can be said below
	if !c.Source.Out.GroupsKnown || !c.Target.Account.GroupsKnown {
		if len(d.Managed) > 0 {
			out.InStep = false
		}
		return
	}
	wanted, toCreate := d.wanted(c, out)
	managed := d.managed()
	current, base := c.Target.Account.Groups, c.Link.Groups
	final := make(map[string]bool)
	for _, id := range current {
		if managed[id] {
			final[id] = true
		}
	}
	out.GroupsBefore = sorted(final)
	for _, id := range wanted {
		if slices.Contains(current, id) {
			continue
		}
		if d.takenAwayInTarget(c, id, base) && d.writeBackGroup(c, id, plan.GroupRemove, out) {
			if !d.Removals { // withheld: remember for the next run that somebody took it away
				final[id] = true
				out.GroupsBefore = unique(append(out.GroupsBefore, id))
			}
			continue
		}
		if d.groupOperation(c, plan.GroupAdd, id, "", fmt.Sprintf("the rules put %s into it", c.Source.Account.Label()), out) {
			final[id] = true
		}
	}
	for _, name := range toCreate {
		d.groupOperation(c, plan.GroupAdd, "", name, fmt.Sprintf("the rules put %s into it", c.Source.Account.Label()), out)
	}
	for _, id := range current {
		if slices.Contains(wanted, id) || slices.Contains(c.OtherGroups, id) || (!managed[id] && !d.Rules.GroupOptions.Exact) {
			continue
		}
		if d.addedInTarget(c, id, base) && managed[id] && d.writeBackGroup(c, id, plan.GroupAdd, out) {
			continue
		}
		reason := fmt.Sprintf("the rules no longer put %s into it", c.Source.Account.Label())
		if !managed[id] {
			reason = "exact is set and no rule gives this group"
		}
		if d.groupOperation(c, plan.GroupRemove, id, "", reason, out) {
			delete(final, id)
		}
	}
	out.Groups = sorted(final)
}

// takenAwayInTarget reports that both agreed on the membership and somebody ended it in the target. An account that comes back
// where deactivating takes the groups away lost them for that reason alone.
func (d *Decider) takenAwayInTarget(c *Case, id string, base []string) bool {
	lost := d.Target.GroupsLostOnDeactivation && c.Target.Account.Status == directory.StatusInactive
	return d.Rules.Writeback.Groups && !lost && slices.Contains(base, id)
}

// addedInTarget reports that somebody added the membership in the target since the last run.
func (d *Decider) addedInTarget(c *Case, id string, base []string) bool {
	return d.Rules.Writeback.Groups && c.Link.TargetStatus != directory.StatusUnknown && !slices.Contains(base, id)
}

// writeBackGroup plans the same change in the source group behind a target group; false where there is no single one.
func (d *Decider) writeBackGroup(c *Case, targetGroup string, action plan.Action, out *Decision) bool {
	group, _ := d.TargetGroups.ByID(targetGroup)
	var source string
	ok := false
	for _, name := range []string{group.Name, group.Path, group.ID} {
		if source, ok = d.GroupSource(name); ok {
			break
		}
	}
	if !ok {
		return false
	}
	sourceGroup, found, err := d.SourceGroups.Find(source)
	if err != nil || !found || sourceGroup.ReadOnly != "" || !d.SourcePowers.Groups || Guarded(*c.Source) != "" || c.Source.Account.ReadOnly != "" {
		return false
	}
	if action == plan.GroupRemove && !d.endsIt(c.Source.Account, sourceGroup.ID) {
		return false
	}
	if action == plan.GroupRemove && !d.Removals {
		d.withheld(c, out, fmt.Sprintf("would leave %q in %s", sourceGroup.Name, d.Source.Name))
		return true
	}
	word := "joined"
	if action == plan.GroupRemove {
		word = "left"
	}
	o := d.operation(c, plan.Source, action, fmt.Sprintf("%s %s %q in %s", c.Target.Account.Label(), word, group.Name, d.Target.Name))
	o.GroupID, o.GroupName = sourceGroup.ID, sourceGroup.Name
	out.add(o)
	return true
}

// endsIt reports that an account is no member of a source group any more when it leaves it: not where it is a member of a
// group below as well, or only of that.
func (d *Decider) endsIt(account directory.Account, group string) bool {
	if !slices.Contains(account.Groups, group) {
		return false
	}
	others := slices.DeleteFunc(slices.Clone(account.Groups), func(id string) bool { return id == group })
	return !slices.ContainsFunc(d.SourceGroups.Resolve(others, d.Rules.GroupOptions.Nested), func(g directory.Group) bool { return g.ID == group })
}

// groupOperation plans one membership in the target.
func (d *Decider) groupOperation(c *Case, action plan.Action, id, name, reason string, out *Decision) bool {
	if !d.TargetPowers.Groups {
		out.note(plan.NoteUnsupported, c, fmt.Sprintf("%s cannot change memberships", d.Target.Name))
		return false
	}
	if group, ok := d.TargetGroups.ByID(id); ok {
		if group.ReadOnly != "" {
			out.note(plan.NoteUnsupported, c, fmt.Sprintf("members of group %q cannot be written: %s", group.Name, group.ReadOnly))
			return false
		}
		name = group.Name
	} else if id != "" {
		name = id
	}
	if action == plan.GroupRemove && !d.Removals {
		d.withheld(c, out, fmt.Sprintf("would leave %q", name))
		return false
	}
	o := d.operation(c, plan.Target, action, reason)
	o.GroupID, o.GroupName = id, name
	out.add(o)
	return true
}

// managed caches managedIDs.
func (d *Decider) managed() map[string]bool {
	d.once.Do(func() { d.managedSet = d.managedIDs() })
	return d.managedSet
}

func unique(items []string) []string {
	slices.Sort(items)
	return slices.Compact(items)
}

func sorted(set map[string]bool) []string {
	items := make([]string, 0, len(set))
	for item := range set {
		items = append(items, item)
	}
	slices.Sort(items)
	return items
}
