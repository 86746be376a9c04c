package file

import (
	"fmt"
	"os"
)

// identity tells one state of a file from another without reading it: who replaces or changes the file changes it.
type identity struct {
	Size, Modified int64
	Inode, Device  uint64
}

// String is the form that cursors carry.
func (i identity) String() string {
	return fmt.Sprintf("%d.%d.%d.%d", i.Size, i.Modified, i.Inode, i.Device)
}

// identify looks at an open file.
func identify(f *os.File) (identity, os.FileInfo, error) {
	info, err := f.Stat()
	if err != nil {
		return identity{}, nil, err
	}
	id := identity{Size: info.Size(), Modified: info.ModTime().UnixNano()}
	id.Inode, id.Device, err = number(f, info)
	return id, info, err
}

// identifyPath looks at what stands at a path now.
func identifyPath(path string) (identity, error) {
	f, err := os.Open(path)
	if err != nil {
		return identity{}, err
	}
	defer f.Close()
	id, _, err := identify(f)
	return id, err
}
