package main

import (
	"fmt"
	"io"
	"log/slog"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/vbauerster/mpb/v8"
	"golang.org/x/sys/unix"

	"github.com/rollcall-sync/rollcall/sync/engine"
)

// terminal is a pseudo-terminal: what is written to screen can be looked at with seen.
type terminal struct {
	t      *testing.T
	screen *os.File
	seen   chan string
}

func newTerminal(t *testing.T) *terminal {
	t.Helper()
	keeper, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skipf("this machine has no pseudo-terminals: %v", err)
	}
	t.Cleanup(func() { keeper.Close() })
	number, err := unix.IoctlGetUint32(int(keeper.Fd()), unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(int(keeper.Fd()), unix.TIOCSPTLCK, 0)
	}
	if err == nil {
		err = unix.IoctlSetWinsize(int(keeper.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: 40, Col: 120})
	}
	if err != nil {
		t.Fatal(err)
	}
	screen, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	term := &terminal{t: t, screen: screen, seen: make(chan string, 1)}
	go func() {
		text, _ := io.ReadAll(keeper) // ends with an error when the screen is closed
		term.seen <- string(text)
	}()
	return term
}

// close returns all that was written.
func (term *terminal) close() string {
	term.screen.Close()
	return <-term.seen
}

func (term *terminal) run(folder string, code int, args ...string) string {
	term.t.Helper()
	a := &app{args: append(args, "--config", folder+"/rollcall.yaml"), in: strings.NewReader(""), out: term.screen, err: term.screen}
	if got := execute(term.t.Context(), a); got != code {
		term.t.Errorf("rollcall %s ended with %d, want %d", strings.Join(args, " "), got, code)
	}
	return term.close()
}

func TestBarsAndColoursOnATerminal(t *testing.T) {
	d := newDesk(t, deskConfig, 30)
	t.Setenv("NO_COLOR", "")
	text := newTerminal(t).run(d.folder, exitOK, "import", "web")
	for _, part := range []string{"reading source", "30 / 30", "writing", "\x1b[32mok\x1b[0m", "30 created"} {
		if !strings.Contains(text, part) {
			t.Errorf("%q is missing in %q", part, text)
		}
	}
	text = newTerminal(t).run(d.folder, exitOK, "check")
	if !strings.Contains(text, "\x1b[32mok\x1b[0m      state: ") {
		t.Errorf("no colours in %q", text)
	}
	if text = newTerminal(t).run(d.folder, exitOK, "check", "--no-color"); strings.Contains(text, "\x1b[") {
		t.Errorf("--no-color has colours: %q", text)
	}
	t.Setenv("NO_COLOR", "1")
	if text = newTerminal(t).run(d.folder, exitOK, "check"); strings.Contains(text, "\x1b[") {
		t.Errorf("NO_COLOR has colours: %q", text)
	}
	if text = newTerminal(t).run(d.folder, exitOK, "sync", "--json"); !strings.Contains(text, `"status": "nothing"`) {
		t.Errorf("no report in %q", text)
	}
}

func TestPlanFitsTheTerminal(t *testing.T) {
	t.Parallel()
	d := newDesk(t, deskConfig, 0)
	name := strings.Repeat("Longfellow-", 8)
	d.write("people.csv", "id,username,email,last_name\n1,anna,anna@example.com,Alt\n")
	d.run(t.Context(), exitOK, "sync")
	d.write("people.csv", "id,username,email,last_name\n1,anna,anna@example.com,"+name+"\n")
	piped, _ := d.run(t.Context(), exitOK, "plan")
	if !strings.Contains(piped, name+`"  last_name differs, staff leads`) {
		t.Errorf("without a terminal an operation is one line, not\n%s", piped)
	}
	text := newTerminal(t).run(d.folder, exitOK, "plan", "--no-color")
	for line := range strings.Lines(strings.ReplaceAll(text, "\r\n", "\n")) {
		if n := utf8.RuneCountInString(line) - 1; n > 120 {
			t.Errorf("a line of %d on a terminal of 120 columns: %q", n, line)
		}
	}
	if !strings.Contains(text, "last_name differs, staff leads") {
		t.Errorf("no reason in\n%s", text)
	}
}

// look plays what was written to a terminal and returns the lines that stay.
func look(t *testing.T, text string) []string {
	t.Helper()
	lines, at := []string{""}, 0
	for _, part := range regexp.MustCompile(`\x1b\[[0-9;]*[A-Za-z]|\r|\n|[^\x1b\r\n]+`).FindAllString(text, -1) {
		switch {
		case part == "\n":
			if at++; at == len(lines) {
				lines = append(lines, "")
			}
		case part == "\r", strings.HasSuffix(part, "m"):
		case part == "\x1b[J":
			lines = append(lines[:at], "")
		case strings.HasPrefix(part, "\x1b[") && strings.HasSuffix(part, "A"):
			up, err := strconv.Atoi(part[2 : len(part)-1])
			if err != nil || up > at {
				t.Fatalf("cannot go up by %q from line %d", part, at)
			}
			at -= up
		case strings.HasPrefix(part, "\x1b"):
			t.Fatalf("this terminal does not know %q", part)
		default:
			lines[at] += part
		}
	}
	return lines
}

func TestLogLinesStayWholeWhileBarsMove(t *testing.T) {
	t.Parallel()
	term := newTerminal(t)
	a := &app{err: newConsole(term.screen)}
	log := slog.New(slog.NewTextHandler(a.err, nil))
	refresh := make(chan any)
	shown := a.newProgress(true, mpb.WithManualRefresh(refresh))
	const steps = 2000
	for i := range steps {
		shown.show(engine.Progress{Stage: engine.StageApply, Done: i + 1, Total: steps})
		if i%200 == 100 {
			// A bar is on the screen when the next line comes, and is drawn anew after it.
			refresh <- time.Now()
			refresh <- time.Now()
			log.Info("in between", "step", i)
		}
	}
	for range 3 { // when the third is taken, the first has been drawn
		refresh <- time.Now()
	}
	shown.end(false)
	fmt.Fprintln(a.err, "after the bars")
	lines := look(t, term.close())
	for i := 100; i < steps; i += 200 {
		if !slices.ContainsFunc(lines, func(line string) bool {
			return strings.HasPrefix(line, "time=") && strings.HasSuffix(line, fmt.Sprintf(`msg="in between" step=%d`, i))
		}) {
			t.Errorf("the log line of step %d is not whole in\n%s", i, strings.Join(lines, "\n"))
		}
	}
	bars := slices.DeleteFunc(slices.Clone(lines), func(line string) bool { return !strings.HasPrefix(line, "writing") })
	if len(bars) != 1 || !strings.Contains(bars[0], "2000 / 2000") || lines[len(lines)-2] != "after the bars" {
		t.Errorf("the screen is\n%s", strings.Join(lines, "\n"))
	}
}
