package apply

import (
	"slices"

	"github.com/rollcall-sync/rollcall/sync/directory"
	"github.com/rollcall-sync/rollcall/sync/plan"
)

// unit is a sequence of steps that one worker runs in order. Each step is sent as one call.
type unit struct {
	steps [][]plan.Operation
}

func (u unit) side() plan.Side { return u.steps[0][0].Side }

// units divides the operations of a phase: those of one pair, and those that wait for each other, are one unit.
func (e *executor) units(operations []plan.Operation) []unit {
	switch operations[0].Action {
	case plan.Create:
		return e.bulkUnits(operations)
	case plan.GroupAdd, plan.GroupRemove:
		return e.groupUnits(operations)
	}
	parent := make([]int, len(operations))
	index := make(map[int]int, len(operations))
	byPair := make(map[pairKey]int, len(operations))
	for i, o := range operations {
		parent[i], index[o.Seq] = i, i
	}
	// root finds the representative of a set (union-find).
	root := func(i int) int {
		for parent[i] != i {
			parent[i] = parent[parent[i]]
			i = parent[i]
		}
		return i
	}
	join := func(a, b int) { parent[max(root(a), root(b))] = min(root(a), root(b)) }
	for i, o := range operations {
		key := pairKey{o.Side, e.options.Draft(o)}
		if first, ok := byPair[key]; ok {
			join(first, i)
		} else {
			byPair[key] = i
		}
		for _, seq := range o.After {
			if j, ok := index[seq]; ok {
				join(i, j)
			}
		}
	}
	members := make(map[int][]plan.Operation)
	var roots []int
	for i, o := range operations {
		r := root(i)
		if members[r] == nil {
			roots = append(roots, r)
		}
		members[r] = append(members[r], o)
	}
	units := make([]unit, 0, len(roots))
	for _, r := range roots {
		var u unit
		for _, o := range inOrder(members[r]) {
			u.steps = append(u.steps, []plan.Operation{o})
		}
		units = append(units, u)
	}
	return units
}

type pairKey struct {
	side  plan.Side
	draft *Draft
}

// inOrder sorts operations so that each comes after those it waits for; otherwise the order of the plan stays.
func inOrder(operations []plan.Operation) []plan.Operation {
	if len(operations) < 2 {
		return operations
	}
	index := make(map[int]int, len(operations))
	for i, o := range operations {
		index[o.Seq] = i
	}
	sorted := make([]plan.Operation, 0, len(operations))
	placed := make([]bool, len(operations))
	var place func(i int)
	place = func(i int) {
		if placed[i] {
			return
		}
		placed[i] = true
		for _, seq := range operations[i].After {
			if j, ok := index[seq]; ok {
				place(j)
			}
		}
		sorted = append(sorted, operations[i])
	}
	for i := range operations {
		place(i)
	}
	return sorted
}

// bulkUnits puts creations into bulk calls where the directory takes them, one a unit.
func (e *executor) bulkUnits(operations []plan.Operation) []unit {
	var units []unit
	for _, side := range []plan.Side{plan.Target, plan.Source} {
		var own []plan.Operation
		for _, o := range operations {
			if o.Side == side {
				own = append(own, o)
			}
		}
		size := 1
		if d := e.directory(side); d != nil && len(own) > 0 {
			if _, ok := d.(directory.BulkCreator); ok {
				size = max(1, d.Describe().BulkSize)
			}
		}
		for chunk := range slices.Chunk(own, size) {
			units = append(units, unit{steps: [][]plan.Operation{chunk}})
		}
	}
	return units
}

// groupUnits gathers the group changes of one account into one call.
func (e *executor) groupUnits(operations []plan.Operation) []unit {
	var keys []pairKey
	byPair := make(map[pairKey][]plan.Operation)
	for _, o := range operations {
		key := pairKey{o.Side, e.options.Draft(o)}
		if byPair[key] == nil {
			keys = append(keys, key)
		}
		byPair[key] = append(byPair[key], o)
	}
	units := make([]unit, 0, len(keys))
	for _, key := range keys {
		units = append(units, unit{steps: [][]plan.Operation{byPair[key]}})
	}
	return units
}
