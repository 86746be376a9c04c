package diff_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-sync/rollcall/sync/diff"
	"github.com/rollcall-sync/rollcall/sync/directory"
	"github.com/rollcall-sync/rollcall/sync/rules"
)

func TestGroupsOfALinkedPair(t *testing.T) {
	t.Parallel()
	exact := func(s *scene) { s.sync.GroupOptions.Exact = true }
	shared := func(of func(*scene) diff.Case) func(*scene) diff.Case {
		return func(s *scene) diff.Case {
			c := of(s)
			c.OtherClaims, c.OtherGroups = []string{"shop"}, []string{"r-editor", "r-shop"}
			return c
		}
	}
	nested := func(s *scene) { s.sync.GroupOptions.Nested = true }
	newcomers := func(create bool) func(*scene) {
		return func(s *scene) {
			s.sync.GroupOptions.Create = create
			s.sync.Groups = append(s.sync.Groups, rules.Group{Target: "newcomers", When: "true"})
		}
	}
	dynamic := func(s *scene) {
		s.sync.Groups = append(s.sync.Groups, rules.Group{Target: "dynamic", From: []string{"Web editors"}})
	}
	check(t, []row{
		{name: "are added where the rules give them", of: linked(accounts{in("g-web")}, nil), writes: []string{"target group_add editor"}, class: diff.Changed, reason: "the rules put anna into it"},
		{name: "are removed where the rules no longer give them", of: linked(nil, accounts{in("r-editor", "r-subscriber")}), writes: []string{"target group_remove editor"}, class: diff.Changed, reason: "the rules no longer put anna into it"},
		{name: "are added and removed together", of: linked(accounts{in("g-web")}, accounts{in("r-shop")}), writes: []string{"target group_add editor", "target group_add subscriber"}, class: diff.Changed},
		{name: "that no rule names stay", of: linked(nil, accounts{in("r-shop", "r-subscriber")}), class: diff.Unchanged},
		{name: "that no rule names go where the rules are exact", change: exact, of: linked(nil, accounts{in("r-shop", "r-subscriber")}), writes: []string{"target group_remove shop"}, class: diff.Changed, reason: "exact is set and no rule gives this group"},
		{name: "that the target lists without an entry of their own go where the rules are exact", change: exact, of: linked(nil, accounts{in("r-ghost", "r-subscriber")}), writes: []string{"target group_remove r-ghost"}, class: diff.Changed},
		{name: "that another sync gives stay", of: shared(linked(nil, accounts{in("r-editor", "r-subscriber")})), class: diff.Unchanged},
		{name: "that another sync gives stay, also where the rules are exact", change: exact, of: shared(linked(nil, accounts{in("r-shop", "r-subscriber")})), class: diff.Unchanged},
		{name: "of a child count where nesting is resolved", change: nested, of: linked(accounts{in("g-child")}, nil), writes: []string{"target group_add editor"}, class: diff.Changed},
		{name: "of a child do not count by default", of: linked(accounts{in("g-child")}, nil), class: diff.Unchanged},
		{name: "stay while the source's are not known", of: linked(accounts{groupsUnknown}, accounts{in("r-editor")}), class: diff.Unchanged},
		{name: "stay while the target's are not known", of: linked(accounts{in("g-web")}, accounts{groupsUnknown}), class: diff.Unchanged},
		{name: "that do not exist are made where that is allowed", change: newcomers(true), of: linked(nil, nil), writes: []string{"target group_add newcomers"}, class: diff.Changed},
		{name: "that do not exist fail where nobody may make them", change: newcomers(false), of: linked(nil, nil), notes: []string{`invalid: group "newcomers" does not exist in website; create it there, or set group_options.create`}, class: diff.Failed},
		{
			name: "that do not exist are reported where the target cannot make them", change: func(s *scene) { newcomers(true)(s); s.decider.TargetPowers.CreateGroup = false },
			of: linked(nil, nil), notes: []string{`unsupported: group "newcomers" does not exist in website, which cannot create groups`}, class: diff.Skipped,
		},
		{name: "whose members cannot be written are reported, not joined", change: dynamic, of: linked(accounts{in("g-web")}, accounts{in("r-editor", "r-subscriber")}), notes: []string{`unsupported: members of group "dynamic" cannot be written: dynamic group`}, class: diff.Skipped},
		{name: "whose members cannot be written are reported, not left", change: dynamic, of: linked(nil, accounts{in("r-dynamic", "r-subscriber")}), notes: []string{`unsupported: members of group "dynamic" cannot be written: dynamic group`}, class: diff.Skipped},
		{
			name: "that share a name are refused", change: func(s *scene) {
				s.decider.TargetGroups = diff.NewGroups([]directory.Group{{ID: "1", Name: "editor"}, {ID: "2", Name: "editor"}, {ID: "r-subscriber", Name: "subscriber"}})
			},
			of: linked(accounts{in("g-web")}, nil), notes: []string{`invalid: 2 groups are called "editor"; name the one that is meant by its id (1, 2)`}, class: diff.Failed,
		},
		{name: "cannot be changed where the target cannot", change: func(s *scene) { s.decider.TargetPowers.Groups = false }, of: linked(accounts{in("g-web")}, nil), notes: []string{"unsupported: website cannot change memberships"}, class: diff.Skipped},
		{
			name: "are added, but not removed, while a listing is not proven complete", change: func(s *scene) { exact(s); s.decider.Removals = false },
			of:     linked(accounts{in("g-web")}, accounts{in("r-shop", "r-subscriber")}),
			writes: []string{"target group_add editor"}, notes: []string{`withheld: would leave "shop"`}, class: diff.Changed,
		},
		{
			name: "are not removed while a listing is not proven complete", change: func(s *scene) { s.decider.Removals = false },
			of: linked(nil, accounts{in("r-editor", "r-subscriber")}), notes: []string{`withheld: would leave "editor"`}, class: diff.Skipped,
		},
	}, exceptInStep("stay while the source's are not known", "stay while the target's are not known"))
}

