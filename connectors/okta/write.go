package okta

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	sdk "github.com/okta/okta-sdk-golang/v2/okta"

	"github.com/rollcall-sync/rollcall/sync/directory"
	"github.com/rollcall-sync/rollcall/sync/directory/transport"
)

// CreateAccount implements directory.Creator, in one request with groups and all, so that nothing half-made can be left.
//
// Okta mails a link to whoever is activated without a password. An active user is therefore given a long random one that
// nobody sees, which makes it ACTIVE and mails nobody; the person comes in by "Forgot password" or by the org's single
// sign-on. An inactive one is created STAGED.
func (d *Directory) CreateAccount(ctx context.Context, request directory.CreateRequest) (directory.Account, error) {
	o := op{words: "create account", record: request.Attributes.Text(directory.Username), scope: usersManage, missingGroup: directory.Invalid}
	for _, spec := range d.description.Attributes {
		if spec.Required && request.Attributes[spec.Name].IsEmpty() {
			return directory.Account{}, d.required(o, spec.Name)
		}
	}
	body, err := d.profile(ctx, o, request.Attributes)
	if err != nil {
		return directory.Account{}, err
	}
	for key, value := range body {
		if value == nil { // nothing to empty
			delete(body, key)
		}
	}
	for _, id := range request.Groups {
		if err := d.writableGroup(ctx, o, id); err != nil {
			return directory.Account{}, err
		}
	}
	active := request.Status != directory.StatusInactive
	profile := sdk.UserProfile(body)
	create := sdk.CreateUserRequest{GroupIds: request.Groups, Profile: &profile}
	if active {
		create.Credentials = &sdk.UserCredentials{Password: &sdk.PasswordCredential{Value: newPassword()}}
	}
	o.write = true
	var raw json.RawMessage
	if _, err := d.call(ctx, o, http.MethodPost, "/api/v1/users?activate="+strconv.FormatBool(active), create, &raw); err != nil {
		return directory.Account{}, err
	}
	return d.stored(o, raw, request.Attributes)
}

// newPassword returns a random password that policies take: 55 letters, digits and signs. Okta takes 72 at most.
func newPassword() string { return rand.Text() + "-" + strings.ToLower(rand.Text()) + ".9" }

func (d *Directory) required(o op, name string) error {
	e := &directory.Error{Kind: directory.Invalid, Attribute: name, Err: fmt.Errorf("a user cannot be without %s", name)}
	if name == directory.FirstName || name == directory.LastName {
		e.Remedy = "set optional_names if the org's profile does not require names (Directory, Profile Editor)"
	}
	return d.withOp(o, e)
}

// stored turns the answer to a write into the account.
func (d *Directory) stored(o op, raw json.RawMessage, set directory.Attributes) (directory.Account, error) {
	u, problem := decodeUser(raw)
	if u.ID == "" {
		return directory.Account{}, d.unknown(o, fmt.Errorf("the answer is no user: %s", problem))
	}
	account := d.account(u, problem, nil)
	account.Privileged = d.admins.reason(u.ID)
	for name := range set {
		if _, ok := account.Attributes[name]; !ok && problem == "" {
			account.Attributes[name] = directory.Value{}
		}
	}
	return account, nil
}

func (d *Directory) unknown(o op, cause error) error {
	return &directory.Error{Kind: directory.UnknownOutcome, Op: o.words, Record: o.record, Directory: d.name, Err: cause}
}

// profile makes the body of a write. The schema is read only where a custom attribute is written: all others are texts.
func (d *Directory) profile(ctx context.Context, o op, set directory.Attributes) (map[string]any, error) {
	var types map[string]string
	for name, value := range set {
		if strings.HasPrefix(name, directory.CustomPrefix) && !value.IsEmpty() {
			var err error
			if types, err = d.readSchema(ctx); err != nil {
				return nil, d.withOp(o, err)
			}
			break
		}
	}
	body, err := profile(set, types)
	if err != nil {
		return nil, d.withOp(o, err)
	}
	return body, nil
}

