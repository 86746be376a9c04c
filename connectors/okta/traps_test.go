package okta

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	sdk "github.com/okta/okta-sdk-golang/v2/okta"

	"github.com/rollcall-sync/rollcall/sync/directory"
	"github.com/rollcall-sync/rollcall/sync/directory/directorytest"
)

// Each test here is of a trap that okta-sdk-golang v2.20.0 sets by its defaults. It first shows that the trap is there, with
// a client made as the SDK's own guide says, and then that a directory does not fall into it; so it also tells when a later
// version of the SDK has mended one.

// plainSDK is a client with nothing set but address and token. base, where not nil, sends its requests.
func plainSDK(t *testing.T, address string, base http.RoundTripper) *sdk.Client {
	t.Helper()
	setters := []sdk.ConfigSetter{sdk.WithOrgUrl(address), sdk.WithToken("00secretTokenOfRollcall"), sdk.WithTestingDisableHttpsCheck(true)}
	if base != nil {
		setters = append(setters, sdk.WithHttpClientPtr(&http.Client{Transport: base}))
	}
	_, client, err := sdk.NewClient(t.Context(), setters...)
	if err != nil {
		t.Fatal(err)
	}
	return client
}

func TestTrapTheCache(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	client := plainSDK(t, f.URL, nil)
	for range 3 {
		if _, _, err := client.User.ListUsers(t.Context(), nil); err != nil {
			t.Fatal(err)
		}
		f.mu.Lock()
		f.people(1, statusActive)
		f.mu.Unlock()
	}
	if n := f.requests()["GET users"]; n != 1 {
		t.Errorf("the SDK sent %d requests for three lists, and was seen to send one", n)
	}
	d := f.open(t, nil)
	f.forget()
	for n := range 3 {
		page, err := d.ListAccounts(t.Context(), directory.ListRequest{})
		if err != nil || len(page.Accounts) != 4+n {
			t.Errorf("listing %d has %d accounts, %v, want %d", n, len(page.Accounts), err, 4+n)
		}
		f.mu.Lock()
		f.people(1, statusActive)
		f.mu.Unlock()
	}
	if n := f.requests()["GET users"]; n != 3 {
		t.Errorf("%d requests for three lists", n)
	}
}

// throttle answers the first n requests for users with 429.
func throttle(f *fake, n int, header func(h http.Header)) *atomic.Int64 {
	var seen atomic.Int64
	f.intercept = func(w http.ResponseWriter, _ *http.Request, path string) bool {
		if path != "users" || seen.Add(1) > int64(n) {
			return false
		}
		header(w.Header())
		fail(w, 429, "E0000047", "API call exceeded rate limit due to too many requests.")
		return true
	}
	return &seen
}

func TestTrapThrottlingEndsAfterTwoRetries(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	past := func(h http.Header) { // a Reset that is over: the SDK rests for no time at all
		h.Set(limitHeader, "600")
		h.Set(remainingHeader, "0")
		h.Set(resetHeader, fmt.Sprint(f.now.Unix()-1))
	}
	seen := throttle(f, 6, past)
	if _, _, err := plainSDK(t, f.URL, nil).User.ListUsers(t.Context(), nil); err == nil || seen.Load() != 3 {
		t.Errorf("the SDK sent %d requests, %v, and was seen to give up after three", seen.Load(), err)
	}
	seen = throttle(f, 6, past)
	if _, err := f.open(t, nil).ListAccounts(t.Context(), directory.ListRequest{}); err != nil || seen.Load() != 7 {
		t.Errorf("%d requests, %v, want the seventh to do", seen.Load(), err)
	}
}

func TestTrapThrottlingWithoutATime(t *testing.T) {
	t.Parallel()
	for name, header := range map[string]func(h http.Header){
		"no Reset":               func(http.Header) {},
		"too many side by side":  func(h http.Header) { h.Set(limitHeader, "0"); h.Set(remainingHeader, "0"); h.Set(resetHeader, "soon") },
		"a Reset that is a word": func(h http.Header) { h.Set(resetHeader, "soon") },
	} {
		f := newFake(t)
		seen := throttle(f, 3, header)
		if _, _, err := plainSDK(t, f.URL, nil).User.ListUsers(t.Context(), nil); err == nil || seen.Load() != 1 {
			t.Errorf("%s: the SDK sent %d requests, %v, and was seen to give up at once", name, seen.Load(), err)
		}
		seen = throttle(f, 3, header)
		if _, err := f.open(t, nil).ListAccounts(t.Context(), directory.ListRequest{}); err != nil || seen.Load() != 4 {
			t.Errorf("%s: %d requests, %v, want the fourth to do", name, seen.Load(), err)
		}
	}
}

