// Package guard is the last word before anything is written: a pure verdict on a plan. A refusal says what, who, how it
// compares with usual runs, and the exact command that approves this plan.
package guard

import (
	"fmt"
	"slices"
	"strings"

	"github.com/cespare/xxhash/v2"

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
	// LostBefore are the accounts, as LossKey names them, that lost access in runs of one person since the last whole run.
	LostBefore []string
	// Restored is set where the state is older than the last run that used it.
	Restored bool
	// RulesChanged says since which run the scope or the rules are different; empty when they are the same, or on a
	// first run.
	RulesChanged string
	// Moved says which directory is another place than in the last accepted run; empty when none is. Ids of one place mean
	// other people in another.
	Moved string
	// Lost says what the rules use and the source no longer has; empty for nothing. To the rules it looks as if everybody had
	// lost it.
	Lost string
	// Guarded tells why an account is never written; the plan must not write it. Empty for everyone else.
	Guarded func(side plan.Side, id string) string
	// Approved are the keys (plan.Keys) that an administrator has approved; nil when nobody has.
	Approved []string
	// Extent says of which part of the sync the plan is, or on what terms it was read; empty for the usual whole. It is part
	// of the token.
	Extent string
	// Approve is the command that approves a plan, without the token: "rollcall sync staff --approve".
	Approve string
}

