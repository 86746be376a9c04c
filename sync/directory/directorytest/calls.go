package directorytest

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"

	"github.com/rollcall-sync/rollcall/sync/directory"
)

var bulk = chapter{"bulk", []check{
	{"none", []power{bulks}, createsNone},
	{"a few, one of them refused", []power{bulks}, createsMany},
}}

func createsNone(t testing.TB, w *world) {
	results, err := w.d.(directory.BulkCreator).CreateAccounts(t.Context(), nil)
	w.good(t, err, "create no accounts")
	if len(results) != 0 {
		t.Errorf("creating none has %d results", len(results))
	}
}

func createsMany(t testing.TB, w *world) {
	const bad = 2
	var requests []directory.CreateRequest
	for range min(5, w.desc.BulkSize) {
		requests = append(requests, directory.CreateRequest{Attributes: w.next(), Status: directory.StatusActive})
	}
	refused := len(requests) > bad && w.spoil(t, requests[bad])
	results, err := w.d.(directory.BulkCreator).CreateAccounts(t.Context(), requests)
	w.good(t, err, "create accounts")
	if len(results) != len(requests) {
		t.Fatalf("%d requests have %d results", len(requests), len(results))
	}
	for i, result := range results {
		if refused && i == bad {
			w.refused(t, result.Err, "the bad one among many", directory.Conflict, directory.Invalid)
			continue
		}
		w.good(t, result.Err, "create one of many")
		w.holds(t, "one of many", result.Account, requests[i].Attributes)
		w.holds(t, "one of many, read back", w.peek(t, result.Account.ID), requests[i].Attributes)
	}
}

// spoil makes a request that is refused, where the directory has something to refuse.
func (w *world) spoil(t testing.TB, request directory.CreateRequest) bool {
	t.Helper()
	for _, spec := range w.desc.Attributes {
		if spec.Unique && creatable(spec) {
			if value, ok := w.fill(t, 1)[0].Attributes[spec.Name]; ok {
				request.Attributes[spec.Name] = value
				return true
			}
		}
		if spec.Required {
			delete(request.Attributes, spec.Name)
			return true
		}
	}
	return false
}

var calls = chapter{"calls", []check{
	{"a cancelled read", nil, cancelsRead},
	{"a cancelled write writes nothing", nil, cancelsWrites},
	{"side by side", []power{creates}, sideBySide},
}}

// over checks the error of a call whose context had ended before it: nothing was sent, so nothing is unknown.
func (w *world) over(t testing.TB, err error, what string) {
	t.Helper()
	if err == nil {
		t.Errorf("%s with a cancelled context succeeded", what)
		return
	}
	if e := w.proper(t, err); e.Kind == directory.UnknownOutcome {
		t.Errorf("%s with a cancelled context was not sent, its outcome is known: %v", what, err)
	}
	if !errors.Is(err, context.Canceled) {
		t.Errorf("%s with a cancelled context: the error does not wrap context.Canceled: %v", what, err)
	}
}

func cancelsRead(t testing.TB, w *world) {
	_, err := w.d.ListAccounts(cancelled(t), directory.ListRequest{})
	w.over(t, err, "list accounts")
	w.cancelsListChanges(t)
	if getter, ok := w.d.(directory.Getter); ok {
		_, err := getter.GetAccount(cancelled(t), w.MissingID)
		w.over(t, err, "get account")
		if errors.Is(err, directory.NotFound) {
			t.Error("a cancelled look-up counts as proof that the account is gone")
		}
	}
}

