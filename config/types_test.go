package config_test

import (
	"github.com/rollcall-sync/rollcall/sync/directory"
)

// fakeTypes stand for the real ones: an open provider, a closed site, and one with every kind of option.
func fakeTypes() []directory.Type {
	return []directory.Type{
		{
			Name: "keycloak", Title: "Keycloak", Summary: "A realm of Keycloak.",
			Options: []directory.Option{
				{Name: "url", Type: directory.OptionURL, Doc: "Address of the server.", Required: true, Example: "https://id.example.com", Ask: true},
				{Name: "realm", Type: directory.OptionText, Doc: "Name of the realm.", Required: true, Ask: true},
				{Name: "client_id", Type: directory.OptionText, Doc: "Client with a service account.", Required: true, Ask: true},
				{Name: "client_secret", Type: directory.OptionSecret, Doc: "Secret of the client.", Required: true, Ask: true},
			},
			Attributes: []directory.AttributeSpec{
				{Name: directory.Username, Writable: true, Required: true, Unique: true},
				{Name: directory.Email, Writable: true},
				{Name: directory.EmailVerified, Kind: directory.KindBool, Writable: true},
				{Name: directory.FirstName, Writable: true},
				{Name: directory.LastName, Writable: true},
				{Name: directory.Nickname, Writable: true},
				{Name: directory.Department, Writable: true},
				{Name: directory.CreatedAt, Kind: directory.KindTime},
			},
		},
		{
			Name: "wordpress", Title: "WordPress", Summary: "A WordPress site.",
			Options: []directory.Option{
				{Name: "url", Type: directory.OptionURL, Doc: "Address of the site.", Required: true},
				{Name: "username", Type: directory.OptionText, Doc: "User that Rollcall signs in as.", Required: true},
				{Name: "password", Type: directory.OptionSecret, Doc: "Application password of that user.", Required: true},
			},
			Attributes: []directory.AttributeSpec{
				{Name: directory.Username, Writable: false, CreateOnly: true, Required: true, Unique: true},
				{Name: directory.Email, Writable: true, Required: true, Unique: true},
				{Name: directory.FirstName, Writable: true},
				{Name: directory.LastName, Writable: true},
				{Name: directory.DisplayName, Writable: true},
				{Name: directory.Nickname, Writable: true},
				{Name: directory.URL, Writable: true},
				{Name: directory.CreatedAt, Kind: directory.KindTime},
			},
		},
		{
			Name: "everything", Title: "Everything", Summary: "Has every type of option and tells none of its attributes.",
			Options: []directory.Option{
				{Name: "text", Type: directory.OptionText, Doc: "A text.", Default: "plain"},
				{Name: "secret", Type: directory.OptionSecret, Doc: "A secret."},
				{Name: "url", Type: directory.OptionURL, Doc: "An address."},
				{Name: "path", Type: directory.OptionPath, Doc: "A path.", Required: true},
				{Name: "bool", Type: directory.OptionBool, Doc: "A bool.", Default: "true"},
				{Name: "int", Type: directory.OptionInt, Doc: "A number.", Default: "7"},
				{Name: "duration", Type: directory.OptionDuration, Doc: "A time.", Default: "90s"},
				{Name: "choice", Type: directory.OptionChoice, Doc: "One of few.", Choices: []string{"red", "green"}, Default: "green"},
				{Name: "list", Type: directory.OptionList, Doc: "A list."},
				{Name: "map", Type: directory.OptionMap, Doc: "A map.", Example: "{a: b}"},
				{Name: "cache", Type: directory.OptionPath, Doc: "A path with a default.", Default: "cache.db"},
			},
		},
	}
}
