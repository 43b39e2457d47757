package cryptoki_test

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/asn1"
	"math/big"
	"testing"

	"github.com/keystead/terraform-provider-hsm/internal/cryptoki"
	"github.com/keystead/terraform-provider-hsm/internal/fault"
	"github.com/keystead/terraform-provider-hsm/internal/softhsm"
)

var (
	oidP256      = asn1.ObjectIdentifier{1, 2, 840, 10045, 3, 1, 7}
	oidP384      = asn1.ObjectIdentifier{1, 3, 132, 0, 34}
	oidSecp256k1 = asn1.ObjectIdentifier{1, 3, 132, 0, 10}
	oidEd25519   = asn1.ObjectIdentifier{1, 3, 101, 112}
	oidEd448     = asn1.ObjectIdentifier{1, 3, 101, 113}
)

func mechanism(code uint) cryptoki.Mechanism { return cryptoki.Mechanism{Code: code} }

// secret is a template for a secret key that may do everything.
func secret(keyType, bytes uint, onToken bool, label string) []cryptoki.Attribute {
	return []cryptoki.Attribute{
		cryptoki.Ulong(cryptoki.CKA_CLASS, cryptoki.CKO_SECRET_KEY), cryptoki.Ulong(cryptoki.CKA_KEY_TYPE, keyType),
		cryptoki.Bool(cryptoki.CKA_TOKEN, onToken), cryptoki.Bool(cryptoki.CKA_PRIVATE, true),
		cryptoki.Bytes(cryptoki.CKA_LABEL, []byte(label)), cryptoki.Bytes(cryptoki.CKA_ID, []byte(label)),
		cryptoki.Bool(cryptoki.CKA_SENSITIVE, true), cryptoki.Bool(cryptoki.CKA_EXTRACTABLE, true),
		cryptoki.Bool(cryptoki.CKA_SIGN, true), cryptoki.Bool(cryptoki.CKA_VERIFY, true),
		cryptoki.Bool(cryptoki.CKA_ENCRYPT, true), cryptoki.Bool(cryptoki.CKA_DECRYPT, true),
		cryptoki.Bool(cryptoki.CKA_WRAP, true), cryptoki.Bool(cryptoki.CKA_UNWRAP, true),
		cryptoki.Ulong(cryptoki.CKA_VALUE_LEN, bytes),
	}
}

// pair makes templates for a pair that may do everything that is asked of it here.
func pair(onToken bool, label string, public ...cryptoki.Attribute) (pub, priv []cryptoki.Attribute) {
	both := []cryptoki.Attribute{
		cryptoki.Bool(cryptoki.CKA_TOKEN, onToken), cryptoki.Bytes(cryptoki.CKA_LABEL, []byte(label)), cryptoki.Bytes(cryptoki.CKA_ID, []byte(label)),
	}
	pub = append(append([]cryptoki.Attribute{}, both...),
		cryptoki.Bool(cryptoki.CKA_PRIVATE, false), cryptoki.Bool(cryptoki.CKA_VERIFY, true),
		cryptoki.Bool(cryptoki.CKA_ENCRYPT, true), cryptoki.Bool(cryptoki.CKA_WRAP, true))
	priv = append(append([]cryptoki.Attribute{}, both...),
		cryptoki.Bool(cryptoki.CKA_PRIVATE, true), cryptoki.Bool(cryptoki.CKA_SENSITIVE, true), cryptoki.Bool(cryptoki.CKA_EXTRACTABLE, false),
		cryptoki.Bool(cryptoki.CKA_SIGN, true), cryptoki.Bool(cryptoki.CKA_DECRYPT, true), cryptoki.Bool(cryptoki.CKA_UNWRAP, true), cryptoki.Bool(cryptoki.CKA_DERIVE, true))
	return append(pub, public...), priv
}

func curve(t *testing.T, oid asn1.ObjectIdentifier) cryptoki.Attribute {
	t.Helper()
	der, err := asn1.Marshal(oid)
	if err != nil {
		t.Fatal(err)
	}
	return cryptoki.Bytes(cryptoki.CKA_EC_PARAMS, der)
}

