package snapshot

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-sync/rollcall/sync/directory"
)

func choose(ids ...string) GroupNeed {
	return GroupNeed{Choose: func(all []directory.Group) map[string]bool {
		chosen := map[string]bool{}
		for _, g := range all {
			chosen[g.ID] = slices.Contains(ids, g.ID)
		}
		return chosen
	}}
}

// groupsOf prints who is in which groups: "id1: g1+g2 known".
func groupsOf(t *testing.T, s *Snapshot) (list []string) {
	t.Helper()
	for _, id := range ids(t, s) {
		a, _, err := s.Get(id)
		if err != nil {
			t.Fatal(err)
		}
		known := "unknown"
		if a.GroupsKnown {
			known = "known"
		}
		list = append(list, fmt.Sprintf("%s: %s %s", id, strings.Join(a.Groups, "+"), known))
	}
	return list
}

func TestMembershipsAreReadAsFarAsTheyMatter(t *testing.T) {
	t.Parallel()
	everything := []string{"id1: g1 known", "id2: g1+g2 known", "id3:  known"}
	for _, c := range []struct {
		name  string
		of    func(*book) directory.Directory
		need  GroupNeed
		want  []string
		calls string // the calls besides the pages
	}{
		{"none", func(b *book) directory.Directory { return byGroup{grouped{b}} }, GroupNeed{}, []string{"id1:  unknown", "id2:  unknown", "id3:  unknown"}, ""},
		{"the groups alone", func(b *book) directory.Directory { return byGroup{grouped{b}} }, GroupNeed{List: true}, []string{"id1:  unknown", "id2:  unknown", "id3:  unknown"}, "groups 0, groups 1"},
		{"all by group", func(b *book) directory.Directory { return byGroup{grouped{b}} }, GroupNeed{All: true}, everything, "groups 0, groups 1, members g1 0, members g1 1, members g2 0, members g3 0"},
		{"one by group", func(b *book) directory.Directory { return byGroup{grouped{b}} }, choose("g2"), []string{"id1:  known", "id2: g2 known", "id3:  known"}, "groups 0, groups 1, members g2 0"},
		{"none is chosen", func(b *book) directory.Directory { return byGroup{grouped{b}} }, choose(), []string{"id1:  known", "id2:  known", "id3:  known"}, "groups 0, groups 1"},
		{"all by account", func(b *book) directory.Directory { return byAccount{grouped{b}} }, GroupNeed{All: true}, everything, "groups 0, groups 1, memberships id1, memberships id2, memberships id3"},
		{"one by account", func(b *book) directory.Directory { return byAccount{grouped{b}} }, choose("g1"), []string{"id1: g1 known", "id2: g1 known", "id3:  known"}, "groups 0, groups 1, memberships id1, memberships id2, memberships id3"},
		{"as many groups as people: by group", both, GroupNeed{All: true}, everything, "groups 0, groups 1, members g1 0, members g1 1, members g2 0, members g3 0"},
		{
			"fewer people than groups: by account", func(b *book) directory.Directory {
				b.pages = b.pages[1:]
				b.pages[0] = []directory.Account{person(2)}
				return both(b)
			},
			GroupNeed{All: true},
			[]string{"id2: g1+g2 known"},
			"groups 0, groups 1, memberships id2",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			b := web()
			s := read(t, c.of(b), needs(c.need))
			if difference := cmp.Diff(c.want, groupsOf(t, s)); difference != "" || !s.Certificate.Complete {
				t.Errorf("%s (want, got):\n%s", s.Certificate.Failed(), difference)
			}
			calls := slices.DeleteFunc(b.calls, func(call string) bool { return strings.HasPrefix(call, "page") })
			slices.Sort(calls)
			if got := strings.Join(calls, ", "); got != c.calls {
				t.Errorf("calls %s, want %s", got, c.calls)
			}
			if err := s.Keep(t.TempDir()); err != nil {
				t.Fatal(err)
			}
			if difference := cmp.Diff(c.want, groupsOf(t, s)); difference != "" {
				t.Errorf("when kept (want, got):\n%s", difference)
			}
		})
	}
}

func TestMembershipsSurviveTheFile(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	s := read(t, byGroup{grouped{web()}}, needs(GroupNeed{All: true}))
	if err := s.Keep(folder); err != nil {
		t.Fatal(err)
	}
	again, err := Load(folder, "staff")
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	if difference := cmp.Diff(groupsOf(t, s), groupsOf(t, again)); difference != "" {
		t.Errorf("(read, loaded):\n%s", difference)
	}
	for _, id := range []string{"id1", "id2", "id3"} {
		one, _ := hashOf(s, id)
		if two, _ := hashOf(again, id); one != two {
			t.Errorf("%s has the hash %d, and %d when it is loaded", id, one, two)
		}
	}
}

func TestTheHashFollowsMemberships(t *testing.T) {
	t.Parallel()
	hash := func(change func(*book)) uint64 {
		b := web()
		if change != nil {
			change(b)
		}
		h, _ := hashOf(read(t, byGroup{grouped{b}}, needs(GroupNeed{All: true})), "id2")
		return h
	}
	before := hash(nil)
	if hash(func(b *book) { b.memberPages["g1"] = [][]string{{"id2"}, {"id1"}} }) != before {
		t.Error("the order of members changed the hash")
	}
	if hash(func(b *book) { slices.Reverse(b.groups) }) != before {
		t.Error("the order of groups changed the hash")
	}
	if hash(func(b *book) { b.memberPages["g3"] = [][]string{{"id2"}} }) == before || hash(func(b *book) { delete(b.memberPages, "g2") }) == before {
		t.Error("a membership did not change the hash")
	}
}

