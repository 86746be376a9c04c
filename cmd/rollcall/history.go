package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/rollcall-sync/rollcall/sync/engine"
	"github.com/rollcall-sync/rollcall/sync/plan"
	"github.com/rollcall-sync/rollcall/sync/state"
)

type historyOptions struct {
	account, sync string
	since         string
	limit         int
}

func newHistoryCommand(a *app) *cobra.Command {
	var o historyOptions
	cmd := &cobra.Command{
		Use:   "history [RUN]",
		Short: "Who changed what, when and why",
		Long: "Without RUN, the last runs. With RUN (its id or the beginning of it), what it did, before and after. With --account,\n" +
			"everything that was done to one person.",
		Args: arguments(cobra.MaximumNArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error { return runHistory(cmd.Context(), a, o, args) },
	}
	cmd.Flags().StringVar(&o.account, "account", "", "one person: id, username or e-mail as they were at that time")
	cmd.Flags().StringVar(&o.sync, "sync", "", "one sync")
	cmd.Flags().StringVar(&o.since, "since", "", "a date (2026-03-01) or a duration (48h)")
	cmd.Flags().IntVar(&o.limit, "limit", 30, "runs to list, the newest, 0 for all")
	return cmd
}

func runHistory(ctx context.Context, a *app, o historyOptions, args []string) error {
	if err := a.load(true); err != nil { // nobody is contacted, so no secret is needed
		return err
	}
	if err := a.openState(ctx, a.config.State, true); err != nil {
		return err
	}
	since, err := o.start(a.clock())
	if err != nil {
		return err
	}
	switch {
	case len(args) == 1:
		return a.historyOfRun(ctx, args[0], o.account)
	case o.account != "":
		return a.historyOfAccount(ctx, o, since)
	default:
		return a.listRuns(ctx, o, since)
	}
}

func (o historyOptions) start(now time.Time) (time.Time, error) {
	if o.since == "" {
		return time.Time{}, nil
	}
	if d, err := time.ParseDuration(o.since); err == nil {
		return now.Add(-d), nil
	}
	day, err := time.ParseInLocation(time.DateOnly, o.since, time.Local)
	if err != nil {
		return time.Time{}, usageError{fmt.Errorf("--since %q is neither a date (2026-03-01) nor a duration (48h)", o.since)}
	}
	return day, nil
}

// statusUnfinished is the status of a run without an end; it is in no report.
const statusUnfinished = "unfinished"

// unfinished is what is printed in place of the report that such a run does not have yet.
type unfinished struct {
	Run     string    `json:"run"`
	Sync    string    `json:"sync"`
	Status  string    `json:"status"`
	Reasons []string  `json:"reasons"`
	Started time.Time `json:"started"`
	Trigger string    `json:"trigger"`
}

// cutOff says why a run has no report.
const cutOff = "running, or cut off; the next run settles what it left"

// reportOf returns what --json prints of a run: the report as it was stored.
func reportOf(run state.Run) any {
	if len(run.Report) > 0 {
		return run.Report
	}
	return unfinished{run.ID, run.Sync, statusUnfinished, []string{cutOff}, run.StartedAt, run.Trigger}
}

func (a *app) listRuns(ctx context.Context, o historyOptions, since time.Time) error {
	runs, err := a.db.Runs(ctx, state.RunFilter{Sync: o.sync, Since: since, Limit: o.limit})
	if err != nil {
		return err
	}
	if a.json {
		reports := make([]any, 0, len(runs))
		for _, run := range runs {
			reports = append(reports, reportOf(run))
		}
		return a.printJSON(reports)
	}
	if len(runs) == 0 {
		_, err := fmt.Fprintln(a.out, "no runs")
		return err
	}
	table := tabwriter.NewWriter(a.out, 0, 4, 2, ' ', 0)
	fmt.Fprintln(table, "RUN\tSYNC\tSTARTED\tSTATUS\tWHAT")
	for _, run := range runs {
		what, status := "", run.Status
		var report engine.Report
		switch {
		case len(run.Report) == 0:
			status, what = statusUnfinished, cutOff
		case json.Unmarshal(run.Report, &report) == nil:
			what = report.Counts.Sentence()
			if report.Account != "" {
				what = "only " + plan.Clean(report.Account) + ": " + what
			}
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\n", run.ID, run.Sync, run.StartedAt.Local().Format(time.DateTime), status, what)
	}
	return table.Flush()
}

func (a *app) historyOfRun(ctx context.Context, id, account string) error {
	run, err := a.db.RunByID(ctx, id)
	if err != nil {
		return err
	}
	filter := state.EntryFilter{Run: run.ID, Account: account}
	if a.json {
		if account != "" {
			return a.printEntries(ctx, filter)
		}
		return a.printRun(ctx, run, filter)
	}
	if len(run.Report) > 0 {
		var report engine.Report
		if err := json.Unmarshal(run.Report, &report); err != nil {
			return fmt.Errorf("the report of run %s cannot be read: %w", run.ID, err)
		}
		a.writeReport(&report, 0)
	} else {
		fmt.Fprintf(a.out, "%s: run %s of %s: %s\n", run.Sync, run.ID, run.StartedAt.Local().Format(time.DateTime), cutOff)
	}
	fmt.Fprintln(a.out, "operations:")
	return a.writeEntries(ctx, filter, false)
}

func (a *app) historyOfAccount(ctx context.Context, o historyOptions, since time.Time) error {
	filter := state.EntryFilter{Sync: o.sync, Account: o.account, Since: since}
	if a.json {
		return a.printEntries(ctx, filter)
	}
	return a.writeEntries(ctx, filter, true)
}

// entryView is one operation as `history --account WHO --json` prints it.
type entryView struct {
	Run       string          `json:"run"`
	Sync      string          `json:"sync"`
	Side      string          `json:"side"`
	Action    string          `json:"action"`
	Account   string          `json:"account"`
	SourceID  string          `json:"source_id,omitempty"`
	TargetID  string          `json:"target_id,omitempty"`
	At        time.Time       `json:"at"`
	Result    string          `json:"result"`
	Message   string          `json:"message,omitempty"`
	Operation json.RawMessage `json:"operation"`
}

func viewEntry(e state.Entry) entryView {
	return entryView{e.Run, e.Sync, e.Side, e.Action, e.Account, e.SourceID, e.TargetID, e.IntentAt, string(e.Result), e.Message, e.Operation}
}

// printRun prints the report of a run and, under "operations", what it did, one after the other: there may be a million.
func (a *app) printRun(ctx context.Context, run state.Run, filter state.EntryFilter) error {
	report, err := indented(reportOf(run), "")
	if err != nil {
		return err
	}
	out := bufio.NewWriter(a.out)
	fmt.Fprintf(out, "%s,\n  \"operations\": [", bytes.TrimSuffix(report, []byte("\n}")))
	n := 0
	err = a.db.Entries(ctx, filter, func(e state.Entry) error {
		data, err := indented(viewEntry(e), "    ")
		if err != nil {
			return err
		}
		if n++; n > 1 {
			out.WriteByte(',')
		}
		_, err = fmt.Fprintf(out, "\n    %s", data)
		return err
	})
	if n > 0 {
		out.WriteString("\n  ")
	}
	out.WriteString("]\n}\n")
	return errors.Join(err, out.Flush())
}

func (a *app) printEntries(ctx context.Context, filter state.EntryFilter) error {
	entries := []entryView{}
	err := a.db.Entries(ctx, filter, func(e state.Entry) error {
		entries = append(entries, viewEntry(e))
		return nil
	})
	if err != nil {
		return err
	}
	return a.printJSON(entries)
}

func (a *app) writeEntries(ctx context.Context, filter state.EntryFilter, withRun bool) error {
	n := 0
	err := a.db.Entries(ctx, filter, func(e state.Entry) error {
		n++
		var o plan.Operation
		if err := json.Unmarshal(e.Operation, &o); err != nil {
			return fmt.Errorf("entry %d of run %s cannot be read: %w", e.Seq, e.Run, err)
		}
		result := string(e.Result)
		if result == "" {
			result = "no outcome yet"
		}
		prefix := ""
		if withRun {
			prefix = e.Run + "  "
		}
		fmt.Fprintf(a.out, "  %s%s  %s %s: %s", prefix, e.IntentAt.Local().Format(time.DateTime), e.Side, plan.Clean(e.Account), plan.Clean(o.Describe()))
		if detail := o.Detail(); detail != "" {
			fmt.Fprintf(a.out, ": %s", plan.Clean(detail))
		}
		fmt.Fprintf(a.out, " (%s) - %s", plan.Clean(o.Reason), result)
		if e.Message != "" {
			fmt.Fprintf(a.out, ": %s", plan.Clean(e.Message))
		}
		fmt.Fprintln(a.out)
		return nil
	})
	if err == nil && n == 0 {
		fmt.Fprintln(a.out, "  nothing was written")
	}
	return err
}
