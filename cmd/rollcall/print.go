package main

import (
	"encoding/json"
	"io"
	"os"
	"strings"
	"sync"

	"github.com/mattn/go-isatty"
	"golang.org/x/term"
)

// printJSON writes data for machines.
func (a *app) printJSON(data any) error {
	encoder := json.NewEncoder(a.out)
	encoder.SetIndent("", "  ")
	encoder.SetEscapeHTML(false)
	return encoder.Encode(data)
}

// console is the error stream. While bars are shown, what is written goes above them instead of through them.
type console struct {
	mu   sync.Mutex
	out  io.Writer
	bars io.Writer
}

// newConsole wraps a stream once.
func newConsole(out io.Writer) *console {
	if c, ok := out.(*console); ok {
		return c
	}
	return &console{out: out}
}

// Write is safe for concurrent use.
func (c *console) Write(text []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.bars != nil {
		if n, err := c.bars.Write(text); err == nil {
			return n, nil
		}
	}
	return c.out.Write(text)
}

// above sends what is written from now on to the writer of the bars; nil sends it straight to the stream again.
func (c *console) above(bars io.Writer) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.bars = bars
}

// isTerminal reports whether a stream is a terminal.
func isTerminal(stream any) bool {
	if c, ok := stream.(*console); ok {
		stream = c.out
	}
	file, ok := stream.(*os.File)
	return ok && isatty.IsTerminal(file.Fd())
}

// widthOf returns how many columns a terminal has; 0 for anything else, where lines may be as long as they like.
func widthOf(stream any) int {
	if !isTerminal(stream) {
		return 0
	}
	if c, ok := stream.(*console); ok {
		stream = c.out
	}
	file, ok := stream.(*os.File)
	if !ok {
		return 0
	}
	width, _, err := term.GetSize(int(file.Fd()))
	if err != nil {
		return 0
	}
	return width
}

// colours of the status words.
var colours = map[string]string{
	"ok": "32", "nothing": "32", "warning": "33", "partial": "33", "withheld": "33", "interrupted": "33", "error": "31", "failed": "31",
	"refused": "31", "WITHHELD": "33", "REFUSED": "31",
}

// colour colours a status word on a terminal.
func (a *app) colour(word string) string {
	code := colours[word]
	if a.noColor || code == "" || !isTerminal(a.out) {
		return word
	}
	return "\x1b[" + code + "m" + word + "\x1b[0m"
}

// padded is colour with spaces after the word, up to a width.
func (a *app) padded(word string, width int) string {
	return a.colour(word) + strings.Repeat(" ", max(0, width-len(word)))
}
