package simulation

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rollcall-sync/rollcall/sync/state"
)

var (
	oneSeed = flag.Int64("seed", -1, "play this world alone and tell its story")
	seeds   = flag.Int("seeds", 1000, "how many worlds to play")
	first   = flag.Bool("first", false, "end with the first world that breaks a law")
	from    = flag.Int64("from", 0, "the seed of the first of them")
)

// hangs is how long a world may take; one in a hundred seconds has never been seen on any machine.
const hangs = 2 * time.Minute

// TestSimulation plays worlds until the number is reached. One that breaks a law is told from its beginning, and
// -seed=N plays it again.
func TestSimulation(t *testing.T) {
	folder := scratch(t)
	blank := blankState(t, folder)
	if *oneSeed >= 0 {
		story := play(t, uint64(*oneSeed), folder, blank)
		t.Log("\n" + strings.Join(story.Lines, "\n"))
		judge(t, story)
		return
	}
	n := *seeds
	if testing.Short() {
		n = min(n, 100)
	}
	start := time.Now()
	var runs, crashes, written atomic.Int64
	var bad atomic.Bool
	t.Run("worlds", func(t *testing.T) {
		for i := range n {
			seed := uint64(*from) + uint64(i)
			t.Run(fmt.Sprint(seed), func(t *testing.T) {
				t.Parallel()
				if *first && bad.Load() {
					return // one is enough
				}
				story := play(t, seed, folder, blank)
				runs.Add(int64(story.Runs))
				crashes.Add(int64(story.Crashes))
				written.Add(int64(story.Writes))
				if len(story.Broken) > 0 {
					bad.Store(true)
				}
				judge(t, story)
			})
		}
	})
	t.Logf("%d worlds, %d runs, %d crashes, %d writes in %s", n, runs.Load(), crashes.Load(), written.Load(), time.Since(start).Round(time.Millisecond))
}

func judge(t *testing.T, story *Story) {
	t.Helper()
	if len(story.Broken) == 0 {
		return
	}
	t.Errorf("world %d breaks:\n%s\n\nthe story:\n%s\n\nagain: go test ./sync/simulation -run TestSimulation -seed=%d",
		story.Seed, strings.Join(story.Broken, "\n"), strings.Join(story.Lines, "\n"), story.Seed)
}

// TestSameSeedSameStory plays some worlds twice.
func TestSameSeedSameStory(t *testing.T) {
	folder := scratch(t)
	blank := blankState(t, folder)
	for seed := range uint64(20) {
		first, second := play(t, seed, folder, blank), play(t, seed, folder, blank)
		for i := range first.Lines {
			if i >= len(second.Lines) || first.Lines[i] != second.Lines[i] {
				t.Fatalf("world %d is told in two ways from line %d on:\n%s\n%s", seed, i, first.Lines[i], strings.Join(second.Lines[min(i, len(second.Lines)):min(i+1, len(second.Lines))], ""))
			}
		}
	}
}

func play(t *testing.T, seed uint64, folder, blank string) (story *Story) {
	t.Helper()
	own, err := os.MkdirTemp(folder, "world-")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(own)
	// Time in the bubble stands still while somebody holds a lock and waits: nobody else would ever notice.
	watchdog := time.AfterFunc(hangs, func() { panic(fmt.Sprintf("world %d hangs", seed)) })
	defer watchdog.Stop()
	synctest.Test(t, func(*testing.T) {
		story = Play(seed, Options{Folder: own, Blank: blank, Settle: synctest.Wait})
	})
	return story
}

// scratch is a folder in memory where the system has one: thousands of small transactions are to be tested, not the disk.
func scratch(t *testing.T) string {
	t.Helper()
	base := ""
	if info, err := os.Stat("/dev/shm"); err == nil && info.IsDir() {
		base = "/dev/shm"
	}
	folder, err := os.MkdirTemp(base, "rollcall-simulation-")
	if err != nil {
		folder = t.TempDir()
	}
	t.Cleanup(func() { os.RemoveAll(folder) })
	return folder
}

// blankState makes one empty state file, which is copied for each world.
func blankState(t *testing.T, folder string) string {
	t.Helper()
	path := filepath.Join(folder, "blank.db")
	db, err := state.Open(t.Context(), path, state.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}
