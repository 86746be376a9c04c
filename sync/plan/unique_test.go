package plan_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/rollcall-sync/rollcall/sync/directory"
	"github.com/rollcall-sync/rollcall/sync/plan"
)

// town is who holds which unique values: attribute, value, account id.
type town map[string]map[string]string

func newTown(values ...string) town {
	t := town{"email": {}, "username": {}}
	for _, v := range values { // "anna: email x"
		who, rest, _ := strings.Cut(v, ": ")
		attribute, value, _ := strings.Cut(rest, " ")
		t[attribute][value] = who
	}
	return t
}

func (t town) holder(_ plan.Side, attribute, key string) (id, label string, ok bool) {
	id, ok = t[attribute][key]
	return id, strings.ToUpper(id), ok
}

func (t town) of(id, attribute string) string {
	for value, holder := range t[attribute] {
		if holder == id {
			return value
		}
	}
	return ""
}

// claim is a value that a wish wants for itself alone.
type claim struct{ Attribute, Key string }

// wish is an update ("anna: email x, username y") or, with a plus before it, a creation.
func (t town) wishes(wishes ...string) (*sheet, []claim) {
	p := &sheet{Sync: "staff-to-website"}
	var claims []claim
	for i, w := range wishes {
		who, rest, _ := strings.Cut(w, ": ")
		o := plan.Operation{Seq: i + 1, Side: plan.Target, Action: plan.Update, Account: who, SourceID: "s-" + who, TargetID: who, Revision: "1"}
		if name, creation := strings.CutPrefix(who, "+"); creation {
			o.Action, o.Account, o.SourceID, o.TargetID, o.Revision = plan.Create, name, "s-"+name, "", ""
		}
		for _, part := range strings.Split(rest, ", ") {
			attribute, value, _ := strings.Cut(part, " ")
			o.Changes = append(o.Changes, plan.Change{Attribute: attribute, Before: directory.Text(t.of(o.TargetID, attribute)), After: directory.Text(value)})
			if attribute != "title" && value != "" {
				claims = append(claims, claim{attribute, value})
			}
		}
		p.Operations = append(p.Operations, o)
	}
	return p, claims
}

// steps prints a plan in the order of a run: "2 anna email=x after 1".
func steps(p *sheet) []string {
	var list []string
	for _, o := range p.Operations {
		words := []string{fmt.Sprint(o.Seq), o.Account}
		for _, c := range o.Changes {
			value := c.After.String()
			if plan.IsTemporary(c.After) {
				value = "(aside)"
			}
			words = append(words, c.Attribute+"="+value)
		}
		for _, seq := range o.After {
			words = append(words, fmt.Sprintf("after %d", seq))
		}
		list = append(list, strings.Join(words, " "))
	}
	return list
}

