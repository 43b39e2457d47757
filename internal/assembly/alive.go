package assembly

import (
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
		return process.Signal(syscall.Signal(0)) == nil
	}
}
