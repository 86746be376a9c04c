package okta

import (
	"context"
	"math"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/rollcall-sync/rollcall/sync/directory/transport"
)

// The headers by which every answer tells what is left of its limit in this minute. Reset is in seconds since 1970 by
// Okta's clock, so it is read against the answer's own Date.
const (
	limitHeader     = "X-Rate-Limit-Limit"
	remainingHeader = "X-Rate-Limit-Remaining"
	resetHeader     = "X-Rate-Limit-Reset"
)

// longestRest bounds a rest that Okta did not ask for: limits are by the minute, and a header beyond that is mistaken.
const longestRest = 90 * time.Second

// limit is what one answer told.
type limit struct {
	size, left int
	until      time.Time // by our clock
}

// pacer rests before a limit bites. An org's limits are shared by all its applications, so a run that uses them up stops
// people from signing in elsewhere. Which calls share a limit is not documented for all, so each kind of call is
// watched by itself; those that share one see each other in what is left.
type pacer struct {
	share int // percent of a limit that may be used up
	now   func() time.Time
	sleep func(ctx context.Context, d time.Duration) error

	mu     sync.Mutex
	limits map[string]limit
}

func newPacer(share int, now func() time.Time, sleep func(ctx context.Context, d time.Duration) error) *pacer {
	return &pacer{share: share, now: now, sleep: sleep, limits: map[string]limit{}}
}

// await rests until the limit of a request is whole again, where the share of it is used up.
func (p *pacer) await(req *http.Request) error {
	if rest := p.take(kindOf(req)); rest > 0 {
		return p.sleep(req.Context(), rest)
	}
	return nil
}

// take counts one request, and returns how long it has to rest. What is left after the rest is learnt from the next answer.
func (p *pacer) take(kind string) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	known, ok := p.limits[kind]
	if !ok {
		return 0
	}
	usable := known.left - known.size*(100-p.share)/100
	known.left--
	p.limits[kind] = known
	if usable > 0 {
		return 0
	}
	return min(known.until.Sub(p.now()), longestRest)
}

// learn reads the headers of an answer. A limit of 0 is that of requests side by side, which has no minute.
func (p *pacer) learn(req *http.Request, resp *http.Response) {
	size, err1 := strconv.Atoi(resp.Header.Get(limitHeader))
	left, err2 := strconv.Atoi(resp.Header.Get(remainingHeader))
	if err1 != nil || err2 != nil || size <= 0 {
		return
	}
	rest, ok := untilReset(resp.Header, p.now())
	if !ok {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.limits[kindOf(req)] = limit{size: size, left: left, until: p.now().Add(rest)}
}

// untilReset returns how long a limit lasts yet, with a second for rounding.
func untilReset(header http.Header, now time.Time) (time.Duration, bool) {
	reset, err := strconv.ParseInt(header.Get(resetHeader), 10, 64)
	if err != nil {
		return 0, false
	}
	if date, err := http.ParseTime(header.Get("Date")); err == nil {
		now = date
	}
	return max(0, time.Unix(reset, 0).Sub(now)) + time.Second, true
}

// kindOf takes ids out of method and path: "GET users", "POST users/*/lifecycle/suspend".
func kindOf(req *http.Request) string {
	parts := strings.Split(strings.TrimPrefix(req.URL.Path, "/api/v1/"), "/")
	for i := range parts {
		if i > 0 && (parts[i-1] == "users" || parts[i-1] == "groups" || parts[i-1] == "clients") {
			parts[i] = "*"
		}
	}
	return req.Method + " " + strings.Join(parts, "/")
}

// classify reads the waiting time of a 429 the way Okta tells it. Where requests side by side were too many, Limit and
// Remaining are 0 and Reset is a guess, so a short rest of the transport's own does.
func classify(now func() time.Time) func(*http.Request, *http.Response, []byte) transport.Verdict {
	return func(_ *http.Request, resp *http.Response, _ []byte) transport.Verdict {
		if resp.StatusCode != http.StatusTooManyRequests {
			return transport.Default
		}
		if resp.Header.Get("Retry-After") == "" && resp.Header.Get(limitHeader) != "0" {
			if rest, ok := untilReset(resp.Header, now()); ok {
				resp.Header.Set("Retry-After", strconv.Itoa(int(math.Ceil(rest.Seconds()))))
			}
		}
		return transport.Throttle
	}
}
