package diff_test

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/rollcall-sync/rollcall/sync/diff"
	"github.com/rollcall-sync/rollcall/sync/directory"
	"github.com/rollcall-sync/rollcall/sync/mapping"
	"github.com/rollcall-sync/rollcall/sync/plan"
	"github.com/rollcall-sync/rollcall/sync/rules"
)

// anyScene draws rules, policies, powers and proofs.
func anyScene(tb testing.TB, t *rapid.T) *scene {
	some := func(name string) bool { return rapid.Bool().Draw(t, name) }
	mostly := func(name string) bool { return rapid.IntRange(0, 4).Draw(t, name) > 0 }
	one := func(name string, of ...rules.Decision) rules.Decision { return rapid.SampledFrom(of).Draw(t, name) }
	powers := func(side string) diff.Powers {
		return diff.Powers{
			Create: mostly(side + " creates"), Update: mostly(side + " updates"), Status: mostly(side + " sets status"), Delete: mostly(side + " deletes"),
			Groups: mostly(side + " changes groups"), CreateGroup: mostly(side + " makes groups"),
		}
	}
	return newScene(tb, func(s *scene) {
		s.sync.Attributes[2].Conflict = rapid.SampledFrom([]rules.Conflict{rules.ConflictReport, rules.ConflictSource, rules.ConflictTarget, rules.ConflictNewest}).Draw(t, "conflict")
		s.sync.Attributes[2].Direction = rapid.SampledFrom([]rules.Direction{rules.ToTarget, rules.ToSource, rules.Both}).Draw(t, "direction")
		s.sync.Attributes[1].OnlyIfEmpty = some("e-mail only if empty")
		s.sync.GroupOptions = rules.GroupOptions{Create: some("groups are made"), Exact: some("exact"), Nested: some("nested")}
		s.sync.Actions = rules.Actions{
			Create: mostly("create"), Update: mostly("update"), Activate: mostly("activate"), Deactivate: mostly("deactivate"),
			Delete: rapid.SampledFrom([]string{"never", "5d", "20d"}).Draw(t, "delete"), Link: one("link", rules.LinkTrusted, rules.LinkAny, rules.Report),
			OutOfScope:           one("out of scope", rules.Deactivate, rules.DropGroups, rules.Ignore),
			MissingInTarget:      one("missing in target", rules.Report, rules.Recreate),
			DeactivatedElsewhere: one("deactivated elsewhere", rules.Respect, rules.Override), Rehire: one("rehire", rules.Report, rules.LinkIt),
		}
		s.sync.Writeback = rules.Writeback{Create: some("writeback.create"), Update: some("writeback.update"), Deactivate: some("writeback.deactivate"), Groups: some("writeback.groups")}
		s.sync.Protect = []string{`nickname == "webmaster"`}
		s.decider.Removals, s.decider.Creations = mostly("removals"), mostly("creations")
		s.decider.SourcePowers, s.decider.TargetPowers = powers("source"), powers("target")
		s.decider.Target.GroupsLostOnDeactivation = some("groups are lost")
	})
}

var statuses = []directory.Status{directory.StatusActive, directory.StatusActive, directory.StatusInactive, directory.StatusUnknown}

func anyAccount(t *rapid.T, id string, groups ...string) directory.Account {
	a := directory.Account{ID: id, Status: rapid.SampledFrom(statuses).Draw(t, "status of "+id), Attributes: directory.Attributes{}}
	for _, c := range []struct {
		name  string
		texts []string
	}{
		{"username", []string{"anna", "ANNA", "ann"}},
		{"email", []string{"", "anna@example.com", "Anna@example.com", "ann@example.com"}},
		{"photo_url", []string{"", "a", "b"}},
		{"nickname", []string{"", "Anni", "Änni", "A\u0308nni", "webmaster", "a name of more than twenty letters", "rollcall-moving-0123"}},
		{"department", []string{"", "Press", "Away"}},
	} {
		if i := rapid.IntRange(-1, len(c.texts)-1).Draw(t, c.name+" of "+id); i >= 0 {
			a.Attributes[c.name] = directory.Text(c.texts[i])
		}
	}
	if rapid.Bool().Draw(t, "times of "+id) {
		a.Attributes["updated_at"] = directory.Time(now.Add(time.Duration(rapid.IntRange(0, 2).Draw(t, "hour of "+id)) * time.Hour))
	}
	if a.GroupsKnown = rapid.IntRange(0, 4).Draw(t, "groups known of "+id) > 0; a.GroupsKnown {
		a.Groups = subset(t, "groups of "+id, groups)
	}
	rare := func(name string) bool { return rapid.IntRange(0, 9).Draw(t, name+" "+id) == 0 }
	if rare("privileged") {
		a.Privileged = "role administrator"
	}
	if rare("read-only") {
		a.ReadOnly = "kept in LDAP"
	}
	if rare("problem") {
		a.Problem = "no text"
	}
	return a
}

