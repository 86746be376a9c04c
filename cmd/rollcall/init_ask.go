package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/term"

	"github.com/rollcall-sync/rollcall/sync/directory"
)

// asker gets answers: those of --set first, then from the input.
type asker struct {
	out         io.Writer
	in          *bufio.Reader
	terminal    int // its file descriptor; -1 where the input is none
	interactive bool
	given       map[string]string
	// asked are the keys that were looked for, missing those without an answer.
	asked, missing []string
}

// question is one thing to be answered. Hidden ones are not asked, only taken from --set or their initial value.
type question struct {
	key, doc, initial        string
	required, secret, hidden bool
	valid                    func(string) error
}

// errEnded says that the input was over before everything was answered.
var errEnded = errors.New("the answers ended")

func newAsker(a *app, o initOptions) (*asker, error) {
	q := &asker{out: a.err, in: bufio.NewReader(a.in), terminal: -1, interactive: !o.nonInteractive, given: make(map[string]string)}
	if file, ok := a.in.(*os.File); ok && term.IsTerminal(int(file.Fd())) {
		q.terminal = int(file.Fd())
	}
	for _, set := range o.set {
		key, value, ok := strings.Cut(set, "=")
		if _, twice := q.given[key]; !ok || twice {
			return nil, usageError{fmt.Errorf("--set %s: give each key once, as KEY=VALUE", key)}
		}
		if part, _, _ := strings.Cut(key, "."); part != "source" && part != "target" && part != "sync" {
			return nil, usageError{fmt.Errorf("--set %s: write source.KEY, target.KEY or sync.KEY", key)}
		}
		q.given[key] = value
	}
	return q, nil
}

func (q *asker) say(format string, args ...any) {
	if q.interactive {
		fmt.Fprintf(q.out, format, args...)
	}
}

// ask returns a valid answer; "" where none is needed. Without questions, a missing one is noted for complete.
func (q *asker) ask(ctx context.Context, one question) (string, error) {
	q.asked = append(q.asked, one.key)
	if text, ok := q.given[one.key]; ok {
		if one.secret && text != "" && !isReference(text) {
			return "", usageError{fmt.Errorf("--set %s: a command line can be read by everybody on this machine; give ${NAME} or ${file:PATH}", one.key)}
		}
		if err := one.check(text); err != nil {
			return "", usageError{fmt.Errorf("--set %s: %w", one.key, err)}
		}
		return text, nil
	}
	if !q.interactive || one.hidden {
		if one.initial == "" && one.required {
			q.missing = append(q.missing, fmt.Sprintf("%s (%s)", one.key, one.doc))
		}
		return one.initial, nil
	}
	for {
		text, err := q.line(ctx, one)
		if err != nil {
			return "", err
		}
		if text == "" {
			text = one.initial
		}
		fault := one.check(text)
		if fault == nil {
			return text, nil
		}
		q.say("  %v\n", fault)
	}
}

func (one question) check(text string) error {
	switch {
	case text == "" && one.required:
		return errors.New("it is needed")
	case text == "" || one.valid == nil || strings.Contains(text, "${"):
		return nil // what a reference brings is seen when the configuration is loaded
	default:
		return one.valid(text)
	}
}

// line shows a question and reads its answer. What is typed for a secret on a terminal does not show.
func (q *asker) line(ctx context.Context, one question) (string, error) {
	_, name, _ := strings.Cut(one.key, ".")
	hint := ""
	switch {
	case one.secret && one.initial != "":
		hint = " [as before]"
	case one.initial != "":
		hint = " [" + one.initial + "]"
	case !one.required:
		hint = " []"
	}
	q.say("  %s\n  %s%s: ", one.doc, name, hint)
	read := func() (string, error) { return q.in.ReadString('\n') }
	// What was pasted in one go is in the buffer already.
	if one.secret && q.terminal >= 0 && q.in.Buffered() == 0 {
		before, err := term.GetState(q.terminal)
		if err != nil {
			return "", err
		}
		defer term.Restore(q.terminal, before) //nolint:errcheck // a terminal that is gone needs no echo
		read = func() (string, error) {
			text, err := term.ReadPassword(q.terminal)
			q.say("\n")
			return string(text), err
		}
	}
	type answer struct {
		text string
		err  error
	}
	answered := make(chan answer, 1)
	// A read from a terminal cannot be ended from here; after an interruption it is left to the end of the process.
	go func() {
		text, err := read()
		answered <- answer{text, err}
	}()
	select {
	case <-ctx.Done():
		return "", ctx.Err()
	case got := <-answered:
		text := strings.TrimSpace(got.text)
		if errors.Is(got.err, io.EOF) && text == "" {
			return "", usageError{fmt.Errorf("%w before %s; answer it, or use --non-interactive with --set %s=…", errEnded, one.key, one.key)}
		}
		if got.err != nil && !errors.Is(got.err, io.EOF) {
			return "", got.err
		}
		return text, nil
	}
}

