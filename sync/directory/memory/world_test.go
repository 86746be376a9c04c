package memory_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-sync/rollcall/sync/directory"
	"github.com/rollcall-sync/rollcall/sync/directory/memory"
)

func anna() directory.Attributes {
	return directory.Attributes{directory.Username: directory.Text("anna"), directory.Email: directory.Text("anna@example.com")}
}

func TestFaultsAreGivenInPlaceOfTheCall(t *testing.T) {
	t.Parallel()
	d := memory.New(memory.Options{Name: "website", Fault: memory.OnCall(memory.OpCreateAccount, 2, directory.Throttled)})
	for n := 1; n <= 3; n++ {
		values := directory.Attributes{directory.Username: directory.Text(fmt.Sprint("user", n))}
		_, err := d.CreateAccount(t.Context(), directory.CreateRequest{Attributes: values, Status: directory.StatusActive})
		if (n == 2) != errors.Is(err, directory.Throttled) {
			t.Errorf("call %d: %v", n, err)
		}
		var e *directory.Error
		if err != nil && (!errors.As(err, &e) || e.Directory != "website" || e.Op != memory.OpCreateAccount || e.Record != "user2") {
			t.Errorf("the fault does not look like the directory's own: %#v", e)
		}
	}
	if n := len(d.Accounts()); n != 2 {
		t.Errorf("%d accounts, want 2", n)
	}
	if calls, writes, requests := d.Calls(memory.OpCreateAccount), d.Writes(), d.Requests(); calls != 3 || writes != 3 || requests != 3 {
		t.Errorf("%d calls, %d writes, %d requests; want 3 of each", calls, writes, requests)
	}
}

func TestAFaultKeepsWhatItSays(t *testing.T) {
	t.Parallel()
	own := &directory.Error{Kind: directory.Auth, Op: "sign in", Remedy: "renew the password"}
	d := memory.New(memory.Options{Fault: func(string, int) error { return own }})
	_, err := d.ListAccounts(t.Context(), directory.ListRequest{})
	var e *directory.Error
	if !errors.As(err, &e) || e.Op != "sign in" || e.Remedy != own.Remedy || e.Directory != "memory" {
		t.Errorf("got %#v", err)
	}
	if own.Directory != "" {
		t.Error("the ordered fault itself was changed")
	}
}

func TestALostAnswerHidesAWriteThatHappened(t *testing.T) {
	t.Parallel()
	d := memory.New(memory.Options{})
	lose := func(string, int) error { return fmt.Errorf("proxy: %w", memory.ErrLostAnswer) }
	d.SetFault(lose)
	if _, err := d.CreateAccount(t.Context(), directory.CreateRequest{Attributes: anna(), Status: directory.StatusActive}); !errors.Is(err, directory.UnknownOutcome) {
		t.Fatalf("create: %v", err)
	}
	if _, err := d.CreateAccounts(t.Context(), []directory.CreateRequest{{Status: directory.StatusActive}}); !errors.Is(err, directory.UnknownOutcome) {
		t.Fatalf("create many: %v", err)
	}
	if _, err := d.ListAccounts(t.Context(), directory.ListRequest{}); !errors.Is(err, directory.Retryable) {
		t.Errorf("list: %v", err)
	}
	d.SetFault(nil)
	found, err := d.FindAccounts(t.Context(), directory.Username, "ANNA")
	if err != nil || len(found) != 1 {
		t.Fatalf("the write did not happen: %v, %v", found, err)
	}
	d.SetFault(lose)
	if err := d.DeleteAccount(t.Context(), found[0].ID); !errors.Is(err, directory.UnknownOutcome) {
		t.Errorf("delete: %v", err)
	}
	if left := d.Accounts(); len(left) != 0 {
		t.Errorf("left: %v", left)
	}
}

func TestAFaultMayEditTheWorld(t *testing.T) {
	t.Parallel()
	d := memory.New(memory.Options{})
	id := d.Put(directory.Account{Attributes: anna()})[0]
	before, _ := d.Account(id)
	d.SetFault(func(op string, _ int) error {
		if op == memory.OpUpdateAccount {
			d.Set(id, directory.Attributes{directory.Title: directory.Text("by somebody else")})
		}
		return nil
	})
	_, err := d.UpdateAccount(t.Context(), directory.UpdateRequest{ID: id, Revision: before.Revision, Set: directory.Attributes{directory.Title: directory.Text("ours")}})
	if !errors.Is(err, directory.Conflict) {
		t.Errorf("an edit between read and write goes unnoticed: %v", err)
	}
}

