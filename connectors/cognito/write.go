package cognito

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	api "github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider"
	"github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider/types"

	"github.com/rollcall-sync/rollcall/sync/directory"
)

// CreateAccount implements directory.Creator. Nobody is mailed; Cognito makes a temporary password that nobody sees.
// ForceAliasCreation stays off: it would take a verified address away from another user.
func (d *Directory) CreateAccount(ctx context.Context, request directory.CreateRequest) (directory.Account, error) {
	o := op{words: "create account", missing: directory.NotFound, missingGroup: directory.Invalid, taken: d.nameAttribute()}
	username := request.Attributes.Text(o.taken)
	o.record = username
	if err := d.checkName(o, request.Attributes); err != nil {
		return directory.Account{}, err
	}
	attributes, err := d.wire(request.Attributes, nil)
	if err != nil {
		return directory.Account{}, d.withOp(o, err)
	}
	maps.DeleteFunc(attributes, func(_, value string) bool { return value == "" })
	if err := d.acceptable(ctx, o, attributes, true); err != nil {
		return directory.Account{}, err
	}
	if err := d.known(ctx, o, request.Groups, nil); err != nil {
		return directory.Account{}, err
	}
	o.write = true
	body, err := d.do(ctx, o.does("AdminCreateUser"), func(ctx context.Context) error {
		_, err := d.api.AdminCreateUser(ctx, &api.AdminCreateUserInput{
			UserPoolId: &d.id, Username: &username, MessageAction: types.MessageActionTypeSuppress, UserAttributes: attributeList(attributes),
		})
		return err
	})
	if err != nil {
		return directory.Account{}, err
	}
	var answer struct{ User json.RawMessage }
	if err := d.decode(o, body, &answer); err != nil {
		return directory.Account{}, err
	}
	made := decodeRecord(answer.User)
	if made.problem != "" {
		return directory.Account{}, d.unknown(o, errors.New("the answer does not tell the new user: "+made.problem))
	}
	d.remember(made)
	return d.finish(ctx, o, made, request)
}

// finish does what the creation itself cannot: the password, the groups, the status. What fails here leaves a user behind.
func (d *Directory) finish(ctx context.Context, o op, made record, request directory.CreateRequest) (directory.Account, error) {
	o.record, o.write = made.sub, false
	if d.confirm {
		_, err := d.do(ctx, o.does("AdminSetUserPassword"), func(ctx context.Context) error {
			password := newPassword()
			_, err := d.api.AdminSetUserPassword(ctx, &api.AdminSetUserPasswordInput{UserPoolId: &d.id, Username: &made.username, Password: &password, Permanent: true})
			return err
		})
		if err != nil {
			return directory.Account{}, d.unknown(o, fmt.Errorf("the user was created, but not confirmed: %w", err))
		}
	}
	if err := d.changeGroups(ctx, o, made.username, request.Groups, nil); err != nil {
		d.forgetGroups() // one of them may be gone
		return directory.Account{}, d.unknown(o, fmt.Errorf("the user was created, but not put into its groups: %w", err))
	}
	if request.Status == directory.StatusInactive {
		if err := d.enable(ctx, o, made.username, false); err != nil {
			return directory.Account{}, d.unknown(o, fmt.Errorf("the user was created, but not disabled: %w", err))
		}
	}
	stored := made
	if d.confirm || request.Status == directory.StatusInactive {
		var err error
		if stored, err = d.getUser(ctx, o, made.username); err != nil {
			return directory.Account{}, d.unknown(o, fmt.Errorf("the user was created, but could not be read back: %w", err))
		}
	}
	account, err := d.describe(ctx, o, stored, request.Attributes.Names())
	if err != nil {
		return directory.Account{}, d.unknown(o, err)
	}
	return account, nil
}

func (d *Directory) unknown(o op, cause error) error {
	return &directory.Error{Kind: directory.UnknownOutcome, Op: o.words, Record: o.record, Directory: d.name, Err: cause}
}

// nameAttribute returns the attribute that a new user gets its username from.
func (d *Directory) nameAttribute() string {
	switch d.signIn {
	case byEmail:
		return directory.Email
	case byPhone:
		return directory.Phone
	default:
		return directory.Username
	}
}

