package wordpress

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/rollcall-sync/rollcall/sync/directory"
	"github.com/rollcall-sync/rollcall/targets/wordpress/users"
)

// record is one user as the API tells it in the edit context. A field that was not asked for is nil.
type record struct {
	ID           json.Number     `json:"id"`
	Username     *string         `json:"username"`
	Roles        roleList        `json:"roles"`
	Capabilities grants          `json:"capabilities"`
	Meta         json.RawMessage `json:"meta"`
}

// roleList is a list of role keys. PHP sends an object in place of a list whose keys have gaps.
type roleList []string

func (l *roleList) UnmarshalJSON(data []byte) error {
	var list []string
	if err := json.Unmarshal(data, &list); err == nil {
		*l = append(roleList{}, list...)
		return nil
	}
	var object map[string]string
	if err := json.Unmarshal(data, &object); err != nil {
		return errors.New("roles are no list of texts")
	}
	*l = roleList{}
	for _, role := range object {
		*l = append(*l, role)
	}
	slices.Sort(*l)
	return nil
}

// grants are the capabilities that an account has. PHP sends an empty object as an empty list.
type grants map[string]bool

func (g *grants) UnmarshalJSON(data []byte) error {
	*g = grants{}
	var object map[string]any
	if err := json.Unmarshal(data, &object); err != nil {
		var list []any
		if json.Unmarshal(data, &list) == nil && len(list) == 0 {
			return nil
		}
		return errors.New("capabilities are no object")
	}
	for name, value := range object {
		switch v := value.(type) {
		case bool:
			(*g)[name] = v
		case float64:
			(*g)[name] = v != 0
		case string:
			(*g)[name] = v != "" && v != "0"
		}
	}
	return nil
}

// account translates a record. names limits the attributes; nil means all. An error means that not even the id could be
// read.
func (s *site) account(data json.RawMessage, names []string) (directory.Account, error) {
	var only struct {
		ID json.Number `json:"id"`
	}
	if err := json.Unmarshal(data, &only); err != nil || !users.IsID(only.ID.String()) {
		return directory.Account{}, errors.New("a record has no id")
	}
	a := directory.Account{ID: only.ID.String()}
	var r record
	var raw map[string]json.RawMessage
	if err := errors.Join(json.Unmarshal(data, &raw), json.Unmarshal(data, &r)); err != nil {
		a.Problem = "the record could not be read: " + err.Error()
		return a, nil
	}
	a.Attributes = directory.Attributes{}
	if r.Username != nil {
		a.Attributes[directory.Username] = directory.Text(*r.Username)
	}
	if r.Username == nil || r.Roles == nil || r.Capabilities == nil {
		a.Problem = "the record came without username, roles or capabilities, which WordPress shows only to accounts that may edit the user"
		return a, nil
	}
	a.Groups, a.GroupsKnown = slices.Clone([]string(r.Roles)), true
	a.Privileged = s.rules.Privileges.Of(r.Roles, r.Capabilities)
	if err := s.fill(&a, raw, names); err != nil {
		a.Problem = "the record could not be read: " + err.Error()
		return a, nil
	}
	meta, err := metaValues(r.Meta)
	if err != nil {
		a.Problem = "the record could not be read: " + err.Error()
		return a, nil
	}
	for key, value := range meta {
		name := directory.CustomPrefix + key
		if name != users.Description && key != "" && key != s.rules.Flag.Key && (names == nil || slices.Contains(names, name)) {
			a.Attributes[name] = value
		}
	}
	a.Status = s.status(r.Roles, meta)
	return a, nil
}

// status: an account without roles is inactive. Where a plugin's flag is configured and cannot be read, nobody can say.
func (s *site) status(roles []string, meta map[string]directory.Value) directory.Status {
	if len(roles) == 0 {
		return directory.StatusInactive
	}
	if s.rules.Flag.Key == "" {
		return directory.StatusActive
	}
	value, ok := meta[s.rules.Flag.Key]
	switch {
	case !ok:
		return directory.StatusUnknown
	case s.rules.Flag.Locked(value):
		return directory.StatusInactive
	default:
		return directory.StatusActive
	}
}

// fill sets the attributes that WordPress has by itself.
func (s *site) fill(a *directory.Account, raw map[string]json.RawMessage, names []string) error {
	for _, field := range users.Fields() {
		data, ok := raw[field.REST]
		if !ok || names != nil && !slices.Contains(names, field.Spec.Name) && field.Spec.Name != directory.Username {
			continue
		}
		var text *string
		if err := json.Unmarshal(data, &text); err != nil {
			return fmt.Errorf("%s is no text", field.REST)
		}
		switch {
		case text == nil: // null: WordPress has nothing to tell
		case field.Spec.Kind == directory.KindTime:
			// A date of zeros, or none, comes as a text that is no time; the attribute is then absent.
			if at, err := time.Parse(time.RFC3339, *text); err == nil {
				a.Attributes[field.Spec.Name] = directory.Time(at)
			}
		case field.Escaped:
			a.Attributes[field.Spec.Name] = directory.Text(users.Unescape(*text))
		default:
			a.Attributes[field.Spec.Name] = directory.Text(*text)
		}
	}
	return nil
}

// metaValues reads the registered meta of a record. Custom attributes are texts, or lists of texts, whatever type the key is
// registered with. Objects have no place in an attribute and are left out.
func metaValues(data json.RawMessage) (map[string]directory.Value, error) {
	values := map[string]directory.Value{}
	if len(data) == 0 {
		return values, nil
	}
	var raw map[string]json.RawMessage
	if err := json.Unmarshal(data, &raw); err != nil {
		var list []json.RawMessage // PHP's empty object
		if json.Unmarshal(data, &list) == nil {
			return values, nil
		}
		return nil, errors.New("meta is no object")
	}
	for key, item := range raw {
		if key == preferences {
			continue
		}
		if value, ok := metaValue(item); ok {
			values[key] = value
		}
	}
	return values, nil
}

func metaValue(data json.RawMessage) (directory.Value, bool) {
	if text, ok := scalar(data); ok {
		return directory.Text(text), true
	}
	var list []json.RawMessage
	if err := json.Unmarshal(data, &list); err != nil {
		return directory.Value{}, false
	}
	items := make([]string, 0, len(list))
	for _, item := range list {
		text, ok := scalar(item)
		if !ok {
			return directory.Value{}, false
		}
		items = append(items, text)
	}
	return directory.List(items...), true
}

// scalar returns the text of a JSON text, number or bool; null is the empty text. Numbers keep all their digits.
func scalar(data json.RawMessage) (string, bool) {
	text := strings.TrimSpace(string(data))
	switch {
	case text == "null":
		return "", true
	case text == "true", text == "false":
		return text, true
	case strings.HasPrefix(text, `"`):
		var s string
		err := json.Unmarshal(data, &s)
		return s, err == nil
	default:
		var n json.Number
		return text, json.Unmarshal(data, &n) == nil
	}
}
