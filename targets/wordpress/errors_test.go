package wordpress

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/rollcall-sync/rollcall/sync/directory"
)

const (
	loginPage = "<!DOCTYPE html><html><head><title>Please sign in</title></head><body>Checking your browser</body></html>"
	crashBody = `{"code":"internal_server_error","message":"<p>There has been a critical error on this website.</p>","data":{"status":500},"additional_errors":[]}`
)

func body(code, message, data string) string {
	return fmt.Sprintf(`{"code":%q,"message":%q,"data":%s}`, code, message, data)
}

func paramBody(param, code, message string) string {
	return body("rest_invalid_param", "Invalid parameter(s): "+param,
		fmt.Sprintf(`{"status":400,"params":{%q:%q},"details":{%q:{"code":%q,"message":%q,"data":null}}}`, param, message, param, code, message))
}

func TestWhatEachAnswerOfWordPressMeans(t *testing.T) {
	t.Parallel()
	read := call{method: http.MethodGet, route: userRoute("7"), op: "get account", record: "7"}
	update := call{method: http.MethodPost, route: userRoute("7"), op: "update account", record: "7", body: payload{"name": "x"}}
	create := call{method: http.MethodPost, route: usersRoute, op: "create account", body: payload{"username": "x"}, creates: true}
	remove := call{method: http.MethodDelete, route: userRoute("7"), op: "delete account"}
	for name, c := range map[string]struct {
		call      call
		status    int
		body      string
		kind      directory.ErrorKind
		attribute string
		text      string // part of the message
	}{
		"wrong password":                            {read, 401, body("rest_not_logged_in", "You are not currently logged in.", `{"status":401}`), directory.Auth, "", "application"},
		"wrong password, a plugin asks early":       {read, 401, body("incorrect_password", "The provided password is an invalid application password.", `{"status":401}`), directory.Auth, "", "Authorization header"},
		"unknown user, a plugin asks early":         {read, 401, body("invalid_username", "<strong>Error:</strong> Unknown username.", `{"status":401}`), directory.Auth, "", "Error: Unknown username."},
		"no rights to list":                         {read, 403, body("rest_forbidden_context", "Sorry, you are not allowed to edit users.", `{"status":403}`), directory.Auth, "", "list_users"},
		"list without credentials":                  {read, 401, body("rest_forbidden_context", "Sorry, you are not allowed to edit users.", `{"status":401}`), directory.Auth, "", "username and application password"},
		"no rights to create":                       {create, 403, body("rest_cannot_create_user", "Sorry, you are not allowed to create new users.", `{"status":403}`), directory.Auth, "", "create_users"},
		"no rights to update":                       {update, 403, body("rest_cannot_edit", "Sorry, you are not allowed to edit this user.", `{"status":403}`), directory.Auth, "", "edit_users"},
		"no rights to set roles":                    {update, 403, body("rest_cannot_edit_roles", "Sorry, you are not allowed to edit roles of this user.", `{"status":403}`), directory.Auth, "", "promote_users"},
		"no rights to delete":                       {remove, 403, body("rest_user_cannot_delete", "Sorry, you are not allowed to delete this user.", `{"status":403}`), directory.Auth, "", "delete_users"},
		"an unknown 403":                            {update, 403, body("some_plugin", "No.", `{"status":403}`), directory.Auth, "", "No."},
		"a role that may not be given":              {update, 403, body("rest_user_invalid_role", "Sorry, you are not allowed to give users that role.", `{"status":403}`), directory.Invalid, "", "that role"},
		"firewall":                                  {read, 403, "<html><head><title>403 Forbidden</title></head></html>", directory.Auth, "", "firewall"},
		"gone":                                      {read, 404, body("rest_user_invalid_id", "Invalid user ID.", `{"status":404}`), directory.NotFound, "", "Invalid user ID"},
		"route gone":                                {read, 404, body("rest_no_route", "No route was found matching the URL and request method.", `{"status":404}`), directory.Unsupported, "", "plugin"},
		"web server's own page":                     {read, 404, "<html><body><h1>Not Found</h1></body></html>", directory.Retryable, "", "check the address"},
		"another 404 with a code":                   {read, 404, body("rest_post_invalid_id", "Invalid post ID.", `{"status":404}`), directory.Invalid, "", ""},
		"username taken":                            {create, 500, body("existing_user_login", "Sorry, that username already exists!", "null"), directory.Conflict, directory.Username, "already exists"},
		"e-mail taken":                              {create, 500, body("existing_user_email", "Sorry, that email address is already used!", "null"), directory.Conflict, directory.Email, "already used"},
		"e-mail taken, on update":                   {update, 400, body("rest_user_invalid_email", "Invalid email address.", `{"status":400}`), directory.Conflict, directory.Email, "another account"},
		"malformed e-mail":                          {update, 400, paramBody("email", "rest_invalid_email", "Invalid email address."), directory.Invalid, directory.Email, "email"},
		"malformed username":                        {create, 400, paramBody("username", "rest_user_invalid_username", "illegal characters"), directory.Invalid, directory.Username, ""},
		"language not installed":                    {create, 400, paramBody("locale", "rest_not_in_enum", "locale is not one of  and en_US."), directory.Invalid, directory.Locale, "installed"},
		"required parameter missing":                {create, 400, body("rest_missing_callback_param", "Missing parameter(s): username, email", `{"status":400,"params":["username","email"]}`), directory.Invalid, directory.Username, ""},
		"unknown role":                              {update, 400, body("rest_user_invalid_role", "The role nosuch does not exist.", `{"status":400}`), directory.Invalid, "", "nosuch"},
		"username too long":                         {create, 500, body("user_login_too_long", "Username may not be longer than 60 characters.", "null"), directory.Invalid, directory.Username, "60"},
		"address of the website too long":           {update, 500, body("user_url_too_long", "User URL may not be longer than 100 characters.", "null"), directory.Invalid, directory.URL, ""},
		"username changed":                          {update, 400, body("rest_user_invalid_argument", "Username is not editable.", `{"status":400}`), directory.Invalid, directory.Username, ""},
		"a plugin's refusal in the insert layer":    {create, 500, body("registration_closed", "Closed on Sundays.", "null"), directory.Invalid, "", "Closed on Sundays"},
		"meta of the wrong type":                    {update, 400, `{"code":"rest_invalid_type","message":"meta.size is not of type string.","data":{"status":400},"additional_data":[{"param":"meta.size"}]}`, directory.Invalid, "custom.size", "meta.size"},
		"the same on create: the account is made":   {create, 400, `{"code":"rest_invalid_type","message":"meta.size is not of type string.","data":{"status":400},"additional_data":[{"param":"meta.size"}]}`, directory.UnknownOutcome, "custom.size", "made the account"},
		"protected meta":                            {update, 403, body("rest_cannot_update", "Sorry, you are not allowed to edit the _x custom field.", `{"status":403}`), directory.Invalid, "", "_x"},
		"protected meta on create":                  {create, 403, body("rest_cannot_update", "Sorry, you are not allowed to edit the _x custom field.", `{"status":403}`), directory.UnknownOutcome, "", "made the account"},
		"meta not stored":                           {create, 500, body("rest_meta_database_error", "Could not update the meta value.", `{"status":500}`), directory.UnknownOutcome, "", ""},
		"crash on a write":                          {update, 500, crashBody, directory.UnknownOutcome, "", "critical error"},
		"crash on a read":                           {read, 500, crashBody, directory.Retryable, "", "critical error"},
		"crash without JSON, on a write":            {update, 500, "<html><body>Error establishing a database connection</body></html>", directory.UnknownOutcome, "", "database connection"},
		"crash with nothing at all":                 {create, 500, "", directory.UnknownOutcome, "", "empty"},
		"a plugin's server error with its status":   {update, 502, body("upstream", "Bad gateway", `{"status":502}`), directory.UnknownOutcome, "", ""},
		"delete on a multisite network":             {remove, 501, body("rest_cannot_delete", "The user cannot be deleted.", `{"status":501}`), directory.Unsupported, "", "multisite"},
		"delete refused by a plugin":                {remove, 500, body("rest_cannot_delete", "The user cannot be deleted.", `{"status":500}`), directory.UnknownOutcome, "", ""},
		"delete without force":                      {remove, 501, body("rest_trash_not_supported", "Users do not support trashing.", `{"status":501}`), directory.Unsupported, "", ""},
		"web server blocks DELETE":                  {remove, 405, "<html><title>405 Not Allowed</title></html>", directory.Unsupported, "", "blocks DELETE"},
		"posts to somebody who does not exist":      {remove, 400, body("rest_user_invalid_reassign", "Invalid user ID for reassignment.", `{"status":400}`), directory.Invalid, "", "reassign_to"},
		"no batches":                                {create, 400, body("rest_batch_not_allowed", "The requested route does not support batch requests.", `{"status":400}`), directory.Unsupported, "", ""},
		"multisite: username taken":                 {create, 400, `{"code":"rest_invalid_param","message":"Invalid user parameter(s).","data":{"status":400},"additional_errors":[{"code":"user_name","message":"Sorry, that username already exists!","data":null}]}`, directory.Conflict, directory.Username, "already exists"},
		"multisite: username malformed":             {create, 400, `{"code":"rest_invalid_param","message":"Invalid user parameter(s).","data":{"status":400},"additional_errors":[{"code":"user_name","message":"Usernames can only contain lowercase letters (a-z) and numbers.","data":null}]}`, directory.Invalid, directory.Username, "lowercase"},
		"multisite: e-mail taken":                   {create, 400, `{"code":"rest_invalid_param","message":"Invalid user parameter(s).","data":{"status":400},"additional_errors":[{"code":"user_email","message":"Sorry, that email address is already used!","data":null}]}`, directory.Conflict, directory.Email, "already used"},
		"data of an odd form":                       {update, 400, `{"code":"odd","message":"Odd.","data":"text"}`, directory.Invalid, "", "Odd."},
		"broken JSON sent":                          {create, 400, body("rest_invalid_json", "Invalid JSON body passed.", `{"status":400}`), directory.Invalid, "", ""},
		"PHP warning before the refusal on a write": {update, 500, "<br />\n<b>Warning</b>: x in y on line 3<br />\n" + crashBody, directory.UnknownOutcome, "", "Warning"},
		"redirect":                                  {read, 302, "", directory.Retryable, "", "302"},
		"application passwords switched off":        {remove, 501, body("application_passwords_disabled", "Application passwords are not available.", `{"status":501}`), directory.Unsupported, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client := &client{name: "website", base: &url.URL{Scheme: "https", Host: "www.example.com"}}
			err := client.judge(c.call, answer{status: c.status, header: http.Header{}, body: []byte(c.body)})
			var e *directory.Error
			if !errors.As(err, &e) {
				t.Fatalf("no *directory.Error: %v", err)
			}
			if e.Kind != c.kind || e.Attribute != c.attribute {
				t.Errorf("%s at %q, want %s at %q: %v", e.Kind, e.Attribute, c.kind, c.attribute, err)
			}
			if !strings.Contains(err.Error(), c.text) || strings.ContainsAny(err.Error(), "<>") {
				t.Errorf("the message lacks %q or holds tags: %v", c.text, err)
			}
			if e.Op != c.call.op || e.Directory != "website" || e.Record != c.call.record {
				t.Errorf("the error does not say what was being done: %+v", e)
			}
			if e.Kind == directory.Auth && e.Remedy == "" {
				t.Errorf("no remedy: %v", err)
			}
		})
	}
}

