package credential_test

import (
	"strings"
	"testing"

	"github.com/keystead/terraform-provider-hsm/internal/credential"
)

func TestFlaw(t *testing.T) {
	for name, test := range map[string]struct {
		change func(c *credential.Credential)
		says   string // nothing: it is whole
	}{
		"as issued":                 {func(*credential.Credential) {}, ""},
		"sealed":                    {func(c *credential.Credential) { c.Sealed = &credential.Sealed{Version: 1} }, ""},
		"an empty version":          {func(c *credential.Credential) { c.Versions[1] = nil }, "version 1 is not about"},
		"another version's":         {func(c *credential.Credential) { c.Versions[1].Number = 2 }, "version 1 is not about"},
		"a number to come":          {func(c *credential.Credential) { c.Versions[2] = &credential.Version{Number: 2} }, "a version 2, and says that 1"},
		"a number that is none":     {func(c *credential.Credential) { c.Versions[0] = &credential.Version{} }, "a version 0"},
		"no newest version":         {func(c *credential.Credential) { c.Counter = 2 }, "newest version is number 2"},
		"no versions":               {func(c *credential.Credential) { c.Versions, c.Counter = nil, 0 }, "newest version is number 0"},
		"sealed, nobody knows what": {func(c *credential.Credential) { c.Sealed = &credential.Sealed{Version: 2} }, "sealed secret of version 2"},
	} {
		t.Run(name, func(t *testing.T) {
			c := newBench(t).create(bot())
			test.change(c)
			if flaw := c.Flaw(); (flaw == "") != (test.says == "") || !strings.Contains(flaw, test.says) {
				t.Errorf("%q, want %q", flaw, test.says)
			}
		})
	}
}
