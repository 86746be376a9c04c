package engine

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/rollcall-sync/rollcall/sync/directory"
	"github.com/rollcall-sync/rollcall/sync/guard"
	"github.com/rollcall-sync/rollcall/sync/plan"
	"github.com/rollcall-sync/rollcall/sync/state"
)

// What the engine remembers between runs besides links: the rules under which the last run was accepted, and the refused
// plans that may be approved.

const approvalLife = 7 * 24 * time.Hour

type acceptedRules struct {
	Fingerprint string `json:"fingerprint"`
	// Source and Target are the identities of the directories.
	Source string `json:"source,omitempty"`
	Target string `json:"target,omitempty"`
	// Seen is what the rules use of the source and the source had; see world.used.
	Seen []string  `json:"seen,omitempty"`
	Run  string    `json:"run"`
	At   time.Time `json:"at"`
}

func rulesKey(sync string) string           { return "rules/" + sync }
func approvalKey(sync, token string) string { return "approval/" + sync + "/" + token }

// accept remembers the rules and the places as those under which a whole plan was let through. A plan from an incomplete
// listing, or of one person, lacks what they would do to everybody else, so it accepts nothing. A place that is another one, and
// where ids mean other people, is not accepted because nothing is written to those.
func (w *world) accept(ctx context.Context, report *Report) error {
	if w.direct || !w.source.Certificate.Complete || !w.target.Certificate.Complete {
		return nil
	}
	if slices.ContainsFunc(w.plan.Notes, func(n plan.Note) bool { return n.Kind == plan.NoteIdentity }) {
		if _, moved, _, err := w.changedSince(ctx); err != nil || moved != "" {
			return err
		}
	}
	seen := slices.DeleteFunc(w.used(), func(name string) bool { return !w.sourceHas(name) })
	data, err := json.Marshal(acceptedRules{w.rules, w.sourceSide.Identity, w.targetSide.Identity, seen, report.Run, w.engine.options.Now().UTC()})
	if err != nil {
		return err
	}
	return w.engine.options.State.SetMeta(ctx, rulesKey(w.sync.Name), string(data))
}

// The names of what rules use of a source, as they are remembered and told.
const (
	usedStatus    = "status of accounts"
	usedAttribute = "attribute "
	usedGroup     = "group "
)

// used names what the rules use of the source: the status, attributes and groups. A column that was renamed or a group that
// went away looks to the rules like nobody having the value or being a member.
func (w *world) used() []string {
	names := []string{usedStatus}
	for _, attribute := range w.mapping.SourceAttributes() {
		names = append(names, usedAttribute+attribute)
	}
	groups, _ := w.mapping.SourceGroups()
	for _, group := range groups {
		names = append(names, usedGroup+group)
	}
	return names
}

// sourceHas reports whether the source has what used names, in this run.
func (w *world) sourceHas(name string) bool {
	if attribute, ok := strings.CutPrefix(name, usedAttribute); ok {
		_, described := w.source.Description.Attribute(attribute)
		return described
	}
	if wanted, ok := strings.CutPrefix(name, usedGroup); ok {
		return slices.ContainsFunc(w.source.Groups, func(g directory.Group) bool { return wanted == g.ID || wanted == g.Path || wanted == g.Name })
	}
	return !w.source.Description.NoStatus
}

// lost says what the source had in the last accepted run, and the rules use, and it no longer has; empty for nothing.
func (w *world) lost(last acceptedRules, when string) string {
	var gone []string
	for _, name := range w.used() {
		if slices.Contains(last.Seen, name) && !w.sourceHas(name) {
			gone = append(gone, name)
		}
	}
	if len(gone) == 0 {
		return ""
	}
	return fmt.Sprintf("%s no longer has what the rules use: %s (it had in %s)", w.sourceSide.Name, strings.Join(gone, ", "), when)
}

// changedSince says what is different from the last accepted run: the rules, where a directory is, and what the source has of
// what the rules use. All are empty when nothing is, or when nobody is linked yet.
func (w *world) changedSince(ctx context.Context) (changedRules, moved, lost string, err error) {
	text, err := w.engine.options.State.Meta(ctx, rulesKey(w.sync.Name))
	if err != nil || text == "" || w.linkedCount == 0 {
		return "", "", "", err
	}
	var last acceptedRules
	if err := json.Unmarshal([]byte(text), &last); err != nil {
		return "", "", "", fmt.Errorf("state: what is kept of the rules of %s cannot be read: %w", w.sync.Name, err)
	}
	when := fmt.Sprintf("run %s of %s", last.Run, last.At.Format(time.DateOnly))
	if last.Fingerprint != w.rules {
		changedRules = when
	}
	for _, side := range []struct{ name, was, is string }{
		{w.sourceSide.Name, last.Source, w.sourceSide.Identity}, {w.targetSide.Name, last.Target, w.targetSide.Identity},
	} {
		if side.was != "" && side.was != side.is {
			moved = fmt.Sprintf("%s is %s now and was %s in %s", side.name, side.is, side.was, when)
		}
	}
	return changedRules, moved, w.lost(last, when), nil
}

