package keyring_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/keystead/terraform-provider-hsm/internal/fault"
	"github.com/keystead/terraform-provider-hsm/internal/keyring"
)

func TestCapabilitiesCheck(t *testing.T) {
	token := func() keyring.Capabilities {
		return keyring.Capabilities{
			Mechanisms:          map[keyring.Mechanism]keyring.MechanismInfo{"CKM_ECDSA": {}, "CKM_AES_GCM": {}},
			Algorithms:          map[keyring.Algorithm]keyring.Operations{keyring.ECP256: keyring.Sign | keyring.Verify, keyring.AES256: keyring.Encrypt | keyring.Decrypt},
			RestrictsMechanisms: true,
		}
	}
	// detailed is a token that tells more of its mechanisms.
	detailed := func(c *keyring.Capabilities) {
		ec, aes := []keyring.Algorithm{keyring.ECP256, keyring.ECP384}, []keyring.Algorithm{keyring.AES256}
		both := []string{"hw", "sign", "verify"}
		c.Mechanisms = map[keyring.Mechanism]keyring.MechanismInfo{
			"CKM_ECDSA": {Uses: both, Algorithms: ec}, "CKM_ECDSA_SHA256": {Uses: both, Algorithms: ec},
			"CKM_ECDH1_DERIVE": {Uses: []string{"derive"}, Algorithms: ec},
			"CKM_AES_GCM":      {Uses: []string{"decrypt", "encrypt"}, Algorithms: aes}, "CKM_AES_CMAC": {Uses: both, Algorithms: aes},
			"CKM_DSA": {Uses: both, Algorithms: []keyring.Algorithm{}}, "CKM_SHA256": {Uses: []string{"digest"}},
			"CKM_0x80000001": {Uses: both}, "CKM_0x80000002": {Uses: []string{"hw"}}, "CKM_0x80000003": {},
		}
		c.Algorithms[keyring.ECP256] |= keyring.Derive
	}
	allow := func(operations keyring.Operations, mechanisms ...keyring.Mechanism) func(*keyring.Spec) {
		return func(s *keyring.Spec) { s.Operations, s.AllowedMechanisms = operations, mechanisms }
	}
	const signature = keyring.Sign | keyring.Verify
	for name, tc := range map[string]struct {
		token func(*keyring.Capabilities)
		spec  func(*keyring.Spec)
		want  []string // parts of error and hint, none for no error
	}{
		"as it is":   {},
		"mechanisms": {spec: func(s *keyring.Spec) { s.AllowedMechanisms = []keyring.Mechanism{"CKM_ECDSA"} }},
		"algorithm":  {spec: func(s *keyring.Spec) { s.Algorithm = keyring.Ed448 }, want: []string{"cannot make ED448", "AES_256, EC_P256"}},
		"operation": {
			spec: func(s *keyring.Spec) { s.Operations |= keyring.Derive },
			want: []string{"cannot derive", "sign, verify"},
		},
		"mechanism the token lacks": {
			spec: func(s *keyring.Spec) { s.AllowedMechanisms = []keyring.Mechanism{"CKM_ECDSA", "CKM_EDDSA"} },
			want: []string{"no mechanism CKM_EDDSA", "CKM_AES_GCM, CKM_ECDSA"},
		},
		"token that cannot restrict": {
			token: func(c *keyring.Capabilities) { c.RestrictsMechanisms = false },
			spec:  func(s *keyring.Spec) { s.AllowedMechanisms = []keyring.Mechanism{"CKM_ECDSA"} },
			want:  []string{"CKA_ALLOWED_MECHANISMS", "allowed_mechanisms"},
		},
		"mechanism of another kind of key": {
			token: detailed, spec: allow(signature, "CKM_AES_GCM"),
			want: []string{"None of the allowed mechanisms lets an EC_P256 key sign", "CKM_ECDSA, CKM_ECDSA_SHA256."},
		},
		"mechanism of another kind of key that signs too": {
			token: detailed, spec: allow(signature, "CKM_AES_CMAC"), want: []string{"EC_P256 key sign"},
		},
		"mechanism of a kind that there is not here": {token: detailed, spec: allow(signature, "CKM_DSA"), want: []string{"sign"}},
		"mechanism for something else":               {token: detailed, spec: allow(signature, "CKM_ECDH1_DERIVE"), want: []string{"sign", "CKM_ECDSA"}},
		"mechanism for no keys":                      {token: detailed, spec: allow(signature, "CKM_SHA256"), want: []string{"sign"}},
		"one operation left without": {
			token: detailed, spec: allow(signature|keyring.Derive, "CKM_ECDSA"),
			want: []string{"derive", "can use: CKM_ECDH1_DERIVE", `take "derive" out of operations`},
		},
		"a mechanism for each operation":           {token: detailed, spec: allow(signature|keyring.Derive, "CKM_ECDSA", "CKM_ECDH1_DERIVE")},
		"one that serves beside one that doesn't":  {token: detailed, spec: allow(signature, "CKM_AES_GCM", "CKM_ECDSA")},
		"the vendor's own mechanism":               {token: detailed, spec: allow(signature, "CKM_0x80000001")},
		"one without flags":                        {token: detailed, spec: allow(signature, "CKM_0x80000002")},
		"one of which nothing is known":            {token: detailed, spec: allow(signature, "CKM_0x80000003")},
		"token that cannot restrict, not asked to": {token: func(c *keyring.Capabilities) { c.RestrictsMechanisms = false }},
		"token that can do nothing": {
			token: func(c *keyring.Capabilities) { *c = keyring.Capabilities{} },
			want:  []string{"cannot make EC_P256", "nothing"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			c, s := token(), validSpec()
			if tc.token != nil {
				tc.token(&c)
			}
			if tc.spec != nil {
				tc.spec(&s)
			}
			err := c.Check(s)
			if tc.want == nil {
				if err != nil {
					t.Error(err)
				}
				return
			}
			var f *fault.Error
			if !errors.As(err, &f) || f.Kind != fault.Unsupported {
				t.Fatalf("got %v, want fault.Unsupported", err)
			}
			for _, want := range append(tc.want, `key "orders"`) {
				if text := f.Error() + " " + f.Hint; !strings.Contains(text, want) {
					t.Errorf("%q is not in %q", want, text)
				}
			}
		})
	}
}
