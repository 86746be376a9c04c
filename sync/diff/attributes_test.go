package diff_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-sync/rollcall/sync/diff"
	"github.com/rollcall-sync/rollcall/sync/directory"
	"github.com/rollcall-sync/rollcall/sync/rules"
)

// value is what one side has of an attribute; the zero value is absent.
type value struct {
	told bool
	text string
}

func told(text string) value { return value{true, text} }

var absent = value{}

func (v value) put(name string) func(*directory.Account) {
	return func(a *directory.Account) {
		delete(a.Attributes, name)
		if v.told {
			a.Attributes[name] = directory.Text(v.text)
		}
	}
}

// TestThreeWay walks through the table above Decider.attributes: what each direction does with what changed on which side.
func TestThreeWay(t *testing.T) {
	t.Parallel()
	report := []string{`conflict: nickname was changed on both sides: "S" in staff, "T" in website; set it to the same value, or choose a conflict policy`}
	unclear := []string{`conflict: nickname differs, and nothing tells which is right: "S" in staff, "T" in website; set it to the same value, or choose a conflict policy`}
	for _, c := range []struct {
		name           string
		direction      rules.Direction
		conflict       rules.Conflict
		base           func(*diff.Link)
		source, target value
		writes         []string
		notes          []string
	}{
		{name: "to_target: neither changed", direction: rules.ToTarget, base: base("nickname", "S", "S"), source: told("S"), target: told("S")},
		{name: "to_target: neither changed, and the target keeps a form of its own", direction: rules.ToTarget, base: base("nickname", "S", "s!"), source: told("S"), target: told("s!")},
		{name: "to_target: the source changed", direction: rules.ToTarget, base: base("nickname", "B", "B"), source: told("S"), target: told("B"), writes: []string{"target update nickname=S"}},
		{name: "to_target: the target changed", direction: rules.ToTarget, base: base("nickname", "B", "B"), source: told("B"), target: told("T"), writes: []string{"target update nickname=B"}},
		{name: "to_target: both changed", direction: rules.ToTarget, base: base("nickname", "B", "B"), source: told("S"), target: told("T"), writes: []string{"target update nickname=S"}},
		{name: "to_target: both changed to the same", direction: rules.ToTarget, base: base("nickname", "B", "B"), source: told("S"), target: told("S")},
		{name: "to_target: no base", direction: rules.ToTarget, base: noBase("nickname"), source: told("S"), target: told("T"), writes: []string{"target update nickname=S"}},
		{name: "to_target: emptied in the source", direction: rules.ToTarget, base: base("nickname", "B", "B"), source: told(""), target: told("B"), writes: []string{"target update nickname="}},
		{name: "to_target: empty in the source from the beginning", direction: rules.ToTarget, base: noBase("nickname"), source: told(""), target: told("T")},
		{name: "to_target: empty in the source, and the target had a value before", direction: rules.ToTarget, base: base("nickname", "", "T"), source: told(""), target: told("T2")},
		{name: "to_target: both had agreed on nothing, and the target changed", direction: rules.ToTarget, base: base("nickname", "", ""), source: told(""), target: told("T"), writes: []string{"target update nickname="}},
		{name: "to_target: absent in the source", direction: rules.ToTarget, base: base("nickname", "B", "B"), source: absent, target: told("T")},
		{name: "to_target: absent in the target", direction: rules.ToTarget, base: noBase("nickname"), source: told("S"), target: absent, writes: []string{"target update nickname=S"}},
		{name: "to_target: a value that the target does not tell was sent before", direction: rules.ToTarget, base: base("nickname", "S", ""), source: told("S"), target: absent},
		{name: "to_target: nothing but spaces and the composition of letters differ", direction: rules.ToTarget, base: noBase("nickname"), source: told(" Ame\u0301lie "), target: told("Amélie")},

		{name: "to_source: neither changed", direction: rules.ToSource, base: base("nickname", "B", "B"), source: told("B"), target: told("B")},
		{name: "to_source: neither changed, and the source keeps a form of its own", direction: rules.ToSource, base: base("nickname", "B", "b!"), source: told("b!"), target: told("B")},
		{name: "to_source: the source changed", direction: rules.ToSource, base: base("nickname", "B", "B"), source: told("S"), target: told("B"), writes: []string{"source update nickname=B"}},
		{name: "to_source: the target changed", direction: rules.ToSource, base: base("nickname", "B", "B"), source: told("B"), target: told("T"), writes: []string{"source update nickname=T"}},
		{name: "to_source: both changed", direction: rules.ToSource, base: base("nickname", "B", "B"), source: told("S"), target: told("T"), writes: []string{"source update nickname=T"}},
		{name: "to_source: no base", direction: rules.ToSource, base: noBase("nickname"), source: told("S"), target: told("T"), writes: []string{"source update nickname=T"}},
		{name: "to_source: emptied in the target", direction: rules.ToSource, base: base("nickname", "B", "B"), source: told("B"), target: told(""), writes: []string{"source update nickname="}},
		{name: "to_source: empty in the target from the beginning", direction: rules.ToSource, base: noBase("nickname"), source: told("S"), target: told("")},
		{name: "to_source: empty in the target from the beginning, and the source changed", direction: rules.ToSource, base: base("nickname", "", "B"), source: told("S"), target: told("")},
		{name: "to_source: both had agreed on nothing, and the source changed", direction: rules.ToSource, base: base("nickname", "", ""), source: told("S"), target: told("")},
		{name: "to_source: absent in the target", direction: rules.ToSource, base: base("nickname", "B", "B"), source: told("B"), target: absent},

		{name: "both: neither changed", direction: rules.Both, base: base("nickname", "B", "B"), source: told("B"), target: told("B")},
		{name: "both: neither changed, and the target keeps a form of its own", direction: rules.Both, base: base("nickname", "B", "b!"), source: told("B"), target: told("b!")},
		{name: "both: the source changed", direction: rules.Both, base: base("nickname", "B", "B"), source: told("S"), target: told("B"), writes: []string{"target update nickname=S"}},
		{name: "both: the source changed, and the target keeps a form of its own", direction: rules.Both, base: base("nickname", "B", "b!"), source: told("S"), target: told("b!"), writes: []string{"target update nickname=S"}},
		{name: "both: the target changed", direction: rules.Both, base: base("nickname", "B", "B"), source: told("B"), target: told("T"), writes: []string{"source update nickname=T"}},
		{name: "both: the source emptied it", direction: rules.Both, base: base("nickname", "B", "B"), source: told(""), target: told("B"), writes: []string{"target update nickname="}},
		{name: "both: the target emptied it", direction: rules.Both, base: base("nickname", "B", "B"), source: told("B"), target: told(""), writes: []string{"source update nickname="}},
		{name: "both: absent in the source, changed in the target", direction: rules.Both, base: base("nickname", "B", "B"), source: absent, target: told("T"), writes: []string{"source update nickname=T"}},
		{name: "both: absent in the source, not changed in the target", direction: rules.Both, base: base("nickname", "B", "B"), source: absent, target: told("B")},
		{name: "both: absent in the source, no base", direction: rules.Both, base: noBase("nickname"), source: absent, target: told("T")},
		{name: "both: absent in the target is no wish to empty it", direction: rules.Both, base: base("nickname", "B", "B"), source: told("B"), target: absent},
		{name: "both: no base, empty in the target", direction: rules.Both, base: noBase("nickname"), source: told("S"), target: told(""), writes: []string{"target update nickname=S"}},
		{name: "both: no base, empty in the source", direction: rules.Both, base: noBase("nickname"), source: told(""), target: told("T"), writes: []string{"source update nickname=T"}},
		{name: "both: no base, the same", direction: rules.Both, base: noBase("nickname"), source: told("S"), target: told("S")},
		{name: "both: no base, they differ", direction: rules.Both, base: noBase("nickname"), source: told("S"), target: told("T"), notes: unclear},
		{name: "both: both changed to the same", direction: rules.Both, base: base("nickname", "B", "B"), source: told("S"), target: told("S")},
		{name: "both: both changed, report", direction: rules.Both, conflict: rules.ConflictReport, base: base("nickname", "B", "B"), source: told("S"), target: told("T"), notes: report},
		{name: "both: both changed, source", direction: rules.Both, conflict: rules.ConflictSource, base: base("nickname", "B", "B"), source: told("S"), target: told("T"), writes: []string{"target update nickname=S"}},
		{name: "both: both changed, target", direction: rules.Both, conflict: rules.ConflictTarget, base: base("nickname", "B", "B"), source: told("S"), target: told("T"), writes: []string{"source update nickname=T"}},
		{name: "both: no base, they differ, source", direction: rules.Both, conflict: rules.ConflictSource, base: noBase("nickname"), source: told("S"), target: told("T"), writes: []string{"target update nickname=S"}},
		{name: "both: one changed, the policy of the other side does not matter", direction: rules.Both, conflict: rules.ConflictSource, base: base("nickname", "B", "B"), source: told("B"), target: told("T"), writes: []string{"source update nickname=T"}},
		{name: "both: newest without times", direction: rules.Both, conflict: rules.ConflictNewest, base: base("nickname", "B", "B"), source: told("S"), target: told("T"), notes: report},
		{
			name: "both: an exchange that was cut short never flows back", direction: rules.Both, conflict: rules.ConflictTarget, base: base("nickname", "B", "B"),
			source: told("B"), target: told("rollcall-moving-0123"), writes: []string{"target update nickname=B"},
		},
		{
			name: "to_source: an exchange that was cut short never flows back", direction: rules.ToSource, base: base("nickname", "B", "B"),
			source: told("B"), target: told("rollcall-moving-0123"),
		},
		{
			name: "both: an exchange that was cut short never flows back, also where the source does not tell the value", direction: rules.Both,
			base: base("nickname", "B", "B"), source: absent, target: told("rollcall-moving-0123"),
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := newScene(t, func(s *scene) {
				s.sync.Attributes[2] = rules.Attribute{Target: "nickname", From: "nickname", Direction: c.direction, Conflict: c.conflict}
			})
			got := s.decider.Decide(linked(accounts{c.source.put("nickname")}, accounts{c.target.put("nickname")}, c.base)(s))
			if difference := cmp.Diff(c.writes, writes(got)); difference != "" {
				t.Errorf("operations (want, got):\n%s", difference)
			}
			checkNotes(t, c.notes, notes(got))
		})
	}
}

