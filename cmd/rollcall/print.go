package main

import (
	"encoding/json"
	"os"

	"github.com/mattn/go-isatty"
)

// printJSON writes data for machines.
func (a *app) printJSON(data any) error {
	encoder := json.NewEncoder(a.out)
	encoder.SetIndent("", "  ")
	encoder.SetEscapeHTML(false)
	return encoder.Encode(data)
}

// isTerminal reports whether a stream is a terminal.
func isTerminal(stream any) bool {
	file, ok := stream.(*os.File)
	return ok && isatty.IsTerminal(file.Fd())
}

// colour pads a status word and colours it on a terminal.
func (a *app) colour(word string) string {
	codes := map[string]string{
		"ok": "32", "nothing": "32", "warning": "33", "partial": "33", "withheld": "33", "error": "31", "failed": "31", "refused": "31", "interrupted": "33",
	}
	padded := word
	for len(padded) < 7 {
		padded += " "
	}
	if a.noColor || codes[word] == "" || !isTerminal(a.out) {
		return padded
	}
	return "\x1b[" + codes[word] + "m" + padded + "\x1b[0m"
}
