package keycloak

import (
	"context"
	"encoding/json"
	"errors"
	"net/url"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/rollcall-sync/rollcall/sync/directory"
)

// administrators is who may manage the realm. For a listing it is found out whole, once:
//
//  1. the roles of realm-management, but for those that only look (view-…, query-…);
//  2. the realm roles named by the option privileged_roles, and every realm role composed of one of these or of 1;
//  3. their direct holders;
//  4. the groups that carry one of them, with the groups below, and their members.
//
// Reading 1 and 3 takes the roles view-clients and view-realm. Without them complete is false, and each account is looked
// at by itself before it is written and when it is read alone, which takes view-users only.
//
// Where a few accounts are all that is asked for, looking at each of them costs less than 1 to 4: see single. What groups
// have to be known by then is 2 and 4 without the holders and members: see ruling.
type administrators struct {
	found time.Time
	// brief is set where holders and members were not looked for.
	brief    bool
	complete bool
	users    map[string]string // id to the reason
	groups   map[string]string
	roles    map[string]string // by group id of the role
	known    map[string]bool   // groups that exist
}

type role struct {
	ID          string `json:"id"`
	Name        string `json:"name"`
	Composite   bool   `json:"composite,omitempty"`
	ClientRole  bool   `json:"clientRole,omitempty"`
	ContainerID string `json:"containerId,omitempty"`
}

// keepAdministrators is how long what was found holds between listings, so that a program that runs for weeks and looks
// at single accounts learns of a new administrator.
const keepAdministrators = 15 * time.Minute

// mostLooks is how many accounts are looked at one by one before everything is found out at once, which takes as many
// requests.
const mostLooks = 8

// looks is what looking at single accounts has told.
type looks struct {
	since   time.Time
	reasons map[string]string // by id; empty for those who are no administrators
}

// kept returns what was found out for a listing, or with brief for groups, while it holds.
func (d *Directory) kept(brief bool) *administrators {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, found := range []*administrators{d.admins, d.rulers} {
		if found != nil && (brief || !found.brief) && d.now().Sub(found.found) < keepAdministrators {
			return found
		}
	}
	return nil
}

// administrators returns who may manage the realm, from memory where it is known. Whoever asks while it is being found out
// waits for that.
func (d *Directory) administrators(ctx context.Context) (*administrators, error) {
	d.discovering.Lock()
	defer d.discovering.Unlock()
	if kept := d.kept(false); kept != nil {
		return kept, nil
	}
	found, err := d.discover(ctx, false)
	if err != nil {
		return nil, err
	}
	d.mu.Lock()
	d.admins, d.looks = found, looks{}
	d.mu.Unlock()
	return found, nil
}

// forget makes the next question about administrators, and about user stores, one to the server.
func (d *Directory) forget() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.admins, d.federation = nil, nil
}

// single returns what is known for looking at one account: from memory, or nothing, so that the account itself has to be
// looked at. When that has been done often enough, everything is found out.
func (d *Directory) single(ctx context.Context) (*administrators, error) {
	if kept := d.kept(false); kept != nil {
		return kept, nil
	}
	d.mu.Lock()
	many := len(d.looks.reasons) >= mostLooks
	d.mu.Unlock()
	if many {
		d.forget()
		return d.administrators(ctx)
	}
	return &administrators{brief: true}, nil
}

// ruling returns which groups and roles make administrators.
func (d *Directory) ruling(ctx context.Context) (*administrators, error) {
	if kept := d.kept(true); kept != nil {
		return kept, nil
	}
	found, err := d.discover(ctx, true)
	if err != nil {
		return nil, err
	}
	d.mu.Lock()
	d.rulers = found
	d.mu.Unlock()
	return found, nil
}

