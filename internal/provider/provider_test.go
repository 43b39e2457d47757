package provider_test

import (
	"bytes"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/hashicorp/terraform-plugin-log/tflogtest"

	"github.com/keystead/terraform-provider-hsm/internal/config"
	"github.com/keystead/terraform-provider-hsm/internal/provider"
)

func TestSchema(t *testing.T) {
	s := newServer(t)
	for _, name := range []string{"hsm_key", "hsm_key_rotation"} {
		if s.schema.ResourceSchemas[name] == nil {
			t.Errorf("there is no resource %s", name)
		}
	}
	for _, name := range []string{"hsm_token", "hsm_key", "hsm_keys"} {
		if s.schema.DataSourceSchemas[name] == nil {
			t.Errorf("there is no data source %s", name)
		}
	}
}

// The documentation is made from the descriptions, so nothing may be without one.
func TestEverythingIsDescribed(t *testing.T) {
	s := newServer(t)
	all := map[string]*tfprotov6.Schema{"provider": s.schema.Provider}
	for name, schema := range s.schema.ResourceSchemas {
		all["resource "+name] = schema
	}
	for name, schema := range s.schema.DataSourceSchemas {
		all["data source "+name] = schema
	}
	for name, schema := range s.schema.EphemeralResourceSchemas {
		all["ephemeral resource "+name] = schema
	}
	for name, f := range s.schema.Functions {
		if f.Summary == "" || f.Description == "" {
			t.Errorf("function %s has no description", name)
		}
		for _, p := range append(f.Parameters, f.VariadicParameter) {
			if p != nil && p.Description == "" {
				t.Errorf("parameter %s of function %s has no description", p.Name, name)
			}
		}
	}
	for name, schema := range all {
		if schema.Block.Description == "" {
			t.Errorf("%s has no description", name)
		}
		described(t, name, schema.Block.Attributes)
	}
}

// TestEveryArgumentSaysWhatItDoes: an argument that may be left out says what is so then,
// and one of a resource what a change of it does.
func TestEveryArgumentSaysWhatItDoes(t *testing.T) {
	s := newServer(t)
	all := map[string]*tfprotov6.Schema{"provider": s.schema.Provider}
	for name, schema := range s.schema.DataSourceSchemas {
		all["data source "+name] = schema
	}
	for name, schema := range s.schema.EphemeralResourceSchemas {
		all["ephemeral resource "+name] = schema
	}
	for name, schema := range s.schema.ResourceSchemas {
		all["resource "+name] = schema
		for _, a := range schema.Block.Attributes {
			if (a.Required || a.Optional) && !strings.Contains(a.Description, "change") {
				t.Errorf("resource %s: %s does not say what a change does: %s", name, a.Name, a.Description)
			}
		}
		for _, b := range schema.Block.BlockTypes {
			if !strings.Contains(b.Block.Description, "change") {
				t.Errorf("resource %s: %s does not say what a change does: %s", name, b.TypeName, b.Block.Description)
			}
		}
	}
	for name, schema := range all {
		saysDefault(t, name, schema.Block)
	}
}

var defaults = regexp.MustCompile(`[Dd]efault|[Rr]equire[ds]|Without it`)

func saysDefault(t *testing.T, parent string, block *tfprotov6.SchemaBlock) {
	t.Helper()
	attributes := slices.Clone(block.Attributes)
	for _, a := range block.Attributes {
		if a.NestedType != nil {
			attributes = append(attributes, a.NestedType.Attributes...)
		}
	}
	for _, a := range attributes {
		if a.Optional && !defaults.MatchString(a.Description) {
			t.Errorf("%s: %s does not say what is so without it: %s", parent, a.Name, a.Description)
		}
	}
	for _, b := range block.BlockTypes {
		if !defaults.MatchString(b.Block.Description) {
			t.Errorf("%s: %s does not say what is so without it: %s", parent, b.TypeName, b.Block.Description)
		}
		saysDefault(t, path.Join(parent, b.TypeName), b.Block)
	}
}

