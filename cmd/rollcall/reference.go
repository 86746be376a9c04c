package main

import (
	"fmt"
	"runtime"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/rollcall-sync/rollcall/config"
	"github.com/rollcall-sync/rollcall/sync/directory"
)

func newDirectoriesCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "directories [TYPE]",
		Short: "The kinds of directories, with their options and attributes",
		Args:  arguments(cobra.MaximumNArgs(1)),
		RunE: func(_ *cobra.Command, args []string) error {
			all := types()
			if len(args) == 0 {
				return a.listTypes(all)
			}
			for _, t := range all {
				if t.Name == args[0] {
					return a.describeType(t)
				}
			}
			return usageError{fmt.Errorf("no kind of directory is called %q; `rollcall directories` lists them", args[0])}
		},
	}
}

// typeView is what `directories --json` prints.
type typeView struct {
	Type       string          `json:"type"`
	Title      string          `json:"title"`
	Summary    string          `json:"summary"`
	Options    []optionView    `json:"options"`
	Attributes []attributeView `json:"attributes"`
}

type optionView struct {
	Name     string   `json:"name"`
	Type     string   `json:"type"`
	Required bool     `json:"required"`
	Default  string   `json:"default,omitempty"`
	Choices  []string `json:"choices,omitempty"`
	Doc      string   `json:"doc"`
}

type attributeView struct {
	Name     string `json:"name"`
	Writable string `json:"writable"`
	Required bool   `json:"required"`
	Unique   bool   `json:"unique"`
	Doc      string `json:"doc,omitempty"`
}

func viewType(t directory.Type) typeView {
	v := typeView{Type: t.Name, Title: t.Title, Summary: t.Summary, Options: []optionView{}, Attributes: []attributeView{}}
	for _, o := range t.Options {
		v.Options = append(v.Options, optionView{o.Name, string(o.Type), o.Required, o.Default, o.Choices, o.Doc})
	}
	for _, s := range t.Attributes {
		writable := "no"
		switch {
		case s.CreateOnly:
			writable = "when created"
		case s.Writable:
			writable = "yes"
		}
		v.Attributes = append(v.Attributes, attributeView{s.Name, writable, s.Required, s.Unique, s.Doc})
	}
	return v
}

func (a *app) listTypes(all []directory.Type) error {
	if a.json {
		views := make([]typeView, 0, len(all))
		for _, t := range all {
			views = append(views, viewType(t))
		}
		return a.printJSON(views)
	}
	table := tabwriter.NewWriter(a.out, 0, 4, 2, ' ', 0)
	fmt.Fprintln(table, "TYPE\tPRODUCT\tWHAT")
	for _, t := range all {
		fmt.Fprintf(table, "%s\t%s\t%s\n", t.Name, t.Title, t.Summary)
	}
	return table.Flush()
}

func (a *app) describeType(t directory.Type) error {
	v := viewType(t)
	if a.json {
		return a.printJSON(v)
	}
	fmt.Fprintf(a.out, "%s (%s): %s\n\n", v.Type, v.Title, v.Summary)
	table := tabwriter.NewWriter(a.out, 0, 4, 2, ' ', 0)
	fmt.Fprintln(table, "OPTION\tVALUE\tDEFAULT\tMEANING")
	for _, o := range v.Options {
		value, standard := o.Type, o.Default
		if len(o.Choices) > 0 {
			value = strings.Join(o.Choices, "|")
		}
		if o.Required {
			standard = "(required)"
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\n", o.Name, value, standard, o.Doc)
	}
	if len(v.Attributes) > 0 {
		fmt.Fprintln(table, "\nATTRIBUTE\tWRITABLE\t\tMEANING")
	}
	for _, s := range v.Attributes {
		var marks []string
		if s.Required {
			marks = append(marks, "required")
		}
		if s.Unique {
			marks = append(marks, "unique")
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\n", s.Name, s.Writable, strings.Join(marks, ", "), s.Doc)
	}
	return table.Flush()
}

func newSchemaCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "schema",
		Short: "JSON Schema of the configuration, for editors",
		Args:  arguments(cobra.NoArgs),
		RunE: func(*cobra.Command, []string) error {
			data, err := config.Schema(types())
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(a.out, "%s\n", data)
			return err
		},
	}
}

func newVersionCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Version of this binary",
		Args:  arguments(cobra.NoArgs),
		RunE: func(*cobra.Command, []string) error {
			if a.json {
				return a.printJSON(map[string]string{"version": version, "go": runtime.Version(), "platform": runtime.GOOS + "/" + runtime.GOARCH})
			}
			_, err := fmt.Fprintf(a.out, "rollcall %s (%s, %s/%s)\n", version, runtime.Version(), runtime.GOOS, runtime.GOARCH)
			return err
		},
	}
}
