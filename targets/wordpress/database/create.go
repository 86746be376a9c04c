package database

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/rollcall-sync/rollcall/sync/directory"
	"github.com/rollcall-sync/rollcall/targets/wordpress/users"
)

// CreateAccount implements [directory.Creator].
func (w *website) CreateAccount(ctx context.Context, request directory.CreateRequest) (directory.Account, error) {
	results, err := w.CreateAccounts(ctx, []directory.CreateRequest{request})
	if err != nil {
		return directory.Account{}, err
	}
	return results[0].Account, results[0].Err
}

// CreateAccounts implements [directory.BulkCreator]: all accounts in one transaction with statements of many rows. See
// insert for how one account that is refused does not take the others with it.
//
// WordPress's tables have no unique index, so usernames and addresses are kept apart like this:
//
//  1. all rows are inserted
//  2. in the same transaction, a locking read looks for others with an equal username or address, compared by the database
//     as WordPress compares. It sees what anybody has committed, and waits for whoever is about to; those of ours that
//     are not alone go again. Of two Rollcalls that insert equal rows at once, one always sees the other.
//  3. WordPress itself looks first and inserts then. A registration that looked before our commit inserts after it and is
//     missed by 2; so after the commit it is looked for once more, and ours is taken back.
//
// What remains is a registration that looked before the commit and took longer to insert than our step 3 took to come: two
// accounts are then in the next listing, where the sync finds an ambiguous match, reports it and touches neither.
func (w *website) CreateAccounts(ctx context.Context, requests []directory.CreateRequest) ([]directory.CreateResult, error) {
	k := task{op: "create accounts", writes: true}
	f, r, err := w.ready(ctx, k)
	if err != nil {
		return nil, err
	}
	results := make([]directory.CreateResult, len(requests))
	var all []*newcomer
	for i, request := range requests {
		n, err := w.prepare(f, r, i, request)
		if err == nil {
			err = f.fits(n.meta)
		}
		if err != nil {
			results[i].Err = w.server.fail(task{op: "create account", record: request.Attributes.Text(directory.Username)}, err)
			continue
		}
		all = append(all, n)
	}
	for part := range slices.Chunk(all, w.batchSize) {
		w.insert(ctx, f, part, results)
	}
	w.lookAgain(ctx, f, all, results)
	for _, n := range all {
		if n.stored != nil && results[n.index].Err == nil {
			results[n.index].Account = w.account(f, r, n.stored, nil)
		}
	}
	return results, nil
}

// insert makes the accounts of one transaction and fills in the errors of those that were not made. Where the server
// refuses the transaction because of a row, it is begun anew with each half, down to the row that is at fault.
func (w *website) insert(ctx context.Context, f facts, part []*newcomer, results []directory.CreateResult) {
	taken := map[*newcomer]error{}
	err := w.server.change(ctx, func(tx session) error {
		clear(taken)
		for _, n := range part {
			n.stored = nil
		}
		return w.insertAll(ctx, f, tx, part, taken)
	})
	if errors.Is(err, errCommit) && w.committed(ctx, f, part) {
		err = nil
	}
	fault := w.server.fail(task{op: "create account", record: part[0].record, writes: true}, err)
	if len(part) > 1 && (errors.Is(fault, directory.Invalid) || errors.Is(fault, directory.Conflict)) {
		w.insert(ctx, f, part[:len(part)/2], results)
		w.insert(ctx, f, part[len(part)/2:], results)
		return
	}
	for _, n := range part {
		one := task{op: "create account", record: n.record, writes: true}
		if err == nil {
			results[n.index].Err = w.server.fail(one, taken[n])
		} else {
			results[n.index].Err = w.server.fail(one, err)
			n.stored = nil
		}
	}
}

// insertAll is one transaction. Accounts whose username or address is taken come back in taken and are not made.
func (w *website) insertAll(ctx context.Context, f facts, tx session, part []*newcomer, taken map[*newcomer]error) error {
	if err := w.nameAll(ctx, f, tx, part); err != nil {
		return err
	}
	if err := w.insertUsers(ctx, f, tx, part); err != nil {
		return err
	}
	made := make(map[int64]*newcomer, len(part))
	for _, n := range part {
		made[n.stored.id] = n
	}
	twins, err := w.twins(ctx, f, tx, part, true)
	if err != nil {
		return err
	}
	var gone []*person
	for _, t := range twins { // in the order of ids: of two that are ours the first one stays
		n, other := made[t.id], made[t.other]
		if taken[n] != nil || other != nil && (t.other > t.id || taken[other] != nil) {
			continue
		}
		taken[n] = takenBy(t)
		gone = append(gone, n.stored)
	}
	if len(gone) > 0 {
		if _, err := w.server.exec(ctx, tx, "DELETE FROM "+w.tables.users+" WHERE ID IN ("+idList(gone)+")"); err != nil {
			return err
		}
	}
	return w.insertMeta(ctx, f, tx, slices.DeleteFunc(slices.Clone(part), func(n *newcomer) bool { return taken[n] != nil }))
}

func takenBy(t twin) error {
	return &directory.Error{
		Kind: directory.Conflict, Attribute: t.attribute,
		Err: fmt.Errorf("account %d has this %s already", t.other, t.attribute),
	}
}

