// Package keycloak makes a realm of a Keycloak server a directory.
//
// Calls go through gocloak, resting on the shared transport. gocloak is used for the calls it does right; the others are
// made with its request builder and types of our own: listings (one bad record must not spoil a page), groups (its type
// lacks parentId), roles (it does not escape names) and the token (it does not encode the client's name and secret for
// HTTP Basic). What it forgets of an answer (the cause of a network error, the field of a refusal) is kept beside it.
//
// Vendor facts in comments were measured on Keycloak 26.0.7 in November 2026 unless they name another source.
package keycloak

import (
	"errors"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/rollcall-sync/rollcall/sync/directory"
	"github.com/rollcall-sync/rollcall/sync/directory/transport"
)

// typeName is the value of "type:" in the configuration.
const typeName = "keycloak"

// The bounds that Keycloak's default user profile sets.
const (
	maxName      = 255
	maxAttribute = 2048
)

// concurrency is how many requests one server bears well side by side.
const concurrency = 4

// Type is the directory type "keycloak".
var Type = directory.Type{
	Name: typeName, Title: "Keycloak",
	Summary:    "A realm of a Keycloak server (22 and later), read and written through its admin REST API.",
	Options:    options(),
	Attributes: specs(false, builtinNames),
	Open:       open,
}

func options() []directory.Option {
	return []directory.Option{
		{Name: "url", Type: directory.OptionURL, Required: true, Ask: true, Example: "https://id.example.com", Doc: "Address of the server, with its path if it has one (/auth on servers before version 17)."},
		{Name: "realm", Type: directory.OptionText, Required: true, Ask: true, Example: "acme", Doc: "Realm whose users are synchronised."},
		{Name: "client_id", Type: directory.OptionText, Required: true, Ask: true, Example: "rollcall", Doc: "Client that Rollcall signs in with."},
		{Name: "client_secret", Type: directory.OptionSecret, Ask: true, Doc: "Secret of that client; not needed for a public client with username and password."},
		{Name: "username", Type: directory.OptionText, Doc: "User to sign in as; empty means the client's own service account, which is the better choice."},
		{Name: "password", Type: directory.OptionSecret, Doc: "Password of that user."},
		{Name: "auth_realm", Type: directory.OptionText, Example: "master", Doc: "Realm that holds the client (and user) Rollcall signs in with; empty means the same realm."},
		{Name: "page_size", Type: directory.OptionInt, Default: "1000", Doc: "Records asked for in one request, 1 to 10000."},
		{Name: "timeout", Type: directory.OptionDuration, Default: "60s", Doc: "Longest time for one request; the first listing after a restart of the server is slow."},
		{Name: "attributes", Type: directory.OptionMap, Example: "{employee_id: employeeNumber}", Doc: "Which Keycloak attribute holds an attribute of Rollcall's vocabulary, beyond and before the built-in list."},
		{Name: "groups", Type: directory.OptionBool, Default: "true", Doc: "Whether the realm's groups are groups."},
		{Name: "realm_roles", Type: directory.OptionBool, Default: "false", Doc: "Whether realm roles are groups too, with ids like role:editor."},
		{Name: "client_roles", Type: directory.OptionList, Example: "[website]", Doc: "Clients whose roles are groups too, with ids like client:website:editor."},
		{Name: "edit_usernames", Type: directory.OptionBool, Default: "false", Doc: "Whether usernames of existing users are changed; the realm must allow it (Realm settings, Login, Edit username)."},
		{Name: "privileged_roles", Type: directory.OptionList, Default: "admin", Doc: "Realm roles whose holders are never written, beside those who may manage the realm."},
	}
}

// Directory is one realm. It is safe for concurrent use.
type Directory struct {
	*client
	description directory.Description
	pageSize    int
	groups      bool
	realmRoles  bool
	clientRoles []string
	privileged  []string
	names       names
	renaming    bool
	now         func() time.Time

	discovering sync.Mutex // held while administrators are found out
	mu          sync.Mutex
	admins      *administrators // whole, for listings
	rulers      *administrators // brief, for groups
	looks       looks
	count       int // of users, when they were counted last; -1 before
	federation  *federation
	profile     *profile
	self        string
	clients     map[string]string // client id to its internal id
}

