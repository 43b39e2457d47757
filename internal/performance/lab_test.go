package performance_test

import (
	_ "embed"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"github.com/keystead/terraform-provider-hsm/internal/softhsm"
)

// lab is what all rows work with, made once.
type lab struct {
	dir      string // for all that outlives a row
	mirror   string // a filesystem mirror with the providers
	settings string // of the CLI, which name it
	bare     string // the program of baseline/baseline.c
	made     map[shape]*environment
	peaks    map[int]peak // of memory, by the number of keys
}

//go:embed baseline/baseline.c
var source string

func newLab(t *testing.T) *lab {
	t.Helper()
	base := ""
	if info, err := os.Stat("/dev/shm"); err == nil && info.IsDir() {
		base = "/dev/shm"
	}
	dir, err := os.MkdirTemp(base, "hsm-bench-") //nolint:usetesting // in memory
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	l := &lab{
		dir: dir, mirror: filepath.Join(dir, "mirror"), settings: filepath.Join(dir, "cli.tfrc"), bare: filepath.Join(dir, "baseline"),
		made: map[shape]*environment{}, peaks: map[int]peak{},
	}
	l.build(t, "hsm", "../..")
	l.build(t, "null", "./testdata/null")
	l.build(t, "trivial", "./testdata/trivial")
	l.write(t, l.settings, "provider_installation {\n  filesystem_mirror {\n    path = "+strconv.Quote(l.mirror)+"\n  }\n}\n")
	l.compile(t)
	return l
}

func (l *lab) write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// binary is where the mirror has a provider.
func (l *lab) binary(name string) string {
	return filepath.Join(l.mirror, "registry.terraform.io", "keystead", name, "0.0.1", runtime.GOOS+"_"+runtime.GOARCH, "terraform-provider-"+name+"_v0.0.1")
}

// build builds a provider as `make build` does, for the hosts of both CLIs.
func (l *lab) build(t *testing.T, name, path string) {
	t.Helper()
	build := exec.Command("go", "build", "-o", l.binary(name), path)
	build.Env = append(os.Environ(), "CGO_ENABLED=1")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	other := strings.Replace(l.binary(name), "registry.terraform.io", "registry.opentofu.org", 1)
	if err := errors.Join(os.MkdirAll(filepath.Dir(other), 0o700), os.Link(l.binary(name), other)); err != nil {
		t.Fatal(err)
	}
}

func (l *lab) compile(t *testing.T) {
	t.Helper()
	code := l.bare + ".c"
	l.write(t, code, source)
	cc := exec.Command("cc", "-O2", "-std=c11", "-D_POSIX_C_SOURCE=200809L", "-Wall", "-Wextra", "-Werror", "-Wno-cast-function-type",
		"-o", l.bare, code, "-ldl", "-lpthread")
	if out, err := cc.CombinedOutput(); err != nil {
		t.Fatalf("cc: %v\n%s\nA C compiler is needed: run `make tools`.", err, out)
	}
}

// inC runs the baseline program on a token, and returns the number that it prints.
func (l *lab) inC(t *testing.T, token *softhsm.Token, args ...string) float64 {
	t.Helper()
	cmd := exec.Command(l.bare, append([]string{token.Module, softhsm.PIN}, args...)...)
	cmd.Env = append(os.Environ(), "SOFTHSM2_CONF="+token.Store.Conf)
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %v", args, err)
	}
	v, err := strconv.ParseFloat(strings.TrimSpace(string(out)), 64)
	if err != nil {
		t.Fatal(err)
	}
	return v
}
