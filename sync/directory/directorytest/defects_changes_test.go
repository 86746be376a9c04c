package directorytest

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rollcall-sync/rollcall/sync/directory"
	"github.com/rollcall-sync/rollcall/sync/directory/memory"
)

var (
	byGroup = directory.ChangeScope{Memberships: directory.MembershipsByGroup, Deletions: true, Groups: true}
	// little is what a vendor with a time of change and nothing else can tell.
	little = directory.ChangeScope{Untracked: []string{directory.LastName}}
)

const law = "changes/a listing and what changed since are a listing"

// changeDefects are those of the power to list changes.
var changeDefects = []defect{
	{"none, memberships by group", memory.Options{Changes: &byGroup}, as(func(d *m) *m { return d }), ""},
	{"none, memberships by group, groups inline and lost", memory.Options{Changes: &byGroup, GroupsInline: true, GroupsLostOnDeactivation: true}, as(func(d *m) *m { return d }), ""},
	{"none, ids of what changed", memory.Options{ChangesAsIDs: true}, as(func(d *m) *m { return d }), ""},
	{"none, ids of what changed, by group", memory.Options{ChangesAsIDs: true, Changes: &byGroup}, as(func(d *m) *m { return d }), ""},
	{"none, little is told", memory.Options{Changes: &little}, as(func(d *m) *m { return d }), ""},
	{"none, little is told, and ids", memory.Options{Changes: &little, ChangesAsIDs: true}, as(func(d *m) *m { return d }), ""},
	{"none, and no changes", memory.Options{}, (*m).Core, ""},

	{"promises changes and lists none", memory.Options{}, func(d *m) directory.Directory { return promising{d.Core()} }, "description/says what the directory is"},
	{"begins with everybody", memory.Options{}, asked(beginsWithAll), "changes/the first token comes alone"},
	{"tells on a quiet night", memory.Options{}, told(func(d *m, r directory.ChangeRequest, p *directory.ChangePage) {
		if all := d.Accounts(); r.Since != "" && len(p.Accounts) == 0 && len(all) > 0 {
			p.Accounts = append(p.Accounts, directory.AccountChange{Account: directory.Account{ID: all[0].ID}})
		}
	}), "changes/the first token comes alone"},
	{"gives a token with each page", memory.Options{}, told(func(_ *m, r directory.ChangeRequest, p *directory.ChangePage) {
		if p.Next != "" {
			p.Token = r.Since
		}
	}), "changes/none, one, a page, a page and one"},
	{"gives no token at the end", memory.Options{}, told(func(_ *m, _ directory.ChangeRequest, p *directory.ChangePage) { p.Token = "" }), "changes/the first token comes alone"},
	{"tells nobody new", memory.Options{}, told(func(_ *m, _ directory.ChangeRequest, p *directory.ChangePage) {
		p.Accounts = slices.DeleteFunc(p.Accounts, func(c directory.AccountChange) bool { return c.Account.Revision == "1" })
	}), "changes/a new account"},
	{"tells of others too", memory.Options{}, told(func(d *m, r directory.ChangeRequest, p *directory.ChangePage) {
		if all := d.Accounts(); len(p.Accounts) > 0 {
			p.Accounts = append(p.Accounts, directory.AccountChange{Kind: directory.Look, Account: directory.Account{ID: all[0].ID}})
		}
	}), "changes/a new account"},
	{"reaches back and does not say so", memory.Options{}, as(func(d *m) *overlapping { return &overlapping{m: d} }), "changes/a new account"},
	{"tells half of an account", memory.Options{}, told(func(_ *m, _ directory.ChangeRequest, p *directory.ChangePage) {
		for i := range p.Accounts {
			delete(p.Accounts[i].Account.Attributes, directory.FirstName)
		}
	}), "changes/an update and a rename"},
	{"tells no renames", memory.Options{Changes: &directory.ChangeScope{
		Memberships: directory.MembershipsByAccount, Deletions: true, Groups: true,
		Untracked: []string{directory.Username, directory.Email, directory.FirstName, directory.LastName},
	}}, as(func(d *m) describing {
		return describing{d, func(x *directory.Description) { x.Changes.Untracked = nil }}
	}), "changes/an update and a rename"},
	{"takes everybody for active", memory.Options{}, told(func(_ *m, _ directory.ChangeRequest, p *directory.ChangePage) {
		for i := range p.Accounts {
			if p.Accounts[i].Kind == directory.Changed {
				p.Accounts[i].Account.Status = directory.StatusActive
			}
		}
	}), "changes/deactivation and activation"},
	{"takes the inactive for gone", memory.Options{}, told(func(_ *m, _ directory.ChangeRequest, p *directory.ChangePage) {
		for i, c := range p.Accounts {
			if c.Account.Status == directory.StatusInactive {
				p.Accounts[i] = directory.AccountChange{Kind: directory.Gone, Account: directory.Account{ID: c.Account.ID}}
			}
		}
	}), "changes/deactivation and activation"},
	{"tells no deletions", memory.Options{}, told(func(_ *m, _ directory.ChangeRequest, p *directory.ChangePage) {
		p.Accounts = slices.DeleteFunc(p.Accounts, func(c directory.AccountChange) bool { return c.Kind == directory.Gone })
	}), "changes/a deletion"},
	{"tells deletions and does not say so", memory.Options{}, as(func(d *m) describing {
		return describing{d, func(x *directory.Description) { x.Changes.Deletions = false }}
	}), "changes/a deletion"},
	{"tells memberships by account alone", memory.Options{}, as(func(d *m) describing {
		return describing{d, func(x *directory.Description) { x.Changes.Memberships = directory.MembershipsByGroup }}
	}), "changes/groups joined and left"},
	{"tells memberships by group alone", memory.Options{Changes: &byGroup}, as(func(d *m) describing {
		return describing{d, func(x *directory.Description) { x.Changes.Memberships = directory.MembershipsByAccount }}
	}), "changes/groups joined and left"},
	{"tells who joined and not who left", memory.Options{Changes: &byGroup}, told(func(_ *m, _ directory.ChangeRequest, p *directory.ChangePage) {
		for i := range p.Groups {
			p.Groups[i].Left = nil
		}
	}), law},
	{"tells no new groups", memory.Options{}, told(func(_ *m, _ directory.ChangeRequest, p *directory.ChangePage) { p.Groups = nil }), "changes/a new group"},
	{"loses the second page", memory.Options{}, told(func(_ *m, r directory.ChangeRequest, p *directory.ChangePage) {
		if r.Cursor != "" {
			p.Accounts = nil
		}
	}), "changes/none, one, a page, a page and one"},
	{"says the same cursor of changes for ever", memory.Options{}, told(func(_ *m, r directory.ChangeRequest, p *directory.ChangePage) {
		if r.Cursor != "" {
			p.Next, p.Token = r.Cursor, ""
		}
	}), "changes/none, one, a page, a page and one"},
	{"uses tokens up", memory.Options{}, as(func(d *m) *usedUp { return &usedUp{m: d, used: map[string]bool{}} }), "changes/the same token again"},
	{"keeps tokens in its head", memory.Options{}, inTheHead(), "changes/a token outlives the process"},
	{"takes a bad token for now", memory.Options{}, asked(badIsNow), "changes/a token that is no longer good"},
	{"calls an old token trouble", memory.Options{}, asked(func(d *m, ctx context.Context, r directory.ChangeRequest) (directory.ChangePage, error) {
		page, err := d.ListChanges(ctx, r)
		return page, rekind(err, directory.Expired, directory.Retryable)
	}), "changes/a token that is no longer good"},
	{"takes any cursor for the end of changes", memory.Options{}, asked(func(d *m, ctx context.Context, r directory.ChangeRequest) (directory.ChangePage, error) {
		page, err := d.ListChanges(ctx, r)
		if errors.Is(err, directory.Invalid) {
			return directory.ChangePage{Token: r.Since + "x"}, nil
		}
		return page, err
	}), "changes/refuses a cursor it never gave"},
	{"forgets which attributes were asked for", memory.Options{}, asked(func(d *m, ctx context.Context, r directory.ChangeRequest) (directory.ChangePage, error) {
		if r.Attributes != nil {
			r.Attributes = []string{directory.Nickname}
		}
		return d.ListChanges(ctx, r)
	}), "changes/gives the attributes asked for"},
	{"begins when it is first asked", memory.Options{}, as(func(d *m) *late { return &late{m: d} }), law},
	{"ends with a token of the end", memory.Options{}, asked(tokenOfTheEnd), law},
	{"lists changes in spite of a cancelled context", memory.Options{}, asked(func(d *m, ctx context.Context, r directory.ChangeRequest) (directory.ChangePage, error) {
		return d.ListChanges(context.WithoutCancel(ctx), r)
	}), "calls/a cancelled read"},
}

