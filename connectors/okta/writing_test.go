package okta

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-sync/rollcall/sync/directory"
	"github.com/rollcall-sync/rollcall/sync/directory/directorytest"
)

func create(t *testing.T, d *Directory, n int, status directory.Status, groups ...string) directory.Account {
	t.Helper()
	account, err := d.CreateAccount(t.Context(), directory.CreateRequest{Attributes: person(n), Status: status, Groups: groups})
	if err != nil {
		t.Fatal(err)
	}
	return account
}

func TestCreatingMailsNobody(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	d := f.open(t, nil)
	first, second, staged := create(t, d, 1, directory.StatusActive), create(t, d, 2, directory.StatusActive), create(t, d, 3, directory.StatusInactive)
	a, b, c := f.user(first.ID), f.user(second.ID), f.user(staged.ID)
	if a.Status != statusActive || len(a.password) < 50 || a.password == b.password {
		t.Errorf("created %s and %s with passwords of %d characters, alike: %t", a.Status, b.Status, len(a.password), a.password == b.password)
	}
	if c.Status != statusStaged || c.password != "" {
		t.Errorf("the inactive one is %s with the password %q", c.Status, c.password)
	}
	if _, err := d.SetStatus(t.Context(), directory.StatusRequest{ID: staged.ID, Status: directory.StatusActive}); err != nil || c.Status != "PROVISIONED" {
		t.Errorf("activated: %s, %v", c.Status, err)
	}
	if a.mails+b.mails+c.mails > 0 {
		t.Errorf("%d, %d and %d mails were sent", a.mails, b.mails, c.mails)
	}
}

func TestCreatingIsOneRequest(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	group := f.addGroup("Editors")
	d := f.open(t, nil)
	directorytest.Groups(t, d, directory.GroupListRequest{})
	f.forget()
	for n := range 3 {
		if account := create(t, d, n, directory.StatusActive, group.id); !slices.Equal(f.user(account.ID).groups, []string{group.id}) {
			t.Errorf("created in %q", f.user(account.ID).groups)
		}
	}
	if diff := cmp.Diff(map[string]int{"POST users": 3, "GET groups/*/roles": 1}, f.requests()); diff != "" {
		t.Errorf("requests (-want +sent):\n%s", diff)
	}
}

func TestRequestsOfWritesAreAsTheReadmeSays(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	people := f.people(4, statusActive)
	group := f.addGroup("Editors")
	d := f.open(t, nil)
	if _, err := d.Self(t.Context()); err != nil {
		t.Fatal(err)
	}
	directorytest.Groups(t, d, directory.GroupListRequest{})
	set := func(id string, status directory.Status) func() error {
		return func() error {
			_, err := d.SetStatus(t.Context(), directory.StatusRequest{ID: id, Status: status})
			return err
		}
	}
	for _, step := range []struct {
		name  string
		write func() error
		want  map[string]int
	}{
		{"update", func() error {
			_, err := d.UpdateAccount(t.Context(), directory.UpdateRequest{ID: people[0].ID, Set: directory.Attributes{directory.Title: directory.Text("x")}})
			return err
		}, map[string]int{"GET users/*/roles": 1, "POST users/*": 1}},
		{"suspend", set(people[1].ID, directory.StatusInactive), map[string]int{"GET users/*/roles": 1, "GET users/*": 2, "POST users/*/lifecycle/suspend": 1, "DELETE users/*/sessions": 1}},
		{"unsuspend", set(people[1].ID, directory.StatusActive), map[string]int{"GET users/*": 2, "POST users/*/lifecycle/unsuspend": 1}},
		{"the same again", set(people[1].ID, directory.StatusActive), map[string]int{"GET users/*": 1}},
		{"delete", func() error { return d.DeleteAccount(t.Context(), people[2].ID) }, map[string]int{"GET users/*/roles": 1, "GET users/*": 2, "DELETE users/*": 2}},
		{"join", func() error {
			return d.ChangeGroups(t.Context(), directory.GroupsRequest{Account: people[3].ID, Add: []string{group.id}})
		}, map[string]int{"GET users/*/roles": 1, "GET groups/*/roles": 1, "PUT groups/*/users/*": 1}},
		{"leave", func() error {
			return d.ChangeGroups(t.Context(), directory.GroupsRequest{Account: people[3].ID, Remove: []string{group.id}})
		}, map[string]int{"DELETE groups/*/users/*": 1}},
	} {
		f.forget()
		if err := step.write(); err != nil {
			t.Fatalf("%s: %v", step.name, err)
		}
		if diff := cmp.Diff(step.want, f.requests()); diff != "" {
			t.Errorf("%s: requests (-README +sent):\n%s", step.name, diff)
		}
	}
}

