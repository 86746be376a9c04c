//go:build !unix

package rig

import (
	"os"
	"os/exec"
)

func ownGroup(*exec.Cmd) {}

func terminateGroup(pid int) { killGroup(pid) }

// killGroup ends the process alone: there are no process groups here.
func killGroup(pid int) {
	if process, err := os.FindProcess(pid); err == nil {
		process.Kill()
	}
}
