package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/rollcall-sync/rollcall/sync/engine"
	"github.com/rollcall-sync/rollcall/sync/guard"
	"github.com/rollcall-sync/rollcall/sync/plan"
	"github.com/rollcall-sync/rollcall/sync/rules"
)

type planOptions struct {
	extent
	detailedExit bool
	limit        int
}

func newPlanCommand(a *app) *cobra.Command {
	var o planOptions
	cmd := &cobra.Command{
		Use:   "plan [SYNC…]",
		Short: "Show what would change and why; nothing is written",
		Long: "Reads both sides and shows what `rollcall sync` would do, in the order in which it would be done. The same code makes\n" +
			"the plan of a real run. Of a plan that the guard would refuse, the state keeps the token that approves it.\n" +
			"Each sync is planned against what is there now: what another one would do before it is not done yet.\n" +
			"On a terminal long columns are wrapped; elsewhere each operation is one line.\n\n" + oneDocumentEach,
		RunE:              func(cmd *cobra.Command, args []string) error { return runPlan(cmd.Context(), a, o, args) },
		ValidArgsFunction: a.completeSyncs,
	}
	o.flags(cmd)
	cmd.Flags().BoolVar(&o.detailedExit, "detailed-exitcode", false, "exit with 2 when there are changes")
	cmd.Flags().IntVar(&o.limit, "limit", 50, "rows to show, 0 for all")
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
	if err := checkTrust(o.extent, syncs); err != nil {
		return err
	}
	changes, first := false, true
	for _, sync := range syncs {
		changed, err := a.planOne(ctx, sync, o, first)
		if err != nil {
			a.failed(sync.Name, err)
			if ctx.Err() != nil {
				break
			}
			continue
		}
		changes, first = changes || changed, false
	}
	if o.detailedExit && changes && a.code == exitOK {
		a.code = exitConfiguration
	}
	return nil
}

// planOne prints the plan of one sync and reports whether it has operations.
func (a *app) planOne(ctx context.Context, sync rules.Sync, o planOptions, first bool) (changed bool, err error) {
	job, err := a.jobOf(sync, "plan", o.extent)
	if err != nil {
		return false, err
	}
	prepared, err := a.engine.Plan(ctx, job)
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, prepared.Close()) }()
	a.code = worse(a.code, planCode(prepared))
	return prepared.Plan.Operations.Len() > 0, a.printPlan(prepared, o.limit, first)
}

// planCode tells a plan that would be refused or withheld from one that would be carried out.
func planCode(p *engine.Prepared) int {
	switch {
	case p.Verdict.Refused:
		return exitRefused
	case !p.Certificate.Source.Complete || !p.Certificate.Target.Complete:
		return exitWithheld
	case p.Counts.Failed+p.Counts.FailedOthers > 0: // the run would end the same way
		return exitPartial
	default:
		return exitOK
	}
}

// planView is what `plan --json` prints, after the sync and the operations.
type planView struct {
	Notes       []plan.Note            `json:"notes"`
	Verdict     guard.Verdict          `json:"verdict"`
	Certificate engine.CertificatePair `json:"certificate"`
	Counts      engine.Counts          `json:"counts"`
	Requests    engine.RequestPair     `json:"requests"`
	Notices     map[string]int         `json:"notices,omitempty"`
	Price       engine.Price           `json:"price"`
	Seconds     float64                `json:"seconds"`
	Warnings    []string               `json:"warnings,omitempty"`
}

func (a *app) printPlan(p *engine.Prepared, limit int, first bool) error {
	if a.json {
		return a.printPlanJSON(p)
	}
	if !first {
		fmt.Fprintln(a.out)
	}
	return a.writePlan(p, limit)
}

