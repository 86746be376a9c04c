package keycloak

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"

	"github.com/rollcall-sync/rollcall/sync/directory"
)

// Check implements directory.Checker.
func (d *Directory) Check(ctx context.Context, request directory.CheckRequest) ([]directory.Finding, error) {
	var list directory.Findings
	checkAddress(&list, d.base)
	read, err := d.claims(ctx)
	if err != nil {
		if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
			return nil, err
		}
		list.Failed("connection", d.withOp(op{words: "sign in"}, err), lastRemedy)
		return list, nil
	}
	list.OK("connection", "signed in at "+d.base+" to realm "+d.auth.realm)
	d.checkRoles(&list, read, request)
	for _, step := range []struct {
		subject string
		look    func(context.Context, directory.CheckRequest, *directory.Findings) error
	}{
		{"users", d.checkUsers},
		{"groups", d.checkGroups},
		{"administrators", d.checkAdministrators},
		{"attributes", d.checkProfile},
		{"realm settings", d.checkRealm},
	} {
		switch err := step.look(ctx, request, &list); {
		case err == nil:
		case ctx.Err() != nil:
			return nil, err
		default:
			list.Failed(step.subject, err, lastRemedy)
		}
	}
	return list, nil
}

// lastRemedy is for errors that bring none.
const lastRemedy = "try again, and look into the server's log if it stays"

// address warns of a connection that anybody on the way can read.
func checkAddress(f *directory.Findings, base string) {
	u, err := url.Parse(base)
	if err != nil || u.Scheme == "https" {
		return
	}
	if ip := net.ParseIP(u.Hostname()); u.Hostname() == "localhost" || ip != nil && ip.IsLoopback() {
		return
	}
	f.Warn("connection", "secret and data travel unencrypted", "use an https address")
}

func (d *Directory) checkRoles(f *directory.Findings, read claims, request directory.CheckRequest) {
	roles, known := d.held(read)
	need := viewUsers
	if request.Write {
		need = manageUsers
	}
	switch {
	case !known:
		f.Warn("roles", "the token does not tell its roles, so they could not be looked at", "use a client with a service account and without lightweight tokens")
	case slices.Contains(roles, need), need == viewUsers && slices.Contains(roles, manageUsers):
		f.OK("roles", "the token holds "+need)
	case len(roles) == 0:
		f.Fault("roles", "the token holds no role of "+d.managementClient(), d.grant(need))
	default:
		f.Fault("roles", fmt.Sprintf("the token holds %s, not %s", strings.Join(roles, ", "), need), d.grant(need))
	}
}

func (d *Directory) checkUsers(ctx context.Context, _ directory.CheckRequest, list *directory.Findings) error {
	count, err := d.CountAccounts(ctx)
	if err != nil {
		return err
	}
	read, err := d.claims(ctx)
	if err != nil {
		return d.withOp(op{words: "count accounts"}, err)
	}
	roles, _ := d.held(read)
	switch {
	case count > 0:
		list.OK("users", fmt.Sprintf("%d users", count))
	case slices.Contains(roles, viewUsers) || slices.Contains(roles, manageUsers):
		list.Warn("users", "the realm has no users yet", "check realm, unless that is as it should be")
	default:
		list.Fault("users", "the realm shows no users", "if it has some: "+d.grant(viewUsers))
	}
	return nil
}

func (d *Directory) checkGroups(ctx context.Context, _ directory.CheckRequest, list *directory.Findings) error {
	if !d.groups {
		return nil
	}
	if _, _, err := d.groupPage(ctx, op{words: "list groups", role: viewUsers}, true, 0, 1); err != nil {
		return err
	}
	for _, client := range d.clientRoles {
		if _, err := d.needClient(ctx, op{words: "list roles", record: client, role: viewClients}, client); err != nil {
			return err
		}
	}
	list.OK("groups", "groups can be listed")
	return nil
}

func (d *Directory) checkAdministrators(ctx context.Context, request directory.CheckRequest, list *directory.Findings) error {
	d.forget()
	admins, err := d.administrators(ctx)
	switch {
	case err != nil:
		return err
	case admins.complete:
		list.OK("administrators", fmt.Sprintf("%d accounts may manage the realm and are never written", len(admins.users)))
	case request.Write:
		list.Warn("administrators", "who may manage the realm cannot be listed, so each account is looked at before it is written, and plans do not name them",
			d.grant(viewClients)+"; the same for "+viewRealm)
	}
	return nil
}

func (d *Directory) checkProfile(ctx context.Context, request directory.CheckRequest, list *directory.Findings) error {
	p, err := d.readProfile(ctx, true)
	if err != nil {
		return err
	}
	var dropped []string
	for _, name := range request.Attributes {
		attribute, ok := d.names.toKeycloak(name)
		if _, field := fieldNames[name]; !field && ok && !p.keeps(attribute) {
			dropped = append(dropped, attribute)
		}
	}
	slices.Sort(dropped)
	switch {
	case len(dropped) == 0:
		list.OK("attributes", "the user profile knows all attributes in use, or keeps others")
	case request.Write:
		list.Fault("attributes", "the user profile does not know "+strings.Join(dropped, ", ")+" and drops them without saying so", d.profileRemedy(d.names.toVocabulary(dropped[0])))
	default:
		list.Warn("attributes", "the user profile does not know "+strings.Join(dropped, ", ")+" and hides them", d.profileRemedy(d.names.toVocabulary(dropped[0])))
	}
	return nil
}

// checkRealm compares the realm's settings with the options, where view-realm lets them be seen.
func (d *Directory) checkRealm(ctx context.Context, request directory.CheckRequest, list *directory.Findings) error {
	var realm struct {
		EditUsername    *bool `json:"editUsernameAllowed"`
		DuplicateEmails *bool `json:"duplicateEmailsAllowed"`
		EmailAsUsername *bool `json:"registrationEmailAsUsername"`
		International   *bool `json:"internationalizationEnabled"`
	}
	if err := d.get(ctx, op{words: "read realm", role: viewUsers}, "", nil, &realm); err != nil {
		return err
	}
	is := func(setting *bool, value bool) bool { return setting != nil && *setting == value }
	if d.renaming && is(realm.EditUsername, false) {
		list.Fault("realm settings", "edit_usernames is true, but the realm does not allow usernames to be changed", "switch on Edit username (Realm settings, Login) or set edit_usernames to false")
	}
	if is(realm.DuplicateEmails, true) {
		list.Warn("realm settings", "several users may share one address", "match by another attribute than email, or switch off Duplicate emails (Realm settings, Login)")
	}
	if request.Write && is(realm.EmailAsUsername, true) {
		list.Warn("realm settings", "the realm makes the address the username", "map username to the address, or switch off Email as username (Realm settings, Login)")
	}
	if request.Write && slices.Contains(request.Attributes, directory.Locale) && is(realm.International, false) {
		list.Fault("realm settings", "the realm keeps no locale", d.profileRemedy(directory.Locale))
	}
	return nil
}
