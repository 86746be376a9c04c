package keycloak

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/Nerzal/gocloak/v13"

	"github.com/rollcall-sync/rollcall/sync/directory"
)

// serviceAccountPrefix begins the usernames that Keycloak gives to the accounts of clients.
const serviceAccountPrefix = "service-account-"

// isServiceAccount tells the account of a client from a person's. The record of a list names no client, so the username
// has to do; the bare user list holds no service accounts and is not asked.
func isServiceAccount(u gocloak.User) bool {
	return gocloak.PString(u.ServiceAccountClientID) != "" || strings.HasPrefix(gocloak.PString(u.Username), serviceAccountPrefix)
}

// decodeUser reads one record. A record that cannot be read is returned with whatever is known of it and the reason.
func decodeUser(raw json.RawMessage) (user gocloak.User, problem string) {
	if err := json.Unmarshal(raw, &user); err != nil {
		var known struct {
			ID       any `json:"id"`
			Username any `json:"username"`
		}
		_ = json.Unmarshal(raw, &known) // what it cannot tell stays empty
		user = gocloak.User{}
		if id, ok := known.ID.(string); ok {
			user.ID = &id
		}
		if username, ok := known.Username.(string); ok {
			user.Username = &username
		}
		return user, fmt.Sprintf("the record cannot be understood: %v", err)
	}
	switch {
	case gocloak.PString(user.ID) == "":
		return user, "the record has no id"
	case gocloak.PString(user.Username) == "":
		return user, "the record has no username"
	case user.Enabled == nil:
		return user, "the record does not say whether the user is enabled"
	case user.Attributes == nil && user.Totp == nil && user.RequiredActions == nil:
		// A brief record is recognised by these three together: attributes are also missing where there are none.
		return user, "the record is a brief one without attributes"
	default:
		return user, ""
	}
}

// account translates one whole record. What a whole record does not hold is known to be empty; wanted, where not nil,
// names what else is asked about and limits what is kept.
func (d *Directory) account(u gocloak.User, problem string, wanted []string) directory.Account {
	a := directory.Account{ID: gocloak.PString(u.ID), Attributes: directory.Attributes{}, Problem: problem}
	switch {
	case u.Enabled == nil:
	case *u.Enabled:
		a.Status = directory.StatusActive
	default:
		a.Status = directory.StatusInactive
	}
	a.Attributes[directory.Username] = directory.Text(gocloak.PString(u.Username))
	if problem != "" {
		return a
	}
	a.Attributes[directory.Email] = directory.Text(gocloak.PString(u.Email))
	a.Attributes[directory.FirstName] = directory.Text(gocloak.PString(u.FirstName))
	a.Attributes[directory.LastName] = directory.Text(gocloak.PString(u.LastName))
	a.Attributes[directory.EmailVerified] = directory.Bool(gocloak.PBool(u.EmailVerified))
	if u.CreatedTimestamp != nil {
		a.Attributes[directory.CreatedAt] = directory.Time(time.UnixMilli(*u.CreatedTimestamp))
	}
	for name := range d.names.own {
		a.Attributes[name] = directory.Value{}
	}
	for _, name := range wanted {
		if strings.HasPrefix(name, directory.CustomPrefix) {
			a.Attributes[name] = directory.Value{}
		}
	}
	if u.Attributes != nil {
		for attribute, values := range *u.Attributes {
			a.Attributes[d.names.toVocabulary(attribute)] = fromTexts(values)
		}
	}
	if wanted != nil {
		maps.DeleteFunc(a.Attributes, func(name string, _ directory.Value) bool {
			return name != directory.Username && name != directory.Email && !slices.Contains(wanted, name)
		})
	}
	return a
}

// fromTexts turns the list that every Keycloak attribute is into a value; one text is a text.
func fromTexts(values []string) directory.Value {
	if len(values) == 1 {
		return directory.Text(values[0])
	}
	return directory.List(values...)
}

// apply sets attributes on a whole record. The error names the attribute at fault.
func (d *Directory) apply(u *gocloak.User, set directory.Attributes, creating bool) error {
	attributes := map[string][]string{}
	if u.Attributes != nil {
		attributes = maps.Clone(*u.Attributes)
	}
	for _, name := range set.Names() {
		if err := d.applyOne(u, attributes, name, set[name], creating); err != nil {
			return err
		}
	}
	u.Attributes = &attributes
	// Keycloak leaves the mark on a new address that nobody has verified.
	if _, said := set[directory.EmailVerified]; !said {
		if email, changed := set[directory.Email]; changed && !strings.EqualFold(email.String(), gocloak.PString(u.Email)) {
			u.EmailVerified = gocloak.BoolP(false)
		}
	}
	for name, field := range map[string]**string{directory.Email: &u.Email, directory.FirstName: &u.FirstName, directory.LastName: &u.LastName} {
		if value, ok := set[name]; ok {
			*field = gocloak.StringP(value.String()) // "" clears, nil would keep
		}
	}
	return nil
}

func (d *Directory) applyOne(u *gocloak.User, attributes map[string][]string, name string, value directory.Value, creating bool) error {
	switch name {
	case directory.Email, directory.FirstName, directory.LastName:
		return nil // set by apply, after the old address was compared
	case directory.Username:
		if !creating && !d.renaming && !strings.EqualFold(value.String(), gocloak.PString(u.Username)) {
			return &directory.Error{
				Kind: directory.Unsupported, Attribute: name, Err: fmt.Errorf("usernames of existing users are not changed"),
				Remedy: "set edit_usernames to true, if the realm allows it",
			}
		}
		if value.IsEmpty() {
			return &directory.Error{Kind: directory.Invalid, Attribute: name, Err: fmt.Errorf("a user cannot be without a username")}
		}
		u.Username = gocloak.StringP(value.String())
		return nil
	case directory.EmailVerified:
		verified, ok := value.AsBool()
		if !ok && !value.IsEmpty() {
			return &directory.Error{Kind: directory.Invalid, Attribute: name, Err: fmt.Errorf("%s must be true or false", name)}
		}
		u.EmailVerified = &verified
		return nil
	}
	attribute, ok := d.names.toKeycloak(name)
	if !ok {
		e := &directory.Error{Kind: directory.Unsupported, Attribute: name, Err: fmt.Errorf("%s cannot be stored in Keycloak", name)}
		if known := d.names.theirs[strings.TrimPrefix(name, directory.CustomPrefix)]; known != "" {
			e.Remedy = "write " + known + " in the rule: that is the name of this attribute of Keycloak"
		}
		return e
	}
	if value.IsEmpty() {
		delete(attributes, attribute)
		return nil
	}
	attributes[attribute] = slices.Clone(value.Items())
	return nil
}
