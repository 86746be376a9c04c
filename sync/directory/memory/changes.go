package memory

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/rollcall-sync/rollcall/sync/directory"
)

// The log of changes: each entry has the next number, and names what changed, not how. A token is the number of the last
// entry that its owner knows. A page looks the records up, so it tells how they stand now:
//
//	number   41        42         43         44         45
//	entry    account a account b  group g    account a  account b
//	                              + b
//	known ───┘ token "41"                               │
//	told               (45 tells) joined b   a whole    b gone      next token "45"
//
// Of several entries for one thing the last alone is told. Only the last Options.ChangeLog entries count; a token from
// before them is Expired.

// ForgetChanges makes all tokens that were given out expire, as a directory does that was restored or left alone for too long.
func (d *Directory) ForgetChanges() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.log.last++
	d.log.entries = nil
}

// defaultChangeLog is the number of entries kept where the options name none.
const defaultChangeLog = 10_000

// changeLog is guarded by content.mu.
type changeLog struct {
	entries []entry
	last    int // number of the newest entry
	keep    int
}

// entry names an account, a group, or the membership of one in the other.
type entry struct{ account, group string }

// add writes one entry. The list is cut when it is twice as long as what counts, so that cutting costs next to nothing.
func (l *changeLog) add(e entry) {
	l.last++
	if l.entries = append(l.entries, e); len(l.entries) >= 2*l.keep {
		l.entries = append(make([]entry, 0, 2*l.keep), l.entries[len(l.entries)-l.keep:]...)
	}
}

// after returns the entries with numbers above since up to until; false where some of them no longer count or never existed.
func (l *changeLog) after(since, until int) ([]entry, bool) {
	if since < l.last-l.keep || since < l.last-len(l.entries) || since > until || until > l.last {
		return nil, false
	}
	end := len(l.entries) - (l.last - until)
	return l.entries[end-(until-since) : end], true
}

func (l *changeLog) clone() changeLog {
	other := *l
	other.entries = slices.Clone(l.entries)
	return other
}

// noteAccount writes down what put or remove did to an account, as far as the options say that it is told. A nil account is
// one that was not there before, or is not any more.
func (d *Directory) noteAccount(before, after *directory.Account) {
	scope := d.desc.Changes
	switch {
	case after == nil:
		if scope.Deletions {
			d.log.add(entry{account: before.ID})
		}
		return
	case before == nil:
		d.log.add(entry{account: after.ID})
		before = &directory.Account{}
	case !d.sameTracked(*before, *after),
		scope.Memberships == directory.MembershipsByAccount && !slices.Equal(before.Groups, after.Groups):
		d.log.add(entry{account: after.ID})
	}
	if scope.Memberships != directory.MembershipsByGroup {
		return
	}
	for _, group := range slices.Concat(before.Groups, after.Groups) {
		if slices.Contains(before.Groups, group) != slices.Contains(after.Groups, group) {
			d.log.add(entry{account: after.ID, group: group})
		}
	}
}

// noteGroup writes down what happened to the record of a group: nil before is a new one, nil after a deleted one.
func (d *Directory) noteGroup(before, after *directory.Group) {
	same := before != nil && after != nil && before.Name == after.Name && before.Path == after.Path &&
		before.ReadOnly == after.ReadOnly && slices.Equal(before.Parents, after.Parents)
	if group := cmp.Or(after, before); d.desc.Changes.Groups && group != nil && !same {
		d.log.add(entry{group: group.ID})
	}
}

// sameTracked reports whether two states of an account differ in nothing that brings it up. The directory's own clock does
// not: it moves with what does.
func (d *Directory) sameTracked(a, b directory.Account) bool {
	for _, attributes := range []directory.Attributes{a.Attributes, b.Attributes} {
		for name := range attributes {
			silent := name == directory.UpdatedAt || slices.Contains(d.desc.Changes.Untracked, name)
			if !silent && !a.Attributes[name].Equal(b.Attributes[name]) {
				return false
			}
		}
	}
	return a.Status == b.Status && a.Privileged == b.Privileged && a.ReadOnly == b.ReadOnly && a.Problem == b.Problem
}

// token and number are inverse to each other. The identity keeps a token of another place out.
func (d *Directory) token(number int) string { return strconv.Itoa(number) + " of " + d.desc.Identity }

