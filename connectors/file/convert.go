package file

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rollcall-sync/rollcall/sync/directory"
)

// otherSplit is recognised between groups where the configured separator is the default and a cell does not have it.
const otherSplit = ";"

// translator turns records into accounts. It does no I/O.
type translator struct {
	layout
	options *options
	grammar grammar
}

// account reads one record. A record whose id cannot be read is an error; whatever else is wrong is the account's Problem.
func (t *translator) account(raw []byte, line int) (directory.Account, error) {
	cells, err := t.cells(raw, line, nil)
	if err != nil {
		return directory.Account{}, err
	}
	id, err := t.readID(cells, line)
	if err != nil {
		return directory.Account{}, err
	}
	account := directory.Account{ID: id, Attributes: make(directory.Attributes, len(t.columns)), Revision: revision(raw)}
	var problems []string
	for i, c := range t.columns {
		if i == t.groups || c.attribute == directory.ID || c.attribute == directory.Active {
			continue
		}
		value, present, problem := t.value(c, cells[i])
		if problem != "" {
			problems = append(problems, fmt.Sprintf("column %s %s", c.header, problem))
		} else if present {
			account.Attributes[c.attribute] = value
		}
	}
	status, problem := t.readStatus(cells)
	account.Status = status
	if problem != "" {
		problems = append(problems, problem)
	}
	if t.groups >= 0 {
		groups, problem := t.readGroups(cells)
		if problem != "" {
			problems = append(problems, problem)
		}
		account.GroupsKnown = problem == ""
		for _, group := range groups {
			account.Groups = append(account.Groups, group.ID)
		}
	}
	if len(problems) > 0 {
		account.Problem = fmt.Sprintf("line %d: %s", line, strings.Join(problems, "; "))
	}
	return account, nil
}

// cells reads the values and puts the line into what is wrong with them.
func (t *translator) cells(raw []byte, line int, only []int) ([]any, error) {
	cells, err := t.grammar.cells(raw, t.columns, only)
	if err == nil && len(cells) != len(t.columns) {
		err = broken(0, "try again; the file seems to be changing", "%d fields where the header has %d", len(cells), len(t.columns))
	}
	var f *fault
	if errors.As(err, &f) {
		placed := *f
		placed.line += line
		return nil, &placed
	}
	return cells, err
}

// revision changes whenever the record does.
func revision(raw []byte) string {
	sum := sha256.Sum256(raw)
	return hex.EncodeToString(sum[:8])
}

func (t *translator) clean(text string) string {
	if t.options.trim {
		return strings.TrimSpace(text)
	}
	return text
}

// readID returns the id of a record.
func (t *translator) readID(cells []any, line int) (string, error) {
	if t.id < 0 {
		return "", broken(line, "set id_column", "the record has no field for the id")
	}
	id := ""
	switch x := cells[t.id].(type) {
	case string:
		id = t.clean(x)
	case json.Number:
		id = x.String()
	case missing, nil:
	default:
		return "", t.broken(line, "the id is neither a text nor a number")
	}
	if id == "" {
		return "", t.broken(line, "the id is missing")
	}
	return id, nil
}

func (t *translator) broken(line int, message string) error {
	f := &fault{
		kind: directory.Invalid, line: line, header: t.columns[t.id].header, message: message,
		remedy: "fill it in; a record that cannot be told from others makes the whole list doubtful",
	}
	if t.columns[t.id].path == nil {
		f.column = t.id + 1
	}
	return f
}

// value turns a cell into an attribute's value. problem is words that follow the name of the column.
func (t *translator) value(c column, cell any) (value directory.Value, present bool, problem string) {
	custom := strings.HasPrefix(c.attribute, directory.CustomPrefix)
	switch x := cell.(type) {
	case missing:
		return value, false, ""
	case nil:
		return value, true, ""
	case map[string]any:
		if custom {
			return value, false, ""
		}
		return value, false, "holds an object where a plain value is expected"
	case []any:
		return t.several(c, x, custom)
	case bool:
		switch {
		case custom || directory.VocabularyKind(c.attribute) == directory.KindBool:
			return directory.Bool(x), true, ""
		}
		return value, false, "holds true or false where a text is expected"
	case json.Number:
		return number64(c, x, custom)
	case string:
		return t.text(c, t.clean(x))
	}
	return value, false, fmt.Sprintf("holds a value of an unknown kind, %T", cell)
}

// several reads an array. Attributes of the vocabulary hold one value, so an array of one will do for them.
func (t *translator) several(c column, items []any, custom bool) (value directory.Value, present bool, problem string) {
	if !custom {
		switch len(items) {
		case 0:
			return value, true, ""
		case 1:
			if _, nested := items[0].([]any); !nested {
				return t.value(c, items[0])
			}
		}
		return value, false, "holds several values where one is expected"
	}
	var list []string
	for _, item := range items {
		switch x := item.(type) {
		case string:
			list = append(list, t.clean(x))
		case json.Number:
			list = append(list, x.String())
		case bool:
			list = append(list, strconv.FormatBool(x))
		default:
			return value, false, ""
		}
	}
	return directory.List(list...), true, ""
}

