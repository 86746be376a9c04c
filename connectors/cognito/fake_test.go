package cognito

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"github.com/rollcall-sync/rollcall/sync/directory"
)

const (
	fakePool   = "eu-central-1_FaKePooL1"
	fakeKey    = "AKIAFAKEFAKEFAKEFAKE"
	fakeSecret = "fake/secret+of/the+fake"
)

// fake is a Cognito in the test's own process. It signs, pages, filters and refuses as the API reference and the developer
// guide say; where both are silent it takes the less convenient way (empty pages, tokens that die, a list that lags).
type fake struct {
	*httptest.Server
	mu sync.Mutex

	signIn   string
	schema   map[string]attribute
	verify   []string
	triggers map[string]string
	users    []*fakeUser
	groups   []string
	members  map[string]map[string]bool // by group, of subs
	denied   map[string]bool            // by action
	session  string                     // the only session token taken; empty for none
	clock    func() time.Time
	whole    bool // pages are full ones
	lag      int  // how many lists a new user is missing from
	strict   bool // usernames differ by case

	log       []string // actions
	mails     int
	intercept func(w http.ResponseWriter, r *http.Request, action string, body []byte) bool
	page      int // how many pages were given
}

type fakeUser struct {
	sub, username, status string
	enabled               bool
	attributes            map[string]string
	created, modified     time.Time
	lists                 int // how many more lists do not show it
	passwords             []string
}

// fakeRequest has the fields of all operations.
type fakeRequest struct {
	UserPoolID, Username, GroupName, Filter, MessageAction, PaginationToken, NextToken, Password, TemporaryPassword string
	Limit                                                                                                           *int
	AttributesToGet                                                                                                 []string
	UserAttributes                                                                                                  []struct{ Name, Value string }
	ForceAliasCreation, Permanent                                                                                   bool
	DesiredDeliveryMediums                                                                                          []string
}

// refusalOf is an answer of 400 and above.
type refusalOf struct {
	status        int
	code, message string
}

func refuse(code, format string, arguments ...any) *refusalOf {
	return &refusalOf{http.StatusBadRequest, code, fmt.Sprintf(format, arguments...)}
}

func newFake(t testing.TB, signIn string) *fake {
	t.Helper()
	f := &fake{signIn: signIn, members: map[string]map[string]bool{}, denied: map[string]bool{}, clock: time.Now, schema: map[string]attribute{}}
	for _, name := range append(slices.Collect(maps.Values(builtinNames)), standardNames...) {
		f.schema[name] = attribute{mutable: true}
	}
	f.schema[sub], f.schema[emailVerified] = attribute{required: true}, attribute{mutable: true}
	f.schema["custom:rcFavouriteColour"], f.schema["custom:department"] = attribute{mutable: true}, attribute{mutable: true}
	f.schema["custom:badge"] = attribute{}
	f.Server = httptest.NewServer(http.HandlerFunc(f.serve))
	t.Cleanup(f.Close)
	return f
}

// settings are those with which a directory reaches the fake.
func (f *fake) settings(t testing.TB, extra map[string]any) directory.Settings {
	t.Helper()
	values := map[string]any{
		"user_pool_id": fakePool, "access_key_id": fakeKey, "secret_access_key": fakeSecret, "endpoint": f.URL, "sign_in": f.signIn, "rate": 1000,
	}
	maps.Copy(values, extra)
	s, faults := Type.Complete(directory.Settings{
		Name: "staff", Values: values, Now: f.clock, Sleep: func(ctx context.Context, _ time.Duration) error { return ctx.Err() },
	})
	for _, fault := range faults {
		t.Fatal(fault)
	}
	return s
}

func (f *fake) open(t testing.TB, extra map[string]any) *Directory {
	t.Helper()
	d, err := open(f.settings(t, extra))
	if err != nil {
		t.Fatal(err)
	}
	return d.(*Directory)
}

// add puts a user into the pool.
func (f *fake) add(username string, attributes map[string]string) *fakeUser {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.insert(username, attributes)
}

func (f *fake) insert(username string, attributes map[string]string) *fakeUser {
	u := &fakeUser{sub: newSub(), username: username, status: "FORCE_CHANGE_PASSWORD", enabled: true, attributes: map[string]string{}, created: f.clock(), modified: f.clock(), lists: f.lag}
	maps.Copy(u.attributes, attributes)
	switch f.signIn {
	case byEmail:
		u.username, u.attributes[email] = u.sub, username
	case byPhone:
		u.username, u.attributes[phone] = u.sub, username
	}
	f.users = append(f.users, u)
	slices.SortFunc(f.users, func(a, b *fakeUser) int { return strings.Compare(a.sub, b.sub) })
	return u
}

func newSub() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	h := hex.EncodeToString(b[:])
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}

