package cognito

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"testing"

	"github.com/rollcall-sync/rollcall/sync/directory"
)

// The first sixty are not all, a short page is not the last, and neither is an empty one.
func TestOnlyAMissingTokenEndsTheListing(t *testing.T) {
	t.Parallel()
	f := newFake(t, byUsername)
	for i := range 500 {
		f.add(fmt.Sprintf("user-%03d", i), nil)
	}
	d := f.open(t, nil)
	if all := list(t, d); len(all) != 500 {
		t.Errorf("%d of 500 users are listed", len(all))
	}
	if calls := f.calls(); calls["ListUsers"] <= 9 {
		t.Errorf("the fake gave %d pages, so none of them was short", calls["ListUsers"])
	}
}

func TestALargerPageThanAllowedIsNotAskedFor(t *testing.T) {
	t.Parallel()
	f := newFake(t, byUsername)
	f.whole = true
	for i := range 61 {
		f.add(fmt.Sprint("user-", i), nil)
	}
	page, err := f.open(t, nil).ListAccounts(t.Context(), directory.ListRequest{Size: 1000})
	if err != nil || len(page.Accounts) != 60 || page.Next == "" {
		t.Errorf("%d users, next %q, %v", len(page.Accounts), page.Next, err)
	}
}

// AttributesToGet would be refused as soon as one user lacks an attribute.
func TestAnAttributeThatSomeLackIsEmpty(t *testing.T) {
	t.Parallel()
	f := newFake(t, byUsername)
	f.whole = true
	f.add("anna", map[string]string{"custom:department": "Press"})
	f.add("ben", nil)
	for _, account := range list(t, f.open(t, nil), "custom.department", directory.Nickname) {
		department, ok := account.Attributes["custom.department"]
		if !ok || department.IsEmpty() != (account.Label() == "ben") {
			t.Errorf("%s has the department %q, known: %t", account.Label(), department, ok)
		}
		if nickname, ok := account.Attributes[directory.Nickname]; !ok || !nickname.IsEmpty() {
			t.Errorf("%s has the nickname %q, known: %t", account.Label(), nickname, ok)
		}
		if _, ok := account.Attributes[directory.FirstName]; ok {
			t.Errorf("%s comes with a name that nobody asked for", account.Label())
		}
	}
}

func TestTheTwoFieldsOfAStatus(t *testing.T) {
	t.Parallel()
	const active, inactive, unknown = directory.StatusActive, directory.StatusInactive, directory.StatusUnknown
	for status, want := range map[string]directory.Status{
		"CONFIRMED": active, "UNCONFIRMED": active, "EXTERNAL_PROVIDER": active, "RESET_REQUIRED": active,
		"FORCE_CHANGE_PASSWORD": active, "ARCHIVED": inactive, "COMPROMISED": inactive, "UNKNOWN": unknown, "SOMETHING_NEW": active,
	} {
		for _, enabled := range []bool{true, false} {
			if !enabled {
				want = inactive
			}
			f := newFake(t, byUsername)
			u := f.add("anna", nil)
			u.status, u.enabled = status, enabled
			account, err := f.open(t, nil).GetAccount(t.Context(), u.sub)
			if err != nil || account.Status != want || account.Attributes.Text("custom.user_status") != status {
				t.Errorf("%s, enabled %t: %s with %q, want %s; %v", status, enabled, account.Status, account.Attributes.Text("custom.user_status"), want, err)
			}
		}
	}
}

func TestWhatARecordBecomes(t *testing.T) {
	t.Parallel()
	f := newFake(t, byUsername)
	u := f.add("anna", map[string]string{
		email: "Anna@example.com", emailVerified: "true", "given_name": "Anna", "zoneinfo": "Europe/Berlin", "custom:department": "Press",
		"middle_name": "M.", "custom:middle_name": "X", "identities": "[]",
	})
	account, err := f.open(t, map[string]any{"attributes": map[string]string{"department": "custom:department"}}).GetAccount(t.Context(), u.sub)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		directory.Username: "anna", directory.Email: "Anna@example.com", directory.EmailVerified: "true", directory.FirstName: "Anna",
		directory.Timezone: "Europe/Berlin", directory.Department: "Press", "custom.middle_name": "M.", "custom.custom:middle_name": "X",
		"custom.identities": "[]", directory.LastName: "", "custom.user_status": "FORCE_CHANGE_PASSWORD",
	} {
		if got, ok := account.Attributes[name]; !ok || got.String() != want {
			t.Errorf("%s is %q, known: %t, want %q", name, got, ok, want)
		}
	}
	if created, ok := account.Attributes[directory.CreatedAt].AsTime(); !ok || created.UnixMilli() != u.created.UnixMilli() {
		t.Errorf("created %s, want %s", created, u.created)
	}
}

