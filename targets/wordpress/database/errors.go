package database

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"
	"regexp"
	"strings"

	"github.com/go-sql-driver/mysql"

	"github.com/rollcall-sync/rollcall/sync/directory"
	"github.com/rollcall-sync/rollcall/targets/wordpress/users"
)

// The errors of MySQL and MariaDB that mean more than a refused row (their reference manuals, November 2026). Both share
// the numbers below 1900; from there on each has its own.
const (
	errRecordChanged      = 1020
	errTooManyConnections = 1040
	errDatabaseDenied     = 1044
	errAccessDenied       = 1045
	errDuplicate          = 1062
	errTableDenied        = 1142
	errColumnDenied       = 1143
	errNoTable            = 1146
	errPacketTooLarge     = 1153
	errLockWait           = 1205
	errDeadlock           = 1213
	errNeedsPrivilege     = 1227
	errReadOnlyOption     = 1290
	errStatementLog       = 1665
	errReadOnlyTx         = 1792
	errReadOnlyMode       = 1836
)

// rule says what an error stands for.
type rule struct {
	kind   directory.ErrorKind
	remedy string
}

const (
	grantRemedy   = "give the database user the privileges that the guide lists"
	primaryRemedy = "let the dsn name the primary server, which takes writes"
	passRemedy    = "try again when the server has room"
)

var byNumber = map[uint16]rule{
	errDatabaseDenied:     {directory.Auth, "check the database's name in the dsn; " + grantRemedy},
	errAccessDenied:       {directory.Auth, "check user and password in the dsn, and that the user may sign in from this machine"},
	1698:                  {directory.Auth, "the user signs in by another way than a password: make one for Rollcall"},
	1251:                  {directory.Auth, "the user's password is kept in a form that is too old: set it anew"},
	errNeedsPrivilege:     {directory.Auth, grantRemedy},
	errTableDenied:        {directory.Auth, grantRemedy},
	errColumnDenied:       {directory.Auth, grantRemedy},
	1820:                  {directory.Auth, "the password of the database user has expired: set it anew"},
	1862:                  {directory.Auth, "the password of the database user has expired: set it anew"},
	errReadOnlyOption:     {directory.Auth, primaryRemedy},
	errReadOnlyTx:         {directory.Auth, primaryRemedy},
	errReadOnlyMode:       {directory.Auth, primaryRemedy},
	1049:                  {directory.Invalid, "check the database's name in the dsn"},
	errNoTable:            {directory.Invalid, "check the option prefix: it is $table_prefix in wp-config.php"},
	1054:                  {directory.Invalid, "the tables are not those of WordPress, or of one that is too old: check the option prefix"},
	errStatementLog:       {directory.Unsupported, "set binlog_format to ROW or MIXED on the server"},
	errTooManyConnections: {directory.Throttled, "lower read_concurrency and write_concurrency, or let the server take more connections"},
	1203:                  {directory.Throttled, "lower read_concurrency and write_concurrency, or let the user have more connections"},
	1226:                  {directory.Throttled, "the database user has a limit (MAX_QUERIES_PER_HOUR or the like): raise it"},
	errLockWait:           {directory.Retryable, "somebody else holds the rows for long: look at the server's process list"},
	errDeadlock:           {directory.Retryable, passRemedy},
	errRecordChanged:      {directory.Retryable, passRemedy},
	1176:                  {directory.Retryable, "an index of the table has just been removed: run it again"},
	1021:                  {directory.Retryable, "the server's disk is full"},
	1114:                  {directory.Retryable, "the table or the server's disk is full"},
	1037:                  {directory.Retryable, passRemedy},
	1041:                  {directory.Retryable, passRemedy},
	1053:                  {directory.Retryable, passRemedy},
	1129:                  {directory.Retryable, "the server has blocked this machine after failed connections: run mysqladmin flush-hosts there"},
	1180:                  {directory.Retryable, "look into the server's error log"},
	1194:                  {directory.Retryable, "the table is damaged: repair it"},
	1195:                  {directory.Retryable, "the table is damaged: repair it"},
	1317:                  {directory.Retryable, passRemedy},
	1927:                  {directory.Retryable, passRemedy},
	1969:                  {directory.Retryable, "the server ends statements that take long: raise max_statement_time for the database user"},
	3024:                  {directory.Retryable, "the server ends statements that take long: raise max_execution_time for the database user"},
}

