package store

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-sync/rollcall/sync/directory"
	"github.com/rollcall-sync/rollcall/sync/directory/directorytest"
	"github.com/rollcall-sync/rollcall/sync/directory/optiondoc"
)

// settings are those of a store in a folder of the test, with all defaults.
func settings(t testing.TB, values map[string]any) directory.Settings {
	t.Helper()
	if values == nil {
		values = map[string]any{}
	}
	if values[optionPath] == nil {
		values[optionPath] = filepath.Join(t.TempDir(), "people.db")
	}
	complete, faults := Type.Complete(directory.Settings{Name: "people", Values: values})
	if len(faults) > 0 {
		t.Fatal(faults[0])
	}
	return complete
}

func openStore(t testing.TB, s directory.Settings) *Directory {
	t.Helper()
	opened, err := Type.Open(s)
	if err != nil {
		t.Fatal(err)
	}
	return opened.(*Directory)
}

func newStore(t testing.TB, values map[string]any) *Directory {
	t.Helper()
	d := openStore(t, settings(t, values))
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	return d
}

func TestConformance(t *testing.T) {
	t.Parallel()
	directorytest.Run(t, directorytest.Suite{New: func(t testing.TB) directorytest.Place {
		s := settings(t, nil)
		return directorytest.Place{
			Directory: openStore(t, s),
			Again:     func(t testing.TB) directory.Directory { return openStore(t, s) },
		}
	}})
}

func TestOpenTouchesNothing(t *testing.T) {
	t.Parallel()
	s := settings(t, nil)
	d := openStore(t, s)
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(s.Text(optionPath)); !os.IsNotExist(err) {
		t.Errorf("opening and closing made the file: %v", err)
	}
}

func TestLookingDoesNotMakeTheFile(t *testing.T) {
	t.Parallel()
	d := newStore(t, nil)
	page, err := d.ListAccounts(t.Context(), directory.ListRequest{})
	if err != nil || len(page.Accounts) != 0 || page.Next != "" {
		t.Errorf("a store without a file lists %+v, %v", page, err)
	}
	if n, err := d.CountAccounts(t.Context()); n != 0 || err != nil {
		t.Errorf("it counts %d, %v", n, err)
	}
	if _, err := d.GetAccount(t.Context(), "anybody"); !errors.Is(err, directory.NotFound) {
		t.Errorf("it has anybody: %v", err)
	}
	findings, err := d.Check(t.Context(), directory.CheckRequest{Write: true})
	if err != nil || len(findings) != 2 || !has(findings, directory.LevelOK, "file") || !has(findings, directory.LevelOK, "writing") {
		t.Errorf("the check says %+v, %v", findings, err)
	}
	if entries, err := os.ReadDir(filepath.Dir(d.path)); err != nil || len(entries) != 0 {
		t.Errorf("beside the file to be there are %v, %v", entries, err)
	}
	create(t, d, 0, 1)
	if n, err := d.CountAccounts(t.Context()); n != 1 || err != nil {
		t.Errorf("after the first write it counts %d, %v", n, err)
	}
}

func TestOptionsOfTheWrongForm(t *testing.T) {
	t.Parallel()
	for option, value := range map[string]any{optionPath: "", optionBusy: -time.Second, optionPageSize: 0} {
		s := settings(t, nil)
		s.Values[option] = value
		_, err := Type.Open(s)
		if fault, ok := err.(*directory.OptionError); !ok || fault.Option != option {
			t.Errorf("%s: %v: got %v", option, value, err)
		}
	}
}

func TestReadmeIsFresh(t *testing.T) {
	t.Parallel()
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	const mark = "<!-- options -->\n"
	parts := strings.Split(string(readme), mark)
	if len(parts) != 3 {
		t.Fatalf("README.md must have two lines %q", mark)
	}
	if want := optiondoc.Table(Type); strings.TrimSpace(parts[1]) != strings.TrimSpace(want) {
		t.Errorf("the options in README.md are not those declared; they should read\n%s", want)
	}
}

func person(n int) directory.CreateRequest {
	return directory.CreateRequest{Status: directory.StatusActive, Attributes: directory.Attributes{
		directory.Username:    directory.Text(fmt.Sprintf("user%06d", n)),
		directory.Email:       directory.Text(fmt.Sprintf("user%06d@example.com", n)),
		directory.FirstName:   directory.Text("Anna"),
		directory.LastName:    directory.Text(fmt.Sprintf("Example%d", n)),
		directory.Department:  directory.Text("Press"),
		directory.EmployeeID:  directory.Text(fmt.Sprintf("E-%06d", n)),
		"custom.costCenter":   directory.Text("4711"),
		directory.DisplayName: directory.Text(fmt.Sprintf("Anna Example%d", n)),
	}}
}

func people(from, n int) []directory.CreateRequest {
	requests := make([]directory.CreateRequest, 0, n)
	for i := range n {
		requests = append(requests, person(from+i))
	}
	return requests
}

// create makes n people and returns them.
func create(t testing.TB, d *Directory, from, n int) []directory.Account {
	t.Helper()
	var made []directory.Account
	for n > 0 {
		size := min(n, bulkSize)
		results, err := d.CreateAccounts(t.Context(), people(from, size))
		if err != nil {
			t.Fatal(err)
		}
		for _, result := range results {
			if result.Err != nil {
				t.Fatal(result.Err)
			}
			made = append(made, result.Account)
		}
		from, n = from+size, n-size
	}
	return made
}

// BenchmarkCreateAccounts reports the time of one account in bulk.
func BenchmarkCreateAccounts(b *testing.B) {
	d := newStore(b, nil)
	for n := 0; n < b.N; n += bulkSize {
		create(b, d, n, min(bulkSize, b.N-n))
	}
}

// BenchmarkListAccounts reports the time of one account in a listing.
func BenchmarkListAccounts(b *testing.B) {
	d := newStore(b, nil)
	create(b, d, 0, 20_000)
	b.ResetTimer()
	for n := 0; n < b.N; {
		request := directory.ListRequest{}
		for {
			page, err := d.ListAccounts(b.Context(), request)
			if err != nil {
				b.Fatal(err)
			}
			n += len(page.Accounts)
			if request.Cursor = page.Next; page.Next == "" || n >= b.N {
				break
			}
		}
	}
}
