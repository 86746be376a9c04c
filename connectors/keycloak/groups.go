package keycloak

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/rollcall-sync/rollcall/sync/directory"
)

// brief asks for records without attributes.
var brief = url.Values{"briefRepresentation": {"true"}}

// group is one group as Keycloak tells it; gocloak's type has no parentId.
type group struct {
	ID          string              `json:"id"`
	Name        string              `json:"name"`
	Path        string              `json:"path"`
	ParentID    string              `json:"parentId"`
	SubGroups   []group             `json:"subGroups"`
	RealmRoles  []string            `json:"realmRoles"`
	ClientRoles map[string][]string `json:"clientRoles"`
}

// Roles are groups with these ids. Names are what Keycloak keys roles by.
const (
	realmRolePrefix  = "role:"
	clientRolePrefix = "client:"
)

func realmRoleID(name string) string          { return realmRolePrefix + name }
func clientRoleID(client, name string) string { return clientRolePrefix + client + ":" + name }

func sortedKeys(m map[string]string) []string { return slices.Sorted(maps.Keys(m)) }

// each reads a whole list page by page.
func (d *Directory) each(ctx context.Context, o op, path string, query url.Values, use func(json.RawMessage) error) error {
	for first := 0; ; first += d.pageSize {
		rows, err := d.page(ctx, o, path, query, first, d.pageSize)
		if err != nil {
			return err
		}
		for _, raw := range rows {
			if err := use(raw); err != nil {
				return err
			}
		}
		if done, err := d.atEnd(ctx, len(rows), d.pageSize); err != nil || done {
			return err
		}
	}
}

// flat asks for all groups of any depth in one list. The empty search is the trick: without it, versions from 23 on list
// the top level only, with subGroups empty, and children have to be asked for one parent at a time.
func flat(isBrief bool) url.Values {
	return url.Values{"search": {""}, "populateHierarchy": {"false"}, "briefRepresentation": {strconv.FormatBool(isBrief)}}
}

// groupPage reads one page of the flat list, and the number of rows it had. Where the server nests groups all the same
// (version 22), those inside are taken out.
func (d *Directory) groupPage(ctx context.Context, o op, isBrief bool, first, size int) (groups []group, rows int, err error) {
	raws, err := d.page(ctx, o, "/groups", flat(isBrief), first, size)
	if err != nil {
		return nil, 0, err
	}
	seen := map[string]bool{}
	var take func(list []group, parent string)
	take = func(list []group, parent string) {
		for _, g := range list {
			if g.ParentID == "" {
				g.ParentID = parent
			}
			if !seen[g.ID] {
				seen[g.ID] = true
				groups = append(groups, g)
			}
			take(g.SubGroups, g.ID)
		}
	}
	for _, raw := range raws {
		var g group
		if err := json.Unmarshal(raw, &g); err != nil {
			return nil, 0, d.failure(o, &exchange{}, fmt.Errorf("a group cannot be understood: %w", err))
		}
		if g.ID == "" {
			return nil, 0, d.failure(o, &exchange{}, fmt.Errorf("the group %q has no id", g.Name))
		}
		take([]group{g}, "")
	}
	return groups, len(raws), nil
}

func (d *Directory) eachGroup(ctx context.Context, o op, isBrief bool, use func(group) error) error {
	for first := 0; ; first += d.pageSize {
		groups, rows, err := d.groupPage(ctx, o, isBrief, first, d.pageSize)
		if err != nil {
			return err
		}
		for _, g := range groups {
			if err := use(g); err != nil {
				return err
			}
		}
		if done, err := d.atEnd(ctx, rows, d.pageSize); err != nil || done {
			return err
		}
	}
}

// sections are the lists that make up all groups, one after the other: groups, realm roles, the roles of each client. The
// cursor is "section:offset".
func (d *Directory) sections() []string {
	var list []string
	if d.groups {
		list = append(list, "groups")
	}
	if d.realmRoles {
		list = append(list, "roles")
	}
	for _, client := range d.clientRoles {
		list = append(list, clientRolePrefix+client)
	}
	return list
}

// ListGroups implements directory.GroupLister.
func (d *Directory) ListGroups(ctx context.Context, request directory.GroupListRequest) (directory.GroupPage, error) {
	o := op{words: "list groups", role: viewUsers}
	sections := d.sections()
	section, first := 0, 0
	if request.Cursor != "" {
		if _, err := fmt.Sscanf(request.Cursor, "%d:%d", &section, &first); err != nil || section < 0 || section >= len(sections) || first < 0 {
			return directory.GroupPage{}, d.withOp(o, &directory.Error{Kind: directory.Invalid, Err: fmt.Errorf("%q is no cursor of this directory", request.Cursor)})
		}
	}
	page := directory.GroupPage{Total: -1}
	if len(sections) == 0 {
		return page, nil
	}
	admins, err := d.ruling(ctx)
	if err != nil {
		return directory.GroupPage{}, err
	}
	size := d.sizeOf(request.Size)
	var rows int
	switch name := sections[section]; {
	case name == "groups":
		page.Groups, rows, err = d.listGroups(ctx, o, admins, first, size)
	case name == "roles":
		page.Groups, rows, err = d.listRealmRoles(ctx, admins, first, size)
	default:
		page.Groups, rows, err = d.listClientRoles(ctx, strings.TrimPrefix(name, clientRolePrefix), admins, first, size)
	}
	if err != nil {
		return directory.GroupPage{}, err
	}
	done, err := d.atEnd(ctx, rows, size)
	switch {
	case err != nil:
		return directory.GroupPage{}, err
	case !done:
		page.Next = fmt.Sprintf("%d:%d", section, first+max(size, rows))
	case section+1 < len(sections):
		page.Next = fmt.Sprintf("%d:0", section+1)
	}
	return page, nil
}

