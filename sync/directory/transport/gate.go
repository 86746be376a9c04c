package transport

import (
	"context"
	"math"
	"slices"
	"sync"
)

// gate bounds how many requests are under way. Its limit adapts as TCP does: a throttled answer halves it, and each full
// round of answers that were not throttled lets one more through, up to the configured bound.
type gate struct {
	mu     sync.Mutex
	bound  int // the configured limit
	limit  int // the limit just now
	busy   int
	passed int // answers since the limit last changed
	epoch  int // how often the limit was halved
	queue  []chan struct{}
}

func newGate(bound int) *gate {
	if bound <= 0 {
		bound = math.MaxInt
	}
	return &gate{bound: bound, limit: bound}
}

// enter waits for a free place, first come, first served. The epoch goes back into shrink.
func (g *gate) enter(ctx context.Context) (epoch int, err error) {
	g.mu.Lock()
	if g.busy < g.limit && len(g.queue) == 0 {
		g.busy++
		defer g.mu.Unlock()
		return g.epoch, nil
	}
	turn := make(chan struct{})
	g.queue = append(g.queue, turn)
	g.mu.Unlock()
	select {
	case <-turn:
		g.mu.Lock()
		defer g.mu.Unlock()
		return g.epoch, nil
	case <-ctx.Done():
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if i := slices.Index(g.queue, turn); i >= 0 {
		g.queue = slices.Delete(g.queue, i, i+1)
	} else { // the place was given in the same moment: hand it on
		g.busy--
		g.admit()
	}
	return 0, ctx.Err()
}

// leave gives the place back.
func (g *gate) leave() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.busy--
	g.admit()
}

// admit lets as many in as there are places. The caller holds the lock and has counted nobody yet.
func (g *gate) admit() {
	for len(g.queue) > 0 && g.busy < g.limit {
		close(g.queue[0])
		g.queue = g.queue[1:]
		g.busy++
	}
}

// shrink halves the limit after a throttled answer. Requests that were under way when it was halved already (an older
// epoch) do not halve it again.
func (g *gate) shrink(epoch int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if epoch != g.epoch {
		return
	}
	g.epoch++
	g.passed = 0
	g.limit = max(1, min(g.limit, g.busy)/2)
}

// grow counts an answer that was not throttled.
func (g *gate) grow() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.limit >= g.bound {
		return
	}
	g.passed++
	if g.passed >= g.limit {
		g.passed = 0
		g.limit++
		g.admit()
	}
}
