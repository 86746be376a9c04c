// Package okta makes an Okta org a directory.
//
// Calls go through okta-sdk-golang, resting on the shared transport. Of the SDK its configuration, its request executor, its
// request types and its signing of client assertions are used. Its list calls are not: they decode a whole page at once, so
// that one bad record spoils it, and their paging reuses what was decoded before. What else the SDK does by default and
// must not do here (cache, retries of its own, a loop without end when a connection breaks off, Link headers read in part,
// settings taken from the environment) is switched off or kept from it; traps_test.go shows each.
//
// Vendor facts in comments come from Okta's documentation and from public issues as of November 2026; no live org was at
// hand.
package okta

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/rollcall-sync/rollcall/sync/directory"
	"github.com/rollcall-sync/rollcall/sync/directory/transport"
)

// typeName is the value of "type:" in the configuration.
const typeName = "okta"

// maxPage is the most rows that Okta gives in one page of users.
const maxPage = 200

// concurrency is how many requests are under way. The smallest orgs bear 15 from all their applications together.
const concurrency = 4

// What deactivating means.
const (
	bySuspending   = "suspend"
	byDeactivating = "deactivate"
)

// What becomes of writes when Okta does not show who is an administrator.
const (
	refuseUnseen = "refuse"
	trustOkta    = "trust"
)

// Type is the directory type "okta".
var Type = directory.Type{
	Name: typeName, Title: "Okta",
	Summary:    "An Okta org, read and written through its management API.",
	Options:    options(),
	Attributes: specs(false),
	Open:       open,
}

func options() []directory.Option {
	return []directory.Option{
		{Name: "url", Type: directory.OptionURL, Required: true, Ask: true, Example: "https://acme.okta.com", Doc: "Address of the org, without -admin."},
		{Name: "token", Type: directory.OptionSecret, Ask: true, Doc: "API token; not needed with client_id and private_key, which are the better choice."},
		{Name: "client_id", Type: directory.OptionText, Ask: true, Example: "0oa1b2c3d4e5f6g7h8i9", Doc: "Client ID of the API Services app that Rollcall signs in with; not needed with a token."},
		{Name: "private_key", Type: directory.OptionSecret, Ask: true, Doc: "Private RSA key of that app in PEM form."},
		{Name: "key_id", Type: directory.OptionText, Doc: "ID (kid) of that key; needed where the app has several."},
		{Name: "scopes", Type: directory.OptionList, Example: "[okta.users.read, okta.groups.read]", Doc: "Scopes to ask for; empty means okta.users.manage, okta.groups.manage, okta.roles.read and okta.schemas.read."},
		{Name: "deactivation", Type: directory.OptionChoice, Choices: []string{bySuspending, byDeactivating}, Default: bySuspending, Doc: "How an account is deactivated: suspend keeps everything and can be undone whole, deactivate takes its apps away."},
		{Name: "staged", Type: directory.OptionChoice, Choices: []string{"inactive", "active"}, Default: "inactive", Doc: "What users count as that were created and never activated (STAGED)."},
		{Name: "unseen_administrators", Type: directory.OptionChoice, Choices: []string{refuseUnseen, trustOkta}, Default: refuseUnseen, Doc: "Whether users are written when Okta does not show Rollcall who is an administrator: refuse writes nobody, trust leaves it to Okta to refuse."},
		{Name: "optional_names", Type: directory.OptionBool, Default: "false", Doc: "Whether users may lack a first or last name; set it where the org's profile does not require them."},
		{Name: "rate_share", Type: directory.OptionInt, Default: "50", Doc: "Percentage of the org's rate limits that Rollcall uses up at most, 1 to 100; other applications share them."},
		{Name: "page_size", Type: directory.OptionInt, Default: "200", Doc: "Users asked for in one request, 1 to 200; smaller pages help where Okta answers 500 to lists."},
		{Name: "timeout", Type: directory.OptionDuration, Default: "60s", Doc: "Longest time for one request."},
	}
}

