package wordpress

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/rollcall-sync/rollcall/sync/directory"
	"github.com/rollcall-sync/rollcall/targets/wordpress/users"
)

func outside(option string, lowest, highest, n int) error {
	return &directory.OptionError{Option: option, Message: fmt.Sprintf("must be between %d and %d, not %d", lowest, highest, n)}
}

// refusal is WordPress's form of an error (wp-includes/rest-api.php, rest_convert_error_to_response). Data is null where
// the error comes from below the API; the status is 500 then.
type refusal struct {
	Code       string          `json:"code"`
	Message    string          `json:"message"`
	Data       json.RawMessage `json:"data"`
	Additional []struct {
		Code    string `json:"code"`
		Message string `json:"message"`
	} `json:"additional_errors"`
	AdditionalData []struct {
		Param string `json:"param"`
	} `json:"additional_data"`
}

// details is what Data holds; each part only in some refusals.
type details struct {
	Status  int             `json:"status"`
	Params  json.RawMessage `json:"params"` // an object, or a list of names
	Details map[string]struct {
		Code string `json:"code"`
	} `json:"details"`
}

func (r refusal) details() details {
	var d details
	// Data of plugins may be anything; what does not fit stays empty.
	_ = json.Unmarshal(r.Data, &d)
	return d
}

// params returns the names of the parameters at fault, sorted.
func (r refusal) params() []string {
	raw := r.details().Params
	var list []string
	if json.Unmarshal(raw, &list) == nil {
		return list
	}
	var object map[string]json.RawMessage
	_ = json.Unmarshal(raw, &object) // neither form: no names
	for name := range object {
		list = append(list, name)
	}
	slices.Sort(list)
	return list
}

// judge returns nil for a good answer, and otherwise the error it stands for:
//
//	401                               Auth
//	403                               Auth; Invalid where it is about one role or one meta key
//	404 rest_user_invalid_id          NotFound; no other 404 is
//	400 and other 4xx with a code     Conflict or Invalid, with the attribute
//	500 with the code of a refusal    Conflict or Invalid: WordPress gives errors of its lower layer no status
//	501                               Unsupported
//	other 5xx                         Retryable; UnknownOutcome for a write
func (c *client) judge(k call, a answer) error {
	if a.status >= 200 && a.status < 300 {
		return nil
	}
	var r refusal
	if err := json.Unmarshal(a.json(), &r); err != nil || r.Code == "" {
		return c.fail(k, foreign(k, a))
	}
	e := known(k, a.status, r)
	if e.Err == nil {
		e.Err = &coded{r.Code, fmt.Sprintf("%s (%s, status %d)", plainText(r.Message), r.Code, a.status)}
	}
	return c.fail(k, e)
}

// coded is the cause of an error that WordPress itself gave.
type coded struct{ code, text string }

func (e *coded) Error() string { return e.text }

// codeOf returns WordPress's code of an error, or "" where WordPress gave none.
func codeOf(err error) string {
	var e *coded
	if errors.As(err, &e) {
		return e.code
	}
	return ""
}

// foreign is the error for an answer that WordPress's API did not give.
func foreign(k call, a answer) *directory.Error {
	e := unreadable(a, errors.New("no error of WordPress"))
	e.Err = fmt.Errorf("status %d: %w", a.status, e.Err)
	switch {
	case a.status == http.StatusUnauthorized || a.status == http.StatusForbidden:
		e.Kind = directory.Auth
		e.Remedy = "a firewall, a security plugin or the web server refuses the request before WordPress sees it: let this machine's address through to /wp-json/"
	case a.status == http.StatusNotFound:
		e.Kind = directory.Retryable
		e.Remedy = "check the address: it must be the site's front page, and /wp-json/ below it must answer"
	case a.status == http.StatusMethodNotAllowed || a.status == http.StatusNotImplemented:
		e.Kind = directory.Unsupported
		e.Remedy = "the web server blocks " + k.method + " requests: allow them below /wp-json/"
	case a.status >= 500:
		e.Kind = lostKind(k)
		e.Remedy = "look into the site's PHP error log"
	case a.status >= 400:
		e.Kind = directory.Invalid
	default: // a redirect that the transport let through, or something below 200
		e.Kind = directory.Retryable
	}
	return e
}

