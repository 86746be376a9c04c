package directorytest

import (
	"context"
	"errors"
	"maps"
	"strings"
	"sync/atomic"

	"github.com/rollcall-sync/rollcall/sync/directory"
	"github.com/rollcall-sync/rollcall/sync/directory/memory"
)

// defect is a directory with one thing wrong, and the check that must find it.
type defect struct {
	name    string
	options memory.Options
	bend    func(*memory.Directory) directory.Directory
	check   string
}

type m = memory.Directory

// as makes a bend of a function that wraps a directory.
func as[T directory.Directory](wrap func(*m) T) func(*m) directory.Directory {
	return func(d *m) directory.Directory { return wrap(d) }
}

// growth is the check that reads pages of all sizes.
const growth = "listing/none, one, a page, a page and one, three pages"

var defects = []defect{
	{"none", memory.Options{}, as(func(d *m) *m { return d }), ""},
	{"none, groups inline and lost", memory.Options{GroupsInline: true, GroupsLostOnDeactivation: true}, as(func(d *m) *m { return d }), ""},

	{"no identity", memory.Options{}, as(func(d *m) describing { return describing{d, func(x *directory.Description) { x.Identity = "" }} }), "description/says what the directory is"},
	{"two specs of one attribute", memory.Options{}, as(func(d *m) describing {
		return describing{d, func(x *directory.Description) { x.Attributes = append(x.Attributes, x.Attributes[0]) }}
	}), "description/says what the directory is"},
	{"learns its description while reading", memory.Options{}, as(func(d *m) learning { return learning{d} }), "description/never changes"},
	{"signs in as nobody it knows", memory.Options{Self: "ghost"}, as(func(d *m) *m { return d }), "description/signs in as nobody or somebody"},
	{"finds fault with itself", memory.Options{Findings: []directory.Finding{{Level: directory.LevelError, Subject: "x", Message: "y", Remedy: "z"}}}, as(func(d *m) *m { return d }), "description/finds nothing wrong with a healthy place"},

	{"stops after the first page", memory.Options{}, paging(func(_ directory.ListRequest, p *directory.AccountPage) { p.Next = "" }), growth},
	{"says the same cursor for ever", memory.Options{}, paging(func(_ directory.ListRequest, p *directory.AccountPage) {
		if p.Next != "" {
			p.Next = "after:account-000001"
		}
	}), growth},
	{"shows one account on two pages", memory.Options{}, paging(func(r directory.ListRequest, p *directory.AccountPage) {
		if r.Cursor != "" {
			p.Accounts = append(p.Accounts[:len(p.Accounts)-1:len(p.Accounts)-1], directory.Account{ID: "account-000001", Status: directory.StatusActive})
		}
	}), growth},
	{"leaves out the last of a full page", memory.Options{}, paging(func(r directory.ListRequest, p *directory.AccountPage) {
		if r.Size > 0 && len(p.Accounts) == r.Size {
			p.Accounts, p.Total = p.Accounts[:len(p.Accounts)-1], -1
		}
	}), growth},
	{"gives larger pages than asked for", memory.Options{}, as(func(d *m) largePages { return largePages{d} }), growth},
	{"tells a wrong total", memory.Options{}, paging(func(_ directory.ListRequest, p *directory.AccountPage) { p.Total++ }), "listing/what is there"},
	{"counts one too many", memory.Options{}, as(func(d *m) miscounting { return miscounting{d} }), growth},
	{"forgets a partition", memory.Options{}, as(func(d *m) partless { return partless{d} }), growth},
	{"does not know who is active", memory.Options{}, paging(func(_ directory.ListRequest, p *directory.AccountPage) {
		for i := range p.Accounts {
			p.Accounts[i].Status = directory.StatusUnknown
		}
	}), growth},
	{"promises groups and lists none", memory.Options{GroupsInline: true}, paging(func(_ directory.ListRequest, p *directory.AccountPage) {
		for i := range p.Accounts {
			p.Accounts[i].GroupsKnown = false
		}
	}), growth},
	{"gives new ids at each opening", memory.Options{}, reopening(), "listing/is the same after opening again"},
	{"lists something else each time", memory.Options{}, as(func(d *m) moody { return moody{d, new(atomic.Int64)} }), "listing/is the same twice"},
	{"leaves out the status where few attributes are asked for", memory.Options{}, paging(func(r directory.ListRequest, p *directory.AccountPage) {
		for i := range p.Accounts {
			if r.Attributes != nil {
				p.Accounts[i].Status = directory.StatusInactive
			}
		}
	}), "listing/gives the attributes asked for"},
	{"takes any cursor for the end", memory.Options{}, as(func(d *m) lenientCursor { return lenientCursor{d} }), "listing/refuses a cursor it never gave"},
	{"does not count requests", memory.Options{}, as(func(d *m) uncounted { return uncounted{d} }), "listing/is counted as a request"},

	{"keeps no last name", memory.Options{}, as(func(d *m) nameless { return nameless{d} }), "accounts/create and read back"},
	{"takes accounts without a username", memory.Options{}, as(func(d *m) lax { return lax{d} }), "accounts/create without what is required"},
	{"swallows what it cannot keep", memory.Options{Closed: true}, as(func(d *m) swallowing { return swallowing{d} }), "accounts/create with an attribute it lacks"},
	{"calls a missing account trouble", memory.Options{}, as(func(d *m) vague { return vague{d} }), "accounts/get one that is missing"},
	{"takes ids for paths", memory.Options{}, as(func(d *m) pathIDs { return pathIDs{d} }), "accounts/get by an odd id"},
	{"finds by the beginning", memory.Options{}, as(func(d *m) prefixes { return prefixes{d} }), "accounts/find by each searchable attribute"},
	{"finds none with an error", memory.Options{}, as(func(d *m) noneIsError { return noneIsError{d} }), "accounts/find none"},
	{"finds nothing by what it cannot search", memory.Options{}, as(func(d *m) silentSearch { return silentSearch{d} }), "accounts/find by what cannot be searched"},
	{"deletes the missing", memory.Options{}, as(func(d *m) idleDelete { return idleDelete{d} }), "accounts/delete"},
	{"gives an id away again", memory.Options{}, as(func(d *m) recycling { return recycling{d} }), "accounts/delete"},
	{"deactivates instead of deleting", memory.Options{}, as(func(d *m) softDelete { return softDelete{d} }), "accounts/delete"},

	{"names no attribute in a conflict", memory.Options{}, as(func(d *m) unnamed { return unnamed{d} }), "unique values/create with a value that is taken"},
	{"updates to a taken value", memory.Options{}, as(func(d *m) ignoring { return ignoring{d} }), "unique values/update to a value that is taken"},
	{"is in conflict with itself", memory.Options{}, as(func(d *m) selfish { return selfish{d} }), "unique values/update to the value it has"},

	{"knows no emoji", memory.Options{}, as(func(d *m) noEmoji { return noEmoji{d} }), "attributes/each writable one keeps what it is given"},
	{"changes what is set at creation only", memory.Options{Attributes: createOnly()}, as(func(d *m) noEmoji { return noEmoji{d} }), "attributes/each one that is set at creation only keeps it"},
	{"does not clear", memory.Options{}, as(func(d *m) unclearing { return unclearing{d} }), "attributes/each one can be emptied"},
	{"cuts long values", memory.Options{}, as(func(d *m) cutting { return cutting{d} }), "attributes/the longest value, and one more"},
	{"wipes what an update does not name", memory.Options{}, as(func(d *m) wiping { return wiping{d} }), "attributes/an update leaves the rest alone"},
	{"wipes on an empty update", memory.Options{}, as(func(d *m) wiping { return wiping{d} }), "attributes/an update that changes nothing"},
	{"ignores what is read only", memory.Options{}, as(func(d *m) ignoring { return ignoring{d} }), "attributes/what is read only is refused"},
	{"makes a new account of a renamed one", memory.Options{}, as(func(d *m) renaming { return renaming{d} }), "attributes/a rename keeps the id"},
	{"creates on update", memory.Options{}, as(func(d *m) ignoring { return ignoring{d} }), "attributes/an update of a missing account"},
	{"ignores revisions", memory.Options{}, as(func(d *m) lastWins { return lastWins{d} }), "attributes/an update of what changed since"},

	{"cannot deactivate twice", memory.Options{}, as(func(d *m) onceOnly { return onceOnly{d} }), "status/deactivate twice, activate twice"},
	{"takes groups away and does not say so", memory.Options{GroupsLostOnDeactivation: true}, as(func(d *m) describing {
		return describing{d, func(x *directory.Description) { x.GroupsLostOnDeactivation = false }}
	}), "status/groups come back on activation"},
	{"creates everybody active", memory.Options{}, as(func(d *m) nameless { return nameless{d} }), "status/create inactive"},
	{"sets the status of the missing", memory.Options{}, as(func(d *m) onceOnly { return onceOnly{d} }), "status/of a missing account"},

	{"loses a group on the second page", memory.Options{}, as(func(d *m) groupless { return groupless{d} }), "groups/a page and one of them"},
	{"lists a parent it does not have", memory.Options{}, as(func(d *m) orphaned { return orphaned{d} }), "groups/list"},
	{"makes a group twice", memory.Options{}, as(func(d *m) twinGroups { return twinGroups{d} }), "groups/create"},
	{"replaces all groups", memory.Options{}, as(func(d *m) replacing { return replacing{d} }), "groups/other groups stay"},
	{"cannot remove twice", memory.Options{}, as(func(d *m) strictRemove { return strictRemove{d} }), "groups/add and remove, twice each"},
	{"creates without groups", memory.Options{}, as(func(d *m) nameless { return nameless{d} }), "groups/create with groups"},
	{"shows one page of members", memory.Options{}, as(func(d *m) fewMembers { return fewMembers{d} }), "groups/a page and one of members"},
	{"ignores unknown groups", memory.Options{}, as(func(d *m) strictRemove { return strictRemove{d} }), "groups/unknown groups and accounts"},
	{"shows an unknown group empty", memory.Options{}, as(func(d *m) fewMembers { return fewMembers{d} }), "groups/members of a missing group"},

	{"has a result for nobody", memory.Options{}, as(func(d *m) sloppyBulk { return sloppyBulk{d} }), "bulk/none"},
	{"stops at the first bad one", memory.Options{}, as(func(d *m) sloppyBulk { return sloppyBulk{d} }), "bulk/a few, one of them refused"},

	{"reads in spite of a cancelled context", memory.Options{}, as(func(d *m) deaf { return deaf{d} }), "calls/a cancelled read"},
	{"writes in spite of a cancelled context", memory.Options{}, as(func(d *m) deaf { return deaf{d} }), "calls/a cancelled write writes nothing"},
	{"loses an account among several callers", memory.Options{}, as(func(d *m) forgetful { return forgetful{d, new(atomic.Int64)} }), "calls/side by side"},
	{"returns bare errors", memory.Options{}, as(func(d *m) bare { return bare{d} }), "accounts/get one that is missing"},
	{"leaves its name out of errors", memory.Options{}, as(func(d *m) anonymous { return anonymous{d} }), "accounts/get one that is missing"},
}