// asking answers ListChanges in its own way.
type asking struct {
	*m
	ask func(*m, context.Context, directory.ChangeRequest) (directory.ChangePage, error)
}

func (d asking) ListChanges(ctx context.Context, r directory.ChangeRequest) (directory.ChangePage, error) {
	return d.ask(d.m, ctx, r)
}

func asked(ask func(*m, context.Context, directory.ChangeRequest) (directory.ChangePage, error)) func(*m) directory.Directory {
	return as(func(d *m) asking { return asking{d, ask} })
}

// told bends the pages of a chain.
func told(bend func(*m, directory.ChangeRequest, *directory.ChangePage)) func(*m) directory.Directory {
	return asked(func(d *m, ctx context.Context, r directory.ChangeRequest) (directory.ChangePage, error) {
		page, err := d.ListChanges(ctx, r)
		if err == nil {
			bend(d, r, &page)
		}
		return page, err
	})
}

type promising struct{ directory.Directory }

func (d promising) Describe() directory.Description {
	desc := d.Directory.Describe()
	desc.Changes = byGroup
	return desc
}

func beginsWithAll(d *m, ctx context.Context, r directory.ChangeRequest) (directory.ChangePage, error) {
	page, err := d.ListChanges(ctx, r)
	if r.Since == "" {
		for _, account := range d.Accounts() {
			page.Accounts = append(page.Accounts, directory.AccountChange{Account: directory.Account{ID: account.ID}})
		}
	}
	return page, err
}