// byCode are the refusals whose code says all. An entry without status holds for each.
var byCode = map[string]struct {
	status    int
	kind      directory.ErrorKind
	attribute string
	remedy    string
}{
	"rest_user_invalid_id": {status: 404, kind: directory.NotFound},
	// On update; on create the same fault is existing_user_email, and a malformed address is rest_invalid_param in both.
	"rest_user_invalid_email":  {status: 400, kind: directory.Conflict, attribute: directory.Email, remedy: "another account has this e-mail address"},
	"existing_user_login":      {kind: directory.Conflict, attribute: directory.Username, remedy: "another account has this username"},
	"existing_user_email":      {kind: directory.Conflict, attribute: directory.Email, remedy: "another account has this e-mail address"},
	"user_login_too_long":      {kind: directory.Invalid, attribute: directory.Username},
	"empty_user_login":         {kind: directory.Invalid, attribute: directory.Username},
	"invalid_username":         {status: 500, kind: directory.Invalid, attribute: directory.Username},
	"user_nicename_too_long":   {kind: directory.Invalid, attribute: directory.Username},
	"user_url_too_long":        {kind: directory.Invalid, attribute: directory.URL},
	"rest_user_invalid_role":   {kind: directory.Invalid, remedy: "name a role that the site has (its key, not its title) and that the service account may give"},
	"rest_user_invalid_slug":   {kind: directory.Invalid},
	"rest_cannot_edit_roles":   {kind: directory.Auth, remedy: "give the role of the service account the capability promote_users"},
	"rest_cannot_create_user":  {kind: directory.Auth, remedy: "give the role of the service account the capability create_users"},
	"rest_cannot_edit":         {kind: directory.Auth, remedy: "give the role of the service account the capability edit_users; on a multisite network only network administrators may edit users"},
	"rest_user_cannot_delete":  {kind: directory.Auth, remedy: "give the role of the service account the capability delete_users"},
	"rest_forbidden_context":   {kind: directory.Auth, remedy: "give the role of the service account the capability list_users, and check username and application password"},
	"rest_trash_not_supported": {kind: directory.Unsupported},
	noRoute: {
		kind:   directory.Unsupported,
		remedy: "a plugin has removed this part of the REST API: allow it for the service account",
	},
	"rest_batch_not_allowed":     {kind: directory.Unsupported},
	passwordsOff:                 {kind: directory.Unsupported},
	passwordsOffForUser:          {kind: directory.Unsupported},
	"rest_user_invalid_reassign": {kind: directory.Invalid, remedy: "set reassign_to to an account that exists and is not the one to delete"},
	"rest_meta_database_error":   {kind: directory.UnknownOutcome},
	"rest_user_create":           {kind: directory.UnknownOutcome},
	"rest_cannot_manage_application_passwords": {
		kind:   directory.Auth,
		remedy: "give the role of the service account the capability edit_users: it must delete the application passwords of others",
	},
	"rest_cannot_delete_application_passwords": {
		kind:   directory.Auth,
		remedy: "give the role of the service account the capability edit_users: it must delete the application passwords of others",
	},
}

const (
	noRoute             = "rest_no_route"
	passwordsOff        = "application_passwords_disabled"
	passwordsOffForUser = "application_passwords_disabled_for_user"
	signInRemedy        = "check username and application password (made in the profile of the account; the password for signing in by hand does not work), and that the web server passes the Authorization header on to PHP"
)

