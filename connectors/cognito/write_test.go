package cognito

import (
	"net/http"
	"testing"

	"github.com/rollcall-sync/rollcall/sync/directory"
)

func create(t testing.TB, d *Directory, signIn string, extra directory.Attributes) (directory.Account, error) {
	t.Helper()
	attributes := account(signIn)(1)
	for name, value := range extra {
		attributes[name] = value
	}
	return d.CreateAccount(t.Context(), directory.CreateRequest{Attributes: attributes, Status: directory.StatusActive})
}

func update(t testing.TB, d *Directory, id, name, value string) error {
	t.Helper()
	_, err := d.UpdateAccount(t.Context(), directory.UpdateRequest{ID: id, Set: directory.Attributes{name: directory.Text(value)}})
	return err
}

func TestNobodyIsMailedAboutANewUser(t *testing.T) {
	t.Parallel()
	for _, confirm := range []bool{false, true} {
		f := newFake(t, byEmail)
		made, err := create(t, f.open(t, map[string]any{"confirm_users": confirm}), byEmail, nil)
		if err != nil {
			t.Fatal(err)
		}
		u := f.users[0]
		if f.mails != 0 || u.attributes[emailVerified] != "true" || made.ID != u.sub {
			t.Errorf("%d mails, verified %q, id %q", f.mails, u.attributes[emailVerified], made.ID)
		}
		status := map[bool]string{true: "CONFIRMED", false: "FORCE_CHANGE_PASSWORD"}[confirm]
		if u.status != status || made.Attributes.Text("custom.user_status") != status || (len(u.passwords) == 1) != confirm {
			t.Errorf("confirm_users %t: %s with %d passwords", confirm, u.status, len(u.passwords))
		}
	}
	if one, two := newPassword(), newPassword(); one == two || len(one) > 99 {
		t.Error("the password is not new, or too long")
	}
}

func TestACreationThatStopsHalfWayIsUnknown(t *testing.T) {
	t.Parallel()
	for _, action := range []string{"AdminSetUserPassword", "AdminAddUserToGroup", "AdminDisableUser", "AdminGetUser"} {
		f := newFake(t, byUsername)
		f.addGroup("editors")
		d := f.open(t, map[string]any{"confirm_users": true})
		f.denied[action] = true
		_, err := d.CreateAccount(t.Context(), directory.CreateRequest{Attributes: account(byUsername)(1), Status: directory.StatusInactive, Groups: []string{"editors"}})
		wants(t, err, directory.UnknownOutcome, "the user was created, but", action)
	}
}

// A list of groups in memory that has become old costs one creation, not all that follow.
func TestAGroupThatIsGoneIsNoticed(t *testing.T) {
	t.Parallel()
	f := newFake(t, byUsername)
	f.addGroup("editors")
	d := f.open(t, nil)
	request := func(n int) directory.CreateRequest {
		return directory.CreateRequest{Attributes: account(byUsername)(n), Status: directory.StatusActive, Groups: []string{"editors"}}
	}
	if _, err := d.CreateAccount(t.Context(), request(1)); err != nil {
		t.Fatal(err)
	}
	f.groups, f.members = nil, map[string]map[string]bool{}
	_, err := d.CreateAccount(t.Context(), request(2))
	wants(t, err, directory.UnknownOutcome, "Group not found")
	_, err = d.CreateAccount(t.Context(), request(3))
	wants(t, err, directory.Invalid, "no group editors")
	if len(f.users) != 2 {
		t.Errorf("%d users", len(f.users))
	}
}

