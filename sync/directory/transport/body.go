package transport

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
)

type bodyReader = io.ReadCloser

// prepareBody sees to it that the request's body can be sent more than once: through GetBody, or by reading a small one
// into memory. A large body without GetBody is sent once and never repeated.
func (c *call) prepareBody() error {
	req := c.req
	c.length = req.ContentLength
	switch {
	case req.Body == nil || req.Body == http.NoBody:
		c.length = 0
		return nil
	case req.GetBody != nil:
		c.newBody = req.GetBody
		return nil
	}
	start, err := io.ReadAll(io.LimitReader(req.Body, maxReplay+1))
	if err != nil {
		return fmt.Errorf("the request's body could not be read: %w", err)
	}
	if len(start) > maxReplay {
		c.once = true
		c.newBody = func() (bodyReader, error) {
			return io.NopCloser(io.MultiReader(bytes.NewReader(start), req.Body)), nil
		}
		return nil
	}
	c.length = int64(len(start))
	c.newBody = func() (bodyReader, error) { return io.NopCloser(bytes.NewReader(start)), nil }
	return nil
}

// closeBody fulfils the duty of a RoundTripper to close the body whatever happens. Tries read from copies.
func (c *call) closeBody() {
	if c.req.Body != nil {
		_ = c.req.Body.Close() // it was only read; there is nothing to lose
	}
}

// attempt returns the request of one try: a copy with a fresh body.
func (c *call) attempt(ctx context.Context) (*http.Request, error) {
	req := c.req.Clone(ctx)
	req.Body, req.GetBody, req.ContentLength = nil, nil, 0
	if c.newBody == nil {
		return req, nil
	}
	body, err := c.newBody()
	if err != nil {
		return nil, fmt.Errorf("the request's body could not be read again: %w", err)
	}
	req.Body, req.ContentLength = body, c.length
	if !c.once {
		req.GetBody = c.newBody
	}
	return req, nil
}

// take reads the answer into memory, up to maxAnswer. The connection below is given back only after a whole body; one that
// broke off is closed by the pool.
func (r *result) take(resp *http.Response, cancel context.CancelFunc) {
	r.resp = resp
	var start bytes.Buffer
	if resp.ContentLength > 0 {
		start.Grow(int(min(resp.ContentLength, maxAnswer)) + bytes.MinRead)
	}
	n, err := start.ReadFrom(io.LimitReader(resp.Body, maxAnswer))
	r.body = start.Bytes()
	if err != nil {
		_ = resp.Body.Close() // already failed; the first error says more
		cancel()
		r.err = fmt.Errorf("the answer %q broke off: %w", resp.Status, err)
		return
	}
	if n == maxAnswer {
		r.rest = &rest{source: resp.Body, cancel: cancel, broken: r.brokenRest}
		resp.Body = struct {
			io.Reader
			io.Closer
		}{io.MultiReader(bytes.NewReader(r.body), r.rest), r.rest}
		return
	}
	_ = resp.Body.Close() // read to its end
	cancel()
	resp.Body = io.NopCloser(bytes.NewReader(r.body))
}

// discard lets go of an answer that is larger than memory and not wanted.
func (r *result) discard() {
	if r.rest != nil {
		_ = r.rest.Close() // unwanted
	}
}

// rest is the part of an answer that was not read into memory.
type rest struct {
	source  io.ReadCloser
	cancel  context.CancelFunc
	broken  func(cause error) error
	release func()
	once    sync.Once
}

// Read reads on; an error is a *directory.Error.
func (r *rest) Read(p []byte) (int, error) {
	n, err := r.source.Read(p)
	if err == nil {
		return n, nil
	}
	r.end()
	if errors.Is(err, io.EOF) {
		return n, io.EOF
	}
	return n, r.broken(fmt.Errorf("the answer broke off: %w", err))
}

// Close ends the request.
func (r *rest) Close() error {
	err := r.source.Close()
	r.end()
	return err
}

func (r *rest) end() {
	r.once.Do(func() {
		r.cancel()
		if r.release != nil {
			r.release()
		}
	})
}
