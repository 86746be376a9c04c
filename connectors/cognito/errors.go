package cognito

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strings"

	"github.com/aws/smithy-go"

	"github.com/rollcall-sync/rollcall/sync/directory"
	"github.com/rollcall-sync/rollcall/sync/directory/transport"
)

// throttles are the refusals that mean "later": they come with the status 400, where a bare look at the status would take
// them for the caller's fault. LimitExceededException is none of them (a pool that is full stays full), although the SDK
// would repeat it.
var throttles = map[string]bool{
	"TooManyRequestsException": true, "ThrottlingException": true, "Throttling": true, "ThrottledException": true,
	"RequestLimitExceeded": true, "RequestThrottled": true, "RequestThrottledException": true,
}

// classify tells the transport which answers are throttled ones.
func classify(_ *http.Request, resp *http.Response, body []byte) transport.Verdict {
	switch {
	case resp.StatusCode < http.StatusBadRequest:
		return transport.Default
	case throttles[typeOf(resp.Header, body)]:
		return transport.Throttle
	default:
		return transport.Default
	}
}

// typeOf returns the type of a refusal as the header or the body tells it, without namespace and address.
func typeOf(header http.Header, body []byte) string {
	text := header.Get("X-Amzn-ErrorType")
	if text == "" {
		var answer struct {
			Type string `json:"__type"`
			Code string `json:"code"`
		}
		_ = json.Unmarshal(body, &answer) // no JSON, no type
		if text = answer.Type; text == "" {
			text = answer.Code
		}
	}
	text, _, _ = strings.Cut(text, ":")
	return text[strings.LastIndexByte(text, '#')+1:]
}

// isExpired reports whether credentials that were good once were refused.
func isExpired(err error) bool {
	var refusal smithy.APIError
	return errors.As(err, &refusal) && strings.HasPrefix(refusal.ErrorCode(), "ExpiredToken")
}

// withOp gives an error of ours the name of the operation it ended.
func (c *client) withOp(o op, err error) error {
	return directory.Located(err, o.words, o.record, c.name)
}

// failure turns what became of a call into an error of the contract.
func (c *client) failure(o op, kept *exchange, err error) error {
	var inner *directory.Error
	if errors.As(err, &inner) {
		return c.withOp(o, inner)
	}
	e := &directory.Error{Op: o.words, Record: o.record, Directory: c.name, Err: err}
	var refusal smithy.APIError
	switch known := errors.As(err, &refusal); {
	case kept.status == 0: // nothing was sent: the SDK found a fault in the request
		e.Kind = directory.Invalid
		if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
			e.Kind = directory.Retryable
		}
	case known && refusal.ErrorCode() != "UnknownError":
		e.Err = errors.New(words(refusal))
		c.refused(e, o, refusal, kept.status)
	case kept.status >= http.StatusInternalServerError && o.write:
		e.Kind = directory.UnknownOutcome
	default:
		e.Kind, e.Err = directory.Retryable, fmt.Errorf("the answer %d does not come from Cognito", kept.status)
		e.Remedy = "check that no proxy answers in Cognito's place, and the endpoint if there is one"
	}
	return e
}

func words(refusal smithy.APIError) string {
	if refusal.ErrorMessage() == "" {
		return refusal.ErrorCode()
	}
	return refusal.ErrorCode() + ": " + refusal.ErrorMessage()
}

// refused gives a refusal of Cognito's its kind and its remedy.
func (c *client) refused(e *directory.Error, o op, refusal smithy.APIError, status int) {
	message := refusal.ErrorMessage()
	switch code := refusal.ErrorCode(); code {
	case "UserNotFoundException":
		e.Kind = o.missing
	case "ResourceNotFoundException":
		c.notFound(e, o, message)
	case "UsernameExistsException", "AliasExistsException":
		e.Kind, e.Attribute = directory.Conflict, c.conflicting(code, o, message)
	case "GroupExistsException":
		e.Kind = directory.Conflict
	case "ConcurrentModificationException":
		e.Kind = directory.Retryable
	case "InvalidParameterException", "InvalidPasswordException", "LimitExceededException", "UnsupportedUserStateException",
		"UserLambdaValidationException", "UnexpectedLambdaException", "InvalidLambdaResponseException", "CodeDeliveryFailureException",
		"SerializationException", "ValidationException":
		e.Kind, e.Remedy = directory.Invalid, explain(code, message)
		e.Attribute = c.attributeIn(message)
	default:
		if c.denied(e, o, code, message) {
			return
		}
		switch {
		case status >= http.StatusInternalServerError && o.write:
			e.Kind = directory.UnknownOutcome
		case status >= http.StatusInternalServerError:
			e.Kind = directory.Retryable
		default:
			e.Kind = directory.Invalid
		}
	}
}