func subset(t *rapid.T, name string, of []string) []string {
	chosen := rapid.SliceOfNDistinct(rapid.SampledFrom(of), 0, len(of), rapid.ID).Draw(t, name)
	slices.Sort(chosen)
	return chosen
}

var (
	sourceGroups = []string{"g-web", "g-child"}
	targetGroups = []string{"r-dynamic", "r-editor", "r-shop", "r-subscriber"}
)

func anyLink(t *rapid.T) *diff.Link {
	l := link(had(subset(t, "groups of the base", targetGroups)...), remembered(subset(t, "remembered groups", targetGroups)...))
	l.Held = rapid.Bool().Draw(t, "held")
	if l.Ours = rapid.Bool().Draw(t, "ours"); l.Ours {
		l.Since = now.AddDate(0, 0, -rapid.IntRange(1, 30).Draw(t, "days ago"))
	}
	l.SourceStatus, l.TargetStatus = rapid.SampledFrom(statuses).Draw(t, "source status of the base"), rapid.SampledFrom(statuses).Draw(t, "target status of the base")
	for _, name := range []string{"username", "email", "nickname", "photo_url"} {
		texts := rapid.SampledFrom([]string{"", "anna", "anna@example.com", "Anni", "a"})
		switch rapid.IntRange(0, 2).Draw(t, "base of "+name) {
		case 0:
			noBase(name)(l)
		case 1:
			base(name, texts.Draw(t, name+" of the source"), texts.Draw(t, name+" of the target"))(l)
		}
	}
	return l
}

// anyCase draws one of the shapes that cases have.
func anyCase(t *rapid.T, s *scene) diff.Case {
	var c diff.Case
	evidence := func(name string) diff.Evidence {
		return rapid.SampledFrom([]diff.Evidence{diff.Withheld, diff.Suspected, diff.Gone}).Draw(t, name)
	}
	shape := rapid.SampledFrom([]string{"pair", "pair", "pair", "source", "match", "target", "source missing", "target missing", "both missing"}).Draw(t, "shape")
	if shape != "target" && shape != "source missing" && shape != "both missing" {
		c.Source = s.sourceRecord(anyAccount(t, "s1", sourceGroups...))
	} else {
		c.SourceMissing = evidence("source missing")
	}
	if shape == "pair" || shape == "target" || shape == "source missing" {
		c.Target = s.targetRecord(anyAccount(t, "t1", targetGroups...))
		c.Target.Self = rapid.IntRange(0, 9).Draw(t, "self") == 0
	} else {
		c.TargetMissing = evidence("target missing")
	}
	if shape != "source" && shape != "match" && shape != "target" {
		c.Link = anyLink(t)
	}
	for i := range map[bool]int{true: rapid.IntRange(1, 2).Draw(t, "candidates")}[shape == "match"] {
		c.Candidates = append(c.Candidates, diff.Candidate{
			Record: *s.targetRecord(anyAccount(t, []string{"t1", "t2"}[i], targetGroups...)), By: rapid.SampledFrom([]string{"email", "username"}).Draw(t, "by"),
			LinkedTo: rapid.SampledFrom([]string{"", "berta"}).Draw(t, "linked to"), Gone: rapid.Bool().Draw(t, "gone"), Ours: rapid.Bool().Draw(t, "deactivated by us"),
		})
	}
	if rapid.IntRange(0, 3).Draw(t, "shared") == 0 {
		c.OtherClaims, c.OtherGroups = []string{"shop"}, subset(t, "groups of the other sync", targetGroups)
		c.LedElsewhere = map[string]string{"email": "shop"}
	}
	return c
}

// written returns the record that an operation writes; nil where it makes a new one.
func written(c diff.Case, o plan.Operation) *diff.Record {
	switch {
	case o.Action == plan.Create:
		return nil
	case o.Side == plan.Source:
		return c.Source
	case c.Target != nil:
		return c.Target
	default:
		return &c.Candidates[0].Record
	}
}

