package migration

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
	"unsafe"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/htmlindex"
	"golang.org/x/text/encoding/ianaindex"
	"golang.org/x/text/encoding/unicode"
	"golang.org/x/text/encoding/unicode/utf32"
)

// decode turns a script's bytes into text and drops a leading byte order mark. Bytes that the encoding does not know
// are an error with their offset, never a replacement character: a checksum over guessed text would be worthless.
func decode(content []byte, name string) (string, error) {
	text, bad, err := decodeStrictly(content, name)
	if err != nil {
		return "", err
	}
	if bad >= 0 {
		return "", &badByteError{offset: bad, value: content[min(bad, len(content)-1)], encoding: orElse(name, "UTF-8")}
	}
	return strings.TrimPrefix(text, "\ufeff"), nil
}

// view is the bytes as text, without a copy: nobody changes the content of a File.
func view(content []byte) string { return unsafe.String(unsafe.SliceData(content), len(content)) }

type badByteError struct {
	offset   int
	value    byte
	encoding string
}

func (e *badByteError) Error() string {
	return fmt.Sprintf("byte %d (0x%02x) is not valid %s", e.offset, e.value, e.encoding)
}

// decodeStrictly returns the offset of the first byte that cannot be decoded, or -1.
func decodeStrictly(content []byte, name string) (text string, bad int, err error) {
	key := strings.ReplaceAll(strings.ToLower(strings.TrimSpace(name)), "_", "-")
	switch key {
	case "", "utf-8", "utf8":
		if utf8.Valid(content) {
			return view(content), -1, nil
		}
		return "", firstInvalidUTF8(content), nil
	case "us-ascii", "ascii", "iso646-us":
		for i, c := range content {
			if c >= 0x80 {
				return "", i, nil
			}
		}
		return view(content), -1, nil
	}
	enc, err := findEncoding(key)
	if err != nil {
		return "", 0, fmt.Errorf("unknown encoding %q; use a name such as UTF-8, ISO-8859-1, windows-1252 or UTF-16", name)
	}
	out, err := enc.NewDecoder().Bytes(content)
	if err != nil {
		return "", 0, fmt.Errorf("cannot decode %s: %w", name, err)
	}
	if strings.ContainsRune(string(out), utf8.RuneError) {
		if bad := firstUndecodable(enc, content); bad >= 0 {
			return "", bad, nil
		}
	}
	return string(out), -1, nil
}

// CheckEncoding reports an encoding that Skein does not know; "" is UTF-8.
func CheckEncoding(name string) error {
	_, _, err := decodeStrictly(nil, name)
	return err
}

// findEncoding knows Java's names first, then those of the IANA list: to browsers, whose names htmlindex follows,
// ISO-8859-1 means windows-1252, ISO-8859-9 windows-1254, and UTF-16 little endian.
func findEncoding(key string) (encoding.Encoding, error) {
	switch key {
	case "iso-8859-1", "iso8859-1", "iso88591", "latin1", "latin-1", "l1":
		return charmap.ISO8859_1, nil
	case "utf-16", "utf16":
		return unicode.UTF16(unicode.BigEndian, unicode.UseBOM), nil
	case "utf-16be", "utf16be":
		return unicode.UTF16(unicode.BigEndian, unicode.IgnoreBOM), nil
	case "utf-16le", "utf16le":
		return unicode.UTF16(unicode.LittleEndian, unicode.IgnoreBOM), nil
	case "utf-32", "utf32":
		return utf32.UTF32(utf32.BigEndian, utf32.UseBOM), nil
	case "utf-32be":
		return utf32.UTF32(utf32.BigEndian, utf32.IgnoreBOM), nil
	case "utf-32le":
		return utf32.UTF32(utf32.LittleEndian, utf32.IgnoreBOM), nil
	}
	key = ianaName(key)
	if enc, err := ianaindex.IANA.Encoding(key); err == nil && enc != nil {
		return enc, nil
	}
	enc, err := htmlindex.Get(key)
	if enc == encoding.Replacement {
		err = errors.New("browsers refuse it")
	}
	return enc, err
}

// javaNames are names of Java's own beside those that ianaName turns by rule.
var javaNames = map[string]string{
	"sjis": "shift_jis", "shift-jis": "shift_jis", "ms932": "shift_jis", "windows-31j": "shift_jis", "eucjp": "euc-jp",
	"ms936": "gbk", "gb2312": "gbk", "euc-cn": "gbk", "ms949": "euc-kr", "euckr": "euc-kr", "ms950": "big5",
	"macroman": "macintosh", "maccyrillic": "x-mac-cyrillic", "ms874": "windows-874", "windows-874": "windows-874", "tis-620": "windows-874",
	"ibm858": "ibm00858", "ibm1140": "ibm01140",
}

// ianaName turns a name of Java's (Cp850, ISO8859_15, MS932, x-MacRoman) into one of the IANA list.
func ianaName(key string) string {
	short := strings.TrimPrefix(key, "x-")
	for _, family := range []struct{ java, iana string }{
		{"iso8859-", "iso-8859-"}, {"8859-", "iso-8859-"}, {"cp125", "windows-125"}, {"cp", "ibm"}, {"ibm-", "ibm"},
	} {
		if rest, ok := strings.CutPrefix(short, family.java); ok {
			short = family.iana + rest
			key = short
			break
		}
	}
	return orElse(javaNames[short], key)
}

func firstInvalidUTF8(b []byte) int {
	for i := 0; i < len(b); {
		r, size := utf8.DecodeRune(b[i:])
		if r == utf8.RuneError && size <= 1 {
			return i
		}
		i += size
	}
	return -1
}

// firstUndecodable finds the byte that made the decoder answer with a replacement character, by giving it no more
// bytes at a time than it needs for one. A replacement character that stands in the file encodes back to its bytes.
func firstUndecodable(enc encoding.Encoding, content []byte) int {
	decoder := enc.NewDecoder()
	var dst [16]byte
	for at := 0; at < len(content); {
		n, size := 0, 0
		for width := 1; size == 0 && at+width <= len(content) && width <= 8; width++ {
			n, size, _ = decoder.Transform(dst[:], content[at:at+width], at+width == len(content))
		}
		if size == 0 {
			return at
		}
		if strings.ContainsRune(string(dst[:n]), utf8.RuneError) {
			back, err := enc.NewEncoder().Bytes([]byte(string(utf8.RuneError)))
			if err != nil || !strings.HasSuffix(string(back), string(content[at:at+size])) {
				return at
			}
		}
		at += size
	}
	return -1
}

// detectEncoding guesses as Flyway does (flyway.md §1.8) and returns a name for decode.
func detectEncoding(content []byte) string {
	if len(content)%2 == 0 && len(content) >= 2 {
		switch {
		case content[0] == 0xfe && content[1] == 0xff:
			return "UTF-16BE"
		case content[0] == 0xff && content[1] == 0xfe:
			return "UTF-16LE"
		}
		zeros := 0
		for i := 1; i < len(content); i += 2 {
			if content[i] == 0 {
				zeros++
			}
		}
		if zeros > len(content)/2-zeros {
			return "UTF-16"
		}
	}
	if utf8.Valid(content) {
		return "UTF-8"
	}
	return "ISO-8859-1"
}
