package okta

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-sync/rollcall/sync/directory"
	"github.com/rollcall-sync/rollcall/sync/directory/directorytest"
)

// wantError checks kind, remedy and form of an error.
func wantError(t *testing.T, err error, kind directory.ErrorKind, remedy string) *directory.Error {
	t.Helper()
	var e *directory.Error
	if !errors.As(err, &e) {
		t.Fatalf("got %v (%T), want a *directory.Error of kind %v", err, err, kind)
	}
	if e.Kind != kind || !strings.Contains(e.Remedy, remedy) || e.Directory != "staff" || e.Op == "" {
		t.Errorf("got kind %v, op %q, remedy %q (%v), want %v with %q", e.Kind, e.Op, e.Remedy, err, kind, remedy)
	}
	if strings.Contains(err.Error(), "secretToken") || strings.Contains(err.Error(), "eyJ") {
		t.Errorf("the error tells a secret: %v", err)
	}
	return e
}

func listMembers(t *testing.T, d *Directory, group string) (all []string) {
	t.Helper()
	for request := (directory.MemberListRequest{Group: group}); ; {
		page, err := d.ListMembers(t.Context(), request)
		if err != nil {
			t.Fatal(err)
		}
		if all = append(all, page.Accounts...); page.Next == "" {
			return all
		}
		request.Cursor = page.Next
	}
}

func pages(n int) int { return (n + maxPage - 1) / maxPage }

// The formula of the README: no listing costs more than the vendor's pages of 200 make necessary.
func TestRequestsAreAsTheReadmeSays(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ present, deprovisioned, groups int }{{1, 0, 0}, {200, 0, 198}, {201, 1, 199}, {1000, 401, 205}} {
		t.Run(fmt.Sprint(test), func(t *testing.T) {
			t.Parallel()
			f := newFake(t)
			people := f.people(test.present-1, statusActive) // beside the owner of the token
			f.people(test.deprovisioned, statusDeprovisioned)
			for n := range test.groups {
				f.addGroup(fmt.Sprintf("group %d", n))
			}
			d := f.open(t, nil)
			all, _ := directorytest.Accounts(t, d, directory.ListRequest{})
			if len(all) != test.present+test.deprovisioned {
				t.Errorf("listed %d accounts, want %d", len(all), test.present+test.deprovisioned)
			}
			if groups := directorytest.Groups(t, d, directory.GroupListRequest{}); len(groups) != test.groups+1 { // and the mirrored one, without Everyone
				t.Errorf("listed %d groups, want %d", len(groups), test.groups+1)
			}
			want := map[string]int{
				"GET users": pages(test.present) + max(1, pages(test.deprovisioned)), "GET groups": pages(test.groups + 2), "GET iam/assignees/users": 1,
			}
			for _, members := range []int{0, 1, 200, 201, 999} {
				if members > len(people) {
					break
				}
				group := f.addGroup(fmt.Sprintf("of %d", members))
				for _, u := range people[:members] {
					u.groups = append(u.groups, group.id)
				}
				if got := listMembers(t, d, group.id); len(got) != members {
					t.Errorf("%d members of %d", len(got), members)
				}
				want["GET groups/*/users"] += max(1, pages(members))
			}
			if diff := cmp.Diff(want, f.requests()); diff != "" {
				t.Errorf("requests (-README +sent):\n%s", diff)
			}
			sum := 0
			for _, n := range want {
				sum += n
			}
			if got := d.Requests(); got != int64(sum) {
				t.Errorf("the directory counts %d requests, want %d", got, sum)
			}
		})
	}
}

