package provider_test

import (
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
)

// keyState is the state of a key "orders" with one version.
func keyState() values {
	return values{
		"name": "orders", "algorithm": "EC_P256", "operations": []any{"sign", "verify"}, "extractable": false, "enabled": true,
		"deletion_protection": true, "on_destroy": "disable",
		"id": "orders", "pkcs11_uri": "pkcs11:token=t;serial=1;type=private;id=%01", "created_at": "2027-01-01T00:00:00Z",
		"current_version": 1, "public_key_pem": "PEM 1", "public_key_jwk": "{}",
		"versions": values{"1": versionState("active")},
	}
}

func versionState(state string) values {
	return values{
		"state": state, "algorithm": "EC_P256", "cka_id": "01", "pkcs11_uri": "pkcs11:token=t;serial=1;type=private;id=%01",
		"public_key_pem": "PEM 1", "fingerprint_sha256": "00", "created_at": "2027-01-01T00:00:00Z", "activated_at": "2027-01-01T00:00:00Z",
		"enforcement": "hsm", "local": true, "never_extractable": true, "always_sensitive": true, "attested": true,
	}
}

// with returns a copy with some attributes set.
func with(v values, pairs ...any) values {
	c := maps.Clone(v)
	for pair := range slices.Chunk(pairs, 2) {
		c[fmt.Sprint(pair[0])] = pair[1]
	}
	return c
}

var keyConfig = values{"name": "orders", "algorithm": "EC_P256"}

func TestKeyValidation(t *testing.T) {
	for name, test := range map[string]struct {
		config    values
		attribute string
		says      []string
	}{
		"name with a space":    {with(keyConfig, "name", "my orders"), "name", []string{"1 to 63 letters"}},
		"empty name":           {with(keyConfig, "name", ""), "name", []string{"1 to 63 letters"}},
		"unknown algorithm":    {with(keyConfig, "algorithm", "DES"), "algorithm", []string{"EC_P256", "ED448"}},
		"unknown operation":    {with(keyConfig, "operations", []any{"decode"}), "operations", []string{`"decode"`, "unwrap"}},
		"no operation":         {with(keyConfig, "operations", []any{}), "operations", []string{"Cannot declare key\n", "sign, verify, derive"}},
		"impossible operation": {with(keyConfig, "operations", []any{"sign", "encrypt"}), "operations", []string{"Cannot declare key\nAn EC_P256 key cannot encrypt", "sign, verify, derive"}},
		"tag of null":          {with(keyConfig, "tags", values{"a": nil, "b": "c"}), "tags", []string{`tags["a"] is null`}},
		"operation of null":    {with(keyConfig, "operations", []any{nil}), "operations", []string{"An element of operations is null"}},
		"null beside":          {with(keyConfig, "operations", []any{"sign"}, "tags", values{"a": nil}), "tags", []string{`tags["a"] is null`}},
		"mechanism of null":    {with(keyConfig, "allowed_mechanisms", []any{"CKM_ECDSA", nil}), "allowed_mechanisms", []string{"An element of allowed_mechanisms is null"}},
		"malformed mechanism":  {with(keyConfig, "allowed_mechanisms", []any{"ECDSA"}), "allowed_mechanisms", []string{`"ECDSA"`, "CKM_ECDSA"}},
		"no mechanism":         {with(keyConfig, "allowed_mechanisms", []any{}), "allowed_mechanisms", []string{"is empty", "leave it out"}},
		"unknown on_destroy":   {with(keyConfig, "on_destroy", "delete"), "on_destroy", []string{"retain"}},
		"import by nothing":    {with(keyConfig, "import", with(importConfig, "mechanism", "PGP")), "import", []string{"RSA_OAEP"}},
		"import of no base64":  {with(keyConfig, "import", with(importConfig, "wrapped_material_wo", "secret!")), "import", []string{"not base64"}},
		"import that is too long": {
			with(keyConfig, "import", with(importConfig, "mechanism", "RSA_OAEP")), "import", []string{"Cannot declare import\n", "too long for RSA_OAEP"},
		},
		"import to Edwards":     {with(keyConfig, "algorithm", "ED25519", "import", importConfig), "import", []string{"public half"}},
		"import of extractable": {with(keyConfig, "extractable", true, "import", importConfig), "import", []string{"cannot be extractable"}},
		"import by itself":      {with(keyConfig, "import", with(importConfig, "wrapping_key_id", "orders")), "import", []string{"its own material"}},
		"computed attribute":    {with(keyConfig, "current_version", 1), "current_version", nil},
	} {
		t.Run(name, func(t *testing.T) {
			diagnostics := newServer(t).validate(t, "hsm_key", test.config)
			wantDiagnostic(t, diagnostics, test.attribute, test.says...)
			if len(diagnostics) > 1 {
				t.Errorf("it is said more than once: %s", showAll(diagnostics))
			}
		})
	}
	for name, fine := range map[string]values{
		"least":  keyConfig,
		"import": with(keyConfig, "import", importConfig),
		"import, unknown": with(keyConfig, "import", values{
			"wrapped_material_wo": unknown, "wrapped_material_wo_version": unknown, "wrapping_key_id": unknown, "mechanism": unknown,
		}),
		"unknown": {"name": unknown, "algorithm": unknown, "operations": []any{unknown}, "tags": values{"a": unknown}, "enabled": unknown},
		"most": {
			"name": "orders", "algorithm": "AES_256", "operations": []any{"encrypt", "sign"}, "allowed_mechanisms": []any{"CKM_AES_GCM"},
			"extractable": true, "tags": values{"team": "a"}, "enabled": false, "deletion_protection": false, "on_destroy": "retain",
		},
	} {
		t.Run(name, func(t *testing.T) { noErrors(t, newServer(t).validate(t, "hsm_key", fine)) })
	}
}

