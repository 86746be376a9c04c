package wordpress

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"

	"github.com/rollcall-sync/rollcall/sync/directory"
	"github.com/rollcall-sync/rollcall/sync/directory/transport"
	"github.com/rollcall-sync/rollcall/targets/wordpress/users"
)

// mostAnswer bounds an answer in memory. A page of 100 users with long descriptions has a few hundred kilobytes.
const mostAnswer = 64 << 20

// The routes of the API.
const (
	usersRoute    = "/wp/v2/users"
	meRoute       = "/wp/v2/users/me"
	settingsRoute = "/wp/v2/settings"
	batchRoute    = "/batch/v1"
)

func userRoute(id string) string      { return usersRoute + "/" + id }
func passwordsRoute(id string) string { return userRoute(id) + "/application-passwords" }

// client sends requests to one site and turns what went wrong into a [*directory.Error].
type client struct {
	name               string
	base               *url.URL
	username, password string
	transport          *transport.Transport
	http               *http.Client
	form               atomic.Int32
}

// How a route becomes an address. A site with plain permalinks has no /wp-json/: it shows its front page, or a page that
// says "not found". Which it is, the first answer tells.
const (
	formUnknown int32 = iota
	formPretty        // https://site/wp-json/wp/v2/users
	formPlain         // https://site/?rest_route=/wp/v2/users
)

func newClient(name string, base *url.URL, plain bool, username, password string, t *transport.Transport) *client {
	c := &client{name: name, base: base, username: username, password: password, transport: t, http: t.Client()}
	if plain {
		c.form.Store(formPlain)
	}
	return c
}

// call is one request. op and record are for errors.
type call struct {
	method, route string
	query         url.Values
	body          any
	op, record    string
	// repeatable is set where sending it twice does no harm although it writes.
	repeatable bool
	// creates is set where the request makes an account: some refusals come when it exists already.
	creates bool
}

func (k call) writes() bool {
	return !k.repeatable && k.method != http.MethodGet && k.method != http.MethodOptions
}

// answer is what came back, read whole.
type answer struct {
	status int
	header http.Header
	body   []byte
}

// do sends the call. An answer other than 2xx is an error.
func (c *client) do(ctx context.Context, k call) (answer, error) {
	if err := ctx.Err(); err != nil {
		return answer{}, c.fail(k, &directory.Error{Kind: directory.Retryable, Err: err})
	}
	if c.form.Load() == formUnknown {
		if !k.writes() {
			return c.first(ctx, k)
		}
		// A write is not sent to an address that may be the wrong one.
		probe := call{method: http.MethodGet, route: meRoute, query: url.Values{"context": {"edit"}, "_fields": {"id"}}, op: k.op, record: k.record}
		if _, err := c.first(ctx, probe); err != nil {
			return answer{}, err
		}
	}
	a, err := c.send(ctx, k, c.form.Load() == formPlain)
	if err != nil {
		return a, err
	}
	return a, c.judge(k, a)
}

// first sends the call while the form of addresses is not known. Where it cannot be told, the form stays unknown.
func (c *client) first(ctx context.Context, k call) (answer, error) {
	a, err := c.send(ctx, k, false)
	if err != nil {
		return a, err
	}
	if a.fromAPI() {
		c.form.CompareAndSwap(formUnknown, formPretty)
		return a, c.judge(k, a)
	}
	if a.status == http.StatusNotFound || a.status < 300 {
		b, err := c.send(ctx, k, true)
		if err == nil && b.fromAPI() {
			c.form.CompareAndSwap(formUnknown, formPlain)
			return b, c.judge(k, b)
		}
	}
	if err := c.judge(k, a); err != nil {
		return a, err
	}
	return a, c.decode(k, a, &json.RawMessage{}) // an error: it is no JSON
}

// fromAPI reports whether the answer is JSON, as all answers of the API are.
func (a answer) fromAPI() bool { return json.Valid(a.json()) }

// json returns the body without what careless PHP files put before it: a byte order mark, empty lines.
func (a answer) json() []byte {
	return bytes.TrimLeft(bytes.TrimPrefix(bytes.TrimLeft(a.body, " \t\r\n"), []byte("\ufeff")), " \t\r\n")
}

func (c *client) address(k call, plain bool) string {
	u, query := *c.base, url.Values{}
	for name, values := range k.query {
		query[name] = values
	}
	if plain {
		query.Set("rest_route", k.route)
		u.Path += "/"
	} else {
		u.Path += "/wp-json" + k.route
	}
	u.RawQuery = query.Encode()
	return u.String()
}

