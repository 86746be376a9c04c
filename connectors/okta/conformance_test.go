package okta

import (
	"crypto/rand"
	"crypto/rsa"
	"fmt"
	"sync"
	"testing"

	"github.com/rollcall-sync/rollcall/sync/directory"
	"github.com/rollcall-sync/rollcall/sync/directory/directorytest"
	"github.com/rollcall-sync/rollcall/sync/directory/optiondoc/optiondoctest"
)

// testKey is the key of the app that tests sign in with, made once.
var testKey = sync.OnceValue(func() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return key
})

func person(n int) directory.Attributes {
	return directory.Attributes{
		directory.Username: directory.Text(fmt.Sprintf("rc-%04d@example.com", n)), directory.Email: directory.Text(fmt.Sprintf("rc-%04d@example.com", n)),
		directory.FirstName: directory.Text("Anna"), directory.LastName: directory.Text("Example"),
	}
}

func TestConformance(t *testing.T) {
	t.Parallel()
	for _, deactivation := range []string{bySuspending, byDeactivating} {
		t.Run(deactivation, func(t *testing.T) {
			t.Parallel()
			directorytest.Run(t, directorytest.Suite{
				New: func(t testing.TB) directorytest.Place {
					f := newFake(t)
					options := map[string]any{"deactivation": deactivation}
					return directorytest.Place{
						Directory: f.open(t, options),
						Again:     func(t testing.TB) directory.Directory { return f.open(t, options) },
					}
				},
				Account:   person,
				MissingID: "00u99999999999999999", MissingGroup: "00g99999999999999999",
				Quirks: []directorytest.Quirk{
					{Check: directorytest.Longest, Attribute: directory.Username, Reason: "a login has the form of an address, and the suite makes none of 100 characters"},
				},
			})
		})
	}
}

func TestOptionsInTheReadme(t *testing.T) {
	t.Parallel()
	optiondoctest.Check(t, Type, "README.md")
}
