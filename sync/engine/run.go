package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/rollcall-sync/rollcall/sync/apply"
	"github.com/rollcall-sync/rollcall/sync/directory"
	"github.com/rollcall-sync/rollcall/sync/plan"
	"github.com/rollcall-sync/rollcall/sync/state"
)

// Run executes a sync. The report is always there once the run has begun, also beside an error; an error without report
// means that nothing was begun (bad rules, the sync is running elsewhere).
func (e *Engine) Run(ctx context.Context, job Job) (*Report, error) {
	lease, err := e.options.State.Acquire(ctx, job.Sync.Name, orID(job.Trigger, "sync"))
	if err != nil {
		return nil, err
	}
	defer func() {
		if err := lease.Release(); err != nil {
			e.options.Log.Warn("lease not released", "sync", job.Sync.Name, "error", err)
		}
	}()
	w, err := e.open(ctx, job)
	if err != nil {
		return nil, err
	}
	defer w.discard()
	report := &Report{
		Run: newRunID(w.started), Sync: job.Sync.Name, Reasons: []string{}, Started: w.started.UTC(), Failures: []apply.Failure{},
		Notes: []plan.Note{}, Trigger: orID(job.Trigger, "command"), Account: job.Account, Version: e.options.Version,
	}
	err = e.options.State.BeginRun(ctx, state.Run{ID: report.Run, Sync: report.Sync, Trigger: report.Trigger, StartedAt: w.started, Rules: w.rules})
	if err != nil {
		return nil, err
	}
	runErr := w.run(ctx, report, lease)
	if err := w.finish(report, runErr); err != nil && runErr == nil {
		runErr = err
	}
	return report, runErr
}

// newRunID is the start in UTC with a random tail: it sorts by time and is short enough to be typed.
func newRunID(started time.Time) string {
	return started.UTC().Format("20060102-150405") + "-" + randomTail()
}

func (w *world) run(ctx context.Context, report *Report, lease *state.Lease) error {
	if err := w.prepare(ctx, true); err != nil {
		return err
	}
	report.Certificate = CertificatePair{w.source.Certificate, w.target.Certificate}
	report.Reasons = append(report.Reasons, w.warnings...)
	var result apply.Result
	var broken error
	pairs := w.newDrafts()
	if !w.verdict.Refused {
		if err := w.useApproval(ctx); err != nil {
			return err
		}
		if err := w.accept(ctx, report); err != nil {
			return err
		}
		if err := w.countLosses(ctx); err != nil {
			return err
		}
		if err := w.leaveMark(ctx); err != nil {
			return err
		}
		w.engine.options.Log.Info("plan made", "sync", w.sync.Name, "run", report.Run, "operations", w.plan.Operations.Len())
		result, broken = w.apply(ctx, report.Run, lease, pairs)
	}
	w.countResult(&result, pairs)
	report.Counts, report.Notes = w.counts, w.plan.Notes
	report.Failures = append(report.Failures, noteFailures(w.plan.Notes)...)
	report.conclude(w.verdict, result)
	if broken != nil {
		return fmt.Errorf("the journal cannot be written, so nothing more was written to any directory: %w", broken)
	}
	return w.remember()
}

// apply carries out the plan and saves the links of pairs without operations.
func (w *world) apply(ctx context.Context, run string, lease *state.Lease, pairs *drafts) (apply.Result, error) {
	if err := w.saveLinks(ctx, run); err != nil {
		return apply.Result{}, err
	}
	done := 0
	options := apply.Options{
		Run: run, Sync: w.sync.Name, Source: w.job.Source, Target: w.job.Target, Journal: w.engine.options.State,
		Draft: func(o plan.Operation) *apply.Draft { return pairs.of(context.WithoutCancel(ctx), o) }, Finished: pairs.finished,
		Stop: lease.Lost(), Now: w.engine.options.Now, Sleep: w.engine.options.Sleep,
	}
	if w.job.Progress != nil {
		w.job.Progress(Progress{Stage: StageApply, Total: w.plan.Operations.Len()})
		options.Progress = func(event apply.Event) {
			done++
			w.job.Progress(Progress{Stage: StageApply, Done: done, Total: w.plan.Operations.Len(), Event: &event})
		}
	}
	began := options.Now()
	result, err := apply.Run(ctx, &w.plan, options)
	if err == nil {
		if err := w.rememberPace(ctx, &result, options.Now().Sub(began)); err != nil { // no run fails for an estimate
			w.engine.options.Log.Warn("how fast the run was is not remembered", "sync", w.sync.Name, "error", err)
		}
	}
	return result, err
}

// countResult turns what was planned into what was done.
func (w *world) countResult(result *apply.Result, pairs *drafts) {
	w.counts.countDone(result.Done)
	done, others := pairs.sum(w.changed)
	for class, n := range done {
		w.classes[class] += n
	}
	w.counts.take(w.classes)
	w.counts.FailedOthers += others
	w.counts.countNotes(w.plan.Notes)
}

// noteFailures lists the records that could not be used, and the pairs that may be wrong, as failures, so that they can be corrected.
func noteFailures(notes []plan.Note) []apply.Failure {
	var failures []apply.Failure
	for _, note := range notes {
		switch note.Kind {
		case plan.NoteInvalid:
			failures = append(failures, apply.Failure{Account: note.Account, ID: note.ID, Operation: "map", Side: plan.Source, KindName: "invalid", Message: note.Message})
		case plan.NoteIdentity:
			failures = append(failures, apply.Failure{Account: note.Account, ID: note.ID, Operation: plan.Link, Side: plan.Target, Kind: directory.Conflict, KindName: directory.Conflict.String(), Message: note.Message})
		}
	}
	return failures
}

// remember keeps the listings, which explanations work from.
func (w *world) remember() error {
	if w.direct {
		return nil
	}
	for _, s := range []interface{ Keep(string) error }{w.source, w.target} {
		if err := s.Keep(w.engine.options.Snapshots); err != nil {
			return err
		}
	}
	return nil
}

// finish writes the run's end to the state, whatever happened before.
func (w *world) finish(report *Report, runErr error) error {
	report.Requests = w.spent()
	report.Seconds = w.engine.options.Now().Sub(w.started).Seconds()
	if runErr != nil {
		reason := runErr.Error()
		report.Status = StatusFailed
		if errors.Is(runErr, context.Canceled) {
			report.Status, reason = StatusInterrupted, "ended from outside; run it again to go on"
		}
		report.Reasons = append([]string{reason}, report.Reasons...)
	}
	data, err := json.Marshal(report.kept())
	if err != nil {
		return err
	}
	// A refused run is no measure of the usual size: a listing that shrinks night by night would move the band with it.
	complete := runErr == nil && report.Status != StatusRefused && !w.direct && w.source != nil && w.target != nil && w.source.Certificate.Complete && w.target.Certificate.Complete
	if complete {
		if err := w.forgetLosses(context.Background()); err != nil {
			return err
		}
	}
	targetCount := report.Counts.TargetRead + report.Counts.Created - report.Counts.Deleted
	return w.engine.options.State.FinishRun(context.Background(), state.Run{
		ID: report.Run, Sync: report.Sync, Trigger: report.Trigger, StartedAt: w.started, FinishedAt: w.engine.options.Now(), Status: string(report.Status),
		Rules: w.rules, Complete: complete, SourceRead: report.Counts.SourceRead, TargetRead: targetCount, Report: data,
	})
}
