package acceptance_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/keystead/terraform-provider-hsm/internal/softhsm"
)

const (
	period  = 2160 * time.Hour
	overlap = 168 * time.Hour
	rotator = "hsm_key_rotation.orders"
)

// orders is a configuration with one key, its rotation, and something that depends
// on the rotation. The texts go into the blocks of key and rotation.
func orders(token *softhsm.Token, key, rotation string) string {
	return providerBlock(token, "test") + fmt.Sprintf(`
resource "hsm_key" "orders" {
  name                = "orders"
  algorithm           = "EC_P256"
  deletion_protection = false
  %s
}

resource "hsm_key_rotation" "orders" {
  key_id = hsm_key.orders.id
  %s
}

resource "terraform_data" "signer" {
  input = "${hsm_key_rotation.orders.version}: ${hsm_key_rotation.orders.public_key_pem}"
}
`, key, rotation)
}

const (
	schedule    = "rotate_every = \"2160h\"\n  overlap = \"168h\"\n"
	createFirst = "lifecycle {\n    create_before_destroy = true\n  }\n"
)

// bothOrders runs a test with and without create_before_destroy. The replacement's
// actions are what the plan must say.
func bothOrders(t *testing.T, test func(t *testing.T, token *softhsm.Token, order, replacement string)) {
	for name, order := range map[string]struct{ block, actions string }{
		"destroy before create": {"", "delete create"},
		"create before destroy": {createFirst, "create delete"},
	} {
		t.Run(name, func(t *testing.T) {
			test(t, softhsm.New(t, "acceptance"), order.block, order.actions)
		})
	}
}

// rotated checks that version n has taken over from n-1, in the state and in the HSM.
func (c *cli) rotated(token *softhsm.Token, n int, oldSignature []byte) {
	c.t.Helper()
	now, before := fmt.Sprint(n), fmt.Sprint(n-1)
	r := c.state(rotator)
	r.want(c.t, "version="+now, "previous_version="+before, "rotation_due=false", "superseded=false", "id=orders/"+now,
		"versions/"+now+"/state=active", "versions/"+before+"/state=deactivated", "versions/"+before+"/enforcement=hsm",
		"versions/"+before+"/process_until="+c.now().Add(overlap).Format(time.RFC3339))
	c.state("terraform_data.signer").want(c.t, "output="+now+": "+r.at("public_key_pem"))
	if r.at("trusted_public_keys", before) == "" || r.at("trusted_public_keys", now) != r.at("public_key_pem") {
		c.t.Errorf("trusted_public_keys is %s", r.at("trusted_public_keys"))
	}
	refusesToSign(c.t, token, r.at("versions", before, "cka_id"))
	verify(c.t, r.at("versions", before, "public_key_pem"), oldSignature)
	verify(c.t, r.at("public_key_pem"), mustSign(c.t, token, r.at("versions", now, "cka_id"), digest))
}

func TestRotationWhenDue(t *testing.T) {
	bothOrders(t, func(t *testing.T, token *softhsm.Token, order, replacement string) {
		c := newCLI(t, orders(token, "", schedule+order))
		c.apply()
		c.noChanges()
		r := c.state(rotator)
		r.want(t, "id=orders/1", "version=1", "previous_version=", "rotation_due=false", "rotated_at="+start.Format(time.RFC3339),
			"rotate_at="+start.Add(period).Format(time.RFC3339))
		signature := mustSign(t, token, r.at("versions", "1", "cka_id"), digest)

		c.pass(period - time.Second)
		c.noChanges()
		c.pass(time.Second)
		if got := c.changes(); got[rotator] != replacement || len(got) != 2 {
			t.Errorf("when due the plan is %v, want the rotation (%s) and its dependent", got, replacement)
		}
		c.apply()
		c.noChanges()
		c.rotated(token, 2, signature)

		c.pass(3*period + overlap) // missed periods are not made up for
		c.apply()
		c.noChanges()
		c.state(rotator).want(t, "version=3", "rotate_at="+c.now().Add(period).Format(time.RFC3339))
	})
}

