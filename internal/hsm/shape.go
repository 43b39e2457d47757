package hsm

import (
	"bytes"
	"fmt"

	"github.com/keystead/terraform-provider-hsm/internal/cryptoki"
	"github.com/keystead/terraform-provider-hsm/internal/fault"
	"github.com/keystead/terraform-provider-hsm/internal/keyring"
)

// shape is how PKCS#11 writes down one algorithm.
type shape struct {
	keyType  uint   // CKK_…
	generate uint   // CKM_… that makes it
	length   uint   // CKA_VALUE_LEN in bytes, for secret keys
	modulus  uint   // CKA_MODULUS_BITS, for RSA
	params   []byte // CKA_EC_PARAMS: the DER of the curve's object identifier
	// spelled is the curve as a DER PrintableString, the other form that
	// CKA_EC_PARAMS may take (Current Mechanisms 3.0, section 2.3.10). Tools write
	// it, we do not.
	spelled []byte
	point   int // length in bytes of the point inside CKA_EC_POINT
}

// The object identifiers are those of RFC 5480 section 2.1.1.1, SEC 2 (secp256k1)
// and RFC 8410 section 3.
var shapes = map[keyring.Algorithm]shape{
	keyring.AES128: {keyType: cryptoki.CKK_AES, generate: cryptoki.CKM_AES_KEY_GEN, length: 16},
	keyring.AES192: {keyType: cryptoki.CKK_AES, generate: cryptoki.CKM_AES_KEY_GEN, length: 24},
	keyring.AES256: {keyType: cryptoki.CKK_AES, generate: cryptoki.CKM_AES_KEY_GEN, length: 32},

	// As long as the digest: some tokens refuse a shorter key (RFC 2104 section 3
	// discourages one), a longer one gains nothing.
	keyring.HMACSHA256: {keyType: cryptoki.CKK_GENERIC_SECRET, generate: cryptoki.CKM_GENERIC_SECRET_KEY_GEN, length: 32},
	keyring.HMACSHA384: {keyType: cryptoki.CKK_GENERIC_SECRET, generate: cryptoki.CKM_GENERIC_SECRET_KEY_GEN, length: 48},
	keyring.HMACSHA512: {keyType: cryptoki.CKK_GENERIC_SECRET, generate: cryptoki.CKM_GENERIC_SECRET_KEY_GEN, length: 64},

	keyring.RSA2048: {keyType: cryptoki.CKK_RSA, generate: cryptoki.CKM_RSA_PKCS_KEY_PAIR_GEN, modulus: 2048},
	keyring.RSA3072: {keyType: cryptoki.CKK_RSA, generate: cryptoki.CKM_RSA_PKCS_KEY_PAIR_GEN, modulus: 3072},
	keyring.RSA4096: {keyType: cryptoki.CKK_RSA, generate: cryptoki.CKM_RSA_PKCS_KEY_PAIR_GEN, modulus: 4096},

	keyring.ECP256: {
		keyType: cryptoki.CKK_EC, generate: cryptoki.CKM_EC_KEY_PAIR_GEN, point: 65,
		params: []byte{0x06, 0x08, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x03, 0x01, 0x07}, // 1.2.840.10045.3.1.7
	},
	keyring.ECP384: {
		keyType: cryptoki.CKK_EC, generate: cryptoki.CKM_EC_KEY_PAIR_GEN, point: 97,
		params: []byte{0x06, 0x05, 0x2B, 0x81, 0x04, 0x00, 0x22}, // 1.3.132.0.34
	},
	keyring.ECP521: {
		keyType: cryptoki.CKK_EC, generate: cryptoki.CKM_EC_KEY_PAIR_GEN, point: 133,
		params: []byte{0x06, 0x05, 0x2B, 0x81, 0x04, 0x00, 0x23}, // 1.3.132.0.35
	},
	keyring.ECSecp256k1: {
		keyType: cryptoki.CKK_EC, generate: cryptoki.CKM_EC_KEY_PAIR_GEN, point: 65,
		params: []byte{0x06, 0x05, 0x2B, 0x81, 0x04, 0x00, 0x0A}, // 1.3.132.0.10
	},
	keyring.Ed25519: {
		keyType: cryptoki.CKK_EC_EDWARDS, generate: cryptoki.CKM_EC_EDWARDS_KEY_PAIR_GEN, point: 32,
		params:  []byte{0x06, 0x03, 0x2B, 0x65, 0x70}, // 1.3.101.112
		spelled: append([]byte{0x13, 12}, "edwards25519"...),
	},
	keyring.Ed448: {
		keyType: cryptoki.CKK_EC_EDWARDS, generate: cryptoki.CKM_EC_EDWARDS_KEY_PAIR_GEN, point: 57,
		params:  []byte{0x06, 0x03, 0x2B, 0x65, 0x71}, // 1.3.101.113
		spelled: append([]byte{0x13, 10}, "edwards448"...),
	},
}

