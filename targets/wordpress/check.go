package wordpress

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/rollcall-sync/rollcall/sync/directory"
	"github.com/rollcall-sync/rollcall/targets/wordpress/users"
)

// me is the account that Rollcall signs in with.
type me struct {
	ID           json.Number `json:"id"`
	Username     string      `json:"username"`
	Roles        roleList    `json:"roles"`
	Capabilities grants      `json:"capabilities"`
}

// phpLog is the remedy for what nothing else explains.
const phpLog = "look into the site's PHP error log"

// Check implements [directory.Checker]. It sends eight requests at most and writes nothing.
func (s *site) Check(ctx context.Context, request directory.CheckRequest) ([]directory.Finding, error) {
	const op = "check"
	if err := ctx.Err(); err != nil {
		return nil, s.client.fail(call{op: op}, &directory.Error{Kind: directory.Retryable, Err: err})
	}
	var r directory.Findings
	var self me
	k := call{method: http.MethodGet, route: meRoute, query: url.Values{"context": {"edit"}, "_fields": {"id,username,roles,capabilities"}}, op: op}
	if _, err := s.client.get(ctx, k, &self); err != nil {
		s.explain(ctx, &r, err)
		return r, nil
	}
	r.OK("connection", fmt.Sprintf("signed in to %s as %s", s.client.base, self.Username))
	s.checkCapabilities(&r, self, request.Write)
	total, err := s.CountAccounts(ctx)
	if err != nil {
		r.Failed("listing", err, phpLog)
		return r, nil
	}
	r.OK("listing", fmt.Sprintf("WordPress counts %d users", total))
	if pages := (total + maxPage - 1) / maxPage; len(s.roles) == 0 && pages > 1 {
		r.OK("roles", fmt.Sprintf("without the option roles, synchronising one person asks for all %d users to find the roles: %d more requests; a whole sync learns them from its listing", total, pages+1))
	}
	f, err := s.siteFeatures(ctx, op)
	if err != nil {
		r.Failed("schema", err, phpLog)
		return r, nil
	}
	s.checkMeta(&r, f, request.Attributes)
	s.checkMultisite(ctx, &r)
	if request.Write {
		s.checkWrites(ctx, &r, f, self)
		if slices.Contains(request.Attributes, directory.Locale) {
			r.OK("locale", "installed languages: "+users.Quoted(slices.DeleteFunc(slices.Clone(f.locales), func(l string) bool { return l == "" })))
		}
	}
	return r, nil
}

// explain says why the first request failed, with what the site's index tells without signing in.
func (s *site) explain(ctx context.Context, r *directory.Findings, cause error) {
	r.Failed("connection", cause, phpLog)
	if !errors.Is(cause, directory.Auth) {
		return
	}
	if bare := strings.ReplaceAll(s.client.password, " ", ""); len(bare) != 24 || strings.Trim(bare, letters) != "" {
		r.Fault("password", "the configured password does not have the form of an application password, which is 24 letters and digits",
			"make one in the profile of the account (Users, Profile, Application Passwords) and configure that")
	}
	var index struct {
		Authentication json.RawMessage `json:"authentication"`
	}
	k := call{method: http.MethodGet, route: "/", query: url.Values{"_fields": {"authentication"}}, op: "check"}
	if _, err := s.client.get(ctx, k, &index); err != nil {
		return // the cause is told already
	}
	var kinds map[string]json.RawMessage
	// An empty object comes as a list: no kind then.
	_ = json.Unmarshal(index.Authentication, &kinds)
	if _, ok := kinds["application-passwords"]; !ok {
		r.Fault("application passwords", "the site offers no application passwords",
			"WordPress has them with https only, and security plugins can switch them off: switch them on")
	}
}

const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"

func (s *site) checkCapabilities(r *directory.Findings, self me, write bool) {
	missing := func(needed ...string) []string {
		return slices.DeleteFunc(needed, func(capability string) bool { return self.Capabilities[capability] })
	}
	role := "the role of " + self.Username
	if names := missing("list_users", "edit_users"); len(names) > 0 {
		r.Fault("permissions", role+" lacks what reading needs: "+users.Quoted(names), "give it these capabilities; without edit_users WordPress leaves users out of every list")
	}
	if write {
		if names := missing("create_users", "promote_users"); len(names) > 0 {
			r.Fault("permissions", role+" lacks what writing needs: "+users.Quoted(names), "give it these capabilities; see the guide of the WordPress target")
		}
		if names := missing("delete_users"); len(names) > 0 {
			r.Warn("permissions", role+" lacks delete_users", "give it this capability if accounts are to be deleted; deactivation does not need it")
		}
	}
	if len(missing("list_users", "edit_users")) == 0 {
		r.OK("permissions", "the service account may read all users")
	}
}