func (s *server) validate(t *testing.T, resource string, config values) []*tfprotov6.Diagnostic {
	t.Helper()
	resp, err := s.ValidateResourceConfig(t.Context(), &tfprotov6.ValidateResourceConfigRequest{
		TypeName: resource, Config: encode(t, s.resourceType(resource), config),
		ClientCapabilities: &tfprotov6.ValidateResourceConfigClientCapabilities{WriteOnlyAttributesAllowed: true},
	})
	if err != nil {
		t.Fatal(err)
	}
	return resp.Diagnostics
}

func TestKeyPlan(t *testing.T) {
	drifted := keyState()
	drifted["versions"] = values{"1": with(versionState("active"), "enforcement", "drifted")}
	for name, test := range map[string]struct {
		prior, config values
		changed       []string
		replace       []string
		warns         string
	}{
		"nothing":             {config: keyConfig},
		"tags":                {config: with(keyConfig, "tags", values{"a": "b"}), changed: []string{"tags"}},
		"deletion protection": {config: with(keyConfig, "deletion_protection", false), changed: []string{"deletion_protection"}},
		"on_destroy":          {config: with(keyConfig, "on_destroy", "destroy"), changed: []string{"on_destroy"}},
		"disable":             {config: with(keyConfig, "enabled", false), changed: []string{"enabled", "versions"}},
		"fewer operations":    {config: with(keyConfig, "operations", []any{"sign"}), changed: []string{"operations", "versions"}},
		"the same operations": {config: with(keyConfig, "operations", []any{"verify", "sign"})},
		"extractable":         {config: with(keyConfig, "extractable", true), changed: []string{"extractable"}, warns: "extractable"},
		"mechanisms":          {config: with(keyConfig, "allowed_mechanisms", []any{"CKM_ECDSA"}), changed: []string{"allowed_mechanisms"}, warns: "allowed_mechanisms"},
		"algorithm with the same default": {
			config: with(keyConfig, "algorithm", "ED25519"), changed: []string{"algorithm"}, warns: "rotate_when_changed",
		},
		"algorithm with another default": {
			config: with(keyConfig, "algorithm", "AES_256"), changed: []string{"algorithm", "operations", "versions"}, warns: "next version",
		},
		"import of a next version": {
			config:  with(keyConfig, "import", importConfig),
			changed: []string{"current_version", "import", "pkcs11_uri", "public_key_jwk", "public_key_pem", "versions"},
		},
		"import with another wrapping key": {
			prior: with(keyState(), "import", stored(importConfig)), config: with(keyConfig, "import", with(importConfig, "wrapping_key_id", "other")), changed: []string{"import"},
		},
		"import is not said any more": {prior: with(keyState(), "import", stored(importConfig)), config: keyConfig, changed: []string{"import"}},
		"import, the same":            {prior: with(keyState(), "import", stored(importConfig)), config: with(keyConfig, "import", importConfig)},
		"drift is put right":          {prior: drifted, config: keyConfig, changed: []string{"versions"}},
		"another name": {
			prior: with(keyState(), "deletion_protection", false), config: with(keyConfig, "name", "invoices", "deletion_protection", false),
			changed: []string{"created_at", "current_version", "id", "name", "pkcs11_uri", "public_key_jwk", "public_key_pem", "versions"},
			replace: []string{"name"},
		},
		"operations back to the default": {
			prior: with(keyState(), "operations", []any{"sign"}), config: keyConfig, changed: []string{"operations", "versions"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			prior := test.prior
			if prior == nil {
				prior = keyState()
			}
			p := newServer(t).plan(t, "hsm_key", prior, test.config)
			noErrors(t, p.diagnostics)
			if !slices.Equal(p.changed(), test.changed) {
				t.Errorf("changed %v, want %v", p.changed(), test.changed)
			}
			if !slices.Equal(p.replace, test.replace) {
				t.Errorf("replaces because of %v, want %v", p.replace, test.replace)
			}
			if test.warns != "" {
				wantDiagnostic(t, p.diagnostics, "", "WARNING", test.warns)
			} else if len(p.diagnostics) > 0 {
				t.Errorf("unexpected: %s", showAll(p.diagnostics))
			}
		})
	}
}

