package transport

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rollcall-sync/rollcall/sync/directory"
)

// clock is a clock that moves only when somebody sleeps.
type clock struct {
	mu    sync.Mutex
	now   time.Time
	slept []time.Duration
}

func newClock() *clock { return &clock{now: time.Date(2026, 11, 22, 3, 0, 0, 0, time.UTC)} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) Sleep(ctx context.Context, d time.Duration) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
	c.slept = append(c.slept, d)
	return nil
}

func (c *clock) total() (sum time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, d := range c.slept {
		sum += d
	}
	return sum
}

// options are those of the tests: a clock of their own and no chance.
func options() (Options, *clock) {
	c := newClock()
	return Options{Directory: "staff", Sleep: c.Sleep, Now: c.Now, Rand: func() float64 { return 1 }}, c
}

// answers is a server that gives one answer after the other and repeats the last; it remembers what it got.
type answers struct {
	*httptest.Server
	mu     sync.Mutex
	bodies []string
}

func serve(t *testing.T, list ...http.HandlerFunc) *answers {
	t.Helper()
	a := &answers{}
	a.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		a.mu.Lock()
		n := min(len(a.bodies), len(list)-1)
		a.bodies = append(a.bodies, string(body))
		a.mu.Unlock()
		list[n](w, r)
	}))
	t.Cleanup(a.Close)
	return a
}

func (a *answers) got() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.bodies
}

func status(code int, header ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		for i := 0; i+1 < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.WriteHeader(code)
		_, _ = io.WriteString(w, http.StatusText(code))
	}
}

// hangUp takes the request and closes the connection without an answer.
func hangUp(w http.ResponseWriter, _ *http.Request) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err == nil {
		_ = conn.Close()
	}
}

// breakOff sends half an answer.
func breakOff(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Length", "1000")
	_, _ = io.WriteString(w, "half")
	_ = http.NewResponseController(w).Flush()
	hangUp(w, nil)
}

func send(ctx context.Context, t *testing.T, tr *Transport, method, url, body string) (*http.Response, error) {
	t.Helper()
	var reader io.Reader
	if body != "" {
		reader = strings.NewReader(body)
	}
	req, err := http.NewRequestWithContext(ctx, method, url, reader)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := tr.Client().Do(req)
	if err == nil {
		t.Cleanup(func() { _ = resp.Body.Close() })
	}
	return resp, err
}

// wantError checks the kind and that the chain holds a *directory.Error with the directory's name.
func wantError(t *testing.T, err error, kind directory.ErrorKind) *directory.Error {
	t.Helper()
	var e *directory.Error
	if !errors.As(err, &e) {
		t.Fatalf("got %v (%T), want a *directory.Error", err, err)
	}
	if e.Kind != kind || e.Directory != "staff" {
		t.Fatalf("got kind %v of %q (%v), want %v of \"staff\"", e.Kind, e.Directory, err, kind)
	}
	return e
}