func TestRotationByReplace(t *testing.T) {
	bothOrders(t, func(t *testing.T, token *softhsm.Token, order, _ string) {
		c := newCLI(t, orders(token, "", schedule+order))
		c.apply()
		signature := mustSign(t, token, c.state(rotator).at("versions", "1", "cka_id"), digest)
		c.apply("-replace=" + rotator)
		c.noChanges()
		c.rotated(token, 2, signature)
		c.state("hsm_key.orders").want(t, "current_version=1") // as of its last refresh
		c.apply("-refresh-only")
		c.state("hsm_key.orders").want(t, "current_version=2", "versions/1/state=deactivated")
	})
}

func TestRotationWhenChanged(t *testing.T) {
	bothOrders(t, func(t *testing.T, token *softhsm.Token, order, replacement string) {
		trigger := func(who string) string {
			return schedule + order + fmt.Sprintf("rotate_when_changed = { owner = %q }\n", who)
		}
		c := newCLI(t, orders(token, "", trigger("alice")))
		c.apply()
		signature := mustSign(t, token, c.state(rotator).at("versions", "1", "cka_id"), digest)
		c.configure(orders(token, "", trigger("bob")))
		if got := c.changes()[rotator]; got != replacement {
			t.Errorf("the plan is %q, want %q", got, replacement)
		}
		c.apply()
		c.noChanges()
		c.rotated(token, 2, signature)
	})
}

// TestSavedPlan: a plan from before the deadline is applied after it, and a plan to
// rotate is applied much later.
func TestSavedPlan(t *testing.T) {
	bothOrders(t, func(t *testing.T, token *softhsm.Token, order, _ string) {
		c := newCLI(t, orders(token, "", schedule+order))
		c.apply()
		c.configure(orders(token, `tags = { team = "a" }`, schedule+order))
		c.pass(period - time.Minute)
		c.mustRun("plan", "-out=early.tfplan")
		c.pass(time.Hour)
		c.mustRun("apply", "early.tfplan")
		c.state("hsm_key.orders").want(t, "tags/team=a")
		c.state(rotator).want(t, "version=1")

		c.mustRun("plan", "-out=due.tfplan")
		c.pass(30 * 24 * time.Hour)
		c.mustRun("apply", "due.tfplan")
		c.state(rotator).want(t, "version=2", "rotated_at="+c.now().Format(time.RFC3339))
		c.noChanges()
	})
}

func TestActivationDelay(t *testing.T) {
	bothOrders(t, func(t *testing.T, token *softhsm.Token, order, _ string) {
		c := newCLI(t, orders(token, "", schedule+order+"activation_delay = \"24h\"\n"))
		c.apply()
		c.state(rotator).want(t, "version=1") // there was nothing to wait for
		c.apply("-replace=" + rotator)
		c.noChanges()
		r := c.state(rotator)
		r.want(t, "version=1", "id=orders/2", "versions/1/state=active", "versions/2/state=pre_activation", "versions/2/enforcement=hsm")
		if r.at("trusted_public_keys", "2") == "" || !strings.Contains(r.at("jwks"), `"keys"`) {
			t.Error("the version that waits for activation is not published")
		}
		one, two := r.at("versions", "1", "cka_id"), r.at("versions", "2", "cka_id")
		signature := mustSign(t, token, one, digest)
		refusesToSign(t, token, two)

		c.pass(24*time.Hour - time.Second)
		c.noChanges()
		c.pass(24 * time.Hour) // late
		if got := c.changes(); got[rotator] != "update" {
			t.Errorf("the plan is %v, want an update of the rotation", got)
		}
		c.apply()
		c.noChanges()
		c.rotated(token, 2, signature)
	})
}

