package file

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/rollcall-sync/rollcall/sync/directory"
)

const (
	pageSize = 1000
	// pageBytes ends a page early where records are large.
	pageBytes = 8 << 20
)

// read runs a function over the current state of the file. It is called with the file open; what it returns counts only
// where the file did not change meanwhile.
func (s *store) read(ctx context.Context, do func(x *index, text textReader) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	x, d, err := s.current(ctx)
	if err != nil {
		return err
	}
	defer d.Close()
	if err := do(x, x.text(d)); err != nil {
		return err
	}
	return x.still(d)
}

// current opens the file and returns its index, from memory where the file is the one indexed before.
func (s *store) current(ctx context.Context) (*index, *document, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	d, err := openRaw(s.options.path)
	if err != nil {
		return nil, nil, err
	}
	if s.index != nil && s.index.identity == d.identity && !s.index.unsettled {
		return s.index, d, nil
	}
	if err := s.oldEnough(d); err != nil {
		d.Close()
		return nil, nil, err
	}
	x, err := buildIndex(ctx, s.options, s.now())
	if err != nil {
		d.Close()
		return nil, nil, err
	}
	if x.identity != d.identity {
		d.Close()
		return nil, nil, changing("the file was replaced while it was being read")
	}
	s.index = x
	return x, d, nil
}

// oldEnough keeps away from a file whose upload may be under way. What this directory wrote itself is whole.
func (s *store) oldEnough(d *document) error {
	age := s.now().Sub(d.info.ModTime())
	if s.options.minAge == 0 || age >= s.options.minAge || d.identity == s.written {
		return nil
	}
	return &fault{
		kind: directory.Retryable, message: fmt.Sprintf("the file was changed less than %s ago (min_age)", s.options.minAge),
		remedy: "try again a little later",
	}
}

// ListAccounts returns the records in the order of the file.
func (s *store) ListAccounts(ctx context.Context, request directory.ListRequest) (directory.AccountPage, error) {
	page := directory.AccountPage{}
	err := s.read(ctx, func(x *index, text textReader) error {
		from, err := x.place(request.Cursor, "a", len(x.rows))
		if err != nil {
			return err
		}
		size := request.Size
		if size <= 0 {
			size = pageSize
		}
		to := from
		for to < len(x.rows) && to-from < size && (to == from || x.rows[to].end()-x.rows[from].offset <= pageBytes) {
			to++
		}
		page.Accounts, err = x.accounts(text, from, to)
		page.Total, page.Doubt, page.Remedy = x.told(), x.doubt, x.remedy
		if to < len(x.rows) {
			page.Next = x.cursor("a", to)
		}
		return err
	})
	if err != nil {
		return directory.AccountPage{}, s.fail("list accounts", "", err)
	}
	return page, nil
}

// accounts decodes the records from one place up to another.
func (x *index) accounts(text textReader, from, to int) ([]directory.Account, error) {
	if from >= to {
		return nil, nil
	}
	start := x.rows[from].offset
	buf := make([]byte, x.rows[to-1].end()-start)
	if n, err := text.ReadAt(buf, start); n < len(buf) {
		return nil, errors.Join(changing("the file became shorter while it was being read"), err)
	}
	accounts := make([]directory.Account, 0, to-from)
	for _, e := range x.rows[from:to] {
		account, err := x.account(buf[e.offset-start:e.end()-start], int(e.line))
		if err != nil {
			return nil, err
		}
		accounts = append(accounts, account)
	}
	return accounts, nil
}

// cursor names a place in one state of the file.
func (x *index) cursor(kind string, place int) string {
	return kind + strconv.Itoa(place) + "@" + x.identity.String()
}

// place reads a cursor.
func (x *index) place(cursor, kind string, most int) (int, error) {
	if cursor == "" {
		return 0, nil
	}
	number, state, ok := strings.Cut(strings.TrimPrefix(cursor, kind), "@")
	place, err := strconv.Atoi(number)
	if !ok || err != nil || place < 0 || !strings.HasPrefix(cursor, kind) {
		return 0, &fault{kind: directory.Invalid, message: "this is no cursor of a file", remedy: "begin the listing again"}
	}
	if state != x.identity.String() {
		return 0, changing("the file was changed while it was being listed, so that the pages do not belong together")
	}
	if place > most {
		return 0, changing("what was listed became shorter")
	}
	return place, nil
}

