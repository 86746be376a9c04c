package mapping

import (
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"

	"github.com/rollcall-sync/rollcall/sync/directory"
)

// Normalise brings a value into the one form in which values are compared and written: Unicode composed (NFC), no spaces
// around it, no control characters or invisible signs, line ends as \n, and of the kind that the attribute has where
// nothing is lost by it. Lists lose empty and repeated items. Twice is the same as once.
func Normalise(v directory.Value, spec directory.AttributeSpec) directory.Value {
	switch v.Kind() {
	case directory.KindText:
		if text := v.String(); !isPlain(text) {
			v = directory.Text(cleanText(text))
		}
	case directory.KindList:
		v = cleanList(v)
	}
	return asKind(v, spec.Kind)
}

// isPlain reports whether cleanText would change nothing, for the texts of which that is seen at a glance.
func isPlain(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return false
		}
	}
	return s == "" || s[0] != ' ' && s[len(s)-1] != ' '
}

func cleanText(s string) string {
	s = strings.ReplaceAll(s, "\r\n", "\n")
	s = strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\r' || r == '\u2028' || r == '\u2029':
			return '\n'
		case r == '\t':
			return ' '
		case unicode.IsControl(r) || r == '\u200b' || r == '\u2060' || r == '\ufeff':
			return -1
		default:
			return r
		}
	}, s)
	return strings.TrimSpace(norm.NFC.String(s))
}

func cleanList(v directory.Value) directory.Value {
	items := make([]string, 0, len(v.Items()))
	seen := make(map[string]bool, len(v.Items()))
	for _, item := range v.Items() {
		if !isPlain(item) {
			item = cleanText(item)
		}
		if item != "" && !seen[item] {
			seen[item] = true
			items = append(items, item)
		}
	}
	return directory.List(items...)
}

// asKind converts a value to a kind where nothing is lost by it; otherwise it stays as it is. KindEmpty asks for nothing.
func asKind(v directory.Value, kind directory.Kind) directory.Value {
	if v.Kind() == kind || v.IsEmpty() {
		return v
	}
	switch kind {
	case directory.KindText:
		if v.Kind() != directory.KindList {
			return directory.Text(v.String())
		}
		if items := v.Items(); len(items) == 1 {
			return directory.Text(items[0])
		}
	case directory.KindList:
		return directory.List(v.String())
	case directory.KindBool:
		return asBool(v)
	case directory.KindNumber:
		if f, ok := parseNumber(single(v)); ok {
			return directory.Number(f)
		}
	case directory.KindTime:
		if t, ok := parseTime(single(v)); ok {
			return directory.Time(t)
		}
	}
	return v
}

// single is the text of a text or of a list with one item.
func single(v directory.Value) string {
	if items := v.Items(); len(items) == 1 && (v.Kind() == directory.KindText || v.Kind() == directory.KindList) {
		return items[0]
	}
	return ""
}

func asBool(v directory.Value) directory.Value {
	if f, ok := v.AsNumber(); ok && (f == 0 || f == 1) {
		return directory.Bool(f == 1)
	}
	switch strings.ToLower(single(v)) {
	case "true", "1":
		return directory.Bool(true)
	case "false", "0":
		return directory.Bool(false)
	}
	return v
}

// parseNumber reads a decimal number that a float64 holds exactly as written: no more digits than it keeps, and no sign
// of being an identifier (leading zeros, an exponent).
func parseNumber(s string) (float64, bool) {
	digits := strings.TrimPrefix(s, "-")
	whole, fraction, hasPoint := strings.Cut(digits, ".")
	if whole == "" || !allDigits(whole) || hasPoint && (fraction == "" || !allDigits(fraction)) {
		return 0, false
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil || math.IsInf(f, 0) {
		return 0, false
	}
	// Leading zeros and digits beyond what a float64 holds are lost in canonical form, so that such texts stay texts.
	canonical := s
	if hasPoint {
		canonical = strings.TrimSuffix(strings.TrimRight(s, "0"), ".")
	}
	if canonical == "-0" {
		canonical = "0"
	}
	return f, directory.Number(f).String() == canonical
}

func allDigits(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r < '0' || r > '9' })
}

// parseTime reads a moment (RFC 3339) or a day. Texts without a zone are left alone: which one is meant is not ours to guess.
func parseTime(s string) (time.Time, bool) {
	for _, layout := range []string{time.RFC3339Nano, time.DateOnly} {
		t, err := time.Parse(layout, s)
		// Times are kept as nanoseconds since 1970, which reach from 1678 to 2261.
		if err == nil && t.Year() >= 1679 && t.Year() <= 2261 {
			return t.UTC(), true
		}
	}
	return time.Time{}, false
}

// Equal reports whether two values are the same to a directory with this spec, after normalising both: case and accents
// fold where the spec says so, "42" equals 42, the order of lists does not matter.
func Equal(a, b directory.Value, spec directory.AttributeSpec) bool {
	if a.Equal(b) {
		return true
	}
	return Key(a, spec) == Key(b, spec)
}

// Key returns the form in which values are compared for matching and uniqueness: two values have the same key exactly when
// Equal holds. It is "" for the empty value.
func Key(v directory.Value, spec directory.AttributeSpec) string {
	v = Normalise(v, spec)
	if v.Kind() != directory.KindList {
		return foldText(v.String(), spec)
	}
	items := make([]string, 0, len(v.Items()))
	for _, item := range v.Items() {
		if item = foldText(item, spec); item != "" {
			items = append(items, item)
		}
	}
	slices.Sort(items)
	// Normalised texts hold no control characters but \n, so the joined form is like no other.
	return strings.Join(slices.Compact(items), "\x1f")
}

func foldText(s string, spec directory.AttributeSpec) string {
	if isASCII(s) {
		if spec.FoldCase {
			return strings.ToLower(s)
		}
		return s
	}
	if spec.FoldAccents {
		s = strings.Map(func(r rune) rune {
			if unicode.Is(unicode.Mn, r) {
				return -1
			}
			return r
		}, norm.NFD.String(s))
	}
	if spec.FoldCase {
		s = cases.Fold().String(norm.NFD.String(s))
	}
	return norm.NFC.String(s)
}