// generate makes a session key.
func generate(t *testing.T, token *cryptoki.Token, code, keyType, length uint) cryptoki.Handle {
	t.Helper()
	o, err := token.GenerateKey(t.Context(), mechanism(code), secret(keyType, length, false, "key"))
	if err != nil {
		t.Fatal(err)
	}
	return o.Handle
}

func generatePair(t *testing.T, token *cryptoki.Token, code uint, public ...cryptoki.Attribute) (pub, priv cryptoki.Object) {
	t.Helper()
	a, b := pair(false, "pair", public...)
	pub, priv, err := token.GenerateKeyPair(t.Context(), mechanism(code), a, b)
	if err != nil {
		t.Fatal(err)
	}
	return pub, priv
}

func TestSignAndVerify(t *testing.T) {
	token := open(t, config(softhsm.New(t, "sign")))
	digest := sha256.Sum256([]byte("a message"))
	rsaPublic := []cryptoki.Attribute{cryptoki.Ulong(cryptoki.CKA_MODULUS_BITS, 2048), cryptoki.Bytes(cryptoki.CKA_PUBLIC_EXPONENT, []byte{1, 0, 1})}
	hmacKey := generate(t, token, cryptoki.CKM_GENERIC_SECRET_KEY_GEN, cryptoki.CKK_GENERIC_SECRET, 64)
	aesKey := generate(t, token, cryptoki.CKM_AES_KEY_GEN, cryptoki.CKK_AES, 32)
	rsaPub, rsaPriv := generatePair(t, token, cryptoki.CKM_RSA_PKCS_KEY_PAIR_GEN, rsaPublic...)
	p256Pub, p256Priv := generatePair(t, token, cryptoki.CKM_EC_KEY_PAIR_GEN, curve(t, oidP256))
	p384Pub, p384Priv := generatePair(t, token, cryptoki.CKM_EC_KEY_PAIR_GEN, curve(t, oidP384))
	koblitzPub, koblitzPriv := generatePair(t, token, cryptoki.CKM_EC_KEY_PAIR_GEN, curve(t, oidSecp256k1))
	ed25519Pub, ed25519Priv := generatePair(t, token, cryptoki.CKM_EC_EDWARDS_KEY_PAIR_GEN, curve(t, oidEd25519))
	ed448Pub, ed448Priv := generatePair(t, token, cryptoki.CKM_EC_EDWARDS_KEY_PAIR_GEN, curve(t, oidEd448))
	pss := cryptoki.PSS{Hash: cryptoki.CKM_SHA256, MGF: cryptoki.CKG_MGF1_SHA256, SaltLen: 32}
	tests := []struct {
		name         string
		sign, verify cryptoki.Handle
		mechanism    cryptoki.Mechanism
		length       int
	}{
		{"HMAC SHA-256", hmacKey, hmacKey, mechanism(cryptoki.CKM_SHA256_HMAC), 32},
		{"HMAC SHA-512", hmacKey, hmacKey, mechanism(cryptoki.CKM_SHA512_HMAC), 64},
		{"AES CMAC", aesKey, aesKey, mechanism(cryptoki.CKM_AES_CMAC), 16},
		{"RSA PKCS #1 v1.5", rsaPriv.Handle, rsaPub.Handle, mechanism(cryptoki.CKM_SHA256_RSA_PKCS), 256},
		{"RSA PSS of digest", rsaPriv.Handle, rsaPub.Handle, cryptoki.Mechanism{Code: cryptoki.CKM_RSA_PKCS_PSS, Params: pss}, 256},
		{"RSA PSS", rsaPriv.Handle, rsaPub.Handle, cryptoki.Mechanism{Code: cryptoki.CKM_SHA256_RSA_PKCS_PSS, Params: pss}, 256},
		{"ECDSA P-256", p256Priv.Handle, p256Pub.Handle, mechanism(cryptoki.CKM_ECDSA), 64},
		{"ECDSA P-384", p384Priv.Handle, p384Pub.Handle, mechanism(cryptoki.CKM_ECDSA), 96},
		{"ECDSA secp256k1", koblitzPriv.Handle, koblitzPub.Handle, mechanism(cryptoki.CKM_ECDSA), 64},
		{"Ed25519", ed25519Priv.Handle, ed25519Pub.Handle, mechanism(cryptoki.CKM_EDDSA), 64},
		{"Ed448", ed448Priv.Handle, ed448Pub.Handle, mechanism(cryptoki.CKM_EDDSA), 114},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			signature, err := token.Sign(t.Context(), test.mechanism, test.sign, digest[:])
			if err != nil {
				t.Fatal(err)
			}
			if len(signature) != test.length {
				t.Errorf("the signature has %d bytes, want %d", len(signature), test.length)
			}
			if err := token.Verify(t.Context(), test.mechanism, test.verify, digest[:], signature); err != nil {
				t.Errorf("good signature: %v", err)
			}
			bad := bytes.Clone(signature)
			bad[len(bad)/2] ^= 1
			if err := token.Verify(t.Context(), test.mechanism, test.verify, digest[:], bad); !fault.Is(err, fault.Invalid) {
				t.Errorf("bad signature: %v, want invalid", err)
			}
			if err := token.Verify(t.Context(), test.mechanism, test.verify, digest[:], nil); !fault.Is(err, fault.Invalid) {
				t.Errorf("no signature: %v, want invalid", err)
			}
		})
	}
	t.Run("agrees with Go", func(t *testing.T) {
		signature, err := token.Sign(t.Context(), mechanism(cryptoki.CKM_ECDSA), p256Priv.Handle, digest[:])
		if err != nil {
			t.Fatal(err)
		}
		r, s := new(big.Int).SetBytes(signature[:32]), new(big.Int).SetBytes(signature[32:])
		if public := ecdsaKey(t, p256Pub); !ecdsa.Verify(public, digest[:], r, s) {
			t.Error("Go does not verify the ECDSA signature")
		}
		signature, err = token.Sign(t.Context(), mechanism(cryptoki.CKM_EDDSA), ed25519Priv.Handle, digest[:])
		if err != nil {
			t.Fatal(err)
		}
		if !ed25519.Verify(point(t, ed25519Pub), digest[:], signature) {
			t.Error("Go does not verify the Ed25519 signature")
		}
	})
	t.Run("nothing to sign", func(t *testing.T) {
		if _, err := token.Sign(t.Context(), mechanism(cryptoki.CKM_SHA256_HMAC), hmacKey, nil); err != nil {
			t.Errorf("HMAC of nothing: %v", err)
		}
	})
}

