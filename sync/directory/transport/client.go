package transport

import (
	"cmp"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"time"

	"github.com/rollcall-sync/rollcall/sync/directory"
)

var errPaused = errors.New("the server asked for a pause that is not over")

func (c *call) lastOr(err error) error {
	if c.last != nil {
		last := c.last
		c.last = nil
		return last
	}
	return err
}

func gaveUp(tries int, cause error) error {
	if tries == 1 {
		return cause
	}
	return fmt.Errorf("gave up after %d tries: %w", tries, cause)
}

// newBase returns a connection pool. Certificates are always verified; there is no switch.
func newBase(concurrency int) *http.Transport {
	dialer := &net.Dialer{Timeout: 15 * time.Second, KeepAlive: 30 * time.Second}
	return &http.Transport{
		Proxy: http.ProxyFromEnvironment, DialContext: dialer.DialContext, ForceAttemptHTTP2: true,
		TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12}, TLSHandshakeTimeout: 15 * time.Second,
		MaxIdleConns: 64, MaxIdleConnsPerHost: max(8, concurrency), IdleConnTimeout: 30 * time.Second,
		ExpectContinueTimeout: time.Second,
	}
}

const maxRedirects = 5

// Client returns an http.Client on this transport. It follows redirects within one host only, never from https to http,
// and never where the redirect would turn a write into a read: the server would answer 200 and nothing would be written.
// A refused redirect is Auth, the kind that stops the directory: every other request would go the same way.
func (t *Transport) Client() *http.Client {
	return &http.Client{Transport: t, CheckRedirect: t.checkRedirect}
}

func (t *Transport) checkRedirect(req *http.Request, via []*http.Request) error {
	first, last := via[0], via[len(via)-1]
	method := cmp.Or(first.Method, http.MethodGet)
	// Error texts name scheme and host only: a path or query may hold personal data or a secret.
	var cause error
	switch {
	case last.URL.Scheme == "https" && req.URL.Scheme != "https":
		cause = fmt.Errorf("the server redirects from https to %s", req.URL.Scheme)
	case !sameHost(last.URL, req.URL):
		cause = fmt.Errorf("the server redirects to another host, %s", req.URL.Host)
	case req.Method != method:
		cause = fmt.Errorf("the server redirects a %s, which would be lost on the way", method)
	case len(via) >= maxRedirects:
		cause = fmt.Errorf("the server redirected %d times", len(via))
	default:
		return nil
	}
	return &directory.Error{
		Kind: directory.Auth, Op: method + " " + first.URL.Host, Directory: t.options.Directory, Err: cause,
		Remedy: "put the address that the server redirects to into the configuration: " + req.URL.Scheme + "://" + req.URL.Host,
	}
}

// sameHost reports whether both addresses are one server. The usual step from http to https counts as one.
func sameHost(from, to *url.URL) bool {
	if from.Hostname() != to.Hostname() {
		return false
	}
	return port(from) == port(to) || from.Scheme == "http" && port(from) == "80" && to.Scheme == "https" && port(to) == "443"
}

func port(u *url.URL) string {
	switch {
	case u.Port() != "":
		return u.Port()
	case u.Scheme == "https":
		return "443"
	default:
		return "80"
	}
}
