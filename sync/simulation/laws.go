package simulation

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/rollcall-sync/rollcall/sync/directory"
	"github.com/rollcall-sync/rollcall/sync/directory/memory"
	"github.com/rollcall-sync/rollcall/sync/plan"
	"github.com/rollcall-sync/rollcall/sync/rules"
)

// judgeWrite judges one write at the moment at which a directory is about to do it.
func (w *world) judgeWrite(p *process, side plan.Side, call memory.Call) {
	if side == plan.Source {
		w.judgeSource(p, call)
		return
	}
	switch request := call.Request.(type) {
	case directory.CreateRequest:
		w.judgeCreation(p, request)
		return
	case []directory.CreateRequest:
		for _, one := range request {
			w.judgeCreation(p, one)
		}
		return
	}
	account, ok := w.target.Account(call.Record)
	if !ok || !w.mayTouch(p, call, account) {
		return
	}
	switch request := call.Request.(type) {
	case directory.UpdateRequest:
		w.judgeOwner(p, account, request)
	case directory.StatusRequest:
		if request.Status == directory.StatusInactive && !p.justified(w.person(account), w.endsAccess) {
			w.breaks(3, "%s (%s) is deactivated, and nothing in the source says so", account.ID, w.person(account))
		}
	case directory.GroupsRequest:
		for _, group := range request.Remove {
			w.judgeLeaving(p, account, group)
		}
	}
	if call.Op == memory.OpDeleteAccount {
		w.judgeDeletion(p, account)
	}
}

// mayTouch judges laws 2 and 8.
func (w *world) mayTouch(p *process, call memory.Call, account directory.Account) bool {
	if why := w.guarded(account.ID); why != "" {
		w.breaks(8, "%s of %s, which is never written: %s", call.Op, account.ID, why)
		return false
	}
	if account.Privileged != "" || account.ID == "self" {
		w.breaks(8, "%s of %s, which is privileged or our own", call.Op, account.ID)
		return false
	}
	if w.person(account) == "" {
		w.breaks(2, "%s of %s, which is unmanaged", call.Op, account.ID)
		return false
	}
	return true
}

