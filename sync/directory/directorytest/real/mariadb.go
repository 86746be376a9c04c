package real

import (
	"crypto/rand"
	"database/sql"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/go-sql-driver/mysql"

	"github.com/rollcall-sync/rollcall/sync/directory/directorytest/real/rig"
)

// Database is an empty MariaDB database of one test, with a user who has all rights in it and none elsewhere.
type Database struct {
	// Address is host and port.
	Address, Name, User, Password string
	// Admin is a connection of the server's administrator, with this database chosen.
	Admin *sql.DB
}

// MariaDB makes a fresh database, which is removed with its user when the test ends.
func MariaDB(t testing.TB) *Database {
	t.Helper()
	address := need(t, rig.MariaDBVariable)
	name := "t" + strings.ToLower(rand.Text()[:12])
	d := &Database{Address: address, Name: name, User: name, Password: rand.Text()}
	server := &Database{Admin: openAdmin(t, address, "")}
	server.exec(t, "CREATE DATABASE "+name+" CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_520_ci")
	server.exec(t, fmt.Sprintf("CREATE USER %s@'127.0.0.1' IDENTIFIED BY '%s'", name, d.Password))
	server.exec(t, fmt.Sprintf("GRANT ALL ON %s.* TO %s@'127.0.0.1'", name, name))
	t.Cleanup(func() {
		server.exec(t, "DROP DATABASE "+name)
		server.exec(t, fmt.Sprintf("DROP USER %s@'127.0.0.1'", name))
	})
	d.Admin = openAdmin(t, address, name)
	return d
}

// DSN is the data source name of the database's own user, as the driver wants it.
func (d *Database) DSN() string {
	c := mysql.NewConfig()
	c.User, c.Passwd, c.Net, c.Addr, c.DBName = d.User, d.Password, "tcp", d.Address, d.Name
	return c.FormatDSN()
}

func openAdmin(t testing.TB, address, name string) *sql.DB {
	t.Helper()
	c := mysql.NewConfig()
	c.User, c.Passwd = os.Getenv(rig.MariaDBUserVariable), os.Getenv(rig.MariaDBPasswordVariable)
	c.Net, c.Addr, c.DBName = "tcp", address, name
	db, err := sql.Open("mysql", c.FormatDSN())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

func (d *Database) exec(t testing.TB, statement string, arguments ...any) int64 {
	t.Helper()
	result, err := d.Admin.Exec(statement, arguments...)
	if err != nil {
		t.Fatalf("%.200s: %v", statement, err)
	}
	n, err := result.RowsAffected()
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// rows returns each row as texts; NULL is the text NULL.
func (d *Database) rows(t testing.TB, query string, arguments ...any) [][]string {
	t.Helper()
	rows, err := d.Admin.Query(query, arguments...)
	if err != nil {
		t.Fatalf("%.200s: %v", query, err)
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		t.Fatal(err)
	}
	var all [][]string
	for rows.Next() {
		values := make([]sql.NullString, len(columns))
		into := make([]any, len(columns))
		for i := range values {
			into[i] = &values[i]
		}
		if err := rows.Scan(into...); err != nil {
			t.Fatal(err)
		}
		row := make([]string, len(columns))
		for i, value := range values {
			if row[i] = value.String; !value.Valid {
				row[i] = "NULL"
			}
		}
		all = append(all, row)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return all
}
