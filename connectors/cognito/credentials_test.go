package cognito

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/rollcall-sync/rollcall/sync/directory"
)

// alone takes everything from the environment that the chain would find.
func alone(t *testing.T) {
	t.Helper()
	none := filepath.Join(t.TempDir(), "none")
	for name, value := range map[string]string{
		"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": "", "AWS_SESSION_TOKEN": "", "AWS_PROFILE": "", "AWS_REGION": "", "AWS_DEFAULT_REGION": "",
		"AWS_CONTAINER_CREDENTIALS_FULL_URI": "", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI": "", "AWS_WEB_IDENTITY_TOKEN_FILE": "", "AWS_ROLE_ARN": "",
		"AWS_EC2_METADATA_DISABLED": "true", "AWS_CONFIG_FILE": none, "AWS_SHARED_CREDENTIALS_FILE": none, "AWS_ENDPOINT_URL": "", "HOME": t.TempDir(),
	} {
		t.Setenv(name, value)
	}
}

var fromChain = map[string]any{"access_key_id": "", "secret_access_key": ""}

func TestCredentialsOfTheEnvironment(t *testing.T) {
	alone(t)
	t.Setenv("AWS_ACCESS_KEY_ID", fakeKey)
	t.Setenv("AWS_SECRET_ACCESS_KEY", fakeSecret)
	// What else the SDK would read there must not lead the requests elsewhere or repeat them.
	t.Setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
	t.Setenv("AWS_MAX_ATTEMPTS", "7")
	f := newFake(t, byUsername)
	if _, err := f.open(t, fromChain).ListAccounts(t.Context(), directory.ListRequest{}); err != nil {
		t.Error(err)
	}
}

func TestCredentialsOfAProfile(t *testing.T) {
	alone(t)
	file := filepath.Join(t.TempDir(), "credentials")
	text := fmt.Sprintf("[default]\naws_access_key_id = AKIAOTHER\naws_secret_access_key = x\n[rollcall]\naws_access_key_id = %s\naws_secret_access_key = %s\n", fakeKey, fakeSecret)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", file)
	f := newFake(t, byUsername)
	options := map[string]any{"access_key_id": "", "secret_access_key": "", "profile": "rollcall"}
	if _, err := f.open(t, options).ListAccounts(t.Context(), directory.ListRequest{}); err != nil {
		t.Error(err)
	}
	options["profile"] = "rolcall"
	d := f.open(t, options)
	_, err := d.ListAccounts(t.Context(), directory.ListRequest{})
	wants(t, err, directory.Auth, "rolcall")
	if d.Requests() != 0 {
		t.Error("a request was sent without credentials")
	}
}

func TestNoCredentialsAtAll(t *testing.T) {
	alone(t)
	f := newFake(t, byUsername)
	d := f.open(t, fromChain)
	_, err := d.CreateAccount(t.Context(), directory.CreateRequest{Attributes: account(byUsername)(1), Status: directory.StatusActive})
	wants(t, err, directory.Auth, "no AWS credentials", "access_key_id")
	if d.Requests() != 0 {
		t.Error("a request was sent without credentials")
	}
}

// container plays the address from which a task gets its role's keys.
func container(t *testing.T, session func() string) *int {
	t.Helper()
	asked := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		asked++
		fmt.Fprintf(w, `{"AccessKeyId":%q,"SecretAccessKey":%q,"Token":%q,"Expiration":%q}`, fakeKey, fakeSecret, session(), time.Now().Add(time.Hour).UTC().Format(time.RFC3339))
	}))
	t.Cleanup(server.Close)
	t.Setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", server.URL)
	return &asked
}

// A role's session can end before its time (it was revoked); the chain is then asked once more.
func TestASessionThatEndedIsRenewedOnce(t *testing.T) {
	alone(t)
	session := "first"
	asked := container(t, func() string { return session })
	f := newFake(t, byUsername)
	f.session = "first"
	d := f.open(t, fromChain)
	for range 3 {
		if _, err := d.ListAccounts(t.Context(), directory.ListRequest{}); err != nil {
			t.Fatal(err)
		}
	}
	if *asked != 1 {
		t.Errorf("the container was asked %d times for three calls", *asked)
	}
	session, f.session = "second", "second"
	if _, err := create(t, d, byUsername, nil); err != nil {
		t.Error(err)
	}
	f.session = "third"
	f.calls()
	_, err := d.ListAccounts(t.Context(), directory.ListRequest{})
	wants(t, err, directory.Auth, "temporary credentials have ended")
	if n := f.calls()["ListUsers"]; n != 2 || *asked != 3 {
		t.Errorf("%d calls with credentials that stay refused; the container was asked %d times", n, *asked)
	}
}