// number64 reads a JSON number: a text for the vocabulary, where an employee number must keep its digits.
func number64(c column, x json.Number, custom bool) (value directory.Value, present bool, problem string) {
	if !custom {
		if directory.VocabularyKind(c.attribute) != directory.KindText {
			return value, false, "holds a number where something else is expected"
		}
		return directory.Text(x.String()), true, ""
	}
	f, err := x.Float64()
	if err != nil || math.Abs(f) > 1<<53 {
		return directory.Text(x.String()), true, ""
	}
	return directory.Number(f), true, ""
}

// text reads a text.
func (t *translator) text(c column, text string) (value directory.Value, present bool, problem string) {
	if text == "" {
		return value, true, ""
	}
	switch directory.VocabularyKind(c.attribute) {
	case directory.KindBool:
		is, known := t.options.active[strings.ToLower(strings.TrimSpace(text))]
		if !known {
			return value, false, "is neither yes nor no"
		}
		return directory.Bool(is), true, ""
	case directory.KindTime:
		at, ok := readTime(text)
		if !ok {
			return value, false, "is no time such as 2026-02-28T23:59:58Z or 2026-02-28"
		}
		return directory.Time(at), true, ""
	}
	if c.attribute == directory.Email && !mailShape(text) {
		return value, false, "is no e-mail address"
	}
	if c.list {
		var items []string
		for _, item := range strings.Split(text, t.options.listSplit) {
			if item = strings.TrimSpace(item); item != "" {
				items = append(items, item)
			}
		}
		return directory.List(items...), true, ""
	}
	return directory.Text(text), true, ""
}

// mailShape is a look for swapped columns and cut-off values, no proof of an address.
func mailShape(text string) bool {
	local, domain, ok := strings.Cut(text, "@")
	return ok && local != "" && domain != "" && !strings.ContainsAny(domain, "@ \t") && !strings.ContainsAny(local, " \t,;")
}

func readTime(text string) (time.Time, bool) {
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02 15:04:05", "2006-01-02T15:04:05", "2006-01-02 15:04", "2006-01-02"} {
		if at, err := time.Parse(layout, text); err == nil && at.Year() >= 1700 && at.Year() <= 2250 {
			return at, true
		}
	}
	return time.Time{}, false
}

// readStatus tells whether the account may sign in. Without a column everybody may; what is spelled in an unknown way, or
// not filled in, is unknown.
func (t *translator) readStatus(cells []any) (status directory.Status, problem string) {
	if t.active < 0 {
		return directory.StatusActive, ""
	}
	c := t.columns[t.active]
	cell := cells[t.active]
	if list, ok := cell.([]any); ok && len(list) == 1 {
		cell = list[0]
	}
	text := ""
	switch x := cell.(type) {
	case missing:
		return directory.StatusActive, ""
	case bool:
		text = strconv.FormatBool(x)
	case json.Number:
		text = x.String()
	case string:
		text = strings.ToLower(strings.TrimSpace(x))
	}
	is, known := t.options.active[text]
	switch {
	case !known:
		return directory.StatusUnknown, fmt.Sprintf("column %s says neither active nor inactive", c.header)
	case is != c.inverted:
		return directory.StatusActive, ""
	default:
		return directory.StatusInactive, ""
	}
}

// readGroups returns the groups of a record, each once.
func (t *translator) readGroups(cells []any) (groups []directory.Group, problem string) {
	add := func(group directory.Group) {
		if !slices.ContainsFunc(groups, func(have directory.Group) bool { return have.ID == group.ID }) {
			groups = append(groups, group)
		}
	}
	switch x := cells[t.groups].(type) {
	case string:
		for _, name := range t.splitGroups(x) {
			add(directory.Group{ID: name, Name: name})
		}
	case []any:
		for _, item := range x {
			group, ok := jsonGroup(item)
			if !ok {
				return groups, fmt.Sprintf("column %s holds a group without id and name", t.columns[t.groups].header)
			}
			add(group)
		}
	case missing, nil:
	default:
		return nil, fmt.Sprintf("column %s holds no list of groups", t.columns[t.groups].header)
	}
	return groups, ""
}

func (t *translator) splitGroups(cell string) []string {
	separator := t.options.groupSplit
	if separator == defaultSplit && !strings.Contains(cell, separator) {
		separator = otherSplit
	}
	var names []string
	for _, name := range strings.Split(cell, separator) {
		if name = strings.TrimSpace(name); name != "" {
			names = append(names, name)
		}
	}
	return names
}