// brokenOff reports whether the server gave up a transaction without storing anything of it.
func brokenOff(err error) bool {
	var refusal *mysql.MySQLError
	if errors.As(err, &refusal) {
		switch refusal.Number {
		case errLockWait, errDeadlock, errRecordChanged, 1053, 1317, 1927:
			return true
		}
		return false
	}
	return !errors.Is(err, errCommit) && isLost(err)
}

// isLost reports whether the connection broke.
func isLost(err error) bool {
	var network net.Error
	return errors.Is(err, driver.ErrBadConn) || errors.Is(err, mysql.ErrInvalidConn) || errors.Is(err, io.EOF) ||
		errors.Is(err, io.ErrUnexpectedEOF) || errors.As(err, &network) && !errors.Is(err, context.Canceled) && !errors.Is(err, context.DeadlineExceeded)
}

// task says what is being done, for errors. writes is set where a refusal that says nothing else is about the row.
type task struct {
	op, record string
	writes     bool
}

// fail turns an error into one of the directory. What is one already gets what it lacks.
func (s *server) fail(k task, err error) error {
	if err == nil {
		return nil
	}
	var known *directory.Error
	if !errors.As(err, &known) {
		known = kindOf(k, err)
	}
	e := *known
	e.Op, e.Directory = k.op, s.name
	if e.Record == "" {
		e.Record = k.record
	}
	return &e
}

func kindOf(k task, err error) *directory.Error {
	var refusal *mysql.MySQLError
	switch {
	case errors.Is(err, errCommit):
		return &directory.Error{Kind: directory.UnknownOutcome, Err: err}
	case errors.As(err, &refusal):
		return refused(k, refusal)
	case errors.Is(err, mysql.ErrPktTooLarge):
		return &directory.Error{Kind: directory.Invalid, Err: err, Remedy: packetRemedy}
	case errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded):
		return &directory.Error{Kind: directory.Retryable, Err: err}
	case isLost(err):
		return &directory.Error{Kind: directory.Retryable, Err: fmt.Errorf("the database does not answer: %w", err), Remedy: "check that the server of the dsn is up and that this machine reaches it"}
	default:
		return &directory.Error{Kind: directory.Retryable, Err: err}
	}
}

const packetRemedy = "shorten the value, or raise max_allowed_packet on the server"

func refused(k task, refusal *mysql.MySQLError) *directory.Error {
	e := &directory.Error{Kind: directory.Retryable, Err: fmt.Errorf("the database refuses: %s (error %d)", refusal.Message, refusal.Number)}
	if r, ok := byNumber[refusal.Number]; ok {
		e.Kind, e.Remedy = r.kind, r.remedy
		if refusal.Number == errTableDenied || refusal.Number == errColumnDenied {
			if grant := missingGrant(refusal.Message); grant != "" {
				e.Remedy = grant
			}
		}
		return e
	}
	if !k.writes {
		return e
	}
	e.Kind, e.Attribute = directory.Invalid, columnAt(refusal.Message)
	switch refusal.Number {
	case errDuplicate: // an index that somebody added to WordPress's own
		e.Kind = directory.Conflict
	case errPacketTooLarge:
		e.Remedy = packetRemedy
	case 1366, 3988, 1977:
		e.Remedy = "the column takes only some characters: convert the tables of WordPress to utf8mb4"
	}
	return e
}

var (
	deniedForm = regexp.MustCompile(`(?i)^(SELECT|INSERT|UPDATE|DELETE)[A-Z, ]* command denied to user ('[^']*'@'[^']*') for (?:table|column '[^']*' in table) (\S+)`)
	columnForm = regexp.MustCompile("(?i)(?:column|key) ['`]?(?:`?[^`' ]+`?\\.)*`?([a-z_]+)`?'?")
)

// missingGrant names the privilege that a refusal is about, as the statement that gives it.
func missingGrant(message string) string {
	match := deniedForm.FindStringSubmatch(message)
	if match == nil {
		return ""
	}
	return fmt.Sprintf("GRANT %s ON %s TO %s", strings.ToUpper(match[1]), strings.Trim(match[3], "'"), match[2])
}

// columnAt returns the attribute of the column that a refusal names, or "".
func columnAt(message string) string {
	for _, match := range columnForm.FindAllStringSubmatch(message, -1) {
		for _, field := range users.Fields() {
			if field.Column != "" && strings.HasPrefix(match[1], field.Column) {
				return field.Spec.Name
			}
		}
	}
	return ""
}
