package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/rollcall-sync/rollcall/config"
	"github.com/rollcall-sync/rollcall/sync/engine"
	"github.com/rollcall-sync/rollcall/sync/rules"
	"github.com/rollcall-sync/rollcall/sync/schedule"
	"github.com/rollcall-sync/rollcall/sync/server"
)

func newServeCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "serve",
		Short: "Run the syncs at their times, and serve health and metrics",
		Long: "Runs every sync that has a schedule at its times until it is told to stop.\n\n" +
			"A sync never runs twice at once, and two that write to the same directory run one after the other. One that is running\n" +
			"elsewhere is tried again every minute. A time that passed while nothing ran is caught up or reported, as serve.catch_up\n" +
			"says; an interrupted run counts as not done. A time of the night on which clocks are changed is run once.\n\n" +
			"The first SIGTERM or interruption starts nothing more, finishes the operation in hand and waits for it up to\n" +
			"serve.shutdown_grace. SIGHUP reads the configuration again; one with faults is not taken, and a change of state, serve or\n" +
			"log takes a restart.\n\n" +
			"serve.listen answers /healthz, /readyz (503 when two times of a sync have passed since its last good run) and /metrics,\n" +
			"without a password.",
		Args: arguments(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			hangups := make(chan os.Signal, 1)
			signal.Notify(hangups, syscall.SIGHUP)
			defer signal.Stop(hangups)
			return runServe(cmd.Context(), a, hangups)
		},
	}
}

// service is `rollcall serve` under way.
type service struct {
	app       *app
	scheduler *schedule.Scheduler
	server    *server.Server
}

func runServe(ctx context.Context, a *app, hangups <-chan os.Signal) error {
	if err := a.open(ctx, false); err != nil {
		return err
	}
	syncs, err := a.scheduled()
	if err != nil {
		return err
	}
	if err := a.openOnce(); err != nil {
		return err
	}
	listener, err := server.Listen(ctx, a.config.Serve.Listen, a.log)
	if err != nil {
		return err
	}
	s := &service{app: a}
	history := schedule.NewHistory(a.db)
	s.scheduler = schedule.New(schedule.Options{
		Syncs: syncs, LastRun: history.LastRun, CatchUp: a.config.Serve.CatchUp == config.CatchUpRun, Grace: a.config.Serve.ShutdownGrace,
		Log: a.log, Ended: func(over schedule.End) { s.server.Ended(over) }, Now: a.now,
	})
	s.server = server.New(server.Options{Status: s.scheduler.Status, History: history, Version: version, Log: a.log, Now: a.now})
	a.log.Info("serving health and metrics", "address", listener.Addr().String())
	s.logNext()
	return s.run(ctx, func(ctx context.Context) error { return s.server.Serve(ctx, listener) }, hangups)
}

// run keeps scheduler and server going until the context ends or one of them fails, and waits for both. What the
// scheduler says comes first: it may have left runs behind.
func (s *service) run(ctx context.Context, serve func(context.Context) error, hangups <-chan os.Signal) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	scheduled, served := make(chan error, 1), make(chan error, 1)
	// Health is told until the last run has ended.
	serving, endServing := context.WithCancel(context.WithoutCancel(ctx))
	defer endServing()
	go func() { scheduled <- s.scheduler.Run(ctx) }()
	go func() { served <- serve(serving) }()
	for {
		select {
		case <-hangups:
			s.reload()
		case err := <-scheduled:
			endServing()
			return errors.Join(err, <-served)
		case err := <-served:
			cancel()
			return errors.Join(<-scheduled, err)
		}
	}
}

// logNext says when each sync runs next.
func (s *service) logNext() {
	for _, status := range s.scheduler.Status() {
		s.app.log.Info("scheduled", "sync", status.Sync, "schedule", status.Cadence.String(), "next", status.Next.Format(time.RFC3339))
	}
}

