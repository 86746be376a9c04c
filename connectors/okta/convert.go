package okta

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rollcall-sync/rollcall/sync/directory"
)

// field is one attribute of the vocabulary that every profile has, with the bounds of the base schema.
type field struct {
	name, key string
	longest   int
	doc       string
}

var fields = []field{
	{directory.Username, "login", 100, "Login; shaped like an address unless the org allows otherwise."},
	{directory.Email, "email", 100, "Primary address."},
	{directory.FirstName, "firstName", 50, "First name."},
	{directory.LastName, "lastName", 50, "Last name."},
	{directory.DisplayName, "displayName", 0, "Name as shown."},
	{directory.Nickname, "nickName", 0, "Nickname."},
	{directory.Title, "title", 0, "Title."},
	{directory.Department, "department", 0, "Department."},
	{directory.Organization, "organization", 0, "Organization."},
	{directory.EmployeeID, "employeeNumber", 0, "Employee number."},
	{directory.Manager, "managerId", 0, "Manager's ID, free text in Okta."},
	{directory.Phone, "primaryPhone", 100, "Primary phone."},
	{directory.Mobile, "mobilePhone", 100, "Mobile phone."},
	{directory.Street, "streetAddress", 512, "Street."},
	{directory.City, "city", 128, "City."},
	{directory.Region, "state", 128, "State or region."},
	{directory.PostalCode, "zipCode", 50, "Postal code."},
	{directory.Country, "countryCode", 2, "Country, two letters."},
	{directory.Locale, "locale", 0, "Locale."},
	{directory.Timezone, "timezone", 0, "Time zone."},
	{directory.URL, "profileUrl", 0, "Address of a page about the person."},
}

// specs describes the attributes of a profile.
func specs(optionalNames bool) []directory.AttributeSpec {
	var list []directory.AttributeSpec
	for _, f := range fields {
		spec := directory.AttributeSpec{Name: f.name, Kind: directory.KindText, Writable: true, MaxLength: f.longest, Doc: f.doc}
		switch f.name {
		case directory.Username:
			spec.Required, spec.Unique, spec.FoldCase, spec.Searchable = true, true, true, true
		case directory.Email:
			spec.Required, spec.FoldCase, spec.Searchable = true, true, true
		case directory.FirstName, directory.LastName:
			spec.Required = !optionalNames
		case directory.EmployeeID:
			spec.FoldCase, spec.Searchable = true, true
		}
		list = append(list, spec)
	}
	for _, f := range []field{
		{name: directory.CreatedAt, doc: "When the user was created."},
		{name: directory.UpdatedAt, doc: "When profile or status last changed."},
		{name: directory.LastSignInAt, doc: "When the user last signed in."},
	} {
		list = append(list, directory.AttributeSpec{Name: f.name, Kind: directory.KindTime, Doc: f.doc})
	}
	return list
}

// toOkta returns the profile's key of an attribute. A key that has a name in the vocabulary is not reached by custom.
func toOkta(name string) (key string, ok bool) {
	for _, f := range fields {
		if f.name == name {
			return f.key, true
		}
	}
	key, ok = strings.CutPrefix(name, directory.CustomPrefix)
	return key, ok && key != "" && toVocabulary(key) == name
}

func toVocabulary(key string) string {
	for _, f := range fields {
		if f.key == key {
			return f.name
		}
	}
	return directory.CustomPrefix + key
}

// user is one user as Okta tells it.
type user struct {
	ID          string         `json:"id"`
	Status      string         `json:"status"`
	Becoming    string         `json:"transitioningToStatus"`
	Created     *time.Time     `json:"created"`
	LastLogin   *time.Time     `json:"lastLogin"`
	LastUpdated *time.Time     `json:"lastUpdated"`
	Profile     map[string]any `json:"profile"`
}

