package provider_test

import (
	"testing"

	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
)

func TestCredentialImport(t *testing.T) {
	p := newPair(t)
	for name, config := range map[string]values{
		"least": botConfig, "public key": adaConfig(p.ssh + " ada@example"), "public key in PEM": with(adaConfig(p.pem), "expires_at", "2028-01-01T01:00:00+01:00"),
		"most": with(botConfig, "recipients", []any{newIdentity(t).Recipient().String()}, "tags", values{"a": "b"}, "enabled", false, "valid_for", "540000m",
			"rotate_every", "90m", "overlap", "1800s", "rotate_when_changed", values{"a": "b"}),
		"disabled": with(botConfig, "enabled", false),
	} {
		t.Run(name, func(t *testing.T) {
			c := newCredential(t, config)
			before := c.state
			c.importID(c.state["id"].(string), config)
			same(t, "import", before, c.state)
		})
	}
	t.Run("revoked", func(t *testing.T) {
		c := newCredential(t, botConfig)
		config := with(botConfig, "revoke", values{"1": "superseded"})
		c.apply(config)
		c.importID("bot", config)
	})
	t.Run("refused", func(t *testing.T) {
		c := newCredential(t, botConfig)
		for _, id := range []string{"nobody", "", "my bot", "test~bot~1"} {
			resp, err := c.ImportResourceState(t.Context(), &tfprotov6.ImportResourceStateRequest{TypeName: c.resource, ID: id})
			if err != nil {
				t.Fatal(err)
			}
			wantDiagnostic(t, resp.Diagnostics, "", "ERROR")
		}
	})
}
