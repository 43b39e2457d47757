//go:build unix

package softhsm

import (
	"bytes"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"
)

const remoteRemedy = "run `make tools`, or install the packages p11-kit and p11-kit-modules of your distribution"

// Server has a token in processes of its own, as a real HSM does: p11-kit's server
// starts one for each client, which loads SoftHSM and outlives a client that is killed.
type Server struct {
	tb      testing.TB
	command []string
	socket  string
	process *exec.Cmd
	said    bytes.Buffer
}

// Serve serves the token through a socket, for as long as the test runs. The token
// returned is the same one, seen through p11-kit's client module, which finds the
// server by an environment variable that is set for the rest of the test.
func (t *Token) Serve(tb testing.TB) (*Token, *Server) {
	tb.Helper()
	path, err := exec.LookPath("p11-kit")
	if err != nil {
		tb.Fatalf("p11-kit was not found: %s", remoteRemedy)
	}
	s := &Server{tb: tb, socket: filepath.Join(t.Store.Dir, "p11-kit.socket")}
	s.command = []string{path, "server", "--foreground", "--name", s.socket, "--provider", t.Module, "pkcs11:serial=" + t.Serial}
	s.Start()
	tb.Cleanup(s.Stop)
	tb.Setenv("P11_KIT_SERVER_ADDRESS", "unix:path="+s.socket)
	remote := *t
	remote.Module = ClientModule(tb)
	return &remote, s
}

// Start starts the server, and waits until it takes connections.
func (s *Server) Start() {
	s.tb.Helper()
	s.said.Reset()
	s.process = exec.Command(s.command[0], s.command[1:]...)
	s.process.Stdout, s.process.Stderr = &s.said, &s.said
	s.process.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // to end the processes of its clients too
	if err := s.process.Start(); err != nil {
		s.tb.Fatal(err)
	}
	for range 500 {
		if c, err := net.Dial("unix", s.socket); err == nil {
			_ = c.Close()
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	s.Stop()
	s.tb.Fatalf("p11-kit's server takes no connections: %s", s.said.String())
}

// Stop kills the server and the processes of its clients: the HSM is gone.
func (s *Server) Stop() {
	if s.process == nil {
		return
	}
	_ = syscall.Kill(-s.process.Process.Pid, syscall.SIGKILL)
	_ = s.process.Wait()
	s.process = nil
	_ = os.Remove(s.socket)
}

// Drained waits until no client's process is left: one whose client was killed ends
// when it has answered the last call.
func (s *Server) Drained() {
	s.tb.Helper()
	for range 1000 {
		// The group is the server itself and its clients' processes.
		if out, err := exec.Command("pgrep", "-g", strconv.Itoa(s.process.Process.Pid), "-c").Output(); err == nil && bytes.Equal(bytes.TrimSpace(out), []byte("1")) {
			return
		}
		time.Sleep(2 * time.Millisecond)
	}
	s.tb.Fatal("a process of p11-kit's server does not end although its client did")
}

// ClientModule returns the path of p11-kit's client module: where distributions put it.
func ClientModule(tb testing.TB) string {
	tb.Helper()
	for _, pattern := range []string{"/usr/lib/*/pkcs11/p11-kit-client.so", "/usr/lib64/pkcs11/p11-kit-client.so", "/usr/lib/pkcs11/p11-kit-client.so"} {
		if found, err := filepath.Glob(pattern); err == nil && len(found) > 0 {
			return found[0]
		}
	}
	tb.Fatal("p11-kit-client.so was not found: " + remoteRemedy)
	return ""
}
