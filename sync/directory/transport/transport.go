// Package transport is the one HTTP layer below every connector and target: an [http.RoundTripper] that paces, bounds
// concurrency, obeys Retry-After, repeats what may be repeated, counts requests, and traces them with secrets blanked. It
// is the only layer that retries; the retries of vendor SDKs above it are switched off.
//
// What happens to one request:
//
//	cancelled already?  ── yes ──▶ error, nothing sent
//	wait for the shared pause (somebody was throttled), for the pace, for a free place
//	send one try, bounded by Timeout; read the answer into memory
//	   answer is fine, or a plain refusal (2xx, 3xx, 4xx, 500)      ─▶ handed to the caller
//	   throttled (429, 503 with Retry-After, or Classify says so)   ─▶ pause everybody, halve the concurrency, try again
//	   500, 502, 503, 504, broken answer; request is repeatable     ─▶ back off, try again
//	   502, 503, 504, broken answer; request is a write             ─▶ error UnknownOutcome
//	   network error, request not yet written                       ─▶ back off, try again
//	   network error afterwards                                     ─▶ as for a broken answer
//
// Backing off is bounded in tries and in time, throttling in time only: a slow directory is waited for as long as Patience
// lasts. The loop is written here and not taken from failsafe-go or go-retryablehttp, because whether a try may be repeated
// depends on how far it was written (httptrace), all clocks must be replaceable, and a throttled try has to pause its
// neighbours as well; neither library has a place for any of the three. Pacing is golang.org/x/time/rate.
package transport

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httptrace"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"

	"github.com/rollcall-sync/rollcall/sync/directory"
)

// Options configure a Transport. The zero value works.
type Options struct {
	// Directory is the configured name, for errors and the log.
	Directory string
	// Base sends one request; nil means a pool of its own with HTTP/2, keep-alive and TLS that is always verified.
	Base http.RoundTripper
	Log  *slog.Logger
	// Trace is called with each line of each request and answer, secrets blanked. It may be called from several
	// goroutines at once; the lines of one message come together in one call, separated by line feeds.
	Trace func(line string)
	// Sleep, Now and Rand replace time.Sleep, time.Now and rand.Float64. Sleep returns the context's error when that
	// ends first.
	Sleep func(ctx context.Context, d time.Duration) error
	Now   func() time.Time
	Rand  func() float64
	// Rate is the pace in requests per second, 0 for none; Burst how many may go at once after a rest, 0 means 1.
	Rate  float64
	Burst int
	// Concurrency is the most requests under way, 0 for no bound. Throttling halves it for a while.
	Concurrency int
	// Tries is how often a request is sent at most, throttled tries not counted; 0 means 5.
	Tries int
	// Patience is the longest total waiting for one request, pace and queue not counted; 0 means 5 minutes. A
	// Retry-After beyond what is left of it is the error Throttled with Wait.
	Patience time.Duration
	// Timeout bounds one try from the first byte out to the last byte in; 0 means 60 seconds.
	Timeout time.Duration
	// Classify may overrule the verdict on an answer. body is its beginning, up to 64 KiB, when the status is 400 or
	// above, else nil; the answer's own body stays readable. Where the vendor tells the waiting time in another way
	// than by Retry-After, Classify may set that header.
	Classify func(req *http.Request, resp *http.Response, body []byte) Verdict
	// Repeatable says whether a request may be sent again after its answer was lost. nil means GET, HEAD, OPTIONS and
	// requests whose context was marked by the function [Repeatable].
	Repeatable func(req *http.Request) bool
	// SecretHeaders and SecretFields are further names to blank in traces. Authorization, Cookie, password,
	// client_secret, token and the like are always blanked.
	SecretHeaders, SecretFields []string
}

// Verdict says what becomes of an answer.
type Verdict int

// The verdicts.
const (
	// Default leaves the decision to the table in the package comment.
	Default Verdict = iota
	// Pass hands the answer to the caller.
	Pass
	// Retry says that the server did nothing and that the request is safe to send again.
	Retry
	// Throttle says the same, and that the server wants fewer requests.
	Throttle
)

// The defaults and bounds. Answers are held in memory up to maxAnswer, so that one that breaks off half-way is noticed
// here, where it can be repeated; the rest of a larger one streams through.
const (
	defaultTries    = 5
	defaultPatience = 5 * time.Minute
	defaultTimeout  = time.Minute
	maxAnswer       = 8 << 20
	maxReplay       = 1 << 20
	maxClassify     = 64 << 10
)

// Transport is an http.RoundTripper; see the package comment. It is safe for concurrent use.
type Transport struct {
	options  Options
	base     http.RoundTripper
	pace     *rate.Limiter // nil for none
	gate     *gate
	trace    *tracer // nil for none
	requests atomic.Int64

	mu    sync.Mutex
	pause time.Time // nobody sends before
}

