package wordpress

import (
	"fmt"
	"slices"
	"strings"
	"unicode"

	"golang.org/x/text/cases"
	"golang.org/x/text/runes"
	"golang.org/x/text/transform"
	"golang.org/x/text/unicode/norm"

	"github.com/rollcall-sync/rollcall/sync/directory"
)

// description is the attribute of the biography; the vocabulary has no name for it.
const description = directory.CustomPrefix + "description"

// preferences is the meta key in which WordPress keeps a user's editor settings.
const preferences = "persisted_preferences"

// fields are the attributes that WordPress has by itself, with the name of each in a record.
var fields = []struct {
	spec  directory.AttributeSpec
	field string
	// escaped is set where WordPress stores &, < and > as entities (default-filters.php). The length that counts is that
	// of the stored text.
	escaped bool
}{
	{field: "username", spec: directory.AttributeSpec{
		Name: directory.Username, Kind: directory.KindText, CreateOnly: true, Required: true, Unique: true, FoldCase: true, FoldAccents: true,
		MaxLength: 60, Searchable: true, Doc: "Login name: letters without accents, digits, space and _ . - @; fixed for life.",
	}},
	{field: "email", escaped: true, spec: directory.AttributeSpec{
		Name: directory.Email, Kind: directory.KindText, Writable: true, Required: true, Unique: true, FoldCase: true, FoldAccents: true,
		MaxLength: 100, Searchable: true, Doc: "E-mail address, without accents also in the domain.",
	}},
	{field: "first_name", escaped: true, spec: directory.AttributeSpec{Name: directory.FirstName, Kind: directory.KindText, Writable: true, Doc: "First name."}},
	{field: "last_name", escaped: true, spec: directory.AttributeSpec{Name: directory.LastName, Kind: directory.KindText, Writable: true, Doc: "Last name."}},
	{field: "name", escaped: true, spec: directory.AttributeSpec{
		Name: directory.DisplayName, Kind: directory.KindText, Writable: true, MaxLength: 250,
		Doc: "Name shown on the site; &, < and > count as four or five characters, and an emptied one becomes the username.",
	}},
	{field: "nickname", escaped: true, spec: directory.AttributeSpec{
		Name: directory.Nickname, Kind: directory.KindText, Writable: true, Doc: "Nickname; an emptied one becomes the username.",
	}},
	{field: "url", escaped: true, spec: directory.AttributeSpec{
		Name: directory.URL, Kind: directory.KindText, Writable: true, MaxLength: 100, Doc: "Website; WordPress puts http:// before an address without a scheme.",
	}},
	{field: "locale", spec: directory.AttributeSpec{
		Name: directory.Locale, Kind: directory.KindText, Writable: true, Doc: "Language of the dashboard (de_DE), one that is installed; read as the site's where a user has none.",
	}},
	{field: "description", escaped: true, spec: directory.AttributeSpec{
		Name: description, Kind: directory.KindText, Writable: true, Doc: "Biographical info, written as plain text.",
	}},
	{field: "registered_date", spec: directory.AttributeSpec{Name: directory.CreatedAt, Kind: directory.KindTime, Doc: "When the account was made."}},
}

// attributes returns the specs, with one for each configured meta key.
func attributes(meta []string) []directory.AttributeSpec {
	var specs []directory.AttributeSpec
	for _, field := range fields {
		specs = append(specs, field.spec)
	}
	for _, key := range slices.Compact(slices.Sorted(slices.Values(meta))) {
		specs = append(specs, directory.AttributeSpec{
			Name: directory.CustomPrefix + key, Kind: directory.KindText, Writable: true, Doc: "User meta " + key + ".",
		})
	}
	return specs
}

// fieldNames returns the value of _fields that a request for these attributes needs; nil stands for all of them. What
// status, groups and privileges are read from is always there.
func (s *site) fieldNames(names []string) string {
	list := []string{"id", "username", "roles", "capabilities"}
	meta := s.flag.key != "" || names == nil
	for _, field := range fields {
		if (names == nil || slices.Contains(names, field.spec.Name)) && field.field != "username" {
			list = append(list, field.field)
		}
	}
	for _, name := range names {
		meta = meta || name != description && strings.HasPrefix(name, directory.CustomPrefix)
	}
	if meta {
		list = append(list, "meta")
	}
	return strings.Join(list, ",")
}

// WordPress stores &, < and > of these fields as entities, and it takes tags for markup and strips them. Sent as entities
// they are kept: what is stored is then the same text, escaped, as for an ampersand typed in the dashboard. Only entities
// that WordPress itself writes are read back.
var (
	escape   = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;")
	unescape = strings.NewReplacer("&amp;", "&", "&#038;", "&", "&#38;", "&", "&lt;", "<", "&gt;", ">", "&quot;", `"`, "&#034;", `"`, "&#039;", "'", "&#39;", "'")
)

// fold returns the form in which WordPress's database compares usernames and e-mail addresses: without case and accents.
func fold(text string) string {
	plain, _, err := transform.String(transform.Chain(norm.NFD, runes.Remove(runes.In(unicode.Mn)), norm.NFC), text)
	if err != nil { // the chain refuses nothing; text that it cannot take is compared as it is
		plain = text
	}
	return cases.Fold().String(plain)
}

// checkUsername returns why WordPress would refuse it, or "". The rules are those of sanitize_user (formatting.php) in its
// strict form and of validate_username (user.php).
func checkUsername(name string) string {
	for _, r := range name {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', strings.ContainsRune(" _.-@", r):
		default:
			return fmt.Sprintf("the character %q is not allowed in a username: WordPress takes letters without accents, digits, space and _ . - @", r)
		}
	}
	if name != strings.Join(strings.Fields(name), " ") {
		return "a username has no space at its ends and no two in a row"
	}
	return ""
}

// checkEmail returns why WordPress would refuse the address for its characters, or "". Its form is WordPress's to judge.
func checkEmail(address string) string {
	for _, r := range address {
		if r > '~' || r <= ' ' {
			return fmt.Sprintf("the character %q is not allowed in an e-mail address by WordPress, also in the domain", r)
		}
	}
	return ""
}