func TestTrapServerErrorsAreNotRetried(t *testing.T) {
	t.Parallel()
	for _, status := range []int{500, 502, 503, 504} {
		f := newFake(t)
		var seen atomic.Int64
		f.intercept = func(w http.ResponseWriter, _ *http.Request, path string) bool {
			if path != "users" || seen.Add(1) > 2 {
				return false
			}
			http.Error(w, "<html>", status)
			return true
		}
		_, _, err := plainSDK(t, f.URL, nil).User.ListUsers(t.Context(), nil)
		if err == nil || seen.Load() != 1 || !strings.Contains(err.Error(), "unknown error") && status != 500 {
			t.Errorf("%d: the SDK sent %d requests, %v, and was seen to send one and to know no reason", status, seen.Load(), err)
		}
		seen.Store(0)
		if _, err := f.open(t, nil).ListAccounts(t.Context(), directory.ListRequest{}); err != nil || seen.Load() < 3 {
			t.Errorf("%d: %d requests, %v, want the third to do", status, seen.Load(), err)
		}
	}
}

func TestTrapABrokenConnectionIsTriedForEver(t *testing.T) {
	t.Parallel()
	var seen atomic.Int64
	cut := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		seen.Add(1)
		connection, _, err := w.(http.Hijacker).Hijack()
		if err == nil {
			_ = connection.Close()
		}
	}))
	t.Cleanup(cut.Close)
	ctx, cancel := context.WithCancel(t.Context())
	enough := roundTripper(func(req *http.Request) (*http.Response, error) {
		if seen.Load() >= 50 {
			cancel()
		}
		return http.DefaultTransport.RoundTrip(req)
	})
	if _, _, err := plainSDK(t, cut.URL, enough).User.ListUsers(ctx, nil); err == nil || seen.Load() < 50 {
		t.Errorf("the SDK sent %d requests, %v, and was seen to go on until it is told to end", seen.Load(), err)
	}
	seen.Store(0)
	ctx, cancel = context.WithCancel(t.Context())
	defer cancel()
	s := newFake(t).settings(t, map[string]any{"url": cut.URL})
	s.Base = enough
	d, err := open(s)
	if err != nil {
		t.Fatal(err)
	}
	_, err = d.(*Directory).ListGroups(ctx, directory.GroupListRequest{})
	wantError(t, err, directory.Retryable, "")
	if n := seen.Load(); n != 5 {
		t.Errorf("%d requests on a connection that breaks off, want the transport's five", n)
	}
}

type roundTripper func(*http.Request) (*http.Response, error)

func (r roundTripper) RoundTrip(req *http.Request) (*http.Response, error) { return r(req) }

func TestTrapNoTimeout(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	var limited []bool
	watch := roundTripper(func(req *http.Request) (*http.Response, error) {
		_, ok := req.Context().Deadline()
		limited = append(limited, ok)
		return http.DefaultTransport.RoundTrip(req)
	})
	ctx := context.WithoutCancel(t.Context())
	if _, _, err := plainSDK(t, f.URL, watch).User.ListUsers(ctx, nil); err != nil || limited[0] {
		t.Errorf("the SDK bounds a request: %t, %v, and was seen not to", limited[0], err)
	}
	limited = nil
	s := f.settings(t, nil)
	s.Base = watch
	d, err := open(s)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.ListAccounts(ctx, directory.ListRequest{}); err != nil {
		t.Fatal(err)
	}
	for n, ok := range limited {
		if !ok {
			t.Errorf("request %d has no time limit", n)
		}
	}
}

// merging is a proxy that joins header lines.
func merging(req *http.Request) (*http.Response, error) {
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err == nil && len(resp.Header.Values("Link")) > 0 {
		resp.Header.Set("Link", strings.Join(resp.Header.Values("Link"), ", "))
	}
	return resp, err
}

