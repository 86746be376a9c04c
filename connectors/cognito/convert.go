package cognito

import (
	"cmp"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider/types"

	"github.com/rollcall-sync/rollcall/sync/directory"
)

// record is one user as Cognito tells it.
type record struct {
	sub, username     string
	enabled           *bool
	status            string
	created, modified time.Time
	attributes        map[string]string
	problem           string
}

// wireUser is the record in an answer. Its attributes have one name in a list and another in an answer about one user.
type wireUser struct {
	Username             string
	Enabled              *bool
	UserStatus           string
	UserCreateDate       *float64
	UserLastModifiedDate *float64
	Attributes           []wireAttribute
	UserAttributes       []wireAttribute
}

type wireAttribute struct {
	Name  string
	Value *string
}

// decodeRecord reads one user. One that cannot be read is returned with whatever is known of it and the reason.
func decodeRecord(raw json.RawMessage) record {
	var wire wireUser
	if err := json.Unmarshal(raw, &wire); err != nil {
		r := salvage(raw)
		r.problem = fmt.Sprintf("the record cannot be understood: %v", err)
		return r
	}
	r := record{
		username: wire.Username, enabled: wire.Enabled, status: wire.UserStatus, created: moment(wire.UserCreateDate),
		modified: moment(wire.UserLastModifiedDate), attributes: map[string]string{},
	}
	for _, attribute := range append(wire.Attributes, wire.UserAttributes...) {
		if attribute.Value != nil {
			r.attributes[attribute.Name] = *attribute.Value
		}
	}
	r.sub = r.attributes[sub]
	switch {
	case r.sub == "":
		r.problem = "the record has no sub"
	case r.username == "":
		r.problem = "the record has no username"
	case r.enabled == nil:
		r.problem = "the record does not say whether the user is enabled"
	}
	return r
}

// salvage finds out whose a record is that cannot be read.
func salvage(raw json.RawMessage) record {
	var fields map[string]json.RawMessage
	var list []json.RawMessage
	r := record{attributes: map[string]string{}}
	if json.Unmarshal(raw, &fields) != nil {
		return r
	}
	_ = json.Unmarshal(fields["Username"], &r.username) // what cannot be read stays empty
	for _, name := range []string{"Attributes", "UserAttributes"} {
		if json.Unmarshal(fields[name], &list) != nil {
			continue
		}
		for _, item := range list {
			var attribute wireAttribute
			if json.Unmarshal(item, &attribute) == nil && attribute.Name == sub && attribute.Value != nil {
				r.sub = *attribute.Value
			}
		}
	}
	if r.sub == "" && isSub(r.username) { // where names are generated, they are the sub
		r.sub = r.username
	}
	return r
}

// moment reads seconds since 1970 with their fraction, which is exact to the millisecond.
func moment(seconds *float64) time.Time {
	if seconds == nil {
		return time.Time{}
	}
	return time.UnixMilli(int64(math.Round(*seconds * 1000)))
}

// account translates one whole record. What it does not hold is known to be empty; wanted, where not nil, names what else
// is asked about and limits what is kept.
func (d *Directory) account(r record, wanted []string) directory.Account {
	a := directory.Account{ID: r.sub, Attributes: directory.Attributes{}, Problem: r.problem, Status: statusOf(r)}
	named := d.signIn == byUsername || d.signIn == byAlias
	if named && r.username != "" {
		a.Attributes[directory.Username] = directory.Text(r.username)
	}
	if r.problem != "" {
		return a
	}
	for name := range d.names.own {
		a.Attributes[name] = directory.Value{}
	}
	for _, name := range wanted {
		if strings.HasPrefix(name, directory.CustomPrefix) {
			a.Attributes[name] = directory.Value{}
		}
	}
	for attribute, value := range r.attributes {
		if attribute != sub {
			a.Attributes[d.names.toVocabulary(attribute)] = directory.Text(value)
		}
	}
	a.Attributes[directory.EmailVerified] = directory.Bool(strings.EqualFold(r.attributes[emailVerified], "true"))
	a.Attributes[directory.CustomPrefix+"user_status"] = directory.Text(r.status)
	a.Attributes[directory.CreatedAt] = directory.Time(r.created)
	a.Attributes[directory.UpdatedAt] = directory.Time(r.modified)
	if wanted != nil {
		for name := range a.Attributes {
			if name != directory.Username && name != directory.Email && !slices.Contains(wanted, name) {
				delete(a.Attributes, name)
			}
		}
	}
	return a
}

