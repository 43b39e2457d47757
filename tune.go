package main

import (
	"os"
	"runtime/debug"
	"strings"
)

// tune makes the process fit for what a provider is: short-lived, with a small heap, and
// much garbage for each of thousands of resources. Of a plan of 1,000 keys collecting it
// was a quarter of the work, and writing log lines that nobody reads a fifth.
func tune() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(400)
	}
	if os.Getenv("GOMEMLIMIT") == "" {
		// Some 7 KiB are needed for each key: with thousands of them the heap is collected
		// sooner, and Terraform may run ten providers beside this one.
		debug.SetMemoryLimit(96 << 20)
	}
	if !isLogged(os.Environ()) {
		// The plugin framework logs several lines for each call, at level TRACE, and leaves
		// it to the CLI to throw them away, which it does without TF_LOG.
		_ = os.Setenv("TF_LOG_SDK", "OFF")
		_ = os.Setenv("TF_LOG_PROVIDER", "OFF")
	}
}

// isLogged reports whether anybody asked for log lines: TF_LOG, TF_LOG_PROVIDER and others
// that begin like them.
func isLogged(environ []string) bool {
	for _, entry := range environ {
		name, value, _ := strings.Cut(entry, "=")
		if value != "" && (strings.HasPrefix(name, "TF_LOG") || strings.HasPrefix(name, "TF_ACC_LOG")) {
			return true
		}
	}
	return false
}
