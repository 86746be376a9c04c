package database

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rollcall-sync/rollcall/sync/directory"
	"github.com/rollcall-sync/rollcall/targets/wordpress/users"
)

// person is a row of the table of users with the meta that was asked for.
type person struct {
	id                                           int64
	login, email, nicename, url, display, signup string
	pass                                         string
	meta                                         map[string][]metaRow
}

type metaRow struct {
	id    int64
	value string
}

// first returns the value of a key as WordPress sees it: the oldest row.
func (p *person) first(key string) (string, bool) {
	rows := p.meta[key]
	if len(rows) == 0 {
		return "", false
	}
	return rows[0].value, true
}

func (w *website) capKey() string   { return w.tables.prefix + "capabilities" }
func (w *website) levelKey() string { return w.tables.prefix + "user_level" }

// keys returns the meta keys that these attributes are kept under; nil stands for all attributes that are described. What
// status, groups and privileges are read from is always there.
func (w *website) keys(names []string) []string {
	keys := []string{w.capKey()}
	if w.rules.Flag.Key != "" {
		keys = append(keys, w.rules.Flag.Key)
	}
	for _, spec := range w.desc.Attributes {
		if names != nil && !slices.Contains(names, spec.Name) {
			continue
		}
		if field, ok := users.FieldOf(spec.Name); !ok {
			keys = append(keys, strings.TrimPrefix(spec.Name, directory.CustomPrefix))
		} else if field.Meta != "" {
			keys = append(keys, field.Meta)
		}
	}
	return keys
}

// selection says which users are read.
type selection struct {
	// keys are those of the meta that is read with them. Without any, what stands in place of a password is read instead:
	// only for new accounts, by which they are told from others.
	keys []string
	// hint is the index that the condition is to be looked up in, or "".
	hint, where string
	arguments   []any
	limit       int
	// lock is put at the end of the statements.
	lock string
}

// people reads users and their meta, in the order of ids.
func (w *website) people(ctx context.Context, on session, f facts, of selection) ([]*person, error) {
	pass := "''"
	if len(of.keys) == 0 {
		pass = "user_pass"
	}
	statement := "SELECT ID, user_login, user_email, user_nicename, user_url, display_name, CAST(user_registered AS CHAR), " + pass + " FROM " +
		w.tables.users + of.hint + " WHERE " + of.where + " ORDER BY ID"
	if of.limit > 0 {
		statement += " LIMIT " + strconv.Itoa(of.limit)
	}
	var found []*person
	byID := map[int64]*person{}
	row := func(scan func(...any) error) error {
		p := &person{meta: map[string][]metaRow{}}
		var signup sql.NullString
		if err := scan(&p.id, &p.login, &p.email, &p.nicename, &p.url, &p.display, &signup, &p.pass); err != nil {
			return err
		}
		p.signup = signup.String
		found, byID[p.id] = append(found, p), p
		return nil
	}
	if err := w.server.query(ctx, on, row, statement+of.lock, of.arguments...); err != nil || len(found) == 0 || len(of.keys) == 0 {
		return found, err
	}
	return found, w.metaOf(ctx, on, f, of, found, byID)
}

func (w *website) metaOf(ctx context.Context, on session, f facts, of selection, found []*person, byID map[int64]*person) error {
	var arguments []any
	which := "user_id IN (" + idList(found) + ")"
	if first, last := found[0].id, found[len(found)-1].id; last-first < 2*int64(len(found)) {
		which = "user_id BETWEEN ? AND ?"
		arguments = []any{first, last}
	}
	for _, key := range of.keys {
		arguments = append(arguments, key)
	}
	row := func(scan func(...any) error) error {
		var user, id int64
		var key, value sql.NullString
		if err := scan(&user, &id, &key, &value); err != nil {
			return err
		}
		// The database takes "Nickname" for "nickname"; WordPress does not when it reads.
		if p := byID[user]; p != nil && slices.Contains(of.keys, key.String) {
			p.meta[key.String] = append(p.meta[key.String], metaRow{id, value.String})
		}
		return nil
	}
	return w.server.query(ctx, on, row, "SELECT user_id, umeta_id, meta_key, meta_value FROM "+w.tables.meta+f.indexes[w.tables.meta+".user_id"]+
		" WHERE "+which+" AND meta_key IN ("+marks(len(of.keys))+") ORDER BY user_id, umeta_id"+of.lock, arguments...)
}

// marks returns n placeholders.
func marks(n int) string { return strings.TrimSuffix(strings.Repeat("?,", n), ",") }

func idList(people []*person) string {
	var b strings.Builder
	for i, p := range people {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(strconv.FormatInt(p.id, 10))
	}
	return b.String()
}

// account translates what was read. names limits the attributes; nil means all.
func (w *website) account(f facts, r roles, p *person, names []string) directory.Account {
	a := directory.Account{ID: strconv.FormatInt(p.id, 10), Attributes: directory.Attributes{directory.Username: directory.Text(p.login)}}
	caps, err := w.caps(p)
	if err != nil {
		a.Problem = err.Error()
		return a
	}
	a.Groups, a.GroupsKnown = r.of(caps), true
	a.Privileged = w.rules.Privileges.Of(a.Groups, r.all(caps))
	a.Status = w.status(a.Groups, p)
	for _, spec := range w.desc.Attributes {
		if names != nil && !slices.Contains(names, spec.Name) {
			continue
		}
		if value, ok := w.value(f, p, spec.Name); ok {
			a.Attributes[spec.Name] = value
		}
	}
	return a
}

