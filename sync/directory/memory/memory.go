// Package memory is the reference of the directory contract: every power, kept in memory, in an order that never varies. The
// engine's tests run against it, the simulation builds its worlds from it, and whoever writes a connector can read here what
// the contract means. Faults can be ordered for any call, and the world behind it can be edited as somebody else would.
package memory

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/rollcall-sync/rollcall/sync/directory"
)

// Options configure one directory. The zero value is an empty, writable directory with the whole vocabulary.
type Options struct {
	// Name is "memory" where empty, Type too, Identity is "memory:" and the name.
	Name, Type, Identity string
	// PageSize is the size of a page when the request names none, and the most it gives; 0 means 100.
	PageSize int
	// BulkSize is the most accounts of one bulk call; 0 means 100.
	BulkSize int
	// WriteConcurrency and ReadConcurrency are passed on in the description; 0 means 8.
	WriteConcurrency, ReadConcurrency int

	// Attributes replaces the specs; nil means all of the vocabulary, username and email unique without case, username
	// required. Closed switches off further custom attributes.
	Attributes []directory.AttributeSpec
	Closed     bool
	Notices    []directory.Notice

	GroupsInline             bool
	GroupsLostOnDeactivation bool
	// PrivilegedGroups are ids of groups whose members are privileged.
	PrivilegedGroups []string
	// Self is the id of the account that SelfIdentifier tells.
	Self string
	// Findings are what Check returns besides its own line.
	Findings []directory.Finding

	// Changes says what ListChanges tells; nil means everything, memberships by account. An Overlap and a TokenLife are passed
	// on in the description, and are not kept.
	Changes *directory.ChangeScope
	// ChangesAsIDs makes ListChanges tell the ids of what changed and no more, as vendors do that send parts of records.
	ChangesAsIDs bool
	// ChangeLog is how many changes are remembered; 0 means 10,000. A token from before them is Expired.
	ChangeLog int

	// Now is the clock for created_at and updated_at; nil means that the directory keeps neither.
	Now func() time.Time
	// Fault is asked before each call with the name of the operation ("create account") and how often it has been called,
	// this time included. An error is returned in place of the call's work; see ErrLostAnswer for a write that is done all
	// the same. It is called without locks, so it may edit the directory as somebody else.
	Fault func(op string, n int) error
	// Tamper may change a page of accounts before it is handed out: leave rows out, set Doubt, lose a cursor.
	Tamper func(request directory.ListRequest, page *directory.AccountPage)
	// Around is called for each call that Fault lets through, and does its work by calling do, once at most. What it returns
	// is what the caller gets, so it may refuse a call before it happens, lose the answer afterwards (ErrLostAnswer), wait,
	// look at what came out of it, and change that. It is called without locks. Nil without do is a fault of the test and
	// panics.
	Around func(ctx context.Context, call Call, do func() error) error
	// Refuse is asked for each account that is to be created, alone or in a bulk call; an error is its answer. It is called
	// with locks held and must leave the directory alone.
	Refuse func(request directory.CreateRequest) error
}

// The operations as Fault, Calls and errors name them.
const (
	OpListAccounts    = "list accounts"
	OpCountAccounts   = "count accounts"
	OpPartition       = "partition accounts"
	OpGetAccount      = "get account"
	OpFindAccounts    = "find accounts"
	OpListGroups      = "list groups"
	OpListMembers     = "list members"
	OpListMemberships = "list memberships"
	OpListChanges     = "list changes"
	OpCreateAccount   = "create account"
	OpCreateAccounts  = "create accounts"
	OpUpdateAccount   = "update account"
	OpSetStatus       = "set status"
	OpDeleteAccount   = "delete account"
	OpChangeGroups    = "change groups"
	OpCreateGroup     = "create group"
	OpSelf            = "identify"
	OpCheck           = "check"
)

var _ interface {
	directory.Full
	directory.BulkCreator
	directory.ChangeLister
} = (*Directory)(nil)

// Directory is a directory in memory, with every power. It is safe for concurrent use.
type Directory struct {
	options Options
	desc    directory.Description
	*content
	calls    map[string]int
	requests int64
	closed   bool
}

// content is what the directory holds; all sessions share it. mu guards everything that changes, their counters too.
type content struct {
	mu       sync.Mutex
	accounts map[string]*directory.Account
	order    []string // ids of accounts, sorted
	groups   map[string]*directory.Group
	groupIDs []string            // sorted
	members  map[string][]string // group to sorted account ids
	unique   map[string]map[string]string
	log      changeLog
	next     int // number of the next account
	nextPut  int // number of the next group
}

