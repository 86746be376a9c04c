package plan

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/cespare/xxhash/v2"
)

// Store is where a list sets records aside.
type Store interface {
	// Append keeps a copy of the record and returns where it is.
	Append(record []byte) (offset int64, err error)
	// ReadAt fills p from the offset.
	ReadAt(p []byte, offset int64) (int, error)
}

// List is the operations of a plan in their order. It keeps a few thousand in memory and, where it has a Store, sets more
// of them aside there, at about 80 bytes of memory an operation. Reading is safe for concurrent use.
type List struct {
	store Store
	items []item
	order []uint32 // indexes of items; nil before Plan.Sort
	// numbers are the final numbers by index; nil before Plan.Sort.
	numbers []uint32
	// inMemory counts the operations that are not set aside.
	inMemory int
}

// item is one operation: in memory, or where it was set aside with what sorting needs.
type item struct {
	here    *Operation
	offset  int64
	length  uint32
	action  uint8 // index in phases
	side    uint8 // 0 target, 1 source
	first   bool  // Temporary
	dropped bool
	tied    bool
	pair    uint64 // hash of Operation.Pair
	account string
}

// mostInMemory is how many operations a list with a store keeps in memory.
const mostInMemory = 4096

// Of returns a list of operations in memory, in the given order, numbered from 1.
func Of(operations ...Operation) List {
	var l List
	for _, o := range operations {
		o.Seq = len(l.items) + 1
		l.items = append(l.items, itemOf(o))
	}
	l.inMemory = len(operations)
	return l
}

// NewList returns an empty list that sets operations aside.
func NewList(store Store) List { return List{store: store} }

func itemOf(o Operation) item {
	side := uint8(1)
	if o.Side == Target {
		side = 0
	}
	return item{here: &o, action: uint8(slices.Index(phases, o.Action)), side: side, first: o.Temporary, pair: o.PairHash(), account: o.Account}
}

func (i *item) sideOf() Side {
	if i.side == 0 {
		return Target
	}
	return Source
}

func (i *item) phase() int { return phases[i.action].Phase() }

// Pair names the pair of accounts that an operation belongs to, or the group that it makes.
func (o Operation) Pair() string {
	switch {
	case o.Action == CreateGroup:
		return "group\x00" + string(o.Side) + "\x00" + o.GroupName
	case o.SourceID != "":
		return "source\x00" + o.SourceID
	default:
		return "target\x00" + o.TargetID
	}
}

// PairHash is a hash of Pair.
func (o Operation) PairHash() uint64 { return xxhash.Sum64String(o.Pair()) }

// Len returns the number of operations.
func (l *List) Len() int {
	if l.order != nil {
		return len(l.order)
	}
	return len(l.items)
}

// Add appends an operation and gives it the next number, to which After of others may refer. It must not be called after
// Plan.Sort.
func (l *List) Add(o Operation) error {
	o.Seq = len(l.items) + 1
	added := itemOf(o)
	if l.store != nil && l.inMemory >= mostInMemory {
		if err := l.setAside(&added); err != nil {
			return err
		}
	} else {
		l.inMemory++
	}
	l.items = append(l.items, added)
	return nil
}

func (l *List) setAside(i *item) error {
	record := i.here.appendBinary(nil)
	offset, err := l.store.Append(record)
	if err != nil {
		return fmt.Errorf("the plan cannot be set aside on disk: %w", err)
	}
	i.here, i.offset, i.length = nil, offset, uint32(len(record))
	return nil
}

// load returns an operation as it was added.
func (l *List) load(i *item) (Operation, error) {
	if i.here != nil {
		return *i.here, nil
	}
	record := make([]byte, i.length)
	if _, err := l.store.ReadAt(record, i.offset); err != nil {
		return Operation{}, fmt.Errorf("the plan that was set aside on disk cannot be read: %w", err)
	}
	return decode(record)
}

// At returns the operation at a position from 0 to Len-1.
func (l *List) At(position int) (Operation, error) {
	o, err := l.load(l.itemAt(position))
	if err != nil || l.numbers == nil {
		return o, err
	}
	o.Seq = position + 1
	if len(o.After) > 0 {
		after := make([]int, len(o.After))
		for j, seq := range o.After {
			after[j] = int(l.numbers[seq-1])
		}
		slices.Sort(after)
		o.After = after
	}
	return o, nil
}

// Action returns what an operation does, without loading it.
func (l *List) Action(position int) Action { return phases[l.itemAt(position).action] }