// In an SDK's eyes one bad record spoils its page, and a record without Enabled is a disabled user.
func TestABadRecordProtectsItsOwnAccountOnly(t *testing.T) {
	t.Parallel()
	const id = "5b1f7c1e-0c0a-4d0e-9a51-0d3b7f9a1111"
	attributes := `"Attributes":[{"Name":"email","Value":7},{"Name":"sub","Value":"` + id + `"}]`
	for name, raw := range map[string]string{
		"a number for a text":     `{"Username":"anna","Enabled":true,` + attributes + `}`,
		"a text for a bool":       `{"Username":"anna","Enabled":"yes","Attributes":[{"Name":"sub","Value":"` + id + `"}]}`,
		"a list for the status":   `{"Username":"anna","Enabled":true,"UserStatus":[],"Attributes":[{"Name":"sub","Value":"` + id + `"}]}`,
		"nothing about the state": `{"Username":"anna","UserStatus":"CONFIRMED","Attributes":[{"Name":"sub","Value":"` + id + `"}]}`,
		"no username":             `{"Enabled":true,"Attributes":[{"Name":"sub","Value":"` + id + `"}]}`,
		"a generated name alone":  `{"Username":"` + id + `","Enabled":true,"Attributes":7}`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFake(t, byUsername)
			good, err := json.Marshal((&fakeUser{sub: newSub(), username: "ben", enabled: true, status: "CONFIRMED"}).json("Attributes"))
			if err != nil {
				t.Fatal(err)
			}
			f.answering("ListUsers", tells(`{"Users":[`+raw+`,`+string(good)+`]}`))
			page, err := f.open(t, nil).ListAccounts(t.Context(), directory.ListRequest{})
			if err != nil || len(page.Accounts) != 2 {
				t.Fatalf("%d accounts, %v", len(page.Accounts), err)
			}
			if bad := page.Accounts[0]; bad.ID != id || bad.Problem == "" || bad.Status == directory.StatusInactive {
				t.Errorf("the bad record became %+v", bad)
			}
			if other := page.Accounts[1]; other.Problem != "" || other.Status != directory.StatusActive {
				t.Errorf("the good record became %+v", other)
			}
		})
	}
}

// An answer without a list is what a proxy gives, and an SDK makes an empty pool of it.
func TestAnAnswerWithoutAListIsNoEmptyOne(t *testing.T) {
	t.Parallel()
	f := newFake(t, byUsername)
	d := f.open(t, nil)
	for _, body := range []string{`{}`, `null`, `[]`, `<html>Sign in</html>`, ``, `{"Users":null,"Groups":null}`, `{"Users":7,"Groups":7}`, `{"Groups":[{}]}`} {
		f.answering("ListUsers", tells(body))
		_, err := d.ListAccounts(t.Context(), directory.ListRequest{})
		wants(t, err, directory.Retryable, "proxy")
		f.answering("ListGroups", tells(body))
		_, err = d.ListGroups(t.Context(), directory.GroupListRequest{})
		wants(t, err, directory.Retryable, "proxy")
	}
	u := f.add("anna", nil)
	f.answering("ListUsers", tells(`{}`))
	_, err := d.GetAccount(t.Context(), u.sub)
	wants(t, err, directory.Retryable)
	list(t, d)
	f.answering("AdminGetUser", tells(`{}`))
	_, err = d.GetAccount(t.Context(), u.sub)
	wants(t, err, directory.Retryable)
}

func TestATokenThatIsVoidInTheMiddleOfAListing(t *testing.T) {
	t.Parallel()
	f := newFake(t, byUsername)
	f.whole = true
	for i := range 61 {
		f.add(fmt.Sprint("user-", i), nil)
	}
	d := f.open(t, nil)
	page, err := d.ListAccounts(t.Context(), directory.ListRequest{})
	if err != nil {
		t.Fatal(err)
	}
	f.answering("ListUsers", says(http.StatusBadRequest, "InvalidParameterException", "Paging Marker is invalid"))
	_, err = d.ListAccounts(t.Context(), directory.ListRequest{Cursor: page.Next})
	wants(t, err, directory.Retryable, "Paging Marker", "from the beginning")
	f.answering("ListUsers", tells(`{"Users":[],"PaginationToken":`+string(must(json.Marshal(page.Next)))+`}`))
	_, err = d.ListAccounts(t.Context(), directory.ListRequest{Cursor: page.Next})
	wants(t, err, directory.Retryable, "token of the next page")
}

func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

