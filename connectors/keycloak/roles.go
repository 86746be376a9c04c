package keycloak

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"strings"

	"github.com/rollcall-sync/rollcall/sync/directory"
)

// parseRole reads the id of a role. Client ids and role names may hold colons, so the configured clients decide where one
// ends; the longest wins.
func (d *Directory) parseRole(id string) (client, name string, ok bool) {
	if name, ok := strings.CutPrefix(id, realmRolePrefix); ok {
		return "", name, true
	}
	for _, candidate := range d.clientRoles {
		if rest, found := strings.CutPrefix(id, clientRolePrefix+candidate+":"); found && len(candidate) > len(client) {
			client, name, ok = candidate, rest, true
		}
	}
	return client, name, ok
}

// clientID returns the internal id of a client; empty where there is none or the token may not see it, which Keycloak does
// not tell apart.
func (d *Directory) clientID(ctx context.Context, o op, name string) (string, error) {
	d.mu.Lock()
	id := d.clients[name]
	d.mu.Unlock()
	if id != "" {
		return id, nil
	}
	var list []struct {
		ID       string `json:"id"`
		ClientID string `json:"clientId"`
	}
	if err := d.get(ctx, o, "/clients", url.Values{"clientId": {name}}, &list); err != nil {
		return "", err
	}
	for _, client := range list {
		if client.ClientID == name {
			d.mu.Lock()
			d.clients[name] = client.ID
			d.mu.Unlock()
			return client.ID, nil
		}
	}
	return "", nil
}

// needClient is clientID for a client that the configuration names.
func (d *Directory) needClient(ctx context.Context, o op, name string) (string, error) {
	id, err := d.clientID(ctx, o, name)
	if err == nil && id == "" {
		err = d.withOp(o, &directory.Error{
			Kind: directory.Auth, Err: fmt.Errorf("the realm shows no client %s", name),
			Remedy: "check client_roles; if the client exists, " + d.grant(viewClients),
		})
	}
	return id, err
}

// listRealmRoles reads one page of the realm's roles. The one that is mapped to everybody is left out.
func (d *Directory) listRealmRoles(ctx context.Context, admins *administrators, first, size int) ([]directory.Group, int, error) {
	o := op{words: "list roles", role: viewRealm}
	rows, err := d.page(ctx, o, "/roles", brief, first, size)
	if err != nil {
		return nil, 0, err
	}
	var groups []directory.Group
	for _, raw := range rows {
		r, err := d.decodeRole(o, raw)
		if err != nil {
			return nil, 0, err
		}
		if r.Name == d.defaultRole() {
			continue
		}
		g := directory.Group{ID: realmRoleID(r.Name), Name: r.Name}
		if admins.roles[g.ID] != "" {
			g.ReadOnly = noMakingAdministrators
		}
		groups = append(groups, g)
	}
	return groups, len(rows), nil
}

// listClientRoles reads one page of a client's roles.
func (d *Directory) listClientRoles(ctx context.Context, client string, admins *administrators, first, size int) ([]directory.Group, int, error) {
	o := op{words: "list roles", record: client, role: viewClients}
	id, err := d.needClient(ctx, o, client)
	if err != nil {
		return nil, 0, err
	}
	rows, err := d.page(ctx, o, "/clients/"+id+"/roles", brief, first, size)
	if err != nil {
		return nil, 0, err
	}
	var groups []directory.Group
	for _, raw := range rows {
		r, err := d.decodeRole(o, raw)
		if err != nil {
			return nil, 0, err
		}
		g := directory.Group{ID: clientRoleID(client, r.Name), Name: r.Name, Path: client + "/" + r.Name}
		if client == d.managementClient() || admins.roles[g.ID] != "" {
			g.ReadOnly = noMakingAdministrators
		}
		groups = append(groups, g)
	}
	return groups, len(rows), nil
}

func (d *Directory) decodeRole(o op, raw json.RawMessage) (role, error) {
	var r role
	if err := json.Unmarshal(raw, &r); err != nil {
		return role{}, d.failure(o, &exchange{}, fmt.Errorf("a role cannot be understood: %w", err))
	}
	if r.Name == "" {
		return role{}, d.failure(o, &exchange{}, fmt.Errorf("a role has no name"))
	}
	return r, nil
}
