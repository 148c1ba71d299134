package migration

import (
	"errors"
	"strings"
	"testing"
	"unicode/utf16"
)

func utf16Bytes(s string, little bool) string {
	var b strings.Builder
	for _, u := range utf16.Encode([]rune(s)) {
		hi, lo := byte(u>>8), byte(u)
		if little {
			hi, lo = lo, hi
		}
		b.WriteByte(hi)
		b.WriteByte(lo)
	}
	return b.String()
}

func TestDecode(t *testing.T) {
	t.Parallel()
	const text = "select 'é😀';\n"
	for _, c := range []struct{ encoding, bytes, want string }{
		{"", text, text},
		{"UTF-8", "\ufeff" + text, text},
		{"utf8", "\ufeff\ufeff" + text, "\ufeff" + text},
		{"ISO-8859-1", "\xe9\x80", "é\u0080"},
		{"ISO8859_1", "\xe9", "é"},
		{"windows-1252", "\x80", "€"},
		{"Cp1252", "\x80", "€"},
		{"US-ASCII", "abc", "abc"},
		{"UTF-16", utf16Bytes(text, false), text}, // big endian where nothing says otherwise, as in Java
		{"UTF-16", utf16Bytes("\ufeff"+text, true), text},
		{"UTF-16LE", utf16Bytes("\ufeff"+text, true), text},
		{"UTF-16BE", utf16Bytes(text, false), text},
		{"UTF-8", "\ufffd", "\ufffd"}, // a replacement character that stands in the file is a character
		{"UTF-16LE", utf16Bytes("a\ufffdb", true), "a\ufffdb"},
		{"Shift_JIS", "\x83e", "テ"},
		{"MS932", "\x83e", "テ"},
		{"windows-31j", "\x83e", "テ"},
		{"EUC-JP", "\xa5\xc6", "テ"},
		{"ISO-2022-JP", "\x1b$B%F\x1b(B", "テ"},
		{"GBK", "\xc4\xe3", "你"},
		{"GB2312", "\xc4\xe3", "你"},
		{"GB18030", "\x81\x30\x86\x34", "¼"},
		{"Big5", "\xa7A", "你"},
		{"EUC-KR", "\xb3\xca", "너"},
		{"ISO-8859-9", "\x80\xf0", "\u0080ğ"}, // not what browsers take it for
		{"ISO8859_15", "\xa4", "€"},
		{"8859_2", "\xb1", "ą"},
		{"windows-1251", "\xe6", "ж"},
		{"KOI8-R", "\xd6", "ж"},
		{"IBM866", "\xa6", "ж"},
		{"Cp850", "\x82", "é"},
		{"Cp437", "\x82", "é"},
		{"Cp852", "\xa5", "ą"},
		{"Cp858", "\xd5", "€"},
		{"IBM037", "\xc1", "A"},
		{"Cp1140", "\x9f", "€"},
		{"x-MacRoman", "\x8e", "é"},
		{"x-windows-874", "\xa1", "ก"},
		{"TIS-620", "\xa1", "ก"},
		{"UTF-32", "\x00\x00\x00a", "a"},
		{"UTF-32LE", "a\x00\x00\x00", "a"},
	} {
		got, err := decode([]byte(c.bytes), c.encoding)
		if err != nil || got != c.want {
			t.Errorf("%q as %s: %q, %v; want %q", c.bytes, c.encoding, got, err, c.want)
		}
	}
}

func TestDecodeBadBytes(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		encoding, bytes string
		offset          int
	}{
		{"", "abc\xe9def", 3},
		{"", "ab\xed\xa0\x80", 2}, // half of a surrogate pair
		{"", "ab\xc0\xaf", 2},     // overlong
		{"", "aé\xe2\x82", 3},     // cut short
		{"US-ASCII", "ab\x80", 2},
		{"UTF-16LE", "a\x00b\x00\x00\xdcc\x00", 4}, // a low surrogate alone
		{"UTF-16BE", "\x00a\x00", 2},
		{"windows-1252", "ab\x81c", 2}, // one of its five holes
		{"windows-1255", "ab\xd9c", 2},
		{"Shift_JIS", "\x83e\xff", 2},
	} {
		_, err := decode([]byte(c.bytes), c.encoding)
		bad, ok := errors.AsType[*badByteError](err)
		if !ok || bad.offset != c.offset {
			t.Errorf("%q as %s: %v, want byte %d", c.bytes, c.encoding, err, c.offset)
		}
	}
	for _, name := range []string{"no-such-encoding", "ISO-2022-KR", "x-user-undefined", "CESU-8"} {
		if _, err := decode([]byte("a"), name); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("the unknown encoding %s gives %v", name, err)
		}
	}
}

func TestDetectEncoding(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ bytes, want string }{
		{"", "UTF-8"},
		{"select 'é'", "UTF-8"},
		{"select '\xe9'", "ISO-8859-1"},
		{utf16Bytes("\ufeffab", false), "UTF-16BE"},
		{utf16Bytes("\ufeffab", true), "UTF-16LE"},
		{utf16Bytes("\ufeffab", true) + "x", "ISO-8859-1"}, // an odd number of bytes is no UTF-16
		{utf16Bytes("abc", true), "UTF-16"},                // zeros at odd places; Java then reads it big endian
		{"a\x00bcde", "UTF-8"},
	} {
		if got := detectEncoding([]byte(c.bytes)); got != c.want {
			t.Errorf("%q: %s, want %s", c.bytes, got, c.want)
		}
	}
}

func TestBadBytesNameFileAndPlace(t *testing.T) {
	t.Parallel()
	_, err := Resolve([]File{
		{Path: "V1__a.sql", Physical: "/sql/V1__a.sql", Content: []byte("select 1;\nselect '\xe9';")},
		{Path: "V2__b.sql", Physical: "/sql/V2__b.sql", Content: []byte("\xff")},
	}, nil, ResolveOptions{})
	want := "/sql/V1__a.sql:2: Unable to calculate checksum of V1__a.sql: byte 18 (0xe9) is not valid UTF-8\n" +
		"/sql/V2__b.sql:1: Unable to calculate checksum of V2__b.sql: byte 0 (0xff) is not valid UTF-8"
	if err == nil || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
	if e, ok := errors.AsType[*Error](err); !ok || !strings.Contains(e.Hint, "detectEncoding=true") {
		t.Errorf("no hint in %#v", err)
	}
}

// A script's own .conf names its encoding and turns detection off for it.
func TestEncodingOfOneScript(t *testing.T) {
	t.Parallel()
	resolved, err := Resolve([]File{
		{Path: "V1__a.sql", Content: []byte("select '\x80';")},
		{Path: "V1__a.sql.conf", Content: []byte("encoding=windows-1252")},
		{Path: "V2__b.sql", Content: []byte("select '\x80';")},
	}, nil, ResolveOptions{DetectEncoding: true})
	if err != nil {
		t.Fatal(err)
	}
	if a, b := resolved.Scripts[0].Text, resolved.Scripts[1].Text; a != "select '€';" || b != "select '\u0080';" {
		t.Errorf("texts %q and %q", a, b)
	}
}
