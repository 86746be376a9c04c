//go:build unix

package database_test

import (
	"net/http"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/rollcall-sync/rollcall/sync/directory"
	"github.com/rollcall-sync/rollcall/sync/directory/directorytest/real"
)

// rival is a person who registers on the site at the very moment: WordPress has looked for the name, found it free, and
// stands before its own insert.
const rival = `add_filter('wp_pre_insert_user_data', function ($data) {
	if ($data['user_email'] === 'rival@example.com') {
		file_put_contents(ABSPATH . 'arrived', 'x');
		file_get_contents(ABSPATH . 'proceed');
	}
	return $data;
});`

func TestARegistrationOnTheSiteAtTheSameMoment(t *testing.T) {
	t.Parallel()
	for name, moment := range map[string]string{"before our commit": "INSERT INTO wp_users", "after it": "COMMIT"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := real.WordPress(t, real.WithPHP(rival))
			arrived, proceed := filepath.Join(s.Path, "arrived"), filepath.Join(s.Path, "proceed")
			for _, pipe := range []string{arrived, proceed} {
				if err := syscall.Mkfifo(pipe, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			registered := make(chan int, 1)
			go func() {
				status, _ := s.REST(http.MethodPost, "/wp/v2/users", map[string]any{"username": "rival", "email": "rival@example.com", "password": "secret-1"})
				registered <- status
			}()
			if _, err := os.ReadFile(arrived); err != nil { // waits for WordPress
				t.Fatal(err)
			}
			d := inDatabase(t, s, "", after(moment, func() {
				if err := os.WriteFile(proceed, []byte("x"), 0o600); err != nil {
					t.Error(err)
				}
				if status := <-registered; status != http.StatusCreated {
					t.Errorf("the registration was answered with %d", status)
				}
			}))
			results, err := d.CreateAccounts(t.Context(), []directory.CreateRequest{
				{Status: directory.StatusActive, Attributes: person("first")},
				{Status: directory.StatusActive, Attributes: person("rival")},
				{Status: directory.StatusActive, Attributes: person("last")},
			})
			if err != nil {
				t.Fatal(err)
			}
			conflict(t, results[1].Err, directory.Username)
			if results[0].Err != nil || results[2].Err != nil {
				t.Errorf("the others: %v, %v", results[0].Err, results[2].Err)
			}
			alone(t, s, "rival")
			if !s.Login("rival", "secret-1") {
				t.Error("the account that is left is not the one that was registered")
			}
		})
	}
}
