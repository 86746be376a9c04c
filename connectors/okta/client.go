package okta

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"
	"time"

	sdk "github.com/okta/okta-sdk-golang/v2/okta"

	"github.com/rollcall-sync/rollcall/sync/directory"
	"github.com/rollcall-sync/rollcall/sync/directory/transport"
)

// client makes all calls to the org.
type client struct {
	name      string
	transport *transport.Transport
	sdk       *sdk.Client
	plain     *http.Client
	base      string // without a slash at the end
	auth      credentials
	tokens    *tokens // nil with an API token
	trusts    bool    // Okta to refuse what must not be written
	sleep     func(ctx context.Context, d time.Duration) error
}

func newClient(t *transport.Transport, s directory.Settings, base string, auth credentials, share int, now func() time.Time) (*client, error) {
	plain := t.Client()
	sleep := s.Sleep
	if sleep == nil {
		sleep = wait
	}
	plain.Transport = recorder{next: t, pace: newPacer(share, now, sleep)}
	c := &client{name: s.Name, transport: t, plain: plain, base: base, auth: auth, sleep: sleep}
	var err error
	if c.sdk, err = newSDK(plain, base, auth); err != nil {
		return nil, err
	}
	if auth.assertion != nil {
		c.tokens = newTokens(c, now)
	}
	return c, nil
}

// newSDK sets every field that the SDK would else take from ~/.okta/okta.yaml, its own folder or OKTA_CLIENT_… variables.
// The cache answers lists from memory for five minutes, and its retries know neither patience nor other requests: both
// are off. With a private key the token is ours (it is refreshed, bound to a context, and fetched once), and what the
// SDK is given in its place is overwritten by the recorder.
func newSDK(plain *http.Client, base string, auth credentials) (*sdk.Client, error) {
	mode, token := "SSWS", auth.token
	if auth.assertion != nil {
		mode, token = "Bearer", "none"
	}
	_, c, err := sdk.NewClient(context.Background(),
		sdk.WithHttpClientPtr(plain), sdk.WithOrgUrl(base), sdk.WithTestingDisableHttpsCheck(strings.HasPrefix(base, "http://")),
		sdk.WithAuthorizationMode(mode), sdk.WithToken(token), sdk.WithClientId(""), sdk.WithClientAssertion(""), sdk.WithScopes(nil),
		sdk.WithPrivateKeyId(""), sdk.WithCache(false), sdk.WithCacheManager(nil), sdk.WithUserAgentExtra(""),
		sdk.WithRateLimitMaxRetries(0), sdk.WithRateLimitMaxBackOff(0), sdk.WithRequestTimeout(0), sdk.WithConnectionTimeout(0),
	)
	return c, err
}

// wait is the sleep of real life.
func wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

// exchange keeps what became of one call: the SDK's errors are texts.
type exchange struct {
	token  string // to sign in with; empty leaves the SDK's own
	err    *directory.Error
	status int
	header http.Header
	body   []byte // of a refusal
	next   string // path and query of the page that follows
}

type exchangeKey struct{}

const maxRefusal = 64 << 10

// recorder stands between the SDK and the transport. It fills in the exchange of the request's context, and keeps from the
// SDK what the SDK gets wrong: an error that is io.EOF inside, which it would repeat for ever; Link headers with two links
// in a line, of which it reads the first, or with one that is no address, at which it panics; and a good answer that is
// no JSON (a proxy's, a sign-in page's).
type recorder struct {
	next http.RoundTripper
	pace *pacer
}

var errNotAnswered = errors.New("the request was not answered")

func (r recorder) RoundTrip(req *http.Request) (*http.Response, error) {
	kept, ok := req.Context().Value(exchangeKey{}).(*exchange)
	if !ok {
		kept = &exchange{}
	}
	if kept.token != "" {
		req = req.Clone(req.Context())
		req.Header.Set("Authorization", "Bearer "+kept.token)
	}
	if err := r.pace.await(req); err != nil {
		kept.err = &directory.Error{Kind: directory.Retryable, Err: err}
		return nil, errNotAnswered
	}
	resp, err := r.next.RoundTrip(req)
	if err != nil {
		if !errors.As(err, &kept.err) {
			kept.err = &directory.Error{Kind: directory.Retryable, Err: err}
		}
		return nil, errNotAnswered
	}
	r.pace.learn(req, resp)
	kept.status, kept.header = resp.StatusCode, resp.Header
	if resp.StatusCode >= http.StatusBadRequest {
		return resp, kept.keep(resp)
	}
	if resp.StatusCode < http.StatusMultipleChoices && resp.StatusCode != http.StatusNoContent && !isJSON(resp.Header) && hasBody(resp) {
		_ = resp.Body.Close() // not ours
		kept.err = &directory.Error{
			Kind: directory.Retryable, Err: fmt.Errorf("the answer is %q, not JSON", resp.Header.Get("Content-Type")),
			Remedy: "check that url is the org's own address and that no proxy or sign-in page stands before it",
		}
		return nil, errNotAnswered
	}
	next, err := nextLink(resp.Header)
	if err != nil {
		_ = resp.Body.Close() // the listing cannot go on
		kept.err = &directory.Error{Kind: directory.Retryable, Err: err}
		return nil, errNotAnswered
	}
	kept.next = next
	return resp, nil
}

