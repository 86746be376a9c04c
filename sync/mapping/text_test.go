package mapping_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/rollcall-sync/rollcall/sync/directory"
	"github.com/rollcall-sync/rollcall/sync/mapping"
)

// call evaluates one function of one text.
func call(t *testing.T, function, text string) string {
	t.Helper()
	got, problems := mapped(t, function+`("<" + username + ">")`, mapping.Record{Account: directory.Account{Attributes: directory.Attributes{"username": directory.Text(text)}}})
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	return got.Value.String()
}

func TestASCII(t *testing.T) {
	for text, want := range map[string]string{
		"Anna": "Anna", "Jörg Müßig": "Joerg Muessig", "ÄÖÜẞ": "AeOeUeSS", "a\u0308": "ae", "Renée Ångström": "Renee Angstroem",
		"Łódź": "Lodz", "Đorđe": "Dorde", "Þór Æsir Øre": "Thor Aesir Ore", "Nguyễn Văn": "Nguyen Van", "İstanbul ılık": "Istanbul ilik",
		"O’Neil – “x”": `O'Neil - "x"`, "Юлия Щукина": "Yuliya Shchukina", "Ελένη": "Eleni", "½ ﬁn №": "12 fin No", "日本": "", "a\u3000b": "a b", "😀x": "x",
		"Ştefan Țepeș": "Stefan Tepes", "Ї": "Yi", "Ъ": "",
	} {
		t.Run(text, func(t *testing.T) {
			if got := call(t, "ascii", text); got != "<"+want+">" {
				t.Errorf("got %q, want %q", got, want)
			}
		})
	}
}

func TestSlug(t *testing.T) {
	for text, want := range map[string]string{
		"Anna Öztürk": "anna.oeztuerk", "  Anna   B. ": "anna.b", "Anna-Maria": "anna-maria", "anna_b": "anna_b", "anna - b": "anna.b",
		"O'Neil": "oneil", "O’Neil": "oneil", "a--b": "a-b", "a-_b": "a.b", "a@b.example": "a.b.example", "...": "", "日本": "", "Дмитрий": "dmitriy",
		"-a-": "a", "7 of 9": "7.of.9",
	} {
		t.Run(text, func(t *testing.T) {
			if got := call(t, "slug", text); got != want {
				t.Errorf("got %q, want %q", got, want)
			}
		})
	}
}

func TestPartsOfAnEmail(t *testing.T) {
	for text, want := range map[string][2]string{
		"Anna@Example.COM": {"<Anna", "example.com>"}, `"a@b"@example.com`: {`<"a@b"`, "example.com>"}, "anna": {"<anna>", ""}, "@x": {"<", "x>"}, "a@ ": {"<a", ">"},
	} {
		t.Run(text, func(t *testing.T) {
			if local, domain := call(t, "local", text), call(t, "domain", text); local != want[0] || domain != want[1] {
				t.Errorf("got %q and %q, want %q", local, domain, want)
			}
		})
	}
}

func TestTitleCase(t *testing.T) {
	for text, want := range map[string]string{
		"anna maria": "Anna Maria", "ANNA-MARIA": "Anna-Maria", "o'neil o’neil": "O'neil O’neil", "élan": "Élan", "ǆ": "ǅ", "1st ave": "1st Ave",
	} {
		t.Run(text, func(t *testing.T) {
			if got := call(t, "title_case", text); got != "<"+want+">" {
				t.Errorf("got %q, want %q", got, want)
			}
		})
	}
}

func TestAnEvaluationHasABudget(t *testing.T) {
	long := strings.Repeat("ab", 20_000)
	many := make([]string, 2_000)
	for i := range many {
		many[i] = fmt.Sprint(i)
	}
	for name, test := range map[string]struct{ expression, message string }{
		"a sum of texts":                {`username + username`, "the text becomes longer than 65536 characters"},
		"a replacement":                 {`replace(username, "a", "abc")`, "the text becomes longer than 65536 characters"},
		"a replacement by the text":     {`replace(username, "b", username)`, "the text becomes longer than 65536 characters"},
		"a joined list":                 {`join(custom.many, username)`, "the text becomes longer than 65536 characters"},
		"a loop in a loop":              {`any(custom.many, any(groups, # == "x"))`, "takes more than 200000 steps; use fewer loops inside loops"},
		"a loop in a map":               {`map(custom.many, count(groups, len(#) > 1))`, "takes more than 200000 steps; use fewer loops inside loops"},
		"one loop over much is allowed": {`count(custom.many, # startsWith "19")`, ""},
		"a long text is allowed":        {`lower(username)`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			r := mapping.Record{Account: directory.Account{GroupsKnown: true, Attributes: directory.Attributes{
				"username": directory.Text(long), "custom.many": directory.List(many...),
			}}}
			for _, name := range many {
				r.Groups = append(r.Groups, directory.Group{ID: name, Name: name})
			}
			got, problems := mapped(t, test.expression, r)
			if test.message == "" {
				if !got.Present || len(problems) > 0 {
					t.Errorf("got %v", problems)
				}
				return
			}
			if len(problems) != 1 || problems[0].Message != test.message || got.Known {
				t.Errorf("got %v, want %s", problems, test.message)
			}
		})
	}
}

func TestTheBudgetIsFullForEveryExpression(t *testing.T) {
	many := make([]string, 2_000)
	for i := range many {
		many[i] = fmt.Sprint(i)
	}
	m := compile(t, rulesOf(`count(custom.many, # startsWith "19")`, 60))
	got := m.Outbound(mapping.Record{Account: directory.Account{Attributes: directory.Attributes{"custom.many": directory.List(many...)}}})
	if len(got.Problems) > 0 {
		t.Errorf("problems: %v", got.Problems)
	}
}
