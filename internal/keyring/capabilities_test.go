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
