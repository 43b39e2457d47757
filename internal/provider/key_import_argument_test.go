package provider_test

import (
	"encoding/base64"
	"fmt"
	"strings"
	"testing"

	"github.com/hashicorp/terraform-plugin-go/tfprotov6"

	"github.com/keystead/terraform-provider-hsm/internal/keyring"
	"github.com/keystead/terraform-provider-hsm/internal/lifecycle/lifecycletest"
)

var wrappedOrders = base64.StdEncoding.EncodeToString(lifecycletest.WrappedMaterial(keyring.ECP256))

// importConfig is the argument import of the key "orders".
var importConfig = values{
	"wrapped_material_wo": wrappedOrders, "wrapped_material_wo_version": 1, "wrapping_key_id": "transport", "mechanism": "AES_KEY_WRAP_PAD",
}

// stored is an import without its material, as it is in a state.
func stored(v values) values { return with(v, "wrapped_material_wo", nil) }

func withTransportKey(t *testing.T) *lifecycletest.Memory {
	t.Helper()
	m := lifecycletest.New(newYear)
	newKey(t, m).apply(values{"name": "transport", "algorithm": "AES_256", "operations": []any{"unwrap"}})
	return m
}

func TestImportedKeyLife(t *testing.T) {
	m := withTransportKey(t)
	c := newKey(t, m)
	config := with(keyConfig, "import", importConfig)
	c.apply(config)
	if v := version(t, c.state, "1"); v["local"] != false || v["never_extractable"] != false || v["state"] != "active" || v["attested"] != true {
		t.Errorf("version 1 is %v", v)
	}
	if strings.Contains(fmt.Sprint(c.state), wrappedOrders) {
		t.Error("the material is in the state")
	}
	newKey(t, m).importID("orders", config)

	// The material is needed once.
	c.apply(with(keyConfig, "import", stored(importConfig)))
	// Where it came from can be written differently.
	c.apply(with(keyConfig, "import", with(importConfig, "mechanism", "RSA_AES_KEY_WRAP")))
	if c.state["current_version"] != 1 {
		t.Errorf("the current version is %v", c.state["current_version"])
	}
	// Other material is the next version.
	renewed := with(keyConfig, "import", with(importConfig, "wrapped_material_wo_version", 2), "tags", values{"team": "a"})
	first := c.state["public_key_pem"]
	c.apply(renewed)
	if c.state["current_version"] != 2 || c.state["public_key_pem"] == first || version(t, c.state, "1")["state"] != "deactivated" || version(t, c.state, "2")["local"] != false {
		t.Errorf("after the second import the key is %v", c.state)
	}
	c.apply(with(renewed, "import", nil))
	newKey(t, m).importID("orders", with(renewed, "import", nil))
	c.apply(with(renewed, "import", with(importConfig, "wrapped_material_wo_version", 3)))
	if c.state["current_version"] != 3 {
		t.Errorf("the current version is %v", c.state["current_version"])
	}
}

// A key that was removed comes back, and takes in new material in the same apply.
func TestImportedKeyIsRestored(t *testing.T) {
	m := withTransportKey(t)
	c := newKey(t, m)
	config := with(keyConfig, "import", importConfig, "deletion_protection", false)
	c.apply(config)
	c.apply(nil)
	c = newKey(t, m)
	resp, err := c.ImportResourceState(t.Context(), &tfprotov6.ImportResourceStateRequest{TypeName: "hsm_key", ID: "orders"})
	if err != nil {
		t.Fatal(err)
	}
	noErrors(t, resp.Diagnostics)
	renewed := with(config, "import", with(importConfig, "wrapped_material_wo_version", 2))
	typ := c.resourceType("hsm_key")
	prior := decode(t, typ, resp.ImportedResources[0].State)
	planned := c.plan(t, "hsm_key", prior, renewed)
	noErrors(t, planned.diagnostics)
	applied, err := c.ApplyResourceChange(t.Context(), &tfprotov6.ApplyResourceChangeRequest{
		TypeName: "hsm_key", PriorState: encode(t, typ, prior), PlannedState: encode(t, typ, planned.values), Config: encode(t, typ, renewed), PlannedPrivate: resp.ImportedResources[0].Private,
	})
	if err != nil {
		t.Fatal(err)
	}
	noErrors(t, applied.Diagnostics)
	if state := decode(t, typ, applied.NewState); state["current_version"] != 2 || state["enabled"] != true {
		t.Errorf("the key is %v", state)
	}
}