// decodeUser reads one record. A record that cannot be read is returned with whatever is known of it and the reason.
func decodeUser(raw json.RawMessage) (u user, problem string) {
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.UseNumber() // a badge number of 17 digits is no float64
	if err := decoder.Decode(&u); err != nil {
		var known struct {
			ID      any `json:"id"`
			Profile struct {
				Login any `json:"login"`
			} `json:"profile"`
		}
		_ = json.Unmarshal(raw, &known) // what it cannot tell stays empty
		u = user{Profile: map[string]any{}}
		u.ID, _ = known.ID.(string)
		if login, ok := known.Profile.Login.(string); ok {
			u.Profile["login"] = login
		}
		return u, fmt.Sprintf("the record cannot be understood: %v", err)
	}
	switch login, _ := u.Profile["login"].(string); {
	case u.ID == "":
		return u, "the record has no id"
	case u.Status == "":
		return u, "the record does not say whether the user is active"
	case len(u.Profile) == 0:
		return u, problemThin
	case login == "":
		return u, "the record has no login"
	default:
		return u, ""
	}
}

// problemThin is what a record looks like to somebody who may see that the user is there and no more.
const problemThin = "the record has no profile"

// The statuses of users. LOCKED_OUT, PASSWORD_EXPIRED and RECOVERY pass by themselves, and PROVISIONED users were activated
// and have only to choose a password: none of these is a reason to take anything from anybody.
const (
	statusActive        = "ACTIVE"
	statusStaged        = "STAGED"
	statusSuspended     = "SUSPENDED"
	statusDeprovisioned = "DEPROVISIONED"
)

func statusOf(status string, stagedActive bool) directory.Status {
	switch status {
	case statusActive, "PROVISIONED", "RECOVERY", "PASSWORD_EXPIRED", "LOCKED_OUT", "PASSWORD_RESET":
		return directory.StatusActive
	case statusSuspended, statusDeprovisioned:
		return directory.StatusInactive
	case statusStaged:
		if stagedActive {
			return directory.StatusActive
		}
		return directory.StatusInactive
	default: // one that came up later changes nothing for anybody
		return directory.StatusUnknown
	}
}

// status is what the user is, or is becoming: activation and deactivation go on after Okta has answered.
func (u user) status() string {
	if u.Becoming != "" {
		return u.Becoming
	}
	return u.Status
}

// account translates one record. wanted, where not nil, names what is asked about and limits what is kept.
func (d *Directory) account(u user, problem string, wanted []string) directory.Account {
	a := directory.Account{ID: u.ID, Attributes: directory.Attributes{}, Status: statusOf(u.status(), d.stagedActive)}
	if u.LastUpdated != nil {
		a.Revision = u.LastUpdated.UTC().Format(time.RFC3339Nano)
	}
	if problem == "" {
		problem = d.translate(&a, u, wanted)
	}
	if a.Problem = problem; problem != "" {
		login, _ := u.Profile["login"].(string)
		a.Attributes = directory.Attributes{directory.Username: directory.Text(login)}
	}
	return a
}

// translate fills in the attributes, and says which of them cannot be understood. What a whole record does not hold is
// known to be empty: unset attributes are null in some records and absent in others.
func (d *Directory) translate(a *directory.Account, u user, wanted []string) (problem string) {
	keep := func(name string) bool {
		return wanted == nil || name == directory.Username || name == directory.Email || slices.Contains(wanted, name)
	}
	for _, f := range fields {
		if keep(f.name) {
			a.Attributes[f.name] = directory.Value{}
		}
	}
	for _, name := range wanted {
		if strings.HasPrefix(name, directory.CustomPrefix) {
			a.Attributes[name] = directory.Value{}
		}
	}
	for key, raw := range u.Profile {
		name := toVocabulary(key)
		if !keep(name) {
			continue
		}
		value, err := fromProfile(raw)
		if err != nil {
			return fmt.Sprintf("the attribute %s cannot be understood: %v", key, err)
		}
		if directory.VocabularyKind(name) == directory.KindText && !strings.HasPrefix(name, directory.CustomPrefix) {
			value = directory.Text(value.String())
		}
		a.Attributes[name] = value
	}
	for name, at := range map[string]*time.Time{directory.CreatedAt: u.Created, directory.UpdatedAt: u.LastUpdated, directory.LastSignInAt: u.LastLogin} {
		switch {
		case !keep(name):
		case at == nil:
			a.Attributes[name] = directory.Value{}
		default:
			a.Attributes[name] = directory.Time(*at)
		}
	}
	return ""
}

