package state

import (
	"context"
	"sync"
)

// names keeps the table of repeated texts in memory: syncs, directories, fingerprints. It only ever grows, and slowly.
// Id 0 stands for the empty text.
type names struct {
	mu    sync.RWMutex
	ids   map[string]int64
	texts map[int64]string
}

func (n *names) id(name string) (int64, bool) {
	if name == "" {
		return 0, true
	}
	n.mu.RLock()
	defer n.mu.RUnlock()
	id, ok := n.ids[name]
	return id, ok
}

func (n *names) text(id int64) (string, bool) {
	if id == 0 {
		return "", true
	}
	n.mu.RLock()
	defer n.mu.RUnlock()
	text, ok := n.texts[id]
	return text, ok
}

// loadNames reads the table anew; other processes may have added to it.
func (db *DB) loadNames(ctx context.Context) error {
	rows, err := db.reader.QueryContext(ctx, "SELECT id, name FROM names")
	if err != nil {
		return translate(db.path, err)
	}
	defer rows.Close()
	ids, texts := make(map[string]int64), make(map[int64]string)
	for rows.Next() {
		var id int64
		var name string
		if err := rows.Scan(&id, &name); err != nil {
			return translate(db.path, err)
		}
		ids[name], texts[id] = id, name
	}
	if err := rows.Err(); err != nil {
		return translate(db.path, err)
	}
	db.names.mu.Lock()
	defer db.names.mu.Unlock()
	// An older snapshot must not take away what a newer one has brought.
	if len(ids) >= len(db.names.ids) {
		db.names.ids, db.names.texts = ids, texts
	}
	return nil
}

// nameID returns the id of a name for a query; false where nothing was ever stored under that name.
func (db *DB) nameID(ctx context.Context, name string) (int64, bool, error) {
	if id, ok := db.names.id(name); ok {
		return id, true, nil
	}
	if err := db.loadNames(ctx); err != nil {
		return 0, false, err
	}
	id, ok := db.names.id(name)
	return id, ok, nil
}

// name returns the text of an id that a row carries.
func (db *DB) name(ctx context.Context, id int64) (string, error) {
	if text, ok := db.names.text(id); ok {
		return text, nil
	}
	if err := db.loadNames(ctx); err != nil {
		return "", err
	}
	text, ok := db.names.text(id)
	if !ok {
		return "", db.fault(ErrDamaged, nil, "lacks name %d - restore it from a backup", id)
	}
	return text, nil
}

// intern makes sure that all names have ids, in a transaction of its own, so that a later rollback cannot leave ids in
// memory that the file does not have. Inside the caller's transaction names.id then knows them all.
func (db *DB) intern(ctx context.Context, wanted ...string) error {
	var missing []string
	for _, name := range wanted {
		if _, ok := db.names.id(name); !ok {
			missing = append(missing, name)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	err := db.write(ctx, len(missing), func(t *tx) error {
		for _, name := range missing {
			if _, err := t.exec("INSERT INTO names (name) VALUES (?) ON CONFLICT DO NOTHING", name); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	return db.loadNames(ctx)
}

// known returns the id of a name that intern has seen.
func (db *DB) known(name string) int64 {
	id, ok := db.names.id(name)
	if !ok {
		panic("state: name used before intern: " + name)
	}
	return id
}