func TestTamperBendsPages(t *testing.T) {
	t.Parallel()
	d := memory.New(memory.Options{})
	d.Put(directory.Account{Attributes: anna()})
	d.SetTamper(func(request directory.ListRequest, page *directory.AccountPage) {
		page.Doubt = "cut at " + request.Cursor
		page.Accounts = nil
	})
	page, err := d.ListAccounts(t.Context(), directory.ListRequest{Cursor: "after:"})
	if err != nil || page.Doubt != "cut at after:" || len(page.Accounts) != 0 {
		t.Errorf("%+v, %v", page, err)
	}
}

func TestMutationsAreNoCalls(t *testing.T) {
	t.Parallel()
	d := memory.New(memory.Options{Fault: func(string, int) error { return directory.Auth }})
	groups := d.PutGroup(directory.Group{Name: "Editors"}, directory.Group{ID: "staff", Name: "Staff", Parents: []string{"group-1"}})
	id := d.Put(directory.Account{Attributes: anna(), Groups: groups})[0]
	d.Leave(id, "staff")
	d.Join(id, "staff")
	d.Edit(id, func(a *directory.Account) { a.Status = directory.StatusInactive })
	d.Set(id, directory.Attributes{directory.Email: {}, directory.Title: directory.Text("Dr")})
	d.RemoveGroup("group-1")
	want := "account \"anna\" inactive title=\"Dr\" username=\"anna\" groups=[\"Staff\"]\ngroup \"Staff\"\n"
	if got := d.Dump(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if parents := d.Groups()[0].Parents; len(parents) != 0 {
		t.Errorf("the removed group is still a parent: %v", parents)
	}
	d.Remove(id, "nobody")
	if d.Requests() != 0 || len(d.Accounts()) != 0 {
		t.Errorf("%d requests, accounts %v", d.Requests(), d.Accounts())
	}
}

func TestPutRefusesAWorldThatCannotBe(t *testing.T) {
	t.Parallel()
	for name, put := range map[string]func(*memory.Directory){
		"a name that is taken": func(d *memory.Directory) {
			d.Put(directory.Account{Attributes: anna()}, directory.Account{Attributes: anna()})
		},
		"a group that is not": func(d *memory.Directory) { d.Put(directory.Account{Attributes: anna(), Groups: []string{"nowhere"}}) },
		"an edit of nobody":   func(d *memory.Directory) { d.Edit("nobody", func(*directory.Account) {}) },
		"an edit of an id": func(d *memory.Directory) {
			d.Edit(d.Put(directory.Account{Attributes: anna()})[0], func(a *directory.Account) { a.ID = "x" })
		},
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: no panic", name)
				}
			}()
			put(memory.New(memory.Options{}))
		}()
	}
}

func TestPutFreesAndTakesUniqueValues(t *testing.T) {
	t.Parallel()
	d := memory.New(memory.Options{})
	id := d.Put(directory.Account{Attributes: anna()})[0]
	d.Set(id, directory.Attributes{directory.Username: directory.Text("anne")})
	other := d.Put(directory.Account{Attributes: directory.Attributes{directory.Username: directory.Text("Anna")}})[0]
	found, err := d.FindAccounts(t.Context(), directory.Username, "anna")
	if err != nil || len(found) != 1 || found[0].ID != other {
		t.Errorf("found %v, %v; want account %s", found, err, other)
	}
}

func TestDumpsOfTheSameEndStateAreEqual(t *testing.T) {
	t.Parallel()
	build := func(order ...string) string {
		d := memory.New(memory.Options{})
		editors := d.PutGroup(directory.Group{Name: "Editors"})
		for _, name := range order {
			id := d.Put(directory.Account{Attributes: directory.Attributes{directory.Username: directory.Text(name)}})[0]
			d.Join(id, editors...)
		}
		return d.Dump()
	}
	if a, b := build("anna", "bob"), build("bob", "anna"); a != b {
		t.Errorf("two ways to one end state:\n%s", cmp.Diff(a, b))
	}
	if a, b := build("anna"), build("anna", "bob"); a == b {
		t.Error("two end states have one dump")
	}
}

