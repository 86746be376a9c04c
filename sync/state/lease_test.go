package state

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// elsewhere is a process on another machine.
func elsewhere(host string) *process {
	return &process{host: host, machine: "boot of " + host, pid: 4711, started: "1"}
}

// isLost looks without waiting.
func isLost(l *Lease) bool {
	select {
	case <-l.Lost():
		return true
	default:
		return false
	}
}

func acquire(t *testing.T, db *DB) *Lease {
	t.Helper()
	lease, err := db.Acquire(context.Background(), staff, "sync")
	must(t, err)
	return lease
}

func wantBusy(t *testing.T, db *DB) *BusyError {
	t.Helper()
	lease, err := db.Acquire(context.Background(), staff, "sync")
	if err == nil {
		must(t, lease.Release())
		t.Fatal("the lease was given twice")
	}
	wantIs(t, err, ErrBusy)
	var busy *BusyError
	if !errors.As(err, &busy) {
		t.Fatalf("%T", err)
	}
	return busy
}

func TestOneRunOfASyncAtATime(t *testing.T) {
	ctx, db := context.Background(), open(t)
	lease, err := db.Acquire(ctx, staff, "nightly")
	must(t, err)
	busy := wantBusy(t, db)
	host, _ := os.Hostname()
	if busy.Purpose != "nightly" || busy.PID != os.Getpid() || busy.Host != host || !busy.Since.Equal(start) {
		t.Errorf("%+v", busy)
	}
	for _, text := range []string{staff, strconv.Itoa(os.Getpid()), host, "nightly", start.Format(time.RFC3339)} {
		if !strings.Contains(busy.Error(), text) {
			t.Errorf("error %q does not say %q", busy, text)
		}
	}
	other, err := db.Acquire(ctx, "other", "sync")
	must(t, err)
	must(t, other.Release())

	must(t, lease.Release())
	must(t, lease.Release())
	if isLost(lease) {
		t.Error("a released lease counts as lost")
	}
	must(t, acquire(t, db).Release())
}

func TestClosingReleasesTheLeases(t *testing.T) {
	path := filepath.Join(t.TempDir(), "rollcall.db")
	one, two := openAt(t, path, Options{}), openAt(t, path, Options{})
	acquire(t, one)
	wantBusy(t, two)
	must(t, one.Close())
	must(t, acquire(t, two).Release())
	_, err := one.Acquire(context.Background(), staff, "sync")
	wantIs(t, err, ErrClosed)
}

// openBubble opens a state whose clock is the one of the synctest bubble.
func openBubble(t *testing.T, path string, self *process) *DB {
	t.Helper()
	return openAt(t, path, Options{Now: time.Now, self: self})
}

func TestALeaseLivesAsLongAsItsHeart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "rollcall.db")
		one, two := openBubble(t, path, elsewhere("one")), openBubble(t, path, elsewhere("two"))
		lease := acquire(t, one)
		<-time.After(10*leaseTime + time.Second)
		wantBusy(t, two)
		if isLost(lease) {
			t.Error("lost")
		}
		must(t, lease.Release())
		must(t, acquire(t, two).Release())
	})
}

// stopHeart ends the heartbeat without a word, as when the process or its machine stands still.
func stopHeart(l *Lease) {
	close(l.quit)
	<-l.done
	l.quit = make(chan struct{})
}

func TestTheLeaseOfASilentMachineIsTakenOverAfterAWhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, path := context.Background(), filepath.Join(t.TempDir(), "rollcall.db")
		one, two := openBubble(t, path, elsewhere("one")), openBubble(t, path, elsewhere("two"))
		begun(t, one, "run1", staff, 0)
		lost := acquire(t, one)
		stopHeart(lost)
		<-time.After(leaseTime)
		wantBusy(t, two)
		must(t, one.Intend(ctx, newEntry("run1", 1, "s1", "t1")))
		wantBusy(t, two) // the intent was a sign of life
		<-time.After(leaseTime + 1)
		taken := acquire(t, two)

		// The machine wakes up: its next intent is refused, and the run is told.
		wantIs(t, one.Intend(ctx, newEntry("run1", 2, "s2", "t2")), ErrLost)
		if !isLost(lost) {
			t.Error("the run was not told")
		}
		wantIs(t, one.Intend(ctx, newEntry("run1", 2, "s2", "t2")), ErrLost)
		must(t, lost.Release())
		wantBusy(t, one) // releasing a lost lease leaves the new one alone
		must(t, taken.Release())
		if got := numbers(entries(t, one, EntryFilter{})); got != "run1/1" {
			t.Errorf("entries %q", got)
		}
	})
}

