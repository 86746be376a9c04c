package main

import (
	"database/sql"
	"fmt"
	"strings"
)

// storeSize is the number of people of row 5.
const storeSize = 10_000

// batch is how many rows the bare client sends in one transaction: as many as the directories take in one call.
const batch = 500

// storeAndState is row 5.
func (b *bench) storeAndState(g *rig) {
	people := b.atMost(storeSize)
	var w *world
	var rows [][]any
	ours, bare := g.takeTurns(roundsFor(people), func() cost {
		w = &world{b.newProgram(g, g.TempDir(), storeConfig(shape{})), shape{people: people}}
		g.must(writePeople(w.path(peopleFile), w.shape, false))
		report, taken := w.sync(g, "import", syncName)
		if report.Counts.Created != people {
			g.Fatalf("the import made %d accounts of %d", report.Counts.Created, people)
		}
		return taken
	}, func() cost {
		if rows == nil {
			rows = allAccounts(g, w.path(storeFile))
		}
		return b.bareInsert(g, w, rows)
	})
	b.add(line{
		Row: 5, What: fmt.Sprintf("writes into the store, import of %s from a file", thousands(people)),
		Ours: float64(people) / ours.Seconds, Bare: float64(people) / bare.Seconds, Unit: "writes/s", CPU: ours.CPU, Peak: ours.Peak,
	})
	w.quiet(g)
	each := func(name string) float64 { return float64(g.size(w.path(name))) / float64(people) }
	b.add(line{
		Row: 5, What: fmt.Sprintf("state of one person of %s, against that of the store", thousands(people)),
		Ours: each(stateFile), Bare: each(storeFile), Unit: "bytes",
		Remarks: []string{fmt.Sprintf("kept listings: %.0f bytes", each(stateFile+"-snapshots"))},
	})
}

// accountColumns are those of the store's table of accounts.
const accountColumns = "id, active, username_key, email_key, employee_key, attributes, revision, created_at, updated_at"

func allAccounts(g *rig, path string) (all [][]any) {
	db := openSQLite(g, path, "mode=ro")
	defer db.Close()
	rows, err := db.QueryContext(g.ctx, "SELECT "+accountColumns+" FROM accounts ORDER BY id")
	g.must(err)
	defer rows.Close()
	for rows.Next() {
		row := make([]any, strings.Count(accountColumns, ",")+1)
		into := make([]any, len(row))
		for i := range row {
			into[i] = &row[i]
		}
		g.must(rows.Scan(into...))
		all = append(all, row)
	}
	g.must(rows.Err())
	return all
}

// bareInsert writes the rows into a new file with the store's tables, as durably as the store does.
func (b *bench) bareInsert(g *rig, w *world, rows [][]any) cost {
	statements := tables(g, w.path(storeFile))
	db := openSQLite(g, w.path("bare.db"), "_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_pragma=foreign_keys(1)&_txlock=immediate")
	defer db.Close()
	db.SetMaxOpenConns(1)
	for _, statement := range statements {
		_, err := db.ExecContext(g.ctx, statement)
		g.must(err)
	}
	insert := "INSERT INTO accounts (" + accountColumns + ") VALUES (?" + strings.Repeat(", ?", strings.Count(accountColumns, ",")) + ")"
	return timed(func() {
		for from := 0; from < len(rows); from += batch {
			g.must(insertBatch(g, db, insert, rows[from:min(from+batch, len(rows))]))
		}
	})
}

func insertBatch(g *rig, db *sql.DB, insert string, rows [][]any) error {
	tx, err := db.BeginTx(g.ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	prepared, err := tx.PrepareContext(g.ctx, insert)
	if err != nil {
		return err
	}
	defer prepared.Close()
	for _, row := range rows {
		if _, err := prepared.ExecContext(g.ctx, row...); err != nil {
			return err
		}
	}
	return tx.Commit()
}