// New returns an empty directory.
func New(options Options) *Directory {
	defaults(&options)
	d := &Directory{options: options, calls: map[string]int{}, content: &content{
		accounts: map[string]*directory.Account{}, groups: map[string]*directory.Group{}, members: map[string][]string{},
		unique: map[string]map[string]string{}, log: changeLog{keep: options.ChangeLog},
	}}
	d.desc = directory.Description{
		Type: options.Type, Name: options.Name, Identity: options.Identity,
		Attributes: options.Attributes, OpenAttributes: !options.Closed,
		GroupsInline: options.GroupsInline, GroupsLostOnDeactivation: options.GroupsLostOnDeactivation,
		PageSize: options.PageSize, BulkSize: options.BulkSize,
		ReadConcurrency: options.ReadConcurrency, WriteConcurrency: options.WriteConcurrency, Notices: options.Notices,
		Changes: *options.Changes,
	}
	for _, spec := range options.Attributes {
		if spec.Unique {
			d.unique[spec.Name] = map[string]string{}
		}
	}
	return d
}

func defaults(o *Options) {
	if o.Name == "" {
		o.Name = "memory"
	}
	if o.Type == "" {
		o.Type = "memory"
	}
	if o.Identity == "" {
		o.Identity = "memory:" + o.Name
	}
	for _, size := range []*int{&o.PageSize, &o.BulkSize} {
		if *size <= 0 {
			*size = 100
		}
	}
	for _, concurrency := range []*int{&o.ReadConcurrency, &o.WriteConcurrency} {
		if *concurrency <= 0 {
			*concurrency = 8
		}
	}
	if o.ChangeLog <= 0 {
		o.ChangeLog = defaultChangeLog
	}
	if o.Changes == nil {
		o.Changes = &directory.ChangeScope{Memberships: directory.MembershipsByAccount, Deletions: true, Groups: true}
	}
	if o.Attributes == nil {
		o.Attributes = Attributes(o.Now != nil)
	}
}

// Attributes returns the specs of a directory that is given none: the vocabulary, with the two times that the directory
// itself writes where it has a clock.
func Attributes(clock bool) []directory.AttributeSpec {
	var specs []directory.AttributeSpec
	for _, name := range directory.Vocabulary() {
		spec := directory.AttributeSpec{Name: name, Kind: directory.VocabularyKind(name), Writable: true}
		switch name {
		case directory.ID, directory.Active:
			continue
		case directory.CreatedAt, directory.UpdatedAt:
			if !clock {
				continue
			}
			spec.Writable = false
		case directory.LastSignInAt:
			spec.Writable = false
		case directory.Username:
			spec.Required, spec.Unique, spec.FoldCase, spec.Searchable, spec.MaxLength = true, true, true, true, 255
		case directory.Email:
			spec.Unique, spec.FoldCase, spec.Searchable, spec.MaxLength = true, true, true, 254
		case directory.EmployeeID:
			spec.Searchable = true
		}
		specs = append(specs, spec)
	}
	return specs
}

// Describe tells what the options say.
func (d *Directory) Describe() directory.Description {
	desc := d.desc
	desc.Attributes = slices.Clone(desc.Attributes)
	desc.Notices = slices.Clone(desc.Notices)
	desc.Changes.Untracked = slices.Clone(desc.Changes.Untracked)
	return desc
}

// Close makes every later call fail. The content stays, for tests that look at it afterwards.
func (d *Directory) Close() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.closed = true
	return nil
}

// Reopen makes a closed directory usable again, as the next run's Open would.
func (d *Directory) Reopen() *Directory {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.closed = false
	return d
}

// Session returns another handle on the same content, as a second process that opens the directory has one: it counts its own
// calls, is closed by itself, and has the faults that change orders. What decides about the content (attributes, groups,
// clock) must stay as it is.
func (d *Directory) Session(change func(*Options)) *Directory {
	d.mu.Lock()
	defer d.mu.Unlock()
	other := &Directory{options: d.options, desc: d.desc, content: d.content, calls: map[string]int{}}
	if change != nil {
		change(&other.options)
	}
	return other
}

// SetFault replaces Options.Fault.
func (d *Directory) SetFault(fault func(op string, n int) error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.options.Fault = fault
}

// SetTamper replaces Options.Tamper.
func (d *Directory) SetTamper(tamper func(request directory.ListRequest, page *directory.AccountPage)) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.options.Tamper = tamper
}

// Requests counts every call, refused and failed ones too.
func (d *Directory) Requests() int64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.requests
}

// Calls returns how often one operation was called.
func (d *Directory) Calls(op string) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.calls[op]
}

// Writes returns how often any writing operation was called.
func (d *Directory) Writes() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	n := 0
	for _, op := range []string{
		OpCreateAccount, OpCreateAccounts, OpUpdateAccount, OpSetStatus, OpDeleteAccount, OpChangeGroups, OpCreateGroup,
	} {
		n += d.calls[op]
	}
	return n
}

func (d *Directory) fail(kind directory.ErrorKind, op, record, attribute, format string, args ...any) error {
	return &directory.Error{
		Kind: kind, Op: op, Directory: d.desc.Name, Record: record, Attribute: attribute, Err: fmt.Errorf(format, args...),
	}
}
