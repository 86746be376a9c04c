package database

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/rollcall-sync/rollcall/sync/directory"
	"github.com/rollcall-sync/rollcall/targets/wordpress/users"
)

// Check implements [directory.Checker]. It sends about fifteen statements and writes nothing: which privileges there are is
// learnt by letting the server explain statements, which asks for the same privileges as carrying them out.
func (w *website) Check(ctx context.Context, request directory.CheckRequest) ([]directory.Finding, error) {
	k := task{op: "check"}
	if err := ctx.Err(); err != nil {
		return nil, w.server.fail(k, err)
	}
	const look = "look into the database server's error log"
	var r directory.Findings
	f, err := w.learn(ctx)
	if err != nil {
		r.Failed("connection", w.server.fail(k, err), look)
		return r, nil
	}
	r.OK("connection", fmt.Sprintf("signed in to the database %s, server version %s", w.place, f.version))
	if err := f.judge(w.tables); err != nil {
		r.Failed("tables", w.server.fail(k, err), look)
		w.otherPrefixes(ctx, &r)
		return r, nil
	}
	w.known.Forget()
	known, err := w.roles(ctx)
	if err != nil {
		r.Failed("roles", w.server.fail(k, err), look)
		return r, nil
	}
	r.OK("roles", "the site has the roles "+users.Quoted(known.names))
	if !known.known(w.rules.DefaultRole) {
		r.Fault("default_role", "the site has no role "+w.rules.DefaultRole, "name one of the roles that the site has")
	}
	w.checkPrivileges(ctx, &r, request.Write)
	if n, err := w.CountAccounts(ctx); err != nil {
		r.Failed("listing", err, look)
	} else {
		r.OK("listing", fmt.Sprintf("the table %s has %d users", w.tables.users, n))
	}
	w.checkTables(&r, f, request.Write)
	w.checkUsed(&r, request.Attributes)
	if request.Write {
		w.checkCache(ctx, &r)
		r.Warn("hooks", "database mode runs no code of the site: what plugins do when an account is made, changed or loses a role does not happen",
			"use mode: rest where a shop, membership or forum plugin has to know; a first import can be followed by that")
	}
	return r, nil
}

// privileges are statements that need one privilege each.
func (w *website) privileges() []struct{ name, table, statement string } {
	u, m := w.tables.users, w.tables.meta
	return []struct{ name, table, statement string }{
		{"INSERT", u, "INSERT INTO " + u + " (" + strings.Join(userColumns, ", ") + ", user_registered) VALUES ('', '', '', '', '', '', '2026-01-01 00:00:00')"},
		{"UPDATE", u, "UPDATE " + u + " SET user_email = '', user_url = '', display_name = '', user_pass = '', user_activation_key = '' WHERE ID = 0"},
		{"DELETE", u, "DELETE FROM " + u + " WHERE ID = 0"},
		{"INSERT", m, "INSERT INTO " + m + " (user_id, meta_key, meta_value) VALUES (0, '', '')"},
		{"UPDATE", m, "UPDATE " + m + " SET meta_value = '' WHERE umeta_id = 0"},
		{"DELETE", m, "DELETE FROM " + m + " WHERE user_id = 0"},
	}
}

// named puts the account that the server has found for us into a GRANT: its refusals name the machine that we come from, which
// need not be the one that the account was made for.
func (w *website) named(ctx context.Context, grant string) string {
	var account string
	err := w.server.query(ctx, w.server.db, func(scan func(...any) error) error { return scan(&account) }, "SELECT CURRENT_USER()")
	user, host, ok := cutLast(account, "@")
	statement, _, isGrant := strings.Cut(grant, " TO '")
	if err != nil || !ok || !isGrant {
		return grant
	}
	return fmt.Sprintf("%s TO '%s'@'%s'", statement, user, host)
}

func cutLast(s, separator string) (before, after string, ok bool) {
	i := strings.LastIndex(s, separator)
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+len(separator):], true
}

