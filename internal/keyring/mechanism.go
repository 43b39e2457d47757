package keyring

import (
	"slices"
)

// mechanismFacts is what keys of one family can be asked to do by a mechanism.
type mechanismFacts struct {
	family     Family
	operations Operations
}

// mechanisms holds the mechanisms of PKCS#11 3.1 by which keys of the algorithms here do
// something, by name. How long a key has to be for one is not told.
var mechanisms = func() map[Mechanism]mechanismFacts {
	all := map[Mechanism]mechanismFacts{}
	add := func(f Family, op Operations, names ...string) {
		for _, name := range names {
			facts := all[Mechanism("CKM_"+name)]
			all[Mechanism("CKM_"+name)] = mechanismFacts{f, facts.operations | op}
		}
	}
	const cipher, transport = Encrypt | Decrypt, Wrap | Unwrap
	add(RSA, signature|cipher|transport, "RSA_PKCS", "RSA_X_509")
	add(RSA, cipher|transport, "RSA_PKCS_OAEP", "RSA_PKCS_TPM_1_1", "RSA_PKCS_OAEP_TPM_1_1")
	add(RSA, signature, "RSA_PKCS_PSS", "RSA_9796", "RSA_X9_31", "SHA1_RSA_X9_31", "MD5_RSA_PKCS", "RIPEMD128_RSA_PKCS", "RIPEMD160_RSA_PKCS")
	add(RSA, transport, "RSA_AES_KEY_WRAP")
	add(EC, signature, "ECDSA")
	add(EC, Derive, "ECDH1_DERIVE", "ECDH1_COFACTOR_DERIVE", "ECMQV_DERIVE")
	add(EC, transport, "ECDH_AES_KEY_WRAP", "ECDH_X_AES_KEY_WRAP", "ECDH_COF_AES_KEY_WRAP")
	for _, hash := range []string{"SHA1", "SHA224", "SHA256", "SHA384", "SHA512", "SHA3_224", "SHA3_256", "SHA3_384", "SHA3_512"} {
		add(RSA, signature, hash+"_RSA_PKCS", hash+"_RSA_PKCS_PSS")
		add(EC, signature, "ECDSA_"+hash)
	}
	add(Edwards, signature, "EDDSA")
	for _, hash := range []string{
		"MD5", "SHA_1", "SHA224", "SHA256", "SHA384", "SHA512", "SHA512_224", "SHA512_256", "SHA512_T", "SHA3_224", "SHA3_256", "SHA3_384", "SHA3_512",
		"BLAKE2B_160", "BLAKE2B_256", "BLAKE2B_384", "BLAKE2B_512", "RIPEMD128", "RIPEMD160",
	} {
		add(HMAC, signature, hash+"_HMAC", hash+"_HMAC_GENERAL")
	}
	add(AES, cipher|transport, "AES_ECB", "AES_CBC", "AES_CBC_PAD", "AES_CTR", "AES_CTS", "AES_GCM", "AES_CCM", "AES_OFB", "AES_CFB1", "AES_CFB8", "AES_CFB64", "AES_CFB128", "AES_XTS")
	add(AES, cipher|transport, "AES_KEY_WRAP", "AES_KEY_WRAP_PAD", "AES_KEY_WRAP_KWP", "AES_KEY_WRAP_PKCS7")
	add(AES, signature, "AES_MAC", "AES_MAC_GENERAL", "AES_CMAC", "AES_CMAC_GENERAL", "AES_XCBC_MAC", "AES_XCBC_MAC_96", "AES_GMAC")
	return all
}()

// IsKnown reports whether the standard has the mechanism, and keys of some algorithm here
// do something by it. The vendor of a token may have mechanisms of its own.
func (m Mechanism) IsKnown() bool { return mechanisms[m].family != 0 }

// Serves reports whether keys of an algorithm can carry out one of the operations by the
// mechanism, as the standard has it. Of a mechanism that is not known it is true.
func (m Mechanism) Serves(a Algorithm, op Operations) bool {
	facts := mechanisms[m]
	return facts.family == 0 || facts.family == a.Family() && facts.operations&op != 0
}

// KnownMechanisms lists the mechanisms that are known, by name.
func KnownMechanisms() []string {
	names := make([]string, 0, len(mechanisms))
	for m := range mechanisms {
		names = append(names, string(m))
	}
	slices.Sort(names)
	return names
}
