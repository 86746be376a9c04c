package database

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/rollcall-sync/rollcall/sync/directory"
)

// span is the part of a listing that one page holds: the ids above after, up to until, or a page of them where until is 0.
// Its text is the cursor: "1000", or "1000-2000".
type span struct{ after, until int64 }

func (s span) String() string {
	if s.until == 0 {
		return strconv.FormatInt(s.after, 10)
	}
	return strconv.FormatInt(s.after, 10) + "-" + strconv.FormatInt(s.until, 10)
}

func parseSpan(cursor string) (s span, err error) {
	if cursor == "" {
		return span{}, nil
	}
	after, until, bounded := strings.Cut(cursor, "-")
	if s.after, err = strconv.ParseInt(after, 10, 64); err == nil && bounded {
		s.until, err = strconv.ParseInt(until, 10, 64)
	}
	if err != nil || s.String() != cursor || s.after < 0 || s.after == 0 && !bounded || bounded && s.until <= s.after {
		return span{}, &directory.Error{Kind: directory.Invalid, Err: fmt.Errorf("%q is no cursor of this listing", cursor)}
	}
	return s, nil
}

// size returns the number of accounts of one page.
func (w *website) size(request directory.ListRequest) int {
	if request.Size > 0 {
		return min(request.Size, mostPage)
	}
	return w.pageSize
}

// ListAccounts implements [directory.Directory]. Pages are bounded by ids, so that accounts which are made or deleted
// meanwhile shift none. The users of a page and their meta are of the same moment.
func (w *website) ListAccounts(ctx context.Context, request directory.ListRequest) (directory.AccountPage, error) {
	k := task{op: "list accounts"}
	part, err := parseSpan(request.Cursor)
	if err != nil {
		return directory.AccountPage{}, w.server.fail(k, err)
	}
	if request.Cursor == "" {
		w.known.Forget() // each listing is judged by the roles that there are now
	}
	f, r, err := w.ready(ctx, k)
	if err != nil {
		return directory.AccountPage{}, err
	}
	// One more than the page holds tells whether something follows.
	size := w.size(request)
	of := selection{keys: w.keys(request.Attributes), where: "ID > ?", arguments: []any{part.after}, limit: size + 1}
	if part.until > 0 {
		of.where, of.arguments, of.limit = "ID > ? AND ID <= ?", []any{part.after, part.until}, 0
	}
	var found []*person
	err = w.server.look(ctx, func(tx session) (err error) {
		found, err = w.people(ctx, tx, f, of)
		return err
	})
	if err != nil {
		return directory.AccountPage{}, w.server.fail(k, err)
	}
	page := directory.AccountPage{Total: -1}
	switch {
	case part.until > 0:
		page.Next = span{after: part.until}.String()
	case len(found) > size:
		found = found[:size]
		page.Next = span{after: found[size-1].id}.String()
	}
	for _, p := range found {
		page.Accounts = append(page.Accounts, w.account(f, r, p, request.Attributes))
	}
	return page, nil
}

// Partition implements [directory.Partitioner]: it reads all ids, which are a few bytes each, and cuts them into pages. The
// last one has no end, so that accounts which are made meanwhile are in it.
func (w *website) Partition(ctx context.Context, request directory.ListRequest) ([]string, error) {
	k := task{op: "list accounts"}
	w.known.Forget()
	if _, _, err := w.ready(ctx, k); err != nil {
		return nil, err
	}
	size := w.size(request)
	var cursors []string
	err := w.server.again(ctx, func() error {
		cursors = nil
		n, last := 0, int64(0)
		row := func(scan func(...any) error) error {
			var id int64
			err := scan(&id)
			if n++; n%size == 0 {
				cursors = append(cursors, span{last, id}.String())
				last = id
			}
			return err
		}
		err := w.server.query(ctx, w.server.db, row, "SELECT ID FROM "+w.tables.users+" ORDER BY ID")
		if last > 0 {
			cursors = append(cursors, span{after: last}.String())
		}
		return err
	})
	return cursors, w.server.fail(k, err)
}
