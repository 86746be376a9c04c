package cognito

import (
	"context"
	"fmt"
	"slices"
	"strings"

	api "github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider"
	"github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider/types"

	"github.com/rollcall-sync/rollcall/sync/directory"
)

// nobody is a username that no user has.
const nobody = "00000000-0000-4000-8000-726f6c6c6361"

// Check implements directory.Checker.
func (d *Directory) Check(ctx context.Context, request directory.CheckRequest) ([]directory.Finding, error) {
	var list directory.Findings
	p, err := d.readPool(ctx, op{words: "read user pool"}, true)
	switch {
	case ctx.Err() != nil:
		return nil, err
	case err != nil:
		list.Failed("connection", err, lastRemedy)
		return list, nil
	}
	list.OK("connection", fmt.Sprintf("user pool %s (%s) in %s, about %d users by Cognito's estimate", p.name, d.id, d.region, p.users))
	d.checkSettings(p, request, &list)
	if err := d.checkRights(ctx, request, &list); err != nil {
		return nil, err
	}
	return list, nil
}

// lastRemedy is for errors that bring none.
const lastRemedy = "try again, and look at AWS's status page if it stays"

// checkSettings compares the pool's settings with the options and the rules.
func (d *Directory) checkSettings(p *pool, request directory.CheckRequest, list *directory.Findings) {
	switch message := fmt.Sprintf("sign_in is %s, but the pool asks for %s", d.signIn, p.kind()); {
	case p.agrees(d.signIn):
		list.OK("sign-in", "the pool takes for a username what sign_in says: "+d.signIn)
	case request.Write:
		list.Fault("sign-in", message, "set sign_in to "+p.kind())
	default:
		list.Warn("sign-in", message, "set sign_in to "+p.kind())
	}
	var lacking, fixed []string
	for _, name := range request.Attributes {
		attribute, ok := d.names.toCognito(name)
		if !ok || slices.Contains(readOnly, attribute) {
			continue
		}
		held, known := p.schema[attribute]
		if !known {
			lacking = append(lacking, attribute)
		} else if !held.mutable {
			fixed = append(fixed, attribute)
		}
	}
	switch message := "the pool has no attribute " + strings.Join(lacking, ", "); {
	case len(lacking) == 0:
		list.OK("attributes", "the pool has all attributes in use")
	case request.Write:
		list.Fault("attributes", message, schemaRemedy)
	default:
		list.Warn("attributes", message+", so it is always empty", schemaRemedy)
	}
	if request.Write && len(fixed) > 0 {
		list.Warn("attributes", "the pool lets nobody change "+strings.Join(fixed, ", ")+" after a user was created", "leave it out of the rules, or let it lead here")
	}
	if request.Write && len(p.verify) > 0 && !d.verified {
		list.Warn("addresses", "the pool keeps an old "+strings.Join(p.verify, " and ")+" until the person has verified the new one", "set verified_addresses to true")
	}
	if request.Write && p.triggers {
		list.Warn("triggers", "Lambda functions of the pool take part in the creation of users and may refuse or mail them", "look at them (User pool, Extensions)")
	}
	if request.Write && !d.confirm {
		list.OK("new users", "new users wait for an invitation, which nobody is sent (confirm_users is false)")
	}
}

// probe is one call that proves a right: on a user whom nobody is, so that it writes nothing.
type probe struct {
	action string
	call   func(ctx context.Context) error
}

