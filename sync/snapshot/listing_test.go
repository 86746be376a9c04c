package snapshot

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

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
func (b *book) Close() error                    { return nil }

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

func TestAWholeListingHasACertificate(t *testing.T) {
	t.Parallel()
	b := newBook(2, 0, 1)
	b.total = func(int) int { return 3 }
	s := read(t, b, expect(3, 3, false))
	want := Certificate{Complete: true, Clauses: []Clause{
		{Name: ClauseChain, Passed: true, Detail: "3 pages, the last one marked as the last"},
		{Name: ClauseRepeats, Passed: true, Detail: "0 accounts came more than once"},
		{Name: ClauseCount, Passed: true, Detail: "3 listed, 3 counted"},
		{Name: ClauseWhole, Passed: true, Detail: "all fields that only an administrator sees are there"},
		{Name: ClauseSize, Passed: true, Detail: "3 accounts"},
	}}
	if difference := cmp.Diff(want, s.Certificate); difference != "" {
		t.Errorf("certificate (want, got):\n%s", difference)
	}
	if s.Certificate.Failed() != "" || s.Certificate.Remedies() != nil || s.Broke != nil || !s.TakenAt.Equal(now) {
		t.Errorf("%q, %v, %v, %v", s.Certificate.Failed(), s.Certificate.Remedies(), s.Broke, s.TakenAt)
	}
	if got := ids(t, s); !cmp.Equal(got, []string{"id1", "id2", "id3"}) {
		t.Errorf("%v", got)
	}
}

