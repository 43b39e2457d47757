package provider_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/hashicorp/terraform-plugin-go/tfprotov6"

	"github.com/keystead/terraform-provider-hsm/internal/fault"
	"github.com/keystead/terraform-provider-hsm/internal/keyring"
	"github.com/keystead/terraform-provider-hsm/internal/lifecycle/lifecycletest"
)

func newKey(t *testing.T, m *lifecycletest.Memory) *core {
	t.Helper()
	return &core{server: serveMemory(t, m), t: t, resource: "hsm_key"}
}

func TestKeyLife(t *testing.T) {
	c := newKey(t, lifecycletest.New(newYear))
	c.apply(keyConfig)
	for name, want := range (values{
		"id": "orders", "current_version": 1, "created_at": "2027-01-01T00:00:00Z", "enabled": true, "deletion_protection": true,
	}) {
		if c.state[name] != want {
			t.Errorf("%s is %v, want %v", name, c.state[name], want)
		}
	}
	v := version(t, c.state, "1")
	if v["state"] != "active" || v["enforcement"] != "hsm" || v["attested"] != true || v["activated_at"] != "2027-01-01T00:00:00Z" || v["deactivated_at"] != nil {
		t.Errorf("version 1 is %v", v)
	}
	if c.state["pkcs11_uri"] != v["pkcs11_uri"] || !strings.HasPrefix(fmt.Sprint(v["pkcs11_uri"]), "pkcs11:token=memory;serial=0815;type=private;id=%") {
		t.Errorf("pkcs11_uri is %v", v["pkcs11_uri"])
	}
	for _, config := range []values{
		with(keyConfig, "tags", values{"team": "a"}),
		with(keyConfig, "tags", values{}),
		with(keyConfig, "allowed_mechanisms", []any{"CKM_ECDSA"}),
		with(keyConfig, "extractable", true),
		with(keyConfig, "operations", []any{"verify"}),
		with(keyConfig, "enabled", false),
		with(keyConfig, "algorithm", "AES_256"),
		with(keyConfig, "on_destroy", "destroy"),
		with(keyConfig, "deletion_protection", false),
	} {
		c.apply(config)
	}
	c.apply(nil)
}

func version(t *testing.T, state values, number string) values {
	t.Helper()
	all, _ := state["versions"].(values)
	v, ok := all[number].(values)
	if !ok {
		t.Fatalf("there is no version %s in %v", number, all)
	}
	return v
}

func TestSecretKey(t *testing.T) {
	c := newKey(t, lifecycletest.New(newYear))
	c.apply(values{"name": "archive", "algorithm": "AES_256"})
	if c.state["public_key_pem"] != nil || c.state["public_key_jwk"] != nil || version(t, c.state, "1")["public_key_pem"] != nil {
		t.Error("a secret key has a public key")
	}
	if uri := fmt.Sprint(c.state["pkcs11_uri"]); !strings.Contains(uri, "type=secret-key") {
		t.Errorf("pkcs11_uri is %s", uri)
	}
}

func TestSuspendedKey(t *testing.T) {
	m := lifecycletest.New(newYear)
	c := newKey(t, m)
	c.apply(keyConfig)
	c.apply(with(keyConfig, "enabled", false))
	if v := version(t, c.state, "1"); v["state"] != "suspended" || v["enforcement"] != "hsm" || c.state["current_version"] != 1 {
		t.Errorf("version 1 of a disabled key is %v, current is %v", v, c.state["current_version"])
	}
	c.apply(keyConfig)
	if v := version(t, c.state, "1"); v["state"] != "active" {
		t.Errorf("version 1 of an enabled key is %v", v)
	}
}