func TestTrapLinksInOneLine(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	f.people(450, statusActive)
	_, resp, err := plainSDK(t, f.URL, roundTripper(merging)).User.ListUsers(t.Context(), nil)
	if err != nil || resp.NextPage != resp.Self && strings.Contains(resp.NextPage, "after") {
		t.Errorf("the SDK reads %q after %q, %v, and was seen to read the page itself", resp.NextPage, resp.Self, err)
	}
	s := f.settings(t, nil)
	s.Base = roundTripper(merging)
	d, err := open(s)
	if err != nil {
		t.Fatal(err)
	}
	if all, pages := directorytest.Accounts(t, d.(*Directory), directory.ListRequest{}); len(all) != 451 || pages != 4 {
		t.Errorf("listed %d accounts in %d pages, want 451 in 4", len(all), pages)
	}
}

func TestTrapALinkThatIsNoAddress(t *testing.T) {
	t.Parallel()
	for link, good := range map[string]bool{
		`<%zz>; rel="next"`: false, `<%zz>; rel="help"`: true, `; rel="next"`: false, `<https://elsewhere.example.com/steal?after=1>; rel="next"`: false,
	} {
		f := newFake(t)
		s := f.settings(t, nil)
		s.Base = roundTripper(func(req *http.Request) (*http.Response, error) {
			resp, err := http.DefaultTransport.RoundTrip(req)
			if err == nil && req.URL.Path == "/api/v1/groups" {
				resp.Header.Set("Link", link)
			}
			return resp, err
		})
		if strings.Contains(link, "zz") && !panics(func() { _, _, _ = plainSDK(t, f.URL, s.Base).Group.ListGroups(t.Context(), nil) }) {
			t.Errorf("the SDK reads %s, and was seen to panic", link)
		}
		d, err := open(s)
		if err != nil {
			t.Fatal(err)
		}
		page, err := d.(*Directory).ListGroups(t.Context(), directory.GroupListRequest{})
		switch {
		case good && (err != nil || page.Next != ""):
			t.Errorf("%s: got the next page %q, %v", link, page.Next, err)
		case !good:
			wantError(t, err, directory.Retryable, "")
		}
	}
}

func panics(call func()) (did bool) {
	defer func() { did = recover() != nil }()
	call()
	return false
}

func TestTrapPagesDecodedIntoEachOther(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	people := f.people(3, statusActive)
	people[0].Profile["costCenter"] = "K-1"
	client := plainSDK(t, f.URL, nil)
	executor := client.CloneRequestExecutor()
	req, err := executor.NewRequest(http.MethodGet, "/api/v1/users?limit=2", nil)
	if err != nil {
		t.Fatal(err)
	}
	var users []*sdk.User
	resp, err := executor.Do(t.Context(), req, &users)
	if err != nil {
		t.Fatal(err)
	}
	second := users[1]
	if _, err := resp.Next(t.Context(), &users); err != nil {
		t.Fatal(err)
	}
	if second.Id != people[2].ID || (*second.Profile)["costCenter"] != "K-1" {
		t.Errorf("the SDK's second user is %s with %v, and was seen to become the fourth with its own attributes", second.Id, *second.Profile)
	}
	all, _ := directorytest.Accounts(t, f.open(t, map[string]any{"page_size": 2}), directory.ListRequest{})
	for i, account := range all {
		if want := f.users[i].ID; account.ID != want {
			t.Errorf("account %d is %s, want %s", i, account.ID, want)
		}
		if _, has := account.Attributes["custom.costCenter"]; has != (i == 1) {
			t.Errorf("account %d has a cost centre: %t", i, has)
		}
	}
}

func TestTrapAFullUpdateEmptiesTheRest(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	u := f.people(1, statusActive)[0]
	u.Profile["costCenter"] = "K-1"
	profile := sdk.UserProfile{"login": u.Profile["login"], "email": u.Profile["email"], "firstName": "Anna", "lastName": "Example", "title": "Editor"}
	if _, _, err := plainSDK(t, f.URL, nil).User.UpdateUser(t.Context(), u.ID, sdk.User{Profile: &profile}, nil); err != nil || u.Profile["costCenter"] != nil {
		t.Errorf("the SDK's UpdateUser leaves %v, %v, and was seen to empty it", u.Profile["costCenter"], err)
	}
	u.Profile["costCenter"] = "K-1"
	set := directory.Attributes{directory.Title: directory.Text("Chief"), "custom.rcFavouriteColour": {}}
	account, err := f.open(t, nil).UpdateAccount(t.Context(), directory.UpdateRequest{ID: u.ID, Set: set})
	if err != nil || u.Profile["costCenter"] != "K-1" || u.Profile["title"] != "Chief" || account.Attributes.Text("custom.costCenter") != "K-1" {
		t.Errorf("an update leaves %v, %v", u.Profile, err)
	}
}

