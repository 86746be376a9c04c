package wordpress

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/rollcall-sync/rollcall/sync/directory"
)

func TestWhoIsMailed(t *testing.T) {
	t.Parallel()
	f := newFake()
	s := f.open(t)
	id := create(t, s, "anna").ID
	for _, step := range []struct {
		name string
		call func() error
		want []string
	}{
		{"another name", func() error {
			_, err := s.UpdateAccount(t.Context(), directory.UpdateRequest{ID: id, Set: directory.Attributes{directory.FirstName: directory.Text("A")}})
			return err
		}, nil},
		{"another address", func() error {
			_, err := s.UpdateAccount(t.Context(), directory.UpdateRequest{ID: id, Set: directory.Attributes{directory.Email: directory.Text("new@example.com")}})
			return err
		}, []string{"to anna@example.com: your address was changed"}},
		{"another role", func() error {
			return s.ChangeGroups(t.Context(), directory.GroupsRequest{Account: id, Add: []string{"author"}})
		}, nil},
		{"deactivation", func() error {
			_, err := s.SetStatus(t.Context(), directory.StatusRequest{ID: id, Status: directory.StatusInactive})
			return err
		}, []string{"to new@example.com: your password was changed"}},
		{"activation", func() error {
			_, err := s.SetStatus(t.Context(), directory.StatusRequest{ID: id, Status: directory.StatusActive})
			return err
		}, nil},
	} {
		f.mails = nil
		if err := step.call(); err != nil {
			t.Fatalf("%s: %v", step.name, err)
		}
		if !slices.Equal(f.mails, step.want) {
			t.Errorf("%s mails %q, want %q", step.name, f.mails, step.want)
		}
	}
	var promised []string
	for _, notice := range s.Describe().Notices {
		promised = append(promised, notice.On)
	}
	if !slices.Equal(promised, []string{"update:email", "deactivate"}) {
		t.Errorf("the description tells of mails on %q", promised)
	}
}

func TestDeletingGivesThePostsToSomebody(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		options []any
		heir    string
		kind    directory.ErrorKind
		fails   bool
	}{
		"the service account, unless said otherwise": {nil, "1", 0, false},
		"by id":            {[]any{"reassign_to", "3"}, "3", 0, false},
		"by username":      {[]any{"reassign_to", "Webmaster"}, "3", 0, false},
		"nobody of it":     {[]any{"reassign_to", "nosuch"}, "", directory.Invalid, true},
		"nobody of the id": {[]any{"reassign_to", "99"}, "", directory.Invalid, true},
		"the same account": {[]any{"reassign_to", "2"}, "", directory.Invalid, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFake()
			f.add(&fakeUser{login: "author", email: "author@example.com", roles: []string{"author"}, posts: 3})
			f.add(&fakeUser{login: "webmaster", email: "webmaster@example.com", roles: []string{"editor"}})
			s := f.open(t, c.options...)
			err := s.DeleteAccount(t.Context(), "2")
			if (err != nil) != c.fails || c.fails && !errors.Is(err, c.kind) {
				t.Fatalf("%v", err)
			}
			if c.fails {
				if f.user("2") == nil {
					t.Error("the account is gone all the same")
				}
				return
			}
			if f.user("2") != nil || f.user(c.heir).posts != 3 {
				t.Errorf("the posts did not go to account %s", c.heir)
			}
			if err := s.DeleteAccount(t.Context(), "2"); !errors.Is(err, directory.NotFound) {
				t.Errorf("once more: %v", err)
			}
		})
	}
	f := newFake()
	f.multisite = true
	f.addMany(1, "subscriber")
	if err := f.open(t).DeleteAccount(t.Context(), "2"); !errors.Is(err, directory.Unsupported) || !strings.Contains(err.Error(), "multisite") {
		t.Errorf("on a multisite network: %v", err)
	}
}

func TestTheServiceAccountIsNotTakenAway(t *testing.T) {
	t.Parallel()
	f := newFake()
	f.users[0].roles = []string{"subscriber", "administrator"}
	s := f.open(t)
	for name, call := range map[string]func() error{
		"deactivate": func() error {
			_, err := s.SetStatus(t.Context(), directory.StatusRequest{ID: "1", Status: directory.StatusInactive})
			return err
		},
		"delete": func() error { return s.DeleteAccount(t.Context(), "1") },
		"no roles": func() error {
			return s.ChangeGroups(t.Context(), directory.GroupsRequest{Account: "1", Remove: []string{"subscriber", "administrator"}})
		},
	} {
		if err := call(); !errors.Is(err, directory.Invalid) || len(f.users[0].apps) != 1 || len(f.users[0].roles) != 2 {
			t.Errorf("%s: %v, %+v", name, err, f.users[0])
		}
	}
}
