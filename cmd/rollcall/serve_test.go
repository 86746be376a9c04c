package main

import (
	"bufio"
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
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/rollcall-sync/rollcall/sync/state"
)

// served is `rollcall serve` under way in this process.
type served struct {
	t       *testing.T
	folder  string
	lines   chan string
	hangups chan os.Signal
	stop    context.CancelFunc
	done    chan error
}

// writeSite writes a configuration of a list of people and a store.
func writeSite(t *testing.T, folder, schedule string) string {
	t.Helper()
	path := filepath.Join(folder, "rollcall.yaml")
	writeFile(t, path, fmt.Sprintf(`
directories:
  people: {type: file, path: people.csv}
  site: {type: store}
syncs:
  people-to-site: {source: people, target: site, schedule: %q, timezone: UTC}
serve: {listen: "127.0.0.1:0"}
`, schedule))
	return path
}

func writeFile(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func writePeople(t *testing.T, folder string, names ...string) {
	t.Helper()
	text := "id,username,email,active\n"
	for i, name := range names {
		text += fmt.Sprintf("%d,%s,%s@example.com,true\n", i+1, name, name)
	}
	writeFile(t, filepath.Join(folder, "people.csv"), text)
}

// serve runs it until the end of the test.
func serve(t *testing.T, path string) *served {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	reader, writer := io.Pipe()
	s := &served{
		t: t, folder: filepath.Dir(path), lines: make(chan string, 1000), hangups: make(chan os.Signal, 1), stop: stop, done: make(chan error, 1),
	}
	go func() {
		for scanner := bufio.NewScanner(reader); scanner.Scan(); {
			s.lines <- scanner.Text()
		}
		close(s.lines)
	}()
	a := &app{in: strings.NewReader(""), out: io.Discard, err: writer}
	newRootCommand(a)
	a.configPaths = []string{path}
	go func() {
		err := runServe(ctx, a, s.hangups)
		if closing := a.close(); err == nil {
			err = closing
		}
		writer.Close()
		s.done <- err
	}()
	t.Cleanup(func() {
		stop()
		for range s.lines { // until the writer is closed
		}
	})
	return s
}

// await returns the next line that holds the text.
func (s *served) await(text string) string {
	s.t.Helper()
	timeout := time.After(time.Minute)
	var seen []string
	for {
		select {
		case line, ok := <-s.lines:
			if !ok {
				s.t.Fatalf("ended without a line with %q:\n%s", text, strings.Join(seen, "\n"))
			}
			if strings.Contains(line, text) {
				return line
			}
			seen = append(seen, line)
		case <-timeout:
			s.t.Fatalf("no line with %q:\n%s", text, strings.Join(seen, "\n"))
		}
	}
}

func (s *served) get(address, path string) string {
	s.t.Helper()
	response, err := http.Get("http://" + address + path)
	if err != nil {
		s.t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return response.Status + "\n" + string(body)
}

// syncAt runs the command as it was at another time.
func syncAt(t *testing.T, path string, at time.Time) {
	t.Helper()
	var out, errs bytes.Buffer
	a := &app{args: []string{"sync", "--config", path}, in: strings.NewReader(""), out: &out, err: &errs, now: func() time.Time { return at }}
	if code := execute(t.Context(), a); code != exitOK {
		t.Fatalf("exit %d\n%s%s", code, out.String(), errs.String())
	}
}

func TestServeCatchesUpTellsAndStops(t *testing.T) {
	folder := t.TempDir()
	path := writeSite(t, folder, "30 2 * * *")
	writePeople(t, folder, "anna")
	syncAt(t, path, time.Now().Add(-72*time.Hour))
	writePeople(t, folder, "anna", "ben")

	s := serve(t, path)
	address := regexp.MustCompile(`address=(\S+)`).FindStringSubmatch(s.await("serving health and metrics"))[1]
	s.await("scheduled")
	s.await("running now")
	ended := s.await("run ended")
	if !strings.Contains(ended, "1 created") {
		t.Errorf("the run that was missed: %s", ended)
	}
	if got := s.get(address, "/readyz"); !strings.HasPrefix(got, "200") || !strings.Contains(got, `"people-to-site"`) {
		t.Error(got)
	}
	if got := s.get(address, "/metrics"); !strings.Contains(got, `rollcall_operations_total{action="created",sync="people-to-site"} 1`) ||
		!strings.Contains(got, `rollcall_runs_total{status="ok",sync="people-to-site"} 1`) {
		t.Error(got)
	}
	s.stop()
	if err := <-s.done; err != nil {
		t.Error(err)
	}
	if _, err := http.Get("http://" + address + "/healthz"); err == nil {
		t.Error("health is still told after the end")
	}
}

// TestServeStopsARunUnderWay stops while the target does not answer.
func TestServeStopsARunUnderWay(t *testing.T) {
	folder := t.TempDir()
	asked := make(chan struct{})
	var once sync.Once
	silent := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		once.Do(func() { close(asked) })
		<-r.Context().Done()
	}))
	defer silent.Close()
	path := filepath.Join(folder, "rollcall.yaml")
	writeFile(t, path, fmt.Sprintf(`
directories:
  people: {type: file, path: people.csv}
  site: {type: wordpress, url: %s, username: rollcall, password: %s}
syncs:
  people-to-site: {source: people, target: site, schedule: "30 2 * * *"}
serve: {listen: "127.0.0.1:0"}
`, silent.URL, goodPassword))
	writePeople(t, folder, "anna")
	missedARun(t, filepath.Join(folder, "rollcall.db"))
	s := serve(t, path)
	s.await("run started")
	<-asked
	s.stop()
	if line := s.await("run interrupted"); !strings.Contains(line, "level=WARN") {
		t.Error(line)
	}
	if err := <-s.done; err != nil {
		t.Error(err)
	}
}

