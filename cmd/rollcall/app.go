package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/viper"

	"github.com/rollcall-sync/rollcall/config"
	connectors "github.com/rollcall-sync/rollcall/connectors/all"
	"github.com/rollcall-sync/rollcall/sync/directory"
	"github.com/rollcall-sync/rollcall/sync/engine"
	"github.com/rollcall-sync/rollcall/sync/mapping"
	"github.com/rollcall-sync/rollcall/sync/rules"
	"github.com/rollcall-sync/rollcall/sync/state"
	targets "github.com/rollcall-sync/rollcall/targets/all"
)

// app is what the commands share: where they read and write, the global flags, and what they have opened.
type app struct {
	args     []string
	in       io.Reader
	out, err io.Writer
	// code is the exit code of a command that came to its end without an error.
	code int

	configPaths []string
	statePath   string
	json        bool
	noColor     bool
	traceFile   string
	viper       *viper.Viper

	config  *config.Config
	log     *slog.Logger
	db      *state.DB
	engine  *engine.Engine
	opened  map[string]directory.Directory
	trace   *os.File
	traceMu sync.Mutex
	// temporary is a folder to remove at the end.
	temporary string
	// types are the kinds of directories that a configuration may name; nil means all of this program.
	types []directory.Type
	// now and sleep are the clock; nil means the real one.
	now   func() time.Time
	sleep func(context.Context, time.Duration) error
}

// types are all kinds of directories.
func types() []directory.Type { return slices.Concat(connectors.Types(), targets.Types()) }

// load reads the configuration once.
func (a *app) load(lenient bool) error {
	if a.config != nil {
		return nil
	}
	known := a.types
	if known == nil {
		known = types()
	}
	loaded, err := config.Load(config.Options{
		Paths: a.configPaths, Types: known, Viper: a.viper, CheckExpressions: checkExpressions, AllowMissingSecrets: lenient,
	})
	if err != nil {
		return usageError{err}
	}
	a.config = loaded
	options := &slog.HandlerOptions{Level: loaded.Log.Level}
	if loaded.Log.Format == config.LogJSON {
		a.log = slog.New(slog.NewJSONHandler(a.err, options))
	} else {
		a.log = slog.New(slog.NewTextHandler(a.err, options))
	}
	return nil
}

func checkExpressions(sync rules.Sync) []config.ExpressionFault {
	_, faults := mapping.Compile(sync)
	list := make([]config.ExpressionFault, 0, len(faults))
	for _, fault := range faults {
		list = append(list, config.ExpressionFault{Path: fault.Path, Message: fault.Message})
	}
	return list
}

// open loads the configuration and opens the state and the engine.
func (a *app) open(ctx context.Context, readOnly bool) error {
	if err := a.load(false); err != nil {
		return err
	}
	return a.openState(ctx, a.config.State, readOnly)
}

// openState opens the state file, and the engine on it.
func (a *app) openState(ctx context.Context, path string, readOnly bool) error {
	db, err := state.Open(ctx, path, state.Options{ReadOnly: readOnly, Now: a.now})
	if err != nil {
		return err
	}
	a.db = db
	a.engine = engine.New(engine.Options{State: db, Snapshots: path + "-snapshots", Log: a.log, Version: version, Now: a.now, Sleep: a.sleep})
	return nil
}

// openForReading opens the state beside a run that may be under way. Before the first run there is none: then an empty one
// in a temporary folder stands in for it, and the user's folder stays as it is.
func (a *app) openForReading(ctx context.Context) error {
	path := a.config.State
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		return a.openState(ctx, path, true)
	}
	var err error
	if a.temporary, err = os.MkdirTemp("", "rollcall-"); err != nil {
		return err
	}
	return a.openState(ctx, filepath.Join(a.temporary, "state.db"), false)
}

// directory opens one configured directory, once.
func (a *app) directory(name string) (directory.Directory, error) {
	if d, ok := a.opened[name]; ok {
		return d, nil
	}
	configured, ok := a.config.Directory(name)
	if !ok {
		return nil, usageError{fmt.Errorf("no directory is called %q; there are: %s", name, strings.Join(directoryNames(a.config), ", "))}
	}
	settings := configured.Settings
	settings.Log, settings.Now, settings.Sleep = a.log.With("directory", name), a.now, a.sleep
	if a.traceFile != "" {
		if err := a.openTrace(); err != nil {
			return nil, err
		}
		settings.Trace = a.traceLine
	}
	d, err := configured.Type.Open(settings)
	if err != nil {
		return nil, configured.Locate(err)
	}
	if a.opened == nil {
		a.opened = make(map[string]directory.Directory)
	}
	a.opened[name] = d
	return d, nil
}

func directoryNames(c *config.Config) []string {
	var names []string
	for _, d := range c.Directories {
		names = append(names, d.Name)
	}
	return names
}

func (a *app) openTrace() (err error) {
	if a.trace != nil {
		return nil
	}
	a.trace, err = os.OpenFile(a.traceFile, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return fmt.Errorf("the trace cannot be written: %w", err)
	}
	return nil
}

func (a *app) traceLine(line string) {
	a.traceMu.Lock()
	defer a.traceMu.Unlock()
	fmt.Fprintln(a.trace, line)
}

