//go:build unix

package state

import (
	"os/exec"
	"syscall"
)

func runAs(cmd *exec.Cmd, user uint32) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: user, Gid: user}}
}
