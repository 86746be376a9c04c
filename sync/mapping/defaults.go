package mapping

import (
	"slices"

	"github.com/rollcall-sync/rollcall/sync/directory"
	"github.com/rollcall-sync/rollcall/sync/rules"
)

// DefaultAttributes returns the rules of a sync that has none: every attribute of the vocabulary that both sides have and
// the target can write is copied under its own name, required ones first, then in the target's order. Where the source
// lacks one that people expect, it is made from others (see derived).
//
// Left out are what belongs to one directory alone (ids, times, whether the e-mail was verified there, the manager, who is
// an id or name of the source) and custom attributes, which mean what each vendor likes.
func DefaultAttributes(source, target directory.Description) []rules.Attribute {
	var list []rules.Attribute
	for _, spec := range target.Attributes {
		if !spec.Writable && !spec.CreateOnly || !isShared(spec.Name) {
			continue
		}
		from := defaultFrom(source, spec)
		if from == "" {
			continue
		}
		list = append(list, rules.Attribute{
			Target: spec.Name, From: from, Direction: rules.ToTarget, Conflict: rules.ConflictReport, Required: spec.Required,
		})
	}
	slices.SortStableFunc(list, func(a, b rules.Attribute) int {
		switch {
		case a.Required == b.Required:
			return 0
		case a.Required:
			return -1
		default:
			return 1
		}
	})
	return list
}

func isShared(name string) bool {
	switch name {
	case directory.ID, directory.Active, directory.EmailVerified, directory.Manager,
		directory.CreatedAt, directory.UpdatedAt, directory.LastSignInAt:
		return false
	default:
		return slices.Contains(directory.Vocabulary(), name)
	}
}

// defaultFrom returns the expression for one attribute of the target, or "" where the source has nothing for it.
func defaultFrom(source directory.Description, spec directory.AttributeSpec) string {
	has := func(names ...string) bool {
		for _, name := range names {
			if !slices.ContainsFunc(source.Attributes, func(s directory.AttributeSpec) bool { return s.Name == name }) {
				return false
			}
		}
		return true
	}
	if has(spec.Name) {
		return spec.Name
	}
	for _, d := range derived() {
		if d.name == spec.Name && has(d.from...) && (spec.Required || !d.requiredOnly) {
			return d.expression
		}
	}
	return ""
}

// derivation makes an attribute that the source lacks from those that it has.
type derivation struct {
	name       string
	from       []string
	expression string
	// requiredOnly is set where the result is a guess, good enough only where the target cannot do without.
	requiredOnly bool
}

// derived lists the derivations; of several for one attribute, the first that the source can serve counts.
func derived() []derivation {
	return []derivation{
		{name: directory.Username, from: []string{directory.Email}, expression: "lower(local(email))"},
		{name: directory.DisplayName, from: []string{directory.FirstName, directory.LastName, directory.Username}, expression: `first_of(first_name + " " + last_name, username)`},
		{name: directory.DisplayName, from: []string{directory.FirstName, directory.LastName}, expression: `first_name + " " + last_name`},
		{name: directory.FirstName, from: []string{directory.DisplayName}, expression: `first(split(display_name, " "))`, requiredOnly: true},
		{name: directory.LastName, from: []string{directory.DisplayName}, expression: `last(split(display_name, " "))`, requiredOnly: true},
		{name: directory.DisplayName, from: []string{directory.Username}, expression: "username", requiredOnly: true},
	}
}
