package wordpress

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/rollcall-sync/rollcall/sync/directory"
	"github.com/rollcall-sync/rollcall/targets/wordpress/users"
)

const editRemedy = "give the role of the service account the capabilities list_users and edit_users; on a multisite network only network administrators see all users"

// page is one page of users as it came.
type page struct {
	rows         []json.RawMessage
	total, pages int
	// expected is how many rows the totals promise for it.
	expected int
}

// fetch asks for one page of users, ordered by id. context=edit always goes along: without it a wrong password is answered
// with the public list of authors, and status 200.
func (s *site) fetch(ctx context.Context, op string, number, size int, names string, filter url.Values) (page, error) {
	query := url.Values{
		"context": {"edit"}, "orderby": {"id"}, "order": {"asc"}, "_fields": {names},
		"page": {strconv.Itoa(number)}, "per_page": {strconv.Itoa(size)},
	}
	for name, values := range filter {
		query[name] = values
	}
	k := call{method: http.MethodGet, route: usersRoute, query: query, op: op}
	var p page
	a, err := s.client.get(ctx, k, &p.rows)
	if err != nil {
		return p, err
	}
	total, err := strconv.Atoi(a.header.Get("X-WP-Total"))
	pages, err2 := strconv.Atoi(a.header.Get("X-WP-TotalPages"))
	if err = errors.Join(err, err2); err != nil || total < 0 || pages < 0 {
		return p, s.client.fail(k, &directory.Error{
			Kind: directory.Retryable, Err: errors.New("the answer lacks the header X-WP-Total or X-WP-TotalPages"),
			Remedy: "let the proxy or cache before the site pass on all headers of /wp-json/",
		})
	}
	p.total, p.pages = total, pages
	p.expected = max(0, min(size, total-(number-1)*size))
	if len(p.rows) == 0 && p.expected > 0 {
		// What an account with list_users but without edit_users gets: every row is left out, the totals are full.
		return p, s.client.fail(k, &directory.Error{
			Kind: directory.Auth, Err: fmt.Errorf("WordPress counts %d users and shows none of them", total), Remedy: editRemedy,
		})
	}
	return p, nil
}

// size returns the number of rows to ask for. WordPress refuses more than 100.
func (s *site) size(wanted int) int {
	if wanted <= 0 {
		return s.pageSize
	}
	return min(wanted, maxPage)
}

// ListAccounts implements [directory.Directory]. A cursor is the number of a page.
func (s *site) ListAccounts(ctx context.Context, request directory.ListRequest) (directory.AccountPage, error) {
	const op = "list accounts"
	number := 1
	if request.Cursor != "" {
		n, err := strconv.Atoi(request.Cursor)
		if err != nil || n < 1 || strconv.Itoa(n) != request.Cursor {
			return directory.AccountPage{}, s.client.fail(call{op: op}, &directory.Error{
				Kind: directory.Invalid, Err: fmt.Errorf("%q is no cursor of this listing", request.Cursor),
			})
		}
		number = n
	}
	size := s.size(request.Size)
	p, err := s.fetch(ctx, op, number, size, s.fieldNames(request.Attributes), nil)
	if err != nil {
		return directory.AccountPage{}, err
	}
	accounts, err := s.accounts(op, p.rows, request.Attributes)
	if err != nil {
		return directory.AccountPage{}, err
	}
	s.sightings.page(number, size, p, accounts)
	result := directory.AccountPage{Accounts: accounts, Total: p.total, Doubt: s.doubt(p, accounts)}
	if number < p.pages {
		result.Next = strconv.Itoa(number + 1)
	}
	return result, nil
}

func (s *site) accounts(op string, rows []json.RawMessage, names []string) ([]directory.Account, error) {
	accounts := make([]directory.Account, 0, len(rows))
	for i, row := range rows {
		a, err := s.account(row, names)
		if err != nil {
			return nil, s.client.fail(call{op: op}, &directory.Error{
				Kind: directory.Retryable, Err: fmt.Errorf("row %d of the answer: %w", i+1, err),
				Remedy: "look for a plugin that changes the answers of the REST API",
			})
		}
		accounts = append(accounts, a)
	}
	return accounts, nil
}

