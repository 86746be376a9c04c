package okta

import (
	"context"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	sdk "github.com/okta/okta-sdk-golang/v2/okta"

	"github.com/rollcall-sync/rollcall/sync/directory"
	"github.com/rollcall-sync/rollcall/sync/directory/transport"
)

// The scopes that Rollcall can need.
const (
	usersRead    = "okta.users.read"
	usersManage  = "okta.users.manage"
	groupsRead   = "okta.groups.read"
	groupsManage = "okta.groups.manage"
	rolesRead    = "okta.roles.read"
	schemasRead  = "okta.schemas.read"
)

// credentials are what Rollcall signs in with: a token, or an app with a key.
type credentials struct {
	token  string
	client string
	scopes []string
	// assertion makes the signed statement by which the app gets a token; nil with an API token.
	assertion func() (string, error)
}

// newCredentials reads the options that say how to sign in.
func newCredentials(s directory.Settings, base string) (credentials, []error) {
	c := credentials{token: strings.TrimSpace(s.Text("token")), client: strings.TrimSpace(s.Text("client_id")), scopes: s.List("scopes")}
	key := s.Text("private_key")
	fault := func(option, message string) (credentials, []error) {
		return c, []error{&directory.OptionError{Option: option, Message: message}}
	}
	switch {
	case c.token == "" && c.client == "" && key == "":
		return fault("token", "is missing; give an API token, or client_id and private_key")
	case c.token != "" && (c.client != "" || key != ""):
		return fault("token", "is given beside client_id or private_key; only one way of signing in can be used")
	case c.token != "":
		if name, _, found := strings.Cut(c.token, " "); found {
			return fault("token", "must be the token alone, without "+name)
		}
		return c, nil
	case c.client == "":
		return fault("client_id", "is missing although private_key is given")
	case key == "":
		return fault("private_key", "is missing although client_id is given")
	}
	pkcs1, err := rsaKey(key)
	if err != nil {
		return fault("private_key", err.Error())
	}
	signer, err := sdk.CreateKeySigner(pkcs1, s.Text("key_id"))
	if err != nil {
		return fault("private_key", "cannot be used for signing")
	}
	if len(c.scopes) == 0 {
		c.scopes = []string{usersManage, groupsManage, rolesRead, schemasRead}
	}
	client := c.client
	c.assertion = func() (string, error) { return sdk.CreateClientAssertion(base, client, signer) }
	return c, nil
}

// rsaKey brings a key to the one form that the SDK reads. Okta's own console hands out the other.
func rsaKey(text string) (string, error) {
	block, _ := pem.Decode([]byte(strings.ReplaceAll(text, `\n`, "\n")))
	if block == nil {
		return "", errors.New("must be a key in PEM form, beginning with -----BEGIN PRIVATE KEY-----")
	}
	switch block.Type {
	case "RSA PRIVATE KEY":
		if _, err := x509.ParsePKCS1PrivateKey(block.Bytes); err != nil {
			return "", errors.New("is no RSA key that can be read")
		}
		return string(pem.EncodeToMemory(block)), nil
	case "PRIVATE KEY":
		parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
		key, isRSA := parsed.(*rsa.PrivateKey)
		if err != nil || !isRSA {
			return "", errors.New("must be an RSA key")
		}
		return string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)})), nil
	case "PUBLIC KEY":
		return "", errors.New("is the public key; the private one is needed")
	default:
		return "", errors.New("must be an unencrypted RSA private key, not " + strings.ToLower(block.Type))
	}
}

// renewBefore is how long before its end a token is renewed.
const renewBefore = time.Minute

// token is one access token.
type token struct {
	text  string
	until time.Time
}

// tokens hands out the current token and fetches a new one when needed. The SDK would do it without a context, several
// times side by side, and would keep using a token that Okta no longer takes.
type tokens struct {
	client *client
	now    func() time.Time
	turn   chan struct{} // holds the current token's lock; a channel, so that waiting ends with the context
	held   token
}