func (c *client) send(ctx context.Context, k call, plain bool) (answer, error) {
	var body io.Reader
	if k.body != nil {
		data, err := json.Marshal(k.body)
		if err != nil {
			return answer{}, c.fail(k, &directory.Error{Kind: directory.Invalid, Err: err})
		}
		body = bytes.NewReader(data)
	}
	if k.repeatable {
		ctx = transport.Repeatable(ctx)
	}
	req, err := http.NewRequestWithContext(ctx, k.method, c.address(k, plain), body)
	if err != nil {
		return answer{}, c.fail(k, &directory.Error{Kind: directory.Invalid, Err: err})
	}
	req.SetBasicAuth(c.username, c.password)
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", "rollcall")
	if k.body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return answer{}, c.broken(k, err)
	}
	data, err := io.ReadAll(io.LimitReader(resp.Body, mostAnswer+1))
	_ = resp.Body.Close() // it was only read
	if err == nil && len(data) > mostAnswer {
		err = fmt.Errorf("the answer has more than %d MiB", mostAnswer>>20)
	}
	if err != nil {
		return answer{}, c.broken(k, err)
	}
	return answer{status: resp.StatusCode, header: resp.Header, body: data}, nil
}

// broken turns an error of the transport into one that says what was being done. The address is left out: a query holds
// what was searched for.
func (c *client) broken(k call, err error) error {
	var below *directory.Error
	if errors.As(err, &below) {
		e := *below
		if below.Op != "" && below.Err != nil {
			e.Err = fmt.Errorf("%s: %w", below.Op, below.Err)
		}
		return c.fail(k, &e)
	}
	var u *url.Error
	if errors.As(err, &u) {
		err = u.Err
	}
	return c.fail(k, &directory.Error{Kind: lostKind(k), Err: err})
}

// lostKind is the kind of error where a request was sent and its answer says nothing.
func lostKind(k call) directory.ErrorKind {
	if k.writes() {
		return directory.UnknownOutcome
	}
	return directory.Retryable
}

// fail completes an error with what was being done.
func (c *client) fail(k call, e *directory.Error) *directory.Error {
	e.Op, e.Directory, e.Record = k.op, c.name, k.record
	return e
}

// decode reads a good answer. One that cannot be read leaves the outcome of a write unknown.
func (c *client) decode(k call, a answer, into any) error {
	if err := json.Unmarshal(a.json(), into); err != nil {
		e := unreadable(a, err)
		e.Kind = lostKind(k)
		return c.fail(k, e)
	}
	return nil
}

// get sends a call and decodes its answer.
func (c *client) get(ctx context.Context, k call, into any) (answer, error) {
	a, err := c.do(ctx, k)
	if err != nil {
		return a, err
	}
	return a, c.decode(k, a, into)
}

// unreadable says what an answer is that is not the JSON it should be.
func unreadable(a answer, cause error) *directory.Error {
	text := a.json()
	found := fromBrace(text)
	switch {
	case len(text) == 0:
		return &directory.Error{
			Err:    errors.New("the answer is empty"),
			Remedy: "look into the site's PHP error log: a script that dies leaves an empty answer",
		}
	case text[0] != '{' && text[0] != '[' && found != nil:
		return &directory.Error{
			Err:    fmt.Errorf("PHP printed a message before the JSON: %s", plainText(string(text[:len(text)-len(found)]))),
			Remedy: "switch off the display of PHP errors on the site (WP_DEBUG_DISPLAY false in wp-config.php), and repair what they say",
		}
	case text[0] == '<':
		return &directory.Error{
			Err:    fmt.Errorf("the answer is a web page, not JSON: %s", plainText(string(text))),
			Remedy: "check the address; where it is right, a firewall, a login wall or a cache answers in place of WordPress",
		}
	default:
		return &directory.Error{
			Err:    fmt.Errorf("the answer is cut off or no JSON (%d bytes): %w", len(a.body), cause),
			Remedy: "look into the error logs of the site and of what stands before it",
		}
	}
}

// fromBrace returns the end of the text that is a JSON value, or nil. PHP's messages end in a line break or a tag, and few
// places are tried: the text may be megabytes of anything.
func fromBrace(text []byte) []byte {
	const most = 16
	tried := 0
	for i := 1; i < len(text) && tried < most; i++ {
		if (text[i] == '{' || text[i] == '[') && bytes.IndexByte([]byte(">\n\r \t"), text[i-1]) >= 0 {
			if json.Valid(text[i:]) {
				return text[i:]
			}
			tried++
		}
	}
	return nil
}

// plainText returns the beginning of a text that may be HTML, without tags and line breaks.
func plainText(text string) string {
	const most = 160
	var b strings.Builder
	tag := false
	for _, r := range text[:min(len(text), 64<<10)] {
		switch {
		case r == '<':
			tag = true
			b.WriteByte(' ')
		case r == '>' && tag:
			tag = false
		case !tag:
			b.WriteRune(r)
		}
	}
	clean := strings.Join(strings.Fields(users.Unescape(b.String())), " ")
	if runes := []rune(clean); len(runes) > most {
		clean = string(runes[:most]) + "…"
	}
	return clean
}
