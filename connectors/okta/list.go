package okta

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/rollcall-sync/rollcall/sync/directory"
)

// A listing has two parts, because Okta leaves deactivated users out of the plain one without saying so. One search for
// all states would do too, but it reads an index that trails the database by minutes: whoever was just created would
// count as missing. A user who is deactivated while the listing runs shows up in both parts. A cursor is the part and the
// vendor's own link.
const (
	presentPart       = "present "
	deprovisionedPart = "deprovisioned "
	usersPath         = "/api/v1/users?"
)

// deprovisionedQuery selects the second part.
const deprovisionedQuery = `status eq "DEPROVISIONED"`

// ListAccounts implements directory.Directory.
func (d *Directory) ListAccounts(ctx context.Context, request directory.ListRequest) (directory.AccountPage, error) {
	o := op{words: "list accounts", scope: usersRead, paging: request.Cursor != ""}
	part, path := presentPart, usersPath+"limit="+strconv.Itoa(d.sizeOf(request.Size))
	if request.Cursor != "" {
		var err error
		if part, path, err = d.readCursor(o, request.Cursor); err != nil {
			return directory.AccountPage{}, err
		}
	}
	admins, err := d.administrators(ctx, request.Cursor == "")
	if err != nil {
		return directory.AccountPage{}, err
	}
	rows, next, err := d.page(ctx, o, path)
	if err != nil {
		return directory.AccountPage{}, err
	}
	page := directory.AccountPage{Total: -1, Accounts: make([]directory.Account, 0, len(rows))}
	thinned := false
	for _, raw := range rows {
		u, problem := decodeUser(raw)
		thinned = thinned || problem == problemThin
		account := d.account(u, problem, request.Attributes)
		account.Privileged = admins.reason(account.ID)
		page.Accounts = append(page.Accounts, account)
	}
	d.doubt(&page, request.Cursor == "" && len(rows) == 0, thinned)
	switch {
	case next != "" && !strings.HasPrefix(next, usersPath):
		return directory.AccountPage{}, d.failure(o, &exchange{}, fmt.Errorf("the next page is said to be at another place"))
	case next != "":
		page.Next = part + next
	case part == presentPart:
		query := url.Values{"filter": {deprovisionedQuery}, "limit": {strconv.Itoa(d.sizeOf(request.Size))}}
		page.Next = deprovisionedPart + usersPath + query.Encode()
	}
	return page, nil
}

// doubt says whether the listing may be thinned out. An org always has a user: whoever made it.
func (d *Directory) doubt(page *directory.AccountPage, empty, thinned bool) {
	switch {
	case empty:
		page.Doubt = "the org shows no user at all, though it has the one who made it"
	case thinned:
		page.Doubt = "the org shows users without their profiles"
	default:
		return
	}
	page.Remedy = d.grant(op{scope: usersRead}) + ", for all users and not for some groups"
}

// readCursor takes a cursor apart. Only what this directory has given out is followed.
func (d *Directory) readCursor(o op, cursor string) (part, path string, err error) {
	for _, part := range []string{presentPart, deprovisionedPart} {
		path, ok := strings.CutPrefix(cursor, part)
		if _, err := url.ParseRequestURI(path); ok && err == nil && strings.HasPrefix(path, usersPath) {
			return part, path, nil
		}
	}
	return "", "", d.noCursor(o, cursor)
}

func (d *Directory) noCursor(o op, cursor string) error {
	return d.withOp(o, &directory.Error{Kind: directory.Invalid, Err: fmt.Errorf("%q is no cursor of this directory", cursor)})
}

// follow checks the cursor of a list that has one part.
func (d *Directory) follow(o op, cursor, prefix string) (string, error) {
	if _, err := url.ParseRequestURI(cursor); err != nil || !strings.HasPrefix(cursor, prefix) {
		return "", d.noCursor(o, cursor)
	}
	return cursor, nil
}

func (d *Directory) sizeOf(wanted int) int {
	if wanted <= 0 || wanted > d.pageSize {
		return d.pageSize
	}
	return wanted
}

// GetAccount implements directory.Getter.
func (d *Directory) GetAccount(ctx context.Context, id string) (directory.Account, error) {
	o := op{words: "get account", record: id, scope: usersRead, missing: directory.NotFound}
	u, problem, err := d.user(ctx, o)
	if err != nil {
		return directory.Account{}, err
	}
	return d.describe(ctx, u, problem, nil)
}

