package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/rollcall-sync/rollcall/config"
)

// site answers as a WordPress site does that knows one application password.
func site(t *testing.T, password string) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json; charset=UTF-8")
		if _, given, ok := r.BasicAuth(); !ok || given != password {
			w.WriteHeader(http.StatusUnauthorized)
			fmt.Fprint(w, `{"code":"rest_not_logged_in","message":"You are not currently logged in.","data":{"status":401}}`)
			return
		}
		switch {
		case strings.HasSuffix(r.URL.Path, "/users/me"):
			fmt.Fprint(w, `{"id":1,"username":"rollcall","roles":["administrator"],"capabilities":{"list_users":true,"edit_users":true,"create_users":true,"delete_users":true,"promote_users":true}}`)
		case strings.HasSuffix(r.URL.Path, "/users") && r.Method == http.MethodGet:
			w.Header().Set("X-WP-Total", "1")
			w.Header().Set("X-WP-TotalPages", "1")
			fmt.Fprint(w, `[{"id":1}]`)
		default:
			fmt.Fprint(w, `{"endpoints":[]}`)
		}
	}))
	t.Cleanup(server.Close)
	return server.URL
}

// initialise runs the command in a folder with a list of people.
func initialise(t *testing.T, folder, answers string, args ...string) (code int, out, talk string) {
	t.Helper()
	writeFile(t, filepath.Join(folder, "people.csv"), "id,username,email,active\n1,anna,anna@example.com,true\n")
	var outs, errs bytes.Buffer
	a := &app{args: append([]string{"init", "--config", filepath.Join(folder, "rollcall.yaml")}, args...), in: strings.NewReader(answers), out: &outs, err: &errs}
	code = execute(t.Context(), a)
	return code, outs.String(), errs.String()
}

const goodPassword = "abcdefghijklmnopqrstuvwx"

func TestInitTriesASiteAndChecksClean(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	address := site(t, goodPassword)
	// A wrong password first; the second time all but that is taken with the return key.
	answers := strings.Join([]string{"file", "people.csv", "wordpress", address, "rollcall", "wrongwrongwrongwrongwron", "", "", "", goodPassword, "none", ""}, "\n")
	code, out, talk := initialise(t, folder, answers)
	if code != exitOK || !strings.Contains(out, "You are not currently logged in") || !strings.Contains(out, "signed in to "+address) {
		t.Fatalf("exit %d\n%s\n%s", code, out, talk)
	}
	if strings.Contains(out+talk, goodPassword) || strings.Contains(out+talk, "wrongwrong") || strings.Contains(readFile(t, filepath.Join(folder, "rollcall.yaml")), goodPassword) {
		t.Errorf("the password shows:\n%s\n%s", out, talk)
	}
	if got := readFile(t, filepath.Join(folder, "wordpress-password.secret")); got != goodPassword+"\n" {
		t.Errorf("the secret's file holds %q", got)
	}
	wantFiles(t, folder, "people.csv", "rollcall.yaml", "wordpress-password.secret")
	var outs, errs bytes.Buffer
	a := &app{args: []string{"check", "--config", filepath.Join(folder, "rollcall.yaml")}, in: strings.NewReader(""), out: &outs, err: &errs}
	if code := execute(t.Context(), a); code != exitOK || strings.Contains(outs.String(), "error ") {
		t.Errorf("check: exit %d\n%s%s", code, outs.String(), errs.String())
	}
}

func TestInitWritesNothingThatDoesNotWork(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	address := site(t, goodPassword)
	answers := []string{"file", "people.csv", "wordpress", address, "rollcall", "wrongwrongwrongwrongwron"}
	code, out, talk := initialise(t, folder, strings.Join(append(answers, "quit"), "\n"))
	if code == exitOK || !strings.Contains(talk, "nothing was written") {
		t.Errorf("quit: exit %d\n%s\n%s", code, out, talk)
	}
	wantFiles(t, folder, "people.csv")
	secret := filepath.Join(folder, "password")
	writeFile(t, secret, "wrongwrongwrongwrongwron\n")
	set := []string{"--non-interactive"}
	for _, pair := range []string{"source.type=file", "source.path=people.csv", "target.type=wordpress", "target.url=" + address, "target.username=rollcall", "target.password=${file:password}"} {
		set = append(set, "--set", pair)
	}
	code, out, talk = initialise(t, folder, "", set...)
	if code == exitOK || !strings.Contains(talk, "--no-check") {
		t.Errorf("a wrong password: exit %d\n%s\n%s", code, out, talk)
	}
	wantFiles(t, folder, "password", "people.csv")
	if code, out, talk = initialise(t, folder, "", append(set, "--no-check")...); code != exitOK || out == "" {
		t.Errorf("not checked: exit %d\n%s\n%s", code, out, talk)
	}
	wantFiles(t, folder, "password", "people.csv", "rollcall.yaml")
}