func TestUniqueValues(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		town   town
		wishes []string
		steps  []string
		notes  []string
	}{
		{name: "a free value", town: newTown("anna: email a"), wishes: []string{"anna: email b"}, steps: []string{"1 anna email=b"}},
		{name: "the own value in another form", town: newTown("anna: email a"), wishes: []string{"anna: email a"}, steps: []string{"1 anna email=a"}},
		{
			name: "a value whose holder stays", town: newTown("anna: email a", "bert: email b"), wishes: []string{"anna: email b"},
			notes: []string{`anna (s-anna): email "b" belongs to BERT already`},
		},
		{
			name: "a value whose holder stays, beside a change that is free", town: newTown("anna: email a", "bert: email b"), wishes: []string{"anna: title Editor, email b"},
			steps: []string{"1 anna title=Editor"}, notes: []string{`anna (s-anna): email "b" belongs to BERT already`},
		},
		{
			name: "a value whose holder changes something else", town: newTown("anna: email a", "bert: email b"), wishes: []string{"anna: email b", "bert: username bertl"},
			steps: []string{"1 bert username=bertl"}, notes: []string{`anna (s-anna): email "b" belongs to BERT already`},
		},
		{
			name: "a value whose holder leaves it", town: newTown("anna: email a", "bert: email b"), wishes: []string{"anna: email b", "bert: email c"},
			steps: []string{"1 anna email=b after 2", "2 bert email=c"},
		},
		{
			name: "a value whose holder empties it", town: newTown("anna: email a", "bert: email b"), wishes: []string{"anna: email b", "bert: email "},
			steps: []string{"1 anna email=b after 2", "2 bert email="},
		},
		{
			name: "a new account waits for the value that it takes over", town: newTown("bert: email b"), wishes: []string{"+anna: email b", "bert: email c"},
			steps: []string{"1 bert email=c", "2 anna email=b after 1"},
		},
		{
			name: "a new account with a value whose holder stays is left out as a whole", town: newTown("bert: email b"), wishes: []string{"+anna: username anna, email b"},
			notes: []string{`anna (s-anna): email "b" belongs to BERT already`},
		},
		{
			name: "a chain", town: newTown("anna: email a", "bert: email b", "carl: email c"), wishes: []string{"anna: email b", "bert: email c", "carl: email d"},
			steps: []string{"1 anna email=b after 2", "2 bert email=c after 3", "3 carl email=d"},
		},
		{
			name: "a chain whose last one stays", town: newTown("anna: email a", "bert: email b", "carl: email c"), wishes: []string{"anna: email b", "bert: email c"},
			notes: []string{`anna (s-anna): email "b" belongs to BERT already`, `bert (s-bert): email "c" belongs to CARL already`},
		},
		{
			name: "an exchange of two", town: newTown("anna: email a", "bert: email b"), wishes: []string{"anna: email b", "bert: email a"},
			steps: []string{"1 anna email=(aside)", "2 anna email=b after 1 after 3", "3 bert email=a after 1"},
		},
		{
			name: "a ring of three", town: newTown("anna: email a", "bert: email b", "carl: email c"), wishes: []string{"anna: email b", "bert: email c", "carl: email a"},
			steps: []string{"1 anna email=(aside)", "2 anna email=b after 1 after 3", "3 bert email=c after 4", "4 carl email=a after 1"},
		},
		{
			name: "two exchanges at once", town: newTown("anna: email a", "bert: email b", "carl: email c", "dora: email d"),
			wishes: []string{"anna: email b", "bert: email a", "carl: email d", "dora: email c"},
			steps:  []string{"1 anna email=(aside)", "2 carl email=(aside)", "3 anna email=b after 1 after 4", "4 bert email=a after 1", "5 carl email=d after 2 after 6", "6 dora email=c after 2"},
		},
		{
			name: "an exchange of two attributes by the same two", town: newTown("anna: email a", "anna: username aa", "bert: email b", "bert: username bb"),
			wishes: []string{"anna: email b, username bb", "bert: email a, username aa"},
			steps:  []string{"1 anna email=(aside) username=(aside)", "2 anna email=b username=bb after 1 after 3", "3 bert email=a username=aa after 1"},
		},
		{
			name: "a newcomer at the end of an exchange", town: newTown("anna: email a", "anna: username aa", "bert: email b"), wishes: []string{"anna: email b, username ab", "bert: email a", "+carl: username aa"},
			steps: []string{"1 anna email=(aside)", "2 anna email=b username=ab after 1 after 3", "3 bert email=a after 1", "4 carl username=aa after 2"},
		},
		{
			name: "two who want the same free value", town: newTown("anna: email a", "bert: email b"), wishes: []string{"anna: email x", "bert: email x"},
			notes: []string{`anna (s-anna): email "x" is wanted by bert too; nobody gets it until one of them changes`, `bert (s-bert): email "x" is wanted by anna too; nobody gets it until one of them changes`},
		},
		{
			name: "two newcomers who want the same value", town: newTown(), wishes: []string{"+anna: email x", "+bert: email x, username bert"},
			notes: []string{`anna (s-anna): email "x" is wanted by bert too; nobody gets it until one of them changes`, `bert (s-bert): email "x" is wanted by anna too; nobody gets it until one of them changes`},
		},
		{
			name: "somebody who waits for one of two who want the same value", town: newTown("anna: email a", "bert: email b", "carl: email c"), wishes: []string{"anna: email x", "bert: email x", "carl: email a"},
			notes: []string{
				`anna (s-anna): email "x" is wanted by bert too; nobody gets it until one of them changes`, `bert (s-bert): email "x" is wanted by anna too; nobody gets it until one of them changes`,
				`carl (s-carl): email "a" belongs to ANNA already`,
			},
		},
		{
			name: "the same value of another attribute is another value", town: newTown("anna: email a", "bert: username b"), wishes: []string{"anna: email b"},
			steps: []string{"1 anna email=b"},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p, _ := c.town.wishes(c.wishes...)
			p.Arrange(c.town.holder)
			p.Sort()
			if difference := cmp.Diff(c.steps, steps(p)); difference != "" {
				t.Errorf("steps (want, got):\n%s", difference)
			}
			var notes []string
			for _, n := range p.Notes {
				if n.Kind != plan.NoteConflict {
					t.Errorf("%s is a note of kind %s", n.Message, n.Kind)
				}
				notes = append(notes, fmt.Sprintf("%s (%s): %s", n.Account, n.ID, n.Message))
			}
			if difference := cmp.Diff(c.notes, notes); difference != "" {
				t.Errorf("notes (want, got):\n%s", difference)
			}
		})
	}
}

