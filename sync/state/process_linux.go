package state

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"syscall"
)

// machine joins the id of this boot with the namespace of process ids, which is another one in each container.
func machine() string {
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return ""
	}
	namespace, err := os.Readlink("/proc/self/ns/pid")
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(boot)) + " " + namespace
}

// processStart returns when a process started, in ticks since the boot (field 22 of proc(5)'s stat); gone where there is
// no such process, or only its remains that nobody has waited for.
func processStart(pid int) (started string, gone bool) {
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if errors.Is(err, fs.ErrNotExist) {
		// /proc may hide other users' processes; the kernel itself does not.
		return "", errors.Is(syscall.Kill(pid, 0), syscall.ESRCH)
	}
	if err != nil {
		return "", errors.Is(err, syscall.ESRCH)
	}
	// The name in field 2 may hold anything, spaces and parentheses too. Field 3 follows it.
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	const state, startTime = 0, 22 - 3
	if len(fields) <= startTime {
		return "", false
	}
	return fields[startTime], fields[state] == "Z" || fields[state] == "X"
}

// lockHolder returns the id of a process that has a write lock on the file or on SQLite's files beside it; 0 where none is
// found. It only looks into /proc/locks: opening the file here and closing it would drop our own locks.
func lockHolder(path string) int {
	locks, err := os.ReadFile("/proc/locks")
	if err != nil {
		return 0
	}
	inodes := make(map[string]bool)
	for _, suffix := range []string{"", "-shm", "-wal"} {
		var stat syscall.Stat_t
		if syscall.Stat(path+suffix, &stat) == nil {
			inodes[strconv.FormatUint(stat.Ino, 10)] = true
		}
	}
	// 1: POSIX  ADVISORY  WRITE 1234 fd:00:5678 120 120
	for line := range strings.Lines(string(locks)) {
		fields := strings.Fields(line)
		if len(fields) < 6 || fields[3] != "WRITE" {
			continue
		}
		_, inode, _ := strings.Cut(fields[5], ":")
		_, inode, _ = strings.Cut(inode, ":")
		pid, err := strconv.Atoi(fields[4])
		if err == nil && pid > 0 && pid != os.Getpid() && inodes[inode] {
			return pid
		}
	}
	return 0
}
