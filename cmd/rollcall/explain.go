package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/rollcall-sync/rollcall/sync/engine"
	"github.com/rollcall-sync/rollcall/sync/mapping"
	"github.com/rollcall-sync/rollcall/sync/plan"
)

func newExplainCommand(a *app) *cobra.Command {
	var offline bool
	cmd := &cobra.Command{
		Use:   "explain [SYNC] WHO",
		Short: "One person: the record as received, each rule, and what would happen and why; nothing is written",
		Long: "WHO is an id, a username or an e-mail. Without SYNC, all syncs are asked. With --offline it works from the last listings\n" +
			"and contacts nobody. It can be asked while a run is under way, and before the first one.\n\n" + oneDocumentEach,
		Args: arguments(cobra.RangeArgs(1, 2)),
		RunE: func(cmd *cobra.Command, args []string) error {
			return runExplain(cmd.Context(), a, args[:len(args)-1], args[len(args)-1], offline)
		},
		ValidArgsFunction: a.completeFirst,
	}
	cmd.Flags().BoolVar(&offline, "offline", false, "use the last listings; contact nobody")
	return cmd
}

func runExplain(ctx context.Context, a *app, names []string, who string, offline bool) error {
	if err := a.load(offline); err != nil {
		return err
	}
	syncs, err := a.syncs(names)
	if err != nil {
		return err
	}
	if err := a.openForReading(ctx); err != nil {
		return err
	}
	if offline && a.temporary != "" {
		return usageError{errors.New("there has been no run yet that could have kept a listing; explain without --offline looks the person up")}
	}
	var found int
	var nobody []error
	for _, sync := range syncs {
		job, err := a.job(sync, "explain")
		var x *engine.Explanation
		if err == nil {
			x, err = a.engine.Explain(ctx, job, who, offline)
		}
		switch {
		case errors.Is(err, engine.ErrNobody): // a person need not be in every sync
			nobody = append(nobody, fmt.Errorf("sync %s: %w", sync.Name, err))
		case err != nil:
			a.failed(sync.Name, err)
		default:
			if err := a.printExplanation(x, found == 0); err != nil {
				return err
			}
			found++
		}
		if ctx.Err() != nil {
			return nil
		}
	}
	if found > 0 {
		for _, err := range nobody {
			fmt.Fprintln(a.err, err)
		}
		return nil
	}
	return errors.Join(nobody...)
}

func (a *app) printExplanation(x *engine.Explanation, first bool) error {
	if a.json {
		return a.printJSON(x)
	}
	if !first {
		fmt.Fprintln(a.out)
	}
	writeExplanation(a.out, x)
	return nil
}

func writeExplanation(out io.Writer, x *engine.Explanation) {
	fmt.Fprintf(out, "%s in sync %s, %s; nothing has been written\n", plan.Clean(x.Who), x.Sync, x.From)
	writeRecord(out, "SOURCE", x.Source)
	writeRecord(out, "TARGET", x.Target)
	if x.Link != nil {
		fmt.Fprintf(out, "\nLINK  %s = %s, %s, %s since %s", x.Link.SourceID, x.Link.TargetID, x.Link.Origin, x.Link.Claim, x.Link.Created.Local().Format(time.DateTime))
		if x.Link.DeactivatedAt != nil {
			fmt.Fprintf(out, ", deactivated by Rollcall on %s", x.Link.DeactivatedAt.Local().Format(time.DateTime))
		}
		fmt.Fprintln(out)
	}
	for _, c := range x.Candidates {
		fmt.Fprintf(out, "\nMATCH  %s (id %s) by %s", plan.Clean(c.Account), c.ID, c.By)
		if c.LinkedTo != "" {
			fmt.Fprintf(out, ", linked to %s", plan.Clean(c.LinkedTo))
		}
		if c.Guarded != "" {
			fmt.Fprintf(out, ", never linked automatically: %s", c.Guarded)
		}
		fmt.Fprintln(out)
	}
	if x.Rules != nil {
		writeRules(out, x.Rules)
	}
	fmt.Fprintf(out, "\nRESULT  %s\n", plan.Clean(x.Sentence()))
	for _, o := range x.Operations {
		if detail := o.Detail(); detail != "" {
			fmt.Fprintf(out, "  %s %s: %s\n", o.Side, o.Action, plan.Clean(detail))
		}
	}
	for _, note := range x.Notes {
		fmt.Fprintf(out, "  %s: %s\n", note.Kind, plan.Clean(note.Message))
	}
	if len(x.History) > 0 {
		fmt.Fprintln(out, "\nHISTORY")
		for _, line := range x.History {
			fmt.Fprintf(out, "  %s  run %s  %s %s: %s\n", line.At.Local().Format(time.DateTime), line.Run, line.Side, line.Action,
				strings.TrimSpace(line.Result+" "+plan.Clean(line.Message)))
		}
	}
}

