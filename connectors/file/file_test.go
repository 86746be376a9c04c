package file_test

import (
	"maps"
	"os"
	"path/filepath"
	"testing"

	"github.com/rollcall-sync/rollcall/connectors/file"
	"github.com/rollcall-sync/rollcall/sync/directory"
	"github.com/rollcall-sync/rollcall/sync/directory/directorytest"
)

// write puts content into a fresh file.
func write(t testing.TB, name, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(content), 0o640); err != nil {
		t.Fatal(err)
	}
	return path
}

func read(t testing.TB, path string) string {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

// tryOpen opens a file with the defaults of the options that values does not name.
func tryOpen(t testing.TB, path string, values map[string]any) (directory.Directory, error) {
	t.Helper()
	all := map[string]any{"path": path}
	maps.Copy(all, values)
	settings, faults := file.Type.Complete(directory.Settings{Name: "people", Values: all})
	for _, fault := range faults {
		t.Fatal(fault)
	}
	return file.Type.Open(settings)
}

func open(t testing.TB, path string, values map[string]any) directory.Directory {
	t.Helper()
	d, err := tryOpen(t, path, values)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

var writable = map[string]any{"writable": true}

// list returns all accounts, in pages of two.
func list(t testing.TB, d directory.Directory) []directory.Account {
	t.Helper()
	var all []directory.Account
	request := directory.ListRequest{Size: 2}
	for {
		page, err := d.ListAccounts(t.Context(), request)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, page.Accounts...)
		if page.Next == "" {
			return all
		}
		request.Cursor = page.Next
	}
}

func TestConformance(t *testing.T) {
	for name, content := range map[string]string{
		"people.csv":   "id,username,email,first_name,last_name,display_name,email_verified,created_at,active,groups,Favourite colour,department\n1,anna,anna@example.com,Anna,Example,Anna Example,true,2026-01-02,yes,Web editors,blue,Press\n",
		"people.tsv":   "username\temail\tfirst_name\tlast_name\tdisabled\tgroups\r\nanna\tanna@example.com\tAnna\tExample\tno\tWeb editors|Staff\r\n",
		"people.json":  "[\n  {\"id\": 1, \"userName\": \"anna\", \"name\": {\"givenName\": \"Anna\"}, \"emails\": [{\"value\": \"anna@example.com\"}], \"groups\": [{\"value\": \"g1\", \"display\": \"Web editors\"}], \"active\": true}\n]\n",
		"scim.json":    "{\"Resources\": [{\"id\":\"a\",\"username\":\"anna\",\"email\":\"anna@example.com\",\"first_name\":\"Anna\",\"last_name\":\"E\",\"groups\":[\"Web editors\"]}]}",
		"people.jsonl": "{\"id\":\"1\",\"username\":\"anna\",\"email\":\"anna@example.com\"}\n",
	} {
		t.Run(name, func(t *testing.T) {
			var quirks []directorytest.Quirk
			if name == "people.tsv" {
				quirks = append(quirks, directorytest.Quirk{
					Check: directorytest.FoldedConflict, Attribute: "username", Reason: "the id is the username here, and ids are told apart letter by letter",
				}, directorytest.Quirk{
					Check: "accounts/delete", Reason: "the id is the username here, and whoever gives a username to a new person gives them the id; the README says so",
				})
			}
			directorytest.Run(t, directorytest.Suite{
				Quirks: quirks,
				New: func(t testing.TB) directorytest.Place {
					path := write(t, name, content)
					return directorytest.Place{
						Directory: open(t, path, writable),
						Again:     func(t testing.TB) directory.Directory { return open(t, path, writable) },
					}
				},
			})
		})
	}
}
