package transport

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptrace"
	"sync/atomic"

	"github.com/rollcall-sync/rollcall/sync/directory"
)

// lost is a verdict of our own: an error, or an answer that tells nothing, which is not to be repeated.
const lost Verdict = -1

// result is what one try came to.
type result struct {
	resp  *http.Response
	body  []byte // the answer's beginning
	rest  *rest  // what follows it
	err   error
	write bool // not repeatable after its answer was lost
	// brokenRest makes the error of a large answer that breaks off while the caller reads it.
	brokenRest func(cause error) error

	// unsent is set where the request was never begun. The other two are set from the goroutines of the connection.
	unsent         bool
	asked, written atomic.Bool
}

// watch returns the hooks that tell how far a request was written. A new connection after the first begins anew: net/http
// only asks for one when nothing of the request was processed.
func (r *result) watch() *httptrace.ClientTrace {
	return &httptrace.ClientTrace{
		GetConn:      func(string) { r.asked.Store(true); r.written.Store(false) },
		WroteHeaders: func() { r.written.Store(true) },
		WroteRequest: func(info httptrace.WroteRequestInfo) { r.written.Store(true) },
	}
}

// maybeSent reports whether the server may have got the request. A base that calls no hooks tells nothing, so it may.
func (r *result) maybeSent() bool {
	return !r.unsent && (r.resp != nil || r.written.Load() || !r.asked.Load())
}

// cause returns what went wrong as an error.
func (r *result) cause() error {
	if r.err != nil {
		return r.err
	}
	return fmt.Errorf("the server answered %s", r.resp.Status)
}

// judge decides what becomes of a try.
func (c *call) judge(r *result) Verdict {
	if r.err != nil {
		return c.judgeError(r)
	}
	if classify := c.transport.options.Classify; classify != nil {
		var body []byte
		if r.resp.StatusCode >= http.StatusBadRequest {
			body = r.body[:min(len(r.body), maxClassify)]
		}
		if verdict := classify(c.req, r.resp, body); verdict != Default {
			return c.repeatOnce(verdict)
		}
	}
	switch status := r.resp.StatusCode; status {
	case http.StatusTooManyRequests:
		return c.repeatOnce(Throttle)
	case http.StatusServiceUnavailable:
		if r.resp.Header.Get("Retry-After") != "" {
			return c.repeatOnce(Throttle)
		}
		fallthrough
	case http.StatusBadGateway, http.StatusGatewayTimeout:
		if r.write || c.once {
			return lost
		}
		return Retry
	case http.StatusInternalServerError:
		// The vendor's own words on a 500 are worth more than ours, so the caller gets the last one.
		if r.write || c.once || c.tries+1 >= c.transport.options.Tries {
			return Pass
		}
		return Retry
	default:
		return Pass
	}
}

// repeatOnce turns a verdict that repeats into Pass for a body that cannot be sent again.
func (c *call) repeatOnce(verdict Verdict) Verdict {
	if c.once && (verdict == Retry || verdict == Throttle) {
		return Pass
	}
	return verdict
}

// judgeError decides what becomes of a try without a whole answer.
func (c *call) judgeError(r *result) Verdict {
	switch {
	case c.req.Context().Err() != nil, r.unsent, c.once, isCertificate(r.err):
		return lost
	case r.write && r.maybeSent():
		return lost
	default:
		return Retry
	}
}

// lostKind returns the kind of the error that ends a call after r.
func (c *call) lostKind(r *result) directory.ErrorKind {
	switch {
	case isCertificate(r.err):
		return directory.Auth
	case r.write && r.maybeSent():
		return directory.UnknownOutcome
	default:
		return directory.Retryable
	}
}

// fail returns the error of the whole call. Op names method and host only: paths and queries may hold personal data.
func (c *call) fail(kind directory.ErrorKind, cause error) *directory.Error {
	if c.last != nil && !errors.Is(cause, c.last) {
		cause = fmt.Errorf("%w (before that: %w)", cause, c.last)
	}
	return &directory.Error{
		Kind: kind, Op: c.req.Method + " " + c.req.URL.Host, Directory: c.transport.options.Directory,
		Remedy: remedy(cause, c.req.URL.Hostname()), Err: cause,
	}
}

// isCertificate reports whether the server could not prove who it is.
func isCertificate(err error) bool {
	var verification *tls.CertificateVerificationError
	var authority x509.UnknownAuthorityError
	var name x509.HostnameError
	var invalid x509.CertificateInvalidError
	return errors.As(err, &verification) || errors.As(err, &authority) || errors.As(err, &name) || errors.As(err, &invalid)
}

// remedy tells an administrator what to do about a network error; empty where nothing sensible can be said.
func remedy(err error, host string) string {
	var dns *net.DNSError
	var op *net.OpError
	var record tls.RecordHeaderError
	switch {
	case errors.Is(err, context.Canceled):
		return ""
	case isCertificate(err):
		return "give " + host + " a certificate that this machine trusts, or add its authority to the system's store; TLS is always verified"
	case errors.As(err, &record):
		return "the server does not speak TLS there: check the scheme and port of the address"
	case errors.As(err, &dns):
		return "check the address: the name " + host + " could not be looked up"
	case errors.As(err, &op) && op.Op == "dial":
		return "check the address, and that " + host + " is up and reachable from this machine"
	default:
		return ""
	}
}