// person is whose account of the target this is: the mark of the engine, or what it was before the sync.
func (w *world) person(account directory.Account) string {
	if id := idOf(account); id != "" {
		return id
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.twins[account.ID]
}

// justified reports whether a test holds for a person in any truth that the run may have read, or in the present one. The
// test is given whether the source has the person.
func (p *process) justified(person string, test func(a directory.Account, present bool) bool) bool {
	p.mu.Lock()
	versions := append([]truth{p.world.truth()}, p.versions...)
	p.mu.Unlock()
	for _, version := range versions {
		account, present := version.source[person]
		if test(account, present) {
			return true
		}
	}
	return false
}

// endsAccess says that the rules take the access of a person away.
func (w *world) endsAccess(a directory.Account, present bool) bool {
	return !present || a.Status == directory.StatusInactive || (!w.shape.inScope(a) && w.shape.sync.Actions.OutOfScope == rules.Deactivate)
}

func (w *world) judgeLeaving(p *process, account directory.Account, group string) {
	name := w.groupName(plan.Target, group)
	if !w.shape.manages(name) {
		w.breaks(3, "%s (%s) is taken out of %s, which no rule manages", account.ID, w.person(account), name)
		return
	}
	if !p.justified(w.person(account), func(a directory.Account, present bool) bool {
		switch {
		case !present || a.Status == directory.StatusInactive:
			return true
		case !w.shape.inScope(a):
			return w.shape.sync.Actions.OutOfScope == rules.DropGroups
		default:
			return !w.shape.wants(a)[name]
		}
	}) {
		w.breaks(3, "%s (%s) is taken out of %s, which the rules give", account.ID, w.person(account), name)
	}
}

func (w *world) judgeDeletion(p *process, account directory.Account) {
	since, ours := w.disabledAt[account.ID]
	switch {
	case !w.shape.deletes():
		w.breaks(3, "%s is deleted, and nobody allowed that", account.ID)
	case !ours || time.Since(since) < grace:
		w.breaks(3, "%s is deleted before its grace is over", account.ID)
	case !p.justified(w.person(account), func(_ directory.Account, present bool) bool { return !present }):
		w.breaks(3, "%s (%s) is deleted, and the source has the person", account.ID, w.person(account))
	}
}

// judgeOwner makes sure that an account stays with its person, or goes to the one whose it is.
func (w *world) judgeOwner(p *process, account directory.Account, request directory.UpdateRequest) {
	mark, set := request.Set[directory.EmployeeID]
	if !set || mark.String() == w.person(account) {
		return
	}
	if idOf(account) == "" && p.justified(mark.String(), func(a directory.Account, present bool) bool {
		return present && strings.EqualFold(a.Attributes.Text(directory.Email), account.Attributes.Text(directory.Email))
	}) { // not taken yet, and its address has passed on
		w.mu.Lock()
		defer w.mu.Unlock()
		w.twins[account.ID] = mark.String()
		return
	}
	rehired := w.shape.sync.Actions.Rehire == rules.LinkIt &&
		p.justified(w.person(account), func(_ directory.Account, present bool) bool { return !present })
	if !rehired {
		w.breaks(6, "%s belongs to %s and is given to %s", account.ID, w.person(account), mark)
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.excused[mark.String()], w.excused[idOf(account)] = "has the account of somebody who left", "somebody else has the account"
}

func (w *world) judgeCreation(p *process, request directory.CreateRequest) {
	person := request.Attributes.Text(directory.EmployeeID)
	if !p.justified(person, func(a directory.Account, present bool) bool { return present && w.shape.active(a) }) {
		w.breaks(2, "an account is made for %q, whom the source does not name as active and in scope", person)
	}
	for _, account := range w.target.Accounts() {
		if idOf(account) == person && !strings.EqualFold(account.Attributes.Text(directory.Username), request.Attributes.Text(directory.Username)) {
			w.breaks(6, "a second account is made for %s, who has %s", person, account.ID)
		}
	}
}

// judgeSource judges writes to the source: none without two ways, and then only what was allowed to flow back.
func (w *world) judgeSource(p *process, call memory.Call) {
	back := w.shape.sync.Writeback
	if !w.shape.twoWay {
		w.breaks(2, "%s of the source, which only reads", call.Op)
		return
	}
	switch request := call.Request.(type) {
	case directory.CreateRequest:
		w.judgeBackCreation(request)
	case []directory.CreateRequest:
		for _, one := range request {
			w.judgeBackCreation(one)
		}
	case directory.UpdateRequest:
		for _, name := range request.Set.Names() {
			if name != directory.Nickname && name != directory.Phone {
				w.breaks(2, "%s of %s is written in the source, which leads it", name, request.ID)
			}
		}
	case directory.StatusRequest:
		account, _ := w.source.Account(request.ID)
		if request.Status != directory.StatusInactive || !back.Deactivate || !p.justifiedInTarget(idOf(account), func(t directory.Account) bool { return t.Status == directory.StatusInactive }) {
			w.breaks(3, "%s (%s) is made %s in the source, and nothing in the target says so", request.ID, idOf(account), request.Status)
		}
	case directory.GroupsRequest:
		account, _ := w.source.Account(request.Account)
		if !back.Groups || (len(request.Remove) > 0 && !p.justifiedInTarget(idOf(account), func(t directory.Account) bool { return w.leftBehind(t, request.Remove) })) {
			w.breaks(3, "%s (%s) is taken out of %v in the source, and nothing in the target says so", request.Account, idOf(account), request.Remove)
		}
	default:
		w.breaks(2, "%s of the source", call.Op)
	}
}

// leftBehind reports whether a target account is missing from a group that stands for one of these groups of the source.
func (w *world) leftBehind(account directory.Account, groups []string) bool {
	for _, id := range groups {
		name := w.groupName(plan.Source, id)
		for _, group := range w.target.Groups() {
			stands := (w.shape.mirror && group.Name == mirrorPrefix+name) ||
				((w.shape.from || w.shape.named) && id == groupEditors && group.Name == targetEditor)
			if stands && !inGroup(account, group.ID) {
				return true
			}
		}
	}
	return false
}

func inGroup(a directory.Account, group string) bool {
	for _, has := range a.Groups {
		if has == group {
			return true
		}
	}
	return false
}

// justifiedInTarget reports whether a test held for the target account of a person.
func (p *process) justifiedInTarget(person string, test func(directory.Account) bool) bool {
	p.mu.Lock()
	versions := append([]truth{p.world.truth()}, p.versions...)
	p.mu.Unlock()
	for _, version := range versions {
		for _, account := range version.target {
			if p.world.person(account) == person && test(account) {
				return true
			}
		}
	}
	return false
}

func (w *world) judgeBackCreation(request directory.CreateRequest) {
	person := request.Attributes.Text(directory.EmployeeID)
	if !w.shape.sync.Writeback.Create || !strings.HasPrefix(person, "T") {
		w.breaks(2, "an account is made in the source for %q, which may not flow back", person)
	}
	for _, account := range w.source.Accounts() {
		if idOf(account) == person && account.Attributes.Text(directory.Username) != request.Attributes.Text(directory.Username) {
			w.breaks(6, "a second account is made in the source for %s, who has %s", person, account.ID)
		}
	}
}

// wrote keeps what later laws need of a write that was done.
func (w *world) wrote(done *write) {
	w.story.Writes++
	if request, ok := done.call.Request.(directory.StatusRequest); ok && done.side == plan.Target && done.err == nil && request.Status == directory.StatusInactive {
		w.disabledAt[request.ID] = done.at
	}
}

// judgeDoubles is law 6 in the present truth of both directories.
func (w *world) judgeDoubles() {
	for _, side := range []plan.Side{plan.Source, plan.Target} {
		owner := map[string]string{}
		for _, account := range w.directory(side).Accounts() {
			person := idOf(account)
			if other, twice := owner[person]; twice && person != "" {
				w.breaks(6, "%s has two accounts in the %s: %s and %s", person, side, other, account.ID)
			}
			owner[person] = account.ID
		}
	}
}

func sorted[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// judgeEnd is law 9: after a time of peace, the target is what the rules make of the source.
func (w *world) judgeEnd() {
	truth := w.truth()
	accounts := map[string]directory.Account{}
	for _, account := range truth.target {
		accounts[idOf(account)] = account
	}
	for _, person := range sorted(truth.source) {
		source := truth.source[person]
		account, has := accounts[person]
		switch {
		case w.excused[person] != "":
		case w.shape.active(source):
			w.judgeMember(source, account, has)
		case !has:
		case source.Status == directory.StatusInactive || w.shape.sync.Actions.OutOfScope == rules.Deactivate:
			w.judgeOut(account, "inactive or out of scope")
		}
	}
	for _, person := range sorted(accounts) {
		account := accounts[person]
		if _, present := truth.source[person]; present || person == "" || w.excused[person] != "" || w.guarded(account.ID) != "" {
			continue
		}
		w.judgeOut(account, "gone")
		if since, ours := w.disabledAt[account.ID]; ours && w.shape.deletes() && time.Since(since) > 2*grace+2*time.Hour && account.Status == directory.StatusInactive {
			w.breaks(9, "%s (%s) is still there, and its grace is over", account.ID, person)
		}
	}
}

func (w *world) judgeOut(account directory.Account, why string) {
	if account.Status != directory.StatusInactive {
		w.breaks(9, "%s (%s) is %s at the end, and the person is %s", account.ID, idOf(account), account.Status, why)
	}
}

// judgeMember compares the account of somebody who takes part with what the rules say.
func (w *world) judgeMember(source, account directory.Account, has bool) {
	person, desired := idOf(source), w.shape.desired(source)
	for _, other := range w.target.Accounts() { // a unique value that somebody else holds is reported, not taken
		if w.person(other) != person && (strings.EqualFold(other.Attributes.Text(directory.Email), desired[directory.Email]) ||
			strings.EqualFold(other.Attributes.Text(directory.Username), desired[directory.Username])) {
			return
		}
	}
	if !has || account.Status != directory.StatusActive {
		w.breaks(9, "%s is active and in scope, and has no active account at the end (%s %s)", person, account.ID, account.Status)
		return
	}
	for _, name := range sorted(desired) {
		want := desired[name]
		if got := account.Attributes.Text(name); got != want && !(name == directory.Email && strings.EqualFold(got, want)) {
			w.breaks(9, "%s of %s (%s) is %q at the end, and the rules say %q", name, account.ID, person, got, want)
		}
	}
	wants := w.shape.wants(source)
	has2 := map[string]bool{}
	for _, group := range w.target.Groups() {
		has2[group.Name] = inGroup(account, group.ID)
	}
	for _, group := range w.target.Groups() {
		if wants[group.Name] != has2[group.Name] && (wants[group.Name] || w.shape.manages(group.Name)) {
			w.breaks(9, "%s (%s) is in %s at the end: %v, and the rules say %v", account.ID, person, group.Name, has2[group.Name], wants[group.Name])
		}
	}
	for _, name := range sorted(wants) {
		if _, exists := has2[name]; !exists {
			w.breaks(9, "the group %s of %s does not exist at the end", name, person)
		}
	}
}
