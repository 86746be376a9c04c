package mapping_test

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-sync/rollcall/sync/directory"
	"github.com/rollcall-sync/rollcall/sync/mapping"
	"github.com/rollcall-sync/rollcall/sync/rules"
)

func TestGroupRules(t *testing.T) {
	when := func(target, expression string) rules.Group { return rules.Group{Target: target, When: expression} }
	fromGroups := func(target string, names ...string) rules.Group { return rules.Group{Target: target, From: names} }
	for name, test := range map[string]struct {
		rules   []rules.Group
		options rules.GroupOptions
		want    []mapping.WantedGroup
	}{
		"no rules give no groups": {nil, rules.GroupOptions{}, nil},
		"rules give groups in their order": {
			rules: []rules.Group{when("subscriber", "true"), when("author", `department == "Press"`), when("admin", "false"), fromGroups("editor", "Web editors")},
			want:  []mapping.WantedGroup{{"subscriber", "true"}, {"author", `department == "Press"`}, {"editor", `from "Web editors"`}},
		},
		"source groups are found by name, path and id": {
			rules: []rules.Group{fromGroups("a", "Staff"), fromGroups("b", "/Web/Web editors"), fromGroups("c", "g2"), fromGroups("d", "Nobody"), fromGroups("e", "staff")},
			want:  []mapping.WantedGroup{{"a", `from "Staff"`}, {"b", `from "/Web/Web editors"`}, {"c", `from "g2"`}},
		},
		"one source group of several is enough": {
			rules: []rules.Group{fromGroups("a", "Nobody", "Staff", "Web editors", "Staff")},
			want:  []mapping.WantedGroup{{"a", `from "Nobody", "Staff", "Web editors", "Staff"`}},
		},
		"an expression finds groups by name and path but not by id": {
			rules: []rules.Group{when("a", `"Staff" in groups`), when("b", `"/Web/Web editors" in groups`), when("c", `"g2" in groups`), when("d", `"g2" in group_ids`)},
			want:  []mapping.WantedGroup{{"a", `"Staff" in groups`}, {"b", `"/Web/Web editors" in groups`}, {"d", `"g2" in group_ids`}},
		},
		"groups joined by or": {
			rules: []rules.Group{when("a", `"Nobody" in groups or "Staff" in groups`), when("b", `"Nobody" in groups || "No one" in groups`), when("c", `"Nobody" in groups or active`)},
			want:  []mapping.WantedGroup{{"a", `"Nobody" in groups or "Staff" in groups`}, {"c", `"Nobody" in groups or active`}},
		},
		"groups joined by and": {
			rules: []rules.Group{when("a", `"Staff" in groups and "Web editors" in groups`), when("b", `"Staff" in groups and "Nobody" in groups`), when("c", `not ("Nobody" in groups)`)},
			want:  []mapping.WantedGroup{{"a", `"Staff" in groups and "Web editors" in groups`}, {"c", `not ("Nobody" in groups)`}},
		},
		"a target group is given once, by the first rule": {
			rules: []rules.Group{fromGroups("editor", "Staff"), when("editor", "active")},
			want:  []mapping.WantedGroup{{"editor", `from "Staff"`}},
		},
		"mirrored groups come last, by name": {
			rules:   []rules.Group{when("Web editors", "true")},
			options: rules.GroupOptions{Mirror: []string{"*"}},
			want:    []mapping.WantedGroup{{"Web editors", "true"}, {"Staff", `mirror "*"`}},
		},
		"mirrored groups are named with the prefix": {
			options: rules.GroupOptions{Mirror: []string{"Web *", "S*f"}, Prefix: "idp-"},
			want:    []mapping.WantedGroup{{"idp-Staff", `mirror "S*f"`}, {"idp-Web editors", `mirror "Web *"`}},
		},
		"a pattern stands for whole names": {
			options: rules.GroupOptions{Mirror: []string{"Web", "staff", "editors*"}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			outcome := compile(t, rules.Sync{Groups: test.rules, GroupOptions: test.options}).Outbound(anna())
			if !outcome.GroupsKnown || len(outcome.Problems) > 0 {
				t.Fatalf("known %v, problems %v", outcome.GroupsKnown, outcome.Problems)
			}
			if diff := cmp.Diff(test.want, outcome.Groups); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestGroupsThatCannotBeDecidedChangeNobody(t *testing.T) {
	for name, test := range map[string]struct {
		rules    []rules.Group
		options  rules.GroupOptions
		change   func(*mapping.Record)
		known    bool
		problems []mapping.Problem
	}{
		"source groups that are not known":           {rules: []rules.Group{{Target: "a", When: "true"}, {Target: "b", From: []string{"Staff"}}}, change: groupsUnknown},
		"an expression of groups that are not known": {rules: []rules.Group{{Target: "a", When: "true"}, {Target: "b", When: `not ("Staff" in groups)`}}, change: groupsUnknown},
		"a plain question for a group not known":     {rules: []rules.Group{{Target: "b", When: `"Staff" in groups`}}, change: groupsUnknown},
		"a mirror of groups that are not known":      {options: rules.GroupOptions{Mirror: []string{"*"}}, change: groupsUnknown},
		"rules that do not look at groups":           {rules: []rules.Group{{Target: "a", When: "true"}}, change: groupsUnknown, known: true},
		"no rules at all":                            {change: groupsUnknown, known: true},
		"a status that is not known":                 {rules: []rules.Group{{Target: "a", When: "active"}}, change: statusUnknown},
		"a rule that fails": {
			rules:    []rules.Group{{Target: "a", When: "true"}, {Target: "b", When: `custom.roles[7] == "x"`}},
			problems: []mapping.Problem{{Attribute: "groups.b", Message: "index out of range: 7 (array length is 2)"}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := anna()
			if test.change != nil {
				test.change(&r)
			}
			outcome := compile(t, rules.Sync{Groups: test.rules, GroupOptions: test.options}).Outbound(r)
			if outcome.GroupsKnown != test.known || (!test.known && outcome.Groups != nil) {
				t.Errorf("known %v, groups %v", outcome.GroupsKnown, outcome.Groups)
			}
			if diff := cmp.Diff(test.problems, outcome.Problems); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestPatternsOfMirroredGroups(t *testing.T) {
	for _, test := range []struct {
		pattern, name string
		fits          bool
	}{
		{"*", "a", true},
		{"*", "", false},
		{"a", "a", true},
		{"a", "ab", false},
		{"a*", "a", true},
		{"a*", "ab", true},
		{"a*", "ba", false},
		{"*a", "ba", true},
		{"*a", "ab", false},
		{"a*c", "abc", true},
		{"a*c", "ac", true},
		{"a*c", "acb", false},
		{"a*a", "a", false},
		{"*b*", "abc", true},
		{"*b*", "ac", false},
		{"a*b*c", "a-c-b-c", true},
		{"a*b*b", "ab", false},
		{"**", "a", true},
		{"a.c", "abc", false},
		{"A", "a", false},
		{"ü*", "übung", true},
	} {
		t.Run(fmt.Sprintf("%s and %s", test.pattern, test.name), func(t *testing.T) {
			m := compile(t, rules.Sync{GroupOptions: rules.GroupOptions{Mirror: []string{test.pattern}}})
			if got := len(m.ManagedGroups([]directory.Group{{Name: test.name}})) == 1; got != test.fits {
				t.Errorf("fits: %v", got)
			}
		})
	}
}

func TestManagedGroupsAreThoseOfTheRulesAndTheMirroredOnes(t *testing.T) {
	m := compile(t, rules.Sync{
		Groups:       []rules.Group{{Target: "subscriber", When: "true"}, {Target: "editor", From: []string{"Web"}}, {Target: "editor", When: "active"}, {Target: "x-Web", When: "true"}},
		GroupOptions: rules.GroupOptions{Mirror: []string{"W*"}, Prefix: "x-"},
	})
	got := m.ManagedGroups([]directory.Group{{Name: "Web"}, {Name: "Other"}, {Name: "Work"}, {Name: "Work", Path: "/B/Work"}})
	if diff := cmp.Diff([]string{"editor", "subscriber", "x-Web", "x-Work"}, got); diff != "" {
		t.Error(diff)
	}
}

func TestGroupSourceTurnsRulesAround(t *testing.T) {
	m := compile(t, rules.Sync{
		Groups: []rules.Group{
			{Target: "editor", From: []string{"/Web/Editors"}},
			{Target: "author", From: []string{"A", "B"}},
			{Target: "subscriber", When: "true"},
			{Target: "twice", From: []string{"A"}},
			{Target: "twice", From: []string{"B"}},
			{Target: "same", From: []string{"A"}},
			{Target: "same", From: []string{"A"}},
			{Target: "idp-Web", From: []string{"Other"}},
			{Target: "mixed", From: []string{"A"}},
			{Target: "mixed", When: "active"},
		},
		GroupOptions: rules.GroupOptions{Mirror: []string{"We*"}, Prefix: "idp-"},
	})
	for target, want := range map[string]string{
		"editor": "/Web/Editors", "author": "", "subscriber": "", "unknown": "", "twice": "", "same": "A",
		"idp-Werk": "Werk", "idp-Web": "", "Werk": "", "idp-Other": "", "mixed": "",
	} {
		if got, ok := m.GroupSource(target); got != want || ok != (want != "") {
			t.Errorf("%s: got %q %v, want %q", target, got, ok, want)
		}
	}
}

func TestAThousandGroupRulesFindTheRightOnes(t *testing.T) {
	var s rules.Sync
	for i := range 1000 {
		s.Groups = append(s.Groups, rules.Group{Target: fmt.Sprintf("role%04d", i), From: []string{fmt.Sprint("Group ", i%500)}})
	}
	r := anna()
	r.Groups = []directory.Group{{ID: "1", Name: "Group 499"}, {ID: "2", Name: "Group 7"}, {ID: "3", Name: "Group 500"}}
	got := compile(t, s).Outbound(r).Groups
	want := []mapping.WantedGroup{{"role0007", `from "Group 7"`}, {"role0499", `from "Group 499"`}, {"role0507", `from "Group 7"`}, {"role0999", `from "Group 499"`}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestWhatTheRulesNeed(t *testing.T) {
	for name, test := range map[string]struct {
		sync             rules.Sync
		source, target   []string
		groups           []string
		all, needs, back bool
	}{
		"nothing but what people know accounts by": {
			source: []string{"email", "email_verified", "username"}, target: []string{"email", "email_verified", "username"},
		},
		"names in every place": {
			sync: rules.Sync{
				Scope: `active and department == "x" and id != ""`, Match: []string{"employee_id"},
				Attributes: []rules.Attribute{
					{Target: "display_name", From: `first_name + custom.suffix + (has(title) ? "x" : "")`},
					{Target: "nickname", From: "nickname", Direction: rules.Both, Conflict: rules.ConflictNewest},
					{Target: "phone", To: "mobile", Back: "lower(custom.phone)", Direction: rules.ToSource},
				},
				Groups:    []rules.Group{{Target: "a", When: `"x" in custom.roles`}},
				Writeback: rules.Writeback{Scope: `country == "DE"`},
				Protect:   []string{`organization == "board"`},
			},
			source: []string{"custom.roles", "custom.suffix", "department", "email", "email_verified", "employee_id", "first_name", "mobile", "nickname", "organization", "title", "updated_at", "username"},
			target: []string{"country", "custom.phone", "display_name", "email", "email_verified", "employee_id", "nickname", "organization", "updated_at", "username"},
		},
		"groups named in expressions and rules": {
			sync: rules.Sync{
				Scope:  `"Staff" in groups or "Guests" in groups`,
				Groups: []rules.Group{{Target: "a", From: []string{"Web", "Staff"}}, {Target: "b", When: `not ("id7" in group_ids)`}},
			},
			source: []string{"email", "email_verified", "username"}, target: []string{"email", "email_verified", "username"},
			groups: []string{"Guests", "Staff", "Web", "id7"}, needs: true,
		},
		"groups used in another way": {
			sync:   rules.Sync{Attributes: []rules.Attribute{{Target: "title", From: `"A" in groups ? "a" : join(groups, ",")`}}},
			source: []string{"email", "email_verified", "username"}, target: []string{"email", "email_verified", "title", "username"},
			groups: []string{"A"}, all: true, needs: true,
		},
		"a group name that is computed": {
			sync:   rules.Sync{Scope: `department in groups`},
			source: []string{"department", "email", "email_verified", "username"}, target: []string{"email", "email_verified", "username"},
			all: true, needs: true,
		},
		"ids in a loop": {
			sync:   rules.Sync{Scope: `any(group_ids, # startsWith "g")`},
			source: []string{"email", "email_verified", "username"}, target: []string{"email", "email_verified", "username"},
			all: true, needs: true,
		},
		"mirrored groups": {
			sync:   rules.Sync{GroupOptions: rules.GroupOptions{Mirror: []string{"*"}}},
			source: []string{"email", "email_verified", "username"}, target: []string{"email", "email_verified", "username"},
			all: true, needs: true,
		},
		"groups that protect, on both sides": {
			sync:   rules.Sync{Protect: []string{`"Admins" in groups`}},
			source: []string{"email", "email_verified", "username"}, target: []string{"email", "email_verified", "username"},
			groups: []string{"Admins"}, needs: true, back: true,
		},
		"groups of the target in the scope of the way back": {
			sync:   rules.Sync{Writeback: rules.Writeback{Scope: `"editor" in groups`}},
			source: []string{"email", "email_verified", "username"}, target: []string{"email", "email_verified", "username"},
			back: true,
		},
		"groups of the target in a rule that leads back": {
			sync:   rules.Sync{Attributes: []rules.Attribute{{Target: "title", To: "title", Back: "first(groups)", Direction: rules.ToSource}}},
			source: []string{"email", "email_verified", "title", "username"}, target: []string{"email", "email_verified", "username"},
			back: true,
		},
	} {
		t.Run(name, func(t *testing.T) {
			m := compile(t, test.sync)
			if diff := cmp.Diff(test.source, m.SourceAttributes()); diff != "" {
				t.Errorf("source: %s", diff)
			}
			if diff := cmp.Diff(test.target, m.TargetAttributes()); diff != "" {
				t.Errorf("target: %s", diff)
			}
			groups, all := m.SourceGroups()
			if diff := cmp.Diff(test.groups, groups); diff != "" || all != test.all {
				t.Errorf("groups (all: %v): %s", all, diff)
			}
			if m.NeedsSourceGroups() != test.needs || m.NeedsTargetGroups() != test.back {
				t.Errorf("needs groups: source %v, target %v", m.NeedsSourceGroups(), m.NeedsTargetGroups())
			}
		})
	}
}