func TestWhatCannotBeAUsername(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		signIn, attribute, value string
		kind                     directory.ErrorKind
	}{
		{byUsername, directory.Username, "anna example", directory.Invalid},
		{byUsername, directory.Username, "", directory.Invalid},
		{byAlias, directory.Username, "anna@example.com", directory.Invalid},
		{byEmail, directory.Username, "anna", directory.Unsupported},
		{byEmail, directory.Email, "", directory.Invalid},
		{byEmail, directory.Email, "anna", directory.Invalid},
		{byPhone, directory.Phone, "030 123", directory.Invalid},
	} {
		f := newFake(t, c.signIn)
		_, err := create(t, f.open(t, nil), c.signIn, directory.Attributes{c.attribute: directory.Text(c.value)})
		if e := wants(t, err, c.kind); e.Attribute != c.attribute {
			t.Errorf("%s %s %q: the error names %q: %v", c.signIn, c.attribute, c.value, e.Attribute, err)
		}
		if len(f.users) != 0 {
			t.Errorf("%s %q made a user", c.attribute, c.value)
		}
	}
}

func TestAnotherSignInThanConfiguredMakesNobody(t *testing.T) {
	t.Parallel()
	f := newFake(t, byEmail)
	_, err := create(t, f.open(t, map[string]any{"sign_in": byUsername}), byUsername, nil)
	wants(t, err, directory.Invalid, "set sign_in to email")
}

// Cognito takes an alias away from its holder without a word.
func TestAnAddressIsNotTakenFromAnotherUser(t *testing.T) {
	t.Parallel()
	f := newFake(t, byAlias)
	holder := f.add("anna", map[string]string{email: "anna@example.com", emailVerified: "true"})
	other := f.add("ben", map[string]string{email: "ben@example.com", emailVerified: "true"})
	d := f.open(t, nil)
	for _, address := range []string{"anna@example.com", "Anna@Example.com"} {
		if e := wants(t, update(t, d, other.sub, directory.Email, address), directory.Conflict); e.Attribute != directory.Email {
			t.Errorf("the conflict names %q", e.Attribute)
		}
	}
	if holder.attributes[emailVerified] != "true" || other.attributes[email] != "ben@example.com" {
		t.Errorf("the holder has %v, the other %v", holder.attributes, other.attributes)
	}
	if err := update(t, d, other.sub, directory.Email, "benno@example.com"); err != nil {
		t.Error(err)
	}
}

func TestANewAddressIsMarkedAsTheOptionSays(t *testing.T) {
	t.Parallel()
	for _, verified := range []bool{true, false} {
		f := newFake(t, byUsername)
		u := f.add("anna", map[string]string{email: "anna@example.com", emailVerified: "true", "given_name": "Anna"})
		d := f.open(t, map[string]any{"verified_addresses": verified})
		if err := update(t, d, u.sub, directory.Email, "new@example.com"); err != nil {
			t.Fatal(err)
		}
		if (u.attributes[emailVerified] == "true") != verified || (f.mails == 0) != verified || u.attributes["given_name"] != "Anna" {
			t.Errorf("verified_addresses %t: %v, %d mails", verified, u.attributes, f.mails)
		}
		if got := len(d.Describe().Notices); (got == 0) != verified {
			t.Errorf("verified_addresses %t: %d notices", verified, got)
		}
		// The sync's own word counts more, also where the mark stays as it was.
		set := directory.Attributes{directory.Email: directory.Text("third@example.com"), directory.EmailVerified: directory.Bool(!verified)}
		if _, err := d.UpdateAccount(t.Context(), directory.UpdateRequest{ID: u.sub, Set: set}); err != nil {
			t.Fatal(err)
		}
		if (u.attributes[emailVerified] == "true") == verified {
			t.Errorf("the sync said %t and the pool has %q", !verified, u.attributes[emailVerified])
		}
		set[directory.Email] = directory.Text("fourth@example.com")
		if _, err := d.UpdateAccount(t.Context(), directory.UpdateRequest{ID: u.sub, Set: set}); err != nil || (u.attributes[emailVerified] == "true") == verified {
			t.Errorf("the mark that stays is %q; %v", u.attributes[emailVerified], err)
		}
	}
}