func TestAUserOnDemandCostsLittle(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	u := f.people(1, statusActive)[0]
	d := f.open(t, nil)
	for range 2 {
		if _, err := d.GetAccount(t.Context(), u.ID); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(map[string]int{"GET users/*": 2, "GET users/*/roles": 1}, f.requests()); diff != "" {
		t.Errorf("requests (-want +sent):\n%s", diff)
	}
}

func TestEachStatusIsListed(t *testing.T) {
	t.Parallel()
	want := map[string]directory.Status{
		statusActive: directory.StatusActive, "PROVISIONED": directory.StatusActive, "RECOVERY": directory.StatusActive,
		"PASSWORD_EXPIRED": directory.StatusActive, "LOCKED_OUT": directory.StatusActive, statusStaged: directory.StatusInactive,
		statusSuspended: directory.StatusInactive, statusDeprovisioned: directory.StatusInactive, "NEWLY_INVENTED": directory.StatusUnknown,
	}
	for _, staged := range []string{"inactive", "active"} {
		f := newFake(t)
		ids := map[string]string{}
		for status := range want {
			ids[f.people(1, status)[0].ID] = status
		}
		all, _ := directorytest.Accounts(t, f.open(t, map[string]any{"staged": staged}), directory.ListRequest{})
		if len(all) != len(want)+1 {
			t.Errorf("listed %d accounts, want %d", len(all), len(want)+1)
		}
		for _, account := range all {
			status := ids[account.ID]
			expected := want[status]
			if status == statusStaged && staged == "active" {
				expected = directory.StatusActive
			}
			if status != "" && account.Status != expected {
				t.Errorf("%s is %s with staged %s, want %s", status, account.Status, staged, expected)
			}
		}
	}
}

func TestADeactivationUnderWayCounts(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	u := f.people(1, statusActive)[0]
	u.Becoming = statusDeprovisioned
	account, err := f.open(t, nil).GetAccount(t.Context(), u.ID)
	if err != nil || account.Status != directory.StatusInactive {
		t.Errorf("got %s, %v, want inactive", account.Status, err)
	}
}

func TestProfilesKeepTheirTypes(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	u := f.people(1, statusActive)[0]
	for key, value := range map[string]any{
		"badgeNo": 42, "longNo": json.Number("12345678901234567"), "remote": false, "sites": []string{"bern", "zürich"}, "mobilePhone": nil,
		"department": "Red\u00e4ktion", "costCenter": "K-1", "years": []int{2024, 2025}, "displayName": 7,
	} {
		u.Profile[key] = value
	}
	account, err := f.open(t, nil).GetAccount(t.Context(), u.ID)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]directory.Value{
		"custom.badgeNo": directory.Number(42), "custom.longNo": directory.Text("12345678901234567"), "custom.remote": directory.Bool(false),
		"custom.sites": directory.List("bern", "zürich"), "custom.years": directory.List("2024", "2025"), directory.Mobile: {},
		directory.Department: directory.Text("Redäktion"), "custom.costCenter": directory.Text("K-1"), directory.DisplayName: directory.Text("7"),
		directory.LastSignInAt: {}, directory.CreatedAt: directory.Time(u.Created), directory.Nickname: {},
	} {
		if got, ok := account.Attributes[name]; !ok || !got.Equal(want) {
			t.Errorf("%s is %q (%v), known %t, want %q (%v)", name, got, got.Kind(), ok, want, want.Kind())
		}
	}
}

func TestOnlyWhatIsAskedForIsKept(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	u := f.people(1, statusActive)[0]
	u.Profile["costCenter"], u.Profile["department"] = "K-1", "Press"
	all, _ := directorytest.Accounts(t, f.open(t, nil), directory.ListRequest{Attributes: []string{directory.Department, "custom.rcFavouriteColour"}})
	got := all[1].Attributes.Names()
	if want := []string{"custom.rcFavouriteColour", directory.Department, directory.Email, directory.Username}; !slices.Equal(got, want) {
		t.Errorf("kept %q, want %q", got, want)
	}
	if value := all[1].Attributes["custom.rcFavouriteColour"]; !value.IsEmpty() {
		t.Errorf("an attribute that the record lacks is %q, want empty", value)
	}
}

func TestOneBadRecordSpoilsNoPage(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ record, problem, login string }{
		"a time that is none":   {`{"id":"00ubad","status":"ACTIVE","created":"yesterday","profile":{"login":"bad@example.com"}}`, "cannot be understood", "bad@example.com"},
		"a profile of texts":    {`{"id":"00ubad","status":"ACTIVE","profile":"none"}`, "cannot be understood", ""},
		"a nested attribute":    {`{"id":"00ubad","status":"ACTIVE","profile":{"login":"bad@example.com","place":{"x":1}}}`, "place cannot be understood", "bad@example.com"},
		"a list within a list":  {`{"id":"00ubad","status":"ACTIVE","profile":{"login":"bad@example.com","place":[["x"]]}}`, "place cannot be understood", "bad@example.com"},
		"without a status":      {`{"id":"00ubad","profile":{"login":"bad@example.com"}}`, "does not say whether", "bad@example.com"},
		"without a login":       {`{"id":"00ubad","status":"ACTIVE","profile":{"email":"bad@example.com"}}`, "no login", ""},
		"thinned to id, status": {`{"id":"00ubad","status":"ACTIVE"}`, "no profile", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFake(t)
			good := f.people(1, statusActive)[0]
			f.intercept = func(w http.ResponseWriter, r *http.Request, path string) bool {
				if path != "users" || r.URL.Query().Get("filter") != "" {
					return false
				}
				record, _ := json.Marshal(f.shown(good, r))
				w.Header().Set("Content-Type", "application/json")
				fmt.Fprintf(w, "[%s,%s]", test.record, record)
				return true
			}
			page, err := f.open(t, nil).ListAccounts(t.Context(), directory.ListRequest{})
			if err != nil || len(page.Accounts) != 2 {
				t.Fatalf("got %d accounts, %v", len(page.Accounts), err)
			}
			bad := page.Accounts[0]
			if bad.ID != "00ubad" || !strings.Contains(bad.Problem, test.problem) || bad.Attributes.Text(directory.Username) != test.login {
				t.Errorf("the bad record is %+v, want the problem %q", bad, test.problem)
			}
			if page.Accounts[1].ID != good.ID || page.Accounts[1].Problem != "" {
				t.Errorf("the good record is %+v", page.Accounts[1])
			}
			if thin := test.problem == "no profile"; (page.Doubt != "") != thin {
				t.Errorf("the doubt is %q, and the record is thin: %t", page.Doubt, thin)
			}
		})
	}
}

