package cognito

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	api "github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider"
	"github.com/aws/smithy-go"

	"github.com/rollcall-sync/rollcall/sync/directory"
	"github.com/rollcall-sync/rollcall/sync/directory/transport"
)

// client makes all calls to the pool.
type client struct {
	name         string
	id, region   string // of the pool
	transport    *transport.Transport
	api          *api.Client
	key          *key
	now          func() time.Time
	poolLocation string // the pool's ARN but for the account, for policies
	// nameOf translates the attribute that a refusal names.
	nameOf func(attribute string) string
}

func newClient(s directory.Settings, id, region, endpoint string) *client {
	key := newKey(s, region)
	c := &client{name: s.Name, id: id, region: region, key: key, now: clock(s), poolLocation: "arn:" + partition(region) + ":cognito-idp:" + region + ":*:userpool/" + id}
	c.transport = transport.New(transportOptions(s, &signer{key: key, region: region, now: c.now, next: base(s.Base)}))
	plain := c.transport.Client()
	plain.Transport = recorder{c.transport}
	o := api.Options{
		Region: region, HTTPClient: plain,
		Retryer:      aws.NopRetryer{},
		Credentials:  unsigned{},
		HTTPSignerV4: unsigned{},
	}
	if endpoint != "" {
		o.BaseEndpoint = &endpoint
	}
	c.api = api.New(o)
	return c
}

// partition returns the part of AWS that a region belongs to, as ARNs name it.
func partition(region string) string {
	switch {
	case strings.HasPrefix(region, "cn-"):
		return "aws-cn"
	case strings.HasPrefix(region, "us-gov-"):
		return "aws-us-gov"
	default:
		return "aws"
	}
}

// base returns what sends the requests: the one given, or a pool of connections of its own.
func base(given http.RoundTripper) http.RoundTripper {
	if given != nil {
		return given
	}
	own := http.DefaultTransport.(*http.Transport).Clone()
	own.MaxIdleConnsPerHost, own.IdleConnTimeout = 2*concurrency, 30*time.Second
	return own
}

// exchange keeps the last answer of one call: what the SDK makes of it is not enough.
type exchange struct {
	status int
	body   []byte
}

type exchangeKey struct{}

const maxAnswer = 16 << 20

// recorder fills in the exchange of the request's context.
type recorder struct{ next http.RoundTripper }

func (r recorder) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := r.next.RoundTrip(req)
	kept, ok := req.Context().Value(exchangeKey{}).(*exchange)
	if err != nil || !ok {
		return resp, err
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	_ = resp.Body.Close() // read
	if err != nil {
		return nil, err
	}
	kept.status, kept.body = resp.StatusCode, body
	resp.Body = io.NopCloser(bytes.NewReader(body))
	return resp, nil
}

// op is what one call does, in the words of errors and with what its refusals mean.
type op struct {
	words  string
	record string
	// action is the operation's name, which is also that of the right it needs.
	action string
	// write is set where a lost answer leaves the outcome unknown; a write that can be sent twice is none.
	write bool
	// missing is the kind of "user not found", missingGroup that of an unknown group. The zero kind, Retryable, means that
	// the call expects no such answer.
	missing, missingGroup directory.ErrorKind
	// taken is the attribute that "username exists" is about.
	taken string
}

// does returns the same operation with another call.
func (o op) does(action string) op {
	o.action = action
	return o
}

// do runs one call and returns the answer's body. Credentials that the server no longer takes are fetched anew once: the
// refused call did nothing.
func (c *client) do(ctx context.Context, o op, call func(ctx context.Context) error) ([]byte, error) {
	if !o.write {
		ctx = transport.Repeatable(ctx)
	}
	for renewed := false; ; renewed = true {
		if err := c.key.ready(ctx); err != nil {
			return nil, c.withOp(o, err)
		}
		kept := &exchange{}
		err := call(context.WithValue(ctx, exchangeKey{}, kept))
		var unreadable *smithy.DeserializationError
		if err == nil || errors.As(err, &unreadable) && kept.status == http.StatusOK {
			return kept.body, nil // judged by those who read it
		}
		if !renewed && isExpired(err) && c.key.drop() {
			continue
		}
		return nil, c.failure(o, kept, err)
	}
}

// decode reads an answer into out.
func (c *client) decode(o op, body []byte, out any) error {
	if err := json.Unmarshal(body, out); err != nil {
		return c.unreadable(o, fmt.Errorf("the answer cannot be understood: %w", err))
	}
	return nil
}

// unreadable is the error of a good answer that is none of Cognito's.
func (c *client) unreadable(o op, cause error) error {
	kind := directory.Retryable
	if o.write {
		kind = directory.UnknownOutcome
	}
	return &directory.Error{
		Kind: kind, Op: o.words, Record: o.record, Directory: c.name, Err: cause,
		Remedy: "check that no proxy answers in Cognito's place, and the endpoint if there is one",
	}
}

