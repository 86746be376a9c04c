package server_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-sync/rollcall/sync/engine"
	"github.com/rollcall-sync/rollcall/sync/schedule"
	"github.com/rollcall-sync/rollcall/sync/server"
	"github.com/rollcall-sync/rollcall/sync/state"
)

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// history has the hours since the last good run of each sync.
type history struct {
	hours map[string]float64
	err   error
}

func (h history) LastGood(_ context.Context, sync string) (time.Time, error) {
	hours, ok := h.hours[sync]
	if !ok || h.err != nil {
		return time.Time{}, h.err
	}
	return noon.Add(-time.Duration(hours * float64(time.Hour))), nil
}

func newServer(t *testing.T, h history, syncs ...schedule.Status) *server.Server {
	t.Helper()
	return server.New(server.Options{
		Status: func() []schedule.Status { return syncs }, History: h, Version: "1.2.3", Now: func() time.Time { return noon },
	})
}

func scheduled(t *testing.T, name, line string, up time.Duration) schedule.Status {
	t.Helper()
	cadence, err := schedule.Parse(line, "UTC")
	if err != nil {
		t.Fatal(err)
	}
	return schedule.Status{Sync: name, Cadence: cadence, Since: noon.Add(-up), Next: cadence.Next(noon)}
}

func get(t *testing.T, s *server.Server, path string) (int, http.Header, string) {
	t.Helper()
	w := httptest.NewRecorder()
	s.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
	return w.Code, w.Header(), w.Body.String()
}

func TestWhatIsServed(t *testing.T) {
	t.Parallel()
	s := newServer(t, history{})
	for path, want := range map[string]string{"/": "/readyz", "/healthz": "ok\n", "/metrics": "rollcall_build_info"} {
		code, header, body := get(t, s, path)
		if code != http.StatusOK || !strings.Contains(body, want) || !strings.HasPrefix(header.Get("Content-Type"), "text/plain") {
			t.Errorf("%s: %d %s\n%s", path, code, header.Get("Content-Type"), body)
		}
	}
	if code, _, _ := get(t, s, "/debug/pprof/"); code != http.StatusNotFound {
		t.Errorf("another path: %d", code)
	}
	w := httptest.NewRecorder()
	s.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/healthz", strings.NewReader("x")))
	if w.Code != http.StatusMethodNotAllowed {
		t.Errorf("POST: %d", w.Code)
	}
}

func TestReadiness(t *testing.T) {
	t.Parallel()
	const day = 24 * time.Hour
	for _, c := range []struct {
		name, line string
		up         time.Duration
		good       map[string]float64
		err        error
		ready      bool
	}{
		{"last night", "0 2 * * *", 90 * day, map[string]float64{"a": 10}, nil, true},
		{"the night before, and last night was missed", "0 2 * * *", 90 * day, map[string]float64{"a": 34}, nil, true},
		{"at its second time and not yet beyond", "0 12 * * *", 90 * day, map[string]float64{"a": 48}, nil, true},
		{"for more than two nights", "0 2 * * *", 90 * day, map[string]float64{"a": 58}, nil, false},
		{"never, and up for an hour", "0 2 * * *", time.Hour, nil, nil, true},
		{"never, and up for three days", "0 2 * * *", 3 * day, nil, nil, false},
		{"on Friday, today is Sunday", "0 2 * * 1-5", 90 * day, map[string]float64{"a": 58}, nil, true},
		{"half an hour ago, every 20 minutes", "@every 20m", 90 * day, map[string]float64{"a": 0.5}, nil, true},
		{"an hour ago, every 20 minutes", "@every 20m", 90 * day, map[string]float64{"a": 1}, nil, false},
		{"the state is gone", "0 2 * * *", time.Hour, nil, errors.New("/secret/path is gone"), false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			fine := scheduled(t, "b", "@hourly", time.Minute)
			code, header, body := get(t, newServer(t, history{c.good, c.err}, scheduled(t, "a", c.line, c.up), fine), "/readyz")
			var answer struct {
				Ready bool
				State string
				Syncs []struct {
					Sync, Reason string
					Ready        bool
					Age          *float64 `json:"age_seconds"`
				}
			}
			if err := json.Unmarshal([]byte(body), &answer); err != nil || header.Get("Content-Type") != "application/json" {
				t.Fatalf("%v: %s", err, body)
			}
			if answer.Ready != c.ready || (code == http.StatusOK) != c.ready || (code == http.StatusServiceUnavailable) == c.ready {
				t.Errorf("%d %s", code, body)
			}
			a := answer.Syncs[0]
			if a.Ready != c.ready || (a.Reason == "") != c.ready || answer.Syncs[1].Ready != (c.err == nil) {
				t.Errorf("%s", body)
			}
			if hours, ok := c.good["a"]; ok && (a.Age == nil || *a.Age != hours*3600) {
				t.Errorf("the age is wrong: %s", body)
			}
			if (answer.State == "ok") != (c.err == nil) || strings.Contains(body, "secret") {
				t.Errorf("%s", body)
			}
		})
	}
}

