package guard_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/rollcall-sync/rollcall/sync/directory"
	"github.com/rollcall-sync/rollcall/sync/guard"
	"github.com/rollcall-sync/rollcall/sync/plan"
	"github.com/rollcall-sync/rollcall/sync/rules"
)

// operations are those of a plan, which lies in memory here.
func operations(p *plan.Plan) []plan.Operation {
	list, err := p.Operations.Slice(0, p.Operations.Len())
	if err != nil {
		panic(err)
	}
	return list
}

// add appends operations to a plan.
func add(p *plan.Plan, more ...plan.Operation) {
	p.Operations = plan.Of(append(operations(p), more...)...)
}

// change edits one operation of a plan.
func change(p *plan.Plan, i int, edit func(*plan.Operation)) {
	list := operations(p)
	edit(&list[i])
	p.Operations = plan.Of(list...)
}

func keys(p *plan.Plan) []string {
	list, err := p.Keys()
	if err != nil {
		panic(err)
	}
	return list
}

func token(p *plan.Plan) string { return plan.Token(p.Sync, keys(p)) }

// losers counts the accounts of either side that an operation takes access from.
func losers(p *plan.Plan) int {
	who := make(map[string]bool)
	for _, o := range operations(p) {
		if o.Action.Loss() {
			who[string(o.Side)+o.WrittenID()] = true
		}
	}
	return len(who)
}

// planOf has n operations of one action on n accounts, p01 to pNN.
func planOf(action plan.Action, n int) *plan.Plan {
	var list []plan.Operation
	for i := range n {
		who := fmt.Sprintf("p%02d", i+1)
		o := plan.Operation{Seq: i + 1, Side: plan.Target, Action: action, Account: who, SourceID: "s-" + who, TargetID: "t-" + who}
		if action == plan.Create {
			o.TargetID = ""
		}
		list = append(list, o)
	}
	return &plan.Plan{Sync: "staff", Operations: plan.Of(list...)}
}

func limits(change func(*rules.Limits)) rules.Limits {
	l := rules.DefaultLimits()
	if change != nil {
		change(&l)
	}
	return l
}

func amount(tb testing.TB, text string) rules.Amount {
	tb.Helper()
	a, err := rules.ParseAmount(text)
	if err != nil {
		tb.Fatal(err)
	}
	return a
}

func TestRemovalsAtBelowAndAboveTheLimit(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		limit         string
		floor, linked int
		most          int // the greatest number that goes; -1 for any
	}{
		{"10%", 3, 20, 3},   // a site of 20 people: the floor, not 2
		{"10%", 3, 0, 3},    // nobody is linked yet
		{"10%", 3, 30, 3},   // the share and the floor are the same
		{"10%", 3, 40, 4},   // the share
		{"10%", 3, 49, 4},   // rounded down
		{"10%", 3, 400, 40}, // the share of a bigger site
		{"2.5%", 0, 400, 10},
		{"10%", 0, 9, 0},
		{"5", 3, 20, 5}, // a count
		{"5", 8, 20, 8}, // the floor is always allowed
		{"0", 0, 20, 0},
		{"0%", 0, 20, 0},
		{"none", 0, 20, -1},
	} {
		for _, action := range []plan.Action{plan.Deactivate, plan.Delete, plan.GroupRemove} {
			judge := func(n int) guard.Verdict {
				return guard.Judge(guard.Input{Plan: planOf(action, n), Linked: c.linked, Limits: limits(func(l *rules.Limits) {
					l.Removals, l.RemovalsFloor = amount(t, c.limit), c.floor
				})})
			}
			if c.most < 0 {
				if judge(99).Refused {
					t.Errorf("%s of %d: 99 × %s refused", c.limit, c.linked, action)
				}
				continue
			}
			if judge(c.most).Refused || judge(max(0, c.most-1)).Refused || !judge(c.most+1).Refused {
				t.Errorf("%s of %d, floor %d: %d × %s must go, one more must not", c.limit, c.linked, c.floor, c.most, action)
			}
		}
	}
}

