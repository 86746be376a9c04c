package cognito

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/rollcall-sync/rollcall/sync/directory"
)

// ListAccounts implements directory.Directory. The cursor is Cognito's token. A page may be short, or empty, and still have
// one; only its absence is the end. AttributesToGet is not used: Cognito refuses it as soon as one user lacks one of them.
//
// There is no count to compare with: EstimatedNumberOfUsers is an estimate.
func (d *Directory) ListAccounts(ctx context.Context, request directory.ListRequest) (directory.AccountPage, error) {
	o := op{words: "list accounts"}
	holders, err := d.readHolders(ctx, o, request.Cursor == "")
	if err != nil {
		return directory.AccountPage{}, err
	}
	records, next, err := d.listUsers(ctx, o, "", request.Cursor, request.Size)
	if err != nil {
		return directory.AccountPage{}, err
	}
	if next != "" && next == request.Cursor {
		return directory.AccountPage{}, d.unreadable(o, errors.New("the token of the next page is that of this page"))
	}
	page := directory.AccountPage{Next: next, Total: -1, Accounts: make([]directory.Account, 0, len(records))}
	for _, r := range records {
		d.remember(r)
		account := d.account(r, request.Attributes)
		account.Privileged = privilege(holders[r.sub])
		page.Accounts = append(page.Accounts, account)
	}
	return page, nil
}

// mostNames bounds the memory for usernames; beyond it a look-up more is the price.
const mostNames = 100_000

// remember keeps the username that the calls about one user want in place of the id.
func (d *Directory) remember(r record) {
	if r.sub == "" || r.username == "" || r.sub == r.username {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.usernames) >= mostNames {
		clear(d.usernames)
	}
	d.usernames[r.sub] = r.username
}

func (d *Directory) username(id string) string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.usernames[id]
}

func (d *Directory) forget(id string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.usernames, id)
}

// GetAccount implements directory.Getter.
func (d *Directory) GetAccount(ctx context.Context, id string) (directory.Account, error) {
	o := op{words: "get account", record: id, missing: directory.NotFound}
	r, err := d.user(ctx, o)
	if err != nil {
		return directory.Account{}, err
	}
	return d.describe(ctx, o, r, nil)
}

// user reads one record by its sub.
//
// Single calls want the username, and are consistent; the list, which can be filtered by sub, shows changes late. So the
// username is taken from memory where it is known: it never changes, so that what becomes of it is proof. Else the sub itself
// is tried where names are generated (only users of another provider have a different one there), and the list is asked. That
// a user does not exist needs the word of both: a new user may not be in the list yet.
func (d *Directory) user(ctx context.Context, o op) (record, error) {
	id := o.record
	o.write, o.missing = false, directory.NotFound
	if !isSub(id) {
		return record{}, d.withOp(o, &directory.Error{Kind: directory.Invalid, Err: fmt.Errorf("%q is no sub of a user", id)})
	}
	if username := d.username(id); username != "" {
		r, err := d.named(ctx, o, username)
		if directory.KindOf(err) == directory.NotFound {
			d.forget(id)
		}
		return r, err
	}
	looks := []func(context.Context, op, string) (record, error){d.named, d.searched}
	if d.signIn == byUsername || d.signIn == byAlias {
		slices.Reverse(looks)
	}
	for _, look := range looks {
		r, err := look(ctx, o, id)
		if err == nil {
			d.remember(r)
			return r, nil
		}
		if directory.KindOf(err) != directory.NotFound {
			return record{}, err
		}
	}
	return record{}, d.gone(o)
}

// named reads the user of the operation by a username; NotFound where that is nobody's, or somebody else's.
func (d *Directory) named(ctx context.Context, o op, username string) (record, error) {
	r, err := d.getUser(ctx, o, username)
	if err == nil && r.sub != o.record {
		return record{}, d.gone(o)
	}
	return r, err
}

// searched reads the user of the operation from the list.
func (d *Directory) searched(ctx context.Context, o op, id string) (record, error) {
	found, err := d.filtered(ctx, o, sub, id)
	if err != nil {
		return record{}, err
	}
	for _, r := range found {
		if r.sub == id {
			return r, nil
		}
	}
	return record{}, d.gone(o)
}

func (d *Directory) gone(o op) error {
	return d.withOp(o, &directory.Error{Kind: directory.NotFound, Err: errors.New("there is no user with this sub")})
}

