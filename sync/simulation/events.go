package simulation

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"

	"github.com/rollcall-sync/rollcall/sync/directory"
	"github.com/rollcall-sync/rollcall/sync/plan"
	"github.com/rollcall-sync/rollcall/sync/state"
)

// event is one thing that happens; it returns what it did, or "" where there was nobody to do it to.
type event func(w *world, rng *rand.Rand) string

// sourceEvents and targetEvents happen between runs; those that are quick happen while a run is at work, too.
var (
	quickSource = []event{rename, move, deactivate, activate, leave, joinOrLeave, otherNickname}
	quickTarget = []event{meddle, disable, handJoin, handLeave, targetNickname}

	sourceEvents = append([]event{
		newcomer, newcomer, comeBack, rehire, newName, newName, exchange, exchange, passOn,
	}, quickSource...)
	targetEvents = append([]event{newStranger, removed, promote, protect, madeInTarget, bothNicknames}, quickTarget...)
)

// night is what happens between two runs.
func (w *world) night() {
	for range w.rng.IntN(5) {
		w.happen(pick(w.rng, sourceEvents...), w.rng)
	}
	for range w.rng.IntN(3) {
		w.happen(pick(w.rng, targetEvents...), w.rng)
	}
	if w.rng.IntN(3) == 0 {
		w.happen(renamePending, w.rng)
	}
	if w.rng.IntN(16) == 0 && len(w.shape.closed) < 2 {
		w.shape.close("Sales")
		w.changedRules = w.accepted
		w.say("the rules change: scope %s", w.shape.sync.Scope)
	}
}

// happen lets something happen, and lets the processes at work know that the truth is another one now.
func (w *world) happen(e event, rng *rand.Rand) {
	if did := e(w, rng); did != "" {
		w.say("  %s", did)
		w.remember()
	}
}

func active(a directory.Account) bool { return a.Status == directory.StatusActive }

func newcomer(w *world, _ *rand.Rand) string {
	p := w.hire()
	return fmt.Sprintf("%s comes to the source (%s, %s)", idOf(p), p.Status, p.Attributes.Text("department"))
}

func leave(w *world, rng *rand.Rand) string {
	p, ok := choose(rng, w.source, anyone)
	if !ok || len(w.source.Accounts()) < 4 {
		return ""
	}
	w.source.Remove(p.ID)
	w.former = append(w.former, p)
	return idOf(p) + " is removed from the source"
}

// comeBack puts a former account back as it was.
func comeBack(w *world, rng *rand.Rand) string {
	if len(w.former) == 0 {
		return ""
	}
	i := rng.IntN(len(w.former))
	p := w.former[i]
	if !free(w.source, "email", p.Attributes.Text("email")) || !free(w.source, "username", p.Attributes.Text("username")) {
		return ""
	}
	w.former = append(w.former[:i:i], w.former[i+1:]...)
	p.Status = directory.StatusActive
	w.source.Put(p)
	return idOf(p) + " returns to the source"
}

// rehire gives a new account to somebody who had left, or the address of one to somebody else, which looks the same.
func rehire(w *world, rng *rand.Rand) string {
	if len(w.former) == 0 {
		return ""
	}
	old := w.former[rng.IntN(len(w.former))]
	if !free(w.source, "email", old.Attributes.Text("email")) {
		return ""
	}
	p := w.hire()
	w.source.Set(p.ID, directory.Attributes{directory.Email: old.Attributes[directory.Email]})
	w.inherits(old, p)
	w.excuse(p, "has the address of somebody who left")
	w.excuse(old, "somebody else has the address")
	return fmt.Sprintf("%s comes to the source with the address of %s, who left", idOf(p), idOf(old))
}

func deactivate(w *world, rng *rand.Rand) string {
	p, ok := choose(rng, w.source, active)
	if !ok {
		return ""
	}
	w.source.Edit(p.ID, func(a *directory.Account) { a.Status = directory.StatusInactive })
	return idOf(p) + " is deactivated in the source"
}

func activate(w *world, rng *rand.Rand) string {
	p, ok := choose(rng, w.source, func(a directory.Account) bool { return !active(a) })
	if !ok {
		return ""
	}
	w.source.Edit(p.ID, func(a *directory.Account) { a.Status = directory.StatusActive })
	return idOf(p) + " is activated in the source"
}

func move(w *world, rng *rand.Rand) string {
	p, ok := choose(rng, w.source, anyone)
	if !ok {
		return ""
	}
	to := pick(rng, departments...)
	w.source.Set(p.ID, texts("department", to))
	return fmt.Sprintf("%s moves to %s", idOf(p), to)
}

func rename(w *world, rng *rand.Rand) string {
	p, ok := choose(rng, w.source, anyone)
	if !ok {
		return ""
	}
	name := fmt.Sprintf("Name%04d", rng.IntN(10000))
	w.source.Set(p.ID, texts("last_name", name))
	return fmt.Sprintf("%s is called %s now", idOf(p), name)
}

