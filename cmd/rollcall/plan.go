package main

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/rollcall-sync/rollcall/sync/engine"
	"github.com/rollcall-sync/rollcall/sync/plan"
)

type planOptions struct {
	account      string
	detailedExit bool
	limit        int
	trustSize    []string
}

func newPlanCommand(a *app) *cobra.Command {
	var o planOptions
	cmd := &cobra.Command{
		Use:   "plan [SYNC…]",
		Short: "Show what would change and why; nothing is written",
		Long: "Reads both sides and shows what `rollcall sync` would do, in the order in which it would be done. The same code makes\n" +
			"the plan of a real run.",
		RunE: func(cmd *cobra.Command, args []string) error { return runPlan(cmd.Context(), a, o, args) },
	}
	cmd.Flags().StringVar(&o.account, "account", "", "one person: id, username or e-mail")
	cmd.Flags().BoolVar(&o.detailedExit, "detailed-exitcode", false, "exit with 2 when there are changes")
	cmd.Flags().IntVar(&o.limit, "limit", 50, "rows to show, 0 for all")
	cmd.Flags().StringArrayVar(&o.trustSize, "trust-size", nil, "take the size of this directory's listing as true, also when it is empty (repeatable)")
	return cmd
}

func runPlan(ctx context.Context, a *app, o planOptions, names []string) error {
	if err := a.open(ctx, false); err != nil {
		return err
	}
	syncs, err := a.syncs(names)
	if err != nil {
		return err
	}
	changes := false
	for _, sync := range syncs {
		job, err := a.job(sync, "plan")
		if err != nil {
			return err
		}
		job.Account, job.TrustSize = o.account, o.trustSize
		prepared, err := a.engine.Plan(ctx, job)
		if err != nil {
			return fmt.Errorf("sync %s: %w", sync.Name, err)
		}
		changes = changes || len(prepared.Plan.Operations) > 0
		if err := a.printPlan(prepared, o.limit); err != nil {
			return err
		}
		a.code = worse(a.code, planCode(prepared))
	}
	if o.detailedExit && changes && a.code == exitOK {
		a.code = exitConfiguration
	}
	return nil
}

// planCode tells a plan that would be refused or withheld from one that would be carried out.
func planCode(p *engine.Prepared) int {
	switch {
	case p.Verdict.Refused:
		return exitRefused
	case !p.Certificate.Source.Complete || !p.Certificate.Target.Complete:
		return exitWithheld
	default:
		return exitOK
	}
}

func (a *app) printPlan(p *engine.Prepared, limit int) error {
	if a.json {
		return a.printJSON(struct {
			Sync       string           `json:"sync"`
			Operations []plan.Operation `json:"operations"`
			Notes      []plan.Note      `json:"notes"`
			*engine.Prepared
		}{p.Plan.Sync, p.Plan.Operations, p.Plan.Notes, p})
	}
	return writePlan(a.out, p, limit)
}

func writePlan(out io.Writer, p *engine.Prepared, limit int) error {
	fmt.Fprintf(out, "PLAN of %s: nothing has been written\n\n", p.Plan.Sync)
	if len(p.Plan.Operations) > 0 {
		if err := p.Plan.WriteTable(out, limit); err != nil {
			return err
		}
		fmt.Fprintln(out)
	}
	writeNotes(out, p.Plan.Notes, limit)
	fmt.Fprintln(out, p.Summary())
	for _, c := range []struct {
		side        string
		certificate string
	}{{"source", p.Certificate.Source.Failed()}, {"target", p.Certificate.Target.Failed()}} {
		if c.certificate != "" {
			fmt.Fprintf(out, "WITHHELD: the listing of the %s is not proven complete, so nobody would lose access: %s\n", c.side, c.certificate)
		}
	}
	for _, reason := range p.Verdict.Reasons {
		fmt.Fprintf(out, "REFUSED (%s): %s\n", reason.Rule, reason.Message)
	}
	if p.Verdict.Command != "" {
		fmt.Fprintf(out, "To approve exactly this plan: %s\n", p.Verdict.Command)
	}
	return nil
}

func writeNotes(out io.Writer, notes []plan.Note, limit int) {
	for i, note := range notes {
		if limit > 0 && i == limit {
			fmt.Fprintf(out, "… and %d more notes\n", len(notes)-limit)
			break
		}
		fmt.Fprintf(out, "%s: %s: %s\n", note.Kind, plan.Clean(note.Account), plan.Clean(note.Message))
	}
	if len(notes) > 0 {
		fmt.Fprintln(out)
	}
}
