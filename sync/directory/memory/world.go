package memory

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/rollcall-sync/rollcall/sync/directory"
)

// What follows is for tests: the world behind the directory, changed and looked at without a call being counted or a fault
// being asked for.

// Put adds accounts or replaces those of the same id, as somebody else would, and returns their ids. An account without id
// gets the next one, one of unknown status is put as active unless it has a Problem, and the groups must exist. A unique
// value that is taken, or an unknown group, is a fault of the test and panics.
func (d *Directory) Put(accounts ...directory.Account) []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	var ids []string
	for _, account := range accounts {
		account = account.Clone()
		if account.ID == "" {
			account.ID = d.freshID()
		}
		if account.Status == directory.StatusUnknown && account.Problem == "" {
			account.Status = directory.StatusActive
		}
		d.put(account)
		ids = append(ids, account.ID)
	}
	return ids
}

// Edit changes one account as somebody else would. It panics where there is none.
func (d *Directory) Edit(id string, edit func(*directory.Account)) {
	d.mu.Lock()
	defer d.mu.Unlock()
	stored, ok := d.accounts[id]
	if !ok {
		panic(fmt.Sprintf("memory: there is no account %q to edit", id))
	}
	account := stored.Clone()
	edit(&account)
	if account.ID != id {
		panic(fmt.Sprintf("memory: the id of account %q cannot be edited", id))
	}
	d.put(account)
}

// Set changes attributes of one account as somebody else would; an Empty value clears.
func (d *Directory) Set(id string, values directory.Attributes) {
	d.Edit(id, func(a *directory.Account) {
		if a.Attributes == nil {
			a.Attributes = directory.Attributes{}
		}
		maps.Copy(a.Attributes, values)
	})
}

// Remove deletes accounts as somebody else would. Missing ones do not matter.
func (d *Directory) Remove(ids ...string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, id := range ids {
		d.remove(id)
	}
}

// PutGroup adds groups or replaces those of the same id, and returns their ids. One without id gets the next one.
func (d *Directory) PutGroup(groups ...directory.Group) []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	var ids []string
	for _, group := range groups {
		if group.ID == "" {
			group.ID = d.freshGroupID()
		}
		d.putGroup(group)
		ids = append(ids, group.ID)
	}
	return ids
}

// RemoveGroup deletes groups and takes everybody out of them.
func (d *Directory) RemoveGroup(ids ...string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, id := range ids {
		for _, member := range slices.Clone(d.members[id]) {
			account := d.accounts[member].Clone()
			account.Groups = slices.DeleteFunc(account.Groups, func(g string) bool { return g == id })
			d.put(account)
		}
		delete(d.members, id)
		d.noteGroup(d.groups[id], nil)
		delete(d.groups, id)
		d.groupIDs = without(d.groupIDs, id)
		for _, child := range d.groupIDs {
			if group := d.groups[child]; slices.Contains(group.Parents, id) {
				moved := cloneGroup(*group)
				moved.Parents = slices.DeleteFunc(moved.Parents, func(parent string) bool { return parent == id })
				d.putGroup(moved)
			}
		}
	}
}

// Join adds one account to groups as somebody else would.
func (d *Directory) Join(id string, groups ...string) {
	d.Edit(id, func(a *directory.Account) { a.Groups = append(a.Groups, groups...) })
}

// Leave takes one account out of groups as somebody else would.
func (d *Directory) Leave(id string, groups ...string) {
	d.Edit(id, func(a *directory.Account) {
		a.Groups = slices.DeleteFunc(a.Groups, func(g string) bool { return slices.Contains(groups, g) })
	})
}

// Account returns one account, groups always included.
func (d *Directory) Account(id string) (directory.Account, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if _, ok := d.accounts[id]; !ok {
		return directory.Account{}, false
	}
	return d.tell(id, nil, true), true
}

// Accounts returns all accounts by id, groups always included.
func (d *Directory) Accounts() []directory.Account {
	d.mu.Lock()
	defer d.mu.Unlock()
	accounts := make([]directory.Account, 0, len(d.order))
	for _, id := range d.order {
		accounts = append(accounts, d.tell(id, nil, true))
	}
	return accounts
}

// Groups returns all groups by id.
func (d *Directory) Groups() []directory.Group {
	d.mu.Lock()
	defer d.mu.Unlock()
	groups := make([]directory.Group, 0, len(d.groupIDs))
	for _, id := range d.groupIDs {
		groups = append(groups, cloneGroup(*d.groups[id]))
	}
	return groups
}

