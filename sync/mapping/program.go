package mapping

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/expr-lang/expr"
	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/file"
	"github.com/expr-lang/expr/parser"
	"github.com/expr-lang/expr/types"
	"github.com/expr-lang/expr/vm"

	"github.com/rollcall-sync/rollcall/sync/directory"
)

// program is one compiled expression.
type program struct {
	source string
	// plain is the attribute's name where the expression is nothing but a name; such a program has no code.
	plain string
	// constant is the value of an expression that is a literal; such a program has no code.
	constant any
	code     *vm.Program
	// slots are the values that the code reads.
	slots []int
	// attributes are the names that the expression uses, sorted; id and active among them.
	attributes []string
	// weighed is set where the result is absent when all attributes are.
	weighed bool
	// usesGroups is set where groups or group_ids is read, usesStatus where active is.
	usesGroups, usesStatus bool
	// groupNames are the groups named by `"X" in groups` or in group_ids; allGroups is set where groups are used in
	// another way as well.
	groupNames []string
	allGroups  bool
	// anyOf is set where the whole expression is `"X" in groups`, or several of them joined by or.
	anyOf []string
}

// limits of one expression. Together with the language's own restrictions (no loops but over the lists of one account, no
// variables, regular expressions of linear time) they bound the time of one evaluation.
const (
	maxLength = 10_000 // characters of an expression
	maxNodes  = 1_000  // parts of an expression
	// maxWork is the budget of one evaluation: parts evaluated in loops.
	maxWork = 200_000
	// maxText is the most characters (bytes) that one function may produce.
	maxText = 1 << 16
)

func plainProgram(name string) *program {
	return &program{source: name, plain: name, attributes: []string{name}}
}

// compileExpression checks and compiles one expression; the values that it needs are registered in slots.
func compileExpression(text string, condition bool, slots *slots) (code *program, err error) {
	defer func() {
		if r := recover(); r != nil {
			code, err = nil, fmt.Errorf("cannot be compiled: %v", r)
		}
	}()
	text = strings.TrimSpace(text)
	if len(text) > maxLength {
		return nil, fmt.Errorf("is longer than %d characters; split it into several rules", maxLength)
	}
	if name := plainName(text); name != "" && !condition {
		return plainProgram(name), nil
	}
	tree, err := parser.Parse(text)
	if err != nil {
		return nil, plainError(err)
	}
	if name := memberName(tree.Node); name != "" && !condition {
		return plainProgram(name), nil
	}
	p := &program{source: text, weighed: !condition}
	c := &checker{program: p, uses: map[string]slot{}}
	c.check(tree.Node)
	if len(c.faults) > 0 {
		return nil, errors.New(strings.Join(slices.Compact(c.faults), "; "))
	}
	if value, ok := literal(tree.Node); ok {
		if _, isBool := value.(bool); isBool || !condition {
			p.constant = value
			return p, nil
		}
	}
	if err := p.build(text, condition, c.uses); err != nil {
		return nil, err
	}
	p.anyOf = anyOfGroups(tree.Node)
	p.attributes = slices.Compact(slices.Sorted(slices.Values(p.attributes)))
	for _, key := range sortedKeys(c.uses) {
		p.slots = append(p.slots, slots.add(key, c.uses[key]))
	}
	return p, nil
}

