package engine

import (
	"fmt"
	"strings"

	"github.com/rollcall-sync/rollcall/sync/plan"
)

// Sentence says what a run did: "1,200 read: 4 created, 6 updated, 1,190 unchanged".
func (c Counts) Sentence() string {
	parts := nonZero([]amount{
		{c.Linked, "linked"},
		{c.Created, "created"},
		{c.Updated, "updated"},
		{c.Activated, "activated"},
		{c.Deactivated, "deactivated"},
		{c.Deleted, "deleted"},
		{c.GroupCreated, several(c.GroupCreated, "group") + " created"},
		{c.GroupAdded, several(c.GroupAdded, "group membership") + " added"},
		{c.GroupRemoved, several(c.GroupRemoved, "group membership") + " removed"},
		{c.WrittenBack, "written back"},
		{c.Unchanged, "unchanged"},
		{c.Skipped, "skipped"},
		{c.Suspected, "suspected"},
		{c.Conflicts, several(c.Conflicts, "conflict")},
		{c.Failed + c.FailedOthers, "failed"},
		{c.Unmanaged, "unmanaged in the target"},
	})
	if len(parts) == 0 {
		parts = []string{"nobody"}
	}
	return fmt.Sprintf("%d read: %s", c.SourceRead, strings.Join(parts, ", "))
}

// Summary says what a plan would do and what it costs.
func (p *Prepared) Summary() string {
	target, source := p.Plan.Counts()[plan.Target], p.Plan.Counts()[plan.Source]
	back := 0
	for _, n := range source {
		back += n
	}
	parts := nonZero([]amount{
		{target[plan.Link], "to link"},
		{target[plan.Create], "to create"},
		{target[plan.Update], "to update"},
		{target[plan.Activate], "to activate"},
		{target[plan.Deactivate], "to deactivate"},
		{target[plan.Delete], "to delete"},
		{target[plan.CreateGroup], several(target[plan.CreateGroup], "group") + " to create"},
		{target[plan.GroupAdd], several(target[plan.GroupAdd], "group membership") + " to add"},
		{target[plan.GroupRemove], several(target[plan.GroupRemove], "group membership") + " to remove"},
		{back, "to write back"},
	})
	if len(parts) == 0 {
		parts = []string{"nothing to do"}
	}
	text := fmt.Sprintf("%d %s in the source, %d in the target: %s", p.Counts.SourceRead, several(p.Counts.SourceRead, "account"), p.Counts.TargetRead, strings.Join(parts, ", "))
	if words := p.Price.words(p.source, p.target); words != "" {
		text += "\n" + words
	}
	for _, notice := range sortedKeys(p.Notices) {
		text += fmt.Sprintf("\n%d %s that Rollcall cannot switch off: %s", p.Notices[notice], several(p.Notices[notice], "mail"), notice)
	}
	return text
}

// several gives a noun its plural where there is not exactly one.
func several(n int, noun string) string {
	if n == 1 {
		return noun
	}
	return noun + "s"
}

type amount struct {
	n    int
	what string
}

func nonZero(amounts []amount) []string {
	var parts []string
	for _, a := range amounts {
		if a.n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", a.n, a.what))
		}
	}
	return parts
}
