package okta

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/rollcall-sync/rollcall/sync/directory"
)

// remembered is how long it is held for true that somebody is, or is not, an administrator.
const remembered = 15 * time.Minute

// administrators is who holds an administrator role, as far as it was asked for. A list of all who hold one is a request
// or two, for listings. Whether it names those who hold a role through a group is not documented, so before one user is
// written, and when one is read alone, the user's own roles are read, which tell both.
type administrators struct {
	now func() time.Time

	mu      sync.Mutex
	listed  map[string]bool
	visible bool // the list could be read
	at      time.Time
	looks   map[string]look // by user, or group
}

type look struct {
	reason string
	at     time.Time
}

func newAdministrators(now func() time.Time) *administrators {
	return &administrators{now: now, looks: map[string]look{}}
}

// reason says why an account is never written; empty for everyone else.
func (a *administrators) reason(id string) string {
	a.mu.Lock()
	defer a.mu.Unlock()
	if known, ok := a.looks[id]; ok && known.reason != "" && a.now().Sub(known.at) < remembered {
		return known.reason
	}
	if a.listed[id] {
		return "holds an administrator role"
	}
	return ""
}

// recall returns what is remembered of one user or group.
func (a *administrators) recall(id string) (string, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	known, ok := a.looks[id]
	return known.reason, ok && a.now().Sub(known.at) < remembered
}

func (a *administrators) remember(id, reason string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.looks[id] = look{reason, a.now()}
}

// administrators returns who is one, asked for anew at the start of each listing. Where Okta does not show it, nobody is
// known to be one, and each user is looked at before it is written.
func (d *Directory) administrators(ctx context.Context, fresh bool) (*administrators, error) {
	a := d.admins
	a.mu.Lock()
	known := !a.at.IsZero()
	a.mu.Unlock()
	if known && !fresh {
		return a, nil
	}
	listed, err := d.listAdministrators(ctx)
	visible := err == nil
	if err != nil && !errors.Is(err, errForbidden) && !errors.Is(err, errNoSuchPath) {
		return nil, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.listed, a.visible, a.at = listed, visible, d.now()
	return a, nil
}

const assigneesPath = "/api/v1/iam/assignees/users?"

// listAdministrators reads all users with a role. The list pages by a link in its body.
func (d *Directory) listAdministrators(ctx context.Context) (map[string]bool, error) {
	o := op{words: "list administrators", scope: rolesRead}
	listed, seen := map[string]bool{}, map[string]bool{}
	for path := assigneesPath + "limit=200"; path != ""; o.paging = true {
		seen[path] = true
		var answer struct {
			Value []struct {
				ID string `json:"id"`
			} `json:"value"`
			Links struct {
				Next struct {
					Href string `json:"href"`
				} `json:"next"`
			} `json:"_links"`
		}
		if _, err := d.call(ctx, o, http.MethodGet, path, nil, &answer); err != nil {
			return nil, err
		}
		for _, assignee := range answer.Value {
			listed[assignee.ID] = true
		}
		path = ""
		if href := answer.Links.Next.Href; href != "" {
			u, err := url.Parse(href)
			if err != nil || !strings.HasPrefix(u.RequestURI(), assigneesPath) || seen[u.RequestURI()] {
				return nil, d.failure(o, &exchange{}, fmt.Errorf("the address of the next page cannot be followed"))
			}
			path = u.RequestURI()
		}
	}
	return listed, nil
}

// lookAt says why one user is an administrator, whichever way it got the role; empty where it is none. seen is false where
// Okta does not show it.
func (d *Directory) lookAt(ctx context.Context, id string) (reason string, seen bool, err error) {
	return d.roles(ctx, id, "/api/v1/users/"+url.PathEscape(id)+"/roles", "holds the administrator role ")
}

// roles reads the roles of a user or a group.
func (d *Directory) roles(ctx context.Context, id, path, words string) (reason string, seen bool, err error) {
	if reason, ok := d.admins.recall(id); ok {
		return reason, true, nil
	}
	var list []struct {
		Type  string `json:"type"`
		Label string `json:"label"`
	}
	o := op{words: "look up roles", record: id, scope: rolesRead, missing: directory.NotFound, missingGroup: directory.NotFound}
	_, err = d.call(ctx, o, http.MethodGet, path, nil, &list)
	switch {
	case errors.Is(err, errForbidden):
		return d.admins.reason(id), false, nil
	case err != nil:
		return "", false, err
	case len(list) > 0:
		name := list[0].Label
		if name == "" {
			name = list[0].Type
		}
		reason = words + name
	}
	d.admins.remember(id, reason)
	return reason, true, nil
}

// guard refuses to write administrators and the account that Rollcall signs in with. The engine knows most of them already;
// this holds also where the listing could not tell.
func (d *Directory) guard(ctx context.Context, o op) error {
	if err := d.checkID(o, o.record); err != nil {
		return err
	}
	self, err := d.Self(ctx)
	if err != nil {
		return d.withOp(o, err)
	}
	if self == o.record {
		return d.refuse(o, "the account that Rollcall signs in with")
	}
	reason, seen, err := d.lookAt(ctx, o.record)
	if err != nil {
		return d.withOp(o, err)
	}
	if reason != "" {
		return d.refuse(o, reason)
	}
	return d.unseen(o, seen, "the user is an administrator")
}

// unseen refuses a write about which nobody can say whom it makes or unmakes, unless that is left to Okta.
func (d *Directory) unseen(o op, seen bool, what string) error {
	if seen || d.trusts {
		return nil
	}
	return d.withOp(o, &directory.Error{
		Kind: directory.Auth, Err: fmt.Errorf("not written: Okta does not show whether %s", what),
		Remedy: d.grant(op{scope: rolesRead}) + ", with the scope " + rolesRead + " for an app; or set unseen_administrators to trust",
	})
}

func (d *Directory) refuse(o op, reason string) error {
	return d.withOp(o, &directory.Error{Kind: directory.Invalid, Err: fmt.Errorf("not written: %s", reason)})
}

// Self implements directory.SelfIdentifier. An API token is its maker's; an app is no user.
func (d *Directory) Self(ctx context.Context) (string, error) {
	if d.tokens != nil {
		return "", nil
	}
	d.mu.Lock()
	known := d.self
	d.mu.Unlock()
	if known != nil {
		return *known, nil
	}
	o := op{words: "find own account", scope: usersRead}
	var raw json.RawMessage
	if _, err := d.call(ctx, o, http.MethodGet, "/api/v1/users/me", nil, &raw); err != nil {
		return "", err
	}
	u, problem := decodeUser(raw)
	if u.ID == "" {
		return "", d.failure(o, &exchange{}, errors.New(problem))
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.self = &u.ID
	return u.ID, nil
}
