package mapping

import (
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// transliterations are letters that do not fall apart into a plain letter and a mark, and those that have a usual spelling.
var transliterations = map[rune]string{
	'ä': "ae", 'ö': "oe", 'ü': "ue", 'Ä': "Ae", 'Ö': "Oe", 'Ü': "Ue", 'ß': "ss", 'ẞ': "SS",
	'æ': "ae", 'Æ': "Ae", 'œ': "oe", 'Œ': "Oe", 'ø': "o", 'Ø': "O", 'å': "a", 'Å': "A",
	'ł': "l", 'Ł': "L", 'đ': "d", 'Đ': "D", 'ð': "d", 'Ð': "D", 'þ': "th", 'Þ': "Th", 'ħ': "h", 'Ħ': "H",
	'ı': "i", 'ĸ': "k", 'ŋ': "n", 'Ŋ': "N", 'ŧ': "t", 'Ŧ': "T", 'ſ': "s", 'ĳ': "ij", 'Ĳ': "IJ",
	'’': "'", '‘': "'", 'ʼ': "'", '“': "\"", '”': "\"", '–': "-", '—': "-", '‐': "-", '‑': "-", '…': "...",
	// Greek and Cyrillic, by the usual Latin letters.
	'α': "a", 'β': "v", 'γ': "g", 'δ': "d", 'ε': "e", 'ζ': "z", 'η': "i", 'θ': "th", 'ι': "i", 'κ': "k", 'λ': "l", 'μ': "m",
	'ν': "n", 'ξ': "x", 'ο': "o", 'π': "p", 'ρ': "r", 'σ': "s", 'ς': "s", 'τ': "t", 'υ': "y", 'φ': "f", 'χ': "ch", 'ψ': "ps", 'ω': "o",
	'а': "a", 'б': "b", 'в': "v", 'г': "g", 'д': "d", 'е': "e", 'ж': "zh", 'з': "z", 'и': "i", 'к': "k", 'л': "l", 'м': "m",
	'н': "n", 'о': "o", 'п': "p", 'р': "r", 'с': "s", 'т': "t", 'у': "u", 'ф': "f", 'х': "kh", 'ц': "ts", 'ч': "ch", 'ш': "sh",
	'щ': "shch", 'ъ': "", 'ы': "y", 'ь': "", 'э': "e", 'ю': "yu", 'я': "ya", 'ё': "e", 'й': "y", 'є': "ye", 'і': "i", 'ї': "yi", 'ґ': "g",
	'ђ': "dj", 'ј': "j", 'љ': "lj", 'њ': "nj", 'ћ': "c", 'џ': "dz",
}

// ascii writes a text in plain letters. A letter with a mark loses the mark; what has no plain form is left out.
func ascii(s string) string {
	if isASCII(s) {
		return s
	}
	var b strings.Builder
	for _, r := range norm.NFC.String(s) {
		writeASCII(&b, r)
	}
	return b.String()
}

func writeASCII(b *strings.Builder, r rune) {
	if r < 128 {
		b.WriteRune(r)
		return
	}
	if plain, ok := transliterations[r]; ok {
		b.WriteString(plain)
		return
	}
	if plain, ok := transliterations[unicode.ToLower(r)]; ok {
		b.WriteString(capital(plain))
		return
	}
	if unicode.IsSpace(r) {
		b.WriteByte(' ')
		return
	}
	for _, part := range norm.NFKD.String(string(r)) {
		if part < 128 {
			b.WriteRune(part)
		} else if plain, ok := transliterations[part]; ok {
			b.WriteString(plain)
		} else if plain, ok := transliterations[unicode.ToLower(part)]; ok {
			b.WriteString(capital(plain))
		}
	}
}

func capital(s string) string {
	if s == "" {
		return ""
	}
	return strings.ToUpper(s[:1]) + s[1:]
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= 128 {
			return false
		}
	}
	return true
}

// slug makes a login of a name: "Jörg van der Maßen" becomes joerg.van.der.massen. Apostrophes vanish, every other run of
// signs becomes one dot, except - and _, which stay between letters.
func slug(s string) string {
	var b strings.Builder
	separator := byte(0)
	for _, c := range []byte(strings.ToLower(ascii(s))) {
		switch {
		case c >= 'a' && c <= 'z' || c >= '0' && c <= '9':
			if separator != 0 && b.Len() > 0 {
				b.WriteByte(separator)
			}
			separator = 0
			b.WriteByte(c)
		case c == '\'' || c == '`':
		case (c == '-' || c == '_') && (separator == 0 || separator == c):
			separator = c
		default:
			separator = '.'
		}
	}
	return b.String()
}

// titleCase gives each word a capital letter; a word begins after anything that is neither letter, digit nor apostrophe.
func titleCase(s string) string {
	inWord := false
	return strings.Map(func(r rune) rune {
		wasInWord := inWord
		inWord = unicode.IsLetter(r) || unicode.IsDigit(r) || unicode.IsMark(r) || r == '\'' || r == '’'
		if wasInWord {
			return unicode.ToLower(r)
		}
		return unicode.ToTitle(r)
	}, s)
}

// domain is what stands after the last @, in lower case; "" for a text without one.
func domain(email string) string {
	i := strings.LastIndexByte(email, '@')
	if i < 0 {
		return ""
	}
	return strings.ToLower(strings.TrimSpace(email[i+1:]))
}

// local is what stands before the last @; the whole text where there is none.
func local(email string) string {
	email = strings.TrimSpace(email)
	if i := strings.LastIndexByte(email, '@'); i >= 0 {
		return email[:i]
	}
	return email
}
