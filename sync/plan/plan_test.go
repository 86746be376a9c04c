package plan_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/rollcall-sync/rollcall/sync/directory"
	"github.com/rollcall-sync/rollcall/sync/plan"
)

var update = flag.Bool("update", false, "write the golden files anew")

func text(name, before, after string) plan.Change {
	return plan.Change{Attribute: name, Before: directory.Text(before), After: directory.Text(after), Rule: name}
}

// night is a plan with every action on both sides, in no order.
func night() *sheet {
	return &sheet{
		Sync: "staff-to-website",
		Operations: []plan.Operation{
			{Seq: 1, Side: plan.Target, Action: plan.Delete, Account: "hugo", SourceID: "s-hugo", TargetID: "t-hugo", Reason: "no longer in staff, deactivated on 2026-02-20, and actions.delete is 10d"},
			{Seq: 2, Side: plan.Target, Action: plan.Deactivate, Account: "gerd", SourceID: "s-gerd", TargetID: "t-gerd", Groups: []string{"r-editor"}, Reason: "inactive in staff"},
			{Seq: 3, Side: plan.Target, Action: plan.GroupRemove, Account: "anna", SourceID: "s-anna", TargetID: "t-anna", GroupID: "r-editor", GroupName: "editor", Reason: "the rules no longer put anna into it"},
			{Seq: 4, Side: plan.Target, Action: plan.GroupAdd, Account: "anna", SourceID: "s-anna", TargetID: "t-anna", GroupName: "newcomers", Reason: "the rules put anna into it", After: []int{9}},
			{
				Seq: 5, Side: plan.Target, Action: plan.Create, Account: "carl", SourceID: "s-carl", Changes: []plan.Change{text("username", "", "carl"), text("email", "", "carl@example.com")},
				Groups: []string{"r-editor"}, NewGroups: []string{"newcomers"}, Reason: "in scope and not in website yet", Origin: "created", After: []int{9},
			},
			{Seq: 6, Side: plan.Source, Action: plan.Update, Account: "berta", SourceID: "s-berta", TargetID: "t-berta", Changes: []plan.Change{text("nickname", "Berti", "B\x1b[31merta")}, Reason: "nickname differs, website leads", Revision: "7"},
			{Seq: 7, Side: plan.Target, Action: plan.Update, Account: "anna", SourceID: "s-anna", TargetID: "t-anna", Changes: []plan.Change{text("email", "a@example.com", "anna@example.com"), text("title", "", "Editor")}, Reason: "email, title differ, staff leads"},
			{Seq: 8, Side: plan.Target, Action: plan.Activate, Account: "frida", SourceID: "s-frida", TargetID: "t-frida", Reason: "active in staff again"},
			{Seq: 9, Side: plan.Target, Action: plan.CreateGroup, Account: "newcomers", GroupName: "newcomers", Reason: "the rules name it and it does not exist"},
			{Seq: 10, Side: plan.Target, Action: plan.Link, Account: "dora", SourceID: "s-dora", TargetID: "t-dora", Reason: "same email", Origin: "matched"},
			{Seq: 11, Side: plan.Source, Action: plan.Deactivate, Account: "emil", SourceID: "s-emil", TargetID: "t-emil", Reason: "deactivated in website, and writeback.deactivate is on"},
		},
		Notes: []plan.Note{
			{Kind: plan.NoteSuspected, Account: "ida", ID: "s-ida", Message: "missing from the listing of staff, not yet confirmed by a look-up; nothing is taken away"},
			{Kind: plan.NoteAmbiguous, Account: "karl", ID: "s-karl", Message: "2 accounts match"},
			{Kind: plan.NoteAmbiguous, Account: "jan", ID: "s-jan", Message: "matches jan (id t-jan, by email)"},
		},
	}
}

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if difference := cmp.Diff(string(want), string(got)); difference != "" {
		t.Errorf("%s (want, got; -update writes it anew):\n%s", name, difference)
	}
}