// TestEachClause spoils one thing at a time and expects that one clause fails, and says why.
func TestEachClause(t *testing.T) {
	t.Parallel()
	trouble := &directory.Error{Kind: directory.Retryable, Directory: "staff", Err: errors.New("bad gateway")}
	fail := func(call string) func(*book) {
		return func(b *book) {
			b.fail = func(c string) error {
				if c == call {
					return trouble
				}
				return nil
			}
		}
	}
	counts := func(n ...int) func(*book) { return func(b *book) { b.counts = n } }
	totals := func(f func(int) int) func(*book) { return func(b *book) { b.total = f } }
	ten := expect(10, 10, false)
	for _, c := range []struct {
		name    string
		change  func(*book)
		counts  bool
		options func(*Options)
		clause  string // empty: complete
		detail  string
		remedy  string
	}{
		{name: "nothing is wrong", change: func(*book) {}, options: ten},
		{
			name: "a page breaks off", change: fail("page 1"), options: ten, clause: ClauseChain,
			detail: "the listing broke off after 5 accounts: staff: bad gateway", remedy: "run again when staff answers",
		},
		{name: "a cursor points back", change: func(b *book) { b.next = map[int]string{1: ""}; b.next[1] = "1" }, options: ten, clause: ClauseChain, detail: "page 2 points back to a page that was read before"},
		{name: "an account has no id", change: func(b *book) { b.pages[1][0].ID = "" }, options: ten, clause: ClauseChain, detail: "an account without an id came in"},
		{name: "an account comes twice", change: func(b *book) { b.pages[1][0] = person(1) }, options: ten, clause: ClauseRepeats, detail: "1 accounts came more than once", remedy: "run again"},
		{name: "the directory's own count agrees", change: counts(10), counts: true, options: ten},
		{name: "it counts more before and after", change: counts(11), counts: true, options: ten, clause: ClauseCount, detail: "10 listed, 11 counted before and 11 after", remedy: "may not see all of them"},
		{name: "it counts more after", change: counts(10, 11), counts: true, options: ten, clause: ClauseCount, detail: "10 listed, 10 counted before and 11 after"},
		{name: "it counts more before", change: counts(11, 10), counts: true, options: ten, clause: ClauseCount, detail: "10 listed, 11 counted before and 10 after"},
		{name: "the count cannot be read", change: fail("count"), counts: true, options: ten, clause: ClauseCount, detail: "the count could not be read: staff: bad gateway"},
		{name: "the count is not supported", change: func(b *book) {
			b.fail = func(c string) error { return map[string]error{"count": directory.Unsupported}[c] }
		}, counts: true, options: ten},
		{name: "the pages tell a greater total", change: totals(func(int) int { return 11 }), options: ten, clause: ClauseCount, detail: "10 listed, 11 counted"},
		{name: "the total moves and is right at the end", change: totals(func(page int) int { return 11 - page }), options: ten, clause: ClauseCount, detail: "10 listed, 10 counted"},
		{name: "one page tells a total", change: totals(func(page int) int { return []int{10, -1}[page] }), options: ten},
		{name: "a page is doubtful", change: func(b *book) { b.doubt = map[int]string{0: "records without e-mail"} }, options: ten, clause: ClauseWhole, detail: "records without e-mail", remedy: "with the rights that `rollcall check` names"},
		{
			name: "a page is doubtful, and the directory knows what to do", change: func(b *book) {
				b.doubt, b.remedy = map[int]string{1: "one page of a longer answer"}, "export all pages"
			}, options: ten,
			clause: ClauseWhole, detail: "one page of a longer answer", remedy: "export all pages",
		},
		{name: "half of the people are left", change: func(*book) {}, options: expect(20, 20, false)},
		{name: "less than half of the people are left", change: func(*book) {}, options: expect(21, 21, false), clause: ClauseSize, detail: "10 accounts, after 21 in the last complete listing", remedy: "--trust-size staff"},
		{name: "less than half of the people are left, and somebody says that it is true", change: func(*book) {}, options: expect(21, 21, true)},
		{name: "nobody knows how many there were", change: func(*book) {}, options: expect(-1, 500, false)},
		{name: "nobody is left", change: func(b *book) { b.pages = [][]directory.Account{{}} }, options: expect(3, 0, false), clause: ClauseSize, detail: "the listing is empty"},
		{name: "nobody is left, and links are", change: func(b *book) { b.pages = [][]directory.Account{{}} }, options: expect(-1, 1, false), clause: ClauseSize, detail: "the listing is empty"},
		{name: "nobody is left, and somebody says that it is true", change: func(b *book) { b.pages = [][]directory.Account{{}} }, options: expect(3, 3, true)},
		{name: "nobody was there before", change: func(b *book) { b.pages = [][]directory.Account{{}} }, options: expect(-1, 0, false)},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			b := newBook(5, 5)
			c.change(b)
			d := directory.Directory(b)
			if c.counts {
				d = counting{b}
			}
			s := read(t, d, c.options)
			var failed []Clause
			for _, clause := range s.Certificate.Clauses {
				if !clause.Passed {
					failed = append(failed, clause)
				} else if clause.Remedy != "" {
					t.Errorf("%s passed and has the remedy %q", clause.Name, clause.Remedy)
				}
			}
			if s.Certificate.Complete != (c.clause == "") || len(failed) > 1 || len(failed) == 1 && failed[0].Name != c.clause {
				t.Fatalf("complete %t, failed %+v; want %q", s.Certificate.Complete, failed, c.clause)
			}
			if c.clause == "" {
				return
			}
			if !strings.Contains(failed[0].Detail, c.detail) || failed[0].Remedy == "" || !strings.Contains(failed[0].Remedy, c.remedy) {
				t.Errorf("%+v", failed[0])
			}
			if s.Certificate.Failed() != failed[0].Name+": "+failed[0].Detail || !cmp.Equal(s.Certificate.Remedies(), []string{failed[0].Remedy}) {
				t.Errorf("%q, %v", s.Certificate.Failed(), s.Certificate.Remedies())
			}
		})
	}
}

