package simulation

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/rollcall-sync/rollcall/sync/directory"
	"github.com/rollcall-sync/rollcall/sync/directory/memory"
	"github.com/rollcall-sync/rollcall/sync/engine"
	"github.com/rollcall-sync/rollcall/sync/plan"
	"github.com/rollcall-sync/rollcall/sync/rules"
	"github.com/rollcall-sync/rollcall/sync/state"
)

// judgeRun judges a run that came to its end.
func (p *process) judgeRun(report *engine.Report, err error) {
	w := p.world
	w.judgeDoubles()
	if report == nil {
		if p.weather.calm() && p.job.Account == "" {
			w.breaks(1, "a run in calm weather did not begin: %v", err)
		}
		return
	}
	if p.weather.calm() && !p.overtook && p.job.Account == "" && (err != nil || report.Status == engine.StatusFailed || report.Status == engine.StatusInterrupted) {
		w.breaks(1, "a run in calm weather ended %s: %v %v", report.Status, err, report.Reasons)
	}
	p.judgeLimits()
	p.judgeJournal(report.Run, report)
	if !p.overtook {
		p.judgeCounts(report)
	}
	p.judgeRules(report)
}

// judgeRules is the part of law 4 about changed rules: they write nothing before they were approved, or before a run of
// everybody found that they change nothing. A report is missing where the process died; it may have got that far.
func (p *process) judgeRules(report *engine.Report) {
	w := p.world
	wrote := 0
	for _, s := range p.seen {
		if s.reached {
			wrote++
		}
	}
	if w.changedRules && p.approved == nil && p.held > 0 && wrote > 0 {
		w.breaks(4, "%d writes under changed rules that nobody approved", wrote)
	}
	switch {
	case report == nil:
		w.changedRules = false
	case p.job.Account == "" && report.Certificate.Source.Complete && report.Certificate.Target.Complete && report.Status != engine.StatusRefused:
		w.changedRules, w.accepted = false, true
	}
}

// losses are the accounts that lost access in this run.
func (p *process) losses() map[string]bool {
	lost := map[string]bool{}
	for _, s := range p.seen {
		loss := s.call.Op == memory.OpDeleteAccount
		switch request := s.call.Request.(type) {
		case directory.StatusRequest:
			loss = request.Status == directory.StatusInactive
		case directory.GroupsRequest:
			loss = len(request.Remove) > 0
		}
		if s.reached && loss {
			lost[string(s.side)+" "+s.call.Record] = true
		}
	}
	return lost
}

// judgeLimits is law 4.
func (p *process) judgeLimits() {
	limits := p.job.Sync.Limits
	allowed, limited := limits.Removals.Of(p.held)
	if n := len(p.losses()); limited && n > max(allowed, limits.RemovalsFloor) {
		if p.approved != nil { // within what was approved, as the journal shows
			p.beyondLimits = true
			return
		}
		p.world.breaks(4, "%d accounts lost access; limit %s of %d, floor %d", n, limits.Removals, p.held, limits.RemovalsFloor)
	}
	changed := map[string]bool{}
	for _, s := range p.seen {
		if s.reached && s.call.Op == memory.OpUpdateAccount {
			changed[string(s.side)+" "+s.call.Record] = true
		}
	}
	if allowed, limited := limits.Updates.Of(p.held); limited && len(changed) > allowed && p.approved == nil {
		p.world.breaks(4, "%d accounts were updated; limit %s of %d", len(changed), limits.Updates, p.held)
	}
}

// entry is one line of the journal with its operation.
type entry struct {
	state.Entry
	operation plan.Operation
	explains  int    // how many writes that were done it stands for
	already   bool   // nothing was left to do: the account was gone, or as it was to be
	late      *write // arrives when the run is over; index is the place in a bulk call
	index     int
}

func (w *world) entries(run string) ([]*entry, error) {
	var found []*entry
	err := w.db.Entries(w.ctx(), state.EntryFilter{Run: run}, func(e state.Entry) error {
		parsed := &entry{Entry: e}
		found = append(found, parsed)
		return json.Unmarshal(e.Operation, &parsed.operation)
	})
	return found, err
}

