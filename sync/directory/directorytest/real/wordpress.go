package real

import (
	"bytes"
	"embed"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-sync/rollcall/sync/directory/directorytest/real/rig"
)

// WordPressSite is a site of one test with its own database and its own web server. Mails are recorded, never sent.
type WordPressSite struct {
	// URL has no slash at its end.
	URL string
	// Path is the site's folder.
	Path string
	// Username is the administrator's; AppPassword is for the REST API, Password for the login form.
	Username, AppPassword, Password string
	// DSN is for the site's own database user, Prefix that of its tables.
	DSN, Prefix string
	Database    *Database

	t      testing.TB
	client *http.Client
}

type siteOptions struct {
	prefix string
	meta   []string
	php    string
}

// SiteOption changes how a site is made.
type SiteOption func(*siteOptions)

// WithMeta opens these keys of user meta to the REST API, as a plugin of the site would.
func WithMeta(keys ...string) SiteOption {
	return func(o *siteOptions) { o.meta = append(o.meta, keys...) }
}

// WithPrefix gives the tables another prefix than wp_.
func WithPrefix(prefix string) SiteOption {
	return func(o *siteOptions) { o.prefix = prefix }
}

// WithPHP adds code that runs on every request, as a plugin of the site would; it needs no opening tag.
func WithPHP(code string) SiteOption {
	return func(o *siteOptions) { o.php += code + "\n" }
}

//go:embed site
var siteFiles embed.FS

