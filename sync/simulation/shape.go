package simulation

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"golang.org/x/text/unicode/norm"

	"github.com/rollcall-sync/rollcall/sync/directory"
	"github.com/rollcall-sync/rollcall/sync/directory/memory"
	"github.com/rollcall-sync/rollcall/sync/rules"
)

// The groups of both directories. Juniors are members of editors where nesting counts.
const (
	groupEditors, groupAuthors, groupJuniors, groupStaff = "g-editors", "g-authors", "g-juniors", "g-staff"
	nameEditors, nameAuthors, nameJuniors, nameStaff     = "Web editors", "Web authors", "Web juniors", "Staff"

	targetEditor, targetSubscriber, targetForum, targetAdmin = "editor", "subscriber", "forum", "administrator"
)

const (
	mirrorPattern = "Web *"
	mirrorPrefix  = "idp "
	grace         = 48 * time.Hour
)

var departments = []string{"Press", "Web", "Sales", "Away"}

// shape is the rules of one world and how its directories are made.
type shape struct {
	sync rules.Sync
	// closed are the departments that are out of scope; with none there is no scope.
	closed []string
	// protects is set where accounts of the title "Protected" are protected.
	protects bool
	twoWay   bool
	// Of the group rules: which there are.
	named, from, mirror bool

	source, target         memory.Options
	sourceView, targetView string
}

func newShape(rng *rand.Rand) shape {
	s := shape{sync: rules.NewSync("staff-to-website", "staff", "website")}
	s.twoWay = rng.IntN(4) == 0
	s.attributes(rng)
	s.groups(rng)
	s.policies(rng)
	s.directories(rng)
	return s
}

func (s *shape) attributes(rng *rand.Rand) {
	username := rules.Attribute{Target: directory.Username, From: "username"}
	if rng.IntN(2) == 0 {
		username.From = "lower(username)"
	}
	s.sync.Attributes = []rules.Attribute{
		username,
		{Target: directory.Email, From: "email"},
		{Target: directory.DisplayName, From: `first_name + " " + last_name`},
		{Target: directory.LastName, From: "last_name"},
		{Target: directory.EmployeeID, From: "employee_id"},
		{Target: directory.Department, From: "department"},
	}
	if s.twoWay {
		conflict := pick(rng, rules.ConflictReport, rules.ConflictSource, rules.ConflictTarget, rules.ConflictNewest)
		s.sync.Attributes = append(s.sync.Attributes,
			rules.Attribute{Target: directory.Nickname, From: "nickname", Direction: rules.Both, Conflict: conflict},
			rules.Attribute{Target: directory.Phone, From: "phone", Direction: rules.ToSource})
		s.sync.Writeback = rules.Writeback{
			Update: true, Create: rng.IntN(2) == 0, Deactivate: rng.IntN(2) == 0, Groups: rng.IntN(2) == 0,
			Scope: `employee_id startsWith "T"`,
		}
	}
	if rng.IntN(3) > 0 {
		s.close("Away")
	}
}

// close takes a department out of scope.
func (s *shape) close(department string) {
	s.closed = append(slices.Clone(s.closed), department)
	s.sync.Scope = fmt.Sprintf(`department not in ["%s"]`, strings.Join(s.closed, `", "`))
}

func (s *shape) groups(rng *rand.Rand) {
	s.named, s.from, s.mirror = rng.IntN(2) == 0, rng.IntN(3) == 0, rng.IntN(4) == 0
	if s.named {
		s.sync.Groups = append(s.sync.Groups, rules.Group{Target: targetSubscriber, When: "true"}, rules.Group{Target: targetEditor, When: `"Web editors" in groups`})
	}
	if s.from && !s.named {
		s.sync.Groups = append(s.sync.Groups, rules.Group{Target: targetEditor, From: []string{nameEditors}})
	} else {
		s.from = false
	}
	if s.mirror {
		s.sync.GroupOptions.Mirror, s.sync.GroupOptions.Prefix, s.sync.GroupOptions.Create = []string{mirrorPattern}, mirrorPrefix, true
	}
	if s.grouped() {
		s.sync.GroupOptions.Nested, s.sync.GroupOptions.Exact = rng.IntN(3) == 0, rng.IntN(5) == 0
	}
}

// grouped reports whether any rule gives groups.
func (s *shape) grouped() bool { return s.named || s.from || s.mirror }

func (s *shape) policies(rng *rand.Rand) {
	a := &s.sync.Actions
	a.OutOfScope = pick(rng, rules.Deactivate, rules.Deactivate, rules.DropGroups, rules.Ignore)
	a.MissingInTarget = pick(rng, rules.Report, rules.Recreate)
	a.DeactivatedElsewhere = pick(rng, rules.Respect, rules.Override)
	a.Rehire = pick(rng, rules.Report, rules.LinkIt)
	a.Link = pick(rng, rules.LinkTrusted, rules.LinkTrusted, rules.LinkAny)
	if rng.IntN(3) == 0 {
		a.Delete = "2d"
	}
	if rng.IntN(2) == 0 {
		s.protects, s.sync.Protect = true, []string{`title == "Protected"`}
	}
	s.sync.Limits.Removals = pick(rng, rules.Amount{Percent: true, Share: 10}, rules.Amount{Count: 1}, rules.Amount{Percent: true, Share: 50})
	s.sync.Limits.RemovalsFloor = 1 + rng.IntN(3)
	if rng.IntN(6) == 0 {
		s.sync.Limits.Updates = rules.Amount{Count: 4}
	}
}

