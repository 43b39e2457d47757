package hsm_test

import (
	"testing"
	"time"

	"github.com/keystead/terraform-provider-hsm/internal/keyring"
)

func TestCapabilities(t *testing.T) {
	b := newBench(t)
	if _, err := b.hsm.Info(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := b.device.Objects(t.Context()); err != nil { // opening and logging in are not what is timed
		t.Fatal(err)
	}
	start := time.Now()
	c, err := b.hsm.Capabilities(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("probing took %s", time.Since(start))
	for _, a := range keyring.Algorithms() {
		if c.Algorithms[a] != a.Operations() {
			t.Errorf("%s can %s; it should %s", a, c.Algorithms[a], a.Operations())
		}
	}
	if !c.RestrictsMechanisms || c.Enforcement != keyring.EnforcedByHSM || !c.Attests {
		t.Errorf("restricts %t, enforces %q, attests %t", c.RestrictsMechanisms, c.Enforcement, c.Attests)
	}
	if m, ok := c.Mechanisms["CKM_ECDSA"]; !ok || len(m.Uses) == 0 || m.MaxKeySize < 256 {
		t.Errorf("CKM_ECDSA: %+v", m)
	}
	left, err := b.device.Search(t.Context(), nil)
	if err != nil || len(left) > 0 {
		t.Errorf("probing left %d objects (%v)", len(left), err)
	}
	start = time.Now()
	if _, err := b.hsm.Capabilities(t.Context()); err != nil || time.Since(start) > 5*time.Millisecond {
		t.Errorf("the second call took %s (%v)", time.Since(start), err)
	}
}
