package simulation

import (
	"errors"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/rollcall-sync/rollcall/sync/directory"
	"github.com/rollcall-sync/rollcall/sync/directory/memory"
	"github.com/rollcall-sync/rollcall/sync/plan"
	"github.com/rollcall-sync/rollcall/sync/rules"
)

// weather is what one run has to suffer. The zero value is calm.
type weather struct {
	// listing is the fault of the listing of each side; empty for none.
	listing map[plan.Side]listingFault
	// reads, writes and refusals are how likely it is that one read, write or record fails.
	reads, writes, refusals float64
	// authAfter is the number of calls after which a side takes the credentials no more; 0 for never.
	authAfter map[plan.Side]int
	// crashAt is the call at which the process dies, before or after the call is done; crashAtWrite counts writes alone.
	crashAt, crashAtWrite int
	crashAfter            bool
	// cancelAt is the call at which the run is ended from outside; rivalAt that at which a second process begins. With
	// takeover this one is asleep for so long that the second may take the sync over.
	cancelAt, rivalAt int
	takeover          bool
	// editAt is the call at which something happens to the directories; editAtWrite counts writes alone.
	editAt, editAtWrite int
}

// listingFault is one way in which a listing goes wrong.
type listingFault string

const (
	shortPages   listingFault = "short pages"       // rows are missing, the count is right
	repeatedPage listingFault = "a repeated page"   // a page comes twice, in the place of another
	repeatedRow  listingFault = "a repeated row"    // an account comes twice
	lostCursor   listingFault = "a lost cursor"     // the listing ends early
	loopCursor   listingFault = "a looping cursor"  // the second page points back
	emptyAnswer  listingFault = "an empty answer"   // nobody is there, and the count agrees
	thinRecords  listingFault = "thin records"      // bare names, as without rights, and told so
	badRecord    listingFault = "a bad record"      // one record cannot be read
	hiddenRows   listingFault = "hidden rows"       // accounts are missing, and the count agrees
	brokenPage   listingFault = "a broken page"     // an error in the middle
	movingCount  listingFault = "a moving count"    // the count differs from the listing
	noGroups     listingFault = "groups unreadable" // groups or members cannot be listed
)

var listingFaults = []listingFault{
	shortPages, repeatedPage, repeatedRow, lostCursor, loopCursor, emptyAnswer, thinRecords, badRecord, hiddenRows, hiddenRows, brokenPage, movingCount, noGroups,
}

// newWeather draws the weather of one run. Half of the runs have a calm one.
func newWeather(rng *rand.Rand, s shape) weather {
	v := weather{listing: map[plan.Side]listingFault{}, authAfter: map[plan.Side]int{}}
	if rng.IntN(5) < 2 {
		return v
	}
	one := func(n int) bool { return rng.IntN(n) == 0 }
	if one(3) {
		v.listing[plan.Source] = pick(rng, listingFaults...)
		if v.listing[plan.Source] == hiddenRows && s.sourceView == "core" {
			v.listing[plan.Source] = shortPages // two such listings in a row would be proof
		}
	}
	if one(5) {
		v.listing[plan.Target] = pick(rng, listingFaults...)
	}
	if s.sync.Actions.MissingInTarget == rules.Recreate && one(5) {
		v.listing[plan.Target] = hiddenRows // what is hidden must not be made anew
	}
	if one(6) {
		v.reads = 0.1
	}
	if one(3) {
		v.writes = pick(rng, 0.1, 0.3, 0.6)
	}
	if one(6) {
		v.refusals = 0.2
	}
	if one(10) {
		v.authAfter[pick(rng, plan.Source, plan.Target)] = 1 + rng.IntN(30)
	}
	switch rng.IntN(6) {
	case 0:
		v.crashAt, v.crashAfter = 1+rng.IntN(50), one(2)
	case 1, 2:
		v.crashAtWrite, v.crashAfter = 1+rng.IntN(5), one(2)
	}
	if one(10) {
		v.cancelAt = 1 + rng.IntN(50)
	}
	if one(6) {
		v.rivalAt, v.takeover = 1+rng.IntN(50), one(2)
	}
	if v.takeover { // one misfortune of this kind is enough for one process
		v.crashAt, v.crashAtWrite = 0, 0
	}
	if one(5) {
		v.editAt = 1 + rng.IntN(50)
	}
	if one(5) {
		v.editAtWrite = 1 + rng.IntN(5)
	}
	return v
}

