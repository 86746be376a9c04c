package plan

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/rollcall-sync/rollcall/sync/directory"
)

// Describe says in a few words what an operation does: "update email, title", "join editor".
func (o Operation) Describe() string {
	switch o.Action {
	case GroupAdd:
		return "join " + o.GroupName
	case GroupRemove:
		return "leave " + o.GroupName
	case CreateGroup:
		return "create group " + o.GroupName
	case Update:
		names := make([]string, 0, len(o.Changes))
		for _, change := range o.Changes {
			names = append(names, change.Attribute)
		}
		return "update " + strings.Join(names, ", ")
	default:
		return string(o.Action)
	}
}

// Detail shows what changes: `email "a@example.com" → "b@example.com"`.
func (o Operation) Detail() string {
	parts := make([]string, 0, len(o.Changes))
	for _, change := range o.Changes {
		if o.Action == Create {
			parts = append(parts, fmt.Sprintf("%s %s", change.Attribute, quoted(change.After)))
			continue
		}
		parts = append(parts, fmt.Sprintf("%s %s → %s", change.Attribute, quoted(change.Before), quoted(change.After)))
	}
	return strings.Join(parts, ", ")
}

func quoted(v directory.Value) string { return fmt.Sprintf("%q", v.String()) }

// WriteTable prints the operations for people, at most the given number (0 for all), and says how many more there are.
func (p *Plan) WriteTable(out io.Writer, most int) error {
	table := tabwriter.NewWriter(out, 0, 4, 2, ' ', 0)
	fmt.Fprintln(table, "SIDE\tACTION\tACCOUNT\tCHANGES\tWHY")
	shown := p.Operations.Len()
	if most > 0 {
		shown = min(shown, most)
	}
	for i := range shown {
		o, err := p.Operations.At(i)
		if err != nil {
			return err
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\n", o.Side, Clean(o.verb()), Clean(o.Account), Clean(o.what()), Clean(o.Reason))
	}
	if err := table.Flush(); err != nil {
		return err
	}
	if more := p.Operations.Len() - shown; more > 0 {
		_, err := fmt.Fprintf(out, "… and %d more operations\n", more)
		return err
	}
	return nil
}

func (o Operation) verb() string { return strings.ReplaceAll(string(o.Action), "_", " ") }

func (o Operation) what() string {
	switch {
	case o.Action == CreateGroup: // the name stands under ACCOUNT
		return ""
	case o.GroupName != "":
		return o.GroupName
	case o.Action == Create:
		return o.essence()
	default:
		return o.Detail()
	}
}

// mostGroups are named in the row of a new account.
const mostGroups = 5

// essence is what of a new account tells whether it is the right one with the right access: its e-mail and its groups.
func (o Operation) essence() string {
	var parts []string
	for _, change := range o.Changes {
		if change.Attribute == directory.Email {
			parts = append(parts, "email "+quoted(change.After))
		}
	}
	groups := slices.Concat(o.GroupNames, o.NewGroups)
	slices.Sort(groups)
	if more := len(groups) - mostGroups; more > 0 {
		groups = append(groups[:mostGroups:mostGroups], fmt.Sprintf("%d more", more))
	}
	if len(groups) > 0 {
		parts = append(parts, "in "+strings.Join(groups, ", "))
	}
	return strings.Join(parts, ", ")
}

// Clean keeps control characters of a name from reaching the terminal.
func Clean(s string) string {
	return strings.Map(func(r rune) rune {
		if r < 0x20 || r == 0x7f || (r >= 0x80 && r < 0xa0) {
			return '�'
		}
		return r
	}, s)
}
