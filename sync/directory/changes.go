package directory

import (
	"context"
	"time"
)

// ChangeLister lists what changed since a token, so that a quiet night costs a handful of requests. It hastens and never
// replaces the full listing, which alone carries a certificate. This is how the two fit together:
//
//  1. A chain with an empty Since gives the token of now, and no changes. It is asked for before a full listing begins.
//  2. The full listing is read. What changes meanwhile may or may not be in it, and comes with the token in any case.
//  3. A chain with Since set to that token gives what changed, and the token for the next time.
//  4. The new token replaces the old one when what came with it is safe. Until then the old one is asked again: it stays
//     good, and gives the same or more.
//
// The cursor rules of ListAccounts hold for a chain, and a broken one is begun again with the same Since. What was listed
// completely at a token, with all changes since put on top in their order, is what a listing shows when the chain ends, as
// far as Description.Changes says that it is told. From that follows what an implementer owes:
//
//   - At least once. A change that a listing begun after the token was given may not show yet comes with that token: where
//     a vendor's own lists lag behind, or its clock is not ours, the token reaches back (Overlap), counted in the vendor's
//     time. A change made while a chain is followed comes in it or with its token. So accounts come several times, and
//     unchanged ones come too; where the vendor tells of one account out of order, the directory puts the last state last.
//   - Each account comes whole, as ListAccounts would give it for the same Attributes when the page is made. Where the
//     vendor sends part of a record, or only its id, the account comes as Look, unless the directory can read many by id in
//     one request and does so itself. A change of nothing but updated_at, Revision, or of what stems from elsewhere
//     (Privileged, ReadOnly) need not come: who writes reads first.
//   - Gone is proof, as NotFound of a Getter is. What may just have left our sight comes as Look, and so does who is no
//     longer shown because of an option of the directory.
//   - Memberships are read no later than accounts, so that whoever joined a group is known when the chain has ended, or is
//     nobody that a listing shows.
//   - A token that cannot be continued is [Expired], never an empty page: one that is too old, damaged, of another place or
//     of an earlier life of this one, or taken for other Attributes where the vendor binds it to them. Trouble that passes,
//     and a right that was taken away, keep their own kinds.
//
// Nothing follows from an empty chain but that nothing is told: neither that the directory may still see everybody, nor
// that those who did not come exist.
type ChangeLister interface {
	ListChanges(ctx context.Context, request ChangeRequest) (ChangePage, error)
}

// ChangeRequest asks for one page of a chain of changes.
type ChangeRequest struct {
	// Since is a token; empty begins anew with the token of now.
	Since string
	// Cursor is the Next of the page before; all other fields stay as they were.
	Cursor string
	// Size is the wanted number of changes; 0 means the directory's own best size. The directory may give fewer, and
	// more where the vendor fixes the size.
	Size int
	// Attributes names what the rules use, as in ListRequest, and stays the same from token to token. nil asks for everything.
	Attributes []string
}

// ChangePage is one page of a chain.
type ChangePage struct {
	// Accounts and Groups are to be put on top of what is known, each in its order. A later change of the same account or
	// group stands above an earlier one. An account that is gone is in no group, whether Groups says so or not.
	Accounts []AccountChange
	Groups   []GroupChange
	// Next is the cursor of the following page; empty at the vendor's own end sign.
	Next string
	// Token is the Since of the next time. The last page has it, and no other. It is text without secrets and personal data,
	// outlives the process, and may be equal to Since where nothing happened.
	Token string
	// Doubt and Remedy are those of AccountPage. Doubt means: list in full.
	Doubt, Remedy string
}

// ChangeKind says what is known about a change.
type ChangeKind uint8

// The kinds of changes. Look is the zero kind, because doubt must never look like proof.
const (
	// Look: something may have changed, and the id is all that is told. The record has to be read again.
	Look ChangeKind = iota
	// Changed: new, changed, or restored; the record is whole.
	Changed
	// Gone: proof that listings no longer show the record and that reading it is NotFound; deleted for good or, where the
	// vendor keeps what is deleted for a while, out of sight. A restored one comes as Changed, with its old id; which groups
	// it is in has to be asked.
	Gone
)

// String returns look, changed or gone.
func (k ChangeKind) String() string {
	switch k {
	case Changed:
		return "changed"
	case Gone:
		return "gone"
	default:
		return "look"
	}
}

// AccountChange is what happened to one account. Unless it is Changed, only the id of Account is set.
type AccountChange struct {
	Kind    ChangeKind
	Account Account
}

// GroupChange is what happened to one group or to its direct members. Unless it is Changed, only the id of Group is set, and
// Look means that ListGroups tells the rest. A group that is gone has no members.
type GroupChange struct {
	Kind  ChangeKind
	Group Group
	// Joined and Left are ids of accounts that became, or ceased to be, direct members; an id is in one of them at most. Both
	// may name somebody who was in, or out, already, and accounts that no listing shows.
	Joined, Left []string
	// Relist is set where members changed and the vendor does not say which: they have to be listed again, after the chain
	// has ended.
	Relist bool
}

// ChangeScope says what ListChanges tells. What it does not tell is found by the next full listing, unless it is asked for.
type ChangeScope struct {
	// Memberships says where a change of membership alone is told.
	Memberships MembershipChanges
	// Deletions is set where accounts that are deleted come as Gone. Where not, only a full listing finds leavers who were
	// deleted rather than deactivated.
	Deletions bool
	// Groups is set where a change of a group's own record (new, renamed, moved, deleted) comes in ChangePage.Groups. Where
	// not, the groups have to be listed in every run.
	Groups bool
	// Untracked are attributes whose change alone does not bring an account up (last_sign_in_at, mostly).
	Untracked []string
	// Overlap is how far before its token a chain may reach back and tell of what was told already; 0 means that only
	// what happened since the token comes.
	Overlap time.Duration
	// TokenLife is how long a token is good at least; 0 means that no time is known. Full runs come more often than that.
	TokenLife time.Duration
}

// MembershipChanges says where changes of memberships are told.
type MembershipChanges uint8

// The ways to tell changes of memberships.
const (
	// MembershipsUntold: nowhere. The members of the groups that matter have to be listed in every run.
	MembershipsUntold MembershipChanges = iota
	// MembershipsByAccount: a change of membership brings the account up, which carries its groups where they are inline and
	// is asked for its memberships otherwise.
	MembershipsByAccount
	// MembershipsByGroup: it brings the group up, in ChangePage.Groups, and not the account.
	MembershipsByGroup
)

// String returns untold, by account or by group.
func (m MembershipChanges) String() string {
	switch m {
	case MembershipsByAccount:
		return "by account"
	case MembershipsByGroup:
		return "by group"
	default:
		return "untold"
	}
}
