package hsm

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	_ "crypto/sha256" // the hashes of signature schemes
	_ "crypto/sha512"
	"crypto/x509"
	"errors"
	"math/big"
	"slices"

	"github.com/keystead/terraform-provider-hsm/internal/cryptoki"
	"github.com/keystead/terraform-provider-hsm/internal/fault"
	"github.com/keystead/terraform-provider-hsm/internal/keyring"
)

// testMessage is what a self-test signs. It says what it is, so that a signature
// on it can never pass for one on something that matters.
var testMessage = []byte("terraform-provider-hsm: self-test of a key, this signature means nothing")

// challenge is a test message that nobody has seen before, so that no signature on it
// can have been kept.
func challenge() []byte {
	var nonce [32]byte
	_, _ = rand.Read(nonce[:]) // never fails
	return append(slices.Clone(testMessage), nonce[:]...)
}

// signature is one way to sign or to make a MAC.
type signature struct {
	mechanism cryptoki.Mechanism
	hash      crypto.Hash // of the message; 0 if the scheme takes the message whole
	outside   bool        // the hash is made here and not in the HSM
	prefix    []byte      // DigestInfo before the hash (RFC 8017 section 9.2 note 1)
	pss       bool
}

var sha256DigestInfo = []byte{0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00, 0x04, 0x20}

// signatureSchemes lists what is tried, in this order. A mechanism that is not
// here is not wrong, it is only not tested with.
var signatureSchemes = map[keyring.Family][]signature{
	keyring.AES: {{mechanism: cryptoki.Mechanism{Code: cryptoki.CKM_AES_CMAC}}}, // SP 800-38B
	keyring.RSA: {
		{mechanism: cryptoki.Mechanism{Code: cryptoki.CKM_SHA256_RSA_PKCS}, hash: crypto.SHA256},
		{mechanism: cryptoki.Mechanism{Code: cryptoki.CKM_RSA_PKCS}, hash: crypto.SHA256, outside: true, prefix: sha256DigestInfo},
		{mechanism: cryptoki.Mechanism{Code: cryptoki.CKM_SHA384_RSA_PKCS}, hash: crypto.SHA384},
		{mechanism: cryptoki.Mechanism{Code: cryptoki.CKM_SHA512_RSA_PKCS}, hash: crypto.SHA512},
		{mechanism: pss(cryptoki.CKM_SHA256_RSA_PKCS_PSS, cryptoki.CKM_SHA256, cryptoki.CKG_MGF1_SHA256, 32), hash: crypto.SHA256, pss: true},
		{mechanism: pss(cryptoki.CKM_SHA384_RSA_PKCS_PSS, cryptoki.CKM_SHA384, cryptoki.CKG_MGF1_SHA384, 48), hash: crypto.SHA384, pss: true},
		{mechanism: pss(cryptoki.CKM_SHA512_RSA_PKCS_PSS, cryptoki.CKM_SHA512, cryptoki.CKG_MGF1_SHA512, 64), hash: crypto.SHA512, pss: true},
		{mechanism: pss(cryptoki.CKM_RSA_PKCS_PSS, cryptoki.CKM_SHA256, cryptoki.CKG_MGF1_SHA256, 32), hash: crypto.SHA256, outside: true, pss: true},
	},
	keyring.EC: {
		{mechanism: cryptoki.Mechanism{Code: cryptoki.CKM_ECDSA}, hash: crypto.SHA256, outside: true},
		{mechanism: cryptoki.Mechanism{Code: cryptoki.CKM_ECDSA_SHA256}, hash: crypto.SHA256},
		{mechanism: cryptoki.Mechanism{Code: cryptoki.CKM_ECDSA_SHA384}, hash: crypto.SHA384},
		{mechanism: cryptoki.Mechanism{Code: cryptoki.CKM_ECDSA_SHA512}, hash: crypto.SHA512},
	},
	keyring.Edwards: {{mechanism: cryptoki.Mechanism{Code: cryptoki.CKM_EDDSA}}}, // pure EdDSA, RFC 8032
}

