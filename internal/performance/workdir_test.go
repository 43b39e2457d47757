package performance_test

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/keystead/terraform-provider-hsm/internal/softhsm"
)

// workdir is a directory with a configuration, in which the real CLI starts the built
// provider in a process of its own.
type workdir struct {
	t   *testing.T
	dir string
	cli string
	env []string
	lab *lab
}

// newWorkdir initialises a directory. The state may be empty.
func (l *lab) newWorkdir(t *testing.T, configuration, state string) *workdir {
	t.Helper()
	w := &workdir{t: t, dir: t.TempDir(), cli: os.Getenv("TF_ACC_TERRAFORM_PATH"), lab: l}
	if w.cli == "" {
		t.Fatal("TF_ACC_TERRAFORM_PATH does not name a CLI: run `make bench`")
	}
	w.env = append(os.Environ(), "TF_CLI_CONFIG_FILE="+l.settings, "CHECKPOINT_DISABLE=1", "TF_IN_AUTOMATION=1", "HSM_PIN="+softhsm.PIN)
	w.configure(configuration)
	w.setState(state)
	w.run(0, "init")
	return w
}

func (w *workdir) configure(configuration string) {
	w.t.Helper()
	w.lab.write(w.t, filepath.Join(w.dir, "main.tf"), configuration)
}

func (w *workdir) statePath() string { return filepath.Join(w.dir, "terraform.tfstate") }

// setState replaces the state; an empty one is none.
func (w *workdir) setState(state string) {
	w.t.Helper()
	if err := os.Remove(w.statePath()); err != nil && !os.IsNotExist(err) {
		w.t.Fatal(err)
	}
	if state != "" {
		w.lab.write(w.t, w.statePath(), state)
	}
}

func (w *workdir) state() string {
	w.t.Helper()
	state, err := os.ReadFile(w.statePath())
	if err != nil {
		w.t.Fatal(err)
	}
	return string(state)
}

// run runs a command that has to end with an exit code, and returns how many seconds it
// took.
func (w *workdir) run(code int, args ...string) float64 {
	w.t.Helper()
	return w.watched(code, func() {}, args...)
}

// watched is run, with something that is done over and over while the command runs.
func (w *workdir) watched(code int, watch func(), args ...string) (seconds float64) {
	w.t.Helper()
	cmd := exec.Command(w.cli, append([]string{args[0], "-no-color"}, args[1:]...)...)
	var out bytes.Buffer
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = w.dir, w.env, &out, &out
	begin, ended := time.Now(), make(chan error)
	if err := cmd.Start(); err != nil {
		w.t.Fatal(err)
	}
	go func() { ended <- cmd.Wait() }()
	for {
		select {
		case err := <-ended:
			var exit *exec.ExitError
			if err != nil && !errors.As(err, &exit) || cmd.ProcessState.ExitCode() != code {
				w.t.Fatalf("%s %s: %v, and not exit code %d\n%s", w.cli, strings.Join(args, " "), err, code, out.String())
			}
			return time.Since(begin).Seconds()
		case <-time.After(20 * time.Millisecond):
			watch()
		}
	}
}

// plan makes a plan that must not find anything to do, and returns the seconds.
func (w *workdir) plan() float64 {
	w.t.Helper()
	return w.run(0, "plan", "-detailed-exitcode", "-input=false")
}

func (w *workdir) apply() float64 {
	w.t.Helper()
	return w.run(0, "apply", "-auto-approve", "-input=false")
}

func (w *workdir) destroy() float64 {
	w.t.Helper()
	return w.run(0, "destroy", "-auto-approve", "-input=false")
}

// memory is how much the provider had in memory at the most during a command, in MiB.
func (w *workdir) memory(code int, args ...string) float64 {
	w.t.Helper()
	var peak int
	w.watched(code, func() {
		for _, pid := range w.lab.providers() {
			status := field(filepath.Join("/proc", pid, "status"), "VmHWM") // "1234 kB"
			if kib, err := strconv.Atoi(strings.TrimSuffix(status, " kB")); err == nil {
				peak = max(peak, kib)
			}
		}
	}, args...)
	if peak == 0 {
		w.t.Fatal("no process of the provider was seen")
	}
	return float64(peak) / 1024
}

// providers are the processes that run from the mirror.
func (l *lab) providers() (pids []string) {
	links, _ := filepath.Glob("/proc/[0-9]*/exe") // the pattern is right
	for _, link := range links {
		if target, err := os.Readlink(link); err == nil && strings.HasPrefix(target, l.mirror) {
			pids = append(pids, filepath.Base(filepath.Dir(link)))
		}
	}
	return pids
}
