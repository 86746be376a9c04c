package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/rollcall-sync/rollcall/sync/diff"
	"github.com/rollcall-sync/rollcall/sync/directory"
	"github.com/rollcall-sync/rollcall/sync/mapping"
	"github.com/rollcall-sync/rollcall/sync/rules"
)

func newCheckCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "check",
		Short: "Check configuration, connections, permissions and what each side can do",
		Long:  "Contacts every directory that a sync uses, writes nothing, and says what would fail before it does.",
		Args:  arguments(cobra.NoArgs),
		RunE:  func(cmd *cobra.Command, _ []string) error { return runCheck(cmd.Context(), a) },
	}
}

// checkResult is what `check --json` prints.
type checkResult struct {
	Configuration []string         `json:"configuration"`
	Warnings      []string         `json:"warnings"`
	Directories   []directoryCheck `json:"directories"`
	Syncs         []syncCheck      `json:"syncs"`
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

func runCheck(ctx context.Context, a *app) error {
	if err := a.load(false); err != nil {
		return err
	}
	result := checkResult{Configuration: a.config.Files, Warnings: []string{}, Directories: []directoryCheck{}, Syncs: []syncCheck{}}
	for _, warning := range a.config.Warnings {
		result.Warnings = append(result.Warnings, warning.String())
	}
	for _, configured := range a.config.Directories {
		checked := directoryCheck{Name: configured.Name, Type: configured.Type.Name, Powers: []string{}}
		d, err := a.directory(configured.Name)
		if err != nil {
			return err
		}
		checked.Powers = powers(d)
		checked.Findings = a.checkDirectory(ctx, d)
		result.Directories = append(result.Directories, checked)
	}
	for _, sync := range a.config.Syncs {
		findings, err := a.checkSync(sync)
		if err != nil {
			return err
		}
		result.Syncs = append(result.Syncs, syncCheck{sync.Name, findings})
	}
	if a.json {
		return a.printJSON(result)
	}
	a.writeCheck(a.out, result)
	return nil
}

// checkDirectory asks one directory about itself. Errors become findings, so that one directory's trouble does not hide
// another's; the exit code tells the worst.
func (a *app) checkDirectory(ctx context.Context, d directory.Directory) []directory.Finding {
	request := directory.CheckRequest{}
	for _, sync := range a.config.Syncs {
		read, written, writes := a.uses(sync, d)
		request.Attributes = append(request.Attributes, slices.Concat(read, written)...)
		request.Write = request.Write || writes
	}
	slices.Sort(request.Attributes)
	request.Attributes = slices.Compact(request.Attributes)
	var findings []directory.Finding
	fail := func(subject string, err error) {
		findings = append(findings, directory.Finding{Level: directory.LevelError, Subject: subject, Message: err.Error(), Remedy: remedyOf(err)})
		a.code = worse(a.code, codeOf(err))
	}
	if checker, ok := d.(directory.Checker); ok {
		found, err := checker.Check(ctx, request)
		findings = append(findings, found...)
		if err != nil {
			fail("connection", err)
			return findings
		}
	}
	for _, finding := range findings {
		if finding.Level == directory.LevelError {
			a.code = worse(a.code, exitFailed)
		}
	}
	if counter, ok := d.(directory.Counter); ok {
		n, err := counter.CountAccounts(ctx)
		switch {
		case errors.Is(err, directory.Unsupported):
		case err != nil:
			fail("count", err)
		default:
			findings = append(findings, directory.Finding{Level: directory.LevelOK, Subject: "count", Message: fmt.Sprintf("%d accounts by the directory's own count, which each listing must agree with", n)})
		}
	}
	return findings
}

func remedyOf(err error) string {
	var typed *directory.Error
	if errors.As(err, &typed) {
		return typed.Remedy
	}
	return ""
}

// uses says which attributes of a directory a sync reads and writes, and whether it writes at all.
func (a *app) uses(sync rules.Sync, d directory.Directory) (read, written []string, writes bool) {
	name := d.Describe().Name
	m, err := a.mapping(sync)
	if err != nil {
		return nil, nil, false
	}
	if sync.Source == name {
		read = append(read, m.SourceAttributes()...)
		for _, rule := range m.Rules().Attributes {
			if rule.Direction == rules.ToSource || rule.Direction == rules.Both {
				written = append(written, rule.To)
			}
		}
		back := sync.Writeback
		writes = writes || back.Create || back.Deactivate || back.Groups || (back.Update && len(written) > 0)
	}
	if sync.Target == name {
		read = append(read, m.TargetAttributes()...)
		for _, rule := range m.Rules().Attributes {
			if rule.Direction != rules.ToSource {
				written = append(written, rule.Target)
			}
		}
		writes = true
	}
	return read, written, writes
}

// mapping compiles the rules of a sync with the defaults that a run would use.
func (a *app) mapping(sync rules.Sync) (*mapping.Mapping, error) {
	source, err := a.directory(sync.Source)
	if err != nil {
		return nil, err
	}
	target, err := a.directory(sync.Target)
	if err != nil {
		return nil, err
	}
	if sync.Attributes == nil {
		sync.Attributes = mapping.DefaultAttributes(source.Describe(), target.Describe())
	}
	m, faults := mapping.Compile(sync)
	if len(faults) > 0 {
		return nil, fmt.Errorf("sync %s: %s", sync.Name, faults[0])
	}
	return m, nil
}

// checkSync says what the rules want and a side cannot give.
func (a *app) checkSync(sync rules.Sync) ([]directory.Finding, error) {
	m, err := a.mapping(sync)
	if err != nil {
		return nil, err
	}
	source, target := a.opened[sync.Source], a.opened[sync.Target]
	var findings []directory.Finding
	add := func(level directory.Level, subject, message, remedy string) {
		findings = append(findings, directory.Finding{Level: level, Subject: subject, Message: message, Remedy: remedy})
		if level == directory.LevelError {
			a.code = worse(a.code, exitConfiguration)
		}
	}
	for _, failure := range m.RunExamples() {
		add(directory.LevelError, "examples", fmt.Sprintf("line %d: %s", failure.Line, failure.Message), "correct the rule or the example")
	}
	for _, rule := range m.Rules().Attributes {
		spec, known := target.Describe().Attribute(rule.Target)
		if rule.Direction != rules.ToSource && (!known || !spec.Writable) {
			add(directory.LevelError, rule.Target, fmt.Sprintf("%s cannot be written in %s", rule.Target, sync.Target), "leave the rule out; `rollcall directories "+target.Describe().Type+"` lists what can be written")
		}
		if rule.Direction == rules.ToSource || rule.Direction == rules.Both {
			if spec, known := source.Describe().Attribute(rule.To); !known || !spec.Writable {
				add(directory.LevelError, rule.To, fmt.Sprintf("%s cannot be written back in %s", rule.To, sync.Source), "use direction: to_target")
			}
		}
	}
	for _, lack := range lacks(sync, diff.PowersOf(source), diff.PowersOf(target)) {
		add(directory.LevelWarning, "unsupported", lack, "switch it off, so that the plan does not mention it every night")
	}
	if len(sync.Groups) > 0 {
		if _, ok := target.(directory.GroupLister); !ok {
			add(directory.LevelError, "groups", sync.Target+" has no groups", "leave the group rules out")
		}
	}
	for _, notice := range target.Describe().Notices {
		add(directory.LevelWarning, "mails", fmt.Sprintf("on %s: %s", notice.On, notice.Text), "the plan counts these mails before they are sent")
	}
	if len(findings) == 0 {
		add(directory.LevelOK, "rules", fmt.Sprintf("%d attribute rules, %d group rules, %d examples passed", len(m.Rules().Attributes), len(sync.Groups), len(sync.Examples)), "")
	}
	return findings, nil
}

// lacks names what a sync is configured to do and a side cannot.
func lacks(sync rules.Sync, source, target diff.Powers) []string {
	var list []string
	want := func(wanted, can bool, side, what string) {
		if wanted && !can {
			list = append(list, side+" cannot "+what)
		}
	}
	want(sync.Actions.Create, target.Create, sync.Target, "create accounts")
	want(sync.Actions.Update, target.Update, sync.Target, "update accounts")
	want(sync.Actions.Deactivate || sync.Actions.Activate, target.Status, sync.Target, "deactivate and activate accounts")
	want(sync.Actions.Delete != rules.Never && sync.Actions.Delete != "", target.Delete, sync.Target, "delete accounts")
	want(len(sync.Groups) > 0, target.Groups, sync.Target, "change memberships")
	want(sync.GroupOptions.Create, target.CreateGroup, sync.Target, "create groups")
	want(sync.Writeback.Create, source.Create, sync.Source, "create accounts (writeback.create)")
	want(sync.Writeback.Deactivate, source.Status, sync.Source, "deactivate accounts (writeback.deactivate)")
	want(sync.Writeback.Groups, source.Groups, sync.Source, "change memberships (writeback.groups)")
	return list
}

// powers names what a directory can do, in the words of the contract.
func powers(d directory.Directory) []string {
	list := []string{"list"}
	add := func(ok bool, name string) {
		if ok {
			list = append(list, name)
		}
	}
	_, ok := d.(directory.Counter)
	add(ok, "count")
	_, ok = d.(directory.Getter)
	add(ok, "get")
	_, ok = d.(directory.Finder)
	add(ok, "find")
	_, ok = d.(directory.GroupLister)
	add(ok, "list groups")
	can := diff.PowersOf(d)
	add(can.Create, "create")
	_, ok = d.(directory.BulkCreator)
	add(ok, "create many")
	add(can.Update, "update")
	add(can.Status, "activate and deactivate")
	add(can.Delete, "delete")
	add(can.Groups, "change memberships")
	add(can.CreateGroup, "create groups")
	return list
}

func (a *app) writeCheck(out io.Writer, r checkResult) {
	fmt.Fprintf(out, "configuration: %s\n", strings.Join(r.Configuration, ", "))
	for _, warning := range r.Warnings {
		fmt.Fprintf(out, "  %s %s\n", a.colour("warning"), warning)
	}
	for _, d := range r.Directories {
		fmt.Fprintf(out, "\n%s (%s): can %s\n", d.Name, d.Type, strings.Join(d.Powers, ", "))
		a.writeFindings(out, d.Findings)
	}
	for _, s := range r.Syncs {
		fmt.Fprintf(out, "\nsync %s\n", s.Name)
		a.writeFindings(out, s.Findings)
	}
}

func (a *app) writeFindings(out io.Writer, findings []directory.Finding) {
	for _, f := range findings {
		fmt.Fprintf(out, "  %s %s: %s\n", a.colour(string(f.Level)), f.Subject, f.Message)
		if f.Remedy != "" && f.Level != directory.LevelOK && !strings.Contains(f.Message, f.Remedy) {
			fmt.Fprintf(out, "          %s\n", f.Remedy)
		}
	}
}
