package torture_test

import (
	"fmt"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/keystead/terraform-provider-hsm/internal/inventory"
	"github.com/keystead/terraform-provider-hsm/internal/softhsm"
)

// TestKillsOfSoftHSM kills the provider at any time while it has SoftHSM itself loaded,
// whose files the kill then tears too. Our own writes must lose no key for all that. A
// token that is lost as a whole, by a kill inside C_Login, is SoftHSM's doing and counted
// apart, like remnants without attributes.
func TestKillsOfSoftHSM(t *testing.T) {
	random := seeded(t)
	token := softhsm.New(t, "torture")
	w := newWorkdir(t, fmt.Sprintf(`
terraform {
  required_providers {
    hsm = { source = "keystead/hsm" }
  }
}

provider "hsm" {
  module_path  = %q
  token_serial = %q
  environment  = "test"
}

resource "hsm_key" "orders" {
  count               = 4
  name                = "orders-${count.index}"
  algorithm           = "EC_P256"
  deletion_protection = false
}

resource "hsm_key_rotation" "orders" {
  count   = 4
  key_id  = hsm_key.orders[count.index].id
  overlap = "1h"
}
`, token.Module, token.Serial))
	w.must("apply", "-auto-approve")
	began := take(t, token.Store.TokenDir())
	state := take(t, w.dir)
	before := inventory.Read(t, token.Module, token.Serial, softhsm.PIN)

	rotate := []string{"apply", "-auto-approve"}
	for i := range 4 {
		rotate = append(rotate, fmt.Sprintf("-replace=hsm_key_rotation.orders[%d]", i))
	}
	since := time.Now()
	w.must(rotate...)
	takes := time.Since(since)

	kills, tokens := 200, 0
	if !long() {
		kills = 5
	}
	for n := range kills {
		began.restore(t)
		state.restore(t)
		after := time.Duration(random.Int64N(int64(takes)))
		w.killProvider(after, rotate...)
		if !strings.Contains(slots(t), token.Serial) {
			tokens++
			continue
		}
		now := inventory.Read(t, token.Module, token.Serial, softhsm.PIN)
		if bad := append(now.Lost(before), now.Keyless()...); len(bad) > 0 {
			t.Errorf("kill %d, after %v of %v: lost: %q", n, after, takes, bad)
		}
	}
	summarise(t, "kills with SoftHSM in the same process", kills, "%d times SoftHSM lost the token", tokens)
}

// killProvider kills the provider, and not its CLI, after a while.
func (w *workdir) killProvider(after time.Duration, args ...string) {
	w.t.Helper()
	cmd, _ := w.command(args...)
	if err := cmd.Start(); err != nil {
		w.t.Fatal(err)
	}
	group := strconv.Itoa(cmd.Process.Pid)
	timer := time.AfterFunc(after, func() {
		found, _ := exec.Command("pgrep", "-g", group, "-f", "terraform-provider-hsm").Output() // none: it has ended, or not begun
		for pid := range strings.FieldsSeq(string(found)) {
			if n, err := strconv.Atoi(pid); err == nil {
				_ = syscall.Kill(n, syscall.SIGKILL)
			}
		}
	})
	err := cmd.Wait()
	timer.Stop()
	w.wait(cmd, err)
	w.drain(cmd.Process.Pid)
}

// slots is what SoftHSM says that there is.
func slots(t *testing.T) string {
	t.Helper()
	out, err := exec.Command("softhsm2-util", "--show-slots").CombinedOutput()
	if err != nil {
		t.Fatalf("softhsm2-util: %v\n%s", err, out)
	}
	return string(out)
}