func TestInlineGroupsAreNotListedAgain(t *testing.T) {
	t.Parallel()
	b := web()
	b.desc.GroupsInline = true
	b.pages[0][0].Groups, b.pages[0][0].GroupsKnown = []string{"g3"}, true
	s := read(t, byGroup{grouped{b}}, needs(GroupNeed{All: true}))
	if got := groupsOf(t, s); !cmp.Equal(got, []string{"id1: g3 known", "id2:  unknown", "id3:  unknown"}) || len(s.Groups) != 3 {
		t.Errorf("%v", got)
	}
	if slices.ContainsFunc(b.calls, func(call string) bool { return strings.HasPrefix(call, "members") }) {
		t.Errorf("%v", b.calls)
	}
}

// TestAGroupThatOnlyItsMembersKnow: a list of groups that leaves one out would take it away from everybody in it.
func TestAGroupThatOnlyItsMembersKnow(t *testing.T) {
	t.Parallel()
	b := web()
	b.desc.GroupsInline = true
	b.pages[0][0].Groups, b.pages[0][0].GroupsKnown = []string{"g3", "g9"}, true
	s := read(t, byGroup{grouped{b}}, needs(GroupNeed{All: true}))
	if failed := s.Certificate.Failed(); s.Certificate.Complete || !strings.Contains(failed, "the list of groups lacks some that accounts are in: 1, such as g9") {
		t.Errorf("%s", failed)
	}
}

// TestGroupsThatAreNotReadWhole void the certificate, and nobody's groups are known.
func TestGroupsThatAreNotReadWhole(t *testing.T) {
	t.Parallel()
	listing := func(b *book) directory.Directory { return byGroup{grouped{b}} }
	for _, c := range []struct {
		name   string
		of     func(*book) directory.Directory
		change func(*book)
		detail string
	}{
		{"the groups break off", listing, func(b *book) { b.fail = failOn("groups 1") }, "staff: bad gateway"},
		{"a page of groups points back", listing, func(b *book) { b.groupNext = "1" }, "a page points back to one that was read before"},
		{"fewer groups than were counted", listing, func(b *book) { b.groupTotal = 4 }, "3 groups came in, 4 were counted"},
		{"the members break off", listing, func(b *book) { b.fail = failOn("members g1 1") }, "staff: bad gateway"},
		{"a page of members points back", listing, func(b *book) {
			b.memberNext = map[string]string{"g2": "0"}
			b.memberPages["g2"] = [][]string{{"id1"}, {"id2"}}
			b.memberNext["g2"] = "1"
		}, "list members of g2: a page points back to one that was read before"},
		{"the memberships of one account break off", func(b *book) directory.Directory { return byAccount{grouped{b}} }, func(b *book) { b.fail = failOn("memberships id3") }, "staff: bad gateway"},
		{"there are no groups", func(b *book) directory.Directory { return b }, func(*book) {}, "staff has no groups"},
		{"nobody tells memberships", func(b *book) directory.Directory { return grouped{b} }, func(*book) {}, "staff tells no memberships"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			b := web()
			c.change(b)
			s := read(t, c.of(b), needs(GroupNeed{All: true}))
			if s.Certificate.Complete || s.Broke != nil {
				t.Errorf("complete %t, broke %v", s.Certificate.Complete, s.Broke)
			}
			i := slices.IndexFunc(s.Certificate.Clauses, func(clause Clause) bool { return clause.Name == ClauseGroups })
			if i < 0 || !strings.Contains(s.Certificate.Clauses[i].Detail, c.detail) || !strings.Contains(s.Certificate.Clauses[i].Remedy, "give the right to read groups and members") {
				t.Errorf("%+v", s.Certificate.Clauses)
			}
			for _, line := range groupsOf(t, s) {
				if strings.HasSuffix(line, " known") {
					t.Errorf("%s, although the groups were not read whole", line)
				}
			}
		})
	}
	b := web()
	b.groupTotal = 3
	if s := read(t, listing(b), needs(GroupNeed{All: true})); !s.Certificate.Complete {
		t.Errorf("as many groups as were counted: %s", s.Certificate.Failed())
	}
}

func TestTheGroupsOfOneAccount(t *testing.T) {
	t.Parallel()
	b := web()
	groups, err := ListGroups(t.Context(), grouped{b}, nil)
	if err != nil || len(groups) != 3 {
		t.Fatal(groups, err)
	}
	got, err := GroupsOf(t.Context(), byGroup{grouped{b}}, groups, "id2")
	if err != nil || !cmp.Equal(got, []string{"g1", "g2"}) {
		t.Errorf("%v, %v", got, err)
	}
	b.fail = failOn("members g3 0")
	if _, err := GroupsOf(t.Context(), byGroup{grouped{b}}, groups, "id2"); !errors.Is(err, directory.Retryable) {
		t.Errorf("%v", err)
	}
}
