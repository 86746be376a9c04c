package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-sync/rollcall/sync/engine"
	"github.com/rollcall-sync/rollcall/sync/plan"
)

// rollcall runs one command line of the real program and returns what it prints, the talk after the data.
func (s *scenario) rollcall(args ...string) (stdout, talk string, code int) {
	var out, err bytes.Buffer
	a := &app{
		args: append(args, "--config", filepath.Join(s.folder, rulesFile), "--log-level", "error"), in: strings.NewReader(""), out: &out, err: &err,
		now: s.clock, sleep: func(context.Context, time.Duration) error { return nil }, types: s.scenarioTypes(),
	}
	code = execute(context.Background(), a)
	return s.plain(out.String()), s.plain(err.String()), code
}

var runLine = regexp.MustCompile(`\(run \d{8}-\d{6}-\w+, [\d.]+ s, \d+ \+ \d+ requests\)`)

var runID = regexp.MustCompile(`\d{8}-\d{6}-\w{4}`)

var approval = regexp.MustCompile(`--approve ([0-9a-f]{10})`)

// plain takes out what differs from one telling to the next: the place of the configuration, the ids of runs, how many
// requests it took, and the tokens of plans, which are numbered.
func (s *scenario) plain(text string) string {
	for _, match := range approval.FindAllStringSubmatch(text, -1) {
		if !slices.Contains(s.tokens, match[1]) {
			s.tokens = append(s.tokens, match[1])
		}
		text = strings.ReplaceAll(text, match[1], fmt.Sprintf("TOKEN-%d", slices.Index(s.tokens, match[1])+1))
	}
	text = strings.ReplaceAll(text, " --config "+filepath.Join(s.folder, rulesFile), "")
	text = strings.ReplaceAll(text, filepath.Join(s.folder, rulesFile), rulesFile)
	return runID.ReplaceAllString(runLine.ReplaceAllString(text, "(run …)"), "…")
}

// command runs one command of the story and returns what an administrator sees of it. A plan is followed by the run that
// it announces, and both must agree.
func (s *scenario) command(line string) string {
	s.t.Helper()
	shown := ""
	if line == theNamed {
		if s.named == "" {
			s.t.Fatal("no command was named by a plan or a note before")
		}
		line, shown = s.named, "$ "+s.named+"\n"
	}
	for i, token := range s.tokens {
		line = strings.ReplaceAll(line, fmt.Sprintf("TOKEN-%d", i+1), token)
	}
	args := strings.Fields(line)[1:]
	before := s.state()
	out, talk, code := s.rollcall(args...)
	shown += out + talk
	if code != 0 {
		shown += fmt.Sprintf("(exit code %d)\n", code)
	}
	if named := namedCommand(out); named != "" {
		s.named = named
	}
	if args[0] == "plan" {
		if now := s.state(); now != before {
			s.t.Errorf("a plan has written: %s", cmp.Diff(before, now))
		}
		s.planAndRun(args[1:], code)
	}
	return shown
}

var inBackticks = regexp.MustCompile("`(rollcall (?:link|unlink) [^`]+ [^`]+)`")

// namedCommand finds the command that a plan or a note offers.
func namedCommand(out string) string {
	if _, rest, ok := strings.Cut(out, "To approve exactly this plan: "); ok {
		line, _, _ := strings.Cut(rest, "\n")
		return line
	}
	if match := inBackticks.FindStringSubmatch(out); match != nil {
		return match[1]
	}
	return ""
}

// state is what all directories hold, and how often each was written.
func (s *scenario) state() string {
	var text strings.Builder
	for _, name := range s.order {
		fmt.Fprintf(&text, "%s, %d writes\n%s\n", name, s.places[name].memory.Writes(), s.places[name].table())
	}
	return text.String()
}

// silentRun is a day that only makes the links.
func (s *scenario) silentRun() {
	s.t.Helper()
	if out, talk, code := s.rollcall("sync"); code != exitOK {
		s.t.Fatalf("the run that makes the links ended with %d: %s%s", code, out, talk)
	}
}

// documents decodes the JSON documents of a stream.
func documents[T any](s *scenario, stream string) []T {
	s.t.Helper()
	decoder := json.NewDecoder(strings.NewReader(stream))
	var all []T
	for {
		var one T
		err := decoder.Decode(&one)
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			s.t.Fatalf("%v in %s", err, stream)
		}
		all = append(all, one)
	}
}

