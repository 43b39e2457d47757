package hsm_test

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/sha512"
	"fmt"
	"hash"
	"testing"

	"github.com/keystead/terraform-provider-hsm/internal/cryptoki"
	"github.com/keystead/terraform-provider-hsm/internal/fault"
	"github.com/keystead/terraform-provider-hsm/internal/keyring"
)

// TestMAC: a key with a known value computes what crypto/hmac computes with it.
func TestMAC(t *testing.T) {
	b := newBench(t)
	for name, test := range map[string]struct {
		id   string
		size int // of the key, bytes: what tells the algorithm
		hash func() hash.Hash
	}{
		"HMAC-SHA-256": {"d1", 32, sha256.New},
		"HMAC-SHA-384": {"d2", 48, sha512.New384},
		"HMAC-SHA-512": {"d3", 64, sha512.New},
	} {
		t.Run(name, func(t *testing.T) {
			value := bytes.Repeat([]byte{0xa5}, test.size)
			if _, err := b.device.CreateObject(t.Context(), []cryptoki.Attribute{
				cryptoki.Ulong(cryptoki.CKA_CLASS, cryptoki.CKO_SECRET_KEY), cryptoki.Ulong(cryptoki.CKA_KEY_TYPE, cryptoki.CKK_GENERIC_SECRET),
				cryptoki.Bytes(cryptoki.CKA_ID, decode(t, test.id)), cryptoki.Bytes(cryptoki.CKA_VALUE, value),
				cryptoki.Bool(cryptoki.CKA_TOKEN, true), cryptoki.Bool(cryptoki.CKA_PRIVATE, true), cryptoki.Bool(cryptoki.CKA_SIGN, true),
			}); err != nil {
				t.Fatal(err)
			}
			for _, message := range []string{"m", "a longer message, of more than one block of the hash: " + fmt.Sprint(make([]int, 200))} {
				got, err := b.hsm.MAC(t.Context(), keyring.Ref{ID: test.id}, []byte(message))
				if err != nil {
					t.Fatal(err)
				}
				reference := hmac.New(test.hash, value)
				reference.Write([]byte(message))
				if want := reference.Sum(nil); !hmac.Equal(got, want) {
					t.Errorf("%x, want %x", got, want)
				}
			}
		})
	}
}

func TestMACRefuses(t *testing.T) {
	b := newBench(t)
	signing := order("mac", keyring.HMACSHA256, keyring.Sign)
	b.generate(t, signing)
	verifying := order("verifies", keyring.HMACSHA256, keyring.Verify)
	b.generate(t, verifying)
	pair := order("pair", keyring.ECP256, keyring.Sign|keyring.Verify)
	b.generate(t, pair)
	cipher := order("cipher", keyring.AES256, keyring.Encrypt|keyring.Decrypt)
	b.generate(t, cipher)
	if mac, err := b.hsm.MAC(t.Context(), signing.Ref, []byte("m")); err != nil || len(mac) != sha256.Size {
		t.Fatalf("%x, %v", mac, err)
	}
	for name, test := range map[string]struct {
		ref  keyring.Ref
		want fault.Kind
	}{
		"nothing there":         {keyring.NewRef("absent", 1, keyring.HMACSHA256), fault.NotFound},
		"no id":                 {keyring.Ref{}, fault.Invalid},
		"a pair":                {pair.Ref, fault.Unsupported},
		"an AES key":            {cipher.Ref, fault.Unsupported},
		"a key that may not":    {verifying.Ref, fault.Unsupported},
		"not said to be a pair": {keyring.Ref{ID: pair.Ref.ID}, fault.NotFound},
	} {
		t.Run(name, func(t *testing.T) {
			if mac, err := b.hsm.MAC(t.Context(), test.ref, []byte("m")); !fault.Is(err, test.want) || mac != nil {
				t.Errorf("%x, %v; want a fault of kind %q", mac, err, test.want)
			}
		})
	}
}
