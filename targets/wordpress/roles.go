package wordpress

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/rollcall-sync/rollcall/sync/directory"
	"github.com/rollcall-sync/rollcall/targets/wordpress/users"
)

// ListGroups implements [directory.GroupLister]. WordPress tells nobody over the API which roles it has. They are its own
// five, the default role, which is enough where no other role matters, and besides, from the first of these that there is:
//
//	the option roles         no request
//	the last whole listing   no request; a sync lists the accounts before it asks for the groups
//	the schema of the API    one request, where a plugin makes it tell the roles
//	all users                read once more, with nothing but their roles
//
// In the listings a role that nobody has is not seen.
func (s *site) ListGroups(ctx context.Context, request directory.GroupListRequest) (directory.GroupPage, error) {
	const op = "list groups"
	refuse := func(kind directory.ErrorKind, err error) (directory.GroupPage, error) {
		return directory.GroupPage{}, s.client.fail(call{op: op}, &directory.Error{Kind: kind, Err: err})
	}
	if err := ctx.Err(); err != nil {
		return refuse(directory.Retryable, err)
	}
	start := 0
	if request.Cursor != "" {
		n, err := strconv.Atoi(request.Cursor)
		if err != nil || n < 1 {
			return refuse(directory.Invalid, fmt.Errorf("%q is no cursor of this listing", request.Cursor))
		}
		start = n
	}
	// What was seen counts beside the option too: a role that somebody has and the list lacks would look like a list cut short.
	seen, whole := s.sightings.roles()
	more := users.Union(s.roles, seen)
	if len(s.roles) == 0 && !whole && !s.familiar(request.Names) {
		var err error
		if more, err = s.found.Get(func() ([]string, error) { return s.gather(ctx, op) }); err != nil {
			return directory.GroupPage{}, err
		}
	}
	roles := users.Union(users.CoreRoles(), append([]string{s.rules.DefaultRole}, more...))
	slices.Sort(roles)
	end := len(roles)
	if request.Size > 0 {
		end = min(end, start+request.Size)
	}
	result := directory.GroupPage{Total: len(roles)}
	if start > end {
		return refuse(directory.Invalid, fmt.Errorf("%q is no cursor of this listing", request.Cursor))
	}
	for _, role := range roles[start:end] {
		result.Groups = append(result.Groups, s.rules.Privileges.Group(role))
	}
	if end < len(roles) {
		result.Next = strconv.Itoa(end)
	}
	return result, nil
}

// familiar reports that all the roles that matter are known without a request.
func (s *site) familiar(names []string) bool {
	known := append(users.CoreRoles(), s.rules.DefaultRole)
	return names != nil && len(users.Without(names, known)) == 0
}

// grantable refuses to give a privileged role.
func (s *site) grantable(k call, roles []string) error {
	for _, role := range roles {
		if reason := s.rules.Privileges.Group(role).ReadOnly; reason != "" {
			return s.client.fail(k, &directory.Error{
				Kind: directory.Unsupported, Err: fmt.Errorf("the role %s is not given: %s", role, reason),
				Remedy: "give the role in WordPress, or take it out of privileged_roles",
			})
		}
	}
	return nil
}

// sightings are the roles seen on the pages of the last listing of accounts. The zero value has seen nothing.
type sightings struct {
	mu    sync.Mutex
	size  int              // rows of a page; pages of another size divide the users otherwise
	last  int              // number of the last page
	pages map[int][]string // roles by number of the page
}

// page keeps the roles of one page. A page from which rows are missing does not count as seen.
func (v *sightings) page(number, size int, p page, accounts []directory.Account) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if size != v.size {
		v.size, v.pages = size, map[int][]string{}
	}
	v.last = p.pages
	if len(p.rows) != p.expected {
		delete(v.pages, number)
		return
	}
	var roles []string
	for _, a := range accounts {
		roles = users.Union(roles, a.Groups)
	}
	v.pages[number] = roles
}

// roles returns what was seen and whether every page was.
func (v *sightings) roles() (all []string, whole bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	whole = v.last > 0
	for number := 1; number <= v.last; number++ {
		roles, seen := v.pages[number]
		whole = whole && seen
		all = users.Union(all, roles)
	}
	return all, whole
}