// What cannot be taken in is an error without a state, and leaves no key.
func TestImportRefuses(t *testing.T) {
	m := withTransportKey(t)
	c := newKey(t, m)
	config := with(keyConfig, "import", with(importConfig, "wrapped_material_wo", "AAAA"))
	planned := c.plan(t, "hsm_key", nil, config)
	noErrors(t, planned.diagnostics)
	state, diagnostics := c.try(nil, planned.values, config)
	wantDiagnostic(t, diagnostics, "", "does not open")
	if state != nil || len(m.Objects) != 1 {
		t.Errorf("the state is %v, and there are %d keys", state, len(m.Objects))
	}
	if text := showAll(diagnostics); strings.Contains(text, "AAAA") {
		t.Errorf("the material is in what the user reads:\n%s", text)
	}
}

// What is known at plan to fail is refused there, also where it is to replace a key or to be
// the next version: that one is still there then.
func TestImportRefusedAtPlan(t *testing.T) {
	m := withTransportKey(t)
	c := newKey(t, m)
	open := with(keyConfig, "deletion_protection", false, "on_destroy", "destroy")
	c.apply(with(open, "import", importConfig))
	for name, test := range map[string]struct {
		change    []any
		attribute string
		says      []string
	}{
		"without material":    {[]any{"wrapped_material_wo", nil}, "wrapped_material_wo", []string{"There is no material", "wrapped_material_wo"}},
		"no such key":         {[]any{"wrapping_key_id", "nobody"}, "wrapping_key_id", []string{`no key "nobody"`, "unwrap"}},
		"a key that does not": {[]any{"mechanism", "RSA_AES_KEY_WRAP"}, "", []string{"no version that may unwrap"}},
	} {
		t.Run(name, func(t *testing.T) {
			changed := with(importConfig, test.change...)
			for what, plan := range map[string]plan{
				"create":  newKey(t, m).plan(t, "hsm_key", nil, with(open, "name", "sales", "import", changed)),
				"replace": newKey(t, m).plan(t, "hsm_key", c.state, with(open, "name", "sales", "import", changed)),
				"renew":   newKey(t, m).plan(t, "hsm_key", c.state, with(open, "import", with(changed, "wrapped_material_wo_version", 2))),
			} {
				t.Log(what)
				wantDiagnostic(t, plan.diagnostics, test.attribute, append(test.says, "ERROR")...)
			}
		})
	}
	c.settled(with(open, "import", stored(importConfig)))
	noErrors(t, newKey(t, m).plan(t, "hsm_key", c.state, with(open, "name", "sales", "import", with(importConfig, "wrapped_material_wo", unknown))).diagnostics)
}

// A wrapping key that the same run makes will do, if it may unwrap; one that the same run
// switches off will not.
func TestImportByPlannedKey(t *testing.T) {
	m := lifecycletest.New(newYear)
	c := newKey(t, m)
	transport := values{"name": "transport", "algorithm": "AES_256", "operations": []any{"unwrap"}}
	config := with(keyConfig, "import", importConfig)
	noErrors(t, c.plan(t, "hsm_key", nil, transport).diagnostics)
	noErrors(t, c.plan(t, "hsm_key", nil, config).diagnostics)
	c = newKey(t, m)
	noErrors(t, c.plan(t, "hsm_key", nil, with(transport, "operations", []any{"encrypt"})).diagnostics)
	wantDiagnostic(t, c.plan(t, "hsm_key", nil, config).diagnostics, "wrapping_key_id", "no version that may unwrap", "ERROR")

	c.apply(transport)
	wrapping := newKey(t, m)
	noErrors(t, wrapping.plan(t, "hsm_key", c.state, with(transport, "enabled", false)).diagnostics)
	wantDiagnostic(t, wrapping.plan(t, "hsm_key", nil, config).diagnostics, "wrapping_key_id", "no version that may unwrap", "ERROR")
}
