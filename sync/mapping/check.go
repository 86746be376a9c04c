package mapping

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/types"

	"github.com/rollcall-sync/rollcall/sync/directory"
)

// The names of the environment beside the vocabulary.
const (
	groupsName   = "groups"
	groupIDsName = "group_ids"
	customName   = "custom"
	hasName      = "has"
	listName     = "list"
)

// slotKind says in which form an expression gets a value.
type slotKind uint8

const (
	slotText slotKind = iota
	slotBool
	slotTime
	slotList     // a custom attribute where a list is wanted
	slotHas      // whether an attribute has a value
	slotGroups   // names and paths
	slotGroupIDs // ids
)

// slot is one value that expressions read.
type slot struct {
	name string
	kind slotKind
}

// key is the name under which the environment holds the slot; no name that an expression can spell is like those of lists
// and presence.
func (s slot) key() string {
	switch s.kind {
	case slotList:
		return s.name + "\x00list"
	case slotHas:
		return s.name + "\x00has"
	default:
		return s.name
	}
}

func (s slot) typ() types.Type {
	switch s.kind {
	case slotBool, slotHas:
		return types.Bool
	case slotTime:
		return types.TypeOf(time.Time{})
	case slotList, slotGroups, slotGroupIDs:
		return types.TypeOf([]string{})
	default:
		return types.String
	}
}

func kindOf(name string) slotKind {
	switch directory.VocabularyKind(name) {
	case directory.KindBool:
		return slotBool
	case directory.KindTime:
		return slotTime
	default:
		return slotText
	}
}

// checker walks an expression before it is compiled: it refuses what the language leaves out and notes what is used.
type checker struct {
	program *program
	uses    map[string]slot
	faults  []string
}

func (c *checker) fault(format string, arguments ...any) {
	c.faults = append(c.faults, fmt.Sprintf(format, arguments...))
}

func (c *checker) use(s slot) {
	c.uses[s.key()] = s
	switch s.kind {
	case slotGroups, slotGroupIDs:
		c.program.usesGroups, c.program.weighed = true, false
		return
	case slotHas:
		c.program.weighed = false
	}
	c.program.attributes = append(c.program.attributes, s.name)
	if s.name == directory.Active {
		c.program.usesStatus = true
	}
}

// check visits one node where a single value is wanted.
func (c *checker) check(node ast.Node) {
	if name := memberName(node); name != "" {
		c.use(slot{name: name, kind: slotText})
		return
	}
	switch n := node.(type) {
	case *ast.IdentifierNode:
		c.identifier(n.Value)
	case *ast.UnaryNode:
		c.check(n.Node)
	case *ast.BinaryNode:
		c.binary(n)
	case *ast.ChainNode:
		c.check(n.Node)
	case *ast.MemberNode:
		c.member(n)
	case *ast.SliceNode:
		for _, child := range []ast.Node{n.Node, n.From, n.To} {
			if child != nil {
				c.check(child)
			}
		}
	case *ast.CallNode:
		c.call(n)
	case *ast.BuiltinNode:
		c.function(n.Name, n.Arguments)
	case *ast.PredicateNode:
		c.check(n.Node)
	case *ast.ConditionalNode:
		c.check(n.Cond)
		c.check(n.Exp1)
		c.check(n.Exp2)
	case *ast.ArrayNode:
		for _, item := range n.Nodes {
			c.check(item)
		}
	case *ast.NilNode, *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.StringNode, *ast.PointerNode:
	case *ast.VariableDeclaratorNode, *ast.SequenceNode:
		c.fault("variables and ; are not part of the language; write one expression")
	case *ast.MapNode, *ast.PairNode:
		c.fault("maps in braces are not part of the language; use conditions: a ? b : c")
	default:
		c.fault("%s is not part of the language", node.String())
	}
}

func (c *checker) identifier(name string) {
	switch {
	case name == groupsName:
		c.use(slot{name: name, kind: slotGroups})
		c.program.allGroups = true
	case name == groupIDsName:
		c.use(slot{name: name, kind: slotGroupIDs})
		c.program.allGroups = true
	case name == customName:
		c.fault("custom needs the name of an attribute, written out: custom.costCenter or custom[\"cost center\"]")
	case slices.Contains(directory.Vocabulary(), name):
		c.use(slot{name: name, kind: kindOf(name)})
	default:
		c.fault("%s", unknownName(name, append(directory.Vocabulary(), groupsName, groupIDsName)))
	}
}

