package keycloak

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"reflect"
	"strings"

	"github.com/Nerzal/gocloak/v13"

	"github.com/rollcall-sync/rollcall/sync/directory"
	"github.com/rollcall-sync/rollcall/sync/directory/transport"
)

// CreateAccount implements directory.Creator. Keycloak wants no password for a new user, so none is set: nobody can sign
// in with one until the user gets it by Keycloak's own ways. Nobody is mailed.
func (d *Directory) CreateAccount(ctx context.Context, request directory.CreateRequest) (directory.Account, error) {
	o := op{words: "create account", record: request.Attributes.Text(directory.Username), write: true, role: manageUsers}
	var user gocloak.User
	if err := d.apply(&user, request.Attributes, true); err != nil {
		return directory.Account{}, d.withOp(o, err)
	}
	user.Enabled = gocloak.BoolP(request.Status != directory.StatusInactive) // left out, it would mean disabled
	if err := d.acceptable(ctx, o, request.Attributes); err != nil {
		return directory.Account{}, err
	}
	changes, err := d.planGroups(ctx, o, request.Groups, nil)
	if err != nil {
		return directory.Account{}, err
	}
	var id string
	err = d.do(ctx, o, func(ctx context.Context, token string) (err error) {
		id, err = d.cloak.CreateUser(ctx, token, d.path, user)
		return err
	})
	if err != nil {
		return directory.Account{}, err
	}
	if id, err = url.PathUnescape(id); err != nil || id == "" {
		return directory.Account{}, d.unknown(o, errors.New("the server did not tell the new user's id"))
	}
	o.record = id
	for _, change := range changes {
		if err := d.changeGroup(ctx, o, id, change); err != nil {
			return directory.Account{}, d.unknown(o, fmt.Errorf("the user was created, but not put into its groups: %w", err))
		}
	}
	stored, problem, err := d.user(ctx, op{words: o.words, record: id, role: viewUsers, missing: directory.NotFound})
	if err != nil {
		return directory.Account{}, d.unknown(o, fmt.Errorf("the user was created, but could not be read back: %w", err))
	}
	return d.describe(ctx, stored, problem, request.Attributes.Names())
}

func (d *Directory) unknown(o op, cause error) error {
	return &directory.Error{Kind: directory.UnknownOutcome, Op: o.words, Record: o.record, Directory: d.name, Err: cause}
}

// UpdateAccount implements directory.Updater. Keycloak replaces: an update that holds attributes wipes those it does not
// repeat, and the names and the address with them. So the whole record is read, changed and written.
func (d *Directory) UpdateAccount(ctx context.Context, request directory.UpdateRequest) (directory.Account, error) {
	o := op{words: "update account", record: request.ID, role: manageUsers, missing: directory.NotFound}
	user, err := d.writable(ctx, o)
	if err != nil {
		return directory.Account{}, err
	}
	changed := user
	if err := d.apply(&changed, request.Set, false); err != nil {
		return directory.Account{}, d.withOp(o, err)
	}
	if same(user, changed) {
		return d.describe(ctx, user, "", request.Set.Names())
	}
	if err := d.acceptable(ctx, o, request.Set); err != nil {
		return directory.Account{}, err
	}
	o.write = true
	if err := d.put(ctx, o, changed); err != nil {
		return directory.Account{}, err
	}
	stored, problem, err := d.user(ctx, op{words: o.words, record: request.ID, role: viewUsers, missing: directory.NotFound})
	if err != nil {
		return directory.Account{}, d.unknown(o, fmt.Errorf("the user was written, but could not be read back: %w", err))
	}
	account, err := d.describe(ctx, stored, problem, request.Set.Names())
	if err != nil {
		return directory.Account{}, d.unknown(o, err)
	}
	if problem == "" {
		err = d.verify(o, request.Set, account)
	}
	return account, err
}

// same reports whether a write would change nothing.
func same(a, b gocloak.User) bool {
	flat := func(u gocloak.User) [7]any {
		attributes := map[string][]string{}
		if u.Attributes != nil && len(*u.Attributes) > 0 {
			attributes = *u.Attributes
		}
		return [7]any{
			gocloak.PString(u.Username), gocloak.PString(u.Email), gocloak.PString(u.FirstName), gocloak.PString(u.LastName),
			gocloak.PBool(u.EmailVerified), gocloak.PBool(u.Enabled), attributes,
		}
	}
	return reflect.DeepEqual(flat(a), flat(b))
}

