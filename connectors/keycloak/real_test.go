package keycloak

import (
	"context"
	"maps"
	"testing"
	"time"

	"github.com/rollcall-sync/rollcall/sync/directory"
	"github.com/rollcall-sync/rollcall/sync/directory/directorytest"
	"github.com/rollcall-sync/rollcall/sync/directory/directorytest/real"
)

// settings are the options that a test opens a directory with.
func settings(t testing.TB, values map[string]any) directory.Settings {
	t.Helper()
	s, faults := Type.Complete(directory.Settings{
		Name: "staff", Values: values, Sleep: func(ctx context.Context, _ time.Duration) error { return ctx.Err() },
	})
	for _, fault := range faults {
		t.Fatal(fault)
	}
	return s
}

// openReal opens a real realm; extra overrides options.
func openReal(t testing.TB, realm *real.Realm, extra map[string]any) *Directory {
	t.Helper()
	values := map[string]any{
		"url": realm.URL, "realm": realm.Name, "client_id": realm.ClientID, "client_secret": realm.ClientSecret, "timeout": 3 * time.Minute,
	}
	maps.Copy(values, extra)
	d, err := open(settings(t, values))
	if err != nil {
		t.Fatal(err)
	}
	return d.(*Directory)
}

func TestConformance(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	directorytest.Run(t, directorytest.Suite{Quirks: quirks, Values: values, New: func(t testing.TB) directorytest.Place {
		return directorytest.Place{
			Directory: f.open(t, nil),
			Again:     func(t testing.TB) directory.Directory { return f.open(t, nil) },
		}
	}})
}

func TestConformanceOfARealServer(t *testing.T) {
	realm := real.Keycloak(t).Realm(t)
	realm.Call("PUT", "", map[string]any{"internationalizationEnabled": true, "supportedLocales": []string{"de", "en"}}, nil)
	directorytest.Run(t, directorytest.Suite{Quirks: quirks, Values: values, New: func(t testing.TB) directorytest.Place {
		return directorytest.Place{
			Directory: openReal(t, realm, nil),
			Again:     func(t testing.TB) directory.Directory { return openReal(t, realm, nil) },
		}
	}})
}

// quirks are what Keycloak does otherwise; each was seen on a real server.
var quirks = []directorytest.Quirk{
	{Check: "description/signs in as nobody or somebody", Reason: "Rollcall signs in with the service account of a client, which Keycloak leaves out of the list of users"},
	{Check: directorytest.Clear, Attribute: directory.EmailVerified, Reason: "emailVerified is true or false, never empty"},
	{Check: directorytest.Derived, Attribute: directory.EmailVerified, Reason: "a new address is not verified until the sync says so"},
}

// values replaces the suite's names: the default user profile refuses < > & " \\ % $ and others in them
// (person-name-prohibited-characters).
var values = map[string][]directory.Value{
	directory.FirstName: textValues("Plain", "O'Neill-Ørsted", "Łukasz Đặng", "漢字かな", "עברית العربية", "Zoe\u0308", "Zoë 😀"),
	directory.LastName:  textValues("Plain", "d'Ærø-Åberg", "Nguyễn", "かな漢字", "Müller-Lüdenscheidt"),
}

func textValues(list ...string) (values []directory.Value) {
	for _, text := range list {
		values = append(values, directory.Text(text))
	}
	return values
}
