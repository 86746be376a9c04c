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

// changes follows a chain and returns it as text, one change a word, and the token for the next.
func changes(t *testing.T, d directory.ChangeLister, request directory.ChangeRequest, between func()) (told, token string) {
	t.Helper()
	var words []string
	for {
		page, err := d.ListChanges(t.Context(), request)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range page.Accounts {
			words = append(words, fmt.Sprint(c.Kind, ":", c.Account.Label()))
		}
		for _, c := range page.Groups {
			words = append(words, strings.TrimSuffix(fmt.Sprintf("%s:%s+%v-%v%t", c.Kind, c.Group.ID, c.Joined, c.Left, c.Relist), "+[]-[]false"))
		}
		if page.Next == "" {
			return strings.Join(words, " "), page.Token
		}
		if request.Cursor = page.Next; between != nil {
			between()
		}
	}
}

func now(t *testing.T, d directory.ChangeLister) string {
	t.Helper()
	told, token := changes(t, d, directory.ChangeRequest{}, nil)
	if told != "" || token == "" {
		t.Fatalf("the first chain tells %q and has the token %q", told, token)
	}
	return token
}

func named(id string, groups ...string) directory.Account {
	return directory.Account{ID: id, Attributes: directory.Attributes{directory.Username: directory.Text(id)}, Groups: groups}
}

func TestChanges(t *testing.T) {
	t.Parallel()
	byGroup := directory.ChangeScope{Memberships: directory.MembershipsByGroup, Deletions: true, Groups: true}
	story := func(d *memory.Directory) {
		d.Put(named("eve"))                               // new
		d.Set("anna", directory.Attributes{"title": {}})  // nothing
		d.Edit("ben", func(a *directory.Account) {})      // nothing
		d.PutGroup(directory.Group{ID: "g", Name: "Geo"}) // nothing
		d.Set("ben", directory.Attributes{directory.Title: directory.Text("Dr")})
		d.Edit("dan", func(a *directory.Account) { a.ReadOnly = "kept in LDAP" })
		d.Join("anna", "g", "h")
		d.Leave("anna", "h")
		d.Remove("cleo")
		d.Put(named("fay", "g"))
		d.Remove("fay") // made and gone again
		d.PutGroup(directory.Group{ID: "h", Name: "History"})
	}
	for name, c := range map[string]struct {
		options memory.Options
		want    string
	}{
		"by account":         {memory.Options{}, "changed:eve changed:ben changed:dan changed:anna gone:cleo gone:fay changed:h"},
		"by group":           {memory.Options{Changes: &byGroup}, "changed:eve changed:ben changed:dan gone:cleo gone:fay changed:g+[anna]-[]false changed:h+[]-[anna]false changed:g+[]-[fay]false changed:h"},
		"ids":                {memory.Options{ChangesAsIDs: true}, "look:eve look:ben look:dan look:anna gone:cleo gone:fay look:h"},
		"ids by group":       {memory.Options{ChangesAsIDs: true, Changes: &byGroup}, "look:eve look:ben look:dan gone:cleo gone:fay look:g+[]-[]true look:h+[]-[]true look:g+[]-[]true look:h"},
		"times of change":    {memory.Options{Changes: &directory.ChangeScope{}}, "changed:eve changed:ben changed:dan look:fay"},
		"without the titles": {memory.Options{Changes: &directory.ChangeScope{Untracked: []string{directory.Title}}}, "changed:eve changed:dan look:fay"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := memory.New(c.options)
			d.PutGroup(directory.Group{ID: "g", Name: "Geo"}, directory.Group{ID: "h", Name: "His"})
			d.Put(named("anna"), named("ben"), named("cleo"), named("dan"))
			token := now(t, d)
			story(d)
			told, next := changes(t, d, directory.ChangeRequest{Since: token}, nil)
			if diff := cmp.Diff(c.want, told); diff != "" {
				t.Errorf("want (-) and told (+)\n%s", diff)
			}
			if told, _ := changes(t, d.Clone(), directory.ChangeRequest{Since: next}, nil); told != "" {
				t.Errorf("the next token brings up %q, in a copy", told)
			}
		})
	}
}

// TestAChainEnds: what is changed while a chain is followed waits for the next, or the chain of a busy directory had no end.
func TestAChainEnds(t *testing.T) {
	t.Parallel()
	d := memory.New(memory.Options{PageSize: 1})
	token := now(t, d)
	d.Put(named("a"), named("b"))
	n := 0
	told, next := changes(t, d, directory.ChangeRequest{Since: token}, func() {
		d.Put(named(fmt.Sprint("late", n)))
		d.Remove("b")
		n++
	})
	if want := "changed:a gone:b"; told != want {
		t.Errorf("told of %q, want %q", told, want)
	}
	if told, _ := changes(t, d, directory.ChangeRequest{Since: next}, nil); told != "gone:b changed:late0" && told != "changed:late0 gone:b" {
		t.Errorf("then told of %q", told)
	}
}