// put writes everything of a record that an incomplete write would wipe, and nothing else.
func (d *Directory) put(ctx context.Context, o op, user gocloak.User) error {
	body := gocloak.User{
		Username: user.Username, Email: user.Email, FirstName: user.FirstName, LastName: user.LastName,
		EmailVerified: user.EmailVerified, Enabled: user.Enabled, Attributes: user.Attributes,
	}
	if body.Attributes == nil {
		body.Attributes = &map[string][]string{}
	}
	return d.do(ctx, o, func(ctx context.Context, token string) error {
		resp, err := d.cloak.GetRequestWithBearerAuth(ctx, token).SetBody(body).Put(d.admin("/users/" + url.PathEscape(o.record)))
		if err == nil && resp.IsError() {
			err = errors.New(resp.Status())
		}
		return err
	})
}

// verify compares what was asked for with what was stored: Keycloak answers 204 and drops, without a word, an attribute
// that its user profile does not know, and a locale where internationalisation is off.
func (d *Directory) verify(o op, set directory.Attributes, stored directory.Account) error {
	for _, name := range set.Names() {
		if set[name].IsEmpty() == stored.Attributes[name].IsEmpty() {
			continue
		}
		if name == directory.EmailVerified {
			continue // an empty one is stored as false
		}
		e := &directory.Error{Kind: directory.Invalid, Attribute: name, Err: fmt.Errorf("the server took %s and did not store it", name), Remedy: d.profileRemedy(name)}
		if set[name].IsEmpty() {
			e.Err = fmt.Errorf("the server took the empty %s and kept the old value", name)
		}
		return d.withOp(o, e)
	}
	return nil
}

// writable reads a record that is about to be written, and refuses those that must not be.
func (d *Directory) writable(ctx context.Context, o op) (gocloak.User, error) {
	user, problem, err := d.user(ctx, o)
	if err != nil {
		return gocloak.User{}, err
	}
	account := directory.Account{ID: o.record}
	admins, err := d.single(ctx)
	if err == nil {
		err = d.mark(ctx, &account, user, admins)
	}
	if err != nil {
		return gocloak.User{}, err
	}
	for _, reason := range []string{problem, account.Privileged, account.ReadOnly} {
		if reason != "" {
			return gocloak.User{}, d.refuse(o, reason)
		}
	}
	return user, d.guard(ctx, o)
}

// guard refuses to write administrators and the account that Rollcall signs in with. The engine knows them already; this
// holds also where the listing could not tell.
func (d *Directory) guard(ctx context.Context, o op) error {
	admins, err := d.single(ctx)
	if err != nil {
		return err
	}
	reason, err := d.reason(ctx, admins, o.record)
	if err != nil {
		return err
	}
	if reason != "" {
		return d.refuse(o, reason)
	}
	self, err := d.Self(ctx)
	if err != nil {
		return err
	}
	if self == o.record {
		return d.refuse(o, "the account that Rollcall signs in with")
	}
	return nil
}

func (d *Directory) refuse(o op, reason string) error {
	return d.withOp(o, &directory.Error{Kind: directory.Invalid, Err: fmt.Errorf("not written: %s", reason)})
}

// SetStatus implements directory.StatusSetter. Disabling ends refresh tokens at once; signing out ends the sessions.
// Access tokens live out their few minutes.
func (d *Directory) SetStatus(ctx context.Context, request directory.StatusRequest) (directory.Account, error) {
	o := op{words: "deactivate account", record: request.ID, role: manageUsers, missing: directory.NotFound}
	wanted := request.Status == directory.StatusActive
	switch {
	case wanted:
		o.words = "activate account"
	case request.Status != directory.StatusInactive:
		return directory.Account{}, d.withOp(o, &directory.Error{Kind: directory.Invalid, Err: errors.New("the status must be active or inactive")})
	}
	user, err := d.writable(ctx, o)
	if err != nil {
		return directory.Account{}, err
	}
	o.write = true
	again := transport.Repeatable(ctx) // the same status twice is the same status
	if gocloak.PBool(user.Enabled) != wanted {
		user.Enabled = &wanted
		if err := d.put(again, o, user); err != nil {
			return directory.Account{}, err
		}
	}
	if !wanted {
		err := d.do(again, o, func(ctx context.Context, token string) error {
			return d.cloak.LogoutAllSessions(ctx, token, d.path, url.PathEscape(request.ID))
		})
		if err != nil {
			return directory.Account{}, err
		}
	}
	stored, problem, err := d.user(ctx, op{words: o.words, record: request.ID, role: viewUsers, missing: directory.NotFound})
	if err != nil {
		return directory.Account{}, err // asking again is harmless
	}
	return d.describe(ctx, stored, problem, nil)
}

