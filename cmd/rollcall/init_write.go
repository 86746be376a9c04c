package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/rollcall-sync/rollcall/config"
	"github.com/rollcall-sync/rollcall/sync/directory"
	"github.com/rollcall-sync/rollcall/targets/store"
)

// render writes the configuration as text. Keys that are switched off have no space after their #, so that they can be
// told from what is said about them. secret says how a secret that was typed is referred to.
func (s *setup) render(secret func(one side, option string) string) string {
	var b strings.Builder
	say := func(indent, text string) { comment(&b, indent, text) }
	say("", "Made by `rollcall init`. A key behind a # is switched off and shows its default or an example. `rollcall check` says whether all is well, "+
		"`rollcall plan` what a run would change; `rollcall schema` helps editors.")
	b.WriteString("\n")
	say("", "Links, journal and runs; keep it and back it up.")
	b.WriteString("state: rollcall.db\n\ndirectories:\n")
	for _, side := range []side{s.source, s.target} {
		side.render(&b, say, secret)
	}
	fmt.Fprintf(&b, "syncs:\n  %s:\n    source: %s\n    target: %s\n", scalar(s.sync), scalar(s.source.name), scalar(s.target.name))
	say("    ", "When `rollcall serve` runs it. A time that the clocks leave out or bring twice in a night is run once.")
	if s.schedule == "" {
		fmt.Fprintf(&b, "    #schedule: %q\n", defaultSchedule)
	} else {
		fmt.Fprintf(&b, "    schedule: %q\n", s.schedule)
	}
	if s.zone == "" {
		b.WriteString("    #timezone: Europe/Berlin\n")
	} else {
		fmt.Fprintf(&b, "    timezone: %s\n", scalar(s.zone))
	}
	for _, sample := range syncSamples {
		say("    ", sample.doc)
		for line := range strings.Lines(sample.yaml) {
			b.WriteString("    #" + line)
		}
	}
	return b.String()
}

// syncSamples are the keys of a sync that most sites come to need.
var syncSamples = []struct{ doc, yaml string }{
	{"Who takes part; without it, everybody.", "scope: active and department in [\"Press\", \"Web\"]\n"},
	{
		"Where the attributes of the target come from; without it, what both sides have in common is copied.",
		"attributes:\n  username: lower(username)\n  email: email\n",
	},
	{"Who belongs in which group of the target; groups that are not named stay as they are.", "groups:\n  editor: '\"Web editors\" in groups'\n"},
	{"How many may lose access in one run; more waits for an approval.", "limits:\n  removals: 10%\n"},
}

func (s side) render(b *strings.Builder, say func(indent, text string), secret func(one side, option string) string) {
	fmt.Fprintf(b, "  %s:\n", scalar(s.name))
	say("    ", s.kind.Title+": "+s.kind.Summary)
	fmt.Fprintf(b, "    type: %s\n", scalar(s.kind.Name))
	for _, option := range s.kind.Options {
		say("    ", option.Doc)
		text := s.values[option.Name]
		if s.secrets[option.Name] != "" {
			text = secret(s, option.Name)
		}
		if text != "" {
			fmt.Fprintf(b, "    %s: %s\n", option.Name, optionText(option, text))
		} else {
			fmt.Fprintf(b, "    #%s: %s\n", option.Name, sampleText(option))
		}
	}
	b.WriteString("\n")
}

// optionText writes an answer as YAML.
func optionText(o directory.Option, text string) string {
	switch {
	case o.Type == directory.OptionList && !isReference(text):
		return list(strings.Split(text, ","))
	case o.Type == directory.OptionBool, o.Type == directory.OptionInt, o.Type == directory.OptionDuration:
		return text
	default:
		return scalar(text)
	}
}

// sampleText shows an option that is switched off: its default, else its example, which is YAML already.
func sampleText(o directory.Option) string {
	switch {
	case o.Default != "":
		return optionText(o, o.Default)
	case o.Example != "":
		return o.Example
	case o.Type == directory.OptionSecret:
		return "${" + strings.ToUpper(o.Name) + "}"
	case o.Type == directory.OptionList:
		return "[...]"
	case o.Type == directory.OptionMap:
		return "{...: ...}"
	default:
		return "..."
	}
}

// scalar writes a text so that YAML reads it as the same text.
func scalar(text string) string {
	data, err := yaml.Marshal(text)
	if err != nil {
		panic(err) // a text can always be written
	}
	return strings.TrimSuffix(string(data), "\n")
}

func list(items []string) string {
	node := &yaml.Node{Kind: yaml.SequenceNode, Style: yaml.FlowStyle}
	for _, item := range items {
		node.Content = append(node.Content, &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: strings.TrimSpace(item)})
	}
	data, err := yaml.Marshal(node)
	if err != nil {
		panic(err) // a list of texts can always be written
	}
	return strings.TrimSuffix(string(data), "\n")
}

// lineLength is where comments are wrapped.
const lineLength = 110

func comment(b *strings.Builder, indent, text string) {
	line := indent + "#"
	for _, word := range strings.Fields(text) {
		if len(line)+1+len(word) > lineLength && line != indent+"#" {
			b.WriteString(line + "\n")
			line = indent + "#"
		}
		line += " " + word
	}
	b.WriteString(line + "\n")
}

