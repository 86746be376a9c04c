package directory

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/cespare/xxhash/v2"
)

// The compact binary form below is what snapshots are spooled in, what hashes are taken of and what the base is stored
// as. It is deterministic: the same content gives the same bytes.

// ErrCorrupt says that bytes are not what AppendBinary wrote.
var ErrCorrupt = errors.New("stored record is damaged")

func appendText(b []byte, s string) []byte {
	b = binary.AppendUvarint(b, uint64(len(s)))
	return append(b, s...)
}

func appendTexts(b []byte, items []string) []byte {
	b = binary.AppendUvarint(b, uint64(len(items)))
	for _, item := range items {
		b = appendText(b, item)
	}
	return b
}

// AppendBinary appends the value in its stored form.
func (v Value) AppendBinary(b []byte) []byte {
	b = append(b, byte(v.kind))
	switch v.kind {
	case KindText:
		return appendText(b, v.text)
	case KindBool:
		return append(b, byte(v.bits))
	case KindNumber, KindTime:
		return binary.BigEndian.AppendUint64(b, v.bits)
	case KindList:
		return appendTexts(b, v.list)
	default:
		return b
	}
}

// AppendBinary appends the attributes in their stored form, sorted by name.
func (a Attributes) AppendBinary(b []byte) []byte {
	b = binary.AppendUvarint(b, uint64(len(a)))
	for _, name := range a.Names() {
		b = appendText(b, name)
		b = a[name].AppendBinary(b)
	}
	return b
}

// AppendBinary appends the account in its stored form. Groups are written in sorted order.
func (a Account) AppendBinary(b []byte) []byte {
	b, _ = a.AppendHashed(b, nil)
	return b
}

// AppendHashed is AppendBinary and returns a hash besides, of all but the revision and of those attributes that hashed
// chooses; nil chooses all. It is never 0.
func (a Account) AppendHashed(b []byte, hashed func(attribute string) bool) (_ []byte, hash uint64) {
	var digest xxhash.Digest
	digest.Reset()
	from := len(b)
	b = appendText(b, a.ID)
	b = append(b, byte(a.Status))
	digest.Write(b[from:]) //nolint:errcheck // never fails
	b = appendText(b, a.Revision)
	from = len(b)
	b = appendText(b, a.Privileged)
	b = appendText(b, a.ReadOnly)
	b = appendText(b, a.Problem)
	known := byte(0)
	if a.GroupsKnown {
		known = 1
	}
	b = append(b, known)
	groups := a.Groups
	if !slices.IsSorted(groups) {
		groups = slices.Sorted(slices.Values(groups))
	}
	b = appendTexts(b, groups)
	digest.Write(b[from:]) //nolint:errcheck // never fails
	b = binary.AppendUvarint(b, uint64(len(a.Attributes)))
	// Sorting on the stack: this runs for every account of every listing.
	var few [24]string
	names := few[:0]
	for name := range a.Attributes {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		from = len(b)
		b = appendText(b, name)
		b = a.Attributes[name].AppendBinary(b)
		if hashed == nil || hashed(name) {
			digest.Write(b[from:]) //nolint:errcheck // never fails
		}
	}
	return b, max(1, digest.Sum64())
}

// DecodeValue reads what Value.AppendBinary wrote and returns the rest.
func DecodeValue(b []byte) (Value, []byte, error) {
	r := reader{b: b}
	value := r.value()
	if r.err != nil {
		return Value{}, nil, r.err
	}
	return value, r.b, nil
}

// DecodeAttributes reads what Attributes.AppendBinary wrote and returns the rest.
func DecodeAttributes(b []byte) (Attributes, []byte, error) {
	r := reader{b: b}
	attributes := r.attributes()
	if r.err != nil {
		return nil, nil, r.err
	}
	return attributes, r.b, nil
}

// DecodeAccount reads what Account.AppendBinary wrote and returns the rest.
func DecodeAccount(b []byte) (Account, []byte, error) {
	r := reader{b: b}
	account := Account{
		ID: r.text(), Status: Status(r.upTo(byte(StatusInactive))), Revision: r.text(),
		Privileged: r.text(), ReadOnly: r.text(), Problem: r.text(),
	}
	account.GroupsKnown = r.upTo(1) == 1
	account.Groups = r.texts()
	account.Attributes = r.attributes()
	if r.err != nil {
		return Account{}, nil, r.err
	}
	return account, r.b, nil
}

// firstRoom is the most entries that room is made for before any of them was read: a damaged count must not cost memory.
const firstRoom = 64

// reader takes values off the front of b; the first fault sticks.
type reader struct {
	b   []byte
	err error
}

func (r *reader) fail() {
	if r.err == nil {
		r.err = ErrCorrupt
	}
	r.b = nil
}

func (r *reader) byte() byte {
	if len(r.b) == 0 {
		r.fail()
		return 0
	}
	c := r.b[0]
	r.b = r.b[1:]
	return c
}

// upTo reads a byte that is no greater than most.
func (r *reader) upTo(most byte) byte {
	c := r.byte()
	if c > most {
		r.fail()
		return 0
	}
	return c
}

func (r *reader) length() int {
	n, size := binary.Uvarint(r.b)
	if size <= 0 || n > uint64(len(r.b)-size) {
		r.fail()
		return 0
	}
	r.b = r.b[size:]
	return int(n)
}

func (r *reader) text() string {
	n := r.length()
	if r.err != nil {
		return ""
	}
	s := string(r.b[:n])
	r.b = r.b[n:]
	return s
}

func (r *reader) texts() []string {
	n := r.length()
	if r.err != nil || n == 0 {
		return nil
	}
	items := make([]string, 0, min(n, firstRoom))
	for range n {
		items = append(items, r.text())
		if r.err != nil {
			return nil
		}
	}
	return items
}

func (r *reader) value() Value {
	kind := Kind(r.byte())
	switch kind {
	case KindEmpty:
		return Value{}
	case KindText:
		text := r.text()
		if text == "" {
			r.fail() // an empty text is stored as KindEmpty
		}
		return Value{kind: kind, text: text}
	case KindBool:
		return Value{kind: kind, bits: uint64(r.upTo(1))}
	case KindNumber, KindTime:
		if len(r.b) < 8 {
			r.fail()
			return Value{}
		}
		bits := binary.BigEndian.Uint64(r.b)
		r.b = r.b[8:]
		return Value{kind: kind, bits: bits}
	case KindList:
		items := r.texts()
		if len(items) == 0 {
			r.fail() // and so is an empty list
		}
		return Value{kind: kind, list: items}
	default:
		if r.err == nil {
			r.err = fmt.Errorf("%w: value of kind %d", ErrCorrupt, kind)
		}
		r.b = nil
		return Value{}
	}
}

func (r *reader) attributes() Attributes {
	n := r.length()
	attributes := make(Attributes, min(n, firstRoom))
	for range n {
		name := r.text()
		value := r.value()
		if r.err != nil {
			return nil
		}
		attributes[name] = value
	}
	return attributes
}
