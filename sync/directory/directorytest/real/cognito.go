package real

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-sync/rollcall/sync/directory/directorytest/real/rig"
)

// cognitoRegion is where all pools are; the server takes any.
const cognitoRegion = "eu-central-1"

// CognitoServer is a running server that plays Amazon Cognito (moto). It is safe for concurrent use. It takes any key and allows
// everything, and is milder than AWS in many ways: what AWS refuses has to be proven elsewhere.
type CognitoServer struct {
	// URL has no slash at its end.
	URL    string
	client *http.Client
}

// Cognito returns the server that all tests of this run share.
func Cognito(t testing.TB) *CognitoServer {
	t.Helper()
	return &CognitoServer{URL: strings.TrimRight(need(t, rig.CognitoVariable), "/"), client: &http.Client{Timeout: time.Minute}}
}

// UserPool is a user pool of one test.
type UserPool struct {
	Server *CognitoServer
	// URL is the server's; ID the pool's, which begins with its region.
	URL, ID                      string
	AccessKeyID, SecretAccessKey string

	t testing.TB
}

// PoolOption changes how a pool is made.
type PoolOption func(settings map[string]any)

// WithUsernameAttributes makes addresses ("email") or numbers ("phone_number") the usernames of the pool.
func WithUsernameAttributes(names ...string) PoolOption {
	return func(settings map[string]any) { settings["UsernameAttributes"] = names }
}

// WithAliasAttributes lets people sign in with a verified address or number as well as with the username.
func WithAliasAttributes(names ...string) PoolOption {
	return func(settings map[string]any) { settings["AliasAttributes"] = names }
}

// WithCustomAttributes gives the pool further attributes: "department" becomes custom:department.
func WithCustomAttributes(names ...string) PoolOption {
	return func(settings map[string]any) {
		var list []map[string]any
		for _, name := range names {
			list = append(list, map[string]any{"Name": name, "AttributeDataType": "String", "Mutable": true})
		}
		settings[customAttributes] = list
	}
}

const customAttributes = "CustomAttributes"

// Pool makes a fresh pool, which is removed when the test ends.
func (s *CognitoServer) Pool(t testing.TB, options ...PoolOption) *UserPool {
	t.Helper()
	pool := &UserPool{Server: s, URL: s.URL, AccessKeyID: "AKIAROLLCALLTEST", SecretAccessKey: "of no meaning", t: t}
	settings := map[string]any{"PoolName": "people"}
	for _, option := range options {
		option(settings)
	}
	custom := settings[customAttributes]
	delete(settings, customAttributes)
	var made struct{ UserPool struct{ ID string } }
	pool.send("CreateUserPool", settings, &made)
	if pool.ID = made.UserPool.ID; pool.ID == "" {
		t.Fatal("the new user pool has no id")
	}
	t.Cleanup(func() { pool.Call("DeleteUserPool", nil, nil) })
	if custom != nil {
		pool.Call("AddCustomAttributes", map[string]any{customAttributes: custom}, nil)
	}
	return pool
}

// Call asks for an operation on the pool. The test ends unless the answer is a good one. into takes it; nil drops it.
func (p *UserPool) Call(action string, fields map[string]any, into any) {
	p.t.Helper()
	request := map[string]any{"UserPoolId": p.ID}
	for name, value := range fields {
		request[name] = value
	}
	p.send(action, request, into)
}

func (p *UserPool) send(action string, request map[string]any, into any) {
	p.t.Helper()
	data, err := json.Marshal(request)
	if err != nil {
		p.t.Fatal(err)
	}
	req, err := http.NewRequest(http.MethodPost, p.URL+"/", bytes.NewReader(data))
	if err != nil {
		p.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-amz-json-1.1")
	req.Header.Set("X-Amz-Target", "AWSCognitoIdentityProviderService."+action)
	// The server reads the service and the region from the signature and does not look at the rest.
	req.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential="+p.AccessKeyID+"/20260101/"+cognitoRegion+"/cognito-idp/aws4_request, SignedHeaders=host, Signature=0")
	resp, err := p.Server.client.Do(req)
	if err != nil {
		p.t.Fatalf("Cognito does not answer: %v", err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		p.t.Fatalf("%s on Cognito: status %d, %v: %.500s", action, resp.StatusCode, err, answer)
	}
	if into == nil {
		return
	}
	if err := json.Unmarshal(answer, into); err != nil {
		p.t.Fatalf("%s on Cognito: %v in %.500s", action, err, answer)
	}
}

// AddGroup creates a group.
func (p *UserPool) AddGroup(name string) {
	p.t.Helper()
	p.Call("CreateGroup", map[string]any{"GroupName": name}, nil)
}

// AddPeople creates users with verified addresses, and puts them into groups that exist. Attributes are custom ones; the pool
// must have them (see WithCustomAttributes).
func (p *UserPool) AddPeople(people ...Person) {
	p.t.Helper()
	for _, person := range people {
		p.Call("AdminCreateUser", map[string]any{"Username": person.Username, "MessageAction": "SUPPRESS", "UserAttributes": person.cognitoAttributes()}, nil)
		if person.Disabled {
			p.Call("AdminDisableUser", map[string]any{"Username": person.Username}, nil)
		}
		for _, group := range person.Groups {
			p.Call("AdminAddUserToGroup", map[string]any{"Username": person.Username, "GroupName": strings.TrimPrefix(group, "/")}, nil)
		}
	}
}

func (p Person) cognitoAttributes() []map[string]string {
	verified := "true"
	if p.Unverified {
		verified = "false"
	}
	values := map[string]string{"email": p.Email, "email_verified": verified, "given_name": p.FirstName, "family_name": p.LastName}
	for name, list := range p.Attributes {
		values["custom:"+name] = strings.Join(list, ", ")
	}
	var attributes []map[string]string
	for name, value := range values {
		if value != "" {
			attributes = append(attributes, map[string]string{"Name": name, "Value": value})
		}
	}
	return attributes
}
