// Package guard is the last word before anything is written: a pure verdict on a plan. A refusal says what, who, how it
// compares with usual runs, and the exact command that approves this plan.
package guard

import (
	"fmt"
	"slices"
	"strings"

	"github.com/rollcall-sync/rollcall/sync/plan"
	"github.com/rollcall-sync/rollcall/sync/rules"
)

// Input is what the verdict depends on.
type Input struct {
	Plan   *plan.Plan
	Limits rules.Limits
	// Linked is the number of accounts that the sync holds before the run: what shares are taken of.
	Linked int
	// UsualRemovals are the accounts that lost access in each of the last runs, for comparison.
	UsualRemovals []int
	// RulesChanged says since which run the scope or the rules are different; empty when they are the same, or on a
	// first run.
	RulesChanged string
	// Moved says which directory is another place than in the last accepted run; empty when none is. Ids of one place mean
	// other people in another.
	Moved string
	// Guarded tells why an account is never written; the plan must not write it. Empty for everyone else.
	Guarded func(side plan.Side, id string) string
	// Approved are the keys (plan.Keys) that an administrator has approved; nil when nobody has.
	Approved []string
	// Approve is the command that approves a plan, without the token: "rollcall sync staff --approve".
	Approve string
}

// Verdict is go, or refused with reasons.
type Verdict struct {
	Refused bool     `json:"refused"`
	Reasons []Reason `json:"reasons,omitempty"`
	// Token names the plan for its approval; empty where approving is not possible.
	Token string `json:"token,omitempty"`
	// Command approves this plan and nothing beyond it.
	Command string `json:"command,omitempty"`
}

// Reason is one rule that the plan breaks.
type Reason struct {
	Rule    string `json:"rule"`
	Message string `json:"message"`
}

// most names are listed in a refusal.
const mostNames = 10

// Judge returns the verdict. The lockout rule cannot be approved; the others can, and an approval covers the operations
// of the approved plan and nothing beyond them.
func Judge(in Input) Verdict {
	var v Verdict
	if reason, ok := lockout(in); !ok {
		return Verdict{Refused: true, Reasons: []Reason{reason}}
	}
	for _, rule := range []func(Input) (Reason, bool){removals, creations, updates, changedRules, moved} {
		if reason, ok := rule(in); !ok {
			v.Reasons = append(v.Reasons, reason)
		}
	}
	if len(v.Reasons) == 0 {
		return v
	}
	if in.Approved != nil {
		beyond := beyondApproval(in)
		if len(beyond) == 0 {
			return Verdict{}
		}
		v.Reasons = append(v.Reasons, Reason{Rule: "approval", Message: fmt.Sprintf(
			"the approval covers another plan: %s came up since (%s)", count(len(beyond), "operation"), names(beyond))})
	}
	v.Refused = true
	v.Token = in.Plan.Token()
	v.Command = strings.TrimSpace(in.Approve + " " + v.Token)
	return v
}

// lockout makes sure once more that nobody is touched who never may be. The diff leaves those out; a plan that names one
// all the same is a fault of the program, or was edited.
func lockout(in Input) (Reason, bool) {
	if in.Guarded == nil {
		return Reason{}, true
	}
	for _, o := range in.Plan.Operations {
		if o.WrittenID() == "" || o.Action == plan.Link {
			continue
		}
		if why := in.Guarded(o.Side, o.WrittenID()); why != "" {
			return Reason{Rule: "lockout", Message: fmt.Sprintf("%s of %s would write an account that is never written (%s)", o.Action, o.Account, why)}, false
		}
	}
	return Reason{}, true
}

// removals is one budget for every loss of access on either side, counted in accounts.
func removals(in Input) (Reason, bool) {
	losers := in.Plan.Losers()
	allowed, limited := in.Limits.Removals.Of(in.Linked)
	if !limited || len(losers) <= max(allowed, in.Limits.RemovalsFloor) {
		return Reason{}, true
	}
	message := fmt.Sprintf("%s would lose access; limits.removals %s of %s allows %d (never less than limits.removals_floor %d): %s",
		count(len(losers), "account"), in.Limits.Removals, count(in.Linked, "linked account"), max(allowed, in.Limits.RemovalsFloor),
		in.Limits.RemovalsFloor, names(losers))
	if usual := usually(in.UsualRemovals); usual != "" {
		message += "; " + usual
	}
	return Reason{Rule: "removals", Message: message}, false
}

