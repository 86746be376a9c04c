package directorytest

import (
	"maps"
	"slices"
	"testing"

	"github.com/rollcall-sync/rollcall/sync/directory"
)

// replica is what somebody knows who lists once and then reads changes: the law of ListChanges is that it ends as the
// directory does. Groups are kept for the accounts that the check watches.
type replica struct {
	w        *world
	accounts map[string]directory.Account
	groups   map[string]map[string]bool // account to groups
}

// addsUp takes a token, changes things while the listing is read, after it, and while the changes are read, and compares.
func addsUp(t testing.TB, w *world) {
	made := w.fill(t, 2*w.PageSize+1)
	moves := joins.has(w) && seesGroups.has(w)
	if moves { // somebody has to be in the group that the first round takes him out of
		w.change(t, made[2*third(made)].ID, []string{w.groups(t, 2)[1].ID}, nil)
	}
	token := w.begin(t)
	r := &replica{w: w, accounts: map[string]directory.Account{}, groups: map[string]map[string]bool{}}
	for _, account := range made {
		r.groups[account.ID] = w.memberships(t, account.ID)
	}
	stir := w.stir(t, made, moves)
	r.list(t, stir)
	stir()
	gone := ""
	if deleter, ok := w.d.(directory.Deleter); ok {
		gone = made[len(made)-1].ID
		w.good(t, deleter.DeleteAccount(t.Context(), gone), "delete account")
	}
	for _, between := range []func(){stir, nil} {
		token = r.apply(t, token, between)
	}
	if !w.desc.Changes.Deletions && gone != "" {
		delete(r.accounts, gone)
	}
	r.compare(t)
}

// memberships returns the groups of an account; nil where they are not told or cannot be read.
func (w *world) memberships(t testing.TB, id string) map[string]bool {
	t.Helper()
	if w.desc.Changes.Memberships == directory.MembershipsUntold || !seesGroups.has(w) {
		return nil
	}
	groups := map[string]bool{}
	for _, group := range w.groupsOf(t, id) {
		groups[group] = true
	}
	return groups
}

// stir returns a function that, each time, does one of each: create, update, set a status, join or leave a group. It deletes
// nobody, because where pages are offsets a deletion hides somebody else from the listing, which is no matter of changes.
// Nothing happens to the last account made, and no group to one that was deactivated.
func (w *world) stir(t testing.TB, made []directory.Account, moves bool) func() {
	round := 0
	return func() {
		t.Helper()
		n := third(made)
		pick := func(part int) string { return made[part*n+round%n].ID }
		w.fill(t, 1)
		if updates.has(w) {
			set := directory.Attributes{}
			for name, value := range w.next() {
				if updatable(w.spec(name)) {
					set[name] = value
				}
			}
			w.update(t, pick(0), set)
		}
		if sets.has(w) {
			w.setStatus(t, pick(1), directory.StatusInactive)
		}
		if moves {
			groups, turn := w.groups(t, 2), round/n%2
			w.change(t, pick(2), []string{groups[turn].ID}, []string{groups[1-turn].ID})
		}
		round++
	}
}

// third is how many accounts each kind of change goes round.
func third(made []directory.Account) int { return (len(made) - 1) / 3 }

// list reads a listing of which each account is taken as the last page that shows it does. It checks no totals, since the
// directory changes meanwhile.
func (r *replica) list(t testing.TB, between func()) {
	t.Helper()
	request := directory.ListRequest{Size: r.w.PageSize}
	for n := range mostPages {
		page, err := r.w.d.ListAccounts(t.Context(), request)
		r.w.good(t, err, "list accounts")
		for _, account := range page.Accounts {
			r.accounts[account.ID] = account
		}
		if page.Next == "" {
			return
		}
		request.Cursor = page.Next
		if n < 3 { // each round adds an account, and a listing has to end some time
			between()
		}
	}
	t.Fatalf("the listing did not end within %d pages", mostPages)
}

// apply puts a chain on top of what is known and returns the token for the next.
func (r *replica) apply(t testing.TB, since string, between func()) string {
	t.Helper()
	got := r.w.changed(t, r.w.d, directory.ChangeRequest{Since: since, Size: r.w.PageSize}, between)
	listed := r.w.list(t, r.w.d, directory.ListRequest{})
	for _, change := range got.accounts {
		id := change.Account.ID
		account, there := change.Account, change.Kind == directory.Changed
		if change.Kind == directory.Look {
			account, there = find(listed, id)
		}
		if !there {
			delete(r.accounts, id)
			delete(r.groups, id)
			continue
		}
		r.accounts[id] = account
		if _, watched := r.groups[id]; watched && r.w.desc.Changes.Memberships == directory.MembershipsByAccount {
			r.groups[id] = r.w.memberships(t, id)
		}
	}
	relist := map[string]bool{}
	for _, change := range got.groups {
		r.members(change)
		relist[change.Group.ID] = relist[change.Group.ID] || change.Relist
	}
	for _, group := range slices.Sorted(maps.Keys(relist)) {
		for id := range r.groups {
			if relist[group] && r.groups[id] != nil {
				r.set(id, group, r.w.memberships(t, id)[group])
			}
		}
	}
	return got.token
}

func (r *replica) members(change directory.GroupChange) {
	for _, id := range change.Joined {
		r.set(id, change.Group.ID, true)
	}
	for _, id := range change.Left {
		r.set(id, change.Group.ID, false)
	}
	for id := range r.groups {
		if change.Kind == directory.Gone {
			r.set(id, change.Group.ID, false)
		}
	}
}

// set notes a membership of a watched account.
func (r *replica) set(account, group string, in bool) {
	groups := r.groups[account]
	switch {
	case groups == nil:
	case in:
		groups[group] = true
	default:
		delete(groups, group)
	}
}

// compare checks that what is known is what a listing shows.
func (r *replica) compare(t testing.TB) {
	t.Helper()
	listed := r.w.list(t, r.w.d, directory.ListRequest{})
	known := slices.Sorted(maps.Keys(r.accounts))
	if now := ids(listed); !slices.Equal(known, now) {
		t.Errorf("a listing and the changes since make\n%q\nand a listing now shows\n%q", known, now)
	}
	for _, now := range listed {
		account, ok := r.accounts[now.ID]
		if !ok {
			continue
		}
		// Inline groups are as old as the account where memberships come by group, and are compared below.
		account.GroupsKnown = account.GroupsKnown && r.w.desc.Changes.Memberships == directory.MembershipsByAccount
		r.w.untouched(t, now, account, r.w.desc.Changes.Untracked...)
		if groups := r.groups[now.ID]; groups != nil {
			if is := r.w.memberships(t, now.ID); !maps.Equal(groups, is) {
				t.Errorf("the changes make account %q a member of %v, and it is one of %v", now.ID, groups, is)
			}
		}
	}
}
