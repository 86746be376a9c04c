package database

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/rollcall-sync/rollcall/sync/directory"
	"github.com/rollcall-sync/rollcall/targets/wordpress/users"
)

// edit runs work on one account whose rows are locked, and returns the account as stored afterwards.
func (w *website) edit(ctx context.Context, k task, id string, work func(ctx context.Context, e *editing) error) (directory.Account, error) {
	n, err := w.id(ctx, k, id)
	if err != nil {
		return directory.Account{}, err
	}
	f, r, err := w.ready(ctx, k)
	if err != nil {
		return directory.Account{}, err
	}
	var account directory.Account
	err = w.server.change(ctx, func(tx session) error {
		e := &editing{website: w, tx: tx, facts: f, roles: r}
		if err := e.load(ctx, n); err != nil {
			return err
		}
		// It may have become privileged since it was listed, and nobody can change that while its rows are locked.
		if err := users.Spared(w.account(f, r, e.person, nil)); err != nil {
			return err
		}
		if err := work(ctx, e); err != nil {
			return err
		}
		if err := e.load(ctx, n); err != nil {
			return err
		}
		account = w.account(f, r, e.person, nil)
		if account.Privileged != "" { // the transaction is taken back
			return users.Overgranted(account.Groups, account)
		}
		return nil
	})
	return account, w.server.fail(k, err)
}

// editing is one account in a transaction.
type editing struct {
	*website
	tx     session
	facts  facts
	roles  roles
	person *person
}

// load reads the account and locks its rows.
func (e *editing) load(ctx context.Context, id int64) error {
	found, err := e.people(ctx, e.tx, e.facts, selection{keys: append(e.keys(nil), e.levelKey()), where: "ID = ?", arguments: []any{id}, lock: " FOR UPDATE"})
	if err == nil && len(found) == 0 {
		err = noAccount()
	}
	if err != nil {
		return err
	}
	e.person = found[0]
	return nil
}

// caps returns the capabilities. Those that cannot be read are not written either.
func (e *editing) caps() (array, error) {
	caps, err := e.website.caps(e.person)
	if err != nil {
		return nil, &directory.Error{Kind: directory.Invalid, Err: fmt.Errorf("%w; %w", err, errUnreadable), Remedy: "set the roles of the account anew in WordPress"}
	}
	return caps, nil
}

// columns changes columns of the table of users.
func (e *editing) columns(ctx context.Context, set map[string]string) error {
	var assignments []string
	var arguments []any
	for _, column := range sortedKeys(set) {
		assignments = append(assignments, column+" = ?")
		arguments = append(arguments, set[column])
	}
	if len(assignments) == 0 {
		return nil
	}
	_, err := e.server.exec(ctx, e.tx, "UPDATE "+e.tables.users+" SET "+strings.Join(assignments, ", ")+" WHERE ID = ?", append(arguments, e.person.id)...)
	return err
}

// meta sets one key: in every row that has it, as WordPress does, or in a new one.
func (e *editing) meta(ctx context.Context, key, value string) error {
	rows := e.person.meta[key]
	if len(rows) == 0 {
		_, err := e.server.exec(ctx, e.tx, "INSERT INTO "+e.tables.meta+" (user_id, meta_key, meta_value) VALUES (?, ?, ?)", e.person.id, key, value)
		return err
	}
	var ids []string
	for _, row := range rows {
		if row.value != value {
			ids = append(ids, strconv.FormatInt(row.id, 10))
		}
	}
	if len(ids) == 0 {
		return nil
	}
	_, err := e.server.exec(ctx, e.tx, "UPDATE "+e.tables.meta+" SET meta_value = ? WHERE umeta_id IN ("+strings.Join(ids, ",")+")", value)
	return err
}

// drop removes meta keys.
func (e *editing) drop(ctx context.Context, keys ...string) error {
	if len(keys) == 0 {
		return nil
	}
	arguments := []any{e.person.id}
	for _, key := range keys {
		arguments = append(arguments, key)
	}
	_, err := e.server.exec(ctx, e.tx, "DELETE FROM "+e.tables.meta+" WHERE user_id = ? AND meta_key IN ("+marks(len(keys))+")", arguments...)
	return err
}

// setRoles writes the roles and the level that goes with them.
func (e *editing) setRoles(ctx context.Context, caps array, want []string) error {
	changed := e.roles.with(caps, want)
	if err := e.meta(ctx, e.capKey(), changed.String()); err != nil {
		return err
	}
	return e.meta(ctx, e.levelKey(), e.roles.level(changed))
}

