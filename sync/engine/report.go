package engine

import (
	"fmt"
	"slices"
	"time"

	"github.com/rollcall-sync/rollcall/sync/apply"
	"github.com/rollcall-sync/rollcall/sync/diff"
	"github.com/rollcall-sync/rollcall/sync/guard"
	"github.com/rollcall-sync/rollcall/sync/plan"
)

// Status is how a run ended.
type Status string

// The statuses, from best to worst.
const (
	StatusOK          Status = "ok"          // changes were made, none failed
	StatusNothing     Status = "nothing"     // there was nothing to do
	StatusPartial     Status = "partial"     // some accounts failed, the others are done
	StatusWithheld    Status = "withheld"    // a listing was not proven complete; removals were held back
	StatusRefused     Status = "refused"     // the guard refused the plan; nothing was written
	StatusInterrupted Status = "interrupted" // ended from outside between two operations
	StatusFailed      Status = "failed"      // could not be run, or the report does not add up
)

// Counts are the sums of a run. SourceRead = Unchanged + Changed + Skipped + Failed.
type Counts struct {
	SourceRead   int `json:"source_read"`
	TargetRead   int `json:"target_read"`
	Unchanged    int `json:"unchanged"`
	Changed      int `json:"changed"`
	Linked       int `json:"linked"`
	Created      int `json:"created"`
	Updated      int `json:"updated"`
	Activated    int `json:"activated"`
	Deactivated  int `json:"deactivated"`
	Deleted      int `json:"deleted"`
	GroupAdded   int `json:"group_added"`
	GroupRemoved int `json:"group_removed"`
	GroupCreated int `json:"group_created"`
	WrittenBack  int `json:"written_back"`
	Skipped      int `json:"skipped"`
	Suspected    int `json:"suspected"`
	Conflicts    int `json:"conflicts"`
	Unmanaged    int `json:"unmanaged"`
	// Failed counts accounts of the source; FailedOthers operations on accounts that the source does not list.
	Failed       int `json:"failed"`
	FailedOthers int `json:"failed_others"`
}

// RequestPair counts requests to the vendors.
type RequestPair struct {
	Source int64 `json:"source"`
	Target int64 `json:"target"`
}

// Report is what a run was. Its JSON is stable.
type Report struct {
	Run         string          `json:"run"`
	Sync        string          `json:"sync"`
	Status      Status          `json:"status"`
	Reasons     []string        `json:"reasons"`
	Certificate CertificatePair `json:"certificate"`
	Counts      Counts          `json:"counts"`
	Requests    RequestPair     `json:"requests"`
	Started     time.Time       `json:"started"`
	Seconds     float64         `json:"seconds"`
	Failures    []apply.Failure `json:"failures"`
	Notes       []plan.Note     `json:"notes"`
	// FailuresLeftOut and NotesLeftOut count what the report that the state keeps leaves out; see kept.
	FailuresLeftOut int                   `json:"failures_left_out,omitempty"`
	NotesLeftOut    map[plan.NoteKind]int `json:"notes_left_out,omitempty"`
	Verdict         *guard.Verdict        `json:"verdict,omitempty"`
	Trigger         string                `json:"trigger"`
	// Account is set for a run of one person.
	Account string `json:"account,omitempty"`
	Version string `json:"version,omitempty"`
}

// What the state keeps of a report: a bad night has a million notes, and there is a night every day.
const (
	mostFailures     = 10_000
	mostNotesOfAKind = 1_000
)

// kept returns the report as the state keeps it: the first failures, the first notes of each kind, and how many more there were.
func (r *Report) kept() *Report {
	k := *r
	if more := len(r.Failures) - mostFailures; more > 0 {
		k.Failures, k.FailuresLeftOut = r.Failures[:mostFailures:mostFailures], more
	}
	seen := make(map[plan.NoteKind]int)
	k.Notes = make([]plan.Note, 0, min(len(r.Notes), mostNotesOfAKind))
	for _, note := range r.Notes {
		if seen[note.Kind]++; seen[note.Kind] <= mostNotesOfAKind {
			k.Notes = append(k.Notes, note)
			continue
		}
		if k.NotesLeftOut == nil {
			k.NotesLeftOut = make(map[plan.NoteKind]int)
		}
		k.NotesLeftOut[note.Kind]++
	}
	return &k
}

