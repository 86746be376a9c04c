package file

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"

	"github.com/rollcall-sync/rollcall/sync/directory"
)

// The functions below work on JSON that was found valid, and change nothing but what they are asked to: spaces, the order
// of keys and the way in which numbers are written stay.

// span is the place of a value.
type span struct{ start, end int }

// member is one key of an object with the place of its value; keyStart is where the key begins.
type member struct {
	key      string
	keyStart int
	keyEnd   int
	span
}

func skipSpace(raw []byte, i int) int {
	for i < len(raw) && strings.IndexByte(" \t\r\n", raw[i]) >= 0 {
		i++
	}
	return i
}

// skipValue returns where the value that begins at i ends.
func skipValue(raw []byte, i int) int {
	depth, inString := 0, false
	for ; i < len(raw); i++ {
		c := raw[i]
		switch {
		case inString && c == '\\':
			i++
			continue
		case c == '"':
			inString = !inString
		case inString:
			continue
		case c == '{' || c == '[':
			depth++
		case c == '}' || c == ']':
			depth--
		}
		if inString || depth > 0 {
			continue
		}
		if c == '"' || c == '}' || c == ']' || i+1 == len(raw) || strings.IndexByte(",]} \t\r\n", raw[i+1]) >= 0 {
			return i + 1
		}
	}
	return len(raw)
}

// members finds the keys of an object.
func members(raw []byte) []member {
	var found []member
	for i := skipSpace(raw, 1); i < len(raw) && raw[i] == '"'; {
		m := member{keyStart: i}
		m.keyEnd = skipValue(raw, i)
		if json.Unmarshal(raw[i:m.keyEnd], &m.key) != nil {
			return found
		}
		m.start = skipSpace(raw, skipSpace(raw, m.keyEnd)+1)
		m.end = skipValue(raw, m.start)
		found = append(found, m)
		i = skipSpace(raw, skipSpace(raw, m.end)+1)
	}
	return found
}

// elements finds the elements of an array.
func elements(raw []byte) []span {
	var found []span
	for i := skipSpace(raw, 1); i < len(raw) && raw[i] != ']'; {
		s := span{i, skipValue(raw, i)}
		found = append(found, s)
		i = skipSpace(raw, skipSpace(raw, s.end)+1)
	}
	return found
}

func replace(raw []byte, s span, value []byte) []byte {
	return slices.Concat(raw[:s.start], value, raw[s.end:])
}

// put sets the value at a path and makes what is missing on the way.
func put(raw []byte, path []string, value []byte) []byte {
	if len(path) == 0 {
		return value
	}
	if strings.HasPrefix(path[0], "[") {
		return putElement(raw, path, value)
	}
	if len(raw) == 0 || raw[0] != '{' {
		raw = []byte("{}")
	}
	have := members(raw)
	for _, m := range have {
		if m.key == path[0] {
			return replace(raw, m.span, put(raw[m.start:m.end], path[1:], value))
		}
	}
	key, _ := json.Marshal(path[0])
	value = put(nil, path[1:], value)
	if len(have) == 0 {
		return slices.Concat([]byte("{"), key, []byte(":"), value, []byte("}"))
	}
	last := have[len(have)-1]
	between := slices.Concat([]byte(","), raw[1:have[0].keyStart])
	if len(have) > 1 {
		between = raw[have[len(have)-2].end:last.keyStart]
	}
	return slices.Concat(raw[:last.end], between, key, raw[last.keyEnd:last.start], value, raw[last.end:])
}

// putElement sets a value inside the element that the selector means.
func putElement(raw []byte, path []string, value []byte) []byte {
	if len(raw) == 0 || raw[0] != '[' {
		raw = []byte("[]")
	}
	var items []any
	if err := json.Unmarshal(raw, &items); err != nil {
		items = nil
	}
	have := elements(raw)
	if at := pick(items, path[0]); at >= 0 {
		return replace(raw, have[at], put(raw[have[at].start:have[at].end], path[1:], value))
	}
	item := put(nil, path[1:], value)
	if kind := strings.Trim(path[0], "[]"); kind != "" {
		text, _ := json.Marshal(kind)
		item = put(item, []string{"type"}, text)
	} else {
		item = put(item, []string{"primary"}, []byte("true"))
	}
	return addElement(raw, have, item)
}

