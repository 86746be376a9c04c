package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/rollcall-sync/rollcall/sync/engine"
	"github.com/rollcall-sync/rollcall/sync/plan"
	"github.com/rollcall-sync/rollcall/sync/rules"
)

type syncOptions struct {
	account   string
	approve   string
	trustSize []string
}

func newSyncCommand(a *app) *cobra.Command {
	var o syncOptions
	cmd := &cobra.Command{
		Use:   "sync [SYNC…]",
		Short: "Sync now: everybody, or one person",
		RunE:  func(cmd *cobra.Command, args []string) error { return runSync(cmd.Context(), a, o, args) },
	}
	o.flags(cmd)
	return cmd
}

func (o *syncOptions) flags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&o.account, "account", "", "one person: id, username or e-mail")
	cmd.Flags().StringVar(&o.approve, "approve", "", "token of the plan that the guard refused; nothing beyond that plan is done")
	cmd.Flags().StringArrayVar(&o.trustSize, "trust-size", nil, "take the size of this directory's listing as true for this run, also when it is empty (repeatable)")
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
		return usageError{fmt.Errorf("--approve needs the name of one sync")}
	}
	for _, sync := range syncs {
		if _, err := a.syncOne(ctx, sync, o, "command"); err != nil {
			fmt.Fprintf(a.err, "rollcall: sync %s: %v\n", sync.Name, err)
			a.code = worse(a.code, codeOf(err))
		}
		if ctx.Err() != nil {
			break
		}
	}
	return nil
}

// syncOne runs one sync and prints its report.
func (a *app) syncOne(ctx context.Context, sync rules.Sync, o syncOptions, trigger string) (*engine.Report, error) {
	job, err := a.job(sync, trigger)
	if err != nil {
		return nil, err
	}
	job.Account, job.Approve, job.TrustSize = o.account, o.approve, o.trustSize
	shown := a.newProgress()
	job.Progress = shown.show
	report, err := a.engine.Run(ctx, job)
	shown.end()
	if report != nil {
		if printing := a.printReport(report); err == nil {
			err = printing
		}
	}
	if err == nil {
		a.code = worse(a.code, codeOfStatus(report.Status))
	}
	return report, err
}

func (a *app) printReport(r *engine.Report) error {
	if a.json {
		return a.printJSON(r)
	}
	a.writeReport(r)
	return nil
}

// mostShown is how many notes and failures a report shows; --json has them all.
const mostShown = 20

func (a *app) writeReport(r *engine.Report) {
	out := a.out
	fmt.Fprintf(out, "%s: %s (run %s, %.1f s, %d + %d requests)\n", r.Sync, strings.TrimRight(a.colour(string(r.Status)), " "), r.Run, r.Seconds, r.Requests.Source, r.Requests.Target)
	fmt.Fprintf(out, "  %s\n", r.Counts.Sentence())
	for _, reason := range r.Reasons {
		fmt.Fprintf(out, "  %s\n", plan.Clean(reason))
	}
	for i, failure := range r.Failures {
		if i == mostShown {
			fmt.Fprintf(out, "  … and %d more failures; `rollcall history %s` lists them\n", len(r.Failures)-mostShown, r.Run)
			break
		}
		fmt.Fprintf(out, "  failed: %s: %s: %s\n", plan.Clean(failure.Account), failure.Operation, plan.Clean(failure.Message))
	}
	shown := 0
	for _, note := range r.Notes {
		if note.Kind == plan.NoteInvalid { // among the failures already
			continue
		}
		if shown++; shown > mostShown {
			fmt.Fprintf(out, "  … and more notes; `rollcall history %s` lists them\n", r.Run)
			break
		}
		fmt.Fprintf(out, "  %s: %s: %s\n", note.Kind, plan.Clean(note.Account), plan.Clean(note.Message))
	}
}
