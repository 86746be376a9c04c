package file

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"strings"

	"github.com/rollcall-sync/rollcall/sync/directory"
)

// scanned is one record as it stands in the file, without the newline after it.
type scanned struct {
	raw    []byte
	offset int64
	line   int
	ended  bool // a newline followed
}

// csvScanner finds where records begin and end.
type csvScanner struct {
	in        *bufio.Reader
	delimiter byte
	offset    int64
	line      int
	buf       []byte
	newline   string // the last one seen
}

func newCSVScanner(r io.Reader, delimiter byte) *csvScanner {
	return &csvScanner{in: bufio.NewReaderSize(r, 64<<10), delimiter: delimiter, line: 1, newline: "\n"}
}

// The states of the scanner, which also splits records into fields.
const (
	atStart   = iota // a field may begin with a quote here
	inPlain          // inside a value without quotes; a quote in it is a character like any other
	inQuotes         // inside a value in quotes
	quoteSeen        // after a quote inside such a value: its end, or the first half of a doubled one
)

// step returns the state after one byte.
func step(state int, c, delimiter byte) int {
	switch {
	case state == inQuotes && c == '"':
		return quoteSeen
	case state == inQuotes, state == quoteSeen && c == '"', state == atStart && c == '"':
		return inQuotes
	case c == delimiter:
		return atStart
	default:
		return inPlain
	}
}

// next returns the next record that is not a blank line; io.EOF after the last. The bytes are valid until the next call.
func (s *csvScanner) next() (scanned, error) {
	s.buf = s.buf[:0]
	record := scanned{offset: s.offset, line: s.line}
	state, quoteLine := atStart, 0
	for {
		c, err := s.in.ReadByte()
		if err != nil {
			return s.last(record, state == inQuotes, quoteLine, err)
		}
		s.offset++
		if c == '\n' || c == '\r' {
			switch {
			case state == inQuotes:
				if c == '\r' || s.buf[len(s.buf)-1] != '\r' {
					s.line++
				}
			default:
				if err := s.endLine(c); err != nil {
					return record, err
				}
				if len(s.buf) > 0 {
					record.raw, record.ended = s.buf, true
					return record, nil
				}
				record.offset, record.line = s.offset, s.line
				continue
			}
		}
		if len(s.buf) >= maxRecord {
			return record, broken(record.line, "check that every quote that opens a value is closed", "the record that begins here is longer than 16 MiB")
		}
		if state == atStart && c == '"' {
			quoteLine = s.line
		}
		state = step(state, c, s.delimiter)
		s.buf = append(s.buf, c)
	}
}

// last ends the file.
func (s *csvScanner) last(record scanned, quoted bool, quoteLine int, err error) (scanned, error) {
	switch {
	case !errors.Is(err, io.EOF):
		return record, err
	case quoted:
		return record, broken(quoteLine, "close the quote, or double it where it belongs to the value; where the file was cut off, export it again",
			"a quote that opens a value on this line is never closed")
	case len(s.buf) == 0:
		return record, io.EOF
	}
	record.raw = s.buf
	return record, nil
}

// endLine takes the second half of a newline.
func (s *csvScanner) endLine(c byte) error {
	s.newline = string(c)
	s.line++
	if c != '\r' {
		return nil
	}
	next, err := s.in.Peek(1)
	if err == nil && next[0] == '\n' {
		_, err = s.in.Discard(1)
		s.offset++
		s.newline = "\r\n"
	}
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

// field is the place of one value inside a record.
type field struct{ start, end int }

// split finds the fields of a record.
func split(raw []byte, delimiter byte, line int) ([]field, error) {
	fields := make([]field, 0, 1+bytes.Count(raw, []byte{delimiter}))
	begin, state := 0, atStart
	for i, c := range raw {
		next := step(state, c, delimiter)
		switch {
		case state == quoteSeen && next == inPlain:
			return nil, &fault{
				kind: directory.Invalid, line: line + countLines(raw[:i]), column: len(fields) + 1, message: "text follows the quote that ends the value",
				remedy: `double the quotes that belong to the value: "the ""best"" one"`,
			}
		case next == atStart:
			fields = append(fields, field{begin, i})
			begin = i + 1
		}
		state = next
	}
	return append(fields, field{begin, len(raw)}), nil
}

// unquote returns the value of a field as it stands in the file.
func unquote(raw []byte) string {
	if len(raw) < 2 || raw[0] != '"' {
		return string(raw)
	}
	return strings.ReplaceAll(string(raw[1:len(raw)-1]), `""`, `"`)
}

// quote writes a value.
func quote(value string, delimiter byte, always bool) string {
	need := always || value != strings.TrimSpace(value) || strings.ContainsAny(value, "\"\r\n") || strings.IndexByte(value, delimiter) >= 0
	if !need {
		return value
	}
	return `"` + strings.ReplaceAll(value, `"`, `""`) + `"`
}

// countLines returns how many newlines of any style are in the text.
func countLines(text []byte) int {
	return bytes.Count(text, []byte{'\n'}) + bytes.Count(text, []byte{'\r'}) - bytes.Count(text, []byte("\r\n"))
}