type describing struct {
	*m
	edit func(*directory.Description)
}

func (d describing) Describe() directory.Description {
	desc := d.m.Describe()
	d.edit(&desc)
	return desc
}

type learning struct{ *m }

func (d learning) Describe() directory.Description {
	desc := d.m.Describe()
	desc.PageSize += d.Calls(memory.OpListAccounts)
	return desc
}

// paging bends the pages of a listing.
func paging(tamper func(directory.ListRequest, *directory.AccountPage)) func(*m) directory.Directory {
	return func(d *m) directory.Directory {
		d.SetTamper(tamper)
		return d
	}
}

type largePages struct{ *m }

func (d largePages) ListAccounts(ctx context.Context, r directory.ListRequest) (directory.AccountPage, error) {
	if r.Size > 0 {
		r.Size++
	}
	return d.m.ListAccounts(ctx, r)
}

type miscounting struct{ *m }

func (d miscounting) CountAccounts(ctx context.Context) (int, error) {
	n, err := d.m.CountAccounts(ctx)
	return n + 1, err
}

type partless struct{ *m }

func (d partless) Partition(ctx context.Context, r directory.ListRequest) ([]string, error) {
	cursors, err := d.m.Partition(ctx, r)
	if len(cursors) > 2 {
		cursors = cursors[1:]
	}
	return cursors, err
}

