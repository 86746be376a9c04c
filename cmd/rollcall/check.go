package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/rollcall-sync/rollcall/sync/directory"
	"github.com/rollcall-sync/rollcall/sync/plan"
)

func newCheckCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "check",
		Short: "Check configuration, connections, permissions and what each side can do",
		Long: "Contacts every configured directory, writes to none, and says what would fail before it does. A state file of an older\n" +
			"version is upgraded. The exit code tells the worst that was found.",
		Args: arguments(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error { return runCheck(cmd.Context(), a) },
	}
}

// checkResult is what `check --json` prints.
type checkResult struct {
	Configuration []string            `json:"configuration"`
	Warnings      []string            `json:"warnings"`
	State         []directory.Finding `json:"state"`
	Directories   []directoryCheck    `json:"directories"`
	Syncs         []syncCheck         `json:"syncs"`
}

type directoryCheck struct {
	Name     string              `json:"name"`
	Type     string              `json:"type"`
	Powers   []string            `json:"powers"`
	Findings []directory.Finding `json:"findings"`
}

type syncCheck struct {
	Name     string              `json:"name"`
	Findings []directory.Finding `json:"findings"`
}

// checker looks at everything and gathers what it finds. Trouble in one place is a finding and does not hide another.
type checker struct {
	app *app
	// counts are the directories' own numbers of accounts, where they tell them.
	counts map[string]int
	// groups are the groups of the directories that the rules need them of; nil where they could not be read.
	groups map[string][]directory.Group
}

func runCheck(ctx context.Context, a *app) error {
	if err := a.load(false); err != nil {
		return err
	}
	c := &checker{app: a, counts: make(map[string]int), groups: make(map[string][]directory.Group)}
	result := checkResult{
		Configuration: a.config.Files, Warnings: []string{}, State: c.state(ctx), Directories: []directoryCheck{}, Syncs: []syncCheck{},
	}
	for _, warning := range a.config.Warnings {
		result.Warnings = append(result.Warnings, warning.String())
	}
	for _, configured := range a.config.Directories {
		result.Directories = append(result.Directories, c.directory(ctx, configured))
	}
	for _, sync := range a.config.Syncs {
		result.Syncs = append(result.Syncs, syncCheck{sync.Name, c.sync(ctx, sync)})
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if a.json {
		return a.printJSON(result)
	}
	a.writeCheck(result)
	return nil
}

// findings is a list under construction.
type findings struct {
	app  *app
	list []directory.Finding
}

func (f *findings) ok(subject, format string, args ...any) {
	f.list = append(f.list, directory.Finding{Level: directory.LevelOK, Subject: subject, Message: fmt.Sprintf(format, args...)})
}

func (f *findings) warn(subject, remedy, format string, args ...any) {
	f.list = append(f.list, directory.Finding{Level: directory.LevelWarning, Subject: subject, Message: fmt.Sprintf(format, args...), Remedy: remedy})
}

// wrong adds a fault of the configuration.
func (f *findings) wrong(subject, remedy, format string, args ...any) {
	f.list = append(f.list, directory.Finding{Level: directory.LevelError, Subject: subject, Message: fmt.Sprintf(format, args...), Remedy: remedy})
	f.app.code = worse(f.app.code, exitConfiguration)
}

// failed adds an error of a call.
func (f *findings) failed(subject string, err error) {
	f.list = append(f.list, directory.Finding{Level: directory.LevelError, Subject: subject, Message: err.Error()})
	f.app.code = worse(f.app.code, codeOf(err))
}

func (a *app) writeCheck(r checkResult) {
	fmt.Fprintf(a.out, "configuration: %s\n", strings.Join(r.Configuration, ", "))
	for _, warning := range r.Warnings {
		fmt.Fprintf(a.out, "  %s %s\n", a.padded("warning", findingWidth), plan.Clean(warning))
	}
	fmt.Fprintln(a.out)
	a.writeFindings(r.State)
	for _, d := range r.Directories {
		can := ""
		if len(d.Powers) > 0 {
			can = ": can " + strings.Join(d.Powers, ", ")
		}
		fmt.Fprintf(a.out, "\n%s (%s)%s\n", d.Name, d.Type, can)
		a.writeFindings(d.Findings)
	}
	for _, s := range r.Syncs {
		fmt.Fprintf(a.out, "\nsync %s\n", s.Name)
		a.writeFindings(s.Findings)
	}
}

const findingWidth = len("warning")

func (a *app) writeFindings(findings []directory.Finding) {
	for _, f := range findings {
		fmt.Fprintf(a.out, "  %s %s: %s\n", a.padded(string(f.Level), findingWidth), f.Subject, plan.Clean(f.Message))
		if f.Remedy != "" && f.Level != directory.LevelOK && !strings.Contains(f.Message, f.Remedy) {
			fmt.Fprintf(a.out, "  %s %s\n", strings.Repeat(" ", findingWidth), plan.Clean(f.Remedy))
		}
	}
}