// TestGroupsOnReturn is about directories where deactivating takes the groups away: they are handed back, and compared from
// there.
func TestGroupsOnReturn(t *testing.T) {
	t.Parallel()
	lost := func(s *scene) { s.decider.Target.GroupsLostOnDeactivation = true }
	back := func(s *scene) {
		lost(s)
		s.sync.Writeback.Groups = true
		s.sync.Actions.DeactivatedElsewhere = rules.Override
	}
	check(t, []row{
		{
			name: "restores what was remembered", change: lost, of: linked(nil, accounts{inactive, in()}, ours, remembered("r-shop", "r-subscriber")),
			writes: []string{"target activate with r-shop+r-subscriber"}, class: diff.Changed, hold: true,
		},
		{
			name: "restores what was remembered and sets it right", change: lost, of: linked(accounts{in("g-web")}, accounts{inactive, in()}, ours, remembered("r-shop")),
			writes: []string{"target activate with r-shop", "target group_add editor", "target group_add subscriber"}, class: diff.Changed, hold: true,
		},
		{
			name: "takes away again what the rules no longer give", change: lost, of: linked(nil, accounts{inactive, in()}, ours, remembered("r-editor", "r-subscriber")),
			writes: []string{"target activate with r-editor+r-subscriber", "target group_remove editor"}, class: diff.Changed, hold: true,
		},
		{
			name: "compares what is there where nothing gets lost", of: linked(nil, accounts{inactive, in("r-editor")}, ours, remembered("r-editor", "r-subscriber")),
			writes: []string{"target activate with r-editor+r-subscriber", "target group_add subscriber", "target group_remove editor"}, class: diff.Changed, hold: true,
		},
		{
			name: "does not take a lost group for a wish to leave it", change: back, of: linked(accounts{in("g-web")}, accounts{inactive, in()}, had("r-editor", "r-subscriber")),
			writes: []string{"target activate", "target group_add editor", "target group_add subscriber"}, class: diff.Changed,
		},
	})
}

