package provider_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/terraform-plugin-go/tfprotov6"

	"github.com/keystead/terraform-provider-hsm/internal/keyring"
	"github.com/keystead/terraform-provider-hsm/internal/lifecycle/lifecycletest"
)

const (
	period  = 2160 * time.Hour
	overlap = 168 * time.Hour
)

// rotated is a key and its rotation on one token.
type rotated struct {
	*core
	m   *lifecycletest.Memory
	key *core
}

func newRotation(t *testing.T, createFirst bool, config values) *rotated {
	t.Helper()
	m := lifecycletest.New(newYear)
	r := &rotated{m: m, key: newKey(t, m)}
	r.key.apply(keyConfig)
	r.core = &core{server: r.key.server, t: t, resource: "hsm_key_rotation", createFirst: createFirst}
	r.apply(config)
	return r
}

// bothOrders runs a test with and without create_before_destroy.
func bothOrders(t *testing.T, test func(t *testing.T, createFirst bool)) {
	t.Run("destroy first", func(t *testing.T) { test(t, false) })
	t.Run("create first", func(t *testing.T) { test(t, true) })
}

// want compares attributes of the state; keys lists the numbers in trusted_public_keys,
// and "1 2" of versions their states.
func (r *rotated) want(attributes values) {
	r.t.Helper()
	for name, want := range attributes {
		got := r.state[name]
		switch name {
		case "trusted":
			trusted, _ := r.state["trusted_public_keys"].(values)
			got = strings.Join(names(trusted), " ")
			if n := strings.Count(fmt.Sprint(r.state["jwks"]), `"kid"`); n != len(trusted) {
				r.t.Errorf("jwks has %d keys, trusted_public_keys %d", n, len(trusted))
			}
		case "states":
			all, _ := r.state["versions"].(values)
			var states []string
			for _, n := range names(all) {
				states = append(states, n+":"+fmt.Sprint(version(r.t, r.state, n)["state"]))
			}
			got = strings.Join(states, " ")
		}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			r.t.Errorf("%s is %v, want %v", name, got, want)
		}
	}
	if pem, n := r.state["public_key_pem"], r.state["version"]; n != nil && pem != version(r.t, r.state, fmt.Sprint(n))["public_key_pem"] {
		r.t.Errorf("public_key_pem is not that of version %v", n)
	}
}

func names(v values) []string {
	var all []string
	for name := range v {
		all = append(all, name)
	}
	slices.Sort(all)
	return all
}

func (r *rotated) pass(d time.Duration) { r.m.Pass(d) }

func TestRotationTakesTheFirstVersion(t *testing.T) {
	r := newRotation(t, false, rotationConfig)
	r.want(values{
		"id": "orders/1", "version": 1, "previous_version": nil, "rotated_at": "2027-01-01T00:00:00Z", "rotate_at": "2027-04-01T00:00:00Z",
		"rotation_due": false, "pending_transitions": []any{}, "superseded": false, "trusted": "1", "states": "1:active",
	})
}

func TestRotationWhenDue(t *testing.T) {
	bothOrders(t, func(t *testing.T, createFirst bool) {
		r := newRotation(t, createFirst, rotationConfig)
		r.pass(period - time.Second)
		r.settled(rotationConfig)
		r.pass(time.Second)
		if p := r.apply(rotationConfig); !slices.Equal(p.replace, []string{"rotate_at", "rotation_due"}) {
			t.Errorf("replaces because of %v", p.replace)
		}
		r.want(values{
			"id": "orders/2", "version": 2, "previous_version": 1, "rotated_at": "2027-04-01T00:00:00Z", "rotate_at": "2027-06-30T00:00:00Z",
			"trusted": "1 2", "states": "1:deactivated 2:active", "superseded": false,
		})
		if got := version(t, r.state, "1")["process_until"]; got != "2027-04-08T00:00:00Z" {
			t.Errorf("version 1 may process until %v", got)
		}
		r.key.settled(keyConfig)

		r.pass(overlap)
		if p := r.apply(rotationConfig); !slices.Equal(p.changed(), []string{"pending_transitions", "versions"}) {
			t.Errorf("retirement changes %v", p.changed())
		}
		r.want(values{"trusted": "2", "version": 2, "previous_version": 1})

		r.pass(10 * period) // missed periods are one rotation
		r.apply(rotationConfig)
		r.want(values{"id": "orders/3", "version": 3, "previous_version": 2, "trusted": "2 3"})
	})
}