// setFlag sets the flag by which a plugin locks accounts, where there is one.
func (e *editing) setFlag(ctx context.Context, text string) error {
	switch {
	case e.rules.Flag.Key == "":
		return nil
	case text == "":
		return e.drop(ctx, e.rules.Flag.Key)
	default:
		return e.meta(ctx, e.rules.Flag.Key, forMeta(text))
	}
}

// UpdateAccount implements [directory.Updater]. What the request does not name is not written.
func (w *website) UpdateAccount(ctx context.Context, request directory.UpdateRequest) (directory.Account, error) {
	k := task{op: "update account", record: request.ID, writes: true}
	if err := ctx.Err(); err != nil {
		return directory.Account{}, w.server.fail(k, err)
	}
	c, err := w.changes(request.Set, false)
	if err != nil {
		return directory.Account{}, w.server.fail(k, err)
	}
	before, moved := "", false
	account, err := w.edit(ctx, k, request.ID, func(ctx context.Context, e *editing) error {
		before, moved = e.person.email, false
		if email, ok := c.columns["user_email"]; ok && email != before {
			moved = true
		}
		return e.apply(ctx, c, moved)
	})
	if err == nil && moved {
		err = w.stillAlone(ctx, k, request.ID, before)
	}
	return account, err
}

// apply writes changes that are ones.
func (e *editing) apply(ctx context.Context, c changes, moved bool) error {
	now := c // the values of another try must not show here
	now.columns, now.meta = map[string]string{}, map[string]string{}
	for column, value := range c.columns {
		now.columns[column] = value
	}
	for key, value := range c.meta {
		now.meta[key] = value
	}
	now.fallBack(e.person.login)
	for column, stored := range map[string]string{"user_email": e.person.email, "user_url": e.person.url, "display_name": e.person.display} {
		if now.columns[column] == stored {
			delete(now.columns, column)
		}
	}
	if moved {
		now.columns["user_activation_key"] = "" // a link for a new password went to the old address
	}
	if err := e.columns(ctx, now.columns); err != nil {
		return err
	}
	for _, key := range sortedKeys(now.meta) {
		if err := e.facts.fits([][2]string{{key, now.meta[key]}}); err != nil {
			return err
		}
		if err := e.readable(key); err != nil {
			return err
		}
		if err := e.meta(ctx, key, now.meta[key]); err != nil {
			return err
		}
	}
	for _, key := range now.cleared {
		if err := e.readable(key); err != nil {
			return err
		}
	}
	if err := e.drop(ctx, now.cleared...); err != nil || !moved {
		return err
	}
	twins, err := e.twinsOf(ctx, e.facts, e.tx, []*person{e.person}, true, directory.Email)
	if err == nil && len(twins) > 0 {
		err = takenBy(twins[0])
	}
	return err
}

// readable refuses to write over a value that no attribute can hold: it is somebody else's.
func (e *editing) readable(key string) error {
	stored, _ := e.person.first(key)
	if _, _, ok := fromMeta(stored); ok {
		return nil
	}
	return &directory.Error{
		Kind: directory.Invalid, Attribute: attributeOf(key), Err: fmt.Errorf("the user meta %s holds what no attribute can; %w", key, errUnreadable),
		Remedy: "take the key out of the option meta",
	}
}

// stillAlone puts the old address back where somebody registered with the new one while it was committed: see
// CreateAccounts.
func (w *website) stillAlone(ctx context.Context, k task, id, before string) error {
	f, err := w.facts(ctx)
	var n int64
	if err == nil {
		n, err = w.id(ctx, k, id)
	}
	var twins []twin
	if err == nil {
		twins, err = w.twinsOf(ctx, f, w.server.db, []*person{{id: n}}, false, directory.Email)
	}
	if err != nil {
		w.settings.Logger().Warn("a new address was not looked at once more for equals", "directory", w.desc.Name, "record", id, "error", err)
		return nil // the address itself is stored
	}
	if len(twins) == 0 {
		return nil
	}
	err = w.server.change(ctx, func(tx session) error {
		_, err := w.server.exec(ctx, tx, "UPDATE "+w.tables.users+" SET user_email = ? WHERE ID = ?", before, n)
		return err
	})
	if err == nil {
		err = takenBy(twins[0])
	}
	return w.server.fail(k, err)
}

var errInactive = errors.New("the account has no role, which is what makes it inactive; a role would let it in again")
