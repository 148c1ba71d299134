package migration

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

// A script that is not held has the checksum, the digest and the faults of one that is.
func TestLargeScriptsResolveAsHeldOnes(t *testing.T) {
	t.Parallel()
	pad := func(n int, tail string) string { return strings.Repeat("x", n) + tail }
	const window = 256 << 10
	for name, c := range map[string]struct {
		path, encoding, text string
		detect, held         bool
	}{
		"empty":                     {text: ""},
		"short":                     {text: "select 1;\r\nselect 2;\n"},
		"with a mark":               {text: "\ufeffselect 1;\n"},
		"with two marks":            {text: "\ufeff\ufeffselect 1;\n"},
		"a mark alone":              {text: "\ufeff"},
		"utf8":                      {text: pad(window*2, "ä\n"), encoding: "UTF8"},
		"a character at the border": {text: pad(window-1, "äöü€") + pad(window, "\r") + "\n" + pad(window+5, "😀")},
		"a line end at the border":  {text: pad(window-1, "\r\nx") + pad(window, "\n\n\r\ry")},
		"no such byte":              {text: pad(window+9, "\n\xff\n"), held: true},
		"half a character":          {text: pad(window-1, "\xc3"), held: true},
		"another encoding":          {text: "select '\xe4';", encoding: "ISO-8859-1", held: true},
		"a guessed one":             {text: "select '\xe4';", detect: true, held: true},
		"a repeatable":              {path: "R__a.sql", text: "select 1;", held: true},
		"a program":                 {path: "V1__a.sh", text: "true\n", held: true},
		"an undo script":            {path: "U1__a.sql", text: "select 1;\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			file := File{Path: orElse(c.path, "V1__a.sql"), Content: []byte(c.text)}
			opt := ResolveOptions{Encoding: c.encoding, DetectEncoding: c.detect}
			want, wrong := Resolve([]File{file}, nil, opt)
			file.Content = nil
			file.Open = func() (io.ReadCloser, error) {
				return io.NopCloser(iotest.HalfReader(strings.NewReader(c.text))), nil
			}
			got, err := Resolve([]File{file}, nil, opt)
			if (err == nil) != (wrong == nil) || err != nil && err.Error() != wrong.Error() {
				t.Fatalf("error %v\nheld: %v", err, wrong)
			}
			if err != nil {
				return
			}
			a, b := got.Scripts[0], want.Scripts[0]
			if *a.Checksum != *b.Checksum || a.RawChecksum != b.RawChecksum || a.digest() != b.digest() || a.Kind != b.Kind || a.Type != b.Type {
				t.Errorf("%+v\nheld: %+v", a, b)
			}
			if c.held != (a.Open == nil) || c.held && a.Text != b.Text {
				t.Errorf("it is held: %v", a.Open == nil)
			}
			if a.Open == nil {
				return
			}
			in, err := a.Open()
			if err != nil {
				t.Fatal(err)
			}
			text, err := io.ReadAll(in)
			if err != nil || string(text) != b.Text || sha256.Sum256(text) != a.Digest || !bytes.HasSuffix([]byte(c.text), text) {
				t.Errorf("%d bytes, held %d, error %v", len(text), len(b.Text), err)
			}
		})
	}
}

func TestLargeFileThatCannotBeRead(t *testing.T) {
	t.Parallel()
	gone := errors.New("it is gone")
	for name, open := range map[string]func() (io.ReadCloser, error){
		"opened": func() (io.ReadCloser, error) { return nil, gone },
		"read":   func() (io.ReadCloser, error) { return io.NopCloser(iotest.ErrReader(gone)), nil },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := Resolve([]File{{Path: "V1__a.sql", Open: open}}, nil, ResolveOptions{})
			var e *Error
			if !errors.As(err, &e) || !errors.Is(err, gone) || e.Path != "V1__a.sql" || e.Hint == "" {
				t.Errorf("error %v", err)
			}
		})
	}
}
