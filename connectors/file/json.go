package file

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"slices"
	"strings"
)

// wrappers are the keys under which an object may hold the array of accounts.
var wrappers = []string{"users", "accounts", "resources", "value"}

// jsonGrammar reads and writes a JSON array of objects, an object that holds one, or one object per line.
type jsonGrammar struct {
	lines   bool
	groups  string // the header of the column of groups
	split   string // between groups in a text
	body    int64  // right after the opening bracket; 0 for lines
	newline string
	ended   bool // the last line ends with a newline
	// told is how many accounts the file says there are, -1 where it says nothing; more is set where it names a next page.
	told  int
	more  string
	style groupStyle
	kinds map[string]string // of the values of each header: "text", "bool", "number", "list" or "mixed"
}

// jsonScanner finds the values of a JSON text and knows where they stand.
type jsonScanner struct {
	in     *bufio.Reader
	offset int64
	line   int
	buf    []byte
}

func newJSONScanner(r io.Reader) *jsonScanner {
	return &jsonScanner{in: bufio.NewReaderSize(r, 64<<10), line: 1}
}

func (s *jsonScanner) take() (byte, error) {
	c, err := s.in.ReadByte()
	if errors.Is(err, io.EOF) {
		return 0, cutOff(s.line, "the file ends in the middle of its JSON")
	}
	if err != nil {
		return 0, err
	}
	s.offset++
	if c == '\n' {
		s.line++
	}
	return c, nil
}

// peek skips white space and returns the next byte without taking it; 0 at the end of the file.
func (s *jsonScanner) peek() (byte, error) {
	for {
		head, err := s.in.Peek(1)
		if errors.Is(err, io.EOF) {
			return 0, nil
		}
		if err != nil {
			return 0, err
		}
		if strings.IndexByte(" \t\r\n", head[0]) < 0 {
			return head[0], nil
		}
		if _, err := s.take(); err != nil {
			return 0, err
		}
	}
}

// expect takes one of the bytes.
func (s *jsonScanner) expect(allowed string) (byte, error) {
	c, err := s.peek()
	if err != nil {
		return 0, err
	}
	if c != 0 && strings.IndexByte(allowed, c) < 0 {
		return 0, broken(s.line, "check the JSON with an editor, or export it again", "%q stands where one of %s is expected", c, allowed)
	}
	return s.take()
}

// value takes one value. Its bytes are kept, and checked, where keep is set; they are valid until the next call.
func (s *jsonScanner) value(keep bool) (scanned, error) {
	if _, err := s.peek(); err != nil {
		return scanned{}, err
	}
	s.buf = s.buf[:0]
	found := scanned{offset: s.offset, line: s.line}
	depth, inString, escaped := 0, false, false
	for {
		c, err := s.take()
		if err != nil {
			return found, err
		}
		if keep {
			if len(s.buf) >= maxRecord {
				return found, broken(found.line, "remove what is no account data", "the record that begins here is longer than 16 MiB")
			}
			s.buf = append(s.buf, c)
		}
		switch {
		case inString:
			inString = escaped || c != '"'
			escaped = c == '\\' && !escaped
		case c == '"':
			inString = true
		case c == '{' || c == '[':
			depth++
		case c == '}' || c == ']':
			depth--
		}
		if inString || depth > 0 {
			continue
		}
		if done, err := s.ends(c); err != nil || done {
			found.raw = s.buf
			if err == nil && keep {
				err = valid(found.raw, found.line)
			}
			return found, err
		}
	}
}

// ends reports whether a value outside brackets is over after this byte.
func (s *jsonScanner) ends(c byte) (bool, error) {
	if c == '}' || c == ']' || c == '"' {
		return true, nil
	}
	next, err := s.in.Peek(1)
	if errors.Is(err, io.EOF) {
		return true, nil
	}
	if err != nil {
		return false, err
	}
	return strings.IndexByte(",]} \t\r\n", next[0]) >= 0, nil
}

// valid checks one value and says where it is broken.
func valid(raw []byte, line int) error {
	if json.Valid(raw) {
		return nil
	}
	var anything any
	err := json.Unmarshal(raw, &anything)
	var syntax *json.SyntaxError
	if errors.As(err, &syntax) {
		at := raw[:min(int(syntax.Offset), len(raw))]
		line += bytes.Count(at, []byte{'\n'})
	}
	return broken(line, "check the JSON with an editor, or export it again", "this is no JSON: %v", err)
}

// walk calls each for every record.
func (g *jsonGrammar) walk(r io.Reader, each func(scanned) error) error {
	if g.lines {
		return g.walkLines(r, each)
	}
	s := newJSONScanner(r)
	first, err := s.peek()
	if err != nil {
		return err
	}
	switch first {
	case 0:
		return emptyFile()
	case '[':
		err = g.array(s, each)
	case '{':
		err = g.object(s, each)
	default:
		return broken(s.line, shapes, "the file begins with %q and is no list of accounts", first)
	}
	if err != nil {
		return err
	}
	if more, err := s.peek(); err != nil || more != 0 {
		if err == nil {
			err = broken(s.line, "one file holds one array; for one object per line set format: jsonl", "more text follows the end of the JSON")
		}
		return err
	}
	return nil
}