// A list is never missing from a whole answer, so that an answer without one is no empty page.
type usersAnswer struct {
	Users           *[]json.RawMessage
	PaginationToken string
	NextToken       string
}

type groupsAnswer struct {
	Groups    *[]struct{ GroupName string }
	NextToken string
}

// listUsers reads one page of users. The filter may be empty.
func (c *client) listUsers(ctx context.Context, o op, filter, token string, size int) ([]record, string, error) {
	input := &api.ListUsersInput{UserPoolId: &c.id, Limit: limit(size), PaginationToken: optional(token), Filter: optional(filter)}
	body, err := c.do(ctx, o.does("ListUsers"), func(ctx context.Context) error {
		_, err := c.api.ListUsers(ctx, input)
		return err
	})
	if err != nil {
		return nil, "", c.atToken(err, token)
	}
	return c.users(o, body)
}

// listMembers reads one page of the members of a group.
func (c *client) listMembers(ctx context.Context, o op, group, token string, size int) ([]record, string, error) {
	input := &api.ListUsersInGroupInput{UserPoolId: &c.id, GroupName: &group, Limit: limit(size), NextToken: optional(token)}
	body, err := c.do(ctx, o.does("ListUsersInGroup"), func(ctx context.Context) error {
		_, err := c.api.ListUsersInGroup(ctx, input)
		return err
	})
	if err != nil {
		return nil, "", c.atToken(err, token)
	}
	return c.users(o, body)
}

func (c *client) users(o op, body []byte) ([]record, string, error) {
	var answer usersAnswer
	if err := c.decode(o, body, &answer); err != nil {
		return nil, "", err
	}
	if answer.Users == nil {
		return nil, "", c.unreadable(o, errors.New("the answer holds no list of users"))
	}
	records := make([]record, 0, len(*answer.Users))
	for _, raw := range *answer.Users {
		records = append(records, decodeRecord(raw))
	}
	return records, answer.PaginationToken + answer.NextToken, nil // each list has one of the two
}

// listGroups reads one page of the names of the pool's groups, or of one user's where a username is given.
func (c *client) listGroups(ctx context.Context, o op, username, token string, size int) ([]string, string, error) {
	action := "ListGroups"
	call := func(ctx context.Context) error {
		_, err := c.api.ListGroups(ctx, &api.ListGroupsInput{UserPoolId: &c.id, Limit: limit(size), NextToken: optional(token)})
		return err
	}
	if username != "" {
		action = "AdminListGroupsForUser"
		call = func(ctx context.Context) error {
			_, err := c.api.AdminListGroupsForUser(ctx, &api.AdminListGroupsForUserInput{UserPoolId: &c.id, Username: &username, Limit: limit(size), NextToken: optional(token)})
			return err
		}
	}
	body, err := c.do(ctx, o.does(action), call)
	if err != nil {
		return nil, "", c.atToken(err, token)
	}
	var answer groupsAnswer
	if err := c.decode(o, body, &answer); err != nil {
		return nil, "", err
	}
	if answer.Groups == nil {
		return nil, "", c.unreadable(o, errors.New("the answer holds no list of groups"))
	}
	names := make([]string, 0, len(*answer.Groups))
	for _, group := range *answer.Groups {
		if group.GroupName == "" {
			return nil, "", c.unreadable(o, errors.New("a group has no name"))
		}
		names = append(names, group.GroupName)
	}
	return names, answer.NextToken, nil
}

// getUser reads one user by what the pool takes for a username: the name, an alias, or the sub where names are generated.
func (c *client) getUser(ctx context.Context, o op, username string) (record, error) {
	o.write = false
	body, err := c.do(ctx, o.does("AdminGetUser"), func(ctx context.Context) error {
		_, err := c.api.AdminGetUser(ctx, &api.AdminGetUserInput{UserPoolId: &c.id, Username: &username})
		return err
	})
	if err != nil {
		return record{}, err
	}
	if !json.Valid(body) {
		return record{}, c.unreadable(o, errors.New("the answer is no JSON"))
	}
	r := decodeRecord(body)
	if r.sub == "" {
		return record{}, c.unreadable(o, errors.New("the answer holds no user: "+r.problem))
	}
	return r, nil
}

// atToken gives a refusal in the middle of a list its meaning: tokens live for a while only, and the list has to be begun
// anew.
func (c *client) atToken(err error, token string) error {
	var e *directory.Error
	if token == "" || !errors.As(err, &e) || e.Kind != directory.Invalid {
		return err
	}
	e.Kind = directory.Retryable
	e.Remedy = "the token of the next page is void (it is too old, or the pool has changed); the next run lists from the beginning"
	return err
}

func limit(size int) *int32 {
	if size <= 0 || size > maxPage {
		size = maxPage
	}
	return aws.Int32(int32(size))
}

func optional(text string) *string {
	if text == "" {
		return nil
	}
	return &text
}

// quote writes a value as a filter wants it.
func quote(value string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(value) + `"`
}
