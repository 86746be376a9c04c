package wordpress

import (
	"errors"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/rollcall-sync/rollcall/sync/directory"
	"github.com/rollcall-sync/rollcall/sync/directory/optiondoc"
)

func TestTheAddressIsCheckedBeforeAnythingIsSent(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]string{
		"https://www.example.com":              "https://www.example.com/wp-json/wp/v2/users",
		"https://WWW.Example.com/":             "https://www.example.com/wp-json/wp/v2/users",
		"https://www.example.com/blog/":        "https://www.example.com/blog/wp-json/wp/v2/users",
		"https://www.example.com/wp-json/":     "https://www.example.com/wp-json/wp/v2/users",
		"https://www.example.com/?rest_route=": "https://www.example.com/?rest_route=%2Fwp%2Fv2%2Fusers",
		"http://127.0.0.1:8080":                "http://127.0.0.1:8080/wp-json/wp/v2/users",
		"http://[::1]:8080/":                   "http://[::1]:8080/wp-json/wp/v2/users",
		"http://localhost":                     "http://localhost/wp-json/wp/v2/users",
		"http://wp.localhost":                  "http://wp.localhost/wp-json/wp/v2/users",
	} {
		d, err := tryOpen("url", address, "username", "a", "password", "b")
		if err != nil {
			t.Errorf("%s: %v", address, err)
			continue
		}
		c := d.(*site).client
		if got := c.address(call{route: usersRoute}, c.form.Load() == formPlain); got != want {
			t.Errorf("%s leads to %s, want %s", address, got, want)
		}
		if n := d.(*site).Requests(); n != 0 {
			t.Errorf("opening sent %d requests", n)
		}
	}
	for address, want := range map[string]string{
		"http://www.example.com":            "in clear",
		"http://localhost.example.com":      "in clear",
		"http://10.0.0.1":                   "in clear",
		"www.example.com":                   "no address",
		"ftp://www.example.com":             "no address",
		"https://anna:pw@www.example.com":   "password",
		"https://www.example.com/?page=2":   "question mark",
		"https://www.example.com/#top":      "front page",
		"https://www.example.com/%zz/blog":  "no address",
		"https://":                          "no address",
		"https://www.example.com:port/blog": "no address",
	} {
		_, err := tryOpen("url", address, "username", "a", "password", "b")
		var fault *directory.OptionError
		if !errors.As(err, &fault) || fault.Option != "url" || !strings.Contains(fault.Message, want) {
			t.Errorf("%s: %v, want %q", address, err, want)
		}
		if err != nil && strings.Contains(err.Error(), "pw") {
			t.Errorf("the error shows the password: %v", err)
		}
	}
}

func TestOptionsOutOfBoundsAreRefused(t *testing.T) {
	t.Parallel()
	for option, value := range map[string]any{
		"page_size": 101, "read_concurrency": 0, "write_concurrency": 33, "batch_size": 26, "rate": -1,
		"meta": []string{"description"}, "username": "a:b", "activated_value": "1", "default_role": "administrator",
	} {
		_, err := tryOpen("url", "https://www.example.com", "username", "a", "password", "b", "deactivated_meta", "lock", option, value)
		var fault *directory.OptionError
		if !errors.As(err, &fault) || fault.Option != option {
			t.Errorf("%s %v: %v", option, value, err)
		}
	}
	if _, err := tryOpen("url", "https://www.example.com", "username", "a"); err == nil {
		t.Error("a missing password is taken")
	}
}

func TestSitesOfEachKindAreReached(t *testing.T) {
	t.Parallel()
	for name, f := range map[string]*fake{
		"pretty permalinks":                {},
		"plain permalinks":                 {plain: true},
		"in a subfolder":                   {path: "/blog"},
		"in a subfolder, plain permalinks": {path: "/blog", plain: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			whole := newFake()
			whole.path, whole.plain = f.path, f.plain
			s := whole.open(t)
			account, err := s.CreateAccount(t.Context(), directory.CreateRequest{Status: directory.StatusActive, Attributes: person("anna")})
			if err != nil {
				t.Fatal(err)
			}
			if found, err := s.FindAccounts(t.Context(), directory.Email, "anna@example.com"); err != nil || len(found) != 1 || found[0].ID != account.ID {
				t.Errorf("%+v, %v", found, err)
			}
			if n, err := s.CountAccounts(t.Context()); err != nil || n != 2 {
				t.Errorf("%d accounts, %v", n, err)
			}
			sent := 0
			for _, line := range whole.requests {
				if strings.HasPrefix(line, http.MethodPost) {
					sent++
				}
			}
			if sent != 1 {
				t.Errorf("%d writes were sent: %q", sent, whole.requests)
			}
		})
	}
}

// A write is never tried out on an address of unknown form: PHP's own messages may hide an answer that says "done".
func TestTheFirstRequestToASiteIsARead(t *testing.T) {
	t.Parallel()
	f := newFake()
	s := f.open(t)
	f.before = "<b>Warning</b>: something<br />\n"
	_, err := s.CreateAccount(t.Context(), directory.CreateRequest{Status: directory.StatusActive, Attributes: person("anna")})
	if err == nil || errors.Is(err, directory.UnknownOutcome) || len(f.users) != 1 {
		t.Errorf("%v, %d users, %q", err, len(f.users), f.requests)
	}
}

func TestAnAddressThatRedirectsElsewhereStopsTheDirectory(t *testing.T) {
	t.Parallel()
	f := newFake()
	s := f.open(t)
	f.meddle = func(w http.ResponseWriter, r *http.Request) bool {
		http.Redirect(w, r, "https://www.example.com"+r.URL.Path, http.StatusMovedPermanently)
		return true
	}
	_, err := s.ListAccounts(t.Context(), directory.ListRequest{})
	if !errors.Is(err, directory.Auth) || !strings.Contains(err.Error(), "https://www.example.com") {
		t.Errorf("%v", err)
	}
}

func TestTheOptionsTableOfTheGuide(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	const mark = "<!-- options -->\n"
	parts := strings.Split(string(data), mark)
	if want := optiondoc.Table(Type); len(parts) != 3 || parts[1] != want {
		t.Errorf("put this between the two marks %q of README.md:\n%s", mark, want)
	}
}

// person returns the attributes of an ordinary account.
func person(name string) directory.Attributes {
	return directory.Attributes{directory.Username: directory.Text(name), directory.Email: directory.Text(name + "@example.com")}
}
