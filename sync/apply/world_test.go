package apply_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rollcall-sync/rollcall/sync/apply"
	"github.com/rollcall-sync/rollcall/sync/directory"
	"github.com/rollcall-sync/rollcall/sync/plan"
	"github.com/rollcall-sync/rollcall/sync/state"
)

var now = time.Date(2026, 3, 2, 2, 30, 0, 0, time.UTC)

// errLost lets a write happen and loses its answer.
var errLost = errors.New("the answer was lost")

// site is a directory that does what it is told, writes down each call, and fails where a test says so.
type site struct {
	name     string
	world    *world
	desc     directory.Description
	accounts map[string]*directory.Account
	groups   []directory.Group
	next     int
	// fail is asked before each call, with "update t1"; errLost does the work and loses the answer.
	fail func(call string) error
	// hides lists attributes that reading calls do not show.
	hides []string
}

func (s *site) Describe() directory.Description { return s.desc }
func (s *site) Close() error                    { return nil }

func (s *site) ListAccounts(context.Context, directory.ListRequest) (directory.AccountPage, error) {
	return directory.AccountPage{}, errors.New("apply lists nobody")
}

// do runs one call under the lock.
func (s *site) do(ctx context.Context, op, record string, work func() error) error {
	call := strings.TrimSpace(op + " " + record)
	s.world.say("%s %s", s.name, call)
	if ctx.Err() != nil {
		return s.error(directory.Retryable, op, record)
	}
	var fault error
	if s.fail != nil {
		fault = s.fail(call)
	}
	if fault != nil && !errors.Is(fault, errLost) {
		return fault
	}
	s.world.mu.Lock()
	defer s.world.mu.Unlock()
	err := work()
	if err == nil && fault != nil {
		return s.error(directory.UnknownOutcome, op, record)
	}
	return err
}

func (s *site) error(kind directory.ErrorKind, op, record string) error {
	return &directory.Error{Kind: kind, Op: op, Directory: s.name, Record: record}
}

func (s *site) account(op, id string) (*directory.Account, error) {
	if a := s.accounts[id]; a != nil {
		return a, nil
	}
	return nil, s.error(directory.NotFound, op, id)
}

// show is a copy of an account as reading calls return it.
func (s *site) show(a *directory.Account) directory.Account {
	copied := a.Clone()
	for _, name := range s.hides {
		delete(copied.Attributes, name)
	}
	return copied
}

func (s *site) GetAccount(ctx context.Context, id string) (account directory.Account, err error) {
	err = s.do(ctx, "get", id, func() error {
		a, err := s.account("get", id)
		if err == nil {
			account = s.show(a)
		}
		return err
	})
	return account, err
}

func (s *site) FindAccounts(ctx context.Context, attribute, value string) (found []directory.Account, err error) {
	err = s.do(ctx, "find", attribute+" "+value, func() error {
		for _, a := range s.accounts {
			if strings.EqualFold(a.Attributes.Text(attribute), value) {
				found = append(found, s.show(a))
			}
		}
		return nil
	})
	return found, err
}

func (s *site) create(request directory.CreateRequest) directory.Account {
	s.next++
	a := directory.Account{ID: fmt.Sprintf("new%d", s.next), Status: request.Status, Attributes: directory.Attributes{}, Groups: request.Groups, GroupsKnown: true}
	for name, value := range request.Attributes {
		a.Attributes[name] = value
	}
	s.accounts[a.ID] = &a
	return a.Clone()
}

func (s *site) CreateAccount(ctx context.Context, request directory.CreateRequest) (account directory.Account, err error) {
	err = s.do(ctx, "create", request.Attributes.Text("username"), func() error {
		account = s.create(request)
		return nil
	})
	return account, err
}

func (s *site) UpdateAccount(ctx context.Context, request directory.UpdateRequest) (account directory.Account, err error) {
	err = s.do(ctx, "update", request.ID, func() error {
		a, err := s.account("update", request.ID)
		if err != nil {
			return err
		}
		for name, value := range request.Set {
			a.Attributes[name] = value
		}
		account = a.Clone()
		return nil
	})
	return account, err
}

func (s *site) SetStatus(ctx context.Context, request directory.StatusRequest) (account directory.Account, err error) {
	err = s.do(ctx, request.Status.String(), request.ID, func() error {
		a, err := s.account("set status", request.ID)
		if err != nil {
			return err
		}
		a.Status = request.Status
		account = a.Clone()
		return nil
	})
	return account, err
}

func (s *site) DeleteAccount(ctx context.Context, id string) error {
	return s.do(ctx, "delete", id, func() error {
		_, err := s.account("delete", id)
		delete(s.accounts, id)
		return err
	})
}

