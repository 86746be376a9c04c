package real

import (
	"crypto/rand"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rollcall-sync/rollcall/sync/directory/directorytest/real/rig"
)

// KeycloakServer is a running Keycloak. It is safe for concurrent use.
type KeycloakServer struct {
	// URL has no slash at its end.
	URL                      string
	AdminUser, AdminPassword string

	client *http.Client
	mutex  sync.Mutex
	token  string
	until  time.Time
}

// Keycloak returns the server that all tests of this run share.
func Keycloak(t testing.TB) *KeycloakServer {
	t.Helper()
	address := need(t, rig.KeycloakVariable)
	return &KeycloakServer{
		URL: strings.TrimRight(address, "/"), AdminUser: os.Getenv(rig.KeycloakUserVariable),
		AdminPassword: os.Getenv(rig.KeycloakPasswordVariable),
		// The first listing of a thousand accounts may take a minute on a busy machine.
		client: &http.Client{Timeout: 5 * time.Minute},
	}
}

// Realm is a realm of one test, with a confidential client whose service account may read and write users and groups.
type Realm struct {
	Server *KeycloakServer
	// URL is the server's; Name the realm's.
	URL, Name              string
	ClientID, ClientSecret string

	t testing.TB
}

type realmOptions struct {
	unmanaged string
	roles     []string
}

// RealmOption changes how a realm is made.
type RealmOption func(*realmOptions)

// WithoutUnmanagedAttributes leaves the user profile as Keycloak ships it: attributes that it does not declare are dropped
// in silence.
func WithoutUnmanagedAttributes() RealmOption {
	return func(o *realmOptions) { o.unmanaged = "" }
}

// WithRoles replaces the roles of realm-management that the client's service account has; none is allowed.
func WithRoles(roles ...string) RealmOption {
	return func(o *realmOptions) { o.roles = append([]string{}, roles...) }
}

// Realm makes a fresh realm, which is removed when the test ends. Attributes beyond the user profile are kept unless an
// option says otherwise.
func (s *KeycloakServer) Realm(t testing.TB, options ...RealmOption) *Realm {
	t.Helper()
	chosen := realmOptions{
		unmanaged: "ENABLED",
		roles:     []string{"manage-users", "view-users", "query-users", "query-groups", "view-realm", "view-events", "view-clients"},
	}
	for _, option := range options {
		option(&chosen)
	}
	realm := &Realm{
		Server: s, URL: s.URL, Name: "r" + strings.ToLower(rand.Text()[:12]), ClientID: "rollcall", ClientSecret: rand.Text(), t: t,
	}
	service := map[string]any{
		"username": "service-account-" + realm.ClientID, "enabled": true, "serviceAccountClientId": realm.ClientID,
		"clientRoles": map[string][]string{"realm-management": chosen.roles},
	}
	s.must(t, http.MethodPost, "/admin/realms", map[string]any{
		"realm": realm.Name, "enabled": true,
		"clients": []any{map[string]any{
			"clientId": realm.ClientID, "secret": realm.ClientSecret, "enabled": true, "publicClient": false,
			"standardFlowEnabled": false, "directAccessGrantsEnabled": true, "serviceAccountsEnabled": true,
		}},
		"users": []any{service},
	}, nil)
	s.forgetToken() // the token at hand knows nothing of the new realm
	t.Cleanup(func() {
		s.must(t, http.MethodDelete, "/admin/realms/"+realm.Name, nil, nil)
		s.forgetToken()
	})
	if chosen.unmanaged != "" {
		profile := map[string]any{}
		realm.Call(http.MethodGet, "/users/profile", nil, &profile)
		profile["unmanagedAttributePolicy"] = chosen.unmanaged
		realm.Call(http.MethodPut, "/users/profile", profile, nil)
	}
	return realm
}

// Call sends a request to the admin API of the realm as the server's administrator; the path starts with a slash and
// follows /admin/realms/NAME. The test ends unless the answer's status is 2xx. into takes the answer; nil drops it.
func (r *Realm) Call(method, path string, body, into any) {
	r.t.Helper()
	r.Server.must(r.t, method, "/admin/realms/"+r.Name+path, body, into)
}

// Do is Call without a judgement: it returns the status and the answer as they are.
func (r *Realm) Do(method, path string, body any) (status int, answer []byte) {
	r.t.Helper()
	return r.Server.do(r.t, method, "/admin/realms/"+r.Name+path, body)
}

func (s *KeycloakServer) must(t testing.TB, method, path string, body, into any) {
	t.Helper()
	status, answer := s.do(t, method, path, body)
	if status < 200 || status > 299 {
		t.Fatalf("%s %s on Keycloak: status %d: %.500s", method, path, status, answer)
	}
	if into == nil {
		return
	}
	if err := json.Unmarshal(answer, into); err != nil {
		t.Fatalf("%s %s on Keycloak: %v in %.500s", method, path, err, answer)
	}
}

func (s *KeycloakServer) do(t testing.TB, method, path string, body any) (int, []byte) {
	t.Helper()
	var content io.Reader
	if body != nil {
		data, err := json.Marshal(body)
		if err != nil {
			t.Fatal(err)
		}
		content = strings.NewReader(string(data))
	}
	request, err := http.NewRequest(method, s.URL+path, content)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Authorization", "Bearer "+s.adminToken(t))
	return s.send(t, request)
}

func (s *KeycloakServer) send(t testing.TB, request *http.Request) (int, []byte) {
	t.Helper()
	answer, err := s.client.Do(request)
	if err != nil {
		t.Fatalf("Keycloak does not answer: %v", err)
	}
	defer answer.Body.Close()
	data, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatalf("Keycloak's answer broke off: %v", err)
	}
	return answer.StatusCode, data
}

// adminToken returns a token that is good for another while; they live for a minute.
func (s *KeycloakServer) adminToken(t testing.TB) string {
	t.Helper()
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if time.Now().Before(s.until) {
		return s.token
	}
	form := url.Values{
		"grant_type": {"password"}, "client_id": {"admin-cli"}, "username": {s.AdminUser}, "password": {s.AdminPassword},
	}
	request, err := http.NewRequest(http.MethodPost, s.URL+"/realms/master/protocol/openid-connect/token", strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	status, answer := s.send(t, request)
	var token struct {
		Token string `json:"access_token"`
		Life  int    `json:"expires_in"`
	}
	if err := json.Unmarshal(answer, &token); err != nil || token.Token == "" {
		t.Fatalf("Keycloak gives its administrator no token: status %d: %.200s", status, answer)
	}
	s.token, s.until = token.Token, time.Now().Add(time.Duration(token.Life)*time.Second/2)
	return s.token
}

func (s *KeycloakServer) forgetToken() {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.until = time.Time{}
}
