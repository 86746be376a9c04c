package snapshot

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-sync/rollcall/sync/directory"
)

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
