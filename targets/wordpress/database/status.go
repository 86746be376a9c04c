package database

import (
	"context"
	"fmt"
	"slices"
	"strconv"

	"github.com/rollcall-sync/rollcall/sync/directory"
	"github.com/rollcall-sync/rollcall/targets/wordpress/users"
)

// SetStatus implements [directory.StatusSetter]. Deactivation is one transaction: no roles, a value in place of the
// password hash that fits no password, no session, no application password, no link for a new password, and the plugin's
// flag where one is configured. Activation gives roles back and takes the flag away. Both leave the account as the REST API
// would, so that either way can undo the other's.
func (w *website) SetStatus(ctx context.Context, request directory.StatusRequest) (directory.Account, error) {
	k := task{op: "activate account", record: request.ID, writes: true}
	work := func(ctx context.Context, e *editing) error { return e.activate(ctx, request.Groups) }
	switch request.Status {
	case directory.StatusInactive:
		k.op = "deactivate account"
		work = func(ctx context.Context, e *editing) error { return e.deactivate(ctx) }
	case directory.StatusActive:
	default:
		return directory.Account{}, w.server.fail(k, &directory.Error{Kind: directory.Invalid, Err: fmt.Errorf("the status %s cannot be set", request.Status)})
	}
	return w.edit(ctx, k, request.ID, work)
}

func (e *editing) deactivate(ctx context.Context) error {
	caps, err := e.caps()
	if err != nil {
		return err
	}
	if err := e.setRoles(ctx, caps, nil); err != nil {
		return err
	}
	if err := e.columns(ctx, map[string]string{"user_pass": unusable(), "user_activation_key": ""}); err != nil {
		return err
	}
	if err := e.setFlag(ctx, e.rules.Flag.Off); err != nil {
		return err
	}
	return e.drop(ctx, "session_tokens", "_application_passwords")
}

func (e *editing) activate(ctx context.Context, remembered []string) error {
	caps, err := e.caps()
	if err != nil {
		return err
	}
	now := e.roles.of(caps)
	if err := e.grantable(e.roles, users.Without(remembered, now)); err != nil {
		return err
	}
	want := users.Union(now, remembered)
	if len(want) == 0 {
		want = []string{e.rules.DefaultRole}
		if err := e.grantable(e.roles, want); err != nil {
			return err
		}
	}
	if len(want) != len(now) {
		if err := e.setRoles(ctx, caps, want); err != nil {
			return err
		}
	}
	if e.status(want, e.person) == directory.StatusActive {
		return nil
	}
	return e.setFlag(ctx, e.rules.Flag.On)
}

// ListGroups implements [directory.GroupLister]: the roles of the site, also those that nobody has.
func (w *website) ListGroups(ctx context.Context, request directory.GroupListRequest) (directory.GroupPage, error) {
	k := task{op: "list groups"}
	start := 0
	if request.Cursor != "" {
		n, err := strconv.Atoi(request.Cursor)
		if err != nil || n < 1 {
			return directory.GroupPage{}, w.server.fail(k, &directory.Error{Kind: directory.Invalid, Err: fmt.Errorf("%q is no cursor of this listing", request.Cursor)})
		}
		start = n
	} else {
		w.known.Forget()
	}
	_, r, err := w.ready(ctx, k)
	if err != nil {
		return directory.GroupPage{}, err
	}
	names := slices.Sorted(slices.Values(r.names))
	if start > len(names) {
		return directory.GroupPage{}, w.server.fail(k, &directory.Error{Kind: directory.Invalid, Err: fmt.Errorf("%q is no cursor of this listing", request.Cursor)})
	}
	end := len(names)
	if request.Size > 0 {
		end = min(end, start+request.Size)
	}
	page := directory.GroupPage{Total: len(names)}
	for _, role := range names[start:end] {
		page.Groups = append(page.Groups, w.rules.Privileges.Group(role))
	}
	if end < len(names) {
		page.Next = strconv.Itoa(end)
	}
	return page, nil
}

// ChangeGroups implements [directory.GroupChanger]. What else is among the capabilities of the account stays.
func (w *website) ChangeGroups(ctx context.Context, request directory.GroupsRequest) error {
	k := task{op: "change groups", record: request.Account, writes: true}
	_, err := w.edit(ctx, k, request.Account, func(ctx context.Context, e *editing) error {
		caps, err := e.caps()
		if err != nil {
			return err
		}
		now := e.roles.of(caps)
		if err := e.grantable(e.roles, users.Without(request.Add, now)); err != nil {
			return err
		}
		want := users.Without(users.Union(now, request.Add), request.Remove)
		if len(users.Without(want, now)) == 0 && len(users.Without(now, want)) == 0 {
			return nil
		}
		if len(now) == 0 {
			return &directory.Error{Kind: directory.Conflict, Err: errInactive, Remedy: "activate the account"}
		}
		if len(want) == 0 && !slices.Contains(request.Remove, e.rules.DefaultRole) {
			want = []string{e.rules.DefaultRole} // without any role it would be inactive, which nobody asked for
		}
		return e.setRoles(ctx, caps, want)
	})
	return err
}