func (w *website) checkPrivileges(ctx context.Context, r *directory.Findings, write bool) {
	ignore := func(func(...any) error) error { return nil }
	explain := func(name, table, statement string) bool {
		err := w.server.query(ctx, w.server.db, ignore, "EXPLAIN "+statement)
		if err == nil {
			return true
		}
		failed := w.server.fail(task{op: "check"}, err)
		if !errors.Is(failed, directory.Auth) {
			r.Failed("privileges", failed, "look into the database server's error log")
			return false
		}
		remedy := grantRemedy
		var e *directory.Error
		if errors.As(failed, &e) {
			remedy = w.named(ctx, e.Remedy)
		}
		r.Fault("privileges", fmt.Sprintf("the database user lacks %s on %s", name, table), remedy)
		return false
	}
	whole := explain("SELECT", w.tables.users, "SELECT * FROM "+w.tables.users+" WHERE ID = 0")
	whole = explain("SELECT", w.tables.meta, "SELECT * FROM "+w.tables.meta+" WHERE user_id = 0") && whole
	if write {
		for _, p := range w.privileges() {
			whole = explain(p.name, p.table, p.statement) && whole
		}
	}
	if whole {
		r.OK("privileges", "the database user may do what the sync needs")
	}
}

func (w *website) checkTables(r *directory.Findings, f facts, write bool) {
	for _, name := range []string{w.tables.users, w.tables.meta} {
		if width(f.charsets[name]) == 3 {
			r.Warn("tables", fmt.Sprintf("the table %s is kept in %s: values with emoji or rare letters are refused", name, f.charsets[name]), "convert it to utf8mb4")
		}
	}
	if !write {
		return
	}
	if err := f.writable(w.tables); err != nil {
		r.Failed("tables", err, "")
	}
	for _, column := range []string{"user_login", "user_email"} {
		if f.indexes[w.tables.users+"."+column] == "" {
			r.Warn("tables", fmt.Sprintf("the table %s has no index on %s, which makes creating accounts slow", w.tables.users, column), "open the dashboard once: WordPress then brings its tables up to date")
		}
	}
}

// checkUsed compares the meta keys that the rules use with those that are attributes.
func (w *website) checkUsed(r *directory.Findings, used []string) {
	for _, name := range slices.Sorted(slices.Values(used)) {
		if key, custom := strings.CutPrefix(name, directory.CustomPrefix); custom {
			if _, ok := w.desc.Attribute(name); !ok {
				r.Fault("meta", fmt.Sprintf("the meta key %s is used by a rule and not in the option meta", key), "add it to the option meta")
			}
		}
	}
}

// checkCache looks whether the site keeps its passing data in the database. A site with a persistent object cache keeps it
// there (wp-includes/option.php, set_transient), and would go on showing users as they were.
func (w *website) checkCache(ctx context.Context, r *directory.Findings) {
	fresh := 0
	row := func(scan func(...any) error) error { return scan(&fresh) }
	err := w.server.query(ctx, w.server.db, row, "SELECT COUNT(*) FROM "+w.tables.options+
		` WHERE (option_name LIKE '\_transient\_timeout\_%' OR option_name LIKE '\_site\_transient\_timeout\_%') AND CAST(option_value AS UNSIGNED) > UNIX_TIMESTAMP()`)
	if err == nil && fresh > 0 {
		r.OK("object cache", "the site keeps passing data in its database, so it has no persistent object cache")
		return
	}
	r.Warn("object cache", "the database cannot tell whether the site has a persistent object cache (wp-content/object-cache.php); with one, a deactivated account keeps its rights until the cache is emptied",
		"where there is one, use mode: rest, or let wp cache flush run after each sync")
}

// otherPrefixes names the prefixes that there are, where the configured one is wrong.
func (w *website) otherPrefixes(ctx context.Context, r *directory.Findings) {
	var found []string
	row := func(scan func(...any) error) error {
		var name string
		err := scan(&name)
		if prefix := strings.TrimSuffix(name, "usermeta"); prefix != w.tables.prefix {
			found = append(found, prefix)
		}
		return err
	}
	err := w.server.query(ctx, w.server.db, row, `SELECT TABLE_NAME FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME LIKE '%usermeta' ORDER BY TABLE_NAME`)
	if err == nil && len(found) > 0 {
		r.Warn("prefix", "the database has tables of WordPress with another prefix: "+users.Quoted(found), "set the option prefix to $table_prefix of wp-config.php")
	}
}
