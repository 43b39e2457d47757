package acceptance_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/keystead/terraform-provider-hsm/internal/softhsm"
)

// TestOlderStateRestored: the instance in an older state is not in charge of the key
// any more. It says so, refuses what it would not do, and takes charge by import.
func TestOlderStateRestored(t *testing.T) {
	token := softhsm.New(t, "acceptance")
	c := newCLI(t, orders(token, "", schedule))
	c.apply()
	file := filepath.Join(c.dir, "terraform.tfstate")
	older, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	c.apply("-replace=" + rotator)
	if err := os.WriteFile(file, older, 0o600); err != nil {
		t.Fatal(err)
	}

	wayOut := []string{"orders/1", "superseded", "orders/2", "terraform state rm ADDRESS", "terraform import ADDRESS orders"}
	expect(t, c.apply(), wayOut...)
	revoking := orders(token, "", schedule+`revoke = { "1" = "key_compromise" }`+"\n")
	c.configure(revoking)
	c.failing([]string{"plan"}, append(wayOut, "a change of revoke here would do nothing")...)
	c.failing([]string{"plan", "-refresh=false"}, wayOut...)
	c.configure(orders(token, "", schedule+"pinned_version = 1\n"))
	c.failing([]string{"plan"}, wayOut...)

	c.configure(revoking)
	c.mustRun("state", "rm", rotator)
	c.mustRun("import", rotator, "orders/1")
	c.apply()
	c.noChanges()
	r := c.state(rotator)
	r.want(t, "id=orders/2", "version=2", "superseded=false", "versions/1/state=compromised")
	refusesOrLacks(t, token, r.at("versions", "1", "cka_id"))
}

// TestDueRotationIsExplained: the plan shows why the instance is replaced.
func TestDueRotationIsExplained(t *testing.T) {
	bothOrders(t, func(t *testing.T, token *softhsm.Token, order, _ string) {
		c := newCLI(t, orders(token, "", schedule+order))
		c.apply()
		c.pass(period)
		out := c.mustRun("plan")
		for name, was := range map[string]string{"rotate_at": start.Add(period).Format(time.RFC3339), "rotation_due": "= true"} {
			var shown bool
			for line := range strings.Lines(out) {
				shown = shown || strings.Contains(line, "~ "+name) && strings.Contains(line, was) && strings.Contains(line, "(known after apply)") && strings.Contains(line, "# forces replacement")
			}
			if !shown {
				t.Errorf("%s is not shown as the reason for the replacement:\n%s", name, out)
			}
		}
	})
}

// TestPinnedIsPinned: what does nothing while a version is pinned says so.
func TestPinnedIsPinned(t *testing.T) {
	bothOrders(t, func(t *testing.T, token *softhsm.Token, order, _ string) {
		watching := func(owner string) string {
			return orders(token, "", schedule+order+"pinned_version = 1\n  rotate_when_changed = { owner = \""+owner+"\" }\n")
		}
		c := newCLI(t, watching("ada"))
		expect(t, c.apply(), "Nothing was rotated", "stays with version 1")
		c.noChanges()
		c.configure(watching("bob"))
		expect(t, c.mustRun("plan"), "Nothing is rotated while a version is pinned")
		c.apply()
		expect(t, c.apply("-replace="+rotator), "Nothing was rotated")
		c.noChanges()
		c.state(rotator).want(t, "version=1", "id=orders/1", "superseded=false")
	})
}

func TestPinAfterTheOverlap(t *testing.T) {
	token := softhsm.New(t, "acceptance")
	c := newCLI(t, orders(token, "", schedule))
	c.apply()
	c.apply("-replace=" + rotator)
	c.pass(overlap)
	c.configure(orders(token, "", schedule+"pinned_version = 1\n"))
	c.failing([]string{"plan"}, "Cannot pin version", "overlap of version 1 is over")
}

// TestRenameOfAProtectedKey: also after an import under another name.
func TestRenameOfAProtectedKey(t *testing.T) {
	token := softhsm.New(t, "acceptance")
	key, _, _ := strings.Cut(orders(token, "", schedule), `resource "hsm_key_rotation"`)
	protected := strings.Replace(key, "deletion_protection = false", "", 1)
	c := newCLI(t, protected)
	c.apply()
	c.mustRun("state", "rm", "hsm_key.orders")
	c.configure(strings.Replace(protected, `= "orders"`, `= "invoices"`, 1))
	c.mustRun("import", "hsm_key.orders", "orders")
	c.failing([]string{"plan"}, "Cannot rename key: protected", `name = "invoices"`, `write name = "orders"`, "deletion_protection = false")
	c.configure(protected)
	c.noChanges()
}