// known is the error for a refusal of WordPress.
func known(k call, status int, r refusal) *directory.Error {
	if rule, ok := byCode[r.Code]; ok && (rule.status == 0 || rule.status == status) && status != http.StatusUnauthorized {
		kind := rule.kind
		if kind == directory.UnknownOutcome {
			kind = lostKind(k)
		}
		return &directory.Error{Kind: kind, Attribute: rule.attribute, Remedy: rule.remedy}
	}
	switch {
	case status == http.StatusUnauthorized:
		return &directory.Error{Kind: directory.Auth, Remedy: signInRemedy}
	case r.metaKey() != "" || metaCodes[r.Code] && k.body != nil:
		return metaRefusal(k, r)
	case status == http.StatusForbidden:
		return &directory.Error{Kind: directory.Auth, Remedy: "give the role of the service account the capabilities that its guide lists"}
	case r.Code == "rest_cannot_delete" && status == http.StatusNotImplemented:
		return &directory.Error{
			Kind: directory.Unsupported, Remedy: "a multisite network deletes no user over the REST API: set delete to never, and delete by hand in the network's dashboard",
		}
	case r.Code == "rest_invalid_param" || r.Code == "rest_missing_callback_param":
		return parameter(r)
	case r.Code == "rest_user_invalid_argument":
		return &directory.Error{Kind: directory.Invalid, Attribute: directory.Username, Remedy: "WordPress cannot change a username"}
	case status == http.StatusConflict:
		return &directory.Error{Kind: directory.Conflict}
	case status == http.StatusNotImplemented:
		return &directory.Error{Kind: directory.Unsupported}
	case status >= 500 && r.details().Status == 0 && r.Code != "internal_server_error":
		// An error of WordPress's insert layer or of a plugin in it. It is a refusal: nothing was stored.
		return &directory.Error{Kind: directory.Invalid}
	case status >= 500:
		return &directory.Error{Kind: lostKind(k), Remedy: "look into the site's PHP error log"}
	default:
		return &directory.Error{Kind: directory.Invalid}
	}
}

// parameter is the error for parameters that are missing or malformed.
func parameter(r refusal) *directory.Error {
	e := &directory.Error{Kind: directory.Invalid}
	for _, name := range r.params() {
		if attribute, ok := attributeOf(name); ok {
			e.Attribute = attribute
			break
		}
	}
	if e.Attribute == directory.Locale {
		e.Remedy = "WordPress takes only languages that are installed on the site"
	}
	// On a multisite network faults of both kinds have these codes, and only the text tells them apart.
	for _, more := range r.Additional {
		switch more.Code {
		case "user_name":
			e.Attribute = directory.Username
		case "user_email":
			e.Attribute = directory.Email
		default:
			continue
		}
		e.Err = fmt.Errorf("%s (%s)", plainText(more.Message), more.Code)
		if strings.Contains(more.Message, "already") {
			e.Kind = directory.Conflict
		}
		break
	}
	return e
}

// attributeOf returns the attribute that a parameter of the API carries.
func attributeOf(parameter string) (string, bool) {
	for _, field := range users.Fields() {
		if field.REST == parameter {
			return field.Spec.Name, true
		}
	}
	if key, ok := strings.CutPrefix(parameter, "meta."); ok {
		return directory.CustomPrefix + key, true
	}
	return "", false
}

// metaCodes are the refusals of rest-api/fields/class-wp-rest-meta-fields.php that name the key in their text only.
var metaCodes = map[string]bool{"rest_cannot_update": true, "rest_invalid_stored_value": true}

// metaKey returns the meta key at fault, or "".
func (r refusal) metaKey() string {
	for _, data := range r.AdditionalData {
		if rest, ok := strings.CutPrefix(data.Param, "meta."); ok {
			key, _, _ := strings.Cut(rest, "[")
			return key
		}
	}
	return ""
}

// metaRefusal is the error for a value of user meta. WordPress looks at meta last, when the account is stored: a refused
// create has made the account all the same (seen in 6.1), so its outcome has to be read back.
func metaRefusal(k call, r refusal) *directory.Error {
	e := &directory.Error{Kind: directory.Invalid, Remedy: "check how the meta key is registered on the site (register_meta: type, auth_callback)"}
	if key := r.metaKey(); key != "" {
		e.Attribute = directory.CustomPrefix + key
	}
	if k.creates {
		e.Kind = directory.UnknownOutcome
		e.Err = fmt.Errorf("WordPress made the account and then refused its meta: %s (%s)", plainText(r.Message), r.Code)
	}
	return e
}
