package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestTable(t *testing.T) {
	t.Parallel()
	lines := []line{
		{Row: 1, What: "import of 10", Ours: 1.5, Bare: 1, Ratio: 1.5, Unit: "s", Most: 2, CPU: 0.75, Peak: 40.2, Remarks: []string{"bare: 1 s"}},
		{Row: 2, What: "import of 20", Ours: 40, Bare: 50, Ratio: 0.8, Unit: "creates/s", Least: 0.9},
		{Row: 3, What: "night", Ours: 1, Bare: 1, Ratio: 1, Unit: "s", Most: 1.2, Missed: []string{"at most 3 requests"}, Remarks: []string{"quiet"}},
		{Row: 4, What: "plan", Failure: "no\nserver"},
		{Row: 5, What: "state", Ours: 1837, Bare: 465, Ratio: 3.95, Unit: "bytes"},
	}
	earlier := []line{
		{Row: 1, What: "import of 10", Failure: "no server"},
		{Row: 1, What: "import of 10", Ratio: 1.25},
		{Row: 1, What: "import of 10", Ratio: 9},
		{Row: 2, What: "import of 10", Ratio: 9},
	}
	var out strings.Builder
	if err := writeTable(&out, lines, earlier); err != nil {
		t.Fatal(err)
	}
	want := `
ROW  WHAT          OURS  BARE  UNIT       RATIO  GOAL                 LAST  CPU     PEAK    REMARKS
1    import of 10  1.5   1     s          1.50   ≤ 2    met           1.25  0.75 s  40 MiB  bare: 1 s
2    import of 20  40    50    creates/s  0.80   ≥ 0.9  missed
3    night         1     1     s          1.00   ≤ 1.2  missed                              at most 3 requests; quiet
4    plan                                               not measured                        no server
5    state         1837  465   bytes      3.95
`
	if diff := cmp.Diff(strings.TrimPrefix(want, "\n"), out.String()); diff != "" {
		t.Error(diff)
	}
}

func TestTheNewestResultsComeFirst(t *testing.T) {
	t.Parallel()
	folder := filepath.Join(t.TempDir(), "bench")
	if lines, err := readResults(folder); err != nil || len(lines) != 0 {
		t.Fatal(lines, err)
	}
	noon := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	for i, what := range []string{"oldest", "newest", "middle"} {
		r := results{Started: noon.Add([]time.Duration{0, 2 * time.Hour, time.Hour}[i]), Lines: []line{{Row: 1, What: what, Ratio: 1}}}
		if _, err := writeResults(folder, r); err != nil {
			t.Fatal(err)
		}
	}
	lines, err := readResults(folder)
	if err != nil {
		t.Fatal(err)
	}
	var order []string
	for _, l := range lines {
		order = append(order, l.What)
	}
	if diff := cmp.Diff([]string{"newest", "middle", "oldest"}, order); diff != "" {
		t.Error(diff)
	}
	damaged := filepath.Join(folder, "results-20261122T130000.000.json")
	if err := os.WriteFile(damaged, []byte("{"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := readResults(folder); err == nil || !strings.Contains(err.Error(), damaged) {
		t.Errorf("a damaged file gives %v", err)
	}
}

func TestFigures(t *testing.T) {
	t.Parallel()
	for want, x := range map[string]float64{"1235": 1234.56, "12.3": 12.345, "1.23": 1.2345, "0.9": 0.9, "2": 2, "3": 2.999, "0.024": 0.0236, "100": 100} {
		if got := figure(x); got != want {
			t.Errorf("%v is %q, want %q", x, got, want)
		}
	}
	for want, n := range map[string]int{"0": 0, "999": 999, "1,000": 1000, "12,345": 12345, "1,000,000": 1_000_000} {
		if got := thousands(n); got != want {
			t.Errorf("%d is %q, want %q", n, got, want)
		}
	}
}
