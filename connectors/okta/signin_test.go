package okta

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"maps"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rollcall-sync/rollcall/sync/directory"
	"github.com/rollcall-sync/rollcall/sync/directory/directorytest"
)

// appOptions are those of an app with the test's key, in the form in which Okta's console hands it out.
func appOptions(t testing.TB) map[string]any {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(testKey())
	if err != nil {
		t.Fatal(err)
	}
	return map[string]any{"token": nil, "client_id": "0oarollcall", "private_key": string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))}
}

func with(options map[string]any, more map[string]any) map[string]any {
	all := maps.Clone(options)
	maps.Copy(all, more)
	return all
}

func TestBothFormsOfAKeySignIn(t *testing.T) {
	t.Parallel()
	pkcs1 := string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(testKey())}))
	for name, key := range map[string]string{"PKCS #8": "", "PKCS #1": pkcs1, "in one line": strings.ReplaceAll(pkcs1, "\n", `\n`)} {
		f := newFake(t)
		options := appOptions(t)
		if key != "" {
			options["private_key"] = key
		}
		d := f.open(t, options)
		if all, _ := directorytest.Accounts(t, d, directory.ListRequest{}); len(all) != 1 || f.signIns != 1 {
			t.Errorf("%s: listed %d accounts with %d sign-ins", name, len(all), f.signIns)
		}
		if self, err := d.Self(t.Context()); err != nil || self != "" {
			t.Errorf("%s: an app is the user %q, %v", name, self, err)
		}
	}
}

func TestATokenIsFetchedOnceAndRenewedBeforeItsEnd(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	d := f.open(t, appOptions(t))
	for _, step := range []struct {
		later   time.Duration
		signIns int
	}{{0, 1}, {58 * time.Minute, 1}, {61 * time.Second, 2}, {time.Second, 2}} {
		f.mu.Lock()
		f.now = f.now.Add(step.later)
		f.mu.Unlock()
		var group sync.WaitGroup
		for range 4 {
			group.Go(func() {
				if _, err := d.ListGroups(t.Context(), directory.GroupListRequest{}); err != nil {
					t.Error(err)
				}
			})
		}
		group.Wait()
		if f.signIns != step.signIns {
			t.Errorf("%v later: %d sign-ins, want %d", step.later, f.signIns, step.signIns)
		}
	}
}

func TestATokenThatEndsInTheMiddleIsRenewedOnce(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	f.people(30, statusActive)
	d := f.open(t, with(appOptions(t), map[string]any{"page_size": 10}))
	f.intercept = func(_ http.ResponseWriter, r *http.Request, path string) bool {
		if path == "users" && r.URL.Query().Get("after") != "" && f.signIns == 1 {
			clear(f.bearers)
		}
		return false
	}
	if all, _ := directorytest.Accounts(t, d, directory.ListRequest{}); len(all) != 31 || f.signIns != 2 {
		t.Errorf("listed %d accounts with %d sign-ins, want 31 with 2", len(all), f.signIns)
	}
	f.intercept = func(http.ResponseWriter, *http.Request, string) bool { clear(f.bearers); return false }
	_, err := d.ListAccounts(t.Context(), directory.ListRequest{})
	wantError(t, err, directory.Auth, "DPoP")
	if f.signIns != 3 {
		t.Errorf("signed in %d times, want one more", f.signIns)
	}
}

func TestSignInsThatFail(t *testing.T) {
	t.Parallel()
	other, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	otherKey := string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(other)}))
	for _, test := range []struct {
		name    string
		options map[string]any
		prepare func(f *fake)
		kind    directory.ErrorKind
		remedy  string
	}{
		{"a token that expired", map[string]any{"token": "00another"}, nil, directory.Auth, "after 30 days without use"},
		{"another key", with(appOptions(t), map[string]any{"private_key": otherKey}), nil, directory.Auth, "Public keys"},
		{"another app", with(appOptions(t), map[string]any{"client_id": "0oaother"}), nil, directory.Auth, "check client_id"},
		{"a scope not granted to the app", with(appOptions(t), map[string]any{"scopes": []string{"okta.logs.read"}}), nil, directory.Auth, "Okta API Scopes"},
		{"a scope not asked for", appOptions(t), func(f *fake) { f.scopes = []string{usersManage, groupsManage, rolesRead, schemasRead} }, directory.Auth, "okta.users.read"},
		{"an API token without rights", nil, func(f *fake) { f.role = "read" }, directory.Auth, "Super Administrator"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			f := newFake(t)
			u := f.people(1, statusActive)[0]
			if test.prepare != nil {
				test.prepare(f)
			}
			if test.name == "a scope not asked for" {
				f.intercept = func(w http.ResponseWriter, r *http.Request, path string) bool {
					f.scopes = []string{rolesRead}
					return false
				}
			}
			d := f.open(t, test.options)
			_, err := d.ListAccounts(t.Context(), directory.ListRequest{})
			if test.name == "an API token without rights" {
				if err != nil {
					t.Fatal(err)
				}
				_, err = d.UpdateAccount(t.Context(), directory.UpdateRequest{ID: u.ID, Set: directory.Attributes{directory.Title: directory.Text("x")}})
			}
			wantError(t, err, test.kind, test.remedy)
		})
	}
}

