package mapping_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-sync/rollcall/sync/directory"
	"github.com/rollcall-sync/rollcall/sync/mapping"
	"github.com/rollcall-sync/rollcall/sync/rules"
)

// reads describes a source with these attributes.
func reads(names ...string) directory.Description {
	var d directory.Description
	for _, name := range names {
		d.Attributes = append(d.Attributes, directory.AttributeSpec{Name: name, Kind: directory.VocabularyKind(name)})
	}
	return d
}

// writes describes a target; a name with ! is required, with + can be set at creation only, with - cannot be written.
func writes(names ...string) directory.Description {
	var d directory.Description
	for _, name := range names {
		spec := directory.AttributeSpec{Name: name, Writable: true}
		switch name[len(name)-1] {
		case '!':
			spec.Name, spec.Required = name[:len(name)-1], true
		case '+':
			spec.Name, spec.Writable, spec.CreateOnly = name[:len(name)-1], false, true
		case '-':
			spec.Name, spec.Writable = name[:len(name)-1], false
		}
		d.Attributes = append(d.Attributes, spec)
	}
	return d
}

func TestDefaultAttributes(t *testing.T) {
	for name, test := range map[string]struct {
		source, target directory.Description
		want           [][2]string // target and expression; ! marks required ones
	}{
		"Keycloak to WordPress": {
			reads("id", "username", "email", "email_verified", "first_name", "last_name", "created_at", "locale"),
			writes("id-", "username+", "email!", "display_name", "nickname", "first_name", "last_name", "url", "locale", "created_at-"),
			[][2]string{{"email!", "email"}, {"username", "username"}, {"display_name", `first_of(first_name + " " + last_name, username)`}, {"first_name", "first_name"}, {"last_name", "last_name"}, {"locale", "locale"}},
		},
		"a source with a display name": {
			reads("username", "first_name", "last_name", "display_name"), writes("display_name"),
			[][2]string{{"display_name", "display_name"}},
		},
		"a source without a display name and without usernames": {
			reads("first_name", "last_name"), writes("display_name"),
			[][2]string{{"display_name", `first_name + " " + last_name`}},
		},
		"a source without any name": {
			reads("username"), writes("display_name", "first_name", "last_name"), nil,
		},
		"a source without any name where the target wants one": {
			reads("username"), writes("display_name!", "first_name!"), [][2]string{{"display_name!", "username"}},
		},
		"a source without usernames": {
			reads("email"), writes("username!", "email"),
			[][2]string{{"username!", "lower(local(email))"}, {"email", "email"}},
		},
		"a source with neither usernames nor e-mails": {
			reads("phone"), writes("username!", "phone"), [][2]string{{"phone", "phone"}},
		},
		"required names are made from the display name": {
			reads("display_name"), writes("first_name!", "last_name!"),
			[][2]string{{"first_name!", `first(split(display_name, " "))`}, {"last_name!", `last(split(display_name, " "))`}},
		},
		"names that are not required are not guessed": {
			reads("display_name"), writes("first_name", "last_name"), nil,
		},
		"required ones come first, each part in the target's order": {
			reads("title", "email", "phone", "username"), writes("title", "email!", "phone", "username!"),
			[][2]string{{"email!", "email"}, {"username!", "username"}, {"title", "title"}, {"phone", "phone"}},
		},
		"what belongs to one directory alone is left out": {
			reads("id", "active", "email_verified", "manager", "created_at", "updated_at", "last_sign_in_at", "custom.a"),
			writes("id", "active", "email_verified", "manager", "created_at", "updated_at", "last_sign_in_at", "custom.a"), nil,
		},
		"what the target cannot write is left out": {
			reads("title"), writes("title-"), nil,
		},
	} {
		t.Run(name, func(t *testing.T) {
			list := mapping.DefaultAttributes(test.source, test.target)
			var got [][2]string
			for _, rule := range list {
				target := rule.Target
				if rule.Required {
					target += "!"
				}
				got = append(got, [2]string{target, rule.From})
				if rule.Direction != rules.ToTarget || rule.Conflict != rules.ConflictReport {
					t.Errorf("%s: direction %q, conflict %q", rule.Target, rule.Direction, rule.Conflict)
				}
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Error(diff)
			}
			compile(t, rules.Sync{Attributes: list})
		})
	}
}

func TestDefaultDisplayNamesAreWhatPeopleExpect(t *testing.T) {
	m := compile(t, rules.Sync{Attributes: mapping.DefaultAttributes(reads("username", "first_name", "last_name"), writes("display_name"))})
	text := directory.Text
	for name, test := range map[string]struct {
		attributes directory.Attributes
		want       string
	}{
		"both names":          {directory.Attributes{"username": text("anna"), "first_name": text("Anna"), "last_name": text("Öz")}, "Anna Öz"},
		"only the first name": {directory.Attributes{"username": text("anna"), "first_name": text("Anna")}, "Anna"},
		"no name but a login": {directory.Attributes{"username": text("anna"), "first_name": text("")}, "anna"},
	} {
		t.Run(name, func(t *testing.T) {
			got := m.Outbound(mapping.Record{Account: directory.Account{Attributes: test.attributes}}).Attributes[0]
			if got.Value.String() != test.want {
				t.Errorf("got %q", got.Value)
			}
		})
	}
}