// calm reports whether nothing at all may go wrong.
func (v weather) calm() bool { return v.String() == "calm" }

// String tells the weather.
func (v weather) String() string {
	var parts []string
	add := func(on bool, format string, arguments ...any) {
		if on {
			parts = append(parts, fmt.Sprintf(format, arguments...))
		}
	}
	for _, side := range []plan.Side{plan.Source, plan.Target} {
		add(v.listing[side] != "", "%s of the %s", v.listing[side], side)
		add(v.authAfter[side] > 0, "%s refuses the credentials after call %d", side, v.authAfter[side])
	}
	add(v.reads > 0, "reads fail %.1f", v.reads)
	add(v.writes > 0, "writes fail %.1f", v.writes)
	add(v.refusals > 0, "records are refused %.1f", v.refusals)
	when := "before it is done"
	if v.crashAfter {
		when = "when it is done"
	}
	add(v.crashAt > 0, "crash at call %d %s", v.crashAt, when)
	add(v.crashAtWrite > 0, "crash at write %d %s", v.crashAtWrite, when)
	add(v.cancelAt > 0, "interrupted at call %d", v.cancelAt)
	add(v.rivalAt > 0 && !v.takeover, "a second process at call %d", v.rivalAt)
	add(v.rivalAt > 0 && v.takeover, "asleep at call %d", v.rivalAt)
	add(v.editAt > 0, "an edit at call %d", v.editAt)
	add(v.editAtWrite > 0, "an edit at write %d", v.editAtWrite)
	if len(parts) == 0 {
		return "calm"
	}
	return strings.Join(parts, ", ")
}

// chance returns random numbers that depend on the seed, the run and the words alone, so that calls which run side by side
// meet the same fate in every replay, whatever their order.
func (p *process) chance(words ...string) *rand.Rand {
	hash := fnv.New64a()
	for _, word := range words {
		hash.Write([]byte(word))
		hash.Write([]byte{0})
	}
	return rand.New(rand.NewPCG(p.world.seed, hash.Sum64()+uint64(p.number)<<48))
}

// failed is an error as a directory would give it.
func failed(kind directory.ErrorKind, why string) error {
	return &directory.Error{Kind: kind, Err: errors.New(why)}
}

// fault is what becomes of one call: refused with an error before it is done, or its answer lost.
type fault struct {
	err error
	// lost loses the answer of a write after it was done, late lets the write arrive only when the run is over, and half
	// does half of a bulk call.
	lost, late, half bool
}

// draw draws the fault of one call.
func (p *process) draw(side plan.Side, call memory.Call, key string) fault {
	if limit := p.weather.authAfter[side]; limit > 0 && p.count(side) > limit {
		return fault{err: failed(directory.Auth, "401")}
	}
	rng := p.chance(key, "fault")
	if writes[call.Op] {
		if rng.Float64() >= p.weather.writes {
			return fault{}
		}
		switch rng.IntN(8) {
		case 0, 1:
			return fault{lost: true}
		case 2, 3:
			return fault{err: memory.ErrLostAnswer}
		case 4:
			return fault{late: true}
		case 5:
			if call.Op == memory.OpCreateAccounts {
				return fault{lost: true, half: true}
			}
			return fault{lost: true}
		case 6:
			throttled := failed(directory.Throttled, "429")
			throttled.(*directory.Error).Wait = pick(rng, time.Second, 30*time.Minute)
			return fault{err: throttled}
		default:
			return fault{err: failed(pick(rng, directory.Retryable, directory.Invalid, directory.Conflict, directory.Auth), "refused")}
		}
	}
	listing := p.weather.listing[side]
	switch {
	case listing == noGroups && slices.Contains([]string{memory.OpListGroups, memory.OpListMembers, memory.OpListMemberships}, call.Op):
		if rng.IntN(3) == 0 {
			return fault{err: failed(pick(rng, directory.Retryable, directory.Auth), "groups cannot be read")}
		}
	case listing == brokenPage && call.Op == memory.OpListAccounts && call.Request.(directory.ListRequest).Cursor != "":
		if rng.IntN(2) == 0 {
			return fault{err: failed(directory.Retryable, "502")}
		}
	}
	if rng.Float64() < p.weather.reads {
		return fault{err: failed(pick(rng, directory.Retryable, directory.Throttled, directory.Auth), "no answer")}
	}
	return fault{}
}

