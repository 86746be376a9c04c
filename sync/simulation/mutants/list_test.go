package main

import (
	"os/exec"
	"strings"
	"testing"
)

// Every mutant must fit the code as it is: one that does not shows nothing.
func TestEveryMutantFitsTheCode(t *testing.T) {
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}").Output()
	if err != nil {
		t.Fatal(err)
	}
	names := make(map[string]bool)
	for _, m := range mutants {
		if names[m.name] || m.rule == "" || len(m.patches) == 0 {
			t.Errorf("%q is there twice, breaks no rule or changes nothing", m.name)
		}
		names[m.name] = true
		if _, err := m.overlay(strings.TrimSpace(string(out)), t.TempDir()); err != nil {
			t.Errorf("%s: %v", m.name, err)
		}
	}
}
