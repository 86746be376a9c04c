package transport

import (
	"crypto/x509"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rollcall-sync/rollcall/sync/directory"
)

func TestCertificatesAreAlwaysVerified(t *testing.T) {
	t.Parallel()
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	server.Config.ErrorLog = log.New(io.Discard, "", 0) // it complains of the refused handshake
	server.StartTLS()
	t.Cleanup(server.Close)
	o, clock := options()
	tr := New(o)
	_, err := send(t.Context(), t, tr, "POST", server.URL, "x")
	e := wantError(t, err, directory.Auth)
	var unknown x509.UnknownAuthorityError
	if !errors.As(err, &unknown) || !strings.Contains(e.Remedy, "certificate") || tr.Requests() != 1 || clock.total() != 0 {
		t.Errorf("got %v after %d tries and %v", err, tr.Requests(), clock.total())
	}
	o.Base = server.Client().Transport
	if _, err := send(t.Context(), t, New(o), "POST", server.URL, "x"); err != nil {
		t.Errorf("with a trusted certificate: %v", err)
	}
}

func TestRedirects(t *testing.T) {
	t.Parallel()
	other := serve(t, status(200))
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/here":
			http.Redirect(w, r, "/there", http.StatusFound)
		case "/kept":
			http.Redirect(w, r, "/there", http.StatusTemporaryRedirect)
		case "/away":
			http.Redirect(w, r, other.URL+"/?token=hidden", http.StatusTemporaryRedirect)
		case "/round":
			http.Redirect(w, r, "/round", http.StatusFound)
		default:
			body, _ := io.ReadAll(r.Body)
			_, _ = io.WriteString(w, r.Method+" "+string(body))
		}
	}))
	t.Cleanup(server.Close)
	for _, test := range []struct{ name, method, path, body, want, fault string }{
		{"within the host", "GET", "/here", "", "GET ", ""},
		{"a write keeps method and body", "POST", "/kept", "x", "POST x", ""},
		{"a write that would become a read", "POST", "/here", "x", "", "would be lost"},
		{"to another host", "GET", "/away", "", "", "another host"},
		{"in a circle", "GET", "/round", "", "", "redirected 5 times"},
	} {
		t.Run(test.name, func(t *testing.T) {
			o, _ := options()
			resp, err := send(t.Context(), t, New(o), test.method, server.URL+test.path, test.body)
			if test.fault != "" {
				e := wantError(t, err, directory.Auth)
				if !strings.Contains(e.Error(), test.fault) || !strings.Contains(e.Remedy, "http://127.0.0.1") || strings.Contains(e.Error(), "hidden") {
					t.Errorf("the error is %v", e)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if body, _ := io.ReadAll(resp.Body); string(body) != test.want {
				t.Errorf("got %q, want %q", body, test.want)
			}
		})
	}
	if len(other.got()) != 0 {
		t.Error("the other host was called")
	}
}

func TestASecureAddressIsNotLeft(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		from, to string
		fine     bool
	}{
		{"https://example.com/a", "https://example.com/b", true},
		{"http://example.com/a", "https://example.com/a", true},
		{"http://example.com:80/", "https://example.com:443/", true},
		{"https://example.com/a", "http://example.com/a", false},
		{"https://example.com/", "https://www.example.com/", false},
		{"https://example.com/", "https://example.com:8443/", false},
		{"http://example.com:8080/", "https://example.com/", false},
	} {
		from, to := httptest.NewRequest("GET", test.from, nil), httptest.NewRequest("GET", test.to, nil)
		if err := New(Options{}).checkRedirect(to, []*http.Request{from}); (err == nil) != test.fine {
			t.Errorf("%s to %s: %v, want it followed: %t", test.from, test.to, err, test.fine)
		}
	}
}

func TestAConnectionIsNotUsedAgainAfterAnAnswerThatBrokeOff(t *testing.T) {
	t.Parallel()
	var connections atomic.Int32
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/broken" && connections.Load() == 1 {
			breakOff(w, r)
		}
	}))
	server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			connections.Add(1)
		}
	}
	server.Start()
	t.Cleanup(server.Close)
	o, _ := options()
	tr := New(o)
	for _, step := range []struct {
		path string
		want int32
	}{{"/", 1}, {"/", 1}, {"/broken", 2}, {"/", 2}} {
		if _, err := send(t.Context(), t, tr, "GET", server.URL+step.path, ""); err != nil {
			t.Fatal(err)
		}
		if got := connections.Load(); got != step.want {
			t.Errorf("after %s there were %d connections, want %d", step.path, got, step.want)
		}
	}
	tr.CloseIdleConnections()
}

