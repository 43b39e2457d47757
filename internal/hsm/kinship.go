package hsm

import (
	"slices"
	"strings"

	"github.com/keystead/terraform-provider-hsm/internal/cryptoki"
	"github.com/keystead/terraform-provider-hsm/internal/keyring"
)

// kinships tell by a mechanism's name in the standard which family of keys it works
// with; the first that fits decides. Family 0 is a kind of key that is not ours.
var kinships = []struct {
	part   string // of the name, without "CKM" and with an underscore at its end
	family keyring.Family
}{
	{"_RSA_", keyring.RSA}, // CKM_RSA_AES_KEY_WRAP too: it is the RSA key that wraps
	{"_ECDSA_", keyring.EC},
	{"_ECDH_", keyring.EC},
	{"_ECDH1_", keyring.EC},
	{"_ECMQV_", keyring.EC},
	{"_EDDSA_", keyring.Edwards},
	{"_HMAC_", keyring.HMAC},
	{"_AES_", keyring.AES},
	{"_DSA_", 0}, {"_DH_", 0}, {"_X9_42_", 0}, {"_KEA_", 0}, {"_GOSTR3410_", 0}, {"_GOST28147_", 0},
	{"_DES_", 0}, {"_DES2_", 0}, {"_DES3_", 0}, {"_CDMF_", 0}, {"_RC2_", 0}, {"_RC4_", 0}, {"_RC5_", 0}, {"_IDEA_", 0},
	{"_CAST_", 0}, {"_CAST3_", 0}, {"_CAST128_", 0}, {"_BLOWFISH_", 0}, {"_TWOFISH_", 0}, {"_CAMELLIA_", 0}, {"_ARIA_", 0}, {"_SEED_", 0},
	{"_SKIPJACK_", 0}, {"_BATON_", 0}, {"_JUNIPER_", 0}, {"_CHACHA20_", 0}, {"_SALSA20_", 0}, {"_POLY1305_", 0},
}

// worksWith returns the algorithms whose keys a mechanism works with: none of ours is
// an empty list, a mechanism of which that is not known (the vendor's own, and what
// works with any kind of key) gives nil.
func worksWith(code uint) []keyring.Algorithm {
	name := strings.TrimPrefix(cryptoki.MechanismName(code), "CKM") + "_"
	for _, k := range kinships {
		if strings.Contains(name, k.part) {
			return slices.DeleteFunc(keyring.Algorithms(), func(a keyring.Algorithm) bool { return a.Family() != k.family || tooLong(a, name) })
		}
	}
	return nil
}

// tooLong reports whether a MAC's hash is longer than the keys of an algorithm. Such
// keys are weaker than the MAC (RFC 2104 section 3), and most tokens refuse them.
func tooLong(a keyring.Algorithm, name string) bool {
	for _, longer := range []keyring.Algorithm{keyring.HMACSHA384, keyring.HMACSHA512} {
		own := macSchemes[longer][0].mechanism.Code
		if strings.HasPrefix(name, strings.TrimPrefix(cryptoki.MechanismName(own), "CKM")+"_") {
			return a.Family() == keyring.HMAC && a.Bits() < longer.Bits()
		}
	}
	return false
}
