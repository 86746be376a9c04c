package memory

import (
	"context"
	"slices"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"

	"github.com/rollcall-sync/rollcall/sync/directory"
)

// cursorMark begins every cursor; the last id of the page before follows.
const cursorMark = "after:"

// page returns the ids that follow the cursor, and the next cursor where more follow.
func (d *Directory) page(ids []string, op, cursor string, size int) (page []string, next string, err error) {
	from := 0
	if cursor != "" {
		last, ok := strings.CutPrefix(cursor, cursorMark)
		if !ok {
			return nil, "", d.fail(directory.Invalid, op, "", "", "the cursor %q was never given out", cursor)
		}
		i, found := slices.BinarySearch(ids, last)
		if found {
			i++
		}
		from = i
	}
	if size <= 0 || size > d.desc.PageSize {
		size = d.desc.PageSize
	}
	page = ids[from:min(from+size, len(ids))]
	if from+size < len(ids) {
		next = cursorMark + page[len(page)-1]
	}
	return page, next, nil
}

// ListAccounts lists by id.
func (d *Directory) ListAccounts(ctx context.Context, request directory.ListRequest) (directory.AccountPage, error) {
	result := directory.AccountPage{Total: -1}
	var tamper func(directory.ListRequest, *directory.AccountPage)
	err := d.read(ctx, Call{Op: OpListAccounts, Request: request, Answer: &result}, func() error {
		tamper = d.options.Tamper
		ids, next, err := d.page(d.order, OpListAccounts, request.Cursor, request.Size)
		if err != nil {
			return err
		}
		result.Next, result.Total = next, len(d.order)
		result.Accounts = make([]directory.Account, 0, len(ids))
		for _, id := range ids {
			result.Accounts = append(result.Accounts, d.tell(id, request.Attributes, d.desc.GroupsInline))
		}
		return nil
	})
	if err != nil {
		return directory.AccountPage{}, err
	}
	if tamper != nil {
		tamper(request, &result)
	}
	return result, nil
}

// tell returns a copy of an account with the attributes asked for. One that is asked for by name and has no value is told
// as empty, because the directory knows that.
func (d *Directory) tell(id string, names []string, groups bool) directory.Account {
	stored := d.accounts[id]
	account := *stored
	account.Attributes = make(directory.Attributes, len(stored.Attributes))
	for name, value := range stored.Attributes {
		if names == nil || slices.Contains(names, name) {
			account.Attributes[name] = value
		}
	}
	for _, name := range names {
		if _, has := d.desc.Attribute(name); has {
			account.Attributes[name] = stored.Attributes[name]
		}
	}
	account.GroupsKnown = groups
	account.Groups = nil
	if groups {
		account.Groups = slices.Clone(stored.Groups)
	}
	for _, group := range stored.Groups {
		if account.Privileged == "" && slices.Contains(d.options.PrivilegedGroups, group) {
			account.Privileged = "group " + d.groups[group].Name
		}
	}
	return account
}

// CountAccounts counts them.
func (d *Directory) CountAccounts(ctx context.Context) (n int, err error) {
	err = d.read(ctx, Call{Op: OpCountAccounts, Answer: &n}, func() error {
		n = len(d.order)
		return nil
	})
	return n, err
}

// Partition cuts the ids into pages.
func (d *Directory) Partition(ctx context.Context, request directory.ListRequest) (cursors []string, err error) {
	err = d.read(ctx, Call{Op: OpPartition, Request: request, Answer: &cursors}, func() error {
		size := request.Size
		if size <= 0 || size > d.desc.PageSize {
			size = d.desc.PageSize
		}
		cursors = []string{cursorMark}
		for i := size; i < len(d.order); i += size {
			cursors = append(cursors, cursorMark+d.order[i-1])
		}
		return nil
	})
	return cursors, err
}

// GetAccount reads one account.
func (d *Directory) GetAccount(ctx context.Context, id string) (account directory.Account, err error) {
	err = d.read(ctx, Call{Op: OpGetAccount, Record: id, Answer: &account}, func() error {
		if _, err := d.mustHave(OpGetAccount, id); err != nil {
			return err
		}
		account = d.tell(id, nil, d.desc.GroupsInline)
		return nil
	})
	return account, err
}

