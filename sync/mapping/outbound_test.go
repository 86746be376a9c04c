package mapping_test

import (
	"strings"
	"sync"
	"testing"
	"time"

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

// mapped evaluates one expression for a record.
func mapped(t *testing.T, expression string, r mapping.Record) (mapping.Mapped, []mapping.Problem) {
	t.Helper()
	outcome := compile(t, rules.Sync{Attributes: from(expression)}).Outbound(r)
	return outcome.Attributes[0], outcome.Problems
}

func TestExpressionsGiveValues(t *testing.T) {
	for name, test := range map[string]struct {
		from string
		want directory.Value
	}{
		"a plain name copies the value":                           {`username`, directory.Text("ANNA")},
		"a plain name keeps a bool":                               {`email_verified`, directory.Bool(true)},
		"a plain name keeps a number":                             {`custom.level`, directory.Number(42)},
		"a plain name keeps a list":                               {`custom.roles`, directory.List("editor", "author")},
		"a plain name trims a text":                               {`city`, directory.Text("Köln")},
		"a custom name may hold signs":                            {`custom.cost-center`, directory.Text("CC2")},
		"a custom name may be quoted":                             {`custom["cost center"]`, directory.Text("CC1")},
		"a custom name may hold a dot":                            {`custom.address.street`, directory.Text("Main St")},
		"a custom name with a dot works in an expression":         {`upper(custom.address.street)`, directory.Text("MAIN ST")},
		"a custom name after a question mark is the same":         {`custom?.level + ""`, directory.Text("42")},
		"id is the id of the account":                             {`id`, directory.Text("a1")},
		"active is the status of the account":                     {`active`, directory.Bool(true)},
		"one absent attribute among present ones counts as empty": {`first_name + " " + title`, directory.Text("Anna")},
		"an empty attribute gives the empty value":                {`nickname`, directory.Value{}},
		"a function of an empty attribute gives the empty value":  {`lower(nickname)`, directory.Value{}},
		"a literal is always there":                               {`"EU"`, directory.Text("EU")},
		"a literal number is always there":                        {`7`, directory.Number(7)},
		"a literal bool is always there":                          {`true`, directory.Bool(true)},
		"a text of spaces is empty":                               {`" "`, directory.Value{}},
		"texts are joined with +":                                 {`first_name + " " + last_name + "!"`, directory.Text("Anna Öztürk!")},
		"+ groups as written":                                     {`first_name + (" " + last_name)`, directory.Text("Anna Öztürk")},
		"numbers are added with +":                                {`1 + 2.5`, directory.Number(3.5)},
		"numbers that only the run knows are added":               {`(active ? 1 : nickname) + 2`, directory.Number(3)},
		"texts that only the run knows are joined":                {`(active ? "a" : 1) + "b"`, directory.Text("ab")},
		"a time plus a span of time is a time":                    {`date("2026-01-31") + duration("24h")`, directory.Time(time.Date(2026, 2, 1, 0, 0, 0, 0, time.UTC))},
		"a custom number is a text in expressions":                {`custom.level + "!"`, directory.Text("42!")},
		"a custom number is a number with int":                    {`int(custom.level) + 1`, directory.Number(43)},
		"a custom list is one text in expressions":                {`upper(custom.roles)`, directory.Text("EDITOR, AUTHOR")},
		"in finds an item of a custom list":                       {`"editor" in custom.roles`, directory.Bool(true)},
		"in finds a custom attribute with one value":              {`"solo" in custom.one`, directory.Bool(true)},
		"in finds nothing in an absent custom attribute":          {`active and "x" in custom.none`, directory.Bool(false)},
		"not in is the opposite":                                  {`"x" not in custom.roles`, directory.Bool(true)},
		"an index gives one item of a custom list":                {`custom.roles[1]`, directory.Text("author")},
		"a negative index counts from the end":                    {`custom.roles[-1]`, directory.Text("author")},
		"a slice of a custom attribute cuts the text":             {`custom.one[0:2]`, directory.Text("so")},
		"a slice of a list cuts the list":                         {`list(custom.roles)[0:1]`, directory.List("editor")},
		"list gives all values":                                   {`list(custom.roles)`, directory.List("editor", "author")},
		"join makes one text":                                     {`join(custom.roles, "/")`, directory.Text("editor/author")},
		"join of made items":                                      {`join(map(custom.roles, upper(#)), "/")`, directory.Text("EDITOR/AUTHOR")},
		"map, filter and sort work on lists":                      {`sort(map(filter(custom.roles, # != "x"), upper(#)))`, directory.List("AUTHOR", "EDITOR")},
		"find gives an item":                                      {`find(custom.roles, # startsWith "a")`, directory.Text("author")},
		"find in a text counts as empty where nothing is found":   {`"<" + find(custom.roles, # == "x") + ">"`, directory.Text("<>")},
		"count counts":                                            {`count(groups, # contains "Web")`, directory.Number(2)},
		"any asks all items":                                      {`any(custom.roles, # endsWith "or")`, directory.Bool(true)},
		"first of a list":                                         {`first(custom.roles)`, directory.Text("editor")},
		"last of a made list":                                     {`last(sort(custom.roles))`, directory.Text("editor")},
		"first of a made list":                                    {`first(sort(custom.roles))`, directory.Text("author")},
		"first of an empty list is empty":                         {`active ? first(custom.none) : "x"`, directory.Value{}},
		"last of an empty made list is empty":                     {`last(filter(custom.roles, # == "x"))`, directory.Value{}},
		"groups holds names and paths":                            {`groups`, directory.List("Web editors", "/Web/Web editors", "Staff")},
		"group_ids holds ids":                                     {`group_ids`, directory.List("g1", "g2")},
		"a list of literals":                                      {`["a", " ", 1, true]`, directory.List("a", "1", "true")},
		"an empty list is empty":                                  {`[]`, directory.Value{}},
		"a condition":                                             {`active ? "on" : "off"`, directory.Text("on")},
		"a condition in words":                                    {`if active { "on" } else { "off" }`, directory.Text("on")},
		"has tells of a value":                                    {`has(username)`, directory.Bool(true)},
		"has tells of an absent value":                            {`has(title)`, directory.Bool(false)},
		"has tells of an empty value":                             {`has(nickname)`, directory.Bool(false)},
		"has takes custom attributes":                             {`has(custom.level)`, directory.Bool(true)},
		"has and the value side by side":                          {`has(custom.level) ? custom.level : "none"`, directory.Text("42")},
		"an expression with has is never absent":                  {`has(title) ? title : "none"`, directory.Text("none")},
		"an expression with groups is never absent":               {`"Staff" in groups ? "staff" + title : "none"`, directory.Text("staff")},
		"a missing bool is false":                                 {`has(username) and email_verified == true`, directory.Bool(true)},
		"times compare":                                           {`created_at < date("2026-01-31")`, directory.Bool(true)},
		"times have a year":                                       {`created_at.Year()`, directory.Number(2025)},
		"times have a month":                                      {`created_at.Month()`, directory.Number(3)},
		"times have a form":                                       {`created_at.Format("02.01.2006")`, directory.Text("04.03.2025")},
		"times that come as texts are times":                      {`updated_at.Year()`, directory.Number(2026)},
		"matches knows patterns":                                  {`username matches "^A.*A$"`, directory.Bool(true)},
		"lower":                                                   {`lower(username)`, directory.Text("anna")},
		"a pipe is a call":                                        {`username | lower() | trimPrefix("a")`, directory.Text("nna")},
		"upper":                                                   {`upper(last_name)`, directory.Text("ÖZTÜRK")},
		"title_case":                                              {`title_case("ANNA-MARIA o'neil")`, directory.Text("Anna-Maria O'neil")},
		"trim with signs":                                         {`trim("--a--", "-")`, directory.Text("a")},
		"trim":                                                    {`"<" + trim("  a ") + ">"`, directory.Text("<a>")},
		"trimSuffix":                                              {`trimSuffix(lower(email), "@example.com")`, directory.Text("anna.oe")},
		"replace":                                                 {`replace(last_name, "ö", "x")`, directory.Text("Öztürk")},
		"replace all":                                             {`replace("a-b-c", "-", "")`, directory.Text("abc")},
		"replace of nothing leaves the text":                      {`replace("abc", "", "x")`, directory.Text("abc")},
		"split":                                                   {`split("a/b", "/")`, directory.List("a", "b")},
		"split of an empty text is an empty list":                 {`len(split(nickname, "/"))`, directory.Number(0)},
		"slug":                       {`slug(first_name + " " + last_name)`, directory.Text("anna.oeztuerk")},
		"ascii":                      {`ascii(last_name)`, directory.Text("Oeztuerk")},
		"domain":                     {`domain(email)`, directory.Text("example.com")},
		"local":                      {`local(email)`, directory.Text("Anna.Oe")},
		"first_of":                   {`first_of(title, nickname, " ", department)`, directory.Text("Press")},
		"first_of nothing is empty":  {`first_of(title, nickname)`, directory.Value{}},
		"string of a number":         {`string(len(username))`, directory.Text("4")},
		"string of a time":           {`string(date("2026-01-31"))`, directory.Text("2026-01-31T00:00:00Z")},
		"date with a layout":         {`date("31.01.2026", "02.01.2006")`, directory.Time(time.Date(2026, 1, 31, 0, 0, 0, 0, time.UTC))},
		"numbers round":              {`round(2.6) + abs(-1) + floor(1.9) + ceil(0.1)`, directory.Number(6)},
		"a text that names a number": {`float("1.5")`, directory.Number(1.5)},
	} {
		t.Run(name, func(t *testing.T) {
			r := anna()
			r.Account.Attributes["city"] = directory.Text(" Köln\t")
			r.Account.Attributes["custom.cost-center"] = directory.Text("CC2")
			r.Account.Attributes["custom.address.street"] = directory.Text("Main St")
			r.Account.Attributes["created_at"] = directory.Time(time.Date(2025, 3, 4, 5, 6, 7, 0, time.UTC))
			r.Account.Attributes["updated_at"] = directory.Text("2026-01-02T03:04:05Z")
			got, problems := mapped(t, test.from, r)
			if len(problems) > 0 || !got.Known || !got.Present {
				t.Fatalf("known %v, present %v, problems %v", got.Known, got.Present, problems)
			}
			if !got.Value.Equal(test.want) {
				t.Errorf("got %v %q, want %v %q", got.Value.Kind(), got.Value, test.want.Kind(), test.want)
			}
		})
	}
}

func TestExpressionsOfAbsentAttributesAreAbsent(t *testing.T) {
	for name, expression := range map[string]string{
		"a plain name":               `title`,
		"a plain custom name":        `custom.none`,
		"a function":                 `lower(title)`,
		"several names, all absent":  `title + " " + phone`,
		"a list":                     `list(custom.none)`,
		"a condition that gives nil": `department == "Web" ? "x" : nil`,
		"a find that finds nothing":  `find(custom.roles, # == "x")`,
		"a time":                     `created_at.Year()`,
	} {
		t.Run(name, func(t *testing.T) {
			got, problems := mapped(t, expression, anna())
			if !got.Known || got.Present || !got.Value.IsEmpty() || len(problems) > 0 {
				t.Errorf("got %+v, problems %v", got, problems)
			}
		})
	}
}

func TestExpressionsThatFailAreProblemsOfOneAttribute(t *testing.T) {
	for name, test := range map[string]struct{ target, from, message string }{
		"an index beyond the list":               {"custom.x", `custom.roles[7]`, `index out of range: 7 (array length is 2)`},
		"a time that is not there":               {"custom.x", `username + created_at.Format("2006")`, `the account has no created_at; ask has(created_at) first`},
		"a text that is no date":                 {"custom.x", `date(username)`, `"ANNA" is no date; write it as 2026-01-31 or give its layout`},
		"a text that is no number":               {"custom.x", `int(username)`, `"ANNA" is no whole number`},
		"a bool that is none":                    {"custom.x", `email_verified ? username : email`, `email_verified must be true or false, but the account has "maybe"`},
		"a time that is none":                    {"custom.x", `updated_at < date("2026-01-31")`, `updated_at must be a time, but the account has "yesterday"`},
		"a division by zero":                     {"custom.x", `1 / len(title + nickname)`, `gives no number; is something divided by zero?`},
		"a split without separator":              {"custom.x", `split(username, nickname)`, `split needs a separator`},
		"a text and a number":                    {"custom.x", `(active ? username : 1) + (active ? 1 : username)`, `+ joins texts or adds numbers, not one with the other; use string(number)`},
		"a join of numbers":                      {"custom.x", `join(map(custom.roles, len(#)), "")`, `join takes a list of texts`},
		"a bool wanted, a text given":            {"email_verified", `username`, `takes true or false, not "ANNA"`},
		"a time wanted, a text given":            {"created_at", `username`, `takes a time, not "ANNA"`},
		"a text wanted, a list given":            {"department", `custom.roles`, `takes one text, not a list of 2; use first(list) or join(list, ", ")`},
		"a value that the message shortens":      {"email_verified", `custom.long`, `takes true or false, not "` + strings.Repeat("ü", 60) + `…"`},
		"a span of time that only the run knows": {"custom.x", `active ? duration("1h") : "x"`, `gives a duration; an attribute takes a text, a number, true or false, a time or a list of texts`},
	} {
		t.Run(name, func(t *testing.T) {
			r := anna()
			r.Account.Attributes["email_verified"] = directory.Text("maybe")
			r.Account.Attributes["updated_at"] = directory.Text("yesterday")
			r.Account.Attributes["custom.long"] = directory.Text(strings.Repeat("ü", 100))
			outcome := compile(t, rules.Sync{Attributes: []rules.Attribute{{Target: test.target, From: test.from}, {Target: "username", From: "username"}}}).Outbound(r)
			if diff := cmp.Diff([]mapping.Problem{{Attribute: test.target, Message: test.message}}, outcome.Problems); diff != "" {
				t.Error(diff)
			}
			if got := outcome.Attributes[0]; got.Known || got.Present || !got.Value.IsEmpty() {
				t.Errorf("the failed attribute is not left alone: %+v", got)
			}
			if got := outcome.Attributes[1]; !got.Known || got.Value.String() != "ANNA" {
				t.Errorf("the other attribute suffered: %+v", got)
			}
		})
	}
}

func TestValuesTakeTheKindOfTheAttribute(t *testing.T) {
	for name, test := range map[string]struct {
		target, from string
		want         directory.Value
	}{
		"a number becomes a text":               {"employee_id", `custom.level`, directory.Text("42")},
		"a bool becomes a text":                 {"title", `active`, directory.Text("true")},
		"a list of one becomes a text":          {"title", `custom.one`, directory.Text("solo")},
		"a text becomes a bool":                 {"email_verified", `"TRUE"`, directory.Bool(true)},
		"a day becomes a time":                  {"created_at", `"2026-01-31"`, directory.Time(time.Date(2026, 1, 31, 0, 0, 0, 0, time.UTC))},
		"a custom attribute takes what it gets": {"custom.x", `custom.level`, directory.Number(42)},
		"the empty value stays empty":           {"email_verified", `nickname`, directory.Value{}},
	} {
		t.Run(name, func(t *testing.T) {
			outcome := compile(t, rules.Sync{Attributes: []rules.Attribute{{Target: test.target, From: test.from}}}).Outbound(anna())
			if got := outcome.Attributes[0]; len(outcome.Problems) > 0 || !got.Present || !got.Value.Equal(test.want) {
				t.Errorf("got %v %q, want %q; problems %v", got.Value.Kind(), got.Value, test.want, outcome.Problems)
			}
		})
	}
}

func TestRequiredAttributesWithoutAValueAreProblems(t *testing.T) {
	for name, test := range map[string]struct {
		from, message string
	}{
		"an absent one":                {`title`, "is required and has no value (rule: title)"},
		"an empty one":                 {`nickname`, "is required and has no value (rule: nickname)"},
		"one that needs groups":        {`first(groups)`, "needs the groups of the account, which are not known"},
		"one that fails":               {`custom.roles[7]`, "index out of range: 7 (array length is 2)"},
		"one that has a value is none": {`username`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			r := anna()
			r.Account.GroupsKnown = false
			outcome := compile(t, rules.Sync{Attributes: []rules.Attribute{{Target: "title", From: test.from, Required: true}}}).Outbound(r)
			var want []mapping.Problem
			if test.message != "" {
				want = []mapping.Problem{{Attribute: "title", Message: test.message}}
			}
			if diff := cmp.Diff(want, outcome.Problems); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestScope(t *testing.T) {
	for name, test := range map[string]struct {
		scope  string
		change func(r *mapping.Record)
		want   mapping.Tri
		reason string
	}{
		"no scope takes everybody":                       {scope: "", want: mapping.Yes},
		"a scope that holds":                             {scope: `active and department in ["Press", "Web"]`, want: mapping.Yes},
		"a scope that does not hold":                     {scope: `department == "Web"`, want: mapping.No},
		"a literal scope":                                {scope: `false`, want: mapping.No},
		"a plain name":                                   {scope: `email_verified`, want: mapping.Yes},
		"an absent bool is false":                        {scope: `email_verified`, change: func(r *mapping.Record) { delete(r.Account.Attributes, "email_verified") }, want: mapping.No},
		"an absent text is the empty text":               {scope: `title == ""`, want: mapping.Yes},
		"an inactive account":                            {scope: `active`, change: func(r *mapping.Record) { r.Account.Status = directory.StatusInactive }, want: mapping.No},
		"a group by name":                                {scope: `"Staff" in groups`, want: mapping.Yes},
		"a group by path":                                {scope: `"/Web/Web editors" in groups`, want: mapping.Yes},
		"a group in other letters":                       {scope: `"staff" in groups`, want: mapping.No},
		"a group by id":                                  {scope: `"g2" in group_ids`, want: mapping.Yes},
		"an id is not a name":                            {scope: `"g2" in groups`, want: mapping.No},
		"groups that are not known":                      {scope: `"Staff" in groups`, change: groupsUnknown, reason: "needs the groups of the account, which are not known"},
		"group ids that are not known":                   {scope: `"g1" in group_ids`, change: groupsUnknown, reason: "needs the groups of the account, which are not known"},
		"groups that are not known and not asked for":    {scope: `active`, change: groupsUnknown, want: mapping.Yes},
		"a status that is not known":                     {scope: `active`, change: statusUnknown, reason: "depends on active, and the directory does not tell whether the account is active"},
		"a status that is not known and does not matter": {scope: `active or department == "Press"`, change: statusUnknown, want: mapping.Yes},
		"a status that is not known and cannot help":     {scope: `active and department == "Web"`, change: statusUnknown, want: mapping.No},
		"a failure":                                      {scope: `custom.roles[7] == "x"`, reason: "index out of range: 7 (array length is 2)"},
		"a failure where the status is not known":        {scope: `active and custom.roles[7] == "x"`, change: statusUnknown, reason: "index out of range: 7 (array length is 2)"},
		"a failure where only inactive accounts fail":    {scope: `active or custom.roles[7] == "x"`, change: statusUnknown, reason: "index out of range: 7 (array length is 2)"},
		"a result that is no bool":                       {scope: `active ? (email_verified ? nil : "x") : 1 == 1`, reason: `active ? (email_verified ? nil : "x") : 1 == 1: gives <nil> instead of true or false`},
	} {
		t.Run(name, func(t *testing.T) {
			r := anna()
			if test.change != nil {
				test.change(&r)
			}
			s := rules.Sync{Scope: test.scope}
			got := compile(t, s).Outbound(r)
			if got.Scope != test.want || got.ScopeReason != test.reason {
				t.Errorf("got %v (%s), want %v (%s)", got.Scope, got.ScopeReason, test.want, test.reason)
			}
			answer, reason := compile(t, rules.Sync{Writeback: rules.Writeback{Scope: test.scope}}).WritebackScope(r)
			if answer != test.want || reason != test.reason {
				t.Errorf("scope of the way back: got %v (%s), want %v (%s)", answer, reason, test.want, test.reason)
			}
		})
	}
}

func groupsUnknown(r *mapping.Record) { r.Account.GroupsKnown, r.Groups = false, nil }
func statusUnknown(r *mapping.Record) { r.Account.Status = directory.StatusUnknown }

func TestRulesThatNeedWhatIsNotKnownLeaveTheTargetAlone(t *testing.T) {
	for name, test := range map[string]struct {
		from   string
		change func(*mapping.Record)
		known  bool
	}{
		"groups that are not known":                      {`first(groups)`, groupsUnknown, false},
		"a status that is not known":                     {`username + (active ? "" : "-old")`, statusUnknown, false},
		"a status that is not known and does not matter": {`active ? username : username`, statusUnknown, true},
	} {
		t.Run(name, func(t *testing.T) {
			r := anna()
			test.change(&r)
			got, problems := mapped(t, test.from, r)
			if got.Known != test.known || got.Present != test.known || len(problems) > 0 {
				t.Errorf("got %+v, problems %v", got, problems)
			}
		})
	}
}

func TestAStatusThatIsNotKnownIsAbsent(t *testing.T) {
	r := anna()
	statusUnknown(&r)
	got, problems := mapped(t, "active", r)
	if !got.Known || got.Present || len(problems) > 0 {
		t.Errorf("got %+v, problems %v", got, problems)
	}
	if got, _ := mapped(t, `string(active)`, r); !got.Known || got.Present {
		t.Errorf("in an expression: %+v", got)
	}
}

func TestOneRecordDoesNotShineThroughInTheNext(t *testing.T) {
	m := compile(t, rules.Sync{Scope: `"Staff" in groups and active`, Attributes: from(`lower(username) + custom.level`)})
	for range 3 {
		full := m.Outbound(anna())
		if full.Scope != mapping.Yes || full.Attributes[0].Value.String() != "anna42" {
			t.Fatalf("anna: %+v", full)
		}
		bare := m.Outbound(mapping.Record{Account: directory.Account{
			ID: "b", Status: directory.StatusActive, GroupsKnown: true, Attributes: directory.Attributes{"username": directory.Text("B")},
		}})
		if bare.Scope != mapping.No || bare.Attributes[0].Value.String() != "b" {
			t.Fatalf("the other: %+v", bare)
		}
	}
}

func TestInboundFollowsTheRulesThatLeadBack(t *testing.T) {
	m := compile(t, rules.Sync{Attributes: []rules.Attribute{
		{Target: "email", From: "email"},
		{Target: "nickname", From: "nickname", Direction: rules.Both, Conflict: rules.ConflictNewest},
		{Target: "custom.shoe size", From: `custom["size"]`, Direction: rules.Both},
		{Target: "display_name", From: "first_name", To: "title", Back: "upper(display_name)", Direction: rules.Both},
		{Target: "phone", To: "mobile", Back: "phone", Direction: rules.ToSource},
		{Target: "url", From: "url", Direction: rules.ToSource},
		{Target: "photo_url", Back: "custom.roles[7]", To: "photo_url", Direction: rules.ToSource, Required: true},
	}})
	got := m.Inbound(mapping.Record{Account: directory.Account{ID: "7", Attributes: directory.Attributes{
		"nickname": directory.Text("Nana"), "custom.shoe size": directory.Number(38), "display_name": directory.Text("Anna"), "phone": directory.Value{},
		"custom.roles": directory.List("a"),
	}}})
	type line struct {
		Target, To, Back string
		Direction        rules.Direction
		Conflict         rules.Conflict
		Known, Present   bool
		Value            string
	}
	var lines []line
	for _, m := range got {
		lines = append(lines, line{m.Rule.Target, m.Rule.To, m.Rule.Back, m.Rule.Direction, m.Rule.Conflict, m.Known, m.Present, m.Value.String()})
	}
	want := []line{
		{"nickname", "nickname", "nickname", rules.Both, rules.ConflictNewest, true, true, "Nana"},
		{"custom.shoe size", "custom.size", "custom.shoe size", rules.Both, rules.ConflictReport, true, true, "38"},
		{"display_name", "title", "upper(display_name)", rules.Both, rules.ConflictReport, true, true, "ANNA"},
		{"phone", "mobile", "phone", rules.ToSource, rules.ConflictReport, true, true, ""},
		{"url", "url", "url", rules.ToSource, rules.ConflictReport, true, false, ""},
		{"photo_url", "photo_url", "custom.roles[7]", rules.ToSource, rules.ConflictReport, false, false, ""},
	}
	if diff := cmp.Diff(want, lines); diff != "" {
		t.Error(diff)
	}
	var targets []string
	for _, m := range m.Outbound(anna()).Attributes {
		targets = append(targets, m.Rule.Target)
	}
	if diff := cmp.Diff([]string{"email", "nickname", "custom.shoe size", "display_name"}, targets); diff != "" {
		t.Errorf("outbound: %s", diff)
	}
}

func TestASyncWithoutAWayBackHasNothingInbound(t *testing.T) {
	if got := compile(t, rules.Sync{Attributes: from("username")}).Inbound(anna()); got != nil {
		t.Errorf("got %v", got)
	}
}

func TestProtected(t *testing.T) {
	for name, test := range map[string]struct {
		protect []string
		change  func(*mapping.Record)
		want    string
	}{
		"nobody without expressions":               {nil, nil, ""},
		"nobody for whom none holds":               {[]string{`username == "webmaster"`, `"Admins" in groups`}, nil, ""},
		"the first that holds is named":            {[]string{`username == "x"`, `username == "ANNA"`, `active`}, nil, `username == "ANNA"`},
		"one that fails protects":                  {[]string{`custom.roles[7] == "x"`}, nil, `custom.roles[7] == "x"`},
		"one that needs groups not known protects": {[]string{`"Admins" in groups`}, groupsUnknown, `"Admins" in groups`},
		"one that needs a status protects":         {[]string{`not active`}, statusUnknown, `not active`},
	} {
		t.Run(name, func(t *testing.T) {
			r := anna()
			if test.change != nil {
				test.change(&r)
			}
			expression, protected := compile(t, rules.Sync{Protect: test.protect}).Protected(r)
			if expression != test.want || protected != (test.want != "") {
				t.Errorf("got %q %v, want %q", expression, protected, test.want)
			}
		})
	}
}

func TestAMappingMayBeUsedByManyAtOnce(t *testing.T) {
	m := compile(t, typical())
	want := m.Outbound(anna())
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			for range 200 {
				if diff := cmp.Diff(want, m.Outbound(anna())); diff != "" {
					t.Error(diff)
					return
				}
				m.Protected(anna())
				m.Inbound(anna())
				m.Explain(anna())
			}
		})
	}
	group.Wait()
}

func TestTriSaysItsName(t *testing.T) {
	for tri, want := range map[mapping.Tri]string{mapping.Unknown: "unknown", mapping.No: "no", mapping.Yes: "yes"} {
		text, err := tri.MarshalText()
		if tri.String() != want || string(text) != want || err != nil {
			t.Errorf("%d: %q, %q, %v", tri, tri, text, err)
		}
	}
}