func TestNewestWins(t *testing.T) {
	t.Parallel()
	at := func(hour int) func(*directory.Account) {
		return func(a *directory.Account) {
			if hour > 0 {
				a.Attributes["updated_at"] = directory.Time(now.Add(time.Duration(hour) * time.Hour))
			}
		}
	}
	for _, c := range []struct {
		source, target int
		want           string
	}{
		{2, 1, "target update nickname=S"},
		{1, 2, "source update nickname=T"},
		{1, 1, ""},
		{1, 0, ""},
		{0, 1, ""},
	} {
		s := newScene(t, func(s *scene) { s.sync.Attributes[2].Conflict = rules.ConflictNewest })
		got := s.decider.Decide(linked(accounts{with("nickname", "S"), at(c.source)}, accounts{with("nickname", "T"), at(c.target)}, base("nickname", "B", "B"))(s))
		switch {
		case c.want == "" && (len(got.Operations) > 0 || len(got.Notes) != 1 || got.Notes[0].Kind != "conflict"):
			t.Errorf("source at %d, target at %d: %v, %v; want a report", c.source, c.target, writes(got), notes(got))
		case c.want != "" && (len(got.Operations) != 1 || write(got.Operations[0]) != c.want):
			t.Errorf("source at %d, target at %d: %v, want %s", c.source, c.target, writes(got), c.want)
		}
	}
}

