package engine

import (
	"strings"
	"testing"
	"time"

	"github.com/rollcall-sync/rollcall/sync/apply"
	"github.com/rollcall-sync/rollcall/sync/directory"
	"github.com/rollcall-sync/rollcall/sync/plan"
)

func TestAPlanEndsWithWhatItCosts(t *testing.T) {
	r := newRig(t)
	ids := r.people(250)
	prepared := r.plan()
	if prepared.Price != (Price{Target: 3}) { // a hundred a call
		t.Errorf("250 creations cost %+v", prepared.Price)
	}
	if text := prepared.Summary(); strings.Contains(text, "writes") {
		t.Errorf("three calls are worth no word: %s", text)
	}
	r.run()
	for _, id := range ids[:60] {
		r.source.Set(id, directory.Attributes{"last_name": directory.Text("Moved")})
		r.source.Join(id, "g-web")
	}
	w := &world{engine: r.engine, sync: r.job.Sync}
	done := &apply.Result{Done: map[plan.Side]map[plan.Action]int{plan.Target: {plan.Update: 90, plan.Link: 1000}}}
	if err := w.rememberPace(t.Context(), done, 3*time.Second); err != nil {
		t.Fatal(err)
	}
	prepared = r.plan()
	if prepared.Price != (Price{Target: 120, Seconds: 4}) {
		t.Errorf("60 updates and 60 memberships cost %+v", prepared.Price)
	}
	if text := prepared.Summary(); !strings.HasSuffix(text, "about 120 writes to website, 4s at the pace of the last run") {
		t.Errorf("summary %q", text)
	}
}

// plan plans one night.
func (r *rig) plan() *Prepared {
	r.t.Helper()
	prepared, err := r.engine.Plan(r.t.Context(), r.job)
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() {
		if err := prepared.Close(); err != nil {
			r.t.Error(err)
		}
	})
	return prepared
}
