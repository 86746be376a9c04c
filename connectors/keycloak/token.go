package keycloak

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/Nerzal/gocloak/v13"

	"github.com/rollcall-sync/rollcall/sync/directory"
	"github.com/rollcall-sync/rollcall/sync/directory/transport"
)

// credentials are what Rollcall signs in with: the client alone, or a user through it.
type credentials struct {
	realm, client, secret, username, password string
}

// renewBefore is how long before its end a token is renewed.
const renewBefore = 30 * time.Second

// token is one access token.
type token struct {
	text  string
	until time.Time
}

// tokens hands out the current token and fetches a new one when needed. Client credentials come without a refresh token,
// so signing in again is the only way for them, and the simplest for a password too.
type tokens struct {
	client *client
	now    func() time.Time
	turn   chan struct{} // holds the current token's lock; a channel, so that waiting ends with the context
	held   token
}

func newTokens(c *client, now func() time.Time) *tokens {
	return &tokens{client: c, now: now, turn: make(chan struct{}, 1)}
}

func (t *tokens) lock(ctx context.Context) error {
	select {
	case t.turn <- struct{}{}:
		return nil
	case <-ctx.Done():
		return &directory.Error{Kind: directory.Retryable, Err: ctx.Err()}
	}
}

func (t *tokens) unlock() { <-t.turn }

// get returns a token that is good for a while yet.
func (t *tokens) get(ctx context.Context) (token, error) {
	if err := t.lock(ctx); err != nil {
		return token{}, err
	}
	defer t.unlock()
	if t.held.text != "" && t.now().Before(t.held.until) {
		return t.held, nil
	}
	fresh, err := t.fetch(ctx)
	if err != nil {
		return token{}, err
	}
	t.held = fresh
	return fresh, nil
}

// drop forgets a token that the server refused, unless it was renewed in the meantime.
func (t *tokens) drop(refused token) {
	t.turn <- struct{}{}
	defer t.unlock()
	if t.held.text == refused.text {
		t.held = token{}
	}
}

// fetch signs in. The credentials travel in the form: gocloak would put them into an HTTP Basic header without the
// encoding that Keycloak undoes there, so that a secret with "+" or "%" fails.
func (t *tokens) fetch(ctx context.Context) (token, error) {
	c := t.client
	form := map[string]string{"client_id": c.auth.client, "grant_type": "client_credentials"}
	if c.auth.secret != "" {
		form["client_secret"] = c.auth.secret
	}
	if c.auth.username != "" {
		form["grant_type"], form["username"], form["password"] = "password", c.auth.username, c.auth.password
	}
	kept := &exchange{}
	started := t.now()
	var jwt gocloak.JWT
	address := c.base + "/realms/" + url.PathEscape(c.auth.realm) + "/protocol/openid-connect/token"
	resp, err := c.cloak.GetRequest(context.WithValue(transport.Repeatable(ctx), exchangeKey{}, kept)).SetFormData(form).SetResult(&jwt).Post(address)
	switch {
	case err != nil:
		return token{}, c.failure(op{words: "sign in"}, kept, err)
	case resp.IsError():
		return token{}, c.signInFailure(kept)
	case jwt.AccessToken == "":
		return token{}, c.failure(op{words: "sign in"}, kept, errors.New("the answer holds no access token"))
	}
	life := time.Duration(jwt.ExpiresIn) * time.Second
	return token{text: jwt.AccessToken, until: started.Add(max(life-renewBefore, life/2))}, nil
}

// signInFailure explains a refused sign-in.
func (c *client) signInFailure(kept *exchange) error {
	answer := readRefusal(kept.body)
	e := &directory.Error{Kind: directory.Auth, Op: "sign in", Directory: c.name, Err: errors.New(answer.words(kept.status))}
	switch {
	case kept.status == http.StatusNotFound && strings.Contains(answer.Error, "Realm"):
		e.Remedy = "check realm and auth_realm: the server knows no realm " + c.auth.realm
	case kept.status == http.StatusNotFound:
		e.Remedy = "check url: the server has no sign-in there; servers before version 17 need /auth at its end"
	case answer.Error == "invalid_grant":
		e.Remedy = "check username and password, and that the user is enabled and has no required actions"
	case answer.Error == "unauthorized_client" && kept.status != http.StatusUnauthorized && c.auth.username != "":
		e.Remedy = "switch on Direct access grants for client " + c.auth.client
	case answer.Error == "unauthorized_client" && kept.status != http.StatusUnauthorized:
		e.Remedy = "switch on Client authentication and Service accounts roles for client " + c.auth.client
	case answer.Error == "unauthorized_client", answer.Error == "invalid_client":
		e.Remedy = "check client_id and client_secret: Clients, " + c.auth.client + ", Credentials in realm " + c.auth.realm
	case kept.status >= http.StatusInternalServerError:
		e.Kind = directory.Retryable
	}
	return e
}

// claims is what an access token tells about its holder.
type claims struct {
	Subject     string            `json:"sub"`
	Username    string            `json:"preferred_username"`
	RealmAccess access            `json:"realm_access"`
	Resources   map[string]access `json:"resource_access"`
}

type access struct {
	Roles []string `json:"roles"`
}

// claims reads the current token. Its signature does not matter here: it came from the server itself.
func (c *client) claims(ctx context.Context) (claims, error) {
	current, err := c.tokens.get(ctx)
	if err != nil {
		return claims{}, err
	}
	var read claims
	parts := strings.Split(current.text, ".")
	if len(parts) != 3 {
		return claims{}, nil // an opaque token tells nothing
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil || json.Unmarshal(payload, &read) != nil {
		return claims{}, nil
	}
	return read, nil
}

// managementClient is the client whose roles rule over the realm, as the realm itself names it.
func (c *client) managementClient() string {
	if c.realm == "master" {
		return "master-realm"
	}
	return "realm-management"
}

// held returns the roles over the realm that the token carries, and whether it tells at all: a lightweight token, which
// admin-cli gets since version 26, carries neither roles nor subject.
func (c *client) held(read claims) (roles []string, known bool) {
	if read.Subject == "" && read.Resources == nil && read.RealmAccess.Roles == nil {
		return nil, false
	}
	name := c.managementClient()
	if c.auth.realm == "master" {
		name = c.realm + "-realm"
		if slices.Contains(read.RealmAccess.Roles, "admin") {
			return []string{"realm-admin", viewUsers, manageUsers, viewRealm, viewClients}, true
		}
	}
	return read.Resources[name].Roles, true
}
