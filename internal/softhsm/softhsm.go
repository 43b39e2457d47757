// Package softhsm makes throw-away SoftHSM tokens for tests, and reaches them
// with OpenSC's pkcs11-tool as an independent client.
//
// A missing tool fails the test with the remedy; nothing is skipped.
package softhsm

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"
)

// The PINs of every token made here.
const (
	PIN   = "1234-user"
	SOPIN = "5678-officer"
)

const remedy = "run `make tools`, or install the packages softhsm2 and opensc of your distribution"

// Store is a directory of tokens, all that the module sees while the test runs.
type Store struct {
	Dir  string // holds softhsm2.conf and tokens/
	Conf string // value of SOFTHSM2_CONF
}

// Token is one initialised token.
type Token struct {
	Store         *Store
	Module        string // path of libsofthsm2.so
	Label, Serial string
}

// NewStore makes an empty store, in memory where the system has /dev/shm, and
// points SOFTHSM2_CONF at it for the rest of the test. Tests that use it cannot
// run in parallel within a process: the module reads the variable once.
func NewStore(tb testing.TB) *Store {
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
	s := &Store{Dir: dir, Conf: filepath.Join(dir, "softhsm2.conf")}
	if err := os.Mkdir(s.TokenDir(), 0o700); err != nil {
		tb.Fatal(err)
	}
	conf := fmt.Sprintf("directories.tokendir = %s\nobjectstore.backend = file\nlog.level = ERROR\nslots.removable = false\n", s.TokenDir())
	if err := os.WriteFile(s.Conf, []byte(conf), 0o600); err != nil {
		tb.Fatal(err)
	}
	tb.Setenv("SOFTHSM2_CONF", s.Conf)
	return s
}

// TokenDir is where the tokens' files are.
func (s *Store) TokenDir() string { return filepath.Join(s.Dir, "tokens") }

var serialPattern = regexp.MustCompile(`Serial number:\s+(\S+)`)

// Init makes one more token in the store. A module that is open already does not
// see it: make tokens first.
func (s *Store) Init(tb testing.TB, label string) *Token {
	tb.Helper()
	before := s.serials(tb)
	run(tb, "softhsm2-util", "--init-token", "--free", "--label", label, "--pin", PIN, "--so-pin", SOPIN)
	for serial := range s.serials(tb) {
		if !before[serial] {
			return &Token{Store: s, Module: Module(tb), Label: label, Serial: serial}
		}
	}
	tb.Fatalf("softhsm2-util made no new token %q", label)
	return nil
}

func (s *Store) serials(tb testing.TB) map[string]bool {
	tb.Helper()
	found := map[string]bool{}
	for _, m := range serialPattern.FindAllStringSubmatch(run(tb, "softhsm2-util", "--show-slots"), -1) {
		found[m[1]] = true
	}
	return found
}

// New makes a store with one token.
func New(tb testing.TB, label string) *Token {
	tb.Helper()
	return NewStore(tb).Init(tb, label)
}

// Tool runs pkcs11-tool, logged in to the token, and returns what it printed; a
// failure fails the test.
func (t *Token) Tool(tb testing.TB, args ...string) string {
	tb.Helper()
	out, err := t.TryTool(tb, args...)
	if err != nil {
		tb.Fatalf("pkcs11-tool %v: %v\n%s", args, err, out)
	}
	return out
}

// TryTool is Tool for calls that may fail; out holds both output streams.
func (t *Token) TryTool(tb testing.TB, args ...string) (out string, err error) {
	tb.Helper()
	full := append([]string{"--module", t.Module, "--token-label", t.Label, "--login", "--pin", PIN}, args...)
	return try(tb, "pkcs11-tool", full...)
}

// Module returns the path of the SoftHSM library: SOFTHSM2_MODULE, or where the
// distributions put it.
func Module(tb testing.TB) string {
	tb.Helper()
	candidates := []string{
		os.Getenv("SOFTHSM2_MODULE"),
		"/usr/lib/softhsm/libsofthsm2.so", "/usr/lib64/softhsm/libsofthsm2.so", "/usr/lib64/pkcs11/libsofthsm2.so",
		"/usr/local/lib/softhsm/libsofthsm2.so", "/opt/homebrew/lib/softhsm/libsofthsm2.so",
	}
	for _, path := range candidates {
		if _, err := os.Stat(path); path != "" && err == nil {
			return path
		}
	}
	tb.Fatal("libsofthsm2.so was not found: " + remedy + ", or set SOFTHSM2_MODULE")
	return ""
}

func run(tb testing.TB, name string, args ...string) string {
	tb.Helper()
	out, err := try(tb, name, args...)
	if err != nil {
		tb.Fatalf("%s %v: %v\n%s", name, args, err, out)
	}
	return out
}

func try(tb testing.TB, name string, args ...string) (string, error) {
	tb.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		tb.Fatalf("%s was not found: %s", name, remedy)
	}
	var out bytes.Buffer
	cmd := exec.Command(path, args...)
	cmd.Stdout, cmd.Stderr = &out, &out
	err = cmd.Run()
	return out.String(), err
}