// doubt returns what casts doubt on a page, or "".
func (s *site) doubt(p page, accounts []directory.Account) string {
	if len(p.rows) != p.expected {
		return fmt.Sprintf("a page should hold %d of %d users and holds %d: WordPress leaves out the users that the service account may not edit", p.expected, p.total, len(p.rows))
	}
	last := 0
	for _, a := range accounts {
		id, _ := strconv.Atoi(a.ID) // isID was true
		if id <= last {
			return "the users do not come in the order of their ids: a plugin changes the order, so that pages may overlap"
		}
		last = id
		if a.Problem == "" && a.Status == directory.StatusUnknown {
			return fmt.Sprintf("the meta key %s (deactivated_meta) is not in the records: register it on the site with show_in_rest", s.rules.Flag.Key)
		}
	}
	return ""
}

// CountAccounts implements [directory.Counter].
func (s *site) CountAccounts(ctx context.Context) (int, error) {
	p, err := s.fetch(ctx, "count accounts", 1, 1, "id", nil)
	return p.total, err
}

// Partition implements [directory.Partitioner]. Pages are offsets into the users by id: new users come last, and one
// deleted while pages are read moves the rest, which the counts before and after show.
func (s *site) Partition(ctx context.Context, request directory.ListRequest) ([]string, error) {
	p, err := s.fetch(ctx, "list accounts", 1, 1, "id", nil)
	if err != nil {
		return nil, err
	}
	size := s.size(request.Size)
	var cursors []string
	for number := 1; (number-1)*size < p.total; number++ {
		cursors = append(cursors, strconv.Itoa(number))
	}
	return cursors, nil
}

// GetAccount implements [directory.Getter].
func (s *site) GetAccount(ctx context.Context, id string) (directory.Account, error) {
	return s.read(ctx, "get account", id)
}

func (s *site) read(ctx context.Context, op, id string) (directory.Account, error) {
	if err := s.checkID(ctx, op, id); err != nil {
		return directory.Account{}, err
	}
	k := call{method: http.MethodGet, route: userRoute(id), query: url.Values{"context": {"edit"}, "_fields": {s.fieldNames(nil)}}, op: op, record: id}
	a, err := s.client.do(ctx, k)
	if err != nil {
		return directory.Account{}, err
	}
	return s.stored(k, a, id)
}

// checkID refuses what cannot be an id before it becomes part of an address. WordPress's ids are numbers, so nothing else
// can be an account: that is as sure as WordPress's own word.
func (s *site) checkID(ctx context.Context, op, id string) error {
	k := call{op: op, record: id}
	if err := ctx.Err(); err != nil {
		return s.client.fail(k, &directory.Error{Kind: directory.Retryable, Err: err})
	}
	if !users.IsID(id) {
		return s.client.fail(k, &directory.Error{Kind: directory.NotFound, Err: errors.New("no account of WordPress has such an id; they are numbers")})
	}
	return nil
}

// stored reads the record in the answer to k. id is the one it must have, or "".
func (s *site) stored(k call, a answer, id string) (directory.Account, error) {
	var data json.RawMessage
	if err := s.client.decode(k, a, &data); err != nil {
		return directory.Account{}, err
	}
	account, err := s.account(data, nil)
	switch {
	case err != nil:
	case id != "" && account.ID != id:
		err = fmt.Errorf("the answer tells of account %s", account.ID)
	case account.Problem != "" && k.writes():
		err = errors.New(account.Problem)
	}
	if err != nil {
		return directory.Account{}, s.client.fail(k, &directory.Error{
			Kind: lostKind(k), Err: err, Remedy: "look for a plugin that changes the answers of the REST API",
		})
	}
	return account, nil
}

