package simulation

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/rollcall-sync/rollcall/sync/directory"
	"github.com/rollcall-sync/rollcall/sync/directory/memory"
	"github.com/rollcall-sync/rollcall/sync/engine"
	"github.com/rollcall-sync/rollcall/sync/plan"
	"github.com/rollcall-sync/rollcall/sync/state"
)

// process is one run of the engine, as a process of its own: with its own handles on both directories, through which every
// call passes the weather and is seen by the laws.
type process struct {
	world   *world
	number  int
	db      *state.DB
	weather weather
	cancel  context.CancelFunc
	job     engine.Job

	source, target *memory.Directory

	mu       sync.Mutex
	asleep   chan struct{} // closed when a sleeping process wakes; nil while it is awake
	dead     bool
	calls    int
	sideCall map[plan.Side]int
	writing  int
	attempts map[string]int
	// refusing is set while half of a bulk call is done: what comes after so many records is not.
	refusing  map[plan.Side]*int
	firstPage map[plan.Side][]directory.Account
	late      []func()
	seen      []*write
	// versions are the truths that the run may have read, the first as it began.
	versions []truth
	edited   bool
	overtook bool // another process took the sync over
	// overtaken is when that was; zero where it was not, or for the one that took over.
	overtaken time.Time
	ahead     time.Duration // how far its clock is ahead
	// held and approved are what the guard's limits are judged by; approved is nil for a run without approval.
	held         int
	approved     map[string]bool
	beyondLimits bool // more than the limits allow, as approved
}

// truth is what both directories held at one time: source accounts by employee id, target accounts by id.
type truth struct {
	source, target map[string]directory.Account
}

// errDead is what a dead process would never see.
var errDead = &directory.Error{Kind: directory.Retryable, Err: errors.New("the process is dead")}

func (w *world) directory(side plan.Side) *memory.Directory {
	if side == plan.Source {
		return w.source
	}
	return w.target
}

func (w *world) truth() truth {
	t := truth{source: map[string]directory.Account{}, target: map[string]directory.Account{}}
	for _, account := range w.source.Accounts() {
		t.source[idOf(account)] = account
	}
	for _, account := range w.target.Accounts() {
		t.target[account.ID] = account
	}
	return t
}

// remember tells the processes at work that the truth has changed.
func (w *world) remember() {
	for _, p := range w.processes {
		p.mu.Lock()
		p.versions, p.edited = append(p.versions, w.truth()), true
		p.mu.Unlock()
	}
}

// start makes a process ready to run.
func (w *world) start(db *state.DB, v weather, account string) *process {
	w.runs++
	w.story.Runs++
	p := &process{
		world: w, number: w.runs, db: db, weather: v, sideCall: map[plan.Side]int{}, attempts: map[string]int{}, refusing: map[plan.Side]*int{},
		firstPage: map[plan.Side][]directory.Account{}, versions: []truth{w.truth()},
	}
	session := func(d *memory.Directory, side plan.Side) *memory.Directory {
		return d.Session(func(o *memory.Options) {
			o.Around = func(ctx context.Context, call memory.Call, do func() error) error {
				return p.around(ctx, side, call, do)
			}
			o.Refuse = func(request directory.CreateRequest) error { return p.refuse(side, request) }
		})
	}
	p.source, p.target = session(w.source, plan.Source), session(w.target, plan.Target)
	p.job = engine.Job{
		Sync: w.shape.sync, Source: view(p.source, w.shape.sourceView), Target: view(p.target, w.shape.targetView), Account: account, Trigger: "simulation",
	}
	if w.trust {
		p.job.TrustSize = []string{"staff", "website"}
	}
	err := db.Links(w.ctx(), w.shape.sync.Name, func(head state.LinkHead) error {
		if head.Claim == state.Held {
			p.held++
		}
		return nil
	})
	if err != nil {
		w.breaks(0, "the links cannot be read: %v", err)
	}
	w.processes = append(w.processes, p)
	return p
}

func (p *process) engine(now func() time.Time) *engine.Engine {
	return engine.New(engine.Options{State: p.db, Snapshots: filepath.Join(p.world.options.Folder, fmt.Sprintf("listings-%d", p.number%2)), Now: now})
}

// end forgets a process, and lets arrive what was still on its way to a directory.
func (p *process) end() {
	p.world.processes = slices.DeleteFunc(p.world.processes, func(other *process) bool { return other == p })
	for _, do := range p.late {
		do()
	}
	if len(p.late) > 0 {
		p.world.remember()
	}
	p.world.stamp()
}

// run is one run in some weather; nil where the process died or the run did not begin. prepare may change the job.
func (w *world) run(v weather, account string, prepare func(*process)) *engine.Report {
	p := w.start(w.db, v, account)
	if prepare != nil {
		prepare(p)
	}
	who := ""
	if account != "" {
		who = " of " + account
	}
	w.say("run %d%s: %s", p.number, who, v)
	ctx, cancel := context.WithCancel(w.ctx())
	defer cancel()
	p.cancel = cancel
	report, err := p.engine(nil).Run(ctx, p.job)
	if !w.good() { // the law was broken in the middle of it
		p.end()
		return nil
	}
	if p.dead {
		w.story.Crashes++
		w.reboot()
		p.judgeJournal("", nil)
		p.judgeRules(nil)
		p.end()
		return nil
	}
	w.tell(report, err)
	p.judgeRun(report, err)
	p.end()
	return report
}