func TestAllLossesOfAccessShareOneBudget(t *testing.T) {
	t.Parallel()
	p := planOf(plan.Deactivate, 2)
	add(p,
		plan.Operation{Side: plan.Target, Action: plan.GroupRemove, Account: "p01", SourceID: "s-p01", TargetID: "t-p01"}, // counted already
		plan.Operation{Side: plan.Target, Action: plan.GroupRemove, Account: "x", SourceID: "s-x", TargetID: "t-x"},
	)
	judge := func() guard.Verdict { return guard.Judge(guard.Input{Plan: p, Linked: 20, Limits: limits(nil)}) }
	if v := judge(); v.Refused {
		t.Errorf("three accounts: %+v", v)
	}
	add(p, plan.Operation{Side: plan.Source, Action: plan.Deactivate, Account: "y", SourceID: "s-y", TargetID: "t-y"})
	if v := judge(); !v.Refused {
		t.Errorf("four accounts, one of them in the source: %+v", v)
	}
}

func TestCreationsAndUpdatesAtBelowAndAboveTheLimit(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		rule    string
		set     func(*rules.Limits, rules.Amount)
		actions []plan.Action
	}{
		{"creations", func(l *rules.Limits, a rules.Amount) { l.Creations = a }, []plan.Action{plan.Create}},
		{"updates", func(l *rules.Limits, a rules.Amount) { l.Updates = a }, []plan.Action{plan.Update, plan.GroupAdd, plan.Activate}},
	} {
		for _, action := range c.actions {
			for limit, most := range map[string]int{"10%": 2, "5": 5, "0": 0} {
				judge := func(n int) guard.Verdict {
					return guard.Judge(guard.Input{Plan: planOf(action, n), Linked: 20, Limits: limits(func(l *rules.Limits) { c.set(l, amount(t, limit)) })})
				}
				if judge(most).Refused || judge(max(0, most-1)).Refused {
					t.Errorf("%s %s: %d × %s must go", c.rule, limit, most, action)
				}
				if v := judge(most + 1); !v.Refused || len(v.Reasons) != 1 || v.Reasons[0].Rule != c.rule {
					t.Errorf("%s %s: %d × %s: %+v", c.rule, limit, most+1, action, v)
				}
			}
			if v := guard.Judge(guard.Input{Plan: planOf(action, 5000), Limits: limits(nil)}); v.Refused {
				t.Errorf("%s without a limit: %+v", action, v)
			}
		}
	}
}

func TestSeveralOperationsOnOneAccountAreOneAccount(t *testing.T) {
	t.Parallel()
	p := planOf(plan.Update, 2)
	for _, action := range []plan.Action{plan.GroupAdd, plan.Activate, plan.GroupAdd} {
		add(p, operations(planOf(action, 2))...)
	}
	if v := guard.Judge(guard.Input{Plan: p, Linked: 20, Limits: limits(func(l *rules.Limits) { l.Updates = amount(t, "2") })}); v.Refused {
		t.Errorf("%+v", v)
	}
}

func TestTheFirstRunAfterAnEditOfTheRulesIsPlanOnly(t *testing.T) {
	t.Parallel()
	const since = "run 20260301-023000-abcd"
	if v := guard.Judge(guard.Input{Plan: planOf(plan.Update, 1), Limits: limits(nil), RulesChanged: since}); !v.Refused || v.Reasons[0].Rule != "rules" {
		t.Errorf("one update: %+v", v)
	}
	if v := guard.Judge(guard.Input{Plan: &plan.Plan{}, Limits: limits(nil), RulesChanged: since}); v.Refused {
		t.Errorf("nothing to do: %+v", v)
	}
}

func TestTheFirstRunAgainstAnotherPlaceIsPlanOnly(t *testing.T) {
	t.Parallel()
	in := guard.Input{Plan: planOf(plan.Update, 1), Limits: limits(nil), Moved: "website moved"}
	if v := guard.Judge(in); !v.Refused || v.Reasons[0].Rule != "place" {
		t.Errorf("one update: %+v", v)
	}
	in.Approved = keys(in.Plan)
	if v := guard.Judge(in); v.Refused {
		t.Errorf("approved: %+v", v)
	}
	if v := guard.Judge(guard.Input{Plan: &plan.Plan{}, Limits: limits(nil), Moved: "website moved"}); v.Refused {
		t.Errorf("nothing to do: %+v", v)
	}
}

