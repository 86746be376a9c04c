package okta

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/rollcall-sync/rollcall/sync/directory"
)

// Check implements directory.Checker.
func (d *Directory) Check(ctx context.Context, request directory.CheckRequest) ([]directory.Finding, error) {
	var list directory.Findings
	if d.tokens != nil {
		if _, err := d.tokens.get(ctx); err != nil {
			if ctx.Err() != nil {
				return nil, err
			}
			list.Failed("connection", d.withOp(op{words: "sign in"}, err), lastRemedy)
			return list, nil
		}
	}
	for _, step := range []struct {
		subject string
		look    func(context.Context, directory.CheckRequest, *directory.Findings) error
	}{
		{"users", d.checkUsers},
		{"groups", d.checkGroups},
		{"administrators", d.checkAdministrators},
		{"attributes", d.checkSchema},
	} {
		err := step.look(ctx, request, &list)
		if err == nil {
			continue
		}
		if ctx.Err() != nil {
			return nil, err
		}
		list.Failed(step.subject, err, lastRemedy)
		if step.subject == "users" && !errors.Is(err, errForbidden) {
			return list, nil // nothing else would do better
		}
	}
	return list, nil
}

// lastRemedy is for errors that bring none.
const lastRemedy = "try again, and look at status.okta.com if it stays"

// checkUsers asks for one user: an answer without any is what an app gets that has scopes and no role.
func (d *Directory) checkUsers(ctx context.Context, _ directory.CheckRequest, list *directory.Findings) error {
	o := op{words: "list accounts", scope: usersRead}
	rows, _, err := d.page(ctx, o, usersPath+"limit=1")
	if err != nil {
		return err
	}
	list.OK("connection", "signed in at "+d.base)
	if len(rows) == 0 {
		list.Fault("users", "the org shows no user at all", d.grant(o))
		return nil
	}
	if _, problem := decodeUser(rows[0]); problem != "" {
		list.Fault("users", problem, d.grant(o))
		return nil
	}
	list.OK("users", "users can be listed")
	return nil
}

func (d *Directory) checkGroups(ctx context.Context, _ directory.CheckRequest, list *directory.Findings) error {
	if _, _, err := d.page(ctx, op{words: "list groups", scope: groupsRead}, groupsPath+"limit=1"); err != nil {
		return err
	}
	list.OK("groups", "groups can be listed")
	return nil
}

func (d *Directory) checkAdministrators(ctx context.Context, request directory.CheckRequest, list *directory.Findings) error {
	admins, err := d.administrators(ctx, true)
	if err != nil {
		return err
	}
	admins.mu.Lock()
	count, visible := len(admins.listed), admins.visible
	admins.mu.Unlock()
	remedy := d.grant(op{scope: rolesRead}) + ", with the scope " + rolesRead + " for an app"
	switch {
	case visible:
		list.OK("administrators", fmt.Sprintf("%d users hold an administrator role and are never written", count))
	case !request.Write:
	case d.trusts:
		list.Warn("administrators", "Okta does not show who is an administrator, so plans do not name them and only Okta itself protects them", remedy)
	default:
		list.Fault("administrators", "Okta does not show who is an administrator, so nobody would be written", remedy+"; or set unseen_administrators to trust")
	}
	return nil
}

// checkSchema compares the custom attributes in use with the org's profile.
func (d *Directory) checkSchema(ctx context.Context, request directory.CheckRequest, list *directory.Findings) error {
	var asked []string
	for _, name := range request.Attributes {
		if key, ok := toOkta(name); ok && strings.HasPrefix(name, directory.CustomPrefix) {
			asked = append(asked, key)
		}
	}
	if len(asked) == 0 {
		return nil
	}
	var raw json.RawMessage
	_, err := d.call(ctx, op{words: "read user schema", scope: schemasRead}, http.MethodGet, "/api/v1/meta/schemas/user/default", nil, &raw)
	if errors.Is(err, errForbidden) {
		list.Warn("attributes", "the profile's schema cannot be read, so custom attributes are sent without knowing their types", "grant the scope "+schemasRead)
		return nil
	}
	if err != nil {
		return err
	}
	types, err := schemaTypes(raw)
	if err != nil {
		return d.failure(op{words: "read user schema"}, &exchange{}, err)
	}
	missing := slices.DeleteFunc(asked, func(key string) bool { return types[key] != "" })
	slices.Sort(missing)
	switch {
	case len(missing) == 0:
		list.OK("attributes", "the profile has all custom attributes in use")
	case request.Write:
		list.Fault("attributes", "the profile has no "+strings.Join(missing, ", "), "add it (Directory, Profile Editor, User (default), Add Attribute)")
	default:
		list.Warn("attributes", "the profile has no "+strings.Join(missing, ", "), "add it (Directory, Profile Editor, User (default), Add Attribute), unless another user type has it")
	}
	return nil
}