// Keycloak has no call that makes many accounts and answers for each.
var _ directory.Full = (*Directory)(nil)

func open(s directory.Settings) (directory.Directory, error) {
	address, fault := cleanURL(s.Text("url"))
	faults := []error{fault}
	auth := credentials{
		realm: s.Text("auth_realm"), client: s.Text("client_id"), secret: s.Text("client_secret"),
		username: s.Text("username"), password: s.Text("password"),
	}
	realm := s.Text("realm")
	if auth.realm == "" {
		auth.realm = realm
	}
	switch {
	case auth.username == "" && auth.password != "":
		faults = append(faults, &directory.OptionError{Option: "username", Message: "is missing although a password is given"})
	case auth.username == "" && auth.secret == "":
		faults = append(faults, &directory.OptionError{Option: "client_secret", Message: "is missing; give the client's secret, or username and password"})
	case auth.username != "" && auth.password == "":
		faults = append(faults, &directory.OptionError{Option: "password", Message: "is missing for username " + auth.username})
	}
	size := s.Int("page_size")
	if size < 1 || size > 10000 {
		faults = append(faults, &directory.OptionError{Option: "page_size", Message: "must be from 1 to 10000"})
	}
	if s.Duration("timeout") <= 0 {
		faults = append(faults, &directory.OptionError{Option: "timeout", Message: "must be longer than nothing, such as 60s"})
	}
	names, fault := newNames(s.Map("attributes"))
	if err := errors.Join(append(faults, fault)...); err != nil {
		return nil, err
	}

	o := transport.FromSettings(s)
	o.Concurrency, o.Timeout = concurrency, s.Duration("timeout")
	now := s.Now
	if now == nil {
		now = time.Now
	}
	d := &Directory{
		client: newClient(transport.New(o), s, address, realm, auth, now), pageSize: size, groups: s.Bool("groups"), realmRoles: s.Bool("realm_roles"),
		clientRoles: s.List("client_roles"), privileged: s.List("privileged_roles"), names: names, renaming: s.Bool("edit_usernames"),
		now: now, clients: map[string]string{}, count: -1,
	}
	d.nameOf = names.nameOfField
	d.description = directory.Description{
		Type: typeName, Name: s.Name, Identity: address + "/realms/" + url.PathEscape(realm),
		Attributes: specs(d.renaming, names.own), OpenAttributes: true,
		PageSize: size, ReadConcurrency: concurrency, WriteConcurrency: concurrency,
	}
	return d, nil
}

// cleanURL checks the address and brings it to one form.
func cleanURL(text string) (string, error) {
	u, err := url.Parse(strings.TrimSpace(text))
	switch {
	case err != nil, u.Scheme != "https" && u.Scheme != "http", u.Host == "":
		return "", &directory.OptionError{Option: "url", Message: "must be an address such as https://id.example.com"}
	case u.User != nil:
		return "", &directory.OptionError{Option: "url", Message: "must hold no user or password; use client_id and client_secret"}
	case u.RawQuery != "" || u.Fragment != "":
		return "", &directory.OptionError{Option: "url", Message: "must hold nothing after the path"}
	}
	path := strings.TrimRight(u.EscapedPath(), "/")
	if before, _, found := strings.Cut(path, "/admin"); found {
		return "", &directory.OptionError{Option: "url", Message: "must be the server's address without /admin: " + u.Scheme + "://" + u.Host + before}
	}
	if strings.Contains(path, "/realms/") {
		return "", &directory.OptionError{Option: "url", Message: "must be the server's address without /realms/…; the realm has an option of its own"}
	}
	return strings.ToLower(u.Scheme) + "://" + strings.ToLower(u.Host) + path, nil
}

// Describe implements directory.Directory.
func (d *Directory) Describe() directory.Description { return d.description }

// Requests implements directory.RequestCounter.
func (d *Directory) Requests() int64 { return d.transport.Requests() }

// Close implements directory.Directory.
func (d *Directory) Close() error {
	d.transport.CloseIdleConnections()
	return nil
}
