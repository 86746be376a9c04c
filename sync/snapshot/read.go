package snapshot

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/rollcall-sync/rollcall/sync/directory"
)

// Options say how a directory is read.
type Options struct {
	// Folder is where the spool goes; it is made with mode 0700.
	Folder string
	// Attributes are what rules look at; nil reads everything.
	Attributes []string
	// Groups says which groups matter: none, the named ones (by id, path or name), or all.
	Groups GroupNeed
	Expect Expectation
	Now    func() time.Time
	// Progress is called after each page with the number of accounts read so far and the expected total, -1 where unknown;
	// from several goroutines, but never at the same time.
	Progress func(read, total int)
}

// GroupNeed says which groups and memberships are read.
type GroupNeed struct {
	All bool
	// Choose is given all groups and returns the ids of those whose members matter; nil means none.
	Choose func(all []directory.Group) map[string]bool
	// Names are the groups that Choose looks for, where it looks for no others.
	Names []string
	// List is set where the groups themselves matter, members or not.
	List bool
}

// Read lists a directory whole. An error means that nothing is known of it and the run must stop. A listing that breaks off
// later gives a snapshot without certificate: what it holds is true, what it lacks proves nothing.
func Read(ctx context.Context, d directory.Directory, options Options) (*Snapshot, error) {
	out, err := newSpool(options.Folder)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrSpool, err)
	}
	s := &Snapshot{Description: d.Describe(), TakenAt: options.Now(), file: out.file}
	r := &listing{named: make(map[string]bool), snapshot: s, directory: d, options: options, out: out, facts: listingFacts{before: -1, after: -1, total: -1}}
	if options.Attributes != nil {
		named := make(map[string]bool, len(options.Attributes))
		for _, name := range options.Attributes {
			named[name] = true
		}
		r.hashed = func(attribute string) bool { return named[attribute] }
	}
	if err := r.read(ctx); err != nil {
		out.discard()
		return nil, err
	}
	return s, nil
}

// listingFacts is what the certificate is judged by.
type listingFacts struct {
	pages         int
	repeated      int
	before, after int // the directory's own count; -1 where it has none
	countErr      error
	total         int // as told with the pages; -1 where it was not
	totalMoved    bool
	doubt, remedy string
	broke         error
	groupsAsked   bool
	groupsBroke   error
}

// listing is one reading under way.
type listing struct {
	snapshot  *Snapshot
	directory directory.Directory
	options   Options
	out       *spool
	hashed    func(attribute string) bool // nil hashes all

	mu    sync.Mutex
	facts listingFacts
	named map[string]bool // ids of groups that listed accounts carry
}

func (l *listing) read(ctx context.Context) error {
	l.facts.before = l.count(ctx)
	if err := l.accounts(ctx); err != nil {
		if errors.Is(err, ErrSpool) || ctx.Err() != nil || l.facts.pages == 0 {
			return err
		}
		l.facts.broke, l.snapshot.Broke = err, err
	}
	l.facts.after = l.count(ctx)
	l.groups(ctx)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	l.facts.repeated += l.snapshot.sort()
	l.snapshot.judge(l.options.Expect, l.facts)
	if err := l.snapshot.finish(l.out); err != nil {
		return fmt.Errorf("%w: %w", ErrSpool, err)
	}
	return nil
}

// ErrSpool marks trouble with our own disk, which is no fault of the directory.
var ErrSpool = errors.New("cannot keep the listing")

func (l *listing) count(ctx context.Context) int {
	counter, ok := l.directory.(directory.Counter)
	if !ok {
		return -1
	}
	n, err := counter.CountAccounts(ctx)
	if err != nil {
		if !errors.Is(err, directory.Unsupported) {
			l.facts.countErr = err
		}
		return -1
	}
	return n
}

