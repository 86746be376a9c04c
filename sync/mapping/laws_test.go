package mapping_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/rollcall-sync/rollcall/sync/directory"
	"github.com/rollcall-sync/rollcall/sync/mapping"
	"github.com/rollcall-sync/rollcall/sync/rules"
)

var anyText = rapid.OneOf(rapid.SampledFrom([]string{"", " ", "a", "A", "é", "e\u0301", "42", "042", "true", "2026-01-31", "a, b"}), rapid.String())

var anyValue = rapid.OneOf(
	rapid.Map(anyText, directory.Text),
	rapid.Map(rapid.Bool(), directory.Bool),
	rapid.Map(rapid.Float64(), directory.Number),
	rapid.Map(rapid.Int64Range(-9e9, 9e9), func(s int64) directory.Value { return directory.Time(time.Unix(s, 0)) }),
	rapid.Map(rapid.SliceOfN(anyText, 0, 4), func(items []string) directory.Value { return directory.List(items...) }),
)

var anySpec = rapid.Custom(func(t *rapid.T) directory.AttributeSpec {
	return directory.AttributeSpec{
		Kind:     rapid.SampledFrom([]directory.Kind{directory.KindEmpty, directory.KindText, directory.KindBool, directory.KindNumber, directory.KindTime, directory.KindList}).Draw(t, "kind"),
		FoldCase: rapid.Bool().Draw(t, "fold case"), FoldAccents: rapid.Bool().Draw(t, "fold accents"),
	}
})

func TestLawsOfValues(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b, spec := anyValue.Draw(t, "a"), anyValue.Draw(t, "b"), anySpec.Draw(t, "spec")
		checkNormal(t, a, spec)
		checkPair(t, a, b, spec)
		checkPair(t, a, a, spec)
	})
}

// anyRecord has a few of the attributes and groups that the rules below ask for, and sometimes neither groups nor status.
var anyRecord = rapid.Custom(func(t *rapid.T) mapping.Record {
	r := mapping.Record{Account: directory.Account{
		ID: "x", Status: rapid.SampledFrom([]directory.Status{directory.StatusUnknown, directory.StatusActive, directory.StatusInactive}).Draw(t, "status"),
		GroupsKnown: rapid.Bool().Draw(t, "groups known"), Attributes: directory.Attributes{},
	}}
	for _, name := range []string{"username", "email", "department", "title", "custom.roles", "email_verified", "created_at"} {
		if rapid.Bool().Draw(t, "has "+name) {
			r.Account.Attributes[name] = anyValue.Draw(t, name)
		}
	}
	for _, name := range rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"A", "B", "C", "D"}), 0, 4, rapid.ID).Draw(t, "groups") {
		r.Groups = append(r.Groups, directory.Group{ID: "id-" + name, Name: name, Path: "/" + name})
	}
	return r
})

func lawfulSync() rules.Sync {
	return rules.Sync{
		Scope: `active and (department != "" or "A" in groups)`,
		Attributes: []rules.Attribute{
			{Target: "username", From: "lower(username)", Required: true},
			{Target: "title", From: "title"},
			{Target: "email_verified", From: "email_verified"},
			{Target: "created_at", From: "created_at"},
			{Target: "custom.x", From: `join(custom.roles, "/") + (active ? "" : "!")`, Direction: rules.Both, To: "title", Back: "custom.x"},
		},
		Groups: []rules.Group{
			{Target: "a", When: `"A" in groups`}, {Target: "b", From: []string{"/B", "id-C"}}, {Target: "c", When: `not active`}, {Target: "d", When: `department == "x"`},
		},
		GroupOptions: rules.GroupOptions{Mirror: []string{"D"}},
	}
}

func TestLawsOfOutcomes(t *testing.T) {
	m := compile(t, lawfulSync())
	managed := m.ManagedGroups([]directory.Group{{Name: "A"}, {Name: "B"}, {Name: "C"}, {Name: "D"}})
	rapid.Check(t, func(t *rapid.T) {
		r := anyRecord.Draw(t, "record")
		before := r.Account.Clone()
		outcome := m.Outbound(r)
		if !r.Account.Attributes.Equal(before.Attributes) {
			t.Fatal("the record was changed")
		}
		if again := m.Outbound(r); fmt.Sprint(again) != fmt.Sprint(outcome) {
			t.Fatalf("two outcomes for one record: %v and %v", outcome, again)
		}
		if len(outcome.Attributes) != len(m.Rules().Attributes) {
			t.Fatalf("%d attributes", len(outcome.Attributes))
		}
		for _, mapped := range outcome.Attributes {
			if mapped.Present && !mapped.Known || !mapped.Present && !mapped.Value.IsEmpty() {
				t.Fatalf("contradiction: %+v", mapped)
			}
			if kind := directory.VocabularyKind(mapped.Rule.Target); !mapped.Value.IsEmpty() && mapped.Value.Kind() != kind && !strings.HasPrefix(mapped.Rule.Target, "custom.") {
				t.Fatalf("%s has the kind %v", mapped.Rule.Target, mapped.Value.Kind())
			}
		}
		if (outcome.Scope == mapping.Unknown) != (outcome.ScopeReason != "") {
			t.Fatalf("scope %v, reason %q", outcome.Scope, outcome.ScopeReason)
		}
		if !outcome.GroupsKnown && len(outcome.Groups) > 0 || !r.Account.GroupsKnown && outcome.GroupsKnown {
			t.Fatalf("groups %v, known %v", outcome.Groups, outcome.GroupsKnown)
		}
		seen := map[string]bool{}
		for _, group := range outcome.Groups {
			if seen[group.Target] || !slices.Contains(managed, group.Target) {
				t.Fatalf("%s is given twice or not managed: %v", group.Target, outcome.Groups)
			}
			seen[group.Target] = true
		}
	})
}

func TestExplainAgreesWithOutbound(t *testing.T) {
	m := compile(t, lawfulSync())
	rapid.Check(t, func(t *rapid.T) {
		r := anyRecord.Draw(t, "record")
		outcome, explanation := m.Outbound(r), m.Explain(r)
		if outcome.Scope != explanation.Scope || outcome.GroupsKnown != explanation.GroupsKnown || len(explanation.Tests) != 3 {
			t.Fatalf("outcome %+v, explanation %+v", outcome, explanation)
		}
		var given []string
		for _, group := range explanation.Groups {
			if group.Result == mapping.Yes {
				given = append(given, group.Target)
			}
			if (group.Result == mapping.Unknown) != (group.Reason != "") {
				t.Fatalf("%+v", group)
			}
		}
		var want []string
		for _, group := range outcome.Groups {
			want = append(want, group.Target)
		}
		if outcome.GroupsKnown && !slices.Equal(given, want) {
			t.Fatalf("explained %v, given %v", given, want)
		}
	})
}