func TestListsCompareWithoutOrder(t *testing.T) {
	t.Parallel()
	roles := func(items ...string) func(*directory.Account) {
		return func(a *directory.Account) { a.Attributes["custom.roles"] = directory.List(items...) }
	}
	s := newScene(t, func(s *scene) {
		s.sync.Attributes = append(s.sync.Attributes, rules.Attribute{Target: "custom.roles", From: "custom.roles"})
	})
	for _, c := range []struct {
		source, target func(*directory.Account)
		want           []string
	}{
		{roles("a", "b"), roles("b", "a"), nil},
		{roles("a", "b"), roles("b", "a", "b", ""), nil},
		{roles("a", "b"), roles("a"), []string{"target update custom.roles=a, b"}},
		{roles(), roles("a"), []string{"target update custom.roles="}},
	} {
		agreed := func(l *diff.Link) {
			l.Attributes["custom.roles"] = diff.Pair{Source: directory.List("z"), Target: directory.List("z")}
		}
		if got := s.decider.Decide(linked(accounts{c.source}, accounts{c.target}, agreed)(s)); !cmp.Equal(writes(got), c.want) {
			t.Errorf("%v, want %v", writes(got), c.want)
		}
	}
}

func TestCaseFoldsWhereTheTargetFoldsIt(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	if got := s.decider.Decide(linked(accounts{with("email", "Anna@Example.com")}, nil, noBase("email"))(s)); len(got.Operations) > 0 {
		t.Errorf("the address differs in case alone: %v", writes(got))
	}
	if got := s.decider.Decide(linked(accounts{with("nickname", "Anni")}, accounts{with("nickname", "anni")}, noBase("nickname"))(s)); len(got.Notes) != 1 {
		t.Errorf("the nickname differs in case, and the target tells case apart: %v", notes(got))
	}
}

