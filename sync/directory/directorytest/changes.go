package directorytest

import (
	"errors"
	"reflect"
	"slices"
	"testing"

	"github.com/rollcall-sync/rollcall/sync/directory"
)

var changes = chapter{"changes", []check{
	{"the first token comes alone", []power{tellsChanges}, beginsChanges},
	{"a new account", []power{tellsChanges, fills}, tellsNew},
	{"an update and a rename", []power{tellsChanges, fills, updates}, tellsUpdate},
	{"deactivation and activation", []power{tellsChanges, fills, sets}, tellsStatus},
	{"a deletion", []power{tellsChanges, fills, deletes}, tellsDeletion},
	{"groups joined and left", []power{tellsChanges, fills, joins, seesGroups}, tellsMemberships},
	{"a new group", []power{tellsChanges, makeGroups}, tellsGroup},
	{"none, one, a page, a page and one", []power{tellsChanges, fills}, pagesChanges},
	{"the same token again", []power{tellsChanges, fills}, repeatsToken},
	{"a token outlives the process", []power{tellsChanges, fills, again}, keepsToken},
	{"a token that is no longer good", []power{tellsChanges}, refusesToken},
	{"refuses a cursor it never gave", []power{tellsChanges}, refusesChangeCursor},
	{"gives the attributes asked for", []power{tellsChanges, fills}, changesAttributes},
	{"a listing and what changed since are a listing", []power{tellsChanges, fills}, addsUp},
}}

var tellsChanges = ability[directory.ChangeLister]("ChangeLister")

// chain is what all pages of one chain tell.
type chain struct {
	accounts []directory.AccountChange
	groups   []directory.GroupChange
	token    string
}

// last returns the last change of an account.
func (c chain) last(id string) (directory.AccountChange, bool) {
	for _, change := range slices.Backward(c.accounts) {
		if change.Account.ID == id {
			return change, true
		}
	}
	return directory.AccountChange{}, false
}

// changed follows a chain to its end and checks on the way what holds for every chain. Between is called after each page.
func (w *world) changed(t testing.TB, d directory.Directory, request directory.ChangeRequest, between func()) chain {
	t.Helper()
	var all chain
	cursors := map[string]bool{}
	for range mostPages {
		page, err := d.(directory.ChangeLister).ListChanges(t.Context(), request)
		w.good(t, err, "list changes")
		w.healthyChanges(t, page)
		all.accounts, all.groups = append(all.accounts, page.Accounts...), append(all.groups, page.Groups...)
		if page.Next == "" {
			all.token = page.Token
			return all
		}
		if page.Next == request.Cursor || cursors[page.Next] {
			t.Fatalf("the cursor %q came twice: the chain makes no progress", page.Next)
		}
		cursors[page.Next] = true
		request.Cursor = page.Next
		if between != nil {
			between()
		}
	}
	t.Fatalf("the chain did not end within %d pages", mostPages)
	return all
}

// healthyChanges checks one page of a directory in which nothing is wrong.
func (w *world) healthyChanges(t testing.TB, page directory.ChangePage) {
	t.Helper()
	if (page.Next == "") != (page.Token != "") {
		t.Fatalf("a page has the token %q and the cursor %q: the last one has a token, and the others have a cursor", page.Token, page.Next)
	}
	if page.Doubt != "" {
		t.Errorf("a healthy chain is doubted: %s", page.Doubt)
	}
	for _, change := range page.Accounts {
		switch bare := (directory.Account{ID: change.Account.ID}); {
		case change.Kind == directory.Changed:
			w.sound(t, change.Account)
		case bare.ID == "" || !reflect.DeepEqual(change.Account, bare):
			t.Errorf("a change that only names an account is %+v", change)
		}
	}
	for _, change := range page.Groups {
		switch bare := (directory.Group{ID: change.Group.ID}); {
		case bare.ID == "":
			t.Errorf("a change of a group names none: %+v", change)
		case change.Kind == directory.Changed:
			if change.Group.Name == "" {
				t.Errorf("the changed group %q has no name", bare.ID)
			}
		case !reflect.DeepEqual(change.Group, bare):
			t.Errorf("a change that only names a group is %+v", change)
		}
		for _, id := range slices.Concat(change.Joined, change.Left) {
			if id == "" || slices.Contains(change.Joined, id) && slices.Contains(change.Left, id) {
				t.Errorf("account %q joined and left group %q in one change: %+v", id, change.Group.ID, change)
			}
		}
	}
}