// DeleteAccount implements directory.Deleter. It cannot be undone.
func (d *Directory) DeleteAccount(ctx context.Context, id string) error {
	o := op{words: "delete account", record: id, role: manageUsers, missing: directory.NotFound}
	if _, err := d.writable(ctx, o); err != nil {
		return err
	}
	o.write = true
	return d.do(ctx, o, func(ctx context.Context, token string) error {
		return d.cloak.DeleteUser(ctx, token, d.path, url.PathEscape(id))
	})
}

// profile is the realm's user profile: which attributes it knows, and what becomes of others.
type profile struct {
	names  map[string]bool
	policy string // empty: others are dropped without a word
	absent bool   // versions before 24 keep everything
}

func (d *Directory) readProfile(ctx context.Context, fresh bool) (*profile, error) {
	d.mu.Lock()
	kept := d.profile
	d.mu.Unlock()
	if kept != nil && !fresh {
		return kept, nil
	}
	var answer struct {
		Attributes []struct {
			Name string `json:"name"`
		} `json:"attributes"`
		Policy string `json:"unmanagedAttributePolicy"`
	}
	read := &profile{names: map[string]bool{}}
	err := d.get(ctx, op{words: "read user profile", role: viewUsers}, "/users/profile", nil, &answer)
	switch {
	case errors.Is(err, errNoSuchPath):
		read.absent = true
	case err != nil:
		return nil, err
	}
	read.policy = answer.Policy
	for _, attribute := range answer.Attributes {
		read.names[attribute.Name] = true
	}
	d.mu.Lock()
	d.profile = read
	d.mu.Unlock()
	return read, nil
}

// keeps reports whether an attribute would be stored. locale is kept outside the profile (where the realm is
// internationalised, which is only seen afterwards).
func (p *profile) keeps(attribute string) bool {
	return p.absent || p.names[attribute] || p.policy != "" || attribute == "locale"
}

// acceptable refuses attributes that the realm would drop, before anything is sent. A profile in memory that refuses is
// read again: the administrator may just have followed the remedy.
func (d *Directory) acceptable(ctx context.Context, o op, set directory.Attributes) error {
	var asked []string
	for _, name := range set.Names() {
		_, ok := d.names.toKeycloak(name)
		if _, field := fieldNames[name]; !field && ok && !set[name].IsEmpty() {
			asked = append(asked, name)
		}
	}
	if len(asked) == 0 {
		return nil
	}
	dropped := ""
	for _, fresh := range []bool{false, true} {
		p, err := d.readProfile(ctx, fresh)
		if err != nil {
			return err
		}
		if dropped = d.dropped(p, asked); dropped == "" {
			return nil
		}
	}
	return d.withOp(o, &directory.Error{
		Kind: directory.Invalid, Attribute: dropped, Remedy: d.profileRemedy(dropped),
		Err: fmt.Errorf("the realm would drop %s without saying so", dropped),
	})
}

// dropped returns the first of the names that the realm would not store; empty where it stores all.
func (d *Directory) dropped(p *profile, asked []string) string {
	for _, name := range asked {
		if attribute, ok := d.names.toKeycloak(name); ok && !p.keeps(attribute) {
			return name
		}
	}
	return ""
}

func (d *Directory) profileRemedy(name string) string {
	attribute, _ := d.names.toKeycloak(name)
	if attribute == "locale" {
		return "switch on internationalisation (Realm settings, Localization), without which the realm keeps no locale"
	}
	return "add the attribute " + attribute + " to the user profile (Realm settings, User profile), or set Unmanaged Attributes to Only administrators can write (Realm settings, General)"
}

// Self implements directory.SelfIdentifier. A lightweight token names nobody, so the username has to.
func (d *Directory) Self(ctx context.Context) (string, error) {
	o := op{words: "find own account", role: viewUsers}
	if d.auth.realm != d.realm {
		return "", nil // it is in another realm
	}
	read, err := d.claims(ctx)
	if err != nil {
		return "", d.withOp(o, err)
	}
	if read.Subject != "" {
		return read.Subject, nil
	}
	d.mu.Lock()
	self := d.self
	d.mu.Unlock()
	if self != "" {
		return self, nil
	}
	username := d.auth.username
	if username == "" {
		username = serviceAccountPrefix + strings.ToLower(d.auth.client)
	}
	rows, err := d.page(ctx, o, "/users", url.Values{"username": {username}, "exact": {"true"}, "briefRepresentation": {"false"}}, 0, d.pageSize)
	if err != nil {
		return "", err
	}
	for _, raw := range rows {
		if user, _ := decodeUser(raw); matches(user, directory.Username, username) {
			self = gocloak.PString(user.ID)
		}
	}
	d.mu.Lock()
	d.self = self
	d.mu.Unlock()
	return self, nil
}