func TestWhatCannotBeWrittenToTheTarget(t *testing.T) {
	t.Parallel()
	changed := linked(accounts{with("nickname", "S")}, accounts{with("nickname", "B")}, base("nickname", "B", "B"))
	target := func(change func(*directory.AttributeSpec)) func(*scene) {
		return func(s *scene) { spec(&s.decider.Target, "nickname", change) }
	}
	emptied := linked(accounts{with("nickname", "")}, accounts{with("nickname", "B")}, base("nickname", "B", "B"))
	check(t, []row{
		{name: "is left alone where updates are off", change: func(s *scene) { s.sync.Actions.Update = false }, of: changed, class: diff.Unchanged},
		{
			name: "is reported when it is fixed at creation", change: target(func(a *directory.AttributeSpec) { a.CreateOnly = true }), of: changed,
			notes: []string{`unsupported: nickname is "B" and should be "S", but website fixes it when an account is created`}, class: diff.Skipped,
		},
		{
			name: "is reported when the attribute is read-only", change: target(func(a *directory.AttributeSpec) { a.Writable = false }), of: changed,
			notes: []string{`unsupported: nickname differs ("B", should be "S") and cannot be written in website`}, class: diff.Skipped,
		},
		{
			name: "is reported when the target has no such attribute", change: func(s *scene) { s.decider.Target.Attributes = s.decider.Target.Attributes[:2] }, of: changed,
			notes: []string{"unsupported: nickname differs"}, class: diff.Skipped,
		},
		{
			name: "is reported when the target cannot update", change: func(s *scene) { s.decider.TargetPowers.Update = false }, of: changed,
			notes: []string{"unsupported: nickname differs"}, class: diff.Skipped,
		},
		{
			name: "fails when the target requires a value and there is none", change: target(func(a *directory.AttributeSpec) { a.Required = true }), of: emptied,
			notes: []string{`invalid: nickname is empty in staff but required; "B" stays`}, class: diff.Failed,
		},
		{
			name: "fails when it is too long", of: linked(accounts{with("nickname", "a name of more than twenty letters")}, accounts{with("nickname", "B")}, base("nickname", "B", "B")),
			notes: []string{`invalid: nickname has more than the 20 characters that website takes; "B" stays`}, class: diff.Failed,
		},
		{name: "takes as many letters as the target takes", of: linked(accounts{with("nickname", "ÄÄÄÄÄÄÄÄÄÄÄÄÄÄÄÄÄÄÄÄ")}, nil), writes: []string{"target update nickname=ÄÄÄÄÄÄÄÄÄÄÄÄÄÄÄÄÄÄÄÄ"}, class: diff.Changed},
		{name: "is left alone where it is written once only", change: func(s *scene) {
			s.sync.Attributes[2] = rules.Attribute{Target: "nickname", From: "nickname", OnlyIfEmpty: true}
		}, of: changed, class: diff.Unchanged},
		{
			name: "is written where it is written once only, and is empty yet", change: func(s *scene) {
				s.sync.Attributes[2] = rules.Attribute{Target: "nickname", From: "nickname", OnlyIfEmpty: true}
			},
			of: linked(accounts{with("nickname", "S")}, nil), writes: []string{"target update nickname=S"}, class: diff.Changed,
		},
	})
}