// Head returns the side and the action of an operation and the PairHash, without loading it.
func (l *List) Head(position int) (Side, Action, uint64) {
	i := l.itemAt(position)
	return i.sideOf(), phases[i.action], i.pair
}

// Tied reports that an operation waits for another one, or another one for it, because of a unique value.
func (l *List) Tied(position int) bool { return l.itemAt(position).tied }

func (l *List) itemAt(position int) *item {
	if l.order != nil {
		position = int(l.order[position])
	}
	return &l.items[position]
}

// Pairs counts the operations of each pair of accounts that has more than one, by PairHash.
func (l *List) Pairs() map[uint64]int {
	hashes := make([]uint64, 0, l.Len())
	for position := range l.Len() {
		hashes = append(hashes, l.itemAt(position).pair)
	}
	slices.Sort(hashes)
	many := make(map[uint64]int)
	for i := 1; i < len(hashes); i++ {
		if hashes[i] == hashes[i-1] {
			many[hashes[i]] = max(many[hashes[i]], 1) + 1
		}
	}
	return many
}

// Dropped calls fn once for each pair that Arrange left without any operation.
func (l *List) Dropped(fn func(Operation)) error {
	left := make(map[uint64]int)
	for i := range l.items {
		if l.items[i].dropped {
			left[l.items[i].pair] = i
		}
	}
	if len(left) == 0 {
		return nil
	}
	for i := range l.items {
		if !l.items[i].dropped {
			delete(left, l.items[i].pair)
		}
	}
	for _, i := range left {
		o, err := l.load(&l.items[i])
		if err != nil {
			return err
		}
		fn(o)
	}
	return nil
}

// edit changes an operation before the list is sorted. It stays in memory from then on.
func (l *List) edit(index int, change func(*Operation)) error {
	i := &l.items[index]
	o, err := l.load(i)
	if err != nil {
		return err
	}
	change(&o)
	i.here = &o
	return nil
}

// Each calls fn for all operations in their order. An error of fn ends it and is returned.
func (l *List) Each(fn func(position int, o Operation) error) error {
	for position := range l.Len() {
		o, err := l.At(position)
		if err != nil {
			return err
		}
		if err := fn(position, o); err != nil {
			return err
		}
	}
	return nil
}

// Slice loads the operations from one position up to another.
func (l *List) Slice(from, to int) ([]Operation, error) {
	operations := make([]Operation, 0, to-from)
	for position := from; position < to; position++ {
		o, err := l.At(position)
		if err != nil {
			return nil, err
		}
		operations = append(operations, o)
	}
	return operations, nil
}

// MarshalJSON writes all operations as one array. It is for plans of everyday size; what prints long ones writes them one
// after the other.
func (l List) MarshalJSON() ([]byte, error) {
	operations, err := l.Slice(0, l.Len())
	if err != nil {
		return nil, err
	}
	return json.Marshal(operations)
}

// UnmarshalJSON reads what MarshalJSON wrote.
func (l *List) UnmarshalJSON(data []byte) error {
	var operations []Operation
	if err := json.Unmarshal(data, &operations); err != nil {
		return err
	}
	*l = Of(operations...)
	return nil
}

// sort puts the operations into the order of a run and numbers them; what was dropped is left out.
func (l *List) sort() error {
	order := make([]uint32, 0, len(l.items))
	for i := range l.items {
		if !l.items[i].dropped {
			order = append(order, uint32(i))
		}
	}
	var fault error
	slices.SortStableFunc(order, func(a, b uint32) int {
		x, y := &l.items[a], &l.items[b]
		if c := cmp.Or(cmp.Compare(x.phase(), y.phase()), cmp.Compare(x.side, y.side), -compareBool(x.first, y.first), cmp.Compare(x.account, y.account)); c != 0 {
			return c
		}
		left, err := l.load(x)
		right, err2 := l.load(y)
		if err = cmp.Or(err, err2); err != nil {
			fault = err
			return 0
		}
		return cmp.Or(
			cmp.Compare(left.SourceID, right.SourceID), cmp.Compare(left.TargetID, right.TargetID),
			cmp.Compare(left.Action, right.Action), cmp.Compare(left.GroupName, right.GroupName), cmp.Compare(left.GroupID, right.GroupID),
		)
	})
	if fault != nil {
		return fault
	}
	l.order, l.numbers = order, make([]uint32, len(l.items))
	for position, index := range order {
		l.numbers[index] = uint32(position + 1)
	}
	return nil
}
