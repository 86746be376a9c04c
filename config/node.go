package config

import (
	"fmt"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// node is one value of a file with aliases followed, merge keys folded in, references replaced and duplicate keys
// reported, so that whatever comes after sees a plain tree.
type node struct {
	file         *source
	line, column int
	// path is the key: "syncs.staff.limits".
	path string
	kind kind
	// tag is the short YAML tag of a scalar as written: !!str, !!int, !!bool, !!null ...
	tag string
	// written is the scalar as it stands in the file, text with its references replaced. Messages show written only.
	written, text string
	// referenced is set where text holds something that does not stand in the file; missing where it could not be found.
	referenced, missing bool
	items               []*node
	pairs               []pair
}

// source is where nodes come from: a file, the environment or a flag.
type source struct {
	name string
	// folder is what relative paths in it are relative to; "" is the working folder.
	folder string
	order  int
}

type pair struct {
	name string
	// key has the position of the name and the path of the value.
	key   *node
	value *node
}

type kind uint8

const (
	broken kind = iota // already reported; nobody complains again
	scalar
	list
	mapping
)

func (n *node) fault(remedy, format string, args ...any) Fault {
	return Fault{
		File: n.file.name, Line: n.line, Column: n.column, Key: n.path, order: n.file.order,
		Message: fmt.Sprintf(format, args...), Remedy: remedy,
	}
}

// shown is the scalar for messages: as written, cut where it is long.
func (n *node) shown() string {
	text := n.written
	if runes := []rune(text); len(runes) > 60 {
		text = string(runes[:57]) + "..."
	}
	return strconv.Quote(text)
}

// quote is a name for messages: as written where it came by a reference.
func (n *node) quote(name string) string {
	if n.referenced {
		return n.shown()
	}
	return strconv.Quote(name)
}

// null reports whether the key has no value.
func (n *node) null() bool { return n.kind == scalar && n.tag == "!!null" && !n.referenced }

// get returns the value of one key of a mapping, or nil.
func (n *node) get(name string) *node {
	for _, p := range n.pairs {
		if p.name == name {
			return p.value
		}
	}
	return nil
}

// locate returns the node at a dotted path below n; the deepest one that exists where the path goes on into nothing. Names
// may hold dots themselves.
func (n *node) locate(path string) *node {
	for i, item := range n.items {
		if rest, ok := below(path, strconv.Itoa(i)); ok {
			return item.locate(rest)
		}
	}
	var deepest *node
	longest, remaining := -1, ""
	for _, p := range n.pairs {
		if rest, ok := below(path, p.name); ok && len(p.name) > longest {
			deepest, longest, remaining = p.value, len(p.name), rest
		}
	}
	if deepest == nil {
		return n
	}
	return deepest.locate(remaining)
}

func below(path, name string) (rest string, ok bool) {
	if path == name {
		return "", true
	}
	rest, ok = strings.CutPrefix(path, name+".")
	return rest, ok
}

// maxNodes bounds what aliases of aliases may unfold to.
const maxNodes = 500_000

// unfolder turns YAML's nodes into ours.
type unfolder struct {
	loader *loader
	file   *source
	left   int
	// open holds the anchors that are being unfolded, to find one that holds itself.
	open map[*yaml.Node]bool
}

func (u *unfolder) place(y *yaml.Node, path string) *node {
	return &node{file: u.file, line: y.Line, column: y.Column, path: path}
}

func (u *unfolder) unfold(y *yaml.Node, path string) *node {
	n := u.place(y, path)
	u.left--
	if u.left <= 0 {
		if u.left == 0 {
			u.loader.fault(n, "use fewer aliases (*name)", "the file unfolds to more than %d values", maxNodes)
		}
		return n
	}
	switch y.Kind {
	case yaml.AliasNode:
		if u.open[y.Alias] {
			u.loader.fault(n, "an anchor cannot be used inside itself", "*%s holds itself", y.Value)
			return n
		}
		u.open[y.Alias] = true
		defer delete(u.open, y.Alias)
		return u.unfold(y.Alias, path)
	case yaml.ScalarNode:
		u.scalar(n, y)
	case yaml.SequenceNode:
		if u.knownTag(n, y, "!!seq") {
			n.kind = list
			for i, item := range y.Content {
				n.items = append(n.items, u.unfold(item, path+"."+strconv.Itoa(i)))
			}
		}
	case yaml.MappingNode:
		if u.knownTag(n, y, "!!map") {
			n.kind = mapping
			u.pairs(n, y)
		}
	}
	return n
}

func (u *unfolder) knownTag(n *node, y *yaml.Node, known ...string) bool {
	tag := y.ShortTag()
	for _, k := range known {
		if tag == k {
			return true
		}
	}
	u.loader.fault(n, "remove the tag; secrets are written ${NAME}", "the tag %s is not known here", tag)
	return false
}

func (u *unfolder) scalar(n *node, y *yaml.Node) {
	if !u.knownTag(n, y, "!!str", "!!int", "!!float", "!!bool", "!!null", "!!timestamp", "!!merge") {
		return
	}
	n.kind, n.tag, n.written, n.text = scalar, y.ShortTag(), y.Value, y.Value
	u.loader.resolve(n)
}

// pairs fills in the keys of a mapping. A key of its own wins over one that comes by a merge key (<<), of several merged
// mappings the first one wins, and each name keeps the place where it first stood.
func (u *unfolder) pairs(n *node, y *yaml.Node) {
	own := make(map[string]*node)
	merged := make(map[string]bool)
	for i := 0; i+1 < len(y.Content); i += 2 {
		key, value := y.Content[i], y.Content[i+1]
		if key.Kind == yaml.AliasNode {
			key = key.Alias
		}
		if isMerge(key) {
			continue
		}
		if first, ok := own[key.Value]; ok && key.Kind == yaml.ScalarNode {
			u.loader.fault(u.place(y.Content[i], join(n.path, key.Value)), "keep one of the two", "is given twice, first in line %d", first.line)
			u.unfold(value, join(n.path, key.Value)) // for the faults in it
			continue
		}
		if u.keyFault(n, y.Content[i], key) {
			continue
		}
		own[key.Value] = u.place(y.Content[i], join(n.path, key.Value))
	}
	for i := 0; i+1 < len(y.Content); i += 2 {
		key, value := y.Content[i], y.Content[i+1]
		if key.Kind == yaml.AliasNode {
			key = key.Alias
		}
		if isMerge(key) {
			u.merge(n, value, own, merged)
			continue
		}
		// Only the first of two equal keys is taken; the second was reported above.
		if at := own[key.Value]; at != nil && key.Kind == yaml.ScalarNode && at.line == y.Content[i].Line && at.column == y.Content[i].Column {
			below := u.unfold(value, at.path)
			if below.kind != scalar {
				// What is wrong with a mapping as a whole is best shown at its name, not at its first key.
				below.line, below.column = at.line, at.column
			}
			n.pairs = append(n.pairs, pair{name: key.Value, key: at, value: below})
		}
	}
}

func isMerge(key *yaml.Node) bool { return key.Kind == yaml.ScalarNode && key.ShortTag() == "!!merge" }

func (u *unfolder) keyFault(n *node, at, key *yaml.Node) bool {
	place := u.place(at, n.path)
	switch {
	case key.Kind != yaml.ScalarNode:
		u.loader.fault(place, "write a name", "a list or mapping cannot be a key")
	case key.ShortTag() == "!!null" || key.Value == "":
		u.loader.fault(place, "write a name before the colon", "a key is empty")
	case strings.Contains(key.Value, "${"):
		u.loader.fault(place, "references such as ${NAME} work in values only", "the key %q holds a reference", key.Value)
	default:
		return false
	}
	return true
}

// merge adds the keys of the mappings that a merge key names.
func (u *unfolder) merge(n *node, value *yaml.Node, own map[string]*node, merged map[string]bool) {
	from := u.unfold(value, n.path)
	sources := []*node{from}
	if from.kind == list {
		sources = from.items
	}
	for _, source := range sources {
		if source.kind == broken {
			continue
		}
		if source.kind != mapping {
			u.loader.fault(u.place(value, n.path), "write <<: *name, with &name before a mapping", "the merge key << takes mappings only")
			continue
		}
		for _, p := range source.pairs {
			if own[p.name] == nil && !merged[p.name] {
				merged[p.name] = true
				p.value.repath(join(n.path, p.name))
				p.key.path = p.value.path
				n.pairs = append(n.pairs, p)
			}
		}
	}
}

// repath corrects the paths below a node that was unfolded at another place (a list of merged mappings).
func (n *node) repath(path string) {
	if n.path == path {
		return
	}
	n.path = path
	for i, item := range n.items {
		item.repath(path + "." + strconv.Itoa(i))
	}
	for _, p := range n.pairs {
		p.value.repath(join(path, p.name))
		p.key.path = p.value.path
	}
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}
