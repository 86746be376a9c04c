// Package wordpress is the target for WordPress sites, through the REST API that every WordPress since 5.6 has and an
// application password, or in the site's database, see the package database below it. Roles are the groups. WordPress has no
// blocked accounts: an account without any role counts as inactive, see status.go.
//
// Facts about WordPress in the comments were read in its source and seen on a running 6.1 in November 2026. The source
// files are named below wp-includes; the users controller is rest-api/endpoints/class-wp-rest-users-controller.php.
package wordpress

import (
	"net"
	"net/url"
	"strings"

	"github.com/rollcall-sync/rollcall/sync/directory"
	"github.com/rollcall-sync/rollcall/sync/directory/transport"
	"github.com/rollcall-sync/rollcall/targets/wordpress/database"
	"github.com/rollcall-sync/rollcall/targets/wordpress/users"
)

// The bounds that WordPress sets: rows of a page, and requests in one call of batch/v1.
const (
	maxPage  = 100
	maxBatch = 25
)

const (
	typeName     = "wordpress"
	modeOption   = "mode"
	modeREST     = "rest"
	modeDatabase = "database"
)

// required are the options that a mode cannot do without, ofMode those that only it reads.
var (
	required = map[string][]string{modeREST: {"url", "username", "password"}, modeDatabase: {"dsn"}}
	ofMode   = map[string][]string{modeREST: {"username", "password", "roles", "reassign_to", "rate"}, modeDatabase: {"dsn", "prefix"}}
)

// Type is what "type: wordpress" names.
var Type = directory.Type{
	Name:       typeName,
	Title:      "WordPress",
	Summary:    "Users and roles of a WordPress site, read and written through its REST API with an application password, or in its database.",
	Options:    options(),
	Attributes: users.Attributes(nil),
	Open:       open,
}

func options() []directory.Option {
	return []directory.Option{
		{
			Name: modeOption, Type: directory.OptionChoice, Default: modeREST, Choices: []string{modeREST, modeDatabase},
			Doc: "How the site is reached: through its REST API, or in its MySQL or MariaDB database, which is many times faster and runs no plugin of the site.",
		},
		{
			Name: "url", Type: directory.OptionURL, Ask: true, Example: "https://www.example.com",
			Doc: "Address of the site's front page, required by mode rest; https, except on this machine. A site in a subfolder and one with plain permalinks (?rest_route=) are recognised. In mode database it only says which site this is, so that both modes may take turns.",
		},
		{
			Name: "username", Type: directory.OptionText, Ask: true, Example: "rollcall",
			Doc: "Username of the account that Rollcall signs in with, required by mode rest.",
		},
		{
			Name: "password", Type: directory.OptionSecret, Ask: true, Example: "${file:/run/secrets/wordpress}",
			Doc: "Application password of that account, made in its profile, required by mode rest; the password for signing in by hand does not work.",
		},
		{
			Name: "dsn", Type: directory.OptionSecret, Example: "${file:/run/secrets/wordpress-dsn}",
			Doc: "Where the database is, required by mode database: USER:PASSWORD@tcp(HOST:PORT)/DATABASE?tls=true, or USER:PASSWORD@unix(SOCKET)/DATABASE.",
		},
		{
			Name: "prefix", Type: directory.OptionText, Example: "site_",
			Doc: "What the names of the site's tables begin with in mode database ($table_prefix in wp-config.php); without it wp_.",
		},
		{
			Name: "default_role", Type: directory.OptionText, Default: "subscriber",
			Doc: "Role of an active account to which the rules give none.",
		},
		{
			Name: "roles", Type: directory.OptionList, Example: "[shop_customer, member]",
			Doc: "Roles of the site besides WordPress's own five; WordPress has no list of them, and without this option they are found in the listing of all users, also where only one person is synchronised.",
		},
		{
			Name: "reassign_to", Type: directory.OptionText, Example: "webmaster",
			Doc: "Id or username of the account that gets the posts of a deleted one; without it, the account that Rollcall signs in with.",
		},
		{
			Name: "meta", Type: directory.OptionList, Example: "[department, employee_id]",
			Doc: "User meta keys that are attributes (custom.KEY); in mode rest each must be registered on the site with show_in_rest.",
		},
		{
			Name: "deactivated_meta", Type: directory.OptionText, Example: "ja_disable_user",
			Doc: "Meta key by which a plugin locks accounts; it is set on deactivation, besides taking roles and passwords away.",
		},
		{Name: "deactivated_value", Type: directory.OptionText, Default: "1", Doc: "Value of that key for a locked account."},
		{
			Name: "activated_value", Type: directory.OptionText, Example: "approved",
			Doc: "Value of that key for an account that may sign in; without it the key is removed.",
		},
		{
			Name: "privileged_roles", Type: directory.OptionList, Default: "administrator",
			Doc: "Roles whose members are never written; nor does Rollcall give these roles to anybody.",
		},
		{
			Name: "privileged_capabilities", Type: directory.OptionList,
			Doc: "Capabilities whose owners are never written; without it: " + strings.Join(users.DefaultPrivileged(), ", ") + ".",
		},
		{Name: "page_size", Type: directory.OptionInt, Example: "50", Doc: "Accounts of one page: 1 to 100, without it 100; in mode database 1 to 10000, without it 1000."},
		{Name: "read_concurrency", Type: directory.OptionInt, Default: "4", Doc: "Pages read side by side, 1 to 32."},
		{Name: "write_concurrency", Type: directory.OptionInt, Default: "4", Doc: "Writes sent side by side, 1 to 32."},
		{
			Name: "batch_size", Type: directory.OptionInt, Example: "10",
			Doc: "Accounts created in one request where the site can do that (WordPress 6.6): 1 to 25, without it 25; less where PHP may run for a short time only. In mode database, in one transaction: 1 to 1000, without it 500.",
		},
		{Name: "rate", Type: directory.OptionInt, Example: "5", Doc: "Most requests in a second, in mode rest; without it there is no limit."},
	}
}

