package apply

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/rollcall-sync/rollcall/sync/directory"
	"github.com/rollcall-sync/rollcall/sync/plan"
)

// call sends one step to the directory and returns an outcome for each of its operations.
func (e *executor) call(ctx context.Context, step []plan.Operation) []outcome {
	first := step[0]
	switch {
	case first.Action == plan.Link:
		return []outcome{{}}
	case first.Action == plan.Create && len(step) > 1:
		return e.createMany(ctx, step)
	case first.Action == plan.GroupAdd || first.Action == plan.GroupRemove:
		return e.changeGroups(ctx, step)
	}
	stored, err := e.patiently(ctx, func() (*directory.Account, error) { return e.one(ctx, first) })
	if errors.Is(err, directory.UnknownOutcome) {
		return []outcome{e.readBack(ctx, first, err)}
	}
	if errors.Is(err, directory.NotFound) && first.Action.Loss() {
		return []outcome{{}} // gone is as good as done
	}
	if err != nil || stored == nil {
		return []outcome{{err: err}}
	}
	out := e.believe(first, *stored)
	if errors.Is(out.err, directory.UnknownOutcome) {
		out = e.readBack(ctx, first, out.err)
	}
	return []outcome{out}
}

// patiently repeats a call that the directory refused for being too fast: it said that it did nothing.
func (e *executor) patiently(ctx context.Context, call func() (*directory.Account, error)) (*directory.Account, error) {
	for try := 1; ; try++ {
		stored, err := call()
		var typed *directory.Error
		if !errors.Is(err, directory.Throttled) || !errors.As(err, &typed) || try == 3 {
			return stored, err
		}
		wait := min(max(typed.Wait, time.Second<<try), longestWait)
		if e.options.Sleep(ctx, wait) != nil {
			return stored, err
		}
	}
}

// one sends one operation that is a call of its own.
func (e *executor) one(ctx context.Context, o plan.Operation) (*directory.Account, error) {
	d := e.directory(o.Side)
	id := e.options.Draft(o).id(o.Side)
	switch o.Action {
	case plan.Create:
		if creator, ok := d.(directory.Creator); ok {
			return single(creator.CreateAccount(ctx, e.createRequest(o)))
		}
	case plan.Update:
		if updater, ok := d.(directory.Updater); ok {
			return single(updater.UpdateAccount(ctx, directory.UpdateRequest{ID: id, Set: attributes(o), Revision: o.Revision}))
		}
	case plan.Activate, plan.Deactivate:
		if setter, ok := d.(directory.StatusSetter); ok {
			return single(setter.SetStatus(ctx, statusRequest(o, id)))
		}
	case plan.Delete:
		if deleter, ok := d.(directory.Deleter); ok {
			return nil, deleter.DeleteAccount(ctx, id)
		}
	case plan.CreateGroup:
		if creator, ok := d.(directory.GroupCreator); ok {
			return nil, e.createGroup(ctx, creator, o)
		}
	}
	return nil, &directory.Error{Kind: directory.Unsupported, Op: string(o.Action), Directory: d.Describe().Name, Record: o.Account}
}

func single(account directory.Account, err error) (*directory.Account, error) {
	if err != nil {
		return nil, err
	}
	return &account, nil
}

func attributes(o plan.Operation) directory.Attributes {
	set := make(directory.Attributes, len(o.Changes))
	for _, change := range o.Changes {
		set[change.Attribute] = change.After
	}
	return set
}

func (e *executor) createRequest(o plan.Operation) directory.CreateRequest {
	return directory.CreateRequest{Attributes: attributes(o), Status: directory.StatusActive, Groups: e.allGroups(o)}
}

func statusRequest(o plan.Operation, id string) directory.StatusRequest {
	if o.Action == plan.Deactivate {
		return directory.StatusRequest{ID: id, Status: directory.StatusInactive}
	}
	return directory.StatusRequest{ID: id, Status: directory.StatusActive, Groups: o.Groups}
}

// createGroup makes a group and remembers its id for the memberships that wait for it.
func (e *executor) createGroup(ctx context.Context, creator directory.GroupCreator, o plan.Operation) error {
	group, err := creator.CreateGroup(ctx, o.GroupName)
	if err == nil {
		e.setGroup(o, group.ID)
	}
	return err
}

func (e *executor) setGroup(o plan.Operation, id string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.groups[string(o.Side)+"\x00"+o.GroupName] = id
}

