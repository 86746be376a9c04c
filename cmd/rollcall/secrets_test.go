package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// The secrets of the test: what is configured, and what the servers hand out.
const (
	clientSecret = "kc-Secret-7f3a"
	appPassword  = "abcd EFGH ijkl MNOP qrst UVWX"
)

var accessToken = "eyJhbGciOiJub25lIn0." + base64.RawURLEncoding.EncodeToString([]byte(
	`{"sub": "service", "resource_access": {"realm-management": {"roles": ["view-users", "manage-users", "view-realm"]}}}`)) + ".signature-81c2"

// vault is a pair of servers that know the secrets. They answer as Keycloak and WordPress do, as far as a first load asks.
type vault struct {
	mu sync.Mutex
	// passwords are those of the new accounts, which nobody may see.
	passwords []string
	created   int
	// refuse makes both servers refuse every request and repeat in the answer what was sent.
	refuse bool
}

func (v *vault) echo(w http.ResponseWriter, r *http.Request, body []byte) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusUnauthorized)
	text := fmt.Sprintf("refused: Authorization: %s; %s", r.Header.Get("Authorization"), body)
	json.NewEncoder(w).Encode(map[string]string{"error": "invalid_client", "error_description": text, "code": "refused", "message": text}) //nolint:errcheck // a test
}

func person(id, name string) string {
	return fmt.Sprintf(`{"id": %q, "username": %q, "email": "%s@example.com", "enabled": true, "createdTimestamp": 1, "attributes": {},
		"notBefore": 0, "access": {"manage": true}}`, id, name, name)
}

func (v *vault) keycloak(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	w.Header().Set("Content-Type", "application/json")
	path := strings.TrimPrefix(r.URL.Path, "/admin/realms/acme")
	switch {
	case v.refuse:
		v.echo(w, r, body)
	case strings.HasSuffix(r.URL.Path, "/token"):
		fmt.Fprintf(w, `{"access_token": %q, "expires_in": 300, "token_type": "Bearer"}`, accessToken)
	case path == "/users/count":
		io.WriteString(w, "2") //nolint:errcheck // a test
	case path == "/users" && r.URL.Query().Get("first") == "0":
		io.WriteString(w, "["+person("k1", "anna")+","+person("k2", "ben")+"]") //nolint:errcheck // a test
	case strings.HasSuffix(path, "/role-mappings"):
		io.WriteString(w, "{}") //nolint:errcheck // a test
	case path == "/users/profile":
		w.WriteHeader(http.StatusNotFound)
	default:
		io.WriteString(w, "[]") //nolint:errcheck // a test
	}
}

func (v *vault) wordpress(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	w.Header().Set("Content-Type", "application/json; charset=UTF-8")
	admin := map[string]any{
		"id": 1, "username": "rollcall", "email": "rollcall@example.com", "roles": []string{"administrator"}, "meta": []string{},
		"capabilities": map[string]bool{"list_users": true, "edit_users": true, "create_users": true, "promote_users": true, "delete_users": true, "administrator": true},
	}
	var answer any = map[string]any{}
	path := strings.TrimPrefix(r.URL.Path, "/wp-json")
	switch {
	case v.refuse:
		v.echo(w, r, body)
		return
	case path == "/wp/v2/users/me":
		answer = admin
	case path == "/wp/v2/users" && r.Method == http.MethodGet:
		w.Header().Set("X-WP-Total", "1")
		w.Header().Set("X-WP-TotalPages", "1")
		answer = []any{admin}
	case path == "/wp/v2/users" && r.Method == http.MethodPost:
		var given map[string]any
		json.Unmarshal(body, &given) //nolint:errcheck // a test
		v.mu.Lock()
		v.created++
		v.passwords = append(v.passwords, fmt.Sprint(given["password"]))
		stored := map[string]any{"id": 10 + v.created, "roles": []string{"subscriber"}, "capabilities": map[string]bool{"subscriber": true}, "meta": []string{}}
		v.mu.Unlock()
		maps.Copy(stored, given)
		delete(stored, "password")
		w.WriteHeader(http.StatusCreated)
		answer = stored
	}
	json.NewEncoder(w).Encode(answer) //nolint:errcheck // a test
}

