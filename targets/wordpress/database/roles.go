package database

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"

	"github.com/rollcall-sync/rollcall/targets/wordpress/users"
)

// roles are those of the site, from the option {prefix}user_roles.
type roles struct {
	names []string
	// grants holds the capabilities of each role with their values, in the order of the option.
	grants map[string]array
}

// parseRoles reads the option: role to an array of name and capabilities.
func parseRoles(text string) (roles, error) {
	r := roles{grants: map[string]array{}}
	all, err := parseArray(text)
	if err != nil {
		return r, err
	}
	for _, role := range all {
		parts, err := parseArray(role.raw)
		if err != nil {
			return r, fmt.Errorf("role %s: %w", role.key, err)
		}
		var grants array
		for _, part := range parts {
			if part.key != "capabilities" {
				continue
			}
			if grants, err = parseArray(part.raw); err != nil {
				return r, fmt.Errorf("capabilities of role %s: %w", role.key, err)
			}
		}
		r.names = append(r.names, role.key)
		r.grants[role.key] = grants
	}
	if len(r.names) == 0 {
		return r, errors.New("the site has no roles")
	}
	return r, nil
}

func (r roles) known(role string) bool { _, ok := r.grants[role]; return ok }

// of returns the roles among the capabilities of a user. WordPress looks at the keys only (class-wp-user.php,
// get_role_caps).
func (r roles) of(caps array) []string {
	list := []string{}
	for _, c := range caps {
		if r.known(c.key) {
			list = append(list, c.key)
		}
	}
	return list
}

// all returns every capability of a user: those of the roles, in their order, under the user's own.
func (r roles) all(caps array) map[string]bool {
	all := map[string]bool{}
	for _, role := range r.of(caps) {
		for _, c := range r.grants[role] {
			all[c.key] = c.isTrue()
		}
	}
	for _, c := range caps {
		all[c.key] = c.isTrue()
	}
	return all
}

var levelName = regexp.MustCompile(`^(?i)level_(10|[0-9])$`)

// level returns the user level that WordPress keeps beside the capabilities. It looks at the names of the capabilities and
// not at their values (update_user_level_from_caps).
func (r roles) level(caps array) string {
	highest := 0
	for name := range r.all(caps) {
		if match := levelName.FindStringSubmatch(name); match != nil {
			n, _ := strconv.Atoi(match[1]) // digits
			highest = max(highest, n)
		}
	}
	return strconv.Itoa(highest)
}

// with returns the capabilities with these roles in place of those that were there, as WordPress orders them: what is no
// role stays and comes first.
func (r roles) with(caps array, want []string) array {
	changed := slices.DeleteFunc(slices.Clone(caps), func(c item) bool { return r.known(c.key) })
	for _, role := range users.Union(nil, want) {
		changed = append(changed, item{role, rawTrue})
	}
	return changed
}
