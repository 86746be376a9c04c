package users

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"golang.org/x/text/cases"
	"golang.org/x/text/runes"
	"golang.org/x/text/transform"
	"golang.org/x/text/unicode/norm"
)

// Fold returns the form in which WordPress's database compares usernames and e-mail addresses: without case and accents.
func Fold(text string) string {
	if isASCII(text) { // most are, and this is asked for each account
		return strings.ToLower(text)
	}
	plain, _, err := transform.String(transform.Chain(norm.NFD, runes.Remove(runes.In(unicode.Mn)), norm.NFC), text)
	if err != nil { // the chain refuses nothing; text that it cannot take is compared as it is
		plain = text
	}
	return cases.Fold().String(plain)
}

func isASCII(text string) bool {
	for i := range len(text) {
		if text[i] >= 0x80 {
			return false
		}
	}
	return true
}

// checkUsername returns why WordPress would refuse it, or "". The rules are those of sanitize_user (formatting.php) in its
// strict form and of validate_username (user.php).
func checkUsername(name string) string {
	for _, r := range name {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', strings.ContainsRune(" _.-@", r):
		default:
			return fmt.Sprintf("the character %q is not allowed in a username: WordPress takes letters without accents, digits, space and _ . - @", r)
		}
	}
	if name != strings.Join(strings.Fields(name), " ") {
		return "a username has no space at its ends and no two in a row"
	}
	return ""
}

// checkEmail returns why WordPress would refuse the address for its characters, or "". See [CheckAddress] for its form.
func checkEmail(address string) string {
	for _, r := range address {
		if r > '~' || r <= ' ' {
			return fmt.Sprintf("the character %q is not allowed in an e-mail address by WordPress, also in the domain", r)
		}
	}
	return ""
}

// CheckAddress returns what is wrong with the form of an e-mail address, or "". The rules are those of is_email
// (formatting.php), which the REST API applies by itself.
func CheckAddress(address string) string {
	const local = "!#$%&'*+/=?^_`{|}~.-"
	name, domain, found := strings.Cut(address, "@")
	switch {
	case len(address) < 6 || !found || name == "":
		return "an e-mail address has the form name@example.com"
	case strings.Contains(domain, "..") || strings.Trim(domain, ".") != domain || !strings.Contains(domain, "."):
		return "the domain of an e-mail address has two parts or more, divided by single dots"
	}
	for _, r := range name {
		if !isAlphanumeric(r) && !strings.ContainsRune(local, r) {
			return fmt.Sprintf("the character %q is not allowed before the @ of an e-mail address", r)
		}
	}
	for part := range strings.SplitSeq(domain, ".") {
		if strings.Trim(part, "-") != part {
			return "no part of the domain of an e-mail address begins or ends with a hyphen"
		}
		for _, r := range part {
			if !isAlphanumeric(r) && r != '-' {
				return fmt.Sprintf("the character %q is not allowed in the domain of an e-mail address", r)
			}
		}
	}
	return ""
}

func isAlphanumeric(r rune) bool {
	return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9'
}

// IsID reports whether the text has the form of a WordPress id. Everything else is no account for certain.
func IsID(id string) bool {
	n, err := strconv.ParseUint(id, 10, 63)
	return err == nil && n > 0 && strconv.FormatUint(n, 10) == id
}

// Union returns a followed by what b has besides.
func Union(a, b []string) []string {
	all := slices.Clone(a)
	for _, item := range b {
		if !slices.Contains(all, item) {
			all = append(all, item)
		}
	}
	return all
}

// Without returns what a has and b has not.
func Without(a, b []string) []string {
	return slices.DeleteFunc(slices.Clone(a), func(item string) bool { return slices.Contains(b, item) })
}

// Quoted joins names for a message.
func Quoted(names []string) string {
	if len(names) == 0 {
		return "none"
	}
	return strings.Join(names, ", ")
}
