package wordpress

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"

	"github.com/rollcall-sync/rollcall/sync/directory"
	"github.com/rollcall-sync/rollcall/targets/wordpress/users"
)

// change returns the call that writes a body to an account. The answer holds the whole record.
func (s *site) change(op, id string, body payload) call {
	return call{method: http.MethodPost, route: userRoute(id), query: url.Values{"_fields": {s.fieldNames(nil)}}, body: body, op: op, record: id}
}

// write sends a body to an account and returns the account as stored.
func (s *site) write(ctx context.Context, k call, id string, body payload) (directory.Account, error) {
	a, err := s.client.do(ctx, k)
	if err != nil {
		return directory.Account{}, err
	}
	account, err := s.stored(k, a, id)
	if err != nil {
		return account, err
	}
	return account, s.kept(k, a, body)
}

// UpdateAccount implements [directory.Updater]. What the request does not name is not sent, and stays.
func (s *site) UpdateAccount(ctx context.Context, request directory.UpdateRequest) (directory.Account, error) {
	const op = "update account"
	if len(request.Set) == 0 {
		return s.read(ctx, op, request.ID)
	}
	if err := s.checkID(ctx, op, request.ID); err != nil {
		return directory.Account{}, err
	}
	k := s.change(op, request.ID, nil)
	body, err := s.payload(ctx, k, request.Set, false)
	if err != nil {
		return directory.Account{}, err
	}
	k.body = body
	keys := []string{"id " + request.ID}
	email, moves := request.Set[directory.Email]
	if moves {
		keys = append(keys, "email "+users.Fold(email.String()))
	}
	release, err := s.busy.hold(ctx, keys)
	if err != nil {
		return directory.Account{}, s.client.fail(k, &directory.Error{Kind: directory.Retryable, Err: err})
	}
	defer release()
	if moves {
		// With the address goes the way to a new password.
		if now, err := s.spared(ctx, k, request.ID); err != nil {
			return now, err
		}
	}
	account, err := s.write(ctx, k, request.ID, body)
	if err != nil {
		return account, err
	}
	// The database may refuse a row (a character it has no place for) and WordPress still answer 200 with the old values.
	if stored := account.Attributes.Text(directory.Email); moves && users.Fold(stored) != users.Fold(email.String()) {
		return account, s.client.fail(k, &directory.Error{
			Kind: directory.Invalid, Attribute: directory.Email, Err: errors.New("WordPress answered that all is well and kept the old e-mail address"),
			Remedy: "look for a plugin that holds back changes of addresses, and into the PHP error log",
		})
	}
	return account, nil
}

// DeleteAccount implements [directory.Deleter]. Without force WordPress refuses, without reassign it would throw the
// account's posts away; both are always given.
func (s *site) DeleteAccount(ctx context.Context, id string) error {
	const op = "delete account"
	if err := s.checkID(ctx, op, id); err != nil {
		return err
	}
	heir, err := s.heir(ctx, op)
	if err != nil {
		return err
	}
	k := call{method: http.MethodDelete, route: userRoute(id), query: url.Values{"force": {"true"}, "reassign": {heir}}, op: op, record: id}
	if err := s.notSelf(ctx, k, id); err != nil {
		return err
	}
	if _, err := s.spared(ctx, k, id); err != nil {
		return err
	}
	var result struct {
		Deleted bool `json:"deleted"`
	}
	if _, err := s.client.get(ctx, k, &result); err != nil {
		return err
	}
	if !result.Deleted {
		return s.client.fail(k, &directory.Error{Kind: directory.UnknownOutcome, Err: errors.New("WordPress does not say that the account is deleted")})
	}
	return nil
}

// heir returns the id of the account that gets the posts of a deleted one.
func (s *site) heir(ctx context.Context, op string) (string, error) {
	switch {
	case s.reassignTo == "":
		return s.whoAmI(ctx, op)
	case users.IsID(s.reassignTo):
		return s.reassignTo, nil
	}
	return s.reassign.Get(func() (string, error) {
		found, err := s.FindAccounts(ctx, directory.Username, s.reassignTo)
		if err != nil {
			return "", err
		}
		if len(found) != 1 {
			return "", s.client.fail(call{op: op}, &directory.Error{
				Kind: directory.Invalid, Err: fmt.Errorf("%d accounts have the username %q of reassign_to", len(found), s.reassignTo),
				Remedy: "set reassign_to to the username or the id of an account",
			})
		}
		return found[0].ID, nil
	})
}

// notSelf refuses to take away the account that Rollcall signs in with. WordPress does not: it answers 200 and the next
// request is 401 (seen in 6.1).
func (s *site) notSelf(ctx context.Context, k call, id string) error {
	self, err := s.whoAmI(ctx, k.op)
	if err != nil {
		return err
	}
	if self == id {
		return s.client.fail(k, &directory.Error{Kind: directory.Invalid, Err: errors.New("this is the account that Rollcall signs in with")})
	}
	return nil
}
