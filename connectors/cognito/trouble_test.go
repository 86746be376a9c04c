package cognito

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-sync/rollcall/sync/directory"
)

// The answer is 400, and the SDK gives up after three tries. Requests are signed before they wait, and AWS takes a signature
// for five minutes; its clock here is a minute ahead of ours.
func TestAListingThatIsThrottledForMinutesFinishes(t *testing.T) {
	t.Parallel()
	f := newFake(t, byUsername)
	f.add("anna", nil)
	w := newWatch()
	f.clock = func() time.Time { return w.read().Add(time.Minute) }
	d := f.openAt(t, w, nil)
	start := w.read()
	throttled := 0
	f.whole = true
	f.intercept = func(rw http.ResponseWriter, _ *http.Request, action string, _ []byte) bool {
		if w.read().Sub(start) > 4*time.Minute+5*time.Second {
			return false
		}
		throttled++
		says(http.StatusBadRequest, "TooManyRequestsException", "Rate exceeded")(rw)
		return true
	}
	if all := list(t, d); len(all) != 1 {
		t.Errorf("%d users are listed", len(all))
	}
	if throttled < 4 || d.Requests() != int64(throttled)+1 {
		t.Errorf("%d throttled answers, %d requests", throttled, d.Requests())
	}
}

func TestThrottlingWithoutEnd(t *testing.T) {
	t.Parallel()
	f := newFake(t, byUsername)
	d := f.openAt(t, newWatch(), nil)
	for name, answer := range map[string]func(http.ResponseWriter){
		"by header": says(http.StatusBadRequest, "TooManyRequestsException", "Rate exceeded"),
		"by body": func(w http.ResponseWriter) {
			w.WriteHeader(http.StatusBadRequest)
			_, _ = w.Write([]byte(`{"__type":"com.amazonaws.cognito#ThrottlingException","message":"Rate exceeded"}`)) // the client has gone
		},
	} {
		f.answering("ListUsers", times(100, answer)...)
		_, err := d.ListAccounts(t.Context(), directory.ListRequest{})
		if e := wants(t, err, directory.Throttled); e.Wait <= 0 {
			t.Errorf("%s: no time to wait is told: %v", name, err)
		}
	}
}

// A full pool stays full; the SDK would repeat this refusal as it does a throttled one.
func TestAQuotaThatIsUsedUpIsNotWaitedFor(t *testing.T) {
	t.Parallel()
	f := newFake(t, byUsername)
	d := f.open(t, nil)
	f.answering("CreateGroup", times(3, says(http.StatusBadRequest, "LimitExceededException", "Group limit exceeded"))...)
	_, err := d.CreateGroup(t.Context(), "one-too-many")
	wants(t, err, directory.Invalid, "quota")
	if n := d.Requests(); n != 1 {
		t.Errorf("%d requests", n)
	}
}

// The SDK repeats every call that was answered 500 or not at all, creations too.
func TestAWriteWhoseAnswerIsLostIsSentOnce(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]func(http.ResponseWriter){
		"500": says(http.StatusInternalServerError, "InternalErrorException", "Something went wrong"), "503": says(http.StatusServiceUnavailable, "", ""),
		"no answer": breaksOff, "no user in it": tells(`{}`), "no JSON": tells(`<html>`), "an HTML page": func(w http.ResponseWriter) { http.Error(w, "<html>", http.StatusBadGateway) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFake(t, byUsername)
			d := f.open(t, nil)
			f.answering("AdminCreateUser", times(9, answer)...)
			_, err := d.CreateAccount(t.Context(), directory.CreateRequest{Attributes: account(byUsername)(1), Status: directory.StatusActive})
			wants(t, err, directory.UnknownOutcome)
			if n := f.calls()["AdminCreateUser"]; n != 1 {
				t.Errorf("the creation was sent %d times", n)
			}
		})
	}
}

