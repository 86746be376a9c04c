package file

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/rollcall-sync/rollcall/sync/directory"
)

const (
	lockPause = 20 * time.Millisecond
	lockTries = 500
)

// locked prepares a rewrite under the lock file, which keeps other runs of Rollcall away; other programs know nothing of it
// and are noticed by the identity of the file.
func (s *store) locked(edits []*edit, do func(b *batch) error) error {
	live := slices.IndexFunc(edits, func(e *edit) bool { return e.ctx.Err() == nil })
	if live < 0 {
		return edits[0].ctx.Err()
	}
	// The rewrite serves several callers, so no single one of them may cancel it half-way.
	ctx := context.WithoutCancel(edits[live].ctx)
	path, err := filepath.EvalSymlinks(s.options.path)
	if err != nil {
		return err
	}
	lock, err := s.lock(ctx, path)
	if err != nil {
		return err
	}
	defer lock.Close() // which ends the lock
	s.mu.Lock()
	before := s.index
	s.mu.Unlock()
	x, d, err := s.current(ctx)
	if err != nil {
		return err
	}
	defer d.Close()
	if before != nil && before.identity != x.identity {
		s.mu.Lock()
		s.index = before // so that nothing is written until somebody reads what the file says now
		s.mu.Unlock()
		return foreign()
	}
	working := *x
	working.columns = slices.Clone(x.columns)
	working.groups = maps.Clone(x.groups)
	return do(&batch{x: &working, d: d, text: x.text(d), rows: map[int][]byte{}, addedIDs: map[string]int{}})
}

func foreign() error {
	return &fault{
		kind: directory.Conflict, message: "the file was changed by somebody else since it was read",
		remedy: "the next run starts from what it says now",
	}
}

// lock waits for the lock file. It stays behind: removing it would let two programs hold two locks.
func (s *store) lock(ctx context.Context, path string) (*os.File, error) {
	name := filepath.Join(filepath.Dir(path), "."+filepath.Base(path)+".lock")
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	for range lockTries {
		ok, err := tryLock(f)
		if err != nil {
			f.Close()
			return nil, fmt.Errorf("lock %s: %w", name, err)
		}
		if ok {
			return f, nil
		}
		if err := s.sleep(ctx, lockPause); err != nil {
			f.Close()
			return nil, err
		}
	}
	f.Close()
	return nil, changing("another run of Rollcall has been writing to it for " + (lockTries * lockPause).String())
}

// write replaces the file by one with the changes, in one step that a crash cannot split.
func (b *batch) write(s *store) error {
	if len(b.rows) == 0 && len(b.added) == 0 {
		return nil
	}
	path, err := filepath.EvalSymlinks(s.options.path)
	if err != nil {
		return err
	}
	temp, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*.tmp")
	if err != nil {
		return err
	}
	defer os.Remove(temp.Name()) // fails, as it should, after the rename
	defer temp.Close()
	next, err := b.fill(temp)
	if err != nil {
		return err
	}
	if now, err := identifyPath(path); err != nil {
		return err
	} else if now != b.x.identity {
		return foreign()
	}
	if err := temp.Close(); err != nil {
		return err
	}
	if next.identity, err = identifyPath(temp.Name()); err != nil {
		return err
	}
	if err := os.Rename(temp.Name(), path); err != nil {
		return err
	}
	s.mu.Lock()
	s.index, s.written = next, next.identity
	s.mu.Unlock()
	for _, id := range b.gone {
		s.gone.Store(id, true)
	}
	if err := syncFolder(filepath.Dir(path)); err != nil {
		return &directory.Error{
			Kind: directory.UnknownOutcome, Op: "write", Directory: s.options.name, Record: s.options.path,
			Err: fmt.Errorf("the file was replaced, but may not outlast a crash of the machine: %w", err),
		}
	}
	return nil
}

// fill writes the new content and returns its index.
func (b *batch) fill(temp *os.File) (*index, error) {
	if err := temp.Chmod(b.d.info.Mode().Perm()); err != nil {
		return nil, err
	}
	if err := keepOwner(temp, b.d.info); err != nil {
		return nil, err
	}
	next := *b.x
	out := bufio.NewWriterSize(temp, 256<<10)
	if _, err := out.Write(b.x.mark); err != nil {
		return nil, err
	}
	if b.x.encoding == encodingUTF8 {
		if err := b.assemble(out, &next); err != nil {
			return nil, err
		}
	} else {
		var text bytes.Buffer
		if err := b.assemble(&text, &next); err != nil {
			return nil, err
		}
		data, err := fromUTF8(b.x.encoding, text.Bytes())
		if err != nil {
			return nil, err
		}
		if _, err := out.Write(data); err != nil {
			return nil, err
		}
		next.memory = text.Bytes()
	}
	if err := out.Flush(); err != nil {
		return nil, err
	}
	if err := temp.Sync(); err != nil {
		return nil, err
	}
	next.unsettled = false
	return &next, nil
}

