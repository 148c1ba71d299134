//go:build unix

package source

import (
	"errors"
	"io/fs"
	"slices"
	"sync"
	"syscall"
)

// buffers are large enough for nearly every script; a larger one is read in parts.
var buffers = sync.Pool{New: func() any { b := make([]byte, 64<<10); return &b }}

// readFile is os.ReadFile with half its cost for small files: three system calls and one allocation. With 10,000 of
// them that is what loading consists of. A large one gives errLarge.
func readFile(path string) (content []byte, err error) {
	var fd int
	err = retry(func() (err error) {
		fd, err = syscall.Open(path, syscall.O_RDONLY|syscall.O_CLOEXEC, 0)
		return err
	})
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: path, Err: err}
	}
	defer func() { _ = syscall.Close(fd) }() // it was only read
	shared := buffers.Get().(*[]byte)
	defer buffers.Put(shared)
	buffer, n := *shared, 0
	for {
		var more int
		err = retry(func() (err error) {
			more, err = syscall.Read(fd, buffer[n:])
			return err
		})
		if err != nil {
			return nil, &fs.PathError{Op: "read", Path: path, Err: err}
		}
		// A regular file gives less than what was asked for only where it ends.
		if n += more; n < len(buffer) {
			return append(make([]byte, 0, n), buffer[:n]...), nil
		}
		if isLarge(fd) {
			return nil, errLarge
		}
		buffer = append(slices.Clip(buffer), make([]byte, n)...)
	}
}

func isLarge(fd int) bool {
	var stat syscall.Stat_t
	return retry(func() error { return syscall.Fstat(fd, &stat) }) == nil && stat.Size >= largest
}

// retry repeats a system call that a signal interrupted.
func retry(call func() error) error {
	for {
		if err := call(); !errors.Is(err, syscall.EINTR) {
			return err
		}
	}
}
