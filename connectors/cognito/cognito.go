// Package cognito makes an Amazon Cognito user pool a directory.
//
// Calls are built and their refusals typed by aws-sdk-go-v2, resting on the shared transport. What the SDK would do by
// itself is switched off, each for a reason that has a test:
//
//   - its retries: three tries for a throttled listing are too few, and a creation answered 500 must not be sent again;
//   - its signatures: they are made before the request waits for its turn and are void after five minutes, so each try is
//     signed anew below the transport;
//   - its decoding of users and groups: one bad record fails the whole page, a missing Enabled becomes "disabled", and an
//     answer without a list becomes an empty one.
//
// Vendor facts in comments come from the API reference that the SDK carries (v1.61.0, November 2026) unless they name
// another source.
package cognito

import (
	"cmp"
	"errors"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/rollcall-sync/rollcall/sync/directory"
	"github.com/rollcall-sync/rollcall/sync/directory/transport"
)

// typeName is the value of "type:" in the configuration.
const typeName = "cognito"

// The limits of the API.
const (
	maxPage      = 60  // users, groups or members of one page; more is refused
	maxUsername  = 128 // characters
	maxAttribute = 2048
	maxFilter    = 256 // characters of a whole filter
)

// concurrency is how many requests are under way; at the default rate more would only wait for their turn.
const concurrency = 4

// What people sign in with; see the option sign_in.
const (
	byUsername = "username"
	byAlias    = "alias"
	byEmail    = "email"
	byPhone    = "phone"
)

// Type is the directory type "cognito".
var Type = directory.Type{
	Name: typeName, Title: "Amazon Cognito",
	Summary:    "An Amazon Cognito user pool, read and written through its administrative API.",
	Options:    options(),
	Attributes: specs(byUsername, builtinNames, true),
	Open:       open,
}

func options() []directory.Option {
	return []directory.Option{
		{Name: "user_pool_id", Type: directory.OptionText, Required: true, Ask: true, Example: "eu-central-1_AbCdEfGhI", Doc: "User pool whose users are synchronised; its overview page shows the id."},
		{Name: "region", Type: directory.OptionText, Example: "eu-central-1", Doc: "Region of the pool; empty means the one that its id begins with."},
		{Name: "access_key_id", Type: directory.OptionSecret, Ask: true, Doc: "Access key to sign requests with; empty means the usual chain of AWS (environment, shared files, web identity, container, instance)."},
		{Name: "secret_access_key", Type: directory.OptionSecret, Ask: true, Doc: "Secret of that key."},
		{Name: "session_token", Type: directory.OptionSecret, Doc: "Session token, where the key is a temporary one; it ends after hours, so a role is better."},
		{Name: "profile", Type: directory.OptionText, Example: "rollcall", Doc: "Profile of the shared AWS files that the chain takes; empty means AWS_PROFILE or default."},
		{Name: "endpoint", Type: directory.OptionURL, Example: "https://vpce-0123.cognito-idp.eu-central-1.vpce.amazonaws.com", Doc: "Address of the API in place of the region's own, https or on this machine."},
		{Name: "sign_in", Type: directory.OptionChoice, Default: byUsername, Choices: []string{byUsername, byAlias, byEmail, byPhone}, Doc: "What the pool takes for a username: a name (username), a name with verified addresses and numbers as its aliases (alias), or the address or number itself (email, phone)."},
		{Name: "attributes", Type: directory.OptionMap, Example: "{department: \"custom:department\"}", Doc: "Which attribute of the pool holds an attribute of Rollcall's vocabulary, beyond and before the built-in list."},
		{Name: "verified_addresses", Type: directory.OptionBool, Default: "true", Doc: "Whether e-mail addresses and phone numbers that Rollcall writes count as verified; otherwise Cognito may send a code to the person, and may keep the old one in force until it is entered."},
		{Name: "confirm_users", Type: directory.OptionBool, Default: "false", Doc: "Whether a new user gets a permanent random password that nobody sees, so that Forgot password works at once; otherwise the user waits for an invitation."},
		{Name: "privileged_groups", Type: directory.OptionList, Example: "[administrators]", Doc: "Groups whose members are never written, and that nobody is put into."},
		{Name: "rate", Type: directory.OptionInt, Default: "20", Doc: "Most requests per second, 1 to 1000; all programs of the AWS account share 30 for listing and 25 for writing in a region."},
		{Name: "timeout", Type: directory.OptionDuration, Default: "60s", Doc: "Longest time for one request."},
	}
}

// Directory is one user pool. It is safe for concurrent use.
type Directory struct {
	*client
	description directory.Description
	signIn      string
	names       names
	verified    bool
	confirm     bool
	privileged  []string

	mu        sync.Mutex
	usernames map[string]string // by sub; see remember
	pool      *pool
	groups    map[string]bool
	holders   map[string]string // sub of each member of a privileged group to the group's name; nil before they were read
}

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
	directory.Checker
	directory.RequestCounter
} = (*Directory)(nil)

