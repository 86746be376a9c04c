package wordpress

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/rollcall-sync/rollcall/sync/directory"
	"github.com/rollcall-sync/rollcall/targets/wordpress/users"
)

// What WordPress answers with a crash, or drops without a word, is refused before it is sent.
func TestValuesThatWordPressWouldChokeOnAreNotSent(t *testing.T) {
	t.Parallel()
	f := newFake()
	f.meta["department"], f.meta["size"] = "string", "integer"
	s := f.open(t, "meta", []string{"department", "size", "forgotten"})
	id := create(t, s, "anna").ID
	long := func(n int) string { return strings.Repeat("x", n) }
	for _, c := range []struct {
		name, value string
		fine        bool
	}{
		{directory.Username, long(60), true},
		{directory.Username, long(61), false},
		{directory.Username, "a.b-c_d@example.com 1", true},
		{directory.Username, "anna+tag", false},
		{directory.Username, "zoë", false},
		{directory.Username, "a  b", false},
		{directory.Username, " a", false},
		{directory.Username, "a%41", false},
		{directory.Email, long(60) + "@" + long(35) + ".com", true},
		{directory.Email, long(60) + "@" + long(36) + ".com", false},
		{directory.Email, "r&d" + long(60) + "@" + long(29) + ".com", false}, // 97, and 101 as stored
		{directory.Email, "r&d@example.com", true},
		{directory.Email, "zoë@example.com", false},
		{directory.Email, "a b@example.com", false},
		{directory.Email, "idn@münchen.example", false},
		{directory.DisplayName, long(250), true},
		{directory.DisplayName, strings.Repeat("é", 250), true},
		{directory.DisplayName, long(251), false},
		{directory.DisplayName, long(246) + "&", false}, // 251 as stored
		{directory.URL, "https://" + long(92), true},
		{directory.URL, "https://" + long(93), false},
		{"custom.department", "Press", true},
		{"custom.size", "42", true},
		{"custom.size", "large", false},
		{"custom.forgotten", "x", false}, // not registered on the site
		{"custom.other", "x", false},     // not in the option
		{directory.CreatedAt, "2026-01-01", false},
		{directory.Phone, "1", false},
	} {
		attributes := person(fmt.Sprintf("n%d", len(f.users)))
		attributes[c.name] = directory.Text(c.value)
		writes := map[string]func() error{
			"create": func() error {
				_, err := s.CreateAccount(t.Context(), directory.CreateRequest{Status: directory.StatusActive, Attributes: attributes})
				return err
			},
			"update": func() error {
				_, err := s.UpdateAccount(t.Context(), directory.UpdateRequest{ID: id, Set: directory.Attributes{c.name: directory.Text(c.value)}})
				return err
			},
		}
		for what, write := range writes {
			if what == "update" && (c.name == directory.Username || c.name == directory.Email && c.fine) {
				continue // covered below; the address is taken by the account just made
			}
			f.sent()
			err := write()
			if c.fine {
				if err != nil {
					t.Errorf("%s with %s %.20q: %v", what, c.name, c.value, err)
				}
				continue
			}
			var e *directory.Error
			if !errors.As(err, &e) || e.Kind != directory.Invalid && e.Kind != directory.Unsupported || e.Attribute != c.name {
				t.Errorf("%s with %s %.20q: %v", what, c.name, c.value, err)
			}
			for _, line := range f.sent() {
				if strings.HasPrefix(line, http.MethodPost) {
					t.Errorf("%s with %s %.20q was sent", what, c.name, c.value)
				}
			}
		}
	}
	_, err := s.UpdateAccount(t.Context(), directory.UpdateRequest{ID: id, Set: directory.Attributes{directory.Username: directory.Text("new")}})
	if !errors.Is(err, directory.Unsupported) {
		t.Errorf("a new username: %v", err)
	}
}

func TestAnAddressThatIsHeldBackIsNoSuccess(t *testing.T) {
	t.Parallel()
	f := newFake()
	f.heldAddress = true
	f.addMany(1, "subscriber")
	_, err := f.open(t).UpdateAccount(t.Context(), directory.UpdateRequest{ID: "2", Set: directory.Attributes{directory.Email: directory.Text("new@example.com")}})
	var e *directory.Error
	if !errors.As(err, &e) || e.Kind != directory.Invalid || e.Attribute != directory.Email {
		t.Errorf("WordPress kept the old address and the answer is %v", err)
	}
}

func TestTheUnregisteredKeyIsNamedWithItsRemedy(t *testing.T) {
	t.Parallel()
	f := newFake()
	s := f.open(t, "meta", []string{"department"})
	attributes := person("anna")
	attributes["custom.department"] = directory.Text("Press")
	_, err := s.CreateAccount(t.Context(), directory.CreateRequest{Status: directory.StatusActive, Attributes: attributes})
	if !errors.Is(err, directory.Invalid) || !strings.Contains(err.Error(), "register_meta('user', 'department'") || len(f.users) != 1 {
		t.Errorf("%v; %d users", err, len(f.users))
	}
	// Registered when asked, and dropped all the same: the account is there, so its state must be read back.
	f.meta["department"], f.dropMeta = "string", true
	s = f.open(t, "meta", []string{"department"})
	_, err = s.CreateAccount(t.Context(), directory.CreateRequest{Status: directory.StatusActive, Attributes: attributes})
	if !errors.Is(err, directory.UnknownOutcome) || !strings.Contains(err.Error(), "department") || len(f.users) != 2 {
		t.Errorf("%v; %d users", err, len(f.users))
	}
	_, err = s.UpdateAccount(t.Context(), directory.UpdateRequest{ID: "2", Set: directory.Attributes{"custom.department": directory.Text("Web")}})
	if !errors.Is(err, directory.Invalid) || !strings.Contains(err.Error(), "department") {
		t.Errorf("%v", err)
	}
}

func TestTextComesBackAsItWasSent(t *testing.T) {
	t.Parallel()
	f := newFake()
	f.meta["note"] = "string"
	s := f.open(t, "meta", []string{"note"})
	for _, text := range []string{"R&D", "A & B", "a < b > c", "Bold <b>Name</b> & Co", "&amp;", "&lt;b&gt;", "&eacute;", `O'Neill "x"`, `back\slash`} {
		set := directory.Attributes{"custom.note": directory.Text(text)}
		for _, name := range []string{directory.DisplayName, directory.FirstName, directory.LastName, directory.Nickname, users.Description} {
			set[name] = directory.Text(text)
		}
		a, err := s.UpdateAccount(t.Context(), directory.UpdateRequest{ID: "1", Set: set})
		if err != nil {
			t.Fatal(err)
		}
		for name := range set {
			if got := a.Attributes.Text(name); got != text {
				t.Errorf("%s: %q came back as %q", name, text, got)
			}
		}
		if stored := f.user("1").name; strings.ContainsAny(stored, "<>") {
			t.Errorf("%q is stored as %q, which a theme would show as markup", text, stored)
		}
	}
}
