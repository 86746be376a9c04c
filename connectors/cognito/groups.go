package cognito

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	api "github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider"

	"github.com/rollcall-sync/rollcall/sync/directory"
)

// noPromotion is why nobody is put into a privileged group: the account would never be written again.
const noPromotion = "privileged_groups names it, and members of such groups are not written"

func privilege(group string) string {
	if group == "" {
		return ""
	}
	return "member of the group " + group
}

// ListGroups implements directory.GroupLister. A group's id is its name, which never changes. Groups do not nest.
func (d *Directory) ListGroups(ctx context.Context, request directory.GroupListRequest) (directory.GroupPage, error) {
	listed, next, err := d.listGroups(ctx, op{words: "list groups"}, "", request.Cursor, request.Size)
	if err != nil {
		return directory.GroupPage{}, err
	}
	page := directory.GroupPage{Next: next, Total: -1, Groups: make([]directory.Group, 0, len(listed))}
	for _, name := range listed {
		group := directory.Group{ID: name, Name: name}
		if slices.Contains(d.privileged, group.ID) {
			group.ReadOnly = noPromotion
		}
		page.Groups = append(page.Groups, group)
	}
	return page, nil
}

// ListMembers implements directory.MemberLister.
func (d *Directory) ListMembers(ctx context.Context, request directory.MemberListRequest) (directory.MemberPage, error) {
	o := op{words: "list members", record: request.Group, missingGroup: directory.NotFound}
	records, next, err := d.listMembers(ctx, o, request.Group, request.Cursor, request.Size)
	if err != nil {
		return directory.MemberPage{}, err
	}
	page := directory.MemberPage{Next: next, Accounts: make([]string, 0, len(records))}
	for _, r := range records {
		if r.sub == "" {
			return directory.MemberPage{}, d.unreadable(o, errors.New("a member has no sub: "+r.problem))
		}
		d.remember(r)
		page.Accounts = append(page.Accounts, r.sub)
	}
	return page, nil
}

// ListMemberships implements directory.MembershipLister.
func (d *Directory) ListMemberships(ctx context.Context, account string) ([]string, error) {
	o := op{words: "list memberships", record: account, missing: directory.NotFound}
	username := d.username(account)
	if username != "" {
		groups, err := d.groupsOf(ctx, o, username)
		if err == nil || directory.KindOf(err) != directory.NotFound {
			return groups, err
		}
		d.forget(account)
	}
	r, err := d.user(ctx, o)
	if err != nil {
		return nil, err
	}
	return d.groupsOf(ctx, o, r.username)
}

func (d *Directory) groupsOf(ctx context.Context, o op, username string) ([]string, error) {
	names := []string{}
	err := d.eachGroup(ctx, o, username, func(name string) { names = append(names, name) })
	return names, err
}

// eachGroup reads a whole list of groups, of one user where a username is given.
func (d *Directory) eachGroup(ctx context.Context, o op, username string, use func(name string)) error {
	o.write = false
	seen := map[string]bool{}
	for token := ""; ; {
		seen[token] = true
		listed, next, err := d.listGroups(ctx, o, username, token, maxPage)
		if err != nil {
			return err
		}
		for _, name := range listed {
			use(name)
		}
		if next == "" {
			return nil
		}
		if seen[next] {
			return d.unreadable(o, errors.New("a page points back to one that was read before"))
		}
		token = next
	}
}

// readHolders reads who is in the privileged groups, anew for each listing. Without such groups it costs nothing.
func (d *Directory) readHolders(ctx context.Context, o op, fresh bool) (map[string]string, error) {
	if len(d.privileged) == 0 {
		return nil, nil
	}
	d.mu.Lock()
	kept := d.holders
	d.mu.Unlock()
	if kept != nil && !fresh {
		return kept, nil
	}
	holders := map[string]string{}
	o.missingGroup = directory.Invalid
	for _, group := range d.privileged {
		for token := ""; ; {
			records, next, err := d.listMembers(ctx, o, group, token, maxPage)
			if err != nil {
				return nil, d.aboutPrivileged(err, group)
			}
			for _, r := range records {
				holders[r.sub] = group
			}
			if next == "" {
				break
			}
			if next == token {
				return nil, d.unreadable(o, errors.New("a page of members points back to itself"))
			}
			token = next
		}
	}
	d.mu.Lock()
	d.holders = holders
	d.mu.Unlock()
	return holders, nil
}

