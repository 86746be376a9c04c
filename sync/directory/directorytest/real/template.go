package real

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// The template is a site's database installed once for all tests of the run. Copying its twelve tables is many times
// quicker than installing again. The passwords of its administrator lie in it, in a table that is not copied.
const (
	templateDatabase = "rollcall_template"
	secretsTable     = "rollcall_secrets"
)

type siteSecrets struct{ Password, Application string }

// cloneTemplate fills the empty database with a freshly installed site.
func cloneTemplate(t testing.TB, tree string, into *Database, prefix string) siteSecrets {
	t.Helper()
	secrets := template(t, tree, into)
	for _, row := range into.rows(t, "SHOW TABLES FROM "+templateDatabase+" LIKE 'wp\\_%'") {
		to := "`" + prefix + strings.TrimPrefix(row[0], "wp_") + "`"
		into.exec(t, fmt.Sprintf("CREATE TABLE %s LIKE %s.`%s`", to, templateDatabase, row[0]))
		into.exec(t, fmt.Sprintf("INSERT INTO %s SELECT * FROM %s.`%s`", to, templateDatabase, row[0]))
	}
	if prefix != "wp_" {
		// The prefix is part of three names within the tables, too.
		into.exec(t, "UPDATE `"+prefix+"options` SET option_name = ? WHERE option_name = 'wp_user_roles'", prefix+"user_roles")
		for _, key := range []string{"capabilities", "user_level"} {
			into.exec(t, "UPDATE `"+prefix+"usermeta` SET meta_key = ? WHERE meta_key = ?", prefix+key, "wp_"+key)
		}
	}
	return secrets
}

// template makes the template unless this or another test program has, and returns its passwords.
func template(t testing.TB, tree string, database *Database) siteSecrets {
	t.Helper()
	// The server's lock belongs to a connection, so one is held as long.
	ctx := context.Background()
	connection, err := database.Admin.Conn(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer connection.Close()
	var got int
	if err := connection.QueryRowContext(ctx, "SELECT GET_LOCK(?, 300)", templateDatabase).Scan(&got); err != nil || got != 1 {
		t.Fatalf("another test holds the template of WordPress sites: %d, %v", got, err)
	}
	defer connection.ExecContext(ctx, "DO RELEASE_LOCK(?)", templateDatabase)

	var secrets siteSecrets
	found := database.rows(t, "SELECT 1 FROM information_schema.tables WHERE table_schema = ? AND table_name = ?", templateDatabase, secretsTable)
	if len(found) == 0 {
		secrets, err = installTemplate(t, tree, database)
		if err != nil {
			t.Fatalf("WordPress could not be installed: %v", err)
		}
		return secrets
	}
	row := database.rows(t, "SELECT password, application FROM "+templateDatabase+"."+secretsTable)[0]
	return siteSecrets{Password: row[0], Application: row[1]}
}

func installTemplate(t testing.TB, tree string, database *Database) (siteSecrets, error) {
	database.exec(t, "DROP DATABASE IF EXISTS "+templateDatabase)
	database.exec(t, "CREATE DATABASE "+templateDatabase+" CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_520_ci")
	database.exec(t, fmt.Sprintf("GRANT ALL ON %s.* TO %s@'127.0.0.1'", templateDatabase, database.User))
	// The user is this test's: what it was lent must not stay.
	defer database.exec(t, fmt.Sprintf("REVOKE ALL ON %s.* FROM %s@'127.0.0.1'", templateDatabase, database.User))
	folder := t.TempDir()
	var secrets siteSecrets
	if err := layOut(folder, tree, ""); err != nil {
		return secrets, err
	}
	site := *database
	site.Name = templateDatabase
	command := exec.Command("php", filepath.Join(folder, "install.php"))
	command.Env = siteEnvironment(&site, "wp_", nil)
	out, err := command.Output()
	if err != nil {
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			err = fmt.Errorf("%w: %s", err, exit.Stderr)
		}
		return secrets, fmt.Errorf("%w\n%.1000s", err, out)
	}
	if err := json.Unmarshal(out, &secrets); err != nil {
		return secrets, fmt.Errorf("%w in %.1000s", err, out)
	}
	// Made last: its presence says that the template is whole. One statement, because it must not be seen empty.
	database.exec(t, fmt.Sprintf("CREATE TABLE %s.%s AS SELECT ? AS password, ? AS application", templateDatabase, secretsTable),
		secrets.Password, secrets.Application)
	return secrets, nil
}
