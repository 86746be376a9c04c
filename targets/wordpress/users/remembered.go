package users

import "sync"

// Remembered is a value that is asked for once and kept; a failure is not kept. The zero value has nothing. It is safe for
// concurrent use: whoever asks meanwhile waits for the first answer.
type Remembered[T any] struct {
	mu    sync.Mutex
	value *T
}

// Get returns the kept value, or asks for it.
func (r *Remembered[T]) Get(ask func() (T, error)) (T, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.value != nil {
		return *r.value, nil
	}
	value, err := ask()
	if err != nil {
		return value, err
	}
	r.value = &value
	return value, nil
}

// Forget makes the next Get ask again.
func (r *Remembered[T]) Forget() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.value = nil
}