func creations(in Input) (Reason, bool) {
	return within(in, "creations", in.Limits.Creations, func(o plan.Operation) bool { return o.Action == plan.Create })
}

func updates(in Input) (Reason, bool) {
	return within(in, "updates", in.Limits.Updates, func(o plan.Operation) bool {
		return o.Action == plan.Update || o.Action == plan.GroupAdd || o.Action == plan.Activate
	})
}

// within compares the accounts with matching operations with one limit.
func within(in Input, rule string, limit rules.Amount, matches func(plan.Operation) bool) (Reason, bool) {
	allowed, limited := limit.Of(in.Linked)
	if !limited {
		return Reason{}, true
	}
	var hits []plan.Operation
	seen := make(map[string]bool)
	for _, o := range in.Plan.Operations {
		who := string(o.Side) + "\x00" + o.SourceID + "\x00" + o.TargetID
		if matches(o) && !seen[who] {
			seen[who] = true
			hits = append(hits, o)
		}
	}
	if len(hits) <= allowed {
		return Reason{}, true
	}
	return Reason{Rule: rule, Message: fmt.Sprintf("%s in %s; limits.%s %s of %s allows %d: %s",
		count(len(hits), "account"), rule, rule, limit, count(in.Linked, "linked account"), allowed, names(hits))}, false
}

// changedRules makes the first run after an edit of the scope or the rules plan-only.
func changedRules(in Input) (Reason, bool) {
	if in.RulesChanged == "" || len(in.Plan.Operations) == 0 {
		return Reason{}, true
	}
	return Reason{Rule: "rules", Message: fmt.Sprintf("scope or rules were changed since %s; this plan of %s needs approval once: %s",
		in.RulesChanged, count(len(in.Plan.Operations), "operation"), names(in.Plan.Operations))}, false
}

// moved makes the first run against another place plan-only.
func moved(in Input) (Reason, bool) {
	if in.Moved == "" || len(in.Plan.Operations) == 0 {
		return Reason{}, true
	}
	return Reason{Rule: "place", Message: fmt.Sprintf("%s; if it is the same site under a new address, this plan of %s needs approval once, otherwise use a state file of its own: %s",
		in.Moved, count(len(in.Plan.Operations), "operation"), names(in.Plan.Operations))}, false
}

// beyondApproval returns the operations that the approval does not name.
func beyondApproval(in Input) []plan.Operation {
	var beyond []plan.Operation
	for _, o := range in.Plan.Operations {
		if _, ok := slices.BinarySearch(in.Approved, o.Key()); !ok {
			beyond = append(beyond, o)
		}
	}
	return beyond
}

// usually compares with the runs before.
func usually(removals []int) string {
	if len(removals) == 0 {
		return ""
	}
	sorted := slices.Sorted(slices.Values(removals))
	return fmt.Sprintf("in the last %s it was %d at most, %d in the middle", count(len(sorted), "run"), sorted[len(sorted)-1], sorted[len(sorted)/2])
}

// names lists the first accounts by name, each once.
func names(operations []plan.Operation) string {
	var list []string
	seen := make(map[string]bool)
	for _, o := range operations {
		if !seen[o.Account] && len(list) < mostNames {
			list = append(list, o.Account)
		}
		seen[o.Account] = true
	}
	if more := len(seen) - len(list); more > 0 {
		return strings.Join(list, ", ") + fmt.Sprintf(" and %d more", more)
	}
	return strings.Join(list, ", ")
}

func count(n int, noun string) string {
	if n != 1 {
		noun += "s"
	}
	return fmt.Sprintf("%d %s", n, noun)
}