// checkRights tries each right that is needed. Only calls are made that write nothing: IAM judges a call before Cognito looks
// whom it is about.
func (d *Directory) checkRights(ctx context.Context, request directory.CheckRequest, list *directory.Findings) error {
	user, one := nobody, limit(1)
	probes := []probe{
		{"ListUsers", func(ctx context.Context) error {
			_, err := d.api.ListUsers(ctx, &api.ListUsersInput{UserPoolId: &d.id, Limit: one})
			return err
		}},
		{"ListGroups", func(ctx context.Context) error {
			_, err := d.api.ListGroups(ctx, &api.ListGroupsInput{UserPoolId: &d.id, Limit: one})
			return err
		}},
		{"ListUsersInGroup", func(ctx context.Context) error {
			_, err := d.api.ListUsersInGroup(ctx, &api.ListUsersInGroupInput{UserPoolId: &d.id, GroupName: &user, Limit: one})
			return err
		}},
		{"AdminGetUser", func(ctx context.Context) error {
			_, err := d.api.AdminGetUser(ctx, &api.AdminGetUserInput{UserPoolId: &d.id, Username: &user})
			return err
		}},
		{"AdminListGroupsForUser", func(ctx context.Context) error {
			_, err := d.api.AdminListGroupsForUser(ctx, &api.AdminListGroupsForUserInput{UserPoolId: &d.id, Username: &user, Limit: one})
			return err
		}},
	}
	if request.Write {
		probes = append(probes, d.writeProbes()...)
	}
	faulty := false
	for _, p := range probes {
		o := op{words: "try " + p.action, action: p.action, missing: directory.NotFound, missingGroup: directory.NotFound}
		_, err := d.do(ctx, o, p.call)
		switch kind := directory.KindOf(err); {
		case ctx.Err() != nil:
			return err
		case err == nil, kind == directory.NotFound, kind == directory.Invalid: // it was allowed, and found nobody
		default:
			faulty = true
			list.Failed("permissions", err, lastRemedy)
		}
	}
	if faulty {
		return nil
	}
	message := "all rights that reading needs are there"
	if request.Write {
		message = "all rights that reading and writing need are there, as far as they can be tried (CreateGroup cannot)"
	}
	list.OK("permissions", message)
	return nil
}

func (d *Directory) writeProbes() []probe {
	user := nobody
	probes := []probe{
		// To send an invitation again needs the right to create, and a user.
		{"AdminCreateUser", func(ctx context.Context) error {
			_, err := d.api.AdminCreateUser(ctx, &api.AdminCreateUserInput{UserPoolId: &d.id, Username: &user, MessageAction: types.MessageActionTypeResend})
			return err
		}},
		{"AdminUpdateUserAttributes", func(ctx context.Context) error {
			_, err := d.api.AdminUpdateUserAttributes(ctx, &api.AdminUpdateUserAttributesInput{UserPoolId: &d.id, Username: &user, UserAttributes: attributeList(map[string]string{"name": ""})})
			return err
		}},
		{"AdminEnableUser", func(ctx context.Context) error {
			_, err := d.api.AdminEnableUser(ctx, &api.AdminEnableUserInput{UserPoolId: &d.id, Username: &user})
			return err
		}},
		{"AdminDisableUser", func(ctx context.Context) error {
			_, err := d.api.AdminDisableUser(ctx, &api.AdminDisableUserInput{UserPoolId: &d.id, Username: &user})
			return err
		}},
		{"AdminDeleteUser", func(ctx context.Context) error {
			_, err := d.api.AdminDeleteUser(ctx, &api.AdminDeleteUserInput{UserPoolId: &d.id, Username: &user})
			return err
		}},
		{"AdminAddUserToGroup", func(ctx context.Context) error {
			_, err := d.api.AdminAddUserToGroup(ctx, &api.AdminAddUserToGroupInput{UserPoolId: &d.id, Username: &user, GroupName: &user})
			return err
		}},
		{"AdminRemoveUserFromGroup", func(ctx context.Context) error {
			_, err := d.api.AdminRemoveUserFromGroup(ctx, &api.AdminRemoveUserFromGroupInput{UserPoolId: &d.id, Username: &user, GroupName: &user})
			return err
		}},
	}
	if d.confirm {
		probes = append(probes, probe{"AdminSetUserPassword", func(ctx context.Context) error {
			password := newPassword()
			_, err := d.api.AdminSetUserPassword(ctx, &api.AdminSetUserPasswordInput{UserPoolId: &d.id, Username: &user, Password: &password, Permanent: true})
			return err
		}})
	}
	return probes
}
