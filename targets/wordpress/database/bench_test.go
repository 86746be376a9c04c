package database_test

import (
	"database/sql"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"

	"github.com/rollcall-sync/rollcall/sync/directory"
	"github.com/rollcall-sync/rollcall/sync/directory/directorytest/real"
)

// BenchmarkBulkCreate creates accounts in the database of a real site as the engine does, in calls of 500 over several
// connections, and in the same run, taking turns with it, inserts the same rows bare: statements of 500 users and of their
// meta, made beforehand, with known ids, in transactions of as many. It tells the time of the directory as a multiple of
// that.
//
//	go run ./sync/directory/directorytest/real/start -only wordpress -- go test ./targets/wordpress/database -run '^$' -bench BulkCreate -benchtime 5x
//
// One iteration is a round of 5,000 accounts on each side.
func BenchmarkBulkCreate(b *testing.B) {
	for _, connections := range []int{1, 2, 4} {
		b.Run(fmt.Sprintf("connections=%d", connections), func(b *testing.B) {
			const round, batch = 5000, 500
			s := real.WordPress(b)
			dsn := leastDSN(b, s)
			d := open(b, "mode", "database", "dsn", dsn, "write_concurrency", connections)
			bare := openBare(b, dsn, connections)
			var ours, theirs time.Duration
			n := 0
			for b.Loop() {
				requests := make([]directory.CreateRequest, round)
				for i := range requests {
					n++
					requests[i] = newPerson(n)
				}
				started := time.Now()
				side(connections, round/batch, func(i int) {
					results, err := d.CreateAccounts(b.Context(), requests[i*batch:(i+1)*batch])
					for _, result := range results {
						if err == nil {
							err = result.Err
						}
					}
					if err != nil {
						b.Error(err)
					}
				})
				ours += time.Since(started)
				calls := copyOf(s, round, batch)
				started = time.Now()
				side(connections, len(calls), func(i int) {
					if err := calls[i].run(bare); err != nil {
						b.Error(err)
					}
				})
				theirs += time.Since(started)
			}
			b.ReportMetric(float64(b.N*round)/ours.Seconds(), "creates/s")
			b.ReportMetric(float64(b.N*round)/theirs.Seconds(), "bare-creates/s")
			b.ReportMetric(ours.Seconds()/theirs.Seconds(), "x-of-bare")
		})
	}
}

func newPerson(n int) directory.CreateRequest {
	name := fmt.Sprintf("person%07d", n)
	attributes := person(name)
	attributes[directory.FirstName], attributes[directory.LastName] = directory.Text("Anna"), directory.Text(fmt.Sprintf("Ångström-%d", n))
	attributes[directory.DisplayName] = directory.Text(fmt.Sprintf("Anna Ångström-%d", n))
	return directory.CreateRequest{Status: directory.StatusActive, Attributes: attributes, Groups: []string{"author"}}
}

// side calls work for each number below n, so many at a time.
func side(workers, n int, work func(i int)) {
	queue := make(chan int)
	var group sync.WaitGroup
	for range workers {
		group.Go(func() {
			for i := range queue {
				work(i)
			}
		})
	}
	for i := range n {
		queue <- i
	}
	close(queue)
	group.Wait()
}

func openBare(b *testing.B, dsn string, connections int) *sql.DB {
	c, err := mysql.ParseDSN(dsn)
	if err != nil {
		b.Fatal(err)
	}
	c.InterpolateParams = true
	db, err := sql.Open("mysql", c.FormatDSN())
	if err != nil {
		b.Fatal(err)
	}
	db.SetMaxIdleConns(connections)
	b.Cleanup(func() { _ = db.Close() })
	return db
}

// bareCall is one transaction of the bare client.
type bareCall struct {
	statements []string
	arguments  [][]any
}

func (c bareCall) run(db *sql.DB) error {
	tx, err := db.Begin()
	if err != nil {
		return err
	}
	for i, statement := range c.statements {
		if _, err := tx.Exec(statement, c.arguments[i]...); err != nil {
			_ = tx.Rollback()
			return err
		}
	}
	return tx.Commit()
}

// copyOf reads the rows of the last accounts and makes the calls that insert them once more under other ids and names.
func copyOf(s *real.WordPressSite, people, batch int) []bareCall {
	ids := s.Query(fmt.Sprintf("SELECT MIN(ID), MAX(ID) FROM (SELECT ID FROM wp_users ORDER BY ID DESC LIMIT %d) t", people))[0]
	var calls []bareCall
	users := s.Query("SELECT ID + ?, CONCAT('b', user_login), user_pass, user_nicename, CONCAT('b', user_email), user_url, user_registered, display_name FROM wp_users WHERE ID BETWEEN ? AND ? ORDER BY ID", people, ids[0], ids[1])
	meta := s.Query("SELECT user_id + ?, meta_key, meta_value FROM wp_usermeta WHERE user_id BETWEEN ? AND ? ORDER BY umeta_id", people, ids[0], ids[1])
	rows := len(meta) / len(users) * batch
	for i := 0; i < len(users); i += batch {
		u, userArguments := insertion("INSERT INTO wp_users (ID, user_login, user_pass, user_nicename, user_email, user_url, user_registered, display_name) VALUES ", users[i:i+batch])
		m, metaArguments := insertion("INSERT INTO wp_usermeta (user_id, meta_key, meta_value) VALUES ", meta[i/batch*rows:(i/batch+1)*rows])
		calls = append(calls, bareCall{[]string{u, m}, [][]any{userArguments, metaArguments}})
	}
	return calls
}

func insertion(head string, rows [][]string) (string, []any) {
	var arguments []any
	for _, row := range rows {
		for _, value := range row {
			arguments = append(arguments, value)
		}
	}
	row := "(" + strings.TrimSuffix(strings.Repeat("?,", len(rows[0])), ",") + "),"
	return head + strings.TrimSuffix(strings.Repeat(row, len(rows)), ","), arguments
}