// syncs returns the named syncs in the order of the configuration; all of them when none is named.
func (a *app) syncs(names []string) ([]rules.Sync, error) {
	for _, name := range names {
		if _, ok := a.config.Sync(name); !ok {
			var known []string
			for _, s := range a.config.Syncs {
				known = append(known, s.Name)
			}
			return nil, usageError{fmt.Errorf("no sync is called %q; there are: %s", name, strings.Join(known, ", "))}
		}
	}
	var chosen []rules.Sync
	for _, s := range a.config.Syncs {
		if len(names) == 0 || slices.Contains(names, s.Name) {
			chosen = append(chosen, s)
		}
	}
	if len(chosen) == 0 {
		return nil, usageError{errors.New("the configuration has no syncs; `rollcall init` writes one")}
	}
	return chosen, nil
}

// job prepares one sync: both directories open, and the other syncs of the target in their order.
func (a *app) job(sync rules.Sync, trigger string) (engine.Job, error) {
	source, err := a.directory(sync.Source)
	if err != nil {
		return engine.Job{}, err
	}
	target, err := a.directory(sync.Target)
	if err != nil {
		return engine.Job{}, err
	}
	if identity := target.Describe().Identity; identity == source.Describe().Identity {
		return engine.Job{}, usageError{fmt.Errorf("sync %s: source %s and target %s are the same place (%s); people are brought from one place to another, so name two",
			sync.Name, sync.Source, sync.Target, identity)}
	}
	job := engine.Job{Sync: sync, Source: source, Target: target, Trigger: trigger, ApproveCommand: a.approveCommand(trigger, sync.Name, extent{})}
	before := true
	for _, other := range a.config.Syncs {
		job.Configured = append(job.Configured, other.Name)
		switch {
		case other.Name == sync.Name:
			before = false
		case other.Target != sync.Target:
			if err := a.distinct(sync.Target, target, other.Target); err != nil {
				return engine.Job{}, err
			}
		default:
			job.Others = append(job.Others, other)
			if before {
				job.Earlier++
			}
		}
	}
	return job, nil
}

// distinct refuses two names for one target: whether somebody else still needs an account is remembered by name, so with
// two of them one sync would take access away that the other gives.
func (a *app) distinct(name string, d directory.Directory, otherName string) error {
	other, err := a.directory(otherName)
	if err != nil {
		a.log.Debug("not compared with another target, which cannot be opened", "directory", otherName, "error", err)
		return nil
	}
	if identity := d.Describe().Identity; identity == other.Describe().Identity {
		return usageError{fmt.Errorf("directories %s and %s are the same place (%s); let both syncs use one of the names", name, otherName, identity)}
	}
	return nil
}

// extent says how much of a sync is looked at; the same flags mean the same in plan, sync and import.
type extent struct {
	account   string
	trustSize []string
}

func (e *extent) flags(cmd *cobra.Command) {
	cmd.Flags().Var((*accountFlag)(&e.account), "account", "one person: id, username or e-mail")
	cmd.Flags().StringArrayVar(&e.trustSize, "trust-size", nil, "take the size of this directory as true for this run, also when it is empty (repeatable)")
}

// accountFlag is the value of --account. An empty one is a shell variable that is not set, and would mean everybody.
type accountFlag string

func (p *accountFlag) String() string { return string(*p) }
func (p *accountFlag) Type() string   { return "string" }

func (p *accountFlag) Set(who string) error {
	if strings.TrimSpace(who) == "" {
		return errors.New("it names nobody; leave --account out for everybody")
	}
	*p = accountFlag(who)
	return nil
}

// jobOf is job for a part of a sync.
func (a *app) jobOf(sync rules.Sync, trigger string, e extent) (engine.Job, error) {
	job, err := a.job(sync, trigger)
	job.Account, job.TrustSize, job.ApproveCommand = e.account, e.trustSize, a.approveCommand(trigger, sync.Name, e)
	return job, err
}

// checkTrust refuses --trust-size for a directory that no chosen sync uses, where it would do nothing.
func checkTrust(e extent, syncs []rules.Sync) error {
	for _, name := range e.trustSize {
		if !slices.ContainsFunc(syncs, func(s rules.Sync) bool { return s.Source == name || s.Target == name }) {
			return usageError{fmt.Errorf("--trust-size %s: no sync of this run reads a directory of that name", name)}
		}
	}
	return nil
}

// approveCommand is the exact command that approves a plan of this configuration, state and extent, without the token. An import
// is approved as one, with its progress; everything else by a sync.
func (a *app) approveCommand(trigger, sync string, e extent) string {
	command := "sync"
	if trigger == "import" {
		command = trigger
	}
	parts := []string{"rollcall", command, shellQuote(sync)}
	add := func(flag, value string) { parts = append(parts, flag, shellQuote(value)) }
	for _, path := range a.configPaths {
		add("--config", path)
	}
	if a.statePath != "" {
		add("--state", a.statePath)
	}
	if e.account != "" {
		add("--account", e.account)
	}
	for _, name := range e.trustSize {
		add("--trust-size", name)
	}
	return strings.Join(append(parts, "--approve"), " ")
}

func shellQuote(s string) string {
	if s != "" && !strings.ContainsFunc(s, func(r rune) bool {
		return !strings.ContainsRune("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./:@%+=", r)
	}) {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

// clock is the time.
func (a *app) clock() time.Time {
	if a.now == nil {
		return time.Now()
	}
	return a.now()
}

// close closes what was opened.
func (a *app) close() error {
	var faults []error
	for _, name := range sortedKeys(a.opened) {
		faults = append(faults, a.opened[name].Close())
	}
	if a.db != nil {
		faults = append(faults, a.db.Close())
	}
	if a.trace != nil {
		faults = append(faults, a.trace.Close())
	}
	if a.temporary != "" {
		faults = append(faults, os.RemoveAll(a.temporary))
	}
	return errors.Join(faults...)
}
