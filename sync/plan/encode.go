package plan

import (
	"encoding/binary"
	"fmt"

	"github.com/rollcall-sync/rollcall/sync/directory"
)

// The compact form in which a long plan waits on disk. It is read by the process that wrote it and by no other, so it has no
// version; Before and After lie between accounts in the form of the directory package.

func (o *Operation) appendBinary(b []byte) []byte {
	b = binary.AppendUvarint(b, uint64(o.Seq))
	for _, text := range o.texts() {
		b = appendText(b, *text)
	}
	temporary := byte(0)
	if o.Temporary {
		temporary = 1
	}
	b = append(b, temporary)
	for _, list := range []*[]string{&o.Groups, &o.NewGroups, &o.GroupNames} {
		b = binary.AppendUvarint(b, uint64(len(*list)))
		for _, item := range *list {
			b = appendText(b, item)
		}
	}
	b = binary.AppendUvarint(b, uint64(len(o.After)))
	for _, seq := range o.After {
		b = binary.AppendUvarint(b, uint64(seq))
	}
	b = binary.AppendUvarint(b, uint64(len(o.Changes)))
	for _, change := range o.Changes {
		b = appendText(b, change.Attribute)
		b = appendText(b, change.Rule)
		b = change.Before.AppendBinary(b)
		b = change.After.AppendBinary(b)
	}
	return b
}

// texts are the fields of plain text, in the order in which they are stored.
func (o *Operation) texts() []*string {
	return []*string{
		(*string)(&o.Side), (*string)(&o.Action), &o.Account, &o.SourceID, &o.TargetID, &o.GroupID, &o.GroupName, &o.Reason, &o.Revision, &o.Origin, &o.Replaces,
	}
}

func appendText(b []byte, s string) []byte {
	b = binary.AppendUvarint(b, uint64(len(s)))
	return append(b, s...)
}

func decode(b []byte) (o Operation, err error) {
	r := reader{b: b}
	o.Seq = r.number()
	for _, text := range o.texts() {
		*text = r.text()
	}
	o.Temporary = r.number() == 1
	for _, list := range []*[]string{&o.Groups, &o.NewGroups, &o.GroupNames} {
		for range r.length() {
			*list = append(*list, r.text())
		}
	}
	for range r.length() {
		o.After = append(o.After, r.number())
	}
	if n := r.length(); n > 0 {
		o.Changes = make([]Change, 0, min(n, 64))
		for i := 0; i < n && r.err == nil; i++ {
			change := Change{Attribute: r.text(), Rule: r.text()}
			change.Before, change.After = r.value(), r.value()
			o.Changes = append(o.Changes, change)
		}
	}
	if r.err != nil {
		return Operation{}, fmt.Errorf("an operation that was set aside on disk: %w", r.err)
	}
	return o, nil
}

// reader takes fields off the front of b; the first fault sticks.
type reader struct {
	b   []byte
	err error
}

func (r *reader) number() int {
	n, size := binary.Uvarint(r.b)
	if size <= 0 {
		r.b, r.err = nil, directory.ErrCorrupt
		return 0
	}
	r.b = r.b[size:]
	return int(n)
}

// length reads the number of things that follow, each of at least one byte.
func (r *reader) length() int {
	n := r.number()
	if n < 0 || n > len(r.b) {
		r.b, r.err = nil, directory.ErrCorrupt
		return 0
	}
	return n
}

func (r *reader) text() string {
	n := r.length()
	s := string(r.b[:n])
	r.b = r.b[n:]
	return s
}

func (r *reader) value() (v directory.Value) {
	if r.err != nil {
		return v
	}
	v, r.b, r.err = directory.DecodeValue(r.b)
	return v
}