// checkName refuses what cannot be a username.
func (d *Directory) checkName(o op, attributes directory.Attributes) error {
	e := &directory.Error{Kind: directory.Invalid, Attribute: o.taken}
	_, named := attributes[directory.Username]
	switch username := attributes.Text(o.taken); {
	case username == "":
		e.Err = fmt.Errorf("a user of this pool cannot be without %s", o.taken)
	case !isUsername(username):
		e.Err = fmt.Errorf("%s must have 1 to %d letters, digits, symbols and signs, and no spaces", o.taken, maxUsername)
	case d.signIn == byAlias && strings.Contains(username, "@"):
		e.Err = errors.New("a username of this pool must not look like an address")
	case named && o.taken != directory.Username:
		e.Kind, e.Attribute = directory.Unsupported, directory.Username
		e.Err = fmt.Errorf("usernames of this pool are generated (sign_in: %s)", d.signIn)
	default:
		return nil
	}
	return d.withOp(o, e)
}

// newPassword returns letters that nobody sees and that every policy takes: at most 99, of all four kinds.
func newPassword() string {
	return "aA1!" + rand.Text() + rand.Text() + rand.Text()
}

func attributeList(attributes map[string]string) []types.AttributeType {
	var list []types.AttributeType
	for _, name := range slices.Sorted(maps.Keys(attributes)) {
		value := attributes[name]
		list = append(list, types.AttributeType{Name: &name, Value: &value})
	}
	return list
}

// UpdateAccount implements directory.Updater. What is not named stays: Cognito changes the attributes that it is sent, and
// an empty one it removes. Only those that differ are sent.
func (d *Directory) UpdateAccount(ctx context.Context, request directory.UpdateRequest) (directory.Account, error) {
	o := op{words: "update account", record: request.ID, missing: directory.NotFound}
	r, err := d.writable(ctx, o)
	if err != nil {
		return directory.Account{}, err
	}
	if err := d.checkUpdate(o, r, request.Set); err != nil {
		return directory.Account{}, err
	}
	changes, err := d.wire(request.Set, r.attributes)
	if err != nil {
		return directory.Account{}, d.withOp(o, err)
	}
	if len(changes) == 0 {
		return d.describe(ctx, o, r, request.Set.Names())
	}
	if err := d.acceptable(ctx, o, changes, false); err != nil {
		return directory.Account{}, err
	}
	if err := d.free(ctx, o, changes); err != nil {
		return directory.Account{}, err
	}
	o.write = true
	_, err = d.do(ctx, o.does("AdminUpdateUserAttributes"), func(ctx context.Context) error {
		_, err := d.api.AdminUpdateUserAttributes(ctx, &api.AdminUpdateUserAttributesInput{UserPoolId: &d.id, Username: &r.username, UserAttributes: attributeList(changes)})
		return err
	})
	if err != nil {
		return directory.Account{}, err
	}
	stored, err := d.getUser(ctx, o, r.username)
	if err != nil {
		return directory.Account{}, d.unknown(o, fmt.Errorf("the user was written, but could not be read back: %w", err))
	}
	account, err := d.describe(ctx, o, stored, request.Set.Names())
	if err != nil {
		return directory.Account{}, d.unknown(o, err)
	}
	return account, d.kept(o, changes, stored)
}

// checkUpdate refuses a new username, and the emptying of what stands for one.
func (d *Directory) checkUpdate(o op, r record, set directory.Attributes) error {
	if name, ok := set[directory.Username]; ok && (d.nameAttribute() != directory.Username || !strings.EqualFold(name.String(), r.username)) {
		return d.withOp(o, &directory.Error{Kind: directory.Unsupported, Attribute: directory.Username, Err: errors.New("a username of Cognito never changes")})
	}
	if value, ok := set[d.nameAttribute()]; ok && value.IsEmpty() {
		return d.withOp(o, &directory.Error{Kind: directory.Invalid, Attribute: d.nameAttribute(), Err: fmt.Errorf("a user of this pool cannot be without %s", d.nameAttribute())})
	}
	return nil
}

// free refuses an address or number that is another user's alias. Cognito does not: it takes the alias from the other
// (boto/boto3 #3213).
func (d *Directory) free(ctx context.Context, o op, changes map[string]string) error {
	p, err := d.readPool(ctx, o, false)
	if err != nil {
		return err
	}
	for _, attribute := range []string{email, phone, "preferred_username"} {
		value := changes[attribute]
		if value == "" || !slices.Contains(p.aliases, attribute) {
			continue
		}
		if !isUsername(value) {
			return d.withOp(o, &directory.Error{
				Kind: directory.Invalid, Attribute: d.names.toVocabulary(attribute),
				Err: fmt.Errorf("%s, with which people sign in, must have 1 to %d characters and no spaces", attribute, maxUsername),
			})
		}
		other, err := d.getUser(ctx, o, value)
		switch {
		case err == nil && other.sub != o.record:
			return d.withOp(o, &directory.Error{
				Kind: directory.Conflict, Attribute: d.names.toVocabulary(attribute),
				Err: fmt.Errorf("another user signs in with this %s, and would lose it", attribute),
			})
		case err != nil && directory.KindOf(err) != directory.NotFound:
			return err
		}
	}
	return nil
}

