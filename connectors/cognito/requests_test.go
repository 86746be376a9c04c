package cognito

import (
	"fmt"
	"maps"
	"testing"

	"github.com/rollcall-sync/rollcall/sync/directory"
)

func pages(n int) int { return max(1, (n+maxPage-1)/maxPage) }

// The numbers are those of the README's table.
func TestRequestCounts(t *testing.T) {
	t.Parallel()
	const users, groups = 305, 62
	f := newFake(t, byUsername)
	f.whole = true
	var all []*fakeUser
	for i := range users {
		all = append(all, f.add(fmt.Sprintf("user-%03d", i), map[string]string{email: fmt.Sprintf("user-%03d@example.com", i)}))
	}
	memberPages := 0
	for i := range groups {
		members := all[:min(users, i*5)]
		f.addGroup(fmt.Sprintf("group-%02d", i), members...)
		memberPages += pages(len(members))
	}
	d := f.open(t, nil)
	count := func(what string, want int, do func() error) {
		t.Helper()
		f.calls()
		if err := do(); err != nil {
			t.Errorf("%s: %v", what, err)
		}
		got := 0
		calls := f.calls()
		for n := range maps.Values(calls) {
			got += n
		}
		if got != want {
			t.Errorf("%s takes %d requests, want %d: %v", what, got, want, calls)
		}
	}
	ctx := t.Context()
	id := all[7].sub
	count("a listing", pages(users), func() error { list(t, d); return nil })
	count("all groups and their members", pages(groups)+memberPages, func() error {
		var names []string
		if err := d.eachGroup(ctx, op{words: "list groups"}, "", func(name string) { names = append(names, name) }); err != nil {
			return err
		}
		for _, name := range names {
			for cursor, more := "", true; more; more = cursor != "" {
				page, err := d.ListMembers(ctx, directory.MemberListRequest{Group: name, Cursor: cursor})
				if err != nil {
					return err
				}
				cursor = page.Next
			}
		}
		return nil
	})
	count("the groups of one user after a listing", 1, func() error { _, err := d.ListMemberships(ctx, all[50].sub); return err })
	count("the groups of one user without a listing", 2, func() error { _, err := f.open(t, nil).ListMemberships(ctx, all[50].sub); return err })
	count("one user after a listing", 1, func() error { _, err := d.GetAccount(ctx, id); return err })
	count("one user without a listing", 1, func() error { _, err := f.open(t, nil).GetAccount(ctx, id); return err })
	count("one user who is gone", 2, func() error { return ignore(d.GetAccount(ctx, newSub())) })
	count("one user who is gone and whose name is known", 1, func() error {
		d.remember(record{sub: nobody, username: "leaver"})
		return ignore(d.GetAccount(ctx, nobody))
	})
	count("one user by name", 1, func() error { _, err := d.FindAccounts(ctx, directory.Username, "user-009"); return err })
	count("one user by address", 1, func() error { _, err := d.FindAccounts(ctx, directory.Email, "user-009@example.com"); return err })
	var made directory.Account
	count("the first creation", 2, func() (err error) { made, err = create(t, d, byUsername, nil); return err })
	count("a creation in two groups, disabled", 5+pages(groups), func() error {
		_, err := d.CreateAccount(ctx, directory.CreateRequest{Attributes: account(byUsername)(2), Status: directory.StatusInactive, Groups: []string{"group-01", "group-02"}})
		return err
	})
	count("an update", 3, func() error { return update(t, d, made.ID, directory.FirstName, "Other") })
	count("an update that changes nothing", 1, func() error { return update(t, d, made.ID, directory.FirstName, "Other") })
	count("a deactivation", 3, func() error {
		_, err := d.SetStatus(ctx, directory.StatusRequest{ID: made.ID, Status: directory.StatusInactive})
		return err
	})
	count("a deactivation of who is inactive", 1, func() error {
		_, err := d.SetStatus(ctx, directory.StatusRequest{ID: made.ID, Status: directory.StatusInactive})
		return err
	})
	count("into two groups and out of one", 4, func() error {
		return d.ChangeGroups(ctx, directory.GroupsRequest{Account: made.ID, Add: []string{"group-01", "group-02"}, Remove: []string{"group-03"}})
	})
	count("a deletion", 2, func() error { return d.DeleteAccount(ctx, made.ID) })
	count("a new group", 1, func() error { _, err := d.CreateGroup(ctx, "new"); return err })

	d = f.open(t, map[string]any{"privileged_groups": []string{"group-61"}})
	count("a listing with a privileged group of 305", pages(users)+pages(305), func() error { list(t, d); return nil })
}

// ignore drops the error of a look that is meant to find nobody.
func ignore(_ directory.Account, err error) error {
	if directory.KindOf(err) == directory.NotFound {
		return nil
	}
	return fmt.Errorf("somebody was found, or %w", err)
}

func TestRequestCountsWhereNamesAreGenerated(t *testing.T) {
	t.Parallel()
	f := newFake(t, byEmail)
	u := f.add("anna@example.com", nil)
	d := f.open(t, nil)
	if _, err := d.GetAccount(t.Context(), u.sub); err != nil {
		t.Fatal(err)
	}
	if _, err := d.FindAccounts(t.Context(), directory.Email, "anna@example.com"); err != nil {
		t.Fatal(err)
	}
	if calls := f.calls(); calls["AdminGetUser"] != 2 || len(calls) != 1 {
		t.Errorf("one user by sub and by address takes %v", calls)
	}
}

// The rate is that of the option, and a listing alone stays below it.
func TestTheRateIsKept(t *testing.T) {
	t.Parallel()
	f := newFake(t, byUsername)
	f.whole = true
	for i := range 60*30 + 1 {
		f.add(fmt.Sprint("user-", i), nil)
	}
	w := newWatch()
	f.clock = w.read
	d := f.openAt(t, w, map[string]any{"rate": 10})
	start := w.read()
	list(t, d)
	took, n := w.read().Sub(start).Seconds(), f.calls()["ListUsers"]
	if want := float64(n-concurrency) / 10; took < want*0.99 || took > want*1.5 {
		t.Errorf("%d requests took %.1f s at 10 per second, want about %.1f", n, took, want)
	}
}
