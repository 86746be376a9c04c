// Command bench measures the program as its users meet it, each row against the least that the same work could cost on the
// same machine in the same run, and prints one table:
//
//	make bench                          # the whole table, with real servers; half an hour the first time
//	make bench ROWS=4,5 SIZES=10000     # a part of it, in a minute, without servers
//
// The rows:
//
//	1  import from a real Keycloak into a real WordPress in database mode, against a bare listing (a plain HTTP client, page
//	   after page) and bare multi-row INSERTs of the very rows that the import wrote
//	2  import from a file into a real WordPress by REST, against a bare client with as many connections and the same bodies
//	3  a quiet night of row 1, against the slower of the two bare listings; nothing is written, each page is asked for once
//	4  plan from a file to the store, nothing changed and then 1 % changed, against merely listing both sides at the same
//	   time with the same connectors; how time and memory grow from the smallest size to the largest
//	5  writes per second into the store, against bare INSERTs of the same rows into a copy of its tables; the bytes of state
//	   of one person, against those of the store
//	6  group rules: the plan of 1,000 groups and 1,000,000 memberships, against listing both sides; the time of mapping and
//	   diff of one membership, against that of a tenth of the groups and people, where anything quadratic would show
//
// OURS is the built program, run as a child from its start to its end; BARE is what it is held against; RATIO the one over
// the other, GOAL what it should be, and LAST the ratio of the same line the last time. Only ratios mean something on
// another machine, or on this one when it is busy. Short rows take turns, ours, bare, ours, bare, and the medians of three
// count; from half a million people on, one run each. CPU is the time of all processors that the child took, and PEAK the most
// memory that it had.
//
// The results go to a JSON file of their own in the folder named by -folder, which also keeps the worlds of rows 4 and 6:
// made once by a real import, and used again as long as the tables of the state and the store are the same. The exit code is
// 1 when a row could not be measured. A missed goal is no failure: the table says so.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

const (
	exitFailed = 1
	exitUsage  = 2
	// lastRow is the highest number of a row.
	lastRow = 6
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// run is the program. Two of its commands are for itself alone: what is measured runs in processes of their own.
func run(ctx context.Context, arguments []string, out, talk io.Writer) int {
	if len(arguments) > 0 {
		switch arguments[0] {
		case commandMeasure:
			return measureCommand(ctx, arguments[1:], talk)
		case commandRead:
			return readCommand(ctx, arguments[1:], talk)
		}
	}
	b, err := parse(arguments, talk)
	if err != nil {
		fmt.Fprintln(talk, "bench:", err)
		return exitUsage
	}
	b.out, b.talk = out, talk
	return b.run(ctx)
}

// bench is one run of the program.
type bench struct {
	binary, folder string
	rows, sizes    []int
	out, talk      io.Writer
	started        time.Time
	lines          []line
}

func parse(arguments []string, talk io.Writer) (*bench, error) {
	b := &bench{started: time.Now()}
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.SetOutput(talk)
	binary := flags.String("binary", "bin/rollcall", "the program to be measured")
	folder := flags.String("folder", ".cache/bench", "where results and worlds are kept")
	rows := flags.String("rows", "1,2,3,4,5,6", "the rows to measure")
	sizes := flags.String("sizes", "10000,100000,1000000", "the numbers of people of row 4; the other rows take at most as many as the largest")
	if err := flags.Parse(arguments); err != nil {
		return nil, err
	}
	if flags.NArg() > 0 {
		return nil, fmt.Errorf("%q is no flag", flags.Arg(0))
	}
	var err error
	if b.rows, err = numbers(*rows, 1, lastRow); err != nil {
		return nil, fmt.Errorf("-rows: %w", err)
	}
	if b.sizes, err = numbers(*sizes, 100, 10_000_000); err != nil {
		return nil, fmt.Errorf("-sizes: %w", err)
	}
	if b.binary, err = filepath.Abs(*binary); err != nil {
		return nil, err
	}
	if _, err := os.Stat(b.binary); err != nil {
		return nil, fmt.Errorf("the program to be measured is not there: %w; run make build", err)
	}
	b.folder, err = filepath.Abs(*folder)
	return b, err
}

// numbers reads a list of numbers and sorts it.
func numbers(text string, least, most int) ([]int, error) {
	var all []int
	for _, word := range strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r == ' ' }) {
		n, err := strconv.Atoi(word)
		if err != nil || n < least || n > most {
			return nil, fmt.Errorf("%q is no number from %d to %d", word, least, most)
		}
		all = append(all, n)
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("%q names none", text)
	}
	slices.Sort(all)
	return slices.Compact(all), nil
}

// atMost is the size of a row that has one of its own.
func (b *bench) atMost(n int) int { return min(n, b.sizes[len(b.sizes)-1]) }

// say tells what is going on.
func (b *bench) say(format string, arguments ...any) {
	fmt.Fprintf(b.talk, "%6.0f s  %s\n", time.Since(b.started).Seconds(), fmt.Sprintf(format, arguments...))
}

// allRows are the measurements by number; row 3 goes on where row 1 ended, so one function measures both.
var allRows = []struct {
	numbers []int
	title   string
	measure func(b *bench, g *rig)
}{
	{[]int{1, 3}, "Keycloak to WordPress, database mode", (*bench).website},
	{[]int{2}, "import by REST", (*bench).rest},
	{[]int{4}, "plan", (*bench).plans},
	{[]int{5}, "store and state", (*bench).storeAndState},
	{[]int{6}, "group rules", (*bench).groupRules},
}

// wants reports whether a row was asked for.
func (b *bench) wants(row int) bool { return slices.Contains(b.rows, row) }

func (b *bench) run(ctx context.Context) int {
	earlier, err := readResults(b.folder)
	if err != nil {
		fmt.Fprintln(b.talk, "bench:", err)
		return exitFailed
	}
	code := 0
	for _, row := range allRows {
		if !slices.ContainsFunc(row.numbers, b.wants) || ctx.Err() != nil {
			continue
		}
		b.say("%s", row.title)
		reason := measured(ctx, row.title, func(g *rig) { row.measure(b, g) })
		if reason == "" {
			continue
		}
		code = exitFailed
		for _, number := range row.numbers {
			if b.wants(number) {
				b.lines = append(b.lines, line{Row: number, What: row.title, Failure: reason})
			}
		}
	}
	if ctx.Err() != nil {
		fmt.Fprintln(b.talk, "bench: ended from outside")
		code = exitFailed
	}
	slices.SortStableFunc(b.lines, func(x, y line) int { return x.Row - y.Row })
	if err := writeTable(b.out, b.lines, earlier); err != nil {
		fmt.Fprintln(b.talk, "bench:", err)
		return exitFailed
	}
	path, err := writeResults(b.folder, results{Started: b.started.UTC(), Lines: b.lines})
	if err != nil {
		fmt.Fprintln(b.talk, "bench:", err)
		return exitFailed
	}
	b.say("written to %s", path)
	return code
}