func (c *checker) binary(n *ast.BinaryNode) {
	switch n.Operator {
	case "..":
		c.fault("ranges with .. are not part of the language")
		return
	case "??":
		c.fault("?? has no effect, because a missing text counts as \"\"; use first_of(a, b)")
		return
	case "matches":
		if _, ok := n.Right.(*ast.StringNode); !ok {
			c.fault("the pattern after matches must be written out in quotes")
		}
	case "in":
		c.check(n.Left)
		c.in(n)
		return
	}
	c.check(n.Left)
	c.check(n.Right)
}

// in notes which groups are asked for, where that can be told from the text.
func (c *checker) in(n *ast.BinaryNode) {
	list, isName := n.Right.(*ast.IdentifierNode)
	name, isText := n.Left.(*ast.StringNode)
	if isName && isText && (list.Value == groupsName || list.Value == groupIDsName) {
		kind := slotGroups
		if list.Value == groupIDsName {
			kind = slotGroupIDs
		}
		c.use(slot{name: list.Value, kind: kind})
		c.program.groupNames = append(c.program.groupNames, name.Value)
		return
	}
	if isName && slices.Contains(directory.Vocabulary(), list.Value) {
		c.fault("%s is one value, not a list; write %s == \"x\" or %s contains \"x\"", list.Value, list.Value, list.Value)
		return
	}
	c.list(n.Right)
}

// list visits a node where a list is wanted.
func (c *checker) list(node ast.Node) {
	if name := memberName(node); name != "" {
		c.use(slot{name: name, kind: slotList})
		return
	}
	c.check(node)
}

func (c *checker) member(n *ast.MemberNode) {
	if identifier, ok := n.Node.(*ast.IdentifierNode); ok && identifier.Value == customName {
		c.fault("custom needs the name of an attribute, written out: custom.costCenter or custom[\"cost center\"]")
		return
	}
	if property, ok := n.Property.(*ast.StringNode); ok {
		if !slices.Contains(timeMethods, property.Value) {
			c.fault("unknown field or method %q; times have %s", property.Value, strings.Join(timeMethods, ", "))
		}
		c.check(n.Node)
		return
	}
	c.list(n.Node)
	c.check(n.Property)
}

// timeMethods are what may be called on a time. Those that ask the machine for its zone are not among them.
var timeMethods = []string{"Year", "Month", "Day", "Hour", "Minute", "Unix", "YearDay", "AddDate", "Format"}

func (c *checker) call(n *ast.CallNode) {
	switch callee := n.Callee.(type) {
	case *ast.IdentifierNode:
		c.function(callee.Value, n.Arguments)
	case *ast.MemberNode:
		if memberName(callee) != "" {
			c.fault("%s is no function", callee.String())
			return
		}
		c.member(callee)
		for _, argument := range n.Arguments {
			c.check(argument)
		}
	default:
		c.fault("%s is no function", n.Callee.String())
	}
}

func (c *checker) function(name string, arguments []ast.Node) {
	switch {
	case name == hasName:
		if len(arguments) != 1 || attributeName(arguments[0]) == "" {
			c.fault("has takes the name of one attribute: has(nickname)")
			return
		}
		c.use(slot{name: attributeName(arguments[0]), kind: slotHas})
		return
	case name == listName:
		if len(arguments) != 1 || memberName(arguments[0]) == "" {
			c.fault("list takes the name of one custom attribute: list(custom.roles)")
			return
		}
		c.list(arguments[0])
		return
	case !isFunction(name):
		if reason, ok := leftOut[name]; ok {
			c.fault("the function %s is not part of the language: %s", name, reason)
			return
		}
		c.fault("unknown function %q%s", name, nearest(name, functionNames()))
		return
	}
	for i, argument := range arguments {
		if i == 0 && takesList(name) {
			c.list(argument)
			continue
		}
		c.check(argument)
	}
}

// checkResult refuses what is no answer to a question, or what no attribute can hold. What only the run knows is checked
// there.
func checkResult(node ast.Node, condition bool) error {
	t := node.Type()
	if condition {
		if t.Kind() != reflect.Bool && t.Kind() != reflect.Interface {
			return fmt.Errorf("must be true or false, but gives a %s", typeName(t.String()))
		}
		return nil
	}
	switch t.Kind() {
	case reflect.Interface, reflect.String, reflect.Bool, reflect.Int, reflect.Float64:
		return nil
	case reflect.Slice:
		element := t.Elem().Kind()
		if t.Elem() != reflect.TypeFor[time.Time]() && element != reflect.Slice && element != reflect.Uint8 {
			return nil
		}
	case reflect.Struct:
		if t == reflect.TypeFor[time.Time]() {
			return nil
		}
	}
	return fmt.Errorf("gives a %s; an attribute takes a text, a number, true or false, a time or a list of texts", typeName(t.String()))
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
