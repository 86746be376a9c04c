package config

import (
	"log/slog"
	"net"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/invopop/jsonschema"
)

// defaults returns the configuration of an empty file. The state's default is given by stateFile, which knows the folder.
func defaults() *Config {
	return &Config{
		Serve:  Serve{Listen: "127.0.0.1:9400", CatchUp: CatchUpRun, ShutdownGrace: 30 * time.Second},
		Log:    Log{Level: slog.LevelInfo, Format: LogText},
		places: make(map[string]Fault),
	}
}

// topKeys declares the top level.
func (l *loader) topKeys() []key {
	return slices.Insert(l.settingKeys(), 1,
		key{"directories", "The places that hold accounts, each under a name of your choice.", false, directories{l}},
		key{"syncs", "The pairs of directories that are kept in step, each under a name of your choice.", false, syncs{}},
	)
}

// settingKeys declares what environment variables and flags can set too.
func (l *loader) settingKeys() []key {
	c := l.config
	return []key{
		{"state", "The SQLite file with links, journal and runs; relative to this file.", false, firstOnly{"state", stateFile{&c.State}}},
		{"serve", "How `rollcall serve` works.", false, firstOnly{"serve", object{[]key{
			{"listen", "Address for health and metrics.", false, address(&c.Serve.Listen)},
			{"catch_up", "What happens at start to a sync whose time passed while nothing ran: run it once, or report it.", false, choice(&c.Serve.CatchUp, CatchUpRun, CatchUpReport)},
			{"shutdown_grace", "How long a stop waits for the operation under way.", false, duration(&c.Serve.ShutdownGrace)},
		}}}},
		{"log", "How the program talks about its work.", false, firstOnly{"log", object{[]key{
			{"level", "The least important lines that are written; personal data stands in debug lines only.", false, logLevel(&c.Log.Level)},
			{"format", "Lines for people, or JSON for machines.", false, choice(&c.Log.Format, LogText, LogJSON)},
		}}}},
	}
}

// SettingNames returns the keys that an environment variable (ROLLCALL_LOG_LEVEL for log.level) or a flag bound in
// Options.Viper can set.
func SettingNames() []string {
	l := &loader{config: defaults()}
	var names []string
	l.eachSetting(func(name string, _ value) { names = append(names, name) })
	return names
}

// EnvironmentName returns the variable that sets a setting.
func EnvironmentName(setting string) string {
	return "ROLLCALL_" + strings.ToUpper(strings.ReplaceAll(setting, ".", "_"))
}

func (l *loader) eachSetting(do func(name string, v value)) {
	for _, k := range l.settingKeys() {
		v := k.value.(firstOnly).value
		group, ok := v.(object)
		if !ok {
			do(k.name, v)
			continue
		}
		for _, below := range group.keys {
			do(k.name+"."+below.name, below.value)
		}
	}
}

// overlay lets the environment win over the files, and flags over both. The values pass the same declarations, so a bad one
// is a fault that names the variable or the flag.
func (l *loader) overlay() {
	l.eachSetting(func(name string, v value) {
		variable := EnvironmentName(name)
		given, ok := l.options.Env(variable)
		from := &source{name: "environment variable " + variable}
		if l.options.Viper.IsSet(name) {
			given, ok = l.options.Viper.GetString(name), true
			from = &source{name: "flag"}
		}
		if ok {
			v.load(l, &node{file: from, path: name, kind: scalar, tag: "!!str", written: given, text: given})
		}
	})
	if l.config.State == "" {
		l.config.State = defaultState
		if len(l.config.Files) > 0 {
			l.config.State = filepath.Join(filepath.Dir(l.config.Files[0]), defaultState)
		}
	}
}

// firstOnly is a value that one of several files may have.
type firstOnly struct {
	name string
	value
}

func (v firstOnly) load(l *loader, at *node) {
	if l.once(at, v.name) {
		v.value.load(l, at)
	}
}

// defaultState is the state's file beside the first configuration file.
const defaultState = "rollcall.db"

type stateFile struct{ into *string }

func (v stateFile) load(l *loader, at *node) {
	if !l.isScalar(at, "a file name") || at.missing {
		return
	}
	scheme, _, isURL := strings.Cut(at.text, "://")
	switch {
	case isURL && strings.HasPrefix(scheme, "postgres"):
		l.fault(at, "name a file such as rollcall.db", "this version keeps its state in an SQLite file, not in PostgreSQL")
	case isURL:
		l.fault(at, "name a file such as rollcall.db", "the state is a file, not an address")
	case strings.TrimSpace(at.text) == "":
		l.fault(at, "name a file such as rollcall.db", "the name of the state's file is empty")
	default:
		*v.into = at.file.relative(at.text)
	}
}

func (v stateFile) schema() *jsonschema.Schema {
	return &jsonschema.Schema{Type: "string", MinLength: &oneLetter, Default: defaultState}
}

func (v stateFile) shape() shape { return shape{form: "path", initial: defaultState} }

var oneLetter uint64 = 1

// relative returns the path as seen from the working folder; "" stays "".
func (s *source) relative(path string) string {
	if path == "" || filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(s.folder, path)
}

func address(into *string) one[string] {
	v := text(into, nil)
	v.wants, v.form = "host:port such as 127.0.0.1:9400, or :9400 for all interfaces", "host:port"
	v.parse = func(text string) (string, bool) {
		_, port, err := net.SplitHostPort(text)
		if err != nil {
			return "", false
		}
		number, err := strconv.ParseUint(port, 10, 16)
		return text, err == nil && strconv.FormatUint(number, 10) == port
	}
	v.json = orReference(&jsonschema.Schema{Type: "string", Pattern: `:[0-9]{1,5}$`})
	return v
}

// logLevels are slog's, in the spelling of the configuration.
var logLevels = map[string]slog.Level{"debug": slog.LevelDebug, "info": slog.LevelInfo, "warn": slog.LevelWarn, "error": slog.LevelError}

func logLevel(into *slog.Level) one[slog.Level] {
	words := choice(new(string), "debug", "info", "warn", "error")
	return one[slog.Level]{
		into: into, wants: words.wants, form: words.form, json: words.json,
		parse: func(text string) (slog.Level, bool) {
			level, ok := logLevels[text]
			return level, ok
		},
		format: func(level slog.Level) string { return strings.ToLower(level.String()) },
	}
}