// TestRevocationOfAWaitingVersion: another one takes its place in the same apply,
// and what signs goes on signing.
func TestRevocationOfAWaitingVersion(t *testing.T) {
	bothOrders(t, func(t *testing.T, token *softhsm.Token, order, replacement string) {
		delayed := schedule + order + "activation_delay = \"24h\"\n"
		c := newCLI(t, orders(token, "", delayed))
		c.apply()
		c.apply("-replace=" + rotator)
		c.configure(orders(token, "", delayed+`revoke = { "2" = "superseded" }`+"\n"))
		if got := c.changes(); got[rotator] != replacement {
			t.Errorf("the plan is %v, want %s", got, replacement)
		}
		c.apply()
		c.noChanges()
		r := c.state(rotator)
		r.want(t, "version=1", "versions/1/state=active", "versions/2/state=deactivated", "versions/3/state=pre_activation")
		mustSign(t, token, r.at("versions", "1", "cka_id"), digest)
		refusesToSign(t, token, r.at("versions", "2", "cka_id"))
	})
}

func TestRetirement(t *testing.T) {
	for action, check := range map[string]func(t *testing.T, c *cli, token *softhsm.Token, id string){
		"disable": func(t *testing.T, c *cli, token *softhsm.Token, id string) {
			c.state(rotator).want(t, "versions/1/state=deactivated", "versions/1/enforcement=hsm")
			for _, class := range []string{"privkey", "pubkey"} {
				if o := object(t, token, class, id); !strings.Contains(o, "Usage:      none") {
					t.Errorf("after the overlap something is still allowed:\n%s", o)
				}
			}
		},
		"destroy": func(t *testing.T, c *cli, token *softhsm.Token, id string) {
			r := c.state(rotator)
			r.want(t, "versions/1/state=destroyed", "versions/1/destroyed_at="+c.now().Format(time.RFC3339))
			if r.at("versions", "1", "public_key_pem") == "" {
				t.Error("the public key is forgotten")
			}
			if o := object(t, token, "privkey", id); o != "" {
				t.Errorf("the private key is still there:\n%s", o)
			}
			if o := object(t, token, "pubkey", id); !strings.Contains(o, "verify") {
				t.Errorf("the public key should stay, for old signatures:\n%s", o)
			}
		},
		"retain": func(t *testing.T, c *cli, token *softhsm.Token, id string) {
			c.state(rotator).want(t, "versions/1/state=deactivated")
			if o := object(t, token, "pubkey", id); !strings.Contains(o, "verify") {
				t.Errorf("the retained version cannot verify any more:\n%s", o)
			}
		},
	} {
		t.Run(action, func(t *testing.T) {
			token := softhsm.New(t, "acceptance")
			c := newCLI(t, orders(token, "", "overlap = \"168h\"\n  retire_action = \""+action+"\"\n"))
			c.apply()
			c.apply("-replace=" + rotator)
			id := c.state(rotator).at("versions", "1", "cka_id")
			c.pass(overlap - time.Second)
			c.noChanges()
			c.pass(time.Second)
			if got := c.changes(); got[rotator] != "update" {
				t.Errorf("the plan is %v, want an update of the rotation", got)
			}
			c.apply()
			c.noChanges()
			r := c.state(rotator)
			r.want(t, "version=2")
			if r.at("trusted_public_keys", "1") != "" {
				t.Error("a retired version is still trusted")
			}
			refusesOrLacks(t, token, id)
			check(t, c, token, id)
		})
	}
}

func refusesOrLacks(t *testing.T, token *softhsm.Token, id string) {
	t.Helper()
	if signature, _ := sign(t, token, id, "ECDSA", digest); signature != nil {
		t.Errorf("the HSM still signs with %s", id)
	}
}