func TestTrapNumbersLoseDigits(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	u := f.people(1, statusActive)[0]
	u.Profile["badgeNo"] = json.Number("12345678901234567")
	user, _, err := plainSDK(t, f.URL, nil).User.GetUser(t.Context(), u.ID)
	if err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprintf("%.0f", (*user.Profile)["badgeNo"]); got == "12345678901234567" {
		t.Errorf("the SDK reads %s, and was seen to lose a digit", got)
	}
	account, err := f.open(t, nil).GetAccount(t.Context(), u.ID)
	if got := account.Attributes.Text("custom.badgeNo"); err != nil || got != "12345678901234567" {
		t.Errorf("got %s, %v", got, err)
	}
}

func TestTrapSettingsFromTheEnvironment(t *testing.T) {
	f := newFake(t)
	t.Setenv("OKTA_CLIENT_TOKEN", "00another")
	t.Setenv("OKTA_CLIENT_ORGURL", "https://another.example.com")
	t.Setenv("OKTA_CLIENT_AUTHORIZATIONMODE", "Bearer")
	t.Setenv("OKTA_CLIENT_CACHE_ENABLED", "true")
	t.Setenv("OKTA_CLIENT_RATE_LIMIT_MAX_RETRIES", "7")
	_, client, err := sdk.NewClient(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if got := client.GetConfig().Okta.Client; got.Token != "00another" || got.RateLimit.MaxRetries != 7 {
		t.Errorf("the SDK takes %q and %d retries, and was seen to take them from the environment", got.Token, got.RateLimit.MaxRetries)
	}
	d := f.open(t, nil)
	if all, _ := directorytest.Accounts(t, d, directory.ListRequest{}); len(all) != 1 {
		t.Errorf("listed %d accounts, want the fake's one", len(all))
	}
	ours := d.sdk.GetConfig().Okta.Client
	if ours.Token != f.token || ours.OrgUrl != f.URL || ours.AuthorizationMode != "SSWS" || ours.Cache.Enabled || ours.RateLimit.MaxRetries != 0 {
		t.Errorf("settings came from the environment: %+v", ours)
	}
}

// The SDK's own sign-in is told no context, so a run that is over goes on waiting for it, and puts the signed statement
// into the address, where logs keep it.
func TestTrapTheSignInOfTheSDK(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	options := appOptions(t)
	key, err := rsaKey(options["private_key"].(string))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var addresses []string
	watch := roundTripper(func(req *http.Request) (*http.Response, error) {
		addresses = append(addresses, req.URL.String())
		return http.DefaultTransport.RoundTrip(req)
	})
	_, client, err := sdk.NewClient(t.Context(), sdk.WithOrgUrl(f.URL), sdk.WithTestingDisableHttpsCheck(true), sdk.WithAuthorizationMode("PrivateKey"),
		sdk.WithClientId("0oarollcall"), sdk.WithScopes([]string{usersManage}), sdk.WithPrivateKey(key), sdk.WithHttpClientPtr(&http.Client{Transport: watch}))
	if err != nil {
		t.Fatal(err)
	}
	_, _, _ = client.User.ListUsers(ctx, nil)
	if len(addresses) == 0 || !strings.Contains(addresses[0], "client_assertion=") {
		t.Errorf("the SDK sent %q after the end, and was seen to send its assertion in the address", addresses)
	}
	addresses = nil
	s := f.settings(t, options)
	s.Base = watch
	d, err := open(s)
	if err != nil {
		t.Fatal(err)
	}
	_, err = d.ListAccounts(ctx, directory.ListRequest{})
	if wantError(t, err, directory.Retryable, ""); len(addresses) != 0 {
		t.Errorf("%q was sent after the end", addresses)
	}
	if _, err := d.ListAccounts(t.Context(), directory.ListRequest{}); err != nil || strings.Contains(strings.Join(addresses, " "), "assertion") {
		t.Errorf("sent %q, %v", addresses, err)
	}
}