// kept compares what was sent with what was stored: a pool may keep the old address until the new one is verified.
func (d *Directory) kept(o op, sent map[string]string, stored record) error {
	for _, attribute := range slices.Sorted(maps.Keys(sent)) {
		value := stored.attributes[attribute]
		if value == sent[attribute] || strings.EqualFold(value, sent[attribute]) || attribute == emailVerified || attribute == phoneVerified {
			continue
		}
		if !(attribute == email || attribute == phone) && value != "" && sent[attribute] != "" {
			continue // another form of the same, which the comparison of the engine sees
		}
		return d.withOp(o, &directory.Error{
			Kind: directory.Invalid, Attribute: d.names.toVocabulary(attribute), Err: fmt.Errorf("the pool took %s and kept the old one", attribute),
			Remedy: "set verified_addresses to true, or wait until the person has entered the code",
		})
	}
	return nil
}

// writable reads a record that is about to be written, and refuses those that must not be.
func (d *Directory) writable(ctx context.Context, o op) (record, error) {
	r, err := d.user(ctx, o)
	if err != nil {
		return record{}, err
	}
	reason := r.problem
	if reason == "" {
		if reason, err = d.reason(ctx, o, r); err != nil {
			return record{}, err
		}
	}
	if reason != "" {
		return record{}, d.withOp(o, &directory.Error{Kind: directory.Invalid, Err: fmt.Errorf("not written: %s", reason)})
	}
	return r, nil
}

// SetStatus implements directory.StatusSetter. Disabling a user revokes all its tokens; access tokens that applications check
// by themselves live out their time.
func (d *Directory) SetStatus(ctx context.Context, request directory.StatusRequest) (directory.Account, error) {
	o := op{words: "deactivate account", record: request.ID, missing: directory.NotFound}
	wanted := request.Status == directory.StatusActive
	switch {
	case wanted:
		o.words = "activate account"
	case request.Status != directory.StatusInactive:
		return directory.Account{}, d.withOp(o, &directory.Error{Kind: directory.Invalid, Err: errors.New("the status must be active or inactive")})
	}
	r, err := d.writable(ctx, o)
	if err != nil {
		return directory.Account{}, err
	}
	if *r.enabled != wanted {
		if err := d.enable(ctx, o, r.username, wanted); err != nil {
			return directory.Account{}, err
		}
		if r, err = d.getUser(ctx, o, r.username); err != nil {
			return directory.Account{}, err // asking again is harmless
		}
	}
	account := d.account(r, nil)
	if account.Status != request.Status {
		return account, d.withOp(o, &directory.Error{
			Kind: directory.Invalid, Err: fmt.Errorf("the user is enabled, but Cognito lets nobody in whose status is %s", r.status),
			Remedy: "reset the user's password in the pool",
		})
	}
	return account, nil
}

// enable sets the switch. The same switch twice is the same switch, so that it may be sent again.
func (d *Directory) enable(ctx context.Context, o op, username string, on bool) error {
	o.write = false
	o = o.does("AdminDisableUser")
	call := func(ctx context.Context) error {
		_, err := d.api.AdminDisableUser(ctx, &api.AdminDisableUserInput{UserPoolId: &d.id, Username: &username})
		return err
	}
	if on {
		o = o.does("AdminEnableUser")
		call = func(ctx context.Context) error {
			_, err := d.api.AdminEnableUser(ctx, &api.AdminEnableUserInput{UserPoolId: &d.id, Username: &username})
			return err
		}
	}
	_, err := d.do(ctx, o, call)
	return err
}

// DeleteAccount implements directory.Deleter. It cannot be undone; the API, unlike the console, does not want the user to be
// disabled first.
func (d *Directory) DeleteAccount(ctx context.Context, id string) error {
	o := op{words: "delete account", record: id, missing: directory.NotFound}
	r, err := d.writable(ctx, o)
	if err != nil {
		return err
	}
	o.write = true
	_, err = d.do(ctx, o.does("AdminDeleteUser"), func(ctx context.Context) error {
		_, err := d.api.AdminDeleteUser(ctx, &api.AdminDeleteUserInput{UserPoolId: &d.id, Username: &r.username})
		return err
	})
	if err == nil {
		d.forget(id)
	}
	return err
}