func TestDeletedGroupsAreTold(t *testing.T) {
	t.Parallel()
	d := memory.New(memory.Options{})
	d.PutGroup(directory.Group{ID: "g", Name: "Geo"}, directory.Group{ID: "below", Name: "Below", Parents: []string{"z", "g"}})
	d.Put(named("anna", "g"), named("ben"))
	token := now(t, d)
	d.RemoveGroup("g", "never")
	if told, _ := changes(t, d, directory.ChangeRequest{Since: token}, nil); told != "changed:anna gone:g changed:below" {
		t.Errorf("told of %q", told)
	}
	if parents := d.Groups()[0].Parents; len(parents) != 1 || parents[0] != "z" {
		t.Errorf("the parents of the group below are %q", parents)
	}
}

func TestTokensExpire(t *testing.T) {
	t.Parallel()
	for extra, want := range map[int]error{3: nil, 4: directory.Expired, 5: directory.Expired, 6: directory.Expired, 50: directory.Expired} {
		d := memory.New(memory.Options{ChangeLog: 3})
		token := now(t, d)
		for n := range extra {
			d.Put(named(fmt.Sprint("user", n)))
		}
		page, err := d.ListChanges(t.Context(), directory.ChangeRequest{Since: token})
		if !errors.Is(err, want) || want == nil && len(page.Accounts) != extra {
			t.Errorf("after %d changes of which 3 are kept: %d, %v", extra, len(page.Accounts), err)
		}
		if want != nil && (page.Token != "" || !strings.Contains(err.Error(), "list all accounts")) {
			t.Errorf("an expired token gives %+v, %v", page, err)
		}
		d.ForgetChanges()
		if _, err := d.ListChanges(t.Context(), directory.ChangeRequest{Since: token}); !errors.Is(err, directory.Expired) {
			t.Errorf("after all was forgotten: %v", err)
		}
	}
}

func TestOnlyOwnTokensAndCursorsAreTaken(t *testing.T) {
	t.Parallel()
	d, other := memory.New(memory.Options{PageSize: 1}), memory.New(memory.Options{Name: "other"})
	d.Put(named("anna"), named("ben"))
	start := "0 of memory:memory"
	page, err := d.ListChanges(t.Context(), directory.ChangeRequest{Since: start})
	if err != nil || page.Next == "" || page.Token != "" {
		t.Fatalf("the first page is %+v, %v", page, err)
	}
	for _, token := range []string{now(t, other), "3 of memory:memory", "-1 of memory:memory", "+1 of memory:memory", "01 of memory:memory", "1", "x"} {
		if _, err := d.ListChanges(t.Context(), directory.ChangeRequest{Since: token}); !errors.Is(err, directory.Expired) {
			t.Errorf("the token %q: %v", token, err)
		}
	}
	for _, cursor := range []string{"x", "from 1 to 3", "from 2 to 1", "from -1 to 2", "from 1 to 2 ", "after:anna"} {
		for _, since := range []string{start, ""} {
			if _, err := d.ListChanges(t.Context(), directory.ChangeRequest{Since: since, Cursor: cursor}); !errors.Is(err, directory.Invalid) {
				t.Errorf("the cursor %q since %q: %v", cursor, since, err)
			}
		}
	}
	if _, err := d.ListChanges(t.Context(), directory.ChangeRequest{Since: now(t, d), Cursor: "from 1 to 2"}); !errors.Is(err, directory.Invalid) {
		t.Errorf("a cursor from before the token: %v", err)
	}
}

func TestFaultsOfListChanges(t *testing.T) {
	t.Parallel()
	d := memory.New(memory.Options{Name: "staff", Fault: memory.OnCall(memory.OpListChanges, 1, directory.Throttled)})
	_, err := d.ListChanges(t.Context(), directory.ChangeRequest{})
	var e *directory.Error
	if !errors.As(err, &e) || e.Kind != directory.Throttled || e.Op != memory.OpListChanges || e.Directory != "staff" {
		t.Errorf("got %#v", err)
	}
	if _, err := d.ListChanges(t.Context(), directory.ChangeRequest{}); err != nil || d.Calls(memory.OpListChanges) != 2 || d.Requests() != 2 || d.Writes() != 0 {
		t.Errorf("the second call: %v; %d calls, %d requests, %d writes", err, d.Calls(memory.OpListChanges), d.Requests(), d.Writes())
	}
	lost := d.Session(func(o *memory.Options) {
		o.Fault = nil
		o.Around = func(_ context.Context, call memory.Call, do func() error) error {
			if err := do(); err != nil || call.Answer.(*directory.ChangePage).Token == "" || call.Request.(directory.ChangeRequest).Size != 7 {
				t.Errorf("around %+v: %v", call, err)
			}
			return memory.ErrLostAnswer
		}
	})
	if page, err := lost.ListChanges(t.Context(), directory.ChangeRequest{Size: 7}); !errors.Is(err, directory.Retryable) || page.Token != "" {
		t.Errorf("a lost answer is %+v, %v", page, err)
	}
	expired := d.Session(func(o *memory.Options) { o.Fault = memory.OnCall(memory.OpListChanges, 1, directory.Expired) })
	if _, err := expired.ListChanges(t.Context(), directory.ChangeRequest{}); !errors.Is(err, directory.Expired) {
		t.Errorf("an ordered expiry is %v", err)
	}
}