// build compiles the text against an environment that holds exactly the values that the expression uses.
func (p *program) build(text string, condition bool, uses map[string]slot) error {
	environment := types.Map{groupsName: types.TypeOf([]string{}), groupIDsName: types.TypeOf([]string{}), customName: types.Map{}}
	for _, name := range directory.Vocabulary() {
		environment[name] = slot{name: name, kind: kindOf(name)}.typ()
	}
	environment[budgetName] = types.Any
	for key, s := range uses {
		environment[key] = s.typ()
	}
	shape := &shapeChecker{}
	options := []expr.Option{
		expr.Env(environment), expr.MaxNodes(maxNodes), expr.DisableAllBuiltins(),
	}
	for _, patch := range []ast.Visitor{namePatcher{}, plusPatcher{}, workPatcher{}} {
		options = append(options, expr.Patch(patch), expr.Patch(typeForgetter{}))
	}
	options = append(options, expr.Patch(shape), expr.Patch(lastForgetter{}))
	for _, name := range builtinNames() {
		options = append(options, expr.EnableBuiltin(name))
	}
	options = append(options, ownFunctions())
	code, err := expr.Compile(text, options...)
	if err != nil {
		return plainError(err)
	}
	if shape.nested {
		return errors.New("the items of a list must be texts, numbers or true/false, all known to be so; use string(value)")
	}
	if err := checkResult(code.Node(), condition); err != nil {
		return err
	}
	p.code = code
	return nil
}

// plainError puts expr's message on one line and in the words of an administrator.
func plainError(err error) error {
	var at *file.Error
	if !errors.As(err, &at) {
		first, _, _ := strings.Cut(err.Error(), "\n")
		return errors.New(first)
	}
	message, _, _ := strings.Cut(at.Message, "\n")
	return fmt.Errorf("%s (at character %d)", plainTypes(message), at.Column+1)
}

// plainName returns the attribute that the text names, where it is nothing but a name. A custom name may hold signs that
// would otherwise be operators: "custom.cost-center" is a name, because a subtraction of texts means nothing.
func plainName(text string) string {
	if slices.Contains(directory.Vocabulary(), text) {
		return text
	}
	rest, ok := strings.CutPrefix(text, directory.CustomPrefix)
	if !ok || rest == "" {
		return ""
	}
	for _, r := range rest {
		isLetter := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r > 127
		if !isLetter && !strings.ContainsRune("_-.:", r) {
			return ""
		}
	}
	return text
}

// memberName returns the name of the custom attribute that a node stands for: custom.a, custom["odd name"], and
// custom.a.b for a name with a dot.
func memberName(node ast.Node) string {
	if chain, ok := node.(*ast.ChainNode); ok {
		return memberName(chain.Node)
	}
	member, ok := node.(*ast.MemberNode)
	if !ok {
		return ""
	}
	property, ok := member.Property.(*ast.StringNode)
	if !ok || property.Value == "" {
		return ""
	}
	if identifier, ok := member.Node.(*ast.IdentifierNode); ok && identifier.Value == customName {
		return directory.CustomPrefix + property.Value
	}
	if base := memberName(member.Node); base != "" {
		return base + "." + property.Value
	}
	return ""
}

// attributeName returns the attribute that a node stands for, custom or not.
func attributeName(node ast.Node) string {
	if identifier, ok := node.(*ast.IdentifierNode); ok {
		if slices.Contains(directory.Vocabulary(), identifier.Value) {
			return identifier.Value
		}
		return ""
	}
	return memberName(node)
}

func literal(node ast.Node) (any, bool) {
	switch n := node.(type) {
	case *ast.BoolNode:
		return n.Value, true
	case *ast.StringNode:
		return n.Value, true
	case *ast.IntegerNode:
		return n.Value, true
	default:
		return nil, false
	}
}

// anyOfGroups returns the group names of `"A" in groups or "B" in groups`; nil for any other expression.
func anyOfGroups(node ast.Node) []string {
	binary, ok := node.(*ast.BinaryNode)
	if !ok {
		return nil
	}
	switch binary.Operator {
	case "or", "||":
		left, right := anyOfGroups(binary.Left), anyOfGroups(binary.Right)
		if left == nil || right == nil {
			return nil
		}
		return append(left, right...)
	case "in":
		name, isText := binary.Left.(*ast.StringNode)
		list, isName := binary.Right.(*ast.IdentifierNode)
		if isText && isName && list.Value == groupsName {
			return []string{name.Value}
		}
	}
	return nil
}