// TestGroupsFlowBack is the mirror: memberships that somebody changed in the target.
func TestGroupsFlowBack(t *testing.T) {
	t.Parallel()
	back := func(s *scene) { s.sync.Writeback.Groups = true }
	and := func(change func(*scene)) func(*scene) { return func(s *scene) { back(s); change(s) } }
	joined := linked(nil, accounts{in("r-editor", "r-subscriber")})
	left := linked(accounts{in("g-web")}, nil, had("r-editor", "r-subscriber"))
	check(t, []row{
		{name: "somebody joined", change: back, of: joined, writes: []string{"source group_add Web editors"}, class: diff.Changed, reason: `anna joined "editor" in website`},
		{name: "somebody left", change: back, of: left, writes: []string{"source group_remove Web editors"}, class: diff.Changed, reason: `anna left "editor" in website`},
		{name: "the source ended it", change: back, of: linked(nil, accounts{in("r-editor", "r-subscriber")}, had("r-editor", "r-subscriber")), writes: []string{"target group_remove editor"}, class: diff.Changed},
		{name: "the source began it", change: back, of: linked(accounts{in("g-web")}, nil), writes: []string{"target group_add editor"}, class: diff.Changed},
		{name: "a group without a single source group is set right in the target", change: back, of: linked(nil, accounts{in()}), writes: []string{"target group_add subscriber"}, class: diff.Changed},
		{name: "a first comparison is no change", change: back, of: linked(nil, accounts{in("r-editor", "r-subscriber")}, func(l *diff.Link) { l.TargetStatus = directory.StatusUnknown }), writes: []string{"target group_remove editor"}, class: diff.Changed},
		{name: "somebody left, and the source cannot change memberships", change: and(func(s *scene) { s.decider.SourcePowers.Groups = false }), of: left, writes: []string{"target group_add editor"}, class: diff.Changed},
		{name: "somebody left, and the membership comes from a child group", change: and(func(s *scene) { s.sync.GroupOptions.Nested = true }), of: linked(accounts{in("g-child")}, nil, had("r-editor", "r-subscriber")), writes: []string{"target group_add editor"}, class: diff.Changed},
		{name: "somebody left, and a child group gives the membership as well", change: and(func(s *scene) { s.sync.GroupOptions.Nested = true }), of: linked(accounts{in("g-child", "g-web")}, nil, had("r-editor", "r-subscriber")), writes: []string{"target group_add editor"}, class: diff.Changed},
		{name: "somebody left, and the source account is never written", change: back, of: linked(accounts{in("g-web"), privileged}, nil, had("r-editor", "r-subscriber")), writes: []string{"target group_add editor"}, class: diff.Changed},
		{name: "somebody left, and the source account is read-only", change: back, of: linked(accounts{in("g-web"), readOnly}, nil, had("r-editor", "r-subscriber")), writes: []string{"target group_add editor"}, class: diff.Changed},
		{
			name: "somebody left, and the source group is read-only", change: and(func(s *scene) {
				s.decider.SourceGroups = diff.NewGroups([]directory.Group{{ID: "g-web", Name: "Web editors", ReadOnly: "dynamic"}})
			}),
			of: left, writes: []string{"target group_add editor"}, class: diff.Changed,
		},
		{name: "somebody left while a listing is not proven complete", change: and(func(s *scene) { s.decider.Removals = false }), of: left, notes: []string{`withheld: would leave "Web editors" in staff`}, class: diff.Skipped},
		{name: "somebody deactivated it", change: func(s *scene) { s.sync.Writeback.Deactivate = true }, of: linked(accounts{in("g-web")}, accounts{inactive}), writes: []string{"source deactivate with g-web"}, class: diff.Changed, reason: "deactivated in website, and writeback.deactivate is on"},
		{name: "we deactivated it", change: func(s *scene) { s.sync.Writeback.Deactivate = true }, of: linked(nil, accounts{inactive}, ours), writes: []string{"target activate"}, class: diff.Changed, hold: true},
		{name: "it was inactive all along", change: func(s *scene) { s.sync.Writeback.Deactivate = true }, of: linked(nil, accounts{inactive}, func(l *diff.Link) { l.TargetStatus = directory.StatusInactive }), notes: []string{"respected"}, class: diff.Skipped},
		{name: "somebody deactivated it, and the source cannot", change: func(s *scene) { s.sync.Writeback.Deactivate = true; s.decider.SourcePowers.Status = false }, of: linked(nil, accounts{inactive}), notes: []string{"unsupported: staff cannot deactivate accounts"}, class: diff.Skipped},
		{name: "somebody deactivated it while a listing is not proven complete, and the pair gets no other write", change: func(s *scene) { s.sync.Writeback.Deactivate = true; s.decider.Removals = false }, of: linked(accounts{with("email", "new@example.com")}, accounts{inactive}), notes: []string{"withheld: would be deactivated in staff"}, class: diff.Skipped},
		{name: "somebody deactivated it while a listing is not proven complete", change: func(s *scene) { s.sync.Writeback.Deactivate = true; s.decider.Removals = false }, of: linked(nil, accounts{inactive}), notes: []string{"withheld: would be deactivated in staff"}, class: diff.Skipped},
	})
}

