package keyring_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/keystead/terraform-provider-hsm/internal/keyring"
)

func TestMechanismServes(t *testing.T) {
	for name, tc := range map[string]struct {
		mechanism keyring.Mechanism
		algorithm keyring.Algorithm
		operation keyring.Operations
		want      bool
	}{
		"ECDSA signs":                 {"CKM_ECDSA", keyring.ECP256, keyring.Sign, true},
		"with a hash too":             {"CKM_ECDSA_SHA256", keyring.ECSecp256k1, keyring.Sign | keyring.Derive, true},
		"ECDSA does not encrypt":      {"CKM_ECDSA", keyring.ECP256, keyring.Encrypt, false},
		"Edwards keys have their own": {"CKM_ECDSA", keyring.Ed25519, keyring.Sign, false},
		"RSA does several things":     {"CKM_RSA_PKCS", keyring.RSA2048, keyring.Unwrap, true},
		"OAEP does not sign":          {"CKM_RSA_PKCS_OAEP", keyring.RSA2048, keyring.Sign, false},
		"GCM is of AES":               {"CKM_AES_GCM", keyring.ECP256, keyring.Encrypt, false},
		"CMAC":                        {"CKM_AES_CMAC", keyring.AES256, keyring.Verify, true},
		"HMAC":                        {"CKM_SHA256_HMAC", keyring.HMACSHA256, keyring.Sign, true},
		"the vendor's own may":        {"CKM_VENDOR_SIGN", keyring.HMACSHA256, keyring.Sign, true},
	} {
		t.Run(name, func(t *testing.T) {
			if got := tc.mechanism.Serves(tc.algorithm, tc.operation); got != tc.want {
				t.Errorf("Serves = %t", got)
			}
		})
	}
}

// Each algorithm can do by some mechanism whatever it can do at all.
func TestEveryOperationHasAMechanism(t *testing.T) {
	for _, a := range keyring.Algorithms() {
		for _, name := range a.Operations().Names() {
			op, err := keyring.ParseOperations([]string{name})
			if err != nil {
				t.Fatal(err)
			}
			if !slices.ContainsFunc(keyring.KnownMechanisms(), func(m string) bool { return keyring.Mechanism(m).Serves(a, op) }) {
				t.Errorf("no mechanism lets %s keys %s", a, name)
			}
		}
	}
	if keyring.Mechanism("CKM_NOPE").IsKnown() || !keyring.Mechanism("CKM_ECDSA").IsKnown() {
		t.Error("CKM_NOPE is known, or CKM_ECDSA is not")
	}
	for _, m := range keyring.KnownMechanisms() {
		if !strings.HasPrefix(m, "CKM_") {
			t.Errorf("%s is no name of a mechanism", m)
		}
	}
}