func TestWhatBecomesOfAnAnswer(t *testing.T) {
	t.Parallel()
	const handedOver = directory.ErrorKind(255)
	tests := []struct {
		name     string
		method   string
		mark     bool
		answers  []http.HandlerFunc
		requests int
		status   int // of the answer handed over
		kind     directory.ErrorKind
		slept    time.Duration
	}{
		{name: "a good answer is handed over", method: "GET", answers: []http.HandlerFunc{status(200)}, requests: 1, status: 200, kind: handedOver},
		{name: "a refusal is handed over", method: "GET", answers: []http.HandlerFunc{status(404)}, requests: 1, status: 404, kind: handedOver},
		{name: "a read is repeated after 502", method: "GET", answers: []http.HandlerFunc{status(502), status(503), status(504), status(200)}, requests: 4, status: 200, kind: handedOver, slept: 3500 * time.Millisecond},
		{name: "a read is repeated after 500", method: "GET", answers: []http.HandlerFunc{status(500), status(200)}, requests: 2, status: 200, kind: handedOver, slept: 500 * time.Millisecond},
		{name: "the last 500 of a read is handed over", method: "GET", answers: []http.HandlerFunc{status(500)}, requests: 5, status: 500, kind: handedOver, slept: 7500 * time.Millisecond},
		{name: "a read gives up after five times 502", method: "GET", answers: []http.HandlerFunc{status(502)}, requests: 5, kind: directory.Retryable, slept: 7500 * time.Millisecond},
		{name: "a 500 on a write is handed over at once", method: "POST", answers: []http.HandlerFunc{status(500)}, requests: 1, status: 500, kind: handedOver},
		{name: "a 502 on a write is an unknown outcome", method: "POST", answers: []http.HandlerFunc{status(502)}, requests: 1, kind: directory.UnknownOutcome},
		{name: "a 503 without a time on a write is an unknown outcome", method: "PUT", answers: []http.HandlerFunc{status(503)}, requests: 1, kind: directory.UnknownOutcome},
		{name: "a 504 on a write is an unknown outcome", method: "DELETE", answers: []http.HandlerFunc{status(504)}, requests: 1, kind: directory.UnknownOutcome},
		{name: "a marked write is repeated after 502", method: "POST", mark: true, answers: []http.HandlerFunc{status(502), status(200)}, requests: 2, status: 200, kind: handedOver, slept: 500 * time.Millisecond},
		{name: "a marked write is retryable in the end", method: "POST", mark: true, answers: []http.HandlerFunc{status(502)}, requests: 5, kind: directory.Retryable, slept: 7500 * time.Millisecond},
		{name: "a throttled write waits", method: "POST", answers: []http.HandlerFunc{status(429, "Retry-After", "7"), status(201)}, requests: 2, status: 201, kind: handedOver, slept: 7 * time.Second},
		{name: "a 503 with a time waits", method: "POST", answers: []http.HandlerFunc{status(503, "Retry-After", "2"), status(201)}, requests: 2, status: 201, kind: handedOver, slept: 2 * time.Second},
		{name: "a date is waited for", method: "GET", answers: []http.HandlerFunc{status(429, "Retry-After", "Sun, 22 Nov 2026 03:00:30 GMT"), status(200)}, requests: 2, status: 200, kind: handedOver, slept: 30 * time.Second},
		{name: "a 429 without a time waits", method: "GET", answers: []http.HandlerFunc{status(429), status(429), status(200)}, requests: 3, status: 200, kind: handedOver, slept: 3 * time.Second},
		{name: "a date gone by waits all the same", method: "GET", answers: []http.HandlerFunc{status(429, "Retry-After", "Sun, 22 Nov 2026 02:00:00 GMT"), status(200)}, requests: 2, status: 200, kind: handedOver, slept: time.Second},
		{name: "throttling does not count as a try", method: "GET", answers: append(repeat(status(429, "Retry-After", "1"), 20), status(200)), requests: 21, status: 200, kind: handedOver, slept: 20 * time.Second},
		{name: "nor against the tries of another trouble", method: "GET", answers: append(repeat(status(429, "Retry-After", "1"), 10), status(502), status(200)), requests: 12, status: 200, kind: handedOver, slept: 10500 * time.Millisecond},
		{name: "throttling is bounded by patience", method: "POST", answers: []http.HandlerFunc{status(429, "Retry-After", "100")}, requests: 4, kind: directory.Throttled, slept: 300 * time.Second},
		{name: "throttling without a time is bounded too", method: "GET", answers: []http.HandlerFunc{status(429)}, requests: 10, kind: directory.Throttled, slept: 243 * time.Second},
		{name: "a read is repeated when the line was cut", method: "GET", answers: []http.HandlerFunc{hangUp, status(200)}, requests: 2, status: 200, kind: handedOver, slept: 500 * time.Millisecond},
		{name: "a write is not", method: "POST", answers: []http.HandlerFunc{hangUp}, requests: 1, kind: directory.UnknownOutcome},
		{name: "a read is repeated when the answer broke off", method: "GET", answers: []http.HandlerFunc{breakOff, status(200)}, requests: 2, status: 200, kind: handedOver, slept: 500 * time.Millisecond},
		{name: "a read gives up when every answer breaks off", method: "GET", answers: []http.HandlerFunc{breakOff}, requests: 5, kind: directory.Retryable, slept: 7500 * time.Millisecond},
		{name: "a write whose answer broke off is unknown", method: "PUT", answers: []http.HandlerFunc{breakOff}, requests: 1, kind: directory.UnknownOutcome},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			server := serve(t, test.answers...)
			o, clock := options()
			tr := New(o)
			ctx := t.Context()
			if test.mark {
				ctx = Repeatable(ctx)
			}
			body := ""
			if test.method != "GET" && test.method != "DELETE" {
				body = "the body"
			}
			resp, err := send(ctx, t, tr, test.method, server.URL+"/x", body)
			if test.kind != handedOver {
				wantError(t, err, test.kind)
			} else {
				if err != nil {
					t.Fatal(err)
				}
				text, err := io.ReadAll(resp.Body)
				if resp.StatusCode != test.status || err != nil || string(text) != http.StatusText(test.status) {
					t.Errorf("got %s with body %q (%v), want %d and its text", resp.Status, text, err, test.status)
				}
			}
			if got := server.got(); len(got) != test.requests || tr.Requests() != int64(test.requests) {
				t.Errorf("the server got %d requests, the counter says %d, want %d", len(got), tr.Requests(), test.requests)
			}
			for i, got := range server.got() {
				if got != body {
					t.Errorf("try %d had the body %q, want %q", i+1, got, body)
				}
			}
			if got := clock.total(); got != test.slept {
				t.Errorf("waited %v in all (%v), want %v", got, clock.slept, test.slept)
			}
		})
	}
}