// Somebody turned a flag back on: the next plan puts it right.
func TestDriftIsPutRight(t *testing.T) {
	m := lifecycletest.New(newYear)
	c := newKey(t, m)
	config := with(keyConfig, "enabled", false)
	c.apply(keyConfig)
	c.apply(config)
	for _, o := range m.Objects {
		o.Allowed = keyring.Sign
	}
	c.refresh()
	if v := version(t, c.state, "1"); v["enforcement"] != "drifted" {
		t.Fatalf("version 1 is %v", v)
	}
	if p := c.apply(config); len(p.changed()) != 1 {
		t.Errorf("the plan changed %v", p.changed())
	}
	for _, o := range m.Objects {
		if o.Allowed != keyring.None {
			t.Errorf("the object may still %s", o.Allowed)
		}
	}
}

func TestKeyImport(t *testing.T) {
	m := lifecycletest.New(newYear)
	config := with(keyConfig, "tags", values{"team": "a"}, "allowed_mechanisms", []any{"CKM_ECDSA"}, "on_destroy", "retain", "deletion_protection", false)
	newKey(t, m).apply(config)
	newKey(t, m).importID("orders", config)

	m.MakeElsewhere(t, "6f6c64", "legacy")
	adopted := newKey(t, m)
	adopted.importID("pkcs11:object=legacy;id=%6F%6C%64;token=memory;serial=0815", values{"name": "legacy", "algorithm": "EC_P256"})
	if v := version(t, adopted.state, "1"); v["cka_id"] != "6f6c64" || v["local"] != false {
		t.Errorf("version 1 is %v", v)
	}
	newKey(t, m).importID("PKCS11:id=%6F%6C%64", values{"name": "legacy", "algorithm": "EC_P256"})

	m.MakeElsewhere(t, "6f6c646572", "Label with spaces")
	newKey(t, m).importID("pkcs11:id=%6F%6C%64%65%72?x-name=older", values{"name": "older", "algorithm": "EC_P256"})
}

func TestKeyImportRefuses(t *testing.T) {
	m := lifecycletest.New(newYear)
	newKey(t, m).apply(keyConfig)
	for id, says := range map[string][]string{
		"nothing":                         {"not found", "no key of this name"},
		"my orders":                       {"1 to 63 letters"},
		"pkcs11:token=other;object=a":     {`token "other"`, `"memory"`},
		"pkcs11:serial=1;object=a":        {"serial 1", "0815"},
		"pkcs11:token=memory":             {"names no object"},
		"pkcs11:object=a;type=cert":       {`type "cert"`, "type=private"},
		"pkcs11:object=a b":               {"percent-encoded"},
		"pkcs11:object=a?pin-value=%31 2": {"percent-encoded"},
		"pkcs11:object=unheard-of":        {"no such object"},
	} {
		t.Run(id, func(t *testing.T) {
			s := serveMemory(t, m)
			resp, err := s.ImportResourceState(t.Context(), &tfprotov6.ImportResourceStateRequest{TypeName: "hsm_key", ID: id})
			if err != nil {
				t.Fatal(err)
			}
			wantDiagnostic(t, resp.Diagnostics, "", says...)
		})
	}
}

// What the token cannot do is an error at plan, at the argument that asks for it.
func TestPlanAsksTheToken(t *testing.T) {
	for name, test := range map[string]struct {
		config    values
		attribute string
		says      []string
	}{
		"algorithm": {with(keyConfig, "algorithm", "ED448"), "algorithm", []string{"cannot make ED448", "AES_256, HMAC_SHA256, EC_P256"}},
		"operation": {with(keyConfig, "operations", []any{"sign", "derive"}), "operations", []string{"cannot derive", "sign, verify"}},
		"mechanism": {with(keyConfig, "allowed_mechanisms", []any{"CKM_FOO"}), "allowed_mechanisms", []string{"CKM_FOO", "CKM_ECDSA"}},
	} {
		t.Run(name, func(t *testing.T) {
			wantDiagnostic(t, serveMemory(t, lifecycletest.New(newYear)).plan(t, "hsm_key", nil, test.config).diagnostics, test.attribute, test.says...)
		})
	}
}