// judgeJournal is law 5. An empty run stands for the one that died last.
func (p *process) judgeJournal(run string, report *engine.Report) {
	w := p.world
	if run == "" {
		last, err := w.db.LastRun(w.ctx(), w.shape.sync.Name)
		if errors.Is(err, state.ErrNotFound) || (err == nil && last.Status != "") {
			for _, s := range p.seen {
				if s.reached {
					w.breaks(5, "the directory saw %s, and the journal has no run for it", s)
				}
			}
			return
		}
		run = last.ID
	}
	entries, err := w.entries(run)
	if err != nil {
		w.breaks(0, "the journal cannot be read: %v", err)
		return
	}
	for _, s := range p.seen {
		p.explain(s, entries)
	}
	for _, e := range entries {
		p.judgeEntry(e, report != nil)
	}
	p.judgeUnsettled()
}

// explain finds the entries behind one write.
func (p *process) explain(s *write, entries []*entry) {
	behind := func(what string, i int, fits func(o plan.Operation) bool) {
		for _, e := range entries {
			if e.operation.Side != s.side || !fits(e.operation) {
				continue
			}
			if s.late {
				e.late, e.index = s, i
			}
			done := s.reached && s.err == nil && (s.made == nil || s.made[i] == nil)
			switch {
			case !e.IntentAt.Before(s.at.Add(p.ahead)):
				p.world.breaks(5, "the intent of %s was written at %s, after the write at %s", what, e.IntentAt, s.at)
			case done:
				e.explains++
			}
			e.already = e.already || s.already || errors.Is(s.err, directory.NotFound)
			return
		}
		p.world.breaks(5, "%s saw %s, and the journal has no intent of it", s.side, what)
	}
	id := func(o plan.Operation) bool { return o.WrittenID() == s.call.Record || o.WrittenID() == "" }
	switch request := s.call.Request.(type) {
	case directory.UpdateRequest:
		behind(s.String(), 0, func(o plan.Operation) bool { return o.Action == plan.Update && id(o) && sameSet(o, request.Set) })
	case directory.StatusRequest:
		action := plan.Activate
		if request.Status == directory.StatusInactive {
			action = plan.Deactivate
		}
		behind(s.String(), 0, func(o plan.Operation) bool { return o.Action == action && id(o) })
	case directory.GroupsRequest:
		for _, change := range []struct {
			action plan.Action
			groups []string
		}{{plan.GroupAdd, request.Add}, {plan.GroupRemove, request.Remove}} {
			for _, group := range change.groups {
				behind(s.String(), 0, func(o plan.Operation) bool {
					return o.Action == change.action && id(o) && (o.GroupID == group || (o.GroupID == "" && o.GroupName == p.world.groupName(s.side, group)))
				})
			}
		}
	default:
		for i, request := range s.creations() {
			behind("the creation of "+request.Attributes.Text(directory.Username), i, func(o plan.Operation) bool { return o.Action == plan.Create && sameSet(o, request.Attributes) })
		}
		switch s.call.Op {
		case memory.OpDeleteAccount:
			behind(s.String(), 0, func(o plan.Operation) bool { return o.Action == plan.Delete && id(o) })
		case memory.OpCreateGroup:
			behind(s.String(), 0, func(o plan.Operation) bool { return o.Action == plan.CreateGroup && o.GroupName == s.call.Record })
		}
	}
}

func (w *world) groupName(side plan.Side, id string) string {
	for _, group := range w.directory(side).Groups() {
		if group.ID == id {
			return group.Name
		}
	}
	return id
}

// sameSet reports whether a request sets what an operation said, no more and no less.
func sameSet(o plan.Operation, set directory.Attributes) bool {
	if len(o.Changes) != len(set) {
		return false
	}
	for _, change := range o.Changes {
		if value, ok := set[change.Attribute]; !ok || value.String() != change.After.String() {
			return false
		}
	}
	return true
}

