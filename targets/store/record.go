package store

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"

	"github.com/rollcall-sync/rollcall/sync/directory"
)

// specOf finds the specs by name; they never change.
var specOf = func() map[string]directory.AttributeSpec {
	all := map[string]directory.AttributeSpec{}
	for _, spec := range specs() {
		all[spec.Name] = spec
	}
	return all
}()

// fold gives the form in which names and addresses are compared: "É", "é" and "e" with a combining accent are one.
func fold(s string) string {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return norm.NFC.String(cases.Fold().String(norm.NFC.String(s)))
		}
	}
	return strings.ToLower(s)
}

// key is a folded value for a column that may be NULL.
func key(v directory.Value) any {
	if v.IsEmpty() {
		return nil
	}
	return fold(v.String())
}

// timeForm is how a time is written where the attribute's kind does not tell that it is one.
type timeForm struct {
	Time time.Time `json:"time"`
}

// encode gives the attributes' stored form: one JSON object, sorted by name, without empty values.
func encode(attributes directory.Attributes) (string, error) {
	b := []byte{'{'}
	for _, name := range attributes.Names() {
		value := attributes[name]
		if value.IsEmpty() {
			continue
		}
		var form any = value
		if at, ok := value.AsTime(); ok {
			form = timeForm{at}
		}
		quoted, err := json.Marshal(name)
		if err != nil {
			return "", err
		}
		stored, err := json.Marshal(form)
		if err != nil {
			return "", err
		}
		if len(b) > 1 {
			b = append(b, ',')
		}
		b = append(append(append(b, quoted...), ':'), stored...)
	}
	return string(append(b, '}')), nil
}

// decode reads what encode wrote; of the names, all where nil.
func decode(stored []byte, names []string) (directory.Attributes, error) {
	var raw map[string]any
	if err := json.Unmarshal(stored, &raw); err != nil {
		return nil, fmt.Errorf("the stored attributes are damaged: %w", err)
	}
	attributes := make(directory.Attributes, len(raw)+2)
	for name, form := range raw {
		if names != nil && !slices.Contains(names, name) {
			continue
		}
		value, err := decodeValue(form)
		if err != nil {
			return nil, fmt.Errorf("the stored %s is damaged: %w", name, err)
		}
		attributes[name] = value
	}
	return attributes, nil
}

func decodeValue(form any) (directory.Value, error) {
	object, ok := form.(map[string]any)
	if !ok {
		return directory.FromJSON(form)
	}
	text, ok := object["time"].(string)
	if !ok {
		return directory.Value{}, errors.New("it is an object and no time")
	}
	at, err := time.Parse(time.RFC3339Nano, text)
	return directory.Time(at), err
}

// accept checks values against what the store takes. An empty value is one that is cleared.
func accept(set directory.Attributes) error {
	for _, name := range set.Names() {
		value := set[name]
		spec, known := specOf[name]
		switch {
		case !known && !strings.HasPrefix(name, directory.CustomPrefix), name == directory.CustomPrefix:
			return fault(directory.Unsupported, name, "the store has no attribute %s", name)
		case known && !spec.Writable:
			return fault(directory.Unsupported, name, "%s is written by the store itself", name)
		case value.IsEmpty() && spec.Required:
			return fault(directory.Invalid, name, "%s is required", name)
		case value.IsEmpty():
			continue
		case known && value.Kind() != spec.Kind:
			return fault(directory.Invalid, name, "%s has the wrong kind of value", name)
		case spec.MaxLength > 0 && utf8.RuneCountInString(value.String()) > spec.MaxLength:
			return fault(directory.Invalid, name, "%s takes %d characters", name, spec.MaxLength)
		}
		if err := acceptForm(name, value); err != nil {
			return err
		}
	}
	return nil
}

// acceptForm checks what the spec cannot say.
func acceptForm(name string, value directory.Value) error {
	if n, ok := value.AsNumber(); ok && (math.IsNaN(n) || math.IsInf(n, 0)) {
		return fault(directory.Invalid, name, "%s is no finite number", name)
	}
	if slices.ContainsFunc(value.Items(), func(s string) bool { return !utf8.ValidString(s) }) {
		return fault(directory.Invalid, name, "%s is not valid UTF-8", name)
	}
	text := value.String()
	switch name {
	case directory.Username:
		if strings.TrimSpace(text) != text || strings.ContainsFunc(text, unicode.IsControl) {
			return fault(directory.Invalid, name, "%s must not begin or end with a space, nor hold control characters", name)
		}
	case directory.Email:
		local, host, found := strings.Cut(text, "@")
		if !found || local == "" || host == "" || strings.ContainsFunc(text, unicode.IsSpace) || strings.ContainsFunc(text, unicode.IsControl) {
			return fault(directory.Invalid, name, "%s is no e-mail address", name)
		}
	}
	return nil
}

// row is one account as the tables hold it.
type row struct {
	id               string
	active           bool
	attributes       []byte
	revision         int64
	created, updated int64
	groups           string
}

// columns are what scan reads, of accounts a.
const columns = `a.id, a.active, a.attributes, a.revision, a.created_at, a.updated_at,
	coalesce((SELECT group_concat(m.group_id, ' ') FROM memberships m WHERE m.account_id = a.id), '')`

func (r *row) scan(scan func(...any) error) error {
	return scan(&r.id, &r.active, &r.attributes, &r.revision, &r.created, &r.updated, &r.groups)
}

// account translates a row. One that cannot be read is returned with its Problem, so that it protects itself.
func (r *row) account(names []string, privileged map[string]string) directory.Account {
	account := directory.Account{ID: r.id, Status: directory.StatusInactive, Revision: fmt.Sprint(r.revision), GroupsKnown: true}
	if r.active {
		account.Status = directory.StatusActive
	}
	account.Groups = strings.Fields(r.groups)
	for _, group := range account.Groups {
		if name, ok := privileged[group]; ok {
			account.Privileged = "group " + name
		}
	}
	attributes, err := decode(r.attributes, names)
	if err != nil {
		account.Problem = err.Error()
		return account
	}
	for name, nanoseconds := range map[string]int64{directory.CreatedAt: r.created, directory.UpdatedAt: r.updated} {
		if names == nil || slices.Contains(names, name) {
			attributes[name] = directory.Time(time.Unix(0, nanoseconds))
		}
	}
	// An attribute that is asked for and has no value is known to be empty.
	for _, name := range names {
		_, known := specOf[name]
		if _, has := attributes[name]; !has && (known || strings.HasPrefix(name, directory.CustomPrefix)) {
			attributes[name] = directory.Value{}
		}
	}
	account.Attributes = attributes
	return account
}