// recognise tells the algorithm of a key object. A key of a type or size that is
// not among ours is fault.Unsupported and named; an object that does not say what
// it is (a kill during generation leaves such) is fault.Inconsistent.
func recognise(o cryptoki.Object) (keyring.Algorithm, error) {
	keyType, ok := o.Ulong(cryptoki.CKA_KEY_TYPE)
	if !ok {
		return "", strange(o, "It has no key type (CKA_KEY_TYPE).")
	}
	switch keyType {
	case cryptoki.CKK_AES, cryptoki.CKK_GENERIC_SECRET, cryptoki.CKK_SHA256_HMAC, cryptoki.CKK_SHA384_HMAC, cryptoki.CKK_SHA512_HMAC:
		return recogniseSecret(o, keyType)
	case cryptoki.CKK_RSA:
		bits := 8 * len(bytes.TrimLeft(o.Bytes(cryptoki.CKA_MODULUS), "\x00"))
		for _, a := range []keyring.Algorithm{keyring.RSA2048, keyring.RSA3072, keyring.RSA4096} {
			if a.Bits() == bits {
				return a, nil
			}
		}
		return "", unsupportedKey(o, fmt.Sprintf("an RSA key of %d bits", bits))
	case cryptoki.CKK_EC, cryptoki.CKK_EC_EDWARDS:
		params := o.Bytes(cryptoki.CKA_EC_PARAMS)
		if len(params) == 0 {
			return "", strange(o, "It does not name its curve (CKA_EC_PARAMS).")
		}
		for a, s := range shapes {
			if s.params != nil && s.keyType == keyType && (bytes.Equal(params, s.params) || bytes.Equal(params, s.spelled)) {
				return a, nil
			}
		}
		return "", unsupportedKey(o, fmt.Sprintf("a key on the curve with CKA_EC_PARAMS %x", params))
	}
	if name, ok := otherTypes[keyType]; ok {
		return "", unsupportedKey(o, fmt.Sprintf("a key of type %s (CKA_KEY_TYPE 0x%X)", name, keyType))
	}
	return "", unsupportedKey(o, fmt.Sprintf("a key of type 0x%X (CKA_KEY_TYPE)", keyType))
}

// recogniseRecorded is recognise for the object of a record. A secret key that the token
// unwrapped may not tell its length: it is then as long as was found out at the import.
// That it is the same key is told by its check value, as with every other key.
func recogniseRecorded(ref keyring.Ref, o cryptoki.Object) (keyring.Algorithm, error) {
	keyType, _ := o.Ulong(cryptoki.CKA_KEY_TYPE)
	if ref.Imported != "" && o.Class == cryptoki.CKO_SECRET_KEY && length(o) == 0 && keyType == shapes[ref.Imported].keyType {
		return ref.Imported, nil
	}
	return recognise(o)
}

// length is how many bytes a secret key has, 0 if it does not tell.
func length(o cryptoki.Object) uint {
	n, _ := o.Ulong(cryptoki.CKA_VALUE_LEN)
	return n
}

// otherTypes are the standard's names of key types that are not ours, without "CKK_".
var otherTypes = map[uint]string{
	cryptoki.CKK_DSA: "DSA", cryptoki.CKK_DH: "DH", 0x4: "X9_42_DH", 0x11: "RC2", 0x12: "RC4", 0x13: "DES", 0x14: "DES2", cryptoki.CKK_DES3: "DES3",
	0x18: "CAST128", 0x19: "RC5", 0x1A: "IDEA", 0x20: "BLOWFISH", 0x21: "TWOFISH", 0x22: "SECURID", 0x23: "HOTP", 0x25: "CAMELLIA", 0x26: "ARIA",
	0x27: "MD5_HMAC", cryptoki.CKK_SHA_1_HMAC: "SHA_1_HMAC", cryptoki.CKK_SHA224_HMAC: "SHA224_HMAC", 0x2F: "SEED", 0x30: "GOSTR3410", 0x32: "GOST28147",
	cryptoki.CKK_CHACHA20: "CHACHA20", 0x34: "POLY1305", 0x35: "AES_XTS", cryptoki.CKK_EC_MONTGOMERY: "EC_MONTGOMERY", cryptoki.CKK_HKDF: "HKDF",
}

func recogniseSecret(o cryptoki.Object, keyType uint) (keyring.Algorithm, error) {
	length := length(o)
	if length == 0 {
		return "", unsupportedKey(o, "a secret key that does not tell its length (CKA_VALUE_LEN)")
	}
	// CKK_SHA256_HMAC and its like are generic secrets that say what they are for.
	hashes := map[uint]keyring.Algorithm{
		cryptoki.CKK_SHA256_HMAC: keyring.HMACSHA256, cryptoki.CKK_SHA384_HMAC: keyring.HMACSHA384, cryptoki.CKK_SHA512_HMAC: keyring.HMACSHA512,
	}
	for a, s := range shapes {
		if s.length != 0 && s.length == length && (s.keyType == keyType || hashes[keyType] == a) {
			return a, nil
		}
	}
	kind := "a secret key"
	if keyType == cryptoki.CKK_AES {
		kind = "an AES key"
	}
	return "", unsupportedKey(o, fmt.Sprintf("%s of %d bits", kind, 8*length))
}

func unsupportedKey(o cryptoki.Object, what string) error {
	return &fault.Error{
		Kind: fault.Unsupported, Op: "read key", Subject: describe(o), Problem: "This is " + what + ", which is not supported here.",
		Hint: "Supported are " + join(keyring.AlgorithmNames()) + ".",
	}
}

func strange(o cryptoki.Object, problem string) error {
	return &fault.Error{
		Kind: fault.Inconsistent, Op: "read key", Subject: describe(o), Problem: problem,
		Hint: "The object is incomplete or was changed by something else. Look at it with `pkcs11-tool --list-objects` before you remove it.",
	}
}
