package store

import (
	"context"
	"errors"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-sync/rollcall/sync/directory"
)

func TestFileIsForItsOwnerAloneWhateverItsName(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"people.db", "a b%20?mode=ro&x#y é.db"} {
		path := filepath.Join(t.TempDir(), name)
		d := newStore(t, map[string]any{optionPath: path})
		create(t, d, 0, 1)
		for _, side := range []string{"", "-wal"} {
			info, err := os.Stat(path + side)
			if err != nil {
				t.Fatal(err)
			}
			if info.Mode().Perm() != 0o600 {
				t.Errorf("%s%s has mode %o", name, side, info.Mode().Perm())
			}
		}
	}
}

func TestPragmas(t *testing.T) {
	t.Parallel()
	d := newStore(t, nil)
	create(t, d, 0, 1)
	for pragma, want := range map[string]string{"journal_mode": "wal", "synchronous": "2", "foreign_keys": "1", "busy_timeout": "10000"} {
		var got string
		if err := d.writer.QueryRowContext(t.Context(), "PRAGMA "+pragma).Scan(&got); err != nil || got != want {
			t.Errorf("%s is %q, want %q: %v", pragma, got, want, err)
		}
	}
}

func TestNamesAndAddressesAreComparedInOneForm(t *testing.T) {
	t.Parallel()
	d := newStore(t, nil)
	make := func(username, email string) error {
		_, err := d.CreateAccount(t.Context(), directory.CreateRequest{Status: directory.StatusActive, Attributes: directory.Attributes{
			directory.Username: directory.Text(username), directory.Email: directory.Text(email),
		}})
		return err
	}
	if err := make("José.Straße", "José@example.com"); err != nil {
		t.Fatal(err)
	}
	for _, username := range []string{"JOSÉ.STRASSE", "jose\u0301.straße", "José.STRAßE"} {
		err := make(username, "other@example.com")
		explained(t, err, directory.Conflict, "username")
	}
	for _, email := range []string{"JOSÉ@EXAMPLE.COM", "JOSE\u0301@example.com"} {
		err := make("other", email)
		explained(t, err, directory.Conflict, "email")
	}
	found, err := d.FindAccounts(t.Context(), directory.Username, "JOSE\u0301.STRASSE")
	if err != nil || len(found) != 1 || found[0].Attributes.Text(directory.Username) != "José.Straße" {
		t.Errorf("found %+v, %v", found, err)
	}
	if err := make("jose.strasse", ""); err != nil {
		t.Errorf("an accent counts: %v", err)
	}
	if err := make("another", ""); err != nil {
		t.Errorf("several accounts may be without an address: %v", err)
	}
}

func TestValuesThatAreRefused(t *testing.T) {
	t.Parallel()
	d := newStore(t, nil)
	account := create(t, d, 0, 1)[0]
	for name, values := range map[string][]directory.Value{
		directory.Username:      {directory.Text(" anna"), directory.Text("an\x00na"), directory.Text("an\xffna"), directory.Bool(true)},
		directory.Email:         {directory.Text("anna"), directory.Text("@example.com"), directory.Text("anna@"), directory.Text("an na@example.com")},
		directory.EmailVerified: {directory.Text("yes")},
		directory.Title:         {directory.List("a", "b"), directory.Text("\xff")},
		"custom.n":              {directory.Number(math.NaN()), directory.Number(math.Inf(1)), directory.List("\xff")},
	} {
		for _, value := range values {
			_, err := d.UpdateAccount(t.Context(), directory.UpdateRequest{ID: account.ID, Set: directory.Attributes{name: value}})
			explained(t, err, directory.Invalid, name)
			var e *directory.Error
			if errors.As(err, &e) && e.Attribute != name {
				t.Errorf("%s: the error names the attribute %q", name, e.Attribute)
			}
		}
	}
	_, err := d.UpdateAccount(t.Context(), directory.UpdateRequest{ID: account.ID, Set: directory.Attributes{directory.CustomPrefix: directory.Text("x")}})
	explained(t, err, directory.Unsupported)
}

func TestCustomAttributesKeepTheirKind(t *testing.T) {
	t.Parallel()
	d := newStore(t, nil)
	account := create(t, d, 0, 1)[0]
	want := directory.Attributes{
		"custom.text": directory.Text("2026-01-02T03:04:05Z"), "custom.bool": directory.Bool(false), "custom.number": directory.Number(-0.25),
		"custom.time": directory.Time(time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC)), "custom.list": directory.List("b", "a", ""),
		"custom.a.b \"c\"<": directory.Text("<&>\u2028"),
	}
	if _, err := d.UpdateAccount(t.Context(), directory.UpdateRequest{ID: account.ID, Set: want}); err != nil {
		t.Fatal(err)
	}
	got, err := d.GetAccount(t.Context(), account.ID)
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range want {
		if !got.Attributes[name].Equal(value) {
			t.Errorf("%s is %v (kind %d), want %v", name, got.Attributes[name], got.Attributes[name].Kind(), value)
		}
	}
}

