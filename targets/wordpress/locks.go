package wordpress

import (
	"context"
	"sync"
)

// locks keeps writes apart that must not run side by side. WordPress has no unique index: of six equal creations at once
// two succeeded (seen in 6.1), so one account is created after the other where a username or an address is the same.
type locks struct {
	mu   sync.Mutex
	held map[string]bool
	// freed is closed, and replaced, when keys are given back.
	freed chan struct{}
}

// hold waits until none of the keys is held, takes all of them at once, and returns the function that gives them back.
func (l *locks) hold(ctx context.Context, keys []string) (release func(), err error) {
	for {
		l.mu.Lock()
		if l.held == nil {
			l.held, l.freed = map[string]bool{}, make(chan struct{})
		}
		if !l.any(keys) {
			for _, key := range keys {
				l.held[key] = true
			}
			l.mu.Unlock()
			return func() { l.free(keys) }, nil
		}
		freed := l.freed
		l.mu.Unlock()
		select {
		case <-freed:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

func (l *locks) any(keys []string) bool {
	for _, key := range keys {
		if l.held[key] {
			return true
		}
	}
	return false
}

func (l *locks) free(keys []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, key := range keys {
		delete(l.held, key)
	}
	close(l.freed)
	l.freed = make(chan struct{})
}