// gather reads the roles of all users.
func (s *site) gather(ctx context.Context, op string) ([]string, error) {
	f, err := s.siteFeatures(ctx, op)
	if err != nil {
		return nil, err
	}
	if len(f.roles) > 0 {
		return f.roles, nil
	}
	first, err := s.gatherPage(ctx, op, 1)
	if err != nil {
		return nil, err
	}
	parts := make([][]string, max(1, first.pages))
	parts[0] = first.roles
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(max(1, s.desc.ReadConcurrency))
	for number := 2; number <= first.pages; number++ {
		group.Go(func() error {
			p, err := s.gatherPage(ctx, op, number)
			parts[number-1] = p.roles
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	var all []string
	for _, part := range parts {
		all = users.Union(all, part)
	}
	return all, nil
}

type rolesPage struct {
	roles []string
	pages int
}

func (s *site) gatherPage(ctx context.Context, op string, number int) (rolesPage, error) {
	p, err := s.fetch(ctx, op, number, maxPage, "id,username,roles,capabilities", nil)
	if err != nil {
		return rolesPage{}, err
	}
	if err := s.whole(op, p); err != nil {
		return rolesPage{}, err
	}
	accounts, err := s.accounts(op, p.rows, []string{})
	if err != nil {
		return rolesPage{}, err
	}
	result := rolesPage{pages: p.pages}
	for _, a := range accounts {
		result.roles = users.Union(result.roles, a.Groups)
	}
	return result, nil
}

// ChangeGroups implements [directory.GroupChanger]. WordPress takes the whole set of roles only, so the set is read first,
// changed, and the answer compared with what was sent.
func (s *site) ChangeGroups(ctx context.Context, request directory.GroupsRequest) error {
	const op = "change groups"
	if err := s.checkID(ctx, op, request.Account); err != nil {
		return err
	}
	k := s.change(op, request.Account, nil)
	release, err := s.busy.hold(ctx, []string{"id " + request.Account})
	if err != nil {
		return s.client.fail(k, &directory.Error{Kind: directory.Retryable, Err: err})
	}
	defer release()
	now, err := s.read(ctx, op, request.Account)
	if err != nil {
		return err
	}
	if err := users.Spared(now); err != nil {
		return s.client.fail(k, err)
	}
	if now.Problem != "" {
		// Roles that were not read would be lost.
		return s.client.fail(k, &directory.Error{Kind: directory.Auth, Err: errors.New(now.Problem), Remedy: editRemedy})
	}
	if err := s.grantable(k, users.Without(request.Add, now.Groups)); err != nil {
		return err
	}
	want := users.Without(users.Union(now.Groups, request.Add), request.Remove)
	if len(users.Without(want, now.Groups)) == 0 && len(users.Without(now.Groups, want)) == 0 {
		return nil
	}
	if len(now.Groups) == 0 {
		return s.client.fail(k, &directory.Error{
			Kind: directory.Conflict, Err: errors.New("the account has no role, which is what makes it inactive; a role would let it in again"),
			Remedy: "activate the account",
		})
	}
	if len(want) == 0 && !slices.Contains(request.Remove, s.rules.DefaultRole) {
		want = []string{s.rules.DefaultRole} // without any role it would be inactive, which nobody asked for
	}
	if len(want) == 0 {
		if err := s.notSelf(ctx, k, request.Account); err != nil {
			return err
		}
	}
	k.body = payload{"roles": want}
	account, err := s.write(ctx, k, request.Account, nil)
	if err != nil {
		return err
	}
	if account.Privileged != "" {
		return s.takeBack(ctx, k, users.Without(want, now.Groups), now.Groups, account)
	}
	if len(users.Without(want, account.Groups)) > 0 || len(users.Without(account.Groups, want)) > 0 {
		return s.client.fail(k, &directory.Error{
			Kind: directory.Invalid, Err: fmt.Errorf("WordPress was told to set the roles %s and answers with %s", users.Quoted(want), users.Quoted(account.Groups)),
			Remedy: "look for a plugin that changes roles by itself",
		})
	}
	return nil
}
