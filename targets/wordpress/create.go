package wordpress

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"sync"

	"github.com/rollcall-sync/rollcall/sync/directory"
	"github.com/rollcall-sync/rollcall/targets/wordpress/users"
)

// creation is one account to be made.
type creation struct {
	call call
	body payload
	// email is the address that the answer must have.
	email string
	// keys are what no other write may hold meanwhile.
	keys []string
}

// prepare checks a request and makes its body. Nothing is sent but the question for registered meta, once.
func (s *site) prepare(ctx context.Context, request directory.CreateRequest) (creation, error) {
	username, email := request.Attributes.Text(directory.Username), request.Attributes.Text(directory.Email)
	k := call{
		method: http.MethodPost, route: usersRoute, query: url.Values{"_fields": {s.fieldNames(nil)}},
		op: "create account", record: username, creates: true,
	}
	if err := ctx.Err(); err != nil {
		return creation{}, s.client.fail(k, &directory.Error{Kind: directory.Retryable, Err: err})
	}
	for _, name := range []string{directory.Username, directory.Email} {
		if request.Attributes[name].IsEmpty() {
			return creation{}, s.client.fail(k, &directory.Error{Kind: directory.Invalid, Attribute: name, Err: fmt.Errorf("%s is missing, which WordPress requires", name)})
		}
	}
	if err := s.grantable(k, request.Groups); err != nil {
		return creation{}, err
	}
	body, err := s.payload(ctx, k, request.Attributes, true)
	if err != nil {
		return creation{}, err
	}
	body["password"] = password()
	body["roles"] = s.rules.NewRoles(request)
	if s.rules.Flag.Key != "" {
		value := s.rules.Flag.On
		if request.Status == directory.StatusInactive {
			value = s.rules.Flag.Off
		}
		if err := s.putMeta(ctx, k, body, s.rules.Flag.Key, directory.Text(value)); err != nil {
			return creation{}, err
		}
	}
	k.body = body
	return creation{call: k, body: body, email: email, keys: []string{"username " + users.Fold(username), "email " + users.Fold(email)}}, nil
}

// CreateAccount implements [directory.Creator]. WordPress mails nobody.
func (s *site) CreateAccount(ctx context.Context, request directory.CreateRequest) (directory.Account, error) {
	c, err := s.prepare(ctx, request)
	if err != nil {
		return directory.Account{}, err
	}
	return s.create(ctx, c)
}

func (s *site) create(ctx context.Context, c creation) (directory.Account, error) {
	release, err := s.busy.hold(ctx, c.keys)
	if err != nil {
		return directory.Account{}, s.client.fail(c.call, &directory.Error{Kind: directory.Retryable, Err: err})
	}
	defer release()
	a, err := s.client.do(ctx, c.call)
	if err != nil {
		return directory.Account{}, err
	}
	return s.created(ctx, c, a)
}

// created reads the answer to a creation.
func (s *site) created(ctx context.Context, c creation, a answer) (directory.Account, error) {
	account, err := s.stored(c.call, a, "")
	if err != nil {
		return directory.Account{}, err
	}
	if got := account.Attributes.Text(directory.Email); users.Fold(got) != users.Fold(c.email) {
		return directory.Account{}, s.client.fail(c.call, &directory.Error{
			Kind: directory.UnknownOutcome, Err: fmt.Errorf("the site answered with another account (%s, id %s)", account.Label(), account.ID),
			Remedy: "look for a plugin or cache that answers in the place of WordPress",
		})
	}
	if account.Privileged != "" {
		k := s.change(c.call.op, account.ID, nil)
		return account, s.takeBack(ctx, k, account.Groups, []string{s.rules.DefaultRole}, account)
	}
	return account, s.kept(c.call, a, c.body)
}

