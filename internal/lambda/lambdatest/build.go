package lambdatest

import (
	"crypto/sha256"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"github.com/skein-db/skein/internal/pgserver"
)

// Bootstrap gives the program as `make lambda` builds it for this machine. It is built once for a process, and lies where the
// next one finds its place taken.
func Bootstrap(t testing.TB) string {
	t.Helper()
	name, err := bootstrap()
	if err != nil {
		t.Fatalf("lambdatest: build the bootstrap: %v", err)
	}
	return name
}

var bootstrap = sync.OnceValues(func() (string, error) {
	cache, err := pgserver.CacheDir()
	if err != nil {
		return "", err
	}
	here, err := os.Getwd() // of the package's tests: another checkout has another program
	if err != nil {
		return "", err
	}
	dir := filepath.Join(cache, "lambdatest", fmt.Sprintf("%x", sha256.Sum256([]byte(here)))[:12])
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	work, err := os.MkdirTemp(dir, "new-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(work)
	built, name := filepath.Join(work, "bootstrap"), filepath.Join(dir, "bootstrap")
	build := exec.Command("go", "build", "-tags", "lambda.norpc", "-trimpath", "-ldflags", "-s -w", "-o", built, "github.com/skein-db/skein/cmd/skein")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%w\n%s", err, out)
	}
	return name, os.Rename(built, name) // whoever runs the one that was there goes on with it
})