// Clone returns a directory with the same content and options, whose calls are counted from nothing.
func (d *Directory) Clone() *Directory {
	accounts, groups := d.Accounts(), d.Groups()
	d.mu.Lock()
	defer d.mu.Unlock()
	other := New(d.options)
	for _, group := range groups {
		other.putGroup(group)
	}
	for _, account := range accounts {
		stored := d.accounts[account.ID]
		account.Privileged = stored.Privileged
		other.put(account)
		other.accounts[account.ID].Revision = stored.Revision
		other.accounts[account.ID].Attributes = maps.Clone(stored.Attributes)
	}
	other.next, other.nextPut = d.next, d.nextPut
	other.log = d.log.clone()
	return other
}

// Dump returns the end state as text, to be compared with another: one line for each account in the order of their names,
// with status, attributes and names of groups, then one for each group. Ids, revisions and the directory's own times are
// left out, because two runs that did the same may differ in them.
func (d *Directory) Dump() string {
	groups := map[string]string{}
	var lines, groupLines []string
	for _, group := range d.Groups() {
		groups[group.ID] = group.Name
		groupLines = append(groupLines, "group "+strconv.Quote(group.Name))
	}
	for _, account := range d.Accounts() {
		line := fmt.Sprintf("account %q %s", account.Label(), account.Status)
		for _, name := range account.Attributes.Names() {
			if name != directory.CreatedAt && name != directory.UpdatedAt {
				line += fmt.Sprintf(" %s=%q", name, account.Attributes[name])
			}
		}
		var names []string
		for _, id := range account.Groups {
			names = append(names, groups[id])
		}
		slices.Sort(names)
		lines = append(lines, line+fmt.Sprintf(" groups=%q", names))
	}
	slices.Sort(lines)
	slices.Sort(groupLines)
	return strings.Join(append(lines, groupLines...), "\n") + "\n"
}

// put stores the account and keeps the indexes in step with it.
func (d *Directory) put(account directory.Account) {
	slices.Sort(account.Groups)
	account.Groups = slices.Clip(slices.Compact(account.Groups))
	maps.DeleteFunc(account.Attributes, func(_ string, v directory.Value) bool { return v.IsEmpty() })
	for _, id := range account.Groups {
		if d.groups[id] == nil {
			panic(fmt.Sprintf("memory: account %q is put into group %q, which does not exist", account.Label(), id))
		}
	}
	for name := range d.unique {
		if owner, taken := d.unique[name][d.uniqueKey(account, name)]; taken && owner != account.ID && account.Attributes[name].String() != "" {
			panic(fmt.Sprintf("memory: %s %q belongs to account %q already", name, account.Attributes[name], owner))
		}
	}
	revision := 1
	old, ok := d.accounts[account.ID]
	if ok {
		n, err := strconv.Atoi(old.Revision)
		if err != nil {
			panic(fmt.Sprintf("memory: revision %q of account %q", old.Revision, old.ID))
		}
		revision = n + 1
		d.unindex(*old)
	} else {
		d.order = with(d.order, account.ID)
	}
	account.Revision = strconv.Itoa(revision)
	d.noteAccount(old, &account)
	if d.options.Now != nil {
		if account.Attributes == nil {
			account.Attributes = directory.Attributes{}
		}
		account.Attributes[directory.UpdatedAt] = directory.Time(d.options.Now())
	}
	d.accounts[account.ID] = &account
	for name := range d.unique {
		if k := d.uniqueKey(account, name); k != "" {
			d.unique[name][k] = account.ID
		}
	}
	for _, group := range account.Groups {
		d.members[group] = with(d.members[group], account.ID)
	}
}

func (d *Directory) uniqueKey(account directory.Account, name string) string {
	spec, _ := d.desc.Attribute(name)
	return key(spec, account.Attributes[name].String())
}

func (d *Directory) unindex(account directory.Account) {
	for name := range d.unique {
		delete(d.unique[name], d.uniqueKey(account, name))
	}
	for _, group := range account.Groups {
		d.members[group] = without(d.members[group], account.ID)
	}
}

func (d *Directory) remove(id string) {
	stored, ok := d.accounts[id]
	if !ok {
		return
	}
	d.unindex(*stored)
	d.noteAccount(stored, nil)
	delete(d.accounts, id)
	d.order = without(d.order, id)
}

func (d *Directory) putGroup(group directory.Group) {
	group = cloneGroup(group)
	old := d.groups[group.ID]
	if old == nil {
		d.groupIDs = with(d.groupIDs, group.ID)
	}
	d.groups[group.ID] = &group
	d.noteGroup(old, &group)
}

// with and without keep a sorted list of ids.
func with(ids []string, id string) []string {
	i, found := slices.BinarySearch(ids, id)
	if found {
		return ids
	}
	return slices.Insert(ids, i, id)
}

func without(ids []string, id string) []string {
	i, found := slices.BinarySearch(ids, id)
	if !found {
		return ids
	}
	return slices.Delete(ids, i, i+1)
}
