package keycloak

import (
	"context"
	"net/url"
	"slices"
	"time"

	"github.com/Nerzal/gocloak/v13"

	"github.com/rollcall-sync/rollcall/sync/directory"
)

// sureEnd is the number of rows below which a short page can be the end. Keycloak's own default page is 100, so a server,
// or a later version, that cuts pages would hardly cut them lower; and one that has given a larger page does not cut below
// that.
const sureEnd = 100

// federation is what is known of the user stores behind the realm.
type federation struct {
	found  time.Time
	known  bool // the token may look
	stores map[string]userStore
}

type userStore struct {
	ID     string              `json:"id"`
	Name   string              `json:"name"`
	Config map[string][]string `json:"config"`
}

// stores reads the user stores once for each listing, and otherwise every quarter of an hour. Without view-realm they stay
// unknown.
func (d *Directory) stores(ctx context.Context) (*federation, error) {
	d.mu.Lock()
	kept := d.federation
	d.mu.Unlock()
	if kept != nil && d.now().Sub(kept.found) < keepAdministrators {
		return kept, nil
	}
	var list []userStore
	err := d.get(ctx, op{words: "list user federation", role: viewRealm}, "/components", url.Values{"type": {"org.keycloak.storage.UserStorageProvider"}}, &list)
	if err != nil && !isForbidden(err) {
		return nil, err
	}
	f := &federation{found: d.now(), known: err == nil, stores: map[string]userStore{}}
	for _, store := range list {
		f.stores[store.ID] = store
	}
	d.mu.Lock()
	d.federation = f
	d.mu.Unlock()
	return f, nil
}

// atEnd reports whether a list ends with a page of so many rows. An empty page always is the end. A short one is it only
// where nothing can thin pages out: the realm has no user federation (whose deleted users Keycloak drops from a page after
// cutting it) and the token holds a role that sees all users. Where that cannot be proven, one more request finds out.
func (d *Directory) atEnd(ctx context.Context, rows, size int) (bool, error) {
	if rows == 0 {
		return true, nil
	}
	if rows >= min(size, max(sureEnd, int(d.largest.Load()))) {
		return false, nil
	}
	read, err := d.claims(ctx)
	if err != nil {
		return false, d.withOp(op{words: "list"}, err)
	}
	roles, _ := d.held(read)
	if !slices.Contains(roles, viewUsers) && !slices.Contains(roles, manageUsers) {
		return false, nil
	}
	f, err := d.stores(ctx)
	if err != nil {
		return false, err
	}
	return f.known && len(f.stores) == 0, nil
}

// readOnly says why Keycloak would refuse to change a user of a federation.
func (f *federation) readOnly(link string) string {
	if !f.known {
		return "kept in a user federation; grant view-realm so that Rollcall can see whether it may be written"
	}
	store, ok := f.stores[link]
	if !ok {
		return ""
	}
	if mode := store.Config["editMode"]; len(mode) == 1 && mode[0] == "READ_ONLY" {
		return "kept in the read-only user federation " + store.Name
	}
	return ""
}

// mark sets why an account is not to be written, or would not be.
func (d *Directory) mark(ctx context.Context, account *directory.Account, user gocloak.User, admins *administrators) error {
	account.Privileged = admins.users[account.ID]
	if isServiceAccount(user) && account.Privileged == "" && gocloak.PString(user.Email) == "" {
		account.Privileged = "the service account of a client"
	}
	link := gocloak.PString(user.FederationLink)
	if link == "" {
		return nil
	}
	f, err := d.stores(ctx)
	if err != nil {
		return err
	}
	account.ReadOnly = f.readOnly(link)
	return nil
}
