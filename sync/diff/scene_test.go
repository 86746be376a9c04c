package diff_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-sync/rollcall/sync/diff"
	"github.com/rollcall-sync/rollcall/sync/directory"
	"github.com/rollcall-sync/rollcall/sync/mapping"
	"github.com/rollcall-sync/rollcall/sync/plan"
	"github.com/rollcall-sync/rollcall/sync/rules"
)

var (
	now       = time.Date(2026, 3, 2, 2, 30, 0, 0, time.UTC)
	allPowers = diff.Powers{Create: true, Update: true, Status: true, Delete: true, Groups: true, CreateGroup: true}
)

// scene is one sync between "staff" and "website", with everything that a decision depends on besides the case.
type scene struct {
	tb      testing.TB
	sync    rules.Sync
	decider diff.Decider
	mapping *mapping.Mapping
}

// newScene has complete listings, all powers, and these rules: username and email lead to the target, nickname goes both
// ways, photo_url leads to the source, "Web editors" gives editor and everybody is a subscriber.
func newScene(tb testing.TB, change ...func(*scene)) *scene {
	tb.Helper()
	s := &scene{tb: tb, sync: rules.NewSync("staff-to-website", "staff", "website")}
	s.sync.Scope = `department != "Away"`
	s.sync.Attributes = []rules.Attribute{
		{Target: "username", From: "username"},
		{Target: "email", From: "email"},
		{Target: "nickname", From: "nickname", Direction: rules.Both},
		{Target: "photo_url", Direction: rules.ToSource, To: "photo_url", Back: "photo_url"},
	}
	s.sync.Groups = []rules.Group{{Target: "editor", From: []string{"Web editors"}}, {Target: "subscriber", When: "true"}}
	s.decider = diff.Decider{
		Source: directory.Description{Name: "staff", Attributes: specs()}, Target: directory.Description{Name: "website", Attributes: specs(), GroupsInline: true},
		SourceGroups: diff.NewGroups([]directory.Group{{ID: "g-web", Name: "Web editors"}, {ID: "g-child", Name: "Child", Parents: []string{"g-web"}}}),
		TargetGroups: diff.NewGroups([]directory.Group{
			{ID: "r-editor", Name: "editor"}, {ID: "r-subscriber", Name: "subscriber"}, {ID: "r-shop", Name: "shop"}, {ID: "r-dynamic", Name: "dynamic", ReadOnly: "dynamic group"},
		}),
		Removals: true, Creations: true, WithheldBecause: "the listing of staff is not proven complete",
		SourcePowers: allPowers, TargetPowers: allPowers, Now: now,
	}
	for _, c := range change {
		c(s)
	}
	m, faults := mapping.Compile(s.sync)
	if len(faults) > 0 {
		tb.Fatal(faults)
	}
	s.mapping = m
	s.decider.Rules = m.Rules()
	if s.decider.Managed == nil {
		s.decider.Managed = m.ManagedGroups(s.decider.SourceGroups.All())
	}
	s.decider.GroupSource = m.GroupSource
	return s
}

func specs() []directory.AttributeSpec {
	return []directory.AttributeSpec{
		{Name: "username", Kind: directory.KindText, Writable: true, Required: true, Unique: true, FoldCase: true, MaxLength: 20},
		{Name: "email", Kind: directory.KindText, Writable: true, Unique: true, FoldCase: true},
		{Name: "nickname", Kind: directory.KindText, Writable: true, MaxLength: 20},
		{Name: "photo_url", Kind: directory.KindText, Writable: true, MaxLength: 20},
		{Name: "custom.roles", Kind: directory.KindList, Writable: true},
		{Name: "title", Kind: directory.KindText, Writable: true},
	}
}

// spec changes one spec of one side.
func spec(d *directory.Description, name string, change func(*directory.AttributeSpec)) {
	d.Attributes = slices.Clone(d.Attributes)
	i := slices.IndexFunc(d.Attributes, func(s directory.AttributeSpec) bool { return s.Name == name })
	change(&d.Attributes[i])
}

// anna is an account that is in step with itself on the other side.
func anna(id string, change ...func(*directory.Account)) directory.Account {
	a := directory.Account{ID: id, Status: directory.StatusActive, GroupsKnown: true, Attributes: directory.Attributes{
		"username": directory.Text("anna"), "email": directory.Text("anna@example.com"), "nickname": directory.Value{}, "photo_url": directory.Value{},
	}}
	if strings.HasPrefix(id, "t") {
		a.Groups = []string{"r-subscriber"}
	}
	for _, c := range change {
		c(&a)
	}
	return a
}

func with(name, value string) func(*directory.Account) {
	return func(a *directory.Account) { a.Attributes[name] = directory.Text(value) }
}

func without(name string) func(*directory.Account) {
	return func(a *directory.Account) { delete(a.Attributes, name) }
}

func status(s directory.Status) func(*directory.Account) {
	return func(a *directory.Account) { a.Status = s }
}

func in(groups ...string) func(*directory.Account) {
	return func(a *directory.Account) { a.Groups = groups }
}

func groupsUnknown(a *directory.Account) { a.Groups, a.GroupsKnown = nil, false }

func problem(a *directory.Account)    { a.Problem = "its e-mail is no text" }
func privileged(a *directory.Account) { a.Privileged = "role administrator" }
func readOnly(a *directory.Account)   { a.ReadOnly = "kept in LDAP" }

var (
	inactive = status(directory.StatusInactive)
	unknown  = status(directory.StatusUnknown)
	away     = with("department", "Away")
)

// source and target apply the rules to an account, as the engine does.
func (s *scene) source(change ...func(*directory.Account)) *diff.Record {
	return s.sourceRecord(anna("s1", change...))
}

