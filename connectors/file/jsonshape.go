package file

import (
	"bytes"
	"encoding/json"
	"io"
	"slices"
	"strings"
)

// groupStyle is how the file writes a group: as a text, or as an object with these keys.
type groupStyle struct {
	known    bool
	id, name string
}

var (
	groupIDKeys   = []string{"id", "value"}
	groupNameKeys = []string{"name", "display", "displayName"}
)

// transparent are the objects inside a record whose members count as the record's own: those of SCIM, Okta and Keycloak.
var transparent = []string{"name", "profile", "attributes", "urn:ietf:params:scim:schemas:extension:enterprise:2.0:user"}

// fixedPath returns the attribute of fields whose last name alone does not tell it.
func fixedPath(path []string) string {
	if len(path) < 2 {
		return ""
	}
	switch key := strings.ToLower(strings.Join(path[len(path)-min(3, len(path)):], "/")); {
	case key == "emails/[]/value":
		return "email"
	case key == "phonenumbers/[work]/value":
		return "phone"
	case key == "phonenumbers/[mobile]/value":
		return "mobile"
	case strings.HasSuffix(key, "name/formatted"):
		return "display_name"
	case strings.HasSuffix(key, "manager/value"):
		return "manager"
	}
	return ""
}

// discover reads all records once and returns the fields that occur, in the order of their first appearance.
func (g *jsonGrammar) discover(r textReader) ([]column, error) {
	g.newline, g.told, g.more, g.kinds = "\n", -1, "", map[string]string{}
	var columns []column
	seen := map[string]bool{}
	add := func(path []string, kind string) {
		header := headerOf(path)
		if !seen[header] {
			seen[header] = true
			columns = append(columns, column{header: header, path: slices.Clone(path)})
		}
		if was, ok := g.kinds[header]; kind != "" && ok && was != kind {
			g.kinds[header] = "mixed"
		} else if kind != "" {
			g.kinds[header] = kind
		}
	}
	err := g.walk(r, func(record scanned) error {
		g.fields(record.raw, nil, add)
		return nil
	})
	return columns, err
}

// headerOf is how the options and Check name a field: "name.givenName", "emails.value", "phoneNumbers.work.value".
func headerOf(path []string) string {
	var parts []string
	for _, part := range path {
		if strings.HasPrefix(part, "[") {
			part = strings.Trim(part, "[]")
		}
		if part != "" {
			parts = append(parts, part)
		}
	}
	return strings.Join(parts, ".")
}

// fields names the fields of one object.
func (g *jsonGrammar) fields(raw []byte, prefix []string, add func(path []string, kind string)) {
	for _, m := range members(raw) {
		path := append(slices.Clone(prefix), m.key)
		value := raw[m.start:m.end]
		name := strings.ToLower(m.key)
		switch {
		case value[0] == '{' && len(prefix) == 0 && slices.Contains(transparent, name):
			g.fields(value, path, add)
		case value[0] == '{' && name == "manager":
			add(append(path, "value"), "text")
		case value[0] == '{':
			// Other objects hold nothing that an attribute could take. They stay in the file as they are.
		case value[0] == '[':
			g.list(value, path, add)
		default:
			add(path, scalarKind(value))
		}
	}
}

func scalarKind(value []byte) string {
	switch value[0] {
	case '"':
		return "text"
	case 't', 'f':
		return "bool"
	case 'n':
		return ""
	default:
		return "number"
	}
}

// list names the fields inside an array.
func (g *jsonGrammar) list(value []byte, path []string, add func(path []string, kind string)) {
	items := elements(value)
	objects := len(items) > 0 && value[items[0].start] == '{'
	switch key := strings.ToLower(path[len(path)-1]); {
	case sameHeader(headerOf(path), g.groups):
		if objects {
			g.style.learn(value[items[0].start:items[0].end])
		}
		add(path, "list")
	case key == "emails" && (objects || len(items) == 0):
		add(append(path, "[]", "value"), "text")
	case key == "phonenumbers" && objects:
		add(append(slices.Clone(path), "[work]", "value"), "text")
		add(append(slices.Clone(path), "[mobile]", "value"), "text")
	case key == "addresses" && objects:
		for _, m := range members(value[items[0].start:items[0].end]) {
			if slices.Contains([]string{"streetaddress", "locality", "region", "postalcode", "country"}, strings.ToLower(m.key)) {
				add(append(slices.Clone(path), "[]", m.key), "text")
			}
		}
	case !objects:
		add(path, "list")
	}
}

// learn remembers how a group is written.
func (s *groupStyle) learn(raw []byte) {
	if s.known {
		return
	}
	s.known = true
	for _, m := range members(raw) {
		if s.id == "" && slices.Contains(groupIDKeys, m.key) {
			s.id = m.key
		}
		if s.name == "" && slices.Contains(groupNameKeys, m.key) {
			s.name = m.key
		}
	}
}

// scan calls each for every record.
func (g *jsonGrammar) scan(r textReader, each func(scanned) error) error {
	return g.walk(io.NewSectionReader(r, 0, r.Size()), each)
}

// missing is a field that one record does not have.
type missing struct{}

// cells reads the values of one record.
func (g *jsonGrammar) cells(raw []byte, columns []column, _ []int) ([]any, error) {
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.UseNumber()
	var record map[string]any
	if err := decoder.Decode(&record); err != nil {
		return nil, broken(0, "check the JSON with an editor, or export it again", "this is no JSON object: %v", err)
	}
	seen := map[string]bool{}
	for _, m := range members(raw) {
		if seen[m.key] {
			return nil, broken(0, "remove one of the two", "the key %q occurs twice in one record", m.key)
		}
		seen[m.key] = true
	}
	values := make([]any, 0, len(columns))
	for _, c := range columns {
		values = append(values, follow(record, c.path))
	}
	return values, nil
}

// follow goes down a path.
func follow(value any, path []string) any {
	for i, part := range path {
		if strings.HasPrefix(part, "[") {
			items, ok := value.([]any)
			if !ok {
				return missing{}
			}
			at := pick(items, part)
			if at < 0 {
				return missing{}
			}
			return follow(items[at], path[i+1:])
		}
		object, ok := value.(map[string]any)
		if !ok {
			return missing{}
		}
		if value, ok = object[part]; !ok {
			return missing{}
		}
	}
	return value
}

// pick returns which element a selector means: "[]" the primary one, else the first; "[work]" the one of that type.
func pick(items []any, selector string) int {
	want := strings.Trim(selector, "[]")
	for i, item := range items {
		object, _ := item.(map[string]any)
		kind, _ := object["type"].(string)
		if want == "" && object["primary"] == true || want != "" && strings.EqualFold(kind, want) {
			return i
		}
	}
	if want == "" && len(items) > 0 {
		return 0
	}
	return -1
}