// noMakingAdministrators is why nobody is put into a group that makes an administrator: such an account is never written
// again, so the way would be one of no return.
const noMakingAdministrators = "its members are administrators of the realm, whom Rollcall does not write"

func (d *Directory) listGroups(ctx context.Context, o op, admins *administrators, first, size int) ([]directory.Group, int, error) {
	withRoles := d.realmRoles || len(d.clientRoles) > 0
	list, rows, err := d.groupPage(ctx, o, !withRoles, first, size)
	if err != nil {
		return nil, 0, err
	}
	groups := make([]directory.Group, 0, len(list))
	for _, g := range list {
		out := directory.Group{ID: g.ID, Name: g.Name, Path: g.Path}
		if g.ParentID != "" {
			out.Parents = append(out.Parents, g.ParentID)
		}
		// The members of a group hold its roles, as members of a group below it count as members of it.
		if d.realmRoles {
			for _, name := range g.RealmRoles {
				if name != d.defaultRole() {
					out.Parents = append(out.Parents, realmRoleID(name))
				}
			}
		}
		for _, client := range d.clientRoles {
			for _, name := range g.ClientRoles[client] {
				out.Parents = append(out.Parents, clientRoleID(client, name))
			}
		}
		if admins.groups[g.ID] != "" {
			out.ReadOnly = noMakingAdministrators
		}
		groups = append(groups, out)
	}
	return groups, rows, nil
}

// ListMembers implements directory.MemberLister. Members of the groups below are not among them.
func (d *Directory) ListMembers(ctx context.Context, request directory.MemberListRequest) (directory.MemberPage, error) {
	o := op{words: "list members", record: request.Group, role: viewUsers, missingGroup: directory.NotFound}
	first, err := d.offset(o, request.Cursor)
	if err != nil {
		return directory.MemberPage{}, err
	}
	path, err := d.membersPath(ctx, &o, request.Group)
	if err != nil {
		return directory.MemberPage{}, err
	}
	size := d.sizeOf(request.Size)
	rows, err := d.page(ctx, o, path, brief, first, size)
	if err != nil {
		return directory.MemberPage{}, err
	}
	page := directory.MemberPage{}
	for _, raw := range rows {
		var member struct {
			ID       string `json:"id"`
			Username string `json:"username"`
		}
		if err := json.Unmarshal(raw, &member); err != nil || member.ID == "" {
			return directory.MemberPage{}, d.failure(o, &exchange{}, fmt.Errorf("a member without an id, or one that cannot be understood: %w", err))
		}
		if !strings.HasPrefix(member.Username, serviceAccountPrefix) {
			page.Accounts = append(page.Accounts, member.ID)
		}
	}
	done, err := d.atEnd(ctx, len(rows), size)
	if err != nil {
		return directory.MemberPage{}, err
	}
	if !done {
		page.Next = strconv.Itoa(first + max(size, len(rows)))
	}
	return page, nil
}

// membersPath returns where the direct members of a group or holders of a role are listed.
func (d *Directory) membersPath(ctx context.Context, o *op, id string) (string, error) {
	if err := d.checkID(*o, id); err != nil {
		return "", err
	}
	client, name, isRole := d.parseRole(id)
	switch {
	case !isRole:
		return "/groups/" + url.PathEscape(id) + "/members", nil
	case client == "":
		o.role = viewRealm
		return "/roles/" + url.PathEscape(name) + "/users", nil
	default:
		o.role = viewClients
		internal, err := d.needClient(ctx, *o, client)
		return "/clients/" + internal + "/roles/" + url.PathEscape(name) + "/users", err
	}
}

// ListMemberships implements directory.MembershipLister.
func (d *Directory) ListMemberships(ctx context.Context, account string) ([]string, error) {
	o := op{words: "list memberships", record: account, role: viewUsers, missing: directory.NotFound}
	if err := d.checkID(o, account); err != nil {
		return nil, err
	}
	path := "/users/" + url.PathEscape(account)
	ids := []string{}
	if d.groups {
		err := d.each(ctx, o, path+"/groups", brief, func(raw json.RawMessage) error {
			var g group
			if err := json.Unmarshal(raw, &g); err != nil || g.ID == "" {
				return d.failure(o, &exchange{}, fmt.Errorf("a group without an id, or one that cannot be understood: %w", err))
			}
			ids = append(ids, g.ID)
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	if !d.realmRoles && len(d.clientRoles) == 0 {
		return ids, nil
	}
	var mappings struct {
		Realm   []role `json:"realmMappings"`
		Clients map[string]struct {
			Mappings []role `json:"mappings"`
		} `json:"clientMappings"`
	}
	if err := d.get(ctx, o, path+"/role-mappings", nil, &mappings); err != nil {
		return nil, err
	}
	for _, r := range mappings.Realm {
		if d.realmRoles && r.Name != d.defaultRole() {
			ids = append(ids, realmRoleID(r.Name))
		}
	}
	for _, client := range d.clientRoles {
		for _, r := range mappings.Clients[client].Mappings {
			ids = append(ids, clientRoleID(client, r.Name))
		}
	}
	return ids, nil
}
