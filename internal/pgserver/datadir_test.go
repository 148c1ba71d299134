//go:build unix

package pgserver

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestInitCacheOfTwoProcesses has two processes fill one empty cache at once.
func TestInitCacheOfTwoProcesses(t *testing.T) {
	t.Parallel()
	cache := filepath.Join(baseDir(t), "not", "yet")
	type run struct{ wait func() error }
	runs := make(chan run, 2)
	for range 2 {
		go func() {
			cmd, in, _ := startHelper(t, "cached", cache)
			runs <- run{func() error { _ = in.Close(); return cmd.Wait() }}
		}()
	}
	for range 2 {
		select {
		case r := <-runs:
			defer func() {
				if err := r.wait(); err != nil {
					t.Errorf("the helper process failed: %v", err)
				}
			}()
		case <-testContext(t).Done():
			t.Fatal("a helper process did not start its server")
		}
	}
	onlyCluster(t, cache)
	s := begin(t, Options{InitCache: cache})
	made := onlyCluster(t, cache)
	if got := query(t, s.URL("postgres"), "select 'works'"); got != "works" {
		t.Error(got)
	}
	if _, err := os.Stat(filepath.Join(made, "postmaster.pid")); err == nil {
		t.Error("a server runs in the cache itself")
	}
	begin(t, Options{InitCache: cache, InitArgs: []string{"-k"}})
	if entries, err := os.ReadDir(cache); err != nil || len(entries) != 2 {
		t.Errorf("other initdb arguments need a cluster of their own; the cache holds %v, %v", entries, err)
	}
}

func onlyCluster(t *testing.T, cache string) string {
	t.Helper()
	entries, err := os.ReadDir(cache)
	if err != nil || len(entries) != 1 || !strings.HasPrefix(entries[0].Name(), "initdb-") {
		t.Fatalf("the cache holds %v, %v; want one cluster", entries, err)
	}
	return filepath.Join(cache, entries[0].Name())
}

func TestRootRunsAsAnother(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("only root has to become another user")
	}
	s := begin(t, Options{})
	info, err := os.Stat(filepath.Join(s.DataDir, "postmaster.pid"))
	if err != nil {
		t.Fatal(err)
	}
	st := info.Sys().(*syscall.Stat_t)
	if st.Uid == 0 || int(st.Uid) != s.account.uid || int(st.Gid) != s.account.gid {
		t.Errorf("the server runs as %d:%d, want %d:%d", st.Uid, st.Gid, s.account.uid, s.account.gid)
	}
	closed := t.TempDir() // inside a folder that is root's alone
	_, err = Start(testContext(t), Options{Dir: closed})
	if err == nil || !strings.Contains(err.Error(), "may not enter "+filepath.Dir(closed)) {
		t.Errorf("in a folder closed to others: %v", err)
	}
}