// bend changes what a listing tells.
func (p *process) bend(side plan.Side, call memory.Call) {
	what := p.weather.listing[side]
	if what == "" {
		return
	}
	one := 6
	if side == plan.Target {
		one = 3
	}
	hidden := func(id string) bool { return p.chance(string(side), id, "hidden").IntN(one) == 0 }
	switch answer := call.Answer.(type) {
	case *int:
		switch what {
		case emptyAnswer:
			*answer = 0
		case movingCount:
			*answer += p.chance(string(side), "count").IntN(2)*2 - 1
		case hiddenRows:
			for _, account := range p.world.directory(side).Accounts() {
				if hidden(account.ID) {
					*answer--
				}
			}
		}
	case *directory.AccountPage:
		p.bendPage(side, what, call.Request.(directory.ListRequest), answer, hidden)
	}
}

func (p *process) bendPage(side plan.Side, what listingFault, request directory.ListRequest, page *directory.AccountPage, hidden func(string) bool) {
	first := request.Cursor == "" || request.Cursor == "after:"
	rng := p.chance(string(side), request.Cursor, "page")
	switch what {
	case shortPages:
		if n := len(page.Accounts); n > 0 {
			i := rng.IntN(n)
			page.Accounts = slices.Delete(page.Accounts, i, min(n, i+1+rng.IntN(2)))
		}
	case repeatedPage:
		p.mu.Lock()
		defer p.mu.Unlock()
		if first {
			p.firstPage[side] = slices.Clone(page.Accounts)
		} else if rng.IntN(2) == 0 && p.firstPage[side] != nil {
			page.Accounts = slices.Clone(p.firstPage[side])
		}
	case repeatedRow:
		if len(page.Accounts) > 0 {
			page.Accounts[len(page.Accounts)-1] = page.Accounts[0]
		}
	case lostCursor:
		page.Next = ""
	case loopCursor:
		if !first && page.Next != "" {
			page.Next = request.Cursor
		}
	case emptyAnswer:
		*page = directory.AccountPage{Total: 0}
	case thinRecords:
		page.Doubt = "the records are bare"
		for i := range page.Accounts {
			thin(&page.Accounts[i])
			if side == plan.Target { // a record that does not tell who is privileged cannot be used
				page.Accounts[i].Problem = "the record is bare"
			}
		}
	case badRecord:
		for i := range page.Accounts {
			if p.chance(string(side), page.Accounts[i].ID, "bad").IntN(8) == 0 {
				thin(&page.Accounts[i])
				page.Accounts[i].Problem = "the record is cut off"
			}
		}
	case hiddenRows:
		page.Accounts = slices.DeleteFunc(page.Accounts, func(a directory.Account) bool { return hidden(a.ID) })
		for _, account := range p.world.directory(side).Accounts() {
			if hidden(account.ID) {
				page.Total--
			}
		}
	}
}

// thin takes away what a directory does not tell those without rights.
func thin(account *directory.Account) {
	account.Attributes = directory.Attributes{directory.Username: account.Attributes[directory.Username]}
	account.Status, account.Groups, account.GroupsKnown, account.Privileged, account.Revision = directory.StatusUnknown, nil, false, "", ""
}

// writes are the calls that change a directory.
var writes = map[string]bool{
	memory.OpCreateAccount: true, memory.OpCreateAccounts: true, memory.OpUpdateAccount: true, memory.OpSetStatus: true, memory.OpDeleteAccount: true,
	memory.OpChangeGroups: true, memory.OpCreateGroup: true,
}
