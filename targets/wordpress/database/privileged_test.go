package database_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/rollcall-sync/rollcall/sync/directory"
	"github.com/rollcall-sync/rollcall/sync/directory/directorytest/real"
)

// Between the listing and the write an account may have become an administrator.
func TestWhoIsPrivilegedNowIsNotWritten(t *testing.T) {
	t.Parallel()
	s := real.WordPress(t)
	d := inDatabase(t, s)
	boss := create(t, d, "boss", "editor")
	s.Exec(`UPDATE wp_usermeta SET meta_value = 'a:1:{s:13:"administrator";b:1;}' WHERE meta_key = 'wp_capabilities' AND user_id = ?`, boss.ID)
	before := strings.Join(s.State(), "\n")
	for name, call := range map[string]func() error{
		"deactivate": func() error {
			return second(d.SetStatus(t.Context(), directory.StatusRequest{ID: boss.ID, Status: directory.StatusInactive}))
		},
		"update": func() error {
			return second(d.UpdateAccount(t.Context(), directory.UpdateRequest{ID: boss.ID, Set: directory.Attributes{directory.Email: directory.Text("other@example.com")}}))
		},
		"take a role": func() error {
			return d.ChangeGroups(t.Context(), directory.GroupsRequest{Account: boss.ID, Remove: []string{"administrator"}})
		},
	} {
		if err := call(); !errors.Is(err, directory.Invalid) || !strings.Contains(err.Error(), "privileged now (role administrator)") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if after := strings.Join(s.State(), "\n"); after != before {
		t.Errorf("it was written:\n%s\nbefore:\n%s", after, before)
	}
}

// A role of the site that makes administrators is told by what it does, not by its name.
func TestARoleThatMakesPrivilegedIsNotGiven(t *testing.T) {
	t.Parallel()
	s := real.WordPress(t)
	s.Exec(`UPDATE wp_options SET option_value = REPLACE(option_value, 's:6:"Editor";s:12:"capabilities";a:34:{', 's:6:"Editor";s:12:"capabilities";a:35:{s:14:"manage_options";b:1;') WHERE option_name = 'wp_user_roles'`)
	d := inDatabase(t, s)
	anna := create(t, d, "anna", "author")
	before := strings.Join(s.State(), "\n")
	for name, call := range map[string]func() error{
		"add": func() error {
			return d.ChangeGroups(t.Context(), directory.GroupsRequest{Account: anna.ID, Add: []string{"editor"}})
		},
		"create": func() error {
			return second(d.CreateAccount(t.Context(), directory.CreateRequest{Status: directory.StatusActive, Attributes: person("new"), Groups: []string{"editor"}}))
		},
	} {
		if err := call(); !errors.Is(err, directory.Unsupported) || !strings.Contains(err.Error(), "manage_options") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if after := strings.Join(s.State(), "\n"); after != before {
		t.Errorf("it was given:\n%s\nbefore:\n%s", after, before)
	}
}
