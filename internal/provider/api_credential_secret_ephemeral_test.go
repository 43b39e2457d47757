package provider_test

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"maps"
	"strings"
	"testing"

	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/hashicorp/terraform-plugin-log/tflog"
	"github.com/hashicorp/terraform-plugin-log/tflogtest"

	"github.com/keystead/terraform-provider-hsm/internal/config"
	"github.com/keystead/terraform-provider-hsm/internal/lifecycle/lifecycletest"
	"github.com/keystead/terraform-provider-hsm/internal/provider"
	"github.com/keystead/terraform-provider-hsm/internal/secret"
)

const secretType = "hsm_api_credential_secret"

// open opens an ephemeral secret.
func (s *server) open(t *testing.T, config values) (values, []*tfprotov6.Diagnostic) {
	t.Helper()
	typ := s.schema.EphemeralResourceSchemas[secretType].ValueType()
	resp, err := s.OpenEphemeralResource(t.Context(), &tfprotov6.OpenEphemeralResourceRequest{TypeName: secretType, Config: encode(t, typ, config)})
	if err != nil {
		t.Fatal(err)
	}
	for name, given := range config { // Terraform refuses anything else
		if got := decode(t, typ, resp.Result)[name]; got != given {
			t.Errorf("%s was given as %v and came out as %v", name, given, got)
		}
	}
	return decode(t, typ, resp.Result), resp.Diagnostics
}

func TestEphemeralSecretSchema(t *testing.T) {
	schema := newServer(t).schema.EphemeralResourceSchemas[secretType]
	if schema.Block.Description == "" {
		t.Error("it has no description")
	}
	described(t, secretType, schema.Block.Attributes)
	for _, a := range schema.Block.Attributes {
		isForm := a.Name == "base64" || a.Name == "base64url" || a.Name == "hex"
		if a.Sensitive != isForm {
			t.Errorf("%s: sensitive is %t", a.Name, a.Sensitive)
		}
	}
}

func TestEphemeralSecretValidation(t *testing.T) {
	s := newServer(t)
	typ := s.schema.EphemeralResourceSchemas[secretType].ValueType()
	for name, test := range map[string]struct {
		config    values
		attribute string
	}{
		"id with a tilde":        {values{"credential_id": "test~bot~1"}, "credential_id"},
		"version 0":              {values{"credential_id": "bot", "version": 0}, "version"},
		"something for a result": {values{"credential_id": "bot", "hex": "00"}, "hex"},
		"fine":                   {values{"credential_id": "bot", "version": 3}, ""},
		"not known":              {values{"credential_id": unknown, "version": unknown}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			resp, err := s.ValidateEphemeralResourceConfig(t.Context(), &tfprotov6.ValidateEphemeralResourceConfigRequest{TypeName: secretType, Config: encode(t, typ, test.config)})
			if err != nil {
				t.Fatal(err)
			}
			if test.attribute == "" {
				noErrors(t, resp.Diagnostics)
			} else {
				wantDiagnostic(t, resp.Diagnostics, test.attribute, "ERROR")
			}
		})
	}
}

func TestEphemeralSecretIsTheSameEachTime(t *testing.T) {
	c := newCredential(t, botConfig)
	first, diagnostics := c.open(t, values{"credential_id": "bot"})
	noErrors(t, diagnostics)
	raw, err := hex.DecodeString(first["hex"].(string))
	if err != nil || len(raw) != 32 || first["version"] != 1 || first["key_id"] != "test~bot~1" {
		t.Fatalf("opened %v: %v", first, err)
	}
	if first["base64"] != base64.StdEncoding.EncodeToString(raw) || first["base64url"] != base64.RawURLEncoding.EncodeToString(raw) {
		t.Errorf("the three forms are not of one secret: %v", first)
	}
	c.restart(t)
	for _, again := range []values{{"credential_id": "bot"}, {"credential_id": "bot", "version": 1}} {
		second, diagnostics := c.open(t, again)
		noErrors(t, diagnostics)
		if !maps.Equal(first, second) {
			t.Errorf("opened again: %v, before %v", second, first)
		}
	}
}

func TestEphemeralSecretRefuses(t *testing.T) {
	c := newCredential(t, with(botConfig, "overlap", "1h", "rotate_when_changed", values{"a": "b"}))
	c.apply(with(botConfig, "overlap", "1h", "rotate_when_changed", values{"a": "c"}))
	c.m.Pass(overlap)
	for name, test := range map[string]struct {
		config values
		says   []string
	}{
		"no such credential": {values{"credential_id": "nobody"}, []string{"nobody"}},
		"no such version":    {values{"credential_id": "bot", "version": 3}, []string{"3"}},
		"superseded":         {values{"credential_id": "bot", "version": 1}, []string{"replaced on 2027-01-01T00:00:00Z", "2027-01-01T01:00:00Z"}},
	} {
		t.Run(name, func(t *testing.T) {
			opened, diagnostics := c.open(t, test.config)
			wantDiagnostic(t, diagnostics, "credential_id", append(test.says, "ERROR")...)
			if opened["base64"] != nil || opened["hex"] != nil {
				t.Errorf("an error came with %v", opened)
			}
		})
	}
}

