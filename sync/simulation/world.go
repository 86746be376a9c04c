package simulation

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/rollcall-sync/rollcall/sync/directory"
	"github.com/rollcall-sync/rollcall/sync/directory/memory"
	"github.com/rollcall-sync/rollcall/sync/state"
)

// world is the truth: what the two directories really hold, and who is who in them. A person is an account of the source;
// the employee id, which no event changes, tells persons apart and marks the target account that the engine made or took
// for one.
type world struct {
	options Options
	seed    uint64
	rng     *rand.Rand // of everything that happens one after the other; faults have their own
	shape   shape

	source, target *memory.Directory
	persons        int
	strangers      int
	former         []directory.Account // source accounts that were removed

	db        *state.DB
	statePath string
	states    int // how many copies a crash has made
	runs      int
	trust     bool
	// accepted is set when a run of everybody was let through, changedRules from a change of the rules after that until it
	// happens again.
	accepted, changedRules bool

	mu    sync.Mutex
	story *Story
	// untouchable are the ids of target accounts that must never be written, and why.
	untouchable map[string]string
	// excused are persons (employee ids) of whom the last law says nothing, and why.
	excused map[string]string
	// twins are target accounts without a link that belong to a person: id to employee id.
	twins map[string]string
	// disabledAt is when the engine deactivated a target account.
	disabledAt map[string]time.Time
	// processes are those at work now.
	processes []*process
	// unsettled are the entries of the journal without an outcome.
	unsettled map[entryKey]*unsettled
}

type entryKey struct {
	run string
	seq int64
}

func (w *world) ctx() context.Context { return context.Background() }

// populate makes both directories as they are before the first run.
func (w *world) populate() {
	w.source, w.target = memory.New(w.shape.source), memory.New(w.shape.target)
	for _, group := range []directory.Group{
		{ID: groupEditors, Name: nameEditors},
		{ID: groupAuthors, Name: nameAuthors},
		{ID: groupJuniors, Name: nameJuniors, Parents: []string{groupEditors}},
		{ID: groupStaff, Name: nameStaff},
	} {
		w.source.PutGroup(group)
	}
	for _, name := range []string{targetEditor, targetSubscriber, targetForum, targetAdmin} {
		w.target.PutGroup(directory.Group{ID: name, Name: name})
	}
	for range 5 + w.rng.IntN(14) {
		w.hire()
	}
	w.untouchable["self"] = "the own account"
	w.target.Put(directory.Account{ID: "self", Attributes: texts("username", "rollcall", "email", "rollcall@example.com")})
	for range w.rng.IntN(3) {
		w.stranger()
	}
	for range w.rng.IntN(4) {
		w.twin()
	}
	if w.rng.IntN(3) == 0 {
		if p, ok := w.somebody(func(a directory.Account) bool { return w.excused[idOf(a)] == "" }); ok {
			w.source.Set(p.ID, texts("email", "rollcall@example.com"))
			w.excuse(p, "has the e-mail of the own account")
		}
	}
}

// texts makes attributes out of names and values.
func texts(pairs ...string) directory.Attributes {
	attributes := directory.Attributes{}
	for i := 0; i < len(pairs); i += 2 {
		attributes[pairs[i]] = directory.Text(pairs[i+1])
	}
	return attributes
}

// idOf is the employee id: who somebody is.
func idOf(a directory.Account) string { return a.Attributes.Text(directory.EmployeeID) }

func (w *world) excuse(a directory.Account, why string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.excused[idOf(a)] = why
}

// hire adds a person to the source.
func (w *world) hire() directory.Account {
	w.persons++
	n := w.persons
	name := fmt.Sprintf("p%03d", n)
	if n%5 == 0 {
		name = fmt.Sprintf("Per Son%03d", n)
	}
	last := fmt.Sprintf("Last%03d", n)
	if n%4 == 0 {
		last = fmt.Sprintf(" Mu\u0308ller%03d ", n) // not in the form in which values are compared
	}
	account := directory.Account{ID: fmt.Sprintf("s-%03d", n), Status: directory.StatusActive, GroupsKnown: true, Attributes: texts(
		"username", name, "email", fmt.Sprintf("p%03d@example.com", n), "first_name", fmt.Sprintf("First%03d", n), "last_name", last,
		"employee_id", fmt.Sprintf("P%03d", n), "department", pick(w.rng, departments...),
	)}
	if w.rng.IntN(8) == 0 {
		account.Status = directory.StatusInactive
	}
	if w.rng.IntN(3) == 0 {
		account.Attributes["nickname"] = directory.Text(fmt.Sprintf("Nick%03d", n))
	}
	for _, group := range []string{groupEditors, groupAuthors, groupJuniors, groupStaff} {
		if w.rng.IntN(4) == 0 {
			account.Groups = append(account.Groups, group)
		}
	}
	w.source.Put(account)
	stored, _ := w.source.Account(account.ID)
	return stored
}