func newTokens(c *client, now func() time.Time) *tokens {
	return &tokens{client: c, now: now, turn: make(chan struct{}, 1)}
}

// get returns a token that is good for a while yet.
func (t *tokens) get(ctx context.Context) (token, error) {
	select {
	case t.turn <- struct{}{}:
	case <-ctx.Done():
		return token{}, &directory.Error{Kind: directory.Retryable, Err: ctx.Err()}
	}
	defer func() { <-t.turn }()
	if t.held.text != "" && t.now().Before(t.held.until) {
		return t.held, nil
	}
	fresh, err := t.client.signIn(ctx, t.now)
	if err == nil {
		t.held = fresh
	}
	return fresh, err
}

// drop forgets a token that Okta refused, unless it was renewed in the meantime.
func (t *tokens) drop(refused string) {
	t.turn <- struct{}{}
	defer func() { <-t.turn }()
	if t.held.text == refused {
		t.held = token{}
	}
}

// signIn asks for a token. Okta takes the statement by which the app shows its key in the body as well as in the address,
// where the SDK puts it; a body is in nobody's log.
func (c *client) signIn(ctx context.Context, now func() time.Time) (token, error) {
	o := op{words: "sign in"}
	assertion, err := c.auth.assertion()
	if err != nil {
		return token{}, &directory.Error{Kind: directory.Auth, Op: o.words, Directory: c.name, Err: err, Remedy: "check private_key"}
	}
	form := url.Values{
		"grant_type": {"client_credentials"}, "scope": {strings.Join(c.auth.scopes, " ")}, "client_assertion": {assertion},
		"client_assertion_type": {"urn:ietf:params:oauth:client-assertion-type:jwt-bearer"},
	}
	kept := &exchange{}
	ctx = context.WithValue(transport.Repeatable(ctx), exchangeKey{}, kept)
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.base+"/oauth2/v1/token", strings.NewReader(form.Encode()))
	if err != nil {
		return token{}, c.failure(o, kept, err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Accept", "application/json")
	started := now()
	resp, err := c.plain.Do(req)
	if err != nil {
		return token{}, c.failure(o, kept, err)
	}
	defer func() { _ = resp.Body.Close() }() // it was read into memory
	if resp.StatusCode != http.StatusOK {
		return token{}, c.signInFailure(kept)
	}
	var answer struct {
		AccessToken string `json:"access_token"`
		ExpiresIn   int    `json:"expires_in"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil || answer.AccessToken == "" {
		return token{}, c.failure(o, kept, errors.New("the answer holds no access token"))
	}
	life := time.Duration(answer.ExpiresIn) * time.Second
	return token{text: answer.AccessToken, until: started.Add(max(life-renewBefore, life/2))}, nil
}

// signInFailure explains a refused sign-in.
func (c *client) signInFailure(kept *exchange) error {
	answer := readRefusal(kept.body)
	e := &directory.Error{Kind: directory.Auth, Op: "sign in", Directory: c.name, Err: errors.New(answer.words(kept.status))}
	switch {
	case kept.status >= http.StatusInternalServerError:
		e.Kind = directory.Retryable
	case answer.OAuth == "invalid_client":
		e.Remedy = "check client_id, and that private_key belongs to a public key of that app (Applications, the app, General, Public keys)"
	case answer.OAuth == "invalid_scope":
		e.Remedy = "grant the app " + strings.Join(c.auth.scopes, ", ") + " (Applications, the app, Okta API Scopes), or name fewer in scopes"
	case answer.OAuth == "invalid_dpop_proof" || strings.Contains(strings.ToLower(answer.Description), "dpop"):
		e.Remedy = "switch off Require Demonstrating Proof of Possession (DPoP) for the app (Applications, the app, General)"
	case answer.OAuth == "unauthorized_client":
		e.Remedy = "make the app an API Services app with the grant Client Credentials"
	default:
		e.Remedy = "check url: " + c.base + " has no sign-in for apps"
	}
	return e
}
