package file

import (
	"errors"
	"os"

	"golang.org/x/sys/windows"
)

// number returns what the file system knows the file by.
func number(f *os.File, _ os.FileInfo) (inode, device uint64, err error) {
	var info windows.ByHandleFileInformation
	if err := windows.GetFileInformationByHandle(windows.Handle(f.Fd()), &info); err != nil {
		return 0, 0, err
	}
	return uint64(info.FileIndexHigh)<<32 | uint64(info.FileIndexLow), uint64(info.VolumeSerialNumber), nil
}

// tryLock takes an exclusive lock that ends with the process; false means that somebody else holds it.
func tryLock(f *os.File) (bool, error) {
	err := windows.LockFileEx(windows.Handle(f.Fd()), windows.LOCKFILE_EXCLUSIVE_LOCK|windows.LOCKFILE_FAIL_IMMEDIATELY, 0, 1, 0, new(windows.Overlapped))
	if errors.Is(err, windows.ERROR_LOCK_VIOLATION) {
		return false, nil
	}
	return err == nil, err
}

// keepOwner does nothing: a file made in the same folder inherits what the folder says.
func keepOwner(*os.File, os.FileInfo) error { return nil }

// syncFolder does nothing: Windows has no such call.
func syncFolder(string) error { return nil }
