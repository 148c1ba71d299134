package pgserver

import (
	"archive/zip"
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
)

// repository serves, as any version, an archive whose binaries are scripts
// (testdata/scripts.txz); it counts requests for archives.
//
// The system's temporary folder is one of the test's, which must be empty in the end.
func repository(t *testing.T, hash func([]byte) string) *int {
	t.Helper()
	if runtime.GOOS == "windows" {
		t.Skip("the stand-in binaries are shell scripts")
	}
	temp := t.TempDir()
	t.Setenv("TMPDIR", temp)
	t.Cleanup(func() {
		if left, err := os.ReadDir(temp); err != nil || len(left) > 0 {
			t.Errorf("left in the temporary folder: %v, %v", left, err)
		}
	})
	inner, err := os.ReadFile(filepath.Join("testdata", "scripts.txz"))
	if err != nil {
		t.Fatal(err)
	}
	var jar bytes.Buffer
	z := zip.NewWriter(&jar)
	f, err := z.Create("postgres.txz")
	if err != nil {
		t.Fatal(err)
	}
	_, err = f.Write(inner)
	if err := errors.Join(err, z.Close()); err != nil {
		t.Fatal(err)
	}
	requests := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, ".sha256") {
			fmt.Fprint(w, hash(jar.Bytes()))
			return
		}
		requests++
		_, _ = w.Write(jar.Bytes())
	}))
	t.Cleanup(server.Close)
	t.Setenv(EnvRepository, server.URL)
	return &requests
}

func rightHash(b []byte) string { return fmt.Sprintf("%x", sha256.Sum256(b)) }

func TestDownloadOnce(t *testing.T) {
	requests := repository(t, rightHash)
	cache := filepath.Join(t.TempDir(), "cache")
	for range 2 {
		in, err := download(t.Context(), cache, downloads[14], nil)
		if err != nil || in.Version != "14.18" || !strings.HasPrefix(in.BinDir, cache) {
			t.Fatalf("download = %+v, %v", in, err)
		}
	}
	if *requests != 1 {
		t.Errorf("%d requests, want 1", *requests)
	}
	if left, err := os.ReadDir(cache); err != nil || len(left) != 1 {
		t.Errorf("the cache holds %v, %v; want the binaries alone", left, err)
	}
}

func TestDownloadFails(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	for _, c := range []struct {
		name, want string
		hash       func([]byte) string
	}{
		{"spoiled", "checksums do not match", func([]byte) string { return "00" }},
		// Cancelled half way: the archive is there, its hash is asked for.
		{"cancelled", "context canceled", func([]byte) string { cancel(); return "00" }},
	} {
		t.Run(c.name, func(t *testing.T) {
			repository(t, c.hash)
			cache := t.TempDir()
			in, err := download(ctx, cache, downloads[14], nil)
			if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), EnvBinDir) {
				t.Errorf("got %+v, %v; want an error with %q and the way out", in, err, c.want)
			}
			awaitEmpty(t, cache) // also the abandoned part ends, and cleans up
		})
	}
	if in, err := Download(t.Context(), 9, nil); err == nil || !strings.Contains(err.Error(), "only the majors 14 to 18") {
		t.Errorf("PostgreSQL 9: got %+v, %v", in, err)
	}
}

func awaitEmpty(t *testing.T, dir string) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for ctx := testContext(t); ; {
		left, err := os.ReadDir(dir)
		if err == nil && len(left) == 0 {
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("left in %s: %v, %v", dir, left, err)
		}
	}
}

// TestRealDownload needs the network, so it runs when asked.
func TestRealDownload(t *testing.T) {
	if os.Getenv("SKEIN_TEST_DOWNLOAD") != "1" {
		t.Skip("set SKEIN_TEST_DOWNLOAD=1 to download PostgreSQL")
	}
	in, err := download(testContext(t), baseDir(t), downloads[newestDownload], nil)
	if err != nil {
		t.Fatal(err)
	}
	s := begin(t, Options{BinDir: in.BinDir, Password: true})
	if got := query(t, s.URL("postgres"), "show server_version"); got != in.Version {
		t.Errorf("the server is %s, the binaries are %s", got, in.Version)
	}
}