func (f *fake) addGroup(name string, members ...*fakeUser) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.groups = append(f.groups, name)
	f.members[name] = map[string]bool{}
	for _, u := range members {
		f.members[name][u.sub] = true
	}
}

// calls returns how often each action was asked for since the last call.
func (f *fake) calls() map[string]int {
	f.mu.Lock()
	defer f.mu.Unlock()
	counts := map[string]int{}
	for _, action := range f.log {
		counts[action]++
	}
	f.log = nil
	return counts
}

func (f *fake) serve(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body) // a broken one fails to decode
	action := strings.TrimPrefix(r.Header.Get("X-Amz-Target"), "AWSCognitoIdentityProviderService.")
	f.mu.Lock()
	f.log = append(f.log, action)
	intercept := f.intercept
	f.mu.Unlock()
	if intercept != nil && intercept(w, r, action, body) {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	answer, fault := f.answer(r, action, body)
	if fault != nil {
		writeRefusal(w, fault)
		return
	}
	w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	_ = json.NewEncoder(w).Encode(answer) // the client has gone
}

func writeRefusal(w http.ResponseWriter, fault *refusalOf) {
	w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	w.Header().Set("X-Amzn-ErrorType", fault.code+":")
	w.Header().Set("X-Amzn-ErrorMessage", fault.message)
	w.WriteHeader(fault.status)
	_ = json.NewEncoder(w).Encode(map[string]string{"__type": fault.code, "message": fault.message}) // the client has gone
}

func (f *fake) answer(r *http.Request, action string, body []byte) (any, *refusalOf) {
	if fault := f.admit(r, action, body); fault != nil {
		return nil, fault
	}
	var request fakeRequest
	if err := json.Unmarshal(body, &request); err != nil {
		return nil, refuse("SerializationException", "%v", err)
	}
	if request.Limit != nil && (*request.Limit < 0 || *request.Limit > 60) {
		return nil, refuse("InvalidParameterException", "1 validation error detected: Value '%d' at 'limit' failed to satisfy constraint: Member must have value less than or equal to 60", *request.Limit)
	}
	if request.UserPoolID != fakePool {
		return nil, refuse("ResourceNotFoundException", "User pool %s does not exist.", request.UserPoolID)
	}
	call, ok := fakeCalls[action]
	if !ok {
		return nil, refuse("UnknownOperationException", "")
	}
	return call(f, request)
}

// admit checks who asks: key, signature, session, clock, then the right to the action.
func (f *fake) admit(r *http.Request, action string, body []byte) *refusalOf {
	authorization := r.Header.Get("Authorization")
	at, err := time.Parse("20060102T150405Z", r.Header.Get("X-Amz-Date"))
	switch {
	case authorization == "" || err != nil:
		return refuse("MissingAuthenticationTokenException", "Missing Authentication Token")
	case !strings.Contains(authorization, "Credential="+fakeKey+"/"):
		return refuse("UnrecognizedClientException", "The security token included in the request is invalid.")
	case f.session != "" && r.Header.Get("X-Amz-Security-Token") != f.session:
		return refuse("ExpiredTokenException", "The security token included in the request is expired")
	case f.clock().Sub(at).Abs() > 5*time.Minute:
		return refuse("InvalidSignatureException", "Signature expired: %s is now earlier than %s (%s - 5 min.)", at, f.clock().Add(-5*time.Minute), f.clock())
	case signature(r, body, at) != authorization:
		return refuse("InvalidSignatureException", "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method.")
	case f.denied[action]:
		return refuse("AccessDeniedException", "User: arn:aws:iam::111122223333:user/rollcall is not authorized to perform: cognito-idp:%s on resource: arn:aws:cognito-idp:eu-central-1:111122223333:userpool/%s because no identity-based policy allows the cognito-idp:%s action", action, fakePool, action)
	}
	return nil
}

// signature signs the request again, with the headers that were signed.
func signature(r *http.Request, body []byte, at time.Time) string {
	again, err := http.NewRequest(r.Method, "http://"+r.Host+r.URL.Path, bytes.NewReader(body))
	if err != nil {
		return ""
	}
	_, rest, _ := strings.Cut(r.Header.Get("Authorization"), "SignedHeaders=")
	signed, _, _ := strings.Cut(rest, ",")
	for _, name := range strings.Split(signed, ";") {
		if name != "host" && name != "content-length" && name != "x-amz-date" && name != "x-amz-security-token" {
			again.Header.Set(name, r.Header.Get(name))
		}
	}
	hash := sha256.Sum256(body)
	key := aws.Credentials{AccessKeyID: fakeKey, SecretAccessKey: fakeSecret, SessionToken: r.Header.Get("X-Amz-Security-Token")}
	if err := v4.NewSigner().SignHTTP(context.Background(), key, again, hex.EncodeToString(hash[:]), "cognito-idp", "eu-central-1", at); err != nil {
		return ""
	}
	return again.Header.Get("Authorization")
}