// TestTrustAcceptsAnEmptyListingAndNothingElse is about --trust-size: a directory may itself doubt a listing of nobody, and an
// administrator who says that it is true settles that. A listing that broke off or does not add up stays what it is.
func TestTrustAcceptsAnEmptyListingAndNothingElse(t *testing.T) {
	t.Parallel()
	doubtful := func() *book {
		b := newBook(0)
		b.doubt, b.remedy = map[int]string{0: "the file holds nobody"}, "look whether the export has run to its end"
		return b
	}
	if s := read(t, doubtful(), expect(3, 3, true)); !s.Certificate.Complete {
		t.Errorf("trusted: %s", s.Certificate.Failed())
	} else if detail := s.Certificate.Clauses[2].Detail; detail != "the file holds nobody, taken as true for this run" {
		t.Errorf("the clause says %q", detail)
	}
	for name, c := range map[string]struct {
		change func(*book)
		counts bool
		trust  bool
	}{
		"not trusted":            {func(*book) {}, false, false},
		"broken off":             {func(b *book) { b.next = map[int]string{0: "1"}; b.fail = failOn("page 1") }, false, true},
		"counted":                {func(b *book) { b.counts = []int{7} }, true, true},
		"the count is not known": {func(b *book) { b.fail = failOn("count") }, true, true},
		"told otherwise":         {func(b *book) { b.total = func(int) int { return 7 } }, false, true},
		"a doubt about rights":   {func(b *book) { b.remedy = "" }, false, true},
		"people and a doubt":     {func(b *book) { b.pages[0] = []directory.Account{person(1)} }, false, true},
	} {
		b := doubtful()
		c.change(b)
		d := directory.Directory(b)
		if c.counts {
			d = counting{b}
		}
		if s := read(t, d, expect(3, 3, c.trust)); s.Certificate.Complete {
			t.Errorf("%s: taken as complete: %+v", name, s.Certificate.Clauses)
		} else if name == "broken off" && strings.Contains(fmt.Sprint(s.Certificate.Clauses), "nobody, taken as true") {
			t.Errorf("nobody is taken as true of a listing that broke off: %+v", s.Certificate.Clauses)
		}
	}
}

func failOn(call string) func(string) error {
	return func(c string) error {
		if c == call {
			return &directory.Error{Kind: directory.Retryable, Directory: "staff", Err: errors.New("bad gateway")}
		}
		return nil
	}
}

// TestADoubtAboutRightsOutweighsOthers is about a listing whose pages are doubted for several reasons.
func TestADoubtAboutRightsOutweighsOthers(t *testing.T) {
	t.Parallel()
	for _, first := range []int{0, 1} {
		b := newBook(0, 0)
		d := &twoDoubts{b, first}
		s := read(t, d, expect(3, 3, true))
		if s.Certificate.Complete || !strings.Contains(s.Certificate.Failed(), "no right to see all") {
			t.Errorf("on page %d: %+v", first, s.Certificate.Clauses)
		}
	}
}

// twoDoubts has a doubt about rights on one page, and another one on the other.
type twoDoubts struct {
	*book
	rights int
}

func (d *twoDoubts) ListAccounts(ctx context.Context, request directory.ListRequest) (directory.AccountPage, error) {
	page, err := d.book.ListAccounts(ctx, request)
	if page.Doubt = "no right to see all"; number(request.Cursor) != d.rights {
		page.Doubt, page.Remedy = "nobody is here", "look at the export"
	}
	return page, err
}

func TestAListingThatBreaksOnAnyPage(t *testing.T) {
	t.Parallel()
	for page := range 4 {
		for _, sideBySide := range []bool{false, true} {
			b := newBook(2, 2, 2, 2)
			b.fail = failOn(fmt.Sprintf("page %d", page))
			d := directory.Directory(b)
			if sideBySide {
				b.desc.ReadConcurrency = 2
				d = parted{b}
			}
			s, err := tryRead(t, d)
			if page == 0 && !sideBySide {
				if err == nil || s != nil {
					t.Errorf("nothing was read, and no error came: %v", s)
				}
				continue
			}
			if err != nil {
				if !sideBySide { // side by side, the broken page may be the first that answers
					t.Errorf("page %d: %v", page, err)
				}
				continue
			}
			if s.Certificate.Complete || s.Broke == nil {
				t.Errorf("page %d: %+v", page, s.Certificate)
			}
			if got := ids(t, s); !sideBySide && len(got) != 2*page {
				t.Errorf("page %d: %v", page, got)
			}
		}
	}
}