// CreateAccounts implements [directory.BulkCreator]: in requests of batch_size accounts where the site takes users into
// batch/v1 (WordPress 6.6), and one by one elsewhere, both with write_concurrency requests side by side.
func (s *site) CreateAccounts(ctx context.Context, requests []directory.CreateRequest) ([]directory.CreateResult, error) {
	const op = "create accounts"
	if err := ctx.Err(); err != nil {
		return nil, s.client.fail(call{op: op}, &directory.Error{Kind: directory.Retryable, Err: err})
	}
	results := make([]directory.CreateResult, len(requests))
	todo := make([]creation, len(requests))
	var indexes []int
	for i, request := range requests {
		if todo[i], results[i].Err = s.prepare(ctx, request); results[i].Err == nil {
			indexes = append(indexes, i)
		}
	}
	if len(indexes) == 0 {
		return results, nil
	}
	size := 1
	if s.batchSize > 1 && len(indexes) > 1 {
		f, err := s.siteFeatures(ctx, op)
		if err != nil {
			return nil, err
		}
		if f.batch {
			size = s.batchSize
			if len(indexes) > size { // rather as many requests as may run side by side than one large one
				size = min(size, (len(indexes)+s.writeWorkers-1)/s.writeWorkers)
			}
		}
	}
	work := make(chan []int)
	var workers sync.WaitGroup
	for range min(s.writeWorkers, len(indexes)) {
		workers.Go(func() {
			for part := range work {
				s.createPart(ctx, todo, part, results)
			}
		})
	}
	for part := range slices.Chunk(indexes, size) {
		work <- part
	}
	close(work)
	workers.Wait()
	return results, nil
}

// createPart makes the accounts with the given indexes and fills in their results.
func (s *site) createPart(ctx context.Context, todo []creation, part []int, results []directory.CreateResult) {
	if len(part) > 1 {
		part = s.createBatch(ctx, todo, part, results)
	}
	for _, i := range part {
		results[i].Account, results[i].Err = s.create(ctx, todo[i])
	}
}

// batchAnswer is the answer of batch/v1, in the order of the requests.
type batchAnswer struct {
	Responses []struct {
		Status int             `json:"status"`
		Body   json.RawMessage `json:"body"`
	} `json:"responses"`
}

// createBatch makes accounts with one request and returns the indexes of those that the site took for no batch after all,
// and that are to be made one by one.
func (s *site) createBatch(ctx context.Context, todo []creation, part []int, results []directory.CreateResult) (left []int) {
	k := call{method: http.MethodPost, route: batchRoute, op: "create account"}
	var requests []payload
	var keys []string
	for _, i := range part {
		c := todo[i]
		requests = append(requests, payload{"method": http.MethodPost, "path": usersRoute + "?" + c.call.query.Encode(), "body": c.body})
		keys = append(keys, c.keys...)
	}
	k.body = payload{"requests": requests}
	a, err := s.sendBatch(ctx, k, keys)
	var got batchAnswer
	if err == nil {
		err = s.client.decode(k, a, &got)
	}
	if err == nil && len(got.Responses) != len(part) {
		err = s.client.fail(k, &directory.Error{
			Kind: directory.UnknownOutcome, Err: fmt.Errorf("a batch of %d was answered for %d", len(part), len(got.Responses)),
		})
	}
	if errors.Is(err, directory.Unsupported) {
		return part
	}
	for n, i := range part {
		if err != nil {
			results[i].Err = s.forRecord(err, todo[i].call)
			continue
		}
		one := answer{status: got.Responses[n].Status, header: http.Header{}, body: got.Responses[n].Body}
		if results[i].Err = s.client.judge(todo[i].call, one); results[i].Err == nil {
			results[i].Account, results[i].Err = s.created(ctx, todo[i], one)
		} else if errors.Is(results[i].Err, directory.Unsupported) {
			left = append(left, i)
		}
	}
	return left
}

func (s *site) sendBatch(ctx context.Context, k call, keys []string) (answer, error) {
	release, err := s.busy.hold(ctx, keys)
	if err != nil {
		return answer{}, s.client.fail(k, &directory.Error{Kind: directory.Retryable, Err: err})
	}
	defer release()
	return s.client.do(ctx, k)
}

// forRecord returns the error of a whole batch for one account in it.
func (s *site) forRecord(err error, k call) error {
	var whole *directory.Error
	if !errors.As(err, &whole) {
		return err
	}
	e := *whole
	return s.client.fail(k, &e)
}
