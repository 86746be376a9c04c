package users

import (
	"strings"
	"testing"

	"github.com/rollcall-sync/rollcall/sync/directory"
)

func TestTheFormOfAddresses(t *testing.T) {
	t.Parallel()
	for address, fine := range map[string]bool{
		"a@b.example": true, "o'neill+tag.x@mail.example.com": true, "a!#$%&'*+/=?^_`{|}~.-b@x-1.example": true, "1@2.33": true,
		"": false, "a@b": false, "a@b.c": false, "anna": false, "@example.com": false, "anna@": false, "a b@example.com": false, "a@b@example.com": false,
		"anna@example": false, "anna@.example.com": false, "anna@example.com.": false, "anna@exa..mple.com": false, "anna@-a.example.com": false,
		"anna@a-.example.com": false, "anna@exa_mple.com": false, "anna@exämple.com": false, "änna@example.com": false, "a(b)@example.com": false, "anna@exa mple.com": false,
	} {
		if fault := CheckAddress(address); (fault == "") != fine {
			t.Errorf("%q: %s", address, fault)
		}
	}
}

func TestWhatIsStored(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ attribute, text, stored, says string }{
		{directory.DisplayName, "R&D <b>", "R&amp;D &lt;b&gt;", ""},
		{directory.DisplayName, strings.Repeat("&", 51), "", "255 characters"},
		{directory.Username, "a<b", "", "character"},
		{directory.Username, strings.Repeat("x", 61), "", "61 characters"},
		{directory.Email, "r&d@example.com", "r&amp;d@example.com", ""},
		{directory.Email, "zoë@example.com", "", "character"},
		{directory.Locale, "a&b", "a&b", ""},
	} {
		field, ok := FieldOf(c.attribute)
		stored, fault := field.Stored(c.text)
		if !ok || c.says == "" && stored != c.stored || !strings.Contains(fault, c.says) || c.says == "" && fault != "" {
			t.Errorf("%s %q: %q, %s", c.attribute, c.text, stored, fault)
		}
	}
}
