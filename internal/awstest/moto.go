package awstest

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/skein-db/skein/internal/pgtest"
)

// StartMoto starts the emulator moto, which ends with the test, and gives the variables of whoever is to speak to it. .ci/templates
// installs it, and SKEIN_TEST_MOTO names another moto_server; without one the test is skipped.
func StartMoto(t testing.TB) []string {
	t.Helper()
	program := os.Getenv("SKEIN_TEST_MOTO")
	if cache, err := os.UserCacheDir(); program == "" && err == nil {
		if made := filepath.Join(cache, "skein-test", "moto-5.2.5", "bin", "moto_server"); isProgram(made) {
			program = made
		}
	}
	if program == "" {
		t.Skip("there is no moto_server (.ci/templates makes one, or pip install 'moto[server]' and SKEIN_TEST_MOTO names it)")
	}
	address := pgtest.FreeAddress(t)
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatal(err)
	}
	server := exec.Command(program, "-H", "127.0.0.1", "-p", port)
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = server.Process.Kill()
		_ = server.Wait() // it was killed
	})
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(50 * time.Millisecond) {
		conn, err := net.Dial("tcp", address)
		if err == nil {
			_ = conn.Close() // it answers
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("moto_server does not answer: %v", err)
		}
	}
	return []string{"AWS_ENDPOINT_URL=http://" + address, "AWS_REGION=eu-central-1", "AWS_ACCESS_KEY_ID=AKIDMOTO", "AWS_SECRET_ACCESS_KEY=moto", "AWS_EC2_METADATA_DISABLED=true"}
}

func isProgram(path string) bool {
	_, err := exec.LookPath(path)
	return err == nil
}
