package database

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rollcall-sync/rollcall/sync/directory"
	"github.com/rollcall-sync/rollcall/targets/wordpress/users"
)

// facts are what Rollcall has to know of a server and the tables on it before it touches them. They are asked for once.
type facts struct {
	version  string
	readOnly bool
	// step is the distance between two new ids, 1 but for some clusters.
	step int64
	// packet is the most bytes that the server takes in one statement.
	packet int
	// engines and charsets are those of the tables that exist, by name; a charset is that of the narrowest text column.
	engines, charsets map[string]string
	// network is set where the table of users has the columns of a multisite network.
	network bool
	// indexes are those by which a column of a table can be found: "wp_users.user_email" to a hint, or nothing.
	indexes map[string]string
	// locale is the language of the site, color the look of the dashboard that WordPress gives new users.
	locale, color string
}

// freshFor is how long what was learnt of server, tables and roles is relied on: a service runs for months, and a role that
// somebody adds must not make its members look like accounts without one.
const freshFor = time.Minute

// dated is something with the moment it was learnt.
type dated[T any] struct {
	value T
	at    time.Time
}

// fresh returns what is kept while it is young, and asks anew otherwise.
func fresh[T any](w *website, kept *users.Remembered[dated[T]], ask func() (T, error)) (T, error) {
	get := func() (dated[T], error) {
		value, err := ask()
		return dated[T]{value, w.now()}, err
	}
	got, err := kept.Get(get)
	if err == nil && w.now().Sub(got.at) > freshFor {
		kept.Forget()
		got, err = kept.Get(get)
	}
	return got.value, err
}

// The oldest servers that the driver supports.
var (
	oldestMySQL   = [2]int{5, 7}
	oldestMariaDB = [2]int{10, 5}
)

func (w *website) facts(ctx context.Context) (facts, error) {
	return fresh(w, &w.learnt, func() (facts, error) {
		f, err := w.learn(ctx)
		if err == nil {
			err = f.judge(w.tables)
		}
		return f, err
	})
}

func (w *website) learn(ctx context.Context) (f facts, err error) {
	err = w.server.again(ctx, func() error {
		f, err = w.ask(ctx)
		return err
	})
	return f, err
}

func (w *website) ask(ctx context.Context) (facts, error) {
	f := facts{engines: map[string]string{}, charsets: map[string]string{}, indexes: map[string]string{}, locale: "en_US", color: "fresh"}
	server := func(scan func(...any) error) error {
		var readOnly string // a number, or since MariaDB 12 a word
		err := scan(&f.version, &readOnly, &f.step, &f.packet)
		f.readOnly = readOnly != "0" && !strings.EqualFold(readOnly, "off")
		return err
	}
	if err := w.server.query(ctx, w.server.db, server, "SELECT VERSION(), @@read_only, @@auto_increment_increment, @@max_allowed_packet"); err != nil {
		return f, err
	}
	if err := w.askTables(ctx, &f); err != nil || f.engines[w.tables.options] == "" {
		return f, err
	}
	option := func(scan func(...any) error) error {
		var name, value string
		if err := scan(&name, &value); err != nil {
			return err
		}
		switch n, err := strconv.Atoi(value); {
		case name == "WPLANG" && value != "":
			f.locale = value
		case name == "db_version" && err == nil && n >= tablesOf7:
			f.color = "modern"
		}
		return nil
	}
	return f, w.server.query(ctx, w.server.db, option, "SELECT option_name, option_value FROM "+w.tables.options+" WHERE option_name IN ('WPLANG', 'db_version')")
}

// askTables learns what the tables are made of.
func (w *website) askTables(ctx context.Context, f *facts) error {
	t := w.tables
	names := []any{t.users, t.meta, t.options}
	// A server that keeps the names of tables in lower case tells them so.
	own := func(name string) string {
		for _, mine := range []string{t.users, t.meta, t.options} {
			if strings.EqualFold(name, mine) {
				return mine
			}
		}
		return name
	}
	table := func(scan func(...any) error) error {
		var name string
		var engine *string // NULL for a view
		if err := scan(&name, &engine); err != nil {
			return err
		}
		f.engines[own(name)] = "view"
		if engine != nil {
			f.engines[own(name)] = *engine
		}
		return nil
	}
	const of = " WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME IN (?, ?, ?)"
	if err := w.server.query(ctx, w.server.db, table, "SELECT TABLE_NAME, ENGINE FROM information_schema.TABLES"+of, names...); err != nil {
		return err
	}
	column := func(scan func(...any) error) error {
		var table, name string
		var charset *string
		if err := scan(&table, &name, &charset); err != nil {
			return err
		}
		if table = own(table); charset != nil && (f.charsets[table] == "" || width(*charset) < width(f.charsets[table])) {
			f.charsets[table] = *charset
		}
		f.network = f.network || table == t.users && (name == "spam" || name == "deleted")
		return nil
	}
	if err := w.server.query(ctx, w.server.db, column, "SELECT TABLE_NAME, COLUMN_NAME, CHARACTER_SET_NAME FROM information_schema.COLUMNS"+of, names...); err != nil {
		return err
	}
	index := func(scan func(...any) error) error {
		var table, column, name string
		if err := scan(&table, &column, &name); err != nil {
			return err
		}
		f.indexes[own(table)+"."+column] = " FORCE INDEX (`" + strings.ReplaceAll(name, "`", "``") + "`)"
		return nil
	}
	return w.server.query(ctx, w.server.db, index, "SELECT TABLE_NAME, COLUMN_NAME, INDEX_NAME FROM information_schema.STATISTICS"+of+" AND SEQ_IN_INDEX = 1", names...)
}

