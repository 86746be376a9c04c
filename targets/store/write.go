package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"time"

	"github.com/google/uuid"

	"github.com/rollcall-sync/rollcall/sync/directory"
)

// jsonTexts passes a list as one parameter, for json_each.
func jsonTexts(items []string) string {
	if items == nil {
		items = []string{}
	}
	data, err := json.Marshal(items)
	if err != nil {
		panic(fmt.Sprintf("store: texts as JSON: %v", err))
	}
	return string(data)
}

const insertAccount = `INSERT INTO accounts (id, active, username_key, email_key, employee_key, attributes, created_at, updated_at)
	VALUES (?, ?, ?, ?, ?, ?, ?, ?)`

// CreateAccount makes one account.
func (d *Directory) CreateAccount(ctx context.Context, request directory.CreateRequest) (account directory.Account, err error) {
	label := directory.Account{Attributes: request.Attributes}.Label()
	err = d.write(ctx, "create account", label, func(ctx context.Context, tx *sql.Tx) error {
		insert, err := tx.PrepareContext(ctx, insertAccount)
		if err != nil {
			return err
		}
		defer insert.Close()
		account, err = d.create(ctx, tx, insert, request, d.now())
		return err
	})
	if err != nil {
		return directory.Account{}, err
	}
	return account, nil
}

// CreateAccounts makes up to BulkSize accounts in one transaction. A record that is refused leaves the others alone without
// a savepoint of its own: everything that can be refused is refused before, or by, the first statement that writes, and
// SQLite undoes a statement that fails.
func (d *Directory) CreateAccounts(ctx context.Context, requests []directory.CreateRequest) (results []directory.CreateResult, err error) {
	const op = "create accounts"
	err = d.write(ctx, op, "", func(ctx context.Context, tx *sql.Tx) error {
		if len(requests) > bulkSize {
			return fault(directory.Invalid, "", "%d accounts in one call, at most %d are taken", len(requests), bulkSize)
		}
		insert, err := tx.PrepareContext(ctx, insertAccount)
		if err != nil {
			return err
		}
		defer insert.Close()
		now := d.now()
		results = make([]directory.CreateResult, 0, len(requests))
		for _, request := range requests {
			account, err := d.create(ctx, tx, insert, request, now)
			if err != nil && !refusal(err) {
				return err
			}
			label := directory.Account{Attributes: request.Attributes}.Label()
			results = append(results, directory.CreateResult{Account: account, Err: d.explain(op, label, err)})
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return results, nil
}

// refusal reports whether the error concerns one record, rather than the file.
func refusal(err error) bool {
	var own *directory.Error
	return errors.As(err, &own)
}

// create checks and inserts one account, and returns it as a later read will tell it.
func (d *Directory) create(ctx context.Context, tx *sql.Tx, insert *sql.Stmt, request directory.CreateRequest, now time.Time) (directory.Account, error) {
	var none directory.Account
	set := request.Attributes
	if _, ok := set[directory.Username]; !ok {
		set = maps.Clone(set)
		if set == nil {
			set = directory.Attributes{}
		}
		set[directory.Username] = directory.Value{}
	}
	if err := accept(set); err != nil {
		return none, err
	}
	if request.Status != directory.StatusActive && request.Status != directory.StatusInactive {
		return none, fault(directory.Invalid, "", "an account cannot be created %s", request.Status)
	}
	if err := mustHaveGroups(ctx, tx, request.Groups); err != nil {
		return none, err
	}
	stored, err := encode(set)
	if err != nil {
		return none, err
	}
	id, err := uuid.NewV7()
	if err != nil {
		return none, err
	}
	r := row{id: id.String(), active: request.Status == directory.StatusActive, attributes: []byte(stored), revision: 1, created: now.UnixNano(), updated: now.UnixNano()}
	_, err = insert.ExecContext(ctx, r.id, r.active, fold(set.Text(directory.Username)), key(set[directory.Email]), exactKey(set[directory.EmployeeID]), stored, r.created, r.updated)
	if err != nil {
		return none, taken(err, set)
	}
	if len(request.Groups) > 0 {
		if _, err := join(ctx, tx, r.id, request.Groups); err != nil {
			return none, err
		}
		return d.get(ctx, tx, r.id)
	}
	return r.account(nil, nil), nil
}

// exactKey is a value that is compared as it is.
func exactKey(v directory.Value) any {
	if v.IsEmpty() {
		return nil
	}
	return v.String()
}

// taken names the attribute and its value where a unique column refused one.
func taken(err error, set directory.Attributes) error {
	if name := constrained(err); name != "" {
		return fault(directory.Conflict, name, "%s %q is taken", name, set[name])
	}
	return err
}

// UpdateAccount sets and clears attributes.
func (d *Directory) UpdateAccount(ctx context.Context, request directory.UpdateRequest) (account directory.Account, err error) {
	err = d.write(ctx, "update account", request.ID, func(ctx context.Context, tx *sql.Tx) error {
		if account, err = d.get(ctx, tx, request.ID); err != nil {
			return err
		}
		if account.Problem != "" {
			return fault(directory.Invalid, "", "%s", account.Problem)
		}
		if request.Revision != "" && request.Revision != account.Revision {
			return fault(directory.Conflict, "", "the account changed since revision %s", request.Revision)
		}
		if err := accept(request.Set); err != nil {
			return err
		}
		before := maps.Clone(account.Attributes)
		set := account.Attributes
		for name, value := range request.Set {
			set[name] = value
			if value.IsEmpty() {
				delete(set, name)
			}
		}
		if set.Equal(before) {
			return nil
		}
		delete(set, directory.CreatedAt)
		delete(set, directory.UpdatedAt)
		stored, err := encode(set)
		if err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `UPDATE accounts SET username_key = ?, email_key = ?, employee_key = ?, attributes = ?, revision = revision + 1, updated_at = ? WHERE id = ?`,
			fold(set.Text(directory.Username)), key(set[directory.Email]), exactKey(set[directory.EmployeeID]), stored, d.now().UnixNano(), request.ID)
		if err != nil {
			return taken(err, set)
		}
		account, err = d.get(ctx, tx, request.ID)
		return err
	})
	if err != nil {
		return directory.Account{}, err
	}
	return account, nil
}

// SetStatus deactivates and activates; groups stay.
func (d *Directory) SetStatus(ctx context.Context, request directory.StatusRequest) (account directory.Account, err error) {
	err = d.write(ctx, "set status", request.ID, func(ctx context.Context, tx *sql.Tx) error {
		if request.Status != directory.StatusActive && request.Status != directory.StatusInactive {
			return fault(directory.Invalid, "", "an account cannot be made %s", request.Status)
		}
		active := request.Status == directory.StatusActive
		_, err := tx.ExecContext(ctx, "UPDATE accounts SET active = ?1, revision = revision + 1, updated_at = ?2 WHERE id = ?3 AND active <> ?1",
			active, d.now().UnixNano(), request.ID)
		if err != nil {
			return err
		}
		account, err = d.get(ctx, tx, request.ID)
		return err
	})
	if err != nil {
		return directory.Account{}, err
	}
	return account, nil
}

// DeleteAccount removes one account and its memberships. Ids are never given out again.
func (d *Directory) DeleteAccount(ctx context.Context, id string) error {
	return d.write(ctx, "delete account", id, func(ctx context.Context, tx *sql.Tx) error {
		gone, err := affected(tx.ExecContext(ctx, "DELETE FROM accounts WHERE id = ?", id))
		if err == nil && gone == 0 {
			err = fault(directory.NotFound, "", "there is no such account")
		}
		return err
	})
}
