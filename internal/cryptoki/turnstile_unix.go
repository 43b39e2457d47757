//go:build unix

package cryptoki

import (
	"errors"
	"io/fs"
	"os"
	"syscall"
)

// openShared opens a file that every user of the host may open, and makes it if need
// be. It follows no link: the directory is everybody's.
func openShared(path string) (*os.File, error) {
	for range 2 { // another process may make it, or take it away, in between
		file, err := os.OpenFile(path, os.O_RDWR|syscall.O_NOFOLLOW|syscall.O_CLOEXEC, 0)
		if !errors.Is(err, fs.ErrNotExist) {
			return file, err
		}
		file, err = os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL|syscall.O_CLOEXEC, 0o666) //nolint:gosec // G302: it holds a counter, and is for everybody
		if err == nil {
			return file, file.Chmod(0o666) // past the umask
		}
		if !errors.Is(err, fs.ErrExist) {
			return nil, err
		}
	}
	return nil, fs.ErrNotExist
}

// lockFile takes the lock, or fails at once.
func lockFile(file *os.File) error {
	return syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
}
