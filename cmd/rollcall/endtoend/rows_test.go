package endtoend

import (
	"database/sql"
	"fmt"
	"strings"
	"testing"

	_ "modernc.org/sqlite" // the driver "sqlite"
)

// rows returns what a query finds in an SQLite file, the columns of a row with tabs between them.
func rows(t testing.TB, path, query string) []string {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+path+"?_pragma=busy_timeout(10000)")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	return rowsOf(t, db, query)
}

func rowsOf(t testing.TB, db *sql.DB, query string) []string {
	t.Helper()
	found, err := db.Query(query)
	if err != nil {
		t.Fatal(err)
	}
	defer found.Close()
	columns, err := found.Columns()
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for found.Next() {
		cells, into := make([]any, len(columns)), make([]any, len(columns))
		for i := range cells {
			into[i] = &cells[i]
		}
		if err := found.Scan(into...); err != nil {
			t.Fatal(err)
		}
		lines = append(lines, strings.TrimSuffix(strings.Repeat("%v\t", len(cells)), "\t"))
		lines[len(lines)-1] = fmt.Sprintf(lines[len(lines)-1], cells...)
	}
	if err := found.Err(); err != nil {
		t.Fatal(err)
	}
	return lines
}
