package okta

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-sync/rollcall/sync/directory"
	"github.com/rollcall-sync/rollcall/sync/directory/directorytest"
)

func TestAnAddressThatIsNoOrg(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]http.HandlerFunc{
		"a page":         func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("<html>Sign in</html>")) },
		"a missing page": http.NotFound,
		"no such org": func(w http.ResponseWriter, _ *http.Request) {
			reply(w, 404, map[string]string{"errorSummary": "not found"})
		},
	} {
		server := httptest.NewServer(answer)
		t.Cleanup(server.Close)
		d := newFake(t).open(t, map[string]any{"url": server.URL})
		_, err := d.ListAccounts(t.Context(), directory.ListRequest{})
		wantError(t, err, directory.Retryable, "check")
		_, err = d.GetAccount(t.Context(), "00u00000000000000001")
		e := wantError(t, err, directory.Retryable, "url")
		if !strings.Contains(e.Remedy, "org") {
			t.Errorf("%s: the remedy %q does not say what url has to be", name, e.Remedy)
		}
	}
}

// Only Okta's own words are proof that somebody is gone.
func TestNotFoundIsProvenByOktaAlone(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		code, summary string
		kind          directory.ErrorKind
	}{
		{codeNotFound, "Not found: Resource not found: 00ux (User)", directory.NotFound},
		{codeNotFound, "Not found: Resource not found: acme (Organization)", directory.Retryable},
		{codeNotFound, "Not found: Resource not found: 00gx (UserGroup)", directory.Retryable},
		{"E0000000", "Not found: Resource not found: 00ux (User)", directory.Retryable},
	} {
		f := newFake(t)
		f.intercept = func(w http.ResponseWriter, _ *http.Request, _ string) bool {
			fail(w, 404, test.code, test.summary)
			return true
		}
		_, err := f.open(t, nil).GetAccount(t.Context(), "00ux")
		wantError(t, err, test.kind, "")
	}
}

func TestALinkThatExpiresInTheMiddle(t *testing.T) {
	t.Parallel()
	for _, status := range []int{400, 410} {
		f := newFake(t)
		f.people(450, statusActive)
		d := f.open(t, nil)
		page, err := d.ListAccounts(t.Context(), directory.ListRequest{})
		if err != nil {
			t.Fatal(err)
		}
		clear(f.links) // 400: the fake knows the link no longer
		if status == 410 {
			f.intercept = func(w http.ResponseWriter, r *http.Request, _ string) bool {
				if !r.URL.Query().Has("after") {
					return false
				}
				http.Error(w, "gone", status)
				return true
			}
		}
		_, err = d.ListAccounts(t.Context(), directory.ListRequest{Cursor: page.Next})
		wantError(t, err, directory.Retryable, "begin anew")
	}
}

func TestAPageThatIsItsOwnNext(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	f.intercept = func(w http.ResponseWriter, r *http.Request, path string) bool {
		if path != "users" {
			return false
		}
		w.Header().Add("Link", "<"+f.URL+r.URL.RequestURI()+`>; rel="next"`)
		reply(w, 200, []any{})
		return true
	}
	_, err := f.open(t, nil).ListAccounts(t.Context(), directory.ListRequest{})
	wantError(t, err, directory.Retryable, "")
}

func TestAnswersThatAreNoList(t *testing.T) {
	t.Parallel()
	for _, body := range []string{"null", "", "{}", `[{"id":`} {
		f := newFake(t)
		f.intercept = func(w http.ResponseWriter, _ *http.Request, path string) bool {
			if path != "users" {
				return false
			}
			w.Header().Set("Content-Type", "application/json")
			_, _ = w.Write([]byte(body))
			return true
		}
		_, err := f.open(t, nil).ListAccounts(t.Context(), directory.ListRequest{})
		wantError(t, err, directory.Retryable, "")
	}
}

func TestThrottledForMinutes(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	until := f.now.Add(3 * time.Minute)
	f.intercept = func(w http.ResponseWriter, _ *http.Request, path string) bool {
		if path != "users" || !f.now.Before(until) {
			return false
		}
		f.turn()
		f.used[""] = 600 // other applications use everything up
		return false
	}
	if all, _ := directorytest.Accounts(t, f.open(t, nil), directory.ListRequest{}); len(all) != 1 {
		t.Errorf("listed %d accounts", len(all))
	}
	for _, rest := range f.slept {
		if rest > 62*time.Second {
			t.Errorf("rested %v, longer than Okta asked for", rest)
		}
	}
	if n := f.requests()["GET users"]; n > 6 {
		t.Errorf("%d requests in three minutes of being told to wait", n)
	}
	until = f.now.Add(time.Hour)
	_, err := f.open(t, nil).ListAccounts(t.Context(), directory.ListRequest{})
	if e := wantError(t, err, directory.Throttled, ""); e.Wait <= 0 || e.Wait > 62*time.Second {
		t.Errorf("the error says to wait %v", e.Wait)
	}
}

