package plan_test

import (
	"bytes"
	"errors"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/rollcall-sync/rollcall/sync/directory"
	"github.com/rollcall-sync/rollcall/sync/plan"
)

// shelf is a store in memory that can be told to fail.
type shelf struct {
	bytes.Buffer
	broken error
}

func (s *shelf) Append(record []byte) (int64, error) {
	offset := int64(s.Len())
	s.Write(record)
	return offset, s.broken
}

func (s *shelf) ReadAt(p []byte, offset int64) (int, error) {
	return copy(p, s.Bytes()[offset:]), s.broken
}

func someOperation(t *rapid.T) plan.Operation {
	text := rapid.SampledFrom([]string{"", "anna", "Ünï\x00", "x y"})
	o := plan.Operation{
		Side: rapid.SampledFrom([]plan.Side{plan.Source, plan.Target}).Draw(t, "side"), Action: rapid.SampledFrom([]plan.Action{plan.Create, plan.Update, plan.GroupAdd, plan.Delete}).Draw(t, "action"),
		Account: text.Draw(t, "account"), SourceID: text.Draw(t, "source"), TargetID: text.Draw(t, "target"), GroupID: text.Draw(t, "group"),
		GroupName: text.Draw(t, "name"), Reason: text.Draw(t, "reason"), Revision: text.Draw(t, "revision"), Origin: text.Draw(t, "origin"),
		Replaces: text.Draw(t, "replaces"), Temporary: rapid.Bool().Draw(t, "temporary"),
		Groups: rapid.SliceOfN(text, 1, 3).Draw(t, "groups"), NewGroups: rapid.SliceOfN(text, 1, 2).Draw(t, "new groups"), GroupNames: rapid.SliceOfN(text, 1, 2).Draw(t, "group names"),
	}
	for range rapid.IntRange(1, 3).Draw(t, "changes") {
		value := rapid.SampledFrom([]directory.Value{{}, directory.Text("a"), directory.Bool(true), directory.Number(-1.5), directory.List("x", "y")})
		o.Changes = append(o.Changes, plan.Change{Attribute: text.Draw(t, "attribute"), Before: value.Draw(t, "before"), After: value.Draw(t, "after"), Rule: text.Draw(t, "rule")})
	}
	return o
}

// Whatever is set aside on disk comes back as it was, in the same order as from memory.
func TestOperationsThatWereSetAsideComeBackWhole(t *testing.T) {
	const many = 4500
	rapid.Check(t, func(t *rapid.T) {
		aside, here := plan.NewList(&shelf{}), plan.Plan{}
		some := make([]plan.Operation, 5)
		for i := range some {
			some[i] = someOperation(t)
		}
		for i := range many {
			o := some[i%len(some)]
			o.Account += fmt.Sprint(i * 7919 % many)
			if i > 0 {
				o.After = []int{i}
			}
			if err := aside.Add(o); err != nil {
				t.Fatal(err)
			}
			if err := here.Operations.Add(o); err != nil {
				t.Fatal(err)
			}
		}
		long := plan.Plan{Operations: aside}
		for _, p := range []*plan.Plan{&long, &here} {
			if err := p.Sort(); err != nil {
				t.Fatal(err)
			}
		}
		for i := range many { // all numbers, and of what was set aside the rest
			want, _ := here.Operations.At(i)
			got, err := long.Operations.At(i)
			if err != nil || want.Seq != got.Seq || want.Account != got.Account {
				t.Fatalf("%d is %+v (%v), want %+v", i, got, err, want)
			}
			if i%50 > 0 {
				continue
			}
			if difference := cmp.Diff(want, got); difference != "" {
				t.Fatalf("(in memory, set aside):\n%s", difference)
			}
		}
		if difference := cmp.Diff(here.Counts(), long.Counts()); difference != "" {
			t.Error(difference)
		}
	})
}

// A long plan settles unique values as a short one does.
func TestUniqueValuesAreSettledAlsoAmongWhatWasSetAside(t *testing.T) {
	people := newTown("anna: email a", "bert: email b", "dora: email d")
	p, _ := people.wishes("anna: email b", "bert: email a", "carl: email x", "+emma: email x", "gerd: email d")
	long := &plan.Plan{Operations: plan.NewList(&shelf{})}
	const before = 5000
	for i := range before {
		who := fmt.Sprintf("extra%04d", i)
		if err := long.Operations.Add(plan.Operation{Side: plan.Target, Action: plan.Create, Account: who, SourceID: who, Changes: []plan.Change{text("email", "", who)}}); err != nil {
			t.Fatal(err)
		}
	}
	for _, o := range p.Operations {
		if err := long.Operations.Add(o); err != nil {
			t.Fatal(err)
		}
	}
	if err := long.Arrange(keyOf, people.holder); err != nil {
		t.Fatal(err)
	}
	dropped := 0
	if err := long.Operations.Dropped(func(plan.Operation) { dropped++ }); err != nil {
		t.Fatal(err)
	}
	if err := long.Sort(); err != nil {
		t.Fatal(err)
	}
	var updates []string
	tied := 0
	for i, o := range operationsOf(long) {
		if o.Action == plan.Update {
			updates = append(updates, fmt.Sprint(o.Account, o.After, o.Temporary, plan.IsTemporary(o.Changes[0].After)))
		}
		if long.Operations.Tied(i) {
			tied++
		}
	}
	want := []string{"anna[] true true", "anna[1 3] false false", "bert[1] false false"}
	if updates[0][:4] == "bert" { // either may step aside, and always the same one does
		want = []string{"bert[] true true", "anna[1] false false", "bert[1 2] false false"}
	}
	if difference := cmp.Diff(want, updates); difference != "" {
		t.Errorf("(want, got):\n%s", difference)
	}
	if dropped != 3 || tied != 3 || len(long.Notes) != 3 || long.Operations.Len() != before+3 {
		t.Errorf("%d dropped, %d tied, notes %v, %d operations", dropped, tied, long.Notes, long.Operations.Len())
	}
}

func TestADiskThatFailsIsNoEmptyPlan(t *testing.T) {
	store := &shelf{}
	p := plan.Plan{Operations: plan.NewList(store)}
	for i := range 5000 {
		if err := p.Operations.Add(plan.Operation{Side: plan.Target, Action: plan.Deactivate, Account: "same", SourceID: fmt.Sprint(i)}); err != nil {
			t.Fatal(err)
		}
	}
	store.broken = errors.New("no space left")
	if err := p.Operations.Add(plan.Operation{Action: plan.Create}); !errors.Is(err, store.broken) {
		t.Errorf("add: %v", err)
	}
	if err := p.Sort(); !errors.Is(err, store.broken) {
		t.Errorf("sort: %v", err)
	}
	if _, err := p.Keys(); !errors.Is(err, store.broken) {
		t.Errorf("keys: %v", err)
	}
	if err := p.Arrange(keyOf, newTown().holder); !errors.Is(err, store.broken) {
		t.Errorf("arrange: %v", err)
	}
	if err := p.WriteTable(&bytes.Buffer{}, 0); !errors.Is(err, store.broken) {
		t.Errorf("table: %v", err)
	}
}