// begin returns the token of now.
func (w *world) begin(t testing.TB, attributes ...string) string {
	t.Helper()
	if w.place.Settle != nil {
		w.place.Settle(t)
	}
	first := w.changed(t, w.d, directory.ChangeRequest{Attributes: attributes, Size: w.PageSize}, nil)
	if len(first.accounts)+len(first.groups) > 0 {
		t.Errorf("the first token comes with changes: %+v", first)
	}
	return first.token
}

// exact reports whether nothing but what happened since the token may come.
func (w *world) exact() bool { return w.desc.Changes.Overlap == 0 || w.place.Settle != nil }

// tells follows the chain from a token and checks that it brings up these accounts as they are now, and nobody else.
func (w *world) tells(t testing.TB, since string, want ...string) chain {
	t.Helper()
	got := w.changed(t, w.d, directory.ChangeRequest{Since: since, Size: w.PageSize}, nil)
	listed := w.list(t, w.d, directory.ListRequest{})
	for _, id := range want {
		if _, ok := got.last(id); !ok {
			t.Errorf("account %q changed and is not told of; told of: %+v", id, got.accounts)
		}
	}
	for _, change := range got.accounts {
		id := change.Account.ID
		if !slices.Contains(want, id) && w.exact() {
			t.Errorf("account %q is told of, and nothing happened to it: %+v", id, change)
		}
		if last, _ := got.last(id); !reflect.DeepEqual(last, change) {
			continue
		}
		now, there := find(listed, id)
		switch {
		case change.Kind == directory.Gone:
			w.proven(t, id, there)
		case change.Kind == directory.Changed && !there:
			t.Errorf("account %q is told of as changed and is not listed", id)
		case change.Kind == directory.Changed:
			w.agreesWith(t, change.Account, now)
		}
	}
	return got
}

// agreesWith checks that a change tells the account as the listing does.
func (w *world) agreesWith(t testing.TB, told, listed directory.Account) {
	t.Helper()
	w.untouched(t, listed, told, w.desc.Changes.Untracked...)
	if told.GroupsKnown != listed.GroupsKnown {
		t.Errorf("account %q has its groups: %t as changed, %t as listed", told.ID, told.GroupsKnown, listed.GroupsKnown)
	}
}

// proven checks that a tombstone tells the truth.
func (w *world) proven(t testing.TB, id string, listed bool) {
	t.Helper()
	if listed {
		t.Errorf("account %q is told of as gone, and is listed", id)
	}
	if getter, ok := w.d.(directory.Getter); ok {
		_, err := getter.GetAccount(t.Context(), id)
		w.refused(t, err, "get account "+id+", which is told of as gone", directory.NotFound)
	}
}

func beginsChanges(t testing.TB, w *world) {
	if fills.has(w) {
		w.fill(t, 1)
	}
	token := w.begin(t)
	for range 2 {
		quiet := w.tells(t, token)
		if w.exact() && len(quiet.groups) > 0 {
			t.Errorf("groups are told of, and nothing happened to any: %+v", quiet.groups)
		}
		token = quiet.token
	}
}

func tellsNew(t testing.TB, w *world) {
	w.fill(t, 1)
	token := w.begin(t)
	made := w.fill(t, 1)[0]
	got := w.tells(t, token, made.ID)
	if w.desc.Changes.Overlap == 0 {
		w.tells(t, got.token)
	}
}

func tellsUpdate(t testing.TB, w *world) {
	made := w.fill(t, 2)
	token := w.begin(t)
	set := directory.Attributes{}
	for name, value := range w.next() {
		if updatable(w.spec(name)) && !slices.Contains(w.desc.Changes.Untracked, name) && !value.Equal(made[0].Attributes[name]) {
			set[name] = value
		}
	}
	if len(set) == 0 {
		t.Log("left out: nothing can be updated that is told of")
		return
	}
	w.update(t, made[0].ID, set)
	got := w.tells(t, token, made[0].ID)
	if change, _ := got.last(made[0].ID); change.Kind == directory.Changed {
		w.holds(t, "the changed account", change.Account, set)
	}
}

