package database_test

import (
	"testing"

	"github.com/rollcall-sync/rollcall/sync/directory"
	"github.com/rollcall-sync/rollcall/sync/directory/directorytest"
	"github.com/rollcall-sync/rollcall/sync/directory/directorytest/real"
)

// quirks are those of WordPress itself, as over REST.
var quirks = []directorytest.Quirk{
	{Check: directorytest.Clear, Attribute: directory.DisplayName, Reason: "wp_insert_user puts the username in place of an empty display name"},
	{Check: directorytest.Clear, Attribute: directory.Nickname, Reason: "wp_insert_user puts the username in place of an empty nickname"},
	{Check: directorytest.Clear, Attribute: directory.Locale, Reason: "the API tells the site's language where a user has none, and so does the database mode"},
}

// The whole suite is passed by a database user who has the rights that the guide lists and no others.
func TestConformance(t *testing.T) {
	for name, prefix := range map[string]string{"usual prefix": "wp_", "another prefix": "Site2_"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := real.WordPress(t, real.WithPrefix(prefix))
			dsn := leastDSN(t, s)
			again := func(t testing.TB) directory.Directory {
				return open(t, "mode", "database", "dsn", dsn, "prefix", prefix, "meta", []string{"department"})
			}
			directorytest.Run(t, directorytest.Suite{
				New:    func(t testing.TB) directorytest.Place { return directorytest.Place{Directory: again(t), Again: again} },
				Quirks: quirks, MissingID: "999999999",
			})
		})
	}
}
