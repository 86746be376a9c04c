package config_test

import (
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/pflag"
	"github.com/spf13/viper"

	"github.com/rollcall-sync/rollcall/config"
	"github.com/rollcall-sync/rollcall/sync/directory"
	"github.com/rollcall-sync/rollcall/sync/rules"
)

func TestFlagsWinOverTheEnvironmentAndThatOverTheFile(t *testing.T) {
	path := write(t, "log: {level: error, format: json}\nserve: {catch_up: report}\nstate: file.db\n"+everything(""))
	environment := map[string]string{"ROLLCALL_LOG_LEVEL": "warn", "ROLLCALL_SERVE_SHUTDOWN_GRACE": "2m", "ROLLCALL_SERVE_LISTEN": ":1"}
	flags := pflag.NewFlagSet("rollcall", pflag.ContinueOnError)
	flags.String("listen", "127.0.0.1:2", "")
	flags.String("state", "flag-default.db", "")
	if err := flags.Parse([]string{"--listen", ":3"}); err != nil {
		t.Fatal(err)
	}
	v := viper.New()
	for key, flag := range map[string]string{"serve.listen": "listen", "state": "state"} {
		if err := v.BindPFlag(key, flags.Lookup(flag)); err != nil {
			t.Fatal(err)
		}
	}
	options := surroundings(path)
	options.Env = func(name string) (string, bool) { value, ok := environment[name]; return value, ok }
	options.Viper = v
	c := load(t, options)
	if want := (config.Log{Level: slog.LevelWarn, Format: config.LogJSON}); c.Log != want {
		t.Errorf("log is %+v, want %+v", c.Log, want)
	}
	if want := (config.Serve{Listen: ":3", CatchUp: config.CatchUpReport, ShutdownGrace: 2 * time.Minute}); c.Serve != want {
		t.Errorf("serve is %+v, want %+v", c.Serve, want)
	}
	if want := filepath.Join(filepath.Dir(path), "file.db"); c.State != want {
		t.Errorf("state is %s: a flag that nobody gave must not win", c.State)
	}

	environment["ROLLCALL_STATE"] = "here.db"
	environment["ROLLCALL_LOG_LEVEL"] = "loud"
	v.Set("serve.listen", "nowhere")
	_, err := config.Load(options)
	want := "environment variable ROLLCALL_LOG_LEVEL: log.level: \"loud\" is not understood - write debug, info, warn or error\n" +
		"flag: serve.listen: \"nowhere\" is not understood - write host:port such as 127.0.0.1:9400, or :9400 for all interfaces"
	if err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	delete(environment, "ROLLCALL_LOG_LEVEL")
	v.Set("serve.listen", ":3")
	if got := load(t, options).State; got != "here.db" {
		t.Errorf("state is %s, want it relative to the working folder", got)
	}
}

func TestSettingNames(t *testing.T) {
	want := []string{"state", "serve.listen", "serve.catch_up", "serve.shutdown_grace", "log.level", "log.format"}
	if diff := cmp.Diff(want, config.SettingNames()); diff != "" {
		t.Error(diff)
	}
	if got := config.EnvironmentName("serve.catch_up"); got != "ROLLCALL_SERVE_CATCH_UP" {
		t.Error(got)
	}
}