// printPlanJSON writes the operations one after the other: of a million of them, a document in memory would take gigabytes.
func (a *app) printPlanJSON(p *engine.Prepared) error {
	name, err := json.Marshal(p.Plan.Sync)
	if err != nil {
		return err
	}
	out := bufio.NewWriter(a.out)
	fmt.Fprintf(out, "{\n  \"sync\": %s,\n  \"operations\": [", name)
	err = p.Plan.Operations.Each(func(i int, o plan.Operation) error {
		data, err := indented(o, "    ")
		if err != nil {
			return err
		}
		if i > 0 {
			out.WriteByte(',')
		}
		_, err = fmt.Fprintf(out, "\n    %s", data)
		return err
	})
	if err != nil {
		return errors.Join(err, out.Flush())
	}
	if p.Plan.Operations.Len() > 0 {
		out.WriteString("\n  ")
	}
	rest, err := indented(planView{
		Notes: p.Plan.Notes, Verdict: p.Verdict, Certificate: p.Certificate,
		Counts: p.Counts, Requests: p.Requests, Notices: p.Notices, Price: p.Price, Seconds: p.Seconds, Warnings: p.Warnings,
	}, "")
	if err != nil {
		return errors.Join(err, out.Flush())
	}
	fmt.Fprintf(out, "],%s\n", bytes.TrimPrefix(rest, []byte("{")))
	return out.Flush()
}

// indented is a value as JSON in the form of printJSON.
func indented(v any, prefix string) ([]byte, error) {
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetIndent(prefix, "  ")
	encoder.SetEscapeHTML(false)
	err := encoder.Encode(v)
	return bytes.TrimSuffix(out.Bytes(), []byte("\n")), err
}

func (a *app) writePlan(p *engine.Prepared, limit int) error {
	out := a.out
	fmt.Fprintf(out, "PLAN of %s: nothing has been written\n\n", p.Plan.Sync)
	if p.Plan.Operations.Len() > 0 {
		if err := writeTable(out, p.Plan, limit); err != nil {
			return err
		}
	}
	a.writeNotes(p.Plan.Notes, limit)
	fmt.Fprintln(out, p.Summary())
	for _, warning := range p.Warnings {
		fmt.Fprintf(out, "%s: %s\n", a.colour("warning"), plan.Clean(warning))
	}
	for _, c := range []struct {
		side     string
		failed   string
		remedies []string
	}{
		{"source", p.Certificate.Source.Failed(), p.Certificate.Source.Remedies()},
		{"target", p.Certificate.Target.Failed(), p.Certificate.Target.Remedies()},
	} {
		if c.failed == "" {
			continue
		}
		fmt.Fprintf(out, "%s: the listing of the %s is not proven complete, so nobody would lose access: %s\n", a.colour("WITHHELD"), c.side, plan.Clean(c.failed))
		for _, remedy := range c.remedies {
			fmt.Fprintf(out, "  %s\n", plan.Clean(remedy))
		}
	}
	for _, reason := range p.Verdict.Reasons {
		fmt.Fprintf(out, "%s (%s): %s\n", a.colour("REFUSED"), reason.Rule, plan.Clean(reason.Message))
	}
	if p.Verdict.Command != "" {
		fmt.Fprintf(out, "To approve exactly this plan: %s\n", p.Verdict.Command)
	}
	return nil
}

// writeTable prints the operations, wrapped to a terminal, and an empty line.
func writeTable(out io.Writer, p *plan.Plan, limit int) error {
	width := widthOf(out)
	if width == 0 {
		err := p.WriteTable(out, limit)
		fmt.Fprintln(out)
		return err
	}
	var table strings.Builder
	if err := p.WriteTable(&table, limit); err != nil {
		return err
	}
	_, err := fmt.Fprintln(out, fitTable(table.String(), width))
	return err
}

func (a *app) writeNotes(notes []plan.Note, limit int) {
	for i, note := range notes {
		if limit > 0 && i == limit {
			fmt.Fprintf(a.out, "… and %d more notes; --limit 0 shows all\n", len(notes)-limit)
			break
		}
		fmt.Fprintln(a.out, noteLine(note))
	}
	if len(notes) > 0 {
		fmt.Fprintln(a.out)
	}
}

// noteLine words a note; the kind is not said twice.
func noteLine(n plan.Note) string {
	said := strings.TrimPrefix(n.Message, string(n.Kind)+": ")
	return fmt.Sprintf("%s: %s: %s", n.Kind, plan.Clean(n.Account), plan.Clean(said))
}