func reopening() func(*m) directory.Directory {
	opened := 0
	return func(d *m) directory.Directory {
		opened++
		mark := strings.Repeat("-", opened)
		d.SetTamper(func(_ directory.ListRequest, p *directory.AccountPage) {
			for i := range p.Accounts {
				p.Accounts[i].ID += mark
			}
		})
		return d
	}
}

type moody struct {
	*m
	calls *atomic.Int64
}

func (d moody) ListAccounts(ctx context.Context, r directory.ListRequest) (directory.AccountPage, error) {
	page, err := d.m.ListAccounts(ctx, r)
	for i := range page.Accounts {
		page.Accounts[i].Revision = strings.Repeat("x", int(d.calls.Add(1)%100))
	}
	return page, err
}

type lenientCursor struct{ *m }

func (d lenientCursor) ListAccounts(ctx context.Context, r directory.ListRequest) (directory.AccountPage, error) {
	page, err := d.m.ListAccounts(ctx, r)
	if errors.Is(err, directory.Invalid) {
		return directory.AccountPage{Total: -1}, nil
	}
	return page, err
}

type uncounted struct{ *m }

func (uncounted) Requests() int64 { return 0 }

type nameless struct{ *m }

func (d nameless) CreateAccount(ctx context.Context, r directory.CreateRequest) (directory.Account, error) {
	r.Attributes = maps.Clone(r.Attributes)
	delete(r.Attributes, directory.LastName)
	r.Status, r.Groups = directory.StatusActive, nil
	return d.m.CreateAccount(ctx, r)
}