func tellsStatus(t testing.TB, w *world) {
	account := w.fill(t, 2)[0]
	for _, status := range []directory.Status{directory.StatusInactive, directory.StatusActive} {
		token := w.begin(t)
		w.setStatus(t, account.ID, status)
		got := w.tells(t, token, account.ID)
		if change, _ := got.last(account.ID); change.Kind == directory.Changed && change.Account.Status != status {
			t.Errorf("the account was set %s and is told of as %s", status, change.Account.Status)
		}
	}
}

// tellsDeletion deletes one that was there and one that was made after the token.
func tellsDeletion(t testing.TB, w *world) {
	deleter := w.d.(directory.Deleter)
	old := w.fill(t, 2)[0]
	token := w.begin(t)
	w.good(t, deleter.DeleteAccount(t.Context(), old.ID), "delete account")
	brief := w.fill(t, 1)[0]
	w.good(t, deleter.DeleteAccount(t.Context(), brief.ID), "delete account")
	got := w.changed(t, w.d, directory.ChangeRequest{Since: token, Size: w.PageSize}, nil)
	change, told := got.last(old.ID)
	if w.desc.Changes.Deletions && (!told || change.Kind != directory.Gone) {
		t.Errorf("account %q was deleted and is not told of as gone: %+v", old.ID, change)
	}
	for _, change := range got.accounts {
		switch id := change.Account.ID; {
		case change.Kind == directory.Gone && !w.desc.Changes.Deletions:
			t.Errorf("account %q is told of as gone, and the description says that deletions are not told", id)
		case change.Kind == directory.Gone:
			w.proven(t, id, false)
		case id != old.ID && id != brief.ID && w.exact():
			t.Errorf("account %q is told of, and nothing happened to it", id)
		}
	}
	for _, account := range []directory.Account{old, brief} {
		if change, ok := got.last(account.ID); ok && change.Kind == directory.Changed {
			t.Errorf("account %q was deleted and is told of as changed", account.ID)
		}
	}
}

func tellsMemberships(t testing.TB, w *world) {
	if w.desc.Changes.Memberships == directory.MembershipsUntold {
		t.Log("left out: memberships are not told")
		return
	}
	group := w.groups(t, 1)[0].ID
	account := w.fill(t, 2)[0].ID
	for _, joins := range []bool{true, false} {
		token := w.begin(t)
		if joins {
			w.change(t, account, []string{group}, nil)
		} else {
			w.change(t, account, nil, []string{group})
		}
		if w.desc.Changes.Memberships == directory.MembershipsByAccount {
			w.tells(t, token, account)
			continue
		}
		got := w.changed(t, w.d, directory.ChangeRequest{Since: token, Size: w.PageSize}, nil)
		var in, known bool
		for _, change := range got.groups {
			if change.Group.ID == group && (change.Relist || slices.Contains(change.Joined, account) || slices.Contains(change.Left, account)) {
				in, known = change.Relist && joins || slices.Contains(change.Joined, account), true
			} else if change.Group.ID != group && w.exact() {
				t.Errorf("group %q is told of, and nothing happened to it: %+v", change.Group.ID, change)
			}
		}
		if !known || in != joins {
			t.Errorf("account %q is in group %q: %t, and the changes tell: %+v", account, group, joins, got.groups)
		}
	}
}

func tellsGroup(t testing.TB, w *world) {
	if !w.desc.Changes.Groups {
		t.Log("left out: the records of groups are not told")
		return
	}
	token := w.begin(t)
	group, err := w.d.(directory.GroupCreator).CreateGroup(t.Context(), w.GroupName(int(w.numbers.group.Add(1))))
	w.good(t, err, "create group")
	got := w.tells(t, token)
	i := slices.IndexFunc(got.groups, func(c directory.GroupChange) bool { return c.Group.ID == group.ID })
	if i < 0 || got.groups[i].Kind == directory.Gone || got.groups[i].Kind == directory.Changed && got.groups[i].Group.Name != group.Name {
		t.Errorf("the new group %+v is not told of: %+v", group, got.groups)
	}
}

