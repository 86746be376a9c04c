package database

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/go-sql-driver/mysql"

	"github.com/rollcall-sync/rollcall/sync/directory"
)

func TestServersThatAreTooOld(t *testing.T) {
	t.Parallel()
	for version, old := range map[string]bool{
		"10.11.6-MariaDB-0+deb12u1": false, "5.5.5-10.5.23-MariaDB-log": false, "11.4.2-MariaDB": false, "12.0.1-MariaDB": false,
		"8.0.39": false, "5.7.44-log": false, "9.1.0-commercial": false, "8.4.0-Percona": false,
		"5.5.5-10.4.34-MariaDB": true, "5.5.68-MariaDB": true, "10.4.0-MariaDB": true, "5.6.51": true, "5.1": true, "": true, "unknown": true,
	} {
		if got := tooOld(version); (got != "") != old {
			t.Errorf("%s: %q", version, got)
		}
	}
	tables := tables{"wp_", "wp_users", "wp_usermeta", "wp_options"}
	f := facts{version: "5.6.51"}
	if err := f.judge(tables); !errors.Is(err, directory.Unsupported) || !strings.Contains(err.Error(), "5.7") {
		t.Errorf("%v", err)
	}
	f = facts{version: "8.0.39", readOnly: true, engines: map[string]string{"wp_users": "InnoDB", "wp_usermeta": "InnoDB", "wp_options": "InnoDB"}, charsets: map[string]string{"wp_users": "utf8mb4", "wp_usermeta": "utf8mb4"}}
	if err := f.judge(tables); err != nil {
		t.Errorf("reading from a replica: %v", err)
	}
	if err := f.writable(tables); !errors.Is(err, directory.Auth) || !strings.Contains(err.Error(), "primary") {
		t.Errorf("writing to a replica: %v", err)
	}
}

func TestWhatTheErrorsOfTheDatabaseStandFor(t *testing.T) {
	t.Parallel()
	s := &server{name: "website"}
	number := func(n uint16, message string) error {
		return fmt.Errorf("x: %w", &mysql.MySQLError{Number: n, Message: message})
	}
	for _, c := range []struct {
		err       error
		writes    bool
		kind      directory.ErrorKind
		attribute string
		says      string
	}{
		{number(1045, "Access denied for user 'r'@'h'"), false, directory.Auth, "", "user and password"},
		{number(1142, "UPDATE command denied to user 'r'@'localhost' for table `wordpress`.`wp_users`"), true, directory.Auth, "", "GRANT UPDATE ON `wordpress`.`wp_users` TO 'r'@'localhost'"},
		{number(1142, "SELECT command denied to user 'r'@'%' for table 'wp_users'"), false, directory.Auth, "", "GRANT SELECT ON wp_users TO 'r'@'%'"},
		{number(1290, "The MySQL server is running with the --read-only option"), true, directory.Auth, "", "primary"},
		{number(1836, "Running in read-only mode"), true, directory.Auth, "", "primary"},
		{number(1146, "Table 'x' doesn't exist"), false, directory.Invalid, "", "prefix"},
		{number(1040, "Too many connections"), true, directory.Throttled, "", "write_concurrency"},
		{number(1226, "User has exceeded max_questions"), false, directory.Throttled, "", "raise"},
		{number(1213, "Deadlock found"), true, directory.Retryable, "", "again"},
		{number(1114, "The table is full"), true, directory.Retryable, "", "disk"},
		{number(1665, "impossible to write to binary log"), true, directory.Unsupported, "", "binlog_format"},
		{number(1406, "Data too long for column 'display_name' at row 3"), true, directory.Invalid, directory.DisplayName, ""},
		{number(1366, "Incorrect string value: '\\xF0' for column `db`.`wp_users`.`user_email` at row 1"), true, directory.Invalid, directory.Email, "utf8mb4"},
		{number(1062, "Duplicate entry 'x' for key 'user_login_key'"), true, directory.Conflict, directory.Username, ""},
		{number(1062, "Duplicate entry 'x' for key 'wp_users.user_email'"), true, directory.Conflict, directory.Email, ""},
		{number(4025, "CONSTRAINT `c` failed"), true, directory.Invalid, "", ""},
		{number(4025, "CONSTRAINT `c` failed"), false, directory.Retryable, "", ""},
		{mysql.ErrPktTooLarge, true, directory.Invalid, "", "max_allowed_packet"},
		{mysql.ErrInvalidConn, true, directory.Retryable, "", "dsn"},
		{driver.ErrBadConn, true, directory.Retryable, "", "dsn"},
		{io.ErrUnexpectedEOF, false, directory.Retryable, "", "dsn"},
		{fmt.Errorf("%w: %w", errCommit, mysql.ErrInvalidConn), true, directory.UnknownOutcome, "", "committed"},
		{context.Canceled, true, directory.Retryable, "", ""},
		{errors.New("something else"), true, directory.Retryable, "", ""},
	} {
		err := s.fail(task{op: "create account", record: "anna", writes: c.writes}, c.err)
		var e *directory.Error
		if !errors.As(err, &e) || e.Kind != c.kind || e.Attribute != c.attribute || !strings.Contains(err.Error(), c.says) || e.Record != "anna" || e.Directory != "website" {
			t.Errorf("%v became %s, %q: %v", c.err, e.Kind, e.Attribute, err)
		}
		if !errors.Is(err, c.err) && !errors.Is(c.err, e.Err) {
			var refusal *mysql.MySQLError
			if !errors.As(c.err, &refusal) {
				t.Errorf("%v is lost in %v", c.err, err)
			}
		}
	}
	for err, again := range map[error]bool{
		number(1213, ""): true, number(1205, ""): true, number(1053, ""): true, mysql.ErrInvalidConn: true, io.EOF: true, number(1406, ""): false,
		fmt.Errorf("%w: %w", errCommit, mysql.ErrInvalidConn): false, context.Canceled: false, context.DeadlineExceeded: false, errors.New("x"): false,
	} {
		if brokenOff(err) != again {
			t.Errorf("%v is begun anew: %t", err, !again)
		}
	}
}