func TestAStepAsideReachesNobodyAndIsExplained(t *testing.T) {
	t.Parallel()
	people := newTown("anna: email a", "anna: username aa", "bert: email b", "bert: username bb")
	p, _ := people.wishes("anna: title Editor, email b, username bb", "bert: email a, username aa")
	p.Arrange(people.holder)
	p.Sort()
	step, rest := p.Operations[0], p.Operations[1]
	if !step.Temporary || step.Revision != "1" || step.Reason != "makes room: bert takes over the old value in this run" || len(step.Changes) != 2 {
		t.Errorf("the step is %+v", step)
	}
	email, username := step.Changes[0].After.String(), step.Changes[1].After.String()
	if !strings.HasSuffix(email, "@rollcall.invalid") || !strings.HasPrefix(username, "rollcall-moving-") || strings.Contains(username, "@") {
		t.Errorf("the values are %s and %s", email, username)
	}
	if rest.Temporary || rest.Revision != "" || rest.Changes[1].Before.String() != email || rest.Changes[2].Before.String() != username || rest.Changes[0].Before.String() != "" {
		t.Errorf("what follows is %+v", rest)
	}
	if plan.IsTemporary(directory.Text("anna@rollcall.invalid")) || plan.IsTemporary(directory.Value{}) || !plan.IsTemporary(directory.Text(email)) {
		t.Error("a value of our own is not told from others")
	}
}

func TestTheSidesDoNotGetInEachOthersWay(t *testing.T) {
	t.Parallel()
	people := newTown()
	p, _ := people.wishes("anna: email x", "bert: email x")
	p.Operations[1].Side = plan.Source
	p.Arrange(func(side plan.Side, _, _ string) (string, string, bool) { return "carl", "CARL", side == plan.Source })
	if len(p.Operations) != 1 || p.Operations[0].Account != "anna" || len(p.Notes) != 1 || p.Notes[0].ID != "bert" {
		t.Errorf("%v, %+v", steps(p), p.Notes)
	}
}

// TestUniquenessHoldsAtEveryStep draws a town and wishes, carries the plan out in its order and looks at every step.
func TestUniquenessHoldsAtEveryStep(t *testing.T) {
	t.Parallel()
	names := []string{"anna", "bert", "carl", "dora", "emil", "fred"}
	values := []string{"1", "2", "3", "4", "5", "6", "7", "8"}
	rapid.Check(t, func(t *rapid.T) {
		people := newTown()
		for _, attribute := range []string{"email", "username"} {
			held := rapid.Permutation(values).Draw(t, attribute)
			for i, name := range names {
				people[attribute][held[i]] = name
			}
		}
		var wishes []string
		for _, name := range names {
			var parts []string
			for _, attribute := range []string{"email", "username"} {
				if rapid.IntRange(0, 3).Draw(t, name+" wants another "+attribute) > 0 {
					parts = append(parts, attribute+" "+rapid.SampledFrom(values).Draw(t, attribute+" of "+name))
				}
			}
			if len(parts) > 0 {
				wishes = append(wishes, name+": "+strings.Join(parts, ", "))
			}
		}
		wishes = append(wishes, "+gerd: email "+rapid.SampledFrom(values).Draw(t, "email of gerd"))
		p, claims := people.wishes(wishes...)
		p.Arrange(people.holder)
		p.Sort()
		again, _ := people.wishes(wishes...)
		again.Arrange(people.holder)
		again.Sort()
		if !cmp.Equal(steps(p), steps(again)) {
			t.Errorf("the same wishes give another plan:\n%v\n%v", steps(p), steps(again))
		}
		people.carryOut(t, p)
		settled := len(p.Notes)
		for _, o := range p.Operations {
			if !o.Temporary {
				settled += len(o.Changes)
			}
		}
		if wanted := len(claims); settled != wanted {
			t.Errorf("%d wishes, %d granted or reported", wanted, settled)
		}
	})
}