func TestMessagesWordByWord(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		in   guard.Input
		want []guard.Reason
	}{
		{
			"removals by share",
			guard.Input{Plan: planOf(plan.Deactivate, 4), Linked: 20, Limits: limits(nil)},
			[]guard.Reason{{"removals", "4 accounts would lose access, and limits.removals (10% of 20 linked accounts) allows 2, limits.removals_floor 3: p01, p02, p03, p04"}},
		},
		{
			"one removal too many",
			guard.Input{Plan: planOf(plan.Delete, 1), Linked: 1, Limits: limits(func(l *rules.Limits) { l.Removals, l.RemovalsFloor = rules.Amount{}, 0 })},
			[]guard.Reason{{"removals", "1 account would lose access, and limits.removals allows 0: p01"}},
		},
		{
			"compared with usual runs, the first ten by name",
			guard.Input{Plan: planOf(plan.Deactivate, 12), Linked: 20, Limits: limits(nil), UsualRemovals: []int{2, 0, 1, 0, 0}},
			[]guard.Reason{{"removals", "12 accounts would lose access, and limits.removals (10% of 20 linked accounts) allows 2, limits.removals_floor 3: " +
				"p01, p02, p03, p04, p05, p06, p07, p08, p09, p10 and 2 more; in the last 5 runs it was 2 accounts at most, and usually none"}},
		},
		{
			"compared with one run",
			guard.Input{Plan: planOf(plan.Deactivate, 4), Linked: 20, Limits: limits(nil), UsualRemovals: []int{1}},
			[]guard.Reason{{"removals", "4 accounts would lose access, and limits.removals (10% of 20 linked accounts) allows 2, limits.removals_floor 3: " +
				"p01, p02, p03, p04; in the last run it was 1 account"}},
		},
		{
			"creations",
			guard.Input{Plan: planOf(plan.Create, 2), Linked: 20, Limits: limits(func(l *rules.Limits) { l.Creations = rules.Amount{Count: 1} })},
			[]guard.Reason{{"creations", "2 accounts would be created, and limits.creations allows 1: p01, p02"}},
		},
		{
			"updates",
			guard.Input{Plan: planOf(plan.Update, 3), Linked: 20, Limits: limits(func(l *rules.Limits) { l.Updates = rules.Amount{Percent: true, Share: 10} })},
			[]guard.Reason{{"updates", "3 accounts would be changed, and limits.updates (10% of 20 linked accounts) allows 2: p01, p02, p03"}},
		},
		{
			"changed rules",
			guard.Input{Plan: planOf(plan.Create, 2), Linked: 20, Limits: limits(nil), RulesChanged: "run 7"},
			[]guard.Reason{{"rules", "scope or rules were changed since run 7; this plan of 2 operations needs approval once: p01, p02"}},
		},
		{
			"another place",
			guard.Input{Plan: planOf(plan.Update, 1), Linked: 20, Limits: limits(nil), Moved: "website is https://b.example.com now, and was https://a.example.com"},
			[]guard.Reason{{"place", "website is https://b.example.com now, and was https://a.example.com; if it is the same one under a new address, " +
				"this plan of 1 operation needs approval once, otherwise use a state file of its own: p01"}},
		},
		{
			"several at once",
			guard.Input{Plan: planOf(plan.Deactivate, 4), Linked: 20, Limits: limits(nil), RulesChanged: "run 7"},
			[]guard.Reason{
				{"removals", "4 accounts would lose access, and limits.removals (10% of 20 linked accounts) allows 2, limits.removals_floor 3: p01, p02, p03, p04"},
				{"rules", "scope or rules were changed since run 7; this plan of 4 operations needs approval once: p01, p02, p03, p04"},
			},
		},
	} {
		c.in.Approve = "rollcall sync staff --approve"
		got := guard.Judge(c.in)
		if difference := cmp.Diff(c.want, got.Reasons); difference != "" {
			t.Errorf("%s (want, got):\n%s", c.name, difference)
		}
		if !got.Refused || got.Token != token(c.in.Plan) || got.Command != "rollcall sync staff --approve "+got.Token {
			t.Errorf("%s: %+v", c.name, got)
		}
	}
}