// The limit is never met: half of it is left to others.
func TestLimitsAreHeededBeforeTheyBite(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ share, most int }{{50, 10}, {100, 20}, {10, 2}} {
		f := newFake(t)
		f.people(59, statusActive)
		f.limits["GET users"] = 20
		most, refused := 0, 0
		f.intercept = func(_ http.ResponseWriter, _ *http.Request, path string) bool {
			if path == "users" {
				if f.now.Sub(f.minute) >= time.Minute {
					most = max(most, f.used["GET users"])
				}
				if f.used["GET users"] >= 20 && f.now.Sub(f.minute) < time.Minute {
					refused++
				}
			}
			return false
		}
		d := f.open(t, map[string]any{"page_size": 2, "rate_share": test.share})
		if all, _ := directorytest.Accounts(t, d, directory.ListRequest{}); len(all) != 60 {
			t.Errorf("listed %d accounts", len(all))
		}
		if most != test.most || refused > 0 {
			t.Errorf("with a share of %d%% of 20: %d requests in a minute, %d refused, want %d and none", test.share, most, refused, test.most)
		}
	}
}

func TestWritesThatOktaRefuses(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name      string
		prepare   func(f *fake, u *fakeUser)
		options   map[string]any
		set       directory.Attributes
		kind      directory.ErrorKind
		remedy    string
		attribute string
	}{
		{
			"kept in another directory", func(_ *fake, u *fakeUser) { u.Provider = "ACTIVE_DIRECTORY" }, nil,
			nil, directory.Invalid, "where the profile is kept", "",
		},
		{
			"an attribute that the profile lacks", nil, nil,
			directory.Attributes{"custom.nothing": directory.Text("x")},
			directory.Invalid, "Profile Editor", "custom.nothing",
		},
		{
			"no number", nil, nil, directory.Attributes{"custom.badgeNo": directory.Text("x")}, directory.Invalid, "", "custom.badgeNo",
		},
		{
			"several values for one", nil, nil, directory.Attributes{directory.Title: directory.List("a", "b")}, directory.Invalid, "", directory.Title,
		},
		{
			"an attribute by its other name", nil, nil,
			directory.Attributes{"custom.firstName": directory.Text("x")},
			directory.Unsupported, "write first_name", "custom.firstName",
		},
		{
			"an administrator", func(f *fake, u *fakeUser) { f.admins[u.ID] = "SUPER_ADMIN" }, nil, nil, directory.Invalid, "", "",
		},
		{
			"an administrator through a group", func(f *fake, u *fakeUser) {
				group := f.addGroup("Help desk")
				f.admins[group.id], u.groups = "USER_ADMIN", []string{group.id}
			}, nil, nil, directory.Invalid, "", "",
		},
		{
			"the owner of the token", func(f *fake, u *fakeUser) { f.owner = u.ID }, nil, nil, directory.Invalid, "", "",
		},
		{
			"nobody shows who is an administrator", func(f *fake, _ *fakeUser) { f.role = "group" }, nil, nil, directory.Auth, "unseen_administrators", "",
		},
		{
			"left to Okta, which refuses", func(f *fake, _ *fakeUser) { f.role = "read" },
			map[string]any{"unseen_administrators": trustOkta},
			nil, directory.Invalid, "administrator", "",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			f := newFake(t)
			u := f.people(1, statusActive)[0]
			if test.prepare != nil {
				test.prepare(f, u)
			}
			set := test.set
			if set == nil {
				set = directory.Attributes{directory.Title: directory.Text("Editor")}
			}
			_, err := f.open(t, test.options).UpdateAccount(t.Context(), directory.UpdateRequest{ID: u.ID, Set: set})
			if e := wantError(t, err, test.kind, test.remedy); e.Attribute != test.attribute {
				t.Errorf("the error names %q, want %q", e.Attribute, test.attribute)
			}
			if u.Profile["title"] != nil {
				t.Errorf("the refused write was done")
			}
		})
	}
}

func TestAWriteWithoutAnAnswer(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	f.intercept = func(w http.ResponseWriter, r *http.Request, _ string) bool {
		if r.Method != http.MethodPost {
			return false
		}
		http.Error(w, "bad gateway", http.StatusBadGateway)
		return true
	}
	_, err := f.open(t, nil).CreateAccount(t.Context(), directory.CreateRequest{Attributes: person(1), Status: directory.StatusActive})
	wantError(t, err, directory.UnknownOutcome, "")
	if n := f.requests()["POST users"]; n != 1 {
		t.Errorf("the write was sent %d times", n)
	}
}

func TestAServerThatCannotMakeAPage(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	f.intercept = func(w http.ResponseWriter, _ *http.Request, path string) bool {
		if path != "users" {
			return false
		}
		fail(w, 500, "E0000009", "Internal Server Error")
		return true
	}
	_, err := f.open(t, nil).ListAccounts(t.Context(), directory.ListRequest{})
	wantError(t, err, directory.Retryable, "page_size")
}
