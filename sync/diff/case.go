// Package diff decides what happens to one account. It compares three things: what the source says (already mapped into the
// target's vocabulary), what the target has, and the base, which is what both agreed on after the last run. It is pure: the
// same case gives the same decision.
//
// The table, per account (defaults; rules.Actions changes them):
//
//	source                       target                                 decision
//	active, in scope             no link, no match                      create
//	                             no link, one match                     link, then update; never on its own when privileged
//	                             no link, several or a taken match      ambiguous: reported
//	                             no link, match of one proven gone      rehire: reported
//	                             linked, differs                        update what differs and the source leads
//	                             linked, inactive, by us                activate
//	                             linked, inactive, by somebody          respected
//	                             linked, missing                        reported, or recreated
//	inactive                     linked                                 deactivate
//	out of scope                 linked                                 deactivate, or drop groups, or ignore
//	missing, listing complete    linked                                 suspected; confirmed gone: deactivate; deleted after grace
//	missing, back under a new id linked, same username and e-mail       reported, access stays
//	missing, listing incomplete  linked                                 withheld
//	anything                     linked, other username and e-mail      untouched and reported
//	scope or status unknown      any                                    neither created, activated nor deactivated
//	anything                     privileged, own account                untouched and reported
//	protected on either side, or when it was last read                  both sides untouched and reported
package diff

import (
	"sync"
	"time"

	"github.com/rollcall-sync/rollcall/sync/directory"
	"github.com/rollcall-sync/rollcall/sync/mapping"
	"github.com/rollcall-sync/rollcall/sync/plan"
	"github.com/rollcall-sync/rollcall/sync/rules"
)

// Case is everything that is known of one account.
type Case struct {
	Link *Link
	// Source is the source record; nil when it is not in the listing, and then SourceMissing says what that proves.
	Source        *Record
	SourceMissing Evidence
	// ListingsMissed is, where the source cannot be asked for one account, how many complete listings in a row lack it, and
	// ListingsNeeded how many prove that it is gone; 0 where it can be asked.
	ListingsMissed, ListingsNeeded int
	// Successor is the account that the person of a gone source account seems to have now; nil where there is none.
	Successor *Successor
	// Target is the target record; nil when there is none.
	Target        *Record
	TargetMissing Evidence
	// Candidates are the target accounts that match, looked for only where there is a source and no link.
	Candidates []Candidate
	// OtherClaims are the names of other syncs that hold the same target account; OtherGroups the target groups (ids)
	// that they gave it.
	OtherClaims []string
	OtherGroups []string
	// LedElsewhere maps target attributes to the sync that leads them because it stands earlier in the configuration.
	LedElsewhere map[string]string
}

// Evidence is what a missing record proves.
type Evidence uint8

// The kinds of evidence.
const (
	// Withheld: the listing is not proven complete, so that nothing follows from it.
	Withheld Evidence = iota
	// Suspected: the listing is complete, but no second witness has confirmed it.
	Suspected
	// Gone: proven.
	Gone
)

// Record is one account with what the rules make of it.
type Record struct {
	Account directory.Account
	// Self is set on the account that Rollcall signs in with; Protected is the expression that protects it.
	Self      bool
	Protected string
	// Out is the outcome of the rules for a source record.
	Out mapping.Outcome
	// In holds what the way back gives for a target record; WritebackScope and its reason belong to it.
	In             []mapping.Mapped
	WritebackScope mapping.Tri
}

// Successor is an account of the source without a link that is active and in scope, and that has all the names of a target account
// whose own source account is proven gone: the same person under a new id, as far as can be told.
type Successor struct {
	ID, Label string
	// Same are the attributes in which the two agree.
	Same []string
	// Takes is set where this run gives the target account to it.
	Takes bool
}

// Candidate is a target account that matches a source account.
type Candidate struct {
	Record Record
	// By is the attribute that matched.
	By string
	// LinkedTo is the source account's label when it has a link in this sync already; Gone is set when that source account
	// is proven gone.
	LinkedTo string
	Gone     bool
	// Ours is set when one of our syncs deactivated the account, at Since; RememberedGroups are the groups that it took then.
	Ours             bool
	Since            time.Time
	RememberedGroups []string
}

// Link is the part of a link that decisions need.
type Link struct {
	SourceID, TargetID       string
	SourceLabel, TargetLabel string
	// Held is set while this sync claims the account; a released link is only remembered.
	Held bool
	// Ours is set when we deactivated the target account, at Since.
	Ours             bool
	Since            time.Time
	RememberedGroups []string
	Attributes       map[string]Pair
	// Groups are the managed target groups (ids) that the account had after the last run.
	Groups       []string
	SourceStatus directory.Status
	TargetStatus directory.Status
	// Protected is the protect expression that held for the source account when it was last read.
	Protected string
}

// Pair is what both sides agreed on for one target attribute: the value as mapped, and as the target stored it.
type Pair struct {
	Source, Target directory.Value
}

// Class is what became of an account; each account read from the source has exactly one.
type Class uint8

// The classes.
const (
	Unchanged Class = iota
	Changed
	Skipped
	Failed
)

// Decision is what is to be done with one account.
type Decision struct {
	Class Class
	// Reason is the sentence for `rollcall explain`, also when nothing is done.
	Reason     string
	Operations []plan.Operation
	Notes      []plan.Note
	// Release is set when this sync lets go of the account without a write; Hold when it takes it (again).
	Release, Hold bool
	// Attributes is the new base for the attributes that are in step, nil where the base stays as it is, statuses included;
	// Groups the managed groups as they will be.
	Attributes map[string]Pair
	Groups     []string
	// GroupsBefore are the managed groups as they are before the operations.
	GroupsBefore []string
	// InStep is set when the two sides agree and nothing needs to be said, so that the pair need not be looked at again
	// until one side changes.
	InStep bool
}

// Decider decides the cases of one run. Its fields must not change after the first decision; then it is safe for concurrent
// use.
type Decider struct {
	Rules          rules.Sync
	Source, Target directory.Description
	// TargetGroups finds a target group by name, path or id; SourceGroups the same for the source.
	TargetGroups, SourceGroups *Groups
	// Managed are the names of the target groups that the rules manage.
	Managed []string
	// GroupSource gives the source group that stands behind a target group, for write-back.
	GroupSource func(target string) (source string, ok bool)
	// Removals and Creations are allowed only when the listings are proven complete; WithheldBecause says what failed.
	Removals, Creations bool
	WithheldBecause     string
	// Powers of the two sides.
	SourcePowers, TargetPowers Powers
	Now                        time.Time

	once       sync.Once
	managedSet map[string]bool
}

// Powers says what a side can do.
type Powers struct {
	Create, Update, Status, Delete, Groups, CreateGroup bool
}

// PowersOf looks at which interfaces a directory has.
func PowersOf(d directory.Directory) Powers {
	var p Powers
	_, p.Create = d.(directory.Creator)
	_, p.Update = d.(directory.Updater)
	_, p.Status = d.(directory.StatusSetter)
	_, p.Delete = d.(directory.Deleter)
	_, p.Groups = d.(directory.GroupChanger)
	_, p.CreateGroup = d.(directory.GroupCreator)
	return p
}
