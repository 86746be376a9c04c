package directory

import (
	"encoding/json"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Kind is the type of a value.
type Kind uint8

// The kinds of values. Their numbers are part of the stored encoding.
const (
	// KindEmpty is a value that is known to be empty. A value that was not read, or that the directory does not have, is
	// absent from [Attributes] instead.
	KindEmpty Kind = iota
	KindText
	KindBool
	KindNumber
	KindTime
	KindList
)

// Value is what one attribute holds: empty, a text, a bool, a number, a time, or a list of texts. Values are immutable; the
// zero Value is empty.
type Value struct {
	kind Kind
	bits uint64 // bool, float64 bits, or Unix nanoseconds
	text string
	list []string
}

// Text returns a text value, or the empty value for "".
func Text(s string) Value {
	if s == "" {
		return Value{}
	}
	return Value{kind: KindText, text: s}
}

// Bool returns a bool value.
func Bool(b bool) Value {
	v := Value{kind: KindBool}
	if b {
		v.bits = 1
	}
	return v
}

// Number returns a number value. Whole numbers are exact up to 2^53; identifiers longer than that belong in a text.
func Number(f float64) Value {
	if f == 0 {
		f = 0 // minus zero would not be equal to zero
	}
	return Value{kind: KindNumber, bits: math.Float64bits(f)}
}

// The first and the last time that a value can hold. Vendors write times beyond them for "never" and "for ever".
var (
	firstTime = time.Unix(0, math.MinInt64)
	lastTime  = time.Unix(0, math.MaxInt64)
)

// Time returns a time value, kept in UTC to the nanosecond. The zero time is the empty value; one before 1677 or after 2262
// becomes the first or the last that can be held.
func Time(t time.Time) Value {
	switch {
	case t.IsZero():
		return Value{}
	case t.Before(firstTime):
		t = firstTime
	case t.After(lastTime):
		t = lastTime
	}
	return Value{kind: KindTime, bits: uint64(t.UnixNano())}
}

// List returns a list value with a copy of the items, or the empty value for no items.
func List(items ...string) Value {
	if len(items) == 0 {
		return Value{}
	}
	return Value{kind: KindList, list: slices.Clone(items)}
}

// Kind returns the kind.
func (v Value) Kind() Kind { return v.kind }

// IsEmpty reports whether the value is known to be empty.
func (v Value) IsEmpty() bool { return v.kind == KindEmpty }

// AsBool returns the bool and whether the value is one.
func (v Value) AsBool() (value, ok bool) { return v.bits == 1, v.kind == KindBool }

// AsNumber returns the number and whether the value is one.
func (v Value) AsNumber() (float64, bool) { return math.Float64frombits(v.bits), v.kind == KindNumber }

// AsTime returns the time in UTC and whether the value is one.
func (v Value) AsTime() (time.Time, bool) {
	if v.kind != KindTime {
		return time.Time{}, false
	}
	return time.Unix(0, int64(v.bits)).UTC(), true
}

// Items returns a list's items, a text as its only item, and nothing for the empty value. Callers must not change it.
func (v Value) Items() []string {
	switch v.kind {
	case KindEmpty:
		return nil
	case KindList:
		return v.list
	default:
		return []string{v.String()}
	}
}

// String returns the value as people read it: list items joined by ", ", times in RFC 3339, empty as "".
func (v Value) String() string {
	switch v.kind {
	case KindText:
		return v.text
	case KindBool:
		return strconv.FormatBool(v.bits == 1)
	case KindNumber:
		return strconv.FormatFloat(math.Float64frombits(v.bits), 'f', -1, 64)
	case KindTime:
		return time.Unix(0, int64(v.bits)).UTC().Format(time.RFC3339Nano)
	case KindList:
		return strings.Join(v.list, ", ")
	default:
		return ""
	}
}

// Equal reports whether both have the same kind and content. Lists compare in order.
func (v Value) Equal(other Value) bool {
	return v.kind == other.kind && v.bits == other.bits && v.text == other.text && slices.Equal(v.list, other.list)
}

// MarshalJSON writes null, a string, a bool, a number, an RFC 3339 string or an array of strings.
func (v Value) MarshalJSON() ([]byte, error) {
	switch v.kind {
	case KindEmpty:
		return []byte("null"), nil
	case KindBool, KindNumber:
		if f, ok := v.AsNumber(); ok && (math.IsNaN(f) || math.IsInf(f, 0)) {
			return json.Marshal(v.String())
		}
		return []byte(v.String()), nil
	case KindList:
		return json.Marshal(v.list)
	default:
		return json.Marshal(v.String())
	}
}

// UnmarshalJSON reads what MarshalJSON writes; times come back as texts. Other arrays and objects are refused.
func (v *Value) UnmarshalJSON(data []byte) error {
	var raw any
	if err := json.Unmarshal(data, &raw); err != nil {
		return err
	}
	value, err := FromJSON(raw)
	if err != nil {
		return err
	}
	*v = value
	return nil
}
