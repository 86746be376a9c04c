package plan_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-sync/rollcall/sync/directory"
	"github.com/rollcall-sync/rollcall/sync/plan"
)

// worn is a shelf that can be read a number of times, or spoils what is read.
type worn struct {
	shelf
	reads int
	spoil func([]byte)
}

var errWorn = errors.New("input/output error")

func (w *worn) ReadAt(p []byte, offset int64) (int, error) {
	if w.reads--; w.reads < 0 {
		return 0, errWorn
	}
	n, err := w.shelf.ReadAt(p, offset)
	if w.spoil != nil {
		w.spoil(p)
	}
	return n, err
}

// onDisk is a plan whose given operations are all set aside: those before them fill what a list keeps in memory.
func onDisk(t *testing.T, store plan.Store, operations ...plan.Operation) *plan.Plan {
	t.Helper()
	p := &plan.Plan{Operations: plan.NewList(store)}
	for i := range 4096 {
		if err := p.Operations.Add(plan.Operation{Side: plan.Target, Action: plan.Delete, Account: fmt.Sprint(i), TargetID: fmt.Sprint("filler", i)}); err != nil {
			t.Fatal(err)
		}
	}
	for _, o := range operations {
		o.After = slices.Clone(o.After)
		if err := p.Operations.Add(o); err != nil {
			t.Fatal(err)
		}
	}
	return p
}

// everythingAtOnce needs all that Arrange does: an exchange, a double, a value that stays, rivals for a link, a rehire and a
// group that nobody needs any more.
func everythingAtOnce() (town, []plan.Operation) {
	people := newTown("anna: email a", "bert: email b", "dora: email d")
	s, _ := people.wishes("anna: email b", "bert: email a", "carl: email x", "+emma: email x", "+gerd: email d")
	operations := s.Operations
	operations[4].After = []int{4096 + 6}
	return people, append(operations,
		plan.Operation{Side: plan.Target, Action: plan.CreateGroup, Account: "for gerd", GroupName: "for gerd"},
		linkOperation(0, "hans", "y", ""), linkOperation(0, "ida", "y", ""), linkOperation(0, "jan", "z", "old jan"),
		plan.Operation{Side: plan.Target, Action: plan.Deactivate, Account: "old jan", SourceID: "s-old", TargetID: "z"},
	)
}

func arranged(p *plan.Plan, people town) (*plan.Plan, error) {
	if err := p.Arrange(keyOf, people.holder); err != nil {
		return p, err
	}
	return p, p.Sort()
}

// TestAReadThatFailsAtAnyPlaceIsAnError lets the first, the second, … reading fail: an operation that cannot be read must
// neither be forgotten nor taken for one that wants nothing.
func TestAReadThatFailsAtAnyPlaceIsAnError(t *testing.T) {
	t.Parallel()
	people, operations := everythingAtOnce()
	inMemory := &plan.Plan{Operations: plan.NewList(nil)}
	for _, o := range onDiskOperations(t, operations) {
		if err := inMemory.Operations.Add(o); err != nil {
			t.Fatal(err)
		}
	}
	want, err := arranged(inMemory, people)
	if err != nil {
		t.Fatal(err)
	}
	for reads := range 10000 {
		got, err := arranged(onDisk(t, &worn{reads: reads}, operations...), people)
		if err != nil {
			if !errors.Is(err, errWorn) {
				t.Fatalf("after %d reads: %v", reads, err)
			}
			continue
		}
		if reads < len(operations) {
			t.Errorf("%d readings were enough for %d operations", reads, len(operations))
		}
		if difference := cmp.Diff(want.Notes, got.Notes); difference != "" || want.Operations.Len() != got.Operations.Len() {
			t.Errorf("from memory %d operations, from disk %d; notes:\n%s", want.Operations.Len(), got.Operations.Len(), difference)
		}
		return
	}
	t.Error("no number of readings is enough")
}

func onDiskOperations(t *testing.T, operations []plan.Operation) []plan.Operation {
	t.Helper()
	all, err := onDisk(t, &worn{reads: 1000}, operations...).Operations.Slice(0, 4096+len(operations))
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestAnOperationThatWasDamagedOnDiskIsRefused(t *testing.T) {
	t.Parallel()
	o := night().Operations[4]
	o.After = []int{1}
	var length, from int
	store := &worn{reads: 1000, spoil: func(p []byte) {
		length = len(p)
		for i := from; i < len(p); i++ {
			p[i] = 0xff
		}
	}}
	p := onDisk(t, store, o)
	from = 1000
	if _, err := p.Operations.At(4096); err != nil {
		t.Fatal(err)
	}
	last := o.Changes[len(o.Changes)-1].After.String() // what a text says has no form to be damaged
	for from = range length - len(last) {
		if _, err := p.Operations.At(4096); !errors.Is(err, directory.ErrCorrupt) {
			t.Fatalf("damaged from byte %d of %d: %v", from, length, err)
		}
	}
}

func TestAPlanComesBackFromJSON(t *testing.T) {
	t.Parallel()
	p := night().Plan()
	if err := p.Sort(); err != nil {
		t.Fatal(err)
	}
	data, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	var again plan.Plan
	if err := json.Unmarshal(data, &again); err != nil {
		t.Fatal(err)
	}
	if difference := cmp.Diff(operationsOf(p), operationsOf(&again)); difference != "" || !cmp.Equal(p.Notes, again.Notes) || again.Sync != p.Sync {
		t.Errorf("(written, read):\n%s", difference)
	}
	if err := json.Unmarshal([]byte(`{"operations": 7}`), &again); err == nil {
		t.Error("a number was read as operations")
	}
	if _, err := json.Marshal(onDisk(t, &worn{}, night().Operations...)); !errors.Is(err, errWorn) {
		t.Errorf("a plan that cannot be read: %v", err)
	}
}

func TestPairsWithSeveralOperationsAreCounted(t *testing.T) {
	t.Parallel()
	p := night().Plan()
	anna, group := night().Operations[2], night().Operations[8]
	if got := p.Operations.Pairs(); len(got) != 1 || got[anna.PairHash()] != 3 {
		t.Errorf("%v", got)
	}
	back := plan.Operation{Side: plan.Source, Action: plan.Create, TargetID: "s-anna"}
	if names := []string{anna.Pair(), group.Pair(), back.Pair()}; !cmp.Equal(names, []string{"source\x00s-anna", "group\x00target\x00newcomers", "target\x00s-anna"}) {
		t.Errorf("%q", names)
	}
}