// WordPress makes a fresh site, which is removed when the test ends. It has one account, the administrator's.
func WordPress(t testing.TB, options ...SiteOption) *WordPressSite {
	t.Helper()
	tree := need(t, rig.WordPressVariable)
	chosen := siteOptions{prefix: "wp_"}
	for _, option := range options {
		option(&chosen)
	}
	database := MariaDB(t)
	secrets := cloneTemplate(t, tree, database, chosen.prefix)
	s := &WordPressSite{
		Path: t.TempDir(), Username: "admin", AppPassword: secrets.Application, Password: secrets.Password,
		DSN: database.DSN(), Prefix: chosen.prefix, Database: database, t: t,
		client: &http.Client{
			Timeout:       time.Minute,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
	if err := layOut(s.Path, tree, chosen.php); err != nil {
		t.Fatal(err)
	}
	s.serve(chosen.meta)
	// The row is what a direct look into the database sees; the site itself goes by the address it is called by.
	s.Exec("UPDATE "+s.Prefix+"options SET option_value = ? WHERE option_name IN ('siteurl', 'home')", s.URL)
	return s
}

// layOut fills the site's folder: links to the shared tree, and the site's own configuration and content folder.
func layOut(folder, tree, php string) error {
	entries, err := os.ReadDir(tree)
	if err != nil {
		return err
	}
	var failures []error
	for _, entry := range entries {
		switch name := entry.Name(); name {
		case "wp-config.php", "wp-content", ".htaccess":
		default:
			failures = append(failures, os.Symlink(filepath.Join(tree, name), filepath.Join(folder, name)))
		}
	}
	plugins := filepath.Join("wp-content", "mu-plugins")
	for _, name := range []string{plugins, "wp-content/plugins", "wp-content/themes", "wp-content/uploads"} {
		failures = append(failures, os.MkdirAll(filepath.Join(folder, name), 0o755))
	}
	for name, to := range map[string]string{
		"wp-config.php": "wp-config.php", "install.php": "install.php", "router.php": "router.php",
		"rollcall-rig.php": filepath.Join(plugins, "rollcall-rig.php"),
	} {
		data, err := siteFiles.ReadFile("site/" + name)
		failures = append(failures, err, os.WriteFile(filepath.Join(folder, to), data, 0o644))
	}
	if php != "" {
		failures = append(failures, os.WriteFile(filepath.Join(folder, plugins, "test.php"), []byte("<?php\n"+php), 0o644))
	}
	return errors.Join(failures...)
}

func siteEnvironment(database *Database, prefix string, meta []string) []string {
	return append(os.Environ(), "ROLLCALL_SITE_DATABASE="+database.Name, "ROLLCALL_SITE_USER="+database.User,
		"ROLLCALL_SITE_PASSWORD="+database.Password, "ROLLCALL_SITE_HOST="+database.Address, "ROLLCALL_SITE_PREFIX="+prefix,
		"ROLLCALL_SITE_META="+strings.Join(meta, ","), "PHP_CLI_SERVER_WORKERS=4")
}

var serving = regexp.MustCompile(`Development Server \((http://127\.0\.0\.1:\d+)\) started`)

// serve starts PHP's own web server on a free port.
func (s *WordPressSite) serve(meta []string) {
	s.t.Helper()
	run := os.Getenv(rig.RunVariable)
	command := exec.Command("php", "-d", "opcache.enable_cli=1", "-d", "display_errors=0", "-d", "log_errors=1",
		"-S", "127.0.0.1:0", "-t", s.Path, filepath.Join(s.Path, "router.php"))
	command.Env = siteEnvironment(s.Database, s.Prefix, meta)
	process, err := rig.Start(run, "php", filepath.Join(s.Path, "server.log"), command)
	if err != nil {
		s.t.Fatal(err)
	}
	// Ended at once: the workers would wait for open connections.
	s.t.Cleanup(func() { process.Stop(0) })
	err = process.Await(time.Minute, func(output string) bool {
		if found := serving.FindStringSubmatch(output); found != nil {
			s.URL = found[1]
		}
		return s.URL != ""
	})
	if err != nil {
		s.t.Fatal(err)
	}
	status, answer := s.REST(http.MethodGet, "/wp/v2/users/me?context=edit", nil)
	if status != http.StatusOK {
		s.t.Fatalf("the new site answers %d: %.500s\n%s", status, answer, process.Tail(10))
	}
}

// REST sends a request to the REST API as the administrator; the path follows /wp-json.
func (s *WordPressSite) REST(method, path string, body any) (status int, answer []byte) {
	s.t.Helper()
	data, err := json.Marshal(body)
	if err != nil {
		s.t.Fatal(err)
	}
	request, err := http.NewRequest(method, s.URL+"/wp-json"+path, bytes.NewReader(data))
	if err != nil {
		s.t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/json")
	request.SetBasicAuth(s.Username, s.AppPassword)
	response, err := s.client.Do(request)
	if err != nil {
		s.t.Fatalf("the site does not answer: %v", err)
	}
	defer response.Body.Close()
	if answer, err = io.ReadAll(response.Body); err != nil {
		s.t.Fatalf("the site's answer broke off: %v", err)
	}
	return response.StatusCode, answer
}

// Login tries the login form and reports whether it let the user in.
func (s *WordPressSite) Login(user, password string) bool {
	s.t.Helper()
	response, err := s.client.PostForm(s.URL+"/wp-login.php", url.Values{"log": {user}, "pwd": {password}})
	if err != nil {
		s.t.Fatalf("the login form does not answer: %v", err)
	}
	defer response.Body.Close()
	if response.StatusCode >= 500 {
		s.t.Fatalf("the login form answers %s", response.Status)
	}
	for _, cookie := range response.Cookies() {
		if strings.HasPrefix(cookie.Name, "wordpress_logged_in_") && cookie.MaxAge >= 0 && strings.TrimSpace(cookie.Value) != "" {
			return true
		}
	}
	return false
}

// Mail is one mail that the site would have sent.
type Mail struct{ To, Subject, Message string }

// Mails returns all mails since the site was made, oldest first.
func (s *WordPressSite) Mails() []Mail {
	s.t.Helper()
	data, err := os.ReadFile(filepath.Join(s.Path, "mails.jsonl"))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		s.t.Fatal(err)
	}
	var mails []Mail
	for line := range strings.Lines(string(data)) {
		var mail Mail
		if err := json.Unmarshal([]byte(line), &mail); err != nil {
			s.t.Fatalf("%v in %q", err, line)
		}
		mails = append(mails, mail)
	}
	return mails
}
