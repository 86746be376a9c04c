package file

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/rollcall-sync/rollcall/sync/directory"
)

// many writes a file of n people.
func many(b *testing.B, n int) string {
	b.Helper()
	path := filepath.Join(b.TempDir(), "people.csv")
	f, err := os.Create(path)
	if err != nil {
		b.Fatal(err)
	}
	w := bufio.NewWriter(f)
	fmt.Fprintln(w, "id,username,email,first_name,last_name,department,title,active,groups,phone")
	for i := range n {
		fmt.Fprintf(w, "%d,user%d,user%d@example.com,Anna,\"O'Neill, the %dth\",Department %d,Editor,yes,All staff|Group %d,+00 555 %d\n", i, i, i, i, i%40, i%12, i)
	}
	if err := w.Flush(); err != nil {
		b.Fatal(err)
	}
	if err := f.Close(); err != nil {
		b.Fatal(err)
	}
	return path
}

func BenchmarkList100k(b *testing.B) {
	path := many(b, 100_000)
	b.ReportAllocs()
	for b.Loop() {
		d := openAt(b, path, nil)
		request := directory.ListRequest{}
		for {
			page, err := d.ListAccounts(b.Context(), request)
			if err != nil {
				b.Fatal(err)
			}
			if page.Next == "" {
				break
			}
			request.Cursor = page.Next
		}
	}
}

func BenchmarkScan100k(b *testing.B) {
	d := openAt(b, many(b, 100_000), nil)
	s := storeOf(d)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := buildIndex(b.Context(), s.options, s.now()); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkUpdateIn100k(b *testing.B) {
	d := openAt(b, many(b, 100_000), nil)
	n := 0
	for b.Loop() {
		n++
		set := directory.Attributes{directory.Title: directory.Text(fmt.Sprint("Title ", n))}
		if _, err := d.(directory.Updater).UpdateAccount(b.Context(), directory.UpdateRequest{ID: fmt.Sprint(n % 100_000), Set: set}); err != nil {
			b.Fatal(err)
		}
	}
}
