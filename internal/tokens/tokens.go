// Package tokens makes throw-away tokens for tests, of every kind that the provider
// is tried on, and holds what is known of each kind: its Profile.
//
// A token is started by the test that wants it, with directories and daemons of its
// own, and nothing of the machine's configuration is touched. What is missing fails
// the test with the remedy; nothing is skipped.
//
// Which kinds a run of the tests covers is said by the environment variable
// HSM_TEST_TOKENS, a list with commas or "all". Without it these are SoftHSM, by
// itself and behind p11-kit; `make test-tokens` sets it to all. A kind that is not
// chosen has no tests in that run, and is not reported as skipped: it was not asked for.
package tokens

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/keystead/terraform-provider-hsm/internal/softhsm"
)

// Kind is a kind of token.
type Kind string

// The kinds, by the names that HSM_TEST_TOKENS takes.
const (
	SoftHSM      Kind = "softhsm"
	P11Kit       Kind = "p11-kit" // SoftHSM in a process of its own, as a stand-in for a remote module
	OpenCryptoki Kind = "opencryptoki"
	NSS          Kind = "nss"
	TPM          Kind = "tpm"
)

// All returns every kind, in the order of the README's table.
func All() []Kind { return []Kind{SoftHSM, P11Kit, OpenCryptoki, NSS, TPM} }

const (
	variable = "HSM_TEST_TOKENS"
	remedy   = "run `make test-tokens`, which installs what it needs, or install these packages of your distribution: "
)

// Chosen returns the kinds that this run of the tests covers.
func Chosen(tb testing.TB) []Kind {
	tb.Helper()
	kinds, err := chosen(os.Getenv(variable))
	if err != nil {
		tb.Fatal(err)
	}
	return kinds
}

func chosen(list string) ([]Kind, error) {
	switch list {
	case "":
		return []Kind{SoftHSM, P11Kit}, nil
	case "all":
		return All(), nil
	}
	var kinds []Kind
	for name := range strings.SplitSeq(list, ",") {
		kind := Kind(strings.TrimSpace(name))
		if !slices.Contains(All(), kind) {
			return nil, fmt.Errorf("%s names the kind %q; there are %v", variable, kind, All())
		}
		kinds = append(kinds, kind)
	}
	return kinds, nil
}

// Token is one initialised token, empty, and all that it takes to open it.
type Token struct {
	Kind               Kind
	Module, Parameters string // Parameters are for C_Initialize, see cryptoki.Config
	Label, Serial, PIN string
}

// New starts a token that lives as long as the test. The test's environment is set
// so that the module finds it, so such tests cannot run in parallel in a process.
func New(tb testing.TB, kind Kind) *Token {
	tb.Helper()
	start, ok := starts[kind]
	if !ok {
		tb.Fatalf("there is no kind of token %q", kind)
	}
	return start(tb)
}

// label is the one of every token made here.
const label = "acceptance"

var starts = map[Kind]func(testing.TB) *Token{
	SoftHSM: startSoftHSM, P11Kit: startP11Kit, OpenCryptoki: startOpenCryptoki, NSS: startNSS, TPM: startTPM,
}

func startSoftHSM(tb testing.TB) *Token {
	tb.Helper()
	return fromSoftHSM(SoftHSM, softhsm.New(tb, label))
}

func startP11Kit(tb testing.TB) *Token {
	tb.Helper()
	remote, _ := softhsm.New(tb, label).Serve(tb)
	return fromSoftHSM(P11Kit, remote)
}

func fromSoftHSM(kind Kind, t *softhsm.Token) *Token {
	return &Token{Kind: kind, Module: t.Module, Label: t.Label, Serial: t.Serial, PIN: softhsm.PIN}
}

// Tool runs OpenSC's pkcs11-tool, an independent client, logged in to the token, and
// returns what it printed; a failure fails the test.
func (t *Token) Tool(tb testing.TB, args ...string) string {
	tb.Helper()
	out, err := t.TryTool(tb, args...)
	if err != nil {
		tb.Fatalf("pkcs11-tool %v: %v\n%s", args, err, out)
	}
	return out
}

// TryTool is Tool for calls that may fail; out holds both output streams. For NSS
// there is no such client: pkcs11-tool cannot tell the module where its database is.
func (t *Token) TryTool(tb testing.TB, args ...string) (out string, err error) {
	tb.Helper()
	if t.Parameters != "" {
		tb.Fatalf("pkcs11-tool cannot open %s", t.Module)
	}
	full := append([]string{"--module", t.Module, "--token-label", t.Label, "--login", "--pin", t.PIN}, args...)
	return try(tb, "opensc", nil, "pkcs11-tool", full...)
}

// scratch makes a directory that is gone after the test, in memory where the system
// has /dev/shm.
func scratch(tb testing.TB) string {
	tb.Helper()
	base := ""
	if info, err := os.Stat("/dev/shm"); err == nil && info.IsDir() {
		base = "/dev/shm"
	}
	dir, err := os.MkdirTemp(base, "hsm-test-")
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

// library finds a module where distributions put it.
func library(tb testing.TB, packages string, patterns ...string) string {
	tb.Helper()
	for _, pattern := range patterns {
		for _, dir := range []string{"/usr/lib/*/", "/usr/lib64/", "/usr/lib/"} {
			if found, err := filepath.Glob(dir + pattern); err == nil && len(found) > 0 {
				return found[0]
			}
		}
	}
	tb.Fatalf("%s was not found: %s%s", filepath.Base(patterns[0]), remedy, packages)
	return ""
}

// program finds a command, also where only root's PATH leads.
func program(tb testing.TB, packages, name string) string {
	tb.Helper()
	if path, err := exec.LookPath(name); err == nil {
		return path
	}
	if path := filepath.Join("/usr/sbin", name); isExecutable(path) {
		return path
	}
	tb.Fatalf("%s was not found: %s%s", name, remedy, packages)
	return ""
}

func isExecutable(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0
}

// run runs a command that must succeed, with something to read.
func run(tb testing.TB, packages string, in []byte, name string, args ...string) string {
	tb.Helper()
	out, err := try(tb, packages, in, name, args...)
	if err != nil {
		tb.Fatalf("%s %v: %v\n%s", name, args, err, out)
	}
	return out
}

func try(tb testing.TB, packages string, in []byte, name string, args ...string) (string, error) {
	tb.Helper()
	var out bytes.Buffer
	cmd := exec.Command(program(tb, packages, name), args...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(in), &out, &out
	err := cmd.Run()
	return out.String(), err
}