func described(t *testing.T, parent string, attributes []*tfprotov6.SchemaAttribute) {
	for _, a := range attributes {
		name := path.Join(parent, a.Name)
		if a.Description == "" || a.DescriptionKind != tfprotov6.StringKindMarkdown {
			t.Errorf("%s has no description", name)
		}
		if strings.Contains(a.Description, "\n") { // the page has a list, which a second paragraph would end
			t.Errorf("the description of %s is more than a paragraph", name)
		}
		if a.NestedType != nil {
			described(t, name, a.NestedType.Attributes)
		}
	}
}

func TestProviderValidation(t *testing.T) {
	for name, test := range map[string]struct {
		config    values
		attribute string
		says      []string
	}{
		"URI of another scheme": {values{"uri": "https://example.com"}, wholeBlock, []string{"uri", "pkcs11:", "RFC 7512"}},
		"URI with a PIN twice":  {values{"uri": "pkcs11:token=a?pin-value=1234&pin-source=file:/pin"}, wholeBlock, []string{"uri", "only one"}},
		"URI badly encoded":     {values{"uri": "pkcs11:token=%zz?pin-value=1234"}, wholeBlock, []string{"uri", `"token"`, "percent sign"}},
		"empty label":           {values{"token_label": ""}, "token_label", []string{"is empty", "leave it out"}},
		"no sessions":           {values{"max_sessions": 0}, "max_sessions", []string{"at least 1"}},
		"negative slot":         {values{"slot_id": -1}, "slot_id", []string{"at least 0"}},
	} {
		t.Run(name, func(t *testing.T) {
			s := newServer(t)
			resp, err := s.ValidateProviderConfig(t.Context(), &tfprotov6.ValidateProviderConfigRequest{Config: s.providerConfig(t, test.config)})
			if err != nil {
				t.Fatal(err)
			}
			wantDiagnostic(t, resp.Diagnostics, test.attribute, test.says...)
		})
	}
}

// Validation has no environment: what HSM_URI and HSM_ENVIRONMENT will give is no error.
func TestProviderValidationTouchesNothing(t *testing.T) {
	s := newServer(t)
	for _, given := range []values{{}, {"uri": unknown, "environment": unknown}, {"module_path": "/nonexistent", "token_label": "a", "environment": "test"}} {
		resp, err := s.ValidateProviderConfig(t.Context(), &tfprotov6.ValidateProviderConfigRequest{Config: s.providerConfig(t, given)})
		if err != nil {
			t.Fatal(err)
		}
		noErrors(t, resp.Diagnostics)
	}
}

func TestConfigure(t *testing.T) {
	for name, test := range map[string]struct {
		config    values
		attribute string
		says      []string
	}{
		"nothing":        {values{}, wholeBlock, []string{"No token is selected", "HSM_URI"}},
		"two ways":       {values{"uri": "pkcs11:token=a?module-path=/m", "token_label": "a", "environment": "test"}, wholeBlock, []string{"uri", "two ways"}},
		"unused in URI":  {values{"uri": "pkcs11:token=a;object=o?module-path=/m&pin-value=1234", "environment": "test"}, wholeBlock, []string{"uri", "object"}},
		"no module":      {values{"token_label": "a", "environment": "test"}, "module_path", []string{"No PKCS#11 module"}},
		"no environment": {values{"module_path": "/m", "token_label": "a"}, "environment", []string{"HSM_ENVIRONMENT"}},
		"PIN twice": {
			values{"uri": "pkcs11:token=a?module-path=/m&pin-value=123456", "pin": "654321", "environment": "test"}, wholeBlock, []string{"pin", "twice"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			clearEnvironment(t)
			s := newServer(t)
			diagnostics := s.configure(t, test.config)
			wantDiagnostic(t, diagnostics, test.attribute, test.says...)
		})
	}
}

func TestConfigureOpensNothing(t *testing.T) {
	clearEnvironment(t)
	s := newServer(t)
	noErrors(t, s.configure(t, values{"module_path": "/nonexistent", "token_label": "a", "environment": "test", "pin": "1234"}))
}