func TestBulkRefusesOneRecordAlone(t *testing.T) {
	t.Parallel()
	d := newStore(t, nil)
	group, err := d.CreateGroup(t.Context(), "Editors")
	if err != nil {
		t.Fatal(err)
	}
	requests := people(0, 6)
	for i := range requests {
		requests[i].Groups = []string{group.ID}
	}
	requests[1].Groups = []string{group.ID, "nowhere"}
	requests[3].Attributes[directory.Username] = directory.Text("USER000000") // the first of the same call
	results, err := d.CreateAccounts(t.Context(), requests)
	if err != nil {
		t.Fatal(err)
	}
	for i, result := range results {
		switch i {
		case 1:
			explained(t, result.Err, directory.Invalid, "nowhere")
		case 3:
			explained(t, result.Err, directory.Conflict, "username", "USER000000")
		default:
			if result.Err != nil || !slices.Equal(result.Account.Groups, []string{group.ID}) {
				t.Errorf("record %d: %+v", i, result)
			}
		}
	}
	members, err := d.ListMembers(t.Context(), directory.MemberListRequest{Group: group.ID})
	if err != nil || len(members.Accounts) != 4 {
		t.Errorf("members %+v, %v", members, err)
	}
	_, err = d.CreateAccounts(t.Context(), people(10, bulkSize+1))
	explained(t, err, directory.Invalid, "500")
}

func TestRevisionGrowsWithEachChangeAndNoOther(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 22, 3, 0, 0, 0, time.UTC)
	s := settings(t, nil)
	s.Now = func() time.Time { return now }
	d := openStore(t, s)
	defer d.Close()
	account := create(t, d, 0, 1)[0]
	group, err := d.CreateGroup(t.Context(), "Editors")
	if err != nil {
		t.Fatal(err)
	}
	title := directory.Attributes{directory.Title: directory.Text("Dr")}
	steps := []struct {
		name    string
		changes bool
		do      func() error
	}{
		{"update", true, func() error {
			_, err := d.UpdateAccount(t.Context(), directory.UpdateRequest{ID: account.ID, Set: title})
			return err
		}},
		{"update to the same", false, func() error {
			_, err := d.UpdateAccount(t.Context(), directory.UpdateRequest{ID: account.ID, Set: title})
			return err
		}},
		{"join", true, func() error {
			return d.ChangeGroups(t.Context(), directory.GroupsRequest{Account: account.ID, Add: []string{group.ID}})
		}},
		{"join again", false, func() error {
			return d.ChangeGroups(t.Context(), directory.GroupsRequest{Account: account.ID, Add: []string{group.ID}})
		}},
		{"activate the active", false, func() error {
			_, err := d.SetStatus(t.Context(), directory.StatusRequest{ID: account.ID, Status: directory.StatusActive})
			return err
		}},
		{"deactivate", true, func() error {
			_, err := d.SetStatus(t.Context(), directory.StatusRequest{ID: account.ID, Status: directory.StatusInactive})
			return err
		}},
	}
	for _, step := range steps {
		now = now.Add(time.Hour)
		if err := step.do(); err != nil {
			t.Fatalf("%s: %v", step.name, err)
		}
		after, err := d.GetAccount(t.Context(), account.ID)
		if err != nil {
			t.Fatal(err)
		}
		updated, _ := after.Attributes[directory.UpdatedAt].AsTime()
		if changed := after.Revision != account.Revision; changed != step.changes || updated.Equal(now) != step.changes {
			t.Errorf("%s: revision %s became %s, updated at %v", step.name, account.Revision, after.Revision, updated)
		}
		account = after
	}
}

