package keyring_test

import (
	"strings"
	"testing"

	"github.com/keystead/terraform-provider-hsm/internal/keyring"
)

func TestFlaw(t *testing.T) {
	for name, test := range map[string]struct {
		change func(k *keyring.Key)
		says   string // nothing: it is whole
	}{
		"as made":                    {func(*keyring.Key) {}, ""},
		"without versions":           {func(k *keyring.Key) { k.Versions = nil }, ""},
		"a number passed over":       {func(k *keyring.Key) { k.Counter = 7 }, ""},
		"managed":                    {func(k *keyring.Key) { k.Rotation = &keyring.Rotation{Instance: 1} }, ""},
		"an empty version":           {func(k *keyring.Key) { k.Versions[1] = nil }, "version 1 is not about"},
		"another version's":          {func(k *keyring.Key) { k.Versions[1].Number = 2 }, "version 1 is not about"},
		"a number to come":           {func(k *keyring.Key) { k.Counter = 0 }, "a version 1, and says that 0"},
		"a number that is none":      {func(k *keyring.Key) { k.Versions[0] = &keyring.Version{} }, "a version 0"},
		"managed, nobody knows what": {func(k *keyring.Key) { k.Rotation = &keyring.Rotation{Instance: 2} }, "manages version 2"},
	} {
		t.Run(name, func(t *testing.T) {
			k := keyring.Prospective(keyring.Spec{Name: "k", Algorithm: keyring.AES256})
			test.change(k)
			if flaw := k.Flaw(); (flaw == "") != (test.says == "") || !strings.Contains(flaw, test.says) {
				t.Errorf("%q, want %q", flaw, test.says)
			}
		})
	}
}
