package snapshot

import (
	"bufio"
	"fmt"
	"os"
	"sync"
)

// Scratch is a private file (0600) for what a run sets aside: records are appended, and read back by their offset. It is made
// with the first record, and Close removes it; after a crash CleanUp does. It is safe for concurrent use.
type Scratch struct {
	folder string

	mu      sync.Mutex
	file    *os.File
	out     *bufio.Writer
	offset  int64
	pending bool
}

// NewScratch returns a scratch file that is yet to be made in the folder.
func NewScratch(folder string) *Scratch { return &Scratch{folder: folder} }

// Append keeps a copy of the record and returns where it is.
func (s *Scratch) Append(record []byte) (offset int64, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.file == nil {
		if s.file, err = temporary(s.folder); err != nil {
			return 0, err
		}
		s.out = bufio.NewWriterSize(s.file, 1<<18)
	}
	if _, err := s.out.Write(record); err != nil {
		return 0, spoolError(err, s.file.Name())
	}
	offset = s.offset
	s.offset += int64(len(record))
	s.pending = true
	return offset, nil
}

// ReadAt fills p with what was appended at the offset.
func (s *Scratch) ReadAt(p []byte, offset int64) (int, error) {
	s.mu.Lock()
	if s.file == nil {
		s.mu.Unlock()
		return 0, fmt.Errorf("nothing was set aside in %s", s.folder)
	}
	if s.pending {
		if err := s.out.Flush(); err != nil {
			s.mu.Unlock()
			return 0, spoolError(err, s.file.Name())
		}
		s.pending = false
	}
	file := s.file
	s.mu.Unlock()
	return file.ReadAt(p, offset)
}

// Close removes the file.
func (s *Scratch) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.file == nil {
		return nil
	}
	name, err := s.file.Name(), s.file.Close()
	s.file = nil
	if rm := os.Remove(name); err == nil {
		err = rm
	}
	return err
}