// readSchema reads the type of each attribute of the default user type. Where it may not be read, values go out as they are.
func (d *Directory) readSchema(ctx context.Context) (map[string]string, error) {
	d.mu.Lock()
	known := d.schema
	d.mu.Unlock()
	if known != nil {
		return known, nil
	}
	var raw json.RawMessage
	o := op{words: "read user schema", scope: schemasRead}
	types := map[string]string{}
	_, err := d.call(ctx, o, http.MethodGet, "/api/v1/meta/schemas/user/default", nil, &raw)
	switch {
	case errors.Is(err, errForbidden):
	case err != nil:
		return nil, err
	default:
		if types, err = schemaTypes(raw); err != nil {
			return nil, d.failure(o, &exchange{}, err)
		}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.schema = types
	return types, nil
}

// schemaTypes returns the type of each attribute of a schema: "string", "integer", "array of string".
func schemaTypes(raw json.RawMessage) (map[string]string, error) {
	var answer struct {
		Definitions map[string]struct {
			Properties map[string]struct {
				Type  string `json:"type"`
				Items struct {
					Type string `json:"type"`
				} `json:"items"`
			} `json:"properties"`
		} `json:"definitions"`
	}
	if err := json.Unmarshal(raw, &answer); err != nil {
		return nil, fmt.Errorf("the schema cannot be understood: %w", err)
	}
	types := map[string]string{}
	for _, definition := range answer.Definitions {
		for key, p := range definition.Properties {
			types[key] = p.Type
			if p.Type == "array" {
				types[key] = "array of " + p.Items.Type
			}
		}
	}
	return types, nil
}

// UpdateAccount implements directory.Updater by a partial update (POST); the full one (PUT) would empty what it does not
// name. A user kept in another directory is refused by Okta where the attribute is kept there.
func (d *Directory) UpdateAccount(ctx context.Context, request directory.UpdateRequest) (directory.Account, error) {
	o := op{words: "update account", record: request.ID, scope: usersManage, onUser: true, missing: directory.NotFound}
	if err := d.guard(ctx, o); err != nil {
		return directory.Account{}, err
	}
	for _, spec := range d.description.Attributes {
		if value, ok := request.Set[spec.Name]; ok && spec.Required && value.IsEmpty() {
			return directory.Account{}, d.required(o, spec.Name)
		}
	}
	body, err := d.profile(ctx, o, request.Set)
	if err != nil {
		return directory.Account{}, err
	}
	if request.Revision != "" || len(body) == 0 {
		u, problem, err := d.user(ctx, o)
		if err != nil {
			return directory.Account{}, err
		}
		now := d.account(u, problem, nil)
		if request.Revision != "" && now.Revision != request.Revision {
			return directory.Account{}, d.withOp(o, &directory.Error{Kind: directory.Conflict, Err: errors.New("the user has changed since it was read")})
		}
		if len(body) == 0 {
			return d.describe(ctx, u, problem, request.Set.Names())
		}
	}
	profile := sdk.UserProfile(body)
	o.write = true
	var raw json.RawMessage
	if _, err := d.call(ctx, o, http.MethodPost, "/api/v1/users/"+url.PathEscape(request.ID), sdk.User{Profile: &profile}, &raw); err != nil {
		return directory.Account{}, err
	}
	return d.stored(o, raw, request.Set)
}

// SetStatus implements directory.StatusSetter. Okta suspends only who is ACTIVE; whoever is in another state that lets them
// come back by themselves (locked out, password expired) is deactivated, because a leaver who can still sign in is worse
// than apps that have to be assigned again. Suspending leaves sessions open, so they are ended; deactivating ends them.
func (d *Directory) SetStatus(ctx context.Context, request directory.StatusRequest) (directory.Account, error) {
	o := op{words: "deactivate account", record: request.ID, scope: usersManage, onUser: true, missing: directory.NotFound}
	switch request.Status {
	case directory.StatusActive:
		o.words = "activate account"
	case directory.StatusInactive:
	default:
		return directory.Account{}, d.withOp(o, &directory.Error{Kind: directory.Invalid, Err: errors.New("the status must be active or inactive")})
	}
	u, problem, err := d.user(ctx, o)
	if err != nil {
		return directory.Account{}, err
	}
	if err := d.guard(ctx, o); err != nil {
		return directory.Account{}, err
	}
	step := d.lifecycle(u.status(), request.Status)
	if step == "" {
		return d.describe(ctx, u, problem, nil)
	}
	o.write = true
	path := "/api/v1/users/" + url.PathEscape(request.ID)
	if _, err := d.call(ctx, o, http.MethodPost, path+"/lifecycle/"+step, nil, nil); err != nil {
		return directory.Account{}, err
	}
	if step == "suspend" {
		if _, err := d.call(transport.Repeatable(ctx), o, http.MethodDelete, path+"/sessions?oauthTokens=true", nil, nil); err != nil {
			return directory.Account{}, err
		}
	}
	o.write = false // asking again is harmless
	if u, problem, err = d.user(ctx, o); err != nil {
		return directory.Account{}, err
	}
	account, err := d.describe(ctx, u, problem, nil)
	if err == nil && account.Status != request.Status {
		err = d.withOp(o, &directory.Error{Kind: directory.Retryable, Err: fmt.Errorf("the user is still %s", u.Status)})
	}
	return account, err
}

// lifecycle returns the step that leads from a status to the one that is wanted; empty where it is that already. Nobody is
// mailed: activating would be, unless told otherwise.
func (d *Directory) lifecycle(status string, wanted directory.Status) string {
	switch {
	case statusOf(status, d.stagedActive) == wanted && status != statusStaged:
		return ""
	case wanted == directory.StatusInactive && status == statusStaged && !d.stagedActive:
		return ""
	case wanted == directory.StatusInactive && status == statusActive && d.suspends:
		return "suspend"
	case wanted == directory.StatusInactive:
		return "deactivate?sendEmail=false"
	case status == statusSuspended:
		return "unsuspend"
	default:
		return "activate?sendEmail=false"
	}
}

// The bounds of waiting for a deactivation that Okta finishes after it has answered.
const (
	deletionLooks = 8
	deletionRest  = time.Second
)

// DeleteAccount implements directory.Deleter. The first call deactivates, the second, on a deactivated user, erases; in
// between the status is read until the first one is through. It cannot be undone.
func (d *Directory) DeleteAccount(ctx context.Context, id string) error {
	o := op{words: "delete account", record: id, scope: usersManage, onUser: true, missing: directory.NotFound}
	u, _, err := d.user(ctx, o)
	if err != nil {
		return err
	}
	if err := d.guard(ctx, o); err != nil {
		return err
	}
	write := o
	write.write = true
	path := "/api/v1/users/" + url.PathEscape(id) + "?sendEmail=false"
	if u.Status != statusDeprovisioned {
		if _, err := d.call(ctx, write, http.MethodDelete, path, nil, nil); err != nil {
			return err
		}
		if err := d.awaitDeprovisioned(ctx, o); err != nil {
			return err
		}
	}
	_, err = d.call(ctx, write, http.MethodDelete, path, nil, nil)
	return err
}

func (d *Directory) awaitDeprovisioned(ctx context.Context, o op) error {
	for n := range deletionLooks {
		u, _, err := d.user(ctx, o)
		if err != nil {
			return err
		}
		if u.Status == statusDeprovisioned {
			return nil
		}
		if err := d.sleep(ctx, deletionRest<<n); err != nil {
			return d.withOp(o, &directory.Error{Kind: directory.Retryable, Err: err})
		}
	}
	return d.withOp(o, &directory.Error{
		Kind: directory.Retryable, Err: errors.New("the user is still being deactivated, so it was not erased"), Remedy: "run again later",
	})
}