type lax struct{ *m }

func (d lax) CreateAccount(ctx context.Context, r directory.CreateRequest) (directory.Account, error) {
	r.Attributes = maps.Clone(r.Attributes)
	if r.Attributes[directory.Username].IsEmpty() {
		r.Attributes[directory.Username] = r.Attributes[directory.Email]
	}
	return d.m.CreateAccount(ctx, r)
}

type swallowing struct{ *m }

func (d swallowing) CreateAccount(ctx context.Context, r directory.CreateRequest) (directory.Account, error) {
	r.Attributes = maps.Clone(r.Attributes)
	maps.DeleteFunc(r.Attributes, func(name string, _ directory.Value) bool { _, ok := d.Describe().Attribute(name); return !ok })
	return d.m.CreateAccount(ctx, r)
}

type vague struct{ *m }

func (d vague) GetAccount(ctx context.Context, id string) (directory.Account, error) {
	account, err := d.m.GetAccount(ctx, id)
	return account, rekind(err, directory.NotFound, directory.Retryable)
}

func rekind(err error, from, to directory.ErrorKind) error {
	var e *directory.Error
	if errors.As(err, &e) && e.Kind == from {
		changed := *e
		changed.Kind = to
		return &changed
	}
	return err
}

type pathIDs struct{ *m }

func (d pathIDs) GetAccount(ctx context.Context, id string) (directory.Account, error) {
	if strings.Contains(id, "..") {
		return directory.Account{ID: id}, nil
	}
	return d.m.GetAccount(ctx, id)
}

type prefixes struct{ *m }

func (d prefixes) FindAccounts(ctx context.Context, attribute, value string) (found []directory.Account, err error) {
	if _, err := d.m.FindAccounts(ctx, attribute, value); err != nil {
		return nil, err
	}
	for _, account := range d.Accounts() {
		if strings.HasPrefix(account.Attributes.Text(attribute), strings.ToLower(value)) {
			found = append(found, account)
		}
	}
	return found, nil
}

type noneIsError struct{ *m }

func (d noneIsError) FindAccounts(ctx context.Context, attribute, value string) ([]directory.Account, error) {
	found, err := d.m.FindAccounts(ctx, attribute, value)
	if err == nil && len(found) == 0 {
		err = &directory.Error{Kind: directory.NotFound, Op: "find", Directory: "memory"}
	}
	return found, err
}

type silentSearch struct{ *m }

func (d silentSearch) FindAccounts(ctx context.Context, attribute, value string) ([]directory.Account, error) {
	found, err := d.m.FindAccounts(ctx, attribute, value)
	if errors.Is(err, directory.Unsupported) {
		err = nil
	}
	return found, err
}

type idleDelete struct{ *m }

func (d idleDelete) DeleteAccount(ctx context.Context, id string) error {
	err := d.m.DeleteAccount(ctx, id)
	if errors.Is(err, directory.NotFound) {
		return nil
	}
	return err
}

type recycling struct{ *m }

func (d recycling) CreateAccount(ctx context.Context, r directory.CreateRequest) (directory.Account, error) {
	account, err := d.m.CreateAccount(ctx, r)
	if err != nil {
		return account, err
	}
	d.Remove(account.ID)
	id := "id-" + strings.ToLower(account.Attributes.Text(directory.Username))
	d.Put(directory.Account{ID: id, Status: r.Status, Attributes: r.Attributes, Groups: r.Groups})
	return d.GetAccount(ctx, id)
}

type softDelete struct{ *m }