func TestLawsOfDecisions(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		s := anyScene(t, rt)
		c := anyCase(rt, s)
		got := s.decider.Decide(c)
		if again := s.decider.Decide(c); !cmp.Equal(got, again, cmp.Comparer(directory.Value.Equal)) {
			rt.Errorf("the same case gives another decision: %s", cmp.Diff(got, again, cmp.Comparer(directory.Value.Equal)))
		}
		links := slices.ContainsFunc(got.Operations, func(o plan.Operation) bool { return o.Action == plan.Link })
		for i, o := range got.Operations {
			if o.Action.Loss() && !s.decider.Removals {
				rt.Errorf("without a complete certificate: %s", write(o))
			}
			if o.Action == plan.Create && !s.decider.Creations {
				rt.Errorf("without a complete listing of the target: %s", write(o))
			}
			if o.Action == plan.Link && (c.Link != nil || i > 0) {
				rt.Errorf("operation %d of a pair with link %v is a link", i, c.Link)
			}
			if c.Link == nil && !links && (o.Action != plan.Create || (o.Side == plan.Target) != (c.Source != nil)) {
				rt.Errorf("an unmanaged account is written: %s", write(o))
			}
			if o.Reason == "" || o.Account == "" {
				rt.Errorf("nobody knows who or why: %+v", o)
			}
			r := written(c, o)
			if r == nil || o.Action == plan.Link {
				continue
			}
			if why := diff.Guarded(*r); why != "" || r.Account.ReadOnly != "" || r.Account.Problem != "" {
				rt.Errorf("%s writes an account that is never written: %s%s%s", write(o), why, r.Account.ReadOnly, r.Account.Problem)
			}
			for _, change := range o.Changes {
				if plan.IsTemporary(change.After) && o.Side == plan.Source {
					rt.Errorf("%s hands on a value of our own", write(o))
				}
			}
		}
	})
}

// TestWhatIsEqualGivesNothing maps a source account to a target account that has just what the rules give.
func TestWhatIsEqualGivesNothing(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		s := anyScene(t, rt)
		c := diff.Case{Source: s.sourceRecord(anna("s1", with("nickname", rapid.SampledFrom([]string{"", "Anni", " Änni "}).Draw(rt, "nickname")), in(subset(rt, "groups", sourceGroups)...)))}
		target := directory.Account{ID: "t1", Status: directory.StatusActive, GroupsKnown: true, Attributes: directory.Attributes{"photo_url": c.Source.Account.Attributes["photo_url"]}}
		for _, name := range []string{"username", "email", "nickname"} {
			target.Attributes[name] = mapping.Normalise(c.Source.Account.Attributes[name], directory.AttributeSpec{})
		}
		for _, want := range c.Source.Out.Groups {
			group, _, _ := s.decider.TargetGroups.Find(want.Target)
			target.Groups = append(target.Groups, group.ID)
		}
		c.Target, c.Link = s.targetRecord(target), link(had(target.Groups...))
		if rapid.Bool().Draw(rt, "never compared") {
			c.Link.Attributes = map[string]diff.Pair{}
		}
		if got := s.decider.Decide(c); len(got.Operations) > 0 || len(got.Notes) > 0 || !got.InStep || got.Class != diff.Unchanged {
			rt.Errorf("%v, %v, class %d", writes(got), notes(got), got.Class)
		}
	})
}

// TestAppliedThenComparedAgainIsNothing carries a decision out on the two records, remembers what a run remembers, and
// decides again.
func TestAppliedThenComparedAgainIsNothing(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		s := anyScene(t, rt)
		c := anyCase(rt, s)
		first := s.decider.Decide(c)
		next, carried := s.carryOut(c, first)
		if carried && slices.ContainsFunc(first.Operations, func(o plan.Operation) bool {
			return o.Side == plan.Source && (o.Action == plan.Create || o.Action == plan.Deactivate)
		}) {
			first = s.decider.Decide(next) // the rules see the new source account, or its new status, for the first time
			next, carried = s.carryOut(next, first)
		}
		if !carried {
			return
		}
		if second := s.decider.Decide(next); len(second.Operations) > 0 {
			rt.Errorf("first %v\nthen  %v (%v)", writes(first), writes(second), second.Operations[0].Reason)
		}
	})
}