func TestNamesAreListedOnce(t *testing.T) {
	t.Parallel()
	p := planOf(plan.Update, 3)
	add(p, operations(planOf(plan.GroupAdd, 3))...)
	got := guard.Judge(guard.Input{Plan: p, Limits: limits(nil), RulesChanged: "run 7"}).Reasons[0].Message
	if want := "scope or rules were changed since run 7; this plan of 6 operations needs approval once: p01, p02, p03"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestAnApprovalCoversItsPlanAndNothingBeyond(t *testing.T) {
	t.Parallel()
	five := guard.Input{Plan: planOf(plan.Deactivate, 5), Linked: 20, Limits: limits(nil), Approve: "rollcall sync staff --approve"}
	approved := keys(five.Plan)

	exact := five
	exact.Approved = approved
	if v := guard.Judge(exact); v.Refused || len(v.Reasons) > 0 || v.Token != "" {
		t.Errorf("the approved plan: %+v", v)
	}
	narrower := exact
	narrower.Plan = planOf(plan.Deactivate, 4)
	if v := guard.Judge(narrower); v.Refused {
		t.Errorf("a part of the approved plan: %+v", v)
	}
	beyond := exact
	beyond.Plan = planOf(plan.Deactivate, 7)
	v := guard.Judge(beyond)
	if !v.Refused || len(v.Reasons) != 2 || v.Token != token(beyond.Plan) {
		t.Fatalf("more than was approved: %+v", v)
	}
	want := guard.Reason{Rule: "approval", Message: "the approval covers another plan: 2 operations came up since (p06, p07)"}
	if v.Reasons[1] != want {
		t.Errorf("%+v, want %+v", v.Reasons[1], want)
	}
	other := exact
	other.Plan = planOf(plan.Delete, 5)
	if v := guard.Judge(other); !v.Refused {
		t.Errorf("the same accounts, but deleted: %+v", v)
	}
	within := exact
	within.Plan, within.Approved = planOf(plan.Delete, 2), []string{}
	if v := guard.Judge(within); v.Refused {
		t.Errorf("a plan that breaks no rule needs no approval: %+v", v)
	}
	nothing := five
	nothing.Approved = []string{}
	if v := guard.Judge(nothing); !v.Refused || v.Reasons[1].Message != "the approval covers another plan: 5 operations came up since (p01, p02, p03, p04, p05)" {
		t.Errorf("an approval of nothing: %+v", v)
	}
}

func TestAnApprovalCoversValuesToo(t *testing.T) {
	t.Parallel()
	with := func(value string) *plan.Plan {
		p := planOf(plan.Update, 1)
		change(p, 0, func(o *plan.Operation) { o.Changes = []plan.Change{{Attribute: "email", After: directory.Text(value)}} })
		return p
	}
	in := guard.Input{Plan: with("a@example.com"), Limits: limits(nil), RulesChanged: "run 7", Approved: keys(with("a@example.com"))}
	if v := guard.Judge(in); v.Refused {
		t.Errorf("the approved value: %+v", v)
	}
	in.Plan = with("b@example.com")
	if v := guard.Judge(in); !v.Refused {
		t.Errorf("another value: %+v", v)
	}
}

func TestTheLockoutRuleCannotBeApproved(t *testing.T) {
	t.Parallel()
	p := planOf(plan.Deactivate, 2)
	in := guard.Input{Plan: p, Linked: 20, Limits: limits(nil), Approved: keys(p), Approve: "rollcall sync staff --approve", RulesChanged: "run 7"}
	in.Guarded = func(side plan.Side, id string) string {
		if side == plan.Target && id == "t-p02" {
			return "role administrator"
		}
		return ""
	}
	want := guard.Verdict{Refused: true, Reasons: []guard.Reason{{
		Rule: "lockout", Message: "deactivate of p02 would write an account that is never written (role administrator)",
	}}}
	if difference := cmp.Diff(want, guard.Judge(in)); difference != "" {
		t.Errorf("(want, got):\n%s", difference)
	}
	change(p, 1, func(o *plan.Operation) { o.Action = plan.Link }) // writes to the state alone
	in.Approved = keys(p)
	if v := guard.Judge(in); v.Refused {
		t.Errorf("a link: %+v", v)
	}
	create := planOf(plan.Create, 1)
	in.Plan, in.Approved, in.Guarded = create, keys(create), func(plan.Side, string) string { return "everybody" }
	if v := guard.Judge(in); v.Refused {
		t.Errorf("an account that does not exist yet: %+v", v)
	}
}

func TestLawsOfVerdicts(t *testing.T) {
	t.Parallel()
	actions := []plan.Action{plan.Create, plan.Update, plan.Activate, plan.GroupAdd, plan.GroupRemove, plan.Deactivate, plan.Delete}
	rapid.Check(t, func(t *rapid.T) {
		p := &plan.Plan{Sync: "staff"}
		for range rapid.IntRange(0, 12).Draw(t, "operations") {
			add(p, operations(planOf(rapid.SampledFrom(actions).Draw(t, "action"), 12))[rapid.IntRange(0, 11).Draw(t, "who")])
		}
		in := guard.Input{
			Plan: p, Linked: rapid.IntRange(0, 50).Draw(t, "linked"),
			Limits: rules.Limits{
				Removals: rules.Amount{Count: rapid.IntRange(0, 5).Draw(t, "removals")}, RemovalsFloor: rapid.IntRange(0, 3).Draw(t, "floor"),
				Creations: rules.Amount{Count: rapid.IntRange(0, 5).Draw(t, "creations")}, Updates: rules.Amount{Percent: true, Share: 20},
			},
		}
		v := guard.Judge(in)
		if v.Refused != (len(v.Reasons) > 0) || v.Refused != (v.Token != "") {
			t.Errorf("refused is %t with %v and token %q", v.Refused, v.Reasons, v.Token)
		}
		if n := losers(p); !v.Refused && n > max(in.Limits.Removals.Count, in.Limits.RemovalsFloor) {
			t.Errorf("%d lose access", n)
		}
		if again := guard.Judge(in); !cmp.Equal(v, again) {
			t.Errorf("the same plan is judged %+v and %+v", v, again)
		}
		in.Approved = keys(p)
		if approved := guard.Judge(in); approved.Refused {
			t.Errorf("approved, and refused: %+v", approved)
		}
		smaller := *p
		smaller.Operations = plan.Of(operations(p)[:p.Operations.Len()/2]...)
		in.Plan = &smaller
		if part := guard.Judge(in); part.Refused {
			t.Errorf("a part of what was approved is refused: %+v", part)
		}
		if strings.Contains(fmt.Sprint(v.Reasons), "%!") {
			t.Errorf("a message is broken: %v", v.Reasons)
		}
	})
}

// lost is where a plan was set aside and cannot be read any more.
type lost struct{}

func (lost) Append([]byte) (int64, error)      { return 0, nil }
func (lost) ReadAt([]byte, int64) (int, error) { return 0, fmt.Errorf("input/output error") }

func TestAPlanThatCannotBeReadIsRefused(t *testing.T) {
	t.Parallel()
	p := &plan.Plan{Operations: plan.NewList(lost{})}
	for i := range 5000 {
		if err := p.Operations.Add(plan.Operation{Side: plan.Target, Action: plan.Update, Account: fmt.Sprint(i), TargetID: fmt.Sprint(i)}); err != nil {
			t.Fatal(err)
		}
	}
	v := guard.Judge(guard.Input{Plan: p, Limits: limits(nil)})
	if !v.Refused || len(v.Reasons) != 1 || !strings.Contains(v.Reasons[0].Message, "input/output error") || v.Token != "" {
		t.Errorf("%+v", v)
	}
}