func TestRotationWhenChanged(t *testing.T) {
	bothOrders(t, func(t *testing.T, createFirst bool) {
		watch := func(v string) values { return with(rotationConfig, "rotate_when_changed", values{"v": v}) }
		r := newRotation(t, createFirst, watch("a"))
		if p := r.apply(watch("b")); !slices.Equal(p.replace, []string{"rotate_when_changed"}) {
			t.Errorf("replaces because of %v", p.replace)
		}
		r.want(values{"version": 2, "previous_version": 1, "trusted": "1 2"})
	})
}

func TestAlgorithmChangeIsARotation(t *testing.T) {
	bothOrders(t, func(t *testing.T, createFirst bool) {
		config := with(rotationConfig, "rotate_every", nil)
		r := newRotation(t, createFirst, config)
		r.key.apply(with(keyConfig, "algorithm", "AES_256"))
		if p := r.apply(config); !slices.Equal(p.replace, []string{"rotate_at", "rotation_due"}) {
			t.Errorf("replaces because of %v", p.replace)
		}
		r.want(values{"version": 2, "previous_version": 1, "rotate_at": nil, "public_key_jwk": nil, "trusted": "1", "states": "1:deactivated 2:active"})
	})
}

func TestActivationDelay(t *testing.T) {
	bothOrders(t, func(t *testing.T, createFirst bool) {
		config := with(rotationConfig, "activation_delay", "24h")
		r := newRotation(t, createFirst, config)
		r.pass(period)
		r.apply(config)
		r.want(values{
			"id": "orders/2", "version": 1, "previous_version": nil, "trusted": "1 2", "states": "1:active 2:pre_activation",
			"rotated_at": "2027-04-02T00:00:00Z", "rotate_at": "2027-07-01T00:00:00Z", "rotation_due": false,
		})
		r.pass(24 * time.Hour)
		r.refresh()
		r.want(values{"pending_transitions": []any{"activate 2", "demote 1"}})
		if p := r.apply(config); len(p.replace) > 0 {
			t.Errorf("activation replaces because of %v", p.replace)
		}
		r.want(values{"id": "orders/2", "version": 2, "previous_version": 1, "trusted": "1 2", "states": "1:deactivated 2:active", "rotated_at": "2027-04-02T00:00:00Z"})
	})
}

func TestRetireActions(t *testing.T) {
	for action, state := range map[string]string{"disable": "deactivated", "destroy": "destroyed", "retain": "deactivated"} {
		t.Run(action, func(t *testing.T) {
			config := with(rotationConfig, "retire_action", action)
			r := newRotation(t, false, config)
			r.pass(period)
			r.apply(config)
			r.pass(overlap)
			r.apply(config)
			r.want(values{"trusted": "2", "states": "1:" + state + " 2:active"})
			if version(t, r.state, "1")["public_key_pem"] == nil {
				t.Error("the public key of the retired version is gone")
			}
		})
	}
}

func TestRevoke(t *testing.T) {
	t.Run("the current version", func(t *testing.T) {
		bothOrders(t, func(t *testing.T, createFirst bool) {
			r := newRotation(t, createFirst, rotationConfig)
			config := with(rotationConfig, "revoke", values{"1": "key_compromise"})
			if p := r.apply(config); !slices.Equal(p.replace, []string{"revoke"}) {
				t.Errorf("replaces because of %v", p.replace)
			}
			r.want(values{"version": 2, "previous_version": 1, "trusted": "2", "states": "1:compromised 2:active"})
			r.apply(rotationConfig) // which undoes nothing
			r.want(values{"version": 2, "trusted": "2", "states": "1:compromised 2:active"})
		})
	})
	t.Run("an old version", func(t *testing.T) {
		r := newRotation(t, false, rotationConfig)
		r.pass(period)
		r.apply(rotationConfig)
		if p := r.apply(with(rotationConfig, "revoke", values{"1": "superseded"})); len(p.replace) > 0 {
			t.Errorf("replaces because of %v", p.replace)
		}
		r.want(values{"id": "orders/2", "version": 2, "trusted": "2", "states": "1:deactivated 2:active"})
	})
	t.Run("with a way back", func(t *testing.T) {
		r := newRotation(t, false, rotationConfig)
		r.pass(period)
		r.apply(rotationConfig)
		r.apply(with(rotationConfig, "revoke", values{"2": "key_compromise"}, "pinned_version", 1))
		r.want(values{"id": "orders/2", "version": 1, "trusted": "1", "states": "1:active 2:compromised"})
	})
	t.Run("a version that never was, at creation", func(t *testing.T) {
		m := lifecycletest.New(newYear)
		key := newKey(t, m)
		key.apply(keyConfig)
		c := &core{server: key.server, t: t, resource: "hsm_key_rotation"}
		config := with(rotationConfig, "revoke", values{"9": "superseded"})
		_, diagnostics := c.try(nil, c.plan(t, c.resource, nil, config).values, config)
		wantDiagnostic(t, diagnostics, "", "no such version")
	})
}

