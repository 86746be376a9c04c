package state

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"sync"

	sqlite3 "modernc.org/sqlite/lib"
)

// One transaction takes at most so many calls and about so many rows, so that nobody waits long for others.
const (
	batchCalls = 256
	batchRows  = 2000
)

// writer is the one goroutine of a process that writes.
//
//  1. It takes one waiting call, then every other call that is already waiting, up to the bounds above. It never waits
//     for more: while one batch is synced to disk, the next one gathers by itself.
//  2. Each call runs in a savepoint, so that one refused call (a link that exists) does not undo the others.
//  3. One commit, one fsync; then every call gets its own answer. A fault of the file itself is everybody's answer.
type writer struct {
	path  string
	db    *sql.DB
	queue chan call
	quit  chan struct{}
	done  chan struct{}
	once  sync.Once
	err   error

	tx *tx // the connection with its statements; nil until needed and after a fault
}

type call struct {
	weight int
	do     func(*tx) error
	answer chan error
}

func newWriter(path string, db *sql.DB) *writer {
	w := &writer{path: path, db: db, queue: make(chan call), quit: make(chan struct{}), done: make(chan struct{})}
	go w.run()
	return w
}

func (w *writer) submit(ctx context.Context, weight int, do func(*tx) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	c := call{weight: weight, do: do, answer: make(chan error, 1)}
	select {
	case w.queue <- c:
		return translate(w.path, <-c.answer)
	case <-ctx.Done():
		return ctx.Err()
	case <-w.quit:
		return fileFault(w.path, ErrClosed, nil, "is closed")
	}
}

// close answers every call that was taken, and waits for the goroutine.
func (w *writer) close() error {
	w.once.Do(func() {
		close(w.quit)
		<-w.done
		w.drop()
		w.err = w.db.Close()
	})
	return w.err
}

func (w *writer) run() {
	defer close(w.done)
	for {
		select {
		case first := <-w.queue:
			w.serve(w.gather(first))
		case <-w.quit:
			return
		}
	}
}

func (w *writer) gather(first call) []call {
	batch, rows := []call{first}, first.weight
	for len(batch) < batchCalls && rows < batchRows {
		select {
		case c := <-w.queue:
			batch = append(batch, c)
			rows += c.weight
		default:
			return batch
		}
	}
	return batch
}

func (w *writer) serve(batch []call) {
	answers, err := w.transact(batch)
	if err != nil {
		// The connection may be in any condition; the next batch gets a new one.
		w.drop()
	}
	for i, c := range batch {
		if err != nil {
			c.answer <- err
			continue
		}
		c.answer <- answers[i]
	}
}

func (w *writer) transact(batch []call) ([]error, error) {
	t, err := w.connect()
	if err != nil {
		return nil, err
	}
	if _, err := t.exec("BEGIN IMMEDIATE"); err != nil {
		return nil, err
	}
	answers := make([]error, len(batch))
	for i, c := range batch {
		if answers[i], err = t.protect(c.do); err != nil {
			return nil, err
		}
	}
	_, err = t.exec("COMMIT")
	return answers, err
}

func (w *writer) connect() (*tx, error) {
	if w.tx == nil {
		conn, err := w.db.Conn(context.Background())
		if err != nil {
			return nil, err
		}
		w.tx = &tx{conn: conn, statements: make(map[string]*sql.Stmt)}
	}
	return w.tx, nil
}

// drop closes the connection for good, which also rolls back what was open on it.
func (w *writer) drop() {
	if w.tx == nil {
		return
	}
	for _, statement := range w.tx.statements {
		statement.Close()
	}
	// Raw with ErrBadConn is how database/sql is told not to keep the connection.
	_ = w.tx.conn.Raw(func(any) error { return driver.ErrBadConn })
	w.tx.conn.Close()
	w.tx = nil
}

// tx is the transaction that a writing call runs in. It belongs to the writer's goroutine. No context goes into it: a
// caller that gives up must not undo what other callers share with it.
type tx struct {
	conn       *sql.Conn
	statements map[string]*sql.Stmt
}

// protect runs do in a savepoint. refused is the call's own error, after which nothing of it is left; err is one that
// ends the whole batch.
func (t *tx) protect(do func(*tx) error) (refused, err error) {
	if _, err := t.exec("SAVEPOINT one"); err != nil {
		return nil, err
	}
	refused = do(t)
	if refused != nil {
		if endsBatch(refused) {
			return nil, refused
		}
		if _, err := t.exec("ROLLBACK TO one"); err != nil {
			return nil, err
		}
	}
	_, err = t.exec("RELEASE one")
	return refused, err
}

// endsBatch reports whether the error is about the file and not about what the call wanted.
func endsBatch(err error) bool {
	switch code(err) {
	case 0, sqlite3.SQLITE_CONSTRAINT, sqlite3.SQLITE_TOOBIG, sqlite3.SQLITE_MISMATCH:
		return false
	default:
		return true
	}
}

func (t *tx) statement(query string) (*sql.Stmt, error) {
	if statement, ok := t.statements[query]; ok {
		return statement, nil
	}
	statement, err := t.conn.PrepareContext(context.Background(), query)
	if err != nil {
		return nil, err
	}
	t.statements[query] = statement
	return statement, nil
}

func (t *tx) exec(query string, args ...any) (sql.Result, error) {
	statement, err := t.statement(query)
	if err != nil {
		return nil, err
	}
	return statement.Exec(args...)
}

// get scans one row; sql.ErrNoRows where there is none.
func (t *tx) get(query string, args []any, into ...any) error {
	statement, err := t.statement(query)
	if err != nil {
		return err
	}
	return statement.QueryRow(args...).Scan(into...)
}
