package mapping_test

import (
	"fmt"
	"testing"

	"github.com/rollcall-sync/rollcall/sync/directory"
	"github.com/rollcall-sync/rollcall/sync/mapping"
	"github.com/rollcall-sync/rollcall/sync/rules"
)

// typical is the sync of the manual.
func typical() rules.Sync {
	return rules.Sync{
		Scope: `active and department in ["Press", "Web"]`,
		Attributes: []rules.Attribute{
			{Target: "username", From: "lower(username)"},
			{Target: "email", From: "email", Required: true},
			{Target: "first_name", From: "first_name"},
			{Target: "last_name", From: "last_name"},
			{Target: "display_name", From: `first_name + " " + last_name`},
			{Target: "nickname", From: "nickname", Direction: rules.Both, Conflict: rules.ConflictNewest},
		},
		Groups:  []rules.Group{{Target: "editor", When: `"Web editors" in groups`}, {Target: "subscriber", When: "true"}},
		Protect: []string{`username == "webmaster"`},
	}
}

func BenchmarkOutboundOfTypicalRules(b *testing.B) {
	m, record := compile(b, typical()), anna()
	b.ReportAllocs()
	for b.Loop() {
		if m.Outbound(record).Scope != mapping.Yes {
			b.Fatal("anna must be in scope")
		}
	}
}

func BenchmarkOutboundOfPlainNames(b *testing.B) {
	s := typical()
	s.Scope, s.Attributes = "", s.Attributes[1:4]
	m, record := compile(b, s), anna()
	b.ReportAllocs()
	for b.Loop() {
		if m.Outbound(record).Scope != mapping.Yes {
			b.Fatal("everybody is in scope")
		}
	}
}

func BenchmarkGroupRules(b *testing.B) {
	for _, count := range []int{1, 1000} {
		b.Run(fmt.Sprint(count), func(b *testing.B) {
			var s rules.Sync
			for i := range count {
				s.Groups = append(s.Groups, rules.Group{Target: fmt.Sprint("role", i), From: []string{fmt.Sprint("Group ", i)}})
			}
			m, record := compile(b, s), anna()
			record.Groups = append(record.Groups, directory.Group{ID: "g0", Name: "Group 0"})
			b.ReportAllocs()
			for b.Loop() {
				if len(m.Outbound(record).Groups) != 1 {
					b.Fatal("anna must have one role")
				}
			}
		})
	}
}

func BenchmarkKey(b *testing.B) {
	spec := directory.AttributeSpec{Name: "email", Kind: directory.KindText, FoldCase: true, FoldAccents: true}
	for _, text := range []string{"anna.oe@example.com", "Anna.Oe@Example.com", "änna@example.com"} {
		b.Run(text, func(b *testing.B) {
			value := directory.Text(text)
			b.ReportAllocs()
			for b.Loop() {
				if mapping.Key(value, spec) == "" {
					b.Fatal("the key of a text is not empty")
				}
			}
		})
	}
}
