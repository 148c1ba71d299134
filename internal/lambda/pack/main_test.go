package main

import (
	"archive/zip"
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestPack(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, text := range map[string]string{"skein-arm64": "program", "skein.toml": "", "db/sql/V1__a.sql": "select 1;", "db/sql/more/V2__b.sql": "select 2;"} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	in := func(name string) string { return filepath.Join(dir, name) }
	zips := make([][]byte, 2)
	for i := range zips {
		// Neither the order nor the times of the files make a difference.
		others := []string{in("skein.toml"), in("db/sql")}
		if i == 1 {
			others = []string{in("db/sql"), in("skein.toml")}
			if err := os.Chtimes(in("db/sql/V1__a.sql"), time.Time{}, time.Now().Add(-time.Hour)); err != nil {
				t.Fatal(err)
			}
		}
		if err := pack(in("out.zip"), in("skein-arm64"), others); err != nil {
			t.Fatal(err)
		}
		var err error
		if zips[i], err = os.ReadFile(in("out.zip")); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(zips[0], zips[1]) {
		t.Error("the same files give two zips")
	}
	z, err := zip.NewReader(bytes.NewReader(zips[0]), int64(len(zips[0])))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, f := range z.File {
		names = append(names, f.Name+" "+f.Mode().String())
	}
	if got, want := strings.Join(names, "\n"), "bootstrap -rwxr-xr-x\nskein.toml -rw-r--r--\nsql/V1__a.sql -rw-r--r--\nsql/more/V2__b.sql -rw-r--r--"; got != want {
		t.Errorf("%s", got)
	}
	if err := pack(in("out.zip"), in("skein-arm64"), []string{in("skein.toml"), in("skein.toml")}); err == nil || !strings.Contains(err.Error(), "same name") {
		t.Errorf("the same file twice: %v", err)
	}
	if err := os.Truncate(in("skein-arm64"), limit+1); err != nil {
		t.Fatal(err)
	}
	if err := pack(in("out.zip"), in("skein-arm64"), nil); err == nil || !strings.Contains(err.Error(), "at most") {
		t.Errorf("too large: %v", err)
	}
}
