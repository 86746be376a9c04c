package mapping_test

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-sync/rollcall/sync/directory"
	"github.com/rollcall-sync/rollcall/sync/mapping"
	"github.com/rollcall-sync/rollcall/sync/rules"
)

func input(name, value string) mapping.Input {
	return mapping.Input{Name: name, Present: true, Value: directory.Text(value)}
}

var groupsOfAnna = mapping.Input{Name: "groups", Present: true, Value: directory.List("Web editors", "/Web/Web editors", "Staff")}

func TestExplainTellsEveryTestOfTheScope(t *testing.T) {
	got := compile(t, rules.Sync{
		Scope: `active and (department in ["Press", "Web"] or not ("Staff" in groups)) and not has(title)`,
	}).Explain(anna())
	want := mapping.Explanation{
		Expression: `active and (department in ["Press", "Web"] or not ("Staff" in groups)) and not has(title)`,
		Scope:      mapping.Yes, GroupsKnown: true,
		Tests: []mapping.TestExplained{
			{Expression: "active", Result: mapping.Yes, Inputs: []mapping.Input{{Name: "active", Present: true, Value: directory.Bool(true)}}},
			{Expression: `department in ["Press", "Web"]`, Result: mapping.Yes, Inputs: []mapping.Input{input("department", "Press")}},
			{Expression: `"Staff" in groups`, Result: mapping.Yes, Inputs: []mapping.Input{groupsOfAnna}},
			{Expression: `has(title)`, Result: mapping.No, Inputs: []mapping.Input{{Name: "title"}}},
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestExplainTellsWhatIsNotKnown(t *testing.T) {
	r := anna()
	groupsUnknown(&r)
	got := compile(t, rules.Sync{
		Scope:  `active and "Staff" in groups`,
		Groups: []rules.Group{{Target: "editor", From: []string{"Web editors"}}, {Target: "author", When: "custom.roles[7] == \"x\""}},
	}).Explain(r)
	unknown := "needs the groups of the account, which are not known"
	want := mapping.Explanation{
		Expression: `active and "Staff" in groups`, Reason: unknown,
		Tests: []mapping.TestExplained{
			{Expression: "active", Result: mapping.Yes, Inputs: []mapping.Input{{Name: "active", Present: true, Value: directory.Bool(true)}}},
			{Expression: `"Staff" in groups`, Reason: unknown, Inputs: []mapping.Input{{Name: "groups"}}},
		},
		Groups: []mapping.GroupExplained{
			{Target: "editor", Rule: `from "Web editors"`, Reason: unknown},
			{
				Target: "author", Rule: `custom.roles[7] == "x"`, Reason: "index out of range: 7 (array length is 2)",
				Inputs: []mapping.Input{{Name: "custom.roles", Present: true, Value: directory.List("editor", "author")}},
			},
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestExplainTellsAttributesGroupsAndProtection(t *testing.T) {
	got := compile(t, rules.Sync{
		Attributes: []rules.Attribute{
			{Target: "username", From: "lower(username)"}, {Target: "title", From: "title", Required: true}, {Target: "custom.x", From: "custom.roles[7]"},
		},
		Groups: []rules.Group{
			{Target: "editor", From: []string{"Web editors"}}, {Target: "author", From: []string{"Nobody"}}, {Target: "subscriber", When: "active"},
		},
		GroupOptions: rules.GroupOptions{Mirror: []string{"S*"}},
		Protect:      []string{`username == "ANNA"`},
	}).Explain(anna())
	roles := []mapping.Input{{Name: "custom.roles", Present: true, Value: directory.List("editor", "author")}}
	want := mapping.Explanation{
		Scope: mapping.Yes, GroupsKnown: true, ProtectedBy: `username == "ANNA"`,
		Attributes: []mapping.ValueExplained{
			{Target: "username", Expression: "lower(username)", Inputs: []mapping.Input{input("username", "ANNA")}, Known: true, Present: true, Value: directory.Text("anna")},
			{Target: "title", Expression: "title", Inputs: []mapping.Input{{Name: "title"}}, Known: true, Problem: "is required and has no value (rule: title)"},
			{Target: "custom.x", Expression: "custom.roles[7]", Inputs: roles, Problem: "index out of range: 7 (array length is 2)"},
		},
		Groups: []mapping.GroupExplained{
			{Target: "editor", Rule: `from "Web editors"`, Result: mapping.Yes},
			{Target: "author", Rule: `from "Nobody"`, Result: mapping.No},
			{Target: "subscriber", Rule: "active", Result: mapping.Yes, Inputs: []mapping.Input{{Name: "active", Present: true, Value: directory.Bool(true)}}},
			{Target: "Staff", Rule: `mirror "S*"`, Result: mapping.Yes},
		},
		Problems: []mapping.Problem{
			{Attribute: "title", Message: "is required and has no value (rule: title)"},
			{Attribute: "custom.x", Message: "index out of range: 7 (array length is 2)"},
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestAnExplanationPrintsAsJSON(t *testing.T) {
	data, err := json.Marshal(compile(t, rules.Sync{Scope: "not active", Attributes: from("custom.level")}).Explain(anna()))
	if err != nil {
		t.Fatal(err)
	}
	want := `{"scope_expression":"not active","scope":"no",` +
		`"tests":[{"expression":"active","result":"yes","inputs":[{"name":"active","present":true,"value":true}]}],` +
		`"attributes":[{"target":"custom.x","expression":"custom.level","inputs":[{"name":"custom.level","present":true,"value":42}],"known":true,"present":true,"value":42}],` +
		`"groups_known":true}`
	if diff := cmp.Diff(want, string(data)); diff != "" {
		t.Error(diff)
	}
}

func TestAScopeWhosePartsMeanNothingAloneIsExplainedAsAWhole(t *testing.T) {
	got := compile(t, rules.Sync{Scope: `active and (email_verified ? active : nil)`}).Explain(anna())
	if got.Scope != mapping.Yes || len(got.Tests) != 2 || got.Tests[1].Expression != "email_verified ? active : nil" || got.Tests[1].Result != mapping.Yes {
		t.Errorf("got %+v", got)
	}
}