func TestNestedGroups(t *testing.T) {
	t.Parallel()
	d := newStore(t, map[string]any{optionPrivileged: []string{"administrators", "Nobody"}})
	ids := map[string]string{}
	for _, name := range []string{"Administrators", "Web", "Press"} {
		group, err := d.CreateGroup(t.Context(), name)
		if err != nil {
			t.Fatal(err)
		}
		ids[name] = group.ID
	}
	for group, parent := range map[string]string{"Web": "Administrators", "Press": "Web"} {
		if err := d.NestGroup(t.Context(), ids[group], ids[parent]); err != nil {
			t.Fatal(err)
		}
	}
	explained(t, d.NestGroup(t.Context(), ids["Administrators"], ids["Press"]), directory.Invalid, "itself")
	explained(t, d.NestGroup(t.Context(), ids["Web"], ids["Web"]), directory.Invalid, "itself")
	explained(t, d.NestGroup(t.Context(), ids["Web"], "nowhere"), directory.Invalid, "nowhere")

	page, err := d.ListGroups(t.Context(), directory.GroupListRequest{})
	if err != nil {
		t.Fatal(err)
	}
	paths := map[string]string{}
	for _, group := range page.Groups {
		paths[group.Name] = group.Path + " " + strings.Join(group.Parents, ",")
	}
	want := map[string]string{
		"Administrators": " ", "Web": "/Administrators/Web " + ids["Administrators"], "Press": "/Administrators/Web/Press " + ids["Web"],
	}
	for name := range want {
		if paths[name] != want[name] {
			t.Errorf("%s stands at %q, want %q", name, paths[name], want[name])
		}
	}

	made := create(t, d, 0, 2)
	if err := d.ChangeGroups(t.Context(), directory.GroupsRequest{Account: made[0].ID, Add: []string{ids["Press"]}}); err != nil {
		t.Fatal(err)
	}
	listed, err := d.ListAccounts(t.Context(), directory.ListRequest{})
	if err != nil {
		t.Fatal(err)
	}
	if got := listed.Accounts[0].Privileged; got != "group Administrators" {
		t.Errorf("a member of a nested group is privileged by %q", got)
	}
	if got := listed.Accounts[1].Privileged; got != "" {
		t.Errorf("an account without groups is privileged by %q", got)
	}
	findings, err := d.Check(t.Context(), directory.CheckRequest{})
	if err != nil || !has(findings, directory.LevelWarning, optionPrivileged) {
		t.Errorf("the check does not tell that a privileged group is missing: %+v, %v", findings, err)
	}
}

func TestCheckTellsOfOpenFilesAndUnknownAttributes(t *testing.T) {
	t.Parallel()
	d := newStore(t, nil)
	create(t, d, 0, 3)
	if err := os.Chmod(d.path, 0o644); err != nil {
		t.Fatal(err)
	}
	findings, err := d.Check(t.Context(), directory.CheckRequest{Write: true, Attributes: []string{"costCenter", directory.Title, directory.ID, "custom.x"}})
	if err != nil {
		t.Fatal(err)
	}
	for subject, level := range map[string]directory.Level{
		"file": directory.LevelOK, "writing": directory.LevelOK, "permissions": directory.LevelWarning, "costCenter": directory.LevelError,
	} {
		if !has(findings, level, subject) {
			t.Errorf("no %s finding on %s: %+v", level, subject, findings)
		}
	}
	if len(findings) != 4 {
		t.Errorf("findings %+v", findings)
	}
}

func TestAttributesAskedForByNameAreEmptyWhereThereIsNone(t *testing.T) {
	t.Parallel()
	d := newStore(t, nil)
	create(t, d, 0, 1)
	page, err := d.ListAccounts(t.Context(), directory.ListRequest{Attributes: []string{directory.Title, directory.Email, "custom.x"}})
	if err != nil {
		t.Fatal(err)
	}
	want := directory.Attributes{directory.Title: {}, directory.Email: directory.Text("user000000@example.com"), "custom.x": {}}
	if got := page.Accounts[0].Attributes; !got.Equal(want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestAWriteThatHasBegunIsFinished(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	s := settings(t, nil)
	s.Now = func() time.Time { // asked in the middle of each write
		cancel()
		return time.Unix(1, 0)
	}
	d := openStore(t, s)
	defer d.Close()
	if _, err := d.CountAccounts(ctx); err != nil {
		t.Fatal(err)
	}
	account, err := d.CreateAccount(ctx, person(1))
	if err != nil || ctx.Err() == nil {
		t.Fatalf("cancelled in the middle: %v, %v", err, ctx.Err())
	}
	if _, err := d.GetAccount(t.Context(), account.ID); err != nil {
		t.Error(err)
	}
}

func TestPartitionHasNoEmptyPage(t *testing.T) {
	t.Parallel()
	d := newStore(t, nil)
	create(t, d, 0, 12)
	for size, want := range map[int]int{1: 12, 4: 3, 5: 3, 12: 1, 13: 1} {
		cursors, err := d.Partition(t.Context(), directory.ListRequest{Size: size})
		if err != nil || len(cursors) != want {
			t.Errorf("12 accounts in pages of %d have %d cursors, want %d: %v", size, len(cursors), want, err)
		}
	}
}

func TestEmployeeIDsAreComparedAsTheyAre(t *testing.T) {
	t.Parallel()
	d := newStore(t, nil)
	create(t, d, 0, 2)
	for value, want := range map[string]int{"E-000001": 1, "e-000001": 0} {
		found, err := d.FindAccounts(t.Context(), directory.EmployeeID, value)
		if err != nil || len(found) != want {
			t.Errorf("%s finds %d accounts, want %d: %v", value, len(found), want, err)
		}
	}
}