// carryOut does to the records what a directory would, and to the link what apply and the engine do.
func (s *scene) carryOut(c diff.Case, d diff.Decision) (next diff.Case, carried bool) {
	var source, target *directory.Account
	for _, r := range []struct {
		record *diff.Record
		to     **directory.Account
	}{{c.Source, &source}, {c.Target, &target}} {
		if r.record != nil {
			account := r.record.Account.Clone()
			*r.to = &account
		}
	}
	self := c.Target != nil && c.Target.Self
	l := diff.Link{Held: true, Attributes: map[string]diff.Pair{}, TargetStatus: directory.StatusActive, SourceStatus: directory.StatusActive}
	if c.Link != nil {
		l = *c.Link
	}
	groups, created := d.GroupsBefore, false
	wrote := map[plan.Side]map[string]bool{plan.Source: {}, plan.Target: {}}
	for _, o := range d.Operations {
		account := target
		if o.Side == plan.Source {
			account = source
		}
		switch o.Action {
		case plan.Link:
			found := c.Candidates[0].Record.Account.Clone()
			l, target, self = diff.Link{SourceID: o.SourceID, TargetID: o.TargetID, Held: true, Attributes: map[string]diff.Pair{}}, &found, c.Candidates[0].Record.Self
			continue
		case plan.Create:
			made := directory.Account{ID: "t9", Status: directory.StatusActive, GroupsKnown: true, Groups: o.Groups, Attributes: directory.Attributes{"photo_url": {}, "nickname": {}, "email": {}}}
			if len(o.NewGroups) > 0 {
				return diff.Case{}, false // the group's own creation is not played here
			}
			if o.Side == plan.Source {
				made.ID, source, account = "s9", &made, &made
				l.SourceID, l.TargetID = "s9", o.TargetID
			} else {
				target, account, groups = &made, &made, o.Groups
				l.SourceID, l.TargetID = o.SourceID, "t9"
			}
			created = true
		case plan.Activate:
			account.Status = directory.StatusActive
			if s.decider.Target.GroupsLostOnDeactivation {
				account.Groups = o.Groups
			}
			l.Held, l.Ours, l.Since, l.RememberedGroups = true, false, time.Time{}, nil
		case plan.Deactivate:
			account.Status = directory.StatusInactive
			if o.Side == plan.Target {
				l.Held, l.Ours, l.Since, l.RememberedGroups = false, true, now, o.Groups
				if s.decider.Target.GroupsLostOnDeactivation {
					account.Groups = nil
				}
			}
		case plan.GroupAdd, plan.GroupRemove:
			if o.GroupID == "" {
				return diff.Case{}, false
			}
			without := func(list []string) []string {
				return slices.DeleteFunc(slices.Clone(list), func(id string) bool { return id == o.GroupID })
			}
			account.Groups = without(account.Groups)
			if o.Side == plan.Target {
				groups = without(groups)
			}
			if o.Action == plan.GroupAdd {
				account.Groups = append(account.Groups, o.GroupID)
				if o.Side == plan.Target {
					groups = append(groups, o.GroupID)
				}
			}
		case plan.Delete:
			return diff.Case{Link: &l, SourceMissing: diff.Gone, TargetMissing: diff.Gone}, true
		}
		for _, change := range o.Changes {
			account.Attributes[change.Attribute] = change.After
			wrote[o.Side][change.Attribute] = true
		}
	}
	next = diff.Case{Link: &l, SourceMissing: c.SourceMissing, TargetMissing: c.TargetMissing, OtherClaims: c.OtherClaims, OtherGroups: c.OtherGroups, LedElsewhere: c.LedElsewhere}
	if source != nil {
		next.Source = s.sourceRecord(*source)
	}
	if target != nil {
		next.Target = s.targetRecord(*target)
		next.Target.Self = self
	}
	if len(d.Operations) == 0 && l.SourceID == "" {
		return c, true
	}
	if d.Release {
		l.Held = false
	} else if d.Hold {
		l.Held = true
	}
	if d.Attributes != nil {
		l.Attributes = d.Attributes
	}
	if len(d.Operations) == 0 {
		if d.Attributes != nil {
			l.Groups = d.Groups
			if source != nil && target != nil {
				l.SourceStatus, l.TargetStatus = source.Status, target.Status
			}
		}
		return next, true
	}
	l.Groups = groups
	if source != nil && target != nil {
		l.SourceStatus, l.TargetStatus = source.Status, target.Status
		l.Attributes = s.decider.Rebase(next, wrote[plan.Target], wrote[plan.Source], created)
	}
	return next, true
}
