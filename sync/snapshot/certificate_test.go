package snapshot

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-sync/rollcall/sync/directory"
)

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
		{name: "an account comes twice", change: func(b *book) { b.pages[1][0] = person(1) }, options: ten, clause: ClauseRepeats, detail: "1 account came more than once", remedy: "run again"},
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
			if s.Certificate.Failed() != failed[0].Detail || !cmp.Equal(s.Certificate.Remedies(), []string{failed[0].Remedy}) {
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

func TestContradictedListingsAreNotComplete(t *testing.T) {
	t.Parallel()
	s := read(t, newBook(3))
	s.Certificate.Contradict("1 accounts that the listing lacks exist when they are asked for (id9)")
	if s.Certificate.Complete || s.Certificate.Failed() != "1 accounts that the listing lacks exist when they are asked for (id9)" {
		t.Errorf("%+v", s.Certificate)
	}
	if remedies := s.Certificate.Remedies(); len(remedies) != 1 || !strings.Contains(remedies[0], "check the rights") {
		t.Errorf("%v", remedies)
	}
}
