package database

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// WordPress keeps lists in one column as PHP's serialize() writes them:
//
//	a:2:{s:10:"subscriber";b:1;s:9:"edit_page";b:0;}
//
// What is here reads and writes arrays of texts, bools and numbers, with arrays in them. Lengths count bytes. The values of
// an array that is changed are kept as they were read, byte for byte; what cannot be read (objects, references, a wrong
// length) is an error, so that nothing is written in its place.

// array is a PHP array in its order.
type array []item

type item struct {
	key string
	// raw is the value as PHP writes it, with its semicolon or brace.
	raw string
}

const (
	rawTrue = "b:1;"
	// deepest bounds arrays in arrays. WordPress's own have two levels.
	deepest = 16
)

var errSerial = errors.New("is not in the form in which PHP serialises arrays of texts, bools and numbers")

// parseArray reads a whole serialised array.
func parseArray(text string) (array, error) {
	a, rest, err := cutArray(text, deepest)
	if err == nil && rest != "" {
		err = fmt.Errorf("%w: something follows the end", errSerial)
	}
	return a, err
}

func cutArray(text string, depth int) (a array, rest string, err error) {
	text, found := strings.CutPrefix(text, "a:")
	count, rest, err := cutNumber(text, ':')
	if !found || err != nil || depth == 0 || count > len(rest) {
		return nil, "", errSerial
	}
	if rest, found = strings.CutPrefix(rest, "{"); !found {
		return nil, "", errSerial
	}
	a = make(array, 0, count)
	for range count {
		var i item
		switch {
		case strings.HasPrefix(rest, "i:"):
			end := strings.IndexByte(rest, ';')
			if end < 0 {
				return nil, "", errSerial
			}
			i.key, rest = rest[2:end], rest[end+1:]
			if _, err := strconv.ParseInt(i.key, 10, 64); err != nil {
				return nil, "", errSerial
			}
		default:
			if i.key, rest, err = cutText(rest); err != nil {
				return nil, "", err
			}
		}
		after, err := skip(rest, depth-1)
		if err != nil {
			return nil, "", err
		}
		i.raw, rest = rest[:len(rest)-len(after)], after
		a = append(a, i)
	}
	if rest, found = strings.CutPrefix(rest, "}"); !found {
		return nil, "", errSerial
	}
	return a, rest, nil
}

// cutNumber reads digits and the byte after them.
func cutNumber(text string, end byte) (n int, rest string, err error) {
	i := strings.IndexByte(text, end)
	if i < 1 || i > 9 {
		return 0, "", errSerial
	}
	n, err = strconv.Atoi(text[:i])
	if err != nil || n < 0 {
		return 0, "", errSerial
	}
	return n, text[i+1:], nil
}

func cutText(text string) (value, rest string, err error) {
	text, found := strings.CutPrefix(text, "s:")
	n, rest, err := cutNumber(text, ':')
	if !found || err != nil || len(rest) < n+3 || rest[0] != '"' || rest[n+1:n+3] != `";` {
		return "", "", errSerial
	}
	return rest[1 : n+1], rest[n+3:], nil
}

var scalarForm = regexp.MustCompile(`^(?:N|b:[01]|i:-?[0-9]+|d:[0-9.eE+-]+|d:-?INF|d:NAN);`)

// skip returns what follows one value.
func skip(text string, depth int) (rest string, err error) {
	switch {
	case strings.HasPrefix(text, "s:"):
		_, rest, err = cutText(text)
	case strings.HasPrefix(text, "a:"):
		_, rest, err = cutArray(text, depth)
	default:
		form := scalarForm.FindString(text)
		if form == "" {
			err = errSerial
		}
		rest = text[len(form):]
	}
	return rest, err
}

// String returns the array as PHP writes it. Whole numbers are keys of their own kind, as in PHP.
func (a array) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "a:%d:{", len(a))
	for _, i := range a {
		if n, err := strconv.ParseInt(i.key, 10, 64); err == nil && strconv.FormatInt(n, 10) == i.key {
			fmt.Fprintf(&b, "i:%s;", i.key)
		} else {
			b.WriteString(rawText(i.key))
		}
		b.WriteString(i.raw)
	}
	b.WriteByte('}')
	return b.String()
}

