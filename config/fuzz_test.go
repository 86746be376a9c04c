package config

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-sync/rollcall/sync/directory"
	"github.com/rollcall-sync/rollcall/sync/rules"
)

// FuzzLoad: whatever a file holds, there are faults or a configuration, never a panic, and each fault has a place and words.
func FuzzLoad(f *testing.F) {
	for _, pattern := range []string{"../testdata/config/*.yaml", "../testdata/config/bad/*.yaml"} {
		names, err := filepath.Glob(pattern)
		if err != nil || len(names) == 0 {
			f.Fatal(pattern, err)
		}
		for _, name := range names {
			data, err := os.ReadFile(name)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(data)
		}
	}
	f.Add([]byte("a: &a [*a, *a]\nb: &b {<<: *b}\n? {}\n: x\n"))
	types := []directory.Type{{Name: "keycloak", Options: []directory.Option{
		{Name: "url", Type: directory.OptionURL, Required: true},
		{Name: "client_secret", Type: directory.OptionSecret},
		{Name: "int", Type: directory.OptionInt, Default: "3"},
		{Name: "list", Type: directory.OptionList},
		{Name: "map", Type: directory.OptionMap},
		{Name: "duration", Type: directory.OptionDuration},
		{Name: "choice", Type: directory.OptionChoice, Choices: []string{"a"}},
	}, Attributes: []directory.AttributeSpec{{Name: directory.Email, Writable: true}, {Name: directory.Username}}}}
	f.Fuzz(func(t *testing.T, data []byte) {
		l, err := newLoader(Options{
			Types: types, Env: func(name string) (string, bool) { return "secret-of-" + name, !strings.HasPrefix(name, "ROLLCALL_") },
			Keyring:          func(string, string) (string, error) { return "", errors.New("none") },
			CheckExpressions: func(s rules.Sync) []ExpressionFault { return []ExpressionFault{{Path: s.Scope, Message: "odd"}} },
		})
		if err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		l.config.Files = []string{"fuzz.yaml"}
		if root := l.parse(&source{name: "fuzz.yaml", folder: "/nonexistent", order: 1}, data); root != nil {
			object{l.topKeys()}.load(l, root)
		}
		l.overlay()
		l.finish()
		c, err := l.result()
		if (c == nil) == (err == nil) {
			t.Fatalf("%v, %v", c, err)
		}
		var faults *Faults
		if errors.As(err, &faults) {
			for _, fault := range faults.List {
				if fault.Message == "" || fault.Line <= 0 || fault.Column <= 0 || fault.File == "" {
					t.Fatalf("a fault without place or words: %+v", fault)
				}
			}
		}
		if took := time.Since(began); took > 20*time.Second {
			t.Fatalf("took %v", took)
		}
	})
}