func pagesChanges(t testing.TB, w *world) {
	for _, n := range []int{0, 1, w.PageSize, w.PageSize + 1} {
		token := w.begin(t)
		w.tells(t, token, ids(w.fill(t, n))...)
	}
}

func repeatsToken(t testing.TB, w *world) {
	token := w.begin(t)
	want := ids(w.fill(t, 1))
	first := w.tells(t, token, want...)
	later := ids(w.fill(t, 1))
	want = append(want, later...)
	w.tells(t, token, want...)
	w.tells(t, token, want...)
	if w.desc.Changes.Overlap == 0 {
		w.tells(t, first.token, later...)
	}
}

func keepsToken(t testing.TB, w *world) {
	token := w.begin(t)
	made := w.fill(t, 1)[0]
	second := w.place.Again(t)
	got := w.changed(t, second, directory.ChangeRequest{Since: token, Size: w.PageSize}, nil)
	if _, ok := got.last(made.ID); !ok {
		t.Errorf("account %q was made since the token, and is not told of after opening again", made.ID)
	}
	if err := second.Close(); err != nil {
		t.Errorf("close: %v", err)
	}
}

// refusesToken: a token that cannot be continued must not look like a night on which nothing happened.
func refusesToken(t testing.TB, w *world) {
	lister := w.d.(directory.ChangeLister)
	_, err := lister.ListChanges(t.Context(), directory.ChangeRequest{Since: "no such token \x00%", Size: w.PageSize})
	w.refused(t, err, "changes since a token that was never given out", directory.Expired)
	if w.place.Expire == nil {
		t.Log("left out: a token that is too old, because the place has no Expire")
		return
	}
	token := w.begin(t)
	w.place.Expire(t)
	_, err = lister.ListChanges(t.Context(), directory.ChangeRequest{Since: token, Size: w.PageSize})
	w.refused(t, err, "changes since a token that is too old", directory.Expired)
	w.tells(t, w.begin(t))
}

// refusesChangeCursor: nor must a damaged cursor look like the end of the chain.
func refusesChangeCursor(t testing.TB, w *world) {
	for _, since := range []string{"", w.begin(t)} {
		_, err := w.d.(directory.ChangeLister).ListChanges(t.Context(), directory.ChangeRequest{Since: since, Cursor: "no such cursor \x00%", Size: w.PageSize})
		if err == nil {
			t.Fatalf("a cursor that was never given out is taken, since %q", since)
		}
		w.proper(t, err)
	}
}

func changesAttributes(t testing.TB, w *world) {
	names := w.next().Names()
	for _, name := range names {
		token := w.begin(t, name)
		made := w.fill(t, 1)[0]
		got := w.changed(t, w.d, directory.ChangeRequest{Since: token, Attributes: []string{name}, Size: w.PageSize}, nil)
		change, ok := got.last(made.ID)
		if !ok {
			t.Fatalf("the account is not told of when only %s is asked for", name)
		}
		if change.Kind != directory.Changed {
			continue
		}
		listed, _ := find(w.list(t, w.d, directory.ListRequest{Attributes: []string{name}}), made.ID)
		if told := change.Account; !told.Attributes[name].Equal(listed.Attributes[name]) || told.Status != listed.Status {
			t.Errorf("asked for %s alone, the account is told of as %s %q and listed as %s %q", name, told.Status, told.Attributes[name], listed.Status, listed.Attributes[name])
		}
	}
}

// cancelsListChanges is part of the check of cancelled reads.
func (w *world) cancelsListChanges(t testing.TB) {
	t.Helper()
	lister, ok := w.d.(directory.ChangeLister)
	if !ok {
		return
	}
	_, err := lister.ListChanges(cancelled(t), directory.ChangeRequest{})
	w.over(t, err, "list changes")
	if errors.Is(err, directory.Expired) {
		t.Error("a cancelled call says that the token has expired")
	}
}