// A secret's file that exists belongs to something else, and the configuration is not written without its secret.
func TestInitReplacesNoSecretUnasked(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	secret := filepath.Join(folder, "wordpress-password.secret")
	writeFile(t, secret, "of another site\n")
	answers := strings.Join([]string{"file", "people.csv", "wordpress", "https://www.example.com", "rollcall", goodPassword, "", ""}, "\n") + "\n"
	code, _, talk := initialise(t, folder, answers, "--no-check")
	if code != exitConfiguration || !strings.Contains(talk, "wordpress-password.secret exists") || readFile(t, secret) != "of another site\n" {
		t.Errorf("exit %d: %s", code, talk)
	}
	wantFiles(t, folder, "people.csv", "wordpress-password.secret")
	if code, _, talk := initialise(t, folder, answers, "--no-check", "--force"); code != exitOK || readFile(t, secret) != goodPassword+"\n" {
		t.Errorf("--force: exit %d: %s", code, talk)
	}
	wantFiles(t, folder, "people.csv", "rollcall.yaml", "wordpress-password.secret")
}

func wantFiles(t *testing.T, folder string, want ...string) {
	t.Helper()
	entries, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, entry := range entries {
		if !strings.HasPrefix(entry.Name(), "people.db") {
			got = append(got, entry.Name())
		}
	}
	if strings.Join(got, " ") != strings.Join(want, " ") {
		t.Errorf("the folder holds %q, want %q", got, want)
	}
}

// TestSwitchedOffKeysAreKeys switches on what a new configuration shows behind a #.
func TestSwitchedOffKeysAreKeys(t *testing.T) {
	t.Parallel()
	switchedOff := regexp.MustCompile(`(?m)^( *)#(\S|  )`)
	placeholder := regexp.MustCompile(`(?m)^.*: (\.\.\.|\[\.\.\.\]|\{\.\.\.: \.\.\.\})\n`)
	for _, kind := range types() {
		t.Run(kind.Name, func(t *testing.T) {
			t.Parallel()
			s := &setup{
				path: filepath.Join(t.TempDir(), "rollcall.yaml"), sync: "nightly",
				source: side{name: "one", kind: kind, values: map[string]string{}}, target: side{name: "two", kind: kind, values: map[string]string{}},
			}
			text := s.render(nil)
			if strings.Count(text, "\n    #") < len(kind.Options) {
				t.Errorf("options are missing:\n%s", text)
			}
			text = placeholder.ReplaceAllString(switchedOff.ReplaceAllString(text, "$1$2"), "")
			if !strings.Contains(text, "\n    schedule:") || !strings.Contains(text, "\n      editor:") || !strings.Contains(text, "\n      removals: 10%") {
				t.Fatalf("not switched on:\n%s", text)
			}
			writeFile(t, s.path, text)
			_, err := config.Load(config.Options{
				Paths: []string{s.path}, Types: types(), CheckExpressions: checkExpressions, AllowMissingSecrets: true,
				Env: func(name string) (string, bool) { return "secret", !strings.HasPrefix(name, "ROLLCALL_") },
			})
			var faults *config.Faults
			if errors.As(err, &faults) {
				for _, fault := range faults.List {
					// A required option without an example has nothing to be switched on.
					if !strings.Contains(fault.Message, "is missing") {
						t.Error(fault)
					}
				}
			} else if err != nil {
				t.Error(err)
			}
		})
	}
}

func TestInitEndsWithAnInterruption(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	reader, writer := io.Pipe() // nobody answers
	defer writer.Close()
	ctx, cancel := context.WithCancel(t.Context())
	asked := &waiter{text: "number or name", seen: cancel}
	a := &app{args: []string{"init", "--config", filepath.Join(folder, "rollcall.yaml")}, in: reader, out: io.Discard, err: asked}
	if code := execute(ctx, a); code != exitInterrupted {
		t.Errorf("exit %d", code)
	}
	wantFiles(t, folder)
}

// waiter calls seen once a text was written.
type waiter struct {
	text string
	seen func()
	all  bytes.Buffer
}

func (w *waiter) Write(p []byte) (int, error) {
	w.all.Write(p)
	if strings.Contains(w.all.String(), w.text) {
		w.seen()
	}
	return len(p), nil
}

func TestYAMLReadsBackWhatWasAnswered(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"plain": "plain", "on": `"on"`, "a: b": "'a: b'", "# no comment": "'# no comment'", "${FILE}": "${FILE}", "*star": "'*star'", "007": `"007"`,
	} {
		if got := scalar(text); got != want {
			t.Errorf("%q is written as %s, want %s", text, got, want)
		}
	}
	if got := list([]string{"a", " b", "true", "c, d"}); got != `[a, b, "true", "c, d"]` && got != `[a, b, "true", 'c, d']` {
		t.Error(got)
	}
}
