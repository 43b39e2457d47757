package torture_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/keystead/terraform-provider-hsm/internal/interposer"
	"github.com/keystead/terraform-provider-hsm/internal/softhsm"
)

// TestPINGuard: a wrong PIN costs one try, however many resources want to log in; and no
// try at all when the token says that one more would lock it.
func TestPINGuard(t *testing.T) {
	const keys = 50
	token := softhsm.New(t, "torture")
	module := interposer.New(t, token.Module)
	seen := *token
	seen.Module = module.Path
	configuration := func(pin string) string {
		return fmt.Sprintf(`
terraform {
  required_providers {
    hsm = { source = "keystead/hsm" }
  }
}

provider "hsm" {
  module_path  = %q
  token_serial = %q
  pin          = %q
  environment  = "test"
}

resource "hsm_key" "many" {
  count               = %d
  name                = "key-${count.index}"
  algorithm           = "AES_256"
  deletion_protection = false
}
`, module.Path, token.Serial, pin, keys)
	}
	w := newWorkdir(t, configuration("wrong-pin"))
	module.LockPIN(3, 0)
	fails := func(wrong, logins int, says ...string) {
		t.Helper()
		module.Count()
		out, code := w.run("plan", fmt.Sprintf("-parallelism=%d", keys))
		flat := strings.Join(strings.Fields(strings.ReplaceAll(out, "│", " ")), " ")
		if code != 1 || module.WrongPINs() != wrong || module.Calls(interposer.Login) != logins {
			t.Errorf("exit code %d, %d wrong PINs in a row, want %d, and %d logins, want %d:\n%s", code, module.WrongPINs(), wrong, module.Calls(interposer.Login), logins, out)
		}
		for _, text := range says {
			if !strings.Contains(flat, text) {
				t.Errorf("it does not say %q:\n%s", text, out)
			}
		}
		if strings.Contains(out, "wrong-pin") || strings.Contains(out, softhsm.PIN) {
			t.Errorf("the PIN is shown:\n%s", out)
		}
	}

	fails(1, 1, "The PIN is wrong.", "CKR_PIN_INCORRECT")
	fails(2, 1, "The PIN is wrong.", "CKR_PIN_INCORRECT") // the token said COUNT_LOW, which is no reason to refuse
	fails(2, 0, "One more wrong PIN would lock the token, so no login was tried.", "Log in once by hand with the right PIN")
	w.configure(configuration(softhsm.PIN))
	fails(2, 0, "One more wrong PIN would lock the token, so no login was tried.") // not even the right one: who knows

	seen.Tool(t, "--list-objects") // by hand, as the message says
	module.Count()
	if out := w.must("apply", "-auto-approve", "-parallelism=50"); !strings.Contains(out, "50 added") {
		t.Errorf("after a login by hand:\n%s", out)
	}
	if logins := module.Calls(interposer.Login); logins != 2 {
		t.Errorf("%d logins in an apply, which is two processes", logins)
	}
	w.configure(configuration("wrong-pin"))
	fails(1, 1, "CKR_PIN_INCORRECT") // of keys in the state, too

	module.LockPIN(3, 3)
	fails(3, 0, "The user PIN is locked, so no login was tried.", "C_InitPIN")
	summarise(t, "PIN guard", 6, "with %d parallel resources: at most one try each, none at the last", keys)
}
