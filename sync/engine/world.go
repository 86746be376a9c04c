package engine

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/rollcall-sync/rollcall/sync/diff"
	"github.com/rollcall-sync/rollcall/sync/directory"
	"github.com/rollcall-sync/rollcall/sync/guard"
	"github.com/rollcall-sync/rollcall/sync/mapping"
	"github.com/rollcall-sync/rollcall/sync/plan"
	"github.com/rollcall-sync/rollcall/sync/rules"
	"github.com/rollcall-sync/rollcall/sync/snapshot"
	"github.com/rollcall-sync/rollcall/sync/state"
)

// world is everything that one run knows.
type world struct {
	engine  *Engine
	job     Job
	sync    rules.Sync
	mapping *mapping.Mapping
	rules   string // fingerprint

	sourceSide, targetSide directory.Description
	source, target         *snapshot.Snapshot
	sourceSelf, targetSelf string
	sourceStart            RequestPair
	started                time.Time

	decider     *diff.Decider
	sourceKeys  *snapshot.Keys
	targetKeys  *snapshot.Keys
	newcomers   *snapshot.Keys // see newcomersLike
	matchNames  []string
	direct      bool // one person, looked up directly
	offline     bool // no directory is asked
	gone        map[string]bool
	targetGone  map[string]bool
	missing     map[string]bool                    // see findSource
	listed      map[plan.Side]snapshot.Certificate // of listings that stood in for look-ups
	asked       map[string]bool                    // see provenGone
	faulty      map[uint64]bool                    // pairs with operations that count as failed for their record, by PairHash
	linkedCount int

	// recovered are links that an earlier run was about to make when it died, by source id; settled are the outcomes
	// that say so. unclear are source ids whose creation may or may not have happened.
	recovered map[string]state.Link
	settled   []state.Outcome
	unclear   map[string]bool

	plan     plan.Plan
	verdict  guard.Verdict
	approved []string
	counts   Counts
	classes  classes
	// changed counts the source accounts with operations, which apply may turn into failed.
	changed   int
	newGroups map[string]int // numbers of the operations that make groups
	scratch   *snapshot.Scratch
	warnings  []string
	orphans   []string // see findOrphans
	// restored is set where the state is older than the last run, restoredAt when a run last began with such a state.
	restored   bool
	restoredAt time.Time
	// inSource and inTarget tell which positions of the listings have a link; linkedTargets counts those of the target.
	inSource, inTarget []bool
	linkedTargets      int

	// What is to be remembered of pairs without operations: those whose contents only have to be marked as in step, and
	// the source ids of those that are decided once more when their links are saved. Keeping millions of links in
	// memory until then would cost more.
	marks  []state.InStep
	resave []string
}

// open checks the rules before anything is read.
func (e *Engine) open(ctx context.Context, job Job) (*world, error) {
	w := &world{
		engine: e, job: job, sync: job.Sync, started: e.options.Now(), newGroups: make(map[string]int), scratch: snapshot.NewScratch(e.options.Snapshots),
		gone: make(map[string]bool), targetGone: make(map[string]bool), missing: make(map[string]bool), listed: make(map[plan.Side]snapshot.Certificate), asked: make(map[string]bool), faulty: make(map[uint64]bool), recovered: make(map[string]state.Link), unclear: make(map[string]bool),
		sourceSide: job.Source.Describe(), targetSide: job.Target.Describe(),
	}
	w.plan = plan.Plan{Sync: job.Sync.Name, Operations: plan.NewList(w.scratch), Notes: []plan.Note{}}
	if w.sync.Attributes == nil {
		w.sync.Attributes = mapping.DefaultAttributes(w.sourceSide, w.targetSide)
	}
	compiled, faults := mapping.Compile(w.sync)
	if len(faults) > 0 {
		var list []error
		for _, fault := range faults {
			list = append(list, errors.New(fault.String()))
		}
		return nil, fmt.Errorf("sync %s: %w", w.sync.Name, errors.Join(list...))
	}
	if failures := compiled.RunExamples(); len(failures) > 0 {
		var list []error
		for _, failure := range failures {
			list = append(list, fmt.Errorf("line %d: %s", failure.Line, failure.Message))
		}
		return nil, fmt.Errorf("sync %s: %w, so nothing was read: %w", w.sync.Name, ErrExamples, errors.Join(list...))
	}
	w.mapping, w.rules = compiled, w.sync.Fingerprint()
	w.matchNames = w.sync.Match
	if job.Approve != "" {
		approved, err := e.approval(ctx, job)
		if err != nil {
			return nil, err
		}
		w.approved = approved
	}
	var err error
	if _, w.linkedCount, err = e.options.State.LinkCount(ctx, w.sync.Name); err != nil {
		return nil, err
	}
	if err := w.findOrphans(ctx); err != nil {
		return nil, err
	}
	if err := w.findRestored(ctx); err != nil {
		return nil, err
	}
	w.sourceStart = w.requests()
	return w, nil
}

