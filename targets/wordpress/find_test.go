package wordpress

import (
	"errors"
	"net/http"
	"slices"
	"testing"

	"github.com/rollcall-sync/rollcall/sync/directory"
)

func TestFindingComparesAsTheDatabaseDoes(t *testing.T) {
	t.Parallel()
	for name, columns := range map[string]bool{"before 6.8": false, "since 6.8": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFake()
			f.columns = columns
			f.addMany(150, "subscriber")
			for _, u := range []*fakeUser{
				{login: "Anna", email: "anna@example.com"},
				{login: "joanna", email: "joanna@example.com", name: "Anna"},
				{login: "anna.b", email: "x.anna@example.com"},
				{login: "mail@example.com", email: "other@example.com"},
				{login: "someone", email: "mail@example.com"},
				{login: "rd", email: "r&amp;d@example.com"}, // WordPress stores & like this
				{login: "twin", email: "twin@example.com"},
				{login: "TWIN", email: "TWIN@example.com"}, // two equal creations at once leave this
				{login: "zoë", email: "zoe@example.com"},
				{login: "12", email: "twelve@example.com"},
			} {
				u.roles = []string{"subscriber"}
				f.add(u)
			}
			s := f.open(t)
			for _, c := range []struct {
				attribute, value string
				want             []string
			}{
				{directory.Username, "anna", []string{"Anna"}},
				{directory.Username, "ann", nil},
				{directory.Username, "mail@example.com", []string{"mail@example.com"}},
				{directory.Username, "twin", []string{"twin", "TWIN"}},
				{directory.Username, "zoe", []string{"zoë"}},
				{directory.Username, "12", []string{"12"}},
				{directory.Username, "", nil},
				{directory.Username, "*", nil},
				{directory.Username, "person*", nil},
				{directory.Email, "Anna@Example.com", []string{"Anna"}},
				{directory.Email, "mail@example.com", []string{"someone"}},
				{directory.Email, "r&d@example.com", []string{"rd"}},
				{directory.Email, "@example.com", nil}, // finds everybody on two pages, and nobody is called so
				{directory.ID, "1", []string{"admin"}},
				{directory.ID, "999", nil},
				{directory.ID, "01", nil},
			} {
				found, err := s.FindAccounts(t.Context(), c.attribute, c.value)
				if err != nil {
					t.Errorf("%s %q: %v", c.attribute, c.value, err)
				}
				var got []string
				for _, a := range found {
					got = append(got, a.Label())
				}
				if !slices.Equal(got, c.want) {
					t.Errorf("%s %q finds %q, want %q", c.attribute, c.value, got, c.want)
				}
			}
			if _, err := s.FindAccounts(t.Context(), directory.DisplayName, "Anna"); !errors.Is(err, directory.Unsupported) {
				t.Errorf("find by display name: %v", err)
			}
		})
	}
}

func TestOnlyWordPressItselfCanSayThatAnAccountIsGone(t *testing.T) {
	t.Parallel()
	f := newFake()
	s := f.open(t)
	if _, err := s.GetAccount(t.Context(), "77"); !errors.Is(err, directory.NotFound) {
		t.Errorf("a missing account: %v", err)
	}
	for name, answer := range map[string]func(w http.ResponseWriter){
		"no route": func(w http.ResponseWriter) {
			w.WriteHeader(404)
			_, _ = w.Write([]byte(`{"code":"rest_no_route","message":"No route"}`))
		},
		"a web page": func(w http.ResponseWriter) { w.WriteHeader(404); _, _ = w.Write([]byte("<html>Not found</html>")) },
		"nothing":    func(w http.ResponseWriter) { w.WriteHeader(404) },
		"gone":       func(w http.ResponseWriter) { w.WriteHeader(410); _, _ = w.Write([]byte("<html>Gone</html>")) },
		"another account": func(w http.ResponseWriter) {
			_, _ = w.Write([]byte(`{"id":1,"username":"admin","roles":[],"capabilities":{}}`))
		},
		"the wrong code": func(w http.ResponseWriter) {
			w.WriteHeader(400)
			_, _ = w.Write([]byte(`{"code":"rest_user_invalid_id","message":"Invalid"}`))
		},
	} {
		f.meddle = func(w http.ResponseWriter, _ *http.Request) bool { answer(w); return true }
		if _, err := s.GetAccount(t.Context(), "77"); err == nil || errors.Is(err, directory.NotFound) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
