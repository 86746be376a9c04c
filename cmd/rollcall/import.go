package main

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/rollcall-sync/rollcall/sync/apply"
	"github.com/rollcall-sync/rollcall/sync/engine"
)

func newImportCommand(a *app) *cobra.Command {
	o := syncOptions{lines: true}
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
		ValidArgsFunction: a.completeFirst,
	}
	o.flags(cmd)
	cmd.Flags().StringVar(&failures, "failures", "", "CSV file for what failed; without it STATE-SYNC-failures.csv beside the state file")
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
	if err := checkTrust(o.extent, syncs); err != nil {
		return err
	}
	report := a.syncOne(ctx, syncs[0], o, "import")
	if report == nil {
		return nil
	}
	if path == "" {
		path = fmt.Sprintf("%s-%s-failures.csv", a.config.State, name)
	}
	switch report.Status {
	case engine.StatusInterrupted:
		fmt.Fprintln(a.err, "run the same command again to go on where it stopped")
	case engine.StatusFailed, engine.StatusRefused: // the failures of an earlier import are as true as before
		if len(report.Failures) == 0 {
			return nil
		}
	}
	return a.fileFailures(path, report)
}

// failureColumns are the header of the file of failures.
var failureColumns = []string{"account", "id", "operation", "kind", "message"}

// fileFailures writes what failed, for the eyes of this user alone. When nothing did, the file of an earlier import goes.
func (a *app) fileFailures(path string, r *engine.Report) error {
	if len(r.Failures) == 0 {
		return removeFailures(path)
	}
	if err := writeFailures(path, r.Failures); err != nil {
		return fmt.Errorf("the list of failures cannot be written: %w", err)
	}
	if len(r.Failures) == 1 {
		fmt.Fprintf(a.err, "1 failure is listed in %s\n", path)
		return nil
	}
	fmt.Fprintf(a.err, "%d failures are listed in %s\n", len(r.Failures), path)
	return nil
}

// removeFailures removes a file of failures, and no other file.
func removeFailures(path string) error {
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) || (err == nil && !strings.HasPrefix(string(data), strings.Join(failureColumns, ",")+"\n")) {
		return nil
	}
	return errors.Join(err, os.Remove(path))
}

// writeFailures replaces the file as a whole, so that it is never half written and never readable by others.
func writeFailures(path string, failures []apply.Failure) error {
	file, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-*") // 0600
	if err != nil {
		return err
	}
	defer os.Remove(file.Name()) //nolint:errcheck // it has been renamed
	rows := [][]string{failureColumns}
	for _, f := range failures {
		rows = append(rows, []string{cell(f.Account), cell(f.ID), cell(string(f.Operation)), cell(f.KindName), cell(f.Message)})
	}
	if err := errors.Join(csv.NewWriter(file).WriteAll(rows), file.Close()); err != nil {
		return err
	}
	return os.Rename(file.Name(), path)
}

// cell keeps a spreadsheet from taking a name for a formula.
func cell(text string) string {
	if text != "" && strings.ContainsRune("=+-@\t\r", rune(text[0])) {
		return "'" + text
	}
	return text
}