// point returns the public point, which SoftHSM wraps in an OCTET STRING.
func point(t *testing.T, o cryptoki.Object) []byte {
	t.Helper()
	var raw []byte
	if _, err := asn1.Unmarshal(o.Bytes(cryptoki.CKA_EC_POINT), &raw); err != nil {
		t.Fatal(err)
	}
	return raw
}

func ecdsaKey(t *testing.T, o cryptoki.Object) *ecdsa.PublicKey {
	t.Helper()
	public, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), point(t, o))
	if err != nil {
		t.Fatal(err)
	}
	return public
}

func TestEncryptAndDecrypt(t *testing.T) {
	token := open(t, config(softhsm.New(t, "encrypt")))
	key := generate(t, token, cryptoki.CKM_AES_KEY_GEN, cryptoki.CKK_AES, 32)
	rsaPub, rsaPriv := generatePair(t, token, cryptoki.CKM_RSA_PKCS_KEY_PAIR_GEN,
		cryptoki.Ulong(cryptoki.CKA_MODULUS_BITS, 2048), cryptoki.Bytes(cryptoki.CKA_PUBLIC_EXPONENT, []byte{1, 0, 1}))
	gcm := cryptoki.GCM{IV: bytes.Repeat([]byte{7}, 12), AAD: []byte("context"), TagBits: 128}
	tests := []struct {
		name             string
		encrypt, decrypt cryptoki.Handle
		mechanism        cryptoki.Mechanism
		plain            []byte
		length           int
	}{
		{"GCM", key, key, cryptoki.Mechanism{Code: cryptoki.CKM_AES_GCM, Params: gcm}, []byte("plain text"), 26},
		{"GCM of nothing", key, key, cryptoki.Mechanism{Code: cryptoki.CKM_AES_GCM, Params: gcm}, nil, 16},
		{"GCM without context", key, key, cryptoki.Mechanism{Code: cryptoki.CKM_AES_GCM, Params: cryptoki.GCM{IV: make([]byte, 12), TagBits: 128}}, []byte("plain text"), 26},
		{"GCM of much", key, key, cryptoki.Mechanism{Code: cryptoki.CKM_AES_GCM, Params: gcm}, make([]byte, 100_000), 100_016},
		{"CBC", key, key, cryptoki.Mechanism{Code: cryptoki.CKM_AES_CBC_PAD, Params: cryptoki.Raw(make([]byte, 16))}, []byte("plain text"), 16},
		{"OAEP", rsaPub.Handle, rsaPriv.Handle, cryptoki.Mechanism{Code: cryptoki.CKM_RSA_PKCS_OAEP, Params: cryptoki.OAEP{Hash: cryptoki.CKM_SHA_1, MGF: cryptoki.CKG_MGF1_SHA1}}, []byte("plain text"), 256},
		{"PKCS #1 v1.5", rsaPub.Handle, rsaPriv.Handle, mechanism(cryptoki.CKM_RSA_PKCS), []byte("plain text"), 256},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			encrypted, err := token.Encrypt(t.Context(), test.mechanism, test.encrypt, test.plain)
			if err != nil {
				t.Fatal(err)
			}
			if len(encrypted) != test.length {
				t.Errorf("the ciphertext has %d bytes, want %d", len(encrypted), test.length)
			}
			decrypted, err := token.Decrypt(t.Context(), test.mechanism, test.decrypt, encrypted)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(decrypted, test.plain) {
				t.Errorf("decrypted %q, want %q", decrypted, test.plain)
			}
		})
	}
	t.Run("altered", func(t *testing.T) {
		m := cryptoki.Mechanism{Code: cryptoki.CKM_AES_GCM, Params: gcm}
		encrypted, err := token.Encrypt(t.Context(), m, key, []byte("plain text"))
		if err != nil {
			t.Fatal(err)
		}
		encrypted[0] ^= 1
		if _, err := token.Decrypt(t.Context(), m, key, encrypted); err == nil {
			t.Error("an altered ciphertext was decrypted")
		}
		if _, err := token.Decrypt(t.Context(), m, key, nil); err == nil {
			t.Error("nothing was decrypted")
		}
	})
	t.Run("OAEP with SHA-256 is refused", func(t *testing.T) {
		m := cryptoki.Mechanism{Code: cryptoki.CKM_RSA_PKCS_OAEP, Params: cryptoki.OAEP{Hash: cryptoki.CKM_SHA256, MGF: cryptoki.CKG_MGF1_SHA256}}
		if _, err := token.Encrypt(t.Context(), m, rsaPub.Handle, []byte("plain text")); err == nil || cryptoki.IsRefusal(err) {
			t.Errorf("got %v, want an error that is no refusal", err)
		} else {
			t.Log(err)
		}
	})
}