func repeat(h http.HandlerFunc, n int) (list []http.HandlerFunc) {
	for range n {
		list = append(list, h)
	}
	return list
}

func TestThrottledBeyondPatienceTellsTheWait(t *testing.T) {
	t.Parallel()
	server := serve(t, status(429, "Retry-After", "3600"), status(200))
	o, clock := options()
	tr := New(o)
	_, err := send(t.Context(), t, tr, "POST", server.URL, "x")
	if e := wantError(t, err, directory.Throttled); e.Wait != time.Hour {
		t.Errorf("Wait is %v, want 1h", e.Wait)
	}
	// The pause holds for everybody: the next request is told without being sent, and goes out when it is over.
	_, err = send(t.Context(), t, tr, "GET", server.URL, "")
	if e := wantError(t, err, directory.Throttled); e.Wait != time.Hour {
		t.Errorf("the next request's Wait is %v, want 1h", e.Wait)
	}
	if n := tr.Requests(); n != 1 {
		t.Errorf("%d requests were sent during the pause, want 1 before it", n)
	}
	if err := clock.Sleep(t.Context(), time.Hour); err != nil {
		t.Fatal(err)
	}
	if _, err := send(t.Context(), t, tr, "GET", server.URL, ""); err != nil {
		t.Errorf("after the pause: %v", err)
	}
}

func TestNothingIsSentOnceCancelled(t *testing.T) {
	t.Parallel()
	server := serve(t, status(200))
	o, _ := options()
	tr := New(o)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, method := range []string{"GET", "POST"} {
		_, err := tr.RoundTrip(httptest.NewRequestWithContext(ctx, method, server.URL, nil))
		wantError(t, err, directory.Retryable)
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v does not say that it was cancelled", method, err)
		}
	}
	if len(server.got()) != 0 || tr.Requests() != 0 {
		t.Errorf("%d requests were sent, want none", len(server.got()))
	}
}

func TestAWriteThatIsCancelledUnderWayIsUnknown(t *testing.T) {
	t.Parallel()
	arrived, release := make(chan struct{}), make(chan struct{})
	server := serve(t, func(http.ResponseWriter, *http.Request) { close(arrived); <-release })
	defer close(release)
	o, _ := options()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go func() { <-arrived; cancel() }()
	_, err := send(ctx, t, New(o), "POST", server.URL, "x")
	wantError(t, err, directory.UnknownOutcome)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("%v does not say that it was cancelled", err)
	}
}