// approve approves what the guard refuses and runs it.
func (w *world) approve(v weather) *engine.Report {
	p := w.start(w.db, weather{}, "")
	prepared, err := p.engine(nil).Plan(w.ctx(), p.job)
	p.end()
	switch {
	case err != nil:
		w.breaks(1, "no plan can be made in calm weather: %v", err)
		return nil
	case !prepared.Verdict.Refused:
		return w.run(v, "", nil)
	case prepared.Verdict.Token == "":
		w.breaks(1, "a plan that cannot be approved: %+v", prepared.Verdict.Reasons)
		return nil
	}
	w.say("  approved: %s", prepared.Summary())
	if !v.calm() && w.rng.IntN(2) == 0 { // the world does not wait for an approval
		w.happen(pick(w.rng, sourceEvents...), w.rng)
	}
	approved := map[string]bool{}
	keys, err := prepared.Plan.Keys()
	if err != nil {
		w.breaks(1, "the plan cannot be read: %v", err)
		return nil
	}
	for _, key := range keys {
		approved[key] = true
	}
	return w.run(v, "", func(p *process) { p.job.Approve, p.approved = prepared.Verdict.Token, approved })
}

// tell puts the end of a run into the story.
func (w *world) tell(report *engine.Report, err error) {
	switch {
	case report == nil:
		w.say("  not begun: %v", err)
		return
	case err != nil:
		w.say("  %s: %v", report.Status, err)
	default:
		w.say("  %s: %s", report.Status, report.Counts.Sentence())
	}
	for _, reason := range report.Reasons {
		w.say("    because %s", reason)
	}
	for _, f := range report.Failures {
		w.say("    failed: %s %s: %s", f.Operation, f.Account, f.Message)
	}
	for _, note := range report.Notes {
		w.say("    note: %s: %s", note.Account, note.Message)
	}
}

// crash ends the process as kill -9 would: what is on disk at this moment is all that is left of it. The engine itself goes
// on for a while without any effect, in a state file that nobody will open again.
func (p *process) crash() {
	w := p.world
	w.options.Settle() // a half-written transaction is the state package's own concern
	w.states++
	next := filepath.Join(w.options.Folder, fmt.Sprintf("state-%d.db", w.states))
	for _, suffix := range []string{"", "-wal"} {
		err := copyFile(w.statePath+suffix, next+suffix)
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			w.breaks(0, "the state cannot be copied: %v", err)
		}
	}
	p.mu.Lock()
	p.dead = true
	p.mu.Unlock()
	w.say("  the process dies")
}

// reboot opens what the dead process left behind. The heartbeat of the dead has to run out, because its lease names this
// very process.
func (w *world) reboot() {
	if err := w.db.Close(); err != nil {
		w.breaks(0, "the state of the dead process cannot be closed: %v", err)
	}
	w.statePath = filepath.Join(w.options.Folder, fmt.Sprintf("state-%d.db", w.states))
	if err := w.openState(); err != nil {
		w.breaks(0, "the state cannot be opened after a crash: %v", err)
	}
	w.sleep(time.Minute)
}

// rival starts a second process in the middle of this one's run. It must not begin; unless this one has been asleep for so
// long that its lease has run out: then the other one does the work, and this one must notice.
func (p *process) rival() {
	w := p.world
	now := time.Now
	if p.weather.takeover {
		now = func() time.Time { return time.Now().Add(time.Minute) }
		p.mu.Lock()
		p.asleep = make(chan struct{})
		p.mu.Unlock()
		defer func() {
			p.mu.Lock()
			defer p.mu.Unlock()
			close(p.asleep)
			p.asleep = nil
		}()
	}
	db, err := state.Open(w.ctx(), w.statePath, state.Options{Now: now})
	if err != nil {
		w.breaks(0, "a second process cannot open the state: %v", err)
		return
	}
	defer db.Close() //nolint:errcheck // a second process that ends
	other := w.start(db, weather{}, "")
	defer other.end()
	if p.weather.takeover {
		other.ahead = time.Minute
		w.changedRules = w.changedRules && p.approved == nil
	}
	report, err := other.engine(now).Run(w.ctx(), other.job)
	if !p.weather.takeover {
		w.say("  a second process comes")
		if !errors.Is(err, state.ErrBusy) || other.calls > 0 {
			w.breaks(10, "a second process began while another one was at work (%v, %d calls)", err, other.calls)
		}
		return
	}
	w.say("  asleep for a minute; a second process takes over")
	w.tell(report, err)
	p.overtook, p.overtaken = true, time.Now()
	if w.good() {
		other.overtook = true // what the sleeper still had on its way may arrive in the middle
		other.judgeRun(report, err)
	}
}