// discard is the end of a world whose plan is not wanted any more.
func (w *world) discard() {
	w.close()
	if err := w.scratch.Close(); err != nil {
		w.engine.options.Log.Warn("what was set aside on disk could not be removed", "error", err)
	}
}

// close ends the reading of the listings. The scratch file stays while the plan is wanted.
func (w *world) close() {
	for _, s := range []*snapshot.Snapshot{w.source, w.target} {
		if s != nil {
			if err := s.Close(); err != nil {
				w.engine.options.Log.Warn("snapshot not closed", "error", err)
			}
		}
	}
}

// requests returns how many requests were sent since the directories were opened.
func (w *world) requests() RequestPair {
	count := func(d directory.Directory) int64 {
		if counter, ok := d.(directory.RequestCounter); ok {
			return counter.Requests()
		}
		return 0
	}
	return RequestPair{Source: count(w.job.Source), Target: count(w.job.Target)}
}

func (w *world) spent() RequestPair {
	now := w.requests()
	return RequestPair{Source: now.Source - w.sourceStart.Source, Target: now.Target - w.sourceStart.Target}
}

// prepare reads, compares, plans and judges. persist is set in runs: then what an interrupted run left behind is settled.
func (w *world) prepare(ctx context.Context, persist bool) error {
	if err := snapshot.CleanUp(w.engine.options.Snapshots, alive); err != nil && !errors.Is(err, os.ErrNotExist) {
		w.warnings = append(w.warnings, "left-over listings could not be removed: "+err.Error())
	}
	if err := w.identify(ctx); err != nil {
		return err
	}
	read := w.readAll
	if w.job.Account != "" {
		read = w.readOne
	}
	if err := read(ctx); err != nil {
		return err
	}
	if err := w.recover(ctx, persist); err != nil {
		return err
	}
	if err := w.compare(ctx); err != nil {
		return err
	}
	return w.judge(ctx)
}

// identify asks both sides which account Rollcall signs in with.
func (w *world) identify(ctx context.Context) error {
	for _, side := range []struct {
		directory directory.Directory
		id        *string
	}{{w.job.Source, &w.sourceSelf}, {w.job.Target, &w.targetSelf}} {
		identifier, ok := side.directory.(directory.SelfIdentifier)
		if !ok {
			continue
		}
		id, err := identifier.Self(ctx)
		if err != nil && !errors.Is(err, directory.Unsupported) {
			return err
		}
		*side.id = id
	}
	return nil
}

// readAll lists both sides at the same time.
func (w *world) readAll(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() (err error) {
		w.source, err = w.readSide(ctx, w.job.Source, plan.Source)
		return err
	})
	group.Go(func() (err error) {
		w.target, err = w.readSide(ctx, w.job.Target, plan.Target)
		return err
	})
	if err := group.Wait(); err != nil {
		return err
	}
	if w.target.Broke != nil {
		return fmt.Errorf("the listing of %s broke off, and without it nothing can be compared: %w", w.targetSide.Name, w.target.Broke)
	}
	return nil
}

func (w *world) readSide(ctx context.Context, d directory.Directory, side plan.Side) (*snapshot.Snapshot, error) {
	expect, err := w.expectation(ctx, d, side)
	if err != nil {
		return nil, err
	}
	options := snapshot.Options{Folder: w.engine.options.Snapshots, Now: w.engine.options.Now, Expect: expect}
	stage := StageReadSource
	if side == plan.Source {
		options.Attributes, options.Groups = w.mapping.SourceAttributes(), w.sourceGroupNeed()
	} else {
		stage = StageReadTarget
		options.Attributes, options.Groups = w.mapping.TargetAttributes(), w.targetGroupNeed()
	}
	if w.job.Progress != nil {
		options.Progress = func(read, total int) { w.job.Progress(Progress{Stage: stage, Done: read, Total: total}) }
	}
	return snapshot.Read(ctx, d, options)
}

// sourceGroupNeed says which memberships of the source the rules look at.
func (w *world) sourceGroupNeed() snapshot.GroupNeed {
	if !w.mapping.NeedsSourceGroups() && !w.sync.Writeback.Groups {
		return snapshot.GroupNeed{}
	}
	names, all := w.mapping.SourceGroups()
	if all {
		return snapshot.GroupNeed{All: true}
	}
	return snapshot.GroupNeed{Choose: func(groups []directory.Group) map[string]bool {
		return chooseGroups(groups, names, w.sync.GroupOptions.Nested)
	}}
}

