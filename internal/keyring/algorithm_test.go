package keyring_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/keystead/terraform-provider-hsm/internal/fault"
	"github.com/keystead/terraform-provider-hsm/internal/keyring"
)

func TestAlgorithms(t *testing.T) {
	signature := []string{"sign", "verify"}
	agreement := []string{"sign", "verify", "derive"}
	cipher := []string{"sign", "verify", "encrypt", "decrypt", "wrap", "unwrap"}
	type row struct {
		family   keyring.Family
		bits     int
		pair     bool
		possible []string
		usual    []string
	}
	want := map[string]row{
		"AES_128":      {keyring.AES, 128, false, cipher, []string{"encrypt", "decrypt"}},
		"AES_192":      {keyring.AES, 192, false, cipher, []string{"encrypt", "decrypt"}},
		"AES_256":      {keyring.AES, 256, false, cipher, []string{"encrypt", "decrypt"}},
		"HMAC_SHA256":  {keyring.HMAC, 256, false, signature, signature},
		"HMAC_SHA384":  {keyring.HMAC, 384, false, signature, signature},
		"HMAC_SHA512":  {keyring.HMAC, 512, false, signature, signature},
		"RSA_2048":     {keyring.RSA, 2048, true, cipher, signature},
		"RSA_3072":     {keyring.RSA, 3072, true, cipher, signature},
		"RSA_4096":     {keyring.RSA, 4096, true, cipher, signature},
		"EC_P256":      {keyring.EC, 256, true, agreement, signature},
		"EC_P384":      {keyring.EC, 384, true, agreement, signature},
		"EC_P521":      {keyring.EC, 521, true, agreement, signature},
		"EC_SECP256K1": {keyring.EC, 256, true, agreement, signature},
		"ED25519":      {keyring.Edwards, 255, true, signature, signature},
		"ED448":        {keyring.Edwards, 448, true, signature, signature},
	}
	if got := keyring.AlgorithmNames(); len(got) != len(want) {
		t.Errorf("%d algorithms are listed, %d are known: %v", len(got), len(want), got)
	}
	for name, w := range want {
		t.Run(name, func(t *testing.T) {
			a, err := keyring.ParseAlgorithm(name)
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Contains(keyring.Algorithms(), a) {
				t.Error("it is not in the list of algorithms")
			}
			if a.Family() != w.family || a.Bits() != w.bits || a.IsPair() != w.pair {
				t.Errorf("family %d, %d bits, pair %v", a.Family(), a.Bits(), a.IsPair())
			}
			if !slices.Equal(a.Operations().Names(), w.possible) {
				t.Errorf("it can %s, want %v", a.Operations(), w.possible)
			}
			if !slices.Equal(a.DefaultOperations().Names(), w.usual) || !a.Operations().Has(a.DefaultOperations()) {
				t.Errorf("by default it does %s, want %v", a.DefaultOperations(), w.usual)
			}
		})
	}
}

func TestParseAlgorithmRefuses(t *testing.T) {
	for _, name := range []string{"", "rsa_2048", "RSA_1024", "EC_P256 ", "X25519"} {
		a, err := keyring.ParseAlgorithm(name)
		if a != "" || !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), `"`+name+`"`) {
			t.Errorf("%q gives %q, %v; want fault.Invalid that names it", name, a, err)
		}
		if unknown := keyring.Algorithm(name); unknown.Family() != 0 || unknown.IsPair() || unknown.Operations() != keyring.None {
			t.Errorf("the unknown algorithm %q has properties", name)
		}
	}
}
