package apply

import (
	"sync"
	"time"
)

// pace decides how many calls to one directory are under way at a time. It begins with what the directory allows. A call that
// is refused for being too fast or for want of a working server, or that takes many times as long as usual (the transport
// waits as long as the directory asks for), halves it; a row of calls as quick as usual lets one more through.
type pace struct {
	mu      sync.Mutex
	free    sync.Cond
	most    int
	limit   int
	running int
	good    int           // calls in a row as quick as usual
	usual   time.Duration // moving average
	calm    int           // calls to let pass before the next slowing down
}

const (
	// slowTimes is how many times as long as usual a call takes that says "slower".
	slowTimes = 5
	// slowFloor is never slow, however quick the others are.
	slowFloor = 500 * time.Millisecond
)

func newPace(most int) *pace {
	p := &pace{most: max(1, most), limit: max(1, most)}
	p.free.L = &p.mu
	return p
}

// begin waits until one more call may be made.
func (p *pace) begin() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for p.running >= p.limit {
		p.free.Wait()
	}
	p.running++
}

// end takes the outcome of a call: how long it took, and whether the directory could not follow.
func (p *pace) end(took time.Duration, pressed bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.running--
	slow := pressed || (p.usual > 0 && took > slowFloor && took > slowTimes*p.usual)
	if p.calm > 0 {
		p.calm--
	}
	switch {
	case slow && p.calm == 0:
		// What is under way now was begun under the old limit and says nothing about the new one.
		p.limit, p.good, p.calm = max(1, p.limit/2), 0, p.running+1
	case slow:
		p.good = 0
	default:
		p.good++
		if p.usual == 0 {
			p.usual = took
		}
		p.usual += (took - p.usual) / 16
	}
	if p.good >= 4*p.limit && p.limit < p.most {
		p.limit, p.good = p.limit+1, 0
	}
	p.free.Broadcast()
}
