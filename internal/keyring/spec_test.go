package keyring_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/keystead/terraform-provider-hsm/internal/fault"
	"github.com/keystead/terraform-provider-hsm/internal/keyring"
)

func TestValidateName(t *testing.T) {
	for name, ok := range map[string]bool{
		"a": true, "0": true, "orders": true, "Orders.v2_EU-west": true, strings.Repeat("k", 63): true,
		"": false, strings.Repeat("k", 64): false, "-orders": false, ".orders": false, "_orders": false,
		"two words": false, "orders/eu": false, "orders:1": false, "orders\n": false, "größe": false, "a;b": false, "a%20b": false,
	} {
		if err := keyring.ValidateName(name); (err == nil) != ok || (!ok && !fault.Is(err, fault.Invalid)) {
			t.Errorf("%q: %v", name, err)
		}
	}
}

func validSpec() keyring.Spec {
	return keyring.Spec{
		Name: "orders", Algorithm: keyring.ECP256, Operations: keyring.Sign | keyring.Verify,
		Enabled: true, DeletionProtection: true, OnDestroy: keyring.DestroyDisables,
	}
}

func TestSpecValidate(t *testing.T) {
	for name, tc := range map[string]struct {
		change func(*keyring.Spec)
		want   string // part of the error, empty for none
	}{
		"as it is":              {func(*keyring.Spec) {}, ""},
		"everything possible":   {func(s *keyring.Spec) { s.Operations = s.Algorithm.Operations() }, ""},
		"one operation":         {func(s *keyring.Spec) { s.Operations = keyring.Derive }, ""},
		"mechanisms":            {func(s *keyring.Spec) { s.AllowedMechanisms = []keyring.Mechanism{"CKM_ECDSA", "CKM_SHA256_RSA_PKCS"} }, ""},
		"destroyed with it":     {func(s *keyring.Spec) { s.OnDestroy = keyring.DestroyDestroys }, ""},
		"retained":              {func(s *keyring.Spec) { s.OnDestroy = keyring.DestroyRetains }, ""},
		"no name":               {func(s *keyring.Spec) { s.Name = "" }, `name ""`},
		"no algorithm":          {func(s *keyring.Spec) { s.Algorithm = "" }, `algorithm ""`},
		"unknown algorithm":     {func(s *keyring.Spec) { s.Algorithm = "DES" }, `algorithm "DES"`},
		"impossible operation":  {func(s *keyring.Spec) { s.Operations |= keyring.Encrypt | keyring.Wrap }, "cannot encrypt, wrap"},
		"no operation":          {func(s *keyring.Spec) { s.Operations = keyring.None }, "without any operation"},
		"not a mechanism":       {func(s *keyring.Spec) { s.AllowedMechanisms = []keyring.Mechanism{"CKM_ECDSA", "ECDSA"} }, `"ECDSA"`},
		"mechanism, lower case": {func(s *keyring.Spec) { s.AllowedMechanisms = []keyring.Mechanism{"ckm_ecdsa"} }, `"ckm_ecdsa"`},
		"on_destroy missing":    {func(s *keyring.Spec) { s.OnDestroy = "" }, "on_destroy"},
		"on_destroy unknown":    {func(s *keyring.Spec) { s.OnDestroy = "shred" }, `"shred"`},
	} {
		t.Run(name, func(t *testing.T) {
			spec := validSpec()
			tc.change(&spec)
			err := spec.Validate()
			if tc.want == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			var f *fault.Error
			if !errors.As(err, &f) || f.Kind != fault.Invalid || !strings.Contains(err.Error(), tc.want) || f.Hint == "" {
				t.Errorf("got %v; want fault.Invalid with a hint and %q in it", err, tc.want)
			}
		})
	}
}
