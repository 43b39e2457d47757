//go:build unix

package interposer_test

import (
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/keystead/terraform-provider-hsm/internal/interposer"
	"github.com/keystead/terraform-provider-hsm/internal/softhsm"
)

// through is the token, seen through an interposer, by pkcs11-tool.
func through(t *testing.T) (*softhsm.Token, *interposer.Module) {
	t.Helper()
	token := softhsm.New(t, "interposed")
	m := interposer.New(t, token.Module)
	seen := *token
	seen.Module = m.Path
	return &seen, m
}

var generate = []string{"--keygen", "--key-type", "AES:32", "--id", "0a", "--label", "a key"}

// TestHandsOn: a module that behaves is as if it were not there, but for its counters.
func TestHandsOn(t *testing.T) {
	token, m := through(t)
	m.CountWrites()
	token.Tool(t, generate...)
	if out := token.Tool(t, "--list-objects", "--type", "secrkey"); !strings.Contains(out, "a key") {
		t.Errorf("the token has:\n%s", out)
	}
	token.Tool(t, "--keypairgen", "--key-type", "EC:prime256v1", "--id", "0b") // eight arguments
	if m.Counted() != 2 || m.Calls(interposer.GenerateKey) != 1 || m.Calls(interposer.Login) != 3 {
		t.Errorf("%d writes, %d keys, %d logins", m.Counted(), m.Calls(interposer.GenerateKey), m.Calls(interposer.Login))
	}
}

// TestActs: each action does what it says, once, to the call that it is meant for.
func TestActs(t *testing.T) {
	for action, want := range map[interposer.Action]struct {
		says string
		made bool
	}{
		interposer.FailBefore: {"CKR_DEVICE_ERROR", false},
		interposer.FailAfter:  {"CKR_DEVICE_ERROR", true},
		interposer.KillBefore: {"killed", false},
		interposer.KillAfter:  {"killed", true},
	} {
		t.Run(action.String(), func(t *testing.T) {
			token, m := through(t)
			m.CountWrites()
			m.Act(action, 1, 1, 0x30)
			out, err := token.TryTool(t, generate...)
			if err == nil || !strings.Contains(out+err.Error(), want.says) {
				t.Errorf("%v\n%s", err, out)
			}
			if times, on := m.Acted(); times != 1 || on != interposer.GenerateKey {
				t.Errorf("it acted %d times, on %s", times, on)
			}
			if out := token.Tool(t, "--list-objects", "--type", "secrkey"); strings.Contains(out, "a key") != want.made {
				t.Errorf("the token has:\n%s", out)
			}
			m.Behave()
			token.Tool(t, generate...)
		})
	}
}

func TestDelays(t *testing.T) {
	token, m := through(t)
	m.Count()
	token.Tool(t, "--list-objects")
	calls := m.Counted()
	m.Delay(20 * time.Millisecond)
	begin := time.Now()
	token.Tool(t, "--list-objects")
	if took := time.Since(begin); took < time.Duration(calls)*20*time.Millisecond {
		t.Errorf("%d calls took %v", calls, took)
	}
}

// TestRemote: nothing tells that SoftHSM is behind it, and what it does is done all the same.
func TestRemote(t *testing.T) {
	token, m := through(t)
	m.Remote()
	token.Tool(t, generate...)
	for _, command := range [][]string{{"--show-info"}, {"--list-slots"}} {
		out, err := exec.Command("pkcs11-tool", append(command, "--module", token.Module)...).CombinedOutput()
		if err != nil || !strings.Contains(string(out), "Interposer") || strings.Contains(string(out), "SoftHSM project") || strings.Contains(string(out), "SoftHSM v2") {
			t.Errorf("%v\n%s", err, out)
		}
	}
}

// TestLocks: the third wrong PIN in a row locks the token, which says so before; the
// right one resets the count.
func TestLocks(t *testing.T) {
	token, m := through(t)
	m.LockPIN(3, 0)
	for _, step := range []struct {
		pin, says string
		flags     string // what the token says of itself afterwards
	}{
		{"wrong", "CKR_PIN_INCORRECT", "user PIN count low"},
		{softhsm.PIN, "", ""},
		{"wrong", "CKR_PIN_INCORRECT", "user PIN count low"},
		{"wrong", "CKR_PIN_INCORRECT", "user PIN count low, final user PIN try"},
		{"wrong", "CKR_PIN_INCORRECT", "user PIN count low, user PIN locked"},
		{softhsm.PIN, "CKR_PIN_LOCKED", "user PIN count low, user PIN locked"},
	} {
		out, err := token.TryTool(t, "--pin", step.pin, "--list-objects")
		if (err == nil) != (step.says == "") || !strings.Contains(out, step.says) {
			t.Errorf("PIN %q: %v\n%s", step.pin, err, out)
		}
		slots, err := exec.Command("pkcs11-tool", "--module", token.Module, "--list-slots").CombinedOutput()
		if err != nil {
			t.Fatal(err)
		}
		for _, flag := range []string{"user PIN count low", "final user PIN try", "user PIN locked"} {
			if strings.Contains(string(slots), flag) != strings.Contains(step.flags, flag) {
				t.Errorf("after PIN %q the token says:\n%s", step.pin, slots)
			}
		}
	}
	if m.WrongPINs() != 3 {
		t.Errorf("%d wrong PINs", m.WrongPINs())
	}
}
