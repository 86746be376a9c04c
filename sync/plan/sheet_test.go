package plan_test

import (
	"slices"

	"github.com/rollcall-sync/rollcall/sync/plan"
)

// sheet is a plan whose operations lie open, so that tests can write them down, change them and look at them.
type sheet struct {
	Sync       string
	Operations []plan.Operation
	Notes      []plan.Note
}

// Plan makes the plan. Numbers follow the order, and After with them.
func (s *sheet) Plan() *plan.Plan {
	operations := slices.Clone(s.Operations)
	numbers := make(map[int]int)
	for i, o := range operations {
		numbers[o.Seq] = i + 1
	}
	for i := range operations {
		operations[i].After = slices.Clone(operations[i].After)
		for j, seq := range operations[i].After {
			operations[i].After[j] = numbers[seq]
		}
	}
	return &plan.Plan{Sync: s.Sync, Operations: plan.Of(operations...), Notes: slices.Clone(s.Notes)}
}

func (s *sheet) take(p *plan.Plan) {
	s.Operations, s.Notes = operationsOf(p), p.Notes
}

func operationsOf(p *plan.Plan) []plan.Operation {
	operations, err := p.Operations.Slice(0, p.Operations.Len())
	if err != nil {
		panic(err) // everything is in memory
	}
	return operations
}

// Sort is Plan.Sort.
func (s *sheet) Sort() {
	p := s.Plan()
	if err := p.Sort(); err != nil {
		panic(err)
	}
	s.take(p)
}

// Arrange is Plan.Arrange, with the order of a run: what is left out disappears when the plan is sorted.
func (s *sheet) Arrange(holder plan.Holder) {
	p := s.Plan()
	if err := p.Arrange(keyOf, holder); err != nil {
		panic(err)
	}
	if err := p.Sort(); err != nil {
		panic(err)
	}
	s.take(p)
}

// keyOf lets every attribute be unique but the title.
func keyOf(_ plan.Side, change plan.Change) string {
	if change.Attribute == "title" {
		return ""
	}
	return change.After.String()
}

func (s *sheet) Keys() []string {
	keys, err := s.Plan().Keys()
	if err != nil {
		panic(err)
	}
	return keys
}

func (s *sheet) Token() string { return plan.Token(s.Sync, s.Keys()) }
