package keycloak

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/Nerzal/gocloak/v13"
	"golang.org/x/sync/errgroup"

	"github.com/rollcall-sync/rollcall/sync/directory"
)

// whole asks for whole records; the bare list's default is that too, but not in every version.
var whole = url.Values{"briefRepresentation": {"false"}}

// ListAccounts implements directory.Directory.
//
// The cursor is the offset of the next page. It moves on by what was asked for, not by what came: where users come from a
// federation, or permissions hide some, Keycloak cuts a page and then drops rows of it, so that a short page is nothing
// special and only an empty one is the end. Order is by username, so a rename during the listing can show a user twice or
// not at all; the engine compares with the count before and after.
func (d *Directory) ListAccounts(ctx context.Context, request directory.ListRequest) (directory.AccountPage, error) {
	o := op{words: "list accounts", role: viewUsers}
	first, err := d.offset(o, request.Cursor)
	if err != nil {
		return directory.AccountPage{}, err
	}
	if request.Cursor == "" {
		d.forget() // who may manage the realm is found out anew for every listing, once
	}
	size := d.sizeOf(request.Size)
	var admins *administrators
	var rows []json.RawMessage
	both, within := errgroup.WithContext(ctx)
	both.Go(func() (err error) {
		admins, err = d.administrators(within)
		return err
	})
	both.Go(func() (err error) {
		rows, err = d.page(within, o, "/users", whole, first, size)
		return err
	})
	if err := both.Wait(); err != nil {
		return directory.AccountPage{}, err
	}
	page := directory.AccountPage{Total: -1, Accounts: make([]directory.Account, 0, len(rows))}
	for _, raw := range rows {
		user, problem := decodeUser(raw)
		if gocloak.PString(user.ServiceAccountClientID) != "" {
			continue
		}
		account := d.account(user, problem, request.Attributes)
		if err := d.mark(ctx, &account, user, admins); err != nil {
			return directory.AccountPage{}, err
		}
		page.Accounts = append(page.Accounts, account)
	}
	if len(rows) > 0 {
		page.Next = strconv.Itoa(first + max(size, len(rows)))
	}
	if first == 0 {
		if page.Doubt, err = d.doubt(ctx, len(rows)); err != nil {
			return directory.AccountPage{}, err
		}
	}
	return page, nil
}

// offset reads a cursor that is an offset.
func (d *Directory) offset(o op, cursor string) (int, error) {
	if cursor == "" {
		return 0, nil
	}
	first, err := strconv.Atoi(cursor)
	if err != nil || first < 0 {
		return 0, &directory.Error{Kind: directory.Invalid, Op: o.words, Record: o.record, Directory: d.name, Err: fmt.Errorf("%q is no cursor of this directory", cursor)}
	}
	return first, nil
}

func (d *Directory) sizeOf(wanted int) int {
	if wanted <= 0 {
		return d.pageSize
	}
	return wanted
}

// doubt says whether the listing may be thinned out: with query-users alone Keycloak answers an empty list and the count
// 0 instead of a refusal, and under fine-grained permissions it shows what those allow.
func (d *Directory) doubt(ctx context.Context, rows int) (string, error) {
	read, err := d.claims(ctx)
	if err != nil {
		return "", d.withOp(op{words: "list accounts"}, err)
	}
	roles, known := d.held(read)
	switch {
	case known && (slices.Contains(roles, viewUsers) || slices.Contains(roles, manageUsers)):
		return "", nil
	case known:
		return "the token holds neither view-users nor manage-users, so Keycloak leaves users out without saying so; " + d.grant(viewUsers), nil
	case rows == 0:
		return "the realm shows no users, and the token does not tell whether that is for want of permission; " + d.grant(viewUsers), nil
	default:
		return "", nil
	}
}

// CountAccounts implements directory.Counter. The bare count leaves out service accounts, as the bare list does.
func (d *Directory) CountAccounts(ctx context.Context) (int, error) {
	var count int
	err := d.do(ctx, op{words: "count accounts", role: viewUsers}, func(ctx context.Context, token string) (err error) {
		count, err = d.cloak.GetUserCount(ctx, token, d.path, gocloak.GetUsersParams{})
		return err
	})
	if err == nil {
		d.mu.Lock()
		d.count = count
		d.mu.Unlock()
	}
	return count, err
}