// CountAccounts returns the number of records.
func (s *store) CountAccounts(ctx context.Context) (int, error) {
	n := 0
	err := s.read(ctx, func(x *index, _ textReader) error {
		n = len(x.rows)
		return nil
	})
	return n, s.fail("count accounts", "", err)
}

// GetAccount returns one record. It reads the file that was listed, so its "no record has this id" is as certain as the
// file, and no more: what speaks for the file are the certificate of its listing and the usual size. In a file that is
// doubted (see judge) nobody is proven to be gone but those whom this directory removed itself.
func (s *store) GetAccount(ctx context.Context, id string) (directory.Account, error) {
	var account directory.Account
	err := s.read(ctx, func(x *index, text textReader) error {
		row, err := x.find(text, id)
		if err != nil {
			return err
		}
		if row < 0 {
			return s.absent(x, id)
		}
		raw, err := x.raw(text, row)
		if err != nil {
			return err
		}
		account, err = x.account(raw, int(x.rows[row].line))
		return err
	})
	if err != nil {
		return directory.Account{}, s.fail("get account", id, err)
	}
	return account, nil
}

// absent is the error for an id that no record has.
func (s *store) absent(x *index, id string) error {
	if x.doubt != "" && !s.removed(id) {
		return &fault{
			kind: directory.Retryable, message: "no record has this id, which proves nothing about the account: " + x.doubt,
			remedy: x.remedy,
		}
	}
	return &fault{kind: directory.NotFound, message: "no record has this id"}
}

// FindAccounts reads the whole file for the records with exactly this value.
func (s *store) FindAccounts(ctx context.Context, attribute, value string) ([]directory.Account, error) {
	var found []directory.Account
	err := s.read(ctx, func(x *index, text textReader) error {
		if !s.searchable(attribute) {
			return &fault{kind: directory.Unsupported, attribute: attribute, message: "the file has no column for " + attribute, remedy: "search by an attribute that it has"}
		}
		found = nil
		same := func(a, b string) bool { return a == b }
		if spec, _ := s.description.Attribute(attribute); spec.FoldCase {
			same = strings.EqualFold
		}
		for from := 0; from < len(x.rows); {
			if err := ctx.Err(); err != nil {
				return err
			}
			to := min(from+pageSize, len(x.rows))
			for to > from+1 && x.rows[to-1].end()-x.rows[from].offset > pageBytes {
				to--
			}
			accounts, err := x.accounts(text, from, to)
			if err != nil {
				return err
			}
			for _, account := range accounts {
				have, ok := account.Attributes[attribute]
				if attribute == directory.ID && account.ID == value || ok && !have.IsEmpty() && same(have.String(), value) {
					found = append(found, account)
				}
			}
			from = to
		}
		return nil
	})
	if err != nil {
		return nil, s.fail("find accounts by "+attribute, "", err)
	}
	return found, nil
}

// searchable goes by the description, so that nothing is searchable that the description does not say is.
func (s *store) searchable(attribute string) bool {
	if attribute == directory.ID {
		return true
	}
	spec, ok := s.description.Attribute(attribute)
	return ok && (spec.Searchable || strings.HasPrefix(attribute, directory.CustomPrefix))
}

// listGroups returns the groups that records have, and those that were created since Open.
func (s *store) listGroups(ctx context.Context, request directory.GroupListRequest) (directory.GroupPage, error) {
	var page directory.GroupPage
	err := s.read(ctx, func(x *index, _ textReader) error {
		groups := s.groups(x)
		from, err := x.place(request.Cursor, "g", len(groups))
		if err != nil {
			return err
		}
		to := len(groups)
		if request.Size > 0 {
			to = min(to, from+request.Size)
		}
		page = directory.GroupPage{Groups: groups[from:to], Total: len(groups)}
		if to < len(groups) {
			page.Next = x.cursor("g", to)
		}
		return nil
	})
	if err != nil {
		return directory.GroupPage{}, s.fail("list groups", "", err)
	}
	return page, nil
}

// groups returns all groups, sorted by id.
func (s *store) groups(x *index) []directory.Group {
	all := map[string]directory.Group{}
	s.made.Range(func(id, group any) bool {
		all[id.(string)] = group.(directory.Group)
		return true
	})
	maps.Copy(all, x.groups)
	groups := slices.Collect(maps.Values(all))
	slices.SortFunc(groups, func(a, b directory.Group) int { return strings.Compare(a.ID, b.ID) })
	return groups
}