func TestTheHeartbeatNoticesThatTheLeaseIsLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db := openBubble(t, filepath.Join(t.TempDir(), "rollcall.db"), nil)
		lease := acquire(t, db)
		must(t, db.write(context.Background(), 1, func(t *tx) error {
			_, err := t.exec("UPDATE leases SET token = 'of another'")
			return err
		}))
		before := time.Now()
		<-lease.Lost()
		if waited := time.Since(before); waited > heartbeat {
			t.Errorf("noticed after %v", waited)
		}
		must(t, lease.Release())
	})
}

func TestALeaseThatCannotBeRenewedCountsAsLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db := openBubble(t, filepath.Join(t.TempDir(), "rollcall.db"), nil)
		must(t, db.BeginRun(context.Background(), Run{ID: "run1", Sync: staff}))
		lease := acquire(t, db)
		must(t, db.write(context.Background(), 1, func(t *tx) error {
			_, err := t.exec("CREATE TRIGGER stuck BEFORE UPDATE ON leases BEGIN SELECT raise(abort, 'stuck'); END")
			return err
		}))
		before := time.Now()
		<-lease.Lost()
		if waited := time.Since(before); waited <= leaseTime-heartbeat || waited > leaseTime+2*heartbeat {
			t.Errorf("given up after %v", waited)
		}
		wantIs(t, db.Intend(context.Background(), newEntry("run1", 1, "s", "t")), ErrLost)
		must(t, lease.Release())
	})
}

func TestWhoIsKnownToBeDead(t *testing.T) {
	self := thisProcess()
	if self.machine == "" {
		t.Skip("this system does not tell which processes live")
	}
	gone := startChild(t, "open", filepath.Join(t.TempDir(), "rollcall.db"))
	deadPID := gone.cmd.Process.Pid
	gone.kill()
	with := func(change func(*process)) process {
		p := self
		change(&p)
		return p
	}
	for name, c := range map[string]struct {
		other process
		dead  bool
	}{
		"ourselves":                      {self, false},
		"our parent":                     {with(func(p *process) { p.pid, p.started = os.Getppid(), "" }), false},
		"a process that ended":           {with(func(p *process) { p.pid = deadPID }), true},
		"its id was given to another":    {with(func(p *process) { p.started = "1" }), true},
		"its start is not known":         {with(func(p *process) { p.started = "" }), false},
		"ended, but on another host":     {with(func(p *process) { p.pid, p.host = deadPID, "elsewhere" }), false},
		"ended, but in another boot":     {with(func(p *process) { p.pid, p.machine = deadPID, "elsewhere" }), false},
		"ended, of an unknown container": {with(func(p *process) { p.pid, p.machine = deadPID, "" }), false},
	} {
		if got := self.knowsDead(c.other); got != c.dead {
			t.Errorf("%s: dead %v", name, got)
		}
	}
	if (process{host: self.host}).knowsDead(process{host: self.host, pid: deadPID}) {
		t.Error("a process that does not know its machine judges others")
	}
}

func TestOfManyProcessesOneGetsTheLease(t *testing.T) {
	db := open(t)
	var children []*child
	for range 4 {
		children = append(children, startChild(t, "lease", db.Path()))
	}
	var holder *child
	var busy []string
	for _, c := range children {
		switch line := c.line(); {
		case line == "got" && holder == nil:
			holder = c
		case strings.HasPrefix(line, "busy "):
			busy = append(busy, strings.TrimPrefix(line, "busy "))
		default:
			t.Errorf("child says %q", line)
		}
	}
	if holder == nil || len(busy) != 3 {
		t.Fatalf("holder %v, busy %v", holder, busy)
	}
	for _, pid := range busy {
		if pid != strconv.Itoa(holder.cmd.Process.Pid) {
			t.Errorf("told that process %s has the lease, which %d has", pid, holder.cmd.Process.Pid)
		}
	}
	holder.end()
	again := startChild(t, "lease", db.Path())
	if line := again.line(); line != "got" {
		t.Errorf("after the release: %q", line)
	}
	again.end()
}

func TestTheLeaseOfAKilledProcessIsTakenOverAtOnce(t *testing.T) {
	if machine() == "" {
		t.Skip("this system does not tell which processes live")
	}
	db := openAt(t, filepath.Join(t.TempDir(), "rollcall.db"), Options{Now: time.Now})
	c := startChild(t, "lease", db.Path())
	if line := c.line(); line != "got" {
		t.Fatal(line)
	}
	wantBusy(t, db)
	c.kill()
	must(t, acquire(t, db).Release())
}
