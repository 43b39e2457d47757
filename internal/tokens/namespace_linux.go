package tokens

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
)

// marker tells a process of the tests that the paths it sees are its own.
const marker = "HSM_TEST_NAMESPACE"

func isPrivate() bool { return os.Getenv(marker) != "" }

// Main runs the tests of a package that makes tokens; TestMain calls it.
//
// openCryptoki has its paths compiled in, and the module and its daemon have to agree
// about them. So if it is chosen the tests run in a second process with mounts of its
// own, in which those paths are empty and in memory: the machine's openCryptoki, if it
// has one, sees nothing of it. That takes root, or a system that lets everybody have a
// user namespace.
func Main(m *testing.M) int {
	kinds, err := chosen(os.Getenv(variable))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	switch {
	case !slices.Contains(kinds, OpenCryptoki):
		return m.Run()
	case isPrivate():
		if err := mount(); err != nil {
			fmt.Fprintln(os.Stderr, "cannot make openCryptoki's paths this process's own:", err)
			return 1
		}
		return m.Run()
	}
	return again()
}

// again runs this program once more, with mounts, System V memory and process numbers of
// its own: whatever a crash leaves running ends with it.
func again() int {
	cmd := exec.Command("/proc/self/exe", os.Args[1:]...) //nolint:gosec // G702: it is what is running already
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.Env = append(os.Environ(), marker+"=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS | syscall.CLONE_NEWIPC | syscall.CLONE_NEWPID, Pdeathsig: syscall.SIGKILL}
	if os.Getuid() != 0 {
		cmd.SysProcAttr.Cloneflags |= syscall.CLONE_NEWUSER
		cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}}
		cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}}
	}
	err := cmd.Run()
	var exit *exec.ExitError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &exit):
		return max(exit.ExitCode(), 1)
	}
	fmt.Fprintf(os.Stderr, "openCryptoki's token needs mounts of its own, and this system gives none (%v): run the tests as root, or allow user namespaces\n", err)
	return 1
}

// mount puts empty directories over the paths, and a group and a configuration of the
// tests' own over the machine's.
func mount() error {
	if err := syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("/: %w", err)
	}
	if err := syscall.Mount("proc", "/proc", "proc", 0, ""); err != nil {
		return fmt.Errorf("/proc: %w", err)
	}
	for _, dir := range []string{"/run", "/var/lib/opencryptoki", "/var/log"} {
		if _, err := os.Stat(dir); err != nil {
			return fmt.Errorf("%w: %s%s", err, remedy, openCryptokiPackages)
		}
		if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "mode=0755"); err != nil {
			return fmt.Errorf("%s: %w", dir, err)
		}
	}
	for path, content := range map[string]string{
		"/etc/group": fmt.Sprintf("root:x:0:\npkcs11:x:%d:root\n", os.Getgid()), // the group that may use the daemon: ourselves
		ockConf:      "version opencryptoki-3.1\nslot 0\n{\nstdll = libpkcs11_sw.so\n}\n",
	} {
		own := filepath.Join("/run", filepath.Base(path))
		if err := os.WriteFile(own, []byte(content), 0o644); err != nil {
			return err
		}
		if err := syscall.Mount(own, path, "", syscall.MS_BIND, ""); err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
	}
	return nil
}