func TestDataSourceNames(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"rollcall:p@ss/w:rd@tcp(127.0.0.1:3306)/wordpress", "rollcall:x@tcp(localhost)/wordpress", "rollcall:x@tcp([::1]:3306)/wordpress", "rollcall:x@unix(/run/mysqld/mysqld.sock)/wordpress",
		"rollcall:x@/wordpress", "rollcall:x@tcp(db.example.com:3306)/wordpress?tls=true", "rollcall:x@tcp(10.0.0.5:3306)/wordpress?tls=false", " rollcall:x@/wordpress\n",
	} {
		c, err := parseDSN(text)
		if err != nil || !c.InterpolateParams || !c.ClientFoundRows || c.MultiStatements || c.ReadTimeout == 0 || !strings.Contains(c.Params["sql_mode"], "STRICT_ALL_TABLES") {
			t.Errorf("%s: %+v, %v", text, c, err)
		}
	}
	for text, want := range map[string]string{
		"":                                   "no database",
		"secret-password":                    "form",
		"rollcall:secret-password/wordpress": "form",
		"rollcall:secret-password@tcp(db.example.com/wordpress":                            "form",
		"rollcall:secret-password@/":                                                       "no database",
		"tcp(127.0.0.1)/wordpress":                                                         "no user",
		"rollcall:secret-password@tcp(db.example.com)/wordpress":                           "without TLS",
		"rollcall:secret-password@tcp(localhost.example.com)/wordpress":                    "without TLS",
		"rollcall:secret-password@tcp(db.example.com)/wordpress?tls=skip-verify":           "who answers",
		"rollcall:secret-password@tcp(db.example.com)/wordpress?tls=preferred":             "who answers",
		"rollcall:secret-password@/wordpress?allowCleartextPasswords=true":                 "not safe",
		"rollcall:secret-password@/wordpress?allowAllFiles=true":                           "not safe",
		"rollcall:secret-password@pipe(x)/wordpress":                                       "only tcp and unix",
		"rollcall:secret-password@tcp(127.0.0.1:3306)/wordpress?parseTime=secret-password": "form",
	} {
		_, err := parseDSN(text)
		var fault *directory.OptionError
		if !errors.As(err, &fault) || fault.Option != "dsn" || !strings.Contains(fault.Message, want) || strings.Contains(fault.Message, "secret-password") {
			t.Errorf("%s: %v", text, err)
		}
	}
}
