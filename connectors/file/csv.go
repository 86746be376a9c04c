package file

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/rollcall-sync/rollcall/sync/directory"
)

// maxRecord bounds one record; what is longer is an unclosed quote or no list of accounts.
const maxRecord = 16 << 20

// separators are the delimiters of the option, in the order in which auto prefers them.
var separators = []struct {
	name string
	char byte
}{{"comma", ','}, {"semicolon", ';'}, {"tab", '\t'}, {"pipe", '|'}}

// csvGrammar reads and writes text with one record per line, a header first. A record is kept as it stands in the file;
// what is not changed is never written anew.
type csvGrammar struct {
	delimiter  byte
	split      string // between groups
	headerLine int
	body       int64 // where the records begin
	bodyLine   int
	newline    string
	fields     int
	quoteAll   bool // the header has all its fields in quotes
	ended      bool // the header ends with a newline
	empty      int  // rows without any value, which hold nobody
}

// discover reads what stands before the records: a line sep=; and the header.
func (g *csvGrammar) discover(r textReader) ([]column, error) {
	s := newCSVScanner(r, g.delimiter)
	in := s.in
	head, err := in.Peek(64 << 10)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	if len(bytes.TrimSpace(head)) == 0 && len(head) < 64<<10 {
		return nil, emptyFile()
	}
	if err := g.announced(s, head); err != nil {
		return nil, err
	}
	if head, err = in.Peek(in.Buffered()); err != nil {
		return nil, err
	}
	if g.delimiter == 0 {
		g.delimiter = guessDelimiter(head)
	}
	s.delimiter = g.delimiter
	record, err := s.next()
	if errors.Is(err, io.EOF) {
		return nil, emptyFile()
	}
	if err != nil {
		return nil, err
	}
	g.headerLine, g.ended, g.newline = record.line, record.ended, s.newline
	g.body, g.bodyLine = s.offset, s.line
	return g.header(record)
}

func emptyFile() error {
	return &fault{
		kind: directory.Invalid, message: "the file is empty",
		remedy: "export it again; a file that really holds nobody has at least its header (CSV) or an empty array (JSON)",
	}
}

// announced takes Excel's first line sep=; off the front.
func (g *csvGrammar) announced(s *csvScanner, head []byte) error {
	if len(head) < 5 || !bytes.EqualFold(head[:4], []byte("sep=")) {
		return nil
	}
	end := 5
	if len(head) > end && head[end] == '\r' {
		end++
	}
	if len(head) > end && head[end] == '\n' {
		end++
	}
	if end == 5 && len(head) > 5 {
		return nil
	}
	if g.delimiter != 0 && g.delimiter != head[4] {
		return broken(1, "remove the option delimiter, or set it to auto", "the file announces the delimiter %q, which is not the one that the option delimiter names", head[4])
	}
	g.delimiter = head[4]
	if _, err := s.in.Discard(end); err != nil {
		return err
	}
	s.offset, s.line = int64(end), 2
	return nil
}

// guessDelimiter takes the separator that occurs most in the first line outside quotes.
func guessDelimiter(head []byte) byte {
	counts := map[byte]int{}
	quoted, begun := false, false
	for _, c := range head {
		if (c == '\n' || c == '\r') && !quoted {
			if begun {
				break
			}
			continue
		}
		begun = true
		if c == '"' {
			quoted = !quoted
		}
		if !quoted {
			counts[c]++
		}
	}
	best := separators[0].char
	for _, candidate := range separators {
		if counts[candidate.char] > counts[best] {
			best = candidate.char
		}
	}
	return best
}

// header turns the header into columns.
func (g *csvGrammar) header(record scanned) ([]column, error) {
	fields, err := split(record.raw, g.delimiter, record.line)
	if err != nil {
		return nil, err
	}
	g.fields, g.quoteAll = len(fields), true
	columns := make([]column, 0, len(fields))
	seen := map[string]int{}
	for i, f := range fields {
		raw := record.raw[f.start:f.end]
		name := strings.TrimSpace(unquote(raw))
		g.quoteAll = g.quoteAll && len(raw) > 0 && raw[0] == '"'
		switch {
		case name == "":
			return nil, &fault{kind: directory.Invalid, line: record.line, column: i + 1, message: "the column has no name in the header", remedy: "give it one, or remove the column"}
		case strings.Contains(name, "@") || strings.Trim(name, "0123456789") == "":
			return nil, &fault{
				kind: directory.Invalid, line: record.line, column: i + 1, message: "the file has no header: its first line looks like a person",
				remedy: "put a first line with the names of the columns, such as id,username,email,first_name,last_name",
			}
		}
		if other, twice := seen[strings.ToLower(name)]; twice {
			return nil, &fault{
				kind: directory.Invalid, line: record.line, column: i + 1, header: name,
				message: "column " + strconv.Itoa(other+1) + " has the same name", remedy: "rename one of the two",
			}
		}
		seen[strings.ToLower(name)] = i
		columns = append(columns, column{header: name})
	}
	return columns, nil
}

