// Package database reaches the users of a WordPress site in its MySQL or MariaDB database: for a first import at the speed
// of the database, and for sites whose REST API is closed. It writes what WordPress itself writes, and no more: the hooks
// of plugins do not run.
//
// What is said of WordPress was read in its source (wp-includes/user.php, class-wp-user.php, meta.php, formatting.php) and
// seen on a running 6.1 in November 2026.
package database

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/rollcall-sync/rollcall/sync/directory"
	"github.com/rollcall-sync/rollcall/targets/wordpress/users"
)

// What the options default to, and the most that they take.
const (
	defaultPage, mostPage   = 1000, 10_000
	defaultBatch, mostBatch = 500, 1000
)

// website is one site in its database.
type website struct {
	server *server
	desc   directory.Description
	tables tables

	// place says where the database is.
	place     string
	rules     users.Rules
	pageSize  int
	batchSize int
	settings  directory.Settings

	learnt users.Remembered[dated[facts]]
	known  users.Remembered[dated[roles]]
}

// tables are the names of the site's tables, quoted where they are used in statements by their form alone: see prefixForm.
type tables struct{ prefix, users, meta, options string }

// Open checks the options and prepares; it sends nothing. identity tells the site from others where the address of the site
// is configured; without it the database does. kind is the type of directory that the configuration names.
func Open(kind string, settings directory.Settings, identity string) (directory.Directory, error) {
	c, err := parseDSN(settings.Text("dsn"))
	if err != nil {
		return nil, err
	}
	prefix := "wp_"
	if _, set := settings.Values["prefix"]; set {
		prefix = settings.Text("prefix")
	}
	if !prefixForm.MatchString(prefix) {
		return nil, &directory.OptionError{Option: "prefix", Message: "holds what is no letter, digit or underscore; it is $table_prefix in wp-config.php"}
	}
	rules, err := users.FromSettings(settings)
	if err != nil {
		return nil, err
	}
	w := &website{
		tables: tables{prefix, prefix + "users", prefix + "usermeta", prefix + "options"},
		rules:  rules, pageSize: settings.Int("page_size"), batchSize: settings.Int("batch_size"), settings: settings,
	}
	if err := w.checkKeys(settings); err != nil {
		return nil, err
	}
	for _, bound := range []struct {
		name          string
		field         *int
		usual, lo, hi int
	}{{"page_size", &w.pageSize, defaultPage, 1, mostPage}, {"batch_size", &w.batchSize, defaultBatch, 1, mostBatch}} {
		if _, set := settings.Values[bound.name]; !set {
			*bound.field = bound.usual
		}
		if *bound.field < bound.lo || *bound.field > bound.hi {
			return nil, &directory.OptionError{Option: bound.name, Message: fmt.Sprintf("must be between %d and %d, not %d", bound.lo, bound.hi, *bound.field)}
		}
	}
	readers, writers := settings.Int("read_concurrency"), settings.Int("write_concurrency")
	if w.server, err = newServer(settings, c, max(readers, writers)+1); err != nil {
		return nil, err
	}
	w.place = c.Addr + "/" + c.DBName
	if identity == "" {
		identity = w.place + "/" + prefix
	}
	w.desc = directory.Description{
		Type: kind, Name: settings.Name, Identity: identity, Attributes: users.Attributes(settings.List("meta")),
		GroupsInline: true, GroupsLostOnDeactivation: true,
		PageSize: w.pageSize, ReadConcurrency: readers, WriteConcurrency: writers, BulkSize: w.batchSize,
	}
	return w, nil
}

// checkKeys refuses meta keys that WordPress itself relies on: written as attributes they would give rights, open sessions
// or break the account.
func (w *website) checkKeys(settings directory.Settings) error {
	own := []string{
		"session_tokens", "_application_passwords", "default_password_nag", "rich_editing", "syntax_highlighting", "comment_shortcuts",
		"admin_color", "use_ssl", "show_admin_bar_front", "primary_blog", "source_domain", "",
	}
	for _, field := range users.Fields() {
		own = append(own, field.Meta)
	}
	check := func(option, key string) error {
		folded := users.Fold(strings.TrimSpace(key))
		if slices.Contains(own, folded) || strings.HasSuffix(folded, "capabilities") || strings.HasSuffix(folded, "user_level") || len(key) > 255 {
			return &directory.OptionError{Option: option, Message: fmt.Sprintf("%q is a key that WordPress itself relies on, and no attribute", key)}
		}
		return nil
	}
	for _, key := range settings.List("meta") {
		if err := check("meta", key); err != nil {
			return err
		}
	}
	if w.rules.Flag.Key == "" {
		return nil
	}
	return check("deactivated_meta", w.rules.Flag.Key)
}

// Describe implements [directory.Directory].
func (w *website) Describe() directory.Description { return w.desc }

// Requests implements [directory.RequestCounter]. It counts statements.
func (w *website) Requests() int64 { return w.server.statements.Load() }

// Close implements [directory.Directory].
func (w *website) Close() error {
	if err := w.server.db.Close(); err != nil {
		return &directory.Error{Directory: w.desc.Name, Op: "close", Err: err}
	}
	return nil
}

// noAccount is the error for an account that does not exist.
func noAccount() *directory.Error {
	return &directory.Error{Kind: directory.NotFound, Err: errors.New("there is no such account")}
}