func cancelsWrites(t testing.TB, w *world) {
	var account directory.Account
	if fills.has(w) {
		account = w.peek(t, w.fill(t, 1)[0].ID)
	}
	before := ids(w.list(t, w.d, directory.ListRequest{}))
	if creator, ok := w.d.(directory.Creator); ok {
		_, err := creator.CreateAccount(cancelled(t), directory.CreateRequest{Attributes: w.next(), Status: directory.StatusActive})
		w.over(t, err, "create account")
	}
	if creator, ok := w.d.(directory.BulkCreator); ok {
		_, err := creator.CreateAccounts(cancelled(t), []directory.CreateRequest{{Attributes: w.next(), Status: directory.StatusActive}})
		w.over(t, err, "create accounts")
	}
	if creator, ok := w.d.(directory.GroupCreator); ok {
		_, err := creator.CreateGroup(cancelled(t), w.GroupName(int(w.numbers.group.Add(1))))
		w.over(t, err, "create group")
	}
	if account.ID != "" {
		w.cancelsChanges(t, account)
	}
	if after := ids(w.list(t, w.d, directory.ListRequest{})); !slices.Equal(before, after) {
		t.Errorf("the accounts were\n%q\nand are after cancelled writes\n%q", before, after)
	}
}

func (w *world) cancelsChanges(t testing.TB, account directory.Account) {
	t.Helper()
	if updater, ok := w.d.(directory.Updater); ok {
		for _, spec := range w.writable() {
			if samples := w.samples(t, spec); len(samples) > 0 {
				set := directory.Attributes{spec.Name: samples[0].value}
				_, err := updater.UpdateAccount(cancelled(t), directory.UpdateRequest{ID: account.ID, Set: set})
				w.over(t, err, "update account")
				break
			}
		}
	}
	if setter, ok := w.d.(directory.StatusSetter); ok {
		_, err := setter.SetStatus(cancelled(t), directory.StatusRequest{ID: account.ID, Status: directory.StatusInactive})
		w.over(t, err, "set status")
	}
	if changer, ok := w.d.(directory.GroupChanger); ok {
		group := w.groups(t, 1)[0]
		before := account
		if seesGroups.has(w) {
			before.Groups = w.groupsOf(t, account.ID)
		}
		err := changer.ChangeGroups(cancelled(t), directory.GroupsRequest{Account: account.ID, Add: []string{group.ID}})
		w.over(t, err, "change groups")
		if seesGroups.has(w) && !sameSet(before.Groups, w.groupsOf(t, account.ID)) {
			t.Error("a cancelled change of groups was made")
		}
	}
	if deleter, ok := w.d.(directory.Deleter); ok {
		w.over(t, deleter.DeleteAccount(cancelled(t), account.ID), "delete account")
	}
	w.untouched(t, account, w.peek(t, account.ID))
}

// sideBySide lets several callers work at once; the race detector and the end state are the judges.
func sideBySide(t testing.TB, w *world) {
	const callers = 4
	var before []string
	for _, account := range w.list(t, w.d, directory.ListRequest{}) {
		before = append(before, account.ID)
	}
	var group sync.WaitGroup
	made := make([]directory.Account, callers)
	problems := make([]error, callers)
	for i := range callers {
		group.Go(func() {
			made[i], problems[i] = w.work(t.Context())
		})
	}
	group.Wait()
	for _, err := range problems {
		w.good(t, err, "one of several callers")
	}
	want := append(before, ids(made)...)
	slices.Sort(want)
	if after := ids(w.list(t, w.d, directory.ListRequest{})); !slices.Equal(after, want) {
		t.Errorf("the accounts are\n%q\nwant\n%q", after, want)
	}
}

// work is what one of several callers does.
func (w *world) work(ctx context.Context) (directory.Account, error) {
	values := w.next()
	w.d.Describe()
	account, err := w.d.(directory.Creator).CreateAccount(ctx, directory.CreateRequest{Attributes: values, Status: directory.StatusActive})
	if err != nil {
		return account, err
	}
	if updater, ok := w.d.(directory.Updater); ok {
		set := directory.Attributes{}
		for name, value := range w.next() {
			if updatable(w.spec(name)) {
				set[name] = value
			}
		}
		if account, err = updater.UpdateAccount(ctx, directory.UpdateRequest{ID: account.ID, Set: set}); err != nil {
			return account, err
		}
	}
	if getter, ok := w.d.(directory.Getter); ok {
		if account, err = getter.GetAccount(ctx, account.ID); err != nil {
			return account, err
		}
	}
	_, err = w.d.ListAccounts(ctx, directory.ListRequest{Size: w.PageSize})
	return account, err
}
