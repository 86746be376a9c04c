package mapping_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-sync/rollcall/sync/directory"
	"github.com/rollcall-sync/rollcall/sync/mapping"
	"github.com/rollcall-sync/rollcall/sync/rules"
)

// compile compiles a sync that must be without faults.
func compile(t testing.TB, s rules.Sync) *mapping.Mapping {
	t.Helper()
	m, faults := mapping.Compile(s)
	if len(faults) > 0 {
		t.Fatalf("faults: %v", faults)
	}
	return m
}

// anna is an active account with groups.
func anna() mapping.Record {
	return mapping.Record{
		Account: directory.Account{
			ID: "a1", Status: directory.StatusActive, GroupsKnown: true,
			Attributes: directory.Attributes{
				"username": directory.Text("ANNA"), "email": directory.Text("Anna.Oe@Example.com"), "email_verified": directory.Bool(true),
				"first_name": directory.Text("Anna"), "last_name": directory.Text("Öztürk"), "department": directory.Text("Press"),
				"nickname": directory.Text(""), "custom.level": directory.Number(42), "custom.roles": directory.List("editor", "author"),
				"custom.one": directory.List("solo"), "custom.cost center": directory.Text("CC1"),
			},
		},
		Groups: []directory.Group{{ID: "g1", Name: "Web editors", Path: "/Web/Web editors"}, {ID: "g2", Name: "Staff"}},
	}
}

func TestAttributeExpressions(t *testing.T) {
	type want struct {
		value   directory.Value
		present bool
	}
	some := func(s string) want { return want{directory.Text(s), true} }
	absent := want{}
	empty := want{present: true}
	for name, test := range map[string]struct {
		from string
		want want
	}{
		"a plain name copies the value":                        {`username`, some("ANNA")},
		"a plain name of an absent attribute is absent":        {`title`, absent},
		"a plain name of an empty attribute is empty":          {`nickname`, empty},
		"a function over an absent attribute is absent":        {`lower(title)`, absent},
		"a function over an empty attribute is empty":          {`lower(nickname)`, empty},
		"one absent attribute among present ones counts as ''": {`first_name + " " + title`, some("Anna")},
		"lower works":                {`lower(username)`, some("anna")},
		"texts are joined":           {`first_name + " " + last_name`, some("Anna Öztürk")},
		"custom attributes":          {`custom.level`, want{directory.Number(42), true}},
		"custom text in rules":       {`custom.level + "!"`, some("42!")},
		"custom odd name":            {`custom["cost center"]`, some("CC1")},
		"lists are copied":           {`custom.roles`, want{directory.List("editor", "author"), true}},
		"in on a list":               {`"editor" in custom.roles ? "yes" : "no"`, some("yes")},
		"in on one value":            {`"solo" in custom.one ? "yes" : "no"`, some("yes")},
		"in on no value":             {`"x" in custom.none or department == "Press" ? "yes" : "no"`, some("yes")},
		"index of a list":            {`custom.roles[1]`, some("author")},
		"join":                       {`join(custom.roles, "/")`, some("editor/author")},
		"map and filter":             {`join(map(filter(custom.roles, # startsWith "e"), upper(#)), "")`, some("EDITOR")},
		"nil is absent":              {`department == "Web" ? "x" : nil`, absent},
		"constants are always there": {`"EU"`, some("EU")},
		"slug":                       {`slug(first_name + " " + last_name)`, some("anna.oeztuerk")},
		"has":                        {`has(title) ? "t" : "none"`, some("none")},
	} {
		t.Run(name, func(t *testing.T) {
			m := compile(t, rules.Sync{Attributes: []rules.Attribute{{Target: "custom.x", From: test.from}}})
			got := m.Outbound(anna())
			if len(got.Problems) > 0 || !got.Attributes[0].Known {
				t.Fatalf("problems: %v", got.Problems)
			}
			if diff := cmp.Diff(test.want, want{got.Attributes[0].Value, got.Attributes[0].Present}, cmp.AllowUnexported(want{})); diff != "" {
				t.Error(diff)
			}
		})
	}
}
