package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/rollcall-sync/rollcall/sync/diff"
	"github.com/rollcall-sync/rollcall/sync/directory"
	"github.com/rollcall-sync/rollcall/sync/mapping"
	"github.com/rollcall-sync/rollcall/sync/rules"
	"github.com/rollcall-sync/rollcall/sync/snapshot"
	"github.com/rollcall-sync/rollcall/sync/state"
)

// syncSides is what the rules of one sync are held against.
type syncSides struct {
	sync           rules.Sync
	mapping        *mapping.Mapping
	source, target directory.Directory
}

// sync says what the rules of one sync want and a side cannot give.
func (c *checker) sync(ctx context.Context, sync rules.Sync) []directory.Finding {
	f := &findings{app: c.app, list: []directory.Finding{}}
	m, err := c.mapping(sync)
	if err != nil {
		f.failed("rules", err)
		return f.list
	}
	s := syncSides{sync, m, c.app.opened[sync.Source], c.app.opened[sync.Target]}
	if _, err := c.app.job(sync, "check"); err != nil {
		f.failed("places", err)
	}
	file, _ := c.app.config.Place(sync.Name)
	failures := m.RunExamples()
	for _, failure := range failures {
		f.wrong("examples", "correct the rule or the example; until then nothing is synced", "%s:%d: %s", file, failure.Line, failure.Message)
	}
	s.checkTargetAttributes(f)
	s.checkSourceAttributes(f)
	for _, lack := range lacks(sync, diff.PowersOf(s.source), diff.PowersOf(s.target)) {
		f.warn("unsupported", "switch it off in the sync, so that the plan does not mention it every time", "%s", lack)
	}
	c.checkGroups(ctx, f, s)
	s.checkMails(f)
	c.checkSizes(ctx, f, sync)
	var names []string
	for _, rule := range m.Rules().Attributes {
		names = append(names, rule.Target)
	}
	which := fmt.Sprintf("%d attribute rules", len(names))
	if sync.Attributes == nil {
		which = fmt.Sprintf("%d attribute rules by default (%s)", len(names), strings.Join(names, ", "))
	}
	f.ok("rules", "%s, %d group rules, %d of %d examples passed", which, len(sync.Groups), len(sync.Examples)-len(failures), len(sync.Examples))
	return f.list
}

func (s syncSides) checkTargetAttributes(f *findings) {
	description := s.target.Describe()
	lists := "`rollcall directories " + description.Type + "` lists what it has"
	written := make(map[string]bool)
	for _, rule := range s.mapping.Rules().Attributes {
		if rule.Direction == rules.ToSource {
			continue
		}
		written[rule.Target] = true
		spec, known := description.Attribute(rule.Target)
		switch {
		case !known:
			f.wrong(rule.Target, "leave the rule out; "+lists, "%s has no attribute %s", s.sync.Target, rule.Target)
		case !spec.Writable && !spec.CreateOnly:
			f.wrong(rule.Target, "leave the rule out; "+lists, "%s cannot be written in %s", rule.Target, s.sync.Target)
		}
	}
	for _, spec := range description.Attributes {
		if s.sync.Actions.Create && spec.Required && !written[spec.Name] {
			f.wrong(spec.Name, "add a rule for it, or set actions.create: false", "%s takes no new account without %s, and no rule gives it", s.sync.Target, spec.Name)
		}
	}
}

func (s syncSides) checkSourceAttributes(f *findings) {
	description := s.source.Describe()
	for _, name := range s.mapping.SourceAttributes() {
		// These two are read for safety where they exist; no rule fails without them.
		if name == directory.EmailVerified || name == directory.UpdatedAt {
			continue
		}
		if _, known := description.Attribute(name); !known {
			f.warn(name, "`rollcall directories "+description.Type+"` lists what it has", "the rules read %s, which %s does not have: it is absent for everybody", name, s.sync.Source)
		}
	}
	for _, rule := range s.mapping.Rules().Attributes {
		if rule.Direction == rules.ToTarget {
			continue
		}
		if spec, known := description.Attribute(rule.To); !known || !spec.Writable {
			f.wrong(rule.To, "use direction: to_target", "%s cannot be written back in %s", rule.To, s.sync.Source)
		}
	}
}

