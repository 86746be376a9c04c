package config

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/rollcall-sync/rollcall/sync/directory"
)

// Fault is one thing that is wrong, and where. It never holds the value of a secret.
type Fault struct {
	// File is the file as it was named, or "environment variable NAME", or "flag". Line and Column count from 1; 0 where
	// there is none.
	File         string
	Line, Column int
	// Key is the path of the key: "syncs.staff.limits.removals". Empty for a fault of the file as a whole.
	Key string
	// Message says what is wrong, Remedy what to do.
	Message, Remedy string

	order int
}

// String returns "file:line:column: key: message - remedy".
func (f Fault) String() string {
	var b strings.Builder
	b.WriteString(f.File)
	if f.Line > 0 {
		fmt.Fprintf(&b, ":%d:%d", f.Line, f.Column)
	}
	if f.Key != "" {
		b.WriteString(": " + f.Key)
	}
	b.WriteString(": " + f.Message)
	if f.Remedy != "" {
		b.WriteString(" - " + f.Remedy)
	}
	return b.String()
}

// Faults is the error of a configuration that was read and is wrong. List is never empty and is sorted by place; Omitted
// counts what is beyond the first thousand.
type Faults struct {
	List    []Fault
	Omitted int
}

// maxFaults bounds the list; nobody reads on there.
const maxFaults = 1000

// Error returns one line for each fault.
func (f *Faults) Error() string {
	lines := make([]string, len(f.List))
	for i, fault := range f.List {
		lines[i] = fault.String()
	}
	if f.Omitted > 0 {
		lines = append(lines, fmt.Sprintf("and %d more", f.Omitted))
	}
	return strings.Join(lines, "\n")
}

// sortFaults orders by file as read, line, column and message, and drops repetitions.
func sortFaults(faults []Fault) []Fault {
	slices.SortStableFunc(faults, func(a, b Fault) int {
		return cmp.Or(
			cmp.Compare(a.order, b.order), cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line),
			cmp.Compare(a.Column, b.Column), cmp.Compare(a.Key, b.Key), cmp.Compare(a.Message, b.Message),
		)
	})
	return slices.Compact(faults)
}

// fault reports what is wrong with a value.
func (l *loader) fault(at *node, remedy, format string, args ...any) {
	if len(l.faults) >= maxFaults {
		l.omitted++
		return
	}
	l.faults = append(l.faults, l.scrubbed(at.fault(remedy, format, args...)))
}

// warn reports what is unwise about a value.
func (l *loader) warn(at *node, remedy, format string, args ...any) {
	l.warnings = append(l.warnings, l.scrubbed(at.fault(remedy, format, args...)))
}

// leastScrubbed is the shortest text that scrubbed takes for a secret; shorter ones would blank half of every message.
const leastScrubbed = 4

// scrubbed blanks whatever came by a reference. The messages show what is written and not what it stands for; this is the
// second lock, for messages of others that quote an expression.
func (l *loader) scrubbed(f Fault) Fault {
	var secrets []string
	for _, found := range l.found {
		if len(found.text) >= leastScrubbed {
			quoted := strconv.Quote(found.text)
			secrets = append(secrets, found.text, quoted[1:len(quoted)-1])
		}
	}
	// Longer ones first, so that one that holds another is blanked as a whole.
	slices.SortFunc(secrets, func(a, b string) int { return cmp.Or(cmp.Compare(len(b), len(a)), cmp.Compare(a, b)) })
	for _, secret := range secrets {
		f.Message = strings.ReplaceAll(f.Message, secret, "***")
		f.Remedy = strings.ReplaceAll(f.Remedy, secret, "***")
	}
	return f
}

// faulty reports whether something is already wrong at or below the node, so that no second complaint about the same thing
// is made.
func (l *loader) faulty(at *node) bool { return within(l.faults, at) }

func within(faults []Fault, at *node) bool {
	return slices.ContainsFunc(faults, func(f Fault) bool {
		return f.order == at.file.order && (f.Key == at.path || strings.HasPrefix(f.Key, at.path+"."))
	})
}

// incomplete reports whether a file could not be read as a whole, so that what seems to be missing may stand there.
func (l *loader) incomplete() bool {
	return slices.ContainsFunc(l.faults, func(f Fault) bool { return f.Key == "" })
}

// suggest returns the remedy for a name that is not one of the known ones.
func suggest(name string, known []string) string {
	if meant, ok := nearest(name, known); ok {
		return didYouMean(meant)
	}
	if len(known) == 0 {
		return ""
	}
	return "known here: " + strings.Join(known, ", ")
}

func didYouMean(name string) string { return "did you mean " + strconv.Quote(name) + "?" }

// nearest returns the known name of which another one is probably a misspelling.
func nearest(name string, known []string) (meant string, ok bool) {
	least := len(name)
	for _, candidate := range known {
		if squeeze(candidate) == squeeze(name) {
			return candidate, true
		}
		if d := distance(name, candidate); d < least {
			meant, least = candidate, d
		}
	}
	return meant, meant != "" && least <= max(1, min(len(name), len(meant))/3)
}

// squeeze makes clientSecret, client-secret and client_secret the same.
func squeeze(name string) string {
	return strings.ToLower(strings.NewReplacer("_", "", "-", "", " ", "").Replace(name))
}

// distance counts the letters to insert, drop, replace or swap to get from a to b.
func distance(a, b string) int {
	const longest = 64 // names are short; what is longer is no slip of the finger
	if len(a) > longest || len(b) > longest {
		return longest
	}
	var rows [3][longest + 1]int
	for j := range len(b) + 1 {
		rows[1][j] = j
	}
	for i := 1; i <= len(a); i++ {
		rows[2][0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			rows[2][j] = min(rows[1][j]+1, rows[2][j-1]+1, rows[1][j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				rows[2][j] = min(rows[2][j], rows[0][j-2]+1)
			}
		}
		rows[0], rows[1] = rows[1], rows[2]
	}
	return rows[1][len(b)]
}

func asOptionError(err error) (*directory.OptionError, bool) {
	var option *directory.OptionError
	ok := errors.As(err, &option)
	return option, ok
}
