package migration

import (
	"hash/crc32"
	"regexp"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// The worked examples of flyway.md §2.2; 7 and 8 are in testdata/resolve.txtar.
func TestChecksum(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		text string
		want int32
	}{
		{"create table t(id int);\ninsert into t values (1);\n", 1249945511},
		{"create table t(id int);\r\ninsert into t values (1);\r\n", 1249945511},
		{"create table t(id int);\rinsert into t values (1);\r", 1249945511},
		{"create table t(id int);\ninsert into t values (1);", 1249945511},
		{"\xEF\xBB\xBFcreate table t(id int);\n\n\ninsert into t values (1);\n\n", 1249945511},
		{"comment on table t is 'café 😀';\n", -1796724948},
		{"", 0},
		{"\tselect 1;  \n", -1321108445},
		{"create table a(id int);\n", -1193849269},
		{"select 1;\u2028select 2;\u0085x\fy\vz\n", 1142873087},
	} {
		if got := Checksum(c.text); got != c.want {
			t.Errorf("%q: %d, want %d", c.text, got, c.want)
		}
	}
}

// Checksum against the definition: lines, split at CR LF, LF or CR, hashed with nothing between them.
func TestChecksumDefinition(t *testing.T) {
	t.Parallel()
	lineEnd := regexp.MustCompile("\r\n|\n|\r")
	piece := rapid.SampledFrom([]string{"\n", "\r\n", "\r", "\ufeff", "a", "é", "😀", " ", strings.Repeat("x", 4094), strings.Repeat("y", 4097)})
	rapid.Check(t, func(t *rapid.T) {
		text := strings.Join(rapid.SliceOfN(piece, 0, 12).Draw(t, "pieces"), "")
		lines := lineEnd.Split(text, -1)
		lines[0] = strings.TrimPrefix(lines[0], "\ufeff")
		if got, want := Checksum(text), int32(crc32.ChecksumIEEE([]byte(strings.Join(lines, "")))); got != want {
			t.Fatalf("%q: %d, want %d", text, got, want)
		}
	})
}

func TestLockKey(t *testing.T) {
	t.Parallel()
	if got := LockKey("public", "flyway_schema_history"); got != 77433833903597 {
		t.Errorf("LockKey is %d, Flyway's is 77433833903597", got)
	}
	// By the Python of flyway.md, appendix B: a doubled quote, and a character of two UTF-16 units.
	if got, want := LockKey(`we"ird`, "history😀"), javaKey(`"we""ird"."history`, 0xd83d, 0xde00, '"'); got != want {
		t.Errorf("LockKey is %d, want %d", got, want)
	}
}

func javaKey(ascii string, units ...int64) int64 {
	var h int64
	for _, c := range []byte(ascii) {
		h = (31*h + int64(c)) & 0xffffffff
	}
	for _, u := range units {
		h = (31*h + u) & 0xffffffff
	}
	if h>>31 == 1 {
		h -= 1 << 32
	}
	return 0x466C79776179 + h
}

func TestAbbreviate(t *testing.T) {
	t.Parallel()
	x := func(n int) string { return strings.Repeat("x", n) }
	for _, c := range []struct{ got, want string }{
		{AbbreviateDescription(x(200)), x(200)},
		{AbbreviateDescription(x(201)), x(197) + "..."},
		{AbbreviateDescription(strings.Repeat("é", 200)), strings.Repeat("é", 200)},
		{AbbreviateDescription(strings.Repeat("😀", 100)), strings.Repeat("😀", 100)},
		{AbbreviateDescription(strings.Repeat("😀", 101)), strings.Repeat("😀", 98) + "..."}, // the 197th unit is half a character
		{AbbreviateScript(x(1000)), x(1000)},
		{AbbreviateScript("abc" + x(1000)), "..." + x(997)},
		{AbbreviateScript("abcdef" + x(997)), "...def" + x(994)},
	} {
		if c.got != c.want {
			t.Errorf("got %q, want %q", c.got, c.want)
		}
	}
}