// fromProfile turns a decoded value into ours. A number that a float64 cannot hold stays what it was written as.
func fromProfile(raw any) (directory.Value, error) {
	switch x := raw.(type) {
	case json.Number:
		f, err := x.Float64()
		if err != nil || math.Abs(f) > 1<<53 {
			return directory.Text(x.String()), nil
		}
		return directory.Number(f), nil
	case []any:
		items := make([]string, 0, len(x))
		for _, item := range x {
			value, err := fromProfile(item)
			if _, nested := item.([]any); err != nil || nested {
				return directory.Value{}, errors.New("a list within a list, or of more than texts and numbers")
			}
			items = append(items, value.String())
		}
		return directory.List(items...), nil
	default:
		return directory.FromJSON(raw)
	}
}

// profile turns attributes into what a request sends. types tells what the org's schema wants; what it does not know, or
// where it could not be read, is sent as it is.
func profile(set directory.Attributes, types map[string]string) (map[string]any, error) {
	body := make(map[string]any, len(set))
	for _, name := range set.Names() {
		key, ok := toOkta(name)
		if !ok {
			e := &directory.Error{Kind: directory.Unsupported, Attribute: name, Err: fmt.Errorf("%s cannot be stored in Okta", name)}
			if bare, custom := strings.CutPrefix(name, directory.CustomPrefix); custom && toVocabulary(bare) != name {
				e.Remedy = "write " + toVocabulary(bare) + " in the rule: that is the name of this attribute of Okta"
			}
			return nil, e
		}
		want := types[key]
		if !strings.HasPrefix(name, directory.CustomPrefix) {
			want = "string"
		}
		value, err := toProfile(set[name], want)
		if err != nil {
			return nil, &directory.Error{Kind: directory.Invalid, Attribute: name, Err: fmt.Errorf("%s: %w", name, err)}
		}
		body[key] = value
	}
	return body, nil
}

// toProfile turns one value into the type that the schema wants; null empties an attribute.
func toProfile(value directory.Value, want string) (any, error) {
	if value.IsEmpty() {
		return nil, nil
	}
	inner, isList := strings.CutPrefix(want, "array of ")
	if isList {
		items := make([]any, 0, len(value.Items()))
		for _, item := range value.Items() {
			converted, err := toProfile(directory.Text(item), inner)
			if err != nil {
				return nil, err
			}
			items = append(items, converted)
		}
		return items, nil
	}
	if value.Kind() == directory.KindList && want != "" {
		if len(value.Items()) > 1 {
			return nil, errors.New("it holds one value, not several")
		}
		value = directory.Text(value.Items()[0])
	}
	switch want {
	case "string":
		return value.String(), nil
	case "integer", "number":
		if _, err := strconv.ParseFloat(value.String(), 64); err != nil {
			return nil, fmt.Errorf("%q is no number", value.String())
		}
		return json.Number(value.String()), nil
	case "boolean":
		b, err := strconv.ParseBool(value.String())
		if err != nil {
			return nil, fmt.Errorf("%q is neither true nor false", value.String())
		}
		return b, nil
	}
	switch value.Kind() {
	case directory.KindBool:
		b, _ := value.AsBool()
		return b, nil
	case directory.KindNumber:
		return json.Number(value.String()), nil
	case directory.KindList:
		return value.Items(), nil
	default:
		return value.String(), nil
	}
}
