package mapping

import (
	"fmt"
	"strings"
)

// unknownName says that a name does not exist and which one comes nearest.
func unknownName(name string, known []string) string {
	return fmt.Sprintf("unknown name %q%s; other attributes are written custom.%s", name, nearest(name, known), name)
}

// nearest returns `; did you mean "x"?` for the known name that differs least, or "" where none is near.
func nearest(name string, known []string) string {
	best, least := "", len(name)/4+2
	for _, candidate := range known {
		if d := distance(fold(name), fold(candidate)); d < least {
			best, least = candidate, d
		}
	}
	if best == "" {
		return ""
	}
	return fmt.Sprintf("; did you mean %q?", best)
}

// fold makes firstName, first-name and first_name the same.
func fold(name string) string {
	return strings.ToLower(strings.NewReplacer("_", "", "-", "", " ", "").Replace(name))
}

// distance counts the letters to insert, remove or change to make one text of the other.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}

// typeNames turns Go's names of types, as expr's messages use them, into words.
var typeNames = strings.NewReplacer(
	"[]interface {}", "list", "[]string", "list", "interface {}", "value", "time.Time", "time", "time.Duration", "duration",
	"time.Month", "month", "map[string]interface {}", "map", "float64", "number", "string", "text", "int", "number",
	"[]uint8", "list of bytes", "func(", "function(",
)

func typeName(t string) string { return typeNames.Replace(t) }

// plainTypes replaces the names of types in the messages where expr is known to write them.
func plainTypes(message string) string {
	message = strings.TrimSpace(strings.Replace(message, "takes only array", "takes a list", 1))
	if strings.HasPrefix(message, "cannot use ") {
		return typeName(message)
	}
	for _, mark := range []string{"(mismatched type", "(type ", "(got "} {
		if i := strings.Index(message, mark); i >= 0 {
			return message[:i] + typeName(message[i:])
		}
	}
	return message
}