func TestWrapAndUnwrap(t *testing.T) {
	token := open(t, config(softhsm.New(t, "wrap")))
	wrapping := generate(t, token, cryptoki.CKM_AES_KEY_GEN, cryptoki.CKK_AES, 32)
	rsaPub, rsaPriv := generatePair(t, token, cryptoki.CKM_RSA_PKCS_KEY_PAIR_GEN,
		cryptoki.Ulong(cryptoki.CKA_MODULUS_BITS, 2048), cryptoki.Bytes(cryptoki.CKA_PUBLIC_EXPONENT, []byte{1, 0, 1}))
	oaep := cryptoki.Mechanism{Code: cryptoki.CKM_RSA_PKCS_OAEP, Params: cryptoki.OAEP{Hash: cryptoki.CKM_SHA_1, MGF: cryptoki.CKG_MGF1_SHA1}}
	tests := []struct {
		name         string
		wrap, unwrap cryptoki.Handle
		mechanism    cryptoki.Mechanism
		length       int
	}{
		{"KW", wrapping, wrapping, mechanism(cryptoki.CKM_AES_KEY_WRAP), 40},
		{"KWP", wrapping, wrapping, mechanism(cryptoki.CKM_AES_KEY_WRAP_PAD), 40},
		{"OAEP", rsaPub.Handle, rsaPriv.Handle, oaep, 256},
		{"PKCS #1 v1.5", rsaPub.Handle, rsaPriv.Handle, mechanism(cryptoki.CKM_RSA_PKCS), 256},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			key := generate(t, token, cryptoki.CKM_AES_KEY_GEN, cryptoki.CKK_AES, 32)
			wrapped, err := token.Wrap(t.Context(), test.mechanism, test.wrap, key)
			if err != nil {
				t.Fatal(err)
			}
			if len(wrapped) != test.length {
				t.Errorf("the wrapped key has %d bytes, want %d", len(wrapped), test.length)
			}
			template := secret(cryptoki.CKK_AES, 0, false, "copy")
			again, err := token.Unwrap(t.Context(), test.mechanism, test.unwrap, wrapped, template[:len(template)-1])
			if err != nil {
				t.Fatal(err)
			}
			sameKey(t, token, key, again.Handle)
		})
	}
	t.Run("nothing", func(t *testing.T) {
		if _, err := token.Unwrap(t.Context(), mechanism(cryptoki.CKM_AES_KEY_WRAP), wrapping, nil, nil); !fault.Is(err, fault.Invalid) {
			t.Errorf("got %v, want invalid", err)
		}
	})
	t.Run("not extractable", func(t *testing.T) {
		_, err := token.Wrap(t.Context(), mechanism(cryptoki.CKM_AES_KEY_WRAP), wrapping, rsaPriv.Handle)
		if code, _ := cryptoki.Code(err); code != cryptoki.CKR_KEY_UNEXTRACTABLE || cryptoki.IsRefusal(err) {
			t.Errorf("got %v, want CKR_KEY_UNEXTRACTABLE, which says nothing about the wrapping key", err)
		}
	})
}

