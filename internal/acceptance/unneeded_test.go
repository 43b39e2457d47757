package acceptance_test

import (
	"testing"

	"github.com/keystead/terraform-provider-hsm/internal/interposer"
)

// TestUnneededModule: a CLI starts the provider for commands that need its schema only. Those
// do not touch the HSM: the module is not even initialised.
func TestUnneededModule(t *testing.T) {
	c, m := newRemoteCLI(t, buildMirror(t, "1"), 1, 1)
	const initialize = interposer.Function(0) // comes before anything else
	m.Count()
	for _, command := range [][]string{{"validate"}, {"providers", "schema", "-json"}, {"graph"}, {"fmt"}} {
		c.mustRun(command...)
		if n := m.Calls(initialize) + m.Counted(); n > 0 {
			t.Errorf("%s: %d calls into the module", command[0], n)
		}
	}
	c.mustRun("plan")
	if m.Calls(initialize) == 0 || m.Counted() == 0 {
		t.Error("the plan did not call the module: nothing was shown")
	}
}
