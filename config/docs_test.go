package config_test

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v3"

	"github.com/rollcall-sync/rollcall/config"
)

func TestTheReadmeHasTheTableOfAllKeys(t *testing.T) {
	data, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	const begin, end = "go test ./config -update -->\n", "<!-- end of keys -->"
	head, rest, ok := strings.Cut(string(data), begin)
	table, tail, closed := strings.Cut(rest, end)
	if !ok || !closed {
		t.Fatal("README.md lacks the marks around the table")
	}
	if *update {
		if err := os.WriteFile("README.md", []byte(head+begin+config.KeyTable()+end+tail), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(config.KeyTable(), table); diff != "" {
		t.Errorf("run go test ./config -update\n%s", diff)
	}
}

// TestTheReadmesExamplesLoad keeps the prose honest: each block is put into a whole configuration and loaded.
func TestTheReadmesExamplesLoad(t *testing.T) {
	data, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllStringSubmatch(string(data), -1)
	if len(blocks) != 4 {
		t.Fatalf("README.md has %d examples", len(blocks))
	}
	const open = "directories:\n  a: {type: everything, path: a.csv}\n  b: {type: everything, path: b.csv}\nsyncs:\n  nightly:\n    source: a\n    target: b\n"
	for _, block := range blocks {
		text := block[1]
		if !strings.HasPrefix(text, "directories:") {
			text = open + "    " + strings.ReplaceAll(strings.TrimSpace(text), "\n", "\n    ")
		}
		text = strings.ReplaceAll(text, "/run/secrets/wordpress", filepath.Join(absolute(t, samples), "secrets", "wordpress"))
		if _, err := config.Load(surroundings(write(t, text))); err != nil {
			t.Errorf("%v in\n%s", err, text)
		}
	}
}

func absolute(t *testing.T, path string) string {
	t.Helper()
	full, err := filepath.Abs(path)
	if err != nil {
		t.Fatal(err)
	}
	return full
}

func schemaText(t *testing.T) []byte {
	t.Helper()
	data, err := config.Schema(fakeTypes())
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// schema compiles the schema of the fake types.
func schema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(schemaText(t)))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("rollcall.json", document); err != nil {
		t.Fatal(err)
	}
	compiled, err := c.Compile("rollcall.json")
	if err != nil {
		t.Fatal(err)
	}
	return compiled
}

// document reads a file as an editor does.
func document(t *testing.T, name string) any {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	var value any
	if err := yaml.Unmarshal(data, &value); err != nil {
		t.Fatal(err)
	}
	return value
}

func TestTheSchemaAcceptsTheSamples(t *testing.T) {
	compiled := schema(t)
	names, err := filepath.Glob(samples + "/*.yaml")
	if err != nil || len(names) < 3 {
		t.Fatalf("%v, %v", names, err)
	}
	for _, name := range names {
		if err := compiled.Validate(document(t, name)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestTheSchemaRefusesWhatItCanSee: the same files that the loader refuses, as far as one place alone tells that they are
// wrong.
func TestTheSchemaRefusesWhatItCanSee(t *testing.T) {
	compiled := schema(t)
	for _, name := range []string{
		"unknown-key-top", "unknown-key-directory", "unknown-key-deep", "unknown-key-spelling", "wrong-type", "wrong-type-directory", "no-value",
		"missing-required", "unknown-type", "bad-name", "amounts", "choices", "grace-period", "grace-period-true", "unknown-attribute",
		"attribute-not-writable", "serve-and-log", "examples", "a-list", "a-text",
	} {
		if err := compiled.Validate(document(t, samples+"/bad/"+name+".yaml")); err == nil {
			t.Errorf("%s passes the schema", name)
		}
	}
}

func TestTheSchemaKnowsWhatIsRequired(t *testing.T) {
	compiled := schema(t)
	whole := document(t, samples+"/complete.yaml")
	for _, path := range [][]string{
		{"directories", "staff", "type"},
		{"directories", "staff", "realm"},
		{"directories", "website", "password"},
		{"syncs", "staff-to-website", "source"},
		{"syncs", "staff-to-website", "target"},
	} {
		parent := whole.(map[string]any)
		for _, name := range path[:len(path)-1] {
			parent = parent[name].(map[string]any)
		}
		last := path[len(path)-1]
		value := parent[last]
		delete(parent, last)
		if err := compiled.Validate(whole); err == nil {
			t.Errorf("the schema does without %v", path)
		}
		parent[last] = value
	}
	if err := compiled.Validate(whole); err != nil {
		t.Error(err)
	}
	if want := "https://json-schema.org/draft/2020-12/schema"; compiled.DraftVersion != 2020 || !bytes.Contains(schemaText(t), []byte(want)) {
		t.Errorf("the schema does not say that it is one of %s", want)
	}
}

// TestSchemaAndTableNameTheSameKeys walks the schema along the table, so that neither can have a key of its own.
func TestSchemaAndTableNameTheSameKeys(t *testing.T) {
	rows := regexp.MustCompile("(?m)^\\| `([^`]+)`").FindAllStringSubmatch(config.KeyTable(), -1)
	want := make(map[string]bool)
	for _, row := range rows {
		want[row[1]] = true
	}
	got := make(map[string]bool)
	compiled := schema(t)
	collect(got, "", compiled.Properties)
	entries := map[string]*jsonschema.Schema{
		"directories.<directory>": asSchema(t, compiled.Properties["directories"].AdditionalProperties),
		"syncs.<sync>":            asSchema(t, compiled.Properties["syncs"].AdditionalProperties).Ref,
	}
	for path, entry := range entries {
		collect(got, path, entry.Properties)
	}
	sync := entries["syncs.<sync>"].Properties
	collect(got, "syncs.<sync>.attributes.<attribute>", sync["attributes"].Properties["email"].Ref.AnyOf[1].Properties)
	collect(got, "syncs.<sync>.groups.<group>", asSchema(t, sync["groups"].AdditionalProperties).AnyOf[1].Properties)
	for name := range sync["attributes"].Properties {
		delete(got, "syncs.<sync>.attributes."+name)
	}
	items := sync["examples"].Items2020
	collect(got, "syncs.<sync>.examples.<n>", items.Properties)
	for name := range got {
		if strings.HasPrefix(name, "syncs.<sync>.examples.<n>.given.") || strings.HasPrefix(name, "syncs.<sync>.examples.<n>.expect.") {
			delete(got, name)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func collect(into map[string]bool, path string, properties map[string]*jsonschema.Schema) {
	for name, s := range properties {
		below := strings.TrimPrefix(path+"."+name, ".")
		into[below] = true
		collect(into, below, s.Properties)
	}
}

func asSchema(t *testing.T, value any) *jsonschema.Schema {
	t.Helper()
	s, ok := value.(*jsonschema.Schema)
	if !ok {
		t.Fatalf("%T is no schema", value)
	}
	return s
}
