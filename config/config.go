// Package config loads the configuration: strictly, from one file or a folder of them, with every fault of it listed at
// once. It knows no vendor; what a directory may be told is declared by its [directory.Type].
//
// Each key is declared once, in the functions named …Keys, together with its type, default and one sentence. Loading, the
// JSON Schema for editors and the tables of README.md are all made from that declaration. Files are found by viper, which
// also brings the flags; the content is decoded from the YAML nodes, because viper folds the case of keys, splits them at
// dots and knows no lines.
package config

import (
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/viper"

	"github.com/rollcall-sync/rollcall/sync/directory"
	"github.com/rollcall-sync/rollcall/sync/rules"
)

// Config is a configuration without faults.
type Config struct {
	// State is the path of the SQLite file with links, journal and runs. It need not exist.
	State string
	// Directories and Syncs stand in the order of the files.
	Directories []Directory
	Syncs       []rules.Sync
	Serve       Serve
	Log         Log
	// Files are the files that were read, in their order.
	Files []string
	// Warnings are findings that keep nothing from running: a password in clear, a directory that no sync uses, and with
	// Options.AllowMissingSecrets the secrets that were not found.
	Warnings []Fault

	places map[string]Fault
}

// Serve is what `rollcall serve` needs besides the schedules of the syncs.
type Serve struct {
	// Listen is the address of health and metrics.
	Listen string
	// CatchUp says what happens at start to a sync whose time passed while nothing ran.
	CatchUp CatchUp
	// ShutdownGrace is how long a stop waits for the operation under way.
	ShutdownGrace time.Duration
}

// CatchUp is a policy for missed times.
type CatchUp string

// The policies for missed times.
const (
	CatchUpRun    CatchUp = "run"    // run it once, now
	CatchUpReport CatchUp = "report" // say so and wait for the next time
)

// Log is how the program talks about its work.
type Log struct {
	Level slog.Level
	// Format is LogText or LogJSON.
	Format LogFormat
}

// LogFormat is the form of log lines.
type LogFormat string

// The forms of log lines.
const (
	LogText LogFormat = "text"
	LogJSON LogFormat = "json"
)

// Directory is one configured directory, ready for Type.Open.
type Directory struct {
	Name string
	Type directory.Type
	// Settings has Name and Values set: typed, defaults completed, secrets resolved. The caller adds log, clock and
	// transport before it opens the directory.
	Settings directory.Settings
	// File and Line are where the directory stands.
	File string
	Line int
	// MissingSecrets names the options whose secret was not found; only with Options.AllowMissingSecrets. Such a directory
	// must not be opened for work: the option holds the reference as it was written.
	MissingSecrets []string

	hidden map[string]bool
	places map[string]Fault
}

// Directory returns one directory by its name.
func (c *Config) Directory(name string) (Directory, bool) {
	i := slices.IndexFunc(c.Directories, func(d Directory) bool { return d.Name == name })
	if i < 0 {
		return Directory{}, false
	}
	return c.Directories[i], true
}

// Sync returns one sync by its name.
func (c *Config) Sync(name string) (rules.Sync, bool) {
	i := slices.IndexFunc(c.Syncs, func(s rules.Sync) bool { return s.Name == name })
	if i < 0 {
		return rules.Sync{}, false
	}
	return c.Syncs[i], true
}

// Place returns where a sync stands; the line of a rules.Example is one of that file.
func (c *Config) Place(sync string) (file string, line int) {
	place := c.places[sync]
	return place.File, place.Line
}

// Redacted returns the settings as texts for people, with stars for every secret and for whatever was put together from a
// ${reference}.
func (d Directory) Redacted() map[string]string {
	shown := make(map[string]string, len(d.Settings.Values))
	for name, value := range d.Settings.Values {
		switch x := value.(type) {
		case []string:
			shown[name] = strings.Join(x, ", ")
		case map[string]string:
			parts := make([]string, 0, len(x))
			for _, key := range slices.Sorted(maps.Keys(x)) {
				parts = append(parts, key+"="+x[key])
			}
			shown[name] = strings.Join(parts, ", ")
		case time.Duration:
			shown[name] = formatDuration(x)
		default:
			shown[name] = fmt.Sprint(value)
		}
		if d.hidden[name] {
			shown[name] = "***"
		}
	}
	return shown
}

// Format prints name, type and redacted settings for every verb, so that no %+v of a configuration shows a secret.
func (d Directory) Format(f fmt.State, _ rune) {
	fmt.Fprintf(f, "%s(%s %v)", d.Name, d.Type.Name, d.Redacted())
}

// LogValue keeps secrets out of slog.
func (d Directory) LogValue() slog.Value { return slog.StringValue(fmt.Sprint(d)) }

// MarshalText keeps secrets out of JSON.
func (d Directory) MarshalText() ([]byte, error) { return fmt.Append(nil, d), nil }

// Locate turns a [directory.OptionError] of Open into a fault at the option's own line. Other errors come back unchanged.
func (d Directory) Locate(err error) error {
	option, ok := asOptionError(err)
	if !ok {
		return err
	}
	place, ok := d.places[option.Option]
	if !ok {
		place = Fault{File: d.File, Line: d.Line, Column: 1}
	}
	place.Key = "directories." + d.Name + "." + option.Option
	place.Message = option.Message
	return &Faults{List: []Fault{place}}
}

// Options say what to load and what the surroundings are.
type Options struct {
	// Paths are files or folders; a folder stands for its *.yaml and *.yml files in the order of their names, without those
	// that begin with a dot. None means the file that ROLLCALL_CONFIG names, else the first rollcall.yaml in the working
	// folder, in $XDG_CONFIG_HOME/rollcall and in /etc/rollcall.
	Paths []string
	// Types are all kinds of directories.
	Types []directory.Type
	// Env looks up an environment variable; nil means os.LookupEnv.
	Env func(name string) (value string, ok bool)
	// Keyring reads the system keyring; nil means the real one.
	Keyring func(service, user string) (string, error)
	// Viper carries the flags, bound to the names that SettingNames returns. What is set there wins over the environment,
	// which wins over the files. nil means no flags.
	Viper *viper.Viper
	// CheckExpressions finds the faults of a sync's expressions; nil means that they are not looked at. A sync without
	// attribute rules is passed without its examples, because its rules are known only when both directories are open.
	CheckExpressions func(sync rules.Sync) []ExpressionFault
	// AllowMissingSecrets turns missing secrets into warnings, for commands that contact nobody.
	AllowMissingSecrets bool
}

// ExpressionFault is one bad expression of a sync.
type ExpressionFault struct {
	// Path is the key below the sync: "scope", "attributes.username.from", "protect[0]".
	Path string
	// Message says what is wrong, without a position in the file.
	Message string
}

// Load reads the configuration. The error is a [*Faults] with all that is wrong with the content, or says what could not be
// read. Load keeps nothing open and starts nothing.
func Load(options Options) (*Config, error) {
	l, err := newLoader(options)
	if err != nil {
		return nil, err
	}
	names, err := l.find()
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		root, err := l.read(name)
		if err != nil {
			return nil, err
		}
		if root != nil {
			object{keys: l.topKeys()}.load(l, root)
		}
	}
	l.overlay()
	l.finish()
	return l.result()
}
