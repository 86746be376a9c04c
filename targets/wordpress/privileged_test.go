package wordpress

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/rollcall-sync/rollcall/sync/directory"
)

// Between the listing and the write an account may have become an administrator.
func TestWhoIsPrivilegedNowIsNotWritten(t *testing.T) {
	t.Parallel()
	f := newFake()
	boss := f.add(&fakeUser{login: "boss", email: "boss@example.com", roles: []string{"administrator"}})
	s := f.open(t)
	for name, call := range map[string]func() error{
		"deactivate": func() error {
			_, err := s.SetStatus(t.Context(), directory.StatusRequest{ID: "2", Status: directory.StatusInactive})
			return err
		},
		"activate": func() error {
			_, err := s.SetStatus(t.Context(), directory.StatusRequest{ID: "2", Status: directory.StatusActive, Groups: []string{"editor"}})
			return err
		},
		"a new address": func() error {
			_, err := s.UpdateAccount(t.Context(), directory.UpdateRequest{ID: "2", Set: directory.Attributes{directory.Email: directory.Text("other@example.com")}})
			return err
		},
		"take a role": func() error {
			return s.ChangeGroups(t.Context(), directory.GroupsRequest{Account: "2", Remove: []string{"administrator"}})
		},
		"delete": func() error { return s.DeleteAccount(t.Context(), "2") },
	} {
		if err := call(); !errors.Is(err, directory.Invalid) || !strings.Contains(err.Error(), "privileged now (role administrator)") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if len(f.users) != 2 || !slices.Equal(boss.roles, []string{"administrator"}) || boss.email != "boss@example.com" {
		t.Errorf("%d users, %+v", len(f.users), boss)
	}
}

// A role of the site that makes administrators is told by what it does, not by its name: what was given is taken back.
func TestARoleThatMakesPrivilegedIsTakenBack(t *testing.T) {
	t.Parallel()
	f := newFake()
	f.roles["site_manager"] = []string{"read", "manage_options"}
	anna := f.add(&fakeUser{login: "anna", email: "anna@example.com", roles: []string{"author"}})
	off := f.add(&fakeUser{login: "off", email: "off@example.com"})
	s := f.open(t)
	for name, call := range map[string]func() error{
		"add": func() error {
			return s.ChangeGroups(t.Context(), directory.GroupsRequest{Account: "2", Add: []string{"site_manager"}})
		},
		"activate": func() error {
			_, err := s.SetStatus(t.Context(), directory.StatusRequest{ID: "3", Status: directory.StatusActive, Groups: []string{"site_manager"}})
			return err
		},
		"create": func() error {
			_, err := s.CreateAccount(t.Context(), directory.CreateRequest{Status: directory.StatusActive, Attributes: person("new"), Groups: []string{"site_manager"}})
			return err
		},
	} {
		if err := call(); !errors.Is(err, directory.Unsupported) || !strings.Contains(err.Error(), "manage_options") || !strings.Contains(err.Error(), "site_manager") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if !slices.Equal(anna.roles, []string{"author"}) || len(off.roles) != 0 {
		t.Errorf("anna has %q, off has %q", anna.roles, off.roles)
	}
	for _, u := range f.users {
		if u.login == "new" && !slices.Equal(u.roles, []string{"subscriber"}) {
			t.Errorf("the new account has %q", u.roles)
		}
	}
}

// An answer that shows another account says nothing about the one that was to be made.
func TestACreationAnsweredWithAnotherAccountIsUnknown(t *testing.T) {
	t.Parallel()
	f := newFake()
	f.add(&fakeUser{login: "victim", email: "victim@example.com", roles: []string{"editor"}})
	inner, err := url.Parse(f.start(t))
	if err != nil {
		t.Fatal(err)
	}
	proxy := httputil.NewSingleHostReverseProxy(inner)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost && strings.HasSuffix(r.URL.Path, "/users") {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusCreated)
			io.WriteString(w, `{"id":2,"username":"victim","email":"victim@example.com","name":"v","first_name":"","last_name":"","url":"","description":"","nickname":"v","slug":"victim",`+ //nolint:errcheck // a test
				`"locale":"en_US","registered_date":"2026-01-01T00:00:00+00:00","roles":["editor"],"capabilities":{"read":true},"extra_capabilities":{},"meta":[]}`)
			return
		}
		proxy.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	account, err := openAt(t, server.URL).CreateAccount(t.Context(), directory.CreateRequest{Attributes: person("newbie"), Status: directory.StatusActive})
	if !errors.Is(err, directory.UnknownOutcome) || account.ID != "" {
		t.Errorf("%+v, %v", account, err)
	}
}