// groupID returns the id of the group of an operation, also of one that was made in this run.
func (e *executor) groupID(o plan.Operation) string {
	if o.GroupID != "" {
		return o.GroupID
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.groups[string(o.Side)+"\x00"+o.GroupName]
}

// allGroups are the ids of the groups of a creation, those that were made in this run included.
func (e *executor) allGroups(o plan.Operation) []string {
	groups := slices.Clone(o.Groups)
	for _, name := range o.NewGroups {
		groups = append(groups, e.groupID(plan.Operation{Side: o.Side, GroupName: name}))
	}
	return groups
}

// createMany makes several accounts in one bulk call. Where nothing is known of the call as a whole, each account is looked
// for by itself.
func (e *executor) createMany(ctx context.Context, step []plan.Operation) []outcome {
	creator := e.directory(step[0].Side).(directory.BulkCreator)
	requests := make([]directory.CreateRequest, len(step))
	for i, o := range step {
		requests[i] = e.createRequest(o)
	}
	var results []directory.CreateResult
	_, err := e.patiently(ctx, func() (_ *directory.Account, err error) {
		results, err = creator.CreateAccounts(ctx, requests)
		return nil, err
	})
	if err == nil && len(results) != len(step) {
		err = &directory.Error{
			Kind: directory.UnknownOutcome, Op: "create accounts", Directory: e.directory(step[0].Side).Describe().Name,
			Err: fmt.Errorf("%d answers came for %d accounts", len(results), len(step)),
		}
	}
	outcomes := make([]outcome, len(step))
	for i, o := range step {
		switch {
		case errors.Is(err, directory.UnknownOutcome):
			outcomes[i] = e.readBack(ctx, o, err)
		case err != nil:
			outcomes[i] = outcome{err: err}
		case errors.Is(results[i].Err, directory.UnknownOutcome):
			outcomes[i] = e.readBack(ctx, o, results[i].Err)
		case results[i].Err != nil:
			outcomes[i] = outcome{err: results[i].Err}
		default:
			if outcomes[i] = e.believe(o, results[i].Account); errors.Is(outcomes[i].err, directory.UnknownOutcome) {
				outcomes[i] = e.readBack(ctx, o, outcomes[i].err)
			}
		}
	}
	return outcomes
}

// changeGroups sends all group changes of one account in one call.
func (e *executor) changeGroups(ctx context.Context, step []plan.Operation) []outcome {
	outcomes := make([]outcome, len(step))
	d := e.directory(step[0].Side)
	changer, ok := d.(directory.GroupChanger)
	request := directory.GroupsRequest{Account: e.options.Draft(step[0]).id(step[0].Side)}
	for i := range step {
		if step[i].GroupID = e.groupID(step[i]); step[i].GroupID == "" {
			ok = false
		}
		if step[i].Action == plan.GroupAdd {
			request.Add = append(request.Add, step[i].GroupID)
		} else {
			request.Remove = append(request.Remove, step[i].GroupID)
		}
	}
	err := error(&directory.Error{Kind: directory.Unsupported, Op: "change groups", Directory: d.Describe().Name, Record: step[0].Account})
	if ok {
		_, err = e.patiently(ctx, func() (*directory.Account, error) { return nil, changer.ChangeGroups(ctx, request) })
	}
	out := outcome{err: err}
	if errors.Is(err, directory.UnknownOutcome) {
		out = e.readBackGroups(ctx, d, request, err)
	}
	for i := range outcomes {
		outcomes[i] = out
	}
	return outcomes
}

// readBack finds out what became of a write whose answer was lost.
func (e *executor) readBack(ctx context.Context, o plan.Operation, lost error) outcome {
	d := e.directory(o.Side)
	switch o.Action {
	case plan.Create:
		return e.readBackCreate(ctx, d, o, lost)
	case plan.CreateGroup:
		return e.readBackGroup(ctx, d, o, lost)
	}
	getter, ok := d.(directory.Getter)
	if !ok {
		return outcome{err: lost, pending: true}
	}
	account, err := getter.GetAccount(ctx, e.options.Draft(o).id(o.Side))
	switch {
	case errors.Is(err, directory.NotFound) && o.Action.Loss():
		return outcome{}
	case err != nil:
		return outcome{err: lost, pending: true}
	case applied(o, account):
		return outcome{stored: &account, readBack: true}
	case o.Action == plan.Delete:
		return outcome{err: fmt.Errorf("the account is still there after the answer was lost; the next run tries again: %w", lost)}
	default:
		return outcome{err: fmt.Errorf("read back, and it was not done; the next run tries again: %w", lost)}
	}
}

// applied reports whether the account shows what the operation wanted. A directory may store a value in a form of its own;
// such a value counts as not applied, and the next run compares again.
func applied(o plan.Operation, account directory.Account) bool {
	switch o.Action {
	case plan.Activate:
		return account.Status == directory.StatusActive
	case plan.Deactivate:
		return account.Status == directory.StatusInactive
	case plan.Update:
		return !slices.ContainsFunc(o.Changes, func(c plan.Change) bool {
			return account.Attributes[c.Attribute].String() != c.After.String()
		})
	default:
		return false
	}
}

// readBackCreate looks for the new account by its unique values. One that is found with all of them is ours: the plan was
// made when nobody held them. It is linked, so that nobody makes it again; where it lacks something of what was sent, the
// directory's own words are reported all the same, and the next run completes it. Not found proves nothing yet, because the write may still be under way; the next run looks
// again before it creates.
func (e *executor) readBackCreate(ctx context.Context, d directory.Directory, o plan.Operation, lost error) outcome {
	finder, ok := d.(directory.Finder)
	if !ok {
		return outcome{err: lost, pending: true}
	}
	wanted := attributes(o)
	for _, spec := range d.Describe().Attributes {
		value, given := wanted[spec.Name]
		if !given || !spec.Unique || !spec.Searchable {
			continue
		}
		found, err := finder.FindAccounts(ctx, spec.Name, value.String())
		if err != nil || len(found) > 1 {
			return outcome{err: lost, pending: true}
		}
		if len(found) == 1 && found[0].Privileged == "" && sameUnique(d, wanted, found[0]) {
			return outcome{stored: &found[0], readBack: true, err: e.lacking(o, found[0], lost)}
		}
	}
	return outcome{err: fmt.Errorf("whether the account was created is not known; the next run looks before it creates: %w", lost), pending: true}
}

// lacking says what an account that was read back does not have of what was sent; nil where it has all of it. A value that the
// directory stored in a form of its own is there; one that it does not tell is missing only where the directory named it.
func (e *executor) lacking(o plan.Operation, account directory.Account, lost error) error {
	var typed *directory.Error
	named := ""
	if errors.As(lost, &typed) {
		named = typed.Attribute
	}
	var missing []string
	for _, change := range o.Changes {
		value, told := account.Attributes[change.Attribute]
		if !change.After.IsEmpty() && value.IsEmpty() && (told || change.Attribute == named) {
			missing = append(missing, change.Attribute)
		}
	}
	if account.GroupsKnown && slices.ContainsFunc(e.allGroups(o), func(id string) bool { return !slices.Contains(account.Groups, id) }) {
		missing = append(missing, "groups")
	}
	if len(missing) == 0 {
		return nil
	}
	return fmt.Errorf("the account was created without %s; the next run completes it: %w", strings.Join(missing, ", "), lost)
}

// sameUnique reports whether an account holds all the unique values of a request.
func sameUnique(d directory.Directory, wanted directory.Attributes, account directory.Account) bool {
	for _, spec := range d.Describe().Attributes {
		if value, given := wanted[spec.Name]; given && spec.Unique && !strings.EqualFold(value.String(), account.Attributes.Text(spec.Name)) {
			return false
		}
	}
	return true
}

// readBackGroup looks for the new group by its name.
func (e *executor) readBackGroup(ctx context.Context, d directory.Directory, o plan.Operation, lost error) outcome {
	lister, ok := d.(directory.GroupLister)
	if !ok {
		return outcome{err: lost, pending: true}
	}
	for cursor := ""; ; {
		page, err := lister.ListGroups(ctx, directory.GroupListRequest{Cursor: cursor})
		if err != nil {
			return outcome{err: lost, pending: true}
		}
		for _, group := range page.Groups {
			if group.Name == o.GroupName {
				e.setGroup(o, group.ID)
				return outcome{}
			}
		}
		if page.Next == "" || page.Next == cursor {
			return outcome{err: lost}
		}
		cursor = page.Next
	}
}

// readBackGroups finds out whether all group changes of an account were made. Where the groups cannot be read, the next run does.
func (e *executor) readBackGroups(ctx context.Context, d directory.Directory, request directory.GroupsRequest, lost error) outcome {
	unknown := outcome{err: lost, pending: true}
	var groups []string
	var err error
	switch lister := d.(type) {
	case directory.MembershipLister:
		groups, err = lister.ListMemberships(ctx, request.Account)
	case directory.Getter:
		var account directory.Account
		if account, err = lister.GetAccount(ctx, request.Account); err == nil && !account.GroupsKnown {
			return unknown
		}
		groups = account.Groups
	default:
		return unknown
	}
	if err != nil {
		return unknown
	}
	missing := func(id string) bool { return !slices.Contains(groups, id) }
	there := func(id string) bool { return slices.Contains(groups, id) }
	if slices.ContainsFunc(request.Add, missing) || slices.ContainsFunc(request.Remove, there) {
		return outcome{err: fmt.Errorf("read back, and it was not done; the next run tries again: %w", lost)}
	}
	return outcome{}
}
