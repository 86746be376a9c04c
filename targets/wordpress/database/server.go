package database

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync/atomic"
	"time"

	"github.com/go-sql-driver/mysql"

	"github.com/rollcall-sync/rollcall/sync/directory"
)

// server sends statements and turns what went wrong into a [*directory.Error].
type server struct {
	name       string
	db         *sql.DB
	statements atomic.Int64
	trace      func(line string)
	sleep      func(ctx context.Context, d time.Duration) error
}

func newServer(settings directory.Settings, c *mysql.Config, connections int) (*server, error) {
	c.Logger = quiet{} // the driver would write to standard error
	connector, err := mysql.NewConnector(c)
	if err != nil {
		return nil, &directory.OptionError{Option: "dsn", Message: "is not of the form " + dsnForm}
	}
	s := &server{name: settings.Name, db: sql.OpenDB(connector), trace: settings.Trace, sleep: settings.Sleep}
	s.db.SetMaxOpenConns(connections)
	s.db.SetMaxIdleConns(connections)
	s.db.SetConnMaxIdleTime(time.Minute)
	if s.trace == nil {
		s.trace = func(string) {}
	}
	if s.sleep == nil {
		s.sleep = sleep
	}
	return s, nil
}

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// quiet drops what the driver would log; it tells the same in errors.
type quiet struct{}

func (quiet) Print(...any) {}

// session is a connection pool or one transaction.
type session interface {
	QueryContext(ctx context.Context, statement string, arguments ...any) (*sql.Rows, error)
	ExecContext(ctx context.Context, statement string, arguments ...any) (sql.Result, error)
}

// query calls row for each row of the answer.
func (s *server) query(ctx context.Context, on session, row func(scan func(into ...any) error) error, statement string, arguments ...any) (err error) {
	n, began := 0, time.Now()
	defer func() { s.done(statement, n, began, err) }()
	rows, err := on.QueryContext(ctx, statement, arguments...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		n++
		if err := row(rows.Scan); err != nil {
			return err
		}
	}
	return rows.Err()
}

func (s *server) exec(ctx context.Context, on session, statement string, arguments ...any) (result sql.Result, err error) {
	began := time.Now()
	result, err = on.ExecContext(ctx, statement, arguments...)
	n := int64(0)
	if err == nil {
		n, _ = result.RowsAffected() // the driver knows it
	}
	s.done(statement, int(n), began, err)
	return result, err
}

// done counts and traces a statement: without values, which are people's.
func (s *server) done(statement string, rows int, began time.Time, err error) {
	s.statements.Add(1)
	const most = 160
	if len(statement) > most {
		statement = statement[:most] + "…"
	}
	outcome := fmt.Sprintf("%d rows", rows)
	if err != nil {
		outcome = "refused"
		var refusal *mysql.MySQLError
		if errors.As(err, &refusal) {
			outcome = fmt.Sprintf("error %d", refusal.Number)
		}
	}
	s.trace(fmt.Sprintf("%s: %s: %s in %s", s.name, strings.Join(strings.Fields(statement), " "), outcome, time.Since(began).Round(time.Microsecond)))
}

// mostTries is how often something is begun that the server broke off: by a deadlock, a lock that was waited for too
// long, or a connection that was lost before COMMIT was sent. In all of these nothing is stored.
const mostTries = 5

// errCommit marks a COMMIT whose answer was lost: the only moment in which the outcome of a transaction is not known.
var errCommit = errors.New("the connection was lost while the changes were being committed")

// again calls try until it succeeds, fails for good, or has been broken off too often.
func (s *server) again(ctx context.Context, try func() error) error {
	for n := 1; ; n++ {
		err := try()
		if err == nil || !brokenOff(err) || n == mostTries || ctx.Err() != nil {
			return err
		}
		// Two that met would meet again after equal waits.
		wait := time.Duration(1<<n) * 5 * time.Millisecond
		if s.sleep(ctx, wait+rand.N(wait)) != nil {
			return err
		}
	}
}

// change runs work in a transaction. Where the server breaks it off, it is begun anew. Each statement sees what others have
// committed before it (READ COMMITTED), and locks the rows that it touches and no gaps between them.
func (s *server) change(ctx context.Context, work func(tx session) error) error {
	return s.again(ctx, func() error { return s.once(ctx, work) })
}

func (s *server) once(ctx context.Context, work func(tx session) error) error {
	tx, err := s.begin(ctx, sql.LevelReadCommitted, false)
	if err != nil {
		return err
	}
	if err := work(tx); err != nil {
		_ = tx.Rollback() // where that fails the connection is gone, and the transaction with it
		return err
	}
	began := time.Now()
	err = tx.Commit()
	s.done("COMMIT", 0, began, err)
	var refusal *mysql.MySQLError
	switch {
	case err == nil, errors.As(err, &refusal) && brokenOff(err):
		return err
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded), errors.Is(err, sql.ErrTxDone), errors.Is(err, driver.ErrBadConn):
		return err // COMMIT was not sent
	default:
		return fmt.Errorf("%w: %w", errCommit, err)
	}
}

func (s *server) begin(ctx context.Context, level sql.IsolationLevel, readOnly bool) (*sql.Tx, error) {
	began := time.Now()
	tx, err := s.db.BeginTx(ctx, &sql.TxOptions{Isolation: level, ReadOnly: readOnly})
	s.done("START TRANSACTION", 0, began, err)
	return tx, err
}

// look runs reading statements that all see the same moment. Where the server breaks them off, all are sent anew.
func (s *server) look(ctx context.Context, work func(tx session) error) error {
	return s.again(ctx, func() error {
		tx, err := s.begin(ctx, sql.LevelRepeatableRead, true)
		if err != nil {
			return err
		}
		defer func() { _ = tx.Rollback() }() // it only read
		return work(tx)
	})
}
