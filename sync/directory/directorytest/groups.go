package directorytest

import (
	"slices"
	"testing"

	"github.com/rollcall-sync/rollcall/sync/directory"
)

var groups = chapter{"groups", []check{
	{"list", []power{listGroups}, listsGroups},
	{"create", []power{makeGroups, listGroups}, createsGroup},
	{"a page and one of them", []power{listGroups, {"way to make groups", canMakeGroups}}, pagesGroups},
	{"add and remove, twice each", []power{joins, fills, seesGroups}, changesGroups},
	{"other groups stay", []power{joins, fills, seesGroups}, keepsGroups},
	{"create with groups", []power{creates, joins, seesGroups}, createsInGroups},
	{"a page and one of members", []power{joins, fills, members}, pagesMembers},
	{"unknown groups and accounts", []power{joins, fills}, refusesGroups},
	{"members of a missing group", []power{members}, listsMissingMembers},
}}

func canMakeGroups(w *world) bool { return makeGroups.has(w) || w.place.Seed != nil }

// listGroups follows Next to the end.
func (w *world) listGroups(t testing.TB, size int) []directory.Group {
	t.Helper()
	var all []directory.Group
	seen, cursors := map[string]bool{}, map[string]bool{}
	request := directory.GroupListRequest{Size: size}
	for range mostPages {
		page, err := w.d.(directory.GroupLister).ListGroups(t.Context(), request)
		w.good(t, err, "list groups")
		if size > 0 && len(page.Groups) > size {
			t.Errorf("a page of %d groups was asked for and %d came", size, len(page.Groups))
		}
		for _, group := range page.Groups {
			if group.ID == "" || group.Name == "" || seen[group.ID] {
				t.Errorf("the group %+v has no id, no name or came twice", group)
			}
			seen[group.ID] = true
			all = append(all, group)
		}
		if page.Next == "" {
			if page.Total >= 0 && page.Total != len(all) {
				t.Errorf("the page tells of %d groups, the listing has %d", page.Total, len(all))
			}
			return all
		}
		if page.Next == request.Cursor || cursors[page.Next] {
			t.Fatalf("the cursor %q came twice: the listing makes no progress", page.Next)
		}
		cursors[page.Next] = true
		request.Cursor = page.Next
	}
	t.Fatalf("the listing did not end within %d pages", mostPages)
	return nil
}

func listsGroups(t testing.TB, w *world) {
	first, second := w.listGroups(t, 0), w.listGroups(t, w.PageSize)
	if a, b := groupIDs(first), groupIDs(second); !slices.Equal(a, b) {
		t.Errorf("the first listing shows the groups\n%q\nthe second\n%q", a, b)
	}
	for _, group := range first {
		for _, parent := range group.Parents {
			if !slices.Contains(groupIDs(first), parent) {
				t.Errorf("the parent %q of group %q is not listed", parent, group.Name)
			}
		}
	}
}

func groupIDs(groups []directory.Group) []string {
	var all []string
	for _, group := range groups {
		all = append(all, group.ID)
	}
	slices.Sort(all)
	return all
}

func createsGroup(t testing.TB, w *world) {
	creator := w.d.(directory.GroupCreator)
	name := w.GroupName(int(w.numbers.group.Add(1)))
	group, err := creator.CreateGroup(t.Context(), name)
	w.good(t, err, "create group")
	if group.ID == "" || group.Name != name {
		t.Errorf("the answer to creating the group %q is %+v", name, group)
	}
	before := groupIDs(w.listGroups(t, 0))
	if !slices.Contains(before, group.ID) {
		t.Errorf("the new group %q is not listed", group.ID)
	}
	_, err = creator.CreateGroup(t.Context(), name)
	w.refused(t, err, "create the group "+name+" again", directory.Conflict)
	_, err = creator.CreateGroup(t.Context(), "")
	w.refused(t, err, "create a group without a name", directory.Invalid)
	if after := groupIDs(w.listGroups(t, 0)); !slices.Equal(before, after) {
		t.Errorf("the groups were\n%q\nand are after refused creations\n%q", before, after)
	}
}

// groups returns n groups that test accounts may join.
func (w *world) groups(t testing.TB, n int) []directory.Group {
	t.Helper()
	for len(w.made) < n && canMakeGroups(w) {
		name := w.GroupName(int(w.numbers.group.Add(1)))
		if creator, ok := w.d.(directory.GroupCreator); ok {
			group, err := creator.CreateGroup(t.Context(), name)
			w.good(t, err, "create group")
			w.made = append(w.made, group)
			continue
		}
		w.place.Seed(t, Seed{Groups: []string{name}})
		w.made = append(w.made, w.named(t, name))
	}
	if len(w.made) >= n {
		return w.made[:n]
	}
	usable := slices.DeleteFunc(w.listGroups(t, 0), func(group directory.Group) bool {
		return group.ReadOnly != "" || len(w.UseGroups) > 0 && !slices.Contains(w.UseGroups, group.ID)
	})
	if len(usable) < n {
		t.Fatalf("%d groups are needed and the directory has %d that can be used: see Suite.UseGroups", n, len(usable))
	}
	return usable[:n]
}