func TestPin(t *testing.T) {
	r := newRotation(t, false, rotationConfig)
	r.pass(period)
	r.apply(rotationConfig)
	pinned := with(rotationConfig, "pinned_version", 1)
	r.apply(pinned)
	r.want(values{"id": "orders/2", "version": 1, "previous_version": nil, "trusted": "1 2", "states": "1:active 2:deactivated"})
	r.pass(2 * period)
	r.apply(pinned) // version 2's overlap is over; nothing rotates
	r.want(values{"version": 1, "rotation_due": false, "trusted": "1"})
}

// While a version is pinned, asking for a rotation does nothing, and says so.
func TestReplaceWhilePinned(t *testing.T) {
	bothOrders(t, func(t *testing.T, createFirst bool) {
		r := newRotation(t, createFirst, rotationConfig)
		config := with(rotationConfig, "pinned_version", 1)
		r.apply(config)
		p := r.plan(t, r.resource, r.state, config)
		p.replace = []string{"-replace"}
		r.carryOut(p, config)
		r.settled(config)
		r.want(values{"version": 1, "states": "1:active", "superseded": false})
		wantDiagnostic(t, r.diagnostics, "pinned_version", "WARNING", "Nothing was rotated", "stays with version 1")
	})
}

func TestUnpin(t *testing.T) {
	r := newRotation(t, false, rotationConfig)
	r.pass(period)
	r.apply(rotationConfig)
	r.apply(with(rotationConfig, "pinned_version", 1))
	r.apply(rotationConfig)
	r.want(values{"id": "orders/2", "version": 2, "previous_version": 1, "trusted": "1 2", "states": "1:deactivated 2:active"})
}

func TestReschedule(t *testing.T) {
	r := newRotation(t, false, rotationConfig)
	r.apply(with(rotationConfig, "rotate_every", "129600m"))
	r.apply(with(rotationConfig, "rotate_every", "720h"))
	r.want(values{"rotate_at": "2027-01-31T00:00:00Z", "version": 1})
	r.apply(with(rotationConfig, "rotate_every", nil))
	r.want(values{"rotate_at": nil})
	r.apply(with(rotationConfig, "overlap", nil, "retire_action", "retain", "activation_delay", "1h"))
}

// A plan made before the deadline and applied after it does what it says and no more.
func TestSavedPlanAppliedLate(t *testing.T) {
	r := newRotation(t, false, rotationConfig)
	config := with(rotationConfig, "overlap", "24h")
	p := r.plan(t, r.resource, r.state, config)
	r.pass(2 * period)
	r.carryOut(p, config)
	r.want(values{"version": 1})
	r.apply(config)
	r.want(values{"version": 2})
}

func TestRotationImport(t *testing.T) {
	for name, config := range map[string]values{
		"by time": rotationConfig,
		"least":   {"key_id": "orders"},
		"everything": {
			"key_id": "orders", "rotate_every": "129600m", "overlap": "10080m", "activation_delay": "0s", "retire_action": "destroy",
			"rotate_when_changed": values{"a": "b"}, "revoke": values{"1": "superseded"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRotation(t, false, config)
			before := r.state
			for _, id := range []string{"orders", "orders/1", "orders/9"} {
				r.importID(id, config)
				same(t, "import", before, r.state)
			}
		})
	}
	t.Run("no id of an instance", func(t *testing.T) {
		r := newRotation(t, false, rotationConfig)
		resp, err := r.ImportResourceState(t.Context(), &tfprotov6.ImportResourceStateRequest{TypeName: r.resource, ID: "orders/latest"})
		if err != nil {
			t.Fatal(err)
		}
		wantDiagnostic(t, resp.Diagnostics, "", "ERROR", "orders/latest")
	})
	t.Run("a key that nobody rotated", func(t *testing.T) {
		m := lifecycletest.New(newYear)
		key := newKey(t, m)
		key.apply(keyConfig)
		c := &core{server: key.server, t: t, resource: "hsm_key_rotation"}
		c.importID("orders", values{"key_id": "orders"})
		p := c.apply(with(rotationConfig, "rotate_when_changed", values{"a": "b"}))
		if len(p.replace) > 0 {
			t.Errorf("the plan after the import replaces because of %v", p.replace)
		}
	})
}