// filtered reads all users whose attribute has exactly this value as Cognito compares it.
func (d *Directory) filtered(ctx context.Context, o op, attribute, value string) ([]record, error) {
	filter := attribute + " = " + quote(value)
	if utf8.RuneCountInString(filter) > maxFilter {
		return nil, d.withOp(o, &directory.Error{Kind: directory.Invalid, Err: fmt.Errorf("a value of %d characters is too long to be searched for", utf8.RuneCountInString(value))})
	}
	var found []record
	seen := map[string]bool{}
	for token := ""; ; {
		seen[token] = true
		records, next, err := d.listUsers(ctx, o, filter, token, maxPage)
		if err != nil {
			return nil, err
		}
		found = append(found, records...)
		if next == "" {
			return found, nil
		}
		if seen[next] {
			return nil, d.unreadable(o, errors.New("a page points back to one that was read before"))
		}
		token = next
	}
}

// describe turns a single record into an account, marks included.
func (d *Directory) describe(ctx context.Context, o op, r record, wanted []string) (directory.Account, error) {
	account := d.account(r, nil)
	for _, name := range wanted {
		if _, ok := account.Attributes[name]; !ok && r.problem == "" && directory.IsAttributeName(name) {
			account.Attributes[name] = directory.Value{}
		}
	}
	var err error
	account.Privileged, err = d.reason(ctx, o, r)
	return account, err
}

// FindAccounts implements directory.Finder for the id, for the username and for the attributes that the list can be filtered
// by. Filters compare letter by letter as far as is known, so a value with capitals is looked for in lower case too where
// case does not count.
func (d *Directory) FindAccounts(ctx context.Context, name, value string) ([]directory.Account, error) {
	o := op{words: "find account", record: value, missing: directory.NotFound}
	if name == directory.ID {
		account, err := d.GetAccount(ctx, value)
		switch kind := directory.KindOf(err); {
		case err == nil:
			return []directory.Account{account}, nil
		case kind == directory.NotFound || kind == directory.Invalid:
			return nil, nil
		default:
			return nil, err
		}
	}
	spec, _ := d.description.Attribute(name)
	if !spec.Searchable {
		return nil, d.withOp(o, &directory.Error{Kind: directory.Unsupported, Attribute: name, Err: fmt.Errorf("users cannot be searched by %s", name)})
	}
	if value == "" {
		return nil, nil
	}
	records, err := d.look(ctx, o, spec, value)
	if err != nil {
		return nil, err
	}
	var found []directory.Account
	for _, r := range records {
		d.remember(r)
		account, err := d.describe(ctx, o, r, nil)
		if err != nil {
			return nil, err
		}
		if account.ID != "" {
			found = append(found, account)
		}
	}
	return found, nil
}

// look reads the records with a value, and with its lower case where case does not count.
func (d *Directory) look(ctx context.Context, o op, spec directory.AttributeSpec, value string) ([]record, error) {
	values := []string{value}
	if lower := strings.ToLower(value); spec.FoldCase && lower != value {
		values = append(values, lower)
	}
	attribute, _ := d.names.toCognito(spec.Name)
	own := spec.Name == directory.Username || d.signIn == byEmail && attribute == email || d.signIn == byPhone && attribute == phone
	var found []record
	for _, value := range values {
		records, err := d.lookFor(ctx, o, attribute, value, own)
		if err != nil {
			return nil, err
		}
		for _, r := range records {
			held := r.attributes[attribute]
			if spec.Name == directory.Username {
				held = r.username
			}
			same := held == value || spec.FoldCase && strings.EqualFold(held, value)
			known := slices.ContainsFunc(found, func(other record) bool { return other.sub == r.sub })
			if !known && (same || r.problem != "") { // one that cannot be read may be the one
				found = append(found, r)
			}
		}
	}
	return found, nil
}

// lookFor asks for one user where the value is a username, because that answer is consistent: a creation whose answer was lost
// is found by it at once. Elsewhere it filters the list.
func (d *Directory) lookFor(ctx context.Context, o op, attribute, value string, own bool) ([]record, error) {
	if !own {
		return d.filtered(ctx, o, attribute, value)
	}
	if !isUsername(value) {
		return nil, nil
	}
	r, err := d.getUser(ctx, o, value)
	switch {
	case err == nil:
		return []record{r}, nil
	case directory.KindOf(err) == directory.NotFound:
		return nil, nil
	default:
		return nil, err
	}
}

// isUsername reports whether a text can be a username: 1 to 128 letters, marks, symbols, numbers and punctuation.
func isUsername(text string) bool {
	n := utf8.RuneCountInString(text)
	return n > 0 && n <= maxUsername && utf8.ValidString(text) && strings.IndexFunc(text, func(r rune) bool {
		return !unicode.In(r, unicode.L, unicode.M, unicode.S, unicode.N, unicode.P)
	}) < 0
}
