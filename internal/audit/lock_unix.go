//go:build unix

package audit

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
)

// lockFile waits for the lock, which ends with the file or with the process.
func lockFile(file *os.File) error { return flock(file, syscall.LOCK_EX) }

func unlockFile(file *os.File) error { return flock(file, syscall.LOCK_UN) }

// mayAddTo makes sure that files can be made in a directory.
func mayAddTo(dir string) error {
	const writeAndSearch = 0x2 | 0x1
	return syscall.Access(dir, writeAndSearch)
}

// TryLock takes a lock on a file if nobody has it. It ends with the file, or with the process.
func TryLock(file *os.File) (bool, error) {
	err := flock(file, syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return false, nil
	}
	return err == nil, err
}

// flock keeps the file from being closed while it waits.
func flock(file *os.File, how int) error {
	conn, err := file.SyscallConn()
	if err != nil {
		return err
	}
	var locked error
	err = conn.Control(func(fd uintptr) {
		for locked = syscall.EINTR; errors.Is(locked, syscall.EINTR); {
			locked = syscall.Flock(int(fd), how)
		}
	})
	return errors.Join(err, locked)
}

// holder says in words who has the lock on a file, as far as the system tells: Linux lists the
// locks with the processes that took them.
func holder(file *os.File) string {
	const unknown = "another process"
	info, err := file.Stat()
	if err != nil {
		return unknown
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	list, err := os.ReadFile("/proc/locks")
	if !ok || err != nil {
		return unknown
	}
	lines := bufio.NewScanner(bytes.NewReader(list))
	for lines.Scan() {
		// "1: FLOCK ADVISORY WRITE 4711 fd:00:1234 0 EOF"; one that waits has "->" after the number
		f := strings.Fields(lines.Text())
		if len(f) < 6 || f[1] != "FLOCK" || !strings.HasSuffix(f[5], fmt.Sprintf(":%d", stat.Ino)) {
			continue
		}
		pid, err := strconv.Atoi(f[4])
		if err != nil || pid <= 0 { // of another container
			continue
		}
		name, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid))
		if err != nil {
			return fmt.Sprintf("process %d", pid)
		}
		return fmt.Sprintf("process %d (%s)", pid, strings.TrimSpace(string(name)))
	}
	return unknown
}