// macSchemes are those of HMAC keys: the key's own hash first, then shorter ones,
// for which the key is long enough.
var macSchemes = map[keyring.Algorithm][]signature{
	keyring.HMACSHA256: {hmac(cryptoki.CKM_SHA256_HMAC)},
	keyring.HMACSHA384: {hmac(cryptoki.CKM_SHA384_HMAC), hmac(cryptoki.CKM_SHA256_HMAC)},
	keyring.HMACSHA512: {hmac(cryptoki.CKM_SHA512_HMAC), hmac(cryptoki.CKM_SHA384_HMAC), hmac(cryptoki.CKM_SHA256_HMAC)},
}

func hmac(code uint) signature { return signature{mechanism: cryptoki.Mechanism{Code: code}} }

func pss(code, hash, mgf, salt uint) cryptoki.Mechanism {
	return cryptoki.Mechanism{Code: code, Params: cryptoki.PSS{Hash: hash, MGF: mgf, SaltLen: salt}}
}

// signatures lists the schemes that the token has and the key may use.
func (m material) signatures(known map[uint]cryptoki.MechanismInfo, op keyring.Operations) []signature {
	schemes := signatureSchemes[m.algorithm.Family()]
	if m.algorithm.Family() == keyring.HMAC {
		schemes = macSchemes[m.algorithm]
	}
	var usable []signature
	for _, s := range schemes {
		if m.mayUse(known, s.mechanism.Code, op) {
			usable = append(usable, s)
		}
	}
	return usable
}

// input is what goes into the HSM for a message.
func (s signature) input(message []byte) []byte {
	if !s.outside {
		return message
	}
	return append(append([]byte(nil), s.prefix...), s.digest(message)...)
}

func (s signature) digest(message []byte) []byte {
	h := s.hash.New()
	_, _ = h.Write(message) // a hash never fails
	return h.Sum(nil)
}

// signatureSize is the length in bytes of what a scheme makes.
func (m material) signatureSize(s signature) int {
	switch m.algorithm.Family() {
	case keyring.AES:
		return 16
	case keyring.HMAC:
		return map[uint]int{cryptoki.CKM_SHA256_HMAC: 32, cryptoki.CKM_SHA384_HMAC: 48, cryptoki.CKM_SHA512_HMAC: 64}[s.mechanism.Code]
	case keyring.RSA:
		return m.algorithm.Bits() / 8
	}
	return map[keyring.Algorithm]int{
		keyring.ECP256: 64, keyring.ECP384: 96, keyring.ECP521: 132, keyring.ECSecp256k1: 64, keyring.Ed25519: 64, keyring.Ed448: 114,
	}[m.algorithm]
}

// testSign signs and verifies. The signature of a pair is verified against the
// public key as it will be published, outside the HSM where Go knows the curve: it
// is the proof that the published key belongs to the private one. errUntested if
// that proof could not be had, and Verify is not among the operations.
func (t *Token) testSign(ctx context.Context, m material, ops keyring.Operations, known map[uint]cryptoki.MechanismInfo) error {
	if !ops.Has(keyring.Sign) {
		return t.testAlone(ctx, m, ops)
	}
	return first(m.signatures(known, keyring.Sign), keyring.Sign, func(s signature) error {
		message := challenge()
		made, err := t.device.Sign(ctx, s.mechanism, m.secret.Handle, s.input(message))
		if err != nil {
			return err
		}
		if m.algorithm.IsPair() {
			err = t.verifyPublished(ctx, m, s, message, made)
		}
		if err != nil && !errors.Is(err, errUntested) || !ops.Has(keyring.Verify) {
			return err
		}
		if err := t.device.Verify(ctx, s.mechanism, m.performer(keyring.Verify).Handle, s.input(message), made); err != nil {
			return wrongIf(err, keyring.Verify, m, "The token does not verify its own signature.")
		}
		return t.rejects(ctx, m, s, message, made)
	})
}

// rejects makes sure that a signature which was just verified is not verified any more
// when it is tampered with.
func (t *Token) rejects(ctx context.Context, m material, s signature, message, made []byte) error {
	verify := func(signature []byte) error {
		return t.device.Verify(ctx, s.mechanism, m.performer(keyring.Verify).Handle, s.input(message), signature)
	}
	spoiled := slices.Clone(made)
	spoiled[len(spoiled)-1] ^= 1
	err := verify(spoiled)
	switch {
	case err == nil:
		return wrong(m, "The token accepts a signature that was tampered with.", nil)
	case spoilt(err, keyring.Verify), definite(err):
		return nil
	case unclear(err) && verify(made) == nil: // it is well, so that was its word on the signature
		return nil
	}
	return err
}

