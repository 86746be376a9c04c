package main

import (
	"fmt"
	"time"

	"github.com/rollcall-sync/rollcall/sync/diff"
	"github.com/rollcall-sync/rollcall/sync/directory"
	"github.com/rollcall-sync/rollcall/sync/mapping"
)

// The sizes of row 6: 100,000 people, each in ten of 1,000 groups.
const (
	groupPeople = 100_000
	perGroup    = 100
	groupsEach  = 10
)

// groupShape is a world with as many memberships as that makes.
func groupShape(people int) shape {
	return shape{people: people, groups: max(groupsEach, people/perGroup), each: groupsEach}
}

// groupRules is row 6.
func (b *bench) groupRules(g *rig) {
	large := groupShape(b.atMost(groupPeople))
	small := groupShape(large.people / 10)
	w := b.world(g, large)
	sizes := func(s shape) string {
		return fmt.Sprintf("%s groups, %s memberships", thousands(s.groups), thousands(s.people*s.each))
	}
	b.plan(g, w, sameFile, 0, line{Row: 6, What: "plan of " + sizes(large) + ", nothing changed", Most: 1.5})

	folder := g.TempDir()
	p := b.newProgram(g, folder, storeConfig(small))
	g.must(writePeople(p.path(peopleFile), small, false))
	ours, bare := g.takeTurns(3,
		func() cost { return decideAll(g, w.path(configFile), large) },
		func() cost { return decideAll(g, p.path(configFile), small) })
	each := func(c cost, s shape) float64 { return c.Seconds / float64(s.people*s.each) * 1e6 }
	b.add(line{
		Row: 6, What: "mapping and diff of one membership, " + sizes(large) + ", against " + sizes(small),
		Ours: each(ours, large), Bare: each(bare, small), Unit: "µs", Most: 1.5,
	})
}

// decideAll maps and decides everybody, as a run does after the rules were changed, and returns the time of that alone. The
// accounts are made page by page, so that the size of the heap is the same for any number of them.
func decideAll(g *rig, path string, s shape) cost {
	p, err := openPairing(path)
	g.must(err)
	defer p.close()
	var sources, roles []directory.Group
	for i := range s.groups {
		sources = append(sources, directory.Group{ID: groupName(i), Name: groupName(i)})
		roles = append(roles, directory.Group{ID: "id of " + groupName(i), Name: fmt.Sprintf("Role %04d", i)})
	}
	decider := &diff.Decider{
		Rules: p.rules, Source: p.source.Describe(), Target: p.target.Describe(),
		SourceGroups: diff.NewGroups(sources), TargetGroups: diff.NewGroups(roles),
		Managed: p.mapping.ManagedGroups(sources), GroupSource: p.mapping.GroupSource, Removals: true, Creations: true,
		SourcePowers: diff.PowersOf(p.source), TargetPowers: diff.PowersOf(p.target), Now: time.Now(),
	}
	var spent cost
	const page = 1000
	for from := 0; from < s.people; from += page {
		var cases []diff.Case
		for i := from; i < min(from+page, s.people); i++ {
			cases = append(cases, s.pair(i))
		}
		began := time.Now()
		for i := range cases {
			source := cases[i].Source
			source.Out = p.mapping.Outbound(mapping.Record{Account: source.Account, Groups: decider.SourceGroups.Resolve(source.Account.Groups, false)})
			if decision := decider.Decide(cases[i]); !decision.InStep || len(decision.Groups) != s.each {
				g.Fatalf("person %d is not in step: %s, in %d groups", from+i, decision.Reason, len(decision.Groups))
			}
		}
		spent.Seconds += time.Since(began).Seconds()
		g.must(g.ctx.Err())
	}
	return spent
}

// pair is one person on both sides, in step.
func (s shape) pair(i int) diff.Case {
	name, id := fmt.Sprintf("person%07d", i), fmt.Sprint(i+1)
	values := directory.Attributes{
		directory.Username: directory.Text(name), directory.Email: directory.Text(name + "@example.com"), directory.FirstName: directory.Text("Anna"),
		directory.LastName: directory.Text(fmt.Sprint("Müller ", i)), directory.Department: directory.Text("Press"), directory.Title: directory.Text("Editor"),
		directory.Phone: directory.Text(fmt.Sprintf("+00 555 %07d", i)),
	}
	source := directory.Account{ID: id, Status: directory.StatusActive, Attributes: values, Groups: s.groupsOf(i), GroupsKnown: true}
	target := source.Clone()
	target.ID = "target " + id
	target.Attributes[directory.DisplayName] = directory.Text(fmt.Sprint("Anna Müller ", i))
	link := &diff.Link{
		SourceID: source.ID, TargetID: target.ID, Held: true, Attributes: map[string]diff.Pair{},
		SourceStatus: directory.StatusActive, TargetStatus: directory.StatusActive,
	}
	for j, group := range target.Groups {
		target.Groups[j] = "id of " + group
	}
	link.Groups = target.Groups
	for attribute, value := range target.Attributes {
		link.Attributes[attribute] = diff.Pair{Source: value, Target: value}
	}
	return diff.Case{Link: link, Source: &diff.Record{Account: source}, Target: &diff.Record{Account: target}}
}