func table(t *testing.T, p *sheet, most int) []byte {
	t.Helper()
	var out bytes.Buffer
	if err := p.Plan().WriteTable(&out, most); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestAPlanPrintsInTheOrderOfARun(t *testing.T) {
	t.Parallel()
	p := night()
	p.Sort()
	golden(t, "night.txt", table(t, p, 0))
	golden(t, "night-first-3.txt", table(t, p, 3))
	data, err := json.MarshalIndent(p.Plan(), "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "night.json", append(data, '\n'))
}

func TestATableThatIsLongEnoughSaysNothingOfMore(t *testing.T) {
	t.Parallel()
	p := night()
	for _, most := range []int{0, len(p.Operations), len(p.Operations) + 1} {
		if got := string(table(t, p, most)); strings.Contains(got, "more operations") || strings.Count(got, "\n") != len(p.Operations)+1 {
			t.Errorf("at most %d:\n%s", most, got)
		}
	}
	if got := string(table(t, &sheet{}, 3)); got != "SIDE  ACTION  ACCOUNT  CHANGES  WHY\n" {
		t.Errorf("an empty plan: %q", got)
	}
}

type brokenPipe struct{ after int }

func (b *brokenPipe) Write(data []byte) (int, error) {
	if b.after--; b.after < 0 {
		return 0, os.ErrClosed
	}
	return len(data), nil
}

func TestATableThatCannotBeWrittenSaysSo(t *testing.T) {
	t.Parallel()
	if err := night().Plan().WriteTable(&brokenPipe{}, 0); err == nil {
		t.Error("no error")
	}
	lines := strings.Count(string(table(t, night(), 2)), "\n")
	broke := false
	for after := range 100 * lines { // wherever it breaks off
		err := night().Plan().WriteTable(&brokenPipe{after}, 2)
		if err == nil {
			break
		}
		broke = true
	}
	if !broke {
		t.Error("no error")
	}
}

func TestAnOperationInAFewWords(t *testing.T) {
	t.Parallel()
	want := map[string][2]string{
		"delete": {"delete", ""}, "deactivate": {"deactivate", ""}, "group_remove": {"leave editor", ""}, "group_add": {"join newcomers", ""},
		"create": {"create", `username "carl", email "carl@example.com"`}, "activate": {"activate", ""}, "create_group": {"create group newcomers", ""}, "link": {"link", ""},
	}
	for _, o := range night().Operations {
		if o.Action == plan.Update {
			continue
		}
		if got := [2]string{o.Describe(), o.Detail()}; got != want[string(o.Action)] {
			t.Errorf("%s: %q, want %q", o.Action, got, want[string(o.Action)])
		}
	}
	o := night().Operations[6]
	if o.Describe() != "update email, title" || o.Detail() != `email "a@example.com" → "anna@example.com", title "" → "Editor"` {
		t.Errorf("%s: %s", o.Describe(), o.Detail())
	}
}

func TestControlCharactersDoNotReachTheTerminal(t *testing.T) {
	t.Parallel()
	if got := plan.Clean("a\x1b[31m\n\u009b\x7fö…"); got != "a�[31m���ö…" {
		t.Errorf("%q", got)
	}
}

func TestSortTranslatesWhatWaits(t *testing.T) {
	t.Parallel()
	p := night()
	waits := func(p *sheet) map[string][]string {
		name := make(map[int]string)
		for _, o := range p.Operations {
			name[o.Seq] = o.Account + " " + o.Describe()
		}
		all := make(map[string][]string)
		for _, o := range p.Operations {
			for _, seq := range o.After {
				all[name[o.Seq]] = append(all[name[o.Seq]], name[seq])
			}
		}
		return all
	}
	before := waits(p)
	p.Sort()
	if after := waits(p); !cmp.Equal(before, after) || len(after) != 2 {
		t.Errorf("before %v, after %v", before, after)
	}
	for i, o := range p.Operations {
		if o.Seq != i+1 {
			t.Errorf("operation %d is number %d", i+1, o.Seq)
		}
	}
}

// TestTheOrderOfTheInputDoesNotMatter shuffles a plan and expects the same bytes, keys and token.
func TestTheOrderOfTheInputDoesNotMatter(t *testing.T) {
	t.Parallel()
	sorted := night()
	sorted.Sort()
	want, err := json.Marshal(sorted)
	if err != nil {
		t.Fatal(err)
	}
	rapid.Check(t, func(t *rapid.T) {
		p := night()
		p.Operations = rapid.Permutation(p.Operations).Draw(t, "operations")
		p.Notes = rapid.Permutation(p.Notes).Draw(t, "notes")
		token, keys := p.Token(), p.Keys()
		p.Sort()
		got, err := json.Marshal(p)
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%v\ngot  %s\nwant %s", err, got, want)
		}
		if token != sorted.Token() || !slices.Equal(keys, sorted.Keys()) {
			t.Errorf("token %s, want %s", token, sorted.Token())
		}
	})
}

func TestAKeySaysWhoWhereWhatAndToWhichValues(t *testing.T) {
	t.Parallel()
	o := night().Operations[6]
	same := func(name string, change func(*plan.Operation)) {
		other := o
		other.Changes = slices.Clone(o.Changes)
		change(&other)
		if other.Key() != o.Key() {
			t.Errorf("%s changed the key", name)
		}
	}
	same("the number", func(o *plan.Operation) { o.Seq, o.After = 99, []int{1} })
	same("the reason", func(o *plan.Operation) { o.Reason = "another" })
	same("the revision", func(o *plan.Operation) { o.Revision = "8" })
	same("the name of an account that has an id", func(o *plan.Operation) { o.Account = "ann" })
	same("the value before", func(o *plan.Operation) { o.Changes[0].Before = directory.Text("x") })
	seen := map[string]string{o.Key(): "the operation as it was"}
	for _, c := range []struct {
		name   string
		change func(*plan.Operation)
	}{
		{"side", func(o *plan.Operation) { o.Side = plan.Source }},
		{"action", func(o *plan.Operation) { o.Action = plan.Create }},
		{"source", func(o *plan.Operation) { o.SourceID = "s-other" }},
		{"target", func(o *plan.Operation) { o.TargetID = "t-other" }},
		{"group", func(o *plan.Operation) { o.GroupID = "g" }},
		{"name of the group", func(o *plan.Operation) { o.GroupName = "g" }},
		{"value", func(o *plan.Operation) { o.Changes[0].After = directory.Text("x") }},
		{"attribute", func(o *plan.Operation) { o.Changes[0].Attribute = "nickname" }},
		{"no change", func(o *plan.Operation) { o.Changes = nil }},
		{"account without ids", func(o *plan.Operation) { o.SourceID, o.TargetID = "", "" }},
		{"another account without ids", func(o *plan.Operation) { o.SourceID, o.TargetID, o.Account = "", "", "other" }},
	} {
		other := o
		other.Changes = slices.Clone(o.Changes)
		c.change(&other)
		if before, ok := seen[other.Key()]; ok {
			t.Errorf("%s has the key of %s", c.name, before)
		}
		seen[other.Key()] = c.name
	}
	creation := night().Operations[4]
	for name, change := range map[string]func(*plan.Operation){
		"a group":            func(o *plan.Operation) { o.Groups = []string{"r-editor", "r-admin"} },
		"no group":           func(o *plan.Operation) { o.Groups = nil },
		"a group to be made": func(o *plan.Operation) { o.NewGroups = []string{"newcomers", "admins"} },
	} {
		other := creation
		if change(&other); other.Key() == creation.Key() {
			t.Errorf("a creation with %s has the key of another", name)
		}
	}
	// An approval that was given with one version must hold with the next.
	if got := o.Key(); got != "fe1bd6edad7e07dc65fc4216" {
		t.Errorf("the key is %s", got)
	}
	if got := night().Token(); got != "13d6d0e399" {
		t.Errorf("the token is %s", got)
	}
}

func TestTheTokenNamesTheSyncToo(t *testing.T) {
	t.Parallel()
	other := night()
	other.Sync = "shop"
	if other.Token() == night().Token() {
		t.Error("two syncs have one token")
	}
}

func TestCountsLeaveTheFirstHalfOfAnExchangeOut(t *testing.T) {
	t.Parallel()
	p := night()
	p.Operations = append(p.Operations, plan.Operation{Side: plan.Target, Action: plan.Update, Temporary: true})
	got := p.Plan().Counts()
	want := map[plan.Side]map[plan.Action]int{
		plan.Source: {plan.Update: 1, plan.Deactivate: 1},
		plan.Target: {plan.Delete: 1, plan.Deactivate: 1, plan.GroupRemove: 1, plan.GroupAdd: 1, plan.Create: 1, plan.Update: 1, plan.Activate: 1, plan.CreateGroup: 1, plan.Link: 1},
	}
	if difference := cmp.Diff(want, got); difference != "" {
		t.Error(difference)
	}
}

func TestWhatTakesAccessAwayComesLast(t *testing.T) {
	t.Parallel()
	order := []plan.Action{plan.Link, plan.CreateGroup, plan.Update, plan.Create, plan.Activate, plan.GroupAdd, plan.Deactivate, plan.Delete}
	for i := 1; i < len(order); i++ {
		if order[i-1].Phase() >= order[i].Phase() {
			t.Errorf("%s is not before %s", order[i-1], order[i])
		}
	}
	if plan.GroupAdd.Phase() != plan.GroupRemove.Phase() {
		t.Error("group changes are sent together")
	}
	if plan.Source.Other() != plan.Target || plan.Target.Other() != plan.Source {
		t.Error("the other side is not the other side")
	}
}
