package engine

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"time"
)

// Every run that is let through leaves a number in the state and then in a file beside the listings, one higher each time.
// A state behind its file is older than the last run: it was restored from a backup, and does not know what was done
// since. No clock is asked, and a run that was killed between the two writes leaves the file behind, which says nothing.

func markKey(sync string) string     { return "mark/" + sync }
func restoredKey(sync string) string { return "restored/" + sync }

func (w *world) markPath() string {
	return filepath.Join(w.engine.options.Snapshots, w.sync.Name+".run")
}

// findRestored compares the two marks, and finds out since when nobody's time until a deletion may count.
func (w *world) findRestored(ctx context.Context) error {
	text, err := w.engine.options.State.Meta(ctx, restoredKey(w.sync.Name))
	if err != nil {
		return err
	}
	if text != "" {
		if w.restoredAt, err = time.Parse(time.RFC3339Nano, text); err != nil {
			return fmt.Errorf("state: when the state of %s was restored cannot be read: %w", w.sync.Name, err)
		}
	}
	mark, err := w.mark(ctx)
	if err != nil {
		return err
	}
	kept, err := os.ReadFile(w.markPath())
	switch {
	case errors.Is(err, fs.ErrNotExist), err == nil && w.linkedCount == 0: // nobody to be wrong about
		return nil
	case err != nil:
		return fmt.Errorf("the mark of the last run cannot be read: %w", err)
	}
	number, err := strconv.Atoi(string(kept))
	if err != nil {
		return fmt.Errorf("the mark of the last run in %s cannot be read; remove the file if the state is the newest one: %w", w.markPath(), err)
	}
	if number > mark {
		w.restored, w.restoredAt = true, w.engine.options.Now()
	}
	return nil
}

func (w *world) mark(ctx context.Context) (int, error) {
	text, err := w.engine.options.State.Meta(ctx, markKey(w.sync.Name))
	if err != nil || text == "" {
		return 0, err
	}
	number, err := strconv.Atoi(text)
	if err != nil {
		return 0, fmt.Errorf("state: the mark of the last run of %s cannot be read: %w", w.sync.Name, err)
	}
	return number, nil
}

// leaveMark comes before the first write of a run that was let through: first into the state, then into the file.
func (w *world) leaveMark(ctx context.Context) error {
	if w.restored {
		if err := w.engine.options.State.SetMeta(ctx, restoredKey(w.sync.Name), w.restoredAt.UTC().Format(time.RFC3339Nano)); err != nil {
			return err
		}
	}
	mark, err := w.mark(ctx)
	if err != nil {
		return err
	}
	number := strconv.Itoa(mark + 1)
	if err := w.engine.options.State.SetMeta(ctx, markKey(w.sync.Name), number); err != nil {
		return err
	}
	fresh := w.markPath() + "-new"
	if err := os.WriteFile(fresh, []byte(number), 0o600); err != nil {
		return fmt.Errorf("the mark of this run cannot be kept: %w", err)
	}
	return os.Rename(fresh, w.markPath())
}
