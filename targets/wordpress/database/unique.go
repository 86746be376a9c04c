package database

import (
	"cmp"
	"context"
	"slices"

	"github.com/rollcall-sync/rollcall/sync/directory"
	"github.com/rollcall-sync/rollcall/targets/wordpress/users"
)

// twin is an account of ours that is not alone with a value that must be.
type twin struct {
	id, other int64
	attribute string
}

// twins looks for other accounts with an equal username or address, in the order of our ids. In a transaction it locks what
// it finds, so that it sees also what others are about to commit, after they have.
func (w *website) twins(ctx context.Context, f facts, on session, part []*newcomer, lock bool) ([]twin, error) {
	people := make([]*person, 0, len(part))
	for _, n := range part {
		people = append(people, n.stored)
	}
	return w.twinsOf(ctx, f, on, people, lock, directory.Username, directory.Email)
}

func (w *website) twinsOf(ctx context.Context, f facts, on session, people []*person, lock bool, attributes ...string) ([]twin, error) {
	var found []twin
	for _, name := range attributes {
		field, _ := users.FieldOf(name)
		row := func(scan func(...any) error) error {
			t := twin{attribute: name}
			err := scan(&t.id, &t.other)
			found = append(found, t)
			return err
		}
		// The order of the join and the index are given: a scan of the table would wait for every row that somebody else is
		// inserting.
		statement := "SELECT STRAIGHT_JOIN n.ID, o.ID FROM " + w.tables.users + " n FORCE INDEX (PRIMARY) JOIN " + w.tables.users + " o" +
			f.indexes[w.tables.users+"."+field.Column] + " ON o." + field.Column + " = n." + field.Column + " AND o.ID <> n.ID WHERE n.ID IN (" + idList(people) + ")"
		if lock {
			statement += " LOCK IN SHARE MODE"
		}
		if err := w.server.query(ctx, on, row, statement); err != nil {
			return nil, err
		}
	}
	slices.SortStableFunc(found, func(a, b twin) int {
		return cmp.Or(cmp.Compare(a.id, b.id), cmp.Compare(b.attribute, a.attribute), cmp.Compare(a.other, b.other)) // the username first, as WordPress looks
	})
	return found, nil
}

// lookAgain takes back accounts whose username or address somebody registered on the site while they were committed. A
// failure is no failure of the accounts, which are made.
func (w *website) lookAgain(ctx context.Context, f facts, all []*newcomer, results []directory.CreateResult) {
	made := map[int64]*newcomer{}
	var part []*newcomer
	for _, n := range all {
		if n.stored != nil && results[n.index].Err == nil {
			made[n.stored.id] = n
			part = append(part, n)
		}
	}
	if len(part) == 0 {
		return
	}
	twins, err := w.twins(ctx, f, w.server.db, part, false)
	if err != nil {
		w.settings.Logger().Warn("new accounts were not looked at once more for equals", "directory", w.desc.Name, "accounts", len(part), "error", err)
		return
	}
	for _, t := range twins {
		n := made[t.id]
		if results[n.index].Err != nil {
			continue
		}
		k := task{op: "create account", record: n.record, writes: true}
		// Somebody who came between has been told that the account is theirs; nobody has been told of ours yet.
		err := w.takeBack(ctx, n)
		if err == nil {
			err = takenBy(t)
		}
		results[n.index].Err = w.server.fail(k, err)
	}
}

// takeBack deletes an account that was just made, unless somebody has set a password for it meanwhile.
func (w *website) takeBack(ctx context.Context, n *newcomer) error {
	return w.server.change(ctx, func(tx session) error {
		result, err := w.server.exec(ctx, tx, "DELETE FROM "+w.tables.users+" WHERE ID = ? AND user_pass = ?", n.stored.id, n.columns["user_pass"])
		if err != nil {
			return err
		}
		if gone, err := result.RowsAffected(); err != nil || gone == 0 {
			return err
		}
		_, err = w.server.exec(ctx, tx, "DELETE FROM "+w.tables.meta+" WHERE user_id = ?", n.stored.id)
		return err
	})
}
