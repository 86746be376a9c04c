//go:build unix

package main

import (
	"crypto/rand"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/rollcall-sync/rollcall/sync/directory/directorytest/real/rig"
)

// place is where one run keeps its files: the cache, shared by all runs, and a run folder of its own.
type place struct {
	cache, run string
	lock       *os.File

	mutex     sync.Mutex
	processes []*rig.Process
}

// openPlace makes the run folder and clears away what runs that were killed have left behind.
func openPlace() (*place, error) {
	cache := os.Getenv("ROLLCALL_CACHE")
	if cache == "" {
		cache = ".cache"
	}
	cache, err := filepath.Abs(cache)
	if err != nil {
		return nil, err
	}
	p := &place{cache: cache}
	runs := filepath.Join(cache, "run")
	if err := os.MkdirAll(runs, 0o755); err != nil {
		return nil, fmt.Errorf("the cache folder cannot be made (set ROLLCALL_CACHE to another place): %w", err)
	}
	// Making a run and clearing old ones exclude each other: a folder that is not locked yet would look like an old one.
	err = p.locked("runs", func() error {
		clearOldRuns(runs)
		p.run = filepath.Join(runs, rand.Text()[:8])
		if err := os.Mkdir(p.run, 0o700); err != nil {
			return err
		}
		p.lock, err = tryLock(filepath.Join(p.run, "lock"))
		return err
	})
	return p, err
}

func clearOldRuns(runs string) {
	folders, err := os.ReadDir(runs)
	if err != nil {
		say("old runs could not be looked for: %v", err)
		return
	}
	for _, folder := range folders {
		run := filepath.Join(runs, folder.Name())
		lock, err := tryLock(filepath.Join(run, "lock"))
		if err != nil {
			continue // under way
		}
		clearRun(run)
		lock.Close()
	}
}

// clearRun ends what was started in a run and removes its folder.
func clearRun(run string) {
	stopped, err := rig.StopLeftovers(run)
	if stopped > 0 {
		say("stopped processes that a killed run or test had left behind: %d", stopped)
	}
	if err != nil {
		say("leftovers of %s could not be stopped: %v", run, err)
	}
	if err := os.RemoveAll(run); err != nil {
		say("%s could not be removed: %v", run, err)
	}
}

// started remembers a process to be stopped at the end.
func (p *place) started(process *rig.Process) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	p.processes = append(p.processes, process)
}

func (p *place) close() {
	var group sync.WaitGroup
	for _, process := range p.processes {
		group.Go(func() { process.Stop(5 * time.Second) })
	}
	group.Wait()
	clearRun(p.run)
	p.lock.Close()
}

// locked runs the function while no other run does so under the same name.
func (p *place) locked(name string, do func() error) error {
	return lockedFile(filepath.Join(p.cache, name+".lock"), do)
}

func lockedFile(path string, do func() error) error {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return err
	}
	defer file.Close()
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX); err != nil {
		return fmt.Errorf("lock %s: %w", path, err)
	}
	return do()
}

func tryLock(path string) (*os.File, error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		file.Close()
		return nil, err
	}
	return file, nil
}
