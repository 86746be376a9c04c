package database

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"
)

// What WordPress makes of a text before it stores it. The texts that come here have their &, < and > as entities already,
// which leaves of its filters only what is below.

var (
	spaces      = regexp.MustCompile(`[\r\n\t ]+`)
	octet       = regexp.MustCompile(`(?i)%[a-f0-9]{2}`)
	decimal     = regexp.MustCompile(`&amp;#(0*[0-9]{1,7});`)
	hexadecimal = regexp.MustCompile(`&amp;#[Xx](0*[0-9A-Fa-f]{1,6});`)
	control     = regexp.MustCompile(`[\x00-\x08\x0B\x0C\x0E-\x1F]`)
)

// phpTrim is what PHP's trim takes away.
const phpTrim = " \n\r\t\v\x00"

// oneLine is sanitize_text_field (formatting.php), followed by what wp_filter_kses still does: for names.
func oneLine(text string) string {
	if isPlain(text) {
		return text
	}
	text = strings.Trim(spaces.ReplaceAllString(text, " "), phpTrim)
	found := false
	for octet.MatchString(text) {
		text, found = octet.ReplaceAllString(text, ""), true
	}
	if found {
		text = strings.Trim(spaces.ReplaceAllString(text, " "), phpTrim)
	}
	return severalLines(text)
}

// isPlain reports whether a text has nothing in it that WordPress changes; nearly all names are such.
func isPlain(text string) bool {
	for i := range len(text) {
		if c := text[i]; c < ' ' || c == '%' || c == '#' || c == ' ' && (i == 0 || i == len(text)-1 || text[i-1] == ' ') {
			return false
		}
	}
	return true
}

// severalLines is wp_filter_kses (kses.php): for the biography. Typed character references, "&#38;", are taken for such
// although their ampersand was escaped.
func severalLines(text string) string {
	text = decimal.ReplaceAllStringFunc(control.ReplaceAllString(text, ""), func(found string) string {
		digits := decimal.FindStringSubmatch(found)[1]
		if n, err := strconv.ParseInt(digits, 10, 32); err != nil || !isCharacter(n) {
			return found
		}
		digits = strings.TrimLeft(digits, "0")
		return "&#" + strings.Repeat("0", max(0, 3-len(digits))) + digits + ";"
	})
	return hexadecimal.ReplaceAllStringFunc(text, func(found string) string {
		digits := hexadecimal.FindStringSubmatch(found)[1]
		if n, err := strconv.ParseInt(digits, 16, 32); err != nil || !isCharacter(n) {
			return "&amp;#x" + digits + ";"
		}
		return "&#x" + strings.TrimLeft(digits, "0") + ";"
	})
}

// isCharacter is valid_unicode (kses.php).
func isCharacter(n int64) bool {
	return n == 0x9 || n == 0xa || n == 0xd || n >= 0x20 && n <= 0xd7ff || n >= 0xe000 && n <= 0xfffd || n >= 0x10000 && n <= 0x10ffff
}

// isEmpty is PHP's empty() for a text.
func isEmpty(text string) bool { return text == "" || text == "0" }

var (
	addressForm = regexp.MustCompile(`^[A-Za-z0-9\-~+_.?#=!&;,/:%@$|*'()\x{80}-\x{10FFFF}]*$`)
	phpFile     = regexp.MustCompile(`(?i)^[a-z0-9-]+?\.php`)
	lineEnd     = regexp.MustCompile(`(?i)%0[ad]`)
	localeForm  = regexp.MustCompile(`^[A-Za-z0-9_]{0,32}$`)
)

// protocols are those of wp_allowed_protocols (functions.php).
const protocols = " http https ftp ftps mailto news irc irc6 ircs gopher nntp feed telnet mms rtsp sms svn tel fax xmpp webcal urn "

// webAddress is sanitize_url (formatting.php). What WordPress would strip from an address is refused instead.
func webAddress(text string) (address, fault string) {
	text = strings.ReplaceAll(strings.TrimLeft(text, phpTrim), " ", "%20")
	switch {
	case text == "":
		return "", ""
	case !addressForm.MatchString(text) || lineEnd.MatchString(text):
		return "", "WordPress does not keep all characters of this address"
	}
	text = strings.ReplaceAll(text, ";//", "://")
	if !strings.Contains(text, ":") && !strings.ContainsRune("/#?", rune(text[0])) && !phpFile.MatchString(text) {
		text = "http://" + text
	}
	scheme, rest, found := strings.Cut(text, ":")
	switch known := strings.Contains(protocols, " "+strings.ToLower(scheme)+" "); {
	case !found || text[0] == '/':
		return text, ""
	case !known:
		return "", fmt.Sprintf("WordPress does not know addresses that begin with %s:", scheme)
	default:
		return strings.ToLower(scheme) + ":" + rest, ""
	}
}

// nicename is sanitize_title (formatting.php) of the first 50 characters of a username: the name in the address of the
// author's page.
func nicename(login string) string {
	if utf8.RuneCountInString(login) > 50 {
		login = string([]rune(login)[:50])
	}
	var b strings.Builder
	for _, r := range strings.ToLower(login) {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9', r == '_':
			b.WriteRune(r)
		case r == '.', r == ' ', r == '-':
			if !strings.HasSuffix(b.String(), "-") {
				b.WriteByte('-')
			}
		}
	}
	return strings.Trim(b.String(), "-")
}

// withSuffix returns the nth form of a nicename that is taken, from 2 on.
func withSuffix(name string, n int) string {
	suffix := fmt.Sprint(n)
	if most := 49 - len(suffix); len(name) > most {
		name = name[:most]
	}
	return name + "-" + suffix
}
