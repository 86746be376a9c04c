package main

import (
	"strings"
	"unicode/utf8"
)

const (
	// columnGap parts two columns of a table.
	columnGap = 2
	// leastColumn is the narrowest that a wrapped column may become; on a terminal too narrow for that nothing is wrapped.
	leastColumn = 12
)

// fitTable wraps a table of aligned columns to a width. The last two columns, which hold sentences, are broken between words
// and go on in further lines below; the others stay as they are. Lines that are not rows (they begin with "…") stay too.
// Where the table fits, or nothing sensible can be done, it comes back unchanged.
//
//	SIDE    ACTION  ACCOUNT  CHANGES               WHY
//	target  update  anna     last_name "Alt" →     last_name differs,
//	                         "Neu"                 staff leads
func fitTable(table string, width int) string {
	lines := strings.Split(strings.TrimRight(table, "\n"), "\n")
	starts := columnStarts(lines[0])
	if width <= 0 || len(starts) < 2 {
		return table
	}
	first, second := len(starts)-2, len(starts)-1
	indent := starts[first]
	room := width - indent - columnGap
	rows := make([][]string, len(lines))
	var needFirst, needSecond, word int
	for i, line := range lines {
		if strings.HasPrefix(line, "…") {
			continue
		}
		rows[i] = cut(line, starts)
		needFirst = max(needFirst, utf8.RuneCountInString(rows[i][first]))
		needSecond = max(needSecond, utf8.RuneCountInString(rows[i][second]))
		word = max(word, longest(strings.Fields(rows[i][first])))
	}
	if needFirst+needSecond <= room || room < 2*leastColumn {
		return table
	}
	most, left := share(room, needFirst, needSecond, word), leastColumn
	for _, cells := range rows {
		if cells != nil {
			left = max(left, longest(wrap(cells[first], most)))
		}
	}
	var text strings.Builder
	for i, cells := range rows {
		if cells == nil {
			text.WriteString(lines[i] + "\n")
			continue
		}
		head := []rune(lines[i])
		head = head[:min(indent, len(head))]
		// What breaking left over in the first column goes to the second.
		writeWrapped(&text, string(head), indent, left, wrap(cells[first], left), wrap(cells[second], room-left))
	}
	return text.String()
}

// longest returns the length of the longest text.
func longest(texts []string) int {
	n := 0
	for _, text := range texts {
		n = max(n, utf8.RuneCountInString(text))
	}
	return n
}

// columnStarts returns where each column of a table begins, told by the words of its header.
func columnStarts(header string) []int {
	var starts []int
	space := true
	for i, r := range []rune(header) {
		if r != ' ' && space {
			starts = append(starts, i)
		}
		space = r == ' '
	}
	return starts
}

// cut parts one line of a table into its cells.
func cut(line string, starts []int) []string {
	runes := []rune(line)
	cells := make([]string, len(starts))
	for i, start := range starts {
		end := len(runes)
		if i+1 < len(starts) {
			end = min(end, starts[i+1])
		}
		if start < end {
			cells[i] = strings.TrimRight(string(runes[start:end]), " ")
		}
	}
	return cells
}

// share says how much of a room the first of two columns gets: what it needs, as far as the other has its half or does not
// need it; and more than that where a whole word of it, an address say, would be cut, down to a third for the other.
func share(room, needFirst, needSecond, word int) int {
	first := min(needFirst, max(room/2, room-needSecond))
	first = max(first, min(word, room-room/3))
	return min(max(first, leastColumn), room-leastColumn)
}

// wrap breaks a text into lines between words. A word that is longer than a line is cut; spaces within a line stay as many as
// they are, because two values may differ in nothing else.
func wrap(text string, width int) []string {
	var lines []string
	words := strings.Split(text, " ")
	line := words[0]
	for _, word := range words[1:] {
		if utf8.RuneCountInString(line)+1+utf8.RuneCountInString(word) <= width {
			line += " " + word
			continue
		}
		lines, line = append(lines, chop(line, width)...), word
	}
	return append(lines, chop(line, width)...)
}

// chop cuts a text into pieces of a length.
func chop(text string, width int) []string {
	var pieces []string
	runes := []rune(text)
	for len(runes) > width {
		pieces, runes = append(pieces, string(runes[:width])), runes[width:]
	}
	return append(pieces, string(runes))
}

// writeWrapped writes one row: its head once, the two wrapped cells beside each other.
func writeWrapped(out *strings.Builder, head string, indent, left int, first, second []string) {
	for i := range max(len(first), len(second)) {
		line := pad(head, indent)
		if i < len(first) {
			line += first[i]
		}
		if i < len(second) {
			line = pad(line, indent+left+columnGap) + second[i]
		}
		out.WriteString(strings.TrimRight(line, " ") + "\n")
		head = ""
	}
}

func pad(text string, width int) string {
	return text + strings.Repeat(" ", max(0, width-utf8.RuneCountInString(text)))
}
