package config_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rollcall-sync/rollcall/config"
)

// everything is a configuration around one directory of the type with all kinds of options.
func everything(options string) string {
	return "directories:\n  hr:\n    type: everything\n    path: people.csv\n    " + strings.ReplaceAll(options, "\n", "\n    ") +
		"\n  other: {type: everything, path: x}\nsyncs:\n  nightly: {source: hr, target: other}\n"
}

func TestReferencesAreReplaced(t *testing.T) {
	for _, c := range []struct{ name, written, want string }{
		{"an environment variable", `${TENANT}`, "acme"},
		{"several inside a text", `a-${TENANT}-${PAGE}-z`, "a-acme-250-z"},
		{"the keyring with a service", `${keyring:hr/rollcall}`, "from-the-ring"},
		{"the keyring of rollcall", `${keyring:token}`, "t0ken"},
		{"a file beside the configuration, without its line end", `${file:secret.txt}`, "first\nsecond"},
		{"the escape", `$${TENANT}`, "${TENANT}"},
		{"the escape before a reference", `$${${TENANT}}`, "${acme}"},
		{"a dollar alone", `$5 and $TENANT`, "$5 and $TENANT"},
		{"a secret that looks like a reference is not looked at again", `${file:tricky.txt}`, "${TENANT}"},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := write(t, everything("text: '"+c.written+"'"))
			for name, content := range map[string]string{"secret.txt": "first\nsecond\r\n", "tricky.txt": "${TENANT}"} {
				if err := os.WriteFile(filepath.Join(filepath.Dir(path), name), []byte(content), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			hr, _ := load(t, surroundings(path)).Directory("hr")
			if got := hr.Settings.Text("text"); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func TestEachReferenceIsLookedUpOnce(t *testing.T) {
	options := surroundings(write(t, everything("text: ${keyring:a/b}\nsecret: ${keyring:a/b}\nlist: ['${keyring:a/b}', '${keyring:a/b}']")))
	asked := 0
	options.Keyring = func(service, user string) (string, error) {
		asked++
		return service + user, nil
	}
	load(t, options)
	if asked != 1 {
		t.Errorf("the keyring was asked %d times", asked)
	}
}

func TestAKeyringThatDoesNotAnswerIsAFault(t *testing.T) {
	options := surroundings(write(t, everything("secret: ${keyring:a/b}")))
	options.Keyring = func(string, string) (string, error) { return "", errors.New("no bus") }
	_, err := config.Load(options)
	if err == nil || !strings.Contains(err.Error(), "the keyring did not answer: no bus") {
		t.Errorf("got %v", err)
	}
}

func TestSecretsAreInNoMessageAndNoPrint(t *testing.T) {
	const secret = "s3cr3t-value"
	text := everything("secret: ${SECRET}\ntext: prefix ${SECRET}\nmap: {Authorization: '${SECRET}'}\nlist: ['${SECRET}']\nurl: https://${SECRET}.example.com")
	options := surroundings(write(t, text))
	options.Env = func(name string) (string, bool) {
		if name == "SECRET" {
			return secret, true
		}
		return "", false
	}
	c := load(t, options)
	hr, _ := c.Directory("hr")
	if hr.Settings.Text("secret") != secret {
		t.Fatal("the secret did not arrive")
	}
	asJSON, err := json.Marshal(c.Directories)
	if err != nil {
		t.Fatal(err)
	}
	var logged bytes.Buffer
	slog.New(slog.NewJSONHandler(&logged, nil)).Info("opened", "directory", hr)
	prints := []string{fmt.Sprint(hr), fmt.Sprintf("%+v", c), fmt.Sprintf("%#v", hr), fmt.Sprintf("%s", c.Directories), string(asJSON), logged.String()}
	for _, print := range prints {
		if strings.Contains(print, secret) {
			t.Errorf("the secret is printed: %s", print)
		}
	}
	if got := hr.Redacted(); got["secret"] != "***" || got["url"] != "***" || got["map"] != "***" || got["bool"] != "true" || got["duration"] != "1m30s" {
		t.Errorf("redacted settings are %v", got)
	}

	// Now the same secret where it cannot be right.
	bad := everything("int: ${SECRET}\nbool: ${SECRET}\nduration: ${SECRET}\nchoice: ${SECRET}\nurl: ${SECRET}\nsecret: {a: s3cr3t-value}") +
		"    timezone: ${SECRET}\n    schedule: ${SECRET}\n    limits: {removals: '${SECRET}'}\n    match: ['${SECRET}']\n    actions: {link: '${SECRET}'}\n"
	bad = strings.Replace(bad, "nightly: {source: hr, target: other}", "nightly:\n    source: hr\n    target: ${SECRET}", 1)
	options.Paths = []string{write(t, bad)}
	_, err = config.Load(options)
	var faults *config.Faults
	if !errors.As(err, &faults) || len(faults.List) != 12 {
		t.Fatalf("want 12 faults, got %v", err)
	}
	if strings.Contains(err.Error(), secret) {
		t.Errorf("the secret is in a message:\n%v", err)
	}
}

func TestMissingSecretsAreWarningsWhereNobodyIsContacted(t *testing.T) {
	options := surroundings(write(t, everything("secret: ${ABSENT}\nint: ${ABSENT}\nurl: https://${ABSENT}\ntext: ${TENANT}")))
	options.AllowMissingSecrets = true
	c := load(t, options)
	hr, _ := c.Directory("hr")
	if got := strings.Join(hr.MissingSecrets, " "); got != "secret url int" {
		t.Errorf("missing: %s", got)
	}
	if hr.Settings.Text("url") != "https://${ABSENT}" || hr.Settings.Int("int") != 0 || hr.Settings.Text("text") != "acme" {
		t.Errorf("settings are %v", hr.Settings.Values)
	}
	if len(c.Warnings) != 3 || c.Warnings[0].Message != "environment variable ABSENT is not set" {
		t.Errorf("warnings are %v", c.Warnings)
	}
	options.Paths = []string{write(t, everything("secret: ${vault:x}"))}
	if _, err := config.Load(options); err == nil {
		t.Error("a reference that nobody could ever resolve was accepted")
	}
}

func TestWarnings(t *testing.T) {
	const nightly = "syncs:\n  nightly: {source: hr, target: other, "
	for _, c := range []struct{ name, text, want string }{
		{"a secret in clear", everything("secret: hunter2"), "directories.hr.secret: a secret stands in the file in clear"},
		{"an unused directory", everything("") + "  spare: {source: hr, target: other}\n", ""},
		{"a directory that no sync uses", strings.Replace(everything(""), "syncs:", "  spare: {type: everything, path: x}\nsyncs:", 1), "directories.spare: no sync uses this directory"},
		{"a time zone without schedule", strings.Replace(everything(""), "syncs:\n  nightly: {", nightly[:len(nightly)-len("source: hr, target: other, ")]+"timezone: UTC, ", 1), "syncs.nightly.timezone: has no effect without schedule"},
		{"a prefix without mirror", strings.Replace(everything(""), "target: other", "target: other, group_options: {prefix: x}", 1), "syncs.nightly.group_options.prefix: has no effect without mirror"},
		{"a scope of creations that are off", strings.Replace(everything(""), "target: other", "target: other, writeback: {scope: active}", 1), "syncs.nightly.writeback.scope: has no effect without writeback.create"},
	} {
		t.Run(c.name, func(t *testing.T) {
			warnings := load(t, surroundings(write(t, c.text))).Warnings
			var got []string
			for _, w := range warnings {
				got = append(got, w.Key+": "+w.Message)
			}
			if strings.Join(got, "\n") != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func TestASecretFileThatEverybodyCanReadIsAWarning(t *testing.T) {
	path := write(t, everything("secret: ${file:secret.txt}"))
	secret := filepath.Join(filepath.Dir(path), "secret.txt")
	for _, c := range []struct {
		mode os.FileMode
		want int
	}{{0o600, 0}, {0o640, 0}, {0o644, 1}} {
		if err := os.WriteFile(secret, []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(secret, c.mode); err != nil {
			t.Fatal(err)
		}
		if got := load(t, surroundings(path)).Warnings; len(got) != c.want {
			t.Errorf("mode %o: %v", c.mode, got)
		}
	}
}
