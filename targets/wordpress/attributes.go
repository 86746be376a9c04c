package wordpress

import (
	"slices"
	"strings"

	"github.com/rollcall-sync/rollcall/sync/directory"
	"github.com/rollcall-sync/rollcall/targets/wordpress/users"
)

// preferences is the meta key in which WordPress keeps a user's editor settings.
const preferences = "persisted_preferences"

// fieldNames returns the value of _fields that a request for these attributes needs; nil stands for all of them. What
// status, groups and privileges are read from is always there.
func (s *site) fieldNames(names []string) string {
	list := []string{"id", "username", "roles", "capabilities"}
	meta := s.rules.Flag.Key != "" || names == nil
	for _, field := range users.Fields() {
		if (names == nil || slices.Contains(names, field.Spec.Name)) && field.REST != "username" {
			list = append(list, field.REST)
		}
	}
	for _, name := range names {
		meta = meta || name != users.Description && strings.HasPrefix(name, directory.CustomPrefix)
	}
	if meta {
		list = append(list, "meta")
	}
	return strings.Join(list, ",")
}