func TestMetrics(t *testing.T) {
	t.Parallel()
	a := scheduled(t, "a", "0 13 * * *", time.Hour)
	a.Running = true
	s := newServer(t, history{hours: map[string]float64{"a": 1}}, a, scheduled(t, "b", "0 0 30 2 *", time.Hour))
	s.Ended(schedule.End{Sync: "a", Elapsed: 42 * time.Second, Report: &engine.Report{
		Status: engine.StatusPartial, Requests: engine.RequestPair{Source: 7, Target: 9},
		Counts: engine.Counts{SourceRead: 100, TargetRead: 90, Created: 3, Deactivated: 2, Failed: 1, FailedOthers: 4},
	}})
	s.Ended(schedule.End{Sync: "a", Err: &state.BusyError{Sync: "a"}})
	s.Ended(schedule.End{Sync: "a", Err: errors.New("bad example")})
	code, _, body := get(t, s, "/metrics")
	if code != http.StatusOK {
		t.Fatal(code)
	}
	var got []string
	for line := range strings.Lines(body) {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "rollcall_") && !strings.HasSuffix(line, " 0") && !strings.Contains(line, "build_info") && !strings.Contains(line, "_bucket") {
			got = append(got, line)
		}
	}
	want := []string{
		`rollcall_accounts_read_total{side="source",sync="a"} 100`, `rollcall_accounts_read_total{side="target",sync="a"} 90`,
		`rollcall_last_good_run_timestamp_seconds{sync="a"} 1.7953452e+09`,
		`rollcall_next_run_timestamp_seconds{sync="a"} 1.7953524e+09`,
		`rollcall_operations_total{action="created",sync="a"} 3`, `rollcall_operations_total{action="deactivated",sync="a"} 2`,
		`rollcall_operations_total{action="failed",sync="a"} 5`,
		`rollcall_requests_total{side="source",sync="a"} 7`, `rollcall_requests_total{side="target",sync="a"} 9`,
		`rollcall_run_duration_seconds_sum{sync="a"} 42`, `rollcall_run_duration_seconds_count{sync="a"} 1`,
		`rollcall_run_under_way{sync="a"} 1`,
		`rollcall_runs_total{status="busy",sync="a"} 1`, `rollcall_runs_total{status="not_begun",sync="a"} 1`, `rollcall_runs_total{status="partial",sync="a"} 1`,
		`rollcall_state_up 1`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if !strings.Contains(body, `version="1.2.3"`) || !strings.Contains(body, "go_goroutines") {
		t.Error("build or process are missing")
	}
	if _, _, body := get(t, newServer(t, history{err: errors.New("gone")}, a), "/metrics"); !strings.Contains(body, "rollcall_state_up 0") {
		t.Error("a state that is gone does not show")
	}
}

func TestServesUntilTheContextEnds(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	listener, err := server.Listen(t.Context(), "127.0.0.1:0", slog.New(slog.NewTextHandler(&log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	if log.Len() > 0 {
		t.Errorf("loopback is warned of: %s", log.String())
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- newServer(t, history{}).Serve(ctx, listener) }()
	response, err := http.Get("http://" + listener.Addr().String() + "/healthz")
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(response.Body)
	if closing := response.Body.Close(); err != nil || closing != nil || string(body) != "ok\n" {
		t.Errorf("%q, %v, %v", body, err, closing)
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	if _, err := net.Dial("tcp", listener.Addr().String()); err == nil {
		t.Error("the port is still open")
	}
}

func TestListen(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	listener, err := server.Listen(t.Context(), ":0", slog.New(slog.NewTextHandler(&log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	if !strings.Contains(log.String(), "without a password") {
		t.Errorf("an open address is not warned of: %s", log.String())
	}
	_, err = server.Listen(t.Context(), listener.Addr().String(), slog.New(slog.DiscardHandler))
	if err == nil || !strings.Contains(err.Error(), "serve.listen") {
		t.Errorf("a port that is taken: %v", err)
	}
}

func TestAServerThatFailsSaysSo(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	listener.Close()
	if err := newServer(t, history{}).Serve(t.Context(), listener); err == nil || !strings.Contains(err.Error(), "no longer") {
		t.Errorf("got %v", err)
	}
}