func TestWhereTheConfigurationIsFound(t *testing.T) {
	home := t.TempDir()
	put := func(name string) string {
		path := filepath.Join(home, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(everything("")), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	if err := os.MkdirAll(filepath.Join(home, "work"), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Chdir(filepath.Join(home, "work"))
	environment := map[string]string{"HOME": home}
	options := surroundings()
	options.Env = func(name string) (string, bool) { value, ok := environment[name]; return value, ok }

	// Other people's files, and a program that has the same name.
	for _, name := range []string{"rollcall", "rollcall.env", "rollcall.json"} {
		put("work/" + name)
	}
	if _, err := config.Load(options); err == nil || !strings.Contains(err.Error(), filepath.Join(home, ".config", "rollcall")) {
		t.Errorf("want an error that names the places, got %v", err)
	}
	find := func(want string) {
		t.Helper()
		if got := load(t, options).Files; len(got) != 1 || got[0] != want {
			t.Errorf("found %v, want %s", got, want)
		}
	}
	find(put(".config/rollcall/rollcall.yaml"))
	environment["XDG_CONFIG_HOME"] = filepath.Join(home, "xdg")
	find(put("xdg/rollcall/rollcall.yml"))
	put("work/rollcall.yaml")
	find("rollcall.yaml")
	environment["ROLLCALL_CONFIG"] = put("elsewhere.yaml")
	find(filepath.Join(home, "elsewhere.yaml"))
	options.Paths = []string{put("named.yaml")}
	find(filepath.Join(home, "named.yaml"))
}

func TestWhatCannotBeReadIsNoListOfFaults(t *testing.T) {
	empty := t.TempDir()
	large := filepath.Join(t.TempDir(), "large.yaml")
	if err := os.WriteFile(large, make([]byte, 9<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ name, path, want string }{
		{"a file that is not there", filepath.Join(empty, "none.yaml"), "no such file"},
		{"a folder without files", empty, "has no *.yaml file"},
		{"a file beyond all measure", large, "larger than 8192 KiB"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := config.Load(surroundings(c.path))
			var faults *config.Faults
			if err == nil || errors.As(err, &faults) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v", err)
			}
		})
	}
	options := surroundings(samples + "/complete.yaml")
	options.Types = nil
	if _, err := config.Load(options); err == nil {
		t.Error("a loader without types loads nothing, and must say so")
	}
}

func TestFaultsOfExpressionsGetTheirLine(t *testing.T) {
	options := surroundings(samples + "/every-key.yaml")
	options.CheckExpressions = func(s rules.Sync) []config.ExpressionFault {
		if s.Name != "hr-to-staff" {
			return nil
		}
		var faults []config.ExpressionFault
		for _, path := range []string{
			"scope", "attributes.nickname.back", "attributes.custom.desk.from", "groups.Web editors", "groups./Staff/Press.from[1]", "protect[0]",
			"examples[0].given.phone", "writeback.scope", "nowhere.at.all",
		} {
			faults = append(faults, config.ExpressionFault{Path: path, Message: "is odd"})
		}
		return faults
	}
	_, err := config.Load(options)
	var faults *config.Faults
	if !errors.As(err, &faults) {
		t.Fatal(err)
	}
	var got []string
	for _, f := range faults.List {
		got = append(got, strings.TrimPrefix(strings.Replace(f.String(), ": is odd", "", 1), samples+"/every-key.yaml:"))
	}
	want := []string{
		"34:3: syncs.hr-to-staff: nowhere.at.all", "39:12: syncs.hr-to-staff.scope", "46:15: syncs.hr-to-staff.attributes.nickname.back",
		"50:20: syncs.hr-to-staff.attributes.custom.desk", "54:20: syncs.hr-to-staff.groups.Web editors",
		"55:36: syncs.hr-to-staff.groups./Staff/Press.from.1", "69:85: syncs.hr-to-staff.writeback.scope", "71:14: syncs.hr-to-staff.protect",
		"73:127: syncs.hr-to-staff.examples.0.given.phone",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestAFaultThatIsKnownIsNotToldTwice(t *testing.T) {
	options := surroundings(samples + "/bad/unknown-attribute.yaml")
	_, alone := config.Load(options)
	options.CheckExpressions = func(rules.Sync) []config.ExpressionFault {
		return []config.ExpressionFault{{Path: "attributes.display_name.from", Message: "means nothing"}, {Path: "match[1]", Message: "is unknown"}}
	}
	_, both := config.Load(options)
	if diff := cmp.Diff(alone.Error(), both.Error()); diff != "" {
		t.Error(diff)
	}
}

func TestExamplesAreNotJudgedBeforeTheRulesAreKnown(t *testing.T) {
	examples := ", examples: [{given: {email: a@example.com}, expect: {email: a@example.com}}]"
	for _, c := range []struct {
		name, more string
		want       int
	}{{"default rules", examples, 0}, {"own rules", ", attributes: {email: email}" + examples, 1}} {
		options := surroundings(write(t, strings.Replace(everything(""), "target: other", "target: other"+c.more, 1)))
		got := -1
		options.CheckExpressions = func(s rules.Sync) []config.ExpressionFault {
			got = len(s.Examples)
			return nil
		}
		if loaded := load(t, options); len(loaded.Syncs[0].Examples) != 1 || got != c.want {
			t.Errorf("%s: %d examples were checked, want %d", c.name, got, c.want)
		}
	}
}

func TestAFaultOfOpenIsShownAtItsOption(t *testing.T) {
	hr, _ := load(t, surroundings(samples+"/every-key.yaml")).Directory("hr")
	err := hr.Locate(&directory.OptionError{Option: "choice", Message: "does not fit the realm"})
	if got, want := err.Error(), samples+"/every-key.yaml:21:13: directories.hr.choice: does not fit the realm"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	website, _ := load(t, surroundings(samples+"/shortest.yaml")).Directory("people")
	err = website.Locate(&directory.OptionError{Option: "bool", Message: "is off"})
	if got, want := err.Error(), samples+"/shortest.yaml:2:1: directories.people.bool: is off"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	other := errors.New("no route")
	if got := hr.Locate(other); !errors.Is(got, other) {
		t.Errorf("got %v", got)
	}
}

func TestAnAttributeThatAnOptionPlacesIsKnown(t *testing.T) {
	text := strings.Replace(everything("map: {department: Cost unit}"), "target: other", "target: other, attributes: {email: department}", 1)
	options := surroundings(write(t, text))
	options.Types[2].Attributes = []directory.AttributeSpec{{Name: directory.Email, Writable: true}, {Name: directory.Username, Writable: true}}
	load(t, options)
	options.Paths = []string{write(t, strings.Replace(text, "department: Cost unit", "title: Cost unit", 1))}
	if _, err := config.Load(options); err == nil || !strings.Contains(err.Error(), `hr (everything) has no attribute "department"`) {
		t.Errorf("got %v", err)
	}
}

func TestTheDefaultMatchFitsThePair(t *testing.T) {
	options := surroundings(write(t, everything("")))
	options.Types[2].Attributes = []directory.AttributeSpec{{Name: directory.Email}, {Name: directory.LastName}}
	if got := load(t, options).Syncs[0].Match; !cmp.Equal(got, []string{"email"}) {
		t.Errorf("match is %v", got)
	}
	options.Types[2].Attributes = []directory.AttributeSpec{{Name: directory.LastName}}
	_, err := config.Load(options)
	if err == nil || !strings.Contains(err.Error(), "nothing says how accounts without a link are matched") {
		t.Errorf("got %v", err)
	}
}
