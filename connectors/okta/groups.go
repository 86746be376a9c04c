package okta

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"

	sdk "github.com/okta/okta-sdk-golang/v2/okta"

	"github.com/rollcall-sync/rollcall/sync/directory"
	"github.com/rollcall-sync/rollcall/sync/directory/transport"
)

// The types of groups. Built-in ones ("Everyone" and the administrators) are left out: they hold all, or those who are
// never written, and reading the members of the first is reading all users once more.
const (
	typeOkta    = "OKTA_GROUP"
	typeApp     = "APP_GROUP"
	typeBuiltIn = "BUILT_IN"
)

const groupsPath = "/api/v1/groups?"

// group is one group as Okta tells it.
type group struct {
	ID      string `json:"id"`
	Type    string `json:"type"`
	Profile struct {
		Name string `json:"name"`
	} `json:"profile"`
}

// knownGroup is what is remembered of a group.
type knownGroup struct{ kind string }

func (k knownGroup) readOnly() string {
	switch k.kind {
	case typeOkta:
		return ""
	case typeApp:
		return "kept in an application or another directory"
	case typeBuiltIn:
		return "kept by Okta itself"
	default:
		return "of the type " + k.kind + ", whose members cannot be written"
	}
}

func (d *Directory) decodeGroup(o op, raw json.RawMessage) (group, error) {
	var g group
	if err := json.Unmarshal(raw, &g); err != nil {
		return group{}, d.failure(o, &exchange{}, fmt.Errorf("a group cannot be understood: %w", err))
	}
	if g.ID == "" || g.Type == "" {
		return group{}, d.failure(o, &exchange{}, fmt.Errorf("the group %q has no id or no type", g.Profile.Name))
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.groups[g.ID] = knownGroup{g.Type}
	return g, nil
}

// ListGroups implements directory.GroupLister. Okta has no groups within groups. A limit is always sent: without one some
// orgs answer with up to 10,000 groups.
func (d *Directory) ListGroups(ctx context.Context, request directory.GroupListRequest) (directory.GroupPage, error) {
	o := op{words: "list groups", scope: groupsRead, paging: request.Cursor != ""}
	path := groupsPath + "limit=" + strconv.Itoa(d.sizeOf(request.Size))
	if request.Cursor != "" {
		var err error
		if path, err = d.follow(o, request.Cursor, groupsPath); err != nil {
			return directory.GroupPage{}, err
		}
	}
	rows, next, err := d.page(ctx, o, path)
	if err != nil {
		return directory.GroupPage{}, err
	}
	page := directory.GroupPage{Total: -1, Next: next}
	for _, raw := range rows {
		g, err := d.decodeGroup(o, raw)
		if err != nil {
			return directory.GroupPage{}, err
		}
		if g.Type != typeBuiltIn {
			page.Groups = append(page.Groups, directory.Group{ID: g.ID, Name: g.Profile.Name, ReadOnly: knownGroup{g.Type}.readOnly()})
		}
	}
	return page, nil
}

// ListMembers implements directory.MemberLister. Okta answers with whole users and cannot be asked for less.
func (d *Directory) ListMembers(ctx context.Context, request directory.MemberListRequest) (directory.MemberPage, error) {
	o := op{words: "list members", record: request.Group, scope: groupsRead, missingGroup: directory.NotFound, paging: request.Cursor != ""}
	if err := d.checkID(o, request.Group); err != nil {
		return directory.MemberPage{}, err
	}
	prefix := "/api/v1/groups/" + url.PathEscape(request.Group) + "/users?"
	path := prefix + "limit=" + strconv.Itoa(d.sizeOf(request.Size))
	if request.Cursor != "" {
		var err error
		if path, err = d.follow(o, request.Cursor, prefix); err != nil {
			return directory.MemberPage{}, err
		}
	}
	rows, next, err := d.page(ctx, o, path)
	if err != nil {
		return directory.MemberPage{}, err
	}
	page := directory.MemberPage{Next: next}
	for _, raw := range rows {
		var member struct {
			ID string `json:"id"`
		}
		if err := json.Unmarshal(raw, &member); err != nil || member.ID == "" {
			return directory.MemberPage{}, d.failure(o, &exchange{}, fmt.Errorf("a member has no id, or cannot be understood"))
		}
		page.Accounts = append(page.Accounts, member.ID)
	}
	return page, nil
}

// ListMemberships implements directory.MembershipLister. Newer orgs page this list, older ones take no notice of limit.
func (d *Directory) ListMemberships(ctx context.Context, account string) ([]string, error) {
	o := op{words: "list memberships", record: account, scope: groupsRead, missing: directory.NotFound}
	if err := d.checkID(o, account); err != nil {
		return nil, err
	}
	prefix := "/api/v1/users/" + url.PathEscape(account) + "/groups?"
	ids := []string{}
	err := d.each(ctx, o, prefix+"limit=200", prefix, func(raw json.RawMessage) error {
		g, err := d.decodeGroup(o, raw)
		if err == nil && g.Type != typeBuiltIn {
			ids = append(ids, g.ID)
		}
		return err
	})
	return ids, err
}

// ChangeGroups implements directory.GroupChanger: one request for each group, as Okta has no other way. All groups are
// looked at first, so that one that will not do changes nothing.
func (d *Directory) ChangeGroups(ctx context.Context, request directory.GroupsRequest) error {
	o := op{words: "change groups", record: request.Account, scope: groupsManage, onUser: true, missing: directory.NotFound, missingGroup: directory.Invalid}
	if err := d.guard(ctx, o); err != nil {
		return err
	}
	for _, id := range slices.Concat(request.Add, request.Remove) {
		if err := d.writableGroup(ctx, o, id); err != nil {
			return err
		}
	}
	o.write = true
	for i, id := range slices.Concat(request.Add, request.Remove) {
		method := http.MethodPut
		if i >= len(request.Add) {
			method = http.MethodDelete
		}
		// Being in, or out, already is fine with Okta, so a lost answer is asked for again.
		path := "/api/v1/groups/" + url.PathEscape(id) + "/users/" + url.PathEscape(request.Account)
		if _, err := d.call(transport.Repeatable(ctx), o, method, path, nil, nil); err != nil {
			return err
		}
	}
	return nil
}

// writableGroup checks that a group exists, is kept in Okta, and makes nobody an administrator.
func (d *Directory) writableGroup(ctx context.Context, o op, id string) error {
	if err := d.checkID(o, id); err != nil {
		return err
	}
	look := op{words: o.words, record: o.record, scope: groupsRead, missingGroup: directory.Invalid}
	path := "/api/v1/groups/" + url.PathEscape(id)
	d.mu.Lock()
	known, ok := d.groups[id]
	d.mu.Unlock()
	if !ok {
		var raw json.RawMessage
		if _, err := d.call(ctx, look, http.MethodGet, path, nil, &raw); err != nil {
			return err
		}
		g, err := d.decodeGroup(look, raw)
		if err != nil {
			return err
		}
		known = knownGroup{g.Type}
	}
	if reason := known.readOnly(); reason != "" {
		return d.refuse(o, "group "+id+" is "+reason)
	}
	reason, seen, err := d.roles(ctx, id, path+"/roles", "its members hold the administrator role ")
	switch {
	case directory.KindOf(err) == directory.NotFound && err != nil:
		return d.refuse(o, "group "+id+" does not exist any more")
	case err != nil:
		return d.withOp(o, err)
	case reason != "":
		return d.refuse(o, "group "+id+": "+reason+", and Rollcall makes nobody an administrator")
	}
	return d.unseen(o, seen, "members of group "+id+" become administrators")
}

// CreateGroup implements directory.GroupCreator.
func (d *Directory) CreateGroup(ctx context.Context, name string) (directory.Group, error) {
	o := op{words: "create group", record: name, write: true, scope: groupsManage}
	if name == "" {
		return directory.Group{}, d.withOp(o, &directory.Error{Kind: directory.Invalid, Err: fmt.Errorf("a group needs a name")})
	}
	var raw json.RawMessage
	body := sdk.Group{Profile: &sdk.GroupProfile{Name: name}}
	if _, err := d.call(ctx, o, http.MethodPost, "/api/v1/groups", body, &raw); err != nil {
		return directory.Group{}, err
	}
	g, err := d.decodeGroup(o, raw)
	if err != nil {
		return directory.Group{}, d.unknown(o, err)
	}
	return directory.Group{ID: g.ID, Name: g.Profile.Name, ReadOnly: knownGroup{g.Type}.readOnly()}, nil
}
