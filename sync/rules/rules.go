// Package rules holds the definition of a sync as plain data: who takes part, how attributes and groups map, what may be
// done and how much of it. The configuration is decoded into it; mapping, diff and guard read it. It has no behaviour but
// defaults and a fingerprint.
package rules

// Sync is one configured pairing of a source and a target directory. Zero values are not defaults: start with NewSync.
type Sync struct {
	Name           string `yaml:"-" json:"name"`
	Source, Target string
	// Schedule is a cron line of five fields or @every; empty means on demand only. Timezone is an IANA name.
	Schedule, Timezone string

	// Scope is the expression over the source account that says who takes part; empty means everybody.
	Scope string
	// Match lists the attributes tried in order to find the other half of an account without a link.
	Match []string
	// Attributes are the attribute rules in the order of the configuration; nil means the default rules of the pair.
	Attributes []Attribute
	// Groups are the group rules in the order of the configuration.
	Groups []Group
	// GroupOptions apply to all group rules.
	GroupOptions GroupOptions

	Actions   Actions
	Writeback Writeback
	Limits    Limits
	// Protect are expressions over an account of either side; an account for which one is true is never written.
	Protect []string
	// Examples run before every sync.
	Examples []Example
}

// Direction says which side leads an attribute.
type Direction string

// The directions.
const (
	ToTarget Direction = "to_target"
	ToSource Direction = "to_source"
	Both     Direction = "both"
)

// Conflict says who wins when both sides changed an attribute since the last run.
type Conflict string

// The conflict policies. ConflictNewest falls back to reporting where a side has no updated_at.
const (
	ConflictReport Conflict = "report"
	ConflictSource Conflict = "source"
	ConflictTarget Conflict = "target"
	ConflictNewest Conflict = "newest"
)

// Attribute maps one attribute of the target.
type Attribute struct {
	// Target is the attribute of the target, a name of the vocabulary.
	Target string
	// From is the expression over the source account; a plain attribute name is the simplest one.
	From string
	// To is the attribute of the source that the way back writes; Back the expression over the target account that gives
	// its value. Both default to the plain names when From is one.
	To, Back  string
	Direction Direction
	Conflict  Conflict
	// Required is set where an account without a value must not be sent at all.
	Required bool
	// OnlyIfEmpty is set where the value is written only while the target has none.
	OnlyIfEmpty bool
}

// Group maps one group of the target.
type Group struct {
	// Target is the name or id of the target group.
	Target string
	// When is the expression over the source account that says who is a member.
	When string
	// From lists source groups (names, paths or ids) whose members are members; the alternative to When. A rule with
	// exactly one source group works in both directions.
	From []string
}

// GroupOptions apply to all group rules of a sync.
type GroupOptions struct {
	// Mirror lists patterns ("*", "Web *") of names of source groups that are copied to groups of the same name,
	// Prefix before it.
	Mirror []string
	Prefix string
	// Create is set where missing target groups are made.
	Create bool
	// Exact is set where managed accounts lose all target groups that the rules do not give them, also those that no
	// rule names.
	Exact bool
	// Nested is set where a member of a child group counts as a member of its parents.
	Nested bool
}

// Decision is what is done where a policy offers a choice. Each field of Actions documents which are allowed.
type Decision string

// The decisions.
const (
	Report      Decision = "report"      // say so, change nothing
	Ignore      Decision = "ignore"      // neither say so nor change anything
	Deactivate  Decision = "deactivate"  // end the ability to sign in
	DropGroups  Decision = "drop_groups" // take away the groups that the rules gave
	Recreate    Decision = "recreate"    // make the account anew
	LinkAny     Decision = "any"         // link every unprivileged match
	LinkTrusted Decision = "verified"    // link a match unless the source says that the e-mail is unverified
	LinkIt      Decision = "link"        // link
	Respect     Decision = "respect"     // leave it as the other administrator set it
	Override    Decision = "override"    // set it as the source says
)

// Never is the delete policy that never deletes.
const Never = "never"

// Actions says what may be done on the target.
type Actions struct {
	Create, Update, Activate, Deactivate bool
	// Delete is "never" or a grace period such as "30d": how long an account stays deactivated before it is deleted.
	Delete string
	// Link is LinkTrusted, LinkAny or Report.
	Link Decision
	// OutOfScope is Deactivate, DropGroups or Ignore.
	OutOfScope Decision
	// MissingInTarget, for a linked account that the target no longer has, is Report or Recreate.
	MissingInTarget Decision
	// DeactivatedElsewhere, for an account that somebody else deactivated, is Respect or Override.
	DeactivatedElsewhere Decision
	// Rehire, for a match whose old source account is proven gone, is Report or LinkIt.
	Rehire Decision
}

// Writeback says what may be done on the source.
type Writeback struct {
	Create, Update, Deactivate, Groups bool
	// Scope is the expression over the target account that says whose creation may flow back.
	Scope string
}

// Limits is what the guard allows in one run.
type Limits struct {
	// Removals counts every loss of access together; RemovalsFloor is always allowed, also where the percentage is less.
	Removals      Amount
	RemovalsFloor int
	Creations     Amount
	Updates       Amount
}

// Example is one line of "given this, expect that".
type Example struct {
	// Given holds source attributes, "groups" (a list of names) and "active".
	Given map[string]any
	// Expect holds target attributes, and may hold "groups" and "in_scope".
	Expect map[string]any
	// Line is where it stands in the configuration.
	Line int `json:"-"`
}