// checkID refuses what is no id: Okta takes a login, or "me", in the same place.
func (d *Directory) checkID(o op, id string) error {
	odd := func(r rune) bool {
		return (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && r != '-' && r != '_'
	}
	if id == "" || id == "me" || strings.ContainsFunc(id, odd) {
		return d.withOp(o, &directory.Error{Kind: directory.Invalid, Err: fmt.Errorf("%q is no id", id)})
	}
	return nil
}

// user reads one record.
func (d *Directory) user(ctx context.Context, o op) (user, string, error) {
	if err := d.checkID(o, o.record); err != nil {
		return user{}, "", err
	}
	var raw json.RawMessage
	if _, err := d.call(ctx, o, http.MethodGet, "/api/v1/users/"+url.PathEscape(o.record), nil, &raw); err != nil {
		return user{}, "", err
	}
	u, problem := decodeUser(raw)
	switch {
	case u.ID == "":
		return user{}, "", d.failure(o, &exchange{}, fmt.Errorf("the answer is no user: %s", problem))
	case u.ID != o.record: // the id was somebody's login
		return user{}, "", d.withOp(o, &directory.Error{Kind: directory.NotFound, Err: fmt.Errorf("no user has this id")})
	default:
		return u, problem, nil
	}
}

// describe turns a single record into an account, marks included.
func (d *Directory) describe(ctx context.Context, u user, problem string, wanted []string) (directory.Account, error) {
	account := d.account(u, problem, nil)
	for _, name := range wanted {
		if _, ok := account.Attributes[name]; !ok && problem == "" {
			account.Attributes[name] = directory.Value{}
		}
	}
	reason, _, err := d.lookAt(ctx, u.ID)
	account.Privileged = reason
	return account, err
}

// FindAccounts implements directory.Finder. Logins and addresses are looked for in the database, in two parts as users are
// listed; the employee number can only be searched for, in an index that trails by minutes.
func (d *Directory) FindAccounts(ctx context.Context, attribute, value string) ([]directory.Account, error) {
	o := op{words: "find account", record: value, scope: usersRead}
	key, _ := toOkta(attribute)
	condition := "profile." + key + " eq " + quote(value)
	var queries []url.Values
	switch attribute {
	case directory.ID:
		account, err := d.GetAccount(ctx, value)
		if err == nil {
			return []directory.Account{account}, nil
		}
		if kind := directory.KindOf(err); kind == directory.NotFound || kind == directory.Invalid {
			return nil, nil
		}
		return nil, err
	case directory.Username, directory.Email:
		queries = []url.Values{{"filter": {condition}}, {"filter": {deprovisionedQuery + " and " + condition}}}
	case directory.EmployeeID:
		queries = []url.Values{{"search": {condition}}}
	default:
		return nil, &directory.Error{
			Kind: directory.Unsupported, Op: o.words, Directory: d.name, Attribute: attribute,
			Err: fmt.Errorf("users can be found by id, username, email and employee_id only, not by %s", attribute),
		}
	}
	if value == "" {
		return nil, nil
	}
	found := []directory.Account{}
	for _, query := range queries {
		if attribute == directory.Username && len(found) > 0 {
			break // nobody else can have it
		}
		query.Set("limit", strconv.Itoa(d.pageSize))
		err := d.each(ctx, o, usersPath+query.Encode(), usersPath, func(raw json.RawMessage) error {
			u, problem := decodeUser(raw)
			if held, ok := u.Profile[key].(string); ok && !strings.EqualFold(held, value) {
				return nil
			}
			if slices.ContainsFunc(found, func(a directory.Account) bool { return a.ID == u.ID }) {
				return nil
			}
			account, err := d.describe(ctx, u, problem, nil)
			found = append(found, account)
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	return found, nil
}

// quote writes a value of a filter.
func quote(value string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(value) + `"`
}

// each reads a whole list page by page. A link that came before makes no progress and is an error.
func (d *Directory) each(ctx context.Context, o op, path, prefix string, use func(json.RawMessage) error) error {
	seen := map[string]bool{}
	for path != "" {
		seen[path] = true
		rows, next, err := d.page(ctx, o, path)
		if err != nil {
			return err
		}
		for _, raw := range rows {
			if err := use(raw); err != nil {
				return err
			}
		}
		if next != "" && (seen[next] || !strings.HasPrefix(next, prefix)) {
			return d.failure(o, &exchange{}, fmt.Errorf("the next page came before, or is at another place"))
		}
		path, o.paging = next, true
	}
	return nil
}