// TestADeactivationThatIsNotCarriedBackStaysNews because the base keeps the status from before.
func TestADeactivationThatIsNotCarriedBackStaysNews(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*scene){
		"withheld":    func(s *scene) { s.decider.Removals = false },
		"unsupported": func(s *scene) { s.decider.SourcePowers.Status = false },
		"carried":     func(*scene) {},
	} {
		s := newScene(t, func(s *scene) { s.sync.Writeback.Deactivate = true; change(s) })
		got := s.decider.Decide(linked(nil, accounts{inactive})(s))
		if (got.Attributes == nil) != (name != "carried") || got.InStep {
			t.Errorf("%s: new base %v, in step %t", name, got.Attributes, got.InStep)
		}
	}
}

// TestTheNewGroups says which groups are remembered: as they will be, and as they are while nothing was written yet.
func TestTheNewGroups(t *testing.T) {
	t.Parallel()
	back := func(s *scene) { s.sync.Writeback.Groups = true }
	withheld := func(s *scene) { s.decider.Removals = false }
	for _, c := range []struct {
		name          string
		change        func(*scene)
		of            func(*scene) diff.Case
		before, after []string
	}{
		{"added", nil, linked(accounts{in("g-web")}, nil), []string{"r-subscriber"}, []string{"r-editor", "r-subscriber"}},
		{"removed", nil, linked(nil, accounts{in("r-editor", "r-shop", "r-subscriber")}), []string{"r-editor", "r-subscriber"}, []string{"r-subscriber"}},
		{"removal withheld", withheld, linked(nil, accounts{in("r-editor", "r-subscriber")}), []string{"r-editor", "r-subscriber"}, []string{"r-editor", "r-subscriber"}},
		{"not known", nil, linked(accounts{groupsUnknown}, nil), []string{"r-subscriber"}, []string{"r-subscriber"}},
		{"removal for a privileged account left out", nil, linked(nil, accounts{privileged, in("r-editor", "r-subscriber")}), []string{"r-editor", "r-subscriber"}, []string{"r-editor", "r-subscriber"}},
		{"addition for a privileged account left out", nil, linked(accounts{in("g-web")}, accounts{privileged}), []string{"r-subscriber"}, []string{"r-subscriber"}},
		{"a deactivated account keeps what is remembered", nil, linked(accounts{inactive}, nil, had("r-editor", "r-subscriber")), []string{"r-editor", "r-subscriber"}, []string{"r-editor", "r-subscriber"}},
		{"an account that stays inactive keeps what is remembered", nil, linked(accounts{with("nickname", "S")}, accounts{inactive, in()}, had("r-editor")), []string{"r-editor"}, []string{"r-editor"}},
		{
			"dropped out of scope, as far as nobody else gives them", func(s *scene) { s.sync.Actions.OutOfScope = rules.DropGroups },
			linked(accounts{away}, accounts{in("r-subscriber", "r-shop")}, had("r-editor", "r-subscriber")),
			[]string{"r-editor", "r-subscriber"},
			[]string{},
		},
		{
			"dropped out of scope, but withheld", func(s *scene) { s.sync.Actions.OutOfScope = rules.DropGroups; withheld(s) },
			linked(accounts{away}, nil),
			[]string{"r-subscriber"},
			[]string{"r-subscriber"},
		},
		{
			"dropped out of scope, but protected", func(s *scene) { s.sync.Actions.OutOfScope = rules.DropGroups },
			linked(accounts{away}, accounts{privileged}),
			[]string{"r-subscriber"},
			[]string{"r-subscriber"},
		},
		{"left in the target, and the way back withheld", func(s *scene) { back(s); withheld(s) }, linked(accounts{in("g-web")}, nil, had("r-editor", "r-subscriber")), []string{"r-editor", "r-subscriber"}, []string{"r-editor", "r-subscriber"}},
		{"left in the target", back, linked(accounts{in("g-web")}, nil, had("r-editor", "r-subscriber")), []string{"r-subscriber"}, []string{"r-subscriber"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := newScene(t)
			if c.change != nil {
				s = newScene(t, c.change)
			}
			got := s.decider.Decide(c.of(s))
			if !cmp.Equal(got.GroupsBefore, c.before) || !cmp.Equal(got.Groups, c.after) {
				t.Errorf("before %v, after %v; want %v, %v", got.GroupsBefore, got.Groups, c.before, c.after)
			}
		})
	}
}