func TestFindingQuotesAndComparesExactly(t *testing.T) {
	t.Parallel()
	f := newFake(t, byUsername)
	odd := f.add("anna", map[string]string{"given_name": `A"n\n" or name = "x`, email: "Anna@Example.com"})
	f.add("ben", map[string]string{"given_name": "Ben", email: "anna@example.com"})
	d := f.open(t, nil)
	for _, c := range []struct {
		attribute, value string
		want             int
	}{
		{directory.FirstName, odd.attributes["given_name"], 1},
		{directory.FirstName, "ben", 0},
		{directory.Email, "Anna@Example.com", 2}, // in its own letters and in lower case
		{directory.Email, "", 0},
		{directory.Username, "ANNA", 1},
		{directory.Username, "no name", 0},
		{directory.ID, odd.sub, 1},
		{directory.ID, `" or sub ^= "`, 0},
		{directory.ID, newSub(), 0},
	} {
		found, err := d.FindAccounts(t.Context(), c.attribute, c.value)
		if err != nil || len(found) != c.want {
			t.Errorf("%s %q finds %d, want %d; %v", c.attribute, c.value, len(found), c.want, err)
		}
	}
	_, err := d.FindAccounts(t.Context(), "custom.department", "Press")
	wants(t, err, directory.Unsupported, "department")
	_, err = d.FindAccounts(t.Context(), directory.FirstName, string(make([]byte, 300)))
	wants(t, err, directory.Invalid, "too long")
}

// The list shows a new user late; single calls do not.
func TestANewUserIsFoundBeforeTheListShowsIt(t *testing.T) {
	t.Parallel()
	for _, signIn := range []string{byUsername, byEmail} {
		f := newFake(t, signIn)
		f.lag = 1000
		d := f.open(t, nil)
		made, err := d.CreateAccount(t.Context(), directory.CreateRequest{Attributes: account(signIn)(1), Status: directory.StatusActive})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := d.GetAccount(t.Context(), made.ID); err != nil {
			t.Error(err)
		}
		name := map[string]string{byUsername: directory.Username, byEmail: directory.Email}[signIn]
		found, err := f.open(t, nil).FindAccounts(t.Context(), name, account(signIn)(1).Text(name))
		if err != nil || len(found) != 1 || found[0].ID != made.ID {
			t.Errorf("%s: a creation whose answer was lost is looked for, and finds %d; %v", signIn, len(found), err)
		}
	}
}

// A username can be given to another person; the sub cannot.
func TestAReusedUsernameIsAnotherAccount(t *testing.T) {
	t.Parallel()
	f := newFake(t, byUsername)
	d := f.open(t, nil)
	old := f.add("anna", nil)
	f.addGroup("editors")
	list(t, d)
	f.users = nil
	heir := f.add("anna", nil)
	_, err := d.GetAccount(t.Context(), old.sub)
	wants(t, err, directory.NotFound)
	_, err = d.SetStatus(t.Context(), directory.StatusRequest{ID: old.sub, Status: directory.StatusInactive})
	wants(t, err, directory.NotFound)
	wants(t, d.DeleteAccount(t.Context(), old.sub), directory.NotFound)
	wants(t, d.ChangeGroups(t.Context(), directory.GroupsRequest{Account: old.sub, Add: []string{"editors"}}), directory.NotFound)
	if !heir.enabled || !slices.Contains(f.users, heir) || len(f.members["editors"]) != 0 {
		t.Error("what was meant for the old user happened to the new one")
	}
}

// In a run the name is as old as the listing, so that groups cost one call; a user who was looked at and is gone has no name.
func TestMembershipsOfAReusedUsername(t *testing.T) {
	t.Parallel()
	f := newFake(t, byUsername)
	d := f.open(t, nil)
	old := f.add("anna", nil)
	list(t, d)
	f.users = nil
	f.addGroup("editors", f.add("anna", nil))
	_, err := d.GetAccount(t.Context(), old.sub)
	wants(t, err, directory.NotFound)
	_, err = d.ListMemberships(t.Context(), old.sub)
	wants(t, err, directory.NotFound)
}

// In a pool of generated names, a user of another provider has a name that is not the sub.
func TestAUserOfAnotherProviderIsFoundBySub(t *testing.T) {
	t.Parallel()
	f := newFake(t, byEmail)
	u := f.add("anna@example.com", nil)
	u.username, u.status = "Google_1234", "EXTERNAL_PROVIDER"
	d := f.open(t, nil)
	if account, err := d.GetAccount(t.Context(), u.sub); err != nil || account.ID != u.sub {
		t.Errorf("%v, %v", account, err)
	}
	if _, err := d.SetStatus(t.Context(), directory.StatusRequest{ID: u.sub, Status: directory.StatusInactive}); err != nil || u.enabled || len(u.passwords) != 0 {
		t.Errorf("enabled %t, %v", u.enabled, err)
	}
}
