package cognito

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/rollcall-sync/rollcall/sync/directory"
)

// The attributes of Cognito that are handled apart from the others.
const (
	sub           = "sub"
	email         = "email"
	emailVerified = "email_verified"
	phone         = "phone_number"
	phoneVerified = "phone_number_verified"
	customPrefix  = "custom:"
)

// builtinNames are the attributes of the vocabulary that Cognito's standard attributes hold.
var builtinNames = map[string]string{
	directory.Email: email, directory.FirstName: "given_name", directory.LastName: "family_name", directory.DisplayName: "name",
	directory.Nickname: "nickname", directory.Phone: phone, directory.Locale: "locale", directory.Timezone: "zoneinfo",
	directory.URL: "website", directory.PhotoURL: "picture",
}

// standardNames are the standard attributes that the vocabulary has no name for, and what else a record holds. They keep
// their names below "custom.", where a pool's own "custom:NAME" of the same name gives way.
var standardNames = []string{
	"address", "birthdate", "gender", "identities", "middle_name", phoneVerified, "preferred_username", "profile", "updated_at",
	"user_status",
}

// filterable are the attributes that ListUsers can filter by, beside the username.
var filterable = []string{email, phone, "name", "given_name", "family_name"}

// names translates names of the vocabulary to those of the pool and back.
type names struct {
	own, theirs map[string]string
}

// newNames puts the option's attributes behind and before the built-in ones.
func newNames(chosen map[string]string) (names, error) {
	n := names{own: maps.Clone(builtinNames), theirs: map[string]string{}}
	fixed := []string{directory.ID, directory.Active, directory.Username, directory.Email, directory.EmailVerified, directory.CreatedAt, directory.UpdatedAt}
	for _, name := range slices.Sorted(maps.Keys(chosen)) {
		attribute := chosen[name]
		var message string
		switch {
		case !slices.Contains(directory.Vocabulary(), name):
			message = name + " is not in the vocabulary"
		case slices.Contains(fixed, name):
			message = name + " cannot be held by another attribute"
		case attribute == "", attribute == sub, attribute == email, attribute == emailVerified, attribute == "identities":
			message = fmt.Sprintf("%s cannot be held by %q", name, attribute)
		}
		if message != "" {
			return n, &directory.OptionError{Option: "attributes", Message: message}
		}
		for other, held := range n.own {
			if held == attribute {
				delete(n.own, other)
			}
		}
		n.own[name] = attribute
	}
	for _, name := range slices.Sorted(maps.Keys(chosen)) {
		if n.own[name] != chosen[name] {
			return n, &directory.OptionError{Option: "attributes", Message: chosen[name] + " is given to two names"}
		}
	}
	for name, attribute := range n.own {
		n.theirs[attribute] = name
	}
	return n, nil
}

// toVocabulary returns the name under which an attribute of the pool is kept.
func (n names) toVocabulary(attribute string) string {
	if attribute == emailVerified {
		return directory.EmailVerified
	}
	if name, ok := n.theirs[attribute]; ok {
		return name
	}
	if bare, ok := strings.CutPrefix(attribute, customPrefix); ok && !n.reserved(bare) {
		return directory.CustomPrefix + bare
	}
	return directory.CustomPrefix + attribute
}

// toCognito returns the attribute of the pool that holds a name of the vocabulary, and whether there is one.
func (n names) toCognito(name string) (string, bool) {
	if name == directory.EmailVerified {
		return emailVerified, true
	}
	if attribute, ok := n.own[name]; ok {
		return attribute, true
	}
	bare, ok := strings.CutPrefix(name, directory.CustomPrefix)
	if !ok || bare == "" {
		return "", false
	}
	attribute := bare
	if !n.reserved(bare) && !strings.Contains(bare, ":") {
		attribute = customPrefix + bare
	}
	_, placed := n.theirs[attribute]
	return attribute, !placed
}

// reserved reports whether a name below "custom." means a standard attribute.
func (n names) reserved(bare string) bool {
	if slices.Contains(standardNames, bare) {
		return true
	}
	for _, attribute := range builtinNames { // those that an option has put out of their place
		if attribute == bare {
			return true
		}
	}
	return bare == sub || bare == emailVerified
}

// specs describes the attributes.
func specs(signIn string, own map[string]string, verified bool) []directory.AttributeSpec {
	var list []directory.AttributeSpec
	if signIn == byUsername || signIn == byAlias {
		list = append(list, directory.AttributeSpec{
			Name: directory.Username, Kind: directory.KindText, Writable: true, CreateOnly: true, Required: true, Unique: true, FoldCase: true,
			MaxLength: maxUsername, Searchable: true, Doc: "Username, which never changes",
		})
	}
	marked := "email_verified; becomes true with a new address unless the sync says otherwise"
	if !verified {
		marked = "email_verified; becomes false with a new address unless the sync says otherwise"
	}
	for _, name := range directory.Vocabulary() {
		attribute, ok := own[name]
		if !ok {
			continue
		}
		spec := directory.AttributeSpec{
			Name: name, Kind: directory.KindText, Writable: true, MaxLength: maxAttribute,
			Searchable: slices.Contains(filterable, attribute), Doc: "attribute " + attribute,
		}
		switch name {
		case directory.Email:
			spec.FoldCase, spec.Unique, spec.Required = true, signIn == byEmail || signIn == byAlias, signIn == byEmail
			if spec.Unique { // it is what people sign in with
				spec.MaxLength = maxUsername
			}
		case directory.Phone:
			spec.Unique, spec.Required, spec.MaxLength = signIn == byPhone || signIn == byAlias, signIn == byPhone, 16
			spec.Doc = cmp.Or(map[bool]string{true: "attribute phone_number, in the form +4930123456"}[attribute == phone], spec.Doc)
		}
		list = append(list, spec)
		if name == directory.Email {
			list = append(list, directory.AttributeSpec{Name: directory.EmailVerified, Kind: directory.KindBool, Writable: true, Doc: marked})
		}
	}
	return append(list,
		directory.AttributeSpec{Name: directory.CreatedAt, Kind: directory.KindTime, Doc: "UserCreateDate"},
		directory.AttributeSpec{Name: directory.UpdatedAt, Kind: directory.KindTime, Doc: "UserLastModifiedDate"},
		directory.AttributeSpec{Name: directory.CustomPrefix + "user_status", Kind: directory.KindText, Doc: "UserStatus, such as CONFIRMED or FORCE_CHANGE_PASSWORD"},
		directory.AttributeSpec{Name: directory.CustomPrefix + "identities", Kind: directory.KindText, Doc: "identities of a user who signs in elsewhere, as JSON"},
	)
}