// verifyPublished checks a signature with the public half.
func (t *Token) verifyPublished(ctx context.Context, m material, s signature, message, made []byte) error {
	spki, err := publicKey(m.public)
	if err != nil {
		return err
	}
	good := false
	// ParsePKIXPublicKey knows neither secp256k1 nor Ed448.
	parsed, err := x509.ParsePKIXPublicKey(spki)
	if err != nil {
		return t.verifyImported(ctx, m, s, message, made)
	}
	switch key := parsed.(type) {
	case *rsa.PublicKey:
		if s.pss {
			err = rsa.VerifyPSS(key, s.hash, s.digest(message), made, nil)
		} else {
			err = rsa.VerifyPKCS1v15(key, s.hash, s.digest(message), made)
		}
		good = err == nil
	case *ecdsa.PublicKey:
		if size := len(made) / 2; len(made) == m.signatureSize(s) {
			r, v := new(big.Int).SetBytes(made[:size]), new(big.Int).SetBytes(made[size:])
			good = ecdsa.Verify(key, s.digest(message), r, v)
		}
	case ed25519.PublicKey:
		good = ed25519.Verify(key, message, made)
	}
	if !good {
		return wrong(m, "The signature does not verify with the public key that the token shows.", err)
	}
	return nil
}

// verifyImported checks a signature in the HSM with a session copy of the public
// half that may verify whatever the half itself may do. The copy is made from the
// point alone, so that nothing but the point can make it succeed. A token that
// takes no such object leaves only the public half itself: errUntested.
func (t *Token) verifyImported(ctx context.Context, m material, s signature, message, made []byte) error {
	imported, err := t.device.CreateObject(ctx, []cryptoki.Attribute{
		cryptoki.Ulong(cryptoki.CKA_CLASS, cryptoki.CKO_PUBLIC_KEY),
		cryptoki.Ulong(cryptoki.CKA_KEY_TYPE, shapes[m.algorithm].keyType),
		cryptoki.Bool(cryptoki.CKA_TOKEN, false),
		cryptoki.Bool(cryptoki.CKA_PRIVATE, false),
		cryptoki.Bool(cryptoki.CKA_VERIFY, true),
		cryptoki.Bytes(cryptoki.CKA_EC_PARAMS, m.public.Bytes(cryptoki.CKA_EC_PARAMS)),
		cryptoki.Bytes(cryptoki.CKA_EC_POINT, m.public.Bytes(cryptoki.CKA_EC_POINT)),
	})
	if err != nil {
		if !definite(err) {
			return err
		}
		return errUntested // testSign goes on to verify with the public half, if that may
	}
	defer t.discard(ctx, imported.Handle)
	if err := t.device.Verify(ctx, s.mechanism, imported.Handle, s.input(message), made); err != nil {
		return wrongIf(err, keyring.Verify, m, "The signature does not verify with the public key that the token shows.")
	}
	return nil
}

// wrong is the fault of a key that does not do what it was made for.
func wrong(m material, problem string, cause error) error {
	return &fault.Error{
		Kind: fault.Inconsistent, Op: "self-test", Subject: describe(m.secret), Problem: problem, Cause: cause,
		Hint: "Do not use this key. Have the token examined: it makes wrong results.",
	}
}

// wrongIf is wrong if the token said that the data are no good, and the token's
// own error if it could not even try.
func wrongIf(err error, op keyring.Operations, m material, problem string) error {
	if spoilt(err, op) {
		return wrong(m, problem, err)
	}
	return err
}

// testAlone tests a single operation that has no counterpart in the order: there
// is nothing to compare the result with, only that it is performed at all.
func (t *Token) testAlone(ctx context.Context, m material, op keyring.Operations) error {
	err := t.perform(ctx, m, m.performer(op).Handle, op)
	if err != nil && (spoilt(err, op) || errors.Is(err, errUntested)) {
		return nil
	}
	return err
}
