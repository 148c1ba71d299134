package source_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/skein-db/skein/source"
)

// Files around the size of the buffer that they are read into arrive whole.
func TestSizes(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	want := map[string][]byte{}
	for i, size := range []int{0, 1, 64<<10 - 1, 64 << 10, 64<<10 + 1, 128 << 10, 1_000_003} {
		name := fmt.Sprintf("V%d__x.sql", i)
		want[name] = bytes.Repeat([]byte{byte('a' + i), 'b', '\n'}, size/3+1)[:size]
		if err := os.WriteFile(filepath.Join(dir, name), want[name], 0o644); err != nil {
			t.Fatal(err)
		}
	}
	s, err := source.Locations([]string{"filesystem:" + dir}, source.Options{})
	if err != nil {
		t.Fatal(err)
	}
	r, err := s.Load(t.Context())
	if err != nil || len(r.Files) != len(want) {
		t.Fatalf("%d files, %v", len(r.Files), err)
	}
	for _, f := range r.Files {
		if !bytes.Equal(f.Content, want[f.Path]) || f.Content == nil {
			t.Errorf("%s: %d bytes, want %d", f.Path, len(f.Content), len(want[f.Path]))
		}
	}
}
