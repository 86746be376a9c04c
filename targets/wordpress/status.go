package wordpress

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/rollcall-sync/rollcall/sync/directory"
	"github.com/rollcall-sync/rollcall/targets/wordpress/users"
)

// SetStatus implements [directory.StatusSetter].
//
// WordPress has no blocked accounts, so deactivation takes away what an account can do and what it can sign in with:
//
//  1. delete the application passwords; they outlive a new password
//  2. in one request: no roles, a new random password (which ends all sessions: their cookies hold a part of its hash) and
//     the plugin's flag, where one is configured
//  3. delete the application passwords again, for one made between 1 and 2
//
// The account counts as inactive from step 2 on. Cut off before that, it is still active and the next run begins anew; cut
// off after that, only what the user made in the moment between 1 and 2 would be left.
//
// Activation gives the remembered roles back, or the default role, and takes the flag away. The password stays unknown: the
// user asks for a new one, or signs in through the identity provider.
func (s *site) SetStatus(ctx context.Context, request directory.StatusRequest) (directory.Account, error) {
	op := "activate account"
	if request.Status == directory.StatusInactive {
		op = "deactivate account"
	}
	if err := s.checkID(ctx, op, request.ID); err != nil {
		return directory.Account{}, err
	}
	k := s.change(op, request.ID, nil)
	release, err := s.busy.hold(ctx, []string{"id " + request.ID})
	if err != nil {
		return directory.Account{}, s.client.fail(k, &directory.Error{Kind: directory.Retryable, Err: err})
	}
	defer release()
	switch request.Status {
	case directory.StatusInactive:
		return s.deactivate(ctx, k, request.ID)
	case directory.StatusActive:
		return s.activate(ctx, k, request)
	default:
		return directory.Account{}, s.client.fail(k, &directory.Error{Kind: directory.Invalid, Err: fmt.Errorf("the status %s cannot be set", request.Status)})
	}
}

func (s *site) deactivate(ctx context.Context, k call, id string) (directory.Account, error) {
	if err := s.notSelf(ctx, k, id); err != nil {
		return directory.Account{}, err
	}
	if _, err := s.spared(ctx, k, id); err != nil {
		return directory.Account{}, err
	}
	body := payload{"roles": []string{}, "password": password()}
	if s.rules.Flag.Key != "" {
		if err := s.putMeta(ctx, k, body, s.rules.Flag.Key, directory.Text(s.rules.Flag.Off)); err != nil {
			return directory.Account{}, err
		}
	}
	k.body = body
	if err := s.dropPasswords(ctx, k.op, id); err != nil && !errors.Is(err, directory.Unsupported) {
		return directory.Account{}, err
	}
	// A web server that refuses DELETE does not keep a leaver in; it is reported after step 3.
	account, err := s.write(ctx, k, id, body)
	if err != nil {
		return account, err
	}
	if len(account.Groups) > 0 || account.Status != directory.StatusInactive {
		return account, s.client.fail(k, &directory.Error{
			Kind: directory.Invalid, Err: fmt.Errorf("WordPress was told to take all roles away and answers with %s", users.Quoted(account.Groups)),
			Remedy: "look for a plugin that gives roles by itself",
		})
	}
	return account, s.dropPasswords(ctx, k.op, id)
}

// spared reads an account before it is written, and refuses where it has become privileged since it was listed: in a long run
// there may be an hour between the two.
func (s *site) spared(ctx context.Context, k call, id string) (directory.Account, error) {
	now, err := s.read(ctx, k.op, id)
	if err != nil {
		return now, err
	}
	if err := users.Spared(now); err != nil {
		return now, s.client.fail(k, err)
	}
	return now, nil
}

// takeBack undoes roles that have made an account privileged.
func (s *site) takeBack(ctx context.Context, k call, given, before []string, account directory.Account) error {
	k.body = payload{"roles": before}
	if _, err := s.write(ctx, k, account.ID, nil); err != nil {
		return s.client.fail(k, &directory.Error{
			Kind: directory.Invalid, Err: fmt.Errorf("the roles %s make the account privileged (%s), and they could not be taken back: %w", users.Quoted(given), account.Privileged, err),
			Remedy: "take them away in WordPress",
		})
	}
	return s.client.fail(k, users.Overgranted(given, account))
}

// dropPasswords deletes all application passwords of an account. A site without them has none to delete: switched off, or
// their route removed by a plugin, which the check reports.
func (s *site) dropPasswords(ctx context.Context, op, id string) error {
	k := call{method: http.MethodDelete, route: passwordsRoute(id), op: op, record: id, repeatable: true}
	_, err := s.client.do(ctx, k)
	switch codeOf(err) {
	case noRoute, passwordsOff, passwordsOffForUser:
		return nil
	}
	return err
}

func (s *site) activate(ctx context.Context, k call, request directory.StatusRequest) (directory.Account, error) {
	now, err := s.spared(ctx, k, request.ID)
	if err != nil {
		return now, err
	}
	if err := s.grantable(k, users.Without(request.Groups, now.Groups)); err != nil {
		return now, err
	}
	roles := users.Union(now.Groups, request.Groups)
	if len(roles) == 0 {
		roles = []string{s.rules.DefaultRole}
	}
	if now.Status == directory.StatusActive && len(roles) == len(now.Groups) {
		return now, nil
	}
	body := payload{}
	if len(roles) != len(now.Groups) {
		body["roles"] = roles
	}
	if s.rules.Flag.Key != "" {
		if err := s.putMeta(ctx, k, body, s.rules.Flag.Key, directory.Text(s.rules.Flag.On)); err != nil {
			return directory.Account{}, err
		}
	}
	k.body = body
	account, err := s.write(ctx, k, request.ID, body)
	if err != nil {
		return account, err
	}
	if account.Privileged != "" {
		return account, s.takeBack(ctx, k, roles, now.Groups, account)
	}
	if missing := users.Without(roles, account.Groups); len(missing) > 0 || account.Status != directory.StatusActive {
		return account, s.client.fail(k, &directory.Error{
			Kind: directory.Invalid, Err: fmt.Errorf("WordPress was told to give the roles %s and answers with %s, %s", users.Quoted(roles), users.Quoted(account.Groups), account.Status),
			Remedy: "look for a plugin that changes roles by itself",
		})
	}
	return account, nil
}
