// Package directory is the contract that every place holding accounts and groups fulfils: identity providers, content
// management systems, files and the embedded store alike. Source and target of a sync are both directories; which side
// leads is a matter of the mapping rules, never of the code below.
//
// The core is [Directory]: describe yourself, list one page of accounts. Everything else is a power, an interface of its
// own that a directory may or may not have. The engine asks for a power with a type assertion before it plans, and what a
// side lacks is planned as unsupported instead of failing half-way:
//
//	Counter          the vendor's own number of accounts; called before and after a listing
//	Partitioner      cursors of all pages at once, where pages may be read side by side
//	Getter           one account by id; the second witness before a removal
//	Finder           accounts by the exact value of one attribute; matching one person, reading back a lost answer
//	GroupLister      the groups or roles
//	MemberLister     the direct members of one group
//	MembershipLister the direct groups of one account
//	ChangeLister     what changed since a token; a run between two full ones
//	Creator          one new account
//	BulkCreator      many new accounts in one call
//	Updater          attributes of one account
//	StatusSetter     deactivate and activate
//	Deleter          remove for good
//	GroupChanger     add one account to groups and remove it from others
//	GroupCreator     a new group
//	SelfIdentifier   the account that Rollcall itself signs in with
//	Checker          connection, permissions and settings, in words for an administrator
//	RequestCounter   how many requests were sent to the vendor
//
// All methods are safe for concurrent use after Open. All return a [*Error] (possibly wrapped) whose kind says what the
// engine does next. A context that is cancelled before a write means that no write is sent; cancelled during one, the
// outcome is [UnknownOutcome] unless the answer arrived.
//
// A directory fetches and translates. It holds no rule, no dry-run switch, and no retry of its own: pacing, Retry-After and
// retries live in the transport package below it.
package directory

import "context"

// Directory is the core every directory has.
type Directory interface {
	// Describe tells what the directory is and what it can hold. It does no I/O and never changes after Open.
	Describe() Description

	// ListAccounts returns one page. The first call has an empty cursor; the page's Next goes into the following call
	// unchanged, together with all the other fields of the request; an empty Next ends the listing and is only ever given
	// where the vendor itself said that nothing follows. A page that is short, or empty, but has a Next is not the end.
	// A page that could not be read whole is an error, never a shorter page. A record that could not be decoded is returned
	// with its id and Problem set, so that it protects its own account.
	//
	// Absent, empty and set differ: an attribute that the record has no value for although the record was read whole (an
	// unset field that the vendor leaves out) is Empty where the request or Describe names it; absent means not read.
	ListAccounts(ctx context.Context, request ListRequest) (AccountPage, error)

	// Close releases connections. No other call may be under way.
	Close() error
}

// ListRequest asks for one page of accounts.
type ListRequest struct {
	Cursor string
	// Size is the wanted number of accounts; 0 means the directory's own best size. The directory may give fewer.
	Size int
	// Attributes names what the rules use, so that no more is fetched than needed. nil asks for everything.
	Attributes []string
}

// AccountPage is one page of a listing.
type AccountPage struct {
	Accounts []Account
	// Next is the cursor of the following page; empty at the vendor's own end sign.
	Next string
	// Total is the vendor's own count of all accounts in this listing, as told with this page; -1 where it tells none.
	Total int
	// Doubt is set where the answer shows signs of being thinned out by missing permissions (fewer rows than the
	// vendor counted, records without the fields that only an administrator sees). It voids the certificate.
	Doubt string
	// Remedy says what to do about the doubt; empty where it is a matter of the rights that a check names.
	Remedy string
}

// Counter is asked before and after a listing; both answers and the number of accounts listed must agree.
type Counter interface {
	CountAccounts(ctx context.Context) (int, error)
}

// Partitioner is asked once per listing, in place of following Next, where pages may be read side by side. It returns the
// cursors of all pages that exist now; the pages together still have to pass the certificate. One cursor or none means:
// follow Next. The last page's own Next is still followed.
type Partitioner interface {
	Partition(ctx context.Context, request ListRequest) (cursors []string, err error)
}

// Getter reads one account by its id, groups included where the directory lists them inline.
// An account that does not exist is NotFound: that answer counts as proof that it is gone, so anything less certain (a
// missing permission, a proxy's error page) must be another kind.
type Getter interface {
	GetAccount(ctx context.Context, id string) (Account, error)
}

// Finder returns all accounts whose attribute has exactly this value, compared as the directory compares it (case
// included or not). None is an empty result, not an error. An attribute that cannot be searched is Unsupported.
type Finder interface {
	FindAccounts(ctx context.Context, attribute, value string) ([]Account, error)
}

// GroupLister returns one page of groups or roles; the cursor rules of ListAccounts hold.
type GroupLister interface {
	ListGroups(ctx context.Context, request GroupListRequest) (GroupPage, error)
}

// GroupListRequest asks for one page of groups.
type GroupListRequest struct {
	Cursor string
	Size   int
	// Names are the ids, names or paths of the groups that matter, where no others do: a directory for which finding all of
	// its groups is dear may leave others out. nil asks for all.
	Names []string
}

