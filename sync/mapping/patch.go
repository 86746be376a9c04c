package mapping

import (
	"reflect"

	"github.com/expr-lang/expr/ast"

	"github.com/rollcall-sync/rollcall/sync/directory"
)

// namePatcher replaces custom.x, has(x), list(x) and lists in "in" and in functions over lists by names of the flat
// environment. Walks go from the leaves up, so that a parent that wants a list turns the name its child has become.
type namePatcher struct{}

func (namePatcher) Visit(node *ast.Node) {
	switch n := (*node).(type) {
	case *ast.MemberNode:
		switch base := n.Node.(type) {
		case *ast.IdentifierNode:
			if property, ok := n.Property.(*ast.StringNode); ok && (base.Value == customName || isCustom(base)) {
				ast.Patch(node, &ast.IdentifierNode{Value: joinName(base.Value, property.Value)})
				return
			}
			if _, isMethod := n.Property.(*ast.StringNode); !isMethod {
				wantList(&n.Node)
			}
		}
	case *ast.ChainNode:
		if identifier, ok := n.Node.(*ast.IdentifierNode); ok && isCustom(identifier) {
			ast.Patch(node, identifier)
		}
	case *ast.BinaryNode:
		if n.Operator == "in" {
			wantList(&n.Right)
		}
	case *ast.BuiltinNode:
		patchCall(node, n.Name, n.Arguments)
	case *ast.CallNode:
		if callee, ok := n.Callee.(*ast.IdentifierNode); ok {
			patchCall(node, callee.Value, n.Arguments)
		}
	}
}

func patchCall(node *ast.Node, name string, arguments []ast.Node) {
	if len(arguments) == 0 {
		return
	}
	switch {
	case name == hasName:
		if identifier, ok := arguments[0].(*ast.IdentifierNode); ok {
			ast.Patch(node, &ast.IdentifierNode{Value: slot{name: identifier.Value, kind: slotHas}.key()})
		}
	case name == listName:
		wantList(&arguments[0])
		ast.Patch(node, arguments[0])
	case takesList(name):
		wantList(&arguments[0])
	}
}

func joinName(base, property string) string {
	if base == customName {
		return directory.CustomPrefix + property
	}
	return base + "." + property
}

func isCustom(identifier *ast.IdentifierNode) bool {
	return len(identifier.Value) > len(directory.CustomPrefix) && identifier.Value[:len(directory.CustomPrefix)] == directory.CustomPrefix
}

func wantList(node *ast.Node) {
	if identifier, ok := (*node).(*ast.IdentifierNode); ok && isCustom(identifier) {
		ast.Patch(node, &ast.IdentifierNode{Value: slot{name: identifier.Value, kind: slotList}.key()})
	}
}

// plusPatcher turns + on texts into a call that has a bound, several in a row into one call.
type plusPatcher struct{}

func (plusPatcher) Visit(node *ast.Node) {
	n, ok := (*node).(*ast.BinaryNode)
	if !ok || n.Operator != "+" {
		return
	}
	if isSum(n.Left) && isSum(n.Right) {
		return
	}
	call := &ast.CallNode{Callee: &ast.IdentifierNode{Value: plusName}}
	left, ok := n.Left.(*ast.CallNode)
	if ok && isPlus(left) && isString(n.Right) {
		call.Arguments = append(call.Arguments, left.Arguments...)
	} else {
		call.Arguments = append(call.Arguments, n.Left)
	}
	call.Arguments = append(call.Arguments, n.Right)
	ast.Patch(node, call)
}

// isSum reports whether the node is known to be a number, a time or a span of time, where + makes nothing longer.
func isSum(node ast.Node) bool {
	switch node.Type().Kind() {
	case reflect.Int, reflect.Int64, reflect.Float64, reflect.Struct:
		return true
	default:
		return false
	}
}

func isString(node ast.Node) bool { return node.Type().Kind() == reflect.String }

func isPlus(node *ast.CallNode) bool {
	callee, ok := node.Callee.(*ast.IdentifierNode)
	return ok && callee.Value == plusName
}

// workPatcher charges the body of every loop for the parts that it evaluates.
type workPatcher struct{}

func (workPatcher) Visit(node *ast.Node) {
	n, ok := (*node).(*ast.PredicateNode)
	if !ok {
		return
	}
	if call, ok := n.Node.(*ast.CallNode); ok {
		if callee, ok := call.Callee.(*ast.IdentifierNode); ok && callee.Value == workName {
			return
		}
	}
	size := &counter{}
	ast.Walk(&n.Node, size)
	n.Node = &ast.CallNode{
		Callee:    &ast.IdentifierNode{Value: workName},
		Arguments: []ast.Node{&ast.IdentifierNode{Value: budgetName}, n.Node, &ast.IntegerNode{Value: size.nodes}},
	}
}

type counter struct{ nodes int }

func (c *counter) Visit(*ast.Node) { c.nodes++ }

// typeForgetter makes expr look at the arguments of every call again. Once a call has a type, expr's check skips what is
// inside it, so that names which a patch put there would have no type and mistakes with them would go unseen.
type typeForgetter struct{}

func (typeForgetter) Visit(node *ast.Node) {
	if call, ok := (*node).(*ast.CallNode); ok {
		call.SetType(nil)
	}
}

// lastForgetter is a typeForgetter for the very end: expr goes through all patches a second time for those that may have to
// be repeated, and checks types before each; only a patch that calls itself repeatable comes after that.
type lastForgetter struct{ typeForgetter }

func (lastForgetter) Reset() {}

func (lastForgetter) ShouldRepeat() bool { return false }

// shapeChecker refuses lists of lists. Without them, and without variables, a value is never much larger than the text
// that makes it, so that comparing two of them cannot take for ever.
type shapeChecker struct{ nested bool }

func (c *shapeChecker) Visit(node *ast.Node) {
	switch n := (*node).(type) {
	case *ast.ArrayNode:
		for _, item := range n.Nodes {
			c.item(item)
		}
	case *ast.BuiltinNode:
		if n.Name == "map" && len(n.Arguments) == 2 {
			if predicate, ok := n.Arguments[1].(*ast.PredicateNode); ok {
				c.item(predicate.Node)
			}
		}
	}
}

func (c *shapeChecker) item(node ast.Node) {
	if _, isNil := node.(*ast.NilNode); isNil {
		return
	}
	switch node.Type().Kind() {
	case reflect.Slice, reflect.Map, reflect.Interface:
		c.nested = true
	}
}