// named returns the group of that name.
func (w *world) named(t testing.TB, name string) directory.Group {
	t.Helper()
	for _, group := range w.listGroups(t, 0) {
		if group.Name == name {
			return group
		}
	}
	t.Fatalf("the seeded group %q is not listed", name)
	return directory.Group{}
}

func pagesGroups(t testing.TB, w *world) {
	made := w.groups(t, w.PageSize+1)
	listed := groupIDs(w.listGroups(t, w.PageSize))
	for _, group := range made {
		if !slices.Contains(listed, group.ID) {
			t.Errorf("the group %q is not listed in pages of %d", group.Name, w.PageSize)
		}
	}
}

// groupsOf returns the groups of an account and checks that all ways to read them agree.
func (w *world) groupsOf(t testing.TB, id string) []string {
	t.Helper()
	var told [][]string
	if lister, ok := w.d.(directory.MembershipLister); ok {
		groups, err := lister.ListMemberships(t.Context(), id)
		w.good(t, err, "list memberships")
		told = append(told, groups)
	}
	if account := w.peek(t, id); account.GroupsKnown {
		told = append(told, account.Groups)
	}
	if w.desc.GroupsInline {
		account, _ := find(w.list(t, w.d, directory.ListRequest{}), id)
		told = append(told, account.Groups)
	}
	_, listsMembers := w.d.(directory.MemberLister)
	if _, ok := w.d.(directory.GroupLister); ok && listsMembers {
		var in []string
		for _, group := range w.listGroups(t, 0) {
			if slices.Contains(w.members(t, group.ID, 0), id) {
				in = append(in, group.ID)
			}
		}
		told = append(told, in)
	}
	for _, groups := range told[1:] {
		if !sameSet(told[0], groups) {
			t.Errorf("the groups of account %q are %q by one way of reading and %q by another", id, told[0], groups)
		}
	}
	return told[0]
}

// members follows Next to the end.
func (w *world) members(t testing.TB, group string, size int) []string {
	t.Helper()
	var all []string
	cursors := map[string]bool{}
	request := directory.MemberListRequest{Group: group, Size: size}
	for range mostPages {
		page, err := w.d.(directory.MemberLister).ListMembers(t.Context(), request)
		w.good(t, err, "list members")
		if size > 0 && len(page.Accounts) > size {
			t.Errorf("a page of %d members was asked for and %d came", size, len(page.Accounts))
		}
		all = append(all, page.Accounts...)
		if page.Next == "" {
			slices.Sort(all)
			if len(slices.Compact(slices.Clone(all))) != len(all) {
				t.Errorf("the group %q lists a member twice: %q", group, all)
			}
			return all
		}
		if page.Next == request.Cursor || cursors[page.Next] {
			t.Fatalf("the cursor %q came twice: the listing makes no progress", page.Next)
		}
		cursors[page.Next] = true
		request.Cursor = page.Next
	}
	t.Fatalf("the members did not end within %d pages", mostPages)
	return nil
}

func (w *world) change(t testing.TB, account string, add, remove []string) {
	t.Helper()
	err := w.d.(directory.GroupChanger).ChangeGroups(t.Context(), directory.GroupsRequest{Account: account, Add: add, Remove: remove})
	w.good(t, err, "change groups")
}

func changesGroups(t testing.TB, w *world) {
	groups := w.groups(t, 2)
	a, b := groups[0].ID, groups[1].ID
	account := w.fill(t, 1)[0]
	steps := []struct {
		add, remove, in, out []string
	}{
		{[]string{a}, nil, []string{a}, []string{b}},
		{[]string{a}, nil, []string{a}, []string{b}},
		{[]string{b}, []string{a}, []string{b}, []string{a}},
		{[]string{b}, []string{a}, []string{b}, []string{a}},
		{[]string{a, b}, nil, []string{a, b}, nil},
		{nil, nil, []string{a, b}, nil},
		{nil, []string{b}, []string{a}, []string{b}},
		{nil, []string{b}, []string{a}, []string{b}},
	}
	for _, step := range steps {
		w.change(t, account.ID, step.add, step.remove)
		now := w.groupsOf(t, account.ID)
		for _, group := range step.in {
			if !slices.Contains(now, group) {
				t.Fatalf("after adding %q and removing %q the account is in %q", step.add, step.remove, now)
			}
		}
		for _, group := range step.out {
			if slices.Contains(now, group) {
				t.Fatalf("after adding %q and removing %q the account is in %q", step.add, step.remove, now)
			}
		}
	}
}

