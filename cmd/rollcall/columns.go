package main

import (
	"strings"
	"unicode"
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
	var rows [][]string
	needs := make([]int, len(starts))
	for _, line := range lines {
		if strings.HasPrefix(line, "…") {
			continue
		}
		cells := cut(line, starts)
		rows = append(rows, cells)
		for i, cell := range cells {
			needs[i] = max(needs[i], utf8.RuneCountInString(cell))
		}
	}
	last := len(starts) - 1
	indent := starts[last-1]
	room := width - indent - columnGap
	if needs[last-1]+needs[last] <= room || room < 2*leastColumn {
		return table
	}
	whole := 0
	for _, cells := range rows {
		for word := range strings.FieldsSeq(cells[last-1]) {
			whole = max(whole, utf8.RuneCountInString(word))
		}
	}
	left := share(room, needs[last-1], needs[last], whole)
	used := leastColumn
	for _, cells := range rows {
		for _, line := range wrap(cells[last-1], left) {
			used = max(used, utf8.RuneCountInString(line))
		}
	}
	left, right := used, room-used // what breaking left over goes to the other column
	var text strings.Builder
	for _, line := range lines {
		if strings.HasPrefix(line, "…") {
			text.WriteString(line + "\n")
			continue
		}
		cells := rows[0]
		rows = rows[1:]
		writeWrapped(&text, strings.TrimRight(string([]rune(line)[:min(indent, utf8.RuneCountInString(line))]), " "), indent, left,
			wrap(cells[last-1], left), wrap(cells[last], right))
	}
	return text.String()
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

// wrap breaks a text into lines between words. A word that is longer than a line is cut.
func wrap(text string, width int) []string {
	var lines []string
	line := ""
	for _, word := range strings.FieldsFunc(text, unicode.IsSpace) {
		if line != "" && utf8.RuneCountInString(line)+1+utf8.RuneCountInString(word) <= width {
			line += " " + word
			continue
		}
		if line != "" {
			lines = append(lines, line)
		}
		for line = word; utf8.RuneCountInString(line) > width; {
			runes := []rune(line)
			lines, line = append(lines, string(runes[:width])), string(runes[width:])
		}
	}
	return append(lines, line)
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