// denied handles the refusals of who asks, in place of what is asked.
func (c *client) denied(e *directory.Error, o op, code, message string) bool {
	switch {
	case strings.HasPrefix(code, "AccessDenied"), code == "NotAuthorizedException", code == "UnauthorizedOperation":
		e.Remedy = fmt.Sprintf("allow cognito-idp:%s on %s for the identity that Rollcall signs in with (IAM, its policy; a boundary or a policy of the organisation may deny it too)", o.action, c.poolLocation)
	case strings.HasPrefix(code, "ExpiredToken"):
		e.Remedy = "the temporary credentials have ended: give new ones, or better a role or a profile, which renew themselves"
	case code == "UnrecognizedClientException", code == "InvalidClientTokenId":
		e.Remedy = "check access_key_id (or the chain's key): AWS does not know it, it was deleted or deactivated, or its session_token is missing"
	case code == "InvalidSignatureException" || code == "SignatureDoesNotMatch" || code == "RequestExpired" || code == "RequestTimeTooSkewed":
		e.Remedy = "check secret_access_key: it does not belong to the access key"
		if strings.Contains(message, "xpired") || strings.Contains(message, "not yet current") || strings.Contains(code, "Request") {
			e.Remedy = "set this machine's clock: AWS takes requests within five minutes of its own time only"
		}
	case code == "MissingAuthenticationToken", code == "MissingAuthenticationTokenException", code == "IncompleteSignature", code == "IncompleteSignatureException", code == "OptInRequired":
		e.Remedy = "check the credentials and that the AWS account may use Cognito in " + c.region
	case code == "ForbiddenException":
		e.Remedy = "a rule of AWS WAF on the user pool refuses the request: allow this machine's address there"
	default:
		return false
	}
	e.Kind = directory.Auth
	return true
}

// notFound tells a missing pool, which is a fault of the configuration, from a missing group.
func (c *client) notFound(e *directory.Error, o op, message string) {
	switch {
	case strings.Contains(message, "ser pool") && strings.Contains(message, c.id), o.missingGroup == directory.Retryable:
		e.Kind, e.Remedy = directory.Auth, "check user_pool_id: there is no such pool in "+c.region+" of the AWS account that the credentials belong to"
	default:
		e.Kind = o.missingGroup
	}
}

// conflicting returns the attribute that a taken value is about.
func (c *client) conflicting(code string, o op, message string) string {
	lower := strings.ToLower(message)
	switch {
	case strings.Contains(lower, "email"):
		return directory.Email
	case strings.Contains(lower, "phone"):
		return directory.Phone
	case code == "AliasExistsException":
		return ""
	default:
		return o.taken
	}
}

var namedAttribute = regexp.MustCompile(`(?:user\.)?(custom:[^\s:,]+|\b[a-z_]+\b): `)

// attributeIn returns the attribute that a refusal names, as in "user.custom:team: Attribute does not exist in the schema".
func (c *client) attributeIn(message string) string {
	for _, found := range namedAttribute.FindAllStringSubmatch(message, -1) {
		if strings.HasPrefix(found[1], customPrefix) {
			return c.nameOf(found[1])
		}
		for _, attribute := range builtinNames {
			if attribute == found[1] {
				return c.nameOf(attribute)
			}
		}
	}
	switch lower := strings.ToLower(message); {
	case strings.Contains(lower, "phone number"):
		return c.nameOf(phone)
	case strings.Contains(lower, "email"):
		return directory.Email
	default:
		return ""
	}
}

// explain says in words what a refusal asks for.
func explain(code, message string) string {
	switch {
	case strings.Contains(message, "does not exist in the schema"):
		return schemaRemedy
	case strings.Contains(message, "cannot be updated"), strings.Contains(message, "not mutable"):
		return "the pool's schema makes it immutable, and that never changes: leave it out of the rules"
	case strings.Contains(strings.ToLower(message), "phone number"):
		return "write the number with + and country code and without spaces, such as +4930123456"
	case strings.Contains(message, "email alias"):
		return "usernames of this pool must not look like addresses: map username to another attribute"
	}
	switch code {
	case "LimitExceededException":
		return "a quota of the pool is used up (Service Quotas, Amazon Cognito user pools)"
	case "UserLambdaValidationException", "UnexpectedLambdaException", "InvalidLambdaResponseException":
		return "a Lambda trigger of the pool refused it or failed (User pool, Extensions): look into its log"
	case "InvalidPasswordException":
		return "the pool's password policy asks for more than 99 characters of all four kinds can give"
	default:
		return ""
	}
}

const schemaRemedy = "add the attribute to the pool (Sign-up, Custom attributes); it can never be removed or renamed there"
