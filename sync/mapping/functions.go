package mapping

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/expr-lang/expr"
	"github.com/expr-lang/expr/builtin"
	"github.com/expr-lang/expr/conf"
	"github.com/expr-lang/expr/vm/runtime"
)

// Function is one line of the table of functions that expressions may call.
type Function struct {
	// Form shows how it is written; Doc says in one sentence what it gives.
	Form, Doc string

	name string
	// list is set where the first argument is a list.
	list bool
	// own is nil for a function that is expr's own or is replaced when the expression is compiled.
	own   func(arguments []any) (any, error)
	types []any
	// builtin is set for functions of expr itself.
	builtin bool
}

type (
	textToText     = func(string) string
	textTextToText = func(string, string) string
)

// Functions returns the table of all functions, in the order of the documentation.
func Functions() []Function {
	return []Function{
		{name: "lower", Form: "lower(text)", Doc: "the text in lower case", own: onText(strings.ToLower), types: []any{new(textToText)}},
		{name: "upper", Form: "upper(text)", Doc: "the text in upper case", own: onText(strings.ToUpper), types: []any{new(textToText)}},
		{name: "title_case", Form: "title_case(text)", Doc: "each word with a capital first letter, the rest in lower case", own: onText(titleCase), types: []any{new(textToText)}},
		{name: "trim", Form: "trim(text), trim(text, signs)", Doc: "the text without spaces, or without the signs, at both ends", own: trim, types: []any{new(textToText), new(textTextToText)}},
		{name: "trimPrefix", Form: "trimPrefix(text, start)", Doc: "the text without that start", own: onTexts(strings.TrimPrefix), types: []any{new(textTextToText)}},
		{name: "trimSuffix", Form: "trimSuffix(text, end)", Doc: "the text without that end", own: onTexts(strings.TrimSuffix), types: []any{new(textTextToText)}},
		{name: "replace", Form: "replace(text, old, new)", Doc: "the text with every old replaced by new", own: replace, types: []any{new(func(string, string, string) string)}},
		{name: "split", Form: "split(text, separator)", Doc: "the parts of the text as a list", own: split, types: []any{new(func(string, string) []string)}},
		{name: "join", Form: "join(list, separator)", Doc: "the items of the list as one text", list: true, own: join, types: []any{new(func([]string, string) string), new(func([]any, string) string)}},
		{name: "slug", Form: "slug(text)", Doc: "a login made from a name: plain letters and digits in lower case, dots between words", own: onText(slug), types: []any{new(textToText)}},
		{name: "ascii", Form: "ascii(text)", Doc: "the text in plain letters: ä as ae, é as e, ł as l; what has no such form is left out", own: onText(ascii), types: []any{new(textToText)}},
		{name: "domain", Form: "domain(email)", Doc: "what stands after the last @, in lower case", own: onText(domain), types: []any{new(textToText)}},
		{name: "local", Form: "local(email)", Doc: "what stands before the last @", own: onText(local), types: []any{new(textToText)}},
		{name: "first_of", Form: "first_of(a, b, ...)", Doc: "the first text that is not empty", own: firstOf, types: []any{new(func(...string) string)}},
		{name: hasName, Form: "has(name)", Doc: "whether the account has a value for the attribute, neither absent nor empty"},
		{name: listName, Form: "list(custom.name)", Doc: "all values of a custom attribute as a list"},
		{name: "string", Form: "string(value)", Doc: "a number, a time or true/false as text", own: toText, types: []any{new(func(any) string)}},
		{name: "date", Form: "date(text), date(text, layout)", Doc: "the time that a text such as 2026-01-31 names, in UTC", own: date, types: []any{new(func(string) time.Time), new(func(string, string) time.Time)}},
		{name: "duration", Form: "duration(text)", Doc: "a span of time such as 36h", builtin: true},
		{name: "len", Form: "len(text or list)", Doc: "the number of letters or items", builtin: true},
		{name: "int", Form: "int(text)", Doc: "the whole number that the text names", builtin: true},
		{name: "float", Form: "float(text)", Doc: "the number that the text names", builtin: true},
		{name: "abs", Form: "abs(number)", Doc: "the number without its sign", builtin: true},
		{name: "round", Form: "round(number)", Doc: "the nearest whole number", builtin: true},
		{name: "floor", Form: "floor(number)", Doc: "the next whole number below", builtin: true},
		{name: "ceil", Form: "ceil(number)", Doc: "the next whole number above", builtin: true},
		{name: "first", Form: "first(list)", Doc: "the first item; empty for an empty list", list: true, own: first, types: []any{new(func([]string) string), new(func([]any) any)}},
		{name: "last", Form: "last(list)", Doc: "the last item; empty for an empty list", list: true, own: last, types: []any{new(func([]string) string), new(func([]any) any)}},
		{name: "sort", Form: "sort(list)", Doc: "the list in order", list: true, builtin: true},
		{name: "any", Form: "any(list, test)", Doc: "whether the test holds for an item; # stands for the item", list: true, builtin: true},
		{name: "all", Form: "all(list, test)", Doc: "whether the test holds for every item", list: true, builtin: true},
		{name: "none", Form: "none(list, test)", Doc: "whether the test holds for no item", list: true, builtin: true},
		{name: "one", Form: "one(list, test)", Doc: "whether the test holds for exactly one item", list: true, builtin: true},
		{name: "filter", Form: "filter(list, test)", Doc: "the items for which the test holds", list: true, builtin: true},
		{name: "map", Form: "map(list, value)", Doc: "a list of the values made from each item", list: true, builtin: true},
		{name: "find", Form: "find(list, test)", Doc: "the first item for which the test holds", list: true, builtin: true},
		{name: "count", Form: "count(list, test)", Doc: "how many items pass the test", list: true, builtin: true},
	}
}