// mustHave returns the stored account, or NotFound.
func (d *Directory) mustHave(op, id string) (*directory.Account, error) {
	if account, ok := d.accounts[id]; ok {
		return account, nil
	}
	return nil, d.fail(directory.NotFound, op, id, "", "there is no such account")
}

// key is the form in which values of one attribute are compared.
func key(spec directory.AttributeSpec, value string) string {
	if isASCII(value) {
		if spec.FoldCase {
			return strings.ToLower(value)
		}
		return value
	}
	value = norm.NFC.String(value)
	if spec.FoldCase {
		value = norm.NFC.String(cases.Fold().String(value))
	}
	return value
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// FindAccounts finds by any attribute that is searchable.
func (d *Directory) FindAccounts(ctx context.Context, attribute, value string) (found []directory.Account, err error) {
	err = d.read(ctx, Call{Op: OpFindAccounts, Record: value, Answer: &found}, func() error {
		spec, ok := d.desc.Attribute(attribute)
		if !ok || !spec.Searchable {
			return d.fail(directory.Unsupported, OpFindAccounts, value, attribute, "%s cannot be searched", attribute)
		}
		want := key(spec, value)
		if index, ok := d.unique[attribute]; ok {
			if id, ok := index[want]; ok {
				found = append(found, d.tell(id, nil, d.desc.GroupsInline))
			}
			return nil
		}
		for _, id := range d.order {
			if v, ok := d.accounts[id].Attributes[attribute]; ok && !v.IsEmpty() && key(spec, v.String()) == want {
				found = append(found, d.tell(id, nil, d.desc.GroupsInline))
			}
		}
		return nil
	})
	return found, err
}

// ListGroups lists by id.
func (d *Directory) ListGroups(ctx context.Context, request directory.GroupListRequest) (directory.GroupPage, error) {
	result := directory.GroupPage{Total: -1}
	err := d.read(ctx, Call{Op: OpListGroups, Request: request, Answer: &result}, func() error {
		ids, next, err := d.page(d.groupIDs, OpListGroups, request.Cursor, request.Size)
		if err != nil {
			return err
		}
		result.Next, result.Total = next, len(d.groupIDs)
		for _, id := range ids {
			result.Groups = append(result.Groups, cloneGroup(*d.groups[id]))
		}
		return nil
	})
	return result, err
}

func cloneGroup(group directory.Group) directory.Group {
	group.Parents = slices.Clone(group.Parents)
	return group
}

// ListMembers lists by account id.
func (d *Directory) ListMembers(ctx context.Context, request directory.MemberListRequest) (result directory.MemberPage, err error) {
	err = d.read(ctx, Call{Op: OpListMembers, Record: request.Group, Request: request, Answer: &result}, func() error {
		if _, ok := d.groups[request.Group]; !ok {
			return d.fail(directory.NotFound, OpListMembers, request.Group, "", "there is no such group")
		}
		ids, next, err := d.page(d.members[request.Group], OpListMembers, request.Cursor, request.Size)
		result = directory.MemberPage{Accounts: slices.Clone(ids), Next: next}
		return err
	})
	return result, err
}

// ListMemberships returns the groups of one account in sorted order.
func (d *Directory) ListMemberships(ctx context.Context, account string) (groups []string, err error) {
	err = d.read(ctx, Call{Op: OpListMemberships, Record: account, Answer: &groups}, func() error {
		stored, err := d.mustHave(OpListMemberships, account)
		if err != nil {
			return err
		}
		groups = slices.Clone(stored.Groups)
		return nil
	})
	return groups, err
}

// Self returns the configured account.
func (d *Directory) Self(ctx context.Context) (id string, err error) {
	err = d.read(ctx, Call{Op: OpSelf, Answer: &id}, func() error {
		id = d.options.Self
		return nil
	})
	return id, err
}

// Check finds itself well, unless the options say otherwise.
func (d *Directory) Check(ctx context.Context, _ directory.CheckRequest) (findings []directory.Finding, err error) {
	err = d.read(ctx, Call{Op: OpCheck, Answer: &findings}, func() error {
		own := directory.Finding{Level: directory.LevelOK, Subject: "memory", Message: "the directory answers"}
		findings = append([]directory.Finding{own}, d.options.Findings...)
		return nil
	})
	return findings, err
}
