package doctor_test

import (
	"net"
	"runtime"
	"testing"
	"time"
)

// full is the address of a listener that takes no connection more: those that wait for it fill its queue.
func full(t *testing.T) string {
	t.Helper()
	if runtime.GOOS != "linux" {
		t.Skip("only Linux leaves those unanswered that find no room")
	}
	address := narrow(t)
	for range 64 {
		conn, err := net.DialTimeout("tcp", address, 200*time.Millisecond)
		if err != nil {
			return address
		}
		t.Cleanup(func() { _ = conn.Close() }) // nobody has read from it
	}
	t.Fatal("the queue has no end")
	return ""
}
