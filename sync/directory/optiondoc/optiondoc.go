// Package optiondoc writes the options table of a directory type's README from the one place where options are declared.
package optiondoc

import (
	"fmt"
	"strings"

	"github.com/rollcall-sync/rollcall/sync/directory"
)

// Table returns the options of t as a Markdown table, in the order of their declaration, with a line feed at the end.
func Table(t directory.Type) string {
	var b strings.Builder
	b.WriteString("| Option | Type | Default | Meaning |\n|---|---|---|---|\n")
	for _, option := range t.Options {
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", option.Name, form(option), preset(option), meaning(option))
	}
	return b.String()
}

func form(o directory.Option) string {
	if o.Type != directory.OptionChoice {
		return string(o.Type)
	}
	choices := make([]string, len(o.Choices))
	for i, choice := range o.Choices {
		choices[i] = "`" + choice + "`"
	}
	return strings.Join(choices, ", ")
}

func preset(o directory.Option) string {
	switch {
	case o.Required:
		return "**required**"
	case o.Default == "":
		return ""
	default:
		return "`" + cell(o.Default) + "`"
	}
}

func meaning(o directory.Option) string {
	text := cell(o.Doc)
	if o.Example != "" {
		text += " Example: `" + cell(o.Example) + "`"
	}
	return text
}

// cell keeps a text from breaking the table.
func cell(text string) string {
	return strings.NewReplacer("|", `\|`, "\r\n", " ", "\n", " ").Replace(strings.TrimSpace(text))
}
