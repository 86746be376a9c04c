package apply

import (
	"testing"
	"time"
)

// calls makes n calls one after the other and returns the limit afterwards.
func calls(p *pace, n int, took time.Duration, pressed bool) int {
	for range n {
		p.begin()
		p.end(took, pressed)
	}
	return p.limit
}

func TestADirectoryThatCannotFollowIsGivenRoomAndPushedAgain(t *testing.T) {
	p := newPace(8)
	if got := calls(p, 50, 100*time.Millisecond, false); got != 8 {
		t.Fatalf("begins with %d", got)
	}
	if got := calls(p, 1, 100*time.Millisecond, true); got != 4 {
		t.Errorf("one refusal makes it %d, want 4", got)
	}
	if got := calls(p, 2, 3*time.Second, false); got > 2 {
		t.Errorf("two slow calls more make it %d, want 2 at most", got)
	}
	if got := calls(p, 20, 3*time.Second, true); got != 1 {
		t.Errorf("trouble without end makes it %d, want 1", got)
	}
	if got := calls(p, 4, 100*time.Millisecond, false); got != 2 {
		t.Errorf("four quick calls make it %d, want 2", got)
	}
	if got := calls(p, 500, 100*time.Millisecond, false); got != 8 {
		t.Errorf("at rest it is %d, want 8 again", got)
	}
}

// Calls that were under way together are slow for one reason.
func TestCallsUnderWaySlowDownOnce(t *testing.T) {
	p := newPace(8)
	calls(p, 10, 100*time.Millisecond, false)
	for range 8 {
		p.begin()
	}
	for range 8 {
		p.end(5*time.Second, true)
	}
	if p.limit != 4 {
		t.Errorf("eight slow calls at once make it %d, want 4", p.limit)
	}
}

func TestQuickCallsAreNeverSlow(t *testing.T) {
	p := newPace(4)
	calls(p, 20, time.Millisecond, false)
	if got := calls(p, 20, 200*time.Millisecond, false); got != 4 {
		t.Errorf("calls below the floor make it %d", got)
	}
}
