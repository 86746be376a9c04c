//go:build !unix

package engine

import "os"

// alive reports whether a process of this machine still runs.
func alive(pid int) bool {
	_, err := os.FindProcess(pid)
	return err == nil
}
