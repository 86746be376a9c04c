package mapping

import (
	"fmt"
	"slices"
	"strings"

	"github.com/rollcall-sync/rollcall/sync/directory"
	"github.com/rollcall-sync/rollcall/sync/rules"
)

// Compile checks and compiles every expression of a sync. All faults are returned at once, in the order of the
// configuration; with faults the Mapping is nil. A sync without attribute rules maps no attributes: fill in
// DefaultAttributes first where the defaults of the pair are wanted.
func Compile(s rules.Sync) (*Mapping, []Fault) {
	c := &compiler{slots: newSlots()}
	m := &Mapping{rules: s, slots: c.slots}
	m.scope = c.condition("scope", s.Scope)
	for i, name := range s.Match {
		c.name(fmt.Sprintf("match[%d]", i), name)
	}
	c.attributes(m, s.Attributes)
	c.groups(m, s.Groups, s.GroupOptions)
	m.writeback = c.condition("writeback.scope", s.Writeback.Scope)
	for i, text := range s.Protect {
		path := fmt.Sprintf("protect[%d]", i)
		if strings.TrimSpace(text) == "" {
			c.fault(path, "is empty; write an expression such as username == \"webmaster\"")
			continue
		}
		m.protect = append(m.protect, c.condition(path, text))
	}
	c.examples(m, s.Examples)
	if len(c.faults) > 0 {
		return nil, c.faults
	}
	m.evaluators.New = func() any { return newEvaluator(m.slots) }
	return m, nil
}

// compiler gathers the faults of one sync.
type compiler struct {
	slots  *slots
	faults []Fault
}

func (c *compiler) fault(path, message string) {
	c.faults = append(c.faults, Fault{Path: path, Message: message})
}

// condition compiles an expression that must be true or false; nil for an empty one or a fault.
func (c *compiler) condition(path, text string) *program {
	if strings.TrimSpace(text) == "" {
		return nil
	}
	return c.compile(path, text, true)
}

func (c *compiler) compile(path, text string, condition bool) *program {
	code, err := compileExpression(text, condition, c.slots)
	if err != nil {
		c.fault(path, err.Error())
		return nil
	}
	return code
}

// name checks that an attribute exists.
func (c *compiler) name(path, name string) bool {
	if directory.IsAttributeName(name) {
		return true
	}
	c.fault(path, unknownName(name, directory.Vocabulary()))
	return false
}

// writable checks that an attribute may be written by a rule.
func (c *compiler) writable(path, name string) bool {
	switch name {
	case directory.ID:
		c.fault(path, "an id cannot be written; it is given by the directory")
		return false
	case directory.Active:
		c.fault(path, "active is not written by attribute rules; the status of an account follows the scope and the actions of the sync")
		return false
	default:
		return c.name(path, name)
	}
}

func (c *compiler) attributes(m *Mapping, list []rules.Attribute) {
	seenTarget, seenSource := map[string]bool{}, map[string]bool{}
	for _, rule := range list {
		path := "attributes." + rule.Target
		if seenTarget[rule.Target] {
			c.fault(path, "is written by two rules; keep one of them")
			continue
		}
		seenTarget[rule.Target] = true
		c.writable(path, rule.Target)
		c.choices(path, &rule)

		var from *program
		if strings.TrimSpace(rule.From) != "" {
			from = c.compile(path+".from", rule.From, false)
			if from == nil {
				continue
			}
		} else if rule.Direction != rules.ToSource {
			c.fault(path+".from", "is missing; write the name of a source attribute or an expression")
			continue
		}
		back := c.back(path, &rule, from)
		if rule.Direction != rules.ToSource {
			m.out = append(m.out, attribute{rule: rule, writes: rule.Target, code: from})
		}
		if rule.Direction != rules.ToTarget {
			if rule.To != "" && seenSource[rule.To] {
				c.fault(path+".to", fmt.Sprintf("%s is written by two rules on the way back; keep one of them", rule.To))
			}
			seenSource[rule.To] = true
			m.in = append(m.in, attribute{rule: rule, writes: rule.To, code: back})
		}
	}
}

// choices checks direction and conflict policy and fills in their defaults.
func (c *compiler) choices(path string, rule *rules.Attribute) {
	directions := []rules.Direction{rules.ToTarget, rules.ToSource, rules.Both}
	if rule.Direction == "" {
		rule.Direction = rules.ToTarget
	}
	if !slices.Contains(directions, rule.Direction) {
		c.fault(path+".direction", fmt.Sprintf("%q is no direction; write to_target, to_source or both", rule.Direction))
		rule.Direction = rules.ToTarget
	}
	conflicts := []rules.Conflict{rules.ConflictReport, rules.ConflictSource, rules.ConflictTarget, rules.ConflictNewest}
	if rule.Conflict == "" {
		rule.Conflict = rules.ConflictReport
	}
	if !slices.Contains(conflicts, rule.Conflict) {
		c.fault(path+".conflict", fmt.Sprintf("%q is no conflict policy; write report, source, target or newest", rule.Conflict))
	}
}

// back compiles the way from the target to the source and fills in its defaults, which exist only where From is a plain
// name.
func (c *compiler) back(path string, rule *rules.Attribute, from *program) *program {
	if rule.Direction == rules.ToTarget {
		for _, field := range []struct{ name, value string }{{"to", rule.To}, {"back", rule.Back}} {
			if field.value != "" {
				c.fault(path+"."+field.name, "has no effect in this direction; set direction to both or to_source, or remove it")
			}
		}
		return nil
	}
	plain := ""
	if from != nil {
		plain = from.plain
	}
	if rule.To == "" {
		rule.To = plain
	}
	if rule.To == "" {
		c.fault(path+".to", "is missing; name the source attribute that the way back writes (from is not a plain name)")
	} else {
		c.writable(path+".to", rule.To)
	}
	if strings.TrimSpace(rule.Back) == "" {
		if plain == "" {
			c.fault(path+".back", "is missing; write the expression over the target that gives the source's value (from is not a plain name)")
			return nil
		}
		rule.Back = rule.Target
		return plainProgram(rule.Target)
	}
	return c.compile(path+".back", rule.Back, false)
}

func (c *compiler) groups(m *Mapping, list []rules.Group, options rules.GroupOptions) {
	m.groups.options = options
	for _, rule := range list {
		path := "groups." + rule.Target
		if strings.TrimSpace(rule.Target) == "" {
			c.fault("groups", "a rule has no target group; name the group or role of the target")
			continue
		}
		hasWhen := strings.TrimSpace(rule.When) != ""
		switch {
		case hasWhen && len(rule.From) > 0:
			c.fault(path, "has both an expression and source groups; keep one of them")
		case hasWhen:
			if code := c.condition(path, rule.When); code != nil {
				m.groups.addWhen(rule, code)
			}
		case len(rule.From) > 0:
			if slices.Contains(rule.From, "") {
				c.fault(path+".from", "names an empty group; write its name, path or id")
				continue
			}
			m.groups.addFrom(rule)
		default:
			c.fault(path, "says for nobody; write an expression, or \"true\" for everybody")
		}
	}
	for i, pattern := range options.Mirror {
		if pattern == "" {
			c.fault(fmt.Sprintf("mirror[%d]", i), "is empty; write a group name, with * for any letters")
		}
	}
}
