package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/rollcall-sync/rollcall/sync/diff"
	"github.com/rollcall-sync/rollcall/sync/directory"
	"github.com/rollcall-sync/rollcall/sync/mapping"
	"github.com/rollcall-sync/rollcall/sync/plan"
	"github.com/rollcall-sync/rollcall/sync/state"
)

// Explanation is everything that a run knows about one person, and what it would do.
type Explanation struct {
	Sync string `json:"sync"`
	Who  string `json:"who"`
	// From says where the records come from: looked up now, or the last listings and their age.
	From string `json:"from"`
	// Source and Target are the records as received.
	Source     *RecordView          `json:"source,omitempty"`
	Target     *RecordView          `json:"target,omitempty"`
	Link       *LinkView            `json:"link,omitempty"`
	Rules      *mapping.Explanation `json:"rules,omitempty"`
	Candidates []CandidateView      `json:"candidates,omitempty"`
	Operations []plan.Operation     `json:"operations"`
	Notes      []plan.Note          `json:"notes"`
	// Reason is the sentence why.
	Reason  string        `json:"reason"`
	History []HistoryLine `json:"history,omitempty"`
}

// RecordView is one account as received.
type RecordView struct {
	Directory  string               `json:"directory"`
	ID         string               `json:"id"`
	Status     string               `json:"status"`
	Attributes directory.Attributes `json:"attributes"`
	Groups     []string             `json:"groups,omitempty"`
	Privileged string               `json:"privileged,omitempty"`
	ReadOnly   string               `json:"read_only,omitempty"`
	Problem    string               `json:"problem,omitempty"`
}

// LinkView is a link for people.
type LinkView struct {
	SourceID      string     `json:"source_id"`
	TargetID      string     `json:"target_id"`
	Origin        string     `json:"origin"`
	Claim         string     `json:"claim"`
	Created       time.Time  `json:"created"`
	Run           string     `json:"run,omitempty"`
	DeactivatedAt *time.Time `json:"deactivated_at,omitempty"`
	MissingRuns   int        `json:"missing_runs,omitempty"`
}

// CandidateView is one match.
type CandidateView struct {
	ID       string `json:"id"`
	Account  string `json:"account"`
	By       string `json:"by"`
	LinkedTo string `json:"linked_to,omitempty"`
	Guarded  string `json:"guarded,omitempty"`
}

// HistoryLine is one earlier operation on the person.
type HistoryLine struct {
	Run     string    `json:"run"`
	At      time.Time `json:"at"`
	Side    string    `json:"side"`
	Action  string    `json:"action"`
	Result  string    `json:"result"`
	Message string    `json:"message,omitempty"`
}

// Explain says what the rules make of one person and what a run would do, and writes nothing. Offline it works from the
// last listings, whatever their age, and from what the journal says was written since.
func (e *Engine) Explain(ctx context.Context, job Job, who string, offline bool) (*Explanation, error) {
	job.Account, job.Approve = who, ""
	w, err := e.open(ctx, job)
	if err != nil {
		return nil, err
	}
	defer w.discard()
	from := "looked up now"
	if w.offline = offline; offline {
		from, err = w.readKept(ctx, who)
	} else if err = w.identify(ctx); err == nil {
		err = w.readOne(ctx)
	}
	if err != nil {
		return nil, err
	}
	if err := w.recover(ctx, false); err != nil {
		return nil, err
	}
	if err := w.compare(ctx); err != nil {
		return nil, err
	}
	return w.explain(ctx, who, from)
}