func TestClassifyOverrules(t *testing.T) {
	t.Parallel()
	verdicts := func(req *http.Request, resp *http.Response, body []byte) Verdict {
		switch {
		case resp.StatusCode < 400 && body != nil:
			t.Errorf("a good answer came with the body %q", body)
		case strings.Contains(string(body), "rateLimitExceeded"):
			resp.Header.Set("Retry-After", "9")
			return Throttle
		case strings.Contains(string(body), "backendError"):
			return Retry
		case resp.StatusCode == http.StatusBadGateway:
			return Pass
		}
		return Default
	}
	say := func(code int, text string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(code)
			_, _ = io.WriteString(w, text)
		}
	}
	for _, test := range []struct {
		name    string
		answers []http.HandlerFunc
		status  int
		kind    directory.ErrorKind
		tries   int
		slept   time.Duration
	}{
		{"throttled by a 403", []http.HandlerFunc{say(403, "rateLimitExceeded"), say(200, "ok")}, 200, 0, 2, 9 * time.Second},
		{"a write that did nothing is sent again", []http.HandlerFunc{say(500, "backendError"), say(200, "ok")}, 200, 0, 2, 500 * time.Millisecond},
		{"and is retryable in the end", []http.HandlerFunc{say(500, "backendError")}, 0, directory.Retryable, 5, 7500 * time.Millisecond},
		{"an answer is passed on", []http.HandlerFunc{say(502, "the vendor's own")}, 502, 0, 1, 0},
		{"the default stands", []http.HandlerFunc{say(504, "x")}, 0, directory.UnknownOutcome, 1, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			server := serve(t, test.answers...)
			o, clock := options()
			o.Classify = verdicts
			resp, err := send(t.Context(), t, New(o), "POST", server.URL, "x")
			switch {
			case test.status == 0:
				wantError(t, err, test.kind)
			case err != nil:
				t.Fatal(err)
			case resp.StatusCode != test.status:
				t.Errorf("got %s, want %d", resp.Status, test.status)
			}
			if len(server.got()) != test.tries || clock.total() != test.slept {
				t.Errorf("%d tries and %v, want %d and %v", len(server.got()), clock.total(), test.tries, test.slept)
			}
		})
	}
}

func TestOptionsReplaceTheDefaults(t *testing.T) {
	t.Parallel()
	server := serve(t, status(502))
	o, clock := options()
	o.Tries, o.Repeatable = 3, func(*http.Request) bool { return true }
	o.Rand = func() float64 { return 0.5 }
	tr := New(o)
	_, err := send(t.Context(), t, tr, "POST", server.URL, "x")
	wantError(t, err, directory.Retryable)
	if tr.Requests() != 3 || clock.total() != 750*time.Millisecond {
		t.Errorf("%d tries and %v, want 3 and half of the bounds of 500ms and 1s", tr.Requests(), clock.total())
	}
	o, _ = options()
	o.Patience = time.Second
	tr = New(o)
	_, err = send(t.Context(), t, tr, "GET", server.URL, "")
	wantError(t, err, directory.Retryable)
	if tr.Requests() != 2 {
		t.Errorf("%d tries within a second of patience, want 2", tr.Requests())
	}
}

func TestRetryAfter(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 22, 3, 0, 0, 0, time.UTC)
	for text, want := range map[string]time.Duration{
		"": 0, "0": 0, "-5": 0, "soon": 0, "NaN": 0, "120": 2 * time.Minute, " 3 ": 3 * time.Second, "1.5": 1500 * time.Millisecond,
		"1e300": 100 * 365 * 24 * time.Hour, "Sun, 22 Nov 2026 03:00:10 GMT": 10 * time.Second, "Sun, 22 Nov 2026 02:00:00 GMT": 0,
		"Sunday, 22-Nov-26 03:01:00 GMT": time.Minute,
	} {
		if got := retryAfter(http.Header{"Retry-After": {text}}, now); got != want {
			t.Errorf("%q is %v, want %v", text, got, want)
		}
	}
}

func TestSettingsAreTakenOver(t *testing.T) {
	t.Parallel()
	o, clock := options()
	s := directory.Settings{Name: "staff", Base: http.DefaultTransport, Sleep: clock.Sleep, Now: clock.Now, Trace: o.Trace}
	got := FromSettings(s)
	if got.Directory != "staff" || got.Base != http.DefaultTransport || got.Sleep == nil || !got.Now().Equal(clock.Now()) {
		t.Errorf("got %+v", got)
	}
}
