package transport

import (
	"context"
	"errors"
	"io"
	"net/http"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/rollcall-sync/rollcall/sync/directory"
)

func TestTheGateHalvesOnceAndGrowsBack(t *testing.T) {
	t.Parallel()
	g := newGate(8)
	var epochs []int
	for range 8 {
		epoch, err := g.enter(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		epochs = append(epochs, epoch)
	}
	for _, epoch := range epochs { // all of one wave are throttled: that is one signal, not eight
		g.shrink(epoch)
	}
	if g.limit != 4 {
		t.Fatalf("the limit is %d after a throttled wave of 8, want 4", g.limit)
	}
	g.shrink(g.epoch)
	g.shrink(g.epoch)
	g.shrink(g.epoch)
	if g.limit != 1 {
		t.Fatalf("the limit is %d, want 1 and never less", g.limit)
	}
	var limits []int
	for range 1 + 2 + 3 + 4 {
		g.grow()
		limits = append(limits, g.limit)
	}
	if want := []int{2, 2, 3, 3, 3, 4, 4, 4, 4, 5}; !slices.Equal(limits, want) {
		t.Errorf("the limit grows %v, want %v", limits, want)
	}
	for range 100 {
		g.grow()
	}
	if g.limit != 8 {
		t.Errorf("the limit is %d in the end, want 8", g.limit)
	}
}

func TestWithoutABoundTheGateStartsFromWhatIsUnderWay(t *testing.T) {
	t.Parallel()
	g := newGate(0)
	for range 10 {
		if _, err := g.enter(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	g.shrink(0)
	if g.limit != 5 {
		t.Errorf("the limit is %d, want half of what was under way", g.limit)
	}
}

func TestWhoGivesUpWaitingTakesNoPlace(t *testing.T) {
	t.Parallel()
	g := newGate(1)
	if _, err := g.enter(t.Context()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := g.enter(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want that it was cancelled", err)
	}
	g.leave()
	if _, err := g.enter(t.Context()); err != nil {
		t.Errorf("the place is free again: %v", err)
	}
	if g.busy != 1 || len(g.queue) != 0 {
		t.Errorf("%d under way, %d waiting, want 1 and 0", g.busy, len(g.queue))
	}
}

func TestConcurrencyIsBounded(t *testing.T) {
	t.Parallel()
	const bound, requests = 3, 30
	var mu sync.Mutex
	busy, most := 0, 0
	o, _ := options()
	o.Concurrency = bound
	together := make(chan struct{})
	o.Base = roundTripper(func(req *http.Request) (*http.Response, error) {
		mu.Lock()
		busy++
		most = max(most, busy)
		if busy == bound {
			select {
			case <-together:
			default:
				close(together)
			}
		}
		mu.Unlock()
		<-together // until as many as may be are here at once
		mu.Lock()
		busy--
		mu.Unlock()
		return &http.Response{StatusCode: 200, Status: "200 OK", Header: http.Header{}, Body: http.NoBody, Request: req}, nil
	})
	tr := New(o)
	var group sync.WaitGroup
	for range requests {
		group.Go(func() {
			if _, err := send(t.Context(), t, tr, "GET", "http://127.0.0.1/", ""); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	if most != bound || tr.Requests() != requests {
		t.Errorf("%d at once and %d in all, want %d and %d", most, tr.Requests(), bound, requests)
	}
}

func TestThrottlingHalvesTheConcurrency(t *testing.T) {
	t.Parallel()
	server := serve(t, status(429, "Retry-After", "1"), status(200))
	o, _ := options()
	o.Concurrency = 8
	tr := New(o)
	for range 6 { // others that are under way
		if _, err := tr.gate.enter(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	for range 6 {
		defer tr.gate.leave()
	}
	// Seven are under way with this one; after its 429 three may be, so it has to wait for the others.
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { _, err := send(ctx, t, tr, "GET", server.URL, ""); done <- err }()
	for !tr.gate.isWaiting() {
		runtime.Gosched()
	}
	if tr.gate.limit != 3 {
		t.Errorf("the limit is %d, want 3", tr.gate.limit)
	}
	cancel()
	wantError(t, <-done, directory.Retryable)
}

// isWaiting reports whether somebody stands in the queue.
func (g *gate) isWaiting() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return len(g.queue) > 0
}

func TestThePaceIsKept(t *testing.T) {
	t.Parallel()
	server := serve(t, status(200))
	o, clock := options()
	o.Rate, o.Burst = 2, 3
	tr := New(o)
	for range 7 {
		if _, err := send(t.Context(), t, tr, "GET", server.URL, ""); err != nil {
			t.Fatal(err)
		}
	}
	// Three at once, then four at two a second.
	if got := clock.total(); got != 2*time.Second {
		t.Errorf("waited %v, want 2s", got)
	}
}

func TestAPlaceIsHeldUntilALargeAnswerIsRead(t *testing.T) {
	t.Parallel()
	server := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		block := make([]byte, 1<<20)
		for range maxAnswer>>20 + 2 {
			_, _ = w.Write(block)
		}
	})
	o, _ := options()
	o.Concurrency = 1
	tr := New(o)
	resp, err := send(t.Context(), t, tr, "GET", server.URL, "")
	if err != nil {
		t.Fatal(err)
	}
	if tr.gate.busy != 1 {
		t.Errorf("%d under way while the answer is being read, want 1", tr.gate.busy)
	}
	n, err := io.Copy(io.Discard, resp.Body)
	if err != nil || n != maxAnswer+2<<20 {
		t.Errorf("read %d bytes (%v), want %d", n, err, maxAnswer+2<<20)
	}
	if tr.gate.busy != 0 {
		t.Errorf("%d under way after it, want none", tr.gate.busy)
	}
}

func TestALargeAnswerThatBreaksOffSaysSo(t *testing.T) {
	t.Parallel()
	server := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "99999999")
		block := make([]byte, 1<<20)
		for range maxAnswer>>20 + 1 {
			_, _ = w.Write(block)
		}
		_ = http.NewResponseController(w).Flush()
		hangUp(w, nil)
	})
	for method, kind := range map[string]directory.ErrorKind{"GET": directory.Retryable, "POST": directory.UnknownOutcome} {
		o, _ := options()
		tr := New(o)
		resp, err := send(t.Context(), t, tr, method, server.URL, "")
		if err != nil {
			t.Fatal(err)
		}
		_, err = io.Copy(io.Discard, resp.Body)
		wantError(t, err, kind)
		if tr.gate.busy != 0 {
			t.Errorf("%d under way after it, want none", tr.gate.busy)
		}
	}
}