// assembly copies the old text and puts the changes in.
type assembly struct {
	*batch
	out     io.Writer
	copied  int64 // of the old text
	written int64 // of the new text
	shift   int   // by how many lines the rest has moved
	err     error
}

// flush copies the old text up to a place.
func (a *assembly) flush(to int64) {
	if a.err != nil || to <= a.copied {
		return
	}
	n, err := io.Copy(a.out, io.NewSectionReader(a.text, a.copied, to-a.copied))
	if err == nil && n != to-a.copied {
		err = io.ErrUnexpectedEOF
	}
	a.copied, a.written, a.err = to, a.written+n, err
}

// replace puts a text in place of an old one.
func (a *assembly) replace(from, to int64, with []byte) {
	a.flush(from)
	a.shift += countLines(with) - countLines(a.old(from, to))
	a.copied = to
	a.insert(with)
}

func (a *assembly) insert(text []byte) {
	if a.err == nil {
		_, a.err = a.out.Write(text)
		a.written += int64(len(text))
	}
}

func (a *assembly) old(from, to int64) []byte {
	buf := make([]byte, to-from)
	if n, err := a.text.ReadAt(buf, from); n < len(buf) && a.err == nil {
		a.err = errors.Join(io.ErrUnexpectedEOF, err)
	}
	return buf
}

// assemble writes the new text and completes the index of it. A record goes together with what stands before it, a newline
// or a comma; the first one that stays begins where the first one began.
func (b *batch) assemble(out io.Writer, next *index) error {
	a := &assembly{batch: b, out: out}
	next.rows = make([]entry, 0, len(b.x.rows)+len(b.added))
	end := b.x.grammar.bodyStart()
	if len(b.x.rows) > 0 {
		end = b.x.rows[0].offset
	}
	for i, e := range b.x.rows {
		raw, touched := b.rows[i]
		switch {
		case touched && raw == nil:
			a.replace(end, e.end(), nil)
			end = e.end()
			continue
		case len(next.rows) == 0:
			a.replace(end, e.offset, nil)
		}
		offset, line := e.offset+a.written-a.copied, uint32(int(e.line)+a.shift)
		if touched {
			a.flush(e.offset)
			offset = a.written
			a.replace(e.offset, e.end(), raw)
			e.length = uint32(len(raw))
		}
		end = b.x.rows[i].end()
		next.rows = append(next.rows, entry{offset: offset, hash: e.hash, length: e.length, line: line})
	}
	a.flush(end)
	a.append(next, end)
	if len(next.rows) > 0 || b.keepsTail() || len(bytes.TrimSpace(a.old(end, b.x.size))) > 0 {
		a.flush(b.x.size)
	}
	next.size = a.written
	if len(next.rows) != len(b.x.rows) || len(b.added) > 0 {
		next.order()
	}
	next.judge()
	return a.err
}

// keepsTail is set where a bracket stands after the records.
func (b *batch) keepsTail() bool {
	g, ok := b.x.grammar.(*jsonGrammar)
	return ok && !g.lines
}

// append writes the new records after the last one that stays.
func (a *assembly) append(next *index, end int64) {
	if len(a.added) == 0 {
		return
	}
	var gap []byte
	before, after := "", ""
	switch n := len(a.x.rows); {
	case n > 1:
		gap = a.old(a.x.rows[n-2].end(), a.x.rows[n-1].offset)
	case n == 1:
		gap = a.old(a.x.grammar.bodyStart(), a.x.rows[0].offset)
	default:
		before, after = a.x.grammar.first()
		gap = []byte(before)
	}
	line := a.lineAt(end)
	ids := a.ids()
	for i, raw := range a.added {
		lead := []byte(a.x.grammar.separator(gap))
		if len(next.rows) == 0 {
			lead = []byte(before)
		}
		a.insert(lead)
		line += countLines(lead)
		next.rows = append(next.rows, entry{offset: a.written, length: uint32(len(raw)), line: uint32(line), hash: maphash.String(next.seed, ids[i])})
		a.insert(raw)
		line += countLines(raw)
	}
	if rest := a.old(end, a.x.size); len(rest) == 0 || rest[0] != '\n' && rest[0] != '\r' {
		a.insert([]byte(after))
	}
}

// lineAt is the line, in the new text, on which the records end.
func (a *assembly) lineAt(end int64) int {
	n := len(a.x.rows)
	if n == 0 {
		return 1 + countLines(a.old(0, end))
	}
	last := a.x.rows[n-1]
	return int(last.line) + countLines(a.old(last.offset, last.end())) + a.shift
}

// ids are the ids of the added records, in order.
func (b *batch) ids() []string {
	ids := make([]string, len(b.added))
	for id, n := range b.addedIDs {
		ids[n] = id
	}
	return ids
}
