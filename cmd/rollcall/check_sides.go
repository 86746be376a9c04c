package main

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/rollcall-sync/rollcall/config"
	"github.com/rollcall-sync/rollcall/sync/diff"
	"github.com/rollcall-sync/rollcall/sync/directory"
	"github.com/rollcall-sync/rollcall/sync/mapping"
	"github.com/rollcall-sync/rollcall/sync/rules"
)

// state looks at the state file. One that does not exist is not made.
func (c *checker) state(ctx context.Context) []directory.Finding {
	f := &findings{app: c.app}
	path := c.app.config.State
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		if info, err := os.Stat(filepath.Dir(path)); err != nil || !info.IsDir() {
			f.wrong("state", "make it, or name another path", "there is no folder %s for the state file", filepath.Dir(path))
			return f.list
		}
		f.ok("state", "%s does not exist yet; the first run makes it", path)
		return f.list
	}
	if err := c.app.openState(ctx, path, false); err != nil {
		f.failed("state", err)
		return f.list
	}
	f.ok("state", "%s can be used", path)
	return f.list
}

// directory looks at one directory, whether it can be reached and whether it has what the syncs ask of it.
func (c *checker) directory(ctx context.Context, configured config.Directory) directoryCheck {
	checked := directoryCheck{Name: configured.Name, Type: configured.Type.Name, Powers: []string{}}
	f := &findings{app: c.app, list: []directory.Finding{}}
	d, err := c.app.directory(configured.Name)
	if err != nil {
		f.failed("settings", err)
		checked.Findings = f.list
		return checked
	}
	checked.Powers = powers(d)
	faulty := false
	if checker, ok := d.(directory.Checker); ok {
		found, err := checker.Check(ctx, c.request(d))
		f.list = append(f.list, found...)
		faulty = slices.ContainsFunc(found, func(finding directory.Finding) bool { return finding.Level == directory.LevelError })
		if err != nil {
			f.failed("connection", err)
			checked.Findings = f.list
			return checked
		}
	}
	if counter, ok := d.(directory.Counter); ok {
		n, err := counter.CountAccounts(ctx)
		switch {
		case errors.Is(err, directory.Unsupported):
		case err != nil && faulty: // the reason is told already; this error has a code
			c.app.code, faulty = worse(c.app.code, codeOf(err)), false
		case err != nil:
			f.failed("count", err)
		default:
			c.counts[configured.Name] = n
			f.ok("count", "%d accounts by the directory's own count, which each listing must agree with", n)
		}
	}
	if faulty {
		c.app.code = worse(c.app.code, exitFailed)
	}
	checked.Findings = f.list
	return checked
}

// request says what all syncs together ask of a directory.
func (c *checker) request(d directory.Directory) directory.CheckRequest {
	var request directory.CheckRequest
	for _, sync := range c.app.config.Syncs {
		names, writes := c.uses(sync, d.Describe().Name)
		request.Attributes = append(request.Attributes, names...)
		request.Write = request.Write || writes
	}
	// Read for safety where a directory has them; no rule fails without them.
	request.Attributes = slices.DeleteFunc(request.Attributes, func(name string) bool {
		return name == directory.EmailVerified || name == directory.UpdatedAt
	})
	slices.Sort(request.Attributes)
	request.Attributes = slices.Compact(request.Attributes)
	return request
}

// uses says which attributes of a directory a sync reads or writes, and whether it writes there at all. Rules that cannot be
// compiled are told of where the sync is looked at.
func (c *checker) uses(sync rules.Sync, name string) (attributes []string, writes bool) {
	m, err := c.mapping(sync)
	if err != nil {
		return nil, false
	}
	if sync.Source == name {
		attributes = append(attributes, m.SourceAttributes()...)
		back := sync.Writeback
		writes = back.Create || back.Deactivate || back.Groups
		for _, rule := range m.Rules().Attributes {
			if rule.Direction != rules.ToTarget {
				attributes = append(attributes, rule.To)
				writes = writes || back.Update
			}
		}
	}
	if sync.Target == name {
		attributes, writes = append(attributes, m.TargetAttributes()...), true
		for _, rule := range m.Rules().Attributes {
			if rule.Direction != rules.ToSource {
				attributes = append(attributes, rule.Target)
			}
		}
	}
	return attributes, writes
}

// mapping compiles the rules of a sync with the defaults that a run would use.
func (c *checker) mapping(sync rules.Sync) (*mapping.Mapping, error) {
	source, err := c.app.directory(sync.Source)
	if err != nil {
		return nil, err
	}
	target, err := c.app.directory(sync.Target)
	if err != nil {
		return nil, err
	}
	if sync.Attributes == nil {
		sync.Attributes = mapping.DefaultAttributes(source.Describe(), target.Describe())
	}
	m, faults := mapping.Compile(sync)
	if len(faults) > 0 {
		return nil, errors.New(faults[0].String())
	}
	return m, nil
}

// powers names what a directory can do, in the words of the contract.
func powers(d directory.Directory) []string {
	list := []string{"list"}
	add := func(ok bool, name string) {
		if ok {
			list = append(list, name)
		}
	}
	can := diff.PowersOf(d)
	_, counts := d.(directory.Counter)
	_, gets := d.(directory.Getter)
	_, finds := d.(directory.Finder)
	_, groups := d.(directory.GroupLister)
	_, changes := d.(directory.ChangeLister)
	_, many := d.(directory.BulkCreator)
	add(counts, "count")
	add(gets, "get")
	add(finds, "find")
	add(groups, "list groups")
	add(changes, "list changes")
	add(can.Create, "create")
	add(many, "create many")
	add(can.Update, "update")
	add(can.Status, "activate and deactivate")
	add(can.Delete, "delete")
	add(can.Groups, "change memberships")
	add(can.CreateGroup, "create groups")
	return list
}