// judgeEntry compares one entry with what the directory saw. ended says that the run came to its end, so that every entry has
// an outcome.
func (p *process) judgeEntry(e *entry, ended bool) {
	w := p.world
	what := fmt.Sprintf("entry %d (%s %s of %s)", e.Seq, e.Side, e.Action, e.Account)
	if (p.beyondLimits || w.changedRules) && p.approved != nil && !p.approved[e.operation.Key()] {
		w.breaks(4, "%s goes beyond what was approved", what)
	}
	if !p.overtaken.IsZero() && e.IntentAt.After(p.overtaken) {
		w.breaks(10, "%s is an intent of a process that was overtaken at %s", what, p.overtaken)
	}
	if e.explains > 1 {
		w.breaks(5, "%s was done %d times", what, e.explains)
	}
	open := e.Result == "" || e.Result == state.ResultUnknown
	if open {
		w.unsettled[entryKey{e.Run, e.Seq}] = &unsettled{done: e.explains > 0, late: e.late, index: e.index, operation: e.operation}
	}
	// What somebody else edits in the middle, or a write that arrives when the run is over, makes a reading back doubtful.
	if p.edited || p.overtook || e.late != nil {
		return
	}
	w.judgeOutcome(what, e.Entry, e.explains > 0, e.already)
	if ended && e.Result == "" {
		w.breaks(5, "%s has no outcome, and the run came to its end", what)
	}
}

func (w *world) judgeOutcome(what string, e state.Entry, done, already bool) {
	switch {
	case e.Result == state.ResultDone && !done && e.Action != string(plan.Link) && !already:
		w.breaks(5, "%s is done in the journal, and the directory did not do it (%s)", what, e.Message)
	case e.Result == state.ResultFailed && done:
		w.breaks(5, "%s is not done in the journal, and the directory did it (%s)", what, e.Message)
	}
}

// unsettled is an entry without an outcome. done says whether the write reached its directory, revision is that of the
// account when everything had arrived.
type unsettled struct {
	done      bool
	late      *write
	index     int
	operation plan.Operation
	stamped   bool
	revision  string
}

// stamp remembers how the accounts of unsettled entries are after the run: what somebody edits later cannot be told from a
// write that was not done.
func (w *world) stamp() {
	truth := w.truth()
	for _, u := range w.unsettled {
		if late := u.late; late != nil && late.reached && late.err == nil && (late.made == nil || late.made[u.index] == nil) {
			u.done = true
		}
		if !u.stamped {
			u.stamped, u.revision = true, truth.revision(u.operation)
		}
	}
}

// revision is that of the account that an operation writes.
func (t truth) revision(o plan.Operation) string {
	accounts := t.target
	if o.Side == plan.Source {
		accounts = t.source
	}
	for _, account := range accounts {
		if account.ID == o.WrittenID() || (o.Action == plan.Create && idOf(account) == after(o, directory.EmployeeID)) {
			return account.ID + " " + account.Revision
		}
	}
	return ""
}

func after(o plan.Operation, attribute string) string {
	for _, change := range o.Changes {
		if change.Attribute == attribute {
			return change.After.String()
		}
	}
	return ""
}

// judgeUnsettled looks at entries that an earlier run left without an outcome: what they say now must be true.
func (p *process) judgeUnsettled() {
	w := p.world
	runs := map[string]bool{}
	for key := range w.unsettled {
		runs[key.run] = true
	}
	for _, run := range sorted(runs) {
		entries, err := w.entries(run)
		if err != nil {
			w.breaks(0, "the journal cannot be read: %v", err)
			return
		}
		for _, e := range entries {
			key := entryKey{e.Run, e.Seq}
			u := w.unsettled[key]
			if u == nil || e.Result == "" || e.Result == state.ResultUnknown {
				continue
			}
			delete(w.unsettled, key)
			if !p.edited && (!u.stamped || u.revision == p.versions[0].revision(u.operation)) {
				// Done means that it shows now; only what can be told apart from an earlier state is judged.
				shows := map[plan.Action]bool{plan.Update: true, plan.GroupAdd: true, plan.GroupRemove: true, plan.CreateGroup: true}
				w.judgeOutcome(fmt.Sprintf("entry %d of an earlier run (%s %s of %s)", e.Seq, e.Side, e.Action, e.Account), e.Entry, u.done, shows[u.operation.Action])
			}
		}
	}
}