// Directory is one org. It is safe for concurrent use.
type Directory struct {
	*client
	description  directory.Description
	pageSize     int
	suspends     bool
	stagedActive bool
	now          func() time.Time

	admins *administrators
	mu     sync.Mutex
	groups map[string]knownGroup
	schema map[string]string // type of each profile attribute; nil before it was read
	self   *string
}

// Okta tells no number of users, has no pages that can be read side by side, and creates one user at a time.
var _ interface {
	directory.Directory
	directory.Getter
	directory.Finder
	directory.GroupLister
	directory.MemberLister
	directory.MembershipLister
	directory.Creator
	directory.Updater
	directory.StatusSetter
	directory.Deleter
	directory.GroupChanger
	directory.GroupCreator
	directory.SelfIdentifier
	directory.Checker
	directory.RequestCounter
} = (*Directory)(nil)

func open(s directory.Settings) (directory.Directory, error) {
	address, fault := cleanURL(s.Text("url"))
	auth, authFaults := newCredentials(s, address)
	faults := append([]error{fault}, authFaults...)
	size, share := s.Int("page_size"), s.Int("rate_share")
	if size < 1 || size > maxPage {
		faults = append(faults, &directory.OptionError{Option: "page_size", Message: "must be from 1 to 200"})
	}
	if share < 1 || share > 100 {
		faults = append(faults, &directory.OptionError{Option: "rate_share", Message: "must be from 1 to 100"})
	}
	if s.Duration("timeout") <= 0 {
		faults = append(faults, &directory.OptionError{Option: "timeout", Message: "must be longer than nothing, such as 60s"})
	}
	if err := errors.Join(faults...); err != nil {
		return nil, err
	}

	now := s.Now
	if now == nil {
		now = time.Now
	}
	o := transport.FromSettings(s)
	o.Concurrency, o.Timeout, o.Classify = concurrency, s.Duration("timeout"), classify(now)
	o.SecretFields = []string{"client_assertion", "activationToken", "activationUrl"}
	c, err := newClient(transport.New(o), s, address, auth, share, now)
	if err != nil {
		return nil, &directory.OptionError{Option: "url", Message: err.Error()}
	}
	c.trusts = s.Text("unseen_administrators") == trustOkta
	d := &Directory{
		client: c, pageSize: size, suspends: s.Text("deactivation") == bySuspending, stagedActive: s.Text("staged") == "active",
		now: now, admins: newAdministrators(now), groups: map[string]knownGroup{},
	}
	d.description = directory.Description{
		Type: typeName, Name: s.Name, Identity: address, Attributes: specs(s.Bool("optional_names")), OpenAttributes: true,
		PageSize: size, ReadConcurrency: concurrency, WriteConcurrency: concurrency,
	}
	return d, nil
}

var adminHost = regexp.MustCompile(`^([a-z0-9-]+)-admin\.((?:okta|oktapreview|okta-emea|okta-gov|trexcloud)\.[a-z.]+)$`)

// cleanURL checks the address and brings it to one form.
func cleanURL(text string) (string, error) {
	bad := func(format string, args ...any) (string, error) {
		return "", &directory.OptionError{Option: "url", Message: fmt.Sprintf(format, args...)}
	}
	u, err := url.Parse(strings.TrimSpace(text))
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		return bad("must be an address such as https://acme.okta.com")
	}
	host := strings.ToLower(u.Host)
	if parts := adminHost.FindStringSubmatch(host); parts != nil {
		return bad("must be the org's address, not that of its admin console: https://%s.%s", parts[1], parts[2])
	}
	switch {
	case u.User != nil:
		return bad("must hold no user or password")
	case strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "":
		return bad("must be the org's address without a path: %s://%s", u.Scheme, host)
	case u.Scheme == "http" && !isLoopback(u.Hostname()):
		return bad("must begin with https; an Okta org has no other address")
	}
	return u.Scheme + "://" + host, nil
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
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