func (s *shape) directories(rng *rand.Rand) {
	s.source = memory.Options{Name: "staff", Now: time.Now, PageSize: 3 + rng.IntN(8), GroupsInline: rng.IntN(2) == 0, ReadConcurrency: 1 + 3*rng.IntN(2)}
	s.target = memory.Options{
		Name: "website", Now: time.Now, PageSize: 3 + rng.IntN(8), BulkSize: 2 + rng.IntN(6), GroupsInline: rng.IntN(2) == 0,
		GroupsLostOnDeactivation: rng.IntN(3) == 0, PrivilegedGroups: []string{targetAdmin}, Self: "self",
		ReadConcurrency: 1 + 3*rng.IntN(2), WriteConcurrency: 1 + 3*rng.IntN(2),
	}
	s.sourceView = pick(rng, "full", "read only", "core")
	if s.twoWay || (s.sourceView == "core" && s.grouped()) {
		s.sourceView = "full"
	}
	s.targetView = pick(rng, "full", "full", "one by one")
	if s.mirror {
		s.targetView = "full"
	}
}

// view is what the engine sees of a directory.
func view(d *memory.Directory, name string) directory.Directory {
	switch name {
	case "read only":
		return d.ReadOnly()
	case "core":
		return d.Core()
	case "one by one":
		return d.OneByOne()
	default:
		return d
	}
}

func pick[T any](rng *rand.Rand, choices ...T) T { return choices[rng.IntN(len(choices))] }

func (s *shape) deletes() bool { return s.sync.Actions.Delete != rules.Never && s.targetView == "full" }

// String tells the rules in a line or two.
func (s shape) String() string {
	var groups []string
	for _, g := range []struct {
		on   bool
		name string
	}{{s.named, "named"}, {s.from, "from"}, {s.mirror, "mirror"}, {s.sync.GroupOptions.Nested, "nested"}, {s.sync.GroupOptions.Exact, "exact"}} {
		if g.on {
			groups = append(groups, g.name)
		}
	}
	a := s.sync.Actions
	text := fmt.Sprintf("scope %q, groups %v, out of scope %s, missing %s, deactivated elsewhere %s, rehire %s, link %s, delete %s, removals %s floor %d, protect %v",
		s.sync.Scope, groups, a.OutOfScope, a.MissingInTarget, a.DeactivatedElsewhere, a.Rehire, a.Link, a.Delete, s.sync.Limits.Removals, s.sync.Limits.RemovalsFloor, s.protects)
	text += fmt.Sprintf("\nsource %s, inline %v; target %s, inline %v, groups lost %v, workers %d", s.sourceView, s.source.GroupsInline,
		s.targetView, s.target.GroupsInline, s.target.GroupsLostOnDeactivation, s.target.WriteConcurrency)
	if s.twoWay {
		text += fmt.Sprintf("\ntwo ways, nickname %s, writeback %+v", s.sync.Attributes[6].Conflict, s.sync.Writeback)
	}
	return text
}

// The oracle: what the rules say of one source account, without the engine's mapping.

func (s *shape) inScope(a directory.Account) bool {
	return !slices.Contains(s.closed, a.Attributes.Text(directory.Department))
}

// active reports whether the rules give the account access.
func (s *shape) active(a directory.Account) bool {
	return a.Status == directory.StatusActive && s.inScope(a)
}

// sourceGroups are the names of the groups that an account has, nesting included.
func (s *shape) sourceGroups(a directory.Account) []string {
	names := map[string]string{groupEditors: nameEditors, groupAuthors: nameAuthors, groupJuniors: nameJuniors, groupStaff: nameStaff}
	var has []string
	for _, id := range a.Groups {
		has = append(has, names[id])
		if id == groupJuniors && s.sync.GroupOptions.Nested {
			has = append(has, nameEditors)
		}
	}
	return has
}

// wants are the names of the target groups that the rules give an account.
func (s *shape) wants(a directory.Account) map[string]bool {
	has := s.sourceGroups(a)
	wants := map[string]bool{}
	if s.named {
		wants[targetSubscriber] = true
	}
	if (s.named || s.from) && slices.Contains(has, nameEditors) {
		wants[targetEditor] = true
	}
	for _, name := range has {
		if s.mirror && strings.HasPrefix(name, "Web ") {
			wants[mirrorPrefix+name] = true
		}
	}
	return wants
}

// manages reports whether a target group is one that the rules may take away.
func (s *shape) manages(name string) bool {
	switch {
	case s.sync.GroupOptions.Exact && s.grouped():
		return true
	case s.named && (name == targetSubscriber || name == targetEditor), s.from && name == targetEditor:
		return true
	default:
		return s.mirror && strings.HasPrefix(name, mirrorPrefix)
	}
}

// desired are the values that the rules give, without those that both sides lead.
func (s *shape) desired(a directory.Account) map[string]string {
	clean := func(text string) string { return norm.NFC.String(strings.TrimSpace(text)) }
	get := a.Attributes.Text
	username := clean(get(directory.Username))
	if s.sync.Attributes[0].From != "username" {
		username = strings.ToLower(username)
	}
	return map[string]string{
		directory.Username: username, directory.Email: clean(get(directory.Email)), directory.LastName: clean(get(directory.LastName)),
		directory.DisplayName: clean(get(directory.FirstName) + " " + get(directory.LastName)),
		directory.EmployeeID:  get(directory.EmployeeID), directory.Department: get(directory.Department),
	}
}