// New returns a Transport.
func New(o Options) *Transport {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Sleep == nil {
		o.Sleep = sleep
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Rand == nil {
		o.Rand = rand.Float64
	}
	if o.Tries <= 0 {
		o.Tries = defaultTries
	}
	if o.Patience <= 0 {
		o.Patience = defaultPatience
	}
	if o.Timeout <= 0 {
		o.Timeout = defaultTimeout
	}
	if o.Repeatable == nil {
		o.Repeatable = isRepeatable
	}
	t := &Transport{options: o, base: o.Base, gate: newGate(o.Concurrency)}
	if t.base == nil {
		t.base = newBase(o.Concurrency)
	}
	if o.Rate > 0 {
		t.pace = rate.NewLimiter(rate.Limit(o.Rate), max(1, o.Burst))
	}
	if o.Trace != nil {
		t.trace = newTracer(o.Trace, o.SecretHeaders, o.SecretFields)
	}
	return t
}

// FromSettings returns Options with the surroundings that a directory was opened with.
func FromSettings(s directory.Settings) Options {
	return Options{Directory: s.Name, Base: s.Base, Log: s.Log, Trace: s.Trace, Sleep: s.Sleep, Now: s.Now}
}

// Requests returns how many requests were sent, each try counted.
func (t *Transport) Requests() int64 { return t.requests.Load() }

// CloseIdleConnections closes connections that wait for the next request.
func (t *Transport) CloseIdleConnections() {
	if base, ok := t.base.(interface{ CloseIdleConnections() }); ok {
		base.CloseIdleConnections()
	}
}

type repeatableKey struct{}

// Repeatable marks the requests made with the context as harmless to send twice (a search by POST, a request for a token):
// a lost answer is retried, and is Retryable in the end, never UnknownOutcome.
func Repeatable(ctx context.Context) context.Context {
	return context.WithValue(ctx, repeatableKey{}, true)
}

func isRepeatable(req *http.Request) bool {
	marked, _ := req.Context().Value(repeatableKey{}).(bool)
	return marked || isRead(req.Method)
}

func isRead(method string) bool {
	switch method {
	case "", http.MethodGet, http.MethodHead, http.MethodOptions:
		return true
	default:
		return false
	}
}

// RoundTrip sends one request as described in the package comment. Its errors are [*directory.Error]; behind an
// http.Client they are found with errors.As.
func (t *Transport) RoundTrip(req *http.Request) (*http.Response, error) {
	c := &call{transport: t, req: req}
	defer c.closeBody()
	if err := c.prepareBody(); err != nil {
		return nil, c.fail(directory.Retryable, err)
	}
	for {
		done, resp, err := c.try()
		if done {
			return resp, err
		}
	}
}

// call is one request with what is known of its tries so far.
type call struct {
	transport *Transport
	req       *http.Request
	newBody   func() (bodyReader, error) // nil for no body
	length    int64                      // of the body
	once      bool                       // the body can be sent only once
	tries     int                        // sent, throttled ones not counted
	throttled int
	waited    time.Duration
	last      error // why the last try was not the final one
}

// try waits for its turn, sends the request once, and either comes to an end (done) or has waited for the next try.
func (c *call) try() (done bool, resp *http.Response, err error) {
	t, ctx := c.transport, c.req.Context()
	if err := ctx.Err(); err != nil {
		return true, nil, c.fail(directory.Retryable, err)
	}
	if err := c.awaitTurn(ctx); err != nil {
		return true, nil, err
	}
	epoch, err := t.gate.enter(ctx)
	if err != nil {
		return true, nil, c.fail(directory.Retryable, err)
	}
	result := c.send(ctx)
	verdict := c.judge(result)
	if verdict == Throttle {
		t.gate.shrink(epoch)
	} else if result.err == nil {
		t.gate.grow()
	}
	if verdict == Pass && result.rest != nil {
		result.rest.release = t.gate.leave
		return true, result.resp, nil
	}
	result.discard()
	t.gate.leave()
	switch verdict {
	case Pass:
		return true, result.resp, nil
	case Throttle:
		err = c.slowDown(result)
	case Retry:
		err = c.backOff(ctx, result)
	default:
		err = c.fail(c.lostKind(result), result.cause())
	}
	return err != nil, nil, err
}

// send sends one try and reads the answer into memory.
func (c *call) send(ctx context.Context) *result {
	t := c.transport
	ctx, cancel := context.WithTimeout(ctx, t.options.Timeout)
	r := &result{write: !t.options.Repeatable(c.req)}
	r.brokenRest = func(cause error) error { return c.fail(c.lostKind(r), cause) }
	req, err := c.attempt(httptrace.WithClientTrace(ctx, r.watch()))
	if err != nil {
		cancel()
		r.err, r.unsent = err, true
		return r
	}
	number := t.requests.Add(1)
	t.trace.request(number, req, c.newBody)
	resp, err := t.base.RoundTrip(req)
	if err != nil {
		cancel()
		r.err = err
		t.trace.failure(number, err)
		return r
	}
	r.take(resp, cancel)
	if r.err == nil {
		c.blankEcho(r)
	}
	if r.err != nil {
		t.trace.failure(number, r.err)
	} else if t.trace != nil {
		t.trace.answer(number, resp, c.blanked(r.body), r.rest != nil)
	}
	return r
}
