package directory

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Status is whether an account may sign in.
type Status uint8

// The statuses. Their numbers are part of the stored encoding. StatusUnknown changes nothing on the other side: what a
// directory cannot tell must not lock anybody out.
const (
	StatusUnknown Status = iota
	StatusActive
	StatusInactive
)

// String returns active, inactive or unknown.
func (s Status) String() string {
	switch s {
	case StatusActive:
		return "active"
	case StatusInactive:
		return "inactive"
	default:
		return "unknown"
	}
}

// Account is one user in one directory.
type Account struct {
	// ID is stable for the life of the account: a rename keeps it, and it is never given to another.
	ID     string
	Status Status
	// Attributes holds what was read, under the names of the vocabulary. It has neither id nor active.
	Attributes Attributes
	// Groups are the ids of the direct groups, meaningful only where GroupsKnown is set.
	Groups      []string
	GroupsKnown bool
	// Revision changes whenever the account does, where the vendor has such a thing.
	Revision string
	// Privileged says why the account is never written ("role administrator"); empty for everyone else.
	Privileged string
	// ReadOnly says why the directory would refuse to change this account ("kept in LDAP"); empty where it would not.
	ReadOnly string
	// Problem says what was wrong with the record as received; such an account is left alone and reported.
	Problem string
}

// Label returns the name by which people know the account: username, else e-mail, else id.
func (a Account) Label() string {
	for _, name := range []string{Username, Email} {
		if v, ok := a.Attributes[name]; ok && !v.IsEmpty() {
			return v.String()
		}
	}
	return a.ID
}

// Clone returns a copy that shares nothing that can change.
func (a Account) Clone() Account {
	a.Attributes = maps.Clone(a.Attributes)
	a.Groups = slices.Clone(a.Groups)
	return a
}

// Attributes maps names of the vocabulary to values. A missing name is an absent attribute: not read, or not there.
type Attributes map[string]Value

// Names returns the names in sorted order.
func (a Attributes) Names() []string { return slices.Sorted(maps.Keys(a)) }

// Text returns the value of one attribute as people read it; "" where it is absent or empty.
func (a Attributes) Text(name string) string { return a[name].String() }

// Equal reports whether both hold the same names with equal values.
func (a Attributes) Equal(other Attributes) bool {
	return maps.EqualFunc(a, other, Value.Equal)
}

// Group is one group or role of a directory.
type Group struct {
	// ID is stable; a WordPress role's id is its key.
	ID   string
	Name string
	// Path tells where the group stands in a tree, for people and for rules that name it: "/Staff/Editors". Empty in a
	// flat directory.
	Path string
	// Parents are the ids of the groups that this group is a member of; a member of it counts as a member of them
	// where the sync resolves nesting.
	Parents []string
	// ReadOnly says why members cannot be written ("dynamic group"); empty where they can.
	ReadOnly string
}

// The vocabulary: names after SCIM and OpenID Connect. Whatever else a vendor has is kept under its own name below
// CustomPrefix. id and active can be used in rules but live in fields of Account.
const (
	ID            = "id"
	Username      = "username"
	Email         = "email"
	EmailVerified = "email_verified"
	Active        = "active"
	FirstName     = "first_name"
	LastName      = "last_name"
	DisplayName   = "display_name"
	Nickname      = "nickname"
	Title         = "title"
	Department    = "department"
	Organization  = "organization"
	EmployeeID    = "employee_id"
	Manager       = "manager"
	Phone         = "phone"
	Mobile        = "mobile"
	Street        = "street"
	City          = "city"
	Region        = "region"
	PostalCode    = "postal_code"
	Country       = "country"
	Locale        = "locale"
	Timezone      = "timezone"
	URL           = "url"
	PhotoURL      = "photo_url"
	CreatedAt     = "created_at"
	UpdatedAt     = "updated_at"
	LastSignInAt  = "last_sign_in_at"

	CustomPrefix = "custom."
)

// Vocabulary returns all names but the custom ones, in the order of the documentation.
func Vocabulary() []string {
	return []string{
		ID, Username, Email, EmailVerified, Active, FirstName, LastName, DisplayName, Nickname, Title, Department, Organization,
		EmployeeID, Manager, Phone, Mobile, Street, City, Region, PostalCode, Country, Locale, Timezone, URL, PhotoURL,
		CreatedAt, UpdatedAt, LastSignInAt,
	}
}

// VocabularyKind returns the kind that an attribute of the vocabulary has in rules: bool for email_verified and active, time
// for the three times, text for the rest and for custom attributes.
func VocabularyKind(name string) Kind {
	switch name {
	case EmailVerified, Active:
		return KindBool
	case CreatedAt, UpdatedAt, LastSignInAt:
		return KindTime
	default:
		return KindText
	}
}

// IsAttributeName reports whether the name is in the vocabulary or is a custom name.
func IsAttributeName(name string) bool {
	if custom, ok := strings.CutPrefix(name, CustomPrefix); ok {
		return custom != ""
	}
	return slices.Contains(Vocabulary(), name)
}

// FromJSON turns a decoded JSON value into a Value: null, string, bool, float64, []string and []any of scalars.
func FromJSON(raw any) (Value, error) {
	switch x := raw.(type) {
	case nil:
		return Value{}, nil
	case string:
		return Text(x), nil
	case bool:
		return Bool(x), nil
	case float64:
		return Number(x), nil
	case []string:
		return List(x...), nil
	case []any:
		items := make([]string, 0, len(x))
		for _, item := range x {
			v, err := FromJSON(item)
			_, nested := item.([]any)
			if err != nil || nested || v.Kind() == KindList {
				return Value{}, fmt.Errorf("a list may hold texts, numbers and bools only, not %T", item)
			}
			items = append(items, v.String())
		}
		return List(items...), nil
	default:
		return Value{}, fmt.Errorf("a value may be a text, a number, a bool or a list of texts, not %T", raw)
	}
}
