//go:build !unix

package audit

import (
	"os"

	"github.com/keystead/terraform-provider-hsm/internal/fault"
)

// Elsewhere nothing keeps two processes from writing at once, so neither does.
func lockFile(*os.File) error {
	return &fault.Error{
		Kind: fault.Unsupported, Op: "open audit log", Problem: "On this system the log cannot be locked against other processes.",
		Hint: "Run the provider on Linux or macOS, or leave audit out.",
	}
}

func unlockFile(*os.File) error { return nil }

// mayAddTo finds nothing, see lockFile.
func mayAddTo(string) error { return nil }

// TryLock takes no lock, see lockFile.
func TryLock(file *os.File) (bool, error) { return false, lockFile(file) }

func holder(*os.File) string { return "another process" }