func (d *Directory) number(token string) (int, bool) {
	number, ok := strings.CutSuffix(token, " of "+d.desc.Identity)
	n, err := strconv.Atoi(number)
	return n, ok && err == nil && n >= 0 && strconv.Itoa(n) == number
}

// ListChanges reads the log. A chain ends with what was the newest entry at its first page, so that it does end; what comes
// later is for the next one. The cursor holds the number before the next entry and that of the end.
func (d *Directory) ListChanges(ctx context.Context, request directory.ChangeRequest) (page directory.ChangePage, err error) {
	call := Call{Op: OpListChanges, Request: request, Answer: &page}
	err = d.read(ctx, call, func() error {
		if request.Since == "" {
			page = directory.ChangePage{Token: d.token(d.log.last)}
			return d.noCursor(request.Cursor)
		}
		since, ok := d.number(request.Since)
		if _, known := d.log.after(since, d.log.last); !ok || !known {
			return d.expired("the token %q is too old or of another place", request.Since)
		}
		from, until := since, d.log.last
		if request.Cursor != "" {
			n, err := fmt.Sscanf(request.Cursor, changeCursor, &from, &until)
			if n != 2 || err != nil || from < since || until < from || until > d.log.last || fmt.Sprintf(changeCursor, from, until) != request.Cursor {
				return d.fail(directory.Invalid, OpListChanges, "", "", "the cursor %q was never given out", request.Cursor)
			}
		}
		page = d.changes(from, until, request)
		return nil
	})
	if err != nil {
		return directory.ChangePage{}, err
	}
	return page, nil
}

const changeCursor = "from %d to %d"

func (d *Directory) noCursor(cursor string) error {
	if cursor == "" {
		return nil
	}
	return d.fail(directory.Invalid, OpListChanges, "", "", "the cursor %q was never given out", cursor)
}

func (d *Directory) expired(format string, args ...any) error {
	return &directory.Error{
		Kind: directory.Expired, Op: OpListChanges, Directory: d.desc.Name, Err: fmt.Errorf(format, args...),
		Remedy: "list all accounts",
	}
}

// changes makes the page that begins after the entry with the number from.
func (d *Directory) changes(from, until int, request directory.ChangeRequest) directory.ChangePage {
	size := request.Size
	if size <= 0 || size > d.desc.PageSize {
		size = d.desc.PageSize
	}
	entries, _ := d.log.after(from, until)
	last := make(map[entry]int, len(entries))
	for i, e := range entries {
		last[e] = i
	}
	var page directory.ChangePage
	for i, e := range entries {
		if last[e] != i {
			continue
		}
		if len(page.Accounts)+len(page.Groups) == size {
			page.Next = fmt.Sprintf(changeCursor, from+i, until)
			return page
		}
		d.tellChange(e, request, &page)
	}
	page.Token = d.token(until)
	return page
}

// tellChange puts one entry on a page, as things stand now.
func (d *Directory) tellChange(e entry, request directory.ChangeRequest, page *directory.ChangePage) {
	if e.group == "" {
		page.Accounts = append(page.Accounts, d.tellAccount(e.account, request.Attributes))
		return
	}
	change := directory.GroupChange{Kind: directory.Gone, Group: directory.Group{ID: e.group}}
	if group, ok := d.groups[e.group]; ok {
		change.Kind = directory.Look
		if !d.options.ChangesAsIDs {
			change.Kind, change.Group = directory.Changed, cloneGroup(*group)
		}
	}
	if e.account != "" && change.Kind != directory.Gone {
		_, in := slices.BinarySearch(d.members[e.group], e.account)
		switch {
		case d.options.ChangesAsIDs:
			change.Relist = true
		case in:
			change.Joined = []string{e.account}
		default:
			change.Left = []string{e.account}
		}
	}
	page.Groups = append(page.Groups, change)
}

func (d *Directory) tellAccount(id string, names []string) directory.AccountChange {
	change := directory.AccountChange{Kind: directory.Changed, Account: directory.Account{ID: id}}
	switch _, ok := d.accounts[id]; {
	case ok && d.options.ChangesAsIDs:
		change.Kind = directory.Look
	case ok:
		change.Account = d.tell(id, names, d.desc.GroupsInline)
	case d.desc.Changes.Deletions:
		change.Kind = directory.Gone
	default: // made and deleted again: nobody says so, and there is nothing left to tell
		change.Kind = directory.Look
	}
	return change
}