// caps returns the roles and capabilities of a user. One without any row has none.
func (w *website) caps(p *person) (array, error) {
	text, ok := p.first(w.capKey())
	if !ok || text == "" {
		return nil, nil
	}
	caps, err := parseArray(text)
	if err != nil {
		return nil, fmt.Errorf("the user meta %s of account %d %w", w.capKey(), p.id, err)
	}
	return caps, nil
}

// status: an account without roles is inactive, as is one that a plugin's flag locks.
func (w *website) status(roles []string, p *person) directory.Status {
	if len(roles) == 0 {
		return directory.StatusInactive
	}
	if w.rules.Flag.Key != "" {
		stored, _ := p.first(w.rules.Flag.Key)
		if text, _, ok := fromMeta(stored); ok && w.rules.Flag.Locked(directory.Text(text)) {
			return directory.StatusInactive
		}
	}
	return directory.StatusActive
}

// value returns one attribute; ok is false where it cannot be told.
func (w *website) value(f facts, p *person, name string) (directory.Value, bool) {
	field, own := users.FieldOf(name)
	if !own {
		stored, _ := p.first(strings.TrimPrefix(name, directory.CustomPrefix))
		text, list, ok := fromMeta(stored)
		if list != nil {
			return directory.List(list...), true
		}
		return directory.Text(text), ok
	}
	var text string
	switch field.Column {
	case "user_login":
		text = p.login
	case "user_email":
		text = p.email
	case "user_url":
		text = p.url
	case "display_name":
		text = p.display
	case "user_registered":
		// A date of zeros is none; the attribute is then absent.
		at, err := time.Parse(time.DateTime, p.signup)
		return directory.Time(at), err == nil
	default:
		stored, _ := p.first(field.Meta)
		var ok bool
		if text, _, ok = fromMeta(stored); !ok {
			return directory.Value{}, false
		}
	}
	if name == directory.Locale && text == "" {
		text = f.locale // as the API tells it
	}
	if field.Escaped {
		text = users.Unescape(text)
	}
	return directory.Text(text), true
}

// CountAccounts implements [directory.Counter].
func (w *website) CountAccounts(ctx context.Context) (n int, err error) {
	k := task{op: "count accounts"}
	if _, _, err := w.ready(ctx, k); err != nil {
		return 0, err
	}
	row := func(scan func(...any) error) error { return scan(&n) }
	err = w.server.again(ctx, func() error {
		return w.server.query(ctx, w.server.db, row, "SELECT COUNT(*) FROM "+w.tables.users)
	})
	return n, w.server.fail(k, err)
}

// GetAccount implements [directory.Getter].
func (w *website) GetAccount(ctx context.Context, id string) (directory.Account, error) {
	k := task{op: "get account", record: id}
	n, err := w.id(ctx, k, id)
	if err != nil {
		return directory.Account{}, err
	}
	found, err := w.search(ctx, k, "", "ID = ?", n)
	if err == nil && len(found) == 0 {
		err = w.server.fail(k, noAccount())
	}
	if err != nil {
		return directory.Account{}, err
	}
	return found[0], nil
}

// id refuses what cannot be an id: WordPress's are numbers, so nothing else can be an account.
func (w *website) id(ctx context.Context, k task, id string) (int64, error) {
	if err := ctx.Err(); err != nil {
		return 0, w.server.fail(k, err)
	}
	if !users.IsID(id) {
		return 0, w.server.fail(k, &directory.Error{Kind: directory.NotFound, Err: errors.New("no account of WordPress has such an id; they are numbers")})
	}
	return strconv.ParseInt(id, 10, 64)
}

func (w *website) search(ctx context.Context, k task, column, where string, value any) ([]directory.Account, error) {
	f, r, err := w.ready(ctx, k)
	if err != nil {
		return nil, err
	}
	var accounts []directory.Account
	err = w.server.look(ctx, func(tx session) error {
		accounts = nil
		found, err := w.people(ctx, tx, f, selection{keys: w.keys(nil), hint: f.indexes[w.tables.users+"."+column], where: where, arguments: []any{value}})
		for _, p := range found {
			accounts = append(accounts, w.account(f, r, p, nil))
		}
		return err
	})
	return accounts, w.server.fail(k, err)
}

// FindAccounts implements [directory.Finder], for id, username and email. The database compares as WordPress itself does.
func (w *website) FindAccounts(ctx context.Context, attribute, value string) ([]directory.Account, error) {
	k := task{op: "find account"}
	switch attribute {
	case directory.ID:
		a, err := w.GetAccount(ctx, value)
		if errors.Is(err, directory.NotFound) {
			return nil, nil
		}
		return []directory.Account{a}, err
	case directory.Username, directory.Email:
		field, _ := users.FieldOf(attribute)
		stored, _ := field.Stored(value)
		if err := ctx.Err(); err != nil || value == "" {
			return nil, w.server.fail(k, err)
		}
		return w.search(ctx, k, field.Column, field.Column+" = ?", stored)
	default:
		return nil, w.server.fail(k, &directory.Error{
			Kind: directory.Unsupported, Attribute: attribute, Err: fmt.Errorf("accounts cannot be searched by %s", attribute),
		})
	}
}

// Self implements [directory.SelfIdentifier]. Rollcall signs in to the database, not to the site.
func (w *website) Self(context.Context) (string, error) { return "", nil }
