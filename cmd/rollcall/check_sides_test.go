package main

import (
	"slices"
	"testing"

	"github.com/rollcall-sync/rollcall/sync/directory/memory"
)

func TestPowersAreNamed(t *testing.T) {
	t.Parallel()
	d := memory.New(memory.Options{})
	all := []string{
		"list", "count", "get", "find", "list groups", "list changes", "create", "create many", "update", "activate and deactivate",
		"delete", "change memberships", "create groups",
	}
	if got := powers(d); !slices.Equal(got, all) {
		t.Errorf("a directory with every power has %q", got)
	}
	if got := powers(d.Core()); !slices.Equal(got, all[:1]) {
		t.Errorf("a directory without any has %q", got)
	}
}
