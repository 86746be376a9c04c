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
	var list findings
	if d.tokens != nil {
		if _, err := d.tokens.get(ctx); err != nil {
			if ctx.Err() != nil {
				return nil, err
			}
			list.trouble("connection", d.withOp(op{words: "sign in"}, err))
			return list, nil
		}
	}
	for _, step := range []struct {
		subject string
		look    func(context.Context, directory.CheckRequest, *findings) error
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
		list.trouble(step.subject, err)
		if step.subject == "users" && !errors.Is(err, errForbidden) {
			return list, nil // nothing else would do better
		}
	}
	return list, nil
}

// findings collects what a check has to say.
type findings []directory.Finding

func (f *findings) ok(subject, message string) {
	*f = append(*f, directory.Finding{Level: directory.LevelOK, Subject: subject, Message: message})
}

func (f *findings) warn(subject, message, remedy string) {
	*f = append(*f, directory.Finding{Level: directory.LevelWarning, Subject: subject, Message: message, Remedy: remedy})
}

func (f *findings) fault(subject, message, remedy string) {
	*f = append(*f, directory.Finding{Level: directory.LevelError, Subject: subject, Message: message, Remedy: remedy})
}

// trouble turns an error into a finding.
func (f *findings) trouble(subject string, err error) {
	message, remedy := err.Error(), "try again, and look at status.okta.com if it stays"
	var e *directory.Error
	if errors.As(err, &e) {
		bare := *e
		bare.Remedy = ""
		message = bare.Error()
		if e.Remedy != "" {
			remedy = e.Remedy
		}
	}
	f.fault(subject, message, remedy)
}

// checkUsers asks for one user: an answer without any is what an app gets that has scopes and no role.
func (d *Directory) checkUsers(ctx context.Context, _ directory.CheckRequest, list *findings) error {
	o := op{words: "list accounts", scope: usersRead}
	rows, _, err := d.page(ctx, o, usersPath+"limit=1")
	if err != nil {
		return err
	}
	list.ok("connection", "signed in at "+d.base)
	if len(rows) == 0 {
		list.fault("users", "the org shows no user at all", d.grant(o))
		return nil
	}
	if _, problem := decodeUser(rows[0]); problem != "" {
		list.fault("users", problem, d.grant(o))
		return nil
	}
	list.ok("users", "users can be listed")
	return nil
}

func (d *Directory) checkGroups(ctx context.Context, _ directory.CheckRequest, list *findings) error {
	if _, _, err := d.page(ctx, op{words: "list groups", scope: groupsRead}, groupsPath+"limit=1"); err != nil {
		return err
	}
	list.ok("groups", "groups can be listed")
	return nil
}

func (d *Directory) checkAdministrators(ctx context.Context, request directory.CheckRequest, list *findings) error {
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
		list.ok("administrators", fmt.Sprintf("%d users hold an administrator role and are never written", count))
	case !request.Write:
	case d.trusts:
		list.warn("administrators", "Okta does not show who is an administrator, so plans do not name them and only Okta itself protects them", remedy)
	default:
		list.fault("administrators", "Okta does not show who is an administrator, so nobody would be written", remedy+"; or set unseen_administrators to trust")
	}
	return nil
}

// checkSchema compares the custom attributes in use with the org's profile.
func (d *Directory) checkSchema(ctx context.Context, request directory.CheckRequest, list *findings) error {
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
		list.warn("attributes", "the profile's schema cannot be read, so custom attributes are sent without knowing their types", "grant the scope "+schemasRead)
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
		list.ok("attributes", "the profile has all custom attributes in use")
	case request.Write:
		list.fault("attributes", "the profile has no "+strings.Join(missing, ", "), "add it (Directory, Profile Editor, User (default), Add Attribute)")
	default:
		list.warn("attributes", "the profile has no "+strings.Join(missing, ", "), "add it (Directory, Profile Editor, User (default), Add Attribute), unless another user type has it")
	}
	return nil
}