func TestWrongEnvironmentAtPlan(t *testing.T) {
	m := lifecycletest.New(newYear)
	m.Stamp = "prod"
	s := serveMemory(t, m)
	wantDiagnostic(t, s.plan(t, "hsm_key", nil, keyConfig).diagnostics, "", "wrong environment", `"prod"`, `"test"`)
	wantDiagnostic(t, s.plan(t, "hsm_key_rotation", nil, rotationConfig).diagnostics, "", "wrong environment", `"prod"`, `"test"`)
}

// Whatever fails, state keeps its keys, and no error comes with a new state.
func TestTroubleKeepsState(t *testing.T) {
	for kind := fault.Internal; kind <= fault.Exhausted; kind++ {
		if kind == fault.NotFound {
			continue
		}
		t.Run(kind.String(), func(t *testing.T) {
			m := lifecycletest.New(newYear)
			key := newKey(t, m)
			key.apply(keyConfig)
			rotation := &core{server: key.server, t: t, resource: "hsm_key_rotation"}
			rotation.apply(rotationConfig)
			for _, c := range []*core{key, rotation} {
				config := with(keyConfig, "tags", values{"a": "b"})
				fresh := with(keyConfig, "name", "invoices")
				if c == rotation {
					config, fresh = with(rotationConfig, "overlap", "1h"), rotationConfig
				}
				before := c.state
				planned, created := c.plan(t, c.resource, c.state, config).values, c.plan(t, c.resource, nil, fresh).values

				m.Trouble = &fault.Error{Kind: kind, Op: "do it", Problem: "It does not work.", Code: "C_DoIt: CKR_NO"}
				state, diagnostics := c.read(c.state)
				wantDiagnostic(t, diagnostics, "", "ERROR", "It does not work.", "[C_DoIt: CKR_NO]")
				same(t, "read", before, state)
				state, diagnostics = c.try(c.state, planned, config)
				wantDiagnostic(t, diagnostics, "", "ERROR", "It does not work.")
				same(t, "update", before, state)
				state, diagnostics = c.try(c.state, nil, nil)
				wantDiagnostic(t, diagnostics, "", "ERROR", "It does not work.")
				same(t, "delete", before, state)
				state, diagnostics = c.try(nil, created, fresh)
				wantDiagnostic(t, diagnostics, "", "ERROR", "It does not work.")
				if state != nil {
					t.Errorf("a failed creation left the state %v", state)
				}
				m.Trouble = nil
			}
		})
	}
}

func same(t *testing.T, what string, want, got values) {
	t.Helper()
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%s changed the state from %v to %v", what, want, got)
	}
}

// A key that is gone conclusively leaves the state, with the reason.
func TestGone(t *testing.T) {
	m := lifecycletest.New(newYear)
	key := newKey(t, m)
	config := with(keyConfig, "deletion_protection", false)
	key.apply(config)
	stored := key.state
	key.apply(nil)
	state, diagnostics := key.read(stored)
	noErrors(t, diagnostics)
	if state != nil {
		t.Errorf("the state is %v", state)
	}
	wantDiagnostic(t, diagnostics, "", "WARNING", "removed on 2027-01-01", `on_destroy = "disable"`)
}

// With a thousand keys, the same warning a thousand times would bury every other.
func TestWarningsComeOnce(t *testing.T) {
	m := lifecycletest.New(newYear)
	m.Lies, m.Warnings = true, []string{"The PIN was entered wrongly before."}
	c := newKey(t, m)
	c.apply(keyConfig)
	c.state = nil
	c.apply(with(keyConfig, "name", "invoices"))
	count := map[string]int{}
	for _, d := range c.diagnostics {
		count[d.Summary]++
	}
	if count["The token needs attention"] > 1 || count["Keys of this token are not attested"] != 1 {
		t.Errorf("warnings: %v", count)
	}
}