// What may be sent twice is.
func TestReadsAndSwitchesAreRepeated(t *testing.T) {
	t.Parallel()
	f := newFake(t, byUsername)
	u := f.add("anna", nil)
	f.addGroup("editors")
	d := f.open(t, nil)
	for _, c := range []struct {
		action string
		call   func() error
	}{
		{"ListUsers", func() error { _, err := d.ListAccounts(t.Context(), directory.ListRequest{}); return err }},
		{"AdminGetUser", func() error { _, err := d.GetAccount(t.Context(), u.sub); return err }},
		{"AdminDisableUser", func() error {
			_, err := d.SetStatus(t.Context(), directory.StatusRequest{ID: u.sub, Status: directory.StatusInactive})
			return err
		}},
		{"AdminAddUserToGroup", func() error {
			return d.ChangeGroups(t.Context(), directory.GroupsRequest{Account: u.sub, Add: []string{"editors"}})
		}},
	} {
		f.calls()
		f.answering(c.action, breaksOff, says(http.StatusInternalServerError, "InternalErrorException", ""))
		if err := c.call(); err != nil {
			t.Errorf("%s: %v", c.action, err)
		}
		if n := f.calls()[c.action]; n != 3 {
			t.Errorf("%s was sent %d times", c.action, n)
		}
	}
}

func TestRefusalsSayWhatToDo(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		options map[string]any
		spoil   func(f *fake)
		kind    directory.ErrorKind
		words   []string
	}{
		"wrong pool":   {options: map[string]any{"user_pool_id": "eu-central-1_Other"}, kind: directory.Auth, words: []string{"eu-central-1_Other does not exist", "check user_pool_id"}},
		"wrong key":    {options: map[string]any{"access_key_id": "AKIAOTHER"}, kind: directory.Auth, words: []string{"check access_key_id"}},
		"wrong secret": {options: map[string]any{"secret_access_key": "other"}, kind: directory.Auth, words: []string{"check secret_access_key"}},
		"expired token": {
			options: map[string]any{"session_token": "old"}, spoil: func(f *fake) { f.session = "new" }, kind: directory.Auth,
			words: []string{"temporary credentials have ended"},
		},
		"missing right": {
			spoil: func(f *fake) { f.denied["ListUsers"] = true }, kind: directory.Auth,
			words: []string{"user/rollcall is not authorized", "allow cognito-idp:ListUsers on arn:aws:cognito-idp:eu-central-1:*:userpool/" + fakePool},
		},
		"wrong clock": {
			spoil: func(f *fake) { f.clock = func() time.Time { return time.Now().Add(20 * time.Minute) } }, kind: directory.Auth,
			words: []string{"clock"},
		},
		"firewall": {
			spoil: func(f *fake) {
				f.answering("ListUsers", says(http.StatusForbidden, "ForbiddenException", "Request not allowed"))
			}, kind: directory.Auth, words: []string{"WAF"},
		},
		"proxy": {
			spoil: func(f *fake) {
				f.answering("ListUsers", func(w http.ResponseWriter) { http.Error(w, "<html>", http.StatusForbidden) })
			},
			kind: directory.Retryable, words: []string{"403", "proxy"},
		},
		"server down": {
			spoil: func(f *fake) {
				f.answering("ListUsers", times(99, says(http.StatusInternalServerError, "InternalErrorException", "Oops"))...)
			},
			kind: directory.Retryable, words: []string{"Oops"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFake(t, byUsername)
			d := f.open(t, c.options)
			if c.spoil != nil {
				c.spoil(f)
			}
			_, err := d.ListAccounts(t.Context(), directory.ListRequest{})
			wants(t, err, c.kind, c.words...)
			for _, secret := range []string{fakeSecret, "other", "old"} {
				if strings.Contains(err.Error(), `"`+secret) {
					t.Errorf("the error holds a secret: %v", err)
				}
			}
		})
	}
}

