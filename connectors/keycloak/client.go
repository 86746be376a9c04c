package keycloak

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"github.com/Nerzal/gocloak/v13"
	"github.com/go-resty/resty/v2"

	"github.com/rollcall-sync/rollcall/sync/directory"
	"github.com/rollcall-sync/rollcall/sync/directory/transport"
)

// client makes all calls to the server.
type client struct {
	name      string
	transport *transport.Transport
	cloak     *gocloak.GoCloak
	base      string // without a slash at the end
	realm     string // as people write it
	path      string // escaped
	auth      credentials
	tokens    *tokens
	// nameOf translates the field that a refusal names.
	nameOf func(field string) string
	// largest is the most rows that came in one page.
	largest atomic.Int64
}

func newClient(t *transport.Transport, s directory.Settings, base, realm string, auth credentials, now func() time.Time) *client {
	plain := t.Client()
	plain.Transport = recorder{t}
	// resty retries only when told to, and logs to stderr unless told not to. The transport below bounds the time.
	inner := resty.NewWithClient(plain).SetRetryCount(0).SetLogger(silent{}).SetDisableWarn(true)
	cloak := gocloak.NewClient(base)
	cloak.SetRestyClient(inner)
	c := &client{name: s.Name, transport: t, cloak: cloak, base: base, realm: realm, path: url.PathEscape(realm), auth: auth}
	c.tokens = newTokens(c, now)
	return c
}

type silent struct{}

func (silent) Errorf(string, ...any) {}
func (silent) Warnf(string, ...any)  {}
func (silent) Debugf(string, ...any) {}

// exchange keeps what became of the last request of one call: gocloak's errors tell the status and a text only.
type exchange struct {
	err      *directory.Error
	status   int
	location string
	body     []byte
}

type exchangeKey struct{}

const maxRefusal = 64 << 10

// recorder fills in the exchange of the request's context. A good answer that is no JSON comes from somebody else (a proxy,
// a sign-in page), and resty would take it for an empty one, so it is an error.
type recorder struct{ next http.RoundTripper }

func (r recorder) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := r.next.RoundTrip(req)
	kept, ok := req.Context().Value(exchangeKey{}).(*exchange)
	if !ok {
		return resp, err
	}
	*kept = exchange{}
	if err != nil {
		errors.As(err, &kept.err)
		return nil, err
	}
	kept.status, kept.location = resp.StatusCode, resp.Header.Get("Location")
	if resp.StatusCode >= http.StatusBadRequest {
		body, err := io.ReadAll(io.LimitReader(resp.Body, maxRefusal))
		_ = resp.Body.Close() // nothing follows that anybody wants
		if err != nil {
			body = nil // the status stands; only the words are lost
		}
		kept.body = body
		resp.Body = io.NopCloser(bytes.NewReader(body))
		return resp, nil
	}
	if resp.StatusCode == http.StatusOK && !isJSON(resp.Header) {
		_ = resp.Body.Close() // not ours
		kept.err = &directory.Error{
			Kind: directory.Retryable, Err: fmt.Errorf("the answer is %q, not JSON", resp.Header.Get("Content-Type")),
			Remedy: "check that url is Keycloak's own address and that no proxy or sign-in page stands before it",
		}
		return nil, kept.err
	}
	return resp, nil
}

func isJSON(header http.Header) bool {
	kind, _, err := mime.ParseMediaType(header.Get("Content-Type"))
	return err == nil && (kind == "application/json" || strings.HasSuffix(kind, "+json"))
}

// op is what one call does, in the words of errors and with what its refusals mean.
type op struct {
	words  string
	record string
	write  bool
	// role is what the call needs, for the remedy of a 403.
	role string
	// missing is the kind of "User not found", missingGroup of an unknown group or role. The zero kind, Retryable, means
	// that the call expects no such answer.
	missing, missingGroup directory.ErrorKind
}

// do runs one call with a token. A token that the server no longer takes is renewed once: the refused call did nothing.
func (c *client) do(ctx context.Context, o op, call func(ctx context.Context, token string) error) error {
	for renewed := false; ; renewed = true {
		token, err := c.tokens.get(ctx)
		if err != nil {
			return c.withOp(o, err)
		}
		kept := &exchange{}
		err = call(context.WithValue(ctx, exchangeKey{}, kept), token.text)
		if err == nil {
			return nil
		}
		if kept.status == http.StatusUnauthorized && !renewed {
			c.tokens.drop(token)
			continue
		}
		return c.failure(o, kept, err)
	}
}

// get reads JSON below the realm's admin address. Path segments must be escaped.
func (c *client) get(ctx context.Context, o op, path string, query url.Values, out any) error {
	return c.do(ctx, o, func(ctx context.Context, token string) error {
		resp, err := c.cloak.GetRequestWithBearerAuth(ctx, token).SetQueryParamsFromValues(query).Get(c.admin(path))
		if err != nil {
			return err
		}
		if resp.IsError() {
			return errors.New(resp.Status())
		}
		if err := json.Unmarshal(resp.Body(), out); err != nil {
			return fmt.Errorf("the answer cannot be understood: %w", err)
		}
		return nil
	})
}

func (c *client) admin(path string) string { return c.base + "/admin/realms/" + c.path + path }

// page reads one page of a list, each record raw.
func (c *client) page(ctx context.Context, o op, path string, query url.Values, first, size int) ([]json.RawMessage, error) {
	all := url.Values{"first": {fmt.Sprint(first)}, "max": {fmt.Sprint(size)}}
	for name, values := range query {
		all[name] = values
	}
	var rows []json.RawMessage
	if err := c.get(ctx, o, path, all, &rows); err != nil {
		return nil, err
	}
	if rows == nil { // null is no list
		return nil, c.failure(o, &exchange{status: http.StatusOK}, errors.New("the answer holds no list"))
	}
	for seen := c.largest.Load(); int64(len(rows)) > seen && !c.largest.CompareAndSwap(seen, int64(len(rows))); seen = c.largest.Load() {
	}
	return rows, nil
}