// countDone takes the result of apply into the counts.
func (c *Counts) countDone(done map[plan.Side]map[plan.Action]int) {
	target := done[plan.Target]
	c.Linked += target[plan.Link]
	c.Created += target[plan.Create]
	c.Updated += target[plan.Update]
	c.Activated += target[plan.Activate]
	c.Deactivated += target[plan.Deactivate]
	c.Deleted += target[plan.Delete]
	c.GroupAdded += target[plan.GroupAdd]
	c.GroupRemoved += target[plan.GroupRemove]
	c.GroupCreated += target[plan.CreateGroup]
	for _, n := range done[plan.Source] {
		c.WrittenBack += n
	}
}

// countNotes takes what was left alone into the counts.
func (c *Counts) countNotes(notes []plan.Note) {
	for _, note := range notes {
		switch note.Kind {
		case plan.NoteSuspected:
			c.Suspected++
		case plan.NoteConflict, plan.NoteAmbiguous, plan.NoteMatch:
			c.Conflicts++
		}
	}
}

// classes counts source accounts by what became of them.
type classes [4]int

func (t *classes) add(class diff.Class) { t[class]++ }

func (c *Counts) take(t classes) {
	c.Unchanged, c.Changed, c.Skipped, c.Failed = t[diff.Unchanged], t[diff.Changed], t[diff.Skipped], t[diff.Failed]
}

// addUp checks that every account that was read has exactly one class.
func (c *Counts) addUp() error {
	if sum := c.Unchanged + c.Changed + c.Skipped + c.Failed; sum != c.SourceRead {
		return fmt.Errorf("the report does not add up: %d accounts were read, but %d unchanged + %d changed + %d skipped + %d failed = %d; please report this as a bug",
			c.SourceRead, c.Unchanged, c.Changed, c.Skipped, c.Failed, sum)
	}
	return nil
}

// conclude gives the report its status. An error comes first, then what an administrator most needs to know.
func (r *Report) conclude(verdict guard.Verdict, result apply.Result) {
	r.Failures = append(r.Failures, result.Failures...)
	for _, err := range result.Stopped {
		r.Reasons = append(r.Reasons, err.Error())
	}
	slices.Sort(r.Reasons)
	withheld := !r.Certificate.Source.Complete || !r.Certificate.Target.Complete
	switch {
	case verdict.Refused:
		r.Status, r.Verdict = StatusRefused, &verdict
		for _, reason := range verdict.Reasons {
			r.Reasons = append(r.Reasons, reason.Message)
		}
		if verdict.Command != "" {
			r.Reasons = append(r.Reasons, "if this is what you want: "+verdict.Command)
		}
	case result.Interrupted:
		r.Status = StatusInterrupted
		r.Reasons = append(r.Reasons, fmt.Sprintf("ended from outside with %d %s left; run it again to go on", result.Left, several(result.Left, "operation")))
	case withheld:
		r.Status = StatusWithheld
	case len(r.Failures) > 0:
		r.Status = StatusPartial
	case r.Counts.Changed > 0 || r.done():
		r.Status = StatusOK
	default:
		r.Status = StatusNothing
	}
	if withheld {
		for _, c := range []string{r.Certificate.Source.Failed(), r.Certificate.Target.Failed()} {
			if c != "" {
				r.Reasons = append(r.Reasons, "nobody loses access in this run: "+c)
			}
		}
		r.Reasons = append(r.Reasons, r.Certificate.Source.Remedies()...)
		r.Reasons = append(r.Reasons, r.Certificate.Target.Remedies()...)
	}
	if err := r.Counts.addUp(); err != nil {
		r.Status = StatusFailed
		r.Reasons = append([]string{err.Error()}, r.Reasons...)
	}
}

// done reports whether anything was written.
func (r *Report) done() bool {
	c := r.Counts
	return c.Linked+c.Created+c.Updated+c.Activated+c.Deactivated+c.Deleted+c.GroupAdded+c.GroupRemoved+c.GroupCreated+c.WrittenBack > 0
}