// targetGroupNeed says which memberships of the target may have to change.
func (w *world) targetGroupNeed() snapshot.GroupNeed {
	switch {
	case w.sync.GroupOptions.Exact, len(w.sync.GroupOptions.Mirror) > 0, w.mapping.NeedsTargetGroups():
		return snapshot.GroupNeed{All: true}
	case len(w.sync.Groups) == 0:
		return snapshot.GroupNeed{}
	}
	names := w.mapping.ManagedGroups(nil)
	return snapshot.GroupNeed{Names: names, Choose: func(groups []directory.Group) map[string]bool { return chooseGroups(groups, names, false) }}
}

// chooseGroups returns the ids of the groups that are named by id, path or name and, where nesting counts, of all groups
// below them.
func chooseGroups(groups []directory.Group, names []string, nested bool) map[string]bool {
	named := make(map[string]bool, len(names))
	for _, name := range names {
		named[name] = true
	}
	chosen := make(map[string]bool)
	children := make(map[string][]string)
	var queue []string
	for _, group := range groups {
		if named[group.ID] || named[group.Name] || (group.Path != "" && named[group.Path]) {
			queue = append(queue, group.ID)
		}
		for _, parent := range group.Parents {
			children[parent] = append(children[parent], group.ID)
		}
	}
	for len(queue) > 0 {
		id := queue[0]
		queue = queue[1:]
		if chosen[id] {
			continue
		}
		chosen[id] = true
		if nested {
			queue = append(queue, children[id]...)
		}
	}
	return chosen
}

// judge asks the guard and remembers a refused plan, so that it can be approved.
func (w *world) judge(ctx context.Context) error {
	usual, err := w.engine.usualRemovals(ctx, w.sync.Name)
	if err != nil {
		return err
	}
	changed, moved, lost, err := w.changedSince(ctx)
	if err != nil {
		return err
	}
	before, err := w.lostBefore(ctx)
	if err != nil {
		return err
	}
	command := w.job.ApproveCommand
	if command == "" {
		command = "rollcall sync " + w.sync.Name + " --approve"
	}
	w.verdict = guard.Judge(guard.Input{
		Plan: &w.plan, Limits: w.sync.Limits, Linked: w.linkedCount, UsualRemovals: usual, LostBefore: before, Restored: w.restored, RulesChanged: changed, Moved: moved, Lost: lost,
		Guarded: w.guarded, Approved: w.approved, Approve: command, Extent: extentOf(w.job).String(),
	})
	if w.verdict.Token != "" {
		return w.engine.offerApproval(ctx, w.job, w.verdict)
	}
	return nil
}

// guarded says why an account is never written, looked up afresh, apart from the diff.
func (w *world) guarded(side plan.Side, id string) string {
	s, self := w.target, w.targetSelf
	if side == plan.Source {
		s, self = w.source, w.sourceSelf
	}
	if id == self {
		return "Rollcall signs in with it"
	}
	account, ok, err := s.Get(id)
	if err != nil || !ok {
		return ""
	}
	return account.Privileged
}

// prepared returns the plan for people.
func (w *world) prepared(ctx context.Context) (*Prepared, error) {
	w.counts.take(w.classes)
	w.counts.countNotes(w.plan.Notes)
	w.counts.Changed += w.changed
	notices, err := w.notices()
	if err != nil {
		return nil, err
	}
	price, err := w.price(ctx)
	return &Prepared{
		Plan: &w.plan, Verdict: w.verdict, Certificate: CertificatePair{w.source.Certificate, w.target.Certificate},
		Counts: w.counts, Requests: w.spent(), Notices: notices, Price: price, Seconds: w.engine.options.Now().Sub(w.started).Seconds(), Warnings: w.warnings,
		source: w.sourceSide.Name, target: w.targetSide.Name, scratch: w.scratch,
	}, err
}

// notices counts the mails that the plan would cause and that Rollcall cannot switch off.
func (w *world) notices() (map[string]int, error) {
	counts := make(map[string]int)
	if len(w.sourceSide.Notices)+len(w.targetSide.Notices) == 0 {
		return counts, nil
	}
	err := w.plan.Operations.Each(func(_ int, o plan.Operation) error {
		side := w.targetSide
		if o.Side == plan.Source {
			side = w.sourceSide
		}
		for _, notice := range side.Notices {
			on, attribute, _ := strings.Cut(notice.On, ":")
			if on != string(o.Action) {
				continue
			}
			if attribute == "" || slices.ContainsFunc(o.Changes, func(c plan.Change) bool { return c.Attribute == attribute }) {
				counts[notice.Text]++
			}
		}
		return nil
	})
	return counts, err
}