// statusOf reads the two fields that make a status. Enabled is the switch. A user who has to confirm an address, to choose a
// new password, or who signs in elsewhere is as active as any other; the two states of old in which Cognito lets nobody in
// are not, and what even Cognito does not know changes nothing.
func statusOf(r record) directory.Status {
	switch {
	case r.enabled == nil:
		return directory.StatusUnknown
	case !*r.enabled:
		return directory.StatusInactive
	}
	switch types.UserStatusType(r.status) {
	case types.UserStatusTypeArchived, types.UserStatusTypeCompromised:
		return directory.StatusInactive
	case types.UserStatusTypeUnknown:
		return directory.StatusUnknown
	default:
		return directory.StatusActive
	}
}

// isSub reports whether an id has the form of a sub, a UUID. Anything else is never sent.
func isSub(id string) bool {
	if len(id) != 36 {
		return false
	}
	for i, c := range []byte(id) {
		dash := i == 8 || i == 13 || i == 18 || i == 23
		hex := c >= '0' && c <= '9' || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F'
		if dash != (c == '-') || !dash && !hex {
			return false
		}
	}
	return true
}

// wire translates attributes for a write: those that differ from what is held already. The error names the attribute at
// fault.
func (d *Directory) wire(set directory.Attributes, held map[string]string) (map[string]string, error) {
	out := map[string]string{}
	for _, name := range set.Names() {
		if name == directory.Username {
			continue // not an attribute
		}
		attribute, ok := d.names.toCognito(name)
		if !ok || name == directory.CreatedAt || name == directory.UpdatedAt || slices.Contains(readOnly, attribute) {
			return nil, &directory.Error{Kind: directory.Unsupported, Attribute: name, Err: fmt.Errorf("%s cannot be stored in Cognito", name)}
		}
		value, err := text(name, attribute, set[name])
		if err != nil {
			return nil, err
		}
		if spec, _ := d.description.Attribute(name); utf8.RuneCountInString(value) > cmp.Or(spec.MaxLength, maxAttribute) {
			return nil, &directory.Error{Kind: directory.Invalid, Attribute: name, Err: fmt.Errorf("%s has more than %d characters", name, cmp.Or(spec.MaxLength, maxAttribute))}
		}
		if old, known := held[attribute]; old != value || !known && value != "" {
			out[attribute] = value
		}
	}
	d.verify(out, set)
	return out, nil
}

// readOnly are what Cognito alone writes.
var readOnly = []string{sub, "identities", "user_status"}

// verify adds the marks that go with a new address or number: without them Cognito may mail a code.
func (d *Directory) verify(out map[string]string, set directory.Attributes) {
	for attribute, mark := range map[string]string{email: emailVerified, phone: phoneVerified} {
		value, changed := out[attribute]
		if !changed {
			continue
		}
		if _, said := set[d.names.toVocabulary(mark)]; said {
			// The mark as it was may be the mark that is wanted, but a new address would take it away.
			if _, sent := out[mark]; !sent {
				wanted, _ := set[d.names.toVocabulary(mark)].AsBool()
				out[mark] = fmt.Sprint(wanted || strings.EqualFold(set[d.names.toVocabulary(mark)].String(), "true"))
			}
			continue
		}
		out[mark] = fmt.Sprint(d.verified && value != "")
	}
}

// text returns a value as Cognito keeps it.
func text(name, attribute string, value directory.Value) (string, error) {
	fault := func(format string, arguments ...any) (string, error) {
		return "", &directory.Error{Kind: directory.Invalid, Attribute: name, Err: fmt.Errorf(format, arguments...)}
	}
	verified, isBool := value.AsBool()
	switch {
	case attribute == emailVerified && !isBool && !value.IsEmpty():
		return fault("%s must be true or false", name)
	case attribute == emailVerified:
		return fmt.Sprint(verified), nil
	case value.Kind() == directory.KindList:
		return fault("%s takes one value, not a list", name)
	}
	out := value.String()
	if attribute == phone && out != "" && !isPhone(out) {
		return "", &directory.Error{
			Kind: directory.Invalid, Attribute: name, Err: fmt.Errorf("%s is no number in the form that Cognito takes", name),
			Remedy: "write it with + and country code and without spaces, such as +4930123456",
		}
	}
	return out, nil
}

// isPhone reports whether a number is in the form of E.164.
func isPhone(number string) bool {
	digits, plus := strings.CutPrefix(number, "+")
	return plus && len(digits) > 0 && len(digits) <= 15 && strings.Trim(digits, "0123456789") == ""
}
