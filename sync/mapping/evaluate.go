package mapping

import (
	"errors"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/expr-lang/expr/file"
	"github.com/expr-lang/expr/vm"

	"github.com/rollcall-sync/rollcall/sync/directory"
)

// slots numbers the values that the expressions of one sync read, so that each is made once per record however many
// expressions read it, and only when one does.
type slots struct {
	keys    []string
	all     []slot
	numbers map[string]int
}

func newSlots() *slots { return &slots{numbers: map[string]int{}} }

func (s *slots) add(key string, value slot) int {
	if n, ok := s.numbers[key]; ok {
		return n
	}
	n := len(s.all)
	s.keys, s.all, s.numbers[key] = append(s.keys, key), append(s.all, value), n
	return n
}

// evaluator runs programs over one record at a time. It is reused from a pool, so that a record costs no maps.
type evaluator struct {
	slots  *slots
	record *Record
	// made[n] is the turn in which slot n was put into env; faults[n] says why it could not.
	turn   uint64
	made   []uint64
	faults []error
	env    map[string]any
	budget budget
	vm     vm.VM
}

func newEvaluator(s *slots) *evaluator {
	e := &evaluator{
		slots: s, made: make([]uint64, len(s.all)), faults: make([]error, len(s.all)),
		env: make(map[string]any, len(s.all)+1), vm: vm.VM{MemoryBudget: maxWork},
	}
	e.env[budgetName] = e.budget.spend
	return e
}

// begin takes an evaluator from the pool for one record; end gives it back.
func (m *Mapping) begin(r *Record) *evaluator {
	e := m.evaluators.Get().(*evaluator)
	e.record = r
	e.turn++
	return e
}

func (m *Mapping) end(e *evaluator) {
	e.record = nil
	m.evaluators.Put(e)
}

// The reasons for which a rule stays open without anything being wrong with it.
var (
	errGroupsUnknown = errors.New("needs the groups of the account, which are not known")
	errStatusUnknown = errors.New("depends on active, and the directory does not tell whether the account is active")
)

func isOpen(err error) bool {
	return errors.Is(err, errGroupsUnknown) || errors.Is(err, errStatusUnknown)
}

// condition answers a question; the error says why it is Unknown.
func (e *evaluator) condition(p *program) (Tri, error) {
	if p == nil {
		return Yes, nil
	}
	result, err := e.run(p)
	if err != nil {
		return Unknown, err
	}
	b, ok := result.(bool)
	if !ok {
		return Unknown, fmt.Errorf("%s: gives %v instead of true or false", p.source, result)
	}
	return triOf(b), nil
}

// value gives the value of an attribute rule; present is false where the account has nothing to give.
func (e *evaluator) value(p *program) (value directory.Value, present bool, err error) {
	if p.plain != "" {
		value, present = e.attribute(p.plain)
		return trimmed(value), present, nil
	}
	if p.weighed && len(p.attributes) > 0 && !slices.ContainsFunc(p.attributes, e.has) {
		return directory.Value{}, false, nil
	}
	result, err := e.run(p)
	if err != nil || result == nil {
		return directory.Value{}, false, err
	}
	value, err = toValue(result)
	return value, err == nil, err
}

// run evaluates an expression that is not a plain name.
func (e *evaluator) run(p *program) (any, error) {
	if p.constant != nil {
		return p.constant, nil
	}
	if p.usesGroups && !e.record.Account.GroupsKnown {
		return nil, errGroupsUnknown
	}
	for _, n := range p.slots {
		if e.made[n] != e.turn {
			e.env[e.slots.keys[n]], e.faults[n] = e.make(e.slots.all[n])
			e.made[n] = e.turn
		}
		if e.faults[n] != nil {
			return nil, e.faults[n]
		}
	}
	if p.usesStatus && e.record.Account.Status == directory.StatusUnknown {
		return e.bothWays(p)
	}
	return e.execute(p)
}

// bothWays evaluates with the account active and inactive: only where both give the same is it safe to answer.
func (e *evaluator) bothWays(p *program) (any, error) {
	known := e.env[directory.Active]
	defer func() { e.env[directory.Active] = known }()
	e.env[directory.Active] = true
	active, err := e.execute(p)
	if err != nil {
		return nil, err
	}
	e.env[directory.Active] = false
	inactive, err := e.execute(p)
	if err != nil {
		return nil, err
	}
	if !reflect.DeepEqual(active, inactive) {
		return nil, errStatusUnknown
	}
	return active, nil
}

// plainNumbers words the fault of int("one") and float("one") for people.
func plainNumbers(message string) string {
	for _, call := range []struct{ name, gives string }{{"int", "whole number"}, {"float", "number"}} {
		if text, ok := strings.CutPrefix(message, "invalid operation: "+call.name+"("); ok {
			return fmt.Sprintf("%q is no %s", strings.TrimSuffix(text, ")"), call.gives)
		}
	}
	return message
}