func TestScopesWithoutARoleAreDoubted(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	f.people(3, statusActive)
	f.role = ""
	d := f.open(t, appOptions(t))
	page, err := d.ListAccounts(t.Context(), directory.ListRequest{})
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(page.Doubt, "no user at all") || !strings.Contains(page.Remedy, "Admin roles") || len(page.Accounts) != 0 {
		t.Errorf("got %d accounts with the doubt %q and the remedy %q", len(page.Accounts), page.Doubt, page.Remedy)
	}
	_, err = d.ListGroups(t.Context(), directory.GroupListRequest{})
	wantError(t, err, directory.Auth, "Admin roles")
}

func TestAdministratorsAreMarked(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	people := f.people(6, statusActive)
	for _, u := range people[:4] { // more than a page of them
		f.admins[u.ID] = "HELP_DESK_ADMIN"
	}
	group := f.addGroup("Help desk")
	f.admins[group.id] = "USER_ADMIN"
	people[4].groups = []string{group.id}
	d := f.open(t, nil)
	all, _ := directorytest.Accounts(t, d, directory.ListRequest{})
	for i, account := range all[1:] {
		if got := account.Privileged != ""; got != (i < 4) {
			t.Errorf("account %d is privileged %q in the listing", i, account.Privileged)
		}
	}
	if n := f.requests()["GET iam/assignees/users"]; n != 3 {
		t.Errorf("asked %d times for administrators, want 3 pages once", n)
	}
	// The list does not name who is one through a group; the user's own roles do.
	account, err := d.GetAccount(t.Context(), people[4].ID)
	if err != nil || !strings.Contains(account.Privileged, "user_admin") {
		t.Errorf("got %q, %v", account.Privileged, err)
	}
	f.role = "read"
	if account, err = f.open(t, nil).GetAccount(t.Context(), people[0].ID); err != nil || account.Privileged != "" {
		t.Errorf("where roles are not shown: got %q, %v", account.Privileged, err)
	}
}

func TestFindingLooksAmongTheDeactivatedToo(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	gone := f.people(1, statusDeprovisioned)[0]
	there := f.people(1, statusActive)[0]
	gone.Profile["email"], there.Profile["email"] = `o"neill\x@example.com`, `o"neill\x@example.com`
	d := f.open(t, nil)
	found, err := d.FindAccounts(t.Context(), directory.Username, strings.ToUpper(gone.Profile["login"].(string)))
	if err != nil || len(found) != 1 || found[0].ID != gone.ID {
		t.Errorf("by login: got %v, %v", found, err)
	}
	found, err = d.FindAccounts(t.Context(), directory.Email, `o"neill\x@example.com`)
	if err != nil || len(found) != 2 {
		t.Errorf("by address: got %v, %v", found, err)
	}
}

func TestALoginIsNoID(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	f.people(1, statusActive)[0].Profile["login"] = "anna"
	d := f.open(t, nil)
	_, err := d.GetAccount(t.Context(), "anna")
	wantError(t, err, directory.NotFound, "")
	_, err = d.GetAccount(t.Context(), "me")
	wantError(t, err, directory.Invalid, "")
}

func TestBuiltInGroupsAreLeftOut(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	u := f.people(1, statusActive)[0]
	u.groups = []string{mirrored}
	d := f.open(t, nil)
	groups := directorytest.Groups(t, d, directory.GroupListRequest{})
	if len(groups) != 1 || groups[0].ID != mirrored || groups[0].ReadOnly == "" {
		t.Errorf("got %+v, want the mirrored group alone, read only", groups)
	}
	memberships, err := d.ListMemberships(t.Context(), u.ID)
	if err != nil || !slices.Equal(memberships, []string{mirrored}) {
		t.Errorf("memberships: got %q, %v", memberships, err)
	}
}

func TestMembershipsOfOneUserArePaged(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	u := f.people(1, statusActive)[0]
	for n := range 250 {
		u.groups = append(u.groups, f.addGroup(fmt.Sprint("group ", n)).id)
	}
	got, err := f.open(t, nil).ListMemberships(t.Context(), u.ID)
	if err != nil || len(got) != 250 || f.requests()["GET users/*/groups"] != 2 {
		t.Errorf("got %d groups in %d requests, %v", len(got), f.requests()["GET users/*/groups"], err)
	}
}