func TestAnAddressThatThePoolKeepsBackIsReported(t *testing.T) {
	t.Parallel()
	f := newFake(t, byUsername)
	f.verify = []string{email}
	u := f.add("anna", map[string]string{email: "anna@example.com", emailVerified: "true"})
	wants(t, update(t, f.open(t, map[string]any{"verified_addresses": false}), u.sub, directory.Email, "new@example.com"), directory.Invalid, "kept the old one", "verified_addresses")
	if err := update(t, f.open(t, nil), u.sub, directory.Email, "new@example.com"); err != nil || u.attributes[email] != "new@example.com" {
		t.Errorf("with a mark the address is %q; %v", u.attributes[email], err)
	}
}

func TestThePoolsSchemaIsKept(t *testing.T) {
	t.Parallel()
	f := newFake(t, byUsername)
	u := f.add("anna", nil)
	d := f.open(t, nil)
	if e := wants(t, update(t, d, u.sub, "custom.team", "A"), directory.Invalid, "custom:team", "Custom attributes"); e.Attribute != "custom.team" {
		t.Errorf("the error names %q", e.Attribute)
	}
	wants(t, update(t, d, u.sub, "custom.badge", "7"), directory.Invalid, "custom:badge")
	wants(t, update(t, d, u.sub, directory.Phone, "+49 30 123"), directory.Invalid, "without spaces")
	wants(t, update(t, d, u.sub, directory.Username, "annie"), directory.Unsupported, "never changes")
	wants(t, update(t, d, u.sub, "custom.identities", "[]"), directory.Unsupported)
	wants(t, update(t, d, u.sub, directory.Department, "Press"), directory.Unsupported)
	if calls := f.calls(); calls["AdminUpdateUserAttributes"] != 0 {
		t.Error("what cannot be stored was sent")
	}
	f.schema["custom:team"] = attribute{mutable: true} // as the remedy says
	if err := update(t, d, u.sub, "custom.team", "A"); err != nil || u.attributes["custom:team"] != "A" {
		t.Errorf("%v, %v", u.attributes, err)
	}
	if _, err := create(t, d, byUsername, directory.Attributes{"custom.badge": directory.Text("7")}); err != nil {
		t.Errorf("what is fixed from the creation on: %v", err)
	}
	_, err := d.UpdateAccount(t.Context(), directory.UpdateRequest{ID: u.sub, Set: directory.Attributes{directory.Nickname: directory.List("a", "b")}})
	wants(t, err, directory.Invalid, "not a list")
}

func TestAnUpdateThatChangesNothingSendsNothing(t *testing.T) {
	t.Parallel()
	f := newFake(t, byUsername)
	u := f.add("anna", map[string]string{email: "anna@example.com", "given_name": "Anna"})
	d := f.open(t, nil)
	set := directory.Attributes{directory.Email: directory.Text("anna@example.com"), directory.FirstName: directory.Text("Anna"), directory.LastName: {}, directory.Username: directory.Text("ANNA")}
	if _, err := d.UpdateAccount(t.Context(), directory.UpdateRequest{ID: u.sub, Set: set}); err != nil {
		t.Fatal(err)
	}
	if calls := f.calls(); calls["AdminUpdateUserAttributes"] != 0 {
		t.Errorf("calls: %v", calls)
	}
}