// GroupPage is one page of groups. Total is -1 where the vendor tells none.
type GroupPage struct {
	Groups []Group
	Next   string
	Total  int
}

// MemberLister returns one page of the ids of the direct members of one group; the cursor rules of ListAccounts hold.
// A group that is gone is NotFound.
type MemberLister interface {
	ListMembers(ctx context.Context, request MemberListRequest) (MemberPage, error)
}

// MemberListRequest asks for one page of members.
type MemberListRequest struct {
	Group  string
	Cursor string
	Size   int
}

// MemberPage is one page of members.
type MemberPage struct {
	Accounts []string
	Next     string
}

// MembershipLister returns the ids of all direct groups of one account. The engine uses it in place of MemberLister where
// it costs fewer requests, and for one person on demand.
type MembershipLister interface {
	ListMemberships(ctx context.Context, account string) (groups []string, err error)
}

// Creator makes one account and returns it as the directory stored it. Where the vendor wants a password, a long random
// one that nobody sees is set; nobody is mailed where that can be helped. A unique value that is taken is Conflict with
// the attribute named. Groups are ids.
type Creator interface {
	CreateAccount(ctx context.Context, request CreateRequest) (Account, error)
}

// CreateRequest is a new account.
type CreateRequest struct {
	Attributes Attributes
	// Status is StatusActive or StatusInactive.
	Status Status
	// Groups are the ids of the groups of the new account. Empty leaves the directory's own default.
	Groups []string
}

// BulkCreator makes up to Description.BulkSize accounts in one call. The result has one entry per request, in order; one
// refused record does not stop the others. An error of the call itself means that nothing is known of any of them.
type BulkCreator interface {
	CreateAccounts(ctx context.Context, requests []CreateRequest) ([]CreateResult, error)
}

// CreateResult is the outcome for one account of a bulk call.
type CreateResult struct {
	Account Account
	Err     error
}

// Updater changes attributes of one account and returns it as stored afterwards. What the request does not name stays as
// it is, also where the vendor's own call would wipe it. NotFound, Conflict and Invalid name the attribute where known.
type Updater interface {
	UpdateAccount(ctx context.Context, request UpdateRequest) (Account, error)
}

// UpdateRequest sets attributes; an Empty value clears one.
type UpdateRequest struct {
	ID  string
	Set Attributes
	// Revision is the account's revision when it was read, or empty. A directory that has revisions refuses with Conflict
	// when the account has changed since.
	Revision string
}

// StatusSetter deactivates and activates. Both are repeatable: asking for the status an account already has succeeds.
// Deactivation must end the ability to sign in and, as far as the vendor allows, sessions and application passwords.
type StatusSetter interface {
	SetStatus(ctx context.Context, request StatusRequest) (Account, error)
}

// StatusRequest asks for one status.
type StatusRequest struct {
	ID     string
	Status Status
	// Groups are the ids of the groups to restore on activation. Only directories with GroupsLostOnDeactivation read
	// it: the engine remembers there what the account had before.
	Groups []string
}

// Deleter removes one account for good. One that is already gone is NotFound, which the engine counts as done. Content
// that the account owns goes to the account that the directory's options name, where the vendor can do that.
type Deleter interface {
	DeleteAccount(ctx context.Context, id string) error
}

// GroupChanger adds one account to groups and takes it out of others, as one write where the vendor has one, and leaves
// all its other groups alone. Being in, or out, already counts as success. An unknown group is Invalid.
type GroupChanger interface {
	ChangeGroups(ctx context.Context, request GroupsRequest) error
}

// GroupsRequest changes the groups of one account; all are ids.
type GroupsRequest struct {
	Account string
	Add     []string
	Remove  []string
}

// GroupCreator makes a group at the top level. A name that is taken is Conflict.
type GroupCreator interface {
	CreateGroup(ctx context.Context, name string) (Group, error)
}

// SelfIdentifier returns the id of the account that Rollcall signs in with, or empty where it is no account of the
// directory. That account is never written.
type SelfIdentifier interface {
	Self(ctx context.Context) (id string, err error)
}

// Checker looks at connection, permissions and settings without writing. Faults it can explain are findings, not errors.
type Checker interface {
	Check(ctx context.Context, request CheckRequest) ([]Finding, error)
}

// CheckRequest says what the syncs will ask of the directory.
type CheckRequest struct {
	// Write is set where accounts will be written.
	Write bool
	// Attributes names what the rules read and write here.
	Attributes []string
}

// Finding is one line of a check.
type Finding struct {
	Level   Level  `json:"level"`
	Subject string `json:"subject"`
	Message string `json:"message"`
	// Remedy says what to do; empty for LevelOK.
	Remedy string `json:"remedy,omitempty"`
}

// Level grades a finding.
type Level string

// The levels of findings. LevelError means that a sync would fail or must not run.
const (
	LevelOK      Level = "ok"
	LevelWarning Level = "warning"
	LevelError   Level = "error"
)

// RequestCounter tells how many requests were sent to the vendor since Open, retries included.
type RequestCounter interface {
	Requests() int64
}