// checkMeta compares the meta keys that are used with those that the site has registered.
func (s *site) checkMeta(r *directory.Findings, f features, used []string) {
	keys := map[string]string{}
	for _, name := range used {
		if key, ok := strings.CutPrefix(name, directory.CustomPrefix); ok && name != users.Description {
			keys[key] = "is used by a rule"
		}
	}
	for _, spec := range s.desc.Attributes {
		if key, ok := strings.CutPrefix(spec.Name, directory.CustomPrefix); ok && spec.Name != users.Description {
			keys[key] = "is in the option meta"
		}
	}
	if s.rules.Flag.Key != "" {
		keys[s.rules.Flag.Key] = "is in the option deactivated_meta"
	}
	for _, key := range slices.Sorted(maps.Keys(keys)) {
		if _, ok := f.meta[key]; !ok {
			r.Fault("meta", fmt.Sprintf("the meta key %s %s and is not registered on the site", key, keys[key]), s.unregistered(call{}, key).Remedy)
		}
	}
	var unused []string
	for _, key := range f.keys() {
		if _, ok := keys[key]; !ok {
			unused = append(unused, key)
		}
	}
	if len(unused) > 0 {
		r.OK("meta", "registered on the site and not in the option meta: "+users.Quoted(unused))
	}
}

// checkMultisite looks whether the site is one of a network, where a site's administrator may do little. The settings'
// schema, which everybody may read, lacks the address of the site there (wp-includes/option.php).
func (s *site) checkMultisite(ctx context.Context, r *directory.Findings) {
	var route routeData
	if _, err := s.client.get(ctx, call{method: http.MethodOptions, route: settingsRoute, op: "check"}, &route); err != nil {
		return // a plugin hides it; the other findings say what works
	}
	_, title := route.Schema.Properties["title"]
	_, address := route.Schema.Properties["url"]
	if title && !address {
		r.Warn("multisite", "the site belongs to a multisite network: accounts cannot be deleted, and only network administrators may edit users",
			"let Rollcall sign in as a network administrator, and set delete to never")
	}
}

// checkWrites looks at what only writing needs.
func (s *site) checkWrites(ctx context.Context, r *directory.Findings, f features, self me) {
	if !strings.Contains(f.allow, http.MethodPost) && f.allow != "" {
		r.Fault("permissions", "the site does not let the service account create users", "give its role the capability create_users")
	}
	if f.batch {
		r.OK("batch", fmt.Sprintf("the site creates up to %d accounts in one request", s.batchSize))
	} else {
		r.OK("batch", "the site creates accounts one by one (WordPress before 6.6)")
	}
	if _, err := s.heir(ctx, "check"); err != nil {
		r.Failed("reassign_to", err, phpLog)
	}
	k := call{method: http.MethodGet, route: passwordsRoute(self.ID.String()), op: "check"}
	if _, err := s.client.do(ctx, k); errors.Is(err, directory.Unsupported) {
		r.Warn("application passwords", "they cannot be managed over the API, so deactivation leaves those of a leaver: "+causeOf(err),
			"let the route users/ID/application-passwords through")
	} else if err != nil {
		r.Failed("application passwords", err, phpLog)
	}
	if slices.Contains(users.CoreRoles(), s.rules.DefaultRole) {
		return
	}
	if p, err := s.fetch(ctx, "check", 1, 1, "id", url.Values{"roles": {s.rules.DefaultRole}}); err != nil {
		r.Failed("default_role", err, phpLog)
	} else if p.total == 0 {
		r.Warn("default_role", "nobody has the role "+s.rules.DefaultRole, "make sure that the site has a role with this key")
	}
}

func causeOf(err error) string {
	var e *directory.Error
	if errors.As(err, &e) && e.Err != nil {
		return e.Err.Error()
	}
	return err.Error()
}