// accounts reads all pages, side by side where the directory can name them beforehand.
func (l *listing) accounts(ctx context.Context) error {
	request := directory.ListRequest{Attributes: l.options.Attributes}
	cursors := []string{""}
	concurrency := max(1, l.directory.Describe().ReadConcurrency)
	if partitioner, ok := l.directory.(directory.Partitioner); ok && concurrency > 1 {
		parts, err := partitioner.Partition(ctx, request)
		if err != nil && !errors.Is(err, directory.Unsupported) {
			return err
		}
		if len(parts) > 0 {
			cursors = parts
		}
	}
	if len(cursors) == 1 {
		return l.follow(ctx, request, cursors[0])
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(concurrency)
	for i, cursor := range cursors {
		group.Go(func() error {
			request := request
			request.Cursor = cursor
			if i == len(cursors)-1 { // accounts that came up meanwhile follow the last page
				return l.follow(ctx, request, cursor)
			}
			_, _, err := l.page(ctx, request)
			return err
		})
	}
	return group.Wait()
}

// mostRepeats is how often a page may come again before the listing is given up: a server that does not heed where a page
// begins would be listed for ever.
const mostRepeats = 2

// follow reads one page after the other until the directory says that nothing follows.
func (l *listing) follow(ctx context.Context, request directory.ListRequest, cursor string) error {
	seen := map[string]bool{}
	last, again := uint64(0), 0
	for {
		request.Cursor = cursor
		seen[cursor] = true
		next, ids, err := l.page(ctx, request)
		if err != nil {
			return err
		}
		if next == "" {
			return nil
		}
		if ids == last && ids != 0 {
			again++
		} else {
			last, again = ids, 0
		}
		if again == mostRepeats {
			return &directory.Error{
				Kind: directory.Retryable, Op: "list accounts", Directory: l.directory.Describe().Name,
				Err:    fmt.Errorf("the same page of accounts came %d times in a row", again+1),
				Remedy: "look whether a proxy or cache before the server drops the paging parameters",
			}
		}
		if seen[next] {
			return &directory.Error{
				Kind: directory.Retryable, Op: "list accounts", Directory: l.directory.Describe().Name,
				Err: fmt.Errorf("page %d points back to a page that was read before", len(seen)),
			}
		}
		cursor = next
	}
}

// page reads one page into the spool. It returns the cursor of the next and a hash of the ids, 0 for a page without any.
func (l *listing) page(ctx context.Context, request directory.ListRequest) (next string, ids uint64, err error) {
	page, err := l.directory.ListAccounts(ctx, request)
	if err != nil {
		return "", 0, err
	}
	// Encoding takes most of the time, so pages that are read side by side do it side by side.
	var record []byte
	entries := make([]entry, 0, len(page.Accounts))
	for _, account := range page.Accounts {
		if account.ID == "" {
			return "", 0, &directory.Error{
				Kind: directory.Retryable, Op: "list accounts", Directory: l.directory.Describe().Name,
				Err: errors.New("an account without an id came in"),
			}
		}
		var hash uint64
		record, hash = account.AppendHashed(record[:0], l.hashed)
		offset, err := l.out.write(sectionAccount, record)
		if err != nil {
			return "", 0, fmt.Errorf("%w: %w", ErrSpool, err)
		}
		id := hashID(account.ID)
		ids = ids*31 + id
		entries = append(entries, entry{id, hash, offset, uint32(len(record))})
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.snapshot.entries = append(l.snapshot.entries, entries...)
	for _, account := range page.Accounts {
		for _, id := range account.Groups {
			l.named[id] = true
		}
	}
	l.facts.pages++
	if page.Total >= 0 {
		l.facts.totalMoved = l.facts.totalMoved || (l.facts.total >= 0 && l.facts.total != page.Total)
		l.facts.total = page.Total
	}
	if page.Doubt != "" && (l.facts.doubt == "" || page.Remedy == "") { // one about rights outweighs the others
		l.facts.doubt, l.facts.remedy = page.Doubt, page.Remedy
	}
	if l.options.Progress != nil {
		l.options.Progress(len(l.snapshot.entries), max(l.facts.before, l.facts.total))
	}
	return page.Next, ids, nil
}

// groups reads the groups and, where accounts do not carry them, the memberships that matter.
func (l *listing) groups(ctx context.Context) {
	need := l.options.Groups
	if !need.List && !need.All && need.Choose == nil {
		return
	}
	l.facts.groupsAsked = true
	lister, ok := l.directory.(directory.GroupLister)
	if !ok {
		l.facts.groupsBroke = fmt.Errorf("%s has no groups", l.directory.Describe().Name)
		return
	}
	groups, err := ListGroups(ctx, lister, nil)
	if err != nil {
		l.facts.groupsBroke = err
		return
	}
	l.snapshot.Groups = groups
	if l.snapshot.Description.GroupsInline {
		l.facts.groupsBroke = l.unlisted()
		return
	}
	if !need.All && need.Choose == nil {
		return
	}
	if err := l.memberships(ctx, need); err != nil {
		l.facts.groupsBroke = err
		return
	}
	l.snapshot.membersKnown = true
}

// unlisted says which group an account is in that the list of groups lacks: a list that leaves groups out would take them away
// from their members.
func (l *listing) unlisted() error {
	for _, group := range l.snapshot.Groups {
		delete(l.named, group.ID)
	}
	if len(l.named) == 0 {
		return nil
	}
	missing := slices.Sorted(maps.Keys(l.named))
	return fmt.Errorf("the list of groups lacks some that accounts are in: %d, such as %s", len(missing), strings.Join(missing[:min(3, len(missing))], ", "))
}

// ListGroups reads all groups of a directory.
func ListGroups(ctx context.Context, lister directory.GroupLister, names []string) ([]directory.Group, error) {
	var groups []directory.Group
	seen := map[string]bool{}
	for cursor := ""; ; {
		seen[cursor] = true
		page, err := lister.ListGroups(ctx, directory.GroupListRequest{Cursor: cursor, Names: names})
		if err != nil {
			return nil, err
		}
		groups = append(groups, page.Groups...)
		switch {
		case page.Next == "" && page.Total >= 0 && page.Total != len(groups):
			return nil, &directory.Error{Kind: directory.Retryable, Op: "list groups", Err: fmt.Errorf("%d groups came in, %d were counted", len(groups), page.Total)}
		case page.Next == "":
			return groups, nil
		case seen[page.Next]:
			return nil, &directory.Error{Kind: directory.Retryable, Op: "list groups", Err: errors.New("a page points back to one that was read before")}
		}
		cursor = page.Next
	}
}

// memberships reads the direct members of all groups that matter, by group or by account, whichever costs fewer requests.
func (l *listing) memberships(ctx context.Context, need GroupNeed) error {
	var wanted []int
	var chosen map[string]bool
	if need.Choose != nil {
		chosen = need.Choose(l.snapshot.Groups)
	}
	for i, group := range l.snapshot.Groups {
		if need.All || chosen[group.ID] {
			wanted = append(wanted, i)
		}
	}
	byGroup, canByGroup := l.directory.(directory.MemberLister)
	byAccount, canByAccount := l.directory.(directory.MembershipLister)
	switch {
	case len(wanted) == 0:
		return nil
	case canByAccount && (!canByGroup || len(l.snapshot.entries) < len(wanted)):
		return l.byAccount(ctx, byAccount, wanted)
	case canByGroup:
		return l.byGroup(ctx, byGroup, wanted)
	default:
		return fmt.Errorf("%s tells no memberships", l.snapshot.Description.Name)
	}
}

func (l *listing) byGroup(ctx context.Context, lister directory.MemberLister, wanted []int) error {
	workers, ctx := errgroup.WithContext(ctx)
	workers.SetLimit(max(1, l.snapshot.Description.ReadConcurrency))
	for _, i := range wanted {
		workers.Go(func() error {
			ids, err := listMembers(ctx, lister, l.snapshot.Groups[i].ID)
			if err != nil {
				return err
			}
			l.mu.Lock()
			defer l.mu.Unlock()
			for _, id := range ids {
				l.snapshot.members = append(l.snapshot.members, member{hashID(id), uint32(i)})
			}
			return nil
		})
	}
	return workers.Wait()
}

func listMembers(ctx context.Context, lister directory.MemberLister, group string) ([]string, error) {
	var ids []string
	seen := map[string]bool{}
	for cursor := ""; ; {
		seen[cursor] = true
		page, err := lister.ListMembers(ctx, directory.MemberListRequest{Group: group, Cursor: cursor})
		if err != nil {
			return nil, err
		}
		ids = append(ids, page.Accounts...)
		if page.Next == "" {
			return ids, nil
		}
		if seen[page.Next] {
			return nil, &directory.Error{Kind: directory.Retryable, Op: "list members of", Record: group, Err: errors.New("a page points back to one that was read before")}
		}
		cursor = page.Next
	}
}

func (l *listing) byAccount(ctx context.Context, lister directory.MembershipLister, wanted []int) error {
	index := make(map[string]int, len(wanted))
	for _, i := range wanted {
		index[l.snapshot.Groups[i].ID] = i
	}
	if err := l.out.flush(); err != nil {
		return err
	}
	var ids []string
	l.facts.repeated += l.snapshot.sort()
	for i := range l.snapshot.entries {
		account, err := l.snapshot.At(i)
		if err != nil {
			return err
		}
		ids = append(ids, account.ID)
	}
	workers, ctx := errgroup.WithContext(ctx)
	workers.SetLimit(max(1, l.snapshot.Description.ReadConcurrency))
	for _, id := range ids {
		workers.Go(func() error {
			groups, err := lister.ListMemberships(ctx, id)
			if err != nil {
				return err
			}
			l.mu.Lock()
			defer l.mu.Unlock()
			for _, group := range groups {
				if i, ok := index[group]; ok {
					l.snapshot.members = append(l.snapshot.members, member{hashID(id), uint32(i)})
				}
			}
			return nil
		})
	}
	return workers.Wait()
}

// GroupsOf returns the groups of one account by reading the members of all groups.
func GroupsOf(ctx context.Context, lister directory.MemberLister, groups []directory.Group, account string) ([]string, error) {
	var of []string
	for _, group := range groups {
		members, err := listMembers(ctx, lister, group.ID)
		if err != nil {
			return nil, err
		}
		if slices.Contains(members, account) {
			of = append(of, group.ID)
		}
	}
	return of, nil
}