func TestRevocation(t *testing.T) {
	bothOrders(t, func(t *testing.T, token *softhsm.Token, order, replacement string) {
		c := newCLI(t, orders(token, "", schedule+order))
		c.apply()
		c.apply("-replace=" + rotator)
		one, two := c.state(rotator).at("versions", "1", "cka_id"), c.state(rotator).at("versions", "2", "cka_id")

		// An old version: in place, at once.
		c.configure(orders(token, "", schedule+order+`revoke = { "1" = "superseded" }`+"\n"))
		if got := c.changes(); got[rotator] != "update" {
			t.Errorf("revoking an old version plans %v, want an update", got)
		}
		c.apply()
		c.noChanges()
		r := c.state(rotator)
		r.want(t, "version=2", "versions/1/state=deactivated", "versions/1/process_until="+c.now().Format(time.RFC3339))
		if r.at("trusted_public_keys", "1") != "" {
			t.Error("a revoked version is still trusted")
		}
		refusesOrLacks(t, token, one)

		// The current version: its successor takes over without overlap.
		c.configure(orders(token, "", schedule+order+`revoke = { "1" = "superseded", "2" = "key_compromise" }`+"\n"))
		if got := c.changes(); got[rotator] != replacement {
			t.Errorf("revoking the current version plans %v, want %s", got, replacement)
		}
		c.apply()
		c.noChanges()
		r = c.state(rotator)
		r.want(t, "version=3", "versions/2/state=compromised", "versions/3/state=active")
		if r.at("trusted_public_keys", "2") != "" {
			t.Error("a compromised version is still trusted")
		}
		refusesOrLacks(t, token, two)
		mustSign(t, token, r.at("versions", "3", "cka_id"), digest)

		c.configure(orders(token, "", schedule+order+`revoke = { "9" = "key_compromise" }`+"\n"))
		c.failing([]string{"plan"}, "9", "1, 2, 3")
	})
}

func TestRollback(t *testing.T) {
	token := softhsm.New(t, "acceptance")
	c := newCLI(t, orders(token, "", schedule))
	c.apply()
	c.apply("-replace=" + rotator)
	r := c.state(rotator)
	one, two := r.at("versions", "1", "cka_id"), r.at("versions", "2", "cka_id")

	c.configure(orders(token, "", schedule+"pinned_version = 1\n"))
	c.apply()
	c.noChanges()
	c.state(rotator).want(t, "version=1", "versions/1/state=active", "versions/2/state=deactivated")
	mustSign(t, token, one, digest)
	refusesToSign(t, token, two)
	c.pass(time.Hour)
	c.noChanges()

	c.configure(orders(token, "", schedule))
	c.apply()
	c.noChanges()
	c.state(rotator).want(t, "version=2", "versions/2/state=active")
	mustSign(t, token, two, digest)
	refusesToSign(t, token, one)

	c.pass(overlap + time.Hour)
	c.apply() // retires version 1
	c.configure(orders(token, "", schedule+"pinned_version = 1\n"))
	c.failing([]string{"apply", "-auto-approve"}, "version 1", "overlap")
	c.state(rotator).want(t, "version=2")
}

func TestAlgorithmChange(t *testing.T) {
	token := softhsm.New(t, "acceptance")
	before := orders(token, "", schedule)
	c := newCLI(t, strings.Replace(before, "EC_P256", "RSA_2048", 1))
	c.apply()
	c.configure(before)
	out := c.apply()
	expect(t, out, "next version")
	if got := c.changes()[rotator]; got != "delete create" {
		t.Errorf("after the change of algorithm the plan is %q, want a replacement", got)
	}
	c.apply()
	c.noChanges()
	c.state(rotator).want(t, "version=2", "versions/1/algorithm=RSA_2048", "versions/1/state=deactivated", "versions/2/algorithm=EC_P256")
}

func TestAlgorithmChangeInOneApply(t *testing.T) {
	token := softhsm.New(t, "acceptance")
	before := orders(token, "", schedule+"rotate_when_changed = { algorithm = hsm_key.orders.algorithm }\n")
	c := newCLI(t, before)
	c.apply()
	c.configure(strings.Replace(before, "EC_P256", "ED25519", 1))
	c.apply()
	c.noChanges()
	c.state(rotator).want(t, "version=2", "versions/2/algorithm=ED25519")
}

