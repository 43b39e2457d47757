package torture_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/keystead/terraform-provider-hsm/internal/softhsm"
)

// mirror is a filesystem mirror with the built provider, made once, and the CLI's
// settings that name it.
var mirror = sync.OnceValues(func() (settings string, err error) {
	dir, err := os.MkdirTemp("", "hsm-torture-")
	if err != nil {
		return "", err
	}
	built := filepath.Join(dir, "provider")
	if out, err := exec.Command("go", "build", "-o", built, "../..").CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build: %w\n%s", err, out)
	}
	for _, host := range []string{"registry.terraform.io", "registry.opentofu.org"} {
		binary := filepath.Join(dir, host, "keystead", "hsm", "0.0.1", runtime.GOOS+"_"+runtime.GOARCH, "terraform-provider-hsm_v0.0.1")
		if err := errors.Join(os.MkdirAll(filepath.Dir(binary), 0o700), os.Link(built, binary)); err != nil {
			return "", err
		}
	}
	if err := os.Mkdir(filepath.Join(dir, "tmp"), 0o700); err != nil {
		return "", err
	}
	settings = filepath.Join(dir, "cli.tfrc")
	text := fmt.Sprintf("provider_installation {\n  filesystem_mirror {\n    path = %q\n  }\n}\n", dir)
	return settings, os.WriteFile(settings, []byte(text), 0o600)
})

// TestMain removes what the tests share.
func TestMain(m *testing.M) {
	code := m.Run()
	if usedMirror {
		if settings, err := mirror(); err == nil {
			_ = os.RemoveAll(filepath.Dir(settings))
		}
	}
	os.Exit(code)
}

var usedMirror bool

// workdir is a directory with a configuration, in which the real CLI starts the built
// provider in a process of its own.
type workdir struct {
	t   *testing.T
	dir string
	cli string
	env []string
}

func newWorkdir(t *testing.T, configuration string) *workdir {
	t.Helper()
	usedMirror = true
	settings, err := mirror()
	if err != nil {
		t.Fatal(err)
	}
	w := &workdir{t: t, dir: t.TempDir(), cli: os.Getenv("TF_ACC_TERRAFORM_PATH")}
	if w.cli == "" {
		t.Fatal("TF_ACC_TERRAFORM_PATH does not name a CLI: run `make test` or `make torture`")
	}
	w.env = append(os.Environ(), "TF_CLI_CONFIG_FILE="+settings, "CHECKPOINT_DISABLE=1", "TF_IN_AUTOMATION=1", "HSM_PIN="+softhsm.PIN,
		"TMPDIR="+filepath.Join(filepath.Dir(settings), "tmp")) // a provider that is killed leaves its socket
	w.configure(configuration)
	w.must("init")
	return w
}

func (w *workdir) configure(configuration string) {
	w.t.Helper()
	if err := os.WriteFile(filepath.Join(w.dir, "main.tf"), []byte(configuration), 0o600); err != nil {
		w.t.Fatal(err)
	}
}

func (w *workdir) command(args ...string) (*exec.Cmd, *bytes.Buffer) {
	var out bytes.Buffer
	if args[0] != "state" { // which takes its subcommand first
		args = append([]string{args[0], "-no-color"}, args[1:]...)
	}
	cmd := exec.Command(w.cli, args...)
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = w.dir, w.env, &out, &out
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // a terminal's Ctrl-C goes to all of them
	return cmd, &out
}

func (w *workdir) run(args ...string) (string, int) {
	w.t.Helper()
	cmd, out := w.command(args...)
	code := w.wait(cmd, cmd.Run())
	return out.String(), code
}

func (w *workdir) wait(cmd *exec.Cmd, err error) int {
	w.t.Helper()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		w.t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode()
}

func (w *workdir) must(args ...string) string {
	w.t.Helper()
	cmd, out := w.command(args...)
	if code := w.wait(cmd, cmd.Run()); code != 0 {
		w.t.Fatalf("%s: exit code %d\n%s", strings.Join(args, " "), code, out)
	}
	return out.String()
}

// signalled runs a command and sends a signal after a while: to all its processes, as a
// terminal does, or to the CLI alone. Processes that are left are waited for.
func (w *workdir) signalled(after time.Duration, s syscall.Signal, all bool, args ...string) (out string, code int) {
	w.t.Helper()
	cmd, buffer := w.command(args...)
	if err := cmd.Start(); err != nil {
		w.t.Fatal(err)
	}
	pid := cmd.Process.Pid
	timer := time.AfterFunc(after, func() {
		target := pid
		if all {
			target = -pid
		}
		_ = syscall.Kill(target, s) // it may have ended
	})
	err := cmd.Wait()
	timer.Stop()
	w.drain(pid)
	return buffer.String(), w.wait(cmd, err)
}

// drain waits until no process of a group is left: a provider whose CLI was killed brings
// what it has begun to an end, and goes.
func (w *workdir) drain(group int) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), 30*time.Second)
	defer cancel()
	for syscall.Kill(-group, 0) == nil {
		select {
		case <-ctx.Done():
			w.t.Errorf("the provider is left behind, half a minute after its CLI")
			_ = syscall.Kill(-group, syscall.SIGKILL)
			return
		case <-time.After(5 * time.Millisecond):
		}
	}
}
