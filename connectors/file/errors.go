package file

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/rollcall-sync/rollcall/sync/directory"
)

// fault is one thing wrong with the content of a file, or with a value that was to be written into it.
type fault struct {
	kind directory.ErrorKind
	// line and column count from 1; 0 means that the whole file, or the whole line, is at fault.
	line, column int
	// header names the column, where it has a name.
	header    string
	attribute string
	message   string
	remedy    string
}

// Error returns "line 7, column 3 (email): message".
func (f *fault) Error() string {
	var place []string
	if f.line > 0 {
		place = append(place, fmt.Sprintf("line %d", f.line))
	}
	switch {
	case f.column > 0 && f.header != "":
		place = append(place, fmt.Sprintf("column %d (%s)", f.column, f.header))
	case f.column > 0:
		place = append(place, fmt.Sprintf("column %d", f.column))
	case f.header != "":
		place = append(place, "column "+f.header)
	}
	if len(place) == 0 {
		return f.message
	}
	return strings.Join(place, ", ") + ": " + f.message
}

func broken(line int, remedy, format string, args ...any) *fault {
	return &fault{kind: directory.Invalid, line: line, message: fmt.Sprintf(format, args...), remedy: remedy}
}

// cutOff is a file that ends too early: it may be whole a moment later.
func cutOff(line int, format string, args ...any) *fault {
	return &fault{
		kind: directory.Retryable, line: line, message: fmt.Sprintf(format, args...),
		remedy: "wait until the upload has ended, or export the file again; min_age keeps Rollcall from reading too early",
	}
}

// refused is a value that the file cannot hold.
func refused(attribute, remedy, format string, args ...any) *fault {
	return &fault{kind: directory.Invalid, attribute: attribute, message: fmt.Sprintf(format, args...), remedy: remedy}
}

// fail gives an error its kind and place. record is an account or group; empty means the file itself.
func (s *store) fail(op, record string, err error) error {
	if err == nil {
		return nil
	}
	var done *directory.Error
	if errors.As(err, &done) {
		return err
	}
	e := &directory.Error{Kind: directory.Retryable, Op: op, Directory: s.options.name, Record: record, Err: err}
	if record == "" {
		e.Record = s.options.path
	}
	var f *fault
	switch {
	case errors.As(err, &f):
		e.Kind, e.Remedy, e.Attribute = f.kind, f.remedy, f.attribute
	case errors.Is(err, fs.ErrNotExist):
		e.Err = errors.New("the file does not exist")
		e.Remedy = "check path, and whether the export has run"
	case errors.Is(err, fs.ErrPermission):
		e.Kind = directory.Auth
		e.Remedy = "let the account that runs Rollcall read the file; with writable it must also be able to write to its folder"
	}
	return e
}