// planAndRun makes the same plan for machines, carries it out, and compares what was announced with what was done.
func (s *scenario) planAndRun(args []string, code int) {
	s.t.Helper()
	out, _, _ := s.rollcall(append([]string{"plan", "--json"}, args...)...)
	plans := documents[planDocument](s, out)
	out, talk, runCode := s.rollcall(append([]string{"sync", "--json"}, args...)...)
	reports := documents[engine.Report](s, out)
	if runCode != code && runCode != exitPartial {
		s.t.Errorf("the plan ended with %d, the run with %d: %s", code, runCode, talk)
	}
	if len(plans) != len(reports) {
		s.t.Fatalf("%d plans and %d reports", len(plans), len(reports))
	}
	for i := range plans {
		s.agree(plans[i], reports[i])
		s.plans[plans[i].Sync] = plans[i]
	}
}

// agree compares a plan with the report of its run.
func (s *scenario) agree(p planDocument, r engine.Report) {
	s.t.Helper()
	if p.Verdict.Refused != (r.Status == engine.StatusRefused) {
		s.t.Errorf("plan refused: %t, run %s", p.Verdict.Refused, r.Status)
	}
	want := p.Counts // as far as a plan can tell
	if p.Verdict.Refused {
		want.Skipped, want.Changed = want.Skipped+want.Changed, 0
	} else {
		made := plan.Plan{Operations: plan.Of(p.Operations...)}
		target, source := made.Counts()[plan.Target], made.Counts()[plan.Source]
		want.Linked, want.Created, want.Updated, want.Activated = target[plan.Link], target[plan.Create], target[plan.Update], target[plan.Activate]
		want.Deactivated, want.Deleted, want.GroupCreated = target[plan.Deactivate], target[plan.Delete], target[plan.CreateGroup]
		want.GroupAdded, want.GroupRemoved = target[plan.GroupAdd], target[plan.GroupRemove]
		for _, n := range source {
			want.WrittenBack += n
		}
	}
	if diff := cmp.Diff(want, r.Counts); diff != "" {
		s.t.Errorf("the run of %s did not do what its plan says (-plan, +run):\n%s", r.Sync, diff)
	}
	if sum := r.Counts.Unchanged + r.Counts.Changed + r.Counts.Skipped + r.Counts.Failed; sum != r.Counts.SourceRead {
		s.t.Errorf("%d accounts read, but the sums make %d: %+v", r.Counts.SourceRead, sum, r.Counts)
	}
	if diff := cmp.Diff(p.Notes, r.Notes); diff != "" {
		s.t.Errorf("plan and run of %s note different things (-plan, +run):\n%s", r.Sync, diff)
	}
	if diff := cmp.Diff(p.Certificate, r.Certificate); diff != "" {
		s.t.Errorf("plan and run of %s have different certificates (-plan, +run):\n%s", r.Sync, diff)
	}
	failed := 0
	for _, note := range p.Notes {
		if note.Kind.Failure() {
			failed++
		}
	}
	if len(r.Failures) != failed {
		s.t.Errorf("%d failures, and %d records that cannot be used: %+v", len(r.Failures), failed, r.Failures)
	}
}

// again looks at the evening: a second plan finds nothing left to do, or the same refused plan, unless the story says that
// something is left for the next run. What it still has to say is part of the story; nothing is returned where it has
// nothing to say. On the last day a second run really runs.
func (s *scenario) again(last, left bool) string {
	s.t.Helper()
	out, _, _ := s.rollcall("plan", "--json")
	operations, silent, same := 0, true, true
	for _, p := range documents[planDocument](s, out) {
		operations += len(p.Operations)
		if len(p.Operations) > 0 && !p.Verdict.Refused && !left {
			s.t.Errorf("a second plan of %s has still to do: %+v", p.Sync, p.Operations)
		}
		silent = silent && len(p.Operations)+len(p.Notes)+len(p.Warnings) == 0 && p.Certificate.Source.Complete && p.Certificate.Target.Complete
		before, planned := s.plans[p.Sync]
		same = same && planned && cmp.Equal(before.Notes, p.Notes) && cmp.Equal(before.Verdict, p.Verdict) &&
			before.Certificate.Source.Failed() == p.Certificate.Source.Failed() && before.Certificate.Target.Failed() == p.Certificate.Target.Failed()
	}
	if left && operations == 0 {
		s.t.Error("nothing is left for the next run, though the story says so")
	}
	text, talk, code := s.rollcall("plan")
	if last && !left {
		before := s.state()
		s.rollcall("sync")
		if now := s.state(); now != before {
			s.t.Errorf("a second run has written: %s", cmp.Diff(before, now))
		}
	}
	end := ""
	if code != exitOK {
		end = fmt.Sprintf("(exit code %d)\n", code)
	}
	switch {
	case silent && talk+end == "":
		return ""
	case same && talk == "" && operations == 0:
		return "(nothing to do, and the same to say)\n" + end
	case same && talk == "" && !left:
		return "(the same)\n" + end
	default:
		return text + talk + end
	}
}

// planDocument is what `plan --json` prints.
type planDocument struct {
	Sync       string           `json:"sync"`
	Operations []plan.Operation `json:"operations"`
	planView
}
