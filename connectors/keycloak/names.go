package keycloak

import (
	"maps"
	"slices"

	"github.com/rollcall-sync/rollcall/sync/directory"
)

// builtinNames tells which Keycloak attribute holds an attribute of the vocabulary. The first ten are the names that
// Keycloak's own mappers for the OpenID scopes profile, address and phone read; the others are the usual ones of LDAP
// mappers and user profiles.
var builtinNames = map[string]string{
	directory.Nickname: "nickname", directory.Locale: "locale", directory.Timezone: "zoneinfo", directory.URL: "website",
	directory.PhotoURL: "picture", directory.Street: "street", directory.City: "locality", directory.Region: "region",
	directory.PostalCode: "postal_code", directory.Country: "country", directory.Phone: "phoneNumber",
	directory.Mobile: "mobile", directory.Title: "title", directory.Department: "department",
	directory.Organization: "organization",
}

// fieldNames are the attributes that are fields of the user record.
var fieldNames = map[string]string{
	directory.Username: "username", directory.Email: "email", directory.FirstName: "firstName", directory.LastName: "lastName",
	directory.EmailVerified: "emailVerified", directory.CreatedAt: "createdTimestamp",
}

// names translates between the vocabulary and Keycloak's attributes.
type names struct {
	own    map[string]string // vocabulary to Keycloak
	theirs map[string]string // Keycloak to vocabulary
}

func newNames(extra map[string]string) (names, error) {
	n := names{own: maps.Clone(builtinNames), theirs: map[string]string{}}
	for _, name := range slices.Sorted(maps.Keys(extra)) {
		attribute := extra[name]
		if _, field := fieldNames[name]; field || name == directory.ID || name == directory.Active || !slices.Contains(directory.Vocabulary(), name) {
			return names{}, &directory.OptionError{Option: "attributes", Message: name + " is no attribute of the vocabulary that can be placed elsewhere"}
		}
		if attribute == "" {
			return names{}, &directory.OptionError{Option: "attributes", Message: name + " needs the name of a Keycloak attribute"}
		}
		n.own[name] = attribute
	}
	for _, name := range slices.Sorted(maps.Keys(n.own)) {
		attribute := n.own[name]
		if other, taken := n.theirs[attribute]; taken {
			// What the administrator wrote wins over the built-in list.
			_, mine := extra[name]
			_, others := extra[other]
			switch {
			case mine && others:
				return names{}, &directory.OptionError{Option: "attributes", Message: attribute + " is named for both " + other + " and " + name}
			case others:
				delete(n.own, name)
				continue
			default:
				delete(n.own, other)
			}
		}
		n.theirs[attribute] = name
	}
	return n, nil
}

// toVocabulary returns the name under which one of Keycloak's attributes is kept.
func (n names) toVocabulary(attribute string) string {
	if name, ok := n.theirs[attribute]; ok {
		return name
	}
	return directory.CustomPrefix + attribute
}

// toKeycloak returns the attribute that holds a name of the vocabulary, and whether there is one.
func (n names) toKeycloak(name string) (string, bool) {
	if attribute, ok := n.own[name]; ok {
		return attribute, true
	}
	if len(name) <= len(directory.CustomPrefix) || name[:len(directory.CustomPrefix)] != directory.CustomPrefix {
		return "", false
	}
	attribute := name[len(directory.CustomPrefix):]
	_, placed := n.theirs[attribute]
	return attribute, !placed
}

// nameOfField returns the vocabulary's name for what a refusal calls its field.
func (n names) nameOfField(field string) string {
	for name, own := range fieldNames {
		if own == field {
			return name
		}
	}
	return n.toVocabulary(field)
}

// specs describes the attributes. Keycloak keeps usernames and addresses in lower case.
func specs(renaming bool, own map[string]string) []directory.AttributeSpec {
	list := []directory.AttributeSpec{
		{Name: directory.Username, Kind: directory.KindText, Writable: true, CreateOnly: !renaming, Required: true, Unique: true, FoldCase: true, MaxLength: maxName, Searchable: true, Doc: "username, at least 3 characters, kept in lower case"},
		{Name: directory.Email, Kind: directory.KindText, Writable: true, Unique: true, FoldCase: true, MaxLength: maxName, Searchable: true, Doc: "email, kept in lower case"},
		{Name: directory.EmailVerified, Kind: directory.KindBool, Writable: true, Doc: "emailVerified; becomes false when the address changes and the sync does not say otherwise"},
		{Name: directory.FirstName, Kind: directory.KindText, Writable: true, MaxLength: maxName, Doc: "firstName"},
		{Name: directory.LastName, Kind: directory.KindText, Writable: true, MaxLength: maxName, Doc: "lastName"},
	}
	for _, name := range directory.Vocabulary() {
		attribute, ok := own[name]
		if !ok {
			continue
		}
		doc := "attribute " + attribute
		if attribute == "locale" {
			doc += "; kept only where the realm's internationalisation is on"
		}
		list = append(list, directory.AttributeSpec{Name: name, Kind: directory.KindText, Writable: true, MaxLength: maxAttribute, Doc: doc})
	}
	return append(list, directory.AttributeSpec{Name: directory.CreatedAt, Kind: directory.KindTime, Doc: "createdTimestamp"})
}