// newName gives somebody another username and another e-mail at once, so that only the link can tell who it is.
func newName(w *world, rng *rand.Rand) string {
	p, ok := choose(rng, w.source, func(a directory.Account) bool { return w.excused[idOf(a)] == "" })
	if !ok {
		return ""
	}
	return w.nameAnew(p, rng)
}

func (w *world) nameAnew(p directory.Account, rng *rand.Rand) string {
	name := fmt.Sprintf("new%05d", rng.IntN(100000))
	if !free(w.source, "username", name) {
		return ""
	}
	w.source.Set(p.ID, texts("username", name, "email", name+"@example.com"))
	return fmt.Sprintf("%s gets the names %s and %s@example.com", idOf(p), name, name)
}

// renamePending gives a new name to somebody whose account may have been made by a run that could not write that down.
func renamePending(w *world, rng *rand.Rand) string {
	pending, err := w.db.Pending(w.ctx(), w.shape.sync.Name)
	if err != nil {
		w.breaks(0, "the journal cannot be read: %v", err)
		return ""
	}
	for _, entry := range pending {
		p, ok := w.source.Account(entry.SourceID)
		if ok && entry.Action == string(plan.Create) && entry.Side == string(plan.Target) && rng.IntN(2) == 0 {
			return w.nameAnew(p, rng)
		}
	}
	return ""
}

// exchange swaps the e-mails or the usernames of two people.
func exchange(w *world, rng *rand.Rand) string {
	attribute := pick(rng, directory.Email, directory.Username)
	unexcused := func(a directory.Account) bool { return w.excused[idOf(a)] == "" }
	a, ok := choose(rng, w.source, unexcused)
	if !ok {
		return ""
	}
	b, ok := choose(rng, w.source, func(x directory.Account) bool { return x.ID != a.ID && unexcused(x) })
	if !ok {
		return ""
	}
	w.source.Set(a.ID, texts(attribute, "aside@example.com"))
	w.source.Set(b.ID, directory.Attributes{attribute: a.Attributes[attribute]})
	w.source.Set(a.ID, directory.Attributes{attribute: b.Attributes[attribute]})
	return fmt.Sprintf("%s and %s exchange their %ss", idOf(a), idOf(b), attribute)
}

// passOn gives the address of somebody to a newcomer, and a new one to its former holder.
func passOn(w *world, rng *rand.Rand) string {
	p, ok := choose(rng, w.source, func(a directory.Account) bool { return w.excused[idOf(a)] == "" })
	if !ok {
		return ""
	}
	address := fmt.Sprintf("other%05d@example.com", rng.IntN(100000))
	if !free(w.source, "email", address) {
		return ""
	}
	w.source.Set(p.ID, texts("email", address))
	q := w.hire()
	w.source.Set(q.ID, directory.Attributes{directory.Email: p.Attributes[directory.Email]})
	w.inherits(p, q)
	return fmt.Sprintf("%s comes and gets the address of %s, who has %s now", idOf(q), idOf(p), address)
}

// inherits lets the account that somebody had before the sync belong to the next holder of the address, for whom nobody says
// that it is not verified.
func (w *world) inherits(old, next directory.Account) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for id, person := range w.twins {
		if person != idOf(old) {
			continue
		}
		if _, err := w.db.LinkByTarget(w.ctx(), w.shape.sync.Name, id); errors.Is(err, state.ErrNotFound) {
			w.twins[id] = idOf(next)
			if w.untouchable[id] == unverified {
				delete(w.untouchable, id)
			}
		}
	}
}

func joinOrLeave(w *world, rng *rand.Rand) string {
	p, ok := choose(rng, w.source, anyone)
	if !ok {
		return ""
	}
	group := pick(rng, groupEditors, groupAuthors, groupJuniors, groupStaff)
	for _, has := range p.Groups {
		if has == group {
			w.source.Leave(p.ID, group)
			return fmt.Sprintf("%s leaves %s", idOf(p), group)
		}
	}
	w.source.Join(p.ID, group)
	return fmt.Sprintf("%s joins %s", idOf(p), group)
}

func otherNickname(w *world, rng *rand.Rand) string {
	p, ok := choose(rng, w.source, anyone)
	if !ok {
		return ""
	}
	name := fmt.Sprintf("Sam%03d", rng.IntN(1000))
	w.source.Set(p.ID, texts("nickname", name))
	return fmt.Sprintf("the nickname of %s is %s in the source", idOf(p), name)
}

func newStranger(w *world, _ *rand.Rand) string { return "stranger " + w.stranger() }