func writeRecord(out io.Writer, title string, r *engine.RecordView) {
	if r == nil {
		return
	}
	fmt.Fprintf(out, "\n%s  %s, id %s, %s\n", title, r.Directory, r.ID, r.Status)
	for _, line := range []struct{ label, text string }{{"privileged", r.Privileged}, {"read-only", r.ReadOnly}, {"problem", r.Problem}} {
		if line.text != "" {
			fmt.Fprintf(out, "  %s: %s\n", line.label, plan.Clean(line.text))
		}
	}
	for _, name := range r.Attributes.Names() {
		fmt.Fprintf(out, "  %s = %q\n", name, r.Attributes.Text(name))
	}
	if len(r.Groups) > 0 {
		fmt.Fprintf(out, "  groups = %s\n", plan.Clean(strings.Join(r.Groups, ", ")))
	}
}

func writeRules(out io.Writer, x *mapping.Explanation) {
	scope := x.Expression
	if scope == "" {
		scope = "everybody"
	}
	fmt.Fprintf(out, "\nSCOPE  %s: %s%s\n", scope, x.Scope, because(x.Reason))
	for _, test := range x.Tests {
		fmt.Fprintf(out, "  %-7s %s%s%s\n", test.Result, test.Expression, inputs(test.Inputs), because(test.Reason))
	}
	if x.ProtectedBy != "" {
		fmt.Fprintf(out, "\nPROTECTED  by %s: never written\n", x.ProtectedBy)
	}
	if len(x.Attributes) > 0 {
		fmt.Fprintln(out, "\nATTRIBUTES")
	}
	for _, v := range x.Attributes {
		value := fmt.Sprintf("%q", v.Value.String())
		switch {
		case !v.Known:
			value = "cannot be told"
		case !v.Present:
			value = "absent, left alone"
		}
		fmt.Fprintf(out, "  %s = %s   from %s%s%s\n", v.Target, value, v.Expression, inputs(v.Inputs), because(v.Problem))
	}
	switch {
	case len(x.Groups) == 0:
	case x.GroupsKnown:
		fmt.Fprintln(out, "\nGROUPS")
	default:
		fmt.Fprintln(out, "\nGROUPS  those of the source are not known")
	}
	for _, g := range x.Groups {
		fmt.Fprintf(out, "  %-7s %s   %s%s%s\n", g.Result, plan.Clean(g.Target), g.Rule, inputs(g.Inputs), because(g.Reason))
	}
}

// because appends a reason where there is one.
func because(reason string) string {
	if reason == "" {
		return ""
	}
	return ": " + plan.Clean(reason)
}

func inputs(list []mapping.Input) string {
	if len(list) == 0 {
		return ""
	}
	parts := make([]string, 0, len(list))
	for _, in := range list {
		value := fmt.Sprintf("%q", in.Value.String())
		if !in.Present {
			value = "absent"
		}
		parts = append(parts, in.Name+" "+value)
	}
	return "   (" + strings.Join(parts, ", ") + ")"
}
