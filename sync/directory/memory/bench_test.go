package memory_test

import (
	"fmt"
	"testing"

	"github.com/rollcall-sync/rollcall/sync/directory"
	"github.com/rollcall-sync/rollcall/sync/directory/memory"
)

// The reference must not be what large tests of the engine wait for.
func BenchmarkCreateAndList(b *testing.B) {
	d := memory.New(memory.Options{PageSize: 1000})
	for n := range b.N {
		values := directory.Attributes{
			directory.Username: directory.Text(fmt.Sprint("user", n)), directory.Email: directory.Text(fmt.Sprintf("user%d@example.com", n)),
		}
		if _, err := d.CreateAccount(b.Context(), directory.CreateRequest{Attributes: values, Status: directory.StatusActive}); err != nil {
			b.Fatal(err)
		}
	}
	request := directory.ListRequest{}
	for {
		page, err := d.ListAccounts(b.Context(), request)
		if err != nil {
			b.Fatal(err)
		}
		if request.Cursor = page.Next; page.Next == "" {
			break
		}
	}
}