func (s *site) ChangeGroups(ctx context.Context, request directory.GroupsRequest) error {
	what := fmt.Sprintf("%s +%s -%s", request.Account, strings.Join(request.Add, "+"), strings.Join(request.Remove, "-"))
	return s.do(ctx, "groups", what, func() error {
		a, err := s.account("change groups", request.Account)
		if err != nil {
			return err
		}
		a.Groups = slices.DeleteFunc(append(a.Groups, request.Add...), func(id string) bool { return slices.Contains(request.Remove, id) })
		return nil
	})
}

func (s *site) CreateGroup(ctx context.Context, name string) (group directory.Group, err error) {
	err = s.do(ctx, "create group", name, func() error {
		group = directory.Group{ID: "id-" + name, Name: name}
		s.groups = append(s.groups, group)
		return nil
	})
	return group, err
}

// ListGroups has one group a page.
func (s *site) ListGroups(ctx context.Context, request directory.GroupListRequest) (page directory.GroupPage, err error) {
	err = s.do(ctx, "list groups", request.Cursor, func() error {
		page.Total = -1
		i := len(request.Cursor)
		if i < len(s.groups) {
			page.Groups = s.groups[i : i+1]
		}
		if i+1 < len(s.groups) {
			page.Next = request.Cursor + "x"
		}
		return nil
	})
	return page, err
}

// bulk is a site that also takes several creations in one call.
type bulk struct {
	*site
	// results changes the answer of a call.
	results func([]directory.CreateResult) []directory.CreateResult
}

func (b bulk) CreateAccounts(ctx context.Context, requests []directory.CreateRequest) (results []directory.CreateResult, err error) {
	var names []string
	for _, r := range requests {
		names = append(names, r.Attributes.Text("username"))
	}
	err = b.do(ctx, "create", strings.Join(names, "+"), func() error {
		for _, r := range requests {
			results = append(results, directory.CreateResult{Account: b.create(r)})
		}
		return nil
	})
	if b.results != nil {
		results = b.results(results)
	}
	return results, err
}

// member is a site that tells the groups of one account.
type member struct{ *site }

func (m member) ListMemberships(ctx context.Context, id string) (groups []string, err error) {
	err = m.do(ctx, "memberships", id, func() error {
		a, err := m.account("list memberships", id)
		if err == nil {
			groups = slices.Clone(a.Groups)
		}
		return err
	})
	return groups, err
}

// world is a source, a target and a journal that all write into one log.
type world struct {
	tb             testing.TB
	mu             sync.Mutex
	log            []string
	source, target *site
	outcomes       map[int64]state.Outcome
	drafts         map[string]*apply.Draft
	slept          []time.Duration
	events         []apply.Event
	options        apply.Options
	// intend and resolve fail the journal.
	intend, resolve func(seq int64) error
}

func newWorld(tb testing.TB) *world {
	w := &world{tb: tb, outcomes: map[int64]state.Outcome{}, drafts: map[string]*apply.Draft{}}
	for _, side := range []struct {
		name string
		to   **site
	}{{"staff", &w.source}, {"website", &w.target}} {
		*side.to = &site{name: side.name, world: w, accounts: map[string]*directory.Account{}, desc: directory.Description{Name: side.name, Attributes: []directory.AttributeSpec{
			{Name: "username", Unique: true, Searchable: true, Writable: true, FoldCase: true},
			{Name: "email", Unique: true, Searchable: true, Writable: true, FoldCase: true},
			{Name: "employee_id", Unique: true, Writable: true},
			{Name: "title", Writable: true},
		}}}
	}
	for _, name := range []string{"anna", "bert", "carl", "dora", "emil", "fred", "gerd"} {
		w.source.accounts["s-"+name] = w.person("s-"+name, name)
		w.target.accounts["t-"+name] = w.person("t-"+name, name)
	}
	w.options = apply.Options{
		Run: "run1", Sync: "staff-to-website", Source: w.source, Target: w.target, Journal: w, Draft: w.draft, Now: func() time.Time { return now },
		Sleep: func(_ context.Context, d time.Duration) error {
			w.slept = append(w.slept, d)
			return nil
		},
		Progress: func(e apply.Event) { w.events = append(w.events, e) },
	}
	return w
}

func (w *world) person(id, name string) *directory.Account {
	return &directory.Account{ID: id, Status: directory.StatusActive, GroupsKnown: true, Groups: []string{"g-all"}, Attributes: directory.Attributes{
		"username": directory.Text(name), "email": directory.Text(name + "@example.com"), "title": directory.Text("Editor"),
	}}
}

