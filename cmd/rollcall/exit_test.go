package main

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"
)

// TestREADMEHasTheExitCodes keeps the table of README.md equal to the one from which the codes are told.
func TestREADMEHasTheExitCodes(t *testing.T) {
	t.Parallel()
	const path = "../../README.md"
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var table strings.Builder
	table.WriteString("## Exit codes\n\n| Code | Means |\n|---|---|\n")
	for code := range exitCodes {
		fmt.Fprintf(&table, "| %d | %s |\n", code, meaningOf(code))
	}
	chapter := regexp.MustCompile(`## Exit codes\n\n(\|.*\n)*`)
	if n := len(chapter.FindAllString(string(data), -1)); n != 1 {
		t.Fatalf("%s has %d tables of exit codes", path, n)
	}
	compareOrUpdate(t, path, string(data), chapter.ReplaceAllLiteralString(string(data), table.String()))
}

// TestExitCodesAreCountedThrough makes sure that each number up to the last has one meaning, so that no table leaves one out.
func TestExitCodesAreCountedThrough(t *testing.T) {
	t.Parallel()
	seen := make(map[int]string)
	for _, e := range exitCodes {
		if was, twice := seen[e.code]; twice || e.meaning == "" || strings.Contains(e.meaning, "|") {
			t.Errorf("code %d: %q, and %q before", e.code, e.meaning, was)
		}
		seen[e.code] = e.meaning
	}
	for code := range len(exitCodes) {
		if meaningOf(code) == "" {
			t.Errorf("code %d has no meaning", code)
		}
	}
	if meaningOf(len(exitCodes)) != "" {
		t.Errorf("code %d has a meaning and there are %d codes", len(exitCodes), len(exitCodes))
	}
}