// carryOut does each operation once all that it waits for is done, as apply does, and checks that nobody takes what
// somebody else holds, that a change finds what it expects, and that everybody ends with what was planned.
func (t town) carryOut(tb rapid.TB, p *sheet) {
	done := make(map[int]bool)
	for len(done) < len(p.Operations) {
		before := len(done)
		for _, o := range p.Operations {
			if done[o.Seq] || slices.ContainsFunc(o.After, func(seq int) bool { return !done[seq] }) {
				continue
			}
			done[o.Seq] = true
			who := o.TargetID
			if o.Action == plan.Create {
				who = o.Account
			}
			for _, c := range o.Changes {
				if got := t.of(who, c.Attribute); o.Action == plan.Update && got != c.Before.String() {
					tb.Errorf("%s has %s %q, and the plan expects %q: %v", who, c.Attribute, got, c.Before, steps(p))
				}
				if holder, taken := t[c.Attribute][c.After.String()]; taken && holder != who {
					tb.Errorf("%s takes %s %q from %s: %v", who, c.Attribute, c.After, holder, steps(p))
				}
				delete(t[c.Attribute], t.of(who, c.Attribute))
				t[c.Attribute][c.After.String()] = who
			}
		}
		if len(done) == before {
			tb.Errorf("operations wait for each other: %v", steps(p))
			return
		}
	}
	for attribute, held := range t {
		for value := range held {
			if plan.IsTemporary(directory.Text(value)) {
				tb.Errorf("%s %s is left behind: %v", attribute, value, steps(p))
			}
		}
	}
}

func linkOperation(seq int, who, target, replaces string) plan.Operation {
	return plan.Operation{Seq: seq, Side: plan.Target, Action: plan.Link, Account: who, SourceID: "s-" + who, TargetID: target, Replaces: replaces}
}

func TestTwoWhoMatchTheSameAccountAreNotLinked(t *testing.T) {
	t.Parallel()
	people := newTown("x: email x")
	p, _ := people.wishes("anna: email x", "bert: email y", "carl: email z")
	for i := range p.Operations[:2] {
		p.Operations[i].TargetID = "x"
	}
	p.Operations = append(p.Operations, linkOperation(4, "anna", "x", ""), linkOperation(5, "bert", "x", ""), linkOperation(6, "carl", "carl", ""))
	p.Arrange(people.holder)
	p.Sort()
	if got := steps(p); !cmp.Equal(got, []string{"1 carl", "2 carl email=z"}) {
		t.Errorf("%v", got)
	}
	want := []plan.Note{
		{Kind: plan.NoteAmbiguous, Account: "anna", ID: "s-anna", Message: "matches the account with id x, and so does bert (id s-bert); if it is this one: `rollcall link staff-to-website s-anna x`"},
		{Kind: plan.NoteAmbiguous, Account: "bert", ID: "s-bert", Message: "matches the account with id x, and so does anna (id s-anna); if it is this one: `rollcall link staff-to-website s-bert x`"},
	}
	if difference := cmp.Diff(want, p.Notes); difference != "" {
		t.Errorf("notes (want, got):\n%s", difference)
	}
}

func TestALinkThatTakesAnothersPlaceEndsWhatWasPlannedForThat(t *testing.T) {
	t.Parallel()
	p := &sheet{Operations: []plan.Operation{
		{Seq: 1, Side: plan.Target, Action: plan.Deactivate, Account: "anna", SourceID: "s-old", TargetID: "x"},
		{Seq: 2, Side: plan.Target, Action: plan.Deactivate, Account: "bert", SourceID: "s-bert", TargetID: "y"},
		linkOperation(3, "anna", "x", "anna"),
		{Seq: 4, Side: plan.Target, Action: plan.Update, Account: "anna", SourceID: "s-anna", TargetID: "x"},
	}}
	p.Arrange(newTown().holder)
	p.Sort()
	var got []string
	for _, o := range p.Operations {
		got = append(got, string(o.Action)+" "+o.SourceID)
	}
	if want := []string{"link s-anna", "update s-anna", "deactivate s-bert"}; !cmp.Equal(got, want) || len(p.Notes) != 0 {
		t.Errorf("%v, want %v; notes %v", got, want, p.Notes)
	}
}

func TestAGroupIsNotMadeForWhatIsLeftOut(t *testing.T) {
	t.Parallel()
	people := newTown("bert: email b")
	p, _ := people.wishes("+anna: email b", "+carl: email c")
	group := func(seq int, name string) plan.Operation {
		return plan.Operation{Seq: seq, Side: plan.Target, Action: plan.CreateGroup, Account: name, GroupName: name}
	}
	p.Operations = append(p.Operations, group(3, "for anna"), group(4, "for both"), group(5, "for nobody"))
	p.Operations[0].After, p.Operations[1].After = []int{3, 4}, []int{4}
	p.Arrange(people.holder)
	p.Sort()
	if got := steps(p); !cmp.Equal(got, []string{"1 for both", "2 for nobody", "3 carl email=c after 1"}) {
		t.Errorf("%v", got)
	}
}