func TestSuspension(t *testing.T) {
	token := softhsm.New(t, "acceptance")
	c := newCLI(t, orders(token, "", schedule))
	c.apply()
	c.apply("-replace=" + rotator)
	two := c.state(rotator).at("versions", "2", "cka_id")
	c.configure(orders(token, "enabled = false", schedule))
	c.apply()
	c.noChanges()
	c.state("hsm_key.orders").want(t, "enabled=false", "versions/1/state=suspended", "versions/2/state=suspended")
	refusesToSign(t, token, two)
	c.pass(2 * period) // a suspended key waits
	c.noChanges()

	c.configure(orders(token, "", schedule))
	c.apply()
	mustSign(t, token, two, digest)
	c.apply() // what time made due meanwhile
	c.noChanges()
	c.state(rotator).want(t, "version=3")
}

func TestCreateDisabled(t *testing.T) {
	token := softhsm.New(t, "acceptance")
	key, _, _ := strings.Cut(orders(token, "enabled = false", schedule), `resource "hsm_key_rotation"`)
	c := newCLI(t, key)
	c.apply()
	c.noChanges()
	k := c.state("hsm_key.orders")
	k.want(t, "versions/1/state=suspended", "versions/1/enforcement=hsm", "current_version=1")
	refusesToSign(t, token, k.at("versions", "1", "cka_id"))
	c.configure(strings.Replace(key, "enabled = false", "", 1))
	c.apply()
	c.noChanges()
	mustSign(t, token, k.at("versions", "1", "cka_id"), digest)
}

// TestRevocationOfASuspendedKey: suspend first, revoke then, as one does in an
// incident. The successor is suspended too.
func TestRevocationOfASuspendedKey(t *testing.T) {
	bothOrders(t, func(t *testing.T, token *softhsm.Token, order, replacement string) {
		c := newCLI(t, orders(token, "", schedule+order))
		c.apply()
		c.configure(orders(token, "enabled = false", schedule+order))
		c.apply()
		c.configure(orders(token, "enabled = false", schedule+order+`revoke = { "1" = "key_compromise" }`+"\n"))
		if got := c.changes(); got[rotator] != replacement {
			t.Errorf("the plan is %v, want %s", got, replacement)
		}
		c.apply()
		c.noChanges()
		r := c.state(rotator)
		r.want(t, "version=2", "versions/1/state=compromised", "versions/2/state=suspended", "versions/2/enforcement=hsm")
		for _, number := range []string{"1", "2"} {
			refusesToSign(t, token, r.at("versions", number, "cka_id"))
		}
		c.configure(orders(token, "", schedule+order+`revoke = { "1" = "key_compromise" }`+"\n"))
		c.apply()
		c.noChanges()
		mustSign(t, token, r.at("versions", "2", "cka_id"), digest)
		refusesToSign(t, token, r.at("versions", "1", "cka_id"))
	})
}

func TestDriftOfFlags(t *testing.T) {
	token := softhsm.New(t, "acceptance")
	c := newCLI(t, orders(token, "", schedule))
	c.apply()
	c.apply("-replace=" + rotator)
	one := c.state(rotator).at("versions", "1", "cka_id")
	refusesToSign(t, token, one)
	turnOn(t, token, one)
	if got := c.changes(); got[rotator] != "update" {
		t.Errorf("a flag that was turned back on plans %v, want an update of the rotation", got)
	}
	c.apply()
	c.noChanges()
	refusesToSign(t, token, one)
}

func TestTwoRotationsOnOneKey(t *testing.T) {
	token := softhsm.New(t, "acceptance")
	c := newCLI(t, orders(token, "", schedule))
	c.apply()
	c.configure(orders(token, "", schedule) + `
resource "hsm_key_rotation" "rival" {
  key_id       = hsm_key.orders.id
  rotate_every = "2160h"
  overlap      = "168h"
}
`)
	c.apply()
	expect(t, c.apply(), "orders/1 is superseded") // what depends on the loser follows the current version too
	c.noChanges()
	c.state(rotator).want(t, "superseded=true", "rotation_due=false")
	c.state("hsm_key_rotation.rival").want(t, "superseded=false", "version=2")
	c.pass(period)
	if got := c.changes(); got[rotator] != "" || got["hsm_key_rotation.rival"] != "delete create" {
		t.Errorf("the plan is %v, want only the rival to rotate", got)
	}
}

