package database

import (
	"net"
	"regexp"
	"strings"
	"time"

	"github.com/go-sql-driver/mysql"

	"github.com/rollcall-sync/rollcall/sync/directory"
)

const dsnForm = "rollcall:PASSWORD@tcp(db.example.com:3306)/wordpress?tls=true"

// lockWait is how many seconds a statement waits for a lock before it is tried again.
const lockWait = "20"

// parseDSN checks the data source name and sets what Rollcall relies on, whatever the name says of it. The driver's own
// messages are not shown: they may hold a part of the password.
func parseDSN(text string) (*mysql.Config, error) {
	fault := func(message string) (*mysql.Config, error) {
		return nil, &directory.OptionError{Option: "dsn", Message: message}
	}
	c, err := mysql.ParseDSN(strings.TrimSpace(text))
	switch {
	case err != nil:
		return fault("is not of the form " + dsnForm)
	case c.DBName == "":
		return fault("names no database; it goes after the slash: " + dsnForm)
	case c.User == "":
		return fault("names no user: " + dsnForm)
	case c.Net != "tcp" && c.Net != "unix":
		return fault("reaches a server over " + c.Net + "; only tcp and unix are known")
	case c.TLSConfig == "skip-verify" || c.TLSConfig == "preferred":
		return fault("has tls=" + c.TLSConfig + ", which does not prove who answers; write tls=true")
	case c.AllowCleartextPasswords || c.AllowAllFiles || c.AllowOldPasswords:
		return fault("switches on what is not safe: allowCleartextPasswords, allowAllFiles or allowOldPasswords")
	case c.TLSConfig == "" && c.Net == "tcp" && !isHere(c.Addr):
		return fault("reaches another machine without TLS; add ?tls=true, or ?tls=false where nobody else uses the network between")
	}
	if err := c.Apply(mysql.Charset("utf8mb4", "")); err != nil {
		return fault("is not of the form " + dsnForm)
	}
	// Values are put into the statement by the driver: one round trip in place of three.
	c.InterpolateParams, c.ClientFoundRows, c.ParseTime, c.MultiStatements, c.ColumnsWithAlias = true, true, false, false, false
	c.CheckConnLiveness, c.RejectReadOnly, c.Loc = true, false, time.UTC
	if c.Params == nil {
		c.Params = map[string]string{}
	}
	// Strict: a value that does not fit is refused and not cut.
	c.Params["sql_mode"] = "'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION'"
	if c.Params["innodb_lock_wait_timeout"] == "" {
		c.Params["innodb_lock_wait_timeout"] = lockWait
	}
	c.Params["time_zone"] = "'+00:00'"
	for _, limit := range []struct {
		field *time.Duration
		least time.Duration
	}{{&c.Timeout, 10 * time.Second}, {&c.ReadTimeout, 5 * time.Minute}, {&c.WriteTimeout, time.Minute}} {
		if *limit.field == 0 {
			*limit.field = limit.least
		}
	}
	return c, nil
}

// isHere reports whether the address is this machine's by definition, without asking DNS.
func isHere(address string) bool {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		host = address
	}
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// prefixForm is what WordPress takes for a prefix of its tables. It becomes part of statements.
var prefixForm = regexp.MustCompile(`^[A-Za-z0-9_]{0,40}$`)
