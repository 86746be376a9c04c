// Package engine runs a sync from end to end, the same straight line every time:
//
//	read both sides → map → diff → plan → guard → apply → journal and report
//
// A plan stops before apply; one person on demand is the same line on one account.
package engine

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/rollcall-sync/rollcall/sync/apply"
	"github.com/rollcall-sync/rollcall/sync/directory"
	"github.com/rollcall-sync/rollcall/sync/guard"
	"github.com/rollcall-sync/rollcall/sync/plan"
	"github.com/rollcall-sync/rollcall/sync/rules"
	"github.com/rollcall-sync/rollcall/sync/snapshot"
	"github.com/rollcall-sync/rollcall/sync/state"
)

// Options are the surroundings of an engine.
type Options struct {
	State *state.DB
	// Snapshots is the folder for listings; private to the user.
	Snapshots string
	Log       *slog.Logger
	// Now and Sleep are the clock; nil means the real one.
	Now   func() time.Time
	Sleep func(context.Context, time.Duration) error
	// Version goes into journals and reports.
	Version string
}

// Engine runs syncs. It is safe for concurrent use; runs of one sync exclude each other, across processes.
type Engine struct {
	options Options
}

// New returns an engine.
func New(options Options) *Engine {
	if options.Log == nil {
		options.Log = slog.New(slog.DiscardHandler)
	}
	if options.Now == nil {
		options.Now = time.Now
	}
	if options.Sleep == nil {
		options.Sleep = sleep
	}
	return &Engine{options: options}
}

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

// Job is one execution of a sync.
type Job struct {
	Sync           rules.Sync
	Source, Target directory.Directory
	// Others are all the other configured syncs with the same target, in the order of the configuration; Earlier is how
	// many of them stand before this one.
	Others  []rules.Sync
	Earlier int
	// Configured names all configured syncs; nil where that is not known. What the state knows of others is an orphan.
	Configured []string
	// Account limits the run to one person: id, username or e-mail, of either side.
	Account string
	// Approve is the token of a refused plan that an administrator has approved.
	Approve string
	// TrustSize names directories whose number of accounts is taken as true for this run, also none.
	TrustSize []string
	// Trigger says why: "command", "schedule", "import".
	Trigger string
	// ApproveCommand is printed in refusals before the token.
	ApproveCommand string
	// Progress is called as the run goes on, never twice at the same time; nil is silent.
	Progress func(Progress)
}

// Stage is a part of a run.
type Stage string

// The stages that take time.
const (
	StageReadSource Stage = "reading source"
	StageReadTarget Stage = "reading target"
	StageCompare    Stage = "comparing"
	StageApply      Stage = "writing"
)

// Progress is how far a stage has come. Total is -1 where it is not known. Event is set for each finished operation.
type Progress struct {
	Stage       Stage
	Done, Total int
	Event       *apply.Event
}

// Prepared is what a run is going to do.
type Prepared struct {
	Plan        *plan.Plan      `json:"plan"`
	Verdict     guard.Verdict   `json:"verdict"`
	Certificate CertificatePair `json:"certificate"`
	Counts      Counts          `json:"counts"`
	Requests    RequestPair     `json:"requests"`
	Notices     map[string]int  `json:"notices,omitempty"` // mails that the plan would cause, by text
	Price       Price           `json:"price"`
	Seconds     float64         `json:"seconds"`
	Warnings    []string        `json:"warnings,omitempty"`

	source, target string // names of the directories
	scratch        *snapshot.Scratch
}

// Close removes what of a long plan was set aside on disk. The plan cannot be read afterwards.
func (p *Prepared) Close() error { return p.scratch.Close() }

// CertificatePair holds the certificates of both sides.
type CertificatePair struct {
	Source snapshot.Certificate `json:"source"`
	Target snapshot.Certificate `json:"target"`
}

// ErrExamples says that an example of the rules failed; nothing was read.
var ErrExamples = errors.New("an example of the rules failed")

// ErrNobody says that nobody was found for a name or id.
var ErrNobody = errors.New("nobody found")

// ErrAmbiguous says that more than one account answers to a name.
var ErrAmbiguous = errors.New("more than one account found")

// ErrApproval says that there is no refused plan to approve under that token.
var ErrApproval = errors.New("no such plan to approve")

// Plan reads both sides and says what a run would do. Nothing is written but the approval token of a refused plan. The plan is
// to be closed.
func (e *Engine) Plan(ctx context.Context, job Job) (*Prepared, error) {
	w, err := e.open(ctx, job)
	if err != nil {
		return nil, err
	}
	defer w.close()
	err = w.prepare(ctx, false)
	var prepared *Prepared
	if err == nil {
		prepared, err = w.prepared(ctx)
	}
	if err != nil {
		return nil, errors.Join(err, w.scratch.Close())
	}
	return prepared, nil
}