// addElement appends to an array, with the same space between as before.
func addElement(raw []byte, have []span, item []byte) []byte {
	if len(have) == 0 {
		return slices.Concat([]byte("["), item, []byte("]"))
	}
	last := have[len(have)-1]
	between := slices.Concat([]byte(","), raw[1:have[0].start])
	if len(have) > 1 {
		between = raw[have[len(have)-2].end:last.start]
	}
	return slices.Concat(raw[:last.end], between, item, raw[last.end:])
}

// edit returns the record with some fields changed; nil makes a new one.
func (g *jsonGrammar) edit(raw []byte, columns []column, changes []change) ([]byte, error) {
	if raw == nil {
		raw = []byte("{}")
	}
	for _, c := range changes {
		value, ok := c.value.(json.RawMessage)
		if !ok {
			encoded, err := marshal(c.value)
			if err != nil {
				return nil, refused(columns[c.column].attribute, "", "the value cannot be written as JSON: %v", err)
			}
			value = encoded
		}
		raw = put(raw, columns[c.column].path, value)
	}
	return raw, nil
}

// marshal writes a value with its <, > and & as they are.
func marshal(value any) ([]byte, error) {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// groupsValue writes the groups of a record: elements that stay keep their bytes.
func (g *jsonGrammar) groupsValue(raw []byte, c column, want []directory.Group) (any, error) {
	old := raw
	for _, key := range c.path {
		var found []byte
		if len(old) > 0 && old[0] == '{' {
			for _, m := range members(old) {
				if m.key == key {
					found = old[m.start:m.end]
				}
			}
		}
		old = found
	}
	if len(old) > 0 && old[0] == '"' {
		return joinGroups(want, g.split, g.split)
	}
	list := []byte("[]")
	have := map[string]bool{}
	if len(old) > 0 && old[0] == '[' {
		var items []any
		decoder := json.NewDecoder(bytes.NewReader(old))
		decoder.UseNumber()
		if err := decoder.Decode(&items); err != nil {
			return nil, err
		}
		for i, place := range elements(old) {
			group, ok := jsonGroup(items[i])
			if !ok || slices.ContainsFunc(want, func(w directory.Group) bool { return w.ID == group.ID }) {
				list = addElement(list, elements(list), old[place.start:place.end])
				have[group.ID] = true
			}
		}
	}
	for _, group := range want {
		if have[group.ID] {
			continue
		}
		item, err := g.style.write(group)
		if err != nil {
			return nil, err
		}
		list = addElement(list, elements(list), item)
	}
	return json.RawMessage(list), nil
}

// write returns a group as the file writes its groups.
func (s groupStyle) write(group directory.Group) ([]byte, error) {
	if s.id == "" && s.name == "" {
		return marshal(group.ID)
	}
	item := []byte("{}")
	for _, part := range []struct{ key, text string }{{s.id, group.ID}, {s.name, group.Name}} {
		if part.key == "" {
			continue
		}
		text, err := marshal(part.text)
		if err != nil {
			return nil, err
		}
		item = put(item, []string{part.key}, text)
	}
	return item, nil
}

// jsonGroup reads one element of a list of groups.
func jsonGroup(item any) (directory.Group, bool) {
	if name, ok := item.(string); ok {
		return directory.Group{ID: name, Name: name}, name != ""
	}
	object, ok := item.(map[string]any)
	if !ok {
		return directory.Group{}, false
	}
	first := func(keys []string) string {
		for _, key := range keys {
			switch text := object[key].(type) {
			case string:
				if text != "" {
					return text
				}
			case json.Number:
				return text.String()
			}
		}
		return ""
	}
	group := directory.Group{ID: first(groupIDKeys), Name: first(groupNameKeys)}
	if group.ID == "" {
		group.ID = group.Name
	}
	if group.Name == "" {
		group.Name = group.ID
	}
	return group, group.ID != ""
}

// separator stands between the last record and a new one; gap is what stands between the last two.
func (g *jsonGrammar) separator(gap []byte) string {
	switch {
	case g.lines:
		return g.newline
	case bytes.Contains(gap, []byte{','}):
		return string(gap)
	default:
		return "," + string(gap)
	}
}

// first stands before and after the first record of a file that has none.
func (g *jsonGrammar) first() (before, after string) {
	if g.lines {
		return "", g.newline
	}
	return g.newline, g.newline
}

// bodyStart is where the first record of a file without any goes.
func (g *jsonGrammar) bodyStart() int64 { return g.body }