// A missing pool is no proof that a group or a user is gone.
func TestAWrongPoolProvesNothing(t *testing.T) {
	t.Parallel()
	f := newFake(t, byUsername)
	d := f.open(t, map[string]any{"user_pool_id": "eu-central-1_Other"})
	_, err := d.ListMembers(t.Context(), directory.MemberListRequest{Group: "editors"})
	wants(t, err, directory.Auth)
	_, err = d.GetAccount(t.Context(), newSub())
	wants(t, err, directory.Auth)
	wants(t, d.ChangeGroups(t.Context(), directory.GroupsRequest{Account: newSub(), Add: []string{"editors"}}), directory.Auth)
}

func TestWhatIsTracedHoldsNoSecret(t *testing.T) {
	t.Parallel()
	f := newFake(t, byUsername)
	f.session = "a session token"
	s := f.settings(t, map[string]any{"session_token": f.session})
	var lines []string
	s.Trace = func(line string) { lines = append(lines, line) }
	d, err := open(s)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.ListAccounts(t.Context(), directory.ListRequest{}); err != nil {
		t.Fatal(err)
	}
	text := strings.Join(lines, "\n")
	if !strings.Contains(text, "ListUsers") {
		t.Errorf("the trace does not tell the call:\n%s", text)
	}
	for _, secret := range []string{fakeSecret, f.session, "Signature="} {
		if strings.Contains(text, secret) {
			t.Errorf("the trace holds %q:\n%s", secret, text)
		}
	}
}

func TestOptionsAreChecked(t *testing.T) {
	t.Parallel()
	f := newFake(t, byUsername)
	for name, c := range map[string]struct {
		options map[string]any
		want    string
	}{
		"a name for an id":      {map[string]any{"user_pool_id": "people"}, "user_pool_id: must be an id"},
		"another region":        {map[string]any{"region": "us-east-1"}, "region: is us-east-1"},
		"a key alone":           {map[string]any{"secret_access_key": ""}, "secret_access_key: is missing"},
		"a secret alone":        {map[string]any{"access_key_id": ""}, "access_key_id: is missing"},
		"a token alone":         {map[string]any{"access_key_id": "", "secret_access_key": "", "session_token": "x"}, "session_token: belongs"},
		"key and profile":       {map[string]any{"profile": "x"}, "profile: is given beside"},
		"http elsewhere":        {map[string]any{"endpoint": "http://cognito.example.com"}, "endpoint: must be https"},
		"a path":                {map[string]any{"endpoint": "https://cognito.example.com/x"}, "endpoint: must hold"},
		"no address":            {map[string]any{"endpoint": "cognito.example.com"}, "endpoint: must be an address"},
		"no rate":               {map[string]any{"rate": 0}, "rate: must be"},
		"no time":               {map[string]any{"timeout": time.Duration(0)}, "timeout: must be"},
		"an odd name":           {map[string]any{"attributes": map[string]string{"colour": "custom:colour"}}, "attributes: colour"},
		"a fixed name":          {map[string]any{"attributes": map[string]string{"email": "custom:mail"}}, "attributes: email"},
		"a fixed attribute":     {map[string]any{"attributes": map[string]string{"title": "sub"}}, "attributes: title"},
		"one attribute for two": {map[string]any{"attributes": map[string]string{"title": "custom:x", "department": "custom:x"}}, "attributes: custom:x"},
	} {
		_, err := open(f.settings(t, c.options))
		var fault *directory.OptionError
		if !errors.As(err, &fault) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", name, err, c.want)
		}
	}
	for _, endpoint := range []string{"", "https://vpce-1.cognito-idp.eu-central-1.vpce.amazonaws.com/", "http://localhost:4566", "http://[::1]:5000"} {
		if _, err := open(f.settings(t, map[string]any{"endpoint": endpoint})); err != nil {
			t.Errorf("endpoint %q: %v", endpoint, err)
		}
	}
	if f.calls()["DescribeUserPool"] != 0 {
		t.Error("opening sends requests")
	}
}
