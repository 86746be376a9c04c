package mapping

import (
	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/parser"

	"github.com/rollcall-sync/rollcall/sync/directory"
)

// Explanation tells, rule by rule, how a source record becomes an outcome.
type Explanation struct {
	// Expression is the scope as written, empty where everybody takes part; Tests are the questions it is made of.
	Expression  string           `json:"scope_expression,omitempty"`
	Scope       Tri              `json:"scope"`
	Reason      string           `json:"scope_reason,omitempty"`
	Tests       []TestExplained  `json:"tests,omitempty"`
	Attributes  []ValueExplained `json:"attributes,omitempty"`
	Groups      []GroupExplained `json:"groups,omitempty"`
	GroupsKnown bool             `json:"groups_known"`
	// ProtectedBy is the protect expression that holds for the account.
	ProtectedBy string    `json:"protected_by,omitempty"`
	Problems    []Problem `json:"problems,omitempty"`
}

// TestExplained is one question of the scope, with and, or and not taken apart.
type TestExplained struct {
	Expression string  `json:"expression"`
	Result     Tri     `json:"result"`
	Reason     string  `json:"reason,omitempty"`
	Inputs     []Input `json:"inputs,omitempty"`
}

// Input is one value that an expression used.
type Input struct {
	Name string `json:"name"`
	// Present is false where the account does not have the attribute, or its groups or status are not known.
	Present bool            `json:"present"`
	Value   directory.Value `json:"value"`
}

// ValueExplained is one attribute rule.
type ValueExplained struct {
	Target     string          `json:"target"`
	Expression string          `json:"expression"`
	Inputs     []Input         `json:"inputs,omitempty"`
	Known      bool            `json:"known"`
	Present    bool            `json:"present"`
	Value      directory.Value `json:"value"`
	Problem    string          `json:"problem,omitempty"`
}

// GroupExplained is one group rule, or one mirrored group.
type GroupExplained struct {
	Target string  `json:"target"`
	Rule   string  `json:"rule"`
	Result Tri     `json:"result"`
	Reason string  `json:"reason,omitempty"`
	Inputs []Input `json:"inputs,omitempty"`
}

// Explain evaluates a source record as Outbound does and tells how each result came about.
func (m *Mapping) Explain(r Record) Explanation {
	outcome := m.Outbound(r)
	x := Explanation{
		Scope: outcome.Scope, Reason: outcome.ScopeReason, GroupsKnown: outcome.GroupsKnown, Problems: outcome.Problems,
	}
	if m.scope != nil {
		x.Expression = m.scope.source
		x.Tests = explainTests(m.scope.source, r)
	}
	messages := map[string]string{}
	for _, problem := range outcome.Problems {
		messages[problem.Attribute] = problem.Message
	}
	for i, mapped := range outcome.Attributes {
		code := m.out[i].code
		x.Attributes = append(x.Attributes, ValueExplained{
			Target: mapped.Rule.Target, Expression: code.source, Inputs: code.inputs(&r), Known: mapped.Known,
			Present: mapped.Present, Value: mapped.Value, Problem: messages[mapped.Rule.Target],
		})
	}
	x.Groups = m.explainGroups(r, outcome)
	x.ProtectedBy, _ = m.Protected(r)
	return x
}

func (m *Mapping) explainGroups(r Record, outcome Outcome) []GroupExplained {
	e := m.begin(&r)
	defer m.end(e)
	var list []GroupExplained
	hits := map[int]bool{}
	for i := range r.Groups {
		for _, n := range m.groups.find(&r.Groups[i], nil) {
			hits[n] = true
		}
	}
	given := map[string]bool{}
	for n, rule := range m.groups.list {
		x := GroupExplained{Target: rule.rule.Target, Rule: rule.label}
		switch {
		case rule.code != nil:
			answer, err := e.condition(rule.code)
			x.Result, x.Inputs = answer, rule.code.inputs(&r)
			if err != nil {
				x.Reason = err.Error()
			}
		case !r.Account.GroupsKnown:
			x.Reason = errGroupsUnknown.Error()
		default:
			x.Result = triOf(hits[n])
		}
		given[x.Target] = true
		list = append(list, x)
	}
	for _, group := range outcome.Groups {
		if !given[group.Target] {
			list = append(list, GroupExplained{Target: group.Target, Rule: group.Rule, Result: Yes})
		}
	}
	return list
}

// inputs returns the values that an expression uses, by name, groups last.
func (p *program) inputs(r *Record) []Input {
	var list []Input
	for _, name := range p.attributes {
		value, present := attributeOf(r, name)
		list = append(list, Input{Name: name, Present: present, Value: value})
	}
	if p.usesGroups {
		list = append(list, Input{Name: groupsName, Present: r.Account.GroupsKnown, Value: directory.List(groupNames(r.Groups)...)})
	}
	return list
}

// explainTests takes a scope apart and evaluates each of its questions.
func explainTests(scope string, r Record) []TestExplained {
	var tests []TestExplained
	for _, text := range splitTests(scope) {
		test := TestExplained{Expression: text}
		slots := newSlots()
		code, err := compileExpression(text, true, slots)
		if err != nil {
			// A part that means nothing by itself is explained by the whole alone.
			return nil
		}
		e := newEvaluator(slots)
		e.record, e.turn = &r, 1
		test.Result, err = e.condition(code)
		if err != nil {
			test.Reason = err.Error()
		}
		test.Inputs = code.inputs(&r)
		tests = append(tests, test)
	}
	return tests
}

// splitTests returns the questions that and, or and not join, in the order of the text.
func splitTests(scope string) []string {
	tree, err := parser.Parse(scope)
	if err != nil {
		return []string{scope}
	}
	var parts []string
	var split func(node ast.Node)
	split = func(node ast.Node) {
		switch n := node.(type) {
		case *ast.BinaryNode:
			switch n.Operator {
			case "and", "&&", "or", "||":
				split(n.Left)
				split(n.Right)
				return
			}
		case *ast.UnaryNode:
			if n.Operator == "not" || n.Operator == "!" {
				split(n.Node)
				return
			}
		}
		parts = append(parts, node.String())
	}
	split(tree.Node)
	return parts
}
