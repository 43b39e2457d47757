package credential_test

import (
	"bytes"
	"os/exec"
	"strings"
	"testing"
)

// openssl runs the command as an independent implementation.
func openssl(tb testing.TB, stdin []byte, args ...string) []byte {
	tb.Helper()
	return tool(tb, stdin, "openssl", args...)
}

// sshKeygen makes a key pair of OpenSSH's in a directory of its own, and returns where
// the private half is; the public one is beside it.
func sshKeygen(tb testing.TB, args ...string) string {
	tb.Helper()
	file := tb.TempDir() + "/key"
	tool(tb, nil, "ssh-keygen", append([]string{"-q", "-N", "", "-C", "somebody@example", "-f", file}, args...)...)
	return file
}

func tool(tb testing.TB, stdin []byte, name string, args ...string) []byte {
	tb.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		tb.Fatalf("the %s command is needed: install the packages openssl and openssh-client of your distribution", name)
	}
	var stdout, stderr bytes.Buffer
	cmd := exec.CommandContext(tb.Context(), path, args...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(stdin), &stdout, &stderr
	if err := cmd.Run(); err != nil {
		tb.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, stderr.String())
	}
	return stdout.Bytes()
}