const shapes = `a JSON file is an array of objects, or an object with such an array under "users", "accounts", "Resources" or "value"`

// array reads the array of accounts.
func (g *jsonGrammar) array(s *jsonScanner, each func(scanned) error) error {
	if _, err := s.expect("["); err != nil {
		return err
	}
	g.body = s.offset
	for first := true; ; first = false {
		c, err := s.peek()
		if err != nil {
			return err
		}
		if first && c == ']' {
			_, err = s.take()
			return err
		}
		record, err := s.value(true)
		if err != nil {
			return err
		}
		if record.raw[0] != '{' {
			return broken(record.line, shapes, "an element of the list is no object")
		}
		if err := each(record); err != nil {
			return err
		}
		if c, err = s.expect(",]"); err != nil || c == ']' {
			return err
		}
	}
}

// object reads an object that holds the array.
func (g *jsonGrammar) object(s *jsonScanner, each func(scanned) error) error {
	if _, err := s.expect("{"); err != nil {
		return err
	}
	var keys []string
	found := ""
	for c, err := s.peek(); c != '}'; c, err = s.peek() {
		if err != nil {
			return err
		}
		key, err := s.key()
		if err != nil {
			return err
		}
		keys = append(keys, key)
		if c, err = s.peek(); err != nil {
			return err
		}
		if c == '[' && slices.Contains(wrappers, strings.ToLower(key)) {
			if found != "" {
				return broken(s.line, "keep one of them", "both %q and %q hold a list of accounts", found, key)
			}
			found = key
			err = g.array(s, each)
		} else {
			err = g.aside(s, key)
		}
		if err != nil {
			return err
		}
		if c, err = s.expect(",}"); err != nil {
			return err
		} else if c == '}' {
			return g.wrapped(s, found, keys)
		}
	}
	_, err := s.take()
	if err != nil {
		return err
	}
	return g.wrapped(s, found, keys)
}

func (g *jsonGrammar) wrapped(s *jsonScanner, found string, keys []string) error {
	if found == "" {
		return broken(s.line, shapes, "the object has no list of accounts; its keys are: %s", strings.Join(keys, ", "))
	}
	return nil
}

func (s *jsonScanner) key() (string, error) {
	if c, err := s.peek(); err != nil || c != '"' && c != 0 {
		if err == nil {
			err = broken(s.line, "check the JSON with an editor, or export it again", "%q stands where a key is expected", c)
		}
		return "", err
	}
	raw, err := s.value(true)
	if err != nil {
		return "", err
	}
	var key string
	if err := json.Unmarshal(raw.raw, &key); err != nil {
		return "", broken(raw.line, "check the JSON with an editor, or export it again", "this is no key: %v", err)
	}
	_, err = s.expect(":")
	return key, err
}

// aside reads a member of the wrapping object that is not the list. Counts and links to a next page tell whether the file
// is a part of something larger.
func (g *jsonGrammar) aside(s *jsonScanner, key string) error {
	name := strings.ToLower(key)
	counts := name == "totalresults" || name == "@odata.count"
	links := name == "@odata.nextlink" || name == "nextpagetoken"
	value, err := s.value(counts || links)
	if err != nil {
		return err
	}
	var n int
	if counts && json.Unmarshal(value.raw, &n) == nil {
		g.told = n
	}
	var link string
	if links && json.Unmarshal(value.raw, &link) == nil && link != "" {
		g.more = key
	}
	return nil
}

// walkLines reads one object per line.
func (g *jsonGrammar) walkLines(r io.Reader, each func(scanned) error) error {
	in := bufio.NewReaderSize(r, 64<<10)
	offset, number := int64(0), 0
	var line []byte
	for {
		number++
		var err error
		line, err = readLine(in, line[:0])
		if errors.Is(err, errTooLong) {
			return broken(number, "set format: json if this is one array", "the line is longer than 16 MiB")
		}
		if err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		content := bytes.TrimSpace(line)
		if len(content) > 0 {
			g.ended = err == nil
			if err := g.line(content, number, g.ended); err != nil {
				return err
			}
			start := offset + int64(bytes.Index(line, content))
			if err := each(scanned{raw: content, offset: start, line: number, ended: g.ended}); err != nil {
				return err
			}
			if bytes.HasSuffix(line, []byte("\r\n")) {
				g.newline = "\r\n"
			}
		}
		offset += int64(len(line))
		if err != nil {
			return nil
		}
	}
}

// line checks one line.
func (g *jsonGrammar) line(content []byte, number int, ended bool) error {
	err := valid(content, number)
	switch {
	case err == nil && content[0] == '{':
		return nil
	case err != nil && !ended:
		return cutOff(number, "the file ends in the middle of this line")
	case number == 1 && content[0] == '[':
		return broken(number, "set format: json", "the file begins like a JSON array, not like one object per line")
	case err != nil:
		return err
	default:
		return broken(number, "write one object per line", "the line is no object")
	}
}

var errTooLong = errors.New("line too long")

func readLine(in *bufio.Reader, line []byte) ([]byte, error) {
	for {
		part, err := in.ReadSlice('\n')
		line = append(line, part...)
		if len(line) > maxRecord {
			return nil, errTooLong
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			return line, err
		}
	}
}