// sameKey fails unless two AES keys encrypt alike.
func sameKey(t *testing.T, token *cryptoki.Token, x, y cryptoki.Handle) {
	t.Helper()
	var out [2][]byte
	for i, h := range []cryptoki.Handle{x, y} {
		encrypted, err := token.Encrypt(t.Context(), mechanism(cryptoki.CKM_AES_ECB), h, make([]byte, 16))
		if err != nil {
			t.Fatal(err)
		}
		out[i] = encrypted
	}
	if !bytes.Equal(out[0], out[1]) {
		t.Error("the keys differ")
	}
}

// TestDerive agrees on a secret with Go's ECDH and shows by encrypting that both
// sides have the same.
func TestDerive(t *testing.T) {
	token := open(t, config(softhsm.New(t, "derive")))
	pub, priv := generatePair(t, token, cryptoki.CKM_EC_KEY_PAIR_GEN, curve(t, oidP256))
	other, err := ecdh.P256().GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	m := cryptoki.Mechanism{Code: cryptoki.CKM_ECDH1_DERIVE, Params: cryptoki.ECDH{KDF: cryptoki.CKD_NULL, Public: other.PublicKey().Bytes()}}
	derived, err := token.Derive(t.Context(), m, priv.Handle, secret(cryptoki.CKK_AES, 32, false, "derived"))
	if err != nil {
		t.Fatal(err)
	}
	mine, err := ecdh.P256().NewPublicKey(point(t, pub))
	if err != nil {
		t.Fatal(err)
	}
	shared, err := other.ECDH(mine)
	if err != nil {
		t.Fatal(err)
	}
	block, err := aes.NewCipher(shared)
	if err != nil {
		t.Fatal(err)
	}
	gcm, err := cipher.NewGCM(block)
	if err != nil {
		t.Fatal(err)
	}
	iv := make([]byte, 12)
	plain, err := token.Decrypt(t.Context(), cryptoki.Mechanism{Code: cryptoki.CKM_AES_GCM, Params: cryptoki.GCM{IV: iv, TagBits: 128}},
		derived, gcm.Seal(nil, iv, []byte("agreed"), nil))
	if err != nil || string(plain) != "agreed" {
		t.Errorf("got %q, %v", plain, err)
	}
}

