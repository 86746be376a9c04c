package mapping_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-sync/rollcall/sync/mapping"
	"github.com/rollcall-sync/rollcall/sync/rules"
)

// exampleSync has a rule of every sort for examples to ask about.
func exampleSync(examples ...rules.Example) rules.Sync {
	return rules.Sync{
		Scope: `active and department == "Press"`,
		Attributes: []rules.Attribute{
			{Target: "username", From: "lower(username)", Required: true},
			{Target: "email_verified", From: "email_verified"},
			{Target: "created_at", From: "created_at"},
			{Target: "custom.roles", From: "custom.roles"},
			{Target: "custom.age", From: "custom.age"},
			{Target: "title", From: "custom.list[3]"},
		},
		Groups:   []rules.Group{{Target: "editor", When: `"/Web/Editors" in groups`}, {Target: "author", When: `"Staff" in groups and custom.list[3] != "x"`}},
		Examples: examples,
	}
}

func TestExamplesThatHoldAreSilent(t *testing.T) {
	m := compile(t, exampleSync(
		rules.Example{Given: map[string]any{"username": "ANNA", "department": "Press"}, Expect: map[string]any{"username": "anna", "in_scope": true}},
		rules.Example{Given: map[string]any{"department": "Press", "active": false}, Expect: map[string]any{"in_scope": false}},
		rules.Example{Given: map[string]any{"department": "Press", "active": true}, Expect: map[string]any{"in_scope": true, "username": nil, "email_verified": ""}},
		rules.Example{Given: map[string]any{"email_verified": true}, Expect: map[string]any{"email_verified": "true"}},
		rules.Example{Given: map[string]any{"created_at": time.Date(2026, 1, 31, 0, 0, 0, 0, time.UTC)}, Expect: map[string]any{"created_at": "2026-01-31"}},
		rules.Example{Given: map[string]any{"custom": map[string]any{"roles": []any{"a", 1}, "age": 42}, "id": 7}, Expect: map[string]any{"custom.roles": []any{"1", "a"}, "custom.age": "42"}},
		rules.Example{Given: map[string]any{"custom.age": int64(42)}, Expect: map[string]any{"custom": map[string]any{"age": uint64(42)}}},
		rules.Example{Given: map[string]any{"groups": []any{"/Web/Editors"}}, Expect: map[string]any{"groups": []any{"editor"}}},
		rules.Example{Given: map[string]any{"groups": "Staff", "custom.list": []string{"a", "b", "c", "d"}}, Expect: map[string]any{"groups": "author", "title": "d"}},
		rules.Example{Given: map[string]any{"username": "x"}, Expect: map[string]any{"groups": []any{}}},
	))
	if failures := m.RunExamples(); failures != nil {
		t.Errorf("failures: %v", failures)
	}
}

func TestExamplesThatDoNotHoldSayWhatWasExpectedAndWhatCame(t *testing.T) {
	for name, test := range map[string]struct {
		example rules.Example
		want    []string
	}{
		"a text": {
			rules.Example{Given: map[string]any{"username": "ANNA"}, Expect: map[string]any{"username": "ANNA"}},
			[]string{`username: expected "ANNA", got "anna"`},
		},
		"a value in place of none": {
			rules.Example{Given: map[string]any{"custom.age": 42}, Expect: map[string]any{"custom.age": nil}},
			[]string{`custom.age: expected no value, got "42"`},
		},
		"no value, with the problem": {
			rules.Example{Expect: map[string]any{"username": "anna"}},
			[]string{`username: expected "anna", got no value (is required and has no value (rule: lower(username)))`},
		},
		"an empty value": {
			rules.Example{Given: map[string]any{"custom.age": ""}, Expect: map[string]any{"custom.age": "1"}},
			[]string{`custom.age: expected "1", got no value`},
		},
		"a failure": {
			rules.Example{Given: map[string]any{"custom.list": []any{"a"}}, Expect: map[string]any{"title": "d"}},
			[]string{`title: expected "d", got no value (index out of range: 3 (array length is 1))`},
		},
		"a failure where nothing was expected": {
			rules.Example{Given: map[string]any{"custom.list": []any{"a"}}, Expect: map[string]any{"title": nil}},
			[]string{`title: expected no value, got no value (index out of range: 3 (array length is 1))`},
		},
		"the scope": {
			rules.Example{Given: map[string]any{"department": "Web"}, Expect: map[string]any{"in_scope": true}},
			[]string{`in_scope: expected yes, got no`},
		},
		"groups": {
			rules.Example{Given: map[string]any{"groups": []any{"/Web/Editors"}}, Expect: map[string]any{"groups": []any{"author"}}},
			[]string{`groups: expected "author", got "editor"`},
		},
		"no groups": {
			rules.Example{Given: map[string]any{"groups": []any{"/Web/Editors"}}, Expect: map[string]any{"groups": nil}},
			[]string{`groups: expected none, got "editor"`},
		},
		"groups that fail": {
			rules.Example{Given: map[string]any{"groups": []any{"Staff"}}, Expect: map[string]any{"groups": []any{"author"}}},
			[]string{`groups: expected "author", got none (author: index out of range: 3 (array length is 0))`},
		},
		"everything at once": {
			rules.Example{Given: map[string]any{"username": "B", "custom.age": 1}, Expect: map[string]any{"custom.age": "2", "groups": []any{"editor"}, "in_scope": true, "username": "a"}},
			[]string{`in_scope: expected yes, got no`, `custom.age: expected "2", got "1"`, `username: expected "a", got "b"`, `groups: expected "editor", got none`},
		},
	} {
		t.Run(name, func(t *testing.T) {
			test.example.Line = 17
			m := compile(t, exampleSync(rules.Example{Expect: map[string]any{"custom.age": nil}}, test.example))
			var want []mapping.ExampleFailure
			for _, message := range test.want {
				want = append(want, mapping.ExampleFailure{Index: 1, Line: 17, Message: message})
			}
			if diff := cmp.Diff(want, m.RunExamples()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestAnExampleWhoseScopeFailsSaysWhy(t *testing.T) {
	m := compile(t, rules.Sync{Scope: `custom.list[3] == "x"`, Examples: []rules.Example{{Expect: map[string]any{"in_scope": false}}}})
	want := []mapping.ExampleFailure{{Message: "in_scope: expected no, got unknown (index out of range: 3 (array length is 0))"}}
	if diff := cmp.Diff(want, m.RunExamples()); diff != "" {
		t.Error(diff)
	}
}
