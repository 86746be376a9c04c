package file

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"unicode/utf16"
	"unicode/utf8"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
)

// The encodings that the option takes.
const (
	encodingAuto    = "auto"
	encodingUTF8    = "utf-8"
	encodingWindows = "windows-1252"
	encodingLatin1  = "latin-1"
	encodingUTF16LE = "utf-16le"
	encodingUTF16BE = "utf-16be"
)

// maxTranscoded bounds files in another encoding than UTF-8, which are held in memory.
const maxTranscoded = 256 << 20

// survey is what one pass over the bytes of a file finds.
type survey struct {
	nulLine     int  // first line with a NUL byte
	invalidLine int  // first line with bytes that are not UTF-8
	multibyte   bool // some non-ASCII text is valid UTF-8
	strange     bool // bytes that no Windows-1252 text holds
	high, words int  // bytes from 0x80 on; how many of them are letters or usual punctuation
	zeroEven    int  // NUL bytes at even and at odd places, which tell UTF-16 byte orders apart
	zeroOdd     int
	size        int
}

// surveyBytes reads everything.
func surveyBytes(r io.Reader) (survey, error) {
	var found survey
	buf := make([]byte, 64<<10)
	line, kept, place := 1, 0, 0
	for {
		n, err := r.Read(buf[kept:])
		n += kept
		kept = 0
		for i := 0; i < n; {
			c := buf[i]
			if c < utf8.RuneSelf {
				found.ascii(c, line, place)
				if c == '\n' {
					line++
				}
				i, place = i+1, place+1
				continue
			}
			if !utf8.FullRune(buf[i:n]) && err == nil {
				kept = copy(buf, buf[i:n])
				break
			}
			char, size := utf8.DecodeRune(buf[i:n])
			if char == utf8.RuneError && size == 1 {
				if found.invalidLine == 0 {
					found.invalidLine = line
				}
			} else {
				found.multibyte = true
			}
			for _, b := range buf[i : i+size] {
				found.highByte(b)
			}
			i, place = i+size, place+size
		}
		found.size = place
		if err == io.EOF {
			return found, nil
		}
		if err != nil {
			return found, err
		}
	}
}

func (s *survey) ascii(c byte, line, place int) {
	switch {
	case c == 0:
		if s.nulLine == 0 {
			s.nulLine = line
		}
		if place%2 == 0 {
			s.zeroEven++
		} else {
			s.zeroOdd++
		}
	case c < ' ' && c != '\t' && c != '\n' && c != '\r', c == 0x7f:
		s.strange = true
	}
}

func (s *survey) highByte(c byte) {
	s.high++
	switch {
	case c == 0x81 || c == 0x8d || c == 0x8f || c == 0x90 || c == 0x9d:
		s.strange = true
	case c >= 0xc0 && c != 0xd7 && c != 0xf7, // letters of Western Europe
		c == 0x8a || c == 0x8c || c == 0x8e || c == 0x9a || c == 0x9c || c == 0x9e || c == 0x9f,
		c == 0x80 || c >= 0x91 && c <= 0x97 || c == 0xa0 || c == 0xaa || c == 0xba || c == 0xb4 || c == 0xdf:
		s.words++
	}
}

// plausibleWindows says whether the bytes read well as Windows-1252: nothing undefined, and nine in ten of the bytes
// beyond ASCII are letters or quotation marks.
func (s survey) plausibleWindows() bool {
	return !s.strange && s.high > 0 && s.words*10 >= s.high*9
}