// stranger adds an account to the target that has nothing to do with anybody. Some of them hold a username that a person
// of tomorrow will want.
func (w *world) stranger() string {
	w.strangers++
	username := fmt.Sprintf("stranger%02d", w.strangers)
	id := fmt.Sprintf("t-%s", username)
	w.target.Put(directory.Account{ID: id, Attributes: texts("username", username, "email", username+"@example.com", "nickname", "Nobody")})
	w.mu.Lock()
	defer w.mu.Unlock()
	w.untouchable[id] = "a stranger"
	return id
}

// unverified is why a match by e-mail is not linked.
const unverified = "its e-mail is not verified"

// twin adds a target account that a person had before the sync: with the same e-mail in other letters, sometimes privileged,
// protected, or with an e-mail that the source does not vouch for.
func (w *world) twin() {
	p, ok := w.somebody(func(a directory.Account) bool { return !w.hasTwin(idOf(a)) && w.excused[idOf(a)] == "" })
	if !ok {
		return
	}
	id := "t-twin" + idOf(p)
	account := directory.Account{ID: id, Attributes: texts("username", "old."+p.Attributes.Text("username"), "email", strings.ToUpper(p.Attributes.Text("email")))}
	why := ""
	switch w.rng.IntN(6) {
	case 0:
		account.Groups, why = []string{targetAdmin}, "privileged"
	case 1:
		if w.shape.protects {
			account.Attributes["title"], why = directory.Text("Protected"), "protected"
		}
	case 2:
		w.source.Set(p.ID, directory.Attributes{directory.EmailVerified: directory.Bool(false)})
		if w.shape.sync.Actions.Link == "verified" {
			why = unverified
		}
	}
	w.target.Put(account)
	if why != "" {
		w.excuse(p, "matches an account that is never linked: "+why)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if why != "" {
		w.untouchable[id] = why
	}
	w.twins[id] = idOf(p)
}

func (w *world) hasTwin(person string) bool {
	for _, twin := range w.twins {
		if twin == person {
			return true
		}
	}
	return false
}

// somebody picks an account of the source.
func (w *world) somebody(suitable func(directory.Account) bool) (directory.Account, bool) {
	return choose(w.rng, w.source, suitable)
}

// someTarget picks an account of the target that may be meddled with: one that the engine has made or taken for a person.
func (w *world) someTarget(rng *rand.Rand, suitable func(directory.Account) bool) (directory.Account, bool) {
	return choose(rng, w.target, func(a directory.Account) bool { return idOf(a) != "" && w.guarded(a.ID) == "" && suitable(a) })
}

func choose(rng *rand.Rand, d *memory.Directory, suitable func(directory.Account) bool) (directory.Account, bool) {
	all := slices.DeleteFunc(d.Accounts(), func(a directory.Account) bool { return !suitable(a) })
	if len(all) == 0 {
		return directory.Account{}, false
	}
	return all[rng.IntN(len(all))], true
}

func anyone(directory.Account) bool { return true }

// anybody is a name for a run of one person.
func (w *world) anybody() string {
	p, ok := w.somebody(anyone)
	if !ok {
		return ""
	}
	return p.Attributes.Text(directory.Email)
}

func (w *world) guarded(id string) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.untouchable[id]
}

// free reports whether nobody of a directory holds a value, in any case of letters.
func free(d *memory.Directory, attribute, value string) bool {
	return !slices.ContainsFunc(d.Accounts(), func(a directory.Account) bool { return strings.EqualFold(a.Attributes.Text(attribute), value) })
}

func copyFile(from, to string) error {
	data, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return os.WriteFile(to, data, 0o600)
}