// keepsGroups: groups that the rules do not name belong to somebody else.
func keepsGroups(t testing.TB, w *world) {
	groups := w.groups(t, 2)
	made := w.fill(t, 2)
	w.change(t, made[0].ID, []string{groups[0].ID}, nil)
	w.change(t, made[1].ID, []string{groups[0].ID}, nil)
	before := w.groupsOf(t, made[1].ID)
	w.change(t, made[0].ID, []string{groups[1].ID}, nil)
	if now := w.groupsOf(t, made[0].ID); !slices.Contains(now, groups[0].ID) {
		t.Errorf("the account joined another group and lost %q: %q", groups[0].ID, now)
	}
	w.change(t, made[0].ID, nil, []string{groups[0].ID})
	if now := w.groupsOf(t, made[1].ID); !sameSet(before, now) {
		t.Errorf("another account was in %q and is in %q", before, now)
	}
	if updater, ok := w.d.(directory.Updater); ok {
		before := w.groupsOf(t, made[1].ID)
		for _, spec := range w.writable() {
			if samples := w.samples(t, spec); len(samples) > 0 && !spec.Unique {
				_, err := updater.UpdateAccount(t.Context(), directory.UpdateRequest{ID: made[1].ID, Set: directory.Attributes{spec.Name: samples[0].value}})
				w.good(t, err, "update account")
				break
			}
		}
		if now := w.groupsOf(t, made[1].ID); !sameSet(before, now) {
			t.Errorf("an account was in %q and is, after an update of its attributes, in %q", before, now)
		}
	}
}

func createsInGroups(t testing.TB, w *world) {
	groups := w.groups(t, 2)
	account := w.make(t, directory.CreateRequest{Groups: []string{groups[0].ID, groups[1].ID}})
	if account.GroupsKnown && !slices.Contains(account.Groups, groups[0].ID) {
		t.Errorf("the answer to create has the groups %q", account.Groups)
	}
	if now := w.groupsOf(t, account.ID); !slices.Contains(now, groups[0].ID) || !slices.Contains(now, groups[1].ID) {
		t.Errorf("the account was created in %q and %q and is in %q", groups[0].ID, groups[1].ID, now)
	}
	before := ids(w.list(t, w.d, directory.ListRequest{}))
	_, err := w.d.(directory.Creator).CreateAccount(t.Context(), directory.CreateRequest{
		Attributes: w.next(), Status: directory.StatusActive, Groups: []string{w.MissingGroup},
	})
	w.refused(t, err, "create in a missing group", directory.Invalid)
	if after := ids(w.list(t, w.d, directory.ListRequest{})); !slices.Equal(before, after) {
		t.Error("the account refused for its group was made all the same")
	}
}

func pagesMembers(t testing.TB, w *world) {
	group := w.groups(t, 1)[0]
	before := w.members(t, group.ID, 0)
	want := slices.Clone(before)
	for _, account := range w.fill(t, w.PageSize+1) {
		w.change(t, account.ID, []string{group.ID}, nil)
		want = append(want, account.ID)
	}
	for _, size := range []int{0, w.PageSize} {
		if now := w.members(t, group.ID, size); !sameSet(now, want) {
			t.Errorf("in pages of %d the members are\n%q\nwant\n%q", size, now, want)
		}
	}
}

func refusesGroups(t testing.TB, w *world) {
	changer := w.d.(directory.GroupChanger)
	group := w.groups(t, 1)[0]
	account := w.fill(t, 1)[0]
	err := changer.ChangeGroups(t.Context(), directory.GroupsRequest{Account: account.ID, Add: []string{w.MissingGroup}})
	w.refused(t, err, "add to a missing group", directory.Invalid)
	err = changer.ChangeGroups(t.Context(), directory.GroupsRequest{Account: w.MissingID, Add: []string{group.ID}})
	w.refused(t, err, "add a missing account", directory.NotFound)
	if lister, ok := w.d.(directory.MembershipLister); ok {
		_, err = lister.ListMemberships(t.Context(), w.MissingID)
		w.refused(t, err, "memberships of a missing account", directory.NotFound)
	}
}

func listsMissingMembers(t testing.TB, w *world) {
	_, err := w.d.(directory.MemberLister).ListMembers(t.Context(), directory.MemberListRequest{Group: w.MissingGroup})
	w.refused(t, err, "members of a missing group", directory.NotFound)
}