// again asks what to do about a side that does not work.
func (q *asker) again(ctx context.Context) (bool, error) {
	text, err := q.ask(ctx, question{
		key: "init.again", doc: "again: answer once more; keep: write it as it is; quit: write nothing", initial: "again",
		valid: func(text string) error { return oneOf(text, []string{"again", "keep", "quit"}) },
	})
	if err == nil && text == "quit" {
		err = errors.New("nothing was written")
	}
	return text == "again", err
}

// forget makes the questions of one side be asked although --set answered them.
func (q *asker) forget(role string) {
	for key := range q.given {
		if strings.HasPrefix(key, role+".") && key != role+".type" && key != role+".name" {
			delete(q.given, key)
		}
	}
}

// complete reports everything that --set left open and that has no default.
func (q *asker) complete() error {
	if len(q.missing) == 0 {
		return nil
	}
	return usageError{fmt.Errorf("add --set for: %s", strings.Join(q.missing, "; "))}
}

// leftOver reports answers to questions that there are not.
func (q *asker) leftOver() error {
	var odd []string
	for _, key := range sortedKeys(q.given) {
		if !slices.Contains(q.asked, key) {
			odd = append(odd, key)
		}
	}
	if len(odd) > 0 {
		return usageError{fmt.Errorf("--set %s: there is no such question here; `rollcall directories TYPE` lists the options", strings.Join(odd, ", "))}
	}
	return nil
}

// askKind asks for the type and the name.
func (s *side) askKind(ctx context.Context, q *asker, kinds []directory.Type) error {
	var names []string
	for i, t := range kinds {
		names = append(names, t.Name)
		q.say("  %d  %-10s %s\n", i+1, t.Name, t.Summary)
	}
	text, err := q.ask(ctx, question{key: s.role + ".type", doc: "number or name", required: true, valid: func(text string) error {
		if n, err := strconv.Atoi(text); err == nil && n >= 1 && n <= len(names) {
			return nil
		}
		return oneOf(text, names)
	}})
	if err == nil {
		err = q.complete()
	}
	if err != nil {
		return err
	}
	i, err := strconv.Atoi(text)
	if err != nil {
		i = slices.Index(names, text) + 1
	}
	s.kind = kinds[i-1]
	s.name, err = q.ask(ctx, question{key: s.role + ".name", doc: "name of the directory", initial: s.kind.Name, hidden: true, valid: properName})
	return err
}

// askOptions asks for the options that are marked for it or required, and takes any other one from --set.
func (s *side) askOptions(ctx context.Context, q *asker) error {
	before, secrets := s.values, s.secrets
	s.values, s.secrets = make(map[string]string), make(map[string]string)
	for _, option := range s.kind.Options {
		one := question{
			key: s.role + "." + option.Name, doc: option.Doc, initial: before[option.Name], required: option.Required, secret: option.Type == directory.OptionSecret,
			hidden: !option.Ask && !option.Required, valid: func(text string) error { return validOption(option, text) },
		}
		if one.initial == "" && !one.hidden {
			one.initial = option.Default
		}
		if one.secret && !one.hidden {
			one.doc += " Give the secret itself, ${NAME} for an environment variable, or ${file:PATH}."
		}
		if plain := secrets[option.Name]; plain != "" {
			one.initial = plain
		}
		text, err := q.ask(ctx, one)
		if err != nil {
			return err
		}
		switch {
		case text == "":
		case one.secret && !isReference(text):
			s.secrets[option.Name] = text
		default:
			s.values[option.Name] = text
		}
	}
	return nil
}

// secretFile names the file of a secret, beside the configuration.
func (s *side) secretFile(option string) string { return s.name + "-" + option + ".secret" }

var (
	reference = regexp.MustCompile(`^\$\{[^}]+\}$`)
	namePart  = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9._-]*$`)
)

// isReference reports whether a text is a reference to a value that is kept elsewhere.
func isReference(text string) bool { return reference.MatchString(text) }

func properName(text string) error {
	if !namePart.MatchString(text) {
		return errors.New("use letters, digits, dots, hyphens and underscores")
	}
	return nil
}

func oneOf(text string, words []string) error {
	if !slices.Contains(words, text) {
		return fmt.Errorf("%q is none of: %s", text, strings.Join(words, ", "))
	}
	return nil
}

// validOption finds what is plainly wrong at once; the rest is found by loading the configuration.
func validOption(o directory.Option, text string) error {
	switch o.Type {
	case directory.OptionChoice:
		return oneOf(text, o.Choices)
	case directory.OptionMap:
		return errors.New("it has several lines; write it into the configuration afterwards")
	case directory.OptionURL:
		if u, err := url.Parse(text); err != nil || u.Host == "" || (u.Scheme != "https" && u.Scheme != "http") {
			return errors.New("it is no address such as " + orElse(o.Example, "https://www.example.com"))
		}
	case directory.OptionBool, directory.OptionInt, directory.OptionDuration:
		if _, err := o.Parse(text); err != nil {
			return fmt.Errorf("%q is no %s", text, o.Type)
		}
	}
	return nil
}

func orElse(text, other string) string {
	if text == "" {
		return other
	}
	return text
}
