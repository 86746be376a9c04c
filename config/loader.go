package config

import (
	"errors"
	"os"
	"regexp"
	"slices"

	"github.com/spf13/viper"
	"github.com/zalando/go-keyring"

	"github.com/rollcall-sync/rollcall/sync/directory"
	"github.com/rollcall-sync/rollcall/sync/rules"
)

// loader gathers the configuration and its faults while the files are read one after the other.
type loader struct {
	options  Options
	config   *Config
	faults   []Fault
	omitted  int
	warnings []Fault
	found    map[string]found

	// first is where each key of the top level stood first, as far as it may be given once only.
	first       map[string]*node
	directories []*loadedDirectory
	syncs       []*loadedSync
}

type loadedDirectory struct {
	Directory
	at   *node
	used bool
}

type loadedSync struct {
	rules.Sync
	at *node
}

func newLoader(options Options) (*loader, error) {
	if len(options.Types) == 0 {
		return nil, errors.New("config: Options.Types is empty; pass the types of connectors/all and targets/all")
	}
	if options.Env == nil {
		options.Env = os.LookupEnv
	}
	if options.Keyring == nil {
		options.Keyring = keyring.Get
	}
	if options.Viper == nil {
		options.Viper = viper.New()
	}
	return &loader{
		options: options, config: defaults(), found: make(map[string]found), first: make(map[string]*node),
	}, nil
}

// finish does what needs all files: the checks from one part to another.
func (l *loader) finish() {
	whole := &node{file: &source{order: 1}, line: 1, column: 1}
	if len(l.config.Files) > 0 {
		whole.file.name = l.config.Files[0]
	}
	for _, missing := range []struct {
		name, remedy string
		ok           bool
	}{
		{"directories", "name at least two places that hold accounts", l.first["directories"] != nil},
		{"syncs", "name at least one pair of source and target", l.first["syncs"] != nil},
	} {
		if !missing.ok && !l.incomplete() {
			l.fault(whole, missing.remedy, "%q is missing", missing.name)
		}
	}
	for _, s := range l.syncs {
		l.checkSync(s)
	}
	for _, d := range l.directories {
		if !d.used {
			l.warn(d.at, "remove it, or name it in a sync", "no sync uses this directory")
		}
	}
}

func (l *loader) result() (*Config, error) {
	if len(l.faults) > 0 {
		return nil, &Faults{List: sortFaults(l.faults), Omitted: l.omitted}
	}
	c := l.config
	for _, d := range l.directories {
		c.Directories = append(c.Directories, d.Directory)
	}
	for _, s := range l.syncs {
		c.Syncs = append(c.Syncs, s.Sync)
		c.places[s.Name] = s.at.fault("", "")
	}
	c.Warnings = sortFaults(l.warnings)
	return c, nil
}

// once reports a key that may stand in one file only and stands in two.
func (l *loader) once(at *node, name string) bool {
	first, ok := l.first[name]
	if !ok {
		l.first[name] = at
		return true
	}
	l.fault(at, "keep one of the two", "is given twice, first in %s:%d", first.file.name, first.line)
	return false
}

func (l *loader) directory(name string) *loadedDirectory {
	for _, d := range l.directories {
		if d.Name == name {
			return d
		}
	}
	return nil
}

func (l *loader) typeNames() []string {
	names := make([]string, len(l.options.Types))
	for i, t := range l.options.Types {
		names[i] = t.Name
	}
	return names
}

func (l *loader) typeOf(name string) (directory.Type, bool) {
	i := slices.IndexFunc(l.options.Types, func(t directory.Type) bool { return t.Name == name })
	if i < 0 {
		return directory.Type{}, false
	}
	return l.options.Types[i], true
}

// indexed matches the place in a list: protect[0] is protect.0 here.
var indexed = regexp.MustCompile(`\[(\d+)\]`)

// checkExpressions asks the mapping about the expressions of one sync. What is known to be wrong is not told twice.
func (l *loader) checkExpressions(s *loadedSync) {
	if l.options.CheckExpressions == nil {
		return
	}
	checked := s.Sync
	if checked.Attributes == nil {
		// What the default rules give is known only when both directories are open, so nobody can say yet whether an example
		// expects too much.
		checked.Examples = nil
	}
	known := l.faults
	for _, f := range l.options.CheckExpressions(checked) {
		at := s.at.locate(indexed.ReplaceAllString(f.Path, ".$1"))
		if at == s.at {
			l.fault(at, "", "%s: %s", f.Path, f.Message)
		} else if !within(known, at) {
			l.fault(at, "", "%s", f.Message)
		}
	}
}