// reason says why one account is an administrator; empty where it is none.
func (d *Directory) reason(ctx context.Context, admins *administrators, id string) (string, error) {
	if reason := admins.users[id]; reason != "" || admins.complete {
		return reason, nil
	}
	d.mu.Lock()
	if d.now().Sub(d.looks.since) >= keepAdministrators {
		d.looks = looks{since: d.now(), reasons: map[string]string{}}
	}
	reason, known := d.looks.reasons[id]
	d.mu.Unlock()
	if known {
		return reason, nil
	}
	reason, err := d.effective(ctx, id)
	if err != nil {
		return "", err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.looks.reasons != nil {
		d.looks.reasons[id] = reason
	}
	return reason, nil
}

func (d *Directory) discover(ctx context.Context, brief bool) (*administrators, error) {
	found := &administrators{
		found: d.now(), brief: brief, complete: !brief,
		users: map[string]string{}, groups: map[string]string{}, roles: map[string]string{}, known: map[string]bool{},
	}
	steps := []func(context.Context, *administrators) error{d.managers, d.privilegedHolders, d.managingGroups}
	if brief {
		steps = steps[2:]
	}
	for _, step := range steps {
		switch err := step(ctx, found); {
		case err == nil:
		case isForbidden(err):
			found.complete = false
		default:
			return nil, err
		}
	}
	return found, nil
}

func isForbidden(err error) bool { return errors.Is(err, errForbidden) }

// rules reports whether a role of realm-management lets its holder change something.
func rules(name string) bool {
	return !strings.HasPrefix(name, "view-") && !strings.HasPrefix(name, "query-")
}

// managers finds the roles over the realm and who holds them directly.
func (d *Directory) managers(ctx context.Context, found *administrators) error {
	o := op{words: "list administrators", role: viewClients}
	id, err := d.clientID(ctx, o, d.managementClient())
	if err != nil {
		return err
	}
	if id == "" {
		return &directory.Error{Kind: directory.Auth, Op: o.words, Directory: d.name, Err: errForbidden}
	}
	var list []role
	if err := d.get(ctx, o, "/clients/"+id+"/roles", nil, &list); err != nil {
		return err
	}
	var ruling []heldRole
	for _, r := range list {
		if !rules(r.Name) {
			continue
		}
		reason := "holds the role " + r.Name + " of " + d.managementClient()
		found.roles[clientRoleID(d.managementClient(), r.Name)] = reason
		ruling = append(ruling, heldRole{"/clients/" + id + "/roles/" + url.PathEscape(r.Name), reason})
	}
	return d.holders(ctx, o, ruling, found.users)
}

// heldRole is the path of a role, and why its holders are administrators.
type heldRole struct{ path, reason string }

// holders adds everybody to users who holds one of the roles directly. The roles are asked about side by side; of several
// reasons the first counts.
func (d *Directory) holders(ctx context.Context, o op, roles []heldRole, users map[string]string) error {
	ids := make([][]string, len(roles))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(max(1, d.Describe().ReadConcurrency))
	for i, r := range roles {
		group.Go(func() error {
			return d.each(ctx, o, r.path+"/users", brief, func(raw json.RawMessage) error {
				var user struct {
					ID string `json:"id"`
				}
				if err := json.Unmarshal(raw, &user); err != nil {
					return d.failure(o, &exchange{}, err)
				}
				ids[i] = append(ids[i], user.ID)
				return nil
			})
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	for i, r := range roles {
		for _, id := range ids[i] {
			if _, known := users[id]; !known {
				users[id] = r.reason
			}
		}
	}
	return nil
}

// privilegedHolders finds the realm roles that make an administrator and who holds them directly.
func (d *Directory) privilegedHolders(ctx context.Context, found *administrators) error {
	o := op{words: "list administrators", role: viewRealm}
	if err := d.rulingRoles(ctx, o, found); err != nil {
		return err
	}
	var ruling []heldRole
	for _, id := range sortedKeys(found.roles) {
		if name, ok := strings.CutPrefix(id, realmRolePrefix); ok {
			ruling = append(ruling, heldRole{"/roles/" + url.PathEscape(name), found.roles[id]})
		}
	}
	return d.holders(ctx, o, ruling, found.users)
}

// rulingRoles finds the realm roles that make an administrator.
func (d *Directory) rulingRoles(ctx context.Context, o op, found *administrators) error {
	var composites []role
	err := d.each(ctx, o, "/roles", nil, func(raw json.RawMessage) error {
		var r role
		if err := json.Unmarshal(raw, &r); err != nil {
			return d.failure(o, &exchange{}, err)
		}
		switch {
		case slices.Contains(d.privilegedRoles(), r.Name):
			found.roles[realmRoleID(r.Name)] = "holds the realm role " + r.Name
		case r.Composite && r.Name != d.defaultRole():
			composites = append(composites, r)
		}
		return nil
	})
	if err != nil {
		return err
	}
	if found.brief && len(composites) > 0 { // isRuling goes by it
		if _, err := d.clientID(ctx, o, d.managementClient()); err != nil && !isForbidden(err) {
			return err
		}
	}
	// A role composed of another composed one is reached by going round until nothing is added.
	parts := map[string][]role{}
	for _, r := range composites {
		var list []role
		if err := d.get(ctx, o, "/roles/"+url.PathEscape(r.Name)+"/composites", nil, &list); err != nil {
			return err
		}
		parts[r.Name] = list
	}
	for added := true; added; {
		added = false
		for _, r := range composites {
			id := realmRoleID(r.Name)
			if _, known := found.roles[id]; !known && slices.ContainsFunc(parts[r.Name], func(part role) bool { return d.isRuling(found, part) }) {
				found.roles[id] = "holds the realm role " + r.Name + ", which is composed of a role over the realm"
				added = true
			}
		}
	}
	return nil
}

func (d *Directory) privilegedRoles() []string {
	if d.realm == "master" {
		return append(slices.Clone(d.privileged), "admin", "create-realm")
	}
	return d.privileged
}

// isRuling reports whether a part of a composed role is one over the realm.
func (d *Directory) isRuling(found *administrators, part role) bool {
	if !part.ClientRole {
		return found.roles[realmRoleID(part.Name)] != ""
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	return part.ContainerID == d.clients[d.managementClient()] && rules(part.Name)
}

// defaultRole is mapped to every user and makes nobody an administrator.
func (d *Directory) defaultRole() string { return "default-roles-" + strings.ToLower(d.realm) }

// managingGroups finds the groups that carry such roles, and their members. Whole group records name their roles, so this
// takes view-users only.
func (d *Directory) managingGroups(ctx context.Context, found *administrators) error {
	o := op{words: "list administrators", role: viewUsers, missingGroup: directory.NotFound}
	var all []group
	rolesMatter := d.realmRoles || len(d.clientRoles) > 0
	err := d.eachGroup(ctx, o, false, func(g group) error {
		all = append(all, g)
		found.known[g.ID] = true
		rolesMatter = rolesMatter || len(g.RealmRoles) > 0
		return nil
	})
	if err != nil {
		return err
	}
	if found.brief && rolesMatter {
		err := d.rulingRoles(ctx, op{words: o.words, role: viewRealm}, found)
		if err != nil && !isForbidden(err) {
			return err
		}
	}
	d.spread(found, all)
	if found.brief {
		return nil
	}
	for _, id := range sortedKeys(found.groups) {
		if err := d.members(ctx, o, found, id); err != nil && directory.KindOf(err) != directory.NotFound { // removed in this moment
			return err
		}
	}
	return nil
}

// spread marks the groups that make administrators. A group below another carries its roles too.
func (d *Directory) spread(found *administrators, all []group) {
	for _, g := range all {
		if reason := d.groupReason(found, g); reason != "" {
			found.groups[g.ID] = reason
		}
	}
	for added := true; added; {
		added = false
		for _, g := range all {
			if reason := found.groups[g.ParentID]; g.ParentID != "" && reason != "" && found.groups[g.ID] == "" {
				found.groups[g.ID] = reason
				added = true
			}
		}
	}
}

// members adds the members of a group that makes administrators.
func (d *Directory) members(ctx context.Context, o op, found *administrators, id string) error {
	return d.each(ctx, o, "/groups/"+url.PathEscape(id)+"/members", brief, func(raw json.RawMessage) error {
		var user struct {
			ID string `json:"id"`
		}
		if err := json.Unmarshal(raw, &user); err != nil {
			return d.failure(o, &exchange{}, err)
		}
		if found.users[user.ID] == "" {
			found.users[user.ID] = found.groups[id]
		}
		return nil
	})
}

// groupReason says why the members of a group are administrators; empty where they are none.
func (d *Directory) groupReason(found *administrators, g group) string {
	for _, name := range g.ClientRoles[d.managementClient()] {
		if rules(name) {
			return "holds the role " + name + " of " + d.managementClient() + " through group " + g.Name
		}
	}
	for _, name := range g.RealmRoles {
		if found.roles[realmRoleID(name)] != "" || slices.Contains(d.privilegedRoles(), name) {
			return "holds the realm role " + name + " through group " + g.Name
		}
	}
	return ""
}