// Verdict is go, or refused with reasons.
type Verdict struct {
	Refused bool     `json:"refused"`
	Reasons []Reason `json:"reasons,omitempty"`
	// Token names the plan for its approval; empty where approving is not possible.
	Token string `json:"token,omitempty"`
	// Keys are the identities of the refused operations, sorted: what an approval under the token covers.
	Keys []string `json:"-"`
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
// of the approved plan and nothing beyond them. A plan that cannot be read is refused.
func Judge(in Input) Verdict {
	seen, err := look(in)
	if err != nil {
		return Verdict{Refused: true, Reasons: []Reason{{Rule: "plan", Message: err.Error()}}}
	}
	if seen.lockout != "" {
		return Verdict{Refused: true, Reasons: []Reason{{Rule: "lockout", Message: seen.lockout}}}
	}
	var v Verdict
	for _, rule := range []func(Input, *sums) (Reason, bool){removals, creations, updates, changedRules, moved, lost, restored} {
		if reason, ok := rule(in, seen); !ok {
			v.Reasons = append(v.Reasons, reason)
		}
	}
	if len(v.Reasons) == 0 {
		return v
	}
	if in.Approved != nil {
		if seen.beyond.n == 0 {
			return Verdict{}
		}
		v.Reasons = append(v.Reasons, Reason{Rule: "approval", Message: fmt.Sprintf(
			"the approval covers another plan: %s came up since (%s)", count(seen.beyond.n, "operation"), seen.beyond.names())})
	}
	keys, err := in.Plan.Keys()
	if err != nil {
		return Verdict{Refused: true, Reasons: []Reason{{Rule: "plan", Message: err.Error()}}}
	}
	v.Refused, v.Keys, v.Token = true, keys, plan.Token(in.Plan.Sync+in.Extent, keys)
	v.Command = strings.TrimSpace(in.Approve + " " + v.Token)
	return v
}

// sums is what the rules look at, from one reading of the plan.
type sums struct {
	lockout                               string
	all, losers, created, changed, beyond group
}

// LossKey names the account that an operation writes to, for Input.LostBefore.
func LossKey(o plan.Operation) string { return string(o.Side) + "\x00" + o.WrittenID() }

// look reads the plan once.
func look(in Input) (*sums, error) {
	s := &sums{}
	err := in.Plan.Operations.Each(func(_ int, o plan.Operation) error {
		if why := lockedOut(in, o); why != "" && s.lockout == "" {
			s.lockout = fmt.Sprintf("%s of %s would write an account that is never written (%s)", o.Action, o.Account, why)
		}
		pair := string(o.Side) + "\x00" + o.SourceID + "\x00" + o.TargetID
		s.all.add("", o)
		switch {
		case o.Action.Loss():
			s.losers.add(LossKey(o), o)
		case o.Action == plan.Create:
			s.created.add(pair, o)
		case o.Action == plan.Update || o.Action == plan.GroupAdd || o.Action == plan.Activate:
			s.changed.add(pair, o)
		}
		if in.Approved != nil {
			if _, ok := slices.BinarySearch(in.Approved, o.Key()); !ok {
				s.beyond.add("", o)
			}
		}
		return nil
	})
	return s, err
}

// lockedOut makes sure once more that nobody is touched who never may be. The diff leaves those out; a plan that names one
// all the same is a fault of the program, or was edited.
func lockedOut(in Input, o plan.Operation) string {
	if in.Guarded == nil || o.WrittenID() == "" || o.Action == plan.Link {
		return ""
	}
	return in.Guarded(o.Side, o.WrittenID())
}

// group counts operations, or accounts with such, and remembers the first names.
type group struct {
	n        int
	accounts map[uint64]struct{} // hashes, so that a million cost little
	who      map[uint64]struct{}
	first    []string
}

// add counts an operation: each of them where who is empty, otherwise each who once.
func (g *group) add(who string, o plan.Operation) {
	if g.accounts == nil {
		g.accounts, g.who = make(map[uint64]struct{}), make(map[uint64]struct{})
	}
	if who != "" {
		hash := xxhash.Sum64String(who)
		if _, again := g.who[hash]; again {
			return
		}
		g.who[hash] = struct{}{}
	}
	g.n++
	hash := xxhash.Sum64String(o.Account)
	if _, again := g.accounts[hash]; again {
		return
	}
	g.accounts[hash] = struct{}{}
	if len(g.first) < mostNames {
		g.first = append(g.first, o.Account)
	}
}

// names lists the first accounts by name, each once.
func (g *group) names() string {
	if more := len(g.accounts) - len(g.first); more > 0 {
		return strings.Join(g.first, ", ") + fmt.Sprintf(" and %d more", more)
	}
	return strings.Join(g.first, ", ")
}

// removals is one budget for every loss of access on either side, counted in accounts.
func removals(in Input, seen *sums) (Reason, bool) {
	allowed, limited := in.Limits.Removals.Of(in.Linked)
	before := 0
	for _, key := range in.LostBefore {
		if _, again := seen.losers.who[xxhash.Sum64String(key)]; !again {
			before++
		}
	}
	if !limited || seen.losers.n == 0 || seen.losers.n+before <= max(allowed, in.Limits.RemovalsFloor) {
		return Reason{}, true
	}
	allows := fmt.Sprintf("%s allows %d", limitOf(in, "removals", in.Limits.Removals), allowed)
	if in.Limits.RemovalsFloor > allowed {
		allows += fmt.Sprintf(", limits.removals_floor %d", in.Limits.RemovalsFloor)
	}
	message := count(seen.losers.n, "account") + " would lose access"
	if before > 0 {
		message += fmt.Sprintf(" after %d in runs of one person since the last whole run", before)
	}
	message += fmt.Sprintf(", and %s: %s", allows, seen.losers.names())
	if usual := usually(in.UsualRemovals); usual != "" {
		message += "; " + usual
	}
	return Reason{Rule: "removals", Message: message}, false
}

func creations(in Input, seen *sums) (Reason, bool) {
	return within(in, "creations", "created", in.Limits.Creations, &seen.created)
}

func updates(in Input, seen *sums) (Reason, bool) {
	return within(in, "updates", "changed", in.Limits.Updates, &seen.changed)
}

// within compares the accounts with some kind of operations with one limit.
func within(in Input, rule, done string, limit rules.Amount, hits *group) (Reason, bool) {
	allowed, limited := limit.Of(in.Linked)
	if !limited || hits.n <= allowed {
		return Reason{}, true
	}
	return Reason{Rule: rule, Message: fmt.Sprintf("%s would be %s, and %s allows %d: %s",
		count(hits.n, "account"), done, limitOf(in, rule, limit), allowed, hits.names())}, false
}

// limitOf names a limit, and what a share is taken of.
func limitOf(in Input, rule string, limit rules.Amount) string {
	if !limit.Percent {
		return "limits." + rule
	}
	return fmt.Sprintf("limits.%s (%s of %s)", rule, limit, count(in.Linked, "linked account"))
}

// changedRules makes the first run after an edit of the scope or the rules plan-only.
func changedRules(in Input, seen *sums) (Reason, bool) {
	if in.RulesChanged == "" || seen.all.n == 0 {
		return Reason{}, true
	}
	return Reason{Rule: "rules", Message: fmt.Sprintf("scope or rules were changed since %s; this plan of %s needs approval once: %s",
		in.RulesChanged, count(seen.all.n, "operation"), seen.all.names())}, false
}

// moved makes the first run against another place plan-only.
func moved(in Input, seen *sums) (Reason, bool) {
	if in.Moved == "" || seen.all.n == 0 {
		return Reason{}, true
	}
	return Reason{Rule: "place", Message: fmt.Sprintf("%s; if it is the same one under a new address, this plan of %s needs approval once, otherwise use a state file of its own: %s",
		in.Moved, count(seen.all.n, "operation"), seen.all.names())}, false
}

// lost makes a run plan-only whose source no longer has what the rules use.
func lost(in Input, seen *sums) (Reason, bool) {
	if in.Lost == "" || seen.all.n == 0 {
		return Reason{}, true
	}
	return Reason{Rule: "source", Message: fmt.Sprintf("%s; if it was renamed, correct the rules or the source; if it is gone for good, this plan of %s needs approval once: %s",
		in.Lost, count(seen.all.n, "operation"), seen.all.names())}, false
}

// restored makes the first run with a state from a backup plan-only.
func restored(in Input, seen *sums) (Reason, bool) {
	if !in.Restored || seen.all.n == 0 {
		return Reason{}, true
	}
	return Reason{Rule: "state", Message: fmt.Sprintf(
		"the state is older than the last run (was it restored from a backup?), so what was done since is not known; this plan of %s needs approval once: %s",
		count(seen.all.n, "operation"), seen.all.names())}, false
}

// usually compares with the runs before.
func usually(removals []int) string {
	if len(removals) == 0 {
		return ""
	}
	sorted := slices.Sorted(slices.Values(removals))
	runs, most, middle := "last run", sorted[len(sorted)-1], sorted[len(sorted)/2]
	if len(sorted) > 1 {
		runs = fmt.Sprintf("last %d runs", len(sorted))
	}
	switch {
	case most == 0:
		return fmt.Sprintf("in the %s nobody lost access", runs)
	case len(sorted) == 1:
		return fmt.Sprintf("in the %s it was %s", runs, count(most, "account"))
	case middle == 0:
		return fmt.Sprintf("in the %s it was %s at most, and usually none", runs, count(most, "account"))
	default:
		return fmt.Sprintf("in the %s it was %s at most, and usually %d", runs, count(most, "account"), middle)
	}
}

func count(n int, noun string) string {
	if n != 1 {
		noun += "s"
	}
	return fmt.Sprintf("%d %s", n, noun)
}