// judgeCounts is law 7.
func (p *process) judgeCounts(report *engine.Report) {
	w, c := p.world, report.Counts
	if sum := c.Unchanged + c.Changed + c.Skipped + c.Failed; sum != c.SourceRead && report.Status != engine.StatusFailed {
		w.breaks(7, "%d accounts were read, and the report has %d: %+v", c.SourceRead, sum, c)
	}
	if strings.Contains(strings.Join(report.Reasons, " "), "does not add up") {
		w.breaks(7, "%v", report.Reasons)
	}
	if (w.shape.sourceView != "core" && report.Requests.Source != p.source.Requests()) || report.Requests.Target != p.target.Requests() {
		w.breaks(7, "the report has %+v requests, the directories saw %d and %d", report.Requests, p.source.Requests(), p.target.Requests())
	}
	if p.weather.calm() && p.job.Account == "" && report.Status != engine.StatusFailed {
		first := p.versions[0]
		if c.SourceRead != len(first.source) || c.TargetRead != len(first.target) {
			w.breaks(7, "the report has %d and %d accounts, the directories had %d and %d", c.SourceRead, c.TargetRead, len(first.source), len(first.target))
		}
	}
	done, back := p.done(func(s *write) bool { return s.reached })
	most, mostBack := p.done(func(s *write) bool { return s.reached || s.already })
	unknown := map[plan.Action]int{}
	for _, f := range report.Failures {
		if f.Side == plan.Source {
			f.Operation = "written back"
		}
		if f.KindName == directory.UnknownOutcome.String() {
			unknown[f.Operation]++
		}
	}
	for _, check := range []struct {
		action                 plan.Action
		reported, really, most int
	}{
		{plan.Create, c.Created, done[plan.Create], most[plan.Create]},
		{plan.Update, c.Updated, done[plan.Update], most[plan.Update]},
		{plan.Activate, c.Activated, done[plan.Activate], most[plan.Activate]},
		{plan.Deactivate, c.Deactivated, done[plan.Deactivate], most[plan.Deactivate]},
		{plan.Delete, c.Deleted, done[plan.Delete], most[plan.Delete]},
		{plan.GroupAdd, c.GroupAdded, done[plan.GroupAdd], most[plan.GroupAdd]},
		{plan.GroupRemove, c.GroupRemoved, done[plan.GroupRemove], most[plan.GroupRemove]},
		{plan.CreateGroup, c.GroupCreated, done[plan.CreateGroup], most[plan.CreateGroup]},
		{"written back", c.WrittenBack, back, mostBack},
	} {
		if check.reported > check.most || check.really > check.reported+unknown[check.action] {
			w.breaks(7, "the report counts %d of %s, the directories saw %d (%d unknown)", check.reported, check.action, check.really, unknown[check.action])
		}
	}
	if held := p.job.Sync.Writeback; held != (rules.Writeback{}) && !w.shape.twoWay && c.WrittenBack > 0 {
		w.breaks(7, "%d written back one way", c.WrittenBack)
	}
}

// done counts what the directories did, as a report counts it: the first half of an exchange is nothing that anybody asked
// for, and what takes access away from an account that is gone is done.
func (p *process) done(counted func(*write) bool) (target map[plan.Action]int, back int) {
	target = map[plan.Action]int{}
	for _, s := range p.seen {
		loss := false
		counts := map[plan.Action]int{}
		switch request := s.call.Request.(type) {
		case directory.UpdateRequest:
			if !temporary(request) {
				counts[plan.Update] = 1
			}
		case directory.StatusRequest:
			if counts[plan.Activate] = 1; request.Status == directory.StatusInactive {
				counts, loss = map[plan.Action]int{plan.Deactivate: 1}, true
			}
		case directory.GroupsRequest:
			counts[plan.GroupAdd], counts[plan.GroupRemove] = len(request.Add), len(request.Remove)
		default:
			for _, err := range s.made {
				if err == nil {
					counts[plan.Create]++
				}
			}
			if s.call.Op == memory.OpDeleteAccount {
				counts[plan.Delete], loss = 1, true
			}
			if s.call.Op == memory.OpCreateGroup {
				counts[plan.CreateGroup] = 1
			}
		}
		if !counted(s) || (s.err != nil && s.made == nil && !(loss && errors.Is(s.err, directory.NotFound))) {
			continue
		}
		for action, n := range counts {
			if s.side == plan.Source {
				back += n
			} else {
				target[action] += n
			}
		}
	}
	return target, back
}

func temporary(request directory.UpdateRequest) bool {
	for _, value := range request.Set {
		if plan.IsTemporary(value) {
			return true
		}
	}
	return false
}
