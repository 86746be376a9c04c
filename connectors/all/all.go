// Package all lists the identity providers and other sources that this program knows. Only the command imports it, so that
// the core builds without a vendor's code.
package all

import (
	"github.com/rollcall-sync/rollcall/connectors/cognito"
	"github.com/rollcall-sync/rollcall/connectors/file"
	"github.com/rollcall-sync/rollcall/connectors/keycloak"
	"github.com/rollcall-sync/rollcall/connectors/okta"
	"github.com/rollcall-sync/rollcall/sync/directory"
)

// Types returns the types in the order in which people are shown them.
func Types() []directory.Type {
	return []directory.Type{keycloak.Type, okta.Type, cognito.Type, file.Type}
}