func TestAValueThatCannotBeTold(t *testing.T) {
	t.Parallel()
	s := newScene(t, func(s *scene) {
		s.sync.Groups = nil
		s.sync.Attributes[2] = rules.Attribute{Target: "nickname", From: `"Web editors" in groups ? "Editor" : ""`}
	})
	got := s.decider.Decide(linked(accounts{groupsUnknown}, accounts{with("nickname", "Editor")}, base("nickname", "Editor", "Editor"))(s))
	if len(got.Operations) > 0 || got.InStep || got.Attributes["nickname"].Target.String() != "Editor" {
		t.Errorf("%v, in step %t, base %v: want nothing, to be looked at again, and the base kept", writes(got), got.InStep, got.Attributes["nickname"])
	}
}

func TestWhatCannotBeWrittenBack(t *testing.T) {
	t.Parallel()
	changed := linked(nil, accounts{with("nickname", "T")})
	source := func(change func(*directory.AttributeSpec)) func(*scene) {
		return func(s *scene) { spec(&s.decider.Source, "nickname", change) }
	}
	refused := []string{`unsupported: nickname was changed to "T" in website, and staff cannot take it back`}
	check(t, []row{
		{
			name: "is reported where writing back is off", change: func(s *scene) { s.sync.Writeback.Update = false }, of: changed,
			notes: []string{`unsupported: nickname was changed to "T" in website, and writeback.update is off`}, class: diff.Skipped,
		},
		{name: "is reported where the source cannot update", change: func(s *scene) { s.decider.SourcePowers.Update = false }, of: changed, notes: refused, class: diff.Skipped},
		{name: "is reported where the attribute is read-only", change: source(func(a *directory.AttributeSpec) { a.Writable = false }), of: changed, notes: refused, class: diff.Skipped},
		{name: "is reported where the attribute is fixed at creation", change: source(func(a *directory.AttributeSpec) { a.CreateOnly = true }), of: changed, notes: refused, class: diff.Skipped},
		{name: "is reported where the source has no such attribute", change: func(s *scene) { s.decider.Source.Attributes = s.decider.Source.Attributes[:2] }, of: changed, notes: refused, class: diff.Skipped},
		{
			name: "fails where the source requires a value and there is none", change: source(func(a *directory.AttributeSpec) { a.Required = true }),
			of: linked(accounts{with("nickname", "B")}, nil, base("nickname", "B", "B")), notes: []string{"invalid: nickname was emptied in website, but staff requires it"}, class: diff.Failed,
		},
		{
			name: "fails when it is too long", of: linked(nil, accounts{with("nickname", "a name of more than twenty letters")}),
			notes: []string{"invalid: nickname has more than the 20 characters that staff takes"}, class: diff.Failed,
		},
		{
			name: "is nothing where the source has it already", change: func(s *scene) { s.sync.Attributes[2].To, s.sync.Attributes[2].Back = "title", "nickname" },
			of: linked(accounts{with("title", "T")}, accounts{with("nickname", "T")}), class: diff.Unchanged,
		},
	})
}

func TestTheOtherSyncLeads(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	led := func(names ...string) diff.Case {
		c := linked(accounts{with("email", "new@example.com"), with("nickname", "S")}, accounts{with("photo_url", "T")})(s)
		c.LedElsewhere = map[string]string{}
		for _, name := range names {
			c.LedElsewhere[name] = "shop"
		}
		return c
	}
	for _, c := range []struct {
		names []string
		want  []string
	}{
		{nil, []string{"target update email=new@example.com nickname=S", "source update photo_url=T"}},
		{[]string{"email"}, []string{"target update nickname=S", "source update photo_url=T"}},
		{[]string{"email", "nickname"}, []string{"source update photo_url=T"}},
		{[]string{"email", "nickname", "photo_url"}, []string{"source update photo_url=T"}},
	} {
		if got := s.decider.Decide(led(c.names...)); !cmp.Equal(writes(got), c.want) {
			t.Errorf("%v led elsewhere: %v, want %v", c.names, writes(got), c.want)
		}
	}
}

