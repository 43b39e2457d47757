package provider_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/hashicorp/terraform-plugin-go/tfprotov6"

	"github.com/keystead/terraform-provider-hsm/internal/lifecycle/lifecycletest"
)

// openEphemeral opens an ephemeral resource of a type.
func (s *server) openEphemeral(t *testing.T, name string, config values) (values, []*tfprotov6.Diagnostic) {
	t.Helper()
	typ := s.schema.EphemeralResourceSchemas[name].ValueType()
	resp, err := s.OpenEphemeralResource(t.Context(), &tfprotov6.OpenEphemeralResourceRequest{TypeName: name, Config: encode(t, typ, config)})
	if err != nil {
		t.Fatal(err)
	}
	return decode(t, typ, resp.Result), resp.Diagnostics
}

// results are what comes out of signing, by resource.
var results = map[string][]string{"hsm_jwt": {"token", "kid", "expires_at"}, "hsm_signature": {"signature", "signature_raw"}}

func signed(resource string, more ...any) values {
	config := values{"key_id": "orders"}
	if resource == "hsm_jwt" {
		config["claims"] = `{"iss":"orders"}`
	} else {
		config["message"] = "bWVzc2FnZQ=="
	}
	return with(config, more...)
}

func TestSigningValidation(t *testing.T) {
	s := newServer(t)
	for name, test := range map[string]struct {
		resource  string
		config    values
		attribute string
		says      []string
	}{
		"key":                {"hsm_jwt", signed("hsm_jwt", "key_id", ".derivation"), "key_id", []string{"key name"}},
		"no such algorithm":  {"hsm_jwt", signed("hsm_jwt", "algorithm", "none"), "algorithm", []string{"ES256"}},
		"claims":             {"hsm_jwt", signed("hsm_jwt", "claims", "iss"), "claims", []string{"JSON object", "jsonencode"}},
		"claims about time":  {"hsm_jwt", signed("hsm_jwt", "claims", `{"exp":1}`), "claims", []string{`"exp"`, "valid_for"}},
		"valid for too long": {"hsm_jwt", signed("hsm_jwt", "valid_for", "2h"), "valid_for", []string{"1h"}},
		"valid for what":     {"hsm_jwt", signed("hsm_jwt", "valid_for", "soon"), "valid_for", []string{"not a duration"}},
		"no base64":          {"hsm_signature", signed("hsm_signature", "message", "äöü"), "message", []string{"base64encode"}},
		"message and digest": {"hsm_signature", signed("hsm_signature", "digest", "AAAA"), "message", []string{"digest"}},
		"neither":            {"hsm_signature", values{"key_id": "orders"}, "message", []string{"digest"}},
		"no random bytes":    {"hsm_random_bytes", values{"length": 0}, "length", []string{"between 1 and 1024"}},
		"too many":           {"hsm_random_bytes", values{"length": 1025}, "length", []string{"between 1 and 1024"}},
		"fine":               {"hsm_jwt", signed("hsm_jwt", "valid_for", "1m30s"), "", nil},
		"not known":          {"hsm_jwt", signed("hsm_jwt", "valid_for", unknown, "claims", unknown, "key_id", unknown), "", nil},
	} {
		t.Run(name, func(t *testing.T) {
			resp, err := s.ValidateEphemeralResourceConfig(t.Context(), &tfprotov6.ValidateEphemeralResourceConfigRequest{
				TypeName: test.resource, Config: encode(t, s.schema.EphemeralResourceSchemas[test.resource].ValueType(), test.config),
			})
			if err != nil {
				t.Fatal(err)
			}
			if test.attribute == "" {
				noErrors(t, resp.Diagnostics)
			} else {
				wantDiagnostic(t, resp.Diagnostics, test.attribute, append(test.says, "ERROR")...)
			}
		})
	}
}