func TestMirroredGroupsAreManaged(t *testing.T) {
	t.Parallel()
	s := newScene(t, func(s *scene) {
		s.sync.Groups, s.sync.GroupOptions.Mirror, s.sync.GroupOptions.Prefix = nil, []string{"Web *"}, "idp "
		s.decider.TargetGroups = diff.NewGroups([]directory.Group{{ID: "r-web", Name: "idp Web editors"}, {ID: "r-other", Name: "idp Other"}})
	})
	joins := s.decider.Decide(linked(accounts{in("g-web", "g-child")}, accounts{in("r-other")})(s))
	leaves := s.decider.Decide(linked(nil, accounts{in("r-other", "r-web")})(s))
	if !cmp.Equal(writes(joins), []string{"target group_add idp Web editors"}) || !cmp.Equal(writes(leaves), []string{"target group_remove idp Web editors"}) {
		t.Errorf("joins %v, leaves %v", writes(joins), writes(leaves))
	}
}

func TestGroupsAreFoundByIDThenPathThenName(t *testing.T) {
	t.Parallel()
	groups := diff.NewGroups([]directory.Group{
		{ID: "1", Name: "b", Path: "/a/b"}, {ID: "2", Name: "/a/b"}, {ID: "3", Name: "1"}, {ID: "4", Name: "twice", Path: "/x"}, {ID: "5", Name: "twice", Path: "/x"},
	})
	for name, want := range map[string]string{"1": "1", "/a/b": "1", "b": "1", "2": "2", "nobody": ""} {
		if got, found, err := groups.Find(name); err != nil || got.ID != want || found != (want != "") {
			t.Errorf("%s: found %q, %t, %v; want %q", name, got.ID, found, err, want)
		}
	}
	for _, name := range []string{"twice", "/x"} {
		if got, found, err := groups.Find(name); err == nil || found {
			t.Errorf("%s: found %q, %t, although two are called so", name, got.ID, found)
		}
	}
	if len(groups.All()) != 5 {
		t.Errorf("%d groups", len(groups.All()))
	}
}

func TestNestedGroupsAreResolvedOnceAndCyclesEnd(t *testing.T) {
	t.Parallel()
	groups := diff.NewGroups([]directory.Group{
		{ID: "a", Parents: []string{"b", "c"}}, {ID: "b", Parents: []string{"d"}}, {ID: "c", Parents: []string{"d", "missing"}}, {ID: "d", Parents: []string{"a"}},
	})
	ids := func(nested bool, from ...string) (list []string) {
		for _, group := range groups.Resolve(from, nested) {
			list = append(list, group.ID)
		}
		return list
	}
	if got := ids(true, "a", "missing"); !cmp.Equal(got, []string{"a", "b", "c", "d"}) {
		t.Errorf("nested: %v", got)
	}
	if got := ids(false, "a", "missing", "a"); !cmp.Equal(got, []string{"a"}) {
		t.Errorf("direct: %v", got)
	}
}

// reader can be read, and nothing else.
type reader struct{ directory.Directory }

func TestPowersAreTheInterfacesThatADirectoryHas(t *testing.T) {
	t.Parallel()
	everything := struct {
		reader
		directory.Creator
		directory.Updater
		directory.StatusSetter
		directory.Deleter
		directory.GroupChanger
		directory.GroupCreator
	}{}
	for _, c := range []struct {
		of   directory.Directory
		want diff.Powers
	}{
		{reader{}, diff.Powers{}},
		{everything, allPowers},
		{struct {
			reader
			directory.Updater
			directory.GroupCreator
		}{}, diff.Powers{Update: true, CreateGroup: true}},
		{struct {
			reader
			directory.Creator
			directory.StatusSetter
		}{}, diff.Powers{Create: true, Status: true}},
		{struct {
			reader
			directory.Deleter
			directory.GroupChanger
		}{}, diff.Powers{Delete: true, Groups: true}},
	} {
		if got := diff.PowersOf(c.of); got != c.want {
			t.Errorf("%T: %+v, want %+v", c.of, got, c.want)
		}
	}
}
