package hsm_test

import (
	"context"
	"testing"

	"github.com/keystead/terraform-provider-hsm/internal/cryptoki"
	"github.com/keystead/terraform-provider-hsm/internal/keyring"
	"github.com/keystead/terraform-provider-hsm/internal/lifecycle"
)

// The key of FIPS 197 appendix A.3 and appendix C, 00 01 02 … 1f.
const knownKey = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"

// TestCheckValue fixes the check values of a known key once and for all: a change
// would make every recorded fingerprint look like another key. The values were
// computed with OpenSSL, for example
//
//	head -c16 /dev/zero | openssl enc -aes-256-ecb -K $KEY -nopad > out
//	{ printf 'hsm-kcv-v1AES_256'; cat out; } | sha256sum
func TestCheckValue(t *testing.T) {
	b := newBench(t)
	for name, test := range map[string]struct {
		id      string
		keyType uint
		flag    uint
		want    string
	}{
		"AES that encrypts":         {"c1", cryptoki.CKK_AES, cryptoki.CKA_ENCRYPT, "f00f98a56d1a49961b966fc0211259a958910b1341656c6ce2e331d9b88f4f39"},
		"AES that only signs":       {"c2", cryptoki.CKK_AES, cryptoki.CKA_SIGN, "2d378863e03f362e3490f28ec560b9a87d93857c49c40abff1566f8d7feb56ae"},
		"generic secret that signs": {"c3", cryptoki.CKK_GENERIC_SECRET, cryptoki.CKA_SIGN, "546f1d3b83345b261a9de784bf6006482e16a22e3766d4112f36340529697b23"},
	} {
		t.Run(name, func(t *testing.T) {
			template := []cryptoki.Attribute{
				cryptoki.Ulong(cryptoki.CKA_CLASS, cryptoki.CKO_SECRET_KEY), cryptoki.Ulong(cryptoki.CKA_KEY_TYPE, test.keyType),
				cryptoki.Bytes(cryptoki.CKA_ID, decode(t, test.id)), cryptoki.Bytes(cryptoki.CKA_VALUE, decode(t, knownKey)),
				cryptoki.Bool(cryptoki.CKA_TOKEN, true), cryptoki.Bool(cryptoki.CKA_PRIVATE, true), cryptoki.Bool(cryptoki.CKA_SENSITIVE, true),
			}
			for _, flag := range []uint{
				cryptoki.CKA_SIGN, cryptoki.CKA_VERIFY, cryptoki.CKA_ENCRYPT, cryptoki.CKA_DECRYPT, cryptoki.CKA_WRAP, cryptoki.CKA_UNWRAP, cryptoki.CKA_DERIVE,
			} {
				template = append(template, cryptoki.Bool(flag, flag == test.flag))
			}
			if _, err := b.device.CreateObject(context.Background(), template); err != nil {
				t.Fatal(err)
			}
			found, err := b.hsm.Find(t.Context(), lifecycle.Locator{ID: test.id})
			if err != nil {
				t.Fatal(err)
			}
			if found.Fingerprint != test.want {
				t.Errorf("check value %s of a key that may %s", found.Fingerprint, found.Operations)
			}
			if found.Birth.Local || found.Birth.NeverExtractable || found.Birth.AlwaysSensitive {
				t.Errorf("an imported key shows as %+v", found.Birth)
			}
		})
	}
}

// TestCheckValueFallback: keys that may do less have what there is.
func TestCheckValueFallback(t *testing.T) {
	b := newBench(t)
	for _, test := range []struct {
		operations keyring.Operations
		mechanisms []keyring.Mechanism
		length     int // of the check value
	}{
		{keyring.Encrypt, nil, 64},
		{keyring.Encrypt, []keyring.Mechanism{"CKM_AES_CTR"}, 64},
		{keyring.Sign, nil, 64},
		{keyring.Encrypt, []keyring.Mechanism{"CKM_AES_GCM"}, len("kcv:") + 6},
		{keyring.Wrap | keyring.Unwrap, nil, len("kcv:") + 6},
	} {
		o := order("checked", keyring.AES256, test.operations)
		o.Mechanisms = test.mechanisms
		made := b.generate(t, o)
		if len(made.Fingerprint) != test.length {
			t.Errorf("%s with %v: %q", test.operations, test.mechanisms, made.Fingerprint)
		}
	}
}
