// Package users is what holds for the users of every WordPress site, whether they are reached through its REST API or in
// its database: which attributes there are and how they are stored, which texts are refused, who is privileged, and how a
// plugin's flag locks an account.
package users

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/rollcall-sync/rollcall/sync/directory"
)

// Description is the attribute of the biography; the vocabulary has no name for it.
const Description = directory.CustomPrefix + "description"

// Field is an attribute that WordPress has by itself.
type Field struct {
	Spec directory.AttributeSpec
	// REST is its name in a record of the API. Column is the one in the table of users, or Meta the key of its row in that
	// of user meta.
	REST, Column, Meta string
	// Escaped is set where WordPress stores &, < and > as entities (default-filters.php). The length that counts is that
	// of the stored text.
	Escaped bool
}

// Fields returns the attributes that WordPress has by itself, in the order in which people want to see them.
func Fields() []Field { return slices.Clone(fields) }

var fields = []Field{
	{REST: "username", Column: "user_login", Spec: directory.AttributeSpec{
		Name: directory.Username, Kind: directory.KindText, CreateOnly: true, Required: true, Unique: true, FoldCase: true, FoldAccents: true,
		MaxLength: 60, Searchable: true, Doc: "Login name: letters without accents, digits, space and _ . - @; fixed for life.",
	}},
	{REST: "email", Column: "user_email", Escaped: true, Spec: directory.AttributeSpec{
		Name: directory.Email, Kind: directory.KindText, Writable: true, Required: true, Unique: true, FoldCase: true, FoldAccents: true,
		MaxLength: 100, Searchable: true, Doc: "E-mail address, without accents also in the domain.",
	}},
	{REST: "first_name", Meta: "first_name", Escaped: true, Spec: directory.AttributeSpec{
		Name: directory.FirstName, Kind: directory.KindText, Writable: true, Doc: "First name.",
	}},
	{REST: "last_name", Meta: "last_name", Escaped: true, Spec: directory.AttributeSpec{
		Name: directory.LastName, Kind: directory.KindText, Writable: true, Doc: "Last name.",
	}},
	{REST: "name", Column: "display_name", Escaped: true, Spec: directory.AttributeSpec{
		Name: directory.DisplayName, Kind: directory.KindText, Writable: true, MaxLength: 250,
		Doc: "Name shown on the site; &, < and > count as four or five characters, and an emptied one becomes the username.",
	}},
	{REST: "nickname", Meta: "nickname", Escaped: true, Spec: directory.AttributeSpec{
		Name: directory.Nickname, Kind: directory.KindText, Writable: true, Doc: "Nickname; an emptied one becomes the username.",
	}},
	{REST: "url", Column: "user_url", Escaped: true, Spec: directory.AttributeSpec{
		Name: directory.URL, Kind: directory.KindText, Writable: true, MaxLength: 100, Doc: "Website; WordPress puts http:// before an address without a scheme.",
	}},
	{REST: "locale", Meta: "locale", Spec: directory.AttributeSpec{
		Name: directory.Locale, Kind: directory.KindText, Writable: true, Doc: "Language of the dashboard (de_DE), one that is installed; read as the site's where a user has none.",
	}},
	{REST: "description", Meta: "description", Escaped: true, Spec: directory.AttributeSpec{
		Name: Description, Kind: directory.KindText, Writable: true, Doc: "Biographical info, written as plain text.",
	}},
	{REST: "registered_date", Column: "user_registered", Spec: directory.AttributeSpec{Name: directory.CreatedAt, Kind: directory.KindTime, Doc: "When the account was made."}},
}

// FieldOf returns the field of an attribute.
func FieldOf(attribute string) (Field, bool) {
	i := slices.IndexFunc(fields, func(f Field) bool { return f.Spec.Name == attribute })
	if i < 0 {
		return Field{}, false
	}
	return fields[i], true
}

// Attributes returns the specs, with one for each configured meta key.
func Attributes(meta []string) []directory.AttributeSpec {
	var specs []directory.AttributeSpec
	for _, field := range fields {
		specs = append(specs, field.Spec)
	}
	for _, key := range slices.Compact(slices.Sorted(slices.Values(meta))) {
		specs = append(specs, directory.AttributeSpec{
			Name: directory.CustomPrefix + key, Kind: directory.KindText, Writable: true, Doc: "User meta " + key + ".",
		})
	}
	return specs
}

// Stored returns the text as WordPress stores it but for what it strips, and what is wrong with it, or "".
func (f Field) Stored(text string) (stored, fault string) {
	switch f.Spec.Name {
	case directory.Username:
		fault = checkUsername(text)
	case directory.Email:
		fault = checkEmail(text)
	}
	stored = text
	if f.Escaped {
		stored = Escape(text)
	}
	if n := utf8.RuneCountInString(stored); fault == "" && f.Spec.MaxLength > 0 && n > f.Spec.MaxLength {
		fault = fmt.Sprintf("%s has %d characters (as WordPress stores them) and may have %d", f.Spec.Name, n, f.Spec.MaxLength)
	}
	return stored, fault
}

// WordPress stores &, < and > of these fields as entities, and it takes tags for markup and strips them. Sent as entities
// they are kept: what is stored is then the same text, escaped, as for an ampersand typed in the dashboard. Only entities
// that WordPress itself writes are read back.
var (
	escape   = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;")
	unescape = strings.NewReplacer("&amp;", "&", "&#038;", "&", "&#38;", "&", "&lt;", "<", "&gt;", ">", "&quot;", `"`, "&#034;", `"`, "&#039;", "'", "&#39;", "'")
)

// Escape returns the text with entities, as an escaped field stores it.
func Escape(text string) string { return escape.Replace(text) }

// Unescape returns the text that an escaped field stands for.
func Unescape(stored string) string { return unescape.Replace(stored) }
