package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/viper"
)

// execute runs one command line and returns the exit code.
func execute(ctx context.Context, a *app) int {
	a.err = newConsole(a.err)
	root := newRootCommand(a)
	root.SetArgs(a.args)
	root.SetIn(a.in)
	root.SetOut(a.out)
	root.SetErr(a.err)
	err := root.ExecuteContext(ctx)
	if closing := a.close(); err == nil {
		err = closing
	}
	if err == nil {
		return a.code
	}
	fmt.Fprintf(a.err, "rollcall: %s\n", message(err))
	return codeOf(err)
}

// message words an error for people.
func message(err error) string {
	if errors.Is(err, context.Canceled) {
		return "ended from outside; nothing is half done"
	}
	return err.Error()
}

// oneDocumentEach says what a program can rely on that reads the output of a command over several syncs.
const oneDocumentEach = "With --json there is one JSON document for each sync, in the order of the configuration, one after the other on the standard\n" +
	"output (a stream as jq reads it; each begins on a line of its own and names its sync). A sync of which nothing could be begun\n" +
	"has no document: the standard error says why, and so does the exit code."

func newRootCommand(a *app) *cobra.Command {
	a.viper = viper.New()
	a.noColor = os.Getenv("NO_COLOR") != ""
	root := &cobra.Command{
		Use:   "rollcall",
		Short: "Keeps the users of a website in step with an identity provider",
		Long: "Rollcall compares who is in the identity provider with who is in the website, and makes the two agree:\n" +
			"every night or at once, both ways, and never without saying what it will do.",
		SilenceUsage: true, SilenceErrors: true,
		Args: unknownCommand,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return usageError{fmt.Errorf("%w; `%s --help` lists the flags", err, cmd.CommandPath())}
	})
	flags := root.PersistentFlags()
	flags.StringArrayVarP(&a.configPaths, "config", "c", nil, "configuration file or folder (repeatable); without it rollcall.yaml is looked for")
	flags.BoolVar(&a.json, "json", false, "print data as JSON; of several syncs one document after the other")
	flags.BoolVar(&a.noColor, "no-color", a.noColor, "no colours, as with NO_COLOR")
	flags.StringVar(&a.traceFile, "trace", "", "append all requests and answers to this file, secrets blanked")
	flags.StringVar(&a.statePath, "state", "", "state file; wins over the configuration")
	flags.String("log-level", "", "debug, info, warn or error")
	flags.String("log-format", "", "text or json")
	for name, flag := range map[string]string{"state": "state", "log.level": "log-level", "log.format": "log-format"} {
		if err := a.viper.BindPFlag(name, flags.Lookup(flag)); err != nil {
			panic(err) // the flag is defined above
		}
	}
	root.AddCommand(
		newCheckCommand(a), newPlanCommand(a), newSyncCommand(a), newImportCommand(a), newExplainCommand(a), newLinkCommand(a), newUnlinkCommand(a),
		newHistoryCommand(a), newServeCommand(a), newInitCommand(a), newDirectoriesCommand(a), newSchemaCommand(a), newVersionCommand(a), newExitCodesTopic(),
	)
	return root
}

// unknownCommand refuses words after the program's name that are no command.
func unknownCommand(root *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	remedy := "`rollcall --help` lists the commands"
	if root.SuggestionsMinimumDistance == 0 {
		root.SuggestionsMinimumDistance = 2
	}
	if near := root.SuggestionsFor(args[0]); len(near) > 0 {
		remedy = "did you mean " + strings.Join(near, " or ") + "?"
	}
	return usageError{fmt.Errorf("there is no command %q; %s", args[0], remedy)}
}

// arguments wraps an argument check so that its error is a usage error.
func arguments(check cobra.PositionalArgs) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if err := check(cmd, args); err != nil {
			return usageError{errors.New(err.Error() + "; usage: " + cmd.UseLine())}
		}
		return nil
	}
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