func badIsNow(d *m, ctx context.Context, r directory.ChangeRequest) (directory.ChangePage, error) {
	page, err := d.ListChanges(ctx, r)
	if errors.Is(err, directory.Expired) {
		return d.ListChanges(ctx, directory.ChangeRequest{})
	}
	return page, err
}

// tokenOfTheEnd gives the token of when the chain ended, although its changes are those of when it began.
func tokenOfTheEnd(d *m, ctx context.Context, r directory.ChangeRequest) (directory.ChangePage, error) {
	page, err := d.ListChanges(ctx, r)
	if page.Token != "" {
		now, err := d.ListChanges(ctx, directory.ChangeRequest{})
		page.Token = now.Token
		return page, err
	}
	return page, err
}

// usedUp knows a token once.
type usedUp struct {
	*m
	mu   sync.Mutex
	used map[string]bool
}

func (d *usedUp) ListChanges(ctx context.Context, r directory.ChangeRequest) (directory.ChangePage, error) {
	page, err := d.m.ListChanges(ctx, r)
	d.mu.Lock()
	defer d.mu.Unlock()
	if err == nil && d.used[r.Since] {
		page.Accounts, page.Groups = nil, nil
	}
	if r.Since != "" && page.Token != "" {
		d.used[r.Since] = true
	}
	return page, err
}

// inTheHead gives tokens that no other opening knows.
func inTheHead() func(*m) directory.Directory {
	opened := 0
	return func(d *m) directory.Directory {
		opened++
		mark := strings.Repeat("-", opened)
		return asked(func(d *m, ctx context.Context, r directory.ChangeRequest) (directory.ChangePage, error) {
			since, own := strings.CutSuffix(r.Since, mark)
			if own {
				r.Since = since
			}
			page, err := d.ListChanges(ctx, r)
			if page.Token != "" {
				page.Token += mark
			}
			return page, err
		})(d)
	}
}

// late makes a token good from the moment at which it is first used.
type late struct {
	*m
	mu    sync.Mutex
	fresh map[string]string
}

func (d *late) ListChanges(ctx context.Context, r directory.ChangeRequest) (directory.ChangePage, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if r.Since == "" {
		return d.m.ListChanges(ctx, r)
	}
	if d.fresh == nil {
		d.fresh = map[string]string{}
	}
	if d.fresh[r.Since] == "" {
		if _, err := d.m.ListChanges(ctx, r); err != nil {
			return directory.ChangePage{}, err
		}
		now, err := d.m.ListChanges(ctx, directory.ChangeRequest{})
		if err != nil {
			return now, err
		}
		d.fresh[r.Since] = now.Token
	}
	r.Since = d.fresh[r.Since]
	return d.m.ListChanges(ctx, r)
}

// overlapping gives tokens that reach back to where it was last settled, as one does that goes by times of change.
type overlapping struct {
	*m
	overlap time.Duration
	mu      sync.Mutex
	mark    string
}

func (d *overlapping) Describe() directory.Description {
	desc := d.m.Describe()
	desc.Changes.Overlap = d.overlap
	return desc
}

func (d *overlapping) settle(t testing.TB) {
	page, err := d.m.ListChanges(t.Context(), directory.ChangeRequest{})
	if err != nil {
		t.Fatal(err)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.mark = page.Token
}

func (d *overlapping) ListChanges(ctx context.Context, r directory.ChangeRequest) (directory.ChangePage, error) {
	page, err := d.m.ListChanges(ctx, r)
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.mark == "" {
		d.mark = page.Token
	}
	if page.Token != "" && r.Since == "" {
		page.Token = d.mark
	}
	return page, err
}

// TestOverlapsAreTolerated tells the story to a directory whose tokens reach back, with time that can be made to pass and
// without.
func TestOverlapsAreTolerated(t *testing.T) {
	t.Parallel()
	for _, settles := range []bool{true, false} {
		failed := failures(t, Suite{New: func(testing.TB) Place {
			d := &overlapping{m: memory.New(memory.Options{}), overlap: 5 * time.Minute}
			place := Place{Directory: d}
			if settles {
				place.Settle = d.settle
			}
			return place
		}})
		if len(failed) != 0 {
			t.Errorf("time passes: %t: %v", settles, failed)
		}
	}
}
