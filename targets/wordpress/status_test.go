package wordpress

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/rollcall-sync/rollcall/sync/directory"
)

func leaver(f *fake) *fakeUser {
	return f.add(&fakeUser{login: "anna", email: "anna@example.com", password: "old", roles: []string{"editor", "member"}, apps: []string{"one", "two"}})
}

func TestDeactivationTakesEverythingAwayAndActivationGivesTheRolesBack(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		options        []any
		kind           string
		before         any
		locked, opened any
	}{
		"without a plugin":           {nil, "", nil, nil, nil},
		"a flag that is a text":      {[]any{"deactivated_meta", "lock"}, "string", nil, "1", nil},
		"with a value for activated": {[]any{"deactivated_meta", "lock", "deactivated_value", "denied", "activated_value", "approved"}, "string", "approved", "denied", "approved"},
		"a flag that is a bool":      {[]any{"deactivated_meta", "lock"}, "boolean", nil, true, nil},
		"a flag that is a number":    {[]any{"deactivated_meta", "lock"}, "integer", nil, 1.0, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFake()
			if c.kind != "" {
				f.meta["lock"] = c.kind
			}
			u := leaver(f)
			if c.before != nil {
				u.meta["lock"] = c.before
			}
			s := f.open(t, c.options...)
			a, err := s.SetStatus(t.Context(), directory.StatusRequest{ID: "2", Status: directory.StatusInactive})
			if err != nil || a.Status != directory.StatusInactive || len(a.Groups) != 0 {
				t.Fatalf("%+v, %v", a, err)
			}
			if len(u.roles) != 0 || len(u.apps) != 0 || u.password == "old" || len(u.password) < 32 || u.meta["lock"] != c.locked {
				t.Errorf("after deactivation: %+v", u)
			}
			a, err = s.SetStatus(t.Context(), directory.StatusRequest{ID: "2", Status: directory.StatusActive, Groups: []string{"editor", "member"}})
			if err != nil || a.Status != directory.StatusActive || !slices.Equal(a.Groups, []string{"editor", "member"}) {
				t.Fatalf("%+v, %v", a, err)
			}
			if !slices.Equal(u.roles, []string{"editor", "member"}) || u.meta["lock"] != c.opened {
				t.Errorf("after activation: %+v", u)
			}
		})
	}
}

func TestActivatingKeepsWhatTheAccountHas(t *testing.T) {
	t.Parallel()
	f := newFake()
	f.meta["lock"] = "string"
	u := leaver(f)
	u.meta["lock"] = "1"
	s := f.open(t, "deactivated_meta", "lock")
	if a, err := s.GetAccount(t.Context(), "2"); err != nil || a.Status != directory.StatusInactive {
		t.Fatalf("%+v, %v", a, err)
	}
	// Locked by hand, roles untouched: only the flag is to go.
	if _, err := s.SetStatus(t.Context(), directory.StatusRequest{ID: "2", Status: directory.StatusActive, Groups: []string{"author"}}); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(u.roles, []string{"editor", "member", "author"}) || u.meta["lock"] != nil || u.password != "old" || len(u.apps) != 2 {
		t.Errorf("%+v", u)
	}
	// Nobody remembers a role: the default one.
	u.roles = nil
	if _, err := s.SetStatus(t.Context(), directory.StatusRequest{ID: "2", Status: directory.StatusActive}); err != nil || !slices.Equal(u.roles, []string{"subscriber"}) {
		t.Errorf("%v, %q", err, u.roles)
	}
	// A remembered role that the site no longer has is not left out in silence.
	u.roles = nil
	_, err := s.SetStatus(t.Context(), directory.StatusRequest{ID: "2", Status: directory.StatusActive, Groups: []string{"author", "gone"}})
	if !errors.Is(err, directory.Invalid) || !strings.Contains(err.Error(), "gone") || len(u.roles) != 0 {
		t.Errorf("%v, %q", err, u.roles)
	}
}

// Deactivation is cut off after each of its requests in turn. As long as the account does not count as inactive, the next
// run begins anew; once it does, nothing that lets its owner in may be left.
func TestDeactivationThatIsCutOff(t *testing.T) {
	t.Parallel()
	for cut := 1; cut <= 4; cut++ {
		for name, before := range map[string]bool{"the request is lost": true, "the answer is lost": false} {
			f := newFake()
			u := leaver(f)
			s := f.open(t)
			if _, err := s.CountAccounts(t.Context()); err != nil {
				t.Fatal(err)
			}
			n := 0
			f.meddle = func(w http.ResponseWriter, r *http.Request) bool {
				if n++; n < cut {
					return false
				}
				if !before && n == cut {
					f.carryOut(r)
				}
				w.WriteHeader(http.StatusForbidden) // a firewall closes
				return true
			}
			_, err := s.SetStatus(t.Context(), directory.StatusRequest{ID: "2", Status: directory.StatusInactive})
			if err == nil {
				t.Errorf("cut %d, %s: no error", cut, name)
			}
			if len(u.roles) == 0 && (len(u.apps) > 0 || u.password == "old") {
				t.Errorf("cut %d, %s: the account counts as inactive and its owner may sign in: %+v", cut, name, u)
			}
			f.meddle = nil
			if _, err := s.SetStatus(t.Context(), directory.StatusRequest{ID: "2", Status: directory.StatusInactive}); err != nil || len(u.roles)+len(u.apps) > 0 || u.password == "old" {
				t.Errorf("cut %d, %s: the second time %v, %+v", cut, name, err, u)
			}
		}
	}
}

func TestDeactivationWhereApplicationPasswordsCannotBeDeleted(t *testing.T) {
	t.Parallel()
	f := newFake()
	f.noPasswords = true
	u := leaver(f)
	if _, err := f.open(t).SetStatus(t.Context(), directory.StatusRequest{ID: "2", Status: directory.StatusInactive}); err != nil || len(u.roles) != 0 || u.password == "old" {
		t.Errorf("with the route removed: %v, %+v", err, u)
	}
	f = newFake()
	f.noDelete = true
	u = leaver(f)
	_, err := f.open(t).SetStatus(t.Context(), directory.StatusRequest{ID: "2", Status: directory.StatusInactive})
	if !errors.Is(err, directory.Unsupported) || !strings.Contains(err.Error(), "DELETE") || len(u.roles) != 0 || u.password == "old" {
		t.Errorf("where the web server refuses DELETE, the rest must be done and the lack told: %v, %+v", err, u)
	}
}

func TestAFlagThatIsNotStoredIsNoDeactivation(t *testing.T) {
	t.Parallel()
	f := newFake()
	u := leaver(f)
	s := f.open(t, "deactivated_meta", "lock")
	_, err := s.SetStatus(t.Context(), directory.StatusRequest{ID: "2", Status: directory.StatusInactive})
	if !errors.Is(err, directory.Invalid) || !strings.Contains(err.Error(), "register_meta('user', 'lock'") || len(u.apps) != 2 {
		t.Errorf("an unregistered flag: %v, %+v", err, u)
	}
}
