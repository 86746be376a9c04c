package state

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"
)

const (
	heartbeat = 5 * time.Second
	// leaseTime is how long a lease lives after its last heartbeat: six may be missed.
	leaseTime = 30 * time.Second
)

// BusyError says who is running a sync. It is [ErrBusy].
type BusyError struct {
	Sync string
	// Purpose is what the other process gave to Acquire.
	Purpose string
	Host    string
	PID     int
	Since   time.Time
}

func (e *BusyError) Error() string {
	return fmt.Sprintf("sync %s is being run by process %d on %s (%s) since %s - wait for it to end, or stop that process",
		e.Sync, e.PID, e.Host, e.Purpose, e.Since.Format(time.RFC3339))
}

// Is makes errors.Is(err, ErrBusy) true.
func (e *BusyError) Is(target error) bool { return target == ErrBusy }

// Lease is the right to run a sync, kept alive by a goroutine until Release.
type Lease struct {
	db    *DB
	name  string
	sync  int64
	token string

	lost     chan struct{}
	loseOnce sync.Once
	quit     chan struct{}
	done     chan struct{}
	release  sync.Once
	err      error
}

// Acquire takes the lease of a sync; [BusyError] where somebody has it. purpose says in a few words what it is for, so that
// people who are told to wait know what for. The lease of a process that died on this machine is taken over at once, any
// other after half a minute without a heartbeat. The caller must call Release.
func (db *DB) Acquire(ctx context.Context, sync, purpose string) (*Lease, error) {
	if err := db.intern(ctx, sync); err != nil {
		return nil, err
	}
	l := &Lease{
		db: db, name: sync, sync: db.known(sync), token: rand.Text(),
		lost: make(chan struct{}), quit: make(chan struct{}), done: make(chan struct{}),
	}
	err := db.write(ctx, 1, func(t *tx) error {
		now := db.now()
		if err := l.free(t, now); err != nil {
			return err
		}
		_, err := t.exec(`INSERT OR REPLACE INTO leases (sync, token, purpose, host, machine, pid, pid_started, acquired_at, beat_at)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`, l.sync, l.token, purpose, db.self.host, db.self.machine, db.self.pid, db.self.started,
			nanos(now), nanos(now))
		return err
	})
	if err != nil {
		return nil, err
	}
	db.mu.Lock()
	defer db.mu.Unlock()
	if db.closed { // nobody would wait for the goroutine
		return nil, db.fault(ErrClosed, nil, "is closed")
	}
	db.leases = append(db.leases, l)
	go l.keep(db.now())
	return l, nil
}

// free returns nil where nobody alive has the lease.
func (l *Lease) free(t *tx, now time.Time) error {
	var holder process
	var purpose string
	var acquired, beat int64
	err := t.get("SELECT purpose, host, machine, pid, pid_started, acquired_at, beat_at FROM leases WHERE sync = ?", []any{l.sync},
		&purpose, &holder.host, &holder.machine, &holder.pid, &holder.started, &acquired, &beat)
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	}
	if err != nil {
		return err
	}
	if now.Sub(fromNanos(beat)) > leaseTime || l.db.self.knowsDead(holder) {
		return nil
	}
	return &BusyError{Sync: l.name, Purpose: purpose, Host: holder.host, PID: holder.pid, Since: fromNanos(acquired)}
}

// Lost is closed when another process has taken the lease over, or may have because no heartbeat could be written for so
// long. The run must stop writing. It is not closed by Release.
func (l *Lease) Lost() <-chan struct{} { return l.lost }

// Release ends the heartbeat, waits for its goroutine, and gives the lease back. It may be called twice. Where it fails the
// lease ends by itself, with the process or half a minute later.
func (l *Lease) Release() error {
	l.release.Do(func() {
		close(l.quit)
		<-l.done
		l.err = l.db.write(context.Background(), 1, func(t *tx) error {
			_, err := t.exec("DELETE FROM leases WHERE sync = ? AND token = ?", l.sync, l.token)
			return err
		})
		l.db.mu.Lock()
		defer l.db.mu.Unlock()
		l.db.leases = slices.DeleteFunc(l.db.leases, func(other *Lease) bool { return other == l })
	})
	return l.err
}

func (l *Lease) keep(beaten time.Time) {
	defer close(l.done)
	ticker := time.NewTicker(heartbeat)
	defer ticker.Stop()
	for {
		select {
		case <-l.quit:
			return
		case <-ticker.C:
		}
		now := l.db.now()
		err := l.db.write(context.Background(), 1, func(t *tx) error { return l.beat(t, now) })
		switch {
		case err == nil:
			beaten = now
		case errors.Is(err, ErrLost) || l.db.now().Sub(beaten) > leaseTime:
			l.lose()
			return
		}
	}
}

func (l *Lease) beat(t *tx, now time.Time) error {
	result, err := t.exec("UPDATE leases SET beat_at = ? WHERE sync = ? AND token = ?", nanos(now), l.sync, l.token)
	if err != nil {
		return err
	}
	if n, err := result.RowsAffected(); err != nil || n == 0 {
		return errors.Join(err, l.lostError())
	}
	return nil
}

// verify looks, inside the transaction of an intent, whether the lease is still ours. A process that slept through its
// expiry is stopped here before its next write, even where its heartbeat has not noticed yet; where nobody was waiting,
// the lease starts to live anew, so that it holds until the write is done.
func (l *Lease) verify(t *tx) error {
	select {
	case <-l.lost:
		return l.lostError()
	default:
	}
	var token string
	var beat int64
	err := t.get("SELECT token, beat_at FROM leases WHERE sync = ?", []any{l.sync}, &token, &beat)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return err
	}
	if token != l.token {
		l.lose()
		return l.lostError()
	}
	if now := l.db.now(); now.Sub(fromNanos(beat)) > 2*heartbeat {
		return l.beat(t, now)
	}
	return nil
}

func (l *Lease) lose() { l.loseOnce.Do(func() { close(l.lost) }) }

func (l *Lease) lostError() error {
	return faultf(ErrLost, "sync %s: another process has taken this sync over because ours gave no sign of life for %s - this run stops writing", l.name, leaseTime)
}

// lease returns the lease of a sync that was acquired here last and not yet released.
func (db *DB) lease(sync string) *Lease {
	db.mu.Lock()
	defer db.mu.Unlock()
	for _, lease := range slices.Backward(db.leases) {
		if lease.name == sync {
			return lease
		}
	}
	return nil
}

// retire lets nobody acquire any more and returns the leases that are still held.
func (db *DB) retire() []*Lease {
	db.mu.Lock()
	defer db.mu.Unlock()
	db.closed = true
	return slices.Clone(db.leases)
}
