package hsm_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/keystead/terraform-provider-hsm/internal/cryptoki"
	"github.com/keystead/terraform-provider-hsm/internal/fault"
	"github.com/keystead/terraform-provider-hsm/internal/keyring"
	"github.com/keystead/terraform-provider-hsm/internal/lifecycle"
)

// TestFindAlgorithms finds keys that another program made.
func TestFindAlgorithms(t *testing.T) {
	b := newBench(t)
	for _, test := range []struct {
		tool      string // pkcs11-tool --key-type
		algorithm keyring.Algorithm
		kind      fault.Kind
		named     string // in the error
	}{
		{"AES:16", keyring.AES128, 0, ""},
		{"AES:24", keyring.AES192, 0, ""},
		{"AES:32", keyring.AES256, 0, ""},
		{"GENERIC:32", keyring.HMACSHA256, 0, ""},
		{"GENERIC:48", keyring.HMACSHA384, 0, ""},
		{"GENERIC:64", keyring.HMACSHA512, 0, ""},
		{"GENERIC:20", "", fault.Unsupported, "160 bits"},
		{"RSA:2048", keyring.RSA2048, 0, ""},
		{"RSA:1024", "", fault.Unsupported, "RSA key of 1024 bits"},
		{"EC:prime256v1", keyring.ECP256, 0, ""},
		{"EC:secp384r1", keyring.ECP384, 0, ""},
		{"EC:secp521r1", keyring.ECP521, 0, ""},
		{"EC:secp256k1", keyring.ECSecp256k1, 0, ""},
		{"EC:edwards25519", keyring.Ed25519, 0, ""},
		{"EC:brainpoolP256r1", "", fault.Unsupported, "CKA_EC_PARAMS 06092b2403030208010107"},
	} {
		t.Run(test.tool, func(t *testing.T) {
			verb := "--keygen"
			if strings.HasPrefix(test.tool, "RSA") || strings.HasPrefix(test.tool, "EC") {
				verb = "--keypairgen"
			}
			ref := keyring.NewRef("found", 1, test.algorithm)
			label := "found " + test.tool
			b.Tool(t, verb, "--key-type", test.tool, "--id", ref.ID, "--label", label)
			found, err := b.hsm.Find(t.Context(), lifecycle.Locator{Label: label})
			if test.kind != 0 {
				if !fault.Is(err, test.kind) || !strings.Contains(err.Error(), test.named) {
					t.Errorf("%v", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if found.Ref != (keyring.Ref{ID: ref.ID, Label: label, Pair: test.algorithm.IsPair()}) || found.Algorithm != test.algorithm || found.Mechanisms != nil {
				t.Errorf("found %+v", found)
			}
			if found.Operations&^test.algorithm.Operations() != 0 || !found.Operations.Has(keyring.Sign) && test.algorithm.Family() != keyring.AES {
				t.Errorf("it may %s", found.Operations)
			}
			if found.Fingerprint == "" || !found.Birth.Local || !found.Birth.Attested || (len(found.PublicKey) > 0) != found.Ref.Pair {
				t.Errorf("found %+v", found)
			}
			// Adopting is no more than that: it works like one of our own from now on.
			if e := b.permit(t, found.Ref, keyring.None); e != keyring.EnforcedByHSM {
				t.Errorf("enforcement %s", e)
			}
			if seen := b.inspect(t, found.Ref, keyring.All); seen.Secrets != 1 || seen.Permitted != keyring.None || seen.Performed != keyring.None {
				t.Errorf("shows as %+v", seen)
			}
			if err := b.hsm.Destroy(t.Context(), found.Ref, true); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestFindForeign: a type of key that is none of ours.
func TestFindForeign(t *testing.T) {
	b := newBench(t)
	_, err := b.device.GenerateKey(t.Context(), cryptoki.Mechanism{Code: 0x131 /* CKM_DES3_KEY_GEN */}, []cryptoki.Attribute{
		cryptoki.Bool(cryptoki.CKA_TOKEN, true), cryptoki.Bytes(cryptoki.CKA_ID, []byte{0xd3}), cryptoki.Bytes(cryptoki.CKA_LABEL, []byte("foreign")),
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, where := range []lifecycle.Locator{{ID: "d3"}, {Label: "foreign"}, {Label: "foreign", Class: "secret-key"}} {
		if _, err := b.hsm.Find(t.Context(), where); !fault.Is(err, fault.Unsupported) || !strings.Contains(err.Error(), "of type DES3 (CKA_KEY_TYPE 0x15)") {
			t.Errorf("%+v: %v", where, err)
		}
	}
}

// TestFind covers which key a locator means, and what can't be adopted.
func TestFind(t *testing.T) {
	b := newBench(t)
	b.Tool(t, "--keypairgen", "--key-type", "EC:prime256v1", "--id", "a1", "--label", "pair")
	b.Tool(t, "--keygen", "--key-type", "AES:32", "--id", "a2", "--label", "secret")
	b.Tool(t, "--keygen", "--key-type", "AES:32", "--id", "a3", "--label", "twice")
	b.Tool(t, "--keygen", "--key-type", "AES:32", "--id", "a4", "--label", "twice")
	b.Tool(t, "--keygen", "--key-type", "AES:32", "--id", "a5", "--label", "same id")
	b.Tool(t, "--keygen", "--key-type", "AES:32", "--id", "a5", "--label", "same id")
	b.Tool(t, "--keygen", "--key-type", "AES:32", "--id", "a6", "--label", "mixed")
	b.Tool(t, "--keypairgen", "--key-type", "EC:prime256v1", "--id", "a6", "--label", "mixed")
	b.Tool(t, "--keypairgen", "--key-type", "EC:prime256v1", "--id", "a7", "--label", "public only")
	b.Tool(t, "--delete-object", "--type", "privkey", "--id", "a7")
	b.Tool(t, "--keypairgen", "--key-type", "EC:prime256v1", "--id", "a8", "--label", "private only")
	b.Tool(t, "--delete-object", "--type", "pubkey", "--id", "a8")
	b.Tool(t, "--keygen", "--key-type", "AES:32", "--label", "no id")
	for _, family := range []struct{ id, kind, other string }{
		{"b1", "EC:prime256v1", "EC:prime256v1"}, {"b2", "RSA:2048", "RSA:2048"}, {"b3", "EC:edwards25519", "EC:edwards25519"}, {"b4", "EC:prime256v1", "EC:secp384r1"},
	} { // the private half of one pair with the public half of another
		b.Tool(t, "--keypairgen", "--key-type", family.kind, "--id", family.id, "--label", "mismatch")
		b.Tool(t, "--delete-object", "--type", "pubkey", "--id", family.id)
		b.Tool(t, "--keypairgen", "--key-type", family.other, "--id", "ff"+family.id, "--label", "other")
		b.Tool(t, "--delete-object", "--type", "privkey", "--id", "ff"+family.id)
		for _, o := range b.objects(t, "ff"+family.id) {
			set := []cryptoki.Attribute{cryptoki.Bytes(cryptoki.CKA_ID, decode(t, family.id))}
			if err := b.device.SetAttributes(context.Background(), o.Handle, set); err != nil {
				t.Fatal(err)
			}
		}
	}
	data := filepath.Join(t.TempDir(), "data")
	if err := os.WriteFile(data, []byte("not a key"), 0o600); err != nil {
		t.Fatal(err)
	}
	b.Tool(t, "--write-object", data, "--type", "data", "--label", "data")

	for name, test := range map[string]struct {
		where lifecycle.Locator
		id    string
		kind  fault.Kind
		named string
	}{
		"pair by label":               {lifecycle.Locator{Label: "pair"}, "a1", 0, ""},
		"pair by its public half":     {lifecycle.Locator{ID: "a1", Class: "public"}, "a1", 0, ""},
		"pair by its private half":    {lifecycle.Locator{ID: "a1", Class: "private"}, "a1", 0, ""},
		"pair sought as secret":       {lifecycle.Locator{ID: "a1", Class: "secret-key"}, "", fault.NotFound, ""},
		"secret by label":             {lifecycle.Locator{Label: "secret"}, "a2", 0, ""},
		"secret by both":              {lifecycle.Locator{Label: "secret", ID: "a2", Class: "secret-key"}, "a2", 0, ""},
		"label and id of two keys":    {lifecycle.Locator{Label: "secret", ID: "a1"}, "", fault.NotFound, ""},
		"nothing":                     {lifecycle.Locator{Label: "nothing"}, "", fault.NotFound, ""},
		"not a key":                   {lifecycle.Locator{Label: "data"}, "", fault.NotFound, ""},
		"two keys with one label":     {lifecycle.Locator{Label: "twice"}, "", fault.Inconsistent, `(label "twice"): More than one key matches; their ids are a3, a4`},
		"one of them by id":           {lifecycle.Locator{Label: "twice", ID: "a4"}, "a4", 0, ""},
		"everything":                  {lifecycle.Locator{}, "", fault.Inconsistent, "(any key): More than one key matches; their ids are a1, a2, a3"},
		"two keys with one id":        {lifecycle.Locator{ID: "a5"}, "", fault.Inconsistent, "a5"},
		"secret and pair with one id": {lifecycle.Locator{ID: "a6"}, "", fault.Inconsistent, "a6"},
		"the pair of these":           {lifecycle.Locator{ID: "a6", Class: "private"}, "a6", 0, ""},
		"the secret of these":         {lifecycle.Locator{ID: "a6", Class: "secret-key"}, "a6", 0, ""},
		"public half only":            {lifecycle.Locator{ID: "a7"}, "", fault.Unsupported, "without its private half"},
		"private half only":           {lifecycle.Locator{ID: "a8"}, "", fault.Inconsistent, "without its public half"},
		"no id":                       {lifecycle.Locator{Label: "no id"}, "", fault.Unsupported, "CKA_ID"},
		"halves of two EC pairs":      {lifecycle.Locator{ID: "b1"}, "", fault.Inconsistent, "does not go with"},
		"halves of two RSA pairs":     {lifecycle.Locator{ID: "b2"}, "", fault.Inconsistent, "moduli differ"},
		"halves of two Ed25519 pairs": {lifecycle.Locator{ID: "b3"}, "", fault.Inconsistent, "does not go with"},
		"halves on two curves":        {lifecycle.Locator{ID: "b4"}, "", fault.Inconsistent, "curve"},
		"id that is no number":        {lifecycle.Locator{ID: "xyz"}, "", fault.Invalid, ""},
		"class that there is not":     {lifecycle.Locator{Class: "cert"}, "", fault.Invalid, ""},
	} {
		t.Run(name, func(t *testing.T) {
			found, err := b.hsm.Find(t.Context(), test.where)
			if test.kind != 0 {
				if !fault.Is(err, test.kind) || !strings.Contains(err.Error(), test.named) {
					t.Errorf("%v", err)
				}
				return
			}
			if err != nil || found.Ref.ID != test.id {
				t.Errorf("found %+v, %v", found, err)
			}
		})
	}
}

// TestFindOwn: what was generated here is found as it was ordered.
func TestFindOwn(t *testing.T) {
	b := newBench(t)
	for _, a := range keyring.Algorithms() {
		o := order("own", a, a.DefaultOperations())
		o.Extractable = a == keyring.AES128
		if a == keyring.ECP256 {
			o.Mechanisms = []keyring.Mechanism{"CKM_ECDSA"}
		}
		made := b.generate(t, o)
		found, err := b.hsm.Find(t.Context(), locate(o.Ref))
		if err != nil {
			t.Error(err)
			continue
		}
		if found.Ref != o.Ref || found.Algorithm != a || found.Operations != o.Operations || found.Extractable != o.Extractable ||
			found.Fingerprint != made.Fingerprint || string(found.PublicKey) != string(made.PublicKey) || found.Birth != made.Birth ||
			len(found.Mechanisms) != len(o.Mechanisms) {
			t.Errorf("made %+v of %+v, found %+v", made, o, found)
		}
	}
}