// scheduled returns the syncs that have a schedule, each with a run of its own.
func (a *app) scheduled() ([]schedule.Sync, error) {
	var list []schedule.Sync
	for _, sync := range a.config.Syncs {
		if sync.Schedule == "" {
			continue
		}
		cadence, err := schedule.Parse(sync.Schedule, sync.Timezone)
		if err != nil {
			return nil, fmt.Errorf("sync %s: %w", sync.Name, err)
		}
		list = append(list, schedule.Sync{Name: sync.Name, Cadence: cadence, Writes: writesOf(sync), Run: func(ctx context.Context, trigger string) (*engine.Report, error) {
			return a.runScheduled(ctx, sync, trigger)
		}})
	}
	if len(list) == 0 {
		return nil, usageError{errors.New("no sync has a schedule, so there is nothing to serve; add schedule: \"30 2 * * *\" to one, or run `rollcall sync`")}
	}
	return list, nil
}

// writesOf names the directories that a run of a sync may write to.
func writesOf(sync rules.Sync) []string {
	writes := []string{sync.Target}
	back := sync.Writeback.Create || sync.Writeback.Deactivate || sync.Writeback.Groups
	for _, rule := range sync.Attributes {
		back = back || (sync.Writeback.Update && rule.Direction != rules.ToTarget && rule.Direction != "")
	}
	if back {
		writes = append(writes, sync.Source)
	}
	return writes
}

// runScheduled executes one sync with directories of its own, so that every run signs in afresh and none keeps a
// connection over the day.
func (a *app) runScheduled(ctx context.Context, sync rules.Sync, trigger string) (report *engine.Report, err error) {
	run := &app{
		configPaths: a.configPaths, statePath: a.statePath, traceFile: a.traceFile, config: a.config, log: a.log, engine: a.engine,
		now: a.now, sleep: a.sleep,
	}
	defer func() {
		if closing := run.close(); closing != nil {
			a.log.Warn("a directory was not closed well", "sync", sync.Name, "error", closing)
		}
	}()
	job, err := run.job(sync, trigger)
	if err != nil {
		return nil, err
	}
	return a.engine.Run(ctx, job)
}

// reload takes another configuration over, where it has no fault. State, address, log and what holds at start and end
// only are read once; a change of those is reported.
func (s *service) reload() {
	a := s.app
	fresh := &app{
		configPaths: a.configPaths, statePath: a.statePath, traceFile: a.traceFile, viper: a.viper, err: a.err, db: a.db, engine: a.engine,
		now: a.now, sleep: a.sleep,
	}
	err := fresh.load(false)
	var syncs []schedule.Sync
	if err == nil {
		fresh.log = a.log
		syncs, err = fresh.scheduled()
	}
	if err == nil {
		err = fresh.openOnce()
	}
	if err != nil {
		a.log.Error("the configuration is not taken; the old one stays", "error", err)
		return
	}
	for _, changed := range changedForGood(a.config, fresh.config) {
		a.log.Warn("changed in the configuration; takes a restart", "key", changed)
	}
	s.scheduler.Replace(syncs)
	a.log.Info("configuration taken", "files", fresh.config.Files)
	s.logNext()
}

// openOnce opens and closes every directory, which contacts nobody: what Open does not like is a fault of the
// configuration.
func (a *app) openOnce() error {
	probe := &app{traceFile: a.traceFile, config: a.config, log: slog.New(slog.DiscardHandler), now: a.now, sleep: a.sleep}
	var faults []error
	for _, name := range directoryNames(a.config) {
		if _, err := probe.directory(name); err != nil {
			faults = append(faults, err)
		}
	}
	return errors.Join(append(faults, probe.close())...)
}

// changedForGood names the settings that differ and that a running service keeps.
func changedForGood(old, fresh *config.Config) []string {
	var keys []string
	for _, c := range []struct {
		key     string
		changed bool
	}{
		{"state", old.State != fresh.State},
		{"serve", old.Serve != fresh.Serve},
		{"log", old.Log != fresh.Log},
	} {
		if c.changed {
			keys = append(keys, c.key)
		}
	}
	return keys
}
