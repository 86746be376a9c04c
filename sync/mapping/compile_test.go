package mapping_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-sync/rollcall/sync/mapping"
	"github.com/rollcall-sync/rollcall/sync/rules"
)

// from is a rule that copies or makes the custom attribute x.
func from(expression string) []rules.Attribute {
	return []rules.Attribute{{Target: "custom.x", From: expression}}
}

func TestFaultyExpressionsAreRefusedWithARemedy(t *testing.T) {
	for name, test := range map[string]struct{ expression, message string }{
		"an unknown name with the nearest known one":      {`firstName`, `unknown name "firstName"; did you mean "first_name"?; other attributes are written custom.firstName`},
		"an unknown name with none near":                  {`zzz`, `unknown name "zzz"; other attributes are written custom.zzz`},
		"all unknown names of one expression":             {`usrname + emial`, `unknown name "usrname"; did you mean "username"?; other attributes are written custom.usrname; unknown name "emial"; did you mean "email"?; other attributes are written custom.emial`},
		"an unknown function with the nearest known one":  {`lowr(username)`, `unknown function "lowr"; did you mean "lower"?`},
		"an unknown function with none near":              {`launch(username)`, `unknown function "launch"`},
		"the clock":                                       {`now()`, `the function now is not part of the language: the same record must give the same result at any time; compare with a fixed date("2026-01-31")`},
		"the zone of the machine":                         {`created_at.Local()`, `unknown field or method "Local"; times have Year, Month, Day, Hour, Minute, Unix, YearDay, AddDate, Format`},
		"an operator without its right side":              {`username +`, `unexpected token EOF (at character 10)`},
		"the operator for missing values":                 {`username ?? email`, `?? has no effect, because a missing text counts as ""; use first_of(a, b)`},
		"a variable":                                      {`let a = 1; a`, `variables and ; are not part of the language; write one expression`},
		"a sequence":                                      {`username; email`, `variables and ; are not part of the language; write one expression`},
		"a map":                                           {`{a: 1}`, `maps in braces are not part of the language; use conditions: a ? b : c`},
		"a range":                                         {`1..3`, `ranges with .. are not part of the language`},
		"bytes":                                           {`b"x"`, `b"x" is not part of the language`},
		"the whole environment":                           {`$env`, `unknown name "$env"; other attributes are written custom.$env`},
		"custom without a name":                           {`custom`, `custom needs the name of an attribute, written out: custom.costCenter or custom["cost center"]`},
		"custom with a computed name":                     {`custom[username]`, `custom needs the name of an attribute, written out: custom.costCenter or custom["cost center"]`},
		"custom called as a function":                     {`custom.x()`, `custom.x is no function`},
		"a result called as a function":                   {`lower(username)()`, `unexpected token Bracket("(") (at character 16)`},
		"a pattern that is not written out":               {`username matches email`, `the pattern after matches must be written out in quotes`},
		"a pattern that is wrong":                         {`username matches "("`, "error parsing regexp: missing closing ): `(` (at character 10)"},
		"a list in a list":                                {`[groups]`, `the items of a list must be texts, numbers or true/false, all known to be so; use string(value)`},
		"a list made of lists":                            {`map(groups, groups)`, `the items of a list must be texts, numbers or true/false, all known to be so; use string(value)`},
		"an item that may be a list":                      {`map(groups, active ? groups : "a")`, `the items of a list must be texts, numbers or true/false, all known to be so; use string(value)`},
		"a field of a text":                               {`username.foo`, `unknown field or method "foo"; times have Year, Month, Day, Hour, Minute, Unix, YearDay, AddDate, Format`},
		"has without a name":                              {`has(1)`, `has takes the name of one attribute: has(nickname)`},
		"list without a custom attribute":                 {`list(username)`, `list takes the name of one custom attribute: list(custom.roles)`},
		"too few arguments":                               {`lower()`, `not enough arguments to call lower (at character 1)`},
		"an argument of the wrong kind":                   {`lower(1)`, `cannot use number as argument (type text) to call lower (at character 7)`},
		"a text that is compared with a number":           {`custom.level > 3`, `invalid operation: > (mismatched types text and number) (at character 14)`},
		"a text that is equal to a number":                {`username == 1`, `invalid operation: == (mismatched types text and number) (at character 10)`},
		"a text that is added to a number":                {`"a" + 1`, `+ joins texts or adds numbers, not one with the other; use string(number) (at character 5)`},
		"a mistake with a custom attribute inside a call": {`lower(custom.x + 1)`, `+ joins texts or adds numbers, not one with the other; use string(number) (at character 16)`},
		"a mistake inside a loop":                         {`any(groups, # + 1 == "a")`, `+ joins texts or adds numbers, not one with the other; use string(number) (at character 15)`},
		"bools that are added":                            {`active + email_verified`, `+ joins texts or adds numbers, not one with the other; use string(number) (at character 8)`},
		"in on one text":                                  {`"x" in username`, `username is one value, not a list; write username == "x" or username contains "x"`},
		"a loop over one text":                            {`any(username, # == "x")`, `builtin any takes a list (got text) (at character 5)`},
		"a loop item outside a loop":                      {`#`, `unexpected token Operator("#") (at character 1)`},
		"a division by zero that can be seen":             {`1 % 0`, `integer divide by zero (at character 3)`},
		"a result that no attribute holds":                {`created_at - updated_at`, `gives a duration; an attribute takes a text, a number, true or false, a time or a list of texts`},
		"an expression that is too long":                  {`"` + strings.Repeat("a", 10_000) + `"`, `is longer than 10000 characters; split it into several rules`},
		"an expression of too many parts":                 {`1` + strings.Repeat("+1", 600), `compilation failed: expression exceeds maximum allowed nodes (at character 1002)`},
		"an array that is not closed":                     {`[1`, `unexpected token EOF (at character 2)`},
	} {
		t.Run(name, func(t *testing.T) {
			m, faults := mapping.Compile(rules.Sync{Attributes: from(test.expression)})
			if m != nil {
				t.Error("a mapping in spite of faults")
			}
			if diff := cmp.Diff([]mapping.Fault{{Path: "attributes.custom.x.from", Message: test.message}}, faults); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestFaultyRulesAreRefused(t *testing.T) {
	for name, test := range map[string]struct {
		sync rules.Sync
		want string
	}{
		"a scope that is no question": {
			rules.Sync{Scope: "username"},
			"scope: must be true or false, but gives a text",
		},
		"a scope that is a number": {
			rules.Sync{Scope: "1"},
			"scope: must be true or false, but gives a number",
		},
		"an unknown name to match by": {
			rules.Sync{Match: []string{"email", "mail"}},
			`match[1]: unknown name "mail"; did you mean "email"?; other attributes are written custom.mail`,
		},
		"an unknown attribute of the target": {
			rules.Sync{Attributes: []rules.Attribute{{Target: "fristname", From: "first_name"}}},
			`attributes.fristname: unknown name "fristname"; did you mean "first_name"?; other attributes are written custom.fristname`,
		},
		"a rule for the id": {
			rules.Sync{Attributes: []rules.Attribute{{Target: "id", From: "id"}}},
			"attributes.id: an id cannot be written; it is given by the directory",
		},
		"a rule for active": {
			rules.Sync{Attributes: []rules.Attribute{{Target: "active", From: "active"}}},
			"attributes.active: active is not written by attribute rules; the status of an account follows the scope and the actions of the sync",
		},
		"two rules for one attribute": {
			rules.Sync{Attributes: []rules.Attribute{{Target: "email", From: "email"}, {Target: "email", From: "username"}}},
			"attributes.email: is written by two rules; keep one of them",
		},
		"a rule without an expression": {
			rules.Sync{Attributes: []rules.Attribute{{Target: "email", From: " "}}},
			"attributes.email.from: is missing; write the name of a source attribute or an expression",
		},
		"an unknown direction": {
			rules.Sync{Attributes: []rules.Attribute{{Target: "email", From: "email", Direction: "up"}}},
			`attributes.email.direction: "up" is no direction; write to_target, to_source or both`,
		},
		"an unknown conflict policy": {
			rules.Sync{Attributes: []rules.Attribute{{Target: "email", From: "email", Conflict: "me"}}},
			`attributes.email.conflict: "me" is no conflict policy; write report, source, target or newest`,
		},
		"a way back that has no effect": {
			rules.Sync{Attributes: []rules.Attribute{{Target: "email", From: "email", Back: "email"}}},
			"attributes.email.back: has no effect in this direction; set direction to both or to_source, or remove it",
		},
		"a destination of the way back that has no effect": {
			rules.Sync{Attributes: []rules.Attribute{{Target: "email", From: "email", To: "email"}}},
			"attributes.email.to: has no effect in this direction; set direction to both or to_source, or remove it",
		},
		"a way back that cannot be guessed": {
			rules.Sync{Attributes: []rules.Attribute{{Target: "email", From: "lower(email)", To: "email", Direction: rules.Both}}},
			"attributes.email.back: is missing; write the expression over the target that gives the source's value (from is not a plain name)",
		},
		"a destination of the way back that cannot be guessed": {
			rules.Sync{Attributes: []rules.Attribute{{Target: "email", Back: "email", Direction: rules.ToSource}}},
			"attributes.email.to: is missing; name the source attribute that the way back writes (from is not a plain name)",
		},
		"a way back with an unknown name": {
			rules.Sync{Attributes: []rules.Attribute{{Target: "nickname", From: "nickname", Back: "nikname", Direction: rules.Both}}},
			`attributes.nickname.back: unknown name "nikname"; did you mean "nickname"?; other attributes are written custom.nikname`,
		},
		"a way back to the id": {
			rules.Sync{Attributes: []rules.Attribute{{Target: "custom.id", From: "id", Direction: rules.Both}}},
			"attributes.custom.id.to: an id cannot be written; it is given by the directory",
		},
		"two ways back to one attribute": {
			rules.Sync{Attributes: []rules.Attribute{
				{Target: "nickname", From: "nickname", Direction: rules.Both},
				{Target: "display_name", To: "nickname", Back: "display_name", Direction: rules.ToSource},
			}},
			"attributes.display_name.to: nickname is written by two rules on the way back; keep one of them",
		},
		"a group for nobody": {
			rules.Sync{Groups: []rules.Group{{Target: "editor"}}},
			`groups.editor: says for nobody; write an expression, or "true" for everybody`,
		},
		"a group with expression and source groups": {
			rules.Sync{Groups: []rules.Group{{Target: "editor", When: "true", From: []string{"Web"}}}},
			"groups.editor: has both an expression and source groups; keep one of them",
		},
		"a group of an empty source group": {
			rules.Sync{Groups: []rules.Group{{Target: "editor", From: []string{"Web", ""}}}},
			"groups.editor.from: names an empty group; write its name, path or id",
		},
		"a group without a name": {
			rules.Sync{Groups: []rules.Group{{When: "true"}}},
			"groups: a rule has no target group; name the group or role of the target",
		},
		"a group expression that is no question": {
			rules.Sync{Groups: []rules.Group{{Target: "editor", When: "department"}}},
			"groups.editor: must be true or false, but gives a text",
		},
		"an empty mirror pattern": {
			rules.Sync{GroupOptions: rules.GroupOptions{Mirror: []string{"*", ""}}},
			"mirror[1]: is empty; write a group name, with * for any letters",
		},
		"an empty protect expression": {
			rules.Sync{Protect: []string{"active", " "}},
			`protect[1]: is empty; write an expression such as username == "webmaster"`,
		},
		"a protect expression that is no question": {
			rules.Sync{Protect: []string{"username"}},
			"protect[0]: must be true or false, but gives a text",
		},
		"a scope of the way back that is no question": {
			rules.Sync{Writeback: rules.Writeback{Scope: "username"}},
			"writeback.scope: must be true or false, but gives a text",
		},
		"an example with an unknown attribute": {
			rules.Sync{Examples: []rules.Example{{Given: map[string]any{"usrname": "x"}, Expect: map[string]any{"in_scope": true}}}},
			`examples[0].given.usrname: unknown name "usrname"; did you mean "username"?; other attributes are written custom.usrname`,
		},
		"an example with a map for a value": {
			rules.Sync{Examples: []rules.Example{{Given: map[string]any{"username": map[string]any{}}, Expect: map[string]any{"in_scope": true}}}},
			"examples[0].given.username: a value may be a text, a number, a bool or a list of texts, not map[string]interface {}",
		},
		"an example with a list of lists": {
			rules.Sync{Examples: []rules.Example{{Given: map[string]any{"custom": map[string]any{"a": []any{[]any{"x"}}}}, Expect: map[string]any{"in_scope": true}}}},
			"examples[0].given.custom.a: a list may hold texts, numbers and true or false only",
		},
		"an example whose active is a text": {
			rules.Sync{Examples: []rules.Example{{Given: map[string]any{"active": "yes"}, Expect: map[string]any{"in_scope": true}}}},
			"examples[0].given.active: must be true or false",
		},
		"an example that expects an attribute which no rule writes": {
			rules.Sync{Examples: []rules.Example{{Expect: map[string]any{"email": "x"}}}},
			"examples[0].expect.email: no rule writes this attribute of the target",
		},
		"an example that expects an attribute which is only written back": {
			rules.Sync{
				Attributes: []rules.Attribute{{Target: "email", From: "email", Direction: rules.ToSource}},
				Examples:   []rules.Example{{Expect: map[string]any{"email": "x"}}},
			},
			"examples[0].expect.email: no rule writes this attribute of the target",
		},
		"an example that expects an attribute whose rule is faulty": {
			rules.Sync{
				Attributes: []rules.Attribute{{Target: "email", From: "emial"}},
				Examples:   []rules.Example{{Expect: map[string]any{"email": "x"}}},
			},
			`attributes.email.from: unknown name "emial"; did you mean "email"?; other attributes are written custom.emial`,
		},
		"an example whose in_scope is a text": {
			rules.Sync{Examples: []rules.Example{{Expect: map[string]any{"in_scope": "yes"}}}},
			"examples[0].expect.in_scope: must be true or false",
		},
		"an example that expects nothing": {
			rules.Sync{Examples: []rules.Example{{Given: map[string]any{"username": "x"}}}},
			"examples[0].expect: expects nothing; name target attributes, groups or in_scope",
		},
	} {
		t.Run(name, func(t *testing.T) {
			m, faults := mapping.Compile(test.sync)
			if m != nil || len(faults) != 1 || faults[0].String() != test.want {
				t.Errorf("faults:\n%v\nwant:\n%s", faults, test.want)
			}
		})
	}
}

func TestDeeplyNestedTextsAreRefusedWithoutHarm(t *testing.T) {
	for name, text := range map[string]string{
		"brackets": strings.Repeat("(", 9_999), "lists": strings.Repeat("[", 9_999), "negations": strings.Repeat("not ", 2_400) + "active",
		"signs": strings.Repeat("-", 9_000) + "1", "choices": strings.Repeat("active?", 1_400) + "1", "calls": strings.Repeat("lower(", 1_600),
		"indexes": "groups" + strings.Repeat("[0]", 3_000),
	} {
		t.Run(name, func(t *testing.T) {
			if m, faults := mapping.Compile(rules.Sync{Scope: text}); m != nil || len(faults) != 1 {
				t.Errorf("%d faults", len(faults))
			}
		})
	}
}

func TestAllFaultsAreReportedAtOnceInOrder(t *testing.T) {
	_, faults := mapping.Compile(rules.Sync{
		Scope: "username", Match: []string{"x"},
		Attributes: []rules.Attribute{{Target: "email", From: "emial"}, {Target: "username", From: "now()"}},
		Groups:     []rules.Group{{Target: "editor", When: "1"}},
		Writeback:  rules.Writeback{Scope: "2"},
		Protect:    []string{"3"},
		Examples:   []rules.Example{{}},
	})
	var paths []string
	for _, fault := range faults {
		paths = append(paths, fault.Path)
	}
	want := []string{"scope", "match[0]", "attributes.email.from", "attributes.username.from", "groups.editor", "writeback.scope", "protect[0]", "examples[0].expect"}
	if diff := cmp.Diff(want, paths); diff != "" {
		t.Error(diff)
	}
}

func TestRulesKeepsTheDefinition(t *testing.T) {
	if got := compile(t, typical()).Rules(); got.Scope != typical().Scope || len(got.Attributes) != 6 {
		t.Errorf("rules: %+v", got)
	}
}

// rulesOf is a sync with the same expression for many attributes.
func rulesOf(expression string, count int) rules.Sync {
	var s rules.Sync
	for i := range count {
		s.Attributes = append(s.Attributes, rules.Attribute{Target: fmt.Sprint("custom.x", i), From: expression})
	}
	return s
}