// tablesOf7 is the number that WordPress 7.0 gives the form of its tables; its dashboard looks "modern" by default.
const tablesOf7 = 61833

// width tells how much a character set can hold: 4 for all of Unicode, 3 for the older utf8, 1 for the rest.
func width(charset string) int {
	switch charset {
	case "utf8mb4":
		return 4
	case "utf8mb3", "utf8":
		return 3
	default:
		return 1
	}
}

// judge returns why the tables cannot be used at all, or nil.
func (f facts) judge(t tables) error {
	if problem := tooOld(f.version); problem != "" {
		return &directory.Error{Kind: directory.Unsupported, Err: errors.New(problem), Remedy: "update the server, or use mode: rest"}
	}
	for _, name := range []string{t.users, t.meta, t.options} {
		if f.engines[name] == "" {
			return &directory.Error{
				Kind: directory.Invalid, Err: fmt.Errorf("there is no table %s that the database user may see", name),
				Remedy: "check the database in the dsn and the option prefix ($table_prefix in wp-config.php); the guide lists what the user needs",
			}
		}
	}
	if f.network {
		return &directory.Error{
			Kind: directory.Unsupported, Err: errors.New("the site belongs to a multisite network, whose sites share their users"),
			Remedy: "use mode: rest and sign in as a network administrator",
		}
	}
	for _, name := range []string{t.users, t.meta} {
		if charset := f.charsets[name]; width(charset) == 1 {
			return &directory.Error{
				Kind: directory.Unsupported, Err: fmt.Errorf("the table %s is kept in %s, in which WordPress may have stored text of any other character set", name, charset),
				Remedy: "convert it to utf8mb4, or use mode: rest",
			}
		}
	}
	return nil
}

// writable returns why the tables cannot be written, or nil.
func (f facts) writable(t tables) error {
	for _, name := range []string{t.users, t.meta} {
		if engine := f.engines[name]; engine != "InnoDB" {
			return &directory.Error{
				Kind: directory.Unsupported, Err: fmt.Errorf("the table %s is of the kind %s, which knows no transactions", name, engine),
				Remedy: "ALTER TABLE " + name + " ENGINE = InnoDB, or use mode: rest",
			}
		}
	}
	if f.readOnly {
		return &directory.Error{Kind: directory.Auth, Err: errors.New("the server takes no writes (read_only is on, as on a replica)"), Remedy: primaryRemedy}
	}
	return nil
}

// fits returns what is wrong with a value that is larger than a statement may be, or nil. The server would close the
// connection at it, and the whole batch would be lost.
func (f facts) fits(meta [][2]string) error {
	for _, row := range meta {
		if 2*len(row[1])+4096 > f.packet { // twice: escaped
			return &directory.Error{
				Kind: directory.Invalid, Attribute: attributeOf(row[0]), Err: fmt.Errorf("the value for %s has %d bytes, and the database takes %d in one statement", row[0], len(row[1]), f.packet),
				Remedy: packetRemedy,
			}
		}
	}
	return nil
}

// attributeOf returns the attribute that is kept under a meta key.
func attributeOf(key string) string {
	for _, field := range users.Fields() {
		if field.Meta == key {
			return field.Spec.Name
		}
	}
	return directory.CustomPrefix + key
}

// tooOld returns what is wrong with a server of this version, or "". MariaDB before 11 puts "5.5.5-" before its own.
func tooOld(version string) string {
	oldest, product := oldestMySQL, "MySQL"
	number := strings.TrimPrefix(version, "5.5.5-")
	if strings.Contains(strings.ToLower(version), "mariadb") {
		oldest, product = oldestMariaDB, "MariaDB"
	} else {
		number = version
	}
	parts := strings.SplitN(number, ".", 3)
	var got [2]int
	for i := range min(len(parts), 2) {
		n, err := strconv.Atoi(parts[i])
		if err != nil {
			return fmt.Sprintf("the server says that its version is %q, which tells nothing", version)
		}
		got[i] = n
	}
	if slices.Compare(got[:], oldest[:]) < 0 {
		return fmt.Sprintf("the server is %s %s; %d.%d is the oldest that works", product, number, oldest[0], oldest[1])
	}
	return ""
}

// roles reads the roles of the site. They are remembered until the roles are listed again.
func (w *website) roles(ctx context.Context) (roles, error) {
	return fresh(w, &w.known, func() (roles, error) {
		var text string
		row := func(scan func(...any) error) error { return scan(&text) }
		err := w.server.again(ctx, func() error {
			return w.server.query(ctx, w.server.db, row, "SELECT option_value FROM "+w.tables.options+" WHERE option_name = ?", w.tables.prefix+"user_roles")
		})
		if err != nil {
			return roles{}, err
		}
		r, err := parseRoles(text)
		if err != nil {
			return r, &directory.Error{
				Kind: directory.Invalid, Err: fmt.Errorf("the option %suser_roles, which holds the roles of the site: %w", w.tables.prefix, err),
				Remedy: "check the option prefix, and that the site works",
			}
		}
		return r, nil
	})
}

// ready returns what every call needs.
func (w *website) ready(ctx context.Context, k task) (facts, roles, error) {
	if err := ctx.Err(); err != nil {
		return facts{}, roles{}, w.server.fail(k, err)
	}
	f, err := w.facts(ctx)
	if err != nil {
		return f, roles{}, w.server.fail(k, err)
	}
	if k.writes {
		if err := f.writable(w.tables); err != nil {
			return f, roles{}, w.server.fail(k, err)
		}
	}
	r, err := w.roles(ctx)
	return f, r, w.server.fail(k, err)
}