func (e *evaluator) execute(p *program) (any, error) {
	e.budget.left = maxWork
	result, err := e.vm.Run(p.code, e.env)
	if err == nil {
		return result, nil
	}
	message := err.Error()
	var at *file.Error
	if errors.As(err, &at) {
		message = plainNumbers(plainTypes(at.Message))
	}
	for _, n := range p.slots {
		if s := e.slots.all[n]; s.kind == slotTime && e.env[e.slots.keys[n]] == nil {
			message = fmt.Sprintf("the account has no %s; ask has(%s) first", s.name, s.name)
		}
	}
	return nil, errors.New(message)
}

// attribute returns an attribute of the record, id and active included.
func (e *evaluator) attribute(name string) (directory.Value, bool) {
	return attributeOf(e.record, name)
}

func attributeOf(r *Record, name string) (directory.Value, bool) {
	switch name {
	case directory.ID:
		return directory.Text(r.Account.ID), r.Account.ID != ""
	case directory.Active:
		return directory.Bool(r.Account.Status == directory.StatusActive), r.Account.Status != directory.StatusUnknown
	default:
		value, ok := r.Account.Attributes[name]
		return value, ok
	}
}

func (e *evaluator) has(name string) bool { _, ok := e.attribute(name); return ok }

// make gives a slot's value in the form that expressions have: a missing text is "", a missing bool false, a missing time
// nil.
func (e *evaluator) make(s slot) (any, error) {
	switch s.kind {
	case slotGroups:
		return groupNames(e.record.Groups), nil
	case slotGroupIDs:
		return groupIDs(e.record.Groups), nil
	}
	value, _ := e.attribute(s.name)
	switch s.kind {
	case slotHas:
		return !value.IsEmpty(), nil
	case slotList:
		return value.Items(), nil
	case slotBool:
		return boolOf(s.name, value)
	case slotTime:
		return timeOf(s.name, value)
	default:
		return value.String(), nil
	}
}

func boolOf(name string, value directory.Value) (any, error) {
	if value.IsEmpty() {
		return false, nil
	}
	if b, ok := asKind(value, directory.KindBool).AsBool(); ok {
		return b, nil
	}
	return nil, fmt.Errorf("%s must be true or false, but the account has %q", name, shorten(value.String()))
}

func timeOf(name string, value directory.Value) (any, error) {
	if value.IsEmpty() {
		return nil, nil
	}
	if t, ok := asKind(value, directory.KindTime).AsTime(); ok {
		return t, nil
	}
	return nil, fmt.Errorf("%s must be a time, but the account has %q", name, shorten(value.String()))
}

func groupNames(groups []directory.Group) []string {
	names := make([]string, 0, 2*len(groups))
	for _, group := range groups {
		if group.Name != "" {
			names = append(names, group.Name)
		}
		if group.Path != "" && group.Path != group.Name {
			names = append(names, group.Path)
		}
	}
	return names
}

func groupIDs(groups []directory.Group) []string {
	ids := make([]string, 0, len(groups))
	for _, group := range groups {
		ids = append(ids, group.ID)
	}
	return ids
}

// trimmed takes the spaces around a text away.
func trimmed(value directory.Value) directory.Value {
	if value.Kind() != directory.KindText {
		return value
	}
	text := value.String()
	if short := strings.TrimSpace(text); len(short) != len(text) {
		return directory.Text(short)
	}
	return value
}

// toValue turns what an expression gave into a value.
func toValue(result any) (directory.Value, error) {
	switch r := result.(type) {
	case nil:
		return directory.Value{}, nil
	case string:
		return directory.Text(strings.TrimSpace(r)), nil
	case bool:
		return directory.Bool(r), nil
	case int:
		return directory.Number(float64(r)), nil
	case int64:
		return directory.Number(float64(r)), nil
	case float64:
		if math.IsNaN(r) || math.IsInf(r, 0) {
			return directory.Value{}, errors.New("gives no number; is something divided by zero?")
		}
		return directory.Number(r), nil
	case time.Month:
		return directory.Number(float64(r)), nil
	case time.Time:
		return directory.Time(r), nil
	case []string:
		return listOf(r), nil
	case []any:
		items := make([]string, 0, len(r))
		for _, item := range r {
			value, err := toValue(item)
			if err != nil || value.Kind() == directory.KindList {
				return directory.Value{}, errors.New("gives a list of lists; an attribute takes a list of texts")
			}
			items = append(items, value.String())
		}
		return listOf(items), nil
	default:
		return directory.Value{}, fmt.Errorf("gives a %s; an attribute takes a text, a number, true or false, a time or a list of texts", typeName(fmt.Sprintf("%T", result)))
	}
}

// listOf leaves out empty items.
func listOf(items []string) directory.Value {
	kept := make([]string, 0, len(items))
	for _, item := range items {
		if item = strings.TrimSpace(item); item != "" {
			kept = append(kept, item)
		}
	}
	return directory.List(kept...)
}
