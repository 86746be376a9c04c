package directorytest

import (
	"testing"

	"github.com/rollcall-sync/rollcall/sync/directory"
)

// Accounts follows a listing to its end and returns its accounts and the number of its pages.
func Accounts(tb testing.TB, d directory.Directory, request directory.ListRequest) (all []directory.Account, pages int) {
	tb.Helper()
	for {
		page, err := d.ListAccounts(tb.Context(), request)
		if err != nil {
			tb.Fatal(err)
		}
		pages++
		all = append(all, page.Accounts...)
		if page.Next == "" {
			return all, pages
		}
		request.Cursor = page.Next
	}
}

// Groups follows a listing of groups to its end.
func Groups(tb testing.TB, d directory.GroupLister, request directory.GroupListRequest) (all []directory.Group) {
	tb.Helper()
	for {
		page, err := d.ListGroups(tb.Context(), request)
		if err != nil {
			tb.Fatal(err)
		}
		all = append(all, page.Groups...)
		if page.Next == "" {
			return all
		}
		request.Cursor = page.Next
	}
}