// leftOut says of functions that expr has why they may not be called.
var leftOut = map[string]string{
	"now":      "the same record must give the same result at any time; compare with a fixed date(\"2026-01-31\")",
	"timezone": "times are in UTC everywhere",
	"repeat":   "it makes values of any size",
	"reduce":   "use any, all, count, filter and map",
	"toJSON":   "use string or join",
	"fromJSON": "attributes are plain values",
}

// table is made once and only read afterwards.
var table = func() map[string]Function {
	byName := map[string]Function{}
	for _, f := range Functions() {
		byName[f.name] = f
	}
	return byName
}()

func isFunction(name string) bool { _, ok := table[name]; return ok }

func takesList(name string) bool { return table[name].list }

func functionNames() []string { return sortedKeys(table) }

func builtinNames() []string {
	var names []string
	for _, name := range functionNames() {
		if table[name].builtin {
			names = append(names, name)
		}
	}
	return names
}

// Names of functions that only patches write; no text can spell them.
const (
	plusName = "+"
	workName = "#work"
	// budgetName is the name of the budget in the environment.
	budgetName = "#budget"
)

// ownFunctions registers the functions of the table and the two that patches use.
func ownFunctions() expr.Option {
	return func(c *conf.Config) {
		for name, f := range table {
			if f.own == nil {
				continue
			}
			registered := &builtin.Function{Name: name, Func: spread(f.own)}
			for _, t := range f.types {
				registered.Types = append(registered.Types, reflect.TypeOf(t).Elem())
			}
			c.Functions[name] = registered
		}
		c.Functions[plusName] = &builtin.Function{Name: plusName, Func: spread(plus), Validate: plusType}
		c.Functions[workName] = &builtin.Function{Name: workName, Func: work, Validate: workType}
	}
}

func spread(run func([]any) (any, error)) func(...any) (any, error) {
	return func(arguments ...any) (any, error) { return run(arguments) }
}

// text takes a missing value for the empty text.
func text(argument any) string { s, _ := argument.(string); return s }

func onText(f func(string) string) func([]any) (any, error) {
	return func(arguments []any) (any, error) { return f(text(arguments[0])), nil }
}

func onTexts(f func(a, b string) string) func([]any) (any, error) {
	return func(arguments []any) (any, error) { return f(text(arguments[0]), text(arguments[1])), nil }
}

var errTooLong = fmt.Errorf("the text becomes longer than %d characters", maxText)

func trim(arguments []any) (any, error) {
	if len(arguments) == 2 {
		return strings.Trim(text(arguments[0]), text(arguments[1])), nil
	}
	return strings.TrimSpace(text(arguments[0])), nil
}

func replace(arguments []any) (any, error) {
	s, from, to := text(arguments[0]), text(arguments[1]), text(arguments[2])
	if from == "" {
		return s, nil
	}
	if n := strings.Count(s, from); n > 0 && len(s)+n*len(to) > maxText {
		return nil, errTooLong
	}
	return strings.ReplaceAll(s, from, to), nil
}

func split(arguments []any) (any, error) {
	s, separator := text(arguments[0]), text(arguments[1])
	if separator == "" {
		return nil, errors.New("split needs a separator")
	}
	if s == "" {
		return []string(nil), nil
	}
	return strings.Split(s, separator), nil
}

func join(arguments []any) (any, error) {
	items, ok := texts(arguments[0])
	if !ok {
		return nil, errors.New("join takes a list of texts")
	}
	separator := text(arguments[1])
	size := 0
	for _, item := range items {
		size += len(item) + len(separator)
		if size > maxText {
			return nil, errTooLong
		}
	}
	return strings.Join(items, separator), nil
}

