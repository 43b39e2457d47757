package hsm_test

import (
	"slices"
	"testing"

	"github.com/keystead/terraform-provider-hsm/internal/fault"
	"github.com/keystead/terraform-provider-hsm/internal/hsm"
	"github.com/keystead/terraform-provider-hsm/internal/keyring"
)

func TestWorksWith(t *testing.T) {
	edwards := []keyring.Algorithm{keyring.Ed25519, keyring.Ed448}
	curves := []keyring.Algorithm{keyring.ECP256, keyring.ECP384, keyring.ECP521, keyring.ECSecp256k1}
	rsa := []keyring.Algorithm{keyring.RSA2048, keyring.RSA3072, keyring.RSA4096}
	aes := []keyring.Algorithm{keyring.AES128, keyring.AES192, keyring.AES256}
	macs := []keyring.Algorithm{keyring.HMACSHA256, keyring.HMACSHA384, keyring.HMACSHA512}
	none := []keyring.Algorithm{}
	for name, want := range map[string][]keyring.Algorithm{
		"CKM_ECDSA": curves, "CKM_ECDSA_SHA3_512": curves, "CKM_ECDH1_COFACTOR_DERIVE": curves, "CKM_ECDH_AES_KEY_WRAP": curves,
		"CKM_EDDSA":    edwards,
		"CKM_RSA_PKCS": rsa, "CKM_SHA512_RSA_PKCS_PSS": rsa, "CKM_RSA_AES_KEY_WRAP": rsa,
		"CKM_AES_GCM": aes, "CKM_AES_KEY_WRAP": aes, "CKM_AES_CMAC_GENERAL": aes,
		"CKM_SHA256_HMAC": macs, "CKM_SHA_1_HMAC": macs, "CKM_SHA512_256_HMAC": macs,
		"CKM_SHA384_HMAC": macs[1:], "CKM_SHA512_HMAC": macs[2:], "CKM_SHA512_HMAC_GENERAL": macs[2:],
		"CKM_DSA_SHA256": none, "CKM_DES3_CBC": none, "CKM_DH_PKCS_DERIVE": none,
		"CKM_SHA256": nil, "CKM_0x80001234": nil, "CKM_HKDF_DERIVE": nil,
	} {
		if got := hsm.WorksWith(t, name); !slices.Equal(got, want) || (got == nil) != (want == nil) {
			t.Errorf("%s works with %v, want %v", name, got, want)
		}
	}
}

// TestAllowedMechanisms: what a key of each algorithm may do is refused with the
// mechanisms of all other kinds, and not with those of its own, on a real token.
func TestAllowedMechanisms(t *testing.T) {
	c, err := newBench(t).hsm.Capabilities(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range keyring.Algorithms() {
		spec := keyring.Spec{Name: "allowed", Algorithm: a, Operations: a.DefaultOperations()}
		for family, m := range map[keyring.Family]keyring.Mechanism{
			keyring.AES: "CKM_AES_GCM", keyring.HMAC: "CKM_SHA256_HMAC", keyring.RSA: "CKM_RSA_PKCS", keyring.EC: "CKM_ECDSA", keyring.Edwards: "CKM_EDDSA",
			0: "CKM_DES3_CBC", 99: "CKM_SHA256",
		} {
			spec.AllowedMechanisms = []keyring.Mechanism{m}
			if err := c.Check(spec); (err == nil) != (family == a.Family()) || err != nil && !fault.Is(err, fault.Unsupported) {
				t.Errorf("%s with %s: %v", a, m, err)
			}
		}
	}
}
