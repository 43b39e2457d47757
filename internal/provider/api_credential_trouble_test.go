package provider_test

import (
	"testing"

	"github.com/keystead/terraform-provider-hsm/internal/lifecycle/lifecycletest"
)

func TestCredentialTrouble(t *testing.T) {
	t.Run("removed by somebody else", func(t *testing.T) {
		c := newCredential(t, botConfig)
		other := &core{server: c.server, t: t, resource: c.resource, state: c.state}
		other.apply(nil)
		state, diagnostics := c.read(c.state)
		noErrors(t, diagnostics)
		if state != nil {
			t.Errorf("it stays in the state: %v", state)
		}
		wantDiagnostic(t, diagnostics, "", "WARNING", "No longer on the token")
	})
	t.Run("its record is lost", func(t *testing.T) {
		c := newCredential(t, botConfig)
		clear(c.on.credentials.Stored)
		state, diagnostics := c.read(c.state)
		wantDiagnostic(t, diagnostics, "", "ERROR", "inconsistent", "terraform state rm")
		if state == nil {
			t.Error("an error took it out of the state")
		}
	})
	t.Run("the name is taken", func(t *testing.T) {
		c := newCredential(t, botConfig)
		p := c.plan(t, c.resource, nil, botConfig)
		state, diagnostics := c.try(nil, p.values, botConfig)
		wantDiagnostic(t, diagnostics, "", "ERROR", "already exists", "import {", "to = hsm_api_credential.")
		if state != nil {
			t.Errorf("an error came with the state %v", state)
		}
	})
	t.Run("another environment", func(t *testing.T) {
		m := lifecycletest.New(newYear)
		m.Stamp = "prod"
		s := serveMemory(t, m)
		for _, config := range []values{botConfig, with(botConfig, "owner", unknown)} {
			wantDiagnostic(t, s.plan(t, "hsm_api_credential", nil, config).diagnostics, "", "wrong environment", `"prod"`, `"test"`)
		}
	})
}

// What only the clock, the token or the record can tell is an error at plan, too, at
// the argument that it is about.
func TestCredentialPlanAsks(t *testing.T) {
	c := newCredential(t, botConfig)
	for name, test := range map[string]struct {
		prior, config values
		attribute     string
	}{
		"expiry in the past, at creation":   {nil, with(botConfig, "name", "late", "expires_at", "2026-12-31T00:00:00Z"), "expires_at"},
		"expiry in the past":                {c.state, with(botConfig, "expires_at", "2026-12-31T00:00:00Z"), "expires_at"},
		"overlap longer than what is left":  {nil, with(botConfig, "name", "late", "expires_at", "2027-01-02T00:00:00Z", "overlap", "168h"), "overlap"},
		"a version that is not there":       {c.state, with(botConfig, "revoke", values{"2": "superseded"}), "revoke"},
		"a public key that became known":    {nil, adaConfig("ssh-ed25519 AAAA"), "public_key"},
		"a private key that became known":   {nil, adaConfig(newPair(t).pkcs8), wholeBlock},
		"an age identity that became known": {c.state, with(botConfig, "recipients", []any{newIdentity(t).String()}), wholeBlock},
	} {
		t.Run(name, func(t *testing.T) {
			wantDiagnostic(t, c.plan(t, c.resource, test.prior, test.config).diagnostics, test.attribute, "ERROR")
		})
	}
}

// A plan that was made before a rotation was due does not rotate when it is applied
// late, and a rotation whose answer was lost is not repeated.
func TestCredentialPlanAppliedLate(t *testing.T) {
	config := with(botConfig, "rotate_every", "2160h", "overlap", "168h")
	c := newCredential(t, config)
	renamed := with(config, "owner", "ada")
	p := c.plan(t, c.resource, c.state, renamed)
	c.m.Pass(period)
	c.carryOut(p, renamed)
	c.want(values{"version": 1, "owner": "ada"})

	c.refresh()
	p = c.plan(t, c.resource, c.state, renamed)
	before := c.state
	c.carryOut(p, renamed)
	c.state = before // the answer is lost
	c.carryOut(p, renamed)
	c.want(values{"version": 2, "states": "1:overlapping 2:active"})
	c.settled(renamed)
}
