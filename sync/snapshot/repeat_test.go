package snapshot

import (
	"context"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-sync/rollcall/sync/directory"
)

// deaf is a server that heeds no paging: each page is the first one, and there is always another.
type deaf struct{ asked int }

func (d *deaf) Describe() directory.Description { return directory.Description{Name: "staff"} }
func (d *deaf) Close() error                    { return nil }

func (d *deaf) ListAccounts(context.Context, directory.ListRequest) (directory.AccountPage, error) {
	d.asked++
	return directory.AccountPage{Accounts: []directory.Account{{ID: "1"}, {ID: "2"}}, Next: strconv.Itoa(d.asked), Total: -1}, nil
}

func TestAServerThatHeedsNoPagingIsNotListedForEver(t *testing.T) {
	t.Parallel()
	d := &deaf{}
	s, err := Read(t.Context(), d, Options{Folder: t.TempDir(), Now: time.Now, Expect: Expectation{LastCount: -1}})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if d.asked != mostRepeats+1 || s.Certificate.Complete || !strings.Contains(s.Certificate.Failed(), "the same page of accounts came 3 times in a row") {
		t.Errorf("asked %d times: %+v", d.asked, s.Certificate)
	}
}