func rawText(text string) string { return fmt.Sprintf(`s:%d:"%s";`, len(text), text) }

// isTrue reports whether PHP takes the value for true.
func (i item) isTrue() bool {
	switch i.raw {
	case "b:0;", "i:0;", "N;", `s:0:"";`, `s:1:"0";`, "a:0:{}", "d:0;":
		return false
	}
	return true
}

// text returns the value as a text; ok is false for an array.
func (i item) text() (text string, ok bool) {
	switch i.raw[0] {
	case 's':
		text, _, err := cutText(i.raw)
		return text, err == nil
	case 'a':
		return "", false
	case 'N':
		return "", true
	case 'b':
		return map[string]string{rawTrue: "true", "b:0;": "false"}[i.raw], true
	default:
		return i.raw[2 : len(i.raw)-1], true
	}
}

var (
	serialLong   = regexp.MustCompile(`^[saOE]:[0-9]+:`)
	serialScalar = regexp.MustCompile(`^[bid]:[0-9.E+-]+;`)
	serialWhole  = regexp.MustCompile(`^[bid]:[0-9.E+-]+;$`)
)

// maybeSerialised is WordPress's is_serialized in its lenient form (functions.php).
func maybeSerialised(text string) bool {
	text = strings.Trim(text, " \t\n\r\x00\x0b")
	if text == "N;" {
		return true
	}
	if len(text) < 4 || text[1] != ':' {
		return false
	}
	semicolon, brace := strings.IndexByte(text, ';'), strings.IndexByte(text, '}')
	if semicolon < 0 && brace < 0 || semicolon >= 0 && semicolon < 3 || brace >= 0 && brace < 4 {
		return false
	}
	return serialLong.MatchString(text) && (text[0] != 's' || strings.Contains(text, `"`)) || serialScalar.MatchString(text)
}

// isSerialised is WordPress's is_serialized in its strict form: what WordPress unserialises when it reads.
func isSerialised(text string) bool {
	text = strings.Trim(text, " \t\n\r\x00\x0b")
	if text == "N;" {
		return true
	}
	if len(text) < 4 || text[1] != ':' || !strings.HasSuffix(text, ";") && !strings.HasSuffix(text, "}") {
		return false
	}
	return serialLong.MatchString(text) && (text[0] != 's' || text[len(text)-2] == '"') || serialWhole.MatchString(text)
}

// forMeta returns the text as WordPress puts it into user meta. A text that looks serialised is serialised once more: PHP
// would otherwise unserialise what a person typed, objects included.
func forMeta(text string) string {
	if maybeSerialised(text) {
		return rawText(text)
	}
	return text
}

// listForMeta returns a list as WordPress puts it into user meta.
func listForMeta(items []string) string {
	a := make(array, 0, len(items))
	for n, text := range items {
		a = append(a, item{strconv.Itoa(n), rawText(text)})
	}
	return a.String()
}

// fromMeta returns what a value of user meta stands for: a text, or the items of a list. ok is false where it is something
// that no attribute can hold.
func fromMeta(stored string) (text string, list []string, ok bool) {
	if !isSerialised(stored) {
		return stored, nil, true
	}
	stored = strings.Trim(stored, " \t\n\r\x00\x0b")
	if !strings.HasPrefix(stored, "a:") {
		if rest, err := skip(stored, 1); err != nil || rest != "" {
			return "", nil, false
		}
		text, ok = item{raw: stored}.text()
		return text, nil, ok
	}
	a, err := parseArray(stored)
	if err != nil {
		return "", nil, false
	}
	list = []string{}
	for n, i := range a {
		text, ok := i.text()
		if !ok || i.key != strconv.Itoa(n) {
			return "", nil, false
		}
		list = append(list, text)
	}
	return "", list, true
}
