package snapshot

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/rollcall-sync/rollcall/sync/directory"
)

var now = time.Date(2026, 3, 2, 2, 30, 0, 0, time.UTC)

// book is a directory of pages: page n has the cursor "n", the first one "". It has no further power.
type book struct {
	mu    sync.Mutex
	desc  directory.Description
	pages [][]directory.Account
	// total is told with each page; -1 where it is nil.
	total func(page int) int
	doubt map[int]string
	// remedy goes with every doubt; empty for one about rights.
	remedy string
	next   map[int]string
	// fail is asked before each call: "page 0", "count", "groups 0", "members g 0", "memberships id".
	fail  func(call string) error
	calls []string

	counts      []int // one answer after the other
	groups      [][]directory.Group
	groupTotal  int
	memberPages map[string][][]string
	memberNext  map[string]string
	groupNext   string
}

func newBook(sizes ...int) *book {
	b := &book{desc: directory.Description{Name: "staff", Type: "book"}, groupTotal: -1}
	n := 0
	for _, size := range sizes {
		var page []directory.Account
		for range size {
			n++
			page = append(page, person(n))
		}
		b.pages = append(b.pages, page)
	}
	return b
}

func person(n int) directory.Account {
	return directory.Account{ID: fmt.Sprintf("id%d", n), Status: directory.StatusActive, Attributes: directory.Attributes{"username": directory.Text(fmt.Sprintf("person%d", n))}}
}

func (b *book) Describe() directory.Description { return b.desc }

func (b *book) Close() error { return nil }

func (b *book) call(format string, arguments ...any) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	call := fmt.Sprintf(format, arguments...)
	b.calls = append(b.calls, call)
	if b.fail == nil {
		return nil
	}
	return b.fail(call)
}

func number(cursor string) int {
	n, err := strconv.Atoi(cursor)
	if err != nil {
		return 0
	}
	return n
}

func (b *book) ListAccounts(_ context.Context, request directory.ListRequest) (directory.AccountPage, error) {
	n := number(request.Cursor)
	if err := b.call("page %d", n); err != nil {
		return directory.AccountPage{}, err
	}
	page := directory.AccountPage{Total: -1, Doubt: b.doubt[n]}
	if page.Doubt != "" {
		page.Remedy = b.remedy
	}
	if n < len(b.pages) {
		page.Accounts = b.pages[n]
	}
	if b.total != nil {
		page.Total = b.total(n)
	}
	if n+1 < len(b.pages) {
		page.Next = strconv.Itoa(n + 1)
	}
	if next, ok := b.next[n]; ok {
		page.Next = next
	}
	return page, nil
}

// counting is a book that counts its accounts.
type counting struct{ *book }

func (b counting) CountAccounts(context.Context) (int, error) {
	if err := b.call("count"); err != nil {
		return 0, err
	}
	n := b.counts[0]
	if len(b.counts) > 1 {
		b.counts = b.counts[1:]
	}
	return n, nil
}

// parted is a book whose pages can be read side by side.
type parted struct{ *book }

func (b parted) Partition(context.Context, directory.ListRequest) ([]string, error) {
	if err := b.call("partition"); err != nil {
		return nil, err
	}
	cursors := []string{""}
	for n := 1; n < len(b.pages); n++ {
		cursors = append(cursors, strconv.Itoa(n))
	}
	return cursors, nil
}

// grouped is a book that lists its groups.
type grouped struct{ *book }

func (b grouped) ListGroups(_ context.Context, request directory.GroupListRequest) (directory.GroupPage, error) {
	n := number(request.Cursor)
	if err := b.call("groups %d", n); err != nil {
		return directory.GroupPage{}, err
	}
	page := directory.GroupPage{Groups: b.groups[n], Total: b.groupTotal}
	if n+1 < len(b.groups) {
		page.Next = strconv.Itoa(n + 1)
	} else if b.groupNext != "" {
		page.Next = b.groupNext
	}
	return page, nil
}

// byGroup lists the members of a group, byAccount the groups of an account.
type (
	byGroup   struct{ grouped }
	byAccount struct{ grouped }
	byBoth    struct {
		grouped
		directory.MemberLister
		directory.MembershipLister
	}
)

func (b byGroup) ListMembers(_ context.Context, request directory.MemberListRequest) (directory.MemberPage, error) {
	n := number(request.Cursor)
	if err := b.call("members %s %d", request.Group, n); err != nil {
		return directory.MemberPage{}, err
	}
	pages := b.memberPages[request.Group]
	if len(pages) == 0 {
		return directory.MemberPage{}, nil
	}
	page := directory.MemberPage{Accounts: pages[n]}
	if n+1 < len(pages) {
		page.Next = strconv.Itoa(n + 1)
	} else {
		page.Next = b.memberNext[request.Group]
	}
	return page, nil
}

func (b byAccount) ListMemberships(_ context.Context, account string) (groups []string, err error) {
	if err := b.call("memberships %s", account); err != nil {
		return nil, err
	}
	for _, pages := range b.groups {
		for _, group := range pages {
			if slices.Contains(slices.Concat(b.memberPages[group.ID]...), account) {
				groups = append(groups, group.ID)
			}
		}
	}
	return append(groups, "not-listed"), nil
}

func both(b *book) directory.Directory {
	return byBoth{grouped{b}, byGroup{grouped{b}}, byAccount{grouped{b}}}
}

// web has two people in three groups, and a page of members for each person.
func web() *book {
	b := newBook(2, 1)
	b.groups = [][]directory.Group{{{ID: "g1", Name: "one"}, {ID: "g2", Name: "two"}}, {{ID: "g3", Name: "three"}}}
	b.memberPages = map[string][][]string{"g1": {{"id1"}, {"id2", "id1"}}, "g2": {{"id2", "stranger"}}}
	return b
}

func read(t *testing.T, d directory.Directory, change ...func(*Options)) *Snapshot {
	t.Helper()
	s, err := tryRead(t, d, change...)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func tryRead(t *testing.T, d directory.Directory, change ...func(*Options)) (*Snapshot, error) {
	t.Helper()
	o := Options{Folder: t.TempDir(), Now: func() time.Time { return now }, Expect: Expectation{LastCount: -1}}
	for _, c := range change {
		c(&o)
	}
	s, err := Read(t.Context(), d, o)
	if err == nil {
		t.Cleanup(func() { s.Close() })
	}
	return s, err
}

func expect(last, linked int, trust bool) func(*Options) {
	return func(o *Options) { o.Expect = Expectation{LastCount: last, Linked: linked, Trust: trust} }
}

func needs(n GroupNeed) func(*Options) { return func(o *Options) { o.Groups = n } }

func ids(t *testing.T, s *Snapshot) (list []string) {
	t.Helper()
	for i := range s.Len() {
		account, err := s.At(i)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, account.ID)
	}
	slices.Sort(list)
	return list
}

func failOn(call string) func(string) error {
	return func(c string) error {
		if c == call {
			return &directory.Error{Kind: directory.Retryable, Directory: "staff", Err: errors.New("bad gateway")}
		}
		return nil
	}
}