func TestRefusalsOfWritesNameTheAttribute(t *testing.T) {
	t.Parallel()
	for message, c := range map[string]struct {
		code, attribute string
		kind            directory.ErrorKind
	}{
		"Attributes did not conform to the schema: custom:department: Attribute does not exist in the schema.\n": {"InvalidParameterException", "custom.department", directory.Invalid},
		"user.custom:department: Attribute cannot be updated.\n":                                                 {"InvalidParameterException", "custom.department", directory.Invalid},
		"Attributes did not conform to the schema: given_name: The attribute is required\n":                      {"InvalidParameterException", directory.FirstName, directory.Invalid},
		"Invalid phone number format.":                                {"InvalidParameterException", directory.Phone, directory.Invalid},
		"Invalid email address format.":                               {"InvalidParameterException", directory.Email, directory.Invalid},
		"PreSignUp failed with error not today.":                      {"UserLambdaValidationException", "", directory.Invalid},
		"An account with the given phone_number already exists.":      {"AliasExistsException", directory.Phone, directory.Conflict},
		"An account with the given email already exists.":             {"UsernameExistsException", directory.Email, directory.Conflict},
		"User account already exists":                                 {"UsernameExistsException", directory.Username, directory.Conflict},
		"two calls change the same thing":                             {"ConcurrentModificationException", "", directory.Retryable},
		"a code that was thought of after this program was written":   {"SomethingNewException", "", directory.Invalid},
		"another code of that kind, and nobody knows what came of it": {"InternalNewException", "", directory.UnknownOutcome},
	} {
		f := newFake(t, byUsername)
		d := f.open(t, nil)
		status := http.StatusBadRequest
		if c.kind == directory.UnknownOutcome {
			status = http.StatusInternalServerError
		}
		f.answering("AdminCreateUser", says(status, c.code, message))
		_, err := create(t, d, byUsername, nil)
		if e := wants(t, err, c.kind); e.Attribute != c.attribute {
			t.Errorf("%s: the error names %q, want %q", message, e.Attribute, c.attribute)
		}
	}
}

func TestMembersOfPrivilegedGroupsAreNeverWritten(t *testing.T) {
	t.Parallel()
	f := newFake(t, byUsername)
	admin, ben := f.add("anna", nil), f.add("ben", nil)
	f.addGroup("administrators", admin)
	f.addGroup("editors")
	d := f.open(t, map[string]any{"privileged_groups": []string{"administrators"}})
	for _, account := range list(t, d) {
		if (account.Privileged != "") != (account.ID == admin.sub) {
			t.Errorf("%s is privileged because %q", account.Label(), account.Privileged)
		}
	}
	page, err := d.ListGroups(t.Context(), directory.GroupListRequest{})
	for _, group := range page.Groups {
		if (group.ReadOnly != "") != (group.ID == "administrators") {
			t.Errorf("%s is read only because %q; %v", group.ID, group.ReadOnly, err)
		}
	}
	single, err := d.GetAccount(t.Context(), admin.sub)
	if err != nil || single.Privileged == "" {
		t.Errorf("read alone: %q, %v", single.Privileged, err)
	}
	f.calls()
	wants(t, update(t, d, admin.sub, directory.FirstName, "X"), directory.Invalid, "administrators")
	_, err = d.SetStatus(t.Context(), directory.StatusRequest{ID: admin.sub, Status: directory.StatusInactive})
	wants(t, err, directory.Invalid, "administrators")
	wants(t, d.DeleteAccount(t.Context(), admin.sub), directory.Invalid, "administrators")
	wants(t, d.ChangeGroups(t.Context(), directory.GroupsRequest{Account: admin.sub, Add: []string{"editors"}}), directory.Invalid)
	wants(t, d.ChangeGroups(t.Context(), directory.GroupsRequest{Account: ben.sub, Add: []string{"administrators"}}), directory.Invalid, "privileged_groups")
	_, err = d.CreateAccount(t.Context(), directory.CreateRequest{Attributes: account(byUsername)(1), Groups: []string{"administrators"}})
	wants(t, err, directory.Invalid, "privileged_groups")
	for action := range f.calls() {
		if action != "AdminGetUser" && action != "AdminListGroupsForUser" && action != "DescribeUserPool" {
			t.Errorf("%s was sent", action)
		}
	}
	_, err = f.open(t, map[string]any{"privileged_groups": []string{"adminstrators"}}).ListAccounts(t.Context(), directory.ListRequest{})
	wants(t, err, directory.Invalid, "adminstrators", "privileged_groups")
}