// site is one WordPress site through its REST API.
type site struct {
	client *client
	desc   directory.Description

	rules        users.Rules
	roles        []string // configured ones
	reassignTo   string
	pageSize     int
	batchSize    int
	writeWorkers int

	busy      locks
	features  users.Remembered[features]
	self      users.Remembered[string]
	reassign  users.Remembered[string]
	sightings sightings
	found     users.Remembered[[]string] // roles found by reading all users for them
}

// open checks that the options fit the mode and opens it.
func open(settings directory.Settings) (directory.Directory, error) {
	mode, other := settings.Text(modeOption), modeDatabase
	if mode == modeDatabase {
		other = modeREST
	}
	for _, name := range ofMode[other] {
		if _, set := settings.Values[name]; set {
			return nil, &directory.OptionError{Option: name, Message: "belongs to mode " + other + ", and the mode is " + mode}
		}
	}
	var missing []string
	for _, name := range required[mode] {
		if settings.Text(name) == "" {
			missing = append(missing, name)
		}
	}
	if len(missing) > 0 {
		return nil, &directory.OptionError{Option: missing[0], Message: "is missing; mode " + mode + " needs " + strings.Join(required[mode], ", ") + " (missing: " + strings.Join(missing, ", ") + ")"}
	}
	for _, name := range []string{"read_concurrency", "write_concurrency"} {
		if n := settings.Int(name); n < 1 || n > 32 {
			return nil, outside(name, 1, 32, n)
		}
	}
	if mode == modeDatabase {
		return openDatabase(settings)
	}
	return openREST(settings)
}

// openDatabase opens the site in its database.
func openDatabase(settings directory.Settings) (directory.Directory, error) {
	identity := ""
	if address := settings.Text("url"); address != "" {
		if bare, found := strings.CutPrefix(address, "http://"); found {
			address = "https://" + bare // nothing is sent there
		}
		base, _, err := parseURL(address)
		if err != nil {
			return nil, err
		}
		identity = base.Host + base.Path
	}
	return database.Open(typeName, settings, identity)
}