// aboutPrivileged explains a privileged group that does not exist. A misspelt one must not leave administrators open.
func (d *Directory) aboutPrivileged(err error, group string) error {
	var e *directory.Error
	if errors.As(err, &e) && e.Kind == directory.Invalid {
		e.Err = fmt.Errorf("the group %s of privileged_groups: %w", group, e.Err)
		e.Remedy = "create the group, or take it out of privileged_groups"
	}
	return err
}

// reason says why one user is never written; empty where nothing forbids it.
func (d *Directory) reason(ctx context.Context, o op, r record) (string, error) {
	if len(d.privileged) == 0 || r.username == "" {
		return "", nil
	}
	groups, err := d.groupsOf(ctx, o, r.username)
	if err != nil {
		return "", err
	}
	for _, group := range d.privileged {
		if slices.Contains(groups, group) {
			return privilege(group), nil
		}
	}
	return "", nil
}

// known refuses groups that do not exist, or that nobody is put into, before anything is written. The list is kept; one that
// lacks a group is read again.
func (d *Directory) known(ctx context.Context, o op, add, remove []string) error {
	for _, group := range slices.Concat(add, remove) {
		if slices.Contains(d.privileged, group) {
			return d.withOp(o, &directory.Error{Kind: directory.Invalid, Err: fmt.Errorf("the group %s is not written: %s", group, noPromotion)})
		}
	}
	d.mu.Lock()
	groups := d.groups
	d.mu.Unlock()
	lacking := func() string {
		for _, group := range add {
			if !groups[group] {
				return group
			}
		}
		return ""
	}
	if lacking() == "" {
		return nil
	}
	groups = map[string]bool{}
	if err := d.eachGroup(ctx, o, "", func(name string) { groups[name] = true }); err != nil {
		return err
	}
	d.mu.Lock()
	d.groups = maps.Clone(groups)
	d.mu.Unlock()
	if group := lacking(); group != "" {
		return d.withOp(o, &directory.Error{Kind: directory.Invalid, Err: fmt.Errorf("the pool has no group %s", group)})
	}
	return nil
}

func (d *Directory) forgetGroups() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.groups = nil
}

// ChangeGroups implements directory.GroupChanger. Each membership is a call of its own that can be sent twice.
func (d *Directory) ChangeGroups(ctx context.Context, request directory.GroupsRequest) error {
	o := op{words: "change groups", record: request.Account, missing: directory.NotFound, missingGroup: directory.Invalid}
	r, err := d.writable(ctx, o)
	if err != nil {
		return err
	}
	for _, group := range slices.Concat(request.Add, request.Remove) {
		if slices.Contains(d.privileged, group) {
			return d.withOp(o, &directory.Error{Kind: directory.Invalid, Err: fmt.Errorf("the group %s is not written: %s", group, noPromotion)})
		}
	}
	return d.changeGroups(ctx, o, r.username, request.Add, request.Remove)
}

func (d *Directory) changeGroups(ctx context.Context, o op, username string, add, remove []string) error {
	for _, group := range add {
		_, err := d.do(ctx, o.does("AdminAddUserToGroup"), func(ctx context.Context) error {
			_, err := d.api.AdminAddUserToGroup(ctx, &api.AdminAddUserToGroupInput{UserPoolId: &d.id, Username: &username, GroupName: &group})
			return err
		})
		if err != nil {
			return err
		}
	}
	for _, group := range remove {
		_, err := d.do(ctx, o.does("AdminRemoveUserFromGroup"), func(ctx context.Context) error {
			_, err := d.api.AdminRemoveUserFromGroup(ctx, &api.AdminRemoveUserFromGroupInput{UserPoolId: &d.id, Username: &username, GroupName: &group})
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// CreateGroup implements directory.GroupCreator.
func (d *Directory) CreateGroup(ctx context.Context, name string) (directory.Group, error) {
	o := op{words: "create group", record: name, action: "CreateGroup", write: true}
	if !isUsername(name) { // the same letters are taken
		return directory.Group{}, d.withOp(o, &directory.Error{
			Kind: directory.Invalid, Err: fmt.Errorf("%q cannot be the name of a group", name),
			Remedy: "names have 1 to 128 letters, digits, symbols and signs, and no spaces",
		})
	}
	_, err := d.do(ctx, o, func(ctx context.Context) error {
		_, err := d.api.CreateGroup(ctx, &api.CreateGroupInput{UserPoolId: &d.id, GroupName: &name})
		return err
	})
	if err != nil {
		return directory.Group{}, err
	}
	return directory.Group{ID: name, Name: name}, nil
}