// FindAccounts implements [directory.Finder], for id, username and email. WordPress can only search for a part of a value,
// so all hits are read and compared here, as the database compares: without case and accents.
func (s *site) FindAccounts(ctx context.Context, attribute, value string) ([]directory.Account, error) {
	const op = "find account"
	filter := url.Values{}
	switch attribute {
	case directory.ID:
		a, err := s.read(ctx, op, value)
		if errors.Is(err, directory.NotFound) {
			return nil, nil
		}
		return []directory.Account{a}, err
	case directory.Email:
		// search_columns is obeyed since 6.8 and ignored before; there a term with @ is looked for in addresses alone.
		// Addresses are stored escaped, so that is what is to be found.
		filter.Set("search", users.Escape(value))
		filter.Set("search_columns", "email")
	case directory.Username:
		filter.Set("search", searchable(value))
		filter.Set("search_columns", "username")
	default:
		return nil, s.client.fail(call{op: op}, &directory.Error{
			Kind: directory.Unsupported, Attribute: attribute, Err: fmt.Errorf("WordPress cannot search for %s", attribute),
		})
	}
	if err := ctx.Err(); err != nil {
		return nil, s.client.fail(call{op: op}, &directory.Error{Kind: directory.Retryable, Err: err})
	}
	// An empty search gives everybody, and a term without @ is looked for in names as well.
	if strings.Trim(filter.Get("search"), "* ") == "" || attribute == directory.Email && !strings.Contains(value, "@") {
		return nil, nil
	}
	return s.search(ctx, op, attribute, value, filter)
}

func (s *site) search(ctx context.Context, op, attribute, value string, filter url.Values) ([]directory.Account, error) {
	var found []directory.Account
	for number := 1; ; number++ {
		p, err := s.fetch(ctx, op, number, maxPage, s.fieldNames(nil), filter)
		if err != nil {
			return nil, err
		}
		if err := s.whole(op, p); err != nil {
			return nil, err
		}
		accounts, err := s.accounts(op, p.rows, nil)
		if err != nil {
			return nil, err
		}
		for _, a := range accounts {
			if users.Fold(a.Attributes.Text(attribute)) == users.Fold(value) {
				found = append(found, a)
			}
		}
		if number >= p.pages {
			return found, nil
		}
	}
}

// whole refuses a page from which rows are left out.
func (s *site) whole(op string, p page) error {
	if len(p.rows) == p.expected {
		return nil
	}
	return s.client.fail(call{op: op}, &directory.Error{
		Kind: directory.Auth, Err: fmt.Errorf("WordPress counts %d users and leaves some of them out", p.total), Remedy: editRemedy,
	})
}

// searchable returns the longest part of a username without @: before 6.8 WordPress looks for a term with @ in e-mail
// addresses only (class-wp-user-query.php), and every account with the username holds the part as well.
func searchable(username string) string {
	longest := ""
	for part := range strings.SplitSeq(username, "@") {
		if len(part) > len(longest) {
			longest = part
		}
	}
	return longest
}

// Self implements [directory.SelfIdentifier].
func (s *site) Self(ctx context.Context) (string, error) {
	return s.whoAmI(ctx, "identify")
}

func (s *site) whoAmI(ctx context.Context, op string) (string, error) {
	return s.self.Get(func() (string, error) {
		k := call{method: http.MethodGet, route: meRoute, query: url.Values{"context": {"edit"}, "_fields": {"id"}}, op: op}
		var me struct {
			ID json.Number `json:"id"`
		}
		if _, err := s.client.get(ctx, k, &me); err != nil {
			return "", err
		}
		if !users.IsID(me.ID.String()) {
			return "", s.client.fail(k, &directory.Error{Kind: directory.Retryable, Err: errors.New("the answer has no id")})
		}
		return me.ID.String(), nil
	})
}
