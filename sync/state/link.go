package state

import (
	"fmt"
	"time"

	"github.com/rollcall-sync/rollcall/sync/directory"
)

// Origin says how a link came to be.
type Origin string

// The origins.
const (
	OriginCreated   Origin = "created"   // the target account was created for the source account
	OriginMatched   Origin = "matched"   // found by the match rules of a run
	OriginCommand   Origin = "command"   // somebody said so
	OriginRecovered Origin = "recovered" // found again after a crash or a lost answer
	OriginWriteback Origin = "writeback" // the source account was created for the target account
	OriginAdopted   Origin = "adopted"   // accepted at first contact
)

// Claim says whether the sync still gives the account its access.
type Claim uint8

// The claims. A target account stays active as long as any sync's link holds it.
const (
	Held Claim = iota
	Released
)

// String returns held or released.
func (c Claim) String() string {
	if c == Released {
		return "released"
	}
	return "held"
}

// LinkHead is the part of a link that a run looks at for every account. Times are UTC.
type LinkHead struct {
	SourceID, TargetID string
	// SourceHash and TargetHash are of the two accounts' contents when they were last in step; 0, 0 means look again.
	SourceHash, TargetHash uint64
	// Rules is the fingerprint of the rules under which they were last in step.
	Rules string
	Claim Claim
	// DeactivatedAt is when we deactivated the target account; zero where we did not, or activated it since.
	DeactivatedAt time.Time
	// MissingRuns counts the complete listings in a row without the source account, SuspectedSince is when the first of
	// them was.
	MissingRuns    int
	SuspectedSince time.Time
}

// Link is the remembered pair of two accounts. Times are UTC.
type Link struct {
	Sync                             string
	SourceDirectory, TargetDirectory string
	LinkHead
	// SourceLabel and TargetLabel are the names by which people know the accounts.
	SourceLabel, TargetLabel string
	Origin                   Origin
	// CreatedAt of a new link defaults to now.
	CreatedAt  time.Time
	CreatedRun string
	// DeactivatedBy is the run in which we deactivated the target account. Where DeactivatedAt is zero, the engine keeps here
	// who else did; empty otherwise.
	DeactivatedBy string
	// RememberedGroups are the target groups to restore on activation.
	RememberedGroups []string
	// Protected is the protect expression that held for the source account when it was last read; empty where none did.
	Protected string
	Base      Base
}

// Base is what both sides agreed on.
type Base struct {
	// Attributes holds a pair for each attribute of the target. It is never nil in a link that was read.
	Attributes map[string]Pair
	// Groups are the ids of the managed target groups that the account had. Order does not matter and is not kept.
	Groups                     []string
	SourceStatus, TargetStatus directory.Status
}

// Pair is one attribute: what the rules gave, and what the target made of it.
type Pair struct {
	// Source is the mapped value as it was sent, Target as the target stored it.
	Source, Target directory.Value
}

// String names the link for people.
func (l Link) String() string {
	return fmt.Sprintf("%s - %s", named(l.SourceID, l.SourceLabel), named(l.TargetID, l.TargetLabel))
}

// named returns the id, with the label where that says more.
func named(id, label string) string {
	if label == "" || label == id {
		return fmt.Sprintf("%q", id)
	}
	return fmt.Sprintf("%q (%s)", id, label)
}

// The stored form of a base is two accounts in the directory package's own encoding: the source's values with groups and
// status, then of the target's values only those that differ, which are few.

func (b Base) appendBinary(buffer []byte) []byte {
	sources, differing := make(directory.Attributes, len(b.Attributes)), make(directory.Attributes)
	for name, pair := range b.Attributes {
		sources[name] = pair.Source
		if !pair.Source.Equal(pair.Target) {
			differing[name] = pair.Target
		}
	}
	buffer = directory.Account{Status: b.SourceStatus, Attributes: sources, Groups: b.Groups}.AppendBinary(buffer)
	return directory.Account{Status: b.TargetStatus, Attributes: differing}.AppendBinary(buffer)
}

func decodeBase(buffer []byte) (Base, error) {
	source, rest, err := directory.DecodeAccount(buffer)
	if err != nil {
		return Base{}, err
	}
	target, rest, err := directory.DecodeAccount(rest)
	if err != nil {
		return Base{}, err
	}
	if len(rest) != 0 {
		return Base{}, directory.ErrCorrupt
	}
	base := Base{
		Attributes: make(map[string]Pair, len(source.Attributes)), Groups: source.Groups,
		SourceStatus: source.Status, TargetStatus: target.Status,
	}
	for name, value := range source.Attributes {
		pair := Pair{Source: value, Target: value}
		if stored, ok := target.Attributes[name]; ok {
			pair.Target = stored
		}
		base.Attributes[name] = pair
	}
	return base, nil
}