// extent is what a plan was made of: one person or everybody, and whose size was taken as true. What is approved for one
// extent was never looked at for another.
type extent struct {
	Account   string   `json:"account,omitempty"`
	TrustSize []string `json:"trust_size,omitempty"`
}

func extentOf(job Job) extent {
	trusted := slices.Sorted(slices.Values(job.TrustSize))
	return extent{strings.TrimSpace(job.Account), slices.Compact(trusted)}
}

// String is empty for the usual whole.
func (x extent) String() string {
	var parts []string
	if x.Account != "" {
		parts = append(parts, "--account "+x.Account)
	}
	for _, name := range x.TrustSize {
		parts = append(parts, "--trust-size "+name)
	}
	return strings.Join(parts, " ")
}

type offeredApproval struct {
	Keys   []string  `json:"keys"`
	At     time.Time `json:"at"`
	Extent extent    `json:"extent"`
}

// offerApproval remembers a refused plan under its token. Older offers of the sync are forgotten after a week.
func (e *Engine) offerApproval(ctx context.Context, job Job, verdict guard.Verdict) error {
	offers, err := e.options.State.Metas(ctx, approvalKey(job.Sync.Name, ""))
	if err != nil {
		return err
	}
	for key, text := range offers {
		var offer offeredApproval
		if json.Unmarshal([]byte(text), &offer) != nil || e.stale(offer.At) {
			if err := e.options.State.SetMeta(ctx, key, ""); err != nil {
				return err
			}
		}
	}
	data, err := json.Marshal(offeredApproval{verdict.Keys, e.options.Now().UTC(), extentOf(job)})
	if err != nil {
		return err
	}
	return e.options.State.SetMeta(ctx, approvalKey(job.Sync.Name, verdict.Token), string(data))
}

// stale says that an offer is too old; one from the future was made under a clock that was wrong.
func (e *Engine) stale(at time.Time) bool { return e.options.Now().Sub(at).Abs() > approvalLife }

// approval returns the operations that the token of a job approves.
func (e *Engine) approval(ctx context.Context, job Job) ([]string, error) {
	sync, token := job.Sync.Name, job.Approve
	text, err := e.options.State.Meta(ctx, approvalKey(sync, token))
	if err != nil {
		return nil, err
	}
	var offer offeredApproval
	if text == "" || json.Unmarshal([]byte(text), &offer) != nil || e.stale(offer.At) {
		return nil, fmt.Errorf("sync %s: %w: %q; run `rollcall plan %s` and use the token it prints (tokens hold for one run and for a week)", sync, ErrApproval, token, sync)
	}
	if was, is := offer.Extent.String(), extentOf(job).String(); was != is {
		return nil, fmt.Errorf("sync %s: %w: %q approves a plan of %s, and this run is of %s; run it with the same flags, or approve a plan of this one",
			sync, ErrApproval, token, orID(was, "the whole sync"), orID(is, "the whole sync"))
	}
	return offer.Keys, nil
}

// useApproval ends the approval of a run that is about to write. What is left of its plan where the run breaks off is
// refused anew, under a token of its own, and looked at again.
func (w *world) useApproval(ctx context.Context) error {
	if w.job.Approve == "" {
		return nil
	}
	return w.engine.options.State.SetMeta(ctx, approvalKey(w.sync.Name, w.job.Approve), "")
}

// usualRuns is how many runs a refusal compares with.
const usualRuns = 30

func (e *Engine) usualRemovals(ctx context.Context, sync string) ([]int, error) {
	runs, err := e.options.State.Runs(ctx, state.RunFilter{Sync: sync, Limit: usualRuns})
	if err != nil {
		return nil, err
	}
	var usual []int
	for _, run := range runs {
		var report Report
		if len(run.Report) == 0 || json.Unmarshal(run.Report, &report) != nil {
			continue
		}
		if report.Account == "" && (report.Status == StatusOK || report.Status == StatusNothing || report.Status == StatusPartial) {
			usual = append(usual, report.Counts.Deactivated+report.Counts.Deleted+report.Counts.GroupRemoved)
		}
	}
	return usual, nil
}

func randomTail() string { return strings.ToLower(rand.Text()[:4]) }

// pendingOf returns the intents without outcome that an interrupted run left behind.
func (e *Engine) pendingOf(ctx context.Context, sync string) ([]state.Entry, error) {
	pending, err := e.options.State.Pending(ctx, sync)
	if errors.Is(err, state.ErrNotFound) {
		return nil, nil
	}
	return pending, err
}