// try loads what there is so far, as it would be loaded from the file, and looks at one side; at the sync too once there
// are both. The code is exitOK where nothing is in the way.
func (s *setup) try(ctx context.Context, a *app, one *side) ([]directory.Finding, int, error) {
	loaded, err := s.load()
	var faults *config.Faults
	if errors.As(err, &faults) {
		var found []directory.Finding
		for _, f := range faults.List {
			found = append(found, directory.Finding{Level: directory.LevelError, Subject: f.Key, Message: f.Message, Remedy: f.Remedy})
		}
		return found, exitConfiguration, nil
	}
	if err != nil {
		return nil, 0, err
	}
	trial := &app{out: a.out, err: a.err, traceFile: a.traceFile, config: loaded, log: slog.New(slog.DiscardHandler), now: a.now, sleep: a.sleep}
	c := &checker{app: trial, counts: make(map[string]int), groups: make(map[string][]directory.Group)}
	var found []directory.Finding
	for _, configured := range loaded.Directories {
		if configured.Name == one.name {
			found = append(found, c.directory(ctx, configured).Findings...)
		}
	}
	// Where the side itself does not work, or stands alone, nothing can be said of the sync.
	if trial.code == exitOK && one == &s.target {
		for _, sync := range loaded.Syncs {
			found = append(found, c.sync(ctx, sync)...)
		}
	}
	if err := trial.close(); err != nil {
		return nil, 0, err
	}
	return found, trial.code, ctx.Err()
}

// load reads the configuration as it stands from a file that is gone afterwards, in its later folder because paths are
// relative to it. Secrets are handed over without touching the disk.
func (s *setup) load() (*config.Config, error) {
	complete := *s
	if s.target.name == "" {
		// A configuration needs two sides. Nothing is asked of this one, nor is its file made.
		complete.target, complete.sync = side{name: "stand-in", kind: store.Type, values: map[string]string{"path": ".rollcall-init.db"}}, "stand-in"
	}
	secrets := make(map[string]string)
	text := complete.render(func(one side, option string) string {
		name := fmt.Sprintf("ROLLCALL_INIT_%d", len(secrets))
		secrets[name] = one.secrets[option]
		return "${" + name + "}"
	})
	file, err := os.CreateTemp(filepath.Dir(s.path), ".rollcall-init-*.yaml")
	if err != nil {
		return nil, fmt.Errorf("the configuration cannot be written: %w", err)
	}
	defer os.Remove(file.Name())
	_, err = file.WriteString(text)
	if err := errors.Join(err, file.Close()); err != nil {
		return nil, fmt.Errorf("the configuration cannot be written: %w", err)
	}
	return config.Load(config.Options{Paths: []string{file.Name()}, Types: types(), CheckExpressions: checkExpressions, Env: func(name string) (string, bool) {
		if secret, ok := secrets[name]; ok {
			return secret, true
		}
		return os.LookupEnv(name)
	}})
}

// open lets each type judge its options, which contacts nobody: which of them belong together, only the type knows.
func (s *setup) open(loaded *config.Config) error {
	var faults []error
	for _, configured := range loaded.Directories {
		d, err := configured.Type.Open(configured.Settings)
		if err == nil {
			err = d.Close()
		}
		role := s.source.role
		if configured.Name == s.target.name {
			role = s.target.role
		}
		var option *directory.OptionError
		switch {
		case errors.As(err, &option):
			faults = append(faults, usageError{fmt.Errorf("%s.%s: %s", role, option.Option, option.Message)})
		case err != nil:
			faults = append(faults, fmt.Errorf("%s: %w", role, err))
		}
	}
	return errors.Join(faults...)
}

// write puts secrets and configuration in their places, readable by this user alone, and returns their names. Where it
// fails, what it made is gone again.
func (s *setup) write(force bool) ([]string, error) {
	loaded, err := s.load()
	if err == nil {
		err = s.open(loaded)
	}
	if err != nil {
		return nil, fmt.Errorf("the answers make no valid configuration, so nothing was written: %w", err)
	}
	type file struct{ name, text string }
	var files []file
	for _, one := range []side{s.source, s.target} {
		for _, option := range sortedKeys(one.secrets) {
			files = append(files, file{filepath.Join(filepath.Dir(s.path), one.secretFile(option)), one.secrets[option] + "\n"})
		}
	}
	// Last, so that there is never one without its secrets.
	files = append(files, file{s.path, s.render(func(one side, option string) string { return "${file:" + one.secretFile(option) + "}" })})
	var written []string
	for _, f := range files {
		write := writeNew
		if force {
			write = writeOver
		}
		if err := write(f.name, f.text); err != nil {
			if !force {
				for _, name := range written {
					err = errors.Join(err, os.Remove(name))
				}
			}
			return nil, err
		}
		written = append(written, f.name)
	}
	return written, nil
}

// writeNew writes a file that only this user can read, and never replaces one.
func writeNew(name, text string) error {
	file, err := os.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if errors.Is(err, os.ErrExist) {
		return usageError{fmt.Errorf("%s exists; replace it with --force", name)}
	}
	if err != nil {
		return fmt.Errorf("the file cannot be written: %w", err)
	}
	if err := fill(file, text); err != nil {
		return errors.Join(err, os.Remove(name))
	}
	return nil
}

// writeOver does the same and replaces what is there, whole or not at all.
func writeOver(name, text string) error {
	file, err := os.CreateTemp(filepath.Dir(name), ".rollcall-init-*") // 0600 by itself
	if err != nil {
		return fmt.Errorf("%s cannot be written: %w", name, err)
	}
	err = fill(file, text)
	if err == nil {
		err = os.Rename(file.Name(), name)
	}
	if err != nil {
		return errors.Join(err, os.Remove(file.Name()))
	}
	return nil
}

func fill(file *os.File, text string) error {
	_, err := file.WriteString(text)
	if err := errors.Join(err, file.Sync(), file.Close()); err != nil {
		return fmt.Errorf("the file cannot be written: %w", err)
	}
	return nil
}