// leaks returns where a secret is, plain or as it travels.
func (v *vault) leaks(t *testing.T, folder string, printed ...string) (places []string) {
	t.Helper()
	secrets := map[string]string{"client secret": clientSecret, "access token": accessToken, "application password": appPassword}
	secrets["basic header"] = base64.StdEncoding.EncodeToString([]byte("rollcall:" + appPassword))
	secrets["password without spaces"] = strings.ReplaceAll(appPassword, " ", "")
	for i, password := range v.passwords {
		secrets["password "+strconv.Itoa(i)] = password
	}
	look := func(place string, text []byte) {
		for name, secret := range secrets {
			if bytes.Contains(text, []byte(secret)) {
				places = append(places, name+" in "+place)
			}
		}
	}
	for i, text := range printed {
		look([]string{"stdout", "stderr"}[i%2], []byte(text))
	}
	err := filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		look(filepath.Base(path), data)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return places
}

func newVaultDesk(t *testing.T, v *vault) *desk {
	t.Helper()
	keycloak, wordpress := httptest.NewServer(http.HandlerFunc(v.keycloak)), httptest.NewServer(http.HandlerFunc(v.wordpress))
	t.Cleanup(keycloak.Close)
	t.Cleanup(wordpress.Close)
	t.Setenv("VAULT_CLIENT_SECRET", clientSecret)
	t.Setenv("VAULT_APP_PASSWORD", appPassword)
	return newDesk(t, fmt.Sprintf(`state: rollcall.db
directories:
  staff: {type: keycloak, url: %q, realm: acme, client_id: rollcall, client_secret: "${VAULT_CLIENT_SECRET}"}
  website: {type: wordpress, url: %q, username: rollcall, password: "${VAULT_APP_PASSWORD}"}
syncs:
  web: {source: staff, target: website, attributes: {username: username, email: email}}
`, keycloak.URL, wordpress.URL), 0)
}

// allCommands are run one after the other, each with debug logs and a trace.
var allCommands = []string{
	"check", "check --json", "plan", "plan --json", "import web", "sync", "sync --account anna", "explain anna", "explain anna --json", "explain --offline anna",
	"link web anna anna", "unlink web anna", "history", "history --json", "history --account anna --json",
}

func (d *desk) runAll(t *testing.T, v *vault) string {
	t.Helper()
	trace := d.path("trace.txt")
	for _, command := range allCommands {
		var stdout, stderr bytes.Buffer
		args := append(strings.Fields(command), "--config", d.path("rollcall.yaml"), "--log-level", "debug", "--trace", trace)
		atOnce := func(ctx context.Context, _ time.Duration) error { return ctx.Err() }
		execute(t.Context(), &app{args: args, in: strings.NewReader(""), out: &stdout, err: &stderr, sleep: atOnce})
		if places := v.leaks(t, d.folder, stdout.String(), stderr.String()); len(places) > 0 {
			t.Fatalf("%s leaks: %s\n%s\n%s", command, strings.Join(places, "; "), stdout.String(), stderr.String())
		}
	}
	data, err := os.ReadFile(trace)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func TestNoCommandLeaksASecret(t *testing.T) {
	v := &vault{}
	d := newVaultDesk(t, v)
	trace := d.runAll(t, v)
	if v.created != 2 || len(v.passwords) != 2 || len(v.passwords[0]) < 12 {
		t.Fatalf("nobody was created, so that nothing was tested: %d, %q", v.created, v.passwords)
	}
	d.contains(trace, "/protocol/openid-connect/token", "/wp-json/wp/v2/users", "***")
}

func TestNoCommandLeaksASecretThatAServerRepeats(t *testing.T) {
	v := &vault{refuse: true}
	d := newVaultDesk(t, v)
	trace := d.runAll(t, v)
	d.contains(trace, "401", "***")
	d.run(context.Background(), exitAuth, "check")
	d.run(context.Background(), exitAuth, "sync")
}