// keep reads the body of a refusal and puts it back.
func (kept *exchange) keep(resp *http.Response) error {
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxRefusal))
	_ = resp.Body.Close() // nothing follows that anybody wants
	if err != nil {
		body = nil // the status stands; only the words are lost
	}
	kept.body = body
	resp.Body = io.NopCloser(bytes.NewReader(body))
	resp.Header.Del("Link")
	return nil
}

// hasBody peeks whether an answer has any.
func hasBody(resp *http.Response) bool {
	if resp.ContentLength == 0 {
		return false
	}
	var first [1]byte
	n, _ := io.ReadFull(resp.Body, first[:]) // an error is met again by whoever reads on
	resp.Body = struct {
		io.Reader
		io.Closer
	}{io.MultiReader(bytes.NewReader(first[:n]), resp.Body), resp.Body}
	return n > 0
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
	// scope is what the call needs, for the remedy of a 403.
	scope string
	// onUser is set where the call writes one user, whom Okta may protect.
	onUser bool
	// paging is set where the call follows a link, which may have expired.
	paging bool
	// missing is the kind of an unknown user, missingGroup of an unknown group. The zero kind, Retryable, means that the
	// call expects no such answer.
	missing, missingGroup directory.ErrorKind
}

// do runs one call. A token that Okta no longer takes is renewed once: the refused call did nothing.
func (c *client) do(ctx context.Context, o op, call func(ctx context.Context) error) (*exchange, error) {
	for renewed := false; ; renewed = true {
		kept := &exchange{}
		if c.tokens != nil {
			held, err := c.tokens.get(ctx)
			if err != nil {
				return nil, c.withOp(o, err)
			}
			kept.token = held.text
		}
		err := call(context.WithValue(ctx, exchangeKey{}, kept))
		if err == nil {
			return kept, nil
		}
		if kept.status == http.StatusUnauthorized && c.tokens != nil && !renewed {
			c.tokens.drop(kept.token)
			continue
		}
		return nil, c.failure(o, kept, err)
	}
}

// thin asks for users without what nobody reads here. All three must be named for Okta to answer faster, and the SDK leaves
// the header out of requests without a body unless it is put there afterwards.
const thin = `application/json; okta-response="omitCredentials,omitCredentialsLinks,omitTransitioningToStatus"`

// call sends one request below /api/v1 and decodes the answer into out, unless that is nil. Path segments must be escaped.
func (c *client) call(ctx context.Context, o op, method, path string, body, out any) (*exchange, error) {
	return c.do(ctx, o, func(ctx context.Context) error {
		executor := c.sdk.CloneRequestExecutor()
		req, err := executor.NewRequest(method, path, body)
		if err != nil {
			return err
		}
		if method == http.MethodGet && strings.HasPrefix(path, usersPath) {
			req.Header.Set("Content-Type", thin)
		}
		var raw json.RawMessage
		if _, err := executor.Do(ctx, req, &raw); err != nil {
			return err
		}
		if out == nil {
			return nil
		}
		if err := json.Unmarshal(raw, out); err != nil {
			return fmt.Errorf("the answer cannot be understood: %w", err)
		}
		return nil
	})
}

// page reads one page of a list, each record raw, and the address of the next.
func (c *client) page(ctx context.Context, o op, path string) (rows []json.RawMessage, next string, err error) {
	kept, err := c.call(ctx, o, http.MethodGet, path, nil, &rows)
	if err != nil {
		return nil, "", err
	}
	if rows == nil { // null is no list
		return nil, "", c.failure(o, &exchange{status: http.StatusOK}, errors.New("the answer holds no list"))
	}
	if kept.next == path {
		return nil, "", c.failure(o, &exchange{status: http.StatusOK}, errors.New("the next page is this page again"))
	}
	return rows, kept.next, nil
}
