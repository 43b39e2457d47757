package provider_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/terraform-plugin-go/tfprotov6"

	"github.com/keystead/terraform-provider-hsm/internal/lifecycle/lifecycletest"
	"github.com/keystead/terraform-provider-hsm/internal/policy"
)

// A plan that changes a credential tells what access that gives and takes away, by the
// policies that there are.
func TestCredentialPlanTellsAccess(t *testing.T) {
	const byName, byOwner, byTag = "bot: sign with orders", "bot: verify with orders", "bot: get_public_key with orders"
	config := with(botConfig, "tags", values{"desk": "spot"}, "overlap", "1h", "rotate_every", "2160h")
	person := with(adaConfig(newPair(t).ssh), "name", "bot", "owner", "desk", "tags", values{"desk": "spot"})
	for name, test := range map[string]struct {
		prior, config values
		warns         []string
	}{
		"nothing":              {prior: config, config: config},
		"removal":              {prior: config, warns: []string{"Access is taken away", `API credential "bot"`, "- " + byName, "- " + byOwner, "- " + byTag}},
		"disabling":            {prior: config, config: with(config, "enabled", false), warns: []string{"Access is taken away", "- " + byName, "- " + byOwner, "- " + byTag}},
		"enabling":             {prior: with(config, "enabled", false), config: config, warns: []string{"Access is given", "+ " + byName, "+ " + byOwner, "+ " + byTag}},
		"another owner":        {prior: config, config: with(config, "owner", "ada"), warns: []string{"Access is taken away", "- " + byOwner}},
		"another tag":          {prior: config, config: with(config, "tags", values{"desk": "treasury"}), warns: []string{"Access is taken away", "- " + byTag}},
		"issue":                {config: config, warns: []string{"Access is given", "+ " + byName, "+ " + byOwner, "+ " + byTag}},
		"issue, disabled":      {config: with(config, "enabled", false)},
		"issue, not all known": {config: with(config, "owner", unknown)},
		"another name":         {prior: config, config: with(config, "name", "robot"), warns: []string{"Access is taken away", "- " + byName, "- " + byOwner, "- " + byTag}},
		"rotation":             {prior: config, config: with(config, "algorithm", "hmac-sha512")},
		"another overlap":      {prior: config, config: with(config, "overlap", "2h")},
		"revoking a secret":    {prior: config, config: with(config, "revoke", values{"1": "key_compromise"})},
		"revoking a key":       {prior: person, config: with(person, "revoke", values{"1": "key_compromise"}), warns: []string{"Access is taken away", "- " + byName, "- " + byOwner, "- " + byTag}},
		"another key":          {prior: person, config: with(person, "public_key", newPair(t).ssh, "revoke", values{"1": "key_compromise"})},
	} {
		t.Run(name, func(t *testing.T) {
			c := &issued{m: lifecycletest.New(newYear), on: newShelves()}
			c.restart(t)
			key := &core{server: c.server, t: t, resource: "hsm_key"}
			key.apply(keyConfig)
			if test.prior != nil {
				c.apply(test.prior)
			}
			_, err := c.on.policies.Create(t.Context(), &policy.Policy{Spec: policy.Spec{Name: "orders", Enabled: true, Statements: []policy.Statement{
				{Effect: policy.Permit, Principals: []string{"bot"}, Actions: []string{"sign"}, Keys: []string{"orders"}},
				{Effect: policy.Permit, Principals: []string{"owner:desk"}, Actions: []string{"verify"}, Keys: []string{"orders"}},
				{Effect: policy.Permit, Principals: []string{"tag:desk=spot"}, Actions: []string{"get_public_key"}, Keys: []string{"orders"}},
			}}})
			if err != nil {
				t.Fatal(err)
			}
			c.restart(t)
			p := c.plan(t, c.resource, c.state, test.config)
			noErrors(t, p.diagnostics)
			told := slices.DeleteFunc(p.diagnostics, func(d *tfprotov6.Diagnostic) bool { return !strings.HasPrefix(d.Summary, "Access") })
			if test.warns == nil {
				if len(told) > 0 {
					t.Errorf("unexpected: %s", showAll(told))
				}
				return
			}
			wantDiagnostic(t, told, "", append(test.warns, "WARNING")...)
			for _, line := range []string{byName, byOwner, byTag} {
				isWanted := slices.ContainsFunc(test.warns, func(w string) bool { return strings.HasSuffix(w, line) })
				if strings.Contains(showAll(told), line) != isWanted {
					t.Errorf("%s: wanted %t: %s", line, isWanted, showAll(told))
				}
			}
		})
	}
}
