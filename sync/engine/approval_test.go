package engine

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/rollcall-sync/rollcall/sync/directory"
	"github.com/rollcall-sync/rollcall/sync/directory/memory"
)

func (r *rig) setStatus(status directory.Status, ids ...string) {
	for _, id := range ids {
		r.source.Edit(id, func(a *directory.Account) { a.Status = status })
	}
}

// refusedRun expects that a run does not begin, because its token is not taken.
func (r *rig) refusedRun(part string) {
	r.t.Helper()
	report, err := r.engine.Run(r.t.Context(), r.job)
	if !errors.Is(err, ErrApproval) || report != nil || !strings.Contains(fmt.Sprint(err), part) {
		r.t.Errorf("report %+v, error %v; want one about %q", report, err, part)
	}
}

func TestAnApprovalHoldsForOneRun(t *testing.T) {
	r := newRig(t)
	ids := r.people(30)
	r.run()
	r.setStatus(directory.StatusInactive, ids[:8]...)
	token := r.expect(StatusRefused).Verdict.Token
	r.job.Approve = token
	r.expect(StatusOK, "deactivated 8")
	r.job.Approve = ""
	r.setStatus(directory.StatusActive, ids[:8]...)
	r.expect(StatusOK, "activated 8")
	r.setStatus(directory.StatusInactive, ids[:8]...)
	r.job.Approve = token
	r.refusedRun("tokens hold for one run")
	r.job.Approve = ""
	r.job.Approve = r.expect(StatusRefused).Verdict.Token
	r.expect(StatusOK, "deactivated 8")
}

// A plan, and a run that is refused beyond the approval, write nothing, so they leave the token as it is.
func TestAnApprovalIsUsedUpByWritingOnly(t *testing.T) {
	r := newRig(t)
	ids := r.people(30)
	r.run()
	r.setStatus(directory.StatusInactive, ids[:8]...)
	r.job.Approve = r.expect(StatusRefused).Verdict.Token
	if p := r.plan(); p.Verdict.Refused {
		t.Errorf("%+v", p.Verdict)
	}
	r.setStatus(directory.StatusInactive, ids[8])
	r.expect(StatusRefused)
	r.setStatus(directory.StatusActive, ids[8])
	r.expect(StatusOK, "deactivated 8")
}

// A run that ends between two operations leaves a plan behind that is refused, and approved, anew.
func TestWhatAnInterruptedApprovedRunLeftIsApprovedAnew(t *testing.T) {
	r := newRig(t)
	ids := r.people(30)
	r.run()
	r.setStatus(directory.StatusInactive, ids[:20]...)
	r.job.Approve = r.expect(StatusRefused).Verdict.Token
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	r.target.SetFault(func(op string, _ int) error {
		if op == memory.OpSetStatus {
			cancel()
		}
		return nil
	})
	report, err := r.engine.Run(ctx, r.job)
	if report == nil || report.Status != StatusInterrupted {
		t.Fatalf("report %+v, error %v", report, err)
	}
	r.target.SetFault(nil)
	r.refusedRun("tokens hold for one run")
	r.job.Approve = ""
	rest := r.expect(StatusRefused)
	r.job.Approve = rest.Verdict.Token
	r.expect(StatusOK, fmt.Sprintf("deactivated %d", 20-report.Counts.Deactivated))
}

// A token of one person's plan is no word on everybody else's, and the other way round.
func TestAnApprovalHoldsForItsExtent(t *testing.T) {
	r := newRig(t)
	r.people(30)
	r.run()
	r.job.Sync.Scope = `username != "person001"` // a changed rule needs an approval
	r.job.Account = "person001"
	one := r.expect(StatusRefused).Verdict.Token
	r.job.Account = ""
	all := r.expect(StatusRefused).Verdict.Token
	if one == all {
		t.Errorf("one token for a plan of one person and of everybody: %s", one)
	}
	r.job.Approve = one
	r.refusedRun(`approves a plan of --account person001, and this run is of the whole sync`)
	r.job.Account, r.job.Approve = "person001", all
	r.refusedRun(`approves a plan of the whole sync, and this run is of --account person001`)
	r.job.Account, r.job.TrustSize = "", []string{"staff"}
	r.refusedRun(`this run is of --trust-size staff`)
	r.job.TrustSize = nil
	r.expect(StatusOK, "deactivated 1")
}