func TestHowEachStatusIsDeactivated(t *testing.T) {
	t.Parallel()
	for deactivation, want := range map[string]map[string]string{
		bySuspending: {
			statusActive: statusSuspended, "LOCKED_OUT": statusDeprovisioned, "PROVISIONED": statusDeprovisioned, "PASSWORD_EXPIRED": statusDeprovisioned,
			"RECOVERY": statusDeprovisioned, statusStaged: statusStaged, statusSuspended: statusSuspended, statusDeprovisioned: statusDeprovisioned,
		},
		byDeactivating: {
			statusActive: statusDeprovisioned, "LOCKED_OUT": statusDeprovisioned, "PROVISIONED": statusDeprovisioned, statusStaged: statusStaged,
			statusSuspended: statusSuspended, statusDeprovisioned: statusDeprovisioned,
		},
	} {
		f := newFake(t)
		d := f.open(t, map[string]any{"deactivation": deactivation})
		for before, after := range want {
			u := f.people(1, before)[0]
			account, err := d.SetStatus(t.Context(), directory.StatusRequest{ID: u.ID, Status: directory.StatusInactive})
			if err != nil || u.Status != after || account.Status != directory.StatusInactive {
				t.Errorf("%s: %s became %s (%s), %v, want %s", deactivation, before, u.Status, account.Status, err, after)
			}
			if before == statusActive && u.sessions == 0 {
				t.Errorf("%s: sessions stay open", deactivation)
			}
		}
	}
}

func TestAStagedUserThatCountsAsActiveCanBeDeactivated(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	u := f.people(1, statusStaged)[0]
	d := f.open(t, map[string]any{"staged": "active"})
	if _, err := d.SetStatus(t.Context(), directory.StatusRequest{ID: u.ID, Status: directory.StatusInactive}); err != nil || u.Status != statusDeprovisioned {
		t.Errorf("it is %s, %v", u.Status, err)
	}
	for _, status := range []string{statusStaged, "LOCKED_OUT"} {
		u = f.people(1, status)[0]
		f.forget()
		if _, err := d.SetStatus(t.Context(), directory.StatusRequest{ID: u.ID, Status: directory.StatusActive}); err != nil || u.mails > 0 {
			t.Errorf("%s: %v, %d mails", status, err, u.mails)
		}
	}
}

func TestADeactivationTakesItsTime(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	f.slow = 3
	u := f.people(1, statusActive)[0]
	d := f.open(t, nil)
	if err := d.DeleteAccount(t.Context(), u.ID); err != nil || f.user(u.ID) != nil {
		t.Errorf("deleted: %t, %v", f.user(u.ID) == nil, err)
	}
	f.slow = 1000
	u = f.people(1, statusActive)[0]
	f.forget()
	wantError(t, d.DeleteAccount(t.Context(), u.ID), directory.Retryable, "run again")
	if n := f.requests()["DELETE users/*"]; n != 1 || f.user(u.ID) == nil {
		t.Errorf("%d deletions of a user that is not deactivated yet", n)
	}
}

func TestGroupsThatAreNotWritten(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	u := f.people(1, statusActive)[0]
	ruling, plain := f.addGroup("Help desk"), f.addGroup("Editors")
	f.admins[ruling.id] = "USER_ADMIN"
	d := f.open(t, nil)
	for id, reason := range map[string]string{mirrored: "application", everyone: "Okta itself", ruling.id: "makes nobody an administrator", "00gnone": "not found", "../users": "no id"} {
		err := d.ChangeGroups(t.Context(), directory.GroupsRequest{Account: u.ID, Add: []string{plain.id, id}})
		if wantError(t, err, directory.Invalid, ""); err != nil && !strings.Contains(strings.ToLower(err.Error()), strings.ToLower(reason)) {
			t.Errorf("%s: %v, want %q", id, err, reason)
		}
		_, err = d.CreateAccount(t.Context(), directory.CreateRequest{Attributes: person(1), Status: directory.StatusActive, Groups: []string{id}})
		wantError(t, err, directory.Invalid, "")
	}
	if len(u.groups) > 0 || len(f.users) != 2 {
		t.Errorf("the account is in %q, and there are %d users", u.groups, len(f.users))
	}
}

