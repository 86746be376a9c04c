package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestAMeasurementThatGivesUpCleansUp(t *testing.T) {
	t.Parallel()
	stopped, stop := context.WithCancel(t.Context())
	stop()
	for _, c := range []struct {
		name string
		ctx  context.Context
		end  func(g *rig)
		want string
	}{
		{"it comes to its end", t.Context(), func(*rig) {}, ""},
		{"a server breaks", t.Context(), func(g *rig) { g.Fatalf("status %d", 500) }, "status 500"},
		{"a server is missing", t.Context(), func(g *rig) { g.Skip("no Java") }, "no Java"},
		{"an error", t.Context(), func(g *rig) { g.must(errors.New("disk full")) }, "disk full"},
		{"no error", t.Context(), func(g *rig) { g.must(nil) }, ""},
		{"an interrupt", stopped, func(g *rig) { g.must(errors.New("signal: killed")) }, "ended from outside"},
		{"a clean-up fails", t.Context(), func(g *rig) { g.Cleanup(func() { g.Fatal("still busy") }) }, "still busy"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var order []string
			folder := ""
			got := measured(c.ctx, "row", func(g *rig) {
				folder = g.TempDir()
				g.Cleanup(func() { order = append(order, "first") })
				g.Cleanup(func() { order = append(order, "second") })
				c.end(g)
			})
			if got != c.want {
				t.Errorf("the reason is %q, want %q", got, c.want)
			}
			if !slices.Equal(order, []string{"second", "first"}) {
				t.Errorf("cleaned up in the order %q", order)
			}
			if exists(folder) {
				t.Errorf("%s is still there", folder)
			}
		})
	}
}

func TestTurnsAndMedians(t *testing.T) {
	t.Parallel()
	var order strings.Builder
	seconds := []float64{3, 1, 2}
	ours, bare := (&rig{ctx: t.Context()}).takeTurns(3,
		func() cost {
			order.WriteByte('A')
			return cost{Seconds: seconds[order.Len()/2], Peak: 10 * seconds[order.Len()/2]}
		},
		func() cost { order.WriteByte('B'); return cost{Seconds: 7} })
	if order.String() != "ABABAB" {
		t.Errorf("the order was %s", order.String())
	}
	if diff := cmp.Diff(cost{Seconds: 2, Peak: 30}, ours); diff != "" || bare.Seconds != 7 {
		t.Error(diff, bare)
	}
}

func TestPeopleOfAWorld(t *testing.T) {
	t.Parallel()
	s := shape{people: 250, groups: 20, each: 10}
	folder := t.TempDir()
	read := func(changed bool) []string {
		path := filepath.Join(folder, "people.csv")
		if err := writePeople(path, s, changed); err != nil {
			t.Fatal(err)
		}
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return strings.Split(strings.TrimSpace(string(data)), "\n")
	}
	same, changed := read(false), read(true)
	different := 0
	for i := range same {
		if same[i] != changed[i] {
			different++
		}
	}
	if len(same) != 1+s.people || different != 3 {
		t.Errorf("%d lines, of which %d differ", len(same), different)
	}
	members := map[string]int{}
	for i := range s.people {
		groups := s.groupsOf(i)
		slices.Sort(groups)
		if len(slices.Compact(groups)) != s.each {
			t.Fatalf("person %d is in %q", i, groups)
		}
		for _, group := range groups {
			members[group]++
		}
	}
	for group, n := range members {
		if n < 120 || n > 130 {
			t.Errorf("%s has %d members", group, n)
		}
	}
	if len(members) != s.groups {
		t.Errorf("%d groups have members", len(members))
	}
}
