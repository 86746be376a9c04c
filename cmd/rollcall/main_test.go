package main

import (
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	_ "modernc.org/sqlite"
)

// TestMain lets the test program be rollcall itself, and a few helpers that have to be processes of their own.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"rollcall": main, "await-signals": awaitSignals, "lock-file": lockFile})
}

// TestScripts runs the whole program on files. Besides the commands of testscript there are:
//
//	code N ARG...        rollcall ARG... ends with exit code N
//	json PATH VALUE      the JSON on stdout has this value there; counts.created, failures.0.kind
//	keys PATH NAME...    the object there has all these names
//	query FILE SQL WANT  the first column of the first row in an SQLite file
//	keep NAME PATH       what the JSON on stdout has there becomes $NAME
//	nameless FILE N      writes a CSV file of N people without a username
//	token                takes the approval token out of stdout into $TOKEN
func TestScripts(t *testing.T) {
	t.Parallel()
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script", RequireUniqueNames: true,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"code": scriptCode, "json": scriptJSON, "keys": scriptKeys, "query": scriptQuery, "token": scriptToken, "nameless": scriptNameless, "keep": scriptKeep,
		},
	})
}

func scriptCode(ts *testscript.TestScript, _ bool, args []string) {
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	var ended *exec.ExitError
	if err := ts.Exec("rollcall", args[1:]...); errors.As(err, &ended) {
		got = ended.ExitCode()
	} else {
		ts.Check(err)
	}
	if got != want {
		ts.Fatalf("rollcall %s ended with %d, want %d", strings.Join(args[1:], " "), got, want)
	}
}

// lookUp walks from the first document on stdout along names and positions.
func lookUp(ts *testscript.TestScript, path string) any {
	var at any
	ts.Check(json.NewDecoder(strings.NewReader(ts.ReadFile("stdout"))).Decode(&at))
	if path == "." {
		return at
	}
	for _, step := range strings.Split(path, ".") {
		switch x := at.(type) {
		case map[string]any:
			found, ok := x[step]
			if !ok {
				ts.Fatalf("%s: there is no %q", path, step)
			}
			at = found
		case []any:
			i, err := strconv.Atoi(step)
			if step == "len" {
				at = len(x)
				continue
			}
			if err != nil || i >= len(x) {
				ts.Fatalf("%s: the list has %d items, and none is %s", path, len(x), step)
			}
			at = x[i]
		default:
			ts.Fatalf("%s: nothing is below %v", path, at)
		}
	}
	return at
}

func scriptJSON(ts *testscript.TestScript, neg bool, args []string) {
	if got := fmt.Sprint(lookUp(ts, args[0])); (got == args[1]) == neg {
		ts.Fatalf("%s is %q (want %q: %t)", args[0], got, args[1], !neg)
	}
}

func scriptKeys(ts *testscript.TestScript, _ bool, args []string) {
	object, ok := lookUp(ts, args[0]).(map[string]any)
	if !ok {
		ts.Fatalf("%s is no object", args[0])
	}
	for _, name := range args[1:] {
		if _, ok := object[name]; !ok {
			ts.Fatalf("%s has no %q, only %v", args[0], name, sortedKeys(object))
		}
	}
}

func scriptQuery(ts *testscript.TestScript, _ bool, args []string) {
	db, err := sql.Open("sqlite", ts.MkAbs(args[0]))
	ts.Check(err)
	defer db.Close()
	var got sql.NullString
	if err := db.QueryRow(args[1]).Scan(&got); err != nil && !errors.Is(err, sql.ErrNoRows) {
		ts.Check(err)
	}
	if len(args) > 2 && got.String != args[2] {
		ts.Fatalf("%s: %q, want %q", args[1], got.String, args[2])
	}
}

func scriptKeep(ts *testscript.TestScript, _ bool, args []string) {
	ts.Setenv(args[0], fmt.Sprint(lookUp(ts, args[1])))
}

func scriptNameless(ts *testscript.TestScript, _ bool, args []string) {
	n, err := strconv.Atoi(args[1])
	ts.Check(err)
	var rows strings.Builder
	rows.WriteString("id,username,email\n")
	for i := range n {
		fmt.Fprintf(&rows, "%d,,p%05d@example.com\n", i, i)
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(rows.String()), 0o600))
}

func scriptToken(ts *testscript.TestScript, _ bool, _ []string) {
	words := strings.Fields(ts.ReadFile("stdout"))
	i := slices.Index(words, "--approve")
	if i < 0 || i+1 == len(words) {
		ts.Fatalf("stdout holds no --approve TOKEN")
	}
	ts.Setenv("TOKEN", words[i+1])
}

// lockFile keeps an SQLite file locked until its input ends.
func lockFile() {
	db, err := sql.Open("sqlite", "file:"+os.Args[1]+"?_pragma=locking_mode(exclusive)")
	if err == nil {
		db.SetMaxOpenConns(1)
		_, err = db.Exec("BEGIN EXCLUSIVE; CREATE TABLE held (x); COMMIT")
	}
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	fmt.Println("locked")
	os.Stdin.Read(make([]byte, 1)) //nolint:errcheck // the end of the input is what is waited for
}