// explain gathers the explanation of the one person who was read.
func (w *world) explain(ctx context.Context, who, from string) (*Explanation, error) {
	operations, err := w.plan.Operations.Slice(0, w.plan.Operations.Len())
	if err != nil {
		return nil, err
	}
	x := &Explanation{Sync: w.sync.Name, Who: who, From: from, Operations: operations, Notes: w.plan.Notes}
	c := diff.Case{}
	for i := range w.source.Len() {
		account, err := w.source.At(i)
		if err != nil {
			return nil, err
		}
		x.Source = w.view(account, w.sourceSide.Name, w.decider.SourceGroups)
		c.Source = w.sourceRecord(account)
		rules := w.mapping.Explain(mapping.Record{Account: account, Groups: w.decider.SourceGroups.Resolve(account.Groups, w.sync.GroupOptions.Nested)})
		x.Rules = &rules
	}
	link, err := w.linkOf(ctx, c.Source)
	if err != nil {
		return nil, err
	}
	if link != nil {
		x.Link = viewLink(*link)
		if c, err = w.linkedCase(ctx, *link); err != nil {
			return nil, err
		}
		if c.Target != nil {
			x.Target = w.view(c.Target.Account, w.targetSide.Name, w.decider.TargetGroups)
		}
	} else if c.Source != nil {
		if c.Candidates, err = w.candidates(ctx, c.Source); err != nil {
			return nil, err
		}
		for _, candidate := range c.Candidates {
			x.Candidates = append(x.Candidates, CandidateView{
				ID: candidate.Record.Account.ID, Account: candidate.Record.Account.Label(), By: candidate.By, LinkedTo: candidate.LinkedTo, Guarded: diff.Guarded(candidate.Record),
			})
		}
	}
	decision := w.decider.Decide(c)
	x.Reason = decision.Reason
	return x, w.history(ctx, x)
}

// linkOf returns the link of the person, whichever side was found.
func (w *world) linkOf(ctx context.Context, source *diff.Record) (*state.Link, error) {
	var ids []string
	if source != nil {
		ids = append(ids, source.Account.ID)
	}
	for _, id := range append(ids, sortedKeys(w.missing)...) {
		link, err := w.engine.options.State.LinkBySource(ctx, w.sync.Name, id)
		if err == nil {
			return &link, nil
		}
		if !errors.Is(err, state.ErrNotFound) {
			return nil, err
		}
	}
	return nil, nil
}

func viewLink(link state.Link) *LinkView {
	v := &LinkView{
		SourceID: link.SourceID, TargetID: link.TargetID, Origin: string(link.Origin), Claim: link.Claim.String(), Created: link.CreatedAt, Run: link.CreatedRun,
		MissingRuns: link.MissingRuns,
	}
	if !link.DeactivatedAt.IsZero() {
		v.DeactivatedAt = &link.DeactivatedAt
	}
	return v
}

func (w *world) view(account directory.Account, name string, groups *diff.Groups) *RecordView {
	v := &RecordView{
		Directory: name, ID: account.ID, Status: account.Status.String(), Attributes: account.Attributes, Privileged: account.Privileged,
		ReadOnly: account.ReadOnly, Problem: account.Problem,
	}
	for _, id := range account.Groups {
		label := id
		if group, ok := groups.ByID(id); ok {
			label = orID(orID(group.Path, group.Name), id)
		}
		v.Groups = append(v.Groups, label)
	}
	return v
}

// lastLines is how many earlier operations an explanation shows.
const lastLines = 10

func (w *world) history(ctx context.Context, x *Explanation) error {
	seen := map[string]bool{}
	for i, view := range []*RecordView{x.Source, x.Target} {
		if view == nil {
			continue
		}
		err := w.engine.options.State.Entries(ctx, state.EntryFilter{Sync: w.sync.Name, Account: view.ID}, func(e state.Entry) error {
			// The filter finds an id on either side, where it may be somebody else's.
			if (i == 0 && e.SourceID != view.ID) || (i == 1 && e.TargetID != view.ID) {
				return nil
			}
			key := fmt.Sprintf("%s/%d", e.Run, e.Seq)
			if !seen[key] {
				seen[key] = true
				x.History = append(x.History, HistoryLine{Run: e.Run, At: e.IntentAt, Side: e.Side, Action: e.Action, Result: string(e.Result), Message: e.Message})
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	if len(x.History) > lastLines {
		x.History = x.History[len(x.History)-lastLines:]
	}
	return nil
}

// JSON renders the explanation for machines.
func (x *Explanation) JSON() ([]byte, error) {
	data, err := json.MarshalIndent(x, "", "  ")
	return data, err
}

// Sentence says in one line what would happen.
func (x *Explanation) Sentence() string {
	if len(x.Operations) == 0 {
		return "nothing to do: " + x.Reason
	}
	var parts []string
	for _, o := range x.Operations {
		parts = append(parts, o.Describe())
	}
	return strings.Join(parts, "; ") + " (" + x.Reason + ")"
}