func (w *world) say(format string, arguments ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.log = append(w.log, fmt.Sprintf(format, arguments...))
}

func (w *world) Intend(_ context.Context, entries ...state.Entry) error {
	for _, e := range entries {
		if w.intend != nil {
			if err := w.intend(e.Seq); err != nil {
				return err
			}
		}
		var o plan.Operation
		if err := json.Unmarshal(e.Operation, &o); err != nil || e.Run != "run1" || e.Sync != "staff-to-website" || e.Side != string(o.Side) || e.Action != string(o.Action) || int64(o.Seq) != e.Seq ||
			e.SourceID != o.SourceID || e.TargetID != o.TargetID || e.Account != o.Account {
			w.tb.Errorf("the entry %+v does not tell the operation %+v (%v)", e, o, err)
		}
		w.say("intend %d", e.Seq)
	}
	return nil
}

func (w *world) Resolve(_ context.Context, outcomes ...state.Outcome) error {
	for _, o := range outcomes {
		if w.resolve != nil {
			if err := w.resolve(o.Seq); err != nil {
				return err
			}
		}
		w.say("%s %d", o.Result, o.Seq)
		w.mu.Lock()
		w.outcomes[o.Seq] = o
		w.mu.Unlock()
	}
	return nil
}

// draft is the link of the person that an operation names; the accounts are those of both sides.
func (w *world) draft(o plan.Operation) *apply.Draft {
	w.mu.Lock()
	defer w.mu.Unlock()
	if d := w.drafts[o.Account]; d != nil {
		return d
	}
	d := &apply.Draft{Link: state.Link{Sync: "staff-to-website", LinkHead: state.LinkHead{SourceID: o.SourceID, TargetID: o.TargetID}}}
	if a := w.source.accounts[o.SourceID]; a != nil {
		copied := a.Clone()
		d.Source = &copied
	}
	if a := w.target.accounts[o.TargetID]; a != nil {
		copied := a.Clone()
		d.Target, d.Groups = &copied, slices.Clone(a.Groups)
	}
	w.drafts[o.Account] = d
	return d
}

// run numbers the operations and carries them out.
func (w *world) run(operations ...plan.Operation) apply.Result {
	w.tb.Helper()
	result, err := apply.Run(context.Background(), planOf(operations...), w.options)
	if err != nil {
		w.tb.Fatal(err)
	}
	return result
}

func planOf(operations ...plan.Operation) *plan.Plan {
	return &plan.Plan{Sync: "staff-to-website", Operations: plan.Of(operations...)}
}

// on is an operation on the target account of a person; see of for one on the source.
func on(action plan.Action, who string, after ...int) plan.Operation {
	o := plan.Operation{Side: plan.Target, Action: action, Account: who, SourceID: "s-" + who, TargetID: "t-" + who, After: after, Reason: "a test"}
	switch action {
	case plan.Update:
		o.Changes = []plan.Change{{Attribute: "title", Before: directory.Text("Editor"), After: directory.Text("Chief")}}
	case plan.Create:
		o.TargetID, o.Origin = "", "created"
		o.Changes = []plan.Change{
			{Attribute: "username", After: directory.Text(who)}, {Attribute: "email", After: directory.Text(who + "@example.org")}, {Attribute: "title", After: directory.Text("Chief")},
		}
	case plan.GroupAdd, plan.GroupRemove:
		o.GroupID, o.GroupName = "g-"+who, who
	case plan.CreateGroup:
		o.SourceID, o.TargetID, o.GroupName = "", "", who
	}
	return o
}

func of(action plan.Action, who string) plan.Operation {
	o := on(action, who)
	o.Side = plan.Source
	return o
}

// failing fails the calls that begin with one of the given words.
func failing(err error, calls ...string) func(string) error {
	return func(call string) error {
		if slices.ContainsFunc(calls, func(c string) bool { return strings.HasPrefix(call, c) }) {
			return err
		}
		return nil
	}
}

func kind(k directory.ErrorKind) error {
	return &directory.Error{Kind: k, Op: "write", Directory: "website"}
}

// failures prints the failures of a result: "update anna invalid: message".
func failures(r apply.Result) []string {
	var list []string
	for _, f := range r.Failures {
		list = append(list, fmt.Sprintf("%s %s %s: %s", f.Operation, f.Account, f.KindName, f.Message))
	}
	return list
}

// failed names the accounts whose pair has a failure.
func (w *world) failed() []string {
	var names []string
	for name, draft := range w.drafts {
		if draft.Failed() {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}
