// Package directorytest is the conformance suite of the directory contract: one story, told to the in-memory reference, to
// every connector's and target's in-process fake, and to live servers alike. A new directory is proven by a test of twenty
// lines:
//
//	func TestConformance(t *testing.T) {
//		directorytest.Run(t, directorytest.Suite{
//			New: func(t testing.TB) directorytest.Place { return directorytest.Place{Directory: open(t)} },
//		})
//	}
//
// Which chapters are told follows from the powers that the directory has; a power that is absent is logged and left out.
// What a vendor cannot do as the contract wants is declared as a [Quirk] with the reason written down.
package directorytest

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/rollcall-sync/rollcall/sync/directory"
)

// Suite configures one run. Only New must be set.
type Suite struct {
	// New opens a directory for one chapter. It may hold accounts and groups already; the suite leaves those alone and
	// counts from there. Opening the same place again for each chapter is fine too, because no name is used twice in a
	// run. The suite closes the directory at the end of the chapter, before New's own cleanups run.
	New func(t testing.TB) Place

	// PageSize is the size that the suite asks pages in; 0 means 4. It makes a little more than three pages of accounts,
	// so keep it small on slow servers. A vendor with fixed pages names that size here.
	PageSize int

	// Account returns what the nth account of the run is created with, different in every unique attribute for each n.
	// nil means username, email, first and last name and what else is required, as far as the directory has them.
	Account func(n int) directory.Attributes
	// GroupName names the nth group that the suite creates; nil means "rc-group-0001" and so on.
	GroupName func(n int) string
	// UseGroups are the ids of existing groups that test accounts may join, where the directory can create none. Empty
	// means the first ones listed that are not read-only.
	UseGroups []string
	// MissingID and MissingGroup are ids of the vendor's form that do not exist; empty means a UUID.
	MissingID, MissingGroup string

	// Values replaces the values that an attribute is tried with.
	Values map[string][]directory.Value
	// Same says whether stored is what the vendor makes of sent. nil means equal after Unicode normalisation, without
	// case where the spec has FoldCase.
	Same func(attribute string, sent, stored directory.Value) bool

	// Quirks are the checks that this directory cannot pass.
	Quirks []Quirk
}

// Place is one opened directory and what only the test knows about it.
type Place struct {
	Directory directory.Directory
	// Seed places groups and accounts behind the directory's back: for directories that cannot create, or to be quick.
	Seed func(t testing.TB, seed Seed)
	// Again opens the same place once more, as the next night's run will; nil where that is not possible.
	Again func(t testing.TB) directory.Directory
	// Settle lets so much time pass that a new token no longer reaches back to what was done before (ChangeScope.Overlap). nil
	// where there is no overlap, or time cannot be made to pass: then unchanged accounts may come up too.
	Settle func(t testing.TB)
	// Expire makes all tokens that ListChanges has given out too old; nil where that cannot be brought about.
	Expire func(t testing.TB)
}

// Seed is what Place.Seed puts there.
type Seed struct {
	// Groups are names of new groups.
	Groups []string
	// Accounts are new accounts; their Groups are names of groups seeded before or with them.
	Accounts []directory.CreateRequest
}

// Quirk waives one check.
type Quirk struct {
	// Check is one of the constants below, or the name of a whole check as the test prints it ("groups/create").
	Check string
	// Attribute narrows the quirk to one attribute; empty means all.
	Attribute string
	// Reason says why, with the vendor's page where there is one. It must not be empty.
	Reason string
}

// The parts of checks that a quirk can name.
const (
	// Emoji, Combining, RightToLeft and Markup are letters that an attribute does not take or does not keep.
	Emoji       = "emoji"
	Combining   = "combining accents"
	RightToLeft = "right to left"
	Markup      = "markup"
	// RoundTrip waives all values of an attribute, Clear the emptying of it.
	RoundTrip = "round trip"
	Clear     = "clear"
	// Longest and TooLong are the values of MaxLength and one more character.
	Longest = "longest"
	TooLong = "too long"
	// ConflictAttribute waives that a conflict names the attribute.
	ConflictAttribute = "conflict names attribute"
	// FoldedConflict waives that a unique value in other case is refused.
	FoldedConflict = "conflict without case"
	// CreateInactive waives that an account can be created inactive.
	CreateInactive = "create inactive"
	// Derived is an attribute that changes when others do.
	Derived = "derived"
	// ReusedID waives that the id of a deleted account is never given to another.
	ReusedID = "reused id"
)

var parts = []string{
	Emoji, Combining, RightToLeft, Markup, RoundTrip, Clear, Longest, TooLong, ConflictAttribute, FoldedConflict,
	CreateInactive, Derived, ReusedID,
}

