//go:build unix

package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/rollcall-sync/rollcall/sync/directory/directorytest/real/rig"
)

const wordPressTree = "/usr/share/wordpress"

// The tests make their sites themselves; a site needs PHP, the tree of WordPress and a database server.
func wordPressPart() part {
	return part{
		name:     "wordpress",
		programs: map[string]string{"php": "php-cli", "mariadbd": "mariadb-server-core", "mariadb-install-db": "mariadb-server-core", "my_print_defaults": "mariadb-client-core"},
		files: map[string]string{
			wordPressTree + "/wp-load.php":         "wordpress",
			"/etc/php/*/cli/conf.d/*-mysqli.ini":   "php-mysql",
			"/etc/php/*/cli/conf.d/*-curl.ini":     "php-curl",
			"/etc/php/*/cli/conf.d/*-xml.ini":      "php-xml",
			"/etc/php/*/cli/conf.d/*-mbstring.ini": "php-mbstring",
		},
		variables: []string{rig.MariaDBVariable, rig.WordPressVariable},
		start: func(ctx context.Context, place *place) ([]string, error) {
			variables, err := startMariaDB(ctx, place)
			return append(variables, rig.WordPressVariable+"="+wordPressTree), err
		},
	}
}

// startMariaDB starts a server that forgets everything with this run: what makes data survive a power cut is off.
func startMariaDB(ctx context.Context, place *place) ([]string, error) {
	data := filepath.Join(place.run, "mariadb")
	password := rand.Text()
	account := currentUser()
	command := exec.CommandContext(ctx, "mariadb-install-db", "--no-defaults", "--datadir="+data, "--user="+account,
		"--auth-root-authentication-method=normal", "--skip-test-db", "--innodb-log-file-size=16M")
	if out, err := command.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("mariadb-install-db: %w\n%s", err, rig.Tail(string(out), 8))
	}
	accounts := filepath.Join(place.run, "mariadb-accounts.sql")
	statements := fmt.Sprintf("ALTER USER root@localhost IDENTIFIED BY '%[1]s';\n"+
		"CREATE OR REPLACE USER root@'127.0.0.1' IDENTIFIED BY '%[1]s';\n"+
		"GRANT ALL ON *.* TO root@'127.0.0.1' WITH GRANT OPTION;\n", password)
	if err := os.WriteFile(accounts, []byte(statements), 0o600); err != nil {
		return nil, err
	}
	// Between choosing a free port and listening on it somebody else may take it: then another one is tried.
	var failures []error
	for range 3 {
		port, err := serveMariaDB(ctx, place, data, accounts, account)
		if err == nil {
			return []string{
				rig.MariaDBVariable + "=127.0.0.1:" + strconv.Itoa(port),
				rig.MariaDBUserVariable + "=root",
				rig.MariaDBPasswordVariable + "=" + password,
			}, nil
		}
		failures = append(failures, err)
		if ctx.Err() != nil || !strings.Contains(err.Error(), "Address already in use") {
			break
		}
	}
	return nil, errors.Join(failures...)
}

func serveMariaDB(ctx context.Context, place *place, data, accounts, account string) (int, error) {
	port, err := freePort()
	if err != nil {
		return 0, err
	}
	// The socket's name is relative to the data folder: a full path may be longer than a socket's may be.
	command := exec.Command("mariadbd", "--no-defaults", "--datadir="+data, "--user="+account, "--socket=socket", "--pid-file=pid",
		"--bind-address=127.0.0.1", "--port="+strconv.Itoa(port), "--skip-name-resolve", "--init-file="+accounts,
		"--skip-log-bin", "--innodb-flush-log-at-trx-commit=0", "--skip-innodb-doublewrite", "--innodb-log-file-size=16M",
		"--character-set-server=utf8mb4", "--max-connections=400")
	process, err := rig.Start(place.run, "mariadb", filepath.Join(place.run, "mariadb.log"), command)
	if err != nil {
		return 0, err
	}
	place.started(process)
	return port, process.Await(time.Minute, func(output string) bool {
		return ctx.Err() != nil || strings.Contains(output, "ready for connections")
	})
}

func freePort() (int, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer listener.Close()
	return listener.Addr().(*net.TCPAddr).Port, nil
}

// currentUser is the name that the server keeps running as; without it, a server started by root refuses to.
func currentUser() string {
	if os.Geteuid() == 0 {
		return "root"
	}
	if account, err := user.Current(); err == nil {
		return account.Username
	}
	return strconv.Itoa(os.Geteuid())
}
