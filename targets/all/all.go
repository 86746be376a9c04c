// Package all lists the content management systems and other targets that this program knows. Only the command imports it,
// so that the core builds without a vendor's code.
package all

import (
	"github.com/rollcall-sync/rollcall/sync/directory"
	"github.com/rollcall-sync/rollcall/targets/store"
	"github.com/rollcall-sync/rollcall/targets/wordpress"
)

// Types returns the types in the order in which people are shown them.
func Types() []directory.Type {
	return []directory.Type{wordpress.Type, store.Type}
}