func TestNothingIsLeftBehindWhenNothingWasRead(t *testing.T) {
	t.Parallel()
	b := newBook(2)
	b.fail = failOn("page 0")
	var folder string
	if _, err := tryRead(t, b, func(o *Options) { folder = o.Folder }); err == nil {
		t.Fatal("no error")
	}
	if left := files(t, folder); len(left) > 0 {
		t.Errorf("%v", left)
	}
}

func TestACancelledListingIsAnError(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	b := newBook(2, 2)
	b.fail = func(call string) error {
		if call == "page 1" {
			cancel()
			return ctx.Err()
		}
		return nil
	}
	folder := t.TempDir()
	if _, err := Read(ctx, b, Options{Folder: folder, Now: time.Now}); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	if left := files(t, folder); len(left) > 0 {
		t.Errorf("%v", left)
	}
}

func TestPagesAreReadSideBySide(t *testing.T) {
	t.Parallel()
	b := newBook(2, 2, 2)
	b.desc.ReadConcurrency = 4
	b.next = map[int]string{2: "3"} // somebody joined meanwhile
	b.pages = append(b.pages, []directory.Account{person(7)})
	b.total = nil
	cut := parted{&book{desc: b.desc, pages: b.pages[:3], next: map[int]string{}}}
	cut.next[2] = "3"
	cut.pages = b.pages
	d := firstThree{cut}
	var most int
	s := read(t, d, func(o *Options) { o.Progress = func(n, total int) { most = max(most, n) } })
	if got := ids(t, s); len(got) != 7 || !s.Certificate.Complete || most != 7 {
		t.Errorf("%v, progress to %d, %s", got, most, s.Certificate.Failed())
	}
	slow := newBook(2, 2, 2)
	read(t, parted{slow})
	if slices.Contains(slow.calls, "partition") {
		t.Error("a directory that bears one call at a time was asked for all its pages")
	}
	plain := newBook(2, 2, 2)
	plain.desc.ReadConcurrency = 4
	plain.fail = func(call string) error { return map[string]error{"partition": directory.Unsupported}[call] }
	if got := ids(t, read(t, parted{plain})); len(got) != 6 {
		t.Errorf("where the pages cannot be named: %v", got)
	}
	refused := newBook(2)
	refused.desc.ReadConcurrency, refused.fail = 4, failOn("partition")
	if _, err := tryRead(t, parted{refused}); err == nil {
		t.Error("pages that could not be named are no error")
	}
}

// firstThree names three pages, and the last of them has a next one.
type firstThree struct{ parted }

func (firstThree) Partition(context.Context, directory.ListRequest) ([]string, error) {
	return []string{"", "1", "2"}, nil
}

func TestProgressTellsTheTotal(t *testing.T) {
	t.Parallel()
	b := newBook(2, 1)
	var seen [][2]int
	progress := func(o *Options) { o.Progress = func(read, total int) { seen = append(seen, [2]int{read, total}) } }
	read(t, b, progress)
	b.counts = []int{3}
	read(t, counting{b}, progress)
	if want := [][2]int{{2, -1}, {3, -1}, {2, 3}, {3, 3}}; !cmp.Equal(seen, want) {
		t.Errorf("%v, want %v", seen, want)
	}
}

func TestContradictedListingsAreNotComplete(t *testing.T) {
	t.Parallel()
	s := read(t, newBook(3))
	s.Certificate.Contradict("1 accounts that the listing lacks exist when they are asked for (id9)")
	if s.Certificate.Complete || s.Certificate.Failed() != "direct look-ups agree: 1 accounts that the listing lacks exist when they are asked for (id9)" {
		t.Errorf("%+v", s.Certificate)
	}
	if remedies := s.Certificate.Remedies(); len(remedies) != 1 || !strings.Contains(remedies[0], "check the rights") {
		t.Errorf("%v", remedies)
	}
}
