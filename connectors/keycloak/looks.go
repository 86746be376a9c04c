package keycloak

import (
	"context"
	"errors"
	"net/url"
	"slices"

	"github.com/rollcall-sync/rollcall/sync/directory"
)

// effective says why one account is an administrator, whichever way it got the role; empty where it is none.
func (d *Directory) effective(ctx context.Context, id string) (string, error) {
	o := op{words: "look up roles", record: id, role: viewUsers, missing: directory.NotFound}
	path := "/users/" + url.PathEscape(id) + "/role-mappings"
	var list []role
	if err := d.get(ctx, o, path+"/realm/composite", brief, &list); err != nil {
		return "", err
	}
	for _, r := range list {
		if slices.Contains(d.privilegedRoles(), r.Name) {
			return "holds the realm role " + r.Name, nil
		}
	}
	client, err := d.managementID(ctx, o)
	if err != nil {
		return "", err
	}
	list = nil
	if err := d.get(ctx, o, path+"/clients/"+client+"/composite", brief, &list); err != nil {
		return "", err
	}
	for _, r := range list {
		if rules(r.Name) {
			return "holds the role " + r.Name + " of " + d.managementClient(), nil
		}
	}
	return "", nil
}

// managementID returns the internal id of realm-management. Where clients cannot be listed, the roles of Rollcall's own
// service account name it: it holds one of that client's, or it could not have come this far.
func (d *Directory) managementID(ctx context.Context, o op) (string, error) {
	id, err := d.clientID(ctx, o, d.managementClient())
	if err == nil && id != "" || err != nil && !isForbidden(err) {
		return id, err
	}
	self, err := d.Self(ctx)
	if err != nil {
		return "", err
	}
	if self != "" {
		var mappings struct {
			Clients map[string]role `json:"clientMappings"`
		}
		if err := d.get(ctx, o, "/users/"+url.PathEscape(self)+"/role-mappings", nil, &mappings); err != nil {
			return "", err
		}
		if own := mappings.Clients[d.managementClient()]; own.ID != "" {
			d.mu.Lock()
			d.clients[d.managementClient()] = own.ID
			d.mu.Unlock()
			return own.ID, nil
		}
	}
	return "", &directory.Error{
		Kind: directory.Auth, Op: o.words, Record: o.record, Directory: d.name, Remedy: d.grant(viewClients),
		Err: errors.New("cannot find out whether the user is an administrator of the realm"),
	}
}
