// Package simulation plays whole worlds with the engine: two directories full of people, nights in which things happen to
// them, runs in all kinds of weather, and laws that are judged after every run and once more when the weather has been calm
// for some nights. All of it follows from a seed, so that a world that breaks a law can be played again.
//
//	shape.go     the rules of the world's sync, and an oracle: what those rules say, written a second time
//	world.go     the two directories and who must never be touched in them
//	events.go    what happens between the runs, and sometimes during one
//	weather.go   what a run has to suffer: faults of listings, reads and writes
//	process.go   one run as a process: its calls pass the weather, it may crash, be interrupted, or meet another one
//	laws.go      the laws
//	journal.go   the laws about the journal and the report
//
// The laws:
//
//	 1  directories that are left in peace reach a fixed point
//	 2  nothing unmanaged is written
//	 3  nobody loses access whom the true source does not name as gone, inactive, out of scope or out of a group
//	 4  the limits of the guard hold, an approval is a ceiling, and changed rules write nothing before they are approved
//	 5  the journal explains every write that a directory saw: an intent before it, a true outcome after it, never twice
//	 6  no person has two accounts
//	 7  the sums of a report add up, and its counts are what the directories saw
//	 8  privileged, protected and own accounts are untouched
//	 9  at the end the target is what the rules make of the source
//	10  a process that finds another one at work does not begin
//
// Time is that of a testing/synctest bubble: a night takes no time, and of goroutines that run side by side one wakes at a
// time, so that the same seed gives the same story.
package simulation

import (
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"regexp"
	"time"

	"github.com/rollcall-sync/rollcall/sync/engine"
	"github.com/rollcall-sync/rollcall/sync/state"
)

// Options are the surroundings of a world.
type Options struct {
	// Folder is an empty private folder, for the state and the listings.
	Folder string
	// Blank is an empty state file that the world begins with.
	Blank string
	// Settle returns when all other goroutines of the bubble wait for something: synctest.Wait.
	Settle func()
}

// Story is what happened in a world.
type Story struct {
	Seed uint64
	// Lines tell it step by step.
	Lines []string
	// Broken are the laws that did not hold, in words; empty for a good world. The story ends at the first run or event that
	// broke one.
	Broken []string
	// Runs, Crashes and Writes count how much happened.
	Runs, Crashes, Writes int
}

// Play plays the world of a seed. It must be called in a synctest bubble.
func Play(seed uint64, options Options) *Story {
	w := &world{
		options: options, seed: seed, rng: rand.New(rand.NewPCG(seed, 0)), story: &Story{Seed: seed},
		untouchable: map[string]string{}, excused: map[string]string{}, twins: map[string]string{}, disabledAt: map[string]time.Time{},
		unsettled: map[entryKey]*unsettled{},
	}
	defer w.close()
	if err := w.begin(); err != nil {
		w.breaks(0, "the world cannot begin: %v", err)
		return w.story
	}
	for nights := 2 + w.rng.IntN(4); nights > 0 && w.good(); nights-- {
		w.night()
		w.noisyRun()
		w.sleep(24 * time.Hour)
	}
	if w.good() {
		w.peace()
	}
	return w.story
}

// begin makes the rules, the people and the state.
func (w *world) begin() error {
	w.shape = newShape(w.rng)
	w.say("%s", w.shape)
	w.populate()
	w.statePath = filepath.Join(w.options.Folder, "state-0.db")
	if err := copyFile(w.options.Blank, w.statePath); err != nil {
		return err
	}
	return w.openState()
}

// noisyRun runs the sync in the weather of this night. What the guard refuses is approved now and then.
func (w *world) noisyRun() {
	weather := newWeather(w.rng, w.shape)
	account := ""
	if w.rng.IntN(10) == 0 {
		account = w.anybody()
	}
	report := w.run(weather, account, nil)
	if w.good() && report != nil && report.Status == engine.StatusRefused && w.rng.IntN(3) > 0 {
		w.approve(newWeather(w.rng, w.shape))
	}
}

// peace lets the directories rest: no faults and no events, everything that is refused is approved, and sizes are trusted
// where a listing shrank by right. Nothing may be left to do after a few nights. Then all laws of the end are judged.
func (w *world) peace() {
	w.say("peace")
	w.trust = true
	const most = 8
	for night, quiet := 0, 0; quiet < 2; night++ {
		if night == most {
			w.breaks(1, "after %d nights of peace there is still something to do", most)
			return
		}
		report := w.run(weather{}, "", nil)
		if w.good() && report != nil && report.Status == engine.StatusRefused {
			report = w.approve(weather{})
		}
		if !w.good() {
			return
		}
		if report != nil && report.Status == engine.StatusNothing && report.Counts.Suspected == 0 {
			quiet++
		} else {
			quiet = 0
		}
		w.sleep(grace + time.Hour) // what is due to be deleted is deleted in the next night
	}
	w.judgeEnd()
}

var runID = regexp.MustCompile(`\b(\d{8}-\d{6})-[a-z0-9]{4}\b`)

// say adds a line to the story.
func (w *world) say(format string, arguments ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	// The ids of runs end by chance; a story must not.
	line := runID.ReplaceAllString(fmt.Sprintf(format, arguments...), "$1")
	w.story.Lines = append(w.story.Lines, line)
}

// breaks records that a law did not hold.
func (w *world) breaks(law int, format string, arguments ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	line := fmt.Sprintf("law %d: ", law) + fmt.Sprintf(format, arguments...)
	w.story.Broken = append(w.story.Broken, line)
	w.story.Lines = append(w.story.Lines, "    !! "+line)
}

func (w *world) good() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.story.Broken) == 0
}

// sleep lets time pass.
func (w *world) sleep(d time.Duration) { time.Sleep(d) }

func (w *world) openState() (err error) {
	w.db, err = state.Open(w.ctx(), w.statePath, state.Options{})
	return err
}

func (w *world) close() {
	if w.db == nil {
		return
	}
	if err := w.db.Close(); err != nil {
		w.breaks(0, "the state cannot be closed: %v", err)
	}
}