// nameAll gives each account a nicename that no other has, with the suffixes that WordPress gives.
func (w *website) nameAll(ctx context.Context, f facts, tx session, part []*newcomer) error {
	taken := map[string]bool{}
	next := map[*newcomer]int{}
	pending := part
	for len(pending) > 0 {
		var candidates []any
		for _, n := range pending {
			candidates = append(candidates, n.candidate(next[n]))
		}
		row := func(scan func(...any) error) error {
			var name string
			err := scan(&name)
			taken[users.Fold(name)] = true
			return err
		}
		err := w.server.query(ctx, tx, row, "SELECT user_nicename FROM "+w.tables.users+f.indexes[w.tables.users+".user_nicename"]+
			" WHERE user_nicename IN ("+marks(len(candidates))+")", candidates...)
		if err != nil {
			return err
		}
		var again []*newcomer
		for _, n := range pending {
			name := n.candidate(next[n])
			if taken[users.Fold(name)] {
				next[n] = max(2, next[n]+1)
				again = append(again, n)
				continue
			}
			taken[users.Fold(name)] = true
			n.columns["user_nicename"] = name
		}
		pending = again
	}
	return nil
}

// candidate returns the nicename with a suffix; 0 stands for none.
func (n *newcomer) candidate(suffix int) string {
	name := nicename(n.record)
	if suffix == 0 {
		return name
	}
	return withSuffix(name, suffix)
}

var userColumns = []string{"user_login", "user_pass", "user_nicename", "user_email", "user_url", "display_name"}

// insertUsers inserts the rows of the table of users and reads them back with their ids.
func (w *website) insertUsers(ctx context.Context, f facts, tx session, part []*newcomer) error {
	now := w.now().UTC().Format(time.DateTime)
	arguments := make([]any, 0, len(part)*(len(userColumns)+1))
	byPass := make(map[string]*newcomer, len(part))
	for _, n := range part {
		for _, column := range userColumns {
			arguments = append(arguments, n.columns[column])
		}
		arguments = append(arguments, now)
		byPass[n.columns["user_pass"]] = n
	}
	row := "(" + marks(len(userColumns)+1) + ")"
	result, err := w.server.exec(ctx, tx, "INSERT INTO "+w.tables.users+" ("+strings.Join(userColumns, ", ")+", user_registered) VALUES "+
		strings.TrimSuffix(strings.Repeat(row+",", len(part)), ","), arguments...)
	if err != nil {
		return err
	}
	first, err := result.LastInsertId()
	if err != nil {
		return err
	}
	last := first + int64(len(part)-1)*f.step
	// The rows of one statement have ids in a row; that they are ours is proven by what only we know.
	found, err := w.people(ctx, tx, f, selection{where: "ID BETWEEN ? AND ?", arguments: []any{first, last}})
	if err != nil {
		return err
	}
	for _, p := range found {
		if n := byPass[p.pass]; n != nil {
			n.stored = p
		}
	}
	for _, n := range part {
		if n.stored == nil {
			return &directory.Error{Kind: directory.Retryable, Err: errors.New("the new rows are not where the database says they are; nothing was stored")}
		}
	}
	return nil
}

// mostStatement is about how many bytes of values go into one statement. Where the server takes little, it is a quarter of
// that: escaped, values may be twice as long.
const mostStatement = 1 << 20

// insertMeta inserts the rows of user meta and keeps them as what was stored: in strict mode the database stores a value as
// it is or refuses it.
func (w *website) insertMeta(ctx context.Context, f facts, tx session, part []*newcomer) error {
	var arguments []any
	size := 0
	flush := func() error {
		if len(arguments) == 0 {
			return nil
		}
		_, err := w.server.exec(ctx, tx, "INSERT INTO "+w.tables.meta+" (user_id, meta_key, meta_value) VALUES "+
			strings.TrimSuffix(strings.Repeat("(?,?,?),", len(arguments)/3), ","), arguments...)
		arguments, size = arguments[:0], 0
		return err
	}
	for _, n := range part {
		n.stored.meta = make(map[string][]metaRow, len(n.meta))
		for _, row := range n.meta {
			if size > 0 && size+len(row[1]) > min(mostStatement, f.packet/4) {
				if err := flush(); err != nil {
					return err
				}
			}
			arguments = append(arguments, n.stored.id, row[0], row[1])
			size += 40 + len(row[1])
			n.stored.meta[row[0]] = []metaRow{{value: row[1]}}
		}
	}
	return flush()
}

// committed reports whether a transaction whose COMMIT was not answered was carried out. That its rows are not there
// proves nothing: the server may be about to.
func (w *website) committed(ctx context.Context, f facts, part []*newcomer) bool {
	var logins []any
	mine := map[string]bool{}
	for _, n := range part {
		if n.stored != nil {
			logins = append(logins, n.columns["user_login"])
			mine[n.columns["user_pass"]] = true
		}
	}
	if len(logins) == 0 {
		return false
	}
	there := 0
	row := func(scan func(...any) error) error {
		var pass string
		err := scan(&pass)
		if mine[pass] {
			there++
		}
		return err
	}
	err := w.server.query(ctx, w.server.db, row, "SELECT user_pass FROM "+w.tables.users+f.indexes[w.tables.users+".user_login"]+
		" WHERE user_login IN ("+marks(len(logins))+")", logins...)
	return err == nil && there > 0 // all or none: it was one transaction
}

func (w *website) now() time.Time {
	if w.settings.Now != nil {
		return w.settings.Now()
	}
	return time.Now()
}

func sortedKeys(m map[string]string) []string { return slices.Sorted(maps.Keys(m)) }