func TestKeyPlanCreation(t *testing.T) {
	p := newServer(t).plan(t, "hsm_key", nil, keyConfig)
	noErrors(t, p.diagnostics)
	want := values{
		"id": "orders", "enabled": true, "deletion_protection": true, "on_destroy": "disable", "extractable": false,
		"versions": unknown, "current_version": unknown, "public_key_pem": unknown, "tags": nil,
	}
	for name, want := range want {
		if p.values[name] != want {
			t.Errorf("%s is planned as %v, want %v", name, p.values[name], want)
		}
	}
	if got := fmt.Sprint(p.values["operations"]); got != "[sign verify]" {
		t.Errorf("operations are planned as %s", got)
	}
	p = newServer(t).plan(t, "hsm_key", nil, with(keyConfig, "algorithm", unknown))
	if p.values["operations"] != unknown {
		t.Errorf("operations of an unknown algorithm are planned as %v", p.values["operations"])
	}
}

func TestProtectedKeyIsNotPlannedAway(t *testing.T) {
	s := newServer(t)
	for name, test := range map[string]struct {
		config    values
		attribute string
		says      []string
	}{
		"removal":         {nil, "deletion_protection", []string{"Cannot remove key: protected"}},
		"another name":    {with(keyConfig, "name", "invoices"), "name", []string{"Cannot rename key: protected", `says name = "invoices"`, `write name = "orders"`}},
		"a name to come":  {with(keyConfig, "name", unknown), "name", []string{"known only after apply", `write name = "orders"`}},
		"and unprotected": {with(keyConfig, "name", "invoices", "deletion_protection", false), "name", []string{"apply that"}},
	} {
		t.Run(name, func(t *testing.T) {
			wantDiagnostic(t, s.plan(t, "hsm_key", keyState(), test.config).diagnostics, test.attribute, append(test.says, "ERROR", "deletion_protection = false")...)
		})
	}
	unprotected := with(keyState(), "deletion_protection", false)
	noErrors(t, s.plan(t, "hsm_key", unprotected, nil).diagnostics)
}
