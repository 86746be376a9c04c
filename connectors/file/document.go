package file

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/rollcall-sync/rollcall/sync/directory"
)

// textReader is a whole content.
type textReader interface {
	io.Reader
	io.ReaderAt
	Size() int64
}

// document is an open file whose content reads as UTF-8, without its byte-order mark.
type document struct {
	file     *os.File
	info     os.FileInfo
	identity identity
	// encoding is how the bytes on disk are to be read; mark is the byte-order mark before them.
	encoding string
	mark     []byte
	// guessed is set where neither a mark nor the configuration named the encoding and it is not UTF-8.
	guessed bool
	// memory holds the text of a file in another encoding than UTF-8.
	memory []byte
}

// openDocument opens the file and finds out its encoding, which takes one pass over it.
func openDocument(o *options) (*document, error) {
	d, err := openRaw(o.path)
	if err != nil {
		return nil, err
	}
	if err := d.recognise(o.encoding); err != nil {
		d.Close()
		return nil, err
	}
	return d, nil
}

// openRaw opens the file and looks no further.
func openRaw(path string) (*document, error) {
	info, err := os.Stat(path) // first, because opening a pipe would wait for its other end
	switch {
	case err != nil:
		return nil, err
	case info.IsDir():
		return nil, &fault{kind: directory.Invalid, message: "this is a folder", remedy: "set path to the file in it"}
	case !info.Mode().IsRegular():
		return nil, &fault{kind: directory.Invalid, message: "this is no regular file", remedy: "set path to a file on disk"}
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	d := &document{file: f}
	if d.identity, d.info, err = identify(f); err != nil {
		f.Close()
		return nil, err
	}
	return d, nil
}

// Close closes the file.
func (d *document) Close() error { return d.file.Close() }

func (d *document) recognise(wanted string) error {
	head := make([]byte, 3)
	n, err := d.file.ReadAt(head, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	d.encoding, d.mark = splitBOM(head[:n])
	switch {
	case wanted == encodingAuto || wanted == d.encoding:
	case d.encoding == "":
		if wanted == encodingUTF16LE || wanted == encodingUTF16BE {
			d.encoding = wanted
		}
	default:
		return broken(1, "remove the option encoding, or set it to auto", "the file's byte-order mark says %s, the option encoding says %s", d.encoding, wanted)
	}
	if d.encoding != encodingUTF16LE && d.encoding != encodingUTF16BE {
		if d.mark != nil {
			wanted = encodingUTF8
		}
		found, err := surveyBytes(d.section())
		if err != nil {
			return err
		}
		if d.encoding, err = found.detect(wanted); err != nil {
			return err
		}
		d.guessed = d.encoding != encodingUTF8 && wanted == encodingAuto
	}
	return d.transcode()
}

// transcode reads a file in another encoding into memory.
func (d *document) transcode() error {
	if d.encoding == encodingUTF8 {
		return nil
	}
	if d.identity.Size > maxTranscoded {
		return &fault{
			kind: directory.Invalid, message: fmt.Sprintf("a file of %d bytes in %s is too large to be converted", d.identity.Size, d.encoding),
			remedy: "save it as UTF-8, which has no limit of size",
		}
	}
	data, err := io.ReadAll(d.section())
	if err != nil {
		return err
	}
	d.memory, err = toUTF8(d.encoding, data)
	return err
}

// section is the bytes after the mark.
func (d *document) section() *io.SectionReader {
	return io.NewSectionReader(d.file, int64(len(d.mark)), d.identity.Size-int64(len(d.mark)))
}

// text is the whole content in UTF-8. All offsets of this package count in it.
func (d *document) text() textReader {
	if d.memory != nil {
		return bytes.NewReader(d.memory)
	}
	return d.section()
}