// TestTheNewBase says what is remembered of a pair that is looked at and not written.
func TestTheNewBase(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	got := s.decider.Decide(linked(accounts{with("email", "new@example.com"), without("username"), with("nickname", "same")}, accounts{with("nickname", "same"), with("photo_url", "p")},
		base("email", "old@example.com", "OLD@example.com"), noBase("photo_url"))(s))
	want := map[string]diff.Pair{
		"username": same("anna"), // not told: kept
		"email":    {Source: directory.Text("old@example.com"), Target: directory.Text("OLD@example.com")},
		"nickname": same("same"), // agreed
		// photo_url has none yet, and gets one when it is written
	}
	if difference := cmp.Diff(want, got.Attributes, cmp.Comparer(directory.Value.Equal)); difference != "" {
		t.Errorf("base (want, got):\n%s", difference)
	}
}

// TestANewAccountEmptiesNothing is about an attribute that the target leads and that an account just made cannot have yet.
func TestANewAccountEmptiesNothing(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	c := linked(accounts{with("photo_url", "portrait")}, nil, noBase("photo_url"))(s)
	c.Link.Attributes = s.decider.Rebase(c, map[string]bool{"username": true, "email": true}, nil, true)
	if got := s.decider.Decide(c); len(got.Operations) > 0 {
		t.Errorf("after the creation: %v", writes(got))
	}
	c.Target = s.target(with("photo_url", "selfie"))
	if got := s.decider.Decide(c); !cmp.Equal(writes(got), []string{"source update photo_url=selfie"}) {
		t.Errorf("after somebody chose a photo: %v", writes(got))
	}
}

func TestRebase(t *testing.T) {
	t.Parallel()
	s := newScene(t, func(s *scene) {
		s.sync.Attributes = append(s.sync.Attributes, rules.Attribute{Target: "title", Direction: rules.ToSource, To: "title", Back: "title"})
	})
	c := func(changes ...func(*diff.Link)) diff.Case {
		return linked(
			accounts{with("email", "new@example.com"), with("username", "ann"), with("photo_url", "p!"), with("title", "one")},
			accounts{with("email", "NEW@example.com"), with("nickname", "filled in"), with("photo_url", "p"), with("title", "two")},
			append([]func(*diff.Link){noBase("photo_url"), noBase("title")}, changes...)...)(s)
	}
	pair := func(source, target string) diff.Pair {
		return diff.Pair{Source: directory.Text(source), Target: directory.Text(target)}
	}
	for _, r := range []struct {
		name                     string
		of                       diff.Case
		wroteTarget, wroteSource map[string]bool
		created                  bool
		want                     map[string]diff.Pair
	}{
		{
			name: "what was written is agreed, in the form of each side, and what is equal", of: c(), wroteTarget: map[string]bool{"username": true}, wroteSource: map[string]bool{"photo_url": true},
			want: map[string]diff.Pair{"username": pair("ann", "anna"), "email": pair("new@example.com", "NEW@example.com"), "nickname": {}, "photo_url": pair("p", "p!")},
		},
		{
			name: "what was not written keeps its place", of: c(),
			want: map[string]diff.Pair{"username": same("anna"), "email": pair("new@example.com", "NEW@example.com"), "nickname": {}},
		},
		{
			name: "what was written back is agreed", of: c(noBase("nickname")), wroteSource: map[string]bool{"nickname": true, "title": true},
			want: map[string]diff.Pair{"username": same("anna"), "email": pair("new@example.com", "NEW@example.com"), "nickname": pair("", "filled in"), "title": pair("two", "one")},
		},
		{
			name: "what the directory filled in by itself is nobody's edit", of: c(noBase("nickname"), noBase("username")), created: true,
			want: map[string]diff.Pair{"username": pair("ann", "anna"), "email": pair("new@example.com", "NEW@example.com"), "nickname": pair("", "filled in"), "photo_url": pair("p", "p!"), "title": pair("two", "one")},
		},
		{
			name: "what was sent and not found when it was read back is agreed by nobody", of: c(noBase("nickname"), noBase("username")), created: true,
			wroteTarget: map[string]bool{"username": false, "email": true},
			want: map[string]diff.Pair{
				"email": pair("new@example.com", "NEW@example.com"), "nickname": pair("", "filled in"), "photo_url": pair("p", "p!"), "title": pair("two", "one"),
			},
		},
	} {
		if difference := cmp.Diff(r.want, s.decider.Rebase(r.of, r.wroteTarget, r.wroteSource, r.created), cmp.Comparer(directory.Value.Equal)); difference != "" {
			t.Errorf("%s (want, got):\n%s", r.name, difference)
		}
	}
}