// What the same run is about to make is known only after apply; what will not be able to
// sign is refused already.
func TestSigningOfWhatIsToCome(t *testing.T) {
	for resource, names := range results {
		t.Run(resource, func(t *testing.T) {
			c := newKey(t, lifecycletest.New(newYear))
			_, diagnostics := c.openEphemeral(t, resource, signed(resource))
			wantDiagnostic(t, diagnostics, "key_id", "There is no key of this name", "ERROR")

			p := c.plan(t, c.resource, nil, keyConfig)
			noErrors(t, p.diagnostics)
			opened, diagnostics := c.openEphemeral(t, resource, signed(resource))
			noErrors(t, diagnostics)
			for _, name := range append(names, "version", "algorithm") {
				if opened[name] != any(unknown) {
					t.Errorf("%s is %v", name, opened[name])
				}
			}
			_, diagnostics = c.openEphemeral(t, resource, signed(resource, "algorithm", "EdDSA"))
			wantDiagnostic(t, diagnostics, "key_id", "does not sign by EdDSA", "ES256")

			c.carryOut(p, keyConfig)
			opened, diagnostics = c.openEphemeral(t, resource, signed(resource))
			noErrors(t, diagnostics)
			for _, name := range names {
				if text, ok := opened[name].(string); !ok || text == "" {
					t.Errorf("%s is %v", name, opened[name])
				}
			}
			if opened["version"] != 1 || opened["algorithm"] != "ES256" {
				t.Errorf("it was signed by %v, version %v", opened["algorithm"], opened["version"])
			}
		})
	}
}

func TestSigningRefusals(t *testing.T) {
	for resource := range results {
		t.Run(resource, func(t *testing.T) {
			m := lifecycletest.New(newYear)
			c := newKey(t, m)
			c.apply(keyConfig)
			refuses := func(config values, says ...string) {
				t.Helper()
				opened, diagnostics := c.openEphemeral(t, resource, config)
				wantDiagnostic(t, diagnostics, "key_id", append(says, "ERROR")...)
				for _, name := range results[resource] {
					if opened[name] != nil {
						t.Errorf("an error came with %s = %v", name, opened[name])
					}
				}
			}
			_, diagnostics := c.openEphemeral(t, resource, signed(resource, "version", 2))
			wantDiagnostic(t, diagnostics, "key_id", "Not this version signs, but version 1", "Leave version out", "ERROR")
			if text := fmt.Sprint(diagnostics); strings.Contains(text, "count = 0") { // it is not the key that is in the way
				t.Errorf("the advice is %s", text)
			}
			refuses(signed(resource, "algorithm", "PS256"), "does not sign by PS256")
			c.apply(with(keyConfig, "operations", []any{"verify"}))
			c.server = serveMemory(t, m) // another run
			refuses(signed(resource), "may verify, not sign", "operations")
			off := with(keyConfig, "enabled", false)
			c.apply(off)
			c.server = serveMemory(t, m)
			refuses(signed(resource), "disabled", "enabled = true", "count = 0", "version = hsm_key_rotation")

			// While the plan is about to switch it on, it is known after apply.
			c.refresh()
			noErrors(t, c.plan(t, c.resource, c.state, keyConfig).diagnostics)
			opened, diagnostics := c.openEphemeral(t, resource, signed(resource))
			noErrors(t, diagnostics)
			if opened[results[resource][0]] != any(unknown) {
				t.Errorf("opened %v", opened)
			}
		})
	}
}

func TestRandomBytes(t *testing.T) {
	c := newKey(t, lifecycletest.New(newYear))
	opened, diagnostics := c.openEphemeral(t, "hsm_random_bytes", values{"length": 5})
	noErrors(t, diagnostics)
	if text, ok := opened["hex"].(string); !ok || len(text) != 10 || !strings.HasSuffix(opened["base64"].(string), "=") {
		t.Errorf("opened %v", opened)
	}
}

// Before the provider is configured nothing can be signed, and nothing is an error.
func TestSigningUnconfigured(t *testing.T) {
	s := newServer(t)
	noErrors(t, s.configure(t, values{"module_path": unknown, "environment": "test"}))
	for resource, names := range results {
		opened, diagnostics := s.openEphemeral(t, resource, signed(resource))
		noErrors(t, diagnostics)
		if opened[names[0]] != any(unknown) {
			t.Errorf("opened %v", opened)
		}
	}
}