// detect chooses the encoding of a file without byte-order mark.
func (s survey) detect(wanted string) (string, error) {
	if s.nulLine > 0 {
		remedy := "export the file again as text in UTF-8"
		switch {
		case s.zeroOdd*3 > s.size:
			remedy = "it looks like UTF-16 without a byte-order mark: save it as UTF-8, or set encoding: utf-16le"
		case s.zeroEven*3 > s.size:
			remedy = "it looks like UTF-16 without a byte-order mark: save it as UTF-8, or set encoding: utf-16be"
		}
		return "", broken(s.nulLine, remedy, "the file holds a NUL byte, which no text does")
	}
	switch {
	case wanted == encodingWindows, wanted == encodingLatin1:
		return wanted, nil
	case s.invalidLine == 0:
		return encodingUTF8, nil
	case wanted == encodingUTF8:
		return "", broken(s.invalidLine, "save the file as UTF-8, or set encoding: auto", "the text is not UTF-8")
	case s.multibyte:
		return "", broken(s.invalidLine, "save the file as UTF-8, or set encoding: windows-1252 if it is that",
			"the text is not UTF-8 here, but it is elsewhere in the file: two encodings are mixed, or the file is damaged")
	case s.plausibleWindows():
		return encodingWindows, nil
	default:
		return "", broken(s.invalidLine, "save the file as UTF-8, or set encoding: to what it is",
			"the text is neither UTF-8 nor plausible Windows-1252")
	}
}

// splitBOM tells the encoding that a byte-order mark names, and the mark.
func splitBOM(head []byte) (name string, mark []byte) {
	for _, candidate := range []struct {
		name string
		mark []byte
	}{
		{encodingUTF8, []byte{0xef, 0xbb, 0xbf}}, {encodingUTF16LE, []byte{0xff, 0xfe}}, {encodingUTF16BE, []byte{0xfe, 0xff}},
	} {
		if bytes.HasPrefix(head, candidate.mark) {
			return candidate.name, candidate.mark
		}
	}
	return "", nil
}

func byteOrder(name string) interface {
	binary.ByteOrder
	binary.AppendByteOrder
} {
	if name == encodingUTF16BE {
		return binary.BigEndian
	}
	return binary.LittleEndian
}

func eightBit(name string) encoding.Encoding {
	if name == encodingLatin1 {
		return charmap.ISO8859_1
	}
	return charmap.Windows1252
}

// toUTF8 turns a file in another encoding into UTF-8, such that fromUTF8 gives the same bytes back.
func toUTF8(name string, data []byte) ([]byte, error) {
	if name != encodingUTF16LE && name != encodingUTF16BE {
		return eightBit(name).NewDecoder().Bytes(data)
	}
	if len(data)%2 != 0 {
		return nil, cutOff(0, "UTF-16 text has an odd number of bytes: the file is cut off")
	}
	order := byteOrder(name)
	text := make([]byte, 0, len(data))
	line := 1
	for i := 0; i < len(data); i += 2 {
		char := rune(order.Uint16(data[i:]))
		if utf16.IsSurrogate(char) {
			pair := rune(utf8.RuneError)
			if i+4 <= len(data) {
				pair = utf16.DecodeRune(char, rune(order.Uint16(data[i+2:])))
			}
			if pair == utf8.RuneError {
				return nil, broken(line, "save the file as UTF-8", "the text is not valid UTF-16")
			}
			char = pair
			i += 2
		}
		switch char {
		case 0:
			return nil, broken(line, "export the file again as text in UTF-8", "the file holds a NUL character, which no text does")
		case '\n':
			line++
		}
		text = utf8.AppendRune(text, char)
	}
	return text, nil
}

// fromUTF8 is the way back. A character that the encoding lacks is an error that names it.
func fromUTF8(name string, text []byte) ([]byte, error) {
	switch name {
	case encodingUTF8:
		return text, nil
	case encodingUTF16LE, encodingUTF16BE:
		order := byteOrder(name)
		data := make([]byte, 0, 2*len(text))
		for _, unit := range utf16.Encode([]rune(string(text))) {
			data = order.AppendUint16(data, unit)
		}
		return data, nil
	}
	encoder := eightBit(name).NewEncoder()
	data, err := encoder.Bytes(text)
	if err == nil {
		return data, nil
	}
	for _, char := range string(text) {
		if _, err := encoder.String(string(char)); err != nil {
			return nil, refused("", "save the file as UTF-8 once, and set encoding: utf-8",
				"the character %q does not exist in the file's encoding %s", char, name)
		}
	}
	return nil, fmt.Errorf("encode as %s: %w", name, err)
}
