package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	connectors "github.com/rollcall-sync/rollcall/connectors/all"
	"github.com/rollcall-sync/rollcall/sync/directory"
	"github.com/rollcall-sync/rollcall/sync/schedule"
	targets "github.com/rollcall-sync/rollcall/targets/all"
)

// What init suggests.
const (
	defaultConfiguration = "rollcall.yaml"
	defaultSchedule      = "30 2 * * *"
	noSchedule           = "none"
)

type initOptions struct {
	force, nonInteractive, noCheck bool
	set                            []string
}

func newInitCommand(a *app) *cobra.Command {
	var o initOptions
	cmd := &cobra.Command{
		Use:   "init",
		Short: "Ask for both sides, try them, and write a configuration",
		Long: "Asks which directory is followed and which one is brought up to date, tries both at once, and writes a commented\n" +
			"configuration (rollcall.yaml, or what --config names). A secret is never part of it: give ${NAME} for an environment\n" +
			"variable or ${file:PATH}, or type the secret itself, which is then kept in a file of its own beside the configuration.\n\n" +
			"--set answers a question beforehand: source.type, source.name, source.OPTION, the same for target, sync.name,\n" +
			"sync.schedule (none for none) and sync.timezone. `rollcall directories TYPE` lists the options.",
		Example: "  rollcall init\n" +
			"  rollcall init --non-interactive --set source.type=file --set source.path=people.csv \\\n" +
			"      --set target.type=wordpress --set target.url=https://www.example.com \\\n" +
			"      --set target.username=rollcall --set 'target.password=${WORDPRESS_PASSWORD}'",
		Args: arguments(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error { return runInit(cmd.Context(), a, o) },
	}
	cmd.Flags().BoolVar(&o.force, "force", false, "replace a configuration that exists")
	cmd.Flags().BoolVar(&o.nonInteractive, "non-interactive", false, "ask nothing; what --set leaves open gets its default")
	cmd.Flags().BoolVar(&o.noCheck, "no-check", false, "do not contact the directories")
	cmd.Flags().StringArrayVar(&o.set, "set", nil, "answer as KEY=VALUE (repeatable)")
	return cmd
}

// setup is the configuration in the making.
type setup struct {
	path           string
	source, target side
	sync           string
	schedule, zone string
	findings       []directory.Finding
}

// side is one directory of it. Values are as they will stand in the file; secrets are those that go into files.
type side struct {
	role    string
	name    string
	kind    directory.Type
	values  map[string]string
	secrets map[string]string
}

func runInit(ctx context.Context, a *app, o initOptions) error {
	s := &setup{path: defaultConfiguration}
	switch len(a.configPaths) {
	case 0:
	case 1:
		s.path = a.configPaths[0]
	default:
		return usageError{errors.New("init writes one file; name it with one --config")}
	}
	if _, err := os.Lstat(s.path); err == nil && !o.force {
		return usageError{fmt.Errorf("%s exists; name another file with --config, or replace it with --force", s.path)}
	}
	if err := os.MkdirAll(filepath.Dir(s.path), 0o700); err != nil {
		return err
	}
	q, err := newAsker(a, o)
	if err != nil {
		return err
	}
	if err := s.ask(ctx, a, q, o); err != nil {
		return err
	}
	written, err := s.write(o.force)
	if err != nil {
		return err
	}
	if a.json {
		return a.printJSON(struct {
			Written  []string            `json:"written"`
			Findings []directory.Finding `json:"findings"`
		}{written, append([]directory.Finding{}, s.findings...)})
	}
	fmt.Fprintf(a.out, "\nwritten: %s\n", strings.Join(written, ", "))
	named := ""
	if len(a.configPaths) > 0 {
		named = " --config " + shellQuote(s.path)
	}
	next := [][2]string{{"plan", "what a run would change; nothing is written"}, {"import " + shellQuote(s.sync), "the first load"}}
	if s.schedule != "" {
		next = append(next, [2]string{"serve", "runs at its times"})
	}
	for _, command := range next {
		fmt.Fprintf(a.out, "next: rollcall %s%s (%s)\n", command[0], named, command[1])
	}
	return nil
}

// ask goes through the questions: one side, whether it works, the other side, whether both work, then the times.
func (s *setup) ask(ctx context.Context, a *app, q *asker, o initOptions) error {
	for _, c := range []struct {
		side  *side
		role  string
		title string
		kinds []directory.Type
	}{
		{&s.source, "source", "Who is followed?", append(connectors.Types(), targets.Types()...)},
		{&s.target, "target", "Who is brought up to date?", append(targets.Types(), connectors.Types()...)},
	} {
		c.side.role = c.role
		q.say("\n%s\n", c.title)
		if err := c.side.askKind(ctx, q, c.kinds); err != nil {
			return err
		}
		if err := s.askSide(ctx, a, q, c.side, o); err != nil {
			return err
		}
	}
	if err := s.askSync(ctx, q); err != nil {
		return err
	}
	return q.leftOver()
}

// askSide asks for the options of one side until it works, or the administrator wants it as it is.
func (s *setup) askSide(ctx context.Context, a *app, q *asker, side *side, o initOptions) error {
	before := len(s.findings)
	for {
		if err := side.askOptions(ctx, q); err != nil {
			return err
		}
		if err := q.complete(); err != nil {
			return err
		}
		if side == &s.target && s.source.name == side.name {
			s.source.name, side.name = s.source.name+"-source", side.name+"-target"
		}
		if s.target.name != "" {
			s.sync = s.source.name + "-to-" + s.target.name
		}
		if o.noCheck {
			return nil
		}
		q.say("\nTrying %s …\n", side.name)
		found, code, err := s.try(ctx, a, side)
		if err != nil {
			return err
		}
		s.findings = append(s.findings[:before], found...)
		if !a.json {
			a.writeFindings(found)
		}
		if code == exitOK {
			return nil
		}
		if o.nonInteractive {
			a.code = code
			return fmt.Errorf("%s does not work as it is, so nothing was written; correct the answers, or write it all the same with --no-check: %w", side.name, errNotWorking(found))
		}
		again, err := q.again(ctx)
		if err != nil || !again {
			return err
		}
		q.forget(side.role)
	}
}

// errNotWorking names the first finding that is an error.
func errNotWorking(found []directory.Finding) error {
	for _, f := range found {
		if f.Level == directory.LevelError {
			return fmt.Errorf("%s: %s", f.Subject, f.Message)
		}
	}
	return errors.New("the check failed")
}

// askSync asks for the name and the times.
func (s *setup) askSync(ctx context.Context, q *asker) error {
	q.say("\nWhen?\n")
	var err error
	if s.sync, err = q.ask(ctx, question{key: "sync.name", doc: "name of the sync", initial: s.sync, hidden: true, valid: properName}); err != nil {
		return err
	}
	s.schedule, err = q.ask(ctx, question{
		key: "sync.schedule", doc: "five fields of a cron line, @every 15m, or " + noSchedule + " to run it by hand only", initial: defaultSchedule,
		valid: func(text string) error {
			if text == noSchedule {
				return nil
			}
			_, err := schedule.Parse(text, "")
			return err
		},
	})
	if err != nil {
		return err
	}
	if s.schedule == noSchedule {
		s.schedule = ""
		return nil
	}
	s.zone, err = q.ask(ctx, question{
		key: "sync.timezone", doc: "time zone of that, as in Europe/Berlin; empty means that of this machine",
		valid: func(text string) error {
			_, err := schedule.Parse(defaultSchedule, text)
			return err
		},
	})
	return err
}
