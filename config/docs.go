package config

import (
	"fmt"
	"strings"
)

// KeyTable returns all keys as a Markdown table, in the order of their declaration. README.md holds it, and a test compares.
func KeyTable() string {
	l := &loader{config: defaults()}
	var b strings.Builder
	b.WriteString("| Key | Takes | Default | Meaning |\n|---|---|---|---|\n")
	writeKeys(&b, "", l.topKeys())
	return b.String()
}

func writeKeys(b *strings.Builder, path string, keys []key) {
	for _, k := range keys {
		s := k.value.shape()
		initial := ""
		switch {
		case k.required:
			initial = "**required**"
		case s.initial != "":
			initial = "`" + s.initial + "`"
		}
		name := join(path, k.name)
		fmt.Fprintf(b, "| `%s` | %s | %s | %s |\n", name, s.form, initial, strings.ReplaceAll(k.doc, "|", `\|`))
		if s.entry != "" {
			name = join(name, s.entry)
		}
		writeKeys(b, name, s.keys)
	}
}
