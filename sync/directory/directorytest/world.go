package directorytest

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"

	"github.com/rollcall-sync/rollcall/sync/directory"
)

// mostPages ends a listing that never does.
const mostPages = 10_000

// numbers are handed out once in a run, so that names never meet.
type numbers struct{ account, group atomic.Int64 }

// world is what the checks of one chapter share.
type world struct {
	Suite
	place   Place
	d       directory.Directory
	desc    directory.Description
	numbers *numbers
	made    []directory.Group
}

func open(t testing.TB, s Suite, n *numbers) *world {
	t.Helper()
	place := s.New(t)
	t.Cleanup(func() {
		if err := place.Directory.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return &world{Suite: s, place: place, d: place.Directory, desc: place.Directory.Describe(), numbers: n}
}

// spec returns the spec of an attribute that the directory declares.
func (w *world) spec(name string) directory.AttributeSpec {
	spec, _ := w.desc.Attribute(name)
	return spec
}

func creatable(spec directory.AttributeSpec) bool { return spec.Writable || spec.CreateOnly }
func updatable(spec directory.AttributeSpec) bool { return spec.Writable && !spec.CreateOnly }

// next returns the attributes of one more account.
func (w *world) next() directory.Attributes {
	n := int(w.numbers.account.Add(1))
	if w.Account != nil {
		return maps.Clone(w.Account(n))
	}
	attributes := directory.Attributes{}
	for _, spec := range w.desc.Attributes {
		ordinary := slices.Contains([]string{directory.Username, directory.Email, directory.FirstName, directory.LastName}, spec.Name)
		if spec.Required || ordinary && (creatable(spec) || w.place.Seed != nil) {
			attributes[spec.Name] = plain(spec, n)
		}
	}
	return attributes
}

// plain is an unremarkable value, different for each n.
func plain(spec directory.AttributeSpec, n int) directory.Value {
	switch {
	case spec.Kind != directory.KindText:
		return canned(spec)[0].value
	case spec.Name == directory.Email:
		return directory.Text(fmt.Sprintf("rc-%04d@example.com", n))
	case spec.Name == directory.FirstName:
		return directory.Text("Anna")
	case spec.Name == directory.LastName:
		return directory.Text("Example" + strings.Repeat("x", n%5))
	case spec.Name == directory.Username || spec.Unique:
		return directory.Text(fmt.Sprintf("rc-%04d", n))
	}
	return canned(spec)[0].value
}

// make places one account and returns it as the directory tells it.
func (w *world) make(t testing.TB, request directory.CreateRequest) directory.Account {
	t.Helper()
	if request.Attributes == nil {
		request.Attributes = w.next()
	}
	if request.Status == directory.StatusUnknown {
		request.Status = directory.StatusActive
	}
	creator, ok := w.d.(directory.Creator)
	if !ok {
		return w.seed(t, []directory.CreateRequest{request})[0]
	}
	account, err := creator.CreateAccount(t.Context(), request)
	w.good(t, err, "create account")
	if account.ID == "" {
		t.Fatal("the created account has no id")
	}
	return account
}

// fill places n accounts, by seeding where that is possible.
func (w *world) fill(t testing.TB, n int) []directory.Account {
	t.Helper()
	if n == 0 {
		return nil
	}
	if w.place.Seed == nil {
		made := make([]directory.Account, 0, n)
		for range n {
			made = append(made, w.make(t, directory.CreateRequest{}))
		}
		return made
	}
	requests := make([]directory.CreateRequest, 0, n)
	for range n {
		requests = append(requests, directory.CreateRequest{Attributes: w.next(), Status: directory.StatusActive})
	}
	return w.seed(t, requests)
}

// seed places accounts behind the directory's back and finds them in its listing by what was not there before.
func (w *world) seed(t testing.TB, requests []directory.CreateRequest) []directory.Account {
	t.Helper()
	before := w.list(t, w.d, directory.ListRequest{})
	w.place.Seed(t, Seed{Accounts: requests})
	after := w.list(t, w.d, directory.ListRequest{})
	var made []directory.Account
	for _, request := range requests {
		i := slices.IndexFunc(after, func(a directory.Account) bool {
			_, old := find(before, a.ID)
			return !old && w.carries(a, request.Attributes)
		})
		if i < 0 {
			t.Fatalf("the seeded account %v is not listed", request.Attributes)
		}
		made = append(made, after[i])
	}
	return made
}

// carries reports whether the account has all the values.
func (w *world) carries(a directory.Account, values directory.Attributes) bool {
	for name, value := range values {
		if !w.same(name, value, a.Attributes[name]) {
			return false
		}
	}
	return true
}

// same reports whether stored is what the directory makes of sent.
func (w *world) same(name string, sent, stored directory.Value) bool {
	if w.Same != nil {
		return w.Same(name, sent, stored)
	}
	if sent.Kind() != directory.KindText || stored.Kind() != directory.KindText {
		return sent.Equal(stored)
	}
	a, b := norm.NFC.String(sent.String()), norm.NFC.String(stored.String())
	if w.spec(name).FoldCase {
		a, b = cases.Fold().String(a), cases.Fold().String(b)
	}
	return a == b
}

// list reads the whole listing.
func (w *world) list(t testing.TB, d directory.Directory, request directory.ListRequest) []directory.Account {
	t.Helper()
	all, total := w.follow(t, d, request)
	if total >= 0 && total != len(all) {
		t.Errorf("the pages tell of %d accounts and hold %d", total, len(all))
	}
	return all
}

// follow follows Next to the end and checks the chain and each record on the way. The total is what the pages tell.
func (w *world) follow(t testing.TB, d directory.Directory, request directory.ListRequest) (all []directory.Account, total int) {
	t.Helper()
	ids, cursors := map[string]bool{}, map[string]bool{}
	total = -1
	for range mostPages {
		page, err := d.ListAccounts(t.Context(), request)
		w.good(t, err, "list accounts")
		w.healthy(t, page, request)
		for _, account := range page.Accounts {
			if ids[account.ID] {
				t.Fatalf("the listing shows account %q twice", account.ID)
			}
			ids[account.ID] = true
			all = append(all, account)
		}
		if page.Total >= 0 {
			total = page.Total
		}
		if page.Next == "" {
			return all, total
		}
		if page.Next == request.Cursor || cursors[page.Next] {
			t.Fatalf("the cursor %q came twice: the listing makes no progress", page.Next)
		}
		cursors[page.Next] = true
		request.Cursor = page.Next
	}
	t.Fatalf("the listing did not end within %d pages", mostPages)
	return nil, 0
}

// healthy checks one page of a directory in which nothing is wrong.
func (w *world) healthy(t testing.TB, page directory.AccountPage, request directory.ListRequest) {
	t.Helper()
	if request.Size > 0 && len(page.Accounts) > request.Size {
		t.Errorf("a page of %d was asked for and %d came", request.Size, len(page.Accounts))
	}
	if page.Doubt != "" {
		t.Errorf("a healthy listing is doubted: %s", page.Doubt)
	}
	for _, account := range page.Accounts {
		w.sound(t, account)
	}
}

// sound checks what holds for every account that nothing is wrong with.
func (w *world) sound(t testing.TB, account directory.Account) {
	t.Helper()
	if account.ID == "" {
		t.Errorf("the account %q has no id", account.Label())
	}
	if account.Problem != "" {
		t.Errorf("account %q has a problem: %s", account.ID, account.Problem)
	}
	if account.Status != directory.StatusActive && account.Status != directory.StatusInactive {
		t.Errorf("account %q has the status %s", account.ID, account.Status)
	}
	if w.desc.GroupsInline && !account.GroupsKnown {
		t.Errorf("account %q comes without its groups, which the description promises", account.ID)
	}
	for name := range account.Attributes {
		if name == directory.ID || name == directory.Active || !directory.IsAttributeName(name) {
			t.Errorf("account %q has an attribute %q, which is not in the vocabulary", account.ID, name)
		}
	}
}

// read returns the account as every way of reading tells it, and checks that they agree on the names.
func (w *world) read(t testing.TB, id string, names ...string) directory.Account {
	t.Helper()
	listed, ok := find(w.list(t, w.d, directory.ListRequest{}), id)
	if !ok {
		t.Fatalf("account %q is not listed", id)
	}
	getter, ok := w.d.(directory.Getter)
	if !ok {
		return listed
	}
	got, err := getter.GetAccount(t.Context(), id)
	w.good(t, err, "get account")
	w.sound(t, got)
	if got.ID != id {
		t.Fatalf("asked for account %q, got %q", id, got.ID)
	}
	if got.Status != listed.Status {
		t.Errorf("account %q is %s when read alone and %s when listed", id, got.Status, listed.Status)
	}
	for _, name := range names {
		if !got.Attributes[name].Equal(listed.Attributes[name]) {
			t.Errorf("%s of account %q is %q when read alone and %q when listed", name, id, got.Attributes[name], listed.Attributes[name])
		}
	}
	return got
}

// peek reads one account the cheap way.
func (w *world) peek(t testing.TB, id string) directory.Account {
	t.Helper()
	if getter, ok := w.d.(directory.Getter); ok {
		account, err := getter.GetAccount(t.Context(), id)
		w.good(t, err, "get account")
		return account
	}
	return w.read(t, id)
}

// good ends the check on an error.
func (w *world) good(t testing.TB, err error, what string) {
	t.Helper()
	if err != nil {
		w.proper(t, err)
		t.Fatalf("%s: %v", what, err)
	}
}

// proper checks the form that every error has.
func (w *world) proper(t testing.TB, err error) *directory.Error {
	t.Helper()
	var e *directory.Error
	if !errors.As(err, &e) {
		t.Fatalf("the error is no *directory.Error: %T: %v", err, err)
	}
	if e.Directory != w.desc.Name {
		t.Errorf("the error names the directory %q instead of %q: %v", e.Directory, w.desc.Name, err)
	}
	if e.Op == "" {
		t.Errorf("the error does not say what was being done: %v", err)
	}
	return e
}

// refused checks that a call failed with one of the kinds.
func (w *world) refused(t testing.TB, err error, what string, kinds ...directory.ErrorKind) *directory.Error {
	t.Helper()
	if err == nil {
		t.Fatalf("%s succeeded, want %v", what, kinds)
	}
	e := w.proper(t, err)
	if !slices.ContainsFunc(kinds, func(kind directory.ErrorKind) bool { return errors.Is(err, kind) }) {
		t.Errorf("%s: the error is %s, want %v: %v", what, e.Kind, kinds, err)
	}
	return e
}

func find(accounts []directory.Account, id string) (directory.Account, bool) {
	for _, account := range accounts {
		if account.ID == id {
			return account, true
		}
	}
	return directory.Account{}, false
}

func ids(accounts []directory.Account) []string {
	all := make([]string, 0, len(accounts))
	for _, account := range accounts {
		all = append(all, account.ID)
	}
	slices.Sort(all)
	return all
}
