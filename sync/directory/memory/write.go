package memory

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"unicode/utf8"

	"github.com/rollcall-sync/rollcall/sync/directory"
)

// CreateAccount makes one account; ids count up.
func (d *Directory) CreateAccount(ctx context.Context, request directory.CreateRequest) (account directory.Account, err error) {
	label := directory.Account{Attributes: request.Attributes}.Label()
	err = d.write(ctx, Call{Op: OpCreateAccount, Record: label, Request: request, Answer: &account}, func() error {
		account, err = d.create(OpCreateAccount, label, request)
		return err
	})
	if err != nil {
		return directory.Account{}, err
	}
	return account, nil
}

// CreateAccounts makes many, each of them on its own.
func (d *Directory) CreateAccounts(ctx context.Context, requests []directory.CreateRequest) (results []directory.CreateResult, err error) {
	err = d.write(ctx, Call{Op: OpCreateAccounts, Request: requests, Answer: &results}, func() error {
		if len(requests) > d.desc.BulkSize {
			return d.fail(directory.Invalid, OpCreateAccounts, "", "", "%d accounts in one call, at most %d are taken", len(requests), d.desc.BulkSize)
		}
		for _, request := range requests {
			label := directory.Account{Attributes: request.Attributes}.Label()
			account, err := d.create(OpCreateAccounts, label, request)
			results = append(results, directory.CreateResult{Account: account, Err: err})
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return results, nil
}

func (d *Directory) create(op, label string, request directory.CreateRequest) (directory.Account, error) {
	if request.Status != directory.StatusActive && request.Status != directory.StatusInactive {
		return directory.Account{}, d.fail(directory.Invalid, op, label, "", "an account cannot be created %s", request.Status)
	}
	if d.options.Refuse != nil {
		if err := d.wrap(d.options.Refuse(request), op, label); err != nil {
			return directory.Account{}, err
		}
	}
	set := maps.Clone(request.Attributes)
	if set == nil {
		set = directory.Attributes{}
	}
	for _, spec := range d.desc.Attributes {
		if _, ok := set[spec.Name]; !ok && spec.Required {
			set[spec.Name] = directory.Value{}
		}
	}
	if err := d.accepts(op, label, "", set, true); err != nil {
		return directory.Account{}, err
	}
	if err := d.acceptsGroups(op, label, request.Groups); err != nil {
		return directory.Account{}, err
	}
	maps.DeleteFunc(set, func(_ string, v directory.Value) bool { return v.IsEmpty() })
	account := directory.Account{ID: d.freshID(), Status: request.Status, Attributes: set, Groups: request.Groups}
	if d.options.Now != nil {
		account.Attributes[directory.CreatedAt] = directory.Time(d.options.Now())
	}
	d.put(account)
	return d.tell(account.ID, nil, d.desc.GroupsInline), nil
}

// freshID returns an id that no account has or had.
func (d *Directory) freshID() string {
	for {
		d.next++
		if id := fmt.Sprintf("account-%06d", d.next); d.accounts[id] == nil {
			return id
		}
	}
}

// accepts checks values against their specs. It changes nothing.
func (d *Directory) accepts(op, label, id string, set directory.Attributes, creating bool) error {
	for _, name := range set.Names() {
		value := set[name]
		spec, ok := d.desc.Attribute(name)
		switch {
		case !ok:
			return d.fail(directory.Unsupported, op, label, name, "the directory has no attribute %s", name)
		case !spec.Writable && (!creating || !spec.CreateOnly), spec.CreateOnly && !creating:
			return d.fail(directory.Unsupported, op, label, name, "%s cannot be written", name)
		case value.IsEmpty() && spec.Required:
			return d.fail(directory.Invalid, op, label, name, "%s is required", name)
		case !value.IsEmpty() && value.Kind() != spec.Kind && d.declares(name):
			return d.fail(directory.Invalid, op, label, name, "%s has the wrong kind of value", name)
		case spec.MaxLength > 0 && utf8.RuneCountInString(value.String()) > spec.MaxLength:
			return d.fail(directory.Invalid, op, label, name, "%s takes %d characters", name, spec.MaxLength)
		}
		if owner, taken := d.unique[name][key(spec, value.String())]; taken && owner != id && !value.IsEmpty() {
			return d.fail(directory.Conflict, op, label, name, "%s %q is taken", name, value)
		}
	}
	return nil
}

// declares reports whether the description lists the attribute, rather than merely being open for it.
func (d *Directory) declares(name string) bool {
	return slices.ContainsFunc(d.desc.Attributes, func(s directory.AttributeSpec) bool { return s.Name == name })
}

func (d *Directory) acceptsGroups(op, label string, groups []string) error {
	for _, id := range groups {
		group, ok := d.groups[id]
		if !ok {
			return d.fail(directory.Invalid, op, label, "", "there is no group %q", id)
		}
		if group.ReadOnly != "" {
			return d.fail(directory.Invalid, op, label, "", "the members of group %s cannot be written: %s", group.Name, group.ReadOnly)
		}
	}
	return nil
}

// mayChange returns the stored account, unless it is missing or read-only.
func (d *Directory) mayChange(op, id string) (*directory.Account, error) {
	stored, err := d.mustHave(op, id)
	if err == nil && stored.ReadOnly != "" {
		err = d.fail(directory.Invalid, op, id, "", "the account cannot be changed: %s", stored.ReadOnly)
	}
	return stored, err
}

// change puts an edited copy in the place of the account, with a new revision where something differs.
func (d *Directory) change(stored *directory.Account, edit func(*directory.Account)) {
	edited := stored.Clone()
	edit(&edited)
	slices.Sort(edited.Groups)
	edited.Groups = slices.Compact(edited.Groups)
	same := stored.Status == edited.Status && stored.Attributes.Equal(edited.Attributes) && slices.Equal(stored.Groups, edited.Groups)
	if !same {
		d.put(edited)
	}
}

// UpdateAccount sets and clears attributes.
func (d *Directory) UpdateAccount(ctx context.Context, request directory.UpdateRequest) (account directory.Account, err error) {
	err = d.write(ctx, Call{Op: OpUpdateAccount, Record: request.ID, Request: request, Answer: &account}, func() error {
		stored, err := d.mayChange(OpUpdateAccount, request.ID)
		if err != nil {
			return err
		}
		if request.Revision != "" && request.Revision != stored.Revision {
			return d.fail(directory.Conflict, OpUpdateAccount, request.ID, "", "the account changed since revision %s", request.Revision)
		}
		if err := d.accepts(OpUpdateAccount, request.ID, request.ID, request.Set, false); err != nil {
			return err
		}
		d.change(stored, func(a *directory.Account) {
			if a.Attributes == nil {
				a.Attributes = directory.Attributes{}
			}
			for name, value := range request.Set {
				a.Attributes[name] = value
				if value.IsEmpty() {
					delete(a.Attributes, name)
				}
			}
		})
		account = d.tell(request.ID, nil, d.desc.GroupsInline)
		return nil
	})
	return account, err
}

// SetStatus deactivates and activates.
func (d *Directory) SetStatus(ctx context.Context, request directory.StatusRequest) (account directory.Account, err error) {
	err = d.write(ctx, Call{Op: OpSetStatus, Record: request.ID, Request: request, Answer: &account}, func() error {
		stored, err := d.mayChange(OpSetStatus, request.ID)
		if err != nil {
			return err
		}
		if request.Status != directory.StatusActive && request.Status != directory.StatusInactive {
			return d.fail(directory.Invalid, OpSetStatus, request.ID, "", "an account cannot be made %s", request.Status)
		}
		lost := d.desc.GroupsLostOnDeactivation && stored.Status != request.Status
		if lost && request.Status == directory.StatusActive {
			if err := d.acceptsGroups(OpSetStatus, request.ID, request.Groups); err != nil {
				return err
			}
		}
		d.change(stored, func(a *directory.Account) {
			a.Status = request.Status
			switch {
			case lost && request.Status == directory.StatusInactive:
				a.Groups = nil
			case lost:
				a.Groups = append(a.Groups, request.Groups...)
			}
		})
		account = d.tell(request.ID, nil, d.desc.GroupsInline)
		return nil
	})
	return account, err
}

// DeleteAccount removes one account; its id is not given out again.
func (d *Directory) DeleteAccount(ctx context.Context, id string) error {
	return d.write(ctx, Call{Op: OpDeleteAccount, Record: id}, func() error {
		if _, err := d.mayChange(OpDeleteAccount, id); err != nil {
			return err
		}
		d.remove(id)
		return nil
	})
}

// ChangeGroups adds and removes in one step.
func (d *Directory) ChangeGroups(ctx context.Context, request directory.GroupsRequest) error {
	return d.write(ctx, Call{Op: OpChangeGroups, Record: request.Account, Request: request}, func() error {
		stored, err := d.mayChange(OpChangeGroups, request.Account)
		if err != nil {
			return err
		}
		for _, groups := range [][]string{request.Add, request.Remove} {
			if err := d.acceptsGroups(OpChangeGroups, request.Account, groups); err != nil {
				return err
			}
		}
		d.change(stored, func(a *directory.Account) {
			a.Groups = append(a.Groups, request.Add...)
			a.Groups = slices.DeleteFunc(a.Groups, func(id string) bool { return slices.Contains(request.Remove, id) })
		})
		return nil
	})
}

// CreateGroup makes a group; ids count up.
func (d *Directory) CreateGroup(ctx context.Context, name string) (group directory.Group, err error) {
	err = d.write(ctx, Call{Op: OpCreateGroup, Record: name, Answer: &group}, func() error {
		if name == "" {
			return d.fail(directory.Invalid, OpCreateGroup, name, "", "a group needs a name")
		}
		for _, id := range d.groupIDs {
			if d.groups[id].Name == name {
				return d.fail(directory.Conflict, OpCreateGroup, name, "", "the group exists")
			}
		}
		group = directory.Group{ID: d.freshGroupID(), Name: name}
		d.putGroup(group)
		return nil
	})
	return group, err
}

func (d *Directory) freshGroupID() string {
	for {
		d.nextPut++
		if id := "group-" + strconv.Itoa(d.nextPut); d.groups[id] == nil {
			return id
		}
	}
}
