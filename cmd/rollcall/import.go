package main

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/rollcall-sync/rollcall/sync/engine"
)

func newImportCommand(a *app) *cobra.Command {
	var o syncOptions
	var failures string
	cmd := &cobra.Command{
		Use:   "import SYNC",
		Short: "The first load: a sync with progress, and a file of what failed and why",
		Long: "Does what `rollcall sync` does, and shows progress, rate and the time left. It can be interrupted at any time; run again,\n" +
			"it goes on where it stopped. What failed goes into a CSV file; correct it at the source and run again.",
		Args: arguments(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			return runImport(cmd.Context(), a, o, args[0], failures)
		},
	}
	o.flags(cmd)
	cmd.Flags().StringVar(&failures, "failures", "", "CSV file for what failed; default beside the state file")
	return cmd
}

func runImport(ctx context.Context, a *app, o syncOptions, name, path string) error {
	if err := a.open(ctx, false); err != nil {
		return err
	}
	syncs, err := a.syncs([]string{name})
	if err != nil {
		return err
	}
	report, err := a.syncOne(ctx, syncs[0], o, "import")
	if report == nil {
		return err
	}
	if path == "" {
		path = fmt.Sprintf("%s-%s-failures.csv", a.config.State, name)
	}
	if writing := a.writeFailures(path, report); err == nil {
		err = writing
	}
	if report.Status == engine.StatusInterrupted && err == nil {
		fmt.Fprintln(a.err, "run the same command again to go on")
	}
	return err
}

// writeFailures writes what failed, for the eyes of this user alone; with no failures, an old file is removed.
func (a *app) writeFailures(path string, r *engine.Report) error {
	if len(r.Failures) == 0 {
		if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
		return nil
	}
	file, err := os.OpenFile(path, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("the list of failures cannot be written: %w", err)
	}
	out := csv.NewWriter(file)
	rows := [][]string{{"account", "id", "operation", "kind", "message"}}
	for _, f := range r.Failures {
		rows = append(rows, []string{f.Account, f.ID, string(f.Operation), f.KindName, f.Message})
	}
	err = errors.Join(out.WriteAll(rows), file.Close())
	if err == nil {
		fmt.Fprintf(a.err, "%d failures are listed in %s\n", len(r.Failures), path)
	}
	return err
}
