package config

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestDecodeConf(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ charset, data, want string }{
		{"UTF-8", "\xef\xbb\xbfé", "é"},
		{"utf8", "a\xff", "error: byte 1 is not UTF-8; set configFileEncoding"},
		{"ISO-8859-1", "\xe9\x80", "é\u0080"},
		{"latin1", "\xe9", "é"},
		{"US-ASCII", "abc", "abc"},
		{"ascii", "a\xe9", "error: byte 1 is not US-ASCII"},
		{"UTF-16", "\xff\xfea\x00", "a"},
		{"UTF-16", "\xfe\xff\x00a", "a"},
		{"UTF-16", "\x00a", "a"}, // Java's default without a mark
		{"UTF-16LE", "a\x00\x3d\xd8\x00\xde", "a😀"},
		{"UTF-16BE", "\x00a", "a"},
		{"UTF-16BE", "\x00", "error: an odd number of bytes is not UTF-16"},
	} {
		got, err := decodeConf([]byte(c.data), c.charset)
		if err != nil {
			got = "error: " + err.Error()
		}
		if got != c.want {
			t.Errorf("%s %q: got %q, want %q", c.charset, c.data, got, c.want)
		}
	}
}

func TestNearest(t *testing.T) {
	t.Parallel()
	known := []string{"url", "user", "table", "target", "outOfOrder"}
	got := map[string]string{}
	for _, word := range []string{"tabel", "TABLE", "usr", "outOfOder", "outofoder", "trget", "xyz", "", "ur", "outOfOrderOr"} {
		got[word] = nearest(word, suggestLimit(word), known)
	}
	want := map[string]string{"tabel": "table", "TABLE": "table", "usr": "user", "outOfOder": "outOfOrder", "outofoder": "outOfOrder",
		"trget": "target", "xyz": "", "": "", "ur": "url", "outOfOrderOr": "outOfOrder"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestNames(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{"connectRetriesInterval": "CONNECT_RETRIES_INTERVAL", "postgresql.transactional.lock": "POSTGRESQL_TRANSACTIONAL_LOCK",
		"outputLogsInJson": "OUTPUT_LOGS_IN_JSON", "url": "URL"} {
		if got := upperSnake(in); got != want {
			t.Errorf("upperSnake(%s) = %s, want %s", in, got, want)
		}
	}
	for in, want := range map[string]string{"baseline-version": "baselineVersion", "baselineVersion": "baselineVersion", "x-": "x"} {
		if got := camel(in); got != want {
			t.Errorf("camel(%s) = %s, want %s", in, got, want)
		}
	}
}