// lacks names what a sync is configured to do and a side cannot.
func lacks(sync rules.Sync, source, target diff.Powers) []string {
	var list []string
	want := func(wanted, can bool, side, what string) {
		if wanted && !can {
			list = append(list, side+" cannot "+what)
		}
	}
	want(sync.Actions.Create, target.Create, sync.Target, "create accounts (actions.create)")
	want(sync.Actions.Update, target.Update, sync.Target, "update accounts (actions.update)")
	want(sync.Actions.Activate, target.Status, sync.Target, "activate accounts (actions.activate)")
	want(sync.Actions.Deactivate, target.Status, sync.Target, "deactivate accounts (actions.deactivate): leavers keep their access")
	want(sync.Actions.Delete != rules.Never, target.Delete, sync.Target, "delete accounts (actions.delete)")
	want(len(sync.Groups) > 0 || len(sync.GroupOptions.Mirror) > 0, target.Groups, sync.Target, "change memberships (groups)")
	want(sync.GroupOptions.Create, target.CreateGroup, sync.Target, "create groups (group_options.create)")
	want(sync.Writeback.Create, source.Create, sync.Source, "create accounts (writeback.create)")
	want(sync.Writeback.Deactivate, source.Status, sync.Source, "deactivate accounts (writeback.deactivate)")
	want(sync.Writeback.Groups, source.Groups, sync.Source, "change memberships (writeback.groups)")
	return list
}

// checkGroups looks for the groups that the rules name.
func (c *checker) checkGroups(ctx context.Context, f *findings, s syncSides) {
	if s.mapping.NeedsSourceGroups() {
		names, _ := s.mapping.SourceGroups()
		for _, name := range c.missingGroups(ctx, f, s.sync.Source, s.source, names) {
			f.warn("groups", "names are compared letter by letter; correct it, or make the group", "the rules name the group %q, which %s does not have: nobody is in it", name, s.sync.Source)
		}
	}
	if len(s.sync.Groups) == 0 {
		return
	}
	var names []string
	for _, rule := range s.sync.Groups {
		names = append(names, rule.Target)
	}
	missing := c.missingGroups(ctx, f, s.sync.Target, s.target, names)
	if len(missing) == 0 {
		return
	}
	if _, can := s.target.(directory.GroupCreator); can && s.sync.GroupOptions.Create {
		f.ok("groups", "%s will be created in %s", strings.Join(missing, ", "), s.sync.Target)
		return
	}
	f.wrong("groups", "create it there, correct the name, or set group_options.create: true", "%s has no group %s", s.sync.Target, strings.Join(missing, ", "))
}

// missingGroups returns the names that no group of a directory has. Its groups are listed once.
func (c *checker) missingGroups(ctx context.Context, f *findings, name string, d directory.Directory, wanted []string) []string {
	lister, ok := d.(directory.GroupLister)
	if !ok {
		f.wrong("groups", "leave the rules about groups out", "%s has no groups", name)
		return nil
	}
	groups, listed := c.groups[name]
	if !listed {
		var err error
		if groups, err = snapshot.ListGroups(ctx, lister, nil); err != nil {
			f.failed("groups", fmt.Errorf("the groups of %s cannot be listed: %w", name, err))
			return nil
		}
		c.groups[name] = groups
	}
	var missing []string
	for _, want := range wanted {
		if !slices.ContainsFunc(groups, func(g directory.Group) bool { return want == g.ID || want == g.Name || want == g.Path }) {
			missing = append(missing, want)
		}
	}
	return missing
}

// checkMails tells which mails cannot be switched off.
func (s syncSides) checkMails(f *findings) {
	const remedy = "`rollcall plan` counts them before anything is sent"
	for _, notice := range s.target.Describe().Notices {
		f.warn("mails", remedy, "%s, on %s: %s", s.sync.Target, notice.On, notice.Text)
	}
	if back := s.sync.Writeback; back.Create || back.Update || back.Deactivate {
		for _, notice := range s.source.Describe().Notices {
			f.warn("mails", remedy, "%s, on %s: %s", s.sync.Source, notice.On, notice.Text)
		}
	}
}

// checkSizes judges the clause of the certificate that needs no listing: whether the directories are as large as usual.
func (c *checker) checkSizes(ctx context.Context, f *findings, sync rules.Sync) {
	if c.app.db == nil {
		return
	}
	last, err := c.app.db.LastGood(ctx, sync.Name)
	if err != nil {
		if !errors.Is(err, state.ErrNotFound) {
			f.failed("size", err)
		}
		return
	}
	for _, side := range []struct {
		name string
		last int
	}{{sync.Source, last.SourceRead}, {sync.Target, last.TargetRead}} {
		n, counted := c.counts[side.name]
		if !counted {
			continue
		}
		if detail, usual := (snapshot.Expectation{LastCount: side.last}).Judge(n); !usual {
			f.warn("size", "find out why; if it is true, run once with --trust-size "+side.name, "%s: %s; a run would take no access away", side.name, detail)
		}
	}
}