// texts returns a list of texts, whichever of the two forms expr gave it.
func texts(list any) ([]string, bool) {
	switch l := list.(type) {
	case nil:
		return nil, true
	case []string:
		return l, true
	case []any:
		items := make([]string, 0, len(l))
		for _, item := range l {
			s, ok := item.(string)
			if !ok && item != nil {
				return nil, false
			}
			items = append(items, s)
		}
		return items, true
	default:
		return nil, false
	}
}

func firstOf(arguments []any) (any, error) {
	for _, argument := range arguments {
		if s := strings.TrimSpace(text(argument)); s != "" {
			return s, nil
		}
	}
	return "", nil
}

func first(arguments []any) (any, error) { return item(arguments[0], false), nil }

func last(arguments []any) (any, error) { return item(arguments[0], true), nil }

func item(list any, fromEnd bool) any {
	switch l := list.(type) {
	case []string:
		if len(l) == 0 {
			return ""
		}
		if fromEnd {
			return l[len(l)-1]
		}
		return l[0]
	case []any:
		if len(l) == 0 {
			return ""
		}
		if fromEnd {
			return l[len(l)-1]
		}
		return l[0]
	default:
		return ""
	}
}

func toText(arguments []any) (any, error) {
	value, err := toValue(arguments[0])
	if err != nil {
		return nil, err
	}
	return value.String(), nil
}

var dateLayouts = []string{time.DateOnly, time.RFC3339, time.DateTime, "2006-01-02T15:04:05"}

func date(arguments []any) (any, error) {
	s, layouts := strings.TrimSpace(text(arguments[0])), dateLayouts
	if len(arguments) == 2 {
		layouts = []string{text(arguments[1])}
	}
	for _, layout := range layouts {
		if t, err := time.Parse(layout, s); err == nil {
			return t.UTC(), nil
		}
	}
	return nil, fmt.Errorf("%q is no date; write it as 2026-01-31 or give its layout", shorten(s))
}

// shorten keeps a value in a message readable.
func shorten(s string) string {
	const most = 60
	if utf8.RuneCountInString(s) <= most {
		return s
	}
	return string([]rune(s)[:most]) + "…"
}

// plus is the operator + on texts with a bound; a missing text counts as "".
func plus(arguments []any) (any, error) {
	size := 0
	for _, argument := range arguments {
		s, ok := argument.(string)
		if !ok && argument != nil {
			return plusMixed(arguments)
		}
		size += len(s)
	}
	if size > maxText {
		return nil, errTooLong
	}
	var b strings.Builder
	b.Grow(size)
	for _, argument := range arguments {
		b.WriteString(text(argument))
	}
	return b.String(), nil
}

// plusMixed adds values of which the types were not known when the expression was compiled.
func plusMixed(arguments []any) (any, error) {
	sum := arguments[0]
	for _, argument := range arguments[1:] {
		_, leftText := sum.(string)
		_, rightText := argument.(string)
		if leftText != rightText {
			return nil, errMixedSum
		}
		if leftText {
			sum = text(sum) + text(argument)
			continue
		}
		sum = runtime.Add(sum, argument)
	}
	return sum, nil
}

var errMixedSum = errors.New("+ joins texts or adds numbers, not one with the other; use string(number)")

func plusType(arguments []reflect.Type) (reflect.Type, error) {
	texts, others := 0, 0
	for _, t := range arguments {
		switch {
		case t == nil || t.Kind() == reflect.Interface:
		case t.Kind() == reflect.String:
			texts++
		default:
			others++
		}
	}
	switch {
	case texts > 0 && others > 0, others == len(arguments):
		return nil, errMixedSum
	case texts == len(arguments):
		return reflect.TypeFor[string](), nil
	default:
		return reflect.TypeFor[any](), nil
	}
}

// budget counts down what is left of the work of one evaluation.
type budget struct{ left int }

func (b *budget) spend(cost int) error {
	if b.left -= cost; b.left < 0 {
		return fmt.Errorf("takes more than %d steps; use fewer loops inside loops", maxWork)
	}
	return nil
}

// work is put around the body of every loop: it charges the budget and hands the value of the body through. The budget
// comes as a function, because expr would copy what a pointer points to.
func work(arguments ...any) (any, error) {
	spend, cost := arguments[0].(func(int) error), arguments[2].(int)
	if err := spend(cost); err != nil {
		return nil, err
	}
	return arguments[1], nil
}

func workType(arguments []reflect.Type) (reflect.Type, error) {
	if arguments[1] == nil {
		return reflect.TypeFor[any](), nil
	}
	return arguments[1], nil
}
