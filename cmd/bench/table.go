package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
)

// line is one line of the table.
type line struct {
	Row int `json:"row"`
	// What says what is measured, sizes included: lines of two runs are compared where row and what are equal.
	What string `json:"what"`
	// Ours and Bare are in the unit; Ratio is Ours over Bare.
	Ours  float64 `json:"ours"`
	Bare  float64 `json:"bare"`
	Unit  string  `json:"unit"`
	Ratio float64 `json:"ratio"`
	// Most and Least are the goal of the ratio; 0 means that there is none.
	Most  float64 `json:"most,omitempty"`
	Least float64 `json:"least,omitempty"`
	// CPU is the time of all processors that the program took, in seconds, and Peak the most memory that it had, in MiB; both
	// are 0 where that was not measured. On a busy machine the one says more than the clock.
	CPU  float64 `json:"cpu_seconds,omitempty"`
	Peak float64 `json:"peak_mib,omitempty"`
	// Missed are the goals besides the ratio that were not met; Remarks is whatever else is worth knowing.
	Missed  []string `json:"missed,omitempty"`
	Remarks []string `json:"remarks,omitempty"`
	// Failure says why the line could not be measured; it has no numbers then.
	Failure string `json:"failure,omitempty"`
}

// add takes a line into the table.
func (b *bench) add(l line) {
	if l.Failure == "" {
		l.Ratio = l.Ours / l.Bare
	}
	b.lines = append(b.lines, l)
}

// goal is what the ratio should be.
func (l line) goal() string {
	switch {
	case l.Most > 0:
		return "≤ " + figure(l.Most)
	case l.Least > 0:
		return "≥ " + figure(l.Least)
	default:
		return ""
	}
}

// verdict says whether all goals were met; "" where there is none.
func (l line) verdict() string {
	met := l.Failure == "" && len(l.Missed) == 0 && (l.Most == 0 || l.Ratio <= l.Most) && l.Ratio >= l.Least
	switch {
	case l.Failure != "":
		return "not measured"
	case !met:
		return "missed"
	case l.goal() == "":
		return ""
	default:
		return "met"
	}
}

// figure writes a number with three digits that count.
func figure(x float64) string {
	switch size := math.Abs(x); {
	case size >= 100 || size == math.Trunc(size):
		return strconv.FormatFloat(x, 'f', 0, 64)
	case size >= 10:
		return strconv.FormatFloat(x, 'f', 1, 64)
	case size >= 0.1:
		return strings.TrimSuffix(strings.TrimRight(strconv.FormatFloat(x, 'f', 2, 64), "0"), ".")
	default:
		return strconv.FormatFloat(x, 'g', 2, 64)
	}
}

// thousands writes a whole number as people read it: 1,000,000.
func thousands(n int) string {
	text := strconv.Itoa(n)
	for at := len(text) - 3; at > 0; at -= 3 {
		text = text[:at] + "," + text[at:]
	}
	return text
}

// writeTable prints the lines; earlier are the lines of earlier runs, the newest run first.
func writeTable(out io.Writer, lines, earlier []line) error {
	var text strings.Builder
	w := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "ROW\tWHAT\tOURS\tBARE\tUNIT\tRATIO\tGOAL\t\tLAST\tCPU\tPEAK\tREMARKS")
	for _, l := range lines {
		cells := []string{strconv.Itoa(l.Row), l.What, "", "", "", "", "", l.verdict(), "", "", "", strings.Join(append(slices.Clone(l.Missed), l.Remarks...), "; ")}
		if l.Failure == "" {
			cells[2], cells[3], cells[4], cells[5], cells[6] = figure(l.Ours), figure(l.Bare), l.Unit, strconv.FormatFloat(l.Ratio, 'f', 2, 64), l.goal()
		} else {
			cells[11] = strings.Join(strings.Fields(l.Failure), " ")
		}
		if last := slices.IndexFunc(earlier, func(e line) bool { return e.Row == l.Row && e.What == l.What && e.Failure == "" }); last >= 0 {
			cells[8] = strconv.FormatFloat(earlier[last].Ratio, 'f', 2, 64)
		}
		if l.CPU > 0 {
			cells[9] = figure(l.CPU) + " s"
		}
		if l.Peak > 0 {
			cells[10] = fmt.Sprintf("%.0f MiB", l.Peak)
		}
		fmt.Fprintln(w, strings.Join(cells, "\t"))
	}
	if err := w.Flush(); err != nil {
		return err
	}
	for row := range strings.Lines(text.String()) {
		if _, err := fmt.Fprintln(out, strings.TrimRight(row, " \n")); err != nil {
			return err
		}
	}
	return nil
}

// results is what a run leaves behind.
type results struct {
	Started time.Time `json:"started"`
	Lines   []line    `json:"lines"`
}

// resultsPattern names the files of results; they sort by time.
const resultsPattern = "results-*.json"

func writeResults(folder string, r results) (string, error) {
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return "", err
	}
	data, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return "", err
	}
	name := strings.Replace(resultsPattern, "*", r.Started.UTC().Format("20060102T150405.000"), 1)
	path := filepath.Join(folder, name)
	return path, os.WriteFile(path, append(data, '\n'), 0o644)
}

// readResults returns the lines of all earlier runs, the newest run first: a run of some rows leaves the others as they were.
func readResults(folder string) ([]line, error) {
	paths, err := filepath.Glob(filepath.Join(folder, resultsPattern))
	if err != nil {
		return nil, err
	}
	slices.Sort(paths)
	slices.Reverse(paths)
	var lines []line
	for _, path := range paths {
		data, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		var r results
		if err := json.Unmarshal(data, &r); err != nil {
			return nil, fmt.Errorf("%s: %w; remove it", path, err)
		}
		lines = append(lines, r.Lines...)
	}
	return lines, nil
}