func TestCloneSharesNothing(t *testing.T) {
	t.Parallel()
	d := memory.New(memory.Options{PrivilegedGroups: []string{"group-1"}})
	group := d.PutGroup(directory.Group{Name: "Administrators"})[0]
	id := d.Put(directory.Account{Attributes: anna(), Groups: []string{group}})[0]
	other := d.Clone()
	if diff := cmp.Diff(d.Accounts(), other.Accounts()); diff != "" {
		t.Fatal(diff)
	}
	d.Leave(id, group)
	if now, _ := d.Account(id); now.Privileged != "" {
		t.Errorf("left the group and is privileged: %q", now.Privileged)
	}
	d.Set(id, directory.Attributes{directory.Title: directory.Text("Dr")})
	now, _ := other.Account(id)
	if now.Privileged != "group Administrators" || now.Attributes.Text(directory.Title) != "" || len(now.Groups) != 1 {
		t.Errorf("the clone changed along: %+v", now)
	}
	other.Leave(id, group)
	if now, _ := other.Account(id); now.Privileged != "" {
		t.Errorf("the clone keeps the privilege: %q", now.Privileged)
	}
	if fresh := other.Put(directory.Account{})[0]; fresh == id {
		t.Errorf("the clone gives the id %q again", fresh)
	}
}

func TestReadOnlyAccountsAndGroups(t *testing.T) {
	t.Parallel()
	d := memory.New(memory.Options{})
	group := d.PutGroup(directory.Group{Name: "Everyone", ReadOnly: "dynamic group"})[0]
	fixed := d.Put(directory.Account{Attributes: anna(), ReadOnly: "kept in LDAP"})[0]
	free := d.Put(directory.Account{Attributes: directory.Attributes{directory.Username: directory.Text("bob")}})[0]
	_, err := d.UpdateAccount(t.Context(), directory.UpdateRequest{ID: fixed, Set: directory.Attributes{directory.Title: directory.Text("x")}})
	_, status := d.SetStatus(t.Context(), directory.StatusRequest{ID: fixed, Status: directory.StatusInactive})
	for _, err := range []error{
		err, status, d.DeleteAccount(t.Context(), fixed),
		d.ChangeGroups(t.Context(), directory.GroupsRequest{Account: free, Add: []string{group}}),
	} {
		if !errors.Is(err, directory.Invalid) || !strings.Contains(err.Error(), "kept in LDAP") && !strings.Contains(err.Error(), "dynamic group") {
			t.Errorf("got %v", err)
		}
	}
}

func TestViewsHidePowers(t *testing.T) {
	t.Parallel()
	d := memory.New(memory.Options{})
	if _, ok := d.Core().(directory.Getter); ok {
		t.Error("the core is a Getter")
	}
	if _, ok := d.ReadOnly().(directory.Updater); ok {
		t.Error("read only is an Updater")
	}
	for _, spec := range d.ReadOnly().Describe().Attributes {
		if spec.Writable || spec.CreateOnly {
			t.Errorf("read only describes %s as writable", spec.Name)
		}
	}
	if spec, _ := d.Describe().Attribute(directory.Email); !spec.Writable {
		t.Error("the view changed the description of the whole")
	}
	one := d.OneByOne()
	_, bulk := one.(directory.BulkCreator)
	_, deletes := one.(directory.Deleter)
	if _, ok := one.(directory.StatusSetter); !ok || bulk || deletes {
		t.Errorf("one by one: status setter %t, bulk %t, delete %t", ok, bulk, deletes)
	}
}

func TestClosedDirectory(t *testing.T) {
	t.Parallel()
	d := memory.New(memory.Options{})
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := d.CountAccounts(t.Context()); err == nil {
		t.Error("a closed directory answers")
	}
	if _, err := d.Reopen().CountAccounts(context.WithoutCancel(t.Context())); err != nil {
		t.Error(err)
	}
}