// poolID is the form of a pool's id; the region is its first part.
var poolID = regexp.MustCompile(`^([a-z]{2,}(?:-[a-z]+)+-\d+)_[0-9A-Za-z]+$`)

func open(s directory.Settings) (directory.Directory, error) {
	var faults []error
	fault := func(option, message string) {
		faults = append(faults, &directory.OptionError{Option: option, Message: message})
	}
	id := strings.TrimSpace(s.Text("user_pool_id"))
	region := s.Text("region")
	switch parts := poolID.FindStringSubmatch(id); {
	case parts == nil:
		fault("user_pool_id", "must be an id such as eu-central-1_AbCdEfGhI, not the pool's name or ARN")
	case region == "":
		region = parts[1]
	case region != parts[1]:
		fault("region", "is "+region+", but the pool's id says that it is in "+parts[1]+"; leave region out")
	}
	endpoint, err := cleanEndpoint(s.Text("endpoint"))
	if err != nil {
		faults = append(faults, err)
	}
	faults = append(faults, keyFaults(s)...)
	if rate := s.Int("rate"); rate < 1 || rate > 1000 {
		fault("rate", "must be from 1 to 1000")
	}
	if s.Duration("timeout") <= 0 {
		fault("timeout", "must be longer than nothing, such as 60s")
	}
	names, err := newNames(s.Map("attributes"))
	if err != nil {
		faults = append(faults, err)
	}
	if err := errors.Join(faults...); err != nil {
		return nil, err
	}
	d := &Directory{
		client: newClient(s, id, region, endpoint), signIn: s.Text("sign_in"), names: names, verified: s.Bool("verified_addresses"),
		confirm: s.Bool("confirm_users"), privileged: s.List("privileged_groups"), usernames: map[string]string{},
	}
	d.nameOf = names.toVocabulary
	d.description = directory.Description{
		Type: typeName, Name: s.Name, Identity: cmp.Or(endpoint, "https://cognito-idp."+region+".amazonaws.com") + "/" + id,
		Attributes: specs(d.signIn, names.own, d.verified), OpenAttributes: true,
		PageSize: maxPage, ReadConcurrency: concurrency, WriteConcurrency: concurrency, Notices: notices(d.verified),
	}
	return d, nil
}

// keyFaults says what is wrong with the options that name credentials.
func keyFaults(s directory.Settings) []error {
	id, secret := s.Text("access_key_id") != "", s.Text("secret_access_key") != ""
	var faults []error
	fault := func(option, message string) {
		faults = append(faults, &directory.OptionError{Option: option, Message: message})
	}
	switch {
	case id && !secret:
		fault("secret_access_key", "is missing although an access_key_id is given")
	case secret && !id:
		fault("access_key_id", "is missing although a secret_access_key is given")
	case !id && s.Text("session_token") != "":
		fault("session_token", "belongs to a temporary access_key_id and secret_access_key, which are missing")
	case id && s.Text("profile") != "":
		fault("profile", "is given beside an access_key_id; choose one of them")
	}
	return faults
}

// cleanEndpoint checks the address and brings it to one form.
func cleanEndpoint(text string) (string, error) {
	if text == "" {
		return "", nil
	}
	u, err := url.Parse(strings.TrimSpace(text))
	switch {
	case err != nil, u.Host == "", u.Scheme != "https" && u.Scheme != "http":
		return "", &directory.OptionError{Option: "endpoint", Message: "must be an address such as https://cognito-idp.eu-central-1.amazonaws.com"}
	case u.User != nil, u.RawQuery != "", u.Fragment != "", strings.Trim(u.Path, "/") != "":
		return "", &directory.OptionError{Option: "endpoint", Message: "must hold a scheme, a host and a port only"}
	case u.Scheme == "http" && !isLoopback(u.Hostname()):
		return "", &directory.OptionError{Option: "endpoint", Message: "must be https, unless it is on this machine (127.0.0.1)"}
	}
	return strings.ToLower(u.Scheme) + "://" + strings.ToLower(u.Host), nil
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// notices are the messages that Cognito sends because of what Rollcall writes. Invitations are suppressed.
func notices(verified bool) []directory.Notice {
	if verified {
		return nil
	}
	const text = "where the pool verifies it automatically, Cognito sends the person a code"
	return []directory.Notice{
		{On: "update:" + directory.Email, Text: text + " by e-mail"},
		{On: "update:" + directory.Phone, Text: text + " by SMS"},
	}
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

// transportOptions are those of the layer that paces and retries all requests.
func transportOptions(s directory.Settings, base http.RoundTripper) transport.Options {
	o := transport.FromSettings(s)
	o.Base, o.Concurrency, o.Timeout = base, concurrency, s.Duration("timeout")
	o.Rate, o.Burst = float64(s.Int("rate")), concurrency
	o.Classify = classify
	o.SecretHeaders = []string{"X-Amz-Security-Token"}
	return o
}

// clock returns the clock that the directory was opened with.
func clock(s directory.Settings) func() time.Time {
	if s.Now != nil {
		return s.Now
	}
	return time.Now
}
