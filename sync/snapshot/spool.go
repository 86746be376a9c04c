package snapshot

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"

	"github.com/rollcall-sync/rollcall/sync/directory"
)

// A spool is a private file (0600) of sections, each a kind byte, a length and a payload:
//
//	R  header: the name of the format
//	A  one account, in the binary form of the directory package
//	G  all groups, as JSON
//	M  one account's groups, where they were listed apart from the accounts
//	D  description and certificate, as JSON; the last section of a whole file
const (
	sectionHeader  = 'R'
	sectionAccount = 'A'
	sectionGroups  = 'G'
	sectionMembers = 'M'
	sectionDone    = 'D'

	formatName = "rollcall snapshot 1"
	// mostSection bounds what a damaged file can make the reader allocate.
	mostSection = 1 << 30
)

// spool writes sections. It is safe for concurrent use.
type spool struct {
	mu     sync.Mutex
	file   *os.File
	out    *bufio.Writer
	offset int64
}

// temporary makes a file under a name that tells the process it belongs to.
func temporary(folder string) (*os.File, error) {
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return nil, spoolError(err, folder)
	}
	file, err := os.CreateTemp(folder, fmt.Sprintf("reading-%d-*.tmp", os.Getpid()))
	if err != nil {
		return nil, spoolError(err, folder)
	}
	return file, nil
}

func newSpool(folder string) (*spool, error) {
	file, err := temporary(folder)
	if err != nil {
		return nil, err
	}
	s := &spool{file: file, out: bufio.NewWriterSize(file, 1<<18)}
	if _, err := s.write(sectionHeader, []byte(formatName)); err != nil {
		s.discard()
		return nil, err
	}
	return s, nil
}

func spoolError(err error, path string) error {
	return fmt.Errorf("snapshot in %s: %w; make sure that the folder can be written and the disk has room", path, err)
}

// write appends one section and returns the offset of its payload.
func (s *spool) write(kind byte, payload []byte) (offset int64, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var head [1 + binary.MaxVarintLen64]byte
	head[0] = kind
	n := 1 + binary.PutUvarint(head[1:], uint64(len(payload)))
	if _, err := s.out.Write(head[:n]); err != nil {
		return 0, spoolError(err, s.file.Name())
	}
	if _, err := s.out.Write(payload); err != nil {
		return 0, spoolError(err, s.file.Name())
	}
	offset = s.offset + int64(n)
	s.offset = offset + int64(len(payload))
	return offset, nil
}

func (s *spool) flush() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.out.Flush(); err != nil {
		return spoolError(err, s.file.Name())
	}
	return nil
}

// discard closes and removes the file.
func (s *spool) discard() {
	name := s.file.Name()
	s.file.Close()
	os.Remove(name)
}

// CleanUp removes what runs that were killed have left behind in the folder. alive reports whether a process still runs.
func CleanUp(folder string, alive func(pid int) bool) error {
	leftovers, err := filepath.Glob(filepath.Join(folder, "reading-*.tmp"))
	if err != nil {
		return err
	}
	var faults []error
	for _, path := range leftovers {
		var pid int
		if _, err := fmt.Sscanf(filepath.Base(path), "reading-%d-", &pid); err == nil && !alive(pid) {
			faults = append(faults, os.Remove(path))
		}
	}
	return errors.Join(faults...)
}

// sections calls fn for each section of a file with the offset of its payload.
func sections(file io.Reader, fn func(kind byte, offset int64, payload []byte) error) error {
	in := bufio.NewReaderSize(file, 1<<18)
	var offset int64
	var payload []byte
	for {
		kind, err := in.ReadByte()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		length, err := binary.ReadUvarint(in)
		if err != nil || length > mostSection {
			return fmt.Errorf("%w: section at %d", directory.ErrCorrupt, offset)
		}
		offset += 1 + int64(uvarintLen(length))
		if uint64(cap(payload)) < length {
			payload = make([]byte, length)
		}
		payload = payload[:length]
		if _, err := io.ReadFull(in, payload); err != nil {
			return fmt.Errorf("%w: section at %d is cut off", directory.ErrCorrupt, offset)
		}
		if err := fn(kind, offset, payload); err != nil {
			return err
		}
		offset += int64(length)
	}
}

func uvarintLen(v uint64) int {
	var b [binary.MaxVarintLen64]byte
	return binary.PutUvarint(b[:], v)
}