func TestImport(t *testing.T) {
	token := softhsm.New(t, "acceptance")
	configuration := orders(token, `tags = { team = "desk" }`, schedule+"activation_delay = \"0s\"\n  rotate_when_changed = { a = \"b\" }\n")
	c := newCLI(t, configuration)
	c.apply()
	c.apply("-replace=" + rotator)
	for _, address := range []string{rotator, "hsm_key.orders"} {
		c.mustRun("state", "rm", address)
	}
	c.failing([]string{"apply", "-auto-approve"}, "exists", "import {", `id = "orders"`)
	c.mustRun("import", "hsm_key.orders", "orders")
	c.mustRun("import", rotator, "orders")
	c.noChanges()
	c.state(rotator).want(t, "version=2", "id=orders/2")
	// An imported rotation rotates like any other.
	c.apply("-replace=" + rotator)
	c.noChanges()
	c.state(rotator).want(t, "version=3")
}

// TestImportOfARemovedKey: every plan carries out an import block, so an import
// switches nothing on; the apply after it does.
func TestImportOfARemovedKey(t *testing.T) {
	token := softhsm.New(t, "acceptance")
	key, _, _ := strings.Cut(orders(token, "", schedule), `resource "hsm_key_rotation"`)
	c := newCLI(t, key)
	c.apply()
	id := c.state("hsm_key.orders").at("versions", "1", "cka_id")
	c.mustRun("destroy", "-auto-approve")
	refusesToSign(t, token, id)

	before := token.Tool(t, "--list-objects")
	c.configure(key + "import {\n  to = hsm_key.orders\n  id = \"orders\"\n}\n")
	if got := c.changes(); got["hsm_key.orders"] != "update" {
		t.Errorf("the plan is %v, want the key imported and enabled", got)
	}
	if after := token.Tool(t, "--list-objects"); after != before {
		t.Errorf("a plan changed the token.\nbefore:\n%s\nafter:\n%s", before, after)
	}
	c.apply()
	c.noChanges()
	mustSign(t, token, id, digest)

	// With a configuration that says what the key is, there is nothing to do.
	c.configure(key)
	c.mustRun("destroy", "-auto-approve")
	c.configure(strings.Replace(key, "deletion_protection", "enabled = false\n  deletion_protection", 1))
	c.mustRun("import", "hsm_key.orders", "orders")
	c.noChanges()
	c.configure(key)
	c.apply()
	c.noChanges()
	mustSign(t, token, id, digest)
}

func TestRetainedKey(t *testing.T) {
	token := softhsm.New(t, "acceptance")
	key, _, _ := strings.Cut(orders(token, `on_destroy = "retain"`, schedule), `resource "hsm_key_rotation"`)
	c := newCLI(t, key)
	c.apply()
	id := c.state("hsm_key.orders").at("versions", "1", "cka_id")
	c.mustRun("destroy", "-auto-approve")
	mustSign(t, token, id, digest)
	c.failing([]string{"apply", "-auto-approve"}, "import {")
	c.mustRun("import", "hsm_key.orders", "orders")
	c.noChanges()
}

func TestDestroy(t *testing.T) {
	token := softhsm.New(t, "acceptance")
	c := newCLI(t, orders(token, `on_destroy = "destroy"`, schedule))
	c.apply()
	c.apply("-replace=" + rotator)
	c.mustRun("destroy", "-auto-approve")
	if objects := token.Tool(t, "--list-objects"); strings.Contains(objects, "Key Object") {
		t.Errorf("keys are left:\n%s", objects)
	}
	c.apply()
	c.noChanges()
	c.state(rotator).want(t, "version=3") // numbers go on
}