func (s *scene) target(change ...func(*directory.Account)) *diff.Record {
	return s.targetRecord(anna("t1", change...))
}

func (s *scene) sourceRecord(account directory.Account) *diff.Record {
	record := mapping.Record{Account: account, Groups: s.decider.SourceGroups.Resolve(account.Groups, s.sync.GroupOptions.Nested)}
	protected, _ := s.mapping.Protected(record)
	return &diff.Record{Account: account, Protected: protected, Out: s.mapping.Outbound(record)}
}

func (s *scene) targetRecord(account directory.Account) *diff.Record {
	record := mapping.Record{Account: account, Groups: s.decider.TargetGroups.Resolve(account.Groups, false)}
	protected, _ := s.mapping.Protected(record)
	scope, _ := s.mapping.WritebackScope(record)
	return &diff.Record{Account: account, Protected: protected, In: s.mapping.Inbound(record), WritebackScope: scope}
}

// link is the link of a pair that was in step.
func link(change ...func(*diff.Link)) *diff.Link {
	l := &diff.Link{
		SourceID: "s1", TargetID: "t1", SourceLabel: "anna", TargetLabel: "anna", Held: true, Groups: []string{"r-subscriber"},
		SourceStatus: directory.StatusActive, TargetStatus: directory.StatusActive,
		Attributes: map[string]diff.Pair{"username": same("anna"), "email": same("anna@example.com"), "nickname": {}, "photo_url": {}},
	}
	for _, c := range change {
		c(l)
	}
	return l
}

func same(text string) diff.Pair {
	return diff.Pair{Source: directory.Text(text), Target: directory.Text(text)}
}

// ours is the link of an account that we deactivated ten days ago.
func ours(l *diff.Link) {
	l.Held, l.Ours, l.Since, l.TargetStatus = false, true, now.AddDate(0, 0, -10), directory.StatusInactive
}

func released(l *diff.Link) { l.Held = false }

func base(name, source, target string) func(*diff.Link) {
	return func(l *diff.Link) {
		l.Attributes[name] = diff.Pair{Source: directory.Text(source), Target: directory.Text(target)}
	}
}

func noBase(name string) func(*diff.Link) { return func(l *diff.Link) { delete(l.Attributes, name) } }

func had(groups ...string) func(*diff.Link) { return func(l *diff.Link) { l.Groups = groups } }

func remembered(groups ...string) func(*diff.Link) {
	return func(l *diff.Link) { l.RememberedGroups = groups }
}

// write is an operation in a few words: "target update email=x", "target group_add editor", "target create … into r-a, new b".
func write(o plan.Operation) string {
	words := []string{string(o.Side), string(o.Action)}
	for _, c := range o.Changes {
		words = append(words, fmt.Sprintf("%s=%s", c.Attribute, c.After))
	}
	if o.GroupName != "" {
		words = append(words, o.GroupName)
	}
	if len(o.Groups) > 0 {
		words = append(words, "with "+strings.Join(o.Groups, "+"))
	}
	if len(o.NewGroups) > 0 {
		words = append(words, "and new "+strings.Join(o.NewGroups, "+"))
	}
	return strings.Join(words, " ")
}

func writes(d diff.Decision) []string {
	var list []string
	for _, o := range d.Operations {
		list = append(list, write(o))
	}
	return list
}

func notes(d diff.Decision) []string {
	var list []string
	for _, n := range d.Notes {
		list = append(list, string(n.Kind)+": "+n.Message)
	}
	return list
}

// row is one row of the table: a case and all that is to come of it.
type row struct {
	name   string
	change func(*scene)
	of     func(*scene) diff.Case
	writes []string
	// notes are the beginnings, or parts, of all notes.
	notes []string
	class diff.Class
	// reason is a part of the reason.
	reason        string
	release, hold bool
}

// exceptInStep names the rows that are to be looked at again although nothing is to be done or said now.
func exceptInStep(names ...string) []string { return names }

func check(t *testing.T, rows []row, again ...[]string) {
	t.Helper()
	for _, r := range rows {
		t.Run(r.name, func(t *testing.T) {
			t.Parallel()
			var changes []func(*scene)
			if r.change != nil {
				changes = append(changes, r.change)
			}
			s := newScene(t, changes...)
			got := s.decider.Decide(r.of(s))
			if difference := cmp.Diff(r.writes, writes(got)); difference != "" {
				t.Errorf("operations (want, got):\n%s", difference)
			}
			checkNotes(t, r.notes, notes(got))
			if got.Class != r.class || got.Release != r.release || got.Hold != r.hold {
				t.Errorf("class %d, release %t, hold %t; want %d, %t, %t", got.Class, got.Release, got.Hold, r.class, r.release, r.hold)
			}
			if r.reason != "" && !strings.Contains(got.Reason, r.reason) {
				t.Errorf("reason %q, want %q in it", got.Reason, r.reason)
			}
			if got.Reason == "" {
				t.Error("no reason")
			}
			lookAgain := slices.Contains(slices.Concat(again...), r.name)
			if got.InStep != (len(got.Operations) == 0 && len(got.Notes) == 0 && !lookAgain) {
				t.Errorf("in step is %t with %v and %v", got.InStep, writes(got), notes(got))
			}
		})
	}
}

func checkNotes(t *testing.T, want, got []string) {
	t.Helper()
	if len(want) != len(got) {
		t.Errorf("%d notes, want %d: %q", len(got), len(want), got)
		return
	}
	for i := range want {
		if !strings.Contains(got[i], want[i]) {
			t.Errorf("note %q, want %q in it", got[i], want[i])
		}
	}
}