// A provider whose configuration is not known yet plans without the token, keeps
// what is in the state, and says what is missing when the token is needed.
func TestUnknownConfiguration(t *testing.T) {
	clearEnvironment(t)
	s := newServerWith(t, func(config.Settings) *provider.Services { t.Error("the token was needed"); return nil })
	noErrors(t, s.configure(t, values{"uri": unknown, "environment": "test"}))

	typ := s.resourceType("hsm_key")
	prior := keyState()
	read, err := s.ReadResource(t.Context(), &tfprotov6.ReadResourceRequest{TypeName: "hsm_key", CurrentState: encode(t, typ, prior)})
	if err != nil {
		t.Fatal(err)
	}
	noErrors(t, read.Diagnostics)
	p := plan{prior: decode(t, typ, encode(t, typ, prior)), values: decode(t, typ, read.NewState)}
	if len(p.changed()) > 0 {
		t.Errorf("Read changed %v", p.changed())
	}
	noErrors(t, s.plan(t, "hsm_key", nil, values{"name": "orders", "algorithm": "EC_P256"}).diagnostics)
	noErrors(t, s.plan(t, "hsm_key_rotation", nil, values{"key_id": "orders"}).diagnostics)

	imported, err := s.ImportResourceState(t.Context(), &tfprotov6.ImportResourceStateRequest{TypeName: "hsm_key", ID: "orders"})
	if err != nil {
		t.Fatal(err)
	}
	wantDiagnostic(t, imported.Diagnostics, "", "not known yet", "`uri`", "-target")
	applied, err := s.ApplyResourceChange(t.Context(), &tfprotov6.ApplyResourceChangeRequest{
		TypeName: "hsm_key", PriorState: encode(t, typ, nil), Config: encode(t, typ, values{"name": "orders", "algorithm": "EC_P256"}),
		PlannedState: encode(t, typ, s.plan(t, "hsm_key", nil, values{"name": "orders", "algorithm": "EC_P256"}).values),
	})
	if err != nil {
		t.Fatal(err)
	}
	wantDiagnostic(t, applied.Diagnostics, "", "not known yet")
	dataType := s.schema.DataSourceSchemas["hsm_token"].ValueType()
	token, err := s.ReadDataSource(t.Context(), &tfprotov6.ReadDataSourceRequest{TypeName: "hsm_token", Config: encode(t, dataType, values{})})
	if err != nil {
		t.Fatal(err)
	}
	wantDiagnostic(t, token.Diagnostics, "", "not known yet")
}

// The PIN is masked before the first log line, wherever it turns up.
func TestPINIsMaskedInLogs(t *testing.T) {
	clearEnvironment(t)
	const pin = "1234-secret"
	for name, given := range map[string]values{
		"argument":    {"module_path": "/m", "token_label": "a " + pin, "environment": "test", "pin": pin, "actor": pin},
		"URI":         {"uri": "pkcs11:token=" + pin + "?module-path=/m&pin-value=" + pin, "environment": "test", "actor": pin},
		"environment": {"module_path": "/m", "token_label": pin, "environment": "test", "actor": pin},
	} {
		t.Run(name, func(t *testing.T) {
			if name == "environment" {
				t.Setenv("HSM_PIN", pin)
			}
			s := newServer(t)
			var log bytes.Buffer
			resp, err := s.ConfigureProvider(tflogtest.RootLogger(t.Context(), &log), &tfprotov6.ConfigureProviderRequest{Config: s.providerConfig(t, given)})
			if err != nil {
				t.Fatal(err)
			}
			noErrors(t, resp.Diagnostics)
			if !strings.Contains(log.String(), "configured") || !strings.Contains(log.String(), "***") || strings.Contains(log.String(), pin) {
				t.Errorf("the log says %s", &log)
			}
		})
	}
}

func (s *server) providerConfig(tb testing.TB, v values) *tfprotov6.DynamicValue {
	tb.Helper()
	return encode(tb, s.schema.Provider.ValueType(), v)
}

func (s *server) configure(tb testing.TB, v values) []*tfprotov6.Diagnostic {
	tb.Helper()
	resp, err := s.ConfigureProvider(tb.Context(), &tfprotov6.ConfigureProviderRequest{Config: s.providerConfig(tb, v)})
	if err != nil {
		tb.Fatal(err)
	}
	return resp.Diagnostics
}

// clearEnvironment keeps the caller's settings out of a test.
func clearEnvironment(tb testing.TB) {
	tb.Helper()
	for _, name := range []string{"HSM_URI", "HSM_PIN", "HSM_ENVIRONMENT", "HSM_ACTOR"} {
		tb.Setenv(name, "")
	}
}