func (d softDelete) DeleteAccount(ctx context.Context, id string) error {
	_, err := d.SetStatus(ctx, directory.StatusRequest{ID: id, Status: directory.StatusInactive})
	return err
}

type unnamed struct{ *m }

func (d unnamed) CreateAccount(ctx context.Context, r directory.CreateRequest) (directory.Account, error) {
	account, err := d.m.CreateAccount(ctx, r)
	var e *directory.Error
	if errors.As(err, &e) {
		e.Attribute = ""
	}
	return account, err
}

// ignoring answers every refused update as if it had worked.
type ignoring struct{ *m }

func (d ignoring) UpdateAccount(ctx context.Context, r directory.UpdateRequest) (directory.Account, error) {
	account, err := d.m.UpdateAccount(ctx, r)
	if err != nil && ctx.Err() == nil {
		account, _ = d.Account(r.ID)
		return account, nil
	}
	return account, err
}

type selfish struct{ *m }

func (d selfish) UpdateAccount(ctx context.Context, r directory.UpdateRequest) (directory.Account, error) {
	account, _ := d.Account(r.ID)
	if v, ok := r.Set[directory.Email]; ok && v.Equal(account.Attributes[directory.Email]) {
		return account, &directory.Error{Kind: directory.Conflict, Op: "update", Directory: "memory", Attribute: directory.Email}
	}
	return d.m.UpdateAccount(ctx, r)
}

type noEmoji struct{ *m }

func plainLetters(values directory.Attributes) directory.Attributes {
	values = maps.Clone(values)
	for name, value := range values {
		if value.Kind() == directory.KindText {
			values[name] = directory.Text(strings.Map(func(r rune) rune {
				if r > 0xffff {
					return '?'
				}
				return r
			}, value.String()))
		}
	}
	return values
}

func (d noEmoji) CreateAccount(ctx context.Context, r directory.CreateRequest) (directory.Account, error) {
	r.Attributes = plainLetters(r.Attributes)
	return d.m.CreateAccount(ctx, r)
}

func (d noEmoji) UpdateAccount(ctx context.Context, r directory.UpdateRequest) (directory.Account, error) {
	r.Set = plainLetters(r.Set)
	return d.m.UpdateAccount(ctx, r)
}

// createOnly are the usual specs, with a nickname that is set once.
func createOnly() []directory.AttributeSpec {
	specs := memory.Attributes(true)
	for i := range specs {
		if specs[i].Name == directory.Nickname {
			specs[i].Writable, specs[i].CreateOnly = false, true
		}
	}
	return specs
}

type unclearing struct{ *m }

func (d unclearing) UpdateAccount(ctx context.Context, r directory.UpdateRequest) (directory.Account, error) {
	r.Set = maps.Clone(r.Set)
	maps.DeleteFunc(r.Set, func(name string, v directory.Value) bool { return v.IsEmpty() && name != directory.Username })
	return d.m.UpdateAccount(ctx, r)
}

type cutting struct{ *m }

func (d cutting) UpdateAccount(ctx context.Context, r directory.UpdateRequest) (directory.Account, error) {
	r.Set = maps.Clone(r.Set)
	for name, value := range r.Set {
		if text := value.String(); len(text) > 200 {
			r.Set[name] = directory.Text(text[:200])
		}
	}
	return d.m.UpdateAccount(ctx, r)
}

type wiping struct{ *m }

func (d wiping) UpdateAccount(ctx context.Context, r directory.UpdateRequest) (directory.Account, error) {
	r.Set = maps.Clone(r.Set)
	if r.Set == nil {
		r.Set = directory.Attributes{}
	}
	if _, ok := r.Set[directory.LastName]; !ok {
		r.Set[directory.LastName] = directory.Value{}
	}
	return d.m.UpdateAccount(ctx, r)
}

type renaming struct{ *m }

func (d renaming) UpdateAccount(ctx context.Context, r directory.UpdateRequest) (directory.Account, error) {
	account, err := d.m.UpdateAccount(ctx, r)
	if _, renamed := r.Set[directory.Username]; renamed && err == nil {
		d.Remove(account.ID)
		account.ID = d.Put(directory.Account{Status: account.Status, Attributes: account.Attributes})[0]
	}
	return account, err
}

type lastWins struct{ *m }

func (d lastWins) UpdateAccount(ctx context.Context, r directory.UpdateRequest) (directory.Account, error) {
	r.Revision = ""
	return d.m.UpdateAccount(ctx, r)
}

type onceOnly struct{ *m }