// Partition implements directory.Partitioner: offsets can be read side by side. The last count will do, however old: what
// has come up since follows the last page, and a page too many is empty.
func (d *Directory) Partition(ctx context.Context, request directory.ListRequest) ([]string, error) {
	d.forget() // see ListAccounts
	d.mu.Lock()
	count := d.count
	d.mu.Unlock()
	if count < 0 {
		var err error
		if count, err = d.CountAccounts(ctx); err != nil {
			return nil, err
		}
	}
	var cursors []string
	for first := 0; first < count; first += d.sizeOf(request.Size) {
		cursors = append(cursors, strconv.Itoa(first))
	}
	return cursors, nil
}

// GetAccount implements directory.Getter.
func (d *Directory) GetAccount(ctx context.Context, id string) (directory.Account, error) {
	user, problem, err := d.user(ctx, op{words: "get account", record: id, role: viewUsers, missing: directory.NotFound})
	if err != nil {
		return directory.Account{}, err
	}
	if problem != "" && (user.ID == nil || *user.ID != id) {
		// What else the server says of the account that came instead is no word about this one.
		return d.account(gocloak.User{ID: &id}, problem, nil), nil
	}
	return d.describe(ctx, user, problem, nil)
}

// checkID refuses what would not stay one segment of an address, escaped or not.
func (d *Directory) checkID(o op, id string) error {
	if id == "" || id == "." || id == ".." {
		return d.withOp(o, &directory.Error{Kind: directory.Invalid, Err: fmt.Errorf("%q is no id", id)})
	}
	return nil
}

// user reads one record.
func (d *Directory) user(ctx context.Context, o op) (gocloak.User, string, error) {
	if err := d.checkID(o, o.record); err != nil {
		return gocloak.User{}, "", err
	}
	var raw json.RawMessage
	if err := d.get(ctx, o, "/users/"+url.PathEscape(o.record), nil, &raw); err != nil {
		return gocloak.User{}, "", err
	}
	user, problem := decodeUser(raw)
	if problem == "" && *user.ID != o.record {
		problem = "the server answered with another user's record"
	}
	return user, problem, nil
}

// describe turns a single record into an account, marks included.
func (d *Directory) describe(ctx context.Context, user gocloak.User, problem string, wanted []string) (directory.Account, error) {
	admins, err := d.single(ctx)
	if err != nil {
		return directory.Account{}, err
	}
	account := d.account(user, problem, nil)
	for _, name := range wanted {
		if _, ok := account.Attributes[name]; !ok && problem == "" {
			account.Attributes[name] = directory.Value{}
		}
	}
	if err := d.mark(ctx, &account, user, admins); err != nil {
		return directory.Account{}, err
	}
	if account.Privileged == "" && account.ID != "" {
		account.Privileged, err = d.reason(ctx, admins, account.ID)
	}
	return account, err
}

// FindAccounts implements directory.Finder for id, username and email. Other attributes cannot be searched for exactly:
// the parameter q looks for parts.
func (d *Directory) FindAccounts(ctx context.Context, attribute, value string) ([]directory.Account, error) {
	o := op{words: "find account", record: value, role: viewUsers}
	var query url.Values
	switch attribute {
	case directory.ID:
		account, err := d.GetAccount(ctx, value)
		if err == nil {
			return []directory.Account{account}, nil
		}
		if value == "" || directory.KindOf(err) == directory.NotFound {
			return nil, nil
		}
		return nil, err
	case directory.Username, directory.Email:
		query = url.Values{attribute: {value}, "exact": {"true"}, "briefRepresentation": {"false"}}
	default:
		return nil, &directory.Error{
			Kind: directory.Unsupported, Op: o.words, Directory: d.name, Attribute: attribute,
			Err: fmt.Errorf("users can be found by id, username and email only, not by %s", attribute),
		}
	}
	if value == "" {
		return nil, nil // Keycloak takes an empty filter for none and would return everybody
	}
	var found []directory.Account
	for first := 0; ; first += d.pageSize {
		rows, err := d.page(ctx, o, "/users", query, first, d.pageSize)
		if err != nil {
			return nil, err
		}
		for _, raw := range rows {
			user, problem := decodeUser(raw)
			// Filtered lists hold service accounts, which the bare list leaves out.
			if isServiceAccount(user) || !matches(user, attribute, value) {
				continue
			}
			account, err := d.describe(ctx, user, problem, nil)
			if err != nil {
				return nil, err
			}
			found = append(found, account)
		}
		if done, err := d.atEnd(ctx, len(rows), d.pageSize); err != nil || done {
			return found, err
		}
	}
}

// matches compares as Keycloak does, without case, in case a server does not know "exact". A record that cannot be read
// is kept: it may be the one.
func matches(u gocloak.User, attribute, value string) bool {
	held := u.Username
	if attribute == directory.Email {
		held = u.Email
	}
	return held == nil || strings.EqualFold(*held, value)
}
