package hsm_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"testing"

	"github.com/keystead/terraform-provider-hsm/internal/cryptoki"
	"github.com/keystead/terraform-provider-hsm/internal/fault"
	"github.com/keystead/terraform-provider-hsm/internal/keyring"
	"github.com/keystead/terraform-provider-hsm/internal/lifecycle"
)

// What is signed by each scheme verifies outside the HSM, of a message and of its digest.
func TestSignBy(t *testing.T) {
	b := newBench(t)
	message := []byte("a message")
	for _, a := range []keyring.Algorithm{keyring.RSA2048, keyring.ECP256, keyring.ECP384, keyring.ECP521, keyring.ECSecp256k1, keyring.Ed25519, keyring.Ed448, keyring.HMACSHA256, keyring.HMACSHA384, keyring.HMACSHA512} {
		o := order(string(a), a, keyring.Sign|keyring.Verify)
		made := b.generate(t, o)
		if len(a.Schemes()) == 0 {
			t.Errorf("%s signs by nothing", a)
		}
		for _, scheme := range a.Schemes() {
			orders := []lifecycle.Signing{{Scheme: scheme, Input: message}}
			if h := scheme.Hash(); h != 0 {
				orders = append(orders, lifecycle.Signing{Scheme: scheme, Input: digest(h, message), IsDigest: true})
			}
			for _, each := range orders {
				signature, err := b.hsm.SignBy(t.Context(), o.Ref, each)
				if err == nil {
					err = b.check(t, o.Ref, made.PublicKey, scheme, message, signature)
				}
				if err != nil {
					t.Errorf("%s by %s, digest %t: %v", a, scheme, each.IsDigest, err)
				}
			}
		}
	}
}

func digest(h crypto.Hash, message []byte) []byte {
	state := h.New()
	state.Write(message)
	return state.Sum(nil)
}

// check verifies with the standard library, or, what that does not know, with the token.
func (b *bench) check(t *testing.T, ref keyring.Ref, key keyring.PublicKey, scheme keyring.Scheme, message, signature []byte) error {
	t.Helper()
	fails := func(good bool) error {
		if !good {
			return x509.ErrUnsupportedAlgorithm
		}
		return nil
	}
	parsed, err := x509.ParsePKIXPublicKey(key)
	if err != nil {
		code := map[keyring.Scheme]uint{
			keyring.ES256K: cryptoki.CKM_ECDSA, keyring.EdDSA: cryptoki.CKM_EDDSA,
			keyring.HS256: cryptoki.CKM_SHA256_HMAC, keyring.HS384: cryptoki.CKM_SHA384_HMAC, keyring.HS512: cryptoki.CKM_SHA512_HMAC,
		}[scheme]
		if scheme.Hash() != 0 {
			message = digest(scheme.Hash(), message)
		}
		objects := b.objects(t, ref.ID)
		for _, o := range objects {
			if o.Class != cryptoki.CKO_PRIVATE_KEY {
				return b.device.Verify(t.Context(), cryptoki.Mechanism{Code: code}, o.Handle, message, signature)
			}
		}
		return err
	}
	switch key := parsed.(type) {
	case *rsa.PublicKey:
		if h := scheme.Hash(); scheme[0] == 'P' {
			return rsa.VerifyPSS(key, h, digest(h, message), signature, &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash})
		}
		return rsa.VerifyPKCS1v15(key, scheme.Hash(), digest(scheme.Hash(), message), signature)
	case *ecdsa.PublicKey:
		encoded, err := scheme.Encoded(signature)
		if err != nil {
			return err
		}
		return fails(ecdsa.VerifyASN1(key, digest(scheme.Hash(), message), encoded))
	case ed25519.PublicKey:
		return fails(ed25519.Verify(key, message, signature))
	}
	return x509.ErrUnsupportedAlgorithm
}

func TestSignByRefuses(t *testing.T) {
	b := newBench(t)
	curve, restricted := order("curve", keyring.ECP256, keyring.Sign), order("restricted", keyring.RSA2048, keyring.Sign)
	restricted.Mechanisms = []keyring.Mechanism{"CKM_SHA256_RSA_PKCS"}
	b.generate(t, curve)
	b.generate(t, restricted)
	off := order("off", keyring.ECP256, keyring.Sign|keyring.Verify)
	b.generate(t, off)
	b.permit(t, off.Ref, keyring.Verify)
	for name, test := range map[string]struct {
		ref    keyring.Ref
		scheme keyring.Scheme
		digest bool
		want   fault.Kind
	}{
		"nothing there":               {keyring.NewRef("absent", 1, keyring.ECP256), keyring.ES256, false, fault.NotFound},
		"a scheme of another kind":    {curve.Ref, keyring.ES384, false, fault.Invalid},
		"a mechanism it may not use":  {restricted.Ref, keyring.PS256, false, fault.Unsupported},
		"a digest, by the one it may": {restricted.Ref, keyring.RS256, true, fault.Unsupported},
		"a key that may not sign":     {off.Ref, keyring.ES256, false, fault.Unsupported},
	} {
		t.Run(name, func(t *testing.T) {
			signature, err := b.hsm.SignBy(t.Context(), test.ref, lifecycle.Signing{Scheme: test.scheme, Input: make([]byte, 32), IsDigest: test.digest})
			if !fault.Is(err, test.want) || signature != nil {
				t.Errorf("%x, %v; want a fault of kind %q", signature, err, test.want)
			}
		})
	}
	if _, err := b.hsm.SignBy(t.Context(), restricted.Ref, lifecycle.Signing{Scheme: keyring.RS256, Input: []byte("m")}); err != nil {
		t.Errorf("by the mechanism that it may use: %v", err)
	}
}

func TestRandom(t *testing.T) {
	b := newBench(t)
	first, err := b.hsm.Random(t.Context(), 48)
	if err != nil || len(first) != 48 {
		t.Fatalf("%x, %v", first, err)
	}
	if second, err := b.hsm.Random(t.Context(), 48); err != nil || bytes.Equal(first, second) {
		t.Errorf("twice %x, %v", second, err)
	}
}