// scan calls each for every record that holds somebody.
func (g *csvGrammar) scan(r textReader, each func(scanned) error) error {
	body := io.NewSectionReader(r, g.body, r.Size()-g.body)
	s := newCSVScanner(body, g.delimiter)
	s.offset, s.line = g.body, g.bodyLine
	g.empty = 0
	for {
		record, err := s.next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		fields, err := split(record.raw, g.delimiter, record.line)
		if err != nil {
			return err
		}
		if allEmpty(record.raw, g.delimiter) {
			g.empty++
			continue
		}
		if err := g.width(record, len(fields)); err != nil {
			return err
		}
		if err := each(record); err != nil {
			return err
		}
	}
}

// width compares the number of fields with the header.
func (g *csvGrammar) width(record scanned, fields int) error {
	switch {
	case fields == g.fields:
		return nil
	case fields < g.fields && !record.ended:
		return cutOff(record.line, "the file ends in the middle of this line, after %d of %d fields", fields, g.fields)
	case fields < g.fields:
		return broken(record.line, "complete the line; nothing is read from a file whose columns may be shifted", "%d fields where the header has %d", fields, g.fields)
	default:
		return broken(record.line, "put values that hold the delimiter in quotes", "%d fields where the header has %d", fields, g.fields)
	}
}

// allEmpty is a row as spreadsheets leave them behind.
func allEmpty(raw []byte, delimiter byte) bool {
	for _, c := range raw {
		if c != delimiter && c != '"' && c != ' ' {
			return false
		}
	}
	return true
}

// cells reads the values of one record; each is a string.
func (g *csvGrammar) cells(raw []byte, _ []column, only []int) ([]any, error) {
	fields, err := split(raw, g.delimiter, 0)
	if err != nil {
		return nil, err
	}
	values := make([]any, len(fields))
	for i, f := range fields {
		if only == nil || slices.Contains(only, i) {
			values[i] = unquote(raw[f.start:f.end])
		}
	}
	return values, nil
}

// edit returns the record with some cells changed; the others keep their very bytes. nil makes a new record.
func (g *csvGrammar) edit(raw []byte, columns []column, changes []change) ([]byte, error) {
	parts := make([]string, len(columns))
	if raw == nil {
		for i := range parts {
			parts[i] = quote("", g.delimiter, g.quoteAll)
		}
	} else {
		fields, err := split(raw, g.delimiter, 0)
		if err != nil {
			return nil, err
		}
		for i, f := range fields {
			parts[i] = string(raw[f.start:f.end])
		}
	}
	for _, c := range changes {
		text, ok := c.value.(string)
		if !ok || strings.ContainsRune(text, 0) {
			return nil, refused(columns[c.column].attribute, "", "the value is no text that a CSV file can hold")
		}
		parts[c.column] = quote(text, g.delimiter, strings.HasPrefix(parts[c.column], `"`))
	}
	return []byte(strings.Join(parts, string(g.delimiter))), nil
}

// separator stands between the last record and a new one, and before the first record of a file without any.
func (g *csvGrammar) separator([]byte) string { return g.newline }

// first stands before and after the first record of a file that has none.
func (g *csvGrammar) first() (before, after string) {
	if g.ended {
		return "", g.newline
	}
	return g.newline, ""
}

// bodyStart is where the first record of a file without any goes.
func (g *csvGrammar) bodyStart() int64 { return g.body }

// groupsValue writes the groups in the order in which they stand, new ones last, with the separator that the file's
// records have.
func (g *csvGrammar) groupsValue(raw []byte, _ column, want []directory.Group) (any, error) {
	separator := g.split
	if g.split == defaultSplit && g.delimiter != ';' && !bytes.Contains(raw, []byte(defaultSplit)) && bytes.Contains(raw, []byte(otherSplit)) {
		separator = otherSplit
	}
	return joinGroups(want, g.split, separator)
}

// joinGroups writes groups into one cell with the separator that it had before, where the names allow that.
func joinGroups(want []directory.Group, split, separator string) (any, error) {
	names := make([]string, 0, len(want))
	for _, group := range want {
		if strings.Contains(group.ID, split) {
			return nil, refused("", "set group_separator to something that no name holds", "the name of the group %q holds the separator", group.ID)
		}
		if strings.Contains(group.ID, separator) {
			separator = split
		}
		names = append(names, group.ID)
	}
	return strings.Join(names, separator), nil
}