// Terraform opens an ephemeral resource at plan as soon as it knows its arguments. What
// the same run is about to make is known only after apply then.
func TestEphemeralSecretOfWhatIsToCome(t *testing.T) {
	open := func(t *testing.T, c *issued, want any) {
		t.Helper()
		opened, diagnostics := c.open(t, values{"credential_id": "bot"})
		noErrors(t, diagnostics)
		for _, name := range []string{"base64", "base64url", "hex", "key_id", "version"} {
			if got := opened[name]; got == nil || (got == any(unknown)) != (want == any(unknown)) {
				t.Errorf("%s is %v, want it %v", name, got, want)
			}
		}
	}
	t.Run("a new credential", func(t *testing.T) {
		c := &issued{m: lifecycletest.New(newYear), on: newShelves()}
		c.restart(t)
		p := c.plan(t, c.resource, nil, botConfig)
		open(t, c, unknown)
		c.restart(t) // plans again, then applies
		p = c.plan(t, c.resource, nil, p.values)
		c.carryOut(p, botConfig)
		open(t, c, "known")
	})
	t.Run("a version that expired", func(t *testing.T) {
		config := with(botConfig, "valid_for", "1h", "rotate_every", "1h")
		c := newCredential(t, config)
		c.m.Pass(overlap)
		c.restart(t)
		_, diagnostics := c.open(t, values{"credential_id": "bot"})
		wantDiagnostic(t, diagnostics, "credential_id", "ERROR", "expired")
		c.refresh()
		p := c.plan(t, c.resource, c.state, config)
		open(t, c, unknown)
		c.carryOut(p, config)
		open(t, c, "known")
	})
	t.Run("a suspended credential", func(t *testing.T) {
		c := newCredential(t, with(botConfig, "enabled", false))
		p := c.plan(t, c.resource, c.state, botConfig)
		open(t, c, unknown)
		c.carryOut(p, botConfig)
		open(t, c, "known")
	})
	t.Run("another change", func(t *testing.T) {
		c := newCredential(t, with(botConfig, "enabled", false))
		c.plan(t, c.resource, c.state, with(botConfig, "enabled", false, "owner", "ada"))
		_, diagnostics := c.open(t, values{"credential_id": "bot"})
		wantDiagnostic(t, diagnostics, "credential_id", "ERROR", "disabled", "count = 0")
	})
	t.Run("and still is not there", func(t *testing.T) {
		c := newCredential(t, botConfig)
		c.apply(with(botConfig, "enabled", false))
		_, diagnostics := c.open(t, values{"credential_id": "bot"})
		wantDiagnostic(t, diagnostics, "credential_id", "ERROR", "disabled")
	})
	t.Run("what is there stays open", func(t *testing.T) {
		c := newCredential(t, botConfig)
		c.plan(t, c.resource, c.state, with(botConfig, "rotate_when_changed", values{"a": "b"}, "algorithm", "hmac-sha512"))
		open(t, c, "known")
	})
	t.Run("a token that is not known yet", func(t *testing.T) {
		clearEnvironment(t)
		s := newServerWith(t, func(config.Settings) *provider.Services { t.Error("the token was needed"); return nil })
		noErrors(t, s.configure(t, values{"uri": unknown, "environment": "test"}))
		open(t, &issued{core: &core{server: s}}, unknown)
	})
}

// The secret is not logged, and would be masked if it was.
func TestEphemeralSecretIsNotLogged(t *testing.T) {
	c := newCredential(t, botConfig)
	opened, _ := c.open(t, values{"credential_id": "bot"})
	typ := c.schema.EphemeralResourceSchemas[secretType].ValueType()
	var log bytes.Buffer
	ctx := tflogtest.RootLogger(t.Context(), &log)
	_, err := c.OpenEphemeralResource(ctx, &tfprotov6.OpenEphemeralResourceRequest{
		TypeName: secretType, Config: encode(t, typ, values{"credential_id": "bot"}),
	})
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(log.String(), "derived a secret") {
		t.Errorf("the log is %s", &log)
	}
	raw, err := base64.StdEncoding.DecodeString(opened["base64"].(string))
	if err != nil {
		t.Fatal(err)
	}
	masked := provider.MaskSecret(ctx, secret.New(raw))
	for _, form := range []string{"base64", "base64url", "hex"} {
		text, _ := opened[form].(string)
		tflog.Info(masked, "handing on "+text, map[string]any{form: text})
		if text == "" || strings.Contains(log.String(), text) {
			t.Errorf("%s, %q, is in the log: %s", form, text, &log)
		}
	}
	if n := strings.Count(log.String(), "handing on ***"); n != 3 {
		t.Errorf("%d of 3 lines are masked: %s", n, &log)
	}
}
