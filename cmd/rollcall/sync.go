package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/rollcall-sync/rollcall/sync/apply"
	"github.com/rollcall-sync/rollcall/sync/engine"
	"github.com/rollcall-sync/rollcall/sync/plan"
	"github.com/rollcall-sync/rollcall/sync/rules"
)

type syncOptions struct {
	extent
	approve string
	// lines is set where progress is told also when nobody watches a terminal.
	lines bool
}

func newSyncCommand(a *app) *cobra.Command {
	var o syncOptions
	cmd := &cobra.Command{
		Use:   "sync [SYNC…]",
		Short: "Sync now: everybody, or one person",
		Long: "Runs the named syncs, or all of them, in the order of the configuration. When one fails the others are run all the same,\n" +
			"and the exit code tells the worst.\n\n" + oneDocumentEach,
		RunE:              func(cmd *cobra.Command, args []string) error { return runSync(cmd.Context(), a, o, args) },
		ValidArgsFunction: a.completeSyncs,
	}
	o.flags(cmd)
	return cmd
}

func (o *syncOptions) flags(cmd *cobra.Command) {
	o.extent.flags(cmd)
	cmd.Flags().StringVar(&o.approve, "approve", "", "token of the plan that the guard refused; nothing beyond that plan is done")
}

func runSync(ctx context.Context, a *app, o syncOptions, names []string) error {
	if err := a.open(ctx, false); err != nil {
		return err
	}
	syncs, err := a.syncs(names)
	if err != nil {
		return err
	}
	if o.approve != "" && len(syncs) != 1 {
		return usageError{errors.New("--approve needs the name of one sync: a token approves one plan")}
	}
	if err := checkTrust(o.extent, syncs); err != nil {
		return err
	}
	for _, sync := range syncs {
		a.syncOne(ctx, sync, o, "command")
		if ctx.Err() != nil {
			break
		}
	}
	return nil
}

// syncOne runs one sync, prints its report, and takes its end into the exit code. The report is nil where nothing was begun.
func (a *app) syncOne(ctx context.Context, sync rules.Sync, o syncOptions, trigger string) *engine.Report {
	job, err := a.jobOf(sync, trigger, o.extent)
	if err != nil {
		a.failed(sync.Name, err)
		return nil
	}
	job.Approve = o.approve
	shown := a.newProgress(o.lines)
	job.Progress = shown.show
	report, err := a.engine.Run(ctx, job)
	shown.end(err != nil)
	var printing error
	if report != nil {
		printing = a.printReport(report)
	}
	switch {
	case err == nil && printing == nil:
		a.code = worse(a.code, codeOfStatus(report.Status))
	case err != nil && report != nil && !a.json: // the printed report says why
		a.code = worse(a.code, codeOf(err))
	default:
		a.failed(sync.Name, errors.Join(err, printing))
	}
	return report
}

// failed tells of an error of one sync and takes it into the exit code; the other syncs go on.
func (a *app) failed(sync string, err error) {
	a.code = worse(a.code, codeOf(err))
	text := message(err)
	if !strings.HasPrefix(text, "sync "+sync) {
		text = "sync " + sync + ": " + text
	}
	fmt.Fprintf(a.err, "rollcall: %s\n", text)
}

func (a *app) printReport(r *engine.Report) error {
	if a.json {
		return a.printJSON(r)
	}
	a.writeReport(r, mostShown)
	return nil
}

// mostShown is how many notes and failures the report of a run shows. --json has them all, and `history RUN` what the state keeps.
const mostShown = 20

// writeReport prints a report for people with at most so many failures and notes, 0 for all.
func (a *app) writeReport(r *engine.Report, most int) {
	out := a.out
	fmt.Fprintf(out, "%s: %s (run %s, %.1f s, %d + %d requests)\n", r.Sync, a.colour(string(r.Status)), r.Run, r.Seconds, r.Requests.Source, r.Requests.Target)
	fmt.Fprintf(out, "  %s\n", r.Counts.Sentence())
	for _, reason := range r.Reasons {
		fmt.Fprintf(out, "  %s\n", plan.Clean(reason))
	}
	writeSome(a, most, r, "failures", r.Failures, func(f apply.Failure) string {
		return fmt.Sprintf("%s: %s: %s: %s", a.colour("failed"), plan.Clean(f.Account), f.Operation, plan.Clean(f.Message))
	})
	if r.FailuresLeftOut > 0 {
		fmt.Fprintf(out, "  … and %d more of this kind\n", r.FailuresLeftOut)
	}
	var notes []plan.Note
	for _, note := range r.Notes {
		if !note.Kind.Failure() { // among the failures already
			notes = append(notes, note)
		}
	}
	writeSome(a, most, r, "notes", notes, noteLine)
	for _, kind := range slices.Sorted(maps.Keys(r.NotesLeftOut)) {
		if !kind.Failure() {
			fmt.Fprintf(out, "  %s: … and %d more of this kind\n", kind, r.NotesLeftOut[kind])
		}
	}
}

func writeSome[T any](a *app, most int, r *engine.Report, what string, list []T, line func(T) string) {
	for i, item := range list {
		if most > 0 && i == most {
			fmt.Fprintf(a.out, "  … and %d more %s; `rollcall history %s` lists them\n", len(list)-most, what, r.Run)
			return
		}
		fmt.Fprintf(a.out, "  %s\n", line(item))
	}
}

// completeSyncs offers the names of the configured syncs to the shell.
func (a *app) completeSyncs(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	if a.load(true) != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	var names []string
	for _, sync := range a.config.Syncs {
		if !slices.Contains(args, sync.Name) {
			names = append(names, sync.Name)
		}
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}

// completeFirst offers the names of syncs for the first argument only.
func (a *app) completeFirst(cmd *cobra.Command, args []string, word string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return a.completeSyncs(cmd, args, word)
}
