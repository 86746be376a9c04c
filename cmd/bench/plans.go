package main

import (
	"encoding/json"
	"fmt"
	"os"

	"github.com/rollcall-sync/rollcall/sync/engine"
)

// manyPeople is from where on one run each has to do.
const manyPeople = 500_000

func roundsFor(people int) int {
	if people >= manyPeople {
		return 1
	}
	return 3
}

// mostMemory is the goal for a million people, in MiB.
const mostMemory = 512

// plans is row 4.
func (b *bench) plans(g *rig) {
	type measurement struct {
		people int
		cost
	}
	var nights []measurement
	for _, people := range b.sizes {
		w := b.world(g, shape{people: people})
		quiet := b.plan(g, w, sameFile, 0, line{Row: 4, What: fmt.Sprintf("plan of %s, nothing changed", thousands(people)), Most: 1.5})
		b.plan(g, w, changedFile, (people+oneIn-1)/oneIn, line{Row: 4, What: fmt.Sprintf("plan of %s, 1 %% changed", thousands(people)), Most: 1.5})
		nights = append(nights, measurement{people, quiet})
	}
	first, last := nights[0], nights[len(nights)-1]
	if first.people == last.people {
		return
	}
	b.add(line{
		Row: 4, What: fmt.Sprintf("time of one person in a plan of %s, against one of %s", thousands(last.people), thousands(first.people)),
		Ours: last.Seconds / float64(last.people) * 1e6, Bare: first.Seconds / float64(first.people) * 1e6, Unit: "µs", Most: 1.5,
		Remarks: []string{fmt.Sprintf("memory: %.0f bytes for each further person", (last.Peak-first.Peak)*(1<<20)/float64(last.people-first.people))},
	})
}

// plan adds a line for the plan of a world, against merely listing both sides, and returns what the plan took.
func (b *bench) plan(g *rig, w *world, file string, operations int, l line) cost {
	w.use(g, file)
	defer w.use(g, sameFile)
	self, err := os.Executable()
	g.must(err)
	ours, bare := g.takeTurns(roundsFor(w.people), func() cost {
		taken, out := g.spend(w.folder, w.words("plan", syncName))
		if got := w.planned(g, out); got != operations {
			g.Fatalf("%s: the plan has %d operations, not %d", l.What, got, operations)
		}
		return taken
	}, func() cost {
		taken, _ := g.spend(w.folder, []string{self, commandRead, w.path(configFile)})
		return taken
	})
	l.Ours, l.Bare, l.Unit, l.CPU, l.Peak = ours.Seconds, bare.Seconds, "s", ours.CPU, ours.Peak
	if ours.Peak > mostMemory {
		l.Missed = append(l.Missed, fmt.Sprintf("memory at most %d MiB", mostMemory))
	}
	l.Remarks = append(l.Remarks, fmt.Sprintf("listing alone: CPU %s s, %.0f MiB", figure(bare.CPU), bare.Peak))
	b.add(l)
	return ours
}

// planned reads a plan and returns the number of its operations. Everybody must have been read on both sides.
func (w *world) planned(g *rig, out []byte) int {
	var view struct {
		Operations []json.RawMessage
		Counts     engine.Counts
	}
	g.must(json.Unmarshal(out, &view))
	if view.Counts.SourceRead != w.people || view.Counts.TargetRead != w.people {
		g.Fatalf("of %d people the plan read %d and %d", w.people, view.Counts.SourceRead, view.Counts.TargetRead)
	}
	return len(view.Operations)
}