func TestAnAppThatRequiresProofOfPossession(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	d := f.open(t, appOptions(t))
	handler := f.Config.Handler
	f.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/oauth2/v1/token" {
			reply(w, 400, map[string]string{"error": "invalid_dpop_proof", "error_description": "The DPoP proof JWT header is missing."})
			return
		}
		handler.ServeHTTP(w, r)
	})
	_, err := d.ListGroups(t.Context(), directory.GroupListRequest{})
	wantError(t, err, directory.Auth, "switch off Require Demonstrating Proof of Possession")
}

func TestOptionsThatCannotBe(t *testing.T) {
	t.Parallel()
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(ec)
	if err != nil {
		t.Fatal(err)
	}
	elliptical := string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
	f := newFake(t)
	for _, test := range []struct {
		options map[string]any
		option  string
		message string
	}{
		{map[string]any{"url": "acme.okta.com"}, "url", "an address such as"},
		{map[string]any{"url": "https://acme-admin.okta.com"}, "url", "https://acme.okta.com"},
		{map[string]any{"url": "https://acme.okta.com/app"}, "url", "without a path: https://acme.okta.com"},
		{map[string]any{"url": "https://me:pw@acme.okta.com"}, "url", "no user or password"},
		{map[string]any{"url": "http://acme.okta.com"}, "url", "begin with https"},
		{map[string]any{"token": nil}, "token", "is missing"},
		{map[string]any{"token": "SSWS 00abc"}, "token", "without SSWS"},
		{map[string]any{"client_id": "0oa"}, "token", "only one way"},
		{map[string]any{"token": nil, "client_id": "0oa"}, "private_key", "is missing"},
		{map[string]any{"token": nil, "private_key": "x"}, "client_id", "is missing"},
		{map[string]any{"token": nil, "client_id": "0oa", "private_key": "x"}, "private_key", "PEM"},
		{map[string]any{"token": nil, "client_id": "0oa", "private_key": elliptical}, "private_key", "RSA"},
		{map[string]any{"page_size": 201}, "page_size", "1 to 200"},
		{map[string]any{"rate_share": 0}, "rate_share", "1 to 100"},
		{map[string]any{"timeout": -time.Second}, "timeout", "longer than nothing"},
	} {
		_, err := open(f.settings(t, test.options))
		var fault *directory.OptionError
		if !errors.As(err, &fault) || fault.Option != test.option || !strings.Contains(fault.Message, test.message) {
			t.Errorf("%v: got %v, want %s with %q", test.options, err, test.option, test.message)
		}
	}
}

func TestTracesTellNoSecrets(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	s := f.settings(t, appOptions(t))
	var mu sync.Mutex
	var trace strings.Builder
	s.Trace = func(line string) { mu.Lock(); defer mu.Unlock(); trace.WriteString(line + "\n") }
	opened, err := open(s)
	if err != nil {
		t.Fatal(err)
	}
	d := opened.(*Directory)
	account, err := d.CreateAccount(t.Context(), directory.CreateRequest{Attributes: person(1), Status: directory.StatusActive})
	if err != nil {
		t.Fatal(err)
	}
	f.user(account.ID).Status = statusDeprovisioned
	if _, err := d.SetStatus(t.Context(), directory.StatusRequest{ID: account.ID, Status: directory.StatusActive}); err != nil {
		t.Fatal(err)
	}
	text := trace.String()
	for what, secret := range map[string]string{
		"the access token": "eyJ.bearer", "the assertion": f.assertions[0], "the password": f.users[1].password, "the activation link": "welcome/secret",
	} {
		if secret == "" || strings.Contains(text, secret) {
			t.Errorf("the trace tells %s %q", what, secret)
		}
	}
	if !strings.Contains(text, "lifecycle/activate") {
		t.Errorf("the trace lacks the call:\n%s", text)
	}
}