func TestATryIsBoundedInTime(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	hang := func(http.ResponseWriter, *http.Request) { <-release }
	server := serve(t, hang, status(200), hang)
	defer close(release)
	o, _ := options()
	o.Timeout = 50 * time.Millisecond
	tr := New(o)
	if _, err := send(t.Context(), t, tr, "GET", server.URL, ""); err != nil {
		t.Errorf("a read is repeated after its time: %v", err)
	}
	_, err := send(t.Context(), t, tr, "POST", server.URL, "x")
	wantError(t, err, directory.UnknownOutcome)
}

func TestAWriteThatNeverLeftIsRepeated(t *testing.T) {
	t.Parallel()
	server := serve(t, status(201))
	o, _ := options()
	var failures atomic.Int32
	o.Base = roundTripper(func(req *http.Request) (*http.Response, error) {
		if trace := httptrace.ContextClientTrace(req.Context()); failures.Add(1) <= 2 {
			trace.GetConn("x")
			return nil, errors.New("connection refused")
		}
		return http.DefaultTransport.RoundTrip(req)
	})
	resp, err := send(t.Context(), t, New(o), "POST", server.URL, "the body")
	if err != nil || resp.StatusCode != 201 {
		t.Fatalf("got %v, %v; want 201 at the third try", resp, err)
	}
	if got := server.got(); len(got) != 1 || got[0] != "the body" {
		t.Errorf("the server got %q", got)
	}
}

func TestAWriteThroughABaseThatTellsNothingIsUnknown(t *testing.T) {
	t.Parallel()
	o, _ := options()
	o.Base = roundTripper(func(*http.Request) (*http.Response, error) { return nil, errors.New("something") })
	tr := New(o)
	_, err := send(t.Context(), t, tr, "POST", "http://127.0.0.1/", "x")
	wantError(t, err, directory.UnknownOutcome)
	if tr.Requests() != 1 {
		t.Errorf("sent %d times, want once", tr.Requests())
	}
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }

func TestAnUnreachableServerIsNamedWithARemedy(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.NotFoundHandler())
	server.Close()
	o, _ := options()
	tr := New(o)
	_, err := send(t.Context(), t, tr, "POST", server.URL, "x")
	e := wantError(t, err, directory.Retryable)
	if !strings.Contains(e.Remedy, "check the address") || tr.Requests() != 5 {
		t.Errorf("remedy %q after %d tries", e.Remedy, tr.Requests())
	}
}

func TestBodiesAreReplayedWithoutGetBody(t *testing.T) {
	t.Parallel()
	large := bytes.Repeat([]byte("x"), maxReplay+1)
	for _, test := range []struct {
		name  string
		body  []byte
		tries int
		code  int
	}{{"a small one is sent again", []byte("small"), 2, 200}, {"a large one is sent once, and the refusal handed over", large, 1, 429}} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			server := serve(t, status(429), status(200))
			o, _ := options()
			body := &closeWatch{Reader: bytes.NewReader(test.body)}
			req, err := http.NewRequestWithContext(t.Context(), "POST", server.URL, body)
			if err != nil {
				t.Fatal(err)
			}
			resp, err := New(o).RoundTrip(req)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = resp.Body.Close() }()
			got := server.got()
			if len(got) != test.tries || resp.StatusCode != test.code {
				t.Fatalf("sent %d times with the end %s, want %d and %d", len(got), resp.Status, test.tries, test.code)
			}
			for i := range got {
				if got[i] != string(test.body) {
					t.Errorf("try %d carried %d bytes, want %d", i+1, len(got[i]), len(test.body))
				}
			}
			if !body.closed.Load() {
				t.Error("the body was not closed")
			}
		})
	}
}

type closeWatch struct {
	io.Reader
	closed atomic.Bool
}

func (c *closeWatch) Close() error { c.closed.Store(true); return nil }