func openREST(settings directory.Settings) (directory.Directory, error) {
	base, plain, err := parseURL(settings.Text("url"))
	if err != nil {
		return nil, err
	}
	username := settings.Text("username")
	if strings.ContainsRune(username, ':') {
		return nil, &directory.OptionError{Option: "username", Message: "holds a colon; a WordPress username cannot"}
	}
	sizes := map[string]int{"page_size": maxPage, "batch_size": maxBatch}
	for _, name := range []string{"page_size", "batch_size"} {
		if _, set := settings.Values[name]; !set {
			continue
		}
		n := settings.Int(name)
		if n < 1 || n > sizes[name] {
			return nil, outside(name, 1, sizes[name], n)
		}
		sizes[name] = n
	}
	if n := settings.Int("rate"); n < 0 || n > 10_000 {
		return nil, outside("rate", 0, 10_000, n)
	}
	rules, err := users.FromSettings(settings)
	if err != nil {
		return nil, err
	}
	s := &site{
		rules:        rules,
		roles:        settings.List("roles"),
		reassignTo:   settings.Text("reassign_to"),
		pageSize:     sizes["page_size"],
		batchSize:    sizes["batch_size"],
		writeWorkers: settings.Int("write_concurrency"),
	}
	o := transport.FromSettings(settings)
	o.Rate = float64(settings.Int("rate"))
	o.Concurrency = max(settings.Int("read_concurrency"), s.writeWorkers)
	s.client = newClient(settings.Name, base, plain, username, settings.Text("password"), transport.New(o))
	s.desc = describe(settings, base, s)
	return s, nil
}

func describe(settings directory.Settings, base *url.URL, s *site) directory.Description {
	return directory.Description{
		Type: typeName, Name: settings.Name, Identity: base.Host + base.Path,
		Attributes:   users.Attributes(settings.List("meta")),
		GroupsInline: true, GroupsLostOnDeactivation: true,
		PageSize:        s.pageSize,
		ReadConcurrency: settings.Int("read_concurrency"), WriteConcurrency: s.writeWorkers,
		BulkSize: s.batchSize,
		Notices: []directory.Notice{
			{On: "update:" + directory.Email, Text: "WordPress tells the old address that the e-mail address was changed"},
			{On: "deactivate", Text: "WordPress tells the user that the password was changed"},
		},
	}
}

// parseURL checks the address. plain is set where it names the API by ?rest_route= already.
func parseURL(text string) (base *url.URL, plain bool, err error) {
	fault := func(message string) (*url.URL, bool, error) {
		return nil, false, &directory.OptionError{Option: "url", Message: message}
	}
	u, err := url.Parse(strings.TrimSpace(text))
	switch {
	case err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http":
		return fault("is no address such as https://www.example.com")
	case u.User != nil:
		return fault("holds a username or password; those belong into username and password")
	case u.Fragment != "":
		return fault("holds a #; write the address of the front page")
	case u.Scheme == "http" && !isLoopback(u.Hostname()):
		return fault("starts with http, which would send the application password in clear; write https")
	}
	for name := range u.Query() {
		if name != "rest_route" {
			return fault("holds a question mark; write the address of the front page")
		}
		plain = true
	}
	path := strings.TrimSuffix(strings.TrimRight(u.EscapedPath(), "/"), "/wp-json")
	base = &url.URL{Scheme: u.Scheme, Host: strings.ToLower(u.Host)}
	if base.Path, err = url.PathUnescape(strings.TrimRight(path, "/")); err != nil {
		return fault("holds a broken escape")
	}
	return base, plain, nil
}

// isLoopback reports whether the name is this machine by definition, without asking DNS.
func isLoopback(host string) bool {
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}

// Describe implements [directory.Directory].
func (s *site) Describe() directory.Description { return s.desc }

// Requests implements [directory.RequestCounter].
func (s *site) Requests() int64 { return s.client.transport.Requests() }

// Close implements [directory.Directory].
func (s *site) Close() error {
	s.client.http.CloseIdleConnections()
	return nil
}
