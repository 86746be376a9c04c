package config_test

import (
	"errors"
	"flag"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/zalando/go-keyring"

	"github.com/rollcall-sync/rollcall/config"
	"github.com/rollcall-sync/rollcall/sync/rules"
)

var update = flag.Bool("update", false, "rewrite the expected texts in testdata")

const samples = "../testdata/config"

// surroundings has the secrets that the samples refer to.
func surroundings(paths ...string) config.Options {
	environment := map[string]string{
		"KEYCLOAK_SECRET": "hunter2", "WORDPRESS_PASSWORD": "tr0ub4dor", "STATE_NAME": "custom", "TENANT": "acme", "PAGE": "250", "EMPTY": "",
	}
	return config.Options{
		Paths: paths, Types: fakeTypes(),
		Env: func(name string) (string, bool) { value, ok := environment[name]; return value, ok },
		Keyring: func(service, user string) (string, error) {
			if value, ok := map[string]string{"hr/rollcall": "from-the-ring", "rollcall/token": "t0ken"}[service+"/"+user]; ok {
				return value, nil
			}
			return "", keyring.ErrNotFound
		},
	}
}

func load(t *testing.T, options config.Options) *config.Config {
	t.Helper()
	c, err := config.Load(options)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// write puts one file into a folder of its own and returns its path.
func write(t *testing.T, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "rollcall.yaml")
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestTheSampleOfTheManualLoadsIntoTheRulesAsWritten(t *testing.T) {
	c := load(t, surroundings(samples+"/complete.yaml"))
	want := rules.NewSync("staff-to-website", "staff", "website")
	want.Schedule, want.Timezone = "30 2 * * *", "Europe/Berlin"
	want.Scope = `active and department in ["Press", "Web"]`
	want.Attributes = []rules.Attribute{
		{Target: "username", From: "lower(username)", Direction: rules.ToTarget, Conflict: rules.ConflictReport},
		{Target: "email", From: "email", Direction: rules.ToTarget, Conflict: rules.ConflictReport},
		{Target: "display_name", From: `first_name + " " + last_name`, Direction: rules.ToTarget, Conflict: rules.ConflictReport},
		{Target: "nickname", From: "nickname", To: "nickname", Back: "nickname", Direction: rules.Both, Conflict: rules.ConflictNewest},
	}
	want.Groups = []rules.Group{{Target: "editor", When: `"Web editors" in groups`}, {Target: "subscriber", When: "true"}}
	want.Protect = []string{`username == "webmaster"`}
	want.Examples = []rules.Example{{
		Given:  map[string]any{"username": "ANNA", "first_name": "Anna", "last_name": "Ö."},
		Expect: map[string]any{"username": "anna"}, Line: 36,
	}}
	if diff := cmp.Diff([]rules.Sync{want}, c.Syncs); diff != "" {
		t.Error(diff)
	}
	if want := filepath.Join(samples, "rollcall.db"); c.State != want {
		t.Errorf("state is %q, want %q", c.State, want)
	}
	if s, ok := c.Sync("staff-to-website"); !ok || s.Timezone != "Europe/Berlin" {
		t.Errorf("the sync by its name is %v, %t", s, ok)
	}
	if _, ok := c.Sync("staff"); ok {
		t.Error("a sync was found that does not exist")
	}
	if _, ok := c.Directory("staff-to-website"); ok {
		t.Error("a directory was found that does not exist")
	}
	website, ok := c.Directory("website")
	if !ok || website.Settings.Text("password") != "abcd efgh ijkl" || website.Settings.Name != "website" || website.Type.Name != "wordpress" || website.Line != 10 {
		t.Errorf("website is %v in line %d", website, website.Line)
	}
	if file, line := c.Place("staff-to-website"); file != samples+"/complete.yaml" || line != 16 {
		t.Errorf("the sync stands in %s:%d", file, line)
	}
}

func TestTwoLinesMakeASyncWithAllDefaults(t *testing.T) {
	c := load(t, surroundings(samples+"/shortest.yaml"))
	if diff := cmp.Diff([]rules.Sync{rules.NewSync("people-to-website", "people", "website")}, c.Syncs); diff != "" {
		t.Error(diff)
	}
	if c.Serve != (config.Serve{Listen: "127.0.0.1:9400", CatchUp: config.CatchUpRun, ShutdownGrace: 30 * time.Second}) {
		t.Errorf("serve is %+v", c.Serve)
	}
	if c.Log != (config.Log{Level: slog.LevelInfo, Format: config.LogText}) {
		t.Errorf("log is %+v", c.Log)
	}
	people, _ := c.Directory("people")
	want := map[string]any{
		"text": "plain", "path": filepath.Join(samples, "people.csv"), "bool": true, "int": 7, "duration": 90 * time.Second, "choice": "green",
		"cache": filepath.Join(samples, "cache.db"),
	}
	if diff := cmp.Diff(want, people.Settings.Values); diff != "" {
		t.Error(diff)
	}
	if len(c.Warnings) > 0 {
		t.Errorf("warnings: %v", c.Warnings)
	}
}

func TestEveryKeyArrivesWhereItBelongs(t *testing.T) {
	c := load(t, surroundings(samples+"/every-key.yaml"))
	want := rules.Sync{
		Name: "hr-to-staff", Source: "hr", Target: "staff", Schedule: "@every 15m", Timezone: "UTC", Scope: "active", Match: []string{"email"},
		Attributes: []rules.Attribute{
			{Target: "email", From: "email", Direction: rules.ToTarget, Conflict: rules.ConflictReport},
			{Target: "nickname", From: "first_name", To: "nickname", Back: "nickname", Direction: rules.Both, Conflict: rules.ConflictNewest},
			{Target: "department", From: `custom.costCenter + "x"`, Direction: rules.ToTarget, Conflict: rules.ConflictReport, Required: true, OnlyIfEmpty: true},
			{Target: "custom.desk", From: "custom.desk", Direction: rules.ToTarget, Conflict: rules.ConflictReport},
			{Target: "last_name", From: "last_name", To: "last_name", Back: "last_name", Direction: rules.ToSource, Conflict: rules.ConflictReport},
			{Target: "first_name", From: "upper(first_name)", To: "first_name", Back: "lower(first_name)", Direction: rules.ToSource, Conflict: rules.ConflictReport},
		},
		Groups: []rules.Group{
			{Target: "Web editors", When: `"Editors" in groups`},
			{Target: "/Staff/Press", From: []string{"Press", "/HR/Press"}},
			{Target: "authors", When: `title == "Author"`},
		},
		GroupOptions: rules.GroupOptions{Mirror: []string{"Web *"}, Prefix: "hr-", Create: true, Exact: true, Nested: true},
		Actions: rules.Actions{
			Deactivate: true, Delete: "30d", Link: rules.LinkAny, OutOfScope: rules.DropGroups, MissingInTarget: rules.Recreate,
			DeactivatedElsewhere: rules.Override, Rehire: rules.LinkIt,
		},
		Writeback: rules.Writeback{Create: true, Deactivate: true, Groups: true, Scope: `department == "Press"`},
		Limits: rules.Limits{
			Removals: rules.Amount{Count: 25}, Creations: rules.Amount{Percent: true, Share: 2.5}, Updates: rules.Amount{Unlimited: true},
		},
		Protect: []string{`username == "root"`},
		Examples: []rules.Example{{
			Given: map[string]any{
				"username": "007", "active": false, "groups": []string{"Editors"}, "custom.level": 4.0, "custom.badge": "0042", "custom.remote": true,
				"phone": nil, "manager": []string{"a", "b"},
			},
			Expect: map[string]any{"nickname": "Anna", "in_scope": false, "groups": []string{}}, Line: 73,
		}},
	}
	second := want
	second.Name, second.Target = "hr-to-partners", "partners"
	if diff := cmp.Diff([]rules.Sync{want, second}, c.Syncs); diff != "" {
		t.Error(diff)
	}
	if want := filepath.Join(samples, "custom.db"); c.State != want {
		t.Errorf("state is %q, want %q", c.State, want)
	}
	if c.Serve != (config.Serve{Listen: ":9500", CatchUp: config.CatchUpReport, ShutdownGrace: time.Minute}) {
		t.Errorf("serve is %+v", c.Serve)
	}
	if c.Log != (config.Log{Level: slog.LevelDebug, Format: config.LogJSON}) {
		t.Errorf("log is %+v", c.Log)
	}
	hr, _ := c.Directory("hr")
	wantValues := map[string]any{
		"text": "100", "secret": "from-the-ring", "url": "https://hr.example.com/acme/api", "path": filepath.Join(samples, "exports/people.csv"),
		"bool": false, "int": 250, "duration": 5 * time.Minute, "choice": "red", "cache": "/var/cache/rollcall/hr.db", "list": []string{"one", "acme"},
		"map": map[string]string{"Authorization": "Bearer t0ken", "dollars": "${x}"},
	}
	if diff := cmp.Diff(wantValues, hr.Settings.Values); diff != "" {
		t.Error(diff)
	}
	partners, _ := c.Directory("partners")
	if partners.Settings.Text("realm") != "partners" || partners.Settings.Text("client_secret") != "hunter2" {
		t.Errorf("the merge key gave %v", partners)
	}
}

func TestAFolderIsReadInTheOrderOfItsNames(t *testing.T) {
	c := load(t, surroundings(samples+"/folder"))
	var names []string
	for _, d := range c.Directories {
		names = append(names, d.Name)
	}
	for _, s := range c.Syncs {
		names = append(names, s.Name)
	}
	if got, want := strings.Join(names, " "), "staff first second staff-to-first staff-to-second"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if got := len(c.Files); got != 4 {
		t.Errorf("%d files were read: %v", got, c.Files)
	}
	again := load(t, surroundings(samples+"/folder", samples+"/folder/10-directories.yaml"))
	if len(again.Files) != 4 {
		t.Errorf("a file named twice was read twice: %v", again.Files)
	}
}

func TestEachBadFileHasItsMessage(t *testing.T) {
	entries, err := os.ReadDir(samples + "/bad")
	if err != nil {
		t.Fatal(err)
	}
	tried := 0
	for _, entry := range entries {
		name, isFile := strings.CutSuffix(entry.Name(), ".yaml")
		if !isFile && !entry.IsDir() {
			continue
		}
		tried++
		t.Run(name, func(t *testing.T) {
			_, err := config.Load(surroundings(filepath.Join(samples, "bad", entry.Name())))
			var faults *config.Faults
			if !errors.As(err, &faults) {
				t.Fatalf("want faults, got %v", err)
			}
			got := strings.ReplaceAll(faults.Error(), filepath.Join(samples, "bad")+string(filepath.Separator), "") + "\n"
			expected := filepath.Join(samples, "bad", name+".txt")
			if *update {
				if err := os.WriteFile(expected, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(expected)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), got); diff != "" {
				t.Error(diff)
			}
		})
	}
	if tried < 40 {
		t.Errorf("only %d bad files were tried", tried)
	}
}
