package mapping_test

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/rollcall-sync/rollcall/sync/directory"
	"github.com/rollcall-sync/rollcall/sync/mapping"
	"github.com/rollcall-sync/rollcall/sync/rules"
)

// block is the part of a sync that the manual shows at once.
type block struct {
	Scope      string
	Attributes map[string]attributeRule
	Groups     map[string]groupRule
	Examples   []rules.Example
}

type attributeRule struct{ rules.Attribute }

func (r *attributeRule) UnmarshalYAML(node *yaml.Node) error {
	if node.Kind == yaml.ScalarNode {
		return node.Decode(&r.From)
	}
	return node.Decode(&r.Attribute)
}

type groupRule struct{ rules.Group }

func (r *groupRule) UnmarshalYAML(node *yaml.Node) error {
	if node.Kind == yaml.ScalarNode {
		return node.Decode(&r.When)
	}
	return node.Decode(&r.Group)
}

func readme(t *testing.T) string {
	t.Helper()
	data, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func TestTheBlocksOfTheManualDoWhatTheirExamplesSay(t *testing.T) {
	blocks := regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllStringSubmatch(readme(t), -1)
	if len(blocks) < 10 {
		t.Fatalf("only %d blocks", len(blocks))
	}
	for i, text := range blocks {
		t.Run(fmt.Sprint("block ", i), func(t *testing.T) {
			var b block
			decoder := yaml.NewDecoder(strings.NewReader(text[1]))
			decoder.KnownFields(true)
			if err := decoder.Decode(&b); err != nil {
				t.Fatalf("%v in\n%s", err, text[1])
			}
			if len(b.Examples) == 0 {
				t.Fatal("a block without examples")
			}
			for _, failure := range compile(t, b.sync()).RunExamples() {
				t.Errorf("example %d: %s\n%s", failure.Index, failure.Message, text[1])
			}
		})
	}
}

func (b block) sync() rules.Sync {
	s := rules.Sync{Scope: b.Scope, Examples: b.Examples}
	for target, rule := range b.Attributes {
		rule.Target = target
		s.Attributes = append(s.Attributes, rule.Attribute)
	}
	for target, rule := range b.Groups {
		rule.Group.Target = target
		s.Groups = append(s.Groups, rule.Group)
	}
	return s
}

// table returns the rows below a heading as pairs of cells.
func table(t *testing.T, heading string) [][2]string {
	t.Helper()
	_, section, ok := strings.Cut(readme(t), "\n## "+heading+"\n")
	if !ok {
		t.Fatalf("no section %s", heading)
	}
	section, _, _ = strings.Cut(section, "\n## ")
	var rows [][2]string
	for _, row := range regexp.MustCompile("(?m)^\\| `(.*)` \\| (.*) \\|$").FindAllStringSubmatch(section, -1) {
		rows = append(rows, [2]string{row[1], row[2]})
	}
	return rows
}

func TestTheManualListsTheFunctions(t *testing.T) {
	var want [][2]string
	for _, function := range mapping.Functions() {
		want = append(want, [2]string{function.Form, function.Doc})
	}
	if got := table(t, "Functions"); !slices.Equal(got, want) {
		var rows strings.Builder
		for _, row := range want {
			fmt.Fprintf(&rows, "| `%s` | %s |\n", row[0], row[1])
		}
		t.Errorf("the table of functions in README.md must be:\n%s", rows.String())
	}
}

func TestTheManualQuotesTheMessages(t *testing.T) {
	rows := table(t, "Mistakes and what they say")
	if len(rows) < 5 {
		t.Fatalf("only %d rows", len(rows))
	}
	for _, row := range rows {
		_, faults := mapping.Compile(rules.Sync{Attributes: from(row[0])})
		if len(faults) != 1 || faults[0].Message != row[1] {
			t.Errorf("%s: %v", row[0], faults)
		}
	}
}

func TestTheManualNamesTheWholeVocabulary(t *testing.T) {
	text := readme(t)
	for _, name := range directory.Vocabulary() {
		if !strings.Contains(text, "`"+name+"`") {
			t.Errorf("%s is missing", name)
		}
	}
}
