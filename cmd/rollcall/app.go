package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

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
	// progressMu keeps the lines of both sides apart.
	progressMu sync.Mutex
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
	loaded, err := config.Load(config.Options{
		Paths: a.configPaths, Types: types(), Viper: a.viper, CheckExpressions: checkExpressions, AllowMissingSecrets: lenient,
	})
	if err != nil {
		return err
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
	db, err := state.Open(ctx, a.config.State, state.Options{ReadOnly: readOnly, Now: a.now})
	if err != nil {
		return err
	}
	a.db = db
	a.engine = engine.New(engine.Options{State: db, Snapshots: a.config.State + "-snapshots", Log: a.log, Version: version, Now: a.now, Sleep: a.sleep})
	return nil
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
	return err
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
	job := engine.Job{Sync: sync, Source: source, Target: target, Trigger: trigger, ApproveCommand: a.approveCommand(sync.Name)}
	before := true
	for _, other := range a.config.Syncs {
		switch {
		case other.Name == sync.Name:
			before = false
		case other.Target == sync.Target:
			job.Others = append(job.Others, other)
			if before {
				job.Earlier++
			}
		}
	}
	return job, nil
}

// approveCommand is the exact command that approves a plan of this configuration, without the token.
func (a *app) approveCommand(sync string) string {
	parts := []string{"rollcall", "sync", sync}
	for _, path := range a.configPaths {
		parts = append(parts, "--config", shellQuote(path))
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
	return errors.Join(faults...)
}