func TestValuesAreSentAsTheSchemaWantsThem(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	u := f.people(1, statusActive)[0]
	u.Profile["middleName"] = "Q"
	set := directory.Attributes{
		"custom.badgeNo": directory.Text("42"), "custom.remote": directory.Text("true"), "custom.sites": directory.Text("bern"),
		"custom.costCenter": directory.Number(7), directory.Mobile: directory.List("+49 170 1"), "custom.middleName": {},
	}
	if _, err := f.open(t, nil).UpdateAccount(t.Context(), directory.UpdateRequest{ID: u.ID, Set: set}); err != nil {
		t.Fatal(err)
	}
	for key, want := range map[string]any{"badgeNo": 42.0, "remote": true, "sites": []any{"bern"}, "costCenter": "7", "mobilePhone": "+49 170 1", "middleName": nil} {
		if diff := cmp.Diff(want, u.Profile[key]); diff != "" {
			t.Errorf("%s (-want +stored):\n%s", key, diff)
		}
	}
	// An app without the scope sends values as they are.
	f.scopes = []string{usersManage, groupsManage, rolesRead}
	d := f.open(t, with(appOptions(t), map[string]any{"scopes": f.scopes}))
	set = directory.Attributes{"custom.badgeNo": directory.Number(43), "custom.remote": directory.Bool(false), "custom.sites": directory.List("a", "b")}
	if _, err := d.UpdateAccount(t.Context(), directory.UpdateRequest{ID: u.ID, Set: set}); err != nil || u.Profile["badgeNo"] != 43.0 || u.Profile["remote"] != false {
		t.Errorf("stored %v, %v", u.Profile, err)
	}
}

func TestNamesCanBeOptional(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	attributes := person(1)
	delete(attributes, directory.LastName)
	_, err := f.open(t, nil).CreateAccount(t.Context(), directory.CreateRequest{Attributes: attributes, Status: directory.StatusActive})
	if e := wantError(t, err, directory.Invalid, "optional_names"); e.Attribute != directory.LastName {
		t.Errorf("the error names %q", e.Attribute)
	}
	if n := f.requests()["POST users"]; n != 0 {
		t.Errorf("%d requests for what cannot be", n)
	}
	_, err = f.open(t, map[string]any{"optional_names": true}).CreateAccount(t.Context(), directory.CreateRequest{Attributes: attributes, Status: directory.StatusActive})
	if wantError(t, err, directory.Invalid, ""); f.requests()["POST users"] != 1 {
		t.Errorf("with optional_names the org itself is to say so, which it was not asked: %v", err)
	}
}

func TestCheck(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name    string
		options map[string]any
		prepare func(f *fake)
		request directory.CheckRequest
		want    map[string]directory.Level
		remedy  string
	}{
		{
			"all is well", nil, nil,
			directory.CheckRequest{Write: true, Attributes: []string{directory.Email, "custom.badgeNo"}},
			map[string]directory.Level{"connection": "ok", "users": "ok", "groups": "ok", "administrators": "ok", "attributes": "ok"},
			"",
		},
		{
			"a token that is not taken", map[string]any{"token": "00another"}, nil, directory.CheckRequest{}, map[string]directory.Level{"users": "error"}, "API token",
		},
		{
			"an app without a role", appOptions(t), func(f *fake) { f.role = "" },
			directory.CheckRequest{},
			map[string]directory.Level{"connection": "ok", "users": "error", "groups": "error"},
			"Admin roles",
		},
		{
			"an app that is unknown", with(appOptions(t), map[string]any{"client_id": "0oaother"}), nil,
			directory.CheckRequest{},
			map[string]directory.Level{"connection": "error"},
			"check client_id",
		},
		{
			"reading without a view of roles", nil, func(f *fake) { f.role = "read" },
			directory.CheckRequest{},
			map[string]directory.Level{"connection": "ok", "users": "ok", "groups": "ok"},
			"",
		},
		{
			"writing without it", nil, func(f *fake) { f.role = "group" },
			directory.CheckRequest{Write: true},
			map[string]directory.Level{"connection": "ok", "users": "ok", "groups": "ok", "administrators": "error"},
			"Super Administrator",
		},
		{
			"writing without it, left to Okta",
			map[string]any{"unseen_administrators": trustOkta},
			func(f *fake) { f.role = "group" },
			directory.CheckRequest{Write: true},
			map[string]directory.Level{"connection": "ok", "users": "ok", "groups": "ok", "administrators": "warning"},
			"Super Administrator",
		},
		{
			"an attribute that the profile lacks", nil, nil,
			directory.CheckRequest{Write: true, Attributes: []string{"custom.nothing"}},
			map[string]directory.Level{"connection": "ok", "users": "ok", "groups": "ok", "administrators": "ok", "attributes": "error"},
			"Profile Editor",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			f := newFake(t)
			if test.prepare != nil {
				test.prepare(f)
			}
			list, err := f.open(t, test.options).Check(t.Context(), test.request)
			if err != nil {
				t.Fatal(err)
			}
			got := map[string]directory.Level{}
			remedies := ""
			for _, finding := range list {
				got[finding.Subject] = finding.Level
				remedies += finding.Remedy + "\n"
				if (finding.Remedy == "") != (finding.Level == directory.LevelOK) {
					t.Errorf("%+v has a remedy and is ok, or has none and is not", finding)
				}
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("findings (-want +got):\n%s%v", diff, list)
			}
			if !strings.Contains(remedies, test.remedy) {
				t.Errorf("the remedies are %q, want %q", remedies, test.remedy)
			}
		})
	}
}
