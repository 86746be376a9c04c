package keycloak

import (
	"context"
	"errors"
	"fmt"
	"net/url"

	"github.com/Nerzal/gocloak/v13"

	"github.com/rollcall-sync/rollcall/sync/directory"
	"github.com/rollcall-sync/rollcall/sync/directory/transport"
)

// groupChange is one step in or out of a group or role.
type groupChange struct {
	group string
	out   bool
	// For a role: the role itself and the internal id of its client, empty for a realm role.
	role   *gocloak.Role
	client string
}

// ChangeGroups implements directory.GroupChanger: one request for each group. All groups are looked at first, so that an
// unknown one changes nothing.
func (d *Directory) ChangeGroups(ctx context.Context, request directory.GroupsRequest) error {
	o := op{words: "change groups", record: request.Account, role: manageUsers, missing: directory.NotFound, missingGroup: directory.Invalid}
	if err := d.checkID(o, request.Account); err != nil {
		return err
	}
	if err := d.guard(ctx, o); err != nil {
		return err
	}
	changes, err := d.planGroups(ctx, o, request.Add, request.Remove)
	if err != nil {
		return err
	}
	for _, change := range changes {
		if err := d.changeGroup(ctx, o, request.Account, change); err != nil {
			return err
		}
	}
	return nil
}

// planGroups checks that all groups exist and make nobody an administrator, and looks up roles.
func (d *Directory) planGroups(ctx context.Context, o op, add, remove []string) ([]groupChange, error) {
	if len(add)+len(remove) == 0 {
		return nil, nil
	}
	admins, err := d.ruling(ctx)
	if err != nil {
		return nil, err
	}
	var changes []groupChange
	for i, id := range append(append([]string{}, add...), remove...) {
		change := groupChange{group: id, out: i >= len(add)}
		if admins.groups[id] != "" || admins.roles[id] != "" {
			return nil, d.refuse(o, "group "+id+": "+noMakingAdministrators)
		}
		if err := d.resolve(ctx, o, &change, admins); err != nil {
			return nil, err
		}
		changes = append(changes, change)
	}
	return changes, nil
}

// resolve makes sure that a group exists; for a role it finds what Keycloak wants to be sent.
func (d *Directory) resolve(ctx context.Context, o op, change *groupChange, admins *administrators) error {
	look := op{words: o.words, record: o.record, role: viewUsers, missingGroup: directory.Invalid}
	client, name, isRole := d.parseRole(change.group)
	if !isRole {
		if admins.known[change.group] {
			return nil
		}
		var g group
		if err := d.checkID(o, change.group); err != nil {
			return err
		}
		if err := d.get(ctx, look, "/groups/"+url.PathEscape(change.group), nil, &g); err != nil {
			return err
		}
		if d.groupReason(admins, g) != "" {
			return d.refuse(o, "group "+g.Name+": "+noMakingAdministrators)
		}
		return nil
	}
	path := "/roles/"
	look.role = viewRealm
	if client != "" {
		if client == d.managementClient() {
			return d.refuse(o, "role "+change.group+": "+noMakingAdministrators)
		}
		internal, err := d.needClient(ctx, look, client)
		if err != nil {
			return err
		}
		change.client, path, look.role = internal, "/clients/"+internal+"/roles/", viewClients
	}
	var r role
	if err := d.get(ctx, look, path+url.PathEscape(name), nil, &r); err != nil {
		return err
	}
	change.role = &gocloak.Role{ID: &r.ID, Name: &r.Name}
	return nil
}

// changeGroup takes one step. Being in, or out, already is fine with Keycloak, so a lost answer is asked for again.
func (d *Directory) changeGroup(ctx context.Context, o op, account string, change groupChange) error {
	o.write, o.missingGroup = true, directory.Invalid
	if o.missing == directory.Retryable {
		o.missing = directory.NotFound
	}
	id, roles := url.PathEscape(account), []gocloak.Role{}
	if change.role != nil {
		roles = append(roles, *change.role)
	}
	err := d.do(transport.Repeatable(ctx), o, func(ctx context.Context, token string) error {
		switch {
		case change.role == nil && change.out:
			return d.cloak.DeleteUserFromGroup(ctx, token, d.path, id, url.PathEscape(change.group))
		case change.role == nil:
			return d.cloak.AddUserToGroup(ctx, token, d.path, id, url.PathEscape(change.group))
		case change.client == "" && change.out:
			return d.cloak.DeleteRealmRoleFromUser(ctx, token, d.path, id, roles)
		case change.client == "":
			return d.cloak.AddRealmRoleToUser(ctx, token, d.path, id, roles)
		case change.out:
			return d.cloak.DeleteClientRolesFromUser(ctx, token, d.path, change.client, id, roles)
		default:
			return d.cloak.AddClientRolesToUser(ctx, token, d.path, change.client, id, roles)
		}
	})
	var e *directory.Error
	if errors.As(err, &e) && e.Kind == directory.Invalid {
		e.Err = fmt.Errorf("group %s: %w", change.group, e.Err)
	}
	return err
}

// CreateGroup implements directory.GroupCreator.
func (d *Directory) CreateGroup(ctx context.Context, name string) (directory.Group, error) {
	o := op{words: "create group", record: name, write: true, role: manageUsers}
	if name == "" {
		return directory.Group{}, d.withOp(o, &directory.Error{Kind: directory.Invalid, Err: errors.New("a group needs a name")})
	}
	var id string
	err := d.do(ctx, o, func(ctx context.Context, token string) (err error) {
		id, err = d.cloak.CreateGroup(ctx, token, d.path, gocloak.Group{Name: &name})
		return err
	})
	if err != nil {
		return directory.Group{}, err
	}
	if id == "" {
		return directory.Group{}, d.unknown(o, errors.New("the server did not tell the new group's id"))
	}
	return directory.Group{ID: id, Name: name, Path: "/" + name}, nil
}
