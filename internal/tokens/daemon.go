package tokens

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// daemon starts a process that lives as long as the test, and waits until it is ready.
func daemon(tb testing.TB, cmd *exec.Cmd, ready func() bool) {
	tb.Helper()
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // to end what it starts too
	cmd.WaitDelay = time.Second                           // or what it started keeps its output open
	if err := cmd.Start(); err != nil {
		tb.Fatal(err)
	}
	stop := func() {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		_ = cmd.Wait()
	}
	tb.Cleanup(stop)
	for range 500 {
		if ready() {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	stop()
	tb.Fatalf("%s does not become ready\n%s", filepath.Base(cmd.Path), said.String())
}

// isSocket reports whether a socket is there. It does not connect: a TPM takes one
// client.
func isSocket(path string) func() bool {
	return func() bool {
		info, err := os.Stat(path)
		return err == nil && info.Mode()&os.ModeSocket != 0
	}
}