func (d onceOnly) SetStatus(ctx context.Context, r directory.StatusRequest) (directory.Account, error) {
	account, _ := d.Account(r.ID)
	if account.Status == r.Status || account.ID == "" {
		return account, &directory.Error{Kind: directory.Conflict, Op: "set status", Directory: "memory"}
	}
	return d.m.SetStatus(ctx, r)
}

type groupless struct{ *m }

func (d groupless) ListGroups(ctx context.Context, r directory.GroupListRequest) (directory.GroupPage, error) {
	page, err := d.m.ListGroups(ctx, r)
	page.Total = -1
	if r.Cursor != "" {
		page.Groups = nil
	}
	return page, err
}

type orphaned struct{ *m }

func (d orphaned) ListGroups(ctx context.Context, _ directory.GroupListRequest) (directory.GroupPage, error) {
	return directory.GroupPage{Groups: []directory.Group{{ID: "a", Name: "A", Parents: []string{"b"}}}, Total: -1}, ctx.Err()
}

type twinGroups struct{ *m }

func (d twinGroups) CreateGroup(ctx context.Context, name string) (directory.Group, error) {
	group, err := d.m.CreateGroup(ctx, name)
	if errors.Is(err, directory.Conflict) {
		group, err = directory.Group{ID: d.PutGroup(directory.Group{Name: name})[0], Name: name}, nil
	}
	return group, err
}

type replacing struct{ *m }

func (d replacing) ChangeGroups(ctx context.Context, r directory.GroupsRequest) error {
	groups, err := d.ListMemberships(ctx, r.Account)
	if err != nil {
		return err
	}
	r.Remove = groups
	return d.m.ChangeGroups(ctx, r)
}

type strictRemove struct{ *m }

func (d strictRemove) ChangeGroups(ctx context.Context, r directory.GroupsRequest) error {
	account, _ := d.Account(r.Account)
	for _, group := range r.Remove {
		if !strings.Contains(strings.Join(account.Groups, " "), group) {
			return &directory.Error{Kind: directory.NotFound, Op: "change groups", Directory: "memory"}
		}
	}
	err := d.m.ChangeGroups(ctx, r)
	if errors.Is(err, directory.Invalid) {
		return nil
	}
	return err
}

type fewMembers struct{ *m }

func (d fewMembers) ListMembers(ctx context.Context, r directory.MemberListRequest) (directory.MemberPage, error) {
	page, err := d.m.ListMembers(ctx, r)
	page.Next = ""
	if errors.Is(err, directory.NotFound) {
		err = nil
	}
	return page, err
}

type sloppyBulk struct{ *m }

func (d sloppyBulk) CreateAccounts(ctx context.Context, rs []directory.CreateRequest) ([]directory.CreateResult, error) {
	results, err := d.m.CreateAccounts(ctx, rs)
	if len(rs) == 0 {
		return make([]directory.CreateResult, 1), err
	}
	for _, result := range results {
		if result.Err != nil {
			return nil, result.Err
		}
	}
	return results, err
}

// deaf does not look at its context.
type deaf struct{ *m }

func (d deaf) ListAccounts(ctx context.Context, r directory.ListRequest) (directory.AccountPage, error) {
	return d.m.ListAccounts(context.WithoutCancel(ctx), r)
}

func (d deaf) DeleteAccount(ctx context.Context, id string) error {
	err := d.m.DeleteAccount(context.WithoutCancel(ctx), id)
	if err == nil && ctx.Err() != nil {
		return &directory.Error{Op: "delete", Directory: "memory", Err: ctx.Err()}
	}
	return err
}

type forgetful struct {
	*m
	calls *atomic.Int64
}

func (d forgetful) CreateAccount(ctx context.Context, r directory.CreateRequest) (directory.Account, error) {
	account, err := d.m.CreateAccount(ctx, r)
	if d.calls.Add(1) == 3 {
		d.Remove(account.ID)
		account.ID = "account-000002"
	}
	return account, err
}

type bare struct{ *m }

func (d bare) GetAccount(ctx context.Context, id string) (directory.Account, error) {
	account, err := d.m.GetAccount(ctx, id)
	if err != nil {
		err = errors.New(err.Error())
	}
	return account, err
}

type anonymous struct{ *m }

func (d anonymous) GetAccount(ctx context.Context, id string) (directory.Account, error) {
	account, err := d.m.GetAccount(ctx, id)
	var e *directory.Error
	if errors.As(err, &e) {
		e.Directory = ""
	}
	return account, err
}
