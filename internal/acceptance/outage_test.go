package acceptance_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/keystead/terraform-provider-hsm/internal/softhsm"
)

// TestOutages: whatever is wrong with the token while planning, the command fails and
// says why, and the state stays as it is to the byte; when it is over there is nothing
// to do.
func TestOutages(t *testing.T) {
	s := newSite(t)
	tokens := s.token.Store.TokenDir()
	good := realm(s.token, "test", "two")
	configured := func(from, to string) func(*testing.T) {
		return func(*testing.T) { s.configure(strings.Replace(good, from, to, 1)) }
	}
	junk := filepath.Join(t.TempDir(), "libnothing.so")
	if err := os.WriteFile(junk, []byte("not a library"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		cause func(t *testing.T)
		says  []string
	}{
		"wrong PIN": {configured("actor ", "pin = \"wrong-pin\"\n  actor "), []string{"PIN", "CKR_PIN_INCORRECT"}},
		"token directory gone": {func(t *testing.T) {
			remove(t, tokens)
		}, []string{"The module did not start", "directory of its tokens", "SOFTHSM2_CONF"}},
		"token directory emptied": {func(t *testing.T) {
			remove(t, tokens)
			mkdir(t, tokens)
		}, []string{"There is no such token", "acceptance"}},
		"token directory a file": {func(t *testing.T) {
			remove(t, tokens)
			if err := os.WriteFile(tokens, nil, 0o600); err != nil {
				t.Fatal(err)
			}
		}, []string{"The module did not start", "directory of its tokens", "SOFTHSM2_CONF"}},
		"token without its objects": {func(t *testing.T) {
			objects, err := filepath.Glob(filepath.Join(tokens, "*", "*.object"))
			if err != nil {
				t.Fatal(err)
			}
			for _, object := range objects {
				if filepath.Base(object) != "token.object" {
					remove(t, object)
				}
			}
		}, []string{"no environment's stamp", "emptied"}},
		"another token of the same label": {func(t *testing.T) {
			remove(t, tokens)
			mkdir(t, tokens)
			s.token.Store.Init(t, s.token.Label)
		}, []string{"no environment's stamp", "another token"}},
		"token of another environment": {func(t *testing.T) { s.rebuild(t, "prod") }, []string{`belongs to environment "prod"`, `configured for "test"`}},
		"another token of the same environment": {func(t *testing.T) { s.rebuild(t, "test") },
			[]string{`Key "orders"`, `API credential "orders-bot"`, `Access policy "orders-second"`, "another record of this name"}},
		"wrong environment":     {configured(`environment = "test"`, `environment = "prod"`), []string{`"test"`, `"prod"`}},
		"module gone":           {configured(s.token.Module, "/nowhere/libpkcs11.so"), []string{"/nowhere/libpkcs11.so"}},
		"not a PKCS#11 library": {configured(s.token.Module, junk), []string{"libnothing.so"}},
	} {
		t.Run(name, func(t *testing.T) {
			s.restore(t)
			state := s.stateFile()
			tc.cause(t)
			for _, command := range [][]string{{"plan"}, apply} {
				s.failing(command, tc.says...)
			}
			s.kept(t, state)
			s.configure(good)
		})
	}
	s.restore(t)
	s.noChanges()
}

// kept fails unless the state is what it was, its serial included.
func (s *site) kept(t *testing.T, state []byte) {
	t.Helper()
	if now := s.stateFile(); !bytes.Equal(now, state) {
		t.Errorf("the state was changed.\nbefore:\n%s\nafter:\n%s", state, now)
	}
}

// rebuild makes another token of the same label, with things of the same names.
func (s *site) rebuild(t *testing.T, environment string) {
	t.Helper()
	remove(t, s.token.Store.TokenDir())
	mkdir(t, s.token.Store.TokenDir())
	other := s.token.Store.Init(t, s.token.Label)
	s.configure(realm(other, environment, "two"))
	s.apply("-state=" + filepath.Join(t.TempDir(), "other.tfstate"))
	s.configure(realm(s.token, "test", "two"))
}

func remove(t *testing.T, path string) {
	t.Helper()
	if err := os.RemoveAll(path); err != nil {
		t.Fatal(err)
	}
}

func mkdir(t *testing.T, path string) {
	t.Helper()
	if err := os.Mkdir(path, 0o700); err != nil {
		t.Fatal(err)
	}
}

// TestUnreadableToken: the user who runs the CLI may not read the token's files. Root
// gives up the capability of reading everything for it.
func TestUnreadableToken(t *testing.T) {
	token := softhsm.New(t, "acceptance")
	c := newBinaryCLI(t, "1", estate(token, "orders", ""))
	if os.Geteuid() == 0 {
		c.path = withoutCapabilities(t, c.path)
	}
	c.apply()
	c.noChanges()
	state := c.stateFile()
	for name, tc := range map[string]struct {
		mode os.FileMode
		says []string
	}{
		"directory that cannot be listed":   {0, []string{"SOFTHSM2_CONF", "this user"}},
		"directory that cannot be searched": {0o400, []string{"There is no such token", "acceptance", "this user may read the files"}},
	} {
		t.Run(name, func(t *testing.T) {
			chmod(t, token.Store.TokenDir(), tc.mode)
			defer chmod(t, token.Store.TokenDir(), 0o700)
			for _, command := range [][]string{{"plan"}, apply} {
				c.failing(command, tc.says...)
			}
		})
	}
	if now := c.stateFile(); !bytes.Equal(now, state) {
		t.Errorf("the state was changed.\nbefore:\n%s\nafter:\n%s", state, now)
	}
	c.noChanges()
}

func chmod(t *testing.T, path string, mode os.FileMode) {
	t.Helper()
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
}

// withoutCapabilities returns a command that is as powerless before file modes as any
// other user is.
func withoutCapabilities(t *testing.T, path string) string {
	t.Helper()
	setpriv, err := exec.LookPath("setpriv")
	if err != nil {
		t.Fatal("setpriv was not found: install the package util-linux of your distribution, or do not run the tests as root")
	}
	wrapper := filepath.Join(t.TempDir(), "cli")
	text := fmt.Sprintf("#!/bin/sh\nexec %s --bounding-set=-dac_override,-dac_read_search --inh-caps=-dac_override,-dac_read_search %s \"$@\"\n", setpriv, path)
	if err := os.WriteFile(wrapper, []byte(text), 0o700); err != nil {
		t.Fatal(err)
	}
	return wrapper
}

// TestServerOutages: the HSM itself goes away, before and in the middle of a command,
// for good and for a moment.
func TestServerOutages(t *testing.T) {
	token := softhsm.New(t, "acceptance")
	remote, server := token.Serve(t)
	s := &site{cli: newCLI(t, estate(remote, "orders", "one")), token: token}
	s.apply()
	s.noChanges()
	before := look(t, token)
	inOrder := func(t *testing.T) {
		t.Helper()
		now := look(t, token)
		for _, bad := range append(now.Violations(), now.Lost(before)...) {
			t.Error(bad)
		}
		before = now
	}
	// at does something when the provider asks for the time the nth time.
	at := func(nth int64, do func()) (happened func() bool) {
		var calls atomic.Int64
		s.tick = func() {
			if calls.Add(1) == nth {
				do()
			}
		}
		return func() bool { s.tick = nil; return calls.Load() >= nth }
	}

	t.Run("before a command", func(t *testing.T) {
		state := s.stateFile()
		server.Stop()
		for _, command := range [][]string{{"plan"}, apply, {"destroy", "-auto-approve"}} {
			s.failing(command, "There is no such token", "acceptance", "make the token reachable")
		}
		s.kept(t, state)
		server.Start()
		s.noChanges()
		inOrder(t)
	})
	for name, outage := range map[string]func(){"for good": server.Stop, "for a moment": func() { server.Stop(); server.Start() }} {
		t.Run("during a plan, "+name, func(t *testing.T) {
			state := s.stateFile()
			happened := at(1, outage)
			out, code := s.run("plan")
			if !happened() {
				t.Fatal("there was no outage")
			}
			if name == "for good" {
				server.Start()
				expect(t, out, "The HSM or the connection to it failed", "Check that the HSM is up and reachable")
				if code == 0 {
					t.Errorf("without a token there is a plan:\n%s", out)
				}
			}
			s.kept(t, state)
			s.noChanges()
			inOrder(t)
		})
	}
	// An apply that rotates and changes; each time it comes a bit further.
	step := int64(24)
	if os.Getenv("TORTURE") != "" {
		step = 1
	}
	for nth := int64(1); ; nth += step {
		over := false
		t.Run(fmt.Sprintf("during an apply, at moment %d", nth), func(t *testing.T) {
			s.configure(estate(remote, "orders", fmt.Sprintf("change %d", nth)))
			happened := at(nth, server.Stop)
			out, code := s.run(append(slices.Clone(apply), "-replace="+rotator)...)
			if over = !happened(); over {
				if code != 0 {
					t.Errorf("without an outage: exit code %d\n%s", code, out)
				}
				return
			}
			server.Start()
			if code == 0 {
				t.Errorf("without a token the apply succeeded:\n%s", out)
			}
			for _, kind := range []string{"hsm_key", "hsm_api_credential", "hsm_access_policy"} {
				if !bytes.Contains(s.stateFile(), []byte(fmt.Sprintf("%q", kind))) {
					t.Errorf("the state lost its %s", kind)
				}
			}
			s.apply()
			s.noChanges()
			inOrder(t)
		})
		if over || t.Failed() {
			break
		}
	}
}