// meddle changes a value that the source leads.
func meddle(w *world, rng *rand.Rand) string {
	t, ok := w.someTarget(rng, func(a directory.Account) bool { return !strings.HasPrefix(idOf(a), "T") })
	if !ok {
		return ""
	}
	name := fmt.Sprintf("Meddled%03d", rng.IntN(1000))
	w.target.Set(t.ID, texts("last_name", name))
	return fmt.Sprintf("somebody calls %s %s in the target", t.ID, name)
}

// disable deactivates an account of the target by hand.
func disable(w *world, rng *rand.Rand) string {
	t, ok := w.someTarget(rng, active)
	if !ok {
		return ""
	}
	w.excuse(t, "somebody deactivated it in the target")
	w.target.Edit(t.ID, func(a *directory.Account) { a.Status = directory.StatusInactive })
	return fmt.Sprintf("somebody deactivates %s in the target", t.ID)
}

// removed deletes an account of the target by hand.
func removed(w *world, rng *rand.Rand) string {
	t, ok := w.someTarget(rng, anyone)
	if !ok {
		return ""
	}
	w.excuse(t, "somebody deleted it in the target")
	w.target.Remove(t.ID)
	return fmt.Sprintf("somebody deletes %s (%s) in the target", t.ID, idOf(t))
}

// promote makes an administrator of somebody.
func promote(w *world, rng *rand.Rand) string {
	t, ok := w.someTarget(rng, anyone)
	if !ok || rng.IntN(2) == 0 {
		return ""
	}
	w.target.Join(t.ID, targetAdmin)
	return w.shield(t, "privileged")
}

// protect gives an account the title that protects it.
func protect(w *world, rng *rand.Rand) string {
	t, ok := w.someTarget(rng, anyone)
	if !ok || !w.shape.protects || rng.IntN(2) == 0 {
		return ""
	}
	w.target.Set(t.ID, texts("title", "Protected"))
	return w.shield(t, "protected")
}

func (w *world) shield(t directory.Account, why string) string {
	w.excuse(t, "its account is "+why)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.untouchable[t.ID] = why
	return fmt.Sprintf("%s (%s) is %s from now on", t.ID, idOf(t), why)
}

// madeInTarget adds an account to the target whose creation may flow back.
func madeInTarget(w *world, _ *rand.Rand) string {
	if !w.shape.twoWay {
		return ""
	}
	w.persons++
	n := w.persons
	id := fmt.Sprintf("t-made%03d", n)
	w.target.Put(directory.Account{ID: id, Attributes: texts(
		"username", fmt.Sprintf("made%03d", n), "email", fmt.Sprintf("made%03d@example.com", n), "last_name", "Made", "display_name", "Made",
		"employee_id", fmt.Sprintf("T%03d", n), "department", "Press")})
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.shape.sync.Writeback.Create {
		w.untouchable[id] = "made in the target, and nothing flows back"
	}
	return "somebody makes " + id + " in the target"
}

// handJoin and handLeave change a membership in the target by hand.
func handJoin(w *world, rng *rand.Rand) string {
	t, ok := w.someTarget(rng, active)
	if !ok {
		return ""
	}
	group := pick(rng, targetEditor, targetSubscriber, targetForum)
	w.target.Join(t.ID, group)
	return fmt.Sprintf("somebody puts %s into %s", t.ID, group)
}

func handLeave(w *world, rng *rand.Rand) string {
	t, ok := w.someTarget(rng, func(a directory.Account) bool { return active(a) && len(a.Groups) > 0 })
	if !ok {
		return ""
	}
	group := pick(rng, t.Groups...)
	w.target.Leave(t.ID, group)
	return fmt.Sprintf("somebody takes %s out of %s", t.ID, group)
}

func targetNickname(w *world, rng *rand.Rand) string {
	t, ok := w.someTarget(rng, anyone)
	if !ok || !w.shape.twoWay {
		return ""
	}
	name := fmt.Sprintf("Toni%03d", rng.IntN(1000))
	w.target.Set(t.ID, texts("nickname", name, "phone", fmt.Sprintf("+49 %d", rng.IntN(1000))))
	return fmt.Sprintf("nickname and phone of %s change in the target: %s", t.ID, name)
}

// bothNicknames changes one value on both sides.
func bothNicknames(w *world, rng *rand.Rand) string {
	t, ok := w.someTarget(rng, anyone)
	if !ok || !w.shape.twoWay {
		return ""
	}
	for _, p := range w.source.Accounts() {
		if idOf(p) == idOf(t) {
			w.source.Set(p.ID, texts("nickname", fmt.Sprintf("Kim%03d", rng.IntN(1000))))
			w.target.Set(t.ID, texts("nickname", fmt.Sprintf("Lou%03d", rng.IntN(1000))))
			return fmt.Sprintf("the nickname of %s changes on both sides", idOf(p))
		}
	}
	return ""
}
