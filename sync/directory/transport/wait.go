package transport

import (
	"context"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/rollcall-sync/rollcall/sync/directory"
)

// The bounds of waiting. Backing off uses full jitter: anything from nothing to the bound, which doubles with each try.
// Throttling without a time keeps half of the bound fixed, so that patience does run out.
const (
	firstBackOff  = 500 * time.Millisecond
	maxBackOff    = 30 * time.Second
	firstThrottle = time.Second
	maxThrottle   = time.Minute
)

// sleep is the Sleep of real life.
func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

// doubled returns first times two to the power of n, at most limit.
func doubled(first, limit time.Duration, n int) time.Duration {
	if n > 20 { // far beyond any limit here, and far from overflow
		return limit
	}
	return min(first<<n, limit)
}

// awaitTurn waits until nobody is paused and the pace allows one more request.
func (c *call) awaitTurn(ctx context.Context) error {
	t := c.transport
	if wait := t.pauseLeft(); wait > 0 {
		if wait > t.options.Patience-c.waited {
			e := c.fail(directory.Throttled, c.lastOr(errPaused))
			e.Wait = wait
			return e
		}
		c.waited += wait
		if err := t.options.Sleep(ctx, wait); err != nil {
			return c.fail(directory.Retryable, err)
		}
	}
	if t.pace == nil {
		return nil
	}
	now := t.options.Now()
	reservation := t.pace.ReserveN(now, 1)
	if wait := reservation.DelayFrom(now); wait > 0 {
		if err := t.options.Sleep(ctx, wait); err != nil {
			reservation.CancelAt(t.options.Now())
			return c.fail(directory.Retryable, err)
		}
	}
	return nil
}

// pauseLeft returns how long everybody has still to wait after somebody was throttled.
func (t *Transport) pauseLeft() time.Duration {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.pause.Sub(t.options.Now())
}

// pauseFor lengthens the pause to d from now, if it is not that long already.
func (t *Transport) pauseFor(d time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if until := t.options.Now().Add(d); until.After(t.pause) {
		t.pause = until
	}
}

// slowDown pauses everybody; the waiting itself is done before the next try. It returns an error when patience is over.
func (c *call) slowDown(r *result) error {
	t := c.transport
	c.last = r.cause()
	wait := retryAfter(r.resp.Header, t.options.Now())
	if wait <= 0 {
		bound := doubled(firstThrottle, maxThrottle, c.throttled)
		wait = bound/2 + time.Duration(t.options.Rand()*float64(bound/2))
	}
	c.throttled++
	t.pauseFor(wait)
	t.options.Log.Info("throttled", "directory", t.options.Directory, "op", c.req.Method, "status", r.resp.StatusCode, "wait", wait)
	if wait > t.options.Patience-c.waited {
		e := c.fail(directory.Throttled, c.last)
		e.Wait = wait
		return e
	}
	return nil
}

// backOff waits for the next try. It returns an error when tries or patience are over: Retryable, as it is only asked where
// sending again is safe.
func (c *call) backOff(ctx context.Context, r *result) error {
	t := c.transport
	c.tries++
	cause := r.cause()
	wait := time.Duration(t.options.Rand() * float64(doubled(firstBackOff, maxBackOff, c.tries-1)))
	if hint := r.hint(t.options.Now()); hint > wait {
		wait = hint
	}
	if c.tries >= t.options.Tries || wait > t.options.Patience-c.waited {
		c.last = nil
		return c.fail(directory.Retryable, gaveUp(c.tries, cause))
	}
	c.last = cause
	c.waited += wait
	t.options.Log.Debug("trying again", "directory", t.options.Directory, "op", c.req.Method, "try", c.tries, "wait", wait, "cause", cause)
	if err := t.options.Sleep(ctx, wait); err != nil {
		return c.fail(directory.Retryable, err)
	}
	return nil
}

// hint returns what the answer, if there is one, says about waiting.
func (r *result) hint(now time.Time) time.Duration {
	if r.resp == nil {
		return 0
	}
	return retryAfter(r.resp.Header, now)
}

// retryAfter reads Retry-After in both its forms, seconds and date (RFC 9110, section 10.2.3); 0 where there is none, it
// makes no sense, or is over.
func retryAfter(header http.Header, now time.Time) time.Duration {
	text := strings.TrimSpace(header.Get("Retry-After"))
	if text == "" {
		return 0
	}
	if seconds, err := strconv.ParseFloat(text, 64); err == nil {
		if math.IsNaN(seconds) || seconds <= 0 {
			return 0
		}
		const century = 100 * 365 * 24 * 3600
		return time.Duration(min(seconds, century) * float64(time.Second))
	}
	at, err := http.ParseTime(text)
	if err != nil {
		return 0
	}
	return max(0, at.Sub(now))
}
