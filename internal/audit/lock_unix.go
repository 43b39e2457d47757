//go:build unix

package audit

import (
	"os"
	"syscall"
)

// lockFile waits for the lock, which ends with the file or with the process.
func lockFile(file *os.File) error {
	for {
		err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX)
		if err != syscall.EINTR {
			return err
		}
	}
}

func unlockFile(file *os.File) error { return syscall.Flock(int(file.Fd()), syscall.LOCK_UN) }

// mayAddTo makes sure that files can be made in a directory.
func mayAddTo(dir string) error {
	const writeAndSearch = 0x2 | 0x1
	return syscall.Access(dir, writeAndSearch)
}

// TryLock takes a lock on a file if nobody has it. It ends with the file, or with the process.
func TryLock(file *os.File) (bool, error) {
	err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if err == syscall.EWOULDBLOCK || err == syscall.EINTR {
		return false, nil
	}
	return err == nil, err
}
