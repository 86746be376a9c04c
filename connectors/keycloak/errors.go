package keycloak

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/rollcall-sync/rollcall/sync/directory"
)

// The roles of realm-management that Rollcall can need.
const (
	viewUsers   = "view-users"
	manageUsers = "manage-users"
	viewRealm   = "view-realm"
	viewClients = "view-clients"
)

// refusal is the body of an answer of 400 and above.
type refusal struct {
	Error       string `json:"error"`
	Description string `json:"error_description"`
	Message     string `json:"errorMessage"`
	Field       string `json:"field"`
	Errors      []refusal
}

func readRefusal(body []byte) refusal {
	var r refusal
	if json.Unmarshal(body, &r) != nil {
		return refusal{}
	}
	if r.Message == "" && r.Field == "" && len(r.Errors) > 0 { // several faults at once: the first stands for all
		r.Message, r.Field = r.Errors[0].Message, r.Errors[0].Field
	}
	return r
}

// words returns what the server said, or the status where it said nothing.
func (r refusal) words(status int) string {
	text := strings.Join(nonEmpty(r.Error, r.Description, r.Message), ": ")
	if text == "" {
		return fmt.Sprintf("the server answered %d %s", status, http.StatusText(status))
	}
	return text
}

func nonEmpty(texts ...string) (kept []string) {
	for _, text := range texts {
		if text != "" {
			kept = append(kept, text)
		}
	}
	return kept
}

// In the chain of what a 403 and an unexpected 404 became.
var (
	errForbidden  = errors.New("not permitted")
	errNoSuchPath = errors.New("no such address")
)

// withOp gives an error of ours the name of the operation it ended.
func (c *client) withOp(o op, err error) error {
	return directory.Located(err, o.words, o.record, c.name)
}

// failure turns what became of a call into an error of the contract.
func (c *client) failure(o op, kept *exchange, err error) error {
	if kept.err != nil {
		return c.withOp(o, kept.err)
	}
	var inner *directory.Error
	if errors.As(err, &inner) {
		return c.withOp(o, inner)
	}
	answer := readRefusal(kept.body)
	e := &directory.Error{Op: o.words, Record: o.record, Directory: c.name, Err: errors.New(answer.words(kept.status))}
	switch status := kept.status; {
	case status < http.StatusMultipleChoices: // nothing, or a good answer that could not be read
		e.Kind, e.Err = directory.Retryable, err
		if o.write && status != 0 {
			e.Kind = directory.UnknownOutcome
		}
	case status < http.StatusBadRequest:
		e.Kind, e.Remedy = directory.Auth, "check url: the server redirects to another address"
	case status == http.StatusBadRequest:
		e.Kind, e.Remedy = directory.Invalid, explain(answer)
		if answer.Field != "" {
			e.Attribute = c.nameOf(answer.Field)
		} else if strings.Contains(answer.Message, "User name is missing") {
			e.Attribute = directory.Username
		}
	case status == http.StatusUnauthorized:
		e.Kind, e.Remedy = directory.Auth, "the server refuses a token it has just given: check that url is the address Keycloak knows itself by (its hostname setting)"
	case status == http.StatusForbidden:
		e.Kind, e.Remedy = directory.Auth, c.grant(o.role)
		e.Err = fmt.Errorf("%w: %w", errForbidden, e.Err)
	case status == http.StatusNotFound:
		c.notFound(e, o, answer)
	case status == http.StatusConflict:
		e.Kind, e.Attribute = directory.Conflict, conflicting(answer.Message)
	case status >= http.StatusInternalServerError && o.write:
		e.Kind = directory.UnknownOutcome
	case status >= http.StatusInternalServerError:
		e.Kind = directory.Retryable
	default:
		e.Kind = directory.Invalid
	}
	return e
}

// grant says how to give the missing role.
func (c *client) grant(role string) string {
	if role == "" {
		role = viewUsers
	}
	if c.auth.username != "" {
		return fmt.Sprintf("grant user %s in realm %s the role %s of %s for realm %s", c.auth.username, c.auth.realm, role, c.managementClient(), c.realm)
	}
	return fmt.Sprintf("grant the role %s: Clients, %s, Service accounts roles, Assign role, %s; and keep Full scope allowed switched on",
		role, c.auth.client, c.managementClient())
}

// notFound reads a 404. Only Keycloak's own words about the record are proof that it is gone: a proxy's page, a missing
// realm or an unknown path are none.
func (c *client) notFound(e *directory.Error, o op, answer refusal) {
	switch {
	case strings.Contains(answer.Error, "Realm"):
		e.Kind, e.Remedy = directory.Auth, "check realm: the server knows no realm "+c.realm
	case strings.Contains(answer.Error, "User not found") && o.missing != directory.Retryable:
		e.Kind = o.missing
	case (strings.Contains(answer.Error, "roup") || strings.Contains(answer.Error, "role")) && o.missingGroup != directory.Retryable:
		e.Kind = o.missingGroup
	case o.write:
		e.Kind = directory.UnknownOutcome
	default:
		e.Err = fmt.Errorf("%w: %w", errNoSuchPath, e.Err)
		e.Kind, e.Remedy = directory.Retryable, "check url: this 404 does not come from Keycloak's admin API"
		if answer.Error != "" {
			e.Remedy = ""
		}
	}
}

// conflicting returns the attribute that a 409 is about.
func conflicting(message string) string {
	switch {
	case strings.Contains(message, "same username or email"):
		return ""
	case strings.Contains(message, "same username"):
		return directory.Username
	case strings.Contains(message, "same email"):
		return directory.Email
	default:
		return ""
	}
}

// explain says in words what a refusal's code asks for.
func explain(answer refusal) string {
	switch answer.Message {
	case "error-user-attribute-read-only":
		if answer.Field == "username" {
			return "allow usernames to be changed (Realm settings, Login, Edit username) or set edit_usernames to false"
		}
		return "let administrators edit it (Realm settings, User profile, " + answer.Field + ", Permission)"
	case "error-invalid-length", "error-invalid-length-too-long", "error-invalid-length-too-short":
		return "its length is outside the bounds of the realm's user profile (Realm settings, User profile)"
	case "":
		return ""
	default:
		if strings.HasPrefix(answer.Message, "error-") {
			return "the realm's user profile refuses it (Realm settings, User profile)"
		}
		return ""
	}
}
