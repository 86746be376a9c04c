package endtoend

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os/exec"
	"sync"
	"syscall"
	"testing"
)

// gate stands before a server, counts what is written to it, and can kill the program at one of the writes.
type gate struct {
	*httptest.Server
	t     *testing.T
	proxy *httputil.ReverseProxy

	mu       sync.Mutex
	under    int        // requests that the server has not answered yet
	idle     *sync.Cond // under is nothing
	requests []string   // method and address without the host
	writes   int
	blow     *blow
	bend     func(w http.ResponseWriter, r *http.Request) bool
}

// blow kills a process at a write: before the server sees it, or when the server has done it and has not been heard.
type blow struct {
	at   int
	done bool
	cmd  *exec.Cmd
}

func newGate(t *testing.T, address string) *gate {
	t.Helper()
	behind, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	g := &gate{t: t, proxy: &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(behind)
		r.Out.Host = r.In.Host // the site answers with links to the address that it is called by
	}}}
	g.idle = sync.NewCond(&g.mu)
	g.Server = httptest.NewServer(http.HandlerFunc(g.pass))
	t.Cleanup(g.Close)
	return g
}

// pass forwards one request. What has reached the server is finished there, whatever becomes of the program.
func (g *gate) pass(w http.ResponseWriter, r *http.Request) {
	defer g.left()
	g.mu.Lock()
	g.under++
	g.requests = append(g.requests, r.Method+" "+r.URL.RequestURI())
	hit, bend := (*blow)(nil), g.bend
	if r.Method != http.MethodGet && r.Method != http.MethodOptions {
		if g.writes++; g.blow != nil && g.writes == g.blow.at {
			hit = g.blow
		}
	}
	g.mu.Unlock()
	if hit != nil && !hit.done {
		g.strike(hit)
	}
	if bend != nil && bend(w, r) {
		return
	}
	// A context that can end, or the proxy would look for the end of the connection by itself.
	ctx, cancel := context.WithCancel(context.WithoutCancel(r.Context()))
	defer cancel()
	r = r.WithContext(ctx)
	if hit == nil {
		g.proxy.ServeHTTP(w, r)
		return
	}
	g.proxy.ServeHTTP(httptest.NewRecorder(), r)
	g.strike(hit)
}

func (g *gate) left() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.under--; g.under == 0 {
		g.idle.Broadcast()
	}
}

// settle waits until the server has answered everything.
func (g *gate) settle() {
	g.mu.Lock()
	defer g.mu.Unlock()
	for g.under > 0 {
		g.idle.Wait()
	}
}

// strike kills the program and lets go of its request.
func (g *gate) strike(b *blow) {
	if err := b.cmd.Process.Kill(); err != nil {
		g.t.Errorf("the program could not be killed: %v", err)
	}
	panic(http.ErrAbortHandler)
}

// killAt runs the program until a write and kills it there.
func (g *gate) killAt(cmd *exec.Cmd, at int, done bool) {
	g.t.Helper()
	g.mu.Lock()
	g.writes, g.blow = 0, &blow{at: at, done: done, cmd: cmd}
	// Started under the lock, so that no request finds the process missing.
	err := cmd.Start()
	g.mu.Unlock()
	if err != nil {
		g.t.Fatal(err)
	}
	wasKilled(g.t, cmd)
	g.settle()
	g.mu.Lock()
	g.blow = nil
	g.mu.Unlock()
}

// wasKilled waits for the program's end and makes sure that it is the one that was meant.
func wasKilled(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	err := cmd.Wait()
	if status, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); !ok || !status.Signaled() || status.Signal() != syscall.SIGKILL {
		t.Fatalf("the program was to be killed and ended with %v", err)
	}
}

// count resets the counters around a function and returns what was sent meanwhile.
func (g *gate) count(do func()) (requests []string, writes int) {
	g.t.Helper()
	g.mu.Lock()
	g.requests, g.writes = nil, 0
	g.mu.Unlock()
	do()
	g.settle()
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.requests, g.writes
}

// bent runs a function while another one looks at each request first: it may change it, or answer it and say so.
func (g *gate) bent(bend func(w http.ResponseWriter, r *http.Request) bool, do func()) {
	set := func(bend func(w http.ResponseWriter, r *http.Request) bool) {
		g.mu.Lock()
		defer g.mu.Unlock()
		g.bend = bend
	}
	set(bend)
	defer set(nil)
	do()
	g.settle()
}

// when words a moment of a kill.
func when(at int, done bool) string {
	if done {
		return fmt.Sprintf("done and not heard of write %d", at)
	}
	return fmt.Sprintf("before write %d", at)
}
