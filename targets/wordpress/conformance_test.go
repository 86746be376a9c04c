package wordpress

import (
	"testing"

	"github.com/rollcall-sync/rollcall/sync/directory"
	"github.com/rollcall-sync/rollcall/sync/directory/directorytest"
)

// quirks are what WordPress itself cannot do as the contract wants.
var quirks = []directorytest.Quirk{
	{Check: directorytest.Clear, Attribute: directory.DisplayName, Reason: "wp_insert_user puts the username in place of an empty display name"},
	{Check: directorytest.Clear, Attribute: directory.Nickname, Reason: "wp_insert_user puts the username in place of an empty nickname"},
	{Check: directorytest.Clear, Attribute: directory.Locale, Reason: "the API tells the site's language where a user has none"},
}

// values: only installed languages are taken, and a fresh site has one.
var values = map[string][]directory.Value{directory.Locale: {directory.Text("en_US")}}

func TestConformanceOfTheFake(t *testing.T) {
	for name, batch := range map[string]bool{"one by one": false, "in batches": true} {
		t.Run(name, func(t *testing.T) {
			directorytest.Run(t, directorytest.Suite{
				New: func(t testing.TB) directorytest.Place {
					f := newFake()
					f.batch = batch
					f.meta["department"] = "string"
					address := f.start(t)
					open := func(t testing.TB) directory.Directory { return openAt(t, address, "meta", []string{"department"}) }
					return directorytest.Place{Directory: open(t), Again: open}
				},
				Quirks: quirks, Values: values,
			})
		})
	}
}