func TestAnswersThatAreNoneOfWordPress(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		body, contentType, text string
	}{
		"a login wall":               {loginPage, "text/html", "web page"},
		"PHP warnings before JSON":   {"<br />\n<b>Warning</b>:  Undefined variable in x.php on line 3<br />\n[]", "application/json", "PHP printed a message"},
		"JSON that is cut off":       {`[{"id":1,"username":"ad`, "application/json", "cut off"},
		"nothing":                    {"", "application/json", "empty"},
		"an object in place of rows": {`{"success":false}`, "application/json", "no JSON"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFake()
			s := f.open(t)
			if _, err := s.CountAccounts(t.Context()); err != nil {
				t.Fatal(err)
			}
			f.meddle = func(w http.ResponseWriter, r *http.Request) bool {
				w.Header().Set("Content-Type", c.contentType)
				w.Header().Set("X-WP-Total", "0")
				w.Header().Set("X-WP-TotalPages", "0")
				_, _ = w.Write([]byte(c.body))
				return true
			}
			_, err := s.ListAccounts(t.Context(), directory.ListRequest{})
			if !errors.Is(err, directory.Retryable) || !strings.Contains(err.Error(), c.text) {
				t.Errorf("a listing: %v", err)
			}
			_, err = s.GetAccount(t.Context(), "1")
			if err == nil || errors.Is(err, directory.NotFound) {
				t.Errorf("one account: %v", err)
			}
			_, err = s.UpdateAccount(t.Context(), directory.UpdateRequest{ID: "1", Set: directory.Attributes{directory.Nickname: directory.Text("x")}})
			if !errors.Is(err, directory.UnknownOutcome) {
				t.Errorf("a write is %v, and nobody can know its outcome", err)
			}
		})
	}
}

func TestMarksAndEmptyLinesBeforeTheJSONAreForgiven(t *testing.T) {
	t.Parallel()
	f := newFake()
	s := f.open(t)
	f.before = "\n\ufeff \n"
	if id, err := s.Self(t.Context()); err != nil || id != "1" {
		t.Errorf("%q, %v", id, err)
	}
}

func TestErrorsHoldNeitherThePasswordNorWhatWasSearchedFor(t *testing.T) {
	t.Parallel()
	f := newFake()
	address := f.start(t)
	s := openAt(t, address, "password", "secret-secret")
	_, err := s.FindAccounts(t.Context(), directory.Email, "anna@example.com")
	if !errors.Is(err, directory.Auth) {
		t.Fatalf("want auth: %v", err)
	}
	for _, hidden := range []string{"secret-secret", "anna"} {
		if strings.Contains(err.Error(), hidden) {
			t.Errorf("the error holds %q: %v", hidden, err)
		}
	}
}
