package store

import (
	"context"
	"database/sql"
	"encoding/base64"
	"errors"
	"strings"

	"github.com/rollcall-sync/rollcall/sync/directory"
)

// cursorMark begins every cursor; the last id of the page before follows, in base64.
const cursorMark = "1."

func cursorAfter(id string) string {
	return cursorMark + base64.RawURLEncoding.EncodeToString([]byte(id))
}

// lastOf returns the id that a cursor stands for; "" is before the first.
func lastOf(cursor string) (string, error) {
	if cursor == "" {
		return "", nil
	}
	text, ok := strings.CutPrefix(cursor, cursorMark)
	id, err := base64.RawURLEncoding.DecodeString(text)
	if !ok || err != nil {
		return "", fault(directory.Invalid, "", "the cursor %q was never given out", cursor)
	}
	return string(id), nil
}

func (d *Directory) size(wanted int) int {
	if wanted <= 0 {
		return d.desc.PageSize
	}
	return min(wanted, mostPerPage)
}

// ListAccounts lists by id. Accounts made during the listing come at its end.
func (d *Directory) ListAccounts(ctx context.Context, request directory.ListRequest) (directory.AccountPage, error) {
	page := directory.AccountPage{Total: -1}
	err := d.read(ctx, "list accounts", "", func(ctx context.Context, q queryer) error {
		last, err := lastOf(request.Cursor)
		if err != nil {
			return err
		}
		size := d.size(request.Size)
		page.Accounts, err = d.query(ctx, q, request.Attributes, "SELECT "+columns+" FROM accounts a WHERE a.id > ? ORDER BY a.id LIMIT ?", last, size+1)
		if err == nil && len(page.Accounts) > size {
			page.Accounts = page.Accounts[:size]
			page.Next = cursorAfter(page.Accounts[size-1].ID)
		}
		return err
	})
	if err != nil {
		return directory.AccountPage{}, err
	}
	return page, nil
}

// query reads accounts.
func (d *Directory) query(ctx context.Context, q queryer, names []string, query string, args ...any) ([]directory.Account, error) {
	privileged, err := d.privilegedGroups(ctx, q)
	if err != nil {
		return nil, err
	}
	rows, err := q.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var accounts []directory.Account
	for rows.Next() {
		var r row
		if err := r.scan(rows.Scan); err != nil {
			return nil, err
		}
		accounts = append(accounts, r.account(names, privileged))
	}
	return accounts, rows.Err()
}

// CountAccounts counts them.
func (d *Directory) CountAccounts(ctx context.Context) (n int, err error) {
	err = d.read(ctx, "count accounts", "", func(ctx context.Context, q queryer) error {
		return q.QueryRowContext(ctx, "SELECT count(*) FROM accounts").Scan(&n)
	})
	return n, err
}

// Partition returns the cursor of each page.
func (d *Directory) Partition(ctx context.Context, request directory.ListRequest) (cursors []string, err error) {
	err = d.read(ctx, "partition accounts", "", func(ctx context.Context, q queryer) error {
		size, after := d.size(request.Size), ""
		cursors = []string{cursorAfter("")}
		for {
			// A page that nothing follows ends the list.
			ends, err := texts(ctx, q, "SELECT id FROM accounts WHERE id > ?1 ORDER BY id LIMIT 2 OFFSET ?2", after, size-1)
			if err != nil || len(ends) < 2 {
				return err
			}
			after = ends[0]
			cursors = append(cursors, cursorAfter(after))
		}
	})
	if err != nil {
		return nil, err
	}
	return cursors, nil
}

// texts reads one column.
func texts(ctx context.Context, q queryer, query string, args ...any) ([]string, error) {
	rows, err := q.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var all []string
	for rows.Next() {
		var text string
		if err := rows.Scan(&text); err != nil {
			return nil, err
		}
		all = append(all, text)
	}
	return all, rows.Err()
}

// GetAccount reads one account.
func (d *Directory) GetAccount(ctx context.Context, id string) (account directory.Account, err error) {
	err = d.read(ctx, "get account", id, func(ctx context.Context, q queryer) error {
		account, err = d.get(ctx, q, id)
		return err
	})
	return account, err
}

func (d *Directory) get(ctx context.Context, q queryer, id string) (directory.Account, error) {
	privileged, err := d.privilegedGroups(ctx, q)
	if err != nil {
		return directory.Account{}, err
	}
	var r row
	err = r.scan(q.QueryRowContext(ctx, "SELECT "+columns+" FROM accounts a WHERE a.id = ?", id).Scan)
	if errors.Is(err, sql.ErrNoRows) {
		return directory.Account{}, fault(directory.NotFound, "", "there is no such account")
	}
	if err != nil {
		return directory.Account{}, err
	}
	return r.account(nil, privileged), nil
}

// FindAccounts finds by username, email or employee_id.
func (d *Directory) FindAccounts(ctx context.Context, attribute, value string) (found []directory.Account, err error) {
	err = d.read(ctx, "find accounts", value, func(ctx context.Context, q queryer) error {
		column, wanted := "", fold(value)
		switch attribute {
		case directory.Username:
			column = "username_key"
		case directory.Email:
			column = "email_key"
		case directory.EmployeeID:
			column, wanted = "employee_key", value
		default:
			return fault(directory.Unsupported, attribute, "the store cannot be searched by %s", attribute)
		}
		found, err = d.query(ctx, q, nil, "SELECT "+columns+" FROM accounts a WHERE a."+column+" = ? ORDER BY a.id", wanted)
		return err
	})
	return found, err
}

// Self returns nothing: the store is opened by a file's permissions, not by an account.
func (d *Directory) Self(ctx context.Context) (string, error) {
	if err := ctx.Err(); err != nil {
		return "", d.explain("identify", "", err)
	}
	return "", nil
}
