package users

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/rollcall-sync/rollcall/sync/directory"
)

// CoreRoles returns the roles that WordPress itself makes.
func CoreRoles() []string {
	return []string{"administrator", "author", "contributor", "editor", "subscriber"}
}

// DefaultPrivileged returns the capabilities with which an account can take over the site or another account.
func DefaultPrivileged() []string {
	return []string{
		"create_users", "delete_users", "edit_users", "promote_users", "remove_users", "manage_options",
		"activate_plugins", "install_plugins", "edit_plugins", "edit_themes", "install_themes", "update_core", "manage_network",
	}
}

// Rules are the options that hold for both ways to a site.
type Rules struct {
	// DefaultRole is what an active account gets for which there is no other role.
	DefaultRole string
	Flag        Flag
	Privileges  Privileges
}

// FromSettings reads the options default_role, deactivated_meta, deactivated_value, activated_value, privileged_roles,
// privileged_capabilities and meta, and returns [*directory.OptionError] where they do not fit together.
func FromSettings(settings directory.Settings) (Rules, error) {
	fault := func(option, message string) (Rules, error) {
		return Rules{}, &directory.OptionError{Option: option, Message: message}
	}
	r := Rules{
		DefaultRole: settings.Text("default_role"),
		Flag:        Flag{Key: settings.Text("deactivated_meta"), Off: settings.Text("deactivated_value"), On: settings.Text("activated_value")},
		Privileges:  Privileges{Roles: settings.List("privileged_roles"), Capabilities: settings.List("privileged_capabilities")},
	}
	if _, set := settings.Values["privileged_capabilities"]; !set {
		r.Privileges.Capabilities = DefaultPrivileged()
	}
	if r.Privileges.Group(r.DefaultRole).ReadOnly != "" {
		return fault("default_role", r.DefaultRole+" is a privileged role (privileged_roles); choose another")
	}
	if r.Flag.Key != "" && r.Flag.Off == r.Flag.On {
		return fault("activated_value", "is the same as deactivated_value")
	}
	for _, key := range settings.List("meta") {
		if key == "" || key == "description" {
			return fault("meta", `"`+key+`" cannot be a meta key here; the description of a user is custom.description already`)
		}
	}
	return r, nil
}

// NewRoles returns the roles of a new account. An inactive one has none: that is what makes it inactive.
func (r Rules) NewRoles(request directory.CreateRequest) []string {
	switch {
	case request.Status == directory.StatusInactive:
		return []string{}
	case len(request.Groups) > 0:
		return request.Groups
	default:
		return []string{r.DefaultRole}
	}
}

// Privileges say which accounts are never written.
type Privileges struct{ Roles, Capabilities []string }

// Of returns why the account is privileged, or "".
func (p Privileges) Of(roles []string, capabilities map[string]bool) string {
	for _, role := range p.Roles {
		if slices.Contains(roles, role) {
			return "role " + role
		}
	}
	for _, capability := range p.Capabilities {
		if capabilities[capability] {
			return "capability " + capability
		}
	}
	return ""
}

// Group describes one role. One that makes its members privileged is not to be given: whoever has it is never written, so
// it could never be taken away again.
func (p Privileges) Group(role string) directory.Group {
	g := directory.Group{ID: role, Name: role}
	if slices.Contains(p.Roles, role) {
		g.ReadOnly = "privileged role: its members are managed by hand in WordPress"
	}
	return g
}

// Flag is the meta key by which a plugin locks accounts, with its values for a locked account and for one that may sign in.
// Without a key there is no such plugin.
type Flag struct{ Key, Off, On string }

// Locked reports whether the value of the key is the locked one. A key registered as a bool has true in place of "1".
func (f Flag) Locked(value directory.Value) bool {
	text := value.String()
	return text == f.Off || text == "true" && IsTrue(f.Off)
}

// IsTrue reports whether the text is one of those that stand for true.
func IsTrue(text string) bool {
	return slices.Contains([]string{"1", "true", "yes", "on"}, strings.ToLower(text))
}

// Spared refuses to write an account that is privileged now, also where it was not yet when it was listed; nil for others.
func Spared(account directory.Account) *directory.Error {
	if account.Privileged == "" {
		return nil
	}
	return &directory.Error{
		Kind: directory.Invalid, Err: errors.New("not written: it is privileged now (" + account.Privileged + ")"),
		Remedy: "take its rights away in WordPress, if it is not to have them",
	}
}

// Overgranted refuses roles that have turned out to make an account privileged; what was given has been taken back.
func Overgranted(given []string, account directory.Account) *directory.Error {
	return &directory.Error{
		Kind: directory.Unsupported, Err: fmt.Errorf("the roles %s are not given: they make the account privileged (%s), and Rollcall could never take them away again", Quoted(given), account.Privileged),
		Remedy: "give the role in WordPress, or leave its capabilities out of privileged_capabilities",
	}
}
