package file

import (
	"encoding/json"
	"math"
	"slices"
	"strings"

	"github.com/rollcall-sync/rollcall/sync/directory"
)

// attributes turns attributes into changes of cells. Cells that hold the value already are left as they are written.
func (b *batch) attributes(raw []byte, line int, set directory.Attributes, creating bool) ([]change, error) {
	var old directory.Account
	var cells []any
	if raw != nil {
		var err error
		if old, err = b.x.account(raw, line); err != nil {
			return nil, err
		}
		if cells, err = b.x.cells(raw, line, nil); err != nil {
			return nil, err
		}
	}
	var changes []change
	for _, name := range set.Names() {
		at, err := b.columnFor(name)
		if err != nil {
			return nil, err
		}
		have, present := old.Attributes[name]
		if present && have.Equal(set[name]) {
			continue
		}
		if at == b.x.id && !creating {
			return nil, refused(name, "take it out of the attributes that are written", "%s is the id of the account, which never changes", name)
		}
		var cell any = missing{}
		if at < len(cells) {
			cell = cells[at]
		}
		value, err := b.x.cell(b.x.columns[at], set[name], cell)
		if err != nil {
			return nil, err
		}
		if _, skip := value.(missing); !skip {
			changes = append(changes, change{at, value})
		}
	}
	return changes, nil
}

// columnFor finds the column of an attribute. A JSON record can have any further field; the columns of a CSV file are what
// its header says, because adding one is up to whoever owns the file.
func (b *batch) columnFor(name string) (int, error) {
	if at := b.x.attributeColumn(name); at >= 0 {
		return at, nil
	}
	unsupported := &fault{
		kind: directory.Unsupported, attribute: name, message: "the file has no column for " + name,
		remedy: "add one to its header, or name it under columns",
	}
	if _, isJSON := b.x.grammar.(*jsonGrammar); !isJSON || !directory.IsAttributeName(name) || name == directory.ID || name == directory.Active {
		return 0, unsupported
	}
	key := strings.TrimPrefix(name, directory.CustomPrefix)
	if slices.ContainsFunc(b.x.columns, func(c column) bool { return sameHeader(c.header, key) }) {
		unsupported.message = "the field " + key + " of the file is used for something else than " + name
		unsupported.remedy = "name another field under columns"
		return 0, unsupported
	}
	b.x.columns = append(b.x.columns, column{header: key, attribute: name, path: []string{key}})
	return len(b.x.columns) - 1, nil
}

// cell returns what to write for a value; missing where nothing is to be written.
func (t *translator) cell(c column, value directory.Value, old any) (any, error) {
	if t.options.format == formatCSV {
		return t.csvCell(c, value, old)
	}
	if value.IsEmpty() {
		if _, absent := old.(missing); absent {
			return missing{}, nil
		}
		return nil, nil
	}
	switch value.Kind() {
	case directory.KindBool:
		is, _ := value.AsBool()
		if text, ok := old.(string); ok {
			return spellBool(is, text), nil
		}
		return is, nil
	case directory.KindNumber:
		f, _ := value.AsNumber()
		if math.IsNaN(f) || math.IsInf(f, 0) {
			return nil, refused(c.attribute, "", "JSON has no such number")
		}
		return json.Number(value.String()), nil
	case directory.KindList:
		return value.Items(), nil
	}
	if _, list := old.([]any); list {
		return []string{value.String()}, nil
	}
	return value.String(), nil
}

func (t *translator) csvCell(c column, value directory.Value, old any) (any, error) {
	switch value.Kind() {
	case directory.KindBool:
		is, _ := value.AsBool()
		text, _ := old.(string)
		return spellBool(is, text), nil
	case directory.KindList:
		items := value.Items()
		if !c.list && len(items) > 1 {
			return nil, refused(c.attribute, "name the column under list_columns", "the column %s holds one value, not several", c.header)
		}
		if slices.ContainsFunc(items, func(item string) bool { return strings.Contains(item, t.options.listSplit) }) {
			return nil, refused(c.attribute, "set list_separator to something that no value holds", "a value holds the separator %q", t.options.listSplit)
		}
		return strings.Join(items, t.options.listSplit), nil
	}
	return value.String(), nil
}

// spellBool writes yes or no as the cell does now.
func spellBool(is bool, now string) string {
	now = strings.TrimSpace(now)
	for _, pair := range opposites {
		for i := range pair {
			if !strings.EqualFold(pair[i], now) {
				continue
			}
			if is == (i == 0) {
				return now
			}
			return likeCase(pair[1-i], now)
		}
	}
	if is {
		return "true"
	}
	return "false"
}

// status is the change that gives a record a status.
func (b *batch) status(raw []byte, line int, status directory.Status) ([]change, error) {
	if b.x.active < 0 {
		if status == directory.StatusActive {
			return nil, nil
		}
		return nil, &fault{
			kind: directory.Unsupported, attribute: directory.Active, message: "the file has no column that says who may sign in",
			remedy: "add a column active to it, or set active_column",
		}
	}
	_, isJSON := b.x.grammar.(*jsonGrammar)
	if raw == nil && isJSON && status == directory.StatusActive && b.x.spelling == [2]any{} {
		return nil, nil // no record of the file says that it is active
	}
	value := b.x.spellingOf(status)
	if raw != nil && isJSON {
		cells, err := b.x.cells(raw, line, nil)
		if err != nil {
			return nil, err
		}
		if b.x.active < len(cells) {
			if list, ok := cells[b.x.active].([]any); ok && len(list) == 1 {
				value = []any{value}
			}
		}
	}
	return []change{{b.x.active, value}}, nil
}

// regroup is the change that adds and removes groups. It fills in what the groups are to be.
func (b *batch) regroup(s *store, raw []byte, line int, want *wanted, add, remove []string) ([]change, error) {
	if b.x.layout.groups < 0 {
		return nil, &fault{
			kind: directory.Unsupported, message: "the file has no column of groups",
			remedy: "add a column groups to it, or set groups_column",
		}
	}
	var have []directory.Group
	if raw != nil {
		cells, err := b.x.cells(raw, line, nil)
		if err != nil {
			return nil, err
		}
		problem := ""
		if have, problem = b.x.readGroups(cells); problem != "" {
			return nil, refused("", "correct it in the file", "%s", problem)
		}
	}
	known := s.groups(b.x)
	want.groups = slices.DeleteFunc(slices.Clone(have), func(g directory.Group) bool { return slices.Contains(remove, g.ID) })
	for _, id := range add {
		at := slices.IndexFunc(known, func(g directory.Group) bool { return g.ID == id })
		if at < 0 {
			return nil, refused("", "create the group first", "there is no group %q in the file", id)
		}
		if !slices.ContainsFunc(want.groups, func(g directory.Group) bool { return g.ID == id }) {
			want.groups = append(want.groups, known[at])
		}
	}
	if slices.Equal(groupIDs(have), groupIDs(want.groups)) {
		return nil, nil
	}
	column := b.x.columns[b.x.layout.groups]
	value, err := b.x.grammar.groupsValue(raw, column, want.groups)
	if err != nil {
		return nil, err
	}
	return []change{{b.x.layout.groups, value}}, nil
}

func groupIDs(groups []directory.Group) []string {
	ids := make([]string, 0, len(groups))
	for _, group := range groups {
		ids = append(ids, group.ID)
	}
	return ids
}