func TestSuperseded(t *testing.T) {
	r := newRotation(t, false, rotationConfig)
	other := &core{server: r.server, t: t, resource: r.resource}
	other.apply(rotationConfig) // a second block for the same key
	r.pass(2 * period)
	r.settled(rotationConfig)
	r.want(values{"superseded": true, "rotation_due": false, "rotate_at": nil, "id": "orders/1"})
	var warned bool
	for _, d := range r.diagnostics {
		warned = warned || d.Severity == tfprotov6.DiagnosticSeverityWarning && strings.Contains(d.Detail, "rotated by orders/2") && strings.Contains(d.Detail, "orders/1 is superseded")
	}
	if !warned {
		t.Errorf("nothing warns: %s", showAll(r.diagnostics))
	}
	other.apply(rotationConfig)
	if other.state["version"] != 3 {
		t.Errorf("the instance in charge has version %v", other.state["version"])
	}
	p := r.plan(t, r.resource, r.state, with(rotationConfig, "revoke", values{"3": "key_compromise"}))
	wantDiagnostic(t, p.diagnostics, "revoke", "ERROR", "orders/3, is in charge", "orders/1, is superseded", "terraform import ADDRESS orders")

	r.importID("orders", rotationConfig) // the way out: the other one is removed, and this one takes charge
	r.want(values{"superseded": false, "id": "orders/3", "version": 3})
}

// A run that is killed before Terraform stores its state makes one more version, or
// leaves an instance that says how to take charge.
func TestRotationThatTerraformNeverHeardOf(t *testing.T) {
	t.Run("destroy first", func(t *testing.T) {
		r := newRotation(t, false, rotationConfig)
		r.change(r.state, nil, nil)
		r.state = nil
		r.change(nil, r.plan(t, r.resource, nil, rotationConfig).values, rotationConfig) // and its answer is lost
		r.apply(rotationConfig)
		r.want(values{"id": "orders/3", "version": 3, "trusted": "1 2 3", "superseded": false})
	})
	t.Run("create first", func(t *testing.T) {
		r := newRotation(t, true, rotationConfig)
		r.change(nil, r.plan(t, r.resource, nil, rotationConfig).values, rotationConfig) // and its answer is lost
		r.settled(rotationConfig)
		r.want(values{"id": "orders/1", "version": 2, "superseded": true})
		wantDiagnostic(t, r.diagnostics, "", "WARNING", "orders/1 is superseded", "terraform import ADDRESS orders")
	})
}

// Letting go of a key destroys nothing, and is fine when the key is gone.
func TestRelease(t *testing.T) {
	r := newRotation(t, false, rotationConfig)
	r.apply(nil)
	for _, o := range r.m.Objects {
		if o.Allowed != keyring.Sign|keyring.Verify {
			t.Errorf("the object may %s", o.Allowed)
		}
	}
	r.key.settled(keyConfig)
}

func TestDriftOfAnOldVersion(t *testing.T) {
	r := newRotation(t, false, rotationConfig)
	r.pass(period)
	r.apply(rotationConfig)
	for _, o := range r.m.Objects {
		o.Allowed |= keyring.Sign
	}
	r.refresh()
	r.want(values{"pending_transitions": []any{"enforce 1"}})
	r.apply(rotationConfig)
	r.want(values{"pending_transitions": []any{}, "states": "1:deactivated 2:active"})
}

func TestRotationOfADisabledKey(t *testing.T) {
	r := newRotation(t, false, rotationConfig)
	disabled := with(keyConfig, "enabled", false)
	r.key.apply(disabled)
	r.pass(2 * period)
	r.settled(rotationConfig)
	r.want(values{"trusted": "", "states": "1:suspended", "rotation_due": false})
	r.key.apply(keyConfig)
	r.apply(rotationConfig)
	r.want(values{"version": 2})
}
