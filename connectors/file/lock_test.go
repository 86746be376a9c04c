package file_test

import (
	"os"
	"testing"

	"github.com/rollcall-sync/rollcall/connectors/file"
)

// holdLock takes the lock as another program would, until release is called.
func holdLock(t *testing.T, path string) (release func()) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	if ok, err := file.TryLock(f); !ok || err != nil {
		t.Fatal(ok, err)
	}
	return func() { f.Close() }
}