func TestRefusals(t *testing.T) {
	token := open(t, config(softhsm.New(t, "refusals")))
	none := []cryptoki.Attribute{cryptoki.Bool(cryptoki.CKA_SIGN, false), cryptoki.Bool(cryptoki.CKA_ENCRYPT, false), cryptoki.Bool(cryptoki.CKA_WRAP, false)}
	key := generate(t, token, cryptoki.CKM_AES_KEY_GEN, cryptoki.CKK_AES, 32)
	if err := token.SetAttributes(t.Context(), key, none); err != nil {
		t.Fatal(err)
	}
	_, err := token.Sign(t.Context(), mechanism(cryptoki.CKM_AES_CMAC), key, []byte("data"))
	if !cryptoki.IsRefusal(err) || !fault.Is(err, fault.Unsupported) {
		t.Errorf("sign: %v, want a refusal", err)
	}
	_, err = token.Encrypt(t.Context(), mechanism(cryptoki.CKM_AES_ECB), key, make([]byte, 16))
	if !cryptoki.IsRefusal(err) {
		t.Errorf("encrypt: %v, want a refusal", err)
	}
	other := generate(t, token, cryptoki.CKM_AES_KEY_GEN, cryptoki.CKK_AES, 32)
	_, err = token.Wrap(t.Context(), mechanism(cryptoki.CKM_AES_KEY_WRAP), key, other)
	if !cryptoki.IsRefusal(err) {
		t.Errorf("wrap: %v, want a refusal", err)
	}
	if _, err := token.Decrypt(t.Context(), mechanism(cryptoki.CKM_AES_ECB), key, make([]byte, 16)); err != nil {
		t.Errorf("decrypt, which is still on: %v", err)
	}
	if _, err := token.Sign(t.Context(), mechanism(0x80001234), other, []byte("data")); err == nil || cryptoki.IsRefusal(err) {
		t.Errorf("unknown mechanism: %v, want an error that is no refusal", err)
	}
}

func TestRSAPublicKey(t *testing.T) {
	token := open(t, config(softhsm.New(t, "rsa")))
	pub, priv := generatePair(t, token, cryptoki.CKM_RSA_PKCS_KEY_PAIR_GEN,
		cryptoki.Ulong(cryptoki.CKA_MODULUS_BITS, 2048), cryptoki.Bytes(cryptoki.CKA_PUBLIC_EXPONENT, []byte{1, 0, 1}))
	public := rsa.PublicKey{N: new(big.Int).SetBytes(pub.Bytes(cryptoki.CKA_MODULUS)), E: int(new(big.Int).SetBytes(pub.Bytes(cryptoki.CKA_PUBLIC_EXPONENT)).Int64())}
	encrypted, err := rsa.EncryptPKCS1v15(rand.Reader, &public, []byte("to the HSM")) //nolint:staticcheck // what every token can do
	if err != nil {
		t.Fatal(err)
	}
	plain, err := token.Decrypt(t.Context(), mechanism(cryptoki.CKM_RSA_PKCS), priv.Handle, encrypted)
	if err != nil || string(plain) != "to the HSM" {
		t.Errorf("got %q, %v", plain, err)
	}
}
