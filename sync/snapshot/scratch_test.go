package snapshot

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
)

func TestWhatIsSetAsideComesBack(t *testing.T) {
	t.Parallel()
	folder := filepath.Join(t.TempDir(), "snapshots")
	s := NewScratch(folder)
	if _, err := os.Stat(folder); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("made before it is needed: %v", err)
	}
	if _, err := s.ReadAt(make([]byte, 1), 0); err == nil || !strings.Contains(err.Error(), "nothing was set aside in "+folder) {
		t.Errorf("read before anything was set aside: %v", err)
	}
	var writers sync.WaitGroup
	for w := range 4 {
		writers.Go(func() {
			for i := range 200 { // readers and writers side by side
				record := strings.Repeat(fmt.Sprintf("%d-%d,", w, i), 40)
				offset, err := s.Append([]byte(record))
				if err != nil {
					t.Error(err)
					return
				}
				got := make([]byte, len(record))
				if _, err := s.ReadAt(got, offset); err != nil || string(got) != record {
					t.Errorf("%q came back as %q, %v", record, got, err)
				}
			}
		})
	}
	writers.Wait()
	left := files(t, folder)
	if len(left) != 1 || !strings.HasPrefix(left[0], fmt.Sprintf("reading-%d-", os.Getpid())) {
		t.Errorf("CleanUp would not know %v", left)
	}
	info, err := os.Stat(filepath.Join(folder, left[0]))
	if err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	if err := errors.Join(s.Close(), s.Close()); err != nil || len(files(t, folder)) != 0 {
		t.Errorf("%v, left %v", err, files(t, folder))
	}
	if offset, err := NewScratch(filepath.Join(folder, "x\x00")).Append(nil); err == nil {
		t.Errorf("set aside at %d in a folder that cannot be", offset)
	}
}
