package hsm_test

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/sha256"
	"crypto/x509"
	"testing"

	"github.com/keystead/terraform-provider-hsm/internal/fault"
	"github.com/keystead/terraform-provider-hsm/internal/keyring"
)

// TestSign: what is signed in the HSM verifies outside, in the form that is promised.
func TestSign(t *testing.T) {
	b := newBench(t)
	message := []byte("a checkpoint")
	edwards, curve := order("edwards", keyring.Ed25519, keyring.Sign), order("curve", keyring.ECP256, keyring.Sign)
	rsa, mac := order("rsa", keyring.RSA2048, keyring.Sign), order("mac", keyring.HMACSHA256, keyring.Sign)
	public := func(made []byte) any {
		key, err := x509.ParsePKIXPublicKey(made)
		if err != nil {
			t.Fatal(err)
		}
		return key
	}
	if key, ok := public(b.generate(t, edwards).PublicKey).(ed25519.PublicKey); !ok {
		t.Error("no Ed25519 key")
	} else if signature, err := b.hsm.Sign(t.Context(), edwards.Ref, message); err != nil || !ed25519.Verify(key, message, signature) {
		t.Errorf("%x, %v", signature, err)
	}
	digest := sha256.Sum256(message)
	key, ok := public(b.generate(t, curve).PublicKey).(*ecdsa.PublicKey)
	for range 20 { // now and then a half begins with a zero
		if signature, err := b.hsm.Sign(t.Context(), curve.Ref, message); !ok || err != nil || !ecdsa.VerifyASN1(key, digest[:], signature) {
			t.Errorf("%x, %v", signature, err)
		}
	}
	b.generate(t, mac)
	b.generate(t, rsa)
	for name, test := range map[string]struct {
		ref  keyring.Ref
		want fault.Kind
	}{
		"nothing there": {keyring.NewRef("absent", 1, keyring.Ed25519), fault.NotFound},
		"RSA":           {rsa.Ref, fault.Unsupported},
		"a secret key":  {mac.Ref, fault.Unsupported},
	} {
		t.Run(name, func(t *testing.T) {
			if signature, err := b.hsm.Sign(t.Context(), test.ref, message); !fault.Is(err, test.want) || signature != nil {
				t.Errorf("%x, %v; want a fault of kind %q", signature, err, test.want)
			}
		})
	}
}