// chapter is a part of the story that is told in one place.
type chapter struct {
	name   string
	checks []check
}

// check is one test of a chapter. needs returns the name of a power that it cannot do without and the directory lacks.
type check struct {
	name  string
	needs []power
	run   func(t testing.TB, w *world)
}

func story() []chapter {
	return []chapter{description, listing, accounts, unique, attributes, status, groups, bulk, changes, calls}
}

// Run tells the story to the directory.
func Run(t *testing.T, s Suite) {
	t.Helper()
	s.complete(t)
	n := &numbers{}
	for _, chapter := range story() {
		t.Run(chapter.name, func(t *testing.T) {
			w := open(t, s, n)
			for _, check := range chapter.checks {
				if !w.told(t, chapter, check) {
					continue
				}
				t.Run(check.name, func(t *testing.T) { check.run(t, w) })
			}
		})
	}
}

func (s *Suite) complete(t testing.TB) {
	t.Helper()
	if s.New == nil {
		t.Fatal("directorytest: Suite.New is not set")
	}
	if s.PageSize == 0 {
		s.PageSize = 4
	}
	if s.PageSize < 2 {
		t.Fatal("directorytest: Suite.PageSize must be two at least")
	}
	if s.GroupName == nil {
		s.GroupName = func(n int) string { return fmt.Sprintf("rc-group-%04d", n) }
	}
	for _, id := range []*string{&s.MissingID, &s.MissingGroup} {
		if *id == "" {
			*id = "00000000-0000-4000-8000-000000000000"
		}
	}
	known := slices.Clone(parts)
	for _, chapter := range story() {
		for _, check := range chapter.checks {
			known = append(known, chapter.name+"/"+check.name)
		}
	}
	for _, quirk := range s.Quirks {
		if strings.TrimSpace(quirk.Reason) == "" {
			t.Fatalf("directorytest: the quirk %q has no reason", quirk.Check)
		}
		if !slices.Contains(known, quirk.Check) {
			t.Fatalf("directorytest: there is no check %q to waive", quirk.Check)
		}
	}
}

// told says whether a check is run: not where a power is absent or a quirk waives it.
func (w *world) told(t testing.TB, chapter chapter, check check) bool {
	t.Helper()
	for _, power := range check.needs {
		if !power.has(w) {
			t.Logf("%s: left out, the directory has no %s", check.name, power.name)
			return false
		}
	}
	return !w.waived(t, chapter.name+"/"+check.name, "")
}

// waived reports whether a quirk covers the part, and logs why.
func (w *world) waived(t testing.TB, part, attribute string) bool {
	t.Helper()
	for _, quirk := range w.Quirks {
		if quirk.Check == part && (quirk.Attribute == "" || quirk.Attribute == attribute) {
			t.Logf("%s: waived: %s", strings.TrimSpace(part+" "+attribute), quirk.Reason)
			return true
		}
	}
	return false
}

// power is something that a check needs of the place.
type power struct {
	name string
	has  func(w *world) bool
}

func ability[T any](name string) power {
	return power{name, func(w *world) bool { _, ok := w.d.(T); return ok }}
}

var (
	gets       = ability[directory.Getter]("Getter")
	finds      = ability[directory.Finder]("Finder")
	creates    = ability[directory.Creator]("Creator")
	bulks      = ability[directory.BulkCreator]("BulkCreator")
	updates    = ability[directory.Updater]("Updater")
	sets       = ability[directory.StatusSetter]("StatusSetter")
	deletes    = ability[directory.Deleter]("Deleter")
	listGroups = ability[directory.GroupLister]("GroupLister")
	members    = ability[directory.MemberLister]("MemberLister")
	joins      = ability[directory.GroupChanger]("GroupChanger")
	makeGroups = ability[directory.GroupCreator]("GroupCreator")

	// fills is the means to place accounts at all.
	fills = power{"Creator, and the place no Seed", func(w *world) bool {
		_, ok := w.d.(directory.Creator)
		return ok || w.place.Seed != nil
	}}
	// again is a place that can be opened a second time.
	again = power{"second opening", func(w *world) bool { return w.place.Again != nil }}
	// inGroups is some way to see who is in which group.
	seesGroups = power{"way to read memberships", func(w *world) bool {
		_, memberships := w.d.(directory.MembershipLister)
		_, members := w.d.(directory.MemberLister)
		return memberships || members || w.desc.GroupsInline
	}}
)

// cancelled returns a context that is over already.
func cancelled(t testing.TB) context.Context {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	return ctx
}
