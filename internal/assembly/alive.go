package assembly

import (
	"bytes"
	"fmt"
	"os"
	"runtime"
	"syscall"

	"github.com/keystead/terraform-provider-hsm/internal/keyring"
)

// alive tells whether the process that wrote an intent may still be at work. On
// another host nobody can tell, so it may. On this one the process table answers;
// an intent of this very process is of a service that is no longer in use.
func alive(host string) func(keyring.Work) bool {
	return func(w keyring.Work) bool {
		if w.Host != host {
			return true
		}
		if w.PID == os.Getpid() {
			return false
		}
		process, err := os.FindProcess(w.PID)
		if err != nil {
			return false
		}
		if runtime.GOOS == "windows" { // there FindProcess fails if there is no such process
			return true
		}
		return process.Signal(syscall.Signal(0)) == nil && !exited(w.PID)
	}
}

// exited reports whether a process has ended and is in the table only until somebody asks for
// its exit code, as in a container whose first process does not. Only Linux tells.
func exited(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return false
	}
	// "4711 (name) Z …", and a name may have any characters in it
	rest := bytes.TrimSpace(stat[bytes.LastIndexByte(stat, ')')+1:])
	return len(rest) > 0 && (rest[0] == 'Z' || rest[0] == 'X')
}