// missedARun makes a state in which the sync has last run three days ago.
func missedARun(t *testing.T, path string) {
	t.Helper()
	db, err := state.Open(t.Context(), path, state.Options{})
	if err != nil {
		t.Fatal(err)
	}
	at := time.Now().Add(-72 * time.Hour)
	run := state.Run{ID: "earlier", Sync: "people-to-site", StartedAt: at, FinishedAt: at, Status: "ok"}
	if err := errors.Join(db.BeginRun(t.Context(), run), db.FinishRun(t.Context(), run), db.Close()); err != nil {
		t.Fatal(err)
	}
}

func TestServeTakesAnotherConfiguration(t *testing.T) {
	folder := t.TempDir()
	path := writeSite(t, folder, "30 2 * * *")
	writePeople(t, folder, "anna")
	s := serve(t, path)
	s.await("scheduled")

	writeFile(t, path, strings.Replace(readFile(t, path), "30 2 * * *", "90 2 * * *", 1))
	s.hangups <- syscall.SIGHUP
	if line := s.await("not taken"); !strings.Contains(line, "level=ERROR") || !strings.Contains(line, "90 2 * * *") {
		t.Error(line)
	}
	writeSite(t, folder, "")
	s.hangups <- syscall.SIGHUP
	s.await("not taken")

	writeSite(t, folder, "15 4 * * *")
	writeFile(t, path, strings.Replace(readFile(t, path), "serve: {", "serve: {shutdown_grace: 5s, ", 1))
	s.hangups <- syscall.SIGHUP
	s.await("takes a restart\" key=serve")
	s.await("configuration taken")
	if line := s.await("scheduled"); !strings.Contains(line, "15 4 * * *") {
		t.Error(line)
	}
	s.stop()
	if err := <-s.done; err != nil {
		t.Error(err)
	}
}

func TestServeNeedsASchedule(t *testing.T) {
	folder := t.TempDir()
	path := filepath.Join(folder, "rollcall.yaml")
	writePeople(t, folder, "anna")
	writeFile(t, path, "directories:\n  people: {type: file, path: people.csv}\n  site: {type: store}\nsyncs:\n  nightly: {source: people, target: site}\n")
	var errs bytes.Buffer
	a := &app{args: []string{"serve", "--config", path}, in: strings.NewReader(""), out: io.Discard, err: &errs}
	if code := execute(t.Context(), a); code != exitConfiguration || !strings.Contains(errs.String(), "no sync has a schedule") {
		t.Errorf("exit %d: %s", code, errs.String())
	}
}

func readFile(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}
