package okta

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/rollcall-sync/rollcall/sync/directory"
)

// The codes that Okta's refusals carry, as far as they are told apart here.
const (
	codeInvalid       = "E0000001" // "Api validation failed: login"
	codeForbidden     = "E0000006"
	codeNotFound      = "E0000007"
	codeBadToken      = "E0000011"
	codeAlreadyActive = "E0000016"
	codeMastered      = "E0000023" // kept by a directory or an app
	codeBadSearch     = "E0000031"
	codeWrongStatus   = "E0000038"
)

// refusal is the body of an answer of 400 and above.
type refusal struct {
	Code    string `json:"errorCode"`
	Summary string `json:"errorSummary"`
	Causes  []struct {
		Summary string `json:"errorSummary"`
	} `json:"errorCauses"`
	OAuth       string `json:"error"`
	Description string `json:"error_description"`
}

func readRefusal(body []byte) refusal {
	var r refusal
	if json.Unmarshal(body, &r) != nil {
		return refusal{}
	}
	return r
}

// words returns what Okta said, or the status where it said nothing.
func (r refusal) words(status int) string {
	var all []string
	for _, cause := range r.Causes {
		if cause.Summary != "" {
			all = append(all, cause.Summary)
		}
	}
	text := r.Summary
	if text == "" && r.OAuth != "" {
		text = strings.TrimSuffix(r.OAuth+": "+r.Description, ": ")
	}
	if len(all) > 0 {
		text = strings.TrimPrefix(text+": ", ": ") + strings.Join(all, "; ")
	}
	switch {
	case text == "":
		return fmt.Sprintf("the server answered %d %s", status, http.StatusText(status))
	case r.Code != "":
		return text + " (" + r.Code + ")"
	default:
		return text
	}
}

// field returns the profile attribute that a validation names: each cause begins with it. Okta's own texts are in English
// whatever the org's language.
func (r refusal) field() string {
	for _, cause := range r.Causes {
		if name, _, found := strings.Cut(cause.Summary, ":"); found && !strings.Contains(name, " ") {
			return name
		}
	}
	return ""
}

func (r refusal) says(part string) bool {
	for _, cause := range r.Causes {
		if strings.Contains(cause.Summary, part) {
			return true
		}
	}
	return strings.Contains(r.Summary, part)
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
	case o.paging && (status == http.StatusBadRequest || status == http.StatusGone || status == http.StatusNotFound && answer.Code != codeNotFound):
		e.Kind, e.Remedy = directory.Retryable, "run again: Okta no longer takes the link to the next page, so the listing has to begin anew"
	case status == http.StatusBadRequest:
		c.badRequest(e, answer)
	case status == http.StatusUnauthorized:
		e.Kind, e.Remedy = directory.Auth, c.renewal()
	case status == http.StatusForbidden:
		c.forbidden(e, o, kept, answer)
	case status == http.StatusNotFound:
		c.notFound(e, o, answer)
	case status == http.StatusConflict:
		e.Kind = directory.Conflict
	case status == http.StatusTooManyRequests:
		e.Kind = directory.Throttled
	case status >= http.StatusInternalServerError && o.write:
		e.Kind = directory.UnknownOutcome
	case status >= http.StatusInternalServerError:
		e.Kind = directory.Retryable
		if strings.HasPrefix(o.words, "list") {
			e.Remedy = "set page_size to 50: where Okta runs out of time for a page, it answers 500"
		}
	default:
		e.Kind = directory.Invalid
	}
	return e
}

// badRequest reads a 400. A value that is taken is a 400 like any other; only the cause tells.
func (c *client) badRequest(e *directory.Error, answer refusal) {
	e.Kind = directory.Invalid
	field := answer.field()
	if field != "" && field != "name" {
		e.Attribute = toVocabulary(field)
	}
	switch {
	case answer.says("already exists"):
		e.Kind = directory.Conflict
	case answer.Code == codeAlreadyActive:
		e.Kind = directory.Conflict
	case answer.says("not defined in") || answer.says("does not exist in the schema") || answer.says("unknown propert"):
		e.Remedy = "add the attribute to the profile (Directory, Profile Editor, User (default))"
	case answer.says("assword"):
		e.Remedy = "let the password policy take a random password of 55 letters, digits and signs"
	}
}

// renewal says what to do about credentials that Okta does not take.
func (c *client) renewal() string {
	if c.tokens != nil {
		return "the org refuses a token it has just given: check that url is the org's own address, and that the app does not require DPoP"
	}
	return "make a new API token (Security, API, Tokens) and put it into token: one dies with the administrator who made it, and after 30 days without use"
}

// forbidden reads a 403, which stands for four different things.
func (c *client) forbidden(e *directory.Error, o op, kept *exchange, answer refusal) {
	challenge := kept.header.Get("Www-Authenticate")
	switch {
	case strings.Contains(challenge, "insufficient_scope"):
		e.Kind, e.Err = directory.Auth, fmt.Errorf("%w: the access token lacks a scope", errForbidden)
		e.Remedy = "grant the app the scope " + o.scope + " (Applications, the app, Okta API Scopes)"
		if !strings.Contains(strings.Join(c.auth.scopes, " "), o.scope) {
			e.Remedy += " and add it to scopes"
		}
	case answer.Code == codeMastered:
		e.Kind = directory.Invalid
		e.Remedy = "change the user where the profile is kept (Directory, People, the user, Profile shows the source), or let Okta keep the attribute (Profile Editor, the attribute, Source priority)"
	case answer.Code == codeWrongStatus:
		e.Kind = directory.Conflict
	case c.trusts && o.write && o.onUser && answer.Code == codeForbidden:
		e.Kind, e.Remedy = directory.Invalid, "see whether the user is an administrator, whom a lesser role may not write; otherwise "+c.grant(o)
	default:
		e.Kind, e.Err, e.Remedy = directory.Auth, fmt.Errorf("%w: %w", errForbidden, e.Err), c.grant(o)
	}
}

// grant says how to give the missing right.
func (c *client) grant(o op) string {
	role := "Read-only Administrator"
	switch {
	case o.scope == rolesRead:
		role = "Super Administrator"
	case o.write && o.scope == groupsManage:
		role = "Group Administrator or Group Membership Administrator"
	case o.write:
		role = "Group Administrator or Organization Administrator"
	}
	if c.tokens != nil {
		return fmt.Sprintf("give the app the role %s or a custom one (Applications, the app, Admin roles); scopes alone give no rights", role)
	}
	return fmt.Sprintf("give the administrator who made the token the role %s or a custom one (Security, Administrators)", role)
}

// notFound reads a 404. Only Okta's own words about the record are proof that it is gone: a proxy's page, an org that does
// not exist or an unknown path are none.
func (c *client) notFound(e *directory.Error, o op, answer refusal) {
	known := answer.Code == codeNotFound
	switch {
	case known && answer.says("(User)") && o.missing != directory.Retryable:
		e.Kind = o.missing
	case known && answer.says("(UserGroup)") && o.missingGroup != directory.Retryable:
		e.Kind = o.missingGroup
	default:
		e.Kind, e.Err = directory.Retryable, fmt.Errorf("%w: %w", errNoSuchPath, e.Err)
		if o.write {
			e.Kind = directory.UnknownOutcome
		}
		if !known {
			e.Remedy = "check url: " + c.base + " is no Okta org, or something before it answers in its place"
		}
	}
}
